// SPDX-License-Identifier: Apache-2.0
//
// The framing of a Sentry envelope, over a complete body: a line of JSON headers, then items, each a line of JSON
// headers and a payload (Sentry's "Envelopes"; the grammar is at the top of sentry_envelope.c). The parser knows no
// item types: unknown ones are walked over like all others.
//
// An envelope borrows the body and a JSON parser for header lines; both must stay until it is done with. One thread.
#ifndef PROTO_SENTRY_ENVELOPE_H
#define PROTO_SENTRY_ENVELOPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/json.h"
#include "base/slice.h"
#include "base/status.h"

#define SENTRY_ENVELOPE_HEADER_BYTES_MAX ((size_t)64 << 10) // of one line; also what the parser must take
#define SENTRY_ENVELOPE_DSN_BYTES_MAX    512

struct sentry_envelope {
  char event_id[33]; // 32 lower-case hex digits and NUL; "" when there is none
  char dsn[SENTRY_ENVELOPE_DSN_BYTES_MAX];
  bool has_sent_at;
  uint64_t sent_at_ns;
  // The rest of the body.
  struct json_parser *parser;
  struct slice rest;
  uint32_t item_index; // of the item that next gives next
};

// Views of the body and of the parser, until the next item's header is read.
struct sentry_envelope_item {
  struct slice type, content_type, filename;
  bool has_item_count;
  uint64_t item_count;
  struct json_value header; // all of it
  struct slice payload;
};

// Reads the header line. STATUS_INVALID with words when it is missing, too long, not an object, or has an unusable
// event_id, dsn or sent_at (twice is unusable too).
enum status sentry_envelope_open(struct sentry_envelope *envelope, struct json_parser *parser, struct slice body,
                                 struct error *error);
// The next item: STATUS_OK, STATUS_END behind the last one, STATUS_INVALID with words where the framing is broken.
enum status sentry_envelope_next(struct sentry_envelope *envelope, struct sentry_envelope_item *out_item,
                                 struct error *error);

// An event id: 32 hex digits of either case, with or without the four dashes of a UUID. False, and out_id untouched, on
// anything else.
bool sentry_envelope_event_id(struct slice text, char out_id[33]);

#endif
