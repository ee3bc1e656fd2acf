// SPDX-License-Identifier: Apache-2.0
//
// How it works: admit looks at the headers alone (content type, content encoding, key, readiness), so that whatever is
// refused for them costs no body; the handler then only has to pass the body on. What waits for the answer is a small
// struct with what the reply depends on.
//
// CORS: an allowed origin is echoed, never "*", since browsers send beacons with credentials and then want its name. A
// foreign origin gets its answer without CORS headers: the browser is who refuses.
#include "receiver/otlp_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "receiver/reply.h"

enum { SIGNALS = 3, ROUTES = 2 * SIGNALS, CORS_HEADERS_BYTES_MAX = 4096, ORIGIN_BYTES_MAX = 512 };
#define CORS_HEADERS_BASE "Content-Type, Content-Encoding, Authorization, X-Culprit-Key, X-Requested-With"

struct endpoint {
  struct otlp_http *http;
  enum otlp_signal signal;
};

struct otlp_http {
  struct otlp_http_options options;
  struct endpoint endpoints[SIGNALS];
  struct http_route routes[ROUTES];
  char cors_headers[CORS_HEADERS_BYTES_MAX];
};

static const char *const paths[SIGNALS] = {
    [OTLP_TRACES] = "/v1/traces", [OTLP_LOGS] = "/v1/logs", [OTLP_METRICS] = "/v1/metrics"};

// ---- what a request says of itself

static bool signal_of(const struct http_request *request, enum otlp_signal *out_signal) {
  for (unsigned signal = OTLP_TRACES; signal < SIGNALS; signal++) {
    if (!slice_equal_cstr(http_request_path(request), paths[signal])) continue;
    *out_signal = (enum otlp_signal)signal;
    return true;
  }
  return false;
}

bool otlp_http_encoding(const struct http_request *request, enum otlp_encoding *out_encoding) {
  struct slice type = http_request_header(request, "content-type");
  type = slice_trim(slice_sub(type, 0, slice_find_byte(type, ';')));
  if (slice_equal_ignore_case(type, SLICE_LITERAL("application/x-protobuf"))) {
    *out_encoding = OTLP_PROTOBUF;
  } else if (slice_equal_ignore_case(type, SLICE_LITERAL("application/json"))) {
    *out_encoding = OTLP_JSON;
  } else {
    return false;
  }
  return true;
}

// The next element of a comma-separated list, trimmed; false at its end.
static bool next_element(struct slice *rest, struct slice *out_element) {
  if (rest->len == 0) return false;
  size_t comma = slice_find_byte(*rest, ',');
  *out_element = slice_trim(slice_sub(*rest, 0, comma));
  *rest = slice_skip(*rest, comma + 1);
  return true;
}

// A weight of zero ("q=0", "q=0.000") says no (RFC 9110, 12.4.2).
static bool is_refused(struct slice parameters) {
  size_t at = slice_find(parameters, SLICE_LITERAL("q="));
  if (at >= parameters.len) return false;
  struct slice weight = slice_trim(slice_skip(parameters, at + 2));
  for (size_t i = 0; i < weight.len && weight.ptr[i] != ';'; i++) {
    if (weight.ptr[i] != '0' && weight.ptr[i] != '.') return false;
  }
  return weight.len > 0;
}

static bool accepts_gzip(const struct http_request *request) {
  struct slice rest = http_request_header(request, "accept-encoding");
  struct slice element;
  while (next_element(&rest, &element)) {
    size_t semicolon = slice_find_byte(element, ';');
    struct slice name = slice_trim(slice_sub(element, 0, semicolon));
    if (slice_equal_ignore_case(name, SLICE_LITERAL("gzip"))) return !is_refused(slice_skip(element, semicolon + 1));
  }
  return false;
}

// ---- CORS

// `pattern` with '*' for any run of characters; ASCII case is ignored, as hosts have none. Walks with one point of
// return, the last '*'.
static bool origin_matches(struct slice pattern, struct slice origin) {
  size_t p = 0, o = 0, star = pattern.len, resume = 0;
  while (o < origin.len) {
    bool same = p < pattern.len && pattern.ptr[p] != '*' &&
                slice_equal_ignore_case(slice_sub(pattern, p, 1), slice_sub(origin, o, 1));
    if (same) {
      p++;
      o++;
    } else if (p < pattern.len && pattern.ptr[p] == '*') {
      star = p++;
      resume = o;
    } else if (star < pattern.len) {
      p = star + 1;
      o = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.len && pattern.ptr[p] == '*') p++;
  return p == pattern.len;
}

static bool is_allowed_origin(const struct otlp_http *http, struct slice origin) {
  if (origin.len == 0 || origin.len >= ORIGIN_BYTES_MAX) return false;
  for (size_t i = 0; i < http->options.cors_origin_count; i++) {
    if (origin_matches(slice_from_cstr(http->options.cors_origins[i]), origin)) return true;
  }
  return false;
}

// True when the request comes from an allowed origin.
static bool add_cors_headers(const struct otlp_http *http, struct http_request *request) {
  if (http->options.cors_origin_count == 0) return false;
  struct slice origin = http_request_header(request, "origin");
  http_request_add_header(request, "Vary", "Origin");
  if (!is_allowed_origin(http, origin)) return false;
  char text[ORIGIN_BYTES_MAX];
  snprintf(text, sizeof(text), "%.*s", SLICE_PRINTF(origin));
  http_request_add_header(request, "Access-Control-Allow-Origin", text);
  http_request_add_header(request, "Access-Control-Allow-Credentials", "true");
  http_request_add_header(request, "Access-Control-Expose-Headers", "Retry-After");
  return true;
}

static void on_preflight(void *context, struct http_request *request) {
  const struct endpoint *endpoint = context;
  const struct otlp_http *http = endpoint->http;
  http_request_add_header(request, "Allow", "POST, OPTIONS");
  if (add_cors_headers(http, request)) {
    http_request_add_header(request, "Access-Control-Allow-Methods", "POST");
    http_request_add_header(request, "Access-Control-Allow-Headers", http->cors_headers);
    if (http->options.cors_max_age_ns) {
      char seconds[24];
      snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long)(http->options.cors_max_age_ns / NS_PER_S));
      http_request_add_header(request, "Access-Control-Max-Age", seconds);
    }
  }
  reply_http_no_content(request);
}

