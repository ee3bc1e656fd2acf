// SPDX-License-Identifier: Apache-2.0
//
// Writes a valid OTLP request from the kept items of another one, in the bytes they came in: unknown fields, order and
// encodings survive. Resources and scopes without a kept item are left out; their own fields, known or not, are copied.
// The input must have passed otlp_scan. Pure; any thread.
#ifndef PROTO_OTLP_SPLICE_H
#define PROTO_OTLP_SPLICE_H

#include "base/buffer.h"
#include "proto/otlp_scan.h"

enum otlp_splice_action {
  OTLP_SPLICE_DROP,
  OTLP_SPLICE_KEEP,
  OTLP_SPLICE_KEEP_TRACE_STATE, // spans only: trace_state (field 3) is replaced; empty removes it
};

// The Span or LogRecord message, unparsed: the splice does not look inside items except to replace trace_state.
struct otlp_splice_item {
  struct slice bytes;
  const uint8_t *trace_state_at; // the first trace_state, or the end; NULL while nobody has asked for it
};

// Asked once per item in wire order; index is otlp_item.index.
typedef enum otlp_splice_action (*otlp_splice_fn)(void *context, uint32_t index, struct otlp_splice_item *item,
                                                  struct slice *out_trace_state);

// Appends to `out`. *out_kept (may be NULL) is the number of items written; with 0 nothing is appended.
// STATUS_TOO_LARGE when `out` is full (then `out` holds what it held before).
enum status otlp_splice(enum otlp_signal signal, struct slice payload, otlp_splice_fn decide, void *context,
                        struct buffer *out, uint32_t *out_kept);

// The trace_state (field 3) of a span, empty when absent. For deciders.
struct slice otlp_splice_trace_state(struct otlp_splice_item *span);

#endif
