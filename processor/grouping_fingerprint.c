// SPDX-License-Identifier: Apache-2.0
//
//   matcher…  ->  value[,] value…  [title="…"]
//
// A matcher looks at one of several groups of things: the message (and the exceptions' values), the exceptions, the
// frames, the log's fields, tags, and single facts of the event. All matchers of a group must hit the same member of it
// (the same frame, the same exception), every group must have such a member.
#include "processor/grouping_fingerprint.h"

#include "processor/grouping_crash.h"
#include "processor/grouping_function.h"
#include "processor/grouping_glob.h"
#include "processor/grouping_rules.h"
#include "processor/grouping_text.h"

#define RULES_MAX 1024
#define MATCHERS_KNOWN                                                                                                 \
  "message, type, value, function, module, path, package, app, logger, level, tags.NAME, sdk, family, release"

enum group { GROUP_MESSAGE, GROUP_EXCEPTION, GROUP_FRAME, GROUP_FACT, GROUPS };
enum key {
  KEY_MESSAGE,
  KEY_TYPE,
  KEY_VALUE,
  KEY_FUNCTION,
  KEY_MODULE,
  KEY_PATH,
  KEY_PACKAGE,
  KEY_APP,
  KEY_LOGGER,
  KEY_LEVEL,
  KEY_TAG,
  KEY_SDK,
  KEY_FAMILY,
  KEY_RELEASE,
};

struct grouping_fingerprint_matcher {
  enum key key;
  enum group group;
  bool negated, ignore_case;
  struct slice tag;
  struct slice word; // as written: lists and booleans
  struct grouping_glob glob;
};

static const struct {
  const char *name;
  enum key key;
  enum group group;
} keys[] = {
    {"message", KEY_MESSAGE, GROUP_MESSAGE},
    {"type", KEY_TYPE, GROUP_EXCEPTION},
    {"error.type", KEY_TYPE, GROUP_EXCEPTION},
    {"value", KEY_VALUE, GROUP_EXCEPTION},
    {"error.value", KEY_VALUE, GROUP_EXCEPTION},
    {"function", KEY_FUNCTION, GROUP_FRAME},
    {"stack.function", KEY_FUNCTION, GROUP_FRAME},
    {"module", KEY_MODULE, GROUP_FRAME},
    {"stack.module", KEY_MODULE, GROUP_FRAME},
    {"path", KEY_PATH, GROUP_FRAME},
    {"stack.abs_path", KEY_PATH, GROUP_FRAME},
    {"package", KEY_PACKAGE, GROUP_FRAME},
    {"stack.package", KEY_PACKAGE, GROUP_FRAME},
    {"app", KEY_APP, GROUP_FRAME},
    {"logger", KEY_LOGGER, GROUP_FACT},
    {"level", KEY_LEVEL, GROUP_FACT},
    {"sdk", KEY_SDK, GROUP_FACT},
    {"family", KEY_FAMILY, GROUP_FACT},
    {"release", KEY_RELEASE, GROUP_FACT},
};

struct reader {
  struct grouping_fingerprints *fingerprints;
  struct slice line;
  size_t at, token; // token: where that began which a failure is about
  struct error *error;
};

static void skip_blanks(struct reader *reader) {
  while (reader->at < reader->line.len && strchr(" \t\r", reader->line.ptr[reader->at]) != NULL) reader->at++;
}

static bool at_text(const struct reader *reader, const char *text) {
  return slice_starts_with(slice_skip(reader->line, reader->at), slice_from_cstr(text));
}

static enum status find_key(struct reader *reader, struct slice name, struct grouping_fingerprint_matcher *matcher) {
  if (slice_starts_with(name, SLICE_LITERAL("tags.")) && name.len > 5) {
    matcher->key = KEY_TAG;
    matcher->group = GROUP_FACT;
    matcher->tag = arena_copy(reader->fingerprints->arena, slice_skip(name, 5));
    return STATUS_OK;
  }
  for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
    if (!slice_equal_cstr(name, keys[i].name)) continue;
    matcher->key = keys[i].key;
    matcher->group = keys[i].group;
    return STATUS_OK;
  }
  return error_set(reader->error, STATUS_INVALID, "unknown matcher '%.*s'; known are " MATCHERS_KNOWN,
                   SLICE_PRINTF(slice_sub(name, 0, 64)));
}

// Matched as paths are: any case, any slash, one in front or not, and a star stops there.
static bool is_path(enum key key) {
  return key == KEY_PATH || key == KEY_PACKAGE || key == KEY_RELEASE;
}

