// SPDX-License-Identifier: Apache-2.0
//
// The budget. What attachments hold is added up by the database only when it may be over: `bytes_at_most` and
// `rows_at_most` grow with every insert and never shrink by themselves, whoever deletes rows; when one passes its limit
// the truth is asked for, and what is really over goes. They start as unknown, which counts as over.
#include "store/item_writer.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/decompress.h"
#include "base/hash.h"

#define HOUR_NS        (UINT64_C(3600) * NS_PER_S)
#define COMPRESS_SLACK 4096
#define ATTACHMENT_MAX ((size_t)32 << 20)
#define UNKNOWN        (UINT64_MAX / 2)
#define EVICTED_MAX    1000 // of a batch and limit; the next batch goes on
#define EVICTED_REASON "made room for newer ones (store.attachments_max_bytes)"

struct item_writer {
  uint64_t bytes_max, bytes_at_most, rows_at_most;
  struct buffer compressed;
};

struct apply {
  struct item_writer *writer;
  struct connection *connection;
  const struct issue_memory *memory;
  struct item_writer_outcome *outcome;
};

struct item_writer *item_writer_create(uint64_t bytes_max) {
  struct item_writer *writer = calloc(1, sizeof *writer);
  if (!writer) return NULL;
  writer->bytes_max = bytes_max ? bytes_max : ITEM_WRITER_BYTES_DEFAULT;
  writer->bytes_at_most = writer->rows_at_most = UNKNOWN;
  buffer_init(&writer->compressed, ATTACHMENT_MAX + COMPRESS_SLACK);
  return writer;
}

void item_writer_destroy(struct item_writer *writer) {
  if (!writer) return;
  buffer_finish(&writer->compressed);
  free(writer);
}

void item_writer_forget(struct item_writer *writer) {
  writer->bytes_at_most = writer->rows_at_most = UNKNOWN;
}

static uint64_t ask(struct connection *connection, const char *sql) {
  struct statement select = connection_statement(connection, sql);
  uint64_t answer = statement_step(&select) ? statement_u64(&select, 0) : 0;
  statement_reset(&select);
  return answer;
}

// --- attachments -----------------------------------------------------------------------------------------------------

static bool has_event(struct connection *connection, uint32_t project, struct slice event_id) {
  struct statement select =
      connection_statement(connection, "SELECT 1 FROM event WHERE event_id = ?1 AND project_id = ?2");
  statement_bind_blob(&select, 1, event_id);
  statement_bind_i64(&select, 2, project);
  bool found = statement_step(&select);
  statement_reset(&select);
  return found;
}

static uint64_t content_key(const struct sentry_item_attachment *attachment) {
  return hash_xxh3_seeded(attachment->data, hash_xxh3_seeded(attachment->filename, attachment->bytes));
}

static void insert_attachment(const struct apply *apply, const struct issue_item *item, struct slice event_id) {
  const struct sentry_item_attachment *attachment = &item->item.attachment;
  struct item_writer *writer = apply->writer;
  struct slice data = attachment->data;
  buffer_clear(&writer->compressed);
  bool smaller =
      data.len > 0 && compress_zstd(data, &writer->compressed) == STATUS_OK && writer->compressed.len < data.len;
  if (smaller) data = buffer_slice(&writer->compressed);
  struct statement insert = connection_statement(
      apply->connection, "INSERT OR IGNORE INTO attachment (project_id, event_id, content_key, received_ns, filename, "
                         "content_type, attachment_type, bytes, reason, stored_bytes, is_zstd, data, scrubbed) "
                         "VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)");
  statement_bind_i64(&insert, 1, item->project);
  statement_bind_blob(&insert, 2, event_id);
  statement_bind_u64(&insert, 3, content_key(attachment));
  statement_bind_u64(&insert, 4, item->received_ns);
  statement_bind_text(&insert, 5, attachment->filename);
  statement_bind_text(&insert, 6, attachment->content_type);
  statement_bind_text(&insert, 7, attachment->attachment_type);
  statement_bind_u64(&insert, 8, attachment->bytes);
  statement_bind_text(&insert, 9, attachment->reason);
  statement_bind_u64(&insert, 10, data.len);
  statement_bind_i64(&insert, 11, smaller);
  statement_bind_blob(&insert, 12, data);
  statement_bind_i64(&insert, 13, attachment->scrubbed);
  statement_run(&insert);
  if (connection_changes(apply->connection) == 0) return; // it is there already
  writer->bytes_at_most += data.len;
  writer->rows_at_most++;
  apply->outcome->attachments += attachment->reason.len == 0;
  apply->outcome->changed = true;
}

