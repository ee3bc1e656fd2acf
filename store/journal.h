// SPDX-License-Identifier: Apache-2.0
//
// The append-only journal: segments of records with group fsync, readers with positions, recovery, quarantine, a byte
// budget. One writer thread inside; any thread appends; each reader belongs to one thread. The format and the
// crash-safety argument are at the top of journal.c.
//
// A sequence is a record's number, from 1, never reused, growing by 1 (faults and damage leave gaps). "Durable" means:
// written, and synced as the sync mode promises. Readers see durable records only.
#ifndef STORE_JOURNAL_H
#define STORE_JOURNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "base/status.h"
#include "store/journal_io.h"

struct journal;

enum journal_sync { JOURNAL_SYNC_ALWAYS, JOURNAL_SYNC_INTERVAL, JOURNAL_SYNC_NEVER };

// JOURNAL_ITEMS: what comes beside an event (proto/sentry_item); it has no section.
enum journal_kind { JOURNAL_TRACES = 1, JOURNAL_LOGS = 2, JOURNAL_EVENTS = 3, JOURNAL_METRICS = 4, JOURNAL_ITEMS = 5 };

struct journal_options {
  const char *name;      // "intake", "kept": for logs, metrics labels and thread names
  const char *directory; // made when missing (0700)
  const char *quarantine_directory;
  enum journal_sync sync;
  uint64_t sync_interval_ns; // for JOURNAL_SYNC_INTERVAL
  // A commit may wait this long for more records, because each costs a write, a sync and wake-ups whatever its size.
  // For a journal whose appenders do not wait for the answer; a flush ends the wait. 0: never.
  uint64_t gather_ns;
  // The same for a journal whose appenders do wait: a commit waits at most this long, and only while records that
  // journal_expect announced are still being made. 0: never.
  uint64_t expected_wait_ns;
  bool dense;                  // bodies are compressed for size (zstd), not for speed (LZ4)
  uint64_t segment_bytes_max;  // default 64 MiB; a larger record gets a segment of its own
  uint32_t spare_segments_max; // deleted segments whose files are kept to be written over: journal_spare; at most 8
  uint32_t segment_keys_max;   // roll when note_keys passed this many since the segment began; 0: no limit
  uint64_t bytes_max; // disk budget of all segments, spare ones included; at it appends fail with STATUS_UNAVAILABLE;
                      // 0: no limit. Segments are at most a quarter of it, so that deleting whole ones makes room
  uint64_t
      pending_bytes_max; // appended and not yet durable, default 64 MiB; at it appends fail with STATUS_UNAVAILABLE
  // The next record gets at least this sequence: one more than any cursor kept elsewhere has seen, so that numbers are
  // not used twice when a power cut took records that were read but not synced (interval, never). 0: what is on disk
  // decides.
  uint64_t sequence_min;
  // What cannot be written stays pending and is tried again, in order, until it can be or the journal closes; appending
  // is refused at pending_bytes_max only. For a journal that is fed from another one. Else: refused after the second
  // try.
  bool keep_trying;
  const struct journal_io *io; // NULL: the operating system
  const struct clock *clock;
  struct metrics *metrics; // may be NULL
  // Called on the writer thread when a segment with records is complete (rolled, given up, or the journal closes); may
  // be NULL. For index files. Opening never continues a segment: those found are sealed, without a call.
  void (*on_sealed)(void *context, uint64_t first_sequence);
  void *sealed_context;
};

// Recovers what is there: cuts a torn tail, skips and quarantines damage, logs and counts both. Fails only when the
// directory cannot be used or another process holds it (flock).
enum status journal_open(const struct journal_options *options, struct journal **out_journal, struct error *error);
// Writes and syncs what is pending, answers it, ends the writer. Readers must be closed before.
void journal_close(struct journal *journal);

// One record to append. Slices are borrowed for the call only. The body is compressed (base/block) on the calling
// thread where that pays. `section` is a small uncompressed block beside the body that readers get without
// decompressing (the facts of processor/facts).
struct journal_entry {
  enum journal_kind kind;
  uint32_t project;
  uint32_t item_count;
  uint64_t received_ns;     // wall time
  uint64_t origin_sequence; // kept journal: the intake record it came from; 0 elsewhere
  struct slice section;
  struct slice body;
  // When set, the body is stored as it is, already compressed by a journal: its raw length (reader's body_stored).
  bool body_is_stored_form;
  uint64_t body_raw_bytes; // used with body_is_stored_form
  uint32_t key_count;      // counted towards segment_keys_max
  bool expected;           // announced by journal_expect, which this append ends, whatever it returns
  size_t context_bytes;    // of what `context` points at: copied, and ack gets the copy, which ends with it. 0: the
                           // pointer itself
};

// Called on the writer thread once, when the record is durable (STATUS_OK) or will never be (STATUS_UNAVAILABLE: write
// or sync failed, disk full). Must not block and must not append. sequence and location are those of the record.
struct journal_location {
  uint64_t segment; // first sequence of its segment
  uint64_t offset;  // of the record in the segment file
};
typedef void (*journal_ack_fn)(void *context, enum status status, uint64_t sequence, struct journal_location location);

