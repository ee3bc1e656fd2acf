// SPDX-License-Identifier: Apache-2.0
//
// How it works: an issue consists of parts (store/issue_part), and every part moves whole or stays. The hashes are
// marked with the number of the split, which store/issue_resolve asks for.
#include "store/issue_split.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/arena.h"
#include "base/json.h"
#include "proto/sentry_event.h"
#include "store/issue_merge.h"
#include "store/issue_part.h"
#include "store/issue_query.h"
#include "store/issue_resolve.h"
#include "store/issue_rows.h"
#include "store/issue_tags.h"
#include "store/issue_writer.h"

#define DOCUMENT_BYTES_MAX (64u << 20)

struct split {
  struct connection *connection;
  uint64_t now_ns, from, to;
  uint32_t project;
  struct slice hashes;
  struct issue_row row, made; // of both issues
  struct issue_part *parts;   // of the issue; ISSUE_PARTS_MERGED_MAX
  bool *moves;                // which of them
  uint32_t part_count;
};

static bool is_named(const struct split *split, const uint8_t hash[ISSUE_HASH_BYTES]) {
  for (size_t at = 0; at < split->hashes.len; at += ISSUE_HASH_BYTES)
    if (memcmp(split->hashes.ptr + at, hash, ISSUE_HASH_BYTES) == 0) return true;
  return false;
}

static void check_hashes(const struct split *split) {
  for (size_t at = 0; at < split->hashes.len; at += ISSUE_HASH_BYTES) {
    struct slice hash = slice_sub(split->hashes, at, ISSUE_HASH_BYTES);
    struct statement select = connection_statement(
        split->connection, "SELECT 1 FROM issue_hash WHERE project_id = ?1 AND hash = ?2 AND issue_id = ?3");
    statement_bind_i64(&select, 1, split->project);
    statement_bind_blob(&select, 2, hash);
    statement_bind_u64(&select, 3, split->from);
    bool found = statement_step(&select);
    statement_reset(&select);
    if (found) continue;
    char hex[2 * ISSUE_HASH_BYTES + 1], words[100];
    slice_to_hex(hash, hex);
    snprintf(words, sizeof words, "the issue has no hash %.32s", hex);
    connection_fail(split->connection, STATUS_NOT_FOUND, words);
  }
}

// Says which parts move and sums them up; the numbers of what stays are left in `row`.
static void divide(struct split *split) {
  struct issue_row *row = &split->row, *made = &split->made;
  uint64_t in_parts = 0, first_ns = UINT64_MAX, last_ns = 0;
  split->part_count = issue_part_load(split->connection, split->from, split->parts, ISSUE_PARTS_MERGED_MAX);
  *made = (struct issue_row){
      .status = row->status, .substatus = row->substatus, .status_ns = row->status_ns, .first_seen_ns = UINT64_MAX};
  for (uint32_t i = 0; i < split->part_count; i++) {
    const struct issue_part *part = &split->parts[i];
    for (uint32_t k = 0; k < part->hash_count && !split->moves[i]; k++)
      split->moves[i] = is_named(split, part->hashes[k]);
    in_parts += part->count;
    uint64_t *first = split->moves[i] ? &made->first_seen_ns : &first_ns;
    uint64_t *last = split->moves[i] ? &made->last_seen_ns : &last_ns;
    if (part->first_seen_ns < *first) *first = part->first_seen_ns;
    if (part->last_seen_ns > *last) *last = part->last_seen_ns;
    if (split->moves[i]) made->count += part->count;
  }
  if (made->count == 0) {
    connection_fail(split->connection, STATUS_CONFLICT, "no event of the issue is known to have these hashes");
  } else if (made->count >= row->count) {
    connection_fail(split->connection, STATUS_CONFLICT,
                    "every event of the issue has one of these hashes: nothing would be left in it");
  }
  bool all_in_parts = in_parts >= row->count;
  row->count -= made->count;
  if (!all_in_parts || last_ns == 0) return; // what is in no part may be as old and as new as anything
  row->first_seen_ns = first_ns;
  row->last_seen_ns = last_ns;
}

// Statements with the issue as ?1 and the new one as ?2.
static void run(const struct split *split, const char *sql) {
  struct statement statement = connection_statement(split->connection, sql);
  statement_bind_u64(&statement, 1, split->from);
  statement_bind_u64(&statement, 2, split->to);
  statement_run(&statement);
}

// What people said of an event goes with it, as long as its row tells where.
static void move_parts(const struct split *split) {
  for (uint32_t i = 0; i < split->part_count; i++)
    if (split->moves[i]) issue_part_move(split->connection, split->parts[i].row, split->from, split->to);
  run(split, "UPDATE feedback SET issue_id = ?2 WHERE issue_id = ?1 AND (event_id, project_id) IN (SELECT event_id, "
             "project_id FROM event WHERE issue_id = ?2)");
}

