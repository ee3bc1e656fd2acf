// SPDX-License-Identifier: Apache-2.0
//
// The writing half of json.h. The writer keeps one byte of state per open container, enough to know whether a comma or
// a key is due. Parsed values are written in one pass over the words of their tape (json.cpp draws it), which lie in
// the order of the text. Strings are copied first and looked at while they are copied; only those that turn out to have
// something to escape are written again, byte by byte.
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

static inline uint64_t eight(const uint8_t *from) {
  uint64_t word;
  memcpy(&word, from, sizeof word);
  return word;
}

static inline uint64_t four(const uint8_t *from) {
  uint32_t word;
  memcpy(&word, from, sizeof word);
  return word;
}

// Is one of eight bytes below 0x20, above 0x7e, a quote or a backslash? Subtracting and XOR-ing move each of these into
// the byte's top bit.
static inline bool has_special(uint64_t word) {
  static const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
  uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
  return (((word - ones * 0x20) | (word + ones) | (quote - ones) | (backslash - ones) | word) & tops) != 0;
}

// How many bytes from `at` on stand for themselves.
static size_t plain_run(struct slice text, size_t at) {
  size_t run = at;
  while (run + 8 <= text.len && !has_special(eight(text.ptr + run))) run += 8;
  while (run < text.len && is_plain(text.ptr[run])) run++;
  return run - at;
}

typedef uint8_t block __attribute__((vector_size(16)));
typedef int8_t signed_block __attribute__((vector_size(16)));

// Copies sixteen bytes; returns a block that is zero where they stand for themselves. One more than each byte below
// 0x20 or above 0x7e is, with a sign, below 0x21.
static inline block copy_block(uint8_t *to, const uint8_t *from) {
  block bytes;
  memcpy(&bytes, from, sizeof bytes);
  memcpy(to, &bytes, sizeof bytes);
  return (block)((signed_block)(bytes + 1) < 0x21) | (block)(bytes == '"') | (block)(bytes == '\\');
}

static inline bool is_zero(block bytes) {
  uint64_t halves[2];
  memcpy(halves, &bytes, sizeof halves);
  return (halves[0] | halves[1]) == 0;
}

// Copies len < 16 bytes: in two halves that may overlap.
static inline void copy_short(uint8_t *to, const uint8_t *from, size_t len) {
  if (len >= 8) {
    memcpy(to, from, 8);
    memcpy(to + len - 8, from + len - 8, 8);
  } else if (len >= 4) {
    memcpy(to, from, 4);
    memcpy(to + len - 4, from + len - 4, 4);
  } else if (len > 0) {
    to[0] = from[0];
    to[len / 2] = from[len / 2];
    to[len - 1] = from[len - 1];
  }
}

// Do len < 16 bytes stand for themselves?
static inline bool is_plain_short(const uint8_t *text, size_t len) {
  if (len >= 8) return !has_special(eight(text)) && !has_special(eight(text + len - 8));
  if (len >= 4) return !has_special(four(text) << 32 | four(text + len - 4));
  return len == 0 || (is_plain(text[0]) && is_plain(text[len / 2]) && is_plain(text[len - 1]));
}

// Copies the text; true when it stands for itself.
static inline bool copy_plain(uint8_t *to, struct slice text) {
  if (text.len < sizeof(block)) {
    copy_short(to, text.ptr, text.len);
    return is_plain_short(text.ptr, text.len);
  }
  const size_t last = text.len - sizeof(block);
  block special = copy_block(to + last, text.ptr + last);
  for (size_t i = 0; i < last; i += sizeof(block)) special |= copy_block(to + i, text.ptr + i);
  return is_zero(special);
}

// Not inline: it is rare, and would make room on the stack where nearly all strings need none.
__attribute__((noinline)) static void append_escaped(struct buffer *out, struct slice text) {
  size_t written = 0;
  for (size_t at = plain_run(text, 0); at < text.len; at += plain_run(text, at)) {
    bool valid = true;
    const size_t step = text.ptr[at] < 0x80 ? 1 : utf8_step(text, at, &valid);
    if (text.ptr[at] >= 0x80 && valid) {
      at += step;
      continue;
    }
    buffer_append_slice(out, slice_sub(text, written, at - written));
    if (valid)
      append_control(out, text.ptr[at]);
    else
      buffer_append_slice(out, UTF8_REPLACEMENT);
    at += step;
    written = at;
  }
  buffer_append_slice(out, slice_skip(text, written));
}

