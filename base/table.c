// SPDX-License-Identifier: Apache-2.0
//
// struct table: linear probing over an array of keys, the values in a second array of the same allocation:
//
//   | key 0 | key 1 | ... | key C-1 | value 0 | value 1 | ... | value C-1 |      C a power of two, key 0 = empty slot
//
// A look-up touches keys only: eight slots a cache line. Removal shifts the following entries of the cluster back, so
// there are no tombstones and a table that lives for months does not rot. At most 7 of 8 slots are used. A key's place
// comes from its high bits, so that a table that grows fills the new memory from front to back, and gives the old one
// back as it goes: at no time are both there whole.
//
// struct table_recent: a ring of entries in the order they came, numbered, chained into buckets from the newest to the
// oldest:
//
//   buckets   | · | 8 | · | 5 | ...                    numbers of entries; one that has left the ring ends the chain
//                   |       |
//   ring      | 7 | 8 → 6 | · | 5 → 2 | 6 | ...        (2 was forgotten: 5 is the last of its chain)
//
// So forgetting is only going on in the ring: nothing is searched for and nothing unlinked. Numbers have 32 bits. When
// they have come round, one that was left behind long ago may seem to be in the ring; the walk then reads entries of
// other chains, which have other keys.
#include "base/table.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/status.h"

#define SLOTS_MIN  ((size_t)16)
#define MOVE_SLOTS ((size_t)1 << 17) // between two times that memory is given back
// 2^64 divided by the golden ratio: spreads keys whose low bits are alike.
#define SPREAD UINT64_C(0x9E3779B97F4A7C15)

struct table {
  uint64_t *keys;
  uint8_t *values;
  size_t value_bytes;
  size_t entries_max;
  size_t count;
  size_t slots; // 0 before the first insert
  unsigned shift;
};

static size_t home_slot(const struct table *table, uint64_t key) {
  return (size_t)((key * SPREAD) >> table->shift);
}

static void *value_at(const struct table *table, size_t slot) {
  return table->values + slot * table->value_bytes;
}

// The slot of `key`, or the empty slot where it belongs. The table has at least one empty slot.
static size_t probe(const struct table *table, uint64_t key) {
  size_t mask = table->slots - 1;
  size_t slot = home_slot(table, key);
  while (table->keys[slot] != 0 && table->keys[slot] != key) slot = (slot + 1) & mask;
  return slot;
}

struct table *table_create(size_t value_bytes, size_t entries_max) {
  ASSERT(entries_max > 0 && entries_max <= SIZE_MAX / 64 && value_bytes % 8 == 0 && value_bytes <= 1 << 20);
  struct table *table = calloc(1, sizeof *table);
  ASSERT(table != NULL);
  table->value_bytes = value_bytes;
  table->entries_max = entries_max;
  return table;
}

void table_destroy(struct table *table) {
  if (!table) return;
  free(table->keys);
  free(table);
}

void *table_find(const struct table *table, uint64_t key) {
  if (table->slots == 0) return NULL;
  if (key == 0) key = 1;
  size_t slot = probe(table, key);
  return table->keys[slot] == key ? value_at(table, slot) : NULL;
}

void table_prefetch(const struct table *table, uint64_t key) {
  if (table->slots == 0) return;
  size_t slot = home_slot(table, key == 0 ? 1 : key);
  __builtin_prefetch(&table->keys[slot]);
  __builtin_prefetch(value_at(table, slot));
}

// The whole pages between: nobody will read them, and they are freed soon.
static void give_back(uint8_t *from, const uint8_t *to) {
  const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
  const size_t before = (page - (uintptr_t)from % page) % page, behind = (uintptr_t)to % page;
  const size_t len = (size_t)(to - from);
  if (len > before + behind) madvise(from + before, len - before - behind, MADV_DONTNEED);
}

static bool grow(struct table *table) {
  struct table bigger = *table;
  bigger.slots = table->slots ? table->slots * 2 : SLOTS_MIN;
  bigger.shift = 64 - (unsigned)__builtin_ctzll(bigger.slots);
  bigger.keys = calloc(bigger.slots, sizeof(uint64_t) + table->value_bytes);
  if (!bigger.keys) return false;
  bigger.values = (uint8_t *)(bigger.keys + bigger.slots);
  for (size_t slot = 0; slot < table->slots; slot++) {
    if (slot >= MOVE_SLOTS && slot % MOVE_SLOTS == 0) {
      give_back((uint8_t *)(table->keys + slot - MOVE_SLOTS), (uint8_t *)(table->keys + slot));
      give_back(value_at(table, slot - MOVE_SLOTS), value_at(table, slot));
    }
    if (table->keys[slot] == 0) continue;
    size_t to = probe(&bigger, table->keys[slot]);
    bigger.keys[to] = table->keys[slot];
    memcpy(value_at(&bigger, to), value_at(table, slot), table->value_bytes);
  }
  free(table->keys);
  *table = bigger;
  return true;
}

void *table_insert(struct table *table, uint64_t key, bool *out_new) {
  if (key == 0) key = 1;
  void *found = table_find(table, key);
  if (found) {
    if (out_new) *out_new = false;
    return found;
  }
  if (table->count >= table->entries_max) return NULL;
  if (table->count + 1 > table->slots / 8 * 7 && !grow(table)) return NULL;
  size_t slot = probe(table, key);
  table->keys[slot] = key;
  table->count++;
  if (out_new) *out_new = true;
  return memset(value_at(table, slot), 0, table->value_bytes);
}

