// SPDX-License-Identifier: Apache-2.0
//
// How it works: a phase per thing that can be waited for (http_connection.h), and one loop, http_connection_run, that
// does the next step of the phase until one would have to wait. No step calls the next one, so that pipelined requests
// are a matter of turns and not of the stack.
//
//   bytes come      read_on: one read, into the rest of the body where that is known, else into the loop's input; what
//                   it holds behind the request is kept in `pending` until the answer is out
//   head complete   end_head: framing, route, admission, body size and budget are checked
//   body complete   dispatch: the handler, or on_refusal, is called; OWNER until it has replied
//   reply there     start_answer, send_on
//   reply sent      finish: the next request, linger or close
//
// A refused request whose body is on its way is read and thrown away up to DISCARD_BYTES_MAX before it is answered,
// without memory. When the client asked first (Expect: 100-continue), sends more than that, or its framing cannot be
// trusted, the answer goes out at once and the connection lingers: closing a socket on unread data would reset the
// connection and often take the answer with it.
#include "net/http_connection.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/clock.h"

#define TURNS_MAX         16u // steps of one connection before the others have theirs
#define HEAD_PIECE_BYTES  ((size_t)4 * 1024)
#define DISCARD_BYTES_MAX (UINT64_C(128) << 20)
#define LINGER_NS         (2 * NS_PER_S)

#define STOPPING_HEAD                                                                                                  \
  "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nContent-Type: text/plain; charset=utf-8\r\n"               \
  "Content-Length: 22\r\n\r\n"
#define STOPPING_TEXT "the server is stopping"

enum step { STEP_WAIT, STEP_GO };

struct http_connection *http_connection_create(int fd, struct tls_identity *tls, const char *peer) {
  struct http_connection *connection = calloc(1, sizeof(*connection));
  if (!connection) return NULL;
  connection->post.kind = HTTP_INBOX_CONNECTION;
  connection->due_ns = UINT64_MAX;
  http_transport_init(&connection->transport, fd, tls);
  ASSERT(strlen(peer) < sizeof(connection->peer));
  memcpy(connection->peer, peer, strlen(peer));
  return connection;
}

void http_connection_destroy(struct http_connection *connection) {
  if (!connection) return;
  http_transport_close(&connection->transport);
  free(connection->pending);
  free(connection);
}

// ---- time

static void set_due(struct http_connection *connection, uint64_t due_ns, enum http_connection_due due) {
  connection->due_ns = due_ns;
  connection->due = due;
  if (due_ns < connection->loop->due_ns) connection->loop->due_ns = due_ns;
}

// `len` bytes more have come. Each buys its share of a second at the least rate; nobody saves more than the grace.
static void expect_more(struct http_connection *connection, size_t len) {
  const struct http_server_options *options = &connection->loop->server->options;
  uint64_t most_ns = connection->loop->now_ns + options->body_grace_ns;
  connection->rate_due_ns += len * NS_PER_S / options->body_bytes_per_s_min;
  if (connection->rate_due_ns > most_ns) connection->rate_due_ns = most_ns;
  if (connection->rate_due_ns < connection->request_due_ns) {
    set_due(connection, connection->rate_due_ns, HTTP_CONNECTION_SLOW);
  } else {
    set_due(connection, connection->request_due_ns, HTTP_CONNECTION_OVERDUE);
  }
}

uint64_t http_connection_on_due(struct http_connection *connection) {
  const struct http_server *server = connection->loop->server;
  // It may look slow because nobody here has had the time to read what has come of it.
  bool is_slow = connection->due == HTTP_CONNECTION_SLOW;
  if (is_slow && http_transport_waits(&connection->transport)) return connection->loop->now_ns;
  if (connection->due != HTTP_CONNECTION_QUIET) metrics_add(is_slow ? server->slow : server->overdue, 1);
  http_connection_close(connection);
  return UINT64_MAX;
}

// ---- sending

static void add_part(struct http_connection *connection, struct slice bytes) {
  if (bytes.len == 0) return;
  ASSERT(connection->part_count < HTTP_CONNECTION_PARTS);
  connection->parts[connection->part_count++] = (struct iovec){(void *)(uintptr_t)bytes.ptr, bytes.len};
}

static void drop_sent(struct http_connection *connection, size_t len) {
  uint32_t done = 0;
  while (done < connection->part_count && len >= connection->parts[done].iov_len) {
    len -= connection->parts[done++].iov_len;
  }
  connection->part_count -= done;
  memmove(connection->parts, connection->parts + done, connection->part_count * sizeof(connection->parts[0]));
  if (len == 0) return;
  connection->parts[0].iov_base = (char *)connection->parts[0].iov_base + len;
  connection->parts[0].iov_len -= len;
}

