// SPDX-License-Identifier: Apache-2.0
//
// What goes in as OTLP or as SDK events must come out as issues, once.
#include "collector/inbox_pace.h"
#include "tests/unit/collector/inbox_thread_fixture.h"

static void an_exception_becomes_an_issue(void **state) {
  struct fixture *fixture = *state;
  start(fixture);
  append_span(fixture, 1, base_ns(), "ValueError", "bad cart");
  settle(fixture);
  assert_int_equal(ask(fixture, "SELECT count FROM issue WHERE title = 'ValueError: bad cart'"), 1);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM issue WHERE type = 'ValueError' AND value = 'bad cart' AND "
                                "level = 'error'"),
                   1);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM event WHERE service = 'checkout' AND environment = 'production' "
                                "AND request_id = 'r-1' AND source = 1 AND hex(trace_id) = "
                                "'5B8EFFF798038103D269B63300000001' AND hex(span_id) = 'EEE19B7E00000001'"),
                   1);
  assert_true(ask(fixture, "SELECT count(*) FROM issue_hash") >= 1);
  assert_int_equal(inbox_counts(fixture->inbox).events, 1);
  assert_int_equal(inbox_counts(fixture->inbox).issues, 1);
  assert_int_equal(inbox_counts(fixture->inbox).lag_records, 0);
}

static void healthy_records_move_the_cursor_only(void **state) {
  struct fixture *fixture = *state;
  start(fixture);
  for (int i = 0; i < 5; i++) append_healthy(fixture);
  settle(fixture);
  assert_int_equal(ask(fixture, "SELECT sequence FROM cursor WHERE name = 'inbox'"), 6);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM issue"), 0);
}

static void span_event_and_log_are_one_event(void **state) {
  struct fixture *fixture = *state;
  start(fixture);
  uint64_t at_ns = base_ns();
  append_span(fixture, 1, at_ns, "ValueError", "bad cart");
  append_log(fixture, 1, at_ns + 500, "ValueError", "bad cart");
  append_log(fixture, 2, at_ns, "KeyError", "other"); // here the log comes first
  append_span(fixture, 2, at_ns + 800, "KeyError", "other");
  settle(fixture);
  assert_int_equal(ask(fixture, "SELECT sum(count) FROM issue"), 2);
  assert_int_equal(inbox_counts(fixture->inbox).duplicates, 2);
}

static void what_is_sent_again_changes_nothing(void **state) {
  struct fixture *fixture = *state;
  start(fixture);
  uint64_t at_ns = base_ns();
  for (int i = 0; i < 3; i++) append_span(fixture, 1, at_ns, "ValueError", "bad cart"); // the client had no answer
  append_event(fixture, "{\"event_id\":\"fc6d8c0c43fc4630ad850ee518f1b9d0\",\"message\":\"hello\"}");
  append_event(fixture, "{\"event_id\":\"fc6d8c0c43fc4630ad850ee518f1b9d0\",\"message\":\"hello\"}");
  settle(fixture);
  assert_int_equal(ask(fixture, "SELECT sum(count) FROM issue"), 2);
  assert_int_equal(inbox_counts(fixture->inbox).resent, 3);
  append_span(fixture, 1, at_ns + 1, "ValueError", "bad cart"); // the same again at another time is another one
  settle(fixture);
  assert_int_equal(ask(fixture, "SELECT sum(count) FROM issue"), 3);
}

static void sdk_events_are_taken(void **state) {
  struct fixture *fixture = *state;
  start(fixture);
  append_event(
      fixture,
      "{\"event_id\":\"fc6d8c0c43fc4630ad850ee518f1b9d0\",\"platform\":\"python\",\"level\":\"fatal\","
      "\"exception\":{\"values\":[{\"type\":\"KeyError\",\"value\":\"x\"}]},\"tags\":{\"browser\":\"Firefox\"},"
      "\"contexts\":{\"trace\":{\"trace_id\":\"" TRACE_ID "\",\"span_id\":\"eee19b7ec3c1b174\"}}}");
  append_event(fixture, "[{\"event_id\":\"00000000000000000000000000000001\",\"message\":\"one\"},"
                        "{\"event_id\":\"00000000000000000000000000000002\",\"message\":\"two\"}]");
  settle(fixture);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM event WHERE source = 3"), 3);
  assert_int_equal(ask(fixture,
                       "SELECT count(*) FROM event WHERE hex(event_id) = 'FC6D8C0C43FC4630AD850EE518F1B9D0' AND "
                       "level = 'fatal' AND platform = 'python' AND hex(span_id) = 'EEE19B7EC3C1B174'"),
                   1);
  assert_int_equal(ask(fixture, "SELECT count FROM issue_tag WHERE key = 'browser' AND value = 'Firefox'"), 1);
}

