// SPDX-License-Identifier: Apache-2.0
//
// How it works: the copy is sorted by key and searched by halves, under a lock. Who finds it wanting reads the database
// outside the lock, while others who do too wait for the result; a key made a moment ago is therefore known at its
// first use, and one that was taken away is refused within REFRESH_NS.
#include "collector/project_keys.h"

#include <assert.h>
#include <stdlib.h>

#include "base/thread.h"

#define MISS_NS    NS_PER_S
#define REFRESH_NS (10 * NS_PER_S)
#define WAIT_NS    (5 * NS_PER_S)

struct project_keys {
  struct database *database;
  const struct clock *clock;
  struct mutex mutex; // guards what follows
  struct condition refreshed;
  struct project_key *keys; // sorted
  uint32_t count;
  bool refreshing, loaded;
  uint64_t loaded_ns, missed_ns; // missed: when an unknown key was last the reason; 0: never
};

struct project_keys *project_keys_create(struct database *database, const struct clock *clock) {
  struct project_keys *keys = calloc(1, sizeof(*keys));
  ASSERT(keys);
  keys->database = database;
  keys->clock = clock;
  mutex_init(&keys->mutex);
  condition_init(&keys->refreshed);
  return keys;
}

void project_keys_destroy(struct project_keys *keys) {
  if (!keys) return;
  free(keys->keys);
  condition_finish(&keys->refreshed);
  mutex_finish(&keys->mutex);
  free(keys);
}

static int compare(const void *wanted, const void *entry) {
  return slice_compare(*(const struct slice *)wanted, slice_from_cstr(((const struct project_key *)entry)->key));
}

static const struct project_key *search(const struct project_keys *keys, struct slice key) {
  return keys->count ? bsearch(&key, keys->keys, keys->count, sizeof(*keys->keys), compare) : NULL;
}

// Called and left with the lock held; not held meanwhile.
static enum status refresh(struct project_keys *keys, struct error *error) {
  keys->refreshing = true;
  mutex_unlock(&keys->mutex);
  struct project_key *fresh = calloc(PROJECT_STORE_KEYS_MAX, sizeof(*fresh));
  ASSERT(fresh);
  uint32_t count = 0;
  enum status status = project_store_list_keys(keys->database, fresh, PROJECT_STORE_KEYS_MAX, &count, error);
  if (status == STATUS_OK) {
    struct project_key *fitting = realloc(fresh, (count ? count : 1) * sizeof(*fresh));
    if (fitting) fresh = fitting;
  }
  mutex_lock(&keys->mutex);
  if (status == STATUS_OK) {
    free(keys->keys);
    keys->keys = fresh;
    keys->count = count;
    keys->loaded = true;
  } else {
    free(fresh);
  }
  keys->loaded_ns = clock_monotonic_ns(keys->clock); // of a failure too: it is not asked for at once again
  keys->refreshing = false;
  condition_broadcast(&keys->refreshed);
  return status;
}

void project_keys_refresh(struct project_keys *keys) {
  mutex_lock(&keys->mutex);
  while (keys->refreshing) condition_wait(&keys->refreshed, &keys->mutex); // it may have begun before the change
  refresh(keys, NULL);                                                     // a failure is mended by REFRESH_NS
  mutex_unlock(&keys->mutex);
}

enum status project_keys_find(void *context, struct slice key, struct sentry_auth_project *out_project,
                              struct error *error) {
  struct project_keys *keys = context;
  enum status status = STATUS_OK;
  mutex_lock(&keys->mutex);
  const struct project_key *found = search(keys, key);
  uint64_t now_ns = clock_monotonic_ns(keys->clock);
  bool wanting = !keys->loaded || now_ns - keys->loaded_ns >= REFRESH_NS;
  if (!found && (keys->missed_ns == 0 || now_ns - keys->missed_ns >= MISS_NS)) {
    wanting = true;
    keys->missed_ns = now_ns;
  }
  if (keys->refreshing && !found) {
    while (keys->refreshing && condition_wait_for(&keys->refreshed, &keys->mutex, WAIT_NS)) continue;
  } else if (wanting && !keys->refreshing) {
    status = refresh(keys, error);
  }
  found = search(keys, key); // a failure to refresh leaves the old copy, which is good for what it knows
  if (found) {
    out_project->id = found->project;
    static_assert(sizeof(out_project->name) == sizeof(found->slug), "a slug is the name");
    memcpy(out_project->name, found->slug, sizeof(found->slug));
  }
  bool loaded = keys->loaded;
  mutex_unlock(&keys->mutex);
  if (found) return STATUS_OK;
  if (status != STATUS_OK || !loaded) return error_set(error, STATUS_UNAVAILABLE, "the keys cannot be read now");
  return STATUS_NOT_FOUND;
}
