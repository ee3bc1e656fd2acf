// SPDX-License-Identifier: Apache-2.0
//
// The SQLite file: migrations, transactions, readers, damage, budget.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/thread.h"
#include "store/cursor_store.h"
#include "store/database.h"
#include "tests/unit/store/temporary.h"

static const struct store_migration two[] = {
    {"0001_a.sql", "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1);"},
    {"0002_b.sql", "CREATE TABLE b (y TEXT) STRICT; UPDATE a SET x = x + 1;"},
    {NULL, NULL},
};
static const struct store_migration broken[] = {
    {"0001_a.sql", "CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1);"},
    {"0002_b.sql", "CREATE TABLE b (y TEXT) STRICT; UPDATE a SET x = 100; UPDATE nothing SET z = 1;"},
    {NULL, NULL},
};

static struct database *open_ok(const char *path, const struct store_migration *migrations) {
  struct database *database = NULL;
  struct error error = {0};
  struct database_options options = {.path = path, .migrations = migrations};
  enum status status = database_open(&options, &database, &error);
  if (status != STATUS_OK) fail_msg("%s", error.text);
  return database;
}

static int64_t ask(struct database *database, const char *sql) {
  struct error error = {0};
  struct connection *reader = database_read_begin(database, &error);
  assert_non_null(reader);
  struct statement select = connection_statement(reader, sql);
  int64_t answer = statement_step(&select) ? statement_i64(&select, 0) : -1;
  assert_int_equal(database_read_end(database, reader, &error), STATUS_OK);
  return answer;
}

static enum status execute(struct database *database, const char *sql) {
  struct error error = {0};
  connection_execute(database_write_begin(database), sql);
  return database_write_end(database, &error);
}

static void migrations_run_once_and_in_order(void **state) {
  const char *path = temporary_path(*state, "m.db");
  struct database *database = open_ok(path, two);
  assert_int_equal(ask(database, "SELECT x FROM a"), 2);
  assert_int_equal(ask(database, "PRAGMA user_version"), 2);
  database_close(database);
  database = open_ok(path, two);
  assert_int_equal(ask(database, "SELECT x FROM a"), 2);
  database_close(database);
}

static void a_failed_migration_leaves_the_old_schema(void **state) {
  const char *path = temporary_path(*state, "f.db");
  struct database *database = NULL;
  struct error error = {0};
  struct database_options options = {.path = path, .migrations = broken};
  assert_int_not_equal(database_open(&options, &database, &error), STATUS_OK);
  assert_non_null(strstr(error.text, "0002_b.sql"));
  assert_null(database);
  database = open_ok(path, two); // goes on behind the first one
  assert_int_equal(ask(database, "SELECT x FROM a"), 2);
  database_close(database);
}

static void a_newer_file_is_refused_and_left_alone(void **state) {
  const char *path = temporary_path(*state, "n.db");
  struct database *database = open_ok(path, two);
  assert_int_equal(execute(database, "PRAGMA user_version=99"), STATUS_OK);
  database_close(database);
  struct error error = {0};
  struct database_options options = {.path = path, .migrations = two};
  assert_int_equal(database_open(&options, &database, &error), STATUS_UNSUPPORTED);
  assert_non_null(strstr(error.text, "newer version"));
  assert_int_equal(temporary_count(*state, "n.db.corrupt"), 0);
}

static void a_foreign_file_is_refused(void **state) {
  const char *path = temporary_path(*state, "o.db");
  struct database *database = open_ok(path, two);
  assert_int_equal(execute(database, "PRAGMA application_id=77"), STATUS_OK);
  database_close(database);
  struct error error = {0};
  struct database_options options = {.path = path, .migrations = two};
  assert_int_equal(database_open(&options, &database, &error), STATUS_UNSUPPORTED);
  assert_non_null(strstr(error.text, "another program"));
}

static void a_transaction_is_all_or_nothing(void **state) {
  struct database *database = open_ok(temporary_path(*state, "t.db"), two);
  struct error error = {0};
  struct connection *writer = database_write_begin(database);
  struct statement insert = connection_statement(writer, "INSERT INTO a VALUES (?1)");
  statement_bind_i64(&insert, 1, 50);
  statement_run(&insert);
  insert = connection_statement(writer, "INSERT INTO a VALUES (?1)"); // a text in a STRICT integer column
  statement_bind_text(&insert, 1, SLICE_LITERAL("fifty"));
  statement_run(&insert);
  insert = connection_statement(writer, "INSERT INTO a VALUES (?1)"); // does nothing any more
  statement_bind_i64(&insert, 1, 51);
  statement_run(&insert);
  assert_int_equal(database_write_end(database, &error), STATUS_CONFLICT);
  assert_int_not_equal(error.text[0], 0);
  assert_int_equal(ask(database, "SELECT count(*) FROM a"), 1);
  assert_int_equal(execute(database, "INSERT INTO a VALUES (3)"), STATUS_OK);
  assert_int_equal(ask(database, "SELECT count(*) FROM a"), 2);
  database_close(database);
}

