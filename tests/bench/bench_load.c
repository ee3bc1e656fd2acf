// SPDX-License-Identifier: Apache-2.0
//
// The load generator: OTLP over gRPC (gRPC core's C API) or HTTP (plain sockets), several connections, several requests
// in flight on each, distinct trace ids, batches of 512 spans. At full speed or at a given rate, which is open-loop:
// latency is counted from when a request was due, so that a slow server cannot hide behind the generator.
//
//   bench_load --url http://127.0.0.1:4317 [--protocol grpc|http|json] [--connections 4] [--in-flight 4] [--seconds 5]
//              [--warm-up 0] [--rate SPANS_PER_SECOND] [--batch 512] [--spans-per-trace 8]
//
// What is answered in the first --warm-up seconds, which come before --seconds, is not counted. Prints one JSON line:
// spans, seconds, spans_per_second, bytes_per_span, errors, p50_ms, p99_ms.
#include <arpa/inet.h>
#include <getopt.h>
#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/support/time.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/thread.h"
#include "payload.h"

#define LATENCIES_MAX (1u << 20)

struct load {
  const char *url, *protocol;
  char host[128];
  uint16_t port;
  uint32_t connections, in_flight, seconds, warm_up, batch, spans_per_trace;
  uint64_t rate;
  struct payload payload;
  uint64_t first_number;
  struct atomic_u64 next, errors, done;
  uint64_t start_ns, measure_ns, end_ns, interval_ns; // between due times; 0: full speed
  uint32_t *latencies_us;
  struct atomic_u64 latency_count;
};

static uint64_t now_ns(void) {
  return clock_monotonic_ns(clock_system());
}

// The number of the next request and when it is due; false when the time is over.
static bool next_request(struct load *load, uint64_t *out_number, uint64_t *out_due_ns) {
  uint64_t number = atomic_u64_add(&load->next, 1);
  uint64_t due_ns = load->interval_ns ? load->start_ns + number * load->interval_ns : now_ns();
  *out_number = number;
  *out_due_ns = due_ns;
  return due_ns < load->end_ns;
}

static void sleep_until(uint64_t ns) {
  uint64_t now = now_ns();
  if (ns <= now) return;
  struct timespec rest = {.tv_sec = (time_t)((ns - now) / NS_PER_S), .tv_nsec = (long)((ns - now) % NS_PER_S)};
  nanosleep(&rest, NULL);
}

static void note(struct load *load, uint64_t due_ns, bool good) {
  if (!good) {
    atomic_u64_add_relaxed(&load->errors, 1);
    return;
  }
  if (now_ns() < load->measure_ns) return;
  atomic_u64_add_relaxed(&load->done, 1);
  uint64_t index = atomic_u64_add(&load->latency_count, 1);
  if (index < LATENCIES_MAX) load->latencies_us[index] = (uint32_t)((now_ns() - due_ns) / NS_PER_US);
}

// --- gRPC: one thread, one completion queue and one channel a connection --------------------------------------------

struct call {
  grpc_call *call;
  grpc_byte_buffer *request, *response;
  grpc_metadata_array initial, trailing;
  grpc_status_code code;
  grpc_slice details;
  uint64_t due_ns;
  bool running;
};

