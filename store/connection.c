// SPDX-License-Identifier: Apache-2.0
//
// How it works: a connection is opened with SQLITE_OPEN_NOMUTEX, since one thread uses it at a time. Statements are
// prepared once and kept in a small array, looked up by the address of their text. SQLite may roll back on its own
// (disk full, I/O error), so connection_end asks for the autocommit state before it rolls back.
//
// In WAL mode readers never block the writer. Checkpoints are the writer's alone: automatic ones are off everywhere,
// and readers do not checkpoint when they close, because two connections that checkpoint at once can damage the file in
// SQLite before 3.51.3.
#include "store/connection.h"

#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "store/wal_gather.h"

#define STATEMENTS_MAX  256
#define BUSY_TIMEOUT_MS 2000
#define READ_TIMEOUT_NS (5 * NS_PER_S)
#define HEAP_BYTES_MAX  (INT64_C(96) << 20) // of all connections; beyond it statements fail with STATUS_NO_MEMORY
#define PROGRESS_STEPS  2000 // virtual machine steps between looks at the clock, well under a millisecond

struct cached {
  const char *sql;
  sqlite3_stmt *native;
};

struct connection {
  sqlite3 *native;
  struct wal_gather *gather; // writers
  enum connection_mode mode;
  enum status status;
  struct error error;
  bool in_transaction;
  uint64_t deadline_ns; // readers
  uint32_t wal_pages;
  uint32_t statement_count;
  struct cached statements[STATEMENTS_MAX];
};

static enum status status_of(int code) {
  switch (code & 0xff) {
  case SQLITE_OK:
  case SQLITE_ROW:
  case SQLITE_DONE: return STATUS_OK;
  case SQLITE_NOMEM: return STATUS_NO_MEMORY;
  case SQLITE_FULL:
  case SQLITE_BUSY:
  case SQLITE_LOCKED:
  case SQLITE_READONLY: return STATUS_UNAVAILABLE;
  case SQLITE_IOERR: return code == SQLITE_IOERR_NOMEM ? STATUS_NO_MEMORY : STATUS_IO;
  case SQLITE_CANTOPEN:
  case SQLITE_PERM: return STATUS_IO;
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB: return STATUS_CORRUPT;
  case SQLITE_INTERRUPT: return STATUS_TIMEOUT;
  case SQLITE_TOOBIG: return STATUS_TOO_LARGE;
  case SQLITE_CONSTRAINT: return STATUS_CONFLICT;
  default: return STATUS_INTERNAL;
  }
}

static enum status fail(struct connection *connection, int code) {
  enum status status = status_of(code);
  if (status != STATUS_OK && connection->status == STATUS_OK) {
    connection->status = status;
    error_set(&connection->error, status, "SQLite: %s", sqlite3_errmsg(connection->native));
  }
  return status;
}

static int on_commit(void *context, sqlite3 *native, const char *name, int pages) {
  (void)native;
  (void)name;
  struct connection *connection = context;
  connection->wal_pages = pages > 0 ? (uint32_t)pages : 0;
  return SQLITE_OK;
}

static int on_progress(void *context) {
  const struct connection *connection = context;
  return connection->deadline_ns != 0 && clock_monotonic_ns(clock_system()) > connection->deadline_ns;
}

