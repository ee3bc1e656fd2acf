// SPDX-License-Identifier: Apache-2.0
//
// How it works: one gRPC core server, one completion queue, a few threads that take events from it (grpc_call.c does
// what each event means). A set of slots waits for calls at all times; a call that arrives is replaced by a new slot at
// once, so that calls which dawdle never keep others out.
//
// Close, in gRPC core's order: shutdown_and_notify (new calls and connections are refused), the grace,
// cancel_all_calls, wait for the notification and for every slot and call to be gone, server_destroy, queue shutdown,
// the threads drain it and end, queue destroy. A call that a handler kept must still be finished by its owner; close
// waits for that.
#include "net/grpc_server.h"

#include <grpc/grpc_security.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "net/address.h"
#include "net/grpc_call.h"
#include "net/tls_identity.h"

enum { THREADS_MIN = 2, THREADS_MAX = 64, CALL_SLOTS_DEFAULT = 512 };
enum {
  RESPONSE_BYTES_MAX = 4 << 20,
  METADATA_BYTES_MAX = 16 << 10,
  STREAMS_MAX = 100,
  FRAME_BYTES_MAX = 1 << 20, // a batch of spans in one frame instead of twenty; what is read is bounded by the window
  KEEPALIVE_MS = 60 * 1000,  // gRPC core's default for servers is two hours
  KEEPALIVE_TIMEOUT_MS = 20 * 1000,
  PING_INTERVAL_MIN_MS = 5 * 1000, // OpenTelemetry Collector clients ping every 10 s
  PING_STRIKES_MAX = 2,
  CONNECTION_IDLE_MS = 15 * 60 * 1000,
  CONNECTION_AGE_MS = 60 * 60 * 1000,
  CONNECTION_GRACE_MS = 30 * 1000,
  HANDSHAKE_MS = 10 * 1000,
};
#define QUOTA_MESSAGES     2u
#define QUOTA_BYTES_MIN    ((size_t)64 << 20)
#define SCRATCH_KEEP_BYTES ((size_t)1 << 20) // by each completion thread, between messages
#define POLL_NS            (NS_PER_S / 2)
#define SWEEP_NS           NS_PER_S
#define GOODBYE_NS         (NS_PER_S / 4)
#define WARN_NS            (10 * NS_PER_S)

// ---- completion threads

static void sweep_when_due(struct grpc_server_handle *server) {
  uint64_t now = clock_monotonic_ns(clock_system());
  uint64_t due = atomic_u64_get(&server->next_sweep_ns);
  if (now < due || !atomic_u64_swap_if(&server->next_sweep_ns, &due, now + SWEEP_NS)) return;
  grpc_call_sweep(server);
}

static void run(void *context) {
  struct grpc_server_handle *server = context;
  struct buffer scratch; // for messages
  buffer_init(&scratch, server->options.message_bytes_max);
  for (;;) {
    grpc_event event = grpc_completion_queue_next(server->queue, grpc_runtime_after(POLL_NS), NULL);
    if (event.type == GRPC_QUEUE_SHUTDOWN) break;
    if (event.type == GRPC_OP_COMPLETE && event.tag == server) {
      mutex_lock(&server->mutex);
      server->shut_down = true;
      condition_broadcast(&server->changed);
      mutex_unlock(&server->mutex);
    } else if (event.type == GRPC_OP_COMPLETE) {
      grpc_call_advance(event.tag, event.success != 0, &scratch);
      if (scratch.capacity > SCRATCH_KEEP_BYTES) buffer_finish(&scratch);
    }
    sweep_when_due(server);
  }
  buffer_finish(&scratch);
}

// ---- open

// Called by gRPC core at the start and before every handshake.
static grpc_ssl_certificate_config_reload_status fetch_certificates(void *context,
                                                                    grpc_ssl_server_certificate_config **out_config) {
  struct grpc_server_handle *server = context;
  mutex_lock(&server->mutex);
  grpc_ssl_server_certificate_config *fresh = server->fresh_certificates;
  server->fresh_certificates = NULL;
  mutex_unlock(&server->mutex);
  if (!fresh) return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_UNCHANGED;
  *out_config = fresh; // gRPC core's from now on
  return GRPC_SSL_CERTIFICATE_CONFIG_RELOAD_NEW;
}

enum status grpc_server_read_tls(struct grpc_server_handle *server, struct error *error) {
  if (!tls_settings_given(server->options.tls.cert_file)) return STATUS_NOT_FOUND;
  struct tls_identity *identity = NULL;
  enum status status = tls_identity_read(&server->options.tls, &identity, error);
  if (status != STATUS_OK) return status;
  struct tls_identity_pems pems = tls_identity_pems(identity);
  grpc_ssl_pem_key_cert_pair pair = {.private_key = pems.key, .cert_chain = pems.cert};
  // gRPC core insists on roots, also where it asks clients for nothing and never looks at them: any certificate will
  // do.
  const char *roots = pems.client_ca ? pems.client_ca : pems.cert;
  grpc_ssl_server_certificate_config *fresh = grpc_ssl_server_certificate_config_create(roots, &pair, 1);
  tls_identity_release(identity);
  mutex_lock(&server->mutex);
  grpc_ssl_server_certificate_config *unused = server->fresh_certificates;
  server->fresh_certificates = fresh;
  mutex_unlock(&server->mutex);
  if (unused) grpc_ssl_server_certificate_config_destroy(unused);
  return STATUS_OK;
}

