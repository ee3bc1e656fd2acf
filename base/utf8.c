// SPDX-License-Identifier: Apache-2.0
//
// The table of well-formed byte sequences (Unicode 15, table 3-7) as code: the first byte gives the length and the
// range of the second byte; every further byte is 80..BF. The narrowed second ranges exclude overlong forms (E0, F0),
// surrogates (ED) and what lies beyond U+10FFFF (F4).
#include "base/utf8.h"

size_t utf8_step(struct slice s, size_t at, bool *out_valid) {
  const uint8_t *p = s.ptr + at;
  size_t left = s.len - at;
  uint8_t first = p[0];
  *out_valid = true;
  if (first < 0x80) return 1;

  size_t length = 0;
  uint8_t low = 0x80, high = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) length = 2;
  if (first >= 0xE0 && first <= 0xEF) length = 3;
  if (first >= 0xF0 && first <= 0xF4) length = 4;
  if (first == 0xE0) low = 0xA0;
  if (first == 0xED) high = 0x9F;
  if (first == 0xF0) low = 0x90;
  if (first == 0xF4) high = 0x8F;

  *out_valid = false;
  if (length == 0) return 1;
  for (size_t i = 1; i < length; i++) {
    if (i >= left || p[i] < low || p[i] > high) return i;
    low = 0x80;
    high = 0xBF;
  }
  *out_valid = true;
  return length;
}
