// SPDX-License-Identifier: Apache-2.0
//
// How it works: the directory is listed and every header read. Where a segment ends follows from the next one's header
// (prev_end_sequence), so only the newest is read through:
//
//   - bytes behind its last sound record, with no sound record after them, are a torn tail: copied to quarantine
//   (unless
//     they are zeros), cut off, synced;
//   - damage with a sound record after it is a hole: copied to quarantine, left where it is, stepped over by readers
//   too;
//   - in a file that was written over the bytes behind the last sound record are mostly those of its former life: only
//   a
//     record that had begun there is copied to quarantine, up to the mark of the next one;
//   - a tail that the disk cannot read (EIO) is left alone, it may be readable again;
//   - the sequences that a tail or an unreadable segment may have held are not used again: at most one per 80 bytes.
//
// A file whose header is beyond repair holds no acknowledged record when it is no longer than the header (the header is
// synced before the first answer); it is deleted. A longer one goes to quarantine as it is.
//
// Spare files (journal_spare) are unlinked.
//
// Nothing here depends on having run to its end before: a crash during recovery is followed by the same recovery.
#include "store/journal_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"

struct names {
  uint64_t *names;
  size_t count, capacity;
};

// 16 hex digits and ".seg", as journal_segment_path writes it.
static bool parse_name(const char *name, uint64_t *out_sequence) {
  if (strlen(name) != 20 || strcmp(name + 16, ".seg") != 0) return false;
  uint8_t bytes[8];
  if (!slice_from_hex(slice_make(name, 16), bytes, sizeof(bytes))) return false;
  uint64_t sequence = 0;
  for (int i = 0; i < 8; i++) sequence = sequence << 8 | bytes[i];
  char again[32];
  snprintf(again, sizeof(again), "%016" PRIx64 ".seg", sequence);
  *out_sequence = sequence;
  return sequence > 0 && sequence <= JOURNAL_SEQUENCE_MAX + UINT32_MAX && strcmp(again, name) == 0;
}

static int compare_names(const void *left, const void *right) {
  const uint64_t *a = left, *b = right;
  return (*a > *b) - (*a < *b);
}

static enum status list_names(struct journal *journal, struct names *names, struct error *error) {
  DIR *directory = opendir(journal->directory);
  if (!directory)
    return error_set(error, STATUS_IO, "journal %s: cannot list %s: %s", journal->name, journal->directory,
                     strerror(errno));
  enum status status = STATUS_OK;
  struct dirent *entry;
  while (status == STATUS_OK && (entry = readdir(directory))) {
    uint64_t sequence;
    if (journal_spare_is_name(entry->d_name)) unlinkat(dirfd(directory), entry->d_name, 0);
    if (!parse_name(entry->d_name, &sequence)) continue;
    if (names->count == names->capacity) {
      size_t capacity = names->capacity ? names->capacity * 2 : 64;
      uint64_t *grown = realloc(names->names, capacity * sizeof(*grown));
      if (!grown) {
        status = error_set(error, STATUS_NO_MEMORY, "journal %s: out of memory", journal->name);
        break;
      }
      names->names = grown;
      names->capacity = capacity;
    }
    names->names[names->count++] = sequence;
  }
  closedir(directory);
  if (names->count > 0) qsort(names->names, names->count, sizeof(*names->names), compare_names);
  return status;
}

// Sequences that `bytes` of unreadable records may have used.
static uint64_t sequences_in(uint64_t bytes) {
  return bytes / JOURNAL_RECORD_HEADER_BYTES;
}

static void skip_sequences(struct journal *journal, uint64_t last) {
  if (journal->next_sequence <= last) journal->next_sequence = last + 1;
}

