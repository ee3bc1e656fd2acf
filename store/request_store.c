// SPDX-License-Identifier: Apache-2.0
//
// How it works: a kept record's keys are taken from its section when it is appended and wait beside it until the
// journal's writer says where the record lies; then they go to the index in memory. When the segment is complete that
// index is written beside it and another one begun, all on the writer thread. Finding looks in memory first, then in
// the file: whoever moves an index from one to the other writes the file before forgetting the memory, so a key is
// never in neither.
//
// An index file is a convenience: one that is missing (a crash) or damaged is made again from the segment's sections,
// when the store opens or when it is needed.
//
// Settle's place: kept records carry the intake sequence they came from, never falling, so the newest record says it.
#include "store/request_store.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "store/request_store_internal.h"

#define KEYS_MAX_DEFAULT   UINT32_C(1000000)
#define KEYS_OF_ONE_RECORD UINT32_C(2097152) // a segment passes its limit by at most one record

struct journal_segment *request_store_segments(struct journal *journal, uint32_t *out_count) {
  *out_count = 0;
  for (;;) {
    uint32_t max = journal_segments(journal, NULL, 0) + 8;
    struct journal_segment *segments = malloc(max * sizeof(*segments));
    if (!segments) return NULL;
    uint32_t count = journal_segments(journal, segments, max);
    if (count <= max) {
      *out_count = count;
      return segments;
    }
    free(segments); // they became more meanwhile
  }
}

// --- keys of a record ------------------------------------------------------------------------------------------------

// Calls for every trace and request id of a section; false when the section cannot be read.
static bool each_key(struct slice section, void (*each)(void *context, uint64_t key), void *context) {
  struct record_facts facts;
  if (record_facts_decode(section, &facts) != STATUS_OK) return false;
  for (uint32_t i = 0; i < facts.trace_count; i++) {
    struct record_trace trace;
    record_facts_trace(&facts, i, &trace);
    each(context, segment_index_trace_key(trace.trace_id));
  }
  const uint8_t *cursor = facts.requests;
  struct record_request request;
  while (record_facts_next_request(&facts, &cursor, &request)) each(context, segment_index_request_key(request.id));
  return true;
}

struct to_builder {
  struct segment_index_builder *builder;
  uint64_t offset;
  bool full;
};
static void add_key(void *context, uint64_t key) {
  struct to_builder *to = context;
  if (!segment_index_builder_add(to->builder, key, to->offset)) to->full = true;
}

// --- rebuilding ------------------------------------------------------------------------------------------------------

// A segment's index from its sections. NULL without memory or descriptor.
static struct segment_index_builder *index_segment(struct request_store *store, uint64_t first_sequence) {
  struct segment_index_builder *builder = segment_index_builder_create(store->entries_max);
  struct journal_reader *reader = NULL;
  if (!builder || journal_reader_open(store->kept, first_sequence, &reader) != STATUS_OK) {
    segment_index_builder_destroy(builder);
    return NULL;
  }
  struct to_builder to = {.builder = builder};
  struct journal_record record;
  enum status status;
  while ((status = journal_reader_next(reader, &record)) == STATUS_OK && record.location.segment <= first_sequence) {
    to.offset = record.location.offset;
    each_key(record.section, add_key, &to);
  }
  journal_reader_close(reader);
  if ((status == STATUS_OK || status == STATUS_END) && !to.full) return builder;
  segment_index_builder_destroy(builder);
  return NULL;
}

// Makes the file again, and hands the index out: it is good even when the file could not be written. NULL when another
// thread made it meanwhile, or without memory (*out_status).
static struct segment_index_builder *rebuild(struct request_store *store, uint64_t first_sequence,
                                             enum status *out_status) {
  const char *directory = journal_directory(store->kept);
  struct segment_index_builder *builder = NULL;
  mutex_lock(&store->rebuild_mutex);
  *out_status = segment_index_check(directory, first_sequence);
  if (*out_status != STATUS_OK) {
    builder = index_segment(store, first_sequence);
    *out_status = builder ? STATUS_OK : STATUS_NO_MEMORY;
    struct error error = {0};
    enum status written = builder ? segment_index_write(builder, directory, first_sequence, &error) : STATUS_NO_MEMORY;
    log_write(written ? LOG_WARN : LOG_INFO, "request store", written ? "index not rebuilt" : "index rebuilt",
              LOG_FIELDS(log_u64("segment", first_sequence), log_text("error", error.text)));
  }
  mutex_unlock(&store->rebuild_mutex);
  return builder;
}