// append_string where the room is not there yet, or something is to be escaped. Not inline for the same reason.
__attribute__((noinline)) static void append_string_slowly(struct buffer *out, bool comma, struct slice text,
                                                           bool colon) {
  const size_t before = out->len;
  uint8_t *to = buffer_reserve(out, text.len + 2 + comma + colon);
  if (!to) return;
  if (comma) *to++ = ',';
  *to++ = '"';
  if (copy_plain(to, text)) {
    to += text.len;
    *to++ = '"';
    if (colon) *to++ = ':';
    out->len = (size_t)(to - out->ptr);
    return;
  }
  out->len = before + comma + 1;
  append_escaped(out, text);
  buffer_append_byte(out, '"');
  if (colon) buffer_append_byte(out, ':');
}

// The text in quotes, with a comma before it and a colon behind it where they are wanted.
static void append_string(struct buffer *out, bool comma, struct slice text, bool colon) {
  if (out->capacity - out->len >= text.len + 4) {
    uint8_t *to = out->ptr + out->len;
    *to = ',';
    to += comma;
    *to++ = '"';
    if (copy_plain(to, text)) { // nearly always: nothing to escape
      to += text.len;
      *to++ = '"';
      *to = ':';
      out->len = (size_t)(to + colon - out->ptr);
      return;
    }
  }
  append_string_slowly(out, comma, text, colon);
}

static void append_u64(struct buffer *out, bool negative, uint64_t number) {
  uint8_t text[24];
  uint8_t *from = text + sizeof text;
  do {
    *--from = (uint8_t)('0' + number % 10);
    number /= 10;
  } while (number > 0);
  if (negative) *--from = '-';
  buffer_append(out, from, (size_t)(text + sizeof text - from));
}

static void append_i64(struct buffer *out, int64_t number) {
  append_u64(out, number < 0, number < 0 ? -(uint64_t)number : (uint64_t)number);
}

// A number of at most 15 digits, six of them behind the point, as times are; false for others. What has no more digits
// than that is told apart by a double, so that the division shows that these are the number's.
static bool append_decimal(struct buffer *out, double number) {
  static const double scales[] = {1, 10, 100, 1000, 10000, 100000, 1000000};
  const double size = fabs(number);
  if (!(size >= 1e-3 && size < 1e9)) return false;
  size_t places = 0;
  uint64_t digits = (uint64_t)size;
  while ((double)digits / scales[places] != size) {
    if (++places == sizeof scales / sizeof *scales) return false;
    digits = (uint64_t)(size * scales[places] + 0.5);
  }
  const uint64_t scale = (uint64_t)scales[places];
  append_u64(out, number < 0, digits / scale);
  if (places == 0) return true;
  uint8_t fraction[8] = ".";
  uint64_t rest = digits % scale;
  for (size_t i = places; i > 0; i--, rest /= 10) fraction[i] = (uint8_t)('0' + rest % 10);
  buffer_append(out, fraction, places + 1);
  return true;
}

// The shortest of 15, 16 and 17 digits that reads back the same. number is finite.
static void append_finite(struct buffer *out, double number, bool keep_double) {
  char text[40];
  int len = 0;
  bool looks_integer = number == trunc(number);
  if (!append_decimal(out, number)) {
    for (int digits = 15; digits <= 17; digits++) {
      len = snprintf(text, sizeof text, "%.*g", digits, number);
      if (strtod(text, NULL) == number) break;
    }
    buffer_append(out, text, (size_t)len);
    looks_integer = strpbrk(text, ".e") == NULL;
  }
  if (looks_integer && (keep_double || (number == 0 && signbit(number)))) buffer_append_cstr(out, ".0");
}

// Begins a value, which is allowed here; is a comma due before it?
static inline bool begin_value(struct json_writer *writer) {
  uint8_t *state = &writer->state[writer->depth];
  if (*state & STATE_OBJECT) {
    ASSERT(*state & STATE_KEY);
    *state &= (uint8_t)~STATE_KEY;
    return false;
  }
  ASSERT(writer->depth > 0 || !(*state & STATE_NONEMPTY));
  const bool comma = *state & STATE_NONEMPTY;
  *state |= STATE_NONEMPTY;
  return comma;
}

