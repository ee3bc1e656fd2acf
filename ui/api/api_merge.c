// SPDX-License-Identifier: Apache-2.0
//
// Both answer the issue that was made: the one that is left of a merge, the new one of a split. The store says what
// cannot be done; here only the shape of the request is checked.
#include "ui/api/api_merge.h"

#include "store/issue_merge.h"
#include "store/issue_split.h"
#include "ui/api/api_answer.h"
#include "ui/api/api_issues.h"

#define BODY_BYTES (16u << 10)

static const char *const no_parameters[] = {NULL};

// Finds the one member of the body, an array of 1 to max texts.
static enum status find_list(struct api_answer *answer, struct json_value root, const char *name,
                             struct json_value *out_list) {
  struct json_value value, list = {0};
  struct slice key;
  bool found = false;
  enum status status = STATUS_OK;
  for (struct json_iter iter = json_iterate(root); status == STATUS_OK && json_object_next(&iter, &key, &value);) {
    if (!slice_equal_cstr(key, name)) {
      status = api_answer_unknown_member(answer, "", key);
    } else {
      list = value;
      found = json_type_of(value) == JSON_ARRAY;
    }
  }
  if (status != STATUS_OK) return status;
  if (!found) return api_answer_fail(answer, STATUS_INVALID, name, "must be an array");
  *out_list = list;
  return STATUS_OK;
}

static enum status read_issues(struct api_answer *answer, struct json_value list, uint64_t out_ids[ISSUE_MERGE_MAX],
                               uint32_t *out_count) {
  struct json_value value;
  uint32_t count = 0;
  for (struct json_iter iter = json_iterate(list); json_array_next(&iter, &value);) {
    uint64_t id = 0;
    if (count == ISSUE_MERGE_MAX)
      return api_answer_fail(answer, STATUS_INVALID, "issues", "must have at most %d ids", ISSUE_MERGE_MAX);
    if (!slice_to_u64(json_string(value), &id) || id == 0 || id > INT64_MAX)
      return api_answer_fail(answer, STATUS_INVALID, "issues", "must have ids of issues, as texts");
    out_ids[count++] = id;
  }
  if (count == 0) return api_answer_fail(answer, STATUS_INVALID, "issues", "must have an id");
  *out_count = count;
  return STATUS_OK;
}

static enum status read_hashes(struct api_answer *answer, struct json_value list,
                               uint8_t out_hashes[ISSUE_SPLIT_MAX * ISSUE_HASH_BYTES], uint32_t *out_count) {
  struct json_value value;
  uint32_t count = 0;
  for (struct json_iter iter = json_iterate(list); json_array_next(&iter, &value);) {
    if (count == ISSUE_SPLIT_MAX)
      return api_answer_fail(answer, STATUS_INVALID, "hashes", "must have at most %d hashes", ISSUE_SPLIT_MAX);
    if (!slice_from_hex(json_string(value), out_hashes + (size_t)count * ISSUE_HASH_BYTES, ISSUE_HASH_BYTES))
      return api_answer_fail(answer, STATUS_INVALID, "hashes", "must have hashes of 32 hexadecimal digits");
    count++;
  }
  if (count == 0) return api_answer_fail(answer, STATUS_INVALID, "hashes", "must have a hash");
  *out_count = count;
  return STATUS_OK;
}

static enum status merge(struct api_answer *answer) {
  struct json_parser *parser = NULL;
  struct json_value root, list;
  uint64_t id = 0, others[ISSUE_MERGE_MAX], left = 0;
  uint32_t count = 0;
  enum status status = api_answer_check_origin(answer);
  if (status == STATUS_OK) status = api_answer_issue_id(answer, &id);
  if (status == STATUS_OK) status = api_answer_parse_body(answer, BODY_BYTES, &parser, &root);
  if (status != STATUS_OK) return status;
  status = find_list(answer, root, "issues", &list);
  if (status == STATUS_OK) status = read_issues(answer, list, others, &count);
  json_parser_destroy(parser);
  if (status == STATUS_OK) {
    status = issue_store_merge(answer->ui->issues, id, others, count, &left, &answer->error);
    if (status != STATUS_OK) answer->field = "issues";
  }
  if (status == STATUS_OK) status = api_answer_read(answer);
  return status == STATUS_OK ? api_issues_write(answer, left) : status;
}

static enum status undo(struct api_answer *answer) {
  struct json_parser *parser = NULL;
  struct json_value root, list;
  uint64_t id = 0, made = 0;
  uint8_t hashes[ISSUE_SPLIT_MAX * ISSUE_HASH_BYTES];
  uint32_t count = 0;
  enum status status = api_answer_check_origin(answer);
  if (status == STATUS_OK) status = api_answer_issue_id(answer, &id);
  if (status == STATUS_OK) status = api_answer_parse_body(answer, BODY_BYTES, &parser, &root);
  if (status != STATUS_OK) return status;
  status = find_list(answer, root, "hashes", &list);
  if (status == STATUS_OK) status = read_hashes(answer, list, hashes, &count);
  json_parser_destroy(parser);
  if (status == STATUS_OK) {
    struct slice all = slice_make(hashes, (size_t)count * ISSUE_HASH_BYTES);
    status = issue_store_split(answer->ui->issues, id, all, &made, &answer->error);
    if (status != STATUS_OK) answer->field = "hashes";
  }
  if (status == STATUS_OK) status = api_answer_read(answer);
  if (status != STATUS_OK) return status;
  answer->created = true;
  return api_issues_write(answer, made);
}

void api_merge_post(void *context, struct http_request *request) {
  api_answer_run(context, request, no_parameters, merge);
}

void api_merge_post_undo(void *context, struct http_request *request) {
  api_answer_run(context, request, no_parameters, undo);
}
