// SPDX-License-Identifier: Apache-2.0
//
// The rules that every configuration starts with, generated at build time from grouping_builtin.rules and
// grouping_builtin_fingerprints.rules. Constants; any thread.
#ifndef PROCESSOR_GROUPING_BUILTIN_H
#define PROCESSOR_GROUPING_BUILTIN_H

#include <stddef.h>

extern const unsigned char grouping_builtin_rules[];
extern const size_t grouping_builtin_rules_len;
extern const unsigned char grouping_builtin_fingerprints[];
extern const size_t grouping_builtin_fingerprints_len;

#endif