static enum status make_credentials(struct grpc_server_handle *server, grpc_server_credentials **out,
                                    struct error *error) {
  enum status status = grpc_server_read_tls(server, error);
  if (status == STATUS_NOT_FOUND) {
    *out = grpc_insecure_server_credentials_create();
    return STATUS_OK;
  }
  if (status != STATUS_OK) return status;
  bool mutual = tls_settings_given(server->options.tls.client_ca_file);
  *out =
      grpc_ssl_server_credentials_create_with_options(grpc_ssl_server_credentials_create_options_using_config_fetcher(
          mutual ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY
                 : GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE,
          fetch_certificates, server));
  ASSERT(*out);
  return STATUS_OK;
}

// gRPC core takes a message whole before it looks at its size, whatever was announced, so its own limit bounds nothing
// and keeps its refusals to itself; grpc_call.c has the limit. What bounds the bytes of messages on their way is this
// quota: over it core resets streams (ENHANCE_YOUR_CALM).
static size_t size_quota(grpc_resource_quota *quota, const struct grpc_server_options *options) {
  uint64_t bytes = (uint64_t)options->message_bytes_max * QUOTA_MESSAGES;
  if (options->budget && budget_max(options->budget) > bytes) bytes = budget_max(options->budget);
  if (bytes < QUOTA_BYTES_MIN) bytes = QUOTA_BYTES_MIN;
  grpc_resource_quota_resize(quota, (size_t)bytes);
  return (size_t)bytes;
}

