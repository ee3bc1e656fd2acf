// SPDX-License-Identifier: Apache-2.0
//
// How it works: a VFS of SQLite that hands every call on to the default one. Only a file opened as a log is wrapped: it
// holds a run of bytes that follow each other, `len` of them from offset `from` on. A write that continues the run is
// added to it; any other first writes the run out. So whatever the order of calls, the file that the default layer sees
// changes in the order in which SQLite wrote.
//
//   struct log_file | the default layer's file (its szOsFile bytes)
//
// When writing out fails the run is dropped and the call that caused it fails. SQLite then rolls the transaction back,
// and the run was of no other: at the end of each transaction there is a sync. A read that fails says that it is for an
// I/O error whatever it was: of a full disk SQLite expects that from a write, and where a statement only reads it would
// undo that statement and keep the transaction, of which a part is gone.
#include "store/wal_gather.h"

#include <sqlite3.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct wal_gather {
  sqlite3_vfs vfs;
  sqlite3_vfs *below;
  char name[40];
};

struct log_file {
  sqlite3_file base; // first: SQLite sees this
  sqlite3_file *below;
  uint8_t *run;
  sqlite3_int64 from;
  int len;
};

#define LOG_FILE_BYTES                                                                                                 \
  ((sizeof(struct log_file) + alignof(max_align_t) - 1) / alignof(max_align_t) * alignof(max_align_t))

static sqlite3_vfs *below_of(sqlite3_vfs *vfs) {
  return ((struct wal_gather *)vfs->pAppData)->below;
}

// --- the log ---------------------------------------------------------------------------------------------------------

static int write_out(struct log_file *log) {
  if (log->len == 0) return SQLITE_OK;
  int len = log->len;
  log->len = 0;
  return log->below->pMethods->xWrite(log->below, log->run, len, log->from);
}

static int log_close(sqlite3_file *file) {
  struct log_file *log = (struct log_file *)file;
  int code = write_out(log), closed = log->below->pMethods->xClose(log->below);
  free(log->run);
  return code != SQLITE_OK ? code : closed;
}

static int log_read(sqlite3_file *file, void *to, int len, sqlite3_int64 offset) {
  struct log_file *log = (struct log_file *)file;
  bool apart = offset + len <= log->from || offset >= log->from + log->len;
  if (!apart && write_out(log) != SQLITE_OK) return SQLITE_IOERR_WRITE;
  return log->below->pMethods->xRead(log->below, to, len, offset);
}

static int log_write(sqlite3_file *file, const void *bytes, int len, sqlite3_int64 offset) {
  struct log_file *log = (struct log_file *)file;
  if (offset != log->from + log->len || len > WAL_GATHER_BYTES - log->len) {
    int code = write_out(log);
    if (code != SQLITE_OK) return code;
    if (len > WAL_GATHER_BYTES) return log->below->pMethods->xWrite(log->below, bytes, len, offset);
    log->from = offset;
  }
  memcpy(log->run + log->len, bytes, (size_t)len);
  log->len += len;
  return SQLITE_OK;
}

static int log_truncate(sqlite3_file *file, sqlite3_int64 size) {
  struct log_file *log = (struct log_file *)file;
  int code = write_out(log);
  return code != SQLITE_OK ? code : log->below->pMethods->xTruncate(log->below, size);
}

static int log_sync(sqlite3_file *file, int flags) {
  struct log_file *log = (struct log_file *)file;
  int code = write_out(log);
  return code != SQLITE_OK ? code : log->below->pMethods->xSync(log->below, flags);
}

static int log_size(sqlite3_file *file, sqlite3_int64 *out_size) {
  struct log_file *log = (struct log_file *)file;
  int code = write_out(log);
  return code != SQLITE_OK ? code : log->below->pMethods->xFileSize(log->below, out_size);
}

static int log_lock(sqlite3_file *file, int level) {
  struct log_file *log = (struct log_file *)file;
  return log->below->pMethods->xLock(log->below, level);
}

static int log_unlock(sqlite3_file *file, int level) {
  struct log_file *log = (struct log_file *)file;
  return log->below->pMethods->xUnlock(log->below, level);
}

static int log_check_lock(sqlite3_file *file, int *out_locked) {
  struct log_file *log = (struct log_file *)file;
  return log->below->pMethods->xCheckReservedLock(log->below, out_locked);
}

static int log_control(sqlite3_file *file, int operation, void *argument) {
  struct log_file *log = (struct log_file *)file;
  return log->below->pMethods->xFileControl(log->below, operation, argument);
}

static int log_sector_bytes(sqlite3_file *file) {
  struct log_file *log = (struct log_file *)file;
  return log->below->pMethods->xSectorSize(log->below);
}

