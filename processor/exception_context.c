// SPDX-License-Identifier: Apache-2.0
//
// Names are those of the semantic conventions 1.44, the older ones in use behind them.
#include "processor/exception_context.h"

#include "proto/otlp_value_json.h"

#define CONTEXTS_BYTES_MAX (1u << 20)
#define TAG_BYTES_MAX      200

// A value that can stand in a tag: text, number or truth; of an array its first element.
static struct slice text_of(const struct otlp_any *value, struct arena *arena) {
  struct otlp_any first = *value;
  if (value->kind == OTLP_ANY_ARRAY) {
    struct otlp_field_iter elements = otlp_any_elements(*value);
    if (!otlp_any_next(&elements, &first)) return (struct slice){0};
  }
  switch (first.kind) {
  case OTLP_ANY_STRING: return first.bytes;
  case OTLP_ANY_BOOL: return first.boolean ? SLICE_LITERAL("true") : SLICE_LITERAL("false");
  case OTLP_ANY_I64: return arena_printf(arena, "%lld", (long long)first.i64);
  case OTLP_ANY_DOUBLE: return arena_printf(arena, "%.15g", first.f64);
  case OTLP_ANY_EMPTY:
  case OTLP_ANY_ARRAY:
  case OTLP_ANY_KVLIST:
  case OTLP_ANY_BYTES: break;
  }
  return (struct slice){0};
}

struct slice exception_context_text(const struct exception_context_attributes *attributes, const char *const *keys,
                                    struct arena *arena) {
  for (; *keys != NULL; keys++) {
    for (uint32_t i = 0; i < attributes->count; i++) {
      struct otlp_any value;
      if (!otlp_attribute_find(attributes->lists[i].message, attributes->lists[i].field, slice_from_cstr(*keys),
                               &value)) {
        continue;
      }
      struct slice text = text_of(&value, arena);
      if (text.len > 0) return text;
    }
  }
  return (struct slice){0};
}

static struct slice resource_text(struct slice resource, struct arena *arena, const char *const *keys) {
  struct exception_context_attributes attributes = {.lists = {{resource, OTLP_RESOURCE_ATTRIBUTES}}, .count = 1};
  return exception_context_text(&attributes, keys, arena);
}

#define KEYS(...) ((const char *const[]){__VA_ARGS__, NULL})

void exception_context_read_resource(struct slice resource, struct arena *arena, struct sentry_event *event) {
  event->service = resource_text(resource, arena, KEYS("service.name"));
  event->release = resource_text(resource, arena, KEYS("service.version"));
  event->environment = resource_text(resource, arena, KEYS("deployment.environment.name", "deployment.environment"));
  event->server_name = resource_text(resource, arena, KEYS("host.name", "service.instance.id"));
  event->sdk_name = resource_text(resource, arena, KEYS("telemetry.sdk.name"));
  event->sdk_version = resource_text(resource, arena, KEYS("telemetry.sdk.version"));
}

static void member(struct json_writer *json, const char *key, struct slice text) {
  if (text.len == 0) return;
  json_key(json, key);
  json_write_string(json, text);
}

static struct slice keep_json(struct buffer *buffer, struct arena *arena) {
  return buffer->failed || buffer->len == 0 ? (struct slice){0} : arena_copy(arena, buffer_slice(buffer));
}

// {"url":…,"method":…,…} of the HTTP request being served, from server or client spans alike.
static void read_request(const struct exception_context_attributes *attributes, struct arena *arena,
                         struct sentry_event *event) {
  struct slice url = exception_context_text(attributes, KEYS("url.full", "http.url"), arena);
  struct slice path = exception_context_text(attributes, KEYS("url.path", "http.target"), arena);
  struct slice method = exception_context_text(attributes, KEYS("http.request.method", "http.method"), arena);
  if (url.len == 0 && path.len > 0) {
    struct slice scheme = exception_context_text(attributes, KEYS("url.scheme", "http.scheme"), arena);
    struct slice host = exception_context_text(attributes, KEYS("server.address", "http.host", "net.host.name"), arena);
    bool whole = scheme.len > 0 && host.len > 0;
    url = whole ? arena_printf(arena, "%.*s://%.*s%.*s", SLICE_PRINTF(scheme), SLICE_PRINTF(host), SLICE_PRINTF(path))
                : path;
  }
  if (url.len == 0 && method.len == 0) return;
  struct buffer text;
  buffer_init(&text, CONTEXTS_BYTES_MAX);
  struct json_writer json;
  json_writer_init(&json, &text);
  json_begin_object(&json);
  member(&json, "url", url);
  member(&json, "method", method);
  member(&json, "query_string", exception_context_text(attributes, KEYS("url.query"), arena));
  struct slice agent = exception_context_text(attributes, KEYS("user_agent.original", "http.user_agent"), arena);
  if (agent.len > 0) {
    json_key(&json, "headers");
    json_begin_object(&json);
    member(&json, "User-Agent", agent);
    json_end_object(&json);
  }
  json_end_object(&json);
  event->request_json = keep_json(&text, arena);
  buffer_finish(&text);
}

