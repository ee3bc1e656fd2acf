// SPDX-License-Identifier: Apache-2.0
//
// How it works: a span is described by a small struct that both forms fill, and written by one function. What a field
// becomes:
//
//   transaction                       span of it              span v2              OpenTelemetry
//   transaction                       description, else op    name                 name
//   contexts.trace.op                 op                      attributes sentry.op kind (by its prefix), sentry.op
//   contexts.trace.status             status                  status               status
//   contexts.trace.data, tags,        data, tags              attributes           attributes
//     measurements, request id
//   release, environment, sdk, …                              sentry.release, …    resource
//
// Span: trace_id 1, span_id 2, parent_span_id 4, name 5, kind 6, start 7, end 8, attributes 9, links 13, status 15.
#include "proto/sentry_trace.h"

#include "base/clock.h"
#include "proto/sentry_attribute.h"
#include "proto/sentry_document.h"
#include "proto/sentry_event_reader.h"
#include "proto/sentry_service.h"
#include "proto/wire.h"

enum { ATTRIBUTES = 9, LINKS = 13, STATUS = 15, SCOPE_SPANS = 2, SPANS = 2, TRACE_BYTES = 16, SPAN_BYTES = 8 };
enum kind { KIND_INTERNAL = 1, KIND_SERVER = 2, KIND_CLIENT = 3, KIND_PRODUCER = 4, KIND_CONSUMER = 5 };

#define NO_NAME SLICE_LITERAL("<unlabeled span>")

struct span {
  uint8_t trace_id[TRACE_BYTES], span_id[SPAN_BYTES], parent_id[SPAN_BYTES];
  bool has_parent;
  struct slice name, op, origin, status;
  enum kind kind;
  uint64_t start_ns, end_ns;
};

static enum kind kind_of(struct slice op) {
  static const struct {
    const char *prefix;
    enum kind kind;
  } kinds[] = {{"http.server", KIND_SERVER},
               {"http.client", KIND_CLIENT},
               {"db", KIND_CLIENT},
               {"rpc", KIND_CLIENT},
               {"grpc.client", KIND_CLIENT},
               {"grpc.server", KIND_SERVER},
               {"queue.publish", KIND_PRODUCER},
               {"queue.process", KIND_CONSUMER},
               {"queue.task", KIND_CONSUMER},
               {"queue.submit", KIND_PRODUCER}};
  for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
    struct slice prefix = slice_from_cstr(kinds[i].prefix);
    if (!slice_starts_with(op, prefix)) continue;
    if (op.len == prefix.len || op.ptr[prefix.len] == '.') return kinds[i].kind;
  }
  return KIND_INTERNAL;
}

// "ok" and "unknown" say nothing of a fault.
static void put_status(struct buffer *out, struct slice status) {
  if (status.len == 0 || slice_equal_cstr(status, "ok") || slice_equal_cstr(status, "unknown")) return;
  struct wire_open_field open;
  if (!wire_open(out, STATUS, 32, &open)) return;
  if (!slice_equal_cstr(status, "error")) wire_put_bytes_field(out, 2, status);
  wire_put_varint_field(out, 3, 2);
  wire_close(out, &open);
}

static void put_head(struct buffer *out, const struct span *span) {
  wire_put_bytes_field(out, 1, slice_make(span->trace_id, TRACE_BYTES));
  wire_put_bytes_field(out, 2, slice_make(span->span_id, SPAN_BYTES));
  if (span->has_parent) wire_put_bytes_field(out, 4, slice_make(span->parent_id, SPAN_BYTES));
  wire_put_bytes_field(out, 5, span->name.len > 0 ? span->name : NO_NAME);
  wire_put_varint_field(out, 6, span->kind);
  wire_put_fixed64_field(out, 7, span->start_ns);
  wire_put_fixed64_field(out, 8, span->end_ns);
  sentry_attribute_put_text(out, ATTRIBUTES, SLICE_LITERAL("sentry.op"), span->op);
  sentry_attribute_put_text(out, ATTRIBUTES, SLICE_LITERAL("sentry.origin"), span->origin);
}

// ---- transactions

