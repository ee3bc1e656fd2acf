// SPDX-License-Identifier: Apache-2.0
//
// A native name goes through a row of small rewrites in one scratch buffer: "[clone .cold]" and endings off ("const",
// "&"), lambdas and anonymous namespaces to one spelling, argument lists out, template arguments to <T>, then the one
// token that is the name is picked and its compiler's suffix cut.
//
// Brackets inside some operator names ("operator<<", "operator()") would upset the counting of brackets, and the blank
// in "`anonymous namespace'" the splitting, so those are held as single control bytes (struct mark) in between. Of the
// other operators the counting keeps what it can, as in the published hashes: a bracket that closes nothing hides what
// follows it until one opens.
#include "processor/grouping_function.h"

#include "base/arena.h"
#include "base/status.h"
#include "processor/grouping.h"

#define TOKENS_MAX         128
#define BRACKETS_MAX       64
#define NESTED_TRAITS_MAX  16
#define FUNCTION_BYTES_MAX 4096
#define RUST_HASH_BYTES    19 // "::h" and 16 digits
#define LAMBDA_HASH_BYTES  32

#define ARROW "\x02" // " -> "

// Longer spellings first.
static const struct mark {
  const char *text;
  uint8_t byte;
} marks[] = {
    {"operator<<", 0x03},
    {"operator<", 0x04},
    {"operator->", 0x05},
    {"operator()", 0x06},
    {"`anonymous namespace'", 0x07},
};

// Text being rewritten: `to` is filled from `from`, then they change places. Both have room for FUNCTION_BYTES_MAX.
struct scratch {
  struct slice text; // in one of the halves, or the input
  uint8_t *halves[2];
  int half;
  size_t len; // of what is being written
};

static void put(struct scratch *scratch, struct slice piece) {
  if (scratch->len + piece.len > FUNCTION_BYTES_MAX) piece.len = FUNCTION_BYTES_MAX - scratch->len;
  if (piece.len > 0) memcpy(scratch->halves[scratch->half] + scratch->len, piece.ptr, piece.len);
  scratch->len += piece.len;
}

static void put_text(struct scratch *scratch, const char *piece) {
  put(scratch, slice_from_cstr(piece));
}

// What was written becomes the text.
static void turn(struct scratch *scratch) {
  scratch->text = slice_make(scratch->halves[scratch->half], scratch->len);
  scratch->half = !scratch->half;
  scratch->len = 0;
}

static bool is_digit(uint8_t c) {
  return c >= '0' && c <= '9';
}

static bool is_word(struct slice text, size_t at) {
  if (at >= text.len) return false;
  uint8_t c = text.ptr[at];
  return is_digit(c) || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' || c >= 0x80;
}

static bool is_space(uint8_t c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static bool is_lower_hex(uint8_t c) {
  return is_digit(c) || (c >= 'a' && c <= 'f');
}

static bool is_pair(uint8_t open, uint8_t close) {
  return (open == '(' && close == ')') || (open == '<' && close == '>') || (open == '[' && close == ']') ||
         (open == '{' && close == '}');
}

uint32_t grouping_function_split(struct slice function, struct slice *out_tokens, uint32_t max) {
  uint8_t open[BRACKETS_MAX];
  uint32_t depth = 0, count = 0;
  size_t start = 0, end = 0; // of the token being read; end is behind what surely belongs to it
  for (size_t i = 0; i < function.len; i++) {
    uint8_t c = function.ptr[i];
    if (c == '(' || c == '<' || c == '[' || c == '{') {
      if (depth < BRACKETS_MAX) open[depth] = c;
      depth++;
    } else if (depth > 0) {
      if (depth > BRACKETS_MAX || is_pair(open[depth - 1], c)) depth--;
      if (depth == 0) end = i + 1;
    } else if (is_space(c)) {
      if (end > start && count++ < max) out_tokens[count - 1] = slice_sub(function, start, end - start);
      start = end = i + 1;
    } else {
      end = i + 1;
    }
  }
  if (end > start && count++ < max) out_tokens[count - 1] = slice_sub(function, start, end - start);
  return count;
}

static bool is_plain(struct slice function) {
  for (size_t i = 0; i < function.len; i++) {
    uint8_t c = function.ptr[i];
    if (c <= ' ' || strchr("<>()[]{}@$?&`", c) != NULL) return false;
  }
  return !slice_ends_with(function, SLICE_LITERAL("const")) &&
         slice_find(function, SLICE_LITERAL("::h")) > function.len &&
         slice_find(function, SLICE_LITERAL("lambda_")) > function.len;
}

// Bytes that stand for marks while a name is rewritten; no compiler puts them into a name.
static bool has_mark_bytes(struct slice text) {
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] < ' ' && !is_space(text.ptr[i])) return true;
  }
  return false;
}

