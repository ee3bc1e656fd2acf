// SPDX-License-Identifier: Apache-2.0
//
// What the journal tests share: a temporary directory, records whose content follows from a number, and a ledger of
// what was answered. Records are found again by their number, whatever sequence they got.
#ifndef TESTS_UNIT_STORE_JOURNAL_FIXTURE_H
#define TESTS_UNIT_STORE_JOURNAL_FIXTURE_H

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"
#include "store/journal.h"

#define FIXTURE_IDS_MAX 4096

struct fixture {
  char root[128], directory[160], quarantine[160];
  struct mutex mutex;
  // By record number: how often it was answered, and the last answer.
  uint8_t answers[FIXTURE_IDS_MAX];
  bool ok[FIXTURE_IDS_MAX];
  uint64_t sequence[FIXTURE_IDS_MAX];
  struct journal_location location[FIXTURE_IDS_MAX];
  // By record number: how often a reader met it.
  uint8_t seen[FIXTURE_IDS_MAX];
  struct buffer scratch;
};

// For tests that cause thousands of expected complaints: no log, and cmocka's words on standard output.
static inline void fixture_silence(void) {
  cmocka_set_message_output(CM_OUTPUT_TAP);
  int null = open("/dev/null", O_WRONLY);
  if (null >= 0 && !getenv("CULPRIT_TEST_LOG")) dup2(null, STDERR_FILENO);
}

static inline void fixture_init_below(struct fixture *fixture, const char *base) {
  memset(fixture, 0, sizeof(*fixture));
  if (getenv("TMPDIR")) base = getenv("TMPDIR");
  snprintf(fixture->root, sizeof(fixture->root), "%.80s/culprit-journal-XXXXXX", base);
  assert_non_null(mkdtemp(fixture->root));
  snprintf(fixture->directory, sizeof(fixture->directory), "%s/data/journal", fixture->root);
  snprintf(fixture->quarantine, sizeof(fixture->quarantine), "%s/quarantine", fixture->root);
  mutex_init(&fixture->mutex);
  buffer_init(&fixture->scratch, 16 << 20);
}

static inline void fixture_init(struct fixture *fixture) {
  fixture_init_below(fixture, "/tmp");
}

