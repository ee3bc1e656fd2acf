// SPDX-License-Identifier: Apache-2.0
//
// How it works: one walk down the messages that can hold attributes, without recursion. A table says which field of
// which message is a message that is of interest; everything else is copied in runs:
//
//   request ─> ResourceSpans ─> Resource ─────────────────────────> KeyValue ─> AnyValue ─> ArrayValue, KeyValueList …
//                            └> ScopeSpans ─> Scope ──────────────────┘  │
//                                          └> Span ─> (Event, Link) ─────┤
//                                          └> LogRecord ─────────────────┘ (body: AnyValue)
//
// A message that is entered is opened in the output and closed with its new length. The output is thrown away when
// nothing was changed, so it does not matter that lengths are written anew.
//
// What happens to the value of an attribute: under a sensitive key it becomes the string "[Filtered]" (not booleans,
// not empty ones, not counts of language-model tokens). Otherwise the texts in it are read by
//   spans       no rule but the one for IP addresses, when that is on: span attributes are scrubbed by key
//   logs        attributes by the rules for values, bodies by the rules for messages (replace only). A body that is a
//               JSON object is scrubbed member by member.
// exception.message and exception.stacktrace are exempt, as error.value and frame paths are in Sentry events: grouping
// reads them, and both worlds must group alike. So are attributes that name code, SDKs and the user agent.
#include "processor/scrub_internal.h"

#include "proto/wire.h"

#define DEPTH_MAX           (3 * OTLP_DEPTH_CEILING + 8)
#define BODY_JSON_BYTES_MAX (1u << 20)

enum message {
  NONE,
  REQUEST,
  RESOURCE_LEVEL,
  RESOURCE,
  SCOPE_LEVEL,
  SCOPE,
  SPAN,
  EVENT,
  LINK,
  LOG,
  PAIR,
  ANY,
  ARRAY,
  KVLIST
};

enum texts {
  TEXTS_LEFT,
  TEXTS_MESSAGE,
  TEXTS_VALUE,
};

struct open {
  enum message message;
  enum texts texts;
  struct slice rest;
  const uint8_t *run; // behind what has been copied
  struct wire_open_field field;
};

struct walk {
  const struct scrub *scrub;
  enum otlp_signal signal;
  struct buffer *out;
  struct buffer text, message; // of one scrubbed value: as JSON, as text
  struct json_parser *parser;
  bool changed;
  struct open open[DEPTH_MAX];
  uint32_t depth;
};

// The message in field `tag` of a message, NONE when it is of no interest.
static enum message child_of(enum message parent, enum otlp_signal signal, uint32_t tag) {
  const enum message item = signal == OTLP_TRACES ? SPAN : LOG;
  if ((tag & 7) != WIRE_BYTES) return NONE;
  const uint32_t field = tag >> 3;
  switch (parent) {
  case REQUEST: return field == 1 ? RESOURCE_LEVEL : NONE;
  case RESOURCE_LEVEL: return field == 1 ? RESOURCE : field == 2 ? SCOPE_LEVEL : NONE;
  case SCOPE_LEVEL: return field == 1 ? SCOPE : field == 2 ? item : NONE;
  case RESOURCE: return field == OTLP_RESOURCE_ATTRIBUTES ? PAIR : NONE;
  case SCOPE: return field == OTLP_SCOPE_ATTRIBUTES ? PAIR : NONE;
  case SPAN:
    return field == OTLP_SPAN_ATTRIBUTES ? PAIR
           : field == OTLP_SPAN_EVENTS   ? EVENT
           : field == OTLP_SPAN_LINKS    ? LINK
                                         : NONE;
  case EVENT: return field == OTLP_EVENT_ATTRIBUTES ? PAIR : NONE;
  case LINK: return field == OTLP_LINK_ATTRIBUTES ? PAIR : NONE;
  case LOG: return field == OTLP_LOG_ATTRIBUTES ? PAIR : field == 5 ? ANY : NONE;
  case PAIR: return field == 2 ? ANY : NONE;
  case ANY: return field == 5 ? ARRAY : field == 6 ? KVLIST : NONE;
  case ARRAY: return field == 1 ? ANY : NONE;
  case KVLIST: return field == 1 ? PAIR : NONE;
  default: return NONE;
  }
}

static bool is_exempt(struct slice key) {
  static const char *const keys[] = {"exception.message", "exception.stacktrace", "exception.type",
                                     "user_agent.original", "http.user_agent"};
  static const char *const prefixes[] = {
      "code.", "service.", "telemetry.", "user.", "enduser.", "culprit.", "http.request.header.user-agent"};
  for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
    if (slice_equal_cstr(key, keys[i])) return true;
  }
  for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
    if (slice_starts_with(key, slice_from_cstr(prefixes[i]))) return true;
  }
  return false;
}

