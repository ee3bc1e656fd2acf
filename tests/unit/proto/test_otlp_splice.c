// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/otlp_splice.h"
#include "tests/unit/proto/otlp_generator.h"
#include "tests/unit/proto/otlp_oracle.h"
#include "tests/unit/proto/wire_text.h"

#define IDS bytes(1, TRACE_ID), bytes(2, SPAN_ID)

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

// Decides by a bit mask of indexes, and checks that it is asked in order.
struct choice {
  uint64_t keep;
  const char *trace_state; // not NULL: with this one
  bool looks;              // at the old one before
  uint32_t asked;
};

static enum otlp_splice_action choose(void *context, uint32_t index, struct otlp_splice_item *item,
                                      struct slice *out_trace_state) {
  struct choice *choice = context;
  assert_int_equal(index, choice->asked++);
  assert_true(item->bytes.len == 0 || item->bytes.ptr != NULL);
  if (index < 64 && !((choice->keep >> index) & 1)) return OTLP_SPLICE_DROP;
  if (!choice->trace_state) return OTLP_SPLICE_KEEP;
  if (choice->looks) otlp_splice_trace_state(item);
  *out_trace_state = slice_from_cstr(choice->trace_state);
  return OTLP_SPLICE_KEEP_TRACE_STATE;
}

static struct slice splice_by(struct choice choice, struct slice payload, uint32_t *out_kept) {
  struct buffer out;
  buffer_init(&out, 1 << 20);
  assert_int_equal(otlp_splice(OTLP_TRACES, payload, choose, &choice, &out, out_kept), STATUS_OK);
  return wire_text_keep(&out);
}

static void assert_same(struct slice ours, struct slice expected) {
  assert_int_equal(ours.len, expected.len);
  assert_memory_equal(ours.ptr, expected.ptr, expected.len);
}

static void kept_spans_stay_in_their_place(void **state) {
  (void)state;
  struct slice a = FIELD(2, IDS, text(5, "a")), b = FIELD(2, IDS, text(5, "b"), text(99, "unknown")),
               c = FIELD(2, IDS, text(5, "c")), d = FIELD(2, IDS, text(5, "d"));
  struct slice resource = FIELD(1, attribute(1, "service.name", "cart")), other = FIELD(1, attribute(1, "k", "v")),
               scope = FIELD(1, text(1, "lib")), schema = text(3, "https://s"), unknown = FIELD(1000, text(1, "old"));
  struct slice payload = JOIN(unknown, FIELD(1, resource, FIELD(2, scope, a, unknown, b, schema), FIELD(2, c), unknown),
                              FIELD(1, FIELD(2, d, scope), other, schema), number(77, 1));
  uint32_t kept;
  assert_same(splice_by((struct choice){.keep = 15}, payload, &kept), payload);
  assert_int_equal(kept, 4);
  assert_same(splice_by((struct choice){.keep = 2}, payload, &kept),
              JOIN(unknown, FIELD(1, resource, FIELD(2, scope, unknown, b, schema), unknown), number(77, 1)));
  assert_int_equal(kept, 1);
  assert_same(splice_by((struct choice){.keep = 4}, payload, NULL),
              JOIN(unknown, FIELD(1, resource, FIELD(2, c), unknown), number(77, 1)));
  assert_same(splice_by((struct choice){.keep = 8}, payload, NULL),
              JOIN(unknown, FIELD(1, FIELD(2, d, scope), other, schema), number(77, 1)));
  assert_same(splice_by((struct choice){.keep = 0}, payload, &kept), SLICE_LITERAL(""));
  assert_int_equal(kept, 0);
}

static void empty_requests_stay_empty(void **state) {
  (void)state;
  uint32_t kept = 7;
  assert_same(splice_by((struct choice){0}, slice_make(NULL, 0), &kept), SLICE_LITERAL(""));
  assert_int_equal(kept, 0);
  assert_same(splice_by((struct choice){0}, FIELD(1, EMPTY_FIELD(2), FIELD(1, attribute(1, "a", "b"))), &kept),
              SLICE_LITERAL(""));
  // An empty span is an item.
  assert_same(splice_by((struct choice){.keep = 1}, FIELD(1, FIELD(2, EMPTY_FIELD(2))), &kept),
              FIELD(1, FIELD(2, EMPTY_FIELD(2))));
  assert_int_equal(kept, 1);
}

