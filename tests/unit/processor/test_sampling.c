// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "processor/sampling.h"
#include "proto/trace_context.h"

static struct metrics *metrics;

static int set_up(void **state) {
  (void)state;
  metrics = metrics_create();
  return 0;
}

static int tear_down(void **state) {
  (void)state;
  metrics_destroy(metrics);
  return 0;
}

static struct sampling *make(const struct sampling_policy *policies, uint32_t count) {
  struct sampling *sampling = NULL;
  struct error error = {""};
  assert_int_equal(sampling_create(policies, count, metrics, &sampling, &error), STATUS_OK);
  return sampling;
}

static struct record_trace trace_with_randomness(uint64_t randomness) {
  return (struct record_trace){.span_count = 3,
                               .start_ns = 1000 * NS_PER_MS,
                               .end_ns = 1200 * NS_PER_MS,
                               .flags = RECORD_TRACE_RANDOMNESS,
                               .randomness = randomness};
}

static void test_errors_keeps_errors_and_exceptions_only(void **state) {
  (void)state;
  struct sampling *sampling = make(&(struct sampling_policy){.kind = SAMPLING_ERRORS}, 1);
  struct record_trace trace = trace_with_randomness(0);
  assert_false(sampling_decide(sampling, &trace, 0).keep);
  trace.flags |= RECORD_TRACE_ERROR;
  assert_true(sampling_decide(sampling, &trace, 0).keep);
  trace.flags = RECORD_TRACE_EXCEPTION;
  struct sampling_verdict verdict = sampling_decide(sampling, &trace, 0);
  assert_true(verdict.keep);
  assert_int_equal(verdict.policy, SAMPLING_ERRORS);
  assert_int_equal(verdict.action, SAMPLING_THRESHOLD_LEAVE);
  sampling_release(sampling);
}

static void test_latency_is_from_earliest_start_to_latest_end(void **state) {
  (void)state;
  struct sampling *sampling =
      make(&(struct sampling_policy){.kind = SAMPLING_LATENCY, .latency_ns = 200 * NS_PER_MS}, 1);
  struct record_trace trace = trace_with_randomness(0);
  assert_true(sampling_decide(sampling, &trace, 0).keep);
  trace.end_ns -= 1;
  assert_false(sampling_decide(sampling, &trace, 0).keep);
  trace.end_ns = trace.start_ns - 1; // ends before it starts
  assert_false(sampling_decide(sampling, &trace, 0).keep);
  trace = (struct record_trace){.end_ns = UINT64_MAX}; // only logs
  assert_false(sampling_decide(sampling, &trace, 0).keep);
  sampling_release(sampling);
}

static void test_probability_keeps_when_randomness_reaches_the_threshold(void **state) {
  (void)state;
  const uint64_t quarter = UINT64_C(0xc) << 52; // th:c
  struct sampling *sampling = make(&(struct sampling_policy){.kind = SAMPLING_PROBABILITY, .probability = 0.25}, 1);
  struct record_trace trace = trace_with_randomness(quarter - 1);
  assert_false(sampling_decide(sampling, &trace, 0).keep);
  trace.randomness = quarter;
  struct sampling_verdict verdict = sampling_decide(sampling, &trace, 0);
  assert_true(verdict.keep);
  assert_int_equal(verdict.action, SAMPLING_THRESHOLD_RAISE);
  assert_int_equal(verdict.threshold, quarter);
  assert_true(verdict.probability > 0.2499 && verdict.probability < 0.2501);
  sampling_release(sampling);
}

static void test_probability_takes_the_last_56_bits_of_the_trace_id(void **state) {
  (void)state;
  struct sampling *sampling = make(&(struct sampling_policy){.kind = SAMPLING_PROBABILITY, .probability = 0.5}, 1);
  struct record_trace trace = {.trace_id = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0xff}};
  assert_false(sampling_decide(sampling, &trace, 0).keep);
  trace.trace_id[9] = 0x80;
  assert_true(sampling_decide(sampling, &trace, 0).keep);
  sampling_release(sampling);
}

