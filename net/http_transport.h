// SPDX-License-Identifier: Apache-2.0
//
// The bytes of one accepted connection, plain or through TLS, without ever waiting: the only place that knows the
// difference. For the thread that owns the connection.
#ifndef NET_HTTP_TRANSPORT_H
#define NET_HTTP_TRANSPORT_H

#include <stdbool.h>
#include <sys/uio.h>

#include "net/tls_identity.h"

enum http_transport_result {
  HTTP_TRANSPORT_DONE,
  HTTP_TRANSPORT_AGAIN, // the kernel has or takes nothing now: its next event says when
  HTTP_TRANSPORT_END,   // the other side has ended or the connection is broken
};

struct http_transport {
  int fd;                   // non-blocking; -1: closed
  struct tls_identity *tls; // a share; NULL: plain text
  gnutls_session_t session;
};

// Takes the descriptor, and the share of the identity unless it is NULL.
void http_transport_init(struct http_transport *transport, int fd, struct tls_identity *tls);
// Goes on with the TLS handshake; DONE at once for plain text. `priorities` must outlive the connection.
enum http_transport_result http_transport_handshake(struct http_transport *transport, gnutls_priority_t priorities);
// Reads into the first of the two rooms, and what does not fit into the second. *out_drained: there was nothing more.
enum http_transport_result http_transport_receive(struct http_transport *transport, const struct iovec rooms[2],
                                                  size_t *out_len, bool *out_drained);
// Sends what the kernel takes of the parts, none of which is empty. After AGAIN the same bytes must come again.
enum http_transport_result http_transport_send(struct http_transport *transport, struct iovec *parts, size_t count,
                                               size_t *out_len);
// Says that nothing more comes from here.
void http_transport_end(struct http_transport *transport);
// Bytes that have come and that nobody has read.
bool http_transport_waits(const struct http_transport *transport);
void http_transport_close(struct http_transport *transport);

#endif
