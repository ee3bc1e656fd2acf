// SPDX-License-Identifier: Apache-2.0
//
//   Traceback (most recent call last):            opens an exception
//     File "/srv/shop/cart.py", line 7, in total    a frame, oldest first
//       return sum(prices)                            its source line
//              ^^^^^^^^^^^                            markers
//     [Previous line repeated 37 more times]
//   shop.CartError: message, which may                ends the frames
//   go on over lines
//
//   The above exception was the direct cause of the following exception:
//   …
// An exception group draws a margin in front of all that, two columns per level:
//     + Exception Group Traceback (most recent call last):
//     |   File …
//     | ExceptionGroup: message (2 sub-exceptions)
//     +-+---------------- 1 ----------------
//       | Traceback …
//       +------------------------------------
// The level of a line is the column of its margin. On each level there is a block: exceptions of one chain, the one
// raised last; the members of a group are blocks one level deeper. With a group the exceptions get the ids and the
// order that sentry-python gives them: the raised one 0, then depth first, cause before members, the list backwards.
#include "processor/stacktrace/stacktrace_python.h"

#include "processor/stacktrace/stacktrace_builder.h"
#include "processor/stacktrace/stacktrace_text.h"

#define LEVELS_MAX 32
#define NONE       UINT32_MAX

enum state { STATE_OUTSIDE, STATE_START, STATE_FRAMES, STATE_MESSAGE };

struct node {
  uint32_t cause;     // the exception this one was raised from or during
  uint32_t group;     // the group it is a member of
  const char *source; // "__cause__" or "__context__"
};

struct parser {
  struct stacktrace_builder builder;
  struct arena *arena;
  enum state state;
  uint32_t level;
  bool margins;     // a group was seen: lines have margins
  bool after_frame; // the next deeper line is the frame's source
  bool message_in_margin;
  struct slice message_first, message_last; // lines of the header
  struct slice syntax_path;
  uint32_t syntax_line;
  const char *link;          // how the next exception of the block follows the one before
  uint32_t last[LEVELS_MAX]; // of the block on each level
  struct node nodes[SENTRY_EVENT_EXCEPTIONS_MAX];
};

// Takes the margin off a line: its level, and whether it is a group's dividing line.
static struct slice take_margin(const struct parser *parser, struct slice line, uint32_t *out_level,
                                bool *out_divider) {
  *out_level = 0;
  *out_divider = false;
  size_t column = stacktrace_text_indent(line);
  struct slice rest = slice_skip(line, column);
  bool starts_group = stacktrace_text_take(&rest, "+ Exception Group Traceback");
  if (!parser->margins && !starts_group) return line;
  if (column == line.len || column % 2 != 0 || column < 2 || column / 2 > LEVELS_MAX - 1) return line;
  rest = slice_skip(line, column + 1);
  uint32_t level = (uint32_t)(column / 2) - 1;
  if (line.ptr[column] == '|' && (rest.len == 0 || rest.ptr[0] == ' ')) {
    *out_level = level;
    return slice_skip(rest, 1);
  }
  if (line.ptr[column] != '+') return line;
  *out_level = level;
  if (starts_group) return slice_skip(rest, 1);
  if (!stacktrace_text_take(&rest, "-")) return line;
  *out_divider = true;
  if (stacktrace_text_take(&rest, "+-")) *out_level = level + 1;
  return rest;
}

// The header's lines without their margin.
static struct slice message_text(struct parser *parser) {
  struct slice span = stacktrace_text_span(parser->message_first, parser->message_last);
  if (!parser->message_in_margin) return span;
  uint8_t *text = arena_alloc(parser->arena, span.len);
  if (text == NULL) return (struct slice){0};
  size_t len = 0;
  struct slice line, rest = span;
  for (bool first = true; stacktrace_text_line(&rest, &line); first = false) {
    uint32_t level;
    bool divider;
    struct slice content = first ? line : take_margin(parser, line, &level, &divider);
    if (!first) text[len++] = '\n';
    if (content.len > 0) memcpy(text + len, content.ptr, content.len);
    len += content.len;
  }
  return slice_make(text, len);
}

