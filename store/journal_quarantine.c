// SPDX-License-Identifier: Apache-2.0
//
// How it works: what is set aside becomes one file, "<journal>-<segment>-<offset>.damaged": a line of text that says
// what and why, an empty line, then the bytes as they were. The name is the place, and the file is made exclusively:
// whoever meets the same damage again finds the file there and neither copies nor counts it. A whole segment whose
// header is beyond repair (both copies) moves there as it is, "<journal>-<segment>.seg".
//
// What a journal has set aside has a maximum, JOURNAL_QUARANTINE_BYTES_MAX and _FILES_MAX: beyond it the oldest goes,
// by the time of its file, and is counted. The newest stays whatever its size.
#include "store/journal_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

#define COPY_BYTES       ((size_t)256 << 10)
#define QUARANTINE_BYTES (UINT64_C(16) << 20)

int journal_quarantine_make_directories(const struct journal_io *io, const char *path) {
  char part[JOURNAL_PATH_MAX];
  size_t len = strlen(path);
  if (len == 0 || len >= sizeof(part)) return -ENAMETOOLONG;
  memcpy(part, path, len + 1);
  size_t parent = 0; // length of the directory above the one being made
  for (size_t i = 1; i <= len; i++) {
    if (part[i] != '/' && part[i] != '\0') continue;
    char kept = part[i];
    part[i] = '\0';
    if (mkdir(part, 0700) == 0) {
      char above[JOURNAL_PATH_MAX] = ".";
      if (parent > 0)
        memcpy(above, path, parent), above[parent] = '\0';
      else if (path[0] == '/')
        above[0] = '/';
      int result = io->sync_directory(io->context, above);
      if (result < 0) return result;
    } else if (errno != EEXIST && !(errno == EACCES && kept == '/')) {
      return -errno;
    }
    part[i] = kept;
    parent = i;
  }
  struct stat status;
  if (stat(path, &status) != 0) return -errno;
  return S_ISDIR(status.st_mode) ? 0 : -ENOTDIR;
}

static int write_all(const struct journal_io *io, int fd, uint8_t *bytes, size_t len, uint64_t offset) {
  while (len > 0) {
    struct iovec iov = {bytes, len};
    ssize_t written = io->pwritev(io->context, fd, &iov, 1, (off_t)offset);
    if (written <= 0) return written < 0 ? (int)written : -EIO;
    bytes += written;
    len -= (size_t)written;
    offset += (uint64_t)written;
  }
  return 0;
}

static int copy(const struct journal_io *io, int from, uint64_t offset, uint64_t bytes, int to, uint64_t to_offset) {
  uint8_t *chunk = malloc(COPY_BYTES);
  if (!chunk) return -ENOMEM;
  int result = 0;
  while (bytes > 0 && result == 0) {
    ssize_t got = io->pread(io->context, from, chunk, bytes < COPY_BYTES ? (size_t)bytes : COPY_BYTES, (off_t)offset);
    if (got <= 0) {
      result = got < 0 ? (int)got : -EIO;
      break;
    }
    result = write_all(io, to, chunk, (size_t)got, to_offset);
    offset += (uint64_t)got;
    to_offset += (uint64_t)got;
    bytes -= (uint64_t)got;
  }
  free(chunk);
  return result;
}

static int save(struct journal *journal, int to, uint64_t segment, uint64_t offset, uint64_t bytes,
                const char *reason) {
  const struct journal_io *io = journal->io;
  char path[JOURNAL_PATH_MAX], text[512];
  journal_segment_path(journal, segment, path);
  int from = io->open(io->context, path, O_RDONLY, 0);
  if (from < 0) return from;
  int len =
      snprintf(text, sizeof(text), "journal %s, segment %016" PRIx64 ", offset %" PRIu64 ", %" PRIu64 " bytes: %s\n\n",
               journal->name, segment, offset, bytes, reason);
  if (len >= (int)sizeof(text)) len = (int)sizeof(text) - 1;
  int result = write_all(io, to, (uint8_t *)text, (size_t)len, 0);
  uint64_t limit = bytes < QUARANTINE_BYTES ? bytes : QUARANTINE_BYTES;
  if (result == 0) result = copy(io, from, offset, limit, to, (uint64_t)len);
  if (result == 0) result = io->datasync(io->context, to);
  io->close(io->context, from);
  return result;
}

// Is it something that this journal set aside? In a directory it shares, maybe with its own segments.
static bool is_set_aside(const struct journal *journal, struct slice name) {
  struct slice own = slice_from_cstr(journal->name);
  bool ends = slice_ends_with(name, SLICE_LITERAL(".damaged")) || slice_ends_with(name, SLICE_LITERAL(".seg"));
  return ends && slice_starts_with(name, own) && name.len > own.len && name.ptr[own.len] == '-';
}

