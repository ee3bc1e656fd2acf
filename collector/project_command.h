// SPDX-License-Identifier: Apache-2.0
//
// `culprit project create|list|key|revoke|rules`: projects, their DSNs and their grouping rules, on the database file
// of a data directory. It works beside a running culprit, which knows a new key at its first use and everything else
// within a second.
#ifndef COLLECTOR_PROJECT_COMMAND_H
#define COLLECTOR_PROJECT_COMMAND_H

// argv[0] is "culprit project"; returns the exit code (0, 1 failed, 2 wrong usage).
int project_command_main(int argc, char **argv);

#endif
