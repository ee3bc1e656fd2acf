// SPDX-License-Identifier: Apache-2.0
//
// Most patterns are a literal with stars around it and are told by their shape. The rest become a little program of
// steps and are run the way Thompson's matcher runs: the set of places the program can be in moves forward one byte of
// text at a time, so no byte is looked at twice by the same step and nothing is ever taken back.
#include "processor/grouping_glob.h"

#include <string.h>

#define STEPS_MAX    (GROUPING_GLOB_BYTES_MAX * 8)
#define BRACES_MAX   8
#define BRANCHES_MAX 64

enum step_kind { STEP_BYTE, STEP_ANY, STEP_ANY_BUT_SLASH, STEP_SET, STEP_SPLIT, STEP_JUMP, STEP_FAIL, STEP_MATCH };

struct grouping_glob_step {
  enum step_kind kind;
  uint8_t byte;
  bool negated;          // STEP_SET
  uint16_t first, other; // STEP_SPLIT: both, STEP_JUMP: first
  const uint8_t *set;    // STEP_SET: 32 bytes of bits
};

struct brace {
  uint16_t split;               // of the branch being read
  uint16_t jumps[BRANCHES_MAX]; // ends of the branches before it
  uint32_t branches;
};

struct compiler {
  struct slice pattern;
  size_t at;
  bool path;
  struct arena *arena;
  struct error *error;
  struct grouping_glob_step *steps;
  uint16_t count;
  struct brace braces[BRACES_MAX];
  uint32_t depth;
};

static uint16_t emit(struct compiler *compiler, struct grouping_glob_step step) {
  ASSERT(compiler->count < STEPS_MAX);
  compiler->steps[compiler->count] = step;
  return compiler->count++;
}

static void emit_byte(struct compiler *compiler, uint8_t byte) {
  emit(compiler, (struct grouping_glob_step){.kind = STEP_BYTE, .byte = byte});
}

static void emit_run(struct compiler *compiler, enum step_kind kind) {
  uint16_t start = emit(compiler, (struct grouping_glob_step){.kind = STEP_SPLIT});
  emit(compiler, (struct grouping_glob_step){.kind = kind});
  emit(compiler, (struct grouping_glob_step){.kind = STEP_JUMP, .first = start});
  compiler->steps[start].first = (uint16_t)(start + 1);
  compiler->steps[start].other = compiler->count;
}

// Any directories with their slashes, or nothing: ( | .*/ )
static void emit_directories(struct compiler *compiler) {
  uint16_t split = emit(compiler, (struct grouping_glob_step){.kind = STEP_SPLIT});
  emit_run(compiler, STEP_ANY);
  emit_byte(compiler, '/');
  compiler->steps[split].first = (uint16_t)(split + 1);
  compiler->steps[split].other = compiler->count;
}

static int peek(const struct compiler *compiler, size_t ahead) {
  size_t at = compiler->at + ahead;
  return at < compiler->pattern.len ? compiler->pattern.ptr[at] : -1;
}

static void compile_star(struct compiler *compiler) {
  enum step_kind kind = compiler->path ? STEP_ANY_BUT_SLASH : STEP_ANY;
  bool part_start = compiler->at == 1 || peek(compiler, (size_t)-2) == '/'; // before the star just read
  if (compiler->depth > 0 && !part_start) {
    int before = peek(compiler, (size_t)-2);
    part_start = before == ',' || before == '{';
  }
  if (peek(compiler, 0) != '*') {
    emit_run(compiler, kind);
    return;
  }
  compiler->at++;
  int next = peek(compiler, 0);
  bool part_end = next == -1 || next == '/' || (compiler->depth > 0 && (next == ',' || next == '}'));
  if (!part_start || !part_end) { // two stars in the middle of a part are one
    emit_run(compiler, kind);
  } else if (next != '/') { // at the end: everything
    emit_run(compiler, STEP_ANY);
  } else {
    compiler->at++;
    if (compiler->count == 0) { // a slash in front is taken too
      uint16_t split = emit(compiler, (struct grouping_glob_step){.kind = STEP_SPLIT});
      emit_byte(compiler, '/');
      compiler->steps[split].first = (uint16_t)(split + 1);
      compiler->steps[split].other = compiler->count;
    }
    emit_directories(compiler);
  }
}

