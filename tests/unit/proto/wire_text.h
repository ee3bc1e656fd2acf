// SPDX-License-Identifier: Apache-2.0
//
// Messages written by hand in tests, field by field, the way one would draw them:
//
//   FIELD(1, FIELD(2, FIELD(2, text(5, "GET /"), number(6, 2))))
//
// Everything lives in one scratch arena per test program; call wire_text_reset between tests.
#ifndef TESTS_WIRE_TEXT_H
#define TESTS_WIRE_TEXT_H

#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "proto/wire.h"

static struct arena wire_text_arena;

static inline void wire_text_reset(void) {
  if (wire_text_arena.max_bytes == 0) arena_init(&wire_text_arena, (size_t)256 << 20);
  arena_reset(&wire_text_arena);
}

static inline void wire_text_finish(void) {
  if (wire_text_arena.max_bytes != 0) arena_finish(&wire_text_arena);
  wire_text_arena.max_bytes = 0;
}

static inline struct slice wire_text_keep(struct buffer *buffer) {
  ASSERT(!buffer->failed);
  struct slice copy = arena_copy(&wire_text_arena, buffer_slice(buffer));
  ASSERT(copy.ptr);
  buffer_finish(buffer);
  return copy;
}

// The parts one after the other.
static inline struct slice join(const struct slice *parts, size_t count) {
  struct buffer out;
  buffer_init(&out, (size_t)64 << 20);
  for (size_t i = 0; i < count; i++) buffer_append_slice(&out, parts[i]);
  return wire_text_keep(&out);
}
#define JOIN(...)                                                                                                      \
  join((const struct slice[]){__VA_ARGS__}, sizeof((const struct slice[]){__VA_ARGS__}) / sizeof(struct slice))

static inline struct slice bytes(uint32_t field, struct slice content) {
  struct buffer out;
  buffer_init(&out, (size_t)64 << 20);
  wire_put_bytes_field(&out, field, content);
  return wire_text_keep(&out);
}
// A length-delimited field holding these fields.
#define FIELD(number, ...)  bytes((number), JOIN(__VA_ARGS__))
#define EMPTY_FIELD(number) bytes((number), slice_make(NULL, 0))

static inline struct slice text(uint32_t field, const char *content) {
  return bytes(field, slice_from_cstr(content));
}

static inline struct slice number(uint32_t field, uint64_t value) {
  struct buffer out;
  buffer_init(&out, 64);
  wire_put_varint_field(&out, field, value);
  return wire_text_keep(&out);
}

static inline struct slice fixed64(uint32_t field, uint64_t value) {
  struct buffer out;
  buffer_init(&out, 64);
  wire_put_fixed64_field(&out, field, value);
  return wire_text_keep(&out);
}

static inline struct slice fixed32(uint32_t field, uint32_t value) {
  struct buffer out;
  buffer_init(&out, 64);
  wire_put_fixed32_field(&out, field, value);
  return wire_text_keep(&out);
}

static inline struct slice real(uint32_t field, double value) {
  uint64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return fixed64(field, bits);
}

// A KeyValue with a string value, as an attribute in `field`.
static inline struct slice attribute(uint32_t field, const char *key, const char *value) {
  return FIELD(field, text(1, key), FIELD(2, text(1, value)));
}

#define TRACE_ID SLICE_LITERAL("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10")
#define SPAN_ID  SLICE_LITERAL("\x11\x12\x13\x14\x15\x16\x17\x18")

#endif
