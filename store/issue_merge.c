// SPDX-License-Identifier: Apache-2.0
//
// How it works: rows of hashes, parts, hours, events and history are given the target's id; where both issues have a
// row for the same thing, the numbers are added. Then the bounds of one issue hold again: the newest events and the
// first, the most frequent tags. The row of a merged issue becomes one of issue_merged; those that led to it lead to
// the target, so that a look-up is one step however often issues were merged.
//
// The target keeps its title until its next event. It is reopened when it was resolved and one of the others was not:
// an error that nobody has looked at must not disappear in a resolved issue.
#include "store/issue_merge.h"

#include <stdio.h>

#include "store/issue_memory.h"
#include "store/issue_part.h"
#include "store/issue_rows.h"
#include "store/issue_writer.h"

struct merge {
  struct connection *connection;
  uint64_t now_ns, target;
  uint32_t project;
  struct issue_row row; // the target's
  struct buffer *keys;
  struct issue_merge_result result;
};

static void fail(struct connection *connection, enum status status, uint64_t issue, const char *what) {
  char words[200];
  snprintf(words, sizeof words, "issue %llu %s", (unsigned long long)issue, what);
  connection_fail(connection, status, words);
}

static uint64_t one_number(struct statement *select) {
  uint64_t number = statement_step(select) ? statement_u64(select, 0) : 0;
  statement_reset(select);
  return number;
}

uint64_t issue_merge_follow(struct connection *connection, uint64_t id) {
  struct statement select =
      connection_statement(connection, "SELECT coalesce((SELECT id FROM issue WHERE id = ?1), (SELECT issue_id FROM "
                                       "issue_merged WHERE id = ?1), 0)");
  statement_bind_u64(&select, 1, id);
  return one_number(&select);
}

uint64_t issue_merge_find_short(struct connection *connection, struct slice short_id) {
  size_t dash = short_id.len; // slugs have dashes too: the last one
  while (dash > 0 && short_id.ptr[dash - 1] != '-') dash--;
  uint64_t number;
  if (dash < 2 || !slice_to_u64(slice_skip(short_id, dash), &number) || number > INT64_MAX) return 0;
  struct statement select = connection_statement(
      connection, "SELECT coalesce((SELECT id FROM issue WHERE project_id = p.id AND number = ?2), (SELECT issue_id "
                  "FROM issue_merged WHERE project_id = p.id AND number = ?2), 0) FROM project AS p WHERE slug = "
                  "lower(?1)");
  statement_bind_text(&select, 1, slice_sub(short_id, 0, dash - 1));
  statement_bind_u64(&select, 2, number);
  return one_number(&select);
}

uint32_t issue_merge_project(struct connection *connection, uint64_t issue) {
  struct statement select = connection_statement(
      connection, "SELECT project_id, EXISTS (SELECT 1 FROM issue_hash WHERE issue_id = ?1 AND algorithm = "
                  "'culprit-overflow') FROM issue WHERE id = ?1");
  statement_bind_u64(&select, 1, issue);
  uint32_t project = 0;
  bool overflow = false;
  if (statement_step(&select)) {
    project = (uint32_t)statement_i64(&select, 0);
    overflow = statement_i64(&select, 1) != 0;
  }
  statement_reset(&select);
  if (overflow)
    fail(connection, STATUS_CONFLICT, issue, "holds what is over the daily limit of new issues: it stays as it is");
  return project;
}

void issue_merge_add_history(struct connection *connection, uint64_t issue, uint64_t time_ns, const char *kind,
                             uint64_t other) {
  struct statement insert = connection_statement(
      connection, "INSERT INTO issue_history (issue_id, time_ns, kind, detail) SELECT ?1, ?2, ?3, upper(p.slug) || '-' "
                  "|| i.number FROM issue AS i JOIN project AS p ON p.id = i.project_id WHERE i.id = ?4");
  statement_bind_u64(&insert, 1, issue);
  statement_bind_u64(&insert, 2, time_ns);
  statement_bind_text(&insert, 3, slice_from_cstr(kind));
  statement_bind_u64(&insert, 4, other);
  statement_run(&insert);
}

// Statements with the target as ?1 and the issue that goes as ?2.
static void run(const struct merge *merge, const char *sql, uint64_t from) {
  struct statement statement = connection_statement(merge->connection, sql);
  statement_bind_u64(&statement, 1, merge->target);
  statement_bind_u64(&statement, 2, from);
  statement_run(&statement);
}