// For tests that make many small directories: in memory where that is possible.
static inline void fixture_init_in_memory(struct fixture *fixture) {
  fixture_init_below(fixture, access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
}

static inline int fixture_remove(const char *path, const struct stat *status, int type, struct FTW *ftw) {
  (void)status;
  (void)type;
  (void)ftw;
  return remove(path);
}

static inline void fixture_wipe(const char *path) {
  nftw(path, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
}

static inline void fixture_finish(struct fixture *fixture) {
  fixture_wipe(fixture->root);
  mutex_finish(&fixture->mutex);
  buffer_finish(&fixture->scratch);
}

static inline struct journal_options fixture_options(struct fixture *fixture) {
  return (struct journal_options){
      .name = "test",
      .directory = fixture->directory,
      .quarantine_directory = fixture->quarantine,
      .sync = JOURNAL_SYNC_ALWAYS,
      .segment_bytes_max = 16 << 10,
      .clock = clock_system(),
  };
}

static inline struct journal *fixture_open(const struct journal_options *options) {
  struct journal *journal = NULL;
  struct error error = {0};
  enum status status = journal_open(options, &journal, &error);
  if (status) fail_msg("journal_open: %s", error.text);
  return journal;
}

// A record's body: its number, then text that compresses or noise that does not, of a length that follows from it.
static inline size_t fixture_body(uint32_t id, uint8_t out[8192]) {
  size_t len = 16 + (id * 397u) % (id % 7 == 0 ? 6000 : 900);
  uint64_t state = id * UINT64_C(0x9e3779b97f4a7c15) + 1;
  for (size_t i = 0; i < len; i++) {
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407u;
    out[i] = id % 3 == 0 ? (uint8_t)(state >> 56) : (uint8_t)("span name http "[(i + id) % 15]);
  }
  snprintf((char *)out, 16, "%08u", id);
  return len;
}

static inline size_t fixture_section(uint32_t id, uint8_t out[64]) {
  size_t len = (id * 13u) % 61;
  memset(out, (int)(id & 0xff), len);
  return len;
}

struct fixture_append {
  struct fixture *fixture;
  uint32_t id;
};

static inline void fixture_ack(void *context, enum status status, uint64_t sequence, struct journal_location location) {
  struct fixture_append *append = context;
  struct fixture *fixture = append->fixture;
  mutex_lock(&fixture->mutex);
  fixture->answers[append->id]++;
  fixture->ok[append->id] = status == STATUS_OK;
  fixture->sequence[append->id] = sequence;
  fixture->location[append->id] = location;
  mutex_unlock(&fixture->mutex);
  free(append);
}

static inline enum status fixture_append(struct fixture *fixture, struct journal *journal, uint32_t id) {
  assert_true(id < FIXTURE_IDS_MAX);
  uint8_t body[8192], section[64];
  struct fixture_append *append = malloc(sizeof(*append));
  *append = (struct fixture_append){fixture, id};
  struct journal_entry entry = {
      .kind = JOURNAL_TRACES,
      .project = id,
      .item_count = id + 1,
      .received_ns = UINT64_C(1700000000000000000) + id,
      .origin_sequence = id + 1000,
      .section = slice_make(section, fixture_section(id, section)),
      .body = slice_make(body, fixture_body(id, body)),
      .key_count = 10,
  };
  struct error error;
  enum status status = journal_append(journal, &entry, fixture_ack, append, &error);
  if (status) free(append);
  return status;
}

static inline void fixture_append_ok(struct fixture *fixture, struct journal *journal, uint32_t id) {
  assert_int_equal(fixture_append(fixture, journal, id), STATUS_OK);
}

// Appends, and waits for the answer: one group a record.
static inline bool fixture_append_wait(struct fixture *fixture, struct journal *journal, uint32_t id) {
  if (fixture_append(fixture, journal, id) != STATUS_OK) return false;
  journal_flush(journal);
  return fixture->ok[id];
}

// Is this one of ours, byte for byte? Returns its number.
static inline uint32_t fixture_check(struct fixture *fixture, const struct journal_record *record) {
  struct slice body;
  assert_int_equal(journal_record_body(record, &fixture->scratch, &body), STATUS_OK);
  assert_true(body.len >= 16);
  uint32_t id = (uint32_t)strtoul((const char *)body.ptr, NULL, 10);
  assert_true(id < FIXTURE_IDS_MAX);
  uint8_t expected[8192], section[64];
  assert_int_equal(fixture_body(id, expected), body.len);
  assert_memory_equal(expected, body.ptr, body.len);
  assert_int_equal(fixture_section(id, section), record->section.len);
  if (record->section.len > 0) assert_memory_equal(section, record->section.ptr, record->section.len);
  assert_int_equal(record->project, id);
  assert_int_equal(record->item_count, id + 1);
  assert_int_equal(record->origin_sequence, id + 1000);
  assert_int_equal(record->received_ns, UINT64_C(1700000000000000000) + id);
  return id;
}

// Reads everything from `sequence` on into seen[]; checks content and order. Returns how many.
static inline uint32_t fixture_read_all(struct fixture *fixture, struct journal *journal, uint64_t sequence) {
  memset(fixture->seen, 0, sizeof(fixture->seen));
  struct journal_reader *reader;
  assert_int_equal(journal_reader_open(journal, sequence, &reader), STATUS_OK);
  struct journal_record record;
  uint64_t last = 0;
  uint32_t count = 0;
  enum status status;
  while ((status = journal_reader_next(reader, &record)) == STATUS_OK) {
    assert_true(record.sequence > last && record.sequence >= sequence);
    assert_true(record.sequence <= journal_durable_sequence(journal));
    last = record.sequence;
    assert_int_equal(journal_reader_position(reader), last + 1);
    uint32_t id = fixture_check(fixture, &record);
    assert_int_equal(fixture->seen[id], 0);
    fixture->seen[id]++;
    count++;
  }
  assert_int_equal(status, STATUS_END);
  assert_true(journal_reader_position(reader) > journal_durable_sequence(journal));
  journal_reader_close(reader);
  return count;
}

static inline uint64_t fixture_first_file(struct fixture *fixture, char path[256], uint64_t first_sequence) {
  snprintf(path, 256, "%s/%016" PRIx64 ".seg", fixture->directory, first_sequence);
  struct stat status;
  return stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
}

#endif
