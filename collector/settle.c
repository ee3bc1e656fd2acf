// SPDX-License-Identifier: Apache-2.0
//
// How it works: verdicts are made per trace of the record's facts, so the payload is touched only when part of it is
// kept: all kept and nothing to rewrite copies the stored form as it is (still compressed), nothing kept touches
// nothing, a mixed record is decompressed and spliced. The kept record gets facts of its own: the kept traces with
// their verdicts, the kept items renumbered, and the request ids that belong to them.
#include "collector/settle.h"

#include <stdlib.h>

#include "collector/pipeline.h"
#include "proto/otlp_splice.h"

#define BODY_BYTES_MAX (UINT64_C(256) << 20)
#define PPM            1000000u
#define NOT_KEPT       UINT32_MAX

struct settle {
  struct settle_options options;
  // Of the record in hand; arrays grow with the largest record met, which the limits of a request bound.
  struct trace_facts_verdict *verdicts; // per trace
  uint32_t *kept_trace;                 // new index or NOT_KEPT
  uint32_t trace_capacity;
  struct record_trace *traces;                  // kept ones
  struct record_item *items;                    // kept ones
  uint32_t *kept_item;                          // new index or NOT_KEPT
  struct trace_facts_verdict *request_verdicts; // per item without a trace that has a request id
  const struct record_facts *facts;
  uint32_t item_capacity;
  struct record_request *requests;
  uint32_t request_capacity;
  uint32_t kept_traces, kept_items, kept_requests;
  bool rewrites;      // a kept span's trace_state may change
  uint32_t stated_of; // trace_state holds what a span of this trace gets that came without; or RECORD_NO_TRACE

  struct buffer body, spliced, section, trace_state;
  struct journal_entry entry;
  bool entry_ready;

  struct atomic_u64 kept, dropped, late;
  struct metrics_value *kept_by_policy[SAMPLING_SEVERITY + 1];
  struct metrics_value *dropped_metric, *late_metric;
};

struct settle *settle_create(const struct settle_options *options) {
  struct settle *settle = calloc(1, sizeof(*settle));
  ASSERT(settle);
  settle->options = *options;
  buffer_init(&settle->body, BODY_BYTES_MAX);
  buffer_init(&settle->spliced, BODY_BYTES_MAX);
  buffer_init(&settle->section, BODY_BYTES_MAX);
  buffer_init(&settle->trace_state, 4096);
  for (uint32_t kind = 0; kind <= SAMPLING_SEVERITY; kind++) {
    struct buffer labels;
    buffer_init(&labels, 64);
    buffer_printf(&labels, "policy=\"%s\"", sampling_policy_name((enum sampling_policy_kind)kind));
    buffer_append_byte(&labels, 0);
    settle->kept_by_policy[kind] =
        metrics_series(options->metrics, METRICS_COUNTER, "culprit_settle_kept_items_total", (const char *)labels.ptr,
                       "Spans and log records kept, by the policy that kept them (none: followed an earlier verdict).");
    buffer_finish(&labels);
  }
  settle->dropped_metric = metrics_series(options->metrics, METRICS_COUNTER, "culprit_settle_dropped_items_total", "",
                                          "Spans and log records dropped by sampling.");
  settle->late_metric = metrics_series(options->metrics, METRICS_COUNTER, "culprit_settle_late_items_total", "",
                                       "Spans and log records that came after their trace had its verdict.");
  return settle;
}

void settle_destroy(struct settle *settle) {
  if (!settle) return;
  free(settle->verdicts);
  free(settle->kept_trace);
  free(settle->traces);
  free(settle->items);
  free(settle->kept_item);
  free(settle->request_verdicts);
  free(settle->requests);
  buffer_finish(&settle->body);
  buffer_finish(&settle->spliced);
  buffer_finish(&settle->section);
  buffer_finish(&settle->trace_state);
  free(settle);
}

static void *resize(void *array, size_t count, size_t bytes) {
  void *grown = realloc(array, count * bytes);
  ASSERT(grown);
  return grown;
}

static void make_room(struct settle *settle, const struct record_facts *facts) {
  if (facts->trace_count > settle->trace_capacity) {
    settle->trace_capacity = facts->trace_count + facts->trace_count / 2;
    settle->verdicts = resize(settle->verdicts, settle->trace_capacity, sizeof(*settle->verdicts));
    settle->kept_trace = resize(settle->kept_trace, settle->trace_capacity, sizeof(*settle->kept_trace));
    settle->traces = resize(settle->traces, settle->trace_capacity, sizeof(*settle->traces));
  }
  if (facts->item_count > settle->item_capacity) {
    settle->item_capacity = facts->item_count + facts->item_count / 2;
    settle->items = resize(settle->items, settle->item_capacity, sizeof(*settle->items));
    settle->kept_item = resize(settle->kept_item, settle->item_capacity, sizeof(*settle->kept_item));
    settle->request_verdicts =
        resize(settle->request_verdicts, settle->item_capacity, sizeof(*settle->request_verdicts));
  }
  if (facts->request_count > settle->request_capacity) {
    settle->request_capacity = facts->request_count + facts->request_count / 2;
    settle->requests = resize(settle->requests, settle->request_capacity, sizeof(*settle->requests));
  }
}

