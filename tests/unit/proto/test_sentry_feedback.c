// SPDX-License-Identifier: Apache-2.0
#include "proto/sentry_feedback.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#define ID    "9ec79c33ec9942ab8353589fcb2e04dc"
#define OTHER "00000000000000000000000000000001"

struct read {
  struct json_parser *parser;
  enum status status;
  struct sentry_feedback feedback;
  struct error error;
};

static void read_end(struct read *read) {
  json_parser_destroy(read->parser);
}

static struct json_value parse(struct read *read, const char *text) {
  struct json_value root;
  *read = (struct read){.parser = json_parser_create(1 << 20)};
  assert_int_equal(json_parse(read->parser, slice_from_cstr(text), &root, NULL), STATUS_OK);
  return root;
}

static struct read read_event(const char *text, const char *envelope_id) {
  struct read read;
  struct json_value root = parse(&read, text);
  read.status = sentry_feedback_read_event(root, envelope_id, &read.feedback, &read.error);
  return read;
}

static struct read read_report(const char *text, const char *envelope_id) {
  struct read read;
  struct json_value root = parse(&read, text);
  read.status = sentry_feedback_read_report(root, envelope_id, &read.feedback, &read.error);
  return read;
}

static bool is_event(const char *text) {
  struct read read;
  bool is = sentry_feedback_is_event(parse(&read, text));
  read_end(&read);
  return is;
}

static void assert_text(struct slice text, const char *expected) {
  if (!slice_equal_cstr(text, expected)) fail_msg("\"%.*s\" is not \"%s\"", SLICE_PRINTF(text), expected);
}

static void test_an_event_with_feedback(void **state) {
  (void)state;
  struct read read =
      read_event("{\"event_id\":\"" OTHER "\",\"timestamp\":1795253400.5,\"contexts\":{\"feedback\":{"
                 "\"message\":\" slow \",\"contact_email\":\"a@b.example\",\"name\":\"Al\",\"url\":"
                 "\"http://x.example/\",\"associated_event_id\":\"9ec79c33-ec99-42ab-8353-589fcb2e04dc\"}}}",
                 "");
  assert_int_equal(read.status, STATUS_OK);
  assert_string_equal(read.feedback.id, OTHER);
  assert_string_equal(read.feedback.event_id, ID);
  assert_false(read.feedback.is_report);
  assert_true(read.feedback.time_ns == UINT64_C(1795253400500000000));
  assert_text(read.feedback.message, "slow");
  assert_text(read.feedback.email, "a@b.example");
  assert_text(read.feedback.name, "Al");
  assert_text(read.feedback.url, "http://x.example/");
  read_end(&read);
}

static void test_what_is_missing_is_found_elsewhere(void **state) {
  (void)state;
  struct read read = read_event("{\"event_id\":\"" OTHER "\",\"request\":{\"url\":\"http://y.example/\"},\"contexts\":{"
                                "\"feedback\":{\"message\":\"m\",\"name\":7,\"associated_event_id\":null}}}",
                                ID);
  assert_int_equal(read.status, STATUS_OK);
  assert_string_equal(read.feedback.id, ID); // the envelope's wins
  assert_string_equal(read.feedback.event_id, "");
  assert_text(read.feedback.url, "http://y.example/");
  assert_int_equal(read.feedback.name.len, 0);
  read_end(&read);
  read = read_event("{\"contexts\":{\"feedback\":{\"message\":\"m\"}}}", "");
  assert_int_equal(read.status, STATUS_OK);
  assert_int_equal(strlen(read.feedback.id), 32); // a new one
  read_end(&read);
}

static void test_events_without_use_are_refused(void **state) {
  (void)state;
  static const char *const events[] = {
      "{}",
      "[]",
      "7",
      "{\"contexts\":{\"feedback\":{\"message\":\"  \"}}}",
      "{\"contexts\":{\"feedback\":{\"message\":[\"m\"]}}}",
      "{\"contexts\":{\"feedback\":{\"message\":\"m\",\"associated_event_id\":\"zz\"}}}",
      "{\"contexts\":{\"feedback\":{\"message\":\"m\",\"associated_event_id\":7}}}",
      "{\"event_id\":\"zz\",\"contexts\":{\"feedback\":{\"message\":\"m\"}}}",
  };
  for (size_t i = 0; i < sizeof events / sizeof events[0]; i++) {
    struct read read = read_event(events[i], "");
    assert_int_equal(read.status, STATUS_INVALID);
    assert_string_not_equal(read.error.text, "");
    assert_string_equal(read.feedback.id, ""); // untouched
    read_end(&read);
  }
}

static void test_reports_are_named_by_what_they_say(void **state) {
  (void)state;
  struct read one = read_report("{\"event_id\":\"" ID "\",\"comments\":\"oh\",\"name\":\"ab\",\"email\":\"c\"}", "");
  struct read again = read_report("{\"comments\":\"oh\",\"email\":\"c\",\"name\":\"ab\"}", ID);
  struct read other = read_report("{\"event_id\":\"" ID "\",\"comments\":\"oh\",\"name\":\"a\",\"email\":\"bc\"}", "");
  assert_int_equal(one.status | again.status | other.status, STATUS_OK);
  assert_true(one.feedback.is_report);
  assert_string_equal(one.feedback.event_id, ID);
  assert_string_equal(again.feedback.event_id, ID); // the envelope's
  assert_string_equal(one.feedback.id, again.feedback.id);
  assert_string_not_equal(one.feedback.id, other.feedback.id);
  read_end(&one);
  read_end(&again);
  read_end(&other);
  struct read none = read_report("{\"event_id\":\"" ID "\",\"name\":\"a\"}", "");
  assert_int_equal(none.status, STATUS_INVALID);
  read_end(&none);
}

static void test_texts_are_cut_by_characters(void **state) {
  (void)state;
  static char text[64 << 10];
  size_t len = (size_t)snprintf(text, sizeof text, "{\"comments\":\"");
  for (int i = 0; i < SENTRY_FEEDBACK_MESSAGE_MAX + 10; i++) {
    memcpy(text + len, "\xe2\x82\xac", 3);
    len += 3;
  }
  snprintf(text + len, sizeof text - len, "\"}");
  struct read read = read_report(text, ID);
  assert_int_equal(read.feedback.message.len, 3 * SENTRY_FEEDBACK_MESSAGE_MAX);
  assert_true(slice_is_utf8(read.feedback.message));
  read_end(&read);
}

static void test_what_is_a_feedback(void **state) {
  (void)state;
  assert_true(is_event("{\"type\":\"feedback\"}"));
  assert_true(is_event("{\"contexts\":{\"feedback\":{\"message\":\"m\"}}}"));
  assert_false(is_event("{\"contexts\":{\"feedback\":{\"message\":\"\"}}}"));
  assert_false(is_event("{\"contexts\":{\"feedback\":{\"message\":\"m\"}},\"exception\":{\"values\":[]}}"));
  assert_false(is_event("{\"contexts\":{\"feedback\":[]},\"message\":\"m\"}"));
  assert_false(is_event("[]"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_an_event_with_feedback),         cmocka_unit_test(test_what_is_missing_is_found_elsewhere),
      cmocka_unit_test(test_events_without_use_are_refused), cmocka_unit_test(test_reports_are_named_by_what_they_say),
      cmocka_unit_test(test_texts_are_cut_by_characters),    cmocka_unit_test(test_what_is_a_feedback),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
