// SPDX-License-Identifier: Apache-2.0
//
// The gRPC server and client against each other over loopback.
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/queue.h"
#include "net/grpc_client.h"
#include "net/grpc_server.h"
#include "tests/unit/net/certificates.h"
#include "tests/unit/net/raw_http.h"

#define ECHO_PATH "/test.Echo/Echo"
#define FAIL_PATH "/test.Echo/Fail"
#define KEEP_PATH "/test.Keep/Keep"
#define DEADLINE  (10 * NS_PER_S)

struct fixture {
  struct grpc_server_handle *server;
  struct grpc_method methods[3];
  struct budget budget;
  char target[32];
  struct mutex mutex;
  struct condition changed;
  struct grpc_call_handle *kept; // by KEEP_PATH
  struct queue *queue;           // takes them instead, when set
  enum encoding encoding;        // of the last message
  size_t message_len;
  char header[64], peer[64], message[64];
};

static void on_echo(void *context, struct grpc_call_handle *call) {
  struct fixture *f = context;
  mutex_lock(&f->mutex);
  f->encoding = grpc_call_encoding(call);
  f->message_len = grpc_call_message(call).len;
  snprintf(f->header, sizeof(f->header), "%.*s", SLICE_PRINTF(grpc_call_metadata(call, "x-test")));
  snprintf(f->peer, sizeof(f->peer), "%.*s", SLICE_PRINTF(grpc_call_peer(call)));
  assert_null(grpc_call_metadata(call, "x-absent").ptr);
  mutex_unlock(&f->mutex);
  struct buffer plain;
  buffer_init(&plain, 64 << 20);
  enum status status = decompress(grpc_call_encoding(call), grpc_call_message(call), &plain, NULL);
  if (status == STATUS_OK) {
    grpc_call_finish(call, GRPC_CODE_OK, NULL, buffer_slice(&plain));
  } else {
    grpc_call_finish(call, GRPC_CODE_INVALID_ARGUMENT, "not decodable", slice_make(NULL, 0));
  }
  buffer_finish(&plain);
}

static void on_fail(void *context, struct grpc_call_handle *call) {
  (void)context;
  grpc_call_finish(call, GRPC_CODE_INVALID_ARGUMENT, "bad: 100% caf\xc3\xa9", slice_make("\x08\x03\0\xff", 4));
}

static void on_keep(void *context, struct grpc_call_handle *call) {
  struct fixture *f = context;
  mutex_lock(&f->mutex);
  struct queue *queue = f->queue;
  if (!queue) f->kept = call;
  snprintf(f->message, sizeof(f->message), "%.*s", SLICE_PRINTF(grpc_call_message(call)));
  condition_broadcast(&f->changed);
  mutex_unlock(&f->mutex);
  if (queue && !queue_push(queue, call)) grpc_call_finish(call, GRPC_CODE_UNAVAILABLE, "full", slice_make(NULL, 0));
}

static struct grpc_call_handle *take_kept(struct fixture *f) {
  mutex_lock(&f->mutex);
  while (!f->kept) condition_wait(&f->changed, &f->mutex);
  struct grpc_call_handle *call = f->kept;
  f->kept = NULL;
  mutex_unlock(&f->mutex);
  return call;
}

static void open_server(struct fixture *f, const struct grpc_server_options *extra) {
  memset(f, 0, sizeof(*f));
  mutex_init(&f->mutex);
  condition_init(&f->changed);
  budget_init(&f->budget, 8 << 20);
  f->methods[0] = (struct grpc_method){ECHO_PATH, on_echo, f};
  f->methods[1] = (struct grpc_method){FAIL_PATH, on_fail, f};
  f->methods[2] = (struct grpc_method){KEEP_PATH, on_keep, f};
  struct grpc_server_options options = extra ? *extra : (struct grpc_server_options){0};
  options.address = "127.0.0.1:0";
  options.methods = f->methods;
  options.method_count = 3;
  options.budget = &f->budget;
  if (!options.message_bytes_max) options.message_bytes_max = 4 << 20;
  uint16_t port = 0;
  struct error error = {{0}};
  enum status status = grpc_server_open(&options, &f->server, &port, &error);
  assert_string_equal(error.text, "");
  assert_int_equal(status, STATUS_OK);
  assert_int_not_equal(port, 0);
  snprintf(f->target, sizeof(f->target), "127.0.0.1:%u", port);
}

