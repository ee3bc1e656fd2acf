// SPDX-License-Identifier: Apache-2.0
//
// The first byte chooses the signal, the rest is the request. The scan must not accept what protobuf-c refuses, must
// have read what protobuf-c reads, and the splice of what it accepts must keep exactly the items that were chosen.
#include "proto/otlp_splice.h"
#include "tests/unit/proto/otlp_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct choice {
  enum otlp_signal signal;
  uint64_t keep; // item i by bit i % 64
  uint32_t asked;
};

static bool is_kept(const struct choice *choice, uint32_t index) {
  return (choice->keep >> (index % 64)) & 1;
}

static bool is_rewritten(const struct choice *choice, uint32_t index) {
  return choice->signal == OTLP_TRACES && index % 3 == 2;
}

static enum otlp_splice_action choose(void *context, uint32_t index, struct otlp_splice_item *item,
                                      struct slice *out_trace_state) {
  struct choice *choice = context;
  ASSERT(index == choice->asked++);
  if (!is_kept(choice, index)) return OTLP_SPLICE_DROP;
  if (!is_rewritten(choice, index)) return OTLP_SPLICE_KEEP;
  if (index % 2) otlp_splice_trace_state(item);
  *out_trace_state = SLICE_LITERAL("ot=th:8");
  return OTLP_SPLICE_KEEP_TRACE_STATE;
}

static void check_item(const struct choice *choice, const struct otlp_item *old, const struct otlp_item *new) {
  ASSERT(slice_equal(new->resource, old->resource) && slice_equal(new->scope, old->scope));
  if (choice->signal == OTLP_LOGS) {
    ASSERT(slice_equal(new->log.bytes, old->log.bytes));
  } else if (!is_rewritten(choice, old->index)) {
    ASSERT(slice_equal(new->span.bytes, old->span.bytes));
  } else {
    ASSERT(slice_equal(new->span.name, old->span.name) && slice_equal(new->span.trace_id, old->span.trace_id));
    ASSERT(slice_equal_cstr(new->span.trace_state, "ot=th:8"));
  }
}

static void check_splice(enum otlp_signal signal, struct slice payload, uint64_t keep) {
  struct choice choice = {.signal = signal, .keep = keep};
  struct buffer out;
  struct otlp_scan before, after;
  struct otlp_item old, new;
  uint32_t kept = 0, seen = 0;
  buffer_init(&out, 20 * payload.len + 64);
  ASSERT(otlp_splice(signal, payload, choose, &choice, &out, &kept) == STATUS_OK);
  otlp_scan_init(&before, signal, payload, NULL);
  otlp_scan_init(&after, signal, buffer_slice(&out), NULL);
  while (otlp_scan_next(&before, &old, NULL) == STATUS_OK) {
    if (!is_kept(&choice, old.index)) continue;
    ASSERT(otlp_scan_next(&after, &new, NULL) == STATUS_OK);
    check_item(&choice, &old, &new);
    seen++;
  }
  ASSERT(kept == seen);
  ASSERT(otlp_scan_next(&after, &new, NULL) == STATUS_END);
  buffer_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  struct slice payload = slice_make(data + 1, size - 1);
  if (data[0] % 3 == OTLP_METRICS) {
    uint64_t points;
    (void)otlp_scan_metrics(payload, &points, NULL);
    return 0;
  }
  enum otlp_signal signal = data[0] % 3 == OTLP_TRACES ? OTLP_TRACES : OTLP_LOGS;
  uint32_t items = 0;
  if (otlp_oracle_accepts(signal, payload, &items, NULL)) {
    check_splice(signal, payload, UINT64_MAX);
    check_splice(signal, payload, size * UINT64_C(0x9e3779b97f4a7c15));
  }
  return 0;
}