bool table_remove(struct table *table, uint64_t key) {
  if (table->slots == 0) return false;
  if (key == 0) key = 1;
  size_t mask = table->slots - 1;
  size_t hole = probe(table, key);
  if (table->keys[hole] != key) return false;
  // Walk the rest of the cluster: an entry may move into the hole when the hole is not before its home.
  for (size_t slot = (hole + 1) & mask; table->keys[slot] != 0; slot = (slot + 1) & mask) {
    size_t distance_from_home = (slot - home_slot(table, table->keys[slot])) & mask;
    size_t distance_from_hole = (slot - hole) & mask;
    if (distance_from_home < distance_from_hole) continue;
    table->keys[hole] = table->keys[slot];
    memcpy(value_at(table, hole), value_at(table, slot), table->value_bytes);
    hole = slot;
  }
  table->keys[hole] = 0;
  table->count--;
  return true;
}

size_t table_count(const struct table *table) {
  return table->count;
}

size_t table_bytes(const struct table *table) {
  return sizeof *table + table->slots * (sizeof(uint64_t) + table->value_bytes);
}

void *table_next(const struct table *table, size_t *cursor, uint64_t *out_key) {
  while (*cursor < table->slots) {
    size_t slot = (*cursor)++;
    if (table->keys[slot] == 0) continue;
    if (out_key) *out_key = table->keys[slot];
    return value_at(table, slot);
  }
  return NULL;
}

void table_clear(struct table *table) {
  if (table->slots > 0) memset(table->keys, 0, table->slots * sizeof(uint64_t));
  table->count = 0;
}

struct recent_entry {
  uint64_t key;
  uint32_t value;
  uint32_t older; // number of the next entry of the chain
};
static_assert(sizeof(struct recent_entry) == 16, "16 bytes an entry");

struct table_recent {
  struct recent_entry *entries;
  uint32_t *buckets; // number of the newest entry; entries are numbered from 1
  uint32_t entries_max;
  uint32_t count;
  uint32_t newest;    // its number; 0: none yet
  uint32_t newest_at; // its place in the ring
  unsigned shift;
};

struct table_recent *table_recent_create(size_t entries_max) {
  ASSERT(entries_max > 0 && entries_max <= UINT32_MAX / 2);
  struct table_recent *recent = calloc(1, sizeof *recent);
  ASSERT(recent != NULL);
  unsigned bits = 1;
  while ((size_t)1 << bits < entries_max) bits++;
  recent->entries_max = (uint32_t)entries_max;
  recent->newest_at = recent->entries_max - 1;
  recent->shift = 64 - bits;
  recent->entries = calloc(entries_max, sizeof *recent->entries);
  recent->buckets = calloc((size_t)1 << bits, sizeof *recent->buckets);
  ASSERT(recent->entries != NULL && recent->buckets != NULL);
  return recent;
}

void table_recent_destroy(struct table_recent *recent) {
  if (!recent) return;
  free(recent->entries);
  free(recent->buckets);
  free(recent);
}

static uint32_t *recent_bucket(const struct table_recent *recent, uint64_t key) {
  return &recent->buckets[(key * SPREAD) >> recent->shift];
}

// The entry that came `age` entries before the newest; age < count.
static struct recent_entry *recent_aged(const struct table_recent *recent, uint32_t age) {
  uint32_t at = recent->newest_at;
  return &recent->entries[at >= age ? at - age : at + recent->entries_max - age];
}

static struct recent_entry *recent_find(const struct table_recent *recent, uint64_t key) {
  uint32_t age = recent->newest - *recent_bucket(recent, key);
  while (age < recent->count) {
    struct recent_entry *entry = recent_aged(recent, age);
    if (entry->key == key) return entry;
    uint32_t older = recent->newest - entry->older;
    if (older <= age) break; // its number has come round
    age = older;
  }
  return NULL;
}

void table_recent_put_new(struct table_recent *recent, uint64_t key, uint32_t value) {
  uint32_t *bucket = recent_bucket(recent, key);
  if (recent->count < recent->entries_max) recent->count++;
  recent->newest++;
  recent->newest_at = recent->newest_at + 1 == recent->entries_max ? 0 : recent->newest_at + 1;
  recent->entries[recent->newest_at] = (struct recent_entry){.key = key, .value = value, .older = *bucket};
  *bucket = recent->newest;
}

void table_recent_put(struct table_recent *recent, uint64_t key, uint32_t value) {
  struct recent_entry *known = recent_find(recent, key);
  if (known) {
    known->value = value;
  } else {
    table_recent_put_new(recent, key, value);
  }
}

void table_recent_prefetch(const struct table_recent *recent, uint64_t key) {
  __builtin_prefetch(recent_bucket(recent, key));
}

void table_recent_prefetch_entry(const struct table_recent *recent, uint64_t key) {
  uint32_t age = recent->newest - *recent_bucket(recent, key);
  if (age < recent->count) __builtin_prefetch(recent_aged(recent, age));
}

bool table_recent_get(const struct table_recent *recent, uint64_t key, uint32_t *out_value) {
  const struct recent_entry *entry = recent_find(recent, key);
  if (!entry) return false;
  *out_value = entry->value;
  return true;
}

uint32_t *table_recent_next(struct table_recent *recent, size_t *cursor) {
  return *cursor < recent->count ? &recent->entries[(*cursor)++].value : NULL;
}
