// SPDX-License-Identifier: Apache-2.0
//
// Every golden/<language>/<name>.txt is the text of a stack trace; <name>.json beside it says what it must become. With
// CULPRIT_GOLDEN_WRITE set the answers are written instead of compared: read them before you believe them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>
#include <sys/stat.h>

#include "base/json.h"
#include "processor/stacktrace/stacktrace.h"

#define GOLDEN      SOURCE_DIRECTORY "/tests/unit/processor/golden"
#define ARENA_BYTES (64u << 20)

#define PYTHON_CHAIN                                                                                                   \
  "Traceback (most recent call last):\n  File \"a\", line 1, in f\nE: x\n\n"                                           \
  "During handling of the above exception, another exception occurred:\n\n"
#define NODE_CAUSE                                                                                                     \
  "  [cause]: Error: x\n      at a (/b.js:1:1)\n      ... 3 lines matching cause stack trace ...\n"                    \
  "      at b (/b.js:1:2) {\n"

static struct slice read_file(const char *path, struct arena *arena) {
  FILE *file = fopen(path, "rb");
  if (file == NULL) return (struct slice){0};
  char *bytes = arena_alloc(arena, 1u << 20);
  assert_non_null(bytes);
  size_t len = fread(bytes, 1, 1u << 20, file);
  fclose(file);
  return slice_make(bytes, len);
}

static void text_member(struct json_writer *writer, const char *key, struct slice text) {
  if (text.len == 0) return;
  json_key(writer, key);
  json_write_string(writer, text);
}

static void number_member(struct json_writer *writer, const char *key, uint64_t number) {
  if (number == 0) return;
  json_key(writer, key);
  json_write_u64(writer, number);
}

static void write_frame(struct json_writer *writer, const struct sentry_frame *frame) {
  json_begin_object(writer);
  text_member(writer, "function", frame->function);
  text_member(writer, "module", frame->module);
  text_member(writer, "package", frame->package);
  text_member(writer, "filename", frame->filename);
  if (!slice_equal(frame->abs_path, frame->filename)) text_member(writer, "abs_path", frame->abs_path);
  number_member(writer, "line", frame->line);
  number_member(writer, "column", frame->column);
  text_member(writer, "context_line", frame->context_line);
  text_member(writer, "instruction_addr", frame->instruction_addr);
  json_key(writer, "in_app");
  json_write_bool(writer, frame->in_app == SENTRY_IN_APP_YES);
  assert_int_not_equal(frame->in_app, SENTRY_IN_APP_UNSET);
  json_end_object(writer);
}

static void write_exception(struct json_writer *writer, const struct sentry_exception *exception) {
  json_begin_object(writer);
  text_member(writer, "type", exception->type);
  text_member(writer, "value", exception->value);
  text_member(writer, "module", exception->module);
  if (exception->has_mechanism) text_member(writer, "mechanism", exception->mechanism_type);
  if (exception->has_exception_id) {
    json_key(writer, "id");
    json_write_i64(writer, exception->exception_id);
  }
  if (exception->has_parent_id) {
    json_key(writer, "parent");
    json_write_i64(writer, exception->parent_id);
  }
  if (exception->is_exception_group) {
    json_key(writer, "group");
    json_write_bool(writer, true);
  }
  number_member(writer, "frames_omitted", exception->stacktrace.frames_omitted);
  json_key(writer, "frames");
  json_begin_array(writer);
  for (uint32_t i = 0; i < exception->stacktrace.frame_count; i++)
    write_frame(writer, &exception->stacktrace.frames[i]);
  json_end_array(writer);
  json_end_object(writer);
}

static void write_answer(struct buffer *out, struct slice language, struct slice text, struct arena *arena) {
  struct sentry_exception *exceptions = NULL;
  uint32_t count = 0;
  const char *platform = NULL;
  enum status status =
      stacktrace_parse(language, text, (struct slice){0}, (struct slice){0}, arena, &exceptions, &count, &platform);
  struct json_writer writer;
  json_writer_init(&writer, out);
  json_begin_object(&writer);
  json_key(&writer, "platform");
  json_write_cstr(&writer, status == STATUS_OK ? platform : status_name(status));
  json_key(&writer, "exceptions");
  json_begin_array(&writer);
  for (uint32_t i = 0; status == STATUS_OK && i < count; i++) write_exception(&writer, &exceptions[i]);
  json_end_array(&writer);
  json_end_object(&writer);
  assert_false(out->failed);
}

