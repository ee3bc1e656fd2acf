// SPDX-License-Identifier: Apache-2.0
//
// Each file goes through the code the inbox uses, with the rules it carries itself, and comes out as one JSON line, so
// that explanations can be compared, searched and tested. Standard output gets the lines, standard error what is wrong.
#include "collector/explain.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/json.h"
#include "processor/grouping.h"
#include "processor/stacktrace/stacktrace.h"
#include "proto/sentry_event.h"

#define FILE_BYTES_MAX  ((size_t)64 << 20)
#define ARENA_BYTES_MAX ((size_t)512 << 20)

enum exit_code { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

const char explain_arguments[] = "event [--rules FILE] FILE… | stack [--language NAME] FILE… | message [--ids] TEXT…";
const char explain_help[] =
    "\n  event FILE…          components, hashes, fingerprint, title and culprit of Sentry events, a line each;\n"
    "                       JSON as an SDK sends it or as GET /api/v1/events/{id} answers it\n"
    "    --rules FILE       a project's rules: stack-trace rules, and fingerprint rules (lines with '->')\n"
    "  stack FILE…          exceptions and frames found in stack traces as text, a line each\n"
    "    --language NAME    what it was written in, as telemetry.sdk.language says it (python, java, nodejs, go…)\n"
    "  message TEXT…        each text with its changing parts replaced by their kind\n"
    "    --ids              words that look like random identifiers too\n"
    "  --help               this text\n\n"
    "FILE may be '-' for standard input.\n";

static void write_text(struct json_writer *writer, const char *key, struct slice text) {
  json_key(writer, key);
  json_write_string(writer, text);
}

// --- stack ---------------------------------------------------------------------------------------------------------

static void write_number(struct json_writer *writer, const char *key, uint32_t number) {
  json_key(writer, key);
  if (number > 0) {
    json_write_u64(writer, number);
  } else {
    json_write_null(writer);
  }
}

static void write_frame(struct json_writer *writer, const struct sentry_frame *frame) {
  json_begin_object(writer);
  write_text(writer, "function", frame->function);
  if (frame->module.len > 0) write_text(writer, "module", frame->module);
  if (frame->package.len > 0) write_text(writer, "package", frame->package);
  if (frame->filename.len > 0) write_text(writer, "filename", frame->filename);
  if (frame->abs_path.len > 0) write_text(writer, "abs_path", frame->abs_path);
  write_number(writer, "lineno", frame->line);
  write_number(writer, "colno", frame->column);
  json_key(writer, "in_app");
  if (frame->in_app == SENTRY_IN_APP_UNSET) {
    json_write_null(writer);
  } else {
    json_write_bool(writer, frame->in_app == SENTRY_IN_APP_YES);
  }
  if (frame->context_line.len > 0) write_text(writer, "context_line", frame->context_line);
  json_end_object(writer);
}

static void write_exception(struct json_writer *writer, const struct sentry_exception *exception) {
  json_begin_object(writer);
  write_text(writer, "type", exception->type);
  write_text(writer, "value", exception->value);
  if (exception->module.len > 0) write_text(writer, "module", exception->module);
  json_key(writer, "frames");
  json_begin_array(writer);
  for (uint32_t i = 0; i < exception->stacktrace.frame_count; i++)
    write_frame(writer, &exception->stacktrace.frames[i]);
  json_end_array(writer);
  if (exception->stacktrace.frames_omitted > 0) {
    write_number(writer, "frames_omitted", exception->stacktrace.frames_omitted);
  }
  json_end_object(writer);
}

enum status explain_stack(const char *file, struct slice text, struct slice language, struct buffer *out,
                          struct error *error) {
  struct arena arena;
  arena_init(&arena, ARENA_BYTES_MAX);
  struct sentry_exception *exceptions = NULL;
  uint32_t count = 0;
  const char *platform = NULL;
  struct slice none = {0};
  enum status status = stacktrace_parse(language, text, none, none, &arena, &exceptions, &count, &platform);
  if (status == STATUS_OK || status == STATUS_NOT_FOUND) {
    struct json_writer writer;
    json_writer_init(&writer, out);
    json_begin_object(&writer);
    write_text(&writer, "file", slice_from_cstr(file));
    json_key(&writer, "platform");
    json_write_cstr(&writer, status == STATUS_OK ? platform : NULL);
    json_key(&writer, "exceptions");
    json_begin_array(&writer);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) write_exception(&writer, &exceptions[i]);
    json_end_array(&writer);
    json_end_object(&writer);
    buffer_append_byte(out, '\n');
    status = out->failed ? error_set(error, STATUS_TOO_LARGE, "the explanation is too long") : STATUS_OK;
  } else {
    error_set(error, status, "the text is larger than the memory set aside for it");
  }
  arena_finish(&arena);
  return status;
}

