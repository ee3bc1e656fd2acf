// SPDX-License-Identifier: Apache-2.0
//
// Requests are written as OTLP/JSON, turned into the wire form and scanned as the receivers do; the events that come
// out are looked at in their stored form, parsed back.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "processor/exception.h"
#include "proto/otlp_json.h"

#define EVENTS_MAX 8

struct fixture {
  struct correlation *correlation;
  struct arena arena;
  struct buffer wire, document;
  struct json_parser *parser;
  struct exception_found found[EVENTS_MAX];
  uint32_t count;
};

static int setup(void **state) {
  struct fixture *fixture = calloc(1, sizeof(*fixture));
  fixture->correlation = correlation_create(NULL, 0);
  arena_init(&fixture->arena, 16u << 20);
  buffer_init(&fixture->wire, 1u << 20);
  buffer_init(&fixture->document, 1u << 20);
  fixture->parser = json_parser_create(1u << 20);
  *state = fixture;
  return 0;
}

static int teardown(void **state) {
  struct fixture *fixture = *state;
  correlation_destroy(fixture->correlation);
  arena_finish(&fixture->arena);
  buffer_finish(&fixture->wire);
  buffer_finish(&fixture->document);
  json_parser_destroy(fixture->parser);
  free(fixture);
  return 0;
}

static void keep(void *context, const struct exception_found *found) {
  struct fixture *fixture = context;
  assert_true(fixture->count < EVENTS_MAX);
  fixture->found[fixture->count++] = *found;
}

static void extract(struct fixture *fixture, enum otlp_signal signal, const char *json) {
  struct error error = {0};
  buffer_clear(&fixture->wire);
  fixture->count = 0;
  enum status status = otlp_json_to_wire(signal, fixture->parser, slice_from_cstr(json), &fixture->wire, &error);
  if (status != STATUS_OK) print_error("%s\n", error.text);
  assert_int_equal(status, STATUS_OK);
  struct otlp_scan scan;
  otlp_scan_init(&scan, signal, buffer_slice(&fixture->wire), NULL);
  struct otlp_item item;
  while ((status = otlp_scan_next(&scan, &item, &error)) == STATUS_OK) {
    assert_int_equal(exception_extract(signal, &item, fixture->correlation, &fixture->arena, keep, fixture), STATUS_OK);
  }
  assert_int_equal(status, STATUS_END);
}

#define TRACE            "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN             "00f067aa0ba902b7"
#define TEXT(key, value) "{\"key\":\"" key "\",\"value\":{\"stringValue\":\"" value "\"}}"
#define RESOURCE                                                                                                       \
  "\"resource\":{\"attributes\":[" TEXT("service.name", "shop") "," TEXT("service.version", "1.2") "," TEXT(           \
      "deployment.environment.name",                                                                                   \
      "live") "," TEXT("host.name",                                                                                    \
                       "web-1") "," TEXT("telemetry.sdk.language",                                                     \
                                         "java") "," TEXT("telemetry.sdk.name",                                        \
                                                          "opentelemetry") "," TEXT("process.runtime.name",            \
                                                                                    "OpenJDK") "]}"
#define SPANS(events, span_members)                                                                                    \
  "{\"resourceSpans\":[{" RESOURCE ",\"scopeSpans\":[{\"scope\":{\"name\":\"jdbc\"},\"spans\":[{\"traceId\":\"" TRACE  \
  "\",\"spanId\":\"" SPAN "\",\"parentSpanId\":\"1111111111111111\",\"name\":\"POST /pay\",\"kind\":2,"                \
  "\"startTimeUnixNano\":\"1700000000000000000\",\"endTimeUnixNano\":\"1700000001000000000\"," span_members            \
  "\"events\":[" events "]}]}]}]}"
#define EXCEPTION(more)                                                                                                \
  "{\"name\":\"exception\",\"timeUnixNano\":\"1700000000500000000\",\"attributes\":[" TEXT(                            \
      "exception.type", "java.io.IOException") "," TEXT("exception.message", "reset\\nby peer") more "]}"
