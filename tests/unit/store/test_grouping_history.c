// SPDX-License-Identifier: Apache-2.0
//
// What a project was grouped by, in a real file with a clock that is set.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/grouping_history.h"
#include "tests/unit/store/temporary.h"

#define START_NS UINT64_C(1763719200000000000)
#define DAY_NS   (UINT64_C(86400) * NS_PER_S)

struct fixture {
  struct temporary *temporary;
  struct clock_fake clock;
  struct database *database;
  struct arena arena;
};

static int setup(void **state) {
  struct fixture *fixture = calloc(1, sizeof *fixture);
  void *temporary = NULL;
  struct error error = {0};
  if (!fixture || temporary_setup(&temporary) != 0) return -1;
  fixture->temporary = temporary;
  clock_fake_init(&fixture->clock, START_NS);
  arena_init(&fixture->arena, 8 << 20);
  struct database_options options = {.path = temporary_path(temporary, "g.db"), .clock = &fixture->clock.clock};
  if (database_open(&options, &fixture->database, &error) != STATUS_OK) return -1;
  *state = fixture;
  return 0;
}

static int teardown(void **state) {
  struct fixture *fixture = *state;
  database_close(fixture->database);
  arena_finish(&fixture->arena);
  void *temporary = fixture->temporary;
  free(fixture);
  return temporary_teardown(&temporary);
}

static void start(struct fixture *fixture, const char *algorithm, const char *rules) {
  struct error error = {0};
  struct grouping_setup program = {.algorithm = slice_from_cstr(algorithm),
                                   .builtin_enhancements = slice_from_cstr(rules),
                                   .builtin_fingerprinting = SLICE_LITERAL("type:A -> a")};
  enum status status = grouping_history_start(fixture->database, &fixture->clock.clock, &program, &error);
  if (status != STATUS_OK) fail_msg("%s", error.text);
}

static void set(struct fixture *fixture, uint32_t project, const char *enhancements, const char *fingerprinting) {
  struct error error = {0};
  enum status status =
      grouping_history_set_rules(fixture->database, &fixture->clock.clock, project, slice_from_cstr(enhancements),
                                 slice_from_cstr(fingerprinting), &error);
  if (status != STATUS_OK) fail_msg("%s", error.text);
}

static void pass(struct fixture *fixture, uint64_t ns) {
  clock_fake_add(&fixture->clock, ns);
}

static struct grouping_history load(struct fixture *fixture, uint32_t project) {
  struct error error = {0};
  struct grouping_history history;
  struct connection *reader = database_read_begin(fixture->database, &error);
  grouping_history_load(reader, project, clock_wall_ns(&fixture->clock.clock), &fixture->arena, &history);
  assert_int_equal(database_read_end(fixture->database, reader, &error), STATUS_OK);
  return history;
}

static uint64_t ask(struct fixture *fixture, const char *sql) {
  struct error error = {0};
  struct connection *reader = database_read_begin(fixture->database, &error);
  uint64_t number = sql ? (uint64_t)connection_query_i64(reader, sql) : grouping_history_version(reader);
  assert_int_equal(database_read_end(fixture->database, reader, &error), STATUS_OK);
  return number;
}

static void assert_text(struct slice text, const char *expected) {
  if (!slice_equal_cstr(text, expected)) fail_msg("\"%.*s\" is not \"%s\"", SLICE_PRINTF(text), expected);
}

static void a_program_that_stays_the_same_changes_nothing(void **state) {
  struct fixture *fixture = *state;
  assert_int_equal(load(fixture, 1).count, 0);
  assert_int_equal(ask(fixture, NULL), 0);
  start(fixture, "first", "rules");
  uint64_t version = ask(fixture, NULL);
  assert_true(version > 0);
  pass(fixture, DAY_NS);
  start(fixture, "first", "rules");
  struct grouping_history history = load(fixture, 1);
  assert_int_equal(history.count, 1);
  assert_text(history.setups[0].algorithm, "first");
  assert_text(history.setups[0].builtin_enhancements, "rules");
  assert_text(history.setups[0].builtin_fingerprinting, "type:A -> a");
  assert_int_equal(history.setups[0].since_ns, START_NS);
  assert_int_equal(history.setups[0].until_ns, 0);
  assert_int_equal(ask(fixture, NULL), version);
}

static void what_was_before_is_kept_for_thirty_days(void **state) {
  struct fixture *fixture = *state;
  start(fixture, "first", "rules");
  pass(fixture, DAY_NS);
  uint64_t version = ask(fixture, NULL);
  set(fixture, 1, "function:f -app", "");
  assert_true(ask(fixture, NULL) > version);
  pass(fixture, 29 * DAY_NS);
  struct grouping_history history = load(fixture, 1);
  assert_int_equal(history.count, 2);
  assert_text(history.setups[0].enhancements, "function:f -app");
  assert_text(history.setups[0].builtin_enhancements, "rules");
  assert_text(history.setups[1].enhancements, "");
  assert_int_equal(history.setups[1].until_ns, START_NS + DAY_NS);
  assert_int_equal(load(fixture, 2).count, 1); // the others go on as they were
  pass(fixture, 2 * DAY_NS);
  assert_int_equal(load(fixture, 1).count, 1);
  set(fixture, 1, "function:g -app", ""); // the next change takes the row of the first out
  assert_int_equal(load(fixture, 1).count, 2);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM grouping_setup WHERE project_id = 1"), 2);
}

