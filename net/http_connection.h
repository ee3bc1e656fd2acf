// SPDX-License-Identifier: Apache-2.0
//
// One accepted connection of an http_server, for the files of net/ only: from bytes to requests, from answers to bytes,
// one request after the other. Everything here but create and destroy is for the thread of its loop.
#ifndef NET_HTTP_CONNECTION_H
#define NET_HTTP_CONNECTION_H

#include "net/http_inbox.h"
#include "net/http_loop.h"
#include "net/http_transport.h"

enum http_connection_phase {
  HTTP_CONNECTION_HANDSHAKE,
  HTTP_CONNECTION_HEAD,   // between two requests, or in the head of one
  HTTP_CONNECTION_BODY,   // reading it, or throwing it away
  HTTP_CONNECTION_OWNER,  // the owner has the request: nothing is read
  HTTP_CONNECTION_ANSWER, // being sent
  HTTP_CONNECTION_LINGER, // the last answer is out: what still comes is thrown away, so that no reset overtakes it
  HTTP_CONNECTION_CLOSED,
};

// What the end of its time would be.
enum http_connection_due {
  HTTP_CONNECTION_QUIET,   // nobody's fault
  HTTP_CONNECTION_OVERDUE, // a request is not here, or its answer not gone, in time
  HTTP_CONNECTION_SLOW,    // a request comes below the least rate
};

enum { HTTP_CONNECTION_PARTS = 3 };

struct http_connection {
  struct http_inbox_post post;             // must stay first: how it comes to its loop
  struct http_connection *previous, *next; // in the server's list, under its mutex
  struct http_loop *loop;
  struct http_transport transport;
  char peer[HTTP_REQUEST_PEER_BYTES];

  // The loop's thread only.
  struct http_connection *loop_previous, *loop_next;
  struct http_connection *ready_next;  // in the loop's queue
  struct http_connection *closed_next; // on the loop's list of what is to be freed
  bool is_ready;                       // it is in the queue
  enum http_connection_phase phase;
  bool readable;    // something may wait in the socket
  bool reads_on;    // a short read does not say that nothing waits: the end may, or what is behind an urgent byte
  bool cut_short;   // answered before all of the request was there
  bool deaf;        // what came behind the request is lost: no other one is answered
  bool close_after; // the answer being sent is the last one
  struct http_request *request;
  struct iovec parts[HTTP_CONNECTION_PARTS]; // to be sent, the first part_count ones
  uint32_t part_count;
  uint8_t *pending; // read, and not looked at yet: requests behind the one in work
  size_t pending_at, pending_len;
  uint64_t request_due_ns; // all of the request
  uint64_t rate_due_ns;    // more of it
  uint64_t due_ns;         // the end of the connection; UINT64_MAX: none
  enum http_connection_due due;
};

// Takes the descriptor and the share of the identity. NULL: no memory, both are the caller's.
struct http_connection *http_connection_create(int fd, struct tls_identity *tls, const char *peer);
void http_connection_destroy(struct http_connection *connection);

// It is the loop's, registered there.
void http_connection_begin(struct http_connection *connection);
// What epoll says of it.
void http_connection_on_events(struct http_connection *connection, uint32_t events);
// Does what can be done without waiting, up to a turn's worth.
void http_connection_run(struct http_connection *connection);
// The owner of its request has replied.
void http_connection_on_reply(struct http_connection *connection);
// The time has come that due_ns said; closes it unless it is us who are slow. Returns when to look again.
uint64_t http_connection_on_due(struct http_connection *connection);
// Takes the request back from its owner, who may still be at work, and says that the server stops.
void http_connection_abandon(struct http_connection *connection);
// Ends it at once. It stays in memory until the loop frees it.
void http_connection_close(struct http_connection *connection);

#endif
