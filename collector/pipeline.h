// SPDX-License-Identifier: Apache-2.0
//
// Watch and settle: two readers of the intake journal on one thread. Watch follows its end and merges the facts of each
// record; settle comes decision_wait behind, looks each verdict up, and passes the kept items on to the kept journal.
// The third reader, collector/inbox, is a thread of its own, so that a flood of errors never slows sampling.
#ifndef COLLECTOR_PIPELINE_H
#define COLLECTOR_PIPELINE_H

#include "base/clock.h"
#include "base/metrics.h"
#include "processor/payload_facts.h"
#include "processor/trace_facts.h"
#include "store/journal.h"
#include "store/request_store.h"

struct pipeline;

struct pipeline_options {
  struct journal *intake;
  struct request_store *requests;
  struct trace_facts *facts;            // shared with the API for look-ups
  struct payload_facts_options rebuild; // to make facts again that another configuration made
  uint64_t decision_wait_ns;
  uint64_t retention_requests_ns;
  bool keep_metrics; // metrics go to the kept journal (an exporter forwards them)
  // The sequence below which every other reader of the intake is durably done (the inbox's cursor), and below which
  // every exporter is done with the kept journal (UINT64_MAX: none runs). Called on the pipeline's thread.
  uint64_t (*intake_floor)(void *context);
  uint64_t (*kept_floor)(void *context);
  void *floor_context;
  const struct clock *clock;
  struct metrics *metrics;
};

enum status pipeline_start(const struct pipeline_options *options, struct pipeline **out_pipeline, struct error *error);
// Ends the thread after the record in hand; what is unsettled is settled after the next start.
void pipeline_stop(struct pipeline *pipeline);

// Other values from now on. Any thread.
// Policies, of which a share is taken: for every verdict that is made afterwards. Where attributes are judged by others
// than before, the facts of what waits are made anew from the journal, as after a restart.
void pipeline_set_sampling(struct pipeline *pipeline, struct sampling *sampling);
void pipeline_set_decision_wait(struct pipeline *pipeline, uint64_t ns);
void pipeline_set_retention(struct pipeline *pipeline, uint64_t requests_ns);
uint64_t pipeline_decision_wait(const struct pipeline *pipeline);

struct pipeline_counts {
  bool settling_waits; // for room in the kept journal
  uint64_t kept_items, dropped_items, late_items;
  uint64_t watched_sequence, settled_sequence;
  uint64_t policy_changes; // that are in force
};
struct pipeline_counts pipeline_counts(const struct pipeline *pipeline);

#endif
