// SPDX-License-Identifier: Apache-2.0
//
//   thread 'main' panicked at src/main.rs:12:23:
//   message, which may go on over lines             (before 1.73: panicked at 'message', src/main.rs:12:23)
//   stack backtrace:
//      0: std::panicking::begin_panic_handler           crash first, the machinery of the panic above it
//                at /rustc/5980…/library/std/src/panicking.rs:689:5
//      6: main::cart::Cart::item::h0123456789abcdef     the hash only in some builds
//                at ./src/main.rs:12:23
// anyhow prints "Error: outer", "Caused by:" with a numbered list, and "Stack backtrace:".
#include "processor/stacktrace/stacktrace_rust.h"

#include "processor/stacktrace/stacktrace_builder.h"
#include "processor/stacktrace/stacktrace_text.h"

#define CAUSES_MAX 16

struct parser {
  struct stacktrace_builder builder;
  bool in_causes, ended;
  bool panicked;
  struct slice header_first, header_last; // lines in front of the frames
  struct slice causes[CAUSES_MAX];
  uint32_t cause_count;
};

// "a::b::h0123456789abcdef" without the hash.
static struct slice without_hash(struct slice function) {
  if (function.len < 20) return function;
  struct slice hash = slice_skip(function, function.len - 19), rest = hash;
  if (!stacktrace_text_take(&rest, "::h")) return function;
  for (size_t i = 0; i < rest.len; i++) {
    if (strchr("0123456789abcdef", rest.ptr[i]) == NULL || rest.ptr[i] == 0) return function;
  }
  return slice_sub(function, 0, function.len - 19);
}

static bool is_library(struct slice function, struct slice path) {
  static const char *const functions[] = {
      "std::",  "core::",  "alloc::", "<std::",       "<core::", "<alloc::", "<&dyn core::", "__rust",
      "_start", "__libc_", "clone",   "start_thread", "<F as ",  "<T as ",   "<usize as "};
  static const char *const paths[] = {"/rustc/", "/.cargo/registry/", "/.cargo/git/", "/library/std/", "./csu/",
                                      "./nptl/"};
  for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
    if (slice_starts_with(function, slice_from_cstr(functions[i]))) return true;
  }
  for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
    if (stacktrace_text_has(path, paths[i])) return true;
  }
  return path.len == 0 && !stacktrace_text_has(function, "::"); // "main" of the C runtime
}

// What a panic passes on its way to the reporter: everything above the code that panicked.
static bool is_panic_machinery(struct slice function) {
  return slice_ends_with(function, SLICE_LITERAL("rust_begin_unwind")) ||
         slice_starts_with(function, SLICE_LITERAL("core::panicking::")) ||
         slice_starts_with(function, SLICE_LITERAL("std::panicking::begin_panic")) ||
         slice_starts_with(function, SLICE_LITERAL("core::option::expect_failed")) ||
         slice_starts_with(function, SLICE_LITERAL("core::option::unwrap_failed")) ||
         slice_starts_with(function, SLICE_LITERAL("core::result::unwrap_failed"));
}

static void parse_header(struct parser *parser) {
  if (parser->header_first.ptr == NULL) return;
  struct sentry_exception *exception = stacktrace_builder_current(&parser->builder);
  struct slice header = slice_trim(stacktrace_text_span(parser->header_first, parser->header_last)), before;
  parser->header_first = (struct slice){0};
  if (stacktrace_text_take(&header, "Error: ") || !parser->panicked) {
    exception->value = header;
    return;
  }
  stacktrace_text_take_until(&header, " panicked at ", &before);
  exception->type = SLICE_LITERAL("panic");
  exception->has_mechanism = exception->has_handled = true;
  exception->mechanism_type = SLICE_LITERAL("panic");
  if (stacktrace_text_take(&header, "'")) { // before Rust 1.73
    size_t end = stacktrace_text_find_last(header, '\'');
    exception->value = slice_sub(header, 0, end);
  } else {
    size_t line_end = slice_find_byte(header, '\n');
    exception->value = slice_skip(header, line_end + 1);
  }
}

