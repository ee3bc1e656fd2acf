// SPDX-License-Identifier: Apache-2.0
//
// One walk over the three levels above the items. Of each message the fields are copied in runs as long as possible; a
// run ends where a child is left out or rewritten:
//
//   in   [tag len] resource · span · span · span · schema_url
//   out  [tag len] resource ·        span ·        schema_url
//                  └─ run ─┘        └──── run ───┘ …
//
// The length in front of a message is known only behind it. Space for as many digits as the original length had is left
// free (keeping everything needs no more), and the content is moved when it turns out to need another number of digits.
// A message that ends without a kept item is taken back by shortening the output.
#include "proto/otlp_splice.h"

#include "proto/wire.h"

struct splice {
  otlp_splice_fn decide;
  void *context;
  struct buffer *out;
  uint32_t index; // of the next item
  uint32_t kept;
};

// One field of a message; false at its end or (rest->len > 0 then) where it is malformed.
struct field {
  const uint8_t *start;
  uint32_t tag;
  struct slice content; // of a length-delimited field
};

static inline bool next_field(struct slice *rest, struct field *out_field) {
  if (rest->len == 0) return false;
  const uint8_t *at = rest->ptr, *payload, *end = wire_end(*rest);
  // Nearly every field: a tag of one byte, a length of one byte or, of a whole span, of two.
  if (rest->len >= 3 && (at[0] & 0x87) == WIRE_BYTES && at[0] >= 8 && (at[1] < 0x80 || at[2] < 0x80)) {
    const size_t digits = at[1] < 0x80 ? 1 : 2;
    const size_t len = digits == 1 ? at[1] : (size_t)(at[1] & 0x7f) | (size_t)at[2] << 7;
    if (len <= rest->len - 1 - digits) {
      *out_field = (struct field){.start = at, .tag = at[0], .content = slice_make(at + 1 + digits, len)};
      *rest = slice_make(at + 1 + digits + len, rest->len - 1 - digits - len);
      return true;
    }
  }
  out_field->start = rest->ptr;
  payload = wire_tag(rest->ptr, end, &out_field->tag);
  at = payload ? wire_skip(payload, end, out_field->tag) : NULL;
  if (!at) return false;
  if ((out_field->tag & 7) == WIRE_BYTES) wire_bytes(payload, end, &out_field->content);
  *rest = slice_make(at, (size_t)(end - at));
  return true;
}

// Copies the bytes from *run up to `to`, and lets the run begin behind the field that ends at `next`.
static void end_run(struct buffer *out, const uint8_t **run, const uint8_t *to, const uint8_t *next) {
  if (to != *run) buffer_append(out, *run, (size_t)(to - *run));
  *run = next;
}

// The first field at or behind `at` with this tag, and what follows the tag; `end` when there is none.
static const uint8_t *find_field(const uint8_t *at, const uint8_t *end, uint32_t wanted, const uint8_t **out_payload) {
  while (at != end) {
    const size_t left = (size_t)(end - at);
    const bool is_short = left >= 9 && *at >= 8 && *at < 0x80; // the tag, and what it needs where that is short
    const uint32_t type = *at & 7;
    if (is_short && *at == wanted) {
      *out_payload = at + 1;
      return at;
    }
    if (is_short && type == WIRE_BYTES && at[1] < 0x80 && at[1] <= left - 2) {
      at += 2 + at[1];
    } else if (is_short && type == WIRE_FIXED64) {
      at += 9;
    } else if (is_short && type == WIRE_VARINT && at[1] < 0x80) {
      at += 2;
    } else {
      uint32_t tag;
      const uint8_t *payload = wire_tag(at, end, &tag);
      if (payload && tag == wanted) {
        *out_payload = payload;
        return at;
      }
      at = payload ? wire_skip(payload, end, tag) : end;
      if (!at) return end;
    }
  }
  return at;
}

// Writes a Span (field 2 of its scope) with another trace_state: in the place of the first one, else at the end.
static bool put_span(struct buffer *out, const struct otlp_splice_item *span, struct slice trace_state) {
  struct wire_open_field open;
  struct slice old;
  const uint8_t *run = span->bytes.ptr, *at = run, *end = wire_end(span->bytes), *payload;
  bool written = trace_state.len == 0;
  if (span->trace_state_at) at = span->trace_state_at;
  if (!wire_open(out, 2, span->bytes.len, &open)) return false;
  while ((at = find_field(at, end, WIRE_TAG(3, WIRE_BYTES), &payload)) != end) {
    const uint8_t *next = wire_bytes(payload, end, &old);
    if (!next) break;
    end_run(out, &run, at, next);
    if (!written) wire_put_bytes_field(out, 3, trace_state);
    written = true;
    at = next;
  }
  end_run(out, &run, end, NULL);
  if (!written) wire_put_bytes_field(out, 3, trace_state);
  return wire_close(out, &open);
}