static enum status compile_set(struct compiler *compiler) {
  uint8_t *set = arena_alloc(compiler->arena, 32);
  if (set == NULL) return STATUS_NO_MEMORY;
  bool negated = peek(compiler, 0) == '!' || peek(compiler, 0) == '^';
  if (negated) compiler->at++;
  for (bool first = true;; first = false) {
    int low = peek(compiler, 0);
    if (low == -1) return error_set(compiler->error, STATUS_INVALID, "'[' is never closed in the pattern");
    compiler->at++;
    if (low == ']' && !first) break;
    int high = low;
    if (peek(compiler, 0) == '-' && peek(compiler, 1) != ']' && peek(compiler, 1) != -1) {
      high = peek(compiler, 1);
      compiler->at += 2;
    }
    if (high < low) return error_set(compiler->error, STATUS_INVALID, "range from high to low in the pattern's [..]");
    for (int byte = low; byte <= high; byte++) set[byte / 8] |= (uint8_t)(1 << byte % 8);
  }
  emit(compiler, (struct grouping_glob_step){.kind = STEP_SET, .set = set, .negated = negated});
  return STATUS_OK;
}

static enum status open_brace(struct compiler *compiler) {
  if (compiler->depth == BRACES_MAX) {
    return error_set(compiler->error, STATUS_INVALID, "more than %d nested '{' in the pattern", BRACES_MAX);
  }
  struct brace *brace = &compiler->braces[compiler->depth++];
  brace->branches = 0;
  brace->split =
      emit(compiler, (struct grouping_glob_step){.kind = STEP_SPLIT, .first = (uint16_t)(compiler->count + 1)});
  return STATUS_OK;
}

static enum status next_branch(struct compiler *compiler, bool last) {
  struct brace *brace = &compiler->braces[compiler->depth - 1];
  if (brace->branches == BRANCHES_MAX) {
    return error_set(compiler->error, STATUS_INVALID, "more than %d branches in the pattern's {..}", BRANCHES_MAX);
  }
  brace->jumps[brace->branches++] = emit(compiler, (struct grouping_glob_step){.kind = STEP_JUMP});
  compiler->steps[brace->split].other = compiler->count;
  if (!last) {
    brace->split =
        emit(compiler, (struct grouping_glob_step){.kind = STEP_SPLIT, .first = (uint16_t)(compiler->count + 1)});
    return STATUS_OK;
  }
  emit(compiler, (struct grouping_glob_step){.kind = STEP_FAIL});
  for (uint32_t i = 0; i < brace->branches; i++) compiler->steps[brace->jumps[i]].first = compiler->count;
  compiler->depth--;
  return STATUS_OK;
}

static enum status compile_program(struct compiler *compiler) {
  enum status status = STATUS_OK;
  while (compiler->at < compiler->pattern.len && status == STATUS_OK) {
    uint8_t c = compiler->pattern.ptr[compiler->at++];
    if (c == '*') {
      compile_star(compiler);
    } else if (c == '?') {
      emit(compiler, (struct grouping_glob_step){.kind = compiler->path ? STEP_ANY_BUT_SLASH : STEP_ANY});
    } else if (c == '[') {
      status = compile_set(compiler);
    } else if (c == '{') {
      status = open_brace(compiler);
    } else if (c == '}' && compiler->depth == 0) {
      status = error_set(compiler->error, STATUS_INVALID, "'}' without '{' in the pattern");
    } else if (c == '}' || (c == ',' && compiler->depth > 0)) {
      status = next_branch(compiler, c == '}');
    } else if (c == '\\') {
      int next = peek(compiler, 0);
      if (next == -1) return error_set(compiler->error, STATUS_INVALID, "the pattern ends with a lone '\\'");
      compiler->at++;
      emit_byte(compiler, (uint8_t)next);
    } else {
      emit_byte(compiler, c);
    }
  }
  if (status == STATUS_OK && compiler->depth > 0) {
    status = error_set(compiler->error, STATUS_INVALID, "'{' is never closed in the pattern");
  }
  emit(compiler, (struct grouping_glob_step){.kind = STEP_MATCH});
  return status;
}

