// SPDX-License-Identifier: Apache-2.0
//
// Projects and their ingest keys. A fresh install has one project, `default`, with a random key. What is set for a
// project is in store/project_settings.h, whose version counts every change made here. Any thread.
#ifndef STORE_PROJECT_STORE_H
#define STORE_PROJECT_STORE_H

#include "base/arena.h"
#include "store/database.h"

#define PROJECT_STORE_DEFAULT        1 // id of the project `default`
#define PROJECT_STORE_SLUG_BYTES_MAX 50
#define PROJECT_STORE_KEY_BYTES      32 // hex digits
#define PROJECT_STORE_PROJECTS_MAX   10000
#define PROJECT_STORE_KEYS_MAX       16384 // of all projects, refused ones included
#define PROJECT_STORE_OWN_KEYS_MAX   100   // of one project

struct project {
  uint32_t id;
  char slug[PROJECT_STORE_SLUG_BYTES_MAX + 1];
  char key[PROJECT_STORE_KEY_BYTES + 1]; // the oldest active one, "" when there is none
};

// Makes the project `default` and a key for it when they are missing.
enum status project_store_ensure_default(struct database *database, const struct clock *clock,
                                         struct project *out_project, struct error *error);
// slug: 1 to 50 of a-z, 0-9, '-' and '_', not starting with '-'. STATUS_INVALID, STATUS_CONFLICT when it is taken or
// there are as many projects as there may be.
enum status project_store_create(struct database *database, const struct clock *clock, struct slice slug,
                                 struct project *out_project, struct error *error);
// Another key for a project. STATUS_NOT_FOUND, STATUS_CONFLICT when it has as many as it may have.
enum status project_store_add_key(struct database *database, const struct clock *clock, uint32_t project,
                                  char out_key[PROJECT_STORE_KEY_BYTES + 1], struct error *error);
// All projects by id, up to max; *out_count is how many were filled.
enum status project_store_list(struct database *database, struct project *out_projects, uint32_t max,
                               uint32_t *out_count, struct error *error);
// All active keys, ordered by key, up to max.
struct project_key {
  uint32_t project;
  char key[PROJECT_STORE_KEY_BYTES + 1];
  char slug[PROJECT_STORE_SLUG_BYTES_MAX + 1];
};
enum status project_store_list_keys(struct database *database, struct project_key *out_keys, uint32_t max,
                                    uint32_t *out_count, struct error *error);
// Makes a key one that is refused, or honoured again; or forgets it. STATUS_NOT_FOUND when the project has no such key.
enum status project_store_set_key_active(struct database *database, uint32_t project, struct slice key, bool active,
                                         struct error *error);
enum status project_store_remove_key(struct database *database, uint32_t project, struct slice key,
                                     struct error *error);
// The project an active key belongs to. STATUS_NOT_FOUND.
enum status project_store_find_key(struct database *database, struct slice key, uint32_t *out_project,
                                   struct error *error);

// Inside a reader's transaction, for answers of one moment; failures stay in the connection.
struct project_row {
  uint32_t id;
  uint64_t created_ns;
  char slug[PROJECT_STORE_SLUG_BYTES_MAX + 1];
};
struct project_key_row {
  char key[PROJECT_STORE_KEY_BYTES + 1];
  bool active;
  uint64_t created_ns;
};
// The project called `slug`; false when there is none.
bool project_store_find(struct connection *reader, struct slice slug, struct project_row *out_row);
// The project with this id.
bool project_store_get(struct connection *reader, uint32_t id, struct project_row *out_row);
// Up to max slugs, in order, copied into the arena; how many. For lack of memory the connection fails.
uint32_t project_store_slugs(struct connection *reader, struct arena *arena, struct slice *out_slugs, uint32_t max);
// The first project behind the id `after`; false at the end.
bool project_store_next(struct connection *reader, uint32_t after, struct project_row *out_row);
// All keys of a project, the oldest first, up to max; how many.
uint32_t project_store_keys_of(struct connection *reader, uint32_t project, struct project_key_row *out_keys,
                               uint32_t max);

#endif