// "outer (2 sub-exceptions)" to "outer".
static struct slice without_count(struct slice value) {
  struct slice rest = value;
  if (!stacktrace_text_take_end(&rest, " sub-exceptions)") && !stacktrace_text_take_end(&rest, " sub-exception)"))
    return value;
  size_t open = stacktrace_text_find_last(rest, '(');
  if (open == 0 || open >= rest.len || rest.ptr[open - 1] != ' ') return value;
  return slice_sub(value, 0, open - 1);
}

static void finish_message(struct parser *parser) {
  if (parser->state != STATE_MESSAGE) return;
  parser->state = STATE_OUTSIDE;
  struct sentry_exception *exception = stacktrace_builder_current(&parser->builder);
  struct slice header = stacktrace_text_trim_end(message_text(parser));
  if (stacktrace_text_take_end(&header, "\n\"\"\""))
    header = stacktrace_text_trim_end(header); // a quoted remote traceback
  stacktrace_text_header(header, exception);
  stacktrace_text_split_last(exception->type, '.', &exception->module, &exception->type);
  if (slice_ends_with(exception->type, SLICE_LITERAL("ExceptionGroup")))
    exception->value = without_count(exception->value);
  bool syntax = slice_equal_cstr(exception->type, "SyntaxError") ||
                slice_equal_cstr(exception->type, "IndentationError") || slice_equal_cstr(exception->type, "TabError");
  if (syntax && parser->syntax_line > 0) { // what str() of the exception says
    exception->value = arena_printf(parser->arena, "%.*s (%.*s, line %u)", SLICE_PRINTF(exception->value),
                                    SLICE_PRINTF(stacktrace_text_basename(parser->syntax_path)), parser->syntax_line);
  }
}

static void open_exception(struct parser *parser, uint32_t level) {
  finish_message(parser);
  stacktrace_builder_exception(&parser->builder);
  parser->after_frame = false;
  parser->syntax_line = 0;
  parser->level = level;
  if (!parser->margins || parser->builder.discarded_trace.total > 0) return;
  uint32_t index = parser->builder.count - 1;
  struct node *node = &parser->nodes[index];
  *node = (struct node){.cause = parser->last[level], .group = NONE, .source = parser->link};
  if (node->cause != NONE) {
    node->group = parser->nodes[node->cause].group;
    parser->nodes[node->cause].group = NONE;
    if (node->source == NULL) node->source = "__context__";
  } else {
    for (uint32_t below = level; below > 0 && node->group == NONE; below--) node->group = parser->last[below - 1];
  }
  parser->last[level] = index;
  parser->link = NULL;
}

// The first margin of the text: what came before is the chain of the outermost block.
static void start_margins(struct parser *parser) {
  parser->margins = true;
  parser->builder.keep_first = true;
  for (uint32_t i = 0; i < LEVELS_MAX; i++) parser->last[i] = NONE;
  uint32_t count = parser->builder.count;
  for (uint32_t i = 0; i < count; i++) {
    parser->nodes[i] = (struct node){.cause = i > 0 ? i - 1 : NONE, .group = NONE, .source = "__context__"};
  }
  if (count > 0) parser->last[0] = count - 1;
}

static bool parse_frame(struct parser *parser, struct slice line) {
  struct slice rest = line, path;
  uint32_t number = 0;
  if (!stacktrace_text_take(&rest, "  File \"")) return false;
  if (!stacktrace_text_take_until(&rest, "\", line ", &path) || !stacktrace_text_take_number(&rest, &number))
    return false;
  parser->builder.lines_matched++;
  parser->after_frame = false;
  if (!stacktrace_text_take(&rest, ", in ")) { // where the source of a SyntaxError is: no call
    parser->syntax_path = path;
    parser->syntax_line = number;
    return true;
  }
  struct sentry_frame *frame = stacktrace_builder_frame(&parser->builder);
  frame->function = stacktrace_text_trim_end(rest);
  frame->abs_path = path;
  frame->line = number;
  parser->after_frame = true;
  return true;
}

