// SPDX-License-Identifier: Apache-2.0
//
// The first byte chooses the signal, the rest is OTLP/JSON. What is converted must be a request: the scan takes it (but
// for its limits), and protobuf-c reads it the same.
#include "base/json.h"
#include "proto/otlp_json.h"
#include "tests/unit/proto/otlp_oracle.h"

#define BYTES_MAX ((size_t)1 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_wire(enum otlp_signal signal, struct slice wire) {
  struct error error = {""};
  if (signal == OTLP_METRICS) {
    ASSERT(otlp_scan_metrics(wire, NULL, &error) == STATUS_OK);
  } else if (!otlp_oracle_accepts(signal, wire, NULL, &error)) {
    ASSERT(strstr(error.text, "the limit"));
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0 || size > BYTES_MAX) return 0;
  enum otlp_signal signal = (enum otlp_signal)(data[0] % 3);
  struct json_parser *parser = json_parser_create(BYTES_MAX);
  struct error error = {""};
  struct buffer out;
  buffer_init(&out, 4 * BYTES_MAX);
  enum status status = otlp_json_to_wire(signal, parser, slice_make(data + 1, size - 1), &out, &error);
  if (status == STATUS_OK) {
    check_wire(signal, buffer_slice(&out));
  } else {
    ASSERT(out.len == 0 && error.text[0] != 0);
  }
  buffer_finish(&out);
  json_parser_destroy(parser);
  return 0;
}
