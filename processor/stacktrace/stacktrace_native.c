// SPDX-License-Identifier: Apache-2.0
//
// One line per frame, crash first, in the forms of
//   AddressSanitizer   #0 0x5555 in shop::item(int) /srv/cc/a.cpp:13:61      or  … in _start (/srv/app+0x21340)
//   gdb, lldb          #1  0x00007ffff7aa8f4f in f (x=1) at a.c:78            or  … from /lib/libc.so.6
//   glibc              /srv/app(f+0x1b0) [0x557767b9d4d8]
//   Apple              0   Shop   0x000000010a Shop.Cart.pay() + 12 (Cart.swift:3)
//   Swift on Linux     0 [ra] 0x00007f81 pay() + 12 in shop at /srv/Cart.swift:12:3
// Addresses never identify a frame: image and function do. Only the first block of frames is read: the others tell
// where memory was allocated, or what other threads did.
#include "processor/stacktrace/stacktrace_native.h"

#include "processor/stacktrace/stacktrace_builder.h"
#include "processor/stacktrace/stacktrace_text.h"

struct parser {
  struct stacktrace_builder builder;
  struct slice header_first, header_last;
  bool done;
};

static bool is_hex_address(struct slice text) {
  if (!stacktrace_text_take(&text, "0x") || text.len == 0) return false;
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] == 0 || strchr("0123456789abcdefABCDEF", text.ptr[i]) == NULL) return false;
  }
  return true;
}

static bool is_library(const struct sentry_frame *frame) {
  static const char *const places[] = {"/usr/lib",      "/lib/",     "/lib64/",     "/usr/include/",
                                       "/include/c++/", "/sysdeps/", "./nptl/",     "./csu/",
                                       "csu/",          "./stdlib/", "compiler-rt", "/System/Library/",
                                       ".dylib",        ".so",       "libswift",    "/usr/local/lib"};
  static const char *const functions[] = {"std::",  "__asan_",    "__interceptor_", "__sanitizer",  "__libc_",
                                          "__GI_",  "__pthread_", "_start",         "operator new", "operator delete",
                                          "swift_", "abort",      "raise"};
  static const char *const images[] = {
      "UIKit",   "UIKitCore",  "Foundation",      "CoreFoundation", "GraphicsServices", "dyld",
      "SwiftUI", "QuartzCore", "libobjc.A.dylib", "AppKit",         "CFNetwork",        "libdispatch.dylib"};
  for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
    if (stacktrace_text_has(frame->abs_path, places[i]) || stacktrace_text_has(frame->package, places[i])) return true;
  }
  for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
    if (slice_starts_with(frame->function, slice_from_cstr(functions[i]))) return true;
  }
  for (size_t i = 0; i < sizeof(images) / sizeof(images[0]); i++) {
    if (slice_equal_cstr(frame->package, images[i])) return true;
  }
  return frame->abs_path.len == 0 && frame->package.len == 0;
}

static void set_place(struct sentry_frame *frame, struct slice text) {
  struct slice path;
  if (stacktrace_text_location(text, &path, &frame->line, &frame->column)) text = path;
  frame->abs_path = text;
  frame->filename = stacktrace_text_basename(text);
}

// "name + 12" to "name".
static struct slice without_offset(struct slice function) {
  size_t plus = stacktrace_text_find_last(function, '+');
  if (plus < 2 || plus >= function.len || function.ptr[plus - 1] != ' ') return function;
  return stacktrace_text_trim_end(slice_sub(function, 0, plus));
}

// Behind "in " of AddressSanitizer: "f(int) /srv/a.cpp:13:61" or "f (/srv/app+0x21340) (BuildId: …)".
static void parse_asan(struct slice rest, struct sentry_frame *frame) {
  struct slice build, before = rest;
  if (stacktrace_text_take_until(&rest, " (BuildId: ", &build)) before = build;
  rest = before;
  if (stacktrace_text_take_end(&rest, ")")) {
    size_t open = stacktrace_text_find_last(rest, '(');
    struct slice image = open < rest.len ? slice_skip(rest, open + 1) : rest;
    size_t plus = stacktrace_text_find_last(image, '+');
    if (open > 0 && open < rest.len && rest.ptr[open - 1] == ' ' && plus < image.len) {
      frame->package = slice_sub(image, 0, plus);
      frame->function = slice_sub(rest, 0, open - 1);
      return;
    }
    rest = before;
  }
  // The place has no space inside as far as is known: it is what stands behind the last one.
  size_t space = stacktrace_text_find_last(rest, ' ');
  uint32_t line, column;
  struct slice path;
  bool placed = space < rest.len && stacktrace_text_location(slice_skip(rest, space + 1), &path, &line, &column);
  frame->function = placed ? slice_sub(rest, 0, space) : rest;
  if (placed) set_place(frame, slice_skip(rest, space + 1));
}

