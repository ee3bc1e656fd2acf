// SPDX-License-Identifier: Apache-2.0
//
// What a person reads of an event: title, culprit, location, and the type and value of its main exception.
#include "processor/grouping_crash.h"
#include "processor/grouping_internal.h"
#include "processor/grouping_text.h"

#define TITLE_VALUE_CHARS_MAX 100
#define CULPRIT_CHARS_MAX     200
#define URL_BYTES_MAX         (1u << 20)

static bool is_named(const struct sentry_frame *frame) {
  return frame->function.len > 0 && !slice_equal_cstr(frame->function, "<redacted>") &&
         !slice_equal_cstr(frame->function, "<unknown>");
}

const struct sentry_frame *grouping_crash_frame(const struct sentry_event *event, bool named) {
  const struct sentry_stacktrace *trace = &event->stacktrace;
  if (event->exception_count > 0 && event->exceptions[event->exception_count - 1].stacktrace.frame_count > 0) {
    trace = &event->exceptions[event->exception_count - 1].stacktrace;
  } else if (trace->frame_count == 0 && event->thread_count == 1) {
    trace = &event->threads[0].stacktrace;
  }
  const struct sentry_frame *last = NULL;
  for (uint32_t i = trace->frame_count; i-- > 0;) {
    const struct sentry_frame *frame = &trace->frames[i];
    if (named && !is_named(frame)) continue;
    if (frame->in_app == SENTRY_IN_APP_YES) return frame;
    if (last == NULL) last = frame;
  }
  return last;
}

uint32_t grouping_crash_thread(const struct sentry_event *event) {
  for (int rule = 0; rule < 3; rule++) {
    uint32_t found = 0, place = event->thread_count;
    for (uint32_t i = 0; i < event->thread_count; i++) {
      const struct sentry_thread *thread = &event->threads[i];
      if (rule == 2 || (rule == 0 ? thread->crashed : thread->current)) {
        found++;
        place = i;
      }
    }
    if (found == 1) return place;
  }
  return event->thread_count;
}

static const struct sentry_exception *main_exception(const struct grouping_work *work) {
  const struct sentry_event *event = work->event;
  if (event->exception_count == 0) return NULL;
  if (work->main_exception != NULL) return work->main_exception;
  bool marked = event->main_exception > 0 && event->main_exception <= event->exception_count;
  return &event->exceptions[marked ? event->main_exception - 1 : event->exception_count - 1];
}

// One after the other, each up to a NUL: what a person reads ends there.
static struct slice join(struct slice a, struct slice b, struct slice c, struct slice d, struct arena *arena) {
  struct slice parts[] = {a, b, c, d};
  uint8_t *text = arena_alloc(arena, a.len + b.len + c.len + d.len);
  if (text == NULL) return (struct slice){0};
  size_t len = 0;
  for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
    parts[i] = slice_sub(parts[i], 0, slice_find_byte(parts[i], 0));
    if (parts[i].len > 0) memcpy(text + len, parts[i].ptr, parts[i].len);
    len += parts[i].len;
  }
  return slice_make(text, len);
}

static struct slice exception_title(const struct grouping_work *work, const struct sentry_exception *exception,
                                    const struct sentry_frame *crash) {
  struct slice type = exception->type;
  if (type.len == 0 || exception->synthetic) {
    return crash != NULL && crash->function.len > 0 ? crash->function : SLICE_LITERAL("<unknown>");
  }
  struct slice line = grouping_text_first_line(grouping_text_trim(exception->value));
  if (line.len == 0) return type;
  line = grouping_text_truncate(line, TITLE_VALUE_CHARS_MAX, work->arena);
  return join(type, SLICE_LITERAL(": "), line, (struct slice){0}, work->arena);
}