static struct slice trim_end(struct slice text) {
  while (text.len > 0 && is_space(text.ptr[text.len - 1])) text.len--;
  return text;
}

// "const" and "&" at the end, any number of them.
static struct slice cut_trailers(struct slice text) {
  for (;;) {
    size_t before = text.len;
    if (text.len > 0 && text.ptr[text.len - 1] == '&') text = trim_end(slice_sub(text, 0, text.len - 1));
    if (slice_ends_with(text, SLICE_LITERAL("const")) && (text.len == 5 || !is_word(text, text.len - 6))) {
      text = trim_end(slice_sub(text, 0, text.len - 5));
    }
    if (text.len == before) return text;
  }
}

// gcc "{lambda(int)#1}", MSVC "lambda_<32 hex digits>", clang "$_0".
static size_t match_lambda(struct slice text, size_t at) {
  struct slice rest = slice_skip(text, at);
  if (slice_starts_with(rest, SLICE_LITERAL("{lambda("))) {
    for (size_t end = 8; end < rest.len; end++) {
      if (rest.ptr[end - 1] != ')' || rest.ptr[end] != '#') continue;
      size_t digits = end + 1;
      while (digits < rest.len && is_digit(rest.ptr[digits])) digits++;
      if (digits > end + 1 && digits < rest.len && rest.ptr[digits] == '}') return digits + 1;
    }
    return 0;
  }
  size_t len = 0;
  if (slice_starts_with(rest, SLICE_LITERAL("lambda_")) && (at == 0 || !is_word(text, at - 1))) {
    for (len = 7; len < rest.len && is_lower_hex(rest.ptr[len]);) len++;
    if (len != 7 + LAMBDA_HASH_BYTES) return 0;
  } else if (slice_starts_with(rest, SLICE_LITERAL("$_"))) {
    for (len = 2; len < rest.len && is_digit(rest.ptr[len]);) len++;
    if (len == 2) return 0;
  }
  return len > 0 && !is_word(text, at + len) ? len : 0;
}

// MSVC's "?A0x12345678::".
static size_t match_hashed_namespace(struct slice text, size_t at) {
  struct slice rest = slice_sub(text, at, 14);
  if (rest.len < 14 || !slice_starts_with(rest, SLICE_LITERAL("?A0x")) || !slice_ends_with(rest, SLICE_LITERAL("::"))) {
    return 0;
  }
  for (size_t i = 4; i < 12; i++) {
    if (!is_lower_hex(rest.ptr[i])) return 0;
  }
  return 14;
}

static void unify_spelling(struct scratch *scratch) {
  struct slice text = scratch->text;
  bool gcc_lambda_possible = true; // looked for to the end at most once
  for (size_t at = 0; at < text.len;) {
    uint8_t c = text.ptr[at];
    size_t len = 0;
    if (c == 'l' || c == '$' || (c == '{' && gcc_lambda_possible)) {
      len = match_lambda(text, at);
      if (len > 0) put_text(scratch, "lambda");
      if (c == '{' && len == 0 && slice_starts_with(slice_skip(text, at), SLICE_LITERAL("{lambda("))) {
        gcc_lambda_possible = false;
      }
    } else if (c == '?') {
      len = match_hashed_namespace(text, at);
      if (len > 0) put_text(scratch, "\x07::");
    } else if (c == 'o' || c == '`') {
      for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]) && len == 0; i++) {
        if (!slice_starts_with(slice_skip(text, at), slice_from_cstr(marks[i].text))) continue;
        len = strlen(marks[i].text);
        put(scratch, slice_make(&marks[i].byte, 1));
      }
    } else if (c == ' ' && slice_starts_with(slice_skip(text, at), SLICE_LITERAL(" -> "))) {
      len = 4;
      put_text(scratch, " " ARROW " ");
    }
    if (len == 0) put(scratch, slice_sub(text, at++, 1));
    at += len;
  }
  turn(scratch);
}

