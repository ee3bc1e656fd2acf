// SPDX-License-Identifier: Apache-2.0
//
// Watch and settle on real journals. decision_wait runs on a fake clock, so nothing is settled before a test says so.
// After every test the whole kept journal is read, and each record's section is compared with one made anew from its
// body: what the indexes say must be what is there.
#include "collector/pipeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/segment_index.h"
#include "tests/unit/processor/facts_fixture.h"
#include "tests/unit/store/temporary.h"

#define DEADLINE (30 * NS_PER_S)
#define WAIT     (10 * NS_PER_S)

struct fixture {
  struct temporary *temporary;
  struct clock_fake clock;
  struct facts_fixture facts;
  struct journal *intake;
  struct request_store *requests;
  struct trace_facts *traces;
  struct pipeline *pipeline;
  struct pipeline_options options;
  struct atomic_u64 intake_floor, kept_floor;
  struct journal_options kept_options;
  uint32_t waiting_max;
};

static uint64_t intake_floor(void *context) {
  return atomic_u64_get(&((struct fixture *)context)->intake_floor);
}
static uint64_t kept_floor(void *context) {
  return atomic_u64_get(&((struct fixture *)context)->kept_floor);
}

static void open_all(struct fixture *fixture, const struct sampling_policy *policies, uint32_t count) {
  facts_fixture_init(&fixture->facts, policies, count);
  struct journal_options intake = {.name = "intake",
                                   .directory = temporary_path(fixture->temporary, "intake"),
                                   .quarantine_directory = temporary_path(fixture->temporary, "quarantine"),
                                   .segment_bytes_max = 4096,
                                   .clock = clock_system()};
  struct error error = {""};
  if (journal_open(&intake, &fixture->intake, &error)) fail_msg("%s", error.text);
  fixture->kept_options.name = "kept";
  fixture->kept_options.directory = temporary_path(fixture->temporary, "kept");
  fixture->kept_options.quarantine_directory = temporary_path(fixture->temporary, "quarantine");
  fixture->kept_options.clock = clock_system();
  struct request_store_options requests = {.kept = fixture->kept_options, .intake = fixture->intake};
  if (request_store_open(&requests, &fixture->requests, &error)) fail_msg("%s", error.text);
  fixture->traces = trace_facts_create(&(struct trace_facts_options){.sampling = fixture->facts.sampling,
                                                                     .waiting_max = fixture->waiting_max,
                                                                     .verdicts_max = 1000,
                                                                     .requests_max = 1000});
  struct pipeline_options options = {.intake = fixture->intake,
                                     .requests = fixture->requests,
                                     .facts = fixture->traces,
                                     .sampling = fixture->facts.sampling,
                                     .rebuild = facts_fixture_options(&fixture->facts),
                                     .decision_wait_ns = WAIT,
                                     .retention_requests_ns = 3600 * NS_PER_S,
                                     .keep_metrics = fixture->options.keep_metrics,
                                     .intake_floor = intake_floor,
                                     .kept_floor = kept_floor,
                                     .floor_context = fixture,
                                     .clock = &fixture->clock.clock,
                                     .metrics = fixture->facts.metrics};
  fixture->options = options;
}

static void start(struct fixture *fixture) {
  struct error error = {""};
  if (pipeline_start(&fixture->options, &fixture->pipeline, &error)) fail_msg("%s", error.text);
}

static void open_and_start(struct fixture *fixture, const struct sampling_policy *policies, uint32_t count) {
  open_all(fixture, policies, count);
  start(fixture);
}

static void close_all(struct fixture *fixture) {
  pipeline_stop(fixture->pipeline);
  request_store_close(fixture->requests);
  journal_close(fixture->intake);
  trace_facts_destroy(fixture->traces);
  facts_fixture_finish(&fixture->facts);
  fixture->pipeline = NULL;
}

static int setup(void **state) {
  struct fixture *fixture = calloc(1, sizeof(*fixture));
  void *temporary = NULL;
  if (temporary_setup(&temporary)) return -1;
  fixture->temporary = temporary;
  fixture->waiting_max = 1000;
  clock_fake_init(&fixture->clock, UINT64_C(1763700000000000000));
  clock_fake_add(&fixture->clock, 3600 * NS_PER_S);
  atomic_u64_set(&fixture->intake_floor, UINT64_MAX);
  atomic_u64_set(&fixture->kept_floor, UINT64_MAX);
  *state = fixture;
  return 0;
}

static int teardown(void **state) {
  struct fixture *fixture = *state;
  void *temporary = fixture->temporary;
  int result = temporary_teardown(&temporary);
  free(fixture);
  return result;
}

// As the intake does.
static void append(struct fixture *fixture, enum journal_kind kind, struct slice body) {
  struct journal_entry entry = {.kind = kind, .project = 3, .received_ns = clock_wall_ns(clock_system()), .body = body};
  struct payload_facts_counts counts = {.items = 4};
  if (kind != JOURNAL_METRICS) {
    enum otlp_signal signal = kind == JOURNAL_TRACES ? OTLP_TRACES : OTLP_LOGS;
    assert_int_equal(payload_facts_build(fixture->facts.builder, signal, body, &entry.section, &counts, NULL),
                     STATUS_OK);
  }
  entry.item_count = counts.items;
  struct error error = {""};
  if (journal_append(fixture->intake, &entry, NULL, NULL, &error)) fail_msg("%s", error.text);
  assert_int_equal(journal_flush(fixture->intake), STATUS_OK);
}

