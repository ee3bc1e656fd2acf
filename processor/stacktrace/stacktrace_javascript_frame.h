// SPDX-License-Identifier: Apache-2.0
//
// One line of a JavaScript stack. For stacktrace_javascript.c.
#ifndef PROCESSOR_STACKTRACE_STACKTRACE_JAVASCRIPT_FRAME_H
#define PROCESSOR_STACKTRACE_STACKTRACE_JAVASCRIPT_FRAME_H

#include "processor/stacktrace/stacktrace.h"

enum stacktrace_javascript_frame_kind {
  STACKTRACE_JAVASCRIPT_FRAME_NONE, // not the shape of a frame
  STACKTRACE_JAVASCRIPT_FRAME_SKIP, // a line of the stack that is no call ("at async Promise.all (index 0)")
  STACKTRACE_JAVASCRIPT_FRAME,
};

// "at f (file:1:2)" and its relatives. `browser`: the conventions of the SDK for browsers, else of that for Node.
enum stacktrace_javascript_frame_kind
stacktrace_javascript_frame_v8(struct slice line, bool browser, struct arena *arena, struct sentry_frame *out_frame);
// "f@https://host/file.js:1:2" and its relatives (Firefox, Safari).
enum stacktrace_javascript_frame_kind stacktrace_javascript_frame_gecko(struct slice line,
                                                                        struct sentry_frame *out_frame);

#endif
