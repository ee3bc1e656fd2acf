// SPDX-License-Identifier: Apache-2.0
//
// How it works: a table of the projects that have settings, sorted by id, is made anew when the version in the database
// has changed, and takes the place of the old one under a lock. What a project's settings became (a compiled scrub)
// goes on into the new table when they did not change, and is counted by who uses it, so that a request that runs
// meanwhile keeps what it began with. As long as no project scrubs in its own way, borrowing is one look at a number.
//
//   reload:  version? ── same: done
//                     └─ read the rows ── compile the changed ones ── swap the table ── set limits ── refresh keys
//
// One reload runs at a time; who asks for one while another runs waits for it and runs again, since that one may have
// begun before the caller's change.
#include "collector/project_directory.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/thread.h"
#include "store/project_settings.h"

#define SETTINGS_BYTES_MAX ((size_t)1 << 20) // of one project, without rules

struct project_shared_scrub {
  struct scrub *scrub;
  struct atomic_u64 uses; // by tables and loans
};

struct entry {
  uint32_t project;
  uint64_t version;
  struct project_shared_scrub *scrub; // NULL: as configured
  uint32_t per_minute[PROJECT_LIMITS];
};

struct project_directory {
  struct project_directory_options options;
  struct scrub *scrub; // as configured
  struct thread thread;
  struct atomic_u64 own_scrubs; // entries with a scrub
  struct mutex mutex;           // guards what follows
  struct condition changed;     // reloading or stopping
  bool reloading, stopping;
  uint64_t version;
  struct entry *entries; // sorted by project; only the reloading thread replaces them
  uint32_t count;
  char url[PROJECT_DIRECTORY_URL_BYTES_MAX]; // "": not known
};

// --- scrubbing -------------------------------------------------------------------------------------------------------

static bool switched(enum project_switch own, bool configured) {
  return own == PROJECT_AS_CONFIGURED ? configured : own == PROJECT_ON;
}

static bool scrubs_as_configured(const struct project_settings *settings) {
  return settings->scrub_enabled == PROJECT_AS_CONFIGURED && settings->scrub_defaults == PROJECT_AS_CONFIGURED &&
         settings->scrub_ip_addresses == PROJECT_AS_CONFIGURED && !settings->sensitive_keys.own &&
         !settings->safe_keys.own;
}

static struct project_shared_scrub *compile(const struct project_directory *directory,
                                            const struct project_settings *settings) {
  if (scrubs_as_configured(settings)) return NULL;
  const struct project_directory_options *options = &directory->options;
  struct scrub_options scrub = options->scrub;
  const char *safe[SCRUB_KEYS_MAX];
  scrub.enabled = switched(settings->scrub_enabled, scrub.enabled);
  scrub.defaults = switched(settings->scrub_defaults, scrub.defaults);
  scrub.ip_addresses = switched(settings->scrub_ip_addresses, scrub.ip_addresses);
  if (settings->sensitive_keys.own) {
    scrub.extra_keys = settings->sensitive_keys.items;
    scrub.extra_key_count = settings->sensitive_keys.count;
  }
  if (settings->safe_keys.own) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < options->always_safe_count && count < SCRUB_KEYS_MAX; i++)
      safe[count++] = options->always_safe[i];
    for (uint32_t i = 0; i < settings->safe_keys.count && count < SCRUB_KEYS_MAX; i++)
      safe[count++] = settings->safe_keys.items[i];
    scrub.safe_keys = safe;
    scrub.safe_key_count = count;
  }
  struct project_shared_scrub *shared = calloc(1, sizeof *shared);
  ASSERT(shared);
  shared->scrub = scrub_create(&scrub);
  atomic_u64_set(&shared->uses, 1);
  return shared;
}

static void release(struct project_shared_scrub *shared) {
  if (!shared || atomic_u64_sub(&shared->uses, 1) > 1) return;
  scrub_destroy(shared->scrub);
  free(shared);
}

// --- loading ---------------------------------------------------------------------------------------------------------

static const struct entry *find(const struct entry *entries, uint32_t count, uint32_t project) {
  uint32_t low = 0, high = count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    if (entries[middle].project == project) return &entries[middle];
    if (entries[middle].project < project) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return NULL;
}

static void drop(struct entry *entries, uint32_t count) {
  for (uint32_t i = 0; i < count; i++) release(entries[i].scrub);
  free(entries);
}

