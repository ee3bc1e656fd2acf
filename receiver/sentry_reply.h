// SPDX-License-Identifier: Apache-2.0
//
// Answers of the Sentry door: JSON as Relay gives it, always with the CORS headers that let browsers read it, and what
// tells SDKs to hold back. Codes come from receiver/reply. Functions that answer follow the rules of
// http_request_reply.
#ifndef RECEIVER_SENTRY_REPLY_H
#define RECEIVER_SENTRY_REPLY_H

#include "base/slice.h"
#include "base/status.h"
#include "net/http_server.h"
#include "receiver/sentry_limit.h"

// Access-Control-Allow-Origin and what may be read; for answers that others write.
void sentry_reply_add_cors(struct http_request *request);
// {"id":"<event_id>"}, or {} when it is "".
void sentry_reply_success(struct http_request *request, const char *event_id);
// The same with 201, and {} with 202.
void sentry_reply_created(struct http_request *request, const char *event_id);
void sentry_reply_accepted(struct http_request *request);
// {"detail":…,"causes":[…]}: what kind of failure it is, and the words of error (may be NULL).
void sentry_reply_failure(struct http_request *request, enum status status, const struct error *error);
// X-Sentry-Rate-Limits as the note says, on whatever is answered; false when it says nothing.
bool sentry_reply_add_limits(struct http_request *request, const struct sentry_limit_note *limits);
// 429 with Retry-After; the note's header is the caller's.
void sentry_reply_limited(struct http_request *request, const struct sentry_limit_note *limits,
                          const struct error *error);
// An image of one transparent pixel, for requests made by <img>.
void sentry_reply_pixel(struct http_request *request);
// The answer of a preflight.
void sentry_reply_preflight(struct http_request *request);

#endif
