// SPDX-License-Identifier: Apache-2.0
//
// The paths of a DSN on a real server, with requests written byte for byte, into a sink in memory.
#ifndef TESTS_UNIT_RECEIVER_SENTRY_HTTP_FIXTURE_H
#define TESTS_UNIT_RECEIVER_SENTRY_HTTP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "receiver/sentry_http.h"
#include "tests/unit/net/raw_http.h"
#include "tests/unit/receiver/memory_sink.h"

#define KEY       "0123456789abcdef0123456789abcdef"
#define OTHER_KEY "ffffffffffffffffffffffffffffffff"
#define ID        "9ec79c33ec9942ab8353589fcb2e04dc"
#define AUTH      "X-Sentry-Auth: Sentry sentry_version=7, sentry_client=t/1, sentry_key=" KEY "\r\n"
#define TRACE     "4bf92f3577b34da6a3ce929d0e0e4736"
#define EVENT     "{\"message\":\"m\"}"
#define ENVELOPE  "{\"event_id\":\"" ID "\"}\n{\"type\":\"event\"}\n" EVENT "\n"

struct fixture {
  struct memory_sink sink;
  struct metrics *metrics;
  struct sentry_limit *limit; // none is set at first
  struct budget budget;
  struct otlp_door *otlp;
  struct sentry_door *door;
  struct sentry_http *http;
  struct http_server *server;
  uint16_t port;
  struct clock_fake clock;
  // The last answer.
  int code;
  char reply[8192];
  const char *body;
};

// Project 3 has one key, project 4 another.
static inline enum status find(void *context, struct slice key, struct sentry_auth_project *out_project,
                               struct error *error) {
  (void)context;
  bool first = slice_equal_cstr(key, KEY);
  if (!first && !slice_equal_cstr(key, OTHER_KEY)) return error_set(error, STATUS_NOT_FOUND, "nobody's");
  *out_project = (struct sentry_auth_project){.id = first ? 3 : 4, .name = "shop"};
  return STATUS_OK;
}

static inline enum status admit(void *http, struct http_request *request, struct error *error) {
  return sentry_http_admit(http, request, error);
}

static inline int setup(void **state) {
  struct fixture *f = calloc(1, sizeof(*f));
  struct sink sink = memory_sink_init(&f->sink);
  f->metrics = metrics_create();
  budget_init(&f->budget, 64 << 20);
  clock_fake_init(&f->clock, UINT64_C(1795253400) * NS_PER_S);
  f->limit = sentry_limit_create(f->metrics, &f->clock.clock);
  const struct admission_options limits = {.sink = sink, .budget = &f->budget, .decoded_bytes_max = 8 << 20};
  f->otlp = otlp_door_create(&(struct otlp_door_options){.limits = limits, .project = 7, .metrics = f->metrics});
  f->door = sentry_door_create(&(struct sentry_door_options){
      .limits = limits,
      .directory = {.find = find},
      .clock = &f->clock.clock,
      .metrics = f->metrics,
      .limit = f->limit,
      .attachment_bytes_max = 10,
  });
  f->http = sentry_http_create(f->door, f->otlp);
  struct http_server_options server = {.address = "127.0.0.1:0",
                                       .on_refusal = sentry_http_refuse,
                                       .refusal_context = f->http,
                                       .admit = admit,
                                       .admit_context = f->http,
                                       .budget = &f->budget,
                                       .body_bytes_max = 4 << 20,
                                       .threads = 2};
  server.routes = sentry_http_routes(f->http, &server.route_count);
  *state = f;
  return http_server_open(&server, &f->server, &f->port, NULL) == STATUS_OK ? 0 : -1;
}

static inline int teardown(void **state) {
  struct fixture *f = *state;
  http_server_close(f->server, 10 * NS_PER_S);
  sentry_http_destroy(f->http);
  sentry_door_destroy(f->door);
  sentry_limit_destroy(f->limit);
  otlp_door_destroy(f->otlp);
  metrics_destroy(f->metrics);
  memory_sink_finish(&f->sink);
  bool balanced = budget_used(&f->budget) == 0;
  free(f);
  return balanced ? 0 : -1;
}

static inline int ask(struct fixture *f, const char *method, const char *path, const char *headers, struct slice body) {
  struct raw_http raw;
  char head[2048];
  int len = snprintf(head, sizeof(head), "%s %s HTTP/1.1\r\nHost: x\r\n%sContent-Length: %zu\r\n\r\n", method, path,
                     headers, body.len);
  raw_http_open(&raw, f->port);
  raw_http_send(&raw, head, (size_t)len);
  raw_http_send(&raw, body.ptr, body.len);
  const char *reply = "", *start = NULL;
  f->code = raw_http_reply(&raw, &reply, &start);
  snprintf(f->reply, sizeof(f->reply), "%s", reply);
  f->body = start ? f->reply + (start - reply) : "";
  raw_http_close(&raw);
  return f->code;
}

static inline int post(struct fixture *f, const char *path, const char *headers, const char *body) {
  return ask(f, "POST", path, headers, slice_from_cstr(body));
}

static inline void assert_contains(const char *text, const char *part) {
  if (!strstr(text, part)) fail_msg("no \"%s\" in: %s", part, text);
}

#endif