// A segment without a readable header.
static void set_aside(struct journal *journal, uint64_t name, uint64_t bytes, bool zeros) {
  char path[JOURNAL_PATH_MAX];
  journal_segment_path(journal, name, path);
  if (bytes <= JOURNAL_SEGMENT_HEADER_BYTES) {
    if (!zeros) journal_quarantine_range(journal, name, 0, bytes, "torn segment header");
    journal->io->unlink(journal->io->context, path);
    return;
  }
  uint64_t last = name + sequences_in(bytes - JOURNAL_SEGMENT_HEADER_BYTES);
  skip_sequences(journal, last);
  // The next segment's prev_end_sequence must not void what a later, luckier reading of this file would find.
  journal->prev_end_floor = last;
  journal_quarantine_segment(journal, name, bytes, "segment header damaged beyond repair");
}

static bool all_zero(const uint8_t *bytes, size_t len) {
  for (size_t i = 0; i < len; i++)
    if (bytes[i] != 0) return false;
  return true;
}

// Reads a header and lists the segment, or sets the file aside. created_ns of the segment before it is its end.
static enum status add_segment(struct journal *journal, uint64_t name, struct error *error) {
  const struct journal_io *io = journal->io;
  char path[JOURNAL_PATH_MAX];
  journal_segment_path(journal, name, path);
  int fd = io->open(io->context, path, O_RDONLY, 0);
  if (fd < 0) return error_set(error, STATUS_IO, "journal %s: cannot open %s: %s", journal->name, path, strerror(-fd));
  uint8_t block[JOURNAL_SEGMENT_HEADER_BYTES];
  ssize_t got = io->pread(io->context, fd, block, sizeof(block), 0);
  struct stat file;
  if (fstat(fd, &file) != 0) file.st_size = 0;
  io->close(io->context, fd);
  if (got < 0)
    return error_set(error, STATUS_IO, "journal %s: cannot read %s: %s", journal->name, path, strerror((int)-got));
  journal->last_name = name;

  struct journal_segment_header header;
  enum status status = journal_format_read_segment(block, (size_t)got, &header);
  if (status == STATUS_UNSUPPORTED)
    return error_set(error, STATUS_UNSUPPORTED,
                     "journal %s: %s was written by another version of culprit; nothing was changed", journal->name,
                     path);
  if (status != STATUS_OK || header.first_sequence != name || file.st_size < (off_t)JOURNAL_SEGMENT_HEADER_BYTES) {
    set_aside(journal, name, (uint64_t)file.st_size, all_zero(block, (size_t)got));
    return STATUS_OK;
  }
  if (journal->segment_count == 0)
    memcpy(journal->store_uuid, header.store_uuid, sizeof(header.store_uuid));
  else if (memcmp(journal->store_uuid, header.store_uuid, sizeof(header.store_uuid)) != 0)
    return error_set(error, STATUS_CONFLICT, "journal %s: %s belongs to another journal; nothing was changed",
                     journal->name, path);
  if (journal->segment_count > 0) {
    struct journal_segment_state *before = &journal->segments[journal->segment_count - 1];
    before->last_sequence = header.prev_end_sequence >= before->first_sequence ? header.prev_end_sequence : 0;
    before->last_received_ns = header.created_ns;
  }
  struct journal_segment_state segment = {.first_sequence = name,
                                          .end = (uint64_t)file.st_size,
                                          .salt = header.salt,
                                          .first_received_ns = header.created_ns,
                                          .last_received_ns = header.created_ns,
                                          .sealed = true,
                                          .written_over = header.written_over};
  if (!journal_segment_add(journal, &segment))
    return error_set(error, STATUS_NO_MEMORY, "journal %s: out of memory", journal->name);
  journal->durable_sequence = header.prev_end_sequence;
  journal->next_sequence = name; // and nothing set aside before it reached that far
  journal->prev_end_floor = 0;
  return STATUS_OK;
}

static void note_record(struct journal_segment_state *segment, const struct journal_record_header *header) {
  bool first = segment->last_sequence == 0;
  if (first || header->received_ns < segment->first_received_ns) segment->first_received_ns = header->received_ns;
  if (first || header->received_ns > segment->last_received_ns) segment->last_received_ns = header->received_ns;
  segment->last_sequence = header->sequence;
}

