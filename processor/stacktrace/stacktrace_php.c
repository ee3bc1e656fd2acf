// SPDX-License-Identifier: Apache-2.0
//
//   Shop\PaymentError: message in /srv/shop/cart.php:17       where it was thrown
//   Stack trace:
//   #0 /srv/shop/cart.php(12): Shop\Cart->price(NULL)           what was called there
//   #1 [internal function]: Shop\Cart->Shop\{closure}(NULL)
//   #2 {main}
//
//   Next RuntimeException: cannot pay in …                     the exception around it: the one raised comes last
// Each line names a call and the place of the call: the place where a function was left is one line above its name. As
// in sentry-php a frame is a function and the place in it, so names move down by one line.
#include "processor/stacktrace/stacktrace_php.h"

#include "processor/stacktrace/stacktrace_builder.h"
#include "processor/stacktrace/stacktrace_java.h"
#include "processor/stacktrace/stacktrace_text.h"

struct parser {
  struct stacktrace_builder builder;
  struct arena *arena;
  bool in_header, in_frames;
  struct slice header_first, header_last;
  struct slice path; // the place waiting for the name of its function
  uint32_t line;
  bool has_place;
};

static void add_frame(struct parser *parser, struct slice function) {
  struct sentry_frame *frame = stacktrace_builder_frame(&parser->builder);
  frame->function = function;
  frame->abs_path = parser->path.len > 0 ? parser->path : SLICE_LITERAL("[internal]");
  frame->line = parser->line;
  bool library = parser->path.len == 0 || stacktrace_text_has(parser->path, "/vendor/") ||
                 stacktrace_text_has(parser->path, "\\vendor\\");
  frame->in_app = library ? SENTRY_IN_APP_NO : SENTRY_IN_APP_YES;
  frame->filename = slice_skip(frame->abs_path, stacktrace_text_root_length(frame->abs_path));
}

// The place without a function around it: the outermost.
static void finish_frames(struct parser *parser) {
  if (parser->has_place && parser->path.len > 0) add_frame(parser, (struct slice){0});
  parser->has_place = false;
}

// "T: message in /p/f.php:17"
static void finish_header(struct parser *parser) {
  if (!parser->in_header) return;
  parser->in_header = false;
  struct slice header = stacktrace_text_trim_end(stacktrace_text_span(parser->header_first, parser->header_last)),
               before;
  if (stacktrace_text_take(&header, "PHP Fatal error:  ") || stacktrace_text_take(&header, "Fatal error: ")) {
    header = stacktrace_text_trim_start(header);
  }
  stacktrace_text_take(&header, "Uncaught ");
  struct slice rest = header;
  size_t place = header.len; // of the last " in "
  while (stacktrace_text_take_until(&rest, " in ", &before)) place = (size_t)(before.ptr + before.len - header.ptr);
  uint32_t column;
  if (place < header.len &&
      stacktrace_text_location(slice_skip(header, place + 4), &parser->path, &parser->line, &column)) {
    header = slice_sub(header, 0, place);
    parser->has_place = true;
  }
  stacktrace_text_header(header, stacktrace_builder_current(&parser->builder));
}

static void open_exception(struct parser *parser, struct slice header) {
  finish_frames(parser);
  finish_header(parser);
  stacktrace_builder_exception(&parser->builder);
  parser->path = (struct slice){0};
  parser->in_frames = false;
  parser->in_header = true;
  parser->header_first = parser->header_last = header;
}

// "Shop\Cart->price(NULL)" to "Shop\Cart::price"; the path in the name of an anonymous class goes.
static struct slice function_name(struct slice call, struct arena *arena) {
  struct slice closure = call, before, object;
  size_t end = slice_find_byte(call, '(');
  if (stacktrace_text_take_until(&closure, "{closure:", &before)) { // PHP 8.4: "{closure:Shop\Cart::total():12}(…)"
    size_t brace = slice_find_byte(closure, '}');
    if (brace < closure.len) end = (size_t)(closure.ptr + brace + 1 - call.ptr);
  }
  call = slice_sub(call, 0, end);
  struct slice method = call;
  bool has_object =
      stacktrace_text_take_until(&method, "->", &object) || stacktrace_text_take_until(&method, "::", &object);
  if (!has_object) return call;
  size_t anonymous = slice_find(object, SLICE_LITERAL("@anonymous"));
  if (anonymous < object.len) object = slice_sub(object, 0, anonymous + strlen("@anonymous"));
  return arena_printf(arena, "%.*s::%.*s", SLICE_PRINTF(object), SLICE_PRINTF(method));
}

// "#0 /p/f.php(12): call", "#1 [internal function]: call", "#2 {main}"
static bool parse_frame(struct parser *parser, struct slice line) {
  struct slice rest = line, place;
  uint32_t number, at_line = 0;
  if (!stacktrace_text_take(&rest, "#") || !stacktrace_text_take_number(&rest, &number)) return false;
  if (!stacktrace_text_take(&rest, " ")) return false;
  if (slice_equal_cstr(rest, "{main}")) {
    finish_frames(parser);
    parser->builder.lines_matched++;
    return true;
  }
  if (!stacktrace_text_take_until(&rest, ": ", &place)) return false;
  struct slice path = {0};
  if (!slice_equal_cstr(place, "[internal function]")) {
    if (!stacktrace_text_take_end(&place, ")")) return false;
    size_t open = stacktrace_text_find_last(place, '(');
    if (open >= place.len) return false;
    struct slice digits = slice_skip(place, open + 1);
    if (!stacktrace_text_take_number(&digits, &at_line) || digits.len > 0) return false;
    path = slice_sub(place, 0, open);
  }
  parser->builder.lines_matched++;
  stacktrace_builder_current(&parser->builder);
  if (parser->has_place) add_frame(parser, function_name(rest, parser->arena));
  parser->path = path;
  parser->line = at_line;
  parser->has_place = true;
  return true;
}

