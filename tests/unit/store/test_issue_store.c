// SPDX-License-Identifier: Apache-2.0
//
// The inbox in a real file: what a batch changes, and what it must not change.
#include "tests/unit/store/inbox_fixture.h"

#define HOUR_NS (UINT64_C(3600) * NS_PER_S)
#define DAY_NS  (24 * HOUR_NS)

static void the_first_event_makes_an_issue(void **state) {
  struct inbox_fixture *fixture = *state;
  struct arena arena;
  arena_init(&arena, 1 << 20);
  fixture_one(fixture, &(struct fixture_event){.id = 1, .service = "checkout", .environment = "production"});
  assert_int_equal(fixture->outcome.events, 1);
  assert_int_equal(fixture->outcome.issues, 1);
  struct issue_summary issue = fixture_issue(fixture, 1, &arena);
  assert_int_equal(issue.number, 1);
  assert_int_equal(issue.count, 1);
  assert_int_equal(issue.status, ISSUE_UNRESOLVED);
  assert_int_equal(issue.substatus, ISSUE_NEW);
  assert_true(slice_equal_cstr(issue.project, "default"));
  assert_true(slice_equal_cstr(issue.title, "ValueError: bad cart"));
  assert_true(slice_equal_cstr(issue.services.items[0], "checkout"));
  assert_true(slice_equal_cstr(issue.environments.items[0], "production"));
  assert_int_equal(issue.sparkline[23], 1);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_history WHERE kind = 'first_seen'"), 1);
  assert_int_equal(issue_store_issue_count(fixture->store), 1);
  assert_int_equal(issue_store_event_count(fixture->store), 1);
  arena_finish(&arena);
}

static void a_replayed_batch_changes_nothing(void **state) {
  struct inbox_fixture *fixture = *state;
  for (int round = 0; round < 3; round++) {
    for (uint32_t i = 1; i <= 5; i++) fixture_add(fixture, &(struct fixture_event){.id = i, .service = "a"});
    fixture_write(fixture);
    assert_int_equal(fixture->outcome.events, round == 0 ? 5 : 0);
    assert_int_equal(fixture->outcome.resent, round == 0 ? 0 : 5);
    if (round == 1) { // the second time after a restart
      fixture_close(fixture);
      fixture_open(fixture);
    }
  }
  assert_int_equal(fixture_ask(fixture, "SELECT count FROM issue"), 5);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM event"), 5);
  assert_int_equal(fixture_ask(fixture, "SELECT total FROM issue_tag_key WHERE key = 'service'"), 5);
  assert_int_equal(fixture_ask(fixture, "SELECT count FROM issue_hour"), 5);
  assert_int_equal(fixture_ask(fixture, "SELECT sequence FROM cursor WHERE name = 'inbox'"), 3);
}

static void an_id_sent_twice_in_a_batch_counts_once(void **state) {
  struct inbox_fixture *fixture = *state;
  fixture_add(fixture, &(struct fixture_event){.id = 9});
  fixture_add(fixture, &(struct fixture_event){.id = 9});
  fixture_write(fixture);
  assert_int_equal(fixture->outcome.events, 1);
  assert_int_equal(fixture->outcome.resent, 1);
}

static void evicted_events_stay_known(void **state) {
  struct inbox_fixture *fixture = *state;
  for (uint32_t i = 1; i <= 300; i++)
    fixture_add(fixture, &(struct fixture_event){.id = i, .at_ns = FIXTURE_NOW_NS + i});
  fixture_write(fixture);
  fixture_close(fixture);
  fixture_open(fixture);
  for (uint32_t i = 1; i <= 300; i++)
    fixture_add(fixture, &(struct fixture_event){.id = i, .at_ns = FIXTURE_NOW_NS + i});
  fixture_write(fixture);
  assert_int_equal(fixture->outcome.resent, 300);
  assert_int_equal(fixture_ask(fixture, "SELECT count FROM issue"), 300);
}

