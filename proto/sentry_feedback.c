// SPDX-License-Identifier: Apache-2.0
//
// How it works: members are read where they stand and cut by code points. A user_report has no id of its own, so its id
// is made of what it says: sent again, it is the same report.
#include "proto/sentry_feedback.h"

#include "base/hash.h"
#include "base/utf8.h"
#include "proto/sentry_document.h"
#include "proto/sentry_envelope.h"
#include "proto/sentry_event_reader.h"

static struct slice cut(struct slice text, uint32_t chars_max) {
  text = slice_trim(text);
  if (text.len <= chars_max) return text;
  size_t at = 0;
  bool valid;
  for (uint32_t chars = 0; chars < chars_max && at < text.len; chars++) at += utf8_step(text, at, &valid);
  return slice_sub(text, 0, at);
}

static struct slice member(struct json_value object, const char *name, uint32_t chars_max) {
  return cut(json_string(json_get(object, name)), chars_max);
}

static struct json_value context_of(struct json_value event) {
  return json_get(json_get(event, "contexts"), "feedback");
}

bool sentry_feedback_is_event(struct json_value event) {
  if (slice_equal_cstr(json_string(json_get(event, "type")), "feedback")) return true;
  bool has_message = slice_trim(json_string(json_get(context_of(event), "message"))).len > 0;
  return has_message &&
         !sentry_event_reader_has(sentry_event_reader_member(event, "exception", "sentry.interfaces.Exception"));
}

// An id that may be missing: out_id is "" then.
static enum status read_id(struct json_value value, const char *name, char out_id[33], struct error *error) {
  struct slice text = slice_trim(json_string(value));
  if (text.len == 0 && (json_type_of(value) == JSON_NULL || json_type_of(value) == JSON_STRING)) return STATUS_OK;
  if (sentry_envelope_event_id(text, out_id)) return STATUS_OK;
  return error_set(error, STATUS_INVALID, "%s is not an event id", name);
}

enum status sentry_feedback_read_event(struct json_value event, const char *envelope_id,
                                       struct sentry_feedback *out_feedback, struct error *error) {
  struct sentry_feedback feedback = {0};
  struct json_value context = context_of(event);
  feedback.message = member(context, "message", SENTRY_FEEDBACK_MESSAGE_MAX);
  if (feedback.message.len == 0) return error_set(error, STATUS_INVALID, "contexts.feedback.message is missing");
  enum status status =
      read_id(json_get(context, "associated_event_id"), "associated_event_id", feedback.event_id, error);
  if (status == STATUS_OK && envelope_id[0]) {
    memcpy(feedback.id, envelope_id, sizeof feedback.id);
  } else if (status == STATUS_OK) {
    status = read_id(json_get(event, "event_id"), "event_id", feedback.id, error);
  }
  if (status != STATUS_OK) return status;
  if (!feedback.id[0]) sentry_document_new_id(feedback.id);
  feedback.name = member(context, "name", SENTRY_FEEDBACK_NAME_MAX);
  feedback.email = member(context, "contact_email", SENTRY_FEEDBACK_EMAIL_MAX);
  feedback.url = member(context, "url", SENTRY_FEEDBACK_URL_MAX);
  if (feedback.url.len == 0) feedback.url = member(json_get(event, "request"), "url", SENTRY_FEEDBACK_URL_MAX);
  if (!sentry_event_reader_time(json_get(event, "timestamp"), &feedback.time_ns)) feedback.time_ns = 0;
  *out_feedback = feedback;
  return STATUS_OK;
}

static void name_report(struct sentry_feedback *feedback) {
  struct hash_md5 md5;
  const struct slice parts[] = {SLICE_LITERAL("user_report"), slice_from_cstr(feedback->event_id), feedback->name,
                                feedback->email, feedback->message};
  hash_md5_init(&md5);
  for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
    hash_md5_update(&md5, slice_make(&parts[i].len, sizeof parts[i].len)); // so that parts do not run together
    hash_md5_update(&md5, parts[i]);
  }
  hash_md5_finish(&md5, feedback->id);
}

enum status sentry_feedback_read_report(struct json_value report, const char *envelope_id,
                                        struct sentry_feedback *out_feedback, struct error *error) {
  struct sentry_feedback feedback = {.is_report = true};
  feedback.message = member(report, "comments", SENTRY_FEEDBACK_MESSAGE_MAX);
  if (feedback.message.len == 0) return error_set(error, STATUS_INVALID, "comments are missing");
  enum status status = read_id(json_get(report, "event_id"), "event_id", feedback.event_id, error);
  if (status != STATUS_OK) return status;
  if (!feedback.event_id[0]) memcpy(feedback.event_id, envelope_id, strnlen(envelope_id, 32));
  feedback.name = member(report, "name", SENTRY_FEEDBACK_NAME_MAX);
  feedback.email = member(report, "email", SENTRY_FEEDBACK_EMAIL_MAX);
  name_report(&feedback);
  *out_feedback = feedback;
  return STATUS_OK;
}
