// SPDX-License-Identifier: Apache-2.0
//
// PHP's own form and the Java-like one of OpenTelemetry's PHP SDK.
#ifndef PROCESSOR_STACKTRACE_STACKTRACE_PHP_H
#define PROCESSOR_STACKTRACE_STACKTRACE_PHP_H

#include "processor/stacktrace/stacktrace.h"

enum status stacktrace_php_parse(struct slice text, struct arena *arena, struct sentry_exception **out_exceptions,
                                 uint32_t *out_count, uint32_t *out_lines_matched);

#endif