static struct slice trace_state_of(struct slice span_bytes) {
  struct otlp_splice_item span = {.bytes = span_bytes};
  return otlp_splice_trace_state(&span);
}

static void trace_state_is_replaced_in_place(void **state) {
  (void)state;
#define REQUEST(...) FIELD(1, FIELD(1, attribute(1, "a", "b")), FIELD(2, FIELD(2, __VA_ARGS__), text(3, "s")))
  // The last one makes the lengths of the span, the scope and the resource need one more digit.
  static const char long_state[] = "a=0123456789012345678901234567890123456789012345678901234567890123456789,"
                                   "b=0123456789012345678901234567890123456789012345678901234567890123456789";
  static const char *const states[] = {"", "x", "ot=th:8,vendor=value", long_state};
  for (size_t k = 0; k < 2 * sizeof states / sizeof states[0]; k++) {
    const size_t i = k / 2;
    struct choice choice = {.keep = 1, .trace_state = states[i], .looks = k % 2};
    struct slice new_state = states[i][0] ? text(3, states[i]) : slice_make(NULL, 0);
    assert_same(splice_by(choice, REQUEST(IDS, text(3, "old"), text(5, "name"), number(99, 5)), NULL),
                REQUEST(IDS, new_state, text(5, "name"), number(99, 5)));
    assert_same(splice_by(choice,
                          REQUEST(IDS, fixed64(7, UINT64_C(0x1a021a021a021a02)), text(3, "old"), text(3, "older")),
                          NULL),
                REQUEST(IDS, fixed64(7, UINT64_C(0x1a021a021a021a02)), new_state));
    assert_same(splice_by(choice, REQUEST(IDS, text(5, "name")), NULL), REQUEST(IDS, text(5, "name"), new_state));
    assert_same(splice_by(choice, REQUEST(text(3, "1"), IDS, text(3, "2")), NULL), REQUEST(new_state, IDS));
    assert_same(splice_by(choice, FIELD(1, FIELD(2, EMPTY_FIELD(2))), NULL),
                states[i][0] ? FIELD(1, FIELD(2, FIELD(2, new_state))) : FIELD(1, FIELD(2, EMPTY_FIELD(2))));
  }
  assert_same(trace_state_of(JOIN(IDS, text(3, "1"), text(3, "2"), text(5, "n"))), SLICE_LITERAL("2"));
  assert_int_equal(trace_state_of(JOIN(IDS)).len, 0);
  assert_int_equal(trace_state_of(slice_make(NULL, 0)).len, 0);
}

static void lengths_in_more_digits_than_needed_are_taken(void **state) {
  (void)state;
  // One resource of one scope of two empty spans, every length in two bytes.
  struct slice payload = SLICE_LITERAL("\x0a\x89\x00\x12\x86\x00\x12\x80\x00\x12\x80\x00");
  assert_same(splice_by((struct choice){.keep = 1}, payload, NULL), SLICE_LITERAL("\x0a\x05\x12\x03\x12\x80\x00"));
}

// What was there stays, and nothing else is there, when the buffer is full: at every possible ceiling.
static void a_full_buffer_is_left_as_it_was(void **state) {
  (void)state;
  struct slice payload = FIELD(1, FIELD(1, attribute(1, "service.name", "cart")),
                               FIELD(2, FIELD(2, IDS, text(5, "a")), FIELD(2, IDS, text(5, "b"))));
  for (size_t max = 4; max < payload.len + 40; max++) {
    struct buffer out;
    struct choice choice = {.keep = 3, .trace_state = "ot=th:8"};
    uint32_t kept = 99;
    buffer_init(&out, max);
    assert_int_equal(buffer_append_cstr(&out, "head"), STATUS_OK);
    enum status status = otlp_splice(OTLP_TRACES, payload, choose, &choice, &out, &kept);
    if (status == STATUS_OK) {
      assert_int_equal(kept, 2);
      assert_true(out.len == 4 + payload.len + 2 * 9);
    } else {
      assert_int_equal(status, STATUS_TOO_LARGE);
      assert_true(max < 4 + payload.len + 2 * 9 + 2);
      assert_int_equal(kept, 99);
      assert_same(buffer_slice(&out), SLICE_LITERAL("head"));
    }
    buffer_finish(&out);
  }
}

