// SPDX-License-Identifier: Apache-2.0
//
// One rule a line:
//
//   [ matcher ] | matcher… | [ matcher ]   action…
//   ^ the caller's frame     ^ the callee's frame
//
//   matcher  = ["!"] key ":" word          action = ["^" or "v"] ("+" or "-") ("app" or "group")
//   word     = "quoted" or up to a blank            max-frames=n  min-frames=n  invert-stacktrace=n  category=x
//
// "#" starts a comment line. "prefix" and "sentinel" beside app and group are read and do nothing, as in Sentry today.
#include "processor/grouping_rules.h"

#include "processor/grouping_function.h"
#include "processor/grouping_text.h"

#define MATCHERS_KNOWN "function, module, package, path, category, family, type, value, mechanism, app"
#define ACTIONS_KNOWN  "+app, -app, +group, -group, category=, max-frames=, min-frames=, invert-stacktrace="

struct reader {
  struct grouping_rules *rules;
  struct slice line;
  size_t at, token; // token: where that began which a failure is about
  struct error *error;
};

static const struct {
  const char *key;
  enum grouping_field field;
} keys[] = {
    {"stack.function", GROUPING_FIELD_FUNCTION},
    {"function", GROUPING_FIELD_FUNCTION},
    {"stack.module", GROUPING_FIELD_MODULE},
    {"module", GROUPING_FIELD_MODULE},
    {"stack.package", GROUPING_FIELD_PACKAGE},
    {"package", GROUPING_FIELD_PACKAGE},
    {"stack.abs_path", GROUPING_FIELD_PATH},
    {"path", GROUPING_FIELD_PATH},
    {"category", GROUPING_FIELD_CATEGORY},
    {"family", GROUPING_FIELD_FAMILY},
    {"error.type", GROUPING_FIELD_TYPE},
    {"type", GROUPING_FIELD_TYPE},
    {"error.value", GROUPING_FIELD_VALUE},
    {"value", GROUPING_FIELD_VALUE},
    {"error.mechanism", GROUPING_FIELD_MECHANISM},
    {"mechanism", GROUPING_FIELD_MECHANISM},
    {"app", GROUPING_FIELD_APP},
    {"stack.app", GROUPING_FIELD_APP},
};

// Room for one more element; NULL without memory.
static void *grow(struct arena *arena, void *list, uint32_t count, uint32_t *capacity, size_t bytes) {
  if (count < *capacity) return list;
  uint32_t wanted = *capacity == 0 ? 64 : *capacity * 2;
  void *grown = arena_alloc_array(arena, wanted, bytes);
  if (grown == NULL) return NULL;
  if (count > 0) memcpy(grown, list, count * bytes);
  *capacity = wanted;
  return grown;
}

