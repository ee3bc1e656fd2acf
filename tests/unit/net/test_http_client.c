// SPDX-License-Identifier: Apache-2.0
//
// The HTTP client against our own server.
#include "net/http_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/http_server.h"

#define DEADLINE (20 * NS_PER_S)

struct fixture {
  struct http_server *server;
  struct http_route routes[3];
  char url[64];
  char retry_after[64];
  uint32_t code;
  size_t body_len;
  char seen_agent[64], seen_header[64], seen_expect[64];
  struct mutex mutex;
  struct condition changed;
  struct http_request *kept;
};

static void copy_header(struct http_request *request, const char *name, char out[64]) {
  snprintf(out, 64, "%.*s", SLICE_PRINTF(http_request_header(request, name)));
}

static void on_answer(void *context, struct http_request *request) {
  struct fixture *f = context;
  copy_header(request, "user-agent", f->seen_agent);
  copy_header(request, "x-key", f->seen_header);
  copy_header(request, "expect", f->seen_expect);
  if (f->retry_after[0]) http_request_add_header(request, "Retry-After", f->retry_after);
  http_request_add_header(request, "Location", "/elsewhere");
  uint8_t *body = calloc(1, f->body_len + 1);
  http_request_reply(request, f->code, "text/plain", slice_make(body, f->body_len));
  free(body);
}

static void on_keep(void *context, struct http_request *request) {
  struct fixture *f = context;
  mutex_lock(&f->mutex);
  f->kept = request;
  condition_broadcast(&f->changed);
  mutex_unlock(&f->mutex);
}

static void open_server(struct fixture *f) {
  memset(f, 0, sizeof(*f));
  mutex_init(&f->mutex);
  condition_init(&f->changed);
  f->code = 200;
  f->routes[0] = (struct http_route){HTTP_POST, "/answer", on_answer, f};
  f->routes[1] = (struct http_route){HTTP_PATCH, "/answer", on_answer, f};
  f->routes[2] = (struct http_route){HTTP_POST, "/keep", on_keep, f};
  const struct http_server_options options = {
      .address = "127.0.0.1:0", .routes = f->routes, .route_count = 3, .body_bytes_max = 4 << 20, .threads = 2};
  uint16_t port = 0;
  assert_int_equal(http_server_open(&options, &f->server, &port, NULL), STATUS_OK);
  snprintf(f->url, sizeof(f->url), "http://127.0.0.1:%u/answer", port);
}

static void close_server(struct fixture *f) {
  mutex_lock(&f->mutex);
  struct http_request *kept = f->kept;
  mutex_unlock(&f->mutex);
  if (kept) http_request_reply(kept, 200, NULL, slice_make(NULL, 0));
  http_server_close(f->server, DEADLINE);
  condition_finish(&f->changed);
  mutex_finish(&f->mutex);
}

static enum status call(const char *method, const char *url, uint64_t deadline_ns, const struct atomic_bool_box *cancel,
                        size_t response_bytes_max, struct http_reply *reply) {
  const struct http_client_options options = {.response_bytes_max = response_bytes_max, .user_agent = "agent/1"};
  struct http_client *client = NULL;
  assert_int_equal(http_client_create(&options, &client, NULL), STATUS_OK);
  const struct http_header header = {"X-Key", "k"};
  struct buffer response;
  buffer_init(&response, 8 << 20);
  uint8_t *body = calloc(1, 2 << 20); // large enough for libcurl to ask for a 100 Continue
  struct error error = {{0}};
  enum status status = http_client_call(client, method, url, &header, 1, slice_make(body, 2 << 20), deadline_ns, cancel,
                                        &response, reply, &error);
  assert_true((status == STATUS_OK) == (error.text[0] == 0));
  free(body);
  buffer_finish(&response);
  http_client_destroy(client);
  return status;
}

static void test_answers_of_every_kind(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f);
  const uint32_t codes[] = {200, 204, 302, 400, 429, 503};
  for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
    struct http_reply reply;
    f.code = codes[i];
    assert_int_equal(call(i % 2 ? "PATCH" : "POST", f.url, DEADLINE, NULL, 0, &reply), STATUS_OK);
    assert_int_equal(reply.code, codes[i]); // a redirect is an answer, not followed
    assert_true(reply.retry_after_ns == 0);
  }
  assert_string_equal(f.seen_agent, "agent/1");
  assert_string_equal(f.seen_header, "k");
  assert_string_equal(f.seen_expect, "");
  close_server(&f);
}

