// SPDX-License-Identifier: Apache-2.0
//
// Members that are empty are left out. What is kept as JSON text goes out as it is; "trace" is put into contexts where
// the text does not have it yet.
#include "base/clock.h"
#include "proto/sentry_event.h"
#include "proto/sentry_event_stack.h"

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

static void write_time(struct json_writer *writer, struct slice name, uint64_t time_ns) {
  if (time_ns == 0) return;
  char text[CLOCK_RFC3339_BYTES];
  clock_format_rfc3339(time_ns, text);
  json_key_plain(writer, name);
  json_write_cstr(writer, text);
}

static void write_message(struct json_writer *writer, const struct sentry_event *event) {
  if (event->message.len == 0 && event->message_formatted.len == 0) return;
  json_key_plain(writer, SLICE_LITERAL("logentry"));
  json_begin_object(writer);
  write_text(writer, SLICE_LITERAL("message"), event->message);
  write_text(writer, SLICE_LITERAL("formatted"), event->message_formatted);
  write_raw(writer, SLICE_LITERAL("params"), event->message_params_json);
  json_end_object(writer);
}

static void write_tags(struct json_writer *writer, const struct sentry_event *event) {
  bool add_service = event->service.len > 0 && sentry_event_tag(event, "service").len == 0;
  bool add_request_id = event->request_id.len > 0 && sentry_event_tag(event, "request_id").len == 0;
  if (event->tag_count == 0 && !add_service && !add_request_id) return;
  json_key_plain(writer, SLICE_LITERAL("tags"));
  json_begin_object(writer);
  for (uint32_t i = 0; i < event->tag_count; i++) {
    json_key_slice(writer, event->tags[i].key);
    json_write_string(writer, event->tags[i].value);
  }
  if (add_service) write_text(writer, SLICE_LITERAL("service"), event->service);
  if (add_request_id) write_text(writer, SLICE_LITERAL("request_id"), event->request_id);
  json_end_object(writer);
}

// Has the object (valid JSON text) a member with this name (free of escapes) at its top level?
static bool has_member(struct slice object, struct slice name) {
  int depth = 0;
  size_t string_start = 0;
  struct slice last_string = {0};
  bool in_string = false;
  for (size_t i = 0; i < object.len; i++) {
    uint8_t c = object.ptr[i];
    if (in_string) {
      if (c == '\\') {
        i++;
      } else if (c == '"') {
        in_string = false;
        last_string = slice_sub(object, string_start, i - string_start);
      }
    } else if (c == '"') {
      in_string = true;
      string_start = i + 1;
    } else if (c == '{' || c == '[') {
      depth++;
    } else if (c == '}' || c == ']') {
      depth--;
    } else if (c == ':' && depth == 1 && slice_equal(last_string, name)) {
      return true;
    }
  }
  return false;
}

static void write_contexts(struct json_writer *writer, const struct sentry_event *event) {
  struct slice rest = slice_trim(event->contexts_json);
  bool has_trace = event->contexts_have_trace || event->trace_id.len == 0 || has_member(rest, SLICE_LITERAL("trace"));
  if (has_trace) {
    write_raw(writer, SLICE_LITERAL("contexts"), event->contexts_json);
    return;
  }
  json_key_plain(writer, SLICE_LITERAL("contexts"));
  json_begin_object(writer);
  json_key_plain(writer, SLICE_LITERAL("trace"));
  json_begin_object(writer);
  write_text(writer, SLICE_LITERAL("trace_id"), event->trace_id);
  write_text(writer, SLICE_LITERAL("span_id"), event->span_id);
  json_end_object(writer);
  rest = slice_trim(slice_sub(rest, 1, rest.len > 2 ? rest.len - 2 : 0)); // what is between the braces
  if (rest.len > 0) {
    buffer_append_byte(writer->out, ',');
    buffer_append_slice(writer->out, rest);
  }
  json_end_object(writer);
}

