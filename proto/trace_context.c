// SPDX-License-Identifier: Apache-2.0
//
// A tracestate is a list of members "vendor=value" between commas, white space around each allowed. OpenTelemetry's own
// is
//
//   ot=th:fd70a4;rv:6e6d1a75832a2f;other:kept
//
// with sub-keys between semicolons. th is T with the zeros at its end left out, rv is R in full; both lower-case hex.
#include "proto/trace_context.h"

#include <math.h>

#define THRESHOLD_DIGITS 14
#define OT_VALUE_MAX     256 // characters
#define MEMBERS_MAX      32  // of a tracestate (W3C Trace Context, "list")

// Splits off the text in front of the next `separator`; false when there is nothing left.
static bool next_part(struct slice *rest, uint8_t separator, struct slice *out_part) {
  if (rest->len == 0) return false;
  size_t end = slice_find_byte(*rest, separator);
  *out_part = slice_sub(*rest, 0, end);
  *rest = slice_skip(*rest, end + 1);
  return true;
}

// The next member that is not empty, without the white space around it.
static bool next_member(struct slice *rest, struct slice *out_member) {
  while (next_part(rest, ',', out_member)) {
    *out_member = slice_trim(*out_member);
    if (out_member->len > 0) return true;
  }
  return false;
}

static bool is_ot(struct slice member, struct slice *out_value) {
  if (!slice_starts_with(member, SLICE_LITERAL("ot="))) return false;
  *out_value = slice_skip(member, 3);
  return true;
}

static int hex_digit(uint8_t byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  if (byte >= 'a' && byte <= 'f') return byte - 'a' + 10;
  return -1;
}

// Up to 14 lower-case digits, as if zeros followed to make them 14.
static bool parse_56_bits(struct slice digits, uint64_t *out_value) {
  uint64_t value = 0;
  if (digits.len == 0 || digits.len > THRESHOLD_DIGITS) return false;
  for (size_t i = 0; i < THRESHOLD_DIGITS; i++) {
    int digit = i < digits.len ? hex_digit(digits.ptr[i]) : 0;
    if (digit < 0) return false;
    value = value << 4 | (uint64_t)digit;
  }
  *out_value = value;
  return true;
}

static bool is_sub_key(struct slice part, const char *name, struct slice *out_value) {
  struct slice prefix = slice_from_cstr(name);
  if (!slice_starts_with(part, prefix)) return false;
  *out_value = slice_skip(part, prefix.len);
  return true;
}

void trace_context_sampling_parse(struct slice trace_state, struct trace_context_sampling *out_sampling) {
  struct trace_context_sampling sampling = {0};
  struct slice member, ot = {NULL, 0}, part, value;
  while (next_member(&trace_state, &member)) {
    if (is_ot(member, &ot)) break;
  }
  bool threshold_seen = false, randomness_seen = false; // of two, the first counts
  while (ot.len <= OT_VALUE_MAX && next_part(&ot, ';', &part)) {
    if (!threshold_seen && is_sub_key(part, "th:", &value)) {
      threshold_seen = true;
      sampling.has_threshold = parse_56_bits(value, &sampling.threshold);
    } else if (!randomness_seen && is_sub_key(part, "rv:", &value)) {
      randomness_seen = true;
      sampling.has_randomness = value.len == THRESHOLD_DIGITS && parse_56_bits(value, &sampling.randomness);
    }
  }
  *out_sampling = sampling;
}

uint64_t trace_context_randomness(const struct trace_context_sampling *sampling, const uint8_t *trace_id) {
  if (sampling->has_randomness) return sampling->randomness;
  uint64_t value = 0;
  for (size_t i = 9; i < 16; i++) value = value << 8 | trace_id[i];
  return value;
}

uint64_t trace_context_threshold(double probability) {
  if (probability >= 1.0) return 0;
  if (!(probability >= 0x1p-56)) return TRACE_CONTEXT_THRESHOLD_MAX; // NaN keeps nothing
  return TRACE_CONTEXT_THRESHOLD_MAX - (uint64_t)llround(ldexp(probability, 56));
}

double trace_context_probability(uint64_t threshold) {
  if (threshold >= TRACE_CONTEXT_THRESHOLD_MAX) return 0.0;
  return ldexp((double)(TRACE_CONTEXT_THRESHOLD_MAX - threshold), -56);
}

void trace_context_threshold_format(uint64_t threshold, char out[15]) {
  ASSERT(threshold < TRACE_CONTEXT_THRESHOLD_MAX);
  size_t len = 0;
  do {
    out[len] = "0123456789abcdef"[(threshold >> (52 - 4 * len)) & 15];
    len++;
  } while (len < THRESHOLD_DIGITS && (threshold << (8 + 4 * len)) != 0);
  out[len] = 0;
}

