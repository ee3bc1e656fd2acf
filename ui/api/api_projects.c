// SPDX-License-Identifier: Apache-2.0
//
// A change is written, then the program is told (projects_changed), then the answer is read back from the database.
#include "ui/api/api_projects.h"

#include "ui/api/api_answer.h"
#include "ui/api/api_settings.h"

#define BODY_BYTES ((size_t)1 << 20) // of the texts of rules, escaped in the worst way

static const char *const no_parameters[] = {NULL};

// --- out -------------------------------------------------------------------------------------------------------------

static bool write_dsn(struct api_answer *answer, uint32_t project, const char *key) {
  char dsn[UI_DSN_BYTES_MAX];
  bool known = key && answer->ui->dsn(answer->ui->projects, project, key, dsn);
  api_answer_cstr(answer, "dsn", known ? dsn : NULL);
  return known;
}

static void write_key(struct api_answer *answer, uint32_t project, const struct project_key_row *key) {
  json_begin_object(&answer->json);
  api_answer_cstr(answer, "key", key->key);
  json_key(&answer->json, "active");
  json_write_bool(&answer->json, key->active);
  api_answer_time(answer, "created", key->created_ns);
  write_dsn(answer, project, key->key);
  json_end_object(&answer->json);
}

static void write_project(struct api_answer *answer, const struct project_row *project, bool with_rules) {
  struct project_key_row keys[PROJECT_STORE_OWN_KEYS_MAX];
  uint32_t count = project_store_keys_of(answer->reader, project->id, keys, PROJECT_STORE_OWN_KEYS_MAX), first = 0;
  while (first < count && !keys[first].active) first++;
  struct project_settings settings;
  project_settings_read(answer->reader, project->id, &answer->arena, &settings);
  if (with_rules) project_settings_read_rules(answer->reader, project->id, &answer->arena, &settings);
  json_begin_object(&answer->json);
  api_answer_decimal(answer, "id", project->id);
  api_answer_cstr(answer, "slug", project->slug);
  api_answer_time(answer, "created", project->created_ns);
  write_dsn(answer, project->id, first < count ? keys[first].key : NULL);
  json_key(&answer->json, "keys");
  json_begin_array(&answer->json);
  for (uint32_t i = 0; i < count; i++) write_key(answer, project->id, &keys[i]);
  json_end_array(&answer->json);
  json_key(&answer->json, "settings");
  api_settings_write(answer, &settings, with_rules);
  json_end_object(&answer->json);
}

static enum status find_project(struct api_answer *answer, struct project_row *out_project) {
  enum status status = api_answer_read(answer);
  if (status != STATUS_OK) return status;
  if (project_store_find(answer->reader, http_request_capture(answer->request, 0), out_project)) return STATUS_OK;
  return api_answer_fail(answer, STATUS_NOT_FOUND, "slug", "there is no such project");
}

// The project of the path, for a change: its reader is given back.
static enum status find_to_change(struct api_answer *answer, struct project_row *out_project) {
  enum status status = api_answer_check_origin(answer);
  if (status == STATUS_OK) status = find_project(answer, out_project);
  if (status != STATUS_OK) return status;
  struct connection *reader = answer->reader;
  answer->reader = NULL;
  return database_read_end(answer->ui->database, reader, &answer->error);
}

static enum status answer_project(struct api_answer *answer) {
  struct project_row project;
  enum status status = find_project(answer, &project);
  if (status == STATUS_OK) write_project(answer, &project, true);
  return status;
}

// The key with this text, as it is now.
static enum status answer_key(struct api_answer *answer, uint32_t project, struct slice key) {
  struct project_key_row keys[PROJECT_STORE_OWN_KEYS_MAX];
  enum status status = api_answer_read(answer);
  if (status != STATUS_OK) return status;
  uint32_t count = project_store_keys_of(answer->reader, project, keys, PROJECT_STORE_OWN_KEYS_MAX);
  for (uint32_t i = 0; i < count; i++) {
    if (!slice_equal_cstr(key, keys[i].key)) continue;
    write_key(answer, project, &keys[i]);
    return STATUS_OK;
  }
  return api_answer_fail(answer, STATUS_NOT_FOUND, "key", "the project has no such key");
}

// --- requests --------------------------------------------------------------------------------------------------------

static enum status list(struct api_answer *answer) {
  enum status status = api_answer_read(answer);
  if (status != STATUS_OK) return status;
  json_begin_object(&answer->json);
  json_key(&answer->json, "projects");
  json_begin_array(&answer->json);
  struct project_row project = {0};
  while (project_store_next(answer->reader, project.id, &project)) write_project(answer, &project, false);
  json_end_array(&answer->json);
  json_key(&answer->json, "defaults");
  api_settings_write_defaults(answer);
  json_end_object(&answer->json);
  return STATUS_OK;
}

