// SPDX-License-Identifier: Apache-2.0
//
// Glob patterns of Sentry's rules. "*" and "?" match any run and any one byte, "[a-z]" and "[!a-z]" one of a set,
// "{a,b}" either, "\" takes the next byte as it is. "**/", "/**/" and "/**" as whole path parts match any directories,
// none included. In a path pattern "*" and "?" stop at "/"; elsewhere they do not.
//
// A compiled glob is immutable and lives in the arena it was compiled in; matching is O(pattern * text) at worst,
// without going back, and allocates nothing. Any thread.
#ifndef PROCESSOR_GROUPING_GLOB_H
#define PROCESSOR_GROUPING_GLOB_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/status.h"

#define GROUPING_GLOB_BYTES_MAX 512

// How a pattern can be tested; all but GENERAL look at `literal` alone.
enum grouping_glob_shape {
  GROUPING_GLOB_EXACT,
  GROUPING_GLOB_PREFIX,    // literal*
  GROUPING_GLOB_SUFFIX,    // *literal
  GROUPING_GLOB_CONTAINS,  // *literal*
  GROUPING_GLOB_DIRECTORY, // **/literal/**: literal is kept as "/literal/", found there or, without its first "/", at
                           // the start
  GROUPING_GLOB_GENERAL,   // literal must be in the text, then the program decides
};

struct grouping_glob_step;
struct grouping_glob {
  enum grouping_glob_shape shape;
  struct slice literal;
  uint64_t bytes;                         // grouping_glob_bytes(literal)
  const struct grouping_glob_step *steps; // GENERAL only
  uint32_t step_count;
};

// The pattern is copied. STATUS_INVALID (error says what is wrong with it), STATUS_TOO_LARGE over
// GROUPING_GLOB_BYTES_MAX, STATUS_NO_MEMORY.
enum status grouping_glob_compile(struct slice pattern, bool path, struct arena *arena, struct grouping_glob *out_glob,
                                  struct error *error);
// Which bytes occur, modulo 64: a text that lacks some of a glob's cannot match it. For callers with many globs.
uint64_t grouping_glob_bytes(struct slice text);
bool grouping_glob_match(const struct grouping_glob *glob, struct slice text);

#endif
