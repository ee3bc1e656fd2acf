// SPDX-License-Identifier: Apache-2.0
//
// Every parser of stack traces: the first byte selects one (or none: the text decides), the rest is the text.
#include <stdlib.h>

#include "processor/stacktrace/stacktrace.h"

#define ARENA_BYTES (32u << 20)

static void check_exception(const struct sentry_exception *exception) {
  const struct sentry_stacktrace *trace = &exception->stacktrace;
  ASSERT(trace->frame_count <= SENTRY_EVENT_FRAMES_MAX);
  ASSERT(trace->frames_omitted == 0 || trace->frame_count == SENTRY_EVENT_FRAMES_MAX);
  for (uint32_t i = 0; i < trace->frame_count; i++) {
    const struct sentry_frame *frame = &trace->frames[i];
    ASSERT(frame->in_app != SENTRY_IN_APP_UNSET);
    ASSERT((frame->filename.len == 0) == (frame->abs_path.len == 0));
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  uint8_t languages = 0;
  while (stacktrace_languages[languages].name != NULL) languages++;
  uint8_t chosen = data[0] % (uint8_t)(languages + 1);
  struct slice name = slice_from_cstr(chosen < languages ? stacktrace_languages[chosen].name : "");
  struct arena arena;
  arena_init(&arena, ARENA_BYTES);
  struct sentry_exception *exceptions = NULL;
  uint32_t count = 0;
  const char *platform = NULL;
  enum status status = stacktrace_parse(name, slice_make(data + 1, size - 1), (struct slice){0}, (struct slice){0},
                                        &arena, &exceptions, &count, &platform);
  ASSERT(status == STATUS_OK || status == STATUS_NOT_FOUND || status == STATUS_NO_MEMORY);
  if (status == STATUS_OK) {
    ASSERT(count > 0 && count <= SENTRY_EVENT_EXCEPTIONS_MAX && platform != NULL);
    for (uint32_t i = 0; i < count; i++) check_exception(&exceptions[i]);
    struct sentry_event event = {.exceptions = exceptions, .exception_count = count};
    struct buffer out; // reads every slice: what points outside of the text is found by the sanitizers
    buffer_init(&out, 64u << 20);
    sentry_event_write(&event, &out);
    buffer_finish(&out);
  }
  arena_finish(&arena);
  return 0;
}