static enum status read_matcher(struct reader *reader, struct grouping_fingerprint_matcher *matcher) {
  struct arena *arena = reader->fingerprints->arena;
  *matcher = (struct grouping_fingerprint_matcher){0};
  reader->token = reader->at;
  matcher->negated = at_text(reader, "!");
  reader->at += matcher->negated;
  bool quoted = at_text(reader, "\"");
  struct slice rest = slice_skip(reader->line, reader->at + quoted);
  size_t len = quoted ? slice_find_byte(rest, '"') : slice_find_byte(rest, ':');
  struct slice name = slice_sub(rest, 0, len);
  reader->at += len + (quoted ? 2 : 0);
  enum status status = find_key(reader, name, matcher);
  if (status != STATUS_OK) return status;
  if (!at_text(reader, ":")) {
    reader->token = reader->at;
    return error_set(reader->error, STATUS_INVALID, "expected ':' behind '%.*s'", SLICE_PRINTF(name));
  }
  reader->at++;
  reader->token = reader->at;
  struct slice word;
  status = grouping_rules_word(reader->line, &reader->at, arena, &word);
  if (status == STATUS_INVALID) return error_set(reader->error, status, "a quote is never closed");
  if (status != STATUS_OK) return status;
  bool path = is_path(matcher->key);
  matcher->ignore_case = path || matcher->key == KEY_MESSAGE || matcher->key == KEY_LEVEL || matcher->key == KEY_VALUE;
  if (matcher->ignore_case) word = grouping_text_lower(word, path, arena);
  matcher->word = arena_copy(arena, word);
  return grouping_glob_compile(matcher->word, path, arena, &matcher->glob, reader->error);
}

static enum status read_title(struct reader *reader, struct grouping_fingerprint_rule *rule) {
  reader->at += strlen("title=");
  struct slice title;
  enum status status = grouping_rules_word(reader->line, &reader->at, reader->fingerprints->arena, &title);
  if (status == STATUS_INVALID) return error_set(reader->error, status, "a quote is never closed");
  if (status == STATUS_OK) rule->title = arena_copy(reader->fingerprints->arena, title);
  return status;
}

// name="…": something said of the rule and no value.
static bool at_attribute(const struct reader *reader) {
  struct slice rest = slice_skip(reader->line, reader->at);
  size_t len = 0;
  for (; len < rest.len; len++) {
    uint8_t c = rest.ptr[len];
    bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z', digit = c >= '0' && c <= '9';
    if (!letter && !digit && c != '_' && c != '.' && c != '-') break;
  }
  return len > 0 && slice_starts_with(slice_skip(rest, len), SLICE_LITERAL("=\""));
}

// One value: "quoted", {{ variable }} or plain text up to a blank, a comma or a variable.
static enum status read_value(struct reader *reader, struct slice *out_value) {
  struct arena *arena = reader->fingerprints->arena;
  struct slice rest = slice_skip(reader->line, reader->at), value;
  if (rest.ptr[0] == '"') {
    enum status status = grouping_rules_word(reader->line, &reader->at, arena, &value);
    if (status == STATUS_INVALID) return error_set(reader->error, status, "a quote is never closed");
    if (status != STATUS_OK) return status;
  } else if (slice_starts_with(rest, SLICE_LITERAL("{{"))) {
    size_t end = slice_find(rest, SLICE_LITERAL("}}"));
    if (end > rest.len) return error_set(reader->error, STATUS_INVALID, "'{{' is never closed");
    value = slice_sub(rest, 0, end + 2);
    reader->at += value.len;
  } else {
    size_t len = 0;
    while (len < rest.len && strchr(" \t\r,{}", rest.ptr[len]) == NULL) len++;
    if (len == 0) return error_set(reader->error, STATUS_INVALID, "expected a value");
    value = slice_sub(rest, 0, len);
    reader->at += len;
  }
  *out_value = arena_copy(arena, value);
  return out_value->ptr == NULL ? STATUS_NO_MEMORY : STATUS_OK;
}

