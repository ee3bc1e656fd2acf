// SPDX-License-Identifier: Apache-2.0
//
// The log written in large pieces: what is committed is there for every other connection, what is not is for nobody,
// and a disk that refuses makes the transaction fail and nothing else. The other connections here are SQLite's own.
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>
#include <sqlite3.h>

#include "store/connection.h"
#include "store/wal_gather.h"
#include "tests/unit/store/temporary.h"

#define ROW_BYTES 3000

static struct connection *open_writer(const char *path) {
  struct connection *writer = NULL;
  struct error error = {0};
  if (connection_open(path, CONNECTION_WRITE, &writer, &error) != STATUS_OK) fail_msg("%s", error.text);
  return writer;
}

static void make_table(struct connection *writer) {
  connection_begin(writer);
  connection_execute(writer, "CREATE TABLE row (id INTEGER PRIMARY KEY, mark INTEGER, bytes BLOB)");
  assert_int_equal(connection_end(writer, NULL), STATUS_OK);
}

static void insert_rows(struct connection *writer, int64_t mark, uint32_t count) {
  uint8_t bytes[ROW_BYTES];
  for (uint32_t i = 0; i < count; i++) {
    memset(bytes, (int)(mark + i), sizeof bytes);
    struct statement insert = connection_statement(writer, "INSERT INTO row (mark, bytes) VALUES (?1, ?2)");
    statement_bind_i64(&insert, 1, mark);
    statement_bind_blob(&insert, 2, slice_make(bytes, sizeof bytes));
    statement_run(&insert);
  }
}

// As another program would ask.
static int64_t ask(const char *path, const char *sql) {
  sqlite3 *other = NULL;
  sqlite3_stmt *statement = NULL;
  assert_int_equal(sqlite3_open_v2(path, &other, SQLITE_OPEN_READWRITE, "unix"), SQLITE_OK);
  assert_int_equal(sqlite3_db_config(other, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, (int *)NULL), SQLITE_OK);
  assert_int_equal(sqlite3_prepare_v2(other, sql, -1, &statement, NULL), SQLITE_OK);
  assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
  int64_t answer = sqlite3_column_int64(statement, 0);
  sqlite3_finalize(statement);
  sqlite3_close(other);
  return answer;
}

static int64_t rows(const char *path) {
  return ask(path, "SELECT count(*) FROM row");
}