// The file's JSON without its white space.
static struct slice compact(struct json_parser *parser, struct slice text, struct arena *arena) {
  struct json_value root;
  if (json_parse(parser, text, &root, NULL) != STATUS_OK) return SLICE_LITERAL("no valid JSON");
  struct buffer out;
  buffer_init(&out, 1u << 20);
  json_write_value(&out, root);
  struct slice kept = arena_copy(arena, buffer_slice(&out));
  buffer_finish(&out);
  return kept;
}

static bool check_file(const char *language, const char *name, struct json_parser *parser) {
  struct arena arena;
  arena_init(&arena, ARENA_BYTES);
  char path[2048];
  snprintf(path, sizeof(path), GOLDEN "/%s/%s", language, name);
  struct slice text = read_file(path, &arena);
  assert_true(text.len > 0);
  memcpy(strrchr(path, '.'), ".json", sizeof(".json"));
  struct buffer answer, unhinted;
  buffer_init(&answer, 1u << 20);
  buffer_init(&unhinted, 1u << 20);
  write_answer(&answer, slice_from_cstr(language), text, &arena);
  write_answer(&unhinted, (struct slice){0}, text, &arena);
  bool same = true;
  if (getenv("CULPRIT_GOLDEN_WRITE") != NULL) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    fwrite(answer.ptr, 1, answer.len, file);
    fclose(file);
  } else {
    struct slice expected = compact(parser, read_file(path, &arena), &arena);
    same = slice_equal(expected, buffer_slice(&answer));
    if (!same)
      print_error("%s\n  expected %.*s\n  found    %.*s\n", path, SLICE_PRINTF(expected), SLICE_PRINTF(answer));
  }
  if (!slice_equal(buffer_slice(&answer), buffer_slice(&unhinted))) {
    print_error("%s/%s: without the language\n  found    %.*s\n", language, name, SLICE_PRINTF(unhinted));
    same = false;
  }
  buffer_finish(&answer);
  buffer_finish(&unhinted);
  arena_finish(&arena);
  return same;
}

static void golden_files(void **state) {
  (void)state;
  struct json_parser *parser = json_parser_create(1u << 20);
  int files = 0, wrong = 0;
  DIR *languages = opendir(GOLDEN);
  assert_non_null(languages);
  for (struct dirent *language; (language = readdir(languages)) != NULL;) {
    if (language->d_name[0] == '.' || strcmp(language->d_name, "programs") == 0) continue;
    char path[2048];
    snprintf(path, sizeof(path), GOLDEN "/%s", language->d_name);
    DIR *names = opendir(path);
    if (names == NULL) continue;
    for (struct dirent *name; (name = readdir(names)) != NULL;) {
      const char *end = strrchr(name->d_name, '.');
      if (end == NULL || strcmp(end, ".txt") != 0) continue;
      files++;
      wrong += !check_file(language->d_name, name->d_name, parser);
    }
    closedir(names);
  }
  closedir(languages);
  json_parser_destroy(parser);
  assert_true(files > 0);
  assert_int_equal(wrong, 0);
}

static void attributes_win_over_the_text(void **state) {
  (void)state;
  struct arena arena;
  arena_init(&arena, ARENA_BYTES);
  struct sentry_exception *exceptions;
  uint32_t count;
  const char *platform;
  struct slice text = SLICE_LITERAL("a.B: cut\n\tat a.B.c(B.java:1)\nCaused by: x.Y: z\n\tat x.Y.z(Y.java:2)\n");
  assert_int_equal(stacktrace_parse(SLICE_LITERAL("java"), text, SLICE_LITERAL("a.b.Whole"),
                                    SLICE_LITERAL("whole\nmessage"), &arena, &exceptions, &count, &platform),
                   STATUS_OK);
  assert_int_equal(count, 2);
  assert_true(slice_equal_cstr(exceptions[1].type, "Whole"));
  assert_true(slice_equal_cstr(exceptions[1].module, "a.b"));
  assert_true(slice_equal_cstr(exceptions[1].value, "whole\nmessage"));
  assert_true(slice_equal_cstr(exceptions[0].type, "Y"));
  arena_finish(&arena);
}

