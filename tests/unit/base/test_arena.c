// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"

#define MAX ((size_t)1 << 20)

static void assert_zero(const uint8_t *bytes, size_t len) {
  for (size_t i = 0; i < len; i++) assert_int_equal(bytes[i], 0);
}

// Many sizes: aligned, zeroed, apart from each other, and intact until the reset; twice, so that memory is reused.
static void test_alloc(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena, 8 * MAX);
  for (int round = 0; round < 2; round++) {
    uint8_t *parts[300];
    for (size_t i = 0; i < 300; i++) {
      size_t bytes = i * 37 % 5000;
      parts[i] = arena_alloc(&arena, bytes);
      assert_non_null(parts[i]);
      assert_int_equal((uintptr_t)parts[i] % 16, 0);
      assert_zero(parts[i], bytes);
      memset(parts[i], (int)(i % 255 + 1), bytes);
    }
    for (size_t i = 0; i < 300; i++) {
      for (size_t j = 0; j < i * 37 % 5000; j++) assert_int_equal(parts[i][j], i % 255 + 1);
    }
    arena_reset(&arena);
    assert_int_equal(arena.used_bytes, 0);
  }
  arena_finish(&arena);
}

static void test_empty_allocations_are_valid(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena, 64);
  void *a = arena_alloc(&arena, 0);
  void *b = arena_alloc(&arena, 0);
  assert_true(a != NULL && b != NULL && a != b);
  arena_finish(&arena);
}

static void test_budget(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena, 1000);
  assert_non_null(arena_alloc(&arena, 960));
  assert_null(arena_alloc(&arena, 41));
  assert_true(arena_exhausted(&arena));
  assert_non_null(arena_alloc(&arena, 16)); // what fits is still given, and the flag stays
  assert_true(arena_exhausted(&arena));
  assert_null(arena_alloc(&arena, SIZE_MAX));
  assert_null(arena_alloc(&arena, SIZE_MAX - 8));
  assert_true(arena.used_bytes <= arena.max_bytes);
  arena_reset(&arena);
  assert_false(arena_exhausted(&arena));
  assert_non_null(arena_alloc(&arena, 960));
  arena_finish(&arena);
}

static void test_array_overflow(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena, MAX);
  assert_null(arena_alloc_array(&arena, SIZE_MAX / 8 + 2, 8));
  assert_true(arena_exhausted(&arena));
  arena_reset(&arena);
  assert_zero(arena_alloc_array(&arena, 100, 24), 2400);
  arena_finish(&arena);
}

static void test_large_blocks_do_not_stay(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena, 16 * MAX);
  uint8_t *small = arena_alloc(&arena, 10);
  assert_non_null(arena_alloc(&arena, 4 * MAX));
  uint8_t *next = arena_alloc(&arena, 10);
  assert_ptr_equal(next, small + 16); // a giant does not waste the block in use
  for (int i = 0; i < 2000; i++) assert_non_null(arena_alloc(&arena, 1000));
  arena_reset(&arena);
  uint8_t *first = arena_alloc(&arena, 200 * 1024); // the kept block is the largest of the ordinary ones
  assert_non_null(first);
  arena_reset(&arena);
  assert_ptr_equal(arena_alloc(&arena, 200 * 1024), first);
  arena_finish(&arena);
}

// What is written into the room of the newest block is the arena's once it is taken, and ends as a copy does.
static void test_room(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena, 8192);
  struct buffer room = arena_room(&arena);
  assert_int_equal(buffer_append_byte(&room, 'x'), STATUS_TOO_LARGE); // no block yet
  memset(arena_alloc(&arena, 4096 - 64), 0xEE, 4096 - 64);
  for (size_t len = 0; len <= 48; len++) {
    struct arena before = arena;
    room = arena_room(&arena);
    for (size_t i = 0; i < len; i++) assert_int_equal(buffer_append_byte(&room, 'a'), STATUS_OK);
    if (len == 48) assert_int_equal(buffer_append_byte(&room, 'a'), STATUS_TOO_LARGE);
    assert_int_equal(arena.used_bytes, before.used_bytes); // nothing is taken yet
  }
  struct slice text = arena_take_room(&arena, 40);
  assert_int_equal(text.len, 40);
  assert_int_equal(arena.used_bytes, 4096 - 64 + 48);
  for (size_t i = 0; i < text.len; i++) assert_int_equal(text.ptr[i], 'a');
  assert_zero(text.ptr + text.len, 8);
  const uint8_t *next = arena_alloc(&arena, 16);
  assert_ptr_equal(next, text.ptr + 48);
  assert_int_equal(arena_room(&arena).max_bytes, 0); // the block is full
  assert_false(arena_exhausted(&arena));
  arena_finish(&arena);
  arena_init(&arena, 100); // the budget counts, not the block
  arena_alloc(&arena, 16);
  assert_int_equal(arena_room(&arena).max_bytes, 100 - 16 - 16);
  arena_finish(&arena);
}

static void test_copy_and_printf(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena, 256);
  struct slice copy = arena_copy(&arena, SLICE_LITERAL("a\0b"));
  assert_int_equal(copy.len, 3);
  assert_memory_equal(copy.ptr, "a\0b\0", 4);
  assert_non_null(arena_copy(&arena, slice_make(NULL, 0)).ptr);
  struct slice text = arena_printf(&arena, "%s-%d", "seven", 7);
  assert_int_equal(text.len, 7);
  assert_string_equal((const char *)text.ptr, "seven-7");
  assert_false(arena_exhausted(&arena));
  assert_null(arena_printf(&arena, "%300d", 1).ptr);
  assert_true(arena_exhausted(&arena));
  char big[300] = {0};
  copy = arena_copy(&arena, slice_make(big, sizeof big));
  assert_true(copy.ptr == NULL && copy.len == 0);
  arena_finish(&arena);
  arena_finish(&arena); // twice is harmless
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_alloc),
      cmocka_unit_test(test_empty_allocations_are_valid),
      cmocka_unit_test(test_budget),
      cmocka_unit_test(test_array_overflow),
      cmocka_unit_test(test_copy_and_printf),
      cmocka_unit_test(test_large_blocks_do_not_stay),
      cmocka_unit_test(test_room),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
