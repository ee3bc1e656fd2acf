// SPDX-License-Identifier: Apache-2.0
//
// How it works: the configured keys are kept in order; a key's place is its rank and the lowest rank wins. Looking a
// key up compares lengths first, so a scan of attributes that are no request ids costs a few comparisons each.
#include "processor/correlation.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/status.h"
#include "store/record_facts.h"

// The semantic conventions have no attribute of their own for a request id; these are the ones in use (OpenTelemetry
// semantic conventions 1.44 "http.request.header.<key>", vendors' and ad-hoc names).
const char *const correlation_default_attributes[] = {
    "http.request.header.x-request-id",
    "http.response.header.x-request-id",
    "http.request.header.x_request_id",
    "http.response.header.x_request_id",
    "http.request.header.x-correlation-id",
    "http.response.header.x-correlation-id",
    "aws.request_id",
    "azure.service.request.id",
    "jsonrpc.request.id",
    "request_id",
    "request.id",
    "requestId",
    "requestID",
    "http.request_id",
    "http.request.id",
    "x_request_id",
    "x-request-id",
    "correlation_id",
    "correlation.id",
    "correlationId",
    NULL,
};

struct correlation {
  struct slice *keys;
  uint32_t count;
  uint64_t fingerprint;
  uint8_t *text;
};

struct correlation *correlation_create(const char *const *attributes, uint32_t count) {
  if (!attributes) {
    attributes = correlation_default_attributes;
    for (count = 0; attributes[count]; count++) continue;
  }
  size_t bytes = 0;
  for (uint32_t i = 0; i < count; i++) bytes += strlen(attributes[i]);
  struct correlation *correlation = calloc(1, sizeof(*correlation));
  ASSERT(correlation);
  correlation->keys = calloc(count + 1, sizeof(struct slice));
  correlation->text = malloc(bytes + 1);
  ASSERT(correlation->keys && correlation->text);
  correlation->count = count;
  uint8_t *to = correlation->text;
  for (uint32_t i = 0; i < count; i++) {
    size_t len = strlen(attributes[i]);
    memcpy(to, attributes[i], len);
    correlation->keys[i] = slice_make(to, len);
    correlation->fingerprint = hash_xxh3_seeded(correlation->keys[i], correlation->fingerprint + i + 1);
    to += len;
  }
  return correlation;
}

void correlation_destroy(struct correlation *correlation) {
  if (!correlation) return;
  free(correlation->keys);
  free(correlation->text);
  free(correlation);
}

void correlation_add_keys(const struct correlation *correlation, struct otlp_key_filter *filter) {
  for (uint32_t i = 0; i < correlation->count; i++) otlp_key_filter_add(filter, correlation->keys[i]);
}

int correlation_rank(const struct correlation *correlation, struct slice key) {
  for (uint32_t i = 0; i < correlation->count; i++) {
    if (slice_equal(correlation->keys[i], key)) return (int)i;
  }
  return -1;
}

static struct slice usable_id(struct slice text) {
  text = slice_trim(text);
  if (text.len > RECORD_REQUEST_ID_BYTES_MAX) return slice_make(NULL, 0);
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] < 0x20 || text.ptr[i] == 0x7f) return slice_make(NULL, 0);
  }
  return text;
}

struct slice correlation_id_of(const struct otlp_any *value) {
  if (value->kind == OTLP_ANY_STRING) return usable_id(value->bytes);
  if (value->kind == OTLP_ANY_ARRAY) {
    struct otlp_field_iter iter = otlp_any_elements(*value);
    struct otlp_any element;
    while (otlp_any_next(&iter, &element)) {
      if (element.kind != OTLP_ANY_STRING) continue;
      struct slice id = usable_id(element.bytes);
      if (id.len) return id;
    }
  }
  return slice_make(NULL, 0);
}

static struct slice find_ranked(const struct correlation *correlation, struct otlp_field_iter iter, int *rank) {
  struct slice best = slice_make(NULL, 0);
  struct otlp_attribute attribute;
  while (otlp_attribute_next(&iter, &attribute)) {
    int here = correlation_rank(correlation, attribute.key);
    if (here < 0 || here >= *rank) continue;
    struct slice id = correlation_id_of(&attribute.value);
    if (!id.len) continue;
    best = id;
    *rank = here;
  }
  return best;
}

struct slice correlation_find(const struct correlation *correlation, struct slice message, uint32_t field) {
  int rank = INT32_MAX;
  return find_ranked(correlation, otlp_fields(message, field), &rank);
}

