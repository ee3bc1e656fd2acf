// SPDX-License-Identifier: Apache-2.0
#include "ui/api/api_attachments.h"

#include <stdio.h>

#include "base/utf8.h"
#include "store/issue_query.h"
#include "store/item_query.h"

#define NAME_BYTES_MAX 1024 // of a Content-Disposition

static const char *const no_parameters[] = {NULL};

static enum status read_event_id(struct api_answer *answer, uint8_t out_id[ISSUE_EVENT_ID_BYTES]) {
  if (slice_from_hex(http_request_capture(answer->request, 0), out_id, ISSUE_EVENT_ID_BYTES)) return STATUS_OK;
  return api_answer_fail(answer, STATUS_INVALID, "event_id", "must be 32 hexadecimal digits");
}

// --- the list --------------------------------------------------------------------------------------------------------

static void write_row(struct api_answer *answer, const struct item_attachment_row *row) {
  json_begin_object(&answer->json);
  api_answer_decimal(answer, "id", (uint64_t)row->row);
  api_answer_text(answer, "filename", row->filename);
  api_answer_text(answer, "content_type", row->content_type);
  api_answer_text(answer, "attachment_type", row->attachment_type);
  api_answer_number(answer, "bytes", row->bytes);
  api_answer_time(answer, "received", row->received_ns);
  json_key(&answer->json, "kept");
  json_write_bool(&answer->json, row->reason.len == 0);
  api_answer_text(answer, "reason", row->reason);
  json_key(&answer->json, "scrubbed");
  json_write_bool(&answer->json, row->scrubbed);
  json_end_object(&answer->json);
}

static enum status write_list(struct api_answer *answer, const uint8_t event_id[ISSUE_EVENT_ID_BYTES],
                              uint32_t *out_count) {
  struct item_attachment_row *rows = arena_alloc_array(&answer->arena, ITEM_QUERY_ATTACHMENTS_MAX, sizeof *rows);
  if (!rows) return api_answer_fail(answer, STATUS_NO_MEMORY, NULL, "no memory for the answer");
  *out_count = item_query_attachments(answer->reader, event_id, &answer->arena, rows);
  json_key(&answer->json, "attachments");
  json_begin_array(&answer->json);
  for (uint32_t i = 0; i < *out_count; i++) write_row(answer, &rows[i]);
  json_end_array(&answer->json);
  return STATUS_OK;
}

enum status api_attachments_write(struct api_answer *answer, const uint8_t event_id[ISSUE_EVENT_ID_BYTES]) {
  uint32_t count;
  return write_list(answer, event_id, &count);
}

static enum status list(struct api_answer *answer) {
  uint8_t id[ISSUE_EVENT_ID_BYTES];
  uint32_t count = 0;
  struct issue_event_row event;
  enum status status = read_event_id(answer, id);
  if (status == STATUS_OK) status = api_answer_read(answer);
  if (status != STATUS_OK) return status;
  json_begin_object(&answer->json);
  status = write_list(answer, id, &count);
  json_end_object(&answer->json);
  if (status == STATUS_OK && count == 0 && !issue_query_event(answer->reader, id, &answer->arena, &event))
    return api_answer_fail(answer, STATUS_NOT_FOUND, "event_id", "there is no such event");
  return status;
}

// --- the bytes -------------------------------------------------------------------------------------------------------

// What a browser shows without running it. Everything else is bytes.
static const char *safe_type(struct slice type) {
  static const char *const safe[] = {"image/png",  "image/jpeg",       "image/gif",       "image/webp",
                                     "video/webm", "video/mp4",        "application/zip", "application/gzip",
                                     "text/csv",   "application/json", "text/plain"};
  type = slice_trim(slice_sub(type, 0, slice_find_byte(type, ';')));
  for (size_t i = 0; i < sizeof safe / sizeof safe[0]; i++) {
    if (slice_equal_ignore_case(type, slice_from_cstr(safe[i]))) return safe[i];
  }
  return "application/octet-stream";
}

