// SPDX-License-Identifier: Apache-2.0
//
// Splitting hashes off an issue into one of their own, for good. Inside the writer's transaction (store/issue_store
// does the rest); failures stay in the connection.
#ifndef STORE_ISSUE_SPLIT_H
#define STORE_ISSUE_SPLIT_H

#include "store/connection.h"
#include "store/issue.h"

#define ISSUE_SPLIT_MAX 100 // hashes in one go

// Every event that has one of the hashes (ISSUE_HASH_BYTES each, end to end) moves, with its share of counts, hours and
// parts; so do hashes that no event left behind has. Later events with one of the hashes follow: of several hashes of
// an event the one that was split off last decides. Ids of issues merged before lead to where their hashes are.
// The new issue, 0 after a failure: STATUS_NOT_FOUND (issue or hash), STATUS_CONFLICT (nothing would be split off or
// left behind).
//
// Counts and hours are exact. Tags are counted from the events that are stored: the new issue has those of its stored
// events, the other one is left with the rest.
uint64_t issue_split_apply(struct connection *connection, uint64_t now_ns, uint64_t issue, struct slice hashes);

#endif
