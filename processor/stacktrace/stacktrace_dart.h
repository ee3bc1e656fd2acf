// SPDX-License-Identifier: Apache-2.0
//
// Dart and Flutter.
#ifndef PROCESSOR_STACKTRACE_STACKTRACE_DART_H
#define PROCESSOR_STACKTRACE_STACKTRACE_DART_H

#include "processor/stacktrace/stacktrace.h"

enum status stacktrace_dart_parse(struct slice text, struct arena *arena, struct sentry_exception **out_exceptions,
                                  uint32_t *out_count, uint32_t *out_lines_matched);

#endif
