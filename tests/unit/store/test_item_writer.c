// SPDX-License-Identifier: Apache-2.0
//
// What comes beside events: stored once, found by event, issue and project, gone with its event, by age and by budget.
#include "tests/unit/store/inbox_fixture.h"

#include "base/hash.h"
#include "store/item_query.h"

#define DAY_NS (UINT64_C(86400) * NS_PER_S)

// The event of fixture_event.id as its 16 bytes, and as text.
static void id_of(uint32_t id, uint8_t out_id[ISSUE_EVENT_ID_BYTES]) {
  memset(out_id, 0, ISSUE_EVENT_ID_BYTES);
  memcpy(out_id, &id, sizeof id);
}

static void text_of(uint32_t id, char out_text[33]) {
  uint8_t bytes[ISSUE_EVENT_ID_BYTES];
  id_of(id, bytes);
  slice_to_hex(slice_make(bytes, sizeof bytes), out_text);
  out_text[32] = 0;
}

static void add(struct inbox_fixture *fixture, uint32_t project, const struct sentry_item *item) {
  const struct issue_item mine = {.project = project ? project : PROJECT_STORE_DEFAULT,
                                  .received_ns = clock_wall_ns(&fixture->clock.clock),
                                  .item = *item};
  assert_int_equal(issue_batch_add_item(&fixture->batch, &mine), STATUS_OK);
}

static void attach(struct inbox_fixture *fixture, uint32_t event, const char *name, struct slice data) {
  struct sentry_item item = {.kind = SENTRY_ITEM_ATTACHMENT,
                             .attachment = {.filename = slice_from_cstr(name),
                                            .content_type = SLICE_LITERAL("text/plain"),
                                            .bytes = data.len,
                                            .data = data}};
  text_of(event, item.attachment.event_id);
  add(fixture, 0, &item);
}

static void say(struct inbox_fixture *fixture, uint32_t id, uint32_t event, const char *message) {
  struct sentry_item item = {
      .kind = SENTRY_ITEM_FEEDBACK,
      .feedback = {.message = slice_from_cstr(message), .email = SLICE_LITERAL("a@b.example"), .time_ns = 5}};
  text_of(id, item.feedback.id);
  if (event) text_of(event, item.feedback.event_id);
  add(fixture, 0, &item);
}

static void drop(struct inbox_fixture *fixture, const char *reason, uint64_t quantity) {
  add(fixture, 0,
      &(struct sentry_item){.kind = SENTRY_ITEM_DISCARDED,
                            .discarded = {slice_from_cstr(reason), SLICE_LITERAL("error"), quantity}});
}

static struct connection *read_begin(struct inbox_fixture *fixture) {
  struct error error = {0};
  struct connection *reader = database_read_begin(fixture->database, &error);
  assert_non_null(reader);
  return reader;
}

static void read_end(struct inbox_fixture *fixture, struct connection *reader) {
  assert_int_equal(database_read_end(fixture->database, reader, NULL), STATUS_OK);
}

static uint32_t attachments_of(struct inbox_fixture *fixture, uint32_t event, struct arena *arena,
                               struct item_attachment_row *out_rows) {
  uint8_t id[ISSUE_EVENT_ID_BYTES];
  id_of(event, id);
  struct connection *reader = read_begin(fixture);
  uint32_t count = item_query_attachments(reader, id, arena, out_rows);
  read_end(fixture, reader);
  return count;
}

static uint32_t count_attachments(struct inbox_fixture *fixture, uint32_t event) {
  struct arena arena;
  struct item_attachment_row rows[ITEM_QUERY_ATTACHMENTS_MAX];
  arena_init(&arena, 1 << 20);
  uint32_t count = attachments_of(fixture, event, &arena, rows);
  arena_finish(&arena);
  return count;
}

