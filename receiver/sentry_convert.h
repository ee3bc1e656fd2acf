// SPDX-License-Identifier: Apache-2.0
//
// From the items of one request to what the journal takes: one event document, spans, log records, and what comes
// beside an event. Items over their project's rate limit, and those that cannot be read, are counted and left out; only
// an event or transaction that cannot be read is a failure. One request, one thread.
#ifndef RECEIVER_SENTRY_CONVERT_H
#define RECEIVER_SENTRY_CONVERT_H

#include "base/json.h"
#include "proto/sentry_document.h"
#include "proto/sentry_envelope.h"
#include "receiver/sentry_auth.h"
#include "receiver/sentry_keep.h"
#include "receiver/sentry_limit.h"
#include "receiver/sentry_type.h"

#define SENTRY_CONVERT_CONTAINER_ITEMS_MAX 1000 // of spans or logs

struct sentry_convert_options {
  const struct sentry_type_counters *counters;
  struct sentry_limit *limit;       // NULL: no limits
  struct json_parser *parser;       // one that nobody else uses meanwhile
  struct json_parser *event_parser; // another one: the event stays in it; NULL: events are always written
  const struct sentry_auth_project *project;
  size_t bytes_max;            // of each payload
  size_t attachment_bytes_max; // of one attachment
  size_t attachment_bytes;     // what all of them may take, beside bytes_max
};

struct sentry_convert {
  // Set by the caller; zero at first.
  struct sentry_document_source source; // of the event
  // What came of the items so far.
  char event_id[33]; // "": no event; the envelope's may be set before
  uint64_t accepted[SENTRY_TYPES];
  struct sentry_limit_note limits;
  struct buffer event, traces, logs;
  struct json_value event_root; // the event, when it need not be written
  struct sentry_keep keep;
  // Its own.
  struct sentry_convert_options options;
  struct buffer scratch;
  bool event_limited;          // its attachments go with it
  uint32_t seen[SENTRY_TYPES]; // items
};

// What the caller has set stays.
void sentry_convert_init(struct sentry_convert *convert, const struct sentry_convert_options *options);
void sentry_convert_finish(struct sentry_convert *convert);

// Any item. After a failure nothing of the request may be handed on.
enum status sentry_convert_item(struct sentry_convert *convert, const struct sentry_envelope_item *item,
                                struct error *error);
// An attachment, after all other items: one of them says whose it is.
void sentry_convert_attachment(struct sentry_convert *convert, const struct sentry_envelope_item *item);

#endif
