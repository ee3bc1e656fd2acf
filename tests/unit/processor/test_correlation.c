// SPDX-License-Identifier: Apache-2.0
//
// Request ids in JSON texts that log records carry as their body; every other place is seen by the scenario tests.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "processor/correlation.h"

static void assert_found(const struct correlation *correlation, const char *body, const char *expected) {
  const struct otlp_log log = {.body = {.kind = OTLP_ANY_STRING, .bytes = slice_from_cstr(body)}};
  struct slice found = correlation_of_log(correlation, &log);
  if (!slice_equal_cstr(found, expected)) {
    fail_msg("%s: found \"%.*s\", not \"%s\"", body, SLICE_PRINTF(found), expected);
  }
}

static void ids_in_json_bodies(void **state) {
  (void)state;
  struct correlation *correlation = correlation_create((const char *const[]){"best", "second"}, 2);
  const struct {
    const char *body, *expected;
  } cases[] = {
      {"{\"best\":\"a\"}", "a"},
      {" { \"x\" : {\"best\":\"no\"} , \"best\" : \" a \" } ", "a"},
      {"{\"second\":\"b\",\"best\":\"a\"}", "a"},
      {"{\"best\":7,\"second\":\"b\"}", "b"},
      {"{\"best\":\"\",\"second\":\"b\"}", "b"},
      {"{\"best\":[\"a\"]}", "a"},
      {"{\"best\":[ \"a\" , \"b\" ],\"second\":\"c\"}", "a"},
      {"{\"best\":[7, {\"x\": [\",\", \"]\"]}, \"\", \"a\"]}", "a"},
      {"{\"best\":[],\"second\":[\"b\"]}", "b"},
      {"{\"best\":[[\"a\"]],\"second\":\"b\"}", "b"},
      {"{\"best\":\"a\\u0041\",\"second\":\"b\"}", "b"},
      {"{\"b\\u0065st\":\"a\"}", ""},
      {"[\"best\",\"a\"]", ""},
      {"best=a", ""},
      {"", ""},
      // Cut off anywhere.
      {"{", ""},
      {"{\"best", ""},
      {"{\"best\"", ""},
      {"{\"best\":", ""},
      {"{\"best\":\"a", ""},
      {"{\"best\":[", ""},
      {"{\"best\":[\"a", ""},
      {"{\"best\":[\"a\\", ""},
      {"{\"best\":[7,", ""},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    assert_found(correlation, cases[i].body, cases[i].expected);
  }
  correlation_destroy(correlation);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(ids_in_json_bodies)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
