// SPDX-License-Identifier: Apache-2.0
//
// A span's event "exception" and a log's exception.* attributes say the same three things (type, message, stack trace)
// and go the same way: the trace is parsed by its language; where it cannot be, it stays text and the exception is
// known by type and message. A log of severity ERROR without them is a message. What surrounds it is read in
// exception_context.c.
#include "processor/exception.h"

#include "base/hash.h"
#include "processor/exception_context.h"
#include "processor/stacktrace/stacktrace.h"
#include "processor/stacktrace/stacktrace_text.h"
#include "proto/otlp_value_json.h"

#define VALUE_BYTES_MAX           8192
#define TYPE_BYTES_MAX            256
#define STACKTRACE_TEXT_BYTES_MAX (256u << 10)
#define BODY_JSON_BYTES_MAX       (64u << 10)
#define MESSAGE_PARAMS_MAX        32
#define SPAN_KIND_SERVER          2
#define SPAN_KIND_CONSUMER        5

#define KEYS(...) ((const char *const[]){__VA_ARGS__, NULL})

struct extraction {
  const struct otlp_item *item;
  const struct correlation *correlation;
  struct arena *arena;
  void (*found)(void *context, const struct exception_found *found);
  void *context;
};

// The exception's three attributes, views.
struct recorded {
  struct slice type, message, stacktrace;
  bool escaped;
};

// At most max bytes, whole characters.
static struct slice cut(struct slice text, size_t max) {
  if (text.len <= max) return text;
  while (max > 0 && (text.ptr[max] & 0xc0u) == 0x80u) max--;
  return slice_sub(text, 0, max);
}

static struct slice string_attribute(struct slice message, uint32_t field, const char *key) {
  struct otlp_any value;
  if (!otlp_attribute_find(message, field, slice_from_cstr(key), &value)) return (struct slice){0};
  return value.kind == OTLP_ANY_STRING ? value.bytes : (struct slice){0};
}

static struct recorded read_recorded(struct slice message, uint32_t field) {
  struct recorded recorded = {
      .type = string_attribute(message, field, "exception.type"),
      .message = string_attribute(message, field, "exception.message"),
      .stacktrace = string_attribute(message, field, "exception.stacktrace"),
  };
  struct otlp_any escaped;
  if (otlp_attribute_find(message, field, SLICE_LITERAL("exception.escaped"), &escaped)) {
    recorded.escaped =
        (escaped.kind == OTLP_ANY_BOOL && escaped.boolean) ||
        (escaped.kind == OTLP_ANY_STRING && slice_equal_ignore_case(escaped.bytes, SLICE_LITERAL("true")));
  }
  return recorded;
}

// The platform of a service, from its telemetry.sdk.language.
static const char *platform_of(struct slice language) {
  static const struct {
    const char *language, *platform;
  } platforms[] = {
      {"python", "python"}, {"java", "java"},     {"nodejs", "node"}, {"webjs", "javascript"},
      {"go", "go"},         {"dotnet", "csharp"}, {"ruby", "ruby"},   {"php", "php"},
      {"rust", "native"},   {"cpp", "native"},    {"swift", "cocoa"}, {"erlang", "elixir"},
      {"elixir", "elixir"}, {"dart", "dart"},     {"kotlin", "java"}, {"android", "java"},
  };
  for (size_t i = 0; i < sizeof(platforms) / sizeof(platforms[0]); i++) {
    if (slice_equal_ignore_case(language, slice_from_cstr(platforms[i].language))) return platforms[i].platform;
  }
  return "other";
}

// One exception without frames: from the attributes, or the first line of a text that says no more.
static enum status lone_exception(const struct recorded *recorded, const char *platform, struct arena *arena,
                                  struct sentry_event *event) {
  event->exceptions = arena_alloc_array(arena, 1, sizeof(*event->exceptions));
  if (event->exceptions == NULL) return STATUS_NO_MEMORY;
  event->exception_count = 1;
  struct sentry_exception *exception = &event->exceptions[0];
  if (recorded->type.len == 0 && recorded->message.len == 0) {
    struct slice text = slice_trim(recorded->stacktrace);
    stacktrace_text_header(slice_sub(text, 0, slice_find_byte(text, '\n')), exception);
  } else {
    stacktrace_name(exception, platform, recorded->type, recorded->message);
  }
  return STATUS_OK;
}

