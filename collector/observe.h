// SPDX-License-Identifier: Apache-2.0
//
// What the running parts say of themselves, gathered for the status page, the health checks and the gauges of /metrics;
// and the verdicts of traces for the request page. Only reads the parts; any thread may ask.
#ifndef COLLECTOR_OBSERVE_H
#define COLLECTOR_OBSERVE_H

#include "base/budget.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "collector/disk_guard.h"
#include "collector/inbox.h"
#include "collector/intake.h"
#include "collector/options.h"
#include "collector/pipeline.h"
#include "exporter/delivery.h"
#include "processor/trace_facts.h"
#include "receiver/sentry_door.h"
#include "store/database.h"
#include "store/issue_store.h"
#include "ui/ui_routes.h"

struct observe_options {
  const struct options *options; // as they were at the start
  struct sampling *sampling;     // a share is taken
  const struct clock *clock;
  struct metrics *metrics;
  struct budget *budget;
  struct disk_guard *disk;
  struct journal *intake_journal, *kept_journal;
  struct trace_facts *facts;
  struct pipeline *pipeline;
  struct inbox *inbox;
  struct database *database;
  struct issue_store *issues;
  struct delivery *delivery; // NULL: no exporter
  struct intake *intake;
  const struct sentry_door *sentry;
};

struct observe;

struct observe *observe_create(const struct observe_options *options);
// Nobody may ask any more (servers closed, metrics not written).
void observe_destroy(struct observe *observe);
// The policies that decide from now on; a share is taken. Any thread.
void observe_set_sampling(struct observe *observe, struct sampling *sampling);
// From here on readiness says "shutting down".
void observe_drain(struct observe *observe);
// Says where the ports are, as "host:port", once all of them are open. Once; others may be asking already.
void observe_set_listening(struct observe *observe, const char *grpc, const char *http, const char *ui);

// For struct ui_options, with the observe as their context.
void observe_verdict(void *observe, const uint8_t trace_id[16], struct ui_verdict *out_verdict);
const char *observe_policy_name(void *observe, uint8_t policy);
enum status observe_resend(void *observe, struct slice exporter, uint64_t *out_count);
void observe_status(void *observe, struct ui_status *out_status);

#endif
