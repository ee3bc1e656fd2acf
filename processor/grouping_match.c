// SPDX-License-Identifier: Apache-2.0
//
// Three ideas keep some 300 rules on 50 frames at a few microseconds:
//
// 1. Rules ask the same questions. Each distinct (field, pattern) is an atom; a frame's function, module, package and
// path
//    are looked up once in an index (hash table for exact patterns, buckets by first byte for prefixes, a list for the
//    rest), one index per family, so a Python frame never meets the native patterns.
// 2. The answers are kept the other way round: one set of bits over the frames for each atom. A rule is the
// intersection
//    of its atoms' sets, its neighbours' being shifted by one, so it costs a word or two whatever the number of frames.
// 3. Only category and app change while rules run. Categories are numbered, which of their atoms match is a table, and
// a
//    frame that changes category moves its bit in those sets.
//
//   atom sets   function:std::*   0 0 1 1 0 …   (one bit a frame, outermost first)
//               category:system   1 0 0 1 0 …   moves while rules run
//   rule        AND of both       0 0 0 1 0 …
#include "processor/grouping_match.h"

#include "base/hash.h"
#include "processor/grouping_text.h"

#define CATEGORY_NONE  UINT16_MAX
#define CATEGORY_OTHER (UINT16_MAX - 1) // came with the event, no rule names it
#define FAMILIES       3

struct field_index {
  uint16_t *exact; // atom + 1, open addressing; NULL when there are none
  uint32_t exact_mask;
  uint16_t *prefixes; // sorted by first byte
  uint16_t prefix_starts[257];
  uint16_t *others;
  uint32_t other_count;
  uint16_t *atoms; // all of them
  uint32_t atom_count;
};

struct grouping_index {
  const struct grouping_rules *rules;
  struct field_index fields[FAMILIES][GROUPING_FIELDS_INDEXED];
  uint16_t *category_atoms;
  uint32_t category_atom_count;
  bool *category_matches; // [category][category atom]
};

static int family_number(enum grouping_family family) {
  return family == GROUPING_FAMILY_NATIVE ? 0 : family == GROUPING_FAMILY_JAVASCRIPT ? 1 : 2;
}

static bool is_prefix(const struct grouping_atom *atom) {
  return atom->glob.shape == GROUPING_GLOB_PREFIX && atom->glob.literal.len > 0;
}

static void add_exact(const struct grouping_rules *rules, struct field_index *index, uint16_t atom) {
  uint32_t slot = (uint32_t)hash_xxh3(rules->atoms[atom].glob.literal) & index->exact_mask;
  while (index->exact[slot] != 0) slot = (slot + 1) & index->exact_mask;
  index->exact[slot] = (uint16_t)(atom + 1);
}

static enum status build_field(const struct grouping_rules *rules, enum grouping_field field, uint8_t family,
                               struct field_index *index) {
  uint32_t exact = 0, prefixes = 0, others = 0;
  for (uint32_t i = 0; i < rules->atom_count; i++) {
    const struct grouping_atom *atom = &rules->atoms[i];
    if (atom->field != field || (atom->families & family) == 0) continue;
    if (atom->glob.shape == GROUPING_GLOB_EXACT) {
      exact++;
    } else if (is_prefix(atom)) {
      prefixes++;
      index->prefix_starts[atom->glob.literal.ptr[0] + 1]++;
    } else {
      others++;
    }
  }
  uint32_t slots = 4;
  while (slots < exact * 2) slots *= 2;
  index->exact_mask = slots - 1;
  index->exact = arena_alloc_array(rules->arena, slots, sizeof(*index->exact));
  index->prefixes = arena_alloc_array(rules->arena, prefixes, sizeof(*index->prefixes));
  index->others = arena_alloc_array(rules->arena, others, sizeof(*index->others));
  index->atoms = arena_alloc_array(rules->arena, (size_t)exact + prefixes + others, sizeof(*index->atoms));
  if (!index->exact || !index->prefixes || !index->others || !index->atoms) return STATUS_NO_MEMORY;
  for (int byte = 0; byte < 256; byte++) {
    index->prefix_starts[byte + 1] = (uint16_t)(index->prefix_starts[byte + 1] + index->prefix_starts[byte]);
  }
  uint16_t filled[256] = {0};
  for (uint32_t i = 0; i < rules->atom_count; i++) {
    const struct grouping_atom *atom = &rules->atoms[i];
    if (atom->field != field || (atom->families & family) == 0) continue;
    index->atoms[index->atom_count++] = (uint16_t)i;
    if (atom->glob.shape == GROUPING_GLOB_EXACT) {
      add_exact(rules, index, (uint16_t)i);
    } else if (is_prefix(atom)) {
      uint8_t first = atom->glob.literal.ptr[0];
      index->prefixes[index->prefix_starts[first] + filled[first]++] = (uint16_t)i;
    } else {
      index->others[index->other_count++] = (uint16_t)i;
    }
  }
  return STATUS_OK;
}

