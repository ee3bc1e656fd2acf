// SPDX-License-Identifier: Apache-2.0
//
// Which ingest key is whose, from memory: a copy of the database's keys that is made anew when who watches the database
// says so (collector/project_directory), when a key is unknown (at most once a second) or the copy has become old, so
// that a flood of requests with any keys costs the database nothing. Any thread may ask.
#ifndef COLLECTOR_PROJECT_KEYS_H
#define COLLECTOR_PROJECT_KEYS_H

#include "receiver/sentry_auth.h"
#include "store/project_store.h"

struct project_keys;

struct project_keys *project_keys_create(struct database *database, const struct clock *clock);
void project_keys_destroy(struct project_keys *keys);
// Reads the keys anew: those of the database at the time of the call are honoured, others refused, when it returns.
void project_keys_refresh(struct project_keys *keys);
// For sentry_auth_directory, with the project_keys as its context.
enum status project_keys_find(void *keys, struct slice key, struct sentry_auth_project *out_project,
                              struct error *error);

#endif