enum status request_store_look_up(struct request_store *store, const struct journal_segment *segment, uint64_t key,
                                  uint64_t *out_offsets, uint32_t max, uint32_t *out_count) {
  uint64_t first = segment->first_sequence;
  *out_count = 0;
  mutex_lock(&store->mutex);
  const struct segment_index_builder *memory = first == store->building_segment  ? store->building
                                               : first == store->sealing_segment ? store->sealing
                                                                                 : NULL;
  if (memory) *out_count = segment_index_builder_find(memory, key, out_offsets, max);
  mutex_unlock(&store->mutex);
  if (memory) return STATUS_OK;

  const char *directory = journal_directory(store->kept);
  enum status status = segment_index_find(directory, first, key, out_offsets, max, out_count);
  if (status == STATUS_NOT_FOUND && !segment->sealed) return STATUS_OK; // nothing in it yet
  if (status != STATUS_NOT_FOUND && status != STATUS_CORRUPT) return status;
  struct segment_index_builder *builder = rebuild(store, first, &status);
  if (builder)
    *out_count = segment_index_builder_find(builder, key, out_offsets, max);
  else if (status == STATUS_OK)
    status = segment_index_find(directory, first, key, out_offsets, max, out_count);
  segment_index_builder_destroy(builder);
  return status;
}

// --- on the journal's writer thread ----------------------------------------------------------------------------------

struct appended {
  struct request_store *store;
  uint64_t origin;
  uint32_t count;
  uint64_t keys[];
};

static void index_appended(void *context, enum status status, uint64_t sequence, struct journal_location location) {
  (void)sequence;
  struct appended *appended = context;
  struct request_store *store = appended->store;
  mutex_lock(&store->mutex);
  store->answered++;
  if (status == STATUS_OK) {
    store->answered_origin = appended->origin;
    if (store->building_segment != location.segment) {
      segment_index_builder_clear(store->building);
      store->building_segment = location.segment;
      store->building_is_incomplete = false;
    }
    struct to_builder to = {.builder = store->building, .offset = location.offset};
    for (uint32_t i = 0; i < appended->count; i++) add_key(&to, appended->keys[i]);
    if (to.full) store->building_is_incomplete = true;
  }
  mutex_unlock(&store->mutex);
  free(appended);
}

static void segment_sealed(void *context, uint64_t first_sequence) {
  struct request_store *store = context;
  mutex_lock(&store->mutex);
  bool write = store->building_segment == first_sequence && !store->building_is_incomplete;
  if (write) {
    struct segment_index_builder *spare = store->sealing;
    store->sealing = store->building;
    store->sealing_segment = first_sequence;
    store->building = spare;
  }
  segment_index_builder_clear(store->building);
  store->building_segment = 0;
  mutex_unlock(&store->mutex);
  if (!write) return;
  // `sealing` is only read from here on, by finders and by the writing alike.
  struct error error;
  if (segment_index_write(store->sealing, journal_directory(store->kept), first_sequence, &error) != STATUS_OK)
    log_write(LOG_WARN, "request store", "index not written; it is made when it is needed",
              LOG_FIELDS(log_u64("segment", first_sequence), log_text("error", error.text)));
  mutex_lock(&store->mutex);
  store->sealing_segment = 0;
  mutex_unlock(&store->mutex);
}

// --- opening ---------------------------------------------------------------------------------------------------------

// "<16 hex digits>.idx" or ".idx.new" of a segment that is not there, or unfinished.
static bool is_leftover(const char *name, const struct journal_segment *segments, uint32_t count) {
  size_t len = strlen(name);
  if (len == 24 && strcmp(name + 16, ".idx.new") == 0) return true;
  if (len != 20 || strcmp(name + 16, ".idx") != 0) return false;
  for (uint32_t i = 0; i < count; i++) {
    char expected[24];
    snprintf(expected, sizeof(expected), "%016" PRIx64 ".idx", segments[i].first_sequence);
    if (strcmp(name, expected) == 0) return false;
  }
  return true;
}

