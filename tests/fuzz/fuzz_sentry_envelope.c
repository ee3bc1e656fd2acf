// SPDX-License-Identifier: Apache-2.0
//
// What must hold for every body: items lie inside it, in order and without overlap, the walk ends, and failures have
// words.
#include "proto/sentry_envelope.h"

#define ITEMS_MAX 1000000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct json_parser *parser = json_parser_create(SENTRY_ENVELOPE_HEADER_BYTES_MAX);
  struct sentry_envelope envelope;
  struct sentry_envelope_item item;
  struct error error = {""};
  enum status status = sentry_envelope_open(&envelope, parser, slice_make(data, size), &error);
  const uint8_t *behind = data;
  uint32_t items = 0;
  while (status == STATUS_OK) {
    ASSERT(envelope.event_id[0] == 0 || strlen(envelope.event_id) == 32);
    status = sentry_envelope_next(&envelope, &item, &error);
    if (status != STATUS_OK) break;
    ASSERT(++items == envelope.item_index && items < ITEMS_MAX);
    ASSERT(item.type.len > 0);
    if (item.payload.len > 0) {
      ASSERT(item.payload.ptr > behind && item.payload.len <= (size_t)(data + size - item.payload.ptr));
      behind = item.payload.ptr + item.payload.len - 1;
    }
  }
  ASSERT(status == STATUS_END || status == STATUS_INVALID);
  ASSERT(status == STATUS_END || error.text[0] != 0);
  json_parser_destroy(parser);
  return 0;
}