// An entry per row; what did not change is shared with the table in force.
static void load_entries(const struct project_directory *directory, struct connection *reader,
                         struct entry *out_entries, uint32_t *out_count) {
  struct project_settings_row *rows = calloc(PROJECT_SETTINGS_MAX, sizeof *rows);
  ASSERT(rows);
  struct arena arena;
  arena_init(&arena, SETTINGS_BYTES_MAX);
  *out_count = project_settings_rows(reader, rows, PROJECT_SETTINGS_MAX);
  for (uint32_t i = 0; i < *out_count; i++) {
    const struct entry *old = find(directory->entries, directory->count, rows[i].project);
    if (old && old->version == rows[i].version) {
      out_entries[i] = *old;
      if (old->scrub) atomic_u64_add(&old->scrub->uses, 1);
      continue;
    }
    struct project_settings settings;
    arena_reset(&arena);
    project_settings_read(reader, rows[i].project, &arena, &settings);
    out_entries[i] = (struct entry){.project = rows[i].project, .version = rows[i].version};
    out_entries[i].scrub = compile(directory, &settings);
    memcpy(out_entries[i].per_minute, settings.per_minute, sizeof settings.per_minute);
  }
  arena_finish(&arena);
  free(rows);
}

static void set_limits(const struct project_directory *directory, const struct entry *entries, uint32_t count) {
  if (!directory->options.limits) return;
  struct sentry_limit_rates *rates = calloc(count + 1, sizeof *rates);
  ASSERT(rates);
  for (uint32_t i = 0; i < count; i++) {
    rates[i].project = entries[i].project;
    rates[i].per_minute[SENTRY_LIMIT_ERROR] = entries[i].per_minute[PROJECT_LIMIT_EVENTS];
    rates[i].per_minute[SENTRY_LIMIT_TRANSACTION] = entries[i].per_minute[PROJECT_LIMIT_TRANSACTIONS];
    rates[i].per_minute[SENTRY_LIMIT_LOG] = entries[i].per_minute[PROJECT_LIMIT_LOGS];
  }
  sentry_limit_set(directory->options.limits, rates, count);
  free(rates);
}

static void take_over(struct project_directory *directory, struct entry *entries, uint32_t count, uint64_t version) {
  uint64_t own = 0;
  for (uint32_t i = 0; i < count; i++) own += entries[i].scrub != NULL;
  mutex_lock(&directory->mutex);
  struct entry *old = directory->entries;
  uint32_t old_count = directory->count;
  directory->entries = entries;
  directory->count = count;
  directory->version = version;
  mutex_unlock(&directory->mutex);
  atomic_u64_set(&directory->own_scrubs, own);
  set_limits(directory, entries, count);
  drop(old, old_count);
}

// Called by the one thread that is reloading.
static enum status load(struct project_directory *directory, struct error *error) {
  struct connection *reader = database_read_begin(directory->options.database, error);
  if (!reader) return STATUS_UNAVAILABLE;
  uint64_t version = project_settings_version(reader);
  bool changed = version != directory->version;
  struct entry *entries = NULL;
  uint32_t count = 0;
  if (changed) {
    entries = calloc(PROJECT_SETTINGS_MAX, sizeof *entries);
    ASSERT(entries);
    load_entries(directory, reader, entries, &count);
  }
  enum status status = database_read_end(directory->options.database, reader, error);
  if (status != STATUS_OK) {
    drop(entries, count);
  } else if (changed) {
    take_over(directory, entries, count, version);
    if (directory->options.keys) project_keys_refresh(directory->options.keys);
  }
  return status;
}

static enum status reload(struct project_directory *directory, struct error *error) {
  mutex_lock(&directory->mutex);
  while (directory->reloading) condition_wait(&directory->changed, &directory->mutex);
  directory->reloading = true;
  mutex_unlock(&directory->mutex);
  enum status status = load(directory, error);
  mutex_lock(&directory->mutex);
  directory->reloading = false;
  condition_broadcast(&directory->changed);
  mutex_unlock(&directory->mutex);
  return status;
}

static void run(void *context) {
  struct project_directory *directory = context;
  enum status last = STATUS_OK;
  for (;;) {
    mutex_lock(&directory->mutex);
    if (!directory->stopping) condition_wait_for(&directory->changed, &directory->mutex, PROJECT_DIRECTORY_LAG_NS);
    bool stopping = directory->stopping;
    mutex_unlock(&directory->mutex);
    if (stopping) return;
    struct error error = {0};
    enum status status = reload(directory, &error);
    if (status != STATUS_OK && last == STATUS_OK) {
      log_write(LOG_WARN, "projects", "projects and settings cannot be read; those known stay in force",
                LOG_FIELDS(log_text("reason", error.text)));
    }
    last = status;
  }
}