static enum status build_categories(struct grouping_index *index) {
  const struct grouping_rules *rules = index->rules;
  index->category_atoms = arena_alloc_array(rules->arena, rules->atom_count, sizeof(*index->category_atoms));
  if (index->category_atoms == NULL) return STATUS_NO_MEMORY;
  for (uint32_t i = 0; i < rules->atom_count; i++) {
    if (rules->atoms[i].field == GROUPING_FIELD_CATEGORY) {
      index->category_atoms[index->category_atom_count++] = (uint16_t)i;
    }
  }
  index->category_matches = arena_alloc_array(rules->arena, rules->category_count,
                                              index->category_atom_count * sizeof(*index->category_matches));
  if (index->category_matches == NULL) return STATUS_NO_MEMORY;
  for (uint32_t c = 0; c < rules->category_count; c++) {
    for (uint32_t i = 0; i < index->category_atom_count; i++) {
      const struct grouping_glob *glob = &rules->atoms[index->category_atoms[i]].glob;
      index->category_matches[c * index->category_atom_count + i] = grouping_glob_match(glob, rules->categories[c]);
    }
  }
  return STATUS_OK;
}

enum status grouping_index_create(const struct grouping_rules *rules, struct grouping_index **out_index) {
  static const uint8_t families[FAMILIES] = {GROUPING_FAMILY_NATIVE, GROUPING_FAMILY_JAVASCRIPT, GROUPING_FAMILY_OTHER};
  struct grouping_index *index = arena_alloc(rules->arena, sizeof(*index));
  if (index == NULL) return STATUS_NO_MEMORY;
  index->rules = rules;
  for (int family = 0; family < FAMILIES; family++) {
    for (int field = 0; field < GROUPING_FIELDS_INDEXED; field++) {
      enum status status =
          build_field(rules, (enum grouping_field)field, families[family], &index->fields[family][field]);
      if (status != STATUS_OK) return status;
    }
  }
  enum status status = build_categories(index);
  if (status == STATUS_OK) *out_index = index;
  return status;
}

static void set_bit(uint64_t *set, uint32_t i) {
  set[i / 64] |= UINT64_C(1) << i % 64;
}

static void clear_bit(uint64_t *set, uint32_t i) {
  set[i / 64] &= ~(UINT64_C(1) << i % 64);
}

static bool has_bit(const uint64_t *set, uint32_t i) {
  return (set[i / 64] >> i % 64 & 1) != 0;
}

static uint64_t *atom_set(const struct grouping_stack *stack, uint32_t atom) {
  return stack->atom_sets + (size_t)atom * stack->words;
}

