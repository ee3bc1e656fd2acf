// SPDX-License-Identifier: Apache-2.0
//
//   com.shop.PaymentException: message, which may go on over lines
//           at com.shop.Cart.pay(Cart.java:42)              crash first
//           at java.base/java.lang.Thread.run(Thread.java:840)
//           Suppressed: java.lang.IllegalStateException: …    of the exception one tab less
//                   at …
//                   ... 6 more                               the last 6 frames of the enclosing trace
//   Caused by: java.io.IOException: …                        of the exception on the same depth
//           ... 8 more
// Logback's root-cause-first form says "Wrapped by: " instead, and goes the other way round.
//
// Depth is counted in tabs (or runs of eight or four spaces, as viewers make of them) in front of "Caused by:" and
// "Suppressed:". Ids go down the text as sentry-java gives them; the list is turned over at the end.
#include "processor/stacktrace/stacktrace_java.h"

#include "processor/stacktrace/stacktrace_builder.h"
#include "processor/stacktrace/stacktrace_text.h"

#define DEPTH_MAX 32
#define NONE      UINT32_MAX

struct parser {
  struct stacktrace_builder builder;
  bool (*frame)(struct slice text, struct sentry_frame *out_frame);
  void (*header)(struct slice text, struct sentry_exception *exception);
  bool in_header; // lines belong to the type and message of the open exception
  bool wrapped;   // "Wrapped by:" was seen
  struct slice header_first, header_last;
  uint32_t depth;
  uint32_t latest[DEPTH_MAX]; // exception on each depth
  uint32_t enclosing;         // whose frames "... n more" means
};

static bool is_library(struct slice module) {
  static const char *const prefixes[] = {
      "java.",
      "javax.",
      "jdk.",
      "sun.",
      "com.sun.",
      "scala.",
      "akka.",
      "kotlin.",
      "kotlinx.",
      "org.apache.",
      "jakarta.",
      "feign.",
      "org.jboss.",
      "io.netty.",
      "io.ktor.",
      "clojure.",
      "io.opentelemetry.",
      "io.sentry.",
      "android.",
      "androidx.",
      "dalvik.",
      "com.android.",
      "groovy.",
      "org.codehaus.groovy.",
      "io.micrometer.",
      "org.springframework.",
      "org.glassfish.",
      "org.hibernate.",
      "com.zaxxer.",
      "reactor.",
      "io.grpc.",
      "io.undertow.",
      "org.eclipse.jetty.",
  };
  for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
    if (slice_starts_with(module, slice_from_cstr(prefixes[i]))) return true;
  }
  return false;
}

// Loader and module in front of a class go; "Main$$Lambda$14/0x0000000800066840" is one name.
static struct slice without_module(struct slice name) {
  size_t slash = stacktrace_text_find_last(name, '/');
  struct slice behind = slice_skip(name, slash + 1);
  if (behind.len > 0 && behind.ptr[0] >= '0' && behind.ptr[0] <= '9') {
    slash = stacktrace_text_find_last(slice_sub(name, 0, slash), '/');
    return slash + behind.len + 1 < name.len ? slice_skip(name, slash + 1) : name;
  }
  return slash < name.len ? behind : name;
}

