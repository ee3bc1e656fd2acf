// SPDX-License-Identifier: Apache-2.0
//
// Any JSON document as an event: it parses, is written, and what was written parses to an event that is written the
// same. So does one whose texts stay in the document.
#include <stdlib.h>
#include <string.h>

#include "proto/sentry_event.h"

#define ARENA_BYTES    (32u << 20)
#define ARENA_USED     (8u << 10)
#define DOCUMENT_BYTES (1u << 20)

static enum status parse(struct json_parser *parser, struct slice text, struct arena *arena,
                         struct sentry_event *event) {
  struct json_value root;
  enum status status = json_parse(parser, text, &root, NULL);
  return status == STATUS_OK ? sentry_event_parse(root, arena, event, NULL) : status;
}

// As the receiver reads it. Memory that was used before holds what it holds.
static void check_borrowed(struct json_parser *parser, struct slice text, struct slice expected) {
  struct json_value root;
  struct sentry_event event;
  struct arena arena;
  struct buffer scratch, out;
  arena_init(&arena, ARENA_BYTES);
  buffer_init(&scratch, SENTRY_EVENT_SCRATCH_BYTES_MAX);
  buffer_init(&out, DOCUMENT_BYTES * 8);
  memset(arena_alloc(&arena, ARENA_USED), 0xee, ARENA_USED);
  arena_reset(&arena);
  ASSERT(json_parse(parser, text, &root, NULL) == STATUS_OK);
  ASSERT(sentry_event_parse_with(root, NULL, &arena, &scratch, &event, NULL) == STATUS_OK);
  sentry_event_write(&event, &out);
  ASSERT(slice_equal(buffer_slice(&out), expected));
  buffer_finish(&out);
  buffer_finish(&scratch);
  arena_finish(&arena);
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
    if (!first.failed) check_borrowed(parser, slice_make(data, size), buffer_slice(&first));
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
