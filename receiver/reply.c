// SPDX-License-Identifier: Apache-2.0
//
// How it works: one table from status to both codes. A failure is a google.rpc.Status: the body of an HTTP answer, the
// grpc-status-details-bin trailer of a gRPC one. 500 and INTERNAL tell clients to throw their data away, so they are
// for our own faults only; trouble with the disk is UNAVAILABLE.
#include "receiver/reply.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/decompress.h"
#include "base/hash.h"

#define GZIP_WORTH_BYTES 256u // below, gzip's own header eats what it saves
#define STATUS_BYTES_MAX ((size_t)16 * 1024)

struct code {
  uint16_t http;
  uint16_t grpc;
};

static struct code code_of(enum status status) {
  switch (status) {
  case STATUS_OK: return (struct code){200, GRPC_CODE_OK};
  case STATUS_INVALID: return (struct code){400, GRPC_CODE_INVALID_ARGUMENT};
  case STATUS_TOO_LARGE:
  case STATUS_NO_MEMORY: return (struct code){413, GRPC_CODE_RESOURCE_EXHAUSTED}; // never without RetryInfo retried
  case STATUS_UNSUPPORTED: return (struct code){415, GRPC_CODE_UNIMPLEMENTED};
  case STATUS_NOT_FOUND: return (struct code){404, GRPC_CODE_NOT_FOUND};
  case STATUS_METHOD: return (struct code){405, GRPC_CODE_UNIMPLEMENTED};
  case STATUS_UNAUTHENTICATED: return (struct code){401, GRPC_CODE_UNAUTHENTICATED};
  case STATUS_PERMISSION_DENIED: return (struct code){403, GRPC_CODE_PERMISSION_DENIED};
  case STATUS_CONFLICT: return (struct code){409, GRPC_CODE_FAILED_PRECONDITION};
  case STATUS_RATE_LIMITED: return (struct code){429, GRPC_CODE_RESOURCE_EXHAUSTED};
  case STATUS_UNAVAILABLE:
  case STATUS_IO: return (struct code){503, GRPC_CODE_UNAVAILABLE};
  case STATUS_TIMEOUT: return (struct code){504, GRPC_CODE_DEADLINE_EXCEEDED};
  case STATUS_END:
  case STATUS_CORRUPT:
  case STATUS_INTERNAL: break;
  }
  return (struct code){500, GRPC_CODE_INTERNAL};
}

uint32_t reply_http_code(enum status status) {
  return code_of(status).http;
}

enum grpc_code reply_grpc_code(enum status status) {
  return (enum grpc_code)code_of(status).grpc;
}

bool reply_is_retryable(enum status status) {
  return status_is_retryable(status) || status == STATUS_IO;
}

uint32_t reply_retry_seconds(void) {
  return 1 + (uint32_t)(random_u64() % 5);
}

const char *reply_content_type(enum otlp_encoding encoding) {
  return encoding == OTLP_JSON ? "application/json" : "application/x-protobuf";
}

// "resource_spans.scope_spans.spans.name: invalid UTF-8" names the field at fault before the first ": ".
static void split_violation(struct slice text, struct otlp_status *status) {
  size_t colon = slice_find(text, SLICE_LITERAL(": "));
  struct slice field = slice_sub(text, 0, colon);
  if (colon >= text.len || slice_find_byte(field, ' ') != field.len) {
    status->bad_reason = text;
    return;
  }
  status->bad_field = field;
  status->bad_reason = slice_skip(text, colon + 2);
}

static void write_status(enum otlp_encoding encoding, enum status status, const char *text, uint32_t retry_seconds,
                         struct buffer *out) {
  struct otlp_status answer = {.code = code_of(status).grpc, .message = slice_from_cstr(text)};
  answer.has_retry = retry_seconds > 0;
  answer.retry_ns = retry_seconds * NS_PER_S;
  if (status == STATUS_INVALID) split_violation(answer.message, &answer);
  enum status written = otlp_response_write_status(encoding, &answer, out);
  ASSERT(written == STATUS_OK); // texts are bounded, the buffer is larger
}

