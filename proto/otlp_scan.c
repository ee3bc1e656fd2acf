// SPDX-License-Identifier: Apache-2.0
//
// Three levels of messages lie above an item:
//
//   request ── 1 ──> ResourceSpans ── 2 ──> ScopeSpans ── 2 ──> Span
//              1 ──> ResourceLogs  ── 2 ──> ScopeLogs  ── 2 ──> LogRecord
//                        1 resource            1 scope
//                        3 schema_url          3 schema_url
//
// The scan keeps the unread rest of each level. On entering a level its fields are walked once without looking into the
// next one: that validates everything but the children, and finds a resource or scope written behind them. Then the
// children are pulled one at a time. So each byte of an item is read once, by the check of the message it belongs to;
// there is no tree and nothing to free.
//
// A fault is noted once in scan->fault, with the byte it was met at; each caller on the way out adds the name of its
// field.
#include "proto/otlp_scan.h"

#include "proto/otlp_any.h"
#include "proto/wire.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define NOINLINE     __attribute__((noinline)) // each has its own registers
#define MESSAGE(...)                                                                                                   \
  { .fields = (const char *const[]){__VA_ARGS__}, .count = COUNT(((const char *const[]){__VA_ARGS__})) }

const struct otlp_limits otlp_limits_default = {.depth_max = 30, .items_max = 100000, .attributes_max = 1000000};

static const struct otlp_message resource_message =
    MESSAGE([1] = "attributes", [2] = "dropped_attributes_count", [3] = "entity_refs");
static const struct otlp_message entity_ref_message =
    MESSAGE([1] = "schema_url", [2] = "type", [3] = "id_keys", [4] = "description_keys");
static const struct otlp_message scope_message =
    MESSAGE([1] = "name", [2] = "version", [3] = "attributes", [4] = "dropped_attributes_count");
static const struct otlp_message span_message =
    MESSAGE([1] = "trace_id", [2] = "span_id", [3] = "trace_state", [4] = "parent_span_id", [5] = "name", [6] = "kind",
            [7] = "start_time_unix_nano", [8] = "end_time_unix_nano", [9] = "attributes",
            [10] = "dropped_attributes_count", [11] = "events", [12] = "dropped_events_count", [13] = "links",
            [14] = "dropped_links_count", [15] = "status", [16] = "flags");
static const struct otlp_message event_message =
    MESSAGE([1] = "time_unix_nano", [2] = "name", [3] = "attributes", [4] = "dropped_attributes_count");
static const struct otlp_message link_message =
    MESSAGE([1] = "trace_id", [2] = "span_id", [3] = "trace_state", [4] = "attributes",
            [5] = "dropped_attributes_count", [6] = "flags");
static const struct otlp_message status_message = MESSAGE([2] = "message", [3] = "code");
static const struct otlp_message log_message =
    MESSAGE([1] = "time_unix_nano", [2] = "severity_number", [3] = "severity_text", [5] = "body", [6] = "attributes",
            [7] = "dropped_attributes_count", [8] = "flags", [9] = "trace_id", [10] = "span_id",
            [11] = "observed_time_unix_nano", [12] = "event_name");

// The three levels above an item, by signal.
static const struct otlp_message request_messages[] = {
    [OTLP_TRACES] = MESSAGE([1] = "resource_spans"),
    [OTLP_LOGS] = MESSAGE([1] = "resource_logs"),
};
static const struct otlp_message resource_level_messages[] = {
    [OTLP_TRACES] = MESSAGE([1] = "resource", [2] = "scope_spans", [3] = "schema_url"),
    [OTLP_LOGS] = MESSAGE([1] = "resource", [2] = "scope_logs", [3] = "schema_url"),
};
static const struct otlp_message scope_level_messages[] = {
    [OTLP_TRACES] = MESSAGE([1] = "scope", [2] = "spans", [3] = "schema_url"),
    [OTLP_LOGS] = MESSAGE([1] = "scope", [2] = "log_records", [3] = "schema_url"),
};

