// SPDX-License-Identifier: Apache-2.0
//
// The OTLP/gRPC door on a real server with our own client.
#include "receiver/otlp_grpc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/grpc_client.h"
#include "tests/unit/receiver/memory_sink.h"

#define TRACES  "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
#define LOGS    "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
#define METRICS "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"

struct fixture {
  struct memory_sink sink;
  struct metrics *metrics;
  struct budget budget;
  struct otlp_door *door;
  struct otlp_grpc grpc;
  struct grpc_server_handle *server;
  char target[32];
};

static void open_door(struct fixture *f, const char *const *keys, size_t key_count, bool forward_metrics) {
  struct sink sink = memory_sink_init(&f->sink);
  f->metrics = metrics_create();
  budget_init(&f->budget, 64 << 20);
  const struct otlp_door_options door = {
      .limits =
          {.sink = sink, .budget = &f->budget, .keys = keys, .key_count = key_count, .decoded_bytes_max = 8 << 20},
      .project = 3,
      .forward_metrics = forward_metrics,
      .metrics = f->metrics,
  };
  f->door = otlp_door_create(&door);
  otlp_grpc_init(&f->grpc, f->door);
  const struct grpc_server_options server = {
      .address = "127.0.0.1:0",
      .methods = f->grpc.methods,
      .method_count = OTLP_GRPC_METHODS,
      .admit = otlp_grpc_admit,
      .admit_context = &f->grpc,
      .on_refusal = otlp_grpc_refused,
      .refusal_context = &f->grpc,
      .budget = &f->budget,
      .message_bytes_max = 2 << 20,
  };
  uint16_t port = 0;
  assert_int_equal(grpc_server_open(&server, &f->server, &port, NULL), STATUS_OK);
  snprintf(f->target, sizeof(f->target), "127.0.0.1:%u", port);
}

static void close_door(struct fixture *f) {
  grpc_server_close(f->server, 10 * NS_PER_S);
  otlp_door_destroy(f->door);
  metrics_destroy(f->metrics);
  memory_sink_finish(&f->sink);
  assert_int_equal(budget_used(&f->budget), 0);
}

static uint64_t counter(struct fixture *f, const char *name, const char *labels) {
  return metrics_get(metrics_series(f->metrics, METRICS_COUNTER, name, labels, ""));
}

struct answer {
  struct grpc_client *client;
  struct buffer body;
  struct grpc_reply reply;
};

static void ask(struct fixture *f, struct answer *answer, const char *path, struct slice message, bool gzip,
                const char *key) {
  const struct grpc_header header = {"x-culprit-key", key};
  const struct grpc_client_options options = {
      .target = f->target, .compress_gzip = gzip, .headers = &header, .header_count = key ? 1 : 0};
  assert_int_equal(grpc_client_create(&options, &answer->client, NULL), STATUS_OK);
  buffer_init(&answer->body, 1 << 20);
  memory_sink_meet(&f->sink);
  grpc_client_call(answer->client, path, message, 20 * NS_PER_S, NULL, &answer->body, &answer->reply);
  memory_sink_meet(&f->sink);
}

static void forget(struct answer *answer) {
  buffer_finish(&answer->body);
  grpc_client_destroy(answer->client);
}

static struct otlp_response success(const struct answer *answer) {
  assert_string_equal(answer->reply.message, "");
  assert_int_equal(answer->reply.code, GRPC_CODE_OK);
  struct otlp_response response;
  assert_int_equal(otlp_response_read(buffer_slice(&answer->body), &response, NULL), STATUS_OK);
  return response;
}

// The code, and what grpc-status-details-bin says.
static struct otlp_status failure(const struct answer *answer, enum grpc_code code) {
  assert_int_equal(answer->reply.code, code);
  struct otlp_status status;
  assert_int_equal(otlp_response_read_status(answer->reply.details, &status, NULL), STATUS_OK);
  assert_int_equal(status.code, code);
  assert_true(slice_equal_cstr(status.message, answer->reply.message));
  return status;
}

