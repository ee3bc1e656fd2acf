// SPDX-License-Identifier: Apache-2.0
//
// `culprit rules check|explain`: a team's grouping rules without a running instance. check says everything that is
// wrong in files of rules; explain says what rules make of events: for every frame which rule set what, which
// fingerprint rule matched, and the hashes.
#ifndef COLLECTOR_RULES_COMMAND_H
#define COLLECTOR_RULES_COMMAND_H

#include "base/buffer.h"
#include "processor/grouping.h"

// argv[0] is "culprit rules"; returns the exit code (0, 1 something is wrong, 2 wrong usage).
int rules_command_main(int argc, char **argv);

// Explains one event (JSON of an SDK, or what GET /api/v1/events/{id} answers), appended as text for people. The names
// are of the files the rules came from, for "FILE:LINE". STATUS_INVALID when it is no event.
struct rules_names {
  const char *stack, *fingerprint;
};
enum status rules_command_explain(const char *file, struct slice json, const struct grouping_config *config,
                                  const struct rules_names *names, struct buffer *out, struct error *error);

#endif
