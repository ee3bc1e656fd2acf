// SPDX-License-Identifier: Apache-2.0
#include "receiver/sentry_upload.h"

#include "base/json.h"
#include "proto/multipart.h"
#include "proto/sentry_item.h"

static void write_part(struct buffer *out, const struct multipart_part *part) {
  struct json_writer json;
  json_writer_init(&json, out);
  json_begin_object(&json);
  json_key(&json, "type");
  json_write_cstr(&json, "attachment");
  json_key(&json, "length");
  json_write_u64(&json, part->body.len);
  json_key(&json, "filename");
  json_write_string(&json, slice_sub(part->filename, 0, SENTRY_ITEM_FILENAME_MAX));
  if (part->content_type.len > 0) {
    json_key(&json, "content_type");
    json_write_string(&json, slice_sub(part->content_type, 0, SENTRY_ITEM_WORD_MAX));
  }
  json_end_object(&json);
  buffer_append_byte(out, '\n');
  buffer_append_slice(out, part->body);
  buffer_append_byte(out, '\n');
}

enum status sentry_upload_write(struct slice event_id, struct slice content_type, struct slice body, struct buffer *out,
                                struct error *error) {
  char id[33];
  if (!sentry_envelope_event_id(event_id, id)) return error_set(error, STATUS_INVALID, "the path has no event id");
  struct multipart multipart;
  struct multipart_part part;
  buffer_printf(out, "{\"event_id\":\"%s\"}\n", id);
  enum status status = multipart_open(&multipart, content_type, body, error);
  while (status == STATUS_OK && (status = multipart_next(&multipart, &part, error)) == STATUS_OK) {
    if (part.filename.len > 0) write_part(out, &part);
    if (out->failed) return error_set(error, STATUS_TOO_LARGE, "the upload has too many parts");
  }
  return status == STATUS_END ? STATUS_OK : status;
}
