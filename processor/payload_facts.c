// SPDX-License-Identifier: Apache-2.0
//
// How it works: one pass of the scan. Items of one trace mostly follow each other, so the trace of the previous item is
// tried first; else a small open-addressing table maps trace ids to their place in `traces`. Attributes that a policy
// or the correlation wants are reported by the scan while it validates them; what they mean for the item is gathered in
// `pending` until the item itself is yielded.
#include "processor/payload_facts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/hash.h"
#include "proto/sentry_log.h"
#include "proto/trace_context.h"
#include "proto/wire.h"
#include "store/segment_index.h"

#define SLOTS_MIN          1024u
#define EVENT_RANK_PENALTY 1000 // a span event's id counts only when the span itself has none
#define SECTION_BYTES_MAX  (UINT64_C(64) << 20)

struct payload_facts {
  struct payload_facts_options options;
  uint64_t fingerprint, seed;
  struct otlp_key_filter filter;

  struct record_trace *traces;
  uint64_t *trace_request; // key of the request id last noted for a trace
  uint32_t trace_count, trace_capacity;
  struct record_item *items;
  uint32_t item_count, item_capacity;
  struct record_request *requests;
  uint32_t request_count, request_capacity;
  uint8_t *rejected; // one bit per scanned item
  uint32_t scanned, rejected_capacity;

  uint32_t *slots; // trace index + 1, 0 free
  uint32_t slot_mask;

  uint32_t resource_index, resource_matches;
  struct {
    uint32_t matches;
    int rank;
    struct slice request_id;
  } pending;
  struct buffer section;

  const struct scrub *scrub; // NULL: not asked
  struct otlp_key_memory keys;
  bool needs_scrub;
};

static void *grow(void *array, uint32_t *capacity, size_t item_bytes, uint32_t needed) {
  if (needed <= *capacity) return array;
  uint32_t wanted = *capacity ? *capacity * 2 : 256;
  while (wanted < needed) wanted *= 2;
  void *grown = realloc(array, (size_t)wanted * item_bytes);
  ASSERT(grown);
  *capacity = wanted;
  return grown;
}

struct payload_facts *payload_facts_create(const struct payload_facts_options *options) {
  struct payload_facts *builder = calloc(1, sizeof(*builder));
  ASSERT(builder);
  builder->options = *options;
  sampling_share(options->sampling);
  if (!builder->options.limits) builder->options.limits = &otlp_limits_default;
  builder->seed = random_u64();
  uint64_t parts[3] = {sampling_fingerprint(options->sampling), correlation_fingerprint(options->correlation),
                       options->keep_severity};
  builder->fingerprint = hash_xxh3(slice_make(parts, sizeof(parts)));
  sampling_add_keys(options->sampling, &builder->filter);
  correlation_add_keys(options->correlation, &builder->filter);
  builder->slots = calloc(SLOTS_MIN, sizeof(uint32_t));
  ASSERT(builder->slots);
  builder->slot_mask = SLOTS_MIN - 1;
  buffer_init(&builder->section, SECTION_BYTES_MAX);
  return builder;
}

void payload_facts_destroy(struct payload_facts *builder) {
  if (!builder) return;
  free(builder->traces);
  free(builder->trace_request);
  free(builder->items);
  free(builder->requests);
  free(builder->rejected);
  free(builder->slots);
  buffer_finish(&builder->section);
  sampling_release(builder->options.sampling);
  free(builder);
}

uint64_t payload_facts_fingerprint(const struct payload_facts *builder) {
  return builder->fingerprint;
}

const struct sampling *payload_facts_sampling(const struct payload_facts *builder) {
  return builder->options.sampling;
}

void payload_facts_set_scrub(struct payload_facts *builder, const struct scrub *scrub) {
  builder->scrub = scrub && scrub_is_enabled(scrub) ? scrub : NULL;
}

const struct scrub *payload_facts_scrub(const struct payload_facts *builder) {
  return builder->scrub;
}

bool payload_facts_needs_scrub(const struct payload_facts *builder) {
  return builder->needs_scrub;
}

