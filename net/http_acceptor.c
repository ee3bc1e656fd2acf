// SPDX-License-Identifier: Apache-2.0
//
// How it works: one thread polls the listening socket and an eventfd, with a tick. Each accepted connection is put on
// the server's list, within the limits, and handed to libmicrohttpd, whose notifications say when it starts and when it
// ends.
//
// The acceptor is ours for four reasons: connections over the limits are closed instead of waiting in the backlog;
// running out of descriptors is waited out; to stop listening needs no MHD_quiesce_daemon, which in 0.9.75 races its
// own pool threads and then aborts the process; and it looks at every connection's absolute deadline, since
// libmicrohttpd's own timeout is an idle timeout that one byte now and then keeps away for ever. Overdue sockets are
// shut down, and libmicrohttpd sees the end of the stream.
#include "net/http_acceptor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

#define TICK_MAX_NS   (NS_PER_S / 2)
#define TICK_MIN_NS   (10 * NS_PER_MS)
#define LOST_AFTER_NS (60 * NS_PER_S)

static uint64_t now_ns(void) {
  return clock_monotonic_ns(clock_system());
}

static void format_peer(const struct sockaddr *address, char out[64]) {
  out[0] = 0;
  if (!address) return;
  if (address->sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, out, 64);
  } else if (address->sa_family == AF_INET) {
    inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, out, 64);
  }
}

// Takes the connection off the list and frees it. Under the mutex.
static void drop_connection(struct http_server *server, struct http_connection *connection) {
  if (connection->previous) connection->previous->next = connection->next;
  if (connection->next) connection->next->previous = connection->previous;
  if (server->connections == connection) server->connections = connection->next;
  server->connection_count--;
  tls_identity_release(connection->tls);
  free(connection);
}

// A listed connection, or NULL when the limits or memory do not allow one more.
static struct http_connection *list_connection(struct http_server *server, int fd, const struct sockaddr *address) {
  const struct http_server_options *options = &server->options;
  struct http_connection *connection = calloc(1, sizeof(*connection));
  if (!connection) return NULL;
  connection->fd = fd;
  format_peer(address, connection->peer);
  atomic_u64_set(&connection->deadline_ns, now_ns() + options->request_deadline_ns);
  uint32_t same_peer = 0;
  mutex_lock(&server->mutex);
  for (struct http_connection *c = server->connections; c && options->connections_per_ip_max; c = c->next) {
    same_peer += strcmp(c->peer, connection->peer) == 0;
  }
  bool crowded = server->connection_count >= options->connections_max ||
                 (options->connections_per_ip_max && same_peer >= options->connections_per_ip_max);
  if (!crowded) {
    connection->next = server->connections;
    if (connection->next) connection->next->previous = connection;
    server->connections = connection;
    server->connection_count++;
  }
  mutex_unlock(&server->mutex);
  if (!crowded) return connection;
  free(connection);
  return NULL;
}

void http_acceptor_started(struct http_server *server, struct MHD_Connection *native, void **socket_context) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(native, MHD_CONNECTION_INFO_CONNECTION_FD);
  ASSERT(info);
  mutex_lock(&server->mutex);
  struct http_connection *connection = server->connections;
  while (connection && (connection->started || connection->fd != info->connect_fd)) connection = connection->next;
  if (connection) connection->started = true;
  if (connection && server->tls) connection->tls = tls_identity_share(server->tls);
  mutex_unlock(&server->mutex);
  *socket_context = connection;
  if (!connection) {
    shutdown(info->connect_fd, SHUT_RDWR); // given up for lost, and nobody's now
  } else if (connection->tls) {
    // Of libmicrohttpd's own credentials nothing is used: they cannot change, and do not insist on a client's.
    info = MHD_get_connection_info(native, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    ASSERT(info && info->tls_session);
    tls_identity_apply(connection->tls, info->tls_session);
  }
}

void http_acceptor_closed(struct http_server *server, struct http_connection *connection) {
  if (!connection) return;
  mutex_lock(&server->mutex);
  drop_connection(server, connection);
  mutex_unlock(&server->mutex);
}

// A body may look slow because nobody here has had the time to read what has come of it.
static bool waits_for_us(const struct http_connection *connection) {
  int bytes = 0;
  return atomic_bool_get(&connection->slow) && ioctl(connection->fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

static void reap(struct http_server *server) {
  uint64_t now = now_ns();
  mutex_lock(&server->mutex);
  for (struct http_connection *c = server->connections, *next = NULL; c; c = next) {
    next = c->next;
    uint64_t deadline_ns = atomic_u64_get(&c->deadline_ns);
    if (deadline_ns > now) continue;
    if (c->started && waits_for_us(c)) continue; // looked at again at the next tick
    if (c->started) {
      metrics_add(atomic_bool_get(&c->slow) ? server->slow : server->overdue, 1);
      shutdown(c->fd, SHUT_RDWR);
      atomic_u64_set(&c->deadline_ns, UINT64_MAX);
    } else if (now - deadline_ns > LOST_AFTER_NS) {
      drop_connection(server, c); // libmicrohttpd had no memory for it and has closed it without a word
    }
  }
  mutex_unlock(&server->mutex);
}

// Takes every connection that waits. False when the system is out of descriptors or memory: the next try is for later.
static bool accept_waiting(struct http_server *server) {
  for (;;) {
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);
    int fd = accept4(server->listen_fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
    struct http_connection *connection = list_connection(server, fd, (struct sockaddr *)&address);
    if (!connection) {
      metrics_add(server->crowded, 1);
      close(fd);
    } else if (MHD_add_connection(server->daemon, fd, (struct sockaddr *)&address, len) != MHD_YES) {
      http_acceptor_closed(server, connection); // libmicrohttpd has closed the descriptor
    }
  }
}

void http_acceptor_run(void *context) {
  struct http_server *server = context;
  uint64_t shortest_ns = server->options.request_deadline_ns;
  if (shortest_ns > server->options.body_grace_ns) shortest_ns = server->options.body_grace_ns;
  uint64_t tick_ns = shortest_ns / 8;
  if (tick_ns > TICK_MAX_NS) tick_ns = TICK_MAX_NS;
  if (tick_ns < TICK_MIN_NS) tick_ns = TICK_MIN_NS;
  bool can_accept = true;
  for (;;) {
    struct pollfd waits[] = {{.fd = server->wake_fd, .events = POLLIN},
                             {.fd = can_accept ? server->listen_fd : -1, .events = POLLIN}};
    poll(waits, 2, (int)(tick_ns / NS_PER_MS));
    reap(server);
    mutex_lock(&server->mutex);
    bool stop = server->stop;
    mutex_unlock(&server->mutex);
    if (stop) break;
    if (server->listen_fd >= 0 && atomic_bool_get(&server->quiesced)) {
      close(server->listen_fd);
      server->listen_fd = -1;
      mutex_lock(&server->mutex);
      server->listening = false;
      condition_broadcast(&server->changed);
      mutex_unlock(&server->mutex);
    }
    uint64_t ignored;
    if (read(server->wake_fd, &ignored, sizeof(ignored)) < 0 && errno != EAGAIN) break;
    if (server->listen_fd >= 0) can_accept = accept_waiting(server);
  }
  if (server->listen_fd >= 0) close(server->listen_fd);
}

void http_acceptor_wake(struct http_server *server) {
  const uint64_t one = 1;
  ssize_t written = write(server->wake_fd, &one, sizeof(one));
  ASSERT(written == sizeof(one));
}
