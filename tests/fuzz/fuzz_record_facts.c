// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a section: what is accepted can be walked, and encodes to the same bytes again.
#include <stdlib.h>
#include <string.h>

#include "store/record_facts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct record_facts facts;
  if (record_facts_decode(slice_make(data, size), &facts) != STATUS_OK) return 0;
  struct record_trace *traces = calloc(facts.trace_count + 1u, sizeof(*traces));
  struct record_item *items = calloc(facts.item_count + 1u, sizeof(*items));
  struct record_request *requests = calloc(facts.request_count + 1u, sizeof(*requests));
  bool has_errors = false;
  for (uint32_t i = 0; i < facts.trace_count; i++) record_facts_trace(&facts, i, &traces[i]);
  for (uint32_t i = 0; i < facts.item_count; i++) {
    items[i] = record_facts_item(&facts, i);
    ASSERT(items[i].trace < facts.trace_count || items[i].trace == RECORD_NO_TRACE);
    has_errors = has_errors || items[i].flags & RECORD_ITEM_ERROR;
  }
  ASSERT(has_errors == facts.has_errors);
  const uint8_t *cursor = facts.requests;
  uint32_t count = 0;
  while (record_facts_next_request(&facts, &cursor, &requests[count])) {
    ASSERT(requests[count].trace == RECORD_NO_TRACE ? requests[count].item < facts.item_count
                                                    : requests[count].trace < facts.trace_count);
    ASSERT(++count <= facts.request_count);
  }
  ASSERT(count == facts.request_count);
  struct buffer again;
  buffer_init(&again, size + 1);
  ASSERT(record_facts_encode(facts.fingerprint, traces, facts.trace_count, items, facts.item_count, requests, count,
                             &again) == STATUS_OK);
  ASSERT(again.len == size && memcmp(again.ptr, data, size) == 0);
  buffer_finish(&again);
  free(traces);
  free(items);
  free(requests);
  return 0;
}
