// SPDX-License-Identifier: Apache-2.0
//
// Order, batches, failures and the cursor of a delivery.
#include "tests/unit/exporter/delivery_fixture.h"

// --- order and batches ----------------------------------------------------------------------------------------------

static void test_batches_are_of_one_kind_and_in_order(void **state) {
  struct fixture *fixture = *state;
  append(fixture, JOURNAL_TRACES, "a", 1);
  append(fixture, JOURNAL_TRACES, "b", 2);
  append(fixture, JOURNAL_METRICS, "not wanted", 9);
  append(fixture, JOURNAL_TRACES, "c", 3);
  append(fixture, JOURNAL_LOGS, "l", 4);
  append(fixture, JOURNAL_LOGS, "m", 5);
  append(fixture, JOURNAL_TRACES, "d", 6);
  append(fixture, JOURNAL_METRICS, "not wanted either", 9);
  start(fixture);
  wait_sequence(fixture, 8); // what is passed over moves the cursor, too
  assert_int_equal(fixture->call_count, 3);
  assert_sent(fixture, 0, "abc");
  assert_sent(fixture, 1, "lm");
  assert_sent(fixture, 2, "d");
  assert_int_equal(fixture->calls[0].kind, JOURNAL_TRACES);
  assert_int_equal(fixture->calls[1].kind, JOURNAL_LOGS);
  wait_state(fixture, DELIVERY_IDLE);
  assert_int_equal(status_of(fixture).sent_items, 21);
  assert_int_equal(status_of(fixture).oldest_wall_ns, 0);
  append(fixture, JOURNAL_TRACES, "live", 1); // wakes it
  wait_sequence(fixture, 9);
  assert_sent(fixture, 3, "live");
}

static void test_a_batch_has_a_size(void **state) {
  struct fixture *fixture = *state;
  fixture->options.batch_bytes_max = 10;
  append_numbered(fixture, 1, 5); // five bytes each
  append(fixture, JOURNAL_TRACES, "longer than a batch may be", 1);
  append_numbered(fixture, 7, 7);
  start(fixture);
  wait_sequence(fixture, 7);
  const char *const expected[] = {"<001><002>", "<003><004>", "<005>", "longer than a batch may be", "<007>"};
  assert_int_equal(fixture->call_count, 5);
  for (uint32_t i = 0; i < 5; i++) assert_sent(fixture, i, expected[i]);
}

static void test_compressed_bodies_are_sent_plain(void **state) {
  struct fixture *fixture = *state;
  char body[5000];
  memset(body, 'x', sizeof(body) - 1);
  body[sizeof(body) - 1] = 0;
  append(fixture, JOURNAL_TRACES, body, 1);
  append(fixture, JOURNAL_TRACES, body, 1);
  start(fixture);
  wait_sequence(fixture, 2);
  assert_int_equal(fixture->calls[0].len, 2 * strlen(body));
}

// --- failures -------------------------------------------------------------------------------------------------------

static void test_the_same_is_tried_again(void **state) {
  struct fixture *fixture = *state;
  const struct delivery_result results[] = {{.outcome = DELIVERY_RETRY, .reason = "UNAVAILABLE: away"},
                                            {.outcome = DELIVERY_RETRY, .retry_after_ns = 1, .reason = "busy"},
                                            {.outcome = DELIVERY_RETRY, .reason = "busy"},
                                            {.outcome = DELIVERY_DONE, .rejected = 3, .reason = "three are bad"},
                                            {.outcome = DELIVERY_DONE}};
  script(fixture, results, 5);
  append_numbered(fixture, 1, 2);
  start(fixture);
  wait_sequence(fixture, 2);
  assert_int_equal(fixture->call_count, 4);
  for (uint32_t i = 0; i < 4; i++) assert_sent(fixture, i, "<001><002>");
  struct delivery_status status = status_of(fixture);
  assert_int_equal(status.retried_requests, 3);
  assert_int_equal(status.sent_items, 1);
  assert_int_equal(status.rejected_items, 3);
  assert_int_equal(status.dead_items, 0);
  assert_int_equal(status.failing_since_ns, 0);
  append_numbered(fixture, 3, 3);
  wait_sequence(fixture, 3);
  assert_string_equal(status_of(fixture).last_error, "");
}

