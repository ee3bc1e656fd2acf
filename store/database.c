// SPDX-License-Identifier: Apache-2.0
//
// How it works: opening looks at the file first. Files of up to CHECK_BYTES_MAX are checked whole at every start (some
// 100 ms); larger ones when the run before met damage and left "<path>.check" behind. A file that fails is renamed
// aside together with its -wal and -shm, in one place and with a log line, and opening goes on with an empty file.
//
// Migrations run one transaction each; user_version is set inside it, so that an interruption leaves the old schema or
// the new one and never something between. application_id keeps us from writing into another program's file.
//
// The log is moved into the file (a passive checkpoint, which waits for nobody) by the writer after a commit that left
// over CHECKPOINT_PAGES in it, and emptied when there is nothing else to do or when it passed WAL_PAGES_MAX.
#include "store/database.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"

#define APPLICATION_ID   0x43756c70 // "Culp"
#define CHECK_BYTES_MAX  (UINT64_C(64) << 20)
#define CHECKPOINT_PAGES 8000  // 64 MiB of pages of 8 KiB: in a flood most pages are written several times between two
#define WAL_PAGES_MAX    16000 // 128 MiB
#define READERS_DEFAULT  4

#define READER_WAIT_NS (5 * NS_PER_S)
#define PATH_BYTES_MAX 3800 // leaves room for the endings

struct database {
  char path[PATH_MAX];
  struct atomic_u64 bytes_max;
  const struct clock *clock;
  struct mutex write_lock;
  struct connection *writer;
  struct mutex read_lock;
  struct condition reader_free;
  uint32_t readers_max, readers_open, free_count;
  struct connection *free_readers[DATABASE_READERS_MAX];
  struct atomic_bool_box damaged;
};

static void beside(const char *path, const char *ending, char out[PATH_MAX]) {
  snprintf(out, PATH_MAX, "%.*s%s", PATH_BYTES_MAX, path, ending);
}

static uint64_t file_bytes(const char *path) {
  struct stat info;
  return stat(path, &info) == 0 && info.st_size > 0 ? (uint64_t)info.st_size : 0;
}

static void sync_directory_of(const char *path) {
  char copy[PATH_MAX];
  beside(path, "", copy);
  int fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  fsync(fd);
  close(fd);
}

// Renames the file, its log and its index aside. A name that is taken gets another number.
static enum status set_aside(const struct database *database, const char *why, struct error *error) {
  char stamp[CLOCK_RFC3339_BYTES];
  clock_format_rfc3339(clock_wall_ns(database->clock), stamp);
  char target[PATH_MAX], from[PATH_MAX], to[PATH_MAX], ending[64];
  for (unsigned number = 0;; number++) {
    snprintf(ending, sizeof ending, ".corrupt-%.19sZ-%u", stamp, number);
    beside(database->path, ending, target);
    if (access(target, F_OK) != 0) break;
  }
  if (rename(database->path, target) != 0)
    return error_set(error, STATUS_IO, "%s: cannot be renamed: %s", database->path, strerror(errno));
  static const char *const companions[] = {"-wal", "-shm"};
  for (size_t i = 0; i < sizeof companions / sizeof companions[0]; i++) {
    beside(database->path, companions[i], from);
    beside(target, companions[i], to);
    if (rename(from, to) != 0 && errno != ENOENT)
      return error_set(error, STATUS_IO, "%s: cannot be renamed: %s", from, strerror(errno));
  }
  sync_directory_of(database->path);
  log_write(LOG_ERROR, "store", "the database is damaged; it was renamed and an empty one takes its place",
            LOG_FIELDS(log_text("path", database->path), log_text("renamed_to", target), log_text("reason", why)));
  return STATUS_OK;
}

static enum status make_file(const char *path, struct error *error) {
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return error_set(error, STATUS_IO, "%s: %s", path, strerror(errno));
  close(fd);
  return STATUS_OK;
}

// STATUS_CORRUPT when the pages contradict each other.
static enum status check(struct database *database, struct error *error) {
  char flag[PATH_MAX];
  beside(database->path, ".check", flag);
  bool flagged = access(flag, F_OK) == 0;
  if (!flagged && file_bytes(database->path) > CHECK_BYTES_MAX) return STATUS_OK;
  struct connection *writer = database->writer;
  int64_t faults = connection_query_i64(writer, "SELECT count(*) FROM pragma_quick_check(1) WHERE quick_check <> 'ok'");
  enum status status = connection_status(writer);
  if (status == STATUS_OK && faults != 0) status = STATUS_CORRUPT;
  if (status == STATUS_CORRUPT) return error_set(error, status, "the check of its pages failed");
  if (status != STATUS_OK) return error_set(error, status, "%s: cannot be checked", database->path);
  if (flagged) unlink(flag);
  return STATUS_OK;
}

