// SPDX-License-Identifier: Apache-2.0
#include "proto/sentry_json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void assert_mended(struct slice text, const char *wanted) {
  struct buffer out;
  buffer_init(&out, 4096);
  sentry_json_mend(text, &out);
  buffer_append_byte(&out, 0);
  assert_string_equal((const char *)out.ptr, wanted);
  buffer_finish(&out);
}

static void test_leaves_json_alone(void **state) {
  (void)state;
  static const char text[] = " {\"a\\\"NaN\": [-1, \"NaN\\\\\", \"Infinity \\u0000 \xc3\xa4\"], \"b\": null}\n";
  assert_mended(slice_from_cstr(text), text);
}

static void test_mends_what_sdks_send(void **state) {
  (void)state;
  assert_mended(SLICE_LITERAL("{\"a\":NaN,\"b\":[-Infinity,Infinity,-1]}"), "{\"a\":null,\"b\":[null,null,-1]}");
  assert_mended(SLICE_LITERAL("[\"a\nb\0c\"]"), "[\"a\\u000ab\\u0000c\"]");
  assert_mended(SLICE_LITERAL("[\"\xff\",\"\xe2\x82\"]"), "[\"\xEF\xBF\xBD\",\"\xEF\xBF\xBD\"]");
  assert_mended(SLICE_LITERAL("\xEF\xBB\xBF{}"), "{}");
}

static void test_numbers_that_no_double_holds(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"[1e400,-1E+400]", "[null,null]"},
      {"[1.7976931348623157e308,1.7976931348623159e308]", "[1.7976931348623157e308,null]"},
      {"[0.00017976931348623157e312,0.0001e312]", "[0.00017976931348623157e312,0.0001e312]"},
      {"[1e99999999999999999999,0e99999999999999999999]", "[null,0e99999999999999999999]"},
      {"[1e-400,1e-99999999999999999999,\"1e400\"]", "[1e-400,1e-99999999999999999999,\"1e400\"]"},
      {"[-,12.,1e,-x]", "[-,12.,1e,-x]"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) assert_mended(slice_from_cstr(rows[i][0]), rows[i][1]);
  char digits[400];
  memset(digits, '1', sizeof(digits));
  assert_mended(slice_make(digits, 310), "null");
  digits[309] = 0;
  assert_mended(slice_make(digits, 309), digits);
}

static void test_parses_the_mended_text(void **state) {
  (void)state;
  struct json_parser *parser = json_parser_create(4096);
  struct buffer scratch;
  buffer_init(&scratch, 4096);
  struct json_value root;
  struct error error = {""};
  assert_int_equal(sentry_json_parse(parser, SLICE_LITERAL("{\"x\":NaN,\"y\":\"a\tb\"}"), &scratch, &root, &error),
                   STATUS_OK);
  assert_true(slice_equal_cstr(json_string(json_get(root, "y")), "a\tb"));
  assert_int_equal(json_type_of(json_get(root, "x")), JSON_NULL);
  assert_int_equal(sentry_json_parse(parser, SLICE_LITERAL("{\"x\":NaN"), &scratch, &root, &error), STATUS_INVALID);
  assert_true(error.text[0] != 0);
  buffer_finish(&scratch);
  json_parser_destroy(parser);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_leaves_json_alone),
      cmocka_unit_test(test_mends_what_sdks_send),
      cmocka_unit_test(test_numbers_that_no_double_holds),
      cmocka_unit_test(test_parses_the_mended_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
