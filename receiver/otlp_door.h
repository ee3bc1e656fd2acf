// SPDX-License-Identifier: Apache-2.0
//
// What the two OTLP doors share: from the bytes of a request to the sink and back to an answer, with the counters. One
// door serves both transports. Any thread may call.
//
// Counters: culprit_received_requests_total{signal,transport}, culprit_received_items_total{signal} (accepted ones),
// culprit_received_bytes_total{signal} (on the wire), culprit_refused_requests_total{signal,reason},
// culprit_rejected_items_total{signal}.
#ifndef RECEIVER_OTLP_DOOR_H
#define RECEIVER_OTLP_DOOR_H

#include "base/decompress.h"
#include "base/metrics.h"
#include "proto/otlp_response.h"
#include "receiver/admission.h"
#include "receiver/sink.h"

struct otlp_door_options {
  struct admission_options limits; // sink, budget, keys, sizes
  uint32_t project;                // that everything sent here belongs to, unless the request says otherwise
  bool forward_metrics;            // false: metrics are answered with success and a warning that they are not stored
  struct metrics *metrics;         // must outlive the door
};

struct otlp_door;

// NULL for want of memory.
struct otlp_door *otlp_door_create(const struct otlp_door_options *options);
// No request may be in flight.
void otlp_door_destroy(struct otlp_door *door);

// Before the body is read: the key, then readiness.
enum status otlp_door_admit(const struct otlp_door *door, struct slice authorization, struct slice key,
                            struct error *error);
enum otlp_door_transport { OTLP_DOOR_GRPC, OTLP_DOOR_HTTP };
// Counts a request that never reached otlp_door_take.
void otlp_door_count_refusal(struct otlp_door *door, enum otlp_signal signal, enum otlp_door_transport transport,
                             enum status status);

// One request. `body` is borrowed for the call.
struct otlp_door_request {
  enum otlp_signal signal;
  enum otlp_door_transport transport;
  enum otlp_encoding encoding; // of the message
  enum encoding content;       // of the body
  uint32_t project;            // 0: the door's
  struct slice body;
  // Asked with the message in wire form, not validated yet, before it is handed on: anything but STATUS_OK, with words,
  // is the request's end. With done's context. May be NULL.
  enum status (*judge)(void *context, struct slice wire, struct error *error);
};
// Called exactly once per otlp_door_take, from any thread, maybe before it returns; must not block. response with
// STATUS_OK only, error otherwise; both are valid during the call.
typedef void (*otlp_door_done_fn)(void *context, enum status status, const struct otlp_response *response,
                                  const struct error *error);
void otlp_door_take(struct otlp_door *door, const struct otlp_door_request *request, otlp_door_done_fn done,
                    void *context);

#endif
