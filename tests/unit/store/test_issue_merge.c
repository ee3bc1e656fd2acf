// SPDX-License-Identifier: Apache-2.0
//
// Merging and splitting in a real inbox, by hand and at random against a model of a few lines.
#include "store/issue_merge.h"

#include <unistd.h>

#include "store/issue_split.h"
#include "tests/unit/store/inbox_fixture.h"

#define HOUR_NS (UINT64_C(3600) * NS_PER_S)
#define DAY_NS  (24 * HOUR_NS)

// What must hold whatever was done.
static void check_sums(struct inbox_fixture *fixture) {
  static const char *const nothing[] = {
      "SELECT count(*) FROM issue AS i WHERE count < (SELECT coalesce(sum(count), 0) FROM issue_part WHERE issue_id = "
      "i.id)",
      "SELECT count(*) FROM issue AS i WHERE stored <> (SELECT count(*) FROM event WHERE issue_id = i.id)",
      "SELECT count(*) FROM issue AS i WHERE count <> (SELECT sum(count) FROM issue_hour WHERE issue_id = i.id)",
      "SELECT count(*) FROM issue AS i WHERE stored > 0 AND NOT EXISTS (SELECT 1 FROM event WHERE id = i.first_row AND "
      "issue_id = i.id)",
      "SELECT count(*) FROM issue AS i WHERE stored > 101 OR first_seen_ns > last_seen_ns",
      "SELECT count(*) FROM issue_part AS p WHERE NOT EXISTS (SELECT 1 FROM issue WHERE id = p.issue_id) OR count <> "
      "(SELECT sum(count) FROM issue_hour WHERE part_id = p.id AND issue_id = p.issue_id)",
      "SELECT count(*) FROM event AS e WHERE part_id <> 0 AND NOT EXISTS (SELECT 1 FROM issue_part WHERE id = "
      "e.part_id AND issue_id = e.issue_id)",
      "SELECT count(*) FROM issue_hash AS h WHERE NOT EXISTS (SELECT 1 FROM issue WHERE id = h.issue_id)",
      "SELECT count(*) FROM issue_hour AS h WHERE NOT EXISTS (SELECT 1 FROM issue WHERE id = h.issue_id)",
      "SELECT count(*) FROM issue_tag_key AS k WHERE value_count <> (SELECT count(*) FROM issue_tag WHERE issue_id = "
      "k.issue_id AND key = k.key) OR NOT EXISTS (SELECT 1 FROM issue WHERE id = k.issue_id)",
      "SELECT count(*) FROM issue_merged AS m WHERE EXISTS (SELECT 1 FROM issue WHERE id = m.id) OR NOT EXISTS (SELECT "
      "1 FROM issue WHERE id = m.issue_id)",
  };
  for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++)
    if (fixture_ask(fixture, nothing[i]) != 0) fail_msg("not 0: %s", nothing[i]);
  assert_int_equal(issue_store_issue_count(fixture->store), fixture_ask(fixture, "SELECT count(*) FROM issue"));
  assert_int_equal(issue_store_event_count(fixture->store), fixture_ask(fixture, "SELECT count(*) FROM event"));
}

static enum status try_merge(struct inbox_fixture *fixture, uint64_t issue, const uint64_t *others, uint32_t count,
                             uint64_t *out_issue) {
  struct error error = {0};
  return issue_store_merge(fixture->store, issue, others, count, out_issue, &error);
}

static uint64_t merge(struct inbox_fixture *fixture, uint64_t issue, uint64_t other) {
  uint64_t left = 0;
  assert_int_equal(try_merge(fixture, issue, &other, 1, &left), STATUS_OK);
  check_sums(fixture);
  return left;
}

