// SPDX-License-Identifier: Apache-2.0
//
// Applies one batch inside a transaction: the part of store/issue_store that knows the tables. Used by issue_store
// only, under the writer's lock.
#ifndef STORE_ISSUE_WRITER_H
#define STORE_ISSUE_WRITER_H

#include "store/issue_memory.h"
#include "store/issue_store.h"

struct issue_writer;

struct issue_writer *issue_writer_create(uint32_t groups_per_day_max); // NULL: no memory
void issue_writer_destroy(struct issue_writer *writer);

// Drops what is remembered of the tables: the transaction failed, or others changed them.
void issue_writer_forget(struct issue_writer *writer);

struct issue_writer_result {
  struct issue_store_outcome outcome;
  int64_t stored_change; // rows of table event
};
// recall_until_ns: events received before may have duplicates that the memory does not know (it was cleared): the
// database is asked too. Failures stay in the connection.
void issue_writer_apply(struct issue_writer *writer, struct connection *connection, struct issue_memory *memory,
                        struct issue_batch *batch, uint64_t now_ns, uint64_t recall_until_ns,
                        struct issue_writer_result *out_result);

// Keys (issue_memory_event_key) of the events of the last apply that were not resent, for the table recent_events.
struct slice issue_writer_event_keys(const struct issue_writer *writer);

void issue_writer_add_history(struct connection *connection, uint64_t issue, uint64_t time_ns, const char *kind);

#endif
