// SPDX-License-Identifier: Apache-2.0
//
// Sections of records: drawn by hand, and random requests against a plain model that reads the scan item by item.
#include "processor/payload_facts.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/otlp_splice.h"
#include "proto/trace_context.h"
#include "store/segment_index.h"
#include "tests/unit/processor/facts_fixture.h"
#include "tests/unit/proto/otlp_generator.h"

static const struct sampling_policy policies[] = {
    {.kind = SAMPLING_ERRORS},
    {.kind = SAMPLING_ATTRIBUTE, .key = "user.tier", .value = "gold"},
    {.kind = SAMPLING_ATTRIBUTE, .key = "service.name", .value = "shop"},
    {.kind = SAMPLING_ATTRIBUTE, .key = "service.name"},
};
#define TIER_GOLD    (1u << 1)
#define SERVICE_SHOP (1u << 2)
#define SERVICE_ANY  (1u << 3)

static int setup(void **state) {
  struct facts_fixture *fixture = calloc(1, sizeof(*fixture));
  facts_fixture_init(fixture, policies, sizeof(policies) / sizeof(policies[0]));
  *state = fixture;
  return 0;
}

static int teardown(void **state) {
  facts_fixture_finish(*state);
  free(*state);
  return 0;
}

static struct record_facts build(struct facts_fixture *fixture, enum otlp_signal signal, struct slice payload,
                                 struct payload_facts_counts *out_counts) {
  struct slice section;
  struct error error = {""};
  enum status status = payload_facts_build(fixture->builder, signal, payload, &section, out_counts, &error);
  if (status) fail_msg("%s", error.text);
  struct record_facts facts;
  assert_int_equal(record_facts_decode(section, &facts), STATUS_OK);
  assert_true(facts.fingerprint == payload_facts_fingerprint(fixture->builder));
  assert_int_equal(facts.item_count, out_counts->items);
  return facts;
}

static struct record_trace trace_at(const struct record_facts *facts, uint32_t index) {
  struct record_trace trace;
  assert_true(index < facts->trace_count);
  record_facts_trace(facts, index, &trace);
  return trace;
}

static uint32_t requests_of(const struct record_facts *facts, struct record_request out[16]) {
  const uint8_t *cursor = facts->requests;
  uint32_t count = 0;
  while (count < 16 && record_facts_next_request(facts, &cursor, &out[count])) count++;
  return count;
}

static void test_spans_of_one_trace_merge(void **state) {
  struct slice a = trace_id_of(1), b = trace_id_of(2);
  struct slice items =
      JOIN(span_of(a, 500, 600, nothing()), span_of(b, 50, 60, error_status()),
           span_of(a, 300, 550, text(3, "ot=rv:0123456789abcd;th:4")), span_of(a, 400, 900, text(3, "ot=th:8")));
  struct payload_facts_counts counts;
  struct record_facts facts = build(*state, OTLP_TRACES, request_of(items), &counts);
  assert_int_equal(counts.rejected, 0);
  assert_int_equal(facts.trace_count, 2);
  struct record_trace first = trace_at(&facts, 0), second = trace_at(&facts, 1);
  assert_memory_equal(first.trace_id, a.ptr, 16);
  assert_int_equal(first.start_ns, 300);
  assert_int_equal(first.end_ns, 900);
  assert_int_equal(first.span_count, 3);
  assert_int_equal(first.flags, RECORD_TRACE_RANDOMNESS | RECORD_TRACE_THRESHOLD);
  assert_true(first.randomness == UINT64_C(0x0123456789abcd));
  assert_true(first.threshold == UINT64_C(0x80000000000000)); // the strictest
  assert_int_equal(second.flags, RECORD_TRACE_ERROR);
  assert_int_equal(second.span_count, 1);
  const uint32_t expected[] = {0, 1, 0, 0};
  for (uint32_t i = 0; i < 4; i++) assert_int_equal(record_facts_item(&facts, i).trace, expected[i]);
  assert_false(facts.has_errors);
}

