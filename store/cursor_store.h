// SPDX-License-Identifier: Apache-2.0
//
// How far each reader of a journal has come, as rows, so that a reader whose effects are rows commits both in one
// transaction. The value is the first sequence whose effects are not stored yet.
#ifndef STORE_CURSOR_STORE_H
#define STORE_CURSOR_STORE_H

#include "store/database.h"

// Inside the caller's transaction (any connection). 0: there is no such cursor.
uint64_t cursor_store_get(struct connection *connection, const char *name);
// Inside a transaction of the writer.
void cursor_store_set(struct connection *connection, const char *name, uint64_t sequence);

// The same in a transaction of their own. Any thread.
enum status cursor_store_load(struct database *database, const char *name, uint64_t *out_sequence, struct error *error);
enum status cursor_store_save(struct database *database, const char *name, uint64_t sequence, struct error *error);

#endif
