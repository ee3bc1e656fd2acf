// SPDX-License-Identifier: Apache-2.0
//
// How it works: a directory of segment files, "<first sequence, 16 hex digits>.seg", each written once from front to
// back by the writer thread (journal_writer) and read by any number of readers (journal_reader) up to the published
// end. Files of the journal are listed in journal_internal.h in reading order. All numbers are little-endian; checksums
// are XXH3-64.
//
// A segment
//
//   0                 4096                                        end
//   ├─ header block ──┼─ record ─┼─ record ─┼─ … ─┼─ record ──┤ (space reserved beyond the file's end, or what is left
//                                                             │  of the segment that had the file before:
//                                                             journal_spare)
//
//   header, 72 bytes at 0 and a copy at 2048       record header, 80 bytes; records begin at multiples of 8
//      0  u64 magic                                   0  u32 magic
//      8  u32 version                                 4  u8 version, u8 kind, u8 compression (0 none, 1 a block), u8
//      zero
//     12  u32 flags: 1 the file held another segment   8  u64 sequence
//     16  16  store uuid                             16  u64 origin sequence
//     32  u64 first sequence (its name)              24  u64 received, ns since 1970
//     40  u64 previous end sequence                  32  u32 project
//     48  u64 salt, random                           36  u32 item count
//     56  u64 created, ns since 1970                 40  u32 section bytes
//     64  u64 checksum of the 64 before              44  u32 stored bytes (of the body)
//                                                    48  u64 raw bytes (of the body decompressed)
//                                                    56  u64 checksum of the section
//                                                    64  u64 checksum of the stored body
//                                                    72  u64 checksum of the 72 before, seeded with the segment's salt
//                                                    80  section, body, zeros up to a multiple of 8
//
// The header has a checksum of its own so that a damaged body or section does not take its neighbours along: lengths
// that passed it can be trusted. The salt is what makes it safe to search for the next header behind damage: neither
// bytes left over from another segment nor bytes a client chose can pass for one.
//
// Why an answer is safe
//
//   1. Before the first answer from a segment: its space is reserved (a full disk shows here), its header written, the
//      file synced, the directory synced. So an answered record's file and salt are there after a power cut.
//   2. Answered (mode always) means fdatasync returned 0 after the record's last byte was written, on the descriptor
//   that
//      wrote it. Records of one group are only answered together, after that.
//   3. Writes only ever go behind the published end of the newest segment, so a torn write damages no answered record.
//   (The
//      block that holds the end is written again with the same bytes before it.)
//   4. After a failed write or sync nothing about the descriptor is believed (a second fdatasync would return 0 over
//   lost
//      pages): the segment ends at its last published record. A new one is made, whose "previous end sequence" says so;
//      recovery and readers take every record behind it, in older segments, for void. What was not answered is written
//      once more, there. If that fails too, it is answered with a refusal.
//   5. No file name and no sequence is used twice: a file left over from a failed attempt cannot be taken for a later
//   one.
//   6. Opening never continues a segment. The newest one is read through; what follows its last sound record is cut.
//   7. Readers see published records only. Hence nothing that was refused has effects, except: after a failed write AND
//   a
//      crash before the next segment exists, refused records may be found whole in the old one, and count. Their sender
//      was told to send again and does; one of the two copies is its own.
//   8. A file that is written over (journal_spare) has no reader, and its old records are void the moment its header
//   has
//      another salt; that header is synced before the file has a segment's name.
//   9. Deleting goes from the oldest on and leaves the newest: the sequence is never forgotten.
//
// Modes: interval answers after the write and syncs on a timer; never syncs at flush, roll and close only. In both, a
// power cut may take answered records, and a cursor kept elsewhere may know a sequence that is gone: hence
// sequence_min.
//
// The budget counts the bytes of all segments and what is queued. Space reserved but not used is given back when a
// segment is complete.
#include "store/journal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/block.h"
#include "store/journal_internal.h"

#define SEGMENT_BYTES_DEFAULT (UINT64_C(64) << 20)
#define PENDING_BYTES_DEFAULT (UINT64_C(64) << 20)
#define SEGMENT_BYTES_MIN     (UINT64_C(8) << 10)

// --- opening and closing ---------------------------------------------------------------------------------------------

static void destroy(struct journal *journal) {
  if (journal->lock_fd >= 0) close(journal->lock_fd);
  condition_finish(&journal->news);
  condition_finish(&journal->durable);
  condition_finish(&journal->work);
  mutex_finish(&journal->mutex);
  journal_pending_drop_blocks(journal);
  free(journal->segments);
  free(journal->name);
  free(journal->directory);
  free(journal->quarantine_directory);
  free(journal);
}