// "app//java.base@17/java.lang.Thread.run(Thread.java:840)", "Native Method", "Unknown Source", and Logback's
// "[x.jar:1.2]" or
// "~[?:?]" behind it.
static bool java_frame(struct slice text, struct sentry_frame *frame) {
  struct slice name, inside, rest = text;
  if (!stacktrace_text_take_until(&rest, "(", &name)) return false;
  size_t close = slice_find_byte(rest, ')');
  if (close == rest.len) return false;
  inside = slice_sub(rest, 0, close);
  struct slice behind = stacktrace_text_trim_start(slice_skip(rest, close + 1));
  if (behind.len > 0 && behind.ptr[0] != '[' && behind.ptr[0] != '~') return false; // .NET: "… in file:line 3"
  name = without_module(name);
  stacktrace_text_split_last(name, '.', &frame->module, &frame->function);
  if (frame->module.len == 0 || frame->function.len == 0 || stacktrace_text_has(name, " ")) return false;
  frame->in_app = is_library(frame->module) ? SENTRY_IN_APP_NO : SENTRY_IN_APP_YES;
  if (slice_equal_cstr(inside, "Native Method") || slice_equal_cstr(inside, "Unknown Source") ||
      slice_equal_cstr(inside, "<generated>") || slice_equal_cstr(inside, "<unknown>")) {
    return true;
  }
  uint32_t column;
  if (!stacktrace_text_location(inside, &frame->filename, &frame->line, &column)) frame->filename = inside;
  return stacktrace_text_is_word(frame->filename); // arguments, as .NET prints them, are no file
}

// "com.shop.PaymentException: …" with the package as module, as sentry-java sends it.
static void java_header(struct slice text, struct sentry_exception *exception) {
  stacktrace_text_header(text, exception);
  stacktrace_text_split_last(exception->type, '.', &exception->module, &exception->type);
}

static void finish_header(struct parser *parser) {
  if (!parser->in_header) return;
  parser->in_header = false;
  if (parser->header_first.ptr == NULL) return;
  struct slice header = stacktrace_text_span(parser->header_first, parser->header_last);
  parser->header(header, stacktrace_builder_current(&parser->builder));
}

static uint32_t depth_of(struct slice line) {
  size_t indent = stacktrace_text_indent(line), tabs = 0, spaces = 0;
  for (size_t i = 0; i < indent; i++) {
    tabs += line.ptr[i] == '\t';
    spaces += line.ptr[i] == ' ';
  }
  size_t depth = tabs + spaces / 4;
  return depth < DEPTH_MAX ? (uint32_t)depth : DEPTH_MAX - 1;
}

// The exception that "Suppressed:" on this depth belongs to: the latest on a lesser one.
static uint32_t enclosing_of(const struct parser *parser, uint32_t depth) {
  for (uint32_t d = depth; d > 0; d--) {
    if (parser->latest[d - 1] != NONE) return parser->latest[d - 1];
  }
  return NONE;
}

static void open_exception(struct parser *parser, uint32_t depth, uint32_t parent, const char *type,
                           struct slice header) {
  finish_header(parser);
  stacktrace_builder_exception(&parser->builder);
  uint32_t index = parser->builder.count - 1;
  if (parser->builder.discarded_trace.total == 0) {
    stacktrace_builder_chain(&parser->builder, index, parent == NONE ? STACKTRACE_BUILDER_NO_PARENT : parent, type);
    parser->latest[depth] = index;
    for (uint32_t d = depth + 1; d < DEPTH_MAX; d++) parser->latest[d] = NONE;
  }
  parser->depth = depth;
  parser->enclosing = parent;
  parser->in_header = true;
  parser->header_first = parser->header_last = header;
}

// "Caused by: ", "Suppressed: " and what else begins the next exception.
static bool parse_link(struct parser *parser, struct slice line) {
  struct slice rest = stacktrace_text_trim_start(line);
  uint32_t depth = depth_of(line);
  bool caused = stacktrace_text_take(&rest, "Caused by: ");
  bool suppressed = !caused && stacktrace_text_take(&rest, "Suppressed: ");
  bool wraps = !caused && !suppressed && stacktrace_text_take(&rest, "Wrapped by: ");
  if (!caused && !suppressed && !wraps) return false;
  // In the middle of a message such words mean nothing, unless frames came before.
  if (parser->in_header && stacktrace_builder_frame_count(&parser->builder) == 0 && parser->builder.count <= 1)
    return false;
  parser->builder.lines_matched++;
  if (stacktrace_text_take(&rest, "[CIRCULAR REFERENCE:")) {
    finish_header(parser);
    return true;
  }
  uint32_t parent = suppressed ? enclosing_of(parser, depth) : parser->latest[depth];
  if (parent == NONE) parent = enclosing_of(parser, depth + 1 < DEPTH_MAX ? depth + 1 : depth);
  parser->wrapped |= wraps;
  open_exception(parser, depth, parent, suppressed ? "suppressed" : "chained", rest);
  return true;
}

