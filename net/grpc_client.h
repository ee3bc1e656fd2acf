// SPDX-License-Identifier: Apache-2.0
//
// Outgoing unary gRPC calls over gRPC core's C API. A client is one channel; calls block the calling thread up to their
// deadline. One client per thread.
#ifndef NET_GRPC_CLIENT_H
#define NET_GRPC_CLIENT_H

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"
#include "base/thread.h"
#include "net/grpc_server.h"
#include "net/tls_settings.h"

struct grpc_client;

struct grpc_header {
  const char *name; // lower case
  const char *value;
};

struct grpc_client_options {
  const char *target; // "host:port"
  bool use_tls;
  struct tls_settings tls;
  bool compress_gzip;        // request messages
  size_t response_bytes_max; // default 4 MiB (OTLP 1.11 Z5)
  const struct grpc_header *headers;
  size_t header_count;
};

enum status grpc_client_create(const struct grpc_client_options *options, struct grpc_client **out_client,
                               struct error *error);
void grpc_client_destroy(struct grpc_client *client);

struct grpc_reply {
  enum grpc_code code;
  char message[256];
  struct slice details; // grpc-status-details-bin, valid until the next call
};
// Sends one message. `response` (cleared first) takes the reply message. Always fills *out_reply, also for faults of
// the transport (UNAVAILABLE, DEADLINE_EXCEEDED). deadline_ns is relative. *cancel, when it becomes true, ends the wait
// within 100 ms with CANCELLED; may be NULL.
void grpc_client_call(struct grpc_client *client, const char *path, struct slice message, uint64_t deadline_ns,
                      const struct atomic_bool_box *cancel, struct buffer *response, struct grpc_reply *out_reply);

#endif
