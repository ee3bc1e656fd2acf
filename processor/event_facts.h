// SPDX-License-Identifier: Apache-2.0
//
// From an event document of a Sentry SDK to the section of its journal record (store/record_facts): the trace it
// belongs to, marked as one with an exception so that sampling keeps it, and its request id. Pure; any thread.
#ifndef PROCESSOR_EVENT_FACTS_H
#define PROCESSOR_EVENT_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/slice.h"
#include "base/status.h"

// Of one event: contexts.trace.trace_id (false when there is none that is usable), and the request id: the tag
// request_id, the header X-Request-Id of its request, or extra.request_id (empty when there is none). The slice is a
// view of the document.
bool event_facts_trace_id(struct json_value event, uint8_t out_trace_id[16]);
struct slice event_facts_request_id(struct json_value event);

// Appends the section of a record with this one event.
enum status event_facts_build(struct json_value event, struct buffer *out_section);

#endif