static uint32_t count_feedback(struct inbox_fixture *fixture, uint64_t issue) {
  struct arena arena;
  struct item_feedback_row rows[10];
  arena_init(&arena, 1 << 20);
  struct connection *reader = read_begin(fixture);
  uint32_t count = item_query_issue_feedback(reader, issue, 0, 10, &arena, rows);
  read_end(fixture, reader);
  arena_finish(&arena);
  return count;
}

static void test_bytes_come_back_as_they_were(void **state) {
  struct inbox_fixture *fixture = *state;
  struct arena arena;
  arena_init(&arena, 4 << 20);
  uint8_t *noise = arena_alloc(&arena, 100000), *dull = arena_alloc(&arena, 100000);
  random_bytes(noise, 100000);
  memset(dull, 'a', 100000);
  const struct slice data[] = {slice_make(noise, 100000), slice_make(dull, 100000), SLICE_LITERAL("short"), {NULL, 0}};
  fixture_add(fixture, &(struct fixture_event){.id = 1});
  const char *names[] = {"noise", "dull", "short", "empty"};
  for (int i = 0; i < 4; i++) attach(fixture, 1, names[i], data[i]);
  fixture_write(fixture);
  assert_int_equal(fixture->outcome.items.attachments, 4);
  assert_true(fixture_ask(fixture, "SELECT sum(stored_bytes) FROM attachment") < 101000); // the dull one is small
  struct item_attachment_row rows[ITEM_QUERY_ATTACHMENTS_MAX];
  assert_int_equal(attachments_of(fixture, 1, &arena, rows), 4);
  uint8_t id[ISSUE_EVENT_ID_BYTES], other[ISSUE_EVENT_ID_BYTES];
  id_of(1, id);
  id_of(2, other);
  struct connection *reader = read_begin(fixture);
  for (int i = 0; i < 4; i++) {
    struct buffer bytes;
    buffer_init(&bytes, 1 << 20);
    assert_true(slice_equal_cstr(rows[i].filename, names[i]));
    assert_int_equal(rows[i].bytes, data[i].len);
    assert_int_equal(rows[i].reason.len, 0);
    assert_false(item_query_data(reader, other, rows[i].row, &bytes)); // another event's
    assert_true(item_query_data(reader, id, rows[i].row, &bytes));
    assert_true(slice_equal(buffer_slice(&bytes), data[i]));
    buffer_finish(&bytes);
  }
  read_end(fixture, reader);
  arena_finish(&arena);
}

static void test_sent_again_it_is_the_same(void **state) {
  struct inbox_fixture *fixture = *state;
  for (int round = 0; round < 2; round++) {
    fixture_add(fixture, &(struct fixture_event){.id = 1});
    attach(fixture, 1, "a", SLICE_LITERAL("one"));
    attach(fixture, 1, "a", SLICE_LITERAL("two"));
    say(fixture, 7, 1, "slow");
    fixture_write(fixture);
  }
  assert_int_equal(count_attachments(fixture, 1), 2);
  assert_int_equal(count_feedback(fixture, 1), 1);
  assert_int_equal(fixture->outcome.items.attachments, 0);
  assert_int_equal(fixture->outcome.items.feedback, 0);
  assert_false(fixture->outcome.items.changed);
}

static void test_what_is_not_kept_says_why(void **state) {
  struct inbox_fixture *fixture = *state;
  struct sentry_item item = {
      .kind = SENTRY_ITEM_ATTACHMENT,
      .attachment = {.filename = SLICE_LITERAL("big"), .bytes = 9000000, .reason = SLICE_LITERAL("too large")}};
  text_of(1, item.attachment.event_id);
  add(fixture, 0, &item);
  fixture_one(fixture, &(struct fixture_event){.id = 1});
  struct arena arena;
  struct item_attachment_row rows[ITEM_QUERY_ATTACHMENTS_MAX];
  arena_init(&arena, 1 << 20);
  assert_int_equal(attachments_of(fixture, 1, &arena, rows), 1);
  assert_true(slice_equal_cstr(rows[0].reason, "too large"));
  assert_int_equal(rows[0].bytes, 9000000);
  uint8_t id[ISSUE_EVENT_ID_BYTES];
  struct buffer bytes;
  id_of(1, id);
  buffer_init(&bytes, 1 << 20);
  struct connection *reader = read_begin(fixture);
  assert_false(item_query_data(reader, id, rows[0].row, &bytes));
  read_end(fixture, reader);
  arena_finish(&arena);
}

