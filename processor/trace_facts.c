// SPDX-License-Identifier: Apache-2.0
//
// How it works: `waiting` maps the key of a trace (64-bit hash of its id) to its merged facts. Settling a trace takes
// it out of there, asks sampling, and puts the packed verdict into `verdicts`, a memory of the most recent ones.
//
// Request ids lead to traces through two generations of a table: links are written into the younger; when that is full,
// the older is emptied and becomes the younger. So a link lives for at least requests_max / 2 further links.
//
// An explicit randomness (rv in tracestate) is rare and has a table of its own: a verdict must use it also when it is
// made at a record without tracestate (logs).
//
// A trace whose verdict is remembered when a record of it comes in is late in that record; `late` holds (trace,
// sequence) until settle gets there, so that the kept spans can say so.
//
// The lock is for trace_facts_lookup, which the API's threads call; the pipeline takes it once a record or verdict.
#include "processor/trace_facts.h"

#include <assert.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/table.h"
#include "base/thread.h"
#include "store/segment_index.h"

#define WAITING_DEFAULT  1000000u
#define VERDICTS_DEFAULT 1000000u
#define REQUESTS_DEFAULT 262144u
#define LATE_MAX         131072u // beyond, late spans are not marked as such
#define PREFETCH_MAX     64u     // traces of a record; more would push each other out of the cache

struct waiting {
  uint64_t start_and_flags;
  uint32_t matches, duration_us; // saturates at 71 minutes
};
static_assert(sizeof(struct waiting) == 16, "24 bytes a waiting trace with its key");

struct link {
  uint64_t trace_key, randomness;
};

struct trace_facts {
  struct trace_facts_options options;
  struct mutex lock;
  struct table *waiting;         // trace key → struct waiting
  struct table_recent *verdicts; // trace key → packed verdict
  struct table_recent *requests; // request key → packed verdict
  struct table *late;            // set of late_key
  struct table *links[2];        // request key → trace key; [0] is the younger
  struct table *randomness;      // trace key → explicit randomness, of waiting traces that have one
  uint32_t remembered_kept;      // by trace_facts_remember_kept
  uint64_t again_until;          // records up to here were merged before: what is late in them has been noted
};

struct trace_facts *trace_facts_create(const struct trace_facts_options *options) {
  struct trace_facts *facts = calloc(1, sizeof(*facts));
  ASSERT(facts);
  facts->options = *options;
  sampling_share(options->sampling);
  if (!facts->options.waiting_max) facts->options.waiting_max = WAITING_DEFAULT;
  if (!facts->options.verdicts_max) facts->options.verdicts_max = VERDICTS_DEFAULT;
  if (!facts->options.requests_max) facts->options.requests_max = REQUESTS_DEFAULT;
  mutex_init(&facts->lock);
  facts->waiting = table_create(sizeof(struct waiting), facts->options.waiting_max);
  facts->verdicts = table_recent_create(facts->options.verdicts_max);
  facts->requests = table_recent_create(facts->options.requests_max);
  facts->late = table_create(0, LATE_MAX);
  facts->randomness = table_create(sizeof(uint64_t), facts->options.waiting_max);
  for (int i = 0; i < 2; i++) facts->links[i] = table_create(sizeof(struct link), facts->options.requests_max / 2 + 1);
  return facts;
}

void trace_facts_destroy(struct trace_facts *facts) {
  if (!facts) return;
  table_destroy(facts->waiting);
  table_recent_destroy(facts->verdicts);
  table_recent_destroy(facts->requests);
  table_destroy(facts->late);
  table_destroy(facts->randomness);
  for (int i = 0; i < 2; i++) table_destroy(facts->links[i]);
  mutex_finish(&facts->lock);
  sampling_release(facts->options.sampling);
  free(facts);
}

// --- watch ----------------------------------------------------------------------------------------------------------

// Flags beyond enum record_trace_flag's that fit the low byte.
#define WAITING_HAS_SPANS 128u
#define WAITING_FLAGS     (RECORD_TRACE_ERROR | RECORD_TRACE_EXCEPTION)

