// SPDX-License-Identifier: Apache-2.0
//
// The list carries an ETag made of the versions of inbox and projects, the hour (sparklines move with it) and the
// question: pages that ask every second get 304 without a look at the database while nothing changes.
#include "ui/api/api_issues.h"

#include <stdio.h>

#include "base/hash.h"
#include "store/issue_query.h"
#include "store/project_store.h"
#include "ui/api/api_answer.h"
#include "ui/web_assets.h"

#define LIMIT_STANDARD 50
#define LIMIT_MAX      200
#define HOUR_NS        (UINT64_C(3600) * NS_PER_S)
#define PATCH_BYTES    (16u << 10)

static const char *const list_parameters[] = {"query",  "project", "service", "environment", "level",
                                              "status", "sort",    "limit",   "cursor",      NULL};
static const char *const no_parameters[] = {NULL};

static const struct {
  const char *name;
  char letter; // in cursors
} sorts[] = {
    [ISSUE_SORT_LAST_SEEN] = {"last_seen", 'l'},
    [ISSUE_SORT_FIRST_SEEN] = {"first_seen", 'f'},
    [ISSUE_SORT_COUNT] = {"count", 'c'},
};

static bool is_tag_key(struct slice text) {
  for (size_t i = 0; i < text.len; i++) {
    uint8_t c = text.ptr[i];
    bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
    if (!letter && c != '_' && c != '-' && c != '.') return false;
  }
  return text.len > 0;
}

// "browser:Firefox" is looked for as a tag, and as text all the same.
static void split_tag(struct issue_filter *filter) {
  size_t colon = slice_find_byte(filter->text, ':');
  struct slice key = slice_sub(filter->text, 0, colon), value = slice_trim(slice_skip(filter->text, colon + 1));
  if (colon == filter->text.len || value.len == 0 || !is_tag_key(key)) return;
  if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
    value = slice_sub(value, 1, value.len - 2);
  filter->tag_key = key;
  filter->tag_value = value;
}

static enum status parse_status(struct api_answer *answer, struct issue_filter *filter) {
  struct slice text = http_request_query(answer->request, "status");
  filter->status = ISSUE_UNRESOLVED;
  filter->any_status = slice_equal_cstr(text, "all");
  if (!text.ptr || filter->any_status || issue_status_parse(text, &filter->status)) return STATUS_OK;
  return api_answer_fail(answer, STATUS_INVALID, "status", "must be unresolved, resolved, muted or all");
}

static enum status parse_sort(struct api_answer *answer, struct issue_filter *filter) {
  struct slice text = http_request_query(answer->request, "sort");
  filter->sort = ISSUE_SORT_LAST_SEEN;
  if (!text.ptr) return STATUS_OK;
  for (unsigned i = 0; i < sizeof sorts / sizeof sorts[0]; i++) {
    if (!slice_equal_cstr(text, sorts[i].name)) continue;
    filter->sort = (enum issue_sort)i;
    return STATUS_OK;
  }
  return api_answer_fail(answer, STATUS_INVALID, "sort", "must be last_seen, first_seen or count");
}

// A cursor is the place of a page's last row: "l<value>-<id>", the letter being that of the order.
static enum status parse_cursor(struct api_answer *answer, struct issue_filter *filter) {
  struct slice text = http_request_query(answer->request, "cursor");
  if (!text.ptr) return STATUS_OK;
  size_t dash = slice_find_byte(text, '-');
  bool good = text.len > 1 && dash < text.len && text.ptr[0] == (uint8_t)sorts[filter->sort].letter &&
              slice_to_u64(slice_sub(text, 1, dash - 1), &filter->after_value) &&
              slice_to_u64(slice_skip(text, dash + 1), &filter->after_id);
  filter->has_after = true;
  return good ? STATUS_OK
              : api_answer_fail(answer, STATUS_INVALID, "cursor", "must be the `next` of an answer with the same sort");
}

static enum status parse_filter(struct api_answer *answer, struct issue_filter *filter) {
  enum status status = parse_status(answer, filter);
  if (status == STATUS_OK) status = parse_sort(answer, filter);
  if (status == STATUS_OK) status = parse_cursor(answer, filter);
  if (status == STATUS_OK) status = api_answer_limit(answer, LIMIT_STANDARD, LIMIT_MAX, &filter->limit);
  if (status == STATUS_OK) status = api_answer_short_text(answer, "query", &filter->text);
  if (status == STATUS_OK) status = api_answer_short_text(answer, "service", &filter->service);
  if (status == STATUS_OK) status = api_answer_short_text(answer, "environment", &filter->environment);
  if (status == STATUS_OK) status = api_answer_short_text(answer, "level", &filter->level);
  if (status == STATUS_OK) split_tag(filter);
  return status;
}

