// SPDX-License-Identifier: Apache-2.0
//
// How it works: counters live in the metrics registry, so the status page reads the same series that Prometheus does.
// Gauges whose truth is elsewhere (lags, ages, sizes) are set by `collect`, at the start of every scrape.
#include "collector/observe.h"

#include <curl/curl.h>
#include <gnutls/gnutls.h>
#include <grpc/grpc.h>
#include <inttypes.h>
#include <lz4.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <zstd.h>

#include "base/process_usage.h"

#define DISK_NEAR_PERCENT 95
#define LAG_RECORDS_MAX   10000

struct observe {
  struct observe_options options;
  uint64_t started_wall_ns, started_ns;
  struct atomic_bool_box draining;
  struct atomic_bool_box listening_known; // after it is set, `listening` only is read
  struct ui_listening listening;
  struct mutex lock; // guards the next line
  struct sampling *sampling;
  struct metrics_value *watch_lag, *settle_lag, *inbox_lag, *waiting, *queue_records, *queue_age, *store_bytes, *issues,
      *events, *in_flight, *disk_free, *ready;
};

// --- parts ----------------------------------------------------------------------------------------------------------

static uint64_t lag(uint64_t newest, uint64_t position) {
  return newest > position ? newest - position : 0;
}

// Of another component's series; the registry gives the same one for the same name and labels.
static uint64_t counter(const struct observe *observe, const char *name, const char *labels) {
  return metrics_get(metrics_series(observe->options.metrics, METRICS_COUNTER, name, labels, ""));
}

static void read_received(const struct observe *observe, const char *signal, struct ui_received *out) {
  char labels[128];
  static const char *const transports[] = {"grpc", "http"};
  for (size_t i = 0; i < 2; i++) {
    snprintf(labels, sizeof(labels), "signal=\"%s\",transport=\"%s\"", signal, transports[i]);
    out->requests += counter(observe, "culprit_received_requests_total", labels);
  }
  for (int status = STATUS_INVALID; status <= STATUS_INTERNAL; status++) {
    snprintf(labels, sizeof(labels), "signal=\"%s\",reason=\"%s\"", signal, status_name((enum status)status));
    out->refused += counter(observe, "culprit_refused_requests_total", labels);
  }
  snprintf(labels, sizeof(labels), "signal=\"%s\"", signal);
  out->items = counter(observe, "culprit_received_items_total", labels);
  out->bytes = counter(observe, "culprit_received_bytes_total", labels);
  out->rejected = counter(observe, "culprit_rejected_items_total", labels);
}

// The door for Sentry's SDKs counts requests of all kinds, their bytes and items by type; of the items the events are
// errors.
static void read_events(const struct observe *observe, struct ui_received *out) {
  char labels[128];
  for (int status = STATUS_OK; status <= STATUS_INTERNAL; status++) {
    snprintf(labels, sizeof(labels), "outcome=\"%s\"", status_name((enum status)status));
    uint64_t requests = counter(observe, "culprit_sentry_requests_total", labels);
    out->requests += requests;
    if (status != STATUS_OK) out->refused += requests;
  }
  out->bytes = counter(observe, "culprit_sentry_received_bytes_total", "");
  out->items = counter(observe, "culprit_sentry_items_total", "type=\"event\",outcome=\"accepted\"");
  out->rejected = counter(observe, "culprit_sentry_items_total", "type=\"event\",outcome=\"invalid\"");
}

static void read_journal(const struct observe *observe, struct journal *journal, const char *name, uint64_t position,
                         struct ui_journal *out) {
  char labels[64];
  snprintf(labels, sizeof(labels), "journal=\"%s\"", name);
  uint64_t newest = journal_durable_sequence(journal), first = journal_first_sequence(journal);
  *out = (struct ui_journal){
      .bytes = journal_bytes(journal),
      .bytes_max = journal_bytes_max(journal),
      .records = newest >= first ? newest - first + 1 : 0,
      .lag_records = lag(newest, position),
      .quarantined = counter(observe, "culprit_journal_quarantined_total", labels),
  };
}

