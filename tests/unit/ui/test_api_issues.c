// SPDX-License-Identifier: Apache-2.0
//
// The inbox over HTTP: lists, filters, pages, details, changing a state, events, refusals.
#include "tests/unit/ui/ui_fixture.h"

#define JSON_TYPE "Content-Type: application/json\r\n"

static void one(struct ui_fixture *fixture, struct fixture_event event) {
  fixture_one(fixture->inbox, &event);
}

static void a_fresh_inbox_is_empty(void **state) {
  struct ui_fixture *fixture = *state;
  assert_int_equal(ui_get(fixture, "/api/v1/issues"), 200);
  ui_assert_count(fixture, "issues", 0);
  ui_assert_null(fixture, "next");
  ui_assert_count(fixture, "services", 0);
  ui_assert_count(fixture, "environments", 0);
  char value[256];
  assert_string_equal(ui_header(fixture, "Content-Type", value), "application/json");
  assert_string_equal(ui_header(fixture, "X-Content-Type-Options", value), "nosniff");
}

static void an_issue_shows_every_field(void **state) {
  struct ui_fixture *fixture = *state;
  one(fixture, (struct fixture_event){.id = 1, .service = "checkout", .environment = "production", .release = "1.4.2"});
  one(fixture, (struct fixture_event){.id = 2, .service = "checkout", .at_ns = FIXTURE_NOW_NS + 5});
  assert_int_equal(ui_get(fixture, "/api/v1/issues"), 200);
  ui_assert_count(fixture, "issues", 1);
  ui_assert_text(fixture, "issues.0.id", "1");
  ui_assert_text(fixture, "issues.0.short_id", "DEFAULT-1");
  ui_assert_text(fixture, "issues.0.project", "default");
  ui_assert_text(fixture, "issues.0.title", "ValueError: bad cart");
  ui_assert_text(fixture, "issues.0.type", "ValueError");
  ui_assert_text(fixture, "issues.0.value", "bad cart");
  ui_assert_text(fixture, "issues.0.culprit", "shop.cart in checkout");
  ui_assert_text(fixture, "issues.0.level", "error");
  ui_assert_text(fixture, "issues.0.platform", "python");
  ui_assert_text(fixture, "issues.0.status", "unresolved");
  ui_assert_text(fixture, "issues.0.substatus", "new");
  ui_assert_number(fixture, "issues.0.count", 2);
  ui_assert_text(fixture, "issues.0.services.0", "checkout");
  ui_assert_text(fixture, "issues.0.environments.0", "production");
  ui_assert_text(fixture, "issues.0.releases.0", "1.4.2");
  ui_assert_text(fixture, "issues.0.first_seen", "2025-11-21T10:00:00.000000000Z");
  ui_assert_text(fixture, "issues.0.last_seen", "2025-11-21T10:00:00.000000005Z");
  ui_assert_count(fixture, "issues.0.sparkline", 24);
  ui_assert_number(fixture, "issues.0.sparkline.23", 2);
  ui_assert_text(fixture, "services.0", "checkout");
  ui_assert_text(fixture, "environments.0", "production");
}

struct filter_case {
  const char *path;
  const char *title; // of the only issue found; NULL: none
};