// The length of the bracket that opens at `at`, brackets inside counted; 0 when it is never closed.
static size_t enclosed(struct slice text, size_t at, uint8_t open, uint8_t close) {
  size_t depth = 0;
  for (size_t i = at; i < text.len; i++) {
    if (text.ptr[i] == open) depth++;
    if (text.ptr[i] == close && --depth == 0) return i + 1 - at;
  }
  return 0;
}

// Text with what stands between brackets, once the outermost are closed, given to put_inside instead. Never closed:
// hidden.
static void put_replaced(struct scratch *scratch, struct slice text, uint8_t open, uint8_t close,
                         void (*put_inside)(struct scratch *scratch, struct slice inside)) {
  int64_t depth = 0;
  size_t start = 0;
  for (size_t at = 0; at < text.len; at++) {
    if (text.ptr[at] == open) {
      if (depth++ == 0) start = at + 1;
    } else if (text.ptr[at] == close) {
      if (--depth == 0) put_inside(scratch, slice_sub(text, start, at - start));
    } else if (depth == 0) {
      put(scratch, slice_sub(text, at, 1));
    }
  }
}

static bool has_byte(struct slice text, uint8_t byte) {
  return slice_find_byte(text, byte) < text.len;
}

static void put_unless_clone(struct scratch *scratch, struct slice inside) {
  if (slice_starts_with(inside, SLICE_LITERAL("clone ."))) return;
  put_text(scratch, "[");
  put(scratch, inside);
  put_text(scratch, "]");
}

static void remove_clones(struct scratch *scratch) {
  if (!has_byte(scratch->text, '[')) return;
  put_replaced(scratch, scratch->text, '[', ']', put_unless_clone);
  turn(scratch);
}

static void put_argument(struct scratch *scratch, struct slice inside) {
  inside = slice_trim(inside);
  if (!slice_equal_cstr(inside, "anonymous namespace") && !slice_equal_cstr(inside, "operator")) return;
  put_text(scratch, "(");
  put(scratch, inside);
  put_text(scratch, ")");
}

static void remove_arguments(struct scratch *scratch) {
  if (!has_byte(scratch->text, '(')) return;
  put_replaced(scratch, scratch->text, '(', ')', put_argument);
  turn(scratch);
}

static void put_generic(struct scratch *scratch, struct slice inside) {
  put_text(scratch, slice_equal_cstr(inside, "lambda") ? "<lambda>" : "<T>");
}

// What stands before " as " in what was written.
static void cut_trait(struct scratch *scratch) {
  struct slice written = slice_make(scratch->halves[scratch->half], scratch->len);
  scratch->len = slice_find(written, SLICE_LITERAL(" as "));
  if (scratch->len > written.len) scratch->len = written.len;
}

// Rust writes "<Type as Trait>::method": brackets at the start are opened up and keep the type, or the trait where the
// type is a single letter (an implementation for everything). They may stand in each other, so they are opened from the
// outside in and written from the inside out.
static void replace_generics(struct scratch *scratch) {
  if (!has_byte(scratch->text, '<')) return;
  struct slice rests[NESTED_TRAITS_MAX]; // behind each opened bracket
  size_t depth = 0;
  struct slice text = scratch->text;
  while (depth < NESTED_TRAITS_MAX && text.len > 0 && text.ptr[0] == '<') {
    size_t len = enclosed(text, 0, '<', '>');
    struct slice inside = slice_sub(text, 1, len > 0 ? len - 2 : 0);
    if (len == 0 || slice_equal_cstr(inside, "lambda")) break;
    rests[depth++] = slice_skip(text, len);
    bool blanket = inside.len > 5 && inside.ptr[0] >= 'A' && inside.ptr[0] <= 'Z' &&
                   slice_equal_cstr(slice_sub(inside, 1, 4), " as ");
    text = blanket ? slice_skip(inside, 5) : inside;
  }
  if (has_byte(text, '<')) {
    put_replaced(scratch, text, '<', '>', put_generic);
  } else {
    put(scratch, text);
  }
  while (depth > 0) {
    cut_trait(scratch);
    put_replaced(scratch, rests[--depth], '<', '>', put_generic);
  }
  turn(scratch);
}