static void the_first_and_the_newest_hundred_are_kept(void **state) {
  struct inbox_fixture *fixture = *state;
  uint32_t id = 0;
  static const uint32_t batches[] = {1, 60, 250, 90, 500, 3};
  for (size_t b = 0; b < sizeof batches / sizeof batches[0]; b++) {
    for (uint32_t i = 0; i < batches[b]; i++, id++)
      fixture_add(fixture, &(struct fixture_event){.id = id + 1, .at_ns = FIXTURE_NOW_NS + id});
    fixture_write(fixture);
  }
  assert_int_equal(fixture_ask(fixture, "SELECT count FROM issue"), id);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM event"), 101);
  assert_int_equal(fixture_ask(fixture, "SELECT stored FROM issue"), 101);
  assert_int_equal(issue_store_event_count(fixture->store), 101);
  assert_int_equal(fixture_ask(fixture, "SELECT min(timestamp_ns) FROM event"), FIXTURE_NOW_NS);
  assert_int_equal(
      fixture_ask(fixture, "SELECT min(timestamp_ns) FROM event WHERE id <> (SELECT first_row FROM issue)"),
      FIXTURE_NOW_NS + id - 100);
  assert_int_equal(fixture_ask(fixture, "SELECT max(timestamp_ns) FROM event"), FIXTURE_NOW_NS + id - 1);
  assert_int_equal(fixture_ask(fixture, "SELECT timestamp_ns FROM event WHERE id = (SELECT first_row FROM issue)"),
                   FIXTURE_NOW_NS);
}

static void the_first_event_survives_its_own_flood(void **state) {
  struct inbox_fixture *fixture = *state;
  for (uint32_t i = 0; i < 500; i++)
    fixture_add(fixture, &(struct fixture_event){.id = i + 1, .at_ns = FIXTURE_NOW_NS + i});
  fixture_write(fixture);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM event"), 101);
  assert_int_equal(fixture_ask(fixture, "SELECT timestamp_ns FROM event WHERE id = (SELECT first_row FROM issue)"),
                   FIXTURE_NOW_NS);
  assert_int_equal(fixture_ask(fixture, "SELECT count FROM issue"), 500);
}

static void any_hash_leads_to_the_issue(void **state) {
  struct inbox_fixture *fixture = *state;
  fixture_one(fixture, &(struct fixture_event){.id = 1, .hash = "a", .second_hash = "b"});
  fixture_one(fixture, &(struct fixture_event){.id = 2, .hash = "c", .second_hash = "b"}); // by its second hash
  fixture_one(fixture, &(struct fixture_event){.id = 3, .hash = "c"});                     // attached with event 2
  fixture_one(fixture, &(struct fixture_event){.id = 4, .hash = "d"});
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue"), 2);
  assert_int_equal(fixture_ask(fixture, "SELECT count FROM issue WHERE id = 1"), 3);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_hash WHERE issue_id = 1"), 3);
  fixture_close(fixture); // and from the table alone
  fixture_open(fixture);
  fixture_one(fixture, &(struct fixture_event){.id = 5, .hash = "x", .second_hash = "c"});
  assert_int_equal(fixture_ask(fixture, "SELECT count FROM issue WHERE id = 1"), 4);
}

static void a_hash_of_another_issue_stays_there(void **state) {
  struct inbox_fixture *fixture = *state;
  fixture_one(fixture, &(struct fixture_event){.id = 1, .hash = "a"});
  fixture_one(fixture, &(struct fixture_event){.id = 2, .hash = "b"});
  fixture_one(fixture, &(struct fixture_event){.id = 3, .hash = "b", .second_hash = "a"});
  assert_int_equal(fixture_ask(fixture, "SELECT count FROM issue WHERE id = 2"), 2);
  fixture_one(fixture, &(struct fixture_event){.id = 4, .hash = "a"});
  assert_int_equal(fixture_ask(fixture, "SELECT count FROM issue WHERE id = 1"), 2);
}

