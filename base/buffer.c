// SPDX-License-Identifier: Apache-2.0
//
// Capacity doubles, and never passes the ceiling. Every append that finds no room asks
// buffer_grow, the one place that refuses.
#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CAPACITY_MIN ((size_t)256)

void buffer_init(struct buffer *buffer, size_t max_bytes) {
  ASSERT(max_bytes > 0);
  *buffer = (struct buffer){.max_bytes = max_bytes};
}

void buffer_finish(struct buffer *buffer) {
  free(buffer->ptr);
  *buffer = (struct buffer){.max_bytes = buffer->max_bytes};
}

void buffer_clear(struct buffer *buffer) {
  buffer->len = 0;
  buffer->failed = false;
}

// realloc copies all of the memory, also what was reserved and not written.
static uint8_t *move_to_larger(const struct buffer *buffer, size_t capacity) {
  if (buffer->len > buffer->capacity / 2) return realloc(buffer->ptr, capacity);
  uint8_t *ptr = malloc(capacity);
  if (!ptr) return NULL;
  if (buffer->len > 0) memcpy(ptr, buffer->ptr, buffer->len);
  free(buffer->ptr);
  return ptr;
}

enum status buffer_grow(struct buffer *buffer, size_t len) {
  if (len <= buffer->capacity - buffer->len) return STATUS_OK;
  if (len > buffer->max_bytes - buffer->len) {
    buffer->failed = true;
    return STATUS_TOO_LARGE;
  }
  size_t capacity = buffer->capacity > buffer->max_bytes / 2 ? buffer->max_bytes : buffer->capacity * 2;
  if (capacity < CAPACITY_MIN) capacity = CAPACITY_MIN;
  if (capacity < buffer->len + len) capacity = buffer->len + len;
  if (capacity > buffer->max_bytes) capacity = buffer->max_bytes;
  uint8_t *ptr = move_to_larger(buffer, capacity);
  if (!ptr) {
    buffer->failed = true;
    return STATUS_NO_MEMORY;
  }
  buffer->ptr = ptr;
  buffer->capacity = capacity;
  return STATUS_OK;
}

enum status buffer_printf(struct buffer *buffer, const char *format, ...) {
  char small[256]; // most prints fit here; vsnprintf also wants room for a NUL that the buffer has no place for
  char *text = small;
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  enum status status = STATUS_INTERNAL;
  int len = vsnprintf(small, sizeof small, format, arguments);
  if (len >= (int)sizeof small) {
    status = buffer_grow(buffer, (size_t)len);
    text = status == STATUS_OK ? malloc((size_t)len + 1) : NULL;
    if (status == STATUS_OK && !text) status = STATUS_NO_MEMORY;
    if (text) vsnprintf(text, (size_t)len + 1, format, again);
  }
  if (len >= 0 && text) status = buffer_append(buffer, text, (size_t)len);
  if (status != STATUS_OK) buffer->failed = true;
  if (text != small) free(text);
  va_end(again);
  va_end(arguments);
  return status;
}

uint8_t *buffer_reserve_grown(struct buffer *buffer, size_t len) {
  static uint8_t nothing; // where zero bytes may be written before the first growth
  if (buffer_grow(buffer, len) != STATUS_OK) return NULL;
  return buffer->ptr ? buffer->ptr + buffer->len : &nothing;
}

struct slice buffer_slice(const struct buffer *buffer) {
  return slice_make(buffer->ptr, buffer->len);
}

uint8_t *buffer_release(struct buffer *buffer, size_t *out_len) {
  uint8_t *ptr = buffer->ptr;
  *out_len = buffer->len;
  *buffer = (struct buffer){.max_bytes = buffer->max_bytes};
  return ptr;
}