// gdb: "f (x=1) at a.c:78", "f () from /lib/libc.so.6".
static bool parse_gdb(struct slice rest, struct sentry_frame *frame) {
  static const char *const links[] = {") at ", ") from "};
  for (size_t i = 0; i < 2; i++) {
    struct slice before, behind = rest, last = {0};
    bool found = false;
    while (stacktrace_text_take_until(&behind, links[i], &before)) { // arguments may hold the words too
      found = true;
      last = before;
    }
    if (!found) continue;
    struct slice call = stacktrace_text_span(rest, last);
    struct slice arguments = call, name;
    frame->function = stacktrace_text_take_until(&arguments, " (", &name) ? name : call;
    // "std::function<int (int)>::operator()(int) const (this=…)": the arguments with values are the last.
    struct slice values = call;
    while (stacktrace_text_take_until(&values, " (", &before)) {
      frame->function = slice_sub(call, 0, (size_t)(values.ptr - call.ptr) - 2);
    }
    if (i == 0) {
      set_place(frame, behind);
    } else {
      frame->package = behind;
    }
    return true;
  }
  return false;
}

// "#0 0x5555 in …" of AddressSanitizer and gdb, "#0  f (…) at …" of gdb.
static bool parse_numbered(struct slice line, struct sentry_frame *frame) {
  struct slice rest = stacktrace_text_trim_start(line), address;
  uint32_t number;
  if (!stacktrace_text_take(&rest, "#") || !stacktrace_text_take_number(&rest, &number)) return false;
  if (!stacktrace_text_take(&rest, " ")) return false;
  rest = slice_trim(rest);
  struct slice after = rest;
  if (stacktrace_text_take_until(&after, " ", &address) && is_hex_address(address)) {
    frame->instruction_addr = address;
    rest = stacktrace_text_trim_start(after);
    if (!stacktrace_text_take(&rest, "in ")) { // "#1 0x7f (/lib/libc.so.6+0x2724a)": no symbol
      if (!stacktrace_text_take(&rest, "(")) return false;
      size_t plus = stacktrace_text_find_last(rest, '+');
      frame->package = slice_sub(rest, 0, plus);
      return plus < rest.len;
    }
    if (!parse_gdb(rest, frame)) parse_asan(rest, frame);
    return frame->function.len > 0;
  }
  return parse_gdb(rest, frame);
}

// glibc: "/srv/app(f+0x1b0) [0x5577]", "./app(+0x328b) [0x5577]", "/lib/libc.so.6(__libc_start_main+0x85) [0x7f]".
static bool parse_glibc(struct slice line, struct sentry_frame *frame) {
  struct slice rest = slice_trim(line), image, symbol;
  if (!stacktrace_text_take_end(&rest, "]")) return false;
  size_t open = stacktrace_text_find_last(rest, '[');
  if (open >= rest.len || open < 2 || !is_hex_address(slice_skip(rest, open + 1))) return false;
  frame->instruction_addr = slice_skip(rest, open + 1);
  rest = stacktrace_text_trim_end(slice_sub(rest, 0, open));
  if (!stacktrace_text_take_end(&rest, ")") || !stacktrace_text_take_until(&rest, "(", &image)) return false;
  size_t plus = stacktrace_text_find_last(rest, '+');
  if (plus >= rest.len || image.len == 0) return false;
  symbol = slice_sub(rest, 0, plus);
  frame->package = image;
  frame->function = symbol;
  return true;
}

// "closure #1 in pay(_:) + 18 in shop at /srv/Pay.swift:8:9": the last " at " and the last " in " are ours.
static bool parse_swift(struct slice text, struct sentry_frame *frame) {
  struct slice call = text, rest = text, before;
  while (stacktrace_text_take_until(&rest, " at ", &before)) call = stacktrace_text_span(text, before);
  if (call.len < text.len) set_place(frame, rest);
  struct slice image = call, function = {0};
  while (stacktrace_text_take_until(&image, " in ", &before)) function = stacktrace_text_span(call, before);
  frame->package = image;
  frame->function = without_offset(function);
  return frame->function.len > 0;
}

