// SPDX-License-Identifier: Apache-2.0
//
// An inbox in a temporary directory with a clock that stands still, and events made from a few words.
#ifndef TESTS_UNIT_STORE_INBOX_FIXTURE_H
#define TESTS_UNIT_STORE_INBOX_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/cursor_store.h"
#include "store/issue_query.h"
#include "store/issue_store.h"
#include "store/project_store.h"
#include "tests/unit/store/temporary.h"

#define FIXTURE_NOW_NS UINT64_C(1763719200000000000) // 2025-11-21T10:00:00Z, the start of an hour

struct inbox_fixture {
  struct temporary *temporary;
  char path[512];
  struct clock_fake clock;
  struct database *database;
  struct issue_store *store;
  struct issue_batch batch;
  struct issue_store_outcome outcome; // of the last write
  uint32_t groups_per_day_max;
  uint64_t bytes_max, attachments_bytes_max;
  uint64_t sequence;
};

static inline void fixture_open(struct inbox_fixture *fixture) {
  struct error error = {0};
  struct project project;
  struct database_options options = {
      .path = fixture->path, .clock = &fixture->clock.clock, .bytes_max = fixture->bytes_max};
  enum status status = database_open(&options, &fixture->database, &error);
  if (status == STATUS_OK)
    status = project_store_ensure_default(fixture->database, &fixture->clock.clock, &project, &error);
  struct issue_store_options store = {.database = fixture->database,
                                      .clock = &fixture->clock.clock,
                                      .groups_per_day_max = fixture->groups_per_day_max,
                                      .attachments_bytes_max = fixture->attachments_bytes_max};
  if (status == STATUS_OK) status = issue_store_open(&store, &fixture->store, &error);
  if (status != STATUS_OK) fail_msg("%s", error.text);
}

static inline void fixture_close(struct inbox_fixture *fixture) {
  issue_store_close(fixture->store);
  database_close(fixture->database);
}

static inline int fixture_setup(void **state) {
  struct inbox_fixture *fixture = calloc(1, sizeof *fixture);
  void *temporary = NULL;
  if (!fixture || temporary_setup(&temporary) != 0) return -1;
  fixture->temporary = temporary;
  memcpy(fixture->path, temporary_path(temporary, "culprit.db"), sizeof fixture->path);
  clock_fake_init(&fixture->clock, FIXTURE_NOW_NS);
  if (issue_batch_init(&fixture->batch) != STATUS_OK) return -1;
  fixture_open(fixture);
  *state = fixture;
  return 0;
}

static inline int fixture_teardown(void **state) {
  struct inbox_fixture *fixture = *state;
  fixture_close(fixture);
  issue_batch_finish(&fixture->batch);
  void *temporary = fixture->temporary;
  int result = temporary_teardown(&temporary);
  free(fixture);
  return result;
}

// Words for an event; what is 0 or NULL takes a sensible default.
struct fixture_event {
  uint32_t id;
  const char *hash, *second_hash; // up to 16 characters
  const char *outline;            // the event's own is "t…" or "s…" by its source: text or SDK
  uint64_t at_ns;                 // default: now
  uint64_t received_ns;           // default: now
  enum issue_source source;
  uint64_t duplicate_key;
  const char *title, *value, *service, *environment, *release, *level, *request_id, *trace_id, *grouping;
  const struct issue_tag *tags;
  uint32_t tag_count;
  uint32_t project;
};

static inline struct slice fixture_text(const char *text, const char *otherwise) {
  return slice_from_cstr(text ? text : otherwise);
}

