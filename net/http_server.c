// SPDX-License-Identifier: Apache-2.0
//
// How it works: a thread of ours (http_acceptor.c) accepts connections and gives them to libmicrohttpd's pool threads,
// which parse; each calls on_access several times for one request.
//
//   request line            on_request_line   the request object is made, its deadline starts
//   headers complete        on_access, NEW    framing, route, admission, body size and budget are checked
//   body pieces             on_access, READING or DISCARDING
//   body complete           on_access         the handler, or on_refusal, is called: DISPATCHED
//   reply there             on_access         the response is queued
//   reply sent or lost      on_completed
//
// A handler that keeps the request leaves its connection suspended until http_request_reply resumes it (http_request.h
// has the states). A refused request whose body is on its way is read and thrown away up to DISCARD_BYTES_MAX before it
// is answered, without memory: closing the socket on unread data would reset the connection and often take the answer
// with it. When the client asked first (Expect: 100-continue), sends more than that, or its framing cannot be trusted,
// the answer goes out at once and the connection is closed.
//
// Close: quiesce, wait for the dispatched requests, abandon the rest (their connections are resumed and answered 503;
// their owners keep a reference and may still "reply"), and only then stop the daemon, which must not find a suspended
// one.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/address.h"
#include "net/http_acceptor.h"
#include "net/http_server_private.h"

#define DISCARD_BYTES_MAX     (UINT64_C(128) << 20)
#define CONNECTION_POOL_BYTES ((size_t)64 * 1024)
#define CONNECTION_STEP_BYTES ((size_t)16 * 1024)
#define CONNECTIONS_DEFAULT   1024u
#define DEADLINE_DEFAULT_NS   (30 * NS_PER_S)
#define IDLE_DEFAULT_NS       (75 * NS_PER_S)
#define GRACE_DEFAULT_NS      (10 * NS_PER_S)
#define RATE_DEFAULT          1024u
#define WAKERS_TICK_NS        (5 * NS_PER_MS)
#define ABANDON_WAIT_NS       (5 * NS_PER_S)
#define TLS_PRIORITIES        "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"
#define ABANDONED_TEXT        "the server is stopping"

static uint64_t now_ns(void) {
  return clock_monotonic_ns(clock_system());
}

// ---- connections

static struct http_connection *connection_of(struct MHD_Connection *connection) {
  const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
  return info ? info->socket_context : NULL;
}

static void set_deadline(struct http_connection *connection, uint64_t deadline_ns, bool slow) {
  if (!connection) return;
  atomic_bool_set(&connection->slow, slow);
  atomic_u64_set(&connection->deadline_ns, deadline_ns);
}

static void on_connection(void *context, struct MHD_Connection *native, void **socket_context,
                          enum MHD_ConnectionNotificationCode code) {
  if (code == MHD_CONNECTION_NOTIFY_STARTED) {
    http_acceptor_started(context, native, socket_context);
  } else {
    http_acceptor_closed(context, *socket_context);
    *socket_context = NULL;
  }
}

// ---- one request

static void server_release(struct http_server *server) {
  if (atomic_u64_sub(&server->references, 1) != 1) return;
  condition_finish(&server->changed);
  mutex_finish(&server->mutex);
  free(server);
}

void http_server_add_allow(struct http_request *request, uint32_t allowed) {
  char text[96] = "";
  size_t used = 0;
  for (unsigned method = HTTP_GET; method < HTTP_OTHER; method++) {
    if (!(allowed & (1u << method))) continue;
    int n = snprintf(text + used, sizeof(text) - used, "%s%s", used ? ", " : "",
                     http_method_name((enum http_method)method));
    if (n > 0) used += (size_t)n;
  }
  http_request_add_header(request, MHD_HTTP_HEADER_ALLOW, text);
}

