// SPDX-License-Identifier: Apache-2.0
#include "processor/stacktrace/stacktrace_javascript_frame.h"

#include "processor/stacktrace/stacktrace_text.h"

#define UNKNOWN_FUNCTION SLICE_LITERAL("?")

// "eval at f (eval at g (/srv/a.js:58:5)), <anonymous>:1:28" to the innermost place that is in a file:
// "/srv/a.js:58:5".
static struct slice eval_origin(struct slice place) {
  size_t open = stacktrace_text_find_last(place, '(');
  if (open == place.len) return place;
  struct slice origin = slice_skip(place, open + 1);
  return slice_sub(origin, 0, slice_find_byte(origin, ')'));
}

static bool is_extension(struct slice path) {
  size_t scheme = slice_find(path, SLICE_LITERAL("-extension://"));
  return scheme < 32 && scheme < path.len;
}

// In Node: not its own modules, nor installed ones.
static bool in_app_node(struct slice path) {
  if (stacktrace_text_has(path, "node_modules/") || stacktrace_text_has(path, "node_modules\\")) return false;
  return stacktrace_text_is_absolute(path) || slice_starts_with(path, SLICE_LITERAL("."));
}

// As the SDK for Node: "package.dir:file" of an installed module, "dir.sub:file" below the program's directory, else
// "file".
static struct slice module_node(struct slice path, struct arena *arena) {
  struct slice file = stacktrace_text_basename(path), directory, before;
  directory = slice_sub(path, 0, path.len - file.len);
  static const char *const ends[] = {".js", ".mjs", ".cjs", ".ts"};
  for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]) && !stacktrace_text_take_end(&file, ends[i]); i++) continue;
  struct slice rest = directory;
  bool installed = false;
  while (stacktrace_text_take_until(&rest, "/node_modules/", &before)) installed = true;
  if (!installed) {
    size_t root = stacktrace_text_root_length(path);
    if (root == 0 || root > directory.len) return file;
    rest = slice_skip(directory, root);
    static const char *const outputs[] = {"dist/", "build/", "src/", "out/"};
    for (size_t i = 0; i < sizeof(outputs) / sizeof(outputs[0]) && !stacktrace_text_take(&rest, outputs[i]); i++)
      continue;
  }
  stacktrace_text_take_end(&rest, "/");
  if (rest.len == 0) return file;
  uint8_t *text = arena_alloc(arena, rest.len + 1 + file.len);
  if (text == NULL) return (struct slice){0};
  for (size_t i = 0; i < rest.len; i++) text[i] = rest.ptr[i] == '/' ? '.' : rest.ptr[i];
  text[rest.len] = ':';
  memcpy(text + rest.len + 1, file.ptr, file.len);
  return slice_make(text, rest.len + 1 + file.len);
}

// "Object.<anonymous>" to "Object.?", "<anonymous>" to "?": the spelling of the SDK for Node.
static struct slice function_node(struct slice function, struct arena *arena) {
  struct slice object = function;
  if (function.len == 0 || slice_equal_cstr(function, "<anonymous>")) return UNKNOWN_FUNCTION;
  if (!stacktrace_text_take_end(&object, ".<anonymous>")) return function;
  return arena_printf(arena, "%.*s.?", SLICE_PRINTF(object));
}

// What stands in the brackets, or behind "at" without them.
static enum stacktrace_javascript_frame_kind parse_place(struct slice place, bool bare, struct sentry_frame *frame) {
  if (slice_starts_with(place, SLICE_LITERAL("index ")) && !bare) return STACKTRACE_JAVASCRIPT_FRAME_SKIP;
  stacktrace_text_take(&place, "address at ");
  if (slice_starts_with(place, SLICE_LITERAL("eval at "))) place = eval_origin(place);
  if (stacktrace_text_location(place, &frame->abs_path, &frame->line, &frame->column)) {
    if (frame->abs_path.len == 0 || (bare && frame->column == 0)) return STACKTRACE_JAVASCRIPT_FRAME_NONE;
    if (bare && stacktrace_text_has(frame->abs_path, " ") && !stacktrace_text_is_absolute(frame->abs_path)) {
      return STACKTRACE_JAVASCRIPT_FRAME_NONE;
    }
  } else if (slice_equal_cstr(place, "<anonymous>") || slice_equal_cstr(place, "native") ||
             slice_equal_cstr(place, "unknown location")) {
    frame->abs_path = place;
  } else if (stacktrace_text_has(place, "wasm-function[")) { // "wasm://wasm/0015c26:wasm-function[1]:0x3e"
    size_t address = stacktrace_text_find_last(place, ':');
    frame->instruction_addr = slice_skip(place, address + 1);
    frame->abs_path = slice_sub(place, 0, slice_find(place, SLICE_LITERAL(":wasm-function[")));
  } else {
    return STACKTRACE_JAVASCRIPT_FRAME_NONE;
  }
  return STACKTRACE_JAVASCRIPT_FRAME;
}

