// SPDX-License-Identifier: Apache-2.0
//
// What http_server.c and http_request.c share; for the files of net/ only.
#ifndef NET_HTTP_SERVER_PRIVATE_H
#define NET_HTTP_SERVER_PRIVATE_H

#include <microhttpd.h>

#include "base/thread.h"
#include "net/http_request.h"
#include "net/http_server.h"
#include "net/tls_identity.h"

// One accepted connection. libmicrohttpd closes the descriptor after it has been taken off the list, so under the mutex
// the descriptor of a started connection is always this connection's.
struct http_connection {
  struct http_connection *previous, *next;
  struct atomic_u64 deadline_ns; // monotonic; UINT64_MAX: none
  struct atomic_bool_box slow;   // the deadline is that of a body that comes too slowly
  int fd;
  bool started;             // libmicrohttpd's thread has it; before, it is on its way there
  struct tls_identity *tls; // what it began with; NULL: plain text
  char peer[64];
};

// Lives until close and every dispatched request have let go of it (`references`), so that an owner may reply to an
// abandoned request after the close.
struct http_server {
  struct http_server_options options;
  struct MHD_Daemon *daemon;
  struct thread acceptor;
  int listen_fd; // the acceptor's
  int wake_fd;   // eventfd: wakes the acceptor
  struct atomic_u64 references;
  struct atomic_u64 wakers;          // threads between "state is REPLIED" and "connection resumed"
  struct atomic_bool_box quiesced;   // keep-alive ends with the next reply
  struct atomic_bool_box abandoning; // nobody waits for owners any more
  struct metrics_value *unreadable, *overdue, *slow, *crowded, uncounted;

  struct mutex mutex; // guards the rest
  struct condition changed;
  struct http_connection *connections;
  uint32_t connection_count;
  struct http_request *dispatched;
  uint64_t dispatched_count;
  bool listening, stop;
  struct tls_identity *tls; // NULL: plain text
};

// The owner's reply is in place: hands it to libmicrohttpd's side and drops the owner's reference.
void http_server_wake(struct http_request *request);
// Sets the Allow header of a 405 from a bit set of enum http_method.
void http_server_add_allow(struct http_request *request, uint32_t allowed);

#endif