static void make_metrics(struct journal *journal, struct metrics *metrics) {
  char labels[64];
  snprintf(labels, sizeof(labels), "journal=\"%s\"", journal->name);
  journal->bytes_metric =
      metrics_series(metrics, METRICS_GAUGE, "culprit_journal_bytes", labels, "Bytes of a journal's segments on disk.");
  journal->spares_metric = metrics_series(metrics, METRICS_GAUGE, "culprit_journal_spare_bytes", labels,
                                          "Bytes of deleted segments whose files are kept to be written over.");
  journal->records_metric =
      metrics_series(metrics, METRICS_COUNTER, "culprit_journal_records_total", labels, "Records made durable.");
  journal->commits_metric = metrics_series(metrics, METRICS_COUNTER, "culprit_journal_commits_total", labels,
                                           "Groups of records written (and synced) together.");
  journal->quarantine_removed_metric =
      metrics_series(metrics, METRICS_COUNTER, "culprit_journal_quarantine_removed_total", labels,
                     "Files of damage that made room in the quarantine for newer ones.");
  journal->quarantined_metric = metrics_series(metrics, METRICS_COUNTER, "culprit_journal_quarantined_total", labels,
                                               "Places in a journal that were damaged and set aside.");
  journal->sync_errors_metric = metrics_series(metrics, METRICS_COUNTER, "culprit_journal_sync_errors_total", labels,
                                               "Syncs the operating system refused.");
  journal->commit_seconds = metrics_histogram(metrics, "culprit_journal_commit_seconds", labels,
                                              "Time to write and sync one group of records.");
}

// Without a registry the counters still have to be somewhere.
static void make_private_metrics(struct journal *journal) {
  journal->bytes_metric = &journal->unregistered;
  journal->spares_metric = &journal->unregistered;
  journal->records_metric = &journal->unregistered;
  journal->commits_metric = &journal->unregistered;
  journal->quarantined_metric = &journal->unregistered;
  journal->quarantine_removed_metric = &journal->unregistered;
  journal->sync_errors_metric = &journal->unregistered;
}

static struct journal *create(const struct journal_options *options) {
  struct journal *journal = calloc(1, sizeof(*journal));
  if (!journal) return NULL;
  journal->options = *options;
  journal->name = strdup(options->name);
  journal->directory = strdup(options->directory);
  journal->quarantine_directory = strdup(options->quarantine_directory);
  journal->io = options->io ? options->io : journal_io_system();
  journal->lock_fd = journal->active_fd = -1;
  journal->queue_tail = &journal->queue_head;
  mutex_init(&journal->mutex);
  condition_init(&journal->work);
  condition_init(&journal->durable);
  condition_init(&journal->news);
  struct journal_options *mine = &journal->options;
  mine->name = journal->name;
  mine->directory = journal->directory;
  mine->quarantine_directory = journal->quarantine_directory;
  if (mine->bytes_max == 0) mine->bytes_max = UINT64_MAX;
  if (mine->pending_bytes_max == 0) mine->pending_bytes_max = PENDING_BYTES_DEFAULT;
  if (mine->sync_interval_ns == 0) mine->sync_interval_ns = 200 * NS_PER_MS;
  if (!mine->clock) mine->clock = clock_system();
  journal->segment_bytes = mine->segment_bytes_max ? mine->segment_bytes_max : SEGMENT_BYTES_DEFAULT;
  if (journal->segment_bytes > mine->bytes_max / 4) journal->segment_bytes = mine->bytes_max / 4;
  if (journal->segment_bytes < SEGMENT_BYTES_MIN) journal->segment_bytes = SEGMENT_BYTES_MIN;
  bool has_blocks = journal_pending_make_blocks(journal);
  if (!journal->name || !journal->directory || !journal->quarantine_directory || !has_blocks) {
    destroy(journal);
    return NULL;
  }
  if (options->metrics)
    make_metrics(journal, options->metrics);
  else
    make_private_metrics(journal);
  return journal;
}

