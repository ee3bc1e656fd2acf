// SPDX-License-Identifier: Apache-2.0
//
// How it works: pattern and path are walked segment by segment, the table from top to bottom. Segments are compared
// before they are percent-decoded, so that an encoded slash stays inside its segment. Tables have a few dozen routes: a
// walk costs less than building a tree would.
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

// Takes the segment behind the leading slash off *rest; false when nothing is left.
static bool next_segment(struct slice *rest, struct slice *out_segment) {
  if (rest->len == 0) return false;
  struct slice behind = rest->ptr[0] == '/' ? slice_skip(*rest, 1) : *rest;
  size_t end = slice_find_byte(behind, '/');
  *out_segment = slice_sub(behind, 0, end);
  *rest = slice_skip(behind, end);
  return true;
}

static void capture(struct http_route_match *match, struct slice text) {
  ASSERT(match->capture_count < HTTP_ROUTE_CAPTURES_MAX);
  match->captures[match->capture_count++] = text;
}

static bool matches(const char *pattern, struct slice path, struct http_route_match *match) {
  struct slice pattern_rest = slice_from_cstr(pattern);
  struct slice path_rest = path;
  struct slice wanted, segment;
  match->capture_count = 0;
  while (next_segment(&pattern_rest, &wanted)) {
    if (slice_equal_cstr(wanted, "{*}")) {
      capture(match, slice_skip(path_rest, 1));
      return true;
    }
    if (!next_segment(&path_rest, &segment)) return false;
    if (slice_equal_cstr(wanted, "{}")) {
      if (segment.len == 0) return false;
      capture(match, segment);
    } else if (!slice_equal(wanted, segment)) {
      return false;
    }
  }
  return path_rest.len == 0;
}

void http_route_find(const struct http_route *routes, size_t count, enum http_method method, struct slice path,
                     struct http_route_match *out_match) {
  struct http_route_match match = {0};
  *out_match = match;
  for (size_t i = 0; i < count; i++) {
    if (!matches(routes[i].path, path, &match)) continue;
    out_match->path_known = true;
    out_match->allowed |= 1u << routes[i].method;
    if (routes[i].method == HTTP_GET) out_match->allowed |= 1u << HTTP_HEAD;
    bool fits = routes[i].method == method || (method == HTTP_HEAD && routes[i].method == HTTP_GET);
    if (!fits || out_match->route) continue;
    out_match->route = &routes[i];
    memcpy(out_match->captures, match.captures, sizeof(match.captures));
    out_match->capture_count = match.capture_count;
  }
}
