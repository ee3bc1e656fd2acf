// SPDX-License-Identifier: Apache-2.0
//
// A way for SQLite to write its log: in few large pieces. SQLite writes each page of a transaction as a head of 24
// bytes and a page, two system calls that both touch pages of the page cache which their neighbours touch again.
// Through this layer they are gathered and written when the log is synced, read or measured: so before anybody else may
// read them, since a commit becomes visible behind its sync (synchronous FULL, which the connection must use; and
// SQLITE_FCNTL_POWERSAFE_OVERWRITE, SQLite's default). What is lost when the process dies is what was never committed.
// Every other file goes to the system's own layer untouched.
//
// A name under which SQLite finds the layer. It must outlive the connections opened under it. Create and destroy: any
// thread; what is opened under it belongs to its connection's thread.
#ifndef STORE_WAL_GATHER_H
#define STORE_WAL_GATHER_H

#define WAL_GATHER_BYTES (128 << 10) // at most as much is held back

struct wal_gather;

struct wal_gather *wal_gather_create(void); // NULL: no memory
void wal_gather_destroy(struct wal_gather *gather);
const char *wal_gather_name(const struct wal_gather *gather); // for sqlite3_open_v2

#endif
