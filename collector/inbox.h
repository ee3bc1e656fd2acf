// SPDX-License-Identifier: Apache-2.0
//
// The inbox reader: a thread that follows the intake journal with a cursor of its own, takes the errors out of what it
// reads and writes them as events and issues, in batches, the cursor with them in one transaction. It is a reader
// beside watch and settle, so that a flood of errors never slows sampling; only records whose section says that they
// have errors are decompressed. It also applies retention.events.
//
// Nothing accepted is lost and nothing is counted twice: after a failure the same batch is written again, after a crash
// reading goes on at the cursor. A record that kills the process twice, or that cannot be digested, goes to quarantine.
#ifndef COLLECTOR_INBOX_H
#define COLLECTOR_INBOX_H

#include "base/clock.h"
#include "base/metrics.h"
#include "processor/correlation.h"
#include "processor/grouping.h"
#include "store/issue_store.h"
#include "store/journal.h"

struct inbox;

struct inbox_options {
  struct journal *journal;
  struct database *database;
  struct issue_store *issues;
  const struct correlation *correlation;
  const struct grouping_config *grouping;
  const char *attempt_path; // "<data_dir>/inbox.attempt"
  uint64_t retention_ns;    // of events; 0: for ever
  const struct clock *clock;
  struct metrics *metrics;
};

enum status inbox_start(const struct inbox_options *options, struct inbox **out_inbox, struct error *error);
// Writes the batch in hand and ends the thread. When the database refuses, the events are read again after the next
// start.
void inbox_stop(struct inbox *inbox);

// Any thread. The first sequence of the intake whose effects are not in the database yet: records below are not needed.
// Another age from now on; 0: for ever. Any thread.
void inbox_set_retention(struct inbox *inbox, uint64_t ns);
uint64_t inbox_cursor(const struct inbox *inbox);
struct inbox_counts {
  uint64_t events, duplicates, issues; // since the start
  uint64_t resent, regressed, overflowed, quarantined, failures;
  uint64_t lag_records;
  bool failing; // the last write failed; it is being tried again
};
struct inbox_counts inbox_counts(const struct inbox *inbox);

#endif
