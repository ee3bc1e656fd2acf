// SPDX-License-Identifier: Apache-2.0
//
// Rules and programs change, issues stay: events go through grouping into a real inbox, on a clock that is set.
#include "collector/inbox_grouping.h"

#include "collector/inbox_record.h"
#include "processor/grouping_builtin.h"
#include "tests/unit/store/inbox_fixture.h"

#define DAY_NS (UINT64_C(86400) * NS_PER_S)

struct fixture {
  struct inbox_fixture *inbox;
  struct grouping_config *program;
  struct correlation *correlation;
  struct inbox_record *reader;
  unsigned events;
};

static bool take(void *context, const struct issue_event *event) {
  struct fixture *fixture = context;
  return issue_batch_add(&fixture->inbox->batch, event) == STATUS_OK;
}

static void open_reader(struct fixture *fixture) {
  fixture->reader = inbox_record_create(&(struct inbox_record_options){.correlation = fixture->correlation,
                                                                       .grouping = fixture->program,
                                                                       .database = fixture->inbox->database,
                                                                       .clock = &fixture->inbox->clock.clock,
                                                                       .take = take,
                                                                       .context = fixture});
}

static void start(struct fixture *fixture, const char *algorithm, struct slice builtin) {
  struct error error = {0};
  const struct grouping_setup program = {.algorithm = slice_from_cstr(algorithm), .builtin_enhancements = builtin};
  struct inbox_fixture *inbox = fixture->inbox;
  enum status status = grouping_history_start(inbox->database, &inbox->clock.clock, &program, &error);
  if (status != STATUS_OK) fail_msg("%s", error.text);
}

static int setup(void **state) {
  struct fixture *fixture = calloc(1, sizeof *fixture);
  void *inbox = NULL;
  struct error error = {0};
  if (!fixture || fixture_setup(&inbox) != 0) return -1;
  fixture->inbox = inbox;
  fixture->correlation = correlation_create(NULL, 0);
  if (grouping_config_create(&(struct grouping_config_options){0}, &fixture->program, &error) != STATUS_OK) return -1;
  open_reader(fixture);
  *state = fixture;
  return 0;
}

static int teardown(void **state) {
  struct fixture *fixture = *state;
  inbox_record_destroy(fixture->reader);
  grouping_config_destroy(fixture->program);
  correlation_destroy(fixture->correlation);
  void *inbox = fixture->inbox;
  free(fixture);
  return fixture_teardown(&inbox);
}

static struct slice builtin(void) {
  return slice_make(grouping_builtin_rules, grouping_builtin_rules_len);
}

static void pass(struct fixture *fixture, uint64_t ns) {
  clock_fake_add(&fixture->inbox->clock, ns);
}

static void set_rules(struct fixture *fixture, uint32_t project, const char *enhancements, const char *fingerprinting) {
  struct error error = {0};
  struct inbox_fixture *inbox = fixture->inbox;
  enum status status =
      grouping_history_set_rules(inbox->database, &inbox->clock.clock, project, slice_from_cstr(enhancements),
                                 slice_from_cstr(fingerprinting), &error);
  if (status != STATUS_OK) fail_msg("%s", error.text);
  pass(fixture, INBOX_GROUPING_SEEN_NS);
}

// An error of `type` raised by f, which main called; both in the application.
static uint64_t send_to(struct fixture *fixture, uint32_t project, const char *type) {
  char json[1024];
  snprintf(json, sizeof json,
           "{\"event_id\":\"%032x\",\"platform\":\"python\",\"exception\":{\"values\":[{\"type\":\"%s\",\"value\":"
           "\"words\",\"stacktrace\":{\"frames\":[{\"function\":\"main\",\"module\":\"app\",\"in_app\":true},"
           "{\"function\":\"f\",\"module\":\"app\",\"in_app\":true}]}}]}}",
           ++fixture->events, type);
  struct journal_record record = {.kind = JOURNAL_EVENTS,
                                  .project = project,
                                  .sequence = fixture->events,
                                  .received_ns = clock_wall_ns(&fixture->inbox->clock.clock),
                                  .body_stored = slice_from_cstr(json),
                                  .body_raw_bytes = strlen(json)};
  struct error error = {0};
  if (inbox_record_read(fixture->reader, &record, &error) != STATUS_OK) fail_msg("%s", error.text);
  assert_int_equal(fixture->inbox->batch.count, 1);
  fixture_write(fixture->inbox);
  return (uint64_t)fixture_ask(fixture->inbox, "SELECT issue_id FROM event ORDER BY id DESC LIMIT 1");
}

static uint64_t send(struct fixture *fixture, const char *type) {
  return send_to(fixture, PROJECT_STORE_DEFAULT, type);
}

static int64_t ask(struct fixture *fixture, const char *sql) {
  return fixture_ask(fixture->inbox, sql);
}

static const char drop_f[] = "function:f -group -app";

