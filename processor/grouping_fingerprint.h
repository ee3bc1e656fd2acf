// SPDX-License-Identifier: Apache-2.0
//
// Fingerprint rules in Sentry's syntax: `error.type:Timeout tags.route:/api/* -> timeout, {{ tags.route }} title="…"`.
// The first rule that matches gives the event its fingerprint and, when it has one, its title.
//
// Rules live in the arena they were read into and are immutable then; any thread may match.
#ifndef PROCESSOR_GROUPING_FINGERPRINT_H
#define PROCESSOR_GROUPING_FINGERPRINT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/status.h"
#include "processor/grouping_rules.h"
#include "proto/sentry_event.h"

#define GROUPING_FINGERPRINT_VALUES_MAX   32
#define GROUPING_FINGERPRINT_MATCHERS_MAX 16

struct grouping_fingerprint_matcher;
struct grouping_fingerprint_rule {
  const struct grouping_fingerprint_matcher *matchers;
  uint32_t matcher_count;
  uint32_t groups; // that its matchers are of, a bit each
  const struct slice *values;
  uint32_t value_count;
  struct slice title; // empty: none
  bool builtin;
  struct slice text; // the line
  uint32_t line;     // its number in the text it was read from, from 1
};
struct grouping_fingerprints {
  struct arena *arena;
  struct grouping_fingerprint_rule *rules;
  uint32_t count, capacity;
};

void grouping_fingerprint_init(struct grouping_fingerprints *fingerprints, struct arena *arena);
// Adds rules behind those that are there. STATUS_INVALID, STATUS_TOO_LARGE (error names line and column),
// STATUS_NO_MEMORY.
enum status grouping_fingerprint_read(struct grouping_fingerprints *fingerprints, struct slice text, bool builtin,
                                      struct error *error);
// As grouping_rules_read_line.
enum status grouping_fingerprint_read_line(struct grouping_fingerprints *fingerprints, struct slice text, size_t *at,
                                           struct grouping_rules_place *place, struct error *error);
// The first rule that matches, NULL when none does.
const struct grouping_fingerprint_rule *grouping_fingerprint_match(const struct grouping_fingerprints *fingerprints,
                                                                   const struct sentry_event *event,
                                                                   struct arena *arena);

// "{{ default }}", with or without the blanks.
bool grouping_fingerprint_is_default(struct slice value);
// "{{ name }}" to what the event says, "<no-…>" where it says nothing; a name that is not known stays as it is.
struct slice grouping_fingerprint_resolve(struct slice value, const struct sentry_event *event, struct arena *arena);
// The event's level; "error" where it has none.
struct slice grouping_fingerprint_level(const struct sentry_event *event);
// Variables inside a title: "Timeout in {{ function }}".
struct slice grouping_fingerprint_expand(struct slice title, const struct sentry_event *event, struct arena *arena);

#endif