static void a_new_program_changes_every_project(void **state) {
  struct fixture *fixture = *state;
  start(fixture, "first", "rules");
  pass(fixture, DAY_NS);
  set(fixture, 7, "", "type:B -> b");
  pass(fixture, DAY_NS);
  start(fixture, "second", "more rules");
  struct grouping_history mine = load(fixture, 7), other = load(fixture, 1);
  assert_int_equal(mine.count, 3);
  assert_text(mine.setups[0].algorithm, "second");
  assert_text(mine.setups[0].builtin_enhancements, "more rules");
  assert_text(mine.setups[0].fingerprinting, "type:B -> b");
  assert_text(mine.setups[1].algorithm, "first");
  assert_text(mine.setups[1].fingerprinting, "type:B -> b");
  assert_text(mine.setups[2].fingerprinting, "");
  assert_int_equal(other.count, 2);
  assert_text(other.setups[1].builtin_enhancements, "rules");
}

static void rules_that_come_back_are_not_past(void **state) {
  struct fixture *fixture = *state;
  start(fixture, "first", "rules");
  pass(fixture, DAY_NS);
  set(fixture, 1, "a", "");
  pass(fixture, DAY_NS);
  set(fixture, 1, "", "");
  struct grouping_history history = load(fixture, 1);
  assert_int_equal(history.count, 2);
  assert_text(history.setups[0].enhancements, "");
  assert_text(history.setups[1].enhancements, "a");
  uint64_t version = ask(fixture, NULL);
  set(fixture, 1, "", "");
  assert_int_equal(ask(fixture, NULL), version);
}

// Somebody tries out rules all afternoon: the setup of the year before stays.
static void short_reigns_go_first(void **state) {
  struct fixture *fixture = *state;
  start(fixture, "first", "rules");
  pass(fixture, 300 * DAY_NS);
  for (unsigned i = 0; i < 20; i++) {
    char rules[16];
    snprintf(rules, sizeof rules, "try %u", i);
    set(fixture, 1, rules, "");
    pass(fixture, 60 * NS_PER_S);
  }
  struct grouping_history history = load(fixture, 1);
  assert_int_equal(history.count, 1 + GROUPING_HISTORY_PAST_MAX);
  assert_text(history.setups[0].enhancements, "try 19");
  assert_text(history.setups[GROUPING_HISTORY_PAST_MAX].enhancements, "");
  // Texts that nobody needs are gone: two built-in ones, and those of the setups left.
  assert_int_equal(ask(fixture, "SELECT count(*) FROM rule_text"), 2 + GROUPING_HISTORY_PAST_MAX);
}

static void rules_may_come_before_the_first_start(void **state) {
  struct fixture *fixture = *state;
  set(fixture, 1, "a", "");
  pass(fixture, DAY_NS);
  start(fixture, "first", "rules");
  struct grouping_history history = load(fixture, 1);
  assert_int_equal(history.count, 1);
  assert_text(history.setups[0].algorithm, "first");
  assert_text(history.setups[0].enhancements, "a");
  assert_text(load(fixture, 2).setups[0].enhancements, "");
}

static void rules_are_bounded(void **state) {
  struct fixture *fixture = *state;
  start(fixture, "first", "rules");
  size_t bytes = GROUPING_HISTORY_RULE_BYTES_MAX + 1;
  char *text = calloc(1, bytes);
  assert_non_null(text);
  memset(text, '#', bytes);
  struct error error = {0};
  assert_int_equal(grouping_history_set_rules(fixture->database, &fixture->clock.clock, 1, slice_make(text, bytes),
                                              (struct slice){0}, &error),
                   STATUS_TOO_LARGE);
  assert_int_equal(grouping_history_set_rules(fixture->database, &fixture->clock.clock, 1, slice_make(text, bytes - 1),
                                              (struct slice){0}, &error),
                   STATUS_OK);
  free(text);
}

static void ids_tell_rules_apart(void **state) {
  (void)state;
  struct grouping_setup setup = {.algorithm = SLICE_LITERAL("first"), .enhancements = SLICE_LITERAL("a")};
  char one[GROUPING_HISTORY_ID_BYTES], again[GROUPING_HISTORY_ID_BYTES], other[GROUPING_HISTORY_ID_BYTES];
  grouping_history_id(&setup, one);
  grouping_history_id(&setup, again);
  assert_string_equal(one, again);
  assert_int_equal(strlen(one), strlen("first+12345678"));
  assert_memory_equal(one, "first+", 6);
  setup.enhancements = (struct slice){0};
  setup.fingerprinting = SLICE_LITERAL("a");
  grouping_history_id(&setup, other);
  assert_string_not_equal(one, other);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_program_that_stays_the_same_changes_nothing, setup, teardown),
      cmocka_unit_test_setup_teardown(what_was_before_is_kept_for_thirty_days, setup, teardown),
      cmocka_unit_test_setup_teardown(a_new_program_changes_every_project, setup, teardown),
      cmocka_unit_test_setup_teardown(rules_that_come_back_are_not_past, setup, teardown),
      cmocka_unit_test_setup_teardown(short_reigns_go_first, setup, teardown),
      cmocka_unit_test_setup_teardown(rules_may_come_before_the_first_start, setup, teardown),
      cmocka_unit_test_setup_teardown(rules_are_bounded, setup, teardown),
      cmocka_unit_test(ids_tell_rules_apart),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
