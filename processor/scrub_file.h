// SPDX-License-Identifier: Apache-2.0
//
// Takes secrets out of files that were sent with an event: logs, settings, JSON. What is no text, or is text in UTF-16,
// is not looked into. Deterministic, linear, total and idempotent like the rest of scrub.h; one thread per parser.
#ifndef PROCESSOR_SCRUB_FILE_H
#define PROCESSOR_SCRUB_FILE_H

#include "processor/scrub.h"

// Of a larger JSON document every line is looked at on its own.
#define SCRUB_FILE_JSON_BYTES_MAX ((size_t)2 << 20)

// Is it text? Its type says so (text/…, JSON, XML, YAML …) or not (images, sound …); of any other type its name (.log,
// .txt …) or, in the end, its bytes. Type and name may be empty.
bool scrub_file_is_text(struct slice content_type, struct slice filename, struct slice content);

// The content of a text file. JSON, as a whole or a document a line, by its members and written anew (without its own
// white space); any other line like a value: `name: value` and `name=value` under a sensitive name keep the name, a
// line that speaks of a password goes as a whole; what stands in several lines (private keys) goes too. *out_changed
// false: nothing was appended. STATUS_TOO_LARGE when `out` is full (then holding what it held before). `inner`: for
// documents of SCRUB_FILE_JSON_BYTES_MAX.
enum status scrub_file(const struct scrub *scrub, struct slice content, struct json_parser *inner, struct buffer *out,
                       bool *out_changed);

#endif
