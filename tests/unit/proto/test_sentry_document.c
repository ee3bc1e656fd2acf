// SPDX-License-Identifier: Apache-2.0
#include "proto/sentry_document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

#define ID       "9ec79c33ec9942ab8353589fcb2e04dc"
#define OTHER_ID "00000000000000000000000000000001"
#define NOW_NS   (UINT64_C(1795253400) * NS_PER_S) // 2026-11-21T09:30:00Z
#define FRONT    "{\"event_id\":\"" ID "\",\"project\":3,\"received\":\"2026-11-21T09:30:00.000000000Z\""

static struct sentry_document_source source(void) {
  return (struct sentry_document_source){.event_id = ID, .project = 3, .received_ns = NOW_NS};
}

static enum status write_event(const char *text, const struct sentry_document_source *from, struct buffer *out,
                               char id[33]) {
  struct json_parser *parser = json_parser_create(1 << 20);
  struct json_value event;
  assert_int_equal(json_parse(parser, slice_from_cstr(text), &event, NULL), STATUS_OK);
  buffer_clear(out);
  enum status status = sentry_document_write(event, from, out, id, NULL);
  json_parser_destroy(parser);
  return status;
}

static void assert_written(const char *text, const struct sentry_document_source *from, const char *wanted) {
  struct buffer out;
  char id[33];
  buffer_init(&out, 1 << 20);
  assert_int_equal(write_event(text, from, &out, id), STATUS_OK);
  buffer_append_byte(&out, 0);
  assert_string_equal((const char *)out.ptr, wanted);
  buffer_finish(&out);
}

static void test_the_header_names_the_event(void **state) {
  (void)state;
  struct sentry_document_source from = source();
  assert_written("{\"message\":\"m\",\"event_id\":\"" OTHER_ID "\",\"project\":\"77\",\"x\":[1,{\"y\":null}]}", &from,
                 FRONT ",\"message\":\"m\",\"x\":[1,{\"y\":null}]}");
}

// The text that is at hand is copied; what is known of the event stands in front of what it says itself.
static void test_the_text_is_copied(void **state) {
  (void)state;
  struct sentry_document_source from = source();
  const char *text = " { \"message\":\"m\\u00e4\",\"event_id\":\"" OTHER_ID "\", \"x\":[1, 2] }\n";
  from.text = slice_from_cstr(text);
  assert_written(text, &from, FRONT ",\"message\":\"m\\u00e4\",\"event_id\":\"" OTHER_ID "\", \"x\":[1, 2]}");
  text = "{}";
  from.text = slice_from_cstr(text);
  assert_written(text, &from, FRONT "}");
  text = "{\"timestamp\":\"2019-01-01T00:00:00Z\",\"errors\":[{\"type\":\"own\"}]}";
  from.text = slice_from_cstr(text);
  assert_written(text, &from,
                 FRONT ",\"errors\":[{\"type\":\"own\"},{\"type\":\"past_timestamp\",\"name\":\"timestamp\"}],"
                       "\"timestamp\":\"2026-11-21T09:30:00.000000000Z\",\"timestamp\":\"2019-01-01T00:00:00Z\","
                       "\"errors\":[{\"type\":\"own\"}]}");
  // Not where something inside of it changes.
  text = "{\"user\": {\"ip_address\":\"{{auto}}\"}}";
  from.text = slice_from_cstr(text);
  from.peer = SLICE_LITERAL("192.0.2.7");
  assert_written(text, &from, FRONT ",\"user\":{\"ip_address\":\"192.0.2.7\"}}");
}

static bool stands(const char *text, const struct sentry_document_source *from, char id[33]) {
  struct json_parser *parser = json_parser_create(1 << 20);
  struct json_value event;
  struct sentry_document_source source_of_text = *from;
  source_of_text.text = slice_from_cstr(text);
  bool result = true;
  assert_int_equal(json_parse(parser, slice_from_cstr(text), &event, NULL), STATUS_OK);
  assert_int_equal(sentry_document_stands(event, &source_of_text, &result, id, NULL), STATUS_OK);
  json_parser_destroy(parser);
  return result;
}

// What nothing changes in need not be written.
static void test_most_events_stand_as_they_are(void **state) {
  (void)state;
  struct sentry_document_source from = source();
  char id[33];
  from.peer = SLICE_LITERAL("10.0.0.1");
  assert_true(
      stands("{\"message\":\"m\",\"event_id\":\"" OTHER_ID "\",\"errors\":[],\"timestamp\":1795253399}", &from, id));
  assert_string_equal(id, ID);
  assert_false(stands("{}", &from, id));
  assert_false(stands("{\"timestamp\":1}", &from, id));
  assert_false(stands("{\"errors\":[{\"type\":\"own\"}]}", &from, id));
  assert_false(stands("{\"user\":{\"ip_address\":\"{{auto}}\"}}", &from, id));
  from.has_sent_at = true; // a wrong clock moves times
  from.sent_at_ns = NOW_NS - 7200 * NS_PER_S;
  assert_false(stands("{\"message\":\"m\"}", &from, id));
  from = source();
  from.event_id = "";
  assert_true(stands("{\"event_id\":\"" OTHER_ID "\"}", &from, id));
  assert_string_equal(id, OTHER_ID);
  assert_true(stands("{\"message\":\"m\"}", &from, id));
  assert_int_equal(strlen(id), 32);
}

