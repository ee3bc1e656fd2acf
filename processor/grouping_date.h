// SPDX-License-Identifier: Apache-2.0
//
// Dates and times in the middle of text, for the message scanner (grouping_message.c): RFC 822, 850, 1123 and 3339, the
// last with a space too, "Jan 02, 1999", ctime's text, kitchen ("3:04PM"), date only, time only and Python's
// datetime.datetime(…). Pure, no memory of its own; any thread.
#ifndef PROCESSOR_GROUPING_DATE_H
#define PROCESSOR_GROUPING_DATE_H

#include <stddef.h>

#include "base/slice.h"

// The length of the date that starts at `at`, 0 when none does. *no_end_before, 0 at first, is where the caller of one
// text keeps how far the end of a datetime.datetime( was looked for in vain, so that a whole scan stays linear.
size_t grouping_date_match(struct slice text, size_t at, size_t *no_end_before);

#endif
