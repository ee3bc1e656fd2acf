// SPDX-License-Identifier: Apache-2.0
//
// A cursor is the number of a page's last row.
#include "ui/api/api_feedback.h"

#include "store/issue_query.h"
#include "store/item_query.h"

#define LIMIT_STANDARD 50
#define LIMIT_MAX      200

static const char *const issue_parameters[] = {"limit", "cursor", NULL};
static const char *const list_parameters[] = {"project", "limit", "cursor", NULL};

static void write_issue(struct api_answer *answer, const struct item_feedback_row *row) {
  json_key(&answer->json, "issue");
  if (row->issue == 0) {
    json_write_null(&answer->json);
    return;
  }
  json_begin_object(&answer->json);
  api_answer_decimal(answer, "id", row->issue);
  api_answer_short_id(answer, row->project, row->issue_number);
  api_answer_text(answer, "title", row->issue_title);
  json_end_object(&answer->json);
}

static void write_row(struct api_answer *answer, const struct item_feedback_row *row) {
  json_begin_object(&answer->json);
  api_answer_hex(answer, "id", row->feedback_id);
  api_answer_text(answer, "project", row->project);
  api_answer_hex(answer, "event_id", row->event_id);
  if (row->issue != 0) {
    api_answer_decimal(answer, "issue_id", row->issue);
  } else {
    api_answer_text(answer, "issue_id", (struct slice){0});
  }
  write_issue(answer, row);
  api_answer_cstr(answer, "kind", row->is_report ? "user_report" : "feedback");
  api_answer_time(answer, "time", row->time_ns);
  api_answer_text(answer, "name", row->name);
  api_answer_text(answer, "email", row->email);
  api_answer_text(answer, "message", row->message);
  api_answer_text(answer, "url", row->url);
  api_answer_number(answer, "attachments", row->attachments);
  json_end_object(&answer->json);
}

static void write_rows(struct api_answer *answer, const struct item_feedback_row *rows, uint32_t count) {
  json_key(&answer->json, "feedback");
  json_begin_array(&answer->json);
  for (uint32_t i = 0; i < count; i++) write_row(answer, &rows[i]);
  json_end_array(&answer->json);
}

enum status api_feedback_write(struct api_answer *answer, const uint8_t event_id[ISSUE_EVENT_ID_BYTES]) {
  struct item_feedback_row *rows = arena_alloc_array(&answer->arena, ITEM_QUERY_EVENT_FEEDBACK, sizeof *rows);
  if (!rows) return api_answer_fail(answer, STATUS_NO_MEMORY, NULL, "no memory for the answer");
  write_rows(answer, rows, item_query_event_feedback(answer->reader, event_id, &answer->arena, rows));
  return STATUS_OK;
}

struct page {
  uint32_t limit;
  int64_t before_row;
  struct item_feedback_row *rows; // one more than the limit: it tells whether there is a next page
};

static enum status open_page(struct api_answer *answer, struct page *page) {
  struct slice cursor = http_request_query(answer->request, "cursor");
  uint64_t row = 0;
  if (cursor.ptr && (!slice_to_u64(cursor, &row) || row == 0 || row > INT64_MAX))
    return api_answer_fail(answer, STATUS_INVALID, "cursor", "must be the `next` of an answer");
  page->before_row = (int64_t)row;
  enum status status = api_answer_limit(answer, LIMIT_STANDARD, LIMIT_MAX, &page->limit);
  if (status != STATUS_OK) return status;
  page->rows = arena_alloc_array(&answer->arena, page->limit + 1, sizeof *page->rows);
  if (!page->rows) return api_answer_fail(answer, STATUS_NO_MEMORY, NULL, "no memory for the answer");
  return api_answer_read(answer);
}

static void write_page(struct api_answer *answer, const struct page *page, uint32_t found) {
  uint32_t count = found > page->limit ? page->limit : found;
  json_begin_object(&answer->json);
  write_rows(answer, page->rows, count);
  if (found > page->limit) {
    api_answer_decimal(answer, "next", (uint64_t)page->rows[count - 1].row);
  } else {
    api_answer_text(answer, "next", (struct slice){0});
  }
  json_end_object(&answer->json);
}

static enum status of_issue(struct api_answer *answer) {
  uint64_t id = 0;
  struct page page;
  struct issue_summary issue;
  enum status status = open_page(answer, &page);
  if (status == STATUS_OK) status = api_answer_find_issue(answer, &id);
  if (status != STATUS_OK) return status;
  if (!issue_query_get(answer->reader, id, answer->now_ns, &answer->arena, &issue))
    return api_answer_fail(answer, STATUS_NOT_FOUND, "id", "there is no such issue");
  write_page(answer, &page,
             item_query_issue_feedback(answer->reader, id, page.before_row, page.limit + 1, &answer->arena, page.rows));
  return STATUS_OK;
}

static enum status list(struct api_answer *answer) {
  uint32_t project = 0;
  struct page page;
  enum status status = open_page(answer, &page);
  if (status == STATUS_OK) status = api_answer_project(answer, &project);
  if (status != STATUS_OK) return status;
  write_page(answer, &page,
             item_query_feedback(answer->reader, project, page.before_row, page.limit + 1, &answer->arena, page.rows));
  return STATUS_OK;
}

void api_feedback_of_issue(void *context, struct http_request *request) {
  api_answer_run(context, request, issue_parameters, of_issue);
}

void api_feedback_list(void *context, struct http_request *request) {
  api_answer_run(context, request, list_parameters, list);
}
