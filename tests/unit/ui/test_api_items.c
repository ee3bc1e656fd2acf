// SPDX-License-Identifier: Apache-2.0
//
// What comes beside events, over HTTP: attachments and their bytes, feedback, what SDKs threw away.
#include "tests/unit/ui/ui_fixture.h"

#include "store/item_query.h"

#define EVENT_1 "01000000000000000000000000000000"
#define EVENT_2 "02000000000000000000000000000000"

static void add(struct ui_fixture *fixture, const struct sentry_item *item) {
  const struct issue_item mine = {
      .project = PROJECT_STORE_DEFAULT, .received_ns = clock_wall_ns(&fixture->inbox->clock.clock), .item = *item};
  assert_int_equal(issue_batch_add_item(&fixture->inbox->batch, &mine), STATUS_OK);
}

static void attach(struct ui_fixture *fixture, const char *name, const char *type, const char *data,
                   const char *reason) {
  add(fixture, &(struct sentry_item){.kind = SENTRY_ITEM_ATTACHMENT,
                                     .attachment = {.event_id = EVENT_1,
                                                    .filename = slice_from_cstr(name),
                                                    .content_type = slice_from_cstr(type),
                                                    .bytes = reason ? 99 : strlen(data),
                                                    .data = slice_from_cstr(data),
                                                    .reason = slice_from_cstr(reason),
                                                    .scrubbed = reason != NULL}});
}

static void say(struct ui_fixture *fixture, const char *id, const char *event_id, const char *message) {
  struct sentry_item item = {.kind = SENTRY_ITEM_FEEDBACK,
                             .feedback = {.is_report = event_id[0] != 0,
                                          .time_ns = FIXTURE_NOW_NS,
                                          .name = slice_from_cstr(event_id[0] ? "Al" : NULL),
                                          .email = SLICE_LITERAL("al@people.example"),
                                          .message = slice_from_cstr(message)}};
  memcpy(item.feedback.id, id, 33);
  memcpy(item.feedback.event_id, event_id, strlen(event_id) + 1);
  add(fixture, &item);
}

static void assert_header(struct ui_fixture *fixture, const char *name, const char *expected) {
  const char *value = raw_http_header(fixture->head, name);
  if (!value || strncmp(value, expected, strlen(expected)) != 0) fail_msg("%s is not %s", name + 2, expected);
}

static void attachments_are_listed(void **state) {
  struct ui_fixture *fixture = *state;
  fixture_add(fixture->inbox, &(struct fixture_event){.id = 1});
  fixture_add(fixture->inbox, &(struct fixture_event){.id = 2});
  attach(fixture, "a.txt", "text/plain", "hello", NULL);
  attach(fixture, NULL, NULL, "", "too large");
  fixture_write(fixture->inbox);
  assert_int_equal(ui_get(fixture, "/api/v1/events/" EVENT_1 "/attachments"), 200);
  ui_assert_count(fixture, "attachments", 2);
  ui_assert_text(fixture, "attachments.0.id", "1");
  ui_assert_text(fixture, "attachments.0.filename", "a.txt");
  ui_assert_text(fixture, "attachments.0.content_type", "text/plain");
  ui_assert_null(fixture, "attachments.0.attachment_type");
  ui_assert_number(fixture, "attachments.0.bytes", 5);
  ui_assert_text(fixture, "attachments.0.received", "2025-11-21T10:00:00.000000000Z");
  assert_true(json_bool(ui_at(fixture, "attachments.0.kept")));
  ui_assert_null(fixture, "attachments.0.reason");
  assert_int_equal(json_type_of(ui_at(fixture, "attachments.0.scrubbed")), JSON_BOOL);
  assert_false(json_bool(ui_at(fixture, "attachments.0.scrubbed")));
  ui_assert_null(fixture, "attachments.1.filename");
  ui_assert_number(fixture, "attachments.1.bytes", 99);
  assert_int_equal(json_type_of(ui_at(fixture, "attachments.1.kept")), JSON_BOOL);
  assert_false(json_bool(ui_at(fixture, "attachments.1.kept")));
  assert_true(json_bool(ui_at(fixture, "attachments.1.scrubbed")));
  ui_assert_text(fixture, "attachments.1.reason", "too large");
  // In the event too; an event without any has an empty list.
  assert_int_equal(ui_get(fixture, "/api/v1/events/" EVENT_1), 200);
  ui_assert_text(fixture, "attachments.0.filename", "a.txt");
  assert_int_equal(ui_get(fixture, "/api/v1/events/" EVENT_2 "/attachments"), 200);
  ui_assert_count(fixture, "attachments", 0);
  ui_get(fixture, "/api/v1/events/03000000000000000000000000000000/attachments");
  ui_assert_refused(fixture, 404, "event_id");
  ui_get(fixture, "/api/v1/events/3/attachments");
  ui_assert_refused(fixture, 400, "event_id");
  ui_get(fixture, "/api/v1/events/" EVENT_1 "/attachments?x=1");
  ui_assert_refused(fixture, 400, "x");
}

