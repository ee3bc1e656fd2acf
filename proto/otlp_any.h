// SPDX-License-Identifier: Apache-2.0
//
// The inner half of otlp_scan, for its source file only: checks of the messages that every signal shares (KeyValue,
// AnyValue), how a fault is noted on the way out, and the decoding of an AnyValue.
//
// A check returns false after noting the first fault in scan->fault; the callers up the line add the name of their
// field and return false too, so that the path reads from the request down.
#ifndef PROTO_OTLP_ANY_H
#define PROTO_OTLP_ANY_H

#include "proto/otlp_scan.h"
#include "proto/wire.h"
#include "proto/wire_block.h"

// Names of the known fields by number; NULL where a number is not one.
struct otlp_message {
  const char *const *fields;
  uint32_t count;
};

// Notes a fault. The first reason stays.
void otlp_any_fault(struct otlp_scan *scan, enum status status, const char *reason, const uint8_t *at);
// Adds an enclosing field to the path of the noted fault. Always false.
bool otlp_any_within(struct otlp_scan *scan, const char *field);
// Ends a check whose field at `at` with `tag` (0: not even that) could not be read: notes "malformed" unless there is
// a fault already, and the field's name. Always false.
bool otlp_any_fail(struct otlp_scan *scan, const struct otlp_message *message, uint32_t tag, const uint8_t *at);
// Behind a field with a tag that the message does not know; NULL for a known number, whose wire type is wrong then.
const uint8_t *otlp_any_unknown(struct otlp_scan *scan, const struct otlp_message *message, uint32_t tag,
                                const uint8_t *at, const uint8_t *end);

// The status of the fault, and in `error` its path, reason and place:
// "resource_spans.scope_spans.spans.name: invalid UTF-8 at byte 812". STATUS_END has no words.
enum status otlp_any_report(const struct otlp_fault *fault, struct error *error);

// Length and content of a string field; NULL when malformed or not UTF-8 (noted).
static inline const uint8_t *otlp_any_string(struct otlp_scan *scan, const uint8_t *at, const uint8_t *end,
                                             struct slice *out_text) {
  const uint8_t *next = wire_bytes(at, end, out_text);
  if (next && next < scan->quick_end && wire_block_is_ascii(out_text->ptr, out_text->len)) return next;
  if (next && !wire_is_utf8(*out_text)) {
    otlp_any_fault(scan, STATUS_INVALID, "invalid UTF-8", out_text->ptr);
    return NULL;
  }
  return next;
}

// Takes attributes of a span that have the common form, one after the other, in place of wire_bytes,
// otlp_any_check_key_value and the report to scan->on_attribute: the key that was expected next and a short ASCII
// string or a number. `at` is before a tag; behind the last one taken, which may be none. *count grows by their number.
const uint8_t *otlp_any_quick(struct otlp_scan *scan, const uint8_t *at, const uint8_t *end, uint32_t *count);

// From before scan->quick_end at least this much can be read. An attribute is less than 2 + 127 bytes and a block.
#define OTLP_ANY_QUICK_BYTES 256

// Validates a KeyValue message and counts it. *out_key is its key, the last one; *out_wanted says whether the scan has
// a filter that lets it pass.
bool otlp_any_check_key_value(struct otlp_scan *scan, struct slice message, struct slice *out_key, bool *out_wanted);
// Validates an AnyValue message (nesting level 1).
bool otlp_any_check(struct otlp_scan *scan, struct slice message);

// Decodes valid AnyValue bytes. A value that appears in pieces is merged as oneofs are: the last member set wins.
struct otlp_any otlp_any_decode(struct slice message);
struct otlp_attribute otlp_any_decode_key_value(struct slice message);

#endif
