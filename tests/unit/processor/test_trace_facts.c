// SPDX-License-Identifier: Apache-2.0
#include "processor/trace_facts.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/thread.h"
#include "store/segment_index.h"
#include "tests/unit/processor/facts_fixture.h"

struct fixture {
  struct facts_fixture facts;
  struct trace_facts *traces;
  struct buffer section;
};

static void start(struct fixture *fixture, const struct sampling_policy *policies, uint32_t count,
                  const struct trace_facts_options *limits) {
  facts_fixture_init(&fixture->facts, policies, count);
  struct trace_facts_options options = *limits;
  options.sampling = fixture->facts.sampling;
  fixture->traces = trace_facts_create(&options);
  buffer_init(&fixture->section, 64 << 20);
}

static void stop(struct fixture *fixture) {
  trace_facts_destroy(fixture->traces);
  buffer_finish(&fixture->section);
  facts_fixture_finish(&fixture->facts);
}

static struct record_trace trace_of(uint64_t number, uint64_t start_ns, uint64_t end_ns, uint8_t flags) {
  struct record_trace trace = {.start_ns = start_ns, .end_ns = end_ns, .span_count = 1, .flags = flags};
  memcpy(trace.trace_id, trace_id_of(number).ptr, 16);
  return trace;
}

static bool merge(struct fixture *fixture, uint64_t sequence, const struct record_trace *traces, uint32_t count,
                  const char *request_id) {
  struct record_request request = {.trace = 0};
  if (request_id) {
    request.id = slice_from_cstr(request_id);
    request.key = segment_index_request_key(request.id);
  }
  buffer_clear(&fixture->section);
  assert_int_equal(record_facts_encode(1, traces, count, NULL, 0, &request, request_id ? 1 : 0, &fixture->section),
                   STATUS_OK);
  struct record_facts facts;
  assert_int_equal(record_facts_decode(buffer_slice(&fixture->section), &facts), STATUS_OK);
  return trace_facts_merge(fixture->traces, sequence, &facts);
}

static uint64_t dropped_traces(struct fixture *fixture) {
  return metrics_get(
      metrics_series(fixture->facts.metrics, METRICS_COUNTER, "culprit_sampling_dropped_traces_total", "", ""));
}

static void merge_one(struct fixture *fixture, uint64_t sequence, struct record_trace trace) {
  assert_true(merge(fixture, sequence, &trace, 1, NULL));
}

static struct trace_facts_verdict settle(struct fixture *fixture, uint64_t sequence, struct record_trace trace) {
  return trace_facts_settle(fixture->traces, sequence, &trace, 1);
}

static uint64_t request_key(const char *id) {
  return segment_index_request_key(slice_from_cstr(id));
}

static const struct sampling_policy slow[] = {{.kind = SAMPLING_LATENCY, .latency_ns = 10 * NS_PER_MS}};
static const struct sampling_policy errors[] = {{.kind = SAMPLING_ERRORS}};
static const struct trace_facts_options small = {.waiting_max = 64, .verdicts_max = 64, .requests_max = 8};

