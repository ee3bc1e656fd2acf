// SPDX-License-Identifier: Apache-2.0
//
// The HTTP server against our own client and against raw sockets, over loopback: requests, replies, closing, TLS.
// test_http_server_wire has what clients put on the wire, test_http_server_limits what it refuses for their size,
// number and time.
#include <sched.h>

#include "base/queue.h"
#include "tests/unit/net/certificates.h"
#include "tests/unit/net/http_server_fixture.h"
#include "tests/unit/net/raw_http.h"

static void test_what_a_handler_sees(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  assert_fetch(&f, "GET", "/echo", "", 200, "GET|/echo|||value|");
  assert_fetch(&f, "POST", "/echo?a=1&q=x%26y+z%2B", "hello", 200, "POST|/echo||x&y z+|value|hello");
  assert_fetch(&f, "GET", "/item/a%2Fb%20c", "", 200, "GET|/item/a/b c|a/b c||value|");
  assert_fetch(&f, "GET", "//item//7/?q=", "", 200, "GET|/item/7|7||value|");
  assert_fetch(&f, "GET", "/style.css", "", 200, "body {}");
  close_server(&f);
}

static void test_refusals(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  assert_fetch(&f, "GET", "/nothing", "", 499, "not found: no such path");
  assert_fetch(&f, "PUT", "/echo", "some body", 499, "method not allowed: the path does not take this method");
  close_server(&f);
  const struct http_server_options plain = {0};
  open_server(&f, &plain);
  struct buffer response;
  buffer_init(&response, 4096);
  assert_int_equal(fetch(&f, "GET", "/nothing", slice_make(NULL, 0), &response), 404);
  assert_int_equal(fetch(&f, "DELETE", "/keep", slice_make(NULL, 0), &response), 405);
  buffer_finish(&response);
  close_server(&f);
}

