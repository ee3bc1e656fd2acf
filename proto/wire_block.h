// SPDX-License-Identifier: Apache-2.0
//
// Comparing and judging short pieces of text that lie inside longer ones: 16 bytes at a time, reading beyond a piece
// that is shorter instead of going through it byte by byte. Pieces from 16 bytes on are read in blocks that overlap.
// The results do not depend on what lies behind the piece. Pure functions, any thread.
//
// The caller answers for WIRE_BLOCK_BYTES bytes being readable from the beginning of every piece.
#ifndef PROTO_WIRE_BLOCK_H
#define PROTO_WIRE_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/wire.h"

#define WIRE_BLOCK_BYTES 16u

#if defined(__SSE2__)
#include <emmintrin.h>

static inline __m128i wire_block_load(const uint8_t *at) {
  return _mm_loadu_si128((const __m128i *)(const void *)at);
}

static inline __m128i wire_block_same(const uint8_t *a, const uint8_t *b) {
  return _mm_cmpeq_epi8(wire_block_load(a), wire_block_load(b));
}

// Of 16 bits, the first n, fewer than 16.
static inline uint32_t wire_block_mask(size_t n) {
  return (1u << n) - 1;
}

static inline bool wire_block_equal(const uint8_t *a, const uint8_t *b, size_t len) {
  __m128i same = wire_block_same(a, b);
  uint32_t wanted = 0xffff;
  if (len < 16) {
    wanted = wire_block_mask(len);
  } else {
    for (size_t at = 16; at + 16 < len; at += 16) same = _mm_and_si128(same, wire_block_same(a + at, b + at));
    same = _mm_and_si128(same, wire_block_same(a + len - 16, b + len - 16));
  }
  return (~(uint32_t)_mm_movemask_epi8(same) & wanted) == 0;
}

static inline bool wire_block_is_ascii(const uint8_t *text, size_t len) {
  __m128i seen = wire_block_load(text);
  uint32_t wanted = 0xffff;
  if (len < 16) {
    wanted = wire_block_mask(len);
  } else {
    for (size_t at = 16; at + 16 < len; at += 16) seen = _mm_or_si128(seen, wire_block_load(text + at));
    seen = _mm_or_si128(seen, wire_block_load(text + len - 16));
  }
  return ((uint32_t)_mm_movemask_epi8(seen) & wanted) == 0;
}

#else

static inline bool wire_block_equal(const uint8_t *a, const uint8_t *b, size_t len) {
  return memcmp(a, b, len) == 0;
}

static inline bool wire_block_is_ascii(const uint8_t *text, size_t len) {
  return wire_is_ascii(slice_make(text, len));
}

#endif

#endif
