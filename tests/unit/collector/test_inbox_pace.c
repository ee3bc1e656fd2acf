// SPDX-License-Identifier: Apache-2.0
//
// When a batch of the inbox is written: at low load, in a flood, and when a second project is in it.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "collector/inbox_pace.h"

#define START_NS (1000 * NS_PER_S)
#define A        1
#define B        2

// A record of one event is read at `now_ns`.
static void read_event(struct inbox_pace *pace, uint32_t project, uint64_t now_ns) {
  inbox_pace_read(pace, now_ns);
  if (pace->events == 0) inbox_pace_begin(pace, now_ns);
  inbox_pace_event(pace, project);
}

static struct inbox_pace begun(void) {
  struct inbox_pace pace;
  inbox_pace_init(&pace, START_NS);
  return pace;
}

// The events of a flood, one a millisecond; returns when the last was read.
static uint64_t flood(struct inbox_pace *pace, uint32_t events, uint64_t from_ns) {
  for (uint32_t i = 0; i < events; i++) read_event(pace, A, from_ns + i * NS_PER_MS);
  return from_ns + (events - 1) * NS_PER_MS;
}

static void a_lone_event_waits_a_moment(void **state) {
  (void)state;
  struct inbox_pace pace = begun();
  read_event(&pace, A, START_NS + 5);
  assert_int_equal(inbox_pace_due(&pace, true), START_NS + 5 + INBOX_PACE_WAIT_NS);
  assert_int_equal(inbox_pace_due(&pace, false), START_NS + 5 + INBOX_PACE_BUSY_NS);
  read_event(&pace, A, START_NS + 15 * NS_PER_MS); // another one does not put it off
  assert_int_equal(inbox_pace_due(&pace, true), START_NS + 5 + INBOX_PACE_WAIT_NS);
}

static void a_flood_is_written_within_a_second(void **state) {
  (void)state;
  struct inbox_pace pace = begun();
  inbox_pace_looked(&pace, START_NS);
  uint64_t last_ns = flood(&pace, INBOX_PACE_FLOOD, START_NS);
  assert_int_equal(inbox_pace_due(&pace, false), START_NS + INBOX_PACE_VISIBLE_NS);
  assert_true(INBOX_PACE_VISIBLE_NS < NS_PER_S);
  // It pauses for a moment only; when it ends the batch is written.
  assert_int_equal(inbox_pace_due(&pace, true), last_ns + INBOX_PACE_CALM_NS);
}

static void few_events_are_no_flood(void **state) {
  (void)state;
  struct inbox_pace pace = begun();
  flood(&pace, INBOX_PACE_FLOOD - 1, START_NS);
  assert_int_equal(inbox_pace_due(&pace, false), START_NS + INBOX_PACE_BUSY_NS);
}

// What came while a batch was written waited all that time, and waits again for the next writing.
static void writing_counts_in_what_an_event_waits(void **state) {
  (void)state;
  struct inbox_pace pace = begun();
  uint64_t began_ns = START_NS + 700 * NS_PER_MS, ended_ns = began_ns + 150 * NS_PER_MS;
  flood(&pace, 100, START_NS);
  inbox_pace_wrote(&pace, began_ns, ended_ns);
  pace.events = 0;
  flood(&pace, 100, ended_ns + NS_PER_MS);
  uint64_t due_ns = inbox_pace_due(&pace, false);
  assert_int_equal(due_ns, began_ns + INBOX_PACE_VISIBLE_NS - 150 * NS_PER_MS);
  // Where the journal was read to its end since, nothing waited longer than since then.
  inbox_pace_looked(&pace, ended_ns + 50 * NS_PER_MS);
  pace.events = 0;
  flood(&pace, 100, ended_ns + 51 * NS_PER_MS);
  assert_int_equal(inbox_pace_due(&pace, false), ended_ns + 50 * NS_PER_MS + INBOX_PACE_VISIBLE_NS - 150 * NS_PER_MS);
}

