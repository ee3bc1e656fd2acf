// SPDX-License-Identifier: Apache-2.0
//
// Any OTLP message at random, and as OTLP/JSON, from protobuf-c's descriptors: an encoder that shares nothing with the
// tables of proto/otlp_json_schema.
#ifndef TESTS_REFLECT_H
#define TESTS_REFLECT_H

#include <math.h>
#include <stdio.h>

#include <protobuf-c/protobuf-c.h>

#include "base/json.h"
#include "tests/unit/proto/otlp_generator.h"

// snake_case to lowerCamelCase.
static inline void reflect_json_name(const char *name, char out[64]) {
  size_t len = 0;
  for (; *name; name++) {
    bool upper = *name == '_';
    if (upper) name++;
    ASSERT(len + 1 < 64);
    out[len++] = (char)(upper ? *name - 'a' + 'A' : *name);
  }
  out[len] = 0;
}

static inline bool reflect_is_id(const ProtobufCFieldDescriptor *field) {
  size_t len = strlen(field->name);
  return field->type == PROTOBUF_C_TYPE_BYTES && len > 3 && strcmp(field->name + len - 3, "_id") == 0;
}

static inline double reflect_random_double(struct generator *generator) {
  switch (generator_below(generator, 8)) {
  case 0: return 0.0;
  case 1: return (double)INFINITY;
  case 2: return -(double)INFINITY;
  case 3: return (double)NAN;
  case 4: return 1e300 * (double)generator_below(generator, 1000);
  default: return ((double)generator_below(generator, 2000000) - 1e6) / 1000.0;
  }
}

static inline void reflect_random_message(struct generator *generator, const ProtobufCMessageDescriptor *type,
                                          uint32_t depth, struct buffer *out);

static inline void reflect_random_field(struct generator *generator, const ProtobufCFieldDescriptor *field,
                                        uint32_t depth, struct buffer *out) {
  double real = reflect_random_double(generator);
  uint64_t bits = generator_next(generator) >> generator_below(generator, 64);
  struct buffer inner;
  switch (field->type) {
  case PROTOBUF_C_TYPE_STRING: wire_put_bytes_field(out, field->id, generator_text(generator)); break;
  case PROTOBUF_C_TYPE_BYTES: generate_random_bytes(generator, out, field->id, generator_below(generator, 25)); break;
  case PROTOBUF_C_TYPE_MESSAGE:
    if (depth == 0) return;
    buffer_init(&inner, 1 << 22);
    reflect_random_message(generator, field->descriptor, depth - 1, &inner);
    generate_nested(out, field->id, &inner);
    break;
  case PROTOBUF_C_TYPE_DOUBLE:
    memcpy(&bits, &real, sizeof bits);
    wire_put_fixed64_field(out, field->id, bits);
    break;
  case PROTOBUF_C_TYPE_FIXED64:
  case PROTOBUF_C_TYPE_SFIXED64: wire_put_fixed64_field(out, field->id, bits); break;
  case PROTOBUF_C_TYPE_FIXED32: wire_put_fixed32_field(out, field->id, (uint32_t)bits); break;
  case PROTOBUF_C_TYPE_BOOL: wire_put_varint_field(out, field->id, bits & 1); break;
  case PROTOBUF_C_TYPE_UINT32: wire_put_varint_field(out, field->id, (uint32_t)bits); break;
  case PROTOBUF_C_TYPE_ENUM: wire_put_varint_field(out, field->id, bits % 30); break;
  case PROTOBUF_C_TYPE_INT32:
    wire_put_varint_field(out, field->id, bits % 2 ? 0 - (uint64_t)generator_below(generator, INT32_MAX) : bits % 1000);
    break;
  case PROTOBUF_C_TYPE_SINT32: wire_put_varint_field(out, field->id, (uint32_t)bits); break;
  case PROTOBUF_C_TYPE_INT64:
  case PROTOBUF_C_TYPE_UINT64: wire_put_varint_field(out, field->id, bits % 2 ? bits : 0 - bits); break;
  default: ASSERT(false);
  }
}

// Each field with some probability, lists with a few elements.
static inline void reflect_random_message(struct generator *generator, const ProtobufCMessageDescriptor *type,
                                          uint32_t depth, struct buffer *out) {
  for (unsigned i = 0; i < type->n_fields; i++) {
    const ProtobufCFieldDescriptor *field = &type->fields[i];
    uint32_t n = generator_below(generator, 3) != 0;
    if (field->label == PROTOBUF_C_LABEL_REPEATED) n = generator_below(generator, 3);
    while (n-- > 0) reflect_random_field(generator, field, depth, out);
  }
}

static inline void reflect_write_integer(struct generator *generator, struct json_writer *writer, int64_t i64,
                                         uint64_t u64, bool is_signed) {
  char digits[24];
  if (generator_below(generator, 2)) {
    if (is_signed)
      json_write_i64(writer, i64);
    else
      json_write_u64(writer, u64);
    return;
  }
  if (is_signed)
    (void)snprintf(digits, sizeof digits, "%lld", (long long)i64);
  else
    (void)snprintf(digits, sizeof digits, "%llu", (unsigned long long)u64);
  json_write_cstr(writer, digits);
}

