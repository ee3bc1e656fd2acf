// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <opentelemetry/proto/collector/metrics/v1/metrics_service.pb-c.h>

#include "proto/otlp_scan.h"
#include "tests/unit/proto/reflect.h"
#include "tests/unit/proto/wire_text.h"

static int setup(void **state) {
  (void)state;
  wire_text_reset();
  return 0;
}

static int finish(void **state) {
  (void)state;
  wire_text_finish();
  return 0;
}

#define METRICS(...) FIELD(1, FIELD(1, attribute(1, "a", "b")), FIELD(2, FIELD(1, text(1, "scope")), __VA_ARGS__))
#define POINT        FIELD(1, fixed64(3, 1))

static void data_points_of_every_kind_count(void **state) {
  (void)state;
  uint64_t points = 99;
  assert_int_equal(otlp_scan_metrics(slice_make(NULL, 0), &points, NULL), STATUS_OK);
  assert_int_equal(points, 0);
  assert_int_equal(otlp_scan_metrics(METRICS(FIELD(2, text(1, "m"))), &points, NULL), STATUS_OK);
  assert_int_equal(points, 0);
  struct slice payload =
      JOIN(METRICS(FIELD(2, text(1, "gauge"), FIELD(5, POINT, POINT)),
                   FIELD(2, FIELD(7, POINT, number(2, 2), number(3, 1)))),
           METRICS(FIELD(2, FIELD(9, POINT, EMPTY_FIELD(1))), FIELD(2, FIELD(10, POINT)), FIELD(2, FIELD(11, POINT))),
           FIELD(1000, POINT));
  assert_int_equal(otlp_scan_metrics(payload, &points, NULL), STATUS_OK);
  assert_int_equal(points, 8 - 1);
  assert_int_equal(otlp_scan_metrics(payload, NULL, NULL), STATUS_OK);
}

static void broken_framing_is_named(void **state) {
  (void)state;
  static const struct slice cut = {(const uint8_t *)"\x0a\x05", 2};
  const struct {
    struct slice payload;
    const char *words;
  } cases[] = {
      {cut, "resource_metrics: a field that is cut short or malformed at byte 0"},
      {number(1, 1), "resource_metrics: wrong wire type at byte"},
      {FIELD(1, number(2, 1)), "resource_metrics.scope_metrics: wrong wire type"},
      {METRICS(number(2, 1)), "resource_metrics.scope_metrics.metrics: wrong"},
      {METRICS(FIELD(2, number(9, 1))), "metrics.histogram: wrong"},
      {METRICS(FIELD(2, FIELD(5, cut))), "metrics.gauge.data_points: a field that is cut short"},
      {METRICS(FIELD(2, FIELD(5, fixed64(1, 1)))), "metrics.gauge.data_points: wrong"},
      {METRICS(FIELD(2, FIELD(7, SLICE_LITERAL("\x9b\x06")))), "metrics.sum: a group"},
      {METRICS(FIELD(2, FIELD(7, SLICE_LITERAL("\x02")))), "metrics.sum: a malformed tag"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct error error = {""};
    uint64_t points = 99;
    assert_int_equal(otlp_scan_metrics(cases[i].payload, &points, &error), STATUS_INVALID);
    if (!strstr(error.text, cases[i].words)) fail_msg("expected \"%s\" in \"%s\"", cases[i].words, error.text);
    assert_int_equal(points, 99); // untouched
  }
}

static uint64_t count_points(const Opentelemetry__Proto__Metrics__V1__Metric *metric) {
  switch (metric->data_case) {
  case OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_GAUGE: return metric->gauge->n_data_points;
  case OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_SUM: return metric->sum->n_data_points;
  case OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_HISTOGRAM: return metric->histogram->n_data_points;
  case OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_EXPONENTIAL_HISTOGRAM:
    return metric->exponential_histogram->n_data_points;
  case OPENTELEMETRY__PROTO__METRICS__V1__METRIC__DATA_SUMMARY: return metric->summary->n_data_points;
  default: return 0;
  }
}

// Random requests, packed again by protobuf-c so that of a metric's alternatives only one is left.
static void the_count_is_that_of_protobuf_c(void **state) {
  (void)state;
  const ProtobufCMessageDescriptor *type =
      &opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__descriptor;
  struct buffer wire;
  uint64_t total = 0;
  buffer_init(&wire, 1 << 24);
  for (uint64_t seed = 0; seed < 600; seed++) {
    struct generator generator = {.state = seed};
    uint64_t points = 0, expected = 0;
    buffer_clear(&wire);
    reflect_random_message(&generator, type, 7, &wire);
    ProtobufCMessage *message = protobuf_c_message_unpack(type, NULL, wire.len, wire.ptr);
    assert_non_null(message);
    buffer_clear(&wire);
    uint8_t *packed = buffer_reserve(&wire, protobuf_c_message_get_packed_size(message));
    assert_non_null(packed);
    wire.len += protobuf_c_message_pack(message, packed);
    const Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceRequest *request = (const void *)message;
    for (size_t r = 0; r < request->n_resource_metrics; r++) {
      for (size_t s = 0; s < request->resource_metrics[r]->n_scope_metrics; s++) {
        const Opentelemetry__Proto__Metrics__V1__ScopeMetrics *scope = request->resource_metrics[r]->scope_metrics[s];
        for (size_t m = 0; m < scope->n_metrics; m++) expected += count_points(scope->metrics[m]);
      }
    }
    assert_int_equal(otlp_scan_metrics(buffer_slice(&wire), &points, NULL), STATUS_OK);
    assert_int_equal(points, expected);
    total += points;
    for (size_t cut = 0; cut < wire.len && seed < 30; cut++) {
      enum status status = otlp_scan_metrics(slice_make(wire.ptr, cut), &points, NULL);
      assert_true(status == STATUS_INVALID || (status == STATUS_OK && points <= expected));
    }
    protobuf_c_message_free_unpacked(message, NULL);
  }
  assert_true(total > 300);
  buffer_finish(&wire);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(data_points_of_every_kind_count, setup),
      cmocka_unit_test_setup(broken_framing_is_named, setup),
      cmocka_unit_test_setup(the_count_is_that_of_protobuf_c, setup),
  };
  return cmocka_run_group_tests_name("otlp_metrics", tests, NULL, finish);
}
