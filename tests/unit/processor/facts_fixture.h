// SPDX-License-Identifier: Apache-2.0
//
// What the tests of facts, sampling in the pipeline and intake share: a sampling and a correlation made from a few
// words, and requests written span by span. Needs tests/unit/proto/wire_text.h's arena: call wire_text_reset first.
#ifndef TESTS_UNIT_PROCESSOR_FACTS_FIXTURE_H
#define TESTS_UNIT_PROCESSOR_FACTS_FIXTURE_H

#include "base/metrics.h"
#include "processor/payload_facts.h"
#include "tests/unit/proto/wire_text.h"

struct facts_fixture {
  struct metrics *metrics;
  struct sampling *sampling;
  struct correlation *correlation;
  struct payload_facts *builder;
};

static inline struct payload_facts_options facts_fixture_options(const struct facts_fixture *fixture) {
  return (struct payload_facts_options){
      .sampling = fixture->sampling, .correlation = fixture->correlation, .keep_severity = OTLP_SEVERITY_WARN};
}

static inline void facts_fixture_init(struct facts_fixture *fixture, const struct sampling_policy *policies,
                                      uint32_t count) {
  wire_text_reset();
  fixture->metrics = metrics_create();
  ASSERT(sampling_create(policies, count, fixture->metrics, &fixture->sampling, NULL) == STATUS_OK);
  fixture->correlation = correlation_create(NULL, 0);
  struct payload_facts_options options = facts_fixture_options(fixture);
  fixture->builder = payload_facts_create(&options);
}

static inline void facts_fixture_finish(struct facts_fixture *fixture) {
  payload_facts_destroy(fixture->builder);
  correlation_destroy(fixture->correlation);
  sampling_release(fixture->sampling);
  metrics_destroy(fixture->metrics);
  wire_text_finish();
}

// 16 bytes that follow from a number; the last 7, the randomness, are `number` spread out.
static inline struct slice trace_id_of(uint64_t number) {
  uint8_t id[16];
  uint64_t mixed = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
  memcpy(id, &mixed, 8);
  mixed = (mixed ^ mixed >> 29) * UINT64_C(0xbf58476d1ce4e5b9);
  memcpy(id + 8, &mixed, 8);
  return arena_copy(&wire_text_arena, slice_make(id, 16));
}

// A Span in field 2 of ScopeSpans: ids, times, and whatever fields more.
static inline struct slice span_of(struct slice trace_id, uint64_t start_ns, uint64_t end_ns, struct slice more) {
  return FIELD(2, bytes(1, trace_id), bytes(2, SPAN_ID), text(5, "work"), fixed64(7, start_ns), fixed64(8, end_ns),
               more);
}
static inline struct slice nothing(void) {
  return slice_make(NULL, 0);
}
static inline struct slice error_status(void) {
  return FIELD(15, number(3, OTLP_STATUS_ERROR));
}
// A LogRecord in field 2 of ScopeLogs; no trace id when it is empty.
static inline struct slice log_of(struct slice trace_id, uint32_t severity, struct slice more) {
  return FIELD(2, fixed64(1, 1000), number(2, severity), trace_id.len ? bytes(9, trace_id) : nothing(), more);
}
// A whole request of one resource and scope.
static inline struct slice request_of(struct slice items) {
  return FIELD(1, FIELD(1, attribute(1, "service.name", "shop")), FIELD(2, items));
}

#endif