static uint64_t retry_after(struct fixture *f, const char *value) {
  struct http_reply reply;
  f->code = 503;
  snprintf(f->retry_after, sizeof(f->retry_after), "%s", value);
  assert_int_equal(call("POST", f->url, DEADLINE, NULL, 0, &reply), STATUS_OK);
  return reply.retry_after_ns;
}

static void test_retry_after(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f);
  assert_true(retry_after(&f, "3") == 3 * NS_PER_S);
  assert_true(retry_after(&f, "0") == 0);
  assert_true(retry_after(&f, "-5") == 0);
  assert_true(retry_after(&f, "soon") == 0);
  assert_true(retry_after(&f, "99999999999999999999999") == 0);
  assert_true(retry_after(&f, "1000000000") == 86400 * NS_PER_S);
  assert_true(retry_after(&f, "Wed, 21 Oct 2015 07:28:00 GMT") == 0);
  time_t later = time(NULL) + 600;
  struct tm parts;
  char text[64];
  gmtime_r(&later, &parts);
  strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
  uint64_t left = retry_after(&f, text);
  assert_true(left > 580 * NS_PER_S && left <= 600 * NS_PER_S);
  close_server(&f);
}

static void test_reply_over_the_limit(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f);
  struct http_reply reply;
  f.body_len = 100000;
  assert_int_equal(call("POST", f.url, DEADLINE, NULL, 100000, &reply), STATUS_OK);
  assert_int_equal(call("POST", f.url, DEADLINE, NULL, 99999, &reply), STATUS_TOO_LARGE);
  close_server(&f);
}

static void test_timeout_and_nobody(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f);
  char url[80];
  snprintf(url, sizeof(url), "%s", f.url);
  memcpy(strstr(url, "/answer"), "/keep", 6);
  struct http_reply reply;
  assert_int_equal(call("POST", url, 500 * NS_PER_MS, NULL, 0, &reply), STATUS_TIMEOUT);
  assert_int_equal(reply.code, 0);
  close_server(&f);
  assert_int_equal(call("POST", f.url, DEADLINE, NULL, 0, &reply), STATUS_UNAVAILABLE);
  assert_int_equal(call("POST", "ftp://127.0.0.1/x", DEADLINE, NULL, 0, &reply), STATUS_UNAVAILABLE);
}

struct canceller {
  struct fixture *fixture;
  struct atomic_bool_box cancel;
};

static void cancel_when_kept(void *context) {
  struct canceller *canceller = context;
  struct fixture *f = canceller->fixture;
  mutex_lock(&f->mutex);
  while (!f->kept) condition_wait(&f->changed, &f->mutex);
  mutex_unlock(&f->mutex);
  atomic_bool_set(&canceller->cancel, true);
}

static void test_cancel(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f);
  memcpy(strstr(f.url, "/answer"), "/keep", 6);
  struct canceller canceller = {.fixture = &f};
  struct thread thread = {0};
  assert_int_equal(thread_start(&thread, "cancel", cancel_when_kept, &canceller), STATUS_OK);
  struct http_reply reply;
  uint64_t start = clock_monotonic_ns(clock_system());
  assert_int_equal(call("POST", f.url, DEADLINE, &canceller.cancel, 0, &reply), STATUS_UNAVAILABLE);
  assert_true(clock_monotonic_ns(clock_system()) - start < DEADLINE / 2);
  thread_join(&thread);
  close_server(&f);
}

static void test_no_proxy_from_the_environment(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f);
  setenv("http_proxy", "http://127.0.0.1:1", 1);
  setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
  struct http_reply reply;
  assert_int_equal(call("POST", f.url, DEADLINE, NULL, 0, &reply), STATUS_OK);
  unsetenv("http_proxy");
  unsetenv("ALL_PROXY");
  close_server(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_answers_of_every_kind),
      cmocka_unit_test(test_retry_after),
      cmocka_unit_test(test_reply_over_the_limit),
      cmocka_unit_test(test_timeout_and_nobody),
      cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_no_proxy_from_the_environment),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
