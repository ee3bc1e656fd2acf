// SPDX-License-Identifier: Apache-2.0
//
// How it works: the head is collected in one piece of memory, in which the parser marks places; path and query are
// decoded where they lie. The body grows by doubling, each step charged to the budget first. The bytes of an answer are
// made in the thread that replies; see http_request.h for how they reach the connection.
#include "net/http_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "net/http_loop.h"
#include "net/http_server_private.h"

enum {
  BODY_STEP_BYTES = 16 * 1024,
  BODY_CLAIM_BYTES = 1024 * 1024,
  TEXT_STEP_BYTES = 4 * 1024,
  KEEP_BYTES = 16 * 1024 // memory up to here is kept for the next request
};

static void begin(struct http_request *request, struct http_loop *loop, const struct http_request_memory *memory) {
  memset(request, 0, offsetof(struct http_request, head));
  http_head_begin(&request->head);
  request->post.kind = HTTP_INBOX_REPLY;
  request->loop = loop;
  request->budget = loop->server->options.budget;
  request->body_bytes_max = loop->server->options.body_bytes_max;
  request->memory = *memory;
}

struct http_request *http_request_create(struct http_loop *loop) {
  struct http_request *request = malloc(sizeof(*request));
  if (!request) return NULL;
  struct http_request_memory memory = {.text = NULL};
  buffer_init(&memory.reply, SIZE_MAX / 2);
  begin(request, loop, &memory);
  return request;
}

void http_request_destroy(struct http_request *request) {
  if (!request) return;
  http_request_drop_body(request);
  buffer_finish(&request->memory.reply);
  free(request->memory.body);
  free(request->memory.text);
  free(request);
}

static void keep_small(uint8_t **memory, size_t *room) {
  if (*room <= KEEP_BYTES) return;
  free(*memory);
  *memory = NULL;
  *room = 0;
}

void http_request_reset(struct http_request *request) {
  http_request_drop_body(request);
  struct http_request_memory memory = request->memory;
  keep_small(&memory.text, &memory.text_room);
  buffer_clear(&memory.reply);
  if (memory.reply.capacity > KEEP_BYTES) buffer_finish(&memory.reply);
  begin(request, request->loop, &memory);
}

// ---- the head

static enum status make_text_room(struct http_request *request, size_t bytes) {
  struct http_request_memory *memory = &request->memory;
  if (bytes <= memory->text_room) return STATUS_OK;
  size_t room = memory->text_room * 2 < TEXT_STEP_BYTES ? TEXT_STEP_BYTES : memory->text_room * 2;
  if (room < bytes) room = bytes;
  uint8_t *text = realloc(memory->text, room);
  if (!text) return STATUS_NO_MEMORY;
  memory->text = text;
  memory->text_room = room;
  return STATUS_OK;
}

enum status http_request_append_text(struct http_request *request, struct slice bytes) {
  enum status status = make_text_room(request, request->text_len + bytes.len);
  if (status != STATUS_OK) return status;
  memcpy(request->memory.text + request->text_len, bytes.ptr, bytes.len);
  request->text_len += bytes.len;
  return STATUS_OK;
}

static struct slice text_at(const struct http_request *request, struct http_head_part part) {
  return slice_make(request->memory.text + part.at, part.len);
}

// What is decoded lies in the request's own text.
static char *writable(struct slice text) {
  return (char *)(uintptr_t)text.ptr;
}

static struct slice decoded(struct slice text) {
  return slice_make(text.ptr, http_route_decode(writable(text), text.len));
}

static struct http_head_part decoded_parameter(const struct http_request *request, struct slice text) {
  for (char *at = writable(text), *end = at + text.len; at < end; at++) {
    if (*at == '+') *at = ' ';
  }
  return (struct http_head_part){(uint32_t)(text.ptr - request->memory.text), (uint32_t)decoded(text).len};
}

// False when there are more than are read.
static bool read_query(struct http_request *request) {
  struct slice rest = text_at(request, request->head.query);
  while (rest.len > 0) {
    size_t end = slice_find_byte(rest, '&');
    struct slice parameter = slice_sub(rest, 0, end);
    size_t equals = slice_find_byte(parameter, '=');
    if (request->pair_count == HTTP_HEAD_FIELDS_MAX) return false;
    request->head.fields[request->pair_count++] =
        (struct http_head_field){decoded_parameter(request, slice_sub(parameter, 0, equals)),
                                 decoded_parameter(request, slice_skip(parameter, equals + 1))};
    rest = slice_skip(rest, end + 1);
  }
  return true;
}

static void add_allow(struct http_request *request, uint32_t allowed) {
  char text[96] = "";
  size_t used = 0;
  for (unsigned method = HTTP_GET; method < HTTP_OTHER; method++) {
    if (!(allowed & (1u << method))) continue;
    int n = snprintf(text + used, sizeof(text) - used, "%s%s", used ? ", " : "",
                     http_method_name((enum http_method)method));
    if (n > 0) used += (size_t)n;
  }
  http_request_add_header(request, "Allow", text);
}

static void read_path(struct http_request *request) {
  struct slice path = text_at(request, request->head.path);
  path.len = http_route_normalise(writable(path), path.len);
  if (path.len == 0 && request->head.has_request_line) path = SLICE_LITERAL("/"); // of http://host
  struct http_route_match match;
  const struct http_server_options *options = &request->loop->server->options;
  http_route_find(options->routes, options->route_count, request->method, path, &match);
  request->route = match.route;
  if (!match.route && match.allowed) {
    http_request_refuse(request, STATUS_METHOD, "the path does not take this method");
    add_allow(request, match.allowed);
  } else if (!match.route) {
    http_request_refuse(request, STATUS_NOT_FOUND, "no such path");
  }
  request->path = path;
  request->capture_count = match.capture_count;
  memcpy(request->captures, match.captures, sizeof(match.captures));
  if (slice_find_byte(path, '%') == path.len) return;
  // The path is decoded in a second copy, so that captures keep the borders they were matched with.
  uint8_t *copy = request->memory.text + request->text_len;
  memcpy(copy, path.ptr, path.len);
  request->path = decoded(slice_make(copy, path.len));
  for (uint32_t i = 0; i < match.capture_count; i++) request->captures[i] = decoded(match.captures[i]);
}