#define LOGS(log_members)                                                                                              \
  "{\"resourceLogs\":[{" RESOURCE ",\"scopeLogs\":[{\"scope\":{\"name\":\"com.shop.Cart\"},\"logRecords\":[{"          \
  "\"observedTimeUnixNano\":\"1700000000700000000\"" log_members "}]}]}]}"

static const char *text_of(struct fixture *fixture, struct slice text) {
  return (const char *)arena_copy(&fixture->arena, text).ptr;
}
#define assert_text(text, expected) assert_string_equal(text_of(fixture, (text)), (expected))

// The stored document of event i.
static struct json_value stored(struct fixture *fixture, uint32_t i) {
  buffer_clear(&fixture->document);
  sentry_event_write(&fixture->found[i].event, &fixture->document);
  assert_false(fixture->document.failed);
  struct json_value root;
  assert_int_equal(json_parse(fixture->parser, buffer_slice(&fixture->document), &root, NULL), STATUS_OK);
  return root;
}

static void reads_span_events(void **state) {
  struct fixture *fixture = *state;
  extract(
      fixture, OTLP_TRACES,
      SPANS(
          EXCEPTION("," TEXT("exception.stacktrace",
                             "java.io.IOException: reset\\nby peer\\n\\tat com.shop.Cart.pay(Cart.java:42)\\n\\tat "
                             "java.base/java.lang.Thread.run(Thread.java:840)\\n")) ",{\"name\":\"retry\"}",
          "\"attributes\":[" TEXT("http.request.method", "POST") "," TEXT("http.route", "/pay") "," TEXT(
              "url.path",
              "/pay") "," TEXT("url.scheme",
                               "https") "," TEXT("server.address",
                                                 "shop.test") "," TEXT("request_id",
                                                                       "r-77") "," TEXT("user.id",
                                                                                        "u1") ",{\"key\":\"http."
                                                                                              "response.status_code\","
                                                                                              "\"value\":{\"intValue\":"
                                                                                              "\"500\"}}],"));
  assert_int_equal(fixture->count, 1);
  const struct exception_found *found = &fixture->found[0];
  const struct sentry_event *event = &found->event;
  assert_int_equal(found->source, EXCEPTION_SPAN_EVENT);
  assert_true(found->duplicate_key != 0);
  assert_string_equal(event->event_id, "");
  assert_int_equal(event->timestamp_ns, UINT64_C(1700000000500000000));
  assert_text(event->platform, "java");
  assert_text(event->level, "error");
  assert_text(event->service, "shop");
  assert_text(event->release, "1.2");
  assert_text(event->environment, "live");
  assert_text(event->server_name, "web-1");
  assert_text(event->transaction, "POST /pay");
  assert_text(event->trace_id, TRACE);
  assert_text(event->span_id, SPAN);
  assert_text(event->request_id, "r-77");
  assert_text(event->user_id, "u1");
  assert_int_equal(event->exception_count, 1);
  const struct sentry_exception *exception = &event->exceptions[0];
  assert_text(exception->type, "IOException");
  assert_text(exception->module, "java.io");
  assert_text(exception->value, "reset\nby peer");
  assert_false(exception->has_handled);
  assert_int_equal(exception->stacktrace.frame_count, 2);
  assert_text(exception->stacktrace.frames[1].module, "com.shop.Cart");
  assert_true(exception->stacktrace_text.len > 0);
  assert_text(sentry_event_tag(event, "http.request.method"), "POST");
  assert_text(sentry_event_tag(event, "http.response.status_code"), "500");

  struct json_value root = stored(fixture, 0);
  struct json_value contexts = json_get(root, "contexts");
  assert_text(json_string(json_get(json_get(contexts, "trace"), "parent_span_id")), "1111111111111111");
  assert_text(json_string(json_get(json_get(contexts, "runtime"), "name")), "OpenJDK");
  struct json_value otel = json_get(contexts, "otel");
  assert_text(json_string(json_get(json_get(otel, "resource"), "service.name")), "shop");
  assert_text(json_string(json_get(json_get(otel, "attributes"), "http.route")), "/pay");
  assert_false(json_is_present(json_get(json_get(otel, "attributes"), "exception.type")));
  assert_text(json_string(json_get(json_get(root, "request"), "url")), "https://shop.test/pay");
  assert_text(json_string(json_get(json_get(root, "tags"), "service")), "shop");
  assert_text(json_string(json_get(json_get(root, "tags"), "request_id")), "r-77");
}

