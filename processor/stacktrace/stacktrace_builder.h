// SPDX-License-Identifier: Apache-2.0
//
// Collects what a parser finds: exceptions in the order of the text, their frames in the order of the text, within the
// limits. For the parsers of this folder.
//
// A builder lives on the parser's stack; frames live in the arena. Running out of the arena is remembered and answered
// by stacktrace_builder_finish; until then every call gives something that may be written to.
#ifndef PROCESSOR_STACKTRACE_STACKTRACE_BUILDER_H
#define PROCESSOR_STACKTRACE_STACKTRACE_BUILDER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "proto/sentry_event.h"

#define STACKTRACE_BUILDER_NO_PARENT UINT32_MAX

// Frames of one exception: the first half of the limit stays, the second half is a ring of the latest.
struct stacktrace_builder_trace {
  struct sentry_frame *frames;
  uint32_t capacity;
  uint64_t total;
};

struct stacktrace_builder {
  struct arena *arena;
  uint32_t count;
  uint32_t lines_matched; // lines of this language's own shape
  bool keep_first;        // a tree: what comes over the limit is not taken, instead of the middle being dropped
  bool no_memory;
  struct stacktrace_builder_trace spare;
  struct sentry_frame discarded_frame;
  struct sentry_exception discarded_exception;
  struct stacktrace_builder_trace discarded_trace;
  struct sentry_exception exceptions[SENTRY_EVENT_EXCEPTIONS_MAX];
  struct stacktrace_builder_trace traces[SENTRY_EVENT_EXCEPTIONS_MAX];
};

void stacktrace_builder_init(struct stacktrace_builder *builder, struct arena *arena);
// Opens the next exception; frames go to it from now on. The pointer is good until the next one is opened.
struct sentry_exception *stacktrace_builder_exception(struct stacktrace_builder *builder);
// The open exception, opened if there is none.
struct sentry_exception *stacktrace_builder_current(struct stacktrace_builder *builder);
// Appends a zeroed frame to the open exception. Good until the next call.
struct sentry_frame *stacktrace_builder_frame(struct stacktrace_builder *builder);
// The frame appended last, NULL when the open exception has none.
struct sentry_frame *stacktrace_builder_last_frame(struct stacktrace_builder *builder);
// Appends the latest frame again.
void stacktrace_builder_repeat(struct stacktrace_builder *builder, uint64_t times);
// Appends the last n frames (of the text) of another exception to the open one.
void stacktrace_builder_copy_tail(struct stacktrace_builder *builder, uint32_t from_exception, uint64_t n);
// Number of frames appended to the open exception so far.
uint64_t stacktrace_builder_frame_count(const struct stacktrace_builder *builder);
// Forgets the frames of the open exception.
void stacktrace_builder_drop_frames(struct stacktrace_builder *builder);
// exception `index` gets the mechanism SDKs give members of a chain: an id, a parent (or STACKTRACE_BUILDER_NO_PARENT),
// a type
// ("chained", "suppressed").
void stacktrace_builder_chain(struct stacktrace_builder *builder, uint32_t index, uint32_t parent, const char *type);

enum stacktrace_builder_order { STACKTRACE_BUILDER_CRASH_LAST, STACKTRACE_BUILDER_CRASH_FIRST };
enum stacktrace_builder_exceptions { STACKTRACE_BUILDER_RAISED_LAST, STACKTRACE_BUILDER_RAISED_FIRST };
// Puts frames and exceptions into Sentry's order (crash last, raised last), from the text's. Frames without a file name
// get their path as Sentry does.
enum status stacktrace_builder_finish(struct stacktrace_builder *builder, enum stacktrace_builder_order frames,
                                      enum stacktrace_builder_exceptions exceptions,
                                      struct sentry_exception **out_exceptions, uint32_t *out_count,
                                      uint32_t *out_lines_matched);

#endif
