// SPDX-License-Identifier: Apache-2.0
//
// How it works: LogRecord: time 1, severity_number 2, severity_text 3, body 5, attributes 6, trace_id 9, span_id 10,
// observed time 11. The attributes that say who sent it are taken from the first item and become the resource; the
// container comes from one process. Message templates and their parameters stay attributes.
#include "proto/sentry_log.h"

#include "proto/sentry_attribute.h"
#include "proto/sentry_document.h"
#include "proto/sentry_event_reader.h"
#include "proto/sentry_service.h"
#include "proto/wire.h"

enum { LOG_RECORDS = 2, SCOPE_LOGS = 2, ATTRIBUTES = 6, TRACE_BYTES = 16, SPAN_BYTES = 8 };
#define PARENT_SPAN "sentry.trace.parent_span_id"

static uint64_t severity_of(struct json_value log) {
  static const struct {
    const char *level;
    uint64_t number;
  } levels[] = {{"trace", 1}, {"debug", 5}, {"info", 9}, {"warn", 13}, {"warning", 13}, {"error", 17}, {"fatal", 21}};
  uint64_t number = json_u64(json_get(log, "severity_number"));
  if (number >= 1 && number <= 24) return number;
  struct slice level = json_string(json_get(log, "level"));
  for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
    if (slice_equal_ignore_case(level, slice_from_cstr(levels[i].level))) return levels[i].number;
  }
  return 0;
}

// The plain value of an attribute, with or without its wrapping.
static struct json_value attribute_value(struct json_value attributes, const char *key) {
  struct json_value typed = json_get(attributes, key);
  return json_type_of(typed) == JSON_OBJECT ? json_get(typed, "value") : typed;
}

static void put_body(struct buffer *out, struct slice body) {
  struct wire_open_field open;
  if (!wire_open(out, 5, body.len + 8, &open)) return;
  wire_put_bytes_field(out, 1, body);
  if (!out->failed) wire_close(out, &open);
}

static void put_scope(struct buffer *out) {
  struct wire_open_field open;
  if (!wire_open(out, 1, 16, &open)) return;
  wire_put_bytes_field(out, 1, SLICE_LITERAL(SENTRY_LOG_SCOPE));
  if (!out->failed) wire_close(out, &open);
}

static void write_log(struct json_value log, const struct sentry_log_source *source, struct buffer *out) {
  struct json_value attributes = json_get(log, "attributes");
  uint8_t trace_id[TRACE_BYTES], span_id[SPAN_BYTES];
  uint64_t time_ns;
  struct wire_open_field open;
  if (!wire_open(out, LOG_RECORDS, 256, &open)) return;
  if (sentry_event_reader_time(json_get(log, "timestamp"), &time_ns)) {
    wire_put_fixed64_field(out, 1, sentry_document_moved(time_ns, source->drift_ns));
  }
  uint64_t severity = severity_of(log);
  if (severity > 0) wire_put_varint_field(out, 2, severity);
  struct slice level = json_string(json_get(log, "level"));
  if (level.len > 0) wire_put_bytes_field(out, 3, level);
  put_body(out, json_string(json_get(log, "body")));
  struct json_iter iter = json_iterate(attributes);
  struct slice key;
  struct json_value value;
  while (json_type_of(attributes) == JSON_OBJECT && json_object_next(&iter, &key, &value)) {
    if (sentry_attribute_is_of_resource(key) || slice_equal_cstr(key, PARENT_SPAN)) continue;
    sentry_attribute_put_typed(out, ATTRIBUTES, key, value);
  }
  bool has_trace = sentry_attribute_id(json_get(log, "trace_id"), trace_id, TRACE_BYTES);
  if (has_trace) wire_put_bytes_field(out, 9, slice_make(trace_id, TRACE_BYTES));
  bool has_span = sentry_attribute_id(json_get(log, "span_id"), span_id, SPAN_BYTES) ||
                  sentry_attribute_id(attribute_value(attributes, PARENT_SPAN), span_id, SPAN_BYTES);
  if (has_trace && has_span) wire_put_bytes_field(out, 10, slice_make(span_id, SPAN_BYTES));
  wire_put_fixed64_field(out, 11, source->received_ns);
  if (!out->failed) wire_close(out, &open);
}

enum status sentry_log_write(struct json_value container, const struct sentry_log_source *source, struct buffer *out,
                             uint32_t *out_logs, uint32_t *out_faulty) {
  struct json_value items = json_get(container, "items"), item;
  if (json_type_of(items) != JSON_ARRAY) return STATUS_INVALID;
  struct sentry_attribute_resource resource = {0};
  struct json_iter iter = json_iterate(items);
  if (json_array_next(&iter, &item)) sentry_attribute_read_resource(json_get(item, "attributes"), &resource);
  if (resource.service.len == 0) resource.service = sentry_service_of_release(resource.release);
  if (resource.service.len == 0) resource.service = source->service;
  size_t before = out->len;
  uint32_t logs = 0, faulty = 0;
  struct wire_open_field resource_logs, scope_logs;
  if (!wire_open(out, 1, 4096, &resource_logs)) return STATUS_TOO_LARGE;
  sentry_attribute_put_resource(out, 1, &resource);
  if (wire_open(out, SCOPE_LOGS, 4096, &scope_logs)) {
    put_scope(out);
    iter = json_iterate(items);
    while (json_array_next(&iter, &item)) {
      bool good = json_type_of(item) == JSON_OBJECT;
      if (good) write_log(item, source, out);
      logs += good;
      faulty += !good;
    }
  }
  if (out->failed || !wire_close(out, &scope_logs) || !wire_close(out, &resource_logs)) {
    out->len = before;
    return STATUS_TOO_LARGE;
  }
  if (logs == 0) out->len = before;
  *out_logs = logs;
  *out_faulty = faulty;
  return STATUS_OK;
}