static enum status take_directory(struct journal *journal, struct error *error) {
  if (strlen(journal->directory) + 32 > JOURNAL_PATH_MAX)
    return error_set(error, STATUS_INVALID, "journal %s: the name of the directory is too long", journal->name);
  int result = journal_quarantine_make_directories(journal->io, journal->directory);
  if (result < 0)
    return error_set(error, STATUS_IO, "journal %s: cannot use %s: %s", journal->name, journal->directory,
                     strerror(-result));
  char path[JOURNAL_PATH_MAX];
  snprintf(path, sizeof(path), "%.*s/lock", JOURNAL_PATH_MAX - 8, journal->directory);
  journal->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (journal->lock_fd < 0)
    return error_set(error, STATUS_IO, "journal %s: cannot use %s: %s", journal->name, path, strerror(errno));
  if (flock(journal->lock_fd, LOCK_EX | LOCK_NB) != 0)
    return error_set(error, STATUS_CONFLICT, "journal %s: another process uses %s", journal->name, journal->directory);
  return STATUS_OK;
}

enum status journal_open(const struct journal_options *options, struct journal **out_journal, struct error *error) {
  ASSERT(options->name && options->directory && options->quarantine_directory);
  struct journal *journal = create(options);
  if (!journal) return error_set(error, STATUS_NO_MEMORY, "journal %s: out of memory", options->name);
  enum status status = take_directory(journal, error);
  if (status == STATUS_OK) status = journal_recovery_run(journal, error);
  if (status == STATUS_OK) {
    char name[16];
    snprintf(name, sizeof(name), "log-%.11s", journal->name);
    status = thread_start(&journal->writer, name, journal_writer_run, journal);
    if (status) error_set(error, status, "journal %s: no thread for its writer", journal->name);
  }
  if (status != STATUS_OK) {
    destroy(journal);
    return status;
  }
  *out_journal = journal;
  return STATUS_OK;
}

void journal_close(struct journal *journal) {
  if (!journal) return;
  mutex_lock(&journal->mutex);
  journal->closing = true;
  condition_signal(&journal->work);
  condition_broadcast(&journal->durable);
  condition_broadcast(&journal->news);
  mutex_unlock(&journal->mutex);
  thread_join(&journal->writer);
  destroy(journal);
}

// --- appending -------------------------------------------------------------------------------------------------------

// May a record of this size be queued now? Mutex held.
static enum status admit(struct journal *journal, uint64_t bytes, struct error *error) {
  const struct journal_options *options = &journal->options;
  if (journal->closing) return error_set(error, STATUS_UNAVAILABLE, "journal %s is closing", journal->name);
  if (journal->pending_bytes > 0 && journal->pending_bytes + bytes > options->pending_bytes_max)
    return error_set(error, STATUS_UNAVAILABLE, "journal %s: too much is waiting for the disk", journal->name);
  uint64_t headers = 1 + 2 * (journal->pending_bytes / journal->segment_bytes); // of segments still to be made
  uint64_t used = journal->bytes + journal->pending_bytes + headers * JOURNAL_SEGMENT_HEADER_BYTES;
  if (used > options->bytes_max || bytes > options->bytes_max - used)
    return error_set(error, STATUS_UNAVAILABLE, "journal %s is full: %llu of %llu bytes", journal->name,
                     (unsigned long long)used, (unsigned long long)options->bytes_max);
  if (journal->failed && !options->keep_trying && clock_monotonic_ns(options->clock) < journal->probe_at_ns)
    return error_set(error, STATUS_UNAVAILABLE, "journal %s: the disk refuses writes", journal->name);
  return STATUS_OK;
}

void journal_expect(struct journal *journal) {
  mutex_lock(&journal->mutex);
  journal->expected++;
  mutex_unlock(&journal->mutex);
}

void journal_expect_end(struct journal *journal) {
  mutex_lock(&journal->mutex);
  ASSERT(journal->expected > 0);
  bool tells = --journal->expected == 0 && journal->queue_head;
  mutex_unlock(&journal->mutex);
  if (tells) condition_signal(&journal->work);
}

// Mutex held. True: the writer is to be told. It is of the first record, of the last one it waits for, and of those it
// waits for no more.
static bool enqueue(struct journal *journal, struct journal_pending *pending, bool expected) {
  ASSERT(!expected || journal->expected > 0);
  if (expected) journal->expected--;
  journal->queue_bytes += pending->bytes;
  bool is_last = expected && journal->expected == 0;
  bool tells = !journal->queue_head || is_last || journal->queue_bytes >= JOURNAL_GATHER_BYTES;
  *journal->queue_tail = pending;
  journal->queue_tail = &pending->next;
  journal->pending_bytes += pending->bytes;
  journal->ticket_appended++;
  return tells;
}