static bool is_special(uint8_t c) {
  return c != 0 && strchr("*?[]{}\\", c) != NULL;
}

static bool is_literal(struct slice text) {
  for (size_t i = 0; i < text.len; i++) {
    if (is_special(text.ptr[i])) return false;
  }
  return true;
}

// A shape that `literal` alone decides, or GENERAL.
static enum grouping_glob_shape find_shape(struct slice pattern, bool path, struct slice *out_literal) {
  *out_literal = pattern;
  if (is_literal(pattern)) return GROUPING_GLOB_EXACT;
  if (pattern.len > 6 && slice_starts_with(pattern, SLICE_LITERAL("**/")) &&
      slice_ends_with(pattern, SLICE_LITERAL("/**")) && is_literal(slice_sub(pattern, 3, pattern.len - 6))) {
    *out_literal = slice_sub(pattern, 2, pattern.len - 4);
    return GROUPING_GLOB_DIRECTORY;
  }
  if (pattern.len > 3 && slice_ends_with(pattern, SLICE_LITERAL("/**")) &&
      is_literal(slice_sub(pattern, 0, pattern.len - 3))) {
    *out_literal = slice_sub(pattern, 0, pattern.len - 2);
    return GROUPING_GLOB_PREFIX;
  }
  if (path) return GROUPING_GLOB_GENERAL;
  bool before = pattern.ptr[0] == '*', after = pattern.len > 1 && pattern.ptr[pattern.len - 1] == '*';
  struct slice inner = slice_sub(pattern, before, pattern.len - before - after);
  if ((!before && !after) || !is_literal(inner)) return GROUPING_GLOB_GENERAL;
  *out_literal = inner;
  if (before && after) return GROUPING_GLOB_CONTAINS;
  return before ? GROUPING_GLOB_SUFFIX : GROUPING_GLOB_PREFIX;
}

// The place behind a set that opens at `at`; the pattern is known to be valid.
static size_t skip_set(struct slice pattern, size_t at) {
  at++;
  if (pattern.ptr[at] == '!' || pattern.ptr[at] == '^') at++;
  at++; // the first byte is never the end
  while (pattern.ptr[at] != ']') at++;
  return at + 1;
}

// The longest run of plain bytes outside brackets and braces: it is in every text that matches.
static struct slice required_literal(struct slice pattern, struct arena *arena) {
  uint8_t run[GROUPING_GLOB_BYTES_MAX];
  struct slice best = {0};
  size_t depth = 0, len = 0;
  for (size_t at = 0; at <= pattern.len;) {
    uint8_t c = at < pattern.len ? pattern.ptr[at] : '*';
    bool escaped = c == '\\';
    if (escaped || (!is_special(c) && c != '/')) {
      if (depth == 0) run[len++] = escaped ? pattern.ptr[at + 1] : c;
      at += escaped ? 2 : 1;
      continue;
    }
    if (len > best.len) best = arena_copy(arena, slice_make(run, len));
    len = 0;
    if (c == '{') depth++;
    if (c == '}') depth--;
    at = c == '[' ? skip_set(pattern, at) : at + 1;
  }
  return best;
}

uint64_t grouping_glob_bytes(struct slice text) {
  uint64_t bytes = 0;
  for (size_t i = 0; i < text.len; i++) bytes |= UINT64_C(1) << (text.ptr[i] & 63);
  return bytes;
}