static uint32_t duration_us(uint64_t start_us, uint64_t end_us) {
  if (end_us <= start_us) return 0;
  return end_us - start_us > UINT32_MAX ? UINT32_MAX : (uint32_t)(end_us - start_us);
}

static void merge_trace(struct waiting *into, const struct record_trace *from) {
  uint64_t flags = (into->start_and_flags & 255) | (from->flags & WAITING_FLAGS);
  uint64_t start_us = into->start_and_flags >> 8;
  if (from->span_count > 0) {
    uint64_t from_start_us = from->start_ns / NS_PER_US, from_end_us = from->end_ns / NS_PER_US;
    uint64_t end_us = start_us + into->duration_us;
    bool first = !(flags & WAITING_HAS_SPANS);
    if (first || from_start_us < start_us) start_us = from_start_us;
    if (first || from_end_us > end_us) end_us = from_end_us;
    into->duration_us = duration_us(start_us, end_us);
    flags |= WAITING_HAS_SPANS;
  }
  into->start_and_flags = start_us << 8 | flags;
  into->matches |= from->matches;
}

// The merged facts as sampling wants them; the id is the record's.
static struct record_trace unpack(const struct trace_facts *facts, uint64_t key, const struct waiting *waiting,
                                  const struct record_trace *record) {
  struct record_trace trace = *record;
  const uint64_t *randomness = table_count(facts->randomness) > 0 ? table_find(facts->randomness, key) : NULL;
  if (randomness) {
    trace.randomness = *randomness;
    trace.flags |= RECORD_TRACE_RANDOMNESS;
  }
  bool has_spans = (waiting->start_and_flags & WAITING_HAS_SPANS) != 0;
  trace.flags |= waiting->start_and_flags & WAITING_FLAGS;
  trace.matches = waiting->matches;
  trace.span_count = has_spans ? 1 : 0;
  trace.start_ns = (waiting->start_and_flags >> 8) * NS_PER_US;
  trace.end_ns = trace.start_ns + waiting->duration_us * NS_PER_US;
  return trace;
}

static uint64_t late_key(uint64_t trace_key, uint64_t sequence) {
  return trace_key ^ sequence * UINT64_C(0x9e3779b97f4a7c15);
}

static void link_request(struct trace_facts *facts, uint64_t request_key, const struct record_trace *trace) {
  struct link *link = table_insert(facts->links[0], request_key, NULL);
  if (!link) {
    struct table *oldest = facts->links[1];
    facts->links[1] = facts->links[0];
    facts->links[0] = oldest;
    table_clear(oldest);
    link = table_insert(oldest, request_key, NULL);
  }
  link->trace_key = segment_index_trace_key(trace->trace_id);
  link->randomness = sampling_randomness(trace);
}

// Of the traces of a record that are looked up ahead of time.
static uint32_t prefetched(const struct record_facts *record) {
  return record->trace_count < PREFETCH_MAX ? record->trace_count : PREFETCH_MAX;
}

static uint64_t key_at(const struct record_facts *record, uint32_t index) {
  return segment_index_trace_key(record_facts_trace_id(record, index));
}

// Under the lock: what settling reads of a trace that waits, as nearly all do.
static void prefetch(const struct trace_facts *facts, const struct record_facts *record) {
  for (uint32_t i = 0; i < prefetched(record); i++) {
    uint64_t key = key_at(record, i);
    table_prefetch(facts->waiting, key);
    table_recent_prefetch(facts->verdicts, key);
  }
}

// And what merging reads. All first places together, then all second ones, so that waiting for one is waiting for all.
static void prefetch_verdicts(const struct trace_facts *facts, const struct record_facts *record) {
  for (uint32_t i = 0; i < prefetched(record); i++) table_recent_prefetch_entry(facts->verdicts, key_at(record, i));
}

