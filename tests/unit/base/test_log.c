// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/json.h"
#include "base/log.h"
#include "base/thread.h"

#define CAPTURE_MAX ((size_t)4 << 20)

// Standard error goes to a file between begin and end.
struct capture {
  FILE *file;
  int saved;
  char *text;
  size_t len;
};

static void capture_begin(struct capture *capture) {
  capture->file = tmpfile();
  assert_non_null(capture->file);
  int fd = fileno(capture->file);
  assert_int_equal(fcntl(fd, F_SETFL, O_APPEND), 0);
  capture->saved = dup(STDERR_FILENO);
  assert_true(dup2(fd, STDERR_FILENO) >= 0);
}

static void capture_end(struct capture *capture) {
  dup2(capture->saved, STDERR_FILENO);
  close(capture->saved);
  capture->text = malloc(CAPTURE_MAX);
  assert_non_null(capture->text);
  rewind(capture->file);
  capture->len = fread(capture->text, 1, CAPTURE_MAX, capture->file);
  fclose(capture->file);
}

// The line must be one JSON object and end with the only newline.
static struct json_value parse_line(struct json_parser *parser, struct slice line) {
  struct json_value root;
  assert_true(line.len <= LOG_LINE_MAX);
  assert_int_equal(slice_find_byte(line, '\n'), line.len - 1);
  assert_int_equal(json_parse(parser, line, &root, NULL), STATUS_OK);
  assert_int_equal(json_type_of(root), JSON_OBJECT);
  return root;
}

static void assert_member(struct json_value object, const char *key, const char *expected) {
  struct slice text = json_string(json_get(object, key));
  if (!slice_equal_cstr(text, expected)) print_error("%s: %.*s\n", key, (int)text.len, (const char *)text.ptr);
  assert_true(slice_equal_cstr(text, expected));
}

static void test_line(void **state) {
  (void)state;
  struct capture capture;
  struct json_parser *parser = json_parser_create(LOG_LINE_MAX);
  capture_begin(&capture);
  log_write(LOG_WARN, "journal", "segment \"7\" damaged\n",
            LOG_FIELDS(log_text("path", "a\\b\x01\xFF\xE2\x82\xAC"), log_u64("big", UINT64_MAX),
                       log_i64("low", INT64_MIN), log_slice("cut", SLICE_LITERAL("x\0y")), log_text("none", NULL)));
  capture_end(&capture);
  struct json_value root = parse_line(parser, slice_make(capture.text, capture.len));
  struct slice time = json_string(json_get(root, "time"));
  assert_int_equal(time.len, 30);
  assert_int_equal(time.ptr[29], 'Z');
  assert_member(root, "level", "warn");
  assert_member(root, "component", "journal");
  assert_member(root, "message", "segment \"7\" damaged\n");
  assert_member(root, "path", "a\\b\x01\xEF\xBF\xBD\xE2\x82\xAC");
  assert_true(json_u64(json_get(root, "big")) == UINT64_MAX);
  assert_true(json_i64(json_get(root, "low")) == INT64_MIN);
  assert_true(slice_equal(json_string(json_get(root, "cut")), SLICE_LITERAL("x\0y")));
  assert_member(root, "none", "");
  assert_int_equal(json_count(root), 9);
  free(capture.text);
  json_parser_destroy(parser);
}

static void test_levels(void **state) {
  (void)state;
  struct capture capture;
  enum log_level level = LOG_DEBUG;
  assert_true(log_level_parse(SLICE_LITERAL("error"), &level) && level == LOG_ERROR);
  assert_false(log_level_parse(SLICE_LITERAL("Error"), &level));
  assert_false(log_level_parse(SLICE_LITERAL(""), &level));
  assert_int_equal(level, LOG_ERROR);
  capture_begin(&capture);
  log_write(LOG_DEBUG, "test", "dropped by default", NULL);
  log_set_level(LOG_ERROR);
  log_write(LOG_WARN, "test", "dropped", NULL);
  log_write(LOG_ERROR, "test", "kept", NULL);
  log_set_level(LOG_DEBUG);
  log_write(LOG_DEBUG, "test", "kept too", NULL);
  log_set_level(LOG_INFO);
  capture_end(&capture);
  struct slice text = slice_make(capture.text, capture.len);
  assert_int_equal(slice_find(text, SLICE_LITERAL("dropped")), text.len + 1);
  assert_true(slice_find(text, SLICE_LITERAL("\"kept\"")) < text.len);
  assert_true(slice_find(text, SLICE_LITERAL("\"kept too\"")) < text.len);
  free(capture.text);
}

