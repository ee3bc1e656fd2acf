// SPDX-License-Identifier: Apache-2.0
//
//   Shop.PaymentException: cannot pay
//    ---> System.ArgumentException: inner            headers from the outside to the inside …
//      at Shop.Cart.Price(Item item) in /src/Cart.cs:line 17   … traces from the inside to the outside, crash first
//      --- End of inner exception stack trace ---
//      at Shop.Cart.Pay() in /src/Cart.cs:line 12
//    ---> (Inner Exception #1) System.Exception: second   further members of an AggregateException
//      at …<---
// So headers wait on a stack until their trace comes. The word for "at" depends on the machine's language: a frame is
// known by its shape, three spaces, a word, a name with brackets. Azure joins all lines into one.
#include "processor/stacktrace/stacktrace_dotnet.h"

#include "processor/stacktrace/stacktrace_builder.h"
#include "processor/stacktrace/stacktrace_text.h"

#define WAITING_MAX 32

struct waiting {
  struct slice first, last; // lines of the header
  bool opened;
};

struct parser {
  struct stacktrace_builder builder;
  struct arena *arena;
  struct waiting stack[WAITING_MAX];
  uint32_t depth, beyond; // headers on the stack, and those for which it had no room
  bool in_header;
  uint32_t chain_count; // exceptions of the chain itself; behind them come further members
};

static bool is_library(struct slice module) {
  return slice_starts_with(module, SLICE_LITERAL("System.")) ||
         slice_starts_with(module, SLICE_LITERAL("Microsoft.")) || slice_equal_cstr(module, "System") ||
         slice_starts_with(module, SLICE_LITERAL("MS.")) ||
         slice_starts_with(module, SLICE_LITERAL("Newtonsoft.Json")) ||
         slice_starts_with(module, SLICE_LITERAL("Sentry."));
}

// Names that the compiler made, as sentry-dotnet reads them: "T.<M>d__4" + "MoveNext" is T.M, "T.<>c" + "<M>b__0" a
// lambda in T.M.
static void demangle(struct sentry_frame *frame, struct arena *arena) {
  struct slice head, tail, function = frame->function;
  stacktrace_text_split_last(frame->module, '.', &head, &tail);
  size_t close = slice_find_byte(tail, '>');
  if (slice_equal_cstr(function, "MoveNext") && slice_starts_with(tail, SLICE_LITERAL("<")) && close > 1 &&
      close < tail.len) {
    frame->function = slice_sub(tail, 1, close - 1);
    frame->module = head;
    return;
  }
  if (slice_starts_with(tail, SLICE_LITERAL("<>c"))) frame->module = head;
  close = slice_find_byte(function, '>');
  if (slice_starts_with(function, SLICE_LITERAL("<")) && close > 1 && close < function.len) {
    struct slice method = slice_sub(function, 1, close - 1);
    bool lambda = slice_starts_with(slice_skip(function, close), SLICE_LITERAL(">b__"));
    frame->function = lambda ? arena_printf(arena, "%.*s { <lambda> }", SLICE_PRINTF(method)) : method;
  }
}

// " in /src/Cart.cs:line 17", " in C:\Cart.cs:Zeile 17", Mono's " [0x00001] in /src/Cart.cs:17 "
static void parse_place(struct slice text, struct sentry_frame *frame) {
  text = slice_trim(text);
  size_t digits = text.len;
  while (digits > 0 && text.ptr[digits - 1] >= '0' && text.ptr[digits - 1] <= '9') digits--;
  struct slice number = slice_skip(text, digits), before, address;
  if (!stacktrace_text_take_number(&number, &frame->line)) return;
  if (stacktrace_text_take(&text, "[0x")) stacktrace_text_take_until(&text, "] ", &address);
  size_t colon = stacktrace_text_find_last(text, ':');
  if (colon >= text.len || !stacktrace_text_take_until(&text, " ", &before)) {
    frame->line = 0;
    return;
  }
  colon = stacktrace_text_find_last(text, ':');
  frame->abs_path = slice_sub(text, 0, colon);
  frame->filename = stacktrace_text_basename(frame->abs_path);
}

