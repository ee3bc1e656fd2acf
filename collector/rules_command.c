// SPDX-License-Identifier: Apache-2.0
//
// Explaining computes the grouping as the inbox does while noting each effect of a rule; effects are then printed under
// the frames they are about.
#include "collector/rules_command.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "collector/rules_file.h"
#include "proto/sentry_event.h"
#include "proto/sentry_json.h"

#define EVENT_BYTES_MAX ((size_t)64 << 20)
#define RULES_BYTES_MAX ((size_t)256 << 10)
#define ARENA_BYTES_MAX ((size_t)512 << 20)
#define EFFECTS_MAX     100000

enum { CODE_OK = 0, CODE_FAILED = 1, CODE_USAGE = 2 };

static const char usage[] =
    "usage: culprit rules check [--stack|--fingerprint] FILE…\n"
    "       culprit rules explain [--stack FILE] [--fingerprint FILE] EVENT…\n\n"
    "Grouping rules in Sentry's syntax: stack-trace rules and fingerprint rules (those with '->').\n\n"
    "  check FILE…          says FILE:LINE:COLUMN and what is wrong, for every line that is no rule\n"
    "    --stack            the files have stack-trace rules; otherwise a file shows by itself what it has\n"
    "    --fingerprint      they have fingerprint rules\n"
    "  explain EVENT…       for every frame which rule set what, the fingerprint rule that matched, and the hashes;\n"
    "                       EVENT is JSON as an SDK sends it or as GET /api/v1/events/{id} answers it\n"
    "    --stack FILE       stack-trace rules, behind the built-in ones\n"
    "    --fingerprint FILE fingerprint rules, before the built-in ones\n"
    "  --help               this text\n\n"
    "FILE and EVENT may be '-' for standard input. A project gets its rules with 'culprit project rules'.\n";

// --- explain ---------------------------------------------------------------------------------------------------------

struct explanation {
  struct buffer *out;
  const struct rules_names *names;
  struct grouping_effect *effects;
  uint32_t count;
};

static void note(void *context, const struct grouping_effect *effect) {
  struct explanation *explanation = context;
  for (uint32_t i = 0; i < explanation->count; i++) { // the variants of an event tell the same
    const struct grouping_effect *known = &explanation->effects[i];
    if (known->frame == effect->frame && known->line == effect->line && known->builtin == effect->builtin &&
        slice_equal(known->action, effect->action))
      return;
  }
  if (explanation->count < EFFECTS_MAX) explanation->effects[explanation->count++] = *effect;
}

// "rules.txt:3", "built-in:17".
static void write_place(const struct explanation *explanation, const char *name, bool builtin, uint32_t line) {
  buffer_printf(explanation->out, "%s:%" PRIu32, builtin || !name ? "built-in" : name, line);
}

static void write_effects(const struct explanation *explanation, const struct sentry_frame *frame) {
  for (uint32_t i = 0; i < explanation->count; i++) {
    const struct grouping_effect *effect = &explanation->effects[i];
    if (effect->frame != frame) continue;
    buffer_printf(explanation->out, "        %.*s  by ", SLICE_PRINTF(effect->action));
    write_place(explanation, explanation->names->stack, effect->builtin, effect->line);
    buffer_printf(explanation->out, ": %.*s\n", SLICE_PRINTF(effect->rule));
  }
}

static void write_stack(const struct explanation *explanation, const struct sentry_stacktrace *trace) {
  for (uint32_t i = 0; i < trace->frame_count; i++) {
    const struct sentry_frame *frame = &trace->frames[i];
    struct slice file = frame->filename.len > 0 ? frame->filename : frame->abs_path;
    struct slice module = frame->module.len > 0 ? frame->module : frame->package;
    buffer_printf(explanation->out, "    %s  %.*s", frame->in_app == SENTRY_IN_APP_YES ? "in app    " : "not in app",
                  SLICE_PRINTF(frame->function.len > 0 ? frame->function : SLICE_LITERAL("<unknown>")));
    if (module.len > 0) buffer_printf(explanation->out, " in %.*s", SLICE_PRINTF(module));
    if (file.len > 0) buffer_printf(explanation->out, " (%.*s:%" PRIu32 ")", SLICE_PRINTF(file), frame->line);
    buffer_append_byte(explanation->out, '\n');
    write_effects(explanation, frame);
  }
}

static void write_stacks(const struct explanation *explanation, const struct sentry_event *event) {
  for (uint32_t i = 0; i < event->exception_count; i++) {
    const struct sentry_exception *exception = &event->exceptions[i];
    struct slice value = slice_sub(exception->value, 0, slice_find_byte(exception->value, '\n'));
    buffer_printf(explanation->out, "  exception %.*s: %.*s\n", SLICE_PRINTF(exception->type), SLICE_PRINTF(value));
    write_stack(explanation, &exception->stacktrace);
  }
  for (uint32_t i = 0; i < event->thread_count; i++) {
    if (event->threads[i].stacktrace.frame_count == 0) continue;
    buffer_printf(explanation->out, "  thread %" PRIu32 "\n", i + 1);
    write_stack(explanation, &event->threads[i].stacktrace);
  }
  if (event->stacktrace.frame_count > 0) {
    buffer_append_cstr(explanation->out, "  stack trace\n");
    write_stack(explanation, &event->stacktrace);
  }
  bool whole = false;
  for (uint32_t i = 0; i < explanation->count; i++) whole |= explanation->effects[i].frame == NULL;
  if (whole) buffer_append_cstr(explanation->out, "  of the stack trace as a whole\n");
  write_effects(explanation, NULL);
}

