// SPDX-License-Identifier: Apache-2.0
//
// How it works: a round takes what other threads have posted (connections from the acceptor, replies from owners), then
// what epoll says, then whoever had more to do than a turn, then whoever is out of time, and sleeps.
//
// Descriptors are registered once, edge-triggered, for all that can happen: a request costs no epoll_ctl. A post wakes
// the thread only when it sleeps (http_inbox.h), by an eventfd that is edge-triggered too and never read. Deadlines are
// looked at all together, when the earliest one that was ever set has come, and never more often than a tick: in a busy
// loop the cost is a walk now and then, in an idle one nothing.
//
// Stop: server->stop_ns is set. The loop ends as soon as no owner has a request and every answer is out; when the time
// comes it takes the rest back from the owners, answers 503 and waits STOP_WAIT_NS for those answers to get out. A
// handler that runs comes back by itself, and a reply that is on its way is waited for.
#include "net/http_loop.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/http_connection.h"

#define EVENTS_MAX   128
#define SPARE_MAX    64u
#define TICK_MAX_NS  (NS_PER_S / 2)
#define TICK_MIN_NS  (10 * NS_PER_MS)
#define STOP_WAIT_NS (5 * NS_PER_S)
#define SLEEP_MAX_NS (3600 * NS_PER_S)

void http_loop_read_clock(struct http_loop *loop) {
  loop->now_ns = clock_monotonic_ns(clock_system());
}

static void read_clocks(struct http_loop *loop) {
  http_loop_read_clock(loop);
  uint64_t wall_ns = clock_wall_ns(clock_system());
  if (loop->date[0] && wall_ns / NS_PER_S == loop->date_s) return;
  loop->date_s = wall_ns / NS_PER_S;
  http_response_format_date(wall_ns, loop->date);
}

// ---- requests

struct http_request *http_loop_take_request(struct http_loop *loop) {
  struct http_request *request = loop->spare;
  if (!request) return http_request_create(loop);
  loop->spare = (struct http_request *)(void *)request->post.next;
  loop->spare_count--;
  request->post.next = NULL;
  return request;
}

void http_loop_return_request(struct http_loop *loop, struct http_request *request) {
  if (loop->spare_count == SPARE_MAX) {
    http_request_destroy(request);
    return;
  }
  http_request_reset(request);
  request->post.next = (struct http_inbox_post *)(void *)loop->spare;
  loop->spare = request;
  loop->spare_count++;
}

void http_loop_reply(struct http_request *request) {
  struct http_loop *loop = request->loop;
  uint64_t state = HTTP_REQUEST_RUNNING;
  if (!atomic_u64_swap_if(&request->state, &state, HTTP_REQUEST_REPLIED)) {
    if (state == HTTP_REQUEST_SUSPENDED && atomic_u64_swap_if(&request->state, &state, HTTP_REQUEST_REPLIED)) {
      if (http_inbox_push(&loop->inbox, &request->post)) http_loop_wake(loop);
    } else {
      ASSERT(state == HTTP_REQUEST_ABANDONED);
      http_request_destroy(request);
    }
  }
  http_loop_release(loop);
}

// ---- connections

void http_loop_give(struct http_loop *loop, struct http_connection *connection) {
  connection->loop = loop;
  if (http_inbox_push(&loop->inbox, &connection->post)) http_loop_wake(loop);
}

static void adopt(struct http_loop *loop, struct http_connection *connection) {
  connection->loop_next = loop->connections;
  if (connection->loop_next) connection->loop_next->loop_previous = connection;
  loop->connections = connection;
  http_connection_begin(connection);
  struct epoll_event event = {.events = EPOLLIN | EPOLLPRI | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                              .data = {.ptr = connection}};
  if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, connection->transport.fd, &event) != 0) {
    http_connection_close(connection);
  }
}

void http_loop_make_ready(struct http_loop *loop, struct http_connection *connection) {
  if (connection->is_ready) return;
  connection->is_ready = true;
  connection->ready_next = NULL;
  if (loop->ready) {
    loop->ready_end->ready_next = connection;
  } else {
    loop->ready = connection;
  }
  loop->ready_end = connection;
}

