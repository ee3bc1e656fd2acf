// SPDX-License-Identifier: Apache-2.0
//
// An event's document is stored as one block (base/block) of: the grouping variants as JSON, a line feed, the event as
// JSON.
#include "store/issue_rows.h"

#include "base/block.h"
#include "store/issue_batch.h"

void issue_rows_init(struct issue_rows *rows) {
  buffer_init(&rows->text, ISSUE_BATCH_MEMORY_MAX);
  buffer_init(&rows->compressed, ISSUE_BATCH_MEMORY_MAX + (1 << 20));
}

void issue_rows_finish(struct issue_rows *rows) {
  buffer_finish(&rows->text);
  buffer_finish(&rows->compressed);
}

void issue_rows_load(struct connection *connection, uint32_t issue, struct issue_row *out_row) {
  struct statement select = connection_statement(
      connection, "SELECT status, substatus, status_ns, count, first_seen_ns, last_seen_ns, stored, "
                  "first_row, tags_overflow FROM issue WHERE id = ?1");
  statement_bind_i64(&select, 1, issue);
  if (statement_step(&select)) {
    *out_row = (struct issue_row){.status = (enum issue_status)statement_i64(&select, 0),
                                  .substatus = (enum issue_substatus)statement_i64(&select, 1),
                                  .status_ns = statement_u64(&select, 2),
                                  .count = statement_u64(&select, 3),
                                  .first_seen_ns = statement_u64(&select, 4),
                                  .last_seen_ns = statement_u64(&select, 5),
                                  .stored = (uint32_t)statement_i64(&select, 6),
                                  .first_row = statement_i64(&select, 7),
                                  .tags_overflow = statement_u64(&select, 8)};
    statement_reset(&select);
  } else {
    // The memory of hashes led to an issue that is gone: a fault of ours, cured by forgetting what is remembered.
    connection_fail(connection, STATUS_INTERNAL, "an issue that was remembered is not there");
  }
}

static void bind_row(struct statement *update, uint32_t issue, const struct issue_row *row) {
  statement_bind_i64(update, 1, issue);
  statement_bind_i64(update, 2, row->status);
  statement_bind_i64(update, 3, row->substatus);
  statement_bind_u64(update, 4, row->status_ns);
  statement_bind_u64(update, 5, row->count);
  statement_bind_u64(update, 6, row->first_seen_ns);
  statement_bind_u64(update, 7, row->last_seen_ns);
  statement_bind_i64(update, 8, row->stored);
  statement_bind_i64(update, 9, row->first_row);
  statement_bind_u64(update, 10, row->tags_overflow);
}

#define SET_ROW                                                                                                        \
  "UPDATE issue SET status = ?2, substatus = ?3, status_ns = ?4, count = ?5, first_seen_ns = ?6, last_seen_ns = ?7, "  \
  "stored = ?8, first_row = nullif(?9, 0), tags_overflow = ?10"

void issue_rows_save(struct connection *connection, uint32_t issue, const struct issue_row *row) {
  struct statement update = connection_statement(connection, SET_ROW " WHERE id = ?1");
  bind_row(&update, issue, row);
  statement_run(&update);
}

void issue_rows_save_described(struct connection *connection, uint32_t issue, const struct issue_row *row,
                               const struct issue_event *event) {
  struct statement update = connection_statement(
      connection,
      SET_ROW ", title = ?11, type = ?12, value = ?13, culprit = ?14, level = ?15, platform = ?16 WHERE id = "
              "?1");
  bind_row(&update, issue, row);
  statement_bind_text(&update, 11, event->title);
  statement_bind_text(&update, 12, event->type);
  statement_bind_text(&update, 13, event->value);
  statement_bind_text(&update, 14, event->culprit);
  statement_bind_text(&update, 15, event->level);
  statement_bind_text(&update, 16, event->platform);
  statement_run(&update);
}

// The stored form of an event's texts and how long they are.
static struct slice compress(struct issue_rows *rows, const struct issue_event *event, uint64_t *out_raw_bytes) {
  *out_raw_bytes = event->compressed_raw_bytes;
  if (event->compressed.len > 0) return event->compressed;
  buffer_clear(&rows->text);
  buffer_clear(&rows->compressed);
  buffer_append_slice(&rows->text, event->grouping);
  buffer_append_byte(&rows->text, '\n');
  buffer_append_slice(&rows->text, event->document);
  *out_raw_bytes = rows->text.len;
  enum status status = block_compress(BLOCK_FAST, buffer_slice(&rows->text), &rows->compressed);
  return status == STATUS_OK && !rows->text.failed ? buffer_slice(&rows->compressed) : (struct slice){0};
}