// An event that was taken and has no row any more does not come back; one that is not known may still come.
static void take_attachment(const struct apply *apply, const struct issue_item *item) {
  uint8_t id[ISSUE_EVENT_ID_BYTES];
  bool good = slice_from_hex(slice_from_cstr(item->item.attachment.event_id), id, sizeof id);
  ASSERT(good);
  struct slice event_id = slice_make(id, sizeof id);
  if (issue_memory_has_event(apply->memory, issue_memory_event_key(item->project, id)) &&
      !has_event(apply->connection, item->project, event_id)) {
    apply->outcome->orphaned++;
    return;
  }
  insert_attachment(apply, item, event_id);
}

// Takes the data of the oldest until a sixteenth of the budget is free, so that this is not done for every attachment.
// The writer's lock is held: of very many small ones it takes some with each batch.
static void strip_oldest(struct item_writer *writer, struct connection *connection, uint32_t *evicted) {
  uint64_t target = writer->bytes_max - writer->bytes_max / 16;
  for (uint32_t i = 0; i < EVICTED_MAX && writer->bytes_at_most > target; i++) {
    if (connection_status(connection) != STATUS_OK) break;
    struct statement oldest = connection_statement(
        connection, "SELECT id, stored_bytes FROM attachment WHERE stored_bytes > 0 ORDER BY id LIMIT 1");
    if (!statement_step(&oldest)) break;
    int64_t row = statement_i64(&oldest, 0);
    uint64_t bytes = statement_u64(&oldest, 1);
    statement_reset(&oldest);
    struct statement strip = connection_statement(
        connection, "UPDATE attachment SET data = NULL, stored_bytes = 0, is_zstd = 0, reason = ?2 WHERE id = ?1");
    statement_bind_i64(&strip, 1, row);
    statement_bind_text(&strip, 2, SLICE_LITERAL(EVICTED_REASON));
    statement_run(&strip);
    writer->bytes_at_most -= bytes < writer->bytes_at_most ? bytes : writer->bytes_at_most;
    ++*evicted;
  }
}

static void keep_budget(struct item_writer *writer, struct connection *connection, uint32_t *evicted) {
  if (writer->bytes_at_most > writer->bytes_max) {
    writer->bytes_at_most = ask(connection, "SELECT sum(stored_bytes) FROM attachment WHERE stored_bytes > 0");
    if (writer->bytes_at_most > writer->bytes_max) strip_oldest(writer, connection, evicted);
  }
  if (writer->rows_at_most > ITEM_WRITER_ATTACHMENTS_MAX) {
    writer->rows_at_most = ask(connection, "SELECT count(*) FROM attachment");
    if (writer->rows_at_most > ITEM_WRITER_ATTACHMENTS_MAX) {
      struct statement delete = connection_statement(
          connection, "DELETE FROM attachment WHERE id IN (SELECT id FROM attachment ORDER BY id LIMIT ?1)");
      uint64_t over = writer->rows_at_most - ITEM_WRITER_ATTACHMENTS_MAX * 15 / 16;
      statement_bind_u64(&delete, 1, over < EVICTED_MAX ? over : EVICTED_MAX);
      statement_run(&delete);
      if (connection_status(connection) != STATUS_OK) return;
      uint64_t deleted = (uint64_t)connection_changes(connection);
      writer->rows_at_most -= deleted;
      *evicted += (uint32_t)deleted;
    }
  }
}

