// SPDX-License-Identifier: Apache-2.0
//
// How it works: the head of a request (path, headers, query) is copied into one allocation when libmicrohttpd has
// parsed it; the body grows by doubling, each step charged to the budget first. A reply becomes a libmicrohttpd
// response in the thread that replies; see http_request.h for how it reaches the connection.
#include "net/http_request.h"

#include <stdlib.h>
#include <string.h>

#include "net/http_server_private.h"

enum {
  PAIRS_MAX = 256,
  BODY_STEP_BYTES = 16 * 1024,
  BODY_CLAIM_BYTES = 1024 * 1024,
  REQUEST_HEAD_BYTES_MAX = 64 * 1024
};

struct http_request *http_request_create(struct http_server *server, struct MHD_Connection *connection) {
  struct http_request *request = calloc(1, sizeof(*request));
  if (!request) return NULL;
  request->server = server;
  request->connection = connection;
  atomic_u64_set(&request->references, 1);
  return request;
}

void http_request_drop_body(struct http_request *request) {
  free(request->body);
  if (request->budget && request->body_capacity) budget_release(request->budget, request->body_capacity);
  request->body = NULL;
  request->body_len = request->body_capacity = 0;
}

void http_request_release(struct http_request *request) {
  if (atomic_u64_sub(&request->references, 1) != 1) return;
  http_request_drop_body(request);
  if (request->response) MHD_destroy_response(request->response);
  for (uint32_t i = 0; i < request->reply_header_count; i++) {
    free(request->reply_names[i]);
    free(request->reply_values[i]);
  }
  free(request->pairs);
  free(request->text);
  free(request);
}

// ---- the head

struct head_copy {
  struct http_request_pair pairs[PAIRS_MAX];
  uint32_t count;
  size_t bytes;
  bool overflow;
};

// A token of RFC 9110: no blank before the colon, no control bytes.
static bool is_token(struct slice name) {
  for (size_t i = 0; i < name.len; i++) {
    if (name.ptr[i] <= 0x20 || name.ptr[i] >= 0x7f) return false;
  }
  return name.len > 0;
}

// libmicrohttpd hands out NUL-terminated texts inside its read buffer, in which it has overwritten the colon and the
// line end with NULs. It takes a NUL inside a value for its end, a bare LF for a line end, and garbles folded lines;
// all three show in where the texts lie: name NUL blanks value NUL NUL, and then the next name.
static const char *layout_fault(const struct head_copy *copy) {
  for (uint32_t i = 0; i < copy->count; i++) {
    struct slice name = copy->pairs[i].name, value = copy->pairs[i].value;
    if (!is_token(name)) return "a header name is not a token";
    uintptr_t name_end = (uintptr_t)name.ptr + name.len, value_start = (uintptr_t)value.ptr;
    if (value_start <= name_end || value_start - name_end > REQUEST_HEAD_BYTES_MAX) return "a header line is folded";
    for (const uint8_t *blank = name.ptr + name.len + 1; blank < value.ptr; blank++) {
      if (*blank != ' ' && *blank != '\t') return "a header line is folded";
    }
    bool last = i + 1 == copy->count;
    uintptr_t next = last ? value_start + value.len + 2 : (uintptr_t)copy->pairs[i + 1].name.ptr;
    if (next != value_start + value.len + 2 || value.ptr[value.len + 1] != 0) {
      return "a header holds a NUL or ends without CRLF";
    }
  }
  return NULL;
}

static enum MHD_Result collect_pair(void *context, enum MHD_ValueKind kind, const char *key, size_t key_len,
                                    const char *value, size_t value_len) {
  (void)kind;
  struct head_copy *copy = context;
  if (copy->count == PAIRS_MAX) {
    copy->overflow = true;
    return MHD_NO;
  }
  struct http_request_pair *pair = &copy->pairs[copy->count++];
  pair->name = slice_make(key, key_len);
  pair->value = slice_make(value ? value : "", value ? value_len : 0);
  copy->bytes += key_len + pair->value.len;
  return MHD_YES;
}