static void write_texts(struct api_answer *answer, const char *key, const struct slice *items, uint32_t count) {
  json_key(&answer->json, key);
  json_begin_array(&answer->json);
  for (uint32_t i = 0; i < count; i++) json_write_string(&answer->json, items[i]);
  json_end_array(&answer->json);
}

// The members of an issue, inside an object.
static void write_issue(struct api_answer *answer, const struct issue_summary *issue) {
  api_answer_decimal(answer, "id", issue->id);
  api_answer_short_id(answer, issue->project, issue->number);
  api_answer_text(answer, "project", issue->project);
  api_answer_text(answer, "title", issue->title);
  api_answer_text(answer, "type", issue->type);
  api_answer_text(answer, "value", issue->value);
  api_answer_text(answer, "culprit", issue->culprit);
  api_answer_text(answer, "level", issue->level);
  api_answer_text(answer, "platform", issue->platform);
  api_answer_cstr(answer, "status", issue_status_name(issue->status));
  api_answer_cstr(answer, "substatus", issue_substatus_name(issue->substatus));
  api_answer_number(answer, "count", issue->count);
  write_texts(answer, "services", issue->services.items, issue->services.count);
  write_texts(answer, "environments", issue->environments.items, issue->environments.count);
  write_texts(answer, "releases", issue->releases.items, issue->releases.count);
  api_answer_time(answer, "first_seen", issue->first_seen_ns);
  api_answer_time(answer, "last_seen", issue->last_seen_ns);
  json_key(&answer->json, "sparkline");
  json_begin_array(&answer->json);
  for (uint32_t i = 0; i < ISSUE_QUERY_SPARKLINE; i++) json_write_u64(&answer->json, issue->sparkline[i]);
  json_end_array(&answer->json);
}

static bool is_known_etag(struct api_answer *answer) {
  struct slice name, value;
  const struct ui_options *ui = answer->ui;
  uint64_t question = ui->projects_version ? ui->projects_version(ui->projects) : 0;
  for (uint32_t i = 0; http_request_query_at(answer->request, i, &name, &value); i++)
    question = hash_xxh3_seeded(value, hash_xxh3_seeded(name, question));
  uint64_t version = issue_store_version(ui->issues) + answer->now_ns / HOUR_NS;
  snprintf(answer->etag, sizeof answer->etag, "\"%016llx-%016llx\"", (unsigned long long)version,
           (unsigned long long)question);
  answer->not_modified = web_assets_etag_matches(http_request_header(answer->request, "If-None-Match"), answer->etag);
  return answer->not_modified;
}

static void write_known(struct api_answer *answer, const char *name, const char *key) {
  struct slice *values = arena_alloc_array(&answer->arena, ISSUE_QUERY_KNOWN_MAX, sizeof *values);
  uint32_t count = values ? issue_query_known(answer->reader, slice_from_cstr(key), &answer->arena, values) : 0;
  write_texts(answer, name, values, count);
}

static void write_projects(struct api_answer *answer) {
  struct slice *slugs = arena_alloc_array(&answer->arena, ISSUE_QUERY_KNOWN_MAX, sizeof *slugs);
  uint32_t count = slugs ? project_store_slugs(answer->reader, &answer->arena, slugs, ISSUE_QUERY_KNOWN_MAX) : 0;
  write_texts(answer, "projects", slugs, count);
}

static enum status list(struct api_answer *answer) {
  struct issue_filter filter = {0};
  enum status status = parse_filter(answer, &filter);
  if (status != STATUS_OK || is_known_etag(answer)) return status;
  status = api_answer_read(answer);
  if (status == STATUS_OK) status = api_answer_project(answer, &filter.project);
  if (status != STATUS_OK) return status;
  uint32_t limit = filter.limit++; // one more tells whether there is a next page
  struct issue_summary *issues = arena_alloc_array(&answer->arena, filter.limit, sizeof *issues);
  if (!issues) return api_answer_fail(answer, STATUS_NO_MEMORY, NULL, "no memory for the answer");
  uint32_t found = issue_query_list(answer->reader, &filter, answer->now_ns, &answer->arena, issues);
  uint32_t count = found > limit ? limit : found;
  json_begin_object(&answer->json);
  json_key(&answer->json, "issues");
  json_begin_array(&answer->json);
  for (uint32_t i = 0; i < count; i++) {
    json_begin_object(&answer->json);
    write_issue(answer, &issues[i]);
    json_end_object(&answer->json);
  }
  json_end_array(&answer->json);
  struct slice next = {0};
  if (found > limit) {
    next = arena_printf(&answer->arena, "%c%llu-%llu", sorts[filter.sort].letter,
                        (unsigned long long)issue_query_sort_value(&issues[count - 1], filter.sort),
                        (unsigned long long)issues[count - 1].id);
  }
  api_answer_text(answer, "next", next);
  write_known(answer, "services", "service");
  write_known(answer, "environments", "environment");
  write_projects(answer);
  json_end_object(&answer->json);
  return STATUS_OK;
}

