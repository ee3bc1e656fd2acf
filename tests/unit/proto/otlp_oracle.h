// SPDX-License-Identifier: Apache-2.0
//
// protobuf-c as the judge of otlp_scan, for unit tests and fuzz targets: what the scan accepts protobuf-c must accept
// too, and both must have read the same. A difference aborts (ASSERT).
//
// protobuf-c is asked only after the scan, because it recurses without a limit. It takes strings as ended by NUL, so
// texts are compared up to the first one. Messages that appear in pieces (a singular field twice) are merged by
// protobuf-c; the scan's views cannot join lists, so those few are left out of the comparison. protobuf-c 1.4.1 cannot
// merge two AnyValues that hold lists either and refuses the whole: it may, but only then.
#ifndef TESTS_OTLP_ORACLE_H
#define TESTS_OTLP_ORACLE_H

#include <opentelemetry/proto/collector/logs/v1/logs_service.pb-c.h>
#include <opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h>

#include <stdlib.h>

#include "base/status.h"
#include "proto/otlp_scan.h"
#include "proto/wire.h"

typedef Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest oracle_traces;
typedef Opentelemetry__Proto__Collector__Logs__V1__ExportLogsServiceRequest oracle_logs;
typedef Opentelemetry__Proto__Common__V1__AnyValue oracle_any;
typedef Opentelemetry__Proto__Common__V1__KeyValue oracle_key_value;
typedef Opentelemetry__Proto__Trace__V1__Span oracle_span;
typedef Opentelemetry__Proto__Logs__V1__LogRecord oracle_log;

static inline void oracle_text(const char *theirs, struct slice ours) {
  size_t len = slice_find_byte(ours, 0);
  ASSERT(strlen(theirs) == len && (len == 0 || memcmp(theirs, ours.ptr, len) == 0));
}

static inline void oracle_bytes(ProtobufCBinaryData theirs, struct slice ours) {
  ASSERT(slice_equal(slice_make(theirs.data, theirs.len), ours));
}

static inline uint32_t oracle_count(struct slice message, uint32_t field) {
  struct otlp_field_iter iter = otlp_fields(message, field);
  struct slice content;
  uint32_t count = 0;
  while (otlp_field_next(&iter, &content)) count++;
  return count;
}

static inline void oracle_attributes(size_t count, oracle_key_value **theirs, struct otlp_field_iter ours);

// The scan has bounded the depth of this recursion.
static inline void oracle_any_value(const oracle_any *theirs, const struct otlp_any *ours) {
  struct otlp_field_iter iter;
  struct otlp_any element;
  if (!theirs) {
    ASSERT(ours->kind == OTLP_ANY_EMPTY);
    return;
  }
  switch (ours->kind) {
  case OTLP_ANY_EMPTY:
    ASSERT(theirs->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE__NOT_SET ||
           theirs->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE_STRINDEX);
    return;
  case OTLP_ANY_STRING:
    ASSERT(theirs->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_STRING_VALUE);
    oracle_text(theirs->string_value, ours->bytes);
    return;
  case OTLP_ANY_BOOL:
    ASSERT(theirs->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_BOOL_VALUE);
    ASSERT(theirs->bool_value || !ours->boolean); // protobuf-c looks at bits beyond the 64th, too
    return;
  case OTLP_ANY_I64:
    ASSERT(theirs->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_INT_VALUE);
    ASSERT(theirs->int_value == ours->i64);
    return;
  case OTLP_ANY_DOUBLE:
    ASSERT(theirs->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_DOUBLE_VALUE);
    ASSERT(memcmp(&theirs->double_value, &ours->f64, sizeof ours->f64) == 0);
    return;
  case OTLP_ANY_BYTES:
    ASSERT(theirs->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_BYTES_VALUE);
    oracle_bytes(theirs->bytes_value, ours->bytes);
    return;
  case OTLP_ANY_KVLIST:
    ASSERT(theirs->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_KVLIST_VALUE);
    oracle_attributes(theirs->kvlist_value->n_values, theirs->kvlist_value->values, otlp_any_members(*ours));
    return;
  case OTLP_ANY_ARRAY:
    ASSERT(theirs->value_case == OPENTELEMETRY__PROTO__COMMON__V1__ANY_VALUE__VALUE_ARRAY_VALUE);
    iter = otlp_any_elements(*ours);
    for (size_t i = 0; i < theirs->array_value->n_values; i++) {
      ASSERT(otlp_any_next(&iter, &element));
      oracle_any_value(theirs->array_value->values[i], &element);
    }
    ASSERT(!otlp_any_next(&iter, &element));
    return;
  }
  ASSERT(false);
}

