// SPDX-License-Identifier: Apache-2.0
//
// Every rule in proto/otlp_scan.h on messages made by hand; test_otlp_scan_oracle.c compares with protobuf-c at random.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "proto/otlp_scan.h"
#include "tests/unit/proto/wire_text.h"

#define TRACES(...) FIELD(1, FIELD(2, __VA_ARGS__)) // one resource, one scope
#define SPAN(...)   FIELD(2, __VA_ARGS__)
#define IDS         bytes(1, TRACE_ID), bytes(2, SPAN_ID)

static int setup(void **state) {
  (void)state;
  wire_text_reset();
  return 0;
}

static int finish(void **state) {
  (void)state;
  wire_text_finish();
  return 0;
}

// Scans to the end; the number of items, which must be there without a fault.
static uint32_t scan_all(enum otlp_signal signal, struct slice payload) {
  struct otlp_scan scan;
  struct otlp_item item;
  struct error error = {""};
  uint32_t items = 0;
  enum status status;
  otlp_scan_init(&scan, signal, payload, NULL);
  while ((status = otlp_scan_next(&scan, &item, &error)) == STATUS_OK) items++;
  if (status != STATUS_END) fail_msg("%s", error.text);
  return items;
}

static struct otlp_item scan_first(enum otlp_signal signal, struct slice payload) {
  struct otlp_scan scan;
  struct otlp_item item;
  struct error error = {""};
  otlp_scan_init(&scan, signal, payload, NULL);
  if (otlp_scan_next(&scan, &item, &error) != STATUS_OK) fail_msg("no item: %s", error.text);
  return item;
}

static enum status scan_status(enum otlp_signal signal, struct slice payload, const struct otlp_limits *limits,
                               struct error *error) {
  struct otlp_scan scan;
  struct otlp_item item;
  enum status status;
  otlp_scan_init(&scan, signal, payload, limits);
  while ((status = otlp_scan_next(&scan, &item, error)) == STATUS_OK) {
  }
  return status;
}

static void assert_invalid(enum otlp_signal signal, struct slice payload, const char *words) {
  struct error error = {""};
  assert_int_equal(scan_status(signal, payload, NULL, &error), STATUS_INVALID);
  if (!strstr(error.text, words)) fail_msg("expected \"%s\" in \"%s\"", words, error.text);
}

static void assert_slice(struct slice slice, const char *expected) {
  if (!slice_equal_cstr(slice, expected)) fail_msg("\"%.*s\" is not \"%s\"", SLICE_PRINTF(slice), expected);
}

static void empty_requests_have_no_items(void **state) {
  (void)state;
  assert_int_equal(scan_all(OTLP_TRACES, slice_make(NULL, 0)), 0);
  assert_int_equal(scan_all(OTLP_LOGS, SLICE_LITERAL("")), 0);
  assert_int_equal(scan_all(OTLP_TRACES, EMPTY_FIELD(1)), 0);
  assert_int_equal(scan_all(OTLP_TRACES, FIELD(1, EMPTY_FIELD(1), EMPTY_FIELD(2), text(3, "https://s"))), 0);
  assert_int_equal(scan_all(OTLP_TRACES, TRACES(EMPTY_FIELD(2))), 1); // an empty span is an item
}

static void a_span_is_read_whole(void **state) {
  (void)state;
  struct slice span = JOIN(
      IDS, text(3, "ot=th:8"), bytes(4, SLICE_LITERAL("\1\2\3\4\5\6\7\10")), text(5, "GET /gr\xc3\xbc\xc3\x9f"),
      number(6, 2), fixed64(7, 100), fixed64(8, 250), attribute(9, "a", "b"), attribute(9, "c", "d"), number(10, 3),
      FIELD(11, fixed64(1, 120), text(2, "exception"), attribute(3, "exception.type", "E"), number(4, 1)),
      number(12, 4), FIELD(13, IDS, text(3, "x=y"), attribute(4, "l", "m"), number(5, 6), fixed32(6, 7)), number(14, 5),
      FIELD(15, text(2, "boom"), number(3, 2)), fixed32(16, 0x301));
  struct otlp_item item = scan_first(OTLP_TRACES, TRACES(bytes(2, span)));
  assert_true(slice_equal(item.span.bytes, span));
  assert_true(item.ids_valid);
  assert_true(slice_equal(item.span.trace_id, TRACE_ID));
  assert_true(slice_equal(item.span.span_id, SPAN_ID));
  assert_true(slice_equal(item.span.parent_span_id, SLICE_LITERAL("\1\2\3\4\5\6\7\10")));
  assert_slice(item.span.trace_state, "ot=th:8");
  assert_slice(item.span.name, "GET /gr\xc3\xbc\xc3\x9f");
  assert_slice(item.span.status_message, "boom");
  assert_int_equal(item.span.status_code, OTLP_STATUS_ERROR);
  assert_int_equal(item.span.kind, 2);
  assert_int_equal(item.span.start_ns, 100);
  assert_int_equal(item.span.end_ns, 250);
  assert_int_equal(item.span.flags, 0x301);
  assert_int_equal(item.span.attribute_count, 2);
  assert_int_equal(item.span.event_count, 1);
  assert_int_equal(item.span.link_count, 1);
  assert_true(item.span.has_exception);
}

