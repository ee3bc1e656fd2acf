// SPDX-License-Identifier: Apache-2.0
//
// How it works: admit looks at the headers alone (key, content encoding, readiness), so that whatever is refused for
// them costs no body; only an envelope may show its key in the body. What it read it leaves in the request for the
// handler, which passes it to the door with the body; whose key it is is asked again then.
#include "receiver/sentry_http.h"

#include <assert.h>
#include <stdlib.h>

#include "receiver/otlp_http.h"
#include "receiver/reply.h"
#include "receiver/sentry_otlp.h"
#include "receiver/sentry_reply.h"
#include "receiver/sentry_side.h"

enum path_kind { PATH_ENVELOPE, PATH_STORE, PATH_REPORT, PATH_OTLP };

static const struct path {
  const char *path;
  enum path_kind kind;
  enum otlp_signal signal;
} paths[] = {
    {"/api/{}/envelope", PATH_ENVELOPE, OTLP_TRACES},
    {"/api/{}/store", PATH_STORE, OTLP_TRACES},
    {"/api/store", PATH_STORE, OTLP_TRACES},
    {"/api/{}/security", PATH_REPORT, OTLP_TRACES},
    {"/api/{}/csp-report", PATH_REPORT, OTLP_TRACES},
    {"/api/{}/integration/otlp/v1/traces", PATH_OTLP, OTLP_TRACES},
    {"/api/{}/integration/otlp/v1/logs", PATH_OTLP, OTLP_LOGS},
};
enum { PATHS = sizeof(paths) / sizeof(paths[0]) };

// The request's note.
struct admitted {
  struct sentry_auth auth;
  enum encoding content;
};
static_assert(sizeof(struct admitted) <= HTTP_REQUEST_NOTE_BYTES, "there is room for it");

struct endpoint {
  struct sentry_http *http;
  const struct path *path;
};

struct sentry_http {
  struct sentry_door *door;
  struct sentry_otlp otlp;
  struct endpoint endpoints[PATHS];
  struct http_route routes[SENTRY_HTTP_ROUTES_MAX];
  size_t route_count;
};

// ---- what a request says of itself

bool sentry_http_owns(const struct http_request *request) {
  return slice_starts_with(http_request_path(request), SLICE_LITERAL("/api/"));
}

// Without its parameters.
static struct slice media_type(const struct http_request *request) {
  struct slice type = http_request_header(request, "content-type");
  return slice_trim(slice_sub(type, 0, slice_find_byte(type, ';')));
}

static bool content_of(const struct http_request *request, enum encoding *out_content) {
  return encoding_parse(slice_trim(http_request_header(request, "content-encoding")), out_content);
}

// The path's entry by how it ends: the paths differ there.
static const struct path *path_of(const struct http_request *request) {
  struct slice path = http_request_path(request);
  for (size_t i = 0; i < PATHS; i++) {
    struct slice wanted = slice_from_cstr(paths[i].path);
    size_t last = slice_find(wanted, SLICE_LITERAL("}"));
    if (last < wanted.len) wanted = slice_skip(wanted, last + 1);
    if (slice_ends_with(path, wanted)) return &paths[i];
  }
  return NULL;
}

static bool is_envelope(const struct http_request *request, const struct path *path) {
  if (path->kind == PATH_ENVELOPE) return true;
  return path->kind == PATH_STORE &&
         slice_equal_ignore_case(media_type(request), SLICE_LITERAL("application/x-sentry-envelope"));
}

static struct slice project_of(const struct http_request *request) {
  return http_request_capture(request, 0);
}

// ---- before the body

static enum status read_headers(const struct http_request *request, const struct path *path,
                                struct admitted *out_admitted, struct error *error) {
  enum otlp_encoding encoding;
  if (path->kind == PATH_OTLP && !otlp_http_encoding(request, &encoding)) {
    return error_set(error, STATUS_UNSUPPORTED, "Content-Type: application/x-protobuf and application/json are served");
  }
  if (!content_of(request, &out_admitted->content)) {
    return error_set(error, STATUS_UNSUPPORTED,
                     "Content-Encoding: identity, gzip, deflate, zstd and br are served, one at a time");
  }
  return STATUS_OK;
}

enum status sentry_http_admit(void *context, struct http_request *request, struct error *error) {
  const struct sentry_http *http = context;
  const struct path *path = path_of(request);
  if (http_request_method(request) == HTTP_OPTIONS) return STATUS_OK;
  if (!path) return sentry_side_admit(http->door, request, error);
  if (http_request_method(request) != HTTP_POST) return STATUS_OK; // an image: its handler decides
  struct admitted *admitted = http_request_note(request);
  enum status status = sentry_auth_read(request, &admitted->auth, error);
  bool may_come_later = !admitted->auth.key[0] && is_envelope(request, path); // the envelope's header may have it
  if (status == STATUS_OK && !may_come_later) {
    struct sentry_auth_project project;
    status =
        sentry_auth_check(&admitted->auth, sentry_door_directory(http->door), project_of(request), &project, error);
  }
  if (status == STATUS_OK) status = read_headers(request, path, admitted, error);
  return status == STATUS_OK ? sentry_door_check_ready(http->door, error) : status;
}

void sentry_http_refuse(void *context, struct http_request *request, enum status status, const char *text) {
  struct sentry_http *http = context;
  const struct path *path = path_of(request);
  struct error error;
  error_set(&error, status, "%s", text);
  if (path && path->kind == PATH_OTLP) {
    enum otlp_encoding encoding = OTLP_JSON;
    if (!otlp_http_encoding(request, &encoding)) encoding = OTLP_JSON;
    otlp_door_count_refusal(http->otlp.door, path->signal, OTLP_DOOR_HTTP, status);
    sentry_reply_add_cors(request);
    reply_otlp_http_failure(request, encoding, status, &error);
    return;
  }
  sentry_door_count_refusal(http->door, status);
  sentry_reply_failure(request, status, &error);
}

