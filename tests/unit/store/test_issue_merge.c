// SPDX-License-Identifier: Apache-2.0
//
// Merging in a real inbox, and merging and splitting at random against a model of a few lines.
#include "store/issue_merge.h"

#include <unistd.h>

#include "tests/unit/store/issue_merge_fixture.h"

// --- merging ---------------------------------------------------------------------------------------------------------

static void a_merged_issue_leads_to_its_target(void **state) {
  struct inbox_fixture *fixture = *state;
  uint64_t a = one(fixture, 1, "a", NULL), b = one(fixture, 2, "b", NULL);
  assert_int_equal(merge(fixture, a, b), a);
  assert_int_equal(count_of(fixture, a), 2);
  assert_int_equal(follow(fixture, b, NULL), a);
  assert_int_equal(follow(fixture, 0, "DEFAULT-2"), a);
  assert_int_equal(follow(fixture, 0, "default-1"), a);
  assert_int_equal(follow(fixture, 0, "DEFAULT-3"), 0);
  assert_int_equal(follow(fixture, 0, "-3"), 0);
  assert_int_equal(follow(fixture, 0, "DEFAULT"), 0);
  assert_int_equal(one(fixture, 3, "b", NULL), a);
  reopen(fixture);
  assert_int_equal(one(fixture, 4, "b", NULL), a);
  assert_int_equal(one(fixture, 5, "a", NULL), a);
  assert_int_equal(count_of(fixture, a), 5);
  uint64_t c = one(fixture, 6, "c", NULL);
  assert_int_not_equal(c, b); // an id that leads somewhere is not given again
  struct error error = {0};
  assert_int_equal(issue_store_set_status(fixture->store, b, ISSUE_RESOLVED, &error), STATUS_OK);
  assert_int_equal(fixture_ask(fixture, "SELECT status FROM issue WHERE id = 1"), ISSUE_RESOLVED);
}

static void everything_moves(void **state) {
  struct inbox_fixture *fixture = *state;
  uint64_t now_ns = clock_wall_ns(&fixture->clock.clock);
  struct issue_tag firefox = {SLICE_LITERAL("browser"), SLICE_LITERAL("Firefox")};
  struct issue_tag safari = {SLICE_LITERAL("browser"), SLICE_LITERAL("Safari")};
  fixture_add(fixture, &(struct fixture_event){.id = 1, .hash = "a", .tags = &firefox, .tag_count = 1});
  fixture_add(fixture, &(struct fixture_event){
                           .id = 2, .hash = "b", .at_ns = now_ns - 3 * HOUR_NS, .tags = &firefox, .tag_count = 1});
  fixture_add(fixture, &(struct fixture_event){
                           .id = 3, .hash = "b", .at_ns = now_ns + HOUR_NS / 2, .tags = &safari, .tag_count = 1});
  fixture_write(fixture);
  merge(fixture, 1, 2);
  struct arena arena;
  arena_init(&arena, 1 << 20);
  struct issue_summary issue = fixture_issue(fixture, 1, &arena);
  assert_int_equal(issue.count, 3);
  assert_int_equal(issue.first_seen_ns, now_ns - 3 * HOUR_NS);
  assert_int_equal(issue.last_seen_ns, now_ns + HOUR_NS / 2);
  assert_int_equal(issue.sparkline[ISSUE_QUERY_SPARKLINE - 1], 2);
  assert_int_equal(issue.sparkline[ISSUE_QUERY_SPARKLINE - 4], 1);
  assert_int_equal(fixture_ask(fixture, "SELECT event_id = x'02000000000000000000000000000000' FROM event WHERE id = "
                                        "(SELECT first_row FROM issue WHERE id = 1)"),
                   1);
  assert_int_equal(fixture_ask(fixture, "SELECT total FROM issue_tag_key WHERE issue_id = 1 AND key = 'browser'"), 3);
  assert_int_equal(fixture_ask(fixture, "SELECT count FROM issue_tag WHERE issue_id = 1 AND value = 'Firefox'"), 2);
  assert_int_equal(fixture_ask(fixture, "SELECT count FROM issue_tag WHERE issue_id = 1 AND value = 'Safari'"), 1);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_history WHERE issue_id = 1 AND kind = 'merged' AND "
                                        "detail = 'DEFAULT-2'"),
                   1);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_history WHERE kind = 'first_seen' AND detail = "
                                        "'DEFAULT-2'"),
                   1);
  arena_finish(&arena);
}

