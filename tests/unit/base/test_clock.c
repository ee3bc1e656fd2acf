// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <time.h>

#include "base/clock.h"

static void test_system_clock(void **state) {
  (void)state;
  const struct clock *clock = clock_system();
  uint64_t before = (uint64_t)time(NULL);
  uint64_t wall_s = clock_wall_ns(clock) / NS_PER_S;
  assert_true(wall_s + 1 >= before && wall_s <= (uint64_t)time(NULL) + 1);
  uint64_t first = clock_monotonic_ns(clock);
  assert_true(clock_monotonic_ns(clock) >= first);
}

static void test_fake_clock(void **state) {
  (void)state;
  struct clock_fake fake;
  clock_fake_init(&fake, 1000);
  uint64_t start = clock_monotonic_ns(&fake.clock);
  assert_int_equal(clock_wall_ns(&fake.clock), 1000);
  assert_int_equal(clock_wall_ns(&fake.clock), 1000);
  clock_fake_add(&fake, 5 * NS_PER_S);
  assert_int_equal(clock_wall_ns(&fake.clock), 1000 + 5 * NS_PER_S);
  assert_int_equal(clock_monotonic_ns(&fake.clock) - start, 5 * NS_PER_S);
}

static void test_rfc3339(void **state) {
  (void)state;
  char text[CLOCK_RFC3339_BYTES];
  clock_format_rfc3339(0, text);
  assert_string_equal(text, "1970-01-01T00:00:00.000000000Z");
  clock_format_rfc3339(UINT64_C(1795253400123456789), text);
  assert_string_equal(text, "2026-11-21T09:30:00.123456789Z");
  clock_format_rfc3339(UINT64_MAX, text);
  assert_string_equal(text, "2554-07-21T23:34:33.709551615Z");
}

// Every day until 2554, against the C library.
static void test_rfc3339_every_day(void **state) {
  (void)state;
  for (uint64_t day = 0; day < UINT64_MAX / NS_PER_S / 86400; day++) {
    time_t seconds = (time_t)(day * 86400 + day * 7 % 86400);
    struct tm tm;
    assert_non_null(gmtime_r(&seconds, &tm));
    char expected[40], text[CLOCK_RFC3339_BYTES];
    size_t len = strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(expected + len, sizeof expected - len, ".%09uZ", (unsigned)(day % 1000));
    clock_format_rfc3339((uint64_t)seconds * NS_PER_S + day % 1000, text);
    assert_string_equal(text, expected);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_system_clock),
      cmocka_unit_test(test_fake_clock),
      cmocka_unit_test(test_rfc3339),
      cmocka_unit_test(test_rfc3339_every_day),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
