// SPDX-License-Identifier: Apache-2.0
//
// The protobuf wire format (protobuf "Encoding"): readers over borrowed bytes and writers into a buffer.
//
// Readers take the position and the end of a message and return the position behind what they read, or NULL when it is
// malformed or reaches beyond the end; outputs are untouched then. They never read at or behind `end`. Varints have at
// most 10 bytes (tags and lengths 5), groups are malformed, bits of a varint over 64 are dropped as every
// implementation does. Pure functions, any thread.
#ifndef PROTO_WIRE_H
#define PROTO_WIRE_H

#include <endian.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/buffer.h"
#include "base/slice.h"

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

// Behind the last byte; an empty slice may have a NULL pointer, to which nothing can be added.
static inline const uint8_t *wire_end(struct slice message) {
  return message.len ? message.ptr + message.len : message.ptr;
}

// A tag is (field number << 3) | wire type. Usable in case labels.
#define WIRE_TAG(field, type) (((uint32_t)(field) << 3) | (uint32_t)(type))
#define WIRE_VARINT_BYTES_MAX 10

// The general forms behind the fast paths below.
const uint8_t *wire_varint_long(const uint8_t *at, const uint8_t *end, uint64_t *out_value);
const uint8_t *wire_tag_long(const uint8_t *at, const uint8_t *end, uint32_t *out_tag);
const uint8_t *wire_length_long(const uint8_t *at, const uint8_t *end, size_t *out_len);

static inline const uint8_t *wire_varint(const uint8_t *at, const uint8_t *end, uint64_t *out_value) {
  if (at == end || *at >= 0x80) return wire_varint_long(at, end, out_value);
  *out_value = *at;
  return at + 1;
}

// The low 32 bits, as for uint32, int32 and enum fields.
static inline const uint8_t *wire_varint32(const uint8_t *at, const uint8_t *end, uint32_t *out_value) {
  uint64_t value;
  at = wire_varint(at, end, &value);
  if (at) *out_value = (uint32_t)value;
  return at;
}

// Field number 0 is malformed.
static inline const uint8_t *wire_tag(const uint8_t *at, const uint8_t *end, uint32_t *out_tag) {
  if (at == end || *at >= 0x80 || *at < 8) return wire_tag_long(at, end, out_tag);
  *out_tag = *at;
  return at + 1;
}

// Length and content of a length-delimited field.
static inline const uint8_t *wire_bytes(const uint8_t *at, const uint8_t *end, struct slice *out_content) {
  size_t len;
  if (at != end && *at < 0x80) {
    len = *at++;
  } else if (end - at >= 2 && at[1] < 0x80) { // of a whole span
    len = (size_t)(at[0] & 0x7f) | (size_t)at[1] << 7;
    at += 2;
  } else {
    at = wire_length_long(at, end, &len);
    if (!at) return NULL;
  }
  if (len > (size_t)(end - at)) return NULL;
  *out_content = slice_make(at, len);
  return at + len;
}

static inline const uint8_t *wire_fixed64(const uint8_t *at, const uint8_t *end, uint64_t *out_value) {
  uint64_t value;
  if (end - at < 8) return NULL;
  memcpy(&value, at, sizeof value);
  *out_value = le64toh(value);
  return at + 8;
}

static inline const uint8_t *wire_fixed32(const uint8_t *at, const uint8_t *end, uint32_t *out_value) {
  uint32_t value;
  if (end - at < 4) return NULL;
  memcpy(&value, at, sizeof value);
  *out_value = le32toh(value);
  return at + 4;
}

// The payload of a field with this tag, whatever it is.
const uint8_t *wire_skip(const uint8_t *at, const uint8_t *end, uint32_t tag);

// True when no byte has its high bit set. Keys and most values are short ASCII: 8 bytes at a time, 32 in long ones.
static inline bool wire_is_ascii(struct slice text) {
  const uint64_t high = UINT64_C(0x8080808080808080);
  const uint8_t *at = text.ptr;
  size_t len = text.len;
  uint64_t word[4];
  while (len >= 32) {
    memcpy(word, at, 32);
    if ((word[0] | word[1] | word[2] | word[3]) & high) return false;
    at += 32;
    len -= 32;
  }
  uint64_t seen = 0;
  for (; len >= 8; at += 8, len -= 8) {
    memcpy(word, at, 8);
    seen |= word[0];
  }
  if (len >= 4) {
    uint32_t first, last; // they overlap
    memcpy(&first, at, 4);
    memcpy(&last, at + len - 4, 4);
    seen |= first | last;
  } else if (len > 0) {
    seen |= (uint64_t)at[0] | at[len / 2] | at[len - 1];
  }
  return (seen & high) == 0;
}

static inline bool wire_is_utf8(struct slice text) {
  return wire_is_ascii(text) || slice_is_utf8(text);
}

// Writers. Overflow is seen in out->failed.
void wire_put_varint(struct buffer *out, uint64_t value);
void wire_put_tag(struct buffer *out, uint32_t field, enum wire_type type);
void wire_put_varint_field(struct buffer *out, uint32_t field, uint64_t value);
void wire_put_fixed64_field(struct buffer *out, uint32_t field, uint64_t value);
void wire_put_fixed32_field(struct buffer *out, uint32_t field, uint32_t value);
void wire_put_bytes_field(struct buffer *out, uint32_t field, struct slice content);
size_t wire_varint_bytes(uint64_t value);

// A length-delimited field whose length is known only when its content has been written. Open it, append the content,
// close it. expected_len is a guess: when the length has another number of digits, the content is moved.
struct wire_open_field {
  size_t start;   // of the tag; out->len = start takes the field back
  size_t digits;  // bytes left free for the length
  size_t content; // behind them
};
// False (and out->failed) when `out` is full.
bool wire_open(struct buffer *out, uint32_t field, size_t expected_len, struct wire_open_field *open);
bool wire_close(struct buffer *out, const struct wire_open_field *open);

#endif