// Class.getCanonicalName(), which OpenTelemetry for Java records, does not show where the outer class begins.
static void a_nested_class_keeps_its_name(void **state) {
  (void)state;
  static const struct {
    const char *header, *attribute, *module, *type;
  } rows[] = {
      {"shop.Cart$Unknown", "shop.Cart.Unknown", "shop", "Cart$Unknown"},
      {"shop.Cart$A$B", "shop.Cart.A.B", "shop", "Cart$A$B"},
      {"Cart$Unknown", "Cart.Unknown", "", "Cart$Unknown"},
      {"shop.Cart$Unknown", "shop.Cart$Unknown", "shop", "Cart$Unknown"},
      {"shop.Cart$Unknown", "shop.Cart.Other", "shop.Cart", "Other"},
      {"shop.Cart$Unknown", "stop.Cart.Unknown", "stop.Cart", "Unknown"},
  };
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct slice text = arena_printf(&arena, "%s: m\n\tat a.B.c(B.java:1)\n", rows[i].header);
    struct sentry_exception *exceptions;
    uint32_t count;
    const char *platform;
    assert_int_equal(stacktrace_parse(SLICE_LITERAL("java"), text, slice_from_cstr(rows[i].attribute),
                                      SLICE_LITERAL("m"), &arena, &exceptions, &count, &platform),
                     STATUS_OK);
    assert_true(slice_equal_cstr(exceptions[0].module, rows[i].module));
    assert_true(slice_equal_cstr(exceptions[0].type, rows[i].type));
    arena_finish(&arena);
  }
}

static void text_of_no_language_is_not_found(void **state) {
  (void)state;
  static const char *const texts[] = {"",
                                      "\n\n",
                                      "it broke",
                                      "at the corner\n  at noon\n",
                                      "File \"x\", line\n",
                                      "\x00\xff\xfe garbage \x01",
                                      "Error: x\nwith\nlines",
                                      "12:30 @ home"};
  struct arena arena;
  arena_init(&arena, ARENA_BYTES);
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    struct sentry_exception *exceptions;
    uint32_t count;
    const char *platform;
    assert_int_equal(stacktrace_parse(SLICE_LITERAL("python"), slice_from_cstr(texts[i]), (struct slice){0},
                                      (struct slice){0}, &arena, &exceptions, &count, &platform),
                     STATUS_NOT_FOUND);
  }
  arena_finish(&arena);
}

// Inputs that punish a parser which scans twice: ten megabytes each, through every parser. A quadratic scan would run
// into the timeout of the test by hours.
static void big_inputs_are_linear(void **state) {
  (void)state;
  static const char *const pieces[] = {
      "  File \"/srv/app/a.py\", line 3, in f\n    g()\n",
      "\tat com.shop.Cart.pay(Cart.java:42)\n",
      "    at Cart.total (/srv/app/cart.js:15:18)\n",
      "main.pay(0x1, 0x2)\n\t/srv/app/main.go:24 +0x13\n",
      "Caused by: a.B: c\n\tat a.B.c(B.java:1)\n\t... 1 more\n",
      PYTHON_CHAIN,
      "  + Exception Group Traceback (most recent call last):\n  | E: x\n  +-+---------------- 1 ----------------\n",
      NODE_CAUSE,
      "(",
      "at ",
      "a",
      "\n",
      ":1",
      " ---> ",
      "#0 ",
      "@",
      "/",
      ".",
      "{",
      "<",
      "%",
      "\tat ",
      "  File \"",
  };
  for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
    size_t len = strlen(pieces[i]), bytes = 10u << 20;
    char *text = malloc(bytes);
    assert_non_null(text);
    for (size_t at = 0; at < bytes; at++) text[at] = pieces[i][at % len];
    struct arena arena;
    arena_init(&arena, ARENA_BYTES);
    struct sentry_exception *exceptions = NULL;
    uint32_t count = 0;
    const char *platform = NULL;
    enum status status = stacktrace_parse((struct slice){0}, slice_make(text, bytes), (struct slice){0},
                                          (struct slice){0}, &arena, &exceptions, &count, &platform);
    assert_true(status == STATUS_OK || status == STATUS_NOT_FOUND);
    for (uint32_t j = 0; status == STATUS_OK && j < count; j++) {
      assert_true(exceptions[j].stacktrace.frame_count <= SENTRY_EVENT_FRAMES_MAX);
    }
    assert_true(count <= SENTRY_EVENT_EXCEPTIONS_MAX);
    arena_finish(&arena);
    free(text);
  }
}