void item_writer_delete_of_event(struct connection *connection, int64_t event_row) {
  struct statement delete = connection_statement(connection, "DELETE FROM attachment WHERE (event_id, project_id) IN "
                                                             "(SELECT event_id, project_id FROM event WHERE id = ?1)");
  statement_bind_i64(&delete, 1, event_row);
  statement_run(&delete);
}

// --- feedback --------------------------------------------------------------------------------------------------------

static void take_feedback(const struct apply *apply, const struct issue_item *item) {
  const struct sentry_feedback *feedback = &item->item.feedback;
  uint8_t id[ISSUE_EVENT_ID_BYTES], event_id[ISSUE_EVENT_ID_BYTES];
  bool good = slice_from_hex(slice_from_cstr(feedback->id), id, sizeof id);
  ASSERT(good);
  bool has_event_id = slice_from_hex(slice_from_cstr(feedback->event_id), event_id, sizeof event_id);
  struct statement insert = connection_statement(
      apply->connection,
      "INSERT OR IGNORE INTO feedback (project_id, feedback_id, event_id, issue_id, is_report, time_ns, received_ns, "
      "name, email, message, url) VALUES (?1, ?2, ?3, (SELECT issue_id FROM event WHERE event_id = ?3 AND project_id = "
      "?1), ?4, ?5, ?6, ?7, ?8, ?9, ?10)");
  statement_bind_i64(&insert, 1, item->project);
  statement_bind_blob(&insert, 2, slice_make(id, sizeof id));
  statement_bind_blob(&insert, 3, slice_make(event_id, has_event_id ? sizeof event_id : 0));
  statement_bind_i64(&insert, 4, feedback->is_report);
  statement_bind_u64(&insert, 5, feedback->time_ns ? feedback->time_ns : item->received_ns);
  statement_bind_u64(&insert, 6, item->received_ns);
  statement_bind_text(&insert, 7, feedback->name);
  statement_bind_text(&insert, 8, feedback->email);
  statement_bind_text(&insert, 9, feedback->message);
  statement_bind_text(&insert, 10, feedback->url);
  statement_run(&insert);
  if (connection_changes(apply->connection) == 0) return;
  apply->outcome->feedback++;
  apply->outcome->changed = true;
}

static void bound_feedback(struct connection *connection, uint32_t project) {
  struct statement delete = connection_statement(
      connection, "DELETE FROM feedback WHERE project_id = ?1 AND id <= (SELECT id FROM feedback WHERE project_id = ?1 "
                  "ORDER BY id DESC LIMIT 1 OFFSET ?2)");
  statement_bind_i64(&delete, 1, project);
  statement_bind_i64(&delete, 2, ITEM_WRITER_FEEDBACK_MAX);
  statement_run(&delete);
}

// --- what was thrown away --------------------------------------------------------------------------------------------

static bool add_discarded(const struct apply *apply, const struct issue_item *item, struct slice reason,
                          struct slice category, bool may_insert) {
  const char *update = "UPDATE discarded SET quantity = min(quantity + ?5, 9007199254740991) WHERE hour = ?1 AND "
                       "project_id = ?2 AND reason = ?3 AND category = ?4";
  const char *insert =
      "INSERT INTO discarded (hour, project_id, reason, category, quantity) VALUES (?1, ?2, ?3, ?4, ?5)";
  for (int round = 0; round < (may_insert ? 2 : 1); round++) {
    struct statement change = connection_statement(apply->connection, round == 0 ? update : insert);
    statement_bind_u64(&change, 1, item->received_ns / HOUR_NS);
    statement_bind_i64(&change, 2, item->project);
    statement_bind_text(&change, 3, reason);
    statement_bind_text(&change, 4, category);
    statement_bind_u64(&change, 5, item->item.discarded.quantity & UINT32_MAX);
    statement_run(&change);
    if (connection_changes(apply->connection) > 0) return true;
  }
  return false;
}

static uint64_t kinds_of_hour(const struct apply *apply, const struct issue_item *item) {
  struct statement count =
      connection_statement(apply->connection, "SELECT count(*) FROM discarded WHERE hour = ?1 AND project_id = ?2");
  statement_bind_u64(&count, 1, item->received_ns / HOUR_NS);
  statement_bind_i64(&count, 2, item->project);
  uint64_t kinds = statement_step(&count) ? statement_u64(&count, 0) : 0;
  statement_reset(&count);
  return kinds;
}

