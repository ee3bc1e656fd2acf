// SPDX-License-Identifier: Apache-2.0
//
// OpenTelemetry attributes and resources out of what Sentry's SDKs send, in protobuf wire form. Overflow is seen in
// out->failed. For the files of proto/sentry_{trace,log}.c. Pure.
#ifndef PROTO_SENTRY_ATTRIBUTE_H
#define PROTO_SENTRY_ATTRIBUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/json.h"
#include "base/slice.h"

// A KeyValue as field `field`. Empty text writes nothing.
void sentry_attribute_put_text(struct buffer *out, uint32_t field, struct slice key, struct slice text);
// Scalars as they are, arrays of scalars as arrays, anything deeper as its JSON text; null writes nothing.
void sentry_attribute_put(struct buffer *out, uint32_t field, struct slice key, struct json_value value);
// The same for {"value":…,"type":"string|boolean|integer|double"}: the type decides what a number or its text is.
void sentry_attribute_put_typed(struct buffer *out, uint32_t field, struct slice key, struct json_value typed);
// Every member of an object (or pair of a list of pairs) by the above.
void sentry_attribute_put_all(struct buffer *out, uint32_t field, struct json_value members);

// Who sent it, as a Resource message in field `field`. Empty members are left out.
struct sentry_attribute_resource {
  struct slice service, release, environment, server_name, sdk_name, sdk_version, language;
};
void sentry_attribute_put_resource(struct buffer *out, uint32_t field,
                                   const struct sentry_attribute_resource *resource);
// Fills empty members from typed attributes: service.name, sentry.release, sentry.environment, server.address,
// sentry.sdk.name and sentry.sdk.version.
void sentry_attribute_read_resource(struct json_value attributes, struct sentry_attribute_resource *resource);
// True for the attributes that read_resource takes away from single items.
bool sentry_attribute_is_of_resource(struct slice key);

// An id of `bytes` bytes in hex; false when it is none or all zero.
bool sentry_attribute_id(struct json_value value, uint8_t *out, size_t bytes);

#endif
