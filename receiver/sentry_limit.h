// SPDX-License-Identifier: Apache-2.0
//
// How much of a kind a project may send a minute: a bucket that holds a minute's worth, filled evenly. Over it, items
// of that kind are refused until there is room for a tenth of a minute's worth again, and the SDK is told so with a
// header (X-Sentry-Rate-Limits, sentry.md 1.4), which makes it drop them at the source meanwhile. Other kinds go on.
//
// An item that stands for many (a batch of logs) is taken whole as long as there is any room; what it took too much is
// waited for. Any thread.
#ifndef RECEIVER_SENTRY_LIMIT_H
#define RECEIVER_SENTRY_LIMIT_H

#include "base/clock.h"
#include "base/metrics.h"

enum sentry_limit_category { SENTRY_LIMIT_ERROR, SENTRY_LIMIT_TRANSACTION, SENTRY_LIMIT_LOG, SENTRY_LIMIT_CATEGORIES };

#define SENTRY_LIMIT_WAIT_MAX_S   3600 // an SDK is never told to wait longer
#define SENTRY_LIMIT_HEADER_BYTES 256

struct sentry_limit;

struct sentry_limit_rates {
  uint32_t project;
  uint32_t per_minute[SENTRY_LIMIT_CATEGORIES]; // 0: no limit
};

// Counts in culprit_sentry_limited_total{category}. Both must outlive it. NULL for want of memory.
struct sentry_limit *sentry_limit_create(struct metrics *metrics, const struct clock *clock);
void sentry_limit_destroy(struct sentry_limit *limit);
// The rates from now on, of every project that has one. Copied. What was used under an unchanged rate stays used.
void sentry_limit_set(struct sentry_limit *limit, const struct sentry_limit_rates *rates, uint32_t count);

// What one request met; zero at first.
struct sentry_limit_note {
  uint32_t wait_s[SENTRY_LIMIT_CATEGORIES]; // 0: not limited
};
// May the project send `quantity` (at least 1) of the category now? They are counted as used when it may; else the note
// says for how long it may not.
bool sentry_limit_take(struct sentry_limit *limit, uint32_t project, enum sentry_limit_category category,
                       uint64_t quantity, struct sentry_limit_note *note);

// Has the project a rate of the category? Without one nothing need be counted for it.
bool sentry_limit_has(struct sentry_limit *limit, uint32_t project, enum sentry_limit_category category);

bool sentry_limit_is_noted(const struct sentry_limit_note *note);
uint32_t sentry_limit_longest(const struct sentry_limit_note *note); // wait, in seconds
// "10:error;default:project:quota, 60:log_item:project:quota".
void sentry_limit_write(const struct sentry_limit_note *note, char out_header[SENTRY_LIMIT_HEADER_BYTES]);

#endif
