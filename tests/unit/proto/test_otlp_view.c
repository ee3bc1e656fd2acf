// SPDX-License-Identifier: Apache-2.0
//
// The walkers over validated messages; that they read what protobuf-c reads is test_otlp_scan_oracle.c's.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "proto/otlp_scan.h"
#include "tests/unit/proto/wire_text.h"

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

static struct otlp_any value_of(struct slice any_fields) {
  struct otlp_any any = {.kind = OTLP_ANY_BYTES};
  struct slice message = FIELD(9, text(1, "k"), bytes(2, any_fields));
  assert_true(otlp_attribute_find(message, OTLP_SPAN_ATTRIBUTES, SLICE_LITERAL("k"), &any));
  return any;
}

static void assert_text(struct slice slice, const char *expected) {
  if (!slice_equal_cstr(slice, expected)) fail_msg("\"%.*s\" is not \"%s\"", SLICE_PRINTF(slice), expected);
}

static void values_of_every_kind(void **state) {
  (void)state;
  struct otlp_any any = value_of(text(1, "s"));
  assert_int_equal(any.kind, OTLP_ANY_STRING);
  assert_text(any.bytes, "s");
  any = value_of(number(2, 1));
  assert_true(any.kind == OTLP_ANY_BOOL && any.boolean);
  any = value_of(number(2, 0));
  assert_true(any.kind == OTLP_ANY_BOOL && !any.boolean);
  any = value_of(number(3, (uint64_t)-5));
  assert_true(any.kind == OTLP_ANY_I64 && any.i64 == -5);
  any = value_of(real(4, -0.5));
  assert_true(any.kind == OTLP_ANY_DOUBLE && any.f64 == -0.5);
  any = value_of(text(7, "\xff"));
  assert_int_equal(any.kind, OTLP_ANY_BYTES);
  assert_text(any.bytes, "\xff");
  assert_int_equal(value_of(slice_make(NULL, 0)).kind, OTLP_ANY_EMPTY);
  assert_int_equal(value_of(number(8, 3)).kind, OTLP_ANY_EMPTY); // an index into nothing
  // Of alternatives the last one counts, and nothing of the others is left.
  any = value_of(JOIN(number(2, 1), text(1, "s"), number(3, 9)));
  assert_true(any.kind == OTLP_ANY_I64 && any.i64 == 9 && any.bytes.len == 0 && !any.boolean);
}

static void lists_are_walked(void **state) {
  (void)state;
  struct otlp_any array =
      value_of(FIELD(5, FIELD(1, text(1, "a")), number(50, 1), EMPTY_FIELD(1), FIELD(1, number(3, 7))));
  struct otlp_field_iter iter = otlp_any_elements(array);
  struct otlp_any element;
  assert_true(otlp_any_next(&iter, &element));
  assert_text(element.bytes, "a");
  assert_true(otlp_any_next(&iter, &element));
  assert_int_equal(element.kind, OTLP_ANY_EMPTY);
  assert_true(otlp_any_next(&iter, &element));
  assert_int_equal(element.i64, 7);
  assert_false(otlp_any_next(&iter, &element));
  assert_false(otlp_any_next(&iter, &element)); // and stays there
  struct otlp_any kvlist = value_of(bytes(6, attribute(1, "x", "y")));
  struct otlp_attribute member;
  iter = otlp_any_members(kvlist);
  assert_true(otlp_attribute_next(&iter, &member));
  assert_text(member.key, "x");
  assert_text(member.value.bytes, "y");
  assert_false(otlp_attribute_next(&iter, &member));
  // A value of another kind has neither.
  iter = otlp_any_elements(kvlist);
  assert_false(otlp_any_next(&iter, &element));
  iter = otlp_any_members(array);
  assert_false(otlp_attribute_next(&iter, &member));
}

static void the_first_attribute_of_a_key_is_found(void **state) {
  (void)state;
  struct otlp_any any = {.kind = OTLP_ANY_EMPTY};
  struct slice log =
      JOIN(attribute(9, "k", "a span's"), attribute(6, "j", "0"), attribute(6, "k", "1"), attribute(6, "k", "2"));
  assert_true(otlp_attribute_find(log, OTLP_LOG_ATTRIBUTES, SLICE_LITERAL("k"), &any));
  assert_text(any.bytes, "1");
  any.i64 = 77;
  assert_false(otlp_attribute_find(log, OTLP_LOG_ATTRIBUTES, SLICE_LITERAL("absent"), &any));
  assert_int_equal(any.i64, 77); // untouched
  assert_false(otlp_attribute_find(slice_make(NULL, 0), OTLP_LOG_ATTRIBUTES, SLICE_LITERAL("k"), &any));
}

