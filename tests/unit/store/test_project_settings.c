// SPDX-License-Identifier: Apache-2.0
//
// What is set for a project, in a real file.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/project_settings.h"
#include "tests/unit/store/temporary.h"

struct fixture {
  struct database *database;
  struct arena arena;
  struct project shop;
};

static void open_shop(struct fixture *fixture, const char *path) {
  struct error error = {0};
  struct database_options options = {.path = path};
  if (database_open(&options, &fixture->database, &error) != STATUS_OK) fail_msg("%s", error.text);
  struct project standard;
  assert_int_equal(project_store_ensure_default(fixture->database, clock_system(), &standard, &error), STATUS_OK);
  assert_int_equal(
      project_store_create(fixture->database, clock_system(), SLICE_LITERAL("shop"), &fixture->shop, &error),
      STATUS_OK);
  arena_init(&fixture->arena, 1 << 20);
}

static void close_shop(struct fixture *fixture) {
  arena_finish(&fixture->arena);
  database_close(fixture->database);
}

static struct project_settings read_settings(struct fixture *fixture, uint32_t project) {
  struct error error = {0};
  struct project_settings settings;
  struct connection *reader = database_read_begin(fixture->database, &error);
  assert_non_null(reader);
  project_settings_read(reader, project, &fixture->arena, &settings);
  assert_int_equal(database_read_end(fixture->database, reader, &error), STATUS_OK);
  return settings;
}

static uint64_t version(struct fixture *fixture) {
  struct error error = {0};
  struct connection *reader = database_read_begin(fixture->database, &error);
  assert_non_null(reader);
  uint64_t version = project_settings_version(reader);
  assert_int_equal(database_read_end(fixture->database, reader, &error), STATUS_OK);
  return version;
}

static enum status try_change(struct fixture *fixture, uint32_t project, uint32_t members,
                              const struct project_settings *settings, struct error *error) {
  const struct project_settings_change change = {.project = project, .members = members, .settings = settings};
  return project_settings_change(fixture->database, clock_system(), &change, error);
}

static void change(struct fixture *fixture, uint32_t members, const struct project_settings *settings) {
  struct error error = {0};
  uint64_t before = version(fixture);
  if (try_change(fixture, fixture->shop.id, members, settings, &error) != STATUS_OK) fail_msg("%s", error.text);
  assert_true(version(fixture) > before);
}

static void a_change_is_of_its_members_alone(void **state) {
  struct fixture fixture;
  const char *path = temporary_path(*state, "c.db");
  open_shop(&fixture, path);
  assert_int_equal(read_settings(&fixture, fixture.shop.id).version, 0);
  static const char *const secret[] = {"tax number", "\xc3\xa9\"\\"};
  change(&fixture, 1u << PROJECT_SET_SCRUB_ENABLED | 1u << PROJECT_SET_SENSITIVE_KEYS,
         &(struct project_settings){.scrub_enabled = PROJECT_OFF,
                                    .scrub_defaults = PROJECT_ON, // not named, not set
                                    .sensitive_keys = {.own = true, .items = secret, .count = 2}});
  change(&fixture, 1u << (PROJECT_SET_LIMIT + PROJECT_LIMIT_LOGS) | 1u << PROJECT_SET_SAFE_KEYS,
         &(struct project_settings){.per_minute = {1, 2, 3}, .safe_keys = {.own = true}});
  arena_finish(&fixture.arena);
  database_close(fixture.database);
  struct error error = {0};
  struct database_options options = {.path = path};
  assert_int_equal(database_open(&options, &fixture.database, &error), STATUS_OK);
  struct project_settings settings = read_settings(&fixture, fixture.shop.id);
  assert_int_equal(settings.scrub_enabled, PROJECT_OFF);
  assert_int_equal(settings.scrub_defaults, PROJECT_AS_CONFIGURED);
  assert_int_equal(settings.sensitive_keys.count, 2);
  for (int i = 0; i < 2; i++) assert_string_equal(settings.sensitive_keys.items[i], secret[i]);
  assert_true(settings.safe_keys.own); // none, which is not as configured
  assert_int_equal(settings.safe_keys.count, 0);
  assert_int_equal(settings.per_minute[PROJECT_LIMIT_EVENTS], 0);
  assert_int_equal(settings.per_minute[PROJECT_LIMIT_LOGS], 3);
  assert_int_equal(read_settings(&fixture, PROJECT_STORE_DEFAULT).version, 0);
  change(&fixture, 1u << PROJECT_SET_SCRUB_ENABLED | 1u << PROJECT_SET_SENSITIVE_KEYS, &(struct project_settings){0});
  settings = read_settings(&fixture, fixture.shop.id);
  assert_int_equal(settings.scrub_enabled, PROJECT_AS_CONFIGURED);
  assert_false(settings.sensitive_keys.own);
  assert_int_equal(settings.per_minute[PROJECT_LIMIT_LOGS], 3);
  close_shop(&fixture);
}

