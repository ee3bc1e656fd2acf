// SPDX-License-Identifier: Apache-2.0
//
// The writing half of json.h. The writer keeps one byte of state per open container, enough to know whether a comma or
// a key is due. Parsed values are written by walking with a stack of iterators, one per open container.
#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

// Bits of writer->state[depth].
#define STATE_OBJECT   1 // else an array, or the root
#define STATE_NONEMPTY 2 // something was written
#define STATE_KEY      4 // a key was written, its value is due

static_assert(JSON_WRITER_DEPTH_MAX > JSON_DEPTH_MAX, "what was parsed can be written inside of something");

// Bytes that stand for themselves in a JSON string; 0x80 and up need a look at the sequence.
static bool is_plain(uint8_t byte) {
  return byte >= 0x20 && byte < 0x7F && byte != '"' && byte != '\\';
}

static void append_control(struct buffer *out, uint8_t byte) {
  switch (byte) {
  case '"': buffer_append_cstr(out, "\\\""); break;
  case '\\': buffer_append_cstr(out, "\\\\"); break;
  case '\n': buffer_append_cstr(out, "\\n"); break;
  case '\r': buffer_append_cstr(out, "\\r"); break;
  case '\t': buffer_append_cstr(out, "\\t"); break;
  default: buffer_printf(out, "\\u%04x", (unsigned)byte); break;
  }
}

// Is one of eight bytes below 0x20, above 0x7e, a quote or a backslash? Subtracting and XOR-ing move each of these into
// the byte's top bit.
static inline bool has_special(const uint8_t *from) {
  static const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
  uint64_t word;
  memcpy(&word, from, sizeof word);
  uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
  return (((word - ones * 0x20) | (word + ones) | (quote - ones) | (backslash - ones) | word) & tops) != 0;
}

// How many bytes from `at` on stand for themselves: eight at a time, the last eight of them once more with those before
// them, and one by one where there is something special or less than eight.
static size_t plain_run(struct slice text, size_t at) {
  size_t run = at;
  while (run + 8 <= text.len && !has_special(text.ptr + run)) run += 8;
  if (run + 8 > text.len && run >= at + 8 && !has_special(text.ptr + text.len - 8)) return text.len - at;
  while (run < text.len && is_plain(text.ptr[run])) run++;
  return run - at;
}

static void append_string(struct buffer *out, struct slice text) {
  size_t at = plain_run(text, 0);
  if (at == text.len) { // nearly always: nothing to escape
    uint8_t *to = buffer_reserve(out, text.len + 2);
    if (!to) return;
    to[0] = '"';
    if (text.len > 0) memcpy(to + 1, text.ptr, text.len);
    to[text.len + 1] = '"';
    out->len += text.len + 2;
    return;
  }
  buffer_append_byte(out, '"');
  buffer_append_slice(out, slice_sub(text, 0, at));
  while (at < text.len) {
    if (text.ptr[at] < 0x80) {
      append_control(out, text.ptr[at++]);
    } else {
      bool valid;
      size_t step = utf8_step(text, at, &valid);
      buffer_append_slice(out, valid ? slice_sub(text, at, step) : UTF8_REPLACEMENT);
      at += step;
    }
    size_t run = plain_run(text, at);
    buffer_append_slice(out, slice_sub(text, at, run));
    at += run;
  }
  buffer_append_byte(out, '"');
}

// The shortest of 15, 16 and 17 digits that reads back the same. number is finite.
static void append_finite(struct buffer *out, double number, bool keep_double) {
  char text[40];
  int len = 0;
  for (int digits = 15; digits <= 17; digits++) {
    len = snprintf(text, sizeof text, "%.*g", digits, number);
    if (strtod(text, NULL) == number) break;
  }
  buffer_append(out, text, (size_t)len);
  bool looks_integer = strpbrk(text, ".e") == NULL;
  if (looks_integer && (keep_double || (number == 0 && signbit(number)))) buffer_append_cstr(out, ".0");
}

// Begins a value: the comma before it, and whether one is allowed here at all.
static void begin_value(struct json_writer *writer) {
  uint8_t *state = &writer->state[writer->depth];
  if (*state & STATE_OBJECT) {
    ASSERT(*state & STATE_KEY);
    *state &= (uint8_t)~STATE_KEY;
    return;
  }
  ASSERT(writer->depth > 0 || !(*state & STATE_NONEMPTY));
  if (*state & STATE_NONEMPTY) buffer_append_byte(writer->out, ',');
  *state |= STATE_NONEMPTY;
}

static void begin_container(struct json_writer *writer, uint8_t state, uint8_t brace) {
  begin_value(writer);
  ASSERT(writer->depth + 1 < JSON_WRITER_DEPTH_MAX);
  writer->state[++writer->depth] = state;
  buffer_append_byte(writer->out, brace);
}

