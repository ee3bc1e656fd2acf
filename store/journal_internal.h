// SPDX-License-Identifier: Apache-2.0
//
// What the files of the journal share; nobody else includes it. In reading order: journal.c (the format, appending,
// waiting), journal_pending (a record in memory), journal_format (bytes of headers), journal_segment (the list of
// segments, making and retiring them), journal_spare (files that are written over), journal_writer (the one thread that
// commits), journal_scan (reading one segment file), journal_recovery (opening), journal_reader, journal_quarantine.
#ifndef STORE_JOURNAL_INTERNAL_H
#define STORE_JOURNAL_INTERNAL_H

#include "base/thread.h"
#include "store/journal.h"

#define JOURNAL_SEGMENT_HEADER_BYTES UINT64_C(4096)
#define JOURNAL_RECORD_HEADER_BYTES  UINT64_C(80)
#define JOURNAL_PATH_MAX             4096
#define JOURNAL_GATHER_BYTES         (UINT64_C(512) << 10) // with as many queued a commit waits for no more
#define JOURNAL_SPARES_MAX           8u
#define JOURNAL_SEQUENCE_MAX         (UINT64_C(1) << 62) // out of reach for ages; beyond it is damage

enum { JOURNAL_BODY_RAW = 0, JOURNAL_BODY_BLOCK = 1 };

// --- journal_format: drawn at the top of journal.c ------------------------------------------------------------------

struct journal_segment_header {
  uint8_t store_uuid[16];
  uint64_t first_sequence;
  uint64_t prev_end_sequence; // durable when this segment was made; what lies behind it in older segments is void
  uint64_t salt;
  uint64_t created_ns;
  bool written_over; // the file held another segment: behind the last record may be what is left of that one
};
// Fills the whole block.
void journal_format_segment(const struct journal_segment_header *header, uint8_t *out_block);
// len up to JOURNAL_SEGMENT_HEADER_BYTES. STATUS_UNSUPPORTED for another version, STATUS_CORRUPT.
enum status journal_format_read_segment(const uint8_t *block, size_t len, struct journal_segment_header *out_header);

struct journal_record_header {
  enum journal_kind kind;
  uint8_t compression;
  uint64_t sequence, origin_sequence, received_ns;
  uint32_t project, item_count;
  uint32_t section_bytes, stored_bytes;
  uint64_t raw_bytes;
  uint64_t section_check, body_check;
};
// Writes all but the sequence and the header's checksum, which are the writer's: journal_format_finish_record.
void journal_format_record(const struct journal_record_header *header, uint8_t *out_bytes);
void journal_format_finish_record(uint8_t *bytes, uint64_t sequence, uint64_t salt);
// False unless these are the JOURNAL_RECORD_HEADER_BYTES of a sound header of the segment with `salt`.
bool journal_format_read_record(const uint8_t *bytes, uint64_t salt, struct journal_record_header *out_header);
// Do these 16 bytes look like the beginning of a record, of whichever segment? Then its sequence, else 0.
uint64_t journal_format_peek_sequence(const uint8_t *bytes);
// Header, section, body and padding.
uint64_t journal_format_record_bytes(const struct journal_record_header *header);

// --- journal_scan: one segment file through a bounded window ---------------------------------------------------------

struct journal_scan {
  const struct journal_io *io;
  int fd;
  uint64_t salt;
  uint64_t end; // no byte from here on counts
  uint8_t *window;
  size_t capacity, len;
  uint64_t from;    // file offset of window[0]
  bool read_failed; // since the start: what looks damaged may only be unreadable
};
enum journal_scan_result {
  JOURNAL_SCAN_OK,
  JOURNAL_SCAN_END,
  JOURNAL_SCAN_HEADER_DAMAGED, // or the record does not fit before `end`
  JOURNAL_SCAN_BODY_DAMAGED,   // the header can be trusted, section or body cannot
  JOURNAL_SCAN_NO_MEMORY,
};
void journal_scan_init(struct journal_scan *scan, const struct journal_io *io);
// Points it at another file; the descriptor stays the caller's.
void journal_scan_start(struct journal_scan *scan, int fd, uint64_t salt, uint64_t end);
void journal_scan_finish(struct journal_scan *scan);
// The record at offset. With `whole`, section and body are checked and *out_bytes is the record until the next call;
// without, only the header is looked at and *out_bytes untouched.
enum journal_scan_result journal_scan_record(struct journal_scan *scan, uint64_t offset, bool whole,
                                             struct journal_record_header *out_header, const uint8_t **out_bytes);
