// SPDX-License-Identifier: Apache-2.0
//
// How it works: one channel with its own connection and one completion queue that only the calling thread reads. A call
// is one batch of all operations; the thread waits in steps of POLL_NS to look at *cancel. gRPC core's own retries,
// proxies from the environment and decompression are off: the delivery retries, and a reply is inflated with our cap.
#include "net/grpc_client.h"

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "net/grpc_runtime.h"

#define POLL_NS           (50 * NS_PER_MS)
#define RESPONSE_DEFAULT  ((size_t)4 << 20)
#define SYSTEM_ROOTS_FILE "/etc/ssl/certs/ca-certificates.crt"
enum {
  METADATA_BYTES_MAX = 16 << 10,
  KEEPALIVE_MS = 30 * 1000,
  KEEPALIVE_TIMEOUT_MS = 10 * 1000,
  BACKOFF_FIRST_MS = 250,
  BACKOFF_MAX_MS = 5 * 1000,
  CONNECT_MS = 5 * 1000,
};

struct grpc_client {
  grpc_channel *channel;
  grpc_completion_queue *queue;
  grpc_metadata *headers;
  size_t header_count;
  size_t response_bytes_max;
  uint8_t *details; // of the last reply
};

// ---- create

static enum status make_credentials(const struct grpc_client_options *options, grpc_channel_credentials **out,
                                    struct error *error) {
  if (!options->use_tls) {
    *out = grpc_insecure_credentials_create();
    return STATUS_OK;
  }
  const struct tls_settings *tls = &options->tls;
  char *roots = NULL, *cert = NULL, *key = NULL;
  bool has_pair = tls_settings_given(tls->cert_file);
  enum status status =
      tls_settings_read(tls_settings_given(tls->ca_file) ? tls->ca_file : SYSTEM_ROOTS_FILE, &roots, error);
  if (status == STATUS_OK && has_pair) {
    status = tls_settings_given(tls->key_file) ? tls_settings_read(tls->cert_file, &cert, error)
                                               : error_set(error, STATUS_INVALID, "a certificate without a key file");
    if (status == STATUS_OK) status = tls_settings_read(tls->key_file, &key, error);
  }
  if (status == STATUS_OK) {
    grpc_ssl_pem_key_cert_pair pair = {.private_key = key, .cert_chain = cert};
    *out = grpc_ssl_credentials_create_ex(roots, has_pair ? &pair : NULL, NULL, NULL);
    if (!*out) status = error_set(error, STATUS_INVALID, "the TLS settings are not usable");
  }
  tls_settings_forget(roots);
  tls_settings_forget(cert);
  tls_settings_forget(key);
  return status;
}

