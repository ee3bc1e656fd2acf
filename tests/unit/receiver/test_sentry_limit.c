// SPDX-License-Identifier: Apache-2.0
//
// Rate limits of projects, on a clock that moves when told to.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "receiver/sentry_limit.h"

struct fixture {
  struct clock_fake clock;
  struct metrics *metrics;
  struct sentry_limit *limit;
  struct sentry_limit_note note; // of the last refusal
};

static int setup(void **state) {
  struct fixture *fixture = test_calloc(1, sizeof *fixture);
  clock_fake_init(&fixture->clock, 1700000000 * NS_PER_S);
  fixture->metrics = metrics_create();
  fixture->limit = sentry_limit_create(fixture->metrics, &fixture->clock.clock);
  *state = fixture;
  return 0;
}

static int teardown(void **state) {
  struct fixture *fixture = *state;
  sentry_limit_destroy(fixture->limit);
  metrics_destroy(fixture->metrics);
  test_free(fixture);
  return 0;
}

static void set(struct fixture *fixture, uint32_t project, uint32_t errors, uint32_t logs) {
  const struct sentry_limit_rates rates = {.project = project, .per_minute = {errors, 0, logs}};
  sentry_limit_set(fixture->limit, &rates, 1);
}

static bool take(struct fixture *fixture, uint32_t project, enum sentry_limit_category category, uint64_t quantity) {
  fixture->note = (struct sentry_limit_note){0};
  bool taken = sentry_limit_take(fixture->limit, project, category, quantity, &fixture->note);
  assert_int_equal(taken, !sentry_limit_is_noted(&fixture->note));
  return taken;
}

// Takes single errors until one is refused.
static uint32_t take_all(struct fixture *fixture, uint32_t project) {
  uint32_t count = 0;
  while (count < 1000000 && take(fixture, project, SENTRY_LIMIT_ERROR, 1)) count++;
  return count;
}

static void without_rates_everything_goes(void **state) {
  for (int i = 0; i < 100000; i++) assert_true(take(*state, 1, SENTRY_LIMIT_ERROR, 1000));
}

static void a_minutes_worth_goes_at_once_and_then_nothing(void **state) {
  static const uint32_t rates[] = {1, 2, 7, 60, 1000, 99991};
  struct fixture *fixture = *state;
  for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++) {
    set(fixture, 1, rates[i], 0);
    assert_int_equal(take_all(fixture, 1), rates[i]);
    clock_fake_add(&fixture->clock, 3600 * NS_PER_S);
  }
}

static void the_wait_is_true(void **state) {
  struct fixture *fixture = *state;
  set(fixture, 1, 60, 0);
  assert_int_equal(take_all(fixture, 1), 60);
  assert_int_equal(fixture->note.wait_s[SENTRY_LIMIT_ERROR], 6);
  clock_fake_add(&fixture->clock, 5 * NS_PER_S); // it has refilled, but who was told to wait is early
  assert_false(take(fixture, 1, SENTRY_LIMIT_ERROR, 1));
  assert_int_equal(fixture->note.wait_s[SENTRY_LIMIT_ERROR], 1);
  clock_fake_add(&fixture->clock, NS_PER_S);
  assert_int_equal(take_all(fixture, 1), 6);
}

static void a_slow_rate_waits_for_its_next_unit(void **state) {
  struct fixture *fixture = *state;
  set(fixture, 1, 1, 0);
  assert_int_equal(take_all(fixture, 1), 1);
  assert_int_equal(fixture->note.wait_s[SENTRY_LIMIT_ERROR], 60);
  clock_fake_add(&fixture->clock, 60 * NS_PER_S);
  assert_int_equal(take_all(fixture, 1), 1);
}

// The average over an hour of an SDK that sends whenever it may.
static void the_rate_holds_over_time(void **state) {
  struct fixture *fixture = *state;
  set(fixture, 1, 30, 0);
  uint32_t sent = 0;
  for (int second = 0; second < 3600; second++) {
    sent += take_all(fixture, 1);
    clock_fake_add(&fixture->clock, NS_PER_S);
  }
  assert_in_range(sent, 60 * 30 - 30, 60 * 30 + 30);
}