void http_server_wake(struct http_request *request) {
  struct http_server *server = request->server;
  uint64_t state = HTTP_REQUEST_RUNNING;
  atomic_u64_add(&server->wakers, 1);
  if (!atomic_u64_swap_if(&request->state, &state, HTTP_REQUEST_REPLIED) && state == HTTP_REQUEST_SUSPENDED) {
    if (atomic_u64_swap_if(&request->state, &state, HTTP_REQUEST_REPLIED)) MHD_resume_connection(request->connection);
  }
  atomic_u64_sub(&server->wakers, 1);
  http_request_release(request);
  server_release(server);
}

static const char *plain_answer(enum status status, uint32_t *out_code) {
  switch (status) {
  case STATUS_NOT_FOUND: *out_code = MHD_HTTP_NOT_FOUND; break;
  case STATUS_METHOD: *out_code = MHD_HTTP_METHOD_NOT_ALLOWED; break;
  case STATUS_TOO_LARGE: *out_code = MHD_HTTP_CONTENT_TOO_LARGE; break;
  case STATUS_UNAVAILABLE: *out_code = MHD_HTTP_SERVICE_UNAVAILABLE; break;
  default: *out_code = MHD_HTTP_BAD_REQUEST; break;
  }
  return status_name(status);
}

static void call_owner(struct http_request *request) {
  const struct http_server_options *options = &request->server->options;
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

// The state is REPLIED or ABANDONED.
static enum MHD_Result send_reply(struct http_request *request) {
  struct http_server *server = request->server;
  bool replied = atomic_u64_get(&request->state) == HTTP_REQUEST_REPLIED;
  struct MHD_Response *response = replied ? request->response : http_request_text_response(ABANDONED_TEXT);
  if (!response) return MHD_NO;
  if (replied) request->response = NULL;
  if (request->close_after || atomic_bool_get(&server->quiesced)) {
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
  }
  set_deadline(connection_of(request->connection), now_ns() + server->options.request_deadline_ns, false);
  enum MHD_Result result =
      MHD_queue_response(request->connection, replied ? request->code : MHD_HTTP_SERVICE_UNAVAILABLE, response);
  MHD_destroy_response(response);
  return result;
}

static enum MHD_Result dispatch(struct http_request *request) {
  struct http_server *server = request->server;
  request->phase = HTTP_REQUEST_DISPATCHED;
  set_deadline(connection_of(request->connection), UINT64_MAX, false);
  if (atomic_bool_get(&server->abandoning)) {
    atomic_u64_set(&request->state, HTTP_REQUEST_ABANDONED);
    return send_reply(request);
  }
  atomic_u64_add(&request->references, 1);
  atomic_u64_add(&server->references, 1);
  request->listed = true;
  mutex_lock(&server->mutex);
  request->next = server->dispatched;
  if (request->next) request->next->previous = request;
  server->dispatched = request;
  server->dispatched_count++;
  mutex_unlock(&server->mutex);

  call_owner(request);
  if (atomic_u64_get(&request->state) == HTTP_REQUEST_REPLIED) return send_reply(request);
  MHD_suspend_connection(request->connection);
  uint64_t state = HTTP_REQUEST_RUNNING;
  if (!atomic_u64_swap_if(&request->state, &state, HTTP_REQUEST_SUSPENDED)) {
    MHD_resume_connection(request->connection); // the reply came between the two lines
    return MHD_YES;
  }
  // A close that looked through the list before the state was SUSPENDED leaves this one to us.
  state = HTTP_REQUEST_SUSPENDED;
  if (atomic_bool_get(&server->abandoning) && atomic_u64_swap_if(&request->state, &state, HTTP_REQUEST_ABANDONED)) {
    MHD_resume_connection(request->connection);
  }
  return MHD_YES;
}

static void refuse(struct http_request *request, enum status status, const char *text) {
  request->refusal = status;
  snprintf(request->refusal_text, sizeof(request->refusal_text), "%s", text);
}

static const char *limit_text(enum status status) {
  return status == STATUS_TOO_LARGE ? "the request body is larger than the limit" : "too much is in flight, try again";
}

// Framing that two parsers could read differently is refused (RFC 9112, 6.3); the words, or NULL when it is clean.
static const char *framing_fault(const struct http_request *request, const char *version) {
  if (request->layout_fault) return request->layout_fault;
  uint32_t lengths = http_request_header_count(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
  uint32_t encodings = http_request_header_count(request, MHD_HTTP_HEADER_TRANSFER_ENCODING);
  uint32_t hosts = http_request_header_count(request, MHD_HTTP_HEADER_HOST);
  if (lengths > 1) return "more than one Content-Length";
  if (encodings > 1) return "more than one Transfer-Encoding";
  if (lengths && encodings) return "Content-Length and Transfer-Encoding together";
  struct slice encoding = http_request_header(request, MHD_HTTP_HEADER_TRANSFER_ENCODING);
  if (encodings && !slice_equal_ignore_case(encoding, SLICE_LITERAL("chunked"))) {
    return "a Transfer-Encoding that is not served";
  }
  if (encodings && strcmp(version, MHD_HTTP_VERSION_1_1) != 0) return "Transfer-Encoding before HTTP/1.1";
  uint64_t ignored;
  if (lengths && !slice_to_u64(http_request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH), &ignored)) {
    return "a Content-Length that is not a number";
  }
  if (hosts > 1 || (hosts == 0 && strcmp(version, MHD_HTTP_VERSION_1_1) == 0)) return "not exactly one Host";
  return NULL;
}

// Everything that can be said before the body is read.
static void judge_head(struct http_request *request, const char *version) {
  struct http_server *server = request->server;
  if (request->too_many) { // its framing may be among what was left out
    refuse(request, STATUS_TOO_LARGE, "the request has too many headers and parameters");
    request->close_after = true;
    return;
  }
  const char *fault = framing_fault(request, version);
  if (fault) {
    refuse(request, STATUS_INVALID, fault);
    request->close_after = true;
    return;
  }
  if (request->refusal != STATUS_OK) {
    refuse(request, request->refusal,
           request->refusal == STATUS_METHOD ? "the path does not take this method" : "no such path");
    return;
  }
  const struct http_server_options *options = &server->options;
  struct error error = {{0}};
  enum status status = options->admit ? options->admit(options->admit_context, request, &error) : STATUS_OK;
  if (status != STATUS_OK) {
    refuse(request, status, error.text);
    return;
  }
  uint64_t length = 0;
  slice_to_u64(http_request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH), &length);
  status = http_request_expect(request, length);
  if (status != STATUS_OK) refuse(request, status, limit_text(status));
}

