// SPDX-License-Identifier: Apache-2.0
//
// How it works: a batch is applied by issue_writer inside one transaction, together with the reader's cursor and the
// keys of the event ids taken (table recent_events). When the transaction fails, everything remembered in memory is
// dropped, since it may speak of rows that were rolled back, and is built again from the database before the next
// batch.
//
// Event ids are known by the rows of table event as long as those live, and by recent_events for the last
// RECENT_BATCHES_MAX batches even when the rows were evicted or never written.
//
// Merging and splitting come from other threads: everything remembered is read and changed under the writer's lock.
#include "store/issue_store.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/thread.h"
#include "store/cursor_store.h"
#include "store/issue_memory.h"
#include "store/issue_merge.h"
#include "store/issue_split.h"
#include "store/issue_writer.h"

#define RECENT_BATCHES_MAX 1024
#define RECENT_KEYS_LOADED 131072
#define EMPTY_ISSUES_MAX   100
// After a start or a failure, duplicates of events stored before are looked up in the database for this long.
#define RECALL_NS (120 * NS_PER_S)

struct issue_store {
  struct database *database;
  const struct clock *clock;
  struct issue_writer *writer;
  struct issue_memory *memory;
  struct item_writer *items;
  bool memory_is_complete;
  int64_t batch; // of the last row in recent_events
  uint64_t recall_until_ns;
  uint64_t version_seed;
  struct atomic_u64 version, issue_count, event_count;
};

// Reads what the memory must know before anything is written. Newest batches last, so that they are forgotten last.
static void recall(struct issue_store *store, struct connection *connection) {
  issue_memory_clear(store->memory);
  issue_writer_forget(store->writer);
  struct statement select = connection_statement(
      connection,
      "SELECT batch, keys FROM recent_events WHERE batch > (SELECT coalesce(min(batch), 0) - 1 FROM (SELECT "
      "batch, sum(length(keys) / 8) OVER (ORDER BY batch DESC) AS sum FROM recent_events) WHERE sum <= ?1) "
      "ORDER BY batch");
  statement_bind_i64(&select, 1, RECENT_KEYS_LOADED);
  store->batch = 0;
  while (statement_step(&select)) {
    store->batch = statement_i64(&select, 0);
    struct slice keys = statement_blob(&select, 1);
    for (size_t at = 0; at + sizeof(uint64_t) <= keys.len; at += sizeof(uint64_t)) {
      uint64_t key;
      memcpy(&key, keys.ptr + at, sizeof key);
      issue_memory_put_event(store->memory, key);
    }
  }
  store->recall_until_ns = clock_wall_ns(store->clock) + RECALL_NS;
  store->memory_is_complete = connection_status(connection) == STATUS_OK;
}

static uint64_t count_rows(struct connection *connection, const char *sql) {
  struct statement count = connection_statement(connection, sql);
  uint64_t rows = statement_step(&count) ? statement_u64(&count, 0) : 0;
  statement_reset(&count);
  return rows;
}

static enum status load(struct issue_store *store, struct error *error) {
  struct connection *connection = database_write_begin(store->database);
  recall(store, connection);
  atomic_u64_set(&store->issue_count, count_rows(connection, "SELECT count(*) FROM issue"));
  atomic_u64_set(&store->event_count, count_rows(connection, "SELECT count(*) FROM event"));
  return database_write_end(store->database, error);
}

enum status issue_store_open(const struct issue_store_options *options, struct issue_store **out_store,
                             struct error *error) {
  struct issue_store *store = calloc(1, sizeof *store);
  if (!store) return error_set(error, STATUS_NO_MEMORY, "no memory for the inbox");
  store->database = options->database;
  store->clock = options->clock;
  store->version_seed = random_u64();
  uint32_t groups = options->groups_per_day_max ? options->groups_per_day_max : ISSUE_STORE_GROUPS_PER_DAY_MAX;
  store->writer = issue_writer_create(groups);
  store->memory = issue_memory_create();
  store->items = item_writer_create(options->attachments_bytes_max);
  enum status status = STATUS_NO_MEMORY;
  if (store->writer && store->memory && store->items) {
    status = load(store, error);
  } else {
    error_set(error, status, "no memory for the inbox");
  }
  if (status != STATUS_OK) {
    issue_store_close(store);
    return status;
  }
  *out_store = store;
  return STATUS_OK;
}

void issue_store_close(struct issue_store *store) {
  if (!store) return;
  issue_writer_destroy(store->writer);
  issue_memory_destroy(store->memory);
  item_writer_destroy(store->items);
  free(store);
}

// Issues were merged, split or deleted.
static void forget_issues(struct issue_store *store) {
  issue_memory_forget_issues(store->memory);
  issue_writer_forget(store->writer);
}