static enum status try_split(struct inbox_fixture *fixture, uint64_t issue, const char *hash, const char *second,
                             uint64_t *out_issue) {
  struct error error = {0};
  uint8_t bytes[2 * ISSUE_HASH_BYTES] = {0};
  memcpy(bytes, hash, strnlen(hash, ISSUE_HASH_BYTES));
  if (second) memcpy(bytes + ISSUE_HASH_BYTES, second, strnlen(second, ISSUE_HASH_BYTES));
  struct slice hashes = slice_make(bytes, second ? sizeof bytes : ISSUE_HASH_BYTES);
  return issue_store_split(fixture->store, issue, hashes, out_issue, &error);
}

static uint64_t split(struct inbox_fixture *fixture, uint64_t issue, const char *hash) {
  uint64_t made = 0;
  assert_int_equal(try_split(fixture, issue, hash, NULL, &made), STATUS_OK);
  check_sums(fixture);
  return made;
}

static uint64_t follow(struct inbox_fixture *fixture, uint64_t id, const char *short_id) {
  struct error error = {0};
  struct connection *reader = database_read_begin(fixture->database, &error);
  uint64_t issue =
      short_id ? issue_merge_find_short(reader, slice_from_cstr(short_id)) : issue_merge_follow(reader, id);
  assert_int_equal(database_read_end(fixture->database, reader, &error), STATUS_OK);
  return issue;
}

// The issue of the event written last.
static uint64_t newest(struct inbox_fixture *fixture) {
  return (uint64_t)fixture_ask(fixture, "SELECT issue_id FROM event ORDER BY id DESC LIMIT 1");
}

static uint64_t one(struct inbox_fixture *fixture, uint32_t id, const char *hash, const char *second) {
  fixture_one(fixture, &(struct fixture_event){.id = id, .hash = hash, .second_hash = second, .title = hash});
  return newest(fixture);
}

static void reopen(struct inbox_fixture *fixture) {
  fixture_close(fixture);
  fixture_open(fixture);
}

static uint64_t count_of(struct inbox_fixture *fixture, uint64_t issue) {
  struct arena arena;
  arena_init(&arena, 1 << 20);
  uint64_t count = fixture_issue(fixture, issue, &arena).count;
  arena_finish(&arena);
  return count;
}

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

// --- splitting -------------------------------------------------------------------------------------------------------

static void a_merge_is_undone_for_good(void **state) {
  struct inbox_fixture *fixture = *state;
  uint64_t a = one(fixture, 1, "a", NULL), b = one(fixture, 2, "b", NULL);
  merge(fixture, a, b);
  one(fixture, 3, "b", NULL);
  uint64_t made = split(fixture, a, "b");
  assert_int_not_equal(made, a);
  assert_int_not_equal(made, b);
  assert_int_equal(follow(fixture, b, NULL), made); // what was known as b is there now
  assert_int_equal(count_of(fixture, a), 1);
  assert_int_equal(count_of(fixture, made), 2);
  assert_int_equal(one(fixture, 4, "b", NULL), made);
  reopen(fixture);
  assert_int_equal(one(fixture, 5, "b", NULL), made);
  assert_int_equal(one(fixture, 6, "a", NULL), a);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue WHERE title = 'b' AND id = 3"), 1);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue WHERE title = 'a' AND id = 1"), 1);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_history WHERE issue_id = 1 AND kind = 'split_off' "
                                        "AND detail = 'DEFAULT-3'"),
                   1);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_history WHERE issue_id = 3 AND kind = 'split_from' "
                                        "AND detail = 'DEFAULT-1'"),
                   1);
}