// `len` bytes more have come. Each buys its share of a second at the least rate; nobody saves more than the grace.
static void expect_more(struct http_request *request, size_t len) {
  const struct http_server_options *options = &request->server->options;
  uint64_t most_ns = now_ns() + options->body_grace_ns;
  request->body_due_ns += len * NS_PER_S / options->body_bytes_per_s_min;
  if (request->body_due_ns > most_ns) request->body_due_ns = most_ns;
  bool is_rate = request->body_due_ns < request->due_ns;
  set_deadline(connection_of(request->connection), is_rate ? request->body_due_ns : request->due_ns, is_rate);
}

static enum MHD_Result begin(struct http_request *request, const char *url, const char *method, const char *version) {
  struct http_connection *connection = connection_of(request->connection);
  if (connection) memcpy(request->peer, connection->peer, sizeof(request->peer));
  request->budget = request->server->options.budget;
  request->body_bytes_max = request->server->options.body_bytes_max;
  if (http_request_read_head(request, url, method) != STATUS_OK) return MHD_NO;
  judge_head(request, version);
  request->phase = request->refusal == STATUS_OK ? HTTP_REQUEST_READING : HTTP_REQUEST_DISCARDING;
  request->body_due_ns = now_ns() + request->server->options.body_grace_ns;
  expect_more(request, 0);
  if (request->refusal == STATUS_OK) return MHD_YES;
  http_request_drop_body(request);
  uint64_t length = 0;
  slice_to_u64(http_request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH), &length);
  bool asked = http_request_header(request, MHD_HTTP_HEADER_EXPECT).ptr != NULL;
  if (!asked && !request->close_after && length <= DISCARD_BYTES_MAX) return MHD_YES;
  request->close_after = true;
  return dispatch(request);
}

