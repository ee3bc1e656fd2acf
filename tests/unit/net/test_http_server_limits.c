// SPDX-License-Identifier: Apache-2.0
//
// What the HTTP server does not let a client have: sizes, memory, time, connections, descriptors; and what it counts of
// it.
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "tests/unit/net/http_server_fixture.h"
#include "tests/unit/net/raw_http.h"

static void send_chunks(struct raw_http *raw, size_t bytes) {
  char *chunk = malloc(65536 + 16);
  const size_t head = strlen("10000\r\n");
  memcpy(chunk, "10000\r\n", head);
  memset(chunk + head, 'x', 65536);
  memcpy(chunk + head + 65536, "\r\n", 2);
  for (size_t sent = 0; sent < bytes; sent += 65536) raw_http_send(raw, chunk, head + 65536 + 2);
  raw_http_text(raw, "0\r\n\r\n");
  free(chunk);
}

static void test_bodies_over_the_limit(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  struct buffer response;
  buffer_init(&response, 4096);
  uint8_t *bytes = calloc(1, BODY_MAX + 1);
  assert_int_equal(fetch(&f, "POST", "/echo", slice_make(bytes, BODY_MAX + 1), &response), 499);
  assert_true(slice_starts_with(buffer_slice(&response), SLICE_LITERAL("too large")));
  free(bytes);
  buffer_finish(&response);
  // A chunked one is found out on the way; the connection stays usable.
  struct raw_http raw;
  raw_http_open(&raw, f.port);
  raw_http_text(&raw, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
  send_chunks(&raw, BODY_MAX + 65536);
  const char *body = NULL;
  assert_int_equal(raw_http_reply(&raw, NULL, &body), 499);
  assert_memory_equal(body, "too large", 9);
  assert_int_equal(budget_used(&f.budget), 0);
  raw_http_text(&raw, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
  assert_int_equal(raw_http_reply(&raw, NULL, NULL), 200);
  raw_http_close(&raw);
  // More than would ever be thrown away: refused at once and closed.
  raw_http_open(&raw, f.port);
  raw_http_text(&raw, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 18446744073709551615\r\n\r\n");
  assert_int_equal(raw_http_reply(&raw, NULL, NULL), 499);
  assert_true(raw_http_closed(&raw));
  raw_http_close(&raw);
  close_server(&f);
}

static void test_used_up_budget(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  assert_true(budget_charge(&f.budget, 2 * BODY_MAX - 3));
  assert_fetch(&f, "POST", "/echo", "four", 503, "unavailable: too much is in flight, try again");
  assert_fetch(&f, "POST", "/echo", "two", 200, "POST|/echo|||value|two");
  budget_release(&f.budget, 2 * BODY_MAX - 3);
  close_server(&f);
}

// What a client says it will send is not held before it is sent.
static void test_a_body_is_charged_as_it_comes(void **state) {
  (void)state;
  enum { MIB = 1 << 20, SAID = 8 * MIB + 10 }; // a little more than doubling comes to
  struct fixture f;
  const struct http_server_options options = {.on_refusal = on_refusal, .body_bytes_max = 64 * MIB};
  open_server(&f, &options);
  budget_set_max(&f.budget, SAID);
  uint8_t *bytes = malloc(SAID);
  assert_non_null(bytes);
  for (size_t i = 0; i < SAID; i++) bytes[i] = (uint8_t)(i * 31 >> 7);
  char head[128];
  snprintf(head, sizeof(head), "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", SAID);
  struct raw_http raw, other;
  raw_http_open(&raw, f.port);
  raw_http_text(&raw, head);
  while (budget_used(&f.budget) == 0) sched_yield();
  assert_int_equal(budget_used(&f.budget), MIB);
  raw_http_send(&raw, bytes, 3 * MIB);
  while (budget_used(&f.budget) < 3 * MIB) sched_yield();
  assert_int_equal(budget_used(&f.budget), 4 * MIB);
  // Another one that the budget has no room for as a whole is not begun.
  raw_http_open(&other, f.port);
  snprintf(head, sizeof(head), "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n",
           9 * MIB);
  raw_http_text(&other, head);
  assert_int_equal(raw_http_reply(&other, NULL, NULL), 503);
  raw_http_close(&other);
  raw_http_send(&raw, bytes + 3 * MIB, SAID - 3 * MIB);
  struct http_request *request = take_kept(&f);
  assert_int_equal(budget_used(&f.budget), SAID); // and not a byte more than was said
  assert_int_equal(http_request_body(request).len, SAID);
  assert_memory_equal(http_request_body(request).ptr, bytes, SAID);
  http_request_reply(request, 200, NULL, slice_make(NULL, 0));
  assert_int_equal(raw_http_reply(&raw, NULL, NULL), 200);
  raw_http_close(&raw);
  free(bytes);
  close_server(&f);
}

// A GET with so many headers of 700 bytes; returns its length.
static size_t long_head(char *out, int headers) {
  char filler[701] = {0};
  memset(filler, 'v', 690);
  size_t len = (size_t)snprintf(out, 64, "GET /echo HTTP/1.1\r\nHost: x\r\n");
  for (int i = 0; i < headers; i++) len += (size_t)snprintf(out + len, 800, "X-%03d: %s\r\n", i, filler);
  return len + (size_t)snprintf(out + len, 8, "\r\n");
}

static void test_many_headers_in_small_pieces(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  char *head = calloc(1, 128 * 1024);
  for (int headers = 40; headers <= 120; headers += 80) { // 28 KiB are taken, 84 KiB are not
    size_t len = long_head(head, headers);
    struct raw_http raw;
    raw_http_open(&raw, f.port);
    for (size_t sent = 0; sent < len; sent += 777)
      raw_http_send(&raw, head + sent, len - sent < 777 ? len - sent : 777);
    const char *body = NULL;
    assert_int_equal(raw_http_reply(&raw, NULL, &body), headers == 40 ? 200 : 499);
    if (headers != 40) assert_string_equal(body, "too large: the request's headers are too long");
    raw_http_close(&raw);
  }
  free(head);
  close_server(&f);
}

// More headers than are read: an answer of the door, and the end of the connection, since nobody knows what the rest
// says.
static void test_too_many_headers_and_parameters(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  char *head = calloc(1, 64 * 1024);
  for (int round = 0; round < 3; round++) {
    int pairs = round == 0 ? 255 : 256; // and Host
    size_t len = (size_t)snprintf(head, 64, "GET /echo%s", round == 2 ? "?q=1" : "");
    for (int i = 1; i < pairs && round == 2; i++) len += (size_t)snprintf(head + len, 16, "&p%d=", i);
    len += (size_t)snprintf(head + len, 64, " HTTP/1.1\r\nHost: x\r\n");
    for (int i = 0; i < pairs && round < 2; i++) len += (size_t)snprintf(head + len, 16, "X-%d: v\r\n", i);
    memcpy(head + len, "\r\n", 3);
    struct raw_http raw;
    raw_http_open(&raw, f.port);
    raw_http_text(&raw, head);
    const char *body = NULL;
    assert_int_equal(raw_http_reply(&raw, NULL, &body), round == 0 ? 200 : 499);
    if (round > 0) assert_string_equal(body, "too large: the request has too many headers and parameters");
    if (round > 0) assert_true(raw_http_closed(&raw));
    raw_http_close(&raw);
  }
  free(head);
  close_server(&f);
}

static uint64_t dropped(struct metrics *metrics, const char *labels) {
  return metrics_get(metrics_series(metrics, METRICS_COUNTER, "culprit_http_dropped_total", labels, ""));
}

// What cannot be read as a request, what does not become one in time, and who is one too many.
static void test_what_never_reaches_an_owner_is_counted(void **state) {
  (void)state;
  struct metrics *metrics = metrics_create();
  struct http_server_options options = {.on_refusal = on_refusal, .metrics = metrics, .request_deadline_ns = DEADLINE};
  struct fixture f;
  open_server(&f, &options);
  char *head = calloc(1, 128 * 1024);
  long_head(head, 120);
  const char *const unreadable[] = {"nonsense\r\n\r\n", "GET /echo HTTP/1.1\r\n no fold\r\n\r\n", head,
                                    "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nno size"};
  for (size_t i = 0; i < 4; i++) {
    struct raw_http raw;
    raw_http_open(&raw, f.port);
    raw_http_send(&raw, unreadable[i], strlen(unreadable[i]));
    assert_int_equal(raw_http_reply(&raw, NULL, NULL), 499); // in the words of the door
    assert_int_equal(dropped(metrics, "listener=\"test\",reason=\"unreadable\""), i + 1);
    assert_true(raw_http_closed(&raw));
    raw_http_close(&raw);
  }
  free(head);
  close_server(&f);
  options.connections_max = 1;
  open_server(&f, &options);
  struct raw_http silent, second;
  raw_http_open(&silent, f.port);
  raw_http_send(&silent, "GET /ec", 7);
  raw_http_open(&second, f.port);
  assert_int_equal(raw_http_reply(&second, NULL, NULL), 0);
  assert_true(dropped(metrics, "listener=\"test\",reason=\"crowded\"") >= 1);
  assert_int_equal(dropped(metrics, "listener=\"test\",reason=\"overdue\""), 0);
  raw_http_close(&silent);
  raw_http_close(&second);
  close_server(&f);
  options.request_deadline_ns = 300 * NS_PER_MS;
  open_server(&f, &options);
  raw_http_open(&silent, f.port);
  raw_http_send(&silent, "GET /ec", 7);
  assert_int_equal(raw_http_reply(&silent, NULL, NULL), 0); // closed when its time is over
  assert_int_equal(dropped(metrics, "listener=\"test\",reason=\"overdue\""), 1);
  raw_http_close(&silent);
  close_server(&f);
  metrics_destroy(metrics);
}

static void test_absolute_deadline(void **state) {
  (void)state;
  struct fixture f;
  const struct http_server_options options = {.on_refusal = on_refusal, .request_deadline_ns = 150 * NS_PER_MS};
  open_server(&f, &options);
  static const char *const starts[] = {"", "POST /echo HT", "POST /echo HTTP/1.1\r\nHost: x\r\nX-Slow: a",
                                       "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nab"};
  for (size_t i = 0; i < sizeof(starts) / sizeof(starts[0]); i++) {
    struct raw_http raw;
    raw_http_open(&raw, f.port);
    raw_http_text(&raw, starts[i]);
    assert_true(raw_http_closed(&raw));
    raw_http_close(&raw);
  }
  // A kept request is the server's own time, not the client's.
  struct raw_http raw;
  raw_http_open(&raw, f.port);
  raw_http_text(&raw, "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nwait");
  struct http_request *request = take_kept(&f);
  struct raw_http other; // its end by deadline shows that the time has passed
  raw_http_open(&other, f.port);
  assert_true(raw_http_closed(&other));
  raw_http_close(&other);
  http_request_reply(request, 200, NULL, SLICE_LITERAL("late"));
  assert_int_equal(raw_http_reply(&raw, NULL, NULL), 200);
  raw_http_close(&raw);
  close_server(&f);
}

// Standing still, a byte now and then, and much at first: all below the least rate once the grace is used up.
static void test_slow_requests(void **state) {
  (void)state;
  enum { FIRST = 512 * 1024 };
  struct metrics *metrics = metrics_create();
  const struct http_server_options options = {.on_refusal = on_refusal,
                                              .metrics = metrics,
                                              .request_deadline_ns = 600 * NS_PER_S,
                                              .body_grace_ns = 300 * NS_PER_MS,
                                              .body_bytes_per_s_min = FIRST / 10};
  struct fixture f;
  open_server(&f, &options);
  char *first = calloc(1, FIRST);
  static const char *const paths[] = {"/echo",      "/echo",
                                      "/echo",      "/nothing", // refused ones are read to their end, too
                                      "/of a head", "/of a head"};
  for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
    struct raw_http raw;
    raw_http_open(&raw, f.port);
    char head[128];
    snprintf(head, sizeof(head), "POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %u\r\n\r\n", paths[i], BODY_MAX);
    if (i >= 4) snprintf(head, sizeof(head), "POST /echo HTTP/1.1\r\nHost: x\r\nX-Slow: ");
    raw_http_text(&raw, head);
    if (i == 1) raw_http_send(&raw, first, FIRST); // ten seconds' worth, of which it may save 0.3
    struct pollfd end = {.fd = raw.fd, .events = POLLIN};
    while ((i == 2 || i == 5) && poll(&end, 1, 1) == 0) raw_http_send(&raw, "x", 1);
    assert_true(raw_http_closed(&raw));
    raw_http_close(&raw);
    assert_int_equal(dropped(metrics, "listener=\"test\",reason=\"slow\""), i + 1);
  }
  free(first);
  assert_int_equal(dropped(metrics, "listener=\"test\",reason=\"overdue\""), 0);
  // A handler may take its time.
  struct raw_http raw, still;
  raw_http_open(&raw, f.port);
  raw_http_text(&raw, "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nwait");
  struct http_request *request = take_kept(&f);
  raw_http_open(&still, f.port);
  raw_http_text(&still, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n");
  assert_true(raw_http_closed(&still)); // its end shows that the grace has passed
  raw_http_close(&still);
  http_request_reply(request, 200, NULL, SLICE_LITERAL("late"));
  assert_int_equal(raw_http_reply(&raw, NULL, NULL), 200);
  raw_http_close(&raw);
  close_server(&f);
  metrics_destroy(metrics);
}

struct gate {
  struct mutex mutex;
  struct condition changed;
  uint32_t admitted;
  bool open;
};

// Holds the server's thread on the way to the style sheet.
static enum status admit_at_gate(void *context, struct http_request *request, struct error *error) {
  (void)error;
  struct gate *gate = context;
  bool holds = slice_equal_cstr(http_request_path(request), "/style.css");
  mutex_lock(&gate->mutex);
  gate->admitted++;
  condition_broadcast(&gate->changed);
  while (holds && !gate->open) condition_wait(&gate->changed, &gate->mutex);
  mutex_unlock(&gate->mutex);
  return STATUS_OK;
}

static void wait_for_admitted(struct gate *gate, uint32_t count) {
  mutex_lock(&gate->mutex);
  while (gate->admitted < count) condition_wait(&gate->changed, &gate->mutex);
  mutex_unlock(&gate->mutex);
}

// A body that is there and that the server has no time to read is not slow.
static void test_a_body_that_waits_for_us(void **state) {
  (void)state;
  struct gate gate = {.admitted = 0};
  mutex_init(&gate.mutex);
  condition_init(&gate.changed);
  const struct http_server_options options = {.on_refusal = on_refusal,
                                              .admit = admit_at_gate,
                                              .admit_context = &gate,
                                              .threads = 1,
                                              .body_grace_ns = 300 * NS_PER_MS,
                                              .body_bytes_per_s_min = 1};
  struct fixture f;
  open_server(&f, &options);
  struct raw_http raw, still, hold;
  raw_http_open(&raw, f.port);
  raw_http_text(&raw, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n");
  wait_for_admitted(&gate, 1);
  raw_http_open(&still, f.port);
  raw_http_text(&still, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n");
  wait_for_admitted(&gate, 2);
  raw_http_open(&hold, f.port);
  raw_http_text(&hold, "GET /style.css HTTP/1.1\r\nHost: x\r\n\r\n");
  wait_for_admitted(&gate, 3);
  raw_http_text(&raw, "here");
  uint64_t passed_ns = clock_monotonic_ns(clock_system()) + options.body_grace_ns;
  while (clock_monotonic_ns(clock_system()) <= passed_ns) sched_yield();
  mutex_lock(&gate.mutex);
  gate.open = true;
  condition_broadcast(&gate.changed);
  mutex_unlock(&gate.mutex);
  assert_int_equal(raw_http_reply(&hold, NULL, NULL), 200);
  assert_int_equal(raw_http_reply(&raw, NULL, NULL), 200);
  assert_true(raw_http_closed(&still));
  raw_http_close(&hold);
  raw_http_close(&still);
  raw_http_close(&raw);
  close_server(&f);
  condition_finish(&gate.changed);
  mutex_finish(&gate.mutex);
}

// Who does not read the answer has its time, too.
static void test_an_answer_that_nobody_reads(void **state) {
  (void)state;
  struct metrics *metrics = metrics_create();
  const struct http_server_options options = {
      .on_refusal = on_refusal, .metrics = metrics, .request_deadline_ns = 500 * NS_PER_MS};
  struct fixture f;
  open_server(&f, &options);
  uint8_t *bytes = calloc(1, 32u << 20);
  assert_non_null(bytes);
  struct raw_http raw;
  raw_http_open(&raw, f.port);
  raw_http_text(&raw, "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nwait");
  http_request_reply(take_kept(&f), 200, NULL, slice_make(bytes, 32u << 20)); // more than the kernel buffers
  while (dropped(metrics, "listener=\"test\",reason=\"overdue\"") == 0) sched_yield();
  raw_http_close(&raw);
  free(bytes);
  close_server(&f);
  metrics_destroy(metrics);
}

static void test_connection_limits(void **state) {
  (void)state;
  struct fixture f;
  struct http_server_options options = {.on_refusal = on_refusal, .connections_max = 3};
  for (int round = 0; round < 2; round++) {
    open_server(&f, &options);
    struct raw_http open[3], extra;
    for (int i = 0; i < 3; i++) {
      raw_http_open(&open[i], f.port);
      raw_http_text(&open[i], "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
      assert_int_equal(raw_http_reply(&open[i], NULL, NULL), 200);
    }
    raw_http_open(&extra, f.port);
    assert_true(raw_http_closed(&extra)); // at once, not after a time in the backlog
    raw_http_close(&extra);
    raw_http_close(&open[0]);
    // The place is free again as soon as the server has seen the end.
    int code = 0;
    for (int tries = 0; tries < 1000 && code != 200; tries++) {
      raw_http_open(&extra, f.port);
      raw_http_text(&extra, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
      code = raw_http_reply(&extra, NULL, NULL);
      raw_http_close(&extra);
    }
    assert_int_equal(code, 200);
    for (int i = 1; i < 3; i++) raw_http_close(&open[i]);
    close_server(&f);
    options = (struct http_server_options){.on_refusal = on_refusal, .connections_per_ip_max = 3};
  }
}

// In a process of its own: so many connections at once, held until the pipe says so.
static void hold_connections(int commands, int answers, int count) {
  uint16_t port = 0;
  char byte = 0;
  int fds[256];
  if (read(commands, &port, sizeof(port)) != sizeof(port)) _exit(1);
  for (int i = 0; i < count; i++) fds[i] = raw_http_connect(port);
  if (write(answers, &byte, 1) != 1 || read(commands, &byte, 1) != 1) _exit(1);
  for (int i = 0; i < count; i++) close(fds[i]);
  _exit(write(answers, &byte, 1) == 1 ? 0 : 1);
}

static void test_out_of_descriptors(void **state) {
  (void)state;
  int commands[2], answers[2];
  assert_int_equal(pipe(commands), 0);
  assert_int_equal(pipe(answers), 0);
  pid_t child = fork();
  if (child == 0) hold_connections(commands[0], answers[1], 200);
  struct fixture f;
  open_server(&f, NULL);
  struct rlimit before, tight;
  getrlimit(RLIMIT_NOFILE, &before);
  tight = before;
  tight.rlim_cur = 64;
  assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
  char byte = 0;
  assert_int_equal(write(commands[1], &f.port, sizeof(f.port)), sizeof(f.port));
  assert_int_equal(read(answers[0], &byte, 1), 1); // 200 are connected, fewer than 64 accepted
  assert_int_equal(write(commands[1], &byte, 1), 1);
  assert_int_equal(read(answers[0], &byte, 1), 1); // and gone
  int code = 0;
  for (uint64_t end_ns = clock_monotonic_ns(clock_system()) + DEADLINE;
       code != 200 && clock_monotonic_ns(clock_system()) < end_ns;) {
    struct raw_http raw;
    raw_http_open(&raw, f.port);
    raw_http_text(&raw, "GET /echo HTTP/1.1\r\nHost: x\r\n\r\n");
    if (raw.fd >= 0) code = raw_http_reply(&raw, NULL, NULL);
    raw_http_close(&raw);
  }
  assert_int_equal(code, 200);
  setrlimit(RLIMIT_NOFILE, &before);
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  close_server(&f);
  for (int i = 0; i < 2; i++) {
    close(commands[i]);
    close(answers[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bodies_over_the_limit),
      cmocka_unit_test(test_used_up_budget),
      cmocka_unit_test(test_a_body_is_charged_as_it_comes),
      cmocka_unit_test(test_many_headers_in_small_pieces),
      cmocka_unit_test(test_too_many_headers_and_parameters),
      cmocka_unit_test(test_what_never_reaches_an_owner_is_counted),
      cmocka_unit_test(test_absolute_deadline),
      cmocka_unit_test(test_slow_requests),
      cmocka_unit_test(test_a_body_that_waits_for_us),
      cmocka_unit_test(test_an_answer_that_nobody_reads),
      cmocka_unit_test(test_connection_limits),
      cmocka_unit_test(test_out_of_descriptors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
