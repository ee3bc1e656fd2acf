// SPDX-License-Identifier: Apache-2.0
//
// The paths that a Sentry DSN leads to: POST /api/<project>/envelope/, /store/ (and /api/store/), /security/ (and
// /csp-report/), /integration/otlp/v1/traces and /logs, and the lesser ones of receiver/sentry_side. Content encodings:
// identity, gzip, deflate, zstd, br. All answers, refusals of the server included, carry the CORS headers of browsers'
// SDKs and are in the form that SDKs expect; those of the OTLP paths are OTLP's.
//
// The routes go into the table of an http_server beside those of other doors; its admit and refuse functions must be
// called for the paths that sentry_http_owns. The object must outlive that server.
#ifndef RECEIVER_SENTRY_HTTP_H
#define RECEIVER_SENTRY_HTTP_H

#include "net/http_server.h"
#include "receiver/otlp_door.h"
#include "receiver/sentry_door.h"

struct sentry_http;

// NULL for want of memory. `otlp` takes what comes over the OTLP paths.
struct sentry_http *sentry_http_create(struct sentry_door *door, struct otlp_door *otlp);
void sentry_http_destroy(struct sentry_http *http);

#define SENTRY_HTTP_ROUTES_MAX 34
// The table; *out_count routes that live as long as the object.
const struct http_route *sentry_http_routes(const struct sentry_http *http, size_t *out_count);
// Everything under /api/, routed or not.
bool sentry_http_owns(const struct http_request *request);
// For http_server_options, with the sentry_http as their context.
enum status sentry_http_admit(void *http, struct http_request *request, struct error *error);
void sentry_http_refuse(void *http, struct http_request *request, enum status status, const char *text);

#endif