static const char *words_of(enum status status, const struct error *error) {
  return error && error->text[0] ? error->text : status_name(status);
}

// retry_seconds 0: it must not be repeated.
static void reply_otlp_http(struct http_request *request, enum otlp_encoding encoding, enum status status,
                            uint32_t retry_seconds, const struct error *error) {
  ASSERT(status != STATUS_OK);
  if (retry_seconds) {
    char text[16];
    snprintf(text, sizeof(text), "%u", retry_seconds);
    http_request_add_header(request, "Retry-After", text);
  }
  if (status == STATUS_UNAUTHENTICATED) http_request_add_header(request, "WWW-Authenticate", "Bearer");
  struct buffer body;
  buffer_init(&body, STATUS_BYTES_MAX);
  write_status(encoding, status, words_of(status, error), retry_seconds, &body);
  http_request_reply(request, code_of(status).http, reply_content_type(encoding), buffer_slice(&body));
  buffer_finish(&body);
}

void reply_otlp_http_failure(struct http_request *request, enum otlp_encoding encoding, enum status status,
                             const struct error *error) {
  reply_otlp_http(request, encoding, status, reply_is_retryable(status) ? reply_retry_seconds() : 0, error);
}

void reply_otlp_http_limited(struct http_request *request, enum otlp_encoding encoding, uint32_t seconds,
                             const struct error *error) {
  ASSERT(seconds > 0);
  reply_otlp_http(request, encoding, STATUS_RATE_LIMITED, seconds, error);
}

void reply_otlp_http_success(struct http_request *request, enum otlp_encoding encoding, enum otlp_signal signal,
                             const struct otlp_response *response, bool accept_gzip) {
  struct buffer body, zipped;
  buffer_init(&body, OTLP_RESPONSE_BYTES_MAX);
  buffer_init(&zipped, OTLP_RESPONSE_BYTES_MAX);
  if (otlp_response_write(signal, encoding, response, &body) != STATUS_OK) {
    reply_otlp_http_failure(request, encoding, STATUS_INTERNAL,
                            NULL); // OTLP 1.11: HTTP 500 when it cannot be made to fit
  } else {
    struct slice answer = buffer_slice(&body);
    if (accept_gzip && answer.len >= GZIP_WORTH_BYTES && compress_gzip(answer, &zipped) == STATUS_OK &&
        zipped.len < answer.len) {
      http_request_add_header(request, "Content-Encoding", "gzip");
      answer = buffer_slice(&zipped);
    }
    http_request_reply(request, code_of(STATUS_OK).http, reply_content_type(encoding), answer);
  }
  buffer_finish(&zipped);
  buffer_finish(&body);
}

void reply_http_no_content(struct http_request *request) {
  http_request_reply(request, 204, NULL, slice_make(NULL, 0));
}

void reply_otlp_grpc_failure(struct grpc_call_handle *call, enum status status, const struct error *error) {
  ASSERT(status != STATUS_OK);
  const char *text = words_of(status, error);
  struct buffer details;
  buffer_init(&details, STATUS_BYTES_MAX);
  write_status(OTLP_PROTOBUF, status, text, reply_is_retryable(status) ? reply_retry_seconds() : 0, &details);
  grpc_call_finish(call, reply_grpc_code(status), text, buffer_slice(&details));
  buffer_finish(&details);
}

void reply_otlp_grpc_success(struct grpc_call_handle *call, enum otlp_signal signal,
                             const struct otlp_response *response) {
  struct buffer body;
  buffer_init(&body, OTLP_RESPONSE_BYTES_MAX);
  if (otlp_response_write(signal, OTLP_PROTOBUF, response, &body) == STATUS_OK) {
    grpc_call_finish(call, GRPC_CODE_OK, NULL, buffer_slice(&body));
  } else {
    grpc_call_finish(call, GRPC_CODE_RESOURCE_EXHAUSTED, "the response does not fit", slice_make(NULL, 0));
  }
  buffer_finish(&body);
}
