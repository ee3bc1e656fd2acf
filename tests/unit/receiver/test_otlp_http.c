// SPDX-License-Identifier: Apache-2.0
//
// The OTLP/HTTP door on a real server, with requests written byte for byte. Names like P4 or R6 are rules of OTLP 1.11
// as the project numbers them.
#include "receiver/otlp_http.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/grpc_server.h"
#include "tests/unit/net/raw_http.h"
#include "tests/unit/receiver/memory_sink.h"

#define PROTOBUF "Content-Type: application/x-protobuf\r\n"
#define JSON     "Content-Type: application/json\r\n"
#define WIRE_MAX (2u << 20)

struct fixture {
  struct memory_sink sink;
  struct metrics *metrics;
  struct budget budget;
  struct otlp_door *door;
  struct otlp_http *http;
  struct http_server *server;
  uint16_t port;
};

struct setup {
  const char *const *keys, *const *origins, *const *headers;
  size_t key_count, origin_count, header_count;
  bool forward_metrics;
};

static void open_door(struct fixture *f, const struct setup *setup) {
  static const struct setup none = {0};
  if (!setup) setup = &none;
  struct sink sink = memory_sink_init(&f->sink);
  f->metrics = metrics_create();
  budget_init(&f->budget, 64 << 20);
  const struct otlp_door_options door = {
      .limits = {.sink = sink,
                 .budget = &f->budget,
                 .keys = setup->keys,
                 .key_count = setup->key_count,
                 .decoded_bytes_max = 8 << 20},
      .project = 7,
      .forward_metrics = setup->forward_metrics,
      .metrics = f->metrics,
  };
  f->door = otlp_door_create(&door);
  assert_non_null(f->door);
  const struct otlp_http_options http = {
      .door = f->door,
      .cors_origins = setup->origins,
      .cors_origin_count = setup->origin_count,
      .cors_headers = setup->headers,
      .cors_header_count = setup->header_count,
      .cors_max_age_ns = 600 * NS_PER_S,
  };
  assert_int_equal(otlp_http_create(&http, &f->http, NULL), STATUS_OK);
  struct http_server_options server = {
      .address = "127.0.0.1:0",
      .on_refusal = otlp_http_refuse,
      .refusal_context = f->http,
      .admit = otlp_http_admit,
      .admit_context = f->http,
      .budget = &f->budget,
      .body_bytes_max = WIRE_MAX,
      .threads = 2,
  };
  server.routes = otlp_http_routes(f->http, &server.route_count);
  assert_int_equal(http_server_open(&server, &f->server, &f->port, NULL), STATUS_OK);
}

static void close_door(struct fixture *f) {
  http_server_close(f->server, 10 * NS_PER_S);
  otlp_http_destroy(f->http);
  otlp_door_destroy(f->door);
  metrics_destroy(f->metrics);
  memory_sink_finish(&f->sink);
  assert_int_equal(budget_used(&f->budget), 0);
}

static uint64_t counter(struct fixture *f, const char *name, const char *labels) {
  return metrics_get(metrics_series(f->metrics, METRICS_COUNTER, name, labels, ""));
}

// One request on a connection of its own.
struct answer {
  struct raw_http raw;
  int code;
  const char *head; // NUL-terminated, body included
  struct slice body;
};

static void ask(struct fixture *f, struct answer *answer, const char *method, const char *path, const char *headers,
                struct slice body) {
  memset(answer, 0, sizeof(*answer));
  raw_http_open(&answer->raw, f->port);
  char head[2048];
  int len = snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n", method, path,
                     headers, body.len);
  raw_http_send(&answer->raw, head, (size_t)len);
  raw_http_send(&answer->raw, body.ptr, body.len);
  const char *start = NULL;
  answer->code = raw_http_reply(&answer->raw, &answer->head, &start);
  if (start) answer->body = slice_make(start, (size_t)(answer->raw.reply + answer->raw.used - start));
}

static void forget(struct answer *answer) {
  raw_http_close(&answer->raw);
}

static void assert_header(const struct answer *answer, const char *name, const char *value) {
  char wanted[64];
  snprintf(wanted, sizeof(wanted), "\r\n%s: ", name);
  const char *at = raw_http_header(answer->head, wanted);
  if (!value) {
    assert_null(at);
    return;
  }
  assert_non_null(at);
  assert_memory_equal(at, value, strlen(value));
  assert_memory_equal(at + strlen(value), "\r\n", 2);
}

