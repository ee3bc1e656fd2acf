// SPDX-License-Identifier: Apache-2.0
//
// From an accepted payload to the section of its journal record (store/record_facts): validates every item, finds items
// with unusable ids, and notes per trace what sampling and correlation will ask for. One builder per thread, reused;
// its memory is bounded by the limits of proto/otlp_scan.
#ifndef PROCESSOR_PAYLOAD_FACTS_H
#define PROCESSOR_PAYLOAD_FACTS_H

#include <stdint.h>

#include "base/buffer.h"
#include "processor/correlation.h"
#include "processor/sampling.h"
#include "processor/scrub.h"
#include "proto/otlp_scan.h"
#include "store/record_facts.h"

struct payload_facts;

struct payload_facts_options {
  struct sampling *sampling;             // attribute policies; a builder has a share of its own
  const struct correlation *correlation; // request id attributes
  const struct otlp_limits *limits;
  uint32_t keep_severity; // logs without trace and request: RECORD_ITEM_WARN from here on
};

struct payload_facts *payload_facts_create(const struct payload_facts_options *options);
void payload_facts_destroy(struct payload_facts *builder);
// The name of the configuration: sampling and correlation settings hashed.
uint64_t payload_facts_fingerprint(const struct payload_facts *builder);
const struct sampling *payload_facts_sampling(const struct payload_facts *builder);

struct payload_facts_counts {
  uint32_t items;          // accepted
  uint32_t rejected;       // with unusable ids
  char reject_reason[160]; // of the first one: "span 3: trace_id must be 16 bytes and not all zero"
};
// Scans `payload` (traces or logs). STATUS_OK: *out_section is the section (valid until the next call) of the payload
// that remains when the rejected items are taken out, and payload_facts_is_rejected tells which. Other statuses as
// otlp_scan_next.
enum status payload_facts_build(struct payload_facts *builder, enum otlp_signal signal, struct slice payload,
                                struct slice *out_section, struct payload_facts_counts *out_counts,
                                struct error *error);
// Builds from now on also look for what scrub_otlp would change; NULL: they do not. `scrub` must outlive them.
void payload_facts_set_scrub(struct payload_facts *builder, const struct scrub *scrub);
const struct scrub *payload_facts_scrub(const struct payload_facts *builder); // NULL: none, or one that is off
// After a build: false when scrub_otlp has nothing to change in the payload.
bool payload_facts_needs_scrub(const struct payload_facts *builder);
// By otlp_item.index of the scanned payload.
bool payload_facts_is_rejected(const struct payload_facts *builder, uint32_t item_index);

#endif