// Apple: "0   Shop   0x000000010a81 Shop.Cart.pay() + 12 (Cart.swift:3)"; Swift on Linux with "in image at
// path:line:column".
static bool parse_apple(struct slice line, struct sentry_frame *frame) {
  struct slice rest = stacktrace_text_trim_start(line), image, address;
  uint32_t number;
  if (!stacktrace_text_take_number(&rest, &number) || !stacktrace_text_take(&rest, " ")) return false;
  rest = slice_trim(rest);
  size_t at = slice_find(rest, SLICE_LITERAL("0x"));
  if (at >= rest.len) return false;
  image = slice_trim(slice_sub(rest, 0, at));
  rest = slice_skip(rest, at);
  if (!stacktrace_text_take_until(&rest, " ", &address) || !is_hex_address(address)) return false;
  frame->instruction_addr = address;
  rest = slice_trim(rest);
  bool swift = image.len == 0 || image.ptr[0] == '['; // "[ra]", "[async]"
  if (swift) return parse_swift(rest, frame);
  frame->package = image;
  if (stacktrace_text_take_end(&rest, ")")) {
    size_t open = stacktrace_text_find_last(rest, '(');
    struct slice place = open < rest.len ? slice_skip(rest, open + 1) : rest, path;
    uint32_t l, c;
    if (open < rest.len && stacktrace_text_location(place, &path, &l, &c)) {
      set_place(frame, place);
      rest = stacktrace_text_trim_end(slice_sub(rest, 0, open));
    } else {
      rest.len++; // the bracket is part of the name
    }
  }
  frame->function = without_offset(rest);
  if (is_hex_address(frame->function)) frame->function = (struct slice){0}; // no symbol: "0x10a81 + 28"
  return true;
}

// "==1==ERROR: AddressSanitizer: heap-use-after-free on address 0x… …", "Program received signal SIGABRT, Aborted.",
// "*** Terminating app due to uncaught exception 'T', reason: 'm'", "Fatal error: m".
static void parse_header(struct parser *parser) {
  if (parser->header_first.ptr == NULL) return;
  struct sentry_exception *exception = stacktrace_builder_current(&parser->builder);
  struct slice header = slice_trim(stacktrace_text_span(parser->header_first, parser->header_last)), before, word;
  parser->header_first = (struct slice){0};
  struct slice rest = header;
  if (stacktrace_text_take_until(&rest, "Sanitizer: ", &before)) {
    struct slice kind = rest;
    exception->type = stacktrace_text_take_until(&kind, " ", &word) ? word : rest;
    struct slice detail = rest; // "READ of size 4 at 0x…"
    bool access =
        stacktrace_text_take_until(&detail, "\n", &before) && stacktrace_text_take_until(&detail, " at ", &before);
    if (access) exception->value = before;
  } else if (stacktrace_text_take_until(&rest, "received signal ", &before)) {
    rest = slice_sub(rest, 0, slice_find_byte(rest, '\n'));
    if (stacktrace_text_take_until(&rest, ", ", &word)) {
      exception->type = word;
      exception->value = rest;
    }
  } else if (stacktrace_text_take_until(&rest, "uncaught exception '", &before)) {
    if (stacktrace_text_take_until(&rest, "', reason: '", &word)) {
      exception->type = word;
      size_t quote = slice_find_byte(rest, '\'');
      exception->value = slice_sub(rest, 0, quote);
    }
  } else if (stacktrace_text_take_until(&rest, "Fatal error: ", &before)) {
    exception->type = SLICE_LITERAL("Fatal error");
    exception->value = slice_sub(rest, 0, slice_find_byte(rest, '\n'));
  } else {
    stacktrace_text_header(header, exception);
  }
}

static bool parse_frame(struct slice line, struct sentry_frame *out_frame) {
  static bool (*const shapes[])(struct slice line, struct sentry_frame * frame) = {parse_numbered, parse_glibc,
                                                                                   parse_apple};
  for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
    struct sentry_frame frame = {0};
    if (!shapes[i](line, &frame)) continue;
    frame.in_app = is_library(&frame) ? SENTRY_IN_APP_NO : SENTRY_IN_APP_YES;
    *out_frame = frame;
    return true;
  }
  return false;
}

static void parse_line(struct parser *parser, struct slice line) {
  struct sentry_frame frame;
  if (parse_frame(line, &frame)) {
    parser->builder.lines_matched++;
    stacktrace_builder_current(&parser->builder);
    parse_header(parser);
    *stacktrace_builder_frame(&parser->builder) = frame;
  } else if (stacktrace_builder_frame_count(&parser->builder) > 0) {
    parser->done = slice_trim(line).len == 0; // an empty line ends the block
  } else if (parser->header_first.ptr != NULL || slice_trim(line).len > 0) {
    if (parser->header_first.ptr == NULL) parser->header_first = line;
    parser->header_last = line;
  }
}

enum status stacktrace_native_parse(struct slice text, struct arena *arena, struct sentry_exception **out_exceptions,
                                    uint32_t *out_count, uint32_t *out_lines_matched) {
  struct parser parser;
  stacktrace_builder_init(&parser.builder, arena);
  parser.header_first = parser.header_last = (struct slice){0};
  parser.done = false;
  struct slice line, rest = text;
  while (!parser.done && stacktrace_text_line(&rest, &line)) parse_line(&parser, line);
  return stacktrace_builder_finish(&parser.builder, STACKTRACE_BUILDER_CRASH_FIRST, STACKTRACE_BUILDER_RAISED_LAST,
                                   out_exceptions, out_count, out_lines_matched);
}
