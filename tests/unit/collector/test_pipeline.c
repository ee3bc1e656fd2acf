// SPDX-License-Identifier: Apache-2.0
//
// Watch and settle: what is kept, when, and after what. test_pipeline_policies has policies that change.
#include "tests/unit/collector/pipeline_fixture.h"

static const struct sampling_policy errors[] = {{.kind = SAMPLING_ERRORS}};
static const struct sampling_policy all[] = {{.kind = SAMPLING_PROBABILITY, .probability = 1}};

// --- what is kept ---------------------------------------------------------------------------------------------------

static void test_whole_part_and_none(void **state) {
  struct fixture *fixture = *state;
  struct kept kept[8];
  open_and_start(fixture, errors, 1);
  struct slice good = trace_id_of(1), bad = trace_id_of(2), worse = trace_id_of(3);
  struct slice id = attribute(9, "request_id", "r-2"), other = attribute(9, "request_id", "r-1");
  char long_name[400];
  memset(long_name, 'n', sizeof(long_name) - 1);
  long_name[sizeof(long_name) - 1] = 0;
  struct slice whole = request_of(
      JOIN(span_of(bad, 1, 2, JOIN(error_status(), text(5, long_name))), span_of(worse, 1, 2, error_status())));
  struct slice mixed =
      request_of(JOIN(span_of(good, 1, 2, other), span_of(bad, 3, 4, id), span_of(good, 5, 6, nothing()),
                      span_of(worse, 7, 8, id), span_of(bad, 9, 10, number(1000, 5))));
  append(fixture, JOURNAL_TRACES, whole);
  append(fixture, JOURNAL_TRACES, mixed);
  append(fixture, JOURNAL_TRACES, request_of(span_of(good, 1, 2, nothing())));
  wait_settled(fixture, 3);
  assert_int_equal(read_kept(fixture, kept, 8), 2);
  assert_true(slice_equal(kept[0].body, whole));
  assert_true(kept[0].compressed); // copied as it was stored
  assert_int_equal(kept[0].origin, 1);
  assert_int_equal(kept[1].origin, 2);
  struct slice rest =
      request_of(JOIN(span_of(bad, 3, 4, id), span_of(worse, 7, 8, id), span_of(bad, 9, 10, number(1000, 5))));
  assert_true(slice_equal(kept[1].body, rest));
  assert_int_equal(kept[1].item_count, 3);
  assert_int_equal(kept[1].trace_count, 2);
  assert_int_equal(kept[1].request_count, 2);
  assert_int_equal(kept[1].traces[0].policy, SAMPLING_ERRORS);
  assert_int_equal(kept[1].traces[0].probability_ppm, 1000000);
  struct pipeline_counts counts = pipeline_counts(fixture->pipeline);
  assert_int_equal(counts.kept_items, 5);
  assert_int_equal(counts.dropped_items, 3);
  assert_int_equal(counts.late_items, 0);
  assert_int_equal(trace_facts_waiting(fixture->traces), 0);
  close_all(fixture);
}

static struct otlp_span first_span(struct slice body) {
  struct otlp_scan scan;
  struct otlp_item item;
  otlp_scan_init(&scan, OTLP_TRACES, body, NULL);
  assert_int_equal(otlp_scan_next(&scan, &item, NULL), STATUS_OK);
  return item.span;
}

