// SPDX-License-Identifier: Apache-2.0
//
// Restarts, deaths in the middle of a write, databases that refuse, records that cannot be read: every error still
// comes out once.
#include "tests/unit/collector/inbox_thread_fixture.h"

static void a_restart_goes_on_at_the_cursor(void **state) {
  struct fixture *fixture = *state;
  uint64_t at_ns = base_ns();
  for (unsigned round = 0; round < 4; round++) {
    start(fixture);
    for (unsigned i = 0; i < 5; i++) append_span(fixture, round * 10 + i, at_ns, "ValueError", "bad cart");
    if (round % 2 == 0) settle(fixture); // else stopped in the middle
    stop(fixture);
    close_store(fixture);
    open_store(fixture);
  }
  start(fixture);
  settle(fixture);
  assert_int_equal(ask(fixture, "SELECT sum(count) FROM issue"), 20);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM event"), 20);
}

static void a_lost_cursor_counts_nothing_twice(void **state) {
  struct fixture *fixture = *state;
  start(fixture);
  uint64_t at_ns = base_ns();
  for (unsigned i = 0; i < 5; i++) append_span(fixture, i, at_ns, "ValueError", "bad cart");
  append_otlp(fixture, OTLP_LOGS,
              "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"severityNumber\":17,\"body\":{\"stringValue\":"
              "\"no trace\"}},{\"severityNumber\":17,\"body\":{\"stringValue\":\"no trace\"}}]}]}]}");
  settle(fixture);
  stop(fixture);
  execute(fixture, "UPDATE cursor SET sequence = 1");
  start(fixture);
  settle(fixture);
  assert_int_equal(ask(fixture, "SELECT sum(count) FROM issue"), 7);
  assert_int_equal(inbox_counts(fixture->inbox).resent, 7);
}

static void items_that_cannot_be_read_are_put_aside(void **state) {
  struct fixture *fixture = *state;
  start(fixture);
  append(fixture, JOURNAL_ITEMS, (struct slice){0}, SLICE_LITERAL("{}\n{\"type\":\"feedback\",\"length\":0}\n\n"));
  append(fixture, JOURNAL_ITEMS, (struct slice){0}, SLICE_LITERAL("\xff"));
  append_items(fixture, 1, 1, 0);
  settle(fixture);
  assert_int_equal(inbox_counts(fixture->inbox).quarantined, 2);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM attachment"), 1);
}

static void a_locked_database_delays_and_loses_nothing(void **state) {
  struct fixture *fixture = *state;
  struct connection *other = NULL;
  struct error error = {0};
  start(fixture);
  assert_int_equal(connection_open(fixture->database_path, CONNECTION_WRITE, &other, &error), STATUS_OK);
  assert_int_equal(connection_begin(other), STATUS_OK);
  for (unsigned i = 0; i < 5; i++) append_span(fixture, i, base_ns(), "ValueError", "bad cart");
  const struct timespec pause = {.tv_nsec = 2000000};
  for (int i = 0; i < 10000 && inbox_counts(fixture->inbox).failures == 0; i++) nanosleep(&pause, NULL);
  assert_true(inbox_counts(fixture->inbox).failing);
  assert_int_equal(inbox_cursor(fixture->inbox), 1);
  connection_rollback(other);
  connection_close(other);
  settle(fixture);
  assert_int_equal(ask(fixture, "SELECT sum(count) FROM issue"), 5);
  // The rows are there a moment before the thread says so.
  for (int i = 0; i < 10000 && inbox_counts(fixture->inbox).failing; i++) nanosleep(&pause, NULL);
  assert_false(inbox_counts(fixture->inbox).failing);
}

static void a_record_the_database_refuses_is_put_aside_alone(void **state) {
  struct fixture *fixture = *state;
  // The database will refuse a second issue of the same title.
  execute(fixture, "CREATE UNIQUE INDEX refusal ON issue (title)");
  for (unsigned i = 0; i < 8; i++) {
    char json[200];
    snprintf(json, sizeof json,
             "{\"event_id\":\"0000000000000000000000000000000%u\",\"fingerprint\":[\"f%u\"],\"title\":\"%s\","
             "\"message\":\"%s\"}",
             i, i, i == 4 || i == 2 ? "same" : "",
             i == 4 || i == 2 ? "same" : (const char *[]){"a", "b", "", "d", "", "f", "g", "h"}[i]);
    append_event(fixture, json);
  }
  start(fixture);
  settle(fixture);
  assert_int_equal(ask(fixture, "SELECT sum(count) FROM issue"), 7);
  assert_int_equal(inbox_counts(fixture->inbox).quarantined, 1);
  append_event(fixture, "{\"event_id\":\"00000000000000000000000000000009\",\"message\":\"after\"}");
  settle(fixture);
  assert_int_equal(ask(fixture, "SELECT sum(count) FROM issue"), 8);
}