// A protobuf success; returns what it says.
static struct otlp_response read_success(const struct answer *answer) {
  assert_int_equal(answer->code, 200);
  assert_header(answer, "Content-Type", "application/x-protobuf");
  struct otlp_response response;
  assert_int_equal(otlp_response_read(answer->body, &response, NULL), STATUS_OK);
  return response;
}

// A failure in the given encoding, with a google.rpc.Status as its body (R6). Returns the code inside.
static struct otlp_status assert_failure(const struct answer *answer, int code, enum otlp_encoding encoding) {
  struct otlp_status status = {0};
  if (answer->code != code) print_error("%s\n", answer->head ? answer->head : "no answer");
  assert_int_equal(answer->code, code);
  if (encoding == OTLP_PROTOBUF) {
    assert_header(answer, "Content-Type", "application/x-protobuf");
    assert_int_equal(otlp_response_read_status(answer->body, &status, NULL), STATUS_OK);
  } else {
    assert_header(answer, "Content-Type", "application/json");
    struct json_parser *parser = json_parser_create(65536);
    struct json_value root;
    assert_int_equal(json_parse(parser, answer->body, &root, NULL), STATUS_OK);
    status.code = (uint32_t)json_u64(json_get(root, "code"));
    assert_true(json_string(json_get(root, "message")).len > 0);
    json_parser_destroy(parser);
    return status;
  }
  assert_true(status.message.len > 0);
  return status;
}

static void expect_failure(struct fixture *f, const char *method, const char *path, const char *headers,
                           struct slice body, int code, enum otlp_encoding encoding) {
  struct answer answer;
  ask(f, &answer, method, path, headers, body);
  assert_failure(&answer, code, encoding);
  forget(&answer);
}

// ---- success

static void test_p1_empty_requests(void **state) {
  (void)state;
  struct fixture f;
  open_door(&f, NULL);
  static const char *const json_paths[] = {"/v1/traces", "/v1/logs", "/v1/metrics"};
  struct answer answer;
  for (size_t i = 0; i < 3; i++) {
    ask(&f, &answer, "POST", json_paths[i], PROTOBUF, slice_make(NULL, 0));
    assert_int_equal(answer.code, 200);
    assert_int_equal(answer.body.len, 0); // R1: partial_success is unset
    assert_header(&answer, "Content-Type", "application/x-protobuf");
    forget(&answer);
    ask(&f, &answer, "POST", json_paths[i], JSON, SLICE_LITERAL("{}"));
    assert_int_equal(answer.code, 200);
    assert_true(slice_equal_cstr(answer.body, "{}"));
    assert_header(&answer, "Content-Type", "application/json");
    forget(&answer);
  }
  ask(&f, &answer, "POST", "/v1/traces", PROTOBUF, SLICE_LITERAL("\x0a\x02\x0a\x00")); // a resource without spans
  assert_int_equal(answer.code, 200);
  assert_int_equal(answer.body.len, 0);
  forget(&answer);
  close_door(&f);
}

static void test_p2_every_signal_and_encoding(void **state) {
  (void)state;
  struct fixture f;
  open_door(&f, &(struct setup){.forward_metrics = true});
  struct buffer traces_json;
  buffer_init(&traces_json, 1 << 20);
  memory_sink_traces_json(&traces_json, 3, -1, "n");
  buffer_append_byte(&traces_json, 0);
  const struct {
    const char *path, *json;
    enum otlp_signal signal;
    enum journal_kind kind;
    uint64_t items;
  } cases[] = {
      {"/v1/traces", (const char *)traces_json.ptr, OTLP_TRACES, JOURNAL_TRACES, 3},
      {"/v1/logs", MEMORY_SINK_LOGS_JSON, OTLP_LOGS, JOURNAL_LOGS, 2},
      {"/v1/metrics/", MEMORY_SINK_METRICS_JSON, OTLP_METRICS, JOURNAL_METRICS, 2},
  };
  for (size_t i = 0; i < 3; i++) {
    struct buffer wire;
    buffer_init(&wire, 1 << 20);
    memory_sink_wire(cases[i].signal, cases[i].json, &wire);
    buffer_append(&wire, "\xfa\x3f\x02hi", 5); // an unknown field (1023) comes through (P11)
    struct answer answer;
    ask(&f, &answer, "POST", cases[i].path, PROTOBUF, buffer_slice(&wire));
    assert_int_equal(answer.code, 200);
    assert_int_equal(answer.body.len, 0);
    assert_int_equal(f.sink.kind, cases[i].kind);
    assert_int_equal(f.sink.project, 7);
    assert_int_equal(f.sink.items, cases[i].items);
    assert_true(slice_equal(slice_make(f.sink.body, f.sink.body_len), buffer_slice(&wire)));
    forget(&answer);
    ask(&f, &answer, "POST", cases[i].path, JSON, slice_from_cstr(cases[i].json));
    assert_int_equal(answer.code, 200);
    assert_true(slice_equal_cstr(answer.body, "{}"));
    assert_int_equal(f.sink.items, cases[i].items);
    assert_true(slice_equal(slice_make(f.sink.body, f.sink.body_len), slice_sub(buffer_slice(&wire), 0, wire.len - 5)));
    forget(&answer);
    buffer_finish(&wire);
  }
  assert_int_equal(f.sink.submits, 6);
  assert_int_equal(counter(&f, "culprit_received_requests_total", "signal=\"traces\",transport=\"http\""), 2);
  assert_int_equal(counter(&f, "culprit_received_items_total", "signal=\"traces\""), 6);
  assert_int_equal(counter(&f, "culprit_received_items_total", "signal=\"logs\""), 4);
  assert_true(counter(&f, "culprit_received_bytes_total", "signal=\"metrics\"") > strlen(MEMORY_SINK_METRICS_JSON));
  buffer_finish(&traces_json);
  close_door(&f);
}

