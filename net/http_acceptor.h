// SPDX-License-Identifier: Apache-2.0
//
// The thread that accepts the connections of an http_server, bounds them and ends overdue ones; for the files of net/
// only.
#ifndef NET_HTTP_ACCEPTOR_H
#define NET_HTTP_ACCEPTOR_H

#include "net/http_server_private.h"

// The thread's function; the context is the server. It closes listen_fd, and clears `listening`, when the server is
// quiesced, and ends when `stop` is set; http_acceptor_wake makes it look.
void http_acceptor_run(void *server);
void http_acceptor_wake(struct http_server *server);

// libmicrohttpd's notifications. The socket context is the http_connection, NULL when it got lost on the way.
void http_acceptor_started(struct http_server *server, struct MHD_Connection *native, void **socket_context);
void http_acceptor_closed(struct http_server *server, struct http_connection *connection);

#endif