static inline void oracle_attributes(size_t count, oracle_key_value **theirs, struct otlp_field_iter ours) {
  struct otlp_field_iter raw = ours;
  struct otlp_attribute attribute;
  struct slice bytes;
  for (size_t i = 0; i < count; i++) {
    ASSERT(otlp_attribute_next(&ours, &attribute));
    ASSERT(otlp_field_next(&raw, &bytes));
    oracle_text(theirs[i]->key, attribute.key);
    if (oracle_count(bytes, 2) < 2) oracle_any_value(theirs[i]->value, &attribute.value);
  }
  ASSERT(!otlp_attribute_next(&ours, &attribute));
}

static inline void oracle_events_and_links(const oracle_span *theirs, const struct otlp_span *ours) {
  struct otlp_field_iter events = otlp_fields(ours->bytes, OTLP_SPAN_EVENTS);
  struct otlp_field_iter links = otlp_fields(ours->bytes, OTLP_SPAN_LINKS);
  struct otlp_span_event event;
  struct otlp_span_link link;
  bool has_exception = false;
  for (size_t i = 0; i < theirs->n_events; i++) {
    ASSERT(otlp_span_event_next(&events, &event));
    ASSERT(theirs->events[i]->time_unix_nano == event.time_ns);
    oracle_text(theirs->events[i]->name, event.name);
    oracle_attributes(theirs->events[i]->n_attributes, theirs->events[i]->attributes,
                      otlp_fields(event.bytes, OTLP_EVENT_ATTRIBUTES));
    if (slice_equal_cstr(event.name, "exception")) has_exception = true;
  }
  ASSERT(!otlp_span_event_next(&events, &event));
  ASSERT(has_exception == ours->has_exception);
  for (size_t i = 0; i < theirs->n_links; i++) {
    ASSERT(otlp_span_link_next(&links, &link));
    oracle_bytes(theirs->links[i]->trace_id, link.trace_id);
    oracle_bytes(theirs->links[i]->span_id, link.span_id);
    oracle_text(theirs->links[i]->trace_state, link.trace_state);
    ASSERT(theirs->links[i]->flags == link.flags);
    oracle_attributes(theirs->links[i]->n_attributes, theirs->links[i]->attributes,
                      otlp_fields(link.bytes, OTLP_LINK_ATTRIBUTES));
  }
  ASSERT(!otlp_span_link_next(&links, &link));
}

static inline void oracle_compare_span(const oracle_span *theirs, const struct otlp_item *item) {
  const struct otlp_span *ours = &item->span;
  oracle_bytes(theirs->trace_id, ours->trace_id);
  oracle_bytes(theirs->span_id, ours->span_id);
  oracle_bytes(theirs->parent_span_id, ours->parent_span_id);
  oracle_text(theirs->trace_state, ours->trace_state);
  oracle_text(theirs->name, ours->name);
  ASSERT((uint32_t)theirs->kind == ours->kind);
  ASSERT(theirs->start_time_unix_nano == ours->start_ns && theirs->end_time_unix_nano == ours->end_ns);
  ASSERT(theirs->flags == ours->flags);
  ASSERT(theirs->n_attributes == ours->attribute_count);
  ASSERT(theirs->n_events == ours->event_count);
  ASSERT(theirs->n_links == ours->link_count);
  oracle_attributes(theirs->n_attributes, theirs->attributes, otlp_fields(ours->bytes, OTLP_SPAN_ATTRIBUTES));
  oracle_events_and_links(theirs, ours);
  if (oracle_count(ours->bytes, 15) < 2) {
    ASSERT((theirs->status ? (uint32_t)theirs->status->code : 0) == ours->status_code);
    oracle_text(theirs->status ? theirs->status->message : "", ours->status_message);
  }
}

static inline void oracle_compare_log(const oracle_log *theirs, const struct otlp_item *item) {
  const struct otlp_log *ours = &item->log;
  ASSERT(theirs->time_unix_nano == ours->time_ns && theirs->observed_time_unix_nano == ours->observed_ns);
  ASSERT((uint32_t)theirs->severity_number == ours->severity_number);
  oracle_text(theirs->severity_text, ours->severity_text);
  oracle_text(theirs->event_name, ours->event_name);
  ASSERT(theirs->flags == ours->flags);
  ASSERT(theirs->n_attributes == ours->attribute_count);
  if (ours->trace_id.len > 0) oracle_bytes(theirs->trace_id, ours->trace_id);
  if (ours->span_id.len > 0) oracle_bytes(theirs->span_id, ours->span_id);
  if (oracle_count(ours->bytes, 5) < 2) oracle_any_value(theirs->body, &ours->body);
  oracle_attributes(theirs->n_attributes, theirs->attributes, otlp_fields(ours->bytes, OTLP_LOG_ATTRIBUTES));
}

