// SPDX-License-Identifier: Apache-2.0
//
// What an event taken from OpenTelemetry data says about where it happened, beside the error itself: service, release
// and host from the resource; request, user, tags and contexts from attributes. For processor/exception.c only. Memory:
// views of the payload, and the arena.
#ifndef PROCESSOR_EXCEPTION_CONTEXT_H
#define PROCESSOR_EXCEPTION_CONTEXT_H

#include "base/arena.h"
#include "proto/otlp_scan.h"
#include "proto/sentry_event.h"

// Attributes in the order in which they are looked up: the span event's before its span's, a log's alone.
struct exception_context_attributes {
  struct {
    struct slice message;
    uint32_t field;
  } lists[2];
  uint32_t count;
};

// The first of `keys` (NULL at the end) that has a value that is text or a number, as text; empty when none.
struct slice exception_context_text(const struct exception_context_attributes *attributes, const char *const *keys,
                                    struct arena *arena);
// service, environment, release, server_name, sdk.
void exception_context_read_resource(struct slice resource, struct arena *arena, struct sentry_event *event);
// request, user, tags. Call after exception_context_read_resource.
void exception_context_read_attributes(const struct exception_context_attributes *attributes, struct slice resource,
                                       struct arena *arena, struct sentry_event *event);
// contexts: "trace" with the ids in the event and these two (may be empty), "runtime", "otel" {attributes, resource}.
void exception_context_write(const struct exception_context_attributes *attributes, struct slice resource,
                             struct slice parent_span_id, struct slice description, struct sentry_event *event,
                             struct arena *arena);

#endif
