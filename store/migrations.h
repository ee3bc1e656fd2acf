// SPDX-License-Identifier: Apache-2.0
//
// The numbered SQL files of store/migrations, embedded at build time, in ascending order; name NULL at the end.
#ifndef STORE_MIGRATIONS_H
#define STORE_MIGRATIONS_H

struct store_migration {
  const char *name; // "0001_inbox.sql"
  const char *sql;
};
extern const struct store_migration store_migrations[];

#endif
