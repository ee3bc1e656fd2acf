// SPDX-License-Identifier: Apache-2.0
//
// How it works: each source gives a key or nothing; the first one is kept and the others must be equal to it. What else
// a payload carries (secret, timestamp, client) has no meaning here, except the version.
#include "receiver/sentry_auth.h"

#include <string.h>

#define VERSION_MAX 7

static enum status keep_key(struct sentry_auth *auth, struct slice key, const char *source, struct error *error) {
  if (key.len == 0 || key.len > SENTRY_AUTH_KEY_BYTES_MAX) {
    return error_set(error, STATUS_UNAUTHENTICATED, "%s: no usable sentry_key", source);
  }
  if (auth->key[0]) {
    if (slice_equal_cstr(key, auth->key)) return STATUS_OK;
    return error_set(error, STATUS_UNAUTHENTICATED, "%s: another sentry_key than shown elsewhere in the request",
                     source);
  }
  if (memchr(key.ptr, 0, key.len)) return error_set(error, STATUS_UNAUTHENTICATED, "%s: no usable sentry_key", source);
  memcpy(auth->key, key.ptr, key.len);
  auth->key[key.len] = 0;
  return STATUS_OK;
}

static enum status check_version(struct slice version, const char *source, struct error *error) {
  size_t dot = slice_find_byte(version, '.'); // "7.0" is old for 7
  uint64_t number;
  if (slice_to_u64(slice_sub(version, 0, dot), &number) && number <= VERSION_MAX) return STATUS_OK;
  return error_set(error, STATUS_INVALID, "%s: protocol version %.*s, at most %d is served", source,
                   (int)(version.len < 16 ? version.len : 16), (const char *)version.ptr, VERSION_MAX);
}

// "k=v, k=v"
static enum status read_pairs(struct sentry_auth *auth, struct slice text, const char *source, struct error *error) {
  struct slice key = {0};
  while (text.len > 0) {
    size_t comma = slice_find_byte(text, ',');
    struct slice pair = slice_trim(slice_sub(text, 0, comma));
    text = slice_skip(text, comma + 1);
    size_t equals = slice_find_byte(pair, '=');
    struct slice name = slice_trim(slice_sub(pair, 0, equals)), value = slice_trim(slice_skip(pair, equals + 1));
    if (slice_equal_cstr(name, "sentry_key")) key = value;
    if (slice_equal_cstr(name, "sentry_version")) {
      enum status status = check_version(value, source, error);
      if (status != STATUS_OK) return status;
    }
  }
  return keep_key(auth, key, source, error);
}

// Behind the scheme word; false when the value has another one. X-Sentry-Auth may do without.
static bool cut_scheme(struct slice *value, bool required) {
  struct slice scheme = slice_sub(*value, 0, 7);
  if (slice_equal_ignore_case(scheme, SLICE_LITERAL("Sentry "))) {
    *value = slice_skip(*value, 7);
    return true;
  }
  return !required;
}

enum status sentry_auth_read(const struct http_request *request, struct sentry_auth *out_auth, struct error *error) {
  struct sentry_auth auth = {""};
  enum status status = STATUS_OK;
  struct slice header = slice_trim(http_request_header(request, "x-sentry-auth"));
  if (header.len > 0) {
    cut_scheme(&header, false);
    status = read_pairs(&auth, header, "X-Sentry-Auth", error);
  }
  struct slice authorization = slice_trim(http_request_header(request, "authorization"));
  if (status == STATUS_OK && authorization.len > 0 && cut_scheme(&authorization, true)) {
    status = read_pairs(&auth, authorization, "Authorization", error);
  }
  struct slice version = http_request_query(request, "sentry_version");
  if (status == STATUS_OK && version.len > 0) status = check_version(version, "query", error);
  struct slice key = http_request_query(request, "sentry_key");
  if (status == STATUS_OK && key.ptr) status = keep_key(&auth, key, "query", error);
  if (status == STATUS_OK) *out_auth = auth;
  return status;
}

// {scheme}://{key}[:{secret}]@{host}[/{prefix}]/{project}
static bool split_dsn(struct slice dsn, struct slice *out_key, struct slice *out_project) {
  size_t scheme = slice_find(dsn, SLICE_LITERAL("://"));
  if (scheme >= dsn.len) return false;
  struct slice rest = slice_skip(dsn, scheme + 3);
  size_t at = slice_find_byte(rest, '@');
  if (at == rest.len) return false;
  struct slice user = slice_sub(rest, 0, at);
  *out_key = slice_sub(user, 0, slice_find_byte(user, ':'));
  rest = slice_skip(rest, at + 1);
  while (rest.len > 0 && rest.ptr[rest.len - 1] == '/') rest.len--;
  size_t last = rest.len;
  while (last > 0 && rest.ptr[last - 1] != '/') last--;
  *out_project = slice_skip(rest, last);
  return last > 1 && out_project->len > 0 && out_key->len > 0;
}

enum status sentry_auth_add_dsn(struct sentry_auth *auth, struct slice dsn, struct slice path_project,
                                struct error *error) {
  struct slice key, project;
  if (!split_dsn(dsn, &key, &project)) return error_set(error, STATUS_INVALID, "envelope header: dsn is not a DSN");
  if (path_project.len > 0 && !slice_equal(project, path_project)) {
    return error_set(error, STATUS_PERMISSION_DENIED, "envelope header: dsn is of another project than the path");
  }
  enum status status = keep_key(auth, key, "envelope dsn", error);
  return status == STATUS_UNAUTHENTICATED ? STATUS_PERMISSION_DENIED : status;
}

enum status sentry_auth_check(const struct sentry_auth *auth, const struct sentry_auth_directory *directory,
                              struct slice path_project, struct sentry_auth_project *out_project, struct error *error) {
  uint64_t wanted = 0;
  if (path_project.len > 0 && !slice_to_u64(path_project, &wanted)) {
    return error_set(error, STATUS_INVALID, "the project in the path is not a number");
  }
  if (!auth->key[0]) {
    return error_set(error, STATUS_UNAUTHENTICATED,
                     "no sentry_key in X-Sentry-Auth, Authorization, query or envelope header");
  }
  struct sentry_auth_project project;
  enum status status = directory->find(directory->context, slice_from_cstr(auth->key), &project, error);
  if (status == STATUS_NOT_FOUND) {
    return error_set(error, STATUS_PERMISSION_DENIED, "the sentry_key belongs to no project");
  }
  if (status != STATUS_OK) return status;
  if (path_project.len > 0 && wanted != project.id) {
    return error_set(error, STATUS_PERMISSION_DENIED, "the sentry_key belongs to another project than the path");
  }
  *out_project = project;
  return STATUS_OK;
}