static void close_server(struct fixture *f) {
  grpc_server_close(f->server, DEADLINE);
  assert_int_equal(budget_used(&f->budget), 0);
  condition_finish(&f->changed);
  mutex_finish(&f->mutex);
}

static struct grpc_client *connect_to(const struct fixture *f, const struct grpc_client_options *extra) {
  struct grpc_client_options options = extra ? *extra : (struct grpc_client_options){0};
  options.target = f->target;
  struct grpc_client *client = NULL;
  assert_int_equal(grpc_client_create(&options, &client, NULL), STATUS_OK);
  return client;
}

// One call with a client of its own; returns the code and checks the echoed bytes when it is OK.
static struct grpc_reply call_once(const struct fixture *f, const char *path, struct slice message,
                                   const struct grpc_client_options *extra) {
  struct grpc_client *client = connect_to(f, extra);
  struct buffer response;
  buffer_init(&response, 16 << 20);
  struct grpc_reply reply;
  grpc_client_call(client, path, message, DEADLINE, NULL, &response, &reply);
  if (reply.code == GRPC_CODE_OK && strcmp(path, ECHO_PATH) == 0) {
    assert_true(slice_equal(buffer_slice(&response), message));
  }
  buffer_finish(&response);
  grpc_client_destroy(client);
  reply.details = slice_make(NULL, 0);
  return reply;
}

static void test_echo(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  const struct grpc_header header = {"x-test", "a value"};
  const struct grpc_client_options options = {.headers = &header, .header_count = 1};
  assert_int_equal(call_once(&f, ECHO_PATH, SLICE_LITERAL("hello"), &options).code, GRPC_CODE_OK);
  mutex_lock(&f.mutex); // what the handler has noted
  assert_string_equal(f.header, "a value");
  assert_string_equal(f.peer, "127.0.0.1");
  assert_int_equal(f.encoding, ENCODING_IDENTITY);
  mutex_unlock(&f.mutex);
  assert_int_equal(call_once(&f, ECHO_PATH, slice_make(NULL, 0), NULL).code, GRPC_CODE_OK);
  close_server(&f);
}

static void test_large_message_in_pieces(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  size_t len = 3 << 20;
  uint8_t *bytes = malloc(len);
  for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)(i * 7 + (i >> 11));
  assert_int_equal(call_once(&f, ECHO_PATH, slice_make(bytes, len), NULL).code, GRPC_CODE_OK);
  free(bytes);
  close_server(&f);
}

static void test_compressed_message_arrives_compressed(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  size_t len = 1 << 20;
  uint8_t *bytes = calloc(1, len);
  const struct grpc_client_options options = {.compress_gzip = true};
  assert_int_equal(call_once(&f, ECHO_PATH, slice_make(bytes, len), &options).code, GRPC_CODE_OK);
  mutex_lock(&f.mutex);
  assert_int_equal(f.encoding, ENCODING_GZIP);
  assert_true(f.message_len < 16 * 1024);
  mutex_unlock(&f.mutex);
  free(bytes);
  close_server(&f);
}

// The limit is on the wire; the answer has no RetryInfo, so clients do not retry.
static void test_over_the_message_limit(void **state) {
  (void)state;
  struct fixture f;
  const struct grpc_server_options options = {.message_bytes_max = 1000};
  open_server(&f, &options);
  uint8_t bytes[1001] = {0};
  assert_int_equal(call_once(&f, ECHO_PATH, slice_make(bytes, 1000), NULL).code, GRPC_CODE_OK);
  struct grpc_client *client = connect_to(&f, NULL);
  struct buffer response;
  buffer_init(&response, 4096);
  struct grpc_reply reply;
  grpc_client_call(client, ECHO_PATH, slice_make(bytes, 1001), DEADLINE, NULL, &response, &reply);
  assert_int_equal(reply.code, GRPC_CODE_RESOURCE_EXHAUSTED);
  assert_int_equal(reply.details.len, 0);
  buffer_finish(&response);
  grpc_client_destroy(client);
  close_server(&f);
}

