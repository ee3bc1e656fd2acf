// SPDX-License-Identifier: Apache-2.0
//
// How it works: KeyValue { key = 1, value = 2 }, AnyValue { string = 1, bool = 2, int = 3, double = 4, array = 5 }. A
// value is written behind its tag with its length filled in afterwards (proto/wire).
#include "proto/sentry_attribute.h"

#include "proto/wire.h"

#define JSON_TEXT_BYTES_MAX ((size_t)256 << 10) // of one value that is kept as JSON text

enum { KEY = 1, VALUE = 2, ANY_STRING = 1, ANY_BOOL = 2, ANY_INT = 3, ANY_DOUBLE = 4, ANY_ARRAY = 5, ARRAY_VALUES = 1 };

static void put_double(struct buffer *out, double number) {
  uint64_t bits;
  memcpy(&bits, &number, sizeof(bits));
  wire_put_fixed64_field(out, ANY_DOUBLE, bits);
}

// The content of an AnyValue.
static void put_scalar(struct buffer *out, struct json_value value) {
  switch (json_type_of(value)) {
  case JSON_BOOL: wire_put_varint_field(out, ANY_BOOL, json_bool(value) ? 1 : 0); break;
  case JSON_I64: wire_put_varint_field(out, ANY_INT, (uint64_t)json_i64(value)); break;
  case JSON_U64:
    if (json_u64(value) <= INT64_MAX) {
      wire_put_varint_field(out, ANY_INT, json_u64(value));
    } else {
      put_double(out, json_double(value));
    }
    break;
  case JSON_DOUBLE: put_double(out, json_double(value)); break;
  case JSON_STRING: wire_put_bytes_field(out, ANY_STRING, json_string(value)); break;
  default: break;
  }
}

static bool is_container(struct json_value value) {
  return json_type_of(value) == JSON_ARRAY || json_type_of(value) == JSON_OBJECT;
}

static bool is_flat(struct json_value array) {
  if (json_type_of(array) != JSON_ARRAY) return false;
  struct json_iter iter = json_iterate(array);
  struct json_value element;
  while (json_array_next(&iter, &element)) {
    if (is_container(element)) return false;
  }
  return true;
}

static void put_array(struct buffer *out, struct json_value array) {
  struct wire_open_field list, element_field;
  if (!wire_open(out, ANY_ARRAY, 64, &list)) return;
  struct json_iter iter = json_iterate(array);
  struct json_value element;
  while (json_array_next(&iter, &element)) {
    if (!wire_open(out, ARRAY_VALUES, 16, &element_field)) return;
    put_scalar(out, element);
    wire_close(out, &element_field);
  }
  wire_close(out, &list);
}

static void put_json_text(struct buffer *out, struct json_value value) {
  struct buffer text;
  buffer_init(&text, JSON_TEXT_BYTES_MAX);
  json_write_value(&text, value);
  if (!text.failed) wire_put_bytes_field(out, ANY_STRING, buffer_slice(&text));
  buffer_finish(&text);
}

static void put_any(struct buffer *out, struct json_value value) {
  if (!is_container(value)) {
    put_scalar(out, value);
  } else if (is_flat(value)) {
    put_array(out, value);
  } else {
    put_json_text(out, value);
  }
}

// Opens KeyValue and its value.
struct open_attribute {
  struct wire_open_field attribute, value;
};

static bool open_attribute(struct buffer *out, uint32_t field, struct slice key, struct open_attribute *open) {
  if (!wire_open(out, field, 64, &open->attribute)) return false;
  wire_put_bytes_field(out, KEY, key);
  return wire_open(out, VALUE, 32, &open->value);
}

static void close_attribute(struct buffer *out, const struct open_attribute *open) {
  if (!out->failed && wire_close(out, &open->value)) wire_close(out, &open->attribute);
}

void sentry_attribute_put_text(struct buffer *out, uint32_t field, struct slice key, struct slice text) {
  struct open_attribute open;
  if (text.len == 0 || !open_attribute(out, field, key, &open)) return;
  wire_put_bytes_field(out, ANY_STRING, text);
  close_attribute(out, &open);
}

void sentry_attribute_put(struct buffer *out, uint32_t field, struct slice key, struct json_value value) {
  struct open_attribute open;
  if (json_type_of(value) == JSON_NULL || key.len == 0 || !open_attribute(out, field, key, &open)) return;
  put_any(out, value);
  close_attribute(out, &open);
}