static void end_container(struct json_writer *writer, uint8_t state, uint8_t brace) {
  ASSERT(writer->depth > 0);
  ASSERT((writer->state[writer->depth] & (STATE_OBJECT | STATE_KEY)) == state);
  writer->depth--;
  buffer_append_byte(writer->out, brace);
}

void json_writer_init(struct json_writer *writer, struct buffer *out) {
  *writer = (struct json_writer){.out = out};
}

void json_begin_object(struct json_writer *writer) {
  begin_container(writer, STATE_OBJECT, '{');
}

void json_end_object(struct json_writer *writer) {
  end_container(writer, STATE_OBJECT, '}');
}

void json_begin_array(struct json_writer *writer) {
  begin_container(writer, 0, '[');
}

void json_end_array(struct json_writer *writer) {
  end_container(writer, 0, ']');
}

void json_key(struct json_writer *writer, const char *key) {
  json_key_slice(writer, slice_from_cstr(key));
}

void json_key_slice(struct json_writer *writer, struct slice key) {
  uint8_t *state = &writer->state[writer->depth];
  ASSERT((*state & (STATE_OBJECT | STATE_KEY)) == STATE_OBJECT);
  if (*state & STATE_NONEMPTY) buffer_append_byte(writer->out, ',');
  *state |= STATE_NONEMPTY | STATE_KEY;
  append_string(writer->out, key);
  buffer_append_byte(writer->out, ':');
}

void json_write_string(struct json_writer *writer, struct slice text) {
  begin_value(writer);
  append_string(writer->out, text);
}

void json_write_cstr(struct json_writer *writer, const char *text) {
  if (!text) {
    json_write_null(writer);
    return;
  }
  json_write_string(writer, slice_from_cstr(text));
}

void json_write_i64(struct json_writer *writer, int64_t number) {
  begin_value(writer);
  buffer_printf(writer->out, "%jd", (intmax_t)number);
}

void json_write_u64(struct json_writer *writer, uint64_t number) {
  begin_value(writer);
  buffer_printf(writer->out, "%ju", (uintmax_t)number);
}

void json_write_double(struct json_writer *writer, double number) {
  begin_value(writer);
  if (isnan(number)) {
    buffer_append_cstr(writer->out, "\"NaN\"");
  } else if (isinf(number)) {
    buffer_append_cstr(writer->out, number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  } else {
    append_finite(writer->out, number, false);
  }
}

void json_write_bool(struct json_writer *writer, bool value) {
  begin_value(writer);
  buffer_append_cstr(writer->out, value ? "true" : "false");
}

void json_write_null(struct json_writer *writer) {
  begin_value(writer);
  buffer_append_cstr(writer->out, "null");
}

void json_write_raw(struct json_writer *writer, struct slice json) {
  begin_value(writer);
  buffer_append_slice(writer->out, json);
}

void json_write_parsed(struct json_writer *writer, struct json_value value) {
  begin_value(writer);
  json_write_value(writer->out, value);
}

static void append_scalar(struct buffer *out, struct json_value value) {
  switch (json_type_of(value)) {
  case JSON_BOOL: buffer_append_cstr(out, json_bool(value) ? "true" : "false"); break;
  case JSON_I64: buffer_printf(out, "%jd", (intmax_t)json_i64(value)); break;
  case JSON_U64: buffer_printf(out, "%ju", (uintmax_t)json_u64(value)); break;
  case JSON_DOUBLE: append_finite(out, json_double(value), true); break;
  case JSON_STRING: append_string(out, json_string(value)); break;
  default: buffer_append_cstr(out, "null"); break;
  }
}

void json_write_value(struct buffer *out, struct json_value value) {
  struct {
    struct json_iter iter;
    bool object;
    bool nonempty;
  } stack[JSON_DEPTH_MAX + 2];
  size_t depth = 0;
  for (;;) {
    enum json_type type = json_type_of(value);
    if (type == JSON_ARRAY || type == JSON_OBJECT) {
      ASSERT(depth < sizeof stack / sizeof *stack);
      buffer_append_byte(out, type == JSON_OBJECT ? '{' : '[');
      stack[depth].iter = json_iterate(value);
      stack[depth].object = type == JSON_OBJECT;
      stack[depth].nonempty = false;
      depth++;
    } else {
      append_scalar(out, value);
    }
    // The next value to write: of the innermost container that still has one; those that have none are closed.
    struct slice key;
    while (depth > 0) {
      bool object = stack[depth - 1].object;
      struct json_iter *iter = &stack[depth - 1].iter;
      if (object ? json_object_next(iter, &key, &value) : json_array_next(iter, &value)) break;
      buffer_append_byte(out, object ? '}' : ']');
      depth--;
    }
    if (depth == 0) return;
    if (stack[depth - 1].nonempty) buffer_append_byte(out, ',');
    stack[depth - 1].nonempty = true;
    if (stack[depth - 1].object) {
      append_string(out, key);
      buffer_append_byte(out, ':');
    }
  }
}