// However slow the disk, a flood's batch has time to grow: small ones would make it slower.
static void a_slow_disk_does_not_make_batches_small(void **state) {
  (void)state;
  struct inbox_pace pace = begun();
  inbox_pace_wrote(&pace, START_NS, START_NS + 10 * NS_PER_S);
  inbox_pace_looked(&pace, START_NS + 10 * NS_PER_S);
  flood(&pace, 100, START_NS + 10 * NS_PER_S);
  assert_true(inbox_pace_due(&pace, false) >= START_NS + 10 * NS_PER_S + 300 * NS_PER_MS);
}

// Nor where the journal is never seen to its end: the more waits, the larger batches must be.
static void a_slow_disk_does_not_make_batches_small_behind_a_backlog(void **state) {
  (void)state;
  const uint64_t writes_ns[] = {400 * NS_PER_MS, NS_PER_S, 10 * NS_PER_S};
  for (size_t i = 0; i < sizeof writes_ns / sizeof writes_ns[0]; i++) {
    struct inbox_pace pace = begun();
    const uint64_t ended_ns = START_NS + writes_ns[i];
    inbox_pace_wrote(&pace, START_NS, ended_ns);
    for (uint32_t k = 0; k < INBOX_PACE_FLOOD; k++) read_event(&pace, A, ended_ns); // read as fast as it goes
    assert_int_equal(inbox_pace_due(&pace, false), ended_ns + INBOX_PACE_BUSY_NS);
  }
}

// The promise, as long as a disk lets it be kept: an event that comes when a batch begins to be written waits for that,
// for the next batch, and for its writing.
static void a_flood_is_visible_within_a_second_on_a_slow_disk(void **state) {
  (void)state;
  for (uint64_t write_ns = 0; write_ns <= INBOX_PACE_WRITE_MAX; write_ns += 25 * NS_PER_MS) {
    struct inbox_pace pace = begun();
    inbox_pace_wrote(&pace, START_NS, START_NS + write_ns);
    for (uint32_t k = 0; k < INBOX_PACE_FLOOD; k++) read_event(&pace, A, START_NS + write_ns);
    assert_true(inbox_pace_due(&pace, false) + write_ns < START_NS + NS_PER_S);
  }
}

static void another_project_does_not_wait_for_a_flood(void **state) {
  (void)state;
  struct inbox_pace pace = begun();
  uint64_t last_ns = flood(&pace, 300, START_NS), b_ns = last_ns + NS_PER_MS;
  read_event(&pace, B, b_ns);
  // Its batch's time was over already by the measure of one that is no flood.
  assert_true(inbox_pace_due(&pace, false) <= b_ns + INBOX_PACE_MIXED_NS);
  assert_true(inbox_pace_due(&pace, true) <= b_ns + INBOX_PACE_MIXED_NS);
  // The flood goes on, and puts nothing off.
  uint64_t due_ns = inbox_pace_due(&pace, false);
  flood(&pace, 300, b_ns + NS_PER_MS);
  read_event(&pace, B, b_ns + 5 * NS_PER_MS);
  assert_int_equal(inbox_pace_due(&pace, false), due_ns);
}

static void a_mixed_batch_waits_ten_milliseconds(void **state) {
  (void)state;
  struct inbox_pace pace = begun();
  read_event(&pace, B, START_NS);
  read_event(&pace, A, START_NS + 2 * NS_PER_MS);
  assert_int_equal(inbox_pace_due(&pace, false), START_NS + 2 * NS_PER_MS + INBOX_PACE_MIXED_NS);
  assert_int_equal(inbox_pace_due(&pace, true), START_NS + 2 * NS_PER_MS + INBOX_PACE_MIXED_NS);
  flood(&pace, 500, START_NS + 3 * NS_PER_MS); // many events do not make it a flood
  assert_int_equal(inbox_pace_due(&pace, false), START_NS + 2 * NS_PER_MS + INBOX_PACE_MIXED_NS);
}

static void the_next_batch_is_judged_anew(void **state) {
  (void)state;
  struct inbox_pace pace = begun();
  read_event(&pace, A, START_NS);
  read_event(&pace, B, START_NS + NS_PER_MS);
  inbox_pace_wrote(&pace, START_NS + 12 * NS_PER_MS, START_NS + 13 * NS_PER_MS);
  pace.events = 0;
  flood(&pace, 100, START_NS + 20 * NS_PER_MS);
  assert_true(inbox_pace_due(&pace, false) > START_NS + 500 * NS_PER_MS);
}

