// SPDX-License-Identifier: Apache-2.0
//
// The section of a journal record: what the readers need of a payload without decompressing or scanning it again. It is
// made once, on the receiver's thread, while the payload is validated, and written beside the body. The byte layout is
// at the top of record_facts.c. Pure functions; any thread.
//
// `fingerprint` names the configuration the facts were made under (attribute policies, request id attributes); a reader
// whose own differs rebuilds them from the body.
#ifndef STORE_RECORD_FACTS_H
#define STORE_RECORD_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

#define RECORD_NO_TRACE   UINT32_C(0xffffff)
#define RECORD_TRACES_MAX UINT32_C(0xfffffe)

enum record_trace_flag {
  RECORD_TRACE_ERROR = 1,      // a span with status ERROR
  RECORD_TRACE_EXCEPTION = 2,  // an exception on a span event or log, or an error event
  RECORD_TRACE_RANDOMNESS = 4, // `randomness` is an explicit rv
  RECORD_TRACE_THRESHOLD = 8,  // `threshold` came with th
  RECORD_TRACE_KEPT = 16,      // kept journal: the verdict (always set there)
};

// What sampling needs of one trace in one record; 64 bytes encoded.
struct record_trace {
  uint8_t trace_id[16];
  uint64_t start_ns, end_ns; // earliest and latest of its spans; 0, 0 without spans
  uint64_t randomness;       // 56 bits, with RECORD_TRACE_RANDOMNESS
  uint64_t threshold;        // with RECORD_TRACE_THRESHOLD
  uint32_t span_count;
  uint32_t matches;         // bit i: attribute policy i matched
  uint8_t flags;            // enum record_trace_flag
  uint8_t policy;           // kept journal: enum sampling_policy_kind that said keep
  uint8_t policy_index;     // and its place in sampling.policies
  uint8_t late;             // kept journal: 1 when it followed a remembered verdict
  uint32_t probability_ppm; // kept journal: of the verdict, millionths; 1 000 000 = certain
};

enum record_item_flag {
  RECORD_ITEM_ERROR = 1, // to be taken to the inbox: exception, or log severity >= ERROR
  RECORD_ITEM_WARN = 2,  // log severity >= the configured keep severity
};
// One span or log record, 4 bytes encoded: trace index (24 bits, RECORD_NO_TRACE) and flags.
struct record_item {
  uint32_t trace;
  uint8_t flags;
};

// A request id seen in the record: on a trace (index), or on an item without one (trace = RECORD_NO_TRACE, item index).
// Text is kept, at most 200 bytes.
#define RECORD_REQUEST_ID_BYTES_MAX 200
struct record_request {
  uint64_t key; // segment_index_request_key(id)
  uint32_t trace;
  uint32_t item; // meaningful without a trace
  struct slice id;
};

struct record_facts {
  uint64_t fingerprint;
  uint32_t trace_count, item_count, request_count;
  bool has_errors;                                // any item has RECORD_ITEM_ERROR
  const uint8_t *traces, *items, *requests, *end; // encoded
  struct slice more;                              // what stands behind the facts: of events, an event_summary
};

// Views a section. STATUS_CORRUPT when its shape is wrong (its bytes passed the journal's checksum, so: a fault or
// another version).
enum status record_facts_decode(struct slice section, struct record_facts *out_facts);
void record_facts_trace(const struct record_facts *facts, uint32_t index, struct record_trace *out_trace);
// The 16 bytes of its id, in the section.
const uint8_t *record_facts_trace_id(const struct record_facts *facts, uint32_t index);
struct record_item record_facts_item(const struct record_facts *facts, uint32_t index);
// Walks the request ids: cursor starts at facts->requests; false at the end.
bool record_facts_next_request(const struct record_facts *facts, const uint8_t **cursor,
                               struct record_request *out_request);

enum status record_facts_encode(uint64_t fingerprint, const struct record_trace *traces, uint32_t trace_count,
                                const struct record_item *items, uint32_t item_count,
                                const struct record_request *requests, uint32_t request_count, struct buffer *out);
// Says of facts encoded at `section` that something follows; it is appended behind them then.
void record_facts_announce_more(uint8_t *section);

#endif