static inline void oracle_compare_resource(const Opentelemetry__Proto__Resource__V1__Resource *theirs,
                                           struct slice level, struct slice ours) {
  if (oracle_count(level, 1) > 1) return;
  oracle_attributes(theirs ? theirs->n_attributes : 0, theirs ? theirs->attributes : NULL,
                    otlp_fields(ours, OTLP_RESOURCE_ATTRIBUTES));
}

static inline void oracle_compare_scope(const Opentelemetry__Proto__Common__V1__InstrumentationScope *theirs,
                                        struct slice level, struct slice ours) {
  if (oracle_count(level, 1) > 1) return;
  oracle_attributes(theirs ? theirs->n_attributes : 0, theirs ? theirs->attributes : NULL,
                    otlp_fields(ours, OTLP_SCOPE_ATTRIBUTES));
}

static inline void oracle_compare_traces(const oracle_traces *theirs, struct otlp_scan *scan) {
  struct otlp_field_iter resources = otlp_fields(scan->payload, 1);
  struct otlp_item item;
  uint32_t scope_index = 0;
  for (size_t r = 0; r < theirs->n_resource_spans; r++) {
    struct slice level, scope_level;
    ASSERT(otlp_field_next(&resources, &level));
    struct otlp_field_iter scopes = otlp_fields(level, 2);
    for (size_t s = 0; s < theirs->resource_spans[r]->n_scope_spans; s++, scope_index++) {
      ASSERT(otlp_field_next(&scopes, &scope_level));
      for (size_t i = 0; i < theirs->resource_spans[r]->scope_spans[s]->n_spans; i++) {
        ASSERT(otlp_scan_next(scan, &item, NULL) == STATUS_OK);
        ASSERT(item.resource_index == r && item.scope_index == scope_index);
        oracle_compare_resource(theirs->resource_spans[r]->resource, level, item.resource);
        oracle_compare_scope(theirs->resource_spans[r]->scope_spans[s]->scope, scope_level, item.scope);
        oracle_compare_span(theirs->resource_spans[r]->scope_spans[s]->spans[i], &item);
      }
    }
  }
  ASSERT(otlp_scan_next(scan, &item, NULL) == STATUS_END);
}

static inline void oracle_compare_logs(const oracle_logs *theirs, struct otlp_scan *scan) {
  struct otlp_field_iter resources = otlp_fields(scan->payload, 1);
  struct otlp_item item;
  uint32_t scope_index = 0;
  for (size_t r = 0; r < theirs->n_resource_logs; r++) {
    struct slice level, scope_level;
    ASSERT(otlp_field_next(&resources, &level));
    struct otlp_field_iter scopes = otlp_fields(level, 2);
    for (size_t s = 0; s < theirs->resource_logs[r]->n_scope_logs; s++, scope_index++) {
      ASSERT(otlp_field_next(&scopes, &scope_level));
      for (size_t i = 0; i < theirs->resource_logs[r]->scope_logs[s]->n_log_records; i++) {
        ASSERT(otlp_scan_next(scan, &item, NULL) == STATUS_OK);
        ASSERT(item.resource_index == r && item.scope_index == scope_index);
        oracle_compare_resource(theirs->resource_logs[r]->resource, level, item.resource);
        oracle_compare_scope(theirs->resource_logs[r]->scope_logs[s]->scope, scope_level, item.scope);
        oracle_compare_log(theirs->resource_logs[r]->scope_logs[s]->log_records[i], &item);
      }
    }
  }
  ASSERT(otlp_scan_next(scan, &item, NULL) == STATUS_END);
}

static inline bool oracle_attributes_in_pieces(struct otlp_field_iter pairs);

static inline bool oracle_any_in_pieces(struct slice any) {
  struct otlp_field_iter lists[2] = {otlp_fields(any, 5), otlp_fields(any, 6)};
  struct slice list, element;
  while (otlp_field_next(&lists[0], &list)) {
    struct otlp_field_iter elements = otlp_fields(list, 1);
    while (otlp_field_next(&elements, &element)) {
      if (oracle_any_in_pieces(element)) return true;
    }
  }
  while (otlp_field_next(&lists[1], &list)) {
    if (oracle_attributes_in_pieces(otlp_fields(list, 1))) return true;
  }
  return false;
}