static void the_newest_and_the_first_are_kept_and_all_ids_known(void **state) {
  struct inbox_fixture *fixture = *state;
  uint64_t now_ns = clock_wall_ns(&fixture->clock.clock);
  for (uint32_t i = 0; i < 80; i++) {
    fixture_add(fixture, &(struct fixture_event){.id = 1 + i, .hash = "a", .at_ns = now_ns - i * NS_PER_S});
    fixture_add(fixture, &(struct fixture_event){.id = 101 + i, .hash = "b", .at_ns = now_ns - i * NS_PER_S});
  }
  fixture_write(fixture);
  merge(fixture, 1, 2);
  assert_int_equal(count_of(fixture, 1), 160);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM event"), ISSUE_EVENTS_MAX + 1);
  reopen(fixture);
  for (uint32_t i = 0; i < 80; i++) {
    fixture_add(fixture, &(struct fixture_event){.id = 1 + i, .hash = "a"});
    fixture_add(fixture, &(struct fixture_event){.id = 101 + i, .hash = "b"});
  }
  fixture_write(fixture);
  assert_int_equal(fixture->outcome.resent, 160);
  assert_int_equal(count_of(fixture, 1), 160);
}

// Even when the batches in which the ids came are forgotten: the merge notes what it takes out.
static void ids_of_events_without_room_are_noted(void **state) {
  struct inbox_fixture *fixture = *state;
  uint64_t now_ns = clock_wall_ns(&fixture->clock.clock);
  for (uint32_t i = 0; i < 80; i++) {
    fixture_add(fixture, &(struct fixture_event){.id = 1 + i, .hash = "a", .at_ns = now_ns - i * NS_PER_S});
    fixture_add(fixture, &(struct fixture_event){.id = 101 + i, .hash = "b", .at_ns = now_ns - i * NS_PER_S});
  }
  fixture_write(fixture);
  struct error error = {0};
  connection_execute(database_write_begin(fixture->database), "DELETE FROM recent_events");
  assert_int_equal(database_write_end(fixture->database, &error), STATUS_OK);
  reopen(fixture);
  merge(fixture, 1, 2);
  for (int again = 0; again < 2; again++) { // by memory, and by the database
    fixture_add(fixture, &(struct fixture_event){.id = 79, .hash = "a"});
    fixture_add(fixture, &(struct fixture_event){.id = 180, .hash = "b"});
    fixture_write(fixture);
    assert_int_equal(fixture->outcome.resent, 2);
    reopen(fixture);
  }
}

static void merging_again_changes_nothing(void **state) {
  struct inbox_fixture *fixture = *state;
  uint64_t a = one(fixture, 1, "a", NULL), b = one(fixture, 2, "b", NULL), c = one(fixture, 3, "c", NULL), left = 0;
  merge(fixture, b, c);
  merge(fixture, a, b);
  assert_int_equal(follow(fixture, c, NULL), a); // in one step
  uint64_t version = issue_store_version(fixture->store);
  const uint64_t both[] = {b, c};
  assert_int_equal(try_merge(fixture, a, both, 2, &left), STATUS_OK);
  assert_int_equal(try_merge(fixture, b, &c, 1, &left), STATUS_OK);
  assert_int_equal(left, a);
  assert_int_equal(count_of(fixture, a), 3);
  assert_true(issue_store_version(fixture->store) >= version);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_history WHERE kind = 'merged'"), 2);
}

