// SPDX-License-Identifier: Apache-2.0
//
// /api/v1/requests: everything that shares a trace id or a request id. Handler; context is a struct ui_options.
#ifndef UI_API_API_REQUESTS_H
#define UI_API_API_REQUESTS_H

#include "net/http_server.h"

void api_requests_get(void *context, struct http_request *request);

#endif
