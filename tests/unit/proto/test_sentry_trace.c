// SPDX-License-Identifier: Apache-2.0
//
// Sentry's transactions, spans and logs, read back by the scan that reads OTLP.
#include "proto/sentry_trace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "proto/otlp_scan.h"
#include "proto/sentry_log.h"

#define TRACE   "4bf92f3577b34da6a3ce929d0e0e4736"
#define ROOT    "00f067aa0ba902b7"
#define CHILD   "00f067aa0ba902b8"
#define START   "\"start_timestamp\":\"2026-11-21T09:30:00.000001Z\""
#define END     "\"timestamp\":1795253400.25"
#define BASE_NS (UINT64_C(1795253400) * NS_PER_S)

struct fixture {
  struct json_parser *parser;
  struct json_value root;
  struct buffer out;
  struct otlp_scan scan;
  struct otlp_item item;
};

static void begin(struct fixture *f, const char *text) {
  f->parser = json_parser_create(1 << 20);
  buffer_init(&f->out, 1 << 20);
  assert_int_equal(json_parse(f->parser, slice_from_cstr(text), &f->root, NULL), STATUS_OK);
}

static void finish(struct fixture *f) {
  json_parser_destroy(f->parser);
  buffer_finish(&f->out);
}

static void next(struct fixture *f) {
  struct error error = {""};
  if (otlp_scan_next(&f->scan, &f->item, &error) != STATUS_OK) fail_msg("no item: %s", error.text);
}

static void assert_text(struct slice message, uint32_t field, const char *key, const char *wanted) {
  struct otlp_any value;
  if (!otlp_attribute_find(message, field, slice_from_cstr(key), &value)) {
    assert_null(wanted);
    return;
  }
  assert_non_null(wanted);
  assert_int_equal(value.kind, OTLP_ANY_STRING);
  assert_true(slice_equal_cstr(value.bytes, wanted));
}

static void assert_hex(struct slice id, const char *wanted) {
  char hex[33] = "";
  assert_true(id.len <= 16);
  slice_to_hex(id, hex);
  assert_string_equal(hex, wanted);
}

static const struct sentry_trace_source source = {.drift_ns = 0};

static void test_a_transaction_is_a_root_and_its_children(void **state) {
  (void)state;
  struct fixture f;
  begin(&f, "{\"transaction\":\"GET /cart\"," START "," END ",\"release\":\"1.2\",\"environment\":\"prod\","
            "\"tags\":{\"request_id\":\"r-1\"},\"measurements\":{\"lcp\":{\"value\":2.5}},"
            "\"request\":{\"headers\":{\"X-Request-Id\":\"r-2\"}},\"transaction_info\":{\"source\":\"route\"},"
            "\"contexts\":{\"trace\":{\"trace_id\":\"" TRACE "\",\"span_id\":\"" ROOT "\",\"op\":\"http.server\","
            "\"status\":\"internal_error\",\"data\":{\"http.response.status_code\":500}}},"
            "\"spans\":[{\"span_id\":\"" CHILD "\",\"parent_span_id\":\"" ROOT "\",\"op\":\"db.sql\","
            "\"description\":\"SELECT 1\",\"status\":\"ok\"," START ",\"exclusive_time\":2.5,"
            "\"data\":{\"db.system\":\"sqlite\",\"list\":[1,\"a\"],\"deep\":{\"a\":1}}},"
            "{\"span_id\":\"nope\"," START "," END "},7]}");
  struct sentry_trace_counts counts;
  struct sentry_trace_source named = {.service = SLICE_LITERAL("shop")};
  assert_int_equal(sentry_trace_write_transaction(f.root, &named, &f.out, &counts, NULL), STATUS_OK);
  assert_int_equal(counts.spans, 2);
  assert_int_equal(counts.faulty, 2);
  otlp_scan_init(&f.scan, OTLP_TRACES, buffer_slice(&f.out), NULL);
  next(&f);
  struct otlp_span *span = &f.item.span;
  assert_true(f.item.ids_valid && slice_equal_cstr(span->name, "GET /cart"));
  assert_hex(span->trace_id, TRACE);
  assert_hex(span->span_id, ROOT);
  assert_int_equal(span->parent_span_id.len, 0);
  assert_int_equal(span->kind, 2);
  assert_true(span->start_ns == BASE_NS + 1000 && span->end_ns == BASE_NS + 250 * NS_PER_MS);
  assert_int_equal(span->status_code, OTLP_STATUS_ERROR);
  assert_true(slice_equal_cstr(span->status_message, "internal_error"));
  assert_text(span->bytes, OTLP_SPAN_ATTRIBUTES, "request_id", "r-1");
  assert_text(span->bytes, OTLP_SPAN_ATTRIBUTES, "http.request.header.x-request-id", "r-2");
  assert_text(span->bytes, OTLP_SPAN_ATTRIBUTES, "sentry.source", "route");
  struct otlp_any value;
  assert_true(otlp_attribute_find(span->bytes, OTLP_SPAN_ATTRIBUTES, SLICE_LITERAL("measurement.lcp"), &value));
  assert_true(value.kind == OTLP_ANY_DOUBLE && value.f64 > 2.4 && value.f64 < 2.6);
  assert_true(
      otlp_attribute_find(span->bytes, OTLP_SPAN_ATTRIBUTES, SLICE_LITERAL("http.response.status_code"), &value));
  assert_int_equal(value.i64, 500);
  assert_text(f.item.resource, OTLP_RESOURCE_ATTRIBUTES, "service.name", "shop");
  assert_text(f.item.resource, OTLP_RESOURCE_ATTRIBUTES, "service.version", "1.2");
  assert_text(f.item.resource, OTLP_RESOURCE_ATTRIBUTES, "deployment.environment.name", "prod");
  next(&f);
  assert_true(slice_equal_cstr(span->name, "SELECT 1"));
  assert_hex(span->trace_id, TRACE);
  assert_hex(span->parent_span_id, ROOT);
  assert_int_equal(span->kind, 3);
  assert_true(span->end_ns == span->start_ns + 2500 * NS_PER_US);
  assert_int_equal(span->status_code, 0);
  assert_text(span->bytes, OTLP_SPAN_ATTRIBUTES, "db.system", "sqlite");
  assert_text(span->bytes, OTLP_SPAN_ATTRIBUTES, "deep", "{\"a\":1}");
  assert_true(otlp_attribute_find(span->bytes, OTLP_SPAN_ATTRIBUTES, SLICE_LITERAL("list"), &value));
  assert_int_equal(value.kind, OTLP_ANY_ARRAY);
  assert_int_equal(otlp_scan_next(&f.scan, &f.item, NULL), STATUS_END);
  finish(&f);
}

