// SPDX-License-Identifier: Apache-2.0
//
// The OTLP/HTTP door on a real server, with requests written byte for byte, into a sink in memory.
#ifndef TESTS_UNIT_RECEIVER_OTLP_HTTP_FIXTURE_H
#define TESTS_UNIT_RECEIVER_OTLP_HTTP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/grpc_server.h"
#include "receiver/otlp_http.h"
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

static inline void open_door(struct fixture *f, const struct setup *setup) {
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

static inline void close_door(struct fixture *f) {
  http_server_close(f->server, 10 * NS_PER_S);
  otlp_http_destroy(f->http);
  otlp_door_destroy(f->door);
  metrics_destroy(f->metrics);
  memory_sink_finish(&f->sink);
  assert_int_equal(budget_used(&f->budget), 0);
}

static inline uint64_t counter(struct fixture *f, const char *name, const char *labels) {
  return metrics_get(metrics_series(f->metrics, METRICS_COUNTER, name, labels, ""));
}

// One request on a connection of its own.
struct answer {
  struct raw_http raw;
  int code;
  const char *head; // NUL-terminated, body included
  struct slice body;
};

static inline void ask(struct fixture *f, struct answer *answer, const char *method, const char *path,
                       const char *headers, struct slice body) {
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

static inline void forget(struct answer *answer) {
  raw_http_close(&answer->raw);
}

static inline void assert_header(const struct answer *answer, const char *name, const char *value) {
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
static inline struct otlp_response read_success(const struct answer *answer) {
  assert_int_equal(answer->code, 200);
  assert_header(answer, "Content-Type", "application/x-protobuf");
  struct otlp_response response;
  assert_int_equal(otlp_response_read(answer->body, &response, NULL), STATUS_OK);
  return response;
}

// A failure in the given encoding, with a google.rpc.Status as its body (R6). Returns the code inside.
static inline struct otlp_status assert_failure(const struct answer *answer, int code, enum otlp_encoding encoding) {
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

static inline void expect_failure(struct fixture *f, const char *method, const char *path, const char *headers,
                                  struct slice body, int code, enum otlp_encoding encoding) {
  struct answer answer;
  ask(f, &answer, method, path, headers, body);
  assert_failure(&answer, code, encoding);
  forget(&answer);
}

// ---- success

#endif
