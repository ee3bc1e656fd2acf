// SPDX-License-Identifier: Apache-2.0
//
//   #0      Cart.total (package:shop/cart.dart:12:5)          crash first
//   <asynchronous suspension>
//   #1      main.<anonymous closure> (file:///srv/shop/main.dart:3:4)
// package:stack_trace prints "package:shop/cart.dart 12:5  Cart.total". Of an obfuscated build there are only
// addresses:
//   #00 abs 000000723d6346d7 virt 00000000001ed6d7 _kDartIsolateSnapshotInstructions+0x1e26d7
#include "processor/stacktrace/stacktrace_dart.h"

#include "processor/stacktrace/stacktrace_builder.h"
#include "processor/stacktrace/stacktrace_text.h"

struct parser {
  struct stacktrace_builder builder;
  struct slice header_first, header_last;
};

static void place(struct sentry_frame *frame, struct slice path) {
  frame->abs_path = path;
  frame->filename = stacktrace_text_basename(path);
  struct slice package = path;
  if (stacktrace_text_take(&package, "package:")) frame->package = slice_sub(package, 0, slice_find_byte(package, '/'));
  bool library = slice_starts_with(path, SLICE_LITERAL("dart:")) ||
                 slice_starts_with(path, SLICE_LITERAL("org-dartlang-sdk:")) ||
                 slice_equal_cstr(frame->package, "flutter") || slice_equal_cstr(frame->package, "sentry") ||
                 slice_equal_cstr(frame->package, "sentry_flutter");
  frame->in_app = library ? SENTRY_IN_APP_NO : SENTRY_IN_APP_YES;
}

static bool is_dart_path(struct slice path) {
  return slice_ends_with(path, SLICE_LITERAL(".dart")) || slice_starts_with(path, SLICE_LITERAL("dart:"));
}

// "#0      name (uri:12:5)"
static bool parse_numbered(struct slice line, struct sentry_frame *frame) {
  struct slice rest = stacktrace_text_trim_start(line), path;
  uint32_t number;
  if (!stacktrace_text_take(&rest, "#") || !stacktrace_text_take_number(&rest, &number)) return false;
  rest = slice_trim(rest);
  struct slice address, symbol = rest;
  if (stacktrace_text_take(&symbol, "abs ") && stacktrace_text_take_until(&symbol, " _kDart", &address)) {
    frame->function = slice_make(symbol.ptr - strlen("_kDart"), symbol.len + strlen("_kDart"));
    frame->function =
        slice_sub(frame->function, 0, slice_find_byte(frame->function, '+')); // offsets change with builds
    size_t virt = slice_find(address, SLICE_LITERAL("virt "));
    frame->instruction_addr = slice_trim(virt < address.len ? slice_skip(address, virt + 5) : address);
    frame->in_app = SENTRY_IN_APP_YES;
    return true;
  }
  if (!stacktrace_text_take_end(&rest, ")")) return false;
  size_t open = stacktrace_text_find_last(rest, '(');
  if (open >= rest.len || open == 0) return false;
  frame->function = slice_trim(slice_sub(rest, 0, open));
  path = slice_skip(rest, open + 1);
  struct slice file;
  if (stacktrace_text_location(path, &file, &frame->line, &frame->column)) path = file;
  if (!is_dart_path(path)) return false;
  place(frame, path);
  return true;
}

// "package:shop/cart.dart 12:5  Cart.total"
static bool parse_terse(struct slice line, struct sentry_frame *frame) {
  struct slice rest = slice_trim(line), path;
  if (!stacktrace_text_take_until(&rest, " ", &path) || !is_dart_path(path)) return false;
  rest = stacktrace_text_trim_start(rest);
  if (!stacktrace_text_take_number(&rest, &frame->line)) return false;
  if (stacktrace_text_take(&rest, ":")) stacktrace_text_take_number(&rest, &frame->column);
  frame->function = slice_trim(rest);
  place(frame, path);
  return frame->function.len > 0;
}

static void parse_header(struct parser *parser) {
  if (parser->header_first.ptr == NULL) return;
  struct slice header = slice_trim(stacktrace_text_span(parser->header_first, parser->header_last));
  parser->header_first = (struct slice){0};
  if (slice_starts_with(header, SLICE_LITERAL("Warning: This VM has been configured"))) return;
  if (stacktrace_text_take(&header, "Unhandled exception:")) header = slice_trim(header);
  stacktrace_text_header(header, stacktrace_builder_current(&parser->builder));
}

static void parse_line(struct parser *parser, struct slice line) {
  struct sentry_frame frame = {0};
  if (parse_numbered(line, &frame) || parse_terse(line, &frame)) {
    parser->builder.lines_matched++;
    stacktrace_builder_current(&parser->builder);
    parse_header(parser);
    *stacktrace_builder_frame(&parser->builder) = frame;
    return;
  }
  if (parser->builder.count > 0 || slice_starts_with(line, SLICE_LITERAL("<asynchronous suspension>"))) return;
  if (parser->header_first.ptr == NULL) {
    if (line.len == 0) return;
    parser->header_first = line;
  }
  parser->header_last = line;
}

enum status stacktrace_dart_parse(struct slice text, struct arena *arena, struct sentry_exception **out_exceptions,
                                  uint32_t *out_count, uint32_t *out_lines_matched) {
  struct parser parser;
  stacktrace_builder_init(&parser.builder, arena);
  parser.header_first = parser.header_last = (struct slice){0};
  struct slice line, rest = text;
  while (stacktrace_text_line(&rest, &line)) parse_line(&parser, line);
  return stacktrace_builder_finish(&parser.builder, STACKTRACE_BUILDER_CRASH_FIRST, STACKTRACE_BUILDER_RAISED_LAST,
                                   out_exceptions, out_count, out_lines_matched);
}