static void test_id_of_the_event_or_a_new_one(void **state) {
  (void)state;
  struct sentry_document_source from = source();
  from.event_id = "";
  struct buffer out;
  char id[33] = "", second[33] = "";
  buffer_init(&out, 1 << 20);
  assert_int_equal(write_event("{\"event_id\":\"" OTHER_ID "\"}", &from, &out, id), STATUS_OK);
  assert_string_equal(id, OTHER_ID);
  assert_int_equal(write_event("{}", &from, &out, id), STATUS_OK);
  assert_int_equal(write_event("{}", &from, &out, second), STATUS_OK);
  assert_int_equal(strlen(id), 32);
  assert_string_not_equal(id, second);
  assert_int_equal(write_event("{\"event_id\":\"nope\"}", &from, &out, id), STATUS_INVALID);
  assert_int_equal(write_event("[]", &from, &out, id), STATUS_INVALID);
  buffer_finish(&out);
}

static void test_times_move_with_a_wrong_clock_only(void **state) {
  (void)state;
  struct sentry_document_source from = source();
  from.has_sent_at = true;
  from.sent_at_ns = NOW_NS - 54 * 60 * NS_PER_S; // late, not wrong
  assert_written("{\"timestamp\":1795250160.5}", &from, FRONT ",\"timestamp\":1795250160.5}");
  from.sent_at_ns = NOW_NS - 3600 * NS_PER_S;
  assert_written("{\"timestamp\":1795249799.5,\"breadcrumbs\":{\"values\":[{\"timestamp\":\"2026-11-21T08:29:58Z\","
                 "\"message\":\"b\"},7]}}",
                 &from,
                 FRONT ",\"errors\":[{\"type\":\"clock_drift\",\"name\":\"timestamp\"}]"
                       ",\"timestamp\":\"2026-11-21T09:29:59.500000000Z\""
                       ",\"breadcrumbs\":[{\"timestamp\":\"2026-11-21T09:29:58.000000000Z\",\"message\":\"b\"},7]}");
  from.sent_at_ns = NOW_NS + 7200 * NS_PER_S;
  assert_written("{\"timestamp\":\"2026-11-21T11:29:00Z\"}", &from,
                 FRONT ",\"errors\":[{\"type\":\"clock_drift\",\"name\":\"timestamp\"}]"
                       ",\"timestamp\":\"2026-11-21T09:29:00.000000000Z\"}");
}

static void test_a_clock_of_another_century_is_bounded(void **state) {
  (void)state;
  struct sentry_document_source from = source();
  from.has_sent_at = true;
  static const uint64_t far[] = {NOW_NS + (UINT64_C(1) << 63), UINT64_MAX};
  for (size_t i = 0; i < sizeof(far) / sizeof(far[0]); i++) {
    from.sent_at_ns = far[i];
    assert_true(sentry_document_drift_ns(&from) == -INT64_MAX);
  }
  from.sent_at_ns = 0;
  assert_true(sentry_document_drift_ns(&from) == (int64_t)NOW_NS);
  assert_true(sentry_document_moved(NOW_NS, INT64_MIN) == 0);
  assert_true(sentry_document_moved(UINT64_MAX - 1, INT64_MAX) == UINT64_MAX);
}

static void test_times_out_of_reach_are_those_of_receipt(void **state) {
  (void)state;
  struct sentry_document_source from = source();
  assert_written("{\"timestamp\":1795253461.5,\"errors\":[{\"type\":\"x\"}]}", &from,
                 FRONT ",\"errors\":[{\"type\":\"x\"},{\"type\":\"future_timestamp\",\"name\":\"timestamp\"}]"
                       ",\"timestamp\":\"2026-11-21T09:30:00.000000000Z\"}");
  assert_written("{\"timestamp\":1000000000}", &from,
                 FRONT ",\"errors\":[{\"type\":\"past_timestamp\",\"name\":\"timestamp\"}]"
                       ",\"timestamp\":\"2026-11-21T09:30:00.000000000Z\"}");
  assert_written("{\"timestamp\":\"when\"}", &from, FRONT ",\"timestamp\":\"when\"}");
}

static void test_fills_in_the_peer(void **state) {
  (void)state;
  struct sentry_document_source from = source();
  from.peer = SLICE_LITERAL("192.0.2.7");
  assert_written("{\"user\":{\"id\":1,\"ip_address\":\"{{auto}}\"}}", &from,
                 FRONT ",\"user\":{\"id\":1,\"ip_address\":\"192.0.2.7\"}}");
  assert_written("{\"user\":{\"ip_address\":\"10.0.0.1\"}}", &from, FRONT ",\"user\":{\"ip_address\":\"10.0.0.1\"}}");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_header_names_the_event),
      cmocka_unit_test(test_the_text_is_copied),
      cmocka_unit_test(test_most_events_stand_as_they_are),
      cmocka_unit_test(test_id_of_the_event_or_a_new_one),
      cmocka_unit_test(test_times_move_with_a_wrong_clock_only),
      cmocka_unit_test(test_a_clock_of_another_century_is_bounded),
      cmocka_unit_test(test_times_out_of_reach_are_those_of_receipt),
      cmocka_unit_test(test_fills_in_the_peer),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
