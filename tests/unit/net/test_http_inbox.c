// SPDX-License-Identifier: Apache-2.0
//
// The inbox of a loop: order, who is told to wake the taker, and nothing lost between threads.
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/status.h"
#include "net/http_inbox.h"

static void test_order_and_sleep(void **state) {
  (void)state;
  struct http_inbox inbox;
  struct http_inbox_post posts[3];
  http_inbox_init(&inbox);
  assert_null(http_inbox_take(&inbox));
  assert_false(http_inbox_push(&inbox, &posts[0])); // awake
  assert_false(http_inbox_sleep(&inbox));
  assert_false(http_inbox_push(&inbox, &posts[1]));
  struct http_inbox_post *first = http_inbox_take(&inbox);
  assert_ptr_equal(first, &posts[0]);
  assert_ptr_equal(first->next, &posts[1]);
  assert_null(first->next->next);
  assert_true(http_inbox_sleep(&inbox));
  assert_true(http_inbox_sleep(&inbox));
  assert_true(http_inbox_push(&inbox, &posts[2])); // the one that wakes it
  assert_false(http_inbox_push(&inbox, &posts[1]));
  first = http_inbox_take(&inbox);
  assert_ptr_equal(first, &posts[2]);
  assert_ptr_equal(first->next, &posts[1]);
  assert_true(http_inbox_sleep(&inbox));
  assert_null(http_inbox_take(&inbox)); // woken by something else
  assert_false(http_inbox_push(&inbox, &posts[0]));
}

enum { PUSHERS = 3, EACH = 20000 };

struct numbered {
  struct http_inbox_post post;
  uint64_t pusher, number;
};

struct shared {
  struct http_inbox inbox;
  struct atomic_u64 wakes, next_pusher;
};

static void run_pusher(void *context) {
  struct shared *shared = context;
  uint64_t pusher = atomic_u64_add(&shared->next_pusher, 1);
  for (uint64_t i = 0; i < EACH; i++) {
    struct numbered *numbered = malloc(sizeof(*numbered));
    ASSERT(numbered);
    *numbered = (struct numbered){.pusher = pusher, .number = i};
    if (http_inbox_push(&shared->inbox, &numbered->post)) atomic_u64_add(&shared->wakes, 1);
  }
}

// The taker sleeps whenever it may; it would sleep for ever if a wake-up were forgotten.
static void test_threads(void **state) {
  (void)state;
  struct shared shared = {.wakes = {0}};
  http_inbox_init(&shared.inbox);
  struct thread threads[PUSHERS];
  for (int i = 0; i < PUSHERS; i++)
    assert_int_equal(thread_start(&threads[i], "pusher", run_pusher, &shared), STATUS_OK);
  uint64_t expected[PUSHERS] = {0}, taken = 0, sleeps = 0;
  while (taken < PUSHERS * EACH) {
    if (http_inbox_sleep(&shared.inbox)) {
      sleeps++;
      while (atomic_u64_get(&shared.wakes) < sleeps) sched_yield();
    }
    for (struct http_inbox_post *post = http_inbox_take(&shared.inbox), *next = NULL; post; post = next) {
      struct numbered *numbered = (struct numbered *)(void *)post;
      next = post->next;
      assert_int_equal(numbered->number, expected[numbered->pusher]++);
      taken++;
      free(numbered);
    }
  }
  for (int i = 0; i < PUSHERS; i++) thread_join(&threads[i]);
  assert_int_equal(atomic_u64_get(&shared.wakes), sleeps);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order_and_sleep),
      cmocka_unit_test(test_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