static void a_log_is_read_whole(void **state) {
  (void)state;
  struct slice log = JOIN(fixed64(1, 10), number(2, 17), text(3, "ERROR"), FIELD(5, text(1, "it broke")),
                          attribute(6, "k", "v"), attribute(6, "exception.message", "m"), number(7, 1), fixed32(8, 1),
                          bytes(9, TRACE_ID), bytes(10, SPAN_ID), fixed64(11, 20), text(12, "app.exception"));
  struct otlp_item item = scan_first(OTLP_LOGS, TRACES(bytes(2, log)));
  assert_true(slice_equal(item.log.bytes, log));
  assert_true(item.ids_valid);
  assert_int_equal(item.log.time_ns, 10);
  assert_int_equal(item.log.observed_ns, 20);
  assert_int_equal(item.log.severity_number, OTLP_SEVERITY_ERROR);
  assert_slice(item.log.severity_text, "ERROR");
  assert_int_equal(item.log.body.kind, OTLP_ANY_STRING);
  assert_slice(item.log.body.bytes, "it broke");
  assert_true(slice_equal(item.log.trace_id, TRACE_ID));
  assert_true(slice_equal(item.log.span_id, SPAN_ID));
  assert_slice(item.log.event_name, "app.exception");
  assert_int_equal(item.log.flags, 1);
  assert_int_equal(item.log.attribute_count, 2);
  assert_true(item.log.has_exception);
}

static void exceptions_are_seen_by_exact_names(void **state) {
  (void)state;
  static const struct {
    const char *key;
    bool exception;
  } keys[] = {{"exception.type", true},     {"exception.message", true}, {"exception.stacktrace", true},
              {"exception.escaped", false}, {"exception.typE", false},   {"xexception.type", false}};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
    struct otlp_item item = scan_first(OTLP_LOGS, TRACES(SPAN(attribute(6, keys[i].key, ""), attribute(6, "z", ""))));
    assert_int_equal(item.log.has_exception, keys[i].exception);
  }
  assert_false(scan_first(OTLP_TRACES, TRACES(SPAN(IDS, FIELD(11, text(2, "Exception"))))).span.has_exception);
  // Two names in one event: the last one counts.
  assert_false(scan_first(OTLP_TRACES, TRACES(SPAN(FIELD(11, text(2, "exception"), text(2, "e"))))).span.has_exception);
  assert_true(scan_first(OTLP_TRACES, TRACES(SPAN(FIELD(11, text(2, "exception")), FIELD(11, text(2, "e")))))
                  .span.has_exception);
}

static void resource_and_scope_are_found_behind_their_children(void **state) {
  (void)state;
  struct slice resource = attribute(1, "service.name", "cart"), scope = text(1, "lib");
  struct otlp_item item =
      scan_first(OTLP_TRACES, FIELD(1, FIELD(2, SPAN(IDS), bytes(1, scope), text(3, "s")), bytes(1, resource)));
  assert_true(slice_equal(item.resource, resource));
  assert_true(slice_equal(item.scope, scope));
  assert_slice(otlp_resource_string(item.resource, "service.name"), "cart");
}