// Reads the newest segment through; tells where its last sound record ends, and whether the disk could read all of it.
static enum status read_through(struct journal *journal, struct journal_segment_state *segment, int fd,
                                uint64_t *out_end, bool *out_readable) {
  struct journal_scan scan;
  journal_scan_init(&scan, journal->io);
  journal_scan_start(&scan, fd, segment->salt, segment->end);
  uint64_t offset = JOURNAL_SEGMENT_HEADER_BYTES, end = offset, hole = 0;
  enum status status = STATUS_OK;
  for (;;) {
    struct journal_record_header header;
    const uint8_t *bytes;
    enum journal_scan_result result = journal_scan_record(&scan, offset, true, &header, &bytes);
    if (result == JOURNAL_SCAN_NO_MEMORY) status = STATUS_NO_MEMORY;
    if (result == JOURNAL_SCAN_NO_MEMORY || result == JOURNAL_SCAN_END) break;
    uint64_t sequence_min = segment->last_sequence ? segment->last_sequence + 1 : segment->first_sequence;
    if (result == JOURNAL_SCAN_OK && header.sequence >= sequence_min) {
      if (hole > 0) journal_quarantine_range(journal, segment->first_sequence, hole, offset - hole, "damaged records");
      hole = 0;
      note_record(segment, &header);
      offset += journal_format_record_bytes(&header);
      end = offset;
      continue;
    }
    if (hole == 0) hole = offset;
    offset = journal_scan_resync(&scan, offset + 8, sequence_min);
  }
  *out_readable = !scan.read_failed;
  journal_scan_finish(&scan);
  *out_end = end;
  return status;
}

// The tail without the zeros at its end.
static uint64_t written_bytes(struct journal *journal, int fd, uint64_t from, uint64_t end) {
  uint8_t chunk[4096];
  uint64_t written = 0;
  for (uint64_t offset = from; offset < end; offset += sizeof(chunk)) {
    size_t want = end - offset < sizeof(chunk) ? (size_t)(end - offset) : sizeof(chunk);
    ssize_t got = journal->io->pread(journal->io->context, fd, chunk, want, (off_t)offset);
    if (got <= 0) return got < 0 ? end - from : written;
    for (size_t i = 0; i < (size_t)got; i++)
      if (chunk[i] != 0) written = offset - from + i + 1;
  }
  return written;
}

// In a file that was written over: the bytes of a record that had begun at `from`, up to where the next one begins, of
// whichever life of the file. Records of a former life have lower sequences than the segment.
static uint64_t begun_bytes(struct journal *journal, const struct journal_segment_state *segment, int fd,
                            uint64_t from) {
  uint8_t chunk[4096 + 16];
  uint64_t end = segment->end;
  for (uint64_t offset = from; offset + 16 <= end; offset += 4096) {
    size_t want = end - offset < sizeof(chunk) ? (size_t)(end - offset) : sizeof(chunk);
    ssize_t got = journal->io->pread(journal->io->context, fd, chunk, want, (off_t)offset);
    for (size_t at = 0; got >= 16 && at <= (size_t)got - 16;
         at += 8) { // records begin at multiples of 8, as `from` does
      uint64_t sequence = journal_format_peek_sequence(chunk + at);
      if (offset + at == from && sequence < segment->first_sequence) return 0; // another life's, or nothing
      if (offset + at > from && sequence > 0) return offset + at - from;
    }
    if (got < (ssize_t)want) break;
  }
  return end - from;
}

