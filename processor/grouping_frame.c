// SPDX-License-Identifier: Apache-2.0
//
// A frame is module, filename, function and, for languages whose source lines can be trusted, context-line; line
// numbers never count. Each part is first cleaned of what code generators number, then muted where its platform is
// known to report something that is not a name.
#include "processor/grouping_internal.h"
#include "processor/grouping_text.h"

#define CONTEXT_LINE_CHARS_MAX 120
#define PARTS_MAX              4

struct frame_parts {
  struct grouping_component components[PARTS_MAX];
  struct slice values[PARTS_MAX];
};

static bool is(struct slice text, const char *word) {
  return slice_equal_cstr(text, word);
}

static bool starts(struct slice text, const char *word) {
  return slice_starts_with(text, slice_from_cstr(word));
}

static bool has_url_origin(struct slice path, bool file_counts) {
  return starts(path, "http:") || starts(path, "https:") || starts(path, "blob:") || starts(path, "applewebdata:") ||
         (file_counts && starts(path, "file:"));
}

static void set_value(struct grouping_component *component, struct slice value, const char *hint) {
  component->values[0] = value;
  component->value_count = 1;
  component->contributes = true;
  component->hint = hint;
}

static bool is_digit(uint8_t c) {
  return c >= '0' && c <= '9';
}

static bool is_hex(uint8_t c) {
  return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'f');
}

static bool is_word(uint8_t c) {
  return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c >= 0x80;
}

static size_t skip_while(struct slice text, size_t at, bool (*wanted)(uint8_t c)) {
  while (at < text.len && wanted(text.ptr[at])) at++;
  return at;
}

// "_12" at `at`: the place behind it, or `at`.
static size_t skip_number(struct slice text, size_t at) {
  size_t end = at < text.len && text.ptr[at] == '_' ? skip_while(text, at + 1, is_digit) : at;
  return end > at + 1 ? end : at;
}

// What Java's code generators put into names: a mark that stays, and behind it a part of each build that becomes
// <auto>. `kept` is where the mark ends, the result where the changing part does; 0 when there is no such thing at
// `at`.
static size_t match_constructor_accessor(struct slice text, size_t at, size_t *kept) {
  static const char *const names[] = {"sun.reflect.GeneratedSerializationConstructorAccessor",
                                      "sun.reflect.GeneratedConstructorAccessor"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if (!starts(slice_skip(text, at), names[i])) continue;
    *kept = at + strlen(names[i]);
    size_t end = skip_while(text, *kept, is_digit);
    return end > *kept ? end : 0;
  }
  return 0;
}

// mark, word characters up to `before_dollars`, "$$" (or "$" where a single one will do), hex digits, perhaps "_12".
static size_t match_hashed(struct slice text, size_t at, const char *mark, const char *before_dollars, size_t *kept) {
  if (!starts(slice_skip(text, at), mark)) return 0;
  size_t word = at + strlen(mark), end = skip_while(text, word, is_word);
  struct slice name = slice_sub(text, word, end - word);
  if (name.len <= strlen(before_dollars) || !slice_ends_with(name, slice_from_cstr(before_dollars))) return 0;
  size_t dollars = 0;
  while (dollars < 2 && end + dollars < text.len && text.ptr[end + dollars] == '$') dollars++;
  if (dollars == 0 || (dollars == 1 && before_dollars[0] != '\0')) return 0;
  *kept = end + dollars;
  size_t hex = skip_while(text, *kept, is_hex);
  return hex > *kept ? skip_number(text, hex) : 0;
}

static size_t match_cglib(struct slice text, size_t at, size_t *kept) {
  return match_hashed(text, at, "$$", "CGLIB", kept);
}

static size_t match_javassist(struct slice text, size_t at, size_t *kept) {
  static const char mark[] = "$$_javassist";
  if (!starts(slice_skip(text, at), mark)) return 0;
  *kept = at + sizeof(mark) - 1;
  size_t end = starts(slice_skip(text, *kept), "_seam") ? *kept + 5 : *kept;
  return skip_number(text, end);
}