static void harden(sqlite3 *native) {
  static const struct {
    int limit, value;
  } limits[] = {
      {SQLITE_LIMIT_LENGTH, 32 << 20},
      {SQLITE_LIMIT_SQL_LENGTH, 64 << 10},
      {SQLITE_LIMIT_COLUMN, 64},
      {SQLITE_LIMIT_EXPR_DEPTH, 50},
      {SQLITE_LIMIT_COMPOUND_SELECT, 8},
      {SQLITE_LIMIT_VDBE_OP, 20000},
      {SQLITE_LIMIT_FUNCTION_ARG, 16},
      {SQLITE_LIMIT_ATTACHED, 0},
      {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000},
      {SQLITE_LIMIT_VARIABLE_NUMBER, 100},
      {SQLITE_LIMIT_TRIGGER_DEPTH, 1},
      {SQLITE_LIMIT_WORKER_THREADS, 0},
  };
  static const struct {
    int option, value;
  } options[] = {
      {SQLITE_DBCONFIG_DEFENSIVE, 1},
      {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
      {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
      {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
      {SQLITE_DBCONFIG_DQS_DML, 0},
      {SQLITE_DBCONFIG_DQS_DDL, 0},
      {SQLITE_DBCONFIG_ENABLE_FKEY, 0},
      {SQLITE_DBCONFIG_WRITABLE_SCHEMA, 0},
      {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
  };
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) sqlite3_limit(native, limits[i].limit, limits[i].value);
  for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
    sqlite3_db_config(native, options[i].option, options[i].value, (int *)NULL);
}

static const char settings_common[] = "PRAGMA cell_size_check=ON;"
                                      "PRAGMA mmap_size=0;"
                                      "PRAGMA temp_store=MEMORY;"
                                      "PRAGMA wal_autocheckpoint=0;";
// Pages of 8 KiB: a compressed event is one or two of them. They are chosen when the file is made. The cache holds the
// pages that a large batch changes, so that they are written once.
static const char settings_write[] = "PRAGMA page_size=8192;"
                                     "PRAGMA journal_mode=WAL;"
                                     "PRAGMA synchronous=FULL;"
                                     "PRAGMA journal_size_limit=134217728;"
                                     "PRAGMA secure_delete=FAST;"
                                     "PRAGMA cache_size=-24576;";
static const char settings_read[] = "PRAGMA query_only=ON;"
                                    "PRAGMA cache_size=-2048;";

enum status connection_open(const char *path, enum connection_mode mode, struct connection **out_connection,
                            struct error *error) {
  struct connection *connection = calloc(1, sizeof *connection);
  if (!connection) return error_set(error, STATUS_NO_MEMORY, "%s: no memory", path);
  connection->mode = mode;
  sqlite3_hard_heap_limit64(HEAP_BYTES_MAX);
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
  flags |= mode == CONNECTION_WRITE ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
  int code = SQLITE_NOMEM;
  if (mode == CONNECTION_WRITE) connection->gather = wal_gather_create();
  if (mode == CONNECTION_READ || connection->gather) {
    const char *layer = connection->gather ? wal_gather_name(connection->gather) : NULL;
    code = sqlite3_open_v2(path, &connection->native, flags, layer);
  }
  if (!connection->native) {
    wal_gather_destroy(connection->gather);
    free(connection);
    return error_set(error, STATUS_NO_MEMORY, "%s: no memory", path);
  }
  if (fail(connection, code) == STATUS_OK) {
    harden(connection->native);
    sqlite3_busy_timeout(connection->native, BUSY_TIMEOUT_MS);
    if (mode == CONNECTION_WRITE) {
      connection_execute(connection, settings_write);
    } else {
      sqlite3_db_config(connection->native, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL);
      sqlite3_progress_handler(connection->native, PROGRESS_STEPS, on_progress, connection);
      connection_execute(connection, settings_read);
    }
    connection_execute(connection, settings_common);
    // Behind the settings: wal_autocheckpoint puts its own hook in this place.
    if (mode == CONNECTION_WRITE) sqlite3_wal_hook(connection->native, on_commit, connection);
    connection_query_i64(connection, "PRAGMA schema_version"); // reads the header: is this a database at all
  }
  if (connection->status != STATUS_OK) {
    enum status status = connection->status;
    error_set(error, status, "%s: %s", path, connection->error.text);
    connection_close(connection);
    return status;
  }
  *out_connection = connection;
  return STATUS_OK;
}

void connection_close(struct connection *connection) {
  if (!connection) return;
  for (uint32_t i = 0; i < connection->statement_count; i++) sqlite3_finalize(connection->statements[i].native);
  sqlite3_close(connection->native);
  wal_gather_destroy(connection->gather);
  free(connection);
}

enum status connection_execute(struct connection *connection, const char *sql) {
  if (connection->status != STATUS_OK) return connection->status;
  return fail(connection, sqlite3_exec(connection->native, sql, NULL, NULL, NULL));
}

int64_t connection_query_i64(struct connection *connection, const char *sql) {
  if (connection->status != STATUS_OK) return -1;
  sqlite3_stmt *native = NULL;
  int64_t answer = -1;
  int code = sqlite3_prepare_v2(connection->native, sql, -1, &native, NULL);
  if (code == SQLITE_OK) {
    code = sqlite3_step(native);
    if (code == SQLITE_ROW) answer = sqlite3_column_int64(native, 0);
  }
  fail(connection, code);
  sqlite3_finalize(native);
  return answer;
}

static void reset_statements(struct connection *connection) {
  for (uint32_t i = 0; i < connection->statement_count; i++) sqlite3_reset(connection->statements[i].native);
}

enum status connection_begin(struct connection *connection) {
  ASSERT(!connection->in_transaction);
  connection->status = STATUS_OK;
  connection->in_transaction = true;
  connection->deadline_ns = clock_monotonic_ns(clock_system()) + READ_TIMEOUT_NS;
  return connection_execute(connection, connection->mode == CONNECTION_WRITE ? "BEGIN IMMEDIATE" : "BEGIN");
}

void connection_rollback(struct connection *connection) {
  reset_statements(connection);
  connection->in_transaction = false;
  connection->deadline_ns = 0;
  if (!sqlite3_get_autocommit(connection->native)) sqlite3_exec(connection->native, "ROLLBACK", NULL, NULL, NULL);
}

enum status connection_end(struct connection *connection, struct error *error) {
  ASSERT(connection->in_transaction);
  reset_statements(connection);
  if (connection->mode == CONNECTION_WRITE) connection_execute(connection, "COMMIT");
  connection_rollback(connection); // nothing to do after a commit
  if (connection->status != STATUS_OK && error) *error = connection->error;
  return connection->status;
}

enum status connection_status(const struct connection *connection) {
  return connection->status;
}

void connection_fail(struct connection *connection, enum status status, const char *words) {
  if (connection->status != STATUS_OK) return;
  connection->status = status;
  error_set(&connection->error, status, "%s", words);
}

int64_t connection_last_row(const struct connection *connection) {
  return sqlite3_last_insert_rowid(connection->native);
}

int64_t connection_changes(const struct connection *connection) {
  return sqlite3_changes64(connection->native);
}

uint32_t connection_wal_pages(const struct connection *connection) {
  return connection->wal_pages;
}

void connection_checkpoint(struct connection *connection, bool truncate) {
  ASSERT(connection->mode == CONNECTION_WRITE && !connection->in_transaction);
  int left = -1;
  int mode = truncate ? SQLITE_CHECKPOINT_TRUNCATE : SQLITE_CHECKPOINT_PASSIVE;
  int code = sqlite3_wal_checkpoint_v2(connection->native, NULL, mode, &left, NULL);
  if (code == SQLITE_OK && truncate) connection->wal_pages = 0;
}

void connection_release_memory(struct connection *connection) {
  sqlite3_db_release_memory(connection->native);
}

const char *connection_library_version(void) {
  return sqlite3_libversion();
}

struct statement connection_statement(struct connection *connection, const char *sql) {
  struct statement statement = {.connection = connection};
  if (connection->status != STATUS_OK) return statement;
  for (uint32_t i = 0; i < connection->statement_count; i++) {
    if (connection->statements[i].sql != sql) continue;
    statement.native = connection->statements[i].native;
    sqlite3_reset(statement.native);
    sqlite3_clear_bindings(statement.native);
    return statement;
  }
  ASSERT(connection->statement_count < STATEMENTS_MAX);
  int code = sqlite3_prepare_v3(connection->native, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement.native, NULL);
  if (fail(connection, code) != STATUS_OK) return (struct statement){.connection = connection};
  struct cached *cached = &connection->statements[connection->statement_count++];
  *cached = (struct cached){.sql = sql, .native = statement.native};
  return statement;
}

void statement_bind_i64(struct statement *statement, int parameter, int64_t value) {
  if (statement->native) fail(statement->connection, sqlite3_bind_int64(statement->native, parameter, value));
}

void statement_bind_u64(struct statement *statement, int parameter, uint64_t value) {
  int64_t bits;
  memcpy(&bits, &value, sizeof bits);
  statement_bind_i64(statement, parameter, bits);
}

void statement_bind_text(struct statement *statement, int parameter, struct slice text) {
  if (!statement->native || text.len == 0) return; // unbound is NULL
  int code =
      sqlite3_bind_text64(statement->native, parameter, (const char *)text.ptr, text.len, SQLITE_STATIC, SQLITE_UTF8);
  fail(statement->connection, code);
}

void statement_bind_blob(struct statement *statement, int parameter, struct slice bytes) {
  if (!statement->native || bytes.len == 0) return;
  fail(statement->connection, sqlite3_bind_blob64(statement->native, parameter, bytes.ptr, bytes.len, SQLITE_STATIC));
}

bool statement_step(struct statement *statement) {
  if (!statement->native || statement->connection->status != STATUS_OK) return false;
  int code = sqlite3_step(statement->native);
  if (code == SQLITE_ROW) return true;
  fail(statement->connection, code);
  sqlite3_reset(statement->native);
  return false;
}

void statement_run(struct statement *statement) {
  bool row = statement_step(statement);
  ASSERT(!row);
}

void statement_reset(struct statement *statement) {
  if (statement->native) sqlite3_reset(statement->native);
}

int64_t statement_i64(const struct statement *statement, int column) {
  return sqlite3_column_int64(statement->native, column);
}

uint64_t statement_u64(const struct statement *statement, int column) {
  return (uint64_t)statement_i64(statement, column);
}

struct slice statement_text(const struct statement *statement, int column) {
  const unsigned char *text = sqlite3_column_text(statement->native, column);
  int len = text ? sqlite3_column_bytes(statement->native, column) : 0;
  return slice_make(text, (size_t)len);
}

struct slice statement_blob(const struct statement *statement, int column) {
  const void *bytes = sqlite3_column_blob(statement->native, column);
  int len = bytes ? sqlite3_column_bytes(statement->native, column) : 0;
  return slice_make(bytes, (size_t)len);
}

bool statement_is_null(const struct statement *statement, int column) {
  return sqlite3_column_type(statement->native, column) == SQLITE_NULL;
}
