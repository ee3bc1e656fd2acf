// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/slice.h"
#include "base/utf8.h"

static void assert_text(struct slice actual, const char *expected) {
  assert_int_equal(actual.len, strlen(expected));
  if (actual.len > 0) assert_memory_equal(actual.ptr, expected, actual.len);
}

static void test_parts(void **state) {
  (void)state;
  struct slice s = SLICE_LITERAL("abcdef");
  assert_text(slice_sub(s, 2, 3), "cde");
  assert_text(slice_sub(s, 4, 100), "ef");
  assert_text(slice_sub(s, 100, SIZE_MAX), "");
  assert_text(slice_skip(s, 5), "f");
  assert_text(slice_skip(slice_make(NULL, 0), 3), "");
  assert_int_equal(slice_from_cstr(NULL).len, 0);
  assert_true(slice_starts_with(s, SLICE_LITERAL("abc")));
  assert_false(slice_starts_with(s, SLICE_LITERAL("abcdefg")));
  assert_true(slice_ends_with(s, SLICE_LITERAL("ef")));
  assert_false(slice_ends_with(s, SLICE_LITERAL("de")));
  assert_true(slice_starts_with(s, slice_make(NULL, 0)) && slice_ends_with(s, slice_make(NULL, 0)));
}

static void test_find(void **state) {
  (void)state;
  struct slice s = SLICE_LITERAL("one\0two two");
  assert_int_equal(slice_find_byte(s, 0), 3);
  assert_int_equal(slice_find_byte(s, 't'), 4);
  assert_int_equal(slice_find_byte(s, 'z'), s.len);
  assert_int_equal(slice_find_byte(slice_make(NULL, 0), 'z'), 0);
  assert_int_equal(slice_find(s, SLICE_LITERAL("two")), 4);
  assert_int_equal(slice_find(s, SLICE_LITERAL("wo t")), 5);
  assert_int_equal(slice_find(s, SLICE_LITERAL("three")), s.len + 1);
  assert_int_equal(slice_find(s, slice_make(NULL, 0)), 0);
  assert_int_equal(slice_find(slice_make(NULL, 0), SLICE_LITERAL("x")), 1);
}

static void test_compare(void **state) {
  (void)state;
  assert_true(slice_equal(slice_make(NULL, 0), SLICE_LITERAL("")));
  assert_false(slice_equal_cstr(SLICE_LITERAL("a\0b"), "a"));
  assert_true(slice_equal_ignore_case(SLICE_LITERAL("Content-TYPE"), SLICE_LITERAL("content-type")));
  assert_false(slice_equal_ignore_case(SLICE_LITERAL("@["), SLICE_LITERAL("`{"))); // 0x20 apart, but no letters
  assert_false(slice_equal_ignore_case(SLICE_LITERAL("a"), SLICE_LITERAL("ab")));
  assert_true(slice_compare(SLICE_LITERAL("a"), SLICE_LITERAL("b")) < 0);
  assert_true(slice_compare(SLICE_LITERAL("ab"), SLICE_LITERAL("a")) > 0);
  assert_true(slice_compare(SLICE_LITERAL("\xFF"), SLICE_LITERAL("a")) > 0);
  assert_true(slice_compare(slice_make(NULL, 0), SLICE_LITERAL("")) == 0);
}

static void test_trim(void **state) {
  (void)state;
  assert_text(slice_trim(SLICE_LITERAL(" \t\r\n\v\fa b \n")), "a b");
  assert_text(slice_trim(SLICE_LITERAL(" \t ")), "");
  assert_text(slice_trim(slice_make(NULL, 0)), "");
}