// start_timestamp, and timestamp or else exclusive_time (milliseconds).
static bool read_times(struct json_value object, int64_t drift_ns, struct span *span) {
  if (!sentry_event_reader_time(json_get(object, "start_timestamp"), &span->start_ns)) return false;
  if (!sentry_event_reader_time(json_get(object, "timestamp"), &span->end_ns)) {
    double milliseconds = json_double(json_get(object, "exclusive_time"));
    if (!(milliseconds >= 0 && milliseconds < 1e12)) return false;
    span->end_ns = span->start_ns + (uint64_t)(milliseconds * (double)NS_PER_MS);
  }
  if (span->end_ns < span->start_ns) span->end_ns = span->start_ns;
  span->start_ns = sentry_document_moved(span->start_ns, drift_ns);
  span->end_ns = sentry_document_moved(span->end_ns, drift_ns);
  return true;
}

// What contexts.trace and a span of a transaction have in common.
static bool read_span(struct json_value object, struct span *span) {
  if (!sentry_attribute_id(json_get(object, "span_id"), span->span_id, SPAN_BYTES)) return false;
  span->has_parent = sentry_attribute_id(json_get(object, "parent_span_id"), span->parent_id, SPAN_BYTES);
  span->op = json_string(json_get(object, "op"));
  span->origin = json_string(json_get(object, "origin"));
  span->status = json_string(json_get(object, "status"));
  span->kind = kind_of(span->op);
  return true;
}

static bool write_child(struct json_value object, const struct span *root, int64_t drift_ns, struct buffer *out) {
  struct span span = {0};
  if (!read_span(object, &span) || !read_times(object, drift_ns, &span)) return false;
  if (!sentry_attribute_id(json_get(object, "trace_id"), span.trace_id, TRACE_BYTES)) {
    memcpy(span.trace_id, root->trace_id, TRACE_BYTES);
  }
  if (!span.has_parent) {
    memcpy(span.parent_id, root->span_id, SPAN_BYTES);
    span.has_parent = true;
  }
  span.name = json_string(json_get(object, "description"));
  if (span.name.len == 0) span.name = span.op;
  struct wire_open_field open;
  if (!wire_open(out, SPANS, 256, &open)) return true;
  put_head(out, &span);
  sentry_attribute_put_all(out, ATTRIBUTES, json_get(object, "data"));
  sentry_attribute_put_all(out, ATTRIBUTES, json_get(object, "tags"));
  put_status(out, span.status);
  if (!out->failed) wire_close(out, &open);
  return true;
}

static void put_measurements(struct buffer *out, struct json_value measurements) {
  struct json_iter iter = json_iterate(measurements);
  struct slice key;
  struct json_value measurement;
  char name[128];
  while (json_type_of(measurements) == JSON_OBJECT && json_object_next(&iter, &key, &measurement)) {
    if (key.len > sizeof(name) - 16) continue;
    memcpy(name, "measurement.", 12);
    memcpy(name + 12, key.ptr, key.len);
    sentry_attribute_put(out, ATTRIBUTES, slice_make(name, 12 + key.len), json_get(measurement, "value"));
  }
}

// The request id under names that correlation knows, and what was asked for.
static void put_request(struct buffer *out, struct json_value event) {
  struct json_value request = json_get(event, "request");
  struct json_value headers = json_get(request, "headers");
  struct json_iter iter = json_iterate(headers);
  struct slice key;
  struct json_value value;
  while (json_type_of(headers) == JSON_OBJECT && json_object_next(&iter, &key, &value)) {
    if (slice_equal_ignore_case(key, SLICE_LITERAL("x-request-id"))) {
      sentry_attribute_put(out, ATTRIBUTES, SLICE_LITERAL("http.request.header.x-request-id"), value);
    }
  }
  sentry_attribute_put_text(out, ATTRIBUTES, SLICE_LITERAL("http.request.method"),
                            json_string(json_get(request, "method")));
  sentry_attribute_put_text(out, ATTRIBUTES, SLICE_LITERAL("url.full"), json_string(json_get(request, "url")));
  sentry_attribute_put(out, ATTRIBUTES, SLICE_LITERAL("request_id"), json_get(json_get(event, "extra"), "request_id"));
}

