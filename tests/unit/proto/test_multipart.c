// SPDX-License-Identifier: Apache-2.0
#include "proto/multipart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define TYPE             "multipart/form-data; boundary=xx"
#define FILE_PART(bytes) "Content-Disposition: form-data; name=\"f\"; filename=\"a\"\r\n\r\n" bytes

static enum status walk(const char *type, struct slice body, struct multipart_part *out_parts, uint32_t *out_count,
                        struct error *error) {
  struct multipart multipart;
  *out_count = 0;
  enum status status = multipart_open(&multipart, slice_from_cstr(type), body, error);
  while (status == STATUS_OK) {
    status = multipart_next(&multipart, &out_parts[*out_count], error);
    if (status == STATUS_OK) ++*out_count;
  }
  return status;
}

static void assert_text(struct slice text, const char *expected) {
  if (!slice_equal_cstr(text, expected)) fail_msg("\"%.*s\" is not \"%s\"", SLICE_PRINTF(text), expected);
}

static void test_parts_are_found(void **state) {
  (void)state;
  static const char body[] = "preamble --xx\r\n--xx \t\r\ncontent-disposition: form-data; name=note\r\n\r\nhello\r\n"
                             "--xx\r\nContent-Disposition: form-data; name=\"f;=\"; FileName=\"a \\\" b\"\r\n"
                             "Content-Type: image/png; x=y\r\nX-Other: 1\r\n\r\n\0--xx\r\n--x\r\n\r\n"
                             "--xx\r\n\r\n\r\n--xx\r\n\r\n--xx--\r\nepilogue";
  struct multipart_part parts[8];
  struct error error = {""};
  uint32_t count;
  assert_int_equal(walk("Multipart/Form-Data; charset=x; boundary=\"xx\"", SLICE_LITERAL(body), parts, &count, &error),
                   STATUS_END);
  assert_int_equal(count, 4);
  assert_text(parts[0].name, "note");
  assert_int_equal(parts[0].filename.len, 0);
  assert_text(parts[0].body, "hello");
  assert_text(parts[1].name, "f;=");
  assert_text(parts[1].filename, "a \\\" b");
  assert_text(parts[1].content_type, "image/png; x=y");
  assert_true(slice_equal(parts[1].body, SLICE_LITERAL("\0--xx\r\n--x\r\n")));
  assert_int_equal(parts[2].body.len, 0); // nothing between the empty line and the delimiter's line
  assert_int_equal(parts[3].body.len, 0); // nor here, where the empty line's end is the delimiter's
}

static void test_faults_have_words(void **state) {
  (void)state;
  static char long_headers[MULTIPART_HEADERS_MAX + 64];
  memset(long_headers, 'a', sizeof long_headers - 1);
  memcpy(long_headers, "--xx\r\n", 6);
  memcpy(long_headers + sizeof long_headers - 20, "\r\n\r\nb\r\n--xx--", 13);
  const struct {
    const char *type, *body;
    enum status status;
  } cases[] = {
      {"text/plain; boundary=xx", "--xx--", STATUS_UNSUPPORTED},
      {"", "--xx--", STATUS_UNSUPPORTED},
      {"multipart/form-data", "--xx--", STATUS_INVALID},
      {"multipart/form-data; boundary=", "--xx--", STATUS_INVALID},
      {"multipart/form-data; boundary=\"a\nb\"", "--xx--", STATUS_INVALID},
      {"multipart/form-data; boundary="
       "0123456789012345678901234567890123456789012345678901234567890123456789_",
       "--xx--", STATUS_INVALID},
      {TYPE, "", STATUS_INVALID},
      {TYPE, "--x", STATUS_INVALID},
      {TYPE, "--xxx", STATUS_INVALID},
      {TYPE, "--xx\r\n", STATUS_INVALID},
      {TYPE, "--xx\r\n" FILE_PART("data"), STATUS_INVALID},
      {TYPE, "--xx\r\n" FILE_PART("data\n--xx--"), STATUS_INVALID},
      {TYPE, long_headers, STATUS_INVALID},
      {TYPE, "--xx--", STATUS_END},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct multipart_part parts[8];
    struct error error = {""};
    uint32_t count;
    enum status status = walk(cases[i].type, slice_from_cstr(cases[i].body), parts, &count, &error);
    if (status != cases[i].status) fail_msg("case %zu: %s", i, status_name(status));
    assert_int_equal(count, 0);
    assert_true((status == STATUS_END) == (error.text[0] == 0));
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parts_are_found),
      cmocka_unit_test(test_faults_have_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
