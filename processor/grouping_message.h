// SPDX-License-Identifier: Apache-2.0
//
// Messages made comparable: what changes from one occurrence to the next is replaced by its kind ("<int>", "<uuid>",
// …). One scan from left to right, linear in the text, no regular expression. Pure; any thread; results live in the
// arena or are the input.
#ifndef PROCESSOR_GROUPING_MESSAGE_H
#define PROCESSOR_GROUPING_MESSAGE_H

#include "base/arena.h"
#include "base/slice.h"

// The first two lines that are not blank, "..." behind them when that left something out, parameterised. With mask_ids,
// words that look like random identifiers become "<uniq_id>" (Sentry's experiment of 2024; off by default there too).
// On an exhausted arena an empty slice.
struct slice grouping_message_normalise(struct slice message, bool mask_ids, struct arena *arena);

#endif
