// SPDX-License-Identifier: Apache-2.0
#include "receiver/admission.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KIB ((size_t)1024)
#define MIB (1024 * KIB)

static struct admission *create(struct budget *budget, size_t decoded_bytes_max, uint32_t ratio_max) {
  const struct admission_options options = {
      .budget = budget, .decoded_bytes_max = decoded_bytes_max, .ratio_max = ratio_max};
  return admission_create(&options);
}

// Packs so many bytes that zstd cannot make less than about half of, or zeros.
static void pack(struct buffer *out, size_t len, bool noise) {
  uint8_t *bytes = calloc(1, len);
  uint32_t seed = 1;
  for (size_t i = 0; noise && i < len; i++) {
    seed = seed * 1664525 + 1013904223;
    bytes[i] = (uint8_t)(seed >> 28);
  }
  assert_int_equal(compress_zstd(slice_make(bytes, len), out), STATUS_OK);
  free(bytes);
}

static enum status decode(struct admission *admission, const struct buffer *packed, size_t *out_len) {
  struct admission_body body;
  struct error error;
  enum status status = admission_decode(admission, ENCODING_ZSTD, buffer_slice(packed), &body, &error);
  if (status == STATUS_OK) {
    *out_len = body.buffer.len;
    admission_release(admission, &body);
  }
  return status;
}

static void test_size_limit(void **state) {
  (void)state;
  struct admission *admission = create(NULL, 3 * MIB, 1000000);
  struct buffer packed;
  buffer_init(&packed, 16 * MIB);
  size_t len = 0;
  pack(&packed, 3 * MIB, true);
  assert_int_equal(decode(admission, &packed, &len), STATUS_OK);
  assert_int_equal(len, 3 * MIB);
  buffer_clear(&packed);
  pack(&packed, 3 * MIB + 1, true);
  assert_int_equal(decode(admission, &packed, &len), STATUS_TOO_LARGE);
  buffer_finish(&packed);
  admission_destroy(admission);
}

static void test_ratio_limit_above_one_mebibyte(void **state) {
  (void)state;
  struct admission *admission = create(NULL, 64 * MIB, 200);
  struct buffer packed;
  buffer_init(&packed, 16 * MIB);
  size_t len = 0;
  pack(&packed, MIB, false); // thousands to one, but small
  assert_int_equal(decode(admission, &packed, &len), STATUS_OK);
  buffer_clear(&packed);
  pack(&packed, 2 * MIB, false);
  assert_true(packed.len * 200 < 2 * MIB);
  assert_int_equal(decode(admission, &packed, &len), STATUS_TOO_LARGE);
  buffer_finish(&packed);
  admission_destroy(admission);
}

static void test_budget(void **state) {
  (void)state;
  struct budget budget;
  budget_init(&budget, 4 * MIB);
  struct admission *admission = create(&budget, 2 * MIB, 200);
  struct buffer packed;
  buffer_init(&packed, 16 * MIB);
  pack(&packed, 100 * KIB, true);
  struct admission_body one, two, three;
  struct error error;
  // Held bodies cost what they take, not what they might have taken.
  assert_int_equal(admission_decode(admission, ENCODING_ZSTD, buffer_slice(&packed), &one, &error), STATUS_OK);
  assert_true(budget_used(&budget) >= 100 * KIB && budget_used(&budget) <= 300 * KIB);
  assert_int_equal(admission_decode(admission, ENCODING_ZSTD, buffer_slice(&packed), &two, &error), STATUS_OK);
  assert_int_equal(admission_reserve(admission, 2 * MIB, &three, &error), STATUS_OK);
  struct admission_body four;
  assert_int_equal(admission_decode(admission, ENCODING_ZSTD, buffer_slice(&packed), &four, &error),
                   STATUS_UNAVAILABLE);
  admission_release(admission, &three);
  assert_int_equal(admission_decode(admission, ENCODING_ZSTD, buffer_slice(&packed), &four, &error), STATUS_OK);
  admission_release(admission, &four);
  admission_release(admission, &one);
  admission_release(admission, &two);
  assert_int_equal(admission_decode(admission, ENCODING_GZIP, buffer_slice(&packed), &four, &error), STATUS_INVALID);
  assert_int_equal(budget_used(&budget), 0);
  buffer_finish(&packed);
  admission_destroy(admission);
}

static void test_without_keys_everybody_may_send(void **state) {
  (void)state;
  struct admission *admission = create(NULL, 0, 0);
  assert_int_equal(admission_decoded_bytes_max(admission), 64 * MIB);
  const struct slice none = {0};
  assert_int_equal(admission_check_key(admission, none, none, NULL), STATUS_OK);
  assert_int_equal(admission_check_ready(admission, NULL), STATUS_OK);
  admission_destroy(admission);
}

static void test_keys(void **state) {
  (void)state;
  static const char *const keys[] = {"alpha", "", "beta"};
  const struct admission_options options = {.keys = keys, .key_count = 3};
  struct admission *admission = admission_create(&options);
  const struct slice none = {0};
  const struct {
    const char *authorization, *key;
    bool known;
  } cases[] = {
      {"Bearer alpha", "", true},
      {"bEARER  beta ", "", true},
      {"", "beta", true},
      {"Bearer x", "alpha", true},
      {"", "", false},
      {"Bearer ", "", false},
      {"Bearer", "", false},
      {"alpha", "", false},
      {"", "alph", false},
      {"", "alpha1", false},
      {"", "ALPHA", false},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    enum status status =
        admission_check_key(admission, slice_from_cstr(cases[i].authorization), slice_from_cstr(cases[i].key), NULL);
    assert_int_equal(status, cases[i].known ? STATUS_OK : STATUS_UNAUTHENTICATED);
  }
  assert_int_equal(admission_check_key(admission, none, slice_make("alpha\0", 6), NULL), STATUS_UNAUTHENTICATED);
  admission_destroy(admission);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_size_limit), cmocka_unit_test(test_ratio_limit_above_one_mebibyte),
      cmocka_unit_test(test_budget),     cmocka_unit_test(test_without_keys_everybody_may_send),
      cmocka_unit_test(test_keys),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
