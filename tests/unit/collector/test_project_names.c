// SPDX-License-Identifier: Apache-2.0
//
// Names of projects: read once, of as many projects as there are.
#include "collector/project_names.h"

#include "tests/unit/store/inbox_fixture.h"

static void assert_name(struct project_names *names, uint32_t project, const char *wanted) {
  struct slice name = project_names_find(names, project);
  if (!slice_equal_cstr(name, wanted)) fail_msg("%u is \"%.*s\", not \"%s\"", project, SLICE_PRINTF(name), wanted);
}

static void projects_are_named(void **state) {
  struct inbox_fixture *fixture = *state;
  struct project_names *names = project_names_create(fixture->database);
  struct error error = {0};
  char slug[16];
  assert_name(names, 2, "");
  for (unsigned i = 2; i <= 600; i++) {
    struct project project;
    snprintf(slug, sizeof slug, "p%u", i);
    assert_int_equal(
        project_store_create(fixture->database, &fixture->clock.clock, slice_from_cstr(slug), &project, &error),
        STATUS_OK);
    assert_int_equal(project.id, i);
  }
  for (int round = 0; round < 2; round++) {
    for (unsigned i = 2; i <= 600; i++) {
      snprintf(slug, sizeof slug, "p%u", i);
      assert_name(names, i, slug);
    }
  }
  assert_name(names, PROJECT_STORE_DEFAULT, "default");
  assert_name(names, 0, "");
  assert_name(names, 601, "");
  project_names_destroy(names);
}

// What is known is not asked for again.
static void a_known_name_needs_no_database(void **state) {
  struct inbox_fixture *fixture = *state;
  struct project_names *names = project_names_create(fixture->database);
  assert_name(names, PROJECT_STORE_DEFAULT, "default");
  connection_execute(database_write_begin(fixture->database), "DELETE FROM project");
  struct error error = {0};
  assert_int_equal(database_write_end(fixture->database, &error), STATUS_OK);
  assert_name(names, PROJECT_STORE_DEFAULT, "default");
  project_names_destroy(names);
}

int main(void) {
  const struct CMUnitTest tests[] = {FIXTURE_TEST(projects_are_named), FIXTURE_TEST(a_known_name_needs_no_database)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