bool payload_facts_is_rejected(const struct payload_facts *builder, uint32_t item_index) {
  return item_index < builder->scanned && (builder->rejected[item_index / 8] >> (item_index % 8) & 1) != 0;
}

// --- traces ---------------------------------------------------------------------------------------------------------

static uint32_t slot_of(const struct payload_facts *builder, const uint8_t *trace_id) {
  uint64_t low, high;
  memcpy(&low, trace_id, sizeof(low));
  memcpy(&high, trace_id + 8, sizeof(high));
  uint64_t mixed = (low ^ builder->seed) * UINT64_C(0x9e3779b97f4a7c15) ^ (high + builder->seed);
  mixed *= UINT64_C(0xd6e8feb86659fd93);
  return (uint32_t)(mixed >> 32) & builder->slot_mask;
}

static void slots_grow(struct payload_facts *builder) {
  uint32_t count = (builder->slot_mask + 1) * 2;
  free(builder->slots);
  builder->slots = calloc(count, sizeof(uint32_t));
  ASSERT(builder->slots);
  builder->slot_mask = count - 1;
  for (uint32_t i = 0; i < builder->trace_count; i++) {
    uint32_t slot = slot_of(builder, builder->traces[i].trace_id);
    while (builder->slots[slot]) slot = (slot + 1) & builder->slot_mask;
    builder->slots[slot] = i + 1;
  }
}

static uint32_t find_trace(struct payload_facts *builder, const uint8_t *trace_id) {
  if (builder->item_count > 0) {
    uint32_t previous = builder->items[builder->item_count - 1].trace;
    if (previous != RECORD_NO_TRACE && memcmp(builder->traces[previous].trace_id, trace_id, OTLP_TRACE_ID_BYTES) == 0) {
      return previous;
    }
  }
  uint32_t slot = slot_of(builder, trace_id);
  for (; builder->slots[slot]; slot = (slot + 1) & builder->slot_mask) {
    uint32_t index = builder->slots[slot] - 1;
    if (memcmp(builder->traces[index].trace_id, trace_id, OTLP_TRACE_ID_BYTES) == 0) return index;
  }
  if ((builder->trace_count + 1) * 2 > builder->slot_mask + 1) {
    slots_grow(builder);
    for (slot = slot_of(builder, trace_id); builder->slots[slot];) slot = (slot + 1) & builder->slot_mask;
  }
  uint32_t index = builder->trace_count;
  uint32_t capacity = builder->trace_capacity;
  builder->traces = grow(builder->traces, &builder->trace_capacity, sizeof(struct record_trace), index + 1);
  builder->trace_request = grow(builder->trace_request, &capacity, sizeof(uint64_t), index + 1);
  builder->traces[index] = (struct record_trace){0};
  memcpy(builder->traces[index].trace_id, trace_id, OTLP_TRACE_ID_BYTES);
  builder->trace_request[index] = 0;
  builder->slots[slot] = index + 1;
  builder->trace_count++;
  return index;
}

static void note_sampling(struct record_trace *trace, struct slice trace_state) {
  struct trace_context_sampling sampling;
  trace_context_sampling_parse(trace_state, &sampling);
  if (sampling.has_randomness) {
    trace->randomness = sampling.randomness;
    trace->flags |= RECORD_TRACE_RANDOMNESS;
  }
  if (sampling.has_threshold) {
    if (!(trace->flags & RECORD_TRACE_THRESHOLD) || sampling.threshold > trace->threshold) {
      trace->threshold = sampling.threshold;
    }
    trace->flags |= RECORD_TRACE_THRESHOLD;
  }
}

// --- items ----------------------------------------------------------------------------------------------------------

static void on_attribute(void *context, enum otlp_owner owner, const struct otlp_attribute *attribute) {
  struct payload_facts *builder = context;
  if (owner == OTLP_OWNER_RESOURCE || owner == OTLP_OWNER_SCOPE) return; // see enter_resource
  builder->pending.matches |= sampling_match(builder->options.sampling, attribute);
  int rank = correlation_rank(builder->options.correlation, attribute->key);
  if (rank < 0) return;
  if (owner == OTLP_OWNER_SPAN_EVENT) rank += EVENT_RANK_PENALTY;
  if (rank >= builder->pending.rank) return;
  struct slice id = correlation_id_of(&attribute->value);
  if (!id.len) return;
  builder->pending.request_id = id;
  builder->pending.rank = rank;
}