static void run_one(const struct split *split, const char *sql, uint64_t issue) {
  struct statement statement = connection_statement(split->connection, sql);
  statement_bind_u64(&statement, 1, issue);
  statement_run(&statement);
}

static int64_t next_split(const struct split *split) {
  struct statement select = connection_statement(
      split->connection, "SELECT 1 + coalesce(max(split), 0) FROM issue_hash WHERE project_id = ?1");
  statement_bind_i64(&select, 1, split->project);
  int64_t number = statement_step(&select) ? statement_i64(&select, 0) : 1;
  statement_reset(&select);
  return number;
}

static void move_hash(const struct split *split, const uint8_t *hash, int64_t number) {
  struct statement update = connection_statement(
      split->connection, "UPDATE issue_hash SET issue_id = ?3, split = max(split, ?4) WHERE project_id = ?1 AND hash = "
                         "?2 AND issue_id = ?5");
  statement_bind_i64(&update, 1, split->project);
  statement_bind_blob(&update, 2, slice_make(hash, ISSUE_HASH_BYTES));
  statement_bind_u64(&update, 3, split->to);
  statement_bind_i64(&update, 4, number);
  statement_bind_u64(&update, 5, split->from);
  statement_run(&update);
}

// The hashes that were named, and those that only events that move have.
static void move_hashes(const struct split *split) {
  int64_t number = next_split(split);
  for (size_t at = 0; at < split->hashes.len; at += ISSUE_HASH_BYTES) move_hash(split, split->hashes.ptr + at, number);
  for (uint32_t i = 0; i < split->part_count; i++) {
    for (uint32_t k = 0; k < split->parts[i].hash_count && split->moves[i]; k++) {
      const uint8_t *hash = split->parts[i].hashes[k];
      bool stays = false;
      for (uint32_t other = 0; other < split->part_count && !stays; other++)
        stays = !split->moves[other] && issue_part_has(&split->parts[other], hash);
      if (!stays) move_hash(split, hash, 0);
    }
  }
  // The outline of an issue that was merged goes where all its hashes have gone.
  run(split,
      "UPDATE issue_hash SET issue_id = ?2 WHERE issue_id = ?1 AND algorithm = 'culprit-outline' AND merged_from "
      "IN (SELECT merged_from FROM issue_hash WHERE issue_id = ?2) AND merged_from NOT IN (SELECT merged_from "
      "FROM issue_hash WHERE issue_id = ?1 AND algorithm <> 'culprit-outline' AND merged_from IS NOT NULL)");
  run(split, "UPDATE issue_merged SET issue_id = ?2 WHERE issue_id = ?1 AND id IN (SELECT merged_from FROM issue_hash "
             "WHERE issue_id = ?2 AND merged_from IS NOT NULL) AND id NOT IN (SELECT merged_from FROM issue_hash WHERE "
             "issue_id = ?1 AND merged_from IS NOT NULL)");
  run_one(split, "UPDATE issue_hash SET merged_from = NULL WHERE issue_id = ?1", split->to);
}

// How many events are stored, and the one that stays the first.
static void settle_row(const struct split *split, uint64_t issue, int64_t first_row, struct issue_row *row) {
  struct statement select = connection_statement(
      split->connection, "SELECT count(*), coalesce(max(CASE WHEN id = ?2 THEN id END), (SELECT id FROM event WHERE "
                         "issue_id = ?1 ORDER BY seen_ns, id LIMIT 1), 0) FROM event WHERE issue_id = ?1");
  statement_bind_u64(&select, 1, issue);
  statement_bind_i64(&select, 2, first_row);
  if (statement_step(&select)) {
    row->stored = (uint32_t)statement_i64(&select, 0);
    row->first_row = statement_i64(&select, 1);
  }
  statement_reset(&select);
}

struct tag_counter {
  struct issue_tags *tags;
  struct json_parser *parser;
  struct arena arena;
  struct buffer text;
};

// Tags of one stored event, from its columns and its document.
static void count_tags(const struct split *split, struct tag_counter *counter, const struct issue_event_row *row) {
  struct slice grouping, document;
  struct issue_event event = {
      .service = row->service, .environment = row->environment, .release = row->release, .level = row->level};
  struct issue_tag tags[ISSUE_TAGS_COLLECTED_MAX];
  struct sentry_event parsed;
  struct json_value root;
  struct error error = {0};
  if (issue_query_document(split->connection, row->row, &counter->text, &grouping, &document) &&
      json_parse(counter->parser, document, &root, &error) == STATUS_OK &&
      sentry_event_parse(root, &counter->arena, &parsed, &error) == STATUS_OK) {
    event.tags = tags;
    event.tag_count = issue_tags_collect(&parsed, tags);
  }
  issue_tags_count(counter->tags, &event);
}