static void read_exporter(const struct observe *observe, struct ui_status *out) {
  struct ui_exporter *exporter = &out->exporters[0];
  snprintf(exporter->name, sizeof(exporter->name), "otlp");
  snprintf(exporter->endpoint, sizeof(exporter->endpoint), "%s", observe->options.options->otlp_endpoint);
  exporter->state = "off";
  out->exporter_count = 1;
  if (!observe->options.delivery) return;
  struct delivery_status status;
  delivery_get_status(observe->options.delivery, &status);
  exporter->state = delivery_state_name(status.state);
  exporter->sent = status.sent_items;
  exporter->retried = status.retried_requests;
  exporter->dead = status.dead_items;
  exporter->dead_letters = status.dead_letters;
  exporter->queue_records = lag(journal_durable_sequence(observe->options.kept_journal), status.sequence);
  uint64_t now_ns = clock_wall_ns(observe->options.clock);
  if (status.oldest_wall_ns && now_ns > status.oldest_wall_ns) {
    exporter->queue_age_s = (now_ns - status.oldest_wall_ns) / NS_PER_S;
  }
  snprintf(exporter->last_error, sizeof(exporter->last_error), "%s", status.last_error);
}

static void read_sampling(struct observe *observe, const struct pipeline_counts *counts, struct ui_status *out) {
  mutex_lock(&observe->lock);
  struct sampling *sampling = sampling_share(observe->sampling);
  mutex_unlock(&observe->lock);
  out->sampling.kept = counts->kept_items;
  out->sampling.dropped = counts->dropped_items;
  out->sampling.late = counts->late_items;
  out->sampling.waiting_traces = trace_facts_waiting(observe->options.facts);
  out->sampling.decision_wait_s = pipeline_decision_wait(observe->options.pipeline) / NS_PER_S;
  for (uint32_t i = 0; i < sampling_count(sampling) && i < UI_POLICIES_MAX; i++) {
    char labels[96];
    const char *name = sampling_policy_name(sampling_kind(sampling, i));
    snprintf(labels, sizeof(labels), "policy=\"%s\",index=\"%" PRIu32 "\"", name, i);
    out->sampling.policies[i].policy = name;
    out->sampling.policies[i].kept = counter(observe, "culprit_sampling_kept_traces_total", labels);
    out->sampling.policy_count = i + 1;
  }
  sampling_release(sampling);
}

static void read_items(const struct observe *observe, struct ui_status *out) {
  const char *type;
  uint64_t count;
  for (uint32_t i = 0; sentry_door_items(observe->options.sentry, i, &type, &count); i++) {
    if (count == 0 || out->item_count == UI_ITEM_TYPES_MAX) continue;
    out->items[out->item_count].type = type;
    out->items[out->item_count++].count = count;
  }
}

// --- readiness ------------------------------------------------------------------------------------------------------

__attribute__((format(printf, 2, 3))) static void add_reason(struct ui_status *out, const char *format, ...) {
  if (out->reason_count == UI_REASONS_MAX) return;
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(out->reasons[out->reason_count++], UI_REASON_BYTES_MAX, format, arguments);
  va_end(arguments);
}

static void check_budget(struct ui_status *out, const char *what, uint64_t bytes, uint64_t bytes_max) {
  if (bytes / DISK_NEAR_PERCENT >= bytes_max / 100) {
    add_reason(out, "%s holds %" PRIu64 " of %" PRIu64 " MiB", what, bytes >> 20, bytes_max >> 20);
  }
}

static void check_ready(const struct observe *observe, struct ui_status *out) {
  const struct observe_options *options = &observe->options;
  if (atomic_bool_get(&observe->draining)) add_reason(out, "shutting down");
  check_budget(out, "the intake journal", out->intake.bytes, out->intake.bytes_max);
  check_budget(out, "the inbox", database_bytes(options->database), database_bytes_max(options->database));
  struct error disk = {""};
  if (disk_guard_check(options->disk, &disk) != STATUS_OK) add_reason(out, "%s", disk.text);
  if (pipeline_counts(options->pipeline).settling_waits) {
    add_reason(out, "settling waits: the kept journal holds %" PRIu64 " of %" PRIu64 " MiB", out->kept.bytes >> 20,
               out->kept.bytes_max >> 20);
  }
  if (inbox_counts(options->inbox).failing) add_reason(out, "the inbox cannot be written");
  if (out->inbox.lag_records > LAG_RECORDS_MAX) {
    add_reason(out, "the inbox is %" PRIu64 " records behind", out->inbox.lag_records);
  }
  if (database_is_damaged(options->database)) add_reason(out, "the inbox is damaged");
  if (!options->delivery) return;
  struct delivery_status delivery;
  delivery_get_status(options->delivery, &delivery);
  uint64_t now_ns = clock_monotonic_ns(options->clock);
  bool stuck = delivery.failing_since_ns && now_ns - delivery.failing_since_ns > options->options->otlp_stuck_after_ns;
  if (stuck || delivery.state == DELIVERY_PAUSED) add_reason(out, "exporter otlp is stuck: %s", delivery.last_error);
}

