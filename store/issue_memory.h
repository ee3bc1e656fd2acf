// SPDX-License-Identifier: Apache-2.0
//
// What the issue writer remembers between batches, so that a flood costs few look-ups: issues by hash, ids of events
// taken of late, and exceptions that may still come a second time from the other side (span event and log). All of it
// is a cache of the database or bounded by time; clearing it is always safe. Fixed size. One thread (the writer's
// lock).
#ifndef STORE_ISSUE_MEMORY_H
#define STORE_ISSUE_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "store/issue.h"

struct issue_memory;

struct issue_memory *issue_memory_create(void); // NULL: no memory
void issue_memory_destroy(struct issue_memory *memory);
void issue_memory_clear(struct issue_memory *memory);

// The issue of a hash, and whether a person split the hash off.
struct issue_owner {
  uint32_t issue; // below 2^31; 0: not known here
  bool split;
};
struct issue_owner issue_memory_find_issue(const struct issue_memory *memory, uint32_t project, const uint8_t hash[16]);
void issue_memory_put_issue(struct issue_memory *memory, uint32_t project, const uint8_t hash[16],
                            struct issue_owner owner);
void issue_memory_forget_issues(struct issue_memory *memory);

// Ids of events, as keys that are the same in every run (they are written to the table recent_events).
uint64_t issue_memory_event_key(uint32_t project, const uint8_t event_id[ISSUE_EVENT_ID_BYTES]);
bool issue_memory_has_event(const struct issue_memory *memory, uint64_t event_key);
void issue_memory_put_event(struct issue_memory *memory, uint64_t event_key);

// What an occurrence that was stored without can still be given by its duplicate.
enum issue_lack {
  ISSUE_LACKS_REQUEST = 1,
  ISSUE_LACKS_SERVICE = 2,
  ISSUE_LACKS_ENVIRONMENT = 4,
  ISSUE_LACKS_RELEASE = 8
};

struct issue_occurrence {
  uint64_t duplicate_key;
  uint64_t timestamp_ns;
  uint8_t event_id[ISSUE_EVENT_ID_BYTES];
  uint32_t project;
  uint8_t source; // enum issue_source
  uint8_t lacks;  // enum issue_lack
};
// The latest occurrence with this key; NULL: none is remembered. The pointer ends with the next put.
struct issue_occurrence *issue_memory_find_occurrence(struct issue_memory *memory, uint32_t project,
                                                      uint64_t duplicate_key);
void issue_memory_put_occurrence(struct issue_memory *memory, const struct issue_occurrence *occurrence);

#endif
