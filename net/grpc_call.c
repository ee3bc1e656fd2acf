// SPDX-License-Identifier: Apache-2.0
//
// How it works: every call is one object and one tag in the completion queue; the stage says which operation ended. A
// call is three batches: it arrives (a slot was waiting for it), its message is received, its answer is sent. Before
// the message is asked for (until then flow control holds it back at the peer) the call pays a deposit to the budget;
// when it is there the difference to its real size is charged, until the answer: what the message was turned into is
// there for that long.
//
// A message that came in several reads is copied together into memory of the completion thread, the same for each:
// nothing is allocated, and the processor has it in its cache.
#include "net/grpc_call.h"

#include <grpc/slice.h>
#include <grpc/support/alloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"

#define DEPOSIT_BYTES    (UINT64_C(64) * 1024)
#define READ_DEADLINE_NS (30 * NS_PER_S)
#define CALLS_PER_SLOT   4u // calls at a time, per slot
#define SWEEP_BATCH      64u
#define CODE_UNAVAILABLE 14u
#define RETRY_MIN_MS     1000u
#define RETRY_SPREAD_MS  4000u
#define RETRY_INFO_TYPE  "type.googleapis.com/google.rpc.RetryInfo"

static uint64_t now_ns(void) {
  return clock_monotonic_ns(clock_system());
}

// ---- life

static void release_message(struct grpc_call_handle *call) {
  grpc_byte_buffer_destroy(call->payload); // of a message that was refused
  call->payload = NULL;
  if (call->charged_bytes) budget_release(call->server->options.budget, call->charged_bytes);
  call->charged_bytes = 0;
}

static void destroy(struct grpc_call_handle *call, bool arrived) {
  struct grpc_server_handle *server = call->server;
  release_message(call);
  grpc_byte_buffer_destroy(call->response);
  grpc_slice_unref(call->details_text);
  grpc_slice_unref(call->trailer.value);
  grpc_metadata_array_destroy(&call->metadata);
  grpc_call_details_destroy(&call->details);
  if (arrived) {
    mutex_lock(&server->mutex);
    if (call->previous) call->previous->next = call->next;
    if (call->next) call->next->previous = call->previous;
    if (server->calls == call) server->calls = call->next;
    server->call_count--;
    mutex_unlock(&server->mutex);
  }
  // A sweep takes its references to calls on the list under the mutex: this one is out of its reach now.
  if (call->call) grpc_call_unref(call->call);
  free(call);
  mutex_lock(&server->mutex);
  server->slot_count--;
  condition_broadcast(&server->changed);
  mutex_unlock(&server->mutex);
}

void grpc_call_request(struct grpc_server_handle *server) {
  if (atomic_bool_get(&server->closing)) return;
  struct grpc_call_handle *call = calloc(1, sizeof(*call));
  if (!call) return;
  call->server = server;
  call->details_text = grpc_empty_slice();
  call->trailer.value = grpc_empty_slice();
  atomic_u64_set(&call->read_deadline_ns, UINT64_MAX);
  grpc_call_details_init(&call->details);
  grpc_metadata_array_init(&call->metadata);
  mutex_lock(&server->mutex);
  server->slot_count++;
  mutex_unlock(&server->mutex);
  atomic_u64_set(&call->stage, GRPC_CALL_REQUESTED); // publishes all of the above to the thread that takes the call
  if (grpc_server_request_call(server->server, &call->call, &call->details, &call->metadata, server->queue,
                               server->queue, call) != GRPC_CALL_OK) {
    destroy(call, false);
  }
}

static void count_refusal(const struct grpc_call_handle *call, enum status status) {
  const struct grpc_server_options *options = &call->server->options;
  if (!options->on_refusal || call->method->handle == grpc_health_handle) return;
  options->on_refusal(options->refusal_context, call->method, status);
}