// --- asked by the UI ------------------------------------------------------------------------------------------------

void observe_status(void *context, struct ui_status *out_status) {
  struct observe *observe = context;
  const struct observe_options *options = &observe->options;
  struct pipeline_counts counts = pipeline_counts(options->pipeline);
  struct inbox_counts inbox = inbox_counts(options->inbox);
  out_status->started_wall_ns = observe->started_wall_ns;
  out_status->uptime_s = (clock_monotonic_ns(options->clock) - observe->started_ns) / NS_PER_S;
  out_status->data_dir = options->options->data_dir;
  read_received(observe, "traces", &out_status->traces);
  read_received(observe, "logs", &out_status->logs);
  read_received(observe, "metrics", &out_status->metrics);
  read_events(observe, &out_status->events);
  if (atomic_bool_get(&observe->listening_known)) out_status->listening = observe->listening;
  read_items(observe, out_status);
  read_sampling(observe, &counts, out_status);
  read_journal(observe, options->intake_journal, "intake", counts.settled_sequence, &out_status->intake);
  read_exporter(observe, out_status);
  struct delivery_status delivery = {.sequence = UINT64_MAX};
  if (options->delivery) delivery_get_status(options->delivery, &delivery);
  read_journal(observe, options->kept_journal, "kept", delivery.sequence, &out_status->kept);
  out_status->inbox.events = inbox.events;
  out_status->inbox.duplicates = inbox.duplicates;
  out_status->inbox.issues = inbox.issues;
  out_status->inbox.lag_records = inbox.lag_records;
  out_status->in_flight_bytes = budget_used(options->budget);
  out_status->memory_bytes_max = budget_max(options->budget);
  struct process_usage usage;
  process_usage_read(&usage);
  out_status->resident_bytes = usage.resident_bytes;
  const struct metrics_histogram *commit =
      metrics_histogram(options->metrics, "culprit_journal_commit_seconds", "journal=\"intake\"", "");
  out_status->commit_p50_ms = (double)metrics_quantile_ns(commit, 0.5) / (double)NS_PER_MS;
  out_status->commit_p99_ms = (double)metrics_quantile_ns(commit, 0.99) / (double)NS_PER_MS;
  struct disk_guard_space disk = disk_guard_look(options->disk);
  out_status->disk_free_bytes = disk.free_bytes;
  out_status->disk_total_bytes = disk.total_bytes;
  const struct {
    const char *name, *version;
  } libraries[] = {{"grpc", grpc_version_string()},        {"sqlite", sqlite3_libversion()},
                   {"zstd", ZSTD_versionString()},         {"lz4", LZ4_versionString()},
                   {"gnutls", gnutls_check_version(NULL)}, {"curl", LIBCURL_VERSION}};
  for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
    out_status->libraries[i].name = libraries[i].name;
    out_status->libraries[i].version = libraries[i].version;
    out_status->library_count = (uint32_t)i + 1;
  }
  check_ready(observe, out_status);
  out_status->ready = out_status->reason_count == 0;
}

void observe_set_listening(struct observe *observe, const char *grpc, const char *http, const char *ui) {
  const struct options *options = observe->options.options;
  const struct {
    const struct options_tls *tls;
    const char *address;
    char *out;
  } doors[] = {{&options->tls_grpc, grpc, observe->listening.grpc},
               {&options->tls_http, http, observe->listening.http},
               {&options->tls_ui, ui, observe->listening.ui}};
  for (size_t i = 0; i < sizeof(doors) / sizeof(doors[0]); i++) {
    snprintf(doors[i].out, sizeof(observe->listening.grpc), "%s://%s", doors[i].tls->cert_file[0] ? "https" : "http",
             doors[i].address);
  }
  atomic_bool_set(&observe->listening_known, true);
}

void observe_verdict(void *context, const uint8_t trace_id[16], struct ui_verdict *out_verdict) {
  const struct observe *observe = context;
  bool waiting;
  struct sampling_verdict verdict;
  *out_verdict = (struct ui_verdict){.decision = UI_UNKNOWN};
  if (!trace_facts_lookup(observe->options.facts, trace_id, &waiting, &verdict)) return;
  out_verdict->decision = waiting ? UI_WAITING : verdict.keep ? UI_KEEP : UI_DROP;
  if (out_verdict->decision != UI_KEEP) return;
  out_verdict->policy = verdict.policy == SAMPLING_NONE ? NULL : sampling_policy_name(verdict.policy);
  out_verdict->has_probability = verdict.probability > 0;
  out_verdict->probability = verdict.probability;
}

