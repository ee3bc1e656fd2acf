// SPDX-License-Identifier: Apache-2.0
//
// A realistic ExportTraceServiceRequest for the benchmarks, built once and then patched in place: every request that is
// sent has trace ids, span ids and times of its own.
#ifndef TESTS_BENCH_PAYLOAD_H
#define TESTS_BENCH_PAYLOAD_H

#include <stdint.h>

#include "base/buffer.h"

struct payload_options {
  uint32_t spans;           // in a request
  uint32_t spans_per_trace; // consecutive spans share a trace id
  bool json;                // OTLP/JSON instead of protobuf
};

struct payload {
  struct payload_options options;
  struct buffer template;                                                // bytes of one request
  uint32_t *trace_id_at, *span_id_at, *parent_id_at, *start_at, *end_at; // offsets per span
};

void payload_create(struct payload *payload, const struct payload_options *options);
void payload_destroy(struct payload *payload);
// Writes a new request into `out` (at least payload->template.len bytes). `number` makes its ids unlike any other's.
void payload_write(const struct payload *payload, uint64_t number, uint8_t *out);

#endif
