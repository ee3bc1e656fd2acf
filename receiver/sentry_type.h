// SPDX-License-Identifier: Apache-2.0
//
// The types of items that Sentry SDKs send: what is done with each, how large and how many they may be, and the
// counters of the door by type. The table is constant; counters may be added to from any thread.
#ifndef RECEIVER_SENTRY_TYPE_H
#define RECEIVER_SENTRY_TYPE_H

#include "base/metrics.h"
#include "base/slice.h"
#include "base/status.h"

enum sentry_type_handling {
  SENTRY_TYPE_EVENT,
  SENTRY_TYPE_TRANSACTION,
  SENTRY_TYPE_SPANS,
  SENTRY_TYPE_LOGS,
  SENTRY_TYPE_OTEL_LOG,
  SENTRY_TYPE_CLIENT_REPORT,
  SENTRY_TYPE_USER_REPORT,
  SENTRY_TYPE_FEEDBACK,
  SENTRY_TYPE_ATTACHMENT,
  SENTRY_TYPE_COUNT // counted and passed over
};

struct sentry_type {
  const char *name;
  enum sentry_type_handling handling;
  size_t bytes_max;   // of one item; 0: the request's limit
  uint32_t items_max; // of one envelope, further ones are left out; 0: no limit
};

#define SENTRY_TYPES      22
#define SENTRY_TYPE_OTHER (SENTRY_TYPES - 1) // of all that are not listed
extern const struct sentry_type sentry_types[SENTRY_TYPES];
uint32_t sentry_type_of(struct slice name);

enum sentry_type_outcome {
  SENTRY_TYPE_ACCEPTED,
  SENTRY_TYPE_INVALID,
  SENTRY_TYPE_DISCARDED, // known and not kept
  SENTRY_TYPE_REFUSED,
  SENTRY_TYPE_OUTCOMES
};

#define SENTRY_TYPE_STATUSES (STATUS_INTERNAL + 1)
#define SENTRY_TYPE_REASONS  12
struct sentry_type_counters {
  struct metrics_value *requests[SENTRY_TYPE_STATUSES], *items[SENTRY_TYPES][SENTRY_TYPE_OUTCOMES],
      *client_discarded[SENTRY_TYPE_REASONS], *bytes;
};
// The registry must outlive the counters.
void sentry_type_counters_init(struct sentry_type_counters *counters, struct metrics *metrics);
void sentry_type_count(const struct sentry_type_counters *counters, uint32_t type, enum sentry_type_outcome outcome,
                       uint64_t items);
// All that came and were not refused.
uint64_t sentry_type_counted(const struct sentry_type_counters *counters, uint32_t type);
void sentry_type_count_request(const struct sentry_type_counters *counters, enum status status);
// Of a request's body as it came.
void sentry_type_count_bytes(const struct sentry_type_counters *counters, uint64_t bytes);
// What a client report says was thrown away; an unknown reason is counted as "other".
void sentry_type_count_client_discarded(const struct sentry_type_counters *counters, struct slice reason,
                                        uint64_t quantity);

#endif
