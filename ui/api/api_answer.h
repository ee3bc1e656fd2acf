// SPDX-License-Identifier: Apache-2.0
//
// What every answer of the API shares: query parameters are checked against a list, a reader of the database is opened
// when asked for and given back, the body is built as JSON in a bounded buffer, a failure becomes the error object of
// docs/api.md. One answer lives on the stack of one handler call.
#ifndef UI_API_API_ANSWER_H
#define UI_API_API_ANSWER_H

#include "base/arena.h"
#include "base/json.h"
#include "ui/ui_routes.h"

struct api_answer {
  const struct ui_options *ui;
  struct http_request *request;
  uint64_t now_ns;
  struct arena arena; // 64 MiB
  struct buffer body; // 64 MiB
  struct json_writer json;
  struct connection *reader; // after api_answer_read
  const char *field;         // of the failure
  uint32_t line, column;     // of the failure, in a text; 0: none
  struct error error;
  char etag[64];              // "": none
  const char *content_type;   // of the body; NULL: JSON
  bool not_modified, created; // 304, 201
};

// Does the work and returns STATUS_OK with the body written, or a failure with `error` (and `field`).
typedef enum status (*api_answer_fn)(struct api_answer *answer);

// Runs one handler: `parameters` are the query parameters it knows, NULL at the end. On a loopback address only for a
// Host that no other site can have.
void api_answer_run(void *ui_options, struct http_request *request, const char *const *parameters,
                    api_answer_fn function);

enum status api_answer_fail(struct api_answer *answer, enum status status, const char *field, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
// Opens answer->reader.
enum status api_answer_read(struct api_answer *answer);

// Requests that change something. A page of another site cannot make them in a visitor's name:
// STATUS_PERMISSION_DENIED.
enum status api_answer_check_origin(struct api_answer *answer);
// The body, an object. The caller destroys the parser when it is done with *out_root.
enum status api_answer_parse_body(struct api_answer *answer, size_t bytes_max, struct json_parser **out_parser,
                                  struct json_value *out_root);
// Fails for a member that is not known; prefix names the object it is in ("settings."), "" for the body itself.
enum status api_answer_unknown_member(struct api_answer *answer, const char *prefix, struct slice key);

// Query parameters and path segments. The names are those of the request and of the error.
enum status api_answer_limit(struct api_answer *answer, uint32_t standard, uint32_t max, uint32_t *out_limit);
enum status api_answer_short_text(struct api_answer *answer, const char *name, struct slice *out_text);
// For requests that change an issue, before api_answer_read: the id in the path, or the issue that a short id there
// leads to. STATUS_NOT_FOUND for text that is neither; whether an id is one is the change's to say.
enum status api_answer_issue_id(struct api_answer *answer, uint64_t *out_id);
// After api_answer_read: the project that the query parameter `project` names, by its name or, where none is called
// that, its number; *out_project is 0 without the parameter.
enum status api_answer_project(struct api_answer *answer, uint32_t *out_project);
// After api_answer_read: the issue of the path by its id or short id, or what it was merged into. STATUS_NOT_FOUND.
enum status api_answer_find_issue(struct api_answer *answer, uint64_t *out_id);

// Members: `key` with a value.
void api_answer_text(struct api_answer *answer, const char *key, struct slice text); // null when empty
void api_answer_cstr(struct api_answer *answer, const char *key, const char *text);
void api_answer_number(struct api_answer *answer, const char *key, uint64_t number);
void api_answer_time(struct api_answer *answer, const char *key, uint64_t wall_ns);
void api_answer_decimal(struct api_answer *answer, const char *key, uint64_t number); // as a string
void api_answer_hex(struct api_answer *answer, const char *key, struct slice bytes);  // null when empty
// "DEFAULT-17".
void api_answer_short_id(struct api_answer *answer, struct slice project, uint64_t number);

// The error object as the whole answer. field may be NULL.
void api_answer_refuse(struct http_request *request, enum status status, const char *field, const char *text);

#endif
