// SPDX-License-Identifier: Apache-2.0
//
// Stack traces as text to exceptions with frames, one parser per language, each total (any bytes give an answer) and
// linear. The result is in Sentry's order: exceptions oldest cause first, the one raised last; frames outermost first,
// the crash last. Frames are capped at SENTRY_EVENT_FRAMES_MAX (cut from the middle, frames_omitted says how many).
// Pure; any thread.
#ifndef PROCESSOR_STACKTRACE_STACKTRACE_H
#define PROCESSOR_STACKTRACE_STACKTRACE_H

#include "base/arena.h"
#include "base/slice.h"
#include "base/status.h"
#include "proto/sentry_event.h"

struct stacktrace_language {
  const char *name;     // telemetry.sdk.language: "python", "java", "nodejs", "go", …
  const char *platform; // Sentry platform: "python", "java", "node", "javascript", "go", …
  // Fills exceptions and matched lines; *out_lines_matched 0: not this language.
  enum status (*parse)(struct slice text, struct arena *arena, struct sentry_exception **out_exceptions,
                       uint32_t *out_count, uint32_t *out_lines_matched);
};
// All languages, one array; NULL name at the end.
extern const struct stacktrace_language stacktrace_languages[];

// Parses with the language hinted at (telemetry.sdk.language, may be empty) when its shape fits, else with the language
// that matches most lines. STATUS_NOT_FOUND when none matches a line: the text is kept by the caller as it is. type and
// message (exception.type, exception.message) win over what the text says for the exception raised. *out_platform is
// the Sentry platform found.
enum status stacktrace_parse(struct slice language, struct slice text, struct slice type, struct slice message,
                             struct arena *arena, struct sentry_exception **out_exceptions, uint32_t *out_count,
                             const char **out_platform);

// What stacktrace_parse does with type and message, for an exception without a stack trace: "java.io.IOException"
// becomes type and module on platforms whose SDKs send them apart.
void stacktrace_name(struct sentry_exception *exception, const char *platform, struct slice type, struct slice message);

#endif
