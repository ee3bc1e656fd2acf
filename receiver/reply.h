// SPDX-License-Identifier: Apache-2.0
//
// From a status to the answer of a protocol: the only file that knows gRPC and HTTP codes. Answers that may be repeated
// carry a hint of one to five seconds (random, so that clients do not come back together): RetryInfo and Retry-After.
// Functions that answer follow the rules of http_request_reply and grpc_call_finish: once per request, any thread.
#ifndef RECEIVER_REPLY_H
#define RECEIVER_REPLY_H

#include "base/slice.h"
#include "base/status.h"
#include "net/grpc_server.h"
#include "net/http_server.h"
#include "proto/otlp_response.h"

uint32_t reply_http_code(enum status status);
#define REPLY_HTTP_CREATED  201
#define REPLY_HTTP_ACCEPTED 202
enum grpc_code reply_grpc_code(enum status status);
// True for the codes that carry a retry hint.
bool reply_is_retryable(enum status status);
// Whole seconds, 1 to 5.
uint32_t reply_retry_seconds(void);

// "application/x-protobuf", "application/json".
const char *reply_content_type(enum otlp_encoding encoding);

// The Status answer of OTLP/HTTP in the request's encoding, with Retry-After, WWW-Authenticate and Connection as the
// status asks for. error may be NULL.
void reply_otlp_http_failure(struct http_request *request, enum otlp_encoding encoding, enum status status,
                             const struct error *error);
// 429 in the same form, with so many seconds to wait. error may be NULL.
void reply_otlp_http_limited(struct http_request *request, enum otlp_encoding encoding, uint32_t seconds,
                             const struct error *error);
// The Export response, gzipped when `accept_gzip` and it is smaller then.
void reply_otlp_http_success(struct http_request *request, enum otlp_encoding encoding, enum otlp_signal signal,
                             const struct otlp_response *response, bool accept_gzip);
// 204 of a CORS preflight; headers are the caller's.
void reply_http_no_content(struct http_request *request);

void reply_otlp_grpc_failure(struct grpc_call_handle *call, enum status status, const struct error *error);
void reply_otlp_grpc_success(struct grpc_call_handle *call, enum otlp_signal signal,
                             const struct otlp_response *response);

#endif