static void write_root(struct json_value event, struct json_value trace, const struct span *root, struct buffer *out) {
  struct wire_open_field open;
  if (!wire_open(out, SPANS, 512, &open)) return;
  put_head(out, root);
  sentry_attribute_put(out, ATTRIBUTES, SLICE_LITERAL("sentry.source"),
                       json_get(json_get(event, "transaction_info"), "source"));
  sentry_attribute_put_all(out, ATTRIBUTES, json_get(trace, "data"));
  sentry_attribute_put_all(out, ATTRIBUTES, json_get(event, "tags"));
  put_request(out, event);
  put_measurements(out, json_get(event, "measurements"));
  put_status(out, root->status);
  if (!out->failed) wire_close(out, &open);
}

static struct slice first_of(struct slice preferred, struct slice otherwise) {
  return preferred.len > 0 ? preferred : otherwise;
}

static void put_event_resource(struct json_value event, struct slice service, struct buffer *out) {
  struct json_value sdk = json_get(event, "sdk");
  struct sentry_attribute_resource resource = {
      .service = first_of(sentry_service_of_event(event), service),
      .release = json_string(json_get(event, "release")),
      .environment = json_string(json_get(event, "environment")),
      .server_name = json_string(json_get(event, "server_name")),
      .sdk_name = json_string(json_get(sdk, "name")),
      .sdk_version = json_string(json_get(sdk, "version")),
      .language = json_string(json_get(event, "platform")),
  };
  sentry_attribute_put_resource(out, 1, &resource);
}

static enum status finish(struct buffer *out, size_t before, const struct wire_open_field *resource_spans,
                          const struct wire_open_field *scope_spans, struct error *error) {
  if (!out->failed && wire_close(out, scope_spans) && wire_close(out, resource_spans)) return STATUS_OK;
  out->len = before;
  return error_set(error, STATUS_TOO_LARGE, "the spans are too large");
}

enum status sentry_trace_write_transaction(struct json_value event, const struct sentry_trace_source *source,
                                           struct buffer *out, struct sentry_trace_counts *out_counts,
                                           struct error *error) {
  struct json_value trace = json_get(json_get(event, "contexts"), "trace");
  struct span root = {0};
  if (!sentry_attribute_id(json_get(trace, "trace_id"), root.trace_id, TRACE_BYTES) || !read_span(trace, &root)) {
    return error_set(error, STATUS_INVALID, "transaction: contexts.trace has no usable trace_id and span_id");
  }
  if (!read_times(event, source->drift_ns, &root)) {
    return error_set(error, STATUS_INVALID, "transaction: no usable start_timestamp and timestamp");
  }
  root.name = first_of(json_string(json_get(event, "transaction")), root.op);
  struct sentry_trace_counts counts = {.spans = 1};
  size_t before = out->len;
  struct wire_open_field resource_spans, scope_spans;
  if (!wire_open(out, 1, 4096, &resource_spans)) return error_set(error, STATUS_TOO_LARGE, "the spans are too large");
  put_event_resource(event, source->service, out);
  if (wire_open(out, SCOPE_SPANS, 4096, &scope_spans)) {
    write_root(event, trace, &root, out);
    struct json_value spans = json_get(event, "spans"), child;
    struct json_iter iter = json_iterate(spans);
    while (json_type_of(spans) == JSON_ARRAY && json_array_next(&iter, &child)) {
      bool good = write_child(child, &root, source->drift_ns, out);
      counts.spans += good;
      counts.faulty += !good;
    }
  }
  enum status status = finish(out, before, &resource_spans, &scope_spans, error);
  if (status == STATUS_OK) *out_counts = counts;
  return status;
}

// ---- spans, version 2

static enum kind kind_of_v2(struct json_value object) {
  static const char *const names[] = {[KIND_INTERNAL] = "internal",
                                      [KIND_SERVER] = "server",
                                      [KIND_CLIENT] = "client",
                                      [KIND_PRODUCER] = "producer",
                                      [KIND_CONSUMER] = "consumer"};
  struct slice kind = json_string(json_get(object, "kind"));
  for (unsigned i = KIND_INTERNAL; i <= KIND_CONSUMER; i++) {
    if (slice_equal_ignore_case(kind, slice_from_cstr(names[i]))) return (enum kind)i;
  }
  struct json_value op = json_get(json_get(object, "attributes"), "sentry.op");
  return kind_of(json_string(json_type_of(op) == JSON_OBJECT ? json_get(op, "value") : op));
}