static void malformed_input_is_refused(void **state) {
  (void)state;
  static const char *const bad[] = {"\x0a\x05\x12", "\x0a\x02\x12\x05", "\x0a\x04\x12\x02\x12\x05", "\x0b"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    struct buffer out;
    struct choice choice = {.keep = UINT64_MAX};
    buffer_init(&out, 1000);
    assert_int_equal(otlp_splice(OTLP_TRACES, slice_from_cstr(bad[i]), choose, &choice, &out, NULL), STATUS_INVALID);
    assert_int_equal(out.len, 0);
    buffer_finish(&out);
  }
}

// At random, with unknown fields: what is kept has the same bytes, resource and scope as before, in the same order.
struct random_choice {
  struct generator generator;
  uint32_t percent;
  uint32_t kept[4096];
  uint32_t count;
};

static enum otlp_splice_action choose_at_random(void *context, uint32_t index, struct otlp_splice_item *item,
                                                struct slice *out_trace_state) {
  struct random_choice *choice = context;
  (void)item;
  (void)out_trace_state;
  if (generator_below(&choice->generator, 100) >= choice->percent) return OTLP_SPLICE_DROP;
  assert_true(choice->count < 4096);
  choice->kept[choice->count++] = index;
  return OTLP_SPLICE_KEEP;
}

static struct slice item_bytes(enum otlp_signal signal, const struct otlp_item *item) {
  return signal == OTLP_TRACES ? item->span.bytes : item->log.bytes;
}

static void compare_with_original(enum otlp_signal signal, struct slice original, struct slice spliced,
                                  const struct random_choice *choice) {
  struct otlp_scan before, after;
  struct otlp_item old, new;
  uint32_t next = 0;
  otlp_scan_init(&before, signal, original, NULL);
  otlp_scan_init(&after, signal, spliced, NULL);
  while (otlp_scan_next(&before, &old, NULL) == STATUS_OK) {
    if (next == choice->count || old.index != choice->kept[next]) continue;
    assert_int_equal(otlp_scan_next(&after, &new, NULL), STATUS_OK);
    assert_int_equal(new.index, next++);
    assert_same(item_bytes(signal, &new), item_bytes(signal, &old));
    assert_true(slice_equal(new.resource, old.resource) && slice_equal(new.scope, old.scope));
  }
  assert_int_equal(next, choice->count);
  assert_int_equal(otlp_scan_next(&after, &new, NULL), STATUS_END);
}

static void random_subsets_survive_bit_for_bit(void **state) {
  (void)state;
  static const uint32_t percents[] = {0, 1, 10, 50, 90, 100};
  struct buffer payload, out;
  struct random_choice *choice = malloc(sizeof *choice);
  assert_non_null(choice);
  buffer_init(&payload, 1 << 24);
  buffer_init(&out, 1 << 24);
  for (uint64_t seed = 0; seed < 1500; seed++) {
    enum otlp_signal signal = seed % 4 < 2 ? OTLP_TRACES : OTLP_LOGS;
    struct generator generator = {.state = seed * 31, .unknown_fields = true};
    uint32_t kept = 0;
    *choice = (struct random_choice){.generator = {.state = seed}, .percent = percents[seed % 6]};
    buffer_clear(&payload);
    buffer_clear(&out);
    generate_request(&generator, signal, &payload);
    assert_int_equal(otlp_splice(signal, buffer_slice(&payload), choose_at_random, choice, &out, &kept), STATUS_OK);
    assert_int_equal(kept, choice->count);
    assert_true(otlp_oracle_accepts(signal, buffer_slice(&out), NULL, NULL));
    compare_with_original(signal, buffer_slice(&payload), buffer_slice(&out), choice);
    if (kept == 0) assert_int_equal(out.len, 0);
    if (kept > 0 && choice->percent == 100) assert_true(out.len <= payload.len);
  }
  buffer_finish(&payload);
  buffer_finish(&out);
  free(choice);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup(kept_spans_stay_in_their_place, setup),
      cmocka_unit_test_setup(empty_requests_stay_empty, setup),
      cmocka_unit_test_setup(trace_state_is_replaced_in_place, setup),
      cmocka_unit_test_setup(lengths_in_more_digits_than_needed_are_taken, setup),
      cmocka_unit_test_setup(a_full_buffer_is_left_as_it_was, setup),
      cmocka_unit_test_setup(malformed_input_is_refused, setup),
      cmocka_unit_test_setup(random_subsets_survive_bit_for_bit, setup),
  };
  return cmocka_run_group_tests_name("otlp_splice", tests, NULL, finish);
}
