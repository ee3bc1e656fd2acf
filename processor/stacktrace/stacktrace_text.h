// SPDX-License-Identifier: Apache-2.0
//
// Taking lines of stack traces apart. Views of the input, no allocation, each linear in what it is given. For the
// parsers of this folder.
#ifndef PROCESSOR_STACKTRACE_STACKTRACE_TEXT_H
#define PROCESSOR_STACKTRACE_STACKTRACE_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"
#include "proto/sentry_event.h"

// The next line of *rest without its end (\n or \r\n); false at the end of the text.
bool stacktrace_text_line(struct slice *rest, struct slice *out_line);
// Cuts `prefix` off the front.
bool stacktrace_text_take(struct slice *text, const char *prefix);
bool stacktrace_text_take_end(struct slice *text, const char *suffix);
// Cuts decimal digits off the front; numbers over 2^32 - 1 become 0.
bool stacktrace_text_take_number(struct slice *text, uint32_t *out_number);
// The text in front of the first `separator`; *text is left with what is behind it. False (and nothing changed) without
// one.
bool stacktrace_text_take_until(struct slice *text, const char *separator, struct slice *out_before);
bool stacktrace_text_has(struct slice text, const char *part);
// Position of the last `byte`, or text.len.
size_t stacktrace_text_find_last(struct slice text, uint8_t byte);
// Leading spaces and tabs.
size_t stacktrace_text_indent(struct slice line);
struct slice stacktrace_text_trim_start(struct slice text);
struct slice stacktrace_text_trim_end(struct slice text);
// The bytes from the start of `first` to the end of `last`, both views of one text, first before last.
struct slice stacktrace_text_span(struct slice first, struct slice last);

// "path:12:5" or "path:12" into parts; false without a number at the end.
bool stacktrace_text_location(struct slice text, struct slice *out_path, uint32_t *out_line, uint32_t *out_column);
// What follows the last / or \.
struct slice stacktrace_text_basename(struct slice path);
// "a.b.C" into "a.b" and "C" at the last `separator`; head is empty without one.
void stacktrace_text_split_last(struct slice text, uint8_t separator, struct slice *out_head, struct slice *out_tail);
// "Type: message" into type and value, where what is in front of the colon can be a type (one word; letters, digits and
// . _ $ : \ / * < > ` @ - or bytes over 127). Without a colon a lone word is a type. Otherwise all of it is the value.
void stacktrace_text_header(struct slice header, struct sentry_exception *exception);
bool stacktrace_text_is_word(struct slice text);

// How much of an absolute path is the directory an application is started in, as far as paths of the usual places tell
// ("/app/", "/srv/x/", "/home/x/y/", "C:\x\"), its final separator included; 0 when nothing is known.
size_t stacktrace_text_root_length(struct slice path);
// Absolute for Unix, Windows or a URL.
bool stacktrace_text_is_absolute(struct slice path);
// The path's directories and stem with dots: "a/b/c.py" to "a.b.c". Everything from the first dot of the base name is
// cut.
struct slice stacktrace_text_dotted(struct slice path, struct arena *arena);

#endif
