// SPDX-License-Identifier: Apache-2.0
//
// Rust: panics, std::backtrace, anyhow.
#ifndef PROCESSOR_STACKTRACE_STACKTRACE_RUST_H
#define PROCESSOR_STACKTRACE_STACKTRACE_RUST_H

#include "processor/stacktrace/stacktrace.h"

enum status stacktrace_rust_parse(struct slice text, struct arena *arena, struct sentry_exception **out_exceptions,
                                  uint32_t *out_count, uint32_t *out_lines_matched);

#endif
