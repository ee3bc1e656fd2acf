// SPDX-License-Identifier: Apache-2.0
//
// Who sends to the Sentry door: the key of a DSN, from the X-Sentry-Auth header, the Authorization header ("Sentry …"),
// the query (sentry_key) and the header of an envelope (dsn). Several may show it if they agree. A key names a project;
// it must be the one in the path.
#ifndef RECEIVER_SENTRY_AUTH_H
#define RECEIVER_SENTRY_AUTH_H

#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"
#include "net/http_server.h"

#define SENTRY_AUTH_KEY_BYTES_MAX  64
#define SENTRY_AUTH_NAME_BYTES_MAX 50

struct sentry_auth {
  char key[SENTRY_AUTH_KEY_BYTES_MAX + 1]; // "": none was shown
};

// A project, and who knows which key is whose. Any thread may ask.
struct sentry_auth_project {
  uint32_t id;
  char name[SENTRY_AUTH_NAME_BYTES_MAX + 1];
};
struct sentry_auth_directory {
  void *context;
  // STATUS_NOT_FOUND: nobody's. Other failures: cannot be said now.
  enum status (*find)(void *context, struct slice key, struct sentry_auth_project *out_project, struct error *error);
};

// What headers and query show. STATUS_UNAUTHENTICATED with words when a payload is unreadable or they disagree,
// STATUS_INVALID for a protocol version above 7.
enum status sentry_auth_read(const struct http_request *request, struct sentry_auth *out_auth, struct error *error);
// Adds what an envelope's header shows. STATUS_INVALID when it is no DSN, STATUS_PERMISSION_DENIED when it contradicts
// the key shown so far or `path_project`.
enum status sentry_auth_add_dsn(struct sentry_auth *auth, struct slice dsn, struct slice path_project,
                                struct error *error);
// The project of the key. path_project: the number in the path, empty where the path has none.
// STATUS_UNAUTHENTICATED without a key, STATUS_PERMISSION_DENIED when the key is nobody's or another project's,
// STATUS_INVALID when path_project is no number.
enum status sentry_auth_check(const struct sentry_auth *auth, const struct sentry_auth_directory *directory,
                              struct slice path_project, struct sentry_auth_project *out_project, struct error *error);

#endif
