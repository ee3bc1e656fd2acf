// SPDX-License-Identifier: Apache-2.0
//
// How it works: a feedback belongs to the issue that its event's row belongs to now; when that row is gone, to the
// issue that was remembered with it.
#include "store/item_query.h"

#include "base/clock.h"
#include "base/decompress.h"
#include "store/item_writer.h"

#define HOUR_NS (UINT64_C(3600) * NS_PER_S)

static struct slice keep(struct connection *reader, struct arena *arena, struct slice text) {
  if (text.len == 0) return (struct slice){0};
  struct slice copy = arena_copy(arena, text);
  if (!copy.ptr) connection_fail(reader, STATUS_NO_MEMORY, "no memory for the answer");
  return copy;
}

// --- attachments -----------------------------------------------------------------------------------------------------

uint32_t item_query_attachments(struct connection *reader, const uint8_t event_id[ISSUE_EVENT_ID_BYTES],
                                struct arena *arena, struct item_attachment_row *out_rows) {
  struct statement select = connection_statement(
      reader, "SELECT id, project_id, filename, content_type, attachment_type, bytes, received_ns, reason, "
              "scrubbed "
              "FROM attachment WHERE event_id = ?1 ORDER BY project_id, id LIMIT ?2");
  statement_bind_blob(&select, 1, slice_make(event_id, ISSUE_EVENT_ID_BYTES));
  statement_bind_i64(&select, 2, ITEM_QUERY_ATTACHMENTS_MAX);
  uint32_t count = 0;
  while (statement_step(&select)) {
    uint32_t project = (uint32_t)statement_i64(&select, 1);
    if (count > 0 && project != out_rows[0].project) continue;
    out_rows[count++] = (struct item_attachment_row){
        .row = statement_i64(&select, 0),
        .project = project,
        .filename = keep(reader, arena, statement_text(&select, 2)),
        .content_type = keep(reader, arena, statement_text(&select, 3)),
        .attachment_type = keep(reader, arena, statement_text(&select, 4)),
        .bytes = statement_u64(&select, 5),
        .received_ns = statement_u64(&select, 6),
        .reason = keep(reader, arena, statement_text(&select, 7)),
        .scrubbed = statement_i64(&select, 8) != 0,
    };
  }
  return count;
}

bool item_query_data(struct connection *reader, const uint8_t event_id[ISSUE_EVENT_ID_BYTES], int64_t row,
                     struct buffer *out) {
  struct statement select = connection_statement(
      reader, "SELECT bytes, is_zstd, data FROM attachment WHERE id = ?1 AND event_id = ?2 AND reason IS NULL");
  statement_bind_i64(&select, 1, row);
  statement_bind_blob(&select, 2, slice_make(event_id, ISSUE_EVENT_ID_BYTES));
  if (!statement_step(&select)) return false;
  uint64_t bytes = statement_u64(&select, 0);
  struct slice data = statement_blob(&select, 2);
  enum status status = STATUS_OK;
  if (statement_i64(&select, 1) == 0) {
    status = buffer_append_slice(out, data);
  } else {
    uint8_t *to = bytes > 0 ? buffer_reserve(out, (size_t)bytes) : NULL;
    status = to ? decompress_zstd_exact(data, to, (size_t)bytes) : STATUS_TOO_LARGE;
    if (status == STATUS_OK) out->len += (size_t)bytes;
  }
  statement_reset(&select);
  if (status != STATUS_OK) connection_fail(reader, status, "the attachment cannot be read");
  return status == STATUS_OK;
}

// --- feedback --------------------------------------------------------------------------------------------------------

#define FEEDBACK_COLUMNS                                                                                               \
  "SELECT f.id, f.feedback_id, f.event_id, i.id, "                                                                     \
  "(SELECT slug FROM project p WHERE p.id = f.project_id), f.time_ns, f.is_report, f.name, f.email, f.message, "       \
  "f.url, "                                                                                                            \
  "i.number, i.title, "                                                                                                \
  "(SELECT count(*) FROM attachment a WHERE a.event_id = f.feedback_id AND a.project_id = f.project_id) "              \
  "FROM feedback f LEFT JOIN issue i ON i.id = coalesce((SELECT e.issue_id FROM event e WHERE e.event_id = "           \
  "f.event_id "                                                                                                        \
  "AND e.project_id = f.project_id), f.issue_id) "