static bool is_marker(struct slice line) {
  for (size_t i = 0; i < line.len; i++) {
    if (strchr(" \t~^", line.ptr[i]) == NULL || line.ptr[i] == 0) return false;
  }
  return true;
}

static void parse_inside(struct parser *parser, struct slice line) {
  if (parse_frame(parser, line)) return;
  struct slice rest = stacktrace_text_trim_start(line);
  size_t indent = line.len - rest.len;
  uint32_t times = 0;
  if (stacktrace_text_take(&rest, "[Previous line repeated ")) {
    if (stacktrace_text_take_number(&rest, &times)) stacktrace_builder_repeat(&parser->builder, times);
    parser->builder.lines_matched++;
    parser->after_frame = false;
    return;
  }
  if (indent > 0 || rest.len == 0) {
    struct sentry_frame *frame = stacktrace_builder_last_frame(&parser->builder);
    if (parser->after_frame && frame != NULL && rest.len > 0 && !is_marker(rest)) {
      frame->context_line = line;
      parser->after_frame = false;
    }
    return;
  }
  parser->state = STATE_MESSAGE;
  parser->message_first = parser->message_last = line;
}

static const char *link_of(struct slice line) {
  if (slice_equal_cstr(line, "The above exception was the direct cause of the following exception:"))
    return "__cause__";
  if (slice_equal_cstr(line, "During handling of the above exception, another exception occurred:"))
    return "__context__";
  return NULL;
}

static void parse_line(struct parser *parser, struct slice raw) {
  uint32_t level;
  bool divider;
  struct slice line = take_margin(parser, raw, &level, &divider);
  if (divider) { // "+---- 2 ----" begins a member, "+--------" ends the group
    finish_message(parser);
    for (uint32_t deeper = level > 0 ? level : 1; deeper < LEVELS_MAX; deeper++) parser->last[deeper] = NONE;
    bool begins = stacktrace_text_has(line, " ");
    parser->state = begins ? STATE_START : STATE_OUTSIDE;
    parser->level = level;
    parser->link = NULL;
    return;
  }
  bool group = slice_starts_with(line, SLICE_LITERAL("Exception Group Traceback (most recent call last):"));
  if (group || slice_equal_cstr(line, "Traceback (most recent call last):")) {
    if (group && !parser->margins) {
      finish_message(parser);
      start_margins(parser);
    }
    open_exception(parser, level);
    parser->message_in_margin = line.ptr != raw.ptr;
    parser->builder.lines_matched++;
    parser->state = STATE_FRAMES;
    return;
  }
  const char *link = link_of(line);
  if (link != NULL) {
    finish_message(parser);
    parser->link = link;
    parser->builder.lines_matched++;
    parser->state = STATE_START;
  } else if (parser->state == STATE_FRAMES) {
    parse_inside(parser, line);
  } else if (parser->state == STATE_MESSAGE) {
    parser->message_last = line;
  } else if (parser->state == STATE_START && line.len > 0 && line.ptr[0] != ' ') { // an exception without a traceback
    open_exception(parser, level);
    parser->message_in_margin = line.ptr != raw.ptr;
    parser->state = STATE_MESSAGE;
    parser->message_first = parser->message_last = line;
  }
}

// Behind the directory of installed packages or of the standard library; false for other paths.
static bool library_path(struct slice path, struct slice *out_relative) {
  static const char *const folders[] = {"/site-packages/", "/dist-packages/", "\\site-packages\\"};
  for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
    struct slice before, rest = path;
    if (!stacktrace_text_take_until(&rest, folders[i], &before)) continue;
    *out_relative = rest;
    return true;
  }
  struct slice before, rest = path;
  if (stacktrace_text_take_until(&rest, "/lib/python", &before)) {
    size_t separator = slice_find_byte(rest, '/');
    *out_relative = slice_skip(rest, separator + 1);
    return true;
  }
  rest = path;
  if (stacktrace_text_take(&rest, "<frozen ") || stacktrace_text_take_until(&rest, "\\Lib\\", &before)) {
    *out_relative = rest;
    return true;
  }
  return false;
}

