// SPDX-License-Identifier: Apache-2.0
#include "processor/stacktrace/stacktrace_text.h"

bool stacktrace_text_line(struct slice *rest, struct slice *out_line) {
  if (rest->len == 0) return false;
  size_t end = slice_find_byte(*rest, '\n');
  struct slice line = slice_sub(*rest, 0, end);
  *rest = slice_skip(*rest, end + 1);
  if (line.len > 0 && line.ptr[line.len - 1] == '\r') line.len--;
  *out_line = line;
  return true;
}

bool stacktrace_text_take(struct slice *text, const char *prefix) {
  struct slice wanted = slice_from_cstr(prefix);
  if (!slice_starts_with(*text, wanted)) return false;
  *text = slice_skip(*text, wanted.len);
  return true;
}

bool stacktrace_text_take_end(struct slice *text, const char *suffix) {
  struct slice wanted = slice_from_cstr(suffix);
  if (!slice_ends_with(*text, wanted)) return false;
  text->len -= wanted.len;
  return true;
}

bool stacktrace_text_take_number(struct slice *text, uint32_t *out_number) {
  uint64_t number = 0;
  size_t digits = 0;
  for (; digits < text->len && text->ptr[digits] >= '0' && text->ptr[digits] <= '9'; digits++) {
    if (number <= UINT32_MAX) number = number * 10 + (uint64_t)(text->ptr[digits] - '0');
  }
  if (digits == 0) return false;
  *text = slice_skip(*text, digits);
  *out_number = number <= UINT32_MAX ? (uint32_t)number : 0;
  return true;
}

bool stacktrace_text_take_until(struct slice *text, const char *separator, struct slice *out_before) {
  struct slice wanted = slice_from_cstr(separator);
  size_t at = slice_find(*text, wanted);
  if (at > text->len) return false;
  *out_before = slice_sub(*text, 0, at);
  *text = slice_skip(*text, at + wanted.len);
  return true;
}

bool stacktrace_text_has(struct slice text, const char *part) {
  return slice_find(text, slice_from_cstr(part)) <= text.len;
}

size_t stacktrace_text_find_last(struct slice text, uint8_t byte) {
  for (size_t i = text.len; i > 0; i--) {
    if (text.ptr[i - 1] == byte) return i - 1;
  }
  return text.len;
}

size_t stacktrace_text_indent(struct slice line) {
  size_t indent = 0;
  while (indent < line.len && (line.ptr[indent] == ' ' || line.ptr[indent] == '\t')) indent++;
  return indent;
}

struct slice stacktrace_text_trim_start(struct slice text) {
  return slice_skip(text, stacktrace_text_indent(text));
}

struct slice stacktrace_text_trim_end(struct slice text) {
  while (text.len > 0 && strchr(" \t\r\n", text.ptr[text.len - 1]) != NULL && text.ptr[text.len - 1] != 0) text.len--;
  return text;
}

struct slice stacktrace_text_span(struct slice first, struct slice last) {
  return slice_make(first.ptr, (size_t)(last.ptr + last.len - first.ptr));
}

// ":12" off the end.
static bool take_last_number(struct slice *text, uint32_t *out_number) {
  size_t start = text->len;
  while (start > 0 && text->ptr[start - 1] >= '0' && text->ptr[start - 1] <= '9') start--;
  if (start == text->len || start == 0 || text->ptr[start - 1] != ':') return false;
  struct slice digits = slice_skip(*text, start);
  stacktrace_text_take_number(&digits, out_number);
  text->len = start - 1;
  return true;
}

bool stacktrace_text_location(struct slice text, struct slice *out_path, uint32_t *out_line, uint32_t *out_column) {
  uint32_t last = 0, before = 0;
  if (!take_last_number(&text, &last)) return false;
  bool both = take_last_number(&text, &before);
  *out_path = text;
  *out_line = both ? before : last;
  *out_column = both ? last : 0;
  return true;
}

struct slice stacktrace_text_basename(struct slice path) {
  for (size_t i = path.len; i > 0; i--) {
    if (path.ptr[i - 1] == '/' || path.ptr[i - 1] == '\\') return slice_skip(path, i);
  }
  return path;
}