static void test_p3_content_encodings(void **state) {
  (void)state;
  struct fixture f;
  open_door(&f, NULL);
  struct buffer plain, packed;
  buffer_init(&plain, 1 << 20);
  buffer_init(&packed, 1 << 20);
  memory_sink_traces(&plain, 20, -1);
  struct answer answer;
  ask(&f, &answer, "POST", "/v1/traces", PROTOBUF "Content-Encoding: identity\r\n", buffer_slice(&plain));
  read_success(&answer);
  forget(&answer);
  assert_int_equal(compress_gzip(buffer_slice(&plain), &packed), STATUS_OK);
  ask(&f, &answer, "POST", "/v1/traces", PROTOBUF "Content-Encoding: GZIP\r\n", buffer_slice(&packed));
  read_success(&answer);
  forget(&answer);
  assert_true(slice_equal(slice_make(f.sink.body, f.sink.body_len), buffer_slice(&plain)));
  // gzip's deflate stream alone is what "deflate" is for many clients.
  struct slice raw = slice_sub(buffer_slice(&packed), 10, packed.len - 18);
  ask(&f, &answer, "POST", "/v1/traces", PROTOBUF "Content-Encoding: deflate\r\n", raw);
  read_success(&answer);
  forget(&answer);
  buffer_clear(&packed);
  assert_int_equal(compress_zstd(buffer_slice(&plain), &packed), STATUS_OK);
  ask(&f, &answer, "POST", "/v1/traces", PROTOBUF "Content-Encoding: zstd\r\n", buffer_slice(&packed));
  read_success(&answer);
  forget(&answer);
  assert_int_equal(f.sink.submits, 4);
  assert_int_equal(f.sink.items, 20);
  ask(&f, &answer, "POST", "/v1/traces", PROTOBUF "Content-Encoding: br\r\n",
      SLICE_LITERAL("\x06")); // the empty stream
  read_success(&answer);
  forget(&answer);
  assert_int_equal(f.sink.body_len, 0);
  buffer_clear(&packed);
  assert_int_equal(compress_gzip(SLICE_LITERAL(MEMORY_SINK_LOGS_JSON), &packed), STATUS_OK);
  ask(&f, &answer, "POST", "/v1/logs", JSON "Content-Encoding: gzip\r\n", buffer_slice(&packed));
  assert_int_equal(answer.code, 200);
  assert_int_equal(f.sink.items, 2);
  forget(&answer);
  buffer_finish(&plain);
  buffer_finish(&packed);
  close_door(&f);
}

