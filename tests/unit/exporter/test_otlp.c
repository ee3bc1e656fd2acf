// SPDX-License-Identifier: Apache-2.0
//
// The exporter against our own gRPC and HTTP servers on loopback, which answer as each test tells them.
#include "exporter/otlp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/decompress.h"
#include "net/grpc_client.h"
#include "net/grpc_server.h"
#include "net/http_server.h"
#include "proto/otlp_response.h"

#define DEADLINE   (20 * NS_PER_S)
#define GRPC_PATHS 3

static const char *const grpc_paths[GRPC_PATHS] = {
    "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
};

struct backend {
  struct grpc_server_handle *grpc;
  struct http_server *http;
  struct grpc_method methods[GRPC_PATHS];
  struct http_route routes[1];
  struct budget budget;
  uint16_t grpc_port, http_port;

  struct mutex lock; // of the rest
  // How to answer.
  uint32_t code;
  const char *message, *retry_after;
  struct buffer body;
  // What came.
  char path[128], key[64], agent[64], content_type[64];
  struct buffer payload;
};

static void note(struct backend *backend, struct slice payload, enum encoding encoding) {
  buffer_clear(&backend->payload);
  ASSERT(decompress(encoding, payload, &backend->payload, NULL) == STATUS_OK);
}

static void on_grpc(struct backend *backend, struct grpc_call_handle *call, const char *path) {
  mutex_lock(&backend->lock);
  snprintf(backend->path, sizeof(backend->path), "%s", path);
  snprintf(backend->key, sizeof(backend->key), "%.*s", SLICE_PRINTF(grpc_call_metadata(call, "x-api-key")));
  note(backend, grpc_call_message(call), grpc_call_encoding(call));
  grpc_call_finish(call, (enum grpc_code)backend->code, backend->message, buffer_slice(&backend->body));
  mutex_unlock(&backend->lock);
}
static void on_traces(void *context, struct grpc_call_handle *call) {
  on_grpc(context, call, grpc_paths[0]);
}
static void on_logs(void *context, struct grpc_call_handle *call) {
  on_grpc(context, call, grpc_paths[1]);
}
static void on_metrics(void *context, struct grpc_call_handle *call) {
  on_grpc(context, call, grpc_paths[2]);
}

static void copy(char *out, size_t size, struct slice text) {
  snprintf(out, size, "%.*s", SLICE_PRINTF(text));
}

static void on_http(void *context, struct http_request *request) {
  struct backend *backend = context;
  mutex_lock(&backend->lock);
  copy(backend->path, sizeof(backend->path), http_request_path(request));
  copy(backend->key, sizeof(backend->key), http_request_header(request, "x-api-key"));
  copy(backend->agent, sizeof(backend->agent), http_request_header(request, "user-agent"));
  copy(backend->content_type, sizeof(backend->content_type), http_request_header(request, "content-type"));
  bool gzip = slice_equal_cstr(http_request_header(request, "content-encoding"), "gzip");
  note(backend, http_request_body(request), gzip ? ENCODING_GZIP : ENCODING_IDENTITY);
  if (backend->retry_after) http_request_add_header(request, "Retry-After", backend->retry_after);
  http_request_reply(request, backend->code, "application/x-protobuf", buffer_slice(&backend->body));
  mutex_unlock(&backend->lock);
}

static int setup(void **state) {
  struct backend *backend = calloc(1, sizeof(*backend));
  mutex_init(&backend->lock);
  budget_init(&backend->budget, 64 << 20);
  buffer_init(&backend->body, 64 << 20);
  buffer_init(&backend->payload, 64 << 20);
  void (*const handlers[])(void *, struct grpc_call_handle *) = {on_traces, on_logs, on_metrics};
  for (int i = 0; i < GRPC_PATHS; i++) backend->methods[i] = (struct grpc_method){grpc_paths[i], handlers[i], backend};
  backend->routes[0] = (struct http_route){HTTP_POST, "/{*}", on_http, backend};
  const struct grpc_server_options grpc = {.address = "127.0.0.1:0",
                                           .methods = backend->methods,
                                           .method_count = GRPC_PATHS,
                                           .budget = &backend->budget,
                                           .message_bytes_max = 4 << 20,
                                           .threads = 2};
  const struct http_server_options http = {
      .address = "127.0.0.1:0", .routes = backend->routes, .route_count = 1, .body_bytes_max = 4 << 20, .threads = 1};
  if (grpc_server_open(&grpc, &backend->grpc, &backend->grpc_port, NULL)) return -1;
  if (http_server_open(&http, &backend->http, &backend->http_port, NULL)) return -1;
  *state = backend;
  return 0;
}