// Half of the traces are kept, and their spans say so.
static void test_trace_state_carries_the_threshold(void **state) {
  struct fixture *fixture = *state;
  struct kept kept[8];
  const struct sampling_policy half[] = {{.kind = SAMPLING_ERRORS}, {.kind = SAMPLING_PROBABILITY, .probability = 0.5}};
  open_and_start(fixture, half, 2);
  append_span(fixture, 1, text(3, "v=1,ot=rv:ffffffffffffff"));
  append_span(fixture, 2, text(3, "ot=rv:00000000000001"));
  append_span(fixture, 3, text(3, "ot=th:c;rv:ffffffffffffff")); // stricter already
  append_span(fixture, 4, JOIN(text(3, "ot=rv:ffffffffffffff"), error_status()));
  wait_settled(fixture, 4);
  assert_int_equal(read_kept(fixture, kept, 8), 3);
  assert_int_equal(kept[0].origin, 1);
  struct slice rewritten = first_span(kept[0].body).trace_state;
  assert_true(slice_find(rewritten, SLICE_LITERAL("th:8")) < rewritten.len);
  assert_true(slice_find(rewritten, SLICE_LITERAL("rv:ffffffffffffff")) < rewritten.len);
  assert_true(slice_find(rewritten, SLICE_LITERAL("v=1")) < rewritten.len);
  assert_int_equal(kept[0].traces[0].probability_ppm, 500000);
  assert_int_equal(kept[0].traces[0].policy, SAMPLING_PROBABILITY);
  assert_true(slice_equal_cstr(first_span(kept[1].body).trace_state, "ot=th:c;rv:ffffffffffffff"));
  assert_true(slice_equal_cstr(first_span(kept[2].body).trace_state, "ot=rv:ffffffffffffff")); // an error: certain
  close_all(fixture);
}

// Each span of a record gets its own, whatever the one before it got.
static void test_trace_states_of_one_record(void **state) {
  struct fixture *fixture = *state;
  struct kept kept[8];
  const struct sampling_policy half[] = {{.kind = SAMPLING_ERRORS}, {.kind = SAMPLING_PROBABILITY, .probability = 0.5}};
  uint8_t highest[16];
  memset(highest, 0xff, sizeof(highest));
  open_and_start(fixture, half, 2);
  const struct slice lucky = slice_make(highest, sizeof(highest)), bad = trace_id_of(2), none = nothing();
  const struct slice th = text(3, "ot=th:8"), stricter = text(3, "ot=th:c"), loose = text(3, "ot=th:2");
  append(fixture, JOURNAL_TRACES,
         request_of(JOIN(span_of(lucky, 1, 2, none), span_of(bad, 3, 4, error_status()), span_of(lucky, 5, 6, none),
                         span_of(lucky, 7, 8, none), span_of(lucky, 9, 10, text(3, "ot=th:4")),
                         span_of(bad, 11, 12, loose), span_of(lucky, 13, 14, none), span_of(lucky, 15, 16, stricter),
                         span_of(bad, 17, 18, none), span_of(lucky, 19, 20, none))));
  wait_settled(fixture, 1);
  assert_int_equal(read_kept(fixture, kept, 8), 1);
  const struct slice expected = request_of(
      JOIN(span_of(lucky, 1, 2, th), span_of(bad, 3, 4, error_status()), span_of(lucky, 5, 6, th),
           span_of(lucky, 7, 8, th), span_of(lucky, 9, 10, th), span_of(bad, 11, 12, loose), span_of(lucky, 13, 14, th),
           span_of(lucky, 15, 16, stricter), span_of(bad, 17, 18, none), span_of(lucky, 19, 20, th)));
  assert_true(slice_equal(kept[0].body, expected));
  close_all(fixture);
}

static void test_logs_follow_trace_request_or_severity(void **state) {
  struct fixture *fixture = *state;
  struct kept kept[8];
  open_and_start(fixture, errors, 1);
  struct slice good = trace_id_of(1), bad = trace_id_of(2);
  struct slice r_good = attribute(6, "request_id", "good"), r_bad = attribute(6, "request_id", "bad");
  struct slice r_none = attribute(6, "request_id", "unknown");
  append(fixture, JOURNAL_TRACES,
         request_of(JOIN(span_of(good, 1, 2, attribute(9, "request_id", "good")),
                         span_of(bad, 1, 2, JOIN(error_status(), attribute(9, "request_id", "bad"))))));
  struct slice none = nothing();
  append(fixture, JOURNAL_LOGS,
         request_of(JOIN(log_of(none, 13, none), log_of(none, 9, none), log_of(good, 13, none), log_of(bad, 1, none),
                         log_of(none, 13, r_good), log_of(none, 1, r_bad), log_of(none, 13, r_none),
                         log_of(none, 9, r_none))));
  wait_settled(fixture, 2);
  assert_int_equal(read_kept(fixture, kept, 8), 2);
  struct slice expected =
      request_of(JOIN(log_of(none, 13, none), log_of(bad, 1, none), log_of(none, 1, r_bad), log_of(none, 13, r_none)));
  assert_true(slice_equal(kept[1].body, expected));
  assert_int_equal(kept[1].kind, JOURNAL_LOGS);
  close_all(fixture);
}