static void an_outline_leads_to_the_other_side_only(void **state) {
  struct inbox_fixture *fixture = *state;
  // Two errors that an SDK tells apart and text does not.
  fixture_one(fixture, &(struct fixture_event){.id = 1, .hash = "line 8", .outline = "o", .source = ISSUE_SOURCE_SDK});
  fixture_one(fixture, &(struct fixture_event){.id = 2, .hash = "line 9", .outline = "o", .source = ISSUE_SOURCE_SDK});
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue"), 2);
  fixture_one(fixture, &(struct fixture_event){.id = 3, .hash = "text", .outline = "o"}); // joins the first
  assert_int_equal(fixture_ask(fixture, "SELECT count FROM issue WHERE id = 1"), 2);
  fixture_one(fixture, &(struct fixture_event){.id = 4, .hash = "text"}); // by the hash it brought along
  fixture_one(fixture, &(struct fixture_event){.id = 5, .hash = "line 9", .outline = "o", .source = ISSUE_SOURCE_SDK});
  assert_int_equal(fixture_ask(fixture, "SELECT count FROM issue WHERE id = 1"), 3);
  assert_int_equal(fixture_ask(fixture, "SELECT count FROM issue WHERE id = 2"), 2); // a hash comes before an outline
  // Text first: also from a log.
  fixture_one(fixture, &(struct fixture_event){.id = 6, .hash = "x", .outline = "p", .source = ISSUE_SOURCE_LOG});
  fixture_one(fixture, &(struct fixture_event){.id = 7, .hash = "y", .outline = "p", .source = ISSUE_SOURCE_SPAN});
  fixture_one(fixture, &(struct fixture_event){.id = 8, .hash = "z", .outline = "p", .source = ISSUE_SOURCE_SDK});
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue"), 4);
  assert_int_equal(fixture_ask(fixture, "SELECT count FROM issue WHERE id = 3"), 2);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_hash WHERE variant = 'outline'"), 4);
}

static void projects_do_not_share_issues(void **state) {
  struct inbox_fixture *fixture = *state;
  fixture_one(fixture, &(struct fixture_event){.id = 1, .hash = "a"});
  fixture_one(fixture, &(struct fixture_event){.id = 1, .hash = "a", .project = 7}); // unknown: it gets a name
  assert_int_equal(fixture->outcome.events, 1);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue"), 2);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM project WHERE slug = 'project-7'"), 1);
  assert_int_equal(fixture_ask(fixture, "SELECT number FROM issue WHERE project_id = 7"), 1);
}

struct duplicate_case {
  const char *name;
  struct fixture_event first, second;
  uint32_t events, duplicates, resent;
};

static void duplicates_are_one_event(void **state) {
  static const struct duplicate_case cases[] = {
      {"span then log",
       {.id = 1, .duplicate_key = 5},
       {.id = 2, .duplicate_key = 5, .source = ISSUE_SOURCE_LOG},
       1,
       1,
       0},
      {"log then span",
       {.id = 1, .duplicate_key = 5, .source = ISSUE_SOURCE_LOG},
       {.id = 2, .duplicate_key = 5},
       1,
       1,
       0},
      {"two spans", {.id = 1, .duplicate_key = 5}, {.id = 2, .duplicate_key = 5}, 2, 0, 0},
      {"another key",
       {.id = 1, .duplicate_key = 5},
       {.id = 2, .duplicate_key = 6, .source = ISSUE_SOURCE_LOG},
       2,
       0,
       0},
      {"no key", {.id = 1}, {.id = 2, .source = ISSUE_SOURCE_LOG}, 2, 0, 0},
      {"60 s later",
       {.id = 1, .duplicate_key = 5},
       {.id = 2, .duplicate_key = 5, .source = ISSUE_SOURCE_LOG, .at_ns = FIXTURE_NOW_NS + 60 * NS_PER_S},
       1,
       1,
       0},
      {"61 s later",
       {.id = 1, .duplicate_key = 5},
       {.id = 2, .duplicate_key = 5, .source = ISSUE_SOURCE_LOG, .at_ns = FIXTURE_NOW_NS + 61 * NS_PER_S},
       2,
       0,
       0},
      {"another project",
       {.id = 1, .duplicate_key = 5},
       {.id = 2, .duplicate_key = 5, .source = ISSUE_SOURCE_LOG, .project = 3},
       2,
       0,
       0},
  };
  struct inbox_fixture *fixture = *state;
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    for (int way = 0; way < 3; way++) { // in one batch, in two, with a restart between
      struct fixture_event first = cases[i].first, second = cases[i].second;
      char trace[20];
      snprintf(trace, sizeof trace, "trace%02zu-%d-000000", i, way);
      uint32_t number = (uint32_t)(i * 10 + (size_t)way) * 10;
      first.id += number;
      second.id += number;
      first.duplicate_key += first.duplicate_key ? number : 0;
      second.duplicate_key += second.duplicate_key ? number : 0;
      first.trace_id = second.trace_id = trace;
      fixture_add(fixture, &first);
      struct issue_store_outcome before = {0};
      if (way > 0) {
        fixture_write(fixture);
        before = fixture->outcome;
      }
      if (way == 2) {
        fixture_close(fixture);
        fixture_open(fixture);
      }
      fixture_one(fixture, &second);
      if (before.events + fixture->outcome.events != cases[i].events ||
          fixture->outcome.duplicates != cases[i].duplicates || fixture->outcome.resent != cases[i].resent)
        fail_msg("%s, way %d: %u events, %u duplicates", cases[i].name, way, before.events + fixture->outcome.events,
                 fixture->outcome.duplicates);
    }
  }
}