// The latency is that of earliest start to latest end over the records, whichever came first, to the microsecond.
static void test_times_merge_over_records(void **state) {
  (void)state;
  struct fixture fixture;
  start(&fixture, slow, 1, &small);
  const uint64_t base = UINT64_C(1763700000000000000), limit = 10 * NS_PER_MS;
  for (uint64_t order = 0; order < 2; order++) {
    for (uint64_t length = limit - NS_PER_US; length <= limit; length += NS_PER_US) {
      uint64_t number = order * 2 + (length == limit);
      struct record_trace early = trace_of(number, base, base + 5, 0);
      struct record_trace late = trace_of(number, base + 100, base + length, 0);
      merge_one(&fixture, 1, order ? late : early);
      merge_one(&fixture, 2, order ? early : late);
      struct trace_facts_verdict verdict = settle(&fixture, 1, order ? late : early);
      assert_int_equal(verdict.verdict.keep, length == limit);
      assert_false(verdict.late);
      verdict = settle(&fixture, 2, order ? early : late);
      assert_int_equal(verdict.verdict.keep, length == limit);
      assert_false(verdict.late); // it came in before the verdict
    }
  }
  // A log without times does not make the trace begin in 1970, nor does one before the spans.
  struct record_trace log = trace_of(9, 0, 0, 0);
  log.span_count = 0;
  merge_one(&fixture, 3, log);
  merge_one(&fixture, 4, trace_of(9, base, base + 50, 0));
  merge_one(&fixture, 5, log);
  assert_false(settle(&fixture, 3, log).verdict.keep);
  // The length saturates and does not wrap: two hours are slow.
  merge_one(&fixture, 6, trace_of(10, base, base + 7200 * NS_PER_S, 0));
  merge_one(&fixture, 7, trace_of(10, base + 1, base + 2, 0));
  assert_true(settle(&fixture, 6, trace_of(10, base, base + 1, 0)).verdict.keep);
  // Times at the end of the range, and an end before its start.
  merge_one(&fixture, 8, trace_of(11, UINT64_MAX - 1, UINT64_MAX, 0));
  assert_false(settle(&fixture, 8, trace_of(11, 1, 2, 0)).verdict.keep);
  merge_one(&fixture, 9, trace_of(12, base, base - 1000 * NS_PER_S, 0));
  assert_false(settle(&fixture, 9, trace_of(12, 1, 2, 0)).verdict.keep);
  stop(&fixture);
}

static void test_flags_and_matches_merge(void **state) {
  (void)state;
  const struct sampling_policy policies[] = {
      {.kind = SAMPLING_ERRORS}, {.kind = SAMPLING_ATTRIBUTE, .key = "k"}, {.kind = SAMPLING_ATTRIBUTE, .key = "l"}};
  struct fixture fixture;
  start(&fixture, policies, 3, &small);
  struct record_trace plain = trace_of(1, 1, 2, 0), matching = trace_of(1, 1, 2, 0);
  matching.matches = 1u << 2;
  merge_one(&fixture, 1, plain);
  merge_one(&fixture, 2, matching);
  struct trace_facts_verdict verdict = settle(&fixture, 1, plain);
  assert_int_equal(verdict.verdict.policy, SAMPLING_ATTRIBUTE);
  assert_int_equal(verdict.verdict.policy_index, 2);
  merge_one(&fixture, 3, trace_of(2, 1, 2, 0));
  merge_one(&fixture, 4, trace_of(2, 1, 2, RECORD_TRACE_EXCEPTION));
  assert_int_equal(settle(&fixture, 3, trace_of(2, 1, 2, 0)).verdict.policy, SAMPLING_ERRORS);
  merge_one(&fixture, 5, trace_of(3, 1, 2, 0));
  assert_false(settle(&fixture, 5, trace_of(3, 1, 2, 0)).verdict.keep);
  stop(&fixture);
}

static void test_late_records_follow_the_verdict(void **state) {
  (void)state;
  struct fixture fixture;
  start(&fixture, errors, 1, &small);
  merge_one(&fixture, 1, trace_of(1, 1, 2, 0));
  assert_false(settle(&fixture, 1, trace_of(1, 1, 2, 0)).verdict.keep);
  merge_one(&fixture, 2, trace_of(1, 1, 2, RECORD_TRACE_ERROR)); // too late
  assert_int_equal(trace_facts_waiting(fixture.traces), 0);
  struct trace_facts_verdict verdict = settle(&fixture, 2, trace_of(1, 1, 2, RECORD_TRACE_ERROR));
  assert_false(verdict.verdict.keep);
  assert_true(verdict.late);
  // After a restart what was kept stays kept.
  struct record_trace kept = trace_of(5, 1, 2, 0);
  trace_facts_remember_kept(fixture.traces, segment_index_trace_key(kept.trace_id));
  merge_one(&fixture, 3, kept);
  verdict = settle(&fixture, 3, kept);
  assert_true(verdict.verdict.keep && verdict.late);
  assert_int_equal(verdict.verdict.policy, SAMPLING_NONE);
  bool waiting;
  struct sampling_verdict found;
  assert_true(trace_facts_lookup(fixture.traces, kept.trace_id, &waiting, &found));
  assert_true(!waiting && found.keep);
  merge_one(&fixture, 4, trace_of(6, 1, 2, 0));
  assert_true(trace_facts_lookup(fixture.traces, trace_id_of(6).ptr, &waiting, &found));
  assert_true(waiting);
  assert_false(trace_facts_lookup(fixture.traces, trace_id_of(7).ptr, &waiting, &found));
  stop(&fixture);
}

