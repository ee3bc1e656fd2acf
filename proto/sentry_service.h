// SPDX-License-Identifier: Apache-2.0
//
// Which service something of a Sentry SDK comes from. Sentry has no such field; the first of these is taken:
//
//   1. what says so: the tag `service`, then `service.name`; of spans and logs the attribute `service.name`
//   2. what the SDK knows of OpenTelemetry: `service.name` of contexts.otel.resource, then of contexts.trace.data; not
//      what stands there when nobody set it: "unknown_service…", or Sentry's "node" in its namespace "sentry"
//   3. contexts.app.app_name, as SDKs for devices set it
//   4. the package of a release of the form package@version
//   5. the project's name, which only the caller knows: a project is a service to a Sentry SDK
//
// Pure functions; results are views of their input, one line without white space around it, empty when there is none.
#ifndef PROTO_SENTRY_SERVICE_H
#define PROTO_SENTRY_SERVICE_H

#include "base/json.h"

// 1 to 4 of an event or a transaction.
struct slice sentry_service_of_event(struct json_value event);
// The same for who has the event's members at hand.
struct slice sentry_service_of_members(struct json_value tags, struct json_value contexts, struct json_value release);
// 1 and 4 of a log record in OTLP's JSON form, which came without a resource.
struct slice sentry_service_of_log_record(struct json_value record);
// 4: what is in front of the last '@', if there is something behind it and a letter in it.
struct slice sentry_service_of_release(struct slice release);

#endif
