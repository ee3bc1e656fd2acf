// SPDX-License-Identifier: Apache-2.0
//
// A varint is 7 bits a byte, least significant first, high bit set on every byte but the last. The one-byte cases are
// inline in wire.h; everything here is what is left.
#include "proto/wire.h"

const uint8_t *wire_varint_long(const uint8_t *at, const uint8_t *end, uint64_t *out_value) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 7 * WIRE_VARINT_BYTES_MAX && at != end; shift += 7) {
    uint8_t byte = *at++;
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) {
      *out_value = value;
      return at;
    }
  }
  return NULL;
}

// At most 5 bytes and 32 bits.
static const uint8_t *varint_5(const uint8_t *at, const uint8_t *end, uint32_t *out_value) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 35 && at != end; shift += 7) {
    uint8_t byte = *at++;
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) {
      if (value > UINT32_MAX) return NULL;
      *out_value = (uint32_t)value;
      return at;
    }
  }
  return NULL;
}

const uint8_t *wire_tag_long(const uint8_t *at, const uint8_t *end, uint32_t *out_tag) {
  uint32_t tag;
  at = varint_5(at, end, &tag);
  if (!at || tag < 8) return NULL;
  *out_tag = tag;
  return at;
}

const uint8_t *wire_length_long(const uint8_t *at, const uint8_t *end, size_t *out_len) {
  uint32_t len;
  at = varint_5(at, end, &len);
  if (!at || len > INT32_MAX) return NULL;
  *out_len = len;
  return at;
}

const uint8_t *wire_skip(const uint8_t *at, const uint8_t *end, uint32_t tag) {
  uint64_t value64;
  uint32_t value32;
  struct slice content;
  switch (tag & 7) {
  case WIRE_VARINT: return wire_varint(at, end, &value64);
  case WIRE_FIXED64: return wire_fixed64(at, end, &value64);
  case WIRE_BYTES: return wire_bytes(at, end, &content);
  case WIRE_FIXED32: return wire_fixed32(at, end, &value32);
  default: return NULL;
  }
}

size_t wire_varint_bytes(uint64_t value) {
  size_t bytes = 1;
  while (value >= 0x80) {
    value >>= 7;
    bytes++;
  }
  return bytes;
}

// Into memory that is large enough; behind it.
static uint8_t *write_varint(uint8_t *at, uint64_t value) {
  while (value >= 0x80) {
    *at++ = (uint8_t)(value | 0x80);
    value >>= 7;
  }
  *at++ = (uint8_t)value;
  return at;
}

void wire_put_varint(struct buffer *out, uint64_t value) {
  const size_t len = wire_varint_bytes(value);
  uint8_t *at = buffer_reserve(out, len);
  if (!at) return;
  write_varint(at, value);
  out->len += len;
}

void wire_put_tag(struct buffer *out, uint32_t field, enum wire_type type) {
  wire_put_varint(out, WIRE_TAG(field, type));
}

void wire_put_varint_field(struct buffer *out, uint32_t field, uint64_t value) {
  wire_put_tag(out, field, WIRE_VARINT);
  wire_put_varint(out, value);
}

void wire_put_fixed64_field(struct buffer *out, uint32_t field, uint64_t value) {
  uint8_t bytes[8];
  for (unsigned i = 0; i < 8; i++) bytes[i] = (uint8_t)(value >> (8 * i));
  wire_put_tag(out, field, WIRE_FIXED64);
  buffer_append(out, bytes, sizeof bytes);
}

void wire_put_fixed32_field(struct buffer *out, uint32_t field, uint32_t value) {
  uint8_t bytes[4];
  for (unsigned i = 0; i < 4; i++) bytes[i] = (uint8_t)(value >> (8 * i));
  wire_put_tag(out, field, WIRE_FIXED32);
  buffer_append(out, bytes, sizeof bytes);
}

void wire_put_bytes_field(struct buffer *out, uint32_t field, struct slice content) {
  const uint32_t tag = WIRE_TAG(field, WIRE_BYTES);
  const size_t len = wire_varint_bytes(tag) + wire_varint_bytes(content.len) + content.len;
  uint8_t *at = buffer_reserve(out, len);
  if (!at) return;
  at = write_varint(at, tag);
  at = write_varint(at, content.len);
  if (content.len > 0) memcpy(at, content.ptr, content.len);
  out->len += len;
}

bool wire_open(struct buffer *out, uint32_t field, size_t expected_len, struct wire_open_field *open) {
  open->start = out->len;
  wire_put_tag(out, field, WIRE_BYTES);
  open->digits = wire_varint_bytes(expected_len);
  if (!buffer_reserve(out, open->digits)) return false;
  out->len += open->digits;
  open->content = out->len;
  return !out->failed;
}

bool wire_close(struct buffer *out, const struct wire_open_field *open) {
  if (out->failed) return false;
  const size_t len = out->len - open->content, digits = wire_varint_bytes(len);
  const size_t length_at = open->content - open->digits;
  if (digits > open->digits && !buffer_reserve(out, digits - open->digits)) return false;
  if (digits != open->digits) memmove(out->ptr + length_at + digits, out->ptr + open->content, len);
  out->len = length_at;
  wire_put_varint(out, len);
  out->len += len;
  return true;
}