void trace_facts_prefetch(struct trace_facts *facts, const struct record_facts *record) {
  mutex_lock(&facts->lock);
  prefetch(facts, record);
  mutex_unlock(&facts->lock);
}

bool trace_facts_merge(struct trace_facts *facts, uint64_t sequence, const struct record_facts *record) {
  mutex_lock(&facts->lock);
  prefetch(facts, record);
  prefetch_verdicts(facts, record);
  bool room = table_count(facts->waiting) + record->trace_count <= facts->options.waiting_max ||
              table_count(facts->waiting) == 0; // a record larger than the table still passes, see below
  if (!room) {
    mutex_unlock(&facts->lock);
    return false;
  }
  struct record_trace trace;
  for (uint32_t i = 0; i < record->trace_count; i++) {
    record_facts_trace(record, i, &trace);
    uint64_t key = segment_index_trace_key(trace.trace_id);
    uint32_t packed;
    if (table_recent_get(facts->verdicts, key, &packed)) {
      if (sequence > facts->again_until) table_insert(facts->late, late_key(key, sequence), NULL);
      continue;
    }
    struct waiting *into = table_insert(facts->waiting, key, NULL);
    if (!into) continue; // the record's own facts decide at settle
    merge_trace(into, &trace);
    uint64_t *randomness = NULL;
    if (trace.flags & RECORD_TRACE_RANDOMNESS) randomness = table_insert(facts->randomness, key, NULL);
    if (randomness) *randomness = trace.randomness;
  }
  const uint8_t *cursor = record->requests;
  struct record_request request;
  while (record_facts_next_request(record, &cursor, &request)) {
    if (request.trace == RECORD_NO_TRACE) continue;
    record_facts_trace(record, request.trace, &trace);
    link_request(facts, request.key, &trace);
  }
  mutex_unlock(&facts->lock);
  return true;
}

// --- other policies -------------------------------------------------------------------------------------------------

static void translate(struct table_recent *verdicts, const struct sampling *from, const struct sampling *to) {
  size_t cursor = 0;
  uint32_t *packed;
  while ((packed = table_recent_next(verdicts, &cursor))) *packed = sampling_verdict_translate(from, to, *packed);
}

void trace_facts_set_sampling(struct trace_facts *facts, struct sampling *sampling) {
  mutex_lock(&facts->lock);
  struct sampling *before = facts->options.sampling;
  facts->options.sampling = sampling_share(sampling);
  translate(facts->verdicts, before, sampling);
  translate(facts->requests, before, sampling);
  mutex_unlock(&facts->lock);
  sampling_release(before);
}

void trace_facts_start_over(struct trace_facts *facts, uint64_t sequence) {
  mutex_lock(&facts->lock);
  table_clear(facts->waiting);
  table_clear(facts->randomness);
  if (sequence > facts->again_until) facts->again_until = sequence;
  mutex_unlock(&facts->lock);
}

// --- settle ---------------------------------------------------------------------------------------------------------

static struct trace_facts_verdict remembered(struct trace_facts *facts, uint32_t packed) {
  return (struct trace_facts_verdict){.verdict = sampling_verdict_unpack(facts->options.sampling, packed),
                                      .known = true};
}

// A trace that waits has no verdict, so the key is a new one.
static void remember(struct trace_facts *facts, uint64_t key, const struct sampling_verdict *verdict) {
  table_recent_put_new(facts->verdicts, key, sampling_verdict_pack(verdict));
  table_remove(facts->waiting, key);
  if (table_count(facts->randomness) > 0) table_remove(facts->randomness, key);
}

static struct trace_facts_verdict decide(struct trace_facts *facts, uint64_t key, const struct record_trace *trace,
                                         uint64_t now_ns) {
  struct trace_facts_verdict answer = {.verdict = sampling_decide(facts->options.sampling, trace, now_ns),
                                       .known = true};
  remember(facts, key, &answer.verdict);
  return answer;
}

