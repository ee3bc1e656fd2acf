// SPDX-License-Identifier: Apache-2.0
//
// `culprit demo`: realistic traffic for a running instance, so that its first page is never empty. Everything goes over
// OTLP/HTTP JSON, as an application would send it.
#ifndef COLLECTOR_DEMO_H
#define COLLECTOR_DEMO_H

#include <stdint.h>

#include "base/buffer.h"

// argv[0] is "culprit demo". Returns the program's exit code.
int demo_main(int argc, char **argv);

// One request through the demo shop, made up from `seed`: five services, 5 to 40 spans, logs, one request id, now and
// then an exception; among the first 60 (`number` from 0) each kind of exception once, in turn. Appends an
// ExportTraceServiceRequest and an ExportLogsServiceRequest as OTLP/JSON. Times end at now_ns.
struct demo_counts {
  uint32_t spans, logs, exceptions;
};
struct demo_counts demo_request(uint64_t seed, uint64_t number, uint64_t now_ns, struct buffer *out_traces,
                                struct buffer *out_logs);

#endif
