// SPDX-License-Identifier: Apache-2.0
//
// The answers of OTLP (1.11, "Full Success", "Partial Success", "Failures"): Export{Trace,Logs,Metrics}ServiceResponse
// and google.rpc.Status, written in protobuf and JSON for our clients, read from protobuf for our exporters.
//
// Answers are bounded by the buffer they are written to: where the whole does not fit, the human message is shortened
// first (at a character), then left out; only then it is STATUS_TOO_LARGE. Messages need not be UTF-8, invalid
// sequences become U+FFFD. Pure functions, any thread.
#ifndef PROTO_OTLP_RESPONSE_H
#define PROTO_OTLP_RESPONSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"
#include "proto/otlp_scan.h"

#define OTLP_RESPONSE_BYTES_MAX ((size_t)4 << 20) // what the specification recommends, both ways

enum otlp_encoding { OTLP_PROTOBUF, OTLP_JSON };

// What an Export response says. rejected 0 and no message is full success: the field partial_success is not written at
// all then (zero bytes, "{}"); rejected 0 with a message is a warning.
struct otlp_response {
  uint64_t rejected; // spans, log records or data points
  struct slice message;
};

// Appends the response. STATUS_TOO_LARGE leaves `out` as it was.
enum status otlp_response_write(enum otlp_signal signal, enum otlp_encoding encoding,
                                const struct otlp_response *response, struct buffer *out);
// Reads a protobuf response; the message is a view into `bytes`. The three signals share one form. An empty
// partial_success, or none, is full success; a negative count is read as 0.
enum status otlp_response_read(struct slice bytes, struct otlp_response *out_response, struct error *error);

// google.rpc.Status. The details that OTLP gives a meaning: RetryInfo, and one field violation of BadRequest.
struct otlp_status {
  uint32_t code; // google.rpc.Code, which is gRPC's
  struct slice message;
  bool has_retry;
  uint64_t retry_ns;       // RetryInfo.retry_delay
  struct slice bad_field;  // BadRequest is written when this or
  struct slice bad_reason; // this is not empty
};

// Appends the status. STATUS_TOO_LARGE leaves `out` as it was.
enum status otlp_response_write_status(enum otlp_encoding encoding, const struct otlp_status *status,
                                       struct buffer *out);
// Reads a protobuf Status (an HTTP error body, grpc-status-details-bin); texts are views into `bytes`. Unknown details
// are skipped, of several field violations the first is taken. A negative delay is read as 0.
enum status otlp_response_read_status(struct slice bytes, struct otlp_status *out_status, struct error *error);

#endif
