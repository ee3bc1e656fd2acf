// SPDX-License-Identifier: Apache-2.0
//
// The registry is an array of families in order of name; a family lists its series in order of creation. Registration
// and writing hold the one mutex; updates touch only the series' own atomics. A histogram's buckets are stored apart
// from each other and summed up when written, so that its +Inf bucket and its count always agree, whatever is observed
// meanwhile.
#include "base/metrics.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/process_usage.h"
#include "base/utf8.h"

#define COLLECTORS_MAX 64
#define OVERFLOW_NAME  "culprit_metrics_overflow_total"
#define OVERFLOW_HELP  "Updates of series beyond the maximum number of series."

// Upper bounds of the buckets; one more takes what is above.
static const uint64_t bounds_ns[] = {
    500 * NS_PER_US, 1 * NS_PER_MS,   2500 * NS_PER_US, 5 * NS_PER_MS, 10 * NS_PER_MS,   25 * NS_PER_MS, 50 * NS_PER_MS,
    100 * NS_PER_MS, 250 * NS_PER_MS, 500 * NS_PER_MS,  1 * NS_PER_S,  2500 * NS_PER_MS, 5 * NS_PER_S,   10 * NS_PER_S,
};
#define BOUNDS (sizeof bounds_ns / sizeof *bounds_ns)

struct metrics_histogram {
  struct atomic_u64 buckets[BOUNDS + 1];
  struct atomic_u64 sum_ns;
};

// How a family's values are printed.
enum form { FORM_COUNTER, FORM_GAUGE, FORM_COUNTER_NS, FORM_GAUGE_NS, FORM_HISTOGRAM };

struct series {
  struct series *next;
  char *labels;
  struct metrics_value value;
  struct metrics_histogram *histogram; // FORM_HISTOGRAM only
};

struct family {
  char *name;
  char *help;
  enum form form;
  struct series *first;
  struct series **last; // where the next one is linked
};

struct collector_call {
  void (*collect)(void *context);
  void *context;
};

struct process_series {
  struct metrics_value *cpu, *resident, *virtual_memory, *open_fds, *max_fds, *threads, *start;
};

struct metrics {
  struct mutex mutex;
  struct family **families; // sorted; series point into the heap, so the array may move
  size_t families_count;
  size_t series_count;
  struct series overflow; // listed as a family once it was needed
  struct metrics_histogram overflow_histogram;
  struct collector_call collectors[COLLECTORS_MAX];
  size_t collectors_count;
  struct process_series process;
};

static char *copy_text(const char *text) {
  char *copy = strdup(text);
  ASSERT(copy != NULL);
  return copy;
}

static bool is_metric_name(const char *name) {
  if (*name == '\0' || (*name >= '0' && *name <= '9')) return false;
  return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_:") == strlen(name);
}

// The family `name`, made when there is none. The mutex is held.
static struct family *family_of(struct metrics *metrics, const char *name, const char *help, enum form form) {
  size_t low = 0, high = metrics->families_count;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = strcmp(metrics->families[middle]->name, name);
    if (order == 0) {
      ASSERT(metrics->families[middle]->form == form);
      return metrics->families[middle];
    }
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  struct family *family = calloc(1, sizeof *family);
  struct family **families = realloc(metrics->families, (metrics->families_count + 1) * sizeof *families);
  ASSERT(family != NULL && families != NULL);
  *family = (struct family){.name = copy_text(name), .help = copy_text(help), .form = form};
  family->last = &family->first;
  memmove(families + low + 1, families + low, (metrics->families_count - low) * sizeof *families);
  families[low] = family;
  metrics->families = families;
  metrics->families_count++;
  return family;
}

static struct series *find_series(const struct family *family, const char *labels) {
  struct series *series = family->first;
  while (series && strcmp(series->labels, labels) != 0) series = series->next;
  return series;
}

static void link_series(struct family *family, struct series *series) {
  *family->last = series;
  family->last = &series->next;
}

static bool family_exists(const struct metrics *metrics, const char *name) {
  for (size_t i = 0; i < metrics->families_count; i++) {
    if (strcmp(metrics->families[i]->name, name) == 0) return true;
  }
  return false;
}

// The series, or the shared one when there are too many.
static struct series *series_of(struct metrics *metrics, enum form form, const char *name, const char *labels,
                                const char *help) {
  ASSERT(is_metric_name(name));
  mutex_lock(&metrics->mutex);
  struct series *series;
  if (metrics->series_count >= METRICS_SERIES_MAX && !family_exists(metrics, name)) {
    series = NULL;
  } else {
    series = find_series(family_of(metrics, name, help, form), labels);
  }
  if (!series && metrics->series_count >= METRICS_SERIES_MAX) {
    series = &metrics->overflow;
    struct family *family = family_of(metrics, OVERFLOW_NAME, OVERFLOW_HELP, FORM_COUNTER);
    if (!family->first) link_series(family, series);
  } else if (!series) {
    series = calloc(1, sizeof *series);
    ASSERT(series != NULL);
    series->labels = copy_text(labels);
    if (form == FORM_HISTOGRAM) {
      series->histogram = calloc(1, sizeof *series->histogram);
      ASSERT(series->histogram != NULL);
    }
    link_series(family_of(metrics, name, help, form), series);
    metrics->series_count++;
  }
  mutex_unlock(&metrics->mutex);
  return series;
}