// The newest kept traces come first after a restart; what does not fit must not push them out.
static void test_the_newest_are_remembered(void **state) {
  (void)state;
  struct fixture fixture;
  start(&fixture, errors, 1, &small);
  for (uint64_t i = 0; i < 200; i++)
    trace_facts_remember_kept(fixture.traces, segment_index_trace_key(trace_id_of(i).ptr));
  bool waiting;
  struct sampling_verdict found;
  for (uint64_t i = 0; i < 200; i++)
    assert_int_equal(trace_facts_lookup(fixture.traces, trace_id_of(i).ptr, &waiting, &found), i < small.verdicts_max);
  stop(&fixture);
}

static void test_a_full_table_merges_nothing(void **state) {
  (void)state;
  struct fixture fixture;
  start(&fixture, errors, 1, &small);
  struct record_trace many[100];
  for (uint32_t i = 0; i < 100; i++) many[i] = trace_of(1000 + i, 1, 2, RECORD_TRACE_ERROR);
  for (uint64_t i = 0; i < 60; i++) merge_one(&fixture, i + 1, trace_of(i, 1, 2, 0));
  assert_false(merge(&fixture, 61, many, 5, "r"));
  assert_int_equal(trace_facts_waiting(fixture.traces), 60);
  assert_false(trace_facts_settle_request(fixture.traces, request_key("r"), 1).known);
  assert_true(merge(&fixture, 61, many, 4, "r"));
  for (uint64_t i = 0; i < 60; i++) settle(&fixture, i + 1, trace_of(i, 1, 2, 0));
  for (uint32_t i = 0; i < 4; i++) settle(&fixture, 61, many[i]);
  assert_int_equal(trace_facts_waiting(fixture.traces), 0);
  // A record with more traces than the table passes when the table is empty; the rest decide by their own facts.
  assert_true(merge(&fixture, 62, many, 100, NULL));
  for (uint32_t i = 0; i < 100; i++) assert_true(settle(&fixture, 62, many[i]).verdict.keep);
  assert_int_equal(trace_facts_waiting(fixture.traces), 0);
  stop(&fixture);
}

static void test_requests_lead_to_traces(void **state) {
  (void)state;
  struct fixture fixture;
  start(&fixture, errors, 1, &small);
  assert_false(trace_facts_settle_request(fixture.traces, request_key("a"), 1).known);
  struct record_trace bad = trace_of(1, 1, 2, RECORD_TRACE_ERROR), good = trace_of(2, 1, 2, 0);
  assert_true(merge(&fixture, 1, &bad, 1, "a"));
  assert_true(merge(&fixture, 2, &good, 1, "b"));
  struct trace_facts_verdict verdict = trace_facts_settle_request(fixture.traces, request_key("a"), 1);
  assert_true(verdict.known && verdict.verdict.keep);
  assert_true(settle(&fixture, 1, bad).verdict.keep);
  // Good so far is no verdict: the error that is still to come keeps the trace, and the request with it.
  verdict = trace_facts_settle_request(fixture.traces, request_key("b"), 1);
  assert_true(verdict.known && !verdict.verdict.keep);
  assert_int_equal(dropped_traces(&fixture), 0); // not yet
  merge_one(&fixture, 3, trace_of(2, 1, 2, RECORD_TRACE_ERROR));
  verdict = settle(&fixture, 2, good);
  assert_true(verdict.verdict.keep && !verdict.late);
  assert_true(trace_facts_settle_request(fixture.traces, request_key("b"), 1).verdict.keep);
  // A request of several traces is kept when one of them is.
  struct sampling_verdict keep = {.keep = true, .policy = SAMPLING_ERRORS}, drop = {.keep = false};
  trace_facts_note_request(fixture.traces, request_key("c"), &keep);
  trace_facts_note_request(fixture.traces, request_key("c"), &drop);
  assert_true(trace_facts_settle_request(fixture.traces, request_key("c"), 1).verdict.keep);
  struct record_trace dull = trace_of(3, 1, 2, 0);
  assert_true(merge(&fixture, 4, &dull, 1, "e"));
  for (int i = 0; i < 3; i++) {
    assert_false(trace_facts_settle_request(fixture.traces, request_key("e"), 1).verdict.keep);
  }
  assert_false(settle(&fixture, 4, dull).verdict.keep);
  assert_int_equal(dropped_traces(&fixture), 1); // once, however many logs asked before
  trace_facts_note_request(fixture.traces, request_key("d"), &drop);
  assert_false(trace_facts_settle_request(fixture.traces, request_key("d"), 1).known);
  stop(&fixture);
}

