// SPDX-License-Identifier: Apache-2.0
//
// The members are found in one pass over the document and then read one kind after the other, each in today's form, in
// the forms old SDKs send (lists without "values", "sentry.interfaces.*" names, pairs for objects) and in the near
// misses seen in the field. What cannot be used is dropped with a note; notes are added to the event's own "errors",
// each once, also when the document is read again.
#include "proto/sentry_event.h"
#include "proto/sentry_event_member.h"
#include "proto/sentry_event_reader.h"
#include "proto/sentry_event_stack.h"
#include "proto/sentry_service.h"

#define TAGS_MAX            200
#define TAG_CHARS_MAX       200
#define ENVIRONMENT_MAX     64 // code points
#define FINGERPRINT_MAX     64
#define MESSAGE_CHARS_MAX   8192
#define MESSAGE_PARAMS_MAX  128
#define TRACE_ID_HEX_DIGITS 32
#define SPAN_ID_HEX_DIGITS  16
#define SCRATCH_BYTES       16384 // enough for the parts of most events

// Hex digits, dashes left out, lower-cased into out; false unless there are exactly `digits`.
static bool read_hex(struct slice text, size_t digits, char *out) {
  size_t count = 0;
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.ptr[i];
    if (c == '-') continue;
    if (c >= 'A' && c <= 'F') c = (uint8_t)(c - 'A' + 'a');
    if (count == digits || !((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
    out[count++] = (char)c;
  }
  return count == digits;
}

static struct slice read_hex_id(struct sentry_event_reader *reader, struct json_value value, size_t digits) {
  char hex[TRACE_ID_HEX_DIGITS];
  ASSERT(digits <= sizeof(hex));
  if (!read_hex(json_string(value), digits, hex)) return (struct slice){0};
  for (size_t i = 0; i < digits; i++) {
    if (hex[i] != '0') return arena_copy(reader->arena, slice_make(hex, digits));
  }
  return (struct slice){0}; // all zero means none
}

static void read_event_id(struct sentry_event_reader *reader, struct json_value value, struct sentry_event *event) {
  if (!sentry_event_reader_has(value)) return;
  char hex[32];
  if (read_hex(slice_trim(json_string(value)), sizeof(hex), hex)) {
    memcpy(event->event_id, hex, sizeof(hex));
  } else {
    sentry_event_reader_note(reader, "event_id", "expected a UUID");
  }
}

static void read_level(struct sentry_event_reader *reader, struct json_value value, struct sentry_event *event) {
  static const struct {
    const char *word, *level;
  } levels[] = {
      {"fatal", "fatal"}, {"critical", "fatal"}, {"error", "error"}, {"warning", "warning"}, {"warn", "warning"},
      {"info", "info"},   {"log", "info"},       {"debug", "debug"}, {"trace", "debug"},     {"50", "fatal"},
      {"40", "error"},    {"30", "warning"},     {"20", "info"},     {"10", "debug"},
  };
  struct slice word = slice_trim(sentry_event_reader_text(reader, value, "level", 64));
  if (word.len == 0) return;
  for (size_t i = 0; i < sizeof(levels) / sizeof(levels[0]); i++) {
    if (!slice_equal_ignore_case(word, slice_from_cstr(levels[i].word))) continue;
    event->level = slice_from_cstr(levels[i].level);
    return;
  }
  sentry_event_reader_note(reader, "level", "unknown level");
}

// One line, white space cut at both ends.
static struct slice first_line(struct slice text) {
  text = slice_trim(text);
  return slice_trim(slice_sub(text, 0, slice_find_byte(text, '\n')));
}

static void read_scalars(struct sentry_event_reader *reader, const struct json_value members[SENTRY_EVENT_MEMBERS],
                         struct sentry_event *event) {
  const struct {
    enum sentry_event_member member;
    const char *name;
    struct slice *text;
    uint32_t chars_max;
  } texts[] = {
      {SENTRY_EVENT_MEMBER_PLATFORM, "platform", &event->platform, 64},
      {SENTRY_EVENT_MEMBER_LOGGER, "logger", &event->logger, 64},
      {SENTRY_EVENT_MEMBER_TRANSACTION, "transaction", &event->transaction, 200},
      {SENTRY_EVENT_MEMBER_CULPRIT, "culprit", &event->culprit, 200},
      {SENTRY_EVENT_MEMBER_SERVER_NAME, "server_name", &event->server_name, 256},
      {SENTRY_EVENT_MEMBER_RELEASE, "release", &event->release, 250},
      {SENTRY_EVENT_MEMBER_DIST, "dist", &event->dist, 64},
      {SENTRY_EVENT_MEMBER_ENVIRONMENT, "environment", &event->environment, ENVIRONMENT_MAX},
      {SENTRY_EVENT_MEMBER_TYPE, "type", &event->type, 64},
      {SENTRY_EVENT_MEMBER_TITLE, "title", &event->title, 256},
      {SENTRY_EVENT_MEMBER_CHECKSUM, "checksum", &event->checksum, 100},
  };
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    struct json_value value = members[texts[i].member];
    if (!json_is_present(value)) continue;
    *texts[i].text = first_line(sentry_event_reader_text(reader, value, texts[i].name, texts[i].chars_max));
  }
  read_event_id(reader, members[SENTRY_EVENT_MEMBER_EVENT_ID], event);
  read_level(reader, members[SENTRY_EVENT_MEMBER_LEVEL], event);
  const char *const time_names[] = {"timestamp", "received"};
  uint64_t *const times[] = {&event->timestamp_ns, &event->received_ns};
  for (size_t i = 0; i < 2; i++) {
    struct json_value time = members[i == 0 ? SENTRY_EVENT_MEMBER_TIMESTAMP : SENTRY_EVENT_MEMBER_RECEIVED];
    if (sentry_event_reader_has(time) && !sentry_event_reader_time(time, times[i])) {
      sentry_event_reader_note(reader, time_names[i], "expected RFC 3339 or seconds");
    }
  }
}

static void add_tag(struct sentry_event_reader *reader, struct sentry_event *event, struct slice key,
                    struct json_value value) {
  struct slice text = sentry_event_reader_text(reader, value, "tags", UINT32_MAX);
  struct slice line = first_line(text);
  key = slice_trim(key);
  if (key.len == 0 || line.len == 0) return;
  if (event->tag_count >= TAGS_MAX) {
    sentry_event_reader_note(reader, "tags", "too many tags");
    return;
  }
  if (line.len != slice_trim(text).len) sentry_event_reader_note(reader, "tags", "only the first line is kept");
  key = sentry_event_reader_cut(reader, sentry_event_reader_keep(reader, key), TAG_CHARS_MAX);
  for (uint32_t i = 0; i < event->tag_count; i++) {
    if (slice_equal(event->tags[i].key, key)) return; // the first one wins
  }
  sentry_event_put_tag(event, reader->arena, key, sentry_event_reader_cut(reader, line, TAG_CHARS_MAX));
}

// {"k":"v"}, [["k","v"]] or [{"key":"k","value":"v"}].
static void read_tags(struct sentry_event_reader *reader, struct json_value tags, struct sentry_event *event) {
  struct slice key;
  struct json_value value;
  enum json_type type = json_type_of(tags);
  struct json_iter iter = json_iterate(tags);
  if (type == JSON_OBJECT) {
    while (json_object_next(&iter, &key, &value)) add_tag(reader, event, key, value);
  } else if (type == JSON_ARRAY) {
    while (json_array_next(&iter, &value)) {
      struct json_value parts[2] = {json_get(value, "key"), json_get(value, "value")};
      struct json_iter pair = json_iterate(value);
      if (json_type_of(value) == JSON_ARRAY) {
        for (int i = 0; i < 2 && json_array_next(&pair, &parts[i]); i++) continue;
      }
      add_tag(reader, event, sentry_event_reader_text(reader, parts[0], "tags", UINT32_MAX), parts[1]);
    }
  } else if (type != JSON_NULL) {
    sentry_event_reader_note(reader, "tags", "expected an object or pairs");
  }
  if (event->environment.len == 0) {
    event->environment = sentry_event_reader_cut(reader, sentry_event_tag(event, "environment"), ENVIRONMENT_MAX);
  }
}

static void read_fingerprint(struct sentry_event_reader *reader, struct json_value list, struct sentry_event *event) {
  if (!sentry_event_reader_has(list)) return;
  enum json_type type = json_type_of(list);
  uint64_t total = type == JSON_ARRAY ? json_count(list) : 1;
  uint32_t room = total > FINGERPRINT_MAX ? FINGERPRINT_MAX : (uint32_t)total;
  event->fingerprint = arena_alloc_array(reader->arena, room, sizeof(*event->fingerprint));
  if (event->fingerprint == NULL) return;
  struct json_iter iter = json_iterate(list);
  struct json_value item = list;
  for (uint32_t i = 0; i < room; i++) {
    if (type == JSON_ARRAY && !json_array_next(&iter, &item)) break;
    struct slice text = {0};
    int64_t whole = 0;
    if (json_type_of(item) == JSON_DOUBLE && sentry_event_reader_i64(item, &whole)) {
      text = arena_printf(reader->arena, "%lld", (long long)whole); // Relay cuts fractions off
    } else {
      text = sentry_event_reader_text(reader, item, "fingerprint", MESSAGE_CHARS_MAX);
    }
    bool empty_text = json_type_of(item) == JSON_STRING;
    if (text.len > 0 || empty_text) event->fingerprint[event->fingerprint_count++] = text;
  }
}

struct message_params {
  struct json_value list, object; // one of them, or none
};

static struct json_value param_at(const struct message_params *params, uint64_t place) {
  struct json_iter iter = json_iterate(params->list);
  struct json_value item = {0};
  for (uint64_t i = 0; i <= place; i++) {
    if (i >= MESSAGE_PARAMS_MAX || !json_array_next(&iter, &item)) return (struct json_value){0};
  }
  return item;
}

static bool append_param(struct buffer *out, struct json_value value) {
  if (!json_is_present(value)) return false;
  if (json_type_of(value) == JSON_STRING) {
    buffer_append_slice(out, json_string(value));
  } else {
    json_write_value(out, value);
  }
  return true;
}

// One placeholder at the start of text: its length (0: none) and what it names. "%s", "%(name)s", "%5.2f", "{}", "{0}",
// "{name}"; flags, widths and format specifications are passed over.
static size_t placeholder(struct slice text, bool printf_style, struct slice *out_name) {
  *out_name = (struct slice){0};
  size_t at = 1;
  if (!printf_style) {
    size_t end = slice_find_byte(text, '}');
    if (end == text.len || end > 64) return 0;
    *out_name = slice_sub(text, 1, end - 1);
    *out_name = slice_sub(*out_name, 0, slice_find_byte(*out_name, ':'));
    return end + 1;
  }
  if (at < text.len && text.ptr[at] == '(') {
    size_t end = slice_find_byte(slice_sub(text, 0, 128), ')');
    if (end >= text.len || text.ptr[end] != ')') return 0;
    *out_name = slice_sub(text, 2, end - 2);
    at = end + 1;
  }
  while (at < text.len && at < 128 && text.ptr[at] != 0 && strchr("#0-+123456789.*lhLjzt", text.ptr[at]) != NULL) at++;
  if (at >= text.len || text.ptr[at] == 0 || strchr("diouxXeEfFgGcrsaAvqt@p", text.ptr[at]) == NULL) return 0;
  return at + 1;
}

// The template with its parameters put in; a placeholder without a parameter stays as it is.
static struct slice format_message(struct sentry_event_reader *reader, struct slice template,
                                   const struct message_params *params) {
  bool printf_style = slice_find_byte(template, '%') < template.len;
  uint8_t mark = printf_style ? '%' : '{';
  struct buffer out;
  buffer_init(&out, SENTRY_EVENT_READER_JSON_BYTES_MAX);
  uint64_t next = 0;
  while (template.len > 0 && out.len < (size_t)MESSAGE_CHARS_MAX * 4) {
    size_t literal = slice_find_byte(template, mark);
    buffer_append_slice(&out, slice_sub(template, 0, literal));
    template = slice_skip(template, literal);
    if (template.len == 0) break;
    struct slice name;
    size_t len = placeholder(template, printf_style, &name);
    bool doubled = template.len > 1 && template.ptr[1] == mark;
    uint64_t place = 0;
    struct json_value value = {0};
    if (doubled) {
      buffer_append_byte(&out, mark);
      len = 2;
    } else if (len > 0) {
      if (name.len == 0) {
        value = param_at(params, next++);
      } else if (slice_to_u64(name, &place)) {
        value = param_at(params, place);
      }
      if (!json_is_present(value) && name.len > 0) value = json_get_slice(params->object, name);
    }
    if (!doubled && !append_param(&out, value)) {
      len = len > 0 ? len : 1;
      buffer_append_slice(&out, slice_sub(template, 0, len));
    }
    template = slice_skip(template, len);
  }
  struct slice text = arena_copy(reader->arena, buffer_slice(&out));
  buffer_finish(&out);
  return sentry_event_reader_cut(reader, text, MESSAGE_CHARS_MAX);
}

// logentry {message, params, formatted}, or its text; the older member "message" in both forms.
static void read_message(struct sentry_event_reader *reader, const struct json_value members[SENTRY_EVENT_MEMBERS],
                         struct sentry_event *event) {
  struct json_value entry = sentry_event_member_either(members, SENTRY_EVENT_MEMBER_LOGENTRY);
  if (!sentry_event_reader_has(entry)) entry = members[SENTRY_EVENT_MEMBER_MESSAGE];
  if (json_type_of(entry) != JSON_OBJECT) { // false is how some say that there is none
    bool none = json_type_of(entry) == JSON_BOOL && !json_bool(entry);
    if (!none) event->message_formatted = sentry_event_reader_text_or_json(reader, entry, "message", MESSAGE_CHARS_MAX);
    return;
  }
  event->message = sentry_event_reader_text(reader, json_get(entry, "message"), "logentry.message", MESSAGE_CHARS_MAX);
  event->message_formatted =
      sentry_event_reader_text(reader, json_get(entry, "formatted"), "logentry.formatted", MESSAGE_CHARS_MAX);
  struct json_value params = json_get(entry, "params");
  enum json_type type = json_type_of(params);
  if (type == JSON_ARRAY || type == JSON_OBJECT) {
    event->message_params_json = sentry_event_reader_json(reader, params);
  } else if (type != JSON_NULL) {
    sentry_event_reader_note(reader, "logentry.params", "expected a list or an object");
  }
  if (event->message_formatted.len == 0 && event->message.len > 0 && event->message_params_json.len > 0) {
    struct message_params found = {.list = type == JSON_ARRAY ? params : (struct json_value){0},
                                   .object = type == JSON_OBJECT ? params : (struct json_value){0}};
    event->message_formatted = format_message(reader, event->message, &found);
  }
  if (event->message_formatted.len == 0 || slice_equal(event->message, event->message_formatted)) {
    if (event->message_formatted.len == 0) event->message_formatted = event->message;
    event->message = (struct slice){0};
  }
}

// A header among {"Name":"value"}, {"Name":["value"]} or [["Name","value"]].
static struct json_value find_header(struct json_value headers, struct slice wanted) {
  struct slice key = {0};
  struct json_value value = {0}, pair;
  struct json_iter iter = json_iterate(headers);
  if (json_type_of(headers) == JSON_OBJECT) {
    while (json_object_next(&iter, &key, &value)) {
      if (key.len != wanted.len || !slice_equal_ignore_case(key, wanted)) continue;
      struct json_iter list = json_iterate(value);
      if (json_type_of(value) == JSON_ARRAY) json_array_next(&list, &value);
      return value;
    }
  }
  while (json_type_of(headers) == JSON_ARRAY && json_array_next(&iter, &pair)) {
    struct json_iter parts = json_iterate(pair);
    if (!json_array_next(&parts, &value) || !slice_equal_ignore_case(json_string(value), wanted)) continue;
    if (json_array_next(&parts, &value)) return value;
  }
  return (struct json_value){0};
}

static void read_request_id(struct sentry_event_reader *reader, const struct json_value members[SENTRY_EVENT_MEMBERS],
                            struct sentry_event *event) {
  event->request_id = sentry_event_tag(event, "request_id");
  const struct json_value places[] = {
      find_header(json_get(sentry_event_member_either(members, SENTRY_EVENT_MEMBER_REQUEST), "headers"),
                  SLICE_LITERAL("x-request-id")),
      json_get(members[SENTRY_EVENT_MEMBER_EXTRA], "request_id"),
  };
  for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && event->request_id.len == 0; i++) {
    if (json_type_of(places[i]) != JSON_STRING && json_type_of(places[i]) != JSON_I64) continue;
    event->request_id = first_line(sentry_event_reader_text(reader, places[i], "request_id", TAG_CHARS_MAX));
  }
}

