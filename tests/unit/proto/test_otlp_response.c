// SPDX-License-Identifier: Apache-2.0
//
// Written answers are read back by protobuf-c and by the JSON parser, not by the reader beside the writer.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <google/rpc/error_details.pb-c.h>
#include <google/rpc/status.pb-c.h>
#include <opentelemetry/proto/collector/logs/v1/logs_service.pb-c.h>
#include <opentelemetry/proto/collector/metrics/v1/metrics_service.pb-c.h>
#include <opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h>

#include "base/json.h"
#include "proto/otlp_response.h"
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

static struct slice write_response(enum otlp_signal signal, enum otlp_encoding encoding, uint64_t rejected,
                                   const char *message) {
  struct otlp_response response = {rejected, slice_from_cstr(message)};
  struct buffer out;
  buffer_init(&out, OTLP_RESPONSE_BYTES_MAX);
  assert_int_equal(otlp_response_write(signal, encoding, &response, &out), STATUS_OK);
  return wire_text_keep(&out);
}

static void assert_text(struct slice text, const char *expected) {
  if (!slice_equal_cstr(text, expected)) fail_msg("\"%.*s\" is not \"%s\"", SLICE_PRINTF(text), expected);
}

static void full_success_says_nothing(void **state) {
  (void)state;
  for (enum otlp_signal signal = OTLP_TRACES; signal <= OTLP_METRICS; signal++) {
    assert_int_equal(write_response(signal, OTLP_PROTOBUF, 0, "").len, 0);
    assert_text(write_response(signal, OTLP_JSON, 0, ""), "{}");
  }
}

static void partial_success_counts_and_explains(void **state) {
  (void)state;
  struct slice wire = write_response(OTLP_TRACES, OTLP_PROTOBUF, 3, "span 7: gr\xc3\xbc\xc3\x9f");
  Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceResponse *traces =
      opentelemetry__proto__collector__trace__v1__export_trace_service_response__unpack(NULL, wire.len, wire.ptr);
  assert_non_null(traces);
  assert_int_equal(traces->partial_success->rejected_spans, 3);
  assert_string_equal(traces->partial_success->error_message, "span 7: gr\xc3\xbc\xc3\x9f");
  opentelemetry__proto__collector__trace__v1__export_trace_service_response__free_unpacked(traces, NULL);

  wire = write_response(OTLP_LOGS, OTLP_PROTOBUF, INT64_MAX, "");
  Opentelemetry__Proto__Collector__Logs__V1__ExportLogsServiceResponse *logs =
      opentelemetry__proto__collector__logs__v1__export_logs_service_response__unpack(NULL, wire.len, wire.ptr);
  assert_non_null(logs);
  assert_int_equal(logs->partial_success->rejected_log_records, INT64_MAX);
  opentelemetry__proto__collector__logs__v1__export_logs_service_response__free_unpacked(logs, NULL);

  wire = write_response(OTLP_METRICS, OTLP_PROTOBUF, 0, "a warning");
  Opentelemetry__Proto__Collector__Metrics__V1__ExportMetricsServiceResponse *metrics =
      opentelemetry__proto__collector__metrics__v1__export_metrics_service_response__unpack(NULL, wire.len, wire.ptr);
  assert_non_null(metrics);
  assert_int_equal(metrics->partial_success->rejected_data_points, 0);
  assert_string_equal(metrics->partial_success->error_message, "a warning");
  opentelemetry__proto__collector__metrics__v1__export_metrics_service_response__free_unpacked(metrics, NULL);

  assert_text(write_response(OTLP_TRACES, OTLP_JSON, 3, "\"x\""),
              "{\"partialSuccess\":{\"rejectedSpans\":\"3\",\"errorMessage\":\"\\\"x\\\"\"}}");
  assert_text(write_response(OTLP_LOGS, OTLP_JSON, 1, ""), "{\"partialSuccess\":{\"rejectedLogRecords\":\"1\"}}");
  assert_text(write_response(OTLP_METRICS, OTLP_JSON, 2, "m"),
              "{\"partialSuccess\":{\"rejectedDataPoints\":\"2\",\"errorMessage\":\"m\"}}");
  assert_text(write_response(OTLP_METRICS, OTLP_JSON, 0, "m"), "{\"partialSuccess\":{\"errorMessage\":\"m\"}}");
}