static void test_error_with_details(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  struct grpc_client *client = connect_to(&f, NULL);
  struct buffer response;
  buffer_init(&response, 4096);
  struct grpc_reply reply;
  grpc_client_call(client, FAIL_PATH, SLICE_LITERAL("x"), DEADLINE, NULL, &response, &reply);
  assert_int_equal(reply.code, GRPC_CODE_INVALID_ARGUMENT);
  assert_string_equal(reply.message, "bad: 100% caf\xc3\xa9");
  assert_true(slice_equal(reply.details, slice_make("\x08\x03\0\xff", 4)));
  assert_int_equal(response.len, 0);
  grpc_client_call(client, "/test.Echo/Unknown", SLICE_LITERAL("x"), DEADLINE, NULL, &response, &reply);
  assert_int_equal(reply.code, GRPC_CODE_UNIMPLEMENTED);
  assert_int_equal(reply.details.len, 0);
  buffer_finish(&response);
  grpc_client_destroy(client);
  close_server(&f);
}

// Status{code 14, message, details: RetryInfo of one to five seconds}.
static void assert_retry_info(struct slice details) {
  const char type[] = "type.googleapis.com/google.rpc.RetryInfo";
  struct slice name = SLICE_LITERAL(type);
  assert_true(slice_starts_with(details, slice_make("\x08\x0e\x12", 3)));
  size_t at = slice_find(details, name);
  assert_true(at < details.len);
  struct slice value = slice_skip(details, at + name.len); // field 2 of Any: RetryInfo{1: Duration{1: seconds …}}
  assert_true(value.len >= 6);
  assert_int_equal(value.ptr[0], 0x12);
  assert_int_equal(value.ptr[1], value.len - 2);
  assert_int_equal(value.ptr[2], 0x0a);
  assert_int_equal(value.ptr[3], value.len - 4);
  assert_int_equal(value.ptr[4], 0x08);
  assert_in_range(value.ptr[5], 1, 4);
}

static void test_used_up_budget(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  uint64_t taken = (8 << 20) - (100 << 10);
  assert_true(budget_charge(&f.budget, taken));
  struct grpc_client *client = connect_to(&f, NULL);
  struct buffer response;
  buffer_init(&response, 1 << 20);
  struct grpc_reply reply;
  uint8_t *bytes = calloc(1, 200 << 10);
  // The deposit fits, the message does not.
  grpc_client_call(client, ECHO_PATH, slice_make(bytes, 200 << 10), DEADLINE, NULL, &response, &reply);
  assert_int_equal(reply.code, GRPC_CODE_UNAVAILABLE);
  assert_retry_info(reply.details);
  // Not even the deposit fits.
  assert_true(budget_charge(&f.budget, 90 << 10));
  grpc_client_call(client, ECHO_PATH, SLICE_LITERAL("x"), DEADLINE, NULL, &response, &reply);
  assert_int_equal(reply.code, GRPC_CODE_UNAVAILABLE);
  assert_retry_info(reply.details);
  budget_release(&f.budget, taken + (90 << 10));
  grpc_client_call(client, ECHO_PATH, slice_make(bytes, 200 << 10), DEADLINE, NULL, &response, &reply);
  assert_int_equal(reply.code, GRPC_CODE_OK);
  free(bytes);
  buffer_finish(&response);
  grpc_client_destroy(client);
  close_server(&f);
}

// A call in a thread of its own, for handlers that keep it.
struct caller {
  struct thread thread;
  const struct fixture *fixture;
  struct atomic_bool_box cancel;
  uint64_t deadline_ns;
  struct grpc_reply reply;
  uint64_t took_ns;
};

static void run_caller(void *context) {
  struct caller *caller = context;
  struct grpc_client *client = connect_to(caller->fixture, NULL);
  struct buffer response;
  buffer_init(&response, 4096);
  uint64_t start = clock_monotonic_ns(clock_system());
  grpc_client_call(client, KEEP_PATH, SLICE_LITERAL("keep"), caller->deadline_ns, &caller->cancel, &response,
                   &caller->reply);
  caller->took_ns = clock_monotonic_ns(clock_system()) - start;
  buffer_finish(&response);
  grpc_client_destroy(client);
}

static void start_caller(struct caller *caller, const struct fixture *f) {
  memset(caller, 0, sizeof(*caller));
  caller->fixture = f;
  caller->deadline_ns = DEADLINE;
  assert_int_equal(thread_start(&caller->thread, "caller", run_caller, caller), STATUS_OK);
}