static void test_metrics_pass_when_they_are_wanted(void **state) {
  struct fixture *fixture = *state;
  struct kept kept[8];
  open_and_start(fixture, errors, 1);
  struct slice metrics = FIELD(1, FIELD(2, FIELD(2, text(1, "m"))));
  append(fixture, JOURNAL_METRICS, metrics);
  wait_settled(fixture, 1);
  assert_int_equal(read_kept(fixture, kept, 8), 0);
  close_all(fixture);
  fixture->options.keep_metrics = true;
  open_and_start(fixture, errors, 1);
  metrics = FIELD(1, FIELD(2, FIELD(2, text(1, "m"))));
  append(fixture, JOURNAL_METRICS, metrics);
  wait_settled(fixture, 2);
  uint32_t count = read_kept(fixture, kept, 8);
  assert_true(count > 0);
  assert_int_equal(kept[count - 1].kind, JOURNAL_METRICS);
  assert_int_equal(kept[count - 1].item_count, 4);
  assert_true(slice_equal(kept[count - 1].body, metrics));
  close_all(fixture);
}

// --- when -----------------------------------------------------------------------------------------------------------

static void test_a_trace_has_its_time(void **state) {
  struct fixture *fixture = *state;
  struct kept kept[8];
  open_and_start(fixture, errors, 1);
  append_span(fixture, 1, nothing());
  wait_watched(fixture, 1);
  clock_fake_add(&fixture->clock, WAIT / 2);
  append_span(fixture, 1, error_status()); // in time: keeps the first span, too
  wait_watched(fixture, 2);
  assert_int_equal(pipeline_counts(fixture->pipeline).settled_sequence, 0);
  wait_settled(fixture, 2);
  assert_int_equal(read_kept(fixture, kept, 8), 2);
  append_span(fixture, 1, nothing()); // late: follows
  append_span(fixture, 2, nothing());
  wait_settled(fixture, 4);
  append_span(fixture, 2, error_status()); // too late to matter
  wait_settled(fixture, 5);
  assert_int_equal(read_kept(fixture, kept, 8), 3);
  assert_int_equal(kept[2].origin, 3);
  assert_int_equal(kept[2].traces[0].late, 1);
  assert_int_equal(kept[1].traces[0].late, 0);
  assert_int_equal(pipeline_counts(fixture->pipeline).late_items, 2);
  close_all(fixture);
}

// The time stands still, and yet more traces pass than the table holds.
static void test_a_full_table_settles_early(void **state) {
  struct fixture *fixture = *state;
  static struct kept kept[200];
  fixture->waiting_max = 16;
  open_and_start(fixture, errors, 1);
  for (uint64_t i = 1; i <= 100; i++) append_span(fixture, i, error_status());
  wait_watched(fixture, 100);
  assert_true(trace_facts_waiting(fixture->traces) <= 16);
  struct metrics_value *early =
      metrics_series(fixture->facts.metrics, METRICS_COUNTER, "culprit_settle_early_records_total", "", "");
  assert_true(metrics_get(early) > 0);
  assert_true(pipeline_counts(fixture->pipeline).settled_sequence < 100);
  wait_settled(fixture, 100);
  assert_int_equal(read_kept(fixture, kept, 200), 100);
  close_all(fixture);
}

// --- restarts -------------------------------------------------------------------------------------------------------

