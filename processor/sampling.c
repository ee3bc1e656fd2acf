// SPDX-License-Identifier: Apache-2.0
//
// How it works: every policy is asked about the merged facts of a trace. Attribute policies were answered while the
// payload was scanned (bit i of record_trace.matches), so a decision looks at no payload. The first policy in order
// that says keep names the verdict; the others are still asked, because the least strict threshold of all of them is
// what tracestate must carry: with one shared randomness R, "kept by any" is the same as R >= the smallest T (otlp
// facts: consistent probability sampling). A rate limit is asked only when nothing before it kept the trace, so that
// its tokens go to traces that would be dropped otherwise.
#define PCRE2_CODE_UNIT_WIDTH 8
#include "processor/sampling.h"

#include <inttypes.h>
#include <pcre2.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/thread.h"
#include "proto/trace_context.h"

#define REGEX_MATCH_LIMIT    20000
#define REGEX_DEPTH_LIMIT    250
#define REGEX_HEAP_LIMIT_KIB 1024
#define NO_POLICY            31
#define PACKED_ERASE         (UINT32_C(1) << 15)

struct policy {
  struct sampling_policy settings; // texts point into `text`
  char *text[3];                   // key, value, regex
  struct slice key, value;
  pcre2_code *regex;
  uint64_t threshold;
  double tokens;
  uint64_t refilled_ns;
  struct metrics_value *kept;
};

struct sampling {
  struct atomic_u64 shares;
  struct policy policies[SAMPLING_POLICIES_MAX];
  uint32_t count;
  uint64_t fingerprint;
  pcre2_match_context *limits;
  struct metrics_value *dropped;
};

const char *sampling_policy_name(enum sampling_policy_kind kind) {
  switch (kind) {
  case SAMPLING_NONE: return "none";
  case SAMPLING_ERRORS: return "errors";
  case SAMPLING_LATENCY: return "latency";
  case SAMPLING_ATTRIBUTE: return "attribute";
  case SAMPLING_PROBABILITY: return "probability";
  case SAMPLING_RATE_LIMIT: return "rate_limit";
  case SAMPLING_SEVERITY: return "severity";
  }
  return "none";
}

// --- creation -------------------------------------------------------------------------------------------------------

static char *copy_text(const char *text) {
  if (!text) return NULL;
  char *copy = strdup(text);
  ASSERT(copy);
  return copy;
}

static enum status compile_regex(struct policy *policy, uint32_t index, struct error *error) {
  int code;
  size_t offset;
  policy->regex =
      pcre2_compile((PCRE2_SPTR)policy->settings.regex, PCRE2_ZERO_TERMINATED, PCRE2_UTF, &code, &offset, NULL);
  if (policy->regex) return STATUS_OK;
  uint8_t words[128] = "";
  pcre2_get_error_message(code, words, sizeof(words));
  return error_set(error, STATUS_INVALID, "sampling.policies[%" PRIu32 "].attribute.regex: %s at character %zu", index,
                   (const char *)words, offset);
}

static enum status check_policy(const struct sampling_policy *policy, uint32_t index, struct error *error) {
  switch (policy->kind) {
  case SAMPLING_ERRORS: return STATUS_OK;
  case SAMPLING_LATENCY:
    if (policy->latency_ns > 0) return STATUS_OK;
    return error_set(error, STATUS_INVALID, "sampling.policies[%" PRIu32 "].latency: must be longer than 0", index);
  case SAMPLING_ATTRIBUTE:
    if (!policy->key || !policy->key[0]) {
      return error_set(error, STATUS_INVALID, "sampling.policies[%" PRIu32 "].attribute.key: missing", index);
    }
    if (policy->value && policy->regex) {
      return error_set(error, STATUS_INVALID,
                       "sampling.policies[%" PRIu32 "].attribute: value and regex exclude each other", index);
    }
    return STATUS_OK;
  case SAMPLING_PROBABILITY:
    if (policy->probability >= 0 && policy->probability <= 1) return STATUS_OK;
    return error_set(error, STATUS_INVALID, "sampling.policies[%" PRIu32 "].probability: must be between 0 and 1",
                     index);
  case SAMPLING_RATE_LIMIT:
    if (policy->traces_per_second > 0) return STATUS_OK;
    return error_set(error, STATUS_INVALID, "sampling.policies[%" PRIu32 "].rate_limit: must be above 0", index);
  case SAMPLING_NONE:
  case SAMPLING_SEVERITY: break;
  }
  return error_set(error, STATUS_INVALID, "sampling.policies[%" PRIu32 "]: unknown policy", index);
}

