// SPDX-License-Identifier: Apache-2.0
//
// Attribute values of OTLP as plain JSON. The bytes have passed otlp_scan. Pure; any thread.
#ifndef PROTO_OTLP_VALUE_JSON_H
#define PROTO_OTLP_VALUE_JSON_H

#include "base/json.h"
#include "proto/otlp_scan.h"

// Strings, numbers (64-bit integers beyond 2^53 as strings), booleans, arrays, objects, bytes as {"bytes":"base64"}.
void otlp_value_json_write(struct json_writer *json, const struct otlp_any *value);
// The attributes (field `field` of `message`) as members of an open object; those whose key begins with `without` are
// left out (NULL: none).
void otlp_value_json_write_members(struct json_writer *json, struct slice message, uint32_t field, const char *without);

#endif
