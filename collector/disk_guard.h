// SPDX-License-Identifier: Apache-2.0
//
// Watches the free space of the data directory's file system. Below a reserve nothing new is taken, so that what was
// accepted can still be settled, sent, put into the inbox and deleted: a full disk shows here, with a retry hint, and
// not in the middle of a write. The file system is asked at most twice a second. Any thread may ask.
#ifndef COLLECTOR_DISK_GUARD_H
#define COLLECTOR_DISK_GUARD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "base/status.h"
#include "base/thread.h"

#define DISK_GUARD_RESERVE_MAX   (UINT64_C(256) << 20) // of the reserve that is derived: a share of the file system,
#define DISK_GUARD_RESERVE_SHARE 20u                   // a twentieth, but never more than that

struct disk_guard {
  const char *path;
  const struct clock *clock;
  int (*read)(const char *path, struct statvfs *out); // statvfs(3), or a test's
  struct atomic_u64 reserve_bytes;                    // as configured; 0: derived
  struct atomic_u64 asked_ns;                         // monotonic; 0: never
  struct atomic_u64 free_bytes, total_bytes;          // as last seen; total 0: unknown
};

struct disk_guard_space {
  uint64_t free_bytes, total_bytes, reserve_bytes;
  bool is_low;
};

// path and clock must outlive it. reserve_bytes 0: derived.
void disk_guard_init(struct disk_guard *guard, const char *path, uint64_t reserve_bytes, const struct clock *clock);
void disk_guard_set_reserve(struct disk_guard *guard, uint64_t reserve_bytes);
// A file system that cannot be asked is not low.
struct disk_guard_space disk_guard_look(struct disk_guard *guard);
// STATUS_UNAVAILABLE with words when it is low.
enum status disk_guard_check(struct disk_guard *guard, struct error *error);

#endif
