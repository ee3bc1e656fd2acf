// SPDX-License-Identifier: Apache-2.0
//
// JSON as SDKs send it, which is not always JSON: Python writes NaN and Infinity, some write numbers that no double
// holds, some clients leave control characters in strings, cut UTF-8 in half or begin with a byte order mark. A text
// that is not valid is mended once, then parsed.
#ifndef PROTO_SENTRY_JSON_H
#define PROTO_SENTRY_JSON_H

#include "base/json.h"

// As json_parse. `scratch` holds the mended text when there is one (cleared first; its ceiling bounds it).
enum status sentry_json_parse(struct json_parser *parser, struct slice text, struct buffer *scratch,
                              struct json_value *out_root, struct error *error);

// Appends `text` with NaN, Infinity, -Infinity and numbers beyond a double (1e400) as null, control characters inside
// strings escaped, ill-formed UTF-8 as U+FFFD and no byte order mark. Valid JSON comes out as it went in. Overflow is
// seen in out->failed.
void sentry_json_mend(struct slice text, struct buffer *out);

#endif
