// SPDX-License-Identifier: Apache-2.0
//
// What intake does with a payload of JOURNAL_ITEMS: every item is read, what people wrote is scrubbed like any text for
// people. The e-mail address in a feedback's own field stays: it was given so that somebody may answer. Attachments
// that are text are scrubbed as processor/scrub_file does; others are kept as they are. Pure; any thread.
#ifndef COLLECTOR_INTAKE_ITEMS_H
#define COLLECTOR_INTAKE_ITEMS_H

#include "processor/scrub.h"

// *out_body is `body` and `out` untouched when nothing was to change, else what was appended to `out`; *out_items
// counts its items. STATUS_INVALID, STATUS_TOO_LARGE over the ceiling of `out`, STATUS_UNAVAILABLE for want of memory.
// scrub may be NULL.
enum status intake_items_scrub(const struct scrub *scrub, struct slice body, struct buffer *out, struct slice *out_body,
                               uint32_t *out_items, struct error *error);

#endif
