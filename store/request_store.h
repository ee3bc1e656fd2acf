// SPDX-License-Identifier: Apache-2.0
//
// The kept journal with its index files: append what settle keeps, find and read one request. Appending is the pipeline
// thread's; finding is any thread's (each call opens its own reader).
//
// A record's section (store/record_facts.h) lists the traces and request ids in it, so that an index can be rebuilt and
// a record's relevance seen without decompressing.
#ifndef STORE_REQUEST_STORE_H
#define STORE_REQUEST_STORE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "base/status.h"
#include "proto/otlp_scan.h"
#include "store/journal.h"
#include "store/record_facts.h"

struct request_store;

struct request_store_options {
  struct journal_options kept; // on_sealed is the store's own
  struct journal *intake;      // searched too, from the settle position on: what waits for its verdict
  uint32_t segment_keys_max;   // default 1 000 000
};

enum status request_store_open(const struct request_store_options *options, struct request_store **out_store,
                               struct error *error);
void request_store_close(struct request_store *store);
struct journal *request_store_journal(struct request_store *store); // for exporters' readers

// Appends one kept record and indexes the traces and request ids of its section. Same errors as journal_append.
enum status request_store_append(struct request_store *store, const struct journal_entry *entry, struct error *error);
// The intake sequence of the newest kept record (0: none): settle resumes behind it.
uint64_t request_store_settled_sequence(struct request_store *store);
// Tells the store how far settle has come, so that find looks in the intake only behind it. Any thread.
void request_store_set_settled(struct request_store *store, uint64_t sequence);

// Applies retention: segments older than keep_ns, or over the budget, oldest first, never a record >= floor_sequence
// (the slowest exporter). Their index files go with them. Returns segments deleted.
uint32_t request_store_retain(struct request_store *store, uint64_t keep_ns, uint64_t floor_sequence);

// Every key in the newest `segments_max` indexes, newest segment first: traces that were kept.
void request_store_each_recent_key(struct request_store *store, uint32_t segments_max,
                                   void (*each)(void *context, uint64_t key), void *context);

// Finding. The key set is widened: a request id leads to the traces it was seen on, a trace to its request ids, until
// nothing new is found or a limit is reached.
#define REQUEST_STORE_TRACES_MAX      64
#define REQUEST_STORE_REQUEST_IDS_MAX 32
struct request_store_limits {
  uint32_t records_max;      // records read, default 2 000
  uint32_t items_max;        // spans and logs reported, default 20 000
  uint64_t intake_bytes_max; // of waiting intake records looked at, newest first, default 256 MiB
};
struct request_store_item {
  enum journal_kind kind; // traces or logs
  bool waiting;           // still in the intake: no verdict yet
  uint64_t received_ns;
  const struct otlp_item *item;     // valid during the call back
  const struct record_trace *trace; // facts with verdict, NULL for a log without a trace
};
struct request_store_result {
  uint8_t trace_ids[REQUEST_STORE_TRACES_MAX][16];
  uint32_t trace_count;
  struct slice request_ids[REQUEST_STORE_REQUEST_IDS_MAX]; // in the arena
  uint32_t request_id_count;
  bool truncated; // a limit was reached
};
// `id` is a request id, or a trace id as 32 hex digits (tried as both). Calls `each` once per span and log record of
// the request. STATUS_OK also when nothing was found (trace_count 0, no calls).
enum status request_store_find(struct request_store *store, struct slice id, const struct request_store_limits *limits,
                               struct arena *arena, void (*each)(void *context, const struct request_store_item *item),
                               void *context, struct request_store_result *out_result, struct error *error);

#endif
