// SPDX-License-Identifier: Apache-2.0
//
// What the fuzz targets of the conversions from Sentry's forms to OpenTelemetry's have in common: what was converted
// passes the scan that every OTLP request passes, with as many items as were counted and no unusable id.
#ifndef TESTS_FUZZ_SENTRY_OTLP_CHECK_H
#define TESTS_FUZZ_SENTRY_OTLP_CHECK_H

#include "base/buffer.h"
#include "base/json.h"
#include "proto/otlp_scan.h"
#include "proto/sentry_json.h"

#define SENTRY_OTLP_BYTES_MAX ((size_t)8 << 20)

static inline void sentry_otlp_check(enum otlp_signal signal, struct slice payload, uint32_t items) {
  struct otlp_scan scan;
  struct otlp_item item;
  struct error error = {""};
  uint32_t count = 0;
  enum status status;
  otlp_scan_init(&scan, signal, payload, NULL);
  while ((status = otlp_scan_next(&scan, &item, &error)) == STATUS_OK) {
    ASSERT(item.ids_valid);
    count++;
  }
  ASSERT(status == STATUS_END);
  ASSERT(count == items);
}

#endif