static void a_duplicate_fills_what_was_lacking(void **state) {
  struct inbox_fixture *fixture = *state;
  fixture_one(fixture, &(struct fixture_event){.id = 1, .duplicate_key = 5, .service = "a"});
  fixture_one(fixture,
              &(struct fixture_event){
                  .id = 2, .duplicate_key = 5, .source = ISSUE_SOURCE_LOG, .service = "b", .request_id = "r-1"});
  assert_int_equal(fixture->outcome.duplicates, 1);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM event WHERE request_id = 'r-1' AND service = 'a'"), 1);
  // The same inside one batch.
  fixture_add(fixture, &(struct fixture_event){.id = 3, .duplicate_key = 6});
  fixture_add(fixture,
              &(struct fixture_event){.id = 4, .duplicate_key = 6, .source = ISSUE_SOURCE_LOG, .request_id = "r-2"});
  fixture_write(fixture);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM event WHERE request_id = 'r-2'"), 1);
  assert_int_equal(fixture_ask(fixture, "SELECT count FROM issue"), 2);
}

static void a_resolved_issue_regresses_and_a_muted_one_stays(void **state) {
  struct inbox_fixture *fixture = *state;
  struct error error = {0};
  fixture_one(fixture, &(struct fixture_event){.id = 1});
  uint64_t version = issue_store_version(fixture->store);
  assert_int_equal(issue_store_set_status(fixture->store, 1, ISSUE_RESOLVED, &error), STATUS_OK);
  assert_int_not_equal(issue_store_version(fixture->store), version);
  version = issue_store_version(fixture->store);
  assert_int_equal(issue_store_set_status(fixture->store, 1, ISSUE_RESOLVED, &error), STATUS_OK);
  assert_int_equal(issue_store_version(fixture->store), version); // nothing changed
  // Received before it was resolved, processed behind: no regression.
  fixture_one(fixture, &(struct fixture_event){.id = 2, .received_ns = FIXTURE_NOW_NS - 1});
  assert_int_equal(fixture_ask(fixture, "SELECT status FROM issue"), ISSUE_RESOLVED);
  clock_fake_add(&fixture->clock, NS_PER_S);
  fixture_one(fixture, &(struct fixture_event){.id = 3});
  assert_int_equal(fixture->outcome.regressed, 1);
  assert_int_equal(fixture_ask(fixture, "SELECT status FROM issue"), ISSUE_UNRESOLVED);
  assert_int_equal(fixture_ask(fixture, "SELECT substatus FROM issue"), ISSUE_REGRESSED);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_history"), 3);
  assert_int_equal(issue_store_set_status(fixture->store, 1, ISSUE_MUTED, &error), STATUS_OK);
  clock_fake_add(&fixture->clock, NS_PER_S);
  fixture_one(fixture, &(struct fixture_event){.id = 4});
  assert_int_equal(fixture_ask(fixture, "SELECT status FROM issue"), ISSUE_MUTED);
  assert_int_equal(issue_store_set_status(fixture->store, 99, ISSUE_MUTED, &error), STATUS_NOT_FOUND);
}