// Sets frame i's bit in every atom that matches text. again: the same text with a slash put in front.
static void look_up(struct grouping_stack *stack, uint32_t i, enum grouping_field field, struct slice text,
                    bool again) {
  const struct grouping_atom *atoms = stack->index->rules->atoms;
  const struct field_index *index = &stack->index->fields[family_number(stack->frames[i].family)][field];
  uint32_t slot = (uint32_t)hash_xxh3(text) & index->exact_mask;
  for (; index->exact[slot] != 0; slot = (slot + 1) & index->exact_mask) {
    uint16_t atom = (uint16_t)(index->exact[slot] - 1);
    if (slice_equal(atoms[atom].glob.literal, text)) set_bit(atom_set(stack, atom), i);
  }
  uint8_t first = text.ptr[0];
  for (uint32_t at = index->prefix_starts[first]; at < index->prefix_starts[first + 1]; at++) {
    uint16_t atom = index->prefixes[at];
    if (slice_starts_with(text, atoms[atom].glob.literal)) set_bit(atom_set(stack, atom), i);
  }
  uint64_t bytes = index->other_count > 0 ? grouping_glob_bytes(text) : 0;
  for (uint32_t at = 0; at < index->other_count; at++) {
    uint16_t atom = index->others[at];
    if ((atoms[atom].glob.bytes & ~bytes) != 0) continue;
    if (again && atoms[atom].glob.shape == GROUPING_GLOB_DIRECTORY) continue; // saw through that already
    if (grouping_glob_match(&atoms[atom].glob, text)) set_bit(atom_set(stack, atom), i);
  }
}

// Frames next to each other often have the same path: its bits are copied then.
static void copy_bits(struct grouping_stack *stack, uint32_t from, uint32_t to, enum grouping_field field) {
  const struct field_index *index = &stack->index->fields[family_number(stack->frames[to].family)][field];
  for (uint32_t at = 0; at < index->atom_count; at++) {
    uint64_t *set = atom_set(stack, index->atoms[at]);
    if (has_bit(set, from)) set_bit(set, to);
  }
}

static struct slice path_of(const struct sentry_frame *frame) {
  return frame->abs_path.len > 0 ? frame->abs_path : frame->filename;
}

static bool look_up_path(struct grouping_stack *stack, uint32_t i, enum grouping_field field, struct slice path) {
  if (path.len == 0) return true;
  if (i > 0 && stack->frames[i - 1].family == stack->frames[i].family) {
    const struct sentry_frame *before = stack->frames[i - 1].frame;
    if (slice_equal(field == GROUPING_FIELD_PATH ? path_of(before) : before->package, path)) {
      copy_bits(stack, i - 1, i, field);
      return true;
    }
  }
  uint8_t *slashed = arena_alloc(stack->arena, path.len + 1);
  if (slashed == NULL) return false;
  slashed[0] = '/';
  grouping_text_lower_into(path, true, slashed + 1);
  look_up(stack, i, field, slice_make(slashed + 1, path.len), false);
  if (slashed[1] != '/') look_up(stack, i, field, slice_make(slashed, path.len + 1), true);
  return true;
}

static void set_category(struct grouping_stack *stack, uint32_t i, uint16_t category) {
  const struct grouping_index *index = stack->index;
  if (stack->frames[i].category == category) return;
  stack->frames[i].category = category;
  const bool *matches = index->category_matches + (size_t)category * index->category_atom_count;
  for (uint32_t at = 0; at < index->category_atom_count; at++) {
    uint64_t *set = atom_set(stack, index->category_atoms[at]);
    if (matches[at]) {
      set_bit(set, i);
    } else {
      clear_bit(set, i);
    }
  }
}

static void start_category(struct grouping_stack *stack, uint32_t i, struct slice category) {
  const struct grouping_index *index = stack->index;
  stack->frames[i].category = CATEGORY_NONE;
  if (category.len == 0) return;
  for (uint32_t c = 0; c < index->rules->category_count; c++) {
    if (slice_equal(index->rules->categories[c], category)) {
      set_category(stack, i, (uint16_t)c);
      return;
    }
  }
  stack->frames[i].category = CATEGORY_OTHER;
  for (uint32_t at = 0; at < index->category_atom_count; at++) {
    uint16_t atom = index->category_atoms[at];
    if (grouping_glob_match(&index->rules->atoms[atom].glob, category)) set_bit(atom_set(stack, atom), i);
  }
}

