// SPDX-License-Identifier: Apache-2.0
//
// The parts of slice.h that are more than a line. memchr and memmem of the C library do the searching.
#include "base/slice.h"

#include <string.h>

#include "base/utf8.h"

static uint8_t ascii_lower(uint8_t byte) {
  return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte | 0x20) : byte;
}

static bool ascii_is_space(uint8_t byte) {
  return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

size_t slice_find_byte(struct slice s, uint8_t byte) {
  if (s.len == 0) return 0;
  const uint8_t *found = memchr(s.ptr, byte, s.len);
  return found ? (size_t)(found - s.ptr) : s.len;
}

size_t slice_find(struct slice s, struct slice needle) {
  if (needle.len == 0) return 0;
  if (needle.len > s.len) return s.len + 1;
  const uint8_t *found = memmem(s.ptr, s.len, needle.ptr, needle.len);
  return found ? (size_t)(found - s.ptr) : s.len + 1;
}

bool slice_equal_ignore_case(struct slice a, struct slice b) {
  if (a.len != b.len) return false;
  for (size_t i = 0; i < a.len; i++) {
    if (a.ptr[i] != b.ptr[i] && ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i])) return false;
  }
  return true;
}

struct slice slice_trim(struct slice s) {
  for (; s.len > 0 && ascii_is_space(s.ptr[0]); s.len--) s.ptr++;
  while (s.len > 0 && ascii_is_space(s.ptr[s.len - 1])) s.len--;
  return s;
}

int slice_compare(struct slice a, struct slice b) {
  size_t common = a.len < b.len ? a.len : b.len;
  int order = common > 0 ? memcmp(a.ptr, b.ptr, common) : 0;
  if (order != 0) return order;
  return (a.len > b.len) - (a.len < b.len);
}

bool slice_to_u64(struct slice s, uint64_t *out_value) {
  uint64_t value = 0;
  if (s.len == 0) return false;
  for (size_t i = 0; i < s.len; i++) {
    if (s.ptr[i] < '0' || s.ptr[i] > '9') return false;
    if (__builtin_mul_overflow(value, 10, &value)) return false;
    if (__builtin_add_overflow(value, (uint64_t)(s.ptr[i] - '0'), &value)) return false;
  }
  *out_value = value;
  return true;
}

void slice_to_hex(struct slice s, char *out_hex) {
  static const char digits[] = "0123456789abcdef";
  for (size_t i = 0; i < s.len; i++) {
    out_hex[2 * i] = digits[s.ptr[i] >> 4];
    out_hex[2 * i + 1] = digits[s.ptr[i] & 15];
  }
}

// What a hex digit is worth, with a bit that all other bytes lack.
#define HEX_DIGIT 16
static const uint8_t hex_digits[256] = {
    ['0'] = 16, ['1'] = 17, ['2'] = 18, ['3'] = 19, ['4'] = 20, ['5'] = 21, ['6'] = 22, ['7'] = 23,
    ['8'] = 24, ['9'] = 25, ['a'] = 26, ['b'] = 27, ['c'] = 28, ['d'] = 29, ['e'] = 30, ['f'] = 31,
    ['A'] = 26, ['B'] = 27, ['C'] = 28, ['D'] = 29, ['E'] = 30, ['F'] = 31};

bool slice_from_hex(struct slice hex, uint8_t *out, size_t out_len) {
  if (hex.len % 2 != 0 || hex.len / 2 != out_len) return false;
  uint8_t all = HEX_DIGIT;
  for (size_t i = 0; i < hex.len; i++) all &= hex_digits[hex.ptr[i]];
  if (!all) return false;
  for (size_t i = 0; i < out_len; i++) {
    uint8_t high = hex_digits[hex.ptr[2 * i]], low = hex_digits[hex.ptr[2 * i + 1]];
    out[i] = (uint8_t)(high << 4 | (low & 15)); // the bit falls out
  }
  return true;
}

bool slice_is_utf8(struct slice s) {
  size_t at = 0;
  while (at < s.len) {
    uint64_t word;
    if (s.len - at >= sizeof word) {
      memcpy(&word, s.ptr + at, sizeof word);
      if ((word & UINT64_C(0x8080808080808080)) == 0) {
        at += sizeof word;
        continue;
      }
    }
    bool valid;
    at += utf8_step(s, at, &valid);
    if (!valid) return false;
  }
  return true;
}