// Copies `bytes` to *cursor and moves it on.
static struct slice place(char **cursor, struct slice bytes) {
  if (bytes.len) memcpy(*cursor, bytes.ptr, bytes.len);
  struct slice copy = slice_make(*cursor, bytes.len);
  *cursor += bytes.len;
  return copy;
}

static struct slice decoded(struct slice text) {
  // The bytes are in request->text, which is ours to write.
  return slice_make(text.ptr, http_route_decode((char *)(uintptr_t)text.ptr, text.len));
}

static void read_path(struct http_request *request, char **cursor, const char *url) {
  struct slice matched = place(cursor, slice_from_cstr(url));
  matched.len = http_route_normalise((char *)(uintptr_t)matched.ptr, matched.len);
  struct http_route_match match;
  const struct http_server_options *options = &request->server->options;
  http_route_find(options->routes, options->route_count, request->method, matched, &match);
  request->route = match.route;
  if (!match.route) {
    request->refusal = match.path_known ? STATUS_METHOD : STATUS_NOT_FOUND;
    if (match.path_known) http_server_add_allow(request, match.allowed);
  }
  // The path is decoded in a second copy, so that captures keep the borders they were matched with.
  request->path = decoded(place(cursor, matched));
  request->capture_count = match.capture_count;
  for (uint32_t i = 0; i < match.capture_count; i++) request->captures[i] = decoded(match.captures[i]);
}

enum status http_request_read_head(struct http_request *request, const char *url, const char *method) {
  request->method = http_route_method(method);
  struct head_copy copy;
  copy.count = 0;
  copy.bytes = 2 * strlen(url) + 1;
  copy.overflow = false;
  MHD_get_connection_values_n(request->connection, MHD_HEADER_KIND, collect_pair, &copy);
  uint32_t header_count = copy.count;
  request->layout_fault = layout_fault(&copy);
  MHD_get_connection_values_n(request->connection, MHD_GET_ARGUMENT_KIND, collect_pair, &copy);
  request->too_many = copy.overflow;
  request->text = malloc(copy.bytes);
  request->pairs = calloc(copy.count + 1, sizeof(*request->pairs));
  if (!request->text || !request->pairs) return STATUS_NO_MEMORY;
  request->header_count = header_count;
  request->pair_count = copy.count;
  char *cursor = request->text;
  for (uint32_t i = 0; i < copy.count; i++) {
    struct http_request_pair *pair = &request->pairs[i];
    pair->name = place(&cursor, copy.pairs[i].name);
    pair->value = place(&cursor, copy.pairs[i].value);
    if (i >= header_count) *pair = (struct http_request_pair){decoded(pair->name), decoded(pair->value)};
  }
  read_path(request, &cursor, url);
  return STATUS_OK;
}

uint32_t http_request_header_count(const struct http_request *request, const char *name) {
  uint32_t count = 0;
  for (uint32_t i = 0; i < request->header_count; i++) {
    count += slice_equal_ignore_case(request->pairs[i].name, slice_from_cstr(name));
  }
  return count;
}

// ---- the body

static enum status grow(struct http_request *request, size_t bytes) {
  if (bytes <= request->body_capacity) return STATUS_OK;
  size_t more = bytes - request->body_capacity;
  if (request->budget && !budget_charge(request->budget, more)) return STATUS_UNAVAILABLE;
  uint8_t *body = realloc(request->body, bytes);
  if (!body) {
    if (request->budget) budget_release(request->budget, more);
    return STATUS_UNAVAILABLE;
  }
  request->body = body;
  request->body_capacity = bytes;
  return STATUS_OK;
}

enum status http_request_expect(struct http_request *request, uint64_t bytes) {
  if (bytes > request->body_bytes_max) return STATUS_TOO_LARGE;
  request->body_said = (size_t)bytes;
  if (bytes <= BODY_CLAIM_BYTES) return grow(request, (size_t)bytes);
  if (request->budget) {
    uint64_t max = budget_max(request->budget), used = budget_used(request->budget);
    if (used > max || bytes > max - used) return STATUS_UNAVAILABLE;
  }
  return grow(request, BODY_CLAIM_BYTES);
}