// True when all is out; else it waits, or it is closed.
static bool flush(struct http_connection *connection) {
  while (connection->part_count > 0) {
    size_t len;
    enum http_transport_result result =
        http_transport_send(&connection->transport, connection->parts, connection->part_count, &len);
    if (result == HTTP_TRANSPORT_END) http_connection_close(connection);
    if (result != HTTP_TRANSPORT_DONE) return false;
    drop_sent(connection, len);
  }
  return true;
}

static void answer(struct http_connection *connection, bool close_after) {
  struct http_loop *loop = connection->loop;
  connection->phase = HTTP_CONNECTION_ANSWER;
  connection->close_after = close_after || connection->deaf || atomic_bool_get(&loop->server->quiesced);
  set_due(connection, loop->now_ns + loop->server->options.request_deadline_ns, HTTP_CONNECTION_OVERDUE);
}

static void start_answer(struct http_connection *connection) {
  struct http_request *request = connection->request;
  ASSERT(connection->phase == HTTP_CONNECTION_OWNER && request->replied);
  if (!request->answer.ptr) {
    connection->phase = HTTP_CONNECTION_ANSWER; // the request is ours again
    http_connection_close(connection);
    return;
  }
  add_part(connection, request->answer);
  add_part(connection, request->answer_body);
  answer(connection, request->close_after);
}

static void answer_stopping(struct http_connection *connection, bool is_head) {
  add_part(connection, SLICE_LITERAL(STOPPING_HEAD));
  if (!is_head) add_part(connection, SLICE_LITERAL(STOPPING_TEXT));
  answer(connection, true);
}

static void drop_request(struct http_connection *connection) {
  if (connection->request) http_loop_return_request(connection->loop, connection->request);
  connection->request = NULL;
}

// The answer is out.
static enum step finish(struct http_connection *connection) {
  struct http_loop *loop = connection->loop;
  drop_request(connection);
  if (!connection->close_after) {
    connection->phase = HTTP_CONNECTION_HEAD;
    set_due(connection, loop->now_ns + loop->server->options.idle_timeout_ns, HTTP_CONNECTION_QUIET);
    return STEP_GO;
  }
  http_transport_end(&connection->transport);
  if (connection->cut_short || connection->readable || connection->pending) {
    connection->phase = HTTP_CONNECTION_LINGER;
    set_due(connection, loop->now_ns + LINGER_NS, HTTP_CONNECTION_QUIET);
    return STEP_GO;
  }
  http_connection_close(connection);
  return STEP_WAIT;
}

static enum step send_on(struct http_connection *connection) {
  return flush(connection) ? finish(connection) : STEP_WAIT;
}

// ---- the owner

static const char *plain_answer(enum status status, uint32_t *out_code) {
  switch (status) {
  case STATUS_NOT_FOUND: *out_code = 404; break;
  case STATUS_METHOD: *out_code = 405; break;
  case STATUS_TOO_LARGE: *out_code = 413; break;
  case STATUS_UNAVAILABLE: *out_code = 503; break;
  default: *out_code = 400; break;
  }
  return status_name(status);
}

static void call_owner(struct http_request *request) {
  const struct http_server_options *options = &request->loop->server->options;
  if (request->refusal == STATUS_OK) {
    request->route->handle(request->route->context, request);
  } else if (options->on_refusal) {
    options->on_refusal(options->refusal_context, request, request->refusal, request->refusal_text);
  } else {
    uint32_t code = 0;
    const char *text = plain_answer(request->refusal, &code);
    http_request_reply(request, code, "text/plain; charset=utf-8", slice_from_cstr(text));
  }
}

static void dispatch(struct http_connection *connection) {
  struct http_request *request = connection->request;
  struct http_loop *loop = connection->loop;
  connection->phase = HTTP_CONNECTION_OWNER;
  set_due(connection, UINT64_MAX, HTTP_CONNECTION_QUIET);
  if (loop->abandoning) {
    answer_stopping(connection, request->method == HTTP_HEAD);
    return;
  }
  memcpy(request->date, loop->date, sizeof(request->date));
  atomic_u64_add(&loop->references, 1); // the owner's
  call_owner(request);
  http_loop_read_clock(loop);
  uint64_t state = HTTP_REQUEST_RUNNING;
  if (atomic_u64_swap_if(&request->state, &state, HTTP_REQUEST_SUSPENDED)) {
    loop->awaited++;
    return;
  }
  ASSERT(state == HTTP_REQUEST_REPLIED);
  start_answer(connection);
}

