// SPDX-License-Identifier: Apache-2.0
//
// Stack-trace rules in Sentry's syntax ("family:native function:std::* -app"), read into tables that grouping_match.c
// runs. Every distinct (field, pattern) is one atom, however many rules ask for it. The tables live in the arena they
// were read into and are immutable after the last grouping_rules_read; any thread may then look.
#ifndef PROCESSOR_GROUPING_RULES_H
#define PROCESSOR_GROUPING_RULES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/status.h"
#include "processor/grouping_glob.h"

#define GROUPING_RULES_MAX            4096
#define GROUPING_RULES_BYTES_MAX      (256u << 10)
#define GROUPING_RULES_CATEGORIES_MAX 255
#define GROUPING_RULES_MATCHERS_MAX   16 // of one rule
#define GROUPING_RULES_ACTIONS_MAX    16

// The first four are looked up in an index, once per frame.
enum grouping_field {
  GROUPING_FIELD_FUNCTION,
  GROUPING_FIELD_MODULE,
  GROUPING_FIELD_PACKAGE,
  GROUPING_FIELD_PATH,
  GROUPING_FIELD_CATEGORY,
  GROUPING_FIELD_TYPE, // this and the next two are the exception's, the same for all its frames
  GROUPING_FIELD_VALUE,
  GROUPING_FIELD_MECHANISM,
  GROUPING_FIELD_FAMILY,
  GROUPING_FIELD_APP,
};
#define GROUPING_FIELDS_INDEXED 4

struct grouping_atom {
  enum grouping_field field; // FUNCTION … MECHANISM
  struct slice pattern;
  struct grouping_glob glob;
  uint8_t families; // of the frames some rule asks it of
};

struct grouping_matcher {
  enum grouping_field field;
  bool negated;
  uint16_t atom;    // FUNCTION … MECHANISM
  uint8_t families; // FAMILY
  int8_t app;       // APP: 0, 1; -1 matches nothing
};

enum grouping_action_kind {
  GROUPING_ACTION_GROUP,
  GROUPING_ACTION_APP,
  GROUPING_ACTION_CATEGORY,
  GROUPING_ACTION_VARIABLE
};
enum grouping_range { GROUPING_RANGE_FRAME, GROUPING_RANGE_UP, GROUPING_RANGE_DOWN }; // UP: towards the crash
enum grouping_variable { GROUPING_MAX_FRAMES, GROUPING_MIN_FRAMES, GROUPING_INVERT_STACKTRACE, GROUPING_VARIABLES };

struct grouping_action {
  enum grouping_action_kind kind;
  enum grouping_range range; // GROUP, APP
  bool flag;
  uint8_t category; // index into categories
  enum grouping_variable variable;
  uint32_t value;
  const char *hint; // GROUP, APP: "ignored by stack trace rule (…)"
};

struct grouping_rule {
  const struct grouping_matcher *caller, *callee; // NULL: none
  const struct grouping_matcher *matchers;        // at least one; exception matchers first
  const struct grouping_action *actions;
  uint16_t matcher_count, action_count;
  uint8_t families;  // frames of other families cannot match
  bool marks;        // has an app or category action
  bool groups;       // has any action but category
  struct slice text; // the line
  uint32_t line;     // its number in the text it was read from, from 1
};

struct grouping_rules {
  struct arena *arena;
  struct grouping_atom *atoms;
  struct grouping_rule *rules;
  struct slice *categories;
  uint32_t atom_count, atom_capacity;
  uint32_t rule_count, rule_capacity;
  uint32_t builtin_count; // of the rules, from the first; set by who read them
  uint32_t category_count;
};

void grouping_rules_init(struct grouping_rules *rules, struct arena *arena);
// Reads rules and adds them behind those that are there. STATUS_INVALID, STATUS_TOO_LARGE (error names line and
// column), STATUS_NO_MEMORY; the tables are then good for nothing.
enum status grouping_rules_read(struct grouping_rules *rules, struct slice text, struct error *error);

// Where a line of rules cannot be read. Columns count characters from 1.
struct grouping_rules_place {
  uint32_t line, column;
};
// Reads the line at *at of the text, adds its rule if it has one, and moves *at and place->line (0 at first) on.
// STATUS_END behind the last line. A failure is of this line alone: the next ones can be read all the same, to see what
// else is wrong; error then has the words without the place.
enum status grouping_rules_read_line(struct grouping_rules *rules, struct slice text, size_t *at,
                                     struct grouping_rules_place *place, struct error *error);
// The next line of a text, trimmed, and what stands before it; false behind the last one.
bool grouping_rules_next_line(struct slice text, size_t *at, struct slice *out_before, struct slice *out_line);
// The column of byte `at` of a line.
uint32_t grouping_rules_column(struct slice before, struct slice line, size_t at);

// "1", "yes", "true" → 1, "0", "no", "false" → 0, anything else -1; upper case too.
int8_t grouping_rules_bool(struct slice text);
// One word of a rule at *at, quoted or up to white space; quotes are taken off and their escapes resolved in the arena.
// Moves *at behind it. STATUS_INVALID when a quote is never closed, STATUS_NO_MEMORY.
enum status grouping_rules_word(struct slice line, size_t *at, struct arena *arena, struct slice *out_word);

#endif
