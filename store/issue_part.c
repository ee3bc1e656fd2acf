// SPDX-License-Identifier: Apache-2.0
//
// How it works: a part is found by its issue and the hashes of its events, end to end. Rows of hours and events carry
// the part's number, which stays the same wherever the part goes.
#include "store/issue_part.h"

static struct slice hashes_of(const struct issue_event *event, uint8_t out[ISSUE_EVENT_HASHES_MAX * ISSUE_HASH_BYTES]) {
  for (uint32_t i = 0; i < event->hash_count; i++)
    memcpy(out + (size_t)i * ISSUE_HASH_BYTES, event->hashes[i].bytes, ISSUE_HASH_BYTES);
  return slice_make(out, (size_t)event->hash_count * ISSUE_HASH_BYTES);
}

static void bind(struct statement *statement, const struct issue_part_delta *delta, struct slice hashes) {
  const struct issue_event *event = delta->newest;
  statement_bind_i64(statement, 1, delta->issue);
  statement_bind_blob(statement, 2, hashes);
  statement_bind_i64(statement, 3, delta->count);
  statement_bind_u64(statement, 4, delta->first_seen_ns);
  statement_bind_u64(statement, 5, delta->last_seen_ns);
  statement_bind_text(statement, 6, event->title);
  statement_bind_text(statement, 7, event->type);
  statement_bind_text(statement, 8, event->value);
  statement_bind_text(statement, 9, event->culprit);
  statement_bind_text(statement, 10, event->level);
  statement_bind_text(statement, 11, event->platform);
}

static int64_t one_row(struct statement *statement) {
  int64_t row = statement_step(statement) ? statement_i64(statement, 0) : 0;
  statement_reset(statement);
  return row;
}

int64_t issue_part_add(struct connection *connection, const struct issue_part_delta *delta) {
  uint8_t bytes[ISSUE_EVENT_HASHES_MAX * ISSUE_HASH_BYTES];
  struct slice hashes = hashes_of(delta->newest, bytes);
  struct statement update = connection_statement(
      connection, "UPDATE issue_part SET count = count + ?3, first_seen_ns = min(first_seen_ns, ?4), last_seen_ns = "
                  "max(last_seen_ns, ?5), title = iif(?5 >= last_seen_ns, ?6, title), type = iif(?5 >= last_seen_ns, "
                  "?7, type), value = iif(?5 >= last_seen_ns, ?8, value), culprit = iif(?5 >= last_seen_ns, ?9, "
                  "culprit), level = iif(?5 >= last_seen_ns, ?10, level), platform = iif(?5 >= last_seen_ns, ?11, "
                  "platform) WHERE issue_id = ?1 AND hashes = ?2 RETURNING id");
  bind(&update, delta, hashes);
  int64_t row = one_row(&update);
  if (row != 0 || connection_status(connection) != STATUS_OK) return row;
  struct statement insert = connection_statement(
      connection, "INSERT INTO issue_part (issue_id, hashes, count, first_seen_ns, last_seen_ns, title, type, value, "
                  "culprit, level, platform) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11 WHERE (SELECT "
                  "count(*) FROM issue_part WHERE issue_id = ?1) < ?12 RETURNING id");
  bind(&insert, delta, hashes);
  statement_bind_i64(&insert, 12, ISSUE_PARTS_MAX);
  return one_row(&insert);
}

uint32_t issue_part_load(struct connection *connection, uint64_t issue, struct issue_part *out_parts, uint32_t max) {
  struct statement select =
      connection_statement(connection, "SELECT id, count, first_seen_ns, last_seen_ns, hashes FROM issue_part WHERE "
                                       "issue_id = ?1 ORDER BY last_seen_ns, id LIMIT ?2");
  statement_bind_u64(&select, 1, issue);
  statement_bind_i64(&select, 2, max);
  uint32_t count = 0;
  while (statement_step(&select)) {
    struct issue_part *part = &out_parts[count++];
    struct slice hashes = statement_blob(&select, 4);
    *part = (struct issue_part){.row = statement_i64(&select, 0),
                                .count = statement_u64(&select, 1),
                                .first_seen_ns = statement_u64(&select, 2),
                                .last_seen_ns = statement_u64(&select, 3)};
    if (hashes.len > sizeof part->hashes) hashes.len = sizeof part->hashes;
    if (hashes.len > 0) memcpy(part->hashes, hashes.ptr, hashes.len);
    part->hash_count = (uint32_t)(hashes.len / ISSUE_HASH_BYTES);
  }
  return connection_status(connection) == STATUS_OK ? count : 0;
}

