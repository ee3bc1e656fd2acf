// SPDX-License-Identifier: Apache-2.0
//
// The first line is the content type, the rest the body. Parts lie inside the body, in order, none holds its delimiter,
// the walk ends, failures have words.
#include "proto/multipart.h"

#define PARTS_MAX 1000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice input = slice_make(data, size);
  size_t line = slice_find_byte(input, '\n');
  struct slice body = slice_skip(input, line + 1);
  struct multipart multipart;
  struct multipart_part part;
  struct error error = {""};
  enum status status = multipart_open(&multipart, slice_sub(input, 0, line), body, &error);
  const uint8_t *behind = body.ptr;
  uint32_t parts = 0;
  while (status == STATUS_OK && (status = multipart_next(&multipart, &part, &error)) == STATUS_OK) {
    ASSERT(++parts < PARTS_MAX);
    ASSERT(part.body.ptr >= behind && part.body.len <= (size_t)(body.ptr + body.len - part.body.ptr));
    behind = part.body.ptr + part.body.len;
  }
  ASSERT(status == STATUS_END || status == STATUS_INVALID || status == STATUS_UNSUPPORTED);
  ASSERT(status == STATUS_END || error.text[0] != 0);
  return 0;
}
