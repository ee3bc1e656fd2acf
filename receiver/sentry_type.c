// SPDX-License-Identifier: Apache-2.0
#include "receiver/sentry_type.h"

#include <assert.h>

#include "base/buffer.h"
#include "receiver/sentry_door.h"

#define FEW 100 // Relay's limit for what an envelope holds of the small ones

const struct sentry_type sentry_types[SENTRY_TYPES] = {
    {"event", SENTRY_TYPE_EVENT, SENTRY_DOOR_EVENT_BYTES_MAX, 0},
    {"transaction", SENTRY_TYPE_TRANSACTION, SENTRY_DOOR_EVENT_BYTES_MAX, 0},
    {"span", SENTRY_TYPE_SPANS, SENTRY_DOOR_CONTAINER_BYTES_MAX, 0},
    {"log", SENTRY_TYPE_LOGS, SENTRY_DOOR_LOGS_BYTES_MAX, 0},
    {"otel_log", SENTRY_TYPE_OTEL_LOG, SENTRY_DOOR_LOGS_BYTES_MAX, 0},
    {"client_report", SENTRY_TYPE_CLIENT_REPORT, SENTRY_DOOR_EVENT_BYTES_MAX, FEW},
    {"user_report", SENTRY_TYPE_USER_REPORT, SENTRY_DOOR_EVENT_BYTES_MAX, FEW},
    {"feedback", SENTRY_TYPE_FEEDBACK, SENTRY_DOOR_EVENT_BYTES_MAX, FEW},
    {"attachment", SENTRY_TYPE_ATTACHMENT, 0, 0},
    {"session", SENTRY_TYPE_COUNT, 0, FEW},
    {"sessions", SENTRY_TYPE_COUNT, 0, FEW},
    {"check_in", SENTRY_TYPE_COUNT, 0, FEW},
    {"nel", SENTRY_TYPE_COUNT, 0, 0},
    {"trace_metric", SENTRY_TYPE_COUNT, 0, 0},
    {"statsd", SENTRY_TYPE_COUNT, 0, 0},
    {"metric_buckets", SENTRY_TYPE_COUNT, 0, 0},
    {"profile", SENTRY_TYPE_COUNT, 0, 0},
    {"profile_chunk", SENTRY_TYPE_COUNT, 0, 0},
    {"replay_event", SENTRY_TYPE_COUNT, 0, 0},
    {"replay_recording", SENTRY_TYPE_COUNT, 0, 0},
    {"replay_video", SENTRY_TYPE_COUNT, 0, 0},
    {"other", SENTRY_TYPE_COUNT, 0, 0},
};

static const char *const reasons[] = {"queue_overflow",     "cache_overflow",    "ratelimit_backoff", "network_error",
                                      "sample_rate",        "before_send",       "event_processor",   "send_error",
                                      "internal_sdk_error", "insufficient_data", "backpressure",      "other"};
static_assert(sizeof reasons / sizeof reasons[0] == SENTRY_TYPE_REASONS, "a counter for each");

uint32_t sentry_type_of(struct slice name) {
  uint32_t type = 0;
  while (type < SENTRY_TYPE_OTHER && !slice_equal_cstr(name, sentry_types[type].name)) type++;
  return type;
}

void sentry_type_counters_init(struct sentry_type_counters *counters, struct metrics *metrics) {
  static const char *const outcomes[SENTRY_TYPE_OUTCOMES] = {"accepted", "invalid", "discarded", "refused"};
  struct buffer labels;
  buffer_init(&labels, 256);
  for (unsigned status = STATUS_OK; status < SENTRY_TYPE_STATUSES; status++) {
    buffer_clear(&labels);
    buffer_printf(&labels, "outcome=\"%s\"%c", status == STATUS_OK ? "ok" : status_name((enum status)status), 0);
    counters->requests[status] = metrics_series(metrics, METRICS_COUNTER, "culprit_sentry_requests_total",
                                                (const char *)labels.ptr, "Requests of Sentry SDKs by their answer.");
  }
  for (unsigned type = 0; type < SENTRY_TYPES; type++) {
    for (unsigned outcome = 0; outcome < SENTRY_TYPE_OUTCOMES; outcome++) {
      buffer_clear(&labels);
      buffer_printf(&labels, "type=\"%s\",outcome=\"%s\"%c", sentry_types[type].name, outcomes[outcome], 0);
      counters->items[type][outcome] =
          metrics_series(metrics, METRICS_COUNTER, "culprit_sentry_items_total", (const char *)labels.ptr,
                         "Items of Sentry envelopes by type and what became of them.");
    }
  }
  for (unsigned reason = 0; reason < SENTRY_TYPE_REASONS; reason++) {
    buffer_clear(&labels);
    buffer_printf(&labels, "reason=\"%s\"%c", reasons[reason], 0);
    counters->client_discarded[reason] =
        metrics_series(metrics, METRICS_COUNTER, "culprit_sentry_client_discarded_total", (const char *)labels.ptr,
                       "What SDKs say in their client reports that they threw away.");
  }
  buffer_finish(&labels);
  counters->bytes = metrics_series(metrics, METRICS_COUNTER, "culprit_sentry_received_bytes_total", "",
                                   "Bytes of request bodies of Sentry SDKs as they came over the wire.");
}

void sentry_type_count(const struct sentry_type_counters *counters, uint32_t type, enum sentry_type_outcome outcome,
                       uint64_t items) {
  if (items > 0) metrics_add(counters->items[type][outcome], items);
}

uint64_t sentry_type_counted(const struct sentry_type_counters *counters, uint32_t type) {
  uint64_t sum = 0;
  for (unsigned outcome = 0; outcome < SENTRY_TYPE_OUTCOMES; outcome++) {
    if (outcome != SENTRY_TYPE_REFUSED) sum += metrics_get(counters->items[type][outcome]);
  }
  return sum;
}

void sentry_type_count_request(const struct sentry_type_counters *counters, enum status status) {
  metrics_add(counters->requests[status], 1);
}

void sentry_type_count_bytes(const struct sentry_type_counters *counters, uint64_t bytes) {
  metrics_add(counters->bytes, bytes);
}

void sentry_type_count_client_discarded(const struct sentry_type_counters *counters, struct slice reason,
                                        uint64_t quantity) {
  uint32_t index = 0;
  while (index < SENTRY_TYPE_REASONS - 1 && !slice_equal_cstr(reason, reasons[index])) index++;
  metrics_add(counters->client_discarded[index], quantity < UINT32_MAX ? quantity : UINT32_MAX);
}