static void test_an_attachment_may_come_first(void **state) {
  struct inbox_fixture *fixture = *state;
  attach(fixture, 1, "a", SLICE_LITERAL("one"));
  fixture_write(fixture);
  assert_int_equal(count_attachments(fixture, 1), 1);
  fixture_one(fixture, &(struct fixture_event){.id = 1});
  assert_int_equal(count_attachments(fixture, 1), 1);
}

static void test_attachments_go_with_their_event(void **state) {
  struct inbox_fixture *fixture = *state;
  for (uint32_t id = 1; id <= 3; id++) {
    fixture_add(fixture, &(struct fixture_event){.id = id});
    attach(fixture, id, "a", SLICE_LITERAL("one"));
  }
  fixture_write(fixture);
  // 99 more push the second one out: the first of an issue stays, and the newest hundred.
  for (uint32_t id = 4; id <= 102; id++) {
    clock_fake_add(&fixture->clock, NS_PER_S);
    fixture_add(fixture, &(struct fixture_event){.id = id});
  }
  fixture_write(fixture);
  assert_int_equal(count_attachments(fixture, 1), 1);
  assert_int_equal(count_attachments(fixture, 2), 0);
  assert_int_equal(count_attachments(fixture, 3), 1);
  // What comes late for it is dropped, and counted; so it is after a restart.
  for (int round = 0; round < 2; round++) {
    attach(fixture, 2, "late", SLICE_LITERAL("one"));
    fixture_write(fixture);
    assert_int_equal(fixture->outcome.items.orphaned, 1);
    assert_int_equal(count_attachments(fixture, 2), 0);
    fixture_close(fixture);
    fixture_open(fixture);
  }
}

static void test_age_takes_what_has_no_event(void **state) {
  struct inbox_fixture *fixture = *state;
  attach(fixture, 1, "old", SLICE_LITERAL("one"));
  say(fixture, 7, 0, "old");
  fixture_one(fixture, &(struct fixture_event){.id = 2});
  attach(fixture, 2, "of the event", SLICE_LITERAL("one"));
  fixture_write(fixture);
  clock_fake_add(&fixture->clock, 10 * DAY_NS);
  attach(fixture, 3, "new", SLICE_LITERAL("one"));
  say(fixture, 8, 0, "new");
  fixture_write(fixture);
  uint32_t deleted = 0;
  assert_int_equal(issue_store_retain(fixture->store, 20 * DAY_NS, 100, &deleted, NULL), STATUS_OK);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM attachment"), 3);
  assert_int_equal(issue_store_retain(fixture->store, 5 * DAY_NS, 100, &deleted, NULL), STATUS_OK);
  assert_int_equal(deleted, 1);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM attachment"), 1);
  assert_int_equal(count_attachments(fixture, 3), 1);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM feedback"), 1);
}

