// SPDX-License-Identifier: Apache-2.0
//
// Documents and grouping variants are stored as JSON and passed on as they are.
#include "ui/api/api_events.h"

#include "base/json_fault.h"
#include "store/issue_query.h"
#include "ui/api/api_attachments.h"
#include "ui/api/api_feedback.h"

#define LIMIT_STANDARD (ISSUE_EVENTS_MAX + 1)
#define LIMIT_MAX      200

static const char *const list_parameters[] = {"limit", "cursor", NULL};
static const char *const no_parameters[] = {NULL};

// A cursor is the place of a page's last row: "<seen>-<row>".
static enum status parse_cursor(struct api_answer *answer, uint64_t *out_seen_ns, int64_t *out_row) {
  struct slice text = http_request_query(answer->request, "cursor");
  *out_seen_ns = 0;
  *out_row = 0;
  if (!text.ptr) return STATUS_OK;
  size_t dash = slice_find_byte(text, '-');
  uint64_t row = 0;
  if (dash == text.len || !slice_to_u64(slice_sub(text, 0, dash), out_seen_ns) ||
      !slice_to_u64(slice_skip(text, dash + 1), &row) || row > INT64_MAX || row == 0)
    return api_answer_fail(answer, STATUS_INVALID, "cursor", "must be the `next` of an answer");
  *out_row = (int64_t)row;
  return STATUS_OK;
}

static void write_row(struct api_answer *answer, const struct issue_event_row *event) {
  api_answer_hex(answer, "event_id", event->event_id);
  api_answer_cstr(answer, "source", issue_source_name(event->source));
  api_answer_time(answer, "timestamp", event->timestamp_ns);
  api_answer_text(answer, "title", event->title);
  api_answer_text(answer, "service", event->service);
  api_answer_text(answer, "environment", event->environment);
  api_answer_text(answer, "release", event->release);
  api_answer_hex(answer, "trace_id", event->trace_id);
  api_answer_text(answer, "request_id", event->request_id);
}

static enum status list(struct api_answer *answer) {
  uint64_t id = 0, seen_ns = 0;
  int64_t row = 0;
  uint32_t limit = 0;
  enum status status = api_answer_limit(answer, LIMIT_STANDARD, LIMIT_MAX, &limit);
  if (status == STATUS_OK) status = parse_cursor(answer, &seen_ns, &row);
  if (status == STATUS_OK) status = api_answer_read(answer);
  if (status == STATUS_OK) status = api_answer_find_issue(answer, &id);
  if (status != STATUS_OK) return status;
  struct issue_summary issue;
  if (!issue_query_get(answer->reader, id, answer->now_ns, &answer->arena, &issue))
    return api_answer_fail(answer, STATUS_NOT_FOUND, "id", "there is no such issue");
  struct issue_event_row *events = arena_alloc_array(&answer->arena, limit + 1, sizeof *events);
  if (!events) return api_answer_fail(answer, STATUS_NO_MEMORY, NULL, "no memory for the answer");
  uint32_t found = issue_query_events(answer->reader, id, seen_ns, row, limit + 1, &answer->arena, events);
  uint32_t count = found > limit ? limit : found;
  json_begin_object(&answer->json);
  json_key(&answer->json, "events");
  json_begin_array(&answer->json);
  for (uint32_t i = 0; i < count; i++) {
    json_begin_object(&answer->json);
    write_row(answer, &events[i]);
    json_end_object(&answer->json);
  }
  json_end_array(&answer->json);
  struct slice next = {0};
  if (found > limit) {
    next = arena_printf(&answer->arena, "%llu-%lld", (unsigned long long)events[count - 1].seen_ns,
                        (long long)events[count - 1].row);
  }
  api_answer_text(answer, "next", next);
  json_end_object(&answer->json);
  return STATUS_OK;
}

static void write_issue(struct api_answer *answer, const struct issue_summary *issue) {
  json_key(&answer->json, "issue");
  json_begin_object(&answer->json);
  api_answer_decimal(answer, "id", issue->id);
  api_answer_text(answer, "title", issue->title);
  api_answer_short_id(answer, issue->project, issue->number);
  api_answer_cstr(answer, "status", issue_status_name(issue->status));
  json_end_object(&answer->json);
}

static void write_json(struct api_answer *answer, const char *key, struct slice json) {
  json_key(&answer->json, key);
  if (json.len == 0) {
    json_write_null(&answer->json);
  } else {
    json_write_raw(&answer->json, json);
  }
}

static enum status write_event(struct api_answer *answer, const struct issue_event_row *event, struct buffer *text) {
  struct connection *reader = answer->reader;
  struct issue_summary issue = {.id = event->issue};
  struct slice grouping, document;
  size_t offset;
  const char *words;
  issue_query_get(reader, event->issue, answer->now_ns, &answer->arena, &issue);
  if (!issue_query_document(reader, event->row, text, &grouping, &document))
    return api_answer_fail(answer, STATUS_INTERNAL, NULL, "the event's document cannot be read");
  json_begin_object(&answer->json);
  write_row(answer, event);
  write_issue(answer, &issue);
  api_answer_time(answer, "received", event->received_ns);
  api_answer_hex(answer, "span_id", event->span_id);
  api_answer_text(answer, "level", event->level);
  api_answer_text(answer, "platform", event->platform);
  api_answer_text(answer, "culprit", event->culprit);
  api_answer_hex(answer, "previous", issue_query_previous(reader, event, &answer->arena));
  api_answer_hex(answer, "next", issue_query_next(reader, event, &answer->arena));
  // Once it was written with rules in it that were not escaped: it is left out, rather than the whole answer spoiled.
  bool is_json = !json_fault_locate(grouping, &offset, &words);
  write_json(answer, "grouping", is_json ? grouping : (struct slice){0});
  write_json(answer, "document", document);
  enum status status = api_attachments_write(answer, event->event_id.ptr);
  if (status == STATUS_OK) status = api_feedback_write(answer, event->event_id.ptr);
  json_end_object(&answer->json);
  return status;
}

static enum status get(struct api_answer *answer) {
  uint8_t id[ISSUE_EVENT_ID_BYTES];
  struct issue_event_row event;
  if (!slice_from_hex(http_request_capture(answer->request, 0), id, sizeof id))
    return api_answer_fail(answer, STATUS_INVALID, "event_id", "must be 32 hexadecimal digits");
  enum status status = api_answer_read(answer);
  if (status != STATUS_OK) return status;
  if (!issue_query_event(answer->reader, id, &answer->arena, &event))
    return api_answer_fail(answer, STATUS_NOT_FOUND, "event_id", "there is no such event");
  struct buffer text;
  buffer_init(&text, 64u << 20);
  status = write_event(answer, &event, &text);
  buffer_finish(&text);
  return status;
}

void api_events_list(void *context, struct http_request *request) {
  api_answer_run(context, request, list_parameters, list);
}

void api_events_get(void *context, struct http_request *request) {
  api_answer_run(context, request, no_parameters, get);
}
