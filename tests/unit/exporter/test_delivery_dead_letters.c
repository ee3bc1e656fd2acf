// SPDX-License-Identifier: Apache-2.0
//
// What the backend refuses: split off, put aside, sent again when asked.
#include <dirent.h>

#include "tests/unit/exporter/delivery_fixture.h"

static uint32_t read_dead_letters(struct fixture *fixture, char reasons[8][64], char bodies[8][64]) {
  struct journal_options options = {.name = "dead",
                                    .directory = fixture->dead_directory,
                                    .quarantine_directory = fixture->quarantine,
                                    .clock = clock_system()};
  struct journal *journal;
  struct journal_reader *reader;
  struct journal_record record;
  struct buffer scratch;
  buffer_init(&scratch, 1 << 20);
  assert_int_equal(journal_open(&options, &journal, NULL), STATUS_OK);
  assert_int_equal(journal_reader_open(journal, 1, &reader), STATUS_OK);
  uint32_t count = 0;
  while (journal_reader_next(reader, &record) == STATUS_OK) {
    struct slice body;
    assert_true(count < 8);
    assert_int_equal(journal_record_body(&record, &scratch, &body), STATUS_OK);
    snprintf(reasons[count], 64, "%.*s", SLICE_PRINTF(record.section));
    snprintf(bodies[count], 64, "%.*s", SLICE_PRINTF(body));
    assert_int_equal(record.item_count, 2);
    assert_true(record.origin_sequence > 0);
    count++;
  }
  journal_reader_close(reader);
  journal_close(journal);
  buffer_finish(&scratch);
  return count;
}

// One bad record is found by sending its batch one by one; its neighbours arrive, each once, in order.
static void test_a_refused_batch_is_split(void **state) {
  struct fixture *fixture = *state;
  char reasons[8][64], bodies[8][64];
  snprintf(fixture->poison, sizeof(fixture->poison), "<003>");
  fixture->options.batch_bytes_max = 20;
  append_numbered(fixture, 1, 6);
  start(fixture);
  wait_sequence(fixture, 6);
  const char *const expected[] = {"<001><002><003><004>", "<001>", "<002>", "<003>", "<004>", "<005><006>"};
  assert_int_equal(fixture->call_count, 6);
  for (uint32_t i = 0; i < 6; i++) assert_sent(fixture, i, expected[i]);
  assert_int_equal(status_of(fixture).dead_items, 2);
  assert_int_equal(status_of(fixture).sent_items, 10);
  stop(fixture);
  assert_int_equal(read_dead_letters(fixture, reasons, bodies), 1);
  assert_string_equal(reasons[0], "INVALID_ARGUMENT: poison");
  assert_string_equal(bodies[0], "<003>");
}

static void wait_dead_letters(struct fixture *fixture, uint64_t count) {
  uint64_t end = clock_monotonic_ns(clock_system()) + DEADLINE;
  while (status_of(fixture).dead_letters != count) {
    assert_true(clock_monotonic_ns(clock_system()) < end);
    pause_briefly(fixture);
  }
}

static void test_dead_letters_go_again_when_asked(void **state) {
  struct fixture *fixture = *state;
  snprintf(fixture->poison, sizeof(fixture->poison), "<00");
  fixture->options.batch_bytes_max = 1; // each record alone
  append_numbered(fixture, 1, 3);
  start(fixture);
  wait_sequence(fixture, 3);
  wait_dead_letters(fixture, 3);
  // Still refused: a dead letter again, once.
  assert_int_equal(delivery_resend(fixture->delivery), 3);
  wait_calls(fixture, 6);
  uint64_t end = clock_monotonic_ns(clock_system()) + DEADLINE;
  while (status_of(fixture).dead_items < 12 || status_of(fixture).dead_letters != 3) {
    assert_true(clock_monotonic_ns(clock_system()) < end);
    pause_briefly(fixture);
  }
  // The first is taken after a retry; for the second the backend wants other credentials: it waits to be asked again.
  mutex_lock(&fixture->lock);
  fixture->poison[0] = 0;
  mutex_unlock(&fixture->lock);
  const struct delivery_result answers[] = {{.outcome = DELIVERY_RETRY, .reason = "UNAVAILABLE"},
                                            {.outcome = DELIVERY_DONE},
                                            {.outcome = DELIVERY_MISCONFIGURED, .reason = "UNAUTHENTICATED"},
                                            {.outcome = DELIVERY_DONE}};
  script(fixture, answers, 4);
  assert_int_equal(delivery_resend(fixture->delivery), 3);
  wait_calls(fixture, 9);
  wait_dead_letters(fixture, 2);
  append_numbered(fixture, 4, 4);
  wait_sequence(fixture, 4); // new records go on
  stop(fixture);
  start(fixture);
  assert_int_equal(status_of(fixture).dead_letters, 2);
  assert_int_equal(delivery_resend(fixture->delivery), 2);
  wait_dead_letters(fixture, 0);
  assert_int_equal(delivery_resend(fixture->delivery), 0);
  const char *const sent[] = {"<001>", "<001>", "<002>", "<004>", "<002>", "<003>"};
  for (uint32_t i = 0; i < 6; i++) assert_sent(fixture, 6 + i, sent[i]);
  assert_int_equal(fixture->call_count, 12);
  assert_int_equal(status_of(fixture).sequence, 4);
  assert_int_equal(metrics_get(metrics_series(fixture->metrics, METRICS_COUNTER, "culprit_exporter_resent_items_total",
                                              "exporter=\"otlp\"", "")),
                   6);
}

