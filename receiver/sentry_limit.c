// SPDX-License-Identifier: Apache-2.0
//
// How it works: a bucket is one time, when it would be empty again if nothing more came (the "theoretical arrival time"
// of GCRA). A unit moves it on by 60 s / rate; there is room for one as long as that leaves it at most 60 s ahead of
// now. `closed_ns` holds the door shut from the moment there was no room, so that an SDK does not come back for every
// single unit.
#include "receiver/sentry_limit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/thread.h"

#define MINUTE_NS (60 * NS_PER_S)
#define CLOSED_NS (6 * NS_PER_S)
#define DEBT_NS   (SENTRY_LIMIT_WAIT_MAX_S * NS_PER_S)

// The names of a category in the header; what SDKs call errors has two.
static const char *const names[SENTRY_LIMIT_CATEGORIES] = {
    [SENTRY_LIMIT_ERROR] = "error;default",
    [SENTRY_LIMIT_TRANSACTION] = "transaction",
    [SENTRY_LIMIT_LOG] = "log_item",
};

struct bucket {
  uint32_t per_minute; // 0: no limit
  uint64_t empty_ns, closed_ns;
};

struct project_buckets {
  uint32_t project;
  struct bucket buckets[SENTRY_LIMIT_CATEGORIES];
};

struct sentry_limit {
  const struct clock *clock;
  struct metrics_value *limited[SENTRY_LIMIT_CATEGORIES];
  struct atomic_u64 any;            // rates are set: without them nobody takes the lock
  struct mutex mutex;               // guards what follows
  struct project_buckets *projects; // sorted
  uint32_t count;
};

struct sentry_limit *sentry_limit_create(struct metrics *metrics, const struct clock *clock) {
  struct sentry_limit *limit = calloc(1, sizeof *limit);
  if (!limit) return NULL;
  limit->clock = clock;
  mutex_init(&limit->mutex);
  static const char *const labels[SENTRY_LIMIT_CATEGORIES] = {
      [SENTRY_LIMIT_ERROR] = "category=\"error\"",
      [SENTRY_LIMIT_TRANSACTION] = "category=\"transaction\"",
      [SENTRY_LIMIT_LOG] = "category=\"log_item\"",
  };
  for (int i = 0; i < SENTRY_LIMIT_CATEGORIES; i++) {
    limit->limited[i] = metrics_series(metrics, METRICS_COUNTER, "culprit_sentry_limited_total", labels[i],
                                       "What SDKs sent over their project's rate limit, by category.");
  }
  return limit;
}

void sentry_limit_destroy(struct sentry_limit *limit) {
  if (!limit) return;
  free(limit->projects);
  mutex_finish(&limit->mutex);
  free(limit);
}

static int compare(const void *left, const void *right) {
  const struct project_buckets *a = left, *b = right;
  return a->project < b->project ? -1 : a->project > b->project;
}

static struct project_buckets *find(const struct sentry_limit *limit, uint32_t project) {
  struct project_buckets wanted = {.project = project};
  return limit->count ? bsearch(&wanted, limit->projects, limit->count, sizeof wanted, compare) : NULL;
}

void sentry_limit_set(struct sentry_limit *limit, const struct sentry_limit_rates *rates, uint32_t count) {
  struct project_buckets *fresh = calloc((size_t)count + 1, sizeof *fresh);
  ASSERT(fresh);
  uint32_t used = 0;
  for (uint32_t i = 0; i < count; i++) {
    bool any = false;
    for (int c = 0; c < SENTRY_LIMIT_CATEGORIES; c++) {
      fresh[used].buckets[c].per_minute = rates[i].per_minute[c];
      any |= rates[i].per_minute[c] > 0;
    }
    fresh[used].project = rates[i].project;
    if (any) used++;
  }
  qsort(fresh, used, sizeof *fresh, compare);
  mutex_lock(&limit->mutex);
  for (uint32_t i = 0; i < used; i++) {
    const struct project_buckets *old = find(limit, fresh[i].project);
    for (int c = 0; old && c < SENTRY_LIMIT_CATEGORIES; c++) {
      if (old->buckets[c].per_minute == fresh[i].buckets[c].per_minute) fresh[i].buckets[c] = old->buckets[c];
    }
  }
  struct project_buckets *gone = limit->projects;
  limit->projects = fresh;
  limit->count = used;
  mutex_unlock(&limit->mutex);
  atomic_u64_set(&limit->any, used);
  free(gone);
}

