// SPDX-License-Identifier: Apache-2.0
//
// A line is put together on the stack and written with one write(2), so that lines of threads never mix (POSIX keeps
// writes of up to PIPE_BUF = 4096 bytes to a pipe whole). To stay below LOG_LINE_MAX a text may be cut at a character:
// the message at MESSAGE_MAX, a field at FIELD_MAX, the last one where the line ends; what then has no room is left
// out, and the line is one valid JSON object in every case.
#include "base/log.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/status.h"
#include "base/utf8.h"

#define MESSAGE_MAX 2048
#define FIELD_MAX   1024
// Kept free until the end: the brace and the newline.
#define CLOSING_MAX 2

struct line {
  char text[LOG_LINE_MAX];
  size_t len;
};

static _Atomic int level_now = LOG_INFO;

static const char *const level_names[] = {"debug", "info", "warn", "error"};

void log_set_level(enum log_level level) {
  atomic_store(&level_now, (int)level);
}

bool log_level_parse(struct slice name, enum log_level *out_level) {
  for (size_t i = 0; i < sizeof level_names / sizeof *level_names; i++) {
    if (!slice_equal_cstr(name, level_names[i])) continue;
    *out_level = (enum log_level)i;
    return true;
  }
  return false;
}

// Appends all of it or nothing.
static bool put(struct line *line, const char *bytes, size_t len) {
  if (len > sizeof line->text - CLOSING_MAX - line->len) return false;
  memcpy(line->text + line->len, bytes, len);
  line->len += len;
  return true;
}

// Writes the escaped form of the character at `at` to out, returns its length and moves *at behind it.
static size_t escape(struct slice text, size_t *at, char out[8]) {
  bool valid;
  uint8_t byte = text.ptr[*at];
  size_t step = utf8_step(text, *at, &valid);
  const uint8_t *from = text.ptr + *at;
  *at += step;
  if (!valid) {
    memcpy(out, UTF8_REPLACEMENT.ptr, UTF8_REPLACEMENT.len);
    return UTF8_REPLACEMENT.len;
  }
  if (byte < 0x20 || byte == 0x7F) return (size_t)snprintf(out, 8, "\\u%04x", (unsigned)byte);
  if (byte == '"' || byte == '\\') {
    out[0] = '\\';
    out[1] = (char)byte;
    return 2;
  }
  memcpy(out, from, step);
  return step;
}

// A JSON string of at most `max` bytes between the quotes. False, and nothing written, when not even the quotes fit.
static bool put_string(struct line *line, struct slice text, size_t max) {
  size_t room = sizeof line->text - CLOSING_MAX - line->len;
  if (room < 2) return false;
  if (max > room - 2) max = room - 2;
  line->text[line->len++] = '"';
  size_t used = 0;
  for (size_t at = 0; at < text.len;) {
    char escaped[8];
    size_t len = escape(text, &at, escaped);
    if (len > max - used) break;
    memcpy(line->text + line->len, escaped, len);
    line->len += len;
    used += len;
  }
  line->text[line->len++] = '"';
  return true;
}

static bool put_name(struct line *line, const char *name) {
  return put(line, ",", 1) && put_string(line, slice_from_cstr(name), FIELD_MAX) && put(line, ":", 1);
}

static void put_field(struct line *line, const struct log_field *field) {
  size_t before = line->len;
  bool whole = put_name(line, field->name);
  char number[24];
  int len = 0;
  switch (field->kind) {
  case LOG_FIELD_TEXT: whole = whole && put_string(line, field->text, FIELD_MAX); break;
  case LOG_FIELD_U64: len = snprintf(number, sizeof number, "%ju", (uintmax_t)field->number); break;
  case LOG_FIELD_I64: len = snprintf(number, sizeof number, "%jd", (intmax_t)(int64_t)field->number); break;
  }
  if (len > 0) whole = whole && put(line, number, (size_t)len);
  if (!whole) line->len = before;
}

void log_write(enum log_level level, const char *component, const char *message, const struct log_field *fields) {
  if ((int)level < atomic_load_explicit(&level_now, memory_order_relaxed)) return;
  struct line line;
  char now[CLOCK_RFC3339_BYTES];
  clock_format_rfc3339(clock_wall_ns(clock_system()), now);
  line.len =
      (size_t)snprintf(line.text, sizeof line.text, "{\"time\":\"%s\",\"level\":\"%s\"", now, level_names[level]);
  put_field(&line, &(struct log_field){.name = "component", .text = slice_from_cstr(component)});
  put_name(&line, "message");
  put_string(&line, slice_from_cstr(message), MESSAGE_MAX);
  for (const struct log_field *field = fields; field && field->name; field++) put_field(&line, field);
  line.text[line.len++] = '}';
  line.text[line.len++] = '\n';
  int saved_errno = errno;
  while (write(STDERR_FILENO, line.text, line.len) < 0 && errno == EINTR) continue;
  errno = saved_errno;
}
