// SPDX-License-Identifier: Apache-2.0
//
// How it works: a reader walks the list of segments with one open file and one window (journal_scan). It knows how far
// its segment was published when it last looked and asks the journal again only there; it never reads beyond. A segment
// that is deleted meanwhile stays readable through the descriptor, because the list knows that it is open (`readers`)
// and its file is not written over; one that is gone before it was opened is passed over.
//
// Reading single records by location has a file and a window of its own, so that it does not lose the walk's place.
#include "store/journal_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

struct source {
  int fd;                               // -1: none
  struct journal_segment_state segment; // as known when last asked
  struct journal_scan scan;
};

struct journal_reader {
  struct journal *journal;
  uint64_t position;
  uint64_t finished; // first sequence of the last segment that was read to its end
  uint64_t offset;   // in walk
  uint64_t seen;     // highest sequence met in this segment
  struct source walk, single;
};

// Lets the segment's file be written over once the segment is deleted.
static void unpin(struct journal *journal, uint64_t first_sequence) {
  mutex_lock(&journal->mutex);
  struct journal_segment_state *segment = journal_segment_find(journal, first_sequence);
  if (segment) segment->readers--;
  mutex_unlock(&journal->mutex);
}

static void source_close(struct journal_reader *reader, struct source *source) {
  if (source->fd < 0) return;
  reader->journal->io->close(reader->journal->io->context, source->fd);
  unpin(reader->journal, source->segment.first_sequence);
  source->fd = -1;
}

// Opens the segment of that name, as it is now. -ENOENT when it was deleted.
static int source_open(struct journal_reader *reader, struct source *source, uint64_t first_sequence) {
  struct journal *journal = reader->journal;
  const struct journal_io *io = journal->io;
  source_close(reader, source);
  mutex_lock(&journal->mutex);
  struct journal_segment_state *segment = journal_segment_find(journal, first_sequence);
  if (segment) {
    segment->readers++;
    source->segment = *segment;
  }
  mutex_unlock(&journal->mutex);
  if (!segment) return -ENOENT;
  char path[JOURNAL_PATH_MAX];
  journal_segment_path(journal, first_sequence, path);
  int fd = io->open(io->context, path, O_RDONLY, 0);
  if (fd < 0) {
    unpin(journal, first_sequence);
    return fd;
  }
  source->fd = fd;
  journal_scan_start(&source->scan, fd, source->segment.salt, source->segment.end);
  return 0;
}

// The segment named `first_sequence` as it is now; false when it was deleted.
static bool find_segment(struct journal *journal, uint64_t first_sequence, struct journal_segment_state *out_segment) {
  mutex_lock(&journal->mutex);
  const struct journal_segment_state *segment = journal_segment_find(journal, first_sequence);
  if (segment) *out_segment = *segment;
  mutex_unlock(&journal->mutex);
  return segment != NULL;
}

enum status journal_reader_open(struct journal *journal, uint64_t sequence, struct journal_reader **out_reader) {
  struct journal_reader *reader = calloc(1, sizeof(*reader));
  if (!reader) return STATUS_NO_MEMORY;
  reader->journal = journal;
  reader->position = sequence;
  reader->walk.fd = reader->single.fd = -1;
  journal_scan_init(&reader->walk.scan, journal->io);
  journal_scan_init(&reader->single.scan, journal->io);
  *out_reader = reader;
  return STATUS_OK;
}

void journal_reader_close(struct journal_reader *reader) {
  if (!reader) return;
  source_close(reader, &reader->walk);
  source_close(reader, &reader->single);
  journal_scan_finish(&reader->walk.scan);
  journal_scan_finish(&reader->single.scan);
  free(reader);
}

uint64_t journal_reader_position(const struct journal_reader *reader) {
  return reader->position;
}

void journal_reader_seek(struct journal_reader *reader, uint64_t sequence) {
  bool forward = reader->walk.fd >= 0 && sequence > reader->seen;
  reader->position = sequence;
  if (forward) return; // what lies between is stepped over
  source_close(reader, &reader->walk);
  reader->finished = 0;
}

// Opens the first segment that may hold the position. STATUS_END when there is none yet.
static enum status walk_open(struct journal_reader *reader) {
  struct journal *journal = reader->journal;
  for (;;) {
    uint64_t first = 0;
    mutex_lock(&journal->mutex);
    for (uint32_t i = 0; i < journal->segment_count && first == 0; i++) {
      const struct journal_segment_state *segment = &journal->segments[i];
      if (segment->first_sequence > reader->finished &&
          (!segment->sealed || segment->last_sequence >= reader->position))
        first = segment->first_sequence;
    }
    mutex_unlock(&journal->mutex);
    if (first == 0) return STATUS_END;
    int result = source_open(reader, &reader->walk, first);
    if (result == -ENOENT) { // deleted meanwhile, or by another hand
      reader->finished = first;
      continue;
    }
    if (result < 0) return STATUS_UNAVAILABLE;
    const struct journal_segment_state *segment = &reader->walk.segment;
    reader->offset = JOURNAL_SEGMENT_HEADER_BYTES;
    reader->seen = 0;
    if (segment->last_sequence < reader->position) { // the active one, and all of it is known already
      reader->offset = segment->end;
      reader->seen = segment->last_sequence;
    }
    return STATUS_OK;
  }
}

// At the known end: has the segment grown? False when it is complete; *out_wait when there is nothing more yet.
static bool walk_refresh(struct journal_reader *reader, bool *out_wait) {
  *out_wait = false;
  struct source *walk = &reader->walk;
  struct journal_segment_state now;
  if (walk->segment.sealed || !find_segment(reader->journal, walk->segment.first_sequence, &now)) return false;
  bool grown = now.end > walk->segment.end;
  walk->segment = now;
  if (grown)
    journal_scan_start(&walk->scan, walk->fd, now.salt, now.end);
  else
    *out_wait = !now.sealed;
  return grown || !now.sealed;
}