static inline bool oracle_attributes_in_pieces(struct otlp_field_iter pairs) {
  struct slice pair, value;
  while (otlp_field_next(&pairs, &pair)) {
    struct otlp_field_iter values = otlp_fields(pair, 2);
    if (oracle_count(pair, 2) > 1) return true;
    while (otlp_field_next(&values, &value)) {
      if (oracle_any_in_pieces(value)) return true;
    }
  }
  return false;
}

// True when the field `single` of the message, or a value among its attributes, is in pieces.
static inline bool oracle_in_pieces(struct slice message, uint32_t single, uint32_t attributes) {
  return oracle_count(message, single) > 1 || oracle_attributes_in_pieces(otlp_fields(message, attributes));
}

static inline bool oracle_item_in_pieces(enum otlp_signal signal, struct slice item) {
  struct otlp_field_iter events = otlp_fields(item, OTLP_SPAN_EVENTS), links = otlp_fields(item, OTLP_SPAN_LINKS);
  struct slice content;
  if (signal == OTLP_LOGS) {
    struct otlp_field_iter bodies = otlp_fields(item, 5);
    while (otlp_field_next(&bodies, &content)) {
      if (oracle_any_in_pieces(content)) return true;
    }
    return oracle_in_pieces(item, 5, OTLP_LOG_ATTRIBUTES);
  }
  while (otlp_field_next(&events, &content)) {
    if (oracle_attributes_in_pieces(otlp_fields(content, OTLP_EVENT_ATTRIBUTES))) return true;
  }
  while (otlp_field_next(&links, &content)) {
    if (oracle_attributes_in_pieces(otlp_fields(content, OTLP_LINK_ATTRIBUTES))) return true;
  }
  return oracle_in_pieces(item, 15, OTLP_SPAN_ATTRIBUTES);
}

static inline bool oracle_head_in_pieces(struct slice level, uint32_t attributes) {
  struct otlp_field_iter heads = otlp_fields(level, 1);
  struct slice head;
  while (otlp_field_next(&heads, &head)) {
    if (oracle_attributes_in_pieces(otlp_fields(head, attributes))) return true;
  }
  return oracle_count(level, 1) > 1;
}

static inline bool oracle_request_in_pieces(enum otlp_signal signal, struct slice payload) {
  struct otlp_field_iter resources = otlp_fields(payload, 1);
  struct slice level, scope_level, item;
  while (otlp_field_next(&resources, &level)) {
    if (oracle_head_in_pieces(level, OTLP_RESOURCE_ATTRIBUTES)) return true;
    struct otlp_field_iter scopes = otlp_fields(level, 2);
    while (otlp_field_next(&scopes, &scope_level)) {
      if (oracle_head_in_pieces(scope_level, OTLP_SCOPE_ATTRIBUTES)) return true;
      struct otlp_field_iter items = otlp_fields(scope_level, 2);
      while (otlp_field_next(&items, &item)) {
        if (oracle_item_in_pieces(signal, item)) return true;
      }
    }
  }
  return false;
}

// What a scan said: how it ended, and what it reported through a filter that lets about half of all keys pass.
struct oracle_account {
  enum status status;
  uint32_t items, reported;
  uint64_t reports; // all of them, hashed, and what is said of spans
  struct error error;
};

static inline void oracle_hash(struct oracle_account *account, struct slice bytes) {
  for (size_t i = 0; i < bytes.len; i++) account->reports = (account->reports ^ bytes.ptr[i]) * UINT64_C(0x100000001b3);
  account->reports += bytes.len + 1;
}

static inline void oracle_note(void *context, enum otlp_owner owner, const struct otlp_attribute *attribute) {
  struct oracle_account *account = context;
  account->reported++;
  oracle_hash(account, attribute->key);
  if (attribute->value.kind == OTLP_ANY_STRING) oracle_hash(account, attribute->value.bytes);
  account->reports += (uint64_t)owner + 1 + (uint64_t)attribute->value.kind * 16 + (uint64_t)attribute->value.i64;
}

static inline void oracle_hash_span(struct oracle_account *account, const struct otlp_span *span) {
  const uint64_t numbers[] = {span->start_ns,    span->end_ns,     span->kind,
                              span->status_code, span->flags,      span->attribute_count,
                              span->event_count, span->link_count, span->has_exception};
  const struct slice slices[] = {span->bytes,       span->trace_id, span->span_id,       span->parent_span_id,
                                 span->trace_state, span->name,     span->status_message};
  for (size_t i = 0; i < sizeof(slices) / sizeof(slices[0]); i++) oracle_hash(account, slices[i]);
  oracle_hash(account, slice_make(numbers, sizeof(numbers)));
}