static void test_a_transaction_without_ids_or_times_is_refused(void **state) {
  (void)state;
  static const char *const texts[] = {
      "{" START "," END "}", "{\"contexts\":{\"trace\":{\"trace_id\":\"" TRACE "\",\"span_id\":\"" ROOT "\"}}}",
      "{" START "," END ",\"contexts\":{\"trace\":{\"trace_id\":\"" TRACE "\",\"span_id\":\"0000000000000000\"}}}"};
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    struct fixture f;
    struct sentry_trace_counts counts;
    begin(&f, texts[i]);
    assert_int_equal(sentry_trace_write_transaction(f.root, &source, &f.out, &counts, NULL), STATUS_INVALID);
    assert_int_equal(f.out.len, 0);
    finish(&f);
  }
}

static void test_spans_of_version_2(void **state) {
  (void)state;
  struct fixture f;
  begin(&f, "{\"items\":[{\"trace_id\":\"" TRACE "\",\"span_id\":\"" CHILD "\",\"parent_span_id\":\"" ROOT "\","
            "\"name\":\"work\",\"status\":\"error\",\"kind\":\"consumer\",\"start_timestamp\":1795253400,"
            "\"end_timestamp\":1795253400.5,\"attributes\":{\"n\":{\"value\":\"18\",\"type\":\"integer\"},"
            "\"service.name\":{\"value\":\"worker\",\"type\":\"string\"},\"d\":{\"value\":2,\"type\":\"double\"}},"
            "\"links\":[{\"trace_id\":\"" TRACE "\",\"span_id\":\"" ROOT "\"},{}]},{}]}");
  struct sentry_trace_counts counts;
  const struct sentry_trace_source moved = {.drift_ns = -(int64_t)(3600 * NS_PER_S)};
  assert_int_equal(sentry_trace_write_spans(f.root, &moved, &f.out, &counts, NULL), STATUS_OK);
  assert_true(counts.spans == 1 && counts.faulty == 1);
  otlp_scan_init(&f.scan, OTLP_TRACES, buffer_slice(&f.out), NULL);
  next(&f);
  assert_true(slice_equal_cstr(f.item.span.name, "work"));
  assert_int_equal(f.item.span.kind, 5);
  assert_int_equal(f.item.span.status_code, OTLP_STATUS_ERROR);
  assert_int_equal(f.item.span.link_count, 1);
  assert_true(f.item.span.start_ns == BASE_NS - 3600 * NS_PER_S);
  struct otlp_any value;
  assert_true(otlp_attribute_find(f.item.span.bytes, OTLP_SPAN_ATTRIBUTES, SLICE_LITERAL("n"), &value));
  assert_true(value.kind == OTLP_ANY_I64 && value.i64 == 18);
  assert_true(otlp_attribute_find(f.item.span.bytes, OTLP_SPAN_ATTRIBUTES, SLICE_LITERAL("d"), &value));
  assert_int_equal(value.kind, OTLP_ANY_DOUBLE);
  assert_text(f.item.span.bytes, OTLP_SPAN_ATTRIBUTES, "service.name", NULL);
  assert_text(f.item.resource, OTLP_RESOURCE_ATTRIBUTES, "service.name", "worker");
  finish(&f);
}

