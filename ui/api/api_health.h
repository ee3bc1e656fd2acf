// SPDX-License-Identifier: Apache-2.0
//
// /metrics and /health. Handlers; context is a struct ui_options.
#ifndef UI_API_API_HEALTH_H
#define UI_API_API_HEALTH_H

#include "net/http_server.h"

void api_health_metrics(void *context, struct http_request *request); // Prometheus text, exposition format 0.0.4
void api_health_ready(void *context, struct http_request *request);   // 200, or 503 with the reasons
void api_health_live(void *context, struct http_request *request);    // 200

#endif