static bool start_call(struct load *load, grpc_channel *channel, grpc_completion_queue *queue, struct call *call) {
  uint64_t number;
  if (!next_request(load, &number, &call->due_ns)) return false;
  sleep_until(call->due_ns);
  grpc_slice bytes = grpc_slice_malloc(load->payload.template.len);
  payload_write(&load->payload, load->first_number + number, GRPC_SLICE_START_PTR(bytes));
  call->request = grpc_raw_byte_buffer_create(&bytes, 1);
  grpc_slice_unref(bytes);
  grpc_slice method = grpc_slice_from_static_string("/opentelemetry.proto.collector.trace.v1.TraceService/Export");
  call->call = grpc_channel_create_call(
      channel, NULL, GRPC_PROPAGATE_DEFAULTS, queue, method, NULL,
      gpr_time_add(gpr_now(GPR_CLOCK_REALTIME), gpr_time_from_seconds(30, GPR_TIMESPAN)), NULL);
  grpc_metadata_array_init(&call->initial);
  grpc_metadata_array_init(&call->trailing);
  call->response = NULL;
  grpc_op ops[6] = {
      {.op = GRPC_OP_SEND_INITIAL_METADATA},
      {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = call->request},
      {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
      {.op = GRPC_OP_RECV_INITIAL_METADATA, .data.recv_initial_metadata.recv_initial_metadata = &call->initial},
      {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->response},
      {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
       .data.recv_status_on_client = {.trailing_metadata = &call->trailing,
                                      .status = &call->code,
                                      .status_details = &call->details}},
  };
  call->running = grpc_call_start_batch(call->call, ops, 6, call, NULL) == GRPC_CALL_OK;
  return call->running;
}

static void end_call(struct load *load, struct call *call) {
  note(load, call->due_ns, call->code == GRPC_STATUS_OK);
  grpc_byte_buffer_destroy(call->request);
  grpc_byte_buffer_destroy(call->response);
  grpc_metadata_array_destroy(&call->initial);
  grpc_metadata_array_destroy(&call->trailing);
  grpc_slice_unref(call->details);
  grpc_call_unref(call->call);
  call->running = false;
}

static void run_grpc(void *context) {
  struct load *load = context;
  // A pool of its own, or all channels would share one connection.
  grpc_arg argument = {
      .type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, .value.integer = 1};
  grpc_channel_args arguments = {.num_args = 1, .args = &argument};
  grpc_channel_credentials *credentials = grpc_insecure_credentials_create();
  char target[160];
  snprintf(target, sizeof(target), "%s:%u", load->host, load->port);
  grpc_channel *channel = grpc_channel_create(target, credentials, &arguments);
  grpc_completion_queue *queue = grpc_completion_queue_create_for_next(NULL);
  struct call *calls = calloc(load->in_flight, sizeof(struct call));
  if (!calls) abort();
  uint32_t running = 0;
  for (uint32_t i = 0; i < load->in_flight; i++) running += start_call(load, channel, queue, &calls[i]);
  while (running > 0) {
    grpc_event event = grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
    struct call *call = event.tag;
    end_call(load, call);
    if (!start_call(load, channel, queue, call)) running--;
  }
  free(calls);
  grpc_completion_queue_shutdown(queue);
  while (grpc_completion_queue_next(queue, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type != GRPC_QUEUE_SHUTDOWN)
    continue;
  grpc_completion_queue_destroy(queue);
  grpc_channel_destroy(channel);
  grpc_channel_credentials_release(credentials);
}

// --- HTTP/1.1: one blocking socket and thread per request in flight -------------------------------------------------

static int connect_to(const struct load *load) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(load->port)};
  inet_pton(AF_INET, load->host, &address.sin_addr);
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
  if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
    perror("bench_load: connect");
    exit(1);
  }
  return fd;
}

static bool write_all(int fd, const void *bytes, size_t len) {
  for (const char *at = bytes; len > 0;) {
    ssize_t n = write(fd, at, len);
    if (n <= 0) return false;
    at += n;
    len -= (size_t)n;
  }
  return true;
}

// Reads one response: header, then Content-Length bytes. Returns the code, 0 when the connection broke.
static int read_response(int fd) {
  char buffer[8192];
  size_t len = 0;
  for (;;) {
    ssize_t n = read(fd, buffer + len, sizeof(buffer) - 1 - len);
    if (n <= 0) return 0;
    len += (size_t)n;
    buffer[len] = 0;
    char *end = strstr(buffer, "\r\n\r\n");
    if (!end) {
      if (len == sizeof(buffer) - 1) return 0;
      continue;
    }
    const char *length = strcasestr(buffer, "content-length:");
    size_t body = length ? strtoul(length + 15, NULL, 10) : 0;
    size_t have = len - (size_t)(end + 4 - buffer);
    while (have < body) {
      n = read(fd, buffer, body - have < sizeof(buffer) ? body - have : sizeof(buffer));
      if (n <= 0) return 0;
      have += (size_t)n;
    }
    return atoi(buffer + 9);
  }
}

static void run_http(void *context) {
  struct load *load = context;
  int fd = connect_to(load);
  char header[512];
  int header_len =
      snprintf(header, sizeof(header),
               "POST /v1/traces HTTP/1.1\r\nHost: %s:%u\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n", load->host,
               load->port, load->payload.options.json ? "application/json" : "application/x-protobuf",
               load->payload.template.len);
  uint8_t *body = malloc(load->payload.template.len);
  if (!body) abort();
  uint64_t number, due_ns;
  while (next_request(load, &number, &due_ns)) {
    sleep_until(due_ns);
    payload_write(&load->payload, load->first_number + number, body);
    int code = 0;
    if (write_all(fd, header, (size_t)header_len) && write_all(fd, body, load->payload.template.len))
      code = read_response(fd);
    note(load, due_ns, code == 200);
    if (code == 0) {
      close(fd);
      fd = connect_to(load);
    }
  }
  free(body);
  close(fd);
}

