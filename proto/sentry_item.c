// SPDX-License-Identifier: Apache-2.0
//
// The form is Sentry's own envelope, so that one parser reads both and a later version can add kinds and members:
//
//   {}\n
//   {"type":"attachment","length":5,"event_id":"…","bytes":5,"filename":"a.txt","content_type":…,"scrubbed":true}\n
//   hello\n
//   {"type":"attachment","length":0,"event_id":"…","bytes":99999999,"filename":…,"reason":"…"}\n  \n       not kept
//   {"type":"feedback","length":0,"id":"…","event_id":…,"time_ns":"…","report":true,"name":…,"message":…}\n  \n
//   {"type":"discarded","length":0,"reason":"before_send","category":"error","quantity":3}\n  \n
//
// What fits in a header line is there (texts are cut so that a line stays below SENTRY_ENVELOPE_HEADER_BYTES_MAX); only
// an attachment's bytes are a payload.
#include "proto/sentry_item.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/utf8.h"

// --- writing ---------------------------------------------------------------------------------------------------------

static void write_text(struct json_writer *json, const char *key, struct slice text, size_t bytes_max) {
  if (text.len == 0) return;
  size_t len = 0;
  bool valid;
  while (len < text.len) { // never half a character
    size_t step = utf8_step(text, len, &valid);
    if (len + step > bytes_max) break;
    len += step;
  }
  json_key(json, key);
  json_write_string(json, slice_sub(text, 0, len));
}

static void write_number(struct json_writer *json, const char *key, uint64_t number) {
  json_key(json, key);
  json_write_u64(json, number);
}

static void write_attachment(struct json_writer *json, const struct sentry_item_attachment *attachment) {
  write_text(json, "event_id", slice_from_cstr(attachment->event_id), 32);
  write_number(json, "bytes", attachment->bytes);
  write_text(json, "filename", attachment->filename, SENTRY_ITEM_FILENAME_MAX);
  write_text(json, "content_type", attachment->content_type, SENTRY_ITEM_WORD_MAX);
  write_text(json, "attachment_type", attachment->attachment_type, SENTRY_ITEM_WORD_MAX);
  write_text(json, "reason", attachment->reason, SENTRY_ITEM_FILENAME_MAX);
  if (!attachment->scrubbed) return;
  json_key(json, "scrubbed");
  json_write_bool(json, true);
}

static void write_feedback(struct json_writer *json, const struct sentry_feedback *feedback) {
  write_text(json, "id", slice_from_cstr(feedback->id), 32);
  write_text(json, "event_id", slice_from_cstr(feedback->event_id), 32);
  if (feedback->time_ns != 0) {
    char text[24]; // as text: 64 bits survive any JSON reader
    int len = snprintf(text, sizeof text, "%" PRIu64, feedback->time_ns);
    write_text(json, "time_ns", slice_make(text, (size_t)len), sizeof text);
  }
  json_key(json, "report");
  json_write_bool(json, feedback->is_report);
  write_text(json, "name", feedback->name, 4 * SENTRY_FEEDBACK_NAME_MAX);
  write_text(json, "email", feedback->email, 4 * SENTRY_FEEDBACK_EMAIL_MAX);
  write_text(json, "url", feedback->url, 4 * SENTRY_FEEDBACK_URL_MAX);
  write_text(json, "message", feedback->message, 4 * SENTRY_FEEDBACK_MESSAGE_MAX);
}

static void write_discarded(struct json_writer *json, const struct sentry_item_discarded *discarded) {
  write_text(json, "reason", discarded->reason, SENTRY_ITEM_WORD_MAX);
  write_text(json, "category", discarded->category, SENTRY_ITEM_WORD_MAX);
  write_number(json, "quantity", discarded->quantity);
}

