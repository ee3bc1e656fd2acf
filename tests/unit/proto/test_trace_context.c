// SPDX-License-Identifier: Apache-2.0
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/trace_context.h"

static struct trace_context_sampling parse(const char *trace_state) {
  struct trace_context_sampling sampling;
  trace_context_sampling_parse(slice_from_cstr(trace_state), &sampling);
  return sampling;
}

static void thresholds_have_their_probability(void **state) {
  (void)state;
  static const struct {
    const char *digits;
    uint64_t threshold;
    double probability;
  } vectors[] = {{"0", 0, 1.0},
                 {"8", UINT64_C(0x80000000000000), 0.5},
                 {"c", UINT64_C(0xc0000000000000), 0.25},
                 {"e", UINT64_C(0xe0000000000000), 0.125},
                 {"fd70a4", UINT64_C(0xfd70a400000000), 0.01},
                 {"ffffffffffffff", UINT64_C(0xffffffffffffff), 0x1p-56}};
  for (size_t i = 0; i < sizeof vectors / sizeof vectors[0]; i++) {
    char trace_state[40], digits[15];
    (void)snprintf(trace_state, sizeof trace_state, "ot=th:%s", vectors[i].digits);
    struct trace_context_sampling sampling = parse(trace_state);
    assert_true(sampling.has_threshold);
    assert_false(sampling.has_randomness);
    assert_int_equal(sampling.threshold, vectors[i].threshold);
    assert_true(fabs(trace_context_probability(sampling.threshold) - vectors[i].probability) < 1e-8);
    trace_context_threshold_format(sampling.threshold, digits);
    assert_string_equal(digits, vectors[i].digits);
  }
}

static void probabilities_have_their_threshold(void **state) {
  (void)state;
  char digits[15];
  assert_int_equal(trace_context_threshold(1.0), 0);
  assert_int_equal(trace_context_threshold(7.0), 0);
  assert_int_equal(trace_context_threshold(0.5), UINT64_C(1) << 55);
  assert_int_equal(trace_context_threshold(0.25), UINT64_C(3) << 54);
  assert_int_equal(trace_context_threshold(0x1p-56), TRACE_CONTEXT_THRESHOLD_MAX - 1);
  assert_int_equal(trace_context_threshold(0x1p-57), TRACE_CONTEXT_THRESHOLD_MAX);
  assert_int_equal(trace_context_threshold(0.0), TRACE_CONTEXT_THRESHOLD_MAX);
  assert_int_equal(trace_context_threshold(-1.0), TRACE_CONTEXT_THRESHOLD_MAX);
  assert_int_equal(trace_context_threshold((double)NAN), TRACE_CONTEXT_THRESHOLD_MAX);
  assert_true(trace_context_probability(TRACE_CONTEXT_THRESHOLD_MAX) == 0.0);
  trace_context_threshold_format(trace_context_threshold(0.01), digits);
  assert_memory_equal(digits, "fd70a3d70a3d7", 13); // the exact one of fd70a4
  for (double probability = 1.0; probability > 1e-6; probability *= 0.83) {
    double back = trace_context_probability(trace_context_threshold(probability));
    assert_true(fabs(back - probability) < 1e-15);
  }
}

static void malformed_members_count_as_absent(void **state) {
  (void)state;
  static const char *const no_threshold[] = {"",
                                             "ot=",
                                             "ot=th",
                                             "ot=th:",
                                             "ot=th:xyz",
                                             "ot=th:8Z",
                                             "ot=th:C",
                                             "ot=th: 8",
                                             "ot=th:123456789012345",
                                             "ot=TH:8",
                                             "other=th:8",
                                             "xot=th:8",
                                             "ot=rv:8",
                                             "ot th:8",
                                             "ot=xth:8",
                                             "ot=th:zz;th:8",
                                             "ot=a:th:8"};
  for (size_t i = 0; i < sizeof no_threshold / sizeof no_threshold[0]; i++) {
    if (parse(no_threshold[i]).has_threshold) fail_msg("\"%s\" has a threshold", no_threshold[i]);
  }
  static const char *const no_randomness[] = {"ot=rv:", "ot=rv:6e6d1a75832a2", "ot=rv:6e6d1a75832a2f0",
                                              "ot=rv:6E6D1A75832A2F", "ot=rv:6e6d1a75832a2g"};
  for (size_t i = 0; i < sizeof no_randomness / sizeof no_randomness[0]; i++) {
    if (parse(no_randomness[i]).has_randomness) fail_msg("\"%s\" has a randomness", no_randomness[i]);
  }
  // One malformed sub-key does not take the other with it, and vendors around do not matter.
  struct trace_context_sampling sampling = parse(" congo=t61rcWkgMzE , ot=zz:1;rv:6e6d1a75832a2f;th:q , rojo=1");
  assert_false(sampling.has_threshold);
  assert_true(sampling.has_randomness);
  assert_int_equal(sampling.randomness, UINT64_C(0x6e6d1a75832a2f));
  // Of two ot members the first counts.
  assert_int_equal(parse("ot=th:8,ot=th:c").threshold, UINT64_C(1) << 55);
}