static void move_parts(const struct merge *merge, uint64_t from) {
  for (uint32_t i = 0; i < ISSUE_PARTS_MERGED_MAX; i++) {
    struct statement select = connection_statement(
        merge->connection, "SELECT s.id FROM issue_part AS s JOIN issue_part AS t ON t.hashes = s.hashes WHERE "
                           "t.issue_id = ?1 AND s.issue_id = ?2 LIMIT 1");
    statement_bind_u64(&select, 1, merge->target);
    statement_bind_u64(&select, 2, from);
    int64_t twin = (int64_t)one_number(&select);
    if (twin == 0) break;
    issue_part_move(merge->connection, twin, from, merge->target);
  }
  issue_part_move(merge->connection, 0, from, merge->target);
  run(merge, "UPDATE issue_part SET issue_id = ?1 WHERE issue_id = ?2", from);
  run(merge, "UPDATE issue_hour SET issue_id = ?1 WHERE issue_id = ?2", from);
  run(merge, "UPDATE event SET issue_id = ?1 WHERE issue_id = ?2", from);
}

// Keys and values over the bounds go, rarest first; what they counted is in tags_overflow and in the totals.
static void trim_tags(struct merge *merge) {
  struct statement over = connection_statement(
      merge->connection, "SELECT coalesce(sum(total), 0) FROM (SELECT total FROM issue_tag_key WHERE issue_id = ?1 "
                         "ORDER BY total DESC, key LIMIT -1 OFFSET ?2)");
  statement_bind_u64(&over, 1, merge->target);
  statement_bind_i64(&over, 2, ISSUE_TAG_KEYS_MAX);
  merge->row.tags_overflow += one_number(&over);
  static const struct {
    const char *sql;
    int64_t max;
  } steps[] = {
      {"DELETE FROM issue_tag_key WHERE issue_id = ?1 AND key IN (SELECT key FROM issue_tag_key WHERE issue_id = ?1 "
       "ORDER BY total DESC, key LIMIT -1 OFFSET ?2)",
       ISSUE_TAG_KEYS_MAX},
      {"DELETE FROM issue_tag WHERE issue_id = ?1 AND (key, value) IN (SELECT key, value FROM (SELECT key, value, "
       "row_number() OVER (PARTITION BY key ORDER BY count DESC, value) AS place FROM issue_tag WHERE issue_id = ?1) "
       "WHERE place > ?2 OR key NOT IN (SELECT key FROM issue_tag_key WHERE issue_id = ?1))",
       ISSUE_TAG_VALUES_MAX},
  };
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    struct statement step = connection_statement(merge->connection, steps[i].sql);
    statement_bind_u64(&step, 1, merge->target);
    statement_bind_i64(&step, 2, steps[i].max);
    statement_run(&step);
  }
  struct statement recount = connection_statement(
      merge->connection, "UPDATE issue_tag_key SET value_count = (SELECT count(*) FROM issue_tag AS t WHERE t.issue_id "
                         "= ?1 AND t.key = issue_tag_key.key) WHERE issue_id = ?1");
  statement_bind_u64(&recount, 1, merge->target);
  statement_run(&recount);
}

static void move_tags(struct merge *merge, uint64_t from) {
  run(merge,
      "INSERT INTO issue_tag_key (issue_id, key, total, value_count) SELECT ?1, key, total, 0 FROM issue_tag_key WHERE "
      "issue_id = ?2 ON CONFLICT DO UPDATE SET total = total + excluded.total",
      from);
  run(merge,
      "INSERT INTO issue_tag (issue_id, key, value, count) SELECT ?1, key, value, count FROM issue_tag WHERE issue_id "
      "= ?2 ON CONFLICT DO UPDATE SET count = count + excluded.count",
      from);
  trim_tags(merge);
}

// The row of the issue that goes becomes one that leads on, with all that led to it.
static void leave_behind(const struct merge *merge, uint64_t from) {
  issue_merge_add_history(merge->connection, merge->target, merge->now_ns, "merged", from);
  static const char *const statements[] = {
      "UPDATE issue_hash SET issue_id = ?1, merged_from = coalesce(merged_from, ?2) WHERE issue_id = ?2",
      "UPDATE issue_history SET issue_id = ?1, detail = coalesce(detail, (SELECT upper(p.slug) || '-' || i.number FROM "
      "issue AS i JOIN project AS p ON p.id = i.project_id WHERE i.id = ?2)) WHERE issue_id = ?2",
      "UPDATE feedback SET issue_id = ?1 WHERE issue_id = ?2",
      "UPDATE issue_merged SET issue_id = ?1 WHERE issue_id = ?2",
      "INSERT INTO issue_merged (id, project_id, number, issue_id) SELECT id, project_id, number, ?1 FROM issue WHERE "
      "id = ?2",
  };
  for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) run(merge, statements[i], from);
  static const char *const deletes[] = {"DELETE FROM issue_tag_key WHERE issue_id = ?1",
                                        "DELETE FROM issue_tag WHERE issue_id = ?1", "DELETE FROM issue WHERE id = ?1"};
  for (size_t i = 0; i < sizeof deletes / sizeof deletes[0]; i++) {
    struct statement delete = connection_statement(merge->connection, deletes[i]);
    statement_bind_u64(&delete, 1, from);
    statement_run(&delete);
  }
}