static int teardown(void **state) {
  struct backend *backend = *state;
  grpc_server_close(backend->grpc, DEADLINE);
  http_server_close(backend->http, DEADLINE);
  buffer_finish(&backend->body);
  buffer_finish(&backend->payload);
  mutex_finish(&backend->lock);
  free(backend);
  return 0;
}

static void answer(struct backend *backend, uint32_t code, const char *message, struct slice body) {
  mutex_lock(&backend->lock);
  backend->code = code;
  backend->message = message;
  backend->retry_after = NULL;
  buffer_clear(&backend->body);
  buffer_append_slice(&backend->body, body);
  mutex_unlock(&backend->lock);
}

static void *exporter(const struct backend *backend, enum otlp_protocol protocol, const char *path, bool gzip) {
  static const char *const headers[] = {"X-API-Key:  secret"};
  char endpoint[128];
  snprintf(endpoint, sizeof(endpoint), "http://127.0.0.1:%u%s",
           protocol == OTLP_PROTOCOL_GRPC ? backend->grpc_port : backend->http_port, path);
  const struct otlp_options options = {.endpoint = endpoint,
                                       .protocol = protocol,
                                       .compress_gzip = gzip,
                                       .headers = headers,
                                       .header_count = 1,
                                       .timeout_ns = DEADLINE};
  void *context = NULL;
  struct error error = {""};
  enum status status = otlp_create(&options, &context, &error);
  if (status) fail_msg("%s", error.text);
  return context;
}

static struct delivery_result send_kind(void *context, enum journal_kind kind) {
  const struct atomic_bool_box cancel = {false};
  struct delivery_result result;
  memset(&result, 0xa5, sizeof(result));
  otlp_transport.send(context, kind, SLICE_LITERAL("payload payload payload"), &cancel, &result);
  return result;
}

static struct delivery_result send_traces(void *context) {
  return send_kind(context, JOURNAL_TRACES);
}

static struct slice partial(struct buffer *out, uint64_t rejected, const char *message) {
  const struct otlp_response response = {.rejected = rejected, .message = slice_from_cstr(message)};
  buffer_init(out, 1 << 20);
  assert_int_equal(otlp_response_write(OTLP_TRACES, OTLP_PROTOBUF, &response, out), STATUS_OK);
  return buffer_slice(out);
}

static struct slice words(struct buffer *out, uint32_t code, const char *message, uint64_t retry_ns) {
  const struct otlp_status status = {
      .code = code, .message = slice_from_cstr(message), .has_retry = retry_ns > 0, .retry_ns = retry_ns};
  buffer_init(out, 1 << 20);
  assert_int_equal(otlp_response_write_status(OTLP_PROTOBUF, &status, out), STATUS_OK);
  return buffer_slice(out);
}

// --- gRPC -----------------------------------------------------------------------------------------------------------

static void test_grpc_takes_each_kind_to_its_service(void **state) {
  struct backend *backend = *state;
  const enum journal_kind kinds[] = {JOURNAL_TRACES, JOURNAL_LOGS, JOURNAL_METRICS};
  for (int gzip = 0; gzip < 2; gzip++) {
    void *context = exporter(backend, OTLP_PROTOCOL_GRPC, "", gzip);
    for (int i = 0; i < GRPC_PATHS; i++) {
      assert_int_equal(send_kind(context, kinds[i]).outcome, DELIVERY_DONE);
      mutex_lock(&backend->lock);
      assert_string_equal(backend->path, grpc_paths[i]);
      assert_string_equal(backend->key, "secret");
      assert_true(slice_equal_cstr(buffer_slice(&backend->payload), "payload payload payload"));
      mutex_unlock(&backend->lock);
    }
    otlp_transport.destroy(context);
  }
}

// OTLP 1.11 "Failures": every code, with and without RetryInfo.
static void test_grpc_codes(void **state) {
  struct backend *backend = *state;
  enum { R = DELIVERY_RETRY, X = DELIVERY_REFUSED, M = DELIVERY_MISCONFIGURED, L = DELIVERY_TOO_LARGE };
  const int plain[17] = {DELIVERY_DONE, R, X, X, R, X, X, M, L, X, R, R, M, X, R, R, M};
  const int with_retry[17] = {DELIVERY_DONE, R, X, X, R, X, X, M, R, X, R, R, M, X, R, R, M};
  void *context = exporter(backend, OTLP_PROTOCOL_GRPC, "/", false);
  struct buffer details;
  words(&details, 8, "w", 1500 * NS_PER_MS);
  for (uint32_t code = 1; code <= 16; code++) {
    answer(backend, code, "the words", slice_make(NULL, 0));
    struct delivery_result result = send_traces(context);
    assert_int_equal(result.outcome, plain[code]);
    assert_int_equal(result.retry_after_ns, 0);
    assert_non_null(strstr(result.reason, ": the words"));
    answer(backend, code, "the words", buffer_slice(&details));
    result = send_traces(context);
    assert_int_equal(result.outcome, with_retry[code]);
    assert_int_equal(result.retry_after_ns, 1500 * NS_PER_MS);
    answer(backend, code, "the words", SLICE_LITERAL("\xff\xff not a Status"));
    assert_int_equal(send_traces(context).outcome, plain[code]);
  }
  assert_int_equal(otlp_outcome_of_grpc(17, true), DELIVERY_REFUSED);
  buffer_finish(&details);
  otlp_transport.destroy(context);
}