static bool parse_more(struct parser *parser, struct slice line) {
  struct slice rest = stacktrace_text_trim_start(line);
  uint32_t n = 0;
  if (!stacktrace_text_take(&rest, "... ") || !stacktrace_text_take_number(&rest, &n)) return false;
  if (!stacktrace_text_take(&rest, " more") && !stacktrace_text_take(&rest, " common frames omitted")) return false;
  finish_header(parser);
  parser->builder.lines_matched++;
  if (parser->enclosing != NONE) stacktrace_builder_copy_tail(&parser->builder, parser->enclosing, n);
  return true;
}

static bool parse_frame(struct parser *parser, struct slice line) {
  struct slice rest = stacktrace_text_trim_start(line);
  if (rest.len == line.len || !stacktrace_text_take(&rest, "at ")) return false;
  struct sentry_frame frame = {0};
  if (!parser->frame(rest, &frame)) return false;
  finish_header(parser);
  parser->builder.lines_matched++;
  *stacktrace_builder_frame(&parser->builder) = frame;
  return true;
}

static void parse_line(struct parser *parser, struct slice line) {
  if (parse_frame(parser, line) || parse_more(parser, line) || parse_link(parser, line)) return;
  if (parser->in_header) {
    parser->header_last = line;
    return;
  }
  if (parser->builder.count > 0 || line.len == 0) return;
  struct slice header = line;
  if (stacktrace_text_take(&header, "Exception in thread \"")) {
    struct slice thread;
    stacktrace_text_take_until(&header, "\" ", &thread);
  }
  open_exception(parser, 0, NONE, "chained", header);
}

// Root cause first: the last exception of the text is the one raised; it becomes id 0.
static void turn_ids(struct parser *parser) {
  uint32_t count = parser->builder.count;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t id = count - 1 - i;
    stacktrace_builder_chain(&parser->builder, i, id == 0 ? STACKTRACE_BUILDER_NO_PARENT : id - 1, "chained");
    parser->builder.exceptions[i].exception_id = id;
  }
}

enum status stacktrace_java_parse_like(struct slice text, struct arena *arena,
                                       bool (*frame)(struct slice text, struct sentry_frame *out_frame),
                                       void (*header)(struct slice text, struct sentry_exception *exception),
                                       struct sentry_exception **out_exceptions, uint32_t *out_count,
                                       uint32_t *out_lines_matched) {
  struct parser parser;
  stacktrace_builder_init(&parser.builder, arena);
  parser.builder.keep_first = true;
  parser.frame = frame;
  parser.header = header;
  parser.in_header = parser.wrapped = false;
  parser.header_first = parser.header_last = (struct slice){0};
  parser.depth = 0;
  parser.enclosing = NONE;
  for (uint32_t d = 0; d < DEPTH_MAX; d++) parser.latest[d] = NONE;
  struct slice line, rest = text;
  while (stacktrace_text_line(&rest, &line)) parse_line(&parser, line);
  finish_header(&parser);
  if (parser.wrapped) turn_ids(&parser);
  return stacktrace_builder_finish(&parser.builder, STACKTRACE_BUILDER_CRASH_FIRST,
                                   parser.wrapped ? STACKTRACE_BUILDER_RAISED_LAST : STACKTRACE_BUILDER_RAISED_FIRST,
                                   out_exceptions, out_count, out_lines_matched);
}

enum status stacktrace_java_parse(struct slice text, struct arena *arena, struct sentry_exception **out_exceptions,
                                  uint32_t *out_count, uint32_t *out_lines_matched) {
  return stacktrace_java_parse_like(text, arena, java_frame, java_header, out_exceptions, out_count, out_lines_matched);
}