// Half is settled, everything closes, the rest follows: nothing is lost, nothing is there twice.
static void test_a_restart_goes_on(void **state) {
  struct fixture *fixture = *state;
  static struct kept kept[100];
  open_and_start(fixture, errors, 1);
  for (uint64_t i = 1; i <= 20; i++) append_span(fixture, i, i % 3 ? error_status() : nothing());
  wait_settled(fixture, 20);
  for (uint64_t i = 21; i <= 40; i++) append_span(fixture, i - 10, i % 2 ? error_status() : nothing());
  wait_watched(fixture, 40);
  assert_int_equal(pipeline_counts(fixture->pipeline).settled_sequence, 20);
  close_all(fixture);
  open_and_start(fixture, errors, 1);
  // 20 was the last one kept; what is behind it is watched again and has its time again.
  assert_int_equal(pipeline_counts(fixture->pipeline).settled_sequence, 20);
  wait_watched(fixture, 40);
  wait_settled(fixture, 40);
  uint32_t count = read_kept(fixture, kept, 100), next = 0;
  for (uint64_t i = 1; i <= 40; i++) {
    uint64_t trace = i <= 20 ? i : i - 10;
    // Traces kept before are remembered; of the others the new records decide.
    bool is_kept = i <= 20 ? i % 3 != 0 : i % 2 != 0 || (trace <= 20 && trace % 3 != 0);
    if (is_kept) assert_int_equal(kept[next++].origin, i);
  }
  assert_int_equal(next, count);
  close_all(fixture);
}

// Sections of another configuration are made again from the bodies.
static void test_another_configuration_after_a_restart(void **state) {
  struct fixture *fixture = *state;
  struct kept kept[8];
  open_and_start(fixture, errors, 1);
  append_span(fixture, 1, attribute(9, "tier", "gold"));
  append_span(fixture, 2, attribute(9, "tier", "tin"));
  wait_watched(fixture, 2);
  close_all(fixture);
  const struct sampling_policy gold[] = {{.kind = SAMPLING_ATTRIBUTE, .key = "tier", .value = "gold"}};
  open_and_start(fixture, gold, 1);
  wait_settled(fixture, 2);
  assert_int_equal(read_kept(fixture, kept, 8), 1);
  assert_int_equal(kept[0].origin, 1);
  assert_int_equal(kept[0].traces[0].policy, SAMPLING_ATTRIBUTE);
  close_all(fixture);
}

static void test_a_record_without_facts_is_put_aside(void **state) {
  struct fixture *fixture = *state;
  struct kept kept[8];
  open_and_start(fixture, all, 1);
  struct journal_entry entry = {.kind = JOURNAL_TRACES, .body = SLICE_LITERAL("not a request"), .item_count = 1};
  assert_int_equal(journal_append(fixture->intake, &entry, NULL, NULL, NULL), STATUS_OK);
  append_span(fixture, 1, nothing());
  wait_settled(fixture, 2);
  assert_int_equal(read_kept(fixture, kept, 8), 1);
  assert_int_equal(kept[0].origin, 2);
  struct temporary quarantine = {0};
  snprintf(quarantine.directory, sizeof(quarantine.directory), "%.240s/quarantine", fixture->temporary->directory);
  assert_int_equal(temporary_count(&quarantine, "intake-"), 1); // watch and settle have both met it
  close_all(fixture);
}

// --- room -----------------------------------------------------------------------------------------------------------

static uint64_t oldest_intake(struct fixture *fixture) {
  struct journal_segment oldest;
  assert_true(journal_segments(fixture->intake, &oldest, 1) > 0);
  return oldest.first_sequence;
}

// Long enough that a segment of 4 KiB holds one or two; bytes that do not compress.
static struct slice noise(uint64_t seed) {
  uint8_t noise[1500];
  for (size_t i = 0; i < sizeof(noise); i++) {
    seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
    noise[i] = (uint8_t)(seed >> 56);
  }
  return FIELD(9, text(1, "n"), FIELD(2, bytes(7, slice_make(noise, sizeof(noise)))));
}

// Once a (fake) second the pipeline tidies up; three of them, seen by records that come and are settled between.
static void pass_housekeeping(struct fixture *fixture) {
  for (int i = 0; i < 3; i++) {
    append_span(fixture, 1, nothing());
    wait_settled(fixture, journal_durable_sequence(fixture->intake));
  }
}