static void test_e7_gzip_replies(void **state) {
  (void)state;
  struct fixture f;
  open_door(&f, NULL);
  char reason[600];
  memset(reason, 'r', sizeof(reason) - 1);
  reason[sizeof(reason) - 1] = 0;
  f.sink.reason = reason;
  struct answer answer;
  ask(&f, &answer, "POST", "/v1/traces", PROTOBUF "Accept-Encoding: br;q=1, gzip;q=0.5\r\n", slice_make(NULL, 0));
  assert_header(&answer, "Content-Encoding", "gzip");
  struct buffer plain;
  buffer_init(&plain, 4096);
  assert_int_equal(decompress(ENCODING_GZIP, answer.body, &plain, NULL), STATUS_OK);
  struct otlp_response response;
  assert_int_equal(otlp_response_read(buffer_slice(&plain), &response, NULL), STATUS_OK);
  assert_int_equal(response.rejected, 0); // R4: a warning
  assert_true(slice_equal_cstr(response.message, reason));
  forget(&answer);
  static const char *const without[] = {PROTOBUF, PROTOBUF "Accept-Encoding: gzip;q=0\r\n",
                                        PROTOBUF "Accept-Encoding: deflate\r\n"};
  for (size_t i = 0; i < 3; i++) {
    ask(&f, &answer, "POST", "/v1/traces", without[i], slice_make(NULL, 0));
    assert_header(&answer, "Content-Encoding", NULL);
    assert_true(slice_equal_cstr(read_success(&answer).message, reason));
    forget(&answer);
  }
  f.sink.reason = "short: not worth it";
  ask(&f, &answer, "POST", "/v1/traces", PROTOBUF "Accept-Encoding: gzip\r\n", slice_make(NULL, 0));
  assert_header(&answer, "Content-Encoding", NULL);
  forget(&answer);
  buffer_finish(&plain);
  close_door(&f);
}

static void test_p5_partial_success(void **state) {
  (void)state;
  struct fixture f;
  open_door(&f, NULL);
  struct buffer wire;
  buffer_init(&wire, 1 << 20);
  memory_sink_traces(&wire, 10, 4);
  struct answer answer;
  ask(&f, &answer, "POST", "/v1/traces", PROTOBUF, buffer_slice(&wire));
  struct otlp_response response = read_success(&answer);
  assert_int_equal(response.rejected, 1);
  assert_true(slice_equal_cstr(response.message, "a trace id is not 16 bytes"));
  assert_int_equal(f.sink.items, 9);
  assert_int_equal(counter(&f, "culprit_rejected_items_total", "signal=\"traces\""), 1);
  assert_int_equal(counter(&f, "culprit_received_items_total", "signal=\"traces\""), 9);
  forget(&answer);
  buffer_clear(&wire);
  memory_sink_traces_json(&wire, 10, 4, "n");
  ask(&f, &answer, "POST", "/v1/traces", JSON, buffer_slice(&wire));
  assert_int_equal(answer.code, 200);
  assert_non_null(strstr((const char *)answer.body.ptr, "rejectedSpans"));
  forget(&answer);
  buffer_finish(&wire);
  close_door(&f);
}