static void randomness_is_rv_or_the_end_of_the_trace_id(void **state) {
  (void)state;
  const uint8_t trace_id[16] = {1, 2, 3, 4, 5, 6, 7, 8, 0xaa, 0x6e, 0x6d, 0x1a, 0x75, 0x83, 0x2a, 0x2f};
  struct trace_context_sampling sampling = parse("ot=th:8");
  assert_int_equal(trace_context_randomness(&sampling, trace_id), UINT64_C(0x6e6d1a75832a2f));
  sampling = parse("ot=rv:00000000000001");
  assert_int_equal(trace_context_randomness(&sampling, trace_id), 1);
}

static void assert_rewrite(const char *trace_state, const char *threshold, const char *expected) {
  struct buffer out;
  struct trace_context_sampling sampling = {0};
  char ot[40];
  if (threshold) {
    (void)snprintf(ot, sizeof ot, "ot=th:%s", threshold);
    sampling = parse(ot);
    assert_true(sampling.has_threshold);
  }
  buffer_init(&out, 1 << 16);
  assert_int_equal(buffer_append_cstr(&out, ">"), STATUS_OK); // it appends
  assert_int_equal(
      trace_context_set_threshold(slice_from_cstr(trace_state), threshold != NULL, sampling.threshold, &out),
      STATUS_OK);
  if (!slice_equal_cstr(slice_skip(buffer_slice(&out), 1), expected)) {
    fail_msg("\"%s\" became \"%.*s\", not \"%s\"", trace_state, SLICE_PRINTF(buffer_slice(&out)), expected);
  }
  buffer_finish(&out);
}

static void thresholds_are_set(void **state) {
  (void)state;
  assert_rewrite("", "8", "ot=th:8");
  assert_rewrite("", "0", "ot=th:0");
  assert_rewrite("ot=th:8", "fd70a4", "ot=th:fd70a4");
  assert_rewrite("ot=th:bad!", "8", "ot=th:8");
  assert_rewrite("ot=th;a:b", "8", "ot=th:8;a:b");
  assert_rewrite("ot=rv:6e6d1a75832a2f", "8", "ot=th:8;rv:6e6d1a75832a2f");
  assert_rewrite("ot=rv:6e6d1a75832a2f;th:4;x:y", "8", "ot=rv:6e6d1a75832a2f;th:8;x:y");
  assert_rewrite("ot=th:4;a:b;th:2", "8", "ot=th:8;a:b");
  assert_rewrite("ot=;;a:b;", "8", "ot=th:8;a:b");
  // Other vendors stay, in their order, and what changed goes to the front.
  assert_rewrite("congo=1 , ot=th:4;p:q , rojo=2", "8", "ot=th:8;p:q,congo=1,rojo=2");
  assert_rewrite("congo=1,rojo=2", "c", "ot=th:c,congo=1,rojo=2");
  assert_rewrite("congo=1,,ot=th:4,ot=th:2", "8", "ot=th:8,congo=1");
  // What does not change stays as it was written.
  assert_rewrite("congo=1 ,ot=th:8;rv:6e6d1a75832a2f", "8", "congo=1 ,ot=th:8;rv:6e6d1a75832a2f");
}

static void thresholds_are_erased(void **state) {
  (void)state;
  assert_rewrite("", NULL, "");
  assert_rewrite("ot=th:8", NULL, "");
  assert_rewrite("congo=1,ot=th:8,rojo=2", NULL, "congo=1,rojo=2");
  assert_rewrite("congo=1,ot=th:8;rv:6e6d1a75832a2f", NULL, "ot=rv:6e6d1a75832a2f,congo=1");
  assert_rewrite("congo=1, rojo=2", NULL, "congo=1, rojo=2"); // nothing to erase
  assert_rewrite("ot=rv:bad;x:1", NULL, "ot=rv:bad;x:1");
}

