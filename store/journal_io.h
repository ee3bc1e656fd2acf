// SPDX-License-Identifier: Apache-2.0
//
// The operating system as the journal sees it, as a struct of functions, so that tests can fail the Nth write or sync.
// All return 0 or a length, or -errno. Any thread.
#ifndef STORE_JOURNAL_IO_H
#define STORE_JOURNAL_IO_H

#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct journal_io {
  void *context;
  int (*open)(void *context, const char *path, int flags, int mode);
  int (*close)(void *context, int fd);
  ssize_t (*pwritev)(void *context, int fd, const struct iovec *iov, int count, off_t offset);
  ssize_t (*pread)(void *context, int fd, void *out, size_t len, off_t offset);
  int (*datasync)(void *context, int fd);
  int (*sync_directory)(void *context, const char *path);
  // Reserves space beyond the file's end without changing its size; -ENOSPC when there is none.
  int (*reserve)(void *context, int fd, off_t offset, off_t len);
  int (*truncate)(void *context, int fd, off_t len);
  int (*unlink)(void *context, const char *path);
  // Within a directory; -EEXIST when `to` is there already.
  int (*rename)(void *context, const char *from, const char *to);
};
const struct journal_io *journal_io_system(void);

#endif
