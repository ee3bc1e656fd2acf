// SPDX-License-Identifier: Apache-2.0
//
// Elixir and Erlang.
#ifndef PROCESSOR_STACKTRACE_STACKTRACE_ELIXIR_H
#define PROCESSOR_STACKTRACE_STACKTRACE_ELIXIR_H

#include "processor/stacktrace/stacktrace.h"

enum status stacktrace_elixir_parse(struct slice text, struct arena *arena, struct sentry_exception **out_exceptions,
                                    uint32_t *out_count, uint32_t *out_lines_matched);

#endif