static void test_exceptions_and_severities_are_flags(void **state) {
  struct slice a = trace_id_of(1), b = trace_id_of(2);
  struct slice event = FIELD(11, text(2, "exception"), attribute(3, "exception.type", "E"));
  struct payload_facts_counts counts;
  struct record_facts facts =
      build(*state, OTLP_TRACES, request_of(JOIN(span_of(a, 1, 2, nothing()), span_of(b, 1, 2, event))), &counts);
  assert_int_equal(trace_at(&facts, 0).flags, 0);
  assert_int_equal(trace_at(&facts, 1).flags, RECORD_TRACE_EXCEPTION);
  assert_int_equal(record_facts_item(&facts, 0).flags, 0);
  assert_int_equal(record_facts_item(&facts, 1).flags, RECORD_ITEM_ERROR);

  struct slice logs = JOIN(log_of(a, 12, nothing()), log_of(nothing(), 13, nothing()), log_of(b, 17, nothing()),
                           log_of(nothing(), 9, attribute(6, "exception.type", "E")));
  facts = build(*state, OTLP_LOGS, request_of(logs), &counts);
  assert_int_equal(facts.trace_count, 2);
  assert_true(facts.has_errors);
  assert_int_equal(trace_at(&facts, 0).flags, 0);
  assert_int_equal(trace_at(&facts, 0).span_count, 0);
  assert_int_equal(trace_at(&facts, 1).flags, RECORD_TRACE_EXCEPTION);
  const uint8_t flags[] = {0, RECORD_ITEM_WARN, RECORD_ITEM_WARN | RECORD_ITEM_ERROR, RECORD_ITEM_ERROR};
  const uint32_t traces[] = {0, RECORD_NO_TRACE, 1, RECORD_NO_TRACE};
  for (uint32_t i = 0; i < 4; i++) {
    assert_int_equal(record_facts_item(&facts, i).flags, flags[i]);
    assert_int_equal(record_facts_item(&facts, i).trace, traces[i]);
  }
}

static void test_policies_match_items_and_resources(void **state) {
  struct slice a = trace_id_of(1), b = trace_id_of(2), c = trace_id_of(3);
  struct slice shop = FIELD(1, FIELD(1, attribute(1, "service.name", "shop")),
                            FIELD(2, span_of(a, 1, 2, attribute(9, "user.tier", "gold"))));
  // Written after its spans, and found all the same.
  struct slice other = FIELD(1, FIELD(2, span_of(b, 1, 2, attribute(9, "user.tier", "tin"))),
                             FIELD(1, attribute(1, "service.name", "bank")));
  struct slice none = FIELD(1, FIELD(2, span_of(c, 1, 2, nothing())));
  struct payload_facts_counts counts;
  struct record_facts facts = build(*state, OTLP_TRACES, JOIN(shop, other, none), &counts);
  assert_int_equal(trace_at(&facts, 0).matches, TIER_GOLD | SERVICE_SHOP | SERVICE_ANY);
  assert_int_equal(trace_at(&facts, 1).matches, SERVICE_ANY);
  assert_int_equal(trace_at(&facts, 2).matches, 0);
}