static void frames_are_cut_in_the_middle(void **state) {
  (void)state;
  struct buffer text;
  buffer_init(&text, 1u << 20);
  buffer_append_cstr(&text, "a.B: c\n");
  for (int i = 1; i <= 2000; i++) buffer_printf(&text, "\tat a.B.c(B.java:%d)\n", i);
  struct arena arena;
  arena_init(&arena, ARENA_BYTES);
  struct sentry_exception *exceptions;
  uint32_t count;
  const char *platform;
  assert_int_equal(stacktrace_parse(SLICE_LITERAL("java"), buffer_slice(&text), (struct slice){0}, (struct slice){0},
                                    &arena, &exceptions, &count, &platform),
                   STATUS_OK);
  const struct sentry_stacktrace *trace = &exceptions[0].stacktrace;
  assert_int_equal(trace->frame_count, SENTRY_EVENT_FRAMES_MAX);
  assert_int_equal(trace->frames_omitted, 2000 - SENTRY_EVENT_FRAMES_MAX);
  assert_int_equal(trace->frames[SENTRY_EVENT_FRAMES_MAX - 1].line, 1); // the crash is last
  assert_int_equal(trace->frames[SENTRY_EVENT_FRAMES_MAX / 2].line, 256);
  assert_int_equal(trace->frames[SENTRY_EVENT_FRAMES_MAX / 2 - 1].line, 1745);
  assert_int_equal(trace->frames[0].line, 2000);
  arena_finish(&arena);
  buffer_finish(&text);
}

static void repeats_are_counted(void **state) {
  (void)state;
  struct slice text =
      SLICE_LITERAL("Traceback (most recent call last):\n  File \"/srv/a/b.py\", line 9, in main\n    f()\n"
                    "  File \"/srv/a/b.py\", line 1, in f\n    f()\n"
                    "  [Previous line repeated 100000 more times]\n"
                    "  File \"/srv/a/b.py\", line 2, in g\n    g()\nRecursionError: deep\n");
  struct arena arena;
  arena_init(&arena, ARENA_BYTES);
  struct sentry_exception *exceptions;
  uint32_t count;
  const char *platform;
  assert_int_equal(stacktrace_parse(SLICE_LITERAL("python"), text, (struct slice){0}, (struct slice){0}, &arena,
                                    &exceptions, &count, &platform),
                   STATUS_OK);
  const struct sentry_stacktrace *trace = &exceptions[0].stacktrace;
  assert_int_equal(trace->frame_count + trace->frames_omitted, 100003);
  assert_int_equal(trace->frames[0].line, 9);
  assert_int_equal(trace->frames[1].line, 1);
  assert_int_equal(trace->frames[SENTRY_EVENT_FRAMES_MAX - 2].line, 1);
  assert_int_equal(trace->frames[SENTRY_EVENT_FRAMES_MAX - 1].line, 2);
  arena_finish(&arena);
}

static void a_full_arena_is_an_answer(void **state) {
  (void)state;
  struct slice text = SLICE_LITERAL("a.B: c\n\tat a.B.c(B.java:1)\n");
  for (size_t bytes = 16; bytes < 16384; bytes += 112) {
    struct arena arena;
    arena_init(&arena, bytes);
    struct sentry_exception *exceptions;
    uint32_t count;
    const char *platform;
    enum status status = stacktrace_parse(SLICE_LITERAL("java"), text, (struct slice){0}, (struct slice){0}, &arena,
                                          &exceptions, &count, &platform);
    assert_true(status == STATUS_OK || status == STATUS_NO_MEMORY);
    arena_finish(&arena);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(golden_files),
      cmocka_unit_test(attributes_win_over_the_text),
      cmocka_unit_test(a_nested_class_keeps_its_name),
      cmocka_unit_test(text_of_no_language_is_not_found),
      cmocka_unit_test(frames_are_cut_in_the_middle),
      cmocka_unit_test(repeats_are_counted),
      cmocka_unit_test(a_full_arena_is_an_answer),
      cmocka_unit_test(big_inputs_are_linear),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
