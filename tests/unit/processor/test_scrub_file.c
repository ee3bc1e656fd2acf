// SPDX-License-Identifier: Apache-2.0
//
// Files sent with an event: which of them are text, what must go out of them, and that the rest stays byte for byte.
#include "processor/scrub_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OUTPUT_MAX ((size_t)64 << 20)

struct fixture {
  struct scrub *scrub;
  struct json_parser *inner;
  struct buffer out;
};

static int setup(void **state) {
  static const char *const extra[] = {"tax_number"};
  struct fixture *fixture = calloc(1, sizeof *fixture);
  fixture->scrub = scrub_create(
      &(struct scrub_options){.enabled = true, .defaults = true, .extra_keys = extra, .extra_key_count = 1});
  fixture->inner = json_parser_create(SCRUB_FILE_JSON_BYTES_MAX);
  buffer_init(&fixture->out, OUTPUT_MAX);
  *state = fixture;
  return 0;
}

static int teardown(void **state) {
  struct fixture *fixture = *state;
  scrub_destroy(fixture->scrub);
  json_parser_destroy(fixture->inner);
  buffer_finish(&fixture->out);
  free(fixture);
  return 0;
}

// What the text becomes; once more, nothing changes.
static struct slice scrubbed(struct fixture *fixture, struct slice text) {
  struct buffer again;
  bool changed = false, twice = false;
  buffer_clear(&fixture->out);
  buffer_init(&again, OUTPUT_MAX);
  assert_int_equal(scrub_file(fixture->scrub, text, fixture->inner, &fixture->out, &changed), STATUS_OK);
  if (!changed) {
    assert_int_equal(fixture->out.len, 0);
    return text;
  }
  struct slice result = buffer_slice(&fixture->out);
  assert_int_equal(scrub_file(fixture->scrub, result, fixture->inner, &again, &twice), STATUS_OK);
  if (twice) fail_msg("again: %.*s", SLICE_PRINTF(buffer_slice(&again)));
  buffer_finish(&again);
  return result;
}

static void assert_becomes(struct fixture *fixture, const char *text, const char *wanted) {
  struct slice result = scrubbed(fixture, slice_from_cstr(text));
  if (!slice_equal_cstr(result, wanted)) fail_msg("%s\nbecomes %.*s\nnot %s", text, SLICE_PRINTF(result), wanted);
}

static void test_lines(void **state) {
  static const char *const cases[][2] = {
      {"one\ntwo\r\n\nthree", "one\ntwo\r\n\nthree"},
      {"a\nDB_PASSWORD=hunter2\nb\n", "a\nDB_PASSWORD=[Filtered]\nb\n"},
      {"a\r\nexport API_KEY = x y z \r\nb\r\n", "a\r\nexport API_KEY = [Filtered]\r\nb\r\n"},
      {"  - secret: x\n  \"token\": \"x\",\nAuthorization: Basic dTpw\nCookie: a=b",
       "  - secret: [Filtered]\n  \"token\": [Filtered]\nAuthorization: [Filtered]\nCookie: [Filtered]"},
      {"passwords:\n  - one\n", "passwords:\n  - one\n"}, // a heading
      {"tax_number: 17\nuser: joe\n", "tax_number: [Filtered]\nuser: joe\n"},
      {"10:15 INFO login user=joe password=hunter2 ok\n10:16 INFO logout\n", "[Filtered]\n10:16 INFO logout\n"},
      {"10:15 mail to joe@people.example sent, card 4111 1111 1111 1111 charged\n",
       "10:15 mail to [email] sent, card [creditcard] charged\n"},
      {"GET http://joe:pw@shop.example/?token=abc&page=2 200\n", NULL},
      {"https://shop.example/?token=abc&page=2\n", "https://shop.example/?token=[Filtered]&page=2\n"},
      {"before\n-----BEGIN RSA PRIVATE KEY-----\nMIIB\nVQIB\n-----END RSA PRIVATE KEY-----\nafter\n",
       "before\n-----BEGIN RSA PRIVATE KEY-----\n[pemkey]\n-----END RSA PRIVATE KEY-----\nafter\n"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    if (cases[i][1]) {
      assert_becomes(*state, cases[i][0], cases[i][1]);
      continue;
    }
    struct slice result = scrubbed(*state, slice_from_cstr(cases[i][0]));
    assert_false(slice_find(result, SLICE_LITERAL("pw@")) < result.len);
    assert_false(slice_find(result, SLICE_LITERAL("abc")) < result.len);
  }
}

static void test_json(void **state) {
  assert_becomes(*state, " {\n \"a\": 1,\n \"b\": [\"x\"]\n}\n", " {\n \"a\": 1,\n \"b\": [\"x\"]\n}\n");
  assert_becomes(*state, "{\n \"a\": {\"password\": \"x\"},\n \"mail\": \"to joe@people.example\"\n}\n",
                 "{\"a\":{\"password\":\"[Filtered]\"},\"mail\":\"to [email]\"}");
  assert_becomes(*state, "[1, {\"tax_number\": 5}]", "[1,{\"tax_number\":\"[Filtered]\"}]");
  // A document a line: those without secrets stay as they are, lines that are no documents are lines.
  assert_becomes(*state,
                 "{\"level\": \"info\"}\n{\"level\": \"info\", \"token\": \"x\"}\r\nplain\npassword: x\n{\"card\": "
                 "4111111111111111}\n{\"broken\": \"joe@people.example\n",
                 "{\"level\": \"info\"}\n{\"level\":\"info\",\"token\":\"[Filtered]\"}\r\nplain\npassword: "
                 "[Filtered]\n{\"card\":\"[Filtered]\"}\n{\"broken\": \"[email]\n");
}

// Bytes that are no UTF-8 (the cut end of a log), very long lines, documents over the limit.
static void test_odd_texts(void **state) {
  struct fixture *fixture = *state;
  assert_becomes(fixture, "\xac rest of a line\ntoken=\xff\xfe\n", "\xac rest of a line\ntoken=[Filtered]\n");
  assert_becomes(fixture, "", "");
  assert_becomes(fixture, "\n\n=\n:\n===\n", "\n\n=\n:\n===\n");
  size_t len = SCRUB_FILE_JSON_BYTES_MAX + (1 << 20);
  char *text = malloc(len + 1);
  memset(text, 'x', len);
  text[len] = 0;
  memcpy(text, "{\"a\": \"", 7);
  memcpy(text + len - 40, "joe@people.example                   \"}\n", 40);
  memset(text + len - 42, ' ', 2);
  struct slice result = scrubbed(fixture, slice_make(text, len));
  assert_false(slice_find(result, SLICE_LITERAL("joe@")) < result.len);
  assert_true(result.len > len - 40);
  free(text);
}

static void test_a_full_output_holds_what_it_held(void **state) {
  struct fixture *fixture = *state;
  static const char *const texts[] = {"a\npassword: x\nlonger than the output\n", "{\"password\": \"x\", \"b\": 1}",
                                      "{\"b\": 1}\n{\"password\": \"x\"}\n", "mail joe@people.example"};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    struct buffer small;
    bool changed = true;
    buffer_init(&small, 8);
    buffer_append_cstr(&small, "held");
    assert_int_equal(scrub_file(fixture->scrub, slice_from_cstr(texts[i]), fixture->inner, &small, &changed),
                     STATUS_TOO_LARGE);
    assert_false(changed || small.failed);
    assert_true(slice_equal_cstr(buffer_slice(&small), "held"));
    buffer_finish(&small);
  }
}

