// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"

static void test_xxh3(void **state) {
  (void)state;
  // The journal's format depends on these values.
  assert_true(hash_xxh3(slice_make(NULL, 0)) == UINT64_C(0x2D06800538D394C2));
  assert_true(hash_xxh3(SLICE_LITERAL("abc")) == UINT64_C(0x78AF5F94892F3950));
  assert_true(hash_xxh3_seeded(SLICE_LITERAL("abc"), 0) == hash_xxh3(SLICE_LITERAL("abc")));
  assert_true(hash_xxh3_seeded(SLICE_LITERAL("abc"), 1) != hash_xxh3(SLICE_LITERAL("abc")));
}

// RFC 1321, A.5.
static void test_md5(void **state) {
  (void)state;
  static const struct {
    const char *text, *hex;
  } cases[] = {
      {"", "d41d8cd98f00b204e9800998ecf8427e"},
      {"abc", "900150983cd24fb0d6963f7d28e17f72"},
      {"abcdefghijklmnopqrstuvwxyz", "c3fcd3d76192e4007dfb496cca67e13b"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct slice text = slice_from_cstr(cases[i].text);
    for (size_t cut = 0; cut <= text.len; cut++) {
      struct hash_md5 md5;
      char hex[33];
      hash_md5_init(&md5);
      hash_md5_update(&md5, slice_sub(text, 0, cut));
      hash_md5_update(&md5, slice_skip(text, cut));
      hash_md5_finish(&md5, hex);
      assert_string_equal(hex, cases[i].hex);
    }
  }
}

static void test_random(void **state) {
  (void)state;
  uint8_t first[32] = {0}, second[32] = {0};
  random_bytes(first, sizeof first);
  random_bytes(second, sizeof second);
  assert_memory_not_equal(first, second, sizeof first);
  assert_true(random_u64() != random_u64());
  random_bytes(first, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_xxh3),
      cmocka_unit_test(test_md5),
      cmocka_unit_test(test_random),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
