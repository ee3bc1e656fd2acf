// SPDX-License-Identifier: Apache-2.0
#include "proto/sentry_envelope.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define ID "9ec79c33ec9942ab8353589fcb2e04dc"

static struct json_parser *parser;
static struct sentry_envelope envelope;
static struct sentry_envelope_item item;
static struct error error;

static int setup(void **state) {
  (void)state;
  parser = json_parser_create(SENTRY_ENVELOPE_HEADER_BYTES_MAX);
  return parser ? 0 : -1;
}

static int teardown(void **state) {
  (void)state;
  json_parser_destroy(parser);
  return 0;
}

static enum status begin(struct slice body) {
  error.text[0] = 0;
  return sentry_envelope_open(&envelope, parser, body, &error);
}

static void assert_next(const char *type, struct slice payload) {
  assert_int_equal(sentry_envelope_next(&envelope, &item, &error), STATUS_OK);
  assert_true(slice_equal_cstr(item.type, type));
  assert_true(slice_equal(item.payload, payload));
}

static void assert_end(void) {
  assert_int_equal(sentry_envelope_next(&envelope, &item, &error), STATUS_END);
}

static void test_reads_header_and_items_with_and_without_length(void **state) {
  (void)state;
  struct slice body = SLICE_LITERAL("{\"event_id\":\"9EC79C33-ec99-42ab-8353-589fcb2e04dc\",\"dsn\":\"http://k@h/1\","
                                    "\"sent_at\":\"2026-11-21T09:30:00.25Z\",\"sdk\":{\"name\":\"x\"},\"future\":[1]}\n"
                                    "{\"type\":\"attachment\",\"length\":9,\"filename\":\"a.txt\","
                                    "\"content_type\":\"text/plain\"}\n"
                                    "a\r\n\nb\r\nxy\n"
                                    "{\"type\":\"event\"}\n"
                                    "{\"message\":\"m\"}\n"
                                    "{\"type\":\"client_report\",\"item_count\":3}\n"
                                    "{}");
  assert_int_equal(begin(body), STATUS_OK);
  assert_string_equal(envelope.event_id, ID);
  assert_string_equal(envelope.dsn, "http://k@h/1");
  assert_true(envelope.has_sent_at);
  assert_true(envelope.sent_at_ns == UINT64_C(1795253400250000000));
  assert_next("attachment", SLICE_LITERAL("a\r\n\nb\r\nxy"));
  assert_true(slice_equal_cstr(item.filename, "a.txt"));
  assert_true(slice_equal_cstr(item.content_type, "text/plain"));
  assert_false(item.has_item_count);
  assert_next("event", SLICE_LITERAL("{\"message\":\"m\"}"));
  assert_next("client_report", SLICE_LITERAL("{}"));
  assert_true(item.has_item_count && item.item_count == 3);
  assert_end();
  assert_end();
}

static void test_takes_a_header_alone_and_empty_payloads(void **state) {
  (void)state;
  assert_int_equal(begin(SLICE_LITERAL("{}")), STATUS_OK);
  assert_end();
  assert_int_equal(begin(SLICE_LITERAL("{\"event_id\":null}\n")), STATUS_OK);
  assert_string_equal(envelope.event_id, "");
  assert_end();
  assert_int_equal(begin(SLICE_LITERAL("{}\n{\"type\":\"a\",\"length\":0}\n\n{\"type\":\"b\"}\n\n{\"type\":\"c\"}")),
                   STATUS_OK);
  assert_next("a", SLICE_LITERAL(""));
  assert_next("b", SLICE_LITERAL(""));
  assert_next("c", SLICE_LITERAL(""));
  assert_end();
}

// A length is exact: what it cuts may hold newlines and NUL, and a line must end behind it.
static void test_payload_is_bytes(void **state) {
  (void)state;
  struct slice body =
      SLICE_LITERAL("{}\n{\"type\":\"x\",\"length\":5}\n\0\n\xff\n{\n{\"type\":\"y\",\"length\":2}\n{}");
  assert_int_equal(begin(body), STATUS_OK);
  assert_next("x", SLICE_LITERAL("\0\n\xff\n{"));
  assert_next("y", SLICE_LITERAL("{}"));
  assert_end();
}