static enum status read_exceptions(const struct recorded *recorded, struct slice language, struct arena *arena,
                                   struct sentry_event *event) {
  const char *platform = platform_of(language);
  enum status status = STATUS_NOT_FOUND;
  if (recorded->stacktrace.len > 0) {
    status = stacktrace_parse(language, recorded->stacktrace, recorded->type, recorded->message, arena,
                              &event->exceptions, &event->exception_count, &platform);
  }
  if (status == STATUS_NOT_FOUND) status = lone_exception(recorded, platform, arena, event);
  if (status != STATUS_OK) return status;
  event->platform = slice_from_cstr(platform);
  for (uint32_t i = 0; i < event->exception_count; i++) {
    event->exceptions[i].type = cut(event->exceptions[i].type, TYPE_BYTES_MAX);
    event->exceptions[i].value = cut(event->exceptions[i].value, VALUE_BYTES_MAX);
  }
  struct sentry_exception *raised = &event->exceptions[event->exception_count - 1];
  raised->stacktrace_text = cut(recorded->stacktrace, STACKTRACE_TEXT_BYTES_MAX);
  if (recorded->escaped) { // it left the span: nobody in there handled it
    if (!raised->has_mechanism) raised->mechanism_type = SLICE_LITERAL("generic");
    raised->has_mechanism = raised->has_handled = true;
    raised->handled = false;
  }
  return STATUS_OK;
}

static struct slice hex(struct slice id, struct arena *arena) {
  if (id.len == 0) return (struct slice){0};
  char *text = arena_alloc(arena, id.len * 2);
  if (text == NULL) return (struct slice){0};
  slice_to_hex(id, text);
  return slice_make(text, id.len * 2);
}

// Over trace, span, type and message, each with its length so that no two of them can flow into each other.
static uint64_t duplicate_key(struct slice trace_id, struct slice span_id, const struct recorded *recorded) {
  if (trace_id.len == 0) return 0;
  const struct slice parts[] = {trace_id, span_id, recorded->type, recorded->message};
  uint64_t key = 0;
  for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
    key = hash_xxh3_seeded(parts[i], key * 31 + parts[i].len);
  }
  return key == 0 ? 1 : key;
}

// InstrumentationScope.name.
static struct slice scope_name(struct slice scope) {
  struct otlp_field_iter names = otlp_fields(scope, 1);
  struct slice name = {0}, next;
  while (otlp_field_next(&names, &next)) name = next;
  return name;
}

static enum status report(const struct extraction *extraction, struct exception_found *found) {
  if (arena_exhausted(extraction->arena)) return STATUS_NO_MEMORY;
  extraction->found(extraction->context, found);
  return STATUS_OK;
}

static enum status extract_span_event(const struct extraction *extraction, const struct otlp_span_event *span_event,
                                      struct slice request_id) {
  const struct otlp_item *item = extraction->item;
  const struct otlp_span *span = &item->span;
  struct arena *arena = extraction->arena;
  struct exception_found found = {.source = EXCEPTION_SPAN_EVENT};
  struct sentry_event *event = &found.event;
  struct recorded recorded = read_recorded(span_event->bytes, OTLP_EVENT_ATTRIBUTES);
  exception_context_read_resource(item->resource, arena, event);
  struct slice language = otlp_resource_string(item->resource, "telemetry.sdk.language");
  enum status status = read_exceptions(&recorded, language, arena, event);
  if (status != STATUS_OK) return status;
  event->timestamp_ns = span_event->time_ns != 0 ? span_event->time_ns : span->end_ns;
  event->level = SLICE_LITERAL("error");
  event->type = SLICE_LITERAL("error");
  if (item->ids_valid) {
    event->trace_id = hex(span->trace_id, arena);
    event->span_id = hex(span->span_id, arena);
    found.duplicate_key = duplicate_key(span->trace_id, span->span_id, &recorded);
  }
  struct exception_context_attributes attributes = {
      .lists = {{span_event->bytes, OTLP_EVENT_ATTRIBUTES}, {span->bytes, OTLP_SPAN_ATTRIBUTES}}, .count = 2};
  bool entry = span->kind == SPAN_KIND_SERVER || span->kind == SPAN_KIND_CONSUMER;
  event->transaction = entry ? span->name : exception_context_text(&attributes, KEYS("http.route"), arena);
  event->request_id = request_id;
  exception_context_read_attributes(&attributes, item->resource, arena, event);
  exception_context_write(&attributes, item->resource, hex(span->parent_span_id, arena), span->name, event, arena);
  return report(extraction, &found);
}

