// SPDX-License-Identifier: Apache-2.0
//
//   ** (Shop.PaymentError) message
//       (shop 0.1.0) lib/shop/cart.ex:12: Shop.Cart.pay/2       crash first
//       (stdlib 4.2) gen_server.erl:1123: :gen_server.try_handle_call/4
// Erlang prints terms: [{shop_cart,pay,2,[{file,"src/shop_cart.erl"},{line,12}]},…]. An application's version is not
// kept: it would split issues with every release.
#include "processor/stacktrace/stacktrace_elixir.h"

#include "processor/stacktrace/stacktrace_builder.h"
#include "processor/stacktrace/stacktrace_text.h"

struct parser {
  struct stacktrace_builder builder;
  struct arena *arena;
  bool in_header;
  struct slice header_first, header_last;
};

static bool is_library(struct slice application, struct slice path) {
  static const char *const names[] = {
      "elixir",   "stdlib",   "kernel",   "erts",          "logger", "mix",         "iex",          "ex_unit", "eex",
      "compiler", "sasl",     "ssl",      "phoenix",       "plug",   "plug_cowboy", "cowboy",       "ranch",   "bandit",
      "ecto",     "ecto_sql", "postgrex", "db_connection", "oban",   "telemetry",   "opentelemetry"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if (slice_equal_cstr(application, names[i])) return true;
  }
  return slice_starts_with(path, SLICE_LITERAL("deps/")) || stacktrace_text_has(path, "/deps/");
}

// "Shop.Cart.pay/2" is of module Elixir.Shop.Cart, ":gen_server.call/3" of gen_server, as sentry-elixir sends them.
static struct slice module_of(struct slice function, struct arena *arena) {
  struct slice rest = function, before, head, tail;
  while (stacktrace_text_take_until(&rest, " in ", &before)) function = rest; // "anonymous fn/1 in Shop.Cart.pay/2"
  function = slice_sub(function, 0, slice_find_byte(function, '/'));
  stacktrace_text_split_last(function, '.', &head, &tail);
  if (head.len == 0) return head;
  if (stacktrace_text_take(&head, ":")) return head;
  bool elixir = head.ptr[0] >= 'A' && head.ptr[0] <= 'Z';
  return elixir ? arena_printf(arena, "Elixir.%.*s", SLICE_PRINTF(head)) : head;
}

// A function of the virtual machine: "    :erlang.binary_to_integer(\"x\")", with its arguments and without a place.
static bool parse_builtin(struct parser *parser, struct slice line) {
  struct slice rest = stacktrace_text_trim_start(line), module;
  if (rest.len == line.len || !slice_starts_with(rest, SLICE_LITERAL(":"))) return false;
  struct slice call = slice_sub(rest, 0, slice_find_byte(rest, '('));
  struct slice function = slice_skip(call, 1);
  if (!stacktrace_text_take_until(&function, ".", &module) || !stacktrace_text_is_word(module)) return false;
  if (!stacktrace_text_is_word(function)) return false;
  parser->builder.lines_matched++;
  *stacktrace_builder_frame(&parser->builder) =
      (struct sentry_frame){.function = call, .module = module, .in_app = SENTRY_IN_APP_NO};
  return true;
}