static void write_fingerprint(const struct explanation *explanation, const struct grouping_result *result) {
  struct buffer *out = explanation->out;
  buffer_append_cstr(out, "  fingerprint ");
  for (uint32_t i = 0; i < result->fingerprint_count; i++) {
    buffer_printf(out, "%s%.*s", i ? ", " : "", SLICE_PRINTF(result->fingerprint[i]));
  }
  if (result->fingerprint_count == 0) buffer_append_cstr(out, "{{ default }}");
  buffer_append_byte(out, '\n');
  if (result->fingerprint_rule.len == 0) {
    buffer_printf(out, "        no fingerprint rule matches%s\n",
                  result->fingerprint_count ? "; it is the event's" : "");
    return;
  }
  buffer_append_cstr(out, "        by ");
  write_place(explanation, explanation->names->fingerprint, result->fingerprint_builtin, result->fingerprint_line);
  buffer_printf(out, ": %.*s\n", SLICE_PRINTF(result->fingerprint_rule));
}

static void write_variants(struct buffer *out, const struct grouping_result *result) {
  for (uint32_t i = 0; i < result->variant_count; i++) {
    const struct grouping_variant *variant = &result->variants[i];
    buffer_printf(out, "  hash %-32s  %s", variant->hash[0] ? variant->hash : "-", variant->name);
    if (!variant->contributes && variant->root && variant->root->hint) buffer_printf(out, ": %s", variant->root->hint);
    buffer_append_byte(out, '\n');
  }
}

enum status rules_command_explain(const char *file, struct slice json, const struct grouping_config *config,
                                  const struct rules_names *names, struct buffer *out, struct error *error) {
  struct json_parser *parser = json_parser_create(EVENT_BYTES_MAX);
  struct buffer mended;
  struct arena arena;
  struct sentry_event event;
  struct grouping_result result;
  struct json_value root;
  struct explanation explanation = {.out = out, .names = names};
  const struct grouping_watcher watcher = {.on_effect = note, .context = &explanation};
  buffer_init(&mended, EVENT_BYTES_MAX);
  arena_init(&arena, ARENA_BYTES_MAX);
  enum status status = sentry_json_parse(parser, json, &mended, &root, error);
  if (status == STATUS_OK && json_type_of(json_get(root, "document")) == JSON_OBJECT) root = json_get(root, "document");
  if (status == STATUS_OK) status = sentry_event_parse(root, &arena, &event, error);
  if (status == STATUS_OK) {
    explanation.effects = arena_alloc_array(&arena, EFFECTS_MAX, sizeof(*explanation.effects));
    ASSERT(explanation.effects);
    status = grouping_compute_watched(config, &event, &arena, &watcher, &result);
    if (status != STATUS_OK) error_set(error, status, "larger than the memory set aside for it");
  }
  if (status == STATUS_OK) {
    buffer_printf(out, "%s: %.*s\n", file, SLICE_PRINTF(result.title));
    write_stacks(&explanation, &event);
    write_fingerprint(&explanation, &result);
    write_variants(out, &result);
    if (out->failed) status = error_set(error, STATUS_TOO_LARGE, "the explanation is too long");
  }
  arena_finish(&arena);
  buffer_finish(&mended);
  json_parser_destroy(parser);
  return status;
}

// A rule file for explain; faults are said. NULL path: no rules.
static bool read_rules(const char *path, enum grouping_check_kind kind, struct buffer *out) {
  return !path || rules_file_check(path, kind, out, stderr, NULL) == STATUS_OK;
}

static int explain_events(const struct grouping_config *config, const struct rules_names *names, int count,
                          char **paths) {
  int code = CODE_OK;
  struct buffer json, text;
  buffer_init(&json, EVENT_BYTES_MAX);
  buffer_init(&text, EVENT_BYTES_MAX * 4);
  for (int i = 0; i < count; i++) {
    struct error error = {""};
    buffer_clear(&json);
    buffer_clear(&text);
    enum status status = rules_file_read(paths[i], &json, &error);
    if (status == STATUS_OK)
      status = rules_command_explain(paths[i], buffer_slice(&json), config, names, &text, &error);
    if (status == STATUS_OK) {
      fwrite(text.ptr, 1, text.len, stdout);
    } else {
      fprintf(stderr, "%s: %s\n", paths[i], error.text);
      code = CODE_FAILED;
    }
  }
  buffer_finish(&json);
  buffer_finish(&text);
  return fflush(stdout) == 0 ? code : CODE_FAILED;
}