static size_t directory_length(struct slice path) {
  return path.len - stacktrace_text_basename(path).len;
}

// What the modules of the application are relative to: the directory of the program that was started, when the
// outermost frame shows it; else what the application's own files have in common.
struct roots {
  struct slice program; // the file that was started: module __main__
  struct slice started;
  struct slice common;
};

static void find_roots(const struct sentry_exception *exceptions, uint32_t count, struct roots *out_roots) {
  const struct sentry_stacktrace *raised = &exceptions[count - 1].stacktrace;
  uint32_t outermost = 0;
  struct slice relative;
  while (outermost < raised->frame_count &&
         slice_starts_with(raised->frames[outermost].abs_path, SLICE_LITERAL("<frozen"))) {
    outermost++;
  }
  if (outermost < raised->frame_count) {
    struct sentry_frame *frame = &raised->frames[outermost];
    if (slice_equal_cstr(frame->function, "<module>") && stacktrace_text_is_absolute(frame->abs_path)) {
      out_roots->program = frame->abs_path;
      if (!library_path(frame->abs_path, &relative)) {
        out_roots->started = slice_sub(frame->abs_path, 0, directory_length(frame->abs_path));
      }
    }
  }
  for (uint32_t i = 0; i < count; i++) {
    for (uint32_t j = 0; j < exceptions[i].stacktrace.frame_count; j++) {
      struct slice path = exceptions[i].stacktrace.frames[j].abs_path;
      if (!stacktrace_text_is_absolute(path) || library_path(path, &relative)) continue;
      size_t length = directory_length(path);
      struct slice *common = &out_roots->common;
      if (common->len == 0) *common = slice_sub(path, 0, length);
      size_t same = 0;
      while (same < common->len && same < length && common->ptr[same] == path.ptr[same]) same++;
      common->len = directory_length(slice_sub(*common, 0, same));
    }
  }
}

static struct slice relative_path(struct slice path, const struct roots *roots) {
  if (!stacktrace_text_is_absolute(path)) return path;
  size_t known = stacktrace_text_root_length(path);
  if (roots->started.len > 0 && slice_starts_with(path, roots->started)) {
    path = slice_skip(path, roots->started.len);
  } else {
    path = slice_skip(path, known > 0 ? known : roots->common.len);
  }
  stacktrace_text_take(&path, "src/");
  return path;
}

static void place_frame(struct sentry_frame *frame, const struct roots *roots, struct arena *arena) {
  struct slice relative;
  frame->in_app = library_path(frame->abs_path, &relative) ? SENTRY_IN_APP_NO : SENTRY_IN_APP_YES;
  frame->filename = frame->abs_path;
  if (slice_starts_with(frame->abs_path, SLICE_LITERAL("<frozen "))) {
    stacktrace_text_take_end(&relative, ">");
    frame->module = relative;
    return;
  }
  if (slice_starts_with(frame->abs_path, SLICE_LITERAL("<"))) return; // "<string>", "<stdin>": no module
  if (frame->in_app == SENTRY_IN_APP_YES) relative = relative_path(frame->abs_path, roots);
  if (slice_equal(frame->abs_path, roots->program)) {
    frame->module = SLICE_LITERAL("__main__");
  } else {
    struct slice file = relative;
    stacktrace_text_take_end(&file, "/__init__.py");
    frame->module = stacktrace_text_dotted(file, arena);
  }
  bool nested = slice_find_byte(frame->module, '.') < frame->module.len;
  frame->filename = nested ? relative : stacktrace_text_basename(frame->abs_path); // as sentry-python does
  if (frame->filename.len == 0) frame->filename = frame->abs_path;
}