static void put_comma(struct json_writer *writer) {
  if (begin_value(writer)) buffer_append_byte(writer->out, ',');
}

static void begin_container(struct json_writer *writer, uint8_t state, uint8_t brace) {
  put_comma(writer);
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
  writer->out = out;
  writer->depth = 0;
  writer->state[0] = 0; // those above when they are reached
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

void json_key_slice(struct json_writer *writer, struct slice key) {
  uint8_t *state = &writer->state[writer->depth];
  ASSERT((*state & (STATE_OBJECT | STATE_KEY)) == STATE_OBJECT);
  const bool comma = *state & STATE_NONEMPTY;
  *state |= STATE_NONEMPTY | STATE_KEY;
  append_string(writer->out, comma, key, true);
}

void json_key_plain(struct json_writer *writer, struct slice key) {
  uint8_t *state = &writer->state[writer->depth];
  struct buffer *out = writer->out;
  ASSERT((*state & (STATE_OBJECT | STATE_KEY)) == STATE_OBJECT);
  const bool comma = *state & STATE_NONEMPTY;
  *state |= STATE_NONEMPTY | STATE_KEY;
  if (key.len >= sizeof(block) || out->capacity - out->len < key.len + 4) {
    append_string(out, comma, key, true);
    return;
  }
  uint8_t *to = out->ptr + out->len;
  *to = ',';
  to += comma;
  *to++ = '"';
  copy_short(to, key.ptr, key.len);
  memcpy(to + key.len, "\":", 2);
  out->len += comma + 1 + key.len + 2;
}

void json_write_string(struct json_writer *writer, struct slice text) {
  append_string(writer->out, begin_value(writer), text, false);
}

void json_write_cstr(struct json_writer *writer, const char *text) {
  if (!text) {
    json_write_null(writer);
    return;
  }
  json_write_string(writer, slice_from_cstr(text));
}

void json_write_i64(struct json_writer *writer, int64_t number) {
  put_comma(writer);
  append_i64(writer->out, number);
}

void json_write_u64(struct json_writer *writer, uint64_t number) {
  put_comma(writer);
  append_u64(writer->out, false, number);
}

void json_write_double(struct json_writer *writer, double number) {
  put_comma(writer);
  if (isnan(number)) {
    buffer_append_cstr(writer->out, "\"NaN\"");
  } else if (isinf(number)) {
    buffer_append_cstr(writer->out, number > 0 ? "\"Infinity\"" : "\"-Infinity\"");
  } else {
    append_finite(writer->out, number, false);
  }
}

void json_write_bool(struct json_writer *writer, bool value) {
  put_comma(writer);
  buffer_append_cstr(writer->out, value ? "true" : "false");
}

void json_write_null(struct json_writer *writer) {
  put_comma(writer);
  buffer_append_cstr(writer->out, "null");
}

void json_write_raw(struct json_writer *writer, struct slice json) {
  put_comma(writer);
  buffer_append_slice(writer->out, json);
}

void json_write_parsed(struct json_writer *writer, struct json_value value) {
  put_comma(writer);
  json_write_value(writer->out, value);
}

// Neither a string of the tape nor a container.
static void append_other(struct buffer *out, struct json_value value) {
  switch (json_type_of(value)) {
  case JSON_STRING: append_string(out, false, json_string(value), false); break;
  case JSON_BOOL: buffer_append_cstr(out, json_bool(value) ? "true" : "false"); break;
  case JSON_I64: append_i64(out, json_i64(value)); break;
  case JSON_U64: append_u64(out, false, json_u64(value)); break;
  case JSON_DOUBLE: append_finite(out, json_double(value), true); break;
  default: buffer_append_cstr(out, "null"); break;
  }
}

// Where in a buffer the next byte goes. What does not go the short way is appended to the buffer, which pen_lift and
// pen_set stand around.
struct pen {
  uint8_t *to, *limit;
};

static inline void pen_lift(const struct pen *pen, struct buffer *out) {
  if (pen->to) out->len = (size_t)(pen->to - out->ptr);
}

static inline struct pen pen_set(const struct buffer *out) {
  if (!out->ptr) return (struct pen){NULL, NULL};
  return (struct pen){out->ptr + out->len, out->ptr + out->capacity};
}

static inline void put_byte(struct pen *pen, struct buffer *out, char byte) {
  if (pen->to == pen->limit) {
    pen_lift(pen, out);
    buffer_append_byte(out, (uint8_t)byte);
    *pen = pen_set(out);
    return;
  }
  *pen->to++ = (uint8_t)byte;
}

// Like append_string, of a string of the tape, behind which there are bytes that may be read: whole blocks are copied,
// and what of the last one is not in the string is not looked at. False, and nothing is put, when there is no room or
// something to escape.
static inline bool put_parsed(struct pen *pen, bool comma, struct slice text, bool colon) {
  static const uint8_t inside[2 * sizeof(block)] = {255, 255, 255, 255, 255, 255, 255, 255,
                                                    255, 255, 255, 255, 255, 255, 255, 255};
  static_assert(sizeof(block) <= JSON_STRING_PADDING, "the last block may be read");
  if ((size_t)(pen->limit - pen->to) < text.len + sizeof(block) + 4) return false;
  uint8_t *to = pen->to;
  block special = {0}, mask;
  size_t at = 0;
  *to = ',';
  to += comma;
  *to++ = '"';
  for (; at + sizeof(block) < text.len; at += sizeof(block)) special |= copy_block(to + at, text.ptr + at);
  memcpy(&mask, inside + sizeof(block) - (text.len - at), sizeof mask);
  special |= copy_block(to + at, text.ptr + at) & mask;
  if (!is_zero(special)) return false;
  to += text.len;
  to[0] = '"';
  to[1] = ':';
  pen->to = to + 1 + colon;
  return true;
}

void json_write_value(struct buffer *out, struct json_value value) {
  bool objects[JSON_DEPTH_MAX + 1]; // of the containers around the innermost one: is it an object, else an array
  size_t depth = 0;
  bool is_object = false;          // the innermost one
  bool comma = false, key = false; // is a comma due; is what comes a key
  if (!json_is_present(value)) {
    buffer_append_cstr(out, "null");
    return;
  }
  const struct json_tape tape = *value.document;
  const uint64_t end = json_tape_behind(&tape, value.index);
  struct pen pen = pen_set(out);
  while (value.index < end) {
    const uint64_t word = tape.words[value.index];
    const char mark = json_tape_mark(word);
    if (mark == '"') {
      if (!put_parsed(&pen, comma, json_tape_string(&tape, word), key)) {
        pen_lift(&pen, out);
        append_string(out, comma, json_string(value), key);
        pen = pen_set(out);
      }
      value.index++;
      comma = !key;
      key = comma && is_object;
      continue;
    }
    if (mark == '}' || mark == ']') {
      put_byte(&pen, out, mark);
      is_object = objects[--depth];
      value.index++;
    } else {
      if (comma) put_byte(&pen, out, ',');
      if (mark == '{' || mark == '[') {
        ASSERT(depth < sizeof objects / sizeof *objects);
        put_byte(&pen, out, mark);
        objects[depth++] = is_object;
        is_object = key = mark == '{';
        comma = false;
        value.index++;
        continue;
      }
      pen_lift(&pen, out);
      append_other(out, value);
      pen = pen_set(out);
      value.index = json_tape_behind(&tape, value.index);
    }
    comma = true;
    key = is_object;
  }
  pen_lift(&pen, out);
}

const uint8_t json_tape_types[256] = {
    ['['] = JSON_ARRAY, ['{'] = JSON_OBJECT, ['"'] = JSON_STRING, [JSON_TAPE_REPLACED] = JSON_STRING,
    ['l'] = JSON_I64,   ['u'] = JSON_U64,    ['d'] = JSON_DOUBLE, ['t'] = JSON_BOOL,
    ['f'] = JSON_BOOL,
};
const uint8_t json_tape_lengths[256] = {['"'] = 1, ['t'] = 1, ['f'] = 1, ['n'] = 1, ['l'] = 2, ['u'] = 2, ['d'] = 2};