static void test_p8_ways_to_send(void **state) {
  (void)state;
  struct fixture f;
  open_door(&f, NULL);
  struct answer answer;
  ask(&f, &answer, "POST", "/v1/logs", "content-type: Application/JSON ; charset=utf-8\r\n",
      SLICE_LITERAL(MEMORY_SINK_LOGS_JSON));
  assert_int_equal(answer.code, 200);
  assert_header(&answer, "Content-Type", "application/json");
  forget(&answer);
  struct raw_http raw;
  raw_http_open(&raw, f.port);
  raw_http_text(&raw, "POST /v1/logs HTTP/1.1\r\nHost: x\r\n" JSON
                      "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n");
  assert_int_equal(raw_http_reply(&raw, NULL, NULL), 200);
  raw_http_text(&raw, "POST /v1/logs HTTP/1.1\r\nHost: x\r\n" JSON "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
  assert_int_equal(raw_http_reply(&raw, NULL, NULL), 100);
  raw_http_text(&raw, "{}");
  assert_int_equal(raw_http_reply(&raw, NULL, NULL), 200);
  raw_http_close(&raw);
  close_door(&f);
}

// ---- failures

static void test_p4_malformed(void **state) {
  (void)state;
  struct fixture f;
  open_door(&f, NULL);
  struct buffer packed;
  buffer_init(&packed, 1 << 20);
  assert_int_equal(compress_gzip(SLICE_LITERAL("some text to pack"), &packed), STATUS_OK);
  struct slice cut = slice_sub(buffer_slice(&packed), 0, packed.len - 9);
  expect_failure(&f, "POST", "/v1/traces", PROTOBUF "Content-Encoding: gzip\r\n", cut, 400, OTLP_PROTOBUF);
  expect_failure(&f, "POST", "/v1/traces", PROTOBUF "Content-Encoding: zstd\r\n", SLICE_LITERAL("no frame"), 400,
                 OTLP_PROTOBUF);
  expect_failure(&f, "POST", "/v1/traces", JSON "Content-Encoding: gzip\r\n", cut, 400, OTLP_JSON);
  static const struct slice bad[] = {
      {(const uint8_t *)"\xff\xff\xff\xff", 4},                            // a tag without end
      {(const uint8_t *)"\x08\x01", 2},                                    // resource_spans as a varint
      {(const uint8_t *)"\x0a\x0a\x12\x08\x12\x06\x2a\x04n\xff\xfe!", 12}, // a name that is not UTF-8
      {(const uint8_t *)"\x0a\x05x", 3},                                   // shorter than it says
  };
  struct answer answer;
  for (size_t i = 0; i < 4; i++) {
    ask(&f, &answer, "POST", "/v1/traces", PROTOBUF, bad[i]);
    struct otlp_status status = assert_failure(&answer, 400, OTLP_PROTOBUF);
    assert_int_equal(status.code, GRPC_CODE_INVALID_ARGUMENT);
    assert_false(status.has_retry);
    assert_true(status.bad_reason.len > 0); // R7: BadRequest
    assert_header(&answer, "Retry-After", NULL);
    forget(&answer);
  }
  static const char *const bad_json[] = {
      "",
      "{",
      "[]",
      "nonsense",
      "{\"resourceSpans\":3}",
      "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"xyz\"}]}]}]}"};
  for (size_t i = 0; i < sizeof(bad_json) / sizeof(bad_json[0]); i++) {
    expect_failure(&f, "POST", "/v1/traces", JSON, slice_from_cstr(bad_json[i]), 400, OTLP_JSON);
  }
  expect_failure(&f, "POST", "/v1/metrics", PROTOBUF, bad[3], 400, OTLP_PROTOBUF);
  assert_int_equal(f.sink.submits, 0);
  assert_int_equal(counter(&f, "culprit_refused_requests_total", "signal=\"traces\",reason=\"invalid\""), 13);
  buffer_finish(&packed);
  close_door(&f);
}

static void test_p6_too_large(void **state) {
  (void)state;
  struct fixture f;
  open_door(&f, NULL);
  uint8_t *zeros = calloc(1, 16 << 20);
  struct answer answer;
  ask(&f, &answer, "POST", "/v1/traces", PROTOBUF, slice_make(zeros, WIRE_MAX + 1));
  struct otlp_status status = assert_failure(&answer, 413, OTLP_PROTOBUF);
  assert_int_equal(status.code, GRPC_CODE_RESOURCE_EXHAUSTED);
  assert_false(status.has_retry);
  assert_header(&answer, "Retry-After", NULL);
  forget(&answer);
  expect_failure(&f, "POST", "/v1/traces", JSON, slice_make(zeros, WIRE_MAX + 1), 413, OTLP_JSON);
  struct buffer packed;
  buffer_init(&packed, 1 << 20);
  // Over the decoded limit of 8 MiB, and under it but more than 200 times its size on the wire.
  assert_int_equal(compress_gzip(slice_make(zeros, 16 << 20), &packed), STATUS_OK);
  expect_failure(&f, "POST", "/v1/traces", PROTOBUF "Content-Encoding: gzip\r\n", buffer_slice(&packed), 413,
                 OTLP_PROTOBUF);
  buffer_clear(&packed);
  assert_int_equal(compress_zstd(slice_make(zeros, 4 << 20), &packed), STATUS_OK);
  assert_true(packed.len * 200 < 4 << 20);
  expect_failure(&f, "POST", "/v1/logs", PROTOBUF "Content-Encoding: zstd\r\n", buffer_slice(&packed), 413,
                 OTLP_PROTOBUF);
  assert_int_equal(f.sink.submits, 0);
  assert_int_equal(counter(&f, "culprit_refused_requests_total", "signal=\"traces\",reason=\"too large\""), 3);
  assert_int_equal(budget_used(&f.budget), 0);
  free(zeros);
  buffer_finish(&packed);
  close_door(&f);
}

static void test_p7_wrong_method_type_encoding(void **state) {
  (void)state;
  struct fixture f;
  open_door(&f, NULL);
  struct answer answer;
  ask(&f, &answer, "GET", "/v1/traces", "", slice_make(NULL, 0));
  assert_failure(&answer, 405, OTLP_JSON);
  assert_header(&answer, "Allow", "POST, OPTIONS");
  forget(&answer);
  const struct slice some = SLICE_LITERAL("some body");
  expect_failure(&f, "PUT", "/v1/logs", PROTOBUF, some, 405, OTLP_PROTOBUF);
  expect_failure(&f, "POST", "/v1/traces", "", some, 415, OTLP_JSON);
  expect_failure(&f, "POST", "/v1/traces", "Content-Type: text/plain\r\n", some, 415, OTLP_JSON);
  expect_failure(&f, "POST", "/v1/traces", "Content-Type: application/json+x\r\n", some, 415, OTLP_JSON);
  expect_failure(&f, "POST", "/v1/traces", PROTOBUF "Content-Encoding: snappy\r\n", some, 415, OTLP_PROTOBUF);
  expect_failure(&f, "POST", "/v1/traces", JSON "Content-Encoding: gzip, gzip\r\n", some, 415, OTLP_JSON);
  expect_failure(&f, "POST", "/v1/profiles", PROTOBUF, some, 404, OTLP_PROTOBUF);
  expect_failure(&f, "POST", "/", "", some, 404, OTLP_JSON);
  assert_int_equal(f.sink.submits, 0);
  assert_int_equal(counter(&f, "culprit_refused_requests_total", "signal=\"traces\",reason=\"unsupported\""), 5);
  close_door(&f);
}

static void assert_retry(const struct answer *answer, int code, uint32_t grpc_code) {
  struct otlp_status status = assert_failure(answer, code, OTLP_PROTOBUF);
  assert_int_equal(status.code, grpc_code);
  assert_true(status.has_retry);
  assert_in_range(status.retry_ns, NS_PER_S, 5 * NS_PER_S);
  char seconds[8];
  snprintf(seconds, sizeof(seconds), "%u", (unsigned)(status.retry_ns / NS_PER_S));
  assert_header(answer, "Retry-After", seconds); // the same as in RetryInfo
}

static void test_p9_overload(void **state) {
  (void)state;
  struct fixture f;
  open_door(&f, NULL);
  struct buffer wire;
  buffer_init(&wire, 1 << 20);
  memory_sink_traces(&wire, 1, -1);
  struct answer answer;
  const struct {
    enum status refuse, fail, not_ready;
    int code;
    uint32_t grpc_code;
  } cases[] = {
      {STATUS_UNAVAILABLE, STATUS_OK, STATUS_OK, 503, GRPC_CODE_UNAVAILABLE},
      {STATUS_RATE_LIMITED, STATUS_OK, STATUS_OK, 429, GRPC_CODE_RESOURCE_EXHAUSTED},
      {STATUS_OK, STATUS_UNAVAILABLE, STATUS_OK, 503, GRPC_CODE_UNAVAILABLE},
      {STATUS_OK, STATUS_IO, STATUS_OK, 503, GRPC_CODE_UNAVAILABLE},
      {STATUS_OK, STATUS_OK, STATUS_UNAVAILABLE, 503, GRPC_CODE_UNAVAILABLE},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    f.sink.refuse = cases[i].refuse;
    f.sink.fail = cases[i].fail;
    f.sink.not_ready = cases[i].not_ready;
    ask(&f, &answer, "POST", "/v1/traces", PROTOBUF, buffer_slice(&wire));
    assert_retry(&answer, cases[i].code, cases[i].grpc_code);
    forget(&answer);
  }
  f.sink.not_ready = STATUS_OK;
  f.sink.refuse = STATUS_INTERNAL;
  ask(&f, &answer, "POST", "/v1/traces", PROTOBUF, buffer_slice(&wire));
  assert_false(assert_failure(&answer, 500, OTLP_PROTOBUF).has_retry);
  forget(&answer);
  // The memory budget: the body itself, what it inflates to, and the work of JSON.
  f.sink.refuse = STATUS_OK;
  assert_true(budget_charge(&f.budget, 64 << 20));
  ask(&f, &answer, "POST", "/v1/traces", PROTOBUF, buffer_slice(&wire));
  assert_retry(&answer, 503, GRPC_CODE_UNAVAILABLE);
  forget(&answer);
  budget_release(&f.budget, 4096);
  struct buffer packed;
  buffer_init(&packed, 4096);
  assert_int_equal(compress_gzip(buffer_slice(&wire), &packed), STATUS_OK);
  ask(&f, &answer, "POST", "/v1/traces", PROTOBUF "Content-Encoding: gzip\r\n", buffer_slice(&packed));
  assert_retry(&answer, 503, GRPC_CODE_UNAVAILABLE);
  forget(&answer);
  expect_failure(&f, "POST", "/v1/logs", JSON, SLICE_LITERAL(MEMORY_SINK_LOGS_JSON), 503, OTLP_JSON);
  budget_release(&f.budget, (64 << 20) - 4096);
  buffer_finish(&packed);
  buffer_finish(&wire);
  close_door(&f);
}

static void test_answer_comes_later(void **state) {
  (void)state;
  struct fixture f;
  open_door(&f, NULL);
  f.sink.keep = true;
  struct raw_http raw;
  raw_http_open(&raw, f.port);
  raw_http_text(&raw, "POST /v1/logs HTTP/1.1\r\nHost: x\r\n" JSON "Content-Length: 2\r\n\r\n{}");
  memory_sink_answer_kept(&f.sink);
  assert_int_equal(raw_http_reply(&raw, NULL, NULL), 200);
  raw_http_close(&raw);
  close_door(&f);
}

static void test_metrics_that_are_not_stored(void **state) {
  (void)state;
  struct fixture f;
  open_door(&f, NULL);
  struct buffer wire;
  buffer_init(&wire, 4096);
  memory_sink_wire(OTLP_METRICS, MEMORY_SINK_METRICS_JSON, &wire);
  struct answer answer;
  ask(&f, &answer, "POST", "/v1/metrics", PROTOBUF, buffer_slice(&wire));
  struct otlp_response response = read_success(&answer);
  assert_int_equal(response.rejected, 0);
  assert_true(slice_find(response.message, SLICE_LITERAL("does not store metrics")) < response.message.len);
  assert_int_equal(f.sink.submits, 0);
  forget(&answer);
  buffer_finish(&wire);
  close_door(&f);
}

// ---- who may send

static void test_ingest_keys(void **state) {
  (void)state;
  static const char *const keys[] = {"first-key", "second-key"};
  static const char *const origins[] = {"*"};
  struct fixture f;
  open_door(&f, &(struct setup){.keys = keys, .key_count = 2, .origins = origins, .origin_count = 1});
  struct answer answer;
  ask(&f, &answer, "POST", "/v1/traces", PROTOBUF, slice_make(NULL, 0));
  struct otlp_status status = assert_failure(&answer, 401, OTLP_PROTOBUF);
  assert_int_equal(status.code, GRPC_CODE_UNAUTHENTICATED);
  assert_header(&answer, "WWW-Authenticate", "Bearer");
  forget(&answer);
  static const char *const wrong[] = {"Authorization: Bearer nope\r\n",       "Authorization: Bearer first-ke\r\n",
                                      "Authorization: Bearer first-keys\r\n", "Authorization: Basic first-key\r\n",
                                      "Authorization: Bearer \r\n",           "X-Culprit-Key: third\r\n"};
  char headers[256];
  for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
    snprintf(headers, sizeof(headers), PROTOBUF "%s", wrong[i]);
    expect_failure(&f, "POST", "/v1/traces", headers, slice_make(NULL, 0), 401, OTLP_PROTOBUF);
  }
  static const char *const right[] = {"Authorization: Bearer first-key\r\n", "authorization: bearer second-key\r\n",
                                      "X-Culprit-Key: second-key\r\n"};
  for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++) {
    snprintf(headers, sizeof(headers), PROTOBUF "%s", right[i]);
    ask(&f, &answer, "POST", "/v1/traces", headers, slice_make(NULL, 0));
    assert_int_equal(answer.code, 200);
    forget(&answer);
  }
  // Before the body: no 100 Continue comes first.
  ask(&f, &answer, "POST", "/v1/traces", PROTOBUF "Expect: 100-continue\r\n", SLICE_LITERAL("x"));
  assert_int_equal(answer.code, 401);
  forget(&answer);
  // A preflight has no key to show.
  ask(&f, &answer, "OPTIONS", "/v1/traces", "Origin: http://a\r\nAccess-Control-Request-Method: POST\r\n",
      slice_make(NULL, 0));
  assert_int_equal(answer.code, 204);
  forget(&answer);
  assert_int_equal(counter(&f, "culprit_refused_requests_total", "signal=\"traces\",reason=\"unauthenticated\""), 8);
  close_door(&f);
}

