// SPDX-License-Identifier: Apache-2.0
//
// Lenient reading of members of a Sentry event: text out of almost anything, numbers, times, JSON kept as text; what
// cannot be used is dropped and noted. For the files of proto/sentry_event*.c only.
//
// All text that is handed out lives in the reader's arena, or where it borrows in the document. One thread.
#ifndef PROTO_SENTRY_EVENT_READER_H
#define PROTO_SENTRY_EVENT_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/json.h"
#include "base/slice.h"
#include "proto/sentry_event.h"

#define SENTRY_EVENT_READER_NOTES_MAX      128
#define SENTRY_EVENT_READER_JSON_BYTES_MAX SENTRY_EVENT_SCRATCH_BYTES_MAX

struct sentry_event_reader {
  struct arena *arena;
  struct buffer *scratch; // JSON text on its way into the arena
  struct buffer notes;
  struct json_writer notes_writer; // an open array, once there is a note
  uint32_t note_count;
  bool borrows; // texts of the document are handed out as they lie there
};

// scratch: the caller's.
void sentry_event_reader_init(struct sentry_event_reader *reader, struct arena *arena, struct buffer *scratch,
                              bool borrows);
void sentry_event_reader_finish(struct sentry_event_reader *reader);
// Where the next note is to be written, which is to be counted then.
struct json_writer *sentry_event_reader_notes(struct sentry_event_reader *reader);
// A member was dropped: {"type":"invalid_data","name":name,"reason":reason}, noted once; both are literals without
// characters that JSON escapes. The first SENTRY_EVENT_READER_NOTES_MAX
// stay.
void sentry_event_reader_note(struct sentry_event_reader *reader, const char *name, const char *reason);

// Not null and not missing.
static inline bool sentry_event_reader_has(struct json_value value) {
  return json_type_of(value) != JSON_NULL;
}
// The first of two names a member may have: today's and the one old SDKs send.
struct json_value sentry_event_reader_member(struct json_value object, const char *name, const char *legacy_name);
// The members of an object that are asked for, in one pass over it: place_of says where in out_values (of `count`) a
// name belongs, `count` or more for a name that nobody asks for. Of two with one name the first counts, as json_get has
// it; what is missing is no value.
void sentry_event_reader_members(struct json_value object, uint32_t (*place_of)(struct slice name), uint32_t count,
                                 struct json_value *out_values);

// Text of at most chars_max code points, the cut marked by "..."; strings as they are, numbers in decimal, booleans as
// "True" and "False" (Sentry's spelling). Objects and arrays are noted as `name` and give an empty slice.
struct slice sentry_event_reader_text(struct sentry_event_reader *reader, struct json_value value, const char *name,
                                      uint32_t chars_max);
// The same, but objects, arrays and booleans become their JSON text.
struct slice sentry_event_reader_text_or_json(struct sentry_event_reader *reader, struct json_value value,
                                              const char *name, uint32_t chars_max);
// A text of the document: as it lies there, or copied.
struct slice sentry_event_reader_keep(struct sentry_event_reader *reader, struct slice text);
// Cuts text that is in the arena or outlives it.
struct slice sentry_event_reader_cut(struct sentry_event_reader *reader, struct slice text, uint32_t chars_max);
// The value as compact JSON; empty for null and for a missing value.
struct slice sentry_event_reader_json(struct sentry_event_reader *reader, struct json_value value);
// As above, for a member that must be an object (else noted and empty).
struct slice sentry_event_reader_object(struct sentry_event_reader *reader, struct json_value value, const char *name);

// A line or column: a non-negative integer or its decimal text, 0 for anything else.
uint32_t sentry_event_reader_u32(struct json_value value);
// An integer or its decimal text.
bool sentry_event_reader_i64(struct json_value value, int64_t *out_number);
// RFC 3339 (zone optional, UTC without) or seconds since the epoch as number or text, to nanoseconds. Text keeps every
// digit it has; a JSON number with a fraction is good for microseconds.
bool sentry_event_reader_time(struct json_value value, uint64_t *out_ns);
bool sentry_event_reader_time_text(struct slice text, uint64_t *out_ns);

#endif
