// SPDX-License-Identifier: Apache-2.0
//
// How it works: one row a setup, the one in force without an end, and every text once under its MD5. A change ends the
// row in force and adds one; then what is too old, too many or the same as what is in force now goes. Rows of project 0
// are what holds for projects without rows; the first rules of a project copy them, its past included.
//
// A text that is replaced minutes after it was set (somebody tries rules out) made few issues, one that stood for a
// year made most of them. Hence of too many past setups the one with the shortest reign goes, not the oldest.
#include "store/grouping_history.h"

#include <stdio.h>

#include "base/hash.h"

#define DIGEST_BYTES    16
#define EVERY_PROJECT   0
#define ALGORITHM_BYTES 50
#define CHANGES_MAX     100000 // rows of a program's start: two for each project

static struct slice digest_of(struct slice text, uint8_t out_digest[DIGEST_BYTES]) {
  if (text.len == 0) return (struct slice){0};
  struct hash_md5 md5;
  char hex[2 * DIGEST_BYTES + 1];
  hash_md5_init(&md5);
  hash_md5_update(&md5, text);
  hash_md5_finish(&md5, hex);
  bool good = slice_from_hex(slice_make(hex, sizeof hex - 1), out_digest, DIGEST_BYTES);
  ASSERT(good);
  return slice_make(out_digest, DIGEST_BYTES);
}

static void keep_text(struct connection *writer, struct slice digest, struct slice text) {
  if (text.len == 0) return;
  struct statement insert =
      connection_statement(writer, "INSERT INTO rule_text (digest, text) VALUES (?1, ?2) ON CONFLICT DO NOTHING");
  statement_bind_blob(&insert, 1, digest);
  statement_bind_text(&insert, 2, text);
  statement_run(&insert);
}

static void end_row(struct connection *writer, int64_t row, uint64_t now_ns) {
  // A row that no program has taken up yet (rules set before its first start) made no hashes.
  struct statement delete = connection_statement(writer, "DELETE FROM grouping_setup WHERE id = ?1 AND algorithm = ''");
  statement_bind_i64(&delete, 1, row);
  statement_run(&delete);
  struct statement update = connection_statement(writer, "UPDATE grouping_setup SET until_ns = ?2 WHERE id = ?1");
  statement_bind_i64(&update, 1, row);
  statement_bind_u64(&update, 2, now_ns);
  statement_run(&update);
}

// What need not be computed any more.
static void prune(struct connection *writer, int64_t project, uint64_t now_ns) {
  struct statement expired = connection_statement(
      writer,
      "DELETE FROM grouping_setup WHERE project_id = ?1 AND until_ns <= ?2 OR id IN (SELECT p.id FROM "
      "grouping_setup AS p JOIN grouping_setup AS a ON a.project_id = p.project_id AND a.until_ns IS NULL "
      "WHERE p.project_id = ?1 AND p.until_ns IS NOT NULL AND p.algorithm = a.algorithm AND "
      "p.builtin_enhancements IS a.builtin_enhancements AND p.builtin_fingerprinting IS "
      "a.builtin_fingerprinting AND p.enhancements IS a.enhancements AND p.fingerprinting IS a.fingerprinting)");
  statement_bind_i64(&expired, 1, project);
  statement_bind_u64(&expired, 2, now_ns > GROUPING_HISTORY_KEPT_NS ? now_ns - GROUPING_HISTORY_KEPT_NS : 0);
  statement_run(&expired);
  struct statement shortest = connection_statement(
      writer, "DELETE FROM grouping_setup WHERE id IN (SELECT id FROM grouping_setup WHERE project_id = ?1 AND "
              "until_ns IS NOT NULL ORDER BY until_ns - since_ns DESC, id DESC LIMIT -1 OFFSET ?2)");
  statement_bind_i64(&shortest, 1, project);
  statement_bind_i64(&shortest, 2, GROUPING_HISTORY_PAST_MAX);
  statement_run(&shortest);
}