const char *otlp_signal_name(enum otlp_signal signal) {
  static const char *const names[] = {[OTLP_TRACES] = "traces", [OTLP_LOGS] = "logs", [OTLP_METRICS] = "metrics"};
  ASSERT((unsigned)signal < COUNT(names));
  return names[signal];
}

// Whose attributes are reported; the scan also walks some that never are.
struct owner {
  bool reported;
  enum otlp_owner is;
};

// One field of attributes: a KeyValue message. NULL when it is malformed; *out_key is its key.
static inline const uint8_t *read_attribute(struct otlp_scan *scan, struct owner owner, const uint8_t *at,
                                            const uint8_t *end, struct slice *out_key) {
  struct slice message;
  bool wanted;
  at = wire_bytes(at, end, &message);
  if (!at || !otlp_any_check_key_value(scan, message, out_key, &wanted)) return NULL;
  if (wanted && owner.reported) {
    struct otlp_attribute attribute = otlp_any_decode_key_value(message);
    scan->on_attribute(scan->context, owner.is, &attribute);
  }
  return at;
}

static bool check_entity_ref(struct otlp_scan *scan, struct slice message) {
  const uint8_t *at = message.ptr, *end = wire_end(message);
  struct slice text;
  while (at != end) {
    const uint8_t *field = at;
    uint32_t tag = 0;
    at = wire_tag(at, end, &tag);
    if (at && (tag & 7) == WIRE_BYTES && tag < WIRE_TAG(5, 0)) {
      at = otlp_any_string(scan, at, end, &text);
    } else if (at) {
      at = otlp_any_unknown(scan, &entity_ref_message, tag, at, end);
    }
    if (!at) return otlp_any_fail(scan, &entity_ref_message, tag, field);
  }
  return true;
}

static bool check_resource(struct otlp_scan *scan, struct slice message, bool reported) {
  const struct owner owner = {reported, OTLP_OWNER_RESOURCE};
  const uint8_t *at = message.ptr, *end = wire_end(message);
  struct slice content;
  uint32_t number;
  while (at != end) {
    const uint8_t *field = at;
    uint32_t tag = 0;
    at = wire_tag(at, end, &tag);
    if (!at) return otlp_any_fail(scan, &resource_message, tag, field);
    switch (tag) {
    case WIRE_TAG(1, WIRE_BYTES): at = read_attribute(scan, owner, at, end, &content); break;
    case WIRE_TAG(2, WIRE_VARINT): at = wire_varint32(at, end, &number); break;
    case WIRE_TAG(3, WIRE_BYTES):
      at = wire_bytes(at, end, &content);
      if (at && !check_entity_ref(scan, content)) at = NULL;
      break;
    default: at = otlp_any_unknown(scan, &resource_message, tag, at, end);
    }
    if (!at) return otlp_any_fail(scan, &resource_message, tag, field);
  }
  return true;
}

static bool check_scope(struct otlp_scan *scan, struct slice message, bool reported) {
  const struct owner owner = {reported, OTLP_OWNER_SCOPE};
  const uint8_t *at = message.ptr, *end = wire_end(message);
  struct slice content;
  uint32_t number;
  while (at != end) {
    const uint8_t *field = at;
    uint32_t tag = 0;
    at = wire_tag(at, end, &tag);
    if (!at) return otlp_any_fail(scan, &scope_message, tag, field);
    switch (tag) {
    case WIRE_TAG(1, WIRE_BYTES):
    case WIRE_TAG(2, WIRE_BYTES): at = otlp_any_string(scan, at, end, &content); break;
    case WIRE_TAG(3, WIRE_BYTES): at = read_attribute(scan, owner, at, end, &content); break;
    case WIRE_TAG(4, WIRE_VARINT): at = wire_varint32(at, end, &number); break;
    default: at = otlp_any_unknown(scan, &scope_message, tag, at, end);
    }
    if (!at) return otlp_any_fail(scan, &scope_message, tag, field);
  }
  return true;
}