// Queues one record. STATUS_OK: ack will be called exactly once (ack may be NULL), maybe before this returns.
// STATUS_UNAVAILABLE (budget or pending limit, closing, writer failed, no memory) and STATUS_TOO_LARGE (over
// JOURNAL_RECORD_BYTES_MAX): ack is not called, the reason is in error. A record over pending_bytes_max is taken when
// nothing else is pending.
#define JOURNAL_RECORD_BYTES_MAX (UINT64_C(1) << 30)
enum status journal_append(struct journal *journal, const struct journal_entry *entry, journal_ack_fn ack,
                           void *context, struct error *error);
// Announces that this thread is about to append, and that it has (or will not): between the two a commit may wait for
// its record, so that requests which arrive together share a sync (options.expected_wait_ns).
void journal_expect(struct journal *journal);
void journal_expect_end(struct journal *journal);
// Blocks until everything appended so far is answered, durable and synced, whatever the sync mode. STATUS_UNAVAILABLE
// when something failed meanwhile.
enum status journal_flush(struct journal *journal);

uint64_t journal_first_sequence(struct journal *journal);   // of the oldest record still there; next one when empty
uint64_t journal_durable_sequence(struct journal *journal); // 0: none yet
// Sequence up to which an fdatasync has returned (= durable unless sync is never or interval).
uint64_t journal_synced_sequence(struct journal *journal);
uint64_t journal_bytes(struct journal *journal);
uint64_t journal_bytes_max(struct journal *journal);
// Another disk budget from now on, at least that of four segments. Nothing that is stored is deleted by it.
void journal_set_bytes_max(struct journal *journal, uint64_t bytes_max);
// Waits until durable_sequence > after, or the timeout, or journal_wake. Returns durable_sequence. Under load it comes
// back some milliseconds late, with more to read, so that readers do not cost a wake-up per commit.
uint64_t journal_wait(struct journal *journal, uint64_t after, uint64_t timeout_ns);
// Ends all waits of the moment (for shutdown).
void journal_wake(struct journal *journal);

// Deletes whole segments, oldest first, whose records are all < `sequence`. Never the newest segment. Returns how many.
uint32_t journal_delete_before(struct journal *journal, uint64_t sequence);
// The same by age: segments whose newest record was received before wall_ns and is < `sequence`.
uint32_t journal_delete_older(struct journal *journal, uint64_t wall_ns, uint64_t sequence);

// Segments, oldest first; returns how many there are, fills up to `max`.
struct journal_segment {
  uint64_t first_sequence, last_sequence; // last 0: empty
  uint64_t bytes;
  uint64_t first_received_ns, last_received_ns;
  bool sealed;
};
uint32_t journal_segments(struct journal *journal, struct journal_segment *out_segments, uint32_t max);
const char *journal_directory(const struct journal *journal);

// Reading. A view is valid until the reader's next call.
struct journal_record {
  enum journal_kind kind;
  uint32_t project;
  uint32_t item_count;
  uint64_t sequence, origin_sequence, received_ns;
  struct journal_location location;
  struct slice section;
  struct slice body_stored; // as on disk
  bool body_compressed;     // to a block of base/block
  uint64_t body_raw_bytes;
};

struct journal_reader;
// Starts at the first record >= sequence. STATUS_NO_MEMORY or STATUS_UNAVAILABLE only.
enum status journal_reader_open(struct journal *journal, uint64_t sequence, struct journal_reader **out_reader);
void journal_reader_close(struct journal_reader *reader);
// STATUS_OK and a record, STATUS_END at the durable end (call again later; the position is then behind it).
// STATUS_UNAVAILABLE or STATUS_NO_MEMORY: the system has no descriptor or memory to give, call again later. Damage met
// on the way is skipped, quarantined and counted; a record is checked (header, section and body checksums) before it is
// handed out.
enum status journal_reader_next(struct journal_reader *reader, struct journal_record *out_record);
// The sequence the next call would look for.
uint64_t journal_reader_position(const struct journal_reader *reader);
void journal_reader_seek(struct journal_reader *reader, uint64_t sequence);
// One record by where it lies (index files); the position stays. STATUS_NOT_FOUND when the segment is gone,
// STATUS_CORRUPT, STATUS_UNAVAILABLE, STATUS_NO_MEMORY.
enum status journal_reader_at(struct journal_reader *reader, struct journal_location location,
                              struct journal_record *out_record);
// The body, decompressed into `scratch` (cleared first) when needed; the view lives until either is used again.
// STATUS_CORRUPT, STATUS_TOO_LARGE over scratch->max_bytes.
enum status journal_record_body(const struct journal_record *record, struct buffer *scratch, struct slice *out_body);

// Puts a record aside that its reader cannot digest: copied to quarantine with the reason, counted, logged.
void journal_quarantine(struct journal *journal, const struct journal_record *record, const char *reason);

#endif
