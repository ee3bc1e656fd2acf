// SPDX-License-Identifier: Apache-2.0
//
// The load generator for error events: Sentry envelopes (sentry_payload) over HTTP on several keep-alive connections,
// one request in flight on each, as fast as they are answered or at a given rate. One thread. At a rate latency is
// counted from when a request was due.
//
//   bench_events --address 127.0.0.1:4318 --key KEY [--project 1] [--bytes 50000] [--issues 50] [--first-issue 0]
//                [--distinct 100] [--connections 8] [--warm-up 0] [--seconds 5] [--rate EVENTS_PER_SECOND]
//
// What is answered in the first --warm-up seconds, which come before --seconds, is not counted. Prints one JSON line:
// events, seconds, events_per_second, errors, event_bytes, sent_bytes, started (monotonic), cpu_seconds, p50_ms,
// p99_ms.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/slice.h"
#include "sentry_payload.h"

#define CONNECTIONS_MAX 256
#define LATENCIES_MAX   (1u << 20)
#define ANSWER_BYTES    4096
#define SEND_BUFFER     (1 << 20)

struct connection {
  int socket;
  bool busy;
  uint64_t due_ns;
  char answer[ANSWER_BYTES];
  size_t answer_len;
};

struct load {
  char host[128];
  uint16_t port;
  const char *key;
  uint32_t project, connections, seconds, warm_up;
  uint64_t rate;
  struct sentry_payload_options shape;
  struct sentry_payload *payload;
  struct connection *connection;
  int epoll;
  uint64_t start_ns, measure_ns, end_ns, sent, answered, errors, in_flight;
  uint32_t *latencies_us, latency_count;
};

static uint64_t now_ns(void) {
  return clock_monotonic_ns(clock_system());
}

static void die(const char *what) {
  fprintf(stderr, "bench_events: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void open_connection(struct load *load, uint32_t index) {
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(load->port)};
  int one = 1, room = SEND_BUFFER;
  struct connection *connection = &load->connection[index];
  connection->socket = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection->socket < 0 || inet_pton(AF_INET, load->host, &address.sin_addr) != 1) die("socket");
  setsockopt(connection->socket, SOL_SOCKET, SO_SNDBUF, &room, sizeof room);
  setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  if (connect(connection->socket, (struct sockaddr *)&address, sizeof address) != 0) die("connect");
  struct epoll_event event = {.events = EPOLLIN, .data.u32 = index};
  if (epoll_ctl(load->epoll, EPOLL_CTL_ADD, connection->socket, &event) != 0) die("epoll_ctl");
}

// Blocking: a request is smaller than the sending buffer, and the server reads what it has no answer for yet.
static void send_event(struct load *load, struct connection *connection, uint64_t due_ns) {
  struct slice body = sentry_payload_next(load->payload, load->sent++);
  char head[512];
  int len =
      snprintf(head, sizeof head,
               "POST /api/%u/envelope/ HTTP/1.1\r\nHost: %s:%u\r\nUser-Agent: sentry.python.django/2.19.2\r\n"
               "X-Sentry-Auth: Sentry sentry_key=%s, sentry_version=7, sentry_client=sentry.python.django/2.19.2\r\n"
               "Content-Encoding: gzip\r\nContent-Type: application/x-sentry-envelope\r\n"
               "Content-Length: %zu\r\n\r\n",
               load->project, load->host, load->port, load->key, body.len);
  struct iovec parts[2] = {{.iov_base = head, .iov_len = (size_t)len},
                           {.iov_base = (void *)(uintptr_t)body.ptr, .iov_len = body.len}};
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
  ssize_t sent = sendmsg(connection->socket, &message, MSG_NOSIGNAL);
  if (sent != (ssize_t)(parts[0].iov_len + body.len)) die("send");
  connection->busy = true;
  connection->due_ns = due_ns;
  connection->answer_len = 0;
  load->in_flight++;
}

// True when the answer is complete.
static bool read_answer(struct load *load, struct connection *connection) {
  ssize_t got = recv(connection->socket, connection->answer + connection->answer_len,
                     sizeof connection->answer - 1 - connection->answer_len, 0);
  if (got <= 0) die("the server closed a connection");
  connection->answer_len += (size_t)got;
  connection->answer[connection->answer_len] = 0;
  const char *body = strstr(connection->answer, "\r\n\r\n");
  const char *length = strcasestr(connection->answer, "\r\nContent-Length:");
  if (!body || !length || length > body) return false;
  size_t wanted = (size_t)(body + 4 - connection->answer) + strtoul(length + 17, NULL, 10);
  if (connection->answer_len < wanted) return false;
  if (strncmp(connection->answer, "HTTP/1.1 200", 12) != 0) {
    if (load->errors++ == 0) fprintf(stderr, "bench_events: %.*s\n", (int)connection->answer_len, connection->answer);
  }
  connection->busy = false;
  load->in_flight--;
  if (now_ns() < load->measure_ns) return true;
  load->answered++;
  uint64_t took_us = (now_ns() - connection->due_ns) / 1000;
  if (load->latency_count < LATENCIES_MAX) load->latencies_us[load->latency_count++] = (uint32_t)took_us;
  return true;
}