static void forget_texts(struct connection *writer) {
  struct statement forget = connection_statement(
      writer, "DELETE FROM rule_text WHERE digest NOT IN (SELECT builtin_enhancements FROM grouping_setup WHERE "
              "builtin_enhancements IS NOT NULL UNION SELECT builtin_fingerprinting FROM grouping_setup WHERE "
              "builtin_fingerprinting IS NOT NULL UNION SELECT enhancements FROM grouping_setup WHERE enhancements IS "
              "NOT NULL UNION SELECT fingerprinting FROM grouping_setup WHERE fingerprinting IS NOT NULL)");
  statement_run(&forget);
}

// One row in force that is of another program; false when there is none.
static bool outdated_row(struct connection *writer, struct slice algorithm, struct slice enhancements,
                         struct slice fingerprinting, int64_t *out_row, int64_t *out_project) {
  struct statement select = connection_statement(
      writer, "SELECT id, project_id FROM grouping_setup WHERE until_ns IS NULL AND (algorithm <> ?1 OR "
              "builtin_enhancements IS NOT ?2 OR builtin_fingerprinting IS NOT ?3) LIMIT 1");
  statement_bind_text(&select, 1, algorithm);
  statement_bind_blob(&select, 2, enhancements);
  statement_bind_blob(&select, 3, fingerprinting);
  bool found = statement_step(&select);
  if (found) {
    *out_row = statement_i64(&select, 0);
    *out_project = statement_i64(&select, 1);
  }
  statement_reset(&select);
  return found;
}

static void insert_first(struct connection *writer, struct slice algorithm, struct slice enhancements,
                         struct slice fingerprinting, uint64_t now_ns) {
  struct statement insert = connection_statement(
      writer, "INSERT INTO grouping_setup (project_id, algorithm, builtin_enhancements, builtin_fingerprinting, "
              "since_ns) SELECT ?1, coalesce(?2, ''), ?3, ?4, ?5 WHERE NOT EXISTS (SELECT 1 FROM grouping_setup WHERE "
              "project_id = ?1)");
  statement_bind_i64(&insert, 1, EVERY_PROJECT);
  statement_bind_text(&insert, 2, algorithm);
  statement_bind_blob(&insert, 3, enhancements);
  statement_bind_blob(&insert, 4, fingerprinting);
  statement_bind_u64(&insert, 5, now_ns);
  statement_run(&insert);
}

enum status grouping_history_start(struct database *database, const struct clock *clock,
                                   const struct grouping_setup *program, struct error *error) {
  ASSERT(program->algorithm.len > 0 && program->algorithm.len <= ALGORITHM_BYTES);
  uint8_t digests[2][DIGEST_BYTES];
  struct slice enhancements = digest_of(program->builtin_enhancements, digests[0]);
  struct slice fingerprinting = digest_of(program->builtin_fingerprinting, digests[1]);
  uint64_t now_ns = clock_wall_ns(clock);
  struct connection *writer = database_write_begin(database);
  keep_text(writer, enhancements, program->builtin_enhancements);
  keep_text(writer, fingerprinting, program->builtin_fingerprinting);
  int64_t row = 0, project = 0;
  for (uint32_t i = 0; i < CHANGES_MAX; i++) {
    if (!outdated_row(writer, program->algorithm, enhancements, fingerprinting, &row, &project)) break;
    struct statement insert = connection_statement(
        writer, "INSERT INTO grouping_setup (project_id, algorithm, builtin_enhancements, builtin_fingerprinting, "
                "enhancements, fingerprinting, since_ns) SELECT project_id, ?2, ?3, ?4, enhancements, fingerprinting, "
                "?5 FROM grouping_setup WHERE id = ?1");
    statement_bind_i64(&insert, 1, row);
    statement_bind_text(&insert, 2, program->algorithm);
    statement_bind_blob(&insert, 3, enhancements);
    statement_bind_blob(&insert, 4, fingerprinting);
    statement_bind_u64(&insert, 5, now_ns);
    statement_run(&insert);
    end_row(writer, row, now_ns);
    prune(writer, project, now_ns);
  }
  insert_first(writer, program->algorithm, enhancements, fingerprinting, now_ns);
  forget_texts(writer);
  return database_write_end(database, error);
}