static enum MHD_Result take_body(struct http_request *request, const char *bytes, size_t len) {
  expect_more(request, len);
  if (request->phase == HTTP_REQUEST_READING) {
    enum status status = http_request_append(request, bytes, len);
    if (status == STATUS_OK) return MHD_YES;
    refuse(request, status, limit_text(status));
    http_request_drop_body(request);
    request->phase = HTTP_REQUEST_DISCARDING;
  }
  request->discarded_bytes += len;
  return request->discarded_bytes > DISCARD_BYTES_MAX ? MHD_NO : MHD_YES;
}

static enum MHD_Result on_access(void *context, struct MHD_Connection *connection, const char *url, const char *method,
                                 const char *version, const char *upload, size_t *upload_len, void **request_context) {
  (void)context;
  (void)connection;
  struct http_request *request = *request_context;
  if (!request) return MHD_NO; // out of memory at the request line
  if (request->phase == HTTP_REQUEST_NEW) return begin(request, url, method, version);
  if (request->phase == HTTP_REQUEST_DISPATCHED) return send_reply(request);
  if (*upload_len == 0) return dispatch(request);
  size_t len = *upload_len;
  *upload_len = 0;
  return take_body(request, upload, len);
}

static void *on_request_line(void *context, const char *uri, struct MHD_Connection *connection) {
  (void)uri;
  struct http_server *server = context;
  struct http_request *request = http_request_create(server, connection);
  uint64_t due_ns = now_ns() + server->options.request_deadline_ns;
  set_deadline(connection_of(connection), due_ns, false);
  if (request) request->due_ns = due_ns;
  return request;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request_context,
                         enum MHD_RequestTerminationCode code) {
  (void)code;
  struct http_server *server = context;
  struct http_request *request = *request_context;
  *request_context = NULL;
  // The next request has the idle time to begin and the request time to arrive.
  set_deadline(connection_of(connection),
               now_ns() + server->options.idle_timeout_ns + server->options.request_deadline_ns, false);
  if (!request) return;
  if (request->listed) {
    mutex_lock(&server->mutex);
    if (request->previous) request->previous->next = request->next;
    if (request->next) request->next->previous = request->previous;
    if (server->dispatched == request) server->dispatched = request->next;
    server->dispatched_count--;
    condition_broadcast(&server->changed);
    mutex_unlock(&server->mutex);
  }
  http_request_release(request);
}

// ---- open and close

// libmicrohttpd would decode in place; we match routes before decoding and decode with lengths.
static size_t leave_encoded(void *context, struct MHD_Connection *connection, char *text) {
  (void)context;
  (void)connection;
  return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void on_log(void *context, const char *format, va_list arguments) {
  struct http_server *server = context;
  char text[256];
  if (vsnprintf(text, sizeof(text), format, arguments) < 0) return;
  // The only hook there is for what libmicrohttpd answers by itself.
  if (strstr(text, "HTTP response code is")) metrics_add(server->unreadable, 1);
  log_write(LOG_DEBUG, server->options.name, "libmicrohttpd",
            LOG_FIELDS(log_slice("text", slice_trim(slice_from_cstr(text)))));
}

static struct MHD_Daemon *start_daemon(struct http_server *server) {
  const struct http_server_options *options = &server->options;
  unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME |
                   MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG;
  unsigned threads = options->threads;
  struct MHD_OptionItem tls[4] = {{MHD_OPTION_END, 0, NULL}};
  if (server->tls) {
    flags |= MHD_USE_TLS;
    struct tls_identity_pems pems = tls_identity_pems(server->tls);
    tls[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)(uintptr_t)pems.cert};
    tls[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)(uintptr_t)pems.key};
    tls[2] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_PRIORITIES};
    tls[3] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
  }
  uint64_t idle_s = (options->idle_timeout_ns + NS_PER_S - 1) / NS_PER_S;
  // The pool divides the limit evenly, our own count in http_acceptor.c is the one that binds.
  return MHD_start_daemon(
      flags, 0, NULL, NULL, on_access, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, server, MHD_OPTION_THREAD_POOL_SIZE,
      threads, MHD_OPTION_CONNECTION_LIMIT, (unsigned)(options->connections_max * threads),
      MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_POOL_BYTES, MHD_OPTION_CONNECTION_MEMORY_INCREMENT,
      CONNECTION_STEP_BYTES, MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)idle_s, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
      server, MHD_OPTION_NOTIFY_CONNECTION, on_connection, server, MHD_OPTION_URI_LOG_CALLBACK, on_request_line, server,
      MHD_OPTION_UNESCAPE_CALLBACK, leave_encoded, NULL, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

