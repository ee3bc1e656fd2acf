// SPDX-License-Identifier: Apache-2.0
//
// The attachments of an event: their list, and the bytes of one. Bytes are answered so that a browser never runs them:
// as a download, with a content type of a short list of harmless ones (else application/octet-stream), not to be
// guessed at, in a sandbox. Handlers; context is a struct ui_options.
#ifndef UI_API_API_ATTACHMENTS_H
#define UI_API_API_ATTACHMENTS_H

#include "ui/api/api_answer.h"

void api_attachments_list(void *context, struct http_request *request);
void api_attachments_get(void *context, struct http_request *request);

// The member "attachments" of an event; its id as 16 bytes.
enum status api_attachments_write(struct api_answer *answer, const uint8_t event_id[ISSUE_EVENT_ID_BYTES]);

#endif