// --- decisions ------------------------------------------------------------------------------------------------------

static void mark_kept(struct record_trace *trace, const struct trace_facts_verdict *verdict) {
  trace->flags |= RECORD_TRACE_KEPT;
  trace->policy = (uint8_t)verdict->verdict.policy;
  trace->policy_index = verdict->verdict.policy_index;
  trace->late = verdict->late ? 1 : 0;
  trace->probability_ppm = (uint32_t)(verdict->verdict.probability * PPM + 0.5);
}

static void decide_traces(struct settle *settle, uint64_t sequence, const struct record_facts *facts, uint64_t now_ns) {
  trace_facts_prefetch(settle->options.facts, facts);
  for (uint32_t i = 0; i < facts->trace_count; i++) {
    struct record_trace trace;
    record_facts_trace(facts, i, &trace);
    struct trace_facts_verdict *verdict = &settle->verdicts[i];
    *verdict = trace_facts_settle(settle->options.facts, sequence, &trace, now_ns);
    settle->kept_trace[i] = NOT_KEPT;
    if (!verdict->verdict.keep) continue;
    mark_kept(&trace, verdict);
    settle->kept_trace[i] = settle->kept_traces;
    settle->traces[settle->kept_traces++] = trace;
    if (verdict->verdict.action != SAMPLING_THRESHOLD_LEAVE) settle->rewrites = true;
  }
}

static void decide_requests(struct settle *settle, const struct record_facts *facts, uint64_t now_ns) {
  for (uint32_t i = 0; i < facts->item_count; i++) settle->request_verdicts[i].known = false;
  const uint8_t *cursor = facts->requests;
  struct record_request request;
  while (record_facts_next_request(facts, &cursor, &request)) {
    if (request.trace < facts->trace_count) {
      trace_facts_note_request(settle->options.facts, request.key, &settle->verdicts[request.trace].verdict);
    } else if (request.item < facts->item_count) {
      settle->request_verdicts[request.item] = trace_facts_settle_request(settle->options.facts, request.key, now_ns);
    }
  }
}

// Of one record; told to the metrics once.
struct tally {
  uint32_t kept_by_policy[SAMPLING_SEVERITY + 1];
  uint32_t late;
};

static bool keep_item(struct settle *settle, uint32_t index, struct record_item item, struct tally *tally) {
  bool keep;
  enum sampling_policy_kind policy;
  if (item.trace != RECORD_NO_TRACE) {
    const struct trace_facts_verdict *verdict = &settle->verdicts[item.trace];
    keep = verdict->verdict.keep;
    policy = verdict->verdict.policy;
    if (verdict->late) tally->late++;
  } else if (settle->request_verdicts[index].known && settle->request_verdicts[index].verdict.keep) {
    keep = true;
    policy = settle->request_verdicts[index].verdict.policy;
  } else {
    keep = !settle->request_verdicts[index].known && (item.flags & RECORD_ITEM_WARN) != 0;
    policy = SAMPLING_SEVERITY;
  }
  if (keep) tally->kept_by_policy[policy]++;
  return keep;
}

static void tell_metrics(struct settle *settle, const struct tally *tally, uint32_t dropped) {
  for (uint32_t kind = 0; kind <= SAMPLING_SEVERITY; kind++) {
    if (tally->kept_by_policy[kind]) metrics_add(settle->kept_by_policy[kind], tally->kept_by_policy[kind]);
  }
  metrics_add(settle->dropped_metric, dropped);
  metrics_add(settle->late_metric, tally->late);
  atomic_u64_add_relaxed(&settle->kept, settle->kept_items);
  atomic_u64_add_relaxed(&settle->dropped, dropped);
  atomic_u64_add_relaxed(&settle->late, tally->late);
}

static void decide_items(struct settle *settle, const struct record_facts *facts) {
  struct tally tally = {0};
  for (uint32_t i = 0; i < facts->item_count; i++) {
    struct record_item item = record_facts_item(facts, i);
    settle->kept_item[i] = NOT_KEPT;
    if (!keep_item(settle, i, item, &tally)) continue;
    settle->kept_item[i] = settle->kept_items;
    if (item.trace != RECORD_NO_TRACE) item.trace = settle->kept_trace[item.trace];
    settle->items[settle->kept_items++] = item;
  }
  tell_metrics(settle, &tally, facts->item_count - settle->kept_items);
}

