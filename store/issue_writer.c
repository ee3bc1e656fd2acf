// SPDX-License-Identifier: Apache-2.0
//
// How it works, in two passes. The first takes the events in order: resent and duplicate ones are set apart, the others
// are given their issue. The second sorts what was accepted by issue and time and writes each issue once: the newest
// events of its run (those that would be evicted by the same batch are never compressed or inserted), tags, hours and
// the row of the issue itself. A flood of one issue therefore costs a handful of statements a batch.
#include "store/issue_writer.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "base/hash.h"
#include "base/table.h"
#include "store/issue_part.h"
#include "store/issue_resolve.h"
#include "store/issue_rows.h"
#include "store/issue_tags.h"

#define DUPLICATE_WITHIN_NS (60 * NS_PER_S)

struct delta {
  uint32_t issue;
  bool made;
  bool overflow;
};

// An accepted event in the order of the second pass.
struct item {
  uint32_t delta;
  uint32_t index; // in the batch
  uint32_t part;
  uint64_t seen_ns;
};

struct part {
  struct issue_part_delta delta;
  uint32_t in_hour; // events of the hour being counted
  int64_t row;      // once `written`; 0: part 0
  bool written;
};

struct issue_writer {
  uint32_t groups_per_day_max;
  struct issue_tags *tags;
  struct issue_rows rows;
  struct table *delta_of; // issue → delta + 1
  struct table *part_of;  // issue and hashes → part + 1
  struct table *item_of;  // event that may have a duplicate → item + 1
  uint64_t seed;
  uint32_t delta_count, item_count, part_count, key_count;
  struct delta deltas[ISSUE_BATCH_EVENTS_MAX];
  struct item items[ISSUE_BATCH_EVENTS_MAX];
  struct part parts[ISSUE_BATCH_EVENTS_MAX];
  uint64_t keys[ISSUE_BATCH_EVENTS_MAX];
};

// What one call works with.
struct apply {
  struct issue_writer *writer;
  struct connection *connection;
  struct issue_memory *memory;
  struct issue_batch *batch;
  uint64_t now_ns, recall_until_ns;
  struct issue_writer_result *result;
};

struct issue_writer *issue_writer_create(uint32_t groups_per_day_max) {
  struct issue_writer *writer = calloc(1, sizeof *writer);
  if (!writer) return NULL;
  writer->groups_per_day_max = groups_per_day_max;
  writer->tags = issue_tags_create();
  writer->delta_of = table_create(sizeof(uint64_t), ISSUE_BATCH_EVENTS_MAX);
  writer->part_of = table_create(sizeof(uint64_t), ISSUE_BATCH_EVENTS_MAX);
  writer->item_of = table_create(sizeof(uint64_t), ISSUE_BATCH_EVENTS_MAX);
  writer->seed = random_u64(); // who sends events chooses hashes
  issue_rows_init(&writer->rows);
  if (writer->tags && writer->delta_of && writer->part_of && writer->item_of) return writer;
  issue_writer_destroy(writer);
  return NULL;
}

void issue_writer_destroy(struct issue_writer *writer) {
  if (!writer) return;
  issue_tags_destroy(writer->tags);
  table_destroy(writer->delta_of);
  table_destroy(writer->part_of);
  table_destroy(writer->item_of);
  issue_rows_finish(&writer->rows);
  free(writer);
}

void issue_writer_forget(struct issue_writer *writer) {
  issue_tags_forget(writer->tags);
}

static bool is_resent(const struct apply *apply, const struct issue_event *event, uint64_t key) {
  if (issue_memory_has_event(apply->memory, key)) return true;
  struct statement select =
      connection_statement(apply->connection, "SELECT 1 FROM event WHERE event_id = ?1 AND project_id = ?2");
  statement_bind_blob(&select, 1, slice_make(event->event_id, ISSUE_EVENT_ID_BYTES));
  statement_bind_i64(&select, 2, event->project);
  bool found = statement_step(&select);
  statement_reset(&select);
  return found;
}

