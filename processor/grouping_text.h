// SPDX-License-Identifier: Apache-2.0
//
// Characters as grouping sees them: white space, line ends and word characters of Unicode, the way Python's str does,
// because the published hashes were made with it. Ill-formed bytes count as word characters. Pure; any thread.
#ifndef PROCESSOR_GROUPING_TEXT_H
#define PROCESSOR_GROUPING_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/slice.h"

// Bytes of the character at `at` (< text.len), 1 for an ill-formed byte.
size_t grouping_text_step(struct slice text, size_t at);
// Bytes of the white space at `at`, 0 when it is something else or the end.
size_t grouping_text_space(struct slice text, size_t at);
// A letter, digit or underscore of any script starts at `at`, ends before it; false beyond the ends.
bool grouping_text_word_at(struct slice text, size_t at);
bool grouping_text_word_before(struct slice text, size_t at);
// The line that starts at `from` (<= text.len), without its end; *out_next is behind the end.
struct slice grouping_text_line(struct slice text, size_t from, size_t *out_next);
// The first line; empty for empty text.
struct slice grouping_text_first_line(struct slice text);
// Without white space at either end.
struct slice grouping_text_trim(struct slice text);
// Runs of white space to one blank, none at the ends. The input when nothing changes, else in the arena (empty and NULL
// when that is exhausted).
struct slice grouping_text_collapse(struct slice text, struct arena *arena);
// Characters, counted.
size_t grouping_text_chars(struct slice text);
// At most chars_max characters, the last three of a text that was cut being dots.
struct slice grouping_text_truncate(struct slice text, size_t chars_max, struct arena *arena);
// A copy with letters in lower case and, when asked, '\\' as '/'. May be the input when nothing changes.
struct slice grouping_text_lower(struct slice text, bool slashes, struct arena *arena);
// The same into text.len bytes of out.
void grouping_text_lower_into(struct slice text, bool slashes, uint8_t *out);

#endif