// A first look, so that an overloaded journal costs no compression. Brings a block to make the record in, or NULL.
static enum status look(struct journal *journal, const struct journal_entry *entry, void **out_block,
                        struct error *error) {
  if (entry->section.len > JOURNAL_RECORD_BYTES_MAX || entry->body.len > JOURNAL_RECORD_BYTES_MAX - entry->section.len)
    return error_set(error, STATUS_TOO_LARGE, "journal %s: a record may have 1 GiB", journal->name);
  mutex_lock(&journal->mutex);
  enum status status = admit(journal, JOURNAL_RECORD_HEADER_BYTES + entry->section.len, error);
  if (status == STATUS_OK) *out_block = journal_pending_take_block(journal, entry);
  mutex_unlock(&journal->mutex);
  return status;
}

static enum status append(struct journal *journal, struct journal_pending *pending, bool expected,
                          struct error *error) {
  bool tells = false;
  mutex_lock(&journal->mutex);
  enum status status = admit(journal, pending->bytes, error);
  if (status == STATUS_OK) {
    // The record that finds out whether the disk works again; the next one goes a second later.
    if (journal->failed) journal->probe_at_ns = clock_monotonic_ns(journal->options.clock) + NS_PER_S;
    tells = enqueue(journal, pending, expected);
  }
  mutex_unlock(&journal->mutex);
  if (tells) condition_signal(&journal->work); // who is woken finds the mutex free
  return status;
}

enum status journal_append(struct journal *journal, const struct journal_entry *entry, journal_ack_fn ack,
                           void *context, struct error *error) {
  void *block = NULL;
  enum status status = look(journal, entry, &block, error);
  struct journal_pending *pending = status == STATUS_OK ? journal_pending_make(journal, entry, block, context) : NULL;
  if (pending) {
    pending->ack = ack;
    status = append(journal, pending, entry->expected, error);
    if (status == STATUS_OK) return STATUS_OK;
    journal_pending_end(journal, pending, 1);
  } else if (status == STATUS_OK) {
    status = error_set(error, STATUS_UNAVAILABLE, "journal %s: out of memory", journal->name);
  }
  if (entry->expected) journal_expect_end(journal);
  return status;
}

enum status journal_flush(struct journal *journal) {
  mutex_lock(&journal->mutex);
  uint64_t ticket = journal->ticket_appended, failures = journal->failures;
  if (journal->flush_wanted < ticket) journal->flush_wanted = ticket;
  condition_signal(&journal->work);
  bool endless = journal->options.keep_trying; // then the first failure ends the wait
  while (journal->ticket_synced < ticket && !(endless && journal->failures != failures))
    condition_wait(&journal->durable, &journal->mutex);
  bool failed = journal->failures != failures;
  mutex_unlock(&journal->mutex);
  return failed ? STATUS_UNAVAILABLE : STATUS_OK;
}

// --- looking and waiting ---------------------------------------------------------------------------------------------

uint64_t journal_first_sequence(struct journal *journal) {
  mutex_lock(&journal->mutex);
  uint64_t first = journal->durable_sequence + 1;
  for (uint32_t i = 0; i < journal->segment_count; i++) {
    if (journal->segments[i].last_sequence == 0) continue;
    first = journal->segments[i].first_sequence;
    break;
  }
  mutex_unlock(&journal->mutex);
  return first;
}

uint64_t journal_durable_sequence(struct journal *journal) {
  mutex_lock(&journal->mutex);
  uint64_t sequence = journal->durable_sequence;
  mutex_unlock(&journal->mutex);
  return sequence;
}

uint64_t journal_synced_sequence(struct journal *journal) {
  mutex_lock(&journal->mutex);
  uint64_t sequence = journal->synced_sequence;
  mutex_unlock(&journal->mutex);
  return sequence;
}

uint64_t journal_bytes(struct journal *journal) {
  mutex_lock(&journal->mutex);
  uint64_t bytes = journal->bytes;
  mutex_unlock(&journal->mutex);
  return bytes;
}

uint64_t journal_bytes_max(struct journal *journal) {
  mutex_lock(&journal->mutex);
  uint64_t bytes_max = journal->options.bytes_max;
  mutex_unlock(&journal->mutex);
  return bytes_max;
}

void journal_set_bytes_max(struct journal *journal, uint64_t bytes_max) {
  mutex_lock(&journal->mutex);
  uint64_t least = 4 * journal->segment_bytes;
  journal->options.bytes_max = bytes_max < least ? least : bytes_max;
  mutex_unlock(&journal->mutex);
  journal_spare_make_room(journal, 0);
}

