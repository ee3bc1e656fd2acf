// SPDX-License-Identifier: Apache-2.0
//
// From a decoded payload to the acknowledgement: validate, note the facts, take out secrets and what can never be
// accepted, append to the intake journal, answer when it is durable. The one implementation of receiver/sink. Any
// thread may submit.
#ifndef COLLECTOR_INTAKE_H
#define COLLECTOR_INTAKE_H

#include "base/budget.h"
#include "base/clock.h"
#include "base/metrics.h"
#include "collector/disk_guard.h"
#include "collector/inbox_grouping.h"
#include "collector/project_directory.h"
#include "processor/payload_facts.h"
#include "receiver/sink.h"
#include "store/journal.h"

struct intake;

struct intake_options {
  struct journal *journal;
  struct payload_facts_options facts; // of its sampling a share is taken
  const struct scrub *scrub;          // for all projects; NULL: nothing is scrubbed
  struct project_directory *projects; // each in its own way, in place of `scrub`; NULL: none
  struct inbox_grouping_options grouping;
  struct disk_guard *disk; // asked before a body is read; NULL: nobody
  const struct clock *clock;
  struct metrics *metrics;
};

struct intake *intake_create(const struct intake_options *options);
// No submit may be running or come later, and every acknowledgement must have been given (journal closed).
void intake_destroy(struct intake *intake);
struct sink intake_sink(struct intake *intake);
// Notes attributes for these policies from now on; a share is taken. Any thread.
void intake_set_sampling(struct intake *intake, struct sampling *sampling);
// Refuses everything from now on (STATUS_UNAVAILABLE, "shutting down").
void intake_drain(struct intake *intake);
// Items: received = stored + refused + rejected (all of a refused request counts as refused), once everything has been
// answered.
struct intake_balance {
  uint64_t received, stored, refused, rejected;
};
struct intake_balance intake_balance(const struct intake *intake);

#endif
