// SPDX-License-Identifier: Apache-2.0
//
// An HTTP server on a free loopback port, with routes that tell what they saw, for the tests of net/http_server.
#ifndef TESTS_UNIT_NET_HTTP_SERVER_FIXTURE_H
#define TESTS_UNIT_NET_HTTP_SERVER_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/thread.h"
#include "net/http_client.h"
#include "net/http_server.h"

#define DEADLINE (20 * NS_PER_S)
#define BODY_MAX (1u << 20)

struct fixture {
  struct http_server *server;
  uint16_t port;
  struct http_route routes[8];
  struct budget budget;
  struct mutex mutex;
  struct condition changed;
  struct http_request *kept;
};

// Answers with what it saw: method, path, captures, a query parameter, a header and the body.
static inline void on_echo(void *context, struct http_request *request) {
  (void)context;
  struct buffer out;
  buffer_init(&out, 4 << 20);
  buffer_printf(&out, "%s|", http_method_name(http_request_method(request)));
  buffer_append_slice(&out, http_request_path(request));
  buffer_append_byte(&out, '|');
  buffer_append_slice(&out, http_request_capture(request, 0));
  buffer_append_byte(&out, '|');
  buffer_append_slice(&out, http_request_query(request, "q"));
  buffer_append_byte(&out, '|');
  buffer_append_slice(&out, http_request_header(request, "x-test"));
  buffer_append_byte(&out, '|');
  buffer_append_slice(&out, http_request_body(request));
  assert_null(http_request_header(request, "x-absent").ptr);
  assert_null(http_request_query(request, "absent").ptr);
  assert_null(http_request_capture(request, 7).ptr);
  assert_true(slice_equal_cstr(http_request_peer(request), "127.0.0.1"));
  http_request_add_header(request, "X-Reply", "yes");
  http_request_reply(request, 200, "text/plain", buffer_slice(&out));
  buffer_finish(&out);
}

static inline void on_static(void *context, struct http_request *request) {
  (void)context;
  http_request_reply_static(request, 200, "text/css", SLICE_LITERAL("body {}"));
}

static inline void on_keep(void *context, struct http_request *request) {
  struct fixture *f = context;
  mutex_lock(&f->mutex);
  f->kept = request;
  condition_broadcast(&f->changed);
  mutex_unlock(&f->mutex);
}

static inline struct http_request *take_kept(struct fixture *f) {
  mutex_lock(&f->mutex);
  while (!f->kept) condition_wait(&f->changed, &f->mutex);
  struct http_request *request = f->kept;
  f->kept = NULL;
  mutex_unlock(&f->mutex);
  return request;
}

static inline void on_refusal(void *context, struct http_request *request, enum status status, const char *text) {
  (void)context;
  char body[256];
  snprintf(body, sizeof(body), "%s: %s", status_name(status), text);
  http_request_reply(request, status == STATUS_UNAVAILABLE ? 503 : 499, "text/refusal", slice_from_cstr(body));
}

static inline void open_server(struct fixture *f, const struct http_server_options *extra) {
  memset(f, 0, sizeof(*f));
  mutex_init(&f->mutex);
  condition_init(&f->changed);
  budget_init(&f->budget, 2 * BODY_MAX);
  size_t n = 0;
  f->routes[n++] = (struct http_route){HTTP_POST, "/echo", on_echo, f};
  f->routes[n++] = (struct http_route){HTTP_GET, "/echo", on_echo, f};
  f->routes[n++] = (struct http_route){HTTP_GET, "/item/{}", on_echo, f};
  f->routes[n++] = (struct http_route){HTTP_GET, "/style.css", on_static, f};
  f->routes[n++] = (struct http_route){HTTP_POST, "/keep", on_keep, f};
  struct http_server_options options = extra ? *extra : (struct http_server_options){.on_refusal = on_refusal};
  options.name = "test";
  options.address = "127.0.0.1:0";
  options.routes = f->routes;
  options.route_count = n;
  options.budget = &f->budget;
  if (options.body_bytes_max == 0) options.body_bytes_max = BODY_MAX;
  if (options.threads == 0) options.threads = 2;
  struct error error = {{0}};
  enum status status = http_server_open(&options, &f->server, &f->port, &error);
  assert_string_equal(error.text, "");
  assert_int_equal(status, STATUS_OK);
  assert_int_not_equal(f->port, 0);
}

static inline void close_server(struct fixture *f) {
  http_server_close(f->server, DEADLINE);
  assert_int_equal(budget_used(&f->budget), 0);
  condition_finish(&f->changed);
  mutex_finish(&f->mutex);
}

// One request with our client.
static inline uint32_t fetch(const struct fixture *f, const char *method, const char *target, struct slice body,
                             struct buffer *response) {
  struct http_client *client = NULL;
  const struct http_client_options options = {0};
  assert_int_equal(http_client_create(&options, &client, NULL), STATUS_OK);
  char url[128];
  snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", f->port, target);
  const struct http_header header = {"X-Test", "value"};
  struct http_reply reply;
  struct error error = {{0}};
  http_client_call(client, method, url, &header, 1, body, DEADLINE, NULL, response, &reply, &error);
  assert_string_equal(error.text, "");
  http_client_destroy(client);
  return reply.code;
}

static inline void assert_fetch(const struct fixture *f, const char *method, const char *target, const char *body,
                                uint32_t code, const char *expected) {
  struct buffer response;
  buffer_init(&response, 4 << 20);
  assert_int_equal(fetch(f, method, target, slice_from_cstr(body), &response), code);
  buffer_append_byte(&response, 0);
  assert_string_equal((const char *)response.ptr, expected);
  buffer_finish(&response);
}

#endif
