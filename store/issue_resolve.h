// SPDX-License-Identifier: Apache-2.0
//
// Which issue an event belongs to: through the memory, the table of hashes, or as a new issue. Used by issue_writer
// only.
#ifndef STORE_ISSUE_RESOLVE_H
#define STORE_ISSUE_RESOLVE_H

#include "store/connection.h"
#include "store/issue_memory.h"

#define ISSUE_RESOLVE_OVERFLOW_TITLE "Too many different errors: over the daily limit of new issues"

struct issue_resolve {
  struct connection *connection;
  struct issue_memory *memory;
  uint64_t now_ns;
  uint32_t groups_per_day_max;
};

struct issue_resolved {
  uint32_t issue; // 0: the connection failed
  bool made;
  bool overflow; // the project's overflow issue
};
// A new issue without hashes; 0 after a failure.
uint32_t issue_resolve_make(const struct issue_resolve *resolve, uint32_t project, uint64_t seen_ns,
                            struct slice title);
struct issue_resolved issue_resolve_event(const struct issue_resolve *resolve, const struct issue_event *event);

#endif