static void read_contexts(struct sentry_event_reader *reader, const struct json_value members[SENTRY_EVENT_MEMBERS],
                          struct sentry_event *event) {
  struct json_value contexts = sentry_event_member_either(members, SENTRY_EVENT_MEMBER_CONTEXTS);
  event->contexts_json = sentry_event_reader_object(reader, contexts, "contexts");
  struct json_value trace = json_get(contexts, "trace");
  event->contexts_have_trace = json_is_present(trace);
  event->trace_id = read_hex_id(reader, json_get(trace, "trace_id"), TRACE_ID_HEX_DIGITS);
  event->span_id = read_hex_id(reader, json_get(trace, "span_id"), SPAN_ID_HEX_DIGITS);
}

// The tags as they were read may be numbers, or were cut.
static void read_service(struct sentry_event_reader *reader, const struct json_value members[SENTRY_EVENT_MEMBERS],
                         struct sentry_event *event) {
  event->service = sentry_event_tag(event, "service");
  if (event->service.len == 0) event->service = sentry_event_tag(event, "service.name");
  if (event->service.len > 0) return;
  struct json_value contexts =
      members[json_type_of(members[SENTRY_EVENT_MEMBER_CONTEXTS]) == JSON_OBJECT ? SENTRY_EVENT_MEMBER_CONTEXTS
                                                                                 : SENTRY_EVENT_MEMBER_LEGACY_CONTEXTS];
  struct slice service =
      sentry_service_of_members(members[SENTRY_EVENT_MEMBER_TAGS], contexts, members[SENTRY_EVENT_MEMBER_RELEASE]);
  event->service = sentry_event_reader_cut(reader, sentry_event_reader_keep(reader, service), TAG_CHARS_MAX);
}

