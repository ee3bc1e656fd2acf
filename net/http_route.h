// SPDX-License-Identifier: Apache-2.0
//
// Paths of requests against paths of routes; inside net/ only. Pure functions, any thread.
#ifndef NET_HTTP_ROUTE_H
#define NET_HTTP_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "net/http_server.h"

#define HTTP_ROUTE_CAPTURES_MAX 8

enum http_method http_route_method(const char *name);

// Collapses repeated slashes and drops one trailing slash (not the only one), in place; returns the new length.
size_t http_route_normalise(char *path, size_t len);
// Percent-decodes in place; a '%' that two hex digits do not follow stays. Returns the new length.
size_t http_route_decode(char *text, size_t len);

struct http_route_match {
  const struct http_route *route;                 // NULL: none
  uint32_t allowed;                               // without a route: bit per enum http_method that the path has one of
  struct slice captures[HTTP_ROUTE_CAPTURES_MAX]; // views into `path`, still encoded
  uint32_t capture_count;
};
// The first route of the table that fits; a HEAD request takes a GET route. `path` is normalised and still encoded.
void http_route_find(const struct http_route *routes, size_t count, enum http_method method, struct slice path,
                     struct http_route_match *out_match);

#endif
