// SPDX-License-Identifier: Apache-2.0
//
// Sentry's transactions and spans as OpenTelemetry spans, in protobuf wire form: each function appends one
// ResourceSpans field of an ExportTraceServiceRequest, so that several calls make one request. Pure.
#ifndef PROTO_SENTRY_TRACE_H
#define PROTO_SENTRY_TRACE_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/slice.h"
#include "base/status.h"

struct sentry_trace_source {
  struct slice service; // service.name where the data have none
  int64_t drift_ns;     // all times are moved by it (sentry_document_drift_ns)
};
struct sentry_trace_counts {
  uint32_t spans;  // written
  uint32_t faulty; // without usable ids or times: left out
};

// A transaction event: its root span out of contexts.trace, its children out of spans. STATUS_INVALID when the root has
// no usable ids or times, STATUS_TOO_LARGE when `out` is full; `out` is as before then.
enum status sentry_trace_write_transaction(struct json_value event, const struct sentry_trace_source *source,
                                           struct buffer *out, struct sentry_trace_counts *out_counts,
                                           struct error *error);
// A container {"items":[…]} of spans, version 2. STATUS_INVALID when it is none, STATUS_TOO_LARGE as above.
enum status sentry_trace_write_spans(struct json_value container, const struct sentry_trace_source *source,
                                     struct buffer *out, struct sentry_trace_counts *out_counts, struct error *error);

#endif