// However long the parts are, the line is bounded, valid, and keeps its first fields.
static void test_long_lines(void **state) {
  (void)state;
  struct json_parser *parser = json_parser_create(LOG_LINE_MAX);
  char *text = malloc(10001);
  assert_non_null(text);
  for (size_t fill = 0; fill < 3; fill++) {
    static const char *const patterns[] = {"a", "\x01", "\xE2\x82\xAC"};
    size_t step = strlen(patterns[fill]), len = 0;
    while (len + step <= 10000) memcpy(text + len, patterns[fill], step), len += step;
    text[len] = '\0';
    struct capture capture;
    capture_begin(&capture);
    log_write(LOG_INFO, "test", text,
              LOG_FIELDS(log_u64("first", 1), log_text("a", text), log_text("b", text), log_text("c", text),
                         log_u64("late", 12345678), log_text(text, "name")));
    capture_end(&capture);
    struct json_value root = parse_line(parser, slice_make(capture.text, capture.len));
    assert_true(json_u64(json_get(root, "first")) == 1);
    assert_true(json_string(json_get(root, "message")).len > 300);
    assert_true(slice_starts_with(slice_from_cstr(text), json_string(json_get(root, "message"))));
    assert_true(slice_starts_with(slice_from_cstr(text), json_string(json_get(root, "a"))));
    free(capture.text);
  }
  free(text);
  json_parser_destroy(parser);
}

#define WRITERS 4
#define LINES   200

static void write_lines(void *context) {
  for (uint64_t i = 0; i < LINES; i++) {
    log_write(LOG_INFO, "thread", "line", LOG_FIELDS(log_u64("writer", *(uint64_t *)context), log_u64("number", i)));
  }
}

static void test_threads_do_not_mix(void **state) {
  (void)state;
  struct thread threads[WRITERS];
  uint64_t numbers[WRITERS], next[WRITERS] = {0};
  struct capture capture;
  capture_begin(&capture);
  for (size_t i = 0; i < WRITERS; i++) {
    numbers[i] = i;
    assert_int_equal(thread_start(&threads[i], "writer", write_lines, &numbers[i]), STATUS_OK);
  }
  for (size_t i = 0; i < WRITERS; i++) thread_join(&threads[i]);
  capture_end(&capture);
  struct json_parser *parser = json_parser_create(LOG_LINE_MAX);
  struct slice rest = slice_make(capture.text, capture.len);
  size_t lines = 0;
  for (; rest.len > 0; lines++) {
    size_t len = slice_find_byte(rest, '\n') + 1;
    struct json_value root = parse_line(parser, slice_sub(rest, 0, len));
    uint64_t writer = json_u64(json_get(root, "writer"));
    assert_true(writer < WRITERS);
    assert_true(json_u64(json_get(root, "number")) == next[writer]++);
    rest = slice_skip(rest, len);
  }
  assert_int_equal(lines, WRITERS * LINES);
  json_parser_destroy(parser);
  free(capture.text);
}

static void test_closed_standard_error_is_ignored(void **state) {
  (void)state;
  int saved = dup(STDERR_FILENO);
  close(STDERR_FILENO);
  errno = 0;
  log_write(LOG_ERROR, "test", "nobody reads this", NULL);
  int after = errno;
  dup2(saved, STDERR_FILENO);
  close(saved);
  assert_int_equal(after, 0); // the caller's errno survives
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_line),
      cmocka_unit_test(test_levels),
      cmocka_unit_test(test_long_lines),
      cmocka_unit_test(test_threads_do_not_mix),
      cmocka_unit_test(test_closed_standard_error_is_ignored),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