static void save_recent(struct issue_store *store, struct connection *connection, struct slice keys) {
  if (keys.len == 0) return;
  struct statement insert = connection_statement(connection, "INSERT INTO recent_events (batch, keys) VALUES (?1, ?2)");
  statement_bind_i64(&insert, 1, ++store->batch); // after a failure numbers are left out, which does no harm
  statement_bind_blob(&insert, 2, keys);
  statement_run(&insert);
  struct statement forget = connection_statement(connection, "DELETE FROM recent_events WHERE batch <= ?1");
  statement_bind_i64(&forget, 1, store->batch - RECENT_BATCHES_MAX);
  statement_run(&forget);
}

enum status issue_store_write(struct issue_store *store, struct issue_batch *batch, const char *cursor,
                              uint64_t sequence, struct issue_store_outcome *out_outcome, struct error *error) {
  struct connection *connection = database_write_begin(store->database);
  struct issue_writer_result result = {0};
  if (!issue_batch_is_empty(batch) && !store->memory_is_complete) recall(store, connection);
  if (batch->count > 0) {
    issue_writer_apply(store->writer, connection, store->memory, batch, clock_wall_ns(store->clock),
                       store->recall_until_ns, &result);
    save_recent(store, connection, issue_writer_event_keys(store->writer));
  }
  item_writer_apply(store->items, connection, store->memory, batch, &result.outcome.items);
  cursor_store_set(connection, cursor, sequence);
  enum status status = database_write_end(store->database, error);
  if (status != STATUS_OK) {
    store->memory_is_complete = false;
    item_writer_forget(store->items);
    return status;
  }
  if (result.outcome.items.changed) atomic_u64_add(&store->version, 1);
  if (result.outcome.events + result.outcome.duplicates > 0) {
    atomic_u64_add(&store->version, 1);
    atomic_u64_add(&store->issue_count, result.outcome.issues);
    atomic_u64_add(&store->event_count, (uint64_t)result.stored_change); // modulo 2^64: may be negative
  }
  *out_outcome = result.outcome;
  return STATUS_OK;
}

enum status issue_store_set_status(struct issue_store *store, uint64_t issue, enum issue_status status,
                                   struct error *error) {
  struct connection *connection = database_write_begin(store->database);
  uint64_t now_ns = clock_wall_ns(store->clock);
  issue = issue_merge_follow(connection, issue);
  struct statement select = connection_statement(connection, "SELECT status FROM issue WHERE id = ?1");
  statement_bind_u64(&select, 1, issue);
  bool found = statement_step(&select);
  bool changes = found && statement_i64(&select, 0) != (int64_t)status;
  statement_reset(&select);
  if (!found) connection_fail(connection, STATUS_NOT_FOUND, "there is no such issue");
  if (changes) {
    struct statement update =
        connection_statement(connection, "UPDATE issue SET status = ?2, substatus = ?3, status_ns = ?4 WHERE id = ?1");
    statement_bind_u64(&update, 1, issue);
    statement_bind_i64(&update, 2, status);
    statement_bind_i64(&update, 3, ISSUE_ONGOING);
    statement_bind_u64(&update, 4, now_ns);
    statement_run(&update);
    issue_writer_add_history(connection, issue, now_ns, issue_status_name(status));
  }
  enum status result = database_write_end(store->database, error);
  if (result == STATUS_OK && changes) atomic_u64_add(&store->version, 1);
  return result;
}

enum status issue_store_merge(struct issue_store *store, uint64_t issue, const uint64_t *others, uint32_t other_count,
                              uint64_t *out_issue, struct error *error) {
  struct buffer keys;
  buffer_init(&keys, 1 << 20);
  struct issue_merge_result result = {0};
  struct connection *connection = database_write_begin(store->database);
  issue_merge_apply(connection, clock_wall_ns(store->clock), issue, slice_make(others, other_count * sizeof *others),
                    &keys, &result);
  save_recent(store, connection, buffer_slice(&keys));
  forget_issues(store);
  for (size_t at = 0; at < keys.len; at += sizeof(uint64_t)) {
    uint64_t key;
    memcpy(&key, keys.ptr + at, sizeof key);
    issue_memory_put_event(store->memory, key);
  }
  enum status status = database_write_end(store->database, error);
  buffer_finish(&keys);
  if (status != STATUS_OK) return status;
  atomic_u64_add(&store->version, 1);
  atomic_u64_sub(&store->issue_count, result.issues_gone);
  atomic_u64_sub(&store->event_count, result.events_gone);
  *out_issue = result.issue;
  return STATUS_OK;
}

enum status issue_store_split(struct issue_store *store, uint64_t issue, struct slice hashes, uint64_t *out_issue,
                              struct error *error) {
  struct connection *connection = database_write_begin(store->database);
  uint64_t made = issue_split_apply(connection, clock_wall_ns(store->clock), issue, hashes);
  forget_issues(store);
  enum status status = database_write_end(store->database, error);
  if (status != STATUS_OK) return status;
  atomic_u64_add(&store->version, 1);
  atomic_u64_add(&store->issue_count, 1);
  *out_issue = made;
  return STATUS_OK;
}

