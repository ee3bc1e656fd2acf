// SPDX-License-Identifier: Apache-2.0
//
// Any JSON document as an event: it parses, is written, and what was written parses to an event that is written the
// same.
#include <stdlib.h>

#include "proto/sentry_event.h"

#define ARENA_BYTES    (32u << 20)
#define DOCUMENT_BYTES (1u << 20)

static enum status parse(struct json_parser *parser, struct slice text, struct arena *arena,
                         struct sentry_event *event) {
  struct json_value root;
  enum status status = json_parse(parser, text, &root, NULL);
  return status == STATUS_OK ? sentry_event_parse(root, arena, event, NULL) : status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct json_parser *parser = json_parser_create(DOCUMENT_BYTES * 8);
  struct arena arena;
  arena_init(&arena, ARENA_BYTES);
  struct buffer first, second;
  buffer_init(&first, DOCUMENT_BYTES * 8);
  buffer_init(&second, DOCUMENT_BYTES * 8);
  struct sentry_event event;
  if (size <= DOCUMENT_BYTES && parse(parser, slice_make(data, size), &arena, &event) == STATUS_OK) {
    sentry_event_write(&event, &first);
    if (!first.failed && parse(parser, buffer_slice(&first), &arena, &event) == STATUS_OK) {
      sentry_event_write(&event, &second);
      ASSERT(slice_equal(buffer_slice(&first), buffer_slice(&second)));
    }
  }
  buffer_finish(&first);
  buffer_finish(&second);
  arena_finish(&arena);
  json_parser_destroy(parser);
  return 0;
}