enum status observe_resend(void *context, struct slice exporter, uint64_t *out_count) {
  const struct observe *observe = context;
  if (!observe->options.delivery || !slice_equal_cstr(exporter, "otlp")) return STATUS_NOT_FOUND;
  *out_count = delivery_resend(observe->options.delivery);
  return STATUS_OK;
}

const char *observe_policy_name(void *context, uint8_t policy) {
  (void)context;
  return sampling_policy_name((enum sampling_policy_kind)policy);
}

// --- gauges ---------------------------------------------------------------------------------------------------------

static void collect(void *context) {
  struct observe *observe = context;
  struct ui_status *status = calloc(1, sizeof(*status));
  ASSERT(status);
  observe_status(observe, status);
  struct pipeline_counts counts = pipeline_counts(observe->options.pipeline);
  uint64_t newest = journal_durable_sequence(observe->options.intake_journal);
  metrics_set(observe->watch_lag, lag(newest, counts.watched_sequence));
  metrics_set(observe->settle_lag, lag(newest, counts.settled_sequence));
  metrics_set(observe->inbox_lag, status->inbox.lag_records);
  metrics_set(observe->waiting, status->sampling.waiting_traces);
  metrics_set(observe->queue_records, status->exporters[0].queue_records);
  metrics_set(observe->queue_age, status->exporters[0].queue_age_s);
  metrics_set(observe->store_bytes, database_bytes(observe->options.database));
  metrics_set(observe->issues, issue_store_issue_count(observe->options.issues));
  metrics_set(observe->events, issue_store_event_count(observe->options.issues));
  metrics_set(observe->in_flight, status->in_flight_bytes);
  metrics_set(observe->disk_free, status->disk_free_bytes);
  metrics_set(observe->ready, status->ready ? 1 : 0);
  free(status);
}

static struct metrics_value *gauge(struct metrics *metrics, const char *name, const char *labels, const char *help) {
  return metrics_series(metrics, METRICS_GAUGE, name, labels, help);
}

struct observe *observe_create(const struct observe_options *options) {
  struct observe *observe = calloc(1, sizeof(*observe));
  ASSERT(observe);
  observe->options = *options;
  mutex_init(&observe->lock);
  observe->sampling = sampling_share(options->sampling);
  observe->started_wall_ns = clock_wall_ns(options->clock);
  observe->started_ns = clock_monotonic_ns(options->clock);
  struct metrics *m = options->metrics;
  static const char lag_help[] = "Records of the intake journal that a reader has not passed yet.";
  observe->watch_lag = gauge(m, "culprit_journal_lag_records", "reader=\"watch\"", lag_help);
  observe->settle_lag = gauge(m, "culprit_journal_lag_records", "reader=\"settle\"", lag_help);
  observe->inbox_lag = gauge(m, "culprit_journal_lag_records", "reader=\"inbox\"", lag_help);
  observe->waiting = gauge(m, "culprit_sampling_waiting_traces", "", "Traces that wait for their verdict.");
  observe->queue_records = gauge(m, "culprit_exporter_queue_records", "exporter=\"otlp\"",
                                 "Records of the kept journal that the exporter has not sent yet.");
  observe->queue_age = gauge(m, "culprit_exporter_queue_age_seconds", "exporter=\"otlp\"",
                             "Age of the oldest record that waits for the exporter.");
  observe->store_bytes = gauge(m, "culprit_store_bytes", "", "Size of the inbox's database on disk.");
  observe->issues = gauge(m, "culprit_store_issues", "", "Issues in the inbox.");
  observe->events = gauge(m, "culprit_store_events", "", "Events stored in the inbox.");
  observe->in_flight = gauge(m, "culprit_memory_in_flight_bytes", "", "Bytes of requests in flight.");
  observe->disk_free = gauge(m, "culprit_disk_free_bytes", "", "Free space on the data directory's file system.");
  observe->ready = gauge(m, "culprit_ready", "", "1 when /health/ready answers 200.");
  metrics_on_collect(m, collect, observe);
  return observe;
}

void observe_destroy(struct observe *observe) {
  if (!observe) return;
  sampling_release(observe->sampling);
  mutex_finish(&observe->lock);
  free(observe);
}

void observe_set_sampling(struct observe *observe, struct sampling *sampling) {
  mutex_lock(&observe->lock);
  struct sampling *before = observe->sampling;
  observe->sampling = sampling_share(sampling);
  mutex_unlock(&observe->lock);
  sampling_release(before);
}

void observe_drain(struct observe *observe) {
  if (observe) atomic_bool_set(&observe->draining, true);
}