static void new_issues_become_ongoing_with_time(void **state) {
  struct inbox_fixture *fixture = *state;
  struct arena arena;
  arena_init(&arena, 1 << 20);
  fixture_one(fixture, &(struct fixture_event){.id = 1});
  clock_fake_add(&fixture->clock, 6 * DAY_NS);
  assert_int_equal(fixture_issue(fixture, 1, &arena).substatus, ISSUE_NEW);
  clock_fake_add(&fixture->clock, 2 * DAY_NS);
  assert_int_equal(fixture_issue(fixture, 1, &arena).substatus, ISSUE_ONGOING);
  arena_finish(&arena);
}

static void hours_are_counted_and_pruned(void **state) {
  struct inbox_fixture *fixture = *state;
  struct arena arena;
  arena_init(&arena, 1 << 20);
  uint32_t id = 0;
  for (uint64_t hour = 0; hour < 400; hour++) {
    for (uint64_t i = 0; i <= hour % 3; i++) fixture_add(fixture, &(struct fixture_event){.id = ++id});
    fixture_write(fixture);
    clock_fake_add(&fixture->clock, HOUR_NS);
  }
  struct issue_summary issue = fixture_issue(fixture, 1, &arena);
  assert_int_equal(issue.sparkline[23], 0); // the hour that just began
  assert_int_equal(issue.sparkline[22], 399 % 3 + 1);
  assert_int_equal(issue.sparkline[0], 377 % 3 + 1);
  assert_in_range(fixture_ask(fixture, "SELECT count(*) FROM issue_hour"), ISSUE_HOURS_KEPT, ISSUE_HOURS_KEPT + 1);
  arena_finish(&arena);
}

static void tags_are_counted_within_bounds(void **state) {
  struct inbox_fixture *fixture = *state;
  char keys[60][8], value[16];
  uint32_t id = 0;
  for (uint32_t i = 0; i < 250; i++) { // 250 values of one key
    snprintf(value, sizeof value, "v%u", i % 125);
    struct issue_tag tag = {.key = SLICE_LITERAL("browser"), .value = slice_from_cstr(value)};
    fixture_add(fixture, &(struct fixture_event){.id = ++id, .tags = &tag, .tag_count = 1});
  }
  fixture_write(fixture);
  assert_int_equal(fixture_ask(fixture, "SELECT total FROM issue_tag_key WHERE key = 'browser'"), 250);
  assert_int_equal(fixture_ask(fixture, "SELECT value_count FROM issue_tag_key WHERE key = 'browser'"), 100);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_tag WHERE key = 'browser'"), 100);
  assert_int_equal(fixture_ask(fixture, "SELECT count FROM issue_tag WHERE key = 'browser' AND value = 'v7'"), 2);
  struct issue_tag tags[60];
  for (uint32_t i = 0; i < 60; i++) {
    snprintf(keys[i], sizeof keys[i], "k%02u", i);
    tags[i] = (struct issue_tag){.key = slice_from_cstr(keys[i]), .value = SLICE_LITERAL("x")};
  }
  fixture_one(fixture, &(struct fixture_event){.id = ++id, .tags = tags, .tag_count = 60});
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_tag_key"), ISSUE_TAG_KEYS_MAX);
  assert_int_equal(fixture_ask(fixture, "SELECT tags_overflow FROM issue"), 60 + 2 - ISSUE_TAG_KEYS_MAX);
  fixture_one(fixture, &(struct fixture_event){.id = ++id, .tags = tags, .tag_count = 60}); // known keys still count
  assert_int_equal(fixture_ask(fixture, "SELECT total FROM issue_tag_key WHERE key = 'k00'"), 2);
  assert_int_equal(fixture_ask(fixture, "SELECT count FROM issue_tag WHERE key = 'k00'"), 2);
}