static void a_poison_record_is_stepped_over(void **state) {
  struct fixture *fixture = *state;
  for (unsigned i = 1; i <= 3; i++) append_span(fixture, i, base_ns(), "ValueError", "bad cart");
  for (int death = 0; death < 2; death++) { // as two runs that died on record 2 leave it
    struct inbox_attempt *attempt = NULL;
    assert_int_equal(inbox_attempt_open(fixture->attempt_path, &attempt, NULL), STATUS_OK);
    inbox_attempt_begin(attempt, 2, 2);
    inbox_attempt_close(attempt);
  }
  start(fixture);
  settle(fixture);
  assert_int_equal(ask(fixture, "SELECT sum(count) FROM issue"), 2);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM event WHERE request_id = 'r-2'"), 0);
  assert_int_equal(inbox_counts(fixture->inbox).quarantined, 1);
}

static void after_a_death_in_a_write_records_go_one_by_one(void **state) {
  struct fixture *fixture = *state;
  for (unsigned i = 1; i <= 5; i++) append_span(fixture, i, base_ns(), "ValueError", "bad cart");
  struct inbox_attempt *attempt = NULL;
  assert_int_equal(inbox_attempt_open(fixture->attempt_path, &attempt, NULL), STATUS_OK);
  inbox_attempt_begin(attempt, 1, 4);
  inbox_attempt_close(attempt);
  start(fixture);
  settle(fixture);
  assert_int_equal(ask(fixture, "SELECT sum(count) FROM issue"), 5);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM recent_events"), 5); // a transaction each
}

static void what_cannot_be_read_is_put_aside(void **state) {
  struct fixture *fixture = *state;
  start(fixture);
  append_event(fixture, "{\"message\":");
  append_event(fixture, "17");
  append(fixture, JOURNAL_TRACES, (struct slice){0}, SLICE_LITERAL("\x0a\xff")); // neither section nor body make sense
  append_event(fixture, "{\"event_id\":\"00000000000000000000000000000009\",\"message\":\"after\"}");
  settle(fixture);
  assert_int_equal(inbox_counts(fixture->inbox).quarantined, 3);
  assert_int_equal(ask(fixture, "SELECT sum(count) FROM issue"), 1);
}

static void another_journal_than_the_cursor_knows(void **state) {
  struct fixture *fixture = *state;
  struct error error = {0};
  assert_int_equal(cursor_store_save(fixture->database, "inbox", 1000000, &error), STATUS_OK);
  start(fixture);
  append_span(fixture, 1, base_ns(), "ValueError", "bad cart");
  settle(fixture);
  assert_int_equal(ask(fixture, "SELECT sum(count) FROM issue"), 1);
}

// A record that says it has a summary and has none that can be read is put aside, the next one is taken.
static void a_broken_summary_is_put_aside(void **state) {
  struct fixture *fixture = *state;
  struct record_item item = {.trace = RECORD_NO_TRACE, .flags = RECORD_ITEM_ERROR};
  struct buffer section;
  buffer_init(&section, 4096);
  assert_int_equal(record_facts_encode(0, NULL, 0, &item, 1, NULL, 0, &section), STATUS_OK);
  record_facts_announce_more(section.ptr);
  buffer_append_cstr(&section, "no summary");
  start(fixture);
  append(fixture, JOURNAL_EVENTS, buffer_slice(&section), SLICE_LITERAL("{}\n{}"));
  append_digested(fixture, "{\"event_id\":\"00000000000000000000000000000002\",\"message\":\"m\"}");
  settle(fixture);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM event"), 1);
  assert_int_equal(inbox_counts(fixture->inbox).quarantined, 1);
  stop(fixture);
  buffer_finish(&section);
}

#define INBOX_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      INBOX_TEST(a_broken_summary_is_put_aside),
      INBOX_TEST(a_restart_goes_on_at_the_cursor),
      INBOX_TEST(a_lost_cursor_counts_nothing_twice),
      INBOX_TEST(items_that_cannot_be_read_are_put_aside),
      INBOX_TEST(a_locked_database_delays_and_loses_nothing),
      INBOX_TEST(a_record_the_database_refuses_is_put_aside_alone),
      INBOX_TEST(a_poison_record_is_stepped_over),
      INBOX_TEST(after_a_death_in_a_write_records_go_one_by_one),
      INBOX_TEST(what_cannot_be_read_is_put_aside),
      INBOX_TEST(another_journal_than_the_cursor_knows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