// What is left of a name once its brackets are away, by blanks.
struct tokens {
  struct slice list[TOKENS_MAX];
  uint32_t count;
  bool spaced_generics; // " <T>" behind the last: MSVC's "operator<< <T>"
};

// The token is the word and nothing else.
static bool token_is(const struct tokens *tokens, uint32_t at, const char *word) {
  if (at >= tokens->count || (tokens->spaced_generics && at + 1 == tokens->count)) return false;
  return slice_equal_cstr(tokens->list[at], word);
}

// The place of the last token that is the word; count when there is none.
static uint32_t find_last(const struct tokens *tokens, const char *word) {
  for (uint32_t i = tokens->count; i-- > 0;) {
    if (token_is(tokens, i, word)) return i;
  }
  return tokens->count;
}

// The name in a declaration: what stands before the last arrow (and before "throws"), else the last token.
static uint32_t find_name(const struct tokens *tokens) {
  uint32_t last = tokens->count - 1, arrow = find_last(tokens, ARROW);
  if (arrow == tokens->count) return last;
  uint32_t name = arrow > 0 ? arrow - 1 : last;
  if (!token_is(tokens, name, "throws")) return name;
  return name > 0 ? name - 1 : last;
}

// "variable initialization expression of static Class.member : Type": the place of the member, count when the text is
// something else.
static uint32_t find_member(const struct tokens *tokens, struct slice text) {
  if (slice_find(text, SLICE_LITERAL("initialization expression of")) > text.len) return tokens->count;
  uint32_t of = find_last(tokens, "of");
  uint32_t member = of < tokens->count ? of + 1 : of;
  return token_is(tokens, member, "static") ? member + 1 : member;
}

// The name, with words of its own for Swift's compiler-made functions: "thunk for closure", "closure in Foo.bar",
// "initializer expression of Foo.x".
static void put_name(struct scratch *scratch, const struct tokens *tokens, bool swift) {
  uint32_t member = find_member(tokens, scratch->text);
  bool initializer = member < tokens->count;
  uint32_t at = initializer ? member : find_name(tokens);
  struct slice name = tokens->list[at];
  if (!initializer && swift && name.ptr[0] == '@') { // an attribute stands where the name of something nameless would
    bool thunk = slice_find(scratch->text, SLICE_LITERAL("thunk for ")) <= scratch->text.len;
    put_text(scratch, thunk ? "thunk for closure" : "closure");
    return;
  }
  bool spaced = tokens->spaced_generics && at + 1 == tokens->count;
  bool is_closure = !initializer && token_is(tokens, at, "closure");
  if (!is_closure && find_last(tokens, "closure") < tokens->count) put_text(scratch, "closure in ");
  if (initializer) put_text(scratch, "initializer expression of ");
  if (initializer && name.ptr[0] == ':') name = slice_skip(name, 1); // "(extension in M):" lost its bracket
  put(scratch, name);
  if (spaced) put_text(scratch, " <T>");
}

static void pick_function(struct scratch *scratch, struct slice function, bool swift) {
  struct tokens tokens = {.count = 0};
  tokens.count = grouping_function_split(scratch->text, tokens.list, TOKENS_MAX);
  if (tokens.count == 0 || tokens.count > TOKENS_MAX) {
    put(scratch, function);
  } else {
    tokens.spaced_generics = tokens.count > 1 && token_is(&tokens, tokens.count - 1, "<T>");
    if (tokens.spaced_generics) tokens.count--;
    put_name(scratch, &tokens, swift);
  }
  turn(scratch);
}