enum status http_request_append(struct http_request *request, const void *bytes, size_t len) {
  if (len > request->body_bytes_max - request->body_len) return STATUS_TOO_LARGE;
  size_t needed = request->body_len + len;
  if (needed > request->body_capacity) {
    size_t wanted = request->body_capacity * 2 < BODY_STEP_BYTES ? BODY_STEP_BYTES : request->body_capacity * 2;
    if (wanted < needed) wanted = needed;
    size_t most = request->body_said >= needed ? request->body_said : request->body_bytes_max;
    if (wanted > most) wanted = most;
    enum status status = grow(request, wanted);
    if (status != STATUS_OK) return status;
  }
  memcpy(request->body + request->body_len, bytes, len);
  request->body_len = needed;
  return STATUS_OK;
}

// ---- what the owner reads

enum http_method http_request_method(const struct http_request *request) {
  return request->method;
}

struct slice http_request_path(const struct http_request *request) {
  return request->path;
}

struct slice http_request_capture(const struct http_request *request, uint32_t index) {
  return index < request->capture_count ? request->captures[index] : slice_make(NULL, 0);
}

struct slice http_request_header(const struct http_request *request, const char *name) {
  for (uint32_t i = 0; i < request->header_count; i++) {
    if (slice_equal_ignore_case(request->pairs[i].name, slice_from_cstr(name))) return request->pairs[i].value;
  }
  return slice_make(NULL, 0);
}

struct slice http_request_query(const struct http_request *request, const char *name) {
  for (uint32_t i = request->header_count; i < request->pair_count; i++) {
    if (slice_equal_cstr(request->pairs[i].name, name)) return request->pairs[i].value;
  }
  return slice_make(NULL, 0);
}

bool http_request_query_at(const struct http_request *request, uint32_t index, struct slice *out_name,
                           struct slice *out_value) {
  if (index >= request->pair_count - request->header_count) return false;
  const struct http_request_pair *pair = &request->pairs[request->header_count + index];
  *out_name = pair->name;
  *out_value = pair->value;
  return true;
}

struct slice http_request_body(const struct http_request *request) {
  return slice_make(request->body, request->body_len);
}

struct slice http_request_peer(const struct http_request *request) {
  return slice_from_cstr(request->peer);
}

// ---- replies

struct MHD_Response *http_request_text_response(const char *text) {
  struct MHD_Response *response =
      MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_MUST_COPY);
  if (response) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/plain; charset=utf-8");
  return response;
}

void http_request_add_header(struct http_request *request, const char *name, const char *value) {
  ASSERT(request->reply_header_count < HTTP_REQUEST_REPLY_HEADERS_MAX);
  char *name_copy = strdup(name);
  char *value_copy = strdup(value);
  if (!name_copy || !value_copy) {
    free(name_copy);
    free(value_copy);
    return;
  }
  request->reply_names[request->reply_header_count] = name_copy;
  request->reply_values[request->reply_header_count++] = value_copy;
}

static void reply(struct http_request *request, uint32_t code, const char *content_type, struct slice body,
                  enum MHD_ResponseMemoryMode mode) {
  ASSERT(!request->response);
  ASSERT(code >= 200 && code < 600);
  struct MHD_Response *response = MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.ptr, mode);
  if (response) {
    if (content_type) MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    for (uint32_t i = 0; i < request->reply_header_count; i++) {
      MHD_add_response_header(response, request->reply_names[i], request->reply_values[i]);
    }
  }
  http_request_drop_body(request); // `body` may have pointed into it until here; a slow reader must not hold the budget
  request->response = response;    // NULL, for want of memory, closes the connection
  request->code = code;
  http_server_wake(request);
}

void http_request_reply(struct http_request *request, uint32_t code, const char *content_type, struct slice body) {
  reply(request, code, content_type, body, MHD_RESPMEM_MUST_COPY);
}

void http_request_reply_static(struct http_request *request, uint32_t code, const char *content_type,
                               struct slice body) {
  reply(request, code, content_type, body, MHD_RESPMEM_PERSISTENT);
}
