// SPDX-License-Identifier: Apache-2.0
//
// Stacks of JavaScript engines: V8 (Node, Chrome, Edge, Deno, Bun, Hermes), SpiderMonkey (Firefox), JavaScriptCore
// (Safari).
#ifndef PROCESSOR_STACKTRACE_STACKTRACE_JAVASCRIPT_H
#define PROCESSOR_STACKTRACE_STACKTRACE_JAVASCRIPT_H

#include "processor/stacktrace/stacktrace.h"

// As the SDK for Node names things; frames at http addresses are read but do not count as matched.
enum status stacktrace_javascript_parse_node(struct slice text, struct arena *arena,
                                             struct sentry_exception **out_exceptions, uint32_t *out_count,
                                             uint32_t *out_lines_matched);
// As the SDK for browsers names things.
enum status stacktrace_javascript_parse_browser(struct slice text, struct arena *arena,
                                                struct sentry_exception **out_exceptions, uint32_t *out_count,
                                                uint32_t *out_lines_matched);

#endif