// Signals belong to main: libmicrohttpd's threads inherit a full mask.
static struct MHD_Daemon *start_daemon_without_signals(struct http_server *server) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  struct MHD_Daemon *daemon = start_daemon(server);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return daemon;
}

static void set_defaults(struct http_server_options *options) {
  if (!options->name) options->name = "http";
  if (options->threads == 0) {
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    options->threads = cores > 0 ? (uint32_t)cores : 1;
  }
  if (options->connections_max == 0) options->connections_max = CONNECTIONS_DEFAULT;
  if (options->request_deadline_ns == 0) options->request_deadline_ns = DEADLINE_DEFAULT_NS;
  if (options->idle_timeout_ns == 0) options->idle_timeout_ns = IDLE_DEFAULT_NS;
  if (options->body_grace_ns == 0) options->body_grace_ns = GRACE_DEFAULT_NS;
  if (options->body_bytes_per_s_min == 0) options->body_bytes_per_s_min = RATE_DEFAULT;
}

static void make_counters(struct http_server *server) {
  static const char *const reasons[] = {"unreadable", "overdue", "slow", "crowded"};
  struct metrics_value **const counters[] = {&server->unreadable, &server->overdue, &server->slow, &server->crowded};
  for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
    char labels[64];
    snprintf(labels, sizeof(labels), "listener=\"%.10s\",reason=\"%s\"", server->options.name, reasons[i]);
    *counters[i] = server->options.metrics
                       ? metrics_series(server->options.metrics, METRICS_COUNTER, "culprit_http_dropped_total", labels,
                                        "HTTP requests and connections that ended without an answer of a door.")
                       : &server->uncounted;
  }
}

static enum status start(struct http_server *server, struct error *error) {
  server->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (server->wake_fd < 0) return error_set(error, STATUS_IO, "eventfd: %s", strerror(errno));
  server->daemon = start_daemon_without_signals(server);
  if (!server->daemon) return error_set(error, STATUS_IO, "%s: the HTTP server did not start", server->options.address);
  server->listening = true;
  enum status status = thread_start(&server->acceptor, "http-accept", http_acceptor_run, server);
  if (status != STATUS_OK) server->listening = false;
  return status == STATUS_OK ? STATUS_OK : error_set(error, status, "no thread for the HTTP server");
}

enum status http_server_open(const struct http_server_options *options, struct http_server **out_server,
                             uint16_t *out_port, struct error *error) {
  struct http_server *server = calloc(1, sizeof(*server));
  if (!server) return error_set(error, STATUS_NO_MEMORY, "out of memory");
  server->options = *options;
  server->listen_fd = -1;
  server->wake_fd = -1;
  set_defaults(&server->options);
  make_counters(server);
  mutex_init(&server->mutex);
  condition_init(&server->changed);
  atomic_u64_set(&server->references, 1);
  uint16_t port = 0;
  enum status status = STATUS_OK;
  if (tls_settings_given(options->tls.cert_file)) status = tls_identity_read(&options->tls, &server->tls, error);
  if (status == STATUS_OK) status = address_listen(options->address, &server->listen_fd, &port, error);
  if (status == STATUS_OK) status = start(server, error);
  if (status != STATUS_OK) {
    http_server_close(server, 0);
    return status;
  }
  *out_server = server;
  *out_port = port;
  return STATUS_OK;
}

