// SPDX-License-Identifier: Apache-2.0
//
// How it works: this file opens and closes; the work is done by
//
//   http_acceptor     one thread that accepts connections and spreads them over the loops
//   http_loop         a thread per core with its epoll instance: wakes up, looks at deadlines, stops
//   http_connection   one connection: from bytes to requests, from answers to bytes
//   http_transport    plain text or TLS
//   http_head, http_chunks   what the bytes say
//   http_request      one request, shared by its loop and its owner; http_response the bytes of its answer
//   http_inbox        how connections and replies come to a loop from other threads
//
// A connection never changes its loop, and nothing of it is locked. A handler that keeps the request leaves its
// connection waiting until http_request_reply posts the answer to the loop (http_request.h has the states).
//
// Close: stop listening, then tell the loops until when owners are waited for, and join them (http_loop.c).
#include "net/http_server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "net/address.h"
#include "net/http_acceptor.h"
#include "net/http_loop.h"
#include "net/http_server_private.h"

#define CONNECTIONS_DEFAULT 1024u
#define DEADLINE_DEFAULT_NS (30 * NS_PER_S)
#define IDLE_DEFAULT_NS     (75 * NS_PER_S)
#define GRACE_DEFAULT_NS    (10 * NS_PER_S)
#define RATE_DEFAULT        1024u
#define TLS_PRIORITIES      "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

void http_server_release(struct http_server *server) {
  if (atomic_u64_sub(&server->references, 1) != 1) return;
  condition_finish(&server->changed);
  mutex_finish(&server->mutex);
  free(server);
}

// ---- open

static void set_defaults(struct http_server_options *options) {
  if (!options->name) options->name = "http";
  if (options->threads == 0) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    options->threads = cores > 0 ? (uint32_t)cores : 1;
  }
  if (options->connections_max == 0) options->connections_max = CONNECTIONS_DEFAULT;
  if (options->request_deadline_ns == 0) options->request_deadline_ns = DEADLINE_DEFAULT_NS;
  if (options->idle_timeout_ns == 0) options->idle_timeout_ns = IDLE_DEFAULT_NS;
  if (options->body_grace_ns == 0) options->body_grace_ns = GRACE_DEFAULT_NS;
  if (options->body_bytes_per_s_min == 0) options->body_bytes_per_s_min = RATE_DEFAULT;
}

static void make_counters(struct http_server *server) {
  static const char *const reasons[] = {"unreadable", "overdue", "slow", "crowded"};
  struct metrics_value **const counters[] = {&server->unreadable, &server->overdue, &server->slow, &server->crowded};
  for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
    char labels[64];
    snprintf(labels, sizeof(labels), "listener=\"%.10s\",reason=\"%s\"", server->options.name, reasons[i]);
    *counters[i] = server->options.metrics
                       ? metrics_series(server->options.metrics, METRICS_COUNTER, "culprit_http_dropped_total", labels,
                                        "HTTP requests and connections that were given up before a door had them.")
                       : &server->uncounted;
  }
}

static enum status read_tls(struct http_server *server, struct error *error) {
  if (!tls_settings_given(server->options.tls.cert_file)) return STATUS_OK;
  enum status status = tls_identity_read(&server->options.tls, &server->tls, error);
  if (status != STATUS_OK) return status;
  if (gnutls_priority_init(&server->priorities, TLS_PRIORITIES, NULL) == GNUTLS_E_SUCCESS) return STATUS_OK;
  server->priorities = NULL;
  return error_set(error, STATUS_IO, "%s: GnuTLS has no TLS 1.2 and 1.3 to offer", server->options.address);
}

static enum status start_loops(struct http_server *server, struct error *error) {
  server->loops = calloc(server->options.threads, sizeof(struct http_loop *));
  if (!server->loops) return error_set(error, STATUS_NO_MEMORY, "out of memory");
  for (uint32_t i = 0; i < server->options.threads; i++) {
    server->loops[i] = http_loop_create(server);
    if (!server->loops[i]) return error_set(error, STATUS_IO, "no event loop for the HTTP server: %s", strerror(errno));
    enum status status = http_loop_start(server->loops[i]);
    if (status != STATUS_OK) return error_set(error, status, "no thread for the HTTP server");
  }
  return STATUS_OK;
}