static int log_characteristics(sqlite3_file *file) {
  struct log_file *log = (struct log_file *)file;
  return log->below->pMethods->xDeviceCharacteristics(log->below);
}

static const sqlite3_io_methods log_methods = {
    .iVersion = 1, // no shared memory and no memory map: SQLite asks the database's file for those
    .xClose = log_close,
    .xRead = log_read,
    .xWrite = log_write,
    .xTruncate = log_truncate,
    .xSync = log_sync,
    .xFileSize = log_size,
    .xLock = log_lock,
    .xUnlock = log_unlock,
    .xCheckReservedLock = log_check_lock,
    .xFileControl = log_control,
    .xSectorSize = log_sector_bytes,
    .xDeviceCharacteristics = log_characteristics,
};

static int open_log(sqlite3_vfs *below, const char *path, sqlite3_file *file, int flags, int *out_flags) {
  struct log_file *log = (struct log_file *)file;
  *log = (struct log_file){.below = (sqlite3_file *)((uint8_t *)file + LOG_FILE_BYTES)};
  memset(log->below, 0, (size_t)below->szOsFile);
  log->run = malloc(WAL_GATHER_BYTES);
  if (!log->run) return SQLITE_NOMEM;
  int code = below->xOpen(below, path, log->below, flags, out_flags);
  if (code == SQLITE_OK) {
    log->base.pMethods = &log_methods;
    return code;
  }
  if (log->below->pMethods) log->below->pMethods->xClose(log->below);
  free(log->run);
  return code;
}

// --- the layer -------------------------------------------------------------------------------------------------------

static int layer_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *file, int flags, int *out_flags) {
  sqlite3_vfs *below = below_of(vfs);
  file->pMethods = NULL; // nothing to close when it fails
  return flags & SQLITE_OPEN_WAL ? open_log(below, path, file, flags, out_flags)
                                 : below->xOpen(below, path, file, flags, out_flags);
}

static int layer_delete(sqlite3_vfs *vfs, const char *path, int sync_directory) {
  return below_of(vfs)->xDelete(below_of(vfs), path, sync_directory);
}

static int layer_access(sqlite3_vfs *vfs, const char *path, int flags, int *out_result) {
  return below_of(vfs)->xAccess(below_of(vfs), path, flags, out_result);
}

static int layer_full_path(sqlite3_vfs *vfs, const char *path, int bytes_max, char *out) {
  return below_of(vfs)->xFullPathname(below_of(vfs), path, bytes_max, out);
}

static int layer_random(sqlite3_vfs *vfs, int len, char *out) {
  return below_of(vfs)->xRandomness(below_of(vfs), len, out);
}

static int layer_sleep(sqlite3_vfs *vfs, int microseconds) {
  return below_of(vfs)->xSleep(below_of(vfs), microseconds);
}

static int layer_time(sqlite3_vfs *vfs, double *out_day) {
  return below_of(vfs)->xCurrentTime(below_of(vfs), out_day);
}

static int layer_last_error(sqlite3_vfs *vfs, int bytes_max, char *out) {
  return below_of(vfs)->xGetLastError(below_of(vfs), bytes_max, out);
}

static int layer_time_ms(sqlite3_vfs *vfs, sqlite3_int64 *out_ms) {
  return below_of(vfs)->xCurrentTimeInt64(below_of(vfs), out_ms);
}

struct wal_gather *wal_gather_create(void) {
  struct wal_gather *gather = calloc(1, sizeof *gather);
  sqlite3_vfs *below = sqlite3_vfs_find(NULL);
  if (!gather || !below || below->iVersion < 2) {
    free(gather);
    return NULL;
  }
  snprintf(gather->name, sizeof gather->name, "gather-%p", (void *)gather);
  gather->below = below;
  gather->vfs = (sqlite3_vfs){
      .iVersion = 2,
      .szOsFile = below->szOsFile + (int)LOG_FILE_BYTES,
      .mxPathname = below->mxPathname,
      .zName = gather->name,
      .pAppData = gather,
      .xOpen = layer_open,
      .xDelete = layer_delete,
      .xAccess = layer_access,
      .xFullPathname = layer_full_path,
      .xRandomness = layer_random,
      .xSleep = layer_sleep,
      .xCurrentTime = layer_time,
      .xGetLastError = layer_last_error,
      .xCurrentTimeInt64 = layer_time_ms,
  };
  if (sqlite3_vfs_register(&gather->vfs, 0) == SQLITE_OK) return gather;
  free(gather);
  return NULL;
}

void wal_gather_destroy(struct wal_gather *gather) {
  if (!gather) return;
  sqlite3_vfs_unregister(&gather->vfs);
  free(gather);
}

const char *wal_gather_name(const struct wal_gather *gather) {
  return gather->name;
}