static void keeps_text_that_is_no_stack_trace(void **state) {
  struct fixture *fixture = *state;
  extract(fixture, OTLP_TRACES, SPANS(EXCEPTION("," TEXT("exception.stacktrace", "somewhere deep")), ""));
  const struct sentry_exception *exception = &fixture->found[0].event.exceptions[0];
  assert_int_equal(fixture->found[0].event.exception_count, 1);
  assert_text(exception->type, "IOException");
  assert_text(exception->value, "reset\nby peer");
  assert_text(exception->stacktrace_text, "somewhere deep");
  assert_int_equal(exception->stacktrace.frame_count, 0);
  assert_text(fixture->found[0].event.platform, "java");
  struct json_value values = json_get(json_get(stored(fixture, 0), "exception"), "values"), value;
  struct json_iter iter = json_iterate(values);
  assert_true(json_array_next(&iter, &value));
  assert_text(json_string(json_get(value, "raw_stacktrace_text")), "somewhere deep");
}

static void a_text_alone_names_the_exception(void **state) {
  struct fixture *fixture = *state;
  extract(fixture, OTLP_TRACES,
          SPANS("{\"name\":\"exception\",\"attributes\":[" TEXT("exception.stacktrace",
                                                                "BoomError: it broke\\nsomewhere") "]}",
                ""));
  assert_int_equal(fixture->count, 1);
  assert_text(fixture->found[0].event.exceptions[0].type, "BoomError");
  assert_text(fixture->found[0].event.exceptions[0].value, "it broke");
  assert_int_equal(fixture->found[0].event.timestamp_ns, UINT64_C(1700000001000000000));
}

static void an_escaped_exception_is_unhandled(void **state) {
  struct fixture *fixture = *state;
  extract(fixture, OTLP_TRACES,
          SPANS(EXCEPTION(",{\"key\":\"exception.escaped\",\"value\":{\"boolValue\":true}}") "," EXCEPTION(""), ""));
  assert_int_equal(fixture->count, 2);
  assert_true(fixture->found[0].event.exceptions[0].has_handled);
  assert_false(fixture->found[0].event.exceptions[0].handled);
  assert_false(fixture->found[1].event.exceptions[0].has_mechanism);
}

static void the_same_exception_as_log_has_the_same_key(void **state) {
  struct fixture *fixture = *state;
  extract(fixture, OTLP_TRACES, SPANS(EXCEPTION(""), ""));
  uint64_t key = fixture->found[0].duplicate_key;
  extract(fixture, OTLP_LOGS,
          LOGS(",\"traceId\":\"" TRACE "\",\"spanId\":\"" SPAN
               "\",\"severityNumber\":17,\"body\":{\"stringValue\":\"paying "
               "failed\"},\"attributes\":[" TEXT("exception.type", "java.io.IOException") "," TEXT(
                   "exception.message", "reset\\nby peer") "]"));
  assert_int_equal(fixture->count, 1);
  assert_int_equal(fixture->found[0].source, EXCEPTION_LOG);
  assert_true(fixture->found[0].duplicate_key == key);
  assert_text(fixture->found[0].event.logger, "com.shop.Cart");
  assert_text(fixture->found[0].event.message_formatted, "paying failed");
  assert_int_equal(fixture->found[0].event.timestamp_ns, UINT64_C(1700000000700000000));
  extract(fixture, OTLP_LOGS, LOGS(",\"attributes\":[" TEXT("exception.type", "java.io.IOException") "]"));
  assert_int_equal(fixture->count, 1); // without severity: still an exception
  assert_int_equal(fixture->found[0].duplicate_key, 0);
  assert_text(fixture->found[0].event.level, "error");
}