static void read_user(struct sentry_event_reader *reader, const struct json_value members[SENTRY_EVENT_MEMBERS],
                      struct sentry_event *event) {
  static const char *const names[] = {"id", "email", "username", "ip_address"};
  struct json_value user = sentry_event_member_either(members, SENTRY_EVENT_MEMBER_USER);
  event->user_json = sentry_event_reader_object(reader, user, "user");
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && event->user_id.len == 0; i++) {
    struct slice text = first_line(sentry_event_reader_text(reader, json_get(user, names[i]), "user", TAG_CHARS_MAX));
    if (!slice_equal_cstr(text, "{{auto}}")) event->user_id = text;
  }
}

static void read_objects(struct sentry_event_reader *reader, const struct json_value members[SENTRY_EVENT_MEMBERS],
                         struct sentry_event *event) {
  const struct {
    enum sentry_event_member member;
    const char *name;
    struct slice *json;
  } objects[] = {
      {SENTRY_EVENT_MEMBER_REQUEST, "request", &event->request_json},
      {SENTRY_EVENT_MEMBER_EXTRA, "extra", &event->extra_json},
      {SENTRY_EVENT_MEMBER_MODULES, "modules", &event->modules_json},
      {SENTRY_EVENT_MEMBER_SDK, "sdk", &event->sdk_json},
      {SENTRY_EVENT_MEMBER_DEBUG_META, "debug_meta", &event->debug_meta_json},
      {SENTRY_EVENT_MEMBER_TEMPLATE, "template", &event->template_json},
      {SENTRY_EVENT_MEMBER_CSP, "csp", &event->csp_json},
      {SENTRY_EVENT_MEMBER_HPKP, "hpkp", &event->hpkp_json},
      {SENTRY_EVENT_MEMBER_EXPECTCT, "expectct", &event->expectct_json},
      {SENTRY_EVENT_MEMBER_EXPECTSTAPLE, "expectstaple", &event->expectstaple_json},
  };
  for (size_t i = 0; i < sizeof(objects) / sizeof(objects[0]); i++) {
    *objects[i].json =
        sentry_event_reader_object(reader, sentry_event_member_either(members, objects[i].member), objects[i].name);
  }
  event->meta_json = sentry_event_reader_object(reader, members[SENTRY_EVENT_MEMBER_META], "_meta");
  struct json_value breadcrumbs = sentry_event_member_either(members, SENTRY_EVENT_MEMBER_BREADCRUMBS);
  if (json_type_of(breadcrumbs) == JSON_ARRAY) { // old form, without {"values":…} around it
    struct slice list = sentry_event_reader_json(reader, breadcrumbs);
    event->breadcrumbs_json = arena_printf(reader->arena, "{\"values\":%.*s}", SLICE_PRINTF(list));
  } else {
    event->breadcrumbs_json = sentry_event_reader_object(reader, breadcrumbs, "breadcrumbs");
  }
  struct json_value sdk = sentry_event_member_either(members, SENTRY_EVENT_MEMBER_SDK);
  event->sdk_name = sentry_event_reader_text(reader, json_get(sdk, "name"), "sdk.name", 128);
  event->sdk_version = sentry_event_reader_text(reader, json_get(sdk, "version"), "sdk.version", 128);
}