static void what_comes_beside_events_is_taken_once(void **state) {
  struct fixture *fixture = *state;
  start(fixture);
  append_event(fixture, "{\"event_id\":\"00000000000000000000000000000001\",\"message\":\"hello\"}");
  append_items(fixture, 1, 2, 0);
  append_items(fixture, 1, 0, 3);
  settle(fixture);
  stop(fixture);
  start(fixture);
  settle(fixture);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM attachment JOIN event USING (event_id, project_id)"), 2);
  assert_int_equal(ask(fixture, "SELECT quantity FROM discarded"), 3);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM issue"), 1);
  assert_int_equal(inbox_counts(fixture->inbox).quarantined, 0);
}

static void items_of_many_records_fill_many_batches(void **state) {
  struct fixture *fixture = *state;
  for (unsigned number = 1; number <= 40; number++) {
    append_items(fixture, number, 30, 0);
    append_items(fixture, number, 0, 201);
  }
  start(fixture);
  settle(fixture);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM attachment"), 40 * 30);
  assert_int_equal(ask(fixture, "SELECT quantity FROM discarded"), 40 * 201);
}

static void a_record_may_hold_more_errors_than_a_batch(void **state) {
  struct fixture *fixture = *state;
  struct buffer json;
  buffer_init(&json, 4 << 20);
  buffer_append_cstr(&json, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[");
  for (int i = 0; i < 1300; i++)
    buffer_printf(&json, "%s{\"severityNumber\":17,\"body\":{\"stringValue\":\"failed\"}}", i ? "," : "");
  buffer_append_cstr(&json, "]}]}]}");
  buffer_append_byte(&json, 0);
  start(fixture);
  append_otlp(fixture, OTLP_LOGS, (const char *)json.ptr);
  settle(fixture);
  assert_int_equal(ask(fixture, "SELECT sum(count) FROM issue"), 1300);
  assert_true(ask(fixture, "SELECT count(*) FROM event") <= 101);
  buffer_finish(&json);
}

static void old_events_expire(void **state) {
  struct fixture *fixture = *state;
  start(fixture);
  for (unsigned i = 0; i < 3; i++) append_span(fixture, i, base_ns(), "ValueError", "bad cart");
  settle(fixture);
  stop(fixture);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM event"), 3);
  fixture->retention_ns = 1;
  start(fixture); // retention comes first thing
  append_healthy(fixture);
  settle(fixture);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM event"), 0);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM issue"), 0);
}

// The document of the newest event.
static void assert_document(struct fixture *fixture, const char *grouping_start, const char *part) {
  struct buffer text;
  struct error error = {0};
  struct slice grouping, document;
  buffer_init(&text, 8 << 20);
  int64_t row = ask(fixture, "SELECT max(id) FROM event");
  struct connection *reader = database_read_begin(fixture->database, &error);
  assert_non_null(reader);
  assert_true(issue_query_document(reader, row, &text, &grouping, &document));
  assert_int_equal(database_read_end(fixture->database, reader, &error), STATUS_OK);
  assert_true(slice_starts_with(grouping, slice_from_cstr(grouping_start)));
  assert_true(slice_starts_with(document, SLICE_LITERAL("{\"event_id\":")));
  assert_true(slice_find(document, slice_from_cstr(part)) < document.len);
  buffer_finish(&text);
}

// What the door made of an event is what is stored, whether the journal compressed it or not, and beside an event of
// the same error that the inbox parsed itself it is in one issue.
static void what_the_door_digested_is_counted_and_stored(void **state) {
  struct fixture *fixture = *state;
  start(fixture);
  append_event(fixture,
               "{\"event_id\":\"00000000000000000000000000000001\",\"level\":\"fatal\",\"exception\":[{\"type\":"
               "\"KeyError\",\"value\":\"'a'\"}]}");
  append_digested(fixture, "{\"event_id\":\"00000000000000000000000000000002\",\"exception\":[{\"type\":\"KeyError\","
                           "\"value\":\"'a'\"}],\"tags\":{\"region\":\"eu\"},\"environment\":\"live\"}");
  settle(fixture);
  assert_document(fixture, "{\"algorithm\":", "\"environment\":\"live\"");
  char large[20000] =
      "{\"event_id\":\"00000000000000000000000000000003\",\"exception\":[{\"type\":\"KeyError\",\"value\":"
      "\"'a'\"}],\"extra\":{\"text\":\"";
  size_t len = strlen(large);
  memset(large + len, 'x', 15000);
  snprintf(large + len + 15000, sizeof large - len - 15000, "\",\"end\":1}}");
  append_digested(fixture, large);
  append_digested(fixture, large); // sent again
  settle(fixture);
  assert_document(fixture, "{\"algorithm\":", "\"end\":1}");
  assert_int_equal(ask(fixture, "SELECT count(*) FROM issue"), 1);
  assert_int_equal(ask(fixture, "SELECT count FROM issue"), 3);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM event"), 3);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM event WHERE environment = 'live' AND source = 3"), 1);
  assert_int_equal(ask(fixture, "SELECT count FROM issue_tag WHERE key = 'region' AND value = 'eu'"), 1);
  assert_int_equal(inbox_counts(fixture->inbox).resent, 1);
  assert_int_equal(inbox_counts(fixture->inbox).quarantined, 0);
  stop(fixture);
}