static void rules_change_and_the_issue_stays(void **state) {
  struct fixture *fixture = *state;
  start(fixture, GROUPING_ALGORITHM, builtin());
  uint64_t a = send(fixture, "A"), b = send(fixture, "B");
  assert_int_not_equal(a, b);
  int64_t before = ask(fixture, "SELECT count(*) FROM issue_hash WHERE variant <> 'outline'");
  set_rules(fixture, 1, drop_f, "");
  pass(fixture, 29 * DAY_NS);
  assert_int_equal(send(fixture, "A"), a);
  assert_true(ask(fixture, "SELECT count(*) FROM issue_hash WHERE variant <> 'outline'") >
              before); // it has learned the new ones
  assert_int_equal(ask(fixture, "SELECT count(DISTINCT algorithm) FROM issue_hash WHERE variant <> 'outline'"), 2);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM issue_hash WHERE algorithm LIKE 'sentry-newstyle-2023-01-11+%'"),
                   ask(fixture, "SELECT count(*) FROM issue_hash WHERE variant <> 'outline'"));
  pass(fixture, 2 * DAY_NS);
  assert_int_equal(send(fixture, "A"), a); // by what it has learned
  uint64_t late = send(fixture, "B");      // had no event meanwhile, and now its old hashes lead nowhere
  assert_int_not_equal(late, b);
  assert_int_equal(send(fixture, "B"), late);
  assert_int_equal(ask(fixture, "SELECT count(*) FROM issue"), 3);
}

static void the_last_day_counts_to_the_nanosecond(void **state) {
  struct fixture *fixture = *state;
  start(fixture, GROUPING_ALGORITHM, builtin());
  uint64_t a = send(fixture, "A"), b = send(fixture, "B");
  set_rules(fixture, 1, drop_f, "");
  pass(fixture, GROUPING_HISTORY_KEPT_NS - INBOX_GROUPING_SEEN_NS - 1);
  assert_int_equal(send(fixture, "A"), a);
  pass(fixture, 1);
  assert_int_not_equal(send(fixture, "B"), b);
}

static void rules_are_tried_out_all_day(void **state) {
  struct fixture *fixture = *state;
  start(fixture, GROUPING_ALGORITHM, builtin());
  uint64_t a = send(fixture, "A");
  pass(fixture, 100 * DAY_NS);
  for (unsigned i = 0; i < 12; i++) {
    char rule[64];
    snprintf(rule, sizeof rule, "type:A -> try-%u", i);
    set_rules(fixture, 1, "", rule);
  }
  assert_int_equal(send(fixture, "A"), a);
}

// A fingerprint that makes two issues one would, were it not for what they were before.
static void fingerprint_rules_change_too(void **state) {
  struct fixture *fixture = *state;
  start(fixture, GROUPING_ALGORITHM, builtin());
  uint64_t a = send(fixture, "A"), b = send(fixture, "B");
  set_rules(fixture, 1, "", "module:app -> of-the-app");
  assert_int_equal(send(fixture, "A"), a); // the new hash is A's from here on
  assert_int_equal(send(fixture, "B"), a);
  assert_int_equal(send(fixture, "C"), a);
  assert_int_not_equal(b, a);
  set_rules(fixture, 1, "", "");
  assert_int_equal(send(fixture, "B"), b); // known under the rules that are back
}

static void a_new_program_has_other_rules(void **state) {
  struct fixture *fixture = *state;
  start(fixture, GROUPING_ALGORITHM, slice_from_cstr(drop_f));
  uint64_t a = send(fixture, "A"), b = send(fixture, "B");
  assert_int_not_equal(a, b);
  inbox_record_destroy(fixture->reader); // it ends, a newer one starts
  pass(fixture, DAY_NS);
  start(fixture, GROUPING_ALGORITHM, builtin());
  open_reader(fixture);
  assert_int_equal(send(fixture, "A"), a);
  assert_int_equal(ask(fixture, "SELECT count(DISTINCT algorithm) FROM issue_hash WHERE variant <> 'outline'"), 2);
  pass(fixture, 30 * DAY_NS);
  assert_int_equal(send(fixture, "A"), a);
  assert_int_not_equal(send(fixture, "B"), b);
}

static void an_algorithm_that_is_not_known_is_left_out(void **state) {
  struct fixture *fixture = *state;
  start(fixture, "from-the-future", builtin());
  assert_int_equal(send(fixture, "A"), 1); // by the program's own
  pass(fixture, DAY_NS);
  start(fixture, GROUPING_ALGORITHM, builtin());
  pass(fixture, DAY_NS);
  assert_int_equal(send(fixture, "A"), 1);
  assert_int_equal(send(fixture, "B"), 2);
}

static void projects_have_rules_of_their_own(void **state) {
  struct fixture *fixture = *state;
  start(fixture, GROUPING_ALGORITHM, builtin());
  set_rules(fixture, 2, "", "module:app -> all-one");
  uint64_t first = send_to(fixture, 2, "A");
  assert_int_equal(send_to(fixture, 2, "B"), first);
  uint64_t a = send(fixture, "A");
  assert_int_not_equal(send(fixture, "B"), a);
}