// A stack trace beside a single exception is that exception's.
static void move_stacktrace(struct sentry_event *event) {
  if (event->exception_count != 1 || event->stacktrace.frame_count == 0) return;
  event->exceptions[0].stacktrace = event->stacktrace;
  event->stacktrace = (struct sentry_stacktrace){0};
}

static void read_main_exception(struct json_value value, struct sentry_event *event) {
  int64_t id = 0;
  if (!sentry_event_reader_i64(value, &id)) return;
  for (uint32_t i = 0; i < event->exception_count; i++) {
    if (event->exceptions[i].has_exception_id && event->exceptions[i].exception_id == id) event->main_exception = i + 1;
  }
}

// The errors that came with the event, in front of the notes that will be made.
static void read_errors(struct sentry_event_reader *reader, struct json_value errors) {
  struct json_iter iter = json_iterate(errors);
  struct json_value item;
  while (json_type_of(errors) == JSON_ARRAY && json_array_next(&iter, &item)) {
    if (reader->note_count == SENTRY_EVENT_READER_NOTES_MAX) break;
    if (json_type_of(item) != JSON_OBJECT) continue;
    json_write_parsed(sentry_event_reader_notes(reader), item);
    reader->note_count++;
  }
}

static enum status parse(struct sentry_event_reader *reader, struct json_value root, const char *known_id,
                         struct sentry_event *out_event, struct error *error) {
  if (json_type_of(root) != JSON_OBJECT) return error_set(error, STATUS_INVALID, "event: not a JSON object");
  struct json_value members[SENTRY_EVENT_MEMBERS];
  sentry_event_member_find(root, members);
  struct sentry_event event = {0};
  if (known_id != NULL) {
    members[SENTRY_EVENT_MEMBER_EVENT_ID] = members[SENTRY_EVENT_MEMBER_RECEIVED] = (struct json_value){0};
    memcpy(event.event_id, known_id, sizeof(event.event_id) - 1);
  }
  read_errors(reader, members[SENTRY_EVENT_MEMBER_ERRORS]);
  read_scalars(reader, members, &event);
  read_tags(reader, members[SENTRY_EVENT_MEMBER_TAGS], &event);
  read_fingerprint(reader, members[SENTRY_EVENT_MEMBER_FINGERPRINT], &event);
  read_message(reader, members, &event);
  read_contexts(reader, members, &event);
  read_service(reader, members, &event);
  read_user(reader, members, &event);
  read_objects(reader, members, &event);
  read_request_id(reader, members, &event);
  sentry_event_stack_read_exceptions(reader, sentry_event_member_either(members, SENTRY_EVENT_MEMBER_EXCEPTION),
                                     &event);
  sentry_event_stack_read_threads(reader, sentry_event_member_either(members, SENTRY_EVENT_MEMBER_THREADS), &event);
  sentry_event_stack_read_trace(reader, sentry_event_member_either(members, SENTRY_EVENT_MEMBER_STACKTRACE),
                                &event.stacktrace);
  move_stacktrace(&event);
  read_main_exception(members[SENTRY_EVENT_MEMBER_MAIN_EXCEPTION_ID], &event);
  if (reader->note_count > 0) {
    json_end_array(sentry_event_reader_notes(reader));
    event.errors_json = arena_copy(reader->arena, buffer_slice(&reader->notes));
  }
  bool full = arena_exhausted(reader->arena) || reader->scratch->failed || reader->notes.failed;
  sentry_event_reader_finish(reader);
  if (full) return error_set(error, STATUS_NO_MEMORY, "event: larger than the memory set aside for it");
  *out_event = event;
  return STATUS_OK;
}

enum status sentry_event_parse(struct json_value root, struct arena *arena, struct sentry_event *out_event,
                               struct error *error) {
  struct buffer scratch;
  buffer_init(&scratch, SENTRY_EVENT_SCRATCH_BYTES_MAX);
  buffer_reserve(&scratch, SCRATCH_BYTES);
  struct sentry_event_reader reader;
  sentry_event_reader_init(&reader, arena, &scratch, false);
  enum status status = parse(&reader, root, NULL, out_event, error);
  buffer_finish(&scratch);
  return status;
}

enum status sentry_event_parse_with(struct json_value root, const char *known_id, struct arena *arena,
                                    struct buffer *scratch, struct sentry_event *out_event, struct error *error) {
  struct sentry_event_reader reader;
  buffer_clear(scratch);
  sentry_event_reader_init(&reader, arena, scratch, true);
  return parse(&reader, root, known_id, out_event, error);
}