// "?" is no name; a name that was trimmed before stays as it is.
static void trim_function(struct sentry_frame *frame, struct slice platform, struct arena *arena) {
  if (slice_equal_cstr(frame->function, "?")) frame->function = (struct slice){0};
  if (frame->raw_function.len > 0 || frame->function.len == 0) return;
  struct slice trimmed = grouping_trim_function(frame->function, platform, arena);
  if (slice_equal(trimmed, frame->function)) return;
  frame->raw_function = frame->function;
  frame->function = trimmed;
}

static bool prepare_frame(struct grouping_stack *stack, uint32_t i, struct sentry_frame *frame, struct slice platform) {
  struct grouping_frame *facts = &stack->frames[i];
  facts->frame = frame;
  facts->platform = frame->platform.len > 0 ? frame->platform : platform;
  facts->family = grouping_family_of(facts->platform);
  stack->families |= (uint8_t)facts->family;
  set_bit(stack->family_sets + (size_t)family_number(facts->family) * stack->words, i);
  trim_function(frame, facts->platform, stack->arena);
  if (frame->in_app == SENTRY_IN_APP_YES) set_bit(stack->app_set, i);
  struct slice function = frame->function.len > 0 ? frame->function : SLICE_LITERAL("<unknown>");
  look_up(stack, i, GROUPING_FIELD_FUNCTION, function, false);
  if (frame->module.len > 0) look_up(stack, i, GROUPING_FIELD_MODULE, frame->module, false);
  start_category(stack, i, frame->category);
  return look_up_path(stack, i, GROUPING_FIELD_PACKAGE, frame->package) &&
         look_up_path(stack, i, GROUPING_FIELD_PATH, path_of(frame));
}

static bool matches_exception(const struct grouping_stack *stack, const struct grouping_matcher *matcher) {
  struct slice text = {0};
  if (stack->exception != NULL) {
    text = matcher->field == GROUPING_FIELD_TYPE    ? stack->exception->type
           : matcher->field == GROUPING_FIELD_VALUE ? stack->exception->value
                                                    : stack->exception->mechanism_type;
  }
  if (text.len == 0) text = SLICE_LITERAL("<unknown>");
  return grouping_glob_match(&stack->index->rules->atoms[matcher->atom].glob, text) != matcher->negated;
}

// Word w of the set of frames that match.
static uint64_t matcher_word(const struct grouping_stack *stack, const struct grouping_matcher *matcher, uint32_t w) {
  uint64_t word = 0;
  switch (matcher->field) {
  case GROUPING_FIELD_FAMILY:
    for (uint32_t family = 0; family < FAMILIES; family++) {
      if ((matcher->families >> family & 1) != 0) word |= stack->family_sets[family * stack->words + w];
    }
    break;
  case GROUPING_FIELD_APP:
    if (matcher->app == 1) word = stack->app_set[w];
    if (matcher->app == 0) word = ~stack->app_set[w];
    break;
  case GROUPING_FIELD_TYPE:
  case GROUPING_FIELD_VALUE:
  case GROUPING_FIELD_MECHANISM: return matches_exception(stack, matcher) ? ~UINT64_C(0) : 0;
  default: word = atom_set(stack, matcher->atom)[w]; break;
  }
  return matcher->negated ? ~word : word;
}

// Fills rule_set; false when no frame matches.
static bool match_rule(struct grouping_stack *stack, const struct grouping_rule *rule) {
  if ((rule->families & stack->families) == 0) return false;
  uint64_t any = 0;
  for (uint32_t w = 0; w < stack->words; w++) {
    uint32_t left = stack->count - w * 64;
    uint64_t word = left >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << left) - 1;
    for (uint32_t i = 0; i < rule->matcher_count && word != 0; i++) word &= matcher_word(stack, &rule->matchers[i], w);
    if (rule->caller != NULL && word != 0) { // the frame before
      uint64_t carry = w > 0 ? matcher_word(stack, rule->caller, w - 1) >> 63 : 0;
      word &= matcher_word(stack, rule->caller, w) << 1 | carry;
    }
    if (rule->callee != NULL && word != 0) { // the frame behind
      bool last = w + 1 == stack->words;
      uint64_t carry = last ? 0 : matcher_word(stack, rule->callee, w + 1) << 63;
      word &= matcher_word(stack, rule->callee, w) >> 1 | carry;
      if (last) word &= ~(UINT64_C(1) << (stack->count - 1) % 64); // has none
    }
    stack->rule_set[w] = word;
    any |= word;
  }
  return any != 0;
}