static enum http_method method_of(struct slice name) {
  char text[16] = "";
  if (name.len >= sizeof(text)) return HTTP_OTHER;
  memcpy(text, name.ptr, name.len);
  return http_route_method(text);
}

enum status http_request_read_head(struct http_request *request) {
  enum status status = make_text_room(request, request->text_len + request->head.path.len + 1);
  if (status != STATUS_OK) return status;
  request->method = method_of(text_at(request, request->head.method));
  request->pair_count = request->head.field_count;
  read_path(request);
  if (!read_query(request)) {
    http_request_refuse(request, STATUS_TOO_LARGE, "the request has too many headers and parameters");
    request->exact_code = 431;
  }
  return STATUS_OK;
}

void http_request_refuse(struct http_request *request, enum status status, const char *text) {
  ASSERT(status != STATUS_OK);
  request->refusal = status;
  snprintf(request->refusal_text, sizeof(request->refusal_text), "%s", text);
}

// ---- the body

static enum status grow(struct http_request *request, size_t bytes) {
  if (bytes <= request->body_capacity) return STATUS_OK;
  size_t more = bytes - request->body_capacity;
  if (request->budget && !budget_charge(request->budget, more)) return STATUS_UNAVAILABLE;
  struct http_request_memory *memory = &request->memory;
  if (bytes > memory->body_room) {
    uint8_t *body = realloc(memory->body, bytes);
    if (!body) {
      if (request->budget) budget_release(request->budget, more);
      return STATUS_UNAVAILABLE;
    }
    memory->body = body;
    memory->body_room = bytes;
  }
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
  memcpy(request->memory.body + request->body_len, bytes, len);
  request->body_len = needed;
  return STATUS_OK;
}

void http_request_drop_body(struct http_request *request) {
  if (request->budget && request->body_capacity) budget_release(request->budget, request->body_capacity);
  request->body_len = request->body_capacity = 0;
  keep_small(&request->memory.body, &request->memory.body_room);
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
  struct slice wanted = slice_from_cstr(name);
  for (uint32_t i = 0; i < request->head.field_count; i++) {
    const struct http_head_field *field = &request->head.fields[i];
    if (field->name.len != wanted.len) continue;
    if (slice_equal_ignore_case(text_at(request, field->name), wanted)) return text_at(request, field->value);
  }
  return slice_make(NULL, 0);
}

struct slice http_request_query(const struct http_request *request, const char *name) {
  for (uint32_t i = request->head.field_count; i < request->pair_count; i++) {
    const struct http_head_field *pair = &request->head.fields[i];
    if (slice_equal_cstr(text_at(request, pair->name), name)) return text_at(request, pair->value);
  }
  return slice_make(NULL, 0);
}

bool http_request_query_at(const struct http_request *request, uint32_t index, struct slice *out_name,
                           struct slice *out_value) {
  if (index >= request->pair_count - request->head.field_count) return false;
  const struct http_head_field *pair = &request->head.fields[request->head.field_count + index];
  *out_name = text_at(request, pair->name);
  *out_value = text_at(request, pair->value);
  return true;
}

struct slice http_request_body(const struct http_request *request) {
  return slice_make(request->memory.body, request->body_len);
}

struct slice http_request_peer(const struct http_request *request) {
  return slice_from_cstr(request->peer);
}

void *http_request_note(struct http_request *request) {
  return request->note;
}

// ---- replies

void http_request_add_header(struct http_request *request, const char *name, const char *value) {
  ASSERT(!request->replied);
  http_response_add_header(&request->memory.reply, name, value);
}

// A door's answer to a refusal has the code of the status, which may stand for a more exact one.
static uint32_t exact_code(const struct http_request *request, uint32_t code) {
  bool stands_for_it = code == 400 || code == 413 || code == 415;
  return request->exact_code && stands_for_it ? request->exact_code : code;
}

static void reply(struct http_request *request, uint32_t code, const char *content_type, struct slice body,
                  bool body_apart) {
  ASSERT(!request->replied);
  ASSERT(code >= 200 && code < 600);
  const struct http_response response = {
      .code = exact_code(request, code),
      .content_type = content_type,
      .body = body,
      .is_head = request->method == HTTP_HEAD,
      .body_apart = body_apart,
      .keep_alive = !request->close_after && !atomic_bool_get(&request->loop->server->quiesced),
      .says_so = request->head.minor_version == 0,
      .date = request->date,
  };
  request->answer = http_response_write(&request->memory.reply, &response);
  bool sends_body = body_apart && !response.is_head && http_response_has_body(code);
  request->answer_body = sends_body ? body : slice_make(NULL, 0);
  request->replied = true;
  http_request_drop_body(request); // `body` may have pointed into it until here; a slow reader must not hold the budget
  http_loop_reply(request);
}

void http_request_reply(struct http_request *request, uint32_t code, const char *content_type, struct slice body) {
  reply(request, code, content_type, body, false);
}

void http_request_reply_static(struct http_request *request, uint32_t code, const char *content_type,
                               struct slice body) {
  reply(request, code, content_type, body, true);
}