void sentry_item_write(struct buffer *out, const struct sentry_item *item) {
  static const char *const types[] = {[SENTRY_ITEM_ATTACHMENT] = "attachment",
                                      [SENTRY_ITEM_FEEDBACK] = "feedback",
                                      [SENTRY_ITEM_DISCARDED] = "discarded"};
  if (out->len == 0) buffer_append_cstr(out, "{}\n");
  struct slice payload = item->kind == SENTRY_ITEM_ATTACHMENT ? item->attachment.data : (struct slice){0};
  struct json_writer json;
  json_writer_init(&json, out);
  json_begin_object(&json);
  json_key(&json, "type");
  json_write_cstr(&json, types[item->kind]);
  write_number(&json, "length", payload.len);
  switch (item->kind) {
  case SENTRY_ITEM_ATTACHMENT: write_attachment(&json, &item->attachment); break;
  case SENTRY_ITEM_FEEDBACK: write_feedback(&json, &item->feedback); break;
  case SENTRY_ITEM_DISCARDED: write_discarded(&json, &item->discarded); break;
  }
  json_end_object(&json);
  buffer_append_byte(out, '\n');
  buffer_append_slice(out, payload);
  buffer_append_byte(out, '\n');
}

// --- reading ---------------------------------------------------------------------------------------------------------

enum status sentry_item_open(struct sentry_item_reader *reader, struct json_parser *parser, struct slice body,
                             struct error *error) {
  return sentry_envelope_open(&reader->envelope, parser, body, error);
}

static struct slice text_of(struct json_value header, const char *name) {
  return json_string(json_get(header, name));
}

static bool read_attachment(const struct sentry_envelope_item *from, struct sentry_item_attachment *out) {
  *out = (struct sentry_item_attachment){
      .filename = from->filename,
      .content_type = from->content_type,
      .attachment_type = text_of(from->header, "attachment_type"),
      .bytes = json_u64(json_get(from->header, "bytes")),
      .data = from->payload,
      .reason = text_of(from->header, "reason"),
      .scrubbed = json_bool(json_get(from->header, "scrubbed")),
  };
  bool whole = out->reason.len > 0 ? out->data.len == 0 : out->data.len == out->bytes;
  return whole && sentry_envelope_event_id(text_of(from->header, "event_id"), out->event_id);
}

static bool read_feedback(struct json_value header, struct sentry_feedback *out) {
  *out = (struct sentry_feedback){
      .is_report = json_bool(json_get(header, "report")),
      .name = text_of(header, "name"),
      .email = text_of(header, "email"),
      .message = text_of(header, "message"),
      .url = text_of(header, "url"),
  };
  struct slice event_id = text_of(header, "event_id"), time = text_of(header, "time_ns");
  if (event_id.len > 0 && !sentry_envelope_event_id(event_id, out->event_id)) return false;
  if (time.len > 0 && !slice_to_u64(time, &out->time_ns)) return false;
  return out->message.len > 0 && sentry_envelope_event_id(text_of(header, "id"), out->id);
}

static bool read_discarded(struct json_value header, struct sentry_item_discarded *out) {
  *out = (struct sentry_item_discarded){.reason = text_of(header, "reason"),
                                        .category = text_of(header, "category"),
                                        .quantity = json_u64(json_get(header, "quantity"))};
  return out->reason.len > 0 && out->category.len > 0;
}

enum status sentry_item_next(struct sentry_item_reader *reader, struct sentry_item *out_item, struct error *error) {
  struct sentry_envelope_item from;
  enum status status;
  while ((status = sentry_envelope_next(&reader->envelope, &from, error)) == STATUS_OK) {
    struct sentry_item item = {0};
    bool good;
    if (slice_equal_cstr(from.type, "attachment")) {
      item.kind = SENTRY_ITEM_ATTACHMENT;
      good = read_attachment(&from, &item.attachment);
    } else if (slice_equal_cstr(from.type, "feedback")) {
      item.kind = SENTRY_ITEM_FEEDBACK;
      good = read_feedback(from.header, &item.feedback);
    } else if (slice_equal_cstr(from.type, "discarded")) {
      item.kind = SENTRY_ITEM_DISCARDED;
      good = read_discarded(from.header, &item.discarded);
    } else {
      continue;
    }
    if (!good) {
      return error_set(error, STATUS_INVALID, "item %" PRIu32 ": a member of its header is not usable",
                       reader->envelope.item_index - 1);
    }
    *out_item = item;
    return STATUS_OK;
  }
  return status;
}
