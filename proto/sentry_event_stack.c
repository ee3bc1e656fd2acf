// SPDX-License-Identifier: Apache-2.0
//
// Reading follows Relay's normalisation where it affects grouping: empty text is absent, a frame's abs_path and
// filename fill each other, "Word: rest" without a type is split. A list longer than its limit loses its middle,
// because both ends of a stack say more than its recursion does.
#include "proto/sentry_event_stack.h"

#include <stddef.h>

#define TYPE_CHARS_MAX   256
#define VALUE_CHARS_MAX  8192
#define SYMBOL_CHARS_MAX 512
#define LINE_CHARS_MAX   512
#define SHORT_CHARS_MAX  128

struct json_value sentry_event_stack_values(struct json_value value) {
  if (json_type_of(value) != JSON_OBJECT) return value;
  struct json_value values = json_get(value, "values");
  return json_is_present(values) ? values : value;
}

// file:, http: and the like with a path other than "/": the path; else the whole.
static struct slice path_of_url(struct slice url) {
  static const char *const schemes[] = {"file:", "http:", "https:", "applewebdata:"};
  for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
    struct slice scheme = slice_from_cstr(schemes[i]);
    if (!slice_starts_with(url, scheme)) continue;
    struct slice rest = slice_skip(url, scheme.len);
    if (slice_starts_with(rest, SLICE_LITERAL("//"))) {
      rest = slice_skip(rest, 2);
      rest = slice_skip(rest, slice_find_byte(rest, '/'));
    }
    size_t end = 0;
    while (end < rest.len && rest.ptr[end] != '?' && rest.ptr[end] != '#') end++;
    return end > 1 ? slice_sub(rest, 0, end) : url;
  }
  return url;
}

static void normalise_paths(struct sentry_frame *frame) {
  if (frame->abs_path.len == 0) {
    frame->abs_path = frame->filename;
    frame->filename = (struct slice){0};
  }
  if (frame->filename.len == 0) frame->filename = path_of_url(frame->abs_path);
}

// What grouping looks at. orig_in_app is what in_app was before stack-trace rules changed it: true, false, -1 for
// unset.
static void read_frame_data(struct sentry_event_reader *reader, struct json_value data, struct sentry_frame *frame) {
  if (json_type_of(data) != JSON_OBJECT) return;
  frame->sourcemap = sentry_event_reader_has(json_get(data, "sourcemap"));
  struct json_value category = json_get(data, "category");
  if (json_type_of(category) == JSON_STRING) {
    frame->category = sentry_event_reader_text(reader, category, "frame.data.category", SHORT_CHARS_MAX);
  }
  struct json_value original = json_get(data, "orig_in_app");
  int64_t number = 0;
  if (json_type_of(original) == JSON_BOOL) {
    frame->in_app = json_bool(original) ? SENTRY_IN_APP_YES : SENTRY_IN_APP_NO;
  } else if (sentry_event_reader_i64(original, &number)) {
    frame->in_app = number < 0 ? SENTRY_IN_APP_UNSET : number > 0 ? SENTRY_IN_APP_YES : SENTRY_IN_APP_NO;
  }
}

// The members of a frame; those that are text come first, in the order of `frame_texts`.
enum frame_member {
  FRAME_FUNCTION,
  FRAME_RAW_FUNCTION,
  FRAME_SYMBOL,
  FRAME_MODULE,
  FRAME_PACKAGE,
  FRAME_FILENAME,
  FRAME_ABS_PATH,
  FRAME_PLATFORM,
  FRAME_CONTEXT_LINE,
  FRAME_INSTRUCTION_ADDR,
  FRAME_TEXTS,
  FRAME_LINENO = FRAME_TEXTS,
  FRAME_COLNO,
  FRAME_IN_APP,
  FRAME_PRE_CONTEXT,
  FRAME_POST_CONTEXT,
  FRAME_VARS,
  FRAME_DATA,
  FRAME_MEMBERS
};

