// SPDX-License-Identifier: Apache-2.0
//
// How it works: three memories of fixed size that forget the oldest entry (base/table). Keys of the first two are
// 64-bit hashes; hashes of issues are seeded at random, because whoever may send events chooses fingerprints and could
// look for two that collide. An occurrence lies in a ring and is found through its key; a slot that has been taken by
// another one since is recognised by its key.
#include "store/issue_memory.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/status.h"
#include "base/table.h"

#define SPLIT_BIT       UINT32_C(0x80000000) // beside the issue of a hash
#define ISSUES_MAX      65536
#define EVENTS_MAX      131072
#define OCCURRENCES_MAX 32768

struct issue_memory {
  uint64_t seed;
  struct table_recent *issues;
  struct table_recent *events;
  struct table_recent *occurrences; // key → slot
  struct issue_occurrence *ring;
  uint32_t ring_next;
};

static void destroy_tables(struct issue_memory *memory) {
  table_recent_destroy(memory->issues);
  table_recent_destroy(memory->events);
  table_recent_destroy(memory->occurrences);
}

static void create_tables(struct issue_memory *memory) {
  memory->issues = table_recent_create(ISSUES_MAX);
  memory->events = table_recent_create(EVENTS_MAX);
  memory->occurrences = table_recent_create(OCCURRENCES_MAX);
}

struct issue_memory *issue_memory_create(void) {
  struct issue_memory *memory = calloc(1, sizeof *memory);
  if (!memory) return NULL;
  memory->seed = random_u64();
  memory->ring = calloc(OCCURRENCES_MAX, sizeof *memory->ring);
  if (!memory->ring) {
    free(memory);
    return NULL;
  }
  create_tables(memory);
  return memory;
}

void issue_memory_destroy(struct issue_memory *memory) {
  if (!memory) return;
  destroy_tables(memory);
  free(memory->ring);
  free(memory);
}

void issue_memory_clear(struct issue_memory *memory) {
  destroy_tables(memory);
  create_tables(memory);
}

static uint64_t key_of(uint32_t project, struct slice bytes, uint64_t seed) {
  uint8_t text[4 + 16];
  memcpy(text, &project, sizeof project);
  memcpy(text + sizeof project, bytes.ptr, bytes.len);
  return hash_xxh3_seeded(slice_make(text, sizeof project + bytes.len), seed);
}

struct issue_owner issue_memory_find_issue(const struct issue_memory *memory, uint32_t project,
                                           const uint8_t hash[16]) {
  uint32_t bits = 0;
  uint64_t key = key_of(project, slice_make(hash, 16), memory->seed);
  if (!table_recent_get(memory->issues, key, &bits)) return (struct issue_owner){0};
  return (struct issue_owner){.issue = bits & ~SPLIT_BIT, .split = (bits & SPLIT_BIT) != 0};
}

void issue_memory_put_issue(struct issue_memory *memory, uint32_t project, const uint8_t hash[16],
                            struct issue_owner owner) {
  ASSERT(owner.issue < SPLIT_BIT);
  uint64_t key = key_of(project, slice_make(hash, 16), memory->seed);
  table_recent_put(memory->issues, key, owner.issue | (owner.split ? SPLIT_BIT : 0));
}

void issue_memory_forget_issues(struct issue_memory *memory) {
  table_recent_destroy(memory->issues);
  memory->issues = table_recent_create(ISSUES_MAX);
}

uint64_t issue_memory_event_key(uint32_t project, const uint8_t event_id[ISSUE_EVENT_ID_BYTES]) {
  return key_of(project, slice_make(event_id, ISSUE_EVENT_ID_BYTES), 0);
}

bool issue_memory_has_event(const struct issue_memory *memory, uint64_t event_key) {
  uint32_t ignored;
  return table_recent_get(memory->events, event_key, &ignored);
}

void issue_memory_put_event(struct issue_memory *memory, uint64_t event_key) {
  table_recent_put(memory->events, event_key, 1);
}

static uint64_t occurrence_key(uint32_t project, uint64_t duplicate_key) {
  return key_of(project, slice_make(&duplicate_key, sizeof duplicate_key), 0);
}

struct issue_occurrence *issue_memory_find_occurrence(struct issue_memory *memory, uint32_t project,
                                                      uint64_t duplicate_key) {
  uint32_t slot;
  if (!table_recent_get(memory->occurrences, occurrence_key(project, duplicate_key), &slot)) return NULL;
  struct issue_occurrence *found = &memory->ring[slot];
  return found->duplicate_key == duplicate_key && found->project == project ? found : NULL;
}

void issue_memory_put_occurrence(struct issue_memory *memory, const struct issue_occurrence *occurrence) {
  struct issue_occurrence *known = issue_memory_find_occurrence(memory, occurrence->project, occurrence->duplicate_key);
  if (known) {
    *known = *occurrence;
    return;
  }
  uint32_t slot = memory->ring_next;
  memory->ring_next = (slot + 1) % OCCURRENCES_MAX;
  memory->ring[slot] = *occurrence;
  table_recent_put(memory->occurrences, occurrence_key(occurrence->project, occurrence->duplicate_key), slot);
}