static void delete_leftovers(struct request_store *store, const struct journal_segment *segments, uint32_t count) {
  DIR *directory = opendir(journal_directory(store->kept));
  if (!directory) return;
  struct dirent *entry;
  while ((entry = readdir(directory)))
    if (is_leftover(entry->d_name, segments, count)) unlinkat(dirfd(directory), entry->d_name, 0);
  closedir(directory);
}

// The origin of the newest record; older segments only when a newer one has none.
static uint64_t newest_origin(struct request_store *store, const struct journal_segment *segments, uint32_t count) {
  struct journal_reader *reader;
  if (journal_reader_open(store->kept, 1, &reader) != STATUS_OK) return 0;
  uint64_t origin = 0;
  bool found = false;
  for (uint32_t i = count; i > 0 && !found; i--) {
    journal_reader_seek(reader, segments[i - 1].first_sequence);
    struct journal_record record;
    while (journal_reader_next(reader, &record) == STATUS_OK &&
           record.location.segment == segments[i - 1].first_sequence) {
      if (record.origin_sequence > origin) origin = record.origin_sequence;
      found = true;
    }
  }
  journal_reader_close(reader);
  return origin;
}

static enum status prepare_indexes(struct request_store *store, struct error *error) {
  uint32_t count;
  struct journal_segment *segments = request_store_segments(store->kept, &count);
  if (!segments) return error_set(error, STATUS_NO_MEMORY, "request store: out of memory");
  delete_leftovers(store, segments, count);
  for (uint32_t i = 0; i < count; i++) {
    if (segment_index_exists(journal_directory(store->kept), segments[i].first_sequence)) continue;
    enum status status;
    segment_index_builder_destroy(rebuild(store, segments[i].first_sequence, &status));
  }
  store->settled_at_open = store->answered_origin = newest_origin(store, segments, count);
  atomic_u64_set(&store->settled, store->settled_at_open);
  free(segments);
  return STATUS_OK;
}

enum status request_store_open(const struct request_store_options *options, struct request_store **out_store,
                               struct error *error) {
  struct request_store *store = calloc(1, sizeof(*store));
  if (!store) return error_set(error, STATUS_NO_MEMORY, "request store: out of memory");
  mutex_init(&store->mutex);
  mutex_init(&store->rebuild_mutex);
  struct journal_options kept = options->kept;
  kept.segment_keys_max = options->segment_keys_max ? options->segment_keys_max : KEYS_MAX_DEFAULT;
  kept.on_sealed = segment_sealed;
  kept.sealed_context = store;
  kept.keep_trying = true; // settle goes on in order; what waits here is still in the intake
  if (!kept.clock) kept.clock = clock_system();
  store->intake = options->intake;
  store->clock = kept.clock;
  uint64_t quarter = (kept.bytes_max ? kept.bytes_max : UINT64_MAX) / 4;
  store->segment_bytes = kept.segment_bytes_max < quarter ? kept.segment_bytes_max : quarter;
  store->entries_max = kept.segment_keys_max + KEYS_OF_ONE_RECORD;
  store->building = segment_index_builder_create(store->entries_max);
  store->sealing = segment_index_builder_create(store->entries_max);
  enum status status = STATUS_NO_MEMORY;
  if (store->building && store->sealing)
    status = journal_open(&kept, &store->kept, error);
  else
    error_set(error, status, "request store: out of memory");
  if (status == STATUS_OK) status = prepare_indexes(store, error);
  if (status != STATUS_OK) {
    request_store_close(store);
    return status;
  }
  *out_store = store;
  return STATUS_OK;
}

void request_store_close(struct request_store *store) {
  if (!store) return;
  journal_close(store->kept); // completes the newest segment: its index is written
  segment_index_builder_destroy(store->building);
  segment_index_builder_destroy(store->sealing);
  mutex_finish(&store->rebuild_mutex);
  mutex_finish(&store->mutex);
  free(store);
}

struct journal *request_store_journal(struct request_store *store) {
  return store->kept;
}

// --- appending -------------------------------------------------------------------------------------------------------

static void collect_key(void *context, uint64_t key) {
  struct appended *appended = context;
  appended->keys[appended->count++] = key;
}