static void test_the_budget_takes_the_oldest(void **state) {
  struct inbox_fixture *fixture = *state;
  fixture_close(fixture);
  fixture->attachments_bytes_max = 64000;
  fixture_open(fixture);
  uint8_t noise[10000];
  uint32_t evicted = 0;
  for (uint32_t id = 1; id <= 20; id++) {
    random_bytes(noise, sizeof noise);
    fixture_add(fixture, &(struct fixture_event){.id = id});
    attach(fixture, id, "noise", slice_make(noise, sizeof noise));
    fixture_write(fixture);
    evicted += fixture->outcome.items.evicted;
    assert_true(fixture_ask(fixture, "SELECT sum(stored_bytes) FROM attachment") <= 64000);
  }
  // The newest have their bytes, the others say what became of them.
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM attachment WHERE reason IS NULL"), 20 - evicted);
  assert_int_equal(fixture_ask(fixture, "SELECT min(id) FROM attachment WHERE reason IS NULL"), evicted + 1);
  assert_true(20 - evicted >= 5);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM attachment WHERE reason LIKE '%attachments_max_bytes%'"),
                   evicted);
  // Others that delete rows give room: nothing goes without need.
  struct connection *connection = database_write_begin(fixture->database);
  connection_execute(connection, "DELETE FROM attachment WHERE id > 18");
  assert_int_equal(database_write_end(fixture->database, NULL), STATUS_OK);
  attach(fixture, 30, "noise", slice_make(noise, sizeof noise));
  fixture_write(fixture);
  assert_int_equal(fixture->outcome.items.evicted, 0);
}

// A budget that became smaller, or very many small attachments: not all of them in one transaction.
static void test_a_batch_makes_room_in_part(void **state) {
  struct inbox_fixture *fixture = *state;
  uint8_t noise[50];
  uint32_t evicted = 0, id = 1;
  for (; id <= 2500; id++) {
    random_bytes(noise, sizeof noise);
    attach(fixture, id, "noise", slice_make(noise, sizeof noise));
    if (issue_batch_is_full(&fixture->batch)) fixture_write(fixture);
  }
  fixture_write(fixture);
  fixture_close(fixture);
  fixture->attachments_bytes_max = 1000;
  fixture_open(fixture);
  for (int batch = 0; batch < 3; batch++, id++) {
    attach(fixture, id, "noise", slice_make(noise, sizeof noise));
    fixture_write(fixture);
    evicted += fixture->outcome.items.evicted;
    if (batch < 2) assert_int_equal(fixture->outcome.items.evicted, 1000);
  }
  assert_true(fixture_ask(fixture, "SELECT sum(stored_bytes) FROM attachment") <= 1000);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM attachment WHERE reason IS NOT NULL"), evicted);
}

static void test_rows_over_the_limit_are_counted(void **state) {
  struct inbox_fixture *fixture = *state;
  struct connection *connection = database_write_begin(fixture->database);
  connection_execute(
      connection, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000) INSERT INTO "
                  "attachment (project_id, event_id, content_key, received_ns, bytes, reason, stored_bytes, is_zstd) "
                  "SELECT 1, x'00', i, 1, 9, 'too large', 0, 0 FROM n");
  assert_int_equal(database_write_end(fixture->database, NULL), STATUS_OK);
  attach(fixture, 1, "a", SLICE_LITERAL("one"));
  fixture_write(fixture);
  int64_t rows = fixture_ask(fixture, "SELECT count(*) FROM attachment");
  assert_true(rows <= ITEM_WRITER_ATTACHMENTS_MAX);
  assert_int_equal(fixture->outcome.items.evicted, ITEM_WRITER_ATTACHMENTS_MAX + 1 - rows);
  assert_int_equal(count_attachments(fixture, 1), 1);
}

static void test_a_failed_batch_leaves_nothing(void **state) {
  struct inbox_fixture *fixture = *state;
  fixture_close(fixture);
  fixture->bytes_max = 400000;
  fixture_open(fixture);
  uint8_t *noise = malloc(600000);
  random_bytes(noise, 600000);
  attach(fixture, 1, "noise", slice_make(noise, 600000));
  drop(fixture, "before_send", 3);
  assert_int_equal(fixture_try_write(fixture), STATUS_UNAVAILABLE);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM attachment"), 0);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM discarded"), 0);
  issue_batch_clear(&fixture->batch);
  attach(fixture, 1, "noise", slice_make(noise, 6000));
  fixture_write(fixture);
  assert_int_equal(fixture->outcome.items.evicted, 0);
  free(noise);
}

