// SPDX-License-Identifier: Apache-2.0
//
// The single-pass wire scan of an ExportTraceServiceRequest or ExportLogsServiceRequest (OTLP proto 1.11.0): it
// validates and yields views, copies nothing and builds no tree.
//
// otlp_scan_next validates the whole item it yields, attributes included: wire types of known fields, length bounds,
// nesting of AnyValue (limit depth_max), valid UTF-8 in every string field and nothing left over. Unknown fields are
// skipped by wire type (groups, wire types 3 and 4, are invalid). Field 1000 (pre-1.0 instrumentation library lists) is
// an unknown field: carried along, not read. Where a singular field appears twice the last one wins. A resource or
// scope written after its children is found all the same.
//
// Views point into the payload and live as long as it does. Pure functions without state beyond the struct; any thread.
#ifndef PROTO_OTLP_SCAN_H
#define PROTO_OTLP_SCAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"

enum otlp_signal { OTLP_TRACES, OTLP_LOGS, OTLP_METRICS };
const char *otlp_signal_name(enum otlp_signal signal); // "traces", "logs", "metrics"

#define OTLP_TRACE_ID_BYTES 16
#define OTLP_SPAN_ID_BYTES  8
#define OTLP_SEVERITY_WARN  13
#define OTLP_SEVERITY_ERROR 17
#define OTLP_SEVERITY_FATAL 21
#define OTLP_STATUS_ERROR   2

#define OTLP_DEPTH_CEILING 64
struct otlp_limits {
  uint32_t depth_max;      // AnyValue nesting, default 30, at most OTLP_DEPTH_CEILING
  uint32_t items_max;      // spans or log records in a request, default 100 000
  uint32_t attributes_max; // of everything in a request, array elements and nested members included, default 1 000 000
};
extern const struct otlp_limits otlp_limits_default;

// AnyValue. Strings, bytes, arrays and kvlists keep their content bytes.
enum otlp_any_kind {
  OTLP_ANY_EMPTY, // no value set, or only the profiles-only strindex field
  OTLP_ANY_STRING,
  OTLP_ANY_BOOL,
  OTLP_ANY_I64,
  OTLP_ANY_DOUBLE,
  OTLP_ANY_ARRAY,  // bytes: ArrayValue message
  OTLP_ANY_KVLIST, // bytes: KeyValueList message
  OTLP_ANY_BYTES,
};
struct otlp_any {
  enum otlp_any_kind kind;
  bool boolean;
  int64_t i64;
  double f64;
  struct slice bytes;
};
struct otlp_attribute {
  struct slice key;
  struct otlp_any value;
};

// Walks length-delimited fields with one number inside validated message bytes.
struct otlp_field_iter {
  struct slice rest;
  uint32_t field;
};
struct otlp_field_iter otlp_fields(struct slice message, uint32_t field);
bool otlp_field_next(struct otlp_field_iter *iter, struct slice *out_content);
// The same for KeyValue fields, decoded. Resource and InstrumentationScope attributes: see the numbers below.
bool otlp_attribute_next(struct otlp_field_iter *iter, struct otlp_attribute *out_attribute);
// One KeyValue message, decoded.
struct otlp_attribute otlp_attribute_of(struct slice key_value);
// The attribute `key` (the first one), false when absent.
bool otlp_attribute_find(struct slice message, uint32_t field, struct slice key, struct otlp_any *out_value);
// Elements of an OTLP_ANY_ARRAY: for (iter = otlp_any_elements(any); otlp_any_next(&iter, &element);)
struct otlp_field_iter otlp_any_elements(struct otlp_any array);
bool otlp_any_next(struct otlp_field_iter *iter, struct otlp_any *out_element);
// Members of an OTLP_ANY_KVLIST, for otlp_attribute_next.
struct otlp_field_iter otlp_any_members(struct otlp_any kvlist);

enum {
  OTLP_RESOURCE_ATTRIBUTES = 1,
  OTLP_SCOPE_ATTRIBUTES = 3,
  OTLP_SPAN_ATTRIBUTES = 9,
  OTLP_SPAN_EVENTS = 11,
  OTLP_SPAN_LINKS = 13,
  OTLP_EVENT_ATTRIBUTES = 3,
  OTLP_LINK_ATTRIBUTES = 4,
  OTLP_LOG_ATTRIBUTES = 6,
};

struct otlp_span {
  struct slice bytes; // the Span message
  struct slice trace_id, span_id, parent_span_id;
  struct slice trace_state, name, status_message;
  uint64_t start_ns, end_ns; // Unix epoch
  uint32_t kind;             // Span.SpanKind as sent
  uint32_t status_code;      // Status.StatusCode as sent
  uint32_t flags;
  uint32_t attribute_count, event_count, link_count;
  bool has_exception; // an event named exactly "exception"
};

struct otlp_span_event {
  struct slice bytes; // the Span.Event message
  uint64_t time_ns;
  struct slice name;
};
bool otlp_span_event_next(struct otlp_field_iter *iter, struct otlp_span_event *out_event);

struct otlp_span_link {
  struct slice bytes; // the Span.Link message
  struct slice trace_id, span_id, trace_state;
  uint32_t flags;
};
bool otlp_span_link_next(struct otlp_field_iter *iter, struct otlp_span_link *out_link);