static void assert_refused(struct slice body, const char *words) {
  enum status status = begin(body);
  while (status == STATUS_OK) status = sentry_envelope_next(&envelope, &item, &error);
  assert_int_equal(status, STATUS_INVALID);
  if (!strstr(error.text, words)) fail_msg("\"%s\" lacks \"%s\"", error.text, words);
}

static void test_refuses_broken_framing(void **state) {
  (void)state;
  assert_refused(SLICE_LITERAL(""), "empty body");
  assert_refused(SLICE_LITERAL("\n{}"), "envelope header");
  assert_refused(SLICE_LITERAL("[]\n"), "not a JSON object");
  assert_refused(SLICE_LITERAL("hello"), "envelope header");
  assert_refused(SLICE_LITERAL("{}\n{\"type\":\"event\",\"length\":3}\n{}"), "length says 3 bytes, there are 2");
  assert_refused(SLICE_LITERAL("{}\n{\"type\":\"event\",\"length\":1}\n{}\n"), "no line ends behind its 1 bytes");
  assert_refused(SLICE_LITERAL("{}\n{\"type\":\"event\",\"length\":-1}\n{}\n"), "not a number of bytes");
  assert_refused(SLICE_LITERAL("{}\n{\"type\":\"event\",\"length\":1e3}\n{}\n"), "not a number of bytes");
  assert_refused(SLICE_LITERAL("{}\n{\"type\":\"event\",\"length\":18446744073709551615}\n{}\n"), "length says");
  assert_refused(SLICE_LITERAL("{}\n{\"length\":2}\n{}\n"), "item 0 header: no type");
  assert_refused(SLICE_LITERAL("{}\n{\"type\":\"a\"}\n1\n\n"), "item 1 header");
}

static void test_refuses_bad_headers(void **state) {
  (void)state;
  assert_refused(SLICE_LITERAL("{\"event_id\":\"xyz\"}\n"), "event_id");
  assert_refused(SLICE_LITERAL("{\"event_id\":12}\n"), "event_id");
  assert_refused(SLICE_LITERAL("{\"sent_at\":\"yesterday\"}\n"), "sent_at is not a time");
  assert_refused(SLICE_LITERAL("{\"sent_at\":\"2026-11-21T09:30:00Z\",\"sent_at\":\"2026-11-21T09:30:00Z\"}\n"),
                 "sent_at is there twice");
  static char line[SENTRY_ENVELOPE_HEADER_BYTES_MAX + 64];
  int len = snprintf(line, sizeof(line), "{\"a\":\"%0*d\"}\n", (int)SENTRY_ENVELOPE_HEADER_BYTES_MAX, 0);
  assert_refused(slice_make(line, (size_t)len), "header line of over");
}

static void test_event_ids(void **state) {
  (void)state;
  char id[33] = "untouched";
  static const char *const bad[] = {"",
                                    "9ec79c33",
                                    "9ec79c33ec9942ab8353589fcb2e04dcff",
                                    "9ec79c33ec9942ab8353589fcb2e04dg",
                                    "9ec79c33ec99-42ab-8353-589f-cb2e04dc",
                                    "-9ec79c3-ec99-42ab-8353-589fcb2e04dc"};
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    assert_false(sentry_envelope_event_id(slice_from_cstr(bad[i]), id));
    assert_string_equal(id, "untouched");
  }
  assert_true(sentry_envelope_event_id(SLICE_LITERAL("9EC79C33EC9942AB8353589FCB2E04DC"), id));
  assert_string_equal(id, ID);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_reads_header_and_items_with_and_without_length, setup, teardown),
      cmocka_unit_test_setup_teardown(test_takes_a_header_alone_and_empty_payloads, setup, teardown),
      cmocka_unit_test_setup_teardown(test_payload_is_bytes, setup, teardown),
      cmocka_unit_test_setup_teardown(test_refuses_broken_framing, setup, teardown),
      cmocka_unit_test_setup_teardown(test_refuses_bad_headers, setup, teardown),
      cmocka_unit_test_setup_teardown(test_event_ids, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
