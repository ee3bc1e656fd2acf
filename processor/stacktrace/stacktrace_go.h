// SPDX-License-Identifier: Apache-2.0
//
// Go: debug.Stack, what a panic prints, and the "%+v" of github.com/pkg/errors.
#ifndef PROCESSOR_STACKTRACE_STACKTRACE_GO_H
#define PROCESSOR_STACKTRACE_STACKTRACE_GO_H

#include "processor/stacktrace/stacktrace.h"

enum status stacktrace_go_parse(struct slice text, struct arena *arena, struct sentry_exception **out_exceptions,
                                uint32_t *out_count, uint32_t *out_lines_matched);

#endif