static bool is_blank(uint8_t c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

static void skip_blanks(struct reader *reader) {
  while (reader->at < reader->line.len && is_blank(reader->line.ptr[reader->at])) reader->at++;
}

static void begin_token(struct reader *reader) {
  skip_blanks(reader);
  reader->token = reader->at;
}

static enum status expected(struct reader *reader, const char *what) {
  begin_token(reader);
  return error_set(reader->error, STATUS_INVALID, "expected %s", what);
}

static int peek(const struct reader *reader, size_t ahead) {
  return reader->at + ahead < reader->line.len ? reader->line.ptr[reader->at + ahead] : -1;
}

static bool take(struct reader *reader, uint8_t c) {
  skip_blanks(reader);
  if (peek(reader, 0) != c) return false;
  reader->at++;
  return true;
}

int8_t grouping_rules_bool(struct slice text) {
  static const char *const words[][3] = {{"0", "no", "false"}, {"1", "yes", "true"}};
  for (int8_t value = 0; value < 2; value++) {
    for (int i = 0; i < 3; i++) {
      if (slice_equal_ignore_case(text, slice_from_cstr(words[value][i]))) return value;
    }
  }
  return -1;
}

enum status grouping_rules_word(struct slice line, size_t *at, struct arena *arena, struct slice *out_word) {
  size_t start = *at;
  if (start >= line.len || line.ptr[start] != '"') {
    size_t end = start;
    while (end < line.len && !is_blank(line.ptr[end])) end++;
    *out_word = slice_sub(line, start, end - start);
    *at = end;
    return STATUS_OK;
  }
  uint8_t *word = arena_alloc(arena, line.len - start);
  if (word == NULL) return STATUS_NO_MEMORY;
  size_t len = 0, here = start + 1;
  for (; here < line.len && line.ptr[here] != '"'; here++) {
    uint8_t c = line.ptr[here];
    if (c != '\\' || here + 1 == line.len) {
      word[len++] = c;
      continue;
    }
    uint8_t escaped = line.ptr[++here];
    if (escaped == 'n' || escaped == 't' || escaped == 'r') {
      word[len++] = escaped == 'n' ? '\n' : escaped == 't' ? '\t' : '\r';
    } else {
      if (escaped != '"' && escaped != '\\' && escaped != '\'') word[len++] = '\\'; // no escape of ours: both stay
      word[len++] = escaped;
    }
  }
  if (here >= line.len) return STATUS_INVALID;
  *out_word = slice_make(word, len);
  *at = here + 1;
  return STATUS_OK;
}

static bool is_key_byte(int c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '-';
}

static struct slice take_key(struct reader *reader) {
  size_t start = reader->at;
  while (is_key_byte(peek(reader, 0))) reader->at++;
  return slice_sub(reader->line, start, reader->at - start);
}

static enum status find_atom(struct reader *reader, enum grouping_field field, struct slice word, uint16_t *out_atom) {
  struct grouping_rules *rules = reader->rules;
  bool path = field == GROUPING_FIELD_PACKAGE || field == GROUPING_FIELD_PATH;
  if (path) word = grouping_text_lower(word, true, rules->arena);
  for (uint32_t i = 0; i < rules->atom_count; i++) {
    if (rules->atoms[i].field == field && slice_equal(rules->atoms[i].pattern, word)) {
      *out_atom = (uint16_t)i;
      return STATUS_OK;
    }
  }
  if (rules->atom_count == UINT16_MAX) return error_set(reader->error, STATUS_TOO_LARGE, "too many patterns");
  rules->atoms = grow(rules->arena, rules->atoms, rules->atom_count, &rules->atom_capacity, sizeof(*rules->atoms));
  struct slice kept = arena_copy(rules->arena, word);
  if (rules->atoms == NULL || kept.ptr == NULL) return STATUS_NO_MEMORY;
  struct grouping_atom *atom = &rules->atoms[rules->atom_count];
  *atom = (struct grouping_atom){.field = field, .pattern = kept};
  enum status status = grouping_glob_compile(kept, path, rules->arena, &atom->glob, reader->error);
  *out_atom = (uint16_t)rules->atom_count;
  if (status == STATUS_OK) rules->atom_count++;
  return status;
}

static uint8_t read_families(struct slice word) {
  static const struct {
    const char *name;
    uint8_t families;
  } names[] = {{"native", GROUPING_FAMILY_NATIVE},
               {"javascript", GROUPING_FAMILY_JAVASCRIPT},
               {"other", GROUPING_FAMILY_OTHER},
               {"all", GROUPING_FAMILY_ALL}};
  uint8_t families = 0;
  for (size_t at = 0; at <= word.len;) {
    size_t len = slice_find_byte(slice_skip(word, at), ',');
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
      if (slice_equal_cstr(slice_sub(word, at, len), names[i].name)) families |= names[i].families;
    }
    at += len + 1;
  }
  return families;
}