// The project's row in force; its rows are made from those of every project when it has none.
static int64_t row_in_force(struct connection *writer, uint32_t project) {
  struct statement copy = connection_statement(
      writer, "INSERT INTO grouping_setup (project_id, algorithm, builtin_enhancements, builtin_fingerprinting, "
              "enhancements, fingerprinting, since_ns, until_ns) SELECT ?1, algorithm, builtin_enhancements, "
              "builtin_fingerprinting, enhancements, fingerprinting, since_ns, until_ns FROM grouping_setup WHERE "
              "project_id = ?2 AND NOT EXISTS (SELECT 1 FROM grouping_setup WHERE project_id = ?1) ORDER BY id");
  statement_bind_i64(&copy, 1, project);
  statement_bind_i64(&copy, 2, EVERY_PROJECT);
  statement_run(&copy);
  struct statement select =
      connection_statement(writer, "SELECT id FROM grouping_setup WHERE project_id = ?1 AND until_ns IS NULL");
  statement_bind_i64(&select, 1, project);
  int64_t row = statement_step(&select) ? statement_i64(&select, 0) : 0;
  statement_reset(&select);
  return row;
}

static bool has_rules(struct connection *writer, uint32_t project, struct slice enhancements,
                      struct slice fingerprinting) {
  struct statement select = connection_statement(
      writer, "SELECT coalesce((SELECT enhancements IS ?2 AND fingerprinting IS ?3 FROM grouping_setup WHERE "
              "project_id = ?1 AND until_ns IS NULL), ?2 IS NULL AND ?3 IS NULL)");
  statement_bind_i64(&select, 1, project);
  statement_bind_blob(&select, 2, enhancements);
  statement_bind_blob(&select, 3, fingerprinting);
  bool same = statement_step(&select) && statement_i64(&select, 0) != 0;
  statement_reset(&select);
  return same;
}

void grouping_history_set_rules_in(struct connection *writer, uint64_t now_ns, uint32_t project,
                                   struct slice enhancements, struct slice fingerprinting) {
  ASSERT(project != EVERY_PROJECT);
  if (enhancements.len > GROUPING_HISTORY_RULE_BYTES_MAX || fingerprinting.len > GROUPING_HISTORY_RULE_BYTES_MAX) {
    connection_fail(writer, STATUS_TOO_LARGE, "rules may have 1 MiB of text");
    return;
  }
  uint8_t digests[2][DIGEST_BYTES];
  struct slice enhancements_digest = digest_of(enhancements, digests[0]);
  struct slice fingerprinting_digest = digest_of(fingerprinting, digests[1]);
  if (has_rules(writer, project, enhancements_digest, fingerprinting_digest)) return;
  keep_text(writer, enhancements_digest, enhancements);
  keep_text(writer, fingerprinting_digest, fingerprinting);
  // A program that has never started leaves an empty name behind, which its start replaces.
  insert_first(writer, (struct slice){0}, (struct slice){0}, (struct slice){0}, now_ns);
  int64_t row = row_in_force(writer, project);
  struct statement insert = connection_statement(
      writer, "INSERT INTO grouping_setup (project_id, algorithm, builtin_enhancements, builtin_fingerprinting, "
              "enhancements, fingerprinting, since_ns) SELECT project_id, algorithm, builtin_enhancements, "
              "builtin_fingerprinting, ?2, ?3, ?4 FROM grouping_setup WHERE id = ?1");
  statement_bind_i64(&insert, 1, row);
  statement_bind_blob(&insert, 2, enhancements_digest);
  statement_bind_blob(&insert, 3, fingerprinting_digest);
  statement_bind_u64(&insert, 4, now_ns);
  statement_run(&insert);
  end_row(writer, row, now_ns);
  prune(writer, project, now_ns);
  forget_texts(writer);
}

