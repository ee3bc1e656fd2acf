// SPDX-License-Identifier: Apache-2.0
//
// Events, and what comes beside them, on their way into the inbox: a batch is filled without touching the database and
// then written in one transaction (issue_store_write); when that fails the batch is still whole and can be written
// again. One thread.
//
// Everything handed in is copied. A batch is bounded by events and by bytes; issue_batch_is_full says when to write.
#ifndef STORE_ISSUE_BATCH_H
#define STORE_ISSUE_BATCH_H

#include "base/arena.h"
#include "base/status.h"
#include "proto/sentry_item.h"
#include "store/issue.h"

#define ISSUE_BATCH_EVENTS_MAX 12000
#define ISSUE_BATCH_ITEMS_MAX  500
#define ISSUE_BATCH_BYTES_MAX  (40u << 20) // full from here on
#define ISSUE_BATCH_MEMORY_MAX (88u << 20) // an event more always fits below this

// One attachment, feedback or note of what an SDK threw away.
struct issue_item {
  uint32_t project;
  uint64_t received_ns;
  struct sentry_item item;
};

struct issue_batch {
  struct arena arena;
  struct issue_event *events; // ISSUE_BATCH_EVENTS_MAX; their slices are in the arena
  uint32_t count;
  struct issue_item *items; // ISSUE_BATCH_ITEMS_MAX; likewise
  uint32_t item_count;
};

// STATUS_NO_MEMORY.
enum status issue_batch_init(struct issue_batch *batch);
void issue_batch_finish(struct issue_batch *batch);
void issue_batch_clear(struct issue_batch *batch);
bool issue_batch_is_full(const struct issue_batch *batch);
bool issue_batch_is_empty(const struct issue_batch *batch);
// The batch must not be full. STATUS_TOO_LARGE when the event alone is over the memory limit; nothing is added then.
enum status issue_batch_add(struct issue_batch *batch, const struct issue_event *event);
enum status issue_batch_add_item(struct issue_batch *batch, const struct issue_item *item);

#endif