static enum status post(struct api_answer *answer) {
  struct json_parser *parser = NULL;
  struct json_value root, value;
  struct slice key, slug = {0};
  enum status status = api_answer_check_origin(answer);
  if (status == STATUS_OK) status = api_answer_parse_body(answer, BODY_BYTES, &parser, &root);
  if (status != STATUS_OK) return status;
  for (struct json_iter iter = json_iterate(root); status == STATUS_OK && json_object_next(&iter, &key, &value);) {
    if (slice_equal_cstr(key, "slug")) {
      slug = json_string(value);
    } else {
      status = api_answer_unknown_member(answer, "", key);
    }
  }
  struct project project = {0};
  if (status == STATUS_OK) {
    status = project_store_create(answer->ui->database, answer->ui->clock, slug, &project, &answer->error);
    answer->field = status == STATUS_INVALID || status == STATUS_CONFLICT ? "slug" : NULL;
  }
  json_parser_destroy(parser);
  if (status == STATUS_OK) status = api_answer_read(answer);
  if (status != STATUS_OK) return status;
  answer->ui->projects_changed(answer->ui->projects);
  answer->created = true;
  struct project_row row;
  if (project_store_find(answer->reader, slice_from_cstr(project.slug), &row)) write_project(answer, &row, true);
  return STATUS_OK;
}

// {"settings":{…}}
static enum status change_settings(struct api_answer *answer, uint32_t project, struct json_value root) {
  struct project_settings settings;
  uint32_t members = 0;
  struct slice key;
  struct json_value value;
  for (struct json_iter iter = json_iterate(root); json_object_next(&iter, &key, &value);) {
    if (!slice_equal_cstr(key, "settings")) return api_answer_unknown_member(answer, "", key);
    enum status status = api_settings_parse(answer, value, &members, &settings);
    if (status != STATUS_OK) return status;
  }
  if (members == 0) return api_answer_fail(answer, STATUS_INVALID, "settings", "nothing to change");
  const struct project_settings_change change = {.project = project, .members = members, .settings = &settings};
  return project_settings_change(answer->ui->database, answer->ui->clock, &change, &answer->error);
}

static enum status patch(struct api_answer *answer) {
  struct json_parser *parser = NULL;
  struct json_value root;
  struct project_row project;
  enum status status = find_to_change(answer, &project);
  if (status == STATUS_OK) status = api_answer_parse_body(answer, BODY_BYTES, &parser, &root);
  if (status != STATUS_OK) return status;
  status = change_settings(answer, project.id, root);
  json_parser_destroy(parser);
  if (status != STATUS_OK) return status;
  answer->ui->projects_changed(answer->ui->projects);
  return answer_project(answer);
}

static enum status post_key(struct api_answer *answer) {
  struct project_row project;
  char key[PROJECT_STORE_KEY_BYTES + 1];
  enum status status = find_to_change(answer, &project);
  if (status == STATUS_OK)
    status = project_store_add_key(answer->ui->database, answer->ui->clock, project.id, key, &answer->error);
  if (status != STATUS_OK) return status;
  answer->ui->projects_changed(answer->ui->projects);
  answer->created = true;
  return answer_key(answer, project.id, slice_from_cstr(key));
}

// {"active":true|false}
static enum status parse_active(struct api_answer *answer, bool *out_active) {
  struct json_parser *parser = NULL;
  struct json_value root, value = {0}, active = {0};
  struct slice key;
  enum status status = api_answer_parse_body(answer, BODY_BYTES, &parser, &root);
  if (status != STATUS_OK) return status;
  for (struct json_iter iter = json_iterate(root); status == STATUS_OK && json_object_next(&iter, &key, &value);) {
    active = value;
    if (!slice_equal_cstr(key, "active")) status = api_answer_unknown_member(answer, "", key);
  }
  if (status == STATUS_OK && json_type_of(active) != JSON_BOOL)
    status = api_answer_fail(answer, STATUS_INVALID, "active", "must be true or false");
  *out_active = json_bool(active);
  json_parser_destroy(parser);
  return status;
}

static enum status patch_key(struct api_answer *answer) {
  struct project_row project;
  bool active = false;
  struct slice key = http_request_capture(answer->request, 1);
  enum status status = find_to_change(answer, &project);
  if (status == STATUS_OK) status = parse_active(answer, &active);
  if (status != STATUS_OK) return status;
  status = project_store_set_key_active(answer->ui->database, project.id, key, active, &answer->error);
  if (status == STATUS_NOT_FOUND) answer->field = "key";
  if (status != STATUS_OK) return status;
  answer->ui->projects_changed(answer->ui->projects);
  return answer_key(answer, project.id, key);
}

static enum status delete_key(struct api_answer *answer) {
  struct project_row project;
  enum status status = find_to_change(answer, &project);
  if (status != STATUS_OK) return status;
  status = project_store_remove_key(answer->ui->database, project.id, http_request_capture(answer->request, 1),
                                    &answer->error);
  if (status == STATUS_NOT_FOUND) answer->field = "key";
  if (status != STATUS_OK) return status;
  answer->ui->projects_changed(answer->ui->projects);
  return answer_project(answer);
}

void api_projects_list(void *context, struct http_request *request) {
  api_answer_run(context, request, no_parameters, list);
}

void api_projects_post(void *context, struct http_request *request) {
  api_answer_run(context, request, no_parameters, post);
}

void api_projects_get(void *context, struct http_request *request) {
  api_answer_run(context, request, no_parameters, answer_project);
}

void api_projects_patch(void *context, struct http_request *request) {
  api_answer_run(context, request, no_parameters, patch);
}

void api_projects_post_key(void *context, struct http_request *request) {
  api_answer_run(context, request, no_parameters, post_key);
}

void api_projects_patch_key(void *context, struct http_request *request) {
  api_answer_run(context, request, no_parameters, patch_key);
}

void api_projects_delete_key(void *context, struct http_request *request) {
  api_answer_run(context, request, no_parameters, delete_key);
}
