// SPDX-License-Identifier: Apache-2.0
//
// Stack traces of the JVM (Java, Kotlin, Scala, Clojure; Android) as printStackTrace and Logback print them.
#ifndef PROCESSOR_STACKTRACE_STACKTRACE_JAVA_H
#define PROCESSOR_STACKTRACE_STACKTRACE_JAVA_H

#include "processor/stacktrace/stacktrace.h"

enum status stacktrace_java_parse(struct slice text, struct arena *arena, struct sentry_exception **out_exceptions,
                                  uint32_t *out_count, uint32_t *out_lines_matched);
// The chain in the form of Java with frames of another language: OpenTelemetry's PHP SDK prints "\tat
// Shop.pay(cart.php:12)". `frame` takes "Shop.pay(cart.php:12)" apart, false when it is none; `header` splits "type:
// message".
enum status stacktrace_java_parse_like(struct slice text, struct arena *arena,
                                       bool (*frame)(struct slice text, struct sentry_frame *out_frame),
                                       void (*header)(struct slice text, struct sentry_exception *exception),
                                       struct sentry_exception **out_exceptions, uint32_t *out_count,
                                       uint32_t *out_lines_matched);

#endif