// ---- handlers

static void on_preflight(void *context, struct http_request *request) {
  (void)context;
  sentry_reply_preflight(request);
}

static void on_taken(void *context, const struct sentry_door_answer *answer) {
  struct http_request *request = context;
  bool limited = sentry_reply_add_limits(request, answer->limits);
  if (answer->status == STATUS_OK) {
    sentry_reply_success(request, answer->event_id);
  } else if (limited && answer->status == STATUS_RATE_LIMITED) {
    sentry_reply_limited(request, answer->limits, answer->error);
  } else {
    sentry_reply_failure(request, answer->status, answer->error);
  }
}

static void on_post(void *context, struct http_request *request) {
  const struct endpoint *endpoint = context;
  const struct admitted *admitted = http_request_note(request);
  struct sentry_door_request take = {
      .form = is_envelope(request, endpoint->path) ? SENTRY_DOOR_ENVELOPE
              : endpoint->path->kind == PATH_STORE ? SENTRY_DOOR_EVENT
                                                   : SENTRY_DOOR_REPORT,
      .auth = admitted->auth,
      .path_project = project_of(request),
      .content = admitted->content,
      .body = http_request_body(request),
      .peer = http_request_peer(request),
  };
  if (take.form == SENTRY_DOOR_REPORT) {
    take.release = http_request_query(request, "sentry_release");
    take.environment = http_request_query(request, "sentry_environment");
    take.user_agent = http_request_header(request, "user-agent");
  }
  sentry_door_take(endpoint->http->door, &take, on_taken, request);
}

// <img src="…/store/?sentry_data=…">, the oldest form. What became of the event shows in the counters only.
static void on_pixel_taken(void *context, const struct sentry_door_answer *answer) {
  if (answer->status == STATUS_OK) {
    sentry_reply_pixel(context);
  } else {
    on_taken(context, answer);
  }
}

static void on_get(void *context, struct http_request *request) {
  const struct endpoint *endpoint = context;
  struct sentry_door_request take = {
      .form = SENTRY_DOOR_EVENT,
      .path_project = project_of(request),
      .body = http_request_query(request, "sentry_data"),
      .peer = http_request_peer(request),
  };
  if (take.body.len == 0) {
    sentry_reply_pixel(request);
    return;
  }
  struct error error = {""};
  enum status status = sentry_auth_read(request, &take.auth, &error);
  if (status == STATUS_OK) status = sentry_door_check_ready(endpoint->http->door, &error);
  if (status != STATUS_OK) {
    sentry_http_refuse(endpoint->http, request, status, error.text);
    return;
  }
  sentry_door_take(endpoint->http->door, &take, on_pixel_taken, request);
}

static void on_export(void *context, struct http_request *request) {
  const struct endpoint *endpoint = context;
  struct sentry_http *http = endpoint->http;
  const struct admitted *admitted = http_request_note(request);
  struct sentry_auth_project project = {0};
  struct error error = {""};
  enum status status =
      sentry_auth_check(&admitted->auth, sentry_door_directory(http->door), project_of(request), &project, &error);
  if (status == STATUS_OK) {
    struct otlp_door_request take = {.signal = endpoint->path->signal,
                                     .transport = OTLP_DOOR_HTTP,
                                     .project = project.id,
                                     .content = admitted->content,
                                     .body = http_request_body(request)};
    bool served = otlp_http_encoding(request, &take.encoding); // as admit has seen
    ASSERT(served);
    status = sentry_otlp_export(&http->otlp, &take, request, &error);
  }
  if (status != STATUS_OK) sentry_http_refuse(http, request, status, error.text);
}

// ---- create

static void add_route(struct sentry_http *http, enum http_method method, struct endpoint *endpoint,
                      http_handler_fn handle) {
  ASSERT(http->route_count < SENTRY_HTTP_ROUTES_MAX);
  http->routes[http->route_count++] = (struct http_route){method, endpoint->path->path, handle, endpoint};
}

struct sentry_http *sentry_http_create(struct sentry_door *door, struct otlp_door *otlp) {
  struct sentry_http *http = calloc(1, sizeof(*http));
  if (!http) return NULL;
  http->door = door;
  http->otlp = (struct sentry_otlp){.door = otlp, .limit = sentry_door_limit(door)};
  for (size_t i = 0; i < PATHS; i++) {
    struct endpoint *endpoint = &http->endpoints[i];
    *endpoint = (struct endpoint){.http = http, .path = &paths[i]};
    add_route(http, HTTP_POST, endpoint, paths[i].kind == PATH_OTLP ? on_export : on_post);
    add_route(http, HTTP_OPTIONS, endpoint, on_preflight);
    if (paths[i].kind == PATH_STORE) add_route(http, HTTP_GET, endpoint, on_get);
  }
  ASSERT(http->route_count + SENTRY_SIDE_ROUTES_MAX <= SENTRY_HTTP_ROUTES_MAX);
  http->route_count += sentry_side_routes(door, http->routes + http->route_count);
  return http;
}

void sentry_http_destroy(struct sentry_http *http) {
  free(http);
}

const struct http_route *sentry_http_routes(const struct sentry_http *http, size_t *out_count) {
  *out_count = http->route_count;
  return http->routes;
}
