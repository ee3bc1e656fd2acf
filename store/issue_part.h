// SPDX-License-Identifier: Apache-2.0
//
// The parts of an issue: events that have the same hashes. Every event is counted in exactly one part, so that counts,
// hours and events of a hash can be split off exactly. Inside the writer's transaction; failures stay in the
// connection.
#ifndef STORE_ISSUE_PART_H
#define STORE_ISSUE_PART_H

#include "store/connection.h"
#include "store/issue.h"

#define ISSUE_PARTS_MAX        200  // made by events; beyond it they are counted in part 0, which cannot be split off
#define ISSUE_PARTS_MERGED_MAX 1000 // of an issue that others were merged into

// What a batch adds to a part.
struct issue_part_delta {
  uint32_t issue;
  const struct issue_event *newest;
  uint32_t count;
  uint64_t first_seen_ns, last_seen_ns;
};
// Counts it, making the part when it is new; its row, 0 for part 0.
int64_t issue_part_add(struct connection *connection, const struct issue_part_delta *delta);

// A part as it is stored, without its description.
struct issue_part {
  int64_t row;
  uint64_t count, first_seen_ns, last_seen_ns;
  uint8_t hashes[ISSUE_EVENT_HASHES_MAX][ISSUE_HASH_BYTES];
  uint32_t hash_count;
};
// The parts of an issue, newest last; up to max.
uint32_t issue_part_load(struct connection *connection, uint64_t issue, struct issue_part *out_parts, uint32_t max);
bool issue_part_has(const struct issue_part *part, const uint8_t hash[ISSUE_HASH_BYTES]);

// Moves one part with its hours and events to another issue, into the part of the same hashes where there is one.
void issue_part_move(struct connection *connection, int64_t row, uint64_t from, uint64_t to);
// Title, type, value, culprit, level and platform of the issue become those of its newest part, if it has one.
void issue_part_describe(struct connection *connection, uint64_t issue);

#endif