static void append_span(struct fixture *fixture, uint64_t trace, struct slice more) {
  append(fixture, JOURNAL_TRACES, request_of(span_of(trace_id_of(trace), 1000, 2000, more)));
}

// --- waiting on conditions ------------------------------------------------------------------------------------------

struct limit {
  uint64_t end;
};

static struct limit limit(void) {
  return (struct limit){clock_monotonic_ns(clock_system()) + DEADLINE};
}

// Lets a moment pass between two looks, and fails behind the deadline.
static void look_again(struct fixture *fixture, struct limit limit) {
  if (clock_monotonic_ns(clock_system()) > limit.end) fail_msg("waited too long");
  journal_wait(fixture->intake, UINT64_MAX, NS_PER_MS);
}

static void wait_watched(struct fixture *fixture, uint64_t sequence) {
  struct limit until = limit();
  while (pipeline_counts(fixture->pipeline).watched_sequence < sequence) look_again(fixture, until);
}

// The time passes until the record is settled.
static void wait_settled(struct fixture *fixture, uint64_t sequence) {
  struct limit until = limit();
  while (pipeline_counts(fixture->pipeline).settled_sequence < sequence) {
    clock_fake_add(&fixture->clock, NS_PER_S);
    look_again(fixture, until);
  }
  assert_int_equal(journal_flush(request_store_journal(fixture->requests)), STATUS_OK);
}

// --- the kept journal ------------------------------------------------------------------------------------------------

struct kept {
  enum journal_kind kind;
  uint64_t origin;
  struct slice body; // in the wire_text arena
  bool compressed;
  uint32_t item_count, request_count, trace_count;
  struct record_trace traces[16];
};

// The facts made anew from the body agree with the section, index by index.
static void check_section(struct fixture *fixture, const struct record_facts *got, enum journal_kind kind,
                          struct slice body) {
  struct slice section;
  struct payload_facts_counts counts;
  struct record_facts want;
  enum otlp_signal signal = kind == JOURNAL_TRACES ? OTLP_TRACES : OTLP_LOGS;
  assert_int_equal(payload_facts_build(fixture->facts.builder, signal, body, &section, &counts, NULL), STATUS_OK);
  assert_int_equal(record_facts_decode(section, &want), STATUS_OK);
  assert_true(got->fingerprint == want.fingerprint);
  assert_int_equal(got->item_count, want.item_count);
  assert_int_equal(got->trace_count, want.trace_count);
  assert_int_equal(got->request_count, want.request_count);
  for (uint32_t i = 0; i < want.item_count; i++) {
    assert_int_equal(record_facts_item(got, i).flags, record_facts_item(&want, i).flags);
    uint32_t a = record_facts_item(got, i).trace, b = record_facts_item(&want, i).trace;
    assert_int_equal(a == RECORD_NO_TRACE, b == RECORD_NO_TRACE);
    if (a == RECORD_NO_TRACE) continue;
    struct record_trace got_trace, want_trace;
    record_facts_trace(got, a, &got_trace);
    record_facts_trace(&want, b, &want_trace);
    assert_memory_equal(got_trace.trace_id, want_trace.trace_id, 16);
    assert_true(got_trace.start_ns == want_trace.start_ns && got_trace.end_ns == want_trace.end_ns);
    assert_int_equal(got_trace.span_count, want_trace.span_count);
    assert_true(got_trace.flags & RECORD_TRACE_KEPT);
  }
  const uint8_t *got_cursor = got->requests, *want_cursor = want.requests;
  struct record_request a, b;
  while (record_facts_next_request(&want, &want_cursor, &b)) {
    assert_true(record_facts_next_request(got, &got_cursor, &a));
    assert_true(slice_equal(a.id, b.id));
    assert_int_equal(a.trace == RECORD_NO_TRACE, b.trace == RECORD_NO_TRACE);
    if (a.trace == RECORD_NO_TRACE) assert_int_equal(a.item, b.item);
  }
}

static uint32_t read_kept(struct fixture *fixture, struct kept *out, uint32_t max) {
  struct journal_reader *reader;
  struct journal_record record;
  struct buffer scratch;
  uint32_t count = 0;
  uint64_t origin = 0;
  buffer_init(&scratch, 16 << 20);
  assert_int_equal(journal_flush(request_store_journal(fixture->requests)), STATUS_OK);
  assert_int_equal(journal_reader_open(request_store_journal(fixture->requests), 1, &reader), STATUS_OK);
  while (journal_reader_next(reader, &record) == STATUS_OK) {
    struct slice body;
    struct record_facts facts;
    assert_true(count < max);
    struct kept *kept = &out[count++];
    assert_int_equal(journal_record_body(&record, &scratch, &body), STATUS_OK);
    assert_int_equal(record_facts_decode(record.section, &facts), STATUS_OK);
    assert_true(record.origin_sequence > origin); // in order, nothing twice
    origin = record.origin_sequence;
    assert_int_equal(record.project, 3);
    *kept = (struct kept){.kind = record.kind,
                          .origin = origin,
                          .body = arena_copy(&wire_text_arena, body),
                          .compressed = record.body_compressed,
                          .item_count = record.item_count,
                          .request_count = facts.request_count,
                          .trace_count = facts.trace_count};
    for (uint32_t i = 0; i < facts.trace_count && i < 16; i++) record_facts_trace(&facts, i, &kept->traces[i]);
    if (record.kind != JOURNAL_METRICS) check_section(fixture, &facts, record.kind, body);
  }
  journal_reader_close(reader);
  buffer_finish(&scratch);
  return count;
}

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
