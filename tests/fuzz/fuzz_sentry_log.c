// SPDX-License-Identifier: Apache-2.0
//
// The first byte says how far the clocks are apart, the rest is a container of logs. What is written is a valid part of
// an ExportLogsServiceRequest, also behind another one; what is not leaves the buffer as it was.
#include "proto/sentry_log.h"
#include "sentry_otlp_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  static const int64_t drifts[] = {0, INT64_C(3600000000000), -INT64_C(3600000000000), INT64_MAX, INT64_MIN};
  const struct sentry_log_source source = {
      .service = SLICE_LITERAL("default"), .drift_ns = drifts[data[0] % 5], .received_ns = 1};
  struct json_parser *parser = json_parser_create(SENTRY_OTLP_BYTES_MAX);
  struct buffer scratch, out;
  struct json_value root;
  buffer_init(&scratch, SENTRY_OTLP_BYTES_MAX);
  buffer_init(&out, SENTRY_OTLP_BYTES_MAX);
  uint32_t items = 0;
  if (sentry_json_parse(parser, slice_make(data + 1, size - 1), &scratch, &root, NULL) == STATUS_OK) {
    for (int round = 0; round < 2; round++) {
      uint32_t logs = 0, faulty = 0;
      size_t before = out.len;
      enum status status = sentry_log_write(root, &source, &out, &logs, &faulty);
      ASSERT(status == STATUS_OK || status == STATUS_INVALID || status == STATUS_TOO_LARGE);
      ASSERT(status == STATUS_OK || out.len == before);
      if (status == STATUS_OK) {
        ASSERT(logs + faulty == json_count(json_get(root, "items")));
        items += logs;
      }
    }
    sentry_otlp_check(OTLP_LOGS, buffer_slice(&out), items);
  }
  buffer_finish(&scratch);
  buffer_finish(&out);
  json_parser_destroy(parser);
  return 0;
}