static void enter_resource(struct payload_facts *builder, const struct otlp_item *item) {
  if (item->resource_index == builder->resource_index) return;
  builder->resource_index = item->resource_index;
  builder->resource_matches = 0;
  struct otlp_field_iter iter = otlp_fields(item->resource, OTLP_RESOURCE_ATTRIBUTES);
  struct otlp_attribute attribute;
  while (otlp_attribute_next(&iter, &attribute)) {
    builder->resource_matches |= sampling_match(builder->options.sampling, &attribute);
  }
}

static void note_request(struct payload_facts *builder, uint32_t trace, struct slice id) {
  uint64_t key = segment_index_request_key(id);
  if (trace != RECORD_NO_TRACE) {
    if (builder->trace_request[trace] == key) return;
    builder->trace_request[trace] = key;
  }
  uint32_t index = builder->request_count;
  builder->requests = grow(builder->requests, &builder->request_capacity, sizeof(struct record_request), index + 1);
  builder->requests[index] = (struct record_request){
      .key = key, .trace = trace, .item = trace == RECORD_NO_TRACE ? builder->item_count : 0, .id = id};
  builder->request_count++;
}

static uint8_t note_span(struct payload_facts *builder, uint32_t index, const struct otlp_span *span) {
  struct record_trace *trace = &builder->traces[index];
  if (trace->span_count == 0 || span->start_ns < trace->start_ns) trace->start_ns = span->start_ns;
  if (span->end_ns > trace->end_ns) trace->end_ns = span->end_ns;
  trace->span_count++;
  if (span->status_code == OTLP_STATUS_ERROR) trace->flags |= RECORD_TRACE_ERROR;
  if (span->has_exception) trace->flags |= RECORD_TRACE_EXCEPTION;
  if (span->trace_state.len) note_sampling(trace, span->trace_state);
  return span->has_exception ? RECORD_ITEM_ERROR : 0;
}

static uint8_t note_log(struct payload_facts *builder, uint32_t index, const struct otlp_log *log) {
  uint8_t flags = 0;
  if (log->has_exception || log->severity_number >= OTLP_SEVERITY_ERROR) flags |= RECORD_ITEM_ERROR;
  if (log->severity_number >= builder->options.keep_severity) flags |= RECORD_ITEM_WARN;
  // An error log is an event in the inbox, and its request is kept with it.
  if (index != RECORD_NO_TRACE && flags & RECORD_ITEM_ERROR) builder->traces[index].flags |= RECORD_TRACE_EXCEPTION;
  return flags;
}

// What a Sentry SDK logs is no event: it sends that beside. Scope is InstrumentationScope { name = 1 } and nothing
// else.
static bool is_sentry_log(struct slice scope) {
  struct slice name = SLICE_LITERAL(SENTRY_LOG_SCOPE);
  return scope.len == name.len + 2 && scope.ptr[0] == WIRE_TAG(1, WIRE_BYTES) &&
         slice_equal(slice_skip(scope, 2), name);
}

static void note_item(struct payload_facts *builder, enum otlp_signal signal, const struct otlp_item *item) {
  enter_resource(builder, item);
  if (builder->scrub && signal == OTLP_LOGS && !builder->needs_scrub) {
    builder->needs_scrub = !scrub_log_is_clean(builder->scrub, &item->log);
  }
  struct slice trace_id = signal == OTLP_TRACES ? item->span.trace_id : item->log.trace_id;
  uint32_t trace = trace_id.len == OTLP_TRACE_ID_BYTES ? find_trace(builder, trace_id.ptr) : RECORD_NO_TRACE;
  uint8_t flags = signal == OTLP_TRACES ? note_span(builder, trace, &item->span) : note_log(builder, trace, &item->log);
  if (signal == OTLP_LOGS && flags & RECORD_ITEM_ERROR && is_sentry_log(item->scope))
    flags &= (uint8_t)~RECORD_ITEM_ERROR;
  if (trace != RECORD_NO_TRACE) builder->traces[trace].matches |= builder->pending.matches | builder->resource_matches;
  struct slice id = builder->pending.request_id;
  if (!id.len && signal == OTLP_LOGS) id = correlation_of_log(builder->options.correlation, &item->log);
  if (id.len) note_request(builder, trace, id);
  uint32_t index = builder->item_count;
  builder->items = grow(builder->items, &builder->item_capacity, sizeof(struct record_item), index + 1);
  builder->items[index] = (struct record_item){.trace = trace, .flags = flags};
  builder->item_count++;
}