// The answer does not wait for the rest of the request.
static void dispatch_at_once(struct http_connection *connection) {
  connection->request->close_after = true;
  connection->cut_short = true;
  dispatch(connection);
}

void http_connection_on_reply(struct http_connection *connection) {
  start_answer(connection);
  http_connection_run(connection);
}

void http_connection_abandon(struct http_connection *connection) {
  ASSERT(connection->phase == HTTP_CONNECTION_OWNER);
  bool is_head = connection->request->method == HTTP_HEAD;
  uint64_t state = HTTP_REQUEST_SUSPENDED;
  // Otherwise the reply is on its way.
  if (!atomic_u64_swap_if(&connection->request->state, &state, HTTP_REQUEST_ABANDONED)) return;
  connection->loop->awaited--;
  connection->request = NULL;
  answer_stopping(connection, is_head);
  http_connection_run(connection);
}

// ---- the head

static bool begin_request(struct http_connection *connection) {
  struct http_loop *loop = connection->loop;
  struct http_request *request = http_loop_take_request(loop);
  if (!request) return false;
  request->connection = connection;
  memcpy(request->peer, connection->peer, sizeof(request->peer));
  connection->request = request;
  connection->request_due_ns = loop->now_ns + loop->server->options.request_deadline_ns;
  connection->rate_due_ns = loop->now_ns + loop->server->options.body_grace_ns;
  expect_more(connection, 0);
  return true;
}

static const char *limit_text(enum status status) {
  return status == STATUS_TOO_LARGE ? "the request body is larger than the limit" : "too much is in flight, try again";
}

// Everything that can be said before the body is read. The path has been looked up.
static void judge_head(struct http_request *request) {
  if (request->refusal != STATUS_OK) return;
  const struct http_server_options *options = &request->loop->server->options;
  struct error error = {{0}};
  enum status status = options->admit ? options->admit(options->admit_context, request, &error) : STATUS_OK;
  if (status != STATUS_OK) {
    http_request_refuse(request, status, error.text);
    return;
  }
  status = http_request_expect(request, request->head.content_length);
  if (status != STATUS_OK) http_request_refuse(request, status, limit_text(status));
}

// The head is there, or as much of it as could be read.
static void end_head(struct http_connection *connection, bool is_readable, bool more_has_come) {
  struct http_request *request = connection->request;
  const struct http_head *head = &request->head;
  if (http_request_read_head(request) != STATUS_OK) {
    http_connection_close(connection);
    return;
  }
  if (is_readable) {
    judge_head(request);
  } else {
    metrics_add(connection->loop->server->unreadable, 1);
    http_request_refuse(request, head->status, head->fault);
    request->exact_code = head->code;
  }
  connection->phase = HTTP_CONNECTION_BODY;
  connection->cut_short = false;
  request->close_after = !head->keep_alive;
  request->body_left = head->content_length;
  http_chunks_begin(&request->chunks);
  if (request->refusal == STATUS_OK) {
    bool waits = head->expects_continue && !more_has_come && (head->chunked || head->content_length > 0);
    if (waits) add_part(connection, SLICE_LITERAL("HTTP/1.1 100 Continue\r\n\r\n"));
    return;
  }
  http_request_drop_body(request);
  request->discards = true;
  bool too_much = request->exact_code || head->expects_continue || head->content_length > DISCARD_BYTES_MAX;
  if (!is_readable || too_much) dispatch_at_once(connection);
}

static void take_head(struct http_connection *connection, struct slice *input) {
  if (!connection->request && !begin_request(connection)) {
    http_connection_close(connection);
    return;
  }
  struct http_request *request = connection->request;
  struct slice piece = slice_sub(*input, 0, HEAD_PIECE_BYTES);
  if (http_request_append_text(request, piece) != STATUS_OK) {
    http_connection_close(connection);
    return;
  }
  *input = slice_skip(*input, piece.len);
  enum http_head_result result = http_head_parse(&request->head, slice_make(request->memory.text, request->text_len));
  if (result == HTTP_HEAD_MORE) return;
  if (result == HTTP_HEAD_DONE) {
    size_t behind = request->text_len - request->head.len;
    ASSERT(behind < piece.len);
    *input = slice_make(input->ptr - behind, input->len + behind);
    request->text_len = request->head.len;
  }
  end_head(connection, result == HTTP_HEAD_DONE, input->len > 0);
}

// ---- the body

