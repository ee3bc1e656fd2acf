// SPDX-License-Identifier: Apache-2.0
//
// As in sentry_http: admit judges by the headers, the handler asks for the key again.
#include "receiver/sentry_side.h"

#include <assert.h>

#include "receiver/sentry_reply.h"

#define UPLOAD "/api/{}/events/{}/attachments"
#define CRON   "/api/{}/cron/{}"
#define NATIVE "native crashes are not read here; send the dump as an attachment of an event, in an envelope"

static bool path_ends(const struct http_request *request, struct slice ending) {
  return slice_ends_with(http_request_path(request), ending);
}

static bool path_has(const struct http_request *request, struct slice part) {
  struct slice path = http_request_path(request);
  return slice_find(path, part) <= path.len;
}

// The key of a cron check-in may be the last segment.
static enum status read_auth(const struct http_request *request, struct sentry_auth *auth, struct error *error) {
  enum status status = sentry_auth_read(request, auth, error);
  struct slice key = path_has(request, SLICE_LITERAL("/cron/")) ? http_request_capture(request, 2) : (struct slice){0};
  if (status != STATUS_OK || key.len == 0) return status;
  if (!auth->key[0] && key.len <= SENTRY_AUTH_KEY_BYTES_MAX) {
    memcpy(auth->key, key.ptr, key.len);
    auth->key[key.len] = 0;
  }
  if (slice_equal_cstr(key, auth->key)) return STATUS_OK;
  return error_set(error, STATUS_UNAUTHENTICATED, "the key in the path is not the one that was shown");
}

static enum status identify(struct sentry_door *door, const struct http_request *request, struct error *error) {
  struct sentry_auth auth = {0};
  struct sentry_auth_project project;
  enum status status = read_auth(request, &auth, error);
  if (status != STATUS_OK) return status;
  return sentry_auth_check(&auth, sentry_door_directory(door), http_request_capture(request, 0), &project, error);
}

enum status sentry_side_admit(struct sentry_door *door, const struct http_request *request, struct error *error) {
  if (path_ends(request, SLICE_LITERAL("/minidump")) || path_has(request, SLICE_LITERAL("/unreal/")))
    return error_set(error, STATUS_NOT_FOUND, NATIVE);
  enum status status = identify(door, request, error);
  if (status != STATUS_OK || !path_ends(request, SLICE_LITERAL("/attachments"))) return status;
  enum encoding content;
  if (!encoding_parse(slice_trim(http_request_header(request, "content-encoding")), &content)) {
    return error_set(error, STATUS_UNSUPPORTED,
                     "Content-Encoding: identity, gzip, deflate, zstd and br are served, one at a time");
  }
  return sentry_door_check_ready(door, error);
}

static void refuse(struct sentry_door *door, struct http_request *request, enum status status,
                   const struct error *error) {
  sentry_door_count_refusal(door, status);
  sentry_reply_failure(request, status, error);
}

static void on_uploaded(void *context, const struct sentry_door_answer *answer) {
  if (answer->status == STATUS_OK) {
    sentry_reply_created(context, answer->event_id);
  } else {
    sentry_reply_failure(context, answer->status, answer->error);
  }
}

static void on_upload(void *context, struct http_request *request) {
  struct sentry_door_request take = {
      .form = SENTRY_DOOR_UPLOAD,
      .path_project = http_request_capture(request, 0),
      .event_id = http_request_capture(request, 1),
      .content_type = http_request_header(request, "content-type"),
      .body = http_request_body(request),
      .peer = http_request_peer(request),
  };
  struct error error = {""};
  enum status status = sentry_auth_read(request, &take.auth, &error);
  if (status == STATUS_OK &&
      !encoding_parse(slice_trim(http_request_header(request, "content-encoding")), &take.content)) {
    status = error_set(&error, STATUS_UNSUPPORTED, "Content-Encoding: not served");
  }
  if (status == STATUS_OK) {
    sentry_door_take(context, &take, on_uploaded, request);
  } else {
    refuse(context, request, status, &error);
  }
}

static void count(struct sentry_door *door, struct http_request *request, const char *type,
                  void (*reply)(struct http_request *)) {
  struct error error = {""};
  enum status status = identify(door, request, &error);
  if (status == STATUS_OK) {
    sentry_door_count_item(door, type);
    reply(request);
  } else {
    refuse(door, request, status, &error);
  }
}

static void on_cron(void *context, struct http_request *request) {
  count(context, request, "check_in", sentry_reply_accepted);
}

static void reply_nothing(struct http_request *request) {
  sentry_reply_success(request, "");
}

static void on_nel(void *context, struct http_request *request) {
  count(context, request, "nel", reply_nothing);
}

static void on_native(void *context, struct http_request *request) {
  struct error error;
  refuse(context, request, error_set(&error, STATUS_NOT_FOUND, NATIVE), &error);
}

static void on_preflight(void *context, struct http_request *request) {
  (void)context;
  sentry_reply_preflight(request);
}

size_t sentry_side_routes(struct sentry_door *door, struct http_route out_routes[SENTRY_SIDE_ROUTES_MAX]) {
  const struct http_route routes[] = {
      {HTTP_POST, UPLOAD, on_upload, door},
      {HTTP_OPTIONS, UPLOAD, on_preflight, door},
      {HTTP_POST, CRON, on_cron, door},
      {HTTP_GET, CRON, on_cron, door},
      {HTTP_OPTIONS, CRON, on_preflight, door},
      {HTTP_POST, CRON "/{}", on_cron, door},
      {HTTP_GET, CRON "/{}", on_cron, door},
      {HTTP_OPTIONS, CRON "/{}", on_preflight, door},
      {HTTP_POST, "/api/{}/nel", on_nel, door},
      {HTTP_OPTIONS, "/api/{}/nel", on_preflight, door},
      {HTTP_POST, "/api/{}/minidump", on_native, door},
      {HTTP_POST, "/api/{}/unreal/{}", on_native, door},
  };
  static_assert(sizeof routes / sizeof routes[0] <= SENTRY_SIDE_ROUTES_MAX, "the table holds them");
  memcpy(out_routes, routes, sizeof routes);
  return sizeof routes / sizeof routes[0];
}
