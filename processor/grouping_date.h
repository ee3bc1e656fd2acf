// SPDX-License-Identifier: Apache-2.0
//
// Dates and times in the middle of text, for the message scanner (grouping_message.c): RFC 822, 850, 1123 and 3339, ISO
// 8601 with a space, JavaScript's and ctime's text, compact, kitchen ("3:04PM"), date only, time only and Python's
// datetime.datetime(…). Pure, no memory of its own; any thread.
#ifndef PROCESSOR_GROUPING_DATE_H
#define PROCESSOR_GROUPING_DATE_H

#include <stddef.h>

#include "base/slice.h"

// The length of the date that starts at `at`, 0 when none does. Looks at a bounded number of bytes.
size_t grouping_date_match(struct slice text, size_t at);

#endif