static enum status add_policy(struct sampling *sampling, const struct sampling_policy *settings,
                              struct metrics *metrics, struct error *error) {
  uint32_t index = sampling->count;
  enum status status = check_policy(settings, index, error);
  if (status) return status;
  struct policy *policy = &sampling->policies[sampling->count++];
  policy->settings = *settings;
  policy->settings.key = policy->text[0] = copy_text(settings->key);
  policy->settings.value = policy->text[1] = copy_text(settings->value);
  policy->settings.regex = policy->text[2] = copy_text(settings->regex);
  policy->key = slice_from_cstr(policy->settings.key);
  policy->value = slice_from_cstr(policy->settings.value);
  policy->threshold = trace_context_threshold(settings->probability);
  policy->tokens = settings->traces_per_second < 1 ? 1 : settings->traces_per_second;
  if (settings->kind == SAMPLING_ATTRIBUTE) {
    uint64_t hash = hash_xxh3_seeded(policy->key, sampling->fingerprint + index + 1);
    hash = hash_xxh3_seeded(policy->value, hash + (settings->value != NULL));
    sampling->fingerprint = hash_xxh3_seeded(slice_from_cstr(settings->regex), hash + (settings->regex != NULL));
  }
  char labels[96];
  snprintf(labels, sizeof(labels), "policy=\"%s\",index=\"%" PRIu32 "\"", sampling_policy_name(settings->kind), index);
  policy->kept = metrics_series(metrics, METRICS_COUNTER, "culprit_sampling_kept_traces_total", labels,
                                "Traces kept, by the first policy that said keep.");
  return settings->regex ? compile_regex(policy, index, error) : STATUS_OK;
}

enum status sampling_create(const struct sampling_policy *policies, uint32_t count, struct metrics *metrics,
                            struct sampling **out_sampling, struct error *error) {
  if (count > SAMPLING_POLICIES_MAX - 1) {
    return error_set(error, STATUS_INVALID, "sampling.policies: at most %d policies", SAMPLING_POLICIES_MAX - 1);
  }
  struct sampling *sampling = calloc(1, sizeof(*sampling));
  ASSERT(sampling);
  atomic_u64_set(&sampling->shares, 1);
  sampling->limits = pcre2_match_context_create(NULL);
  ASSERT(sampling->limits);
  pcre2_set_match_limit(sampling->limits, REGEX_MATCH_LIMIT);
  pcre2_set_depth_limit(sampling->limits, REGEX_DEPTH_LIMIT);
  pcre2_set_heap_limit(sampling->limits, REGEX_HEAP_LIMIT_KIB);
  sampling->dropped = metrics_series(metrics, METRICS_COUNTER, "culprit_sampling_dropped_traces_total", "",
                                     "Traces that no policy kept.");
  for (uint32_t i = 0; i < count; i++) {
    enum status status = add_policy(sampling, &policies[i], metrics, error);
    if (status) {
      sampling_release(sampling);
      return status;
    }
  }
  *out_sampling = sampling;
  return STATUS_OK;
}

struct sampling *sampling_share(struct sampling *sampling) {
  atomic_u64_add(&sampling->shares, 1);
  return sampling;
}

void sampling_release(struct sampling *sampling) {
  if (!sampling || atomic_u64_sub(&sampling->shares, 1) > 1) return;
  for (uint32_t i = 0; i < sampling->count; i++) {
    for (int k = 0; k < 3; k++) free(sampling->policies[i].text[k]);
    pcre2_code_free(sampling->policies[i].regex);
  }
  pcre2_match_context_free(sampling->limits);
  free(sampling);
}

uint64_t sampling_fingerprint(const struct sampling *sampling) {
  return sampling->fingerprint;
}

uint32_t sampling_count(const struct sampling *sampling) {
  return sampling->count;
}

enum sampling_policy_kind sampling_kind(const struct sampling *sampling, uint32_t index) {
  ASSERT(index < sampling->count);
  return sampling->policies[index].settings.kind;
}

// --- attributes, while a payload is scanned -------------------------------------------------------------------------

void sampling_add_keys(const struct sampling *sampling, struct otlp_key_filter *filter) {
  for (uint32_t i = 0; i < sampling->count; i++) {
    if (sampling->policies[i].settings.kind == SAMPLING_ATTRIBUTE)
      otlp_key_filter_add(filter, sampling->policies[i].key);
  }
}

static bool text_matches(const struct sampling *sampling, const struct policy *policy, struct slice text) {
  if (policy->settings.value) return slice_equal(text, policy->value);
  if (!policy->regex) return true;
  pcre2_match_data *match = pcre2_match_data_create(1, NULL);
  ASSERT(match);
  // An empty subject must not be NULL. Over a limit counts as no match.
  int found = pcre2_match(policy->regex, text.len ? text.ptr : (PCRE2_SPTR) "", text.len, 0, PCRE2_NO_UTF_CHECK, match,
                          sampling->limits);
  pcre2_match_data_free(match);
  return found >= 0;
}

