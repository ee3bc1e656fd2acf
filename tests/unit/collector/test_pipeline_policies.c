// SPDX-License-Identifier: Apache-2.0
//
// Policies that change while the pipeline runs.
#include "tests/unit/collector/pipeline_fixture.h"

static const struct sampling_policy error_policy = {.kind = SAMPLING_ERRORS},
                                    all_policy = {.kind = SAMPLING_PROBABILITY, .probability = 1},
                                    gold_policy = {.kind = SAMPLING_ATTRIBUTE, .key = "tier", .value = "gold"};

// As collector/reload does, the intake's builder included.
static void change_policies(struct fixture *fixture, const struct sampling_policy *policies, uint32_t count) {
  struct sampling *sampling = NULL;
  assert_int_equal(sampling_create(policies, count, fixture->facts.metrics, &sampling, NULL), STATUS_OK);
  fixture->policies_changed = true;
  payload_facts_destroy(fixture->facts.builder);
  sampling_release(fixture->facts.sampling);
  fixture->facts.sampling = sampling;
  struct payload_facts_options options = facts_fixture_options(&fixture->facts);
  fixture->facts.builder = payload_facts_create(&options);
  pipeline_set_sampling(fixture->pipeline, sampling);
}

static void change_and_wait(struct fixture *fixture, const struct sampling_policy *policies, uint32_t count) {
  uint64_t before = pipeline_counts(fixture->pipeline).policy_changes;
  change_policies(fixture, policies, count);
  struct limit until = limit();
  while (pipeline_counts(fixture->pipeline).policy_changes == before) look_again(fixture, until);
}

static void test_what_waits_gets_a_verdict_of_the_new_ones(void **state) {
  struct fixture *fixture = *state;
  struct kept kept[8];
  open_and_start(fixture, &error_policy, 1);
  append_span(fixture, 1, nothing());
  wait_settled(fixture, 1);
  append_span(fixture, 2, nothing());
  append_span(fixture, 1, nothing()); // follows the verdict that its trace has
  wait_watched(fixture, 3);
  change_and_wait(fixture, &all_policy, 1);
  append_span(fixture, 3, nothing());
  wait_settled(fixture, 4);
  assert_int_equal(read_kept(fixture, kept, 8), 2);
  assert_int_equal(kept[0].origin, 2);
  assert_int_equal(kept[1].origin, 4);
  assert_int_equal(kept[0].traces[0].policy, SAMPLING_PROBABILITY);
  assert_int_equal(pipeline_counts(fixture->pipeline).late_items, 1);
  close_all(fixture);
}

// Attributes that nobody looked for when the records came are found all the same, over all records of a trace.
static void test_other_attributes_are_found_in_what_waits(void **state) {
  struct fixture *fixture = *state;
  struct kept kept[8];
  open_and_start(fixture, &error_policy, 1);
  append_span(fixture, 1, attribute(9, "tier", "gold"));
  append_span(fixture, 2, attribute(9, "tier", "tin"));
  append_span(fixture, 3, nothing());
  append_span(fixture, 3, attribute(9, "tier", "gold"));
  append_span(fixture, 4, error_status());
  wait_watched(fixture, 5);
  change_and_wait(fixture, &gold_policy, 1);
  append_span(fixture, 5, attribute(9, "tier", "gold"));
  wait_settled(fixture, 6);
  uint32_t count = read_kept(fixture, kept, 8);
  assert_int_equal(count, 4);
  static const uint64_t origins[] = {1, 3, 4, 6};
  for (uint32_t i = 0; i < count; i++) {
    assert_int_equal(kept[i].origin, origins[i]);
    assert_int_equal(kept[i].traces[0].policy, SAMPLING_ATTRIBUTE);
  }
  assert_int_equal(pipeline_counts(fixture->pipeline).late_items, 0);
  assert_int_equal(trace_facts_waiting(fixture->traces), 0);
  close_all(fixture);
}

// A bit of the facts means another policy afterwards.
static void test_policies_change_places(void **state) {
  struct fixture *fixture = *state;
  struct kept kept[8];
  const struct sampling_policy tin_policy = {.kind = SAMPLING_ATTRIBUTE, .key = "tier", .value = "tin"};
  const struct sampling_policy before[] = {gold_policy, error_policy}, after[] = {tin_policy, error_policy};
  open_and_start(fixture, before, 2);
  append_span(fixture, 1, attribute(9, "tier", "gold"));
  append_span(fixture, 2, attribute(9, "tier", "tin"));
  wait_watched(fixture, 2);
  change_and_wait(fixture, after, 2);
  wait_settled(fixture, 2);
  assert_int_equal(read_kept(fixture, kept, 8), 1);
  assert_int_equal(kept[0].origin, 2);
  close_all(fixture);
}

// Reading again must not wait for room that only settling makes.
static void test_a_full_table_is_no_obstacle(void **state) {
  struct fixture *fixture = *state;
  static struct kept kept[32];
  fixture->waiting_max = 3;
  open_and_start(fixture, &error_policy, 1);
  for (uint64_t i = 1; i <= 20; i++) append_span(fixture, i, attribute(9, "tier", "gold"));
  struct limit until = limit();
  while (pipeline_counts(fixture->pipeline).settled_sequence < 10) look_again(fixture, until);
  const struct sampling_policy policies[] = {error_policy, gold_policy};
  change_and_wait(fixture, policies, 2);
  wait_settled(fixture, 20);
  uint32_t count = read_kept(fixture, kept, 32);
  assert_true(count > 0); // the last ones at the least
  assert_int_equal(kept[count - 1].origin, 20);
  for (uint32_t i = 1; i < count; i++) assert_int_equal(kept[i].origin, kept[i - 1].origin + 1);
  close_all(fixture);
}

// Whatever changes how often meanwhile: every record is settled once, in order, and by one of the sets, which all keep.
static void test_changes_under_load(void **state) {
  struct fixture *fixture = *state;
  enum { RECORDS = 400 };
  static struct kept kept[RECORDS + 1];
  const struct sampling_policy gold_first[] = {gold_policy, all_policy}, gold_last[] = {all_policy, gold_policy};
  open_and_start(fixture, &all_policy, 1);
  for (uint64_t i = 1; i <= RECORDS; i++) {
    append_span(fixture, i / 3, i % 2 ? attribute(9, "tier", "gold") : nothing());
    clock_fake_add(&fixture->clock, NS_PER_S / 2);
    if (i % 7 == 0) change_policies(fixture, i % 2 ? gold_first : gold_last, 2);
    if (i % 13 == 0) change_policies(fixture, &all_policy, 1);
  }
  wait_settled(fixture, RECORDS);
  assert_int_equal(read_kept(fixture, kept, RECORDS + 1), RECORDS);
  assert_int_equal(trace_facts_waiting(fixture->traces), 0);
  close_all(fixture);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_what_waits_gets_a_verdict_of_the_new_ones),
      TEST(test_other_attributes_are_found_in_what_waits),
      TEST(test_policies_change_places),
      TEST(test_a_full_table_is_no_obstacle),
      TEST(test_changes_under_load),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
