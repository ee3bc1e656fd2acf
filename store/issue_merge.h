// SPDX-License-Identifier: Apache-2.0
//
// Merging issues: what the others have moves into one, and their ids lead there from then on. Inside the writer's
// transaction (store/issue_store does the rest); failures stay in the connection.
#ifndef STORE_ISSUE_MERGE_H
#define STORE_ISSUE_MERGE_H

#include "base/buffer.h"
#include "store/connection.h"
#include "store/issue.h"

#define ISSUE_MERGE_MAX 100 // issues in one go

// The issue that an id leads to: itself, or what it was merged into; 0 when there is none. In any transaction.
uint64_t issue_merge_follow(struct connection *connection, uint64_t id);
// The issue of a short id ("DEFAULT-17"), merged ones included; 0 when there is none.
uint64_t issue_merge_find_short(struct connection *connection, struct slice short_id);

struct issue_merge_result {
  uint64_t issue; // what is left
  uint32_t issues_gone, events_gone;
};
// Merges `others` into `issue`. Those that were merged into it before are passed over. STATUS_NOT_FOUND;
// STATUS_INVALID: the issue itself is among the others; STATUS_CONFLICT: of another project, an overflow issue, too
// many different hashes. `keys` receives those (issue_memory_event_key) of the events that had no room.
void issue_merge_apply(struct connection *connection, uint64_t now_ns, uint64_t issue, struct slice others,
                       struct buffer *keys, struct issue_merge_result *out_result);

// For store/issue_split too. The project of an issue; the connection fails with STATUS_CONFLICT when the issue is its
// project's overflow issue, whose events have nothing in common.
uint32_t issue_merge_project(struct connection *connection, uint64_t issue);
// Adds an entry that names another issue by its short id.
void issue_merge_add_history(struct connection *connection, uint64_t issue, uint64_t time_ns, const char *kind,
                             uint64_t other);

#endif
