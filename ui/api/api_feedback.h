// SPDX-License-Identifier: Apache-2.0
//
// What people said: of an issue, of a project, of one event. Handlers; context is a struct ui_options.
#ifndef UI_API_API_FEEDBACK_H
#define UI_API_API_FEEDBACK_H

#include "ui/api/api_answer.h"

void api_feedback_of_issue(void *context, struct http_request *request);
void api_feedback_list(void *context, struct http_request *request);

// The member "feedback" of an event.
enum status api_feedback_write(struct api_answer *answer, const uint8_t event_id[ISSUE_EVENT_ID_BYTES]);

#endif
