// SPDX-License-Identifier: Apache-2.0
//
// Merging and splitting over the API while the inbox writes: two threads, one writer.
#include "base/thread.h"
#include "store/issue_split.h"
#include "tests/unit/store/inbox_fixture.h"

#define BATCHES     60   // and then more until there was a merge and a split
#define BATCHES_MAX 2000 // that many without one is no accident of the scheduler
#define EACH        4
#define HASHES      6

static const char *const letters[HASHES] = {"a", "b", "c", "d", "e", "f"};

struct changer {
  struct inbox_fixture *fixture;
  struct atomic_bool_box stop;
  struct atomic_u64 merges, splits;
};

// Merges and splits whatever there is; what cannot be done is refused.
static void change(void *context) {
  struct changer *changer = context;
  struct issue_store *store = changer->fixture->store;
  for (uint64_t round = 0; !atomic_bool_get(&changer->stop); round++) {
    struct error error = {0};
    uint64_t left = 0, target = 1 + round % 5, other = 1 + (round + 1 + round / 5 % 4) % 5;
    if (issue_store_merge(store, target, &other, 1, &left, &error) == STATUS_OK) atomic_u64_add(&changer->merges, 1);
    uint8_t hash[ISSUE_HASH_BYTES] = {0};
    hash[0] = (uint8_t)letters[round % HASHES][0];
    for (uint64_t issue = 1; issue < 40; issue++) {
      enum status status = issue_store_split(store, issue, slice_make(hash, sizeof hash), &left, &error);
      if (status == STATUS_OK) atomic_u64_add(&changer->splits, 1);
    }
  }
}

static bool has_changed(const struct changer *changer) {
  return atomic_u64_get(&changer->merges) > 0 && atomic_u64_get(&changer->splits) > 0;
}

static void nothing_is_lost_or_counted_twice(void **state) {
  struct inbox_fixture *fixture = *state;
  struct changer changer = {.fixture = fixture};
  struct thread thread;
  for (uint32_t i = 0; i < HASHES; i++) fixture_add(fixture, &(struct fixture_event){.id = 1 + i, .hash = letters[i]});
  fixture_write(fixture);
  assert_int_equal(thread_start(&thread, "changer", change, &changer), STATUS_OK);
  uint32_t id = 100, batch = 0;
  for (; batch < BATCHES || (batch < BATCHES_MAX && !has_changed(&changer)); batch++) {
    for (uint32_t i = 0; i < EACH; i++) {
      fixture_add(fixture, &(struct fixture_event){.id = id,
                                                   .hash = letters[(batch + i) % HASHES],
                                                   .second_hash = i % 2 ? letters[batch % HASHES] : NULL});
      id++;
    }
    fixture_write(fixture);
    assert_int_equal(fixture->outcome.events, EACH);
  }
  atomic_bool_set(&changer.stop, true);
  thread_join(&thread);
  assert_true(has_changed(&changer));
  uint32_t events = HASHES + batch * EACH;
  assert_int_equal(fixture_ask(fixture, "SELECT sum(count) FROM issue"), events);
  assert_int_equal(fixture_ask(fixture, "SELECT sum(count) FROM issue_hour"), events);
  assert_int_equal(fixture_ask(fixture, "SELECT sum(count) FROM issue_part"), events);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM issue_hash WHERE issue_id NOT IN (SELECT id FROM issue)"),
                   0);
  assert_int_equal(fixture_ask(fixture, "SELECT count(*) FROM event WHERE issue_id NOT IN (SELECT id FROM issue)"), 0);
  assert_int_equal(issue_store_issue_count(fixture->store), fixture_ask(fixture, "SELECT count(*) FROM issue"));
  assert_int_equal(issue_store_event_count(fixture->store), fixture_ask(fixture, "SELECT count(*) FROM event"));
}

int main(void) {
  const struct CMUnitTest tests[] = {FIXTURE_TEST(nothing_is_lost_or_counted_twice)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
