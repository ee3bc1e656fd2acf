// SPDX-License-Identifier: Apache-2.0
//
// `culprit project` on a data directory of its own: exit codes, and what is in the database afterwards. What it prints
// is looked at with the real binary (tests/scenario/test_projects.py).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "collector/project_command.h"
#include "store/project_settings.h"
#include "tests/unit/store/temporary.h"

static int command(const char *a, const char *b, const char *c, const char *d, const char *e) {
  const char *const words[] = {"project", a, b, c, d, e, NULL};
  char copies[6][600], *argv[7] = {NULL};
  int argc = 0;
  for (; words[argc]; argc++) {
    snprintf(copies[argc], sizeof copies[argc], "%s", words[argc]);
    argv[argc] = copies[argc];
  }
  optind = 0; // getopt starts over
  return project_command_main(argc, argv);
}

static struct database *open_data(void *state) {
  struct database *database = NULL;
  struct error error = {0};
  const char *path = temporary_path(state, "culprit.db");
  if (database_open(&(struct database_options){.path = path}, &database, &error) != STATUS_OK)
    fail_msg("%s", error.text);
  return database;
}

static struct project_row find(struct database *database, const char *slug, struct project_key_row *out_keys,
                               uint32_t *out_count, struct project_settings *out_rules, struct arena *arena) {
  struct error error = {0};
  struct project_row row = {0};
  struct connection *reader = database_read_begin(database, &error);
  assert_non_null(reader);
  project_store_find(reader, slice_from_cstr(slug), &row);
  *out_count = project_store_keys_of(reader, row.id, out_keys, PROJECT_STORE_OWN_KEYS_MAX);
  project_settings_read_rules(reader, row.id, arena, out_rules);
  assert_int_equal(database_read_end(database, reader, &error), STATUS_OK);
  return row;
}

static const char *write_file(void *state, const char *name, const char *text) {
  const char *path = temporary_path(state, name);
  FILE *file = fopen(path, "we");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
  return path;
}

static int setup(void **state) {
  if (temporary_setup(state) != 0) return -1;
  return setenv("CULPRIT_DATA_DIR", ((struct temporary *)*state)->directory, 1);
}

static void projects_and_keys(void **state) {
  struct project_key_row keys[PROJECT_STORE_OWN_KEYS_MAX];
  struct project_settings rules = {0};
  struct arena arena;
  uint32_t count = 0;
  arena_init(&arena, 8 << 20);
  assert_int_equal(command("create", "shop", NULL, NULL, NULL), 0);
  assert_int_equal(command("create", "shop", NULL, NULL, NULL), 1);
  assert_int_equal(command("create", "No", NULL, NULL, NULL), 1);
  assert_int_equal(command("key", "shop", NULL, NULL, NULL), 0);
  assert_int_equal(command("key", "nobody", NULL, NULL, NULL), 1);
  assert_int_equal(command("list", NULL, NULL, NULL, NULL), 0);
  struct database *database = open_data(*state);
  assert_int_equal(find(database, "shop", keys, &count, &rules, &arena).id, 2);
  database_close(database);
  assert_int_equal(count, 2);
  assert_true(keys[0].active && keys[1].active);
  assert_int_equal(command("revoke", "shop", keys[0].key, NULL, NULL), 0);
  assert_int_equal(command("revoke", "default", keys[1].key, NULL, NULL), 1); // another project's
  database = open_data(*state);
  find(database, "shop", keys, &count, &rules, &arena);
  database_close(database);
  assert_true(!keys[0].active && keys[1].active);
  arena_finish(&arena);
}

static void rules_are_set_one_by_one(void **state) {
  struct project_key_row keys[PROJECT_STORE_OWN_KEYS_MAX];
  struct project_settings rules = {0};
  struct arena arena;
  uint32_t count = 0;
  arena_init(&arena, 8 << 20);
  const char *stack = write_file(*state, "s.txt", "function:a -group\n");
  const char *fingerprint = write_file(*state, "f.txt", "type:A -> a\n"),
             *bad = write_file(*state, "b.txt", "type:A\n");
  const char *empty = write_file(*state, "e.txt", "");
  assert_int_equal(command("list", NULL, NULL, NULL, NULL), 1); // there are no data yet
  assert_int_equal(command("create", "shop", NULL, NULL, NULL), 0);
  assert_int_equal(command("rules", "default", "--stack", stack, NULL), 0);
  assert_int_equal(command("rules", "default", "--fingerprint", fingerprint, NULL), 0);
  assert_int_equal(command("rules", "default", NULL, NULL, NULL), 0);
  assert_int_equal(command("rules", "default", "--fingerprint", bad, NULL), 1);
  assert_int_equal(command("rules", "nobody", "--fingerprint", fingerprint, NULL), 1);
  assert_int_equal(command("rules", "default", "--stack", "/nowhere", NULL), 1);
  struct database *database = open_data(*state);
  find(database, "default", keys, &count, &rules, &arena);
  assert_true(slice_equal_cstr(rules.enhancements, "function:a -group\n"));
  assert_true(slice_equal_cstr(rules.fingerprint_rules, "type:A -> a\n"));
  database_close(database);
  assert_int_equal(command("rules", "default", "--stack", empty, NULL), 0);
  database = open_data(*state);
  rules = (struct project_settings){0};
  find(database, "default", keys, &count, &rules, &arena);
  assert_int_equal(rules.enhancements.len, 0);
  assert_true(slice_equal_cstr(rules.fingerprint_rules, "type:A -> a\n"));
  database_close(database);
  arena_finish(&arena);
}

static void wrong_usage_is_told_apart(void **state) {
  (void)state;
  assert_int_equal(command(NULL, NULL, NULL, NULL, NULL), 2);
  assert_int_equal(command("drop", "shop", NULL, NULL, NULL), 2);
  assert_int_equal(command("create", NULL, NULL, NULL, NULL), 2);
  assert_int_equal(command("create", "a", "b", NULL, NULL), 2);
  assert_int_equal(command("list", "a", NULL, NULL, NULL), 2);
  assert_int_equal(command("revoke", "a", NULL, NULL, NULL), 2);
  assert_int_equal(command("create", "a", "--stack", "x", NULL), 2);
  assert_int_equal(command("--help", NULL, NULL, NULL, NULL), 0);
}

int main(void) {
#define COMMAND_TEST(test) cmocka_unit_test_setup_teardown(test, setup, temporary_teardown)
  const struct CMUnitTest tests[] = {
      COMMAND_TEST(projects_and_keys),
      COMMAND_TEST(rules_are_set_one_by_one),
      COMMAND_TEST(wrong_usage_is_told_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