void stacktrace_text_split_last(struct slice text, uint8_t separator, struct slice *out_head, struct slice *out_tail) {
  size_t at = stacktrace_text_find_last(text, separator);
  bool found = at < text.len;
  *out_head = slice_sub(text, 0, found ? at : 0);
  *out_tail = found ? slice_skip(text, at + 1) : text;
}

bool stacktrace_text_is_word(struct slice text) {
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.ptr[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80;
    if (!letter && (c == 0 || strchr("._$:\\/*<>`@-", c) == NULL)) return false;
  }
  return text.len > 0;
}

void stacktrace_text_header(struct slice header, struct sentry_exception *exception) {
  header = stacktrace_text_trim_end(header);
  struct slice rest = header, type;
  if (stacktrace_text_take_until(&rest, ": ", &type) && stacktrace_text_is_word(type)) {
    exception->type = type;
    exception->value = rest;
    return;
  }
  struct slice lone = header;
  if (stacktrace_text_take_end(&lone, ":") && stacktrace_text_is_word(lone)) header = lone;
  if (stacktrace_text_is_word(header)) {
    exception->type = header;
    exception->value = (struct slice){0};
    return;
  }
  size_t line_end = slice_find_byte(header, '\n'); // "Type:\nmessage"
  lone = slice_sub(header, 0, line_end);
  if (line_end < header.len && stacktrace_text_take_end(&lone, ":") && stacktrace_text_is_word(lone)) {
    exception->type = lone;
    exception->value = slice_skip(header, line_end + 1);
    return;
  }
  exception->type = (struct slice){0};
  exception->value = header;
}

bool stacktrace_text_is_absolute(struct slice path) {
  if (path.len > 0 && (path.ptr[0] == '/' || path.ptr[0] == '\\')) return true;
  if (path.len > 2 && path.ptr[1] == ':' && (path.ptr[2] == '\\' || path.ptr[2] == '/')) return true;
  return stacktrace_text_has(slice_sub(path, 0, 64), "://");
}

// Behind the n-th separator from `at` on, or 0.
static size_t behind_segments(struct slice path, size_t at, uint32_t segments) {
  for (; at < path.len && segments > 0; at++) {
    if (path.ptr[at] == '/' || path.ptr[at] == '\\') segments--;
  }
  return segments == 0 ? at : 0;
}

size_t stacktrace_text_root_length(struct slice path) {
  static const struct {
    const char *prefix;
    uint32_t segments; // behind the prefix, still part of the root
  } roots[] = {
      {"/usr/src/app/", 0}, {"/usr/local/app/", 0}, {"/app/", 0}, {"/code/", 0}, {"/var/task/", 0}, {"/workspace/", 0},
      {"/workspaces/", 1},  {"/var/www/html/", 0},  {"/opt/", 1}, {"/srv/", 1},  {"/var/www/", 1},  {"/home/", 2},
      {"/Users/", 2},       {"/root/", 1},          {"/mnt/", 1}, {"/data/", 1}, {"/build/", 0},    {"/src/", 0},
  };
  for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
    struct slice prefix = slice_from_cstr(roots[i].prefix);
    if (slice_starts_with(path, prefix)) return behind_segments(path, prefix.len, roots[i].segments);
  }
  if (path.len > 2 && path.ptr[1] == ':') return behind_segments(path, 3, 1);
  return 0;
}

struct slice stacktrace_text_dotted(struct slice path, struct arena *arena) {
  size_t directories = path.len - stacktrace_text_basename(path).len;
  size_t stem = directories;
  while (stem < path.len && path.ptr[stem] != '.') stem++;
  if (stem == directories) return (struct slice){0};
  uint8_t *text = arena_alloc(arena, stem);
  if (text == NULL) return (struct slice){0};
  for (size_t i = 0; i < stem; i++) text[i] = path.ptr[i] == '/' || path.ptr[i] == '\\' ? '.' : path.ptr[i];
  return slice_make(text, stem);
}
