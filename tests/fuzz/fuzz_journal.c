// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as the segment files of a journal: opening and reading end well, no record is handed out whose checksums do
// not hold, and the journal goes on afterwards.
//
// The first byte says how to read the input: 0x01 puts a sound segment header before it (else the input is the whole
// file); 0x02 gives a sound header checksum to whatever has a record's magic, so that the lengths behind it get
// through; 0x04 the section's and body's checksums too; 0x08 adds a sound segment behind it, so that this one is not
// the newest.
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "store/journal_internal.h"
#include "store/little_endian.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEADER_GIVEN = 1, CHECKED_HEADERS = 2, CHECKED_BODIES = 4, NOT_NEWEST = 8, INPUT_MAX = 1 << 16, FIRST = 5 };
#define SALT UINT64_C(0x5eed5eed5eed5eed)

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw) {
  (void)status;
  (void)type;
  (void)ftw;
  return remove(path);
}

static void put_file(const char *directory, uint64_t first_sequence, const uint8_t *bytes, size_t len) {
  char path[256];
  snprintf(path, sizeof(path), "%s/%016llx.seg", directory, (unsigned long long)first_sequence);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ASSERT(fd >= 0 && write(fd, bytes, len) == (ssize_t)len);
  close(fd);
}

static void put_header(uint8_t *block, uint64_t first_sequence, uint64_t prev_end_sequence) {
  struct journal_segment_header header = {
      .first_sequence = first_sequence, .prev_end_sequence = prev_end_sequence, .salt = SALT, .created_ns = 1};
  journal_format_segment(&header, block);
}

// Gives sound checksums to what looks like a record.
static void repair(uint8_t *bytes, size_t len, bool bodies) {
  for (size_t at = JOURNAL_SEGMENT_HEADER_BYTES; at + JOURNAL_RECORD_HEADER_BYTES <= len; at += 8) {
    uint8_t *record = bytes + at;
    uint8_t pattern[JOURNAL_RECORD_HEADER_BYTES];
    struct journal_record_header none = {.kind = JOURNAL_TRACES};
    journal_format_record(&none, pattern);
    if (memcmp(record, pattern, 4) != 0) continue;
    uint64_t section = little_endian_get_u32(record + 40), body = little_endian_get_u32(record + 44);
    if (bodies && JOURNAL_RECORD_HEADER_BYTES + section + body <= len - at) {
      const uint8_t *from = record + JOURNAL_RECORD_HEADER_BYTES;
      little_endian_put_u64(record + 56, hash_xxh3(slice_make(from, section)));
      little_endian_put_u64(record + 64, hash_xxh3(slice_make(from + section, body)));
    }
    journal_format_finish_record(record, little_endian_get_u64(record + 8), SALT);
  }
}

// What the reader hands out is compared with the file, by the drawing in journal.c and not by its code.
static void check_record(const struct journal_record *record, const uint8_t *file, size_t len) {
  uint64_t at = record->location.offset;
  ASSERT(at % 8 == 0 && at >= 4096 && at + 80 + record->section.len + record->body_stored.len <= len);
  const uint8_t *bytes = file + at;
  ASSERT(little_endian_get_u64(bytes + 8) == record->sequence);
  ASSERT(little_endian_get_u32(bytes + 40) == record->section.len);
  ASSERT(little_endian_get_u32(bytes + 44) == record->body_stored.len);
  ASSERT(little_endian_get_u64(bytes + 72) ==
         hash_xxh3_seeded(slice_make(bytes, 72), little_endian_get_u64(file + 48)));
  ASSERT(little_endian_get_u64(bytes + 56) == hash_xxh3(slice_make(bytes + 80, record->section.len)));
  ASSERT(little_endian_get_u64(bytes + 64) ==
         hash_xxh3(slice_make(bytes + 80 + record->section.len, record->body_stored.len)));
  ASSERT(memcmp(bytes + 80, record->section.ptr, record->section.len) == 0);
  ASSERT(memcmp(bytes + 80 + record->section.len, record->body_stored.ptr, record->body_stored.len) == 0);
}

