// SPDX-License-Identifier: Apache-2.0
//
// How it works: one thin function per system call, -errno for failure. Interrupted calls are repeated, except
// fdatasync: after any failure of it the caller gives the descriptor up.
#include "store/journal_io.h"

#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <unistd.h>

static int io_open(void *context, const char *path, int flags, int mode) {
  (void)context;
  int fd;
  do fd = open(path, flags | O_CLOEXEC, mode);
  while (fd < 0 && errno == EINTR);
  return fd < 0 ? -errno : fd;
}

static int io_close(void *context, int fd) {
  (void)context;
  return close(fd) == 0 ? 0 : -errno;
}

static ssize_t io_pwritev(void *context, int fd, const struct iovec *iov, int count, off_t offset) {
  (void)context;
  ssize_t written;
  do written = pwritev(fd, iov, count, offset);
  while (written < 0 && errno == EINTR);
  return written < 0 ? -errno : written;
}

static ssize_t io_pread(void *context, int fd, void *out, size_t len, off_t offset) {
  (void)context;
  ssize_t got;
  do got = pread(fd, out, len, offset);
  while (got < 0 && errno == EINTR);
  return got < 0 ? -errno : got;
}

static int io_datasync(void *context, int fd) {
  (void)context;
  return fdatasync(fd) == 0 ? 0 : -errno;
}

static int io_sync_directory(void *context, const char *path) {
  (void)context;
  int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return -errno;
  int result = fsync(fd) == 0 ? 0 : -errno;
  close(fd);
  return result;
}

static int io_reserve(void *context, int fd, off_t offset, off_t len) {
  (void)context;
  int result;
  do result = fallocate(fd, FALLOC_FL_KEEP_SIZE, offset, len);
  while (result != 0 && errno == EINTR);
  if (result == 0 || errno == EOPNOTSUPP || errno == ENOSYS) return 0; // a file system that cannot: go without
  return -errno;
}

static int io_truncate(void *context, int fd, off_t len) {
  (void)context;
  int result;
  do result = ftruncate(fd, len);
  while (result != 0 && errno == EINTR);
  return result == 0 ? 0 : -errno;
}

static int io_unlink(void *context, const char *path) {
  (void)context;
  return unlink(path) == 0 ? 0 : -errno;
}

static int io_rename(void *context, const char *from, const char *to) {
  (void)context;
  return renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0 ? 0 : -errno;
}

const struct journal_io *journal_io_system(void) {
  static const struct journal_io system = {
      .open = io_open,
      .close = io_close,
      .pwritev = io_pwritev,
      .pread = io_pread,
      .datasync = io_datasync,
      .sync_directory = io_sync_directory,
      .reserve = io_reserve,
      .truncate = io_truncate,
      .unlink = io_unlink,
      .rename = io_rename,
  };
  return &system;
}