static enum status read_values(struct reader *reader, struct grouping_fingerprint_rule *rule) {
  struct slice values[GROUPING_FINGERPRINT_VALUES_MAX];
  for (;; reader->at += at_text(reader, ",")) {
    skip_blanks(reader);
    if (reader->at == reader->line.len) break;
    if (at_text(reader, ",")) continue;
    reader->token = reader->at;
    enum status status;
    if (at_text(reader, "title=\"")) {
      status = read_title(reader, rule);
    } else if (at_attribute(reader)) {
      status = error_set(reader->error, STATUS_INVALID, "unknown attribute; known is title=\"…\"");
    } else if (rule->value_count == GROUPING_FINGERPRINT_VALUES_MAX) {
      status = error_set(reader->error, STATUS_TOO_LARGE, "more than %d values", GROUPING_FINGERPRINT_VALUES_MAX);
    } else {
      status = read_value(reader, &values[rule->value_count++]);
    }
    if (status != STATUS_OK) return status;
    skip_blanks(reader);
  }
  reader->token = reader->at;
  if (rule->value_count == 0) return error_set(reader->error, STATUS_INVALID, "expected a fingerprint behind '->'");
  struct slice *kept = arena_alloc_array(reader->fingerprints->arena, rule->value_count, sizeof(*kept));
  if (kept == NULL) return STATUS_NO_MEMORY;
  memcpy(kept, values, rule->value_count * sizeof(*kept));
  rule->values = kept;
  return STATUS_OK;
}

static enum status read_rule(struct reader *reader, struct grouping_fingerprint_rule *rule) {
  struct grouping_fingerprint_matcher matchers[GROUPING_FINGERPRINT_MATCHERS_MAX];
  for (;;) {
    skip_blanks(reader);
    reader->token = reader->at;
    if (at_text(reader, "->")) break;
    if (reader->at == reader->line.len) return error_set(reader->error, STATUS_INVALID, "expected '->'");
    if (rule->matcher_count == GROUPING_FINGERPRINT_MATCHERS_MAX) {
      return error_set(reader->error, STATUS_TOO_LARGE, "more than %d matchers", GROUPING_FINGERPRINT_MATCHERS_MAX);
    }
    enum status status = read_matcher(reader, &matchers[rule->matcher_count++]);
    if (status != STATUS_OK) return status;
  }
  if (rule->matcher_count == 0) {
    return error_set(reader->error, STATUS_INVALID, "a rule needs a matcher; known are " MATCHERS_KNOWN);
  }
  reader->at += 2;
  struct arena *arena = reader->fingerprints->arena;
  struct grouping_fingerprint_matcher *kept = arena_alloc_array(arena, rule->matcher_count, sizeof(*kept));
  rule->text = arena_copy(arena, reader->line);
  if (kept == NULL || rule->text.ptr == NULL) return STATUS_NO_MEMORY;
  memcpy(kept, matchers, rule->matcher_count * sizeof(*kept));
  for (uint32_t i = 0; i < rule->matcher_count; i++) rule->groups |= 1u << kept[i].group;
  rule->matchers = kept;
  return read_values(reader, rule);
}

void grouping_fingerprint_init(struct grouping_fingerprints *fingerprints, struct arena *arena) {
  *fingerprints = (struct grouping_fingerprints){.arena = arena};
}

static bool grow(struct grouping_fingerprints *fingerprints) {
  if (fingerprints->count < fingerprints->capacity) return true;
  uint32_t capacity = fingerprints->capacity == 0 ? 16 : fingerprints->capacity * 2;
  struct grouping_fingerprint_rule *grown = arena_alloc_array(fingerprints->arena, capacity, sizeof(*grown));
  if (grown == NULL) return false;
  if (fingerprints->count > 0) memcpy(grown, fingerprints->rules, fingerprints->count * sizeof(*grown));
  fingerprints->rules = grown;
  fingerprints->capacity = capacity;
  return true;
}

static enum status read_line(struct grouping_fingerprints *fingerprints, struct slice text, size_t *at, bool builtin,
                             struct grouping_rules_place *place, struct error *error) {
  struct slice before, line;
  if (!grouping_rules_next_line(text, at, &before, &line)) return STATUS_END;
  place->line++;
  place->column = 1;
  if (line.len == 0 || line.ptr[0] == '#') return STATUS_OK;
  if (fingerprints->count == RULES_MAX) {
    return error_set(error, STATUS_TOO_LARGE, "more than %d fingerprint rules", RULES_MAX);
  }
  struct grouping_fingerprint_rule rule = {.builtin = builtin, .line = place->line};
  struct reader reader = {.fingerprints = fingerprints, .line = line, .error = error};
  enum status status = grow(fingerprints) ? read_rule(&reader, &rule) : STATUS_NO_MEMORY;
  place->column = grouping_rules_column(before, line, reader.token);
  if (status == STATUS_NO_MEMORY) return error_set(error, status, "out of memory set aside for rules");
  if (status == STATUS_OK) fingerprints->rules[fingerprints->count++] = rule;
  return status;
}

enum status grouping_fingerprint_read_line(struct grouping_fingerprints *fingerprints, struct slice text, size_t *at,
                                           struct grouping_rules_place *place, struct error *error) {
  return read_line(fingerprints, text, at, false, place, error);
}