static void test_to_u64(void **state) {
  (void)state;
  uint64_t value = 7;
  assert_true(slice_to_u64(SLICE_LITERAL("18446744073709551615"), &value) && value == UINT64_MAX);
  assert_true(slice_to_u64(SLICE_LITERAL("0"), &value) && value == 0);
  assert_true(slice_to_u64(SLICE_LITERAL("0042"), &value) && value == 42);
  static const char *const bad[] = {"", "18446744073709551616", "99999999999999999999", "-1", "+1", "1 ", "0x1", "1a"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(slice_to_u64(slice_from_cstr(bad[i]), &value));
  assert_int_equal(value, 42);
}

static void test_hex(void **state) {
  (void)state;
  uint8_t bytes[3] = {1, 2, 3};
  char hex[6];
  assert_true(slice_from_hex(SLICE_LITERAL("00fFa9"), bytes, 3));
  assert_memory_equal(bytes, "\x00\xFF\xA9", 3);
  slice_to_hex(slice_make(bytes, 3), hex);
  assert_memory_equal(hex, "00ffa9", 6);
  assert_false(slice_from_hex(SLICE_LITERAL("11111g"), bytes, 3));
  assert_false(slice_from_hex(SLICE_LITERAL("1111"), bytes, 3));
  assert_false(slice_from_hex(SLICE_LITERAL("1111111"), bytes, 3));
  assert_memory_equal(bytes, "\x00\xFF\xA9", 3); // untouched
  assert_true(slice_from_hex(slice_make(NULL, 0), bytes, 0));
}

static void test_utf8(void **state) {
  (void)state;
  static const char *const good[] = {"",
                                     "plain ascii, longer than eight bytes",
                                     "\xC2\x80",
                                     "\xDF\xBF",
                                     "\xE0\xA0\x80",
                                     "\xED\x9F\xBF",
                                     "\xEE\x80\x80",
                                     "\xF0\x90\x80\x80",
                                     "\xF4\x8F\xBF\xBF",
                                     "12345678\xE2\x82\xAC 12345678"};
  static const char *const bad[] = {
      "\x80",         "\xC0\x80",         "\xC1\xBF",         "\xE0\x9F\xBF",           "\xED\xA0\x80",
      "\xED\xBF\xBF", "\xF0\x8F\xBF\xBF", "\xF4\x90\x80\x80", "\xF5\x80\x80\x80",       "\xFF",
      "\xC2",         "\xE2\x82",         "\xF0\x9F\x98",     "12345678\xE2\x82 45678", "1234567\xFF"};
  for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_true(slice_is_utf8(slice_from_cstr(good[i])));
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(slice_is_utf8(slice_from_cstr(bad[i])));
  assert_true(slice_is_utf8(SLICE_LITERAL("a\0b")));
}

// Every code point encoded by the rule is one well-formed step; surrogates are not.
static void test_utf8_all_code_points(void **state) {
  (void)state;
  for (uint32_t c = 0x80; c <= 0x10FFFF; c++) {
    uint8_t bytes[4];
    size_t len = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const uint8_t lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    bytes[0] = (uint8_t)(lead[len] | c >> (6 * (len - 1)));
    for (size_t i = 1; i < len; i++) bytes[i] = (uint8_t)(0x80 | (c >> (6 * (len - 1 - i)) & 0x3F));
    bool valid;
    size_t step = utf8_step(slice_make(bytes, len), 0, &valid);
    bool surrogate = c >= 0xD800 && c <= 0xDFFF;
    assert_true(valid == !surrogate && (surrogate ? step == 1 : step == len));
  }
}

// The example of Unicode 15, table 3-8 to 3-11: how many replacement characters stand for ill-formed bytes.
static void test_utf8_maximal_subparts(void **state) {
  (void)state;
  static const struct {
    const char *bytes;
    size_t replaced;
  } cases[] = {
      {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", 8},
      {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", 8},
      {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", 7},
      {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", 4},
  };
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    struct slice s = slice_from_cstr(cases[i].bytes);
    size_t replaced = 0;
    for (size_t at = 0; at < s.len;) {
      bool valid;
      at += utf8_step(s, at, &valid);
      replaced += !valid;
    }
    assert_int_equal(replaced, cases[i].replaced);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parts),
      cmocka_unit_test(test_find),
      cmocka_unit_test(test_compare),
      cmocka_unit_test(test_trim),
      cmocka_unit_test(test_to_u64),
      cmocka_unit_test(test_hex),
      cmocka_unit_test(test_utf8),
      cmocka_unit_test(test_utf8_all_code_points),
      cmocka_unit_test(test_utf8_maximal_subparts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