static void what_cannot_be_merged_is_left_alone(void **state) {
  struct inbox_fixture *fixture = *state;
  struct error error = {0};
  struct project shop;
  assert_int_equal(project_store_create(fixture->database, &fixture->clock.clock, SLICE_LITERAL("shop"), &shop, &error),
                   STATUS_OK);
  uint64_t a = one(fixture, 1, "a", NULL), b = one(fixture, 2, "b", NULL), left = 0;
  fixture_one(fixture, &(struct fixture_event){.id = 3, .hash = "a", .project = shop.id});
  uint64_t foreign = newest(fixture);
  const struct {
    uint64_t target, others[2];
    enum status status;
  } rows[] = {{a, {b, foreign}, STATUS_CONFLICT},
              {a, {b, 99}, STATUS_NOT_FOUND},
              {99, {a, b}, STATUS_NOT_FOUND},
              {a, {b, a}, STATUS_INVALID}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    assert_int_equal(try_merge(fixture, rows[i].target, rows[i].others, 2, &left), rows[i].status);
    assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue"), 3);
    assert_int_equal(count_of(fixture, a), 1);
  }
  check_sums(fixture);
}

static void an_overflow_issue_stays_alone(void **state) {
  struct inbox_fixture *fixture = *state;
  fixture->groups_per_day_max = 1;
  reopen(fixture);
  uint64_t a = one(fixture, 1, "a", NULL), over = one(fixture, 2, "b", NULL), left = 0;
  assert_int_equal(try_merge(fixture, a, &over, 1, &left), STATUS_CONFLICT);
  assert_int_equal(try_merge(fixture, over, &a, 1, &left), STATUS_CONFLICT);
  assert_int_equal(one(fixture, 3, "c", NULL), over);
  check_sums(fixture);
}

static void a_resolved_target_is_reopened(void **state) {
  struct inbox_fixture *fixture = *state;
  struct error error = {0};
  uint64_t a = one(fixture, 1, "a", NULL), b = one(fixture, 2, "b", NULL), c = one(fixture, 3, "c", NULL);
  assert_int_equal(issue_store_set_status(fixture->store, a, ISSUE_RESOLVED, &error), STATUS_OK);
  assert_int_equal(issue_store_set_status(fixture->store, b, ISSUE_RESOLVED, &error), STATUS_OK);
  merge(fixture, a, b);
  assert_int_equal(fixture_ask(fixture, "SELECT status FROM issue WHERE id = 1"), ISSUE_RESOLVED);
  merge(fixture, a, c);
  assert_int_equal(fixture_ask(fixture, "SELECT status FROM issue WHERE id = 1"), ISSUE_UNRESOLVED);
}

static void tags_stay_bounded(void **state) {
  struct inbox_fixture *fixture = *state;
  struct issue_tag tags[40];
  char names[120][16];
  for (uint32_t issue = 0; issue < 2; issue++) {
    for (uint32_t i = 0; i < 40; i++) {
      char *name = names[40 * issue + i];
      snprintf(name, sizeof names[0], "key-%u-%u", issue, i);
      tags[i] = (struct issue_tag){slice_from_cstr(name), SLICE_LITERAL("value")};
    }
    fixture_add(fixture,
                &(struct fixture_event){.id = issue + 1, .hash = issue ? "b" : "a", .tags = tags, .tag_count = 40});
  }
  fixture_write(fixture);
  merge(fixture, 1, 2);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_tag_key"), ISSUE_TAG_KEYS_MAX);
  assert_true(fixture_ask(fixture, "SELECT tags_overflow FROM issue") > 0);
}