static void test_intake_segments_go_when_all_are_done(void **state) {
  struct fixture *fixture = *state;
  atomic_u64_set(&fixture->intake_floor, 1); // the inbox has seen nothing
  open_and_start(fixture, all, 1);
  for (uint64_t i = 1; i <= 20; i++) append_span(fixture, i, noise(i));
  wait_watched(fixture, 20);
  clock_fake_add(&fixture->clock, 2 * NS_PER_S);
  assert_int_equal(pipeline_counts(fixture->pipeline).settled_sequence, 0);
  assert_int_equal(oldest_intake(fixture), 1); // nothing is settled
  wait_settled(fixture, 20);
  pass_housekeeping(fixture);
  assert_int_equal(oldest_intake(fixture), 1); // settled, but the inbox needs it
  atomic_u64_set(&fixture->intake_floor, 11);
  struct limit until = limit();
  while (oldest_intake(fixture) == 1) {
    clock_fake_add(&fixture->clock, NS_PER_S);
    append_span(fixture, 1, nothing());
    look_again(fixture, until);
  }
  pass_housekeeping(fixture);
  assert_in_range(oldest_intake(fixture), 2, 11); // never beyond the floor
  uint64_t last = journal_durable_sequence(fixture->intake);
  wait_settled(fixture, last);
  assert_true(journal_synced_sequence(request_store_journal(fixture->requests)) >= 20);
  struct kept *many = calloc(20000, sizeof(*many));
  assert_int_equal(read_kept(fixture, many, 20000), last);
  free(many);
  close_all(fixture);
}

// The kept journal is at its budget and an exporter needs all of it: settling waits, and goes on when it may.
static void test_a_full_kept_journal_holds_settling(void **state) {
  struct fixture *fixture = *state;
  fixture->kept_options.bytes_max = 16 << 10;
  fixture->kept_options.segment_bytes_max = 4 << 10;
  atomic_u64_set(&fixture->kept_floor, 1);
  open_and_start(fixture, all, 1);
  for (uint64_t i = 1; i <= 30; i++) append_span(fixture, i, noise(i));
  wait_watched(fixture, 30);
  struct limit until = limit();
  uint64_t settled = 0, same = 0;
  // Held: the time passes and it does not move.
  while (settled == 0 || same < 200) {
    clock_fake_add(&fixture->clock, NS_PER_S);
    look_again(fixture, until);
    uint64_t now = pipeline_counts(fixture->pipeline).settled_sequence;
    same = now == settled ? same + 1 : 0;
    settled = now;
  }
  assert_in_range(settled, 1, 29);
  struct kept kept[40];
  uint32_t count = read_kept(fixture, kept, 40);
  assert_int_equal(count, settled);
  assert_int_equal(kept[0].origin, 1);              // nothing was thrown away to make room
  atomic_u64_set(&fixture->kept_floor, UINT64_MAX); // the exporter is done
  wait_settled(fixture, 30);
  count = read_kept(fixture, kept, 40);
  assert_true(count > 0 && kept[0].origin > 1);
  for (uint32_t i = 1; i < count; i++) assert_int_equal(kept[i].origin, kept[i - 1].origin + 1);
  assert_int_equal(kept[count - 1].origin, 30);
  assert_int_equal(pipeline_counts(fixture->pipeline).kept_items, 30);
  close_all(fixture);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_whole_part_and_none),
      TEST(test_trace_state_carries_the_threshold),
      TEST(test_trace_states_of_one_record),
      TEST(test_logs_follow_trace_request_or_severity),
      TEST(test_metrics_pass_when_they_are_wanted),
      TEST(test_a_trace_has_its_time),
      TEST(test_a_full_table_settles_early),
      TEST(test_a_restart_goes_on),
      TEST(test_another_configuration_after_a_restart),
      TEST(test_a_record_without_facts_is_put_aside),
      TEST(test_intake_segments_go_when_all_are_done),
      TEST(test_a_full_kept_journal_holds_settling),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