NOINLINE static bool check_event(struct otlp_scan *scan, struct slice message, bool *out_exception) {
  const struct owner owner = {true, OTLP_OWNER_SPAN_EVENT};
  const uint8_t *at = message.ptr, *end = wire_end(message);
  struct slice name = {NULL, 0}, key;
  uint64_t time;
  uint32_t number;
  while (at != end) {
    const uint8_t *field = at;
    uint32_t tag = 0;
    at = wire_tag(at, end, &tag);
    if (!at) return otlp_any_fail(scan, &event_message, tag, field);
    switch (tag) {
    case WIRE_TAG(1, WIRE_FIXED64): at = wire_fixed64(at, end, &time); break;
    case WIRE_TAG(2, WIRE_BYTES): at = otlp_any_string(scan, at, end, &name); break;
    case WIRE_TAG(OTLP_EVENT_ATTRIBUTES, WIRE_BYTES): at = read_attribute(scan, owner, at, end, &key); break;
    case WIRE_TAG(4, WIRE_VARINT): at = wire_varint32(at, end, &number); break;
    default: at = otlp_any_unknown(scan, &event_message, tag, at, end);
    }
    if (!at) return otlp_any_fail(scan, &event_message, tag, field);
  }
  if (slice_equal(name, SLICE_LITERAL("exception"))) *out_exception = true;
  return true;
}

NOINLINE static bool check_link(struct otlp_scan *scan, struct slice message) {
  const struct owner owner = {.reported = false};
  const uint8_t *at = message.ptr, *end = wire_end(message);
  struct slice content;
  uint32_t number;
  while (at != end) {
    const uint8_t *field = at;
    uint32_t tag = 0;
    at = wire_tag(at, end, &tag);
    if (!at) return otlp_any_fail(scan, &link_message, tag, field);
    switch (tag) {
    case WIRE_TAG(1, WIRE_BYTES):
    case WIRE_TAG(2, WIRE_BYTES): at = wire_bytes(at, end, &content); break;
    case WIRE_TAG(3, WIRE_BYTES): at = otlp_any_string(scan, at, end, &content); break;
    case WIRE_TAG(OTLP_LINK_ATTRIBUTES, WIRE_BYTES): at = read_attribute(scan, owner, at, end, &content); break;
    case WIRE_TAG(5, WIRE_VARINT): at = wire_varint32(at, end, &number); break;
    case WIRE_TAG(6, WIRE_FIXED32): at = wire_fixed32(at, end, &number); break;
    default: at = otlp_any_unknown(scan, &link_message, tag, at, end);
    }
    if (!at) return otlp_any_fail(scan, &link_message, tag, field);
  }
  return true;
}

// A status in two pieces is merged, as protobuf merges messages: the fields of a later piece win.
static bool check_status(struct otlp_scan *scan, struct slice message, struct otlp_span *span) {
  const uint8_t *at = message.ptr, *end = wire_end(message);
  while (at != end) {
    const uint8_t *field = at;
    uint32_t tag = 0;
    at = wire_tag(at, end, &tag);
    if (!at) return otlp_any_fail(scan, &status_message, tag, field);
    switch (tag) {
    case WIRE_TAG(2, WIRE_BYTES): at = otlp_any_string(scan, at, end, &span->status_message); break;
    case WIRE_TAG(3, WIRE_VARINT): at = wire_varint32(at, end, &span->status_code); break;
    default: at = otlp_any_unknown(scan, &status_message, tag, at, end);
    }
    if (!at) return otlp_any_fail(scan, &status_message, tag, field);
  }
  return true;
}