uint64_t journal_wait(struct journal *journal, uint64_t after, uint64_t timeout_ns) {
  mutex_lock(&journal->mutex);
  uint64_t wakes = journal->wakes;
  const struct clock *clock = clock_system(); // a fake one would never let the time pass
  uint64_t start = clock_monotonic_ns(clock), spent = 0;
  while (journal->durable_sequence <= after && journal->wakes == wakes && !journal->closing && spent < timeout_ns) {
    condition_wait_for(&journal->news, &journal->mutex, timeout_ns - spent);
    spent = clock_monotonic_ns(clock) - start;
  }
  uint64_t sequence = journal->durable_sequence;
  mutex_unlock(&journal->mutex);
  return sequence;
}

void journal_wake(struct journal *journal) {
  mutex_lock(&journal->mutex);
  journal->wakes++;
  condition_broadcast(&journal->news);
  mutex_unlock(&journal->mutex);
}

uint32_t journal_segments(struct journal *journal, struct journal_segment *out_segments, uint32_t max) {
  mutex_lock(&journal->mutex);
  uint32_t count = journal->segment_count;
  for (uint32_t i = 0; i < count && i < max; i++) {
    const struct journal_segment_state *segment = &journal->segments[i];
    out_segments[i] = (struct journal_segment){.first_sequence = segment->first_sequence,
                                               .last_sequence = segment->last_sequence,
                                               .bytes = segment->end,
                                               .first_received_ns = segment->first_received_ns,
                                               .last_received_ns = segment->last_received_ns,
                                               .sealed = segment->sealed};
  }
  mutex_unlock(&journal->mutex);
  return count;
}

const char *journal_directory(const struct journal *journal) {
  return journal->directory;
}

// --- deleting --------------------------------------------------------------------------------------------------------

// Takes the oldest segment off the list when it may go. Never the last: it knows the sequence.
static bool take_oldest(struct journal *journal, uint64_t wall_ns, uint64_t sequence,
                        struct journal_spare_file *out_file) {
  mutex_lock(&journal->mutex);
  struct journal_segment_state *oldest = journal->segments;
  bool may_go = journal->segment_count > 1 && oldest->last_sequence < sequence &&
                (oldest->last_sequence == 0 || oldest->last_received_ns < wall_ns);
  if (may_go) {
    bool is_whole = oldest->end >= journal->segment_bytes / 2 && oldest->end <= journal->segment_bytes;
    *out_file = (struct journal_spare_file){.first_sequence = oldest->first_sequence,
                                            .may_keep = is_whole && oldest->readers == 0};
    journal->bytes -= oldest->end;
    journal->segment_count--;
    memmove(oldest, oldest + 1, journal->segment_count * sizeof(*oldest));
    journal_segment_update_metrics(journal);
  }
  mutex_unlock(&journal->mutex);
  return may_go;
}

uint32_t journal_delete_older(struct journal *journal, uint64_t wall_ns, uint64_t sequence) {
  struct journal_spare_file files[16];
  uint32_t deleted = 0, count;
  do {
    for (count = 0; count < 16 && take_oldest(journal, wall_ns, sequence, &files[count]); count++) {
    }
    if (count > 0) journal_spare_end(journal, files, count);
    deleted += count;
  } while (count == 16);
  return deleted;
}

uint32_t journal_delete_before(struct journal *journal, uint64_t sequence) {
  return journal_delete_older(journal, UINT64_MAX, sequence);
}

// --- bodies ----------------------------------------------------------------------------------------------------------

enum status journal_record_body(const struct journal_record *record, struct buffer *scratch, struct slice *out_body) {
  buffer_clear(scratch);
  if (!record->body_compressed) {
    if (record->body_stored.len > scratch->max_bytes) return STATUS_TOO_LARGE;
    *out_body = record->body_stored;
    return STATUS_OK;
  }
  if (record->body_raw_bytes > scratch->max_bytes) return STATUS_TOO_LARGE;
  uint8_t *to = buffer_reserve(scratch, (size_t)record->body_raw_bytes);
  if (!to) return STATUS_TOO_LARGE;
  enum status status = block_decompress(record->body_stored, to, (size_t)record->body_raw_bytes);
  if (status != STATUS_OK) return status;
  scratch->len = (size_t)record->body_raw_bytes;
  *out_body = buffer_slice(scratch);
  return STATUS_OK;
}