static void what_is_out_of_bounds_changes_nothing(void **state) {
  struct fixture fixture;
  open_shop(&fixture, temporary_path(*state, "b.db"));
  static char long_key[PROJECT_SETTINGS_KEY_BYTES_MAX + 2];
  memset(long_key, 'k', sizeof long_key - 1);
  const char *const bad_keys[] = {"", "a\nb", "\xff", long_key};
  struct error error = {0};
  uint64_t before = version(&fixture);
  for (size_t i = 0; i < sizeof bad_keys / sizeof bad_keys[0]; i++) {
    const struct project_settings bad = {.safe_keys = {.own = true, .items = &bad_keys[i], .count = 1}};
    assert_int_equal(try_change(&fixture, fixture.shop.id, 1u << PROJECT_SET_SAFE_KEYS, &bad, &error), STATUS_INVALID);
    assert_memory_equal(error.text, "scrub.safe_keys", 15);
  }
  static const char *many[PROJECT_SETTINGS_KEYS_MAX + 1];
  for (size_t i = 0; i < sizeof many / sizeof many[0]; i++) many[i] = "k";
  const struct project_settings too_many = {
      .sensitive_keys = {.own = true, .items = many, .count = PROJECT_SETTINGS_KEYS_MAX + 1}};
  assert_int_equal(try_change(&fixture, fixture.shop.id, 1u << PROJECT_SET_SENSITIVE_KEYS, &too_many, &error),
                   STATUS_TOO_LARGE);
  const struct project_settings fast = {.per_minute = {PROJECT_SETTINGS_PER_MINUTE_MAX + 1u}};
  assert_int_equal(try_change(&fixture, fixture.shop.id, 1u << PROJECT_SET_LIMIT, &fast, &error), STATUS_INVALID);
  assert_int_equal(try_change(&fixture, 99, 1u << PROJECT_SET_LIMIT, &(struct project_settings){0}, &error),
                   STATUS_NOT_FOUND);
  assert_int_equal(version(&fixture), before);
  assert_int_equal(read_settings(&fixture, fixture.shop.id).version, 0);
  close_shop(&fixture);
}

static void check_rules(struct fixture *fixture, const char *enhancements, const char *fingerprint_rules) {
  struct error error = {0};
  struct project_settings settings = {0};
  struct connection *reader = database_read_begin(fixture->database, &error);
  assert_non_null(reader);
  project_settings_read_rules(reader, fixture->shop.id, &fixture->arena, &settings);
  assert_int_equal(database_read_end(fixture->database, reader, &error), STATUS_OK);
  assert_true(slice_equal_cstr(settings.enhancements, enhancements));
  assert_true(slice_equal_cstr(settings.fingerprint_rules, fingerprint_rules));
}

static void one_text_of_rules_leaves_the_other(void **state) {
  struct fixture fixture;
  open_shop(&fixture, temporary_path(*state, "r.db"));
  struct error error = {0};
  check_rules(&fixture, "", "");
  change(&fixture, 1u << PROJECT_SET_ENHANCEMENTS,
         &(struct project_settings){.enhancements = SLICE_LITERAL("function:a -group\n"),
                                    .fingerprint_rules = SLICE_LITERAL("not named")});
  check_rules(&fixture, "function:a -group\n", "");
  assert_int_equal(read_settings(&fixture, fixture.shop.id).version, 0); // no row of settings
  change(&fixture, 1u << PROJECT_SET_FINGERPRINT_RULES | 1u << PROJECT_SET_LIMIT,
         &(struct project_settings){.fingerprint_rules = SLICE_LITERAL("type:a -> a"), .per_minute = {5}});
  check_rules(&fixture, "function:a -group\n", "type:a -> a");
  assert_int_equal(read_settings(&fixture, fixture.shop.id).per_minute[PROJECT_LIMIT_EVENTS], 5);
  change(&fixture, 1u << PROJECT_SET_ENHANCEMENTS, &(struct project_settings){0});
  check_rules(&fixture, "", "type:a -> a");
  static char large[PROJECT_SETTINGS_RULES_BYTES_MAX + 1];
  memset(large, '#', sizeof large);
  const struct {
    struct slice text;
    enum status status;
  } bad[] = {{slice_make(large, sizeof large), STATUS_TOO_LARGE},
             {SLICE_LITERAL("# \xff"), STATUS_INVALID},
             {SLICE_LITERAL("#\0"), STATUS_INVALID}};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    const struct project_settings settings = {.fingerprint_rules = bad[i].text};
    assert_int_equal(try_change(&fixture, fixture.shop.id, 1u << PROJECT_SET_FINGERPRINT_RULES, &settings, &error),
                     bad[i].status);
    assert_memory_equal(error.text, "fingerprint_rules:", 18);
  }
  check_rules(&fixture, "", "type:a -> a");
  close_shop(&fixture);
}

