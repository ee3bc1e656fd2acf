// SPDX-License-Identifier: Apache-2.0
//
// Merging and splitting over HTTP.
#include "tests/unit/ui/ui_fixture.h"

#define JSON_TYPE "Content-Type: application/json\r\n"
#define HASH_A    "61000000000000000000000000000000"
#define HASH_B    "62000000000000000000000000000000"

static void add(struct ui_fixture *fixture, uint32_t id, const char *hash) {
  fixture_one(fixture->inbox, &(struct fixture_event){.id = id, .hash = hash, .title = hash});
}

static int post(struct ui_fixture *fixture, const char *path, const char *body) {
  return ui_send(fixture, "POST", path, JSON_TYPE, body);
}

static void merged_ids_answer_the_target(void **state) {
  struct ui_fixture *fixture = *state;
  add(fixture, 1, "a");
  add(fixture, 2, "b");
  add(fixture, 3, "c");
  assert_int_equal(post(fixture, "/api/v1/issues/1/merge", "{\"issues\":[\"2\",\"3\"]}"), 200);
  ui_assert_text(fixture, "id", "1");
  ui_assert_number(fixture, "count", 3);
  ui_assert_count(fixture, "hashes", 3);
  ui_assert_count(fixture, "merged", 2);
  ui_assert_text(fixture, "merged.0.id", "3");
  ui_assert_text(fixture, "merged.0.short_id", "DEFAULT-3");
  static const char *const paths[] = {"/api/v1/issues/2", "/api/v1/issues/3", "/api/v1/issues/DEFAULT-2",
                                      "/api/v1/issues/default-3", "/api/v1/issues/DEFAULT-1"};
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    assert_int_equal(ui_get(fixture, paths[i]), 200);
    ui_assert_text(fixture, "id", "1");
    ui_assert_text(fixture, "short_id", "DEFAULT-1");
  }
  assert_int_equal(ui_get(fixture, "/api/v1/issues/2/events"), 200);
  ui_assert_count(fixture, "events", 3);
  assert_int_equal(ui_get(fixture, "/api/v1/issues/2/feedback"), 200);
  assert_int_equal(ui_send(fixture, "PATCH", "/api/v1/issues/2", JSON_TYPE, "{\"status\":\"resolved\"}"), 200);
  ui_assert_text(fixture, "id", "1");
  ui_assert_text(fixture, "status", "resolved");
  assert_int_equal(ui_get(fixture, "/api/v1/events/02000000000000000000000000000000"), 200);
  ui_assert_text(fixture, "issue.id", "1");
  assert_int_equal(ui_get(fixture, "/api/v1/issues?status=all"), 200);
  ui_assert_count(fixture, "issues", 1);
}

static void hashes_tell_what_a_person_chooses_by(void **state) {
  struct ui_fixture *fixture = *state;
  add(fixture, 1, "a");
  clock_fake_add(&fixture->inbox->clock, NS_PER_S);
  add(fixture, 2, "b");
  add(fixture, 3, "b");
  assert_int_equal(post(fixture, "/api/v1/issues/DEFAULT-1/merge", "{\"issues\":[\"2\"]}"), 200);
  ui_assert_text(fixture, "hashes.0.hash", HASH_B);
  ui_assert_number(fixture, "hashes.0.count", 2);
  ui_assert_text(fixture, "hashes.0.title", "b");
  ui_assert_text(fixture, "hashes.0.merged_from", "DEFAULT-2");
  ui_assert_text(fixture, "hashes.0.first_seen", "2025-11-21T10:00:01.000000000Z");
  ui_assert_text(fixture, "hashes.0.last_seen", "2025-11-21T10:00:01.000000000Z");
  assert_true(json_bool(ui_at(fixture, "hashes.0.can_split")));
  ui_assert_text(fixture, "hashes.1.hash", HASH_A);
  ui_assert_number(fixture, "hashes.1.count", 1);
  ui_assert_null(fixture, "hashes.1.merged_from");
  ui_assert_text(fixture, "history.2.kind", "merged");
  ui_assert_text(fixture, "history.2.issue", "DEFAULT-2");
}

static void a_merge_is_undone(void **state) {
  struct ui_fixture *fixture = *state;
  add(fixture, 1, "a");
  add(fixture, 2, "b");
  assert_int_equal(post(fixture, "/api/v1/issues/1/merge", "{\"issues\":[\"2\"]}"), 200);
  assert_int_equal(post(fixture, "/api/v1/issues/1/unmerge", "{\"hashes\":[\"" HASH_B "\"]}"), 201);
  ui_assert_text(fixture, "id", "3");
  ui_assert_text(fixture, "title", "b");
  ui_assert_number(fixture, "count", 1);
  ui_assert_count(fixture, "hashes", 1);
  assert_true(json_bool(ui_at(fixture, "hashes.0.split")));
  assert_false(json_bool(ui_at(fixture, "hashes.0.can_split")));
  ui_assert_text(fixture, "history.1.kind", "split_from");
  ui_assert_text(fixture, "history.1.issue", "DEFAULT-1");
  add(fixture, 3, "b");
  assert_int_equal(ui_get(fixture, "/api/v1/issues/2"), 200); // what b was before leads to where it is
  ui_assert_text(fixture, "id", "3");
  ui_assert_number(fixture, "count", 2);
  assert_int_equal(ui_get(fixture, "/api/v1/issues/1"), 200);
  ui_assert_number(fixture, "count", 1);
  ui_assert_count(fixture, "merged", 0);
}