static void recount_tags(const struct split *split, struct issue_row *made) {
  struct tag_counter counter = {.tags = issue_tags_create(), .parser = json_parser_create(DOCUMENT_BYTES_MAX)};
  struct issue_event_row *rows = calloc(ISSUE_EVENTS_MAX + 1, sizeof *rows);
  if (!counter.tags || !rows) connection_fail(split->connection, STATUS_NO_MEMORY, "no memory to split");
  arena_init(&counter.arena, DOCUMENT_BYTES_MAX);
  buffer_init(&counter.text, DOCUMENT_BYTES_MAX);
  struct arena texts;
  arena_init(&texts, 4 << 20);
  uint32_t count =
      rows ? issue_query_events(split->connection, split->to, 0, 0, ISSUE_EVENTS_MAX + 1, &texts, rows) : 0;
  for (uint32_t i = 0; i < count && counter.tags; i++) {
    count_tags(split, &counter, &rows[i]);
    made->tags_overflow += issue_tags_write(counter.tags, split->connection, (uint32_t)split->to);
    arena_reset(&counter.arena);
  }
  arena_finish(&texts);
  buffer_finish(&counter.text);
  arena_finish(&counter.arena);
  json_parser_destroy(counter.parser);
  issue_tags_destroy(counter.tags);
  free(rows);
  run(split, "UPDATE issue_tag AS t SET count = t.count - n.count FROM issue_tag AS n WHERE t.issue_id = ?1 AND "
             "n.issue_id = ?2 AND t.key = n.key AND t.value = n.value");
  run(split, "UPDATE issue_tag_key AS t SET total = t.total - n.total FROM issue_tag_key AS n WHERE t.issue_id = ?1 "
             "AND n.issue_id = ?2 AND t.key = n.key");
  run_one(split, "DELETE FROM issue_tag WHERE issue_id = ?1 AND count <= 0", split->from);
  run_one(split, "DELETE FROM issue_tag_key WHERE issue_id = ?1 AND total <= 0", split->from);
  run_one(
      split,
      "UPDATE issue_tag_key SET value_count = (SELECT count(*) FROM issue_tag AS t WHERE t.issue_id = ?1 AND t.key = "
      "issue_tag_key.key) WHERE issue_id = ?1",
      split->from);
}

static void make(struct split *split) {
  const struct issue_resolve resolve = {.connection = split->connection, .now_ns = split->now_ns};
  split->to = issue_resolve_make(&resolve, split->project, split->made.first_seen_ns, SLICE_LITERAL("split"));
  if (connection_status(split->connection) != STATUS_OK) return;
  int64_t first_row = split->row.first_row;
  move_parts(split);
  move_hashes(split);
  settle_row(split, split->from, first_row, &split->row);
  settle_row(split, split->to, first_row, &split->made);
  recount_tags(split, &split->made);
  issue_rows_save(split->connection, (uint32_t)split->from, &split->row);
  issue_rows_save(split->connection, (uint32_t)split->to, &split->made);
  issue_part_describe(split->connection, split->from);
  issue_part_describe(split->connection, split->to);
  issue_writer_add_history(split->connection, split->to, split->made.first_seen_ns, "first_seen");
  issue_merge_add_history(split->connection, split->to, split->now_ns, "split_from", split->from);
  issue_merge_add_history(split->connection, split->from, split->now_ns, "split_off", split->to);
}

uint64_t issue_split_apply(struct connection *connection, uint64_t now_ns, uint64_t issue, struct slice hashes) {
  ASSERT(hashes.len > 0 && hashes.len % ISSUE_HASH_BYTES == 0 && hashes.len / ISSUE_HASH_BYTES <= ISSUE_SPLIT_MAX);
  struct split split = {.connection = connection, .now_ns = now_ns, .hashes = hashes};
  split.from = issue_merge_follow(connection, issue);
  if (split.from == 0) connection_fail(connection, STATUS_NOT_FOUND, "there is no such issue");
  split.project = issue_merge_project(connection, split.from);
  split.parts = calloc(ISSUE_PARTS_MERGED_MAX, sizeof *split.parts);
  split.moves = calloc(ISSUE_PARTS_MERGED_MAX, sizeof *split.moves);
  if (!split.parts || !split.moves) connection_fail(connection, STATUS_NO_MEMORY, "no memory to split");
  if (connection_status(connection) == STATUS_OK) {
    issue_rows_load(connection, (uint32_t)split.from, &split.row);
    check_hashes(&split);
    divide(&split);
  }
  if (connection_status(connection) == STATUS_OK) make(&split);
  free(split.parts);
  free(split.moves);
  return connection_status(connection) == STATUS_OK ? split.to : 0;
}