static enum status read_matcher(struct reader *reader, struct grouping_matcher *matcher) {
  *matcher = (struct grouping_matcher){0};
  begin_token(reader);
  matcher->negated = take(reader, '!');
  bool quoted_key = peek(reader, 0) == '"';
  if (quoted_key) reader->at++;
  struct slice key = take_key(reader);
  if (quoted_key && !take(reader, '"')) return error_set(reader->error, STATUS_INVALID, "a quote is never closed");
  if (key.len == 0) return expected(reader, "a matcher like 'function:main' or an action like '-group'");
  size_t found = 0;
  while (found < sizeof(keys) / sizeof(keys[0]) && !slice_equal_cstr(key, keys[found].key)) found++;
  if (found == sizeof(keys) / sizeof(keys[0])) {
    return error_set(reader->error, STATUS_INVALID, "unknown matcher '%.*s'; known are " MATCHERS_KNOWN,
                     SLICE_PRINTF(slice_sub(key, 0, 64)));
  }
  if (peek(reader, 0) != ':') {
    reader->token = reader->at;
    return error_set(reader->error, STATUS_INVALID, "expected ':' behind '%.*s'", SLICE_PRINTF(key));
  }
  reader->at++;
  reader->token = reader->at;
  struct slice word;
  enum status status = grouping_rules_word(reader->line, &reader->at, reader->rules->arena, &word);
  if (status == STATUS_INVALID) return error_set(reader->error, STATUS_INVALID, "a quote is never closed");
  if (status != STATUS_OK) return status;
  if (word.len == 0) {
    return error_set(reader->error, STATUS_INVALID, "'%.*s:' needs a pattern", SLICE_PRINTF(key));
  }
  matcher->field = keys[found].field;
  if (matcher->field == GROUPING_FIELD_FAMILY) {
    matcher->families = read_families(word);
  } else if (matcher->field == GROUPING_FIELD_APP) {
    matcher->app = grouping_rules_bool(word);
  } else {
    return find_atom(reader, matcher->field, word, &matcher->atom);
  }
  return STATUS_OK;
}

// "[ matcher ]", allocated.
static enum status read_neighbour(struct reader *reader, const struct grouping_matcher **out_matcher) {
  struct grouping_matcher *matcher = arena_alloc(reader->rules->arena, sizeof(*matcher));
  if (matcher == NULL) return STATUS_NO_MEMORY;
  enum status status = read_matcher(reader, matcher);
  if (status != STATUS_OK) return status;
  if (!take(reader, ']')) return expected(reader, "']'");
  *out_matcher = matcher;
  return STATUS_OK;
}

static bool at_action(const struct reader *reader) {
  int c = peek(reader, 0), next = peek(reader, 1);
  if (c == '^' || c == '+' || c == '-' || (c == 'v' && (next == '+' || next == '-'))) return true;
  size_t ahead = 0;
  while (is_key_byte(peek(reader, ahead))) ahead++;
  while (peek(reader, ahead) == ' ') ahead++;
  return ahead > 0 && peek(reader, ahead) == '=';
}

static enum status read_category(struct reader *reader, uint8_t *out_category) {
  struct grouping_rules *rules = reader->rules;
  struct slice word;
  enum status status = grouping_rules_word(reader->line, &reader->at, rules->arena, &word);
  if (status != STATUS_OK || word.len == 0) {
    return error_set(reader->error, STATUS_INVALID, "'category=' needs a name");
  }
  for (uint32_t i = 0; i < rules->category_count; i++) {
    if (slice_equal(rules->categories[i], word)) {
      *out_category = (uint8_t)i;
      return STATUS_OK;
    }
  }
  if (rules->category_count == GROUPING_RULES_CATEGORIES_MAX) {
    return error_set(reader->error, STATUS_TOO_LARGE, "more than %d categories", GROUPING_RULES_CATEGORIES_MAX);
  }
  if (rules->categories == NULL) {
    rules->categories = arena_alloc_array(rules->arena, GROUPING_RULES_CATEGORIES_MAX, sizeof(*rules->categories));
  }
  if (rules->categories == NULL) return STATUS_NO_MEMORY;
  rules->categories[rules->category_count] = arena_copy(rules->arena, word);
  *out_category = (uint8_t)rules->category_count++;
  return STATUS_OK;
}

