// SPDX-License-Identifier: Apache-2.0
//
// Sampling of whole traces: policies in order, keep if any says keep. Deterministic given facts, state and clock. The
// policies and their order come from sampling.policies; each counts its verdicts. Built once and replaced as a whole;
// shared by its owners, the last of which frees it. sampling_decide belongs to the pipeline thread (rate_limit has
// state), the rest is constant and any thread may read it.
#ifndef PROCESSOR_SAMPLING_H
#define PROCESSOR_SAMPLING_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "base/status.h"
#include "proto/otlp_scan.h"
#include "store/record_facts.h"

enum sampling_policy_kind {
  SAMPLING_NONE = 0, // dropped
  SAMPLING_ERRORS = 1,
  SAMPLING_LATENCY = 2,
  SAMPLING_ATTRIBUTE = 3,
  SAMPLING_PROBABILITY = 4,
  SAMPLING_RATE_LIMIT = 5,
  SAMPLING_SEVERITY = 6, // logs of no trace and no request: by severity
};
const char *sampling_policy_name(enum sampling_policy_kind kind); // "errors", "latency", …, "none"

#define SAMPLING_POLICIES_MAX 32

struct sampling_policy {
  enum sampling_policy_kind kind;
  uint64_t latency_ns;      // latency: keeps traces at least this long, earliest start to latest end
  const char *key;          // attribute
  const char *value;        // attribute: exact text; NULL: any value, or regex
  const char *regex;        // attribute: PCRE2, searched in the value's text, with match limits
  double probability;       // probability: 0 … 1
  double traces_per_second; // rate_limit: token bucket, burst of one second
};

struct sampling;
// One share is the caller's. The policies' texts are copied. STATUS_INVALID names the policy:
// "sampling.policies[2].regex: …".
enum status sampling_create(const struct sampling_policy *policies, uint32_t count, struct metrics *metrics,
                            struct sampling **out_sampling, struct error *error);
struct sampling *sampling_share(struct sampling *sampling); // one share more, of the same
void sampling_release(struct sampling *sampling);
// Of the attribute policies: where two agree, sampling_match says the same.
uint64_t sampling_fingerprint(const struct sampling *sampling);
uint32_t sampling_count(const struct sampling *sampling);
enum sampling_policy_kind sampling_kind(const struct sampling *sampling, uint32_t index);

// While a payload is scanned: the keys wanted, and the policies an attribute matches (bit i: policy i).
void sampling_add_keys(const struct sampling *sampling, struct otlp_key_filter *filter);
uint32_t sampling_match(const struct sampling *sampling, const struct otlp_attribute *attribute);

struct sampling_verdict {
  bool keep;
  enum sampling_policy_kind policy; // the first, in order, that said keep
  uint8_t policy_index;             // in sampling.policies, as they were then
  // Consistent probability (OpenTelemetry "TraceState: Probability Sampling"): what to do with th of the kept spans.
  // Of all policies that kept the trace the least strict counts; errors, latency and attribute count as certain
  // (nothing is written then), a rate limit has no honest probability (th is erased).
  enum sampling_threshold { SAMPLING_THRESHOLD_LEAVE, SAMPLING_THRESHOLD_RAISE, SAMPLING_THRESHOLD_ERASE } action;
  uint64_t threshold;      // RAISE: each span's th becomes at least this
  uint8_t threshold_index; // the policy it comes from, if it still is one
  double probability;      // of being kept, as far as known: 1 for certain, the policy's for probability, 0 unknown
};
// trace: the facts merged over all records. now_ns: monotonic, for rate_limit.
struct sampling_verdict sampling_decide(struct sampling *sampling, const struct record_trace *trace, uint64_t now_ns);
// The same before all facts are there: a keep is one, and counted; a drop may still become a keep, so it is not
// counted.
struct sampling_verdict sampling_decide_early(struct sampling *sampling, const struct record_trace *trace,
                                              uint64_t now_ns);

// R of a trace, 56 bits: the explicit rv, else the last 56 bits of its id.
uint64_t sampling_randomness(const struct record_trace *trace);

// A verdict in 32 bits, to be remembered for late spans, and back.
uint32_t sampling_verdict_pack(const struct sampling_verdict *verdict);
struct sampling_verdict sampling_verdict_unpack(const struct sampling *sampling, uint32_t packed);
// What was packed under `from`, to be unpacked under `to`. A probability that no policy of `to` has is not known any
// more: th is erased from spans that are still to come.
uint32_t sampling_verdict_translate(const struct sampling *from, const struct sampling *to, uint32_t packed);
// The trace_state of a kept span after the verdict: false when it stays as it is, else it is appended to `out` (emptied
// first; may then be empty).
bool sampling_rewrite_trace_state(const struct sampling_verdict *verdict, struct slice trace_state, struct buffer *out);

#endif
