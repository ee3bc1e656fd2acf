// SPDX-License-Identifier: Apache-2.0
//
// How it works: what is known of the event is written in front (event_id, project, received, maybe errors and the
// time), and its text is copied behind as it is: of two members with one name the first one counts. Only where
// something inside of it changes (a wrong clock moves breadcrumbs, the user's address is that of the request), and
// where the text is not at hand, the members are walked and written one by one.
#include "proto/sentry_document.h"

#include "base/clock.h"
#include "base/hash.h"
#include "proto/sentry_envelope.h"
#include "proto/sentry_event_reader.h"

#define DRIFT_MIN_NS  (UINT64_C(55) * 60 * NS_PER_S)
#define FUTURE_MAX_NS (60 * NS_PER_S)
#define PAST_MAX_NS   (UINT64_C(30) * 24 * 3600 * NS_PER_S)

int64_t sentry_document_drift_ns(const struct sentry_document_source *source) {
  if (!source->has_sent_at) return 0;
  bool late = source->received_ns >= source->sent_at_ns;
  uint64_t apart = late ? source->received_ns - source->sent_at_ns : source->sent_at_ns - source->received_ns;
  if (apart < DRIFT_MIN_NS) return 0;
  int64_t drift = apart > INT64_MAX ? INT64_MAX : (int64_t)apart; // sent_at is anything a client can write
  return late ? drift : -drift;
}

uint64_t sentry_document_moved(uint64_t ns, int64_t drift_ns) {
  uint64_t by = drift_ns < 0 ? 0 - (uint64_t)drift_ns : (uint64_t)drift_ns;
  if (drift_ns >= 0) return ns + by < ns ? UINT64_MAX : ns + by;
  return by > ns ? 0 : ns - by;
}

void sentry_document_new_id(char out_event_id[33]) {
  uint8_t bytes[16];
  random_bytes(bytes, sizeof(bytes));
  slice_to_hex(slice_make(bytes, sizeof(bytes)), out_event_id);
  out_event_id[32] = 0;
}

static void write_time(struct json_writer *json, uint64_t ns) {
  char text[CLOCK_RFC3339_BYTES];
  clock_format_rfc3339(ns, text);
  json_write_cstr(json, text);
}

// What is noted of the event's time.
enum time_fault { TIME_SOUND, TIME_DRIFT, TIME_FUTURE, TIME_PAST };
static const char *const time_faults[] = {
    [TIME_DRIFT] = "clock_drift", [TIME_FUTURE] = "future_timestamp", [TIME_PAST] = "past_timestamp"};

static enum time_fault judge_time(const struct sentry_document_source *source, int64_t drift_ns, struct json_value time,
                                  uint64_t *out_ns) {
  uint64_t ns;
  if (!sentry_event_reader_time(time, &ns)) return TIME_SOUND; // its reader will say
  ns = sentry_document_moved(ns, drift_ns);
  *out_ns = source->received_ns;
  if (ns > source->received_ns + FUTURE_MAX_NS) return TIME_FUTURE;
  if (ns + PAST_MAX_NS < source->received_ns) return TIME_PAST;
  *out_ns = ns;
  return drift_ns ? TIME_DRIFT : TIME_SOUND;
}

static void write_errors(struct json_writer *json, struct json_value errors, enum time_fault fault) {
  json_begin_array(json);
  struct json_iter iter = json_iterate(errors);
  struct json_value value;
  while (json_type_of(errors) == JSON_ARRAY && json_array_next(&iter, &value)) json_write_parsed(json, value);
  if (fault != TIME_SOUND) {
    json_begin_object(json);
    json_key(json, "type");
    json_write_cstr(json, time_faults[fault]);
    json_key(json, "name");
    json_write_cstr(json, "timestamp");
    json_end_object(json);
  }
  json_end_array(json);
}

// An object with one of its members replaced by text.
static void write_replaced(struct json_writer *json, struct json_value object, const char *name, struct slice text) {
  json_begin_object(json);
  struct json_iter iter = json_iterate(object);
  struct slice key;
  struct json_value value;
  while (json_object_next(&iter, &key, &value)) {
    json_key_slice(json, key);
    if (slice_equal_cstr(key, name)) {
      json_write_string(json, text);
    } else {
      json_write_parsed(json, value);
    }
  }
  json_end_object(json);
}

static void write_breadcrumbs(struct json_writer *json, struct json_value breadcrumbs, int64_t drift_ns) {
  struct json_value list = json_type_of(breadcrumbs) == JSON_OBJECT ? json_get(breadcrumbs, "values") : breadcrumbs;
  if (json_type_of(list) != JSON_ARRAY) {
    json_write_parsed(json, breadcrumbs);
    return;
  }
  json_begin_array(json);
  struct json_iter iter = json_iterate(list);
  struct json_value crumb;
  while (json_array_next(&iter, &crumb)) {
    uint64_t ns;
    if (sentry_event_reader_time(json_get(crumb, "timestamp"), &ns)) {
      char text[CLOCK_RFC3339_BYTES];
      clock_format_rfc3339(sentry_document_moved(ns, drift_ns), text);
      write_replaced(json, crumb, "timestamp", slice_from_cstr(text));
    } else {
      json_write_parsed(json, crumb);
    }
  }
  json_end_array(json);
}

