// SPDX-License-Identifier: Apache-2.0
//
// The events of an issue and one event with its document. Handlers; context is a struct ui_options.
#ifndef UI_API_API_EVENTS_H
#define UI_API_API_EVENTS_H

#include "net/http_server.h"

void api_events_list(void *context, struct http_request *request);
void api_events_get(void *context, struct http_request *request);

#endif