// Writes a ScopeSpans or ScopeLogs message (field 2 of its resource) with its kept items; nothing when there are none.
static enum status splice_scope(struct splice *splice, struct slice message) {
  struct buffer *out = splice->out;
  struct wire_open_field open;
  struct field field;
  struct slice rest = message;
  const uint8_t *run = message.ptr;
  const uint32_t kept_before = splice->kept;
  if (!wire_open(out, 2, message.len, &open)) return STATUS_TOO_LARGE;
  while (next_field(&rest, &field)) {
    if (field.tag != WIRE_TAG(2, WIRE_BYTES)) continue;
    struct slice trace_state = {NULL, 0};
    struct otlp_splice_item item = {.bytes = field.content};
    enum otlp_splice_action action = splice->decide(splice->context, splice->index++, &item, &trace_state);
    if (action != OTLP_SPLICE_DROP) splice->kept++;
    if (action == OTLP_SPLICE_KEEP) continue;
    end_run(out, &run, field.start, rest.ptr);
    if (action == OTLP_SPLICE_KEEP_TRACE_STATE && !put_span(out, &item, trace_state)) return STATUS_TOO_LARGE;
  }
  if (rest.len > 0) return STATUS_INVALID;
  if (splice->kept == kept_before) {
    out->len = open.start;
    return STATUS_OK;
  }
  end_run(out, &run, wire_end(message), NULL);
  return wire_close(out, &open) ? STATUS_OK : STATUS_TOO_LARGE;
}

// The same one level up: a ResourceSpans or ResourceLogs message (field 1 of the request).
static enum status splice_resource(struct splice *splice, struct slice message) {
  struct buffer *out = splice->out;
  struct wire_open_field open;
  struct field field;
  struct slice rest = message;
  const uint8_t *run = message.ptr;
  const uint32_t kept_before = splice->kept;
  if (!wire_open(out, 1, message.len, &open)) return STATUS_TOO_LARGE;
  while (next_field(&rest, &field)) {
    if (field.tag != WIRE_TAG(2, WIRE_BYTES)) continue;
    end_run(out, &run, field.start, rest.ptr);
    enum status status = splice_scope(splice, field.content);
    if (status != STATUS_OK) return status;
  }
  if (rest.len > 0) return STATUS_INVALID;
  if (splice->kept == kept_before) {
    out->len = open.start;
    return STATUS_OK;
  }
  end_run(out, &run, wire_end(message), NULL);
  return wire_close(out, &open) ? STATUS_OK : STATUS_TOO_LARGE;
}

static enum status splice_request(struct splice *splice, struct slice payload) {
  struct field field;
  struct slice rest = payload;
  const uint8_t *run = payload.ptr;
  while (next_field(&rest, &field)) {
    if (field.tag != WIRE_TAG(1, WIRE_BYTES)) continue;
    end_run(splice->out, &run, field.start, rest.ptr);
    enum status status = splice_resource(splice, field.content);
    if (status != STATUS_OK) return status;
  }
  if (rest.len > 0) return STATUS_INVALID;
  end_run(splice->out, &run, wire_end(payload), NULL);
  return splice->out->failed ? STATUS_TOO_LARGE : STATUS_OK;
}

enum status otlp_splice(enum otlp_signal signal, struct slice payload, otlp_splice_fn decide, void *context,
                        struct buffer *out, uint32_t *out_kept) {
  ASSERT(signal == OTLP_TRACES || signal == OTLP_LOGS);
  ASSERT(!out->failed);
  struct splice splice = {.decide = decide, .context = context, .out = out};
  const size_t before = out->len;
  enum status status = payload.len == 0 ? STATUS_OK : splice_request(&splice, payload);
  if (status != STATUS_OK || splice.kept == 0) out->len = before;
  if (status == STATUS_OK && out_kept) *out_kept = splice.kept;
  return status;
}

struct slice otlp_splice_trace_state(struct otlp_splice_item *span) {
  struct slice trace_state = {NULL, 0};
  const uint8_t *at = span->bytes.ptr, *end = wire_end(span->bytes), *payload;
  span->trace_state_at = end;
  while (at && (at = find_field(at, end, WIRE_TAG(3, WIRE_BYTES), &payload)) != end) {
    if (span->trace_state_at == end) span->trace_state_at = at;
    at = wire_bytes(payload, end, &trace_state);
  }
  return trace_state;
}