static inline void fixture_add(struct inbox_fixture *fixture, const struct fixture_event *words) {
  struct issue_hash hashes[2] = {{.algorithm = "test", .variant = "app"}, {.algorithm = "test", .variant = "system"}};
  const char *texts[2] = {words->hash ? words->hash : "one", words->second_hash};
  for (int i = 0; i < 2 && texts[i]; i++) memcpy(hashes[i].bytes, texts[i], strnlen(texts[i], ISSUE_HASH_BYTES));
  char document[100];
  snprintf(document, sizeof document, "{\"event\":%u}", words->id);
  uint64_t now_ns = clock_wall_ns(&fixture->clock.clock);
  struct issue_event event = {.project = words->project ? words->project : PROJECT_STORE_DEFAULT,
                              .source = words->source ? words->source : ISSUE_SOURCE_SPAN,
                              .timestamp_ns = words->at_ns ? words->at_ns : now_ns,
                              .received_ns = words->received_ns ? words->received_ns : now_ns,
                              .duplicate_key = words->duplicate_key,
                              .trace_id = fixture_text(words->trace_id, "0123456789abcdef"),
                              .span_id = SLICE_LITERAL("01234567"),
                              .request_id = fixture_text(words->request_id, NULL),
                              .title = fixture_text(words->title, "ValueError: bad cart"),
                              .type = SLICE_LITERAL("ValueError"),
                              .value = fixture_text(words->value, "bad cart"),
                              .culprit = SLICE_LITERAL("shop.cart in checkout"),
                              .level = fixture_text(words->level, "error"),
                              .platform = SLICE_LITERAL("python"),
                              .service = fixture_text(words->service, NULL),
                              .environment = fixture_text(words->environment, NULL),
                              .release = fixture_text(words->release, NULL),
                              .hashes = hashes,
                              .hash_count = words->second_hash ? 2 : 1,
                              .tags = words->tags,
                              .tag_count = words->tag_count,
                              .grouping = fixture_text(words->grouping, "{\"app\":{}}"),
                              .document = slice_from_cstr(document)};
  memcpy(event.event_id, &words->id, sizeof words->id);
  if (words->outline) {
    bool sdk = event.source == ISSUE_SOURCE_SDK;
    event.has_outline = true;
    snprintf((char *)event.outline, ISSUE_HASH_BYTES, "%c%s", sdk ? 's' : 't', words->outline);
    snprintf((char *)event.outline_of_other_side, ISSUE_HASH_BYTES, "%c%s", sdk ? 't' : 's', words->outline);
  }
  assert_int_equal(issue_batch_add(&fixture->batch, &event), STATUS_OK);
}

static inline enum status fixture_try_write(struct inbox_fixture *fixture) {
  struct error error = {0};
  enum status status =
      issue_store_write(fixture->store, &fixture->batch, "inbox", fixture->sequence + 1, &fixture->outcome, &error);
  if (status == STATUS_OK) {
    fixture->sequence++;
    issue_batch_clear(&fixture->batch);
  }
  return status;
}

static inline void fixture_write(struct inbox_fixture *fixture) {
  assert_int_equal(fixture_try_write(fixture), STATUS_OK);
}

static inline void fixture_one(struct inbox_fixture *fixture, const struct fixture_event *words) {
  fixture_add(fixture, words);
  fixture_write(fixture);
}

// Answers with one number.
static inline int64_t fixture_ask(struct inbox_fixture *fixture, const char *sql) {
  struct error error = {0};
  struct connection *reader = database_read_begin(fixture->database, &error);
  assert_non_null(reader);
  struct statement select = connection_statement(reader, sql);
  int64_t answer = statement_step(&select) ? statement_i64(&select, 0) : -1;
  assert_int_equal(database_read_end(fixture->database, reader, &error), STATUS_OK);
  return answer;
}

// The issue, with texts in `arena`.
static inline struct issue_summary fixture_issue(struct inbox_fixture *fixture, uint64_t id, struct arena *arena) {
  struct error error = {0};
  struct issue_summary issue = {0};
  struct connection *reader = database_read_begin(fixture->database, &error);
  assert_non_null(reader);
  assert_true(issue_query_get(reader, id, clock_wall_ns(&fixture->clock.clock), arena, &issue));
  assert_int_equal(database_read_end(fixture->database, reader, &error), STATUS_OK);
  return issue;
}

#define FIXTURE_TEST(test) cmocka_unit_test_setup_teardown(test, fixture_setup, fixture_teardown)

#endif