static void the_last_of_two_wins(void **state) {
  (void)state;
  struct otlp_item item =
      scan_first(OTLP_TRACES, FIELD(1, FIELD(1, attribute(1, "service.name", "a")),
                                    FIELD(2, FIELD(1, text(1, "one")),
                                          SPAN(IDS, text(5, "x"), text(5, "y"), number(6, 1), number(6, 3)),
                                          FIELD(1, text(1, "two"))),
                                    FIELD(1, attribute(1, "service.name", "b"))));
  assert_slice(otlp_resource_string(item.resource, "service.name"), "b");
  assert_true(slice_equal(item.scope, text(1, "two")));
  assert_slice(item.span.name, "y");
  assert_int_equal(item.span.kind, 3);
  // Messages are merged: a second status sets what it holds and leaves the rest.
  item = scan_first(OTLP_TRACES, TRACES(SPAN(FIELD(15, number(3, 2), text(2, "m")), FIELD(15, text(2, "n")))));
  assert_int_equal(item.span.status_code, 2);
  assert_slice(item.span.status_message, "n");
  // The overruled resource is validated like the other.
  assert_invalid(OTLP_TRACES, FIELD(1, FIELD(1, number(1, 1)), EMPTY_FIELD(1)), "resource_spans.resource.attributes");
}

static void items_are_numbered_over_the_request(void **state) {
  (void)state;
  struct slice payload =
      JOIN(FIELD(1, EMPTY_FIELD(1)), FIELD(1, FIELD(2, SPAN(IDS), SPAN(IDS)), EMPTY_FIELD(2), FIELD(2, SPAN(IDS))),
           FIELD(1, FIELD(2, SPAN(IDS))));
  static const uint32_t expected[][3] = {{1, 0, 0}, {1, 0, 1}, {1, 2, 2}, {2, 3, 3}};
  struct otlp_scan scan;
  struct otlp_item item;
  otlp_scan_init(&scan, OTLP_TRACES, payload, NULL);
  for (size_t i = 0; i < 4; i++) {
    assert_int_equal(otlp_scan_next(&scan, &item, NULL), STATUS_OK);
    assert_int_equal(item.resource_index, expected[i][0]);
    assert_int_equal(item.scope_index, expected[i][1]);
    assert_int_equal(item.index, expected[i][2]);
  }
  assert_int_equal(otlp_scan_next(&scan, &item, NULL), STATUS_END);
  assert_int_equal(otlp_scan_next(&scan, &item, NULL), STATUS_END);
}