static void test_p13_cors(void **state) {
  (void)state;
  static const char *const origins[] = {"https://shop.example", "http://*.dev.example:*"};
  static const char *const more[] = {"X-Tenant"};
  struct fixture f;
  open_door(&f, &(struct setup){.origins = origins, .origin_count = 2, .headers = more, .header_count = 1});
  static const struct {
    const char *origin;
    bool allowed;
  } cases[] = {
      {"https://shop.example", true},     {"HTTPS://SHOP.example", true},       {"http://a.dev.example:3000", true},
      {"http://a.b.dev.example:1", true}, {"https://shop.example.evil", false}, {"http://shop.example", false},
      {"http://dev.example:3000", false}, {"http://a.dev.example", false},      {"null", false},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char headers[256];
    struct answer answer;
    snprintf(headers, sizeof(headers), "Origin: %s\r\nAccess-Control-Request-Method: POST\r\n", cases[i].origin);
    ask(&f, &answer, "OPTIONS", "/v1/traces", headers, slice_make(NULL, 0));
    assert_int_equal(answer.code, 204);
    assert_header(&answer, "Access-Control-Allow-Origin", cases[i].allowed ? cases[i].origin : NULL);
    assert_header(&answer, "Access-Control-Allow-Methods", cases[i].allowed ? "POST" : NULL);
    assert_header(&answer, "Access-Control-Max-Age", cases[i].allowed ? "600" : NULL);
    assert_header(&answer, "Access-Control-Allow-Headers",
                  cases[i].allowed
                      ? "Content-Type, Content-Encoding, Authorization, X-Culprit-Key, X-Requested-With, X-Tenant"
                      : NULL);
    assert_header(&answer, "Vary", "Origin");
    forget(&answer);
    snprintf(headers, sizeof(headers), JSON "Origin: %s\r\n", cases[i].origin);
    ask(&f, &answer, "POST", "/v1/traces", headers, SLICE_LITERAL("{}"));
    assert_int_equal(answer.code, 200);
    assert_header(&answer, "Access-Control-Allow-Origin", cases[i].allowed ? cases[i].origin : NULL);
    forget(&answer);
    ask(&f, &answer, "POST", "/v1/traces", headers, SLICE_LITERAL("{"));
    assert_int_equal(answer.code, 400);
    assert_header(&answer, "Access-Control-Allow-Origin", cases[i].allowed ? cases[i].origin : NULL);
    forget(&answer);
  }
  close_door(&f);
  open_door(&f, NULL); // off
  struct answer answer;
  ask(&f, &answer, "OPTIONS", "/v1/traces", "Origin: https://shop.example\r\nAccess-Control-Request-Method: POST\r\n",
      slice_make(NULL, 0));
  assert_int_equal(answer.code, 204);
  assert_header(&answer, "Access-Control-Allow-Origin", NULL);
  assert_header(&answer, "Allow", "POST, OPTIONS");
  forget(&answer);
  close_door(&f);
}