static void test_request_ids_of_spans_events_and_logs(void **state) {
  struct slice a = trace_id_of(1), b = trace_id_of(2);
  struct slice event = FIELD(11, text(2, "seen"), attribute(3, "http.request.header.x-request-id", "of-event"));
  struct slice array =
      FIELD(9, text(1, "http.request.header.x-request-id"), FIELD(2, FIELD(5, FIELD(1, text(1, " r-1 ")))));
  struct slice spans = JOIN(span_of(a, 1, 2, JOIN(event, attribute(9, "request_id", "of-span"))), // the span's own wins
                            span_of(a, 1, 2, attribute(9, "request_id", "of-span")),              // known already
                            span_of(b, 1, 2, event), span_of(b, 1, 2, array));
  struct payload_facts_counts counts;
  struct record_facts facts = build(*state, OTLP_TRACES, request_of(spans), &counts);
  struct record_request requests[16];
  assert_int_equal(requests_of(&facts, requests), 3);
  const char *const ids[] = {"of-span", "of-event", "r-1"};
  const uint32_t traces[] = {0, 1, 1};
  for (uint32_t i = 0; i < 3; i++) {
    assert_true(slice_equal_cstr(requests[i].id, ids[i]));
    assert_int_equal(requests[i].trace, traces[i]);
    assert_true(requests[i].key == segment_index_request_key(slice_from_cstr(ids[i])));
  }

  struct slice logs =
      JOIN(log_of(nothing(), 9, nothing()), log_of(nothing(), 9, attribute(6, "request_id", "of-log")),
           log_of(nothing(), 9, FIELD(5, text(1, "{\"a\":[1,{\"request_id\":\"no\"}],\"requestId\":\"of-json\"}"))),
           log_of(a, 9, FIELD(5, FIELD(6, attribute(1, "request_id", "of-body")))));
  facts = build(*state, OTLP_LOGS, request_of(logs), &counts);
  assert_int_equal(requests_of(&facts, requests), 3);
  const char *const log_ids[] = {"of-log", "of-json", "of-body"};
  for (uint32_t i = 0; i < 3; i++) assert_true(slice_equal_cstr(requests[i].id, log_ids[i]));
  assert_int_equal(requests[0].trace, RECORD_NO_TRACE);
  assert_int_equal(requests[0].item, 1);
  assert_int_equal(requests[1].item, 2);
  assert_int_equal(requests[2].trace, 0);
}

static enum otlp_splice_action drop_rejected(void *context, uint32_t index, struct otlp_splice_item *item,
                                             struct slice *state) {
  (void)item;
  (void)state;
  return payload_facts_is_rejected(context, index) ? OTLP_SPLICE_DROP : OTLP_SPLICE_KEEP;
}

// Splices the rejected out of `payload` and checks that the rest has the same section.
static void check_rest(struct facts_fixture *fixture, enum otlp_signal signal, struct slice payload,
                       const struct payload_facts_counts *counts) {
  struct buffer rest, before;
  buffer_init(&rest, 64 << 20);
  buffer_init(&before, 64 << 20);
  uint32_t kept = 0;
  assert_int_equal(otlp_splice(signal, payload, drop_rejected, fixture->builder, &rest, &kept), STATUS_OK);
  assert_int_equal(kept, counts->items);
  struct slice section;
  struct payload_facts_counts again;
  assert_int_equal(payload_facts_build(fixture->builder, signal, payload, &section, &again, NULL), STATUS_OK);
  buffer_append_slice(&before, section);
  assert_int_equal(payload_facts_build(fixture->builder, signal, buffer_slice(&rest), &section, &again, NULL),
                   STATUS_OK);
  assert_int_equal(again.rejected, 0);
  assert_true(slice_equal(section, buffer_slice(&before)));
  buffer_finish(&rest);
  buffer_finish(&before);
}

