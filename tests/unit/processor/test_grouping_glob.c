// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "processor/grouping_glob.h"

static bool match(const char *pattern, bool path, const char *text) {
  struct arena arena;
  arena_init(&arena, 1 << 20);
  struct grouping_glob glob;
  struct error error = {{0}};
  enum status status = grouping_glob_compile(slice_from_cstr(pattern), path, &arena, &glob, &error);
  if (status != STATUS_OK) fail_msg("'%s': %s", pattern, error.text);
  bool matches = grouping_glob_match(&glob, slice_from_cstr(text));
  arena_finish(&arena);
  return matches;
}

static void rows(void **state) {
  (void)state;
  static const struct {
    const char *pattern;
    bool path;
    const char *text;
    bool expected;
  } rows[] = {
      {"abc", false, "abc", true},
      {"abc", false, "abcd", false},
      {"abc*", false, "abc/d", true},
      {"*abc", false, "x/abc", true},
      {"*abc", false, "abcx", false},
      {"*b*", false, "abc", true},
      {"*", false, "", true},
      {"**", true, "a/b", true},
      {"a*c", false, "abbc", true},
      {"a*c", false, "abcd", false},
      {"a*b*c", false, "aXbYbZc", true},
      {"a?c", false, "abc", true},
      {"a?c", false, "ac", false},
      {"[a-c]x", false, "bx", true},
      {"[!a-c]x", false, "bx", false},
      {"[^a-c]x", false, "dx", true},
      {"[]]x", false, "]x", true},
      {"[a-]x", false, "-x", true},
      {"?[[]KSCrash*", false, "-[KSCrash x]", true},
      {"-\\[NS*", false, "-[NSFoo", true},
      {"{a,bc}d", false, "bcd", true},
      {"{a,bc}d", false, "cd", false},
      {"{a,b{c,d}}e", false, "bde", true},
      {"{a,b{c,d}}e", false, "be", false},
      {"x{,y}", false, "x", true},
      {"a,b", false, "a,b", true},
      {"*.js", true, "a.js", true},
      {"*.js", true, "d/a.js", false},
      {"d/?.js", true, "d//.js", false},
      {"**/*.js", true, "d/e/a.js", true},
      {"**/*.js", true, "a.js", true},
      {"**/vendor/**", true, "a/vendor/b", true},
      {"**/vendor/**", true, "vendor/b", true},
      {"**/vendor/**", true, "/vendor/", true},
      {"**/vendor/**", true, "a/xvendor/b", false},
      {"a/**/b", true, "a/b", true},
      {"a/**/b", true, "a/x/y/b", true},
      {"a/**/b", true, "a/xb", false},
      {"a/**", true, "a/b/c", true},
      {"a/**", true, "a", false},
      {"**.app/Contents/**", true, "foo.app/Contents/x", true},
      {"**.app/Contents/**", true, "/a/foo.app/Contents/x", false}, // not a whole part: as one star
      {"**https://unpkg.com/**", true, "https://unpkg.com/a/b", true},
      {"**/packages/flutter/**", false, "packages/flutter/a", true},
      {"**/packages/flutter/**", false, "x/packages/flutter/a", true},
      {"std::*::allocator_traits*", false, "std::__1::allocator_traits<T>::x", true},
      {"std::*::allocator_traits*", false, "std::allocator", false},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    if (match(rows[i].pattern, rows[i].path, rows[i].text) != rows[i].expected) {
      fail_msg("'%s' and '%s': expected %d", rows[i].pattern, rows[i].text, rows[i].expected);
    }
  }
}

static void invalid(void **state) {
  (void)state;
  static const char *const patterns[] = {"a[", "a[b", "[b-a]", "{a", "a}*?", "x\\", "{{{{{{{{{a}}}}}}}}}"};
  struct arena arena;
  arena_init(&arena, 1 << 20);
  struct grouping_glob glob;
  for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
    struct error error = {{0}};
    enum status status = grouping_glob_compile(slice_from_cstr(patterns[i]), false, &arena, &glob, &error);
    if (status != STATUS_INVALID || error.text[0] == '\0') fail_msg("'%s': status %d", patterns[i], status);
  }
  char longest[GROUPING_GLOB_BYTES_MAX + 1];
  memset(longest, '*', sizeof(longest));
  assert_int_equal(grouping_glob_compile(slice_make(longest, sizeof(longest)), false, &arena, &glob, NULL),
                   STATUS_TOO_LARGE);
  assert_int_equal(grouping_glob_compile(slice_make(longest, GROUPING_GLOB_BYTES_MAX), false, &arena, &glob, NULL),
                   STATUS_OK);
  arena_finish(&arena);
}

// What sends backtracking matchers into the weeds.
static void hostile(void **state) {
  (void)state;
  char pattern[301], text[20001];
  for (size_t i = 0; i < 300; i++) pattern[i] = i % 2 == 0 ? 'a' : '*';
  pattern[299] = 'b';
  pattern[300] = '\0';
  memset(text, 'a', 20000);
  text[20000] = '\0';
  assert_false(match(pattern, false, text));
  text[19999] = 'b';
  assert_true(match(pattern, false, text));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(rows), cmocka_unit_test(invalid), cmocka_unit_test(hostile)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
