// SPDX-License-Identifier: Apache-2.0
//
// Projects and their keys in a real file.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "store/project_store.h"
#include "tests/unit/store/temporary.h"

static struct database *open_ok(const char *path) {
  struct database *database = NULL;
  struct error error = {0};
  struct database_options options = {.path = path};
  enum status status = database_open(&options, &database, &error);
  if (status != STATUS_OK) fail_msg("%s", error.text);
  return database;
}

static void the_default_project_keeps_its_key(void **state) {
  const char *path = temporary_path(*state, "p.db");
  struct error error = {0};
  struct database *database = open_ok(path);
  struct project first = {0}, second = {0};
  assert_int_equal(project_store_ensure_default(database, clock_system(), &first, &error), STATUS_OK);
  assert_int_equal(first.id, PROJECT_STORE_DEFAULT);
  assert_string_equal(first.slug, "default");
  assert_int_equal(strspn(first.key, "0123456789abcdef"), PROJECT_STORE_KEY_BYTES);
  database_close(database);
  database = open_ok(path);
  assert_int_equal(project_store_ensure_default(database, clock_system(), &second, &error), STATUS_OK);
  assert_string_equal(first.key, second.key);
  database_close(database);
}

static void keys_lead_to_their_project(void **state) {
  struct error error = {0};
  struct database *database = open_ok(temporary_path(*state, "k.db"));
  struct project standard = {0}, shop = {0}, all[4];
  uint32_t count = 0, found = 0;
  assert_int_equal(project_store_ensure_default(database, clock_system(), &standard, &error), STATUS_OK);
  assert_int_equal(project_store_create(database, clock_system(), SLICE_LITERAL("shop"), &shop, &error), STATUS_OK);
  char key[PROJECT_STORE_KEY_BYTES + 1];
  assert_int_equal(project_store_add_key(database, clock_system(), shop.id, key, &error), STATUS_OK);
  const struct {
    const char *key;
    uint32_t project;
  } rows[] = {{standard.key, standard.id}, {shop.key, shop.id}, {key, shop.id}};
  for (size_t i = 0; i < 3; i++) {
    assert_int_equal(project_store_find_key(database, slice_from_cstr(rows[i].key), &found, &error), STATUS_OK);
    assert_int_equal(found, rows[i].project);
  }
  assert_int_equal(project_store_find_key(database, SLICE_LITERAL("nothing"), &found, &error), STATUS_NOT_FOUND);
  assert_int_equal(project_store_find_key(database, SLICE_LITERAL(""), &found, &error), STATUS_NOT_FOUND);
  assert_int_equal(project_store_list(database, all, 4, &count, &error), STATUS_OK);
  assert_int_equal(count, 2);
  assert_string_equal(all[1].slug, "shop");
  assert_string_equal(all[1].key, shop.key); // the oldest of its two
  database_close(database);
}

static void bad_slugs_and_unknown_projects_are_refused(void **state) {
  struct error error = {0};
  struct database *database = open_ok(temporary_path(*state, "s.db"));
  struct project project = {0};
  static const char *const bad[] = {
      "", "-x", "Shop", "a b", "a/b", "\xc3\xa9", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    assert_int_equal(project_store_create(database, clock_system(), slice_from_cstr(bad[i]), &project, &error),
                     STATUS_INVALID);
    assert_memory_equal(error.text, "slug:", 5);
  }
  assert_int_equal(project_store_create(database, clock_system(), SLICE_LITERAL("a"), &project, &error), STATUS_OK);
  assert_int_equal(project_store_create(database, clock_system(), SLICE_LITERAL("a"), &project, &error),
                   STATUS_CONFLICT);
  assert_non_null(strstr(error.text, "\"a\""));
  char key[PROJECT_STORE_KEY_BYTES + 1];
  assert_int_equal(project_store_add_key(database, clock_system(), 99, key, &error), STATUS_NOT_FOUND);
  database_close(database);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEMPORARY_TEST(the_default_project_keeps_its_key),
      TEMPORARY_TEST(keys_lead_to_their_project),
      TEMPORARY_TEST(bad_slugs_and_unknown_projects_are_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