struct otlp_log {
  struct slice bytes; // the LogRecord message
  uint64_t time_ns, observed_ns;
  uint32_t severity_number; // as sent, 0 unspecified
  struct slice severity_text;
  struct otlp_any body;
  struct slice trace_id, span_id; // empty when absent, of a wrong length or all zero ("not associated")
  struct slice event_name;
  uint32_t flags;
  uint32_t attribute_count;
  bool has_exception; // an attribute exception.type, exception.message or exception.stacktrace
};

struct otlp_item {
  struct slice resource;                // Resource message bytes, empty when absent
  struct slice scope;                   // InstrumentationScope message bytes, empty when absent
  uint32_t resource_index, scope_index; // counted over the request from 0; scope_index does not restart per resource
  uint32_t index;                       // of the item over the whole request, from 0
  bool ids_valid; // traces: trace id 16 bytes and span id 8 bytes, neither all zero; logs: always true
  union {
    struct otlp_span span;
    struct otlp_log log;
  };
};

// What a scan may be asked to report while it walks attributes anyway, so that nothing needs a second pass. For each
// attribute whose key could be wanted (otlp_key_filter) the function is called, for resource attributes once per
// resource, before the items of that resource. An item that turns out invalid may have reported attributes already.
enum otlp_owner { OTLP_OWNER_RESOURCE, OTLP_OWNER_SCOPE, OTLP_OWNER_SPAN, OTLP_OWNER_SPAN_EVENT, OTLP_OWNER_LOG };
struct otlp_key_filter {
  uint64_t bits[16]; // a Bloom filter over (length, first and last byte); false positives happen
};
void otlp_key_filter_add(struct otlp_key_filter *filter, struct slice key);
typedef void (*otlp_attribute_fn)(void *context, enum otlp_owner owner, const struct otlp_attribute *attribute);

// A second thing a scan may be asked: is there a key, at any depth of any attribute or body, that somebody wants? Every
// key is judged once and remembered when it is plain, which nearly all are: the same few dozen keys come in every span,
// most of them in the same order, so that the memory also makes a guess at the next one. What is remembered of a key is
// that it is plain, that it is valid UTF-8, and whether the filter lets it pass.
// One memory per thread, reused from scan to scan with the same filter; it copies the keys.
#define OTLP_KEY_MEMORY_SLOTS     256
#define OTLP_KEY_MEMORY_KEY_BYTES 58 // longer keys are judged each time
typedef bool (*otlp_key_is_plain_fn)(const void *context, struct slice key);
struct otlp_key_memory {
  otlp_key_is_plain_fn is_plain;
  const void *context;
  uint64_t number;
  struct otlp_known_key {
    uint8_t head[OTLP_KEY_MEMORY_KEY_BYTES + 3]; // of its attribute: tag, length, the key, tag of the value
    uint8_t head_len;                            // 0: free
    uint8_t next;                                // slot of the key that followed it last time
    bool wanted;                                 // passes the scan's filter
  } known[OTLP_KEY_MEMORY_SLOTS];
  bool met;     // a key that is not plain was met since otlp_key_memory_begin
  uint8_t last; // slot of the attribute key met last
};
// Before each scan. What was remembered is forgotten when `number`, which names the judge's rules, has changed; a
// zeroed memory remembers nothing.
void otlp_key_memory_begin(struct otlp_key_memory *memory, otlp_key_is_plain_fn is_plain, const void *context,
                           uint64_t number);

// Where and why a scan stopped.
struct otlp_fault {
  enum status status; // STATUS_OK: none; STATUS_END: behind the last item
  const char *reason;
  const char *path[8]; // field names, innermost first
  uint32_t path_count;
  uint64_t offset; // into the payload
};

struct otlp_scan {
  enum otlp_signal signal;
  const struct otlp_limits *limits;
  const struct otlp_key_filter *filter; // NULL: never call
  otlp_attribute_fn on_attribute;
  void *context;
  struct otlp_key_memory *keys; // NULL: keys are not judged
  // The rest is the scan's own.
  struct slice payload, request_rest, resource_rest, scope_rest, resource, scope;
  const uint8_t *quick_end;                         // before it, blocks can be read (wire_block)
  uint32_t resource_count, scope_count, item_count; // met so far
  uint32_t attributes_left;                         // that may be met
  struct otlp_fault fault;
};

// signal is OTLP_TRACES or OTLP_LOGS. limits NULL takes the defaults; they and the payload must outlive the scan. Set
// filter, on_attribute and context afterwards where they are wanted.
void otlp_scan_init(struct otlp_scan *scan, enum otlp_signal signal, struct slice payload,
                    const struct otlp_limits *limits);
// STATUS_OK and an item, which is written in place: it is not to be read after anything else. STATUS_END behind the
// last one (everything, empty resources too, has then been validated); STATUS_INVALID with the field and the byte
// offset in `error` ("resource_spans.scope_spans.spans.name: invalid UTF-8 at byte 812"); STATUS_TOO_LARGE over
// items_max or attributes_max. Stays at END or the failure.
enum status otlp_scan_next(struct otlp_scan *scan, struct otlp_item *out_item, struct error *error);

// Validates bytes as ExportMetricsServiceRequest only as far as message framing and counting data points go: for the
// answer, metrics are passed on as they came. out_points may be NULL.
enum status otlp_scan_metrics(struct slice payload, uint64_t *out_points, struct error *error);

// "service.name" and friends: a string attribute of a Resource, empty slice when absent or not a string.
struct slice otlp_resource_string(struct slice resource, const char *key);

#endif
