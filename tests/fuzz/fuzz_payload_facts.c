// SPDX-License-Identifier: Apache-2.0
//
// The first byte chooses the signal, the rest is the request. What the builder accepts has a section that decodes, with
// one item for each valid one of the scan; and what is left when the rejected items are spliced out has the same
// section and nothing to reject.
#include "processor/payload_facts.h"
#include "proto/otlp_splice.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct sampling_policy policies[] = {
    {.kind = SAMPLING_ATTRIBUTE, .key = "service.name"},
    {.kind = SAMPLING_ATTRIBUTE, .key = "http.request.method", .value = "GET"},
};

static enum otlp_splice_action drop_rejected(void *context, uint32_t index, struct otlp_splice_item *item,
                                             struct slice *state) {
  (void)item;
  (void)state;
  return payload_facts_is_rejected(context, index) ? OTLP_SPLICE_DROP : OTLP_SPLICE_KEEP;
}

static void check_items(const struct payload_facts *builder, enum otlp_signal signal, struct slice payload,
                        const struct payload_facts_counts *counts) {
  struct otlp_scan scan;
  struct otlp_item item;
  uint32_t valid = 0, rejected = 0;
  otlp_scan_init(&scan, signal, payload, NULL);
  enum status status;
  while ((status = otlp_scan_next(&scan, &item, NULL)) == STATUS_OK) {
    ASSERT(payload_facts_is_rejected(builder, item.index) == !item.ids_valid);
    valid += item.ids_valid;
    rejected += !item.ids_valid;
  }
  ASSERT(status == STATUS_END);
  ASSERT(valid == counts->items && rejected == counts->rejected);
  ASSERT((counts->rejected > 0) == (counts->reject_reason[0] != 0));
}

static void check(struct payload_facts *builder, enum otlp_signal signal, struct slice payload) {
  struct slice section, again;
  struct payload_facts_counts counts, rest_counts;
  struct record_facts facts;
  if (payload_facts_build(builder, signal, payload, &section, &counts, NULL) != STATUS_OK) return;
  ASSERT(record_facts_decode(section, &facts) == STATUS_OK);
  ASSERT(facts.item_count == counts.items);
  check_items(builder, signal, payload, &counts);
  struct buffer before, rest;
  buffer_init(&before, (size_t)64 << 20);
  buffer_init(&rest, payload.len + 1);
  ASSERT(buffer_append_slice(&before, section) == STATUS_OK);
  ASSERT(otlp_splice(signal, payload, drop_rejected, builder, &rest, NULL) == STATUS_OK);
  ASSERT(payload_facts_build(builder, signal, buffer_slice(&rest), &again, &rest_counts, NULL) == STATUS_OK);
  ASSERT(rest_counts.rejected == 0 && rest_counts.items == counts.items);
  ASSERT(slice_equal(again, buffer_slice(&before)));
  buffer_finish(&rest);
  buffer_finish(&before);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  struct metrics *metrics = metrics_create();
  struct sampling *sampling;
  ASSERT(sampling_create(policies, sizeof(policies) / sizeof(policies[0]), metrics, &sampling, NULL) == STATUS_OK);
  struct correlation *correlation = correlation_create(NULL, 0);
  struct payload_facts *builder = payload_facts_create(&(struct payload_facts_options){
      .sampling = sampling, .correlation = correlation, .keep_severity = OTLP_SEVERITY_WARN});
  check(builder, data[0] % 2 ? OTLP_LOGS : OTLP_TRACES, slice_make(data + 1, size - 1));
  payload_facts_destroy(builder);
  correlation_destroy(correlation);
  sampling_release(sampling);
  metrics_destroy(metrics);
  return 0;
}