enum status request_store_append(struct request_store *store, const struct journal_entry *entry, struct error *error) {
  struct record_facts facts;
  if (record_facts_decode(entry->section, &facts) != STATUS_OK)
    return error_set(error, STATUS_CORRUPT, "request store: a kept record without a readable section");
  size_t keys = (size_t)facts.trace_count + facts.request_count;
  struct appended *appended = malloc(sizeof(*appended) + keys * sizeof(appended->keys[0]));
  if (!appended) return error_set(error, STATUS_UNAVAILABLE, "request store: out of memory");
  *appended = (struct appended){.store = store, .origin = entry->origin_sequence};
  each_key(entry->section, collect_key, appended);
  struct journal_entry counted = *entry;
  counted.key_count = appended->count;
  mutex_lock(&store->mutex);
  store->appended++; // before the answer can come
  mutex_unlock(&store->mutex);
  enum status status = journal_append(store->kept, &counted, index_appended, appended, error);
  if (status == STATUS_OK) return STATUS_OK;
  mutex_lock(&store->mutex);
  store->appended--;
  mutex_unlock(&store->mutex);
  free(appended);
  return status;
}

uint64_t request_store_settled_sequence(struct request_store *store) {
  return store->settled_at_open;
}

void request_store_set_settled(struct request_store *store, uint64_t sequence) {
  atomic_u64_set(&store->settled, sequence);
}

uint64_t request_store_settled_now(struct request_store *store) {
  uint64_t settled = atomic_u64_get(&store->settled);
  mutex_lock(&store->mutex);
  if (store->answered < store->appended && store->answered_origin < settled) settled = store->answered_origin;
  mutex_unlock(&store->mutex);
  return settled;
}

// --- retention and keys ----------------------------------------------------------------------------------------------

// Down to a segment below the budget, so that appending goes on.
static uint32_t delete_over_budget(struct request_store *store, uint64_t floor_sequence) {
  uint32_t deleted = 0;
  while (journal_bytes(store->kept) > journal_bytes_max(store->kept) - store->segment_bytes) {
    struct journal_segment oldest;
    if (journal_segments(store->kept, &oldest, 1) < 2 || oldest.last_sequence >= floor_sequence) break;
    if (journal_delete_before(store->kept, oldest.last_sequence + 1) == 0) break;
    deleted++;
  }
  return deleted;
}

uint32_t request_store_retain(struct request_store *store, uint64_t keep_ns, uint64_t floor_sequence) {
  uint32_t count;
  struct journal_segment *before = request_store_segments(store->kept, &count);
  if (!before) return 0;
  uint64_t now = clock_wall_ns(store->clock);
  uint32_t deleted = journal_delete_older(store->kept, now > keep_ns ? now - keep_ns : 0, floor_sequence);
  deleted += delete_over_budget(store, floor_sequence);
  struct journal_segment oldest = {0};
  journal_segments(store->kept, &oldest, 1);
  for (uint32_t i = 0; i < count && before[i].first_sequence < oldest.first_sequence; i++)
    segment_index_delete(journal_directory(store->kept), before[i].first_sequence);
  free(before);
  return deleted;
}

void request_store_each_recent_key(struct request_store *store, uint32_t segments_max,
                                   void (*each)(void *context, uint64_t key), void *context) {
  uint32_t count;
  struct journal_segment *segments = request_store_segments(store->kept, &count);
  for (uint32_t i = count; i > 0 && count - i < segments_max; i--) {
    uint64_t first = segments[i - 1].first_sequence;
    mutex_lock(&store->mutex);
    const struct segment_index_builder *memory = first == store->building_segment  ? store->building
                                                 : first == store->sealing_segment ? store->sealing
                                                                                   : NULL;
    if (memory) segment_index_builder_each(memory, each, context);
    mutex_unlock(&store->mutex);
    if (memory) continue;
    if (segment_index_each(journal_directory(store->kept), first, each, context) == STATUS_OK) continue;
    enum status status;
    struct segment_index_builder *builder = segments[i - 1].sealed ? rebuild(store, first, &status) : NULL;
    if (builder) segment_index_builder_each(builder, each, context);
    segment_index_builder_destroy(builder);
  }
  free(segments);
}