static void take_discarded(const struct apply *apply, const struct issue_item *item) {
  const struct sentry_item_discarded *discarded = &item->item.discarded;
  apply->outcome->discarded++;
  apply->outcome->changed = true;
  if (add_discarded(apply, item, discarded->reason, discarded->category, false)) return;
  bool fits = kinds_of_hour(apply, item) < ITEM_WRITER_DISCARDED_MAX;
  const struct slice other = SLICE_LITERAL("other");
  add_discarded(apply, item, fits ? discarded->reason : other, fits ? discarded->category : other, true);
}

static void prune_discarded(struct connection *connection, uint64_t received_ns) {
  uint64_t hour = received_ns / HOUR_NS;
  struct statement delete = connection_statement(connection, "DELETE FROM discarded WHERE hour < ?1");
  statement_bind_u64(&delete, 1, hour > ITEM_WRITER_DISCARDED_HOURS ? hour - ITEM_WRITER_DISCARDED_HOURS : 0);
  statement_run(&delete);
}

// --- a batch ---------------------------------------------------------------------------------------------------------

void item_writer_apply(struct item_writer *writer, struct connection *connection, const struct issue_memory *memory,
                       const struct issue_batch *batch, struct item_writer_outcome *out_outcome) {
  *out_outcome = (struct item_writer_outcome){0};
  struct apply apply = {.writer = writer, .connection = connection, .memory = memory, .outcome = out_outcome};
  uint32_t growing = 0; // a project whose feedback is to be bounded
  for (uint32_t i = 0; i < batch->item_count && connection_status(connection) == STATUS_OK; i++) {
    const struct issue_item *item = &batch->items[i];
    switch (item->item.kind) {
    case SENTRY_ITEM_ATTACHMENT: take_attachment(&apply, item); break;
    case SENTRY_ITEM_FEEDBACK:
      if (growing != 0 && growing != item->project) bound_feedback(connection, growing);
      growing = item->project;
      take_feedback(&apply, item);
      break;
    case SENTRY_ITEM_DISCARDED: take_discarded(&apply, item); break;
    }
  }
  if (growing != 0) bound_feedback(connection, growing);
  if (out_outcome->attachments > 0 || writer->rows_at_most > ITEM_WRITER_ATTACHMENTS_MAX)
    keep_budget(writer, connection, &out_outcome->evicted);
  if (out_outcome->discarded > 0) prune_discarded(connection, batch->items[batch->item_count - 1].received_ns);
}

static uint32_t delete_before(struct connection *connection, const char *sql, uint64_t before_ns, uint32_t rows_max) {
  struct statement delete = connection_statement(connection, sql);
  statement_bind_u64(&delete, 1, before_ns);
  statement_bind_i64(&delete, 2, rows_max);
  statement_run(&delete);
  return connection_status(connection) == STATUS_OK ? (uint32_t)connection_changes(connection) : 0;
}

uint32_t item_writer_retain(struct connection *connection, uint64_t before_ns, uint32_t rows_max) {
  // Rows are numbered in the order they were received: only the oldest ones are looked at.
  uint32_t deleted = delete_before(connection,
                                   "DELETE FROM attachment WHERE id IN (SELECT id FROM attachment ORDER BY id LIMIT "
                                   "?2) AND received_ns < ?1",
                                   before_ns, rows_max);
  deleted += delete_before(connection,
                           "DELETE FROM feedback WHERE id IN (SELECT id FROM feedback ORDER BY id LIMIT ?2) AND "
                           "received_ns < ?1",
                           before_ns, rows_max);
  struct statement tie = connection_statement(
      connection,
      "UPDATE feedback SET issue_id = e.issue_id FROM event e WHERE feedback.issue_id IS NULL AND "
      "feedback.event_id IS NOT NULL AND feedback.event_id = e.event_id AND feedback.project_id = e.project_id");
  statement_run(&tie);
  return deleted;
}
