// SPDX-License-Identifier: Apache-2.0
//
//   PaymentError: message, which may go on over lines     error.stack of V8; Firefox and Safari have no such line
//       at Object.cause (/srv/shop/pay.js:74:13)            crash first
//       ... 6 lines matching cause stack trace ...          util.inspect leaves out what the cause has too
//       at node:internal/main/run_main_module:28:49 {
//     [cause]: Error: middle                                deeper: the cause of the exception above
//         at Object.cause (/srv/shop/pay.js:74:53) {
//       [errors]: [                                         members of an AggregateError
//         TypeError: one
//             at …
// The shape of one frame is in stacktrace_javascript_frame.c. Ids go down the text, as the SDKs give them; only with
// more than one exception.
#include "processor/stacktrace/stacktrace_javascript.h"

#include "processor/stacktrace/stacktrace_builder.h"
#include "processor/stacktrace/stacktrace_javascript_frame.h"
#include "processor/stacktrace/stacktrace_text.h"

#define NONE UINT32_MAX

// Lines left out of an exception: behind its first `place` frames of the text.
struct gap {
  uint32_t place, lines;
};

struct parser {
  struct stacktrace_builder builder;
  struct arena *arena;
  bool browser;
  bool in_header;
  struct slice header_first, header_last;
  size_t list_indent; // of the open "[errors]: [", 0 without one
  uint32_t list_owner;
  size_t indents[SENTRY_EVENT_EXCEPTIONS_MAX]; // of the line each exception begins with
  uint32_t parents[SENTRY_EVENT_EXCEPTIONS_MAX];
  struct gap gaps[SENTRY_EVENT_EXCEPTIONS_MAX];
};

// "Uncaught (in promise) TypeError: …", or the place and source line that Node prints in front, to the error itself.
static void finish_header(struct parser *parser) {
  if (!parser->in_header) return;
  parser->in_header = false;
  struct slice header = stacktrace_text_span(parser->header_first, parser->header_last), path, before;
  uint32_t line, column;
  struct slice first_line = slice_sub(header, 0, slice_find_byte(header, '\n'));
  if (stacktrace_text_location(first_line, &path, &line, &column) && stacktrace_text_is_absolute(path)) {
    stacktrace_text_take_until(&header, "\n\n", &before);
  }
  if (stacktrace_text_take(&header, "Uncaught ")) stacktrace_text_take(&header, "(in promise) ");
  stacktrace_text_header(header, stacktrace_builder_current(&parser->builder));
}

static void open_exception(struct parser *parser, size_t indent, uint32_t parent, struct slice header) {
  finish_header(parser);
  stacktrace_builder_exception(&parser->builder);
  uint32_t index = parser->builder.count - 1;
  if (parser->builder.discarded_trace.total == 0) {
    parser->indents[index] = indent;
    parser->parents[index] = parent;
    parser->gaps[index] = (struct gap){0};
  }
  parser->in_header = true;
  parser->header_first = parser->header_last = header;
}

// The exception that something indented this far belongs to: the latest that begins less deep.
static uint32_t owner_of(const struct parser *parser, size_t indent) {
  for (uint32_t i = parser->builder.count; i > 0; i--) {
    if (parser->indents[i - 1] < indent) return i - 1;
  }
  return parser->builder.count > 0 ? 0 : NONE;
}

static bool is_error(struct slice text) {
  uint8_t c = text.len > 0 ? text.ptr[0] : 0;
  return (c >= 'A' && c <= 'Z') || c == '_' || c == '$';
}

// What util.inspect prints below an error: its cause, its members; other properties are passed over.
static bool parse_property(struct parser *parser, struct slice line) {
  struct slice rest = stacktrace_text_trim_start(line);
  size_t indent = line.len - rest.len;
  if (stacktrace_text_take(&rest, "[cause]: ") || stacktrace_text_take(&rest, "Caused by: ") ||
      stacktrace_text_take(&rest, "caused by: ")) {
    if (is_error(rest)) open_exception(parser, indent, owner_of(parser, indent > 0 ? indent : 1), rest);
    return true;
  }
  if (stacktrace_text_take(&rest, "[errors]: [")) {
    parser->list_indent = indent + 1;
    parser->list_owner = owner_of(parser, indent);
    return true;
  }
  if (parser->list_indent == 0) return false;
  if (indent < parser->list_indent) { // its closing bracket
    parser->list_indent = 0;
    return true;
  }
  if (indent != parser->list_indent + 1 || !is_error(rest)) return false;
  uint32_t owner = parser->list_owner;
  if (owner < parser->builder.count) parser->builder.exceptions[owner].is_exception_group = true;
  open_exception(parser, indent, owner, rest);
  return true;
}

static bool parse_gap(struct parser *parser, struct slice line) {
  struct slice rest = stacktrace_text_trim_start(line);
  uint32_t lines = 0;
  if (!stacktrace_text_take(&rest, "... ") || !stacktrace_text_take_number(&rest, &lines)) return false;
  if (!slice_starts_with(rest, SLICE_LITERAL(" lines matching cause stack trace"))) return false;
  uint64_t place = stacktrace_builder_frame_count(&parser->builder);
  if (place > 0 && place < SENTRY_EVENT_FRAMES_MAX) {
    parser->gaps[parser->builder.count - 1] = (struct gap){.place = (uint32_t)place, .lines = lines};
  }
  return true;
}