static void test_logs(void **state) {
  (void)state;
  struct fixture f;
  begin(&f,
        "{\"items\":[{\"timestamp\":1795253400.000001,\"trace_id\":\"" TRACE "\",\"level\":\"fatal\",\"body\":\"b\","
        "\"attributes\":{\"sentry.trace.parent_span_id\":{\"value\":\"" ROOT "\",\"type\":\"string\"},"
        "\"sentry.release\":{\"value\":\"1.2\",\"type\":\"string\"},"
        "\"sentry.message.template\":{\"value\":\"t %s\",\"type\":\"string\"}}},"
        "{\"body\":\"second\",\"level\":\"info\",\"severity_number\":10},7]}");
  const struct sentry_log_source from = {.service = SLICE_LITERAL("shop"), .received_ns = BASE_NS + 5};
  uint32_t logs, faulty;
  assert_int_equal(sentry_log_write(f.root, &from, &f.out, &logs, &faulty), STATUS_OK);
  assert_true(logs == 2 && faulty == 1);
  otlp_scan_init(&f.scan, OTLP_LOGS, buffer_slice(&f.out), NULL);
  next(&f);
  const struct otlp_log *log = &f.item.log;
  assert_true(log->time_ns == BASE_NS + 1000 && log->observed_ns == BASE_NS + 5);
  assert_int_equal(log->severity_number, 21);
  assert_true(slice_equal_cstr(log->severity_text, "fatal") && slice_equal_cstr(log->body.bytes, "b"));
  assert_hex(log->trace_id, TRACE);
  assert_hex(log->span_id, ROOT);
  assert_text(log->bytes, OTLP_LOG_ATTRIBUTES, "sentry.message.template", "t %s");
  assert_text(log->bytes, OTLP_LOG_ATTRIBUTES, "sentry.trace.parent_span_id", NULL);
  assert_text(f.item.resource, OTLP_RESOURCE_ATTRIBUTES, "service.version", "1.2");
  assert_text(f.item.resource, OTLP_RESOURCE_ATTRIBUTES, "service.name", "shop");
  next(&f);
  assert_int_equal(log->severity_number, 10);
  assert_int_equal(log->trace_id.len, 0);
  finish(&f);
}

// Spans and logs that do not name their service are of the package of their release, else of the project.
static void test_a_release_names_the_service(void **state) {
  (void)state;
  static const struct {
    const char *attributes, *service;
  } cases[] = {
      {"\"sentry.release\":{\"value\":\"cart@2.1\",\"type\":\"string\"}", "cart"},
      {"\"sentry.release\":{\"value\":\"2.1\",\"type\":\"string\"}", "shop"},
      {"\"service.name\":{\"value\":\"own\",\"type\":\"string\"},"
       "\"sentry.release\":{\"value\":\"cart@2.1\",\"type\":\"string\"}",
       "own"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct fixture f;
    struct sentry_trace_counts counts;
    uint32_t logs, faulty;
    char text[600];
    snprintf(text, sizeof text,
             "{\"items\":[{\"trace_id\":\"" TRACE "\",\"span_id\":\"" ROOT "\",\"name\":\"n\",\"start_timestamp\":"
             "1795253400,\"end_timestamp\":1795253401,\"body\":\"b\",\"attributes\":{%s}}]}",
             cases[i].attributes);
    begin(&f, text);
    const struct sentry_trace_source from = {.service = SLICE_LITERAL("shop")};
    assert_int_equal(sentry_trace_write_spans(f.root, &from, &f.out, &counts, NULL), STATUS_OK);
    otlp_scan_init(&f.scan, OTLP_TRACES, buffer_slice(&f.out), NULL);
    next(&f);
    assert_text(f.item.resource, OTLP_RESOURCE_ATTRIBUTES, "service.name", cases[i].service);
    buffer_clear(&f.out);
    const struct sentry_log_source log_from = {.service = SLICE_LITERAL("shop")};
    assert_int_equal(sentry_log_write(f.root, &log_from, &f.out, &logs, &faulty), STATUS_OK);
    otlp_scan_init(&f.scan, OTLP_LOGS, buffer_slice(&f.out), NULL);
    next(&f);
    assert_text(f.item.resource, OTLP_RESOURCE_ATTRIBUTES, "service.name", cases[i].service);
    finish(&f);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_transaction_is_a_root_and_its_children),
      cmocka_unit_test(test_a_transaction_without_ids_or_times_is_refused),
      cmocka_unit_test(test_spans_of_version_2),
      cmocka_unit_test(test_logs),
      cmocka_unit_test(test_a_release_names_the_service),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