static void test_feedback_follows_its_event(void **state) {
  struct inbox_fixture *fixture = *state;
  say(fixture, 7, 1, "before it");
  fixture_write(fixture);
  assert_int_equal(count_feedback(fixture, 1), 0);
  fixture_one(fixture, &(struct fixture_event){.id = 1, .hash = "one"});
  assert_int_equal(count_feedback(fixture, 1), 1);
  say(fixture, 8, 1, "behind it");
  say(fixture, 9, 0, "of nothing");
  say(fixture, 10, 77, "of an event that nobody knows");
  fixture_write(fixture);
  assert_int_equal(count_feedback(fixture, 1), 2);
  uint32_t deleted;
  assert_int_equal(issue_store_retain(fixture->store, DAY_NS, 100, &deleted, NULL), STATUS_OK); // ties
  // The event's row goes, what was said of its issue stays there.
  fixture_one(fixture, &(struct fixture_event){.id = 2, .hash = "one"});
  struct connection *connection = database_write_begin(fixture->database);
  connection_execute(connection, "DELETE FROM event WHERE id = 1");
  assert_int_equal(database_write_end(fixture->database, NULL), STATUS_OK);
  assert_int_equal(count_feedback(fixture, 1), 2);
  // An event that was moved to another issue takes its feedback along.
  say(fixture, 11, 2, "moves");
  fixture_add(fixture, &(struct fixture_event){.id = 3, .hash = "two"});
  fixture_write(fixture);
  assert_int_equal(count_feedback(fixture, 1), 3);
  connection = database_write_begin(fixture->database);
  connection_execute(connection, "UPDATE event SET issue_id = 2 WHERE id = 2");
  assert_int_equal(database_write_end(fixture->database, NULL), STATUS_OK);
  assert_int_equal(count_feedback(fixture, 1), 2);
  assert_int_equal(count_feedback(fixture, 2), 1);
}

// The id of an issue that is gone is given again: what was said of the old one is not the new one's.
static void test_feedback_outlives_its_issue(void **state) {
  struct inbox_fixture *fixture = *state;
  uint32_t deleted;
  fixture_one(fixture, &(struct fixture_event){.id = 1, .hash = "one"});
  clock_fake_add(&fixture->clock, 10 * DAY_NS);
  say(fixture, 7, 1, "late");
  fixture_write(fixture);
  assert_int_equal(count_feedback(fixture, 1), 1);
  assert_int_equal(issue_store_retain(fixture->store, 5 * DAY_NS, 100, &deleted, NULL), STATUS_OK);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue"), 0);
  fixture_one(fixture, &(struct fixture_event){.id = 2, .hash = "two"});
  assert_int_equal(fixture_ask(fixture, "SELECT id FROM issue"), 1);
  assert_int_equal(count_feedback(fixture, 1), 0);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM feedback"), 1);
}

static void test_feedback_is_paged_and_bounded(void **state) {
  struct inbox_fixture *fixture = *state;
  struct arena arena;
  struct item_feedback_row rows[4];
  arena_init(&arena, 1 << 20);
  for (uint32_t id = 1; id <= 5; id++) say(fixture, id, 0, "words");
  fixture_write(fixture);
  struct connection *reader = read_begin(fixture);
  assert_int_equal(item_query_feedback(reader, PROJECT_STORE_DEFAULT, 0, 3, &arena, rows), 3);
  assert_int_equal(rows[0].row, 5);
  assert_true(slice_equal_cstr(rows[0].project, "default"));
  assert_true(slice_equal_cstr(rows[0].email, "a@b.example"));
  assert_int_equal(rows[0].time_ns, 5);
  assert_int_equal(item_query_feedback(reader, 0, rows[2].row, 3, &arena, rows), 2);
  assert_int_equal(rows[1].row, 1);
  assert_int_equal(item_query_feedback(reader, 77, 0, 3, &arena, rows), 0);
  read_end(fixture, reader);
  arena_finish(&arena);
  for (uint32_t id = 6; id <= ITEM_WRITER_FEEDBACK_MAX + 3; id++) {
    say(fixture, id, 0, "words");
    if (issue_batch_is_full(&fixture->batch)) fixture_write(fixture);
  }
  fixture_write(fixture);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM feedback"), ITEM_WRITER_FEEDBACK_MAX);
  assert_int_equal(fixture_ask(fixture, "SELECT min(id) FROM feedback"), 4);
}

