// SPDX-License-Identifier: Apache-2.0
//
// C, C++, Objective-C and Swift: AddressSanitizer, gdb, glibc's backtrace_symbols, Apple's crash reports and call
// stacks.
#ifndef PROCESSOR_STACKTRACE_STACKTRACE_NATIVE_H
#define PROCESSOR_STACKTRACE_STACKTRACE_NATIVE_H

#include "processor/stacktrace/stacktrace.h"

enum status stacktrace_native_parse(struct slice text, struct arena *arena, struct sentry_exception **out_exceptions,
                                    uint32_t *out_count, uint32_t *out_lines_matched);

#endif
