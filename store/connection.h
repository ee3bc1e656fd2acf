// SPDX-License-Identifier: Apache-2.0
//
// One SQLite connection with its prepared statements. store/database hands connections out and says which may write;
// only files of store/ run statements.
//
// Failures are sticky, so that a transaction is written as many statements and one look at the end: the first failure
// of any statement since connection_begin stays in connection_status, later statements do nothing, and connection_end
// rolls back. A reader's transaction is interrupted 5 s after it began (STATUS_TIMEOUT).
//
// One thread at a time. SQL is constant text of the program (statements are cached by its address), values are bound.
#ifndef STORE_CONNECTION_H
#define STORE_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"

struct connection;

enum connection_mode { CONNECTION_WRITE, CONNECTION_READ };

// Opens with every defence on (reliability: DEFENSIVE, no triggers, views, extensions or attached files, untrusted
// schema, cell checks, no memory map, lowered limits). CONNECTION_WRITE makes the file when missing and turns WAL with
// synchronous FULL on. STATUS_CORRUPT when the file is not a database or damaged, STATUS_UNAVAILABLE when another
// process has it locked, STATUS_IO, STATUS_NO_MEMORY.
enum status connection_open(const char *path, enum connection_mode mode, struct connection **out_connection,
                            struct error *error);
void connection_close(struct connection *connection);

// Runs constant text of any number of statements outside the cache (migrations, settings).
enum status connection_execute(struct connection *connection, const char *sql);
// An integer that a PRAGMA or query answers; -1 on failure or no row.
int64_t connection_query_i64(struct connection *connection, const char *sql);

// Starts a transaction (a writer's takes the write lock) and clears the sticky failure.
enum status connection_begin(struct connection *connection);
// Commits when nothing has failed, else rolls back; a reader's is always just ended. Returns the first failure.
enum status connection_end(struct connection *connection, struct error *error);
void connection_rollback(struct connection *connection);

enum status connection_status(const struct connection *connection);
// Makes the transaction fail with a status of the caller's, unless something failed before.
void connection_fail(struct connection *connection, enum status status, const char *words);
int64_t connection_last_row(const struct connection *connection); // rowid of the last INSERT
int64_t connection_changes(const struct connection *connection);  // rows of the last INSERT, UPDATE or DELETE

// Pages in the write-ahead log after the last commit. Writers only.
uint32_t connection_wal_pages(const struct connection *connection);
// Moves the log into the file. Without `truncate` it takes what readers leave free and never waits; with it, it waits
// for readers (up to 2 s) and empties the log. The writer only, outside transactions.
void connection_checkpoint(struct connection *connection, bool truncate);
// Gives back the memory of cached pages.
void connection_release_memory(struct connection *connection);

const char *connection_library_version(void);

// A statement ready to bind: reset, nothing bound. Valid until the same text is asked for again or the transaction
// ends.
struct sqlite3_stmt;
struct statement {
  struct connection *connection;
  struct sqlite3_stmt *native; // NULL after a failure
};
struct statement connection_statement(struct connection *connection, const char *sql);

// Parameters count from 1. Bound bytes are borrowed until the statement is reset.
void statement_bind_i64(struct statement *statement, int parameter, int64_t value);
void statement_bind_u64(struct statement *statement, int parameter, uint64_t value);      // kept as the same 64 bits
void statement_bind_text(struct statement *statement, int parameter, struct slice text);  // an empty one is NULL
void statement_bind_blob(struct statement *statement, int parameter, struct slice bytes); // an empty one is NULL
// True when there is a row. False at the end and on failure; the statement is then reset.
bool statement_step(struct statement *statement);
// Runs a statement that answers no rows.
void statement_run(struct statement *statement);
void statement_reset(struct statement *statement);

// Columns of the current row count from 0; slices live until the next step. NULL is 0 or an empty slice.
int64_t statement_i64(const struct statement *statement, int column);
uint64_t statement_u64(const struct statement *statement, int column);
struct slice statement_text(const struct statement *statement, int column);
struct slice statement_blob(const struct statement *statement, int column);
bool statement_is_null(const struct statement *statement, int column);

#endif