static void add_body(struct http_connection *connection, struct slice bytes) {
  struct http_request *request = connection->request;
  if (!request->discards) {
    enum status status = http_request_append(request, bytes.ptr, bytes.len);
    if (status == STATUS_OK) return;
    http_request_refuse(request, status, limit_text(status));
    http_request_drop_body(request);
    request->discards = true;
  }
  request->discarded_bytes += bytes.len;
}

static bool discards_too_much(struct http_connection *connection) {
  return connection->request->discarded_bytes > DISCARD_BYTES_MAX;
}

// Both return false when more has to come.
static bool take_chunks(struct http_connection *connection, struct slice *input) {
  struct http_request *request = connection->request;
  struct slice data;
  for (;;) {
    switch (http_chunks_next(&request->chunks, input, &data)) {
    case HTTP_CHUNKS_MORE: return false;
    case HTTP_CHUNKS_DATA:
      add_body(connection, data);
      if (!discards_too_much(connection)) break;
      dispatch_at_once(connection);
      return true;
    case HTTP_CHUNKS_DONE: dispatch(connection); return true;
    case HTTP_CHUNKS_FAULT:
      metrics_add(connection->loop->server->unreadable, 1);
      http_request_drop_body(request);
      http_request_refuse(request, STATUS_INVALID, request->chunks.fault);
      dispatch_at_once(connection);
      return true;
    }
  }
}

static bool take_body(struct http_connection *connection, struct slice *input) {
  struct http_request *request = connection->request;
  if (request->head.chunked) return take_chunks(connection, input);
  struct slice bytes = slice_sub(*input, 0, request->body_left < input->len ? (size_t)request->body_left : input->len);
  if (bytes.len > 0) add_body(connection, bytes);
  *input = slice_skip(*input, bytes.len);
  request->body_left -= bytes.len;
  if (request->body_left > 0) return false;
  dispatch(connection);
  return true;
}

// ---- reading

static void consume(struct http_connection *connection, struct slice *input) {
  for (;;) {
    switch (connection->phase) {
    case HTTP_CONNECTION_HEAD:
      if (input->len == 0) return;
      take_head(connection, input);
      break;
    case HTTP_CONNECTION_BODY:
      if (!take_body(connection, input)) return;
      break;
    case HTTP_CONNECTION_LINGER: *input = slice_make(NULL, 0); return;
    case HTTP_CONNECTION_HANDSHAKE:
    case HTTP_CONNECTION_OWNER:
    case HTTP_CONNECTION_ANSWER:
    case HTTP_CONNECTION_CLOSED: return;
    }
  }
}

static void consume_pending(struct http_connection *connection) {
  struct slice input =
      slice_make(connection->pending + connection->pending_at, connection->pending_len - connection->pending_at);
  consume(connection, &input);
  connection->pending_at = connection->pending_len - input.len;
  if (input.len > 0) return;
  free(connection->pending);
  connection->pending = NULL;
}

static void keep_pending(struct http_connection *connection, struct slice input) {
  ASSERT(!connection->pending);
  connection->pending = malloc(input.len);
  connection->deaf = !connection->pending;
  if (connection->deaf) return;
  memcpy(connection->pending, input.ptr, input.len);
  connection->pending_at = 0;
  connection->pending_len = input.len;
}

// The rest of the body that there is room for already.
static struct iovec body_room(const struct http_connection *connection) {
  const struct http_request *request = connection->request;
  bool is_known = connection->phase == HTTP_CONNECTION_BODY && !request->head.chunked && !request->discards;
  if (!is_known) return (struct iovec){NULL, 0};
  size_t room = request->body_capacity - request->body_len;
  if (room > request->body_left) room = (size_t)request->body_left;
  if (room == 0) return (struct iovec){NULL, 0};
  return (struct iovec){request->memory.body + request->body_len, room};
}

static enum step receive(struct http_connection *connection) {
  struct http_loop *loop = connection->loop;
  const struct iovec rooms[2] = {body_room(connection), {loop->input, HTTP_LOOP_INPUT_BYTES}};
  size_t len;
  bool drained;
  enum http_transport_result result = http_transport_receive(&connection->transport, rooms, &len, &drained);
  if (result == HTTP_TRANSPORT_AGAIN) connection->readable = false;
  if (result == HTTP_TRANSPORT_END) http_connection_close(connection);
  if (result != HTTP_TRANSPORT_DONE) return STEP_WAIT;
  if (drained && !connection->reads_on) connection->readable = false;
  if (connection->request) expect_more(connection, len);
  size_t direct = len < rooms[0].iov_len ? len : rooms[0].iov_len;
  if (direct > 0) {
    connection->request->body_len += direct;
    connection->request->body_left -= direct;
  }
  struct slice input = slice_make(loop->input, len - direct);
  consume(connection, &input);
  if (input.len > 0 && connection->phase != HTTP_CONNECTION_CLOSED) keep_pending(connection, input);
  return STEP_GO;
}

