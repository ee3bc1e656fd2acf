// SPDX-License-Identifier: Apache-2.0
//
// How it works: a few members are looked up in the parsed document; the rest of the event is not read. The places are
// those that proto/sentry_event_parse takes the same ids from, in the same order.
#include "processor/event_facts.h"

#include "store/record_facts.h"
#include "store/segment_index.h"

#define TRACE_ID_BYTES 16

// The first of today's name and the one old SDKs send.
static struct json_value member(struct json_value event, const char *name, const char *legacy_name) {
  struct json_value value = json_get(event, name);
  return json_type_of(value) == JSON_NULL ? json_get(event, legacy_name) : value;
}

// Objects, lists of pairs and lists of {"key":…,"value":…}; a value that is a list gives its first element.
static struct json_value find_pair(struct json_value pairs, struct slice wanted) {
  struct json_iter iter = json_iterate(pairs);
  struct slice key;
  struct json_value value, entry;
  bool is_object = json_type_of(pairs) == JSON_OBJECT;
  while (is_object ? json_object_next(&iter, &key, &value) : json_array_next(&iter, &entry)) {
    if (!is_object) {
      struct json_iter pair = json_iterate(entry);
      struct json_value name = {0};
      value = (struct json_value){0};
      if (json_type_of(entry) == JSON_ARRAY) {
        if (!json_array_next(&pair, &name) || !json_array_next(&pair, &value)) continue;
      } else {
        name = json_get(entry, "key");
        value = json_get(entry, "value");
      }
      key = json_string(name);
    }
    if (key.len != wanted.len || !slice_equal_ignore_case(key, wanted)) continue;
    struct json_iter list = json_iterate(value);
    if (json_type_of(value) == JSON_ARRAY && !json_array_next(&list, &value)) continue;
    return value;
  }
  return (struct json_value){0};
}

static struct slice usable_id(struct json_value value) {
  struct slice id = slice_trim(json_string(value));
  bool usable = id.len <= RECORD_REQUEST_ID_BYTES_MAX;
  for (size_t i = 0; usable && i < id.len; i++) usable = id.ptr[i] >= 0x20 && id.ptr[i] != 0x7f;
  return usable ? id : (struct slice){0};
}

struct slice event_facts_request_id(struct json_value event) {
  struct json_value request = member(event, "request", "sentry.interfaces.Http");
  const struct json_value places[] = {
      find_pair(json_get(event, "tags"), SLICE_LITERAL("request_id")),
      find_pair(json_get(request, "headers"), SLICE_LITERAL("x-request-id")),
      json_get(json_get(event, "extra"), "request_id"),
  };
  struct slice id = {0};
  for (size_t i = 0; i < sizeof(places) / sizeof(places[0]) && id.len == 0; i++) id = usable_id(places[i]);
  return id;
}

bool event_facts_trace_id(struct json_value event, uint8_t out_trace_id[16]) {
  static const uint8_t zero[TRACE_ID_BYTES];
  uint8_t id[TRACE_ID_BYTES];
  struct json_value contexts = member(event, "contexts", "sentry.interfaces.Contexts");
  struct slice text = json_string(json_get(json_get(contexts, "trace"), "trace_id"));
  if (!slice_from_hex(text, id, sizeof(id)) || memcmp(id, zero, sizeof(id)) == 0) return false;
  memcpy(out_trace_id, id, sizeof(id));
  return true;
}

enum status event_facts_build(struct json_value event, struct buffer *out_section) {
  struct record_trace trace = {.flags = RECORD_TRACE_EXCEPTION};
  bool has_trace = event_facts_trace_id(event, trace.trace_id);
  struct record_item item = {.trace = has_trace ? 0 : RECORD_NO_TRACE, .flags = RECORD_ITEM_ERROR};
  struct record_request request = {.trace = item.trace, .id = event_facts_request_id(event)};
  request.key = segment_index_request_key(request.id);
  return record_facts_encode(0, &trace, has_trace ? 1 : 0, &item, 1, &request, request.id.len > 0 ? 1 : 0, out_section);
}
