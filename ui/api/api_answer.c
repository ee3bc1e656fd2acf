// SPDX-License-Identifier: Apache-2.0
//
// Answers are never cached by anybody but the browser that asked, and then only to be asked for again (ETag).
#include "ui/api/api_answer.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "base/decompress.h"
#include "store/issue_merge.h"
#include "store/project_store.h"
#include "ui/web_assets.h"

#define ANSWER_BYTES_MAX   (64u << 20)
#define SHORT_TEXT_MAX     200
#define COMPRESS_BYTES_MIN (8u << 10)

static uint32_t code_of(enum status status) {
  switch (status) {
  case STATUS_OK:
  case STATUS_END: return 200;
  case STATUS_INVALID: return 400;
  case STATUS_UNAUTHENTICATED: return 401;
  case STATUS_PERMISSION_DENIED: return 403;
  case STATUS_NOT_FOUND: return 404;
  case STATUS_METHOD: return 405;
  case STATUS_CONFLICT: return 409;
  case STATUS_TOO_LARGE: return 413;
  case STATUS_UNSUPPORTED: return 415;
  case STATUS_RATE_LIMITED: return 429;
  case STATUS_UNAVAILABLE:
  case STATUS_TIMEOUT:
  case STATUS_NO_MEMORY: return 503;
  case STATUS_CORRUPT:
  case STATUS_IO:
  case STATUS_INTERNAL: break;
  }
  return 500;
}

static void add_headers(struct http_request *request) {
  http_request_add_header(request, "Cache-Control", "no-cache");
  http_request_add_header(request, "X-Content-Type-Options", "nosniff");
}

static void refuse(struct http_request *request, enum status status, const struct api_answer *answer) {
  struct buffer body;
  struct json_writer json;
  buffer_init(&body, 16 << 10);
  json_writer_init(&json, &body);
  json_begin_object(&json);
  json_key(&json, "error");
  json_begin_object(&json);
  json_key(&json, "status");
  json_write_cstr(&json, status_name(status));
  json_key(&json, "message");
  json_write_cstr(&json, answer->error.text);
  if (answer->field) {
    json_key(&json, "field");
    json_write_cstr(&json, answer->field);
  }
  if (answer->line > 0) {
    json_key(&json, "line");
    json_write_u64(&json, answer->line);
    json_key(&json, "column");
    json_write_u64(&json, answer->column);
  }
  json_end_object(&json);
  json_end_object(&json);
  add_headers(request);
  if (code_of(status) == 503) http_request_add_header(request, "Retry-After", "2");
  http_request_reply(request, code_of(status), "application/json", buffer_slice(&body));
  buffer_finish(&body);
}

void api_answer_refuse(struct http_request *request, enum status status, const char *field, const char *text) {
  struct api_answer answer = {.field = field};
  snprintf(answer.error.text, sizeof answer.error.text, "%s", text);
  refuse(request, status, &answer);
}

static enum status check_parameters(struct api_answer *answer, const char *const *parameters) {
  struct slice name, value;
  for (uint32_t i = 0; http_request_query_at(answer->request, i, &name, &value); i++) {
    bool known = false;
    for (const char *const *p = parameters; *p && !known; p++) known = slice_equal_cstr(name, *p);
    if (known) continue;
    struct slice copy = arena_copy(&answer->arena, slice_sub(name, 0, 100));
    return api_answer_fail(answer, STATUS_INVALID, (const char *)copy.ptr, "unknown parameter \"%.*s\"",
                           SLICE_PRINTF(copy));
  }
  return STATUS_OK;
}

static bool is_ip_address(struct slice host) {
  char text[INET6_ADDRSTRLEN];
  uint8_t address[sizeof(struct in6_addr)];
  bool bracketed = host.len > 2 && host.ptr[0] == '[' && host.ptr[host.len - 1] == ']';
  if (bracketed) host = slice_sub(host, 1, host.len - 2);
  if (host.len >= sizeof text) return false;
  snprintf(text, sizeof text, "%.*s", SLICE_PRINTF(host));
  return inet_pton(bracketed ? AF_INET6 : AF_INET, text, address) == 1;
}