static bool parse_frame(struct parser *parser, struct slice line, struct sentry_frame *frame) {
  struct slice rest = stacktrace_text_trim_start(line), word, name;
  if (line.len - rest.len < 2 || !stacktrace_text_take_until(&rest, " ", &word) || word.len == 0 || word.len > 16)
    return false;
  if (word.ptr[0] == '-' || word.ptr[0] == '(') return false;
  if (!stacktrace_text_take_until(&rest, "(", &name)) return false;
  bool mono = stacktrace_text_take_end(&name, " ");
  size_t generics = slice_find_byte(name, '[');
  struct slice plain = slice_sub(name, 0, generics);
  if (stacktrace_text_has(plain, " ") || !stacktrace_text_has(plain, ".")) return false;
  size_t close = slice_find_byte(rest, ')');
  if (close >= rest.len) return false;
  struct slice behind = slice_skip(rest, close + 1);
  // Java and V8 look alike, with a place in the brackets.
  if (behind.len == 0 && (mono || stacktrace_text_has(slice_sub(rest, 0, close), ":"))) return false;
  struct slice java_source = slice_sub(rest, 0, close);
  if (slice_ends_with(java_source, SLICE_LITERAL(".java")) || slice_equal_cstr(java_source, "Native Method") ||
      slice_equal_cstr(java_source, "Unknown Source")) {
    return false;
  }
  bool constructor = stacktrace_text_take_end(&plain, "..ctor") || stacktrace_text_take_end(&plain, "..cctor");
  if (constructor) {
    frame->module = plain;
    frame->function = slice_ends_with(slice_sub(name, 0, generics), SLICE_LITERAL("..cctor")) ? SLICE_LITERAL(".cctor")
                                                                                              : SLICE_LITERAL(".ctor");
  } else {
    stacktrace_text_split_last(plain, '.', &frame->module, &frame->function);
  }
  frame->raw_function = frame->function;
  demangle(frame, parser->arena);
  parse_place(behind, frame);
  frame->in_app = is_library(frame->module) ? SENTRY_IN_APP_NO : SENTRY_IN_APP_YES;
  return frame->module.len > 0 && frame->function.len > 0;
}

// The exception on top of the stack gets its place in the list.
static void open_top(struct parser *parser) {
  if (parser->depth == 0) {
    if (parser->builder.count == 0) stacktrace_builder_exception(&parser->builder);
    return;
  }
  struct waiting *top = &parser->stack[parser->depth - 1];
  parser->in_header = false;
  if (top->opened) return;
  top->opened = true;
  struct sentry_exception *exception = stacktrace_builder_exception(&parser->builder);
  stacktrace_text_header(stacktrace_text_span(top->first, top->last), exception);
}

static void push(struct parser *parser, struct slice header) {
  parser->in_header = true;
  if (parser->depth == WAITING_MAX) {
    parser->beyond++;
    parser->in_header = false;
    return;
  }
  parser->stack[parser->depth++] = (struct waiting){.first = header, .last = header};
}

static void end_inner(struct parser *parser) {
  parser->builder.lines_matched++;
  if (parser->beyond > 0) {
    parser->beyond--;
    return;
  }
  open_top(parser);
  if (parser->depth > 1) parser->depth--;
  parser->in_header = false;
}

// A header line may hold headers of inner exceptions: "A: a ---> B: b".
static void push_headers(struct parser *parser, struct slice line, bool first) {
  struct slice rest = line, before;
  if (stacktrace_text_take_until(&rest, " ---> ", &before)) {
    if (first) {
      push(parser, before);
    } else if (before.len > 0 && parser->in_header) {
      parser->stack[parser->depth - 1].last = before;
    }
    while (stacktrace_text_take_until(&rest, " ---> ", &before)) push(parser, before);
    push(parser, rest);
  } else if (first) {
    push(parser, line);
  } else {
    parser->stack[parser->depth - 1].last = line;
  }
}

// " ---> (Inner Exception #1) T: m" behind the trace of the aggregate: one more member.
static void open_member(struct parser *parser, struct slice header) {
  struct slice before;
  open_top(parser);
  if (parser->chain_count == 0) parser->chain_count = parser->builder.count;
  stacktrace_text_take_until(&header, ") ", &before);
  parser->depth = 1;
  parser->stack[0] = (struct waiting){.first = header, .last = header};
  parser->in_header = true;
  parser->builder.lines_matched++;
}

