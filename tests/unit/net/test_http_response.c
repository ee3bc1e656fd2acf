// SPDX-License-Identifier: Apache-2.0
//
// The bytes of answers, and dates.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "net/http_response.h"

#define DATE "Sat, 21 Nov 2026 19:20:55 GMT"

static void test_answers(void **state) {
  (void)state;
  const struct {
    struct http_response response;
    const char *expected;
  } cases[] = {
      {{.code = 200, .content_type = "text/plain", .body = SLICE_LITERAL("hello"), .keep_alive = true, .date = DATE},
       "HTTP/1.1 200 OK\r\nDate: " DATE "\r\nX-A: b\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\r\nhello"},
      {{.code = 200,
        .body = SLICE_LITERAL("hello"),
        .is_head = true,
        .keep_alive = true,
        .says_so = true,
        .date = DATE},
       "HTTP/1.1 200 OK\r\nDate: " DATE "\r\nConnection: Keep-Alive\r\nX-A: b\r\nContent-Length: 5\r\n\r\n"},
      {{.code = 431, .body = SLICE_LITERAL("hello"), .body_apart = true, .says_so = true, .date = DATE},
       "HTTP/1.1 431 Request Header Fields Too Large\r\nDate: " DATE
       "\r\nConnection: close\r\nX-A: b\r\nContent-Length: 5\r\n\r\n"},
      {{.code = 204, .keep_alive = true, .date = DATE}, "HTTP/1.1 204 No Content\r\nDate: " DATE "\r\nX-A: b\r\n\r\n"},
      {{.code = 304, .content_type = "text/css", .body = SLICE_LITERAL("x"), .keep_alive = true, .date = DATE},
       "HTTP/1.1 304 Not Modified\r\nDate: " DATE "\r\nX-A: b\r\nContent-Type: text/css\r\n\r\n"},
      {{.code = 299, .keep_alive = true, .date = DATE},
       "HTTP/1.1 299 \r\nDate: " DATE "\r\nX-A: b\r\nContent-Length: 0\r\n\r\n"},
  };
  struct buffer out;
  buffer_init(&out, 4096);
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    http_response_add_header(&out, "X-A", "b");
    http_response_add_header(&out, "X-Split", "a\r\nSet-Cookie: b"); // left out
    http_response_add_header(&out, "X-\nSplit", "a");
    struct slice answer = http_response_write(&out, &cases[i].response);
    if (!slice_equal_cstr(answer, cases[i].expected)) print_error("%.*s\n", SLICE_PRINTF(answer));
    assert_true(slice_equal_cstr(answer, cases[i].expected));
    buffer_clear(&out);
  }
  struct buffer small;
  buffer_init(&small, 150);
  assert_null(http_response_write(&small, &cases[0].response).ptr);
  buffer_finish(&small);
  buffer_finish(&out);
}

static void test_dates(void **state) {
  (void)state;
  char text[HTTP_RESPONSE_DATE_BYTES], expected[64];
  http_response_format_date(UINT64_C(784111777) * NS_PER_S, text);
  assert_string_equal(text, "Sun, 06 Nov 1994 08:49:37 GMT"); // RFC 9110, 5.6.7
  for (uint64_t day = 0; day < 40000; day += 13) {
    time_t seconds = (time_t)(day * 86400 + day * 7 % 86400);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(expected, sizeof(expected), "%a, %d %b %Y %H:%M:%S GMT", &tm);
    http_response_format_date((uint64_t)seconds * NS_PER_S, text);
    assert_string_equal(text, expected);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_answers),
      cmocka_unit_test(test_dates),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