// Gives idle connections what is due; returns how long to wait at most, in milliseconds.
static int send_due(struct load *load) {
  uint64_t now = now_ns();
  if (now >= load->end_ns) return load->in_flight > 0 ? 100 : 0;
  uint64_t interval_ns = load->rate ? NS_PER_S / load->rate : 0;
  for (uint32_t i = 0; i < load->connections; i++) {
    if (load->connection[i].busy) continue;
    uint64_t due_ns = interval_ns ? load->start_ns + load->sent * interval_ns : now;
    if (due_ns > now) return (int)((due_ns - now) / NS_PER_MS) + 1;
    send_event(load, &load->connection[i], due_ns);
  }
  return 100;
}

static void run(struct load *load) {
  load->start_ns = now_ns();
  load->measure_ns = load->start_ns + load->warm_up * NS_PER_S;
  load->end_ns = load->measure_ns + load->seconds * NS_PER_S;
  while (now_ns() < load->end_ns || load->in_flight > 0) {
    struct epoll_event events[CONNECTIONS_MAX];
    int count = epoll_wait(load->epoll, events, CONNECTIONS_MAX, send_due(load));
    for (int i = 0; i < count; i++) read_answer(load, &load->connection[events[i].data.u32]);
  }
}

static int compare(const void *left, const void *right) {
  uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
  return a < b ? -1 : a > b;
}

static double percentile_ms(const struct load *load, double part) {
  if (load->latency_count == 0) return 0;
  return load->latencies_us[(uint32_t)(part * (load->latency_count - 1))] / 1e3;
}

static void report(struct load *load) {
  double seconds = (double)(now_ns() - load->measure_ns) / 1e9;
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
               (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
  qsort(load->latencies_us, load->latency_count, sizeof load->latencies_us[0], compare);
  printf("{\"events\":%" PRIu64 ",\"seconds\":%.3f,\"events_per_second\":%.1f,\"errors\":%" PRIu64
         ",\"event_bytes\":%u,"
         "\"sent_bytes\":%u,\"started\":%.6f,\"cpu_seconds\":%.3f,\"p50_ms\":%.3f,\"p99_ms\":%.3f}\n",
         load->answered - load->errors, seconds, (double)(load->answered - load->errors) / seconds, load->errors,
         sentry_payload_event_bytes(load->payload), sentry_payload_sent_bytes(load->payload),
         (double)load->start_ns / 1e9, cpu, percentile_ms(load, 0.5), percentile_ms(load, 0.99));
}

static void parse_address(struct load *load, const char *text) {
  const char *colon = strrchr(text, ':');
  if (!colon || (size_t)(colon - text) >= sizeof load->host) exit(2);
  memcpy(load->host, text, (size_t)(colon - text));
  load->port = (uint16_t)strtoul(colon + 1, NULL, 10);
}

static void parse_options(struct load *load, int count, char **arguments) {
  static const struct option options[] = {
      {"address", 1, NULL, 'a'},     {"key", 1, NULL, 'k'},     {"project", 1, NULL, 'p'},
      {"bytes", 1, NULL, 'b'},       {"issues", 1, NULL, 'i'},  {"distinct", 1, NULL, 'd'},
      {"connections", 1, NULL, 'c'}, {"seconds", 1, NULL, 's'}, {"first-issue", 1, NULL, 'f'},
      {"rate", 1, NULL, 'r'},        {"warm-up", 1, NULL, 'w'}, {NULL, 0, NULL, 0}};
  int option;
  while ((option = getopt_long(count, arguments, "", options, NULL)) != -1) {
    uint32_t value = optarg ? (uint32_t)strtoul(optarg, NULL, 10) : 0;
    switch (option) {
    case 'a': parse_address(load, optarg); break;
    case 'k': load->key = optarg; break;
    case 'p': load->project = value; break;
    case 'b': load->shape.bytes = value; break;
    case 'i': load->shape.issues = value; break;
    case 'f': load->shape.first_one = value; break;
    case 'd': load->shape.distinct = value; break;
    case 'c': load->connections = value; break;
    case 's': load->seconds = value; break;
    case 'w': load->warm_up = value; break;
    case 'r': load->rate = value; break;
    default: exit(2);
    }
  }
  if (!load->key || load->port == 0 || load->connections == 0 || load->connections > CONNECTIONS_MAX) {
    fprintf(stderr, "usage: bench_events --address HOST:PORT --key KEY [--bytes N] …\n");
    exit(2);
  }
}

int main(int count, char **arguments) {
  struct load load = {.project = 1,
                      .connections = 8,
                      .seconds = 5,
                      .shape = {.distinct = 100, .issues = 50, .bytes = 50000, .seed = 1}};
  parse_options(&load, count, arguments);
  load.payload = sentry_payload_create(&load.shape);
  load.latencies_us = calloc(LATENCIES_MAX, sizeof *load.latencies_us);
  load.connection = calloc(load.connections, sizeof *load.connection);
  load.epoll = epoll_create1(EPOLL_CLOEXEC);
  if (!load.latencies_us || !load.connection || load.epoll < 0) die("start");
  for (uint32_t i = 0; i < load.connections; i++) open_connection(&load, i);
  run(&load);
  report(&load);
  for (uint32_t i = 0; i < load.connections; i++) close(load.connection[i].socket);
  close(load.epoll);
  free(load.connection);
  free(load.latencies_us);
  sentry_payload_destroy(load.payload);
  return 0;
}
