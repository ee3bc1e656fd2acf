// SPDX-License-Identifier: Apache-2.0
//
// The inbox thread between a real intake journal and a real database: what goes in as OTLP or as SDK events must come
// out as issues, once, whatever happens in between.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <time.h>

#include <cmocka.h>

#include "collector/event_digest.h"
#include "collector/inbox.h"
#include "collector/inbox_attempt.h"
#include "processor/payload_facts.h"
#include "proto/otlp_json.h"
#include "proto/sentry_item.h"
#include "store/cursor_store.h"
#include "store/issue_query.h"
#include "store/project_store.h"
#include "store/record_facts.h"
#include "tests/unit/store/temporary.h"

struct fixture {
  struct temporary *temporary;
  char database_path[512], attempt_path[512], journal_path[512], quarantine_path[512];
  struct metrics *metrics;
  struct sampling *sampling;
  struct correlation *correlation;
  struct grouping_config *grouping;
  struct payload_facts *facts;
  struct json_parser *parser;
  struct journal *journal;
  struct database *database;
  struct issue_store *issues;
  struct inbox *inbox;
  uint64_t appended;
  uint64_t retention_ns;
};

static void open_journal(struct fixture *fixture) {
  struct error error = {0};
  struct journal_options options = {.name = "intake",
                                    .directory = fixture->journal_path,
                                    .quarantine_directory = fixture->quarantine_path,
                                    .sync = JOURNAL_SYNC_ALWAYS,
                                    .segment_bytes_max = 4 << 20,
                                    .clock = clock_system(),
                                    .metrics = fixture->metrics};
  if (journal_open(&options, &fixture->journal, &error) != STATUS_OK) fail_msg("%s", error.text);
}

static void open_store(struct fixture *fixture) {
  struct error error = {0};
  struct project project;
  struct database_options options = {.path = fixture->database_path};
  enum status status = database_open(&options, &fixture->database, &error);
  if (status == STATUS_OK) status = project_store_ensure_default(fixture->database, clock_system(), &project, &error);
  struct issue_store_options store = {.database = fixture->database, .clock = clock_system()};
  if (status == STATUS_OK) status = issue_store_open(&store, &fixture->issues, &error);
  if (status != STATUS_OK) fail_msg("%s", error.text);
}

static void start(struct fixture *fixture) {
  struct error error = {0};
  struct inbox_options options = {.journal = fixture->journal,
                                  .database = fixture->database,
                                  .issues = fixture->issues,
                                  .correlation = fixture->correlation,
                                  .grouping = fixture->grouping,
                                  .attempt_path = fixture->attempt_path,
                                  .retention_ns = fixture->retention_ns,
                                  .clock = clock_system(),
                                  .metrics = fixture->metrics};
  if (inbox_start(&options, &fixture->inbox, &error) != STATUS_OK) fail_msg("%s", error.text);
}

static void stop(struct fixture *fixture) {
  inbox_stop(fixture->inbox);
  fixture->inbox = NULL;
}

static void close_store(struct fixture *fixture) {
  issue_store_close(fixture->issues);
  database_close(fixture->database);
}

static int setup(void **state) {
  struct error error = {0};
  struct fixture *fixture = calloc(1, sizeof *fixture);
  void *temporary = NULL;
  if (!fixture || temporary_setup(&temporary) != 0) return -1;
  fixture->temporary = temporary;
  memcpy(fixture->database_path, temporary_path(temporary, "culprit.db"), 512);
  memcpy(fixture->attempt_path, temporary_path(temporary, "inbox.attempt"), 512);
  memcpy(fixture->journal_path, temporary_path(temporary, "intake"), 512);
  memcpy(fixture->quarantine_path, temporary_path(temporary, "quarantine"), 512);
  fixture->metrics = metrics_create();
  fixture->correlation = correlation_create(NULL, 0);
  if (sampling_create(NULL, 0, fixture->metrics, &fixture->sampling, &error) != STATUS_OK) return -1;
  if (grouping_config_create(&(struct grouping_config_options){0}, &fixture->grouping, &error) != STATUS_OK) return -1;
  struct payload_facts_options facts = {.sampling = fixture->sampling,
                                        .correlation = fixture->correlation,
                                        .limits = &otlp_limits_default,
                                        .keep_severity = OTLP_SEVERITY_WARN};
  fixture->facts = payload_facts_create(&facts);
  fixture->parser = json_parser_create(8 << 20);
  open_journal(fixture);
  open_store(fixture);
  *state = fixture;
  return 0;
}

static int teardown(void **state) {
  struct fixture *fixture = *state;
  inbox_stop(fixture->inbox);
  close_store(fixture);
  journal_close(fixture->journal);
  json_parser_destroy(fixture->parser);
  payload_facts_destroy(fixture->facts);
  grouping_config_destroy(fixture->grouping);
  correlation_destroy(fixture->correlation);
  sampling_release(fixture->sampling);
  metrics_destroy(fixture->metrics);
  void *temporary = fixture->temporary;
  int result = temporary_teardown(&temporary);
  free(fixture);
  return result;
}

// --- what is appended ------------------------------------------------------------------------------------------------

