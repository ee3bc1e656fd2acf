// SPDX-License-Identifier: Apache-2.0
//
// What the demo makes up is what an application could send: the door's own parser and scan take all of it.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "collector/demo.h"
#include "processor/correlation.h"
#include "proto/otlp_json.h"
#include "proto/otlp_scan.h"

#define NOW UINT64_C(1763700000000000000)

struct fixture {
  struct json_parser *parser;
  struct correlation *correlation;
  struct buffer traces, logs, wire;
};

static int setup(void **state) {
  struct fixture *fixture = calloc(1, sizeof(*fixture));
  fixture->parser = json_parser_create(16 << 20);
  fixture->correlation = correlation_create(NULL, 0);
  buffer_init(&fixture->traces, 4 << 20);
  buffer_init(&fixture->logs, 4 << 20);
  buffer_init(&fixture->wire, 4 << 20);
  *state = fixture;
  return 0;
}

static int teardown(void **state) {
  struct fixture *fixture = *state;
  json_parser_destroy(fixture->parser);
  correlation_destroy(fixture->correlation);
  buffer_finish(&fixture->traces);
  buffer_finish(&fixture->logs);
  buffer_finish(&fixture->wire);
  free(fixture);
  return 0;
}

static struct demo_counts make(struct fixture *fixture, uint64_t seed) {
  buffer_clear(&fixture->traces);
  buffer_clear(&fixture->logs);
  struct demo_counts counts = demo_request(seed, seed, NOW, &fixture->traces, &fixture->logs);
  assert_false(fixture->traces.failed || fixture->logs.failed);
  return counts;
}

static void begin_scan(struct fixture *fixture, enum otlp_signal signal, struct otlp_scan *scan) {
  buffer_clear(&fixture->wire);
  struct error error = {""};
  struct slice text = buffer_slice(signal == OTLP_TRACES ? &fixture->traces : &fixture->logs);
  enum status status = otlp_json_to_wire(signal, fixture->parser, text, &fixture->wire, &error);
  if (status) fail_msg("%s", error.text);
  otlp_scan_init(scan, signal, buffer_slice(&fixture->wire), NULL);
}

// Every span's parent is a span of the request and contains it; one has none.
static void check_tree(const struct otlp_span *spans, uint32_t count) {
  uint32_t roots = 0;
  for (uint32_t i = 0; i < count; i++) {
    assert_true(slice_equal(spans[i].trace_id, spans[0].trace_id));
    assert_true(spans[i].start_ns < spans[i].end_ns && spans[i].end_ns <= NOW);
    const struct otlp_span *parent = NULL;
    for (uint32_t k = 0; k < count; k++) {
      if (k != i) assert_false(slice_equal(spans[k].span_id, spans[i].span_id));
      if (slice_equal(spans[k].span_id, spans[i].parent_span_id)) parent = &spans[k];
    }
    if (spans[i].parent_span_id.len == 0) {
      roots++;
      assert_true(spans[i].end_ns == NOW);
      continue;
    }
    assert_non_null(parent);
    assert_true(parent->start_ns <= spans[i].start_ns && spans[i].end_ns <= parent->end_ns);
  }
  assert_int_equal(roots, 1);
}

static void check_request(struct fixture *fixture, uint64_t seed, uint64_t *exceptions) {
  struct demo_counts counts = make(fixture, seed), seen = {0};
  struct otlp_scan scan;
  struct otlp_item item;
  struct error error = {""};
  struct otlp_span spans[64];
  char request_id[64] = "";
  begin_scan(fixture, OTLP_TRACES, &scan);
  while (otlp_scan_next(&scan, &item, &error) == STATUS_OK) {
    assert_true(item.ids_valid);
    assert_true(seen.spans < 64);
    spans[seen.spans++] = item.span;
    seen.exceptions += item.span.has_exception;
    assert_int_equal(item.span.status_code, item.span.has_exception ? OTLP_STATUS_ERROR : 0);
    assert_true(otlp_resource_string(item.resource, "service.name").len > 0);
    struct slice id = correlation_of_span(fixture->correlation, &item.span);
    if (!id.len) continue;
    if (!request_id[0]) snprintf(request_id, sizeof(request_id), "%.*s", SLICE_PRINTF(id));
    assert_true(slice_equal_cstr(id, request_id));
  }
  assert_string_equal(error.text, "");
  assert_true(counts.spans >= 5 && counts.spans <= 40);
  check_tree(spans, seen.spans);
  begin_scan(fixture, OTLP_LOGS, &scan);
  while (otlp_scan_next(&scan, &item, &error) == STATUS_OK) {
    seen.logs++;
    assert_true(slice_equal_cstr(correlation_of_log(fixture->correlation, &item.log), request_id));
  }
  assert_string_equal(error.text, "");
  assert_memory_equal(&seen, &counts, sizeof(seen));
  *exceptions += counts.exceptions;
}

static void test_requests_are_what_they_say(void **state) {
  uint64_t exceptions = 0;
  for (uint64_t seed = 0; seed < 600; seed++) check_request(*state, seed, &exceptions);
  assert_in_range(exceptions, 10, 150); // now and then
}

static void test_the_seed_decides(void **state) {
  struct fixture *fixture = *state;
  struct buffer before;
  buffer_init(&before, 4 << 20);
  make(fixture, 7);
  buffer_append_slice(&before, buffer_slice(&fixture->traces));
  make(fixture, 7);
  assert_true(slice_equal(buffer_slice(&before), buffer_slice(&fixture->traces)));
  make(fixture, 8);
  assert_false(slice_equal(buffer_slice(&before), buffer_slice(&fixture->traces)));
  buffer_finish(&before);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_requests_are_what_they_say, setup, teardown),
      cmocka_unit_test_setup_teardown(test_the_seed_decides, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
