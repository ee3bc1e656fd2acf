// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "store/record_facts.h"

static struct record_trace make_trace(uint32_t i) {
  struct record_trace trace = {
      .start_ns = UINT64_C(0x1122334455667788) + i,
      .end_ns = UINT64_C(0xfedcba9876543210) - i,
      .randomness = UINT64_C(0xffffffffffffff) - i,
      .threshold = UINT64_C(0x80000000000000) + i,
      .span_count = UINT32_MAX - i,
      .matches = UINT32_C(0x80000001) ^ i,
      .flags = RECORD_TRACE_ERROR | RECORD_TRACE_KEPT,
      .policy = 3,
      .policy_index = (uint8_t)(31 - i),
      .late = 1,
      .probability_ppm = 1000000 - i,
  };
  memset(trace.trace_id, (int)(i + 1), sizeof(trace.trace_id));
  return trace;
}

static void encode(struct buffer *out) {
  struct record_trace traces[3];
  for (uint32_t i = 0; i < 3; i++) traces[i] = make_trace(i);
  struct record_item items[4] = {{0, 0}, {2, RECORD_ITEM_WARN}, {RECORD_NO_TRACE, RECORD_ITEM_ERROR}, {1, 0xff}};
  char longest[RECORD_REQUEST_ID_BYTES_MAX];
  memset(longest, 'x', sizeof(longest));
  struct record_request requests[3] = {
      {.key = 7, .trace = 2, .item = 0, .id = SLICE_LITERAL("req-1")},
      {.key = UINT64_MAX, .trace = RECORD_NO_TRACE, .item = 3, .id = slice_make(longest, sizeof(longest))},
      {.key = 9, .trace = 0, .item = 0, .id = {0}},
  };
  assert_int_equal(record_facts_encode(0xabcdef, traces, 3, items, 4, requests, 3, out), STATUS_OK);
}

static void comes_back_as_it_was(void **state) {
  (void)state;
  struct buffer out;
  buffer_init(&out, 4096);
  encode(&out);
  struct record_facts facts;
  assert_int_equal(record_facts_decode(buffer_slice(&out), &facts), STATUS_OK);
  assert_int_equal(facts.fingerprint, 0xabcdef);
  assert_int_equal(facts.trace_count, 3);
  assert_int_equal(facts.item_count, 4);
  assert_int_equal(facts.request_count, 3);
  assert_true(facts.has_errors);
  for (uint32_t i = 0; i < 3; i++) {
    struct record_trace got, want = make_trace(i);
    record_facts_trace(&facts, i, &got);
    assert_memory_equal(got.trace_id, want.trace_id, 16);
    assert_int_equal(got.start_ns, want.start_ns);
    assert_int_equal(got.end_ns, want.end_ns);
    assert_int_equal(got.randomness, want.randomness);
    assert_int_equal(got.threshold, want.threshold);
    assert_int_equal(got.span_count, want.span_count);
    assert_int_equal(got.matches, want.matches);
    assert_int_equal(got.flags, want.flags);
    assert_int_equal(got.policy, want.policy);
    assert_int_equal(got.policy_index, want.policy_index);
    assert_int_equal(got.late, want.late);
    assert_int_equal(got.probability_ppm, want.probability_ppm);
  }
  assert_int_equal(record_facts_item(&facts, 1).trace, 2);
  assert_int_equal(record_facts_item(&facts, 1).flags, RECORD_ITEM_WARN);
  assert_int_equal(record_facts_item(&facts, 2).trace, RECORD_NO_TRACE);
  assert_int_equal(record_facts_item(&facts, 3).flags, 0xff);
  const uint8_t *cursor = facts.requests;
  struct record_request request;
  assert_true(record_facts_next_request(&facts, &cursor, &request));
  assert_int_equal(request.key, 7);
  assert_int_equal(request.trace, 2);
  assert_true(slice_equal_cstr(request.id, "req-1"));
  assert_true(record_facts_next_request(&facts, &cursor, &request));
  assert_true(request.key == UINT64_MAX);
  assert_int_equal(request.trace, RECORD_NO_TRACE);
  assert_int_equal(request.item, 3);
  assert_int_equal(request.id.len, RECORD_REQUEST_ID_BYTES_MAX);
  assert_true(record_facts_next_request(&facts, &cursor, &request));
  assert_int_equal(request.id.len, 0);
  assert_false(record_facts_next_request(&facts, &cursor, &request));
  buffer_finish(&out);
}