static enum status open_writer(struct database *database, struct error *error) {
  enum status status = make_file(database->path, error);
  if (status == STATUS_OK) status = connection_open(database->path, CONNECTION_WRITE, &database->writer, error);
  if (status == STATUS_OK) status = check(database, error);
  if (status != STATUS_CORRUPT) return status;
  connection_close(database->writer);
  database->writer = NULL;
  struct error why = error ? *error : (struct error){0};
  status = set_aside(database, why.text, error);
  char flag[PATH_MAX];
  beside(database->path, ".check", flag);
  unlink(flag);
  if (status == STATUS_OK) status = make_file(database->path, error);
  if (status == STATUS_OK) status = connection_open(database->path, CONNECTION_WRITE, &database->writer, error);
  return status;
}

static long migration_number(const struct store_migration *migration) {
  return strtol(migration->name, NULL, 10);
}

static enum status migrate_one(struct connection *writer, const struct store_migration *migration,
                               struct error *error) {
  char version[64];
  snprintf(version, sizeof version, "PRAGMA user_version=%ld", migration_number(migration));
  connection_begin(writer);
  connection_execute(writer, migration->sql);
  connection_execute(writer, version);
  enum status status = connection_end(writer, error);
  if (status != STATUS_OK) error_prefix(error, "migration %s: ", migration->name);
  return status;
}

static enum status migrate(struct database *database, const struct store_migration *migrations, struct error *error) {
  struct connection *writer = database->writer;
  int64_t application = connection_query_i64(writer, "PRAGMA application_id");
  int64_t version = connection_query_i64(writer, "PRAGMA user_version");
  int64_t tables = connection_query_i64(writer, "SELECT count(*) FROM sqlite_schema");
  enum status status = connection_status(writer);
  if (status != STATUS_OK) return error_set(error, status, "%s: cannot be read", database->path);
  if (application != APPLICATION_ID && (application != 0 || tables != 0))
    return error_set(error, STATUS_UNSUPPORTED, "%s: this database belongs to another program", database->path);
  long newest = 0;
  for (const struct store_migration *m = migrations; m->name; m++) newest = migration_number(m);
  if (version > newest) {
    return error_set(error, STATUS_UNSUPPORTED,
                     "%s: made by a newer version of culprit (schema %lld, this one knows %ld); run that version, or "
                     "move the file away to start with an empty inbox",
                     database->path, (long long)version, newest);
  }
  if (application == 0) {
    char sql[64];
    snprintf(sql, sizeof sql, "PRAGMA application_id=%d", APPLICATION_ID);
    status = connection_execute(writer, sql);
  }
  for (const struct store_migration *m = migrations; m->name && status == STATUS_OK; m++) {
    if (migration_number(m) <= version) continue;
    status = migrate_one(writer, m, error);
  }
  return status;
}

static enum status limit_size(struct database *database, struct error *error) {
  uint64_t bytes_max = database_bytes_max(database);
  if (bytes_max == 0) return STATUS_OK;
  int64_t page_bytes = connection_query_i64(database->writer, "PRAGMA page_size");
  if (page_bytes < 512) return error_set(error, STATUS_IO, "%s: cannot be read", database->path);
  uint64_t pages = bytes_max / (uint64_t)page_bytes;
  if (pages > UINT32_MAX - 1) pages = UINT32_MAX - 1;
  if (pages == 0) pages = 1;
  char sql[64];
  snprintf(sql, sizeof sql, "PRAGMA max_page_count=%llu", (unsigned long long)pages);
  connection_query_i64(database->writer, sql);
  enum status status = connection_status(database->writer);
  return status == STATUS_OK ? status : error_set(error, status, "%s: cannot be limited", database->path);
}

enum status database_open(const struct database_options *options, struct database **out_database, struct error *error) {
  if (strlen(options->path) > PATH_BYTES_MAX)
    return error_set(error, STATUS_INVALID, "the database's path is too long");
  struct database *database = calloc(1, sizeof *database);
  if (!database) return error_set(error, STATUS_NO_MEMORY, "%s: no memory", options->path);
  beside(options->path, "", database->path);
  atomic_u64_set(&database->bytes_max, options->bytes_max);
  database->clock = options->clock ? options->clock : clock_system();
  database->readers_max = options->readers_max ? options->readers_max : READERS_DEFAULT;
  if (database->readers_max > DATABASE_READERS_MAX) database->readers_max = DATABASE_READERS_MAX;
  mutex_init(&database->write_lock);
  mutex_init(&database->read_lock);
  condition_init(&database->reader_free);
  struct error failure = {0};
  enum status status = open_writer(database, &failure);
  if (status == STATUS_OK)
    status = migrate(database, options->migrations ? options->migrations : store_migrations, &failure);
  if (status == STATUS_OK) status = limit_size(database, &failure);
  if (status != STATUS_OK) {
    if (error) *error = failure;
    database_close(database);
    return status;
  }
  *out_database = database;
  return STATUS_OK;
}

