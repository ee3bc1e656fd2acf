// SPDX-License-Identifier: Apache-2.0
//
// From an event as an SDK sent it to the document that is written down: its id, its times, where it came from. All else
// is copied as it is; what its members are worth is for sentry_event_parse to say. Pure; one thread per buffer.
#ifndef PROTO_SENTRY_DOCUMENT_H
#define PROTO_SENTRY_DOCUMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/slice.h"
#include "base/status.h"

// What is known of the request an event came in.
struct sentry_document_source {
  const char *event_id; // of the envelope header: wins over the event's own; "": none
  uint32_t project;
  uint64_t received_ns;
  bool has_sent_at;
  uint64_t sent_at_ns;
  struct slice peer; // replaces "{{auto}}" as the user's address; empty: left alone
  struct slice text; // what the event was parsed from, copied where it can be; empty: not at hand
};

// What all times of the request are moved by: the distance of sent_at to the time of receipt when it is 55 minutes or
// more (a wrong clock or zone), else 0 (latency).
int64_t sentry_document_drift_ns(const struct sentry_document_source *source);
// ns moved by drift, not below 0.
uint64_t sentry_document_moved(uint64_t ns, int64_t drift_ns);

// Appends the event as one JSON document. Its time, moved, is that of receipt when it lies more than 60 s in the future
// or 30 days in the past; that and a drift are noted in "errors". The id is the header's, else the event's, else new.
// A member may come twice, then the first one counts. STATUS_INVALID when the event is not an object or its id is none;
// STATUS_TOO_LARGE when `out` is full.
enum status sentry_document_write(struct json_value event, const struct sentry_document_source *source,
                                  struct buffer *out, char out_event_id[33], struct error *error);

// Whether the document would be the event as it stands behind its id, its project and the time of receipt: then it need
// not be written for who can be told these. *out_stands is false else, and nothing is chosen. STATUS_INVALID as above.
enum status sentry_document_stands(struct json_value event, const struct sentry_document_source *source,
                                   bool *out_stands, char out_event_id[33], struct error *error);

// A new random event id: 32 hex digits and NUL.
void sentry_document_new_id(char out_event_id[33]);

#endif