static void messages_are_shortened_to_fit(void **state) {
  (void)state;
  char message[3001];
  for (size_t i = 0; i < 1000; i++) memcpy(message + 3 * i, "\xe2\x82\xac", 3); // euro signs
  message[3000] = 0;
  struct otlp_response response = {5, slice_from_cstr(message)};
  for (int encoding = OTLP_PROTOBUF; encoding <= OTLP_JSON; encoding++) {
    size_t shortest = encoding == OTLP_JSON ? 40 : 4, last = 0;
    for (size_t max = 1; max < 3200; max += 7) {
      struct buffer out;
      buffer_init(&out, max);
      enum status status = otlp_response_write(OTLP_TRACES, (enum otlp_encoding)encoding, &response, &out);
      if (status != STATUS_OK) {
        assert_int_equal(status, STATUS_TOO_LARGE);
        assert_true(max < shortest + 2);
        assert_int_equal(out.len, 0);
      } else {
        assert_true(out.len <= max && out.len >= last);
        assert_true(slice_is_utf8(buffer_slice(&out)) || encoding == OTLP_PROTOBUF);
        last = out.len;
      }
      if (status == STATUS_OK && encoding == OTLP_PROTOBUF) {
        struct otlp_response read;
        assert_int_equal(otlp_response_read(buffer_slice(&out), &read, NULL), STATUS_OK);
        assert_int_equal(read.rejected, 5);
        assert_true(slice_is_utf8(read.message)); // never cut within a character
        assert_true(slice_starts_with(response.message, read.message));
      }
      buffer_finish(&out);
    }
    assert_true(last > 3000); // and whole when there is room
  }
}

static void messages_are_made_utf8(void **state) {
  (void)state;
  struct otlp_response read;
  struct slice wire = write_response(OTLP_TRACES, OTLP_PROTOBUF, 1, "bad \xff name \xe2\x82");
  assert_int_equal(otlp_response_read(wire, &read, NULL), STATUS_OK);
  assert_text(read.message, "bad \xef\xbf\xbd name \xef\xbf\xbd");
  wire = write_response(OTLP_TRACES, OTLP_JSON, 1, "bad \xff");
  assert_true(slice_is_utf8(wire));
}

static struct slice write_status(enum otlp_encoding encoding, const struct otlp_status *status) {
  struct buffer out;
  buffer_init(&out, OTLP_RESPONSE_BYTES_MAX);
  assert_int_equal(otlp_response_write_status(encoding, status, &out), STATUS_OK);
  return wire_text_keep(&out);
}

static void statuses_are_what_protobuf_reads(void **state) {
  (void)state;
  struct otlp_status status = {.code = 14,
                               .message = SLICE_LITERAL("try later"),
                               .has_retry = true,
                               .retry_ns = UINT64_C(2500000001),
                               .bad_field = SLICE_LITERAL("resource_spans"),
                               .bad_reason = SLICE_LITERAL("why")};
  struct slice wire = write_status(OTLP_PROTOBUF, &status);
  Google__Rpc__Status *theirs = google__rpc__status__unpack(NULL, wire.len, wire.ptr);
  assert_non_null(theirs);
  assert_int_equal(theirs->code, 14);
  assert_string_equal(theirs->message, "try later");
  assert_int_equal(theirs->n_details, 2);
  assert_string_equal(theirs->details[0]->type_url, "type.googleapis.com/google.rpc.RetryInfo");
  Google__Rpc__RetryInfo *retry =
      google__rpc__retry_info__unpack(NULL, theirs->details[0]->value.len, theirs->details[0]->value.data);
  assert_non_null(retry);
  assert_int_equal(retry->retry_delay->seconds, 2);
  assert_int_equal(retry->retry_delay->nanos, 500000001);
  google__rpc__retry_info__free_unpacked(retry, NULL);
  assert_string_equal(theirs->details[1]->type_url, "type.googleapis.com/google.rpc.BadRequest");
  Google__Rpc__BadRequest *bad =
      google__rpc__bad_request__unpack(NULL, theirs->details[1]->value.len, theirs->details[1]->value.data);
  assert_non_null(bad);
  assert_int_equal(bad->n_field_violations, 1);
  assert_string_equal(bad->field_violations[0]->field, "resource_spans");
  assert_string_equal(bad->field_violations[0]->description, "why");
  google__rpc__bad_request__free_unpacked(bad, NULL);
  google__rpc__status__free_unpacked(theirs, NULL);
  assert_int_equal(write_status(OTLP_PROTOBUF, &(struct otlp_status){0}).len, 0);
}

static void statuses_in_json(void **state) {
  (void)state;
  struct otlp_status status = {
      .code = 3, .message = SLICE_LITERAL("no"), .bad_field = SLICE_LITERAL("a.b"), .bad_reason = SLICE_LITERAL("c")};
  assert_text(write_status(OTLP_JSON, &status),
              "{\"code\":3,\"message\":\"no\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.BadRequest\","
              "\"fieldViolations\":[{\"field\":\"a.b\",\"description\":\"c\"}]}]}");
  static const struct {
    uint64_t ns;
    const char *text;
  } delays[] = {
      {0, "0s"}, {30000000000, "30s"}, {1500000000, "1.500s"}, {1000, "0.000001s"}, {1000000001, "1.000000001s"}};
  for (size_t i = 0; i < sizeof delays / sizeof delays[0]; i++) {
    char expected[160];
    status = (struct otlp_status){.code = 8, .has_retry = true, .retry_ns = delays[i].ns};
    (void)snprintf(
        expected, sizeof expected,
        "{\"code\":8,\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.RetryInfo\",\"retryDelay\":\"%s\"}]}",
        delays[i].text);
    assert_text(write_status(OTLP_JSON, &status), expected);
  }
  assert_text(write_status(OTLP_JSON, &(struct otlp_status){0}), "{}");
}

