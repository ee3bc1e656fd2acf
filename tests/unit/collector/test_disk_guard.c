// SPDX-License-Identifier: Apache-2.0
#include "collector/disk_guard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)

// A file system of our own: the guard's `read` finds it by the path.
static struct {
  uint64_t free_bytes, total_bytes;
  int result;
  uint32_t asked;
} disk;

static int read_disk(const char *path, struct statvfs *out) {
  assert_string_equal(path, "/data");
  disk.asked++;
  *out = (struct statvfs){.f_frsize = 4096, .f_blocks = disk.total_bytes / 4096, .f_bavail = disk.free_bytes / 4096};
  return disk.result;
}

static void start(struct disk_guard *guard, struct clock_fake *clock, uint64_t reserve_bytes) {
  clock_fake_init(clock, UINT64_C(1795253400) * NS_PER_S);
  disk_guard_init(guard, "/data", reserve_bytes, &clock->clock);
  guard->read = read_disk;
  disk.asked = 0;
  disk.result = 0;
}

static void test_low_and_back(void **state) {
  (void)state;
  struct disk_guard guard;
  struct clock_fake clock;
  struct error error = {""};
  start(&guard, &clock, 100 * MIB);
  disk.total_bytes = 1000 * MIB;
  disk.free_bytes = 100 * MIB;
  assert_int_equal(disk_guard_check(&guard, &error), STATUS_OK);
  disk.free_bytes = 99 * MIB;
  assert_int_equal(disk_guard_check(&guard, &error), STATUS_OK); // seen less than half a second ago
  assert_int_equal(disk.asked, 1);
  clock_fake_add(&clock, NS_PER_S);
  assert_int_equal(disk_guard_check(&guard, &error), STATUS_UNAVAILABLE);
  assert_string_equal(error.text, "the disk has 99 MiB left, journal.disk_reserve is 100 MiB");
  disk_guard_set_reserve(&guard, 50 * MIB);
  assert_int_equal(disk_guard_check(&guard, &error), STATUS_OK);
  disk_guard_set_reserve(&guard, 100 * MIB);
  disk.free_bytes = 500 * MIB;
  clock_fake_add(&clock, NS_PER_S);
  assert_int_equal(disk_guard_check(&guard, &error), STATUS_OK);
  assert_int_equal(disk.asked, 3);
}

static void test_the_derived_reserve(void **state) {
  (void)state;
  struct disk_guard guard;
  struct clock_fake clock;
  start(&guard, &clock, 0);
  disk.total_bytes = 200 * MIB; // a small file system: a twentieth
  disk.free_bytes = 11 * MIB;
  struct disk_guard_space space = disk_guard_look(&guard);
  assert_true(space.reserve_bytes == 10 * MIB && !space.is_low && space.free_bytes == 11 * MIB);
  start(&guard, &clock, 0);
  disk.total_bytes = UINT64_C(1) << 40; // a large one: no more than 256 MiB
  disk.free_bytes = 255 * MIB;
  space = disk_guard_look(&guard);
  assert_true(space.reserve_bytes == 256 * MIB && space.is_low);
}

static void test_a_file_system_that_does_not_answer_is_not_low(void **state) {
  (void)state;
  struct disk_guard guard;
  struct clock_fake clock;
  start(&guard, &clock, 100 * MIB);
  disk.free_bytes = 0;
  disk.result = -1;
  assert_int_equal(disk_guard_check(&guard, NULL), STATUS_OK);
  assert_int_equal(disk_guard_look(&guard).total_bytes, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_low_and_back),
      cmocka_unit_test(test_the_derived_reserve),
      cmocka_unit_test(test_a_file_system_that_does_not_answer_is_not_low),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