static enum status unknown_action(struct reader *reader, struct slice name) {
  return error_set(reader->error, STATUS_INVALID, "unknown action '%.*s'; known are " ACTIONS_KNOWN,
                   SLICE_PRINTF(slice_sub(name, 0, 64)));
}

static enum status read_variable(struct reader *reader, struct slice name, struct grouping_action *action) {
  static const char *const variables[] = {[GROUPING_MAX_FRAMES] = "max-frames",
                                          [GROUPING_MIN_FRAMES] = "min-frames",
                                          [GROUPING_INVERT_STACKTRACE] = "invert-stacktrace"};
  size_t start = reader->token;
  if (!take(reader, '=')) return expected(reader, "'='");
  begin_token(reader);
  if (slice_equal_cstr(name, "category")) {
    action->kind = GROUPING_ACTION_CATEGORY;
    return read_category(reader, &action->category);
  }
  action->kind = GROUPING_ACTION_VARIABLE;
  for (int i = 0; i < GROUPING_VARIABLES; i++) {
    if (!slice_equal_cstr(name, variables[i])) continue;
    action->variable = (enum grouping_variable)i;
    struct slice word;
    uint64_t value = 0;
    enum status status = grouping_rules_word(reader->line, &reader->at, reader->rules->arena, &word);
    int8_t truth = status == STATUS_OK && i == GROUPING_INVERT_STACKTRACE ? grouping_rules_bool(word) : -1;
    if (truth >= 0) {
      value = (uint64_t)truth;
    } else if (status != STATUS_OK || !slice_to_u64(word, &value) || value > UINT32_MAX) {
      return error_set(reader->error, STATUS_INVALID, "'%s=' needs a number", variables[i]);
    }
    action->value = (uint32_t)value;
    return STATUS_OK;
  }
  reader->token = start;
  return unknown_action(reader, name);
}