// All share the first hash; one of the second is another error.
static void a_second_hash_that_is_split_off_decides(void **state) {
  struct inbox_fixture *fixture = *state;
  uint64_t now_ns = clock_wall_ns(&fixture->clock.clock);
  uint64_t a = one(fixture, 1, "app", "x");
  fixture_add(fixture, &(struct fixture_event){.id = 2, .hash = "app", .second_hash = "y", .at_ns = now_ns - HOUR_NS});
  fixture_add(fixture, &(struct fixture_event){.id = 3, .hash = "app", .second_hash = "y"});
  fixture_write(fixture);
  uint64_t made = split(fixture, a, "y");
  struct arena arena;
  arena_init(&arena, 1 << 20);
  struct issue_summary issue = fixture_issue(fixture, made, &arena);
  assert_int_equal(issue.count, 2);
  assert_int_equal(issue.first_seen_ns, now_ns - HOUR_NS);
  assert_int_equal(issue.sparkline[ISSUE_QUERY_SPARKLINE - 2], 1);
  assert_int_equal(fixture_issue(fixture, a, &arena).first_seen_ns, now_ns);
  arena_finish(&arena);
  assert_int_equal(one(fixture, 4, "app", "y"), made);
  assert_int_equal(one(fixture, 5, "app", "x"), a);
  assert_int_equal(one(fixture, 6, "app", "z"), a);
  reopen(fixture);
  assert_int_equal(one(fixture, 7, "app", "y"), made);
  assert_int_equal(one(fixture, 8, "app", "z"), a);
}

static void the_last_split_decides(void **state) {
  struct inbox_fixture *fixture = *state;
  uint64_t a = one(fixture, 1, "app", "x");
  one(fixture, 2, "app", "y");
  one(fixture, 3, "app", "z");
  one(fixture, 4, "x", "y"); // has both
  uint64_t first = split(fixture, a, "y");
  assert_int_equal(one(fixture, 5, "x", "y"), first);
  uint64_t second = split(fixture, a, "x");
  assert_int_equal(one(fixture, 6, "x", "y"), second);
  assert_int_equal(one(fixture, 7, "y", "x"), second);
  assert_int_equal(one(fixture, 8, "app", "y"), first);
  reopen(fixture);
  assert_int_equal(one(fixture, 9, "x", "y"), second);
  assert_int_equal(one(fixture, 10, "app", "z"), a);
}

static void hashes_that_nothing_else_has_go_along(void **state) {
  struct inbox_fixture *fixture = *state;
  uint64_t a = one(fixture, 1, "a", "x"), b = one(fixture, 2, "b", "y");
  merge(fixture, a, b);
  uint64_t made = split(fixture, a, "b");
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_hash WHERE issue_id = 3"), 2);
  assert_int_equal(one(fixture, 3, "other", "y"), made);
  assert_int_equal(one(fixture, 4, "a", "y"), a); // it was not split off itself: the first decides
  assert_int_equal(follow(fixture, b, NULL), made);
}

static void a_split_can_be_merged_again(void **state) {
  struct inbox_fixture *fixture = *state;
  uint64_t a = one(fixture, 1, "app", "x"), c = one(fixture, 2, "c", NULL);
  one(fixture, 3, "app", "y");
  uint64_t made = split(fixture, a, "y");
  assert_int_equal(merge(fixture, c, made), c);
  assert_int_equal(one(fixture, 4, "app", "y"), c);
  assert_int_equal(merge(fixture, a, c), a);
  assert_int_equal(one(fixture, 5, "app", "y"), a);
  assert_int_equal(count_of(fixture, a), 5);
}

static void what_cannot_be_split_is_left_alone(void **state) {
  struct inbox_fixture *fixture = *state;
  uint64_t a = one(fixture, 1, "a", "x"), made = 0;
  one(fixture, 2, "a", "y");
  uint64_t other = one(fixture, 3, "other", NULL);
  assert_int_equal(try_split(fixture, a, "a", NULL, &made), STATUS_CONFLICT); // every event has it
  assert_int_equal(try_split(fixture, a, "x", "y", &made), STATUS_CONFLICT);
  assert_int_equal(try_split(fixture, a, "other", NULL, &made), STATUS_NOT_FOUND);
  assert_int_equal(try_split(fixture, other, "other", NULL, &made), STATUS_CONFLICT);
  assert_int_equal(try_split(fixture, 99, "a", NULL, &made), STATUS_NOT_FOUND);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue"), 2);
  check_sums(fixture);
}