static bool ends_with_ignore_case(struct slice text, struct slice end) {
  return text.len >= end.len && slice_equal_ignore_case(slice_skip(text, text.len - end.len), end);
}

// Another site may let its own name lead to this machine, and then its pages are of the same origin as the API (DNS
// rebinding). Only the name gives it away.
static enum status check_host(struct api_answer *answer) {
  const struct ui_options *ui = answer->ui;
  if (!ui->listens_on_loopback) return STATUS_OK;
  struct slice host = http_request_header(answer->request, "Host");
  bool bracketed = host.len > 0 && host.ptr[0] == '[';
  size_t name = bracketed ? slice_find_byte(host, ']') + 1 : slice_find_byte(host, ':');
  host = slice_sub(host, 0, name < host.len ? name : host.len);
  if (slice_equal_ignore_case(host, SLICE_LITERAL("localhost")) ||
      ends_with_ignore_case(host, SLICE_LITERAL(".localhost")) || is_ip_address(host)) {
    return STATUS_OK;
  }
  for (uint32_t i = 0; i < ui->allowed_host_count; i++) {
    if (slice_equal_ignore_case(host, slice_from_cstr(ui->allowed_hosts[i]))) return STATUS_OK;
  }
  return api_answer_fail(answer, STATUS_PERMISSION_DENIED, "Host",
                         "the Host header must be localhost, an IP address or a name of ui.allowed_hosts");
}

static void reply(struct api_answer *answer) {
  struct http_request *request = answer->request;
  add_headers(request);
  if (answer->etag[0]) http_request_add_header(request, "ETag", answer->etag);
  if (answer->not_modified) {
    http_request_reply(request, 304, "application/json", (struct slice){0});
    return;
  }
  struct buffer packed;
  buffer_init(&packed, ANSWER_BYTES_MAX);
  struct slice body = buffer_slice(&answer->body);
  http_request_add_header(request, "Vary", "Accept-Encoding");
  if (body.len >= COMPRESS_BYTES_MIN && web_assets_accepts_gzip(http_request_header(request, "Accept-Encoding")) &&
      compress_gzip(body, &packed) == STATUS_OK) {
    http_request_add_header(request, "Content-Encoding", "gzip");
    body = buffer_slice(&packed);
  }
  http_request_reply(request, answer->created ? 201 : 200,
                     answer->content_type ? answer->content_type : "application/json", body);
  buffer_finish(&packed);
}

void api_answer_run(void *ui_options, struct http_request *request, const char *const *parameters,
                    api_answer_fn function) {
  struct api_answer answer = {.ui = ui_options, .request = request};
  answer.now_ns = clock_wall_ns(answer.ui->clock);
  arena_init(&answer.arena, ANSWER_BYTES_MAX);
  buffer_init(&answer.body, ANSWER_BYTES_MAX);
  json_writer_init(&answer.json, &answer.body);
  enum status status = check_host(&answer);
  if (status == STATUS_OK) status = check_parameters(&answer, parameters);
  if (status == STATUS_OK) status = function(&answer);
  if (answer.reader) {
    struct error error = {0};
    enum status read = database_read_end(answer.ui->database, answer.reader, &error);
    if (read != STATUS_OK && (status == STATUS_OK || status == STATUS_NOT_FOUND)) {
      status = read;
      answer.error = error;
      answer.field = NULL;
    }
  }
  if (status == STATUS_OK && answer.body.failed)
    status = api_answer_fail(&answer, STATUS_TOO_LARGE, NULL, "the answer is too large");
  if (status == STATUS_OK) {
    reply(&answer);
  } else {
    refuse(request, status, &answer);
  }
  buffer_finish(&answer.body);
  arena_finish(&answer.arena);
}