static uint32_t read_all(struct journal *journal, const uint8_t *file, size_t len) {
  struct journal_reader *reader;
  ASSERT(journal_reader_open(journal, 1, &reader) == STATUS_OK);
  struct buffer scratch;
  buffer_init(&scratch, 1 << 20);
  struct journal_record record;
  enum status status;
  uint64_t last = 0;
  uint32_t count = 0;
  while ((status = journal_reader_next(reader, &record)) == STATUS_OK) {
    ASSERT(record.sequence > last);
    last = record.sequence;
    if (record.location.segment == FIRST && file) check_record(&record, file, len);
    struct slice body;
    if (journal_record_body(&record, &scratch, &body) == STATUS_OK) ASSERT(body.len == record.body_raw_bytes);
    struct journal_record again;
    ASSERT(journal_reader_at(reader, record.location, &again) == STATUS_OK && again.sequence == last);
    count++;
  }
  ASSERT(status == STATUS_END);
  buffer_finish(&scratch);
  journal_reader_close(reader);
  return count;
}

static void use_journal(const struct journal_options *options, const uint8_t *file, size_t len) {
  struct journal *journal;
  struct error error;
  if (journal_open(options, &journal, &error) != STATUS_OK) return; // another version, another journal
  uint32_t count = read_all(journal, file, len);
  if (journal_durable_sequence(journal) > JOURNAL_SEQUENCE_MAX / 2) { // forged: nothing could follow it
    journal_close(journal);
    return;
  }
  struct journal_entry entry = {.kind = JOURNAL_LOGS, .body = SLICE_LITERAL("and on it goes")};
  ASSERT(journal_append(journal, &entry, NULL, NULL, &error) == STATUS_OK);
  ASSERT(journal_flush(journal) == STATUS_OK);
  ASSERT(read_all(journal, file, len) == count + 1);
  journal_close(journal);
  ASSERT(journal_open(options, &journal, &error) == STATUS_OK);
  ASSERT(read_all(journal, file, len) == count + 1);
  journal_close(journal);
}

static int no_sync(void *context, int fd) {
  (void)context;
  (void)fd;
  return 0;
}
static int no_sync_directory(void *context, const char *path) {
  (void)context;
  (void)path;
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1 || size > INPUT_MAX) return 0;
  log_set_level(LOG_ERROR);
  uint8_t mode = data[0];
  size_t start = mode & HEADER_GIVEN ? JOURNAL_SEGMENT_HEADER_BYTES : 0, len = start + size - 1;
  uint8_t *file = malloc(len + 1);
  if (start > 0) put_header(file, FIRST, 0);
  memcpy(file + start, data + 1, size - 1);
  if (mode & CHECKED_HEADERS && start > 0) repair(file, len, mode & CHECKED_BODIES);

  char directory[64], journal_directory[80], quarantine[80];
  snprintf(directory, sizeof(directory), "%s/culprit-fuzz-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
  ASSERT(mkdtemp(directory));
  snprintf(journal_directory, sizeof(journal_directory), "%s/journal", directory);
  snprintf(quarantine, sizeof(quarantine), "%s/quarantine", directory);
  ASSERT(mkdir(journal_directory, 0700) == 0);
  put_file(journal_directory, FIRST, file, len);
  if (mode & NOT_NEWEST) {
    uint8_t block[JOURNAL_SEGMENT_HEADER_BYTES];
    put_header(block, 1000, 7); // sequences beyond 7 are void
    put_file(journal_directory, 1000, block, sizeof(block));
  }
  struct journal_io io = *journal_io_system();
  io.datasync = no_sync;
  io.sync_directory = no_sync_directory;
  struct journal_options options = {.name = "fuzz",
                                    .directory = journal_directory,
                                    .quarantine_directory = quarantine,
                                    .segment_bytes_max = 1 << 16,
                                    .io = &io};
  use_journal(&options, mode & HEADER_GIVEN ? file : NULL, len);
  nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
  free(file);
  return 0;
}