// An event of an SDK is of the service it names, else of its project, also when the inbox parses it itself; an
// exception of OpenTelemetry is of the service of its resource alone.
static void every_event_of_an_sdk_has_a_service(void **state) {
  struct fixture *fixture = *state;
  struct project shop;
  struct error error = {0};
  start(fixture);
  assert_int_equal(project_store_create(fixture->database, clock_system(), SLICE_LITERAL("shop"), &shop, &error),
                   STATUS_OK);
  append_digested(fixture, "{\"event_id\":\"00000000000000000000000000000001\",\"message\":\"a\"}");
  append_digested_to(fixture, shop.id, "{\"event_id\":\"00000000000000000000000000000002\",\"message\":\"b\"}");
  append_digested_to(fixture, shop.id,
                     "{\"event_id\":\"00000000000000000000000000000003\",\"message\":\"c\",\"release\":\"cart@1.2\"}");
  append_digested_to(fixture, shop.id,
                     "{\"event_id\":\"00000000000000000000000000000004\",\"message\":\"d\",\"release\":\"cart@1.2\","
                     "\"tags\":{\"service\":\"pay\"}}");
  append_event(fixture, "{\"event_id\":\"00000000000000000000000000000005\",\"message\":\"e\"}");
  append_digested_to(fixture, 99, "{\"event_id\":\"00000000000000000000000000000006\",\"message\":\"f\"}");
  settle(fixture);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM event"), 6);
  static const char *const services[] = {"default", "shop", "cart", "pay", "default"};
  for (int i = 0; i < 5; i++) {
    char sql[200];
    snprintf(sql, sizeof sql, "SELECT count(*) FROM event WHERE hex(event_id) LIKE '%%%d' AND service = '%s'", i + 1,
             services[i]);
    if (ask(fixture, sql) != 1) fail_msg("event %d is not of %s", i + 1, services[i]);
  }
  assert_int_equal(ask(fixture, "SELECT service IS NULL FROM event WHERE project_id = 99"), 1); // it is not there
  assert_int_equal(ask(fixture, "SELECT count(*) FROM known_value WHERE key = 'service'"), 4);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM issue_tag WHERE key = 'service' AND value = 'shop'"), 1);
  stop(fixture);
}

#define INBOX_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

static void append_numbered(struct fixture *fixture, uint32_t project, unsigned number) {
  char json[200];
  snprintf(json, sizeof json, "{\"event_id\":\"%032x\",\"message\":\"project %u\"}", number, project);
  append_digested_to(fixture, project, json);
}

// The inbox's clock goes on by a millisecond with each event of the flood, so that a batch of it would be written after
// INBOX_PACE_VISIBLE_NS, some 700 of them. The other project's event does not wait for that.
static void the_flood_of_one_project_does_not_hold_up_another(void **state) {
  struct fixture *fixture = *state;
  struct clock_fake clock;
  clock_fake_init(&clock, clock_wall_ns(clock_system()));
  fixture->clock = &clock.clock;
  unsigned number = 0, waited_ms = 0;
  while (number < 2 * INBOX_PACE_FLOOD) append_numbered(fixture, 1, ++number);
  append_numbered(fixture, 2, ++number);
  start(fixture);
  while (ask(fixture, "SELECT count(*) FROM event WHERE project_id = 2") == 0 && waited_ms < 600) {
    append_numbered(fixture, 1, ++number);
    clock_fake_add(&clock, NS_PER_MS);
    waited_ms++;
  }
  assert_in_range(waited_ms, 0, 599);
  // And the flood's events that were read before it are there with it: one transaction, one cursor.
  assert_true(ask(fixture, "SELECT count FROM issue WHERE project_id = 1") >= 2 * INBOX_PACE_FLOOD);
  stop(fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      INBOX_TEST(an_exception_becomes_an_issue),
      INBOX_TEST(what_the_door_digested_is_counted_and_stored),
      INBOX_TEST(every_event_of_an_sdk_has_a_service),
      INBOX_TEST(healthy_records_move_the_cursor_only),
      INBOX_TEST(span_event_and_log_are_one_event),
      INBOX_TEST(what_is_sent_again_changes_nothing),
      INBOX_TEST(sdk_events_are_taken),
      INBOX_TEST(what_comes_beside_events_is_taken_once),
      INBOX_TEST(items_of_many_records_fill_many_batches),
      INBOX_TEST(a_record_may_hold_more_errors_than_a_batch),
      INBOX_TEST(old_events_expire),
      INBOX_TEST(the_flood_of_one_project_does_not_hold_up_another),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
