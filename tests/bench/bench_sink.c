// SPDX-License-Identifier: Apache-2.0
//
// A bare OTLP/gRPC server on gRPC core's C API that only counts: the yardstick of the benchmarks, and the backend that
// culprit forwards to. Takes any unary method, answers it with an empty message.
//
//   bench_sink 127.0.0.1:0      prints {"port":N}, then on SIGTERM {"requests":N,"bytes":N}
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/thread.h"

#define THREADS 2
#define SLOTS   256

struct call {
  grpc_call *call;
  grpc_call_details details;
  grpc_metadata_array metadata;
  grpc_byte_buffer *request, *response;
  int cancelled;
  enum { WAITING, READING, ANSWERING } state;
  grpc_completion_queue *queue;
};

static grpc_server *server;
static struct atomic_u64 requests, bytes;

static void wait_for_call(struct call *call) {
  call->state = WAITING;
  grpc_metadata_array_init(&call->metadata);
  grpc_call_details_init(&call->details);
  grpc_server_request_call(server, &call->call, &call->details, &call->metadata, call->queue, call->queue, call);
}

static void read_request(struct call *call) {
  call->state = READING;
  grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->request};
  grpc_call_start_batch(call->call, &op, 1, call, NULL);
}

static void answer(struct call *call) {
  call->state = ANSWERING;
  atomic_u64_add_relaxed(&requests, 1);
  if (call->request) atomic_u64_add_relaxed(&bytes, grpc_byte_buffer_length(call->request));
  grpc_slice empty = grpc_empty_slice();
  call->response = grpc_raw_byte_buffer_create(&empty, 1);
  grpc_op ops[4] = {
      {.op = GRPC_OP_SEND_INITIAL_METADATA},
      {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = call->response},
      {.op = GRPC_OP_SEND_STATUS_FROM_SERVER, .data.send_status_from_server.status = GRPC_STATUS_OK},
      {.op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &call->cancelled},
  };
  grpc_call_start_batch(call->call, ops, 4, call, NULL);
}

static void finish(struct call *call) {
  grpc_byte_buffer_destroy(call->request);
  grpc_byte_buffer_destroy(call->response);
  grpc_call_unref(call->call);
  grpc_metadata_array_destroy(&call->metadata);
  grpc_call_details_destroy(&call->details);
  call->request = call->response = NULL;
  wait_for_call(call);
}

static void run(void *context) {
  grpc_completion_queue *queue = context;
  for (;;) {
    grpc_event event = grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    if (event.type == GRPC_QUEUE_SHUTDOWN) return;
    struct call *call = event.tag;
    if (call->state == WAITING) {
      if (event.success) read_request(call);
    } else if (call->state == READING) {
      answer(call);
    } else {
      finish(call);
    }
  }
}

int main(int argc, char **argv) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  sigprocmask(SIG_BLOCK, &signals, NULL);
  grpc_init();
  grpc_arg arguments[] = {{.type = GRPC_ARG_INTEGER,
                           .key = (char *)(uintptr_t)GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH,
                           .value.integer = 64 << 20}};
  grpc_channel_args channel = {.num_args = 1, .args = arguments};
  server = grpc_server_create(&channel, NULL);
  grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
  int port = grpc_server_add_http2_port(server, argc > 1 ? argv[1] : "127.0.0.1:0", credentials);
  grpc_server_credentials_release(credentials);
  if (port == 0) {
    fprintf(stderr, "bench_sink: cannot listen\n");
    return 1;
  }
  grpc_completion_queue *queues[THREADS];
  for (int i = 0; i < THREADS; i++) {
    queues[i] = grpc_completion_queue_create_for_next(NULL);
    grpc_server_register_completion_queue(server, queues[i], NULL);
  }
  grpc_server_start(server);
  struct call *calls = calloc(SLOTS, sizeof(struct call));
  if (!calls) return 1;
  for (int i = 0; i < SLOTS; i++) {
    calls[i].queue = queues[i % THREADS];
    wait_for_call(&calls[i]);
  }
  struct thread threads[THREADS];
  for (int i = 0; i < THREADS; i++) {
    if (thread_start(&threads[i], "sink", run, queues[i])) return 1;
  }
  printf("{\"port\":%d}\n", port);
  fflush(stdout);
  int signal_number;
  sigwait(&signals, &signal_number);
  printf("{\"requests\":%" PRIu64 ",\"bytes\":%" PRIu64 "}\n", atomic_u64_get(&requests), atomic_u64_get(&bytes));
  fflush(stdout);
  _Exit(0); // the kernel takes back the rest
}