static void delete_issue(struct connection *connection, int64_t issue) {
  static const char *const statements[] = {
      "DELETE FROM issue_hash WHERE issue_id = ?1",
      "DELETE FROM issue_hour WHERE issue_id = ?1",
      "DELETE FROM issue_tag_key WHERE issue_id = ?1",
      "DELETE FROM issue_tag WHERE issue_id = ?1",
      "DELETE FROM issue_history WHERE issue_id = ?1",
      "DELETE FROM issue_part WHERE issue_id = ?1",
      "DELETE FROM issue_merged WHERE issue_id = ?1",
      "DELETE FROM issue WHERE id = ?1",
      "UPDATE feedback SET issue_id = NULL WHERE issue_id = ?1", // another issue may get the id
  };
  for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
    struct statement delete = connection_statement(connection, statements[i]);
    statement_bind_i64(&delete, 1, issue);
    statement_run(&delete);
  }
}

// Takes one event out; true when its issue went with it.
static bool delete_event(struct connection *connection, int64_t row, int64_t issue) {
  item_writer_delete_of_event(connection, row);
  struct statement delete = connection_statement(connection, "DELETE FROM event WHERE id = ?1");
  statement_bind_i64(&delete, 1, row);
  statement_run(&delete);
  struct statement update = connection_statement(
      connection,
      "UPDATE issue SET stored = stored - 1, first_row = nullif(first_row, ?2) WHERE id = ?1 RETURNING stored");
  statement_bind_i64(&update, 1, issue);
  statement_bind_i64(&update, 2, row);
  bool empty = statement_step(&update) && statement_i64(&update, 0) <= 0;
  statement_reset(&update);
  if (empty) delete_issue(connection, issue);
  return empty;
}

// Issues without stored events (of a split whose events were evicted before) go when their last one would.
static uint32_t delete_empty(struct connection *connection, uint64_t before_ns) {
  uint32_t deleted = 0;
  for (; deleted < EMPTY_ISSUES_MAX; deleted++) {
    struct statement select =
        connection_statement(connection, "SELECT id FROM issue WHERE stored = 0 AND last_seen_ns < ?1 LIMIT 1");
    statement_bind_u64(&select, 1, before_ns);
    int64_t issue = statement_step(&select) ? statement_i64(&select, 0) : 0;
    statement_reset(&select);
    if (issue == 0) break;
    delete_issue(connection, issue);
  }
  return deleted;
}

// The values known for the filters, from the issues that are left.
static void refresh_known_values(struct connection *connection) {
  struct statement delete = connection_statement(connection, "DELETE FROM known_value");
  statement_run(&delete);
  struct statement insert =
      connection_statement(connection, "INSERT INTO known_value (key, value) SELECT DISTINCT key, value FROM issue_tag "
                                       "WHERE key IN ('service', 'environment') LIMIT 1000");
  statement_run(&insert);
}

enum status issue_store_retain(struct issue_store *store, uint64_t keep_ns, uint32_t events_max, uint32_t *out_deleted,
                               struct error *error) {
  uint64_t now_ns = clock_wall_ns(store->clock);
  uint64_t before_ns = now_ns > keep_ns ? now_ns - keep_ns : 0;
  struct connection *connection = database_write_begin(store->database);
  uint32_t deleted = 0, issues = 0;
  while (deleted < events_max) {
    // Rows are numbered in the order they were received.
    struct statement oldest =
        connection_statement(connection, "SELECT id, issue_id, received_ns FROM event ORDER BY id LIMIT 1");
    if (!statement_step(&oldest)) break;
    int64_t row = statement_i64(&oldest, 0), issue = statement_i64(&oldest, 1);
    bool old = statement_u64(&oldest, 2) < before_ns;
    statement_reset(&oldest);
    if (!old) break;
    issues += delete_event(connection, row, issue);
    deleted++;
  }
  uint32_t beside = item_writer_retain(connection, before_ns, events_max);
  issues += delete_empty(connection, before_ns);
  if (issues > 0 && deleted < events_max) refresh_known_values(connection);
  if (issues > 0) forget_issues(store);
  enum status status = database_write_end(store->database, error);
  if (status != STATUS_OK) return status;
  if (deleted + issues + beside > 0) atomic_u64_add(&store->version, 1);
  atomic_u64_sub(&store->issue_count, issues);
  atomic_u64_sub(&store->event_count, deleted);
  *out_deleted = deleted;
  return STATUS_OK;
}

uint64_t issue_store_version(const struct issue_store *store) {
  return store->version_seed + atomic_u64_get(&store->version);
}

uint64_t issue_store_issue_count(const struct issue_store *store) {
  return atomic_u64_get(&store->issue_count);
}

uint64_t issue_store_event_count(const struct issue_store *store) {
  return atomic_u64_get(&store->event_count);
}
