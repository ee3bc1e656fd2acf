// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/status.h"
#include "death.h"

static void test_names_and_retryable(void **state) {
  (void)state;
  for (int i = STATUS_OK; i <= STATUS_INTERNAL; i++) {
    const char *name = status_name((enum status)i);
    assert_true(strlen(name) > 0);
    for (int j = STATUS_OK; j < i; j++) assert_string_not_equal(name, status_name((enum status)j));
    bool retryable = i == STATUS_RATE_LIMITED || i == STATUS_UNAVAILABLE || i == STATUS_TIMEOUT;
    assert_int_equal(status_is_retryable((enum status)i), retryable);
  }
  assert_string_equal(status_name((enum status)999), "unknown");
}

static void test_error_set(void **state) {
  (void)state;
  struct error error;
  assert_int_equal(error_set(&error, STATUS_INVALID, "field %s: %d", "x", 7), STATUS_INVALID);
  assert_string_equal(error.text, "field x: 7");
  assert_int_equal(error_set(NULL, STATUS_IO, "unread"), STATUS_IO);
  error_prefix(NULL, "unread");
}

// Hostile bytes may end up in an error: its text is UTF-8 all the same, and never cut inside of a character.
static void test_error_is_utf8(void **state) {
  (void)state;
  struct error error;
  error_set(&error, STATUS_INVALID, "bad \xFF\xC3 byte");
  assert_string_equal(error.text, "bad ?? byte");
  char text[ERROR_TEXT_MAX + 50];
  for (size_t pad = 0; pad < 4; pad++) {
    size_t len = 0;
    while (len < pad) text[len++] = 'a';
    for (; len + 3 < sizeof text; len += 3) memcpy(text + len, "\xE2\x82\xAC", 3);
    text[len] = '\0';
    error_set(&error, STATUS_INVALID, "%s", text);
    size_t kept = strlen(error.text);
    assert_int_equal(kept, pad + (ERROR_TEXT_MAX - 1 - pad) / 3 * 3);
    assert_memory_equal(error.text, text, kept);
  }
}

static void test_error_prefix(void **state) {
  (void)state;
  struct error error;
  error_set(&error, STATUS_INVALID, "no such port");
  error_prefix(&error, "listen.%s: ", "grpc");
  assert_string_equal(error.text, "listen.grpc: no such port");
  char longer[400];
  memset(longer, 'p', sizeof longer - 1);
  longer[sizeof longer - 1] = '\0';
  error_prefix(&error, "%s", longer);
  assert_int_equal(strlen(error.text), ERROR_TEXT_MAX - 1);
  error_set(&error, STATUS_INVALID, "%s", "abc");
  error_set(&error, STATUS_INVALID, "<%s>", error.text); // its own text among the arguments
  assert_string_equal(error.text, "<abc>");
}

static void false_assertion(void) {
  ASSERT(1 + 1 == 3);
}

static void true_assertion(void) {
  ASSERT(1 + 1 == 2);
}

static void test_assertions_are_on(void **state) {
  (void)state;
  assert_true(dies(false_assertion));
  assert_false(dies(true_assertion));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_names_and_retryable), cmocka_unit_test(test_error_set),
      cmocka_unit_test(test_error_is_utf8),       cmocka_unit_test(test_error_prefix),
      cmocka_unit_test(test_assertions_are_on),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
