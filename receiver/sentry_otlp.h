// SPDX-License-Identifier: Apache-2.0
//
// The OTLP paths that a DSN leads to: an Export request of a project, under the project's rate limits as its envelopes
// are. Log records count as logs; of spans those that begin a service's part of a trace count as transactions: what has
// no parent or a remote one, or is of kind server or consumer where an SDK does not say which.
//
// A request is taken or refused whole. Over the limit the answer is 429 in OTLP's form, with the time to wait in
// Retry-After and RetryInfo, which exporters of OpenTelemetry honour, and in X-Sentry-Rate-Limits.
#ifndef RECEIVER_SENTRY_OTLP_H
#define RECEIVER_SENTRY_OTLP_H

#include "net/http_server.h"
#include "receiver/otlp_door.h"
#include "receiver/sentry_limit.h"

struct sentry_otlp {
  struct otlp_door *door;
  struct sentry_limit *limit; // NULL: no limits
};

// Takes `take` (its project is set; judge is this module's own) and answers the request. STATUS_UNAVAILABLE, nothing
// done, for want of memory.
enum status sentry_otlp_export(const struct sentry_otlp *otlp, const struct otlp_door_request *take,
                               struct http_request *request, struct error *error);

#endif