static void test_what_sdks_threw_away_is_added_up(void **state) {
  struct inbox_fixture *fixture = *state;
  struct arena arena;
  struct item_discarded_row rows[ITEM_QUERY_DISCARDED_MAX];
  arena_init(&arena, 1 << 20);
  drop(fixture, "before_send", 3);
  drop(fixture, "sample_rate", 40);
  fixture_write(fixture);
  clock_fake_add(&fixture->clock, 2 * DAY_NS);
  drop(fixture, "before_send", 4);
  drop(fixture, "before_send", 5);
  fixture_write(fixture);
  struct connection *reader = read_begin(fixture);
  assert_int_equal(item_query_discarded(reader, clock_wall_ns(&fixture->clock.clock), &arena, rows), 2);
  assert_true(slice_equal_cstr(rows[0].reason, "sample_rate") && slice_equal_cstr(rows[0].category, "error"));
  assert_int_equal(rows[0].quantity, 40);
  assert_int_equal(rows[0].quantity_day, 0);
  assert_int_equal(rows[1].quantity, 12);
  assert_int_equal(rows[1].quantity_day, 9);
  assert_int_equal(rows[1].since_ns, FIXTURE_NOW_NS);
  assert_true(slice_equal_cstr(rows[1].project, "default"));
  read_end(fixture, reader);
  // After a week it is forgotten.
  clock_fake_add(&fixture->clock, 6 * DAY_NS);
  drop(fixture, "before_send", 1);
  fixture_write(fixture);
  assert_int_equal(fixture_ask(fixture, "SELECT sum(quantity) FROM discarded"), 10);
  arena_finish(&arena);
}

static void test_kinds_of_discards_are_bounded(void **state) {
  struct inbox_fixture *fixture = *state;
  char reason[32];
  for (int i = 0; i < ITEM_WRITER_DISCARDED_MAX + 30; i++) {
    snprintf(reason, sizeof reason, "r%d", i);
    drop(fixture, reason, 2);
  }
  fixture_write(fixture);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM discarded"), ITEM_WRITER_DISCARDED_MAX + 1);
  assert_int_equal(fixture_ask(fixture, "SELECT quantity FROM discarded WHERE reason = 'other'"), 60);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      FIXTURE_TEST(test_bytes_come_back_as_they_were),    FIXTURE_TEST(test_sent_again_it_is_the_same),
      FIXTURE_TEST(test_what_is_not_kept_says_why),       FIXTURE_TEST(test_an_attachment_may_come_first),
      FIXTURE_TEST(test_attachments_go_with_their_event), FIXTURE_TEST(test_age_takes_what_has_no_event),
      FIXTURE_TEST(test_the_budget_takes_the_oldest),     FIXTURE_TEST(test_a_failed_batch_leaves_nothing),
      FIXTURE_TEST(test_a_batch_makes_room_in_part),      FIXTURE_TEST(test_rows_over_the_limit_are_counted),
      FIXTURE_TEST(test_feedback_outlives_its_issue),     FIXTURE_TEST(test_feedback_follows_its_event),
      FIXTURE_TEST(test_feedback_is_paged_and_bounded),   FIXTURE_TEST(test_what_sdks_threw_away_is_added_up),
      FIXTURE_TEST(test_kinds_of_discards_are_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
