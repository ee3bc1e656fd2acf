// SPDX-License-Identifier: Apache-2.0
//
// From an error event in Sentry's schema to what the inbox stores: grouped, named, its tags and ids collected, and
// written as text. For errors found in spans and logs this happens on the inbox thread (inbox_record), for events of
// SDKs on the receiver's (event_digest). One thread per inbox_event.
#ifndef COLLECTOR_INBOX_EVENT_H
#define COLLECTOR_INBOX_EVENT_H

#include "collector/inbox_grouping.h"
#include "processor/grouping.h"
#include "proto/sentry_event.h"
#include "store/event_summary.h"
#include "store/issue.h"

// Working memory and result.
struct inbox_event {
  struct issue_event event; // its slices are in the arena, the sentry_event, the configuration or grouping's memory
  const char *algorithm;    // the id of the setup in force: lives until `grouping` is asked again
  struct grouping_result result;
  struct issue_hash hashes[ISSUE_EVENT_HASHES_MAX], past_hashes[ISSUE_PAST_HASHES_MAX];
  struct issue_tag tags[EVENT_SUMMARY_TAGS_MAX];
};

struct inbox_event_origin {
  uint32_t project;
  enum issue_source source;
  uint64_t received_ns, duplicate_key;
};

// Groups `event` as its project is grouped (which changes it: in_app, function names, title, culprit) and describes it
// in out->event, all but its event id and text.
void inbox_event_make(struct inbox_event *out, const struct inbox_event_origin *origin, struct inbox_grouping *grouping,
                      struct sentry_event *event, struct arena *arena);
// Appends the text: how it was grouped, a line feed, the document.
void inbox_event_write(const struct inbox_event *made, const struct sentry_event *event, struct buffer *out);
// Points the event's grouping and document into such a text.
void inbox_event_split(struct slice text, struct issue_event *event);

struct slice inbox_event_first_of(struct slice preferred, struct slice otherwise);

#endif