static size_t match_clojure(struct slice text, size_t at, size_t *kept) {
  if (!starts(slice_skip(text, at), "$fn__")) return 0;
  *kept = at + 5;
  size_t end = skip_while(text, *kept, is_digit);
  return end > *kept ? end : 0;
}

static size_t match_enhancer_by(struct slice text, size_t at, size_t *kept) {
  size_t end = match_hashed(text, at, "$$EnhancerBy", "", kept);
  return end > 0 ? end : match_hashed(text, at, "$EnhancerBy", "", kept);
}

static size_t match_fast_class_by(struct slice text, size_t at, size_t *kept) {
  size_t end = match_hashed(text, at, "$$FastClassBy", "", kept);
  return end > 0 ? end : match_hashed(text, at, "$FastClassBy", "", kept);
}

static size_t match_hibernate_proxy(struct slice text, size_t at, size_t *kept) {
  struct slice rest = slice_skip(text, at);
  static const char *const marks[] = {"$$HibernateProxy$$", "$$HibernateProxy$", "$HibernateProxy$$",
                                      "$HibernateProxy$"};
  for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
    if (!starts(rest, marks[i])) continue;
    *kept = at + strlen(marks[i]);
    size_t end = skip_while(text, *kept, is_word);
    return end > *kept ? end : 0;
  }
  return 0;
}

typedef size_t (*codegen_match)(struct slice text, size_t at, size_t *kept);

// Every hit's changing part becomes "<auto>". The text itself when there is none.
static struct slice clean_codegen(struct slice text, codegen_match match, struct arena *arena) {
  static const char mark[] = "<auto>";
  uint8_t *out = NULL;
  size_t len = 0, taken = 0;
  for (size_t at = 0; at < text.len;) {
    bool possible = text.ptr[at] == '$' || text.ptr[at] == 's';
    size_t kept = 0, end = possible ? match(text, at, &kept) : 0;
    if (end == 0) {
      at++;
      continue;
    }
    if (out == NULL) out = arena_alloc(arena, text.len * sizeof(mark));
    if (out == NULL) return text;
    memcpy(out + len, text.ptr + taken, kept - taken);
    len += kept - taken;
    memcpy(out + len, mark, sizeof(mark) - 1);
    len += sizeof(mark) - 1;
    at = taken = end;
  }
  if (out == NULL) return text;
  memcpy(out + len, text.ptr + taken, text.len - taken);
  return slice_make(out, len + text.len - taken);
}

static struct slice clean_java_module(struct slice module, struct arena *arena) {
  static const codegen_match matches[] = {
      match_constructor_accessor, match_cglib,         match_javassist,      match_clojure,
      match_enhancer_by,          match_fast_class_by, match_hibernate_proxy};
  for (size_t i = 0; i < sizeof(matches) / sizeof(matches[0]); i++) module = clean_codegen(module, matches[i], arena);
  return module;
}

static void fill_module(struct grouping_component *component, const struct grouping_frame *facts, struct arena *arena) {
  struct slice module = facts->frame->module;
  if (module.len == 0) return;
  set_value(component, module, NULL);
  if (is(facts->platform, "javascript")) {
    bool page = slice_find_byte(module, '/') < module.len && slice_ends_with(facts->frame->abs_path, module);
    if (page) grouping_component_mute(component, "ignored bad javascript module");
    return;
  }
  if (!is(facts->platform, "java")) return;
  static const char *const accessors[] = {"sun.reflect.GeneratedMethodAccessor",
                                          "jdk.internal.reflect.GeneratedMethodAccessor"};
  if (slice_find(module, SLICE_LITERAL("$$Lambda$")) <= module.len) {
    grouping_component_mute(component, "ignored java lambda");
  }
  for (size_t i = 0; i < sizeof(accessors) / sizeof(accessors[0]); i++) {
    if (!starts(module, accessors[i])) continue;
    set_value(component, slice_from_cstr(accessors[i]), "removed reflection marker");
    return;
  }
  struct slice cleaned = clean_java_module(module, arena);
  if (!slice_equal(cleaned, module)) set_value(component, cleaned, "removed codegen marker");
}