static uint8_t lacks_of(const struct issue_event *event) {
  return (uint8_t)((event->request_id.len == 0 ? ISSUE_LACKS_REQUEST : 0) |
                   (event->service.len == 0 ? ISSUE_LACKS_SERVICE : 0) |
                   (event->environment.len == 0 ? ISSUE_LACKS_ENVIRONMENT : 0) |
                   (event->release.len == 0 ? ISSUE_LACKS_RELEASE : 0));
}

static bool recall_occurrence(const struct apply *apply, const struct issue_event *event,
                              struct issue_occurrence *out_occurrence) {
  if (event->trace_id.len == 0 || event->received_ns >= apply->recall_until_ns) return false;
  struct statement select = connection_statement(
      apply->connection,
      "SELECT event_id, source, timestamp_ns, (request_id IS NULL) + 2 * (service IS NULL) + 4 * (environment IS NULL) "
      "+ "
      "8 * (release IS NULL) FROM event WHERE trace_id = ?1 AND duplicate_key = ?2 AND project_id = ?3 "
      "ORDER BY id DESC LIMIT 1");
  statement_bind_blob(&select, 1, event->trace_id);
  statement_bind_u64(&select, 2, event->duplicate_key);
  statement_bind_i64(&select, 3, event->project);
  bool found = statement_step(&select);
  if (found) {
    *out_occurrence = (struct issue_occurrence){.duplicate_key = event->duplicate_key, .project = event->project};
    struct slice id = statement_blob(&select, 0);
    if (id.len == ISSUE_EVENT_ID_BYTES) memcpy(out_occurrence->event_id, id.ptr, id.len);
    out_occurrence->source = (uint8_t)statement_i64(&select, 1);
    out_occurrence->timestamp_ns = statement_u64(&select, 2);
    out_occurrence->lacks = (uint8_t)statement_i64(&select, 3);
  }
  statement_reset(&select);
  return found;
}

static void take_text(struct slice *mine, struct slice other) {
  if (mine->len == 0) *mine = other;
}

// The event of an occurrence when it is one of this batch.
static struct issue_event *find_in_batch(const struct apply *apply, const struct issue_occurrence *known) {
  struct issue_writer *writer = apply->writer;
  const uint64_t *item = table_find(writer->item_of, issue_memory_event_key(known->project, known->event_id));
  struct issue_event *event = item ? &apply->batch->events[writer->items[*item - 1].index] : NULL;
  return event && memcmp(event->event_id, known->event_id, ISSUE_EVENT_ID_BYTES) == 0 ? event : NULL;
}

// Gives the stored occurrence, or the one earlier in this batch, what only its duplicate knows.
static void fill(const struct apply *apply, const struct issue_occurrence *known, const struct issue_event *event) {
  struct issue_event *earlier = find_in_batch(apply, known);
  if (earlier) {
    take_text(&earlier->request_id, event->request_id);
    take_text(&earlier->service, event->service);
    take_text(&earlier->environment, event->environment);
    take_text(&earlier->release, event->release);
    return;
  }
  struct statement update = connection_statement(
      apply->connection, "UPDATE event SET request_id = coalesce(request_id, ?3), service = coalesce(service, ?4), "
                         "environment = coalesce(environment, ?5), release = coalesce(release, ?6) "
                         "WHERE event_id = ?1 AND project_id = ?2");
  statement_bind_blob(&update, 1, slice_make(known->event_id, ISSUE_EVENT_ID_BYTES));
  statement_bind_i64(&update, 2, event->project);
  statement_bind_text(&update, 3, event->request_id);
  statement_bind_text(&update, 4, event->service);
  statement_bind_text(&update, 5, event->environment);
  statement_bind_text(&update, 6, event->release);
  statement_run(&update);
}

static bool is_duplicate(const struct apply *apply, const struct issue_event *event) {
  if (event->duplicate_key == 0) return false;
  struct issue_occurrence recalled;
  struct issue_occurrence *known = issue_memory_find_occurrence(apply->memory, event->project, event->duplicate_key);
  if (!known && recall_occurrence(apply, event, &recalled)) known = &recalled;
  if (!known || known->source == (uint8_t)event->source) return false;
  uint64_t apart = known->timestamp_ns > event->timestamp_ns ? known->timestamp_ns - event->timestamp_ns
                                                             : event->timestamp_ns - known->timestamp_ns;
  if (apart > DUPLICATE_WITHIN_NS) return false;
  uint8_t news = known->lacks & (uint8_t)~lacks_of(event);
  if (news != 0) {
    fill(apply, known, event);
    known->lacks &= (uint8_t)~news;
  }
  return true;
}

