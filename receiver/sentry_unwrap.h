// SPDX-License-Identifier: Apache-2.0
//
// The body of the old store endpoint: an event as JSON, as base64 of JSON, or as base64 of a zlib stream of JSON. Pure.
#ifndef RECEIVER_SENTRY_UNWRAP_H
#define RECEIVER_SENTRY_UNWRAP_H

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

// *out_json is `text` itself or a view of one of the buffers, whose ceilings bound it. STATUS_INVALID when it is none
// of the three, STATUS_TOO_LARGE over a ceiling.
enum status sentry_unwrap(struct slice text, struct buffer *decoded, struct buffer *inflated, struct slice *out_json,
                          struct error *error);

#endif
