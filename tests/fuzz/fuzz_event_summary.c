// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a summary: what is accepted points into them, encodes to no more bytes, and those are read as the same
// again.
#include <string.h>

#include "store/event_summary.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_views(const struct issue_event *event, struct slice bytes) {
  const struct slice texts[] = {event->trace_id, event->span_id, event->request_id,  event->title,
                                event->type,     event->value,   event->culprit,     event->level,
                                event->platform, event->service, event->environment, event->release};
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    ASSERT(texts[i].ptr >= bytes.ptr && texts[i].len <= (size_t)(bytes.ptr + bytes.len - texts[i].ptr));
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct event_summary summary, again;
  if (event_summary_decode(slice_make(data, size), &summary) != STATUS_OK) return 0;
  check_views(&summary.event, slice_make(data, size));
  struct buffer first, second;
  buffer_init(&first, size + 1);
  buffer_init(&second, size + 1);
  ASSERT(event_summary_encode(&summary.event, &first) == STATUS_OK);
  ASSERT(first.len <= size); // texts may have been cut
  ASSERT(event_summary_decode(buffer_slice(&first), &again) == STATUS_OK);
  ASSERT(again.event.hash_count == summary.event.hash_count && again.event.tag_count == summary.event.tag_count);
  ASSERT(memcmp(again.hashes[0].bytes, summary.hashes[0].bytes, ISSUE_HASH_BYTES) == 0);
  ASSERT(again.event.timestamp_ns == summary.event.timestamp_ns);
  ASSERT(event_summary_encode(&again.event, &second) == STATUS_OK);
  ASSERT(slice_equal(buffer_slice(&first), buffer_slice(&second)));
  buffer_finish(&first);
  buffer_finish(&second);
  return 0;
}