static bool charge(struct grpc_call_handle *call, uint64_t bytes) {
  struct budget *budget = call->server->options.budget;
  if (!budget) return true;
  if (bytes > call->charged_bytes) {
    if (!budget_charge(budget, bytes - call->charged_bytes)) return false;
  } else {
    budget_release(budget, call->charged_bytes - bytes);
  }
  call->charged_bytes = bytes;
  return true;
}

static const struct grpc_method *find_method(const struct grpc_server_handle *server, struct slice path) {
  static const struct grpc_method health = {.path = grpc_health_path, .handle = grpc_health_handle};
  for (size_t i = 0; i < server->options.method_count; i++) {
    if (slice_equal_cstr(path, server->options.methods[i].path)) return &server->options.methods[i];
  }
  return slice_equal_cstr(path, grpc_health_path) ? &health : NULL;
}

// "ipv4:192.0.2.1:5000" and "ipv6:[::1]:5000" to the address alone.
static void set_peer(struct grpc_call_handle *call) {
  if (call->peer[0]) return;
  char *uri = grpc_call_get_peer(call->call);
  if (!uri) return;
  struct slice text = slice_from_cstr(uri);
  text = slice_skip(text, slice_find_byte(text, ':') + 1);
  size_t end = text.len;
  while (end > 0 && text.ptr[end - 1] != ':') end--;
  if (end > 0) text.len = end - 1;
  if (slice_starts_with(text, SLICE_LITERAL("%5B"))) text = slice_sub(text, 3, text.len >= 6 ? text.len - 6 : 0);
  if (slice_starts_with(text, SLICE_LITERAL("["))) text = slice_sub(text, 1, text.len >= 2 ? text.len - 2 : 0);
  text = slice_sub(text, 0, sizeof(call->peer) - 1);
  memcpy(call->peer, text.ptr, text.len);
  gpr_free(uri);
}

static void read_message(struct grpc_call_handle *call) {
  atomic_u64_set(&call->read_deadline_ns, now_ns() + READ_DEADLINE_NS);
  grpc_call *native = call->call;
  atomic_u64_set(&call->stage, GRPC_CALL_READING);
  const grpc_op op = {.op = GRPC_OP_RECV_MESSAGE, .data.recv_message.recv_message = &call->payload};
  grpc_call_error failure = grpc_call_start_batch(native, &op, 1, call, NULL);
  ASSERT(failure == GRPC_CALL_OK);
}

// False when the caller's admit has finished the call.
static bool is_admitted(struct grpc_call_handle *call) {
  const struct grpc_server_options *options = &call->server->options;
  if (!options->admit || call->method->handle == grpc_health_handle) return true;
  set_peer(call);
  return options->admit(options->admit_context, call) == STATUS_OK;
}

static void on_arrival(struct grpc_call_handle *call) {
  struct grpc_server_handle *server = call->server;
  mutex_lock(&server->mutex);
  call->next = server->calls;
  if (call->next) call->next->previous = call;
  server->calls = call;
  bool crowded = ++server->call_count > (uint64_t)server->options.call_slots * CALLS_PER_SLOT;
  mutex_unlock(&server->mutex);
  grpc_call_request(server);
  call->method = find_method(server, grpc_runtime_view(&call->details.method));
  uint64_t deposit =
      server->options.message_bytes_max < DEPOSIT_BYTES ? server->options.message_bytes_max : DEPOSIT_BYTES;
  if (!call->method) {
    grpc_call_finish(call, GRPC_CODE_UNIMPLEMENTED, "no such method", slice_make(NULL, 0));
  } else if (crowded) {
    grpc_call_refuse(call, "too many calls at a time, try again");
  } else if (!charge(call, deposit)) {
    grpc_call_refuse(call, "too much is in flight, try again");
  } else if (is_admitted(call)) {
    read_message(call);
  }
}