static void note_rejected(struct payload_facts *builder, const struct otlp_item *item,
                          struct payload_facts_counts *counts) {
  builder->rejected[item->index / 8] |= (uint8_t)(1u << (item->index % 8));
  if (counts->rejected++ > 0) return;
  bool trace_wrong = item->span.trace_id.len != OTLP_TRACE_ID_BYTES;
  if (!trace_wrong) {
    static const uint8_t zero[OTLP_TRACE_ID_BYTES];
    trace_wrong = memcmp(item->span.trace_id.ptr, zero, sizeof(zero)) == 0;
  }
  snprintf(counts->reject_reason, sizeof(counts->reject_reason), "span %" PRIu32 ": %s and not all zero", item->index,
           trace_wrong ? "trace_id must be 16 bytes" : "span_id must be 8 bytes");
}

static void begin(struct payload_facts *builder) {
  if (builder->trace_count > 0) memset(builder->slots, 0, ((size_t)builder->slot_mask + 1) * sizeof(uint32_t));
  builder->trace_count = builder->item_count = builder->request_count = builder->scanned = 0;
  builder->resource_index = UINT32_MAX;
  builder->resource_matches = 0;
  buffer_clear(&builder->section);
}

static bool every_key_is_plain(const void *context, struct slice key) {
  (void)context;
  (void)key;
  return true;
}

enum status payload_facts_build(struct payload_facts *builder, enum otlp_signal signal, struct slice payload,
                                struct slice *out_section, struct payload_facts_counts *out_counts,
                                struct error *error) {
  begin(builder);
  struct payload_facts_counts counts = {0};
  struct otlp_scan scan;
  otlp_scan_init(&scan, signal, payload, builder->options.limits);
  scan.filter = &builder->filter;
  scan.on_attribute = on_attribute;
  scan.context = builder;
  builder->needs_scrub = builder->scrub && scrub_reads_all(builder->scrub);
  // Also where nothing is scrubbed: the scan is faster over keys that it knows.
  if (builder->scrub) {
    scrub_judge_keys(builder->scrub, &builder->keys);
  } else {
    otlp_key_memory_begin(&builder->keys, every_key_is_plain, NULL, 0);
  }
  scan.keys = &builder->keys;
  struct otlp_item item;
  enum status status;
  for (;;) {
    builder->pending.matches = 0;
    builder->pending.rank = INT32_MAX;
    builder->pending.request_id = slice_make(NULL, 0);
    status = otlp_scan_next(&scan, &item, error);
    if (status) break;
    uint32_t bytes = item.index / 8 + 1;
    if (item.index % 8 == 0) {
      builder->rejected = grow(builder->rejected, &builder->rejected_capacity, 1, bytes);
      builder->rejected[bytes - 1] = 0;
    }
    builder->scanned = item.index + 1;
    if (item.ids_valid) {
      note_item(builder, signal, &item);
    } else {
      note_rejected(builder, &item, &counts);
    }
  }
  if (status != STATUS_END) return status;
  if (builder->scrub && builder->keys.met) builder->needs_scrub = true;
  counts.items = builder->item_count;
  status = record_facts_encode(builder->fingerprint, builder->traces, builder->trace_count, builder->items,
                               builder->item_count, builder->requests, builder->request_count, &builder->section);
  if (status) return error_set(error, STATUS_TOO_LARGE, "the request holds too many traces");
  *out_section = buffer_slice(&builder->section);
  *out_counts = counts;
  return STATUS_OK;
}
