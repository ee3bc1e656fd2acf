// SPDX-License-Identifier: Apache-2.0
//
//   cart.rb:32:in `rescue in pay': message (PaymentError)    crash first; the header line is the first frame
//   second line of the message
//           from cart.rb:28:in `pay'
//   json/common.rb:216:in `parse': 859: … (JSON::ParserError)  the cause
//           from …
// With order: :bottom everything is upside down, and each "from" has its number in front. Ruby 3.4 writes 'Cart#pay'.
#include "processor/stacktrace/stacktrace_ruby.h"

#include "processor/stacktrace/stacktrace_builder.h"
#include "processor/stacktrace/stacktrace_text.h"

struct parser {
  struct stacktrace_builder builder;
  bool bottom; // "Traceback (most recent call last)"
  bool in_message;
  bool complete; // bottom: the open exception has its header
  struct slice message_first, message_last;
};

static bool is_library(struct slice path) {
  return stacktrace_text_has(path, "/gems/") || stacktrace_text_has(path, "/lib/ruby/") ||
         stacktrace_text_has(path, "/ruby/") || slice_starts_with(path, SLICE_LITERAL("<internal:"));
}

// As sentry-ruby: below a load path for libraries, below the application's directory else.
static struct slice relative_path(struct slice path) {
  struct slice rest = path, before;
  if (!is_library(path)) return slice_skip(path, stacktrace_text_root_length(path));
  if (stacktrace_text_has(path, "/gems/")) {
    while (stacktrace_text_take_until(&rest, "/gems/", &before)) continue;
    return stacktrace_text_take_until(&rest, "/lib/", &before) ? rest : path;
  }
  if (!stacktrace_text_take_until(&rest, "/lib/ruby/", &before)) return path;
  size_t version = slice_find_byte(rest, '/');
  return version < rest.len ? slice_skip(rest, version + 1) : path;
}

// "path:12:in `m'", "path:12:in 'C#m'", "path:12"; *out_rest is what follows.
static bool parse_frame(struct slice text, struct sentry_frame *frame, struct slice *out_rest) {
  struct slice rest = text, before;
  size_t path = 0; // a Windows drive's colon is no end, "<internal:kernel>" has one inside
  if (rest.len > 2 && rest.ptr[1] == ':' && (rest.ptr[2] == '/' || rest.ptr[2] == '\\')) path = 2;
  if (slice_starts_with(rest, SLICE_LITERAL("<"))) path = slice_find_byte(rest, '>');
  path += slice_find_byte(slice_skip(rest, path), ':');
  if (path == 0 || path >= rest.len) return false;
  frame->abs_path = slice_sub(rest, 0, path);
  rest = slice_skip(rest, path + 1);
  if (!stacktrace_text_take_number(&rest, &frame->line)) return false;
  if (stacktrace_text_take(&rest, ":in `") || stacktrace_text_take(&rest, ":in '")) {
    if (!stacktrace_text_take_until(&rest, "'", &frame->function)) return false;
    struct slice method = frame->function;
    if (stacktrace_text_take_until(&method, "#", &before) && stacktrace_text_is_word(before)) {
      frame->module = before;
      frame->function = method;
    }
  } else if (!slice_ends_with(frame->abs_path, SLICE_LITERAL(".rb")) && rest.len > 0) {
    return false;
  }
  frame->in_app = is_library(frame->abs_path) ? SENTRY_IN_APP_NO : SENTRY_IN_APP_YES;
  frame->filename = relative_path(frame->abs_path);
  *out_rest = rest;
  return true;
}

// "message (Type)", the type behind the message's first line.
static void finish_message(struct parser *parser) {
  if (!parser->in_message) return;
  parser->in_message = false;
  struct sentry_exception *exception = stacktrace_builder_current(&parser->builder);
  struct slice text = stacktrace_text_trim_end(stacktrace_text_span(parser->message_first, parser->message_last));
  size_t line_end = slice_find_byte(text, '\n');
  struct slice line = slice_sub(text, 0, line_end), type = line;
  exception->value = text;
  if (!stacktrace_text_take_end(&type, ")")) return;
  size_t open = stacktrace_text_find_last(type, '(');
  struct slice name = slice_skip(type, open + 1);
  if (open >= type.len || !stacktrace_text_is_word(name)) return;
  exception->type = name;
  struct slice first = stacktrace_text_trim_end(slice_sub(line, 0, open));
  struct slice others = slice_skip(text, line_end);
  exception->value = others.len == 0
                         ? first
                         : arena_printf(parser->builder.arena, "%.*s%.*s", SLICE_PRINTF(first), SLICE_PRINTF(others));
}

static void parse_header(struct parser *parser, const struct sentry_frame *frame, struct slice message) {
  finish_message(parser);
  bool completes = parser->bottom && parser->builder.count > 0 && !parser->complete;
  if (!completes) stacktrace_builder_exception(&parser->builder);
  parser->complete = true;
  parser->builder.lines_matched++;
  *stacktrace_builder_frame(&parser->builder) = *frame;
  parser->in_message = true;
  parser->message_first = parser->message_last = message;
}

static void parse_from(struct parser *parser, const struct sentry_frame *frame) {
  finish_message(parser);
  if (parser->bottom && parser->complete) {
    stacktrace_builder_exception(&parser->builder);
    parser->complete = false;
  }
  parser->builder.lines_matched++;
  *stacktrace_builder_frame(&parser->builder) = *frame;
}

static void parse_line(struct parser *parser, struct slice line) {
  struct slice rest = stacktrace_text_trim_start(line), behind = {0};
  size_t indent = line.len - rest.len;
  struct sentry_frame frame = {0};
  uint32_t number = 0;
  if (slice_starts_with(line, SLICE_LITERAL("Traceback (most recent call last):"))) {
    parser->bottom = true;
    return;
  }
  struct slice numbered = rest;
  if (stacktrace_text_take_number(&numbered, &number) && stacktrace_text_take(&numbered, ": from ")) {
    rest = numbered;
  } else if (!stacktrace_text_take(&rest, "from ")) {
    // A header, or a line of a plain backtrace.
    bool shaped = indent == 0 && parse_frame(rest, &frame, &behind);
    if (shaped && stacktrace_text_take(&behind, ": ")) {
      parse_header(parser, &frame, behind);
    } else if (shaped && behind.len == 0 && frame.function.len > 0) {
      parse_from(parser, &frame);
    } else if (parser->in_message) {
      parser->message_last = line;
    }
    return;
  }
  if (indent > 0 && parse_frame(rest, &frame, &behind)) parse_from(parser, &frame);
}

enum status stacktrace_ruby_parse(struct slice text, struct arena *arena, struct sentry_exception **out_exceptions,
                                  uint32_t *out_count, uint32_t *out_lines_matched) {
  struct parser parser;
  stacktrace_builder_init(&parser.builder, arena);
  parser.bottom = parser.in_message = parser.complete = false;
  struct slice line, rest = text;
  while (stacktrace_text_line(&rest, &line)) parse_line(&parser, line);
  finish_message(&parser);
  return stacktrace_builder_finish(&parser.builder,
                                   parser.bottom ? STACKTRACE_BUILDER_CRASH_LAST : STACKTRACE_BUILDER_CRASH_FIRST,
                                   parser.bottom ? STACKTRACE_BUILDER_RAISED_LAST : STACKTRACE_BUILDER_RAISED_FIRST,
                                   out_exceptions, out_count, out_lines_matched);
}