static void test_the_first_policy_names_the_verdict_the_least_strict_sets_the_threshold(void **state) {
  (void)state;
  const struct sampling_policy policies[] = {{.kind = SAMPLING_PROBABILITY, .probability = 0.25},
                                             {.kind = SAMPLING_PROBABILITY, .probability = 0.5},
                                             {.kind = SAMPLING_ERRORS}};
  struct sampling *sampling = make(policies, 3);
  struct record_trace trace = trace_with_randomness(UINT64_C(0xd) << 52);
  struct sampling_verdict verdict = sampling_decide(sampling, &trace, 0);
  assert_int_equal(verdict.policy_index, 0);
  assert_int_equal(verdict.threshold, UINT64_C(8) << 52);
  assert_int_equal(verdict.threshold_index, 1);
  trace.flags |= RECORD_TRACE_ERROR; // certain: nothing to write
  verdict = sampling_decide(sampling, &trace, 0);
  assert_int_equal(verdict.policy_index, 0);
  assert_int_equal(verdict.action, SAMPLING_THRESHOLD_LEAVE);
  sampling_release(sampling);
}

static void test_rate_limit_fills_up_with_time_and_spends_only_on_what_nobody_else_keeps(void **state) {
  (void)state;
  const struct sampling_policy policies[] = {{.kind = SAMPLING_ERRORS},
                                             {.kind = SAMPLING_RATE_LIMIT, .traces_per_second = 2}};
  struct sampling *sampling = make(policies, 2);
  struct record_trace error = {.flags = RECORD_TRACE_ERROR}, plain = trace_with_randomness(0);
  uint64_t now = 5 * NS_PER_S;
  for (int i = 0; i < 10; i++) assert_int_equal(sampling_decide(sampling, &error, now).policy, SAMPLING_ERRORS);
  struct sampling_verdict verdict = sampling_decide(sampling, &plain, now);
  assert_int_equal(verdict.policy, SAMPLING_RATE_LIMIT);
  assert_int_equal(verdict.action, SAMPLING_THRESHOLD_ERASE);
  assert_true(sampling_decide(sampling, &plain, now).keep);
  assert_false(sampling_decide(sampling, &plain, now).keep);
  assert_true(sampling_decide(sampling, &plain, now + NS_PER_S / 2).keep);
  assert_false(sampling_decide(sampling, &plain, now + NS_PER_S / 2).keep);
  now += 100 * NS_PER_S; // at most a second's worth is saved up
  for (int i = 0; i < 2; i++) assert_true(sampling_decide(sampling, &plain, now).keep);
  assert_false(sampling_decide(sampling, &plain, now).keep);
  sampling_release(sampling);
}

static uint32_t match_text(const struct sampling *sampling, const char *key, const char *text) {
  struct otlp_attribute attribute = {.key = slice_from_cstr(key),
                                     .value = {.kind = OTLP_ANY_STRING, .bytes = slice_from_cstr(text)}};
  return sampling_match(sampling, &attribute);
}

static void test_attributes_match_by_value_regex_or_presence(void **state) {
  (void)state;
  const struct sampling_policy policies[] = {
      {.kind = SAMPLING_ATTRIBUTE, .key = "tenant", .value = "gold"},
      {.kind = SAMPLING_ATTRIBUTE, .key = "url.path", .regex = "^/(admin|debug)/"},
      {.kind = SAMPLING_ATTRIBUTE, .key = "debug"},
      {.kind = SAMPLING_ATTRIBUTE, .key = "code", .value = "503"},
  };
  struct sampling *sampling = make(policies, 4);
  assert_int_equal(match_text(sampling, "tenant", "gold"), 1);
  assert_int_equal(match_text(sampling, "tenant", "golden"), 0);
  assert_int_equal(match_text(sampling, "url.path", "/admin/users"), 2);
  assert_int_equal(match_text(sampling, "url.path", "/shop/admin/"), 0);
  assert_int_equal(match_text(sampling, "debug", ""), 4);
  assert_int_equal(match_text(sampling, "other", "gold"), 0);
  struct otlp_attribute number = {.key = SLICE_LITERAL("code"), .value = {.kind = OTLP_ANY_I64, .i64 = 503}};
  assert_int_equal(sampling_match(sampling, &number), 8);
  number.value.i64 = 504;
  assert_int_equal(sampling_match(sampling, &number), 0);
  struct record_trace trace = {.matches = 2};
  struct sampling_verdict verdict = sampling_decide(sampling, &trace, 0);
  assert_true(verdict.keep);
  assert_int_equal(verdict.policy_index, 1);
  trace.matches = 0;
  assert_false(sampling_decide(sampling, &trace, 0).keep);
  sampling_release(sampling);
}