static void cut_tail(struct journal *journal, struct journal_segment_state *segment, int fd, uint64_t end) {
  const struct journal_io *io = journal->io;
  uint64_t written =
      segment->written_over ? begun_bytes(journal, segment, fd, end) : written_bytes(journal, fd, end, segment->end);
  uint64_t last = segment->last_sequence ? segment->last_sequence : segment->first_sequence - 1;
  if (written > 0) {
    journal_quarantine_range(journal, segment->first_sequence, end, written, "torn tail");
  }
  uint64_t maybe = segment->written_over ? segment->end - end : written;
  if (maybe > 0) skip_sequences(journal, last + sequences_in(maybe) + 1);
  int result = io->truncate(io->context, fd, (off_t)end);
  if (result == 0) result = io->datasync(io->context, fd);
  // Not cut is no harm: the next segment's header says where this one ends.
  log_write(written > 0 || result != 0 ? LOG_WARN : LOG_INFO, "journal",
            result != 0   ? "torn tail ignored, it could not be cut off"
            : written > 0 ? "torn tail cut off"
                          : "unused end of a segment cut off",
            LOG_FIELDS(log_text("journal", journal->name), log_u64("segment", segment->first_sequence),
                       log_u64("offset", end), log_u64("bytes", segment->end - end)));
  journal->bytes -= segment->end - end;
  segment->end = end;
}

// Nothing is cut off on the word of a disk that cannot read: the rest may hold acknowledged records, and be readable
// again tomorrow.
static void spare_tail(struct journal *journal, struct journal_segment_state *segment, uint64_t end) {
  uint64_t last = segment->last_sequence ? segment->last_sequence : segment->first_sequence - 1;
  last += sequences_in(segment->end - end);
  log_write(LOG_ERROR, "journal", "the end of the newest segment cannot be read; it is left as it is",
            LOG_FIELDS(log_text("journal", journal->name), log_u64("segment", segment->first_sequence),
                       log_u64("offset", end), log_u64("bytes", segment->end - end)));
  segment->last_sequence = last;
  journal->prev_end_floor = last;
  skip_sequences(journal, last);
}

static enum status recover_newest(struct journal *journal, struct error *error) {
  const struct journal_io *io = journal->io;
  struct journal_segment_state *newest = &journal->segments[journal->segment_count - 1];
  char path[JOURNAL_PATH_MAX];
  journal_segment_path(journal, newest->first_sequence, path);
  int fd = io->open(io->context, path, O_RDWR, 0);
  if (fd < 0) return error_set(error, STATUS_IO, "journal %s: cannot open %s: %s", journal->name, path, strerror(-fd));
  uint64_t end;
  bool readable;
  enum status status = read_through(journal, newest, fd, &end, &readable);
  if (status) error_set(error, status, "journal %s: out of memory", journal->name);
  if (journal->durable_sequence < newest->last_sequence) journal->durable_sequence = newest->last_sequence;
  if (status == STATUS_OK && end < newest->end && readable) cut_tail(journal, newest, fd, end);
  if (status == STATUS_OK && end < newest->end && !readable) spare_tail(journal, newest, end);
  io->close(io->context, fd);
  return status;
}

enum status journal_recovery_run(struct journal *journal, struct error *error) {
  random_bytes(journal->store_uuid, sizeof(journal->store_uuid));
  journal->next_sequence = 1;
  struct names names = {0};
  enum status status = list_names(journal, &names, error);
  for (size_t i = 0; i < names.count && status == STATUS_OK; i++) status = add_segment(journal, names.names[i], error);
  free(names.names);
  if (status == STATUS_OK && journal->segment_count > 0) status = recover_newest(journal, error);
  if (status != STATUS_OK) return status;
  skip_sequences(journal, journal->durable_sequence);
  if (journal->options.sequence_min > 0) skip_sequences(journal, journal->options.sequence_min - 1);
  journal->synced_sequence = journal->durable_sequence;
  journal_segment_update_metrics(journal);
  log_write(LOG_INFO, "journal", "opened",
            LOG_FIELDS(log_text("journal", journal->name), log_u64("segments", journal->segment_count),
                       log_u64("bytes", journal->bytes), log_u64("last_sequence", journal->durable_sequence)));
  return STATUS_OK;
}
