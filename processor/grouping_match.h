// SPDX-License-Identifier: Apache-2.0
//
// Runs stack-trace rules over the frames of one stack trace. An index, made once from the rules, finds what patterns a
// frame's fields match; after that a rule is a handful of operations on bit sets over the frames.
//
// The index is immutable and borrows the rules; any thread. A stack belongs to one thread and borrows event, index and
// arena.
#ifndef PROCESSOR_GROUPING_MATCH_H
#define PROCESSOR_GROUPING_MATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/status.h"
#include "processor/grouping.h"
#include "processor/grouping_function.h"
#include "processor/grouping_rules.h"
#include "proto/sentry_event.h"

struct grouping_index;
struct grouping_memo;
// In the rules' arena. STATUS_NO_MEMORY.
enum status grouping_index_create(const struct grouping_rules *rules, struct grouping_index **out_index);

struct grouping_frame {
  struct sentry_frame *frame;
  struct slice platform; // the frame's, else the event's
  enum grouping_family family;
  uint16_t category;
  bool in_app_changed; // by a rule
};

struct grouping_stack {
  const struct grouping_index *index;
  const struct sentry_exception *exception; // NULL: not an exception's stack
  struct grouping_frame *frames;
  uint32_t count, words; // words: 64-bit words of a set over the frames
  uint8_t families;      // that occur
  uint64_t *atom_sets, *family_sets, *app_set, *rule_set;
  struct arena *arena;
  const struct grouping_watcher *watcher; // NULL: nobody asks
  const struct grouping_rule *rule;       // that is running
  const struct grouping_memo *memo;       // all else but count is empty: it has what there is to know; NULL: no
  struct grouping_memo *kept;             // to be completed; NULL: nothing
};

// Whose stack trace it is.
struct grouping_subject {
  struct slice platform;                    // of the event
  const struct sentry_exception *exception; // NULL: not an exception's
  const struct grouping_watcher *watcher;   // told what the rules do; NULL: nobody asks
};

// Trims function names (the untrimmed one goes to raw_function), then runs the rules that mark frames: afterwards
// in_app is set on every frame. STATUS_NO_MEMORY.
enum status grouping_stack_mark(const struct grouping_index *index, struct sentry_stacktrace *trace,
                                const struct grouping_subject *subject, struct arena *arena,
                                struct grouping_stack *out_stack);
// Runs the rules that change what contributes, max-frames included, over the components of the stack's frames.
// *out_min_frames is 0 when no rule sets it. Takes the stack's scratch, hence not const.
void grouping_stack_group(struct grouping_stack *stack, struct grouping_component *frames, uint32_t *out_min_frames);

#endif
