// SPDX-License-Identifier: Apache-2.0
//
// What every answer of the API asks of its request, whoever it is for.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/ui/ui_fixture.h"

// The code of an answer to this Host line ("" none); a refusal must say what is wrong.
static int send_as(struct ui_fixture *fixture, const char *request, const char *host_line) {
  char text[1024];
  const char *body = NULL;
  raw_http_close(&fixture->raw);
  raw_http_open(&fixture->raw, fixture->port);
  snprintf(text, sizeof text, "%s\r\n%sContent-Length: 0\r\n\r\n", request, host_line);
  raw_http_text(&fixture->raw, text);
  int code = raw_http_reply(&fixture->raw, &fixture->head, &body);
  if (code == 403) {
    assert_non_null(strstr(body, "\"field\":\"Host\""));
    assert_non_null(strstr(body, "ui.allowed_hosts"));
  }
  return code;
}

#define STATUS_PAGE "GET /api/v1/status HTTP/1.1"

static void test_a_foreign_name_is_refused_on_loopback(void **state) {
  struct ui_fixture *fixture = *state;
  static const char *const local[] = {"localhost",    "localhost:8080", "LOCALHOST:1", "shop.localhost:8080",
                                      "127.0.0.1:80", "192.0.2.7",      "[::1]:8080",  "[::1]"};
  static const char *const foreign[] = {"evil.example",
                                        "evil.example:8080",
                                        "127.0.0.1.evil.example",
                                        "evillocalhost",
                                        "localhost.evil",
                                        "[evil.example]:8080",
                                        "127.0.0.1x:8080",
                                        "[::1",
                                        "2130706433",
                                        ":8080"};
  char line[100];
  fixture->options.listens_on_loopback = true;
  for (size_t i = 0; i < sizeof local / sizeof local[0]; i++) {
    snprintf(line, sizeof line, "Host: %s\r\n", local[i]);
    if (send_as(fixture, STATUS_PAGE, line) != 200) fail_msg("%s is refused", local[i]);
  }
  for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
    snprintf(line, sizeof line, "Host: %s\r\n", foreign[i]);
    if (send_as(fixture, STATUS_PAGE, line) != 403) fail_msg("%s is taken", foreign[i]);
  }
  assert_int_equal(send_as(fixture, STATUS_PAGE, "Host: localhost@evil:80\r\n"), 400); // no host at all
  assert_int_equal(send_as(fixture, "GET /api/v1/status HTTP/1.0", ""), 403);
}

// The origin fits the name there: both are the other site's.
static void test_a_rebound_name_changes_nothing(void **state) {
  struct ui_fixture *fixture = *state;
  const char *lines = "Host: evil.example:8080\r\nOrigin: http://evil.example:8080\r\nSec-Fetch-Site: same-origin\r\n"
                      "Content-Type: application/json\r\n";
  fixture->options.listens_on_loopback = true;
  assert_int_equal(send_as(fixture, "POST /api/v1/exporters/otlp/resend HTTP/1.1", lines), 403);
  assert_int_equal(send_as(fixture, "GET /api/v1/issues HTTP/1.1", lines), 403);
  assert_int_equal(send_as(fixture, "GET /health/live HTTP/1.1", lines),
                   200); // probes and scrapers name what they like
  assert_int_equal(send_as(fixture, "GET /metrics HTTP/1.1", lines), 200);
}

static void test_names_that_are_allowed(void **state) {
  struct ui_fixture *fixture = *state;
  static const char *const hosts[] = {"errors.example", "other.example"};
  fixture->options.listens_on_loopback = true;
  fixture->options.allowed_hosts = hosts;
  fixture->options.allowed_host_count = 2;
  assert_int_equal(send_as(fixture, STATUS_PAGE, "Host: Other.Example\r\n"), 200);
  assert_int_equal(send_as(fixture, STATUS_PAGE, "Host: errors.example:443\r\n"), 200);
  assert_int_equal(send_as(fixture, STATUS_PAGE, "Host: localhost\r\n"), 200);
  assert_int_equal(send_as(fixture, STATUS_PAGE, "Host: x.errors.example\r\n"), 403);
  // Behind another address there are names that only its network knows.
  fixture->options.listens_on_loopback = false;
  assert_int_equal(send_as(fixture, STATUS_PAGE, "Host: x.errors.example\r\n"), 200);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UI_TEST(test_a_foreign_name_is_refused_on_loopback),
      UI_TEST(test_a_rebound_name_changes_nothing),
      UI_TEST(test_names_that_are_allowed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
