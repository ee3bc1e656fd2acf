// SPDX-License-Identifier: Apache-2.0
//
// OTLP over HTTP: POST /v1/traces, /v1/logs and /v1/metrics, protobuf and JSON (OTLP 1.11, "OTLP/HTTP"), and the CORS
// preflights of browsers. Content encodings: identity, gzip, deflate, zstd, br. Every answer of these paths, refusals
// of the server included, is an Export response or a google.rpc.Status in the encoding of the request (JSON where the
// request has none that is served).
//
// The routes go into the table of an http_server, otlp_http_admit and otlp_http_refuse into its options; the object
// must outlive that server. Doors for other paths may share it: admit lets their requests pass, refuse answers them
// with a Status in JSON.
#ifndef RECEIVER_OTLP_HTTP_H
#define RECEIVER_OTLP_HTTP_H

#include "net/http_server.h"
#include "receiver/otlp_door.h"

struct otlp_http_options {
  struct otlp_door *door;
  // CORS: origins that browsers may send from, '*' in one matches any run of characters; none: CORS is off. Headers
  // that they may send beside the ones OTLP needs. The texts must outlive the object.
  const char *const *cors_origins;
  size_t cors_origin_count;
  const char *const *cors_headers;
  size_t cors_header_count;
  uint64_t cors_max_age_ns; // 0: no Access-Control-Max-Age
};

struct otlp_http;

// What Content-Type names, without its parameters; false when it is not served.
bool otlp_http_encoding(const struct http_request *request, enum otlp_encoding *out_encoding);

// STATUS_INVALID when the CORS headers do not fit into one header line.
enum status otlp_http_create(const struct otlp_http_options *options, struct otlp_http **out_http, struct error *error);
void otlp_http_destroy(struct otlp_http *http);

// The table; *out_count routes that live as long as the object.
const struct http_route *otlp_http_routes(const struct otlp_http *http, size_t *out_count);
// For http_server_options, with the otlp_http as their context.
enum status otlp_http_admit(void *http, struct http_request *request, struct error *error);
void otlp_http_refuse(void *http, struct http_request *request, enum status status, const char *text);

#endif
