// SPDX-License-Identifier: Apache-2.0
//
// How it works: the request is written once with placeholders whose offsets are noted. payload_write copies it and
// patches ids (hashed from the request's number) and times (now).
#include "payload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#define REQUEST_BYTES_MAX (64u << 20)

static const struct {
  const char *key, *value;
} attributes[] = {
    {"http.request.method", "GET"},
    {"http.route", "/api/v2/customers/{customer_id}/orders"},
    {"url.path", "/api/v2/customers/84213/orders"},
    {"url.scheme", "https"},
    {"server.address", "shop-backend.internal.example.org"},
    {"client.address", "10.24.118.7"},
    {"user_agent.original", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101"},
    {"network.protocol.version", "1.1"},
    {"thread.name", "worker-12"},
};

// --- protobuf -------------------------------------------------------------------------------------------------------

static void varint(struct buffer *out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) buffer_append_byte(out, (uint8_t)(value | 0x80));
  buffer_append_byte(out, (uint8_t)value);
}

static void field_bytes(struct buffer *out, uint32_t number, struct slice bytes) {
  varint(out, number << 3 | 2);
  varint(out, bytes.len);
  buffer_append_slice(out, bytes);
}

static void field_text(struct buffer *out, uint32_t number, const char *text) {
  field_bytes(out, number, slice_from_cstr(text));
}

static void field_fixed64(struct buffer *out, uint32_t number) {
  varint(out, number << 3 | 1);
  buffer_append(out, "\0\0\0\0\0\0\0\0", 8);
}

static void key_value(struct buffer *out, uint32_t number, const char *key, const char *text, int64_t integer) {
  struct buffer value, pair;
  buffer_init(&value, 4096);
  buffer_init(&pair, 4096);
  if (text) {
    field_text(&value, 1, text);
  } else {
    varint(&value, 3 << 3);
    varint(&value, (uint64_t)integer);
  }
  field_text(&pair, 1, key);
  field_bytes(&pair, 2, buffer_slice(&value));
  field_bytes(out, number, buffer_slice(&pair));
  buffer_finish(&value);
  buffer_finish(&pair);
}

// Offsets noted here are relative to `span`; the caller adds where it lies.
static void write_span(struct payload *payload, uint32_t index, struct buffer *span) {
  static const uint8_t zero[16];
  char name[64];
  field_bytes(span, 1, slice_make(zero, 16));
  payload->trace_id_at[index] = (uint32_t)span->len - 16;
  field_bytes(span, 2, slice_make(zero, 8));
  payload->span_id_at[index] = (uint32_t)span->len - 8;
  bool is_root = index % payload->options.spans_per_trace == 0;
  payload->parent_id_at[index] = UINT32_MAX;
  if (!is_root) {
    field_bytes(span, 4, slice_make(zero, 8));
    payload->parent_id_at[index] = (uint32_t)span->len - 8;
  }
  snprintf(name, sizeof(name), "GET /api/v2/customers/{customer_id}/%s", index % 3 ? "orders" : "invoices");
  field_text(span, 5, name);
  varint(span, 6 << 3);
  varint(span, is_root ? 2 : 3);
  field_fixed64(span, 7);
  payload->start_at[index] = (uint32_t)span->len - 8;
  field_fixed64(span, 8);
  payload->end_at[index] = (uint32_t)span->len - 8;
  for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
    key_value(span, 9, attributes[i].key, attributes[i].value, 0);
  }
  key_value(span, 9, "http.response.status_code", NULL, 200);
}

static void write_protobuf(struct payload *payload) {
  struct buffer resource, scope, spans, scope_spans, span;
  buffer_init(&resource, 4096);
  buffer_init(&scope, 4096);
  buffer_init(&spans, REQUEST_BYTES_MAX);
  buffer_init(&scope_spans, REQUEST_BYTES_MAX);
  buffer_init(&span, 4096);
  key_value(&resource, 1, "service.name", "shop-backend", 0);
  key_value(&resource, 1, "service.version", "2.14.3", 0);
  key_value(&resource, 1, "deployment.environment.name", "production", 0);
  key_value(&resource, 1, "host.name", "shop-backend-7d9f8c6b5-x2v9q", 0);
  field_text(&scope, 1, "opentelemetry.instrumentation.asgi");
  field_text(&scope, 2, "0.48b0");
  field_bytes(&scope_spans, 1, buffer_slice(&scope));
  uint32_t *noted[] = {payload->trace_id_at, payload->span_id_at, payload->parent_id_at, payload->start_at,
                       payload->end_at};
  for (uint32_t i = 0; i < payload->options.spans; i++) {
    buffer_clear(&span);
    write_span(payload, i, &span);
    field_bytes(&scope_spans, 2, buffer_slice(&span));
    for (int k = 0; k < 5; k++) {
      if (noted[k][i] != UINT32_MAX) noted[k][i] += (uint32_t)(scope_spans.len - span.len);
    }
  }
  buffer_clear(&spans);
  field_bytes(&spans, 1, buffer_slice(&resource));
  field_bytes(&spans, 2, buffer_slice(&scope_spans));
  field_bytes(&payload->template, 1, buffer_slice(&spans));
  uint32_t shift = (uint32_t)(payload->template.len - scope_spans.len);
  for (uint32_t i = 0; i < payload->options.spans; i++) {
    for (int k = 0; k < 5; k++) {
      if (noted[k][i] != UINT32_MAX) noted[k][i] += shift;
    }
  }
  buffer_finish(&resource);
  buffer_finish(&scope);
  buffer_finish(&spans);
  buffer_finish(&scope_spans);
  buffer_finish(&span);
}