// What core may hold grows with the budget and shrinks with it, down to what any server needs; calls go on.
static void test_the_quota_follows_the_budget(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  size_t least = grpc_server_follow_budget(f.server);
  assert_true(least > budget_max(&f.budget));
  budget_set_max(&f.budget, 512 << 20);
  assert_int_equal(grpc_server_follow_budget(f.server), 512 << 20);
  assert_int_equal(call_once(&f, ECHO_PATH, SLICE_LITERAL("more"), NULL).code, GRPC_CODE_OK);
  budget_set_max(&f.budget, 8 << 20);
  assert_int_equal(grpc_server_follow_budget(f.server), least);
  assert_int_equal(call_once(&f, ECHO_PATH, SLICE_LITERAL("less"), NULL).code, GRPC_CODE_OK);
  close_server(&f);
}

static void test_answer_from_another_thread(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  struct caller caller;
  start_caller(&caller, &f);
  struct grpc_call_handle *call = take_kept(&f);
  assert_string_equal(f.message, "keep");
  assert_int_equal(budget_used(&f.budget), 4);
  grpc_call_finish(call, GRPC_CODE_OK, NULL, SLICE_LITERAL("done"));
  thread_join(&caller.thread);
  assert_int_equal(caller.reply.code, GRPC_CODE_OK);
  close_server(&f);
}

static void test_client_deadline_and_cancel(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  struct grpc_client *client = connect_to(&f, NULL);
  struct buffer response;
  buffer_init(&response, 4096);
  struct grpc_reply reply;
  grpc_client_call(client, KEEP_PATH, SLICE_LITERAL("x"), 200 * NS_PER_MS, NULL, &response, &reply);
  assert_int_equal(reply.code, GRPC_CODE_DEADLINE_EXCEEDED);
  buffer_finish(&response);
  grpc_client_destroy(client);
  grpc_call_finish(take_kept(&f), GRPC_CODE_OK, NULL, slice_make(NULL, 0)); // nobody is there any more

  struct caller caller;
  start_caller(&caller, &f);
  struct grpc_call_handle *call = take_kept(&f);
  atomic_bool_set(&caller.cancel, true);
  thread_join(&caller.thread);
  assert_int_equal(caller.reply.code, GRPC_CODE_CANCELLED);
  grpc_call_finish(call, GRPC_CODE_OK, NULL, slice_make(NULL, 0));
  close_server(&f);
}

