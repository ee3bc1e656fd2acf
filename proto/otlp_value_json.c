// SPDX-License-Identifier: Apache-2.0
//
// Nested values are walked with a stack of iterators as deep as the scan allows (its limit of AnyValue nesting); what
// lies deeper, which a scan with other limits could have let through, is written as null.
#include "proto/otlp_value_json.h"

#include <stdio.h>

#define DEPTH_MAX   (OTLP_DEPTH_CEILING + 1)
#define EXACT_BELOW (INT64_C(1) << 53)

static void write_i64(struct json_writer *json, int64_t number) {
  if (number > -EXACT_BELOW && number < EXACT_BELOW) {
    json_write_i64(json, number);
    return;
  }
  char text[24];
  snprintf(text, sizeof text, "%lld", (long long)number);
  json_write_cstr(json, text);
}

static void write_bytes(struct json_writer *json, struct slice bytes) {
  static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  struct buffer text;
  buffer_init(&text, 4 * (bytes.len / 3 + 1) + 1);
  for (size_t i = 0; i < bytes.len; i += 3) {
    size_t left = bytes.len - i;
    uint32_t group = (uint32_t)bytes.ptr[i] << 16;
    if (left > 1) group |= (uint32_t)bytes.ptr[i + 1] << 8;
    if (left > 2) group |= bytes.ptr[i + 2];
    for (unsigned k = 0; k < 4; k++)
      buffer_append_byte(&text, k <= left ? (uint8_t)digits[(group >> (18 - 6 * k)) & 63] : '=');
  }
  json_begin_object(json);
  json_key(json, "bytes");
  json_write_string(json, buffer_slice(&text));
  json_end_object(json);
  buffer_finish(&text);
}

struct level {
  struct otlp_field_iter iter;
  bool object;
};

// Writes a value, or begins an array or object and returns true: its members follow.
static bool write_or_begin(struct json_writer *json, const struct otlp_any *value, struct level *out_level) {
  switch (value->kind) {
  case OTLP_ANY_STRING: json_write_string(json, value->bytes); return false;
  case OTLP_ANY_BOOL: json_write_bool(json, value->boolean); return false;
  case OTLP_ANY_I64: write_i64(json, value->i64); return false;
  case OTLP_ANY_DOUBLE: json_write_double(json, value->f64); return false;
  case OTLP_ANY_BYTES: write_bytes(json, value->bytes); return false;
  case OTLP_ANY_EMPTY: json_write_null(json); return false;
  case OTLP_ANY_ARRAY:
    *out_level = (struct level){.iter = otlp_any_elements(*value)};
    json_begin_array(json);
    return true;
  case OTLP_ANY_KVLIST:
    *out_level = (struct level){.iter = otlp_any_members(*value), .object = true};
    json_begin_object(json);
    return true;
  }
  json_write_null(json);
  return false;
}

// The next member of the innermost level, its key written.
static bool next_member(struct json_writer *json, struct level *level, struct otlp_any *out_value) {
  if (!level->object) return otlp_any_next(&level->iter, out_value);
  struct otlp_attribute member;
  if (!otlp_attribute_next(&level->iter, &member)) return false;
  json_key_slice(json, member.key);
  *out_value = member.value;
  return true;
}

void otlp_value_json_write(struct json_writer *json, const struct otlp_any *value) {
  struct level levels[DEPTH_MAX];
  uint32_t depth = write_or_begin(json, value, &levels[0]) ? 1 : 0;
  while (depth > 0) {
    struct level *level = &levels[depth - 1];
    struct otlp_any member;
    if (!next_member(json, level, &member)) {
      if (level->object) {
        json_end_object(json);
      } else {
        json_end_array(json);
      }
      depth--;
    } else if (depth == DEPTH_MAX) {
      json_write_null(json);
    } else if (write_or_begin(json, &member, &levels[depth])) {
      depth++;
    }
  }
}

void otlp_value_json_write_members(struct json_writer *json, struct slice message, uint32_t field,
                                   const char *without) {
  struct otlp_field_iter iter = otlp_fields(message, field);
  struct otlp_attribute attribute;
  while (otlp_attribute_next(&iter, &attribute)) {
    if (without != NULL && slice_starts_with(attribute.key, slice_from_cstr(without))) continue;
    json_key_slice(json, attribute.key);
    otlp_value_json_write(json, &attribute.value);
  }
}
