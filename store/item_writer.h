// SPDX-License-Identifier: Apache-2.0
//
// Writes what comes beside events: attachments, feedback, what SDKs threw away. Inside store/issue_store's transaction,
// under the writer's lock; failures stay in the connection.
//
// Bounds: attachments hold at most bytes_max of data, of which the oldest go first, and ITEM_WRITER_ATTACHMENTS_MAX
// rows; a project's feedback ITEM_WRITER_FEEDBACK_MAX rows; what was thrown away ITEM_WRITER_DISCARDED_MAX kinds a
// project and hour (the rest is counted as "other"), for ITEM_WRITER_DISCARDED_HOURS.
#ifndef STORE_ITEM_WRITER_H
#define STORE_ITEM_WRITER_H

#include "store/connection.h"
#include "store/issue_batch.h"
#include "store/issue_memory.h"

#define ITEM_WRITER_BYTES_DEFAULT   (UINT64_C(512) << 20)
#define ITEM_WRITER_ATTACHMENTS_MAX 100000
#define ITEM_WRITER_FEEDBACK_MAX    10000
#define ITEM_WRITER_DISCARDED_MAX   64
#define ITEM_WRITER_DISCARDED_HOURS (7 * 24)

struct item_writer;

// bytes_max 0: the default. NULL for want of memory.
struct item_writer *item_writer_create(uint64_t bytes_max);
void item_writer_destroy(struct item_writer *writer);

struct item_writer_outcome {
  uint32_t attachments; // whose data was stored
  uint32_t orphaned;    // of an event that was taken before and whose row is gone: dropped
  uint32_t evicted;     // older ones that lost their data to the budget, or their row to the limit of rows
  uint32_t feedback, discarded;
  bool changed; // anything that a reader sees
};
// Writes the items of the batch; its events have been written before. `memory` knows the ids of events taken of late.
void item_writer_apply(struct item_writer *writer, struct connection *connection, const struct issue_memory *memory,
                       const struct issue_batch *batch, struct item_writer_outcome *out_outcome);
// The transaction failed: what was counted in it is not so.
void item_writer_forget(struct item_writer *writer);
// Deletes up to rows_max attachments and as many feedbacks received before before_ns, oldest first, and ties feedback
// to the issues of events that came after it. Returns how many rows went.
uint32_t item_writer_retain(struct connection *connection, uint64_t before_ns, uint32_t rows_max);
// The attachments of one event's row, which is about to be deleted.
void item_writer_delete_of_event(struct connection *connection, int64_t event_row);

#endif
