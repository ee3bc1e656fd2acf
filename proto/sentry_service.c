// SPDX-License-Identifier: Apache-2.0
#include "proto/sentry_service.h"

#define TAGS_LOOKED_AT 200 // of a list of pairs: as many as an event has (sentry_event_parse)

static struct slice first_line(struct slice text) {
  text = slice_trim(text);
  return slice_trim(slice_sub(text, 0, slice_find_byte(text, '\n')));
}

static struct slice text_of(struct json_value object, const char *key) {
  return first_line(json_string(json_get(object, key)));
}

// A tag among {"k":"v"}, [["k","v"]] or [{"key":"k","value":"v"}].
static struct slice tag_of(struct json_value tags, const char *key) {
  if (json_type_of(tags) != JSON_ARRAY) return text_of(tags, key);
  struct json_iter iter = json_iterate(tags);
  struct json_value pair;
  for (int i = 0; i < TAGS_LOOKED_AT && json_array_next(&iter, &pair); i++) {
    struct json_value parts[2] = {json_get(pair, "key"), json_get(pair, "value")};
    struct json_iter both = json_iterate(pair);
    if (json_type_of(pair) == JSON_ARRAY) {
      for (int k = 0; k < 2 && json_array_next(&both, &parts[k]); k++) continue;
    }
    if (!slice_equal_cstr(slice_trim(json_string(parts[0])), key)) continue;
    struct slice text = first_line(json_string(parts[1]));
    if (text.len > 0) return text;
  }
  return (struct slice){0};
}

// service.name of a resource, unless it is the name of whatever has none.
static struct slice name_of_resource(struct json_value resource) {
  static const char *const runtimes[] = {"node", "deno", "bun", "cloudflare", "vercel-edge"};
  struct slice name = text_of(resource, "service.name");
  if (slice_starts_with(name, SLICE_LITERAL("unknown_service"))) return (struct slice){0};
  if (!slice_equal_cstr(text_of(resource, "service.namespace"), "sentry")) return name;
  for (size_t i = 0; i < sizeof runtimes / sizeof runtimes[0]; i++) {
    if (slice_equal_cstr(name, runtimes[i])) return (struct slice){0};
  }
  return name;
}

struct slice sentry_service_of_release(struct slice release) {
  release = first_line(release);
  size_t at = release.len;
  while (at > 0 && release.ptr[at - 1] != '@') at--;
  if (at < 2 || at == release.len) return (struct slice){0};
  struct slice package = slice_trim(slice_sub(release, 0, at - 1));
  for (size_t i = 0; i < package.len; i++) {
    uint8_t c = package.ptr[i];
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c >= 0x80) return package;
  }
  return (struct slice){0};
}

// The text of an attribute among [{"key":"k","value":{"stringValue":"v"}}].
static struct slice attribute_of(struct json_value attributes, const char *key) {
  struct json_value attribute;
  struct json_iter iter = json_iterate(attributes);
  while (json_type_of(attributes) == JSON_ARRAY && json_array_next(&iter, &attribute)) {
    if (!slice_equal_cstr(json_string(json_get(attribute, "key")), key)) continue;
    return text_of(json_get(attribute, "value"), "stringValue");
  }
  return (struct slice){0};
}

struct slice sentry_service_of_log_record(struct json_value record) {
  struct json_value attributes = json_get(record, "attributes");
  struct slice own = attribute_of(attributes, "service.name");
  return own.len > 0 ? own : sentry_service_of_release(attribute_of(attributes, "sentry.release"));
}

struct slice sentry_service_of_members(struct json_value tags, struct json_value contexts, struct json_value release) {
  struct slice name = tag_of(tags, "service");
  if (name.len == 0) name = tag_of(tags, "service.name");
  if (name.len == 0) name = name_of_resource(json_get(json_get(contexts, "otel"), "resource"));
  if (name.len == 0) name = name_of_resource(json_get(json_get(contexts, "trace"), "data"));
  if (name.len == 0) name = text_of(json_get(contexts, "app"), "app_name");
  return name.len > 0 ? name : sentry_service_of_release(json_string(release));
}

struct slice sentry_service_of_event(struct json_value event) {
  struct json_value contexts = json_get(event, "contexts");
  if (json_type_of(contexts) != JSON_OBJECT) contexts = json_get(event, "sentry.interfaces.Contexts");
  return sentry_service_of_members(json_get(event, "tags"), contexts, json_get(event, "release"));
}
