// SPDX-License-Identifier: Apache-2.0
//
// The messages of OTLP as tables for otlp_json: for each field its JSON name (lowerCamelCase), number and form.
// Constant data.
#ifndef PROTO_OTLP_JSON_SCHEMA_H
#define PROTO_OTLP_JSON_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/otlp_scan.h"

enum otlp_json_form {
  OTLP_JSON_STRING,
  OTLP_JSON_BASE64, // bytes
  OTLP_JSON_HEX,    // bytes of an id
  OTLP_JSON_BOOL,
  OTLP_JSON_INT64, // varints …
  OTLP_JSON_UINT64,
  OTLP_JSON_INT32,
  OTLP_JSON_UINT32,
  OTLP_JSON_SINT32, // … zigzag
  OTLP_JSON_ENUM,
  OTLP_JSON_FIXED32,
  OTLP_JSON_FIXED64, // unsigned
  OTLP_JSON_SFIXED64,
  OTLP_JSON_DOUBLE,
  OTLP_JSON_MESSAGE,
};

// Names of an enum's values: prefix + names[value].
struct otlp_json_enum {
  const char *prefix;
  const char *const *names;
  uint32_t count;
};

struct otlp_json_message;

struct otlp_json_field {
  const char *name;
  uint8_t name_len;
  bool repeated; // numbers are packed then
  uint32_t number;
  enum otlp_json_form form;
  union {
    const struct otlp_json_message *message; // OTLP_JSON_MESSAGE
    const struct otlp_json_enum *names;      // OTLP_JSON_ENUM
  };
};

#define OTLP_JSON_FIELDS_MAX 16

struct otlp_json_message {
  const struct otlp_json_field *fields;
  uint32_t count;
  uint32_t usual_bytes; // a guess at its length on the wire
};

const struct otlp_json_message *otlp_json_schema_request(enum otlp_signal signal);

#endif