// "(shop 0.1.0) lib/shop/cart.ex:12: Shop.Cart.pay/2"
static bool parse_frame(struct parser *parser, struct slice line) {
  struct slice rest = stacktrace_text_trim_start(line), application = {0}, place;
  if (rest.len == line.len) return false;
  if (stacktrace_text_take(&rest, "(")) {
    if (!stacktrace_text_take_until(&rest, ") ", &application)) return false;
    application = slice_sub(application, 0, slice_find_byte(application, ' '));
  }
  struct sentry_frame frame = {0};
  struct slice with_place = rest;
  uint32_t column;
  if (stacktrace_text_take_until(&with_place, ": ", &place) &&
      stacktrace_text_location(place, &frame.abs_path, &frame.line, &column)) {
    rest = with_place;
  } else if (application.len == 0) {
    return false;
  }
  if (rest.len == 0 || (frame.abs_path.len > 0 && !stacktrace_text_has(frame.abs_path, ".ex") &&
                        !stacktrace_text_has(frame.abs_path, ".erl") && !slice_equal_cstr(frame.abs_path, "iex") &&
                        !slice_equal_cstr(frame.abs_path, "nofile"))) {
    return false;
  }
  bool function =
      stacktrace_text_has(rest, "/") || slice_starts_with(rest, SLICE_LITERAL("(")) || frame.abs_path.len > 0;
  if (!function) return false;
  frame.function = rest;
  frame.package = application;
  frame.module = module_of(rest, parser->arena);
  frame.in_app = is_library(application, frame.abs_path) ? SENTRY_IN_APP_NO : SENTRY_IN_APP_YES;
  parser->builder.lines_matched++;
  *stacktrace_builder_frame(&parser->builder) = frame;
  return true;
}

// "** (Shop.PaymentError) message": the type's brackets may be missing ("** Shop.Cart crashed").
static void finish_header(struct parser *parser) {
  if (!parser->in_header) return;
  parser->in_header = false;
  struct sentry_exception *exception = stacktrace_builder_current(&parser->builder);
  struct slice header = stacktrace_text_trim_end(stacktrace_text_span(parser->header_first, parser->header_last)), type;
  if (stacktrace_text_take(&header, "(") && stacktrace_text_take_until(&header, ") ", &type)) exception->type = type;
  exception->value = header;
}

static void parse_line(struct parser *parser, struct slice line) {
  struct slice before, rest = line;
  if (parse_frame(parser, line) || parse_builtin(parser, line)) {
    finish_header(parser);
  } else if (stacktrace_text_take_until(&rest, "** (", &before) && parser->builder.count == 0) {
    stacktrace_builder_exception(&parser->builder);
    parser->in_header = true;
    parser->header_first = parser->header_last = slice_make(rest.ptr - 1, rest.len + 1);
  } else if (parser->in_header) {
    parser->header_last = line;
  }
}

// The text between the quotes or up to one of `ends` behind `key`, in one Erlang tuple.
static struct slice erlang_value(struct slice tuple, const char *key, const char *ends) {
  struct slice before, rest = tuple;
  if (!stacktrace_text_take_until(&rest, key, &before)) return (struct slice){0};
  size_t len = 0;
  while (len < rest.len && strchr(ends, rest.ptr[len]) == NULL) len++;
  return slice_sub(rest, 0, len);
}

// 'Elixir.Shop.Cart' to Elixir.Shop.Cart.
static struct slice unquoted(struct slice atom) {
  atom = slice_trim(atom);
  if (stacktrace_text_take(&atom, "'")) stacktrace_text_take_end(&atom, "'");
  return atom;
}

// As Elixir prints it: "Shop.Cart.pay/2", ":shop_cart.pay/2". In place of the arity there may be the arguments.
static struct slice erlang_function(struct slice module, struct slice function, struct slice arity,
                                    struct arena *arena) {
  uint64_t number;
  bool elixir = stacktrace_text_take(&module, "Elixir.");
  const char *mark = elixir ? "" : ":";
  if (!slice_to_u64(arity, &number)) {
    return arena_printf(arena, "%s%.*s.%.*s", mark, SLICE_PRINTF(module), SLICE_PRINTF(function));
  }
  return arena_printf(arena, "%s%.*s.%.*s/%llu", mark, SLICE_PRINTF(module), SLICE_PRINTF(function),
                      (unsigned long long)number);
}