static bool is_any_of(struct slice key, const char *const *names) {
  for (; *names; names++) {
    if (slice_equal_cstr(key, *names)) return true;
  }
  return false;
}

static void write_members(struct json_writer *json, struct json_value event,
                          const struct sentry_document_source *source, uint64_t time_ns, enum time_fault fault) {
  static const char *const own[] = {"event_id", "project", "received", "errors", NULL};
  static const char *const crumbs[] = {"breadcrumbs", "sentry.interfaces.Breadcrumbs", NULL};
  static const char *const user[] = {"user", "sentry.interfaces.User", NULL};
  int64_t drift_ns = sentry_document_drift_ns(source);
  struct json_iter iter = json_iterate(event);
  struct slice key;
  struct json_value value;
  while (json_object_next(&iter, &key, &value)) {
    if (is_any_of(key, own)) continue;
    json_key_slice(json, key);
    if (fault != TIME_SOUND && slice_equal_cstr(key, "timestamp")) {
      write_time(json, time_ns);
    } else if (drift_ns && is_any_of(key, crumbs)) {
      write_breadcrumbs(json, value, drift_ns);
    } else if (source->peer.len > 0 && is_any_of(key, user) &&
               slice_equal_cstr(json_string(json_get(value, "ip_address")), "{{auto}}")) {
      write_replaced(json, value, "ip_address", source->peer);
    } else {
      json_write_parsed(json, value);
    }
  }
}

static enum status choose_id(struct json_value event, const char *header_id, char out_event_id[33],
                             struct error *error) {
  if (header_id[0]) {
    memcpy(out_event_id, header_id, 33);
    return STATUS_OK;
  }
  struct json_value id = json_get(event, "event_id");
  if (json_type_of(id) == JSON_NULL) {
    sentry_document_new_id(out_event_id);
    return STATUS_OK;
  }
  if (sentry_envelope_event_id(json_string(id), out_event_id)) return STATUS_OK;
  return error_set(error, STATUS_INVALID, "event_id is not an event id");
}

static bool user_is_asked_for(struct json_value event) {
  static const char *const names[] = {"user", "sentry.interfaces.User"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if (slice_equal_cstr(json_string(json_get(json_get(event, names[i]), "ip_address")), "{{auto}}")) return true;
  }
  return false;
}

// What is between the braces of the event, when all of it may stay; else empty.
static struct slice text_that_stays(struct json_value event, const struct sentry_document_source *source) {
  struct slice text = slice_trim(source->text);
  if (text.len < 2 || text.ptr[0] != '{' || json_count(event) == 0) return (struct slice){0};
  if (sentry_document_drift_ns(source) != 0) return (struct slice){0};
  if (source->peer.len > 0 && user_is_asked_for(event)) return (struct slice){0};
  return slice_trim(slice_sub(text, 1, text.len - 2));
}

enum status sentry_document_stands(struct json_value event, const struct sentry_document_source *source,
                                   bool *out_stands, char out_event_id[33], struct error *error) {
  *out_stands = false;
  if (json_type_of(event) != JSON_OBJECT) return error_set(error, STATUS_INVALID, "the event is not a JSON object");
  uint64_t time_ns;
  bool sound = judge_time(source, 0, json_get(event, "timestamp"), &time_ns) == TIME_SOUND;
  if (!sound || text_that_stays(event, source).len == 0 || json_count(json_get(event, "errors")) > 0) return STATUS_OK;
  *out_stands = true;
  return choose_id(event, source->event_id, out_event_id, error);
}

enum status sentry_document_write(struct json_value event, const struct sentry_document_source *source,
                                  struct buffer *out, char out_event_id[33], struct error *error) {
  if (json_type_of(event) != JSON_OBJECT) return error_set(error, STATUS_INVALID, "the event is not a JSON object");
  enum status status = choose_id(event, source->event_id, out_event_id, error);
  if (status != STATUS_OK) return status;
  uint64_t time_ns = 0;
  struct json_value errors = json_get(event, "errors");
  enum time_fault fault = judge_time(source, sentry_document_drift_ns(source), json_get(event, "timestamp"), &time_ns);
  struct json_writer json;
  json_writer_init(&json, out);
  json_begin_object(&json);
  json_key(&json, "event_id");
  json_write_cstr(&json, out_event_id);
  json_key(&json, "project");
  json_write_u64(&json, source->project);
  json_key(&json, "received");
  write_time(&json, source->received_ns);
  if (fault != TIME_SOUND || json_count(errors) > 0) {
    json_key(&json, "errors");
    write_errors(&json, errors, fault);
  }
  struct slice rest = text_that_stays(event, source);
  if (rest.len > 0) {
    if (fault != TIME_SOUND) {
      json_key(&json, "timestamp");
      write_time(&json, time_ns);
    }
    buffer_append_byte(out, ',');
    buffer_append_slice(out, rest);
  } else {
    write_members(&json, event, source, time_ns, fault);
  }
  json_end_object(&json);
  return out->failed ? error_set(error, STATUS_TOO_LARGE, "the event is too large") : STATUS_OK;
}
