// SPDX-License-Identifier: Apache-2.0
//
// Values are written by proto/otlp_value_json; here is what surrounds them.
#include "ui/api/api_otlp.h"

#include <stdio.h>

#include "proto/otlp_value_json.h"

#define SCOPE_NAME 1

void api_otlp_write_value(struct json_writer *json, const struct otlp_any *value) {
  otlp_value_json_write(json, value);
}

static void write_attributes(struct json_writer *json, const char *key, struct slice message, uint32_t field) {
  json_key(json, key);
  json_begin_object(json);
  struct otlp_field_iter iter = otlp_fields(message, field);
  struct otlp_attribute attribute;
  while (otlp_attribute_next(&iter, &attribute)) {
    json_key_slice(json, attribute.key);
    api_otlp_write_value(json, &attribute.value);
  }
  json_end_object(json);
}

static void write_text(struct json_writer *json, const char *key, struct slice text) {
  json_key(json, key);
  if (text.len == 0) {
    json_write_null(json);
  } else {
    json_write_string(json, text);
  }
}

static void write_hex(struct json_writer *json, const char *key, struct slice id) {
  char text[2 * OTLP_TRACE_ID_BYTES];
  struct slice some = slice_sub(id, 0, OTLP_TRACE_ID_BYTES);
  slice_to_hex(some, text);
  write_text(json, key, slice_make(text, 2 * some.len));
}

static void write_ns(struct json_writer *json, const char *key, uint64_t time_ns) {
  char text[24];
  snprintf(text, sizeof text, "%llu", (unsigned long long)time_ns);
  json_key(json, key);
  json_write_cstr(json, text);
}

static void write_span_events(struct json_writer *json, struct slice span) {
  json_key(json, "events");
  json_begin_array(json);
  struct otlp_field_iter iter = otlp_fields(span, OTLP_SPAN_EVENTS);
  struct otlp_span_event event;
  while (otlp_span_event_next(&iter, &event)) {
    json_begin_object(json);
    write_ns(json, "time_ns", event.time_ns);
    json_key(json, "name");
    json_write_string(json, event.name);
    write_attributes(json, "attributes", event.bytes, OTLP_EVENT_ATTRIBUTES);
    json_end_object(json);
  }
  json_end_array(json);
}

static void write_span_links(struct json_writer *json, struct slice span) {
  json_key(json, "links");
  json_begin_array(json);
  struct otlp_field_iter iter = otlp_fields(span, OTLP_SPAN_LINKS);
  struct otlp_span_link link;
  while (otlp_span_link_next(&iter, &link)) {
    json_begin_object(json);
    write_hex(json, "trace_id", link.trace_id);
    write_hex(json, "span_id", link.span_id);
    write_attributes(json, "attributes", link.bytes, OTLP_LINK_ATTRIBUTES);
    json_end_object(json);
  }
  json_end_array(json);
}

struct slice api_otlp_scope_name(struct slice scope) {
  struct otlp_field_iter iter = otlp_fields(scope, SCOPE_NAME);
  struct slice name = {0}, last = {0};
  while (otlp_field_next(&iter, &name)) last = name;
  return last;
}

void api_otlp_write_span(struct json_writer *json, const struct otlp_item *item) {
  static const char *const kinds[] = {"unspecified", "internal", "server", "client", "producer", "consumer"};
  static const char *const codes[] = {"unset", "ok", "error"};
  const struct otlp_span *span = &item->span;
  json_begin_object(json);
  write_hex(json, "trace_id", span->trace_id);
  write_hex(json, "span_id", span->span_id);
  write_hex(json, "parent_span_id", span->parent_span_id);
  json_key(json, "name");
  json_write_string(json, span->name);
  json_key(json, "kind");
  json_write_cstr(json, kinds[span->kind < 6 ? span->kind : 0]);
  write_text(json, "service", otlp_resource_string(item->resource, "service.name"));
  write_text(json, "scope", api_otlp_scope_name(item->scope));
  write_ns(json, "start_ns", span->start_ns);
  write_ns(json, "end_ns", span->end_ns);
  json_key(json, "status");
  json_write_cstr(json, codes[span->status_code < 3 ? span->status_code : 0]);
  write_text(json, "status_message", span->status_message);
  write_text(json, "trace_state", span->trace_state);
  write_attributes(json, "attributes", span->bytes, OTLP_SPAN_ATTRIBUTES);
  write_attributes(json, "resource", item->resource, OTLP_RESOURCE_ATTRIBUTES);
  write_span_events(json, span->bytes);
  write_span_links(json, span->bytes);
  json_end_object(json);
}

uint64_t api_otlp_log_time(const struct otlp_log *log) {
  return log->time_ns != 0 ? log->time_ns : log->observed_ns;
}

// "ERROR" for 17 to 20 and so on, when the text is missing (OpenTelemetry logs data model, "Displaying Severity").
static struct slice severity_of(const struct otlp_log *log) {
  static const char *const names[] = {"TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"};
  if (log->severity_text.len > 0) return log->severity_text;
  if (log->severity_number < 1 || log->severity_number > 24) return (struct slice){0};
  return slice_from_cstr(names[(log->severity_number - 1) / 4]);
}

void api_otlp_write_log(struct json_writer *json, const struct otlp_item *item) {
  const struct otlp_log *log = &item->log;
  json_begin_object(json);
  write_ns(json, "time_ns", api_otlp_log_time(log));
  json_key(json, "severity_number");
  json_write_u64(json, log->severity_number);
  write_text(json, "severity", severity_of(log));
  write_text(json, "service", otlp_resource_string(item->resource, "service.name"));
  write_text(json, "scope", api_otlp_scope_name(item->scope));
  write_hex(json, "trace_id", log->trace_id);
  write_hex(json, "span_id", log->span_id);
  json_key(json, "body");
  api_otlp_write_value(json, &log->body);
  write_text(json, "event_name", log->event_name);
  write_attributes(json, "attributes", log->bytes, OTLP_LOG_ATTRIBUTES);
  write_attributes(json, "resource", item->resource, OTLP_RESOURCE_ATTRIBUTES);
  json_end_object(json);
}