static void run_ready(struct http_loop *loop) {
  struct http_connection *connection = loop->ready;
  loop->ready = loop->ready_end = NULL; // who is not done in this turn queues again
  while (connection) {
    struct http_connection *next = connection->ready_next;
    connection->is_ready = false;
    http_connection_run(connection);
    connection = next;
  }
}

static void end_overdue(struct http_loop *loop) {
  if (loop->now_ns < loop->due_ns) return;
  uint64_t due_ns = UINT64_MAX;
  for (struct http_connection *connection = loop->connections, *next = NULL; connection; connection = next) {
    next = connection->loop_next;
    uint64_t connection_due_ns = connection->due_ns;
    if (connection_due_ns <= loop->now_ns) connection_due_ns = http_connection_on_due(connection);
    if (connection_due_ns < due_ns) due_ns = connection_due_ns;
  }
  loop->due_ns = due_ns < loop->now_ns + loop->tick_ns ? loop->now_ns + loop->tick_ns : due_ns;
}

// What is closed may still be named by an event of this round, and by the queue.
static void free_closed(struct http_loop *loop) {
  struct http_connection *connection = loop->closed;
  loop->closed = NULL;
  while (connection) {
    struct http_connection *next = connection->closed_next;
    if (connection->is_ready) {
      connection->closed_next = loop->closed;
      loop->closed = connection;
    } else {
      http_connection_destroy(connection);
    }
    connection = next;
  }
}

static void take_posts(struct http_loop *loop) {
  struct http_inbox_post *post = http_inbox_take(&loop->inbox);
  while (post) {
    struct http_inbox_post *next = post->next;
    if (post->kind == HTTP_INBOX_CONNECTION) {
      adopt(loop, (struct http_connection *)(void *)post);
    } else {
      struct http_request *request = (struct http_request *)(void *)post;
      loop->awaited--;
      if (request->connection) {
        http_connection_on_reply(request->connection);
      } else {
        http_loop_return_request(loop, request);
      }
    }
    post = next;
  }
}

// ---- stopping

static bool is_busy(const struct http_loop *loop) {
  for (const struct http_connection *c = loop->connections; c; c = c->loop_next) {
    if (c->phase == HTTP_CONNECTION_OWNER || c->phase == HTTP_CONNECTION_ANSWER) return true;
  }
  return loop->awaited > 0;
}

static void abandon_all(struct http_loop *loop) {
  loop->abandoning = true;
  for (struct http_connection *connection = loop->connections, *next = NULL; connection; connection = next) {
    next = connection->loop_next;
    if (connection->phase == HTTP_CONNECTION_OWNER) http_connection_abandon(connection);
  }
}

// When the stop has its next turn; UINT64_MAX: nobody stops it.
static uint64_t stop_due_ns(const struct http_loop *loop) {
  uint64_t stop_ns = atomic_u64_get(&loop->server->stop_ns);
  return stop_ns != UINT64_MAX && loop->abandoning ? stop_ns + STOP_WAIT_NS : stop_ns;
}

static bool is_done(struct http_loop *loop) {
  uint64_t stop_ns = atomic_u64_get(&loop->server->stop_ns);
  if (stop_ns == UINT64_MAX) return false;
  if (!is_busy(loop)) return true;
  if (!loop->abandoning && loop->now_ns >= stop_ns) abandon_all(loop);
  if (!is_busy(loop)) return true;
  if (!loop->abandoning || loop->now_ns < stop_ns + STOP_WAIT_NS || loop->awaited > 0) return false;
  log_write(LOG_WARN, loop->server->options.name, "requests were cut off at the stop", NULL);
  return true;
}

// ---- the thread

static int sleep_ms(const struct http_loop *loop) {
  uint64_t due_ns = loop->due_ns, stop_ns = stop_due_ns(loop);
  if (stop_ns < due_ns) due_ns = stop_ns;
  if (due_ns == UINT64_MAX) return -1;
  uint64_t wait_ns = due_ns > loop->now_ns ? due_ns - loop->now_ns : 0;
  if (wait_ns > SLEEP_MAX_NS) wait_ns = SLEEP_MAX_NS;
  return (int)((wait_ns + NS_PER_MS - 1) / NS_PER_MS);
}

