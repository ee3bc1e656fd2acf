// SPDX-License-Identifier: Apache-2.0
//
// How it works: the list of segments is an array in order of sequence, guarded by the journal's mutex. Only the writer
// adds to it and changes its last element; deleting takes from its front and never takes the last. Readers copy what
// they need.
#include "store/journal_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"

void journal_segment_path(const struct journal *journal, uint64_t first_sequence, char out_path[JOURNAL_PATH_MAX]) {
  int len = snprintf(out_path, JOURNAL_PATH_MAX, "%s/%016" PRIx64 ".seg", journal->directory, first_sequence);
  ASSERT(len > 0 && len < JOURNAL_PATH_MAX); // journal_open checked the directory's length
}

struct journal_segment_state *journal_segment_find(struct journal *journal, uint64_t first_sequence) {
  for (uint32_t low = 0, high = journal->segment_count; low < high;) {
    uint32_t middle = low + (high - low) / 2;
    struct journal_segment_state *segment = &journal->segments[middle];
    if (segment->first_sequence == first_sequence) return segment;
    if (segment->first_sequence < first_sequence)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

bool journal_segment_add(struct journal *journal, const struct journal_segment_state *segment) {
  if (journal->segment_count == journal->segment_capacity) {
    uint32_t capacity = journal->segment_capacity ? journal->segment_capacity * 2 : 16;
    struct journal_segment_state *grown = realloc(journal->segments, capacity * sizeof(*grown));
    if (!grown) return false;
    journal->segments = grown;
    journal->segment_capacity = capacity;
  }
  journal->segments[journal->segment_count++] = *segment;
  journal->bytes += segment->end;
  journal_segment_update_metrics(journal);
  return true;
}

void journal_segment_update_metrics(struct journal *journal) {
  metrics_set(journal->bytes_metric, journal->bytes);
}

// Opens the file of a new segment, with its space: a spare one, still under the spare's name, or a new one under its
// own. The path is that of the file as it is. -EEXIST: the name is taken.
static int open_file(struct journal *journal, uint64_t capacity, char path[JOURNAL_PATH_MAX], bool *out_is_spare) {
  const struct journal_io *io = journal->io;
  char spare[JOURNAL_PATH_MAX];
  int fd = capacity == journal->segment_bytes ? journal_spare_take(journal, spare) : -ENOENT;
  *out_is_spare = fd >= 0;
  if (fd >= 0) {
    memcpy(path, spare, sizeof(spare));
  } else {
    journal_spare_make_room(journal, capacity);
    fd = io->open(io->context, path, O_RDWR | O_CREAT | O_EXCL, 0600);
    if (fd < 0) return fd;
  }
  int result = io->reserve(io->context, fd, 0, (off_t)capacity);
  if (result == 0) return fd;
  io->close(io->context, fd);
  io->unlink(io->context, path);
  return result;
}

// Everything that must be on disk before the first answer from this segment: its header, its name.
static int write_header(struct journal *journal, int fd, const struct journal_segment_header *header,
                        const char *spare) {
  const struct journal_io *io = journal->io;
  uint8_t block[JOURNAL_SEGMENT_HEADER_BYTES];
  journal_format_segment(header, block);
  struct iovec iov = {block, sizeof(block)};
  ssize_t written = io->pwritev(io->context, fd, &iov, 1, 0);
  if (written != (ssize_t)sizeof(block)) return written < 0 ? (int)written : -ENOSPC;
  int result = io->datasync(io->context, fd);
  if (result < 0) metrics_add(journal->sync_errors_metric, 1);
  char path[JOURNAL_PATH_MAX];
  journal_segment_path(journal, header->first_sequence, path);
  if (result == 0 && spare) result = io->rename(io->context, spare, path);
  if (result == 0) result = io->sync_directory(io->context, journal->directory);
  return result;
}

static struct journal_segment_header new_header(struct journal *journal) {
  mutex_lock(&journal->mutex);
  uint64_t durable = journal->durable_sequence;
  mutex_unlock(&journal->mutex);
  struct journal_segment_header header = {
      .first_sequence = journal->next_sequence > journal->last_name ? journal->next_sequence : journal->last_name + 1,
      .prev_end_sequence = durable > journal->prev_end_floor ? durable : journal->prev_end_floor,
      .salt = random_u64(),
      .created_ns = clock_wall_ns(journal->options.clock),
  };
  memcpy(header.store_uuid, journal->store_uuid, sizeof(header.store_uuid));
  return header;
}

int journal_segment_create(struct journal *journal, uint64_t record_bytes) {
  ASSERT(journal->active_fd < 0);
  const struct journal_io *io = journal->io;
  struct journal_segment_header header = new_header(journal);
  char path[JOURNAL_PATH_MAX], opened[JOURNAL_PATH_MAX];
  journal_segment_path(journal, header.first_sequence, path);
  memcpy(opened, path, sizeof(path));
  uint64_t capacity = JOURNAL_SEGMENT_HEADER_BYTES + record_bytes;
  if (capacity < journal->segment_bytes) capacity = journal->segment_bytes;

  int fd = open_file(journal, capacity, opened, &header.written_over);
  if (fd < 0 && fd != -EEXIST) return fd;
  journal->last_name = header.first_sequence; // it may survive a failure from here on: never used again
  if (fd < 0) return fd;
  int result = write_header(journal, fd, &header, header.written_over ? opened : NULL);
  struct journal_segment_state segment = {.first_sequence = header.first_sequence,
                                          .end = JOURNAL_SEGMENT_HEADER_BYTES,
                                          .salt = header.salt,
                                          .first_received_ns = header.created_ns,
                                          .last_received_ns = header.created_ns,
                                          .written_over = header.written_over};
  if (result == 0) {
    mutex_lock(&journal->mutex);
    if (!journal_segment_add(journal, &segment)) result = -ENOMEM;
    mutex_unlock(&journal->mutex);
  }
  if (result < 0) {
    io->close(io->context, fd);
    // A spare that has no segment's name yet is all there is of it: that name may be another file's.
    if (io->unlink(io->context, opened) == -ENOENT && header.written_over) io->unlink(io->context, path);
    return result;
  }
  journal->active_fd = fd;
  journal->active_capacity = capacity;
  journal->active_keys = 0;
  journal->next_sequence = header.first_sequence;
  return 0;
}

// Marks the active segment sealed and tells the owner, when there is something in it.
static void finish_active(struct journal *journal) {
  journal->io->close(journal->io->context, journal->active_fd);
  journal->active_fd = -1;
  mutex_lock(&journal->mutex);
  struct journal_segment_state *active = &journal->segments[journal->segment_count - 1];
  active->sealed = true;
  uint64_t first = active->first_sequence;
  bool empty = active->last_sequence == 0;
  mutex_unlock(&journal->mutex);
  if (!empty && journal->options.on_sealed) journal->options.on_sealed(journal->options.sealed_context, first);
}

static uint64_t active_end(struct journal *journal) {
  mutex_lock(&journal->mutex);
  uint64_t end = journal->segments[journal->segment_count - 1].end;
  mutex_unlock(&journal->mutex);
  return end;
}

// The first sync of what interval and never left behind; a sync that failed is never repeated.
static void sync_rest(struct journal *journal) {
  if (!journal->unsynced) return;
  journal->unsynced = false;
  int result = journal->io->datasync(journal->io->context, journal->active_fd);
  mutex_lock(&journal->mutex);
  if (result == 0)
    journal->synced_sequence = journal->durable_sequence;
  else
    journal->failures++;
  mutex_unlock(&journal->mutex);
  if (result == 0) return;
  metrics_add(journal->sync_errors_metric, 1);
  log_write(LOG_ERROR, "journal", "sync failed while a segment was completed",
            LOG_FIELDS(log_text("journal", journal->name), log_text("error", strerror(-result))));
}

void journal_segment_seal(struct journal *journal) {
  if (journal->active_fd < 0) return;
  const struct journal_io *io = journal->io;
  sync_rest(journal);
  io->truncate(io->context, journal->active_fd, (off_t)active_end(journal)); // gives the rest of the reserve back
  finish_active(journal);
}

void journal_segment_retire(struct journal *journal) {
  if (journal->active_fd < 0) return;
  const struct journal_io *io = journal->io;
  // What was written and not published is void by the next segment's prev_end_sequence. Cutting it off as well keeps it
  // from coming back when the process ends before there is a next segment; it is not relied on.
  io->truncate(io->context, journal->active_fd, (off_t)active_end(journal));
  sync_rest(journal);
  mutex_lock(&journal->mutex);
  struct journal_segment_state *active = &journal->segments[journal->segment_count - 1];
  struct journal_segment_state copy = *active;
  bool empty = copy.last_sequence == 0;
  if (empty) {
    journal->segment_count--;
    journal->bytes -= copy.end;
    journal_segment_update_metrics(journal);
  }
  mutex_unlock(&journal->mutex);
  if (!empty) {
    finish_active(journal);
    return;
  }
  io->close(io->context, journal->active_fd);
  journal->active_fd = -1;
  char path[JOURNAL_PATH_MAX];
  journal_segment_path(journal, copy.first_sequence, path);
  io->unlink(io->context, path);
}