static const struct {
  const char *name;
  size_t offset; // in struct sentry_frame
  uint32_t chars_max;
} frame_texts[FRAME_TEXTS] = {
    [FRAME_FUNCTION] = {"function", offsetof(struct sentry_frame, function), SYMBOL_CHARS_MAX},
    [FRAME_RAW_FUNCTION] = {"raw_function", offsetof(struct sentry_frame, raw_function), SYMBOL_CHARS_MAX},
    [FRAME_SYMBOL] = {"symbol", offsetof(struct sentry_frame, symbol), SYMBOL_CHARS_MAX},
    [FRAME_MODULE] = {"module", offsetof(struct sentry_frame, module), SYMBOL_CHARS_MAX},
    [FRAME_PACKAGE] = {"package", offsetof(struct sentry_frame, package), SYMBOL_CHARS_MAX},
    [FRAME_FILENAME] = {"filename", offsetof(struct sentry_frame, filename), SYMBOL_CHARS_MAX},
    [FRAME_ABS_PATH] = {"abs_path", offsetof(struct sentry_frame, abs_path), SYMBOL_CHARS_MAX},
    [FRAME_PLATFORM] = {"platform", offsetof(struct sentry_frame, platform), SHORT_CHARS_MAX},
    [FRAME_CONTEXT_LINE] = {"context_line", offsetof(struct sentry_frame, context_line), LINE_CHARS_MAX},
    [FRAME_INSTRUCTION_ADDR] = {"instruction_addr", offsetof(struct sentry_frame, instruction_addr), SHORT_CHARS_MAX},
};

static uint32_t frame_member_of(struct slice name) {
  switch (name.len) {
  case 4:
    if (slice_equal_cstr(name, "vars")) return FRAME_VARS;
    return slice_equal_cstr(name, "data") ? FRAME_DATA : FRAME_MEMBERS;
  case 5: return slice_equal_cstr(name, "colno") ? FRAME_COLNO : FRAME_MEMBERS;
  case 6:
    if (slice_equal_cstr(name, "module")) return FRAME_MODULE;
    if (slice_equal_cstr(name, "lineno")) return FRAME_LINENO;
    if (slice_equal_cstr(name, "in_app")) return FRAME_IN_APP;
    return slice_equal_cstr(name, "symbol") ? FRAME_SYMBOL : FRAME_MEMBERS;
  case 7: return slice_equal_cstr(name, "package") ? FRAME_PACKAGE : FRAME_MEMBERS;
  case 8:
    if (slice_equal_cstr(name, "function")) return FRAME_FUNCTION;
    if (slice_equal_cstr(name, "filename")) return FRAME_FILENAME;
    if (slice_equal_cstr(name, "abs_path")) return FRAME_ABS_PATH;
    return slice_equal_cstr(name, "platform") ? FRAME_PLATFORM : FRAME_MEMBERS;
  case 11: return slice_equal_cstr(name, "pre_context") ? FRAME_PRE_CONTEXT : FRAME_MEMBERS;
  case 12:
    if (slice_equal_cstr(name, "post_context")) return FRAME_POST_CONTEXT;
    if (slice_equal_cstr(name, "context_line")) return FRAME_CONTEXT_LINE;
    return slice_equal_cstr(name, "raw_function") ? FRAME_RAW_FUNCTION : FRAME_MEMBERS;
  case 16: return slice_equal_cstr(name, "instruction_addr") ? FRAME_INSTRUCTION_ADDR : FRAME_MEMBERS;
  default: return FRAME_MEMBERS;
  }
}

static void read_frame(struct sentry_event_reader *reader, struct json_value value, struct sentry_frame *frame) {
  struct json_value members[FRAME_MEMBERS];
  sentry_event_reader_members(value, frame_member_of, FRAME_MEMBERS, members);
  for (size_t i = 0; i < FRAME_TEXTS; i++) {
    if (!json_is_present(members[i])) continue;
    struct slice text = sentry_event_reader_text(reader, members[i], frame_texts[i].name, frame_texts[i].chars_max);
    memcpy((char *)frame + frame_texts[i].offset, &text, sizeof(text));
  }
  frame->line = sentry_event_reader_u32(members[FRAME_LINENO]);
  frame->column = sentry_event_reader_u32(members[FRAME_COLNO]);
  struct json_value in_app = members[FRAME_IN_APP];
  if (json_type_of(in_app) == JSON_BOOL) frame->in_app = json_bool(in_app) ? SENTRY_IN_APP_YES : SENTRY_IN_APP_NO;
  frame->pre_context_json = sentry_event_reader_json(reader, members[FRAME_PRE_CONTEXT]);
  frame->post_context_json = sentry_event_reader_json(reader, members[FRAME_POST_CONTEXT]);
  frame->vars_json = sentry_event_reader_json(reader, members[FRAME_VARS]);
  frame->data_json = sentry_event_reader_json(reader, members[FRAME_DATA]);
  read_frame_data(reader, members[FRAME_DATA], frame);
  normalise_paths(frame);
}

