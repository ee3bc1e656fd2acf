// SPDX-License-Identifier: Apache-2.0
//
// Two small tables; every change counts the version of store/project_settings up. Keys are 16 random bytes as hex: a
// key names a project, it is no secret (browsers carry it).
#include "store/project_store.h"

#include <stdio.h>

#include "base/hash.h"
#include "store/project_settings.h"

static void make_key(char out[PROJECT_STORE_KEY_BYTES + 1]) {
  uint8_t bytes[PROJECT_STORE_KEY_BYTES / 2];
  random_bytes(bytes, sizeof bytes);
  slice_to_hex(slice_make(bytes, sizeof bytes), out);
  out[PROJECT_STORE_KEY_BYTES] = 0;
}

static void insert_key(struct connection *writer, uint32_t project, uint64_t now_ns, const char *key) {
  struct statement insert =
      connection_statement(writer, "INSERT INTO project_key (key, project_id, created_ns) VALUES (?1, ?2, ?3)");
  statement_bind_text(&insert, 1, slice_from_cstr(key));
  statement_bind_i64(&insert, 2, project);
  statement_bind_u64(&insert, 3, now_ns);
  statement_run(&insert);
  project_settings_bump(writer);
}

// Makes the transaction fail when the query (parameter 1 is `project`) counts `max` or more.
static void refuse_more_than(struct connection *writer, const char *sql, uint32_t project, int64_t max,
                             const char *words) {
  struct statement count = connection_statement(writer, sql);
  statement_bind_i64(&count, 1, project);
  if (!statement_step(&count)) return;
  bool full = statement_i64(&count, 0) >= max;
  statement_reset(&count);
  if (full) connection_fail(writer, STATUS_CONFLICT, words);
}

static void copy_text(struct slice text, size_t max, char *out) {
  size_t len = text.len < max ? text.len : max;
  if (len > 0) memcpy(out, text.ptr, len);
  out[len] = 0;
}

static const char select_projects[] =
    "SELECT p.id, p.slug, (SELECT k.key FROM project_key AS k WHERE k.project_id = p.id AND k.active = 1 "
    "ORDER BY k.created_ns, k.key LIMIT 1) FROM project AS p WHERE p.id > ?1 ORDER BY p.id LIMIT ?2";

static uint32_t read_projects(struct connection *connection, uint32_t after, struct project *out_projects,
                              uint32_t max) {
  struct statement select = connection_statement(connection, select_projects);
  statement_bind_i64(&select, 1, after);
  statement_bind_i64(&select, 2, max);
  uint32_t count = 0;
  while (statement_step(&select)) {
    struct project *project = &out_projects[count++];
    project->id = (uint32_t)statement_i64(&select, 0);
    copy_text(statement_text(&select, 1), PROJECT_STORE_SLUG_BYTES_MAX, project->slug);
    copy_text(statement_text(&select, 2), PROJECT_STORE_KEY_BYTES, project->key);
  }
  return count;
}

enum status project_store_ensure_default(struct database *database, const struct clock *clock,
                                         struct project *out_project, struct error *error) {
  struct connection *writer = database_write_begin(database);
  uint64_t now_ns = clock_wall_ns(clock);
  struct statement insert = connection_statement(
      writer, "INSERT INTO project (id, slug, created_ns) VALUES (?1, 'default', ?2) ON CONFLICT DO NOTHING");
  statement_bind_i64(&insert, 1, PROJECT_STORE_DEFAULT);
  statement_bind_u64(&insert, 2, now_ns);
  statement_run(&insert);
  struct project project = {0};
  if (read_projects(writer, PROJECT_STORE_DEFAULT - 1, &project, 1) == 1 && project.key[0] == 0) {
    make_key(project.key);
    insert_key(writer, project.id, now_ns, project.key);
  }
  enum status status = database_write_end(database, error);
  if (status == STATUS_OK) *out_project = project;
  return status;
}

static const char too_many[] = "there are as many projects as there may be";

static bool slug_is_valid(struct slice slug) {
  if (slug.len == 0 || slug.len > PROJECT_STORE_SLUG_BYTES_MAX || slug.ptr[0] == '-') return false;
  for (size_t i = 0; i < slug.len; i++) {
    uint8_t c = slug.ptr[i];
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_')) return false;
  }
  return true;
}

