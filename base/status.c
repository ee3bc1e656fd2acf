// SPDX-License-Identifier: Apache-2.0
//
// Words for outcomes. The text of an error is always NUL-terminated, well-formed UTF-8, whatever bytes were printed
// into it: a sequence cut by the truncation is dropped, any other ill-formed byte becomes '?'.
#include "base/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/slice.h"
#include "base/utf8.h"

const char *status_name(enum status status) {
  switch (status) {
  case STATUS_OK: return "ok";
  case STATUS_END: return "end";
  case STATUS_INVALID: return "invalid";
  case STATUS_TOO_LARGE: return "too large";
  case STATUS_UNSUPPORTED: return "unsupported";
  case STATUS_NOT_FOUND: return "not found";
  case STATUS_METHOD: return "method not allowed";
  case STATUS_UNAUTHENTICATED: return "unauthenticated";
  case STATUS_PERMISSION_DENIED: return "permission denied";
  case STATUS_CONFLICT: return "conflict";
  case STATUS_RATE_LIMITED: return "rate limited";
  case STATUS_UNAVAILABLE: return "unavailable";
  case STATUS_TIMEOUT: return "timeout";
  case STATUS_NO_MEMORY: return "no memory";
  case STATUS_CORRUPT: return "corrupt";
  case STATUS_IO: return "input/output error";
  case STATUS_INTERNAL: return "internal";
  }
  return "unknown";
}

// Makes text[0..] well-formed; `truncated` says that its end was cut somewhere.
static void clean_text(char text[ERROR_TEXT_MAX], bool truncated) {
  size_t len = strlen(text);
  size_t at = 0;
  while (at < len) {
    bool valid;
    size_t step = utf8_step(slice_make(text, len), at, &valid);
    if (!valid && truncated && at + step == len) {
      text[at] = '\0';
      return;
    }
    if (!valid) memset(text + at, '?', step);
    at += step;
  }
}

enum status error_set(struct error *error, enum status status, const char *format, ...) {
  if (!error) return status;
  char text[ERROR_TEXT_MAX]; // apart, so that error->text may be among the arguments
  va_list arguments;
  va_start(arguments, format);
  int len = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (len < 0) text[0] = '\0';
  clean_text(text, len >= ERROR_TEXT_MAX);
  memcpy(error->text, text, sizeof text);
  return status;
}

void error_prefix(struct error *error, const char *format, ...) {
  if (!error) return;
  char text[ERROR_TEXT_MAX];
  va_list arguments;
  va_start(arguments, format);
  int prefix_len = vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  if (prefix_len < 0) return;
  size_t used = strlen(text);
  int rest_len = snprintf(text + used, sizeof text - used, "%s", error->text);
  clean_text(text, prefix_len + rest_len >= ERROR_TEXT_MAX);
  memcpy(error->text, text, sizeof text);
}

void assert_failed(const char *condition, const char *file, int line) {
  log_write(LOG_ERROR, "assert", "assertion failed, this is a bug in culprit",
            LOG_FIELDS(log_text("condition", condition), log_text("file", file), log_i64("line", line)));
  abort();
}