static void walk_leave(struct journal_reader *reader) {
  const struct journal_segment_state *segment = &reader->walk.segment;
  reader->finished = segment->first_sequence;
  if (reader->position <= segment->last_sequence) reader->position = segment->last_sequence + 1;
  source_close(reader, &reader->walk);
}

static void walk_past_damage(struct journal_reader *reader, uint64_t resume) {
  uint64_t from = reader->offset;
  uint64_t sequence_min = reader->seen ? reader->seen + 1 : reader->walk.segment.first_sequence;
  reader->offset = journal_scan_resync(&reader->walk.scan, resume, sequence_min);
  journal_quarantine_range(reader->journal, reader->walk.segment.first_sequence, from, reader->offset - from,
                           "damaged records");
}

static void fill_record(const struct journal_record_header *header, struct journal_location location,
                        const uint8_t *bytes, struct journal_record *out_record) {
  const uint8_t *section = bytes + JOURNAL_RECORD_HEADER_BYTES;
  *out_record = (struct journal_record){
      .kind = header->kind,
      .project = header->project,
      .item_count = header->item_count,
      .sequence = header->sequence,
      .origin_sequence = header->origin_sequence,
      .received_ns = header->received_ns,
      .location = location,
      .section = slice_make(section, header->section_bytes),
      .body_stored = slice_make(section + header->section_bytes, header->stored_bytes),
      .body_compressed = header->compression == JOURNAL_BODY_BLOCK,
      .body_raw_bytes = header->raw_bytes,
  };
}

// One step in the open segment: STATUS_OK with a record, STATUS_NOT_FOUND to go on, STATUS_END at its known end.
static enum status walk_step(struct journal_reader *reader, struct journal_record *out_record) {
  struct source *walk = &reader->walk;
  struct journal_record_header header;
  const uint8_t *bytes = NULL;
  // Behind the last record of a file that was written over are the records of its former life.
  if (walk->segment.sealed && reader->seen > 0 && reader->seen >= walk->segment.last_sequence) return STATUS_END;
  enum journal_scan_result result = journal_scan_record(&walk->scan, reader->offset, false, &header, NULL);
  if (result == JOURNAL_SCAN_END) return STATUS_END;
  if (result == JOURNAL_SCAN_NO_MEMORY) return STATUS_NO_MEMORY;
  if (result == JOURNAL_SCAN_OK && walk->segment.sealed && header.sequence > walk->segment.last_sequence) {
    reader->offset = walk->segment.end; // void: written before a failure and never answered
    return STATUS_END;
  }
  if (result == JOURNAL_SCAN_OK && header.sequence > reader->seen && header.sequence >= reader->position)
    result = journal_scan_record(&walk->scan, reader->offset, true, &header, &bytes);
  if (result == JOURNAL_SCAN_NO_MEMORY) return STATUS_NO_MEMORY;
  if (result == JOURNAL_SCAN_BODY_DAMAGED) {
    reader->seen = header.sequence;
    walk_past_damage(reader, reader->offset + journal_format_record_bytes(&header));
    return STATUS_NOT_FOUND;
  }
  if (result != JOURNAL_SCAN_OK || header.sequence <= reader->seen) {
    walk_past_damage(reader, reader->offset + 8);
    return STATUS_NOT_FOUND;
  }
  struct journal_location location = {.segment = walk->segment.first_sequence, .offset = reader->offset};
  reader->offset += journal_format_record_bytes(&header);
  reader->seen = header.sequence;
  if (!bytes) return STATUS_NOT_FOUND; // before the position
  reader->position = header.sequence + 1;
  fill_record(&header, location, bytes, out_record);
  return STATUS_OK;
}

enum status journal_reader_next(struct journal_reader *reader, struct journal_record *out_record) {
  for (;;) {
    if (reader->walk.fd < 0) {
      enum status status = walk_open(reader);
      if (status != STATUS_OK) return status;
    }
    enum status status = walk_step(reader, out_record);
    if (status == STATUS_NOT_FOUND) continue;
    if (status != STATUS_END) return status;
    bool wait;
    if (!walk_refresh(reader, &wait)) walk_leave(reader);
    if (!wait) continue;
    // Whatever was damaged at the end is behind us: the position never waits for it.
    if (reader->position <= reader->walk.segment.last_sequence)
      reader->position = reader->walk.segment.last_sequence + 1;
    return STATUS_END;
  }
}

enum status journal_reader_at(struct journal_reader *reader, struct journal_location location,
                              struct journal_record *out_record) {
  struct source *single = &reader->single;
  bool open = single->fd >= 0 && single->segment.first_sequence == location.segment;
  if (!open || location.offset >= single->segment.end) {
    int result = source_open(reader, single, location.segment);
    if (result < 0) return result == -ENOENT ? STATUS_NOT_FOUND : STATUS_UNAVAILABLE;
  }
  if (location.offset < JOURNAL_SEGMENT_HEADER_BYTES || location.offset % 8 != 0) return STATUS_CORRUPT;
  struct journal_record_header header;
  const uint8_t *bytes;
  enum journal_scan_result result = journal_scan_record(&single->scan, location.offset, true, &header, &bytes);
  if (result == JOURNAL_SCAN_NO_MEMORY) return STATUS_NO_MEMORY;
  if (result != JOURNAL_SCAN_OK) return STATUS_CORRUPT;
  if (single->segment.sealed && header.sequence > single->segment.last_sequence) return STATUS_CORRUPT;
  fill_record(&header, location, bytes, out_record);
  return STATUS_OK;
}