struct slice correlation_of_span(const struct correlation *correlation, const struct otlp_span *span) {
  struct slice id = correlation_find(correlation, span->bytes, OTLP_SPAN_ATTRIBUTES);
  if (id.len || span->event_count == 0) return id;
  struct otlp_field_iter events = otlp_fields(span->bytes, OTLP_SPAN_EVENTS);
  struct otlp_span_event event;
  int rank = INT32_MAX; // over all events, as processor/payload_facts does
  while (otlp_span_event_next(&events, &event)) {
    struct slice better = find_ranked(correlation, otlp_fields(event.bytes, OTLP_EVENT_ATTRIBUTES), &rank);
    if (better.len) id = better;
  }
  return id;
}

// --- a JSON object as a string body ---------------------------------------------------------------------------------
//
// A flat look over top-level members without building anything: strings are skipped by their quotes, nested values by
// counting brackets outside strings. Only plain strings (no escapes) are taken as ids, alone or in an array.

static size_t skip_space(struct slice s, size_t at) {
  while (at < s.len && (s.ptr[at] == ' ' || s.ptr[at] == '\t' || s.ptr[at] == '\n' || s.ptr[at] == '\r')) at++;
  return at;
}

// at is behind the opening quote; returns the position of the closing one, or s.len.
static size_t string_end(struct slice s, size_t at, bool *out_escaped) {
  *out_escaped = false;
  for (; at < s.len; at++) {
    if (s.ptr[at] == '"') return at;
    if (s.ptr[at] == '\\') {
      *out_escaped = true;
      at++;
    }
  }
  return s.len;
}

static size_t skip_value(struct slice s, size_t at) {
  uint32_t depth = 0;
  for (; at < s.len; at++) {
    uint8_t c = s.ptr[at];
    bool escaped;
    if (c == '"') {
      at = string_end(s, at + 1, &escaped);
    } else if (c == '{' || c == '[') {
      depth++;
    } else if (c == '}' || c == ']') {
      if (depth == 0) return at;
      depth--;
    } else if (c == ',' && depth == 0) {
      return at;
    }
  }
  return s.len;
}

// The string that begins at the quote `at`, as an id; *out_end is its closing quote or the end of the text.
static struct slice id_at_quote(struct slice s, size_t at, size_t *out_end) {
  bool escaped;
  *out_end = string_end(s, at + 1, &escaped);
  if (escaped || *out_end == s.len) return slice_make(NULL, 0);
  return usable_id(slice_sub(s, at + 1, *out_end - at - 1));
}

// The id in the value that begins at `at`: a string, or the first usable one of an array.
static struct slice id_in_json(struct slice s, size_t at) {
  struct slice id = slice_make(NULL, 0);
  size_t end;
  if (at >= s.len) return id;
  if (s.ptr[at] == '"') return id_at_quote(s, at, &end);
  if (s.ptr[at] != '[') return id;
  do {
    at = skip_space(s, at + 1);
    if (at < s.len && s.ptr[at] == '"') id = id_at_quote(s, at, &end);
    at = skip_value(s, at);
  } while (!id.len && at < s.len && s.ptr[at] == ',');
  return id;
}

static struct slice find_in_json_text(const struct correlation *correlation, struct slice text) {
  struct slice best = slice_make(NULL, 0);
  int rank = INT32_MAX;
  size_t at = skip_space(text, 0);
  if (at >= text.len || text.ptr[at] != '{') return best;
  at++;
  while (at < text.len) {
    bool key_escaped;
    at = skip_space(text, at);
    if (at >= text.len || text.ptr[at] != '"') break;
    size_t key_end = string_end(text, at + 1, &key_escaped);
    struct slice key = slice_sub(text, at + 1, key_end - at - 1);
    at = skip_space(text, key_end + 1);
    if (at >= text.len || text.ptr[at] != ':') break;
    at = skip_space(text, at + 1);
    int here = key_escaped ? -1 : correlation_rank(correlation, key);
    struct slice id = here >= 0 && here < rank ? id_in_json(text, at) : slice_make(NULL, 0);
    if (id.len) {
      best = id;
      rank = here;
    }
    at = skip_value(text, at);
    if (at >= text.len || text.ptr[at] != ',') break;
    at++;
  }
  return best;
}

struct slice correlation_of_log(const struct correlation *correlation, const struct otlp_log *log) {
  struct slice id = correlation_find(correlation, log->bytes, OTLP_LOG_ATTRIBUTES);
  if (id.len) return id;
  if (log->body.kind == OTLP_ANY_KVLIST) {
    int rank = INT32_MAX;
    return find_ranked(correlation, otlp_any_members(log->body), &rank);
  }
  if (log->body.kind == OTLP_ANY_STRING) return find_in_json_text(correlation, log->body.bytes);
  return slice_make(NULL, 0);
}

uint64_t correlation_fingerprint(const struct correlation *correlation) {
  return correlation->fingerprint;
}