static void one_browser(struct inbox_fixture *fixture, uint32_t id, const char *hash, uint32_t value) {
  char text[16];
  snprintf(text, sizeof text, "v%u", value);
  struct issue_tag tag = {.key = SLICE_LITERAL("browser"), .value = slice_from_cstr(text)};
  fixture_add(fixture, &(struct fixture_event){.id = id, .hash = hash, .tags = &tag, .tag_count = 1});
}

// What is remembered of tags between batches does not show: the first hundred values are counted, every time.
static void tags_are_exact_over_many_batches(void **state) {
  struct inbox_fixture *fixture = *state;
  uint32_t id = 0;
  for (uint32_t batch = 0; batch < 30; batch++) {
    for (uint32_t i = 0; i < 50; i++, id++) one_browser(fixture, id + 1, id % 2 ? "odd" : "even", id % 300);
    fixture_write(fixture);
  }
  // 1500 events, 300 values of which 150 each come to each issue, five times. The first hundred are counted.
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_tag_key WHERE key = 'browser' AND total = 750"), 2);
  assert_int_equal(fixture_ask(fixture, "SELECT sum(value_count) FROM issue_tag_key WHERE key = 'browser'"), 200);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_tag WHERE key = 'browser' AND count = 5"), 200);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_tag WHERE value IN ('v199', 'v198')"), 2);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_tag WHERE value IN ('v200', 'v299')"), 0);
}

// An issue that is deleted leaves nothing behind for the next one of its number.
static void a_new_issue_has_no_tags_of_a_deleted_one(void **state) {
  struct inbox_fixture *fixture = *state;
  struct error error = {0};
  uint32_t deleted = 0;
  for (uint32_t round = 0; round < 2; round++) {
    for (uint32_t i = 0; i < 200; i++) one_browser(fixture, 1000 * round + i + 1, round ? "b" : "a", 1000 * round + i);
    fixture_write(fixture);
    for (uint32_t i = 0; i < 20; i++) one_browser(fixture, 1000 * round + i + 500, round ? "b" : "a", 1000 * round + i);
    fixture_write(fixture);
    assert_int_equal(fixture_ask(fixture, "SELECT id FROM issue"), 1);
    assert_int_equal(fixture_ask(fixture, "SELECT total FROM issue_tag_key WHERE key = 'browser'"), 220);
    assert_int_equal(fixture_ask(fixture, "SELECT value_count FROM issue_tag_key WHERE key = 'browser'"), 100);
    assert_int_equal(fixture_ask(fixture, "SELECT sum(count) FROM issue_tag WHERE key = 'browser'"), 120);
    clock_fake_add(&fixture->clock, 31 * DAY_NS);
    assert_int_equal(issue_store_retain(fixture->store, 30 * DAY_NS, 500, &deleted, &error), STATUS_OK);
    assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue"), 0);
  }
}

static void too_many_groups_go_to_the_overflow_issue(void **state) {
  struct inbox_fixture *fixture = *state;
  fixture_close(fixture);
  fixture->groups_per_day_max = 3;
  fixture_open(fixture);
  char hash[8];
  for (uint32_t i = 0; i < 10; i++) {
    snprintf(hash, sizeof hash, "h%u", i);
    fixture_add(fixture, &(struct fixture_event){.id = i + 1, .hash = hash});
  }
  fixture_write(fixture);
  assert_int_equal(fixture->outcome.overflowed, 7);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue"), 4);
  assert_int_equal(fixture_ask(fixture, "SELECT count FROM issue WHERE title LIKE 'Too many different errors%'"), 7);
  fixture_one(fixture, &(struct fixture_event){.id = 11, .hash = "h1"}); // known ones are not concerned
  assert_int_equal(fixture->outcome.overflowed, 0);
  clock_fake_add(&fixture->clock, DAY_NS);
  fixture_one(fixture, &(struct fixture_event){.id = 12, .hash = "h9"}); // another day, an issue of its own
  assert_int_equal(fixture->outcome.issues, 1);
  assert_int_equal(fixture->outcome.overflowed, 0);
}

