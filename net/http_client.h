// SPDX-License-Identifier: Apache-2.0
//
// Outgoing HTTP over libcurl. A client keeps its connections alive; calls block up to their deadline. One thread per
// client.
#ifndef NET_HTTP_CLIENT_H
#define NET_HTTP_CLIENT_H

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"
#include "base/thread.h"
#include "net/tls_settings.h"

struct http_client;

struct http_header {
  const char *name;
  const char *value;
};

struct http_client_options {
  struct tls_settings tls;
  size_t response_bytes_max; // default 4 MiB; more is STATUS_TOO_LARGE
  const char *user_agent;
};

enum status http_client_create(const struct http_client_options *options, struct http_client **out_client,
                               struct error *error);
void http_client_destroy(struct http_client *client);

struct http_reply {
  uint32_t code;           // 0: no answer
  uint64_t retry_after_ns; // from Retry-After, seconds or HTTP-date; 0: none
};
// POST (or `method`). No redirects, no proxies from the environment. STATUS_OK when an answer came, whatever its code;
// STATUS_UNAVAILABLE for connect and transport faults, STATUS_TIMEOUT, STATUS_TOO_LARGE. deadline_ns is relative;
// *cancel as in grpc_client_call.
enum status http_client_call(struct http_client *client, const char *method, const char *url,
                             const struct http_header *headers, size_t header_count, struct slice body,
                             uint64_t deadline_ns, const struct atomic_bool_box *cancel, struct buffer *response,
                             struct http_reply *out_reply, struct error *error);

#endif