static int explain(const struct rules_names *names, int count, char **paths) {
  struct buffer stack, fingerprint;
  struct error error = {""};
  buffer_init(&stack, RULES_BYTES_MAX);
  buffer_init(&fingerprint, RULES_BYTES_MAX);
  struct grouping_config *config = NULL;
  int code = CODE_FAILED;
  bool read = read_rules(names->stack, GROUPING_CHECK_STACK, &stack);
  read = read_rules(names->fingerprint, GROUPING_CHECK_FINGERPRINT, &fingerprint) && read;
  struct grouping_config_options options = {.enhancements = buffer_slice(&stack),
                                            .fingerprinting = buffer_slice(&fingerprint)};
  bool chosen = grouping_config_choose(SLICE_LITERAL(GROUPING_ALGORITHM), &options); // as the inbox
  ASSERT(chosen);
  if (read && grouping_config_create(&options, &config, &error) == STATUS_OK) {
    code = explain_events(config, names, count, paths);
  } else if (read) {
    fprintf(stderr, "culprit rules explain: %s\n", error.text);
  }
  grouping_config_destroy(config);
  buffer_finish(&stack);
  buffer_finish(&fingerprint);
  return code;
}

// --- check -----------------------------------------------------------------------------------------------------------

// A line that is no comment and has "->" makes it a file of fingerprint rules.
static enum grouping_check_kind kind_of(const char *path) {
  struct buffer text;
  enum grouping_check_kind kind = GROUPING_CHECK_STACK;
  buffer_init(&text, RULES_BYTES_MAX);
  if (rules_file_read(path, &text, NULL) == STATUS_OK) {
    struct slice rest = buffer_slice(&text);
    while (rest.len > 0 && kind == GROUPING_CHECK_STACK) {
      struct slice line = slice_sub(rest, 0, slice_find_byte(rest, '\n'));
      rest = slice_skip(rest, line.len + 1);
      line = slice_trim(line);
      bool comment = line.len > 0 && line.ptr[0] == '#';
      if (!comment && slice_find(line, SLICE_LITERAL("->")) <= line.len) kind = GROUPING_CHECK_FINGERPRINT;
    }
  }
  buffer_finish(&text);
  return kind;
}

static int check(bool stack, bool fingerprint, int count, char **paths) {
  int code = CODE_OK;
  struct buffer text;
  buffer_init(&text, RULES_BYTES_MAX);
  for (int i = 0; i < count; i++) {
    enum grouping_check_kind kind = fingerprint ? GROUPING_CHECK_FINGERPRINT : GROUPING_CHECK_STACK;
    if (!stack && !fingerprint && strcmp(paths[i], "-") != 0) kind = kind_of(paths[i]);
    uint32_t rules = 0;
    buffer_clear(&text);
    if (rules_file_check(paths[i], kind, &text, stderr, &rules) == STATUS_OK) {
      printf("%s: %" PRIu32 " %s rules\n", paths[i], rules,
             kind == GROUPING_CHECK_STACK ? "stack-trace" : "fingerprint");
    } else {
      code = CODE_FAILED;
    }
  }
  buffer_finish(&text);
  return code;
}

// --- the command -----------------------------------------------------------------------------------------------------

static int wrong(const char *words, const char *what) {
  fprintf(stderr, "culprit rules: %s '%s'; see 'culprit rules --help'\n", words, what);
  return CODE_USAGE;
}

int rules_command_main(int argc, char **argv) {
  if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)) {
    fputs(usage, stdout);
    return CODE_OK;
  }
  bool explains = argc > 1 && strcmp(argv[1], "explain") == 0;
  if (!explains && (argc < 2 || strcmp(argv[1], "check") != 0)) {
    fputs(usage, stderr);
    return CODE_USAGE;
  }
  int argument = explains ? required_argument : no_argument;
  const struct option options[] = {
      {"stack", argument, NULL, 's'}, {"fingerprint", argument, NULL, 'f'}, {"help", no_argument, NULL, 'h'}, {0}};
  struct rules_names names = {0};
  bool stack = false, fingerprint = false;
  optind = 1;
  for (int letter; (letter = getopt_long(argc - 1, argv + 1, "h", options, NULL)) != -1;) {
    if (letter == 's') {
      stack = true;
      names.stack = optarg;
    } else if (letter == 'f') {
      fingerprint = true;
      names.fingerprint = optarg;
    } else {
      fputs(usage, letter == 'h' ? stdout : stderr);
      return letter == 'h' ? CODE_OK : CODE_USAGE;
    }
  }
  int first = optind + 1;
  if (first >= argc) return wrong("files are missing behind", argv[1]);
  if (!explains && stack && fingerprint) return wrong("one kind at a time for", argv[1]);
  return explains ? explain(&names, argc - first, argv + first) : check(stack, fingerprint, argc - first, argv + first);
}