// An event that may have a duplicate, and the item it will be.
static void remember(const struct apply *apply, const struct issue_event *event) {
  if (event->duplicate_key == 0) return;
  uint64_t key = issue_memory_event_key(event->project, event->event_id);
  uint64_t *item = table_insert(apply->writer->item_of, key, NULL);
  ASSERT(item != NULL);
  *item = apply->writer->item_count + 1;
  struct issue_occurrence occurrence = {.duplicate_key = event->duplicate_key,
                                        .timestamp_ns = event->timestamp_ns,
                                        .project = event->project,
                                        .source = (uint8_t)event->source,
                                        .lacks = lacks_of(event)};
  memcpy(occurrence.event_id, event->event_id, ISSUE_EVENT_ID_BYTES);
  issue_memory_put_occurrence(apply->memory, &occurrence);
}

// Counts the event in the part of its issue and hashes.
static uint32_t count_part(struct issue_writer *writer, uint32_t issue, const struct issue_event *event,
                           uint64_t seen_ns) {
  uint64_t key = writer->seed + issue;
  for (uint32_t i = 0; i < event->hash_count; i++)
    key = hash_xxh3_seeded(slice_make(event->hashes[i].bytes, ISSUE_HASH_BYTES), key);
  uint64_t *slot = table_insert(writer->part_of, key, NULL);
  ASSERT(slot != NULL);
  if (*slot == 0) {
    struct issue_part_delta delta = {
        .issue = issue, .newest = event, .first_seen_ns = seen_ns, .last_seen_ns = seen_ns};
    writer->parts[writer->part_count] = (struct part){.delta = delta};
    *slot = ++writer->part_count;
  }
  struct issue_part_delta *delta = &writer->parts[*slot - 1].delta;
  delta->count++;
  if (seen_ns < delta->first_seen_ns) delta->first_seen_ns = seen_ns;
  if (seen_ns >= delta->last_seen_ns) {
    delta->last_seen_ns = seen_ns;
    delta->newest = event;
  }
  return (uint32_t)*slot - 1;
}

static void accept(const struct apply *apply, uint32_t index) {
  struct issue_writer *writer = apply->writer;
  const struct issue_event *event = &apply->batch->events[index];
  const struct issue_resolve resolve = {.connection = apply->connection,
                                        .memory = apply->memory,
                                        .now_ns = apply->now_ns,
                                        .groups_per_day_max = writer->groups_per_day_max};
  struct issue_resolved resolved = issue_resolve_event(&resolve, event);
  if (resolved.issue == 0) return;
  remember(apply, event);
  uint64_t *slot = table_insert(writer->delta_of, resolved.issue * UINT64_C(0x9e3779b97f4a7c15), NULL);
  ASSERT(slot != NULL);
  if (*slot == 0) {
    struct delta delta = {.issue = resolved.issue, .made = resolved.made, .overflow = resolved.overflow};
    writer->deltas[writer->delta_count] = delta;
    *slot = ++writer->delta_count;
  }
  uint64_t seen_ns = issue_event_seen_ns(event->timestamp_ns, event->received_ns);
  uint32_t part = count_part(writer, resolved.issue, event, seen_ns);
  writer->items[writer->item_count++] =
      (struct item){.delta = (uint32_t)*slot - 1, .index = index, .part = part, .seen_ns = seen_ns};
  apply->result->outcome.events++;
  apply->result->outcome.issues += resolved.made;
  apply->result->outcome.overflowed += resolved.overflow;
}

static void sort_out(const struct apply *apply) {
  struct issue_writer *writer = apply->writer;
  for (uint32_t i = 0; i < apply->batch->count; i++) {
    const struct issue_event *event = &apply->batch->events[i];
    uint64_t key = issue_memory_event_key(event->project, event->event_id);
    if (is_resent(apply, event, key)) {
      apply->result->outcome.resent++;
      continue;
    }
    issue_memory_put_event(apply->memory, key);
    writer->keys[writer->key_count++] = key;
    if (is_duplicate(apply, event)) {
      apply->result->outcome.duplicates++;
    } else {
      accept(apply, i);
    }
    if (connection_status(apply->connection) != STATUS_OK) return;
  }
}