static uint32_t collect(struct connection *reader, struct statement *select, struct arena *arena,
                        struct item_feedback_row *out_rows) {
  uint32_t count = 0;
  while (statement_step(select)) {
    out_rows[count++] = (struct item_feedback_row){
        .row = statement_i64(select, 0),
        .feedback_id = keep(reader, arena, statement_blob(select, 1)),
        .event_id = keep(reader, arena, statement_blob(select, 2)),
        .issue = statement_u64(select, 3),
        .project = keep(reader, arena, statement_text(select, 4)),
        .time_ns = statement_u64(select, 5),
        .is_report = statement_i64(select, 6) != 0,
        .name = keep(reader, arena, statement_text(select, 7)),
        .email = keep(reader, arena, statement_text(select, 8)),
        .message = keep(reader, arena, statement_text(select, 9)),
        .url = keep(reader, arena, statement_text(select, 10)),
        .issue_number = statement_u64(select, 11),
        .issue_title = keep(reader, arena, statement_text(select, 12)),
        .attachments = (uint32_t)statement_i64(select, 13),
    };
  }
  return count;
}

uint32_t item_query_event_feedback(struct connection *reader, const uint8_t event_id[ISSUE_EVENT_ID_BYTES],
                                   struct arena *arena, struct item_feedback_row *out_rows) {
  struct statement select = connection_statement(
      reader, FEEDBACK_COLUMNS "WHERE f.event_id = ?1 AND f.project_id = coalesce((SELECT min(project_id) FROM event "
                               "WHERE event_id = ?1), f.project_id) ORDER BY f.id DESC LIMIT ?2");
  statement_bind_blob(&select, 1, slice_make(event_id, ISSUE_EVENT_ID_BYTES));
  statement_bind_i64(&select, 2, ITEM_QUERY_EVENT_FEEDBACK);
  return collect(reader, &select, arena, out_rows);
}

static int64_t place(int64_t before_row) {
  return before_row > 0 ? before_row : INT64_MAX;
}

uint32_t item_query_issue_feedback(struct connection *reader, uint64_t issue, int64_t before_row, uint32_t limit,
                                   struct arena *arena, struct item_feedback_row *out_rows) {
  struct statement select = connection_statement(
      reader, FEEDBACK_COLUMNS
      "WHERE f.id < ?2 AND f.id IN (SELECT m.id FROM event e JOIN feedback m ON m.event_id = e.event_id AND "
      "m.project_id = e.project_id WHERE e.issue_id = ?1 UNION SELECT g.id FROM feedback g WHERE g.issue_id = ?1 AND "
      "NOT EXISTS (SELECT 1 FROM event e WHERE e.event_id = g.event_id AND e.project_id = g.project_id)) "
      "ORDER BY f.id DESC LIMIT ?3");
  statement_bind_u64(&select, 1, issue);
  statement_bind_i64(&select, 2, place(before_row));
  statement_bind_i64(&select, 3, limit);
  return collect(reader, &select, arena, out_rows);
}

uint32_t item_query_feedback(struct connection *reader, uint32_t project, int64_t before_row, uint32_t limit,
                             struct arena *arena, struct item_feedback_row *out_rows) {
  struct statement select = connection_statement(
      reader, project != 0 ? FEEDBACK_COLUMNS "WHERE f.project_id = ?1 AND f.id < ?2 ORDER BY f.id DESC LIMIT ?3"
                           : FEEDBACK_COLUMNS "WHERE ?1 = 0 AND f.id < ?2 ORDER BY f.id DESC LIMIT ?3");
  statement_bind_i64(&select, 1, project);
  statement_bind_i64(&select, 2, place(before_row));
  statement_bind_i64(&select, 3, limit);
  return collect(reader, &select, arena, out_rows);
}

// --- what was thrown away --------------------------------------------------------------------------------------------

uint32_t item_query_discarded(struct connection *reader, uint64_t now_ns, struct arena *arena,
                              struct item_discarded_row *out_rows) {
  struct statement select = connection_statement(
      reader, "SELECT (SELECT slug FROM project p WHERE p.id = project_id), reason, category, sum(quantity) AS total, "
              "sum(CASE WHEN hour > ?1 - 24 THEN quantity ELSE 0 END), min(hour) FROM discarded WHERE hour > ?1 - ?2 "
              "GROUP BY project_id, reason, category ORDER BY total DESC, project_id, reason, category LIMIT ?3");
  statement_bind_u64(&select, 1, now_ns / HOUR_NS);
  statement_bind_i64(&select, 2, ITEM_WRITER_DISCARDED_HOURS);
  statement_bind_i64(&select, 3, ITEM_QUERY_DISCARDED_MAX);
  uint32_t count = 0;
  while (statement_step(&select)) {
    out_rows[count++] = (struct item_discarded_row){
        .project = keep(reader, arena, statement_text(&select, 0)),
        .reason = keep(reader, arena, statement_text(&select, 1)),
        .category = keep(reader, arena, statement_text(&select, 2)),
        .quantity = statement_u64(&select, 3),
        .quantity_day = statement_u64(&select, 4),
        .since_ns = statement_u64(&select, 5) * HOUR_NS,
    };
  }
  return count;
}