struct set_aside {
  char oldest[NAME_MAX + 1];
  uint64_t oldest_ns, bytes;
  uint32_t files;
};

static struct set_aside look_through(const struct journal *journal, DIR *directory) {
  struct set_aside found = {.oldest_ns = UINT64_MAX};
  struct dirent *entry;
  struct stat status;
  rewinddir(directory);
  while ((entry = readdir(directory))) {
    if (!is_set_aside(journal, slice_from_cstr(entry->d_name))) continue;
    if (fstatat(dirfd(directory), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    uint64_t ns = (uint64_t)status.st_mtim.tv_sec * NS_PER_S + (uint64_t)status.st_mtim.tv_nsec;
    found.bytes += (uint64_t)status.st_size;
    found.files++;
    if (ns >= found.oldest_ns) continue;
    found.oldest_ns = ns;
    snprintf(found.oldest, sizeof(found.oldest), "%s", entry->d_name);
  }
  return found;
}

static void keep_within_bounds(struct journal *journal) {
  DIR *directory = opendir(journal->quarantine_directory);
  if (!directory) return;
  for (;;) {
    struct set_aside found = look_through(journal, directory);
    bool over = found.bytes > JOURNAL_QUARANTINE_BYTES_MAX || found.files > JOURNAL_QUARANTINE_FILES_MAX;
    if (!over || found.files < 2 || unlinkat(dirfd(directory), found.oldest, 0) != 0) break;
    metrics_add(journal->quarantine_removed_metric, 1);
    log_write(LOG_WARN, "journal", "the oldest damage set aside makes room for new",
              LOG_FIELDS(log_text("journal", journal->name), log_text("file", found.oldest)));
  }
  closedir(directory);
}

static void count_and_log(struct journal *journal, uint64_t segment, uint64_t offset, uint64_t bytes,
                          const char *reason, int result) {
  metrics_add(journal->quarantined_metric, 1);
  log_write(LOG_ERROR, "journal", result < 0 ? "damage found; it could not be set aside" : "damage set aside",
            LOG_FIELDS(log_text("journal", journal->name), log_text("reason", reason), log_u64("segment", segment),
                       log_u64("offset", offset), log_u64("bytes", bytes),
                       log_text("error", result < 0 ? strerror(-result) : "")));
  keep_within_bounds(journal);
}

void journal_quarantine_segment(struct journal *journal, uint64_t segment, uint64_t bytes, const char *reason) {
  char path[JOURNAL_PATH_MAX], target[JOURNAL_PATH_MAX];
  journal_segment_path(journal, segment, path);
  int result = journal_quarantine_make_directories(journal->io, journal->quarantine_directory);
  int len = snprintf(target, sizeof(target), "%s/%s-%016" PRIx64 ".seg", journal->quarantine_directory, journal->name,
                     segment);
  if (result == 0 && len >= (int)sizeof(target)) result = -ENAMETOOLONG;
  if (result == 0 && rename(path, target) != 0) result = -errno;
  count_and_log(journal, segment, 0, bytes, reason, result);
}

void journal_quarantine_range(struct journal *journal, uint64_t segment, uint64_t offset, uint64_t bytes,
                              const char *reason) {
  const struct journal_io *io = journal->io;
  char path[JOURNAL_PATH_MAX];
  int result = journal_quarantine_make_directories(io, journal->quarantine_directory);
  if (result == 0) {
    int len = snprintf(path, sizeof(path), "%s/%s-%016" PRIx64 "-%" PRIu64 ".damaged", journal->quarantine_directory,
                       journal->name, segment, offset);
    if (len >= (int)sizeof(path)) result = -ENAMETOOLONG;
  }
  int fd = result == 0 ? io->open(io->context, path, O_WRONLY | O_CREAT | O_EXCL, 0600) : result;
  if (fd == -EEXIST) return;
  result = fd;
  if (fd >= 0) {
    result = save(journal, fd, segment, offset, bytes, reason);
    io->close(io->context, fd);
    if (result < 0) io->unlink(io->context, path);
  }
  count_and_log(journal, segment, offset, bytes, reason, result);
}

void journal_quarantine(struct journal *journal, const struct journal_record *record, const char *reason) {
  uint64_t bytes = JOURNAL_RECORD_HEADER_BYTES + record->section.len + record->body_stored.len;
  journal_quarantine_range(journal, record->location.segment, record->location.offset, bytes, reason);
}
