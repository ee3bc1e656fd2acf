// SPDX-License-Identifier: Apache-2.0
//
// What clients may put on the wire, and in which order and pieces: framing, targets, versions, pipelines, clients that
// end early or read slowly, and bytes that are no request.
#include "tests/unit/net/http_server_fixture.h"
#include "tests/unit/net/raw_http.h"

static void test_chunked_body(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  struct raw_http raw;
  raw_http_open(&raw, f.port);
  raw_http_text(&raw, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  raw_http_text(&raw, "4;ext=1\r\ndefg\r\n0\r\nTrailer: x\r\n\r\n");
  const char *body = NULL;
  assert_int_equal(raw_http_reply(&raw, NULL, &body), 200);
  assert_string_equal(body, "POST|/echo||||abcdefg");
  raw_http_close(&raw);
  close_server(&f);
}

static void test_expect_continue(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  struct raw_http raw;
  raw_http_open(&raw, f.port);
  raw_http_text(&raw, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
  const char *body = NULL;
  assert_int_equal(raw_http_reply(&raw, NULL, NULL), 100);
  raw_http_text(&raw, "abc");
  assert_int_equal(raw_http_reply(&raw, NULL, &body), 200);
  assert_string_equal(body, "POST|/echo||||abc");
  // A refused one is told before it sends.
  raw_http_text(&raw, "POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\nExpect: 100-continue\r\n\r\n");
  assert_int_equal(raw_http_reply(&raw, NULL, NULL), 499);
  assert_true(raw_http_closed(&raw));
  raw_http_close(&raw);
  close_server(&f);
}

static void test_untrusted_framing(void **state) {
  (void)state;
  static const struct {
    const char *head;
    size_t len;
  } cases[] = {
#define CASE(text) {text, sizeof(text) - 1}
      CASE("Host: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
      CASE("Host: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
      CASE("Host: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc"),
      CASE("Host: x\r\nTransfer-Encoding: gzip\r\n\r\nabc"),
      CASE("Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
      CASE("Host: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
      CASE("Host: x\r\nX-Bad: a\0b\r\nContent-Length: 0\r\n\r\n"),
      CASE("Host: x\r\nContent-Length: 0\r\nX-Bad: a\0b\r\n\r\n"),
      CASE("Host: x\r\nX-Bad: a\0\0b\r\nContent-Length: 0\r\n\r\n"),
      CASE("Host: x\r\nX-Bare: a\nContent-Length: 0\r\n\r\n"),
      CASE("Host: x\r\nX-Folded: a\r\n b\r\nContent-Length: 0\r\n\r\n"),
      CASE("Host: x\r\nContent-Length: 0\r\nX-Folded: a\r\n\tbcdefghijkl\r\n\r\n"),
      CASE("Host: x\r\nContent-Length : 3\r\n\r\nabc"),
      CASE("Host: x\r\nContent-Length: 3, 3\r\n\r\nabc"),
      CASE("X-No: host\r\nContent-Length: 0\r\n\r\n"),
      CASE("Host: x\r\nHost: y\r\nContent-Length: 0\r\n\r\n"),
      CASE("Host: x\r\nContent-Length: -1\r\n\r\n"),
      CASE("Host: x\r\nContent-Length: 1x\r\n\r\na"),
#undef CASE
  };
  struct fixture f;
  open_server(&f, NULL);
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct raw_http raw;
    raw_http_open(&raw, f.port);
    raw_http_text(&raw, "POST /echo HTTP/1.1\r\n");
    raw_http_send(&raw, cases[i].head, cases[i].len);
    int code = raw_http_reply(&raw, NULL, NULL);
    if (code != 499) print_error("case %zu: %d\n", i, code);
    assert_int_equal(code, 499);
    assert_true(raw_http_closed(&raw));
    raw_http_close(&raw);
  }
  close_server(&f);
}

// Without a door the server answers itself, and says it as exactly as HTTP can.
static void test_codes_of_what_cannot_be_read(void **state) {
  (void)state;
  struct fixture f;
  const struct http_server_options plain = {0};
  open_server(&f, &plain);
  char *target = calloc(1, 70000), *header = calloc(1, 70000);
  snprintf(target, 70000, "GET /%065536d HTTP/1.1\r\n", 0);
  snprintf(header, 70000, "GET / HTTP/1.1\r\nX-Long: %065536d\r\n", 0);
  const struct {
    const char *text;
    int code;
  } cases[] = {
      {"nonsense\r\n\r\n", 400},
      {"\x16\x03\x01\x02", 400}, // and nothing more: a TLS client waits
      {"GET / HTTP/2.0\r\n", 505},
      {target, 414},
      {header, 431},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello5", 400},
      {"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", 413},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct raw_http raw;
    raw_http_open(&raw, f.port);
    raw_http_text(&raw, cases[i].text);
    const char *reply = NULL;
    assert_int_equal(raw_http_reply(&raw, &reply, NULL), cases[i].code);
    assert_non_null(strstr(reply, "\r\nConnection: close\r\n"));
    assert_true(raw_http_closed(&raw));
    raw_http_close(&raw);
  }
  free(target);
  free(header);
  close_server(&f);
}

static void test_targets_and_versions(void **state) {
  (void)state;
  static const struct {
    const char *text, *start, *persistence;
    int code;
  } cases[] = {
      {"GET http://x/echo?q=1 HTTP/1.1\r\nHost: x\r\n\r\n", "GET|/echo||1||", NULL, 200},
      {"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n", "not found", NULL, 499},
      {"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", "not found", NULL, 499},
      {"\r\n\r\nGET /echo HTTP/1.1\r\nHost: x\r\n\r\n", "GET|/echo||||", NULL, 200},
      {"BREW /echo HTTP/1.1\r\nHost: x\r\n\r\n", "method not allowed", NULL, 499},
      {"GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "GET|/echo||||", "Keep-Alive", 200},
      {"GET /echo HTTP/1.0\r\n\r\n", "GET|/echo||||", "close", 200},
      {"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "GET|/echo||||", "close", 200},
  };
  struct fixture f;
  open_server(&f, NULL);
  struct raw_http raw;
  raw_http_open(&raw, f.port);
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    raw_http_text(&raw, cases[i].text);
    const char *reply = NULL, *body = NULL;
    assert_int_equal(raw_http_reply(&raw, &reply, &body), cases[i].code);
    assert_memory_equal(body, cases[i].start, strlen(cases[i].start));
    const char *persistence = raw_http_header(reply, "\r\nConnection: ");
    assert_int_equal(persistence != NULL, cases[i].persistence != NULL);
    assert_non_null(raw_http_header(reply, "\r\nDate: "));
    if (!persistence) continue;
    assert_memory_equal(persistence, cases[i].persistence, strlen(cases[i].persistence));
    if (strcmp(cases[i].persistence, "close") != 0) continue;
    assert_true(raw_http_closed(&raw));
    raw_http_close(&raw);
    raw_http_open(&raw, f.port);
  }
  raw_http_close(&raw);
  close_server(&f);
}

// Many requests in one write, some answered at once and some by another thread: the answers come in their order.
static void test_pipelining(void **state) {
  (void)state;
  enum { COUNT = 300 };
  struct fixture f;
  open_server(&f, NULL);
  struct buffer text;
  buffer_init(&text, 1 << 20);
  for (int i = 0; i < COUNT; i++) {
    if (i % 3 == 0) {
      buffer_printf(&text, "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n%04d", i);
    } else if (i % 3 == 1) {
      buffer_printf(&text, "POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n%04d\r\n0\r\n\r\n",
                    i);
    } else {
      buffer_printf(&text, "POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n%04d", i);
    }
  }
  struct raw_http raw;
  raw_http_open(&raw, f.port);
  raw_http_send(&raw, text.ptr, text.len);
  for (int i = 0; i < COUNT; i++) {
    char expected[32];
    snprintf(expected, sizeof(expected), i % 3 == 0 ? "%04d" : "POST|/echo||||%04d", i);
    if (i % 3 == 0) {
      struct http_request *request = take_kept(&f);
      http_request_reply(request, 200, NULL, http_request_body(request));
    }
    const char *body = NULL;
    assert_int_equal(raw_http_reply(&raw, NULL, &body), i % 3 == 2 ? 499 : 200);
    if (i % 3 != 2) assert_memory_equal(body, expected, strlen(expected));
  }
  raw_http_close(&raw);
  buffer_finish(&text);
  close_server(&f);
}

// A client may end its sending and still read the answer.
static void test_half_closed_client(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  struct raw_http raw;
  raw_http_open(&raw, f.port);
  raw_http_text(&raw, "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nwait");
  shutdown(raw.fd, SHUT_WR);
  struct http_request *request = take_kept(&f);
  http_request_reply(request, 200, NULL, SLICE_LITERAL("still here"));
  assert_int_equal(raw_http_reply(&raw, NULL, NULL), 200);
  assert_true(raw_http_closed(&raw));
  raw_http_close(&raw);
  close_server(&f);
}

// A read ends at the place of an urgent byte, though more waits behind it.
static void test_urgent_byte(void **state) {
  (void)state;
  struct fixture f;
  const struct http_server_options options = {.threads = 1};
  open_server(&f, &options);
  struct raw_http raw;
  raw_http_open(&raw, f.port);
  raw_http_text(&raw, "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nwait");
  struct http_request *request = take_kept(&f); // nothing is read now
  raw_http_text(&raw, "GET /style.css HTTP/1.1\r\nHo");
  assert_int_equal(send(raw.fd, "!", 1, MSG_OOB), 1);
  raw_http_text(&raw, "st: x\r\n\r\n");
  assert_fetch(&f, "GET", "/style.css", "", 200, "body {}"); // the one thread has heard of all that
  http_request_reply(request, 200, NULL, SLICE_LITERAL("done"));
  assert_int_equal(raw_http_reply(&raw, NULL, NULL), 200);
  assert_int_equal(raw_http_reply(&raw, NULL, NULL), 200);
  raw_http_close(&raw);
  close_server(&f);
}

static enum status note_the_query(void *context, struct http_request *request, struct error *error) {
  (void)context;
  (void)error;
  uint8_t *note = http_request_note(request);
  for (size_t i = 0; i < HTTP_REQUEST_NOTE_BYTES; i++) assert_int_equal(note[i], 0);
  struct slice word = http_request_query(request, "note");
  if (word.len > 0) memcpy(note, word.ptr, word.len);
  return STATUS_OK;
}

// What admit notes is there for who has the request, and not for the next one.
static void test_a_note(void **state) {
  (void)state;
  static const char *const words[] = {"first", "", "third"};
  struct fixture f;
  const struct http_server_options options = {.threads = 1, .admit = note_the_query};
  open_server(&f, &options);
  struct raw_http raw;
  raw_http_open(&raw, f.port);
  for (size_t i = 0; i < 3; i++) {
    char text[128];
    snprintf(text, sizeof(text), "POST /keep?note=%s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", words[i]);
    raw_http_text(&raw, text);
    struct http_request *request = take_kept(&f);
    assert_string_equal(http_request_note(request), words[i]);
    http_request_reply(request, 200, NULL, slice_make(NULL, 0));
    assert_int_equal(raw_http_reply(&raw, NULL, NULL), 200);
  }
  raw_http_close(&raw);
  close_server(&f);
}

struct several {
  struct mutex mutex;
  struct condition changed;
  bool held, released;
  uint32_t rounds, inside; // told of several, and requests that came while it was
  bool is_inside;
};

static enum status hold_the_loop(void *context, struct http_request *request, struct error *error) {
  (void)error;
  struct several *several = context;
  mutex_lock(&several->mutex);
  several->inside += several->is_inside;
  if (slice_equal_cstr(http_request_path(request), "/item/hold")) {
    several->held = true;
    condition_broadcast(&several->changed);
    while (!several->released) condition_wait(&several->changed, &several->mutex);
  }
  mutex_unlock(&several->mutex);
  return STATUS_OK;
}

static void note_several(void *context, bool begin) {
  struct several *several = context;
  mutex_lock(&several->mutex);
  assert_true(several->is_inside != begin);
  several->is_inside = begin;
  several->rounds += begin;
  mutex_unlock(&several->mutex);
}

// What comes on two connections while the thread is busy is read in one round, which is announced.
static void test_several_connections_are_announced(void **state) {
  (void)state;
  struct several several = {0};
  mutex_init(&several.mutex);
  condition_init(&several.changed);
  struct fixture f;
  const struct http_server_options options = {.threads = 1,
                                              .admit = hold_the_loop,
                                              .admit_context = &several,
                                              .on_several = note_several,
                                              .several_context = &several};
  open_server(&f, &options);
  struct raw_http raw[3];
  static const char request[] = "GET /style.css HTTP/1.1\r\nHost: x\r\n\r\n";
  for (int i = 0; i < 3; i++) {
    raw_http_open(&raw[i], f.port);
    raw_http_text(&raw[i], request);
    assert_int_equal(raw_http_reply(&raw[i], NULL, NULL), 200);
  }
  raw_http_text(&raw[0], "GET /item/hold HTTP/1.1\r\nHost: x\r\n\r\n");
  mutex_lock(&several.mutex);
  while (!several.held) condition_wait(&several.changed, &several.mutex);
  uint32_t rounds = several.rounds, inside = several.inside;
  raw_http_text(&raw[1], request);
  raw_http_text(&raw[2], request);
  several.released = true;
  condition_broadcast(&several.changed);
  mutex_unlock(&several.mutex);
  for (int i = 0; i < 3; i++) assert_int_equal(raw_http_reply(&raw[i], NULL, NULL), 200);
  mutex_lock(&several.mutex);
  assert_int_equal(several.rounds, rounds + 1);
  assert_int_equal(several.inside, inside + 2);
  mutex_unlock(&several.mutex);
  for (int i = 0; i < 3; i++) raw_http_close(&raw[i]);
  close_server(&f);
  assert_false(several.is_inside);
  condition_finish(&several.changed);
  mutex_finish(&several.mutex);
}

// One that is gone with a reset leaves the request to its owner, whenever the reply comes.
static void test_reset_before_the_reply(void **state) {
  (void)state;
  struct fixture f;
  open_server(&f, NULL);
  for (int round = 0; round < 50; round++) {
    struct raw_http raw;
    raw_http_open(&raw, f.port);
    raw_http_text(&raw, "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nwait");
    struct http_request *request = take_kept(&f);
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};
    setsockopt(raw.fd, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
    raw_http_close(&raw);
    assert_true(slice_equal_cstr(http_request_body(request), "wait"));
    http_request_reply(request, 200, NULL, SLICE_LITERAL("nobody"));
  }
  close_server(&f);
}

// An answer that no socket takes at once, copied and static, to a client that reads slowly.
static void test_large_answers(void **state) {
  (void)state;
  enum { LEN = RAW_HTTP_REPLY_MAX - 1000 };
  struct fixture f;
  open_server(&f, NULL);
  uint8_t *bytes = malloc(LEN);
  assert_non_null(bytes);
  for (size_t i = 0; i < LEN; i++) bytes[i] = (uint8_t)(i * 31 >> 7);
  for (int is_static = 0; is_static < 2; is_static++) {
    struct raw_http raw;
    raw_http_open(&raw, f.port);
    const int small = 65536; // far less than the answer, and no slower than it must be
    setsockopt(raw.fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    raw_http_text(&raw, "POST /keep HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nwait");
    struct http_request *request = take_kept(&f);
    if (is_static) {
      http_request_reply_static(request, 200, NULL, slice_make(bytes, LEN));
    } else {
      http_request_reply(request, 200, NULL, slice_make(bytes, LEN));
    }
    const char *body = NULL;
    assert_int_equal(raw_http_reply(&raw, NULL, &body), 200);
    assert_memory_equal(body, bytes, LEN);
    raw_http_close(&raw);
  }
  close_server(&f);
  free(bytes);
}

// Whatever bytes come, the server answers or closes, and goes on serving.
static void test_mutated_requests(void **state) {
  (void)state;
  static const char seed_text[] = "POST /echo?q=1%20&b=%zz HTTP/1.1\r\nHost: x\r\nX-Test: v\r\nContent-Length: 5\r\n"
                                  "Transfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  struct fixture f;
  open_server(&f, NULL);
  uint32_t random = 7;
  for (int round = 0; round < 400; round++) {
    char text[sizeof(seed_text)];
    memcpy(text, seed_text, sizeof(text));
    size_t len = sizeof(text) - 1;
    for (int change = 0; change < 1 + round % 6; change++) {
      random = random * 1664525 + 1013904223;
      size_t at = (random >> 8) % len;
      if (random & 1) {
        text[at] = (char)(random >> 24);
      } else {
        size_t cut = (random >> 4) % 9;
        if (cut > len - at) cut = len - at;
        memmove(text + at, text + at + cut, len - at - cut);
        len -= cut;
      }
      if (len == 0) break;
    }
    struct raw_http raw;
    raw_http_open(&raw, f.port);
    raw_http_send(&raw, text, len);
    shutdown(raw.fd, SHUT_WR);
    int code;
    do {
      code = raw_http_reply(&raw, NULL, NULL);
    } while (code == 100);
    assert_true(code >= 200 || errno != EAGAIN);
    raw_http_close(&raw);
  }
  assert_fetch(&f, "GET", "/echo", "", 200, "GET|/echo|||value|");
  close_server(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_chunked_body),
      cmocka_unit_test(test_expect_continue),
      cmocka_unit_test(test_untrusted_framing),
      cmocka_unit_test(test_codes_of_what_cannot_be_read),
      cmocka_unit_test(test_targets_and_versions),
      cmocka_unit_test(test_pipelining),
      cmocka_unit_test(test_half_closed_client),
      cmocka_unit_test(test_urgent_byte),
      cmocka_unit_test(test_a_note),
      cmocka_unit_test(test_several_connections_are_announced),
      cmocka_unit_test(test_reset_before_the_reply),
      cmocka_unit_test(test_large_answers),
      cmocka_unit_test(test_mutated_requests),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