static void append_to(struct fixture *fixture, uint32_t project, enum journal_kind kind, struct slice section,
                      struct slice body) {
  struct error error = {0};
  struct journal_entry entry = {.kind = kind,
                                .project = project,
                                .item_count = 1,
                                .received_ns = clock_wall_ns(clock_system()),
                                .section = section,
                                .body = body};
  assert_int_equal(journal_append(fixture->journal, &entry, NULL, NULL, &error), STATUS_OK);
  assert_int_equal(journal_flush(fixture->journal), STATUS_OK);
  fixture->appended++;
}

static void append(struct fixture *fixture, enum journal_kind kind, struct slice section, struct slice body) {
  append_to(fixture, PROJECT_STORE_DEFAULT, kind, section, body);
}

// OTLP/JSON, as a receiver would store it.
static void append_otlp(struct fixture *fixture, enum otlp_signal signal, const char *json) {
  struct buffer wire;
  struct error error = {0};
  struct payload_facts_counts counts;
  struct slice section = {0};
  buffer_init(&wire, 8 << 20);
  enum status status = otlp_json_to_wire(signal, fixture->parser, slice_from_cstr(json), &wire, &error);
  if (status == STATUS_OK)
    status = payload_facts_build(fixture->facts, signal, buffer_slice(&wire), &section, &counts, &error);
  if (status != STATUS_OK) fail_msg("%s in %s", error.text, json);
  append(fixture, signal == OTLP_TRACES ? JOURNAL_TRACES : JOURNAL_LOGS, section, buffer_slice(&wire));
  buffer_finish(&wire);
}

#define TRACE_ID "5b8efff798038103d269b633813fc60c"

static uint64_t base_ns(void) {
  return clock_wall_ns(clock_system()) / NS_PER_S * NS_PER_S;
}

// A span with an exception; `number` makes its ids.
static void append_span(struct fixture *fixture, unsigned number, uint64_t at_ns, const char *type,
                        const char *message) {
  char json[4096];
  snprintf(json, sizeof json,
           "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":"
           "\"checkout\"}},{\"key\":\"deployment.environment.name\",\"value\":{\"stringValue\":\"production\"}}]},"
           "\"scopeSpans\":[{\"spans\":[{\"traceId\":\"5b8efff798038103d269b633%08x\",\"spanId\":\"eee19b7e%08x\","
           "\"name\":\"GET /cart\",\"startTimeUnixNano\":\"%llu\",\"endTimeUnixNano\":\"%llu\",\"status\":{\"code\":2},"
           "\"attributes\":[{\"key\":\"request.id\",\"value\":{\"stringValue\":\"r-%u\"}},"
           "{\"key\":\"http.request.header.x-request-id\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":"
           "\"r-%u\"}]}}}],"
           "\"events\":[{\"timeUnixNano\":\"%llu\",\"name\":\"exception\",\"attributes\":["
           "{\"key\":\"exception.type\",\"value\":{\"stringValue\":\"%s\"}},"
           "{\"key\":\"exception.message\",\"value\":{\"stringValue\":\"%s\"}},"
           "{\"key\":\"exception.stacktrace\",\"value\":{\"stringValue\":\"Traceback (most recent call last):\\n"
           "  File \\\"/app/shop/cart.py\\\", line 17, in checkout\\n    pay(cart)\\n%s: %s\\n\"}}]}]}]}]}]}",
           number, number, (unsigned long long)at_ns, (unsigned long long)at_ns, number, number,
           (unsigned long long)at_ns, type, message, type, message);
  append_otlp(fixture, OTLP_TRACES, json);
}

// The same exception as a log of the span.
static void append_log(struct fixture *fixture, unsigned number, uint64_t at_ns, const char *type,
                       const char *message) {
  char json[4096];
  snprintf(
      json, sizeof json,
      "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":"
      "\"checkout\"}}]},\"scopeLogs\":[{\"logRecords\":[{\"timeUnixNano\":\"%llu\",\"severityNumber\":17,"
      "\"traceId\":\"5b8efff798038103d269b633%08x\",\"spanId\":\"eee19b7e%08x\",\"body\":{\"stringValue\":\"failed\"},"
      "\"attributes\":[{\"key\":\"exception.type\",\"value\":{\"stringValue\":\"%s\"}},"
      "{\"key\":\"exception.message\",\"value\":{\"stringValue\":\"%s\"}}]}]}]}]}",
      (unsigned long long)at_ns, number, number, type, message);
  append_otlp(fixture, OTLP_LOGS, json);
}

static void append_healthy(struct fixture *fixture) {
  append_otlp(fixture, OTLP_TRACES,
              "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"" TRACE_ID "\",\"spanId\":"
              "\"eee19b7ec3c1b174\",\"name\":\"ok\",\"startTimeUnixNano\":\"1\",\"endTimeUnixNano\":\"2\"}]}]}]}");
}

