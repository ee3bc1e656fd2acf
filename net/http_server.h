// SPDX-License-Identifier: Apache-2.0
//
// Incoming HTTP/1.1 (RFC 9110, 9112), plain or over TLS: framing, limits, deadlines, bodies. A listener has a table of
// routes; a request is handed to its route's handler with its whole body, undecoded, on one of the server's threads.
// The handler answers at once or keeps the request and answers later from any thread. A thread serves many connections:
// a handler that takes its time holds them up.
//
// Ownership: the request belongs to the server and lives until its reply is complete; slices read from it live as long.
// After http_request_reply the request must not be touched. Every request is replied to exactly once, also when the
// client is gone or the server closed meanwhile.
//
// Limits: body bytes are charged to the budget before they are read, the first MiB with the headers and the rest as it
// comes, so that nobody holds much more than was sent; over body_bytes_max is answered through on_refusal with
// STATUS_TOO_LARGE, a used-up budget with STATUS_UNAVAILABLE, an unknown path STATUS_NOT_FOUND, a known path with
// another method STATUS_METHOD, a head over 64 KiB or 256 headers and query parameters STATUS_TOO_LARGE, what is no
// HTTP/1.1 or could be read in two ways (a request line, header or chunk out of the grammar, Content-Length and
// Transfer-Encoding that contradict, control bytes, bare LFs, folded lines) STATUS_INVALID, another version
// STATUS_UNSUPPORTED. on_refusal writes the reply, so that each door answers in its own form; where HTTP has a more
// exact code than the 400, 413 or 415 of the status (414, 431, 505), that is sent in its place.
//
// Time: a request has request_deadline_ns to be there, and may not stand still for longer than body_grace_ns or come
// slower than body_bytes_per_s_min for long, head and body: what it falls behind that rate is taken from the grace, and
// given back as it catches up. The connection is closed then, unless bytes of it wait to be read here.
#ifndef NET_HTTP_SERVER_H
#define NET_HTTP_SERVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/budget.h"
#include "base/metrics.h"
#include "base/slice.h"
#include "base/status.h"
#include "net/tls_settings.h"

struct http_server;
struct http_request;

enum http_method { HTTP_GET, HTTP_HEAD, HTTP_POST, HTTP_PUT, HTTP_PATCH, HTTP_DELETE, HTTP_OPTIONS, HTTP_OTHER };
const char *http_method_name(enum http_method method);

typedef void (*http_handler_fn)(void *context, struct http_request *request);

struct http_route {
  enum http_method method;
  // A path; a segment "{}" matches any one non-empty segment, a last segment "{*}" the rest ("" too). Captured segments
  // are percent-decoded: http_request_capture. Repeated slashes are collapsed and one trailing slash ignored before
  // matching.
  const char *path;
  http_handler_fn handle;
  void *context;
};

struct http_server_options {
  const char *name;                // for logs and thread names, up to 10 bytes
  const char *address;             // "127.0.0.1:4318", "[::1]:0"; port 0 takes a free one
  struct tls_settings tls;         // texts must outlive the server
  const struct http_route *routes; // must outlive the server
  size_t route_count;
  // Answers what never reaches a handler; request has method, path and headers as far as they could be read, but maybe
  // no body. May be NULL: a plain text answer.
  void (*on_refusal)(void *context, struct http_request *request, enum status status, const char *text);
  void *refusal_context;
  // Asked when the headers of a routed request are there and its body is not: anything but STATUS_OK is answered
  // through on_refusal with the words in error, and the body is never kept. May be NULL.
  enum status (*admit)(void *context, struct http_request *request, struct error *error);
  void *admit_context;
  // Told on a loop's thread that several connections have something to read, and that it was all read and handled, so
  // that what their requests do can be gathered. May be NULL.
  void (*on_several)(void *context, bool begin);
  void *several_context;
  // Counts culprit_http_dropped_total{listener,reason}. unreadable: a request line, headers or chunk that could not be
  // read, answered through on_refusal too; the others have no answer: overdue: a request not there, or its answer not
  // taken, within its time; slow: a head or body below the least rate; crowded: a connection over the limits. NULL:
  // nothing.
  struct metrics *metrics;
  struct budget *budget;           // charged for bodies; NULL: none
  size_t body_bytes_max;           // on the wire
  uint32_t threads;                // 0: number of cores
  uint32_t connections_max;        // default 1 024
  uint32_t connections_per_ip_max; // 0: no limit
  uint64_t request_deadline_ns;    // absolute, headers and body; default 30 s
  uint64_t body_grace_ns;          // default 10 s
  uint32_t body_bytes_per_s_min;   // default 1 KiB
  uint64_t idle_timeout_ns;        // between requests; default 75 s
};

// Starts listening. error names the address. *out_port is the port in use.
enum status http_server_open(const struct http_server_options *options, struct http_server **out_server,
                             uint16_t *out_port, struct error *error);
// Reads certificate, key and client roots again, from the files of the options (whose names must still be there), for
// connections that begin from now on. After a failure those known stay in force; STATUS_NOT_FOUND: it serves plain
// text.
enum status http_server_read_tls(struct http_server *server, struct error *error);
// Stops accepting; connections in flight go on. Then close waits up to grace_ns for replies and ends the threads.
void http_server_quiesce(struct http_server *server);
void http_server_close(struct http_server *server, uint64_t grace_ns);

// The request. Header names are matched without case; absent is an empty slice with NULL ptr.
enum http_method http_request_method(const struct http_request *request);
struct slice http_request_path(const struct http_request *request); // decoded, without the query
struct slice http_request_capture(const struct http_request *request, uint32_t index);
struct slice http_request_header(const struct http_request *request, const char *name);
// A query parameter, percent-decoded, the first of its name.
struct slice http_request_query(const struct http_request *request, const char *name);
// All of them in order, from index 0; false behind the last one.
bool http_request_query_at(const struct http_request *request, uint32_t index, struct slice *out_name,
                           struct slice *out_value);
struct slice http_request_body(const struct http_request *request);
struct slice http_request_peer(const struct http_request *request); // "192.0.2.1", for logs and rate limits only
// Where admit leaves what it learned for the handler: HTTP_REQUEST_NOTE_BYTES of the request's own, aligned for any
// type, zeros at first.
#define HTTP_REQUEST_NOTE_BYTES 96
void *http_request_note(struct http_request *request);

// Replies. Headers first, then the reply; header values are copied. body is copied.
void http_request_add_header(struct http_request *request, const char *name, const char *value);
void http_request_reply(struct http_request *request, uint32_t code, const char *content_type, struct slice body);
// The same without the copy: body must live for the process (embedded files).
void http_request_reply_static(struct http_request *request, uint32_t code, const char *content_type,
                               struct slice body);

#endif
