// SPDX-License-Identifier: Apache-2.0
//
// How it works: a failure's first cause is its words; "detail" says in a few what kind it is, as the status has it. An
// SDK that is told 429 holds back as long as X-Sentry-Rate-Limits says, for all categories (an empty list), so that it
// drops at the source instead of asking again.
#include "receiver/sentry_reply.h"

#include <stdio.h>

#include "base/buffer.h"
#include "base/json.h"
#include "receiver/reply.h"

#define BODY_BYTES_MAX 2048
#define CORS_METHODS   "POST, GET, OPTIONS"
#define CORS_MAX_AGE   "3600"
#define CORS_HEADERS                                                                                                   \
  "x-sentry-auth, x-requested-with, x-forwarded-for, origin, referer, accept, content-type, authentication, "          \
  "authorization, content-encoding, transfer-encoding"
#define CORS_EXPOSED "x-sentry-error, x-sentry-rate-limits, retry-after"

void sentry_reply_add_cors(struct http_request *request) {
  http_request_add_header(request, "Access-Control-Allow-Origin", "*");
  http_request_add_header(request, "Access-Control-Expose-Headers", CORS_EXPOSED);
}

static void reply_id(struct http_request *request, uint32_t code, const char *event_id) {
  char body[64] = "{}";
  if (event_id[0]) snprintf(body, sizeof(body), "{\"id\":\"%s\"}", event_id);
  sentry_reply_add_cors(request);
  http_request_reply(request, code, "application/json", slice_from_cstr(body));
}

void sentry_reply_success(struct http_request *request, const char *event_id) {
  reply_id(request, reply_http_code(STATUS_OK), event_id);
}

void sentry_reply_created(struct http_request *request, const char *event_id) {
  reply_id(request, REPLY_HTTP_CREATED, event_id);
}

void sentry_reply_accepted(struct http_request *request) {
  reply_id(request, REPLY_HTTP_ACCEPTED, "");
}

static const char *detail_of(enum status status) {
  switch (status) {
  case STATUS_INVALID: return "the request is malformed";
  case STATUS_UNAUTHENTICATED: return "missing or bad authentication";
  case STATUS_PERMISSION_DENIED: return "the key does not allow this";
  case STATUS_TOO_LARGE: return "the request is too large";
  case STATUS_UNSUPPORTED: return "an encoding or media type that is not served";
  case STATUS_RATE_LIMITED: return "over a rate limit";
  case STATUS_UNAVAILABLE: return "nothing can be taken now";
  default: return status_name(status);
  }
}

static void write_failure(struct http_request *request, enum status status, const struct error *error) {
  if (status == STATUS_UNAUTHENTICATED) http_request_add_header(request, "WWW-Authenticate", "Sentry");
  struct buffer body;
  struct json_writer json;
  buffer_init(&body, BODY_BYTES_MAX);
  json_writer_init(&json, &body);
  json_begin_object(&json);
  json_key(&json, "detail");
  json_write_cstr(&json, detail_of(status));
  json_key(&json, "causes");
  json_begin_array(&json);
  if (error && error->text[0]) json_write_cstr(&json, error->text);
  json_end_array(&json);
  json_end_object(&json);
  if (error && error->text[0]) http_request_add_header(request, "X-Sentry-Error", detail_of(status));
  sentry_reply_add_cors(request);
  http_request_reply(request, reply_http_code(status), "application/json", buffer_slice(&body));
  buffer_finish(&body);
}

void sentry_reply_failure(struct http_request *request, enum status status, const struct error *error) {
  ASSERT(status != STATUS_OK);
  if (reply_is_retryable(status)) {
    uint32_t seconds = reply_retry_seconds();
    char text[64];
    snprintf(text, sizeof(text), "%u", seconds);
    http_request_add_header(request, "Retry-After", text);
    snprintf(text, sizeof(text), "%u::project:%s", seconds, status == STATUS_RATE_LIMITED ? "rate_limit" : "overload");
    if (status == STATUS_RATE_LIMITED) http_request_add_header(request, "X-Sentry-Rate-Limits", text);
  }
  write_failure(request, status, error);
}

bool sentry_reply_add_limits(struct http_request *request, const struct sentry_limit_note *limits) {
  char text[SENTRY_LIMIT_HEADER_BYTES];
  if (!sentry_limit_is_noted(limits)) return false;
  sentry_limit_write(limits, text);
  http_request_add_header(request, "X-Sentry-Rate-Limits", text);
  return true;
}

void sentry_reply_limited(struct http_request *request, const struct sentry_limit_note *limits,
                          const struct error *error) {
  char text[16];
  snprintf(text, sizeof(text), "%u", sentry_limit_longest(limits));
  http_request_add_header(request, "Retry-After", text);
  write_failure(request, STATUS_RATE_LIMITED, error);
}

void sentry_reply_pixel(struct http_request *request) {
  static const uint8_t pixel[] = {'G',  'I', 'F', '8', '9',  'a',  1, 0, 1, 0,    0x80, 0, 0,    0xff, 0xff,
                                  0xff, 0,   0,   0,   0x21, 0xf9, 4, 1, 0, 0,    0,    0, 0x2c, 0,    0,
                                  0,    0,   1,   0,   1,    0,    0, 2, 2, 0x44, 1,    0, 0x3b};
  sentry_reply_add_cors(request);
  http_request_add_header(request, "Cache-Control", "no-store");
  http_request_reply_static(request, reply_http_code(STATUS_OK), "image/gif", slice_make(pixel, sizeof(pixel)));
}

void sentry_reply_preflight(struct http_request *request) {
  sentry_reply_add_cors(request);
  http_request_add_header(request, "Access-Control-Allow-Methods", CORS_METHODS);
  http_request_add_header(request, "Access-Control-Allow-Headers", CORS_HEADERS);
  http_request_add_header(request, "Access-Control-Max-Age", CORS_MAX_AGE);
  http_request_add_header(request, "Allow", CORS_METHODS);
  reply_http_no_content(request);
}
