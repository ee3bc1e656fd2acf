// SPDX-License-Identifier: Apache-2.0
//
// The first byte chooses between a transaction and a container of spans and says how far the clocks are apart; the rest
// is its JSON. What is written is a valid part of an ExportTraceServiceRequest, also behind another one; what is not
// leaves the buffer as it was.
#include "proto/sentry_trace.h"
#include "sentry_otlp_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  static const int64_t drifts[] = {0, INT64_C(3600000000000), -INT64_C(3600000000000), INT64_MAX, INT64_MIN};
  const struct sentry_trace_source source = {.service = SLICE_LITERAL("default"), .drift_ns = drifts[data[0] / 2 % 5]};
  struct json_parser *parser = json_parser_create(SENTRY_OTLP_BYTES_MAX);
  struct buffer scratch, out;
  struct json_value root;
  struct error error = {""};
  buffer_init(&scratch, SENTRY_OTLP_BYTES_MAX);
  buffer_init(&out, SENTRY_OTLP_BYTES_MAX);
  uint32_t items = 0;
  if (sentry_json_parse(parser, slice_make(data + 1, size - 1), &scratch, &root, &error) == STATUS_OK) {
    for (int round = 0; round < 2; round++) {
      struct sentry_trace_counts counts = {0};
      size_t before = out.len;
      enum status status = data[0] % 2 ? sentry_trace_write_spans(root, &source, &out, &counts, &error)
                                       : sentry_trace_write_transaction(root, &source, &out, &counts, &error);
      if (status == STATUS_OK) {
        items += counts.spans;
      } else {
        ASSERT(status == STATUS_INVALID || status == STATUS_TOO_LARGE);
        ASSERT(out.len == before && error.text[0] != 0);
      }
    }
    sentry_otlp_check(OTLP_TRACES, buffer_slice(&out), items);
  }
  buffer_finish(&scratch);
  buffer_finish(&out);
  json_parser_destroy(parser);
  return 0;
}