// How the texts below `message`, in a parent read by `above`, are read.
static enum texts texts_of(const struct walk *walk, enum message message, enum texts above, struct slice key) {
  if (message == LOG) return TEXTS_VALUE;
  if (message == SPAN) return walk->scrub->ip_addresses ? TEXTS_MESSAGE : TEXTS_LEFT;
  if (message == PAIR && is_exempt(key) && !walk->scrub->ip_addresses) return TEXTS_LEFT;
  return above;
}

static void flush(struct walk *walk, struct open *top, const uint8_t *to, const uint8_t *next) {
  if (to > top->run) buffer_append(walk->out, top->run, (size_t)(to - top->run));
  top->run = next;
}

static bool must_go(const struct scrub *scrub, const struct otlp_attribute *attribute) {
  const struct otlp_any *value = &attribute->value;
  if (!scrub_key_is_sensitive(scrub, attribute->key)) return false;
  switch (value->kind) {
  case OTLP_ANY_EMPTY:
  case OTLP_ANY_BOOL: return false;
  case OTLP_ANY_I64:
  case OTLP_ANY_DOUBLE: return !scrub_key_is_count(attribute->key);
  case OTLP_ANY_STRING: return value->bytes.len > 0 && !slice_equal_cstr(value->bytes, SCRUB_FILTERED);
  default: return value->bytes.len > 0;
  }
}

static void put_filtered(struct walk *walk, uint32_t field, struct slice key) {
  struct wire_open_field pair, any;
  wire_open(walk->out, field, key.len + 16, &pair);
  wire_put_bytes_field(walk->out, 1, key);
  wire_open(walk->out, 2, sizeof(SCRUB_FILTERED) + 1, &any);
  wire_put_bytes_field(walk->out, 1, SLICE_LITERAL(SCRUB_FILTERED));
  if (!walk->out->failed) wire_close(walk->out, &any);
  if (!walk->out->failed) wire_close(walk->out, &pair);
}

// A body that is a JSON object goes into walk->text when it had to be changed.
static bool scrub_json_body(struct walk *walk, struct slice text) {
  struct json_value root;
  bool changed = false;
  if (text.len < 2 || text.ptr[0] != '{' || text.ptr[text.len - 1] != '}' || text.len > BODY_JSON_BYTES_MAX)
    return false;
  if (!walk->parser) walk->parser = json_parser_create(BODY_JSON_BYTES_MAX);
  if (json_parse(walk->parser, text, &root, NULL)) return false;
  return scrub_json(walk->scrub, root, &walk->text, &changed) == STATUS_OK && changed;
}

// The string_value `text` of the AnyValue on top; its field is [start, end).
static void scrub_string(struct walk *walk, struct open *top, struct slice text, const uint8_t *start,
                         const uint8_t *end) {
  if (top->texts == TEXTS_LEFT) return;
  buffer_clear(&walk->text);
  buffer_clear(&walk->message);
  const bool is_body = top->texts == TEXTS_MESSAGE && walk->signal == OTLP_LOGS;
  const enum scrub_text_kind kind = top->texts == TEXTS_MESSAGE ? SCRUB_TEXT_MESSAGE : SCRUB_TEXT_VALUE;
  bool changed = is_body && scrub_json_body(walk, text);
  struct slice scrubbed = buffer_slice(&walk->text);
  if (scrub_text(walk->scrub, kind, changed ? scrubbed : text, &walk->message)) {
    changed = true;
    scrubbed = buffer_slice(&walk->message);
  }
  if (!changed) return;
  if (walk->text.failed || walk->message.failed) walk->out->failed = true; // too large; the caller takes all of it back
  flush(walk, top, start, end);
  wire_put_bytes_field(walk->out, 1, scrubbed);
  walk->changed = true;
}