static void merge_one(struct merge *merge, uint64_t from) {
  struct issue_row other = {0}, *row = &merge->row;
  issue_rows_load(merge->connection, (uint32_t)from, &other);
  row->count += other.count;
  row->tags_overflow += other.tags_overflow;
  if (other.first_row != 0 && (other.first_seen_ns < row->first_seen_ns || row->first_row == 0))
    row->first_row = other.first_row;
  if (other.first_seen_ns < row->first_seen_ns) row->first_seen_ns = other.first_seen_ns;
  if (other.last_seen_ns > row->last_seen_ns) row->last_seen_ns = other.last_seen_ns;
  if (row->status == ISSUE_RESOLVED && other.status == ISSUE_UNRESOLVED) {
    row->status = ISSUE_UNRESOLVED;
    row->substatus = ISSUE_ONGOING;
    row->status_ns = merge->now_ns;
    issue_writer_add_history(merge->connection, merge->target, merge->now_ns, "unresolved");
  }
  move_parts(merge, from);
  move_tags(merge, from);
  leave_behind(merge, from);
  merge->result.issues_gone++;
}

// Deletes the events that one issue has no room for, and notes their ids: they were taken.
static void evict(struct merge *merge) {
  struct statement select = connection_statement(
      merge->connection, "SELECT event_id FROM event WHERE issue_id = ?1 AND id <> ?2 ORDER BY seen_ns DESC, id DESC "
                         "LIMIT -1 OFFSET ?3");
  statement_bind_u64(&select, 1, merge->target);
  statement_bind_i64(&select, 2, merge->row.first_row);
  statement_bind_i64(&select, 3, ISSUE_EVENTS_MAX);
  while (statement_step(&select)) {
    struct slice id = statement_blob(&select, 0);
    if (id.len != ISSUE_EVENT_ID_BYTES) continue;
    uint64_t key = issue_memory_event_key(merge->project, id.ptr);
    buffer_append(merge->keys, &key, sizeof key);
  }
  struct statement count = connection_statement(merge->connection, "SELECT count(*) FROM event WHERE issue_id = ?1");
  statement_bind_u64(&count, 1, merge->target);
  uint32_t stored = (uint32_t)one_number(&count);
  merge->result.events_gone =
      issue_rows_evict(merge->connection, (uint32_t)merge->target, stored, merge->row.first_row);
  merge->row.stored = stored - merge->result.events_gone;
  if (merge->keys->failed) connection_fail(merge->connection, STATUS_NO_MEMORY, "no memory to merge");
}

static void check_parts(const struct merge *merge) {
  struct statement count =
      connection_statement(merge->connection, "SELECT count(*) FROM issue_part WHERE issue_id = ?1");
  statement_bind_u64(&count, 1, merge->target);
  if (one_number(&count) > ISSUE_PARTS_MERGED_MAX)
    connection_fail(merge->connection, STATUS_CONFLICT, "together the issues have too many different hashes");
}

static void take_other(struct merge *merge, uint64_t id) {
  uint64_t from = issue_merge_follow(merge->connection, id);
  if (id == merge->target) {
    connection_fail(merge->connection, STATUS_INVALID, "an issue cannot be merged into itself");
  } else if (from == 0) {
    fail(merge->connection, STATUS_NOT_FOUND, id, "is not known");
  } else if (from != merge->target) {
    uint32_t project = issue_merge_project(merge->connection, from);
    if (project != merge->project) {
      fail(merge->connection, STATUS_CONFLICT, id, "is of another project: only issues of one can be merged");
    }
    if (connection_status(merge->connection) == STATUS_OK) merge_one(merge, from);
  }
}

void issue_merge_apply(struct connection *connection, uint64_t now_ns, uint64_t issue, struct slice others,
                       struct buffer *keys, struct issue_merge_result *out_result) {
  ASSERT(others.len % sizeof(uint64_t) == 0 && others.len / sizeof(uint64_t) <= ISSUE_MERGE_MAX);
  struct merge merge = {.connection = connection, .now_ns = now_ns, .keys = keys};
  merge.target = issue_merge_follow(connection, issue);
  if (merge.target == 0) connection_fail(connection, STATUS_NOT_FOUND, "there is no such issue");
  merge.project = issue_merge_project(connection, merge.target);
  if (connection_status(connection) != STATUS_OK) return;
  issue_rows_load(connection, (uint32_t)merge.target, &merge.row);
  for (size_t at = 0; at < others.len && connection_status(connection) == STATUS_OK; at += sizeof(uint64_t)) {
    uint64_t id;
    memcpy(&id, others.ptr + at, sizeof id);
    take_other(&merge, id);
  }
  if (merge.result.issues_gone > 0) {
    check_parts(&merge);
    evict(&merge);
    issue_rows_save(connection, (uint32_t)merge.target, &merge.row);
    issue_rows_prune_hours(connection, (uint32_t)merge.target, now_ns);
  }
  merge.result.issue = merge.target;
  *out_result = merge.result;
}