// "   6: 0x55d0 - main::f" or "   6: main::f"
static bool parse_function(struct parser *parser, struct slice line) {
  struct slice rest = stacktrace_text_trim_start(line), address;
  uint32_t number;
  if (rest.len == line.len || !stacktrace_text_take_number(&rest, &number) || !stacktrace_text_take(&rest, ": "))
    return false;
  rest = slice_trim(rest);
  struct slice after_address = rest;
  bool has_address =
      slice_starts_with(rest, SLICE_LITERAL("0x")) && stacktrace_text_take_until(&after_address, " - ", &address);
  if (has_address) rest = after_address;
  if (rest.len == 0) return false;
  rest = without_hash(rest);
  if (parser->in_causes) {
    if (parser->cause_count < CAUSES_MAX) parser->causes[parser->cause_count++] = rest;
    return true;
  }
  stacktrace_builder_current(&parser->builder);
  parse_header(parser);
  parser->builder.lines_matched++;
  if (parser->ended) return true;
  if (stacktrace_text_has(rest, "__rust_begin_short_backtrace")) {
    parser->ended = true;
    return true;
  }
  if (is_panic_machinery(rest)) {
    stacktrace_builder_drop_frames(&parser->builder);
    return true;
  }
  struct sentry_frame *frame = stacktrace_builder_frame(&parser->builder);
  frame->function = rest;
  if (has_address) frame->instruction_addr = address;
  frame->in_app = is_library(rest, (struct slice){0}) ? SENTRY_IN_APP_NO : SENTRY_IN_APP_YES;
  return true;
}

// "             at ./src/main.rs:12:23", of the function above.
static bool parse_place(struct parser *parser, struct slice line) {
  struct slice rest = stacktrace_text_trim_start(line);
  if (line.len - rest.len < 4 || !stacktrace_text_take(&rest, "at ") || parser->in_causes) return false;
  struct sentry_frame *frame = stacktrace_builder_last_frame(&parser->builder);
  struct sentry_frame place = {0};
  if (!stacktrace_text_location(rest, &place.abs_path, &place.line, &place.column)) return false;
  parser->builder.lines_matched++;
  if (frame == NULL || frame->line != 0 || parser->ended) return true; // of a function that was left out
  frame->abs_path = place.abs_path;
  frame->filename = stacktrace_text_basename(place.abs_path);
  frame->line = place.line;
  frame->column = place.column;
  frame->in_app = is_library(frame->function, frame->abs_path) ? SENTRY_IN_APP_NO : SENTRY_IN_APP_YES;
  return true;
}

static void parse_line(struct parser *parser, struct slice line) {
  if (slice_equal_cstr(line, "stack backtrace:") || slice_equal_cstr(line, "Stack backtrace:")) {
    parser->in_causes = false;
    parser->builder.lines_matched++;
    return;
  }
  if (slice_equal_cstr(line, "Caused by:") && parser->header_first.ptr != NULL) {
    parser->in_causes = true;
    return;
  }
  if (parse_function(parser, line) || parse_place(parser, line)) return;
  if (parser->in_causes) { // a lone cause has no number
    struct slice cause = slice_trim(line);
    if (cause.len > 0 && parser->cause_count == 0) parser->causes[parser->cause_count++] = cause;
    return;
  }
  if (parser->builder.count > 0) return;
  parser->panicked |= stacktrace_text_has(line, " panicked at ");
  if (parser->header_first.ptr == NULL) {
    if (line.len == 0) return;
    parser->header_first = line;
  }
  parser->header_last = line;
}

// The causes of anyhow have no trace of their own: the trace belongs to the error raised, they come behind it.
static void add_causes(struct parser *parser) {
  if (parser->builder.lines_matched == 0 || parser->cause_count == 0) return;
  for (uint32_t i = 0; i < parser->cause_count; i++)
    stacktrace_builder_exception(&parser->builder)->value = parser->causes[i];
  for (uint32_t i = 0; i < parser->builder.count; i++) {
    stacktrace_builder_chain(&parser->builder, i, i == 0 ? STACKTRACE_BUILDER_NO_PARENT : i - 1,
                             i == 0 ? "generic" : "chained");
  }
}

enum status stacktrace_rust_parse(struct slice text, struct arena *arena, struct sentry_exception **out_exceptions,
                                  uint32_t *out_count, uint32_t *out_lines_matched) {
  struct parser parser;
  stacktrace_builder_init(&parser.builder, arena);
  parser.builder.keep_first = true;
  parser.in_causes = parser.ended = parser.panicked = false;
  parser.header_first = parser.header_last = (struct slice){0};
  parser.cause_count = 0;
  struct slice line, rest = text;
  while (stacktrace_text_line(&rest, &line)) parse_line(&parser, line);
  add_causes(&parser);
  return stacktrace_builder_finish(&parser.builder, STACKTRACE_BUILDER_CRASH_FIRST, STACKTRACE_BUILDER_RAISED_FIRST,
                                   out_exceptions, out_count, out_lines_matched);
}