enum status api_answer_fail(struct api_answer *answer, enum status status, const char *field, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(answer->error.text, sizeof answer->error.text, format, arguments);
  va_end(arguments);
  answer->field = field;
  return status;
}

enum status api_answer_read(struct api_answer *answer) {
  ASSERT(!answer->reader);
  answer->reader = database_read_begin(answer->ui->database, &answer->error);
  return answer->reader ? STATUS_OK : STATUS_UNAVAILABLE;
}

// A page of another origin cannot send application/json without asking first (CORS), and browsers say where a request
// comes from: either is enough to refuse it.
enum status api_answer_check_origin(struct api_answer *answer) {
  struct slice type = http_request_header(answer->request, "Content-Type");
  type = slice_trim(slice_sub(type, 0, slice_find_byte(type, ';')));
  if (!slice_equal_ignore_case(type, SLICE_LITERAL("application/json")))
    return api_answer_fail(answer, STATUS_PERMISSION_DENIED, "Content-Type", "must be application/json");
  struct slice site = http_request_header(answer->request, "Sec-Fetch-Site");
  if (site.ptr && !slice_equal_cstr(site, "same-origin") && !slice_equal_cstr(site, "none"))
    return api_answer_fail(answer, STATUS_PERMISSION_DENIED, "Sec-Fetch-Site", "must come from the same origin");
  struct slice origin = http_request_header(answer->request, "Origin");
  if (!origin.ptr) return STATUS_OK;
  size_t scheme = slice_find(origin, SLICE_LITERAL("://"));
  struct slice host = scheme <= origin.len ? slice_skip(origin, scheme + 3) : (struct slice){0};
  if (host.len > 0 && slice_equal_ignore_case(host, http_request_header(answer->request, "Host"))) return STATUS_OK;
  return api_answer_fail(answer, STATUS_PERMISSION_DENIED, "Origin", "must be the same origin");
}

enum status api_answer_parse_body(struct api_answer *answer, size_t bytes_max, struct json_parser **out_parser,
                                  struct json_value *out_root) {
  struct json_parser *parser = json_parser_create(bytes_max);
  if (!parser) return api_answer_fail(answer, STATUS_NO_MEMORY, NULL, "out of memory, try again");
  struct error error = {0};
  enum status status = json_parse(parser, http_request_body(answer->request), out_root, &error);
  if (status != STATUS_OK) {
    api_answer_fail(answer, status, NULL, "the body: %s", error.text);
  } else if (json_type_of(*out_root) != JSON_OBJECT) {
    status = api_answer_fail(answer, STATUS_INVALID, NULL, "the body: must be an object");
  }
  if (status != STATUS_OK) {
    json_parser_destroy(parser);
    return status;
  }
  *out_parser = parser;
  return STATUS_OK;
}

enum status api_answer_unknown_member(struct api_answer *answer, const char *prefix, struct slice key) {
  struct slice name = arena_printf(&answer->arena, "%s%.*s", prefix, SLICE_PRINTF(slice_sub(key, 0, 100)));
  return api_answer_fail(answer, STATUS_INVALID, (const char *)name.ptr, "unknown member \"%.*s\"", SLICE_PRINTF(name));
}

enum status api_answer_limit(struct api_answer *answer, uint32_t standard, uint32_t max, uint32_t *out_limit) {
  struct slice text = http_request_query(answer->request, "limit");
  *out_limit = standard;
  if (!text.ptr) return STATUS_OK;
  uint64_t number = 0;
  if (!slice_to_u64(text, &number) || number < 1 || number > max)
    return api_answer_fail(answer, STATUS_INVALID, "limit", "must be a number from 1 to %u", max);
  *out_limit = (uint32_t)number;
  return STATUS_OK;
}

