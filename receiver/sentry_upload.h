// SPDX-License-Identifier: Apache-2.0
//
// Attachments that are uploaded for an event that was sent before (multipart/form-data), as the envelope that would
// have carried them. Pure.
#ifndef RECEIVER_SENTRY_UPLOAD_H
#define RECEIVER_SENTRY_UPLOAD_H

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

#define SENTRY_UPLOAD_HEADER_BYTES 4096 // that an envelope adds to each part, and at its start

// Every part with a file name becomes an attachment; other fields are passed over. STATUS_INVALID (event id, framing),
// STATUS_UNSUPPORTED (media type), STATUS_TOO_LARGE over the ceiling of `out`.
enum status sentry_upload_write(struct slice event_id, struct slice content_type, struct slice body, struct buffer *out,
                                struct error *error);

#endif
