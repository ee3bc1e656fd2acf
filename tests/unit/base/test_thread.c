// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/clock.h"
#include "base/thread.h"
#include "death.h"

struct seen {
  sigset_t mask;
  char name[16];
  bool ran;
};

static void look_around(void *context) {
  struct seen *seen = context;
  pthread_sigmask(SIG_BLOCK, NULL, &seen->mask);
  pthread_getname_np(pthread_self(), seen->name, sizeof seen->name);
  seen->ran = true;
}

static void test_start_and_join(void **state) {
  (void)state;
  struct seen seen = {.ran = false};
  struct thread thread;
  assert_int_equal(thread_start(&thread, "fifteen-bytes-x", look_around, &seen), STATUS_OK);
  thread_join(&thread);
  assert_true(seen.ran);
  assert_string_equal(seen.name, "fifteen-bytes-x");
  static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGUSR1, SIGCHLD};
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    assert_int_equal(sigismember(&seen.mask, signals[i]), 1);
  sigset_t own;
  pthread_sigmask(SIG_BLOCK, NULL, &own);
  assert_int_equal(sigismember(&own, SIGTERM), 0); // the starter keeps its own mask
  thread_join(&thread);                            // twice is harmless
  thread_join(&(struct thread){.running = false});
}

struct scheduled {
  int policy_before, policy, nice_before, nice;
};

static void hurry(void *context) {
  struct scheduled *seen = context;
  seen->policy_before = sched_getscheduler(0);
  seen->nice_before = getpriority(PRIO_PROCESS, 0);
  thread_run_promptly();
  seen->policy = sched_getscheduler(0);
  seen->nice = getpriority(PRIO_PROCESS, 0);
}

// Whether it helps is the kernel's affair; it takes nothing away and gives the thread no more than its share.
static void test_running_promptly_changes_no_priority(void **state) {
  (void)state;
  struct scheduled seen = {.policy = -1};
  struct thread thread;
  assert_int_equal(thread_start(&thread, "prompt", hurry, &seen), STATUS_OK);
  thread_join(&thread);
  assert_int_equal(seen.policy, seen.policy_before);
  assert_int_equal(seen.nice, seen.nice_before);
}

struct shared {
  struct mutex mutex;
  struct condition changed;
  uint64_t count; // guarded by mutex
  struct atomic_u64 atomic;
  struct atomic_u64 swapped;
  struct atomic_bool_box go;
};

#define THREADS 4
#define ROUNDS  20000

static void count_up(void *context) {
  struct shared *shared = context;
  while (!atomic_bool_get(&shared->go)) continue;
  for (int i = 0; i < ROUNDS; i++) {
    mutex_lock(&shared->mutex);
    shared->count++;
    if (shared->count == THREADS * ROUNDS) condition_broadcast(&shared->changed);
    mutex_unlock(&shared->mutex);
    atomic_u64_add(&shared->atomic, 3);
    atomic_u64_sub(&shared->atomic, 1);
    uint64_t expected = atomic_u64_get(&shared->swapped);
    while (!atomic_u64_swap_if(&shared->swapped, &expected, expected + 1)) continue;
  }
}

static void init_shared(struct shared *shared) {
  memset(shared, 0, sizeof *shared);
  mutex_init(&shared->mutex);
  condition_init(&shared->changed);
}

static void finish_shared(struct shared *shared) {
  condition_finish(&shared->changed);
  mutex_finish(&shared->mutex);
}

static void test_locks_and_atomics(void **state) {
  (void)state;
  struct shared shared;
  init_shared(&shared);
  struct thread threads[THREADS];
  for (int i = 0; i < THREADS; i++)
    assert_int_equal(thread_start(&threads[i], "counter", count_up, &shared), STATUS_OK);
  atomic_bool_set(&shared.go, true);
  mutex_lock(&shared.mutex);
  while (shared.count < THREADS * ROUNDS) condition_wait(&shared.changed, &shared.mutex);
  mutex_unlock(&shared.mutex);
  for (int i = 0; i < THREADS; i++) thread_join(&threads[i]);
  assert_int_equal(shared.count, THREADS * ROUNDS);
  assert_int_equal(atomic_u64_get(&shared.atomic), 2 * THREADS * ROUNDS);
  assert_int_equal(atomic_u64_get(&shared.swapped), THREADS * ROUNDS);
  finish_shared(&shared);
}

static void test_timed_wait(void **state) {
  (void)state;
  struct shared shared;
  init_shared(&shared);
  mutex_lock(&shared.mutex);
  uint64_t start = clock_monotonic_ns(clock_system());
  uint64_t waited = 0;
  while (condition_wait_for(&shared.changed, &shared.mutex, 3 * NS_PER_MS)) start = clock_monotonic_ns(clock_system());
  waited = clock_monotonic_ns(clock_system()) - start;
  assert_true(waited >= 3 * NS_PER_MS);
  assert_false(condition_wait_for(&shared.changed, &shared.mutex, 0));
  mutex_unlock(&shared.mutex);
  finish_shared(&shared);
}

static void wake_up(void *context) {
  struct shared *shared = context;
  mutex_lock(&shared->mutex);
  shared->count = 1;
  condition_signal(&shared->changed);
  mutex_unlock(&shared->mutex);
}

// The longest timeout there is must neither overflow nor return before the signal.
static void test_endless_timed_wait(void **state) {
  (void)state;
  struct shared shared;
  struct thread thread;
  init_shared(&shared);
  mutex_lock(&shared.mutex);
  assert_int_equal(thread_start(&thread, "waker", wake_up, &shared), STATUS_OK);
  while (shared.count == 0) assert_true(condition_wait_for(&shared.changed, &shared.mutex, UINT64_MAX));
  mutex_unlock(&shared.mutex);
  thread_join(&thread);
  finish_shared(&shared);
}

static void lock_twice(void) {
  struct mutex mutex;
  mutex_init(&mutex);
  mutex_lock(&mutex);
  mutex_lock(&mutex);
}

__attribute__((unused)) static void unlock_unlocked(void) {
  struct mutex mutex;
  mutex_init(&mutex);
  mutex_unlock(&mutex);
}

static void name_too_long(void) {
  struct thread thread;
  thread_start(&thread, "sixteen-bytes-xx", look_around, NULL);
}

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define UNDER_THREAD_SANITIZER 1
#endif
#endif

static void test_misuse_is_a_failed_assertion(void **state) {
  (void)state;
  assert_true(dies(lock_twice));
#ifndef UNDER_THREAD_SANITIZER // which ends the process itself, before the assertion can
  assert_true(dies(unlock_unlocked));
#endif
  assert_true(dies(name_too_long));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_start_and_join),     cmocka_unit_test(test_running_promptly_changes_no_priority),
      cmocka_unit_test(test_locks_and_atomics),  cmocka_unit_test(test_timed_wait),
      cmocka_unit_test(test_endless_timed_wait), cmocka_unit_test(test_misuse_is_a_failed_assertion),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
