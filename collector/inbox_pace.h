// SPDX-License-Identifier: Apache-2.0
//
// When the inbox writes a batch. The larger a batch the less an event costs, since an issue's row, counts and tags are
// written once a batch, and of its events those that newer ones push out not at all; so a flood of one project is
// written as rarely as an error may wait: it is to be seen within a second of being accepted, writing included. What is
// no flood is written after a moment, and the events of another project do not wait for a flood.
//
// A value; times are monotonic nanoseconds, handed in. One thread.
#ifndef COLLECTOR_INBOX_PACE_H
#define COLLECTOR_INBOX_PACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"

#define INBOX_PACE_WAIT_NS    (20 * NS_PER_MS)  // after the first event, when there is nothing more to read
#define INBOX_PACE_BUSY_NS    (100 * NS_PER_MS) // after the first event in any case
#define INBOX_PACE_MIXED_NS   (10 * NS_PER_MS)  // after the first event of a second project
#define INBOX_PACE_VISIBLE_NS (750 * NS_PER_MS) // in a flood: after the first event could be read, until it is written
#define INBOX_PACE_WRITE_MAX  (400 * NS_PER_MS) // as much of it writing may be expected to take
#define INBOX_PACE_CALM_NS    (50 * NS_PER_MS)  // a flood is over when nothing came for so long
#define INBOX_PACE_FLOOD      64                // events in INBOX_PACE_BUSY_NS
#define INBOX_PACE_SOME       8                 // fewer say nothing of what comes next

struct inbox_pace {
  uint64_t started_ns, waiting_ns, due_ns; // of the batch: its first event was read, could have been read; written at
  uint32_t events, project;                // of the batch
  bool is_mixed;                           // it has events of several projects
  uint64_t read_ns;                        // the last record was read
  uint64_t looked_ns;                      // there was nothing to read
  uint64_t write_began_ns, write_ns;       // the last batch's writing: when, how long
  bool was_flood;                          // the last batch's events came that fast
  uint32_t last_project;                   // of the last batch
};

void inbox_pace_init(struct inbox_pace *pace, uint64_t now_ns);
void inbox_pace_read(struct inbox_pace *pace, uint64_t now_ns);   // a record was read
void inbox_pace_looked(struct inbox_pace *pace, uint64_t now_ns); // until now there was nothing more to read
// Something is put into an empty batch; then each event of the record that was read last.
void inbox_pace_begin(struct inbox_pace *pace, uint64_t now_ns);
void inbox_pace_event(struct inbox_pace *pace, uint32_t project);
void inbox_pace_wrote(struct inbox_pace *pace, uint64_t began_ns, uint64_t now_ns);
// When the batch that was begun is to be written, where there is more to read and (at_end) where there is not.
uint64_t inbox_pace_due(const struct inbox_pace *pace, bool at_end);

#endif