static void read_user(const struct exception_context_attributes *attributes, struct arena *arena,
                      struct sentry_event *event) {
  struct slice id = exception_context_text(attributes, KEYS("user.id", "enduser.id"), arena);
  struct slice email = exception_context_text(attributes, KEYS("user.email"), arena);
  struct slice name = exception_context_text(attributes, KEYS("user.name", "user.full_name"), arena);
  struct slice address = exception_context_text(attributes, KEYS("client.address", "http.client_ip"), arena);
  const struct slice ids[] = {id, email, name, address};
  for (size_t i = 0; i < 4 && event->user_id.len == 0; i++) event->user_id = ids[i];
  if (event->user_id.len == 0) return;
  struct buffer text;
  buffer_init(&text, CONTEXTS_BYTES_MAX);
  struct json_writer json;
  json_writer_init(&json, &text);
  json_begin_object(&json);
  member(&json, "id", id);
  member(&json, "email", email);
  member(&json, "username", name);
  member(&json, "ip_address", address);
  json_end_object(&json);
  event->user_json = keep_json(&text, arena);
  buffer_finish(&text);
}

static void tag(struct sentry_event *event, struct arena *arena, const char *key, struct slice value) {
  value = slice_trim(slice_sub(value, 0, slice_find_byte(value, '\n')));
  size_t len = value.len < TAG_BYTES_MAX ? value.len : TAG_BYTES_MAX;
  while (len > 0 && len < value.len && (value.ptr[len] & 0xc0u) == 0x80u) len--; // no half characters
  if (len > 0) sentry_event_add_tag(event, arena, slice_from_cstr(key), slice_sub(value, 0, len));
}

static void read_tags(const struct exception_context_attributes *attributes, struct slice resource, struct arena *arena,
                      struct sentry_event *event) {
  // Few values each, so that counting them says something; the old name stands behind the one the tag gets.
  static const char *const keys[][2] = {
      {"http.request.method", "http.method"},
      {"http.response.status_code", "http.status_code"},
      {"http.route", NULL},
      {"error.type", NULL},
      {"rpc.system", NULL},
      {"rpc.service", NULL},
      {"rpc.method", NULL},
      {"db.system.name", "db.system"},
      {"db.operation.name", "db.operation"},
      {"messaging.system", NULL},
      {"messaging.destination.name", NULL},
      {"messaging.operation.type", "messaging.operation"},
      {"faas.trigger", NULL},
      {"graphql.operation.name", NULL},
      {"feature_flag.key", NULL},
  };
  static const char *const resource_keys[] = {
      "service.namespace",       "k8s.namespace.name", "k8s.deployment.name",  "k8s.pod.name",
      "k8s.cluster.name",        "k8s.node.name",      "cloud.provider",       "cloud.region",
      "cloud.availability_zone", "faas.name",          "container.image.name", "os.type",
  };
  for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
    tag(event, arena, keys[i][0], exception_context_text(attributes, KEYS(keys[i][0], keys[i][1]), arena));
  }
  for (size_t i = 0; i < sizeof(resource_keys) / sizeof(resource_keys[0]); i++) {
    tag(event, arena, resource_keys[i], resource_text(resource, arena, KEYS(resource_keys[i])));
  }
}

void exception_context_read_attributes(const struct exception_context_attributes *attributes, struct slice resource,
                                       struct arena *arena, struct sentry_event *event) {
  read_request(attributes, arena, event);
  read_user(attributes, arena, event);
  read_tags(attributes, resource, arena, event);
}

void exception_context_write(const struct exception_context_attributes *attributes, struct slice resource,
                             struct slice parent_span_id, struct slice description, struct sentry_event *event,
                             struct arena *arena) {
  struct buffer text;
  buffer_init(&text, CONTEXTS_BYTES_MAX);
  struct json_writer json;
  json_writer_init(&json, &text);
  json_begin_object(&json);
  if (event->trace_id.len > 0) {
    json_key(&json, "trace");
    json_begin_object(&json);
    member(&json, "trace_id", event->trace_id);
    member(&json, "span_id", event->span_id);
    member(&json, "parent_span_id", parent_span_id);
    member(&json, "description", description);
    json_end_object(&json);
  }
  struct slice runtime = resource_text(resource, arena, KEYS("process.runtime.name"));
  if (runtime.len > 0) {
    json_key(&json, "runtime");
    json_begin_object(&json);
    member(&json, "name", runtime);
    member(&json, "version", resource_text(resource, arena, KEYS("process.runtime.version")));
    json_end_object(&json);
  }
  json_key(&json, "otel");
  json_begin_object(&json);
  json_key(&json, "attributes");
  json_begin_object(&json);
  for (uint32_t i = attributes->count; i > 0; i--) { // the wider first
    otlp_value_json_write_members(&json, attributes->lists[i - 1].message, attributes->lists[i - 1].field,
                                  "exception.");
  }
  json_end_object(&json);
  json_key(&json, "resource");
  json_begin_object(&json);
  otlp_value_json_write_members(&json, resource, OTLP_RESOURCE_ATTRIBUTES, NULL);
  json_end_object(&json);
  json_end_object(&json);
  json_end_object(&json);
  event->contexts_json = keep_json(&text, arena);
  buffer_finish(&text);
}
