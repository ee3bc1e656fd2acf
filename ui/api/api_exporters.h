// SPDX-License-Identifier: Apache-2.0
//
// POST /api/v1/exporters/{name}/resend: what a backend refused for good is sent again.
#ifndef UI_API_API_EXPORTERS_H
#define UI_API_API_EXPORTERS_H

#include "net/http_server.h"

// context: struct ui_options.
void api_exporters_resend(void *context, struct http_request *request);

#endif
