// SPDX-License-Identifier: Apache-2.0
//
// How it works: a window of at least 128 KiB slides over the file; a record larger than that widens it for as long as
// it is needed. Sizes come from headers whose salted checksum is right and never pass `end`, so a damaged length cannot
// make the window grow. A part of the file that the disk cannot read (EIO) reads as zeros, 4 KiB at a time: it fails
// its checksums, and the rest is reached by resynchronising like behind any other damage.
#include "store/journal_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/hash.h"

#define WINDOW_BYTES      ((size_t)128 << 10)
#define WINDOW_KEEP_BYTES ((size_t)4 << 20)
#define BLOCK_BYTES       UINT64_C(4096)

void journal_scan_init(struct journal_scan *scan, const struct journal_io *io) {
  *scan = (struct journal_scan){.io = io, .fd = -1};
}

void journal_scan_start(struct journal_scan *scan, int fd, uint64_t salt, uint64_t end) {
  scan->fd = fd;
  scan->salt = salt;
  scan->end = end;
  scan->len = 0;
  scan->read_failed = false;
}

void journal_scan_finish(struct journal_scan *scan) {
  free(scan->window);
  *scan = (struct journal_scan){.io = scan->io, .fd = -1};
}

static void read_or_zero(struct journal_scan *scan, uint8_t *to, size_t len, uint64_t offset) {
  const struct journal_io *io = scan->io;
  bool failed_before = false;
  while (len > 0) {
    size_t want = len;
    uint64_t to_block_end = BLOCK_BYTES - offset % BLOCK_BYTES;
    if (failed_before && want > to_block_end) want = (size_t)to_block_end;
    ssize_t got = io->pread(io->context, scan->fd, to, want, (off_t)offset);
    if (got == 0) { // shorter than it was
      memset(to, 0, len);
      return;
    }
    if (got < 0 && !failed_before) {
      failed_before = true;
      continue;
    }
    if (got < 0) {
      scan->read_failed = true;
      got = (ssize_t)(want < to_block_end ? want : to_block_end);
      memset(to, 0, (size_t)got);
    }
    to += got;
    offset += (uint64_t)got;
    len -= (size_t)got;
  }
}

// The bytes [offset, offset + need), which lie before scan->end; NULL without memory.
static const uint8_t *load(struct journal_scan *scan, uint64_t offset, size_t need) {
  if (scan->len > 0 && offset >= scan->from && offset + need <= scan->from + scan->len)
    return scan->window + (offset - scan->from);
  size_t capacity = need > WINDOW_BYTES ? need : WINDOW_BYTES;
  if (capacity > scan->capacity || (scan->capacity > WINDOW_KEEP_BYTES && capacity < scan->capacity / 2)) {
    free(scan->window);
    scan->len = 0;
    scan->window = malloc(capacity);
    scan->capacity = scan->window ? capacity : 0;
    if (!scan->window) return NULL;
  }
  uint64_t left = scan->end - offset;
  scan->from = offset;
  scan->len = left < scan->capacity ? (size_t)left : scan->capacity;
  read_or_zero(scan, scan->window, scan->len, offset);
  return scan->window;
}

enum journal_scan_result journal_scan_record(struct journal_scan *scan, uint64_t offset, bool whole,
                                             struct journal_record_header *out_header, const uint8_t **out_bytes) {
  if (offset >= scan->end) return JOURNAL_SCAN_END;
  if (scan->end - offset < JOURNAL_RECORD_HEADER_BYTES) return JOURNAL_SCAN_HEADER_DAMAGED;
  const uint8_t *bytes = load(scan, offset, JOURNAL_RECORD_HEADER_BYTES);
  if (!bytes) return JOURNAL_SCAN_NO_MEMORY;
  struct journal_record_header header;
  if (!journal_format_read_record(bytes, scan->salt, &header)) return JOURNAL_SCAN_HEADER_DAMAGED;
  uint64_t total = journal_format_record_bytes(&header);
  if (total > scan->end - offset) return JOURNAL_SCAN_HEADER_DAMAGED;
  *out_header = header;
  if (!whole) return JOURNAL_SCAN_OK;
  bytes = load(scan, offset, (size_t)total);
  if (!bytes) return JOURNAL_SCAN_NO_MEMORY;
  const uint8_t *section = bytes + JOURNAL_RECORD_HEADER_BYTES;
  if (hash_xxh3(slice_make(section, header.section_bytes)) != header.section_check ||
      hash_xxh3(slice_make(section + header.section_bytes, header.stored_bytes)) != header.body_check)
    return JOURNAL_SCAN_BODY_DAMAGED;
  *out_bytes = bytes;
  return JOURNAL_SCAN_OK;
}

uint64_t journal_scan_resync(struct journal_scan *scan, uint64_t offset, uint64_t sequence_min) {
  for (offset = (offset + 7) & ~UINT64_C(7); offset < scan->end; offset += 8) {
    struct journal_record_header header;
    enum journal_scan_result result = journal_scan_record(scan, offset, false, &header, NULL);
    if (result == JOURNAL_SCAN_OK && header.sequence >= sequence_min) return offset;
    if (result == JOURNAL_SCAN_NO_MEMORY) break;
  }
  return scan->end;
}