// An integer that came as text ("uint64 come as strings").
static bool integer_text(struct slice text, uint64_t *out_bits) {
  bool negative = text.len > 0 && text.ptr[0] == '-';
  uint64_t number;
  if (!slice_to_u64(slice_skip(text, negative ? 1 : 0), &number) || number > INT64_MAX) return false;
  *out_bits = negative ? 0 - number : number;
  return true;
}

void sentry_attribute_put_typed(struct buffer *out, uint32_t field, struct slice key, struct json_value typed) {
  struct json_value value = json_get(typed, "value");
  struct slice type = json_string(json_get(typed, "type"));
  if (json_type_of(typed) != JSON_OBJECT || !json_is_present(value)) {
    sentry_attribute_put(out, field, key, typed); // an attribute without its wrapping
    return;
  }
  uint64_t bits = 0;
  enum json_type is = json_type_of(value);
  bool as_double = slice_equal_cstr(type, "double") && (is == JSON_I64 || is == JSON_U64);
  bool as_integer = slice_equal_cstr(type, "integer") && is == JSON_STRING && integer_text(json_string(value), &bits);
  struct open_attribute open;
  if (!as_double && !as_integer) {
    sentry_attribute_put(out, field, key, value);
  } else if (open_attribute(out, field, key, &open)) {
    if (as_double) put_double(out, json_double(value));
    if (as_integer) wire_put_varint_field(out, ANY_INT, bits);
    close_attribute(out, &open);
  }
}

void sentry_attribute_put_all(struct buffer *out, uint32_t field, struct json_value members) {
  struct json_iter iter = json_iterate(members);
  struct slice key;
  struct json_value value;
  if (json_type_of(members) == JSON_OBJECT) {
    while (json_object_next(&iter, &key, &value)) sentry_attribute_put(out, field, key, value);
    return;
  }
  struct json_value pair, name;
  while (json_type_of(members) == JSON_ARRAY && json_array_next(&iter, &pair)) {
    struct json_iter parts = json_iterate(pair);
    if (json_type_of(pair) != JSON_ARRAY || !json_array_next(&parts, &name) || !json_array_next(&parts, &value)) {
      continue;
    }
    sentry_attribute_put(out, field, json_string(name), value);
  }
}

void sentry_attribute_put_resource(struct buffer *out, uint32_t field,
                                   const struct sentry_attribute_resource *resource) {
  const struct {
    const char *key;
    struct slice text;
  } members[] = {
      {"service.name", resource->service},
      {"service.version", resource->release},
      {"deployment.environment.name", resource->environment},
      {"host.name", resource->server_name},
      {"telemetry.sdk.name", resource->sdk_name},
      {"telemetry.sdk.version", resource->sdk_version},
      {"telemetry.sdk.language", resource->language},
  };
  struct wire_open_field open;
  if (!wire_open(out, field, 256, &open)) return;
  for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
    sentry_attribute_put_text(out, 1, slice_from_cstr(members[i].key), members[i].text);
  }
  if (!out->failed) wire_close(out, &open);
}

static const char *const of_resource[] = {"service.name",   "sentry.release",  "sentry.environment",
                                          "server.address", "sentry.sdk.name", "sentry.sdk.version"};
enum { OF_RESOURCE = sizeof(of_resource) / sizeof(of_resource[0]) };

bool sentry_attribute_is_of_resource(struct slice key) {
  for (size_t i = 0; i < OF_RESOURCE; i++) {
    if (slice_equal_cstr(key, of_resource[i])) return true;
  }
  return false;
}

void sentry_attribute_read_resource(struct json_value attributes, struct sentry_attribute_resource *resource) {
  struct slice *const members[OF_RESOURCE] = {&resource->service,     &resource->release,  &resource->environment,
                                              &resource->server_name, &resource->sdk_name, &resource->sdk_version};
  for (size_t i = 0; i < OF_RESOURCE; i++) {
    struct json_value typed = json_get(attributes, of_resource[i]);
    struct json_value value = json_type_of(typed) == JSON_OBJECT ? json_get(typed, "value") : typed;
    if (members[i]->len == 0) *members[i] = json_string(value);
  }
}

bool sentry_attribute_id(struct json_value value, uint8_t *out, size_t bytes) {
  uint8_t id[16] = {0};
  static const uint8_t zero[16];
  ASSERT(bytes <= sizeof(id));
  if (!slice_from_hex(json_string(value), id, bytes) || memcmp(id, zero, bytes) == 0) return false;
  memcpy(out, id, bytes);
  return true;
}
