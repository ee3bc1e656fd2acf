// SPDX-License-Identifier: Apache-2.0
//
// Errors out of OpenTelemetry data: span events named "exception", log records with exception.* attributes, log records
// of severity ERROR or higher without. Each becomes an event in Sentry's schema, its stack-trace text parsed into
// frames by processor/stacktrace. Pure; any thread.
#ifndef PROCESSOR_EXCEPTION_H
#define PROCESSOR_EXCEPTION_H

#include "base/arena.h"
#include "processor/correlation.h"
#include "proto/otlp_scan.h"
#include "proto/sentry_event.h"

enum exception_source { EXCEPTION_SPAN_EVENT = 1, EXCEPTION_LOG = 2, EXCEPTION_LOG_WITHOUT = 3, EXCEPTION_SDK = 4 };

struct exception_found {
  struct sentry_event event;
  enum exception_source source;
  // Same trace, span, type and message: the same exception seen as span event and as log (semantic conventions,
  // "logs/dup"). 0 when there is no trace id: such events are never merged.
  uint64_t duplicate_key;
};
// Calls `found` for every error of the item, in order. event_id is left empty for the caller to derive.
// STATUS_NO_MEMORY when the arena is full (what was reported before stays reported).
enum status exception_extract(enum otlp_signal signal, const struct otlp_item *item,
                              const struct correlation *correlation, struct arena *arena,
                              void (*found)(void *context, const struct exception_found *found), void *context);

#endif
