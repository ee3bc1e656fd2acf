// SPDX-License-Identifier: Apache-2.0
#include "base/block.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const enum block_codec CODECS[] = {BLOCK_FAST, BLOCK_DENSE};

static void fill(uint8_t *bytes, size_t len, bool noise) {
  uint64_t state = len + 1;
  for (size_t i = 0; i < len; i++) {
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    size_t text = (size_t)(uint8_t) "{\"name\":\"GET /\",\"n\":"[i % 20] + i / 4096 % 3;
    bytes[i] = noise ? (uint8_t)(state >> 56) : (uint8_t)text;
  }
}

static void what_went_in_comes_out(void **state) {
  (void)state;
  static const size_t lengths[] = {0, 1, 12, 13, 127, 4096, 65535, 65536, 300000};
  uint8_t *bytes = malloc(300000), *back = malloc(300000);
  for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
    for (int noise = 0; noise < 2; noise++)
      for (int codec = 0; codec < 2; codec++) {
        struct buffer block;
        buffer_init(&block, 1 << 20);
        assert_int_equal(buffer_append(&block, "before", 6), STATUS_OK);
        fill(bytes, lengths[i], noise != 0);
        assert_int_equal(block_compress(CODECS[codec], slice_make(bytes, lengths[i]), &block), STATUS_OK);
        assert_memory_equal(block.ptr, "before", 6);
        struct slice packed = slice_skip(buffer_slice(&block), 6);
        memset(back, 0xee, 300000);
        assert_int_equal(block_decompress(packed, back, lengths[i]), STATUS_OK);
        assert_memory_equal(back, bytes, lengths[i]);
        if (!noise && lengths[i] >= 4096) assert_true(packed.len < lengths[i] / 4);
        // Another length than the right one is damage, as is a block that was cut.
        assert_int_equal(block_decompress(packed, back, lengths[i] + 1), STATUS_CORRUPT);
        if (lengths[i] > 0) assert_int_equal(block_decompress(packed, back, lengths[i] - 1), STATUS_CORRUPT);
        assert_int_equal(block_decompress(slice_make(packed.ptr, packed.len - 1), back, lengths[i]), STATUS_CORRUPT);
        buffer_finish(&block);
      }
  free(bytes);
  free(back);
}

static void other_bytes_are_no_block(void **state) {
  (void)state;
  uint8_t out[64];
  assert_int_equal(block_decompress(slice_make(NULL, 0), out, 0), STATUS_CORRUPT);
  assert_int_equal(block_decompress(slice_from_cstr("plain"), out, 5), STATUS_CORRUPT);
  assert_int_equal(block_decompress(slice_from_cstr("L"), out, 0), STATUS_CORRUPT);
  assert_int_equal(block_decompress(slice_from_cstr("("), out, 1), STATUS_CORRUPT);
}

static void a_full_buffer_says_so(void **state) {
  (void)state;
  uint8_t bytes[4096];
  fill(bytes, sizeof bytes, true);
  for (int codec = 0; codec < 2; codec++) {
    struct buffer small;
    buffer_init(&small, 1024);
    assert_int_equal(block_compress(CODECS[codec], slice_make(bytes, sizeof bytes), &small), STATUS_TOO_LARGE);
    buffer_finish(&small);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_went_in_comes_out),
      cmocka_unit_test(other_bytes_are_no_block),
      cmocka_unit_test(a_full_buffer_says_so),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