static void bytes_are_never_run(void **state) {
  struct ui_fixture *fixture = *state;
  static const struct {
    const char *name, *type, *served_type, *disposition;
  } cases[] = {
      {"a.txt", "Text/Plain; charset=x", "text/plain", "attachment; filename=\"a.txt\"; filename*=UTF-8''a.txt"},
      {"p.html", "text/html", "application/octet-stream", "attachment; filename=\"p.html\""},
      {"p.svg", "image/svg+xml", "application/octet-stream", "attachment; filename=\"p.svg\""},
      {"s.png", "image/png", "image/png", "attachment; filename=\"s.png\""},
      {"../../etc/x\r\nA: \"b\".sh", NULL, "application/octet-stream",
       "attachment; filename=\"x__A___b_.sh\"; filename*=UTF-8''x%0D%0AA%3A%20%22b%22.sh"},
      {"c:\\d\\\xe2\x82\xac\xff.txt", "", "application/octet-stream",
       "attachment; filename=\"____.txt\"; filename*=UTF-8''%E2%82%AC.txt"},
      {"dir/", "a/b\r\nX: y", "application/octet-stream", "attachment; filename=\"attachment\""},
  };
  const int count = (int)(sizeof cases / sizeof cases[0]);
  for (int i = 0; i < count; i++) attach(fixture, cases[i].name, cases[i].type, "<script>", NULL);
  fixture_write(fixture->inbox);
  for (int i = 0; i < count; i++) {
    char path[100];
    snprintf(path, sizeof path, "/api/v1/events/" EVENT_1 "/attachments/%d", i + 1);
    assert_int_equal(ui_get(fixture, path), 200);
    assert_non_null(strstr(fixture->head, "\r\n\r\n<script>"));
    assert_header(fixture, "\r\nContent-Type: ", cases[i].served_type);
    assert_header(fixture, "\r\nContent-Disposition: ", cases[i].disposition);
    assert_header(fixture, "\r\nX-Content-Type-Options: ", "nosniff");
    assert_header(fixture, "\r\nContent-Security-Policy: ", "sandbox; default-src 'none'");
    assert_null(raw_http_header(fixture->head, "\r\nA: "));
  }
}

static void what_is_not_there_is_404(void **state) {
  struct ui_fixture *fixture = *state;
  attach(fixture, "a", NULL, "", "too large");
  attach(fixture, "b", NULL, "b", NULL);
  fixture_write(fixture->inbox);
  ui_get(fixture, "/api/v1/events/" EVENT_1 "/attachments/1");
  ui_assert_refused(fixture, 404, "id");
  ui_assert_text(fixture, "error.message", "the attachment was not kept: too large");
  static const char *const paths[] = {"/api/v1/events/" EVENT_1 "/attachments/3",
                                      "/api/v1/events/" EVENT_1 "/attachments/-1",
                                      "/api/v1/events/" EVENT_2 "/attachments/2"};
  for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
    ui_get(fixture, paths[i]);
    ui_assert_refused(fixture, 404, "id");
    assert_null(raw_http_header(fixture->head, "\r\nContent-Disposition: "));
  }
}