static void register_process(struct metrics *metrics) {
  metrics->process = (struct process_series){
      .cpu = &series_of(metrics, FORM_COUNTER_NS, "process_cpu_seconds_total", "", "User and system CPU time.")->value,
      .resident = &series_of(metrics, FORM_GAUGE, "process_resident_memory_bytes", "", "Resident memory.")->value,
      .virtual_memory = &series_of(metrics, FORM_GAUGE, "process_virtual_memory_bytes", "", "Virtual memory.")->value,
      .open_fds = &series_of(metrics, FORM_GAUGE, "process_open_fds", "", "Open file descriptors.")->value,
      .max_fds = &series_of(metrics, FORM_GAUGE, "process_max_fds", "", "Limit of open file descriptors.")->value,
      .threads = &series_of(metrics, FORM_GAUGE, "process_threads", "", "Threads.")->value,
      .start = &series_of(metrics, FORM_GAUGE_NS, "process_start_time_seconds", "", "Start, since the epoch.")->value,
  };
}

static void collect_process(const struct process_series *process) {
  struct process_usage usage;
  process_usage_read(&usage);
  metrics_set(process->cpu, usage.cpu_ns);
  metrics_set(process->resident, usage.resident_bytes);
  metrics_set(process->virtual_memory, usage.virtual_bytes);
  metrics_set(process->open_fds, usage.open_fds);
  metrics_set(process->max_fds, usage.max_fds);
  metrics_set(process->threads, usage.threads);
  metrics_set(process->start, usage.start_ns);
}

struct metrics *metrics_create(void) {
  struct metrics *metrics = calloc(1, sizeof *metrics);
  ASSERT(metrics != NULL);
  mutex_init(&metrics->mutex);
  metrics->overflow = (struct series){.labels = copy_text(""), .histogram = &metrics->overflow_histogram};
  register_process(metrics);
  return metrics;
}

void metrics_destroy(struct metrics *metrics) {
  if (!metrics) return;
  for (size_t i = 0; i < metrics->families_count; i++) {
    struct family *family = metrics->families[i];
    struct series *series = family->first;
    while (series) {
      struct series *next = series->next;
      if (series != &metrics->overflow) {
        free(series->labels);
        free(series->histogram);
        free(series);
      }
      series = next;
    }
    free(family->name);
    free(family->help);
    free(family);
  }
  free(metrics->families);
  free(metrics->overflow.labels);
  mutex_finish(&metrics->mutex);
  free(metrics);
}

struct metrics_value *metrics_series(struct metrics *metrics, enum metrics_kind kind, const char *name,
                                     const char *labels, const char *help) {
  enum form form = kind == METRICS_COUNTER ? FORM_COUNTER : FORM_GAUGE;
  return &series_of(metrics, form, name, labels, help)->value;
}

struct metrics_histogram *metrics_histogram(struct metrics *metrics, const char *name, const char *labels,
                                            const char *help) {
  return series_of(metrics, FORM_HISTOGRAM, name, labels, help)->histogram;
}

void metrics_observe_ns(struct metrics_histogram *histogram, uint64_t duration_ns) {
  size_t bucket = 0;
  while (bucket < BOUNDS && duration_ns > bounds_ns[bucket]) bucket++;
  atomic_u64_add_relaxed(&histogram->buckets[bucket], 1);
  atomic_u64_add_relaxed(&histogram->sum_ns, duration_ns);
}

uint64_t metrics_quantile_ns(const struct metrics_histogram *histogram, double quantile) {
  ASSERT(quantile > 0 && quantile <= 1);
  uint64_t counts[BOUNDS + 1];
  uint64_t total = 0;
  for (size_t i = 0; i <= BOUNDS; i++) {
    counts[i] = atomic_u64_get_relaxed(&histogram->buckets[i]);
    total += counts[i];
  }
  if (total == 0) return 0;
  double rank = quantile * (double)total;
  double below = 0;
  for (size_t i = 0; i < BOUNDS; i++) {
    double count = (double)counts[i];
    if (count > 0 && below + count >= rank) {
      double from = i > 0 ? (double)bounds_ns[i - 1] : 0;
      return (uint64_t)(from + ((double)bounds_ns[i] - from) * (rank - below) / count);
    }
    below += count;
  }
  return bounds_ns[BOUNDS - 1]; // above the last bound nothing more is known
}