static void nothing_is_a_section_too(void **state) {
  (void)state;
  struct buffer out;
  buffer_init(&out, 64);
  assert_int_equal(record_facts_encode(1, NULL, 0, NULL, 0, NULL, 0, &out), STATUS_OK);
  assert_int_equal(out.len, 24);
  struct record_facts facts;
  assert_int_equal(record_facts_decode(buffer_slice(&out), &facts), STATUS_OK);
  assert_false(facts.has_errors);
  const uint8_t *cursor = facts.requests;
  struct record_request request;
  assert_false(record_facts_next_request(&facts, &cursor, &request));
  assert_int_equal(record_facts_decode((struct slice){0}, &facts), STATUS_CORRUPT);
  buffer_finish(&out);
}

static void every_cut_is_noticed(void **state) {
  (void)state;
  struct buffer out;
  buffer_init(&out, 4096);
  encode(&out);
  struct record_facts facts;
  for (size_t len = 0; len < out.len; len++) {
    uint8_t *exact = malloc(len ? len : 1); // so that a read beyond is seen
    memcpy(exact, out.ptr, len);
    assert_int_equal(record_facts_decode(slice_make(exact, len), &facts), STATUS_CORRUPT);
    free(exact);
  }
  assert_int_equal(buffer_append_byte(&out, 0), STATUS_OK);
  assert_int_equal(record_facts_decode(buffer_slice(&out), &facts), STATUS_CORRUPT);
  buffer_finish(&out);
}

static void wrong_indexes_are_noticed(void **state) {
  (void)state;
  struct buffer out;
  buffer_init(&out, 4096);
  encode(&out);
  struct record_facts facts;
  const size_t items = 24 + 3 * 64, requests = items + 4 * 4;
  struct {
    size_t at;
    uint8_t value;
  } cases[] = {
      {20, 2}, {21, 2}, {22, 1}, {items, 3}, {requests + 8, 3}, {requests + 17 + 5 + 12, 4}, {requests + 16, 201}};
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    uint8_t before = out.ptr[cases[i].at];
    out.ptr[cases[i].at] = cases[i].value;
    assert_int_equal(record_facts_decode(buffer_slice(&out), &facts), STATUS_CORRUPT);
    out.ptr[cases[i].at] = before;
    assert_int_equal(record_facts_decode(buffer_slice(&out), &facts), STATUS_OK);
  }
  buffer_finish(&out);
}

static void a_full_buffer_stays_as_it_was(void **state) {
  (void)state;
  struct buffer out;
  buffer_init(&out, 60);
  struct record_trace trace = make_trace(0);
  assert_int_equal(buffer_append_byte(&out, 42), STATUS_OK);
  assert_int_equal(record_facts_encode(1, &trace, 1, NULL, 0, NULL, 0, &out), STATUS_TOO_LARGE);
  assert_int_equal(out.len, 1);
  buffer_finish(&out);
}

static void more_stands_behind_the_facts(void **state) {
  (void)state;
  struct buffer out;
  buffer_init(&out, 4096);
  encode(&out);
  struct record_facts facts;
  assert_int_equal(record_facts_decode(buffer_slice(&out), &facts), STATUS_OK);
  assert_int_equal(facts.more.len, 0);
  record_facts_announce_more(out.ptr);
  assert_int_equal(buffer_append_cstr(&out, "more"), STATUS_OK);
  assert_int_equal(record_facts_decode(buffer_slice(&out), &facts), STATUS_OK);
  assert_true(slice_equal_cstr(facts.more, "more"));
  const uint8_t *cursor = facts.requests;
  struct record_request request;
  uint32_t requests = 0;
  while (record_facts_next_request(&facts, &cursor, &request)) requests++; // and ends before it
  assert_int_equal(requests, facts.request_count);
  buffer_finish(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(comes_back_as_it_was),         cmocka_unit_test(nothing_is_a_section_too),
      cmocka_unit_test(every_cut_is_noticed),         cmocka_unit_test(wrong_indexes_are_noticed),
      cmocka_unit_test(more_stands_behind_the_facts), cmocka_unit_test(a_full_buffer_stays_as_it_was),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
