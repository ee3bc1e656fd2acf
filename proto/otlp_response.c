// SPDX-License-Identifier: Apache-2.0
//
// A message is written as often as it takes to fit: whole, then with half of its human text, half of that, and without.
// Answers are small and this happens once in a lifetime, so there is no arithmetic about what would have fitted. Nested
// protobuf messages are built in buffers of their own, because their length goes in front.
#include "proto/otlp_response.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/utf8.h"
#include "proto/wire.h"

#define TYPE_RETRY_INFO  "type.googleapis.com/google.rpc.RetryInfo"
#define TYPE_BAD_REQUEST "type.googleapis.com/google.rpc.BadRequest"

// The largest prefix of at most `len` bytes that does not cut a character.
static struct slice shorten(struct slice text, size_t len) {
  if (len >= text.len) return text;
  while (len > 0 && (text.ptr[len] & 0xc0) == 0x80) len--;
  return slice_sub(text, 0, len);
}

static void inner_init(struct buffer *inner, const struct buffer *out) {
  buffer_init(inner, out->max_bytes);
}

static void inner_put(struct buffer *out, uint32_t field, struct buffer *inner) {
  if (inner->failed) out->failed = true;
  wire_put_bytes_field(out, field, buffer_slice(inner));
  buffer_finish(inner);
}

// A string field; protobuf strings must be UTF-8. Nothing when it is empty.
static void put_text(struct buffer *out, uint32_t field, struct slice text) {
  if (text.len == 0) return;
  if (slice_is_utf8(text)) {
    wire_put_bytes_field(out, field, text);
    return;
  }
  struct buffer clean;
  inner_init(&clean, out);
  for (size_t at = 0; at < text.len;) {
    bool valid;
    size_t step = utf8_step(text, at, &valid);
    buffer_append_slice(&clean, valid ? slice_sub(text, at, step) : UTF8_REPLACEMENT);
    at += step;
  }
  inner_put(out, field, &clean);
}

static void put_response(const struct otlp_response *response, struct buffer *out) {
  if (response->rejected == 0 && response->message.len == 0) return;
  struct buffer partial;
  inner_init(&partial, out);
  if (response->rejected > 0) wire_put_varint_field(&partial, 1, response->rejected);
  put_text(&partial, 2, response->message);
  inner_put(out, 1, &partial);
}

static void write_decimal(struct json_writer *writer, uint64_t number) {
  char digits[24];
  (void)snprintf(digits, sizeof digits, "%" PRIu64, number);
  json_write_cstr(writer, digits); // 64-bit integers are strings in JSON
}

static void put_response_json(enum otlp_signal signal, const struct otlp_response *response, struct buffer *out) {
  static const char *const rejected[] = {
      [OTLP_TRACES] = "rejectedSpans", [OTLP_LOGS] = "rejectedLogRecords", [OTLP_METRICS] = "rejectedDataPoints"};
  struct json_writer writer;
  json_writer_init(&writer, out);
  json_begin_object(&writer);
  if (response->rejected > 0 || response->message.len > 0) {
    json_key(&writer, "partialSuccess");
    json_begin_object(&writer);
    if (response->rejected > 0) {
      json_key(&writer, rejected[signal]);
      write_decimal(&writer, response->rejected);
    }
    if (response->message.len > 0) {
      json_key(&writer, "errorMessage");
      json_write_string(&writer, response->message);
    }
    json_end_object(&writer);
  }
  json_end_object(&writer);
}

enum status otlp_response_write(enum otlp_signal signal, enum otlp_encoding encoding,
                                const struct otlp_response *response, struct buffer *out) {
  ASSERT(!out->failed);
  ASSERT(response->rejected <= INT64_MAX);
  const size_t before = out->len;
  for (size_t len = response->message.len;; len /= 2) {
    struct otlp_response attempt = {response->rejected, shorten(response->message, len)};
    if (encoding == OTLP_JSON) {
      put_response_json(signal, &attempt, out);
    } else {
      put_response(&attempt, out);
    }
    if (!out->failed) return STATUS_OK;
    out->len = before;
    out->failed = false;
    if (len == 0) return STATUS_TOO_LARGE;
  }
}

static void put_detail(struct buffer *out, const char *type, struct buffer *detail) {
  struct buffer any;
  inner_init(&any, out);
  put_text(&any, 1, slice_from_cstr(type));
  inner_put(&any, 2, detail);
  inner_put(out, 3, &any);
}

static void put_status(const struct otlp_status *status, struct buffer *out) {
  struct buffer detail, part;
  if (status->code != 0) wire_put_varint_field(out, 1, status->code);
  put_text(out, 2, status->message);
  if (status->has_retry) {
    inner_init(&detail, out);
    inner_init(&part, out);
    if (status->retry_ns >= NS_PER_S) wire_put_varint_field(&part, 1, status->retry_ns / NS_PER_S);
    if (status->retry_ns % NS_PER_S > 0) wire_put_varint_field(&part, 2, status->retry_ns % NS_PER_S);
    inner_put(&detail, 1, &part);
    put_detail(out, TYPE_RETRY_INFO, &detail);
  }
  if (status->bad_field.len > 0 || status->bad_reason.len > 0) {
    inner_init(&detail, out);
    inner_init(&part, out);
    put_text(&part, 1, status->bad_field);
    put_text(&part, 2, status->bad_reason);
    inner_put(&detail, 1, &part);
    put_detail(out, TYPE_BAD_REQUEST, &detail);
  }
}

