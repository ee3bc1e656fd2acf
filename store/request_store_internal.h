// SPDX-License-Identifier: Apache-2.0
//
// What request_store.c (the store and its indexes) and request_store_find.c (finding) share; nobody else includes it.
#ifndef STORE_REQUEST_STORE_INTERNAL_H
#define STORE_REQUEST_STORE_INTERNAL_H

#include "base/thread.h"
#include "store/request_store.h"
#include "store/segment_index.h"

struct request_store {
  struct journal *kept;
  struct journal *intake; // may be NULL
  const struct clock *clock;
  uint64_t segment_bytes;
  uint32_t entries_max; // of one index
  uint64_t settled_at_open;
  struct atomic_u64 settled;

  struct mutex rebuild_mutex; // one rebuild at a time

  struct mutex mutex; // the indexes in memory
  struct segment_index_builder *building, *sealing;
  uint64_t building_segment, sealing_segment; // 0: none
  uint64_t appended, answered;                // records
  uint64_t answered_origin;                   // of the newest answered one
  bool building_is_incomplete;                // no memory for a key: the file is made from the segment later
};

// All kept segments, oldest first; free() the result. NULL without memory (or with none: *out_count 0).
struct journal_segment *request_store_segments(struct journal *journal, uint32_t *out_count);

// Offsets of the kept segment's records with `key`, from memory or the index file, which is rebuilt when it is missing
// or damaged. *out_count as segment_index_find. A segment that is gone has none.
enum status request_store_look_up(struct request_store *store, const struct journal_segment *segment, uint64_t key,
                                  uint64_t *out_offsets, uint32_t max, uint32_t *out_count);

// The intake sequence up to which the kept journal and its indexes tell the whole story.
uint64_t request_store_settled_now(struct request_store *store);

#endif