// ---- Export

struct waiting {
  struct http_request *request;
  enum otlp_signal signal;
  enum otlp_encoding encoding;
  bool accept_gzip;
};

static void on_done(void *context, enum status status, const struct otlp_response *response,
                    const struct error *error) {
  struct waiting *waiting = context;
  if (status == STATUS_OK) {
    reply_otlp_http_success(waiting->request, waiting->encoding, waiting->signal, response, waiting->accept_gzip);
  } else {
    reply_otlp_http_failure(waiting->request, waiting->encoding, status, error);
  }
  free(waiting);
}

static void on_export(void *context, struct http_request *request) {
  const struct endpoint *endpoint = context;
  struct otlp_door_request take = {
      .signal = endpoint->signal, .transport = OTLP_DOOR_HTTP, .body = http_request_body(request)};
  // admit has seen both headers already.
  bool served = otlp_http_encoding(request, &take.encoding) &&
                encoding_parse(slice_trim(http_request_header(request, "content-encoding")), &take.content);
  ASSERT(served);
  struct waiting *waiting = malloc(sizeof(*waiting));
  if (!waiting) {
    otlp_http_refuse(endpoint->http, request, STATUS_UNAVAILABLE, "out of memory, try again");
    return;
  }
  *waiting = (struct waiting){
      .request = request, .signal = endpoint->signal, .encoding = take.encoding, .accept_gzip = accepts_gzip(request)};
  add_cors_headers(endpoint->http, request);
  otlp_door_take(endpoint->http->options.door, &take, on_done, waiting);
}

enum status otlp_http_admit(void *context, struct http_request *request, struct error *error) {
  const struct otlp_http *http = context;
  enum otlp_signal signal;
  if (!signal_of(request, &signal) || http_request_method(request) == HTTP_OPTIONS) return STATUS_OK;
  enum status status = otlp_door_admit(http->options.door, http_request_header(request, "authorization"),
                                       http_request_header(request, "x-culprit-key"), error);
  if (status != STATUS_OK) return status;
  enum otlp_encoding encoding;
  if (!otlp_http_encoding(request, &encoding)) {
    return error_set(error, STATUS_UNSUPPORTED, "Content-Type: application/x-protobuf and application/json are served");
  }
  enum encoding content;
  if (!encoding_parse(slice_trim(http_request_header(request, "content-encoding")), &content)) {
    return error_set(error, STATUS_UNSUPPORTED,
                     "Content-Encoding: identity, gzip, deflate, zstd and br are served, one at a time");
  }
  return STATUS_OK;
}

void otlp_http_refuse(void *context, struct http_request *request, enum status status, const char *text) {
  struct otlp_http *http = context;
  enum otlp_signal signal;
  enum otlp_encoding encoding = OTLP_JSON;
  otlp_http_encoding(request, &encoding);
  if (signal_of(request, &signal)) {
    otlp_door_count_refusal(http->options.door, signal, OTLP_DOOR_HTTP, status);
    add_cors_headers(http, request);
  }
  struct error error;
  error_set(&error, status, "%s", text);
  reply_otlp_http_failure(request, encoding, status, &error);
}

// ---- create

static enum status join_cors_headers(struct otlp_http *http, struct error *error) {
  int used = snprintf(http->cors_headers, sizeof(http->cors_headers), "%s", CORS_HEADERS_BASE);
  for (size_t i = 0; i < http->options.cors_header_count; i++) {
    size_t left = sizeof(http->cors_headers) - (size_t)used;
    int more = snprintf(http->cors_headers + used, left, ", %s", http->options.cors_headers[i]);
    if (more < 0 || (size_t)more >= left) {
      return error_set(error, STATUS_INVALID, "cors.allowed_headers: more than %d bytes", CORS_HEADERS_BYTES_MAX);
    }
    used += more;
  }
  return STATUS_OK;
}

enum status otlp_http_create(const struct otlp_http_options *options, struct otlp_http **out_http,
                             struct error *error) {
  struct otlp_http *http = calloc(1, sizeof(*http));
  if (!http) return error_set(error, STATUS_NO_MEMORY, "out of memory");
  http->options = *options;
  enum status status = join_cors_headers(http, error);
  if (status != STATUS_OK) {
    free(http);
    return status;
  }
  for (unsigned signal = OTLP_TRACES; signal < SIGNALS; signal++) {
    struct endpoint *endpoint = &http->endpoints[signal];
    *endpoint = (struct endpoint){.http = http, .signal = (enum otlp_signal)signal};
    http->routes[2 * signal] = (struct http_route){HTTP_POST, paths[signal], on_export, endpoint};
    http->routes[2 * signal + 1] = (struct http_route){HTTP_OPTIONS, paths[signal], on_preflight, endpoint};
  }
  *out_http = http;
  return STATUS_OK;
}

void otlp_http_destroy(struct otlp_http *http) {
  free(http);
}

const struct http_route *otlp_http_routes(const struct otlp_http *http, size_t *out_count) {
  *out_count = ROUTES;
  return http->routes;
}