// What comes beside an event: as many of each as said. The event of an attachment is named by `number`.
static void append_items(struct fixture *fixture, unsigned number, unsigned attachments, unsigned discards) {
  struct buffer body;
  buffer_init(&body, 64 << 20);
  for (unsigned i = 0; i < attachments + discards; i++) {
    struct sentry_item item = {.kind = SENTRY_ITEM_DISCARDED,
                               .discarded = {SLICE_LITERAL("before_send"), SLICE_LITERAL("error"), 1}};
    char name[32];
    if (i < attachments) {
      snprintf(name, sizeof name, "%u-%u", number, i);
      item = (struct sentry_item){
          .kind = SENTRY_ITEM_ATTACHMENT,
          .attachment = {.filename = slice_from_cstr(name), .bytes = 4, .data = SLICE_LITERAL("data")}};
      snprintf(item.attachment.event_id, sizeof item.attachment.event_id, "%032x", number);
    }
    sentry_item_write(&body, &item);
  }
  struct error error = {0};
  struct journal_entry entry = {.kind = JOURNAL_ITEMS,
                                .project = PROJECT_STORE_DEFAULT,
                                .item_count = attachments + discards,
                                .received_ns = clock_wall_ns(clock_system()),
                                .body = buffer_slice(&body)};
  assert_int_equal(journal_append(fixture->journal, &entry, NULL, NULL, &error), STATUS_OK);
  assert_int_equal(journal_flush(fixture->journal), STATUS_OK);
  fixture->appended++;
  buffer_finish(&body);
}

static void append_event(struct fixture *fixture, const char *json) {
  append(fixture, JOURNAL_EVENTS, (struct slice){0}, slice_from_cstr(json));
}

// An event of an SDK as intake appends it: its summary in the section, its text as the body.
static void append_digested_to(struct fixture *fixture, uint32_t project, const char *json) {
  const struct inbox_grouping_options grouping = {
      .database = fixture->database, .clock = clock_system(), .program = fixture->grouping};
  const struct event_digest_options options = {.project = project, .received_ns = clock_wall_ns(clock_system())};
  struct event_digest_pool *pool = event_digest_pool_create(&grouping);
  struct event_digest *digest = event_digest_take(pool);
  struct event_digest_record record;
  assert_int_equal(event_digest_make(digest, &options, slice_from_cstr(json), &record, NULL), STATUS_OK);
  append_to(fixture, project, JOURNAL_EVENTS, record.section, record.body);
  event_digest_give(pool, digest);
  event_digest_pool_destroy(pool);
}

static void append_digested(struct fixture *fixture, const char *json) {
  append_digested_to(fixture, PROJECT_STORE_DEFAULT, json);
}

// --- what came out ---------------------------------------------------------------------------------------------------

// Waits until the cursor is behind everything that was appended.
static void settle(struct fixture *fixture) {
  const struct timespec pause = {.tv_nsec = 2000000};
  for (int i = 0; i < 15000; i++) {
    if (inbox_cursor(fixture->inbox) > fixture->appended) return;
    nanosleep(&pause, NULL);
  }
  fail_msg("the cursor stays at %llu", (unsigned long long)inbox_cursor(fixture->inbox));
}

static int64_t ask(struct fixture *fixture, const char *sql) {
  struct error error = {0};
  struct connection *reader = database_read_begin(fixture->database, &error);
  assert_non_null(reader);
  struct statement select = connection_statement(reader, sql);
  int64_t answer = statement_step(&select) ? statement_i64(&select, 0) : -1;
  assert_int_equal(database_read_end(fixture->database, reader, &error), STATUS_OK);
  return answer;
}

static void execute(struct fixture *fixture, const char *sql) {
  struct error error = {0};
  connection_execute(database_write_begin(fixture->database), sql);
  if (database_write_end(fixture->database, &error) != STATUS_OK) fail_msg("%s", error.text);
}

// --- tests -----------------------------------------------------------------------------------------------------------

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
      INBOX_TEST(an_exception_becomes_an_issue),
      INBOX_TEST(what_the_door_digested_is_counted_and_stored),
      INBOX_TEST(every_event_of_an_sdk_has_a_service),
      INBOX_TEST(a_broken_summary_is_put_aside),
      INBOX_TEST(healthy_records_move_the_cursor_only),
      INBOX_TEST(span_event_and_log_are_one_event),
      INBOX_TEST(what_is_sent_again_changes_nothing),
      INBOX_TEST(a_restart_goes_on_at_the_cursor),
      INBOX_TEST(a_lost_cursor_counts_nothing_twice),
      INBOX_TEST(sdk_events_are_taken),
      INBOX_TEST(what_comes_beside_events_is_taken_once),
      INBOX_TEST(items_of_many_records_fill_many_batches),
      INBOX_TEST(items_that_cannot_be_read_are_put_aside),
      INBOX_TEST(a_record_may_hold_more_errors_than_a_batch),
      INBOX_TEST(a_locked_database_delays_and_loses_nothing),
      INBOX_TEST(a_record_the_database_refuses_is_put_aside_alone),
      INBOX_TEST(a_poison_record_is_stepped_over),
      INBOX_TEST(after_a_death_in_a_write_records_go_one_by_one),
      INBOX_TEST(what_cannot_be_read_is_put_aside),
      INBOX_TEST(another_journal_than_the_cursor_knows),
      INBOX_TEST(old_events_expire),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
