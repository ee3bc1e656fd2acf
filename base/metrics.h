// SPDX-License-Identifier: Apache-2.0
//
// Counters, gauges and histograms, and their Prometheus text form (exposition format 0.0.4). A component declares a
// constant family, asks the registry for its series once at start and keeps the pointer; updates are lock-free and any
// thread may make them. Series live as long as the registry. Names follow Prometheus practice:
// culprit_<what>_<unit>_total.
#ifndef BASE_METRICS_H
#define BASE_METRICS_H

#include <stdint.h>

#include "base/buffer.h"
#include "base/thread.h"

struct metrics; // the registry

enum metrics_kind { METRICS_COUNTER, METRICS_GAUGE };

struct metrics_value {
  struct atomic_u64 value;
};

struct metrics *metrics_create(void);
void metrics_destroy(struct metrics *metrics);

// The series `name{labels}`; labels is "" or `signal="traces",code="200"` already escaped (metrics_escape). The same
// name and labels give the same series. Name, help and labels are copied. At most METRICS_SERIES_MAX; beyond that one
// shared series named culprit_metrics_overflow_total is returned, so the result is never NULL.
#define METRICS_SERIES_MAX 4096
struct metrics_value *metrics_series(struct metrics *metrics, enum metrics_kind kind, const char *name,
                                     const char *labels, const char *help);
static inline void metrics_add(struct metrics_value *value, uint64_t n) {
  atomic_u64_add_relaxed(&value->value, n);
}
static inline void metrics_set(struct metrics_value *value, uint64_t n) {
  atomic_u64_set(&value->value, n);
}
static inline uint64_t metrics_get(const struct metrics_value *value) {
  return atomic_u64_get_relaxed(&value->value);
}

// A histogram of durations in seconds with fixed bounds 0.0005 … 10.
struct metrics_histogram;
struct metrics_histogram *metrics_histogram(struct metrics *metrics, const char *name, const char *labels,
                                            const char *help);
void metrics_observe_ns(struct metrics_histogram *histogram, uint64_t duration_ns);
// An estimate by linear interpolation in the bucket, quantile in (0,1]; 0 when nothing was observed.
uint64_t metrics_quantile_ns(const struct metrics_histogram *histogram, double quantile);

// Called at the start of every metrics_write, to set gauges that are read from elsewhere (sizes, ages).
void metrics_on_collect(struct metrics *metrics, void (*collect)(void *context), void *context);
// # HELP, # TYPE and samples, families in order of their names, process_* metrics (cpu, resident memory, open fds,
// start time) included.
void metrics_write(struct metrics *metrics, struct buffer *out);
// Appends `text` as a label value: \ " and newline escaped, invalid UTF-8 replaced.
void metrics_escape(struct buffer *out, struct slice text);

#endif