static void fill_filename(struct grouping_component *component, const struct grouping_frame *facts,
                          struct arena *arena) {
  struct slice filename = facts->frame->filename;
  if (filename.len == 0) return;
  size_t start = filename.len;
  while (start > 0 && filename.ptr[start - 1] != '/' && filename.ptr[start - 1] != '\\') start--;
  filename = grouping_text_lower(slice_skip(filename, start), false, arena);
  set_value(component, filename, NULL);
  if (has_url_origin(facts->frame->abs_path, false)) {
    grouping_component_mute(component, "ignored because frame points to a URL");
  } else if (is(filename, "<anonymous>")) {
    grouping_component_mute(component, "anonymous filename discarded");
  } else if (is(filename, "[native code]")) {
    grouping_component_mute(component, "native code indicated by filename");
  } else if (is(facts->platform, "java")) {
    struct slice cleaned = clean_codegen(filename, match_javassist, arena);
    if (!slice_equal(cleaned, filename)) set_value(component, cleaned, "cleaned javassist parts");
  }
}

// Ruby numbers the methods of compiled templates: "_app_views_index__1234567_8901".
static struct slice cut_erb_suffix(struct slice function) {
  size_t second = function.len;
  while (second > 0 && is_digit(function.ptr[second - 1])) second--;
  if (function.len - second < 4 || second == 0 || function.ptr[second - 1] != '_') return function;
  size_t first = second - 1;
  while (first > 0 && is_digit(function.ptr[first - 1])) first--;
  bool numbered = second - 1 - first >= 4 && slice_ends_with(slice_sub(function, 0, first), SLICE_LITERAL("__"));
  return numbered ? slice_sub(function, 0, first - 2) : function;
}

static struct slice after_last(struct slice text, const char *separator) {
  size_t len = strlen(separator);
  for (size_t at = text.len + 1; at-- > len;) {
    if (slice_equal_cstr(slice_sub(text, at - len, len), separator)) return slice_skip(text, at);
  }
  return text;
}

static void fill_php_function(struct grouping_component *component, struct slice function) {
  bool anonymous_class = starts(function, "class@anonymous");
  bool nul_behind = anonymous_class && function.len > 15 && function.ptr[15] == 0;
  if (starts(function, "[Anonymous") || nul_behind) grouping_component_mute(component, "ignored anonymous function");
  struct slice method = anonymous_class ? after_last(function, "::") : function;
  if (method.len != function.len) set_value(component, method, "anonymous class method");
}

static void fill_function(struct grouping_component *component, const struct grouping_frame *facts,
                          bool sourcemap_line) {
  const struct sentry_frame *frame = facts->frame;
  bool raw = frame->function.len == 0 || (is(facts->platform, "csharp") && frame->raw_function.len > 0);
  struct slice function = raw ? frame->raw_function : frame->function;
  if (function.len == 0) return;
  set_value(component, function, NULL);
  if (is(facts->platform, "ruby")) {
    struct slice plain = cut_erb_suffix(function);
    if (starts(function, "block ")) {
      set_value(component, SLICE_LITERAL("block"), "ruby block");
    } else if (plain.len != function.len) {
      set_value(component, plain, "removed generated erb template suffix");
    }
  } else if (is(facts->platform, "php")) {
    fill_php_function(component, function);
  } else if (is(facts->platform, "java")) {
    if (starts(function, "lambda$")) grouping_component_mute(component, "ignored lambda function");
  } else if (facts->family == GROUPING_FAMILY_NATIVE) {
    bool unknown = is(function, "<redacted>") || is(function, "<unknown>");
    if (unknown) grouping_component_mute(component, "ignored unknown function");
  } else if (facts->family == GROUPING_FAMILY_JAVASCRIPT) {
    struct slice name = after_last(function, ".");
    if (name.len != function.len) set_value(component, name, "trimmed javascript function");
    if (sourcemap_line) grouping_component_mute(component, "ignored because sourcemap used and context line available");
  }
}

static bool trusts_context_line(struct slice platform) {
  return is(platform, "javascript") || is(platform, "node") || is(platform, "python") || is(platform, "php") ||
         is(platform, "ruby");
}