static void what_is_merged_goes_with_its_target(void **state) {
  struct inbox_fixture *fixture = *state;
  uint64_t a = one(fixture, 1, "a", NULL), b = one(fixture, 2, "b", NULL);
  merge(fixture, a, b);
  clock_fake_add(&fixture->clock, 31 * DAY_NS);
  struct error error = {0};
  uint32_t deleted = 0;
  assert_int_equal(issue_store_retain(fixture->store, 30 * DAY_NS, 100, &deleted, &error), STATUS_OK);
  assert_int_equal(deleted, 2);
  assert_int_equal(follow(fixture, b, NULL), 0);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_merged"), 0);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_part"), 0);
}

static void parts_are_bounded(void **state) {
  struct inbox_fixture *fixture = *state;
  char names[300][8];
  for (uint32_t i = 0; i < 300; i++) {
    snprintf(names[i], sizeof names[i], "h%u", i);
    fixture_add(fixture, &(struct fixture_event){.id = 1 + i, .hash = "app", .second_hash = names[i]});
  }
  fixture_write(fixture);
  check_sums(fixture);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_part"), 200);
  assert_int_equal(fixture_ask(fixture, "SELECT sum(count) FROM issue_hour WHERE part_id = 0"), 100);
  uint64_t made = 0;
  assert_int_equal(try_split(fixture, 1, names[199], NULL, &made), STATUS_CONFLICT);
  split(fixture, 1, names[0]);
  assert_int_equal(count_of(fixture, 1), 299);
}

// The new issue has no event left; it goes when its last one would have.
static void an_issue_without_events_goes_in_time(void **state) {
  struct inbox_fixture *fixture = *state;
  uint64_t now_ns = clock_wall_ns(&fixture->clock.clock);
  fixture_add(fixture, &(struct fixture_event){.id = 1, .hash = "a", .at_ns = now_ns - 2 * HOUR_NS});
  fixture_add(fixture, &(struct fixture_event){.id = 2, .hash = "b", .at_ns = now_ns - HOUR_NS});
  for (uint32_t i = 0; i < 150; i++) fixture_add(fixture, &(struct fixture_event){.id = 10 + i, .hash = "a"});
  fixture_write(fixture);
  merge(fixture, 1, 2);
  uint64_t made = split(fixture, 1, "b");
  assert_int_equal(count_of(fixture, made), 1);
  assert_int_equal(fixture_ask(fixture, "SELECT stored FROM issue WHERE id = 3"), 0);
  struct error error = {0};
  uint32_t deleted = 0;
  clock_fake_add(&fixture->clock, 29 * DAY_NS);
  assert_int_equal(issue_store_retain(fixture->store, 30 * DAY_NS, 1000, &deleted, &error), STATUS_OK);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue"), 2);
  clock_fake_add(&fixture->clock, DAY_NS);
  assert_int_equal(issue_store_retain(fixture->store, 30 * DAY_NS, 1000, &deleted, &error), STATUS_OK);
  check_sums(fixture);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue"), 1);
}

// --- files of an earlier version
// --------------------------------------------------------------------------------------

