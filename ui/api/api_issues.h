// SPDX-License-Identifier: Apache-2.0
//
// /api/v1/issues: the list, one issue, changing its state. Handlers; context is a struct ui_options.
#ifndef UI_API_API_ISSUES_H
#define UI_API_API_ISSUES_H

#include "net/http_server.h"

struct api_answer;

void api_issues_list(void *context, struct http_request *request);
void api_issues_get(void *context, struct http_request *request);
void api_issues_patch(void *context, struct http_request *request);

// The object of one issue as the whole answer, after api_answer_read; for the requests that change one.
enum status api_issues_write(struct api_answer *answer, uint64_t id);

#endif
