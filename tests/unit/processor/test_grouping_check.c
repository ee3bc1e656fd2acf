// SPDX-License-Identifier: Apache-2.0
//
// Every fault of a text of rules, with its place.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "processor/grouping_check.h"

static void note(void *context, const struct grouping_check_fault *fault) {
  buffer_printf(context, "%u:%u %.20s\n", fault->line, fault->column, fault->text);
}

static void check(enum grouping_check_kind kind, const char *text, uint32_t rules_max, enum status expected,
                  const char *faults) {
  struct buffer told;
  buffer_init(&told, 1 << 20);
  uint32_t rules = 0;
  assert_int_equal(grouping_check(kind, slice_from_cstr(text), rules_max, note, &told, &rules), expected);
  buffer_append_byte(&told, 0);
  assert_string_equal((const char *)told.ptr, faults);
  buffer_finish(&told);
}

static void all_faults_are_told(void **state) {
  (void)state;
  check(GROUPING_CHECK_STACK, "", 10, STATUS_OK, "");
  check(GROUPING_CHECK_STACK, "# a team's\n\nfunction:a -group\n  module:b +app\n", 2, STATUS_OK, "");
  check(GROUPING_CHECK_STACK, "function:a -grup\nfunction:b -group\n\n  nothing\nfunction:\"x\n", 10, STATUS_INVALID,
        "1:12 unknown action 'grup\n4:3 unknown matcher 'not\n5:10 a quote is never clo\n");
  check(GROUPING_CHECK_FINGERPRINT, "type:T -> a\ntype:T -> \nfunction:a -group\n", 10, STATUS_INVALID,
        "2:10 expected a fingerpri\n3:12 unknown matcher '-gr\n");
}

static void too_many_rules_are_told(void **state) {
  (void)state;
  check(GROUPING_CHECK_STACK, "function:a -group\nfunction:b -group\n# no rule\n   function:c -group\n", 2,
        STATUS_TOO_LARGE, "4:1 more than 2 rules\n");
  check(GROUPING_CHECK_FINGERPRINT, "type:a -> a\ntype:b -> b\n", 1, STATUS_TOO_LARGE, "2:1 more than 1 rules\n");
}

static void what_is_too_much_together_is_told(void **state) {
  (void)state;
  struct buffer text;
  buffer_init(&text, 1 << 20);
  for (int i = 0; i < 300; i++) buffer_printf(&text, "function:f%d category=c%d\n", i, i);
  buffer_append_byte(&text, 0);
  check(GROUPING_CHECK_STACK, (const char *)text.ptr, 1000, STATUS_TOO_LARGE, "256:24 more than 255 catego\n");
  buffer_finish(&text);
  static char large[300 << 10];
  memset(large, '#', sizeof large - 1);
  check(GROUPING_CHECK_STACK, large, 1000, STATUS_TOO_LARGE, "0:0 more than 262144 byt\n");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_faults_are_told),
      cmocka_unit_test(too_many_rules_are_told),
      cmocka_unit_test(what_is_too_much_together_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