void sentry_event_stack_read_trace(struct sentry_event_reader *reader, struct json_value value,
                                   struct sentry_stacktrace *out_trace) {
  if (!sentry_event_reader_has(value)) return;
  struct json_value frames = json_type_of(value) == JSON_ARRAY ? value : json_get(value, "frames");
  struct slice lang = {0};
  if (json_type_of(value) == JSON_OBJECT) {
    lang = sentry_event_reader_text(reader, json_get(value, "lang"), "stacktrace.lang", SHORT_CHARS_MAX);
  }
  if (json_type_of(frames) != JSON_ARRAY) {
    if (json_is_present(frames)) sentry_event_reader_note(reader, "stacktrace.frames", "expected an array");
    return;
  }
  uint64_t total = 0;
  struct json_value frame;
  for (struct json_iter iter = json_iterate(frames); json_array_next(&iter, &frame);) {
    if (json_type_of(frame) == JSON_OBJECT) total++;
  }
  uint32_t kept = total > SENTRY_EVENT_FRAMES_MAX ? SENTRY_EVENT_FRAMES_MAX : (uint32_t)total;
  struct sentry_frame *list = arena_alloc_array(reader->arena, kept, sizeof(*list));
  if (list == NULL) return;
  uint64_t omitted = total - kept, seen = 0;
  uint32_t count = 0;
  for (struct json_iter iter = json_iterate(frames); json_array_next(&iter, &frame);) {
    if (json_type_of(frame) != JSON_OBJECT) continue;
    uint64_t place = seen++;
    if (place >= SENTRY_EVENT_FRAMES_MAX / 2 && place < SENTRY_EVENT_FRAMES_MAX / 2 + omitted) continue;
    read_frame(reader, frame, &list[count]);
    list[count++].lang = lang;
  }
  int64_t omitted_before = 0; // of a document that was cut already
  sentry_event_reader_i64(json_get(value, "frames_omitted_count"), &omitted_before);
  if (omitted_before > 0 && omitted_before < UINT32_MAX) omitted += (uint64_t)omitted_before;
  out_trace->frames = list;
  out_trace->frame_count = count;
  out_trace->frames_omitted = omitted > UINT32_MAX ? UINT32_MAX : (uint32_t)omitted;
}

static bool read_bool(struct json_value object, const char *name) {
  return json_bool(json_get(object, name));
}

static void read_mechanism(struct sentry_event_reader *reader, struct json_value value,
                           struct sentry_exception *exception) {
  if (!sentry_event_reader_has(value)) return;
  if (json_type_of(value) == JSON_STRING) { // old SDKs: only the type
    exception->mechanism_type = sentry_event_reader_text(reader, value, "mechanism", SHORT_CHARS_MAX);
    exception->has_mechanism = true;
    return;
  }
  exception->mechanism_json = sentry_event_reader_object(reader, value, "mechanism");
  if (exception->mechanism_json.len == 0) return;
  exception->has_mechanism = true;
  exception->mechanism_type =
      sentry_event_reader_text(reader, json_get(value, "type"), "mechanism.type", SHORT_CHARS_MAX);
  exception->synthetic = read_bool(value, "synthetic");
  exception->is_exception_group = read_bool(value, "is_exception_group");
  struct json_value handled = json_get(value, "handled");
  exception->has_handled = json_type_of(handled) == JSON_BOOL;
  exception->handled = json_bool(handled);
  exception->has_exception_id = sentry_event_reader_i64(json_get(value, "exception_id"), &exception->exception_id);
  exception->has_parent_id = sentry_event_reader_i64(json_get(value, "parent_id"), &exception->parent_id);
  struct json_value ns_error = json_get(json_get(value, "meta"), "ns_error");
  if (json_type_of(ns_error) == JSON_OBJECT) {
    exception->has_ns_error = true;
    exception->ns_error_domain =
        sentry_event_reader_text(reader, json_get(ns_error, "domain"), "ns_error.domain", TYPE_CHARS_MAX);
    exception->ns_error_code =
        sentry_event_reader_text(reader, json_get(ns_error, "code"), "ns_error.code", SHORT_CHARS_MAX);
  }
}