static enum status extract_span(const struct extraction *extraction) {
  const struct otlp_span *span = &extraction->item->span;
  if (!span->has_exception) return STATUS_OK;
  struct slice request_id = correlation_of_span(extraction->correlation, span);
  struct otlp_field_iter events = otlp_fields(span->bytes, OTLP_SPAN_EVENTS);
  struct otlp_span_event event;
  while (otlp_span_event_next(&events, &event)) {
    if (!slice_equal_cstr(event.name, "exception")) continue;
    enum status status = extract_span_event(extraction, &event, request_id);
    if (status != STATUS_OK) return status;
  }
  return STATUS_OK;
}

// By number, else by the words loggers use, else "error": it was taken for one.
static struct slice level_of(const struct otlp_log *log) {
  static const struct {
    const char *word, *level;
  } words[] = {
      {"trace", "debug"},    {"debug", "debug"},  {"info", "info"},       {"information", "info"},
      {"notice", "info"},    {"warn", "warning"}, {"warning", "warning"}, {"fatal", "fatal"},
      {"critical", "fatal"}, {"alert", "fatal"},  {"emergency", "fatal"}, {"panic", "fatal"},
  };
  uint32_t number = log->severity_number;
  if (number >= OTLP_SEVERITY_FATAL) return SLICE_LITERAL("fatal");
  if (number >= OTLP_SEVERITY_ERROR) return SLICE_LITERAL("error");
  if (number >= OTLP_SEVERITY_WARN) return SLICE_LITERAL("warning");
  if (number >= 9) return SLICE_LITERAL("info");
  if (number >= 1) return SLICE_LITERAL("debug");
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    if (slice_equal_ignore_case(log->severity_text, slice_from_cstr(words[i].word)))
      return slice_from_cstr(words[i].level);
  }
  return SLICE_LITERAL("error");
}

// The text of a body: a string; of a structured one its member "message" (or "msg", "body"), else all of it as JSON.
static struct slice body_text(const struct otlp_any *body, struct arena *arena) {
  if (body->kind == OTLP_ANY_EMPTY) return (struct slice){0};
  if (body->kind == OTLP_ANY_STRING) return body->bytes;
  if (body->kind == OTLP_ANY_KVLIST) {
    struct otlp_attribute attribute;
    for (struct otlp_field_iter members = otlp_any_members(*body); otlp_attribute_next(&members, &attribute);) {
      bool names_it = slice_equal_cstr(attribute.key, "message") || slice_equal_cstr(attribute.key, "msg") ||
                      slice_equal_cstr(attribute.key, "body");
      if (names_it && attribute.value.kind == OTLP_ANY_STRING && attribute.value.bytes.len > 0)
        return attribute.value.bytes;
    }
  }
  struct buffer text;
  buffer_init(&text, BODY_JSON_BYTES_MAX);
  struct json_writer json;
  json_writer_init(&json, &text);
  otlp_value_json_write(&json, body);
  struct slice kept = text.failed ? SLICE_LITERAL("(structured body)") : arena_copy(arena, buffer_slice(&text));
  buffer_finish(&text);
  return kept;
}