static void keys_are_refused_honoured_and_forgotten(void **state) {
  struct fixture fixture;
  open_shop(&fixture, temporary_path(*state, "k.db"));
  struct error error = {0};
  struct slice key = slice_from_cstr(fixture.shop.key);
  uint32_t found = 0;
  uint64_t before = version(&fixture);
  assert_int_equal(project_store_set_key_active(fixture.database, fixture.shop.id, key, false, &error), STATUS_OK);
  assert_int_equal(project_store_find_key(fixture.database, key, &found, &error), STATUS_NOT_FOUND);
  assert_int_equal(project_store_set_key_active(fixture.database, fixture.shop.id, key, true, &error), STATUS_OK);
  assert_int_equal(project_store_find_key(fixture.database, key, &found, &error), STATUS_OK);
  assert_int_equal(project_store_remove_key(fixture.database, PROJECT_STORE_DEFAULT, key, &error), STATUS_NOT_FOUND);
  assert_int_equal(project_store_remove_key(fixture.database, fixture.shop.id, key, &error), STATUS_OK);
  assert_int_equal(project_store_remove_key(fixture.database, fixture.shop.id, key, &error), STATUS_NOT_FOUND);
  assert_int_equal(version(&fixture), before + 3); // the failures counted nothing
  struct connection *reader = database_read_begin(fixture.database, &error);
  struct project_key_row keys[4];
  struct project_row row = {0};
  assert_int_equal(project_store_keys_of(reader, fixture.shop.id, keys, 4), 0);
  assert_int_equal(project_store_keys_of(reader, PROJECT_STORE_DEFAULT, keys, 4), 1);
  assert_true(project_store_find(reader, SLICE_LITERAL("shop"), &row));
  assert_int_equal(row.id, fixture.shop.id);
  assert_false(project_store_find(reader, SLICE_LITERAL("sho"), &row));
  assert_true(project_store_next(reader, PROJECT_STORE_DEFAULT, &row));
  assert_string_equal(row.slug, "shop");
  assert_false(project_store_next(reader, row.id, &row));
  database_read_end(fixture.database, reader, &error);
  close_shop(&fixture);
}

static void a_project_has_a_bounded_number_of_keys(void **state) {
  struct fixture fixture;
  open_shop(&fixture, temporary_path(*state, "n.db"));
  struct error error = {0};
  char key[PROJECT_STORE_KEY_BYTES + 1];
  for (int i = 1; i < PROJECT_STORE_OWN_KEYS_MAX; i++)
    assert_int_equal(project_store_add_key(fixture.database, clock_system(), fixture.shop.id, key, &error), STATUS_OK);
  assert_int_equal(project_store_add_key(fixture.database, clock_system(), fixture.shop.id, key, &error),
                   STATUS_CONFLICT);
  assert_int_equal(project_store_add_key(fixture.database, clock_system(), PROJECT_STORE_DEFAULT, key, &error),
                   STATUS_OK);
  close_shop(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEMPORARY_TEST(a_change_is_of_its_members_alone),       TEMPORARY_TEST(what_is_out_of_bounds_changes_nothing),
      TEMPORARY_TEST(one_text_of_rules_leaves_the_other),     TEMPORARY_TEST(keys_are_refused_honoured_and_forgotten),
      TEMPORARY_TEST(a_project_has_a_bounded_number_of_keys),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