static const uint8_t *read_span_field(struct otlp_scan *scan, struct otlp_span *span, uint32_t tag, const uint8_t *at,
                                      const uint8_t *end) {
  const struct owner owner = {true, OTLP_OWNER_SPAN};
  struct slice content;
  uint32_t number;
  switch (tag) {
  case WIRE_TAG(1, WIRE_BYTES): return wire_bytes(at, end, &span->trace_id);
  case WIRE_TAG(2, WIRE_BYTES): return wire_bytes(at, end, &span->span_id);
  case WIRE_TAG(3, WIRE_BYTES): return otlp_any_string(scan, at, end, &span->trace_state);
  case WIRE_TAG(4, WIRE_BYTES): return wire_bytes(at, end, &span->parent_span_id);
  case WIRE_TAG(5, WIRE_BYTES): return otlp_any_string(scan, at, end, &span->name);
  case WIRE_TAG(6, WIRE_VARINT): return wire_varint32(at, end, &span->kind);
  case WIRE_TAG(7, WIRE_FIXED64): return wire_fixed64(at, end, &span->start_ns);
  case WIRE_TAG(8, WIRE_FIXED64): return wire_fixed64(at, end, &span->end_ns);
  case WIRE_TAG(OTLP_SPAN_ATTRIBUTES, WIRE_BYTES):
    span->attribute_count++;
    return read_attribute(scan, owner, at, end, &content);
  case WIRE_TAG(OTLP_SPAN_EVENTS, WIRE_BYTES):
    span->event_count++;
    at = wire_bytes(at, end, &content);
    return at && check_event(scan, content, &span->has_exception) ? at : NULL;
  case WIRE_TAG(OTLP_SPAN_LINKS, WIRE_BYTES):
    span->link_count++;
    at = wire_bytes(at, end, &content);
    return at && check_link(scan, content) ? at : NULL;
  case WIRE_TAG(10, WIRE_VARINT):
  case WIRE_TAG(12, WIRE_VARINT):
  case WIRE_TAG(14, WIRE_VARINT): return wire_varint32(at, end, &number);
  case WIRE_TAG(15, WIRE_BYTES):
    at = wire_bytes(at, end, &content);
    return at && check_status(scan, content, span) ? at : NULL;
  case WIRE_TAG(16, WIRE_FIXED32): return wire_fixed32(at, end, &span->flags);
  default: return otlp_any_unknown(scan, &span_message, tag, at, end);
  }
}

// Not all zero.
static inline bool is_trace_id(struct slice bytes) {
  uint64_t words[2];
  if (bytes.len != OTLP_TRACE_ID_BYTES) return false;
  memcpy(words, bytes.ptr, sizeof words);
  return (words[0] | words[1]) != 0;
}

static inline bool is_span_id(struct slice bytes) {
  uint64_t word;
  if (bytes.len != OTLP_SPAN_ID_BYTES) return false;
  memcpy(&word, bytes.ptr, sizeof word);
  return word != 0;
}

static inline bool has_field(const uint8_t *at, uint32_t tag, uint8_t len) {
  return at[0] == tag && at[1] == len;
}

// The fields before the attributes, as nearly every sender writes them: in order, each at most once, ids of the right
// length, a short ASCII name. Behind the last one read so, which may lie behind the end of the span: then nothing of it
// is true. Reads at most 18 + 2 * 10 + 2 + 127 + 2 + 2 * 9 bytes, and a block.
static inline const uint8_t *read_span_start(struct otlp_span *span, const uint8_t *at) {
  if (has_field(at, WIRE_TAG(1, WIRE_BYTES), OTLP_TRACE_ID_BYTES)) {
    span->trace_id = slice_make(at + 2, OTLP_TRACE_ID_BYTES);
    at += 2 + OTLP_TRACE_ID_BYTES;
  }
  if (has_field(at, WIRE_TAG(2, WIRE_BYTES), OTLP_SPAN_ID_BYTES)) {
    span->span_id = slice_make(at + 2, OTLP_SPAN_ID_BYTES);
    at += 2 + OTLP_SPAN_ID_BYTES;
  }
  if (has_field(at, WIRE_TAG(4, WIRE_BYTES), OTLP_SPAN_ID_BYTES)) {
    span->parent_span_id = slice_make(at + 2, OTLP_SPAN_ID_BYTES);
    at += 2 + OTLP_SPAN_ID_BYTES;
  }
  if (at[0] == WIRE_TAG(5, WIRE_BYTES) && at[1] < 0x80 && wire_block_is_ascii(at + 2, at[1])) {
    span->name = slice_make(at + 2, at[1]);
    at += 2 + at[1];
  }
  if (at[0] == WIRE_TAG(6, WIRE_VARINT) && at[1] < 0x80) {
    span->kind = at[1];
    at += 2;
  }
  if (at[0] == WIRE_TAG(7, WIRE_FIXED64)) at = wire_fixed64(at + 1, at + 9, &span->start_ns);
  if (at[0] == WIRE_TAG(8, WIRE_FIXED64)) at = wire_fixed64(at + 1, at + 9, &span->end_ns);
  return at;
}