// The backend asks for ten minutes, the back-off could be an hour: stop does not wait for either. Nothing is skipped.
static void test_stop_ends_the_back_off(void **state) {
  struct fixture *fixture = *state;
  fixture->options.backoff_min_ns = fixture->options.backoff_max_ns = 3600 * NS_PER_S;
  for (uint64_t after = 0; after < 2; after++) {
    const struct delivery_result result = {
        .outcome = DELIVERY_RETRY, .retry_after_ns = after * 3600 * NS_PER_S, .reason = "away"};
    script(fixture, &result, 1);
    if (after == 0) append_numbered(fixture, 1, 1);
    start(fixture);
    wait_state(fixture, DELIVERY_RETRYING);
    assert_string_equal(status_of(fixture).last_error, "away");
    assert_true(status_of(fixture).failing_since_ns > 0);
    assert_int_equal(status_of(fixture).oldest_wall_ns, 12345);
    assert_int_equal(delivery_floor(fixture->delivery), 1);
    stop(fixture); // would run into the test's time limit
    assert_int_equal(fixture->call_count, after + 1);
    assert_int_equal(fixture->destroyed, after + 1);
  }
  script(fixture, &(struct delivery_result){.outcome = DELIVERY_DONE}, 1);
  start(fixture);
  wait_sequence(fixture, 1);
}

// From the first failure on.
static void test_the_longest_back_off_bounds_the_shortest(void **state) {
  struct fixture *fixture = *state;
  fixture->options.backoff_min_ns = 3600 * NS_PER_S;
  fixture->options.backoff_max_ns = NS_PER_MS;
  const struct delivery_result results[] = {{.outcome = DELIVERY_RETRY, .reason = "away"}, {.outcome = DELIVERY_DONE}};
  script(fixture, results, 2);
  append_numbered(fixture, 1, 1);
  start(fixture);
  wait_sequence(fixture, 1);
}

// --- the cursor -----------------------------------------------------------------------------------------------------

static void test_a_restart_resumes(void **state) {
  struct fixture *fixture = *state;
  append_numbered(fixture, 1, 3);
  start(fixture);
  wait_sequence(fixture, 3);
  stop(fixture);
  struct cursor_file *cursor;
  uint64_t sequence;
  assert_int_equal(cursor_file_open(fixture->temporary->directory, "otlp", &cursor, &sequence, NULL), STATUS_OK);
  cursor_file_close(cursor);
  assert_int_equal(sequence, 3);
  journal_close(fixture->journal);
  open_journal(fixture);
  fixture->options.journal = fixture->journal;
  append_numbered(fixture, 4, 5);
  start(fixture);
  assert_in_range(delivery_floor(fixture->delivery), 4, 6); // both may be there already
  wait_sequence(fixture, 5);
  assert_int_equal(fixture->call_count, 2);
  assert_sent(fixture, 1, "<004><005>");
}

// The floor is what a crash cannot take back: it moves with the saved cursor, at most once a second of the clock.
static void test_the_floor_follows_the_saved_cursor(void **state) {
  struct fixture *fixture = *state;
  struct clock_fake clock;
  clock_fake_init(&clock, UINT64_C(1763700000000000000));
  fixture->options.clock = &clock.clock;
  clock_fake_add(&clock, 10 * NS_PER_S);
  append_numbered(fixture, 1, 1);
  start(fixture);
  uint64_t end = clock_monotonic_ns(clock_system()) + DEADLINE;
  while (delivery_floor(fixture->delivery) != 2) {
    assert_true(clock_monotonic_ns(clock_system()) < end);
    pause_briefly(fixture);
  }
  append_numbered(fixture, 2, 2);
  wait_sequence(fixture, 2);
  wait_state(fixture, DELIVERY_IDLE);
  assert_int_equal(delivery_floor(fixture->delivery), 2); // the time stands still
  clock_fake_add(&clock, 2 * NS_PER_S);
  append_numbered(fixture, 3, 3);
  while (delivery_floor(fixture->delivery) != 4) {
    assert_true(clock_monotonic_ns(clock_system()) < end);
    pause_briefly(fixture);
  }
  stop(fixture);
}

static void test_an_unusable_directory(void **state) {
  struct fixture *fixture = *state;
  fixture->options.cursor_directory = "/nonexistent";
  struct error error = {""};
  assert_int_equal(delivery_start(&fixture->options, &fixture->delivery, &error), STATUS_IO);
  assert_int_equal(fixture->destroyed, 1); // the transport is the delivery's, whatever happens
  assert_null(fixture->delivery);
  assert_string_equal(delivery_state_name(DELIVERY_PAUSED), "paused");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_batches_are_of_one_kind_and_in_order),
      TEST(test_a_batch_has_a_size),
      TEST(test_compressed_bodies_are_sent_plain),
      TEST(test_the_same_is_tried_again),
      TEST(test_stop_ends_the_back_off),
      TEST(test_the_longest_back_off_bounds_the_shortest),
      TEST(test_a_restart_resumes),
      TEST(test_the_floor_follows_the_saved_cursor),
      TEST(test_an_unusable_directory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
