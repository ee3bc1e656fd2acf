// SPDX-License-Identifier: Apache-2.0
//
// Incoming unary gRPC calls over gRPC core's C API, hidden whole. Messages arrive as they were sent, compressed or not:
// grpc.per_message_decompression is off and the caller decodes with its own cap. grpc.health.v1.Health/Check is served
// here.
//
// A call is handed to its method's handler on one of the completion threads; the handler answers at once or keeps the
// call and answers later from any thread, exactly once (grpc_call_finish). After that the call must not be touched. The
// message is contiguous and lives until the handler returns.
#ifndef NET_GRPC_SERVER_H
#define NET_GRPC_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/budget.h"
#include "base/decompress.h"
#include "base/slice.h"
#include "base/status.h"
#include "net/tls_settings.h"

struct grpc_server_handle;
struct grpc_call_handle;

typedef void (*grpc_handler_fn)(void *context, struct grpc_call_handle *call);

struct grpc_method {
  const char *path; // "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
  grpc_handler_fn handle;
  void *context;
};

struct grpc_server_options {
  const char *address;               // "127.0.0.1:4317"; port 0 takes a free one
  struct tls_settings tls;           // texts must outlive the server
  const struct grpc_method *methods; // must outlive the server
  size_t method_count;
  // Asked when a call of a method in the table has arrived and its message has not: STATUS_OK lets the message be read;
  // anything else must have finished the call. May be NULL. Health/Check is not asked about.
  enum status (*admit)(void *context, struct grpc_call_handle *call);
  void *admit_context;
  // Told of a call of a method in the table that ended without its handler, so that it can be counted:
  // STATUS_UNAVAILABLE (too much in flight), STATUS_TOO_LARGE, STATUS_INVALID (no message), STATUS_TIMEOUT (cancelled,
  // cut off or overdue before the message was there). May be NULL.
  void (*on_refusal)(void *context, const struct grpc_method *method, enum status status);
  void *refusal_context;
  struct budget *budget;    // charged for messages while a call lives; over it: UNAVAILABLE with RetryInfo
  size_t message_bytes_max; // on the wire; over it: RESOURCE_EXHAUSTED without RetryInfo
  uint32_t threads;         // completion threads, at least 2; 0: max(2, cores)
  uint32_t call_slots;      // default 512 in all
};

enum status grpc_server_open(const struct grpc_server_options *options, struct grpc_server_handle **out_server,
                             uint16_t *out_port, struct error *error);
// Reads certificate, key and client roots again, from the files of the options (whose names must still be there), for
// connections that begin from now on. After a failure those known stay in force; STATUS_NOT_FOUND: it serves plain
// text. Any thread.
enum status grpc_server_read_tls(struct grpc_server_handle *server, struct error *error);
// What Health/Check answers for "" and for every service: SERVING or NOT_SERVING.
void grpc_server_set_serving(struct grpc_server_handle *server, bool serving);
// The budget has another maximum: what gRPC core may hold of messages on their way follows, and is returned in
// bytes. Any thread.
size_t grpc_server_follow_budget(struct grpc_server_handle *server);
// Refuses new calls (UNAVAILABLE), waits up to grace_ns for the running ones, cancels the rest, ends the threads.
void grpc_server_close(struct grpc_server_handle *server, uint64_t grace_ns);

// For the handler, while it runs.
struct slice grpc_call_message(const struct grpc_call_handle *call);
enum encoding grpc_call_encoding(const struct grpc_call_handle *call); // of the message; identity when not compressed
// A metadata value by its lower-case key, empty with NULL ptr when absent.
struct slice grpc_call_metadata(const struct grpc_call_handle *call, const char *key);
// The context of the call's method.
void *grpc_call_context(const struct grpc_call_handle *call);
struct slice grpc_call_peer(const struct grpc_call_handle *call);

// gRPC status codes (grpc.github.io/grpc/core/md_doc_statuscodes.html).
enum grpc_code {
  GRPC_CODE_OK = 0,
  GRPC_CODE_CANCELLED = 1,
  GRPC_CODE_UNKNOWN = 2,
  GRPC_CODE_INVALID_ARGUMENT = 3,
  GRPC_CODE_DEADLINE_EXCEEDED = 4,
  GRPC_CODE_NOT_FOUND = 5,
  GRPC_CODE_ALREADY_EXISTS = 6,
  GRPC_CODE_PERMISSION_DENIED = 7,
  GRPC_CODE_RESOURCE_EXHAUSTED = 8,
  GRPC_CODE_FAILED_PRECONDITION = 9,
  GRPC_CODE_ABORTED = 10,
  GRPC_CODE_OUT_OF_RANGE = 11,
  GRPC_CODE_UNIMPLEMENTED = 12,
  GRPC_CODE_INTERNAL = 13,
  GRPC_CODE_UNAVAILABLE = 14,
  GRPC_CODE_DATA_LOSS = 15,
  GRPC_CODE_UNAUTHENTICATED = 16,
};

// Ends the call. With code OK `body` is the response message (empty is a valid one), otherwise `message` is the words
// and `body` the google.rpc.Status for the grpc-status-details-bin trailer (empty: none). Everything is copied.
void grpc_call_finish(struct grpc_call_handle *call, enum grpc_code code, const char *message, struct slice body);

#endif