static struct slice message_title(const struct grouping_work *work) {
  const struct sentry_event *event = work->event;
  struct slice message = event->message_formatted.len > 0 ? event->message_formatted : event->message;
  struct slice line = grouping_text_first_line(grouping_text_trim(message));
  if (line.len == 0) return SLICE_LITERAL("<unlabeled event>");
  return grouping_text_truncate(line, TITLE_VALUE_CHARS_MAX, work->arena);
}

// Native: "function"; JavaScript: "function(module or file)"; others: "module or file in function".
static struct slice frame_culprit(const struct grouping_work *work, const struct sentry_frame *frame) {
  struct slice platform = frame->platform.len > 0 ? frame->platform : work->event->platform;
  struct slice function = frame->function.len > 0 ? frame->function : SLICE_LITERAL("?");
  struct slice place = frame->module.len > 0 ? frame->module : frame->filename;
  enum grouping_family family = grouping_family_of(platform);
  if (family == GROUPING_FAMILY_NATIVE) return function;
  if (place.len == 0) return (struct slice){0};
  if (family == GROUPING_FAMILY_JAVASCRIPT) {
    return join(function, SLICE_LITERAL("("), place, SLICE_LITERAL(")"), work->arena);
  }
  return join(place, SLICE_LITERAL(" in "), function, (struct slice){0}, work->arena);
}

static struct slice trace_culprit(const struct grouping_work *work, const struct sentry_stacktrace *trace) {
  struct slice last = {0};
  for (uint32_t i = trace->frame_count; i-- > 0;) {
    bool in_app = trace->frames[i].in_app == SENTRY_IN_APP_YES;
    if (!in_app && last.len > 0) continue;
    struct slice culprit = frame_culprit(work, &trace->frames[i]);
    if (in_app && culprit.len > 0) return culprit;
    if (last.len == 0) last = culprit;
  }
  return last;
}

static struct slice request_url(const struct grouping_work *work) {
  struct slice url = {0};
  if (work->event->request_json.len == 0) return url;
  struct json_parser *parser = json_parser_create(URL_BYTES_MAX);
  struct json_value root = {0};
  if (json_parse(parser, work->event->request_json, &root, NULL) == STATUS_OK) {
    url = json_string(json_get(root, "url"));
    if (url.len > 0) url = arena_copy(work->arena, url);
  }
  json_parser_destroy(parser);
  return url;
}

static struct slice find_culprit(const struct grouping_work *work) {
  const struct sentry_event *event = work->event;
  struct slice culprit = {0};
  if (event->culprit.len > 0) return event->culprit;
  if (event->transaction.len > 0) return event->transaction;
  if (event->exception_count > 0 && event->exceptions[event->exception_count - 1].synthetic) return culprit;
  const struct sentry_stacktrace *trace = event->exception_count == 0 ? &event->stacktrace : NULL;
  for (uint32_t i = 0; i < event->exception_count; i++) {
    if (event->exceptions[i].stacktrace.frame_count > 0) trace = &event->exceptions[i].stacktrace;
  }
  if (trace != NULL) culprit = trace_culprit(work, trace);
  if (culprit.len == 0) culprit = request_url(work);
  return grouping_text_truncate(culprit, CULPRIT_CHARS_MAX, work->arena);
}

void grouping_title_describe(const struct grouping_work *work, struct slice title_override,
                             struct grouping_result *result) {
  const struct sentry_exception *exception = main_exception(work);
  const struct sentry_frame *crash = grouping_crash_frame(work->event, true);
  if (exception != NULL) {
    result->type = exception->synthetic ? (struct slice){0} : exception->type;
    result->value = exception->value;
  }
  if (title_override.len > 0) {
    result->title = title_override;
  } else if (work->event->title.len > 0) {
    result->title = work->event->title;
  } else {
    result->title = exception != NULL ? exception_title(work, exception, crash) : message_title(work);
  }
  result->culprit = find_culprit(work);
  if (crash != NULL) result->location = crash->filename.len > 0 ? crash->filename : crash->abs_path;
}