static void feedback_is_found_everywhere(void **state) {
  struct ui_fixture *fixture = *state;
  fixture_add(fixture->inbox, &(struct fixture_event){.id = 1, .hash = "one"});
  fixture_add(fixture->inbox, &(struct fixture_event){.id = 2, .hash = "two"});
  say(fixture, "0a000000000000000000000000000000", EVENT_1, "first");
  say(fixture, "0b000000000000000000000000000000", EVENT_1, "second");
  say(fixture, "0c000000000000000000000000000000", "", "alone");
  add(fixture,
      &(struct sentry_item){
          .kind = SENTRY_ITEM_ATTACHMENT,
          .attachment = {.event_id = "0c000000000000000000000000000000", .bytes = 1, .data = SLICE_LITERAL("x")}});
  fixture_write(fixture->inbox);
  assert_int_equal(ui_get(fixture, "/api/v1/issues/1/feedback"), 200);
  ui_assert_count(fixture, "feedback", 2);
  ui_assert_text(fixture, "feedback.0.message", "second");
  ui_assert_text(fixture, "feedback.0.id", "0b000000000000000000000000000000");
  ui_assert_text(fixture, "feedback.0.project", "default");
  ui_assert_text(fixture, "feedback.0.event_id", EVENT_1);
  ui_assert_text(fixture, "feedback.0.issue_id", "1");
  ui_assert_text(fixture, "feedback.0.kind", "user_report");
  ui_assert_text(fixture, "feedback.0.time", "2025-11-21T10:00:00.000000000Z");
  ui_assert_text(fixture, "feedback.0.name", "Al");
  ui_assert_text(fixture, "feedback.0.email", "al@people.example");
  ui_assert_null(fixture, "feedback.0.url");
  ui_assert_null(fixture, "next");
  assert_int_equal(ui_get(fixture, "/api/v1/issues/2/feedback"), 200);
  ui_assert_count(fixture, "feedback", 0);
  assert_int_equal(ui_get(fixture, "/api/v1/events/" EVENT_1), 200);
  ui_assert_text(fixture, "feedback.1.message", "first");
  assert_int_equal(ui_get(fixture, "/api/v1/feedback?project=default&limit=1"), 200);
  ui_assert_count(fixture, "feedback", 1);
  ui_assert_text(fixture, "feedback.0.message", "alone");
  ui_assert_text(fixture, "feedback.0.kind", "feedback");
  ui_assert_null(fixture, "feedback.0.event_id");
  ui_assert_null(fixture, "feedback.0.issue_id");
  ui_assert_null(fixture, "feedback.0.issue");
  ui_assert_number(fixture, "feedback.0.attachments", 1);
  ui_assert_text(fixture, "next", "3");
  assert_int_equal(ui_get(fixture, "/api/v1/feedback?limit=2&cursor=3"), 200);
  ui_assert_count(fixture, "feedback", 2);
  ui_assert_text(fixture, "feedback.0.issue_id", "1");
  ui_assert_text(fixture, "feedback.0.issue.id", "1");
  ui_assert_text(fixture, "feedback.0.issue.short_id", "DEFAULT-1");
  ui_assert_text(fixture, "feedback.0.issue.title", "ValueError: bad cart");
  ui_assert_number(fixture, "feedback.0.attachments", 0);
  ui_assert_null(fixture, "next");
  ui_get(fixture, "/api/v1/issues/9/feedback");
  ui_assert_refused(fixture, 404, "id");
  ui_get(fixture, "/api/v1/feedback?cursor=x");
  ui_assert_refused(fixture, 400, "cursor");
  ui_get(fixture, "/api/v1/feedback?limit=201");
  ui_assert_refused(fixture, 400, "limit");
  assert_int_equal(ui_get(fixture, "/api/v1/feedback?project=1"), 200);
  ui_assert_count(fixture, "feedback", 3);
  ui_get(fixture, "/api/v1/feedback?project=nobody");
  ui_assert_refused(fixture, 400, "project");
  ui_get(fixture, "/api/v1/issues/1/feedback?project=default");
  ui_assert_refused(fixture, 400, "project");
}

static void the_status_says_what_sdks_threw_away(void **state) {
  struct ui_fixture *fixture = *state;
  assert_int_equal(ui_get(fixture, "/api/v1/status"), 200);
  ui_assert_count(fixture, "client_reports", 0);
  add(fixture, &(struct sentry_item){.kind = SENTRY_ITEM_DISCARDED,
                                     .discarded = {SLICE_LITERAL("queue_overflow"), SLICE_LITERAL("transaction"), 12}});
  fixture_write(fixture->inbox);
  fixture->status.items[0].type = "session";
  fixture->status.items[0].count = 5;
  fixture->status.item_count = 1;
  assert_int_equal(ui_get(fixture, "/api/v1/status"), 200);
  ui_assert_text(fixture, "client_reports.0.project", "default");
  ui_assert_text(fixture, "client_reports.0.reason", "queue_overflow");
  ui_assert_text(fixture, "client_reports.0.category", "transaction");
  ui_assert_number(fixture, "client_reports.0.quantity", 12);
  ui_assert_number(fixture, "client_reports.0.quantity_24h", 12);
  ui_assert_text(fixture, "client_reports.0.since", "2025-11-21T10:00:00.000000000Z");
  ui_assert_number(fixture, "items.session", 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UI_TEST(attachments_are_listed),
      UI_TEST(bytes_are_never_run),
      UI_TEST(what_is_not_there_is_404),
      UI_TEST(feedback_is_found_everywhere),
      UI_TEST(the_status_says_what_sdks_threw_away),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
