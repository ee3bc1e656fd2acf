// SPDX-License-Identifier: Apache-2.0
//
// Projects, their keys and settings: /api/v1/projects of docs/api.md. Every change is in force when it is answered.
#ifndef UI_API_API_PROJECTS_H
#define UI_API_API_PROJECTS_H

#include "net/http_server.h"

void api_projects_list(void *context, struct http_request *request);
void api_projects_post(void *context, struct http_request *request);
void api_projects_get(void *context, struct http_request *request);
void api_projects_patch(void *context, struct http_request *request);
void api_projects_post_key(void *context, struct http_request *request);
void api_projects_patch_key(void *context, struct http_request *request);
void api_projects_delete_key(void *context, struct http_request *request);

#endif
