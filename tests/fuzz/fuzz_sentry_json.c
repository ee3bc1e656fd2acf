// SPDX-License-Identifier: Apache-2.0
//
// Mending: JSON comes out as it went in, anything else at most six times as long and well-formed UTF-8, a second time
// changes nothing, and what parses unmended parses.
#include "proto/sentry_json.h"

#define BYTES_MAX ((size_t)4 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > BYTES_MAX / 6) return 0;
  const struct slice byte_order_mark = SLICE_LITERAL("\xEF\xBB\xBF");
  struct slice text = slice_make(data, size);
  struct json_parser *parser = json_parser_create(BYTES_MAX);
  struct json_value root = {0};
  struct buffer mended, again, scratch;
  struct error error = {""};
  buffer_init(&mended, BYTES_MAX);
  buffer_init(&again, BYTES_MAX);
  buffer_init(&scratch, BYTES_MAX);
  sentry_json_mend(text, &mended);
  struct slice once = buffer_slice(&mended);
  ASSERT(!mended.failed && once.len <= 6 * size && slice_is_utf8(once));
  if (!slice_starts_with(once, byte_order_mark)) {
    sentry_json_mend(once, &again);
    ASSERT(slice_equal(buffer_slice(&again), once));
  }
  bool valid = json_parse(parser, text, &root, &error) == STATUS_OK;
  if (valid && !slice_starts_with(text, byte_order_mark)) ASSERT(slice_equal(once, text));
  enum status status = sentry_json_parse(parser, text, &scratch, &root, &error);
  ASSERT(status == STATUS_OK || (status == STATUS_INVALID && !valid && error.text[0] != 0));
  if (status == STATUS_OK) {
    struct buffer written;
    buffer_init(&written, BYTES_MAX * 8);
    json_write_value(&written, root);
    ASSERT(!written.failed && slice_is_utf8(buffer_slice(&written)));
    buffer_finish(&written);
  }
  buffer_finish(&mended);
  buffer_finish(&again);
  buffer_finish(&scratch);
  json_parser_destroy(parser);
  return 0;
}