// --- main -----------------------------------------------------------------------------------------------------------

static int compare(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static void report(struct load *load, double seconds) {
  uint64_t count = atomic_u64_get(&load->latency_count);
  if (count > LATENCIES_MAX) count = LATENCIES_MAX;
  qsort(load->latencies_us, count, sizeof(uint32_t), compare);
  double p50 = count ? load->latencies_us[count / 2] / 1000.0 : 0;
  double p99 = count ? load->latencies_us[count * 99 / 100] / 1000.0 : 0;
  uint64_t spans = atomic_u64_get(&load->done) * load->batch;
  printf("{\"spans\":%" PRIu64 ",\"seconds\":%.3f,\"spans_per_second\":%.0f,\"bytes_per_span\":%.1f,\"errors\":%" PRIu64
         ",\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n",
         spans, seconds, (double)spans / seconds, (double)load->payload.template.len / load->batch,
         atomic_u64_get(&load->errors), p50, p99);
}

static uint64_t number_of(const char *text) {
  uint64_t value;
  if (!slice_to_u64(slice_from_cstr(text), &value)) {
    fprintf(stderr, "bench_load: '%s' is not a number\n", text);
    exit(2);
  }
  return value;
}

static void parse(struct load *load, int argc, char **argv) {
  static const struct option options[] = {{"url", 1, NULL, 'u'},         {"protocol", 1, NULL, 'p'},
                                          {"connections", 1, NULL, 'c'}, {"in-flight", 1, NULL, 'i'},
                                          {"seconds", 1, NULL, 's'},     {"rate", 1, NULL, 'r'},
                                          {"batch", 1, NULL, 'b'},       {"spans-per-trace", 1, NULL, 't'},
                                          {"warm-up", 1, NULL, 'w'},     {NULL, 0, NULL, 0}};
  for (int letter; (letter = getopt_long(argc, argv, "", options, NULL)) != -1;) {
    switch (letter) {
    case 'u': load->url = optarg; break;
    case 'p': load->protocol = optarg; break;
    case 'c': load->connections = (uint32_t)number_of(optarg); break;
    case 'i': load->in_flight = (uint32_t)number_of(optarg); break;
    case 's': load->seconds = (uint32_t)number_of(optarg); break;
    case 'w': load->warm_up = (uint32_t)number_of(optarg); break;
    case 'r': load->rate = number_of(optarg); break;
    case 'b': load->batch = (uint32_t)number_of(optarg); break;
    case 't': load->spans_per_trace = (uint32_t)number_of(optarg); break;
    default: exit(2);
    }
  }
  unsigned port;
  if (!load->url || sscanf(load->url, "http://%127[^:]:%u", load->host, &port) != 2 || port > 65535) {
    fprintf(stderr, "bench_load: --url http://ADDRESS:PORT is needed\n");
    exit(2);
  }
  load->port = (uint16_t)port;
}

int main(int argc, char **argv) {
  static struct load load = {
      .protocol = "grpc", .connections = 4, .in_flight = 4, .seconds = 5, .batch = 512, .spans_per_trace = 8};
  parse(&load, argc, argv);
  bool is_grpc = strcmp(load.protocol, "grpc") == 0;
  payload_create(&load.payload, &(struct payload_options){.spans = load.batch,
                                                          .spans_per_trace = load.spans_per_trace,
                                                          .json = strcmp(load.protocol, "json") == 0});
  load.latencies_us = calloc(LATENCIES_MAX, sizeof(uint32_t));
  if (!load.latencies_us) abort();
  random_bytes(&load.first_number, sizeof(load.first_number)); // no two runs send the same ids
  if (is_grpc) grpc_init();
  if (load.rate) load.interval_ns = load.batch * NS_PER_S / load.rate;
  load.start_ns = now_ns();
  load.measure_ns = load.start_ns + load.warm_up * NS_PER_S;
  load.end_ns = load.measure_ns + load.seconds * NS_PER_S;
  uint32_t count = is_grpc ? load.connections : load.connections * load.in_flight;
  struct thread *threads = calloc(count, sizeof(struct thread));
  if (!threads) abort();
  for (uint32_t i = 0; i < count; i++) {
    if (thread_start(&threads[i], "load", is_grpc ? run_grpc : run_http, &load)) abort();
  }
  for (uint32_t i = 0; i < count; i++) thread_join(&threads[i]);
  report(&load, (double)(now_ns() - load.measure_ns) / (double)NS_PER_S);
  free(threads);
  free(load.latencies_us);
  payload_destroy(&load.payload);
  return atomic_u64_get(&load.errors) ? 1 : 0;
}
