// SPDX-License-Identifier: Apache-2.0
//
// Watch and settle on real journals. decision_wait runs on a fake clock, so nothing is settled before a test says so.
// The whole kept journal is read, and each record's section is compared with one made anew from its body: what the
// indexes say must be what is there.
#ifndef TESTS_UNIT_COLLECTOR_PIPELINE_FIXTURE_H
#define TESTS_UNIT_COLLECTOR_PIPELINE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "collector/pipeline.h"
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
  bool policies_changed; // records of several configurations are there
};

static inline uint64_t intake_floor(void *context) {
  return atomic_u64_get(&((struct fixture *)context)->intake_floor);
}
static inline uint64_t kept_floor(void *context) {
  return atomic_u64_get(&((struct fixture *)context)->kept_floor);
}

static inline void open_all(struct fixture *fixture, const struct sampling_policy *policies, uint32_t count) {
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

static inline void start(struct fixture *fixture) {
  struct error error = {""};
  if (pipeline_start(&fixture->options, &fixture->pipeline, &error)) fail_msg("%s", error.text);
}

static inline void open_and_start(struct fixture *fixture, const struct sampling_policy *policies, uint32_t count) {
  open_all(fixture, policies, count);
  start(fixture);
}

static inline void close_all(struct fixture *fixture) {
  pipeline_stop(fixture->pipeline);
  request_store_close(fixture->requests);
  journal_close(fixture->intake);
  trace_facts_destroy(fixture->traces);
  facts_fixture_finish(&fixture->facts);
  fixture->pipeline = NULL;
}

static inline int setup(void **state) {
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

static inline int teardown(void **state) {
  struct fixture *fixture = *state;
  void *temporary = fixture->temporary;
  int result = temporary_teardown(&temporary);
  free(fixture);
  return result;
}

// As the intake does.
static inline void append(struct fixture *fixture, enum journal_kind kind, struct slice body) {
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

static inline void append_span(struct fixture *fixture, uint64_t trace, struct slice more) {
  append(fixture, JOURNAL_TRACES, request_of(span_of(trace_id_of(trace), 1000, 2000, more)));
}

// --- waiting on conditions ------------------------------------------------------------------------------------------

struct limit {
  uint64_t end;
};

static inline struct limit limit(void) {
  return (struct limit){clock_monotonic_ns(clock_system()) + DEADLINE};
}

// Lets a moment pass between two looks, and fails behind the deadline.
static inline void look_again(struct fixture *fixture, struct limit limit) {
  if (clock_monotonic_ns(clock_system()) > limit.end) fail_msg("waited too long");
  journal_wait(fixture->intake, UINT64_MAX, NS_PER_MS);
}

static inline void wait_watched(struct fixture *fixture, uint64_t sequence) {
  struct limit until = limit();
  while (pipeline_counts(fixture->pipeline).watched_sequence < sequence) look_again(fixture, until);
}

// The time passes until the record is settled.
static inline void wait_settled(struct fixture *fixture, uint64_t sequence) {
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
static inline void check_section(struct fixture *fixture, const struct record_facts *got, enum journal_kind kind,
                                 struct slice body) {
  struct slice section;
  struct payload_facts_counts counts;
  struct record_facts want;
  enum otlp_signal signal = kind == JOURNAL_TRACES ? OTLP_TRACES : OTLP_LOGS;
  assert_int_equal(payload_facts_build(fixture->facts.builder, signal, body, &section, &counts, NULL), STATUS_OK);
  assert_int_equal(record_facts_decode(section, &want), STATUS_OK);
  if (!fixture->policies_changed) assert_true(got->fingerprint == want.fingerprint);
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

static inline uint32_t read_kept(struct fixture *fixture, struct kept *out, uint32_t max) {
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

#endif