static void test_json_documents_have_their_share(void **state) {
  (void)state;
  struct fixture f;
  open_door(&f, NULL);
  // 64 MiB of budget: a document may have 8 MiB, which is the decoded limit too. Large ones work and leave nothing
  // behind.
  struct buffer json, packed;
  buffer_init(&json, 16 << 20);
  buffer_init(&packed, 4 << 20);
  memory_sink_traces_json(&json, 15000, -1, "a span with a name");
  assert_true(json.len > 1 << 20);
  assert_int_equal(compress_gzip(buffer_slice(&json), &packed), STATUS_OK);
  struct answer answer;
  ask(&f, &answer, "POST", "/v1/traces", JSON "Content-Encoding: gzip\r\n", buffer_slice(&packed));
  assert_int_equal(answer.code, 200);
  assert_int_equal(f.sink.items, 15000);
  forget(&answer);
  buffer_finish(&json);
  buffer_finish(&packed);
  close_door(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_p1_empty_requests),
      cmocka_unit_test(test_p2_every_signal_and_encoding),
      cmocka_unit_test(test_p3_content_encodings),
      cmocka_unit_test(test_e7_gzip_replies),
      cmocka_unit_test(test_p5_partial_success),
      cmocka_unit_test(test_p8_ways_to_send),
      cmocka_unit_test(test_p4_malformed),
      cmocka_unit_test(test_p6_too_large),
      cmocka_unit_test(test_p7_wrong_method_type_encoding),
      cmocka_unit_test(test_p9_overload),
      cmocka_unit_test(test_answer_comes_later),
      cmocka_unit_test(test_metrics_that_are_not_stored),
      cmocka_unit_test(test_ingest_keys),
      cmocka_unit_test(test_p13_cors),
      cmocka_unit_test(test_json_documents_have_their_share),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
