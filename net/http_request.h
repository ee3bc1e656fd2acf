// SPDX-License-Identifier: Apache-2.0
//
// One request of an http_server, for the files of net/ only.
//
// Two sides share a request: its loop (http_loop.h), whose thread reads it and sends the answer, and its owner, the
// handler or whoever it gave the request to. They meet in `state`, by compare and swap:
//
//   RUNNING    the loop reads it, or its handler has been called and has not come back
//   SUSPENDED  the handler came back without a reply; the connection waits
//   REPLIED    the owner's answer is in `answer`; the request is the loop's alone, and on its way to it when it was
//              SUSPENDED before
//   ABANDONED  the loop stopped waiting (the connection is gone or the server stops): the request is the owner's alone,
//              whose reply frees it
//
// What the owner may read is the request's own memory, so it stays good after the connection is gone. That memory is
// used again for other requests: in a steady state nothing is allocated.
#ifndef NET_HTTP_REQUEST_H
#define NET_HTTP_REQUEST_H

#include <stdalign.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/thread.h"
#include "net/http_chunks.h"
#include "net/http_head.h"
#include "net/http_inbox.h"
#include "net/http_response.h"
#include "net/http_route.h"
#include "net/http_server.h"

struct http_connection;
struct http_loop;

enum http_request_state { HTTP_REQUEST_RUNNING, HTTP_REQUEST_SUSPENDED, HTTP_REQUEST_REPLIED, HTTP_REQUEST_ABANDONED };

#define HTTP_REQUEST_PEER_BYTES 64

struct http_request_memory {
  uint8_t *text; // the head as it came, and behind it a second copy of the path; all places and slices are in it
  size_t text_room;
  uint8_t *body;
  size_t body_room;
  struct buffer reply;
};

struct http_request {
  struct http_inbox_post post; // must stay first: how a reply comes back to the loop
  struct http_loop *loop;
  struct atomic_u64 state;

  // The loop's side only.
  struct http_connection *connection; // NULL: gone
  struct http_chunks chunks;
  uint64_t body_left; // of a Content-Length
  uint64_t discarded_bytes;
  bool discards;       // the body is read and thrown away
  enum status refusal; // STATUS_OK: goes to the route
  const struct http_route *route;
  char refusal_text[ERROR_TEXT_MAX];

  // Read by the owner.
  enum http_method method;
  struct slice path;
  struct slice captures[HTTP_ROUTE_CAPTURES_MAX];
  uint32_t capture_count;
  uint32_t pair_count; // in head.fields: headers, then query parameters
  uint32_t exact_code; // what a refusal's 400, 413 or 415 stands for; 0: itself
  bool close_after;    // the connection ends with the answer
  char date[HTTP_RESPONSE_DATE_BYTES];
  char peer[HTTP_REQUEST_PEER_BYTES];
  alignas(max_align_t) uint8_t note[HTTP_REQUEST_NOTE_BYTES];

  size_t text_len;
  size_t body_len, body_capacity; // what is charged to the budget; the memory may be larger, of a request before
  size_t body_said;               // by Content-Length; 0: nothing was said
  struct budget *budget;
  size_t body_bytes_max;

  // Written by the owner, before the state becomes REPLIED.
  struct slice answer;      // in memory.reply; NULL ptr: none could be made, the connection is closed
  struct slice answer_body; // sent behind it
  bool replied;

  struct http_request_memory memory;
  struct http_head head; // last: large, and mostly untouched
};

// NULL: no memory.
struct http_request *http_request_create(struct http_loop *loop);
void http_request_destroy(struct http_request *request);
// Makes it as good as new but for memory worth keeping.
void http_request_reset(struct http_request *request);

// More of the head, and what may come behind it. STATUS_NO_MEMORY.
enum status http_request_append_text(struct http_request *request, struct slice bytes);
// Method, path, route, captures and query out of the head, as far as it was read. STATUS_NO_MEMORY.
enum status http_request_read_head(struct http_request *request);
// The request will be answered by on_refusal.
void http_request_refuse(struct http_request *request, enum status status, const char *text);

// A body of `bytes` is said to come: makes room for its first MiB. STATUS_TOO_LARGE; STATUS_UNAVAILABLE when the budget
// has not all of it now, or there is no memory.
enum status http_request_expect(struct http_request *request, uint64_t bytes);
// The same statuses. Room for more is charged to the budget as it is needed.
enum status http_request_append(struct http_request *request, const void *bytes, size_t len);
void http_request_drop_body(struct http_request *request);

#endif
