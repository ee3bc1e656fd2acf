// SPDX-License-Identifier: Apache-2.0
//
// The head of a request: what is read out of it, what is refused and with which code, whole and in pieces of any size.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "net/http_head.h"

static enum http_head_result parse(struct http_head *head, struct slice text) {
  http_head_begin(head);
  return http_head_parse(head, text);
}

// In pieces of `step` bytes; *out_seen is how much had come when it was decided.
static enum http_head_result parse_in_pieces(struct http_head *head, struct slice text, size_t step, size_t *out_seen) {
  enum http_head_result result = HTTP_HEAD_MORE;
  http_head_begin(head);
  for (*out_seen = 0; result == HTTP_HEAD_MORE && *out_seen < text.len;) {
    *out_seen = text.len - *out_seen < step ? text.len : *out_seen + step;
    result = http_head_parse(head, slice_sub(text, 0, *out_seen));
  }
  return result;
}

static void assert_part(struct slice text, struct http_head_part part, const char *expected) {
  struct slice found = slice_sub(text, part.at, part.len);
  assert_true(slice_equal_cstr(found, expected));
}

static void test_a_request(void **state) {
  (void)state;
  static const char text[] = "\r\nPOST /api/1/envelope/?a=1&b HTTP/1.1\r\nHost: x:1\r\nUser-Agent:\t sentry  py \t\r\n"
                             "Empty:\r\ncontent-LENGTH: 0042\r\nconnection: Upgrade , Close\r\n\r\nbody";
  struct slice bytes = slice_make(text, sizeof(text) - 1);
  for (size_t step = 1; step <= bytes.len; step++) {
    struct http_head head;
    size_t seen;
    assert_int_equal(parse_in_pieces(&head, bytes, step, &seen), HTTP_HEAD_DONE);
    assert_int_equal(head.len, bytes.len - 4);
    assert_true(seen < head.len + step);
    assert_part(bytes, head.method, "POST");
    assert_part(bytes, head.path, "/api/1/envelope/");
    assert_part(bytes, head.query, "a=1&b");
    assert_int_equal(head.field_count, 5);
    assert_part(bytes, head.fields[0].name, "Host");
    assert_part(bytes, head.fields[0].value, "x:1");
    assert_part(bytes, head.fields[1].value, "sentry  py");
    assert_part(bytes, head.fields[2].value, "");
    assert_int_equal(head.content_length, 42);
    assert_false(head.chunked || head.keep_alive || head.expects_continue);
  }
}

static void test_targets(void **state) {
  (void)state;
  static const struct {
    const char *line, *path, *query;
  } cases[] = {
      {"GET / HTTP/1.1", "/", ""},
      {"GET /?? HTTP/1.1", "/", "?"},
      {"GET //a%20b/\xc3\xa4?x=http://y/?z HTTP/1.1", "//a%20b/\xc3\xa4", "x=http://y/?z"},
      {"OPTIONS * HTTP/1.1", "*", ""},
      {"GET http://X:80/a?b HTTP/1.1", "/a", "b"},
      {"GET HTTPS://x:80?b HTTP/1.1", "", "b"},
      {"GET http://x:80 HTTP/1.1", "", ""},
      {"GET * HTTP/1.1", NULL, NULL},
      {"CONNECT x:80 HTTP/1.1", NULL, NULL},
      {"GET ftp://x:80/ HTTP/1.1", NULL, NULL},
      {"GET http:/// HTTP/1.1", NULL, NULL},
      {"GET http://y/ HTTP/1.1", NULL, NULL}, // and Host says another
      {"GET a HTTP/1.1", NULL, NULL},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    char text[128];
    snprintf(text, sizeof(text), "%s\r\nHost: x:80\r\n\r\n", cases[i].line);
    struct http_head head;
    enum http_head_result result = parse(&head, slice_from_cstr(text));
    assert_int_equal(result, cases[i].path ? HTTP_HEAD_DONE : HTTP_HEAD_FAULT);
    if (!cases[i].path || !cases[i].query) continue;
    assert_part(slice_from_cstr(text), head.path, cases[i].path);
    assert_part(slice_from_cstr(text), head.query, cases[i].query);
  }
}

