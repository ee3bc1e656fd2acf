// SPDX-License-Identifier: Apache-2.0
//
// How it works: what kind of report it is shows in the member it is wrapped in; its members are copied under names
// with '_' for '-' and for a capital letter, which makes one spelling of the two forms of CSP.
#include "receiver/sentry_report.h"

#define NAME_BYTES_MAX 64

struct kind {
  const char *wrapper;   // in the report; "body" is the Reporting API's
  const char *interface; // in the event
  const char *logger;
};

// The Reporting API's own spellings that the rule does not give.
static const struct {
  const char *from, *to;
} renamed[] = {{"blocked_u_r_l", "blocked_uri"},
               {"document_u_r_l", "document_uri"},
               {"blocked_url", "blocked_uri"},
               {"document_url", "document_uri"}};

static size_t write_name(struct slice key, char out[NAME_BYTES_MAX]) {
  size_t len = 0;
  for (size_t i = 0; i < key.len && len + 2 < NAME_BYTES_MAX; i++) {
    uint8_t c = key.ptr[i];
    if (c == '-') {
      out[len++] = '_';
    } else if (c >= 'A' && c <= 'Z') {
      if (len > 0 && out[len - 1] != '_') out[len++] = '_';
      out[len++] = (char)(c - 'A' + 'a');
    } else {
      out[len++] = (char)c;
    }
  }
  for (size_t i = 0; i < sizeof(renamed) / sizeof(renamed[0]); i++) {
    if (!slice_equal_cstr(slice_make(out, len), renamed[i].from)) continue;
    len = strlen(renamed[i].to);
    memcpy(out, renamed[i].to, len);
  }
  return len;
}

static void write_interface(struct json_writer *json, struct json_value report) {
  json_begin_object(json);
  struct json_iter iter = json_iterate(report);
  struct slice key;
  struct json_value value;
  char name[NAME_BYTES_MAX];
  while (json_object_next(&iter, &key, &value)) {
    json_key_slice(json, slice_make(name, write_name(key, name)));
    json_write_parsed(json, value);
  }
  json_end_object(json);
}

static struct json_value csp_of_list(struct json_value list) {
  struct json_iter iter = json_iterate(list);
  struct json_value entry;
  while (json_array_next(&iter, &entry)) {
    if (slice_equal_cstr(json_string(json_get(entry, "type")), "csp-violation")) return entry;
  }
  return (struct json_value){0};
}

static bool find_kind(struct json_value *report, const struct kind **out_kind) {
  static const struct kind kinds[] = {{"csp-report", "csp", "csp"},
                                      {"body", "csp", "csp"},
                                      {"expect-ct-report", "expectct", "expectct"},
                                      {"expect-staple-report", "expectstaple", "expectstaple"}};
  static const struct kind hpkp = {NULL, "hpkp", "hpkp"};
  if (json_type_of(*report) == JSON_ARRAY) *report = csp_of_list(*report);
  for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
    struct json_value inner = json_get(*report, kinds[i].wrapper);
    if (json_type_of(inner) != JSON_OBJECT) continue;
    *report = inner;
    *out_kind = &kinds[i];
    return true;
  }
  *out_kind = &hpkp;
  return json_is_present(json_get(*report, "known-pins"));
}

static struct slice first_text(struct json_value object, const char *const *names) {
  struct slice text = {0};
  for (; *names && text.len == 0; names++) text = json_string(json_get(object, *names));
  return text;
}

static void write_message(struct json_writer *json, struct json_value report, const struct kind *kind) {
  static const char *const hosts[] = {"hostname", NULL};
  static const char *const blocked[] = {"blocked-uri", "blockedURL", NULL};
  static const char *const directives[] = {"effective-directive", "effectiveDirective", "violated-directive", NULL};
  struct buffer text;
  buffer_init(&text, 1024);
  if (slice_equal_cstr(slice_from_cstr(kind->interface), "csp")) {
    struct slice uri = first_text(report, blocked), directive = first_text(report, directives);
    directive = slice_sub(directive, 0, slice_find_byte(directive, ' '));
    buffer_printf(&text, "Blocked '%.*s' from '%.*s'", SLICE_PRINTF(slice_sub(directive, 0, 100)),
                  SLICE_PRINTF(slice_sub(uri, 0, 400)));
  } else {
    buffer_printf(&text, "%s failed for '%.*s'", kind->logger,
                  SLICE_PRINTF(slice_sub(first_text(report, hosts), 0, 400)));
  }
  json_key(json, "logentry");
  json_begin_object(json);
  json_key(json, "formatted");
  json_write_string(json, buffer_slice(&text));
  json_end_object(json);
  buffer_finish(&text);
}

static void write_text(struct json_writer *json, const char *key, struct slice text) {
  if (text.len == 0) return;
  json_key(json, key);
  json_write_string(json, text);
}

static void write_request(struct json_writer *json, struct json_value report, struct slice user_agent) {
  static const char *const documents[] = {"document-uri", "documentURL", NULL};
  json_key(json, "request");
  json_begin_object(json);
  write_text(json, "url", first_text(report, documents));
  json_key(json, "headers");
  json_begin_object(json);
  write_text(json, "User-Agent", user_agent);
  json_end_object(json);
  json_end_object(json);
}

enum status sentry_report_write(struct json_value report, const struct sentry_report_source *source, struct buffer *out,
                                struct error *error) {
  const struct kind *kind;
  if (!find_kind(&report, &kind)) return error_set(error, STATUS_INVALID, "not a report that is known");
  struct json_writer json;
  json_writer_init(&json, out);
  json_begin_object(&json);
  write_text(&json, "platform", SLICE_LITERAL("other"));
  write_text(&json, "type", slice_from_cstr(kind->interface));
  write_text(&json, "level", SLICE_LITERAL("info"));
  write_text(&json, "logger", slice_from_cstr(kind->logger));
  write_text(&json, "release", source->release);
  write_text(&json, "environment", source->environment);
  write_message(&json, report, kind);
  write_request(&json, report, source->user_agent);
  json_key(&json, kind->interface);
  write_interface(&json, report);
  json_end_object(&json);
  return out->failed ? error_set(error, STATUS_TOO_LARGE, "the report is too large") : STATUS_OK;
}
