// SPDX-License-Identifier: Apache-2.0
//
// How it works: a journal that fills and empties all the time would make and delete a file every second. Instead a
// deleted segment's file is renamed to "<first sequence, 16 hex digits>.spare" and the next segment is written over it:
// its blocks are allocated and its pages are in the page cache, so a commit is a copy and a write, without metadata.
//
//   000….seg ──delete──> 000….spare ──header written, synced──> renamed to the next segment's name
//
// Old bytes are no danger: a record's header is sealed with the salt of its segment, and the new header has another
// one. A crash between the steps leaves a spare, which opening unlinks, or a segment without records. The rename to a
// spare is synced before anything is written to it, so that a power cut never finds a new header under an old name.
//
// A file that a reader has open is unlinked instead, as is one that is larger than others: a spare has at most the size
// of a segment. Spares count in the budget: what is kept never makes it overflow.
#include "store/journal_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void spare_path(const struct journal *journal, uint64_t name, char out_path[JOURNAL_PATH_MAX]) {
  int len = snprintf(out_path, JOURNAL_PATH_MAX, "%s/%016" PRIx64 ".spare", journal->directory, name);
  ASSERT(len > 0 && len < JOURNAL_PATH_MAX); // journal_open checked the directory's length
}

bool journal_spare_is_name(const char *name) {
  return strlen(name) == 22 && strcmp(name + 16, ".spare") == 0 && strspn(name, "0123456789abcdef") == 16;
}

static void update_metric(struct journal *journal) { // mutex held
  metrics_set(journal->spares_metric, journal->spare_count * journal->segment_bytes);
}

// Is there room, in the list and in the budget, for one more than are there and `coming`? Mutex held.
static bool is_wanted(const struct journal *journal, uint32_t coming) {
  uint32_t max = journal->options.spare_segments_max, count = journal->spare_count + coming;
  return count < (max < JOURNAL_SPARES_MAX ? max : JOURNAL_SPARES_MAX) && !journal->closing &&
         journal->bytes + (count + 1) * journal->segment_bytes <= journal->options.bytes_max;
}

void journal_spare_end(struct journal *journal, const struct journal_spare_file *files, uint32_t count) {
  const struct journal_io *io = journal->io;
  uint64_t kept[JOURNAL_SPARES_MAX];
  uint32_t kept_count = 0;
  char path[JOURNAL_PATH_MAX], spare[JOURNAL_PATH_MAX];
  for (uint32_t i = 0; i < count; i++) {
    journal_segment_path(journal, files[i].first_sequence, path);
    spare_path(journal, files[i].first_sequence, spare);
    mutex_lock(&journal->mutex);
    bool wanted = files[i].may_keep && is_wanted(journal, kept_count);
    mutex_unlock(&journal->mutex);
    if (wanted && io->rename(io->context, path, spare) == 0)
      kept[kept_count++] = files[i].first_sequence;
    else
      io->unlink(io->context, path); // one that stays is found, and deleted, after the next start
  }
  bool synced = io->sync_directory(io->context, journal->directory) == 0;
  for (uint32_t i = 0; i < kept_count; i++) {
    mutex_lock(&journal->mutex);
    bool wanted = synced && is_wanted(journal, 0);
    if (wanted) journal->spares[journal->spare_count++] = kept[i];
    update_metric(journal);
    mutex_unlock(&journal->mutex);
    if (wanted) continue;
    spare_path(journal, kept[i], spare);
    io->unlink(io->context, spare);
  }
}

// Takes the name of the one deleted last, whose pages are the most likely to be in memory.
static bool take_name(struct journal *journal, uint64_t *out_name) {
  mutex_lock(&journal->mutex);
  bool found = journal->spare_count > 0;
  if (found) *out_name = journal->spares[--journal->spare_count];
  update_metric(journal);
  mutex_unlock(&journal->mutex);
  return found;
}

int journal_spare_take(struct journal *journal, char out_path[JOURNAL_PATH_MAX]) {
  const struct journal_io *io = journal->io;
  uint64_t name;
  while (take_name(journal, &name)) {
    spare_path(journal, name, out_path);
    int fd = io->open(io->context, out_path, O_RDWR, 0);
    if (fd >= 0) return fd;
    io->unlink(io->context, out_path);
  }
  return -ENOENT;
}

void journal_spare_make_room(struct journal *journal, uint64_t bytes) {
  for (;;) {
    uint64_t name;
    mutex_lock(&journal->mutex);
    uint64_t used = journal->bytes + journal->spare_count * journal->segment_bytes;
    bool fits = used + bytes <= journal->options.bytes_max;
    mutex_unlock(&journal->mutex);
    if (fits || !take_name(journal, &name)) return;
    char path[JOURNAL_PATH_MAX];
    spare_path(journal, name, path);
    journal->io->unlink(journal->io->context, path);
  }
}
