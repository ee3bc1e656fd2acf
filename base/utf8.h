// SPDX-License-Identifier: Apache-2.0
//
// Steps through bytes that may or may not be UTF-8 (RFC 3629), for everything that must write well-formed text out of
// hostile bytes. Pure.
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

// U+FFFD, what ill-formed bytes become.
#define UTF8_REPLACEMENT SLICE_LITERAL("\xEF\xBF\xBD")

// The length of the well-formed sequence that starts at `at` (< s.len), or, with *out_valid false, of the ill-formed
// bytes one replacement character stands for (Unicode 15, section 3.9, "maximal subpart"). Always 1 to 4.
size_t utf8_step(struct slice s, size_t at, bool *out_valid);

#endif
