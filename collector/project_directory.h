// SPDX-License-Identifier: Apache-2.0
//
// The projects as the running program uses them: their keys, their rate limits and how their data are scrubbed, kept
// in step with the database. A change made here (project_directory_reload) holds at once, one that another process made
// within PROJECT_DIRECTORY_LAG_NS: a thread asks the database for its version that often.
//
// Any thread, except start and stop.
#ifndef COLLECTOR_PROJECT_DIRECTORY_H
#define COLLECTOR_PROJECT_DIRECTORY_H

#include "collector/options.h"
#include "collector/project_keys.h"
#include "processor/scrub.h"
#include "receiver/sentry_limit.h"

#define PROJECT_DIRECTORY_LAG_NS        (500 * NS_PER_MS)
#define PROJECT_DIRECTORY_URL_BYTES_MAX 400 // further bytes of a longer one are left out
#define PROJECT_DIRECTORY_DSN_BYTES_MAX 512

struct project_directory;

struct project_directory_options {
  struct database *database;
  struct project_keys *keys;   // refreshed after a change; NULL: none
  struct sentry_limit *limits; // set after a change; NULL: none
  // As configured, for projects that set nothing; borrowed. The safe keys hold those of `always_safe` too.
  struct scrub_options scrub;
  const char *const *always_safe; // whatever a project says: what requests are found by
  uint32_t always_safe_count;
};

// Reads everything once and starts the thread.
enum status project_directory_start(const struct project_directory_options *options,
                                    struct project_directory **out_directory, struct error *error);
// Every loan must have been given back.
void project_directory_stop(struct project_directory *directory);
// What was committed before the call holds when it returns; when the database cannot be read, soon.
void project_directory_reload(struct project_directory *directory);

// Of what is in force: another number after every change.
uint64_t project_directory_version(struct project_directory *directory);

// How the data of a project are scrubbed. The scrub stays good until the loan is given back, whatever changes
// meanwhile.
struct project_shared_scrub;
struct project_loan {
  const struct scrub *scrub;
  struct project_shared_scrub *shared;
};
struct project_loan project_directory_borrow(struct project_directory *directory, uint32_t project);
void project_directory_give_back(struct project_directory *directory, struct project_loan loan);

// Where SDKs send to: ingest.public_url, else "http://127.0.0.1:4318" for the address in use.
void project_directory_format_url(const struct options *options, const char *address,
                                  char out_url[PROJECT_DIRECTORY_URL_BYTES_MAX]);
void project_directory_set_url(struct project_directory *directory, const char *url);
// "http://<key>@127.0.0.1:4318/1"; false before the URL is known.
bool project_directory_dsn(struct project_directory *directory, uint32_t project, const char *key,
                           char out_dsn[PROJECT_DIRECTORY_DSN_BYTES_MAX]);
// The same for any URL.
void project_directory_format_dsn(const char *url, uint32_t project, const char *key,
                                  char out_dsn[PROJECT_DIRECTORY_DSN_BYTES_MAX]);

#endif
