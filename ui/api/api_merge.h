// SPDX-License-Identifier: Apache-2.0
//
// POST /api/v1/issues/{id}/merge and /unmerge. Context: the struct ui_options.
#ifndef UI_API_API_MERGE_H
#define UI_API_API_MERGE_H

#include "net/http_server.h"

void api_merge_post(void *context, struct http_request *request);
void api_merge_post_undo(void *context, struct http_request *request);

#endif