// Member by member, none copied from another: a compiler clears a large struct by an instruction that is slow to start,
// and loads what it has just stored in two parts, for which the processor must wait.
static inline void begin_span(struct otlp_span *span, struct slice message) {
  const struct slice none = {NULL, 0};
  span->bytes = message;
  span->trace_id = none;
  span->span_id = none;
  span->parent_span_id = none;
  span->trace_state = none;
  span->name = none;
  span->status_message = none;
  span->start_ns = 0;
  span->end_ns = 0;
  span->kind = 0;
  span->status_code = 0;
  span->flags = 0;
  span->attribute_count = 0;
  span->event_count = 0;
  span->link_count = 0;
  span->has_exception = false;
}

NOINLINE static bool check_span(struct otlp_scan *scan, struct slice message, struct otlp_item *item) {
  struct otlp_span *span = &item->span;
  const uint8_t *at = message.ptr, *end = wire_end(message);
  begin_span(span, message);
  if (at < scan->quick_end) {
    at = read_span_start(span, at);
    if (at > end) {
      at = message.ptr;
      begin_span(span, message);
    }
  }
  while (at != end) {
    if (*at == WIRE_TAG(OTLP_SPAN_ATTRIBUTES, WIRE_BYTES)) {
      at = otlp_any_quick(scan, at, end, &span->attribute_count);
      if (at == end) break;
    }
    const uint8_t *field = at;
    uint32_t tag = 0;
    at = wire_tag(at, end, &tag);
    if (at) at = read_span_field(scan, span, tag, at, end);
    if (!at) return otlp_any_fail(scan, &span_message, tag, field);
  }
  item->ids_valid = is_trace_id(span->trace_id) && is_span_id(span->span_id);
  return true;
}

static bool is_exception_key(struct slice key) {
  return slice_equal(key, SLICE_LITERAL("exception.type")) || slice_equal(key, SLICE_LITERAL("exception.message")) ||
         slice_equal(key, SLICE_LITERAL("exception.stacktrace"));
}

static const uint8_t *read_log_field(struct otlp_scan *scan, struct otlp_log *log, uint32_t tag, const uint8_t *at,
                                     const uint8_t *end) {
  const struct owner owner = {true, OTLP_OWNER_LOG};
  struct slice content;
  uint32_t number;
  switch (tag) {
  case WIRE_TAG(1, WIRE_FIXED64): return wire_fixed64(at, end, &log->time_ns);
  case WIRE_TAG(2, WIRE_VARINT): return wire_varint32(at, end, &log->severity_number);
  case WIRE_TAG(3, WIRE_BYTES): return otlp_any_string(scan, at, end, &log->severity_text);
  case WIRE_TAG(5, WIRE_BYTES):
    at = wire_bytes(at, end, &content);
    if (!at || !otlp_any_check(scan, content)) return NULL;
    log->body = otlp_any_decode(content);
    return at;
  case WIRE_TAG(OTLP_LOG_ATTRIBUTES, WIRE_BYTES):
    log->attribute_count++;
    at = read_attribute(scan, owner, at, end, &content);
    if (at && !log->has_exception) log->has_exception = is_exception_key(content);
    return at;
  case WIRE_TAG(7, WIRE_VARINT): return wire_varint32(at, end, &number);
  case WIRE_TAG(8, WIRE_FIXED32): return wire_fixed32(at, end, &log->flags);
  case WIRE_TAG(9, WIRE_BYTES): return wire_bytes(at, end, &log->trace_id);
  case WIRE_TAG(10, WIRE_BYTES): return wire_bytes(at, end, &log->span_id);
  case WIRE_TAG(11, WIRE_FIXED64): return wire_fixed64(at, end, &log->observed_ns);
  case WIRE_TAG(12, WIRE_BYTES): return otlp_any_string(scan, at, end, &log->event_name);
  default: return otlp_any_unknown(scan, &log_message, tag, at, end);
  }
}

