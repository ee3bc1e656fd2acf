// SPDX-License-Identifier: Apache-2.0
//
// One intake record, settled: the verdict of each trace in it, and of logs that carry only a request id or none, made
// into the record that goes to the kept journal. In two steps, because the kept journal may have no room: settle_record
// decides and prepares, settle_append appends and may be tried again. One thread, except settle_counts.
#ifndef COLLECTOR_SETTLE_H
#define COLLECTOR_SETTLE_H

#include "base/metrics.h"
#include "processor/trace_facts.h"
#include "store/journal.h"
#include "store/record_facts.h"
#include "store/request_store.h"

struct settle;

struct settle_options {
  struct trace_facts *facts;
  struct request_store *requests;
  struct metrics *metrics;
};

struct settle *settle_create(const struct settle_options *options);
void settle_destroy(struct settle *settle);

// record must stay valid until settle_append succeeds. STATUS_CORRUPT when the body does not decode.
enum status settle_record(struct settle *settle, const struct journal_record *record, const struct record_facts *facts,
                          uint64_t now_ns);
// STATUS_OK also when nothing was to be kept. Failures of request_store_append.
enum status settle_append(struct settle *settle, struct error *error);

struct pipeline_counts settle_counts(const struct settle *settle);

#endif
