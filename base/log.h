// SPDX-License-Identifier: Apache-2.0
//
// culprit's own log: one JSON object a line on standard error, {"time":…,"level":…,"component":…,"message":…, …fields}.
// Control bytes are escaped, invalid UTF-8 becomes U+FFFD, a line is at most LOG_LINE_MAX bytes. Any thread may call;
// a write that fails (closed or full standard error) is ignored. Log once, where the error is handled.
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"

#define LOG_LINE_MAX 4096

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

// Lines below the level are dropped (default LOG_INFO). The one process-wide setting; atomic.
void log_set_level(enum log_level level);
bool log_level_parse(struct slice name, enum log_level *out_level); // "debug", "info", "warn", "error"

enum log_field_kind { LOG_FIELD_TEXT, LOG_FIELD_U64, LOG_FIELD_I64 };
struct log_field {
  const char *name;
  enum log_field_kind kind;
  struct slice text;
  uint64_t number;
};
static inline struct log_field log_text(const char *name, const char *value) {
  return (struct log_field){.name = name, .kind = LOG_FIELD_TEXT, .text = slice_from_cstr(value)};
}
static inline struct log_field log_slice(const char *name, struct slice value) {
  return (struct log_field){.name = name, .kind = LOG_FIELD_TEXT, .text = value};
}
static inline struct log_field log_u64(const char *name, uint64_t value) {
  return (struct log_field){.name = name, .kind = LOG_FIELD_U64, .number = value};
}
static inline struct log_field log_i64(const char *name, int64_t value) {
  return (struct log_field){.name = name, .kind = LOG_FIELD_I64, .number = (uint64_t)value};
}

// A list of fields that ends with one without a name.
#define LOG_FIELDS(...) ((const struct log_field[]){__VA_ARGS__, {.name = NULL}})

// fields may be NULL. log_write(LOG_WARN, "journal", "segment damaged", LOG_FIELDS(log_u64("sequence", sequence)));
void log_write(enum log_level level, const char *component, const char *message, const struct log_field *fields);

#endif
