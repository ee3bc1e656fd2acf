// SPDX-License-Identifier: Apache-2.0
//
// The chunked coding: bodies put together again from pieces of any size, and what is refused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "net/http_chunks.h"

// Feeds pieces of `step` bytes until it is decided; *out_rest is what belongs to the next request.
static enum http_chunks_result decode(struct slice text, size_t step, struct buffer *body, struct slice *out_rest) {
  struct http_chunks chunks;
  http_chunks_begin(&chunks);
  for (size_t at = 0; at < text.len; at += step) {
    struct slice piece = slice_sub(text, at, step), data;
    for (;;) {
      enum http_chunks_result result = http_chunks_next(&chunks, &piece, &data);
      if (result == HTTP_CHUNKS_MORE) break;
      *out_rest = slice_make(piece.ptr, (size_t)(text.ptr + text.len - piece.ptr));
      if (result == HTTP_CHUNKS_FAULT) assert_non_null(chunks.fault);
      if (result != HTTP_CHUNKS_DATA) return result;
      assert_true(data.len > 0);
      buffer_append_slice(body, data);
    }
    assert_int_equal(piece.len, 0);
  }
  return HTTP_CHUNKS_MORE;
}

static void test_bodies(void **state) {
  (void)state;
  static const struct {
    const char *text, *body, *rest;
  } cases[] = {
      {"0\r\n\r\n", "", ""},
      {"000\r\n\r\nGET", "", "GET"},
      {"3\r\nabc\r\n0\r\n\r\n", "abc", ""},
      {"3;a=1;b=\"\t2\"\r\nabc\r\n00A\r\n0\r\n\r\n1\r\n;x\r\n0;e\r\nA: b\r\nC:\r\n\r\n0", "abc0\r\n\r\n1\r\n;x", "0"},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct slice text = slice_from_cstr(cases[i].text), rest = {NULL, 0};
    for (size_t step = 1; step <= text.len; step++) {
      struct buffer body;
      buffer_init(&body, 1000);
      assert_int_equal(decode(text, step, &body, &rest), HTTP_CHUNKS_DONE);
      assert_true(slice_equal_cstr(buffer_slice(&body), cases[i].body));
      assert_true(slice_equal_cstr(rest, cases[i].rest));
      buffer_finish(&body);
    }
  }
}

static void test_faults(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t len;
  } cases[] = {
#define CASE(text) {text, sizeof(text) - 1}
      CASE("\r\n"),
      CASE("g\r\n"),
      CASE("-1\r\n"),
      CASE("+1\r\n"),
      CASE("0x1\r\n"),
      CASE(" 1\r\n"),
      CASE("1 \r\n"),
      CASE("1\n"),
      CASE("1\r\r\n"),
      CASE("1;a\n\n"),
      CASE("1;a\0\r\n"),
      CASE("1\r\nab\r\n"),
      CASE("1\r\na\n"),
      CASE("1\r\na\r0"),
      CASE("0\r\n\n"),
      CASE("0\r\n\rx"),
      CASE("0\r\n: no name\r\n"),
      CASE("0\r\n folded\r\n"),
      CASE("0\r\nA b: c\r\n"),
      CASE("0\r\nno colon\r\n"),
      CASE("0\r\nA: b\nC: d\r\n"),
      CASE("0\r\nA: \0\r\n"),
      CASE("ffffffffffffffff\r\n"),
      CASE("0000000000000001\r\n"),
#undef CASE
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    struct slice text = slice_make(cases[i].text, cases[i].len), rest;
    for (size_t step = 1; step <= text.len; step++) {
      struct buffer body;
      buffer_init(&body, 1000);
      enum http_chunks_result result = decode(text, step, &body, &rest);
      if (result != HTTP_CHUNKS_FAULT) print_error("case %zu, pieces of %zu\n", i, step);
      assert_int_equal(result, HTTP_CHUNKS_FAULT);
      buffer_finish(&body);
    }
  }
}

// Neither one long extension nor many short ones, nor trailers.
static void test_what_is_thrown_away_is_bounded(void **state) {
  (void)state;
  static const char *const repeated[] = {"1;abcdefg\r\nx\r\n", "0\r\nTrailer: ", "1;"};
  for (size_t i = 0; i < 3; i++) {
    struct buffer text, body;
    buffer_init(&text, 1 << 20);
    buffer_init(&body, 1 << 20);
    buffer_append_cstr(&text, repeated[i]);
    for (int n = 0; n < 2000; n++) buffer_append_cstr(&text, i == 0 ? repeated[0] : "abcdefg\t");
    struct slice rest;
    assert_int_equal(decode(buffer_slice(&text), 1000, &body, &rest), HTTP_CHUNKS_FAULT);
    assert_true(rest.len > 0);
    buffer_finish(&text);
    buffer_finish(&body);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bodies),
      cmocka_unit_test(test_faults),
      cmocka_unit_test(test_what_is_thrown_away_is_bounded),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