static bool value_matches(const struct sampling *sampling, const struct policy *policy, const struct otlp_any *value) {
  char text[48];
  int len = 0;
  switch (value->kind) {
  case OTLP_ANY_STRING: return text_matches(sampling, policy, value->bytes);
  case OTLP_ANY_BOOL: return text_matches(sampling, policy, slice_from_cstr(value->boolean ? "true" : "false"));
  case OTLP_ANY_I64: len = snprintf(text, sizeof(text), "%" PRId64, value->i64); break;
  case OTLP_ANY_DOUBLE: len = snprintf(text, sizeof(text), "%.15g", value->f64); break;
  case OTLP_ANY_ARRAY: {
    struct otlp_field_iter elements = otlp_any_elements(*value);
    struct otlp_any element;
    while (otlp_any_next(&elements, &element)) {
      if (element.kind == OTLP_ANY_STRING && text_matches(sampling, policy, element.bytes)) return true;
    }
    return false;
  }
  case OTLP_ANY_EMPTY:
  case OTLP_ANY_KVLIST:
  case OTLP_ANY_BYTES: return !policy->settings.value && !policy->regex;
  }
  return text_matches(sampling, policy, slice_make(text, (size_t)len));
}

uint32_t sampling_match(const struct sampling *sampling, const struct otlp_attribute *attribute) {
  uint32_t matches = 0;
  for (uint32_t i = 0; i < sampling->count; i++) {
    const struct policy *policy = &sampling->policies[i];
    if (policy->settings.kind != SAMPLING_ATTRIBUTE || !slice_equal(policy->key, attribute->key)) continue;
    if (value_matches(sampling, policy, &attribute->value)) matches |= UINT32_C(1) << i;
  }
  return matches;
}

// --- decisions ------------------------------------------------------------------------------------------------------

static bool take_token(struct policy *policy, uint64_t now_ns) {
  double burst = policy->settings.traces_per_second < 1 ? 1 : policy->settings.traces_per_second;
  if (policy->refilled_ns == 0) policy->refilled_ns = now_ns;
  if (now_ns > policy->refilled_ns) {
    policy->tokens += (double)(now_ns - policy->refilled_ns) / (double)NS_PER_S * policy->settings.traces_per_second;
    if (policy->tokens > burst) policy->tokens = burst;
    policy->refilled_ns = now_ns;
  }
  if (policy->tokens < 1) return false;
  policy->tokens -= 1;
  return true;
}

uint64_t sampling_randomness(const struct record_trace *trace) {
  if (trace->flags & RECORD_TRACE_RANDOMNESS) return trace->randomness;
  return trace_context_randomness(&(struct trace_context_sampling){0}, trace->trace_id);
}

static bool policy_keeps(struct policy *policy, uint32_t index, const struct record_trace *trace, uint64_t now_ns) {
  switch (policy->settings.kind) {
  case SAMPLING_ERRORS: return (trace->flags & (RECORD_TRACE_ERROR | RECORD_TRACE_EXCEPTION)) != 0;
  case SAMPLING_LATENCY:
    return trace->span_count > 0 && trace->end_ns > trace->start_ns &&
           trace->end_ns - trace->start_ns >= policy->settings.latency_ns;
  case SAMPLING_ATTRIBUTE: return (trace->matches >> index & 1) != 0;
  case SAMPLING_PROBABILITY: return sampling_randomness(trace) >= policy->threshold;
  case SAMPLING_RATE_LIMIT: return take_token(policy, now_ns);
  case SAMPLING_NONE:
  case SAMPLING_SEVERITY: break;
  }
  return false;
}

// What the kept spans' th becomes, given the policy that counts for it (NO_POLICY: certain).
static void set_threshold(const struct sampling *sampling, struct sampling_verdict *verdict, uint32_t index) {
  verdict->action = SAMPLING_THRESHOLD_LEAVE;
  verdict->threshold = 0;
  verdict->probability = 1;
  verdict->threshold_index = (uint8_t)index;
  if (index >= sampling->count) return;
  const struct policy *policy = &sampling->policies[index];
  if (policy->settings.kind == SAMPLING_RATE_LIMIT) {
    verdict->action = SAMPLING_THRESHOLD_ERASE;
    verdict->probability = 0;
  } else if (policy->settings.kind == SAMPLING_PROBABILITY && policy->threshold > 0) {
    verdict->action = SAMPLING_THRESHOLD_RAISE;
    verdict->threshold = policy->threshold;
    verdict->probability = trace_context_probability(policy->threshold);
  }
}