// An issue that was made before parts were counted is one part, under the hash that made it.
static void an_inbox_of_the_first_version_can_be_merged_and_split(void **state) {
  struct inbox_fixture *fixture = *state;
  struct error error = {0};
  fixture_close(fixture);
  unlink(fixture->path);
  const struct store_migration first[] = {store_migrations[0], {0}};
  struct database *database = NULL;
  assert_int_equal(
      database_open(&(struct database_options){.path = fixture->path, .migrations = first}, &database, &error),
      STATUS_OK);
  static const char rows[] =
      "INSERT INTO project (id, slug, created_ns, issues_made) VALUES (1, 'default', 1, 2);"
      "INSERT INTO issue (id, project_id, number, status_ns, count, stored, first_seen_ns, last_seen_ns, first_row, "
      "title) VALUES (1, 1, 1, 1, 5, 1, 3600000000000, 7200000000000, 1, 'first'), (2, 1, 2, 1, 3, 1, 3600000000000, "
      "3600000000000, 2, 'second');"
      "INSERT INTO issue_hash VALUES (1, x'61000000000000000000000000000000', 1, 'old', 'app', 1), (1, "
      "x'78000000000000000000000000000000', 1, 'old', 'system', 1), (1, x'62000000000000000000000000000000', 2, 'old', "
      "'app', 1);"
      "INSERT INTO issue_hour VALUES (1, 1, 4), (1, 2, 1), (2, 1, 3);"
      "INSERT INTO event (id, project_id, issue_id, event_id, source, timestamp_ns, seen_ns, received_ns, "
      "duplicate_key, title, document_bytes, document) VALUES (1, 1, 1, x'0100', 1, 1, 3600000000000, 1, 0, 'first', "
      "6, "
      "x'28b52ffd20063100007b7d0a7b7d0a'), (2, 1, 2, x'0200', 1, 1, 3600000000000, 1, 0, 'second', 6, "
      "x'28b52ffd20063100007b7d0a7b7d0a')";
  connection_execute(database_write_begin(database), rows);
  if (database_write_end(database, &error) != STATUS_OK) fail_msg("%s", error.text);
  database_close(database);
  fixture_open(fixture);
  check_sums(fixture);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_part"), 2);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM event WHERE part_id = issue_id"), 2);
  merge(fixture, 1, 2);
  assert_int_equal(count_of(fixture, 1), 8);
  uint64_t made = split(fixture, 1, "b");
  assert_int_equal(count_of(fixture, made), 3);
  assert_int_equal(one(fixture, 7, "b", NULL), made);
  assert_int_equal(one(fixture, 8, "x", NULL), 1);
}

// --- at random -------------------------------------------------------------------------------------------------------

#define HASHES 12
#define EVENTS 700

struct model {
  uint64_t issue[HASHES]; // of a hash; 0: none
  uint64_t split[HASHES]; // number of the split
  uint64_t splits;
  struct {
    unsigned first, second;
    uint64_t issue;
  } events[EVENTS];
  uint32_t event_count;
};

static const char *const letters[HASHES] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"};

static void model_event(struct model *model, unsigned first, unsigned second, uint64_t seen_issue) {
  unsigned chosen = model->issue[first] ? first : second;
  if (model->issue[second] && model->split[second] > model->split[chosen]) chosen = second;
  uint64_t issue = model->issue[chosen] ? model->issue[chosen] : seen_issue; // a new one: any number will do
  assert_int_equal(issue, seen_issue);
  if (!model->issue[first]) model->issue[first] = issue;
  if (!model->issue[second]) model->issue[second] = issue;
  model->events[model->event_count].first = first;
  model->events[model->event_count].second = second;
  model->events[model->event_count++].issue = issue;
}

static void model_merge(struct model *model, uint64_t target, uint64_t other) {
  for (unsigned i = 0; i < HASHES; i++)
    if (model->issue[i] == other) model->issue[i] = target;
  for (uint32_t i = 0; i < model->event_count; i++)
    if (model->events[i].issue == other) model->events[i].issue = target;
}

static bool model_stays(const struct model *model, uint64_t issue, unsigned hash) {
  for (uint32_t i = 0; i < model->event_count; i++)
    if (model->events[i].issue == issue && (model->events[i].first == hash || model->events[i].second == hash))
      return true;
  return false;
}

static void model_split(struct model *model, uint64_t issue, unsigned hash, uint64_t made) {
  model->splits++;
  bool had[HASHES] = {false};
  for (unsigned i = 0; i < HASHES; i++) had[i] = model_stays(model, issue, i);
  for (uint32_t i = 0; i < model->event_count; i++)
    if (model->events[i].issue == issue && (model->events[i].first == hash || model->events[i].second == hash))
      model->events[i].issue = made;
  for (unsigned i = 0; i < HASHES; i++)
    if (model->issue[i] == issue && i != hash && had[i] && !model_stays(model, issue, i) && model_stays(model, made, i))
      model->issue[i] = made;
  model->issue[hash] = made;
  model->split[hash] = model->splits;
}

