// SPDX-License-Identifier: Apache-2.0
//
// W3C Trace Context texts and OpenTelemetry's consistent probability sampling in tracestate ("ot" member, sub-keys th
// and rv; OpenTelemetry "TraceState: Probability Sampling"). Pure; any thread.
#ifndef PROTO_TRACE_CONTEXT_H
#define PROTO_TRACE_CONTEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

#define TRACE_CONTEXT_THRESHOLD_MAX (UINT64_C(1) << 56) // 2^56: keeps nothing

// What a tracestate says of sampling. Malformed th or rv count as absent.
struct trace_context_sampling {
  bool has_threshold, has_randomness;
  uint64_t threshold;  // T, 0 … 2^56-1: rejection threshold; p = (2^56 - T) / 2^56
  uint64_t randomness; // R, 0 … 2^56-1
};
void trace_context_sampling_parse(struct slice trace_state, struct trace_context_sampling *out_sampling);

// R of a trace: the explicit rv, else the last 56 bits of the trace id (16 bytes).
uint64_t trace_context_randomness(const struct trace_context_sampling *sampling, const uint8_t *trace_id);
// T for a probability in [0, 1]: 0 for 1.0, TRACE_CONTEXT_THRESHOLD_MAX for 0 (and for less than 2^-56).
uint64_t trace_context_threshold(double probability);
double trace_context_probability(uint64_t threshold);
// The th digits: 1 to 14 hex digits without trailing zeros, "0" for 0, rounded to 5 significant digits is NOT done.
void trace_context_threshold_format(uint64_t threshold, char out[15]);

// Appends trace_state with ot's th set to `threshold` (has_threshold; below TRACE_CONTEXT_THRESHOLD_MAX) or without th;
// rv, unknown sub-keys and other vendors' members are kept (the first 31 of them beside ot: W3C allows 32 in all); the
// ot member moves to the front when it changes (W3C), and goes when nothing is left in it. When the ot value is or
// would be over 256 characters: STATUS_INVALID and nothing appended, the caller keeps the old text. STATUS_TOO_LARGE
// when `out` is full.
enum status trace_context_set_threshold(struct slice trace_state, bool has_threshold, uint64_t threshold,
                                        struct buffer *out);

// traceparent "00-<32 hex>-<16 hex>-<2 hex>", lower-case; of later versions the same fields are read. False, and
// outputs untouched, when malformed or an id is all zero.
bool trace_context_parse_traceparent(struct slice text, uint8_t out_trace_id[16], uint8_t out_span_id[8],
                                     uint8_t *out_flags);

#endif