// Has the message handled. The call may be gone when the handler returns.
static void handle(struct grpc_call_handle *call, struct buffer *scratch) {
  grpc_byte_buffer *payload = call->payload;
  call->payload = NULL;
  enum status status = grpc_runtime_whole(payload, scratch, &call->message);
  if (scratch->len > 0) { // it was copied
    grpc_byte_buffer_destroy(payload);
    payload = NULL;
  }
  if (status != STATUS_OK) {
    grpc_call_refuse(call, "out of memory, try again");
  } else {
    set_peer(call);
    bool health = call->method->handle == grpc_health_handle;
    call->method->handle(health ? call->server : call->method->context, call);
  }
  grpc_byte_buffer_destroy(payload);
}

static void on_message(struct grpc_call_handle *call, struct buffer *scratch) {
  atomic_u64_set(&call->stage, GRPC_CALL_HANDLED);
  atomic_u64_set(&call->read_deadline_ns, UINT64_MAX);
  if (!call->payload) {
    // The stream ended without one, or the call is dead already: cancelled, cut off, overdue. Its end will say which.
    call->empty = true;
    grpc_call_finish(call, GRPC_CODE_INVALID_ARGUMENT, "the call carries no message", slice_make(NULL, 0));
    return;
  }
  call->encoding = grpc_runtime_encoding(call->payload);
  size_t len = grpc_byte_buffer_length(call->payload), len_max = call->server->options.message_bytes_max;
  if (len > len_max) {
    char words[96];
    snprintf(words, sizeof(words), "a message of %zu bytes, at most %zu are taken", len, len_max);
    count_refusal(call, STATUS_TOO_LARGE);
    grpc_call_finish(call, GRPC_CODE_RESOURCE_EXHAUSTED, words, slice_make(NULL, 0));
    return;
  }
  if (!charge(call, len)) {
    grpc_call_refuse(call, "too much is in flight, try again");
    return;
  }
  handle(call, scratch);
}

void grpc_call_advance(struct grpc_call_handle *call, bool success, struct buffer *scratch) {
  switch ((enum grpc_call_stage)atomic_u64_get(&call->stage)) {
  case GRPC_CALL_REQUESTED:
    if (success) {
      on_arrival(call);
    } else {
      destroy(call, false); // the server is closing
    }
    break;
  case GRPC_CALL_READING: on_message(call, scratch); break;
  case GRPC_CALL_FINISHING:
    if (call->empty) count_refusal(call, call->cancelled ? STATUS_TIMEOUT : STATUS_INVALID);
    destroy(call, true);
    break;
  case GRPC_CALL_HANDLED: ASSERT(call == NULL); break; // no operation runs meanwhile
  }
}

void grpc_call_sweep(struct grpc_server_handle *server) {
  grpc_call *overdue[SWEEP_BATCH];
  size_t count = 0;
  uint64_t now = now_ns();
  mutex_lock(&server->mutex);
  for (struct grpc_call_handle *call = server->calls; call && count < SWEEP_BATCH; call = call->next) {
    if (atomic_u64_get(&call->read_deadline_ns) > now) continue;
    atomic_u64_set(&call->read_deadline_ns, UINT64_MAX);
    grpc_call_ref(call->call);
    overdue[count++] = call->call;
  }
  mutex_unlock(&server->mutex);
  for (size_t i = 0; i < count; i++) {
    grpc_call_cancel_with_status(overdue[i], GRPC_STATUS_DEADLINE_EXCEEDED, "the message did not arrive in time", NULL);
    grpc_call_unref(overdue[i]);
  }
}

// ---- what the handler reads

struct slice grpc_call_message(const struct grpc_call_handle *call) {
  return call->message;
}

enum encoding grpc_call_encoding(const struct grpc_call_handle *call) {
  return call->encoding;
}

struct slice grpc_call_metadata(const struct grpc_call_handle *call, const char *key) {
  return grpc_runtime_metadata(&call->metadata, key);
}

void *grpc_call_context(const struct grpc_call_handle *call) {
  return call->method->context;
}

struct slice grpc_call_peer(const struct grpc_call_handle *call) {
  return slice_from_cstr(call->peer);
}

// ---- the answer