enum status grouping_history_set_rules(struct database *database, const struct clock *clock, uint32_t project,
                                       struct slice enhancements, struct slice fingerprinting, struct error *error) {
  struct connection *writer = database_write_begin(database);
  grouping_history_set_rules_in(writer, clock_wall_ns(clock), project, enhancements, fingerprinting);
  return database_write_end(database, error);
}

static struct slice keep(struct connection *connection, struct arena *arena, struct slice text) {
  if (text.len == 0) return (struct slice){0};
  struct slice copy = arena_copy(arena, text);
  if (copy.ptr == NULL) connection_fail(connection, STATUS_NO_MEMORY, "no memory for the rules");
  return copy;
}

void grouping_history_load(struct connection *connection, uint32_t project, uint64_t now_ns, struct arena *arena,
                           struct grouping_history *out_history) {
  struct statement select = connection_statement(
      connection,
      "SELECT algorithm, (SELECT text FROM rule_text WHERE digest = builtin_enhancements), (SELECT text FROM rule_text "
      "WHERE digest = builtin_fingerprinting), (SELECT text FROM rule_text WHERE digest = enhancements), (SELECT text "
      "FROM rule_text WHERE digest = fingerprinting), since_ns, until_ns FROM grouping_setup WHERE project_id = "
      "(SELECT "
      "coalesce((SELECT project_id FROM grouping_setup WHERE project_id = ?1 LIMIT 1), ?2)) ORDER BY until_ns IS NOT "
      "NULL, until_ns DESC, id DESC LIMIT ?3");
  statement_bind_i64(&select, 1, project);
  statement_bind_i64(&select, 2, EVERY_PROJECT);
  statement_bind_i64(&select, 3, 1 + GROUPING_HISTORY_PAST_MAX);
  *out_history = (struct grouping_history){0};
  while (statement_step(&select)) {
    struct grouping_setup setup = {.since_ns = statement_u64(&select, 5), .until_ns = statement_u64(&select, 6)};
    if (!grouping_history_is_kept(&setup, now_ns)) continue;
    setup.algorithm = keep(connection, arena, statement_text(&select, 0));
    setup.builtin_enhancements = keep(connection, arena, statement_text(&select, 1));
    setup.builtin_fingerprinting = keep(connection, arena, statement_text(&select, 2));
    setup.enhancements = keep(connection, arena, statement_text(&select, 3));
    setup.fingerprinting = keep(connection, arena, statement_text(&select, 4));
    out_history->setups[out_history->count++] = setup;
  }
}

bool grouping_history_is_kept(const struct grouping_setup *setup, uint64_t now_ns) {
  return setup->until_ns == 0 || now_ns < setup->until_ns || now_ns - setup->until_ns < GROUPING_HISTORY_KEPT_NS;
}

uint64_t grouping_history_version(struct connection *connection) {
  struct statement select =
      connection_statement(connection, "SELECT seq FROM sqlite_sequence WHERE name = 'grouping_setup'");
  uint64_t version = statement_step(&select) ? statement_u64(&select, 0) : 0;
  statement_reset(&select);
  return version;
}

void grouping_history_id(const struct grouping_setup *setup, char out_id[GROUPING_HISTORY_ID_BYTES]) {
  const struct slice texts[] = {setup->builtin_enhancements, setup->builtin_fingerprinting, setup->enhancements,
                                setup->fingerprinting};
  struct hash_md5 md5;
  char hex[2 * DIGEST_BYTES + 1];
  hash_md5_init(&md5);
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    uint64_t len = texts[i].len; // so that moving words from one text to the next changes the digest
    hash_md5_update(&md5, slice_make(&len, sizeof len));
    hash_md5_update(&md5, texts[i]);
  }
  hash_md5_finish(&md5, hex);
  struct slice algorithm = slice_sub(setup->algorithm, 0, ALGORITHM_BYTES);
  snprintf(out_id, GROUPING_HISTORY_ID_BYTES, "%.*s+%.8s", SLICE_PRINTF(algorithm), hex);
}