static void expand_marks(struct scratch *scratch) {
  struct slice text = scratch->text;
  for (size_t at = 0; at < text.len; at++) {
    const char *spelled = text.ptr[at] == ARROW[0] ? "->" : NULL;
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]) && spelled == NULL; i++) {
      if (text.ptr[at] == marks[i].byte) spelled = marks[i].text;
    }
    if (spelled != NULL) {
      put_text(scratch, spelled);
    } else {
      put(scratch, slice_sub(text, at, 1));
    }
  }
  turn(scratch);
}

// Rust "::h0123456789abcdef", ELF "@@GLIBC_2.2", stdcall "_name@16".
static struct slice cut_suffixes(struct slice text) {
  if (text.len >= RUST_HASH_BYTES) {
    struct slice hash = slice_skip(text, text.len - RUST_HASH_BYTES);
    bool rust = slice_starts_with(hash, SLICE_LITERAL("::h"));
    for (size_t i = 3; i < RUST_HASH_BYTES && rust; i++) {
      rust = is_digit(hash.ptr[i]) || (hash.ptr[i] >= 'a' && hash.ptr[i] <= 'z');
    }
    if (rust) text.len -= RUST_HASH_BYTES;
  }
  size_t end = text.len;
  while (end > 0 && (is_digit(text.ptr[end - 1]) || text.ptr[end - 1] == '.')) end--;
  if (end < text.len && slice_ends_with(slice_sub(text, 0, end), SLICE_LITERAL("@GLIBC_"))) {
    text.len = end - 7;
    if (text.len > 0 && text.ptr[text.len - 1] == '@') text.len--;
  }
  end = text.len;
  while (end > 0 && is_digit(text.ptr[end - 1])) end--;
  if (end == text.len || end == 0 || text.ptr[end - 1] != '@') return text;
  bool fastcall = text.ptr[0] == '@' && end > 1;
  return slice_sub(text, fastcall, end - 1 - fastcall);
}

static struct slice trim_native(struct slice function, struct slice platform, struct arena *arena) {
  if (slice_equal_cstr(function, "<redacted>") || slice_equal_cstr(function, "<unknown>")) return function;
  struct slice text = slice_trim(function);
  bool objective_c = slice_starts_with(text, SLICE_LITERAL("[")) || slice_starts_with(text, SLICE_LITERAL("+[")) ||
                     slice_starts_with(text, SLICE_LITERAL("-["));
  if (objective_c || text.len > FUNCTION_BYTES_MAX || is_plain(text) || has_mark_bytes(text)) return text;
  uint8_t halves[2][FUNCTION_BYTES_MAX];
  struct scratch scratch = {.text = text, .halves = {halves[0], halves[1]}};
  remove_clones(&scratch);
  scratch.text = cut_trailers(trim_end(scratch.text));
  unify_spelling(&scratch);
  remove_arguments(&scratch);
  replace_generics(&scratch);
  bool swift = slice_equal_cstr(platform, "cocoa") || slice_equal_cstr(platform, "swift");
  pick_function(&scratch, function, swift);
  expand_marks(&scratch);
  struct slice name = cut_suffixes(scratch.text);
  if (slice_equal(name, function)) return function;
  return arena_copy(arena, name);
}

enum grouping_family grouping_family_of(struct slice platform) {
  bool native = false, script = false;
  switch (platform.len) { // this is asked for every frame
  case 1: native = platform.ptr[0] == 'c'; break;
  case 4:
    native = slice_equal_cstr(platform, "objc");
    script = slice_equal_cstr(platform, "node");
    break;
  case 5: native = slice_equal_cstr(platform, "cocoa") || slice_equal_cstr(platform, "swift"); break;
  case 6: native = slice_equal_cstr(platform, "native"); break;
  case 10: script = slice_equal_cstr(platform, "javascript"); break;
  default: break;
  }
  return native ? GROUPING_FAMILY_NATIVE : script ? GROUPING_FAMILY_JAVASCRIPT : GROUPING_FAMILY_OTHER;
}

struct slice grouping_trim_function(struct slice function, struct slice platform, struct arena *arena) {
  if (slice_equal_cstr(platform, "csharp")) {
    return slice_sub(function, 0, slice_find(function, SLICE_LITERAL(" (")));
  }
  return grouping_family_of(platform) == GROUPING_FAMILY_NATIVE ? trim_native(function, platform, arena) : function;
}
