// SPDX-License-Identifier: Apache-2.0
//
// What is set for one project: how its data are scrubbed, its rate limits, its grouping rules. What is not set is as
// the configuration has it. The texts of rules live in store/grouping_history, which keeps those that were replaced;
// whether they can be read is for the caller to check before (processor/grouping_check).
//
// Every change of projects, keys or settings counts one number up, project_settings_version: a process that keeps a
// copy asks for that alone, and sees changes that another process made. Any thread; functions on a connection work
// inside its transaction, and their texts live in the arena given.
#ifndef STORE_PROJECT_SETTINGS_H
#define STORE_PROJECT_SETTINGS_H

#include "base/arena.h"
#include "store/project_store.h"

#define PROJECT_SETTINGS_MAX             1000 // projects with settings of their own
#define PROJECT_SETTINGS_KEYS_MAX        100  // of each list
#define PROJECT_SETTINGS_KEY_BYTES_MAX   128
#define PROJECT_SETTINGS_RULES_BYTES_MAX ((size_t)100 << 10) // of each text
#define PROJECT_SETTINGS_RULES_MAX       1000                // in each text; for those who check
#define PROJECT_SETTINGS_PER_MINUTE_MAX  1000000000

enum project_switch { PROJECT_AS_CONFIGURED, PROJECT_ON, PROJECT_OFF };
enum project_limit { PROJECT_LIMIT_EVENTS, PROJECT_LIMIT_TRANSACTIONS, PROJECT_LIMIT_LOGS, PROJECT_LIMITS };

struct project_key_list {
  bool own;                 // false: as configured
  const char *const *items; // without control characters
  uint32_t count;
};

struct project_settings {
  uint64_t version; // of the last change; 0: nothing was ever set
  enum project_switch scrub_enabled, scrub_defaults, scrub_ip_addresses;
  struct project_key_list sensitive_keys, safe_keys;
  uint32_t per_minute[PROJECT_LIMITS];          // 0: no limit
  struct slice enhancements, fingerprint_rules; // empty: none; project_settings_read_rules
};

// The members of a change: PROJECT_SET_LIMIT + enum project_limit for the limits.
enum project_setting {
  PROJECT_SET_SCRUB_ENABLED,
  PROJECT_SET_SCRUB_DEFAULTS,
  PROJECT_SET_SCRUB_IP_ADDRESSES,
  PROJECT_SET_SENSITIVE_KEYS,
  PROJECT_SET_SAFE_KEYS,
  PROJECT_SET_ENHANCEMENTS,
  PROJECT_SET_FINGERPRINT_RULES,
  PROJECT_SET_LIMIT,
  PROJECT_SETTINGS = PROJECT_SET_LIMIT + PROJECT_LIMITS
};

// A project's settings without the texts of rules; all as configured when it has none. A failure, a full arena too,
// stays in the connection.
void project_settings_read(struct connection *reader, uint32_t project, struct arena *arena,
                           struct project_settings *out_settings);
// Fills in the texts of rules alone.
void project_settings_read_rules(struct connection *reader, uint32_t project, struct arena *arena,
                                 struct project_settings *settings);
// The projects that have settings and their versions, up to max; how many.
struct project_settings_row {
  uint32_t project;
  uint64_t version;
};
uint32_t project_settings_rows(struct connection *reader, struct project_settings_row *out_rows, uint32_t max);
uint64_t project_settings_version(struct connection *reader);

// Changes the members whose bits (1 << enum project_setting) are set. STATUS_NOT_FOUND without such a project,
// STATUS_INVALID and STATUS_TOO_LARGE when a value is out of bounds (error names it), STATUS_CONFLICT when
// PROJECT_SETTINGS_MAX others have settings.
struct project_settings_change {
  uint32_t project, members;
  const struct project_settings *settings;
};
enum status project_settings_change(struct database *database, const struct clock *clock,
                                    const struct project_settings_change *change, struct error *error);
// For the files of store/ that change projects: counts the version up and returns it.
uint64_t project_settings_bump(struct connection *writer);

#endif
