// SPDX-License-Identifier: Apache-2.0
//
// How it works: each method is an endpoint that knows its signal; the call itself is what waits for the answer.
#include "receiver/otlp_grpc.h"

#include "receiver/reply.h"

static const char *const paths[OTLP_GRPC_METHODS] = {
    [OTLP_TRACES] = "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
    [OTLP_LOGS] = "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
    [OTLP_METRICS] = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
};

// The signal travels in the function, so that a call needs no memory of its own while it waits.
static void answer(struct grpc_call_handle *call, enum otlp_signal signal, enum status status,
                   const struct otlp_response *response, const struct error *error) {
  if (status == STATUS_OK) {
    reply_otlp_grpc_success(call, signal, response);
  } else {
    reply_otlp_grpc_failure(call, status, error);
  }
}

static void on_traces(void *call, enum status status, const struct otlp_response *response, const struct error *error) {
  answer(call, OTLP_TRACES, status, response, error);
}

static void on_logs(void *call, enum status status, const struct otlp_response *response, const struct error *error) {
  answer(call, OTLP_LOGS, status, response, error);
}

static void on_metrics(void *call, enum status status, const struct otlp_response *response,
                       const struct error *error) {
  answer(call, OTLP_METRICS, status, response, error);
}

static void on_export(void *context, struct grpc_call_handle *call) {
  static const otlp_door_done_fn done[] = {
      [OTLP_TRACES] = on_traces, [OTLP_LOGS] = on_logs, [OTLP_METRICS] = on_metrics};
  const struct otlp_grpc_endpoint *endpoint = context;
  const struct otlp_door_request request = {
      .signal = endpoint->signal,
      .transport = OTLP_DOOR_GRPC,
      .encoding = OTLP_PROTOBUF,
      .content = grpc_call_encoding(call),
      .body = grpc_call_message(call),
  };
  otlp_door_take(endpoint->door, &request, done[endpoint->signal], call);
}

void otlp_grpc_init(struct otlp_grpc *otlp, struct otlp_door *door) {
  otlp->door = door;
  for (unsigned signal = OTLP_TRACES; signal <= OTLP_METRICS; signal++) {
    otlp->endpoints[signal] = (struct otlp_grpc_endpoint){.door = door, .signal = (enum otlp_signal)signal};
    otlp->methods[signal] =
        (struct grpc_method){.path = paths[signal], .handle = on_export, .context = &otlp->endpoints[signal]};
  }
}

enum status otlp_grpc_admit(void *context, struct grpc_call_handle *call) {
  struct otlp_grpc *otlp = context;
  struct error error = {{0}};
  enum status status = otlp_door_admit(otlp->door, grpc_call_metadata(call, "authorization"),
                                       grpc_call_metadata(call, "x-culprit-key"), &error);
  if (status == STATUS_OK) return STATUS_OK;
  const struct otlp_grpc_endpoint *endpoint = grpc_call_context(call);
  otlp_door_count_refusal(otlp->door, endpoint->signal, OTLP_DOOR_GRPC, status);
  reply_otlp_grpc_failure(call, status, &error);
  return status;
}

void otlp_grpc_refused(void *context, const struct grpc_method *method, enum status status) {
  struct otlp_grpc *otlp = context;
  const struct otlp_grpc_endpoint *endpoint = method->context;
  otlp_door_count_refusal(otlp->door, endpoint->signal, OTLP_DOOR_GRPC, status);
}
