// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/wire_block.h"

enum { LEN_MAX = 140, AROUND = 16 };

// A piece of every length with other bytes before and behind it, which are of every kind.
static void fill(uint8_t *bytes, uint8_t around) {
  memset(bytes, around, AROUND + LEN_MAX + AROUND);
  for (size_t i = 0; i < LEN_MAX; i++) bytes[AROUND + i] = (uint8_t)(i % 128);
}

static void a_piece_is_ascii_when_each_byte_is(void **state) {
  (void)state;
  uint8_t bytes[AROUND + LEN_MAX + AROUND], *piece = bytes + AROUND;
  for (size_t len = 0; len < LEN_MAX; len++) {
    fill(bytes, 0x80);
    memset(piece + len, 0xff, LEN_MAX - len);
    assert_true(wire_block_is_ascii(piece, len));
    for (size_t i = 0; i < len; i++) {
      piece[i] ^= 0x80;
      assert_false(wire_block_is_ascii(piece, len));
      piece[i] ^= 0x80;
    }
  }
}

static void pieces_are_equal_when_each_byte_is(void **state) {
  (void)state;
  uint8_t bytes[AROUND + LEN_MAX + AROUND], *piece = bytes + AROUND;
  uint8_t others[AROUND + LEN_MAX + AROUND], *other = others + AROUND;
  for (size_t len = 0; len < LEN_MAX; len++) {
    fill(bytes, 1);
    fill(others, 2);
    memset(piece + len, 3, LEN_MAX - len);
    assert_true(wire_block_equal(piece, other, len));
    for (size_t i = 0; i < len; i++) {
      other[i] ^= 4;
      assert_false(wire_block_equal(piece, other, len));
      other[i] ^= 4;
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_piece_is_ascii_when_each_byte_is),
      cmocka_unit_test(pieces_are_equal_when_each_byte_is),
  };
  return cmocka_run_group_tests_name("wire_block", tests, NULL, NULL);
}
