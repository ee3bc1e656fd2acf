// SPDX-License-Identifier: Apache-2.0
//
// Python tracebacks as the traceback module prints them, chains and exception groups included.
#ifndef PROCESSOR_STACKTRACE_STACKTRACE_PYTHON_H
#define PROCESSOR_STACKTRACE_STACKTRACE_PYTHON_H

#include "processor/stacktrace/stacktrace.h"

enum status stacktrace_python_parse(struct slice text, struct arena *arena, struct sentry_exception **out_exceptions,
                                    uint32_t *out_count, uint32_t *out_lines_matched);

#endif