void metrics_on_collect(struct metrics *metrics, void (*collect)(void *context), void *context) {
  mutex_lock(&metrics->mutex);
  ASSERT(metrics->collectors_count < COLLECTORS_MAX);
  metrics->collectors[metrics->collectors_count++] = (struct collector_call){collect, context};
  mutex_unlock(&metrics->mutex);
}

static void write_seconds(struct buffer *out, uint64_t ns) {
  buffer_printf(out, "%ju.%09ju", (uintmax_t)(ns / NS_PER_S), (uintmax_t)(ns % NS_PER_S));
}

// name + suffix + {labels,extra} and a space.
static void write_sample_name(struct buffer *out, const char *name, const char *suffix, const char *labels,
                              const char *extra) {
  buffer_append_cstr(out, name);
  buffer_append_cstr(out, suffix);
  if (*labels || *extra) {
    buffer_append_byte(out, '{');
    buffer_append_cstr(out, labels);
    if (*labels && *extra) buffer_append_byte(out, ',');
    buffer_append_cstr(out, extra);
    buffer_append_byte(out, '}');
  }
  buffer_append_byte(out, ' ');
}

static void write_histogram(struct buffer *out, const char *name, const struct series *series) {
  uint64_t sum_ns = atomic_u64_get_relaxed(&series->histogram->sum_ns);
  uint64_t count = 0;
  for (size_t i = 0; i <= BOUNDS; i++) {
    char le[32] = "le=\"+Inf\"";
    if (i < BOUNDS) snprintf(le, sizeof le, "le=\"%g\"", (double)bounds_ns[i] / 1e9);
    count += atomic_u64_get_relaxed(&series->histogram->buckets[i]);
    write_sample_name(out, name, "_bucket", series->labels, le);
    buffer_printf(out, "%ju\n", (uintmax_t)count);
  }
  write_sample_name(out, name, "_sum", series->labels, "");
  write_seconds(out, sum_ns);
  buffer_append_byte(out, '\n');
  write_sample_name(out, name, "_count", series->labels, "");
  buffer_printf(out, "%ju\n", (uintmax_t)count);
}

static void write_help(struct buffer *out, const struct family *family) {
  buffer_printf(out, "# HELP %s ", family->name);
  for (const char *at = family->help; *at; at++) {
    if (*at == '\\')
      buffer_append_cstr(out, "\\\\");
    else if (*at == '\n')
      buffer_append_cstr(out, "\\n");
    else
      buffer_append_byte(out, (uint8_t)*at);
  }
  const char *type = "gauge";
  if (family->form == FORM_HISTOGRAM) type = "histogram";
  if (family->form == FORM_COUNTER || family->form == FORM_COUNTER_NS) type = "counter";
  buffer_printf(out, "\n# TYPE %s %s\n", family->name, type);
}

static void write_family(struct buffer *out, const struct family *family) {
  if (!family->first) return;
  write_help(out, family);
  for (const struct series *series = family->first; series; series = series->next) {
    if (family->form == FORM_HISTOGRAM) {
      write_histogram(out, family->name, series);
      continue;
    }
    write_sample_name(out, family->name, "", series->labels, "");
    if (family->form == FORM_COUNTER_NS || family->form == FORM_GAUGE_NS) {
      write_seconds(out, metrics_get(&series->value));
    } else {
      buffer_printf(out, "%ju", (uintmax_t)metrics_get(&series->value));
    }
    buffer_append_byte(out, '\n');
  }
}

void metrics_write(struct metrics *metrics, struct buffer *out) {
  // Collectors run without the mutex: they may take locks of their own and ask for series.
  struct collector_call calls[COLLECTORS_MAX];
  mutex_lock(&metrics->mutex);
  size_t count = metrics->collectors_count;
  memcpy(calls, metrics->collectors, count * sizeof *calls);
  mutex_unlock(&metrics->mutex);
  collect_process(&metrics->process);
  for (size_t i = 0; i < count; i++) calls[i].collect(calls[i].context);

  mutex_lock(&metrics->mutex);
  for (size_t i = 0; i < metrics->families_count; i++) write_family(out, metrics->families[i]);
  mutex_unlock(&metrics->mutex);
}

void metrics_escape(struct buffer *out, struct slice text) {
  for (size_t at = 0; at < text.len;) {
    bool valid;
    size_t step = utf8_step(text, at, &valid);
    uint8_t byte = text.ptr[at];
    if (!valid) {
      buffer_append_slice(out, UTF8_REPLACEMENT);
    } else if (byte == '\n') {
      buffer_append_cstr(out, "\\n");
    } else if (byte == '\\' || byte == '"') {
      buffer_append_byte(out, '\\');
      buffer_append_byte(out, byte);
    } else {
      buffer_append(out, text.ptr + at, step);
    }
    at += step;
  }
}