// Records 1 … count become dead letters; the backend takes them from now on, but for `heavy`.
static void make_dead_letters(struct fixture *fixture, uint32_t count, const char *heavy) {
  snprintf(fixture->poison, sizeof(fixture->poison), "<00");
  fixture->options.batch_bytes_max = 1; // each record alone
  append_numbered(fixture, 1, count);
  start(fixture);
  wait_dead_letters(fixture, count);
  mutex_lock(&fixture->lock);
  fixture->poison[0] = 0;
  snprintf(fixture->heavy, sizeof(fixture->heavy), "%s", heavy);
  mutex_unlock(&fixture->lock);
}

static void test_a_dead_letter_that_waits_holds_no_new_records(void **state) {
  struct fixture *fixture = *state;
  make_dead_letters(fixture, 3, "<002>");
  assert_int_equal(delivery_resend(fixture->delivery), 3);
  wait_calls(fixture, 6); // 1, and 2 at least twice
  wait_dead_letters(fixture, 2);
  append_numbered(fixture, 4, 6);
  wait_sequence(fixture, 6);
  assert_int_equal(status_of(fixture).dead_letters, 2); // the third keeps its place
  mutex_lock(&fixture->lock);
  fixture->heavy[0] = 0;
  mutex_unlock(&fixture->lock);
  wait_dead_letters(fixture, 0);
  wait_state(fixture, DELIVERY_IDLE);
  stop(fixture);
  assert_sent(fixture, fixture->call_count - 2, "<002>");
  assert_sent(fixture, fixture->call_count - 1, "<003>");
}

// Nobody is to be woken for a letter that was only asked for: nothing waits, so nothing fails.
static void test_a_misconfigured_resend_is_no_lasting_failure(void **state) {
  struct fixture *fixture = *state;
  make_dead_letters(fixture, 1, "");
  script(fixture, &(struct delivery_result){.outcome = DELIVERY_MISCONFIGURED, .reason = "UNAUTHENTICATED"}, 1);
  assert_int_equal(delivery_resend(fixture->delivery), 1);
  uint64_t end = clock_monotonic_ns(clock_system()) + DEADLINE;
  while (status_of(fixture).retried_requests < 1 || status_of(fixture).failing_since_ns > 0) {
    assert_true(clock_monotonic_ns(clock_system()) < end);
    pause_briefly(fixture);
  }
  wait_state(fixture, DELIVERY_IDLE);
  assert_string_equal(status_of(fixture).last_error, "UNAUTHENTICATED");
  assert_int_equal(status_of(fixture).dead_letters, 1);
}

static void remove_files(const char *path) {
  DIR *directory = opendir(path);
  assert_non_null(directory);
  for (struct dirent *entry; (entry = readdir(directory));) {
    char file[600];
    snprintf(file, sizeof(file), "%s/%s", path, entry->d_name);
    if (entry->d_name[0] != '.') assert_int_equal(unlink(file), 0);
  }
  closedir(directory);
}