static void readers_see_the_last_commit_and_cannot_write(void **state) {
  struct database *database = open_ok(temporary_path(*state, "r.db"), two);
  struct error error = {0};
  struct connection *reader = database_read_begin(database, &error);
  struct statement count = connection_statement(reader, "SELECT count(*) FROM a");
  assert_true(statement_step(&count));
  assert_int_equal(statement_i64(&count, 0), 1);
  statement_reset(&count);
  assert_int_equal(execute(database, "INSERT INTO a VALUES (3)"), STATUS_OK); // does not wait for the reader
  count = connection_statement(reader, "SELECT count(*) FROM a");
  assert_true(statement_step(&count));
  assert_int_equal(statement_i64(&count, 0), 1); // its own snapshot
  struct statement insert = connection_statement(reader, "INSERT INTO a VALUES (4)");
  statement_run(&insert);
  assert_int_equal(database_read_end(database, reader, &error), STATUS_UNAVAILABLE);
  assert_int_equal(ask(database, "SELECT count(*) FROM a"), 2);
  database_close(database);
}

static void a_long_read_is_interrupted(void **state) {
  struct database *database = open_ok(temporary_path(*state, "l.db"), two);
  struct error error = {0};
  struct connection *reader = database_read_begin(database, &error);
  struct statement endless = connection_statement(
      reader, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n");
  assert_false(statement_step(&endless));
  assert_int_equal(database_read_end(database, reader, &error), STATUS_TIMEOUT);
  assert_int_equal(ask(database, "SELECT 7"), 7); // the connection is good again
  database_close(database);
}

struct waiter {
  struct database *database;
  int64_t answer;
};

static void read_in_turn(void *context) {
  struct waiter *waiter = context;
  waiter->answer = ask(waiter->database, "SELECT count(*) FROM a");
}

static void readers_wait_for_their_turn(void **state) {
  struct database *database = NULL;
  struct error error = {0};
  struct database_options options = {.path = temporary_path(*state, "q.db"), .migrations = two, .readers_max = 1};
  assert_int_equal(database_open(&options, &database, &error), STATUS_OK);
  struct connection *reader = database_read_begin(database, &error);
  assert_non_null(reader);
  assert_null(database_read_try(database, &error)); // at once
  assert_string_equal(error.text, "all connections to the database are busy");
  struct waiter waiter = {.database = database};
  struct thread thread = {0};
  assert_int_equal(thread_start(&thread, "waiter", read_in_turn, &waiter), STATUS_OK);
  assert_int_equal(database_read_end(database, reader, &error), STATUS_OK);
  thread_join(&thread);
  assert_int_equal(waiter.answer, 1);
  reader = database_read_try(database, &error);
  assert_non_null(reader);
  assert_int_equal(database_read_end(database, reader, &error), STATUS_OK);
  database_close(database);
}

static void memory_is_bounded(void **state) {
  struct database *database = open_ok(temporary_path(*state, "h.db"), two);
  assert_int_equal(execute(database, "INSERT INTO b SELECT hex(zeroblob(2000000))"), STATUS_OK);
  struct error error = {0};
  struct connection *reader = database_read_begin(database, &error);
  struct statement sort =
      connection_statement(reader, "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20) "
                                   "SELECT y || i FROM b, n ORDER BY y || (20 - i)");
  while (statement_step(&sort)) continue;
  assert_int_equal(database_read_end(database, reader, &error), STATUS_NO_MEMORY);
  assert_int_equal(ask(database, "SELECT count(*) FROM b"), 1);
  database_close(database);
}

static void damage(const char *path, off_t at) {
  int fd = open(path, O_RDWR | O_CLOEXEC);
  assert_true(fd >= 0);
  char junk[4096];
  memset(junk, 0xa5, sizeof junk);
  assert_int_equal(pwrite(fd, junk, sizeof junk, at), sizeof junk);
  close(fd);
}

static void a_damaged_file_is_set_aside(void **state) {
  const char *path = temporary_path(*state, "d.db");
  static const off_t places[] = {0, 4096};
  for (int i = 0; i < 2; i++) {
    struct database *database = open_ok(path, two);
    assert_int_equal(execute(database, "UPDATE a SET x = 40"), STATUS_OK);
    database_close(database);
    damage(path, places[i]);
    database = open_ok(path, two);
    assert_int_equal(ask(database, "SELECT x FROM a"), 2); // a fresh one
    database_close(database);
    assert_int_equal(temporary_count(*state, "d.db.corrupt"), i + 1);
  }
}

static void at_its_budget_it_refuses_and_recovers(void **state) {
  struct database *database = NULL;
  struct error error = {0};
  struct database_options options = {.path = temporary_path(*state, "b.db"), .migrations = two, .bytes_max = 256 << 10};
  assert_int_equal(database_open(&options, &database, &error), STATUS_OK);
  enum status status = STATUS_OK;
  int written = 0;
  for (; written < 1000 && status == STATUS_OK; written++)
    status = execute(database, "INSERT INTO b VALUES (hex(randomblob(2000)))");
  assert_int_equal(status, STATUS_UNAVAILABLE);
  assert_in_range(written, 20, 80);
  assert_int_equal(ask(database, "SELECT count(*) FROM b"), written - 1);
  assert_int_equal(execute(database, "DELETE FROM b"), STATUS_OK);
  assert_int_equal(execute(database, "INSERT INTO b VALUES (hex(randomblob(2000)))"), STATUS_OK);
  database_close(database);
}

static void the_log_is_emptied_when_idle(void **state) {
  const char *path = temporary_path(*state, "w.db");
  struct database *database = open_ok(path, two);
  assert_int_equal(execute(database, "INSERT INTO b VALUES (hex(randomblob(100000)))"), STATUS_OK);
  uint64_t before = database_bytes(database);
  database_idle(database);
  char wal[4096];
  snprintf(wal, sizeof wal, "%s-wal", path);
  struct stat info;
  assert_int_equal(stat(wal, &info), 0);
  assert_int_equal(info.st_size, 0);
  assert_true(before > 200000);
  assert_true(database_bytes(database) < before);
  database_close(database);
}

static void cursors_are_kept(void **state) {
  const char *path = temporary_path(*state, "c.db");
  struct database *database = open_ok(path, NULL);
  struct error error = {0};
  uint64_t sequence = 77;
  assert_int_equal(cursor_store_load(database, "inbox", &sequence, &error), STATUS_OK);
  assert_int_equal(sequence, 0);
  assert_int_equal(cursor_store_save(database, "inbox", 41, &error), STATUS_OK);
  assert_int_equal(cursor_store_save(database, "inbox", 42, &error), STATUS_OK);
  assert_int_equal(cursor_store_save(database, "other", 7, &error), STATUS_OK);
  database_close(database);
  database = open_ok(path, NULL);
  assert_int_equal(cursor_store_load(database, "inbox", &sequence, &error), STATUS_OK);
  assert_int_equal(sequence, 42);
  database_close(database);
}

static void the_file_is_private_and_hardened(void **state) {
  const char *path = temporary_path(*state, "p.db");
  struct database *database = open_ok(path, NULL);
  struct stat info;
  assert_int_equal(stat(path, &info), 0);
  assert_int_equal(info.st_mode & 0777, 0600);
  struct connection *writer = database_write_begin(database);
  assert_int_equal(connection_query_i64(writer, "PRAGMA synchronous"), 2);
  assert_int_equal(connection_query_i64(writer, "PRAGMA cell_size_check"), 1);
  assert_int_equal(connection_query_i64(writer, "PRAGMA trusted_schema"), 0);
  assert_int_equal(connection_query_i64(writer, "PRAGMA wal_autocheckpoint"), 0);
  struct error error = {0};
  connection_execute(writer, "ATTACH ':memory:' AS other");
  assert_int_not_equal(database_write_end(database, &error), STATUS_OK);
  database_close(database);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEMPORARY_TEST(migrations_run_once_and_in_order),
      TEMPORARY_TEST(a_failed_migration_leaves_the_old_schema),
      TEMPORARY_TEST(a_newer_file_is_refused_and_left_alone),
      TEMPORARY_TEST(a_foreign_file_is_refused),
      TEMPORARY_TEST(a_transaction_is_all_or_nothing),
      TEMPORARY_TEST(readers_see_the_last_commit_and_cannot_write),
      TEMPORARY_TEST(a_long_read_is_interrupted),
      TEMPORARY_TEST(readers_wait_for_their_turn),
      TEMPORARY_TEST(memory_is_bounded),
      TEMPORARY_TEST(a_damaged_file_is_set_aside),
      TEMPORARY_TEST(at_its_budget_it_refuses_and_recovers),
      TEMPORARY_TEST(the_log_is_emptied_when_idle),
      TEMPORARY_TEST(cursors_are_kept),
      TEMPORARY_TEST(the_file_is_private_and_hardened),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