static void parse_line(struct parser *parser, struct slice line) {
  struct sentry_frame frame = {0};
  stacktrace_text_take_end(&line, "<---"); // the end of a member
  struct slice trimmed = slice_trim(line);
  if (slice_starts_with(trimmed, SLICE_LITERAL("---> (Inner Exception #")) && !parser->in_header) {
    open_member(parser, trimmed);
  } else if (parse_frame(parser, line, &frame)) {
    open_top(parser);
    parser->builder.lines_matched++;
    *stacktrace_builder_frame(&parser->builder) = frame;
  } else if (slice_starts_with(trimmed, SLICE_LITERAL("--- ")) && slice_ends_with(trimmed, SLICE_LITERAL("---"))) {
    // "End of stack trace from previous location": the same trace goes on.
    if (parser->depth > 1) {
      bool previous =
          stacktrace_text_has(trimmed, "previous location") || stacktrace_text_has(trimmed, "where exception");
      if (!previous) end_inner(parser);
    }
  } else if (parser->in_header) {
    push_headers(parser, line, false);
  } else if (parser->builder.count == 0 && parser->depth == 0 && trimmed.len > 0) {
    push_headers(parser, line, true);
  }
}

// Outermost last. Behind the chain in the list are further members: they go in front of it.
static void put_members_first(struct parser *parser, struct sentry_exception *list, uint32_t count) {
  uint32_t chain = parser->chain_count, members = count - chain;
  struct sentry_exception moved[SENTRY_EVENT_EXCEPTIONS_MAX];
  memcpy(moved, list + chain, members * sizeof(*list));
  memmove(list + members, list, chain * sizeof(*list));
  for (uint32_t i = 0; i < members; i++) list[i] = moved[members - 1 - i];
}

// Ids from the outermost in, as sentry-dotnet gives them; the further members are the outermost's.
static void give_ids(struct sentry_exception *list, uint32_t count, uint32_t members) {
  for (uint32_t i = 0; i < count && count > 1; i++) {
    struct sentry_exception *exception = &list[i];
    exception->exception_id = count - 1 - i;
    exception->has_exception_id = exception->has_mechanism = true;
    exception->mechanism_type = i + 1 == count ? SLICE_LITERAL("generic") : SLICE_LITERAL("chained");
    exception->has_parent_id = i + 1 < count;
    exception->parent_id = i < members || i + 1 == count ? 0 : exception->exception_id - 1;
    if (i + 1 == count)
      exception->is_exception_group = slice_ends_with(exception->type, SLICE_LITERAL("AggregateException"));
  }
}

// All in one line: "… at A.B() in C.cs:line 1 at D.E() …".
static void parse_joined(struct parser *parser, struct slice text) {
  struct slice part, rest = text;
  for (bool first = true, more = true; more; first = false) {
    more = stacktrace_text_take_until(&rest, "   at ", &part);
    struct slice piece = more ? part : rest;
    if (first) {
      push_headers(parser, slice_trim(piece), true);
    } else { // with the separator in front, which makes it a line as any other
      size_t separator = strlen("   at ");
      struct slice line = slice_make(piece.ptr - separator, piece.len + separator), frame;
      bool ends = stacktrace_text_take_until(&line, "   --- ", &frame); // "--- End of inner exception stack trace ---"
      parse_line(parser, stacktrace_text_trim_end(ends ? frame : line));
      if (ends) parse_line(parser, slice_make(line.ptr - strlen("--- "), line.len + strlen("--- ")));
    }
  }
}

enum status stacktrace_dotnet_parse(struct slice text, struct arena *arena, struct sentry_exception **out_exceptions,
                                    uint32_t *out_count, uint32_t *out_lines_matched) {
  struct parser parser;
  stacktrace_builder_init(&parser.builder, arena);
  parser.arena = arena;
  parser.depth = parser.beyond = parser.chain_count = 0;
  parser.in_header = false;
  struct slice line, rest = slice_trim(text);
  bool joined = slice_find_byte(rest, '\n') == rest.len && stacktrace_text_has(rest, "   at ") &&
                !slice_starts_with(rest, SLICE_LITERAL("at "));
  if (joined) {
    parse_joined(&parser, rest);
  } else {
    rest = text;
    while (stacktrace_text_line(&rest, &line)) parse_line(&parser, line);
  }
  while (parser.depth > 0 && parser.builder.lines_matched > 0) { // headers without a trace
    open_top(&parser);
    parser.depth--;
  }
  enum status status =
      stacktrace_builder_finish(&parser.builder, STACKTRACE_BUILDER_CRASH_FIRST, STACKTRACE_BUILDER_RAISED_LAST,
                                out_exceptions, out_count, out_lines_matched);
  if (status != STATUS_OK || *out_lines_matched == 0) return status;
  if (parser.chain_count == 0 || parser.chain_count > *out_count) parser.chain_count = *out_count;
  uint32_t members = *out_count - parser.chain_count;
  put_members_first(&parser, *out_exceptions, *out_count);
  give_ids(*out_exceptions, *out_count, members);
  return arena_exhausted(arena) ? STATUS_NO_MEMORY : STATUS_OK;
}
