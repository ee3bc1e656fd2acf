// SPDX-License-Identifier: Apache-2.0
//
// How it works: recv and sendmsg, or GnuTLS over the same non-blocking descriptor. A short read from a socket says that
// it is empty, unless the stream has an end or an urgent byte in it; a TLS record says nothing of the kind, so there
// only EAGAIN does.
//
// GnuTLS hands out alerts that end nothing, too. They are passed over, but not for as long as a client sends them: the
// thread has other connections.
#include "net/http_transport.h"

#include <errno.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define WARNINGS_MAX 16u // of TLS, in one step

void http_transport_init(struct http_transport *transport, int fd, struct tls_identity *tls) {
  *transport = (struct http_transport){.fd = fd, .tls = tls};
}

// ---- TLS

static enum http_transport_result start(struct http_transport *transport, gnutls_priority_t priorities) {
  if (gnutls_init(&transport->session, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL) != GNUTLS_E_SUCCESS) {
    transport->session = NULL;
    return HTTP_TRANSPORT_END;
  }
  if (gnutls_priority_set(transport->session, priorities) != GNUTLS_E_SUCCESS) return HTTP_TRANSPORT_END;
  tls_identity_apply(transport->tls, transport->session);
  gnutls_transport_set_int(transport->session, transport->fd);
  return HTTP_TRANSPORT_DONE;
}

enum http_transport_result http_transport_handshake(struct http_transport *transport, gnutls_priority_t priorities) {
  if (!transport->tls) return HTTP_TRANSPORT_DONE;
  if (!transport->session && start(transport, priorities) != HTTP_TRANSPORT_DONE) return HTTP_TRANSPORT_END;
  for (unsigned warnings = 0; warnings < WARNINGS_MAX; warnings++) {
    int result = gnutls_handshake(transport->session);
    if (result == GNUTLS_E_SUCCESS) return HTTP_TRANSPORT_DONE;
    if (result == GNUTLS_E_AGAIN) return HTTP_TRANSPORT_AGAIN;
    if (gnutls_error_is_fatal(result)) {
      gnutls_alert_send_appropriate(transport->session, result); // says why; may not get through
      return HTTP_TRANSPORT_END;
    }
  }
  return HTTP_TRANSPORT_END;
}

static enum http_transport_result receive_tls(struct http_transport *transport, const struct iovec rooms[2],
                                              size_t *out_len) {
  const struct iovec *room = rooms[0].iov_len > 0 ? &rooms[0] : &rooms[1];
  for (unsigned warnings = 0; warnings < WARNINGS_MAX; warnings++) {
    ssize_t len = gnutls_record_recv(transport->session, room->iov_base, room->iov_len);
    if (len > 0) {
      *out_len = (size_t)len;
      return HTTP_TRANSPORT_DONE;
    }
    if (len == GNUTLS_E_AGAIN) return HTTP_TRANSPORT_AGAIN;
    // A client that wants to renegotiate is not humoured.
    if (len == 0 || len == GNUTLS_E_REHANDSHAKE || gnutls_error_is_fatal((int)len)) return HTTP_TRANSPORT_END;
  }
  return HTTP_TRANSPORT_END;
}

static enum http_transport_result send_tls(struct http_transport *transport, const struct iovec *parts, size_t count,
                                           size_t *out_len) {
  *out_len = 0;
  for (size_t i = 0; i < count;) {
    const struct iovec *part = &parts[i];
    for (size_t sent = 0; sent < part->iov_len;) {
      ssize_t len = gnutls_record_send(transport->session, (const char *)part->iov_base + sent, part->iov_len - sent);
      if (len > 0) {
        sent += (size_t)len;
        *out_len += (size_t)len;
      } else if (len == GNUTLS_E_AGAIN) {
        return *out_len > 0 ? HTTP_TRANSPORT_DONE : HTTP_TRANSPORT_AGAIN;
      } else if (len == 0 || gnutls_error_is_fatal((int)len)) {
        return HTTP_TRANSPORT_END;
      }
    }
    i++;
  }
  return HTTP_TRANSPORT_DONE;
}

// ---- plain text, and both

enum http_transport_result http_transport_receive(struct http_transport *transport, const struct iovec rooms[2],
                                                  size_t *out_len, bool *out_drained) {
  *out_len = 0;
  *out_drained = false;
  if (transport->session) return receive_tls(transport, rooms, out_len);
  for (;;) {
    ssize_t len;
    if (rooms[0].iov_len == 0) {
      len = recv(transport->fd, rooms[1].iov_base, rooms[1].iov_len, 0);
    } else {
      struct iovec both[2] = {rooms[0], rooms[1]};
      struct msghdr message = {.msg_iov = both, .msg_iovlen = 2};
      len = recvmsg(transport->fd, &message, 0);
    }
    if (len > 0) {
      *out_len = (size_t)len;
      *out_drained = (size_t)len < rooms[0].iov_len + rooms[1].iov_len;
      return HTTP_TRANSPORT_DONE;
    }
    if (len < 0 && errno == EINTR) continue;
    return len < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? HTTP_TRANSPORT_AGAIN : HTTP_TRANSPORT_END;
  }
}

enum http_transport_result http_transport_send(struct http_transport *transport, struct iovec *parts, size_t count,
                                               size_t *out_len) {
  *out_len = 0;
  if (transport->session) return send_tls(transport, parts, count, out_len);
  for (;;) {
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = count};
    ssize_t len = count == 1 ? send(transport->fd, parts[0].iov_base, parts[0].iov_len, MSG_NOSIGNAL)
                             : sendmsg(transport->fd, &message, MSG_NOSIGNAL);
    if (len >= 0) {
      *out_len = (size_t)len;
      return HTTP_TRANSPORT_DONE;
    }
    if (errno == EINTR) continue;
    return errno == EAGAIN || errno == EWOULDBLOCK ? HTTP_TRANSPORT_AGAIN : HTTP_TRANSPORT_END;
  }
}

void http_transport_end(struct http_transport *transport) {
  if (transport->session) gnutls_bye(transport->session, GNUTLS_SHUT_WR);
  shutdown(transport->fd, SHUT_WR);
}

bool http_transport_waits(const struct http_transport *transport) {
  int bytes = 0;
  return ioctl(transport->fd, FIONREAD, &bytes) == 0 && bytes > 0;
}

void http_transport_close(struct http_transport *transport) {
  if (transport->session) gnutls_deinit(transport->session);
  if (transport->fd >= 0) close(transport->fd);
  tls_identity_release(transport->tls);
  *transport = (struct http_transport){.fd = -1};
}
