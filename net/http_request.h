// SPDX-License-Identifier: Apache-2.0
//
// One request of an http_server, for the files of net/ only.
//
// Two sides share a request: libmicrohttpd's thread (from the request line to the completed reply) and the owner, the
// handler or whoever it gave the request to. They meet in `state`, by compare and swap:
//
//   RUNNING    the handler has been called and has not come back
//   SUSPENDED  it came back without a reply; the connection sleeps inside libmicrohttpd
//   REPLIED    the owner's reply is in `response`
//   ABANDONED  the server stopped waiting; libmicrohttpd's side answers 503 and the owner's reply is thrown away
//
// Each side holds one of two references; the last one frees. What the owner may read was copied out of libmicrohttpd's
// memory, so it stays good after the connection is gone.
#ifndef NET_HTTP_REQUEST_H
#define NET_HTTP_REQUEST_H

#include <microhttpd.h>

#include "base/thread.h"
#include "net/http_route.h"
#include "net/http_server.h"

enum http_request_phase { HTTP_REQUEST_NEW, HTTP_REQUEST_READING, HTTP_REQUEST_DISCARDING, HTTP_REQUEST_DISPATCHED };
enum http_request_state { HTTP_REQUEST_RUNNING, HTTP_REQUEST_SUSPENDED, HTTP_REQUEST_REPLIED, HTTP_REQUEST_ABANDONED };

#define HTTP_REQUEST_REPLY_HEADERS_MAX 24

struct http_request_pair {
  struct slice name, value;
};

struct http_request {
  struct http_server *server;
  struct MHD_Connection *connection;
  struct http_request *previous, *next; // in the server's list of dispatched requests
  struct atomic_u64 references;
  struct atomic_u64 state;

  // libmicrohttpd's side only.
  enum http_request_phase phase;
  bool listed;         // in the server's list
  enum status refusal; // STATUS_OK: goes to the route
  char refusal_text[ERROR_TEXT_MAX];
  const char *layout_fault; // of the header lines as they came; NULL: none
  bool too_many;            // headers and parameters: only the first ones were copied
  bool close_after;
  uint64_t discarded_bytes;
  uint64_t due_ns, body_due_ns; // monotonic: all of it, more of its body

  // Read by the owner.
  enum http_method method;
  const struct http_route *route;
  struct slice path;
  struct slice captures[HTTP_ROUTE_CAPTURES_MAX];
  uint32_t capture_count;
  struct http_request_pair *pairs; // headers, then query parameters
  uint32_t header_count, pair_count;
  char *text; // what path, captures and pairs point into
  char peer[64];

  uint8_t *body;
  size_t body_len, body_capacity;
  size_t body_said;      // by Content-Length; 0: nothing was said
  struct budget *budget; // charged with body_capacity
  size_t body_bytes_max;

  // Written by the owner, before the state becomes REPLIED.
  struct MHD_Response *response;
  uint32_t code;
  char *reply_names[HTTP_REQUEST_REPLY_HEADERS_MAX];
  char *reply_values[HTTP_REQUEST_REPLY_HEADERS_MAX];
  uint32_t reply_header_count;
};

// A request with one reference, or NULL.
struct http_request *http_request_create(struct http_server *server, struct MHD_Connection *connection);
// Copies method, path, headers and query, up to a number of pairs. STATUS_NO_MEMORY.
enum status http_request_read_head(struct http_request *request, const char *url, const char *method);
// How many headers have the name.
uint32_t http_request_header_count(const struct http_request *request, const char *name);
// A body of `bytes` is said to come: makes room for its first MiB. STATUS_TOO_LARGE; STATUS_UNAVAILABLE when the budget
// has not all of it now, or there is no memory.
enum status http_request_expect(struct http_request *request, uint64_t bytes);
// The same statuses. Room for more is charged to the budget as it is needed.
enum status http_request_append(struct http_request *request, const void *bytes, size_t len);
void http_request_drop_body(struct http_request *request);
// A plain text response of libmicrohttpd.
struct MHD_Response *http_request_text_response(const char *text);
void http_request_release(struct http_request *request);

#endif