static void test_a_catastrophic_regex_is_cut_off(void **state) {
  (void)state;
  struct sampling *sampling =
      make(&(struct sampling_policy){.kind = SAMPLING_ATTRIBUTE, .key = "k", .regex = "^(a+)+$"}, 1);
  char text[64];
  memset(text, 'a', sizeof(text) - 2);
  text[62] = '!';
  text[63] = 0;
  assert_int_equal(match_text(sampling, "k", text), 0);
  sampling_release(sampling);
}

static void test_bad_policies_are_named(void **state) {
  (void)state;
  const struct {
    struct sampling_policy policy;
    const char *words;
  } cases[] = {
      {{.kind = SAMPLING_PROBABILITY, .probability = 1.5}, "sampling.policies[0].probability"},
      {{.kind = SAMPLING_LATENCY}, "sampling.policies[0].latency"},
      {{.kind = SAMPLING_RATE_LIMIT, .traces_per_second = -1}, "sampling.policies[0].rate_limit"},
      {{.kind = SAMPLING_ATTRIBUTE}, "sampling.policies[0].attribute.key"},
      {{.kind = SAMPLING_ATTRIBUTE, .key = "k", .regex = "("}, "sampling.policies[0].attribute.regex"},
      {{.kind = SAMPLING_ATTRIBUTE, .key = "k", .regex = "x", .value = "x"}, "value and regex"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct sampling *sampling = NULL;
    struct error error = {""};
    assert_int_equal(sampling_create(&cases[i].policy, 1, metrics, &sampling, &error), STATUS_INVALID);
    assert_non_null(strstr(error.text, cases[i].words));
  }
}

static void test_verdicts_survive_packing(void **state) {
  (void)state;
  const struct sampling_policy policies[] = {{.kind = SAMPLING_ERRORS},
                                             {.kind = SAMPLING_PROBABILITY, .probability = 0.5},
                                             {.kind = SAMPLING_RATE_LIMIT, .traces_per_second = 1}};
  struct sampling *sampling = make(policies, 3);
  struct record_trace traces[] = {{.flags = RECORD_TRACE_ERROR},
                                  trace_with_randomness(TRACE_CONTEXT_THRESHOLD_MAX - 1),
                                  trace_with_randomness(0),
                                  trace_with_randomness(0)};
  for (size_t i = 0; i < 4; i++) {
    struct sampling_verdict verdict = sampling_decide(sampling, &traces[i], NS_PER_S);
    assert_int_equal(verdict.keep, i < 3);
    struct sampling_verdict again = sampling_verdict_unpack(sampling, sampling_verdict_pack(&verdict));
    assert_int_equal(again.keep, verdict.keep);
    assert_int_equal(again.policy, verdict.policy);
    assert_int_equal(again.policy_index, verdict.policy_index);
    assert_int_equal(again.action, verdict.action);
    assert_int_equal(again.threshold, verdict.threshold);
  }
  sampling_release(sampling);
}

// What was packed under some policies is unpacked under others.
static void test_verdicts_survive_other_policies(void **state) {
  (void)state;
  const struct sampling_policy before[] = {{.kind = SAMPLING_ERRORS},
                                           {.kind = SAMPLING_PROBABILITY, .probability = 0.5},
                                           {.kind = SAMPLING_RATE_LIMIT, .traces_per_second = 1}};
  const struct sampling_policy with[] = {{.kind = SAMPLING_PROBABILITY, .probability = 0.25},
                                         {.kind = SAMPLING_PROBABILITY, .probability = 0.5},
                                         {.kind = SAMPLING_PROBABILITY, .probability = 0.75}};
  const struct sampling_policy without[] = {{.kind = SAMPLING_PROBABILITY, .probability = 0.25}};
  struct sampling *old = make(before, 3), *same = make(with, 3), *other = make(without, 1);
  struct record_trace traces[] = {{.flags = RECORD_TRACE_ERROR},
                                  trace_with_randomness(TRACE_CONTEXT_THRESHOLD_MAX - 1),
                                  trace_with_randomness(0),
                                  trace_with_randomness(0)};
  static const enum sampling_threshold with_actions[] = {SAMPLING_THRESHOLD_LEAVE, SAMPLING_THRESHOLD_RAISE,
                                                         SAMPLING_THRESHOLD_ERASE, SAMPLING_THRESHOLD_LEAVE};
  for (size_t i = 0; i < 4; i++) {
    struct sampling_verdict verdict = sampling_decide(old, &traces[i], NS_PER_S);
    uint32_t packed = sampling_verdict_translate(old, same, sampling_verdict_pack(&verdict));
    struct sampling_verdict again = sampling_verdict_unpack(same, packed);
    assert_int_equal(again.keep, verdict.keep);
    assert_int_equal(again.policy, verdict.policy);
    assert_int_equal(again.action, with_actions[i]);
    if (again.keep) assert_true(again.probability == verdict.probability);
    if (again.action == SAMPLING_THRESHOLD_RAISE) assert_true(again.threshold == verdict.threshold);
    assert_int_equal(sampling_verdict_pack(&again), packed);
    // A probability that nobody has any more is not guessed; an unknown one stays unknown.
    packed = sampling_verdict_translate(same, other, packed);
    for (int round = 0; round < 2; round++) {
      again = sampling_verdict_unpack(other, packed);
      assert_int_equal(again.keep, verdict.keep);
      bool certain = with_actions[i] == SAMPLING_THRESHOLD_LEAVE;
      assert_int_equal(again.action, certain ? SAMPLING_THRESHOLD_LEAVE : SAMPLING_THRESHOLD_ERASE);
      if (again.keep) assert_true(again.probability == (certain ? 1 : 0));
      assert_int_equal(sampling_verdict_pack(&again), packed);
      packed = sampling_verdict_translate(other, old, packed);
      assert_int_equal(sampling_verdict_translate(old, other, packed), packed);
    }
  }
  sampling_release(old);
  sampling_release(same);
  sampling_release(other);
}

static void test_the_last_share_frees(void **state) {
  (void)state;
  struct sampling *sampling = make(&(struct sampling_policy){.kind = SAMPLING_ERRORS}, 1);
  assert_ptr_equal(sampling_share(sampling), sampling);
  sampling_release(sampling);
  assert_int_equal(sampling_count(sampling), 1);
  assert_int_equal(sampling_kind(sampling, 0), SAMPLING_ERRORS);
  sampling_release(sampling);
  sampling_release(NULL);
}

static void test_trace_state_is_only_ever_raised(void **state) {
  (void)state;
  const struct {
    enum sampling_threshold action;
    uint64_t threshold;
    const char *before, *after; // after NULL: left alone
  } cases[] = {
      {SAMPLING_THRESHOLD_LEAVE, 0, "ot=th:8", NULL},
      {SAMPLING_THRESHOLD_RAISE, UINT64_C(0xc) << 52, "", "ot=th:c"},
      {SAMPLING_THRESHOLD_RAISE, UINT64_C(0xc) << 52, "ot=th:8", "ot=th:c"},
      {SAMPLING_THRESHOLD_RAISE, UINT64_C(0x8) << 52, "ot=th:c", NULL},
      {SAMPLING_THRESHOLD_RAISE, UINT64_C(0x8) << 52, "ot=th:8", NULL},
      {SAMPLING_THRESHOLD_ERASE, 0, "ot=th:8", ""},
      {SAMPLING_THRESHOLD_ERASE, 0, "vendor=x", NULL},
  };
  struct buffer out;
  buffer_init(&out, 1024);
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct sampling_verdict verdict = {.keep = true, .action = cases[i].action, .threshold = cases[i].threshold};
    bool changed = sampling_rewrite_trace_state(&verdict, slice_from_cstr(cases[i].before), &out);
    assert_int_equal(changed, cases[i].after != NULL);
    if (changed) assert_true(slice_equal_cstr(buffer_slice(&out), cases[i].after));
  }
  buffer_finish(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_errors_keeps_errors_and_exceptions_only),
      cmocka_unit_test(test_latency_is_from_earliest_start_to_latest_end),
      cmocka_unit_test(test_probability_keeps_when_randomness_reaches_the_threshold),
      cmocka_unit_test(test_probability_takes_the_last_56_bits_of_the_trace_id),
      cmocka_unit_test(test_the_first_policy_names_the_verdict_the_least_strict_sets_the_threshold),
      cmocka_unit_test(test_rate_limit_fills_up_with_time_and_spends_only_on_what_nobody_else_keeps),
      cmocka_unit_test(test_attributes_match_by_value_regex_or_presence),
      cmocka_unit_test(test_a_catastrophic_regex_is_cut_off),
      cmocka_unit_test(test_bad_policies_are_named),
      cmocka_unit_test(test_verdicts_survive_packing),
      cmocka_unit_test(test_verdicts_survive_other_policies),
      cmocka_unit_test(test_the_last_share_frees),
      cmocka_unit_test(test_trace_state_is_only_ever_raised),
  };
  return cmocka_run_group_tests_name("sampling", tests, set_up, tear_down);
}
