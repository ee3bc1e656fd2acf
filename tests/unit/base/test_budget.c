// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/budget.h"
#include "death.h"

static void test_charge_and_release(void **state) {
  (void)state;
  struct budget budget;
  budget_init(&budget, 100);
  assert_true(budget_charge(&budget, 60));
  assert_false(budget_charge(&budget, 41));
  assert_false(budget_charge(&budget, UINT64_MAX));
  assert_int_equal(budget_used(&budget), 60);
  assert_true(budget_charge(&budget, 40));
  assert_true(budget_charge(&budget, 0));
  assert_false(budget_charge(&budget, 1));
  budget_release(&budget, 100);
  assert_int_equal(budget_used(&budget), 0);
}

#define THREADS 4
#define ROUNDS  20000
#define MAX     1000

struct work {
  struct budget *budget;
  struct atomic_u64 *held; // what the threads believe they hold
  uint64_t refused;
};

static void charge_often(void *context) {
  struct work *work = context;
  for (uint64_t i = 0; i < ROUNDS; i++) {
    uint64_t bytes = i % 500 + 1;
    if (!budget_charge(work->budget, bytes)) {
      work->refused++;
      continue;
    }
    if (atomic_u64_add(work->held, bytes) + bytes > MAX) abort();
    atomic_u64_sub(work->held, bytes);
    budget_release(work->budget, bytes);
  }
}

// Never over the maximum at any moment, and all given back at the end.
static void test_threads(void **state) {
  (void)state;
  struct budget budget;
  struct atomic_u64 held = {0};
  struct thread threads[THREADS];
  struct work works[THREADS];
  budget_init(&budget, MAX);
  for (int i = 0; i < THREADS; i++) {
    works[i] = (struct work){.budget = &budget, .held = &held};
    assert_int_equal(thread_start(&threads[i], "charger", charge_often, &works[i]), STATUS_OK);
  }
  for (int i = 0; i < THREADS; i++) thread_join(&threads[i]);
  assert_int_equal(budget_used(&budget), 0);
  assert_true(budget_charge(&budget, MAX));
}

static void release_too_much(void) {
  struct budget budget;
  budget_init(&budget, 10);
  budget_charge(&budget, 1);
  budget_release(&budget, 2);
}

static void test_releasing_too_much_is_a_failed_assertion(void **state) {
  (void)state;
  assert_true(dies(release_too_much));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_charge_and_release),
      cmocka_unit_test(test_threads),
      cmocka_unit_test(test_releasing_too_much_is_a_failed_assertion),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
