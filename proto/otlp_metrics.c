// SPDX-License-Identifier: Apache-2.0
//
// Framing and counting of metrics. Every level is one step deeper through one of few fields, so a table of those and a
// stack of five message ends is all there is:
//
//   request ─ 1 ─> ResourceMetrics ─ 2 ─> ScopeMetrics ─ 2 ─> Metric ─ 5 7 9 10 11 ─> its data ─ 1 ─> data point
#include "proto/otlp_any.h"
#include "proto/otlp_scan.h"
#include "proto/wire.h"

#define LEVELS 5

struct level {
  uint32_t children; // bit n: field n is a message of the next level
  struct otlp_message message;
};

static const char *const request_fields[] = {[1] = "resource_metrics"};
static const char *const resource_fields[] = {[2] = "scope_metrics"};
static const char *const scope_fields[] = {[2] = "metrics"};
static const char *const metric_fields[] = {
    [5] = "gauge", [7] = "sum", [9] = "histogram", [10] = "exponential_histogram", [11] = "summary"};
static const char *const data_fields[] = {[1] = "data_points"};

static const struct level levels[LEVELS] = {
    {UINT32_C(1) << 1, {request_fields, 2}},
    {UINT32_C(1) << 2, {resource_fields, 3}},
    {UINT32_C(1) << 2, {scope_fields, 3}},
    {UINT32_C(1) << 5 | UINT32_C(1) << 7 | UINT32_C(1) << 9 | UINT32_C(1) << 10 | UINT32_C(1) << 11,
     {metric_fields, 12}},
    {UINT32_C(1) << 1, {data_fields, 2}},
};

enum status otlp_scan_metrics(struct slice payload, uint64_t *out_points, struct error *error) {
  const uint8_t *ends[LEVELS] = {wire_end(payload)};
  const char *entered[LEVELS] = {NULL}; // the field by which each open level was entered
  unsigned depth = 0;
  uint64_t points = 0;
  const uint8_t *at = payload.ptr;
  struct otlp_scan scan = {.payload = payload}; // for its fault
  for (;;) {
    if (at == ends[depth]) {
      if (depth == 0) break;
      depth--;
      continue;
    }
    const struct level *level = &levels[depth];
    const uint8_t *field = at, *end = ends[depth];
    uint32_t tag = 0;
    struct slice content;
    bool is_child = false;
    at = wire_tag(at, end, &tag);
    if (at && tag >> 3 < level->message.count) is_child = (level->children >> (tag >> 3)) & 1;
    if (at && is_child && (tag & 7) == WIRE_BYTES) {
      at = wire_bytes(at, end, &content);
      if (at && depth + 1 == LEVELS) {
        points++;
      } else if (at) {
        entered[++depth] = level->message.fields[tag >> 3];
        ends[depth] = at;
        at = content.ptr;
      }
    } else if (at) {
      at = otlp_any_unknown(&scan, &level->message, tag, at, end);
    }
    if (!at) {
      otlp_any_fail(&scan, &level->message, tag, field);
      for (; depth > 0; depth--) otlp_any_within(&scan, entered[depth]);
      return otlp_any_report(&scan.fault, error);
    }
  }
  if (out_points) *out_points = points;
  return STATUS_OK;
}