enum status project_store_create(struct database *database, const struct clock *clock, struct slice slug,
                                 struct project *out_project, struct error *error) {
  if (!slug_is_valid(slug)) {
    return error_set(error, STATUS_INVALID, "slug: 1 to %d of a-z, 0-9, '-' and '_', not starting with '-'",
                     PROJECT_STORE_SLUG_BYTES_MAX);
  }
  struct connection *writer = database_write_begin(database);
  uint64_t now_ns = clock_wall_ns(clock);
  refuse_more_than(writer, "SELECT count(*) FROM project WHERE id <> ?1", 0, PROJECT_STORE_PROJECTS_MAX, too_many);
  struct statement insert = connection_statement(writer, "INSERT INTO project (slug, created_ns) VALUES (?1, ?2)");
  statement_bind_text(&insert, 1, slug);
  statement_bind_u64(&insert, 2, now_ns);
  statement_run(&insert);
  struct project project = {.id = (uint32_t)connection_last_row(writer)};
  copy_text(slug, PROJECT_STORE_SLUG_BYTES_MAX, project.slug);
  make_key(project.key);
  insert_key(writer, project.id, now_ns, project.key);
  struct error said = {0};
  enum status status = database_write_end(database, &said);
  if (error) *error = said;
  if (status == STATUS_CONFLICT && strcmp(said.text, too_many) != 0)
    return error_set(error, status, "slug: there is a project \"%.*s\" already", SLICE_PRINTF(slug));
  if (status == STATUS_OK) *out_project = project;
  return status;
}

enum status project_store_add_key(struct database *database, const struct clock *clock, uint32_t project,
                                  char out_key[PROJECT_STORE_KEY_BYTES + 1], struct error *error) {
  struct connection *writer = database_write_begin(database);
  struct project known = {0};
  if (read_projects(writer, project - 1, &known, 1) != 1 || known.id != project)
    connection_fail(writer, STATUS_NOT_FOUND, "there is no such project");
  const char *words = "the project has as many keys as it may have";
  refuse_more_than(writer, "SELECT count(*) FROM project_key WHERE project_id = ?1", project,
                   PROJECT_STORE_OWN_KEYS_MAX, words);
  refuse_more_than(writer, "SELECT count(*) FROM project_key WHERE project_id <> ?1", 0, PROJECT_STORE_KEYS_MAX,
                   "there are as many keys as there may be");
  char key[PROJECT_STORE_KEY_BYTES + 1];
  make_key(key);
  insert_key(writer, project, clock_wall_ns(clock), key);
  enum status status = database_write_end(database, error);
  if (status == STATUS_OK) memcpy(out_key, key, sizeof key);
  return status;
}

enum status project_store_list(struct database *database, struct project *out_projects, uint32_t max,
                               uint32_t *out_count, struct error *error) {
  struct connection *reader = database_read_begin(database, error);
  if (!reader) return STATUS_UNAVAILABLE;
  uint32_t count = read_projects(reader, 0, out_projects, max);
  enum status status = database_read_end(database, reader, error);
  if (status == STATUS_OK) *out_count = count;
  return status;
}

enum status project_store_list_keys(struct database *database, struct project_key *out_keys, uint32_t max,
                                    uint32_t *out_count, struct error *error) {
  struct connection *reader = database_read_begin(database, error);
  if (!reader) return STATUS_UNAVAILABLE;
  struct statement select = connection_statement(
      reader, "SELECT k.key, k.project_id, p.slug FROM project_key AS k JOIN project AS p ON p.id = k.project_id "
              "WHERE k.active = 1 ORDER BY k.key LIMIT ?1");
  statement_bind_i64(&select, 1, max);
  uint32_t count = 0;
  while (statement_step(&select)) {
    struct project_key *key = &out_keys[count++];
    copy_text(statement_text(&select, 0), PROJECT_STORE_KEY_BYTES, key->key);
    key->project = (uint32_t)statement_i64(&select, 1);
    copy_text(statement_text(&select, 2), PROJECT_STORE_SLUG_BYTES_MAX, key->slug);
  }
  enum status status = database_read_end(database, reader, error);
  if (status == STATUS_OK) *out_count = count;
  return status;
}

enum status project_store_find_key(struct database *database, struct slice key, uint32_t *out_project,
                                   struct error *error) {
  struct connection *reader = database_read_begin(database, error);
  if (!reader) return STATUS_UNAVAILABLE;
  struct statement select =
      connection_statement(reader, "SELECT project_id FROM project_key WHERE key = ?1 AND active = 1");
  statement_bind_text(&select, 1, key);
  bool found = statement_step(&select);
  uint32_t project = found ? (uint32_t)statement_i64(&select, 0) : 0;
  enum status status = database_read_end(database, reader, error);
  if (status != STATUS_OK) return status;
  if (!found) return error_set(error, STATUS_NOT_FOUND, "there is no such key");
  *out_project = project;
  return STATUS_OK;
}

