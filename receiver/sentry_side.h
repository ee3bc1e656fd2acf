// SPDX-License-Identifier: Apache-2.0
//
// The lesser paths of a DSN: POST /api/<project>/events/<id>/attachments/ (201), /nel/ and /cron/<slug>[/<key>]
// (counted; 200 and 202), /minidump/ and /unreal/<key> (not served: 404 that says what to do). They are part of
// sentry_http, whose table, admit and refuse functions include them.
#ifndef RECEIVER_SENTRY_SIDE_H
#define RECEIVER_SENTRY_SIDE_H

#include "net/http_server.h"
#include "receiver/sentry_door.h"

#define SENTRY_SIDE_ROUTES_MAX 16
// Fills the table, returns how many. The door must outlive the routes.
size_t sentry_side_routes(struct sentry_door *door, struct http_route out_routes[SENTRY_SIDE_ROUTES_MAX]);
// Of a routed request that is one of these.
enum status sentry_side_admit(struct sentry_door *door, const struct http_request *request, struct error *error);

#endif