// "TypeError: x is null" without a type: a word, a colon, one line.
static void split_type(struct sentry_exception *exception) {
  struct slice value = exception->value;
  size_t word = 0;
  while (word < value.len) {
    uint8_t c = value.ptr[word];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c >= 0x80;
    if (!letter) break;
    word++;
  }
  if (word == 0 || word == value.len || value.ptr[word] != ':' || slice_find_byte(value, '\n') < value.len) return;
  exception->type = slice_sub(value, 0, word);
  exception->value = slice_trim(slice_skip(value, word + 1));
}

static void read_exception(struct sentry_event_reader *reader, struct json_value value,
                           struct sentry_exception *exception) {
  exception->type = sentry_event_reader_text(reader, json_get(value, "type"), "exception.type", TYPE_CHARS_MAX);
  exception->value =
      sentry_event_reader_text_or_json(reader, json_get(value, "value"), "exception.value", VALUE_CHARS_MAX);
  exception->module = sentry_event_reader_text(reader, json_get(value, "module"), "exception.module", SYMBOL_CHARS_MAX);
  exception->thread_id =
      sentry_event_reader_text(reader, json_get(value, "thread_id"), "exception.thread_id", SHORT_CHARS_MAX);
  exception->stacktrace_text = sentry_event_reader_text(reader, json_get(value, "raw_stacktrace_text"),
                                                        "exception.raw_stacktrace_text", UINT32_MAX);
  if (exception->type.len == 0) split_type(exception);
  read_mechanism(reader, json_get(value, "mechanism"), exception);
  sentry_event_stack_read_trace(reader, json_get(value, "stacktrace"), &exception->stacktrace);
}

void sentry_event_stack_read_exceptions(struct sentry_event_reader *reader, struct json_value value,
                                        struct sentry_event *event) {
  if (!sentry_event_reader_has(value)) return;
  struct json_value values = sentry_event_stack_values(value);
  enum json_type type = json_type_of(values);
  if (type == JSON_NULL) return;
  if (type != JSON_ARRAY && type != JSON_OBJECT) {
    sentry_event_reader_note(reader, "exception", "expected a list or an object");
    return;
  }
  uint64_t total = type == JSON_OBJECT ? 1 : json_count(values);
  uint32_t room = total > SENTRY_EVENT_EXCEPTIONS_MAX ? SENTRY_EVENT_EXCEPTIONS_MAX : (uint32_t)total;
  event->exceptions = arena_alloc_array(reader->arena, room, sizeof(*event->exceptions));
  if (event->exceptions == NULL) return;
  if (type == JSON_OBJECT) {
    read_exception(reader, values, &event->exceptions[event->exception_count++]);
    return;
  }
  struct json_value item;
  uint64_t place = 0, omitted = total - room;
  if (omitted > 0) sentry_event_reader_note(reader, "exception.values", "too many exceptions, cut in the middle");
  for (struct json_iter iter = json_iterate(values); json_array_next(&iter, &item); place++) {
    if (place >= SENTRY_EVENT_EXCEPTIONS_MAX / 2 && place < SENTRY_EVENT_EXCEPTIONS_MAX / 2 + omitted) continue;
    if (json_type_of(item) == JSON_NULL) continue;
    if (json_type_of(item) != JSON_OBJECT) {
      sentry_event_reader_note(reader, "exception.values", "expected an object");
      continue;
    }
    read_exception(reader, item, &event->exceptions[event->exception_count++]);
  }
}

