// SPDX-License-Identifier: Apache-2.0
//
// Where a door hands what it decoded: the one call between receivers and the rest. Implemented by collector/intake.
#ifndef RECEIVER_SINK_H
#define RECEIVER_SINK_H

#include <stdint.h>

#include "base/json.h"
#include "base/slice.h"
#include "base/status.h"
#include "store/journal.h"

// What became of a payload. Given with STATUS_OK only.
struct sink_outcome {
  uint64_t accepted;
  uint64_t rejected;  // refused for good, not stored: partial success
  const char *reason; // English, of the first rejection or a warning; NULL: none. Valid during the call.
};
// Called exactly once per submit that returned STATUS_OK, from any thread, maybe before submit returns. Must not block.
typedef void (*sink_done_fn)(void *context, enum status status, const struct sink_outcome *outcome,
                             const struct error *error);

// An event that was parsed already: what is known of it from elsewhere comes before what it says itself.
struct sink_event {
  struct json_value root; // borrowed for the call; the sink may replace values of its document
  const char *event_id;   // 32 lower-case hex digits
};

struct sink {
  void *context;
  // body: one decoded payload in the normal form of its kind (protobuf wire; events: JSON). Borrowed for the call only.
  // Anything but STATUS_OK is an immediate refusal: done is not called, error has the words.
  enum status (*submit)(void *context, enum journal_kind kind, uint32_t project, struct slice body, sink_done_fn done,
                        void *done_context, struct error *error);
  // As a body of kind JOURNAL_EVENTS, of an event that needs nothing else put in front of it. NULL: submit takes all.
  enum status (*submit_event)(void *context, uint32_t project, const struct sink_event *event, sink_done_fn done,
                              void *done_context, struct error *error);
  // Looked up before a body is read: STATUS_UNAVAILABLE with words when nothing can be taken now (disk, shutdown).
  enum status (*ready)(void *context, struct error *error);
};

#endif
