// SPDX-License-Identifier: Apache-2.0
//
// Function names without what changes between builds and compilers: arguments, template arguments, return types,
// hashes. The public door is grouping_trim_function (processor/grouping.h). Pure; any thread.
#ifndef PROCESSOR_GROUPING_FUNCTION_H
#define PROCESSOR_GROUPING_FUNCTION_H

#include <stdint.h>

#include "base/slice.h"

// Platforms that are treated alike; bits, so that rules can name several.
enum grouping_family {
  GROUPING_FAMILY_NATIVE = 1,     // native, cocoa, objc, swift, c
  GROUPING_FAMILY_JAVASCRIPT = 2, // javascript, node
  GROUPING_FAMILY_OTHER = 4,
};
#define GROUPING_FAMILY_ALL 7u
enum grouping_family grouping_family_of(struct slice platform);

// Splits at white space outside brackets of any kind. Returns how many tokens there are; the first `max` are written.
// Text behind a bracket that is never closed belongs to no token.
uint32_t grouping_function_split(struct slice function, struct slice *out_tokens, uint32_t max);

#endif
