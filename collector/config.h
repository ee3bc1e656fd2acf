// SPDX-License-Identifier: Apache-2.0
//
// Effective configuration: defaults, then the YAML file, then CULPRIT_… variables; ${env:NAME} and ${env:NAME:-default}
// expand in values. One constant table of fields serves parsing, checking, printing and help.
#ifndef COLLECTOR_CONFIG_H
#define COLLECTOR_CONFIG_H

#include "base/buffer.h"
#include "base/status.h"
#include "collector/options.h"

// One finding: "culprit.yaml:12: sampling.decision_wait: must be a time like 10s (ms, s, m, h, d)". All findings of a
// file are reported, not only the first.
struct config_problem {
  char text[640];
};
#define CONFIG_PROBLEMS_MAX 32
struct config_problems {
  struct config_problem items[CONFIG_PROBLEMS_MAX];
  uint32_t count;
};

// path NULL: no file. environment: NULL-ended "NAME=value" list (environ). STATUS_OK, or STATUS_INVALID with problems.
// On success the options are the caller's (options_finish).
enum status config_load(const char *path, char *const *environment, struct options *out_options,
                        struct config_problems *out_problems);

// The same for `culprit check`, and whether the files it names can be used: certificates and keys.
enum status config_check(const char *path, char *const *environment, struct config_problems *out_problems);

// Appends the effective configuration as YAML, each value with its source as a comment (default, file:line,
// environment). Same arguments and failures as config_load. Secrets (keys, header values) are printed as "***".
enum status config_print(const char *path, char *const *environment, struct buffer *out,
                         struct config_problems *out_problems);

// The table of keys for `culprit help config` and the README: one line each.
void config_describe(struct buffer *out);

#endif