enum status grouping_fingerprint_read(struct grouping_fingerprints *fingerprints, struct slice text, bool builtin,
                                      struct error *error) {
  if (text.len > GROUPING_RULES_BYTES_MAX) {
    return error_set(error, STATUS_TOO_LARGE, "fingerprint rules: more than %u bytes", GROUPING_RULES_BYTES_MAX);
  }
  struct grouping_rules_place place = {0};
  size_t at = 0;
  enum status status;
  while ((status = read_line(fingerprints, text, &at, builtin, &place, error)) == STATUS_OK) continue;
  if (status == STATUS_END) return STATUS_OK;
  if (error != NULL) error_prefix(error, "line %u, column %u: ", place.line, place.column);
  return status;
}

// One event's things to match, and the member of a group being looked at.
struct subject {
  const struct sentry_event *event;
  const struct sentry_exception *exception;
  const struct sentry_frame *frame;
  struct slice family;
  bool message; // GROUP_MESSAGE: the event's own message, not an exception
  struct arena *arena;
};

static bool match_text(const struct subject *subject, const struct grouping_fingerprint_matcher *matcher,
                       struct slice text) {
  if (text.len == 0) return false;
  bool path = is_path(matcher->key);
  if (matcher->ignore_case) text = grouping_text_lower(text, path, subject->arena);
  if (grouping_glob_match(&matcher->glob, text)) return true;
  if (!path || text.len == 0 || text.ptr[0] == '/') return false;
  struct slice slashed = arena_printf(subject->arena, "/%.*s", SLICE_PRINTF(text));
  return grouping_glob_match(&matcher->glob, slashed);
}

// A comma-separated list that has the word, or "all".
static bool in_list(struct slice list, struct slice word) {
  for (size_t at = 0; at <= list.len;) {
    struct slice item = slice_skip(list, at);
    item = slice_sub(item, 0, slice_find_byte(item, ','));
    if (slice_equal(item, word) || slice_equal_cstr(item, "all")) return true;
    at += item.len + 1;
  }
  return false;
}

