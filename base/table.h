// SPDX-License-Identifier: Apache-2.0
//
// A bounded hash table from a 64-bit key to a fixed-size value, open addressing with linear probing, one allocation.
// Keys are already hashed (seeded) by the caller; key 0 is reserved and mapped to 1. The table grows by doubling up to
// entries_max and then refuses. Values live in the table: pointers to them end with the next insert or remove.
// One thread at a time.
#ifndef BASE_TABLE_H
#define BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct table;

// entries_max > 0; value_bytes a multiple of 8, may be 0 for a set.
struct table *table_create(size_t value_bytes, size_t entries_max);
void table_destroy(struct table *table);
// NULL when absent.
void *table_find(const struct table *table, uint64_t key);
// Begins to load what finding `key` will read: for who looks up several keys and can say them all before.
void table_prefetch(const struct table *table, uint64_t key);
// The value of `key`, zeroed when it is new (*out_new, may be NULL). NULL when the table is full.
void *table_insert(struct table *table, uint64_t key, bool *out_new);
bool table_remove(struct table *table, uint64_t key);
size_t table_count(const struct table *table);
// Memory it holds now.
size_t table_bytes(const struct table *table);
// Iteration in slot order: start with *cursor = 0; NULL at the end. Inserting or removing meanwhile is not allowed.
void *table_next(const struct table *table, size_t *cursor, uint64_t *out_key);
void table_clear(struct table *table);

// A fixed-capacity memory of keys, each with a small value, that forgets the oldest when it is full (for remembered
// verdicts): at most 24 bytes an entry and no allocation after creation. Keys are hashed by the caller here too; any
// key.
struct table_recent;
struct table_recent *table_recent_create(size_t entries_max);
void table_recent_destroy(struct table_recent *recent);
// Replaces the value of a known key without making it younger.
void table_recent_put(struct table_recent *recent, uint64_t key, uint32_t value);
// The same for a key that the caller knows to be absent: touches nothing but where its chain begins, and the ring.
void table_recent_put_new(struct table_recent *recent, uint64_t key, uint32_t value);
bool table_recent_get(const struct table_recent *recent, uint64_t key, uint32_t *out_value);
// Begins to load what finding `key` will read: where its chain begins, and once that is here, the chain's first entry.
void table_recent_prefetch(const struct table_recent *recent, uint64_t key);
void table_recent_prefetch_entry(const struct table_recent *recent, uint64_t key);
// Every value, in no order: start with *cursor = 0; NULL at the end. They may be changed.
uint32_t *table_recent_next(struct table_recent *recent, size_t *cursor);

#endif
