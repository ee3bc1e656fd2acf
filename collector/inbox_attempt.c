// SPDX-License-Identifier: Apache-2.0
//
// The file, 48 bytes, numbers in the machine's own order (the file never leaves it):
//
//     0  magic
//     8  first record being worked on; 0: none
//    16  last one
//    24  suspect record; 0: none
//    32  how often the process died on it
//    40  careful up to this record
//
// `first` is written last when work begins and cleared first when it ends, so that a death in between accuses nobody.
#include "collector/inbox_attempt.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "base/thread.h"

#define MAGIC      UINT64_C(0x314d545441425849)
#define DEATHS_MAX 2

struct note {
  struct atomic_u64 magic, first, last, suspect, deaths, careful;
};
static_assert(sizeof(struct note) == 48, "the file's layout");

struct inbox_attempt {
  struct note *note;
};

// What the last run left behind.
static void conclude(struct note *note) {
  uint64_t first = atomic_u64_get(&note->first), last = atomic_u64_get(&note->last);
  if (first == 0) return;
  if (first != last) {
    atomic_u64_set(&note->careful, last);
  } else if (atomic_u64_get(&note->suspect) == first) {
    atomic_u64_add(&note->deaths, 1);
  } else {
    atomic_u64_set(&note->suspect, first);
    atomic_u64_set(&note->deaths, 1);
  }
  atomic_u64_set(&note->first, 0);
  log_write(LOG_WARN, "inbox", "the process ended while the inbox was working on records",
            LOG_FIELDS(log_u64("first", first), log_u64("last", last),
                       log_u64("deaths", first == last ? atomic_u64_get(&note->deaths) : 0)));
}

enum status inbox_attempt_open(const char *path, struct inbox_attempt **out_attempt, struct error *error) {
  struct inbox_attempt *attempt = calloc(1, sizeof *attempt);
  if (!attempt) return error_set(error, STATUS_NO_MEMORY, "%s: no memory", path);
  int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  void *memory = MAP_FAILED;
  if (fd >= 0 && ftruncate(fd, sizeof(struct note)) == 0)
    memory = mmap(NULL, sizeof(struct note), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  int why = errno;
  if (fd >= 0) close(fd);
  if (memory == MAP_FAILED) {
    free(attempt);
    return error_set(error, STATUS_IO, "%s: %s", path, strerror(why));
  }
  attempt->note = memory;
  if (atomic_u64_get(&attempt->note->magic) == MAGIC) {
    conclude(attempt->note);
  } else {
    memset(memory, 0, sizeof(struct note));
    atomic_u64_set(&attempt->note->magic, MAGIC);
  }
  *out_attempt = attempt;
  return STATUS_OK;
}

void inbox_attempt_close(struct inbox_attempt *attempt) {
  if (!attempt) return;
  munmap(attempt->note, sizeof(struct note));
  free(attempt);
}

bool inbox_attempt_is_poison(const struct inbox_attempt *attempt, uint64_t sequence) {
  return attempt && atomic_u64_get(&attempt->note->suspect) == sequence &&
         atomic_u64_get(&attempt->note->deaths) >= DEATHS_MAX;
}

bool inbox_attempt_is_careful(const struct inbox_attempt *attempt, uint64_t sequence) {
  return attempt && sequence <= atomic_u64_get(&attempt->note->careful);
}

void inbox_attempt_begin(struct inbox_attempt *attempt, uint64_t first, uint64_t last) {
  if (!attempt) return;
  atomic_u64_set(&attempt->note->last, last);
  atomic_u64_set(&attempt->note->first, first);
}

void inbox_attempt_end(struct inbox_attempt *attempt) {
  if (attempt) atomic_u64_set(&attempt->note->first, 0);
}

void inbox_attempt_passed(struct inbox_attempt *attempt, uint64_t sequence) {
  if (!attempt) return;
  uint64_t suspect = atomic_u64_get(&attempt->note->suspect), careful = atomic_u64_get(&attempt->note->careful);
  if (suspect != 0 && suspect < sequence) atomic_u64_set(&attempt->note->suspect, 0);
  if (careful != 0 && careful < sequence) atomic_u64_set(&attempt->note->careful, 0);
}
