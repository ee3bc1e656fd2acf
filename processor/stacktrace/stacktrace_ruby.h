// SPDX-License-Identifier: Apache-2.0
//
// Ruby's full_message and backtraces, either order; JRuby's Ruby frames.
#ifndef PROCESSOR_STACKTRACE_STACKTRACE_RUBY_H
#define PROCESSOR_STACKTRACE_STACKTRACE_RUBY_H

#include "processor/stacktrace/stacktrace.h"

enum status stacktrace_ruby_parse(struct slice text, struct arena *arena, struct sentry_exception **out_exceptions,
                                  uint32_t *out_count, uint32_t *out_lines_matched);

#endif