struct tag_writer {
  struct api_answer *answer;
  char key[ISSUE_WORD_BYTES_MAX + 1];
  size_t key_len;
  bool open;
};

static void end_tag(struct tag_writer *writer) {
  if (!writer->open) return;
  json_end_array(&writer->answer->json);
  json_end_object(&writer->answer->json);
}

// Rows come grouped by key.
static void write_tag(void *context, const struct issue_tag_count *tag) {
  struct tag_writer *writer = context;
  struct json_writer *json = &writer->answer->json;
  if (!writer->open || !slice_equal(tag->key, slice_make(writer->key, writer->key_len))) {
    end_tag(writer);
    writer->open = true;
    writer->key_len = tag->key.len < ISSUE_WORD_BYTES_MAX ? tag->key.len : ISSUE_WORD_BYTES_MAX;
    memcpy(writer->key, tag->key.ptr, writer->key_len);
    json_begin_object(json);
    api_answer_text(writer->answer, "key", tag->key);
    api_answer_number(writer->answer, "total", tag->total);
    api_answer_number(writer->answer, "distinct", tag->distinct);
    json_key(json, "values");
    json_begin_array(json);
  }
  json_begin_object(json);
  api_answer_text(writer->answer, "value", tag->value);
  api_answer_number(writer->answer, "count", tag->count);
  json_end_object(json);
}

static void write_hash(struct api_answer *answer, const struct issue_hash_row *row, uint64_t of_issue) {
  json_begin_object(&answer->json);
  api_answer_hex(answer, "hash", slice_make(row->hash, sizeof row->hash));
  api_answer_text(answer, "algorithm", row->algorithm);
  api_answer_text(answer, "variant", row->variant);
  api_answer_text(answer, "title", row->title);
  api_answer_number(answer, "count", row->count);
  if (row->count > 0) {
    api_answer_time(answer, "first_seen", row->first_seen_ns);
    api_answer_time(answer, "last_seen", row->last_seen_ns);
  }
  api_answer_time(answer, "created", row->created_ns);
  api_answer_text(answer, "merged_from", row->merged_from);
  json_key(&answer->json, "split");
  json_write_bool(&answer->json, row->split);
  json_key(&answer->json, "can_split");
  json_write_bool(&answer->json, row->count > 0 && row->count < of_issue);
  json_end_object(&answer->json);
}

static void write_hashes(struct api_answer *answer, const struct issue_summary *issue) {
  struct issue_hash_row *rows = arena_alloc_array(&answer->arena, ISSUE_QUERY_HASHES_MAX, sizeof *rows);
  uint32_t count = rows ? issue_query_hashes(answer->reader, issue->id, &answer->arena, rows) : 0;
  json_key(&answer->json, "hashes");
  json_begin_array(&answer->json);
  for (uint32_t i = 0; i < count; i++) write_hash(answer, &rows[i], issue->count);
  json_end_array(&answer->json);
}

struct merged_writer {
  struct api_answer *answer;
  struct slice project;
};

static void write_merged(void *context, uint64_t id, uint64_t number) {
  const struct merged_writer *writer = context;
  json_begin_object(&writer->answer->json);
  api_answer_decimal(writer->answer, "id", id);
  api_answer_short_id(writer->answer, writer->project, number);
  json_end_object(&writer->answer->json);
}

static void write_history(void *context, uint64_t time_ns, struct slice kind, struct slice detail) {
  struct api_answer *answer = context;
  json_begin_object(&answer->json);
  api_answer_time(answer, "time", time_ns);
  api_answer_text(answer, "kind", kind);
  if (detail.len > 0) api_answer_text(answer, "issue", detail);
  json_end_object(&answer->json);
}

