// SPDX-License-Identifier: Apache-2.0
//
// Any text as tracestate and as traceparent. A rewritten tracestate says what was set, keeps rv, and rewriting it again
// changes nothing (but for white space, which must not be inside members and is trimmed around them).
#include "proto/trace_context.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has_white_space(struct slice text) {
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] == ' ' || (text.ptr[i] >= '\t' && text.ptr[i] <= '\r')) return true;
  }
  return false;
}

static void check_rewrite(struct slice text, bool has_threshold, uint64_t threshold) {
  struct trace_context_sampling before, after;
  struct buffer once, twice;
  buffer_init(&once, text.len + 64);
  buffer_init(&twice, text.len + 64);
  trace_context_sampling_parse(text, &before);
  enum status status = trace_context_set_threshold(text, has_threshold, threshold, &once);
  ASSERT(status == STATUS_OK || (status == STATUS_INVALID && once.len == 0));
  if (status == STATUS_OK) {
    trace_context_sampling_parse(buffer_slice(&once), &after);
    ASSERT(after.has_threshold == has_threshold && (!has_threshold || after.threshold == threshold));
    ASSERT(after.has_randomness == before.has_randomness && after.randomness == before.randomness);
    ASSERT(trace_context_set_threshold(buffer_slice(&once), has_threshold, threshold, &twice) == STATUS_OK);
    ASSERT(has_white_space(text) || slice_equal(buffer_slice(&once), buffer_slice(&twice)));
  }
  buffer_finish(&once);
  buffer_finish(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice text = slice_make(data, size);
  uint8_t trace_id[16], span_id[8], flags;
  if (trace_context_parse_traceparent(text, trace_id, span_id, &flags)) {
    char digits[33];
    slice_to_hex(slice_make(trace_id, 16), digits);
    ASSERT(memcmp(digits, data + 3, 32) == 0);
  }
  check_rewrite(text, false, 0);
  check_rewrite(text, true, 0);
  check_rewrite(text, true, (size * UINT64_C(0x9e3779b97f4a7c15)) >> 8);
  return 0;
}
