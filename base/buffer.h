// SPDX-License-Identifier: Apache-2.0
//
// A growable byte buffer with a ceiling that is set when it is made. Appending beyond the ceiling fails with
// STATUS_TOO_LARGE, leaves what was there untouched and sets `failed`, so that a writer may append many times and look
// once. One thread at a time; the buffer owns its bytes, views into it end with the next append.
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/slice.h"
#include "base/status.h"

struct buffer {
  uint8_t *ptr;
  size_t len;
  size_t capacity;
  size_t max_bytes;
  bool failed; // an append was refused since the last clear
};

// Allocates nothing yet. max_bytes > 0.
void buffer_init(struct buffer *buffer, size_t max_bytes);
void buffer_finish(struct buffer *buffer);
// len = 0, failed = false; keeps the memory.
void buffer_clear(struct buffer *buffer);

// For the two below: makes room where there is none. STATUS_TOO_LARGE over the ceiling, STATUS_NO_MEMORY when the
// system refuses.
enum status buffer_grow(struct buffer *buffer, size_t len);

static inline enum status buffer_append(struct buffer *buffer, const void *bytes, size_t len) {
  if (len == 0) return STATUS_OK;
  if (len > buffer->capacity - buffer->len) {
    enum status status = buffer_grow(buffer, len);
    if (status != STATUS_OK) return status;
  }
  memcpy(buffer->ptr + buffer->len, bytes, len);
  buffer->len += len;
  return STATUS_OK;
}
static inline enum status buffer_append_slice(struct buffer *buffer, struct slice bytes) {
  return buffer_append(buffer, bytes.ptr, bytes.len);
}
static inline enum status buffer_append_cstr(struct buffer *buffer, const char *text) {
  return buffer_append(buffer, text, strlen(text));
}
static inline enum status buffer_append_byte(struct buffer *buffer, uint8_t byte) {
  if (buffer->len == buffer->capacity) return buffer_append(buffer, &byte, 1);
  buffer->ptr[buffer->len++] = byte;
  return STATUS_OK;
}
enum status buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));
// Makes room for `len` more bytes and returns where they start, or NULL (and failed) over the ceiling. The caller then
// writes and adds to buffer->len.
uint8_t *buffer_reserve_grown(struct buffer *buffer, size_t len);
static inline uint8_t *buffer_reserve(struct buffer *buffer, size_t len) {
  if (buffer->ptr && len <= buffer->capacity - buffer->len) return buffer->ptr + buffer->len;
  return buffer_reserve_grown(buffer, len);
}
struct slice buffer_slice(const struct buffer *buffer);
// Hands the memory to the caller (free() it) and leaves the buffer empty. NULL when empty and never grown.
uint8_t *buffer_release(struct buffer *buffer, size_t *out_len);

#endif