// --- JSON -----------------------------------------------------------------------------------------------------------

static uint32_t json_placeholder(struct buffer *out, const char *key, uint32_t digits) {
  buffer_printf(out, "\"%s\":\"", key);
  uint32_t at = (uint32_t)out->len;
  for (uint32_t i = 0; i < digits; i++) buffer_append_byte(out, '0');
  buffer_append_cstr(out, "\",");
  return at;
}

static void json_attribute(struct buffer *out, const char *key, const char *value, bool last) {
  buffer_printf(out, "{\"key\":\"%s\",\"value\":{\"stringValue\":\"%s\"}}%s", key, value, last ? "" : ",");
}

static void write_json(struct payload *payload) {
  struct buffer *out = &payload->template;
  buffer_append_cstr(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[");
  json_attribute(out, "service.name", "shop-backend", false);
  json_attribute(out, "service.version", "2.14.3", false);
  json_attribute(out, "deployment.environment.name", "production", false);
  json_attribute(out, "host.name", "shop-backend-7d9f8c6b5-x2v9q", true);
  buffer_append_cstr(
      out, "]},\"scopeSpans\":[{\"scope\":{\"name\":\"opentelemetry.instrumentation.asgi\",\"version\":\"0.48b0\"},"
           "\"spans\":[");
  for (uint32_t i = 0; i < payload->options.spans; i++) {
    buffer_append_cstr(out, i ? ",{" : "{");
    payload->trace_id_at[i] = json_placeholder(out, "traceId", 32);
    payload->span_id_at[i] = json_placeholder(out, "spanId", 16);
    bool is_root = i % payload->options.spans_per_trace == 0;
    payload->parent_id_at[i] = is_root ? UINT32_MAX : json_placeholder(out, "parentSpanId", 16);
    buffer_printf(out, "\"name\":\"GET /api/v2/customers/{customer_id}/%s\",\"kind\":%d,",
                  i % 3 ? "orders" : "invoices", is_root ? 2 : 3);
    payload->start_at[i] = json_placeholder(out, "startTimeUnixNano", 19);
    payload->end_at[i] = json_placeholder(out, "endTimeUnixNano", 19);
    buffer_append_cstr(out, "\"attributes\":[");
    for (size_t k = 0; k < sizeof(attributes) / sizeof(attributes[0]); k++) {
      json_attribute(out, attributes[k].key, attributes[k].value, false);
    }
    buffer_append_cstr(out, "{\"key\":\"http.response.status_code\",\"value\":{\"intValue\":\"200\"}}]}");
  }
  buffer_append_cstr(out, "]}]}]}");
}

// --- patching -------------------------------------------------------------------------------------------------------

static uint64_t mix(uint64_t x) { // SplitMix64's output function
  x ^= x >> 30;
  x *= UINT64_C(0xbf58476d1ce4e5b9);
  x ^= x >> 27;
  x *= UINT64_C(0x94d049bb133111eb);
  return x ^ x >> 31;
}

static void put_id(const struct payload *payload, uint8_t *to, const uint64_t *words, size_t bytes) {
  if (!payload->options.json) {
    memcpy(to, words, bytes);
    return;
  }
  char hex[32];
  slice_to_hex(slice_make(words, bytes), hex);
  memcpy(to, hex, bytes * 2);
}

static void put_time(const struct payload *payload, uint8_t *to, uint64_t ns) {
  if (!payload->options.json) {
    memcpy(to, &ns, sizeof(ns));
    return;
  }
  for (int i = 18; i >= 0; i--, ns /= 10) to[i] = (uint8_t)('0' + ns % 10);
}

void payload_write(const struct payload *payload, uint64_t number, uint8_t *out) {
  memcpy(out, payload->template.ptr, payload->template.len);
  uint64_t now_ns = clock_wall_ns(clock_system());
  uint64_t trace[2] = {0, 0}, parent = 0;
  for (uint32_t i = 0; i < payload->options.spans; i++) {
    uint64_t span = mix(number * payload->options.spans + i + 1) | 1;
    if (i % payload->options.spans_per_trace == 0) {
      trace[0] = mix(span ^ UINT64_C(0x9e3779b97f4a7c15)) | 1;
      trace[1] = mix(trace[0]) | 1;
      parent = span;
    }
    put_id(payload, out + payload->trace_id_at[i], trace, 16);
    put_id(payload, out + payload->span_id_at[i], &span, 8);
    if (payload->parent_id_at[i] != UINT32_MAX) put_id(payload, out + payload->parent_id_at[i], &parent, 8);
    put_time(payload, out + payload->start_at[i], now_ns - 40 * NS_PER_MS + (i % 32) * NS_PER_MS);
    put_time(payload, out + payload->end_at[i], now_ns);
  }
}

void payload_create(struct payload *payload, const struct payload_options *options) {
  *payload = (struct payload){.options = *options};
  buffer_init(&payload->template, REQUEST_BYTES_MAX);
  uint32_t **offsets[] = {&payload->trace_id_at, &payload->span_id_at, &payload->parent_id_at, &payload->start_at,
                          &payload->end_at};
  for (int k = 0; k < 5; k++) {
    *offsets[k] = calloc(options->spans, sizeof(uint32_t));
    ASSERT(*offsets[k]);
  }
  if (options->json) {
    write_json(payload);
  } else {
    write_protobuf(payload);
  }
  ASSERT(!payload->template.failed);
}

void payload_destroy(struct payload *payload) {
  buffer_finish(&payload->template);
  free(payload->trace_id_at);
  free(payload->span_id_at);
  free(payload->parent_id_at);
  free(payload->start_at);
  free(payload->end_at);
}