static void fill_context_line(struct grouping_component *component, const struct grouping_frame *facts,
                              struct arena *arena) {
  struct slice line = grouping_text_collapse(facts->frame->context_line, arena);
  if (line.len == 0) return;
  set_value(component, line, NULL);
  if (grouping_text_chars(facts->frame->context_line) > CONTEXT_LINE_CHARS_MAX) {
    grouping_component_mute(component, "discarded because line too long");
  } else if (facts->family == GROUPING_FAMILY_JAVASCRIPT && facts->frame->function.len == 0 &&
             has_url_origin(facts->frame->abs_path, true)) {
    grouping_component_mute(component, "discarded because from URL origin and no function");
  }
}

// Browsers disagree on what they call nameless functions and report some frames others leave out.
static void judge_javascript(struct grouping_component *frame, struct grouping_component *function,
                             const struct grouping_frame *facts) {
  static const char *const nameless[] = {"?", "<anonymous function>", "<anonymous>", "Anonymous function"};
  static const char *const low_quality[] = {"[native code]", "native code", "eval code", "<anonymous>"};
  struct slice name = facts->frame->raw_function.len > 0 ? facts->frame->raw_function : facts->frame->function;
  name = after_last(name, ".");
  if (name.len == 0) function->contributes = false;
  bool unknown = slice_ends_with(name, SLICE_LITERAL("/<"));
  for (size_t i = 0; i < sizeof(nameless) / sizeof(nameless[0]); i++) unknown |= is(name, nameless[i]);
  if (unknown) grouping_component_mute(function, "ignored unknown function name");
  bool ignored = is(name, "eval");
  for (size_t i = 0; i < sizeof(low_quality) / sizeof(low_quality[0]); i++) {
    ignored |= is(facts->frame->abs_path, low_quality[i]);
  }
  if (ignored) grouping_component_mute(frame, "ignored low quality javascript frame");
}

static bool is_recursion(const struct sentry_frame *frame, const struct sentry_frame *before) {
  return frame->line == before->line && frame->column == before->column &&
         slice_equal(frame->function, before->function) && slice_equal(frame->module, before->module) &&
         slice_equal(frame->filename, before->filename) && slice_equal(frame->abs_path, before->abs_path) &&
         slice_equal(frame->package, before->package);
}

static void build_frame(const struct grouping_stack *stack, uint32_t i, struct frame_parts *parts,
                        struct grouping_component *component) {
  enum { MODULE, FILENAME, FUNCTION, CONTEXT_LINE };
  static const char *const ids[PARTS_MAX] = {"module", "filename", "function", "context-line"};
  const struct grouping_frame *facts = &stack->frames[i];
  struct grouping_component *part = parts->components;
  for (int p = 0; p < PARTS_MAX; p++) part[p] = (struct grouping_component){.id = ids[p], .values = &parts->values[p]};
  fill_filename(&part[FILENAME], facts, stack->arena);
  fill_module(&part[MODULE], facts, stack->arena);
  if (part[MODULE].contributes && part[FILENAME].contributes) {
    grouping_component_mute(&part[FILENAME], "module takes precedence");
  }
  bool line_trusted = trusts_context_line(facts->platform);
  if (line_trusted) fill_context_line(&part[CONTEXT_LINE], facts, stack->arena);
  fill_function(&part[FUNCTION], facts, part[CONTEXT_LINE].contributes && facts->frame->sourcemap);
  *component = (struct grouping_component){
      .id = "frame", .children = part, .child_count = line_trusted ? PARTS_MAX : PARTS_MAX - 1};
  grouping_component_settle(component);
  if (facts->family == GROUPING_FAMILY_JAVASCRIPT) judge_javascript(component, &part[FUNCTION], facts);
  if (i > 0 && is_recursion(facts->frame, stack->frames[i - 1].frame)) {
    grouping_component_mute(component, "ignored due to recursion");
  }
}

struct grouping_component *grouping_frame_components(const struct grouping_work *work,
                                                     const struct grouping_stack *stack) {
  struct frame_parts *parts = arena_alloc_array(work->arena, stack->count, sizeof(*parts));
  struct grouping_component *frames = arena_alloc_array(work->arena, stack->count, sizeof(*frames));
  if (parts == NULL || frames == NULL) return NULL;
  for (uint32_t i = 0; i < stack->count; i++) build_frame(stack, i, &parts[i], &frames[i]);
  return frames;
}