void database_close(struct database *database) {
  if (!database) return;
  ASSERT(database->free_count == database->readers_open);
  for (uint32_t i = 0; i < database->free_count; i++) connection_close(database->free_readers[i]);
  if (database->writer && connection_wal_pages(database->writer) > 0) connection_checkpoint(database->writer, true);
  connection_close(database->writer);
  condition_finish(&database->reader_free);
  mutex_finish(&database->read_lock);
  mutex_finish(&database->write_lock);
  free(database);
}

// Damage met in the middle of a run cannot be cured under open connections: remember it for the next start.
static void note_damage(struct database *database) {
  if (atomic_bool_get(&database->damaged)) return;
  atomic_bool_set(&database->damaged, true);
  char flag[PATH_MAX];
  beside(database->path, ".check", flag);
  int fd = open(flag, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  if (fd >= 0) close(fd);
  log_write(LOG_ERROR, "store", "the database is damaged; it will be checked and set aside at the next start",
            LOG_FIELDS(log_text("path", database->path)));
}

struct connection *database_write_begin(struct database *database) {
  mutex_lock(&database->write_lock);
  connection_begin(database->writer);
  return database->writer;
}

enum status database_write_end(struct database *database, struct error *error) {
  struct connection *writer = database->writer;
  enum status status = connection_end(writer, error);
  if (status == STATUS_CORRUPT) note_damage(database);
  uint32_t pages = connection_wal_pages(writer);
  if (status == STATUS_OK && pages >= CHECKPOINT_PAGES) connection_checkpoint(writer, pages >= WAL_PAGES_MAX);
  mutex_unlock(&database->write_lock);
  return status;
}

static struct connection *begin_read(struct database *database, bool may_wait, struct error *error) {
  mutex_lock(&database->read_lock);
  while (database->free_count == 0 && database->readers_open == database->readers_max) {
    if (may_wait && condition_wait_for(&database->reader_free, &database->read_lock, READER_WAIT_NS)) continue;
    mutex_unlock(&database->read_lock);
    error_set(error, STATUS_UNAVAILABLE, "all connections to the database are busy");
    return NULL;
  }
  struct connection *reader = NULL;
  if (database->free_count > 0) {
    reader = database->free_readers[--database->free_count];
  } else {
    database->readers_open++;
  }
  mutex_unlock(&database->read_lock);
  if (!reader && connection_open(database->path, CONNECTION_READ, &reader, error) != STATUS_OK) {
    mutex_lock(&database->read_lock);
    database->readers_open--;
    condition_signal(&database->reader_free);
    mutex_unlock(&database->read_lock);
    return NULL;
  }
  connection_begin(reader);
  return reader;
}

struct connection *database_read_begin(struct database *database, struct error *error) {
  return begin_read(database, true, error);
}

struct connection *database_read_try(struct database *database, struct error *error) {
  return begin_read(database, false, error);
}

enum status database_read_end(struct database *database, struct connection *connection, struct error *error) {
  enum status status = connection_end(connection, error);
  if (status == STATUS_CORRUPT) note_damage(database);
  mutex_lock(&database->read_lock);
  database->free_readers[database->free_count++] = connection;
  condition_signal(&database->reader_free);
  mutex_unlock(&database->read_lock);
  return status;
}

void database_idle(struct database *database) {
  mutex_lock(&database->write_lock);
  if (connection_wal_pages(database->writer) > 0) connection_checkpoint(database->writer, true);
  connection_release_memory(database->writer);
  mutex_unlock(&database->write_lock);
}

uint64_t database_bytes(const struct database *database) {
  char wal[PATH_MAX];
  beside(database->path, "-wal", wal);
  return file_bytes(database->path) + file_bytes(wal);
}

uint64_t database_bytes_max(const struct database *database) {
  return atomic_u64_get(&database->bytes_max);
}

enum status database_set_bytes_max(struct database *database, uint64_t bytes_max, struct error *error) {
  atomic_u64_set(&database->bytes_max, bytes_max);
  mutex_lock(&database->write_lock);
  connection_begin(database->writer); // the last transaction may have failed for want of just this, and that sticks
  enum status status = limit_size(database, error), ended = connection_end(database->writer, error);
  mutex_unlock(&database->write_lock);
  return status == STATUS_OK ? ended : status;
}

bool database_is_damaged(const struct database *database) {
  return atomic_bool_get(&database->damaged);
}

const char *database_library_version(void) {
  return connection_library_version();
}