// The next sound header at or behind offset whose sequence is >= sequence_min and whose record fits; scan->end when
// there is none (or no memory).
uint64_t journal_scan_resync(struct journal_scan *scan, uint64_t offset, uint64_t sequence_min);

// --- the journal -----------------------------------------------------------------------------------------------------

struct journal_segment_state {
  uint64_t first_sequence; // and its name
  uint64_t last_sequence;  // 0: empty. Records beyond are void.
  uint64_t end;            // published bytes
  uint64_t salt;
  uint64_t first_received_ns, last_received_ns;
  uint32_t readers; // that have its file open: it must not be written over
  bool sealed;
  bool written_over; // see journal_segment_header; known of those found at opening
};

// A queued record: this head, the copy of its context and its bytes in one piece of memory.
struct journal_pending {
  struct journal_pending *next;
  journal_ack_fn ack;
  void *context;
  uint64_t received_ns;
  uint8_t *record;
  uint64_t bytes; // of the record, padding included
  uint32_t key_count;
  bool in_block; // of the journal's
};

#define JOURNAL_BLOCKS      128u
#define JOURNAL_BLOCK_BYTES ((size_t)16 << 10)

struct journal {
  struct journal_options options; // its texts are the three below
  char *name, *directory, *quarantine_directory;
  const struct journal_io *io;
  uint64_t segment_bytes; // segment_bytes_max, at most a quarter of the budget
  uint8_t store_uuid[16];
  int lock_fd;
  struct thread writer;

  struct metrics_value unregistered;
  struct metrics_value *bytes_metric, *spares_metric, *records_metric, *commits_metric, *quarantined_metric,
      *quarantine_removed_metric, *sync_errors_metric;
  struct metrics_histogram *commit_seconds;

  // The writer thread's own, and recovery's before it starts.
  int active_fd;            // -1: no segment is open for writing
  uint64_t active_capacity; // bytes
  uint64_t active_keys;
  uint64_t next_sequence;
  uint64_t last_name;      // the highest segment name ever used; none is used twice
  uint64_t prev_end_floor; // of segments whose end is not known
  bool unsynced;           // written and published, not synced (interval, never)
  uint64_t sync_due_ns;

  uint8_t *blocks; // JOURNAL_BLOCKS of JOURNAL_BLOCK_BYTES

  struct mutex mutex;             // everything below
  struct condition work, durable; // for the writer; for flushes
  struct condition news;          // for journal_wait
  bool news_held;                 // there are records that journal_wait has not been told of
  uint64_t news_due_ns;           // not before, by the system's monotonic clock
  struct journal_pending *queue_head, **queue_tail;
  uint64_t queue_bytes;
  void *spare_blocks[JOURNAL_BLOCKS];
  uint32_t spare_block_count;
  uint32_t expected; // records announced by journal_expect
  uint64_t pending_bytes;
  uint64_t bytes; // of all segments
  struct journal_segment_state *segments;
  uint32_t segment_count, segment_capacity;
  uint64_t spares[JOURNAL_SPARES_MAX]; // names, the one deleted last at the end
  uint32_t spare_count;
  uint64_t durable_sequence, synced_sequence;
  // Tickets number appends; flush waits until the ticket it saw has been committed and synced.
  uint64_t ticket_appended, ticket_done, ticket_synced, flush_wanted;
  uint64_t failures;
  uint64_t wakes;
  bool closing;
  bool failed; // nothing could be written lately: one append a second is let through to find out
  uint64_t probe_at_ns;
};