static void test_three_services(void **state) {
  (void)state;
  struct fixture f;
  open_door(&f, NULL, 0, true);
  struct buffer traces, logs, metrics;
  buffer_init(&traces, 1 << 20);
  buffer_init(&logs, 4096);
  buffer_init(&metrics, 4096);
  memory_sink_traces(&traces, 50, -1);
  memory_sink_wire(OTLP_LOGS, MEMORY_SINK_LOGS_JSON, &logs);
  memory_sink_wire(OTLP_METRICS, MEMORY_SINK_METRICS_JSON, &metrics);
  const struct {
    const char *path;
    struct slice message;
    enum journal_kind kind;
    uint64_t items;
  } cases[] = {
      {TRACES, buffer_slice(&traces), JOURNAL_TRACES, 50},
      {LOGS, buffer_slice(&logs), JOURNAL_LOGS, 2},
      {METRICS, buffer_slice(&metrics), JOURNAL_METRICS, 2},
      {TRACES, slice_make(NULL, 0), JOURNAL_TRACES, 0}, // P1
  };
  for (size_t i = 0; i < 8; i++) {
    struct answer answer;
    size_t n = i % 4;
    ask(&f, &answer, cases[n].path, cases[n].message, i >= 4, NULL);
    success(&answer);
    assert_int_equal(answer.body.len, 0); // R1
    assert_int_equal(f.sink.kind, cases[n].kind);
    assert_int_equal(f.sink.project, 3);
    assert_int_equal(f.sink.items, cases[n].items);
    assert_true(slice_equal(slice_make(f.sink.body, f.sink.body_len), cases[n].message));
    forget(&answer);
  }
  assert_int_equal(counter(&f, "culprit_received_requests_total", "signal=\"traces\",transport=\"grpc\""), 4);
  assert_int_equal(counter(&f, "culprit_received_items_total", "signal=\"traces\""), 100);
  assert_true(counter(&f, "culprit_received_bytes_total", "signal=\"traces\"") < 2 * traces.len); // half of it gzipped
  buffer_finish(&traces);
  buffer_finish(&logs);
  buffer_finish(&metrics);
  close_door(&f);
}

static void test_partial_success_and_warning(void **state) {
  (void)state;
  struct fixture f;
  open_door(&f, NULL, 0, false);
  struct buffer wire;
  buffer_init(&wire, 1 << 20);
  memory_sink_traces(&wire, 10, 0);
  struct answer answer;
  ask(&f, &answer, TRACES, buffer_slice(&wire), false, NULL);
  struct otlp_response response = success(&answer);
  assert_int_equal(response.rejected, 1);
  assert_true(response.message.len > 0);
  forget(&answer);
  buffer_clear(&wire);
  memory_sink_wire(OTLP_METRICS, MEMORY_SINK_METRICS_JSON, &wire);
  ask(&f, &answer, METRICS, buffer_slice(&wire), false, NULL);
  response = success(&answer);
  assert_int_equal(response.rejected, 0);
  assert_true(response.message.len > 0);
  assert_int_equal(f.sink.submits, 1);
  forget(&answer);
  buffer_finish(&wire);
  close_door(&f);
}

static void test_malformed(void **state) {
  (void)state;
  struct fixture f;
  open_door(&f, NULL, 0, false);
  struct answer answer;
  ask(&f, &answer, TRACES, SLICE_LITERAL("\x0a\x05x"), false, NULL);
  struct otlp_status status = failure(&answer, GRPC_CODE_INVALID_ARGUMENT);
  assert_false(status.has_retry);
  assert_true(status.bad_reason.len > 0); // R11
  forget(&answer);
  ask(&f, &answer, METRICS, SLICE_LITERAL("\x08"), true, NULL);
  failure(&answer, GRPC_CODE_INVALID_ARGUMENT);
  forget(&answer);
  assert_int_equal(counter(&f, "culprit_refused_requests_total", "signal=\"traces\",reason=\"invalid\""), 1);
  close_door(&f);
}