static bool parse_frame(struct parser *parser, struct slice line) {
  struct sentry_frame frame;
  enum stacktrace_javascript_frame_kind kind =
      stacktrace_javascript_frame_v8(line, parser->browser, parser->arena, &frame);
  if (kind == STACKTRACE_JAVASCRIPT_FRAME_NONE && parser->browser)
    kind = stacktrace_javascript_frame_gecko(line, &frame);
  if (kind == STACKTRACE_JAVASCRIPT_FRAME_NONE) return false;
  finish_header(parser);
  if (kind == STACKTRACE_JAVASCRIPT_FRAME_SKIP) return true;
  bool from_web = slice_starts_with(frame.abs_path, SLICE_LITERAL("http://")) ||
                  slice_starts_with(frame.abs_path, SLICE_LITERAL("https://"));
  if (parser->browser || !from_web) parser->builder.lines_matched++;
  *stacktrace_builder_frame(&parser->builder) = frame;
  return true;
}

static void parse_line(struct parser *parser, struct slice line) {
  if (parse_frame(parser, line)) return;
  if (parser->in_header) {
    parser->header_last = line;
    return;
  }
  if (stacktrace_builder_frame_count(&parser->builder) > 0) {
    if (!parse_gap(parser, line)) parse_property(parser, line);
  } else if (parser->builder.count == 0 && line.len > 0) {
    open_exception(parser, stacktrace_text_indent(line), NONE, stacktrace_text_trim_start(line));
  }
}

static bool same_frame(const struct sentry_frame *a, const struct sentry_frame *b) {
  return a->line == b->line && a->column == b->column && slice_equal(a->function, b->function) &&
         slice_equal(a->abs_path, b->abs_path);
}

// Puts back what was left out. Both traces are in their final order, the crash last: the frame in front of the gap in
// the text is known to be in the cause too, and what follows it there is what is missing here.
static void fill_gap(struct sentry_stacktrace *trace, const struct sentry_stacktrace *cause, struct gap gap,
                     struct arena *arena) {
  if (gap.place == 0 || gap.place > trace->frame_count || trace->frames_omitted > 0 || cause->frames_omitted > 0)
    return;
  if (gap.lines >= cause->frame_count || trace->frame_count + gap.lines > SENTRY_EVENT_FRAMES_MAX) return;
  uint32_t edge = trace->frame_count - gap.place; // of the frame in front of the gap
  uint32_t twin = cause->frame_count;
  while (twin > 0 && !same_frame(&cause->frames[twin - 1], &trace->frames[edge])) twin--;
  if (twin == 0 || twin - 1 < gap.lines) return;
  struct sentry_frame *frames = arena_alloc_array(arena, trace->frame_count + gap.lines, sizeof(*frames));
  if (frames == NULL) return;
  memcpy(frames, trace->frames, edge * sizeof(*frames));
  memcpy(frames + edge, &cause->frames[twin - 1 - gap.lines], gap.lines * sizeof(*frames));
  memcpy(frames + edge + gap.lines, trace->frames + edge, (trace->frame_count - edge) * sizeof(*frames));
  trace->frames = frames;
  trace->frame_count += gap.lines;
}

static void fill_gaps(const struct parser *parser, struct sentry_exception *exceptions, uint32_t count) {
  for (uint32_t i = count; i > 0; i--) { // causes first
    uint32_t index = i - 1, cause = index + 1;
    if (parser->gaps[index].lines == 0) continue;
    while (cause < count && parser->parents[cause] != index) cause++;
    if (cause == count) continue;
    fill_gap(&exceptions[count - 1 - index].stacktrace, &exceptions[count - 1 - cause].stacktrace, parser->gaps[index],
             parser->arena);
  }
}

static enum status parse(struct slice text, bool browser, struct arena *arena, struct sentry_exception **out_exceptions,
                         uint32_t *out_count, uint32_t *out_lines_matched) {
  struct parser parser;
  stacktrace_builder_init(&parser.builder, arena);
  parser.builder.keep_first = true;
  parser.arena = arena;
  parser.browser = browser;
  parser.in_header = false;
  parser.list_indent = 0;
  parser.list_owner = NONE;
  for (uint32_t i = 0; i < SENTRY_EVENT_EXCEPTIONS_MAX; i++) { // the first frame may open an exception by itself
    parser.indents[i] = 0;
    parser.parents[i] = NONE;
    parser.gaps[i] = (struct gap){0};
  }
  struct slice line, rest = text;
  while (stacktrace_text_line(&rest, &line)) parse_line(&parser, line);
  finish_header(&parser);
  for (uint32_t i = 0; parser.builder.count > 1 && i < parser.builder.count; i++) {
    uint32_t parent = parser.parents[i] == NONE ? STACKTRACE_BUILDER_NO_PARENT : parser.parents[i];
    stacktrace_builder_chain(&parser.builder, i, parent, i == 0 ? "generic" : "chained");
  }
  enum status status =
      stacktrace_builder_finish(&parser.builder, STACKTRACE_BUILDER_CRASH_FIRST, STACKTRACE_BUILDER_RAISED_FIRST,
                                out_exceptions, out_count, out_lines_matched);
  if (status != STATUS_OK || *out_lines_matched == 0) return status;
  fill_gaps(&parser, *out_exceptions, *out_count);
  return arena_exhausted(arena) ? STATUS_NO_MEMORY : STATUS_OK;
}

enum status stacktrace_javascript_parse_node(struct slice text, struct arena *arena,
                                             struct sentry_exception **out_exceptions, uint32_t *out_count,
                                             uint32_t *out_lines_matched) {
  return parse(text, false, arena, out_exceptions, out_count, out_lines_matched);
}

enum status stacktrace_javascript_parse_browser(struct slice text, struct arena *arena,
                                                struct sentry_exception **out_exceptions, uint32_t *out_count,
                                                uint32_t *out_lines_matched) {
  return parse(text, true, arena, out_exceptions, out_count, out_lines_matched);
}