struct sampling_verdict sampling_decide_early(struct sampling *sampling, const struct record_trace *trace,
                                              uint64_t now_ns) {
  struct sampling_verdict verdict = {.keep = false, .policy = SAMPLING_NONE};
  uint32_t strict = NO_POLICY; // the policy whose threshold counts
  uint64_t least = UINT64_MAX;
  for (uint32_t i = 0; i < sampling->count; i++) {
    struct policy *policy = &sampling->policies[i];
    bool is_rate_limit = policy->settings.kind == SAMPLING_RATE_LIMIT;
    if (is_rate_limit && verdict.keep) continue;
    if (!policy_keeps(policy, i, trace, now_ns)) continue;
    if (!verdict.keep) {
      verdict = (struct sampling_verdict){.keep = true, .policy = policy->settings.kind, .policy_index = (uint8_t)i};
      metrics_add(policy->kept, 1);
    }
    // A rate limit is stricter than any known threshold: whoever else keeps the trace counts instead.
    uint64_t threshold = is_rate_limit                                   ? UINT64_MAX - 1
                         : policy->settings.kind == SAMPLING_PROBABILITY ? policy->threshold
                                                                         : 0;
    if (threshold < least) {
      least = threshold;
      strict = i;
    }
  }
  if (verdict.keep) set_threshold(sampling, &verdict, strict);
  return verdict;
}

struct sampling_verdict sampling_decide(struct sampling *sampling, const struct record_trace *trace, uint64_t now_ns) {
  struct sampling_verdict verdict = sampling_decide_early(sampling, trace, now_ns);
  if (!verdict.keep) metrics_add(sampling->dropped, 1);
  return verdict;
}

// Packed: bit 0 keep, 1-4 policy kind, 5-9 its index, 10-14 the policy whose threshold counts (31: certain), 15 it was
// one that is not known any more.
uint32_t sampling_verdict_pack(const struct sampling_verdict *verdict) {
  uint32_t strict = NO_POLICY;
  if (verdict->action != SAMPLING_THRESHOLD_LEAVE) strict = verdict->threshold_index;
  bool erase = verdict->action == SAMPLING_THRESHOLD_ERASE && strict == NO_POLICY;
  return (verdict->keep ? 1u : 0u) | (uint32_t)verdict->policy << 1 | (uint32_t)verdict->policy_index << 5 |
         strict << 10 | (erase ? PACKED_ERASE : 0);
}

uint32_t sampling_verdict_translate(const struct sampling *from, const struct sampling *to, uint32_t packed) {
  uint32_t strict = packed >> 10 & 31;
  if (strict >= from->count) return packed;
  packed |= (uint32_t)NO_POLICY << 10;
  const struct policy *was = &from->policies[strict];
  for (uint32_t i = 0; i < to->count && was->settings.kind == SAMPLING_PROBABILITY; i++) {
    const struct policy *is = &to->policies[i];
    if (is->settings.kind != SAMPLING_PROBABILITY || is->threshold != was->threshold) continue;
    return (packed & ~((uint32_t)NO_POLICY << 10)) | i << 10;
  }
  return packed | PACKED_ERASE;
}

struct sampling_verdict sampling_verdict_unpack(const struct sampling *sampling, uint32_t packed) {
  struct sampling_verdict verdict = {
      .keep = packed & 1,
      .policy = (enum sampling_policy_kind)(packed >> 1 & 15),
      .policy_index = (uint8_t)(packed >> 5 & 31),
  };
  if (verdict.keep) set_threshold(sampling, &verdict, packed >> 10 & 31);
  if (packed & PACKED_ERASE) {
    verdict.action = SAMPLING_THRESHOLD_ERASE;
    verdict.probability = 0;
  }
  return verdict;
}

bool sampling_rewrite_trace_state(const struct sampling_verdict *verdict, struct slice trace_state,
                                  struct buffer *out) {
  if (verdict->action == SAMPLING_THRESHOLD_LEAVE) return false;
  struct trace_context_sampling sampling;
  trace_context_sampling_parse(trace_state, &sampling);
  buffer_clear(out);
  if (verdict->action == SAMPLING_THRESHOLD_ERASE) {
    return sampling.has_threshold && trace_context_set_threshold(trace_state, false, 0, out) == STATUS_OK;
  }
  // Downstream samplers may only raise T.
  if (sampling.has_threshold && sampling.threshold >= verdict->threshold) return false;
  return trace_context_set_threshold(trace_state, true, verdict->threshold, out) == STATUS_OK;
}
