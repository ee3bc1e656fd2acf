// SPDX-License-Identifier: Apache-2.0
//
// By what the events of each project are grouped: the setups of store/grouping_history, compiled, the one in force and
// those whose hashes still lead to their issue. Changes made by another thread or another process are seen within
// INBOX_GROUPING_SEEN_NS. One thread; a copy for each thread that groups.
#ifndef COLLECTOR_INBOX_GROUPING_H
#define COLLECTOR_INBOX_GROUPING_H

#include "base/clock.h"
#include "processor/grouping.h"
#include "store/grouping_history.h"
#include "store/issue.h"

#define INBOX_GROUPING_SEEN_NS (10 * NS_PER_MS)

struct inbox_grouping;

struct inbox_grouping_options {
  struct database *database;
  const struct clock *clock;
  const struct grouping_config *program; // GROUPING_ALGORITHM with the built-in rules: when the database cannot tell
  size_t memory_bytes_max;               // of a memory of stack traces; 0: none
};
struct inbox_grouping *inbox_grouping_create(const struct inbox_grouping_options *options);
void inbox_grouping_destroy(struct inbox_grouping *grouping);

struct inbox_setup {
  const struct grouping_config *config;
  const char *id;    // beside a hash: algorithm and digest of the rules
  uint64_t until_ns; // 0: in force
};
// The setups of a project for an event received then; out_setups[0] is in force, the others are past and not expired.
// Returns how many. Valid until the next call.
uint32_t inbox_grouping_find(struct inbox_grouping *grouping, uint32_t project, uint64_t received_ns,
                             struct inbox_setup out_setups[1 + GROUPING_HISTORY_PAST_MAX]);

// What is remembered of stack traces, whatever project they are of; NULL: nothing.
struct grouping_memory *inbox_grouping_memory(struct inbox_grouping *grouping);

// Whether every one of the hashes has an issue, so that past hashes need not be computed.
bool inbox_grouping_is_known(struct inbox_grouping *grouping, uint32_t project, const struct issue_hash *hashes,
                             uint32_t count);

#endif
