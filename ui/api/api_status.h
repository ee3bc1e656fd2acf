// SPDX-License-Identifier: Apache-2.0
//
// /api/v1/status. Handler; context is a struct ui_options.
#ifndef UI_API_API_STATUS_H
#define UI_API_API_STATUS_H

#include "net/http_server.h"

void api_status_get(void *context, struct http_request *request);

#endif