static void odd_clocks_do_not_disturb_the_order(void **state) {
  struct inbox_fixture *fixture = *state;
  fixture_add(fixture, &(struct fixture_event){.id = 1, .at_ns = FIXTURE_NOW_NS + 3000 * DAY_NS});
  fixture_add(fixture, &(struct fixture_event){.id = 2, .at_ns = 1});
  fixture_add(fixture, &(struct fixture_event){.id = 3, .at_ns = UINT64_MAX});
  fixture_write(fixture);
  assert_int_equal(fixture_ask(fixture, "SELECT last_seen_ns FROM issue"), FIXTURE_NOW_NS);
  assert_int_equal(fixture_ask(fixture, "SELECT first_seen_ns FROM issue"), FIXTURE_NOW_NS);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM event WHERE timestamp_ns = 1"), 1); // stored as sent
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM event WHERE timestamp_ns = -1"), 1);
}

static void retention_deletes_old_events_and_empty_issues(void **state) {
  struct inbox_fixture *fixture = *state;
  struct error error = {0};
  uint32_t deleted = 0;
  for (uint32_t i = 0; i < 20; i++)
    fixture_add(fixture, &(struct fixture_event){.id = i + 1, .hash = i < 10 ? "a" : "b", .service = "old"});
  fixture_write(fixture);
  clock_fake_add(&fixture->clock, 31 * DAY_NS);
  fixture_one(fixture, &(struct fixture_event){.id = 50, .hash = "b", .service = "young"});
  assert_int_equal(issue_store_retain(fixture->store, 30 * DAY_NS, 15, &deleted, &error), STATUS_OK);
  assert_int_equal(deleted, 15); // in small steps
  assert_int_equal(issue_store_retain(fixture->store, 30 * DAY_NS, 15, &deleted, &error), STATUS_OK);
  assert_int_equal(deleted, 5);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM event"), 1);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue"), 1);
  assert_int_equal(fixture_ask(fixture, "SELECT stored FROM issue"), 1);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_hash"), 1);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_tag WHERE issue_id = 1"), 0);
  assert_int_equal(issue_store_issue_count(fixture->store), 1);
  assert_int_equal(issue_store_event_count(fixture->store), 1);
  fixture_one(fixture, &(struct fixture_event){.id = 51, .hash = "a"}); // its hash was forgotten everywhere
  assert_int_equal(fixture->outcome.issues, 1);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue"), 2);
}

static void a_full_file_refuses_the_batch_and_takes_it_later(void **state) {
  struct inbox_fixture *fixture = *state;
  fixture_close(fixture);
  fixture->bytes_max = 400 << 10;
  fixture_open(fixture);
  uint32_t id = 0, refused = 0;
  char hash[16];
  for (int round = 0; round < 200 && refused == 0; round++) {
    for (int i = 0; i < 20; i++) {
      snprintf(hash, sizeof hash, "h%u", id);
      fixture_add(fixture, &(struct fixture_event){.id = ++id, .hash = hash, .service = "s", .environment = "e"});
    }
    enum status status = fixture_try_write(fixture);
    if (status != STATUS_OK) {
      assert_int_equal(status, STATUS_UNAVAILABLE);
      refused = 20;
    }
  }
  assert_int_equal(refused, 20);
  assert_int_equal(fixture->batch.count, 20); // still whole
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue"), id - 20);
  assert_int_equal(fixture_ask(fixture, "SELECT sequence FROM cursor"), fixture->sequence);
  struct error error = {0};
  uint32_t deleted = 0;
  clock_fake_add(&fixture->clock, 2 * DAY_NS);
  assert_int_equal(issue_store_retain(fixture->store, DAY_NS, 200, &deleted, &error), STATUS_OK);
  assert_true(deleted > 0);
  fixture_write(fixture);
  assert_int_equal(fixture->outcome.events, 20);
  assert_int_equal(fixture->outcome.issues, 20);
  // Their tags too, which the refused transaction had counted already.
  assert_int_equal(fixture_ask(fixture,
                               "SELECT count(*) FROM issue WHERE (SELECT count(*) FROM issue_tag WHERE "
                               "issue_id = issue.id AND key IN ('service', 'environment') AND count = 1) <> 2"),
                   0);
}