// quick_end NULL: as the scan has it.
static inline struct oracle_account oracle_scan(enum otlp_signal signal, struct slice payload,
                                                struct otlp_key_memory *keys, const uint8_t *quick_end) {
  struct oracle_account account = {.status = STATUS_OK};
  struct otlp_key_filter filter;
  memset(filter.bits, 0xa6, sizeof(filter.bits));
  struct otlp_scan scan;
  struct otlp_item item;
  otlp_scan_init(&scan, signal, payload, NULL);
  scan.filter = &filter;
  scan.on_attribute = oracle_note;
  scan.context = &account;
  scan.keys = keys;
  if (quick_end) scan.quick_end = quick_end;
  while ((account.status = otlp_scan_next(&scan, &item, &account.error)) == STATUS_OK) {
    account.items++;
    account.reports += item.ids_valid;
    if (signal == OTLP_TRACES) oracle_hash_span(&account, &item.span);
  }
  return account;
}

static inline bool oracle_every_key_is_plain(const void *context, struct slice key) {
  (void)context;
  ASSERT(key.len > 0);
  return true;
}

static inline void oracle_same(const struct oracle_account *a, const struct oracle_account *b) {
  ASSERT(a->status == b->status && a->items == b->items);
  ASSERT(a->reported == b->reported && a->reports == b->reports);
  ASSERT(a->status == STATUS_END || strcmp(a->error.text, b->error.text) == 0);
}

// A scan that never takes a short cut says what one says that takes every one it can: while it learns the keys, and
// when it knows them; and whatever stands behind the payload, of which blocks are read here and which is not looked at.
static inline void oracle_short_cuts_change_nothing(enum otlp_signal signal, struct slice payload) {
  enum { BEHIND = 300 };
  uint8_t *roomy = malloc(payload.len + BEHIND);
  ASSERT(roomy);
  if (payload.len > 0) memcpy(roomy, payload.ptr, payload.len);
  for (size_t i = 0; i < BEHIND; i++) roomy[payload.len + i] = (uint8_t)(i * 83 + 0x4a);
  struct slice copy = slice_make(roomy, payload.len);
  struct oracle_account plain = oracle_scan(signal, payload, NULL, payload.ptr);
  struct oracle_account blocks = oracle_scan(signal, copy, NULL, wire_end(copy));
  struct otlp_key_memory keys;
  memset(&keys, 0, sizeof(keys));
  oracle_same(&plain, &blocks);
  for (int round = 0; round < 4; round++) {
    otlp_key_memory_begin(&keys, oracle_every_key_is_plain, NULL, 1);
    struct oracle_account with_memory =
        round % 2 ? oracle_scan(signal, payload, &keys, NULL) : oracle_scan(signal, copy, &keys, wire_end(copy));
    oracle_same(&plain, &with_memory);
  }
  free(roomy);
}

// Scans to the end; when the scan accepts, asks protobuf-c and compares. *out_items and error may be NULL.
static inline bool otlp_oracle_accepts(enum otlp_signal signal, struct slice payload, uint32_t *out_items,
                                       struct error *error) {
  struct otlp_scan scan;
  struct otlp_item item;
  uint32_t items = 0;
  enum status status;
  oracle_short_cuts_change_nothing(signal, payload);
  otlp_scan_init(&scan, signal, payload, NULL);
  while ((status = otlp_scan_next(&scan, &item, error)) == STATUS_OK) ASSERT(item.index == items++);
  if (status != STATUS_END) return false;
  otlp_scan_init(&scan, signal, payload, NULL);
  if (signal == OTLP_TRACES) {
    oracle_traces *theirs = opentelemetry__proto__collector__trace__v1__export_trace_service_request__unpack(
        NULL, payload.len, payload.ptr);
    ASSERT(theirs || oracle_request_in_pieces(signal, payload));
    if (theirs) oracle_compare_traces(theirs, &scan);
    if (theirs) opentelemetry__proto__collector__trace__v1__export_trace_service_request__free_unpacked(theirs, NULL);
  } else {
    oracle_logs *theirs =
        opentelemetry__proto__collector__logs__v1__export_logs_service_request__unpack(NULL, payload.len, payload.ptr);
    ASSERT(theirs || oracle_request_in_pieces(signal, payload));
    if (theirs) oracle_compare_logs(theirs, &scan);
    if (theirs) opentelemetry__proto__collector__logs__v1__export_logs_service_request__free_unpacked(theirs, NULL);
  }
  if (out_items) *out_items = items;
  return true;
}

#endif
