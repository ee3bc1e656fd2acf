// SPDX-License-Identifier: Apache-2.0
//
// One event loop of an http_server, for the files of net/ only: a thread, its epoll instance and the connections that
// are its own from the accept to the close. Handlers run on it.
//
// Ownership: the server makes and stops it. It lives until its thread has ended and every owner of a request has
// replied
// (`references`), so that an owner may reply after the close.
#ifndef NET_HTTP_LOOP_H
#define NET_HTTP_LOOP_H

#include "net/http_inbox.h"
#include "net/http_request.h"
#include "net/http_server_private.h"

#define HTTP_LOOP_INPUT_BYTES ((size_t)64 * 1024)

struct http_loop {
  struct http_server *server;
  struct thread thread;
  int epoll_fd, wake_fd; // an eventfd
  struct http_inbox inbox;
  struct atomic_u64 references;
  uint32_t load; // connections given to it; under the server's mutex

  // The thread's own.
  uint64_t now_ns;
  uint64_t due_ns;                           // no connection is due before; UINT64_MAX: none ever
  uint64_t tick_ns;                          // the least time between two looks at them
  struct http_connection *connections;       // all of them
  struct http_connection *ready, *ready_end; // may go on without an event, in order
  struct http_connection *closed;            // to be freed when nothing can name them
  struct http_request *spare;
  uint32_t spare_count;
  uint64_t awaited; // requests that owners have, and that will come back unless they are abandoned
  bool abandoning;  // nobody waits for owners any more
  uint64_t date_s;  // what `date` says
  char date[HTTP_RESPONSE_DATE_BYTES];
  uint8_t *input; // where sockets are read into, for the time of one read
};

// NULL: no memory, no descriptor. The reference is the caller's.
struct http_loop *http_loop_create(struct http_server *server);
enum status http_loop_start(struct http_loop *loop);
// Any thread: makes it look at server->stop_ns.
void http_loop_wake(struct http_loop *loop);
// Waits for its thread to end; server->stop_ns says when that is.
void http_loop_join(struct http_loop *loop);
void http_loop_release(struct http_loop *loop);

// Any thread: a connection of its own from now on.
void http_loop_give(struct http_loop *loop, struct http_connection *connection);
// Any thread: the owner's answer is in the request, which is no longer the owner's.
void http_loop_reply(struct http_request *request);

// The rest is for the loop's thread. A request as good as new, or NULL.
struct http_request *http_loop_take_request(struct http_loop *loop);
void http_loop_return_request(struct http_loop *loop, struct http_request *request);
// Reads the clock again, after something that took time.
void http_loop_read_clock(struct http_loop *loop);
// It has more to do than its turn allows.
void http_loop_make_ready(struct http_loop *loop, struct http_connection *connection);

#endif
