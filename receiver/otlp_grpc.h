// SPDX-License-Identifier: Apache-2.0
//
// OTLP over gRPC: Export of TraceService, LogsService and MetricsService (OTLP 1.11, "OTLP/gRPC"). The methods are put
// into the options of a grpc_server together with otlp_grpc_admit; the object must outlive that server.
#ifndef RECEIVER_OTLP_GRPC_H
#define RECEIVER_OTLP_GRPC_H

#include "net/grpc_server.h"
#include "receiver/otlp_door.h"

#define OTLP_GRPC_METHODS 3

struct otlp_grpc_endpoint {
  struct otlp_door *door;
  enum otlp_signal signal;
};
struct otlp_grpc {
  struct otlp_door *door;
  struct otlp_grpc_endpoint endpoints[OTLP_GRPC_METHODS];
  struct grpc_method methods[OTLP_GRPC_METHODS];
};

// Fills the caller's memory, which must not move afterwards.
void otlp_grpc_init(struct otlp_grpc *otlp, struct otlp_door *door);
// For grpc_server_options.admit, with the otlp_grpc as context.
enum status otlp_grpc_admit(void *otlp, struct grpc_call_handle *call);
// For grpc_server_options.on_refusal, the same context: counts what the server refused before it came here.
void otlp_grpc_refused(void *otlp, const struct grpc_method *method, enum status status);

#endif
