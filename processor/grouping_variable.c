// SPDX-License-Identifier: Apache-2.0
//
// Variables in fingerprints and titles: "{{ name }}". Part of grouping_fingerprint.h.
#include "processor/grouping_crash.h"
#include "processor/grouping_fingerprint.h"

// The name in "{{ name }}" when that is the whole value; empty otherwise.
static struct slice variable_name(struct slice value) {
  if (value.len < 5 || !slice_starts_with(value, SLICE_LITERAL("{{")) || !slice_ends_with(value, SLICE_LITERAL("}}"))) {
    return (struct slice){0};
  }
  struct slice name = slice_trim(slice_sub(value, 2, value.len - 4));
  for (size_t i = 0; i < name.len; i++) {
    if (name.ptr[i] == ' ' || (name.ptr[i] >= '\t' && name.ptr[i] <= '\r')) return (struct slice){0};
  }
  return name;
}

bool grouping_fingerprint_is_default(struct slice value) {
  return slice_equal_cstr(variable_name(value), "default");
}

static struct slice base_name(struct slice path) {
  size_t start = path.len;
  while (start > 0 && path.ptr[start - 1] != '/' && path.ptr[start - 1] != '\\') start--;
  return slice_skip(path, start);
}

static struct slice first_of(struct slice a, struct slice b) {
  return a.len > 0 ? a : b;
}

// False when there is no variable of that name; an empty *out_text when the event says nothing.
static bool look_up(struct slice name, const struct sentry_event *event, struct slice *out_text,
                    const char **out_missing) {
  static const struct sentry_exception no_exception;
  static const struct sentry_frame no_frame;
  const struct sentry_exception *last =
      event->exception_count > 0 ? &event->exceptions[event->exception_count - 1] : &no_exception;
  const struct sentry_frame *frame = grouping_crash_frame(event, false);
  if (frame == NULL) frame = &no_frame;
  const struct {
    const char *name, *other_name, *missing;
    struct slice text;
  } variables[] = {
      {"transaction", "", "<no-transaction>", event->transaction},
      {"message", "", "<no-message>", first_of(first_of(event->message_formatted, event->message), last->value)},
      {"type", "error.type", "<no-type>", last->type},
      {"value", "error.value", "<no-value>", last->value},
      {"function", "stack.function", "<no-function>", frame->function},
      {"path", "stack.abs_path", "<no-abs-path>", first_of(frame->abs_path, frame->filename)},
      {"stack.filename", "", "<no-filename>", first_of(frame->filename, frame->abs_path)},
      {"module", "stack.module", "<no-module>", frame->module},
      {"package", "stack.package", "<no-package>", base_name(frame->package)},
      {"level", "", "<no-level>", grouping_fingerprint_level(event)},
      {"logger", "", "<no-logger>", event->logger},
  };
  for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
    if (!slice_equal_cstr(name, variables[i].name) && !slice_equal_cstr(name, variables[i].other_name)) continue;
    *out_text = variables[i].text;
    *out_missing = variables[i].missing;
    return true;
  }
  return false;
}

struct slice grouping_fingerprint_level(const struct sentry_event *event) {
  return event->level.len > 0 ? event->level : SLICE_LITERAL("error");
}

struct slice grouping_fingerprint_resolve(struct slice value, const struct sentry_event *event, struct arena *arena) {
  struct slice name = variable_name(value), text = {0};
  const char *missing = NULL;
  if (name.len == 0) return value;
  if (slice_starts_with(name, SLICE_LITERAL("tags."))) {
    struct slice key = slice_skip(name, 5);
    for (uint32_t i = 0; i < event->tag_count; i++) {
      if (slice_equal(event->tags[i].key, key)) return event->tags[i].value;
    }
    return arena_printf(arena, "<no-value-for-tag-%.*s>", SLICE_PRINTF(key));
  }
  if (!look_up(name, event, &text, &missing)) return value;
  return text.len > 0 ? text : slice_from_cstr(missing);
}

struct slice grouping_fingerprint_expand(struct slice title, const struct sentry_event *event, struct arena *arena) {
  struct slice out = slice_sub(title, 0, 0);
  while (title.len > 0) {
    size_t open = slice_find(title, SLICE_LITERAL("{{"));
    if (open > title.len) open = title.len;
    struct slice rest = slice_skip(title, open);
    size_t close = slice_find(rest, SLICE_LITERAL("}}"));
    size_t taken = close > rest.len ? rest.len : close + 2;
    struct slice piece = grouping_fingerprint_resolve(slice_sub(rest, 0, taken), event, arena);
    out = arena_printf(arena, "%.*s%.*s%.*s", SLICE_PRINTF(out), SLICE_PRINTF(slice_sub(title, 0, open)),
                       SLICE_PRINTF(piece));
    title = slice_skip(rest, taken);
  }
  return out;
}