static void test_health(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  struct grpc_client *client = connect_to(&f, NULL);
  struct buffer response;
  buffer_init(&response, 4096);
  struct grpc_reply reply;
  const char path[] = "/grpc.health.v1.Health/Check";
  const struct {
    struct slice request;
    enum grpc_code code;
  } cases[] = {
      {SLICE_LITERAL(""), GRPC_CODE_OK},
      {SLICE_LITERAL("\x0a\x09test.Echo"), GRPC_CODE_OK},
      {SLICE_LITERAL("\x10\x01\x1d\x01\x02\x03\x04\x0a\x09test.Keep"), GRPC_CODE_OK}, // unknown fields are skipped
      {SLICE_LITERAL("\x0a\x04nope"), GRPC_CODE_NOT_FOUND},
      {SLICE_LITERAL("\x0a\x20short"), GRPC_CODE_INVALID_ARGUMENT},
      {SLICE_LITERAL("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), GRPC_CODE_INVALID_ARGUMENT},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    grpc_client_call(client, path, cases[i].request, DEADLINE, NULL, &response, &reply);
    assert_int_equal(reply.code, cases[i].code);
    if (reply.code == GRPC_CODE_OK) assert_true(slice_equal_cstr(buffer_slice(&response), "\x08\x01"));
  }
  grpc_server_set_serving(f.server, false);
  grpc_client_call(client, path, slice_make(NULL, 0), DEADLINE, NULL, &response, &reply);
  assert_true(slice_equal_cstr(buffer_slice(&response), "\x08\x02"));
  buffer_finish(&response);
  grpc_client_destroy(client);
  close_server(&f);
}

struct closer {
  struct fixture *fixture;
  struct thread thread;
  uint64_t grace_ns;
};

static void run_closer(void *context) {
  struct closer *closer = context;
  grpc_server_close(closer->fixture->server, closer->grace_ns);
}

static void test_close_waits_for_running_calls(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  struct caller caller;
  start_caller(&caller, &f);
  struct grpc_call_handle *call = take_kept(&f);
  struct closer closer = {.fixture = &f, .grace_ns = DEADLINE};
  assert_int_equal(thread_start(&closer.thread, "closer", run_closer, &closer), STATUS_OK);
  grpc_call_finish(call, GRPC_CODE_OK, NULL, slice_make(NULL, 0));
  thread_join(&closer.thread);
  thread_join(&caller.thread);
  assert_int_equal(caller.reply.code, GRPC_CODE_OK);
  assert_int_equal(budget_used(&f.budget), 0);
}

static void test_close_cancels_after_the_grace(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  struct caller caller;
  start_caller(&caller, &f);
  struct grpc_call_handle *call = take_kept(&f);
  struct closer closer = {.fixture = &f, .grace_ns = 10 * NS_PER_MS};
  assert_int_equal(thread_start(&closer.thread, "closer", run_closer, &closer), STATUS_OK);
  thread_join(&caller.thread);
  assert_int_not_equal(caller.reply.code, GRPC_CODE_OK);
  grpc_call_finish(call, GRPC_CODE_OK, NULL, slice_make(NULL, 0));
  thread_join(&closer.thread);
  assert_int_equal(budget_used(&f.budget), 0);
}

// A peer that has spoken HTTP/2 and then froze: the grace is for calls, and it has none.
static void test_close_does_not_wait_for_frozen_clients(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  struct raw_http raw;
  raw_http_open(&raw, (uint16_t)atoi(strchr(f.target, ':') + 1));
  raw_http_text(&raw, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
  raw_http_send(&raw, "\0\0\0\x04\0\0\0\0\0", 9); // an empty SETTINGS frame
  assert_true(raw_http_more(&raw) >= 9);          // the server's own: the connection is up
  uint64_t start_ns = clock_monotonic_ns(clock_system());
  grpc_server_close(f.server, DEADLINE);
  assert_true(clock_monotonic_ns(clock_system()) - start_ns < DEADLINE / 2);
  raw_http_close(&raw);
}

// ---- under load

enum { CLIENTS = 4 };

struct load {
  struct fixture *fixture;
  struct queue *queue;
  struct atomic_bool_box stop;
  struct atomic_u64 answered;
  struct thread clients[CLIENTS], owner;
};

static void run_owner(void *context) {
  struct load *load = context;
  struct grpc_call_handle *call;
  while ((call = queue_pop(load->queue, DEADLINE))) {
    grpc_call_finish(call, GRPC_CODE_OK, NULL, SLICE_LITERAL("done"));
  }
}

static void run_client(void *context) {
  struct load *load = context;
  struct grpc_client *client = connect_to(load->fixture, NULL);
  struct buffer response;
  buffer_init(&response, 4096);
  while (!atomic_bool_get(&load->stop)) {
    struct grpc_reply reply;
    grpc_client_call(client, KEEP_PATH, SLICE_LITERAL("load"), 200 * NS_PER_MS, &load->stop, &response, &reply);
    if (reply.code == GRPC_CODE_OK) atomic_u64_add(&load->answered, 1);
  }
  buffer_finish(&response);
  grpc_client_destroy(client);
}

static void test_close_under_load(void **state) {
  (void)state;
  for (int round = 0; round < 4; round++) {
    struct fixture f;
    struct load load = {.fixture = &f, .queue = queue_create(1024)};
    open_server(&f, NULL);
    mutex_lock(&f.mutex);
    f.queue = load.queue;
    mutex_unlock(&f.mutex);
    assert_int_equal(thread_start(&load.owner, "owner", run_owner, &load), STATUS_OK);
    for (int i = 0; i < CLIENTS; i++) {
      assert_int_equal(thread_start(&load.clients[i], "client", run_client, &load), STATUS_OK);
    }
    while (atomic_u64_get(&load.answered) < 200) sched_yield();
    grpc_server_close(f.server, round % 2 ? 0 : DEADLINE);
    atomic_bool_set(&load.stop, true);
    for (int i = 0; i < CLIENTS; i++) thread_join(&load.clients[i]);
    queue_close(load.queue);
    thread_join(&load.owner);
    assert_int_equal(queue_count(load.queue), 0);
    queue_destroy(load.queue);
    assert_int_equal(budget_used(&f.budget), 0);
  }
}

static void test_nobody_listens(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  close_server(&f);
  assert_int_equal(call_once(&f, ECHO_PATH, SLICE_LITERAL("x"), NULL).code, GRPC_CODE_UNAVAILABLE);
}

static void test_port_in_use(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  struct grpc_server_options options = {.address = f.target, .message_bytes_max = 1000};
  struct grpc_server_handle *second = NULL;
  uint16_t port = 0;
  struct error error;
  assert_int_equal(grpc_server_open(&options, &second, &port, &error), STATUS_IO);
  assert_non_null(strstr(error.text, f.target));
  assert_non_null(strstr(error.text, "in use"));
  options.address = "nonsense";
  assert_int_equal(grpc_server_open(&options, &second, &port, &error), STATUS_INVALID);
  close_server(&f);
}

static void test_tls_and_client_certificates(void **state) {
  (void)state;
  struct certificates files;
  certificates_create(&files);
  struct fixture f;
  const struct grpc_server_options mutual = {
      .tls = {.cert_file = files.cert, .key_file = files.key, .client_ca_file = files.root}};
  open_server(&f, &mutual);
  struct grpc_client_options options = {.use_tls = true,
                                        .tls = {.ca_file = files.root, .cert_file = files.cert, .key_file = files.key}};
  assert_int_equal(call_once(&f, ECHO_PATH, SLICE_LITERAL("secret"), &options).code, GRPC_CODE_OK);
  options.tls.cert_file = files.stranger_cert;
  options.tls.key_file = files.stranger_key;
  assert_int_equal(call_once(&f, ECHO_PATH, SLICE_LITERAL("secret"), &options).code, GRPC_CODE_UNAVAILABLE);
  options.tls.cert_file = options.tls.key_file = NULL;
  assert_int_equal(call_once(&f, ECHO_PATH, SLICE_LITERAL("secret"), &options).code, GRPC_CODE_UNAVAILABLE);
  assert_int_equal(call_once(&f, ECHO_PATH, SLICE_LITERAL("secret"), NULL).code, GRPC_CODE_UNAVAILABLE);
  close_server(&f);

  const struct grpc_server_options plain = {.tls = {.cert_file = files.cert, .key_file = files.key}};
  open_server(&f, &plain);
  assert_int_equal(call_once(&f, ECHO_PATH, SLICE_LITERAL("secret"), &options).code, GRPC_CODE_OK);
  options.tls.ca_file = files.stranger_cert;
  assert_int_equal(call_once(&f, ECHO_PATH, SLICE_LITERAL("secret"), &options).code, GRPC_CODE_UNAVAILABLE);
  close_server(&f);

  struct grpc_server_handle *server = NULL;
  uint16_t port = 0;
  struct error error;
  const struct grpc_server_options missing = {.address = "127.0.0.1:0",
                                              .tls = {.cert_file = "/nonexistent.pem", .key_file = files.key}};
  assert_int_equal(grpc_server_open(&missing, &server, &port, &error), STATUS_IO);
  assert_non_null(strstr(error.text, "/nonexistent.pem"));
  certificates_remove(&files);
}

static void test_illegal_client_header(void **state) {
  (void)state;
  const struct grpc_header header = {"X-Upper", "v"};
  const struct grpc_client_options options = {.target = "127.0.0.1:1", .headers = &header, .header_count = 1};
  struct grpc_client *client = NULL;
  struct error error;
  assert_int_equal(grpc_client_create(&options, &client, &error), STATUS_INVALID);
  assert_non_null(strstr(error.text, "X-Upper"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_echo),
      cmocka_unit_test(test_large_message_in_pieces),
      cmocka_unit_test(test_compressed_message_arrives_compressed),
      cmocka_unit_test(test_over_the_message_limit),
      cmocka_unit_test(test_error_with_details),
      cmocka_unit_test(test_used_up_budget),
      cmocka_unit_test(test_the_quota_follows_the_budget),
      cmocka_unit_test(test_answer_from_another_thread),
      cmocka_unit_test(test_client_deadline_and_cancel),
      cmocka_unit_test(test_health),
      cmocka_unit_test(test_close_waits_for_running_calls),
      cmocka_unit_test(test_close_cancels_after_the_grace),
      cmocka_unit_test(test_close_does_not_wait_for_frozen_clients),
      cmocka_unit_test(test_close_under_load),
      cmocka_unit_test(test_nobody_listens),
      cmocka_unit_test(test_port_in_use),
      cmocka_unit_test(test_tls_and_client_certificates),
      cmocka_unit_test(test_illegal_client_header),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