// RFC 6266: a plain name for old readers, the real one percent-encoded (RFC 8187). Folders are no part of it.
static void write_disposition(struct buffer *out, struct slice name) {
  for (size_t slash; (slash = slice_find_byte(name, '/')) < name.len;) name = slice_skip(name, slash + 1);
  for (size_t slash; (slash = slice_find_byte(name, '\\')) < name.len;) name = slice_skip(name, slash + 1);
  if (name.len == 0) name = SLICE_LITERAL("attachment");
  static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  buffer_append_cstr(out, "attachment; filename=\"");
  for (size_t i = 0; i < name.len; i++) {
    bool good = name.ptr[i] != 0 && strchr(plain, name.ptr[i]) != NULL;
    buffer_append_byte(out, good ? name.ptr[i] : '_');
  }
  buffer_append_cstr(out, "\"; filename*=UTF-8''");
  bool valid;
  for (size_t at = 0, step; at < name.len; at += step) {
    step = utf8_step(name, at, &valid);
    for (size_t i = at; i < at + step; i++) {
      bool good = name.ptr[i] != 0 && strchr(plain, name.ptr[i]) != NULL;
      if (good) {
        buffer_append_byte(out, name.ptr[i]);
      } else if (valid) {
        buffer_printf(out, "%%%02X", name.ptr[i]);
      }
    }
  }
  buffer_append_byte(out, 0);
}

static const struct item_attachment_row *find(const struct item_attachment_row *rows, uint32_t count, uint64_t row) {
  for (uint32_t i = 0; i < count; i++) {
    if (rows[i].row == (int64_t)row) return &rows[i];
  }
  return NULL;
}

static enum status get(struct api_answer *answer) {
  uint8_t id[ISSUE_EVENT_ID_BYTES];
  uint64_t row = 0;
  enum status status = read_event_id(answer, id);
  if (status == STATUS_OK) status = api_answer_read(answer);
  if (status != STATUS_OK) return status;
  struct item_attachment_row *rows = arena_alloc_array(&answer->arena, ITEM_QUERY_ATTACHMENTS_MAX, sizeof *rows);
  if (!rows) return api_answer_fail(answer, STATUS_NO_MEMORY, NULL, "no memory for the answer");
  uint32_t count = item_query_attachments(answer->reader, id, &answer->arena, rows);
  const struct item_attachment_row *found =
      slice_to_u64(http_request_capture(answer->request, 1), &row) ? find(rows, count, row) : NULL;
  if (!found) return api_answer_fail(answer, STATUS_NOT_FOUND, "id", "there is no such attachment");
  if (found->reason.len > 0) {
    return api_answer_fail(answer, STATUS_NOT_FOUND, "id", "the attachment was not kept: %.*s",
                           SLICE_PRINTF(found->reason));
  }
  if (!item_query_data(answer->reader, id, found->row, &answer->body))
    return api_answer_fail(answer, STATUS_INTERNAL, NULL, "the attachment cannot be read");
  struct buffer disposition;
  buffer_init(&disposition, NAME_BYTES_MAX + SENTRY_ITEM_FILENAME_MAX * 4);
  write_disposition(&disposition, found->filename);
  answer->content_type = safe_type(found->content_type);
  http_request_add_header(answer->request, "Content-Disposition", (const char *)disposition.ptr);
  http_request_add_header(answer->request, "Content-Security-Policy", "sandbox; default-src 'none'");
  http_request_add_header(answer->request, "Cross-Origin-Resource-Policy", "same-origin");
  buffer_finish(&disposition);
  return STATUS_OK;
}

void api_attachments_list(void *context, struct http_request *request) {
  api_answer_run(context, request, no_parameters, list);
}

void api_attachments_get(void *context, struct http_request *request) {
  api_answer_run(context, request, no_parameters, get);
}
