// SPDX-License-Identifier: Apache-2.0
//
// Spans, logs and attribute values of OTLP as the JSON of docs/api.md. The bytes have passed otlp_scan. Pure; any
// thread.
#ifndef UI_API_API_OTLP_H
#define UI_API_API_OTLP_H

#include "base/json.h"
#include "proto/otlp_scan.h"

// Strings, numbers (64-bit integers beyond 2^53 as strings), booleans, arrays, objects, bytes as {"bytes":"base64"}.
void api_otlp_write_value(struct json_writer *json, const struct otlp_any *value);
void api_otlp_write_span(struct json_writer *json, const struct otlp_item *item);
// An object without its request_id: which of its values that is, is known only when the whole request is.
void api_otlp_write_log(struct json_writer *json, const struct otlp_item *item);
// Name of an InstrumentationScope message.
struct slice api_otlp_scope_name(struct slice scope);
// When a log happened: its time, or when it was observed.
uint64_t api_otlp_log_time(const struct otlp_log *log);

#endif
