// SPDX-License-Identifier: Apache-2.0
//
// The index of one kept segment: which records hold a key. Keys are 64-bit hashes of trace ids and request ids
// (segment_index_trace_key, segment_index_request_key). A sealed segment has a sorted file beside it
// ("<first sequence>.idx", at most 12 bytes a key and record, format at the top of segment_index.c); the newest
// segment's index is in memory. Files are written once, to a temporary name, synced and renamed; a missing or damaged
// one is rebuilt by its owner (store/request_store) from the records' sections.
#ifndef STORE_SEGMENT_INDEX_H
#define STORE_SEGMENT_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"

uint64_t segment_index_trace_key(const uint8_t trace_id[16]);
uint64_t segment_index_request_key(struct slice request_id);

struct segment_index_entry {
  uint64_t key;
  uint32_t offset_units; // record offset / 8 (records are 8-byte aligned)
};

// Building, one thread. Bounded by entries_max; add answers false when full.
struct segment_index_builder;
struct segment_index_builder *segment_index_builder_create(uint32_t entries_max);
void segment_index_builder_destroy(struct segment_index_builder *builder);
void segment_index_builder_clear(struct segment_index_builder *builder);
// Records come in order of their offsets; the same key and offset again is one entry.
bool segment_index_builder_add(struct segment_index_builder *builder, uint64_t key, uint64_t record_offset);
uint32_t segment_index_builder_count(const struct segment_index_builder *builder);
// Offsets of records with `key`, ascending, without duplicates; returns how many were found, fills up to max.
uint32_t segment_index_builder_find(const struct segment_index_builder *builder, uint64_t key, uint64_t *out_offsets,
                                    uint32_t max);
void segment_index_builder_each(const struct segment_index_builder *builder, void (*each)(void *context, uint64_t key),
                                void *context);
// Sorts a copy, drops duplicates, writes "<directory>/<first sequence as 16 hex digits>.idx" atomically.
enum status segment_index_write(const struct segment_index_builder *builder, const char *directory,
                                uint64_t first_sequence, struct error *error);

// Looking up in a file; opens, searches, closes. STATUS_NOT_FOUND when there is no such file, STATUS_CORRUPT when it
// fails its checksum or shape (of the blocks that were looked at), STATUS_IO. *out_count is the number found; up to max
// are filled.
enum status segment_index_find(const char *directory, uint64_t first_sequence, uint64_t key, uint64_t *out_offsets,
                               uint32_t max, uint32_t *out_count);
// Reads and checks all of it.
enum status segment_index_check(const char *directory, uint64_t first_sequence);
// Is there a file with a sound head and the right length? Its blocks are checked when they are used.
bool segment_index_exists(const char *directory, uint64_t first_sequence);
// Calls for every key of a file in order, once (to remember verdicts after a restart).
enum status segment_index_each(const char *directory, uint64_t first_sequence,
                               void (*each)(void *context, uint64_t key), void *context);
void segment_index_delete(const char *directory, uint64_t first_sequence);

#endif