// google.protobuf.Duration in JSON: seconds with 0, 3, 6 or 9 decimals and an "s".
static void write_duration(struct json_writer *writer, uint64_t ns) {
  char text[40];
  uint64_t seconds = ns / NS_PER_S, rest = ns % NS_PER_S;
  if (rest == 0) {
    (void)snprintf(text, sizeof text, "%" PRIu64 "s", seconds);
  } else if (rest % NS_PER_MS == 0) {
    (void)snprintf(text, sizeof text, "%" PRIu64 ".%03" PRIu64 "s", seconds, rest / NS_PER_MS);
  } else if (rest % NS_PER_US == 0) {
    (void)snprintf(text, sizeof text, "%" PRIu64 ".%06" PRIu64 "s", seconds, rest / NS_PER_US);
  } else {
    (void)snprintf(text, sizeof text, "%" PRIu64 ".%09" PRIu64 "s", seconds, rest);
  }
  json_write_cstr(writer, text);
}

static void write_text_member(struct json_writer *writer, const char *key, struct slice text) {
  if (text.len == 0) return;
  json_key(writer, key);
  json_write_string(writer, text);
}

static void write_details(struct json_writer *writer, const struct otlp_status *status) {
  const bool bad_request = status->bad_field.len > 0 || status->bad_reason.len > 0;
  if (!status->has_retry && !bad_request) return;
  json_key(writer, "details");
  json_begin_array(writer);
  if (status->has_retry) {
    json_begin_object(writer);
    json_key(writer, "@type");
    json_write_cstr(writer, TYPE_RETRY_INFO);
    json_key(writer, "retryDelay");
    write_duration(writer, status->retry_ns);
    json_end_object(writer);
  }
  if (bad_request) {
    json_begin_object(writer);
    json_key(writer, "@type");
    json_write_cstr(writer, TYPE_BAD_REQUEST);
    json_key(writer, "fieldViolations");
    json_begin_array(writer);
    json_begin_object(writer);
    write_text_member(writer, "field", status->bad_field);
    write_text_member(writer, "description", status->bad_reason);
    json_end_object(writer);
    json_end_array(writer);
    json_end_object(writer);
  }
  json_end_array(writer);
}

static void put_status_json(const struct otlp_status *status, struct buffer *out) {
  struct json_writer writer;
  json_writer_init(&writer, out);
  json_begin_object(&writer);
  if (status->code != 0) {
    json_key(&writer, "code");
    json_write_u64(&writer, status->code);
  }
  write_text_member(&writer, "message", status->message);
  write_details(&writer, status);
  json_end_object(&writer);
}

enum status otlp_response_write_status(enum otlp_encoding encoding, const struct otlp_status *status,
                                       struct buffer *out) {
  ASSERT(!out->failed);
  const size_t before = out->len;
  size_t longest = status->message.len > status->bad_reason.len ? status->message.len : status->bad_reason.len;
  for (size_t len = longest;; len /= 2) {
    struct otlp_status attempt = *status;
    attempt.message = shorten(status->message, len);
    attempt.bad_reason = shorten(status->bad_reason, len);
    if (encoding == OTLP_JSON) {
      put_status_json(&attempt, out);
    } else {
      put_status(&attempt, out);
    }
    if (!out->failed) return STATUS_OK;
    out->len = before;
    out->failed = false;
    if (len == 0) return STATUS_TOO_LARGE;
  }
}

// Reading. A reader takes one field of its message into its view and returns the position behind it, NULL when
// malformed.
typedef const uint8_t *(*field_fn)(void *view, uint32_t tag, const uint8_t *at, const uint8_t *end);

static bool read_message(struct slice message, field_fn read_field, void *view) {
  const uint8_t *at = message.ptr, *end = wire_end(message);
  while (at != end) {
    uint32_t tag;
    at = wire_tag(at, end, &tag);
    if (at) at = read_field(view, tag, at, end);
    if (!at) return false;
  }
  return true;
}

// The same for a message in a field.
static const uint8_t *read_inner(const uint8_t *at, const uint8_t *end, field_fn read_field, void *view) {
  struct slice content;
  at = wire_bytes(at, end, &content);
  return at && read_message(content, read_field, view) ? at : NULL;
}

static const uint8_t *read_partial_field(void *view, uint32_t tag, const uint8_t *at, const uint8_t *end) {
  struct otlp_response *response = view;
  switch (tag) {
  case WIRE_TAG(1, WIRE_VARINT):
    at = wire_varint(at, end, &response->rejected);
    if (at && response->rejected > INT64_MAX) response->rejected = 0;
    return at;
  case WIRE_TAG(2, WIRE_BYTES): return wire_bytes(at, end, &response->message);
  default: return wire_skip(at, end, tag);
  }
}

