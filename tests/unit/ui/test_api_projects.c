// SPDX-License-Identifier: Apache-2.0
//
// /api/v1/projects as a client sees it, over HTTP and a real database. The parts the collector adds (addresses, rules)
// are told by the test.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/project_settings.h"
#include "tests/unit/ui/ui_fixture.h"

struct told {
  unsigned changes;  // how often the program was told
  bool addressless;  // the address is not known yet
  char checked[256]; // the last rules
};

static void on_changed(void *projects) {
  ((struct told *)projects)->changes++;
}

static bool tell_dsn(void *projects, uint32_t project, const char *key, char out_dsn[UI_DSN_BYTES_MAX]) {
  if (((struct told *)projects)->addressless) return false;
  snprintf(out_dsn, UI_DSN_BYTES_MAX, "http://%s@ingest.example/%u", key, project);
  return true;
}

// Rules that begin with "bad" are bad.
static bool tell_rules(void *projects, bool fingerprint, struct slice text, struct ui_rule_fault *out_fault) {
  struct told *told = projects;
  snprintf(told->checked, sizeof told->checked, "%s:%.*s", fingerprint ? "fingerprint" : "stack", SLICE_PRINTF(text));
  if (!slice_starts_with(text, SLICE_LITERAL("bad"))) return true;
  *out_fault = (struct ui_rule_fault){.line = 3, .column = 7, .text = "unknown matcher 'bad'"};
  return false;
}

static struct told told;

static int setup(void **state) {
  if (ui_setup(state) != 0) return -1;
  struct ui_fixture *fixture = *state;
  static const char *const keys[] = {"tax"};
  told = (struct told){0};
  fixture->options.projects = &told;
  fixture->options.projects_changed = on_changed;
  fixture->options.dsn = tell_dsn;
  fixture->options.check_rules = tell_rules;
  fixture->options.scrub =
      (struct ui_scrub){.enabled = true, .defaults = true, .sensitive_keys = keys, .sensitive_key_count = 1};
  struct project project;
  return project_store_ensure_default(fixture->inbox->database, clock_system(), &project, NULL) == STATUS_OK ? 0 : -1;
}

static int change(struct ui_fixture *fixture, const char *method, const char *path, const char *body) {
  return ui_send(fixture, method, path, "Content-Type: application/json\r\n", body);
}

// "settings.scrub.enabled" and the like, below the root; one path segment a dot.
static struct json_value at(struct ui_fixture *fixture, const char *path) {
  struct json_value value = fixture->root;
  struct slice rest = slice_from_cstr(path);
  while (rest.len > 0) {
    struct slice name = slice_sub(rest, 0, slice_find_byte(rest, '.'));
    rest = slice_skip(rest, name.len + 1);
    uint64_t index = 0;
    if (slice_to_u64(name, &index)) {
      struct json_iter iter = json_iterate(value);
      for (uint64_t i = 0; i <= index; i++) assert_true(json_array_next(&iter, &value));
    } else {
      value = json_get_slice(value, name);
    }
  }
  return value;
}

static void check_text(struct ui_fixture *fixture, const char *path, const char *expected) {
  struct slice text = json_string(at(fixture, path));
  if (!slice_equal_cstr(text, expected)) fail_msg("%s: %.*s, not %s", path, SLICE_PRINTF(text), expected);
}

static void projects_are_listed_with_defaults(void **state) {
  struct ui_fixture *fixture = *state;
  assert_int_equal(ui_get(fixture, "/api/v1/projects"), 200);
  assert_int_equal(json_count(at(fixture, "projects")), 1);
  check_text(fixture, "projects.0.id", "1");
  check_text(fixture, "projects.0.slug", "default");
  assert_int_equal(json_count(at(fixture, "projects.0.keys")), 1);
  assert_true(json_bool(at(fixture, "projects.0.keys.0.active")));
  assert_true(slice_ends_with(json_string(at(fixture, "projects.0.dsn")), SLICE_LITERAL("@ingest.example/1")));
  assert_int_equal(json_type_of(at(fixture, "projects.0.settings.scrub.enabled")), JSON_NULL);
  assert_int_equal(json_type_of(at(fixture, "projects.0.settings.scrub.safe_keys")), JSON_NULL);
  assert_false(json_is_present(at(fixture, "projects.0.settings.enhancements"))); // of one project alone
  assert_true(json_bool(at(fixture, "defaults.scrub.enabled")));
  check_text(fixture, "defaults.scrub.sensitive_keys.0", "tax");
  told.addressless = true;
  assert_int_equal(ui_get(fixture, "/api/v1/projects"), 200);
  assert_int_equal(json_type_of(at(fixture, "projects.0.dsn")), JSON_NULL);
  assert_int_equal(ui_get(fixture, "/api/v1/projects?x=1"), 400);
}