// Ids depth first from the exception raised: its cause, then its members.
static uint32_t give_ids(struct parser *parser, uint32_t *out_order) {
  uint32_t count = parser->builder.count;
  uint32_t waiting[SENTRY_EVENT_EXCEPTIONS_MAX], parents[SENTRY_EVENT_EXCEPTIONS_MAX], depth = 0, next_id = 0;
  waiting[depth] = parser->last[0];
  parents[depth++] = STACKTRACE_BUILDER_NO_PARENT;
  while (depth > 0 && next_id < count) {
    uint32_t index = waiting[--depth], parent = parents[depth], id = next_id++;
    stacktrace_builder_chain(&parser->builder, index, parent, id == 0 ? "generic" : "chained");
    struct sentry_exception *exception = &parser->builder.exceptions[index];
    exception->exception_id = id;
    out_order[id] = index;
    for (uint32_t member = count; member > 0; member--) {
      if (parser->nodes[member - 1].group != index) continue;
      exception->is_exception_group = true;
      waiting[depth] = member - 1;
      parents[depth++] = id;
    }
    if (parser->nodes[index].cause == NONE) continue;
    waiting[depth] = parser->nodes[index].cause;
    parents[depth++] = id;
  }
  return next_id;
}

static enum status finish_tree(struct parser *parser, struct sentry_exception **out_exceptions, uint32_t *out_count,
                               uint32_t *out_lines_matched) {
  uint32_t order[SENTRY_EVENT_EXCEPTIONS_MAX], ordered = 0, count = parser->builder.count;
  if (count > 0 && parser->last[0] != NONE) ordered = give_ids(parser, order);
  for (uint32_t i = 0; i < count && ordered < count; i++) { // margins that make no tree: these stay without ids
    if (!parser->builder.exceptions[i].has_exception_id) order[ordered++] = i;
  }
  struct sentry_exception *list = NULL;
  uint32_t found = 0, matched = 0;
  enum status status = stacktrace_builder_finish(&parser->builder, STACKTRACE_BUILDER_CRASH_LAST,
                                                 STACKTRACE_BUILDER_RAISED_LAST, &list, &found, &matched);
  if (status != STATUS_OK || matched == 0) {
    if (status == STATUS_OK) *out_lines_matched = 0;
    return status;
  }
  struct sentry_exception *sorted = arena_alloc_array(parser->arena, found, sizeof(*sorted));
  if (sorted == NULL) return STATUS_NO_MEMORY;
  for (uint32_t id = 0; id < found; id++) sorted[found - 1 - id] = list[order[id]];
  *out_exceptions = sorted;
  *out_count = found;
  *out_lines_matched = matched;
  return STATUS_OK;
}

enum status stacktrace_python_parse(struct slice text, struct arena *arena, struct sentry_exception **out_exceptions,
                                    uint32_t *out_count, uint32_t *out_lines_matched) {
  struct parser parser;
  stacktrace_builder_init(&parser.builder, arena);
  parser.arena = arena;
  parser.state = STATE_OUTSIDE;
  parser.level = 0;
  parser.margins = parser.after_frame = parser.message_in_margin = false;
  parser.syntax_line = 0;
  parser.link = NULL;
  for (uint32_t i = 0; i < LEVELS_MAX; i++) parser.last[i] = NONE;
  struct slice line, rest = text;
  while (stacktrace_text_line(&rest, &line)) parse_line(&parser, line);
  finish_message(&parser);
  enum status status;
  if (parser.margins) {
    status = finish_tree(&parser, out_exceptions, out_count, out_lines_matched);
  } else {
    status = stacktrace_builder_finish(&parser.builder, STACKTRACE_BUILDER_CRASH_LAST, STACKTRACE_BUILDER_RAISED_LAST,
                                       out_exceptions, out_count, out_lines_matched);
  }
  if (status != STATUS_OK || *out_lines_matched == 0) return status;
  struct roots roots = {0};
  find_roots(*out_exceptions, *out_count, &roots);
  for (uint32_t i = 0; i < *out_count; i++) {
    struct sentry_stacktrace *trace = &(*out_exceptions)[i].stacktrace;
    for (uint32_t j = 0; j < trace->frame_count; j++) place_frame(&trace->frames[j], &roots, arena);
  }
  return arena_exhausted(arena) ? STATUS_NO_MEMORY : STATUS_OK;
}