NOINLINE static bool check_log(struct otlp_scan *scan, struct slice message, struct otlp_item *item) {
  struct otlp_log *log = &item->log;
  const uint8_t *at = message.ptr, *end = wire_end(message);
  *log = (struct otlp_log){.bytes = message};
  while (at != end) {
    const uint8_t *field = at;
    uint32_t tag = 0;
    at = wire_tag(at, end, &tag);
    if (at) at = read_log_field(scan, log, tag, at, end);
    if (!at) return otlp_any_fail(scan, &log_message, tag, field);
  }
  // An unusable id on a log means "not associated", not a fault.
  if (!is_trace_id(log->trace_id)) log->trace_id = (struct slice){NULL, 0};
  if (!is_span_id(log->span_id)) log->span_id = (struct slice){NULL, 0};
  item->ids_valid = true;
  return true;
}

// Walks a ResourceSpans or ScopeSpans (or Logs) message without entering its children: checks all else and finds the
// head, which is the Resource or InstrumentationScope written last. Attributes of a head that is overruled are not
// reported.
static bool enter(struct otlp_scan *scan, const struct otlp_message *level, struct slice message,
                  bool (*check_head)(struct otlp_scan *, struct slice, bool), struct slice *out_head) {
  const uint8_t *at = message.ptr, *end = wire_end(message);
  struct slice head = {NULL, 0}, content;
  bool has_head = false;
  while (at != end) {
    const uint8_t *field = at;
    uint32_t tag = 0;
    at = wire_tag(at, end, &tag);
    if (!at) return otlp_any_fail(scan, level, tag, field);
    switch (tag) {
    case WIRE_TAG(1, WIRE_BYTES):
      if (has_head && !check_head(scan, head, false)) return otlp_any_within(scan, level->fields[1]);
      at = wire_bytes(at, end, &head);
      has_head = true;
      break;
    case WIRE_TAG(2, WIRE_BYTES): at = wire_bytes(at, end, &content); break;
    case WIRE_TAG(3, WIRE_BYTES): at = otlp_any_string(scan, at, end, &content); break;
    default: at = otlp_any_unknown(scan, level, tag, at, end);
    }
    if (!at) return otlp_any_fail(scan, level, tag, field);
  }
  if (has_head && !check_head(scan, head, true)) return otlp_any_within(scan, level->fields[1]);
  *out_head = head;
  return true;
}

// The next child (field 2) of a message that `enter` has validated; false at its end.
static inline bool next_child(struct slice *rest, struct slice *out_child) {
  const uint8_t *at = rest->ptr, *end = wire_end(*rest);
  // A span that is followed by more: its length has two bytes.
  if (rest->len > 3 && at[0] == WIRE_TAG(2, WIRE_BYTES) && at[1] >= 0x80 && at[2] < 0x80) {
    const size_t len = (size_t)(at[1] & 0x7f) | (size_t)at[2] << 7;
    ASSERT(len <= rest->len - 3);
    *out_child = slice_make(at + 3, len);
    *rest = slice_make(at + 3 + len, rest->len - 3 - len);
    return true;
  }
  while (at != end) {
    uint32_t tag = 0;
    at = wire_tag(at, end, &tag);
    ASSERT(at);
    const bool is_child = tag == WIRE_TAG(2, WIRE_BYTES);
    at = is_child ? wire_bytes(at, end, out_child) : wire_skip(at, end, tag);
    ASSERT(at);
    if (!is_child) continue;
    *rest = slice_make(at, (size_t)(end - at));
    return true;
  }
  *rest = slice_make(end, 0);
  return false;
}