static void a_project_is_made_once(void **state) {
  struct ui_fixture *fixture = *state;
  assert_int_equal(change(fixture, "POST", "/api/v1/projects", "{\"slug\":\"shop\"}"), 201);
  check_text(fixture, "slug", "shop");
  assert_int_equal(told.changes, 1);
  assert_int_equal(change(fixture, "POST", "/api/v1/projects", "{\"slug\":\"shop\"}"), 409);
  check_text(fixture, "error.field", "slug");
  static const char *const bad[] = {"{}", "{\"slug\":1}", "{\"slug\":\"-a\"}", "{\"slug\":\"a\",\"b\":1}", "[]", "{"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
    assert_int_equal(change(fixture, "POST", "/api/v1/projects", bad[i]), 400);
  assert_int_equal(ui_send(fixture, "POST", "/api/v1/projects", "", "{\"slug\":\"x\"}"), 403);
  assert_int_equal(ui_send(fixture, "POST", "/api/v1/projects",
                           "Content-Type: application/json\r\nSec-Fetch-Site: cross-site\r\n", "{\"slug\":\"x\"}"),
                   403);
  assert_int_equal(told.changes, 1);
  assert_int_equal(ui_get(fixture, "/api/v1/projects/shop"), 200);
  assert_int_equal(ui_get(fixture, "/api/v1/projects/x"), 404);
}

static void settings_change_by_member(void **state) {
  struct ui_fixture *fixture = *state;
  const char *path = "/api/v1/projects/default";
  assert_int_equal(change(fixture, "PATCH", path,
                          "{\"settings\":{\"scrub\":{\"enabled\":false,\"safe_keys\":[\"a\\\"b\"]},"
                          "\"events_per_minute\":7}}"),
                   200);
  assert_int_equal(
      change(fixture, "PATCH", path, "{\"settings\":{\"scrub\":{\"ip_addresses\":true},\"logs_per_minute\":1}}"), 200);
  assert_int_equal(told.changes, 2);
  assert_int_equal(ui_get(fixture, path), 200);
  assert_int_equal(json_type_of(at(fixture, "settings.scrub.enabled")), JSON_BOOL);
  assert_false(json_bool(at(fixture, "settings.scrub.enabled")));
  assert_true(json_bool(at(fixture, "settings.scrub.ip_addresses")));
  assert_int_equal(json_type_of(at(fixture, "settings.scrub.defaults")), JSON_NULL);
  check_text(fixture, "settings.scrub.safe_keys.0", "a\"b");
  assert_int_equal(json_u64(at(fixture, "settings.events_per_minute")), 7);
  assert_int_equal(json_u64(at(fixture, "settings.logs_per_minute")), 1);
  assert_int_equal(change(fixture, "PATCH", path, "{\"settings\":{\"scrub\":null,\"events_per_minute\":null}}"), 200);
  assert_int_equal(json_type_of(at(fixture, "settings.scrub.enabled")), JSON_NULL);
  assert_int_equal(json_type_of(at(fixture, "settings.scrub.safe_keys")), JSON_NULL);
  assert_int_equal(json_u64(at(fixture, "settings.events_per_minute")), 0);
  assert_int_equal(json_u64(at(fixture, "settings.logs_per_minute")), 1);
}

static void bad_settings_change_nothing(void **state) {
  struct ui_fixture *fixture = *state;
  static const char *const rows[][2] = {
      {"{}", "settings"},
      {"{\"settings\":[]}", "settings"},
      {"{\"settings\":{\"x\":1}}", "settings.x"},
      {"{\"settings\":{\"scrub\":{\"x\":1}}}", "settings.scrub.x"},
      {"{\"settings\":{\"scrub\":{\"defaults\":\"yes\"}}}", "settings.scrub.defaults"},
      {"{\"settings\":{\"scrub\":{\"safe_keys\":\"a\"}}}", "settings.scrub.safe_keys"},
      {"{\"settings\":{\"scrub\":{\"safe_keys\":[\"\\u0000\"]}}}", "settings.scrub.safe_keys"},
      {"{\"settings\":{\"scrub\":{\"sensitive_keys\":[1]}}}", "settings.scrub.sensitive_keys"},
      {"{\"settings\":{\"events_per_minute\":7,\"logs_per_minute\":\"1\"}}", "settings.logs_per_minute"},
      {"{\"settings\":{\"transactions_per_minute\":1000000001}}", "settings.transactions_per_minute"},
      {"{\"settings\":{\"events_per_minute\":7,\"enhancements\":1}}", "settings.enhancements"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    assert_int_equal(change(fixture, "PATCH", "/api/v1/projects/default", rows[i][0]), 400);
    check_text(fixture, "error.field", rows[i][1]);
  }
  assert_int_equal(change(fixture, "PATCH", "/api/v1/projects/x", "{\"settings\":{\"events_per_minute\":7}}"), 404);
  assert_int_equal(told.changes, 0);
  assert_int_equal(ui_get(fixture, "/api/v1/projects/default"), 200);
  assert_int_equal(json_u64(at(fixture, "settings.events_per_minute")), 0);
}

static void rules_are_checked_before_they_are_kept(void **state) {
  struct ui_fixture *fixture = *state;
  const char *path = "/api/v1/projects/default";
  assert_int_equal(change(fixture, "PATCH", path, "{\"settings\":{\"enhancements\":\"good \\u00e9\"}}"), 200);
  assert_string_equal(told.checked, "stack:good \xc3\xa9");
  check_text(fixture, "settings.enhancements", "good \xc3\xa9");
  check_text(fixture, "settings.fingerprint_rules", "");
  assert_int_equal(
      change(fixture, "PATCH", path, "{\"settings\":{\"fingerprint_rules\":\"bad\",\"events_per_minute\":7}}"), 400);
  assert_string_equal(told.checked, "fingerprint:bad");
  check_text(fixture, "error.field", "settings.fingerprint_rules");
  check_text(fixture, "error.message", "line 3, column 7: unknown matcher 'bad'");
  assert_int_equal(json_u64(at(fixture, "error.line")), 3);
  assert_int_equal(json_u64(at(fixture, "error.column")), 7);
  assert_int_equal(ui_get(fixture, path), 200);
  check_text(fixture, "settings.enhancements", "good \xc3\xa9");
  assert_int_equal(json_u64(at(fixture, "settings.events_per_minute")), 0);
  assert_int_equal(change(fixture, "PATCH", path, "{\"settings\":{\"enhancements\":null}}"), 200);
  check_text(fixture, "settings.enhancements", "");
}

static void keys_come_and_go(void **state) {
  struct ui_fixture *fixture = *state;
  char path[200];
  assert_int_equal(change(fixture, "POST", "/api/v1/projects/default/keys", ""), 201);
  snprintf(path, sizeof path, "/api/v1/projects/default/keys/%.*s", SLICE_PRINTF(json_string(at(fixture, "key"))));
  assert_int_equal(change(fixture, "PATCH", path, "{\"active\":false}"), 200);
  assert_false(json_bool(at(fixture, "active")));
  assert_int_equal(change(fixture, "PATCH", path, "{\"active\":1}"), 400);
  assert_int_equal(change(fixture, "PATCH", path, "{\"activ\":true}"), 400);
  check_text(fixture, "error.field", "activ");
  assert_int_equal(ui_get(fixture, "/api/v1/projects/default"), 200);
  assert_int_equal(json_count(at(fixture, "keys")), 2);
  assert_int_equal(change(fixture, "PATCH", "/api/v1/projects/default/keys/0", "{\"active\":true}"), 404);
  check_text(fixture, "error.field", "key");
  assert_int_equal(change(fixture, "DELETE", path, ""), 200);
  assert_int_equal(json_count(at(fixture, "keys")), 1);
  assert_int_equal(change(fixture, "DELETE", path, ""), 404);
  assert_int_equal(change(fixture, "POST", "/api/v1/projects/x/keys", ""), 404);
  assert_int_equal(ui_send(fixture, "DELETE", path, "", ""), 403);
  assert_int_equal(told.changes, 3);
}

int main(void) {
#define PROJECTS_TEST(test) cmocka_unit_test_setup_teardown(test, setup, ui_teardown)
  const struct CMUnitTest tests[] = {
      PROJECTS_TEST(projects_are_listed_with_defaults),
      PROJECTS_TEST(a_project_is_made_once),
      PROJECTS_TEST(settings_change_by_member),
      PROJECTS_TEST(bad_settings_change_nothing),
      PROJECTS_TEST(rules_are_checked_before_they_are_kept),
      PROJECTS_TEST(keys_come_and_go),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
