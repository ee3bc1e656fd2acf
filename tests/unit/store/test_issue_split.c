// SPDX-License-Identifier: Apache-2.0
//
// Splitting in a real inbox: what goes along, what stays, and that it lasts.
#include "store/issue_split.h"

#include "tests/unit/store/issue_merge_fixture.h"

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

int main(void) {
  const struct CMUnitTest tests[] = {
      FIXTURE_TEST(a_merge_is_undone_for_good),    FIXTURE_TEST(a_second_hash_that_is_split_off_decides),
      FIXTURE_TEST(the_last_split_decides),        FIXTURE_TEST(hashes_that_nothing_else_has_go_along),
      FIXTURE_TEST(a_split_can_be_merged_again),   FIXTURE_TEST(what_cannot_be_split_is_left_alone),
      FIXTURE_TEST(tags_follow_the_stored_events), FIXTURE_TEST(a_split_outlives_a_change_of_rules),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
