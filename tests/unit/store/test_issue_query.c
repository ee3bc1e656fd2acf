// SPDX-License-Identifier: Apache-2.0
#include "store/issue_query.h"

#include <sqlite3.h>

#include "tests/unit/store/inbox_fixture.h"

#define OTHERS 600

// The connections that were opened, so that what a query costs can be counted in steps of SQLite's machine.
static sqlite3 *connections[16];
static int connection_count;

static int note_connection(sqlite3 *connection, char **out_words, const void *functions) {
  (void)out_words, (void)functions;
  assert_true(connection_count < (int)(sizeof connections / sizeof connections[0]));
  connections[connection_count++] = connection;
  return SQLITE_OK;
}

static int setup(void **state) {
  connection_count = 0;
  sqlite3_auto_extension((void (*)(void))(uintptr_t)note_connection);
  return fixture_setup(state);
}

static int teardown(void **state) {
  sqlite3_reset_auto_extension();
  return fixture_teardown(state);
}

// Since it was asked last.
static int steps(void) {
  int count = 0;
  for (int i = 0; i < connection_count; i++) {
    for (sqlite3_stmt *each = NULL; (each = sqlite3_next_stmt(connections[i], each));)
      count += sqlite3_stmt_status(each, SQLITE_STMTSTATUS_VM_STEP, 1);
  }
  return count;
}

static uint32_t list(struct inbox_fixture *fixture, const struct issue_filter *filter, struct issue_summary *issues) {
  struct error error = {0};
  struct arena arena;
  arena_init(&arena, 1 << 20);
  struct connection *reader = database_read_begin(fixture->database, &error);
  assert_non_null(reader);
  uint32_t count = issue_query_list(reader, filter, clock_wall_ns(&fixture->clock.clock), &arena, issues);
  assert_int_equal(database_read_end(fixture->database, reader, &error), STATUS_OK);
  arena_finish(&arena);
  return count;
}

static uint32_t make_other_project(struct inbox_fixture *fixture) {
  struct error error = {0};
  struct project project;
  enum status status =
      project_store_create(fixture->database, &fixture->clock.clock, SLICE_LITERAL("other"), &project, &error);
  if (status != STATUS_OK) fail_msg("%s", error.text);
  return project.id;
}

// The page of a small project costs the same beside a large one, in any order.
static void test_a_small_project_beside_a_large_one(void **state) {
  struct inbox_fixture *fixture = *state;
  uint32_t other = make_other_project(fixture);
  struct issue_summary issues[10];
  for (uint32_t i = 0; i < OTHERS; i++) {
    char hash[16];
    snprintf(hash, sizeof hash, "h%u", i);
    // Two of the other project, the first and the last there are.
    bool is_other = i == 0 || i == OTHERS - 1;
    fixture_add(fixture, &(struct fixture_event){.id = i + 1,
                                                 .hash = hash,
                                                 .at_ns = FIXTURE_NOW_NS - (OTHERS - i) * NS_PER_S,
                                                 .project = is_other ? other : PROJECT_STORE_DEFAULT});
  }
  fixture_write(fixture);
  for (enum issue_sort sort = ISSUE_SORT_LAST_SEEN; sort <= ISSUE_SORT_COUNT; sort++) {
    struct issue_filter filter = {.project = other, .any_status = true, .sort = sort, .limit = 10};
    steps();
    assert_int_equal(list(fixture, &filter, issues), 2);
    assert_true(steps() < OTHERS);
    assert_true(issues[0].id > issues[1].id); // by time, or as many times by id
    filter.has_after = true;
    filter.after_value = issue_query_sort_value(&issues[0], sort);
    filter.after_id = issues[0].id;
    uint64_t last = issues[1].id;
    assert_int_equal(list(fixture, &filter, issues), 1);
    assert_int_equal(issues[0].id, last);
    filter = (struct issue_filter){.any_status = true, .sort = sort, .limit = 10};
    assert_int_equal(list(fixture, &filter, issues), 10);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_a_small_project_beside_a_large_one, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
