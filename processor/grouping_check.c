// SPDX-License-Identifier: Apache-2.0
//
// Line by line first, for all faults; then as the inbox would compile it, for what only shows when everything is
// together (categories, memory).
#include "processor/grouping_check.h"

#include "base/arena.h"
#include "processor/grouping.h"
#include "processor/grouping_fingerprint.h"
#include "processor/grouping_rules.h"

#define ARENA_BYTES_MAX ((size_t)16 << 20)

struct check {
  grouping_check_fn on_fault;
  void *context;
  enum status status; // the first failure
};

static void tell(struct check *check, enum status status, struct grouping_rules_place place, const char *text) {
  const struct grouping_check_fault fault = {.line = place.line, .column = place.column, .text = text};
  check->on_fault(check->context, &fault);
  if (check->status == STATUS_OK) check->status = status;
}

// How many rules the lines hold, those that cannot be read included.
static uint32_t check_lines(struct check *check, enum grouping_check_kind kind, struct slice text, uint32_t rules_max) {
  struct arena arena;
  struct grouping_rules rules;
  struct grouping_fingerprints fingerprints;
  struct grouping_rules_place place = {0};
  arena_init(&arena, ARENA_BYTES_MAX);
  grouping_rules_init(&rules, &arena);
  grouping_fingerprint_init(&fingerprints, &arena);
  uint32_t faults = 0, count = 0;
  for (size_t at = 0; at < text.len;) {
    struct error error = {""};
    enum status status = kind == GROUPING_CHECK_STACK
                             ? grouping_rules_read_line(&rules, text, &at, &place, &error)
                             : grouping_fingerprint_read_line(&fingerprints, text, &at, &place, &error);
    if (status != STATUS_OK) {
      tell(check, status, place, error.text);
      faults++;
      if (status != STATUS_INVALID) break;
    }
    count = faults + (kind == GROUPING_CHECK_STACK ? rules.rule_count : fingerprints.count);
    if (count > rules_max) {
      error_set(&error, STATUS_TOO_LARGE, "more than %u rules", rules_max);
      place.column = 1;
      tell(check, STATUS_TOO_LARGE, place, error.text);
      break;
    }
  }
  arena_finish(&arena);
  return count;
}

enum status grouping_check(enum grouping_check_kind kind, struct slice text, uint32_t rules_max,
                           grouping_check_fn on_fault, void *context, uint32_t *out_rules) {
  struct check check = {.on_fault = on_fault, .context = context};
  struct error error = {""};
  if (text.len > GROUPING_RULES_BYTES_MAX) {
    error_set(&error, STATUS_TOO_LARGE, "more than %u bytes", GROUPING_RULES_BYTES_MAX);
    tell(&check, STATUS_TOO_LARGE, (struct grouping_rules_place){0}, error.text);
    return check.status;
  }
  uint32_t count = check_lines(&check, kind, text, rules_max);
  if (check.status != STATUS_OK) return check.status;
  struct grouping_config_options options = {0};
  if (kind == GROUPING_CHECK_STACK) options.enhancements = text;
  if (kind == GROUPING_CHECK_FINGERPRINT) options.fingerprinting = text;
  struct grouping_config *config = NULL;
  enum status status = grouping_config_create(&options, &config, &error);
  grouping_config_destroy(config);
  if (status != STATUS_OK) tell(&check, status, (struct grouping_rules_place){0}, error.text);
  if (out_rules) *out_rules = count;
  return check.status;
}
