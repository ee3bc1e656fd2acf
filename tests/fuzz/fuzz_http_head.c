// SPDX-License-Identifier: Apache-2.0
//
// A request as a server reads it: the head, then a chunked body. Whole and in pieces it comes out the same; every place
// lies inside the head, and what was accepted has no byte that another parser could take for the end of a line.
#include <stdlib.h>

#include "net/http_chunks.h"
#include "net/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice part(struct slice bytes, struct http_head_part part) {
  ASSERT(part.at <= bytes.len && part.len <= bytes.len - part.at);
  return slice_sub(bytes, part.at, part.len);
}

static void check_line_text(struct slice text) {
  for (size_t i = 0; i < text.len; i++) ASSERT(text.ptr[i] != '\r' && text.ptr[i] != '\n' && text.ptr[i] != 0);
}

static void check_head(const struct http_head *head, struct slice bytes) {
  check_line_text(part(bytes, head->method));
  check_line_text(part(bytes, head->path));
  check_line_text(part(bytes, head->query));
  ASSERT(head->field_count <= HTTP_HEAD_FIELDS_MAX);
  for (uint32_t i = 0; i < head->field_count; i++) {
    ASSERT(head->fields[i].name.len > 0);
    check_line_text(part(bytes, head->fields[i].name));
    check_line_text(part(bytes, head->fields[i].value));
  }
}

static enum http_head_result parse(struct http_head *head, struct slice bytes, size_t step) {
  enum http_head_result result = HTTP_HEAD_MORE;
  http_head_begin(head);
  for (size_t seen = 0; result == HTTP_HEAD_MORE && seen < bytes.len;) {
    seen = bytes.len - seen < step ? bytes.len : seen + step;
    // In memory of its own, so that a read behind the end is seen.
    uint8_t *copy = malloc(seen);
    ASSERT(copy);
    memcpy(copy, bytes.ptr, seen);
    result = http_head_parse(head, slice_make(copy, seen));
    free(copy);
  }
  return result;
}

struct decoded {
  enum http_chunks_result result;
  uint64_t bytes, sum;
  size_t rest;
};

static struct decoded decode(struct slice text, size_t step) {
  struct decoded decoded = {.result = HTTP_CHUNKS_MORE};
  struct http_chunks chunks;
  http_chunks_begin(&chunks);
  for (size_t at = 0; at < text.len; at += step) {
    struct slice piece = slice_sub(text, at, step), run;
    const uint8_t *behind = piece.ptr + piece.len;
    while ((decoded.result = http_chunks_next(&chunks, &piece, &run)) == HTTP_CHUNKS_DATA) {
      ASSERT(run.len > 0 && run.ptr + run.len == piece.ptr && piece.ptr <= behind);
      for (size_t i = 0; i < run.len; i++) decoded.sum = decoded.sum * 31 + run.ptr[i];
      decoded.bytes += run.len;
    }
    decoded.rest = (size_t)(text.ptr + text.len - piece.ptr);
    if (decoded.result != HTTP_CHUNKS_MORE) break;
    ASSERT(piece.len == 0);
  }
  ASSERT((decoded.result == HTTP_CHUNKS_FAULT) == (chunks.fault != NULL));
  return decoded;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice bytes = slice_make(data, size);
  static const size_t steps[] = {1, 2, 7, 64};
  struct http_head whole, pieces;
  enum http_head_result result = parse(&whole, bytes, size + 1);
  if (result != HTTP_HEAD_MORE) check_head(&whole, bytes);
  for (size_t i = 0; i < (size > 4096 ? 1 : sizeof(steps) / sizeof(steps[0])); i++) {
    size_t step = size > 4096 ? size / 7 : steps[i];
    ASSERT(parse(&pieces, bytes, step) == result);
    ASSERT(pieces.fault == whole.fault && pieces.code == whole.code && pieces.len == whole.len);
    ASSERT(pieces.field_count == whole.field_count && pieces.content_length == whole.content_length);
  }
  ASSERT((result == HTTP_HEAD_FAULT) == (whole.fault != NULL));
  // Inputs without a head are bodies.
  struct slice body = slice_skip(bytes, result == HTTP_HEAD_DONE ? whole.len : 0);
  struct decoded all = decode(body, size + 1);
  for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
    struct decoded again = decode(body, steps[i]);
    ASSERT(again.result == all.result && again.bytes == all.bytes && again.sum == all.sum && again.rest == all.rest);
  }
  return 0;
}
