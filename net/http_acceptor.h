// SPDX-License-Identifier: Apache-2.0
//
// The thread that accepts the connections of an http_server, bounds them and spreads them over the loops; for the files
// of net/ only.
#ifndef NET_HTTP_ACCEPTOR_H
#define NET_HTTP_ACCEPTOR_H

#include "net/http_server_private.h"

// The thread's function; the context is the server. It closes listen_fd, and clears `listening`, when the server is
// quiesced, and ends when `stop` is set; http_acceptor_wake makes it look.
void http_acceptor_run(void *server);
void http_acceptor_wake(struct http_server *server);

#endif