static enum step read_on(struct http_connection *connection) {
  // An interim answer, ahead of the body it asks for.
  if (connection->part_count > 0 && !flush(connection) && connection->phase == HTTP_CONNECTION_CLOSED) return STEP_WAIT;
  if (connection->pending) {
    consume_pending(connection);
    return STEP_GO;
  }
  return connection->readable ? receive(connection) : STEP_WAIT;
}

static enum step shake_hands(struct http_connection *connection) {
  enum http_transport_result result =
      http_transport_handshake(&connection->transport, connection->loop->server->priorities);
  if (result == HTTP_TRANSPORT_END) http_connection_close(connection);
  if (result != HTTP_TRANSPORT_DONE) return STEP_WAIT;
  connection->phase = HTTP_CONNECTION_HEAD;
  return STEP_GO;
}

// ---- from the loop

void http_connection_begin(struct http_connection *connection) {
  struct http_loop *loop = connection->loop;
  connection->phase = HTTP_CONNECTION_HANDSHAKE;
  // A first request has its own time to begin and to arrive, the handshake included.
  set_due(connection, loop->now_ns + loop->server->options.request_deadline_ns, HTTP_CONNECTION_OVERDUE);
}

void http_connection_run(struct http_connection *connection) {
  for (unsigned turn = 0; turn < TURNS_MAX; turn++) {
    enum step step = STEP_WAIT;
    switch (connection->phase) {
    case HTTP_CONNECTION_HANDSHAKE: step = shake_hands(connection); break;
    case HTTP_CONNECTION_HEAD:
    case HTTP_CONNECTION_BODY:
    case HTTP_CONNECTION_LINGER: step = read_on(connection); break;
    case HTTP_CONNECTION_ANSWER: step = send_on(connection); break;
    case HTTP_CONNECTION_OWNER:
    case HTTP_CONNECTION_CLOSED: break;
    }
    if (step == STEP_WAIT) return;
  }
  http_loop_make_ready(connection->loop, connection);
}

void http_connection_on_events(struct http_connection *connection, uint32_t events) {
  if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) connection->readable = true;
  if (events & (EPOLLPRI | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) connection->reads_on = true;
  // Who has only ended the sending may still want the answer. Who is gone does not.
  bool is_gone = events & (EPOLLHUP | EPOLLERR);
  if (connection->phase == HTTP_CONNECTION_OWNER && is_gone) http_connection_close(connection);
  http_connection_run(connection);
}

// The owner keeps its request, or it is on its way here and finds nobody.
static void leave_to_owner(struct http_connection *connection) {
  uint64_t state = HTTP_REQUEST_SUSPENDED;
  if (atomic_u64_swap_if(&connection->request->state, &state, HTTP_REQUEST_ABANDONED)) {
    connection->loop->awaited--;
  } else {
    ASSERT(state == HTTP_REQUEST_REPLIED);
    connection->request->connection = NULL;
  }
  connection->request = NULL;
}

static void leave_lists(struct http_connection *connection) {
  struct http_loop *loop = connection->loop;
  struct http_server *server = loop->server;
  if (connection->loop_previous) connection->loop_previous->loop_next = connection->loop_next;
  if (connection->loop_next) connection->loop_next->loop_previous = connection->loop_previous;
  if (loop->connections == connection) loop->connections = connection->loop_next;
  connection->closed_next = loop->closed;
  loop->closed = connection;
  mutex_lock(&server->mutex);
  if (connection->previous) connection->previous->next = connection->next;
  if (connection->next) connection->next->previous = connection->previous;
  if (server->connections == connection) server->connections = connection->next;
  server->connection_count--;
  loop->load--;
  mutex_unlock(&server->mutex);
}

void http_connection_close(struct http_connection *connection) {
  if (connection->phase == HTTP_CONNECTION_CLOSED) return;
  if (connection->phase == HTTP_CONNECTION_OWNER) leave_to_owner(connection);
  drop_request(connection);
  connection->phase = HTTP_CONNECTION_CLOSED;
  connection->part_count = 0;
  // The close alone is not enough while a child between fork and exec has the descriptor, too. It may not be there yet.
  epoll_ctl(connection->loop->epoll_fd, EPOLL_CTL_DEL, connection->transport.fd, NULL);
  http_transport_close(&connection->transport);
  leave_lists(connection);
}
