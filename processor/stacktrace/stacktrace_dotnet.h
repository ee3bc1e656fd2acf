// SPDX-License-Identifier: Apache-2.0
//
// .NET's Exception.ToString, Mono's included.
#ifndef PROCESSOR_STACKTRACE_STACKTRACE_DOTNET_H
#define PROCESSOR_STACKTRACE_STACKTRACE_DOTNET_H

#include "processor/stacktrace/stacktrace.h"

enum status stacktrace_dotnet_parse(struct slice text, struct arena *arena, struct sentry_exception **out_exceptions,
                                    uint32_t *out_count, uint32_t *out_lines_matched);

#endif