// *out_used false: an action of the past that does nothing.
static enum status read_action(struct reader *reader, struct slice matchers, struct grouping_action *action,
                               bool *out_used) {
  *action = (struct grouping_action){0};
  *out_used = true;
  begin_token(reader);
  int c = peek(reader, 0), next = peek(reader, 1);
  if (c == '^' || (c == 'v' && (next == '+' || next == '-'))) {
    action->range = c == '^' ? GROUPING_RANGE_UP : GROUPING_RANGE_DOWN;
    reader->at++;
    c = peek(reader, 0);
  }
  bool flagged = c == '+' || c == '-';
  if (flagged) {
    action->flag = c == '+';
    reader->at++;
  }
  struct slice name = take_key(reader);
  if (!flagged) return read_variable(reader, name, action);
  const char *hint = NULL;
  if (slice_equal_cstr(name, "app")) {
    action->kind = GROUPING_ACTION_APP;
    hint = action->flag ? "marked in-app" : "marked out of app";
  } else if (slice_equal_cstr(name, "group")) {
    action->kind = GROUPING_ACTION_GROUP;
    hint = action->flag ? "un-ignored" : "ignored";
  } else if (slice_equal_cstr(name, "prefix") || slice_equal_cstr(name, "sentinel")) {
    *out_used = false;
    return STATUS_OK;
  } else {
    return unknown_action(reader, name);
  }
  struct slice text = arena_printf(reader->rules->arena, "%s by stack trace rule (%.*s)", hint, SLICE_PRINTF(matchers));
  action->hint = (const char *)text.ptr;
  return text.ptr == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

static bool of_exception(const struct grouping_matcher *matcher) {
  return matcher->field >= GROUPING_FIELD_TYPE && matcher->field <= GROUPING_FIELD_MECHANISM;
}

// What is known of frames the rule can match: the atoms it asks of them need not be looked up for others.
static void note_families(struct grouping_rules *rules, struct grouping_rule *rule) {
  rule->families = GROUPING_FAMILY_ALL;
  for (uint32_t i = 0; i < rule->matcher_count; i++) {
    const struct grouping_matcher *matcher = &rule->matchers[i];
    if (matcher->field == GROUPING_FIELD_FAMILY) {
      rule->families &= matcher->negated ? (uint8_t)(GROUPING_FAMILY_ALL & ~matcher->families) : matcher->families;
    }
  }
  for (uint32_t i = 0; i < rule->matcher_count; i++) {
    if (rule->matchers[i].field < GROUPING_FIELD_FAMILY)
      rules->atoms[rule->matchers[i].atom].families |= rule->families;
  }
  const struct grouping_matcher *neighbours[] = {rule->caller, rule->callee};
  for (int i = 0; i < 2; i++) {
    if (neighbours[i] != NULL && neighbours[i]->field < GROUPING_FIELD_FAMILY) {
      rules->atoms[neighbours[i]->atom].families = GROUPING_FAMILY_ALL;
    }
  }
}

static void *keep(struct grouping_rules *rules, const void *list, uint32_t count, size_t bytes) {
  void *kept = arena_alloc_array(rules->arena, count, bytes);
  if (kept != NULL) memcpy(kept, list, count * bytes);
  return kept;
}

static enum status read_matchers(struct reader *reader, struct grouping_rule *rule) {
  struct grouping_matcher matchers[GROUPING_RULES_MATCHERS_MAX];
  uint16_t count = 0, of_exceptions = 0;
  enum status status = STATUS_OK;
  if (take(reader, '[')) {
    status = read_neighbour(reader, &rule->caller);
    if (status == STATUS_OK && !take(reader, '|')) {
      return expected(reader, "'|'");
    }
  }
  for (;; skip_blanks(reader)) {
    skip_blanks(reader);
    if (status != STATUS_OK) return status;
    if (peek(reader, 0) == -1 || peek(reader, 0) == '|' || at_action(reader)) break;
    if (count == GROUPING_RULES_MATCHERS_MAX) {
      begin_token(reader);
      return error_set(reader->error, STATUS_TOO_LARGE, "more than %d matchers", GROUPING_RULES_MATCHERS_MAX);
    }
    struct grouping_matcher matcher;
    status = read_matcher(reader, &matcher);
    if (status != STATUS_OK) return status;
    uint16_t place = of_exception(&matcher) ? of_exceptions++ : count;
    memmove(&matchers[place + 1], &matchers[place], (size_t)(count - place) * sizeof(matcher));
    matchers[place] = matcher;
    count++;
  }
  if (count == 0) {
    begin_token(reader);
    return error_set(reader->error, STATUS_INVALID, "a rule needs a matcher; known are " MATCHERS_KNOWN);
  }
  if (take(reader, '|')) {
    if (!take(reader, '[')) return expected(reader, "'['");
    status = read_neighbour(reader, &rule->callee);
  }
  rule->matchers = keep(reader->rules, matchers, count, sizeof(matchers[0]));
  rule->matcher_count = count;
  return rule->matchers == NULL ? STATUS_NO_MEMORY : status;
}

static enum status read_rule(struct reader *reader, uint32_t number) {
  struct grouping_rules *rules = reader->rules;
  struct grouping_rule rule = {.line = number};
  enum status status = read_matchers(reader, &rule);
  if (status != STATUS_OK) return status;
  struct slice described = slice_trim(slice_sub(reader->line, 0, reader->at));
  struct grouping_action actions[GROUPING_RULES_ACTIONS_MAX];
  bool any = false;
  for (skip_blanks(reader); peek(reader, 0) != -1; skip_blanks(reader)) {
    if (rule.action_count == GROUPING_RULES_ACTIONS_MAX) {
      begin_token(reader);
      return error_set(reader->error, STATUS_TOO_LARGE, "more than %d actions", GROUPING_RULES_ACTIONS_MAX);
    }
    struct grouping_action *action = &actions[rule.action_count];
    bool used = false;
    status = read_action(reader, described, action, &used);
    if (status != STATUS_OK) return status;
    any = true;
    if (!used) continue;
    bool marks = action->kind == GROUPING_ACTION_APP || action->kind == GROUPING_ACTION_CATEGORY;
    rule.marks |= marks;
    rule.groups |= action->kind != GROUPING_ACTION_CATEGORY;
    rule.action_count++;
  }
  if (!any) {
    begin_token(reader);
    return error_set(reader->error, STATUS_INVALID, "a rule needs an action; known are " ACTIONS_KNOWN);
  }
  if (rules->rule_count == GROUPING_RULES_MAX) {
    return error_set(reader->error, STATUS_TOO_LARGE, "more than %d rules", GROUPING_RULES_MAX);
  }
  rule.actions = keep(rules, actions, rule.action_count, sizeof(actions[0]));
  rules->rules = grow(rules->arena, rules->rules, rules->rule_count, &rules->rule_capacity, sizeof(*rules->rules));
  rule.text = arena_copy(rules->arena, reader->line);
  if (rules->rules == NULL || rule.actions == NULL || rule.text.ptr == NULL) return STATUS_NO_MEMORY;
  note_families(rules, &rule);
  rules->rules[rules->rule_count++] = rule;
  return STATUS_OK;
}

void grouping_rules_init(struct grouping_rules *rules, struct arena *arena) {
  *rules = (struct grouping_rules){.arena = arena};
}

bool grouping_rules_next_line(struct slice text, size_t *at, struct slice *out_before, struct slice *out_line) {
  if (*at >= text.len) return false;
  struct slice line = slice_skip(text, *at);
  line = slice_sub(line, 0, slice_find_byte(line, '\n'));
  *at += line.len + 1;
  *out_line = slice_trim(line);
  *out_before = slice_sub(line, 0, out_line->len > 0 ? (size_t)(out_line->ptr - line.ptr) : 0);
  return true;
}

static uint32_t count_characters(struct slice text) {
  uint32_t count = 0;
  for (size_t i = 0; i < text.len; i++) count += (text.ptr[i] & 0xc0) != 0x80;
  return count;
}

uint32_t grouping_rules_column(struct slice before, struct slice line, size_t at) {
  return count_characters(before) + count_characters(slice_sub(line, 0, at)) + 1;
}

enum status grouping_rules_read_line(struct grouping_rules *rules, struct slice text, size_t *at,
                                     struct grouping_rules_place *place, struct error *error) {
  struct slice before, line;
  if (!grouping_rules_next_line(text, at, &before, &line)) return STATUS_END;
  place->line++;
  if (line.len == 0 || line.ptr[0] == '#') return STATUS_OK;
  struct reader reader = {.rules = rules, .line = line, .error = error};
  enum status status = read_rule(&reader, place->line);
  place->column = grouping_rules_column(before, line, reader.token);
  return status == STATUS_NO_MEMORY ? error_set(error, status, "out of memory set aside for rules") : status;
}

enum status grouping_rules_read(struct grouping_rules *rules, struct slice text, struct error *error) {
  if (text.len > GROUPING_RULES_BYTES_MAX) {
    return error_set(error, STATUS_TOO_LARGE, "rules: more than %u bytes", GROUPING_RULES_BYTES_MAX);
  }
  struct grouping_rules_place place = {0};
  size_t at = 0;
  enum status status;
  while ((status = grouping_rules_read_line(rules, text, &at, &place, error)) == STATUS_OK) continue;
  if (status == STATUS_END) return STATUS_OK;
  if (error != NULL) error_prefix(error, "line %u, column %u: ", place.line, place.column);
  return status;
}