bool issue_part_has(const struct issue_part *part, const uint8_t hash[ISSUE_HASH_BYTES]) {
  for (uint32_t i = 0; i < part->hash_count; i++)
    if (memcmp(part->hashes[i], hash, ISSUE_HASH_BYTES) == 0) return true;
  return false;
}

// The target's part of the same hashes takes the counts up; its row, 0 when there is none.
static int64_t join_twin(struct connection *connection, int64_t row, uint64_t to) {
  struct statement update = connection_statement(
      connection,
      "UPDATE issue_part AS t SET count = t.count + s.count, first_seen_ns = min(t.first_seen_ns, s.first_seen_ns), "
      "last_seen_ns = max(t.last_seen_ns, s.last_seen_ns), title = iif(s.last_seen_ns > t.last_seen_ns, s.title, "
      "t.title), type = iif(s.last_seen_ns > t.last_seen_ns, s.type, t.type), value = iif(s.last_seen_ns > "
      "t.last_seen_ns, s.value, t.value), culprit = iif(s.last_seen_ns > t.last_seen_ns, s.culprit, t.culprit), level "
      "= iif(s.last_seen_ns > t.last_seen_ns, s.level, t.level), platform = iif(s.last_seen_ns > t.last_seen_ns, "
      "s.platform, t.platform) FROM issue_part AS s WHERE s.id = ?1 AND t.issue_id = ?2 AND t.hashes = s.hashes "
      "RETURNING id");
  statement_bind_i64(&update, 1, row);
  statement_bind_u64(&update, 2, to);
  return one_row(&update);
}

static void move_rows(struct connection *connection, int64_t row, uint64_t from, uint64_t to, int64_t twin) {
  static const struct {
    const char *sql;
    bool from_only;
  } steps[] = {
      {"INSERT INTO issue_hour (issue_id, hour, part_id, count) SELECT ?3, hour, ?4, count FROM issue_hour WHERE "
       "issue_id = ?2 AND part_id = ?1 ON CONFLICT DO UPDATE SET count = count + excluded.count",
       false},
      {"DELETE FROM issue_hour WHERE issue_id = ?2 AND part_id = ?1", true},
      {"UPDATE event SET issue_id = ?3, part_id = ?4 WHERE issue_id = ?2 AND part_id = ?1", false},
  };
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    struct statement step = connection_statement(connection, steps[i].sql);
    statement_bind_i64(&step, 1, row);
    statement_bind_u64(&step, 2, from);
    if (!steps[i].from_only) {
      statement_bind_u64(&step, 3, to);
      statement_bind_i64(&step, 4, twin);
    }
    statement_run(&step);
  }
}

void issue_part_move(struct connection *connection, int64_t row, uint64_t from, uint64_t to) {
  ASSERT(from != to);
  int64_t twin = row != 0 ? join_twin(connection, row, to) : 0;
  move_rows(connection, row, from, to, twin != 0 ? twin : row);
  struct statement part = twin != 0
                              ? connection_statement(connection, "DELETE FROM issue_part WHERE id = ?1")
                              : connection_statement(connection, "UPDATE issue_part SET issue_id = ?2 WHERE id = ?1");
  statement_bind_i64(&part, 1, row);
  if (twin == 0) statement_bind_u64(&part, 2, to);
  statement_run(&part);
}

void issue_part_describe(struct connection *connection, uint64_t issue) {
  struct statement update = connection_statement(
      connection, "UPDATE issue AS i SET title = p.title, type = p.type, value = p.value, culprit = p.culprit, level = "
                  "p.level, platform = p.platform FROM (SELECT * FROM issue_part WHERE issue_id = ?1 ORDER BY "
                  "last_seen_ns DESC, id DESC LIMIT 1) AS p WHERE i.id = ?1");
  statement_bind_u64(&update, 1, issue);
  statement_run(&update);
}