static void test_links_live_for_two_generations(void **state) {
  (void)state;
  struct fixture fixture;
  start(&fixture, errors, 1, &small); // requests_max 8: five links a generation
  char id[16];
  for (uint64_t i = 0; i < 40; i++) {
    struct record_trace trace = trace_of(i, 1, 2, RECORD_TRACE_ERROR);
    snprintf(id, sizeof(id), "r%u", (unsigned)i);
    assert_true(merge(&fixture, i + 1, &trace, 1, id));
    for (uint64_t back = 0; back <= i && back < 4; back++) {
      snprintf(id, sizeof(id), "r%u", (unsigned)(i - back));
      assert_true(trace_facts_settle_request(fixture.traces, request_key(id), 1).known);
    }
  }
  assert_false(trace_facts_settle_request(fixture.traces, request_key("r0"), 1).known);
  stop(&fixture);
}

// R is the trace's, also where the record in hand does not carry it.
static void test_explicit_randomness_counts_at_every_record(void **state) {
  (void)state;
  const struct sampling_policy half[] = {{.kind = SAMPLING_PROBABILITY, .probability = 0.5}};
  struct fixture fixture;
  start(&fixture, half, 1, &small);
  for (uint64_t number = 0; number < 40; number++) {
    struct record_trace log = trace_of(number, 0, 0, 0), span = trace_of(number, 1, 2, RECORD_TRACE_RANDOMNESS);
    log.span_count = 0;
    bool high = number % 2;
    span.randomness = high ? UINT64_C(0xffffffffffffff) : 0;
    struct record_trace *first = number % 3 ? &log : &span, *second = number % 3 ? &span : &log;
    merge_one(&fixture, number * 2 + 1, *first);
    merge_one(&fixture, number * 2 + 2, *second);
    assert_int_equal(settle(&fixture, number * 2 + 1, log).verdict.keep, high);
    assert_int_equal(settle(&fixture, number * 2 + 2, span).verdict.keep, high);
  }
  stop(&fixture);
}

// Policies change: what has a verdict keeps it, what waits gets one of the new ones.
static void test_other_policies(void **state) {
  (void)state;
  struct fixture fixture;
  start(&fixture, errors, 1, &small);
  merge_one(&fixture, 1, trace_of(1, 1, 2, 0));
  merge_one(&fixture, 2, trace_of(2, 1, 2, RECORD_TRACE_ERROR));
  assert_false(settle(&fixture, 1, trace_of(1, 1, 2, 0)).verdict.keep);
  assert_true(settle(&fixture, 2, trace_of(2, 1, 2, 0)).verdict.keep);
  merge_one(&fixture, 3, trace_of(3, 1, 2, 0));
  merge_one(&fixture, 4, trace_of(4, 1, 2, RECORD_TRACE_ERROR));
  struct sampling *sampling = NULL;
  assert_int_equal(sampling_create(slow, 1, fixture.facts.metrics, &sampling, NULL), STATUS_OK);
  trace_facts_set_sampling(fixture.traces, sampling);
  sampling_release(sampling); // theirs is enough
  merge_one(&fixture, 5, trace_of(3, 1, 20 * NS_PER_MS, 0));
  assert_true(settle(&fixture, 3, trace_of(3, 1, 2, 0)).verdict.keep);
  assert_false(settle(&fixture, 4, trace_of(4, 1, 2, RECORD_TRACE_ERROR)).verdict.keep);
  assert_false(settle(&fixture, 6, trace_of(1, 1, 20 * NS_PER_MS, 0)).verdict.keep);
  struct trace_facts_verdict verdict = settle(&fixture, 7, trace_of(2, 1, 2, 0));
  assert_true(verdict.verdict.keep && verdict.verdict.policy == SAMPLING_ERRORS);
  stop(&fixture);
}