// --- for all ---------------------------------------------------------------------------------------------------------

enum status project_directory_start(const struct project_directory_options *options,
                                    struct project_directory **out_directory, struct error *error) {
  struct project_directory *directory = calloc(1, sizeof *directory);
  ASSERT(directory);
  directory->options = *options;
  directory->scrub = scrub_create(&options->scrub);
  mutex_init(&directory->mutex);
  condition_init(&directory->changed);
  enum status status = reload(directory, error);
  if (status == STATUS_OK) {
    status = thread_start(&directory->thread, "projects", run, directory);
    if (status != STATUS_OK) error_set(error, status, "projects: no thread can be started");
  }
  if (status != STATUS_OK) {
    project_directory_stop(directory);
    return status;
  }
  *out_directory = directory;
  return STATUS_OK;
}

void project_directory_stop(struct project_directory *directory) {
  if (!directory) return;
  mutex_lock(&directory->mutex);
  directory->stopping = true;
  condition_broadcast(&directory->changed);
  mutex_unlock(&directory->mutex);
  thread_join(&directory->thread);
  drop(directory->entries, directory->count);
  scrub_destroy(directory->scrub);
  condition_finish(&directory->changed);
  mutex_finish(&directory->mutex);
  free(directory);
}

void project_directory_reload(struct project_directory *directory) {
  struct error error = {0};
  if (reload(directory, &error) == STATUS_OK) return; // else the thread goes on trying
  log_write(LOG_WARN, "projects", "a change of projects is not in force yet",
            LOG_FIELDS(log_text("reason", error.text)));
}

uint64_t project_directory_version(struct project_directory *directory) {
  mutex_lock(&directory->mutex);
  uint64_t version = directory->version;
  mutex_unlock(&directory->mutex);
  return version;
}

struct project_loan project_directory_borrow(struct project_directory *directory, uint32_t project) {
  struct project_loan loan = {.scrub = directory->scrub};
  if (atomic_u64_get_relaxed(&directory->own_scrubs) == 0) return loan;
  mutex_lock(&directory->mutex);
  const struct entry *entry = find(directory->entries, directory->count, project);
  if (entry && entry->scrub) {
    loan = (struct project_loan){.scrub = entry->scrub->scrub, .shared = entry->scrub};
    atomic_u64_add(&loan.shared->uses, 1);
  }
  mutex_unlock(&directory->mutex);
  return loan;
}

void project_directory_give_back(struct project_directory *directory, struct project_loan loan) {
  (void)directory;
  release(loan.shared);
}

void project_directory_format_url(const struct options *options, const char *address,
                                  char out_url[PROJECT_DIRECTORY_URL_BYTES_MAX]) {
  bool own = options->ingest_public_url[0] != 0;
  snprintf(out_url, PROJECT_DIRECTORY_URL_BYTES_MAX, "%s%s",
           own                              ? ""
           : options->tls_http.cert_file[0] ? "https://"
                                            : "http://",
           own ? options->ingest_public_url : address);
}

void project_directory_set_url(struct project_directory *directory, const char *url) {
  mutex_lock(&directory->mutex);
  snprintf(directory->url, sizeof directory->url, "%s", url);
  mutex_unlock(&directory->mutex);
}

void project_directory_format_dsn(const char *url, uint32_t project, const char *key,
                                  char out_dsn[PROJECT_DIRECTORY_DSN_BYTES_MAX]) {
  const char *host = strstr(url, "://");
  ASSERT(host);
  host += strlen("://");
  size_t len = strlen(host);
  while (len > 0 && host[len - 1] == '/') len--;
  snprintf(out_dsn, PROJECT_DIRECTORY_DSN_BYTES_MAX, "%.*s%s@%.*s/%" PRIu32, (int)(host - url), url, key, (int)len,
           host, project);
}

bool project_directory_dsn(struct project_directory *directory, uint32_t project, const char *key,
                           char out_dsn[PROJECT_DIRECTORY_DSN_BYTES_MAX]) {
  char url[sizeof directory->url];
  mutex_lock(&directory->mutex);
  memcpy(url, directory->url, sizeof url);
  mutex_unlock(&directory->mutex);
  if (!url[0]) return false;
  project_directory_format_dsn(url, project, key, out_dsn);
  return true;
}
