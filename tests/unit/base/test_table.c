// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/table.h"

// A small generator of our own: the same numbers in every run.
static uint64_t next_random(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

struct value {
  uint64_t key;
  uint64_t number;
};

static void test_insert_find_remove(void **state) {
  (void)state;
  struct table *table = table_create(sizeof(struct value), 100);
  bool is_new = false;
  assert_null(table_find(table, 5));
  assert_false(table_remove(table, 5));
  struct value *value = table_insert(table, 5, &is_new);
  assert_true(is_new && value->key == 0 && value->number == 0);
  value->number = 55;
  value = table_insert(table, 5, &is_new);
  assert_true(!is_new && value->number == 55);
  assert_int_equal(table_count(table), 1);
  assert_true(table_remove(table, 5));
  assert_null(table_find(table, 5));
  value = table_insert(table, 5, NULL);
  assert_int_equal(value->number, 0); // zeroed again
  table_destroy(table);
  table_destroy(NULL);
}

static void test_key_zero_is_one(void **state) {
  (void)state;
  struct table *table = table_create(0, 10);
  bool is_new;
  assert_non_null(table_insert(table, 0, NULL));
  assert_non_null(table_insert(table, 1, &is_new));
  assert_false(is_new);
  assert_non_null(table_find(table, 0));
  assert_true(table_remove(table, 0));
  assert_int_equal(table_count(table), 0);
  table_destroy(table);
}

static void test_refuses_beyond_the_maximum(void **state) {
  (void)state;
  struct table *table = table_create(8, 1000);
  for (uint64_t key = 1; key <= 1000; key++) assert_non_null(table_insert(table, key, NULL));
  assert_null(table_insert(table, 1001, NULL));
  assert_non_null(table_insert(table, 1000, NULL)); // a known key is no insert
  assert_true(table_remove(table, 500));
  assert_non_null(table_insert(table, 1001, NULL));
  assert_null(table_insert(table, 500, NULL));
  assert_true(table_bytes(table) <= 2048 * 16 + 256);
  table_clear(table);
  assert_int_equal(table_count(table), 0);
  assert_null(table_find(table, 1001));
  assert_non_null(table_insert(table, 500, NULL));
  table_destroy(table);
}

// Against a plain array, with keys that collide: a key space of 512 under heavy insertion and removal.
static void test_against_a_model(void **state) {
  (void)state;
  enum { KEYS = 512 };
  uint64_t model[KEYS] = {0}; // 0: absent
  uint64_t random = 88172645463325252u;
  size_t count = 0;
  struct table *table = table_create(sizeof(struct value), KEYS);
  for (uint64_t step = 1; step <= 200000; step++) {
    size_t pick = (size_t)(next_random(&random) % KEYS);
    // Keys whose products with the spreading constant share their high bits fall into the same slots.
    uint64_t key = (pick + 1) * UINT64_C(0xF1DE83E19937733D);
    bool removes = next_random(&random) % 100 < (step / 20000 % 2 ? 70 : 30);
    if (removes) {
      assert_int_equal(table_remove(table, key), model[pick] != 0);
      count -= model[pick] != 0;
      model[pick] = 0;
    } else {
      bool is_new;
      struct value *value = table_insert(table, key, &is_new);
      assert_int_equal(is_new, model[pick] == 0);
      assert_true(value->number == model[pick]);
      count += is_new;
      *value = (struct value){key, step};
      model[pick] = step;
    }
    assert_int_equal(table_count(table), count);
    if (step % 1000 != 0) continue;
    for (size_t i = 0; i < KEYS; i++) {
      struct value *value = table_find(table, (i + 1) * UINT64_C(0xF1DE83E19937733D));
      assert_int_equal(value != NULL, model[i] != 0);
      if (value) assert_true(value->number == model[i]);
    }
  }
  table_destroy(table);
}

// Large enough that memory is given back while the table grows.
static void test_growth_keeps_everything(void **state) {
  (void)state;
  enum { ENTRIES = 1000000 };
  struct table *table = table_create(2 * sizeof(uint64_t), ENTRIES);
  for (uint64_t key = 1; key <= ENTRIES; key++) {
    uint64_t *value = table_insert(table, key, NULL);
    assert_non_null(value);
    value[0] = key * 3;
    value[1] = ~key;
  }
  assert_int_equal(table_count(table), ENTRIES);
  for (uint64_t key = 1; key <= ENTRIES; key++) {
    const uint64_t *value = table_find(table, key);
    if (!value || value[0] != key * 3 || value[1] != ~key) fail_msg("key %llu", (unsigned long long)key);
  }
  table_destroy(table);
}

static void test_iteration(void **state) {
  (void)state;
  struct table *table = table_create(sizeof(struct value), 10000);
  size_t cursor = 0;
  assert_null(table_next(table, &cursor, NULL));
  uint64_t expected = 0, sum = 0, key;
  for (uint64_t i = 1; i <= 3000; i++) {
    ((struct value *)table_insert(table, i * i, NULL))->key = i * i;
    expected += i * i;
  }
  struct value *value;
  size_t seen = 0;
  for (cursor = 0; (value = table_next(table, &cursor, &key)) != NULL; seen++) {
    assert_true(value->key == key);
    sum += key;
  }
  assert_int_equal(seen, 3000);
  assert_true(sum == expected);
  table_destroy(table);
}

static void test_recent_forgets_the_oldest(void **state) {
  (void)state;
  for (size_t max = 1; max <= 65; max += 8) {
    struct table_recent *recent = table_recent_create(max);
    uint32_t value;
    for (uint64_t key = 0; key < 1000; key++) {
      table_recent_put(recent, key * UINT64_C(0x100000000), (uint32_t)key);
      for (uint64_t old = key > 2 * max ? key - 2 * max : 0; old <= key; old++) {
        bool known = table_recent_get(recent, old * UINT64_C(0x100000000), &value);
        assert_int_equal(known, key - old < max);
        if (known) assert_int_equal(value, old);
      }
    }
    table_recent_destroy(recent);
  }
  table_recent_destroy(NULL);
}

// Against a plain list, with few buckets for the keys and most of them put again and again.
static void test_recent_against_a_model(void **state) {
  (void)state;
  enum { KEYS = 300, ENTRIES = 100 };
  uint64_t put_at[KEYS] = {0}, puts = 0; // when a key came, counting new ones; 0: never
  uint32_t values[KEYS] = {0};
  uint64_t random = 88172645463325252u;
  struct table_recent *recent = table_recent_create(ENTRIES);
  for (uint32_t step = 1; step <= 50000; step++) {
    size_t pick = (size_t)(next_random(&random) % KEYS);
    uint64_t key = pick * UINT64_C(0xF1DE83E19937733D);
    bool is_known = put_at[pick] > 0 && puts - put_at[pick] < ENTRIES;
    uint32_t value = 0;
    table_recent_prefetch(recent, key);
    table_recent_prefetch_entry(recent, key);
    assert_int_equal(table_recent_get(recent, key, &value), is_known);
    if (is_known) assert_int_equal(value, values[pick]);
    if (!is_known) put_at[pick] = ++puts;
    values[pick] = step;
    if (is_known || step % 2 == 0) {
      table_recent_put(recent, key, step);
    } else {
      table_recent_put_new(recent, key, step);
    }
  }
  size_t cursor = 0, seen = 0;
  while (table_recent_next(recent, &cursor)) seen++;
  assert_int_equal(seen, ENTRIES);
  table_recent_destroy(recent);
}

static void test_recent_replaces_without_making_younger(void **state) {
  (void)state;
  struct table_recent *recent = table_recent_create(3);
  uint32_t value = 0;
  assert_false(table_recent_get(recent, 0, &value));
  for (uint64_t key = 0; key < 3; key++) table_recent_put(recent, key, 1);
  table_recent_put(recent, 0, 2);
  assert_true(table_recent_get(recent, 0, &value) && value == 2);
  table_recent_put(recent, 3, 1);
  assert_false(table_recent_get(recent, 0, &value));
  assert_true(table_recent_get(recent, 1, &value));
  table_recent_destroy(recent);
}

static void test_recent_values_can_be_changed(void **state) {
  (void)state;
  struct table_recent *recent = table_recent_create(5);
  size_t cursor = 0;
  assert_null(table_recent_next(recent, &cursor));
  for (uint64_t key = 1; key <= 7; key++) table_recent_put(recent, key, (uint32_t)key); // 1 and 2 are forgotten
  uint32_t sum = 0, *value;
  while ((value = table_recent_next(recent, &cursor))) {
    sum += *value;
    *value += 100;
  }
  assert_int_equal(sum, 3 + 4 + 5 + 6 + 7);
  for (uint64_t key = 3; key <= 7; key++) {
    uint32_t changed = 0;
    assert_true(table_recent_get(recent, key, &changed));
    assert_int_equal(changed, key + 100);
  }
  table_recent_destroy(recent);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_insert_find_remove),
      cmocka_unit_test(test_key_zero_is_one),
      cmocka_unit_test(test_refuses_beyond_the_maximum),
      cmocka_unit_test(test_against_a_model),
      cmocka_unit_test(test_growth_keeps_everything),
      cmocka_unit_test(test_iteration),
      cmocka_unit_test(test_recent_forgets_the_oldest),
      cmocka_unit_test(test_recent_against_a_model),
      cmocka_unit_test(test_recent_replaces_without_making_younger),
      cmocka_unit_test(test_recent_values_can_be_changed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