// --- the command ---------------------------------------------------------------------------------------------------

static bool read_file(const char *path, struct buffer *out, struct error *error) {
  FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
  if (file == NULL) {
    error_set(error, STATUS_IO, "%s", strerror(errno));
    return false;
  }
  size_t len = 1;
  while (len > 0 && !out->failed) {
    uint8_t chunk[16384];
    len = fread(chunk, 1, sizeof(chunk), file);
    buffer_append(out, chunk, len);
  }
  bool read = ferror(file) == 0;
  if (!read) error_set(error, STATUS_IO, "%s", strerror(errno));
  if (out->failed) error_set(error, STATUS_TOO_LARGE, "larger than %zu bytes", FILE_BYTES_MAX);
  if (file != stdin) fclose(file);
  return read && !out->failed;
}

typedef enum status (*explain_function)(const char *file, struct slice text, struct slice option, struct buffer *out,
                                        struct error *error);

static int explain_files(explain_function explain, struct slice option, int count, char **paths) {
  int code = EXIT_OK;
  struct buffer text, line;
  buffer_init(&text, FILE_BYTES_MAX);
  buffer_init(&line, FILE_BYTES_MAX * 4);
  for (int i = 0; i < count; i++) {
    struct error error = {{0}};
    buffer_clear(&text);
    buffer_clear(&line);
    bool done = read_file(paths[i], &text, &error) &&
                explain(paths[i], buffer_slice(&text), option, &line, &error) == STATUS_OK;
    if (done) {
      fwrite(line.ptr, 1, line.len, stdout);
    } else {
      fprintf(stderr, "culprit explain: %s: %s\n", paths[i], error.text);
      code = EXIT_FAILED;
    }
  }
  buffer_finish(&text);
  buffer_finish(&line);
  return fflush(stdout) == 0 ? code : EXIT_FAILED;
}

static int explain_events(const char *rules_path, int count, char **paths) {
  struct buffer rules;
  struct error error = {{0}};
  buffer_init(&rules, FILE_BYTES_MAX);
  int code = EXIT_FAILED;
  if (rules_path == NULL || read_file(rules_path, &rules, &error)) {
    code = explain_files(explain_event, buffer_slice(&rules), count, paths);
  } else {
    fprintf(stderr, "culprit explain: %s: %s\n", rules_path, error.text);
  }
  buffer_finish(&rules);
  return code;
}

static int explain_messages(bool ids, int count, char **texts) {
  struct arena arena;
  arena_init(&arena, ARENA_BYTES_MAX);
  for (int i = 0; i < count; i++) {
    struct slice text = grouping_parameterize(slice_from_cstr(texts[i]), &arena);
    if (ids) text = grouping_mask_ids(text, &arena);
    fwrite(text.ptr, 1, text.len, stdout);
    fputc('\n', stdout);
    arena_reset(&arena);
  }
  arena_finish(&arena);
  return fflush(stdout) == 0 ? EXIT_OK : EXIT_FAILED;
}

static int usage(FILE *to, int code) {
  fprintf(to, "usage: culprit explain %s\n%s", explain_arguments, explain_help);
  return code;
}

int explain_main(int argc, char **argv) {
  if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) return usage(stdout, EXIT_OK);
  const struct {
    const char *what, *option;
    bool option_has_value;
  } kinds[] = {{"event", "--rules", true}, {"stack", "--language", true}, {"message", "--ids", false}};
  size_t kind = 0;
  while (kind < 3 && (argc < 2 || strcmp(argv[1], kinds[kind].what) != 0)) kind++;
  if (kind == 3) {
    fprintf(stderr, "culprit explain: say what: event, stack or message\n");
    return usage(stderr, EXIT_USAGE);
  }
  int first = 2;
  const char *option = NULL;
  for (; first < argc && strncmp(argv[first], "--", 2) == 0; first++) {
    if (strcmp(argv[first], "--") == 0) {
      first++;
      break;
    }
    if (strcmp(argv[first], "--help") == 0) return usage(stdout, EXIT_OK);
    bool known = strcmp(argv[first], kinds[kind].option) == 0;
    if (!known || (kinds[kind].option_has_value && first + 1 == argc)) {
      fprintf(stderr, "culprit explain %s: %s '%s'\n", argv[1], known ? "a value is missing behind" : "unknown option",
              argv[first]);
      return EXIT_USAGE;
    }
    if (kinds[kind].option_has_value) first++;
    option = argv[first];
  }
  if (first == argc) {
    fprintf(stderr, "culprit explain %s: nothing to explain\n", argv[1]);
    return EXIT_USAGE;
  }
  if (kind == 0) return explain_events(option, argc - first, argv + first);
  if (kind == 1) return explain_files(explain_stack, slice_from_cstr(option), argc - first, argv + first);
  return explain_messages(option != NULL, argc - first, argv + first);
}
