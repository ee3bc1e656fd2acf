// SPDX-License-Identifier: Apache-2.0
//
// Nested values are walked with a stack of iterators as deep as the scan allows (its limit of AnyValue nesting); what
// lies deeper, which a scan with other limits could have let through, is written as null.
#include "ui/api/api_otlp.h"

#include <stdio.h>

#define DEPTH_MAX   (OTLP_DEPTH_CEILING + 1)
#define EXACT_BELOW (INT64_C(1) << 53)
#define SCOPE_NAME  1

static void write_i64(struct json_writer *json, int64_t number) {
  if (number > -EXACT_BELOW && number < EXACT_BELOW) {
    json_write_i64(json, number);
    return;
  }
  char text[24];
  snprintf(text, sizeof text, "%lld", (long long)number);
  json_write_cstr(json, text);
}

static void write_bytes(struct json_writer *json, struct slice bytes) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  struct buffer text;
  buffer_init(&text, 4 * (bytes.len / 3 + 1) + 1);
  for (size_t i = 0; i < bytes.len; i += 3) {
    size_t left = bytes.len - i;
    uint32_t group = (uint32_t)bytes.ptr[i] << 16;
    if (left > 1) group |= (uint32_t)bytes.ptr[i + 1] << 8;
    if (left > 2) group |= bytes.ptr[i + 2];
    for (unsigned k = 0; k < 4; k++)
      buffer_append_byte(&text, k <= left ? (uint8_t)digits[(group >> (18 - 6 * k)) & 63] : '=');
  }
  json_begin_object(json);
  json_key(json, "bytes");
  json_write_string(json, buffer_slice(&text));
  json_end_object(json);
  buffer_finish(&text);
}

struct level {
  struct otlp_field_iter iter;
  bool object;
};

// Writes a value, or begins an array or object and returns true: its members follow.
static bool write_or_begin(struct json_writer *json, const struct otlp_any *value, struct level *out_level) {
  switch (value->kind) {
  case OTLP_ANY_STRING: json_write_string(json, value->bytes); return false;
  case OTLP_ANY_BOOL: json_write_bool(json, value->boolean); return false;
  case OTLP_ANY_I64: write_i64(json, value->i64); return false;
  case OTLP_ANY_DOUBLE: json_write_double(json, value->f64); return false;
  case OTLP_ANY_BYTES: write_bytes(json, value->bytes); return false;
  case OTLP_ANY_EMPTY: json_write_null(json); return false;
  case OTLP_ANY_ARRAY:
    *out_level = (struct level){.iter = otlp_any_elements(*value)};
    json_begin_array(json);
    return true;
  case OTLP_ANY_KVLIST:
    *out_level = (struct level){.iter = otlp_any_members(*value), .object = true};
    json_begin_object(json);
    return true;
  }
  json_write_null(json);
  return false;
}

// The next member of the innermost level, its key written.
static bool next_member(struct json_writer *json, struct level *level, struct otlp_any *out_value) {
  if (!level->object) return otlp_any_next(&level->iter, out_value);
  struct otlp_attribute member;
  if (!otlp_attribute_next(&level->iter, &member)) return false;
  json_key_slice(json, member.key);
  *out_value = member.value;
  return true;
}

void api_otlp_write_value(struct json_writer *json, const struct otlp_any *value) {
  struct level levels[DEPTH_MAX];
  uint32_t depth = write_or_begin(json, value, &levels[0]) ? 1 : 0;
  while (depth > 0) {
    struct level *level = &levels[depth - 1];
    struct otlp_any member;
    if (!next_member(json, level, &member)) {
      if (level->object) {
        json_end_object(json);
      } else {
        json_end_array(json);
      }
      depth--;
    } else if (depth == DEPTH_MAX) {
      json_write_null(json);
    } else if (write_or_begin(json, &member, &levels[depth])) {
      depth++;
    }
  }
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