static void finish_node(struct sentry_frame *frame, struct arena *arena) {
  stacktrace_text_take(&frame->abs_path, "file://");
  if (slice_equal_cstr(frame->abs_path, "native")) frame->abs_path = (struct slice){0};
  frame->function = function_node(frame->function, arena);
  frame->module = module_node(frame->abs_path, arena);
  frame->in_app = in_app_node(frame->abs_path) ? SENTRY_IN_APP_YES : SENTRY_IN_APP_NO;
}

enum stacktrace_javascript_frame_kind
stacktrace_javascript_frame_v8(struct slice line, bool browser, struct arena *arena, struct sentry_frame *out_frame) {
  struct slice rest = stacktrace_text_trim_start(line), place;
  struct sentry_frame frame = {0};
  if (!stacktrace_text_take(&rest, "at ")) return STACKTRACE_JAVASCRIPT_FRAME_NONE;
  rest = stacktrace_text_trim_end(rest);
  if (!stacktrace_text_take_end(&rest, " {")) stacktrace_text_take_end(&rest, ","); // util.inspect goes on behind it
  stacktrace_text_take(&rest, "async ");
  place = rest;
  bool brackets = stacktrace_text_take_end(&rest, ")") && stacktrace_text_take_until(&rest, " (", &frame.function);
  if (brackets) place = rest;
  enum stacktrace_javascript_frame_kind kind = parse_place(place, !brackets, &frame);
  if (kind != STACKTRACE_JAVASCRIPT_FRAME) return kind;
  if (browser) {
    if (frame.function.len == 0) frame.function = UNKNOWN_FUNCTION;
    frame.in_app = is_extension(frame.abs_path) ? SENTRY_IN_APP_NO : SENTRY_IN_APP_YES;
  } else {
    finish_node(&frame, arena);
  }
  *out_frame = frame;
  return STACKTRACE_JAVASCRIPT_FRAME;
}

static bool is_native_place(struct slice place) {
  return slice_equal_cstr(place, "[native code]") || slice_equal_cstr(place, "[wasm code]");
}

enum stacktrace_javascript_frame_kind stacktrace_javascript_frame_gecko(struct slice line,
                                                                        struct sentry_frame *out_frame) {
  struct slice rest = slice_trim(line), function = {0}, place, before;
  struct sentry_frame frame = {.in_app = SENTRY_IN_APP_YES};
  if (slice_starts_with(rest, SLICE_LITERAL("at "))) return STACKTRACE_JAVASCRIPT_FRAME_NONE;
  place = rest;
  size_t at = slice_find_byte(rest, '@');
  size_t scheme = slice_find(slice_sub(rest, 0, at), SLICE_LITERAL("://"));
  bool named = at < rest.len && scheme > at; // an @ behind :// belongs to the address
  if (named) {
    function = slice_sub(rest, 0, at);
    place = slice_skip(rest, at + 1);
  }
  if (is_native_place(place) && (named || rest.len == place.len)) {
    frame.abs_path = place;
    frame.in_app = SENTRY_IN_APP_NO;
  } else {
    struct slice outside = place; // "https://host/a.js line 3 > eval:1:1": where the text of the eval was
    bool evaluated = stacktrace_text_take_until(&outside, " line ", &before) && stacktrace_text_has(outside, " > ");
    if (evaluated) {
      frame.abs_path = before;
      stacktrace_text_take_number(&outside, &frame.line);
    } else if (!stacktrace_text_location(place, &frame.abs_path, &frame.line, &frame.column)) {
      return STACKTRACE_JAVASCRIPT_FRAME_NONE;
    }
    bool place_is_known = stacktrace_text_is_absolute(frame.abs_path) || stacktrace_text_has(frame.abs_path, ":/") ||
                          slice_ends_with(frame.abs_path, SLICE_LITERAL("eval code"));
    if (!place_is_known || (!named && !stacktrace_text_has(slice_sub(frame.abs_path, 0, 64), "://"))) {
      return STACKTRACE_JAVASCRIPT_FRAME_NONE;
    }
    if (is_extension(frame.abs_path)) frame.in_app = SENTRY_IN_APP_NO;
  }
  if (stacktrace_text_take_until(&function, "*", &before)) before = function; // "async*f", "setTimeout handler*f"
  frame.function = function.len > 0 ? function : UNKNOWN_FUNCTION;
  *out_frame = frame;
  return STACKTRACE_JAVASCRIPT_FRAME;
}