static void test_dead_letters_begin_anew_when_they_were_removed(void **state) {
  struct fixture *fixture = *state;
  make_dead_letters(fixture, 3, "");
  assert_int_equal(delivery_resend(fixture->delivery), 3);
  wait_dead_letters(fixture, 0);
  stop(fixture);
  remove_files(fixture->dead_directory);
  snprintf(fixture->poison, sizeof(fixture->poison), "<004>");
  append_numbered(fixture, 4, 4);
  start(fixture);
  wait_dead_letters(fixture, 1);
  mutex_lock(&fixture->lock);
  fixture->poison[0] = 0;
  mutex_unlock(&fixture->lock);
  assert_int_equal(delivery_resend(fixture->delivery), 1);
  wait_dead_letters(fixture, 0);
  stop(fixture);
  assert_sent(fixture, fixture->call_count - 1, "<004>");
}

static void test_the_last_of_a_split_batch_goes_alone(void **state) {
  struct fixture *fixture = *state;
  snprintf(fixture->poison, sizeof(fixture->poison), "<002>");
  fixture->options.batch_bytes_max = 10;
  append_numbered(fixture, 1, 4);
  start(fixture);
  wait_sequence(fixture, 4);
  const char *const expected[] = {"<001><002>", "<001>", "<002>", "<003><004>"};
  assert_int_equal(fixture->call_count, 4);
  for (uint32_t i = 0; i < 4; i++) assert_sent(fixture, i, expected[i]);
}

static void test_too_large_is_split_and_then_dead(void **state) {
  struct fixture *fixture = *state;
  char reasons[8][64], bodies[8][64];
  const struct delivery_result results[] = {{.outcome = DELIVERY_TOO_LARGE, .reason = "too much"},
                                            {.outcome = DELIVERY_TOO_LARGE, .reason = "still too much"},
                                            {.outcome = DELIVERY_DONE}};
  script(fixture, results, 3);
  append_numbered(fixture, 1, 2);
  start(fixture);
  wait_sequence(fixture, 2);
  assert_int_equal(fixture->call_count, 3);
  assert_sent(fixture, 2, "<002>");
  stop(fixture);
  assert_int_equal(read_dead_letters(fixture, reasons, bodies), 1);
  assert_string_equal(reasons[0], "still too much");
}

// Two are put aside; then it holds what it has until someone mends the configuration.
static void test_misconfiguration_pauses(void **state) {
  struct fixture *fixture = *state;
  char reasons[8][64], bodies[8][64];
  fixture->options.batch_bytes_max = 5;
  const struct delivery_result wrong = {.outcome = DELIVERY_MISCONFIGURED, .reason = "UNAUTHENTICATED: no"};
  script(fixture, &wrong, 1);
  append_numbered(fixture, 1, 5);
  start(fixture);
  wait_calls(fixture, 6);
  wait_state(fixture, DELIVERY_PAUSED);
  assert_int_equal(status_of(fixture).sequence, 2);
  assert_int_equal(status_of(fixture).dead_items, 4);
  for (uint32_t i = 2; i < 6; i++) assert_sent(fixture, i, "<003>");
  script(fixture, &(struct delivery_result){.outcome = DELIVERY_DONE}, 1);
  wait_sequence(fixture, 5);
  wait_state(fixture, DELIVERY_IDLE);
  assert_int_equal(status_of(fixture).sent_items, 6);
  // Mended means mended: the next fault is a first one again.
  const struct delivery_result once[] = {wrong, {.outcome = DELIVERY_DONE}};
  script(fixture, once, 2);
  append_numbered(fixture, 6, 7);
  wait_sequence(fixture, 7);
  assert_int_equal(status_of(fixture).dead_items - 4 + (status_of(fixture).sent_items - 6), 4);
  stop(fixture);
  assert_true(read_dead_letters(fixture, reasons, bodies) >= 3);
  assert_string_equal(reasons[0], wrong.reason);
  assert_string_equal(bodies[0], "<001>");
  assert_string_equal(bodies[1], "<002>");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_dead_letters_go_again_when_asked),
      TEST(test_a_dead_letter_that_waits_holds_no_new_records),
      TEST(test_a_misconfigured_resend_is_no_lasting_failure),
      TEST(test_dead_letters_begin_anew_when_they_were_removed),
      TEST(test_a_refused_batch_is_split),
      TEST(test_the_last_of_a_split_batch_goes_alone),
      TEST(test_too_large_is_split_and_then_dead),
      TEST(test_misconfiguration_pauses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
