// SPDX-License-Identifier: Apache-2.0
//
// What the inbox must know of an error event to count it, as bytes: a struct issue_event without its document. It is
// made once, on the receiver's thread, and stands in the section of the event's journal record behind the facts
// (record_facts, `more`); the record's body is the rest: grouping, a line feed, the document, which is also the form
// the document is stored in (issue_rows). So the inbox neither decompresses nor parses an event to count it, nor
// compresses one to store it. The byte layout is at the top of event_summary.c. Pure functions; any thread.
#ifndef STORE_EVENT_SUMMARY_H
#define STORE_EVENT_SUMMARY_H

#include "base/buffer.h"
#include "base/status.h"
#include "store/issue.h"

#define EVENT_SUMMARY_TAGS_MAX 64

// Appends the summary. Texts are cut to the lengths they are stored in, tags after EVENT_SUMMARY_TAGS_MAX are left out;
// project, received_ns and the document are not written. STATUS_TOO_LARGE when `out` is full.
enum status event_summary_encode(const struct issue_event *event, struct buffer *out);

struct event_summary {
  struct issue_event event; // its project, received_ns and document are the reader's to set
  struct issue_hash hashes[ISSUE_EVENT_HASHES_MAX], past_hashes[ISSUE_PAST_HASHES_MAX];
  struct issue_tag tags[EVENT_SUMMARY_TAGS_MAX];
};
// Views `bytes`; out_summary->event points into it and into *out_summary. STATUS_CORRUPT when the shape is wrong.
enum status event_summary_decode(struct slice bytes, struct event_summary *out_summary);

#endif
