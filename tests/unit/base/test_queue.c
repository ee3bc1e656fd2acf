// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sched.h>

#include "base/clock.h"
#include "base/queue.h"
#include "base/thread.h"
#include "death.h"

static void test_order_and_bound(void **state) {
  (void)state;
  int items[4];
  struct queue *queue = queue_create(3);
  assert_null(queue_pop(queue, 0));
  for (int round = 0; round < 5; round++) { // around the ring
    for (int i = 0; i < 3; i++) assert_true(queue_push(queue, &items[i]));
    assert_false(queue_push(queue, &items[3]));
    assert_int_equal(queue_count(queue), 3);
    assert_ptr_equal(queue_pop(queue, 0), &items[0]);
    assert_true(queue_push(queue, &items[3]));
    for (int i = 1; i < 4; i++) assert_ptr_equal(queue_pop(queue, UINT64_MAX), &items[i]);
    assert_int_equal(queue_count(queue), 0);
  }
  queue_destroy(queue);
  queue_destroy(NULL);
}

static void test_timeout(void **state) {
  (void)state;
  struct queue *queue = queue_create(1);
  uint64_t start = clock_monotonic_ns(clock_system());
  assert_null(queue_pop(queue, 2 * NS_PER_MS));
  assert_true(clock_monotonic_ns(clock_system()) - start >= 2 * NS_PER_MS);
  queue_destroy(queue);
}

static void test_close(void **state) {
  (void)state;
  int item;
  struct queue *queue = queue_create(2);
  assert_true(queue_push(queue, &item));
  queue_close(queue);
  assert_false(queue_push(queue, &item));
  assert_ptr_equal(queue_pop(queue, UINT64_MAX), &item); // what is inside still comes out
  assert_null(queue_pop(queue, UINT64_MAX));             // and then nobody waits
  queue_close(queue);
  queue_destroy(queue);
}

#define PRODUCERS 3
#define CONSUMERS 3
#define ITEMS     5000

struct work {
  struct queue *queue;
  uint8_t *items; // of all producers: how often each was taken out
  uint64_t taken;
  uint64_t out_of_order;
  size_t number;
};

static void produce(void *context) {
  struct work *work = context;
  for (size_t i = 0; i < ITEMS; i++) {
    while (!queue_push(work->queue, &work->items[work->number * ITEMS + i])) sched_yield();
  }
}

static void consume(void *context) {
  struct work *work = context;
  uint64_t last[PRODUCERS] = {0};
  uint8_t *item;
  while ((item = queue_pop(work->queue, UINT64_MAX)) != NULL) {
    size_t at = (size_t)(item - work->items);
    if (at % ITEMS < last[at / ITEMS]) work->out_of_order++;
    last[at / ITEMS] = at % ITEMS;
    ++*item; // unsynchronised on purpose: ownership moved with the pointer
    work->taken++;
  }
}

// Every item goes to exactly one consumer, in its producer's order; closing ends all of them.
static void test_threads(void **state) {
  (void)state;
  struct queue *queue = queue_create(16);
  uint8_t *items = calloc(PRODUCERS, ITEMS);
  assert_non_null(items);
  struct thread producers[PRODUCERS], consumers[CONSUMERS];
  struct work works[PRODUCERS + CONSUMERS];
  for (size_t i = 0; i < PRODUCERS + CONSUMERS; i++)
    works[i] = (struct work){.queue = queue, .items = items, .number = i};
  for (size_t i = 0; i < CONSUMERS; i++) {
    assert_int_equal(thread_start(&consumers[i], "consumer", consume, &works[PRODUCERS + i]), STATUS_OK);
  }
  for (size_t i = 0; i < PRODUCERS; i++) {
    assert_int_equal(thread_start(&producers[i], "producer", produce, &works[i]), STATUS_OK);
  }
  for (size_t i = 0; i < PRODUCERS; i++) thread_join(&producers[i]);
  queue_close(queue);
  uint64_t taken = 0;
  for (size_t i = 0; i < CONSUMERS; i++) {
    thread_join(&consumers[i]);
    taken += works[PRODUCERS + i].taken;
    assert_int_equal(works[PRODUCERS + i].out_of_order, 0);
  }
  assert_int_equal(taken, PRODUCERS * ITEMS);
  for (size_t i = 0; i < PRODUCERS * ITEMS; i++) assert_int_equal(items[i], 1);
  free(items);
  queue_destroy(queue);
}

static void destroy_full(void) {
  int item;
  struct queue *queue = queue_create(1);
  queue_push(queue, &item);
  queue_destroy(queue);
}

static void test_destroying_items_is_a_failed_assertion(void **state) {
  (void)state;
  assert_true(dies(destroy_full));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_order_and_bound),
      cmocka_unit_test(test_timeout),
      cmocka_unit_test(test_close),
      cmocka_unit_test(test_threads),
      cmocka_unit_test(test_destroying_items_is_a_failed_assertion),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