enum status api_answer_short_text(struct api_answer *answer, const char *name, struct slice *out_text) {
  *out_text = slice_trim(http_request_query(answer->request, name));
  if (out_text->len > SHORT_TEXT_MAX)
    return api_answer_fail(answer, STATUS_INVALID, name, "must be at most %d bytes", SHORT_TEXT_MAX);
  return STATUS_OK;
}

enum status api_answer_project(struct api_answer *answer, uint32_t *out_project) {
  struct slice text;
  struct project_row row;
  uint64_t number = 0;
  *out_project = 0;
  enum status status = api_answer_short_text(answer, "project", &text);
  if (status != STATUS_OK || text.len == 0) return status;
  bool found = project_store_find(answer->reader, text, &row);
  if (!found && slice_to_u64(text, &number) && number <= UINT32_MAX)
    found = project_store_get(answer->reader, (uint32_t)number, &row);
  if (!found)
    return api_answer_fail(answer, STATUS_INVALID, "project", "there is no project \"%.*s\"", SLICE_PRINTF(text));
  *out_project = row.id;
  return STATUS_OK;
}

enum status api_answer_issue_id(struct api_answer *answer, uint64_t *out_id) {
  if (slice_to_u64(http_request_capture(answer->request, 0), out_id) && *out_id <= INT64_MAX) return STATUS_OK;
  uint64_t id = 0;
  enum status status = api_answer_read(answer);
  if (status == STATUS_OK) status = api_answer_find_issue(answer, &id);
  if (status != STATUS_OK) return status;
  struct connection *reader = answer->reader; // given back: the answer is read after the change
  answer->reader = NULL;
  status = database_read_end(answer->ui->database, reader, &answer->error);
  if (status == STATUS_OK) *out_id = id;
  return status;
}

enum status api_answer_find_issue(struct api_answer *answer, uint64_t *out_id) {
  struct slice text = http_request_capture(answer->request, 0);
  uint64_t id = 0;
  if (slice_to_u64(text, &id)) {
    id = id <= INT64_MAX ? issue_merge_follow(answer->reader, id) : 0;
  } else {
    id = issue_merge_find_short(answer->reader, text);
  }
  if (id == 0) return api_answer_fail(answer, STATUS_NOT_FOUND, "id", "there is no such issue");
  *out_id = id;
  return STATUS_OK;
}

void api_answer_text(struct api_answer *answer, const char *key, struct slice text) {
  json_key(&answer->json, key);
  if (text.len == 0) {
    json_write_null(&answer->json);
  } else {
    json_write_string(&answer->json, text);
  }
}

void api_answer_cstr(struct api_answer *answer, const char *key, const char *text) {
  json_key(&answer->json, key);
  json_write_cstr(&answer->json, text);
}

void api_answer_number(struct api_answer *answer, const char *key, uint64_t number) {
  json_key(&answer->json, key);
  json_write_u64(&answer->json, number);
}

void api_answer_time(struct api_answer *answer, const char *key, uint64_t wall_ns) {
  char text[CLOCK_RFC3339_BYTES];
  clock_format_rfc3339(wall_ns, text);
  api_answer_cstr(answer, key, text);
}

void api_answer_decimal(struct api_answer *answer, const char *key, uint64_t number) {
  char text[24];
  snprintf(text, sizeof text, "%llu", (unsigned long long)number);
  api_answer_cstr(answer, key, text);
}

void api_answer_hex(struct api_answer *answer, const char *key, struct slice bytes) {
  char text[64];
  struct slice some = slice_sub(bytes, 0, sizeof text / 2);
  slice_to_hex(some, text);
  api_answer_text(answer, key, slice_make(text, 2 * some.len));
}

void api_answer_short_id(struct api_answer *answer, struct slice project, uint64_t number) {
  char text[96];
  size_t len = 0;
  for (; len < project.len && len < 64; len++) {
    uint8_t c = project.ptr[len];
    text[len] = (char)(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
  }
  snprintf(text + len, sizeof text - len, "-%llu", (unsigned long long)number);
  api_answer_cstr(answer, "short_id", text);
}
