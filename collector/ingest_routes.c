// SPDX-License-Identifier: Apache-2.0
//
// How it works: the two tables of routes one behind the other; what the server asks goes to the door that owns the
// path.
#include "collector/ingest_routes.h"

#include <string.h>

void ingest_routes_init(struct ingest_routes *ingest, struct otlp_http *otlp, struct sentry_http *sentry) {
  size_t otlp_count, sentry_count;
  const struct http_route *otlp_routes = otlp_http_routes(otlp, &otlp_count);
  const struct http_route *sentry_routes = sentry_http_routes(sentry, &sentry_count);
  ASSERT(otlp_count + sentry_count <= INGEST_ROUTES_MAX);
  ingest->otlp = otlp;
  ingest->sentry = sentry;
  memcpy(ingest->routes, otlp_routes, otlp_count * sizeof(*otlp_routes));
  memcpy(ingest->routes + otlp_count, sentry_routes, sentry_count * sizeof(*sentry_routes));
  ingest->count = otlp_count + sentry_count;
}

enum status ingest_routes_admit(void *context, struct http_request *request, struct error *error) {
  struct ingest_routes *ingest = context;
  return sentry_http_owns(request) ? sentry_http_admit(ingest->sentry, request, error)
                                   : otlp_http_admit(ingest->otlp, request, error);
}

void ingest_routes_refuse(void *context, struct http_request *request, enum status status, const char *text) {
  struct ingest_routes *ingest = context;
  if (sentry_http_owns(request)) {
    sentry_http_refuse(ingest->sentry, request, status, text);
  } else {
    otlp_http_refuse(ingest->otlp, request, status, text);
  }
}
