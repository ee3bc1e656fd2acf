// SPDX-License-Identifier: Apache-2.0
//
// Two slots of 32 bytes, little-endian:
//
//      0        8          16         24         32
//      | magic  | sequence | counter  | XXH3-64 of the 24 bytes before |
//
// A save writes the slot that is not the newest with counter + 1 and syncs. A torn write damages only that slot.
#include "store/cursor_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"

#define MAGIC      UINT64_C(0x31727563706c7563) // "culpcur1"
#define SLOT_BYTES 32

struct cursor_file {
  int fd;
  uint64_t counter; // of the newest slot; slot = counter % 2
};

static bool slot_read(int fd, uint32_t slot, uint64_t *out_sequence, uint64_t *out_counter) {
  uint64_t words[4];
  if (pread(fd, words, SLOT_BYTES, slot * SLOT_BYTES) != SLOT_BYTES) return false;
  if (words[0] != MAGIC || words[3] != hash_xxh3(slice_make(words, 24))) return false;
  *out_sequence = words[1];
  *out_counter = words[2];
  return true;
}

// A new file's name must survive a power cut as its content does.
static bool sync_directory(const char *directory) {
  int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  bool synced = fsync(fd) == 0;
  close(fd);
  return synced;
}

enum status cursor_file_open(const char *directory, const char *name, struct cursor_file **out_cursor,
                             uint64_t *out_sequence, struct error *error) {
  _Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "slots are stored as they lie in memory");
  char path[4096];
  int len = snprintf(path, sizeof(path), "%s/%s.cursor", directory, name);
  if (len < 0 || (size_t)len >= sizeof(path)) return error_set(error, STATUS_INVALID, "%s: path too long", directory);
  bool is_new = access(path, F_OK) != 0;
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return error_set(error, STATUS_IO, "%s: %s", path, strerror(errno));
  if (is_new && !sync_directory(directory)) {
    enum status status = error_set(error, STATUS_IO, "%s: not synced: %s", directory, strerror(errno));
    close(fd);
    return status;
  }
  struct cursor_file *cursor = calloc(1, sizeof(*cursor));
  ASSERT(cursor);
  cursor->fd = fd;
  uint64_t sequence = 0;
  for (uint32_t slot = 0; slot < 2; slot++) {
    uint64_t slot_sequence, counter;
    if (!slot_read(fd, slot, &slot_sequence, &counter) || counter < cursor->counter) continue;
    cursor->counter = counter;
    sequence = slot_sequence;
  }
  *out_cursor = cursor;
  *out_sequence = sequence;
  return STATUS_OK;
}

void cursor_file_close(struct cursor_file *cursor) {
  if (!cursor) return;
  close(cursor->fd);
  free(cursor);
}

enum status cursor_file_save(struct cursor_file *cursor, uint64_t sequence) {
  uint64_t words[4] = {MAGIC, sequence, cursor->counter + 1, 0};
  words[3] = hash_xxh3(slice_make(words, 24));
  off_t at = (off_t)(words[2] % 2 * SLOT_BYTES);
  if (pwrite(cursor->fd, words, SLOT_BYTES, at) != SLOT_BYTES || fdatasync(cursor->fd) != 0) return STATUS_IO;
  cursor->counter++;
  return STATUS_OK;
}
