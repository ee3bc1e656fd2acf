// SPDX-License-Identifier: Apache-2.0
//
// `culprit explain`: what the inbox would make of an event, a stack trace or a message, without a running instance.
#ifndef COLLECTOR_EXPLAIN_H
#define COLLECTOR_EXPLAIN_H

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

// argv[0] is "culprit explain". Returns the program's exit code: 0, 1 when a file could not be read or understood (the
// others are still explained), 2 on wrong usage.
int explain_main(int argc, char **argv);
// The help text, without "usage:".
extern const char explain_arguments[];
extern const char explain_help[];

// One event as JSON text, appended as one JSON line:
// {"file":…,"algorithm":…,"variants":{"app":{"hash":…,"contributes":…,
// "components":{…}},…},"fingerprint":[…],"title":…,"culprit":…,"location":…}. `enhancements` are stack-trace rules that
// come behind the built-in ones; rules inside the event (_grouping.enhancements, _fingerprinting_rules) come behind
// those. STATUS_INVALID with words when event or rules cannot be read.
enum status explain_event(const char *file, struct slice event, struct slice enhancements, struct buffer *out,
                          struct error *error);
// Exceptions and frames found in a text, appended as one JSON line: {"file":…,"platform":…,"exceptions":[…]};
// "exceptions" is empty when no language knows the text. language: a hint, may be empty.
enum status explain_stack(const char *file, struct slice text, struct slice language, struct buffer *out,
                          struct error *error);

#endif