static void test_head_and_allow(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  struct raw_http raw;
  raw_http_open(&raw, f.port);
  raw_http_text(
      &raw, "HEAD /style.css HTTP/1.1\r\nHost: x\r\n\r\nPUT /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  const char *reply = NULL;
  // A HEAD reply names the length of a body that does not come: what follows is the next reply.
  while (!strstr(raw.reply, "method not allowed: the path does not take this method"))
    assert_int_not_equal(raw_http_more(&raw), 0);
  reply = raw.reply;
  assert_memory_equal(reply, "HTTP/1.1 200", 12);
  assert_int_equal(atoi(raw_http_header(reply, "\r\nContent-Length:")), 7);
  assert_null(strstr(reply, "body {}"));
  assert_non_null(strstr(reply, "Allow: GET, HEAD, POST\r\n"));
  raw_http_close(&raw);
  close_server(&f);
}

static void test_keep_alive_after_a_refusal_with_body(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  struct raw_http raw;
  raw_http_open(&raw, f.port);
  raw_http_text(&raw, "POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
                      "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nab");
  const char *body = NULL;
  assert_int_equal(raw_http_reply(&raw, NULL, &body), 499);
  assert_int_equal(raw_http_reply(&raw, NULL, &body), 200);
  assert_string_equal(body, "POST|/echo||||ab");
  raw_http_close(&raw);
  close_server(&f);
}

static void test_reply_from_another_thread(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  for (int round = 0; round < 50; round++) {
    struct raw_http raw;
    raw_http_open(&raw, f.port);
    raw_http_text(&raw, "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nwait");
    struct http_request *request = take_kept(&f); // maybe before the handler has come back
    assert_true(slice_equal_cstr(http_request_body(request), "wait"));
    http_request_reply(request, 202, NULL, SLICE_LITERAL("later"));
    const char *body = NULL;
    assert_int_equal(raw_http_reply(&raw, NULL, &body), 202);
    assert_string_equal(body, "later");
    raw_http_close(&raw);
  }
  close_server(&f);
}

static void test_client_gone_before_the_reply(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  struct raw_http raw;
  raw_http_open(&raw, f.port);
  raw_http_text(&raw, "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nwait");
  struct http_request *request = take_kept(&f);
  raw_http_close(&raw);
  http_request_reply(request, 200, NULL, SLICE_LITERAL("nobody"));
  close_server(&f);
}

static void test_quiesce(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  struct raw_http raw;
  raw_http_open(&raw, f.port);
  raw_http_text(&raw, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  assert_int_equal(raw_http_reply(&raw, NULL, NULL), 200);
  http_server_quiesce(f.server);
  assert_int_equal(raw_http_connect(f.port), -1);
  raw_http_text(&raw, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  const char *reply = NULL;
  assert_int_equal(raw_http_reply(&raw, &reply, NULL), 200);
  assert_non_null(strstr(reply, "Connection: close"));
  assert_true(raw_http_closed(&raw));
  raw_http_close(&raw);
  close_server(&f);
}

static void test_close_abandons_kept_requests(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  struct raw_http raw;
  raw_http_open(&raw, f.port);
  raw_http_text(&raw, "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nX-Test: still here\r\n\r\nwait");
  struct http_request *request = take_kept(&f);
  http_server_close(f.server, 10 * NS_PER_MS);
  assert_int_equal(raw_http_reply(&raw, NULL, NULL), 503);
  raw_http_close(&raw);
  // The owner's side is whole, and its reply falls on deaf ears.
  assert_true(slice_equal_cstr(http_request_body(request), "wait"));
  assert_true(slice_equal_cstr(http_request_header(request, "x-test"), "still here"));
  http_request_add_header(request, "X-Late", "yes");
  http_request_reply(request, 200, NULL, SLICE_LITERAL("late"));
  assert_int_equal(budget_used(&f.budget), 0);
}

static void test_close_waits_for_replies(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  struct raw_http raw;
  raw_http_open(&raw, f.port);
  raw_http_text(&raw, "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nwait");
  struct http_request *request = take_kept(&f);
  http_server_quiesce(f.server);
  http_request_reply(request, 200, NULL, SLICE_LITERAL("in time"));
  http_server_close(f.server, DEADLINE);
  assert_int_equal(raw_http_reply(&raw, NULL, NULL), 200);
  raw_http_close(&raw);
  assert_int_equal(budget_used(&f.budget), 0);
}

// ---- under load

enum { CLIENTS = 6 };

struct load {
  struct fixture *fixture;
  struct atomic_bool_box stop;
  struct atomic_u64 answered, refused;
  struct thread clients[CLIENTS], owner;
};

static void run_client(void *context) {
  struct load *load = context;
  while (!atomic_bool_get(&load->stop)) {
    struct raw_http raw;
    raw_http_open(&raw, load->fixture->port);
    for (int i = 0; i < 20 && raw.fd >= 0; i++) {
      raw_http_text(&raw, "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nwait");
      int code = raw_http_reply(&raw, NULL, NULL);
      if (code == 200) atomic_u64_add(&load->answered, 1);
      if (code != 200) atomic_u64_add(&load->refused, 1);
      if (code != 200) break;
    }
    raw_http_close(&raw);
  }
}

// The handler of the load: hands requests to the owner's thread over a queue.
static void on_queue(void *context, struct http_request *request) {
  if (!queue_push(context, request)) http_request_reply(request, 503, NULL, slice_make(NULL, 0));
}

static void run_owner(void *context) {
  struct http_request *request;
  while ((request = queue_pop(context, DEADLINE))) http_request_reply(request, 200, NULL, http_request_body(request));
}

// Replies from another thread race handlers that are coming back, and a close comes in the middle of it.
static void test_close_under_load(void **state) {
  (void)state;
  for (int round = 0; round < 5; round++) {
    struct queue *queue = queue_create(256);
    struct fixture f;
    memset(&f, 0, sizeof(f));
    f.routes[0] = (struct http_route){HTTP_POST, "/keep", on_queue, queue};
    budget_init(&f.budget, BODY_MAX);
    const struct http_server_options options = {.address = "127.0.0.1:0",
                                                .routes = f.routes,
                                                .route_count = 1,
                                                .budget = &f.budget,
                                                .body_bytes_max = BODY_MAX,
                                                .threads = 2};
    assert_int_equal(http_server_open(&options, &f.server, &f.port, NULL), STATUS_OK);
    struct load load = {.fixture = &f};
    assert_int_equal(thread_start(&load.owner, "owner", run_owner, queue), STATUS_OK);
    for (int i = 0; i < CLIENTS; i++) {
      assert_int_equal(thread_start(&load.clients[i], "client", run_client, &load), STATUS_OK);
    }
    while (atomic_u64_get(&load.answered) < 300) sched_yield();
    http_server_close(f.server, round % 2 ? 0 : DEADLINE);
    atomic_bool_set(&load.stop, true);
    for (int i = 0; i < CLIENTS; i++) thread_join(&load.clients[i]);
    queue_close(queue);
    thread_join(&load.owner);
    assert_int_equal(queue_count(queue), 0);
    queue_destroy(queue);
    assert_int_equal(budget_used(&f.budget), 0);
  }
}

static void test_port_in_use(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  char address[32];
  snprintf(address, sizeof(address), "127.0.0.1:%u", f.port);
  struct http_server_options options = {.address = address, .routes = f.routes, .route_count = 1};
  struct http_server *second = NULL;
  uint16_t port = 0;
  struct error error;
  assert_int_equal(http_server_open(&options, &second, &port, &error), STATUS_IO);
  assert_non_null(strstr(error.text, address));
  options.address = "127.0.0.1";
  assert_int_equal(http_server_open(&options, &second, &port, &error), STATUS_INVALID);
  options.address = "::1:80";
  assert_int_equal(http_server_open(&options, &second, &port, &error), STATUS_INVALID);
  close_server(&f);
}

// One GET over TLS; the status of the client call.
static enum status fetch_tls(const struct fixture *f, const struct http_client_options *options) {
  struct http_client *client = NULL;
  assert_int_equal(http_client_create(options, &client, NULL), STATUS_OK);
  char url[64];
  snprintf(url, sizeof(url), "https://127.0.0.1:%u/style.css", f->port);
  struct buffer response;
  buffer_init(&response, 4096);
  struct http_reply reply;
  struct error error;
  enum status status =
      http_client_call(client, "GET", url, NULL, 0, slice_make(NULL, 0), DEADLINE, NULL, &response, &reply, &error);
  if (status == STATUS_OK) {
    assert_int_equal(reply.code, 200);
    assert_true(slice_equal_cstr(buffer_slice(&response), "body {}"));
  }
  buffer_finish(&response);
  http_client_destroy(client);
  return status;
}

static void test_tls_and_client_certificates(void **state) {
  (void)state;
  struct certificates files;
  certificates_create(&files);
  struct fixture f;
  const struct http_server_options plain = {.tls = {.cert_file = files.cert, .key_file = files.key}};
  open_server(&f, &plain);
  struct http_client_options options = {.tls = {.ca_file = files.root}};
  assert_int_equal(fetch_tls(&f, &options), STATUS_OK);
  options.tls.ca_file = files.stranger_cert;
  assert_int_equal(fetch_tls(&f, &options), STATUS_UNAVAILABLE);
  options.tls.insecure_skip_verify = true;
  assert_int_equal(fetch_tls(&f, &options), STATUS_OK);
  close_server(&f);

  const struct http_server_options mutual = {
      .tls = {.cert_file = files.cert, .key_file = files.key, .client_ca_file = files.root}};
  open_server(&f, &mutual);
  options =
      (struct http_client_options){.tls = {.ca_file = files.root, .cert_file = files.cert, .key_file = files.key}};
  assert_int_equal(fetch_tls(&f, &options), STATUS_OK);
  options.tls.cert_file = files.stranger_cert;
  options.tls.key_file = files.stranger_key;
  assert_int_equal(fetch_tls(&f, &options), STATUS_UNAVAILABLE);
  options.tls.cert_file = options.tls.key_file = NULL;
  assert_int_equal(fetch_tls(&f, &options), STATUS_UNAVAILABLE);
  close_server(&f);
  certificates_remove(&files);
}

// A large body there and back, and what is no handshake.
static void test_tls_traffic(void **state) {
  (void)state;
  struct certificates files;
  certificates_create(&files);
  struct fixture f;
  const struct http_server_options options = {.tls = {.cert_file = files.cert, .key_file = files.key},
                                              .request_deadline_ns = 2 * NS_PER_S};
  open_server(&f, &options);
  struct http_client *client = NULL;
  assert_int_equal(http_client_create(&(struct http_client_options){.tls = {.ca_file = files.root}}, &client, NULL),
                   STATUS_OK);
  char url[64];
  snprintf(url, sizeof(url), "https://127.0.0.1:%u/echo", f.port);
  uint8_t *bytes = malloc(BODY_MAX);
  assert_non_null(bytes);
  for (size_t i = 0; i < BODY_MAX; i++) bytes[i] = (uint8_t)(i * 31 >> 7);
  for (size_t len = 1; len <= BODY_MAX; len = len * 4) {
    struct buffer response;
    buffer_init(&response, 2 * BODY_MAX);
    struct http_reply reply;
    struct error error;
    assert_int_equal(http_client_call(client, "POST", url, NULL, 0, slice_make(bytes, len), DEADLINE, NULL, &response,
                                      &reply, &error),
                     STATUS_OK);
    assert_int_equal(reply.code, 200);
    assert_true(slice_ends_with(buffer_slice(&response), slice_make(bytes, len)));
    buffer_finish(&response);
  }
  http_client_destroy(client);
  free(bytes);
  static const char *const starts[] = {"GET /echo HTTP/1.1\r\nHost: x\r\n\r\n", "\x16\x03\x01\x02", ""};
  for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
    struct raw_http raw;
    raw_http_open(&raw, f.port);
    raw_http_text(&raw, starts[i]);
    assert_int_equal(raw_http_reply(&raw, NULL, NULL), 0);
    raw_http_close(&raw);
  }
  close_server(&f);
  certificates_remove(&files);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_a_handler_sees),
      cmocka_unit_test(test_refusals),
      cmocka_unit_test(test_head_and_allow),
      cmocka_unit_test(test_keep_alive_after_a_refusal_with_body),
      cmocka_unit_test(test_reply_from_another_thread),
      cmocka_unit_test(test_client_gone_before_the_reply),
      cmocka_unit_test(test_quiesce),
      cmocka_unit_test(test_close_abandons_kept_requests),
      cmocka_unit_test(test_close_waits_for_replies),
      cmocka_unit_test(test_close_under_load),
      cmocka_unit_test(test_port_in_use),
      cmocka_unit_test(test_tls_and_client_certificates),
      cmocka_unit_test(test_tls_traffic),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