// The events of a batch come one in `every_ns`; it is written when it is due, which the journal's end makes early.
// Returns when.
static uint64_t write_one(struct inbox_pace *pace, uint64_t from_ns, uint64_t every_ns) {
  uint64_t now_ns = from_ns;
  pace->events = 0;
  do {
    inbox_pace_looked(pace, now_ns);
    read_event(pace, A, now_ns);
    now_ns += every_ns;
  } while (inbox_pace_due(pace, true) > now_ns);
  uint64_t due_ns = inbox_pace_due(pace, true);
  inbox_pace_wrote(pace, due_ns, due_ns + NS_PER_MS);
  return due_ns;
}

// 800 events a second are 16 in the moment that a batch waits at first: the next ones are longer all the same.
static void a_flood_is_known_by_the_batch_before(void **state) {
  (void)state;
  struct inbox_pace pace = begun();
  uint64_t every_ns = 1250000, first_ns = write_one(&pace, START_NS, every_ns);
  assert_in_range(first_ns - START_NS, 1, 30 * NS_PER_MS);
  uint64_t second_ns = write_one(&pace, first_ns + every_ns, every_ns);
  assert_in_range(second_ns - first_ns, 700 * NS_PER_MS, NS_PER_S);
  // When it becomes a trickle it is none any more.
  uint64_t third_ns = write_one(&pace, second_ns + every_ns, 15 * NS_PER_MS);
  assert_in_range(third_ns - second_ns, 1, 60 * NS_PER_MS);
}

static void a_trickle_and_a_burst_are_no_flood(void **state) {
  (void)state;
  struct inbox_pace pace = begun();
  uint64_t now_ns = START_NS;
  for (int i = 0; i < 5; i++) { // 100 events a second
    uint64_t due_ns = write_one(&pace, now_ns, 10 * NS_PER_MS);
    assert_in_range(due_ns - now_ns, 1, 30 * NS_PER_MS);
    now_ns = due_ns + NS_PER_MS;
  }
  pace.events = 0;
  flood(&pace, 20, now_ns); // a burst of twenty
  inbox_pace_wrote(&pace, now_ns + 21 * NS_PER_MS, now_ns + 22 * NS_PER_MS);
  now_ns += 30 * NS_PER_MS;
  uint64_t due_ns = write_one(&pace, now_ns, 10 * NS_PER_MS);
  assert_in_range(due_ns - now_ns, 1, 60 * NS_PER_MS);
}

// The flood of one project says nothing of another's events.
static void a_flood_before_does_not_hold_up_another_project(void **state) {
  (void)state;
  struct inbox_pace pace = begun();
  uint64_t due_ns = write_one(&pace, START_NS, NS_PER_MS);
  due_ns = write_one(&pace, due_ns + NS_PER_MS, NS_PER_MS);
  uint64_t now_ns = due_ns + NS_PER_MS;
  pace.events = 0;
  for (int i = 0; i < 10; i++) read_event(&pace, B, now_ns + (uint64_t)i * NS_PER_MS);
  assert_int_equal(inbox_pace_due(&pace, true), now_ns + INBOX_PACE_WAIT_NS);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_lone_event_waits_a_moment),
      cmocka_unit_test(a_flood_is_written_within_a_second),
      cmocka_unit_test(few_events_are_no_flood),
      cmocka_unit_test(writing_counts_in_what_an_event_waits),
      cmocka_unit_test(a_slow_disk_does_not_make_batches_small),
      cmocka_unit_test(a_slow_disk_does_not_make_batches_small_behind_a_backlog),
      cmocka_unit_test(a_flood_is_visible_within_a_second_on_a_slow_disk),
      cmocka_unit_test(another_project_does_not_wait_for_a_flood),
      cmocka_unit_test(a_mixed_batch_waits_ten_milliseconds),
      cmocka_unit_test(the_next_batch_is_judged_anew),
      cmocka_unit_test(a_flood_is_known_by_the_batch_before),
      cmocka_unit_test(a_trickle_and_a_burst_are_no_flood),
      cmocka_unit_test(a_flood_before_does_not_hold_up_another_project),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