void grpc_call_finish(struct grpc_call_handle *call, enum grpc_code code, const char *message, struct slice body) {
  ASSERT(atomic_u64_get(&call->stage) != GRPC_CALL_FINISHING);
  grpc_op ops[4] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}};
  size_t n = 1;
  grpc_op *status = &ops[n++];
  status->op = GRPC_OP_SEND_STATUS_FROM_SERVER;
  status->data.send_status_from_server.status = (grpc_status_code)code;
  if (code == GRPC_CODE_OK) {
    grpc_slice bytes = grpc_slice_from_copied_buffer((const char *)body.ptr, body.len);
    call->response = grpc_raw_byte_buffer_create(&bytes, 1);
    grpc_slice_unref(bytes);
    ops[n++] = (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = call->response};
  } else {
    call->details_text = grpc_slice_from_copied_string(message ? message : "");
    status->data.send_status_from_server.status_details = &call->details_text;
    if (body.len) {
      call->trailer.key = grpc_slice_from_static_string("grpc-status-details-bin");
      call->trailer.value = grpc_slice_from_copied_buffer((const char *)body.ptr, body.len);
      status->data.send_status_from_server.trailing_metadata = &call->trailer;
      status->data.send_status_from_server.trailing_metadata_count = 1;
    }
  }
  release_message(call); // before the peer can see the answer
  ops[n++] = (grpc_op){.op = GRPC_OP_RECV_CLOSE_ON_SERVER, .data.recv_close_on_server.cancelled = &call->cancelled};
  grpc_call *native = call->call;
  atomic_u64_set(&call->stage, GRPC_CALL_FINISHING); // publishes all of the above to the thread that destroys
  grpc_call_error failure = grpc_call_start_batch(native, ops, n, call, NULL);
  ASSERT(failure == GRPC_CALL_OK);
}

static void put_varint(struct buffer *out, uint64_t value) {
  for (; value >= 0x80; value >>= 7) buffer_append_byte(out, (uint8_t)(value | 0x80));
  buffer_append_byte(out, (uint8_t)value);
}

static void put_bytes(struct buffer *out, uint32_t field, struct slice bytes) {
  put_varint(out, (uint64_t)field << 3 | 2);
  put_varint(out, bytes.len);
  buffer_append_slice(out, bytes);
}

static void put_number(struct buffer *out, uint32_t field, uint64_t value) {
  put_varint(out, (uint64_t)field << 3);
  put_varint(out, value);
}

// google.rpc.Status{code, message, details: [Any{RetryInfo{retry_delay: Duration{seconds, nanos}}}]}, inside out. Each
// message is written behind its contents into one buffer of a known small size.
static void encode_retry(struct buffer *out, const char *message, uint64_t delay_ms) {
  struct buffer duration, retry, any;
  buffer_init(&duration, 64);
  buffer_init(&retry, 64);
  buffer_init(&any, 256);
  put_number(&duration, 1, delay_ms / 1000);
  put_number(&duration, 2, delay_ms % 1000 * NS_PER_MS);
  put_bytes(&retry, 1, buffer_slice(&duration));
  put_bytes(&any, 1, SLICE_LITERAL(RETRY_INFO_TYPE));
  put_bytes(&any, 2, buffer_slice(&retry));
  put_number(out, 1, CODE_UNAVAILABLE);
  put_bytes(out, 2, slice_from_cstr(message));
  put_bytes(out, 3, buffer_slice(&any));
  buffer_finish(&duration);
  buffer_finish(&retry);
  buffer_finish(&any);
}

void grpc_call_refuse(struct grpc_call_handle *call, const char *message) {
  count_refusal(call, STATUS_UNAVAILABLE);
  struct buffer status;
  buffer_init(&status, 1024);
  encode_retry(&status, message, RETRY_MIN_MS + random_u64() % RETRY_SPREAD_MS);
  grpc_call_finish(call, GRPC_CODE_UNAVAILABLE, message, buffer_slice(&status));
  buffer_finish(&status);
}
