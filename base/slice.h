// SPDX-License-Identifier: Apache-2.0
//
// A borrowed run of bytes: pointer and length, by value. Never NUL-dependent; whoever hands one out says in its header
// whose memory it is and how long it stays. A slice with len 0 may have any ptr, NULL included.
#ifndef BASE_SLICE_H
#define BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
  const uint8_t *ptr;
  size_t len;
};

// The bytes of a string literal, without its NUL.
#define SLICE_LITERAL(text) ((struct slice){(const uint8_t *)(text), sizeof(text) - 1})
// For printf's "%.*s".
#define SLICE_PRINTF(s) (int)((s).len), (const char *)((s).ptr)

static inline struct slice slice_make(const void *ptr, size_t len) {
  struct slice s = {(const uint8_t *)ptr, len}; // no compound literal: C++ includes this too
  return s;
}

static inline struct slice slice_from_cstr(const char *text) {
  return slice_make(text, text ? strlen(text) : 0);
}

static inline struct slice slice_sub(struct slice s, size_t from, size_t len) {
  if (from > s.len) from = s.len;
  if (len > s.len - from) len = s.len - from;
  return slice_make(s.ptr ? s.ptr + from : NULL, len);
}

static inline struct slice slice_skip(struct slice s, size_t n) {
  return slice_sub(s, n, s.len);
}

static inline bool slice_equal(struct slice a, struct slice b) {
  return a.len == b.len && (a.len == 0 || memcmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_equal_cstr(struct slice a, const char *text) {
  return slice_equal(a, slice_from_cstr(text));
}

static inline bool slice_starts_with(struct slice s, struct slice prefix) {
  return s.len >= prefix.len && slice_equal(slice_sub(s, 0, prefix.len), prefix);
}

static inline bool slice_ends_with(struct slice s, struct slice suffix) {
  return s.len >= suffix.len && slice_equal(slice_skip(s, s.len - suffix.len), suffix);
}

// Position of the first `byte`, or s.len when there is none.
size_t slice_find_byte(struct slice s, uint8_t byte);
// Position of the first occurrence of `needle` (an empty needle is found at 0), or s.len + 1 when there is none.
size_t slice_find(struct slice s, struct slice needle);
// ASCII case is ignored, other bytes compare as they are.
bool slice_equal_ignore_case(struct slice a, struct slice b);
// Without ASCII white space (space, \t, \r, \n, \v, \f) at either end.
struct slice slice_trim(struct slice s);
// memcmp order, a prefix first: <0, 0, >0.
int slice_compare(struct slice a, struct slice b);
// Decimal digits only, the whole slice, no sign; false on anything else or overflow.
bool slice_to_u64(struct slice s, uint64_t *out_value);
// Writes 2 * s.len lower-case hex digits and no NUL.
void slice_to_hex(struct slice s, char *out_hex);
// Hex digits of either case to bytes; hex.len must be 2 * out_len, else false. `out` is untouched on failure.
bool slice_from_hex(struct slice hex, uint8_t *out, size_t out_len);
// True when the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms, at most U+10FFFF).
bool slice_is_utf8(struct slice s);

#endif