static void write_hour(void *context, uint64_t time_ns, uint64_t count) {
  struct api_answer *answer = context;
  json_begin_object(&answer->json);
  api_answer_time(answer, "time", time_ns);
  api_answer_number(answer, "count", count);
  json_end_object(&answer->json);
}

enum status api_issues_write(struct api_answer *answer, uint64_t id) {
  struct issue_summary issue;
  if (!issue_query_get(answer->reader, id, answer->now_ns, &answer->arena, &issue))
    return api_answer_fail(answer, STATUS_NOT_FOUND, "id", "there is no such issue");
  struct json_writer *json = &answer->json;
  json_begin_object(json);
  write_issue(answer, &issue);
  api_answer_hex(answer, "first_event", issue_query_event_id(answer->reader, issue.first_row, &answer->arena));
  api_answer_hex(answer, "latest_event", issue_query_newest(answer->reader, id, &answer->arena));
  json_key(json, "tags");
  json_begin_array(json);
  struct tag_writer tags = {.answer = answer};
  issue_query_tags(answer->reader, id, write_tag, &tags);
  end_tag(&tags);
  json_end_array(json);
  write_hashes(answer, &issue);
  struct merged_writer merged = {.answer = answer, .project = issue.project};
  json_key(json, "merged");
  json_begin_array(json);
  issue_query_merged(answer->reader, id, write_merged, &merged);
  json_end_array(json);
  json_key(json, "history");
  json_begin_array(json);
  issue_query_history(answer->reader, id, write_history, answer);
  json_end_array(json);
  json_key(json, "hours");
  json_begin_array(json);
  issue_query_hours(answer->reader, id, answer->now_ns, write_hour, answer);
  json_end_array(json);
  json_end_object(json);
  return STATUS_OK;
}

static enum status get(struct api_answer *answer) {
  uint64_t id = 0;
  enum status status = api_answer_read(answer);
  if (status == STATUS_OK) status = api_answer_find_issue(answer, &id);
  return status == STATUS_OK ? api_issues_write(answer, id) : status;
}

static enum status parse_patch(struct api_answer *answer, enum issue_status *out_status) {
  struct json_parser *parser = json_parser_create(PATCH_BYTES);
  struct json_value root, value;
  struct error error = {0};
  enum status status = json_parse(parser, http_request_body(answer->request), &root, &error);
  struct slice key;
  if (status != STATUS_OK) {
    api_answer_fail(answer, status, NULL, "the body: %s", error.text);
  } else if (json_type_of(root) != JSON_OBJECT) {
    status = api_answer_fail(answer, STATUS_INVALID, NULL, "the body: must be an object");
  } else {
    struct json_iter members = json_iterate(root);
    bool found = false;
    while (status == STATUS_OK && json_object_next(&members, &key, &value)) {
      if (!slice_equal_cstr(key, "status")) {
        struct slice name = arena_copy(&answer->arena, slice_sub(key, 0, 100));
        status = api_answer_fail(answer, STATUS_INVALID, (const char *)name.ptr, "unknown member \"%.*s\"",
                                 SLICE_PRINTF(name));
      } else if (!issue_status_parse(json_string(value), out_status)) {
        status = api_answer_fail(answer, STATUS_INVALID, "status", "must be unresolved, resolved or muted");
      }
      found = true;
    }
    if (status == STATUS_OK && !found)
      status = api_answer_fail(answer, STATUS_INVALID, "status", "must be unresolved, resolved or muted");
  }
  json_parser_destroy(parser);
  return status;
}

static enum status patch(struct api_answer *answer) {
  uint64_t id = 0;
  enum issue_status wanted = ISSUE_UNRESOLVED;
  enum status status = api_answer_check_origin(answer);
  if (status == STATUS_OK) status = api_answer_issue_id(answer, &id);
  if (status == STATUS_OK) status = parse_patch(answer, &wanted);
  if (status == STATUS_OK) {
    status = issue_store_set_status(answer->ui->issues, id, wanted, &answer->error);
    if (status == STATUS_NOT_FOUND) answer->field = "id";
  }
  if (status == STATUS_OK) status = api_answer_read(answer);
  if (status == STATUS_OK) status = api_answer_find_issue(answer, &id);
  return status == STATUS_OK ? api_issues_write(answer, id) : status;
}

void api_issues_list(void *context, struct http_request *request) {
  api_answer_run(context, request, list_parameters, list);
}

void api_issues_get(void *context, struct http_request *request) {
  api_answer_run(context, request, no_parameters, get);
}

void api_issues_patch(void *context, struct http_request *request) {
  api_answer_run(context, request, no_parameters, patch);
}