static void tags_follow_the_stored_events(void **state) {
  struct inbox_fixture *fixture = *state;
  fixture_add(fixture, &(struct fixture_event){.id = 1, .hash = "app", .second_hash = "x", .service = "shop"});
  fixture_add(fixture, &(struct fixture_event){.id = 2, .hash = "app", .second_hash = "y", .service = "shop"});
  fixture_add(fixture, &(struct fixture_event){.id = 3, .hash = "app", .second_hash = "y", .service = "bank"});
  fixture_write(fixture);
  split(fixture, 1, "y");
  assert_int_equal(fixture_ask(fixture, "SELECT count FROM issue_tag WHERE issue_id = 1 AND value = 'shop'"), 1);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_tag WHERE issue_id = 1 AND value = 'bank'"), 0);
  assert_int_equal(fixture_ask(fixture, "SELECT total FROM issue_tag_key WHERE issue_id = 1 AND key = 'service'"), 1);
  assert_int_equal(fixture_ask(fixture, "SELECT total FROM issue_tag_key WHERE issue_id = 2 AND key = 'service'"), 2);
}

// The hash of the new rules takes the place of one that was split off.
static void a_split_outlives_a_change_of_rules(void **state) {
  struct inbox_fixture *fixture = *state;
  uint64_t a = one(fixture, 1, "app", "x");
  one(fixture, 2, "app", "y");
  uint64_t made = split(fixture, a, "y");
  const struct {
    const char *now[2], *past[2];
    uint64_t issue;
  } rows[] = {{{"app-2", "x-2"}, {"app", "x"}, a}, {{"app-2", "y-2"}, {"app", "y"}, made},
              {{"app-2", "y-2"}, {0}, made},       {{"app-2", "x-2"}, {0}, a},
              {{"app-2", "z-2"}, {"app", "z"}, a}, {{"new", "new-2"}, {"old", "old-2"}, 3}};
  for (uint32_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct issue_hash hashes[4] = {
        {.variant = "app"}, {.variant = "system"}, {.variant = "app"}, {.variant = "system"}};
    for (int k = 0; k < 2; k++) {
      hashes[k].algorithm = hashes[2 + k].algorithm = "test";
      memcpy(hashes[k].bytes, rows[i].now[k], strlen(rows[i].now[k]));
      if (rows[i].past[k]) memcpy(hashes[2 + k].bytes, rows[i].past[k], strlen(rows[i].past[k]));
    }
    struct issue_event event = {.project = PROJECT_STORE_DEFAULT,
                                .source = ISSUE_SOURCE_SDK,
                                .timestamp_ns = FIXTURE_NOW_NS,
                                .received_ns = FIXTURE_NOW_NS,
                                .title = SLICE_LITERAL("title"),
                                .hashes = hashes,
                                .hash_count = 2,
                                .past_hashes = hashes + 2,
                                .past_hash_count = rows[i].past[0] ? 2 : 0,
                                .grouping = SLICE_LITERAL("{}"),
                                .document = SLICE_LITERAL("{}")};
    event.event_id[0] = (uint8_t)(100 + i);
    assert_int_equal(issue_batch_add(&fixture->batch, &event), STATUS_OK);
    fixture_write(fixture);
    if (newest(fixture) != rows[i].issue) fail_msg("row %u went to %llu", i, (unsigned long long)newest(fixture));
  }
  check_sums(fixture);
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
      FIXTURE_TEST(a_merge_is_undone_for_good),
      FIXTURE_TEST(a_second_hash_that_is_split_off_decides),
      FIXTURE_TEST(the_last_split_decides),
      FIXTURE_TEST(hashes_that_nothing_else_has_go_along),
      FIXTURE_TEST(a_split_can_be_merged_again),
      FIXTURE_TEST(what_cannot_be_split_is_left_alone),
      FIXTURE_TEST(tags_follow_the_stored_events),
      FIXTURE_TEST(a_split_outlives_a_change_of_rules),
      FIXTURE_TEST(parts_are_bounded),
      FIXTURE_TEST(an_issue_without_events_goes_in_time),
      FIXTURE_TEST(an_inbox_of_the_first_version_can_be_merged_and_split),
      FIXTURE_TEST(the_model_agrees),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
