// SPDX-License-Identifier: Apache-2.0
#include "store/cursor_file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tests/unit/store/temporary.h"

static struct cursor_file *open_cursor(void *state, uint64_t *out_sequence) {
  struct temporary *temporary = state;
  struct cursor_file *cursor = NULL;
  struct error error = {""};
  *out_sequence = UINT64_MAX;
  enum status status = cursor_file_open(temporary->directory, "otlp", &cursor, out_sequence, &error);
  if (status) fail_msg("%s", error.text);
  return cursor;
}

static uint64_t reopen(void *state) {
  uint64_t sequence;
  cursor_file_close(open_cursor(state, &sequence));
  return sequence;
}

static void save_all(void *state, uint64_t from, uint64_t to) {
  uint64_t sequence;
  struct cursor_file *cursor = open_cursor(state, &sequence);
  for (uint64_t i = from; i <= to; i++) assert_int_equal(cursor_file_save(cursor, i), STATUS_OK);
  cursor_file_close(cursor);
}

static void damage(void *state, long slot, long at) {
  int fd = open(temporary_path(state, "otlp.cursor"), O_RDWR);
  uint8_t byte;
  assert_int_equal(pread(fd, &byte, 1, slot * 32 + at), 1);
  byte ^= 1;
  assert_int_equal(pwrite(fd, &byte, 1, slot * 32 + at), 1);
  close(fd);
}

static void test_the_newest_save_counts(void **state) {
  assert_int_equal(reopen(*state), 0);
  save_all(*state, 7, 7);
  assert_int_equal(reopen(*state), 7);
  save_all(*state, 8, 20);
  assert_int_equal(reopen(*state), 20);
  save_all(*state, 5, 5); // a cursor may go back
  assert_int_equal(reopen(*state), 5);
  struct stat status;
  assert_int_equal(stat(temporary_path(*state, "otlp.cursor"), &status), 0);
  assert_int_equal(status.st_size, 64);
  assert_int_equal(status.st_mode & 0777, 0600);
}

// Whatever bit of the newest slot is wrong, the one before it stands; with both wrong it starts over.
static void test_damage_falls_back(void **state) {
  for (long at = 0; at < 32; at++) {
    unlink(temporary_path(*state, "otlp.cursor"));
    save_all(*state, 1, 4); // the fourth save is in slot 0
    damage(*state, 0, at);
    assert_int_equal(reopen(*state), 3);
    save_all(*state, 9, 9); // goes over the damaged one
    assert_int_equal(reopen(*state), 9);
    damage(*state, 0, at);
    damage(*state, 1, at);
    assert_int_equal(reopen(*state), 0);
  }
}

static void test_a_torn_file(void **state) {
  save_all(*state, 1, 2); // 1 in slot 1, 2 in slot 0
  for (int bytes = 63; bytes >= 0; bytes--) {
    assert_int_equal(truncate(temporary_path(*state, "otlp.cursor"), bytes), 0);
    assert_int_equal(reopen(*state), bytes >= 32 ? 2 : 0);
  }
}

static void test_an_unusable_directory(void **state) {
  struct cursor_file *cursor = NULL;
  uint64_t sequence;
  struct error error;
  assert_int_equal(cursor_file_open(temporary_path(*state, "absent"), "otlp", &cursor, &sequence, &error), STATUS_IO);
  assert_non_null(strstr(error.text, "absent/otlp.cursor"));
  char path[5000];
  memset(path, 'x', sizeof(path) - 1);
  path[sizeof(path) - 1] = 0;
  assert_int_equal(cursor_file_open(path, "otlp", &cursor, &sequence, &error), STATUS_INVALID);
  assert_null(cursor);
  cursor_file_close(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEMPORARY_TEST(test_the_newest_save_counts),
      TEMPORARY_TEST(test_damage_falls_back),
      TEMPORARY_TEST(test_a_torn_file),
      TEMPORARY_TEST(test_an_unusable_directory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
