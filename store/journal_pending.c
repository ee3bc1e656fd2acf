// SPDX-License-Identifier: Apache-2.0
//
// How it works: who appends makes a record, the writer ends it. Memory that one thread takes from the allocator and
// another one gives back makes the two wait for each other, so that records of ordinary size are made in blocks of the
// journal's own, taken and given back under its mutex, those given back last first: of all the blocks only as many are
// ever touched as were in use at once. Larger records, and what finds no block, are from the allocator, cut to what
// they need.
//
//   | struct journal_pending | copy of the context | record: header, section, body, zeros | room of the compressor |
#include <stdlib.h>
#include <string.h>

#include "base/block.h"
#include "base/hash.h"
#include "store/journal_internal.h"

#define COMPRESS_BYTES_MIN 128 // below, a frame's head eats what it saves

// --- memory ----------------------------------------------------------------------------------------------------------

bool journal_pending_make_blocks(struct journal *journal) {
  journal->blocks = malloc(JOURNAL_BLOCKS * JOURNAL_BLOCK_BYTES);
  if (!journal->blocks) return false;
  while (journal->spare_block_count < JOURNAL_BLOCKS) {
    uint32_t index = journal->spare_block_count++;
    journal->spare_blocks[index] = journal->blocks + index * JOURNAL_BLOCK_BYTES;
  }
  return true;
}

void journal_pending_drop_blocks(struct journal *journal) {
  ASSERT(!journal->blocks || journal->spare_block_count == JOURNAL_BLOCKS);
  free(journal->blocks);
}

static size_t record_at(const struct journal_entry *entry) {
  return sizeof(struct journal_pending) + (entry->context_bytes + 7) / 8 * 8;
}

// With what a compressor wants more than it uses; eight for the zeros.
static size_t room_for(const struct journal_entry *entry) {
  size_t len = entry->section.len + entry->body.len;
  return record_at(entry) + JOURNAL_RECORD_HEADER_BYTES + len + len / 64 + 128 + 8;
}

void *journal_pending_take_block(struct journal *journal, const struct journal_entry *entry) {
  if (journal->spare_block_count == 0 || room_for(entry) > JOURNAL_BLOCK_BYTES) return NULL;
  return journal->spare_blocks[--journal->spare_block_count];
}

struct journal_pending *journal_pending_end(struct journal *journal, struct journal_pending *list, uint32_t count) {
  struct journal_pending *blocks = NULL;
  for (; count > 0; count--) {
    struct journal_pending *pending = list;
    list = pending->next;
    if (pending->in_block) {
      pending->next = blocks;
      blocks = pending;
    } else {
      free(pending);
    }
  }
  mutex_lock(&journal->mutex);
  for (; blocks; blocks = blocks->next) journal->spare_blocks[journal->spare_block_count++] = blocks;
  mutex_unlock(&journal->mutex);
  return list;
}

// --- making one ------------------------------------------------------------------------------------------------------

// Appends the body, compressed where that saves a sixteenth. Says which through the header.
static void put_body(const struct journal_entry *entry, enum block_codec codec, struct buffer *out,
                     struct journal_record_header *header) {
  size_t start = out->len;
  header->raw_bytes = entry->body.len;
  header->compression = JOURNAL_BODY_RAW;
  if (entry->body_is_stored_form) {
    header->raw_bytes = entry->body_raw_bytes;
    if (entry->body_raw_bytes != entry->body.len) header->compression = JOURNAL_BODY_BLOCK;
  } else if (entry->body.len >= COMPRESS_BYTES_MIN && block_compress(codec, entry->body, out) == STATUS_OK &&
             out->len - start <= entry->body.len - entry->body.len / 16) {
    header->compression = JOURNAL_BODY_BLOCK;
    return;
  }
  out->len = start;
  buffer_append_slice(out, entry->body);
}

static void put_record(const struct journal_entry *entry, enum block_codec codec, struct buffer *out) {
  static const uint8_t zeros[8];
  struct journal_record_header header = {
      .kind = entry->kind,
      .origin_sequence = entry->origin_sequence,
      .received_ns = entry->received_ns,
      .project = entry->project,
      .item_count = entry->item_count,
      .section_bytes = (uint32_t)entry->section.len,
  };
  size_t at = out->len, section_at = at + JOURNAL_RECORD_HEADER_BYTES, body_at = section_at + entry->section.len;
  out->len = section_at;
  buffer_append_slice(out, entry->section);
  put_body(entry, codec, out, &header);
  header.stored_bytes = (uint32_t)(out->len - body_at);
  header.section_check = hash_xxh3(slice_make(out->ptr + section_at, entry->section.len));
  header.body_check = hash_xxh3(slice_make(out->ptr + body_at, header.stored_bytes));
  journal_format_record(&header, out->ptr + at);
  buffer_append(out, zeros, (size_t)journal_format_record_bytes(&header) - (out->len - at));
}

struct journal_pending *journal_pending_make(struct journal *journal, const struct journal_entry *entry, void *block,
                                             void *context) {
  size_t at = record_at(entry), room = block ? JOURNAL_BLOCK_BYTES : room_for(entry);
  uint8_t *memory = block ? block : malloc(room);
  if (!memory) return NULL;
  struct buffer out = {.ptr = memory, .len = at, .capacity = room, .max_bytes = room};
  put_record(entry, journal->options.dense ? BLOCK_DENSE : BLOCK_FAST, &out);
  ASSERT(out.ptr == memory && out.len <= room);               // it never grew
  uint8_t *exact = block ? memory : realloc(memory, out.len); // a ninth of it, after compression
  if (exact) memory = exact;
  struct journal_pending *pending = (struct journal_pending *)(void *)memory;
  *pending = (struct journal_pending){.context = context,
                                      .received_ns = entry->received_ns,
                                      .record = memory + at,
                                      .bytes = out.len - at,
                                      .key_count = entry->key_count,
                                      .in_block = block != NULL};
  if (entry->context_bytes > 0) pending->context = memcpy(pending + 1, context, entry->context_bytes);
  return pending;
}