static void take_events(struct http_loop *loop) {
  struct epoll_event events[EVENTS_MAX];
  int timeout_ms = !loop->ready && http_inbox_sleep(&loop->inbox) ? sleep_ms(loop) : 0;
  int count = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, timeout_ms);
  ASSERT(count >= 0 || errno == EINTR);
  read_clocks(loop);
  take_posts(loop);
  const struct http_server_options *options = &loop->server->options;
  bool several = count > 1 && options->on_several;
  if (several) options->on_several(options->several_context, true);
  for (int i = 0; i < count; i++) {
    struct http_connection *connection = events[i].data.ptr; // NULL: the eventfd
    if (connection) http_connection_on_events(connection, events[i].events);
  }
  if (several) options->on_several(options->several_context, false);
}

static void run(void *context) {
  struct http_loop *loop = context;
  read_clocks(loop);
  while (!is_done(loop)) {
    take_events(loop);
    run_ready(loop);
    end_overdue(loop);
    free_closed(loop);
  }
  take_posts(loop);
  while (loop->connections) http_connection_close(loop->connections);
  run_ready(loop);
  free_closed(loop);
  ASSERT(!loop->closed && loop->awaited == 0);
}

// ---- create and release

static uint64_t tick_of(const struct http_server_options *options) {
  uint64_t shortest_ns = options->request_deadline_ns;
  if (shortest_ns > options->body_grace_ns) shortest_ns = options->body_grace_ns;
  if (shortest_ns > options->idle_timeout_ns) shortest_ns = options->idle_timeout_ns;
  uint64_t tick_ns = shortest_ns / 8;
  if (tick_ns > TICK_MAX_NS) tick_ns = TICK_MAX_NS;
  return tick_ns < TICK_MIN_NS ? TICK_MIN_NS : tick_ns;
}

struct http_loop *http_loop_create(struct http_server *server) {
  struct http_loop *loop = calloc(1, sizeof(*loop));
  if (!loop) return NULL;
  loop->server = server;
  atomic_u64_add(&server->references, 1);
  atomic_u64_set(&loop->references, 1);
  http_inbox_init(&loop->inbox);
  loop->due_ns = UINT64_MAX;
  loop->tick_ns = tick_of(&server->options);
  loop->input = malloc(HTTP_LOOP_INPUT_BYTES);
  loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
  loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  struct epoll_event wakes = {.events = EPOLLIN | EPOLLET, .data = {.ptr = NULL}};
  bool good = loop->input && loop->epoll_fd >= 0 && loop->wake_fd >= 0 &&
              epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, loop->wake_fd, &wakes) == 0;
  if (good) return loop;
  http_loop_release(loop);
  return NULL;
}

enum status http_loop_start(struct http_loop *loop) {
  char name[16];
  snprintf(name, sizeof(name), "http-%.10s", loop->server->options.name);
  return thread_start(&loop->thread, name, run, loop);
}

void http_loop_wake(struct http_loop *loop) {
  const uint64_t one = 1;
  ssize_t written = write(loop->wake_fd, &one, sizeof(one));
  ASSERT(written == sizeof(one));
}

void http_loop_join(struct http_loop *loop) {
  ASSERT(atomic_u64_get(&loop->server->stop_ns) != UINT64_MAX);
  http_loop_wake(loop);
  thread_join(&loop->thread);
}

void http_loop_release(struct http_loop *loop) {
  if (atomic_u64_sub(&loop->references, 1) != 1) return;
  while (loop->spare) {
    struct http_request *request = http_loop_take_request(loop);
    http_request_destroy(request);
  }
  if (loop->epoll_fd >= 0) close(loop->epoll_fd);
  if (loop->wake_fd >= 0) close(loop->wake_fd);
  free(loop->input);
  http_server_release(loop->server);
  free(loop);
}