static void bad_requests_change_nothing(void **state) {
  struct ui_fixture *fixture = *state;
  struct error error = {0};
  struct project shop;
  assert_int_equal(project_store_create(fixture->inbox->database, &fixture->inbox->clock.clock, SLICE_LITERAL("shop"),
                                        &shop, &error),
                   STATUS_OK);
  add(fixture, 1, "a");
  fixture_one(fixture->inbox, &(struct fixture_event){.id = 2, .hash = "a", .project = shop.id});
  char many[1200] = "{\"issues\":[\"2\"";
  for (size_t len = strlen(many); len < sizeof many - 8; len += 4) memcpy(many + len, ",\"2\"", 5);
  memcpy(many + strlen(many), "]}", 3);
  const struct {
    const char *path, *headers, *body;
    int code;
    const char *field;
  } cases[] = {
      {"/api/v1/issues/1/merge", JSON_TYPE, "{\"issues\":[\"2\"]}", 409, "issues"}, // another project
      {"/api/v1/issues/1/merge", JSON_TYPE, "{\"issues\":[\"9\"]}", 404, "issues"},
      {"/api/v1/issues/9/merge", JSON_TYPE, "{\"issues\":[\"1\"]}", 404, "issues"},
      {"/api/v1/issues/1/merge", JSON_TYPE, "{\"issues\":[\"1\"]}", 400, "issues"},
      {"/api/v1/issues/1/merge", JSON_TYPE, "{\"issues\":[]}", 400, "issues"},
      {"/api/v1/issues/1/merge", JSON_TYPE, "{\"issues\":[2]}", 400, "issues"},
      {"/api/v1/issues/1/merge", JSON_TYPE, "{\"issues\":[\"0\"]}", 400, "issues"},
      {"/api/v1/issues/1/merge", JSON_TYPE, "{\"issues\":\"2\"}", 400, "issues"},
      {"/api/v1/issues/1/merge", JSON_TYPE, "{}", 400, "issues"},
      {"/api/v1/issues/1/merge", JSON_TYPE, "{\"others\":[\"2\"]}", 400, "others"},
      {"/api/v1/issues/1/merge", JSON_TYPE, many, 400, "issues"},
      {"/api/v1/issues/1/merge", JSON_TYPE, "[]", 400, NULL},
      {"/api/v1/issues/1/merge", "Content-Type: text/plain\r\n", "{\"issues\":[\"2\"]}", 403, "Content-Type"},
      {"/api/v1/issues/1/merge", JSON_TYPE "Origin: http://elsewhere\r\n", "{\"issues\":[\"2\"]}", 403, "Origin"},
      {"/api/v1/issues/x/merge", JSON_TYPE, "{\"issues\":[\"2\"]}", 404, "id"},
      {"/api/v1/issues/1/unmerge", JSON_TYPE, "{\"hashes\":[\"" HASH_A "\"]}", 409, "hashes"}, // its only one
      {"/api/v1/issues/1/unmerge", JSON_TYPE, "{\"hashes\":[\"" HASH_B "\"]}", 404, "hashes"},
      {"/api/v1/issues/1/unmerge", JSON_TYPE, "{\"hashes\":[\"61\"]}", 400, "hashes"},
      {"/api/v1/issues/1/unmerge", JSON_TYPE, "{\"hashes\":[1]}", 400, "hashes"},
      {"/api/v1/issues/1/unmerge", JSON_TYPE, "{\"hashes\":[]}", 400, "hashes"},
      {"/api/v1/issues/9/unmerge", JSON_TYPE, "{\"hashes\":[\"" HASH_A "\"]}", 404, "hashes"},
      {"/api/v1/issues/1/unmerge", "Content-Type: text/plain\r\n", "{}", 403, "Content-Type"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    ui_send(fixture, "POST", cases[i].path, cases[i].headers, cases[i].body);
    if (fixture->code != cases[i].code) fail_msg("case %zu: %d", i, fixture->code);
    ui_assert_refused(fixture, cases[i].code, cases[i].field);
  }
  assert_int_equal(fixture_ask(fixture->inbox, "SELECT count(*) FROM issue"), 2);
}

static void the_list_notices(void **state) {
  struct ui_fixture *fixture = *state;
  char etag[256], again[256];
  add(fixture, 1, "a");
  add(fixture, 2, "b");
  assert_int_equal(ui_get(fixture, "/api/v1/issues"), 200);
  ui_header(fixture, "ETag", etag);
  assert_int_equal(post(fixture, "/api/v1/issues/1/merge", "{\"issues\":[\"2\"]}"), 200);
  assert_int_equal(ui_get(fixture, "/api/v1/issues"), 200);
  ui_header(fixture, "ETag", again);
  assert_string_not_equal(etag, again);
  assert_int_equal(post(fixture, "/api/v1/issues/1/unmerge", "{\"hashes\":[\"" HASH_B "\"]}"), 201);
  assert_int_equal(ui_get(fixture, "/api/v1/issues"), 200);
  ui_header(fixture, "ETag", etag);
  assert_string_not_equal(etag, again);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UI_TEST(merged_ids_answer_the_target),
      UI_TEST(hashes_tell_what_a_person_chooses_by),
      UI_TEST(a_merge_is_undone),
      UI_TEST(bad_requests_change_nothing),
      UI_TEST(the_list_notices),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
