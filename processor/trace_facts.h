// SPDX-License-Identifier: Apache-2.0
//
// The facts of every trace that waits for its verdict, merged over the records it came in, and the remembered verdicts
// of those that have one. A waiting trace costs 24 bytes in a table of bounded size; a verdict 20 bytes in a memory
// that forgets the oldest. A span that arrives after its trace's verdict follows it.
//
// One thread merges and settles (the pipeline's); trace_facts_lookup may be called by any thread.
#ifndef PROCESSOR_TRACE_FACTS_H
#define PROCESSOR_TRACE_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "processor/sampling.h"
#include "store/record_facts.h"

struct trace_facts;

struct trace_facts_options {
  struct sampling *sampling; // a share of its own is taken
  uint32_t waiting_max;      // traces; default 1 000 000
  uint32_t verdicts_max;     // remembered, default 1 000 000
  uint32_t requests_max;     // request ids linked to traces, default 262 144
};

struct trace_facts *trace_facts_create(const struct trace_facts_options *options);
void trace_facts_destroy(struct trace_facts *facts);

// Watch: adds what one record says of its traces. False when the table of waiting traces is full: nothing was merged,
// settle must make room before the same record is tried again.
bool trace_facts_merge(struct trace_facts *facts, uint64_t sequence, const struct record_facts *record);

// Decides by other policies from now on, of which a share is taken. Verdicts that were made stay what they are.
void trace_facts_set_sampling(struct trace_facts *facts, struct sampling *sampling);
// Forgets what waits: every record that is not settled, up to `sequence` merged before, is merged once more.
void trace_facts_start_over(struct trace_facts *facts, uint64_t sequence);

struct trace_facts_verdict {
  struct sampling_verdict verdict;
  bool late;  // the record came in after its trace had its verdict
  bool known; // false: nothing is known of it (request ids only)
};
// Begins to load what settling the record's traces will read: the tables are far larger than a cache.
void trace_facts_prefetch(struct trace_facts *facts, const struct record_facts *record);
// Settle: the verdict of a trace of the record `sequence`, made now when there is none yet. now_ns is monotonic.
struct trace_facts_verdict trace_facts_settle(struct trace_facts *facts, uint64_t sequence,
                                              const struct record_trace *trace, uint64_t now_ns);
// Settle: the verdict of the trace a request id was seen on. A trace that still waits is kept now when its facts so far
// say so; else it goes on waiting, and the answer is "drop" for this once.
struct trace_facts_verdict trace_facts_settle_request(struct trace_facts *facts, uint64_t request_key, uint64_t now_ns);
// Remembers that the request id belongs to something kept (or not), for logs that carry only the id.
void trace_facts_note_request(struct trace_facts *facts, uint64_t request_key, const struct sampling_verdict *verdict);
// After a restart: the trace with this key (segment_index_trace_key) was kept. To be called newest first: keys beyond
// verdicts_max are passed over.
void trace_facts_remember_kept(struct trace_facts *facts, uint64_t trace_key);

// Any thread. *out_waiting: no verdict yet. False when the trace is neither waiting nor remembered.
bool trace_facts_lookup(struct trace_facts *facts, const uint8_t trace_id[16], bool *out_waiting,
                        struct sampling_verdict *out_verdict);
// Any thread; traces that wait.
uint64_t trace_facts_waiting(struct trace_facts *facts);

#endif