static void keep_requests(struct settle *settle, const struct record_facts *facts) {
  const uint8_t *cursor = facts->requests;
  struct record_request request;
  while (record_facts_next_request(facts, &cursor, &request)) {
    if (request.trace != RECORD_NO_TRACE) {
      if (settle->kept_trace[request.trace] == NOT_KEPT) continue;
      request.trace = settle->kept_trace[request.trace];
    } else {
      if (settle->kept_item[request.item] == NOT_KEPT) continue;
      request.item = settle->kept_item[request.item];
    }
    settle->requests[settle->kept_requests++] = request;
  }
}

// --- the kept record ------------------------------------------------------------------------------------------------

static enum otlp_splice_action splice_item(void *context, uint32_t index, struct otlp_splice_item *span,
                                           struct slice *out_trace_state) {
  struct settle *settle = context;
  if (index >= settle->facts->item_count || settle->kept_item[index] == NOT_KEPT) return OTLP_SPLICE_DROP;
  if (!settle->rewrites) return OTLP_SPLICE_KEEP;
  struct record_item item = record_facts_item(settle->facts, index);
  if (item.trace == RECORD_NO_TRACE) return OTLP_SPLICE_KEEP;
  const struct sampling_verdict *verdict = &settle->verdicts[item.trace].verdict;
  const struct slice before = otlp_splice_trace_state(span);
  if (before.len > 0 || settle->stated_of != item.trace) {
    settle->stated_of = RECORD_NO_TRACE;
    if (!sampling_rewrite_trace_state(verdict, before, &settle->trace_state)) return OTLP_SPLICE_KEEP;
    if (before.len == 0) settle->stated_of = item.trace;
  }
  *out_trace_state = buffer_slice(&settle->trace_state);
  return OTLP_SPLICE_KEEP_TRACE_STATE;
}

static enum status prepare_body(struct settle *settle, const struct journal_record *record) {
  bool whole = settle->kept_items == settle->facts->item_count && !settle->rewrites;
  if (whole || record->kind == JOURNAL_METRICS) {
    settle->entry.body = record->body_stored;
    settle->entry.body_is_stored_form = record->body_compressed;
    settle->entry.body_raw_bytes = record->body_raw_bytes;
    return STATUS_OK;
  }
  struct slice body;
  enum status status = journal_record_body(record, &settle->body, &body);
  if (status) return status;
  buffer_clear(&settle->spliced);
  uint32_t kept = 0;
  enum otlp_signal signal = record->kind == JOURNAL_TRACES ? OTLP_TRACES : OTLP_LOGS;
  status = otlp_splice(signal, body, splice_item, settle, &settle->spliced, &kept);
  if (status) return status;
  if (kept != settle->kept_items) return STATUS_CORRUPT; // the facts do not belong to this body
  settle->entry.body = buffer_slice(&settle->spliced);
  return STATUS_OK;
}

enum status settle_record(struct settle *settle, const struct journal_record *record, const struct record_facts *facts,
                          uint64_t now_ns) {
  settle->entry_ready = false;
  settle->facts = facts;
  settle->kept_traces = settle->kept_items = settle->kept_requests = 0;
  settle->rewrites = false;
  settle->stated_of = RECORD_NO_TRACE;
  make_room(settle, facts);
  decide_traces(settle, record->sequence, facts, now_ns);
  decide_requests(settle, facts, now_ns);
  if (record->kind == JOURNAL_EVENTS) return STATUS_OK; // events live in the inbox; their traces have a verdict now
  decide_items(settle, facts);
  if (settle->kept_items == 0 && record->kind != JOURNAL_METRICS) return STATUS_OK;
  keep_requests(settle, facts);
  settle->rewrites = settle->rewrites && record->kind == JOURNAL_TRACES;
  settle->entry = (struct journal_entry){
      .kind = record->kind,
      .project = record->project,
      .item_count = record->kind == JOURNAL_METRICS ? record->item_count : settle->kept_items,
      .received_ns = record->received_ns,
      .origin_sequence = record->sequence,
      .key_count = settle->kept_traces + settle->kept_requests,
  };
  enum status status = prepare_body(settle, record);
  if (status) return status;
  buffer_clear(&settle->section);
  status = record_facts_encode(facts->fingerprint, settle->traces, settle->kept_traces, settle->items,
                               settle->kept_items, settle->requests, settle->kept_requests, &settle->section);
  if (status) return status;
  settle->entry.section = buffer_slice(&settle->section);
  settle->entry_ready = true;
  return STATUS_OK;
}

enum status settle_append(struct settle *settle, struct error *error) {
  if (!settle->entry_ready) return STATUS_OK;
  enum status status = request_store_append(settle->options.requests, &settle->entry, error);
  if (status == STATUS_OK) settle->entry_ready = false;
  return status;
}

struct pipeline_counts settle_counts(const struct settle *settle) {
  return (struct pipeline_counts){
      .kept_items = atomic_u64_get_relaxed(&settle->kept),
      .dropped_items = atomic_u64_get_relaxed(&settle->dropped),
      .late_items = atomic_u64_get_relaxed(&settle->late),
  };
}
