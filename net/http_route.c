// SPDX-License-Identifier: Apache-2.0
//
// How it works: pattern and path are walked byte by byte, the table from top to bottom; most routes end at their first
// segment. Paths are compared before they are percent-decoded, so that an encoded slash stays inside its segment.
// Tables have a few dozen routes: a walk costs less than building a tree would.
#include "net/http_route.h"

#include <string.h>

static const char *const method_names[] = {
    [HTTP_GET] = "GET",     [HTTP_HEAD] = "HEAD",     [HTTP_POST] = "POST",       [HTTP_PUT] = "PUT",
    [HTTP_PATCH] = "PATCH", [HTTP_DELETE] = "DELETE", [HTTP_OPTIONS] = "OPTIONS", [HTTP_OTHER] = "OTHER",
};

const char *http_method_name(enum http_method method) {
  ASSERT(method <= HTTP_OTHER);
  return method_names[method];
}

enum http_method http_route_method(const char *name) {
  for (unsigned method = HTTP_GET; method < HTTP_OTHER; method++) {
    if (strcmp(name, method_names[method]) == 0) return (enum http_method)method;
  }
  return HTTP_OTHER;
}

size_t http_route_normalise(char *path, size_t len) {
  size_t to = 0;
  for (size_t from = 0; from < len; from++) {
    if (path[from] == '/' && to > 0 && path[to - 1] == '/') continue;
    path[to++] = path[from];
  }
  if (to > 1 && path[to - 1] == '/') to--;
  return to;
}

size_t http_route_decode(char *text, size_t len) {
  size_t to = 0;
  for (size_t from = 0; from < len; from++) {
    uint8_t byte = 0;
    if (text[from] == '%' && len - from > 2 && slice_from_hex(slice_make(text + from + 1, 2), &byte, 1)) {
      text[to++] = (char)byte;
      from += 2;
    } else {
      text[to++] = text[from];
    }
  }
  return to;
}

static void capture(struct http_route_match *match, const uint8_t *from, const uint8_t *to) {
  ASSERT(match->capture_count < HTTP_ROUTE_CAPTURES_MAX);
  match->captures[match->capture_count++] = slice_make(from, (size_t)(to - from));
}

static bool matches(const char *pattern, struct slice path, struct http_route_match *match) {
  const uint8_t *at = path.ptr, *end = path.ptr + path.len;
  match->capture_count = 0;
  for (; *pattern; pattern++) {
    if (*pattern == '/' && pattern[1] == '{' && pattern[2] == '*') { // "/{*}", the last segment
      if (at < end && *at != '/') return false;
      capture(match, at < end ? at + 1 : end, end);
      return true;
    }
    if (*pattern == '{') { // "{}"
      const uint8_t *from = at;
      while (at < end && *at != '/') at++;
      if (at == from) return false;
      capture(match, from, at);
      pattern++;
    } else if (at < end && *at == (uint8_t)*pattern) {
      at++;
    } else {
      return false;
    }
  }
  return at == end;
}

// The methods of all routes with the path: for who has none of them.
static uint32_t methods_of(const struct http_route *routes, size_t count, struct slice path) {
  uint32_t methods = 0;
  struct http_route_match match;
  for (size_t i = 0; i < count; i++) {
    if (!matches(routes[i].path, path, &match)) continue;
    methods |= 1u << routes[i].method;
    if (routes[i].method == HTTP_GET) methods |= 1u << HTTP_HEAD;
  }
  return methods;
}

void http_route_find(const struct http_route *routes, size_t count, enum http_method method, struct slice path,
                     struct http_route_match *out_match) {
  *out_match = (struct http_route_match){0};
  for (size_t i = 0; i < count; i++) {
    bool fits = routes[i].method == method || (method == HTTP_HEAD && routes[i].method == HTTP_GET);
    if (!fits || !matches(routes[i].path, path, out_match)) continue;
    out_match->route = &routes[i];
    return;
  }
  out_match->capture_count = 0; // of a route that went a part of the way
  out_match->allowed = methods_of(routes, count, path);
}
