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
    if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i])) return false;
  }
  return true;
}

struct slice slice_trim(struct slice s) {
  while (s.len > 0 && ascii_is_space(s.ptr[0])) s = slice_skip(s, 1);
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
    uint64_t digit = (uint64_t)(s.ptr[i] - '0');
    if (value > (UINT64_MAX - digit) / 10) return false;
    value = value * 10 + digit;
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

// What a hex digit is worth, and one more: 0 for all other bytes.
static const uint8_t hex_digits[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16};

bool slice_from_hex(struct slice hex, uint8_t *out, size_t out_len) {
  if (hex.len % 2 != 0 || hex.len / 2 != out_len) return false;
  for (size_t i = 0; i < hex.len; i++) {
    if (hex_digits[hex.ptr[i]] == 0) return false;
  }
  for (size_t i = 0; i < out_len; i++) {
    out[i] = (uint8_t)((hex_digits[hex.ptr[2 * i]] - 1) << 4 | (hex_digits[hex.ptr[2 * i + 1]] - 1));
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
