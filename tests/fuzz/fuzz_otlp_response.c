// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as the answer of a backend. What is read, written again and read back says the same; both encodings are
// well-formed text.
#include "base/json.h"
#include "proto/otlp_response.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(struct slice text) {
  struct json_parser *parser = json_parser_create((size_t)1 << 22);
  struct json_value root;
  ASSERT(json_parse(parser, text, &root, NULL) == STATUS_OK && json_type_of(root) == JSON_OBJECT);
  json_parser_destroy(parser);
}

static bool same_text(struct slice read, struct slice written) {
  return slice_is_utf8(read) && (!slice_is_utf8(written) || slice_equal(read, written));
}

static void check_response(struct slice bytes) {
  struct otlp_response first, second;
  struct buffer out;
  if (otlp_response_read(bytes, &first, NULL) != STATUS_OK) return;
  buffer_init(&out, (size_t)1 << 22);
  ASSERT(otlp_response_write(OTLP_LOGS, OTLP_PROTOBUF, &first, &out) == STATUS_OK);
  ASSERT(otlp_response_read(buffer_slice(&out), &second, NULL) == STATUS_OK);
  ASSERT(second.rejected == first.rejected && same_text(second.message, first.message));
  buffer_clear(&out);
  ASSERT(otlp_response_write(OTLP_LOGS, OTLP_JSON, &first, &out) == STATUS_OK);
  check_json(buffer_slice(&out));
  buffer_finish(&out);
}

static void check_status(struct slice bytes) {
  struct otlp_status first, second;
  struct buffer out;
  if (otlp_response_read_status(bytes, &first, NULL) != STATUS_OK) return;
  buffer_init(&out, (size_t)1 << 22);
  ASSERT(otlp_response_write_status(OTLP_PROTOBUF, &first, &out) == STATUS_OK);
  ASSERT(otlp_response_read_status(buffer_slice(&out), &second, NULL) == STATUS_OK);
  ASSERT(second.code == first.code && second.has_retry == first.has_retry && second.retry_ns == first.retry_ns);
  ASSERT(same_text(second.message, first.message));
  ASSERT(same_text(second.bad_field, first.bad_field) && same_text(second.bad_reason, first.bad_reason));
  buffer_clear(&out);
  ASSERT(otlp_response_write_status(OTLP_JSON, &first, &out) == STATUS_OK);
  check_json(buffer_slice(&out));
  buffer_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size > (size_t)1 << 18) return 0;
  check_response(slice_make(data, size));
  check_status(slice_make(data, size));
  return 0;
}