struct trace_facts_verdict trace_facts_settle(struct trace_facts *facts, uint64_t sequence,
                                              const struct record_trace *trace, uint64_t now_ns) {
  uint64_t key = segment_index_trace_key(trace->trace_id);
  struct trace_facts_verdict answer;
  uint32_t packed;
  mutex_lock(&facts->lock);
  const struct waiting *waiting = table_find(facts->waiting, key);
  if (waiting) {
    struct record_trace merged = unpack(facts, key, waiting, trace);
    answer = decide(facts, key, &merged, now_ns);
  } else if (table_recent_get(facts->verdicts, key, &packed)) {
    answer = remembered(facts, packed);
  } else {
    answer = decide(facts, key, trace, now_ns);
  }
  if (table_count(facts->late) > 0) answer.late = table_remove(facts->late, late_key(key, sequence));
  mutex_unlock(&facts->lock);
  return answer;
}

struct trace_facts_verdict trace_facts_settle_request(struct trace_facts *facts, uint64_t request_key,
                                                      uint64_t now_ns) {
  struct trace_facts_verdict answer = {.known = false};
  uint32_t packed;
  mutex_lock(&facts->lock);
  const struct link *link = table_find(facts->links[0], request_key);
  if (!link) link = table_find(facts->links[1], request_key);
  if (table_recent_get(facts->requests, request_key, &packed) && (packed & 1)) {
    answer = remembered(facts, packed);
  } else if (link) {
    const struct waiting *waiting = table_find(facts->waiting, link->trace_key);
    if (waiting) {
      struct record_trace id = {.flags = RECORD_TRACE_RANDOMNESS, .randomness = link->randomness};
      struct record_trace merged = unpack(facts, link->trace_key, waiting, &id);
      // The trace itself may not have waited long enough: facts to come can turn a drop into a keep, not the reverse.
      answer = (struct trace_facts_verdict){.verdict = sampling_decide_early(facts->options.sampling, &merged, now_ns),
                                            .known = true};
      if (answer.verdict.keep) remember(facts, link->trace_key, &answer.verdict);
    } else if (table_recent_get(facts->verdicts, link->trace_key, &packed)) {
      answer = remembered(facts, packed);
    }
  }
  mutex_unlock(&facts->lock);
  return answer;
}

void trace_facts_note_request(struct trace_facts *facts, uint64_t request_key, const struct sampling_verdict *verdict) {
  if (!verdict->keep) return; // a request with several traces is kept when one of them is
  mutex_lock(&facts->lock);
  table_recent_put(facts->requests, request_key, sampling_verdict_pack(verdict));
  mutex_unlock(&facts->lock);
}

void trace_facts_remember_kept(struct trace_facts *facts, uint64_t trace_key) {
  // The policy of that time is not known any more; what matters is that its late spans follow.
  struct sampling_verdict verdict = {.keep = true, .policy = SAMPLING_NONE};
  mutex_lock(&facts->lock);
  if (facts->remembered_kept < facts->options.verdicts_max) {
    facts->remembered_kept++;
    table_recent_put(facts->verdicts, trace_key, sampling_verdict_pack(&verdict));
  }
  mutex_unlock(&facts->lock);
}

bool trace_facts_lookup(struct trace_facts *facts, const uint8_t trace_id[16], bool *out_waiting,
                        struct sampling_verdict *out_verdict) {
  uint64_t key = segment_index_trace_key(trace_id);
  uint32_t packed = 0;
  mutex_lock(&facts->lock);
  bool waiting = table_find(facts->waiting, key) != NULL;
  bool found = waiting || table_recent_get(facts->verdicts, key, &packed);
  if (found) {
    *out_waiting = waiting;
    *out_verdict = sampling_verdict_unpack(facts->options.sampling, packed); // which other policies may replace
  }
  mutex_unlock(&facts->lock);
  return found;
}

uint64_t trace_facts_waiting(struct trace_facts *facts) {
  mutex_lock(&facts->lock);
  uint64_t count = table_count(facts->waiting);
  mutex_unlock(&facts->lock);
  return count;
}