static void test_nothing_is_done_when_it_is_off(void **state) {
  struct fixture *fixture = *state;
  struct scrub *off = scrub_create(&(struct scrub_options){.enabled = false, .defaults = true});
  bool changed = true;
  assert_int_equal(scrub_file(off, SLICE_LITERAL("password: x"), fixture->inner, &fixture->out, &changed), STATUS_OK);
  assert_false(changed);
  assert_int_equal(fixture->out.len, 0);
  scrub_destroy(off);
}

static void test_which_files_are_text(void **state) {
  (void)state;
  const struct {
    const char *type, *name;
    struct slice content;
    bool is_text;
  } cases[] = {
      {"text/plain", "", SLICE_LITERAL("\0\1"), true},
      {"Text/HTML; charset=utf-8", "", SLICE_LITERAL(""), true},
      {"application/json", "", SLICE_LITERAL("{}"), true},
      {"application/problem+json ; q=1", "", SLICE_LITERAL("{}"), true},
      {"application/x-ndjson", "", SLICE_LITERAL("{}"), true},
      {"image/svg+xml", "", SLICE_LITERAL("<svg/>"), true},
      {"image/png", "a.txt", SLICE_LITERAL("text"), false},
      {"audio/ogg", "", SLICE_LITERAL("text"), false},
      {"application/octet-stream", "worker.LOG", SLICE_LITERAL("a\0b"), true},
      {"application/octet-stream", "", SLICE_LITERAL("lines\n\tof \x1b[31mtext\r\n"), true},
      {"", "", SLICE_LITERAL("lines"), true},
      {"", "core",
       SLICE_LITERAL("\x7f"
                     "ELF\2\1\1\0"),
       false},
      {"application/x-dmp", "a.dmp", SLICE_LITERAL("MDMP\x93\xa7\0\0"), false},
      {"", "a.gz", SLICE_LITERAL("\x1f\x8b\x08\0"), false},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    if (scrub_file_is_text(slice_from_cstr(cases[i].type), slice_from_cstr(cases[i].name), cases[i].content) !=
        cases[i].is_text)
      fail_msg("%s %s", cases[i].type, cases[i].name);
  }
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_lines),
      TEST(test_json),
      TEST(test_odd_texts),
      TEST(test_a_full_output_holds_what_it_held),
      TEST(test_nothing_is_done_when_it_is_off),
      TEST(test_which_files_are_text),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
