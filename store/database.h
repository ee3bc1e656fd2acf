// SPDX-License-Identifier: Apache-2.0
//
// The SQLite file: one connection that writes and checkpoints, a few that read, and the numbered migrations.
//
// The writer is shared by the inbox thread (batches, retention) and whoever changes a state over the API; a transaction
// holds its lock, so that transactions are short and only staged work goes into them. Readers see the last commit and
// never wait for the writer. Any thread may call, except open and close.
//
// A file that is not a database or fails its check is renamed aside with its log ("culprit.db.corrupt-<time>…"), never
// deleted; an empty one takes its place and the journal's readers start over from what the journal still has.
#ifndef STORE_DATABASE_H
#define STORE_DATABASE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/status.h"
#include "store/connection.h"
#include "store/migrations.h"

#define DATABASE_READERS_MAX 16

struct database;

struct database_options {
  const char *path;                         // its directory exists
  uint64_t bytes_max;                       // of the file; at it writes fail with STATUS_UNAVAILABLE. 0: no limit
  uint32_t readers_max;                     // connections that read, default 4, at most DATABASE_READERS_MAX; opened
                                            // when first needed
  const struct store_migration *migrations; // NULL: store_migrations
  const struct clock *clock;                // NULL: the system's
};

// STATUS_UNSUPPORTED when a newer version of the program or another program made the file (it is left alone),
// STATUS_UNAVAILABLE when another process has it locked, STATUS_IO.
enum status database_open(const struct database_options *options, struct database **out_database, struct error *error);
// No transaction may be open. Empties the write-ahead log.
void database_close(struct database *database);

// Takes the lock and starts a transaction (failures are sticky: store/connection.h).
struct connection *database_write_begin(struct database *database);
// Commits, or rolls back when anything failed, and gives the lock back. The first failure.
enum status database_write_end(struct database *database, struct error *error);

// A reader with a transaction on the last commit. NULL when none is free within 5 s (STATUS_UNAVAILABLE) or none can be
// opened (STATUS_IO …).
struct connection *database_read_begin(struct database *database, struct error *error);
// The same without waiting: NULL when none is free now. For threads that must not wait for other readers.
struct connection *database_read_try(struct database *database, struct error *error);
// STATUS_OK, or what failed meanwhile (STATUS_TIMEOUT: it took over 5 s).
enum status database_read_end(struct database *database, struct connection *connection, struct error *error);

// Empties the write-ahead log; for moments without work.
void database_idle(struct database *database);

uint64_t database_bytes(const struct database *database); // file and log, as on disk
uint64_t database_bytes_max(const struct database *database);
// Another limit from now on; a file that is larger stays so, and refuses to grow. Not 0.
enum status database_set_bytes_max(struct database *database, uint64_t bytes_max, struct error *error);
// True after a statement met damage: the file is checked, and set aside when the damage is real, at the next start.
bool database_is_damaged(const struct database *database);
const char *database_library_version(void);

#endif
