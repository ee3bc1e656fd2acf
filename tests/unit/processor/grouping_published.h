// SPDX-License-Identifier: Apache-2.0
//
// The published grouping cases beside the source tree (or in $TEST_SHARED). Tests that need them skip, with a
// message, where they are absent.
#ifndef TESTS_GROUPING_PUBLISHED_H
#define TESTS_GROUPING_PUBLISHED_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"

static inline void published_path(char *out, size_t out_len, const char *name) {
  const char *shared = getenv("TEST_SHARED");
  snprintf(out, out_len, "%s/grouping-cases/%s", shared ? shared : SOURCE_DIRECTORY "/../shared", name);
}

static inline bool published_read(const char *name, struct buffer *out) {
  char path[1024];
  published_path(path, sizeof(path), name);
  FILE *file = fopen(path, "rb");
  if (file == NULL) return false;
  buffer_clear(out);
  uint8_t chunk[8192];
  for (size_t len; (len = fread(chunk, 1, sizeof(chunk), file)) > 0;) buffer_append(out, chunk, len);
  fclose(file);
  return true;
}

#endif