enum status grouping_glob_compile(struct slice pattern, bool path, struct arena *arena, struct grouping_glob *out_glob,
                                  struct error *error) {
  if (pattern.len > GROUPING_GLOB_BYTES_MAX) {
    return error_set(error, STATUS_TOO_LARGE, "pattern longer than %d bytes", GROUPING_GLOB_BYTES_MAX);
  }
  struct grouping_glob glob = {0};
  pattern = arena_copy(arena, pattern);
  if (pattern.ptr == NULL) return STATUS_NO_MEMORY;
  glob.shape = find_shape(pattern, path, &glob.literal);
  if (glob.shape == GROUPING_GLOB_GENERAL) {
    struct grouping_glob_step steps[STEPS_MAX];
    struct compiler compiler = {.pattern = pattern, .path = path, .arena = arena, .error = error, .steps = steps};
    enum status status = compile_program(&compiler);
    if (status != STATUS_OK) return status;
    struct grouping_glob_step *kept = arena_alloc_array(arena, compiler.count, sizeof(*kept));
    if (kept == NULL) return STATUS_NO_MEMORY;
    memcpy(kept, steps, compiler.count * sizeof(*kept));
    glob.steps = kept;
    glob.step_count = compiler.count;
    glob.literal = required_literal(pattern, arena);
  }
  glob.bytes = grouping_glob_bytes(glob.literal);
  if (arena_exhausted(arena)) return STATUS_NO_MEMORY;
  *out_glob = glob;
  return STATUS_OK;
}

// The steps that wait for a byte (or MATCH), each once.
struct places {
  uint16_t steps[STEPS_MAX];
  uint32_t count;
};

// Adds `step` and everything reachable from it without a byte. seen[] holds the mark of the last text position a step
// was added at.
static void add_places(const struct grouping_glob *glob, struct places *places, uint16_t step, uint32_t mark,
                       uint32_t *seen) {
  uint16_t waiting[STEPS_MAX];
  uint32_t count = 0;
  waiting[count++] = step;
  while (count > 0) {
    uint16_t here = waiting[--count];
    if (seen[here] == mark) continue;
    seen[here] = mark;
    const struct grouping_glob_step *at = &glob->steps[here];
    if (at->kind == STEP_SPLIT) waiting[count++] = at->other;
    if (at->kind == STEP_SPLIT || at->kind == STEP_JUMP) {
      waiting[count++] = at->first;
    } else if (at->kind != STEP_FAIL) {
      places->steps[places->count++] = here;
    }
  }
}

static bool step_takes(const struct grouping_glob_step *step, uint8_t byte) {
  switch (step->kind) {
  case STEP_BYTE: return step->byte == byte;
  case STEP_ANY: return true;
  case STEP_ANY_BUT_SLASH: return byte != '/';
  case STEP_SET: return ((step->set[byte / 8] >> byte % 8 & 1) != 0) != step->negated;
  default: return false;
  }
}

static bool run_program(const struct grouping_glob *glob, struct slice text) {
  struct places halves[2];
  uint32_t seen[STEPS_MAX];
  memset(seen, 0, glob->step_count * sizeof(seen[0]));
  struct places *here = &halves[0], *next = &halves[1];
  here->count = 0;
  add_places(glob, here, 0, 1, seen);
  for (size_t at = 0; at < text.len && here->count > 0; at++) {
    next->count = 0;
    for (uint32_t i = 0; i < here->count; i++) {
      uint16_t step = here->steps[i];
      if (step_takes(&glob->steps[step], text.ptr[at])) {
        add_places(glob, next, (uint16_t)(step + 1), (uint32_t)at + 2, seen);
      }
    }
    struct places *swap = here;
    here = next;
    next = swap;
  }
  for (uint32_t i = 0; i < here->count; i++) {
    if (glob->steps[here->steps[i]].kind == STEP_MATCH) return true;
  }
  return false;
}

bool grouping_glob_match(const struct grouping_glob *glob, struct slice text) {
  switch (glob->shape) {
  case GROUPING_GLOB_EXACT: return slice_equal(text, glob->literal);
  case GROUPING_GLOB_PREFIX: return slice_starts_with(text, glob->literal);
  case GROUPING_GLOB_SUFFIX: return slice_ends_with(text, glob->literal);
  case GROUPING_GLOB_CONTAINS: return slice_find(text, glob->literal) <= text.len;
  case GROUPING_GLOB_DIRECTORY:
    return slice_starts_with(text, slice_skip(glob->literal, 1)) || slice_find(text, glob->literal) <= text.len;
  case GROUPING_GLOB_GENERAL: break;
  }
  if (slice_find(text, glob->literal) > text.len) return false;
  return run_program(glob, text);
}