static void a_batch_is_whole_and_is_waited_for(void **state) {
  struct fixture *fixture = *state;
  set(fixture, 1, 0, 100);
  assert_true(take(fixture, 1, SENTRY_LIMIT_LOG, 1000)); // ten minutes' worth
  assert_false(take(fixture, 1, SENTRY_LIMIT_LOG, 1));
  assert_in_range(fixture->note.wait_s[SENTRY_LIMIT_LOG], 540, 541);
  clock_fake_add(&fixture->clock, 541 * NS_PER_S);
  assert_true(take(fixture, 1, SENTRY_LIMIT_LOG, 1));
  set(fixture, 1, 0, 1);
  assert_true(take(fixture, 1, SENTRY_LIMIT_LOG, UINT64_MAX));
  assert_false(take(fixture, 1, SENTRY_LIMIT_LOG, 1));
  assert_in_range(fixture->note.wait_s[SENTRY_LIMIT_LOG], 3500, SENTRY_LIMIT_WAIT_MAX_S);
}

static void projects_and_categories_are_apart(void **state) {
  struct fixture *fixture = *state;
  const struct sentry_limit_rates rates[] = {{.project = 9, .per_minute = {2, 0, 0}},
                                             {.project = 3, .per_minute = {1, 1, 0}}};
  sentry_limit_set(fixture->limit, rates, 2);
  assert_int_equal(take_all(fixture, 3), 1);
  assert_int_equal(take_all(fixture, 9), 2);
  assert_true(take(fixture, 3, SENTRY_LIMIT_TRANSACTION, 1));
  assert_false(take(fixture, 3, SENTRY_LIMIT_TRANSACTION, 1));
  assert_true(take(fixture, 3, SENTRY_LIMIT_LOG, 1000));
  assert_true(take(fixture, 4, SENTRY_LIMIT_ERROR, 1000));
}

static void what_was_used_stays_used_under_the_same_rate(void **state) {
  struct fixture *fixture = *state;
  set(fixture, 1, 10, 0);
  assert_int_equal(take_all(fixture, 1), 10);
  set(fixture, 1, 10, 5);
  assert_int_equal(take_all(fixture, 1), 0);
  set(fixture, 1, 20, 5); // another rate begins anew
  assert_int_equal(take_all(fixture, 1), 20);
  set(fixture, 1, 0, 0);
  assert_true(take(fixture, 1, SENTRY_LIMIT_ERROR, 1));
}

static void what_has_no_rate_need_not_be_counted(void **state) {
  struct fixture *fixture = *state;
  assert_false(sentry_limit_has(fixture->limit, 1, SENTRY_LIMIT_LOG));
  set(fixture, 1, 0, 5);
  assert_true(sentry_limit_has(fixture->limit, 1, SENTRY_LIMIT_LOG));
  assert_false(sentry_limit_has(fixture->limit, 1, SENTRY_LIMIT_ERROR));
  assert_false(sentry_limit_has(fixture->limit, 2, SENTRY_LIMIT_LOG));
}

static void the_header_names_what_is_limited(void **state) {
  (void)state;
  char header[SENTRY_LIMIT_HEADER_BYTES];
  struct sentry_limit_note note = {.wait_s = {6, 0, 0}};
  sentry_limit_write(&note, header);
  assert_int_equal(sentry_limit_longest(&note), 6);
  assert_string_equal(header, "6:error;default:project:quota");
  note = (struct sentry_limit_note){.wait_s = {3600, 7, 3599}};
  sentry_limit_write(&note, header);
  assert_int_equal(sentry_limit_longest(&note), 3600);
  assert_string_equal(header,
                      "3600:error;default:project:quota, 7:transaction:project:quota, 3599:log_item:project:quota");
}

int main(void) {
#define LIMIT_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
  const struct CMUnitTest tests[] = {
      LIMIT_TEST(without_rates_everything_goes),
      LIMIT_TEST(a_minutes_worth_goes_at_once_and_then_nothing),
      LIMIT_TEST(the_wait_is_true),
      LIMIT_TEST(a_slow_rate_waits_for_its_next_unit),
      LIMIT_TEST(the_rate_holds_over_time),
      LIMIT_TEST(a_batch_is_whole_and_is_waited_for),
      LIMIT_TEST(projects_and_categories_are_apart),
      LIMIT_TEST(what_was_used_stays_used_under_the_same_rate),
      LIMIT_TEST(what_has_no_rate_need_not_be_counted),
      LIMIT_TEST(the_header_names_what_is_limited),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
