// SPDX-License-Identifier: Apache-2.0
//
// The frame and the thread an event is about. Pure; the frame belongs to the event.
#ifndef PROCESSOR_GROUPING_CRASH_H
#define PROCESSOR_GROUPING_CRASH_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/sentry_event.h"

// The last in-app frame of the exception raised (else of the event's stack trace, else of its only thread), else the
// last frame; NULL when there is none. named: only frames whose function is known.
const struct sentry_frame *grouping_crash_frame(const struct sentry_event *event, bool named);
// The place of the only thread that crashed, else is current, else is there at all; thread_count when there is none.
uint32_t grouping_crash_thread(const struct sentry_event *event);

#endif