static void test_what_becomes_of_the_connection(void **state) {
  (void)state;
  static const struct {
    const char *text;
    bool keep_alive, expects_continue, chunked;
  } cases[] = {
      {"GET / HTTP/1.1\r\nHost: x\r\n\r\n", true, false, false},
      {"GET / HTTP/1.7\r\nHost: x\r\n\r\n", true, false, false},
      {"GET / HTTP/1.1\r\nHost: x\r\nConnection: a,CLOSE\r\n\r\n", false, false, false},
      {"GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", false, false, false},
      {"GET / HTTP/1.0\r\n\r\n", false, false, false},
      {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\nExpect: 100-continue\r\n\r\n", true, false, false},
      {"POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-Continue\r\nTransfer-Encoding: Chunked\r\n\r\n", true, true, true},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct http_head head;
    assert_int_equal(parse(&head, slice_from_cstr(cases[i].text)), HTTP_HEAD_DONE);
    assert_int_equal(head.keep_alive, cases[i].keep_alive);
    assert_int_equal(head.expects_continue, cases[i].expects_continue);
    assert_int_equal(head.chunked, cases[i].chunked);
  }
}

static void test_faults(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t len;
    uint32_t code;
  } cases[] = {
#define CASE(text, code) {text, sizeof(text) - 1, code}
#define POST(text)       CASE("POST / HTTP/1.1\r\n" text "\r\n\r\n", 400)
      CASE("\x16\x03\x01", 400), // a TLS client
      CASE(" GET / HTTP/1.1\r\n", 400),
      CASE("GET  / HTTP/1.1\r\n", 400),
      CASE("GET /  HTTP/1.1\r\n", 400),
      CASE("GET / HTTP/1.1 \r\n", 400),
      CASE("GET / http/1.1\r\n", 400),
      CASE("GET / HTTP/1.10\r\n", 400),
      CASE("GET / HTTP/1.\r\n", 400),
      CASE("GET /\r\n", 400),
      CASE("GET\r\n", 400),
      CASE("GET / HTTP/1.1\n", 400),
      CASE("\n", 400),
      CASE("GET /\0 HTTP/1.1\r\n", 400),
      CASE("GET /\r HTTP/1.1\r\n", 400),
      CASE("GET /\x7f HTTP/1.1\r\n", 400),
      CASE("G\x80T / HTTP/1.1\r\n", 400),
      CASE("GET / HTTP/2.0\r\n", 505),
      CASE("GET / HTTP/0.9\r\n", 505),
      CASE("POST / HTTP/1.1\r\n\r\n", 400),
      CASE("POST / HTTP/1.1\r\nHost: x\n", 400),
      CASE("POST / HTTP/1.1\r\n Host: x\r\n", 400),
      POST("Host: x\r\n folded"),
      POST("Host: x\r\n\tfolded"),
      POST("Host: x\r\nHost: x"),
      POST("Host: x y"),
      POST("Host: x/y"),
      POST("Host: a@x"),
      POST("Host: x#y"),
      POST("Host: x\xc3\xa4"),
      POST("Host: x\r\nNo colon"),
      POST("Host: x\r\n: no name"),
      POST("Host : x"),
      POST("Host: x\r\nContent-Length : 3"),
      POST("Host: x\r\nContent-Length\t: 3"),
      POST("Host: x\r\nConte(nt: 3"),
      POST("Host: x\r\nA: b\0c"),
      POST("Host: x\r\nA: b\rc"),
      POST("Host: x\r\nA: b\r"),
      POST("Host: x\r\nA: b\x01"),
      POST("Host: x\r\nContent-Length: 3\r\nContent-Length: 3"),
      POST("Host: x\r\nContent-Length: 3, 3"),
      POST("Host: x\r\nContent-Length: +3"),
      POST("Host: x\r\nContent-Length: 0x3"),
      POST("Host: x\r\nContent-Length:"),
      POST("Host: x\r\nContent-Length: 18446744073709551616"),
      POST("Host: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked"),
      POST("Host: x\r\nTransfer-Encoding: chunked\r\ncontent-length: 3"),
      POST("Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked"),
      POST("Host: x\r\nTransfer-Encoding: gzip, chunked"),
      POST("Host: x\r\nTransfer-Encoding: chunked, identity"),
      POST("Host: x\r\nTransfer-Encoding: xchunked"),
      POST("Host: x\r\nTransfer-Encoding: \x0b"
           "chunked"),
      POST("Host: x\r\nTransfer-Encoding:"),
      CASE("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
#undef POST
#undef CASE
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct slice text = slice_make(cases[i].text, cases[i].len);
    for (size_t step = 1; step <= text.len; step++) {
      struct http_head head;
      size_t seen;
      enum http_head_result result = parse_in_pieces(&head, text, step, &seen);
      if (result != HTTP_HEAD_FAULT) print_error("case %zu, pieces of %zu\n", i, step);
      assert_int_equal(result, HTTP_HEAD_FAULT);
      assert_int_equal(head.code, cases[i].code);
      assert_int_equal(head.status, cases[i].code == 505 ? STATUS_UNSUPPORTED : STATUS_INVALID);
      assert_non_null(head.fault);
      assert_false(head.keep_alive);
    }
  }
}

// Every byte at every place of a value, which is looked at in pieces.
static void test_bytes_of_a_value(void **state) {
  (void)state;
  for (unsigned byte = 0; byte < 256; byte++) {
    bool is_good = byte >= ' ' ? byte != 0x7f : byte == '\t';
    for (size_t at = 0; at < 18; at++) {
      char text[] = "GET / HTTP/1.1\r\nHost: x\r\nA: a\tbcdefgh\xff"
                    "ijklm\tno\r\n\r\n";
      if (byte == '\n') continue; // ends the line
      strstr(text, "A: ")[3 + at] = (char)byte;
      struct http_head head;
      enum http_head_result result = parse(&head, slice_make(text, sizeof(text) - 1));
      assert_int_equal(result, is_good ? HTTP_HEAD_DONE : HTTP_HEAD_FAULT);
    }
  }
}

// A fault leaves what was read before it: the door is chosen by the path, and answers by the headers.
static void test_what_is_known_at_a_fault(void **state) {
  (void)state;
  static const char text[] = "PUT /v1/x HTTP/1.1\r\nHost: x\r\nOrigin: y\r\nbad line\r\n";
  struct slice bytes = slice_make(text, sizeof(text) - 1);
  struct http_head head;
  assert_int_equal(parse(&head, bytes), HTTP_HEAD_FAULT);
  assert_part(bytes, head.method, "PUT");
  assert_part(bytes, head.path, "/v1/x");
  assert_int_equal(head.field_count, 2);
  assert_part(bytes, head.fields[1].value, "y");
}

// A head of exactly so many bytes, the filler in the target or in one field.
static size_t head_of(char *out, size_t bytes, bool in_target) {
  static const char before[] = "GET /", between[] = " HTTP/1.1\r\nHost: x\r\nA: ", after[] = "\r\n\r\n";
  size_t filler = bytes - (sizeof(before) + sizeof(between) + sizeof(after) - 3), len = 0;
  memcpy(out, before, sizeof(before) - 1);
  len += sizeof(before) - 1;
  memset(out + len, 'a', in_target ? filler : 0);
  len += in_target ? filler : 0;
  memcpy(out + len, between, sizeof(between) - 1);
  len += sizeof(between) - 1;
  memset(out + len, 'a', in_target ? 0 : filler);
  len += in_target ? 0 : filler;
  memcpy(out + len, after, sizeof(after) - 1);
  return len + sizeof(after) - 1;
}

static void test_sizes(void **state) {
  (void)state;
  char *text = malloc(HTTP_HEAD_BYTES_MAX + 1000);
  assert_non_null(text);
  static const size_t steps[] = {1, 777, 65535, 65536, 100000};
  for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
    for (size_t more = 0; more <= 900; more += more ? 899 : 1) {
      for (int in_target = 0; in_target < 2; in_target++) {
        size_t len = head_of(text, HTTP_HEAD_BYTES_MAX + more, in_target), seen;
        assert_int_equal(len, HTTP_HEAD_BYTES_MAX + more);
        struct http_head head;
        enum http_head_result result = parse_in_pieces(&head, slice_make(text, len), steps[i], &seen);
        assert_int_equal(result, more ? HTTP_HEAD_FAULT : HTTP_HEAD_DONE);
        if (!more) continue;
        assert_int_equal(head.status, STATUS_TOO_LARGE);
        // With one byte too many the line itself still ends within the limit.
        assert_int_equal(head.code, in_target && more > 100 ? 414 : 431);
      }
    }
  }
  for (uint32_t fields = HTTP_HEAD_FIELDS_MAX; fields <= HTTP_HEAD_FIELDS_MAX + 1; fields++) {
    size_t len = (size_t)snprintf(text, 64, "GET / HTTP/1.1\r\nHost: x\r\n");
    for (uint32_t i = 1; i < fields; i++) len += (size_t)snprintf(text + len, 16, "A%u: b\r\n", i);
    len += (size_t)snprintf(text + len, 8, "\r\n");
    struct http_head head;
    bool fits = fields == HTTP_HEAD_FIELDS_MAX;
    assert_int_equal(parse(&head, slice_make(text, len)), fits ? HTTP_HEAD_DONE : HTTP_HEAD_FAULT);
    assert_int_equal(head.field_count, HTTP_HEAD_FIELDS_MAX);
    if (!fits) assert_int_equal(head.code, 431);
  }
  free(text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_request),
      cmocka_unit_test(test_targets),
      cmocka_unit_test(test_what_becomes_of_the_connection),
      cmocka_unit_test(test_faults),
      cmocka_unit_test(test_bytes_of_a_value),
      cmocka_unit_test(test_what_is_known_at_a_fault),
      cmocka_unit_test(test_sizes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