// 0: taken; else how long to wait.
static uint64_t take(struct bucket *bucket, uint64_t quantity, uint64_t now_ns) {
  if (now_ns < bucket->closed_ns) return bucket->closed_ns - now_ns;
  uint64_t unit_ns = MINUTE_NS / bucket->per_minute;
  if (bucket->empty_ns < now_ns) bucket->empty_ns = now_ns;
  uint64_t ahead_ns = bucket->empty_ns - now_ns;
  if (ahead_ns + unit_ns > MINUTE_NS) { // no room for one
    uint64_t until_ns = ahead_ns + unit_ns - MINUTE_NS;
    if (until_ns < CLOSED_NS) until_ns = CLOSED_NS;
    bucket->closed_ns = now_ns + until_ns;
    return until_ns;
  }
  uint64_t units = quantity < DEBT_NS / unit_ns ? quantity : DEBT_NS / unit_ns;
  bucket->empty_ns += units * unit_ns;
  return 0;
}

bool sentry_limit_has(struct sentry_limit *limit, uint32_t project, enum sentry_limit_category category) {
  if (atomic_u64_get_relaxed(&limit->any) == 0) return false;
  mutex_lock(&limit->mutex);
  const struct project_buckets *found = find(limit, project);
  bool has = found && found->buckets[category].per_minute > 0;
  mutex_unlock(&limit->mutex);
  return has;
}

bool sentry_limit_take(struct sentry_limit *limit, uint32_t project, enum sentry_limit_category category,
                       uint64_t quantity, struct sentry_limit_note *note) {
  if (atomic_u64_get_relaxed(&limit->any) == 0) return true;
  uint64_t wait_ns = 0, now_ns = clock_monotonic_ns(limit->clock);
  mutex_lock(&limit->mutex);
  struct project_buckets *found = find(limit, project);
  if (found && found->buckets[category].per_minute > 0) wait_ns = take(&found->buckets[category], quantity, now_ns);
  mutex_unlock(&limit->mutex);
  if (wait_ns == 0) return true;
  uint64_t seconds = (wait_ns + NS_PER_S - 1) / NS_PER_S;
  note->wait_s[category] = (uint32_t)(seconds < SENTRY_LIMIT_WAIT_MAX_S ? seconds : SENTRY_LIMIT_WAIT_MAX_S);
  metrics_add(limit->limited[category], quantity);
  return false;
}

bool sentry_limit_is_noted(const struct sentry_limit_note *note) {
  return sentry_limit_longest(note) > 0;
}

uint32_t sentry_limit_longest(const struct sentry_limit_note *note) {
  uint32_t longest = 0;
  for (int c = 0; c < SENTRY_LIMIT_CATEGORIES; c++) {
    if (note->wait_s[c] > longest) longest = note->wait_s[c];
  }
  return longest;
}

void sentry_limit_write(const struct sentry_limit_note *note, char out_header[SENTRY_LIMIT_HEADER_BYTES]) {
  size_t len = 0;
  out_header[0] = 0;
  for (int c = 0; c < SENTRY_LIMIT_CATEGORIES; c++) {
    if (note->wait_s[c] == 0) continue;
    int written = snprintf(out_header + len, SENTRY_LIMIT_HEADER_BYTES - len, "%s%u:%s:project:quota", len ? ", " : "",
                           note->wait_s[c], names[c]);
    ASSERT(written > 0 && (size_t)written < SENTRY_LIMIT_HEADER_BYTES - len);
    len += (size_t)written;
  }
}
