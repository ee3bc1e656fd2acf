// SPDX-License-Identifier: Apache-2.0
//
// The hint decides where its parser finds a line of its language; else every parser reads the text and the one with
// most lines wins. All are linear, so the worst case is the number of parsers times one pass.
#include "processor/stacktrace/stacktrace.h"

#include "processor/stacktrace/stacktrace_dart.h"
#include "processor/stacktrace/stacktrace_dotnet.h"
#include "processor/stacktrace/stacktrace_elixir.h"
#include "processor/stacktrace/stacktrace_go.h"
#include "processor/stacktrace/stacktrace_java.h"
#include "processor/stacktrace/stacktrace_javascript.h"
#include "processor/stacktrace/stacktrace_native.h"
#include "processor/stacktrace/stacktrace_php.h"
#include "processor/stacktrace/stacktrace_python.h"
#include "processor/stacktrace/stacktrace_ruby.h"
#include "processor/stacktrace/stacktrace_rust.h"
#include "processor/stacktrace/stacktrace_text.h"

const struct stacktrace_language stacktrace_languages[] = {
    {"python", "python", stacktrace_python_parse},
    {"java", "java", stacktrace_java_parse},
    {"nodejs", "node", stacktrace_javascript_parse_node},
    {"webjs", "javascript", stacktrace_javascript_parse_browser},
    {"go", "go", stacktrace_go_parse},
    {"dotnet", "csharp", stacktrace_dotnet_parse},
    {"ruby", "ruby", stacktrace_ruby_parse},
    {"php", "php", stacktrace_php_parse},
    {"rust", "native", stacktrace_rust_parse},
    {"elixir", "elixir", stacktrace_elixir_parse},
    {"dart", "dart", stacktrace_dart_parse},
    {"native", "native", stacktrace_native_parse},
    {NULL, NULL, NULL},
};

struct parsed {
  struct sentry_exception *exceptions;
  uint32_t count;
  uint32_t lines_matched;
  const struct stacktrace_language *language;
};

static const struct stacktrace_language *find_language(struct slice name) {
  static const struct {
    const char *alias, *name;
  } aliases[] = {
      {"android", "java"},     {"kotlin", "java"},   {"scala", "java"},    {"node", "nodejs"},
      {"javascript", "webjs"}, {"erlang", "elixir"}, {"csharp", "dotnet"}, {"cpp", "native"},
      {"swift", "native"},     {"c", "native"},      {"flutter", "dart"},
  };
  for (size_t i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++) {
    if (slice_equal_ignore_case(name, slice_from_cstr(aliases[i].alias))) name = slice_from_cstr(aliases[i].name);
  }
  for (const struct stacktrace_language *language = stacktrace_languages; language->name != NULL; language++) {
    if (slice_equal_ignore_case(name, slice_from_cstr(language->name))) return language;
  }
  return NULL;
}

static enum status parse_as(const struct stacktrace_language *language, struct slice text, struct arena *arena,
                            struct parsed *best) {
  struct parsed found = {.language = language};
  enum status status = language->parse(text, arena, &found.exceptions, &found.count, &found.lines_matched);
  if (status == STATUS_OK && found.lines_matched > best->lines_matched && found.count > 0) *best = found;
  return status;
}

// Languages whose SDKs send the namespace of a type apart from its name.
static bool splits_type(const char *platform) {
  return slice_equal_cstr(SLICE_LITERAL("java"), platform) || slice_equal_cstr(SLICE_LITERAL("python"), platform);
}

// OpenTelemetry for Java writes a nested class as "shop.Cart.Unknown", where text and Sentry's SDK say
// "shop.Cart$Unknown".
static bool is_canonical_name(const struct sentry_exception *exception, struct slice type) {
  struct slice module = exception->module, name = exception->type;
  size_t dot = module.len > 0;
  if (name.len == 0 || type.len != module.len + dot + name.len || !slice_starts_with(type, module)) return false;
  if (dot > 0 && type.ptr[module.len] != '.') return false;
  struct slice given = slice_skip(type, module.len + dot);
  for (size_t i = 0; i < name.len; i++) {
    if (given.ptr[i] != (name.ptr[i] == '$' ? '.' : name.ptr[i])) return false;
  }
  return true;
}

// The attributes know better than the text: no guessing where a message ends.
void stacktrace_name(struct sentry_exception *exception, const char *platform, struct slice type,
                     struct slice message) {
  struct slice module = {0};
  if (type.len > 0 && !is_canonical_name(exception, type)) {
    if (splits_type(platform)) stacktrace_text_split_last(type, '.', &module, &type);
    if (module.len > 0) exception->module = module;
    exception->type = type;
  }
  // Of a group the message attribute counts the members, which the value does not.
  if (message.len > 0 && !exception->is_exception_group) exception->value = message;
}

enum status stacktrace_parse(struct slice language, struct slice text, struct slice type, struct slice message,
                             struct arena *arena, struct sentry_exception **out_exceptions, uint32_t *out_count,
                             const char **out_platform) {
  struct parsed best = {0};
  const struct stacktrace_language *hinted = find_language(language);
  if (hinted != NULL) {
    enum status status = parse_as(hinted, text, arena, &best);
    if (status != STATUS_OK) return status;
  }
  if (best.lines_matched == 0) {
    for (const struct stacktrace_language *other = stacktrace_languages; other->name != NULL; other++) {
      enum status status = other == hinted ? STATUS_OK : parse_as(other, text, arena, &best);
      if (status != STATUS_OK) return status;
    }
  }
  if (best.lines_matched == 0) return STATUS_NOT_FOUND;
  stacktrace_name(&best.exceptions[best.count - 1], best.language->platform, type, message);
  *out_exceptions = best.exceptions;
  *out_count = best.count;
  *out_platform = best.language->platform;
  return STATUS_OK;
}
