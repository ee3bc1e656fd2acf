// SPDX-License-Identifier: Apache-2.0
//
// How it works: whoever finds the last look half a second old, and says so first, looks; the others use what was seen.
#include "collector/disk_guard.h"

#define LOOK_NS (NS_PER_S / 2)

void disk_guard_init(struct disk_guard *guard, const char *path, uint64_t reserve_bytes, const struct clock *clock) {
  *guard = (struct disk_guard){.path = path, .clock = clock, .read = statvfs};
  atomic_u64_set(&guard->reserve_bytes, reserve_bytes);
}

void disk_guard_set_reserve(struct disk_guard *guard, uint64_t reserve_bytes) {
  atomic_u64_set(&guard->reserve_bytes, reserve_bytes);
}

static void refresh(struct disk_guard *guard) {
  uint64_t now = clock_monotonic_ns(guard->clock), asked = atomic_u64_get(&guard->asked_ns);
  if (asked != 0 && now - asked < LOOK_NS) return;
  if (!atomic_u64_swap_if(&guard->asked_ns, &asked, now > 0 ? now : 1)) return;
  struct statvfs disk;
  bool known = guard->read(guard->path, &disk) == 0;
  atomic_u64_set(&guard->free_bytes, known ? (uint64_t)disk.f_bavail * disk.f_frsize : 0);
  atomic_u64_set(&guard->total_bytes, known ? (uint64_t)disk.f_blocks * disk.f_frsize : 0);
}

struct disk_guard_space disk_guard_look(struct disk_guard *guard) {
  refresh(guard);
  struct disk_guard_space space = {.free_bytes = atomic_u64_get(&guard->free_bytes),
                                   .total_bytes = atomic_u64_get(&guard->total_bytes),
                                   .reserve_bytes = atomic_u64_get(&guard->reserve_bytes)};
  if (space.reserve_bytes == 0) {
    uint64_t share = space.total_bytes / DISK_GUARD_RESERVE_SHARE;
    space.reserve_bytes = share < DISK_GUARD_RESERVE_MAX ? share : DISK_GUARD_RESERVE_MAX;
  }
  space.is_low = space.total_bytes > 0 && space.free_bytes < space.reserve_bytes;
  return space;
}

enum status disk_guard_check(struct disk_guard *guard, struct error *error) {
  struct disk_guard_space space = disk_guard_look(guard);
  if (!space.is_low) return STATUS_OK;
  return error_set(error, STATUS_UNAVAILABLE, "the disk has %llu MiB left, journal.disk_reserve is %llu MiB",
                   (unsigned long long)(space.free_bytes >> 20), (unsigned long long)(space.reserve_bytes >> 20));
}
