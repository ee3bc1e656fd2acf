// SPDX-License-Identifier: Apache-2.0
//
// The note of what the inbox works on, over the deaths of the process.
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>

#include <cmocka.h>

#include "collector/inbox_attempt.h"
#include "tests/unit/store/temporary.h"

static struct inbox_attempt *open_ok(const char *path) {
  struct inbox_attempt *attempt = NULL;
  struct error error = {0};
  if (inbox_attempt_open(path, &attempt, &error) != STATUS_OK) fail_msg("%s", error.text);
  return attempt;
}

// A process that begins with the records and is killed.
static void die_on(const char *path, uint64_t first, uint64_t last) {
  pid_t child = fork();
  if (child == 0) {
    struct inbox_attempt *attempt = NULL;
    if (inbox_attempt_open(path, &attempt, NULL) != STATUS_OK) _exit(1);
    inbox_attempt_begin(attempt, first, last);
    kill(getpid(), SIGKILL);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFSIGNALED(status));
}

static void two_deaths_make_poison(void **state) {
  const char *path = temporary_path(*state, "attempt");
  die_on(path, 7, 7);
  struct inbox_attempt *attempt = open_ok(path);
  assert_false(inbox_attempt_is_poison(attempt, 7));
  inbox_attempt_close(attempt);
  die_on(path, 7, 7);
  attempt = open_ok(path);
  assert_true(inbox_attempt_is_poison(attempt, 7));
  assert_false(inbox_attempt_is_poison(attempt, 8));
  inbox_attempt_close(attempt);
  attempt = open_ok(path); // it stays so until it has been passed
  assert_true(inbox_attempt_is_poison(attempt, 7));
  inbox_attempt_passed(attempt, 8);
  assert_false(inbox_attempt_is_poison(attempt, 7));
  inbox_attempt_close(attempt);
}

static void deaths_on_different_records_accuse_none(void **state) {
  const char *path = temporary_path(*state, "attempt");
  for (uint64_t sequence = 1; sequence < 6; sequence++) die_on(path, sequence, sequence);
  struct inbox_attempt *attempt = open_ok(path);
  for (uint64_t sequence = 1; sequence < 6; sequence++) assert_false(inbox_attempt_is_poison(attempt, sequence));
  inbox_attempt_close(attempt);
}

static void finished_work_accuses_nobody(void **state) {
  const char *path = temporary_path(*state, "attempt");
  for (int i = 0; i < 5; i++) {
    struct inbox_attempt *attempt = open_ok(path);
    inbox_attempt_begin(attempt, 3, 3);
    inbox_attempt_end(attempt);
    assert_false(inbox_attempt_is_poison(attempt, 3));
    inbox_attempt_close(attempt);
  }
}

static void a_death_in_a_write_makes_careful(void **state) {
  const char *path = temporary_path(*state, "attempt");
  die_on(path, 10, 20);
  struct inbox_attempt *attempt = open_ok(path);
  assert_true(inbox_attempt_is_careful(attempt, 10));
  assert_true(inbox_attempt_is_careful(attempt, 20));
  assert_false(inbox_attempt_is_careful(attempt, 21));
  assert_false(inbox_attempt_is_poison(attempt, 10));
  inbox_attempt_passed(attempt, 20);
  assert_true(inbox_attempt_is_careful(attempt, 20));
  inbox_attempt_passed(attempt, 21);
  assert_false(inbox_attempt_is_careful(attempt, 20));
  inbox_attempt_close(attempt);
}

static void junk_is_begun_anew(void **state) {
  const char *path = temporary_path(*state, "attempt");
  FILE *file = fopen(path, "w");
  assert_non_null(file);
  for (int i = 0; i < 100; i++) fputs("junk!", file);
  fclose(file);
  struct inbox_attempt *attempt = open_ok(path);
  assert_false(inbox_attempt_is_careful(attempt, 1));
  inbox_attempt_close(attempt);
}

static void without_a_file_nothing_is_noted(void **state) {
  (void)state;
  struct inbox_attempt *attempt = NULL;
  struct error error = {0};
  assert_int_equal(inbox_attempt_open("/nonexistent/attempt", &attempt, &error), STATUS_IO);
  inbox_attempt_begin(NULL, 1, 1);
  inbox_attempt_end(NULL);
  inbox_attempt_passed(NULL, 2);
  assert_false(inbox_attempt_is_poison(NULL, 1));
  assert_false(inbox_attempt_is_careful(NULL, 1));
  inbox_attempt_close(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEMPORARY_TEST(two_deaths_make_poison),       TEMPORARY_TEST(deaths_on_different_records_accuse_none),
      TEMPORARY_TEST(finished_work_accuses_nobody), TEMPORARY_TEST(a_death_in_a_write_makes_careful),
      TEMPORARY_TEST(junk_is_begun_anew),           TEMPORARY_TEST(without_a_file_nothing_is_noted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