static void reads_error_logs_without_an_exception(void **state) {
  struct fixture *fixture = *state;
  static const struct {
    const char *members, *level, *message, *formatted;
  } rows[] = {
      {",\"severityNumber\":17,\"body\":{\"stringValue\":\" 3 of 4 failed\\n\"}", "error", "", "3 of 4 failed"},
      {",\"severityNumber\":21,\"eventName\":\"disk.full\"", "fatal", "", "disk.full"},
      {",\"severityNumber\":24,\"body\":{\"kvlistValue\":{\"values\":[" TEXT("a", "b") "," TEXT("msg", "inner") "]}}",
       "fatal", "", "inner"},
      {",\"severityNumber\":18,\"body\":{\"arrayValue\":{\"values\":[{\"intValue\":\"7\"},{\"doubleValue\":0.5}]}}",
       "error", "", "[7,0.5]"},
      {",\"severityNumber\":17,\"body\":{\"stringValue\":\"order 9 failed\"},\"attributes\":[" TEXT(
           "sentry.message.template", "order %s failed") "," TEXT("sentry.message.parameter.0", "9") "]",
       "error", "order %s failed", "order 9 failed"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    char json[4096];
    snprintf(json, sizeof(json), LOGS("%s"), rows[i].members);
    extract(fixture, OTLP_LOGS, json);
    assert_int_equal(fixture->count, 1);
    const struct sentry_event *event = &fixture->found[0].event;
    assert_int_equal(fixture->found[0].source, EXCEPTION_LOG_WITHOUT);
    assert_int_equal(fixture->found[0].duplicate_key, 0);
    assert_int_equal(event->exception_count, 0);
    assert_text(event->level, rows[i].level);
    assert_text(event->message, rows[i].message);
    assert_text(event->message_formatted, rows[i].formatted);
  }
  assert_text(fixture->found[0].event.message_params_json, "[\"9\"]");
}

static void passes_over_what_is_no_error(void **state) {
  struct fixture *fixture = *state;
  extract(fixture, OTLP_LOGS, LOGS(",\"severityNumber\":13,\"body\":{\"stringValue\":\"warn\"}"));
  assert_int_equal(fixture->count, 0);
  extract(fixture, OTLP_TRACES, SPANS("{\"name\":\"log\",\"attributes\":[" TEXT("exception.type", "X") "]}", ""));
  assert_int_equal(fixture->count, 0);
}

static void a_full_arena_is_an_answer(void **state) {
  struct fixture *fixture = *state;
  const char *json = SPANS(EXCEPTION("," TEXT("exception.stacktrace", "a\\n\\tat a.B.c(B.java:1)\\n")), "");
  assert_int_equal(otlp_json_to_wire(OTLP_TRACES, fixture->parser, slice_from_cstr(json), &fixture->wire, NULL),
                   STATUS_OK);
  struct otlp_scan scan;
  otlp_scan_init(&scan, OTLP_TRACES, buffer_slice(&fixture->wire), NULL);
  struct otlp_item item;
  assert_int_equal(otlp_scan_next(&scan, &item, NULL), STATUS_OK);
  bool refused = false, taken = false;
  for (size_t bytes = 64; bytes < 32768; bytes += 256) {
    struct arena small;
    arena_init(&small, bytes);
    fixture->count = 0;
    enum status status = exception_extract(OTLP_TRACES, &item, fixture->correlation, &small, keep, fixture);
    assert_true(status == STATUS_NO_MEMORY || status == STATUS_OK);
    assert_int_equal(fixture->count, status == STATUS_OK ? 1 : 0);
    refused |= status == STATUS_NO_MEMORY;
    taken |= status == STATUS_OK;
    arena_finish(&small);
  }
  assert_true(refused && taken);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(reads_span_events, setup, teardown),
      cmocka_unit_test_setup_teardown(keeps_text_that_is_no_stack_trace, setup, teardown),
      cmocka_unit_test_setup_teardown(a_text_alone_names_the_exception, setup, teardown),
      cmocka_unit_test_setup_teardown(an_escaped_exception_is_unhandled, setup, teardown),
      cmocka_unit_test_setup_teardown(the_same_exception_as_log_has_the_same_key, setup, teardown),
      cmocka_unit_test_setup_teardown(reads_error_logs_without_an_exception, setup, teardown),
      cmocka_unit_test_setup_teardown(passes_over_what_is_no_error, setup, teardown),
      cmocka_unit_test_setup_teardown(a_full_arena_is_an_answer, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
