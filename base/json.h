// SPDX-License-Identifier: Apache-2.0
//
// JSON in, through simdjson's DOM behind a C interface (json.cpp is the only C++ file of the tree), and out, through a
// small writer.
//
// Reading: a parser owns its memory and one document; values are two words by value, valid until the parser parses
// again or is destroyed. Input need not be padded (it is copied) and may be any bytes. Depth is limited to
// JSON_DEPTH_MAX; there is no recursion on input. Duplicate keys: iteration sees all in order, json_get finds the
// first. Integers beyond 64 bits are JSON_DOUBLE, escaped surrogates without their other half read as U+FFFD. One
// thread per parser.
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

#define JSON_DEPTH_MAX 140 // OTLP/JSON needs 4 levels per AnyValue level, reliability limit 30

enum json_type { JSON_NULL, JSON_BOOL, JSON_I64, JSON_U64, JSON_DOUBLE, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

struct json_parser;
// What a document was parsed into, for the functions below only: words that begin with a mark of their type (json.cpp
// draws them), and the unescaped strings.
struct json_tape {
  const uint64_t *words;
  const uint8_t *strings;
  struct json_parser *parser;
};
struct json_value {
  const struct json_tape *document; // NULL: no value
  uint64_t index;
};

// bytes_max: the largest document it will take.
struct json_parser *json_parser_create(size_t bytes_max);
void json_parser_destroy(struct json_parser *parser);
// Parses one document. STATUS_INVALID (error says what and, where known, the byte offset), STATUS_TOO_LARGE over
// bytes_max.
enum status json_parse(struct json_parser *parser, struct slice text, struct json_value *out_root, struct error *error);

static inline enum json_type json_type_of(struct json_value value); // JSON_NULL for "no value"
static inline bool json_is_present(struct json_value value) {
  return value.document != 0;
}
bool json_bool(struct json_value value);     // false unless JSON_BOOL true
int64_t json_i64(struct json_value value);   // JSON_I64 and JSON_U64 that fit, else 0
uint64_t json_u64(struct json_value value);  // JSON_U64 and non-negative JSON_I64, else 0
double json_double(struct json_value value); // any number, else 0
// The unescaped UTF-8 of a JSON_STRING, else empty. Behind it, as behind every key, lie JSON_STRING_PADDING bytes that
// may be read and mean nothing.
static inline struct slice json_string(struct json_value value);
#define JSON_STRING_PADDING 64
// A key and a string that is its member's value, unless it was replaced, have this many bytes between them, which may
// be read, too, and mean nothing.
#define JSON_STRING_GAP 5

// From now on the value, whatever it was, is this string (copied); for what is to be read or written with some of its
// values changed. What json_string gave for values replaced before is no longer valid, iterators stay good.
// STATUS_TOO_LARGE after JSON_REPLACED_MAX values of one document, STATUS_NO_MEMORY.
#define JSON_REPLACED_MAX (1u << 20)
enum status json_replace(struct json_value value, struct slice text);

// Arrays and objects. Start with json_array_iter / json_object_iter; false at the end. A value of another type is
// empty.
struct json_iter {
  const struct json_tape *document;
  uint64_t index;
  uint64_t end;
};
static inline struct json_iter json_iterate(struct json_value array_or_object);
static inline bool json_array_next(struct json_iter *iter, struct json_value *out_value);
static inline bool json_object_next(struct json_iter *iter, struct slice *out_key, struct json_value *out_value);
// The member `key` (first one), or no value.
struct json_value json_get_slice(struct json_value object, struct slice key);
static inline struct json_value json_get(struct json_value object, const char *key) {
  return json_get_slice(object, slice_from_cstr(key));
}
// Elements or members, counted by walking.
uint64_t json_count(struct json_value array_or_object);

// Appends the value as compact JSON. Depth is bounded by the parser; no recursion.
void json_write_value(struct buffer *out, struct json_value value);

// Writing: commas and nesting are kept by the writer; misuse (a value where a key belongs, unbalanced ends) is a
// programmer's fault and asserts. Overflow of the buffer is seen in buffer->failed. Strings need not be valid UTF-8:
// invalid sequences become U+FFFD; control characters, quotes and backslashes are escaped.
#define JSON_WRITER_DEPTH_MAX 160
struct json_writer {
  struct buffer *out;
  uint32_t depth;
  uint8_t state[JSON_WRITER_DEPTH_MAX];
};
void json_writer_init(struct json_writer *writer, struct buffer *out);
void json_begin_object(struct json_writer *writer);
void json_end_object(struct json_writer *writer);
void json_begin_array(struct json_writer *writer);
void json_end_array(struct json_writer *writer);
void json_key_slice(struct json_writer *writer, struct slice key);
static inline void json_key(struct json_writer *writer, const char *key) {
  json_key_slice(writer, slice_from_cstr(key));
}
// A key of our own, in which nothing needs to be escaped.
void json_key_plain(struct json_writer *writer, struct slice key);
void json_write_string(struct json_writer *writer, struct slice text);
void json_write_cstr(struct json_writer *writer, const char *text); // NULL writes null
void json_write_i64(struct json_writer *writer, int64_t number);
void json_write_u64(struct json_writer *writer, uint64_t number);
// Shortest form that reads back the same; NaN and infinities are written as the strings "NaN", "Infinity", "-Infinity".
void json_write_double(struct json_writer *writer, double number);
void json_write_bool(struct json_writer *writer, bool value);
void json_write_null(struct json_writer *writer);
// Bytes that are one JSON value already.
void json_write_raw(struct json_writer *writer, struct slice json);
// A parsed value as it is.
void json_write_parsed(struct json_writer *writer, struct json_value value);

#include "base/json_tape.h"

#ifdef __cplusplus
}
#endif

#endif