static void filters_choose(void **state) {
  struct ui_fixture *fixture = *state;
  struct issue_tag tag = {.key = SLICE_LITERAL("browser"), .value = SLICE_LITERAL("Firefox 1_0")};
  one(fixture, (struct fixture_event){.id = 1, .hash = "a", .title = "A: 100% wrong", .value = "x", .service = "web"});
  one(fixture, (struct fixture_event){.id = 2, .hash = "b", .title = "B: broken", .value = "y", .environment = "test"});
  one(fixture, (struct fixture_event){.id = 3, .hash = "c", .title = "C: odd", .value = "z", .level = "fatal"});
  one(fixture,
      (struct fixture_event){.id = 4, .hash = "d", .title = "D: tagged", .value = "w", .tags = &tag, .tag_count = 1});
  static const struct filter_case cases[] = {
      {"/api/v1/issues?service=web", "A: 100% wrong"},
      {"/api/v1/issues?environment=test", "B: broken"},
      {"/api/v1/issues?level=fatal", "C: odd"},
      {"/api/v1/issues?query=100%25", "A: 100% wrong"},
      {"/api/v1/issues?query=%25%25", NULL}, // no wildcard
      {"/api/v1/issues?query=BROKEN", "B: broken"},
      {"/api/v1/issues?query=browser:Firefox%201_0", "D: tagged"},
      {"/api/v1/issues?query=browser:%22Firefox%201_0%22", "D: tagged"},
      {"/api/v1/issues?query=browser:Firefox%20120", NULL},
      {"/api/v1/issues?query=C:%20odd", "C: odd"},
      {"/api/v1/issues?service=web&environment=test", NULL},
      {"/api/v1/issues?query=nothing", NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_int_equal(ui_get(fixture, cases[i].path), 200);
    if (json_count(ui_at(fixture, "issues")) != (cases[i].title ? 1 : 0)) fail_msg("%s", cases[i].path);
    if (cases[i].title) ui_assert_text(fixture, "issues.0.title", cases[i].title);
  }
}

static uint64_t projects_told(void *version) {
  return *(uint64_t *)version;
}

static void make_project(struct ui_fixture *fixture, const char *slug) {
  struct project project;
  struct error error = {0};
  enum status status = project_store_create(fixture->inbox->database, &fixture->inbox->clock.clock,
                                            slice_from_cstr(slug), &project, &error);
  if (status != STATUS_OK) fail_msg("%s", error.text);
}

// By name or number; a project whose name is another one's number goes by its name.
static void a_project_is_chosen(void **state) {
  struct ui_fixture *fixture = *state;
  make_project(fixture, "shop"); // 2
  make_project(fixture, "2");    // 3
  make_project(fixture, "empty");
  one(fixture, (struct fixture_event){.id = 1, .title = "in default"});
  one(fixture, (struct fixture_event){.id = 2, .title = "in shop", .project = 2});
  one(fixture, (struct fixture_event){.id = 3, .title = "in 2", .project = 3});
  static const struct filter_case cases[] = {
      {"/api/v1/issues?project=default", "in default"},
      {"/api/v1/issues?project=1", "in default"},
      {"/api/v1/issues?project=shop", "in shop"},
      {"/api/v1/issues?project=2", "in 2"},
      {"/api/v1/issues?project=3", "in 2"},
      {"/api/v1/issues?project=empty", NULL},
      {"/api/v1/issues?project=shop&sort=count&query=default", NULL},
      {"/api/v1/issues?project=shop&sort=first_seen", "in shop"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    assert_int_equal(ui_get(fixture, cases[i].path), 200);
    if (json_count(ui_at(fixture, "issues")) != (cases[i].title ? 1 : 0)) fail_msg("%s", cases[i].path);
    if (cases[i].title) ui_assert_text(fixture, "issues.0.title", cases[i].title);
    ui_assert_count(fixture, "projects", 4);
  }
  ui_assert_text(fixture, "projects.0", "2");
  ui_assert_text(fixture, "projects.3", "shop");
  assert_int_equal(ui_get(fixture, "/api/v1/issues?project="), 200);
  ui_assert_count(fixture, "issues", 3);
  ui_get(fixture, "/api/v1/issues?project=nobody");
  ui_assert_refused(fixture, 400, "project");
  ui_assert_text(fixture, "error.message", "there is no project \"nobody\"");
  ui_get(fixture, "/api/v1/issues?project=4294967298"); // 2^32 + 2
  ui_assert_refused(fixture, 400, "project");
}

// A page that asks with the ETag it has learns of a new project.
static void a_new_project_is_news(void **state) {
  struct ui_fixture *fixture = *state;
  uint64_t version = 1;
  fixture->options.projects = &version;
  fixture->options.projects_version = projects_told;
  char etag[256], header[300];
  assert_int_equal(ui_get(fixture, "/api/v1/issues"), 200);
  snprintf(header, sizeof header, "If-None-Match: %s\r\n", ui_header(fixture, "ETag", etag));
  assert_int_equal(ui_send(fixture, "GET", "/api/v1/issues", header, ""), 304);
  make_project(fixture, "shop");
  version++;
  assert_int_equal(ui_send(fixture, "GET", "/api/v1/issues", header, ""), 200);
  ui_assert_count(fixture, "projects", 2);
}

static void statuses_are_filtered(void **state) {
  struct ui_fixture *fixture = *state;
  struct error error = {0};
  one(fixture, (struct fixture_event){.id = 1, .hash = "a"});
  one(fixture, (struct fixture_event){.id = 2, .hash = "b"});
  one(fixture, (struct fixture_event){.id = 3, .hash = "c"});
  assert_int_equal(issue_store_set_status(fixture->inbox->store, 2, ISSUE_RESOLVED, &error), STATUS_OK);
  assert_int_equal(issue_store_set_status(fixture->inbox->store, 3, ISSUE_MUTED, &error), STATUS_OK);
  static const struct {
    const char *path, *id;
  } cases[] = {{"/api/v1/issues", "1"},
               {"/api/v1/issues?status=unresolved", "1"},
               {"/api/v1/issues?status=resolved", "2"},
               {"/api/v1/issues?status=muted", "3"}};
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(ui_get(fixture, cases[i].path), 200);
    ui_assert_count(fixture, "issues", 1);
    ui_assert_text(fixture, "issues.0.id", cases[i].id);
  }
  assert_int_equal(ui_get(fixture, "/api/v1/issues?status=all"), 200);
  ui_assert_count(fixture, "issues", 3);
}

static void pages_are_complete_in_every_order(void **state) {
  struct ui_fixture *fixture = *state;
  uint32_t id = 0;
  char hash[8], path[256], next[128], seen[32];
  for (uint32_t i = 1; i <= 23; i++) { // several with the same count and time
    snprintf(hash, sizeof hash, "h%u", i);
    for (uint32_t k = 0; k <= i % 4; k++)
      fixture_add(fixture->inbox, &(struct fixture_event){.id = ++id, .hash = hash, .at_ns = FIXTURE_NOW_NS + i / 3});
  }
  fixture_write(fixture->inbox);
  static const char *const sorts[] = {"last_seen", "first_seen", "count"};
  for (int s = 0; s < 3; s++) {
    memset(seen, 0, sizeof seen);
    next[0] = 0;
    unsigned pages = 0;
    do {
      snprintf(path, sizeof path, "/api/v1/issues?sort=%s&limit=5%s%s", sorts[s], next[0] ? "&cursor=" : "", next);
      assert_int_equal(ui_get(fixture, path), 200);
      struct json_iter iter = json_iterate(ui_at(fixture, "issues"));
      struct json_value issue;
      while (json_array_next(&iter, &issue)) {
        uint64_t number = 0;
        assert_true(slice_to_u64(json_string(json_get(issue, "id")), &number));
        assert_in_range(number, 1, 23);
        assert_int_equal(seen[number]++, 0);
      }
      struct slice cursor = json_string(ui_at(fixture, "next"));
      snprintf(next, sizeof next, "%.*s", SLICE_PRINTF(cursor));
      pages++;
    } while (next[0]);
    assert_int_equal(pages, 5);
    for (int i = 1; i <= 23; i++) assert_int_equal(seen[i], 1);
  }
  assert_int_equal(ui_get(fixture, "/api/v1/issues?sort=count&limit=1"), 200);
  ui_assert_number(fixture, "issues.0.count", 4);
}

static void bad_questions_name_the_field(void **state) {
  struct ui_fixture *fixture = *state;
  one(fixture, (struct fixture_event){.id = 1});
  static const struct {
    const char *path;
    int code;
    const char *field;
  } cases[] = {
      {"/api/v1/issues?limit=0", 400, "limit"},
      {"/api/v1/issues?limit=201", 400, "limit"},
      {"/api/v1/issues?limit=-1", 400, "limit"},
      {"/api/v1/issues?limit=1x", 400, "limit"},
      {"/api/v1/issues?status=open", 400, "status"},
      {"/api/v1/issues?sort=size", 400, "sort"},
      {"/api/v1/issues?project=none", 400, "project"},
      {"/api/v1/issues?cursor=abc", 400, "cursor"},
      {"/api/v1/issues?cursor=c1-1", 400, "cursor"}, // of another order
      {"/api/v1/issues?colour=red", 400, "colour"},
      {"/api/v1/issues/1?x=1", 400, "x"},
      {"/api/v1/issues/abc", 404, "id"},
      {"/api/v1/issues/2", 404, "id"},
      {"/api/v1/issues/99999999999999999999", 404, "id"},
      {"/api/v1/issues/18446744073709551615", 404, "id"},
      {"/api/v1/issues/2/events", 404, "id"},
      {"/api/v1/issues/1/events?limit=999", 400, "limit"},
      {"/api/v1/issues/1/events?cursor=1", 400, "cursor"},
      {"/api/v1/events/xyz", 400, "event_id"},
      {"/api/v1/events/00000000000000000000000000000000", 404, "event_id"},
      {"/api/v1/nothing", 404, NULL},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    ui_get(fixture, cases[i].path);
    if (fixture->code != cases[i].code) fail_msg("%s: %d", cases[i].path, fixture->code);
    ui_assert_refused(fixture, cases[i].code, cases[i].field);
  }
  char path[400] = "/api/v1/issues?query=";
  memset(path + strlen(path), 'a', 250);
  ui_get(fixture, path);
  ui_assert_refused(fixture, 400, "query");
  ui_send(fixture, "DELETE", "/api/v1/issues", "", "");
  ui_assert_refused(fixture, 405, NULL);
}

static void details_tell_tags_hashes_history_and_hours(void **state) {
  struct ui_fixture *fixture = *state;
  struct issue_tag tags[2] = {{.key = SLICE_LITERAL("browser"), .value = SLICE_LITERAL("Firefox")},
                              {.key = SLICE_LITERAL("os"), .value = SLICE_LITERAL("Linux")}};
  one(fixture, (struct fixture_event){.id = 1, .hash = "a", .second_hash = "b", .tags = tags, .tag_count = 2});
  tags[0].value = SLICE_LITERAL("Chrome");
  one(fixture, (struct fixture_event){.id = 2, .hash = "a", .tags = tags, .tag_count = 2, .at_ns = FIXTURE_NOW_NS + 1});
  one(fixture, (struct fixture_event){.id = 3, .hash = "a", .tags = tags, .tag_count = 1, .at_ns = FIXTURE_NOW_NS + 2});
  assert_int_equal(ui_get(fixture, "/api/v1/issues/1"), 200);
  ui_assert_text(fixture, "first_event", "01000000000000000000000000000000");
  ui_assert_text(fixture, "latest_event", "03000000000000000000000000000000");
  ui_assert_count(fixture, "tags", 3);
  ui_assert_text(fixture, "tags.0.key", "browser");
  ui_assert_number(fixture, "tags.0.total", 3);
  ui_assert_number(fixture, "tags.0.distinct", 2);
  ui_assert_text(fixture, "tags.0.values.0.value", "Chrome");
  ui_assert_number(fixture, "tags.0.values.0.count", 2);
  ui_assert_text(fixture, "tags.0.values.1.value", "Firefox");
  ui_assert_text(fixture, "tags.1.key", "level");
  ui_assert_text(fixture, "tags.2.key", "os");
  ui_assert_number(fixture, "tags.2.values.0.count", 2);
  ui_assert_count(fixture, "hashes", 2);
  ui_assert_text(fixture, "hashes.0.hash", "61000000000000000000000000000000");
  ui_assert_text(fixture, "hashes.0.algorithm", "test");
  ui_assert_text(fixture, "hashes.0.variant", "app");
  ui_assert_text(fixture, "history.0.kind", "first_seen");
  ui_assert_text(fixture, "hours.0.time", "2025-11-21T10:00:00.000000000Z");
  ui_assert_number(fixture, "hours.0.count", 3);
}

static void a_tag_shows_ten_values(void **state) {
  struct ui_fixture *fixture = *state;
  char value[16];
  for (uint32_t i = 0; i < 30; i++) {
    snprintf(value, sizeof value, "v%u", i);
    struct issue_tag tag = {.key = SLICE_LITERAL("k"), .value = slice_from_cstr(value)};
    fixture_add(fixture->inbox, &(struct fixture_event){.id = i + 1, .tags = &tag, .tag_count = 1});
  }
  fixture_write(fixture->inbox);
  assert_int_equal(ui_get(fixture, "/api/v1/issues/1"), 200);
  ui_assert_text(fixture, "tags.0.key", "k");
  ui_assert_number(fixture, "tags.0.total", 30);
  ui_assert_number(fixture, "tags.0.distinct", 30);
  ui_assert_count(fixture, "tags.0.values", 10);
}

static void a_state_is_changed_by_patch(void **state) {
  struct ui_fixture *fixture = *state;
  one(fixture, (struct fixture_event){.id = 1});
  assert_int_equal(ui_send(fixture, "PATCH", "/api/v1/issues/1", JSON_TYPE, "{\"status\":\"resolved\"}"), 200);
  ui_assert_text(fixture, "status", "resolved");
  ui_assert_text(fixture, "history.1.kind", "resolved");
  assert_int_equal(ui_get(fixture, "/api/v1/issues"), 200);
  ui_assert_count(fixture, "issues", 0);
  clock_fake_add(&fixture->inbox->clock, NS_PER_S);
  one(fixture, (struct fixture_event){.id = 2});
  assert_int_equal(ui_get(fixture, "/api/v1/issues"), 200);
  ui_assert_text(fixture, "issues.0.substatus", "regressed");
  assert_int_equal(ui_send(fixture, "PATCH", "/api/v1/issues/DEFAULT-1", JSON_TYPE, "{\"status\":\"resolved\"}"), 200);
  ui_assert_text(fixture, "id", "1");
  ui_assert_text(fixture, "status", "resolved");
  assert_int_equal(ui_send(fixture, "PATCH", "/api/v1/issues/1",
                           "Content-Type: application/json; charset=utf-8\r\nOrigin: http://localhost:8080\r\n"
                           "Sec-Fetch-Site: same-origin\r\n",
                           "{\"status\":\"muted\"}"),
                   200);
  ui_assert_text(fixture, "status", "muted");
}

static void bad_patches_change_nothing(void **state) {
  struct ui_fixture *fixture = *state;
  one(fixture, (struct fixture_event){.id = 1});
  static const struct {
    const char *path, *headers, *body;
    int code;
    const char *field;
  } cases[] = {
      {"/api/v1/issues/1", "", "{\"status\":\"resolved\"}", 403, "Content-Type"},
      {"/api/v1/issues/1", "Content-Type: text/plain\r\n", "{\"status\":\"resolved\"}", 403, "Content-Type"},
      {"/api/v1/issues/1", JSON_TYPE "Origin: http://evil.example\r\n", "{\"status\":\"resolved\"}", 403, "Origin"},
      {"/api/v1/issues/1", JSON_TYPE "Origin: null\r\n", "{\"status\":\"resolved\"}", 403, "Origin"},
      {"/api/v1/issues/1", JSON_TYPE "Sec-Fetch-Site: cross-site\r\n", "{\"status\":\"resolved\"}", 403,
       "Sec-Fetch-Site"},
      {"/api/v1/issues/1", JSON_TYPE, "{\"status\":\"gone\"}", 400, "status"},
      {"/api/v1/issues/1", JSON_TYPE, "{\"status\":1}", 400, "status"},
      {"/api/v1/issues/1", JSON_TYPE, "{}", 400, "status"},
      {"/api/v1/issues/1", JSON_TYPE, "{\"status\":\"resolved\",\"x\":1}", 400, "x"},
      {"/api/v1/issues/1", JSON_TYPE, "[]", 400, NULL},
      {"/api/v1/issues/1", JSON_TYPE, "{", 400, NULL},
      {"/api/v1/issues/1", JSON_TYPE, "", 400, NULL},
      {"/api/v1/issues/77", JSON_TYPE, "{\"status\":\"resolved\"}", 404, "id"},
      {"/api/v1/issues/DEFAULT-77", JSON_TYPE, "{\"status\":\"resolved\"}", 404, "id"},
      {"/api/v1/issues/nonsense", JSON_TYPE, "{\"status\":\"resolved\"}", 404, "id"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    ui_send(fixture, "PATCH", cases[i].path, cases[i].headers, cases[i].body);
    if (fixture->code != cases[i].code) fail_msg("case %zu: %d", i, fixture->code);
    ui_assert_refused(fixture, cases[i].code, cases[i].field);
  }
  assert_int_equal(fixture_ask(fixture->inbox, "SELECT status FROM issue"), ISSUE_UNRESOLVED);
}

static void polling_is_cheap_and_notices_changes(void **state) {
  struct ui_fixture *fixture = *state;
  char etag[256], again[256], header[300];
  one(fixture, (struct fixture_event){.id = 1});
  assert_int_equal(ui_get(fixture, "/api/v1/issues"), 200);
  ui_header(fixture, "ETag", etag);
  snprintf(header, sizeof header, "If-None-Match: %s\r\n", etag);
  assert_int_equal(ui_send(fixture, "GET", "/api/v1/issues", header, ""), 304);
  assert_int_equal(ui_send(fixture, "GET", "/api/v1/issues?status=all", header, ""), 200); // another question
  one(fixture, (struct fixture_event){.id = 2});
  assert_int_equal(ui_send(fixture, "GET", "/api/v1/issues", header, ""), 200);
  assert_string_not_equal(ui_header(fixture, "ETag", again), etag);
  struct issue_store_outcome outcome;
  struct error error = {0};
  snprintf(header, sizeof header, "If-None-Match: %s\r\n", again);
  assert_int_equal(issue_store_write(fixture->inbox->store, &fixture->inbox->batch, "inbox", 9, &outcome, &error),
                   STATUS_OK); // only the cursor moved
  assert_int_equal(ui_send(fixture, "GET", "/api/v1/issues", header, ""), 304);
  clock_fake_add(&fixture->inbox->clock, 3600 * NS_PER_S); // sparklines have moved
  assert_int_equal(ui_send(fixture, "GET", "/api/v1/issues", header, ""), 200);
}

static void large_answers_are_compressed_when_asked(void **state) {
  struct ui_fixture *fixture = *state;
  char hash[16], value[256];
  for (uint32_t i = 0; i < 60; i++) {
    snprintf(hash, sizeof hash, "h%u", i);
    fixture_add(fixture->inbox, &(struct fixture_event){.id = i + 1, .hash = hash});
  }
  fixture_write(fixture->inbox);
  assert_int_equal(ui_get(fixture, "/api/v1/issues"), 200);
  assert_null(raw_http_header(fixture->head, "\r\nContent-Encoding:"));
  char text[] = "GET /api/v1/issues HTTP/1.1\r\nHost: x\r\nAccept-Encoding: gzip\r\n\r\n";
  raw_http_text(&fixture->raw, text);
  const char *body = NULL;
  assert_int_equal(raw_http_reply(&fixture->raw, &fixture->head, &body), 200);
  assert_string_equal(ui_header(fixture, "Content-Encoding", value), "gzip");
  assert_memory_equal(body, "\x1f\x8b", 2);
}

static void events_are_listed_and_shown(void **state) {
  struct ui_fixture *fixture = *state;
  for (uint32_t i = 1; i <= 5; i++)
    fixture_add(fixture->inbox, &(struct fixture_event){.id = i,
                                                        .at_ns = FIXTURE_NOW_NS + i,
                                                        .service = "checkout",
                                                        .request_id = i == 3 ? "r-3" : NULL,
                                                        .source = ISSUE_SOURCE_LOG});
  fixture_write(fixture->inbox);
  assert_int_equal(ui_get(fixture, "/api/v1/issues/1/events?limit=2"), 200);
  ui_assert_count(fixture, "events", 2);
  ui_assert_text(fixture, "events.0.event_id", "05000000000000000000000000000000");
  ui_assert_text(fixture, "events.0.source", "log");
  ui_assert_text(fixture, "events.0.trace_id", "30313233343536373839616263646566");
  ui_assert_null(fixture, "events.0.request_id");
  char path[256];
  snprintf(path, sizeof path, "/api/v1/issues/1/events?limit=3&cursor=%.*s",
           SLICE_PRINTF(json_string(ui_at(fixture, "next"))));
  assert_int_equal(ui_get(fixture, path), 200);
  ui_assert_text(fixture, "events.0.event_id", "03000000000000000000000000000000");
  ui_assert_text(fixture, "events.0.request_id", "r-3");
  ui_assert_count(fixture, "events", 3);
  ui_assert_null(fixture, "next");

  assert_int_equal(ui_get(fixture, "/api/v1/events/03000000000000000000000000000000"), 200);
  ui_assert_text(fixture, "issue.id", "1");
  ui_assert_text(fixture, "issue.short_id", "DEFAULT-1");
  ui_assert_text(fixture, "issue.status", "unresolved");
  ui_assert_text(fixture, "issue.title", "ValueError: bad cart");
  ui_assert_text(fixture, "timestamp", "2025-11-21T10:00:00.000000003Z");
  ui_assert_text(fixture, "received", "2025-11-21T10:00:00.000000000Z");
  ui_assert_text(fixture, "span_id", "3031323334353637");
  ui_assert_text(fixture, "request_id", "r-3");
  ui_assert_text(fixture, "level", "error");
  ui_assert_text(fixture, "culprit", "shop.cart in checkout");
  ui_assert_text(fixture, "previous", "02000000000000000000000000000000");
  ui_assert_text(fixture, "next", "04000000000000000000000000000000");
  ui_assert_number(fixture, "document.event", 3);
  assert_int_equal(json_type_of(ui_at(fixture, "grouping.app")), JSON_OBJECT);
  assert_int_equal(ui_get(fixture, "/api/v1/events/01000000000000000000000000000000"), 200);
  ui_assert_null(fixture, "previous");
  assert_int_equal(ui_get(fixture, "/api/v1/events/05000000000000000000000000000000"), 200);
  ui_assert_null(fixture, "next");
}

static void grouping_that_is_not_json_is_left_out(void **state) {
  struct ui_fixture *fixture = *state;
  static const char *const texts[] = {"{\"hint\":\"by \"a\"\"}", "{\"hint\":\"C:\\Users\"}", "{"};
  for (uint32_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    char path[64];
    fixture_one(fixture->inbox, &(struct fixture_event){.id = i + 1, .grouping = texts[i]});
    snprintf(path, sizeof path, "/api/v1/events/%02x000000000000000000000000000000", i + 1);
    assert_int_equal(ui_get(fixture, path), 200);
    ui_assert_null(fixture, "grouping");
    ui_assert_number(fixture, "document.event", i + 1);
  }
}

static void hostile_texts_stay_data(void **state) {
  struct ui_fixture *fixture = *state;
  one(fixture, (struct fixture_event){.id = 1, .title = "<script>\"\\\x01\xff\xed\xa0\x80", .service = "a\nb"});
  assert_int_equal(ui_get(fixture, "/api/v1/issues"), 200); // the reply was parsed as JSON
  ui_assert_count(fixture, "issues", 1);
  ui_assert_text(fixture, "services.0", "a\nb");
  assert_int_equal(ui_get(fixture, "/api/v1/issues?query=%27%3B%20DROP%20TABLE%20issue%3B--"), 200);
  ui_assert_count(fixture, "issues", 0);
  assert_int_equal(ui_get(fixture, "/api/v1/issues?service=a%0Ab"), 200);
  ui_assert_count(fixture, "issues", 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UI_TEST(a_fresh_inbox_is_empty),
      UI_TEST(an_issue_shows_every_field),
      UI_TEST(filters_choose),
      UI_TEST(a_project_is_chosen),
      UI_TEST(a_new_project_is_news),
      UI_TEST(statuses_are_filtered),
      UI_TEST(pages_are_complete_in_every_order),
      UI_TEST(bad_questions_name_the_field),
      UI_TEST(details_tell_tags_hashes_history_and_hours),
      UI_TEST(a_tag_shows_ten_values),
      UI_TEST(a_state_is_changed_by_patch),
      UI_TEST(bad_patches_change_nothing),
      UI_TEST(polling_is_cheap_and_notices_changes),
      UI_TEST(large_answers_are_compressed_when_asked),
      UI_TEST(events_are_listed_and_shown),
      UI_TEST(grouping_that_is_not_json_is_left_out),
      UI_TEST(hostile_texts_stay_data),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