static void responses_are_read(void **state) {
  (void)state;
  static const struct slice nothing = {NULL, 0};
  struct otlp_response read;
  assert_int_equal(otlp_response_read(nothing, &read, NULL), STATUS_OK);
  assert_true(read.rejected == 0 && read.message.len == 0);
  assert_int_equal(otlp_response_read(EMPTY_FIELD(1), &read, NULL),
                   STATUS_OK); // what other collectors send for success
  assert_true(read.rejected == 0 && read.message.len == 0);
  assert_int_equal(
      otlp_response_read(JOIN(number(9, 1), FIELD(1, number(1, 7), text(2, "m"), fixed32(5, 1))), &read, NULL),
      STATUS_OK);
  assert_int_equal(read.rejected, 7);
  assert_text(read.message, "m");
  assert_int_equal(otlp_response_read(FIELD(1, number(1, UINT64_MAX)), &read, NULL), STATUS_OK);
  assert_int_equal(read.rejected, 0); // -1
  struct error error;
  read.rejected = 99;
  assert_int_equal(otlp_response_read(SLICE_LITERAL("\x0a\x05\x08"), &read, &error), STATUS_INVALID);
  assert_int_equal(otlp_response_read(FIELD(1, SLICE_LITERAL("\x08")), &read, &error), STATUS_INVALID);
  assert_int_equal(read.rejected, 99); // untouched
}

static struct slice retry_detail(struct slice duration) {
  return FIELD(3, text(1, "type.googleapis.com/google.rpc.RetryInfo"), FIELD(2, bytes(1, duration)));
}

static void statuses_are_read(void **state) {
  (void)state;
  struct otlp_status status;
  struct slice unknown = FIELD(3, text(1, "type.googleapis.com/google.rpc.Help"), text(2, "\xff\xff"));
  struct slice bad = FIELD(3, text(1, "type.googleapis.com/google.rpc.BadRequest"),
                           FIELD(2, FIELD(1, text(1, "f"), text(2, "d")), FIELD(1, text(1, "second"))));
  struct slice wire = JOIN(number(1, 8), text(2, "slow down"), unknown, retry_detail(JOIN(number(1, 3), number(2, 5))),
                           bad, number(50, 1));
  assert_int_equal(otlp_response_read_status(wire, &status, NULL), STATUS_OK);
  assert_int_equal(status.code, 8);
  assert_text(status.message, "slow down");
  assert_true(status.has_retry);
  assert_int_equal(status.retry_ns, UINT64_C(3000000005));
  assert_text(status.bad_field, "f");
  assert_text(status.bad_reason, "d");
  // RetryInfo without a delay is one all the same; impossible delays are bounded.
  assert_int_equal(otlp_response_read_status(FIELD(3, text(1, "x/google.rpc.RetryInfo")), &status, NULL), STATUS_OK);
  assert_true(status.has_retry && status.retry_ns == 0);
  assert_int_equal(otlp_response_read_status(retry_detail(number(1, UINT64_MAX)), &status, NULL), STATUS_OK);
  assert_int_equal(status.retry_ns, 0);
  assert_int_equal(otlp_response_read_status(retry_detail(number(1, INT64_MAX)), &status, NULL), STATUS_OK);
  assert_true(status.retry_ns > UINT64_C(9000000000) * 1000000000 && status.retry_ns <= INT64_MAX);
  assert_int_equal(otlp_response_read_status(slice_make(NULL, 0), &status, NULL), STATUS_OK);
  assert_false(status.has_retry);
  // Cut anywhere it is malformed or less, never more.
  for (size_t len = 0; len < wire.len; len++) {
    if (otlp_response_read_status(slice_sub(wire, 0, len), &status, NULL) == STATUS_OK) assert_true(status.code <= 8);
  }
  assert_int_equal(otlp_response_read_status(retry_detail(SLICE_LITERAL("\x08")), &status, NULL), STATUS_INVALID);
}

static void what_is_written_can_be_read(void **state) {
  (void)state;
  struct otlp_status read,
      status = {.code = 14, .has_retry = true, .retry_ns = 999999999, .bad_reason = SLICE_LITERAL("r")};
  assert_int_equal(otlp_response_read_status(write_status(OTLP_PROTOBUF, &status), &read, NULL), STATUS_OK);
  assert_int_equal(read.retry_ns, 999999999);
  assert_text(read.bad_reason, "r");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(full_success_says_nothing, setup),
      cmocka_unit_test_setup(partial_success_counts_and_explains, setup),
      cmocka_unit_test_setup(messages_are_shortened_to_fit, setup),
      cmocka_unit_test_setup(messages_are_made_utf8, setup),
      cmocka_unit_test_setup(statuses_are_what_protobuf_reads, setup),
      cmocka_unit_test_setup(statuses_in_json, setup),
      cmocka_unit_test_setup(responses_are_read, setup),
      cmocka_unit_test_setup(statuses_are_read, setup),
      cmocka_unit_test_setup(what_is_written_can_be_read, setup),
  };
  return cmocka_run_group_tests_name("otlp_response", tests, NULL, finish);
}