// The frames an action reaches from frame i: [*out_from, *out_to).
static void reach(const struct grouping_stack *stack, const struct grouping_action *action, uint32_t i,
                  uint32_t *out_from, uint32_t *out_to) {
  *out_from = action->range == GROUPING_RANGE_FRAME ? i : action->range == GROUPING_RANGE_UP ? i + 1 : 0;
  *out_to = action->range == GROUPING_RANGE_FRAME ? i + 1 : action->range == GROUPING_RANGE_UP ? stack->count : i;
}

static struct slice action_text(const struct grouping_stack *stack, const struct grouping_action *action) {
  static const char *const variables[] = {[GROUPING_MAX_FRAMES] = "max-frames",
                                          [GROUPING_MIN_FRAMES] = "min-frames",
                                          [GROUPING_INVERT_STACKTRACE] = "invert-stacktrace"};
  switch (action->kind) {
  case GROUPING_ACTION_APP: return action->flag ? SLICE_LITERAL("+app") : SLICE_LITERAL("-app");
  case GROUPING_ACTION_GROUP: return action->flag ? SLICE_LITERAL("+group") : SLICE_LITERAL("-group");
  case GROUPING_ACTION_CATEGORY: {
    struct slice category = stack->index->rules->categories[action->category];
    return arena_printf(stack->arena, "category=%.*s", SLICE_PRINTF(category));
  }
  case GROUPING_ACTION_VARIABLE: break;
  }
  return arena_printf(stack->arena, "%s=%u", variables[action->variable], action->value);
}

// What the running rule did to a frame, or to the whole stack trace.
static void tell(const struct grouping_stack *stack, const struct grouping_action *action,
                 const struct sentry_frame *frame) {
  if (stack->watcher == NULL) return;
  const struct grouping_rules *rules = stack->index->rules;
  const struct grouping_effect effect = {.frame = frame,
                                         .action = action_text(stack, action),
                                         .rule = stack->rule->text,
                                         .line = stack->rule->line,
                                         .builtin = stack->rule < rules->rules + rules->builtin_count};
  stack->watcher->on_effect(stack->watcher->context, &effect);
}

static void mark(struct grouping_stack *stack, const struct grouping_action *action, uint32_t i) {
  if (action->kind == GROUPING_ACTION_CATEGORY) {
    set_category(stack, i, action->category);
    tell(stack, action, stack->frames[i].frame);
  }
  if (action->kind != GROUPING_ACTION_APP) return;
  uint32_t from, to;
  reach(stack, action, i, &from, &to);
  for (uint32_t at = from; at < to; at++) {
    struct sentry_frame *frame = stack->frames[at].frame;
    enum sentry_in_app in_app = action->flag ? SENTRY_IN_APP_YES : SENTRY_IN_APP_NO;
    stack->frames[at].in_app_changed |= frame->in_app != in_app;
    frame->in_app = in_app;
    tell(stack, action, frame);
    if (action->flag) {
      set_bit(stack->app_set, at);
    } else {
      clear_bit(stack->app_set, at);
    }
  }
}

// The next frame of rule_set at or after `from`; count when there is none.
static uint32_t next_match(const struct grouping_stack *stack, uint32_t from) {
  for (uint32_t w = from / 64; w < stack->words; w++) {
    uint64_t word = stack->rule_set[w];
    if (w == from / 64) word &= ~UINT64_C(0) << from % 64;
    if (word != 0) return w * 64 + (uint32_t)__builtin_ctzll(word);
  }
  return stack->count;
}

