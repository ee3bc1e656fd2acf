// SPDX-License-Identifier: Apache-2.0
//
// The published tables: message parameterisation, normalisation and function-name trimming, row by row. Tables marked
// "(xfail)" say what Sentry would like and does not do; there the result must be anything but an accident, so what we
// return is pinned in known_failures.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/json.h"
#include "grouping_published.h"
#include "processor/grouping.h"
#include "processor/grouping_function.h"
#include "processor/grouping_message.h"

static struct json_value part(struct json_value row, uint64_t index) {
  struct json_iter iter = json_iterate(row);
  struct json_value value = {0};
  for (uint64_t i = 0; i <= index; i++) assert_true(json_array_next(&iter, &value));
  return value;
}

static struct slice apply(struct slice table, struct slice input, struct arena *arena) {
  if (slice_equal_cstr(table, "test_parameterize_standard")) return grouping_parameterize(input, arena);
  if (slice_equal_cstr(table, "test_parameterize_experiment")) {
    return grouping_mask_ids(grouping_parameterize(input, arena), arena);
  }
  if (slice_equal_cstr(table, "test_normalize_message")) return grouping_message_normalise(input, true, arena);
  if (slice_equal_cstr(table, "test_trim_native_function_name")) {
    return grouping_trim_function(input, SLICE_LITERAL("native"), arena);
  }
  if (slice_equal_cstr(table, "test_trim_cocoa_function_name")) {
    return grouping_trim_function(input, SLICE_LITERAL("cocoa"), arena);
  }
  if (slice_equal_cstr(table, "test_trim_csharp_function_name")) {
    return grouping_trim_function(input, SLICE_LITERAL("csharp"), arena);
  }
  return (struct slice){0};
}

static void check_tokens(struct json_value row) {
  struct slice got[16];
  uint32_t count = grouping_function_split(json_string(part(row, 0)), got, 16);
  struct json_value expected = part(row, 1), token;
  assert_int_equal(count, json_count(expected));
  uint32_t i = 0;
  for (struct json_iter iter = json_iterate(expected); json_array_next(&iter, &token); i++) {
    assert_true(slice_equal(got[i], json_string(token)));
  }
}

static void tables(void **state) {
  (void)state;
  struct buffer text;
  buffer_init(&text, 16u << 20);
  if (!published_read("tables.json", &text)) {
    print_message("published tables are absent, skipped\n");
    buffer_finish(&text);
    skip();
  }
  struct json_parser *parser = json_parser_create(16u << 20);
  struct arena arena;
  arena_init(&arena, 16u << 20);
  struct json_value root, rows, row;
  struct slice table;
  uint32_t checked = 0;
  assert_int_equal(json_parse(parser, buffer_slice(&text), &root, NULL), STATUS_OK);
  struct json_iter all = json_iterate(root);
  while (json_object_next(&all, &table, &rows)) {
    if (slice_ends_with(table, SLICE_LITERAL("(xfail)"))) continue;
    for (struct json_iter iter = json_iterate(rows); json_array_next(&iter, &row); checked++) {
      if (slice_equal_cstr(table, "test_split_func_tokens")) {
        check_tokens(row);
        continue;
      }
      uint64_t last = json_count(row) - 1;
      struct slice input = json_string(part(row, last - 1)), expected = json_string(part(row, last));
      struct slice got = apply(table, input, &arena);
      if (!slice_equal(got, expected)) {
        fail_msg("%.*s: '%.*s' became '%.*s', expected '%.*s'", SLICE_PRINTF(table), SLICE_PRINTF(input),
                 SLICE_PRINTF(got), SLICE_PRINTF(expected));
      }
    }
  }
  assert_true(checked >= 90);
  arena_finish(&arena);
  json_parser_destroy(parser);
  buffer_finish(&text);
}

static void known_failures(void **state) {
  (void)state;
  static const char *const rows[][2] = {
      {"blah tcp://user:pass@email.com:10 had a problem", "blah tcp://user:<email>:<int> had a problem"},
      {"blah 0.0.0.0:10 had a problem", "blah <ip>:<int> had a problem"},
      {"Encoding: utf-8", "Encoding: utf<int>"},
      {"X-Amz-Apigw-Id", "X-Amz-Apigw-Id"},
  };
  struct arena arena;
  arena_init(&arena, 1 << 20);
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    assert_true(slice_equal_cstr(grouping_parameterize(slice_from_cstr(rows[i][0]), &arena), rows[i][1]));
  }
  arena_finish(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(tables), cmocka_unit_test(known_failures)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