static int compare_items(const void *left, const void *right) {
  const struct item *a = left, *b = right;
  if (a->delta != b->delta) return a->delta < b->delta ? -1 : 1;
  if (a->seen_ns != b->seen_ns) return a->seen_ns < b->seen_ns ? -1 : 1;
  return a->index < b->index ? -1 : a->index > b->index;
}

static int64_t part_row(const struct apply *apply, const struct item *item) {
  struct part *part = &apply->writer->parts[item->part];
  bool counted = part->written || apply->writer->deltas[item->delta].overflow; // an overflow issue has part 0 only
  if (!counted) part->row = issue_part_add(apply->connection, &part->delta);
  part->written = true;
  return part->row;
}

// The issue keeps ISSUE_EVENTS_MAX events beside its first one: the oldest of those that are stored and of the new ones
// in `items` go, stored ones before new ones of the same time. Returns how many new ones; stored ones are deleted. It
// is done before the new ones are inserted, so that these lie where the old ones lay.
static uint32_t make_room(const struct apply *apply, uint32_t issue, struct issue_row *row, const struct item *items,
                          uint32_t count) {
  uint32_t others = row->stored - (row->first_row != 0 && row->stored > 0 ? 1 : 0);
  if (others + count <= ISSUE_EVENTS_MAX) return 0;
  uint32_t excess = others + count - ISSUE_EVENTS_MAX, passed = 0;
  struct issue_rows_place last = {0};
  struct statement oldest = issue_rows_oldest(apply->connection, issue, row->first_row, excess);
  bool is_row = statement_step(&oldest);
  for (; excess > 0 && passed < count; excess--) {
    if (!is_row || statement_u64(&oldest, 1) > items[passed].seen_ns) {
      passed++;
      continue;
    }
    last = (struct issue_rows_place){.row = statement_i64(&oldest, 0), .seen_ns = statement_u64(&oldest, 1)};
    is_row = statement_step(&oldest);
  }
  statement_reset(&oldest);
  if (last.row == 0) return passed;
  uint32_t evicted = issue_rows_evict_until(apply->connection, issue, row->first_row, &last);
  row->stored -= evicted;
  apply->result->stored_change -= (int64_t)evicted;
  return passed;
}

// Inserts the newest events of the run, and the one that made the issue, and deletes what they push out.
static void write_events(const struct apply *apply, const struct delta *delta, struct issue_row *row,
                         const struct item *items, uint32_t count) {
  uint32_t first = 0; // the one that came first, wherever its own clock puts it
  for (uint32_t i = 1; i < count; i++) {
    if (items[i].index < items[first].index) first = i;
  }
  uint32_t from = count > ISSUE_EVENTS_MAX ? count - ISSUE_EVENTS_MAX : 0;
  uint32_t passed = delta->made ? 0 : make_room(apply, delta->issue, row, items + from, count - from);
  for (uint32_t i = 0; i < count; i++) {
    bool is_first = delta->made && i == first;
    if (i < from && !is_first) continue;
    struct issue_event *event = &apply->batch->events[items[i].index];
    int64_t part = part_row(apply, &items[i]);
    if (i - from < passed) {
      issue_rows_delete_beside(apply->connection, event);
      continue;
    }
    int64_t event_row = issue_rows_insert_event(&apply->writer->rows, apply->connection, delta->issue, part, event);
    if (is_first) row->first_row = event_row;
    row->stored++;
    apply->result->stored_change++;
  }
}

static void write_hours(const struct apply *apply, uint32_t issue, const struct item *items, uint32_t count) {
  struct part *parts = apply->writer->parts;
  for (uint32_t i = 0, end; i < count; i = end) {
    uint64_t hour = items[i].seen_ns / ISSUE_ROWS_HOUR_NS;
    for (end = i; end < count && items[end].seen_ns / ISSUE_ROWS_HOUR_NS == hour; end++)
      parts[items[end].part].in_hour++;
    for (uint32_t k = i; k < end; k++) {
      struct part *part = &parts[items[k].part];
      if (part->in_hour > 0)
        issue_rows_add_hour(apply->connection, issue, hour, part_row(apply, &items[k]), part->in_hour);
      part->in_hour = 0;
    }
  }
}