// sentry.message.parameter.0, .1, … as a JSON array; nothing without the first.
static struct slice message_params(const struct otlp_log *log, struct arena *arena) {
  struct buffer text;
  buffer_init(&text, BODY_JSON_BYTES_MAX);
  struct json_writer json;
  json_writer_init(&json, &text);
  json_begin_array(&json);
  uint32_t count = 0;
  for (; count < MESSAGE_PARAMS_MAX; count++) {
    struct slice key = arena_printf(arena, "sentry.message.parameter.%u", count);
    struct otlp_any value;
    if (!otlp_attribute_find(log->bytes, OTLP_LOG_ATTRIBUTES, key, &value)) break;
    otlp_value_json_write(&json, &value);
  }
  json_end_array(&json);
  struct slice kept = count > 0 && !text.failed ? arena_copy(arena, buffer_slice(&text)) : (struct slice){0};
  buffer_finish(&text);
  return kept;
}

static void read_message(const struct extraction *extraction, const struct exception_context_attributes *attributes,
                         struct sentry_event *event) {
  const struct otlp_log *log = &extraction->item->log;
  struct arena *arena = extraction->arena;
  struct slice text = cut(slice_trim(body_text(&log->body, arena)), VALUE_BYTES_MAX);
  struct slice template =
      exception_context_text(attributes,
                             KEYS("sentry.message.template", "message.template", "message_template.text",
                                  "log.record.template", "{OriginalFormat}", "msg.template"),
                             arena);
  event->message_formatted = text.len > 0 ? text : log->event_name;
  if (template.len == 0 || slice_equal(template, text)) return;
  event->message = cut(template, VALUE_BYTES_MAX);
  event->message_params_json = message_params(log, arena);
}

static enum status extract_log(const struct extraction *extraction) {
  const struct otlp_item *item = extraction->item;
  const struct otlp_log *log = &item->log;
  struct arena *arena = extraction->arena;
  if (!log->has_exception && log->severity_number < OTLP_SEVERITY_ERROR) return STATUS_OK;
  struct exception_found found = {.source = log->has_exception ? EXCEPTION_LOG : EXCEPTION_LOG_WITHOUT};
  struct sentry_event *event = &found.event;
  struct slice language = otlp_resource_string(item->resource, "telemetry.sdk.language");
  exception_context_read_resource(item->resource, arena, event);
  event->platform = slice_from_cstr(platform_of(language));
  event->type = SLICE_LITERAL("default");
  if (log->has_exception) {
    struct recorded recorded = read_recorded(log->bytes, OTLP_LOG_ATTRIBUTES);
    enum status status = read_exceptions(&recorded, language, arena, event);
    if (status != STATUS_OK) return status;
    event->type = SLICE_LITERAL("error");
    found.duplicate_key = duplicate_key(log->trace_id, log->span_id, &recorded);
  }
  struct exception_context_attributes attributes = {.lists = {{log->bytes, OTLP_LOG_ATTRIBUTES}}, .count = 1};
  read_message(extraction, &attributes, event);
  event->timestamp_ns = log->time_ns != 0 ? log->time_ns : log->observed_ns;
  event->level = level_of(log);
  event->logger = scope_name(item->scope);
  event->culprit = exception_context_text(&attributes, KEYS("code.function.name", "code.function"), arena);
  event->trace_id = hex(log->trace_id, arena);
  event->span_id = hex(log->span_id, arena);
  event->transaction = exception_context_text(&attributes, KEYS("http.route"), arena);
  event->request_id = correlation_of_log(extraction->correlation, log);
  exception_context_read_attributes(&attributes, item->resource, arena, event);
  exception_context_write(&attributes, item->resource, (struct slice){0}, (struct slice){0}, event, arena);
  return report(extraction, &found);
}

enum status exception_extract(enum otlp_signal signal, const struct otlp_item *item,
                              const struct correlation *correlation, struct arena *arena,
                              void (*found)(void *context, const struct exception_found *found), void *context) {
  struct extraction extraction = {item, correlation, arena, found, context};
  switch (signal) {
  case OTLP_TRACES: return extract_span(&extraction);
  case OTLP_LOGS: return extract_log(&extraction);
  case OTLP_METRICS: break;
  }
  return STATUS_OK;
}