enum status http_server_read_tls(struct http_server *server, struct error *error) {
  if (!tls_settings_given(server->options.tls.cert_file)) return STATUS_NOT_FOUND;
  struct tls_identity *fresh = NULL;
  enum status status = tls_identity_read(&server->options.tls, &fresh, error);
  if (status != STATUS_OK) return status;
  mutex_lock(&server->mutex);
  struct tls_identity *before = server->tls;
  server->tls = fresh;
  mutex_unlock(&server->mutex);
  tls_identity_release(before);
  return STATUS_OK;
}

void http_server_quiesce(struct http_server *server) {
  atomic_bool_set(&server->quiesced, true);
  if (!server->acceptor.running) return;
  http_acceptor_wake(server);
  mutex_lock(&server->mutex);
  while (server->listening) condition_wait(&server->changed, &server->mutex);
  mutex_unlock(&server->mutex);
}

// True when every dispatched request is done within the time. Replying threads are out of libmicrohttpd then, too.
static bool wait_until_done(struct http_server *server, uint64_t wait_ns) {
  uint64_t end_ns = now_ns() + wait_ns;
  mutex_lock(&server->mutex);
  bool done = false;
  for (;;) {
    done = server->dispatched_count == 0 && atomic_u64_get(&server->wakers) == 0;
    uint64_t now = now_ns();
    if (done || now >= end_ns) break;
    uint64_t left_ns = end_ns - now;
    condition_wait_for(&server->changed, &server->mutex, left_ns < WAKERS_TICK_NS ? left_ns : WAKERS_TICK_NS);
  }
  mutex_unlock(&server->mutex);
  return done;
}

// Takes one suspended request from its owner; NULL when there is none left.
static struct MHD_Connection *abandon_one(struct http_server *server) {
  struct MHD_Connection *connection = NULL;
  mutex_lock(&server->mutex);
  for (struct http_request *request = server->dispatched; request && !connection; request = request->next) {
    uint64_t state = HTTP_REQUEST_SUSPENDED;
    if (atomic_u64_swap_if(&request->state, &state, HTTP_REQUEST_ABANDONED)) connection = request->connection;
  }
  mutex_unlock(&server->mutex);
  return connection;
}

static void stop_daemon(struct http_server *server, uint64_t grace_ns) {
  if (!server->daemon) return;
  wait_until_done(server, grace_ns);
  // From here on no request reaches an owner, and each that an owner kept is answered by us: one may have come in since
  // the wait, and libmicrohttpd aborts the process when it finds a suspended connection at its stop.
  atomic_bool_set(&server->abandoning, true);
  struct MHD_Connection *connection;
  while ((connection = abandon_one(server))) MHD_resume_connection(connection);
  // Handlers that are running come back by themselves; the rest is a matter of writing short answers.
  if (!wait_until_done(server, ABANDON_WAIT_NS)) {
    log_write(LOG_WARN, server->options.name, "requests were cut off at the stop", NULL);
  }
  MHD_stop_daemon(server->daemon);
  while (atomic_u64_get(&server->wakers) != 0) wait_until_done(server, WAKERS_TICK_NS);
}

void http_server_close(struct http_server *server, uint64_t grace_ns) {
  if (!server) return;
  http_server_quiesce(server);
  stop_daemon(server, grace_ns);
  if (server->acceptor.running) {
    mutex_lock(&server->mutex);
    server->stop = true;
    mutex_unlock(&server->mutex);
    http_acceptor_wake(server);
    thread_join(&server->acceptor);
  } else if (server->listen_fd >= 0) {
    close(server->listen_fd);
  }
  if (server->wake_fd >= 0) close(server->wake_fd);
  // What libmicrohttpd never started.
  while (server->connections) http_acceptor_closed(server, server->connections);
  tls_identity_release(server->tls);
  server_release(server);
}