static void test_too_large(void **state) {
  (void)state;
  struct fixture f;
  open_door(&f, NULL, 0, false);
  size_t len = 16 << 20;
  uint8_t *zeros = calloc(1, len);
  struct answer answer;
  ask(&f, &answer, TRACES, slice_make(zeros, 2 << 20 | 1), false, NULL); // on the wire: net/grpc_server answers
  assert_int_equal(answer.reply.code, GRPC_CODE_RESOURCE_EXHAUSTED);
  assert_string_equal(answer.reply.message, "a message of 2097153 bytes, at most 2097152 are taken");
  assert_int_equal(answer.reply.details.len, 0);
  assert_int_equal(counter(&f, "culprit_refused_requests_total", "signal=\"traces\",reason=\"too large\""), 1);
  forget(&answer);
  ask(&f, &answer, TRACES, slice_make(zeros, len), true, NULL); // 16 KiB that would become 16 MiB
  assert_false(failure(&answer, GRPC_CODE_RESOURCE_EXHAUSTED).has_retry);
  forget(&answer);
  assert_int_equal(counter(&f, "culprit_refused_requests_total", "signal=\"traces\",reason=\"too large\""), 2);
  assert_int_equal(counter(&f, "culprit_received_requests_total", "signal=\"traces\",transport=\"grpc\""), 2);
  assert_int_equal(budget_used(&f.budget), 0);
  free(zeros);
  close_door(&f);
}

static void test_overload(void **state) {
  (void)state;
  struct fixture f;
  open_door(&f, NULL, 0, false);
  const struct {
    enum status refuse, fail, not_ready;
    enum grpc_code code;
  } cases[] = {
      {STATUS_UNAVAILABLE, STATUS_OK, STATUS_OK, GRPC_CODE_UNAVAILABLE},
      {STATUS_OK, STATUS_UNAVAILABLE, STATUS_OK, GRPC_CODE_UNAVAILABLE},
      {STATUS_OK, STATUS_OK, STATUS_UNAVAILABLE, GRPC_CODE_UNAVAILABLE},
      {STATUS_RATE_LIMITED, STATUS_OK, STATUS_OK, GRPC_CODE_RESOURCE_EXHAUSTED},
  };
  struct answer answer;
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    f.sink.refuse = cases[i].refuse;
    f.sink.fail = cases[i].fail;
    f.sink.not_ready = cases[i].not_ready;
    ask(&f, &answer, LOGS, slice_make(NULL, 0), false, NULL);
    struct otlp_status status = failure(&answer, cases[i].code);
    assert_true(status.has_retry);
    assert_in_range(status.retry_ns, NS_PER_S, 5 * NS_PER_S);
    forget(&answer);
  }
  f.sink.refuse = STATUS_INTERNAL;
  ask(&f, &answer, LOGS, slice_make(NULL, 0), false, NULL);
  assert_false(failure(&answer, GRPC_CODE_INTERNAL).has_retry);
  forget(&answer);
  assert_int_equal(counter(&f, "culprit_refused_requests_total", "signal=\"logs\",reason=\"unavailable\""), 3);
  close_door(&f);
}

static void test_keys(void **state) {
  (void)state;
  static const char *const keys[] = {"k1"};
  struct fixture f;
  open_door(&f, keys, 1, false);
  struct answer answer;
  ask(&f, &answer, TRACES, slice_make(NULL, 0), false, NULL);
  assert_false(failure(&answer, GRPC_CODE_UNAUTHENTICATED).has_retry);
  forget(&answer);
  ask(&f, &answer, TRACES, slice_make(NULL, 0), false, "wrong");
  failure(&answer, GRPC_CODE_UNAUTHENTICATED);
  forget(&answer);
  ask(&f, &answer, TRACES, slice_make(NULL, 0), false, "k1");
  success(&answer);
  forget(&answer);
  ask(&f, &answer, "/grpc.health.v1.Health/Check", slice_make(NULL, 0), false, NULL); // probes have no key
  assert_int_equal(answer.reply.code, GRPC_CODE_OK);
  forget(&answer);
  close_door(&f);
}

static void answer_kept(void *sink) {
  memory_sink_answer_kept(sink);
}

static void test_answer_comes_later(void **state) {
  (void)state;
  struct fixture f;
  open_door(&f, NULL, 0, false);
  f.sink.keep = true;
  struct thread thread = {0};
  assert_int_equal(thread_start(&thread, "answer", answer_kept, &f.sink), STATUS_OK);
  struct answer answer;
  ask(&f, &answer, TRACES, slice_make(NULL, 0), false, NULL);
  success(&answer);
  thread_join(&thread);
  forget(&answer);
  close_door(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_three_services),     cmocka_unit_test(test_partial_success_and_warning),
      cmocka_unit_test(test_malformed),          cmocka_unit_test(test_too_large),
      cmocka_unit_test(test_overload),           cmocka_unit_test(test_keys),
      cmocka_unit_test(test_answer_comes_later),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