static void compare(struct inbox_fixture *fixture, const struct model *model) {
  struct error error = {0};
  struct connection *reader = database_read_begin(fixture->database, &error);
  struct statement select = connection_statement(reader, "SELECT id, count FROM issue");
  uint32_t wrong = 0, issues = 0;
  while (statement_step(&select)) {
    uint64_t count = 0;
    for (uint32_t i = 0; i < model->event_count; i++) count += model->events[i].issue == statement_u64(&select, 0);
    wrong += count != statement_u64(&select, 1);
    issues++;
  }
  assert_int_equal(database_read_end(fixture->database, reader, &error), STATUS_OK);
  assert_int_equal(wrong, 0);
  assert_true(issues > 0);
  check_sums(fixture);
}

static uint64_t random_issue(const struct model *model, uint64_t random) {
  return model->events[random % model->event_count].issue;
}

static void one_step(struct inbox_fixture *fixture, struct model *model, uint64_t random) {
  uint64_t made = 0, others = 0;
  unsigned first = (unsigned)(random >> 8) % HASHES, second = (unsigned)(random >> 16) % HASHES;
  uint64_t issue = model->event_count ? random_issue(model, random >> 24) : 0;
  if (random % 8 < 5 || issue == 0) {
    if (second == first) second = (second + 1) % HASHES;
    model_event(model, first, second, one(fixture, model->event_count + 1, letters[first], letters[second]));
  } else if (random % 8 == 5) {
    others = random_issue(model, random >> 40);
    if (others == issue) return;
    merge(fixture, issue, others);
    model_merge(model, issue, others);
  } else {
    uint64_t here = 0, with = 0;
    for (uint32_t i = 0; i < model->event_count; i++) {
      if (model->events[i].issue != model->issue[first]) continue;
      here++;
      with += model->events[i].first == first || model->events[i].second == first;
    }
    if (model->issue[first] == 0) return;
    enum status status = try_split(fixture, model->issue[first], letters[first], NULL, &made);
    assert_int_equal(status, with > 0 && with < here ? STATUS_OK : STATUS_CONFLICT);
    if (status == STATUS_OK) model_split(model, model->issue[first], first, made);
  }
}

static void the_model_agrees(void **state) {
  struct inbox_fixture *fixture = *state;
  struct model *model = calloc(1, sizeof *model);
  assert_non_null(model);
  uint64_t random = 88172645463325252; // the same walk every time
  for (uint32_t step = 0; step < EVENTS; step++) {
    random ^= random << 13;
    random ^= random >> 7;
    random ^= random << 17;
    one_step(fixture, model, random);
    if (step % 50 == 0) compare(fixture, model);
    if (step % 400 == 399) reopen(fixture);
  }
  compare(fixture, model);
  assert_true(model->splits > 10);
  free(model);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      FIXTURE_TEST(a_merged_issue_leads_to_its_target),
      FIXTURE_TEST(everything_moves),
      FIXTURE_TEST(the_newest_and_the_first_are_kept_and_all_ids_known),
      FIXTURE_TEST(ids_of_events_without_room_are_noted),
      FIXTURE_TEST(merging_again_changes_nothing),
      FIXTURE_TEST(what_cannot_be_merged_is_left_alone),
      FIXTURE_TEST(an_overflow_issue_stays_alone),
      FIXTURE_TEST(a_resolved_target_is_reopened),
      FIXTURE_TEST(tags_stay_bounded),
      FIXTURE_TEST(what_is_merged_goes_with_its_target),
      FIXTURE_TEST(parts_are_bounded),
      FIXTURE_TEST(an_issue_without_events_goes_in_time),
      FIXTURE_TEST(an_inbox_of_the_first_version_can_be_merged_and_split),
      FIXTURE_TEST(the_model_agrees),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