void sentry_event_stack_read_threads(struct sentry_event_reader *reader, struct json_value value,
                                     struct sentry_event *event) {
  if (!sentry_event_reader_has(value)) return;
  struct json_value values = sentry_event_stack_values(value);
  if (json_type_of(values) != JSON_ARRAY) {
    if (sentry_event_reader_has(values)) sentry_event_reader_note(reader, "threads", "expected a list");
    return;
  }
  uint64_t total = json_count(values);
  if (total > SENTRY_EVENT_STACK_THREADS_MAX) {
    sentry_event_reader_note(reader, "threads", "too many threads, the rest is dropped");
    total = SENTRY_EVENT_STACK_THREADS_MAX;
  }
  event->threads = arena_alloc_array(reader->arena, (size_t)total, sizeof(*event->threads));
  if (event->threads == NULL) return;
  struct json_value item;
  for (struct json_iter iter = json_iterate(values); event->thread_count < total && json_array_next(&iter, &item);) {
    if (json_type_of(item) != JSON_OBJECT) continue;
    struct sentry_thread *thread = &event->threads[event->thread_count++];
    thread->id = sentry_event_reader_text(reader, json_get(item, "id"), "thread.id", SHORT_CHARS_MAX);
    thread->name = sentry_event_reader_text(reader, json_get(item, "name"), "thread.name", TYPE_CHARS_MAX);
    thread->crashed = read_bool(item, "crashed");
    thread->current = read_bool(item, "current");
    thread->main = read_bool(item, "main");
    sentry_event_stack_read_trace(reader, json_get(item, "stacktrace"), &thread->stacktrace);
  }
}

static void write_text(struct json_writer *writer, struct slice name, struct slice text) {
  if (text.len == 0) return;
  json_key_plain(writer, name);
  json_write_string(writer, text);
}

static void write_raw(struct json_writer *writer, struct slice name, struct slice json) {
  if (json.len == 0) return;
  json_key_plain(writer, name);
  json_write_raw(writer, json);
}

static void write_frame(struct json_writer *writer, const struct sentry_frame *frame) {
  json_begin_object(writer);
  write_text(writer, SLICE_LITERAL("function"), frame->function);
  write_text(writer, SLICE_LITERAL("raw_function"), frame->raw_function);
  write_text(writer, SLICE_LITERAL("symbol"), frame->symbol);
  write_text(writer, SLICE_LITERAL("module"), frame->module);
  write_text(writer, SLICE_LITERAL("package"), frame->package);
  write_text(writer, SLICE_LITERAL("filename"), frame->filename);
  write_text(writer, SLICE_LITERAL("abs_path"), frame->abs_path);
  write_text(writer, SLICE_LITERAL("platform"), frame->platform);
  if (frame->line != 0) {
    json_key_plain(writer, SLICE_LITERAL("lineno"));
    json_write_u64(writer, frame->line);
  }
  if (frame->column != 0) {
    json_key_plain(writer, SLICE_LITERAL("colno"));
    json_write_u64(writer, frame->column);
  }
  write_raw(writer, SLICE_LITERAL("pre_context"), frame->pre_context_json);
  write_text(writer, SLICE_LITERAL("context_line"), frame->context_line);
  write_raw(writer, SLICE_LITERAL("post_context"), frame->post_context_json);
  if (frame->in_app != SENTRY_IN_APP_UNSET) {
    json_key_plain(writer, SLICE_LITERAL("in_app"));
    json_write_bool(writer, frame->in_app == SENTRY_IN_APP_YES);
  }
  write_raw(writer, SLICE_LITERAL("vars"), frame->vars_json);
  write_raw(writer, SLICE_LITERAL("data"), frame->data_json);
  write_text(writer, SLICE_LITERAL("instruction_addr"), frame->instruction_addr);
  json_end_object(writer);
}

void sentry_event_stack_write_trace(struct json_writer *writer, const struct sentry_stacktrace *trace) {
  json_begin_object(writer);
  json_key_plain(writer, SLICE_LITERAL("frames"));
  json_begin_array(writer);
  for (uint32_t i = 0; i < trace->frame_count; i++) write_frame(writer, &trace->frames[i]);
  json_end_array(writer);
  if (trace->frame_count > 0) write_text(writer, SLICE_LITERAL("lang"), trace->frames[0].lang);
  if (trace->frames_omitted > 0) {
    json_key_plain(writer, SLICE_LITERAL("frames_omitted_count"));
    json_write_u64(writer, trace->frames_omitted);
  }
  json_end_object(writer);
}

static void write_flag(struct json_writer *writer, struct slice name, bool value) {
  if (!value) return;
  json_key_plain(writer, name);
  json_write_bool(writer, true);
}