static void test_unusable_ids_are_rejected_alone(void **state) {
  struct slice zero = slice_make("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16), good = trace_id_of(7);
  struct slice items = JOIN(span_of(good, 1, 2, nothing()), span_of(zero, 1, 2, attribute(9, "request_id", "lost")),
                            FIELD(2, bytes(1, good), bytes(2, SLICE_LITERAL("short"))), span_of(good, 5, 9, nothing()));
  struct payload_facts_counts counts;
  struct record_facts facts = build(*state, OTLP_TRACES, request_of(items), &counts);
  assert_int_equal(counts.items, 2);
  assert_int_equal(counts.rejected, 2);
  assert_string_equal(counts.reject_reason, "span 1: trace_id must be 16 bytes and not all zero");
  assert_int_equal(facts.request_count, 0); // nothing of a rejected span stays behind
  assert_int_equal(trace_at(&facts, 0).span_count, 2);
  struct facts_fixture *fixture = *state;
  const bool rejected[] = {false, true, true, false, false, false};
  for (uint32_t i = 0; i < 6; i++) assert_int_equal(payload_facts_is_rejected(fixture->builder, i), rejected[i]);
  check_rest(fixture, OTLP_TRACES, request_of(items), &counts);
  build(fixture, OTLP_TRACES, request_of(FIELD(2, bytes(1, good), bytes(2, SLICE_LITERAL("short")))), &counts);
  assert_string_equal(counts.reject_reason, "span 0: span_id must be 8 bytes and not all zero");
}

static void test_many_traces(void **state) {
  enum { TRACES = 5000 };
  struct buffer items;
  buffer_init(&items, 64 << 20);
  for (uint32_t round = 0; round < 2; round++) {
    for (uint32_t i = 0; i < TRACES; i++)
      buffer_append_slice(&items, span_of(trace_id_of(i), 1000 - round, 2000 + round, nothing()));
  }
  struct payload_facts_counts counts;
  struct record_facts facts = build(*state, OTLP_TRACES, request_of(buffer_slice(&items)), &counts);
  assert_int_equal(facts.trace_count, TRACES);
  for (uint32_t i = 0; i < TRACES; i++) {
    struct record_trace trace = trace_at(&facts, i);
    assert_memory_equal(trace.trace_id, trace_id_of(i).ptr, 16);
    assert_int_equal(trace.span_count, 2);
    assert_int_equal(trace.start_ns, 999);
    assert_int_equal(trace.end_ns, 2001);
    assert_int_equal(record_facts_item(&facts, i).trace, i);
    assert_int_equal(record_facts_item(&facts, TRACES + i).trace, i);
  }
  buffer_finish(&items);
  // The builder starts anew, whatever the size before.
  facts = build(*state, OTLP_TRACES, request_of(span_of(trace_id_of(3), 1, 2, nothing())), &counts);
  assert_int_equal(facts.trace_count, 1);
  assert_int_equal(trace_at(&facts, 0).span_count, 1);
}

static void test_malformed_and_over_limits(void **state) {
  struct facts_fixture *fixture = *state;
  struct slice section;
  struct payload_facts_counts counts;
  struct error error;
  struct slice broken = FIELD(1, FIELD(2, FIELD(2, bytes(1, TRACE_ID), bytes(2, SPAN_ID), text(5, "\xff"))));
  assert_int_equal(payload_facts_build(fixture->builder, OTLP_TRACES, broken, &section, &counts, &error),
                   STATUS_INVALID);
  assert_non_null(strstr(error.text, "spans.name"));
  struct otlp_limits limits = otlp_limits_default;
  limits.items_max = 2;
  struct payload_facts_options options = facts_fixture_options(fixture);
  options.limits = &limits;
  struct payload_facts *strict = payload_facts_create(&options);
  struct slice span = span_of(trace_id_of(1), 1, 2, nothing());
  assert_int_equal(payload_facts_build(strict, OTLP_TRACES, request_of(JOIN(span, span)), &section, &counts, NULL),
                   STATUS_OK);
  assert_int_equal(
      payload_facts_build(strict, OTLP_TRACES, request_of(JOIN(span, span, span)), &section, &counts, NULL),
      STATUS_TOO_LARGE);
  payload_facts_destroy(strict);
}

static void test_fingerprint_names_the_configuration(void **state) {
  struct facts_fixture *fixture = *state;
  uint64_t usual = payload_facts_fingerprint(fixture->builder);
  struct payload_facts_options options = facts_fixture_options(fixture);
  struct payload_facts *same = payload_facts_create(&options);
  assert_true(payload_facts_fingerprint(same) == usual);
  payload_facts_destroy(same);
  options.keep_severity++;
  struct payload_facts *severity = payload_facts_create(&options);
  assert_true(payload_facts_fingerprint(severity) != usual);
  payload_facts_destroy(severity);
  options = facts_fixture_options(fixture);
  const char *const keys[] = {"my.id"};
  struct correlation *correlation = correlation_create(keys, 1);
  options.correlation = correlation;
  struct payload_facts *ids = payload_facts_create(&options);
  assert_true(payload_facts_fingerprint(ids) != usual);
  payload_facts_destroy(ids);
  correlation_destroy(correlation);
}

// --- random requests against a plain model -------------------------------------------------------------------------

struct model_trace {
  uint8_t id[16];
  uint64_t start_ns, end_ns;
  uint32_t spans, matches;
  uint8_t flags;
};

struct model {
  struct model_trace traces[512];
  uint32_t trace_count, items, rejected;
};

static uint32_t model_matches(const struct facts_fixture *fixture, struct otlp_field_iter iter) {
  uint32_t matches = 0;
  struct otlp_attribute attribute;
  while (otlp_attribute_next(&iter, &attribute)) matches |= sampling_match(fixture->sampling, &attribute);
  return matches;
}

static struct model_trace *model_find(struct model *model, struct slice id) {
  for (uint32_t i = 0; i < model->trace_count; i++)
    if (memcmp(model->traces[i].id, id.ptr, 16) == 0) return &model->traces[i];
  assert_true(model->trace_count < 512);
  struct model_trace *trace = &model->traces[model->trace_count++];
  memcpy(trace->id, id.ptr, 16);
  trace->start_ns = UINT64_MAX;
  return trace;
}

static void model_span(const struct facts_fixture *fixture, struct model_trace *trace, const struct otlp_span *span) {
  if (span->start_ns < trace->start_ns) trace->start_ns = span->start_ns;
  if (span->end_ns > trace->end_ns) trace->end_ns = span->end_ns;
  trace->spans++;
  if (span->status_code == OTLP_STATUS_ERROR) trace->flags |= RECORD_TRACE_ERROR;
  if (span->has_exception) trace->flags |= RECORD_TRACE_EXCEPTION;
  struct trace_context_sampling sampling;
  trace_context_sampling_parse(span->trace_state, &sampling);
  if (sampling.has_randomness) trace->flags |= RECORD_TRACE_RANDOMNESS;
  if (sampling.has_threshold) trace->flags |= RECORD_TRACE_THRESHOLD;
  trace->matches |= model_matches(fixture, otlp_fields(span->bytes, OTLP_SPAN_ATTRIBUTES));
  struct otlp_field_iter events = otlp_fields(span->bytes, OTLP_SPAN_EVENTS);
  struct otlp_span_event event;
  while (otlp_span_event_next(&events, &event))
    trace->matches |= model_matches(fixture, otlp_fields(event.bytes, OTLP_EVENT_ATTRIBUTES));
}

static void check_item(const struct facts_fixture *fixture, struct model *model, enum otlp_signal signal,
                       const struct otlp_item *item, const struct record_facts *facts) {
  if (!item->ids_valid) {
    model->rejected++;
    assert_true(payload_facts_is_rejected(fixture->builder, item->index));
    return;
  }
  assert_false(payload_facts_is_rejected(fixture->builder, item->index));
  struct record_item got = record_facts_item(facts, model->items++);
  struct slice id = signal == OTLP_TRACES ? item->span.trace_id : item->log.trace_id;
  if (id.len != 16) {
    assert_int_equal(got.trace, RECORD_NO_TRACE);
    return;
  }
  struct model_trace *trace = model_find(model, id);
  assert_int_equal(got.trace, (uint32_t)(trace - model->traces));
  trace->matches |= model_matches(fixture, otlp_fields(item->resource, OTLP_RESOURCE_ATTRIBUTES));
  if (signal == OTLP_TRACES) {
    model_span(fixture, trace, &item->span);
  } else {
    trace->matches |= model_matches(fixture, otlp_fields(item->log.bytes, OTLP_LOG_ATTRIBUTES));
    if (item->log.has_exception || item->log.severity_number >= OTLP_SEVERITY_ERROR)
      trace->flags |= RECORD_TRACE_EXCEPTION;
  }
}

static void check_against_model(struct facts_fixture *fixture, enum otlp_signal signal, struct slice payload) {
  static struct model model;
  memset(&model, 0, sizeof(model));
  struct payload_facts_counts counts;
  struct record_facts facts = build(fixture, signal, payload, &counts);
  struct otlp_scan scan;
  struct otlp_item item;
  otlp_scan_init(&scan, signal, payload, NULL);
  while (otlp_scan_next(&scan, &item, NULL) == STATUS_OK) check_item(fixture, &model, signal, &item, &facts);
  assert_int_equal(model.items, counts.items);
  assert_int_equal(model.rejected, counts.rejected);
  assert_int_equal(model.trace_count, facts.trace_count);
  for (uint32_t i = 0; i < model.trace_count; i++) {
    struct record_trace got = trace_at(&facts, i);
    const struct model_trace *want = &model.traces[i];
    assert_memory_equal(got.trace_id, want->id, 16);
    assert_true(got.start_ns == (want->spans ? want->start_ns : 0) && got.end_ns == want->end_ns);
    assert_int_equal(got.span_count, want->spans);
    assert_int_equal(got.matches, want->matches);
    assert_int_equal(got.flags, want->flags);
  }
  check_rest(fixture, signal, payload, &counts);
}

// The generator's ids are all different: between its items come small ones that share three traces.
static void generate_shared_request(struct generator *generator, enum otlp_signal signal, struct buffer *out) {
  for (uint32_t resources = generator_below(generator, 4); resources > 0; resources--) {
    struct buffer scope, resource;
    buffer_init(&scope, 4 << 20);
    buffer_init(&resource, 4 << 20);
    for (uint32_t n = generator_below(generator, 12); n > 0; n--) {
      struct buffer one;
      buffer_init(&one, 4 << 20);
      generate_item(generator, signal, &one, 2);
      struct slice item = buffer_slice(&one);
      bool shared = generator_below(generator, 2) != 0;
      if (shared) {
        struct slice id = trace_id_of(generator_below(generator, 3));
        struct slice more =
            JOIN(bytes(signal == OTLP_TRACES ? 1 : 9, id), bytes(signal == OTLP_TRACES ? 2 : 10, SPAN_ID),
                 attribute(signal == OTLP_TRACES ? 9 : 6, "user.tier", "gold"));
        buffer_append_slice(&scope, bytes(2, more));
      }
      buffer_append_slice(&scope, item);
      buffer_finish(&one);
    }
    if (generator_below(generator, 2))
      buffer_append_slice(&resource,
                          FIELD(1, attribute(1, "service.name", generator_below(generator, 2) ? "shop" : "x")));
    generate_nested(&resource, 2, &scope);
    generate_nested(out, 1, &resource);
  }
}

static void test_random_requests_agree_with_the_model(void **state) {
  struct generator generator = {.state = 20261121, .unknown_fields = true};
  for (uint32_t round = 0; round < 400; round++) {
    wire_text_reset();
    enum otlp_signal signal = round % 2 ? OTLP_LOGS : OTLP_TRACES;
    struct buffer payload;
    buffer_init(&payload, 16 << 20);
    generate_shared_request(&generator, signal, &payload);
    check_against_model(*state, signal, buffer_slice(&payload));
    buffer_finish(&payload);
  }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_spans_of_one_trace_merge),
      TEST(test_exceptions_and_severities_are_flags),
      TEST(test_policies_match_items_and_resources),
      TEST(test_request_ids_of_spans_events_and_logs),
      TEST(test_unusable_ids_are_rejected_alone),
      TEST(test_many_traces),
      TEST(test_malformed_and_over_limits),
      TEST(test_fingerprint_names_the_configuration),
      TEST(test_random_requests_agree_with_the_model),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