static void assert_sound(const char *path) {
  assert_int_equal(ask(path, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
  // Every row has the bytes it was given: all alike, and of its place in its transaction.
  assert_int_equal(ask(path, "SELECT count(*) FROM row WHERE length(bytes) <> 3000 OR "
                             "replace(hex(bytes), substr(hex(bytes), 1, 2), '') <> ''"),
                   0);
}

static int64_t log_bytes(const char *path) {
  char name[600];
  struct stat info;
  snprintf(name, sizeof name, "%s-wal", path);
  return stat(name, &info) == 0 ? (int64_t)info.st_size : 0;
}

static void a_commit_is_there_for_everybody_and_nothing_before(void **state) {
  const char *path = temporary_path(*state, "a.db");
  struct connection *writer = open_writer(path);
  make_table(writer);
  for (uint32_t i = 1; i <= 40; i++) {
    connection_begin(writer);
    insert_rows(writer, i, i);
    assert_int_equal(rows(path), i * (i - 1) / 2);
    assert_int_equal(connection_end(writer, NULL), STATUS_OK);
    assert_int_equal(rows(path), i * (i + 1) / 2);
  }
  assert_sound(path);
  connection_close(writer);
  assert_int_equal(rows(path), 820);
}

// A transaction larger than the cache (24 MiB) goes to the log before its end, and is read back from there.
static void a_transaction_larger_than_the_cache_reads_what_it_wrote(void **state) {
  const char *path = temporary_path(*state, "a.db");
  struct connection *writer = open_writer(path);
  make_table(writer);
  connection_begin(writer);
  insert_rows(writer, 1, 10);
  assert_int_equal(connection_end(writer, NULL), STATUS_OK);
  for (int round = 0; round < 2; round++) { // rolled back, then committed
    connection_begin(writer);
    insert_rows(writer, 2 + round, 12000);
    assert_true(log_bytes(path) > 4 << 20);
    assert_int_equal(connection_query_i64(writer, "SELECT count(*) FROM row"), 12010);
    connection_execute(writer, "UPDATE row SET mark = mark + 100 WHERE id % 3 = 0"); // writes pages a second time
    assert_int_equal(connection_query_i64(writer, "SELECT count(*) FROM row WHERE mark > 100"), 4003);
    assert_int_equal(rows(path), 10);
    if (round == 0) {
      connection_rollback(writer);
      assert_int_equal(rows(path), 10);
      assert_int_equal(connection_query_i64(writer, "SELECT count(*) FROM row"), 10);
    } else {
      assert_int_equal(connection_end(writer, NULL), STATUS_OK);
    }
  }
  assert_int_equal(rows(path), 12010);
  assert_int_equal(ask(path, "SELECT count(*) FROM row WHERE mark > 100"), 4003);
  assert_sound(path);
  connection_checkpoint(writer, true);
  assert_int_equal(log_bytes(path), 0);
  assert_sound(path);
  connection_close(writer);
}

static void small_transactions_are_written_at_their_end(void **state) {
  const char *path = temporary_path(*state, "a.db");
  struct connection *writer = open_writer(path);
  make_table(writer);
  connection_checkpoint(writer, true);
  connection_begin(writer);
  insert_rows(writer, 1, 30);
  assert_int_equal(log_bytes(path), 0);
  assert_int_equal(connection_end(writer, NULL), STATUS_OK);
  assert_true(log_bytes(path) > 30 * ROW_BYTES);
  connection_close(writer);
}

static void a_log_begun_again_does_not_show_what_it_held(void **state) {
  const char *path = temporary_path(*state, "a.db");
  struct connection *writer = open_writer(path);
  make_table(writer);
  uint32_t expected = 0;
  for (uint32_t i = 0; i < 20; i++) {
    connection_begin(writer);
    insert_rows(writer, i, 200 - 9 * i);
    assert_int_equal(connection_end(writer, NULL), STATUS_OK);
    expected += 200 - 9 * i;
    connection_checkpoint(writer, i % 5 == 4); // the next transaction writes over the log from its start
    assert_int_equal(rows(path), expected);
  }
  assert_sound(path);
  connection_close(writer);
}

// A limit on the size of files makes the disk look full, in a process of its own.
static int write_on_a_full_disk(const char *path) {
  struct connection *writer = open_writer(path);
  struct rlimit before, tight;
  signal(SIGXFSZ, SIG_IGN);
  getrlimit(RLIMIT_FSIZE, &before);
  tight = before;
  tight.rlim_cur = 1 << 20;
  if (setrlimit(RLIMIT_FSIZE, &tight) != 0) return 10;
  connection_begin(writer);
  insert_rows(writer, 2, 20000); // more than the log may hold
  if (connection_end(writer, NULL) == STATUS_OK) return 11;
  if (rows(path) != 10) return 12;
  connection_begin(writer);
  insert_rows(writer, 3, 5);
  if (connection_end(writer, NULL) != STATUS_OK) return 13;
  if (rows(path) != 15) return 14;
  if (setrlimit(RLIMIT_FSIZE, &before) != 0) return 15;
  connection_begin(writer);
  insert_rows(writer, 4, 20000);
  if (connection_end(writer, NULL) != STATUS_OK) return 16;
  if (rows(path) != 20015) return 17;
  connection_close(writer);
  return 0;
}

static void a_full_disk_fails_the_transaction_and_nothing_else(void **state) {
  const char *path = temporary_path(*state, "a.db");
  struct connection *writer = open_writer(path);
  make_table(writer);
  connection_begin(writer);
  insert_rows(writer, 1, 10);
  assert_int_equal(connection_end(writer, NULL), STATUS_OK);
  connection_close(writer);
  pid_t child = fork();
  if (child == 0) _exit(write_on_a_full_disk(path));
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
  assert_int_equal(rows(path), 20015);
  assert_sound(path);
}

// SQLite's default layer, whose logs take no write while `is_full`. Registered as the default one it is what a layer
// that is created then lies on.
static struct {
  sqlite3_vfs vfs, *below;
  sqlite3_io_methods methods;
  const sqlite3_io_methods *below_methods;
  bool is_full;
} disk;

static int write_unless_full(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 offset) {
  return disk.is_full ? SQLITE_FULL : disk.below_methods->xWrite(file, bytes, len, offset);
}

static int open_on_disk(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags) {
  (void)vfs;
  int code = disk.below->xOpen(disk.below, path, file, flags, out_flags);
  if (code != SQLITE_OK || !(flags & SQLITE_OPEN_WAL)) return code;
  disk.below_methods = file->pMethods;
  disk.methods = *file->pMethods;
  disk.methods.xWrite = write_unless_full;
  file->pMethods = &disk.methods;
  return code;
}

// A layer on such a disk, which is the default one no longer.
static struct wal_gather *create_on_disk(void) {
  disk.below = sqlite3_vfs_find(NULL);
  disk.vfs = *disk.below;
  disk.vfs.zName = "disk";
  disk.vfs.xOpen = open_on_disk;
  assert_int_equal(sqlite3_vfs_register(&disk.vfs, 1), SQLITE_OK);
  struct wal_gather *gather = wal_gather_create();
  assert_non_null(gather);
  assert_int_equal(sqlite3_vfs_register(disk.below, 1), SQLITE_OK);
  return gather;
}

#define COUNT_TO(n) "WITH RECURSIVE c (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < " #n ") "

// A statement that reads back what the transaction wrote before it, when the log must be written for that and cannot:
// what is dropped is more than the statement's, so the whole transaction must go, and a commit must fail.
static void what_was_dropped_cannot_be_committed(void **state) {
  const char *path = temporary_path(*state, "a.db");
  struct wal_gather *gather = create_on_disk();
  sqlite3 *writer = NULL;
  int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  assert_int_equal(sqlite3_open_v2(path, &writer, flags, wal_gather_name(gather)), SQLITE_OK);
  const char *const before[] = {"PRAGMA page_size = 4096", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL",
                                "PRAGMA cache_size = 20", "CREATE TABLE a (id INTEGER PRIMARY KEY, text TEXT)",
                                "CREATE TABLE b (id INTEGER PRIMARY KEY, text TEXT UNIQUE)",
                                COUNT_TO(300) "INSERT INTO a SELECT i, printf('%900d', i) FROM c", "BEGIN",
                                // More than the cache holds, less than is gathered.
                                "UPDATE a SET text = 'new' || text WHERE id <= 100"};
  for (size_t i = 0; i < sizeof before / sizeof *before; i++)
    assert_int_equal(sqlite3_exec(writer, before[i], NULL, NULL, NULL), SQLITE_OK);
  disk.is_full = true;
  assert_int_not_equal(sqlite3_exec(writer, "INSERT INTO b SELECT id, text FROM a", NULL, NULL, NULL), SQLITE_OK);
  disk.is_full = false;
  assert_int_not_equal(sqlite3_get_autocommit(writer), 0);
  assert_int_not_equal(sqlite3_exec(writer, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(writer);
  assert_int_equal(ask(path, "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check <> 'ok'"), 0);
  assert_int_equal(ask(path, "SELECT count(*) FROM a WHERE text LIKE 'new%'"), 0);
  assert_int_equal(ask(path, "SELECT count(*) FROM a"), 300);
  wal_gather_destroy(gather);
  sqlite3_vfs_unregister(&disk.vfs);
}

// Killed at any moment: what was committed is there, the rest is not.
static void a_kill_leaves_whole_transactions(void **state) {
  const char *path = temporary_path(*state, "a.db");
  struct connection *writer = open_writer(path);
  make_table(writer);
  connection_close(writer);
  int64_t committed = 0;
  for (int round = 0; round < 8; round++) {
    int pipes[2];
    assert_int_equal(pipe(pipes), 0);
    pid_t child = fork();
    if (child == 0) {
      writer = open_writer(path);
      for (uint8_t i = 0;; i++) {
        connection_begin(writer);
        insert_rows(writer, i, 100);
        if (connection_end(writer, NULL) != STATUS_OK || write(pipes[1], &i, 1) != 1) _exit(1);
      }
    }
    close(pipes[1]);
    char answered[4];
    ssize_t got = 0;
    for (int i = 0; i <= round; i++) got += read(pipes[0], answered, 1);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    for (ssize_t more; (more = read(pipes[0], answered, sizeof answered)) > 0;) got += more;
    close(pipes[0]);
    int64_t there = rows(path);
    assert_int_equal(there % 100, 0);
    assert_true(there >= committed + 100 * got);
    committed = there;
    assert_sound(path);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEMPORARY_TEST(a_commit_is_there_for_everybody_and_nothing_before),
      TEMPORARY_TEST(a_transaction_larger_than_the_cache_reads_what_it_wrote),
      TEMPORARY_TEST(small_transactions_are_written_at_their_end),
      TEMPORARY_TEST(a_log_begun_again_does_not_show_what_it_held),
      TEMPORARY_TEST(a_full_disk_fails_the_transaction_and_nothing_else),
      TEMPORARY_TEST(what_was_dropped_cannot_be_committed),
      TEMPORARY_TEST(a_kill_leaves_whole_transactions),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
