// SPDX-License-Identifier: Apache-2.0
//
// Whether a team's rules can be used, and everything that is wrong with them at once. Any thread.
#ifndef PROCESSOR_GROUPING_CHECK_H
#define PROCESSOR_GROUPING_CHECK_H

#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"

enum grouping_check_kind { GROUPING_CHECK_STACK, GROUPING_CHECK_FINGERPRINT };

struct grouping_check_fault {
  uint32_t line, column; // from 1, columns in characters; 0: of the text as a whole
  const char *text;      // what is wrong, and what is allowed; valid during the call
};
typedef void (*grouping_check_fn)(void *context, const struct grouping_check_fault *fault);

// Reads every line and tells each that cannot be read. STATUS_OK with the number of rules when the text can be used
// together with the built-in rules; STATUS_INVALID, STATUS_TOO_LARGE (over rules_max rules or the bounds of
// grouping_rules.h), STATUS_NO_MEMORY after at least one fault was told. out_rules may be NULL.
enum status grouping_check(enum grouping_check_kind kind, struct slice text, uint32_t rules_max,
                           grouping_check_fn on_fault, void *context, uint32_t *out_rules);

#endif