struct asker {
  struct trace_facts *traces;
  struct atomic_u64 asked;
  struct atomic_bool_box stop;
  bool wrong;
};

static void ask(void *context) {
  struct asker *asker = context;
  while (!atomic_bool_get(&asker->stop)) {
    struct sampling_verdict verdict;
    bool waiting = true;
    bool known = trace_facts_lookup(asker->traces, trace_id_of(1).ptr, &waiting, &verdict);
    asker->wrong |= !known || waiting || !verdict.keep;
    atomic_u64_add(&asker->asked, 1);
  }
}

// Policies that go are freed while somebody else asks for a verdict: with a sanitizer this finds a use after that.
static void test_policies_go_while_others_ask(void **state) {
  (void)state;
  struct fixture fixture;
  start(&fixture, errors, 1, &small);
  merge_one(&fixture, 1, trace_of(1, 1, 2, RECORD_TRACE_ERROR));
  assert_true(settle(&fixture, 1, trace_of(1, 1, 2, 0)).verdict.keep);
  struct asker asker = {.traces = fixture.traces};
  struct thread thread;
  assert_int_equal(thread_start(&thread, "ask", ask, &asker), STATUS_OK);
  for (uint64_t round = 0; round < 100; round++) {
    struct sampling *sampling = NULL;
    assert_int_equal(sampling_create(round % 2 ? errors : slow, 1, fixture.facts.metrics, &sampling, NULL), STATUS_OK);
    trace_facts_set_sampling(fixture.traces, sampling);
    sampling_release(sampling);
    uint64_t asked = atomic_u64_get(&asker.asked);
    while (atomic_u64_get(&asker.asked) == asked) sched_yield();
  }
  atomic_bool_set(&asker.stop, true);
  thread_join(&thread);
  assert_false(asker.wrong);
  stop(&fixture);
}

// What waits is merged once more; nothing of it counts as late for that.
static void test_starting_over(void **state) {
  (void)state;
  struct fixture fixture;
  start(&fixture, errors, 1, &small);
  merge_one(&fixture, 1, trace_of(1, 1, 2, RECORD_TRACE_ERROR));
  merge_one(&fixture, 2, trace_of(1, 1, 2, 0));
  merge_one(&fixture, 3, trace_of(2, 1, 2, RECORD_TRACE_ERROR));
  assert_true(settle(&fixture, 1, trace_of(1, 1, 2, 0)).verdict.keep);
  merge_one(&fixture, 4, trace_of(1, 1, 2, 0)); // this one is late
  trace_facts_start_over(fixture.traces, 4);
  assert_int_equal(trace_facts_waiting(fixture.traces), 0);
  merge_one(&fixture, 2, trace_of(1, 1, 2, 0));
  merge_one(&fixture, 3, trace_of(2, 1, 2, 0)); // as others see it now
  merge_one(&fixture, 4, trace_of(1, 1, 2, 0));
  merge_one(&fixture, 5, trace_of(1, 1, 2, 0));
  assert_int_equal(trace_facts_waiting(fixture.traces), 1);
  static const bool late[] = {false, false, true, true};
  for (uint64_t sequence = 2; sequence <= 5; sequence++) {
    struct trace_facts_verdict verdict = settle(&fixture, sequence, trace_of(sequence == 3 ? 2 : 1, 1, 2, 0));
    assert_int_equal(verdict.verdict.keep, sequence != 3);
    assert_int_equal(verdict.late, late[sequence - 2]);
  }
  stop(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_times_merge_over_records),
      cmocka_unit_test(test_flags_and_matches_merge),
      cmocka_unit_test(test_late_records_follow_the_verdict),
      cmocka_unit_test(test_the_newest_are_remembered),
      cmocka_unit_test(test_a_full_table_merges_nothing),
      cmocka_unit_test(test_requests_lead_to_traces),
      cmocka_unit_test(test_links_live_for_two_generations),
      cmocka_unit_test(test_explicit_randomness_counts_at_every_record),
      cmocka_unit_test(test_other_policies),
      cmocka_unit_test(test_policies_go_while_others_ask),
      cmocka_unit_test(test_starting_over),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
