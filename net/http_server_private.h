// SPDX-License-Identifier: Apache-2.0
//
// What the parts of the HTTP server share; for the files of net/ only.
#ifndef NET_HTTP_SERVER_PRIVATE_H
#define NET_HTTP_SERVER_PRIVATE_H

#include "base/thread.h"
#include "net/http_server.h"
#include "net/tls_identity.h"

struct http_connection;
struct http_loop;

// Lives until close and every loop have let go of it (`references`), and so, through the loops, every owner of a
// request.
struct http_server {
  struct http_server_options options;
  struct http_loop **loops; // options.threads of them; NULL: not started
  struct thread acceptor;
  int listen_fd; // the acceptor's
  int wake_fd;   // eventfd: wakes the acceptor
  gnutls_priority_t priorities;
  struct atomic_u64 references;
  struct atomic_bool_box quiesced; // keep-alive ends with the next reply
  struct atomic_u64 stop_ns;       // monotonic: owners are waited for until then, and nobody after; UINT64_MAX: it runs
  struct metrics_value *unreadable, *overdue, *slow, *crowded, uncounted;

  struct mutex mutex; // guards the rest
  struct condition changed;
  struct http_connection *connections;
  uint32_t connection_count;
  bool listening, stop;
  struct tls_identity *tls; // NULL: plain text
};

void http_server_release(struct http_server *server);

#endif