static void test_grpc_partial_success_is_done(void **state) {
  struct backend *backend = *state;
  struct buffer body;
  void *context = exporter(backend, OTLP_PROTOCOL_GRPC, "", false);
  answer(backend, GRPC_CODE_OK, NULL, partial(&body, 3, "too old"));
  struct delivery_result result = send_traces(context);
  assert_int_equal(result.outcome, DELIVERY_DONE);
  assert_int_equal(result.rejected, 3);
  assert_string_equal(result.reason, "partial success: too old");
  buffer_finish(&body);
  answer(backend, GRPC_CODE_OK, NULL, SLICE_LITERAL("\xff")); // not readable, and still taken
  result = send_traces(context);
  assert_int_equal(result.outcome, DELIVERY_DONE);
  assert_int_equal(result.rejected, 0);
  otlp_transport.destroy(context);
}

static void big_answer(struct backend *backend, uint32_t code) {
  uint8_t *big = calloc(1, (4 << 20) + 1000);
  answer(backend, code, NULL, slice_make(big, (4 << 20) + 1000));
  free(big);
}

static bool is_for_good(enum delivery_outcome outcome) {
  return outcome == DELIVERY_REFUSED || outcome == DELIVERY_TOO_LARGE;
}

static void test_a_huge_response_is_not_tried_again(void **state) {
  struct backend *backend = *state;
  void *grpc = exporter(backend, OTLP_PROTOCOL_GRPC, "", false);
  big_answer(backend, GRPC_CODE_OK);
  assert_true(is_for_good(send_traces(grpc).outcome));
  otlp_transport.destroy(grpc);
  void *http = exporter(backend, OTLP_PROTOCOL_HTTP_PROTOBUF, "", false);
  big_answer(backend, 200);
  assert_true(is_for_good(send_traces(http).outcome));
  answer(backend, 200, NULL, slice_make(NULL, 0)); // the connection is good for the next one
  assert_int_equal(send_traces(http).outcome, DELIVERY_DONE);
  otlp_transport.destroy(http);
}

static void test_nobody_there_is_tried_again(void **state) {
  struct backend *backend = *state;
  grpc_server_close(backend->grpc, DEADLINE);
  http_server_close(backend->http, DEADLINE);
  backend->grpc = NULL;
  backend->http = NULL;
  for (int protocol = 0; protocol < 2; protocol++) {
    void *context = exporter(backend, (enum otlp_protocol)protocol, "", false);
    struct delivery_result result = send_traces(context);
    assert_int_equal(result.outcome, DELIVERY_RETRY);
    assert_true(result.reason[0] != 0);
    otlp_transport.destroy(context);
  }
}

// --- HTTP -----------------------------------------------------------------------------------------------------------

static void check_paths(struct backend *backend, const char *endpoint_path, const char *const expected[3]) {
  const enum journal_kind kinds[] = {JOURNAL_TRACES, JOURNAL_LOGS, JOURNAL_METRICS};
  answer(backend, 200, NULL, slice_make(NULL, 0));
  void *context = exporter(backend, OTLP_PROTOCOL_HTTP_PROTOBUF, endpoint_path, endpoint_path[0] != 0);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(send_kind(context, kinds[i]).outcome, DELIVERY_DONE);
    mutex_lock(&backend->lock);
    assert_string_equal(backend->path, expected[i]);
    assert_string_equal(backend->key, "secret");
    assert_string_equal(backend->content_type, "application/x-protobuf");
    assert_non_null(strstr(backend->agent, "OTel-OTLP-Exporter-C/"));
    assert_true(slice_equal_cstr(buffer_slice(&backend->payload), "payload payload payload"));
    mutex_unlock(&backend->lock);
  }
  otlp_transport.destroy(context);
}

static void test_http_urls(void **state) {
  const char *const usual[] = {"/v1/traces", "/v1/logs", "/v1/metrics"};
  const char *const prefixed[] = {"/otlp/v1/traces", "/otlp/v1/logs", "/otlp/v1/metrics"};
  const char *const whole[] = {"/collect", "/collect", "/collect"};
  check_paths(*state, "", usual);
  check_paths(*state, "/", usual);
  check_paths(*state, "/v1/traces", usual);
  check_paths(*state, "/otlp/v1/traces", prefixed);
  check_paths(*state, "/collect", whole);
}