static void a_failed_write_can_be_repeated(void **state) {
  struct inbox_fixture *fixture = *state;
  struct connection *other = NULL;
  struct error error = {0};
  fixture_one(fixture, &(struct fixture_event){.id = 1, .hash = "a"});
  assert_int_equal(connection_open(fixture->path, CONNECTION_WRITE, &other, &error), STATUS_OK);
  assert_int_equal(connection_begin(other), STATUS_OK); // another process holds the write lock
  fixture_add(fixture, &(struct fixture_event){.id = 2, .hash = "b", .duplicate_key = 3});
  fixture_add(fixture, &(struct fixture_event){.id = 1, .hash = "a"});
  assert_int_equal(fixture_try_write(fixture), STATUS_UNAVAILABLE);
  connection_rollback(other);
  connection_close(other);
  fixture_write(fixture);
  assert_int_equal(fixture->outcome.events, 1);
  assert_int_equal(fixture->outcome.resent, 1);
  assert_int_equal(fixture->outcome.issues, 1);
}

static void long_texts_are_cut_at_a_character(void **state) {
  struct inbox_fixture *fixture = *state;
  char title[1000];
  memset(title, 'a', sizeof title);
  title[sizeof title - 1] = 0;
  memcpy(title + ISSUE_TITLE_BYTES_MAX - 1, "\xe2\x82\xac", 3);
  fixture_one(fixture, &(struct fixture_event){.id = 1, .title = title});
  assert_int_equal(fixture_ask(fixture, "SELECT length(CAST(title AS BLOB)) FROM issue"), ISSUE_TITLE_BYTES_MAX - 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      FIXTURE_TEST(the_first_event_makes_an_issue),
      FIXTURE_TEST(a_replayed_batch_changes_nothing),
      FIXTURE_TEST(an_id_sent_twice_in_a_batch_counts_once),
      FIXTURE_TEST(evicted_events_stay_known),
      FIXTURE_TEST(the_first_and_the_newest_hundred_are_kept),
      FIXTURE_TEST(the_first_event_survives_its_own_flood),
      FIXTURE_TEST(any_hash_leads_to_the_issue),
      FIXTURE_TEST(an_outline_leads_to_the_other_side_only),
      FIXTURE_TEST(a_hash_of_another_issue_stays_there),
      FIXTURE_TEST(projects_do_not_share_issues),
      FIXTURE_TEST(duplicates_are_one_event),
      FIXTURE_TEST(a_duplicate_fills_what_was_lacking),
      FIXTURE_TEST(a_resolved_issue_regresses_and_a_muted_one_stays),
      FIXTURE_TEST(new_issues_become_ongoing_with_time),
      FIXTURE_TEST(hours_are_counted_and_pruned),
      FIXTURE_TEST(tags_are_counted_within_bounds),
      FIXTURE_TEST(tags_are_exact_over_many_batches),
      FIXTURE_TEST(a_new_issue_has_no_tags_of_a_deleted_one),
      FIXTURE_TEST(too_many_groups_go_to_the_overflow_issue),
      FIXTURE_TEST(odd_clocks_do_not_disturb_the_order),
      FIXTURE_TEST(retention_deletes_old_events_and_empty_issues),
      FIXTURE_TEST(a_full_file_refuses_the_batch_and_takes_it_later),
      FIXTURE_TEST(a_failed_write_can_be_repeated),
      FIXTURE_TEST(long_texts_are_cut_at_a_character),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