// --- one key ---------------------------------------------------------------------------------------------------------

// Runs a change of one key (parameters: key, project, and what the statement knows as ?3).
static enum status change_key(struct database *database, const char *sql, uint32_t project, struct slice key,
                              int64_t value, struct error *error) {
  struct connection *writer = database_write_begin(database);
  struct statement change = connection_statement(writer, sql);
  statement_bind_text(&change, 1, key);
  statement_bind_i64(&change, 2, project);
  statement_bind_i64(&change, 3, value);
  statement_run(&change);
  if (connection_status(writer) == STATUS_OK && connection_changes(writer) == 0)
    connection_fail(writer, STATUS_NOT_FOUND, "the project has no such key");
  project_settings_bump(writer);
  return database_write_end(database, error);
}

enum status project_store_set_key_active(struct database *database, uint32_t project, struct slice key, bool active,
                                         struct error *error) {
  return change_key(database, "UPDATE project_key SET active = ?3 WHERE key = ?1 AND project_id = ?2", project, key,
                    active, error);
}

enum status project_store_remove_key(struct database *database, uint32_t project, struct slice key,
                                     struct error *error) {
  return change_key(database, "DELETE FROM project_key WHERE key = ?1 AND project_id = ?2 AND ?3 = 0", project, key, 0,
                    error);
}

// --- inside a reader's transaction -----------------------------------------------------------------------------------

static bool read_row(struct statement *select, struct project_row *out_row) {
  if (!statement_step(select)) return false;
  *out_row = (struct project_row){.id = (uint32_t)statement_i64(select, 0), .created_ns = statement_u64(select, 2)};
  copy_text(statement_text(select, 1), PROJECT_STORE_SLUG_BYTES_MAX, out_row->slug);
  statement_reset(select);
  return true;
}

bool project_store_find(struct connection *reader, struct slice slug, struct project_row *out_row) {
  struct statement select = connection_statement(reader, "SELECT id, slug, created_ns FROM project WHERE slug = ?1");
  statement_bind_text(&select, 1, slug);
  return read_row(&select, out_row);
}

bool project_store_get(struct connection *reader, uint32_t id, struct project_row *out_row) {
  struct statement select = connection_statement(reader, "SELECT id, slug, created_ns FROM project WHERE id = ?1");
  statement_bind_i64(&select, 1, id);
  return read_row(&select, out_row);
}

uint32_t project_store_slugs(struct connection *reader, struct arena *arena, struct slice *out_slugs, uint32_t max) {
  struct statement select = connection_statement(reader, "SELECT slug FROM project ORDER BY slug LIMIT ?1");
  statement_bind_i64(&select, 1, max);
  uint32_t count = 0;
  while (statement_step(&select)) {
    out_slugs[count] = arena_copy(arena, statement_text(&select, 0));
    if (!out_slugs[count++].ptr) connection_fail(reader, STATUS_NO_MEMORY, "no memory for the answer");
  }
  return connection_status(reader) == STATUS_OK ? count : 0;
}

bool project_store_next(struct connection *reader, uint32_t after, struct project_row *out_row) {
  struct statement select =
      connection_statement(reader, "SELECT id, slug, created_ns FROM project WHERE id > ?1 ORDER BY id LIMIT 1");
  statement_bind_i64(&select, 1, after);
  return read_row(&select, out_row);
}

uint32_t project_store_keys_of(struct connection *reader, uint32_t project, struct project_key_row *out_keys,
                               uint32_t max) {
  struct statement select =
      connection_statement(reader, "SELECT key, active, created_ns FROM project_key WHERE project_id = ?1 "
                                   "ORDER BY created_ns, key LIMIT ?2");
  statement_bind_i64(&select, 1, project);
  statement_bind_i64(&select, 2, max);
  uint32_t count = 0;
  while (statement_step(&select)) {
    struct project_key_row *row = &out_keys[count++];
    *row = (struct project_key_row){.active = statement_i64(&select, 1) != 0, .created_ns = statement_u64(&select, 2)};
    copy_text(statement_text(&select, 0), PROJECT_STORE_KEY_BYTES, row->key);
  }
  return count;
}