// Takes the next field of the request; enters it when it is a resource. False on a fault.
static bool next_resource(struct otlp_scan *scan) {
  const struct otlp_message *request = &request_messages[scan->signal];
  const uint8_t *at = scan->request_rest.ptr, *end = wire_end(scan->request_rest), *field = at;
  struct slice content;
  uint32_t tag = 0;
  at = wire_tag(at, end, &tag);
  if (!at) return otlp_any_fail(scan, request, tag, field);
  if (tag != WIRE_TAG(1, WIRE_BYTES)) {
    at = otlp_any_unknown(scan, request, tag, at, end);
    if (!at) return otlp_any_fail(scan, request, tag, field);
  } else {
    at = wire_bytes(at, end, &content);
    if (!at) return otlp_any_fail(scan, request, tag, field);
    if (!enter(scan, &resource_level_messages[scan->signal], content, check_resource, &scan->resource)) {
      return otlp_any_within(scan, request->fields[1]);
    }
    scan->resource_rest = content;
    scan->resource_count++;
  }
  scan->request_rest = slice_make(at, (size_t)(end - at));
  return true;
}

static bool enter_scope(struct otlp_scan *scan, struct slice message) {
  if (!enter(scan, &scope_level_messages[scan->signal], message, check_scope, &scan->scope)) {
    otlp_any_within(scan, resource_level_messages[scan->signal].fields[2]);
    return otlp_any_within(scan, request_messages[scan->signal].fields[1]);
  }
  scan->scope_rest = message;
  scan->scope_count++;
  return true;
}

static bool take_item(struct otlp_scan *scan, struct slice message, struct otlp_item *item) {
  bool ok = scan->item_count < scan->limits->items_max;
  if (!ok) {
    otlp_any_fault(scan, STATUS_TOO_LARGE, "more items than the limit", message.ptr);
  } else {
    ok = scan->signal == OTLP_TRACES ? check_span(scan, message, item) : check_log(scan, message, item);
  }
  if (!ok) {
    otlp_any_within(scan, scope_level_messages[scan->signal].fields[2]);
    otlp_any_within(scan, resource_level_messages[scan->signal].fields[2]);
    return otlp_any_within(scan, request_messages[scan->signal].fields[1]);
  }
  item->resource = scan->resource;
  item->scope = scan->scope;
  item->resource_index = scan->resource_count - 1;
  item->scope_index = scan->scope_count - 1;
  item->index = scan->item_count++;
  return true;
}

void otlp_scan_init(struct otlp_scan *scan, enum otlp_signal signal, struct slice payload,
                    const struct otlp_limits *limits) {
  ASSERT(signal == OTLP_TRACES || signal == OTLP_LOGS);
  ASSERT(!limits || limits->depth_max <= OTLP_DEPTH_CEILING);
  if (!limits) limits = &otlp_limits_default;
  *scan = (struct otlp_scan){
      .signal = signal,
      .limits = limits,
      .payload = payload,
      .request_rest = payload,
      .quick_end = payload.len > OTLP_ANY_QUICK_BYTES ? wire_end(payload) - OTLP_ANY_QUICK_BYTES : payload.ptr,
      .attributes_left = limits->attributes_max,
  };
}

enum status otlp_scan_next(struct otlp_scan *scan, struct otlp_item *out_item, struct error *error) {
  struct slice child;
  while (scan->fault.status == STATUS_OK) {
    if (next_child(&scan->scope_rest, &child)) {
      if (take_item(scan, child, out_item)) return STATUS_OK;
    } else if (next_child(&scan->resource_rest, &child)) {
      enter_scope(scan, child);
    } else if (scan->request_rest.len > 0) {
      next_resource(scan);
    } else {
      scan->fault.status = STATUS_END;
    }
  }
  return otlp_any_report(&scan->fault, error);
}