// A threshold, whatever its value; one without a colon is malformed and must not stay beside the new one.
static bool is_threshold_key(struct slice part) {
  struct slice value;
  return is_sub_key(part, "th:", &value) || slice_equal_cstr(part, "th");
}

// Puts the sub-keys of `ot` together again with `threshold` (empty: without) in the place of th, or in front.
static void rewrite_ot(struct slice ot, struct slice threshold, struct buffer *out) {
  struct slice rest = ot, part;
  bool placed = false, has_threshold = false;
  while (next_part(&rest, ';', &part)) has_threshold = has_threshold || is_threshold_key(part);
  if (!has_threshold && threshold.len > 0) {
    buffer_append_cstr(out, "th:");
    buffer_append_slice(out, threshold);
    placed = true;
  }
  while (next_part(&ot, ';', &part)) {
    bool is_threshold = is_threshold_key(part);
    if (part.len == 0 || (is_threshold && (placed || threshold.len == 0))) continue;
    if (out->len > 0) buffer_append_byte(out, ';');
    if (is_threshold) {
      buffer_append_cstr(out, "th:");
      buffer_append_slice(out, threshold);
      placed = true;
    } else {
      buffer_append_slice(out, part);
    }
  }
}

// Appends ot's new value and behind it the members of other vendors, at most MEMBERS_MAX in all: the rightmost, which
// are the oldest, go first.
static void put_members(struct slice trace_state, struct slice ot, struct buffer *out) {
  struct slice member, value;
  uint32_t count = 0;
  if (ot.len > 0) {
    buffer_append_cstr(out, "ot=");
    buffer_append_slice(out, ot);
    count++;
  }
  while (next_member(&trace_state, &member)) {
    if (is_ot(member, &value) || count >= MEMBERS_MAX) continue;
    if (count++ > 0) buffer_append_byte(out, ',');
    buffer_append_slice(out, member);
  }
}

enum status trace_context_set_threshold(struct slice trace_state, bool has_threshold, uint64_t threshold,
                                        struct buffer *out) {
  ASSERT(!out->failed);
  char digits[15] = "";
  struct slice rest = trace_state, member, ot = {NULL, 0};
  struct buffer value; // the ceiling tells an ot value that is too long
  enum status status = STATUS_OK;
  const size_t before = out->len;
  if (has_threshold) trace_context_threshold_format(threshold, digits);
  while (next_member(&rest, &member)) {
    if (is_ot(member, &ot)) break;
  }
  if (ot.len > OT_VALUE_MAX) return STATUS_INVALID;
  buffer_init(&value, OT_VALUE_MAX);
  rewrite_ot(ot, slice_from_cstr(digits), &value);
  if (value.failed) {
    status = STATUS_INVALID;
  } else if (slice_equal(buffer_slice(&value), ot)) {
    status = buffer_append_slice(out, trace_state);
  } else {
    put_members(trace_state, buffer_slice(&value), out);
    if (out->failed) status = STATUS_TOO_LARGE;
  }
  if (status != STATUS_OK) out->len = before;
  buffer_finish(&value);
  return status;
}

// Two digits a byte, lower-case as the standard wants.
static bool parse_bytes(struct slice digits, uint8_t *out, size_t out_len) {
  uint8_t seen = 0;
  for (size_t i = 0; i < out_len; i++) {
    int high = hex_digit(digits.ptr[2 * i]), low = hex_digit(digits.ptr[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    out[i] = (uint8_t)(high << 4 | low);
    seen |= out[i];
  }
  return seen != 0 || out_len == 1; // ids must not be all zero, flags may
}

bool trace_context_parse_traceparent(struct slice text, uint8_t out_trace_id[16], uint8_t out_span_id[8],
                                     uint8_t *out_flags) {
  enum { TRACE_ID_AT = 3, SPAN_ID_AT = 36, FLAGS_AT = 53, LENGTH = 55 };
  uint8_t version, flags, trace_id[16], span_id[8];
  if (text.len < LENGTH || !parse_bytes(text, &version, 1) || version == 0xff) return false;
  // Later versions may add fields behind those of version 00.
  if (text.len > LENGTH && (version == 0 || text.ptr[LENGTH] != '-')) return false;
  if (text.ptr[2] != '-' || text.ptr[SPAN_ID_AT - 1] != '-' || text.ptr[FLAGS_AT - 1] != '-') return false;
  if (!parse_bytes(slice_skip(text, TRACE_ID_AT), trace_id, sizeof trace_id)) return false;
  if (!parse_bytes(slice_skip(text, SPAN_ID_AT), span_id, sizeof span_id)) return false;
  if (!parse_bytes(slice_skip(text, FLAGS_AT), &flags, 1)) return false;
  memcpy(out_trace_id, trace_id, sizeof trace_id);
  memcpy(out_span_id, span_id, sizeof span_id);
  *out_flags = flags;
  return true;
}