// Projects whose numbers are alike do not push each other out: what is known of one is not read again for each event.
static void projects_that_meet_stay_known(void **state) {
  struct fixture *fixture = *state;
  start(fixture, GROUPING_ALGORITHM, builtin());
  const struct clock *clock = &fixture->inbox->clock.clock;
  const struct inbox_grouping_options options = {
      .database = fixture->inbox->database, .clock = clock, .program = fixture->program};
  struct inbox_grouping *grouping = inbox_grouping_create(&options);
  struct inbox_setup setups[1 + GROUPING_HISTORY_PAST_MAX];
  struct error error = {0};
  char before[GROUPING_HISTORY_ID_BYTES];
  static const uint32_t alike[] = {1, 257, 513, 769, 1, 1025}; // the last takes the place of 257
  for (size_t i = 0; i < sizeof alike / sizeof alike[0]; i++)
    assert_int_equal(inbox_grouping_find(grouping, alike[i], clock_wall_ns(clock), setups), 1);
  snprintf(before, sizeof before, "%s", setups[0].id);
  // Nothing is looked for before INBOX_GROUPING_SEEN_NS: who sees the new rules by then has read them again.
  const struct slice rules = slice_from_cstr(drop_f), none = slice_from_cstr("");
  assert_int_equal(grouping_history_set_rules(fixture->inbox->database, clock, 1, rules, none, &error), STATUS_OK);
  static const uint32_t known[] = {513, 769, 1025, 1};
  for (size_t i = 0; i < sizeof known / sizeof known[0]; i++)
    inbox_grouping_find(grouping, known[i], clock_wall_ns(clock), setups);
  assert_string_equal(setups[0].id, before);
  inbox_grouping_find(grouping, 257, clock_wall_ns(clock), setups);
  inbox_grouping_find(grouping, 1, clock_wall_ns(clock), setups);
  assert_string_not_equal(setups[0].id, before);
  inbox_grouping_destroy(grouping);
}

// The stored event is marked by the rules in force, however many past ones have looked at it.
static void past_rules_leave_no_marks(void **state) {
  struct fixture *fixture = *state;
  start(fixture, GROUPING_ALGORITHM, builtin());
  set_rules(fixture, 1, "function:main -app", "");
  pass(fixture, DAY_NS);
  set_rules(fixture, 1, "", "");
  send(fixture, "A");
  struct error error = {0};
  struct arena arena;
  struct buffer text;
  arena_init(&arena, 1 << 20);
  buffer_init(&text, 1 << 20);
  struct connection *reader = database_read_begin(fixture->inbox->database, &error);
  struct slice grouping, document;
  bool found = issue_query_document(reader, 1, &text, &grouping, &document);
  assert_int_equal(database_read_end(fixture->inbox->database, reader, &error), STATUS_OK);
  assert_true(found);
  if (slice_find(document, SLICE_LITERAL("\"in_app\":true")) > document.len ||
      slice_find(document, SLICE_LITERAL("\"in_app\":false")) < document.len ||
      slice_find(grouping, SLICE_LITERAL("\"algorithm\":\"sentry-newstyle-2023-01-11+")) > grouping.len)
    fail_msg("%.*s %.*s", SLICE_PRINTF(grouping), SLICE_PRINTF(document));
  buffer_finish(&text);
  arena_finish(&arena);
}

// Rules that another version took are refused by this one: events are grouped by the built-in ones.
static void rules_that_cannot_be_used_stop_nothing(void **state) {
  struct fixture *fixture = *state;
  start(fixture, GROUPING_ALGORITHM, builtin());
  uint64_t a = send(fixture, "A");
  set_rules(fixture, 1, "this is no rule", "");
  assert_int_equal(send(fixture, "A"), a);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(rules_change_and_the_issue_stays, setup, teardown),
      cmocka_unit_test_setup_teardown(the_last_day_counts_to_the_nanosecond, setup, teardown),
      cmocka_unit_test_setup_teardown(rules_are_tried_out_all_day, setup, teardown),
      cmocka_unit_test_setup_teardown(fingerprint_rules_change_too, setup, teardown),
      cmocka_unit_test_setup_teardown(a_new_program_has_other_rules, setup, teardown),
      cmocka_unit_test_setup_teardown(an_algorithm_that_is_not_known_is_left_out, setup, teardown),
      cmocka_unit_test_setup_teardown(projects_have_rules_of_their_own, setup, teardown),
      cmocka_unit_test_setup_teardown(projects_that_meet_stay_known, setup, teardown),
      cmocka_unit_test_setup_teardown(past_rules_leave_no_marks, setup, teardown),
      cmocka_unit_test_setup_teardown(rules_that_cannot_be_used_stop_nothing, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