static void test_http_codes(void **state) {
  struct backend *backend = *state;
  const struct {
    uint32_t code;
    enum delivery_outcome outcome;
  } table[] = {
      {200, DELIVERY_DONE},          {202, DELIVERY_DONE},          {302, DELIVERY_REFUSED},
      {400, DELIVERY_REFUSED},       {401, DELIVERY_MISCONFIGURED}, {403, DELIVERY_MISCONFIGURED},
      {404, DELIVERY_MISCONFIGURED}, {405, DELIVERY_MISCONFIGURED}, {408, DELIVERY_REFUSED},
      {413, DELIVERY_TOO_LARGE},     {415, DELIVERY_REFUSED},       {422, DELIVERY_REFUSED},
      {429, DELIVERY_RETRY},         {500, DELIVERY_REFUSED},       {501, DELIVERY_REFUSED},
      {502, DELIVERY_RETRY},         {503, DELIVERY_RETRY},         {504, DELIVERY_RETRY},
  };
  void *context = exporter(backend, OTLP_PROTOCOL_HTTP_PROTOBUF, "", false);
  struct buffer body;
  words(&body, 3, "the field is wrong", 0);
  for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
    bool done = table[i].outcome == DELIVERY_DONE;
    answer(backend, table[i].code, NULL, done ? slice_make(NULL, 0) : buffer_slice(&body));
    struct delivery_result result = send_traces(context);
    assert_int_equal(result.outcome, table[i].outcome);
    assert_int_equal(result.retry_after_ns, 0);
    char expected[64];
    snprintf(expected, sizeof(expected), "HTTP %u: the field is wrong", table[i].code);
    if (!done) assert_string_equal(result.reason, expected);
  }
  answer(backend, 429, NULL, SLICE_LITERAL("<html>slow down</html>"));
  mutex_lock(&backend->lock);
  backend->retry_after = "7";
  mutex_unlock(&backend->lock);
  struct delivery_result result = send_traces(context);
  assert_int_equal(result.outcome, DELIVERY_RETRY);
  assert_int_equal(result.retry_after_ns, 7 * NS_PER_S);
  buffer_finish(&body);
  otlp_transport.destroy(context);
}

static void test_http_partial_success_is_done(void **state) {
  struct backend *backend = *state;
  struct buffer body;
  void *context = exporter(backend, OTLP_PROTOCOL_HTTP_PROTOBUF, "", false);
  answer(backend, 200, NULL, partial(&body, 5, "no"));
  struct delivery_result result = send_traces(context);
  assert_int_equal(result.outcome, DELIVERY_DONE);
  assert_int_equal(result.rejected, 5);
  assert_string_equal(result.reason, "partial success: no");
  buffer_finish(&body);
  otlp_transport.destroy(context);
}

// --- options --------------------------------------------------------------------------------------------------------

static void assert_invalid(const char *endpoint, const char *header, const char *expected) {
  for (int protocol = 0; protocol < 2; protocol++) {
    const struct otlp_options options = {.endpoint = endpoint,
                                         .protocol = (enum otlp_protocol)protocol,
                                         .headers = &header,
                                         .header_count = header ? 1 : 0};
    void *context = NULL;
    struct error error = {""};
    assert_int_equal(otlp_create(&options, &context, &error), STATUS_INVALID);
    assert_non_null(strstr(error.text, expected));
    assert_null(context);
  }
}

static void test_what_is_wrong_is_named(void **state) {
  (void)state;
  assert_invalid("localhost:4317", NULL, "exporters.otlp.endpoint: must begin with http");
  assert_invalid("", NULL, "exporters.otlp.endpoint");
  assert_invalid("http://", NULL, "no host");
  assert_invalid("http:///v1/traces", NULL, "no host");
  assert_invalid("https://:4317", NULL, "no host");
  char endpoint[3000] = "http://";
  memset(endpoint + 7, 'x', sizeof(endpoint) - 8);
  assert_invalid(endpoint, NULL, "longer than");
  assert_invalid("http://localhost:4317", "authorization", "exporters.otlp.headers");
  assert_invalid("http://localhost:4317", ": value", "exporters.otlp.headers");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_grpc_takes_each_kind_to_its_service),
      TEST(test_grpc_codes),
      TEST(test_grpc_partial_success_is_done),
      TEST(test_a_huge_response_is_not_tried_again),
      TEST(test_nobody_there_is_tried_again),
      TEST(test_http_urls),
      TEST(test_http_codes),
      TEST(test_http_partial_success_is_done),
      cmocka_unit_test(test_what_is_wrong_is_named),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