// A term does not say which application a module is of: the ones that traces go through most.
static bool is_library_module(struct slice module) {
  static const char *const names[] = {"gen",
                                      "gen_server",
                                      "gen_statem",
                                      "gen_event",
                                      "proc_lib",
                                      "supervisor",
                                      "erl_eval",
                                      "lists",
                                      "maps",
                                      "ets",
                                      "erlang",
                                      "application",
                                      "timer",
                                      "code",
                                      "Elixir.Enum",
                                      "Elixir.Stream",
                                      "Elixir.GenServer",
                                      "Elixir.Task",
                                      "Elixir.Task.Supervised",
                                      "Elixir.Agent",
                                      "Elixir.Map",
                                      "Elixir.String",
                                      "Elixir.Code"};
  static const char *const prefixes[] = {
      "elixir_",      "Elixir.Kernel", "Elixir.Module.",      "cowboy_",    "ranch_", "otel_", "Elixir.Phoenix.",
      "Elixir.Plug.", "Elixir.Ecto.",  "Elixir.DBConnection", "Elixir.Mix."};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if (slice_equal_cstr(module, names[i])) return true;
  }
  for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
    if (slice_starts_with(module, slice_from_cstr(prefixes[i]))) return true;
  }
  return false;
}

// {shop_cart,pay,2,[{file,"src/shop_cart.erl"},{line,12}]}: a tuple begins behind "{" and ends at "]}".
static void parse_erlang(struct parser *parser, struct slice text) {
  struct slice rest = text, tuple, skipped;
  while (stacktrace_text_take_until(&rest, "{", &skipped)) {
    struct slice module, function, inside = rest;
    size_t end = slice_find(inside, SLICE_LITERAL("]}"));
    if (end >= inside.len) break;
    tuple = slice_sub(inside, 0, end);
    rest = slice_skip(inside, end + 2);
    struct slice fields = tuple;
    if (!stacktrace_text_take_until(&fields, ",", &module) || !stacktrace_text_take_until(&fields, ",", &function))
      continue;
    module = unquoted(module);
    function = unquoted(function);
    struct slice arity = slice_trim(slice_sub(fields, 0, slice_find_byte(fields, ',')));
    struct slice options = slice_skip(fields, slice_find_byte(fields, '['));
    if (!stacktrace_text_is_word(module) || function.len == 0 || options.len == 0) continue;
    uint64_t number = 0;
    struct sentry_frame frame = {.module = module, .abs_path = erlang_value(options, "{file,\"", "\"")};
    frame.function = erlang_function(module, function, arity, parser->arena);
    if (slice_to_u64(slice_trim(erlang_value(options, "{line,", "}")), &number) && number <= UINT32_MAX)
      frame.line = (uint32_t)number;
    bool library =
        is_library_module(module) || is_library((struct slice){0}, frame.abs_path) || frame.abs_path.len == 0;
    frame.in_app = library ? SENTRY_IN_APP_NO : SENTRY_IN_APP_YES;
    if (frame.abs_path.len > 0) parser->builder.lines_matched++;
    *stacktrace_builder_frame(&parser->builder) = frame;
  }
}

enum status stacktrace_elixir_parse(struct slice text, struct arena *arena, struct sentry_exception **out_exceptions,
                                    uint32_t *out_count, uint32_t *out_lines_matched) {
  struct parser parser;
  stacktrace_builder_init(&parser.builder, arena);
  parser.arena = arena;
  parser.in_header = false;
  struct slice line, rest = text;
  while (stacktrace_text_line(&rest, &line)) parse_line(&parser, line);
  finish_header(&parser);
  if (parser.builder.lines_matched == 0 && stacktrace_text_has(text, "{file,\"")) {
    stacktrace_builder_init(&parser.builder, arena);
    parse_erlang(&parser, text);
  }
  enum status status =
      stacktrace_builder_finish(&parser.builder, STACKTRACE_BUILDER_CRASH_FIRST, STACKTRACE_BUILDER_RAISED_LAST,
                                out_exceptions, out_count, out_lines_matched);
  return status == STATUS_OK && arena_exhausted(arena) ? STATUS_NO_MEMORY : status;
}
