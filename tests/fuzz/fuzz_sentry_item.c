// SPDX-License-Identifier: Apache-2.0
//
// What is read of any bytes can be written, and is the same when it is read again. The same bytes as the JSON of a
// feedback and of a user report become items that can be written and read.
#include "proto/sentry_item.h"

#define BYTES_MAX ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t walk(struct slice body, struct json_parser *parser, struct buffer *out) {
  struct sentry_item_reader reader;
  struct sentry_item item;
  struct error error = {""};
  uint32_t count = 0;
  enum status status = sentry_item_open(&reader, parser, body, &error);
  while (status == STATUS_OK && (status = sentry_item_next(&reader, &item, &error)) == STATUS_OK) {
    ASSERT(item.attachment.data.len == 0 || item.attachment.data.len == item.attachment.bytes);
    sentry_item_write(out, &item);
    count++;
  }
  ASSERT(status == STATUS_END || (status == STATUS_INVALID && error.text[0]));
  return count;
}

static void check_feedback(struct slice text, struct json_parser *headers) {
  struct json_parser *parser = json_parser_create(BYTES_MAX);
  struct json_value root;
  if (json_parse(parser, text, &root, NULL) == STATUS_OK) {
    sentry_feedback_is_event(root);
    for (int is_report = 0; is_report < 2; is_report++) {
      struct sentry_item item = {.kind = SENTRY_ITEM_FEEDBACK};
      struct error error = {""};
      enum status status = is_report ? sentry_feedback_read_report(root, "", &item.feedback, &error)
                                     : sentry_feedback_read_event(root, "", &item.feedback, &error);
      ASSERT(status == STATUS_OK || (status == STATUS_INVALID && error.text[0]));
      if (status != STATUS_OK) continue;
      struct buffer once, twice;
      buffer_init(&once, BYTES_MAX);
      buffer_init(&twice, BYTES_MAX);
      sentry_item_write(&once, &item);
      ASSERT(walk(buffer_slice(&once), headers, &twice) == 1);
      ASSERT(slice_equal(buffer_slice(&once), buffer_slice(&twice)));
      buffer_finish(&once);
      buffer_finish(&twice);
    }
  }
  json_parser_destroy(parser);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice input = slice_make(data, size);
  struct json_parser *headers = json_parser_create(SENTRY_ENVELOPE_HEADER_BYTES_MAX);
  struct buffer once, twice;
  buffer_init(&once, BYTES_MAX);
  buffer_init(&twice, BYTES_MAX);
  uint32_t count = walk(input, headers, &once);
  if (count > 0) {
    ASSERT(walk(buffer_slice(&once), headers, &twice) == count);
    ASSERT(slice_equal(buffer_slice(&once), buffer_slice(&twice)));
  }
  check_feedback(input, headers);
  buffer_finish(&once);
  buffer_finish(&twice);
  json_parser_destroy(headers);
  return 0;
}