static void ot_is_at_most_256_characters(void **state) {
  (void)state;
  char trace_state[400];
  struct buffer out;
  buffer_init(&out, 1000);
  for (int len = 240; len < 265; len++) {
    // "ot=" and a value of len characters; th:8; makes it 5 longer.
    (void)snprintf(trace_state, sizeof trace_state, "ot=x:%0*d", len - 2, 7);
    buffer_clear(&out);
    enum status status = trace_context_set_threshold(slice_from_cstr(trace_state), true, UINT64_C(1) << 55, &out);
    assert_int_equal(status, len + 5 <= 256 ? STATUS_OK : STATUS_INVALID);
    assert_int_equal(out.len, len + 5 <= 256 ? len + 8 : 0);
    status = trace_context_set_threshold(slice_from_cstr(trace_state), false, 0, &out);
    assert_int_equal(status, len <= 256 ? STATUS_OK : STATUS_INVALID);
    (void)snprintf(trace_state, sizeof trace_state, "ot=th:8;x:%0*d", len - 7, 7);
    assert_int_equal(parse(trace_state).has_threshold, len <= 256);
  }
  buffer_finish(&out);
}

static void there_are_at_most_32_members(void **state) {
  (void)state;
  struct buffer before, after;
  buffer_init(&before, 1000);
  buffer_init(&after, 1000);
  for (int i = 0; i < 32; i++) assert_int_equal(buffer_printf(&before, "%sv%d=%d", i ? "," : "", i, i), STATUS_OK);
  assert_int_equal(trace_context_set_threshold(buffer_slice(&before), true, 0, &after), STATUS_OK);
  assert_true(slice_starts_with(buffer_slice(&after), SLICE_LITERAL("ot=th:0,v0=0,")));
  assert_true(slice_ends_with(buffer_slice(&after), SLICE_LITERAL(",v30=30"))); // the oldest went
  buffer_finish(&before);
  buffer_finish(&after);
}

static void a_full_buffer_is_left_as_it_was(void **state) {
  (void)state;
  struct buffer out;
  buffer_init(&out, 20);
  assert_int_equal(buffer_append_cstr(&out, "head"), STATUS_OK);
  assert_int_equal(trace_context_set_threshold(SLICE_LITERAL("congo=123456789"), true, 0, &out), STATUS_TOO_LARGE);
  assert_int_equal(out.len, 4);
  buffer_finish(&out);
}

static bool parse_traceparent(const char *text) {
  uint8_t trace_id[16], span_id[8], flags;
  return trace_context_parse_traceparent(slice_from_cstr(text), trace_id, span_id, &flags);
}

static void traceparents_are_read(void **state) {
  (void)state;
  uint8_t trace_id[16] = {0}, span_id[8] = {0}, flags = 0;
  static const uint8_t expected_trace[16] = {0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd,
                                             0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c};
  static const uint8_t expected_span[8] = {0xb7, 0xad, 0x6b, 0x71, 0x69, 0x20, 0x33, 0x31};
  struct slice text = SLICE_LITERAL("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
  assert_true(trace_context_parse_traceparent(text, trace_id, span_id, &flags));
  assert_memory_equal(trace_id, expected_trace, 16);
  assert_memory_equal(span_id, expected_span, 8);
  assert_int_equal(flags, 1);
  assert_true(parse_traceparent("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"));
  assert_true(parse_traceparent("cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-what-the-future-brings"));
  static const char *const bad[] = {"",
                                    "00",
                                    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0",
                                    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-x",
                                    "cc-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01x",
                                    "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                    "00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01",
                                    "00-00000000000000000000000000000000-b7ad6b7169203331-01",
                                    "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
                                    "00_0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
                                    "00-0af7651916cd43dd8448eb211c80319c_b7ad6b7169203331-01",
                                    "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331_01",
                                    "00-0af7651916cd43dd8448eb211c80319g-b7ad6b7169203331-01",
                                    "0x-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    if (parse_traceparent(bad[i])) fail_msg("\"%s\" is taken", bad[i]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(thresholds_have_their_probability),
      cmocka_unit_test(probabilities_have_their_threshold),
      cmocka_unit_test(malformed_members_count_as_absent),
      cmocka_unit_test(randomness_is_rv_or_the_end_of_the_trace_id),
      cmocka_unit_test(thresholds_are_set),
      cmocka_unit_test(thresholds_are_erased),
      cmocka_unit_test(ot_is_at_most_256_characters),
      cmocka_unit_test(there_are_at_most_32_members),
      cmocka_unit_test(a_full_buffer_is_left_as_it_was),
      cmocka_unit_test(traceparents_are_read),
  };
  return cmocka_run_group_tests_name("trace_context", tests, NULL, NULL);
}
