// SPDX-License-Identifier: Apache-2.0
//
// One HTTP listener, two doors: OTLP's and Sentry's, each for its own paths, each answering in its own form.
#ifndef COLLECTOR_INGEST_ROUTES_H
#define COLLECTOR_INGEST_ROUTES_H

#include "net/http_server.h"
#include "receiver/otlp_http.h"
#include "receiver/sentry_http.h"

#define INGEST_ROUTES_MAX 64

struct ingest_routes {
  struct otlp_http *otlp;
  struct sentry_http *sentry;
  struct http_route routes[INGEST_ROUTES_MAX];
  size_t count;
};

// Both doors must outlive it.
void ingest_routes_init(struct ingest_routes *ingest, struct otlp_http *otlp, struct sentry_http *sentry);
// For http_server_options, with the ingest_routes as their context.
enum status ingest_routes_admit(void *ingest, struct http_request *request, struct error *error);
void ingest_routes_refuse(void *ingest, struct http_request *request, enum status status, const char *text);

#endif
