// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/wire.h"

static void varints_of_every_length(void **state) {
  (void)state;
  for (unsigned bits = 0; bits <= 64; bits++) {
    uint64_t value = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - 1, read = 0;
    for (int plus = 0; plus < 2; plus++, value++) {
      struct buffer out;
      buffer_init(&out, 16);
      wire_put_varint(&out, value);
      assert_int_equal(out.len, wire_varint_bytes(value));
      assert_true(out.len <= WIRE_VARINT_BYTES_MAX);
      assert_ptr_equal(wire_varint(out.ptr, out.ptr + out.len, &read), out.ptr + out.len);
      assert_true(read == value);
      for (size_t cut = 0; cut < out.len; cut++) assert_null(wire_varint(out.ptr, out.ptr + cut, &read));
      buffer_finish(&out);
    }
  }
  const uint8_t eleven[11] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0};
  const uint8_t overlong[10] = {0x81, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7e}; // bits over 64 are dropped
  uint64_t value = 5;
  assert_null(wire_varint(eleven, eleven + sizeof eleven, &value));
  assert_int_equal(value, 5); // untouched
  assert_non_null(wire_varint(overlong, overlong + sizeof overlong, &value));
  assert_int_equal(value, 1);
  uint32_t low = 0;
  const uint8_t minus_one[10] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01};
  assert_non_null(wire_varint32(minus_one, minus_one + sizeof minus_one, &low));
  assert_true(low == UINT32_MAX);
}

static const uint8_t *read_tag(const char *bytes, size_t len, uint32_t *out_tag) {
  return wire_tag((const uint8_t *)bytes, (const uint8_t *)bytes + len, out_tag);
}

static void tags_have_a_field_number(void **state) {
  (void)state;
  uint32_t tag = 0;
  assert_non_null(read_tag("\x0a", 1, &tag));
  assert_int_equal(tag, WIRE_TAG(1, WIRE_BYTES));
  assert_non_null(read_tag("\xf8\xff\xff\xff\x0f", 5, &tag)); // the largest field number
  assert_true(tag == WIRE_TAG(536870911, WIRE_VARINT));
  assert_null(read_tag("", 0, &tag));
  assert_null(read_tag("\x02", 1, &tag));
  assert_null(read_tag("\x82\x00", 2, &tag));
  assert_null(read_tag("\xf8\xff\xff\xff\x1f", 5, &tag)); // 33 bits
  assert_null(read_tag("\x88\x80\x80\x80\x80\x00", 6, &tag));
  assert_null(read_tag("\x88", 1, &tag));
}

static void fields_are_skipped_by_wire_type(void **state) {
  (void)state;
  const uint8_t bytes[12] = {0x85, 0x01, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  const uint8_t *end = bytes + sizeof bytes;
  assert_ptr_equal(wire_skip(bytes, end, WIRE_TAG(1, WIRE_VARINT)), bytes + 2);
  assert_ptr_equal(wire_skip(bytes, end, WIRE_TAG(1, WIRE_FIXED64)), bytes + 8);
  assert_ptr_equal(wire_skip(bytes, end, WIRE_TAG(1, WIRE_FIXED32)), bytes + 4);
  assert_ptr_equal(wire_skip(bytes + 2, end, WIRE_TAG(1, WIRE_BYTES)), bytes + 5);
  assert_null(wire_skip(bytes, end, WIRE_TAG(1, WIRE_BYTES))); // 133 bytes
  assert_null(wire_skip(bytes + 5, end, WIRE_TAG(1, WIRE_FIXED64)));
  assert_null(wire_skip(bytes + 9, end, WIRE_TAG(1, WIRE_FIXED32)));
  assert_null(wire_skip(end, end, WIRE_TAG(1, WIRE_VARINT)));
  for (uint32_t type = 3; type < 8; type++) {
    if (type != WIRE_FIXED32) assert_null(wire_skip(bytes, end, 8 | type));
  }
}

// Every length around the steps of the fast path, every place of the one byte that is not ASCII.
static void ascii_is_seen_at_every_place(void **state) {
  (void)state;
  for (size_t len = 0; len < 100; len++) {
    uint8_t *text = malloc(len + 1); // exact, so that AddressSanitizer sees a read beyond it
    assert_non_null(text);
    text = realloc(text, len ? len : 1);
    assert_non_null(text);
    memset(text, 0x7f, len);
    assert_true(wire_is_ascii(slice_make(text, len)));
    for (size_t at = 0; at < len; at++) {
      text[at] = 0x80;
      assert_false(wire_is_ascii(slice_make(text, len)));
      assert_false(wire_is_utf8(slice_make(text, len)));
      text[at] = 0x7f;
    }
    if (len >= 2) {
      memcpy(text + len - 2, "\xc3\xa9", 2);
      assert_true(wire_is_utf8(slice_make(text, len)));
    }
    free(text);
  }
  assert_true(wire_is_utf8(slice_make(NULL, 0)));
}

// A length that needs as many digits as guessed, fewer and more.
static void open_fields_get_their_length(void **state) {
  (void)state;
  static const size_t lengths[] = {0, 1, 127, 128, 16383, 16384, 100000};
  for (size_t i = 0; i < 7; i++) {
    for (size_t guess = 0; guess < 7; guess++) {
      struct buffer out, expected;
      struct wire_open_field outer, inner;
      uint8_t *content = malloc(lengths[i] + 1);
      assert_non_null(content);
      for (size_t b = 0; b < lengths[i]; b++) content[b] = (uint8_t)b;
      buffer_init(&out, 200000);
      buffer_init(&expected, 200000);
      assert_true(wire_open(&out, 1, lengths[guess], &outer));
      assert_true(wire_open(&out, 200, lengths[guess], &inner));
      assert_int_equal(buffer_append(&out, content, lengths[i]), STATUS_OK);
      assert_true(wire_close(&out, &inner));
      assert_true(wire_close(&out, &outer));
      struct slice payload = slice_make(content, lengths[i]);
      wire_put_tag(&expected, 1, WIRE_BYTES);
      wire_put_varint(&expected, 2 + wire_varint_bytes(lengths[i]) + lengths[i]);
      wire_put_bytes_field(&expected, 200, payload);
      assert_true(slice_equal(buffer_slice(&out), buffer_slice(&expected)));
      buffer_finish(&out);
      buffer_finish(&expected);
      free(content);
    }
  }
}

static void open_fields_see_a_full_buffer(void **state) {
  (void)state;
  struct buffer out;
  struct wire_open_field open;
  buffer_init(&out, 4);
  assert_false(wire_open(&out, 1, 100000000, &open));
  buffer_clear(&out);
  assert_true(wire_open(&out, 1, 5, &open));
  assert_int_equal(buffer_append_cstr(&out, "abc"), STATUS_TOO_LARGE);
  assert_false(wire_close(&out, &open));
  buffer_finish(&out);
  buffer_init(&out, 2 + 200); // no room for the second digit
  assert_true(wire_open(&out, 1, 5, &open));
  for (int i = 0; i < 200; i++) assert_int_equal(buffer_append_byte(&out, 'x'), STATUS_OK);
  assert_false(wire_close(&out, &open));
  buffer_finish(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(varints_of_every_length),         cmocka_unit_test(tags_have_a_field_number),
      cmocka_unit_test(fields_are_skipped_by_wire_type), cmocka_unit_test(ascii_is_seen_at_every_place),
      cmocka_unit_test(open_fields_get_their_length),    cmocka_unit_test(open_fields_see_a_full_buffer),
  };
  return cmocka_run_group_tests_name("wire", tests, NULL, NULL);
}
