// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"

static void test_append(void **state) {
  (void)state;
  struct buffer buffer;
  buffer_init(&buffer, 1 << 20);
  assert_int_equal(buffer_slice(&buffer).len, 0);
  for (int i = 0; i < 10000; i++) assert_int_equal(buffer_printf(&buffer, "%04d", i), STATUS_OK);
  assert_int_equal(buffer.len, 40000);
  for (int i = 0; i < 10000; i++) {
    char text[5];
    memcpy(text, buffer.ptr + 4 * i, 4);
    text[4] = '\0';
    assert_int_equal(strtol(text, NULL, 10), i);
  }
  buffer_clear(&buffer);
  assert_int_equal(buffer_append_cstr(&buffer, "a"), STATUS_OK);
  assert_int_equal(buffer_append_slice(&buffer, SLICE_LITERAL("\0b")), STATUS_OK);
  assert_int_equal(buffer_append_byte(&buffer, 'c'), STATUS_OK);
  assert_int_equal(buffer_append(&buffer, NULL, 0), STATUS_OK);
  assert_int_equal(buffer.len, 4);
  assert_memory_equal(buffer.ptr, "a\0bc", 4);
  buffer_finish(&buffer);
}

static void test_ceiling(void **state) {
  (void)state;
  struct buffer buffer;
  buffer_init(&buffer, 1000);
  char bytes[1000];
  memset(bytes, 'x', sizeof bytes);
  assert_int_equal(buffer_append(&buffer, bytes, 999), STATUS_OK);
  assert_int_equal(buffer_append(&buffer, bytes, 2), STATUS_TOO_LARGE);
  assert_true(buffer.failed);
  assert_int_equal(buffer.len, 999);
  assert_int_equal(buffer_append_byte(&buffer, 'y'), STATUS_OK); // to the last byte, and the flag stays
  assert_true(buffer.failed);
  assert_int_equal(buffer_append_byte(&buffer, 'y'), STATUS_TOO_LARGE);
  volatile size_t all_there_is = SIZE_MAX; // not for the compiler to see and warn of
  assert_int_equal(buffer_append(&buffer, bytes, all_there_is), STATUS_TOO_LARGE);
  assert_int_equal(buffer.len, 1000);
  assert_true(buffer.capacity <= 1000);
  assert_int_equal(buffer.ptr[999], 'y');
  buffer_clear(&buffer);
  assert_false(buffer.failed);
  assert_int_equal(buffer_append(&buffer, bytes, 1000), STATUS_OK);
  buffer_finish(&buffer);
}

static void test_printf(void **state) {
  (void)state;
  struct buffer buffer;
  buffer_init(&buffer, 600);
  for (int width = 254; width <= 258; width++) { // around the size of its own small buffer
    buffer_clear(&buffer);
    assert_int_equal(buffer_printf(&buffer, "%*d", width, 7), STATUS_OK);
    assert_int_equal(buffer.len, width);
    assert_int_equal(buffer.ptr[width - 1], '7');
  }
  buffer_clear(&buffer);
  assert_int_equal(buffer_printf(&buffer, "%600d", 7), STATUS_OK);
  assert_int_equal(buffer_printf(&buffer, "%d", 7), STATUS_TOO_LARGE);
  assert_int_equal(buffer.len, 600);
  buffer_clear(&buffer);
  assert_int_equal(buffer_printf(&buffer, "%601d", 7), STATUS_TOO_LARGE);
  assert_true(buffer.failed);
  assert_int_equal(buffer.len, 0);
  buffer_finish(&buffer);
}

static void test_reserve_and_release(void **state) {
  (void)state;
  struct buffer buffer;
  buffer_init(&buffer, 5000);
  assert_non_null(buffer_reserve(&buffer, 0));
  uint8_t *room = buffer_reserve(&buffer, 4000);
  assert_non_null(room);
  memset(room, 'r', 4000);
  buffer.len += 4000;
  assert_null(buffer_reserve(&buffer, 1001));
  assert_true(buffer.failed);
  size_t len;
  uint8_t *bytes = buffer_release(&buffer, &len);
  assert_int_equal(len, 4000);
  assert_int_equal(bytes[3999], 'r');
  free(bytes);
  assert_true(buffer.ptr == NULL && buffer.len == 0 && !buffer.failed && buffer.max_bytes == 5000);
  assert_null(buffer_release(&buffer, &len));
  assert_int_equal(len, 0);
  assert_int_equal(buffer_append_cstr(&buffer, "again"), STATUS_OK);
  buffer_finish(&buffer);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_append),
      cmocka_unit_test(test_ceiling),
      cmocka_unit_test(test_printf),
      cmocka_unit_test(test_reserve_and_release),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
