// SPDX-License-Identifier: Apache-2.0
//
// What grouping found out about stack traces it has seen before. A service throws from the same places again and again:
// of two events from one place the frames that grouping looks at are the same, and so is all that the rules and the
// components make of them. For processor/grouping*.c; who groups only creates and destroys one (processor/grouping.h).
//
// A memory is found by everything its contents depend on, byte by byte: the configuration's id, what the rules ask of
// the exception, and of each frame every field that grouping reads. So it may be kept when rules change.
//
// Of what it hands out all stays until the next event begins. One thread.
#ifndef PROCESSOR_GROUPING_MEMORY_H
#define PROCESSOR_GROUPING_MEMORY_H

#include "base/hash.h"
#include "processor/grouping.h"
#include "processor/grouping_match.h"

// The last hash that went on from what was told: by what came behind it.
#define GROUPING_ENDED_BYTES_MAX 96
struct grouping_ended {
  uint8_t rest[GROUPING_ENDED_BYTES_MAX];
  size_t len;
  char hash[33]; // "": none yet
};
// What a component's children come to, in their place.
struct grouping_told {
  struct slice fed;      // the contributing values, as they go into a hash
  struct slice written;  // the children as JSON, commas between them
  struct hash_md5 begun; // a hash that has taken `fed`
  struct grouping_ended *ended;
};
struct grouping_memo_trace {
  const char *hint;
  bool contributes;
  struct grouping_told told;
};
// A stack trace: what became of its frames, and once it is complete its components.
struct grouping_memo;

// A new event: what the last one was told may go.
void grouping_memory_begin(struct grouping_memory *memory);
// Looks for a stack trace that no rule has touched yet. When it is known, and complete where that is asked for, its
// frames become what rules and trimming made of them. Else NULL, and grouping_memory_keep may be called once they are.
const struct grouping_memo *grouping_memory_look(struct grouping_memory *memory, const struct grouping_config *config,
                                                 const struct grouping_subject *subject,
                                                 struct sentry_stacktrace *trace, bool complete);
// Keeps the trace looked for last, if it has been seen before. NULL when it is not kept.
struct grouping_memo *grouping_memory_keep(struct grouping_memory *memory, const struct sentry_stacktrace *trace);
// Completes what was kept; outline may be NULL: there is none.
void grouping_memory_complete(struct grouping_memory *memory, struct grouping_memo *memo,
                              const struct grouping_component *system, const struct grouping_component *app,
                              const struct grouping_component *outline);

// What it takes, but for the tables.
size_t grouping_memory_bytes(const struct grouping_memory *memory);

// Of a complete one. NULL: there is no outline.
const struct grouping_memo_trace *grouping_memo_system(const struct grouping_memo *memo);
const struct grouping_memo_trace *grouping_memo_app(const struct grouping_memo *memo);
const struct grouping_memo_trace *grouping_memo_outline(const struct grouping_memo *memo);

#endif
