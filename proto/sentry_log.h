// SPDX-License-Identifier: Apache-2.0
//
// Sentry's structured logs as OpenTelemetry log records, in protobuf wire form. Pure.
#ifndef PROTO_SENTRY_LOG_H
#define PROTO_SENTRY_LOG_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/slice.h"
#include "base/status.h"

// The name of the scope they are put in. Sentry's SDKs send what is to become an issue as an event beside the log, so
// logs of this scope are none.
#define SENTRY_LOG_SCOPE "sentry.log"

struct sentry_log_source {
  struct slice service; // service.name where the data have none
  int64_t drift_ns;     // all times are moved by it (sentry_document_drift_ns)
  uint64_t received_ns; // written as the observed time
};

// Appends a container {"items":[…]} of logs as one ResourceLogs field of an ExportLogsServiceRequest. *out_logs: how
// many; items that are no objects are left out and counted in *out_faulty. STATUS_INVALID when it is no container,
// STATUS_TOO_LARGE when `out` is full; `out` is as before then.
enum status sentry_log_write(struct json_value container, const struct sentry_log_source *source, struct buffer *out,
                             uint32_t *out_logs, uint32_t *out_faulty);

#endif
