// SPDX-License-Identifier: Apache-2.0
//
// One JSON value to one field on the wire, for otlp_json: every form but messages. Pure.
#ifndef PROTO_OTLP_JSON_VALUE_H
#define PROTO_OTLP_JSON_VALUE_H

#include "base/buffer.h"
#include "base/json.h"
#include "proto/otlp_json_schema.h"

// Appends tag and payload (an element of a packed list: the payload alone). Returns NULL, or why it cannot be done:
// "not hexadecimal". A full buffer is seen in out->failed.
const char *otlp_json_value_put(const struct otlp_json_field *field, struct json_value value, struct buffer *out);
// True when a list of them is packed into one field: numbers, that is.
bool otlp_json_value_is_packed(const struct otlp_json_field *field);

#endif
