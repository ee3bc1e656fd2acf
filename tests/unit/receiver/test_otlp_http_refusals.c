// SPDX-License-Identifier: Apache-2.0
//
// What the OTLP/HTTP door does not take: malformed, too large, not served, without a key, at a bad time. Names like P4
// are rules of OTLP 1.11 as the project numbers them.
#include "tests/unit/receiver/otlp_http_fixture.h"

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
      cmocka_unit_test(test_p4_malformed),
      cmocka_unit_test(test_p6_too_large),
      cmocka_unit_test(test_p7_wrong_method_type_encoding),
      cmocka_unit_test(test_p9_overload),
      cmocka_unit_test(test_ingest_keys),
      cmocka_unit_test(test_json_documents_have_their_share),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