static void write_scalars(struct json_writer *writer, const struct sentry_event *event) {
  write_text(writer, SLICE_LITERAL("event_id"), slice_from_cstr(event->event_id));
  write_time(writer, SLICE_LITERAL("timestamp"), event->timestamp_ns);
  write_time(writer, SLICE_LITERAL("received"), event->received_ns);
  write_text(writer, SLICE_LITERAL("platform"), event->platform);
  write_text(writer, SLICE_LITERAL("level"), event->level);
  write_text(writer, SLICE_LITERAL("logger"), event->logger);
  write_text(writer, SLICE_LITERAL("transaction"), event->transaction);
  write_text(writer, SLICE_LITERAL("culprit"), event->culprit);
  write_text(writer, SLICE_LITERAL("server_name"), event->server_name);
  write_text(writer, SLICE_LITERAL("release"), event->release);
  write_text(writer, SLICE_LITERAL("dist"), event->dist);
  write_text(writer, SLICE_LITERAL("environment"), event->environment);
  write_text(writer, SLICE_LITERAL("type"), event->type);
  write_text(writer, SLICE_LITERAL("title"), event->title);
  write_text(writer, SLICE_LITERAL("checksum"), event->checksum);
}

static void write_fingerprint(struct json_writer *writer, const struct sentry_event *event) {
  if (event->fingerprint_count == 0) return;
  json_key_plain(writer, SLICE_LITERAL("fingerprint"));
  json_begin_array(writer);
  for (uint32_t i = 0; i < event->fingerprint_count; i++) json_write_string(writer, event->fingerprint[i]);
  json_end_array(writer);
}

static void write_sdk(struct json_writer *writer, const struct sentry_event *event) {
  if (event->sdk_json.len > 0) {
    write_raw(writer, SLICE_LITERAL("sdk"), event->sdk_json);
  } else if (event->sdk_name.len > 0) {
    json_key_plain(writer, SLICE_LITERAL("sdk"));
    json_begin_object(writer);
    write_text(writer, SLICE_LITERAL("name"), event->sdk_name);
    write_text(writer, SLICE_LITERAL("version"), event->sdk_version);
    json_end_object(writer);
  }
}

void sentry_event_write(const struct sentry_event *event, struct buffer *out) {
  struct json_writer writer;
  json_writer_init(&writer, out);
  json_begin_object(&writer);
  write_scalars(&writer, event);
  write_message(&writer, event);
  sentry_event_stack_write_exceptions(&writer, event);
  uint32_t main = event->main_exception;
  if (main > 0 && main <= event->exception_count && event->exceptions[main - 1].has_exception_id) {
    json_key_plain(&writer, SLICE_LITERAL("main_exception_id"));
    json_write_i64(&writer, event->exceptions[main - 1].exception_id);
  }
  sentry_event_stack_write_threads(&writer, event);
  if (event->stacktrace.frame_count > 0) {
    json_key_plain(&writer, SLICE_LITERAL("stacktrace"));
    sentry_event_stack_write_trace(&writer, &event->stacktrace);
  }
  write_fingerprint(&writer, event);
  write_tags(&writer, event);
  write_contexts(&writer, event);
  write_raw(&writer, SLICE_LITERAL("request"), event->request_json);
  write_raw(&writer, SLICE_LITERAL("user"), event->user_json);
  write_raw(&writer, SLICE_LITERAL("breadcrumbs"), event->breadcrumbs_json);
  write_raw(&writer, SLICE_LITERAL("extra"), event->extra_json);
  write_raw(&writer, SLICE_LITERAL("modules"), event->modules_json);
  write_sdk(&writer, event);
  write_raw(&writer, SLICE_LITERAL("debug_meta"), event->debug_meta_json);
  write_raw(&writer, SLICE_LITERAL("template"), event->template_json);
  write_raw(&writer, SLICE_LITERAL("csp"), event->csp_json);
  write_raw(&writer, SLICE_LITERAL("hpkp"), event->hpkp_json);
  write_raw(&writer, SLICE_LITERAL("expectct"), event->expectct_json);
  write_raw(&writer, SLICE_LITERAL("expectstaple"), event->expectstaple_json);
  write_raw(&writer, SLICE_LITERAL("errors"), event->errors_json);
  write_raw(&writer, SLICE_LITERAL("_meta"), event->meta_json);
  json_end_object(&writer);
}
