// SPDX-License-Identifier: Apache-2.0
//
// The walkers of otlp_scan.h over messages that a scan has validated. They are total all the same: on malformed bytes
// they end early.
#include "proto/otlp_any.h"
#include "proto/otlp_scan.h"
#include "proto/wire.h"

struct otlp_field_iter otlp_fields(struct slice message, uint32_t field) {
  return (struct otlp_field_iter){.rest = message, .field = field};
}

bool otlp_field_next(struct otlp_field_iter *iter, struct slice *out_content) {
  const uint8_t *at = iter->rest.ptr, *end = wire_end(iter->rest);
  const uint32_t wanted = WIRE_TAG(iter->field, WIRE_BYTES);
  while (at != end) {
    uint32_t tag;
    const uint8_t *payload = wire_tag(at, end, &tag);
    at = payload ? wire_skip(payload, end, tag) : NULL;
    if (!at) break;
    if (tag != wanted) continue;
    wire_bytes(payload, end, out_content);
    iter->rest = slice_make(at, (size_t)(end - at));
    return true;
  }
  iter->rest.len = 0;
  return false;
}

bool otlp_attribute_next(struct otlp_field_iter *iter, struct otlp_attribute *out_attribute) {
  struct slice content;
  if (!otlp_field_next(iter, &content)) return false;
  *out_attribute = otlp_any_decode_key_value(content);
  return true;
}

struct otlp_attribute otlp_attribute_of(struct slice key_value) {
  return otlp_any_decode_key_value(key_value);
}

bool otlp_attribute_find(struct slice message, uint32_t field, struct slice key, struct otlp_any *out_value) {
  struct otlp_field_iter iter = otlp_fields(message, field);
  struct otlp_attribute attribute;
  while (otlp_attribute_next(&iter, &attribute)) {
    if (!slice_equal(attribute.key, key)) continue;
    *out_value = attribute.value;
    return true;
  }
  return false;
}

struct otlp_field_iter otlp_any_elements(struct otlp_any array) {
  return otlp_fields(array.kind == OTLP_ANY_ARRAY ? array.bytes : slice_make(NULL, 0), 1);
}

bool otlp_any_next(struct otlp_field_iter *iter, struct otlp_any *out_element) {
  struct slice content;
  if (!otlp_field_next(iter, &content)) return false;
  *out_element = otlp_any_decode(content);
  return true;
}

struct otlp_field_iter otlp_any_members(struct otlp_any kvlist) {
  return otlp_fields(kvlist.kind == OTLP_ANY_KVLIST ? kvlist.bytes : slice_make(NULL, 0), 1);
}

bool otlp_span_event_next(struct otlp_field_iter *iter, struct otlp_span_event *out_event) {
  struct slice content;
  if (!otlp_field_next(iter, &content)) return false;
  struct otlp_span_event event = {.bytes = content};
  const uint8_t *at = content.ptr, *end = wire_end(content);
  while (at && at != end) {
    uint32_t tag;
    at = wire_tag(at, end, &tag);
    if (!at) break;
    switch (tag) {
    case WIRE_TAG(1, WIRE_FIXED64): at = wire_fixed64(at, end, &event.time_ns); break;
    case WIRE_TAG(2, WIRE_BYTES): at = wire_bytes(at, end, &event.name); break;
    default: at = wire_skip(at, end, tag);
    }
  }
  *out_event = event;
  return true;
}

bool otlp_span_link_next(struct otlp_field_iter *iter, struct otlp_span_link *out_link) {
  struct slice content;
  if (!otlp_field_next(iter, &content)) return false;
  struct otlp_span_link link = {.bytes = content};
  const uint8_t *at = content.ptr, *end = wire_end(content);
  while (at && at != end) {
    uint32_t tag;
    at = wire_tag(at, end, &tag);
    if (!at) break;
    switch (tag) {
    case WIRE_TAG(1, WIRE_BYTES): at = wire_bytes(at, end, &link.trace_id); break;
    case WIRE_TAG(2, WIRE_BYTES): at = wire_bytes(at, end, &link.span_id); break;
    case WIRE_TAG(3, WIRE_BYTES): at = wire_bytes(at, end, &link.trace_state); break;
    case WIRE_TAG(6, WIRE_FIXED32): at = wire_fixed32(at, end, &link.flags); break;
    default: at = wire_skip(at, end, tag);
    }
  }
  *out_link = link;
  return true;
}

struct slice otlp_resource_string(struct slice resource, const char *key) {
  struct otlp_any value;
  bool found = otlp_attribute_find(resource, OTLP_RESOURCE_ATTRIBUTES, slice_from_cstr(key), &value);
  return found && value.kind == OTLP_ANY_STRING ? value.bytes : slice_make(NULL, 0);
}