// The object as it came, or one made of the fields.
static void write_mechanism(struct json_writer *writer, const struct sentry_exception *exception) {
  json_key_plain(writer, SLICE_LITERAL("mechanism"));
  if (exception->mechanism_json.len > 0) {
    json_write_raw(writer, exception->mechanism_json);
    return;
  }
  json_begin_object(writer);
  json_key_plain(writer, SLICE_LITERAL("type"));
  json_write_string(writer, exception->mechanism_type.len > 0 ? exception->mechanism_type : SLICE_LITERAL("generic"));
  if (exception->has_handled) {
    json_key_plain(writer, SLICE_LITERAL("handled"));
    json_write_bool(writer, exception->handled);
  }
  write_flag(writer, SLICE_LITERAL("synthetic"), exception->synthetic);
  write_flag(writer, SLICE_LITERAL("is_exception_group"), exception->is_exception_group);
  if (exception->has_exception_id) {
    json_key_plain(writer, SLICE_LITERAL("exception_id"));
    json_write_i64(writer, exception->exception_id);
  }
  if (exception->has_parent_id) {
    json_key_plain(writer, SLICE_LITERAL("parent_id"));
    json_write_i64(writer, exception->parent_id);
  }
  if (exception->has_ns_error) {
    json_key_plain(writer, SLICE_LITERAL("meta"));
    json_begin_object(writer);
    json_key_plain(writer, SLICE_LITERAL("ns_error"));
    json_begin_object(writer);
    write_text(writer, SLICE_LITERAL("domain"), exception->ns_error_domain);
    write_text(writer, SLICE_LITERAL("code"), exception->ns_error_code);
    json_end_object(writer);
    json_end_object(writer);
  }
  json_end_object(writer);
}

void sentry_event_stack_write_exceptions(struct json_writer *writer, const struct sentry_event *event) {
  if (event->exception_count == 0) return;
  json_key_plain(writer, SLICE_LITERAL("exception"));
  json_begin_object(writer);
  json_key_plain(writer, SLICE_LITERAL("values"));
  json_begin_array(writer);
  for (uint32_t i = 0; i < event->exception_count; i++) {
    const struct sentry_exception *exception = &event->exceptions[i];
    json_begin_object(writer);
    write_text(writer, SLICE_LITERAL("type"), exception->type);
    write_text(writer, SLICE_LITERAL("value"), exception->value);
    write_text(writer, SLICE_LITERAL("module"), exception->module);
    write_text(writer, SLICE_LITERAL("thread_id"), exception->thread_id);
    if (exception->has_mechanism) write_mechanism(writer, exception);
    if (exception->stacktrace.frame_count > 0) {
      json_key_plain(writer, SLICE_LITERAL("stacktrace"));
      sentry_event_stack_write_trace(writer, &exception->stacktrace);
    }
    write_text(writer, SLICE_LITERAL("raw_stacktrace_text"), exception->stacktrace_text);
    json_end_object(writer);
  }
  json_end_array(writer);
  json_end_object(writer);
}

void sentry_event_stack_write_threads(struct json_writer *writer, const struct sentry_event *event) {
  if (event->thread_count == 0) return;
  json_key_plain(writer, SLICE_LITERAL("threads"));
  json_begin_object(writer);
  json_key_plain(writer, SLICE_LITERAL("values"));
  json_begin_array(writer);
  for (uint32_t i = 0; i < event->thread_count; i++) {
    const struct sentry_thread *thread = &event->threads[i];
    json_begin_object(writer);
    write_text(writer, SLICE_LITERAL("id"), thread->id);
    write_text(writer, SLICE_LITERAL("name"), thread->name);
    write_flag(writer, SLICE_LITERAL("crashed"), thread->crashed);
    write_flag(writer, SLICE_LITERAL("current"), thread->current);
    write_flag(writer, SLICE_LITERAL("main"), thread->main);
    if (thread->stacktrace.frame_count > 0) {
      json_key_plain(writer, SLICE_LITERAL("stacktrace"));
      sentry_event_stack_write_trace(writer, &thread->stacktrace);
    }
    json_end_object(writer);
  }
  json_end_array(writer);
  json_end_object(writer);
}