// One issue: `items` are its accepted events, oldest first.
static void write_issue(const struct apply *apply, const struct item *items, uint32_t count) {
  const struct delta *delta = &apply->writer->deltas[items[0].delta];
  struct issue_row row = {0};
  issue_rows_load(apply->connection, delta->issue, &row);
  uint64_t received_ns = 0;
  for (uint32_t i = 0; i < count; i++) {
    const struct issue_event *event = &apply->batch->events[items[i].index];
    issue_tags_count(apply->writer->tags, event);
    if (event->received_ns > received_ns) received_ns = event->received_ns;
  }
  write_events(apply, delta, &row, items, count);
  row.tags_overflow += issue_tags_write(apply->writer->tags, apply->connection, delta->issue);
  write_hours(apply, delta->issue, items, count);
  if (items[count - 1].seen_ns / ISSUE_ROWS_HOUR_NS > row.last_seen_ns / ISSUE_ROWS_HOUR_NS)
    issue_rows_prune_hours(apply->connection, delta->issue, apply->now_ns);
  if (delta->made) issue_writer_add_history(apply->connection, delta->issue, items[0].seen_ns, "first_seen");
  if (row.status == ISSUE_RESOLVED && received_ns > row.status_ns) {
    row.status = ISSUE_UNRESOLVED;
    row.substatus = ISSUE_REGRESSED;
    row.status_ns = apply->now_ns;
    apply->result->outcome.regressed++;
    issue_writer_add_history(apply->connection, delta->issue, apply->now_ns, "regressed");
  }
  row.count += count;
  if (items[0].seen_ns < row.first_seen_ns) row.first_seen_ns = items[0].seen_ns;
  bool newer = items[count - 1].seen_ns >= row.last_seen_ns;
  if (newer) row.last_seen_ns = items[count - 1].seen_ns;
  if (newer && !delta->overflow) {
    const struct issue_event *newest = &apply->batch->events[items[count - 1].index];
    issue_rows_save_described(apply->connection, delta->issue, &row, newest);
  } else {
    issue_rows_save(apply->connection, delta->issue, &row);
  }
}

void issue_writer_apply(struct issue_writer *writer, struct connection *connection, struct issue_memory *memory,
                        struct issue_batch *batch, uint64_t now_ns, uint64_t recall_until_ns,
                        struct issue_writer_result *out_result) {
  *out_result = (struct issue_writer_result){0};
  struct apply apply = {.writer = writer,
                        .connection = connection,
                        .memory = memory,
                        .batch = batch,
                        .now_ns = now_ns,
                        .recall_until_ns = recall_until_ns,
                        .result = out_result};
  writer->delta_count = writer->item_count = writer->part_count = writer->key_count = 0;
  table_clear(writer->delta_of);
  table_clear(writer->part_of);
  if (table_count(writer->item_of) > 0) table_clear(writer->item_of);
  issue_tags_clear(writer->tags);
  sort_out(&apply);
  qsort(writer->items, writer->item_count, sizeof writer->items[0], compare_items);
  for (uint32_t i = 0; i < writer->item_count && connection_status(connection) == STATUS_OK;) {
    uint32_t end = i + 1;
    while (end < writer->item_count && writer->items[end].delta == writer->items[i].delta) end++;
    write_issue(&apply, &writer->items[i], end - i);
    i = end;
  }
}

struct slice issue_writer_event_keys(const struct issue_writer *writer) {
  return slice_make(writer->keys, writer->key_count * sizeof writer->keys[0]);
}

void issue_writer_add_history(struct connection *connection, uint64_t issue, uint64_t time_ns, const char *kind) {
  struct statement insert =
      connection_statement(connection, "INSERT INTO issue_history (issue_id, time_ns, kind) VALUES (?1, ?2, ?3)");
  statement_bind_u64(&insert, 1, issue);
  statement_bind_u64(&insert, 2, time_ns);
  statement_bind_text(&insert, 3, slice_from_cstr(kind));
  statement_run(&insert);
}
