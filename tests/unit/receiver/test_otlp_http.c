// SPDX-License-Identifier: Apache-2.0
//
// What the OTLP/HTTP door takes and how it answers; test_otlp_http_refusals has what it does not take. Names like P5 or
// E7 are rules of OTLP 1.11 as the project numbers them.
#include "tests/unit/receiver/otlp_http_fixture.h"

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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_p1_empty_requests),
      cmocka_unit_test(test_p2_every_signal_and_encoding),
      cmocka_unit_test(test_p3_content_encodings),
      cmocka_unit_test(test_e7_gzip_replies),
      cmocka_unit_test(test_p5_partial_success),
      cmocka_unit_test(test_p8_ways_to_send),
      cmocka_unit_test(test_answer_comes_later),
      cmocka_unit_test(test_metrics_that_are_not_stored),
      cmocka_unit_test(test_p13_cors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