// --- journal_pending -------------------------------------------------------------------------------------------------

// False without memory.
bool journal_pending_make_blocks(struct journal *journal);
void journal_pending_drop_blocks(struct journal *journal);
// A block for the entry's record; NULL: it is too large, or none is spare (mutex held).
void *journal_pending_take_block(struct journal *journal, const struct journal_entry *entry);
// The record, compressed; block may be NULL. NULL without memory, which a block is not.
struct journal_pending *journal_pending_make(struct journal *journal, const struct journal_entry *entry, void *block,
                                             void *context);
// Gives back the memory of the first `count` of the list, and returns the rest of it.
struct journal_pending *journal_pending_end(struct journal *journal, struct journal_pending *list, uint32_t count);

// --- journal_segment -------------------------------------------------------------------------------------------------

// "<directory>/<first sequence, 16 hex digits>.seg"
void journal_segment_path(const struct journal *journal, uint64_t first_sequence, char out_path[JOURNAL_PATH_MAX]);
// The segment of that name, or NULL (mutex held).
struct journal_segment_state *journal_segment_find(struct journal *journal, uint64_t first_sequence);
// Adds to the list (mutex held). False without memory.
bool journal_segment_add(struct journal *journal, const struct journal_segment_state *segment);
// Makes, syncs and lists a new active segment with room for a record of record_bytes. 0 or -errno. Writer only.
int journal_segment_create(struct journal *journal, uint64_t record_bytes);
// Ends the active segment in good order: synced, reserve given back, on_sealed called. Nothing when there is none.
void journal_segment_seal(struct journal *journal);
// Ends it after a failed write or sync: its descriptor is not trusted again, what was not published is void.
void journal_segment_retire(struct journal *journal);
void journal_segment_update_metrics(struct journal *journal); // mutex held

// --- journal_spare ---------------------------------------------------------------------------------------------------

// Ends the files of segments that left the list: kept as spares where that is wanted and `may_keep`, else unlinked.
// Syncs the directory. Any thread.
struct journal_spare_file {
  uint64_t first_sequence; // its name
  bool may_keep;           // whole, and nobody reads it
};
void journal_spare_end(struct journal *journal, const struct journal_spare_file *files, uint32_t count);
// Opens a spare for writing, or returns -ENOENT; out_path is its name. It is the caller's from now on.
int journal_spare_take(struct journal *journal, char out_path[JOURNAL_PATH_MAX]);
// Unlinks spares until bytes_max holds with `bytes` more. Any thread.
void journal_spare_make_room(struct journal *journal, uint64_t bytes);
// Is it the name of a spare's file?
bool journal_spare_is_name(const char *name);

// --- journal_writer, journal_recovery, journal_quarantine -----------------------------------------------------------

void journal_writer_run(void *context);

// Locks the directory, lists, checks and cuts what is there; sets the list, the sequences and the uuid.
enum status journal_recovery_run(struct journal *journal, struct error *error);

// What a journal has set aside: beyond either the oldest goes.
#define JOURNAL_QUARANTINE_BYTES_MAX (UINT64_C(256) << 20)
#define JOURNAL_QUARANTINE_FILES_MAX 1024u
// Copies [offset, offset + bytes) of a segment file to the quarantine directory, at most 16 MiB of it, and counts and
// logs it: once per place, however many readers meet it. Goes on when the copy fails.
void journal_quarantine_range(struct journal *journal, uint64_t segment, uint64_t offset, uint64_t bytes,
                              const char *reason);
// Moves a whole segment file there; it stays where it is when that fails (another file system).
void journal_quarantine_segment(struct journal *journal, uint64_t segment, uint64_t bytes, const char *reason);
// Makes a directory and those above it (0700), synced in their parents. 0 or -errno.
int journal_quarantine_make_directories(const struct journal_io *io, const char *path);

#endif