static void unusable_ids_are_told(void **state) {
  (void)state;
  struct slice zero16 = SLICE_LITERAL("\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
  struct slice long16 = SLICE_LITERAL("aaaaaaaaaaaaaaaaa");
  struct slice trace_ids[] = {TRACE_ID, zero16, slice_sub(TRACE_ID, 0, 15), long16, slice_make(NULL, 0)};
  struct slice span_ids[] = {SPAN_ID, slice_sub(zero16, 0, 8), slice_sub(SPAN_ID, 0, 7), TRACE_ID, slice_make(NULL, 0)};
  for (size_t t = 0; t < 5; t++) {
    for (size_t s = 0; s < 5; s++) {
      struct otlp_item item = scan_first(OTLP_TRACES, TRACES(SPAN(bytes(1, trace_ids[t]), bytes(2, span_ids[s]))));
      assert_int_equal(item.ids_valid, t == 0 && s == 0);
      assert_true(slice_equal(item.span.trace_id, trace_ids[t])); // as sent
      item = scan_first(OTLP_LOGS, TRACES(SPAN(bytes(9, trace_ids[t]), bytes(10, span_ids[s]))));
      assert_true(item.ids_valid);
      assert_int_equal(item.log.trace_id.len, t == 0 ? 16 : 0);
      assert_int_equal(item.log.span_id.len, s == 0 ? 8 : 0);
    }
  }
  assert_false(scan_first(OTLP_TRACES, TRACES(EMPTY_FIELD(2))).ids_valid);
}

static void unknown_fields_are_stepped_over_everywhere(void **state) {
  (void)state;
  struct slice unknown = JOIN(number(100, UINT64_MAX), fixed64(101, 1), text(102, "\xff\xff"), fixed32(103, 2),
                              FIELD(1000, text(1, "instrumentation_library")), number(536870911, 0));
  struct slice value = FIELD(2, unknown, text(1, "v"), unknown);
  struct slice pair = JOIN(unknown, text(1, "k"), unknown, value, unknown);
  struct slice span = JOIN(unknown, IDS, unknown, bytes(9, pair), FIELD(11, unknown, text(2, "e"), bytes(3, pair)),
                           FIELD(13, unknown, bytes(4, pair)), FIELD(15, unknown, number(1, 9)), unknown);
  struct slice payload =
      JOIN(unknown,
           FIELD(1, unknown, FIELD(1, unknown, bytes(1, pair), FIELD(3, unknown)),
                 FIELD(2, unknown, FIELD(1, unknown, bytes(3, pair)), bytes(2, span), unknown), unknown),
           unknown);
  assert_int_equal(scan_all(OTLP_TRACES, payload), 1);
  struct otlp_item item = scan_first(OTLP_TRACES, payload);
  assert_true(item.ids_valid);
  struct otlp_any any;
  assert_true(otlp_attribute_find(item.span.bytes, OTLP_SPAN_ATTRIBUTES, SLICE_LITERAL("k"), &any));
  assert_slice(any.bytes, "v");
  struct slice log = JOIN(unknown, number(4, 1), FIELD(5, unknown, number(3, 1)), bytes(6, pair), unknown);
  assert_int_equal(scan_all(OTLP_LOGS, TRACES(bytes(2, log))), 1);
}

static void groups_and_reserved_wire_types_are_invalid(void **state) {
  (void)state;
  assert_invalid(OTLP_TRACES, SLICE_LITERAL("\x0b\x0c"), "group");                   // field 1, start and end group
  assert_invalid(OTLP_TRACES, SLICE_LITERAL("\xa3\x06\xa4\x06"), "group");           // field 100
  assert_invalid(OTLP_TRACES, SLICE_LITERAL("\xa6\x06\x01"), "malformed");           // wire type 6
  assert_invalid(OTLP_TRACES, SLICE_LITERAL("\xa7\x06\x01"), "malformed");           // wire type 7
  assert_invalid(OTLP_TRACES, SLICE_LITERAL("\x02\x00"), "tag at byte 0");           // field number 0
  assert_invalid(OTLP_TRACES, SLICE_LITERAL("\x82\x00\x00"), "tag at byte");         // the same in two bytes
  assert_invalid(OTLP_TRACES, SLICE_LITERAL("\x8a\x80\x80\x80\x10\x00"), "tag");     // 33 bits
  assert_invalid(OTLP_TRACES, SLICE_LITERAL("\x8a\x80\x80\x80\x80\x00\x00"), "tag"); // 6 bytes
  assert_int_equal(scan_all(OTLP_TRACES, SLICE_LITERAL("\x8a\x80\x00\x00")), 0);     // field 1 in three bytes
}

static void lengths_are_bounded_by_their_message(void **state) {
  (void)state;
  assert_invalid(OTLP_TRACES, SLICE_LITERAL("\x0a\x01"), "resource_spans: a field that is cut short");
  assert_invalid(OTLP_TRACES, SLICE_LITERAL("\x0a"), "cut short");
  assert_invalid(OTLP_TRACES, SLICE_LITERAL("\x0a\xff\xff\xff\xff\x0f"), "cut short"); // 4 GiB
  assert_invalid(OTLP_TRACES, SLICE_LITERAL("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\x7f"), "cut short");
  // A name that reaches out of its span into the next one.
  assert_invalid(OTLP_TRACES,
                 TRACES(SPAN(SLICE_LITERAL("\x2a\x05"
                                           "abc")),
                        SPAN(IDS)),
                 "spans.name");
  assert_invalid(OTLP_TRACES, TRACES(SPAN(SLICE_LITERAL("\x39\0\0\0\0\0\0\0"))), "spans.start_time_unix_nano");
  assert_invalid(OTLP_TRACES, TRACES(SPAN(SLICE_LITERAL("\x85\x01\0\0\0"))), "spans.flags");
  assert_invalid(OTLP_TRACES, TRACES(SPAN(SLICE_LITERAL("\x30\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"))), "kind");
}

// Every known field with a wire type it does not have.
static void wrong_wire_types_name_their_field(void **state) {
  (void)state;
  static const char *const span[17] = {[1] = "trace_id",
                                       [2] = "span_id",
                                       [3] = "trace_state",
                                       [4] = "parent_span_id",
                                       [5] = "name",
                                       [6] = "kind",
                                       [7] = "start_time_unix_nano",
                                       [8] = "end_time_unix_nano",
                                       [9] = "attributes",
                                       [10] = "dropped_attributes_count",
                                       [11] = "events",
                                       [12] = "dropped_events_count",
                                       [13] = "links",
                                       [14] = "dropped_links_count",
                                       [15] = "status",
                                       [16] = "flags"};
  static const char *const log[13] = {
      [1] = "time_unix_nano", [2] = "severity_number",          [3] = "severity_text", [5] = "body",
      [6] = "attributes",     [7] = "dropped_attributes_count", [8] = "flags",         [9] = "trace_id",
      [10] = "span_id",       [11] = "observed_time_unix_nano", [12] = "event_name"};
  static const unsigned span_types[17] = {0, 2, 2, 2, 2, 2, 0, 1, 1, 2, 0, 2, 0, 2, 0, 2, 5};
  static const unsigned log_types[13] = {0, 1, 0, 2, 9, 2, 2, 0, 5, 2, 2, 1, 2};
  for (unsigned field = 1; field <= 16; field++) {
    struct slice by_type[6] = {number(field, 1), fixed64(field, 1), EMPTY_FIELD(field), {0}, {0}, fixed32(field, 1)};
    for (unsigned type = 0; type < 6; type++) {
      if (!by_type[type].ptr) continue;
      char words[80];
      struct slice spans = TRACES(bytes(2, by_type[type]));
      (void)snprintf(words, sizeof words, "resource_spans.scope_spans.spans.%s: wrong wire type", span[field]);
      if (type == span_types[field]) {
        assert_int_equal(scan_all(OTLP_TRACES, spans), 1);
      } else {
        assert_invalid(OTLP_TRACES, spans, words);
      }
      if (field > 12 || field == 4) continue;
      (void)snprintf(words, sizeof words, "resource_logs.scope_logs.log_records.%s: wrong wire type", log[field]);
      if (type == log_types[field]) {
        assert_int_equal(scan_all(OTLP_LOGS, spans), 1);
      } else {
        assert_invalid(OTLP_LOGS, spans, words);
      }
    }
  }
}

static void inner_messages_are_checked_too(void **state) {
  (void)state;
#define RESOURCE(...) FIELD(1, FIELD(1, __VA_ARGS__))
#define SCOPE(...)    FIELD(1, FIELD(2, FIELD(1, __VA_ARGS__)))
  const struct {
    struct slice payload;
    const char *words;
  } cases[] = {
      {number(1, 1), "resource_spans: wrong wire type at byte"},
      {FIELD(1, number(1, 1)), "resource_spans.resource: wrong"},
      {FIELD(1, number(2, 1)), "resource_spans.scope_spans: wrong"},
      {FIELD(1, text(3, "\xff")), "resource_spans.schema_url: invalid UTF-8"},
      {FIELD(1, FIELD(2, fixed64(1, 1))), "resource_spans.scope_spans.scope: wrong"},
      {FIELD(1, FIELD(2, fixed64(2, 1))), "resource_spans.scope_spans.spans: wrong"},
      {FIELD(1, FIELD(2, text(3, "\xc0\x80"))), "resource_spans.scope_spans.schema_url: invalid UTF-8"},
      {RESOURCE(text(2, "")), "resource.dropped_attributes_count: wrong"},
      {RESOURCE(number(3, 1)), "resource.entity_refs: wrong"},
      {RESOURCE(FIELD(3, text(4, "\xff"))), "resource.entity_refs.description_keys: invalid UTF-8"},
      {RESOURCE(FIELD(3, number(2, 1))), "resource.entity_refs.type: wrong"},
      {RESOURCE(FIELD(1, text(1, "\x80"))), "resource.attributes.key: invalid UTF-8"},
      {SCOPE(text(1, "\xed\xa0\x80")), "scope_spans.scope.name: invalid UTF-8"},
      {SCOPE(text(2, "\xf5\x80\x80\x80")), "scope.version: invalid UTF-8"},
      {SCOPE(number(3, 1)), "scope.attributes: wrong"},
      {SCOPE(text(4, "")), "scope.dropped_attributes_count: wrong"},
      {TRACES(SPAN(text(3, "\xff"))), "spans.trace_state: invalid UTF-8"},
      {TRACES(SPAN(text(5, "long enough to pass the first words \xc3"))), "spans.name: invalid UTF-8"},
      {TRACES(SPAN(FIELD(15, text(2, "\xff")))), "spans.status.message: invalid UTF-8"},
      {TRACES(SPAN(FIELD(15, text(3, "")))), "spans.status.code: wrong"},
      {TRACES(SPAN(FIELD(11, text(2, "\xff")))), "spans.events.name: invalid UTF-8"},
      {TRACES(SPAN(FIELD(11, number(1, 1)))), "spans.events.time_unix_nano: wrong"},
      {TRACES(SPAN(FIELD(11, text(4, "")))), "spans.events.dropped_attributes_count: wrong"},
      {TRACES(SPAN(FIELD(13, number(1, 1)))), "spans.links.trace_id: wrong"},
      {TRACES(SPAN(FIELD(13, text(3, "\xff")))), "spans.links.trace_state: invalid UTF-8"},
      {TRACES(SPAN(FIELD(13, number(6, 1)))), "spans.links.flags: wrong"},
      {TRACES(SPAN(FIELD(9, number(1, 1)))), "spans.attributes.key: wrong"},
      {TRACES(SPAN(FIELD(9, number(2, 1)))), "spans.attributes.value: wrong"},
      {TRACES(SPAN(FIELD(9, text(3, "")))), "spans.attributes.key_strindex: wrong"},
      {TRACES(SPAN(FIELD(9, FIELD(2, text(1, "\xff"))))), "spans.attributes.value.string_value: invalid UTF-8"},
      {TRACES(SPAN(FIELD(9, FIELD(2, text(2, ""))))), "value.bool_value: wrong"},
      {TRACES(SPAN(FIELD(9, FIELD(2, fixed64(3, 1))))), "value.int_value: wrong"},
      {TRACES(SPAN(FIELD(9, FIELD(2, number(4, 1))))), "value.double_value: wrong"},
      {TRACES(SPAN(FIELD(9, FIELD(2, number(5, 1))))), "value.array_value: wrong"},
      {TRACES(SPAN(FIELD(9, FIELD(2, number(6, 1))))), "value.kvlist_value: wrong"},
      {TRACES(SPAN(FIELD(9, FIELD(2, number(7, 1))))), "value.bytes_value: wrong"},
      {TRACES(SPAN(FIELD(9, FIELD(2, text(8, ""))))), "value.string_value_strindex: wrong"},
      {TRACES(SPAN(FIELD(9, FIELD(2, FIELD(5, number(1, 1)))))), "value.array_value.values: wrong"},
      {TRACES(SPAN(FIELD(9, FIELD(2, FIELD(5, FIELD(1, text(1, "\xff"))))))),
       "array_value.string_value: invalid UTF-8"},
      {TRACES(SPAN(FIELD(9, FIELD(2, FIELD(6, FIELD(1, text(1, "\xff"))))))), "kvlist_value.key: invalid UTF-8"},
      {TRACES(SPAN(FIELD(9, FIELD(2, FIELD(6, FIELD(1, FIELD(2, number(1, 1)))))))),
       "kvlist_value.string_value: wrong"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_invalid(OTLP_TRACES, cases[i].payload, cases[i].words);
  assert_invalid(OTLP_LOGS, TRACES(SPAN(FIELD(5, text(1, "\xff")))), "log_records.body.string_value: invalid UTF-8");
  assert_invalid(OTLP_LOGS, TRACES(SPAN(text(3, "\xff"))), "log_records.severity_text: invalid UTF-8");
  assert_invalid(OTLP_LOGS, TRACES(SPAN(text(12, "\xff"))), "log_records.event_name: invalid UTF-8");
  // bytes_value need not be text.
  assert_int_equal(scan_all(OTLP_TRACES, TRACES(SPAN(FIELD(9, text(1, "k"), FIELD(2, text(7, "\xff")))))), 1);
}

static void a_fault_says_where_and_stays(void **state) {
  (void)state;
  struct slice good = SPAN(IDS), payload = TRACES(good, SPAN(text(5, "\xff")));
  struct otlp_scan scan;
  struct otlp_item item;
  struct error error = {""};
  otlp_scan_init(&scan, OTLP_TRACES, payload, NULL);
  assert_int_equal(otlp_scan_next(&scan, &item, &error), STATUS_OK);
  for (int i = 0; i < 2; i++) {
    char words[120];
    (void)snprintf(words, sizeof words, "resource_spans.scope_spans.spans.name: invalid UTF-8 at byte %zu",
                   payload.len - 1);
    error.text[0] = 0;
    assert_int_equal(otlp_scan_next(&scan, &item, &error), STATUS_INVALID);
    assert_string_equal(error.text, words);
  }
}

static struct slice nest(uint32_t levels, bool kvlist) {
  struct slice value = number(2, 1);
  for (uint32_t i = 1; i < levels; i++)
    value = kvlist ? FIELD(6, FIELD(1, bytes(2, value))) : FIELD(5, bytes(1, value));
  return TRACES(SPAN(IDS, FIELD(9, text(1, "k"), bytes(2, value))));
}

static void nesting_has_a_limit(void **state) {
  (void)state;
  for (int kvlist = 0; kvlist < 2; kvlist++) {
    assert_int_equal(scan_all(OTLP_TRACES, nest(30, kvlist)), 1);
    assert_invalid(OTLP_TRACES, nest(31, kvlist), "nested deeper than the limit");
    assert_invalid(OTLP_TRACES, nest(2000, kvlist), "nested deeper than the limit");
    struct otlp_limits limits = otlp_limits_default;
    limits.depth_max = 1;
    assert_int_equal(scan_status(OTLP_TRACES, nest(1, kvlist), &limits, NULL), STATUS_END);
    assert_int_equal(scan_status(OTLP_TRACES, nest(2, kvlist), &limits, NULL), STATUS_INVALID);
    limits.depth_max = OTLP_DEPTH_CEILING;
    assert_int_equal(scan_status(OTLP_TRACES, nest(OTLP_DEPTH_CEILING, kvlist), &limits, NULL), STATUS_END);
    assert_int_equal(scan_status(OTLP_TRACES, nest(OTLP_DEPTH_CEILING + 1, kvlist), &limits, NULL), STATUS_INVALID);
  }
  // Depth is of nesting, not of number: many deep values one after the other.
  struct slice deep = FIELD(9, FIELD(2, FIELD(5, FIELD(1, FIELD(6, FIELD(1, FIELD(2, number(3, 1))))))));
  struct otlp_limits limits = otlp_limits_default;
  limits.depth_max = 3;
  assert_int_equal(scan_status(OTLP_TRACES, TRACES(SPAN(deep, deep, deep), SPAN(deep)), &limits, NULL), STATUS_END);
  struct slice element = FIELD(1, FIELD(5, FIELD(1, number(3, 1)), FIELD(1, text(1, "x"))));
  struct slice wide = FIELD(9, FIELD(2, FIELD(5, element, element, element, element)));
  assert_int_equal(scan_status(OTLP_TRACES, TRACES(SPAN(wide)), &limits, NULL), STATUS_END);
}

static void counts_have_limits(void **state) {
  (void)state;
  struct error error = {""};
  struct otlp_limits limits = {.depth_max = 30, .items_max = 2, .attributes_max = 5};
  assert_int_equal(scan_status(OTLP_TRACES, TRACES(SPAN(IDS), SPAN(IDS)), &limits, NULL), STATUS_END);
  assert_int_equal(scan_status(OTLP_TRACES, TRACES(SPAN(IDS), SPAN(IDS), SPAN(IDS)), &limits, &error),
                   STATUS_TOO_LARGE);
  assert_non_null(strstr(error.text, "resource_spans.scope_spans.spans: more items than the limit"));
  // Attributes of everything together, array elements and members of lists included.
  struct slice three = FIELD(9, FIELD(2, FIELD(5, FIELD(1, number(2, 1)), FIELD(1, number(2, 1)))));
  struct slice two = FIELD(9, FIELD(2, FIELD(6, FIELD(1, text(1, "k")))));
  assert_int_equal(scan_status(OTLP_TRACES, TRACES(SPAN(three, two)), &limits, NULL), STATUS_END);
  struct slice payload = FIELD(1, FIELD(1, attribute(1, "a", "b")), FIELD(2, SPAN(three), SPAN(two)));
  assert_int_equal(scan_status(OTLP_TRACES, payload, &limits, &error), STATUS_TOO_LARGE);
  assert_non_null(strstr(error.text, "more attributes than the limit"));
}

struct report {
  char text[400];
};

static void note_attribute(void *context, enum otlp_owner owner, const struct otlp_attribute *attribute) {
  struct report *report = context;
  size_t used = strlen(report->text);
  if (!slice_starts_with(attribute->key, SLICE_LITERAL("want"))) return; // a false positive of the filter
  (void)snprintf(report->text + used, sizeof report->text - used, "%d:%.*s=%.*s ", (int)owner,
                 SLICE_PRINTF(attribute->key), SLICE_PRINTF(attribute->value.bytes));
}

static void wanted_attributes_are_reported(void **state) {
  (void)state;
  struct slice span = JOIN(IDS, attribute(9, "want.a", "1"), attribute(9, "other", "2"),
                           FIELD(11, attribute(3, "want.b", "3")), FIELD(13, attribute(4, "want.a", "link")));
  struct slice payload = FIELD(1, FIELD(1, attribute(1, "want.a", "overruled")),
                               FIELD(2, bytes(2, span), SPAN(IDS, FIELD(9, FIELD(2, text(1, "4")), text(1, "want.a"))),
                                     FIELD(1, attribute(3, "want.b", "scope"))),
                               FIELD(1, attribute(1, "want.a", "resource")));
  struct otlp_key_filter filter = {{0}};
  otlp_key_filter_add(&filter, SLICE_LITERAL("want.a"));
  otlp_key_filter_add(&filter, SLICE_LITERAL("want.b"));
  struct report report = {""};
  struct otlp_scan scan;
  struct otlp_item item;
  otlp_scan_init(&scan, OTLP_TRACES, payload, NULL);
  scan.filter = &filter;
  scan.on_attribute = note_attribute;
  scan.context = &report;
  assert_int_equal(otlp_scan_next(&scan, &item, NULL), STATUS_OK);
  assert_string_equal(report.text, "0:want.a=resource 1:want.b=scope 2:want.a=1 3:want.b=3 ");
  report.text[0] = 0;
  assert_int_equal(otlp_scan_next(&scan, &item, NULL), STATUS_OK);
  assert_string_equal(report.text, "2:want.a=4 ");
  report.text[0] = 0;
  otlp_scan_init(&scan, OTLP_LOGS, TRACES(SPAN(attribute(6, "want.b", "log"))), NULL);
  scan.filter = &filter;
  scan.on_attribute = note_attribute;
  scan.context = &report;
  assert_int_equal(otlp_scan_next(&scan, &item, NULL), STATUS_OK);
  assert_string_equal(report.text, "4:want.b=log ");
}

static void the_key_filter_is_selective(void **state) {
  (void)state;
  struct otlp_key_filter filter = {{0}};
  otlp_key_filter_add(&filter, slice_make(NULL, 0)); // an empty key is a key
  otlp_key_filter_add(&filter, SLICE_LITERAL("request_id"));
  uint32_t bits = 0;
  for (size_t i = 0; i < 16; i++) bits += (uint32_t)__builtin_popcountll(filter.bits[i]);
  assert_int_equal(bits, 2);
}

static void signals_have_names(void **state) {
  (void)state;
  assert_string_equal(otlp_signal_name(OTLP_TRACES), "traces");
  assert_string_equal(otlp_signal_name(OTLP_LOGS), "logs");
  assert_string_equal(otlp_signal_name(OTLP_METRICS), "metrics");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(empty_requests_have_no_items, setup),
      cmocka_unit_test_setup(a_span_is_read_whole, setup),
      cmocka_unit_test_setup(a_log_is_read_whole, setup),
      cmocka_unit_test_setup(exceptions_are_seen_by_exact_names, setup),
      cmocka_unit_test_setup(resource_and_scope_are_found_behind_their_children, setup),
      cmocka_unit_test_setup(the_last_of_two_wins, setup),
      cmocka_unit_test_setup(items_are_numbered_over_the_request, setup),
      cmocka_unit_test_setup(unusable_ids_are_told, setup),
      cmocka_unit_test_setup(unknown_fields_are_stepped_over_everywhere, setup),
      cmocka_unit_test_setup(groups_and_reserved_wire_types_are_invalid, setup),
      cmocka_unit_test_setup(lengths_are_bounded_by_their_message, setup),
      cmocka_unit_test_setup(wrong_wire_types_name_their_field, setup),
      cmocka_unit_test_setup(inner_messages_are_checked_too, setup),
      cmocka_unit_test_setup(a_fault_says_where_and_stays, setup),
      cmocka_unit_test_setup(nesting_has_a_limit, setup),
      cmocka_unit_test_setup(counts_have_limits, setup),
      cmocka_unit_test_setup(wanted_attributes_are_reported, setup),
      cmocka_unit_test_setup(the_key_filter_is_selective, setup),
      cmocka_unit_test(signals_have_names),
  };
  return cmocka_run_group_tests_name("otlp_scan", tests, NULL, finish);
}
