// SPDX-License-Identifier: Apache-2.0
//
// How it works: one thread waits at the listening socket and an eventfd. Each accepted connection is put on the
// server's list, within the limits, and given to the loop that has the fewest. Connections over the limits are closed
// instead of waiting in the backlog, and running out of descriptors is waited out.
#include "net/http_acceptor.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/http_connection.h"

#define RETRY_MS  100
#define ROUND_MAX 256u // connections accepted between two looks at what else there is to do

static void format_peer(const struct sockaddr *address, char out[HTTP_REQUEST_PEER_BYTES]) {
  out[0] = 0;
  if (address->sa_family == AF_INET6) {
    inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr, out, HTTP_REQUEST_PEER_BYTES);
  } else if (address->sa_family == AF_INET) {
    inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)address)->sin_addr, out, HTTP_REQUEST_PEER_BYTES);
  }
}

// Under the mutex.
static bool is_crowded(const struct http_server *server, const char *peer) {
  const struct http_server_options *options = &server->options;
  if (server->connection_count >= options->connections_max) return true;
  if (!options->connections_per_ip_max) return false;
  uint32_t same_peer = 0;
  for (const struct http_connection *c = server->connections; c; c = c->next) same_peer += strcmp(c->peer, peer) == 0;
  return same_peer >= options->connections_per_ip_max;
}

// Under the mutex.
static struct http_loop *least_loaded(const struct http_server *server) {
  struct http_loop *least = server->loops[0];
  for (uint32_t i = 1; i < server->options.threads; i++) {
    if (server->loops[i]->load < least->load) least = server->loops[i];
  }
  return least;
}

// NULL when the limits or memory do not allow one more.
static struct http_connection *make_connection(struct http_server *server, int fd, const struct sockaddr *address) {
  char peer[HTTP_REQUEST_PEER_BYTES];
  format_peer(address, peer);
  mutex_lock(&server->mutex);
  bool crowded = is_crowded(server, peer);
  struct tls_identity *tls = server->tls && !crowded ? tls_identity_share(server->tls) : NULL;
  mutex_unlock(&server->mutex);
  struct http_connection *connection = crowded ? NULL : http_connection_create(fd, tls, peer);
  if (!connection) tls_identity_release(tls);
  return connection;
}

static void give(struct http_server *server, struct http_connection *connection) {
  mutex_lock(&server->mutex);
  connection->next = server->connections;
  if (connection->next) connection->next->previous = connection;
  server->connections = connection;
  server->connection_count++;
  struct http_loop *loop = least_loaded(server);
  loop->load++;
  mutex_unlock(&server->mutex);
  http_loop_give(loop, connection);
}

// Takes the connections that wait, up to a round's worth: a flood of them does not keep the server from stopping. False
// when the system is out of descriptors or memory: the next try is for later.
static bool accept_waiting(struct http_server *server) {
  for (unsigned i = 0; i < ROUND_MAX; i++) {
    struct sockaddr_storage address = {0};
    socklen_t len = sizeof(address);
    int fd = accept4(server->listen_fd, (struct sockaddr *)&address, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return errno != EMFILE && errno != ENFILE && errno != ENOBUFS && errno != ENOMEM;
    struct http_connection *connection = make_connection(server, fd, (const struct sockaddr *)&address);
    if (!connection) {
      metrics_add(server->crowded, 1);
      close(fd);
      continue;
    }
    const int on = 1; // an answer is sent whole: nothing would be gained by waiting for more of it
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    give(server, connection);
  }
  return true;
}

static void stop_listening(struct http_server *server) {
  close(server->listen_fd);
  server->listen_fd = -1;
  mutex_lock(&server->mutex);
  server->listening = false;
  condition_broadcast(&server->changed);
  mutex_unlock(&server->mutex);
}

void http_acceptor_run(void *context) {
  struct http_server *server = context;
  bool can_accept = true;
  for (;;) {
    struct pollfd waits[] = {{.fd = server->wake_fd, .events = POLLIN},
                             {.fd = can_accept ? server->listen_fd : -1, .events = POLLIN}};
    poll(waits, 2, can_accept ? -1 : RETRY_MS);
    mutex_lock(&server->mutex);
    bool stop = server->stop;
    mutex_unlock(&server->mutex);
    if (stop) break;
    uint64_t ignored;
    if (read(server->wake_fd, &ignored, sizeof(ignored)) < 0 && errno != EAGAIN) break;
    can_accept = true;
    if (server->listen_fd >= 0 && atomic_bool_get(&server->quiesced)) stop_listening(server);
    if (server->listen_fd >= 0) can_accept = accept_waiting(server);
  }
  if (server->listen_fd >= 0) close(server->listen_fd);
}

void http_acceptor_wake(struct http_server *server) {
  const uint64_t one = 1;
  ssize_t written = write(server->wake_fd, &one, sizeof(one));
  ASSERT(written == sizeof(one));
}