static void resources_have_strings(void **state) {
  (void)state;
  struct slice resource =
      JOIN(attribute(1, "service.name", "cart"), FIELD(1, text(1, "port"), FIELD(2, number(3, 80))));
  assert_text(otlp_resource_string(resource, "service.name"), "cart");
  assert_int_equal(otlp_resource_string(resource, "port").len, 0);
  assert_int_equal(otlp_resource_string(resource, "service").len, 0);
  assert_int_equal(otlp_resource_string(slice_make(NULL, 0), "service.name").len, 0);
}

static void events_and_links_are_walked(void **state) {
  (void)state;
  struct slice span =
      JOIN(FIELD(11, fixed64(1, 5), text(2, "one"), attribute(3, "k", "v")),
           FIELD(13, bytes(1, TRACE_ID), bytes(2, SPAN_ID), text(3, "a=b"), fixed32(6, 0x101), number(99, 1)),
           EMPTY_FIELD(11), EMPTY_FIELD(13));
  struct otlp_field_iter events = otlp_fields(span, OTLP_SPAN_EVENTS), links = otlp_fields(span, OTLP_SPAN_LINKS);
  struct otlp_span_event event;
  struct otlp_span_link link;
  struct otlp_any any;
  assert_true(otlp_span_event_next(&events, &event));
  assert_int_equal(event.time_ns, 5);
  assert_text(event.name, "one");
  assert_true(otlp_attribute_find(event.bytes, OTLP_EVENT_ATTRIBUTES, SLICE_LITERAL("k"), &any));
  assert_true(otlp_span_event_next(&events, &event));
  assert_true(event.time_ns == 0 && event.name.len == 0);
  assert_false(otlp_span_event_next(&events, &event));
  assert_true(otlp_span_link_next(&links, &link));
  assert_true(slice_equal(link.trace_id, TRACE_ID) && slice_equal(link.span_id, SPAN_ID));
  assert_text(link.trace_state, "a=b");
  assert_int_equal(link.flags, 0x101);
  assert_true(otlp_span_link_next(&links, &link));
  assert_true(link.trace_id.len == 0 && link.flags == 0);
  assert_false(otlp_span_link_next(&links, &link));
}

// Views are for valid messages, but no bytes make them fail worse than ending early.
static void malformed_bytes_end_the_walk(void **state) {
  (void)state;
  struct slice whole =
      JOIN(attribute(9, "k", "v"), FIELD(11, fixed64(1, 5), text(2, "e")), FIELD(13, text(3, "s"), fixed32(6, 1)));
  for (size_t cut = 0; cut <= whole.len; cut++) {
    for (size_t at = 0; at < cut; at++) {
      struct buffer bytes;
      buffer_init(&bytes, 1000);
      assert_int_equal(buffer_append(&bytes, whole.ptr, cut), STATUS_OK);
      bytes.ptr[at] ^= 0x8f;
      struct slice message = buffer_slice(&bytes);
      struct otlp_field_iter attributes = otlp_fields(message, 9), events = otlp_fields(message, 11),
                             links = otlp_fields(message, 13);
      struct otlp_attribute pair;
      struct otlp_span_event event;
      struct otlp_span_link link;
      size_t steps = 0;
      while (otlp_attribute_next(&attributes, &pair)) steps++;
      while (otlp_span_event_next(&events, &event)) steps++;
      while (otlp_span_link_next(&links, &link)) steps++;
      assert_true(steps <= cut);
      buffer_finish(&bytes);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(values_of_every_kind, setup),
      cmocka_unit_test_setup(lists_are_walked, setup),
      cmocka_unit_test_setup(the_first_attribute_of_a_key_is_found, setup),
      cmocka_unit_test_setup(resources_have_strings, setup),
      cmocka_unit_test_setup(events_and_links_are_walked, setup),
      cmocka_unit_test_setup(malformed_bytes_end_the_walk, setup),
  };
  return cmocka_run_group_tests_name("otlp_view", tests, NULL, finish);
}