enum status grouping_stack_mark(const struct grouping_index *index, struct sentry_stacktrace *trace,
                                const struct grouping_subject *subject, struct arena *arena,
                                struct grouping_stack *out_stack) {
  const struct grouping_rules *rules = index->rules;
  struct grouping_stack stack = {.index = index,
                                 .exception = subject->exception,
                                 .count = trace->frame_count,
                                 .arena = arena,
                                 .watcher = subject->watcher};
  stack.words = (stack.count + 63) / 64;
  size_t set_bytes = stack.words * sizeof(uint64_t);
  stack.frames = arena_alloc_array(arena, stack.count, sizeof(*stack.frames));
  stack.atom_sets = arena_alloc_array(arena, (size_t)rules->atom_count + FAMILIES + 2, set_bytes);
  if (stack.frames == NULL || stack.atom_sets == NULL) return STATUS_NO_MEMORY;
  stack.family_sets = stack.atom_sets + (size_t)rules->atom_count * stack.words;
  stack.app_set = stack.family_sets + (size_t)FAMILIES * stack.words;
  stack.rule_set = stack.app_set + stack.words;
  for (uint32_t i = 0; i < stack.count; i++) {
    if (!prepare_frame(&stack, i, &trace->frames[i], subject->platform)) return STATUS_NO_MEMORY;
  }
  for (uint32_t r = 0; r < rules->rule_count && stack.count > 0; r++) {
    const struct grouping_rule *rule = &rules->rules[r];
    if (!rule->marks || !match_rule(&stack, rule)) continue;
    stack.rule = rule;
    for (uint32_t i = next_match(&stack, 0); i < stack.count; i = next_match(&stack, i + 1)) {
      for (uint32_t a = 0; a < rule->action_count; a++) mark(&stack, &rule->actions[a], i);
    }
  }
  for (uint32_t i = 0; i < stack.count; i++) {
    if (trace->frames[i].in_app == SENTRY_IN_APP_UNSET) trace->frames[i].in_app = SENTRY_IN_APP_NO;
  }
  if (arena_exhausted(arena)) return STATUS_NO_MEMORY;
  *out_stack = stack;
  return STATUS_OK;
}

static void group(struct grouping_stack *stack, const struct grouping_action *action, uint32_t i,
                  struct grouping_component *frames) {
  uint32_t from, to;
  reach(stack, action, i, &from, &to);
  for (uint32_t at = from; at < to; at++) {
    if (action->kind == GROUPING_ACTION_GROUP && frames[at].contributes != action->flag) {
      frames[at].contributes = action->flag;
      frames[at].hint = action->hint;
      tell(stack, action, stack->frames[at].frame);
    } else if (action->kind == GROUPING_ACTION_APP && stack->frames[at].in_app_changed && frames[at].hint == NULL) {
      frames[at].hint = action->hint;
    }
  }
}

void grouping_stack_group(struct grouping_stack *stack, struct grouping_component *frames, uint32_t *out_min_frames) {
  const struct grouping_rules *rules = stack->index->rules;
  uint32_t variables[GROUPING_VARIABLES] = {0};
  for (uint32_t r = 0; r < rules->rule_count && stack->count > 0; r++) {
    const struct grouping_rule *rule = &rules->rules[r];
    if (!rule->groups || !match_rule(stack, rule)) continue;
    stack->rule = rule;
    for (uint32_t i = next_match(stack, 0); i < stack->count; i = next_match(stack, i + 1)) {
      for (uint32_t a = 0; a < rule->action_count; a++) {
        const struct grouping_action *action = &rule->actions[a];
        if (action->kind == GROUPING_ACTION_VARIABLE) {
          variables[action->variable] = action->value;
          tell(stack, action, NULL);
        } else if (action->kind != GROUPING_ACTION_CATEGORY) {
          group(stack, action, i, frames);
        }
      }
    }
  }
  *out_min_frames = variables[GROUPING_MIN_FRAMES];
  uint32_t kept = 0;
  for (uint32_t i = stack->count; i-- > 0 && variables[GROUPING_MAX_FRAMES] > 0;) {
    if (!frames[i].contributes || ++kept <= variables[GROUPING_MAX_FRAMES]) continue;
    frames[i].contributes = false;
    frames[i].hint = "ignored because of the frame limit of a stack trace rule";
  }
}