static inline void reflect_write_bytes(struct generator *generator, struct json_writer *writer, bool is_id,
                                       const ProtobufCBinaryData *data) {
  static const char *const alphabets[] = {"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
                                          "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"};
  const char *hex = generator_below(generator, 2) ? "0123456789abcdef" : "0123456789ABCDEF";
  const char *alphabet = alphabets[generator_below(generator, 2)];
  bool padded = generator_below(generator, 2);
  char text[80];
  size_t len = 0;
  for (size_t i = 0; is_id && i < data->len; i++) {
    text[len++] = hex[data->data[i] >> 4];
    text[len++] = hex[data->data[i] & 15];
  }
  for (size_t i = 0; !is_id && i < data->len; i += 3) {
    size_t rest = data->len - i;
    uint32_t bits = (uint32_t)data->data[i] << 16;
    if (rest > 1) bits |= (uint32_t)data->data[i + 1] << 8;
    if (rest > 2) bits |= data->data[i + 2];
    for (size_t d = 0; d < 4; d++) {
      if (d <= rest)
        text[len++] = alphabet[(bits >> (18 - 6 * d)) & 63];
      else if (padded)
        text[len++] = '=';
    }
  }
  json_write_string(writer, slice_make(text, len));
}

static inline void reflect_write_message(struct generator *generator, struct json_writer *writer,
                                         const ProtobufCMessage *message);

static inline void reflect_write_value(struct generator *generator, struct json_writer *writer,
                                       const ProtobufCFieldDescriptor *field, const void *value) {
  switch (field->type) {
  case PROTOBUF_C_TYPE_STRING: json_write_cstr(writer, *(char *const *)value); break;
  case PROTOBUF_C_TYPE_BYTES: reflect_write_bytes(generator, writer, reflect_is_id(field), value); break;
  case PROTOBUF_C_TYPE_MESSAGE: reflect_write_message(generator, writer, *(ProtobufCMessage *const *)value); break;
  case PROTOBUF_C_TYPE_DOUBLE: json_write_double(writer, *(const double *)value); break;
  case PROTOBUF_C_TYPE_BOOL: json_write_bool(writer, *(const protobuf_c_boolean *)value); break;
  case PROTOBUF_C_TYPE_UINT32:
  case PROTOBUF_C_TYPE_FIXED32: reflect_write_integer(generator, writer, 0, *(const uint32_t *)value, false); break;
  case PROTOBUF_C_TYPE_UINT64:
  case PROTOBUF_C_TYPE_FIXED64: reflect_write_integer(generator, writer, 0, *(const uint64_t *)value, false); break;
  case PROTOBUF_C_TYPE_INT64:
  case PROTOBUF_C_TYPE_SFIXED64: reflect_write_integer(generator, writer, *(const int64_t *)value, 0, true); break;
  default: reflect_write_integer(generator, writer, *(const int32_t *)value, 0, true); break;
  }
}

static inline size_t reflect_element_size(const ProtobufCFieldDescriptor *field) {
  switch (field->type) {
  case PROTOBUF_C_TYPE_BOOL: return sizeof(protobuf_c_boolean);
  case PROTOBUF_C_TYPE_BYTES: return sizeof(ProtobufCBinaryData);
  case PROTOBUF_C_TYPE_UINT32:
  case PROTOBUF_C_TYPE_INT32:
  case PROTOBUF_C_TYPE_SINT32:
  case PROTOBUF_C_TYPE_FIXED32:
  case PROTOBUF_C_TYPE_ENUM: return 4;
  default: return 8; // and pointers
  }
}

// The message as OTLP/JSON, with the freedom that readers must allow: integers as numbers or strings, either case,
// either alphabet, padding or none, unknown and snake_case members.
static inline void reflect_write_message(struct generator *generator, struct json_writer *writer,
                                         const ProtobufCMessage *message) {
  json_begin_object(writer);
  for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
    const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
    const char *value = (const char *)message + field->offset;
    const char *quantifier = (const char *)message + field->quantifier_offset;
    char name[64];
    reflect_json_name(field->name, name);
    if (generator_below(generator, 16) == 0 && strchr(field->name, '_')) {
      json_key(writer, field->name); // not a known key (J4)
      json_write_cstr(writer, "ignored");
    }
    if (field->label == PROTOBUF_C_LABEL_REPEATED) {
      size_t count = *(const size_t *)quantifier, size = reflect_element_size(field);
      const char *elements = *(const char *const *)value;
      json_key(writer, name);
      json_begin_array(writer);
      for (size_t e = 0; e < count; e++) reflect_write_value(generator, writer, field, elements + e * size);
      json_end_array(writer);
      continue;
    }
    bool is_oneof = field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
    if (is_oneof && *(const uint32_t *)quantifier != field->id) continue;
    if (field->type == PROTOBUF_C_TYPE_MESSAGE && !*(ProtobufCMessage *const *)value) continue;
    json_key(writer, name);
    reflect_write_value(generator, writer, field, value);
  }
  json_end_object(writer);
}

#endif