// Opens the message `content`, which is field `tag` of the one on top; a sensitive attribute is replaced at once.
static void enter(struct walk *walk, enum message message, uint32_t tag, const uint8_t *start, struct slice content) {
  struct open *top = &walk->open[walk->depth - 1];
  const uint8_t *end = wire_end(content);
  struct otlp_attribute attribute = {.key = {NULL, 0}};
  if (message == PAIR) {
    attribute = otlp_attribute_of(content);
    if (must_go(walk->scrub, &attribute)) {
      flush(walk, top, start, end);
      put_filtered(walk, tag >> 3, attribute.key);
      walk->changed = true;
      return;
    }
  }
  ASSERT(walk->depth < DEPTH_MAX); // the scan limits nesting
  enum texts texts = texts_of(walk, message, top->texts, attribute.key);
  if (message == ANY && top->message == LOG) texts = TEXTS_MESSAGE;
  flush(walk, top, start, end);
  struct open *next = &walk->open[walk->depth++];
  *next = (struct open){.message = message, .texts = texts, .rest = content, .run = content.ptr};
  if (!walk->out->failed) wire_open(walk->out, tag >> 3, content.len, &next->field);
}

static void leave(struct walk *walk) {
  struct open *top = &walk->open[--walk->depth];
  flush(walk, top, wire_end(top->rest), NULL);
  if (walk->depth > 0 && !walk->out->failed) wire_close(walk->out, &top->field);
}

// One field of the message on top. False when it is malformed.
static bool step(struct walk *walk) {
  struct open *top = &walk->open[walk->depth - 1];
  const uint8_t *start = top->rest.ptr, *end = wire_end(top->rest);
  uint32_t tag = 0;
  const uint8_t *payload = wire_tag(start, end, &tag);
  const uint8_t *next = payload ? wire_skip(payload, end, tag) : NULL;
  if (!next) return false;
  top->rest = slice_make(next, (size_t)(end - next));
  if ((tag & 7) != WIRE_BYTES) return true;
  struct slice content = {NULL, 0};
  wire_bytes(payload, end, &content);
  const enum message child = child_of(top->message, walk->signal, tag);
  if (child != NONE) {
    enter(walk, child, tag, start, content);
  } else if (top->message == ANY && tag == WIRE_TAG(1, WIRE_BYTES)) {
    scrub_string(walk, top, content, start, next);
  }
  return true;
}

enum status scrub_otlp(const struct scrub *scrub, enum otlp_signal signal, struct slice payload, struct buffer *out,
                       bool *out_changed) {
  ASSERT(signal == OTLP_TRACES || signal == OTLP_LOGS);
  ASSERT(!out->failed);
  *out_changed = false;
  if (!scrub->enabled || payload.len == 0) return STATUS_OK;
  const size_t before = out->len;
  struct walk walk = {.scrub = scrub, .signal = signal, .out = out, .depth = 1};
  walk.open[0] = (struct open){.message = REQUEST,
                               .texts = scrub->ip_addresses ? TEXTS_MESSAGE : TEXTS_LEFT,
                               .rest = payload,
                               .run = payload.ptr};
  buffer_init(&walk.text, out->max_bytes);
  buffer_init(&walk.message, out->max_bytes);
  bool valid = true;
  while (walk.depth > 0 && valid && !out->failed) {
    if (walk.open[walk.depth - 1].rest.len == 0) {
      leave(&walk);
    } else {
      valid = step(&walk);
    }
  }
  buffer_finish(&walk.text);
  buffer_finish(&walk.message);
  json_parser_destroy(walk.parser);
  enum status status = !valid ? STATUS_INVALID : out->failed ? STATUS_TOO_LARGE : STATUS_OK;
  if (status || !walk.changed) out->len = before;
  if (!status) *out_changed = walk.changed;
  if (status) out->failed = false;
  return status;
}

static bool any_is_clean(const struct scrub *scrub, enum scrub_text_kind kind, const struct otlp_any *any) {
  switch (any->kind) {
  case OTLP_ANY_STRING: return scrub_text_is_clean(scrub, kind, any->bytes);
  case OTLP_ANY_ARRAY:
  case OTLP_ANY_KVLIST: return any->bytes.len == 0;
  default: return true;
  }
}

bool scrub_log_is_clean(const struct scrub *scrub, const struct otlp_log *log) {
  if (!scrub->enabled) return true;
  if (!any_is_clean(scrub, SCRUB_TEXT_MESSAGE, &log->body)) return false;
  // JSON in the body has keys of its own.
  const struct slice body = log->body.bytes;
  if (log->body.kind == OTLP_ANY_STRING && body.len > 1 && body.ptr[0] == '{' &&
      scrub_key_may_be_in_json(scrub, body)) {
    return false;
  }
  struct otlp_field_iter iter = otlp_fields(log->bytes, OTLP_LOG_ATTRIBUTES);
  struct otlp_attribute attribute;
  while (otlp_attribute_next(&iter, &attribute)) {
    if (!is_exempt(attribute.key) && !any_is_clean(scrub, SCRUB_TEXT_VALUE, &attribute.value)) return false;
  }
  return true;
}