static void parse_line(struct parser *parser, struct slice line) {
  if (slice_equal_cstr(line, "Stack trace:") && parser->in_header) {
    finish_header(parser);
    parser->in_frames = true;
    return;
  }
  bool bare = parser->builder.count == 0 && slice_starts_with(line, SLICE_LITERAL("#0 "));
  if ((parser->in_frames || bare) && parse_frame(parser, line)) {
    parser->in_frames = true;
    return;
  }
  struct slice header = line;
  if (!parser->in_header && parser->builder.count > 0 && stacktrace_text_take(&header, "Next ")) {
    open_exception(parser, header);
  } else if (parser->in_header) {
    parser->header_last = line;
  } else if (parser->builder.count == 0 && line.len > 0) {
    open_exception(parser, header);
  }
}

// OpenTelemetry's PHP SDK: "\tat Shop.Cart.price(cart.php:17)", dots for backslashes; "{main}(index.php:3)" is
// outermost.
static bool java_like_frame(struct slice text, struct sentry_frame *frame) {
  struct slice inside = text;
  if (!stacktrace_text_take_end(&inside, ")")) return false;
  size_t open = stacktrace_text_find_last(inside, '(');
  if (open >= inside.len) return false;
  frame->function = slice_sub(inside, 0, open);
  inside = slice_skip(inside, open + 1);
  uint32_t column;
  if (slice_equal_cstr(inside, "Unknown Source")) {
    frame->abs_path = SLICE_LITERAL("[internal]");
    frame->in_app = SENTRY_IN_APP_NO;
  } else if (stacktrace_text_location(inside, &frame->abs_path, &frame->line, &column)) {
    frame->in_app = SENTRY_IN_APP_YES;
  } else {
    return false;
  }
  if (slice_equal_cstr(frame->function, "{main}")) frame->function = (struct slice){0};
  return slice_ends_with(frame->abs_path, SLICE_LITERAL(".php")) || frame->in_app == SENTRY_IN_APP_NO;
}

// Dots back to what PHP writes: "Shop.Cart.price" to "Shop\Cart::price". A namespaced function cannot be told from a
// method.
static struct slice php_name(struct slice dotted, bool is_function, struct arena *arena) {
  struct slice head, tail;
  struct buffer text;
  buffer_init(&text, dotted.len + 2);
  stacktrace_text_split_last(dotted, '.', &head, &tail);
  for (size_t i = 0; i < head.len; i++) buffer_append_byte(&text, head.ptr[i] == '.' ? '\\' : head.ptr[i]);
  if (head.len > 0) buffer_append_cstr(&text, is_function ? "::" : "\\");
  buffer_append_slice(&text, tail);
  struct slice name = arena_copy(arena, buffer_slice(&text));
  buffer_finish(&text);
  return name;
}

static enum status parse_java_like(struct slice text, struct arena *arena, struct sentry_exception **out_exceptions,
                                   uint32_t *out_count, uint32_t *out_lines_matched) {
  enum status status = stacktrace_java_parse_like(text, arena, java_like_frame, stacktrace_text_header, out_exceptions,
                                                  out_count, out_lines_matched);
  if (status != STATUS_OK || *out_lines_matched == 0) return status;
  for (uint32_t i = 0; i < *out_count; i++) {
    struct sentry_exception *exception = &(*out_exceptions)[i];
    exception->type = php_name(exception->type, false, arena);
    exception->has_mechanism = exception->has_exception_id = exception->has_parent_id = false; // sentry-php has no ids
    for (uint32_t j = 0; j < exception->stacktrace.frame_count; j++) {
      struct sentry_frame *frame = &exception->stacktrace.frames[j];
      frame->function = php_name(frame->function, true, arena);
    }
  }
  return arena_exhausted(arena) ? STATUS_NO_MEMORY : STATUS_OK;
}

enum status stacktrace_php_parse(struct slice text, struct arena *arena, struct sentry_exception **out_exceptions,
                                 uint32_t *out_count, uint32_t *out_lines_matched) {
  struct parser parser;
  stacktrace_builder_init(&parser.builder, arena);
  parser.arena = arena;
  parser.in_header = parser.in_frames = parser.has_place = false;
  parser.path = (struct slice){0};
  parser.line = 0;
  struct slice line, rest = text;
  while (stacktrace_text_line(&rest, &line)) parse_line(&parser, line);
  finish_frames(&parser);
  if (parser.builder.lines_matched == 0)
    return parse_java_like(text, arena, out_exceptions, out_count, out_lines_matched);
  return stacktrace_builder_finish(&parser.builder, STACKTRACE_BUILDER_CRASH_FIRST, STACKTRACE_BUILDER_RAISED_LAST,
                                   out_exceptions, out_count, out_lines_matched);
}
