// SPDX-License-Identifier: Apache-2.0
//
// One incoming call and the server around it, for the files of net/ only. The life of a call:
//
//   REQUESTED   a slot that gRPC core fills when a call arrives
//   READING     its message is on the way; overdue ones are cancelled
//   HANDLED     the method's handler has it
//   FINISHING   the answer is being sent; its completion frees the call
//
// Stages change on the completion threads, except the last step, which the thread that finishes makes.
#ifndef NET_GRPC_CALL_H
#define NET_GRPC_CALL_H

#include <grpc/grpc_security.h>

#include "base/thread.h"
#include "net/grpc_runtime.h"
#include "net/grpc_server.h"

enum grpc_call_stage { GRPC_CALL_REQUESTED, GRPC_CALL_READING, GRPC_CALL_HANDLED, GRPC_CALL_FINISHING };

struct grpc_call_handle {
  struct grpc_server_handle *server;
  struct grpc_call_handle *previous, *next; // in the server's list of calls
  struct atomic_u64 stage; // enum grpc_call_stage; written before the operation starts, read when it has ended
  grpc_call *call;
  const struct grpc_method *method;
  grpc_call_details details;
  grpc_metadata_array metadata;
  grpc_byte_buffer *payload;
  struct slice message; // for the handler: the whole payload, contiguous
  enum encoding encoding;
  char peer[64];
  uint64_t charged_bytes;
  bool empty;                         // it ended without a message
  struct atomic_u64 read_deadline_ns; // monotonic; UINT64_MAX: not reading

  // The answer, kept until it is sent.
  grpc_byte_buffer *response;
  grpc_slice details_text;
  grpc_metadata trailer;
  int cancelled;
};

struct grpc_server_handle {
  struct grpc_server_options options;
  grpc_server *server;
  grpc_resource_quota *quota;
  grpc_completion_queue *queue;
  struct thread *threads;
  uint32_t thread_count, threads_started;
  struct atomic_bool_box serving, closing;
  struct atomic_u64 next_sweep_ns;

  struct mutex mutex; // guards the rest
  struct condition changed;
  struct grpc_call_handle *calls; // arrived ones
  uint64_t call_count;            // arrived
  uint64_t slot_count;            // requested and arrived: what must be gone before the queue may be shut down
  bool shut_down;                 // gRPC core has no more calls
  grpc_ssl_server_certificate_config *fresh_certificates; // for the next handshake; NULL: nothing new
};

// A new slot for the next call to arrive; nothing while the server is closing.
void grpc_call_request(struct grpc_server_handle *server);
// The operation of the current stage has ended. `scratch` is the completion thread's: a message that came in pieces is
// put together there, for its handler.
void grpc_call_advance(struct grpc_call_handle *call, bool success, struct buffer *scratch);
// Cancels calls whose message is overdue.
void grpc_call_sweep(struct grpc_server_handle *server);
// UNAVAILABLE with a RetryInfo of one to five seconds.
void grpc_call_refuse(struct grpc_call_handle *call, const char *message);

// grpc.health.v1.Health/Check.
extern const char grpc_health_path[];
void grpc_health_handle(void *context, struct grpc_call_handle *call);

#endif
