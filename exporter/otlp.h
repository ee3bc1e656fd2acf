// SPDX-License-Identifier: Apache-2.0
//
// The OTLP exporter: a transport of exporter/delivery that sends to Jaeger or any OTLP backend, over gRPC or HTTP with
// protobuf. Which answers are tried again is OTLP 1.11's table ("Failures", gRPC and HTTP).
#ifndef EXPORTER_OTLP_H
#define EXPORTER_OTLP_H

#include <stdint.h>

#include "base/status.h"
#include "exporter/delivery.h"
#include "net/tls_settings.h"

enum otlp_protocol { OTLP_PROTOCOL_GRPC, OTLP_PROTOCOL_HTTP_PROTOBUF };

struct otlp_options {
  // gRPC: http://host:4317 or https://host:4317. HTTP: http://host:4318/v1/traces; without a path /v1/traces is
  // appended; logs and metrics go to the same URL with /v1/logs and /v1/metrics in its place.
  const char *endpoint;
  enum otlp_protocol protocol;
  bool compress_gzip;
  const char *const *headers; // "name: value"
  uint32_t header_count;
  uint64_t timeout_ns; // of one attempt
  struct tls_settings tls;
};

extern const struct delivery_transport otlp_transport;
// The context for otlp_transport. STATUS_INVALID names what is wrong with the endpoint or a header.
enum status otlp_create(const struct otlp_options *options, void **out_context, struct error *error);

// Exposed for tests: what an answer means.
enum delivery_outcome otlp_outcome_of_grpc(uint32_t code, bool has_retry_info);
enum delivery_outcome otlp_outcome_of_http(uint32_t code);

#endif