static const uint8_t *read_response_field(void *view, uint32_t tag, const uint8_t *at, const uint8_t *end) {
  if (tag != WIRE_TAG(1, WIRE_BYTES)) return wire_skip(at, end, tag);
  return read_inner(at, end, read_partial_field, view);
}

enum status otlp_response_read(struct slice bytes, struct otlp_response *out_response, struct error *error) {
  struct otlp_response response = {0};
  if (!read_message(bytes, read_response_field, &response)) {
    return error_set(error, STATUS_INVALID, "malformed Export response");
  }
  *out_response = response;
  return STATUS_OK;
}

struct duration {
  int64_t seconds;
  int32_t nanos;
};

static const uint8_t *read_duration_field(void *view, uint32_t tag, const uint8_t *at, const uint8_t *end) {
  struct duration *duration = view;
  uint64_t number;
  if (tag != WIRE_TAG(1, WIRE_VARINT) && tag != WIRE_TAG(2, WIRE_VARINT)) return wire_skip(at, end, tag);
  at = wire_varint(at, end, &number);
  if (at && tag == WIRE_TAG(1, WIRE_VARINT)) duration->seconds = (int64_t)number;
  if (at && tag == WIRE_TAG(2, WIRE_VARINT)) duration->nanos = (int32_t)(uint32_t)number;
  return at;
}

static const uint8_t *read_retry_field(void *view, uint32_t tag, const uint8_t *at, const uint8_t *end) {
  if (tag != WIRE_TAG(1, WIRE_BYTES)) return wire_skip(at, end, tag);
  return read_inner(at, end, read_duration_field, view);
}

static uint64_t duration_ns(const struct duration *duration) {
  const int64_t seconds_max = INT64_MAX / (int64_t)NS_PER_S - 1; // 292 years
  if (duration->seconds < 0 || duration->nanos < 0) return 0;
  if (duration->seconds > seconds_max) return (uint64_t)seconds_max * NS_PER_S;
  return (uint64_t)duration->seconds * NS_PER_S + (uint64_t)duration->nanos;
}

static const uint8_t *read_violation_field(void *view, uint32_t tag, const uint8_t *at, const uint8_t *end) {
  struct otlp_status *status = view;
  switch (tag) {
  case WIRE_TAG(1, WIRE_BYTES): return wire_bytes(at, end, &status->bad_field);
  case WIRE_TAG(2, WIRE_BYTES): return wire_bytes(at, end, &status->bad_reason);
  default: return wire_skip(at, end, tag);
  }
}

static const uint8_t *read_bad_request_field(void *view, uint32_t tag, const uint8_t *at, const uint8_t *end) {
  const struct otlp_status *status = view;
  bool first = status->bad_field.len == 0 && status->bad_reason.len == 0;
  if (tag != WIRE_TAG(1, WIRE_BYTES) || !first) return wire_skip(at, end, tag);
  return read_inner(at, end, read_violation_field, view);
}

struct detail {
  struct slice type, value;
};

static const uint8_t *read_detail_field(void *view, uint32_t tag, const uint8_t *at, const uint8_t *end) {
  struct detail *detail = view;
  switch (tag) {
  case WIRE_TAG(1, WIRE_BYTES): return wire_bytes(at, end, &detail->type);
  case WIRE_TAG(2, WIRE_BYTES): return wire_bytes(at, end, &detail->value);
  default: return wire_skip(at, end, tag);
  }
}

static bool read_detail(struct slice message, struct otlp_status *status) {
  struct detail detail = {0};
  if (!read_message(message, read_detail_field, &detail)) return false;
  // Any's type is what follows the last slash of its URL.
  if (slice_ends_with(detail.type, SLICE_LITERAL("/google.rpc.RetryInfo"))) {
    struct duration duration = {0};
    if (!read_message(detail.value, read_retry_field, &duration)) return false;
    status->has_retry = true;
    status->retry_ns = duration_ns(&duration);
  } else if (slice_ends_with(detail.type, SLICE_LITERAL("/google.rpc.BadRequest"))) {
    return read_message(detail.value, read_bad_request_field, status);
  }
  return true;
}

static const uint8_t *read_status_field(void *view, uint32_t tag, const uint8_t *at, const uint8_t *end) {
  struct otlp_status *status = view;
  struct slice content;
  switch (tag) {
  case WIRE_TAG(1, WIRE_VARINT): return wire_varint32(at, end, &status->code);
  case WIRE_TAG(2, WIRE_BYTES): return wire_bytes(at, end, &status->message);
  case WIRE_TAG(3, WIRE_BYTES):
    at = wire_bytes(at, end, &content);
    return at && read_detail(content, status) ? at : NULL;
  default: return wire_skip(at, end, tag);
  }
}

enum status otlp_response_read_status(struct slice bytes, struct otlp_status *out_status, struct error *error) {
  struct otlp_status status = {0};
  if (!read_message(bytes, read_status_field, &status)) {
    return error_set(error, STATUS_INVALID, "malformed google.rpc.Status");
  }
  *out_status = status;
  return STATUS_OK;
}
