// SPDX-License-Identifier: Apache-2.0
//
// The first byte says what is known of the request, the rest is an event as an SDK sent it. What becomes of it is a
// document that parses, keeps its id when it goes through a second time, and is an event.
#include "base/clock.h"
#include "proto/sentry_document.h"
#include "proto/sentry_event.h"
#include "proto/sentry_json.h"

#define NOW_NS         UINT64_C(1763700000000000000)
#define DOCUMENT_BYTES ((size_t)8 << 20)
#define ARENA_BYTES    ((size_t)32 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct sentry_document_source source_of(uint8_t choice) {
  static const uint64_t sent_at[] = {NOW_NS, 0, NOW_NS - 3600 * NS_PER_S, NOW_NS + (UINT64_C(1) << 63), UINT64_MAX};
  return (struct sentry_document_source){.event_id = choice & 1 ? "0123456789abcdef0123456789abcdef" : "",
                                         .project = choice,
                                         .received_ns = NOW_NS,
                                         .has_sent_at = (choice & 2) != 0,
                                         .sent_at_ns = sent_at[(choice >> 4) % 5],
                                         .peer = choice & 4 ? SLICE_LITERAL("192.0.2.7") : (struct slice){0}};
}

static void check_document(struct json_parser *parser, struct slice document, const char *id) {
  struct json_value root;
  struct arena arena;
  struct sentry_event event;
  struct buffer again;
  char second_id[33];
  arena_init(&arena, ARENA_BYTES);
  buffer_init(&again, DOCUMENT_BYTES);
  ASSERT(json_parse(parser, document, &root, NULL) == STATUS_OK);
  enum status status = sentry_event_parse(root, &arena, &event, NULL);
  ASSERT(status == STATUS_OK || status == STATUS_NO_MEMORY);
  if (status == STATUS_OK) ASSERT(strcmp(event.event_id, id) == 0);
  struct sentry_document_source source = source_of(0);
  ASSERT(sentry_document_write(root, &source, &again, second_id, NULL) == STATUS_OK);
  ASSERT(strcmp(second_id, id) == 0);
  buffer_finish(&again);
  arena_finish(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  struct sentry_document_source source = source_of(data[0]);
  struct json_parser *parser = json_parser_create(DOCUMENT_BYTES), *second = json_parser_create(DOCUMENT_BYTES);
  struct buffer scratch, out;
  struct json_value root;
  struct error error = {""};
  char id[33];
  buffer_init(&scratch, DOCUMENT_BYTES);
  buffer_init(&out, DOCUMENT_BYTES);
  if (sentry_json_parse(parser, slice_make(data + 1, size - 1), &scratch, &root, &error) == STATUS_OK) {
    if (data[0] & 8) source.text = scratch.len > 0 ? buffer_slice(&scratch) : slice_make(data + 1, size - 1);
    enum status status = sentry_document_write(root, &source, &out, id, &error);
    ASSERT(status == STATUS_OK || (status == STATUS_INVALID && error.text[0] != 0));
    if (status == STATUS_OK) {
      ASSERT(strlen(id) == 32 && (source.event_id[0] == 0 || strcmp(id, source.event_id) == 0));
      check_document(second, buffer_slice(&out), id);
    }
  }
  buffer_finish(&scratch);
  buffer_finish(&out);
  json_parser_destroy(parser);
  json_parser_destroy(second);
  return 0;
}