static enum status start(struct http_server *server, struct error *error) {
  server->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (server->wake_fd < 0) return error_set(error, STATUS_IO, "eventfd: %s", strerror(errno));
  enum status status = start_loops(server, error);
  if (status != STATUS_OK) return status;
  server->listening = true;
  status = thread_start(&server->acceptor, "http-accept", http_acceptor_run, server);
  if (status != STATUS_OK) server->listening = false;
  return status == STATUS_OK ? STATUS_OK : error_set(error, status, "no thread for the HTTP server");
}

enum status http_server_open(const struct http_server_options *options, struct http_server **out_server,
                             uint16_t *out_port, struct error *error) {
  struct http_server *server = calloc(1, sizeof(*server));
  if (!server) return error_set(error, STATUS_NO_MEMORY, "out of memory");
  server->options = *options;
  server->listen_fd = -1;
  server->wake_fd = -1;
  set_defaults(&server->options);
  make_counters(server);
  mutex_init(&server->mutex);
  condition_init(&server->changed);
  atomic_u64_set(&server->references, 1);
  atomic_u64_set(&server->stop_ns, UINT64_MAX);
  uint16_t port = 0;
  enum status status = read_tls(server, error);
  if (status == STATUS_OK) status = address_listen(options->address, &server->listen_fd, &port, error);
  if (status == STATUS_OK) status = start(server, error);
  if (status != STATUS_OK) {
    http_server_close(server, 0);
    return status;
  }
  *out_server = server;
  *out_port = port;
  return STATUS_OK;
}

enum status http_server_read_tls(struct http_server *server, struct error *error) {
  if (!tls_settings_given(server->options.tls.cert_file)) return STATUS_NOT_FOUND;
  struct tls_identity *fresh = NULL;
  enum status status = tls_identity_read(&server->options.tls, &fresh, error);
  if (status != STATUS_OK) return status;
  mutex_lock(&server->mutex);
  struct tls_identity *before = server->tls;
  server->tls = fresh;
  mutex_unlock(&server->mutex);
  tls_identity_release(before);
  return STATUS_OK;
}

// ---- close

void http_server_quiesce(struct http_server *server) {
  atomic_bool_set(&server->quiesced, true);
  if (!server->acceptor.running) return;
  http_acceptor_wake(server);
  mutex_lock(&server->mutex);
  while (server->listening) condition_wait(&server->changed, &server->mutex);
  mutex_unlock(&server->mutex);
}

static void stop_acceptor(struct http_server *server) {
  if (server->acceptor.running) {
    mutex_lock(&server->mutex);
    server->stop = true;
    mutex_unlock(&server->mutex);
    http_acceptor_wake(server);
    thread_join(&server->acceptor);
  } else if (server->listen_fd >= 0) {
    close(server->listen_fd);
  }
  if (server->wake_fd >= 0) close(server->wake_fd);
}

// Each ends when it has nothing to wait for, all of them at the same time.
static void stop_loops(struct http_server *server, uint64_t grace_ns) {
  uint64_t now_ns = clock_monotonic_ns(clock_system());
  atomic_u64_set(&server->stop_ns, grace_ns < UINT64_MAX / 2 ? now_ns + grace_ns : UINT64_MAX / 2);
  for (uint32_t i = 0; server->loops && i < server->options.threads; i++) {
    if (server->loops[i]) http_loop_wake(server->loops[i]);
  }
  for (uint32_t i = 0; server->loops && i < server->options.threads; i++) {
    if (!server->loops[i]) continue;
    http_loop_join(server->loops[i]);
    http_loop_release(server->loops[i]);
  }
  free(server->loops);
  server->loops = NULL;
}

void http_server_close(struct http_server *server, uint64_t grace_ns) {
  if (!server) return;
  http_server_quiesce(server);
  stop_acceptor(server);
  stop_loops(server, grace_ns);
  ASSERT(!server->connections && server->connection_count == 0);
  if (server->priorities) gnutls_priority_deinit(server->priorities);
  tls_identity_release(server->tls);
  server->tls = NULL;
  http_server_release(server);
}
