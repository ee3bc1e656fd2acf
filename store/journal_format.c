// SPDX-License-Identifier: Apache-2.0
//
// How it works: the layouts are drawn at the top of journal.c; here they are written and read field by field.
#include "store/journal_internal.h"

#include <string.h>

#include "base/hash.h"
#include "store/little_endian.h"

#define SEGMENT_MAGIC      UINT64_C(0x314c4e524a4c5543) // "CULJRNL1"
#define SEGMENT_VERSION    UINT32_C(1)
#define SEGMENT_USED_BYTES 72
#define SEGMENT_COPY_AT    2048
#define WRITTEN_OVER       UINT32_C(1) // flag
#define RECORD_MAGIC       UINT32_C(0xc0d1a1e5)
#define RECORD_VERSION     1

static void put_segment(uint8_t *to, const struct journal_segment_header *header) {
  little_endian_put_u64(to, SEGMENT_MAGIC);
  little_endian_put_u32(to + 8, SEGMENT_VERSION);
  little_endian_put_u32(to + 12, header->written_over ? WRITTEN_OVER : 0);
  memcpy(to + 16, header->store_uuid, sizeof(header->store_uuid));
  little_endian_put_u64(to + 32, header->first_sequence);
  little_endian_put_u64(to + 40, header->prev_end_sequence);
  little_endian_put_u64(to + 48, header->salt);
  little_endian_put_u64(to + 56, header->created_ns);
  little_endian_put_u64(to + 64, hash_xxh3(slice_make(to, 64)));
}

void journal_format_segment(const struct journal_segment_header *header, uint8_t *out_block) {
  memset(out_block, 0, JOURNAL_SEGMENT_HEADER_BYTES);
  put_segment(out_block, header);
  put_segment(out_block + SEGMENT_COPY_AT, header);
}

static bool get_segment(const uint8_t *from, struct journal_segment_header *out_header) {
  if (little_endian_get_u64(from) != SEGMENT_MAGIC || little_endian_get_u32(from + 8) != SEGMENT_VERSION) return false;
  if (little_endian_get_u64(from + 64) != hash_xxh3(slice_make(from, 64))) return false;
  memcpy(out_header->store_uuid, from + 16, sizeof(out_header->store_uuid));
  out_header->first_sequence = little_endian_get_u64(from + 32);
  out_header->prev_end_sequence = little_endian_get_u64(from + 40);
  out_header->salt = little_endian_get_u64(from + 48);
  out_header->created_ns = little_endian_get_u64(from + 56);
  out_header->written_over = (little_endian_get_u32(from + 12) & WRITTEN_OVER) != 0;
  return out_header->first_sequence > 0 && out_header->first_sequence <= JOURNAL_SEQUENCE_MAX &&
         out_header->prev_end_sequence < out_header->first_sequence;
}

enum status journal_format_read_segment(const uint8_t *block, size_t len, struct journal_segment_header *out_header) {
  struct journal_segment_header header;
  if (len < SEGMENT_USED_BYTES) return STATUS_CORRUPT;
  const uint8_t *copy = len >= SEGMENT_COPY_AT + SEGMENT_USED_BYTES ? block + SEGMENT_COPY_AT : NULL;
  if (get_segment(block, &header) || (copy && get_segment(copy, &header))) {
    *out_header = header;
    return STATUS_OK;
  }
  // Another version may have another layout and another checksum. Two copies that agree are no accident.
  if (copy && little_endian_get_u64(block) == SEGMENT_MAGIC && memcmp(block, copy, 12) == 0 &&
      little_endian_get_u32(block + 8) != SEGMENT_VERSION)
    return STATUS_UNSUPPORTED;
  return STATUS_CORRUPT;
}

void journal_format_record(const struct journal_record_header *header, uint8_t *out_bytes) {
  memset(out_bytes, 0, JOURNAL_RECORD_HEADER_BYTES);
  little_endian_put_u32(out_bytes, RECORD_MAGIC);
  out_bytes[4] = RECORD_VERSION;
  out_bytes[5] = (uint8_t)header->kind;
  out_bytes[6] = header->compression;
  little_endian_put_u64(out_bytes + 16, header->origin_sequence);
  little_endian_put_u64(out_bytes + 24, header->received_ns);
  little_endian_put_u32(out_bytes + 32, header->project);
  little_endian_put_u32(out_bytes + 36, header->item_count);
  little_endian_put_u32(out_bytes + 40, header->section_bytes);
  little_endian_put_u32(out_bytes + 44, header->stored_bytes);
  little_endian_put_u64(out_bytes + 48, header->raw_bytes);
  little_endian_put_u64(out_bytes + 56, header->section_check);
  little_endian_put_u64(out_bytes + 64, header->body_check);
}

void journal_format_finish_record(uint8_t *bytes, uint64_t sequence, uint64_t salt) {
  little_endian_put_u64(bytes + 8, sequence);
  little_endian_put_u64(bytes + 72, hash_xxh3_seeded(slice_make(bytes, 72), salt));
}

bool journal_format_read_record(const uint8_t *bytes, uint64_t salt, struct journal_record_header *out_header) {
  if (little_endian_get_u32(bytes) != RECORD_MAGIC || bytes[4] != RECORD_VERSION || bytes[7] != 0) return false;
  if (little_endian_get_u64(bytes + 72) != hash_xxh3_seeded(slice_make(bytes, 72), salt)) return false;
  struct journal_record_header header = {
      .kind = (enum journal_kind)bytes[5],
      .compression = bytes[6],
      .sequence = little_endian_get_u64(bytes + 8),
      .origin_sequence = little_endian_get_u64(bytes + 16),
      .received_ns = little_endian_get_u64(bytes + 24),
      .project = little_endian_get_u32(bytes + 32),
      .item_count = little_endian_get_u32(bytes + 36),
      .section_bytes = little_endian_get_u32(bytes + 40),
      .stored_bytes = little_endian_get_u32(bytes + 44),
      .raw_bytes = little_endian_get_u64(bytes + 48),
      .section_check = little_endian_get_u64(bytes + 56),
      .body_check = little_endian_get_u64(bytes + 64),
  };
  if (header.sequence == 0 || header.sequence > JOURNAL_SEQUENCE_MAX || header.compression > JOURNAL_BODY_BLOCK)
    return false;
  if (header.compression == JOURNAL_BODY_RAW && header.raw_bytes != header.stored_bytes) return false;
  *out_header = header;
  return true;
}

uint64_t journal_format_peek_sequence(const uint8_t *bytes) {
  return little_endian_get_u32(bytes) == RECORD_MAGIC ? little_endian_get_u64(bytes + 8) : 0;
}

uint64_t journal_format_record_bytes(const struct journal_record_header *header) {
  uint64_t bytes = JOURNAL_RECORD_HEADER_BYTES + header->section_bytes + header->stored_bytes;
  return (bytes + 7) & ~UINT64_C(7);
}
