// SPDX-License-Identifier: Apache-2.0
//
// One row a cursor.
#include "store/cursor_store.h"

uint64_t cursor_store_get(struct connection *connection, const char *name) {
  struct statement get = connection_statement(connection, "SELECT sequence FROM cursor WHERE name = ?1");
  statement_bind_text(&get, 1, slice_from_cstr(name));
  uint64_t sequence = statement_step(&get) ? statement_u64(&get, 0) : 0;
  statement_reset(&get);
  return sequence;
}

void cursor_store_set(struct connection *connection, const char *name, uint64_t sequence) {
  struct statement set = connection_statement(connection, "INSERT INTO cursor (name, sequence) VALUES (?1, ?2) "
                                                          "ON CONFLICT (name) DO UPDATE SET sequence = ?2");
  statement_bind_text(&set, 1, slice_from_cstr(name));
  statement_bind_u64(&set, 2, sequence);
  statement_run(&set);
}

enum status cursor_store_load(struct database *database, const char *name, uint64_t *out_sequence,
                              struct error *error) {
  struct connection *reader = database_read_begin(database, error);
  if (!reader) return STATUS_UNAVAILABLE;
  uint64_t sequence = cursor_store_get(reader, name);
  enum status status = database_read_end(database, reader, error);
  if (status == STATUS_OK) *out_sequence = sequence;
  return status;
}

enum status cursor_store_save(struct database *database, const char *name, uint64_t sequence, struct error *error) {
  cursor_store_set(database_write_begin(database), name, sequence);
  return database_write_end(database, error);
}
