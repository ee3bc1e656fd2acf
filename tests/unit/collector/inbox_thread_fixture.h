// SPDX-License-Identifier: Apache-2.0
//
// The inbox thread between a real intake journal and a real database.
#ifndef TESTS_UNIT_COLLECTOR_INBOX_THREAD_FIXTURE_H
#define TESTS_UNIT_COLLECTOR_INBOX_THREAD_FIXTURE_H

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
  const struct clock *clock; // of the inbox; NULL: the system's
  uint64_t appended;
  uint64_t retention_ns;
};

static inline void open_journal(struct fixture *fixture) {
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

static inline void open_store(struct fixture *fixture) {
  struct error error = {0};
  struct project project;
  struct database_options options = {.path = fixture->database_path};
  enum status status = database_open(&options, &fixture->database, &error);
  if (status == STATUS_OK) status = project_store_ensure_default(fixture->database, clock_system(), &project, &error);
  struct issue_store_options store = {.database = fixture->database, .clock = clock_system()};
  if (status == STATUS_OK) status = issue_store_open(&store, &fixture->issues, &error);
  if (status != STATUS_OK) fail_msg("%s", error.text);
}

static inline void start(struct fixture *fixture) {
  struct error error = {0};
  struct inbox_options options = {.journal = fixture->journal,
                                  .database = fixture->database,
                                  .issues = fixture->issues,
                                  .correlation = fixture->correlation,
                                  .grouping = fixture->grouping,
                                  .attempt_path = fixture->attempt_path,
                                  .retention_ns = fixture->retention_ns,
                                  .clock = fixture->clock ? fixture->clock : clock_system(),
                                  .metrics = fixture->metrics};
  if (inbox_start(&options, &fixture->inbox, &error) != STATUS_OK) fail_msg("%s", error.text);
}

static inline void stop(struct fixture *fixture) {
  inbox_stop(fixture->inbox);
  fixture->inbox = NULL;
}

static inline void close_store(struct fixture *fixture) {
  issue_store_close(fixture->issues);
  database_close(fixture->database);
}

static inline int setup(void **state) {
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

static inline int teardown(void **state) {
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

static inline void append_to(struct fixture *fixture, uint32_t project, enum journal_kind kind, struct slice section,
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

static inline void append(struct fixture *fixture, enum journal_kind kind, struct slice section, struct slice body) {
  append_to(fixture, PROJECT_STORE_DEFAULT, kind, section, body);
}

// OTLP/JSON, as a receiver would store it.
static inline void append_otlp(struct fixture *fixture, enum otlp_signal signal, const char *json) {
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

static inline uint64_t base_ns(void) {
  return clock_wall_ns(clock_system()) / NS_PER_S * NS_PER_S;
}

// A span with an exception; `number` makes its ids.
static inline void append_span(struct fixture *fixture, unsigned number, uint64_t at_ns, const char *type,
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
static inline void append_log(struct fixture *fixture, unsigned number, uint64_t at_ns, const char *type,
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

static inline void append_healthy(struct fixture *fixture) {
  append_otlp(fixture, OTLP_TRACES,
              "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"" TRACE_ID "\",\"spanId\":"
              "\"eee19b7ec3c1b174\",\"name\":\"ok\",\"startTimeUnixNano\":\"1\",\"endTimeUnixNano\":\"2\"}]}]}]}");
}

// What comes beside an event: as many of each as said. The event of an attachment is named by `number`.
static inline void append_items(struct fixture *fixture, unsigned number, unsigned attachments, unsigned discards) {
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

static inline void append_event(struct fixture *fixture, const char *json) {
  append(fixture, JOURNAL_EVENTS, (struct slice){0}, slice_from_cstr(json));
}

// An event of an SDK as intake appends it: its summary in the section, its text as the body.
static inline void append_digested_to(struct fixture *fixture, uint32_t project, const char *json) {
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

static inline void append_digested(struct fixture *fixture, const char *json) {
  append_digested_to(fixture, PROJECT_STORE_DEFAULT, json);
}

// --- what came out ---------------------------------------------------------------------------------------------------

// Waits until the cursor is behind everything that was appended.
static inline void settle(struct fixture *fixture) {
  const struct timespec pause = {.tv_nsec = 2000000};
  for (int i = 0; i < 15000; i++) {
    if (inbox_cursor(fixture->inbox) > fixture->appended) return;
    nanosleep(&pause, NULL);
  }
  fail_msg("the cursor stays at %llu", (unsigned long long)inbox_cursor(fixture->inbox));
}

static inline int64_t ask(struct fixture *fixture, const char *sql) {
  struct error error = {0};
  struct connection *reader = database_read_begin(fixture->database, &error);
  assert_non_null(reader);
  struct statement select = connection_statement(reader, sql);
  int64_t answer = statement_step(&select) ? statement_i64(&select, 0) : -1;
  assert_int_equal(database_read_end(fixture->database, reader, &error), STATUS_OK);
  return answer;
}

static inline void execute(struct fixture *fixture, const char *sql) {
  struct error error = {0};
  connection_execute(database_write_begin(fixture->database), sql);
  if (database_write_end(fixture->database, &error) != STATUS_OK) fail_msg("%s", error.text);
}

#endif