int64_t issue_rows_insert_event(struct issue_rows *rows, struct connection *connection, uint32_t issue, int64_t part,
                                const struct issue_event *event) {
  uint64_t raw_bytes;
  struct slice document = compress(rows, event, &raw_bytes);
  if (document.len == 0) connection_fail(connection, STATUS_NO_MEMORY, "no memory to compress an event");
  struct statement insert = connection_statement(
      connection,
      "INSERT INTO event (project_id, issue_id, event_id, source, timestamp_ns, seen_ns, received_ns, duplicate_key, "
      "trace_id, span_id, request_id, title, culprit, level, platform, service, environment, release, document_bytes, "
      "document, part_id) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, "
      "?19, ?20, ?21)");
  statement_bind_i64(&insert, 1, event->project);
  statement_bind_i64(&insert, 2, issue);
  statement_bind_blob(&insert, 3, slice_make(event->event_id, ISSUE_EVENT_ID_BYTES));
  statement_bind_i64(&insert, 4, event->source);
  statement_bind_u64(&insert, 5, event->timestamp_ns);
  statement_bind_u64(&insert, 6, issue_event_seen_ns(event->timestamp_ns, event->received_ns));
  statement_bind_u64(&insert, 7, event->received_ns);
  statement_bind_u64(&insert, 8, event->duplicate_key);
  statement_bind_blob(&insert, 9, event->trace_id);
  statement_bind_blob(&insert, 10, event->span_id);
  statement_bind_text(&insert, 11, event->request_id);
  statement_bind_text(&insert, 12, event->title);
  statement_bind_text(&insert, 13, event->culprit);
  statement_bind_text(&insert, 14, event->level);
  statement_bind_text(&insert, 15, event->platform);
  statement_bind_text(&insert, 16, event->service);
  statement_bind_text(&insert, 17, event->environment);
  statement_bind_text(&insert, 18, event->release);
  statement_bind_u64(&insert, 19, raw_bytes);
  statement_bind_blob(&insert, 20, document);
  statement_bind_i64(&insert, 21, part);
  statement_run(&insert);
  return connection_last_row(connection);
}

struct statement issue_rows_oldest(struct connection *connection, uint32_t issue, int64_t first_row, uint32_t max) {
  struct statement select =
      connection_statement(connection, "SELECT id, seen_ns FROM event WHERE issue_id = ?1 AND id <> ?2 "
                                       "ORDER BY seen_ns, id LIMIT ?3");
  statement_bind_i64(&select, 1, issue);
  statement_bind_i64(&select, 2, first_row);
  statement_bind_i64(&select, 3, max);
  return select;
}

// The events that go, and nothing sorted or gathered on the way: the range is a piece of an index.
#define OF_THOSE "event WHERE issue_id = ?1 AND seen_ns <= ?3 AND (seen_ns < ?3 OR id <= ?4) AND id <> ?2"

static bool has_attachments(struct connection *connection) {
  struct statement select = connection_statement(connection, "SELECT 1 FROM attachment LIMIT 1");
  bool found = statement_step(&select);
  statement_reset(&select);
  return found;
}

static void run_over(struct connection *connection, const char *sql, uint32_t issue, int64_t first_row,
                     const struct issue_rows_place *last) {
  struct statement statement = connection_statement(connection, sql);
  statement_bind_i64(&statement, 1, issue);
  statement_bind_i64(&statement, 2, first_row);
  statement_bind_u64(&statement, 3, last->seen_ns);
  statement_bind_i64(&statement, 4, last->row);
  statement_run(&statement);
}

uint32_t issue_rows_evict_until(struct connection *connection, uint32_t issue, int64_t first_row,
                                const struct issue_rows_place *last) {
  if (has_attachments(connection))
    run_over(connection,
             "DELETE FROM attachment WHERE (event_id, project_id) IN (SELECT event_id, project_id FROM " OF_THOSE ")",
             issue, first_row, last);
  run_over(connection, "DELETE FROM " OF_THOSE, issue, first_row, last);
  return connection_status(connection) == STATUS_OK ? (uint32_t)connection_changes(connection) : 0;
}

uint32_t issue_rows_evict(struct connection *connection, uint32_t issue, uint32_t stored, int64_t first_row) {
  uint32_t others = stored - (first_row != 0 && stored > 0 ? 1 : 0);
  if (others <= ISSUE_EVENTS_MAX) return 0;
  struct issue_rows_place last = {0};
  struct statement oldest = issue_rows_oldest(connection, issue, first_row, others - ISSUE_EVENTS_MAX);
  while (statement_step(&oldest))
    last = (struct issue_rows_place){.row = statement_i64(&oldest, 0), .seen_ns = statement_u64(&oldest, 1)};
  return last.row != 0 ? issue_rows_evict_until(connection, issue, first_row, &last) : 0;
}

void issue_rows_delete_beside(struct connection *connection, const struct issue_event *event) {
  struct statement delete =
      connection_statement(connection, "DELETE FROM attachment WHERE event_id = ?1 AND project_id = ?2");
  statement_bind_blob(&delete, 1, slice_make(event->event_id, ISSUE_EVENT_ID_BYTES));
  statement_bind_i64(&delete, 2, event->project);
  statement_run(&delete);
}

void issue_rows_add_hour(struct connection *connection, uint32_t issue, uint64_t hour, int64_t part, uint32_t count) {
  struct statement upsert = connection_statement(
      connection, "INSERT INTO issue_hour (issue_id, hour, count, part_id) VALUES (?1, ?2, ?3, ?4) "
                  "ON CONFLICT DO UPDATE SET count = count + ?3");
  statement_bind_i64(&upsert, 1, issue);
  statement_bind_u64(&upsert, 2, hour);
  statement_bind_i64(&upsert, 3, count);
  statement_bind_i64(&upsert, 4, part);
  statement_run(&upsert);
}

void issue_rows_prune_hours(struct connection *connection, uint32_t issue, uint64_t now_ns) {
  uint64_t hour = now_ns / ISSUE_ROWS_HOUR_NS;
  struct statement prune =
      connection_statement(connection, "DELETE FROM issue_hour WHERE issue_id = ?1 AND hour <= ?2");
  statement_bind_i64(&prune, 1, issue);
  statement_bind_u64(&prune, 2, hour > ISSUE_HOURS_KEPT ? hour - ISSUE_HOURS_KEPT : 0);
  statement_run(&prune);
}