static void put_typed_attributes(struct buffer *out, uint32_t field, struct json_value attributes) {
  struct json_iter iter = json_iterate(attributes);
  struct slice key;
  struct json_value value;
  while (json_type_of(attributes) == JSON_OBJECT && json_object_next(&iter, &key, &value)) {
    if (!sentry_attribute_is_of_resource(key)) sentry_attribute_put_typed(out, field, key, value);
  }
}

static void put_links(struct buffer *out, struct json_value links) {
  struct json_iter iter = json_iterate(links);
  struct json_value link;
  while (json_type_of(links) == JSON_ARRAY && json_array_next(&iter, &link)) {
    uint8_t trace_id[TRACE_BYTES], span_id[SPAN_BYTES];
    struct wire_open_field open;
    if (!sentry_attribute_id(json_get(link, "trace_id"), trace_id, TRACE_BYTES) ||
        !sentry_attribute_id(json_get(link, "span_id"), span_id, SPAN_BYTES) || !wire_open(out, LINKS, 64, &open)) {
      continue;
    }
    wire_put_bytes_field(out, 1, slice_make(trace_id, TRACE_BYTES));
    wire_put_bytes_field(out, 2, slice_make(span_id, SPAN_BYTES));
    put_typed_attributes(out, 4, json_get(link, "attributes"));
    if (!out->failed) wire_close(out, &open);
  }
}

static bool write_v2(struct json_value object, int64_t drift_ns, struct buffer *out) {
  struct span span = {.kind = kind_of_v2(object)};
  if (!sentry_attribute_id(json_get(object, "trace_id"), span.trace_id, TRACE_BYTES) ||
      !sentry_attribute_id(json_get(object, "span_id"), span.span_id, SPAN_BYTES) ||
      !sentry_event_reader_time(json_get(object, "start_timestamp"), &span.start_ns) ||
      !sentry_event_reader_time(json_get(object, "end_timestamp"), &span.end_ns)) {
    return false;
  }
  if (span.end_ns < span.start_ns) span.end_ns = span.start_ns;
  span.start_ns = sentry_document_moved(span.start_ns, drift_ns);
  span.end_ns = sentry_document_moved(span.end_ns, drift_ns);
  span.has_parent = sentry_attribute_id(json_get(object, "parent_span_id"), span.parent_id, SPAN_BYTES);
  span.name = json_string(json_get(object, "name"));
  struct wire_open_field open;
  if (!wire_open(out, SPANS, 256, &open)) return true;
  put_head(out, &span);
  put_typed_attributes(out, ATTRIBUTES, json_get(object, "attributes"));
  put_links(out, json_get(object, "links"));
  put_status(out, json_string(json_get(object, "status")));
  if (!out->failed) wire_close(out, &open);
  return true;
}

enum status sentry_trace_write_spans(struct json_value container, const struct sentry_trace_source *source,
                                     struct buffer *out, struct sentry_trace_counts *out_counts, struct error *error) {
  struct json_value items = json_get(container, "items"), item;
  if (json_type_of(items) != JSON_ARRAY) return error_set(error, STATUS_INVALID, "spans: not a container of items");
  struct sentry_attribute_resource resource = {0};
  struct json_iter iter = json_iterate(items);
  if (json_array_next(&iter, &item)) sentry_attribute_read_resource(json_get(item, "attributes"), &resource);
  resource.service = first_of(resource.service, sentry_service_of_release(resource.release));
  resource.service = first_of(resource.service, source->service);
  struct sentry_trace_counts counts = {0};
  size_t before = out->len;
  struct wire_open_field resource_spans, scope_spans;
  if (!wire_open(out, 1, 4096, &resource_spans)) return error_set(error, STATUS_TOO_LARGE, "the spans are too large");
  sentry_attribute_put_resource(out, 1, &resource);
  if (wire_open(out, SCOPE_SPANS, 4096, &scope_spans)) {
    iter = json_iterate(items);
    while (json_array_next(&iter, &item)) {
      bool good = write_v2(item, source->drift_ns, out);
      counts.spans += good;
      counts.faulty += !good;
    }
  }
  enum status status = finish(out, before, &resource_spans, &scope_spans, error);
  if (status == STATUS_OK && counts.spans == 0) out->len = before;
  if (status == STATUS_OK) *out_counts = counts;
  return status;
}