// "sentry.javascript.react" stays, "sentry.python.django" is "sentry.python"; other names are "other".
static struct slice sdk_family(struct slice name, struct arena *arena) {
  uint8_t *dotted = arena_alloc(arena, name.len);
  if (dotted == NULL || !slice_starts_with(name, SLICE_LITERAL("sentry")) || name.len < 7)
    return SLICE_LITERAL("other");
  size_t len = 0, dots = 0;
  for (size_t i = 0; i < name.len; i++) {
    uint8_t c = name.ptr[i];
    bool word = (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c >= 0x80;
    if (word) {
      dotted[len++] = c;
    } else if (len > 0 && dotted[len - 1] != '.') {
      dotted[len++] = '.';
    }
  }
  struct slice tag = slice_make(dotted, len);
  if (!slice_starts_with(tag, SLICE_LITERAL("sentry."))) return SLICE_LITERAL("other");
  if (slice_starts_with(tag, SLICE_LITERAL("sentry.javascript"))) return tag;
  size_t parts = slice_starts_with(tag, SLICE_LITERAL("sentry.native")) ? 3 : 2;
  for (size_t i = 0; i < tag.len; i++) {
    if (tag.ptr[i] == '.' && ++dots == parts) return slice_sub(tag, 0, i);
  }
  return tag;
}

static struct slice family_name(struct slice platform) {
  enum grouping_family family = grouping_family_of(platform);
  return family == GROUPING_FAMILY_NATIVE       ? SLICE_LITERAL("native")
         : family == GROUPING_FAMILY_JAVASCRIPT ? SLICE_LITERAL("javascript")
                                                : SLICE_LITERAL("other");
}

static struct slice message_of(const struct sentry_event *event) {
  return event->message_formatted.len > 0 ? event->message_formatted : event->message;
}

static bool match_path(const struct subject *subject, const struct grouping_fingerprint_matcher *matcher) {
  const struct sentry_frame *frame = subject->frame;
  struct slice path = frame->abs_path.len > 0 ? frame->abs_path : frame->filename;
  if (match_text(subject, matcher, path)) return true;
  return !slice_equal(path, frame->filename) && match_text(subject, matcher, frame->filename);
}

static bool match_positive(const struct subject *subject, const struct grouping_fingerprint_matcher *matcher) {
  const struct sentry_event *event = subject->event;
  const struct sentry_frame *frame = subject->frame;
  ASSERT(frame != NULL || matcher->group != GROUP_FRAME);
  ASSERT(subject->exception != NULL || subject->message || matcher->group > GROUP_EXCEPTION);
  switch (matcher->key) {
  case KEY_MESSAGE:
    return match_text(subject, matcher, subject->message ? message_of(event) : subject->exception->value);
  case KEY_TYPE: return match_text(subject, matcher, subject->exception->type);
  case KEY_VALUE: return match_text(subject, matcher, subject->exception->value);
  case KEY_FUNCTION:
    return match_text(subject, matcher, frame->function.len > 0 ? frame->function : SLICE_LITERAL("<unknown>"));
  case KEY_MODULE: return match_text(subject, matcher, frame->module);
  case KEY_PATH: return match_path(subject, matcher);
  case KEY_PACKAGE: return match_text(subject, matcher, frame->package);
  case KEY_APP: {
    int8_t wanted = grouping_rules_bool(matcher->word);
    return wanted >= 0 && frame->in_app == (wanted == 1 ? SENTRY_IN_APP_YES : SENTRY_IN_APP_NO);
  }
  case KEY_LOGGER: return match_text(subject, matcher, event->logger);
  case KEY_LEVEL: return match_text(subject, matcher, grouping_fingerprint_level(event));
  case KEY_TAG:
    for (uint32_t i = 0; i < event->tag_count; i++) {
      if (slice_equal(event->tags[i].key, matcher->tag)) return match_text(subject, matcher, event->tags[i].value);
    }
    return false;
  case KEY_SDK: return in_list(matcher->word, sdk_family(event->sdk_name, subject->arena));
  case KEY_FAMILY: return in_list(matcher->word, subject->family);
  case KEY_RELEASE: return match_text(subject, matcher, event->release);
  }
  return false;
}

// All matchers of the group hit the member that subject is about.
static bool match_member(const struct subject *subject, const struct grouping_fingerprint_rule *rule,
                         enum group group) {
  for (uint32_t i = 0; i < rule->matcher_count; i++) {
    const struct grouping_fingerprint_matcher *matcher = &rule->matchers[i];
    if (matcher->group == group && match_positive(subject, matcher) == matcher->negated) return false;
  }
  return true;
}

static bool match_exceptions(struct subject *subject, const struct grouping_fingerprint_rule *rule, enum group group) {
  for (uint32_t i = 0; i < subject->event->exception_count; i++) {
    subject->exception = &subject->event->exceptions[i];
    if (match_member(subject, rule, group)) return true;
  }
  return false;
}

static bool match_stack(struct subject *subject, const struct grouping_fingerprint_rule *rule,
                        const struct sentry_stacktrace *trace) {
  for (uint32_t i = 0; i < trace->frame_count; i++) {
    subject->frame = &trace->frames[i];
    if (match_member(subject, rule, GROUP_FRAME)) return true;
  }
  return false;
}

// The exceptions' frames; without any, those of the event or of the thread that crashed.
static bool match_frames(struct subject *subject, const struct grouping_fingerprint_rule *rule) {
  const struct sentry_event *event = subject->event;
  bool any = false;
  for (uint32_t i = 0; i < event->exception_count; i++) {
    any |= event->exceptions[i].stacktrace.frame_count > 0;
    if (match_stack(subject, rule, &event->exceptions[i].stacktrace)) return true;
  }
  if (any) return false;
  if (event->stacktrace.frame_count > 0) return match_stack(subject, rule, &event->stacktrace);
  uint32_t thread = grouping_crash_thread(event);
  return thread < event->thread_count && match_stack(subject, rule, &event->threads[thread].stacktrace);
}

static bool match_group(struct subject *subject, const struct grouping_fingerprint_rule *rule, enum group group) {
  switch (group) {
  case GROUP_MESSAGE:
    subject->message = message_of(subject->event).len > 0;
    if (subject->message && match_member(subject, rule, group)) return true;
    subject->message = false;
    return match_exceptions(subject, rule, group);
  case GROUP_EXCEPTION: return match_exceptions(subject, rule, group);
  case GROUP_FRAME: return match_frames(subject, rule);
  default: return match_member(subject, rule, group);
  }
}

const struct grouping_fingerprint_rule *grouping_fingerprint_match(const struct grouping_fingerprints *fingerprints,
                                                                   const struct sentry_event *event,
                                                                   struct arena *arena) {
  const struct slice family = family_name(event->platform);
  for (uint32_t r = 0; r < fingerprints->count; r++) {
    const struct grouping_fingerprint_rule *rule = &fingerprints->rules[r];
    struct subject subject = {.event = event, .family = family, .arena = arena};
    bool matches = true;
    for (int group = GROUPS; group-- > 0 && matches;) { // facts cost least
      if (rule->groups >> group & 1) matches = match_group(&subject, rule, (enum group)group);
    }
    if (matches) return rule;
  }
  return NULL;
}