static grpc_server *create_server(grpc_resource_quota *quota) {
  grpc_arg list[] = {
      {.type = GRPC_ARG_POINTER,
       .key = (char *)(uintptr_t)GRPC_ARG_RESOURCE_QUOTA,
       .value.pointer = {.p = quota, .vtable = grpc_resource_quota_arg_vtable()}},
      grpc_runtime_number(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, -1),
      grpc_runtime_number(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, RESPONSE_BYTES_MAX),
      grpc_runtime_number(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0), // it inflates before it looks at the size
      grpc_runtime_number(GRPC_ARG_MAX_CONCURRENT_STREAMS, STREAMS_MAX),
      grpc_runtime_number(GRPC_ARG_HTTP2_MAX_FRAME_SIZE, FRAME_BYTES_MAX),
      grpc_runtime_number(GRPC_ARG_MAX_METADATA_SIZE, METADATA_BYTES_MAX),
      grpc_runtime_number(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
      grpc_runtime_number(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
      grpc_runtime_number(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
      grpc_runtime_number(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, PING_INTERVAL_MIN_MS),
      grpc_runtime_number(GRPC_ARG_HTTP2_MAX_PING_STRIKES, PING_STRIKES_MAX),
      grpc_runtime_number(GRPC_ARG_MAX_CONNECTION_IDLE_MS, CONNECTION_IDLE_MS),
      grpc_runtime_number(GRPC_ARG_MAX_CONNECTION_AGE_MS, CONNECTION_AGE_MS),
      grpc_runtime_number(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, CONNECTION_GRACE_MS),
      grpc_runtime_number(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, HANDSHAKE_MS),
      grpc_runtime_number(GRPC_ARG_ALLOW_REUSEPORT, 0), // a second instance would bind silently
      grpc_runtime_number(GRPC_ARG_ENABLE_CHANNELZ, 0),
  };
  const grpc_channel_args arguments = {.num_args = sizeof(list) / sizeof(list[0]), .args = list};
  return grpc_server_create(&arguments, NULL);
}

// gRPC core does not say why a port cannot be had; the kernel does.
static enum status bind_failure(const char *address, struct error *error) {
  int fd = -1;
  uint16_t port = 0;
  enum status status = address_listen(address, &fd, &port, error);
  if (status != STATUS_OK) return status;
  close(fd);
  return error_set(error, STATUS_IO, "%s: gRPC core could not listen", address);
}

static enum status listen_on(struct grpc_server_handle *server, uint16_t *out_port, struct error *error) {
  const struct grpc_server_options *options = &server->options;
  grpc_server_credentials *credentials = NULL;
  enum status status = make_credentials(server, &credentials, error);
  if (status != STATUS_OK) return status;
  server->queue = grpc_completion_queue_create_for_next(NULL);
  server->quota = grpc_resource_quota_create("culprit");
  size_quota(server->quota, options);
  server->server = create_server(server->quota);
  ASSERT(server->queue && server->server);
  grpc_server_register_completion_queue(server->server, server->queue, NULL);
  int port = grpc_server_add_http2_port(server->server, options->address, credentials);
  grpc_server_credentials_release(credentials);
  if (port == 0) return bind_failure(options->address, error);
  *out_port = (uint16_t)port;
  return STATUS_OK;
}

static enum status start(struct grpc_server_handle *server, struct error *error) {
  server->threads = calloc(server->thread_count, sizeof(*server->threads));
  if (!server->threads) return error_set(error, STATUS_NO_MEMORY, "out of memory");
  for (; server->threads_started < server->thread_count; server->threads_started++) {
    if (thread_start(&server->threads[server->threads_started], "grpc", run, server) != STATUS_OK) {
      return error_set(error, STATUS_UNAVAILABLE, "no thread for the gRPC server");
    }
  }
  grpc_server_start(server->server);
  for (uint32_t i = 0; i < server->options.call_slots; i++) grpc_call_request(server);
  return STATUS_OK;
}

static uint32_t thread_count_of(const struct grpc_server_options *options) {
  long cores = sysconf(_SC_NPROCESSORS_ONLN);
  uint32_t count = options->threads ? options->threads : cores > 0 ? (uint32_t)cores : 1;
  if (count > THREADS_MAX) return THREADS_MAX;
  return count < THREADS_MIN ? THREADS_MIN : count;
}

enum status grpc_server_open(const struct grpc_server_options *options, struct grpc_server_handle **out_server,
                             uint16_t *out_port, struct error *error) {
  struct grpc_server_handle *server = calloc(1, sizeof(*server));
  if (!server) return error_set(error, STATUS_NO_MEMORY, "out of memory");
  server->options = *options;
  server->thread_count = thread_count_of(options);
  if (server->options.call_slots == 0) server->options.call_slots = CALL_SLOTS_DEFAULT;
  atomic_bool_set(&server->serving, true);
  mutex_init(&server->mutex);
  condition_init(&server->changed);
  grpc_runtime_acquire();
  uint16_t port = 0;
  enum status status = listen_on(server, &port, error);
  if (status == STATUS_OK) status = start(server, error);
  if (status != STATUS_OK) {
    grpc_server_close(server, 0);
    return status;
  }
  *out_server = server;
  *out_port = port;
  return STATUS_OK;
}

void grpc_server_set_serving(struct grpc_server_handle *server, bool serving) {
  atomic_bool_set(&server->serving, serving);
}

size_t grpc_server_follow_budget(struct grpc_server_handle *server) {
  return size_quota(server->quota, &server->options);
}

// ---- close

static bool no_calls(const struct grpc_server_handle *server) {
  return server->call_count == 0;
}

static bool no_connections(const struct grpc_server_handle *server) {
  return server->shut_down && server->slot_count == 0;
}

static bool wait_until(struct grpc_server_handle *server, bool (*done)(const struct grpc_server_handle *),
                       uint64_t wait_ns) {
  uint64_t end_ns = clock_monotonic_ns(clock_system()) + wait_ns;
  mutex_lock(&server->mutex);
  bool is_done;
  while (!(is_done = done(server))) {
    uint64_t now = clock_monotonic_ns(clock_system());
    if (now >= end_ns) break;
    condition_wait_for(&server->changed, &server->mutex, end_ns - now);
  }
  mutex_unlock(&server->mutex);
  return is_done;
}

// Without threads the queue has no reader: the notification is taken here.
static void shut_down_unstarted(struct grpc_server_handle *server) {
  grpc_server_shutdown_and_notify(server->server, server->queue, server);
  grpc_completion_queue_next(server->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
}

static void shut_down(struct grpc_server_handle *server, uint64_t grace_ns) {
  grpc_server_shutdown_and_notify(server->server, server->queue, server);
  // The grace is for calls. Clients without one have been told to go; a frozen one must not hold up the stop.
  wait_until(server, no_calls, grace_ns);
  if (wait_until(server, no_connections, grace_ns < GOODBYE_NS ? grace_ns : GOODBYE_NS)) return;
  grpc_server_cancel_all_calls(server->server);
  while (!wait_until(server, no_connections, WARN_NS)) {
    log_write(LOG_WARN, "grpc", "waiting for calls that nobody has answered", NULL);
  }
}

void grpc_server_close(struct grpc_server_handle *server, uint64_t grace_ns) {
  if (!server) return;
  atomic_bool_set(&server->closing, true);
  if (server->server) {
    if (server->threads_started) {
      shut_down(server, grace_ns);
    } else {
      shut_down_unstarted(server);
    }
    grpc_server_destroy(server->server);
  }
  if (server->queue) {
    grpc_completion_queue_shutdown(server->queue);
    for (uint32_t i = 0; i < server->threads_started; i++) thread_join(&server->threads[i]);
    if (!server->threads_started) grpc_completion_queue_next(server->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL);
    grpc_completion_queue_destroy(server->queue);
  }
  if (server->quota) grpc_resource_quota_unref(server->quota);
  if (server->fresh_certificates) grpc_ssl_server_certificate_config_destroy(server->fresh_certificates);
  grpc_runtime_release();
  free(server->threads);
  condition_finish(&server->changed);
  mutex_finish(&server->mutex);
  free(server);
}