static grpc_channel *create_channel(const struct grpc_client *client, const struct grpc_client_options *options,
                                    grpc_channel_credentials *credentials) {
  int response_bytes_max = client->response_bytes_max > INT32_MAX ? INT32_MAX : (int)client->response_bytes_max;
  grpc_arg list[] = {
      grpc_runtime_number(GRPC_ARG_ENABLE_RETRIES, 0),
      grpc_runtime_number(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
      grpc_runtime_number(GRPC_ARG_ENABLE_PER_MESSAGE_DECOMPRESSION, 0),
      grpc_runtime_number(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, response_bytes_max),
      grpc_runtime_number(GRPC_ARG_MAX_SEND_MESSAGE_LENGTH, -1),
      grpc_runtime_number(GRPC_ARG_MAX_METADATA_SIZE, METADATA_BYTES_MAX),
      grpc_runtime_number(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
      grpc_runtime_number(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
      grpc_runtime_number(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, BACKOFF_FIRST_MS),
      grpc_runtime_number(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, BACKOFF_MAX_MS),
      grpc_runtime_number(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, CONNECT_MS),
      grpc_runtime_number(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1),
      grpc_runtime_number(GRPC_ARG_ENABLE_CHANNELZ, 0),
      grpc_runtime_number(GRPC_COMPRESSION_CHANNEL_DEFAULT_ALGORITHM,
                          options->compress_gzip ? GRPC_COMPRESS_GZIP : GRPC_COMPRESS_NONE),
      {.type = GRPC_ARG_STRING,
       .key = (char *)(uintptr_t)GRPC_ARG_PRIMARY_USER_AGENT_STRING,
       .value.string = (char *)(uintptr_t) "culprit/" CULPRIT_VERSION},
  };
  const grpc_channel_args arguments = {.num_args = sizeof(list) / sizeof(list[0]), .args = list};
  return grpc_channel_create(options->target, credentials, &arguments);
}

static enum status copy_headers(struct grpc_client *client, const struct grpc_client_options *options,
                                struct error *error) {
  if (options->header_count == 0) return STATUS_OK;
  client->headers = calloc(options->header_count, sizeof(*client->headers));
  if (!client->headers) return error_set(error, STATUS_NO_MEMORY, "out of memory");
  for (size_t i = 0; i < options->header_count; i++) {
    grpc_metadata *header = &client->headers[client->header_count++];
    header->key = grpc_slice_from_copied_string(options->headers[i].name);
    header->value = grpc_slice_from_copied_string(options->headers[i].value);
    if (!grpc_header_key_is_legal(header->key) ||
        (!grpc_is_binary_header(header->key) && !grpc_header_nonbin_value_is_legal(header->value))) {
      return error_set(error, STATUS_INVALID, "header %s: not a legal gRPC header (lower-case name, printable value)",
                       options->headers[i].name);
    }
  }
  return STATUS_OK;
}

enum status grpc_client_create(const struct grpc_client_options *options, struct grpc_client **out_client,
                               struct error *error) {
  struct grpc_client *client = calloc(1, sizeof(*client));
  if (!client) return error_set(error, STATUS_NO_MEMORY, "out of memory");
  client->response_bytes_max = options->response_bytes_max ? options->response_bytes_max : RESPONSE_DEFAULT;
  grpc_runtime_acquire();
  client->queue = grpc_completion_queue_create_for_next(NULL);
  grpc_channel_credentials *credentials = NULL;
  enum status status = copy_headers(client, options, error);
  if (status == STATUS_OK) status = make_credentials(options, &credentials, error);
  if (status != STATUS_OK) {
    grpc_client_destroy(client);
    return status;
  }
  client->channel = create_channel(client, options, credentials);
  grpc_channel_credentials_release(credentials);
  *out_client = client;
  return STATUS_OK;
}

void grpc_client_destroy(struct grpc_client *client) {
  if (!client) return;
  if (client->channel) grpc_channel_destroy(client->channel);
  grpc_completion_queue_shutdown(client->queue);
  while (grpc_completion_queue_next(client->queue, gpr_inf_future(GPR_CLOCK_MONOTONIC), NULL).type !=
         GRPC_QUEUE_SHUTDOWN) {
  }
  grpc_completion_queue_destroy(client->queue);
  for (size_t i = 0; i < client->header_count; i++) {
    grpc_slice_unref(client->headers[i].key);
    grpc_slice_unref(client->headers[i].value);
  }
  free(client->headers);
  free(client->details);
  grpc_runtime_release();
  free(client);
}

// ---- call

struct exchange {
  grpc_call *call;
  grpc_byte_buffer *request, *response;
  grpc_metadata_array initial, trailing;
  grpc_status_code code;
  grpc_slice message;
};

static void start(struct grpc_client *client, struct exchange *exchange) {
  const grpc_op ops[] = {
      {.op = GRPC_OP_SEND_INITIAL_METADATA,
       .data.send_initial_metadata = {.count = client->header_count, .metadata = client->headers}},
      {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = exchange->request},
      {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
      {.op = GRPC_OP_RECV_INITIAL_METADATA, .data.recv_initial_metadata.recv_initial_metadata = &exchange->initial},
      {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &exchange->response},
      {.op = GRPC_OP_RECV_STATUS_ON_CLIENT,
       .data.recv_status_on_client = {.trailing_metadata = &exchange->trailing,
                                      .status = &exchange->code,
                                      .status_details = &exchange->message}},
  };
  grpc_call_error failure = grpc_call_start_batch(exchange->call, ops, sizeof(ops) / sizeof(ops[0]), exchange, NULL);
  ASSERT(failure == GRPC_CALL_OK);
}

static void wait_for_end(struct grpc_client *client, struct exchange *exchange, const struct atomic_bool_box *cancel) {
  bool cancelled = false;
  for (;;) {
    grpc_event event = grpc_completion_queue_next(client->queue, grpc_runtime_after(POLL_NS), NULL);
    if (event.type == GRPC_OP_COMPLETE && event.tag == exchange) return;
    if (cancel && !cancelled && atomic_bool_get(cancel)) {
      cancelled = true;
      grpc_call_cancel(exchange->call, NULL);
    }
  }
}

static void set_message(struct grpc_reply *reply, struct slice text) {
  snprintf(reply->message, sizeof(reply->message), "%.*s",
           SLICE_PRINTF(slice_sub(text, 0, sizeof(reply->message) - 1)));
}

// The reply's message, inflated, into the caller's buffer.
static void take_response(const struct grpc_client *client, grpc_byte_buffer *bytes, struct buffer *response,
                          struct grpc_reply *reply) {
  if (!bytes) {
    reply->code = GRPC_CODE_INTERNAL;
    set_message(reply, SLICE_LITERAL("the server sent OK without a message"));
    return;
  }
  size_t ceiling = response->max_bytes;
  if (response->max_bytes > client->response_bytes_max) response->max_bytes = client->response_bytes_max;
  enum encoding encoding = grpc_runtime_encoding(bytes);
  struct buffer scratch;
  buffer_init(&scratch, client->response_bytes_max);
  struct slice whole;
  enum status status = grpc_runtime_whole(bytes, &scratch, &whole);
  if (status == STATUS_OK && encoding == ENCODING_IDENTITY)
    status = buffer_append_slice(response, whole);
  else if (status == STATUS_OK)
    status = decompress(encoding, whole, response, NULL);
  buffer_finish(&scratch);
  response->max_bytes = ceiling;
  if (status == STATUS_OK) return;
  // Without RetryInfo RESOURCE_EXHAUSTED is not retried, as OTLP 1.11 asks for an over-large response.
  reply->code = status == STATUS_TOO_LARGE ? GRPC_CODE_RESOURCE_EXHAUSTED : GRPC_CODE_INTERNAL;
  set_message(reply, SLICE_LITERAL("the reply is over the limit or not decodable"));
}

void grpc_client_call(struct grpc_client *client, const char *path, struct slice message, uint64_t deadline_ns,
                      const struct atomic_bool_box *cancel, struct buffer *response, struct grpc_reply *out_reply) {
  struct exchange exchange = {.code = GRPC_STATUS_UNKNOWN, .message = grpc_empty_slice()};
  grpc_metadata_array_init(&exchange.initial);
  grpc_metadata_array_init(&exchange.trailing);
  grpc_slice bytes = grpc_slice_from_copied_buffer((const char *)message.ptr, message.len);
  exchange.request = grpc_raw_byte_buffer_create(&bytes, 1);
  grpc_slice_unref(bytes);
  grpc_slice method = grpc_slice_from_copied_string(path);
  exchange.call = grpc_channel_create_call(client->channel, NULL, 0, client->queue, method, NULL,
                                           grpc_runtime_after(deadline_ns), NULL);
  grpc_slice_unref(method);
  start(client, &exchange);
  wait_for_end(client, &exchange, cancel);

  struct grpc_reply reply = {.code = exchange.code > GRPC_STATUS_UNAUTHENTICATED ? GRPC_CODE_UNKNOWN
                                                                                 : (enum grpc_code)exchange.code};
  set_message(&reply, grpc_runtime_view(&exchange.message));
  buffer_clear(response);
  if (reply.code == GRPC_CODE_OK) take_response(client, exchange.response, response, &reply);
  struct slice details = grpc_runtime_metadata(&exchange.trailing, "grpc-status-details-bin");
  free(client->details);
  client->details = details.len ? malloc(details.len) : NULL;
  if (client->details) {
    memcpy(client->details, details.ptr, details.len);
    reply.details = slice_make(client->details, details.len);
  }
  grpc_slice_unref(exchange.message);
  grpc_metadata_array_destroy(&exchange.initial);
  grpc_metadata_array_destroy(&exchange.trailing);
  grpc_byte_buffer_destroy(exchange.request);
  grpc_byte_buffer_destroy(exchange.response);
  grpc_call_unref(exchange.call);
  *out_reply = reply;
}
