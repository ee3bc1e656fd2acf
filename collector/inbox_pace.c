// SPDX-License-Identifier: Apache-2.0
//
// How it works: a batch is due INBOX_PACE_BUSY_NS after its first event, INBOX_PACE_WAIT_NS after it when nothing more
// is there to read. With INBOX_PACE_FLOOD events of one project it is a flood, and with fewer when the batch before was
// of that project and its events came as fast, for as long as they come half as fast: then it is due when nothing came
// for INBOX_PACE_CALM_NS, or so early that, if writing takes as long as it took the last time, the event that waited
// longest is written INBOX_PACE_VISIBLE_NS after it could have been read: that is, after the journal was last seen to
// its end, or after the writing of the batch before began, whichever is later. But it is never due before one that is
// no flood: where writing takes that long, batches of few events would only make the inbox fall behind. The first event
// of a second project ends the flood: the batch is due INBOX_PACE_MIXED_NS later, or before.
#include "collector/inbox_pace.h"

static uint64_t earlier(uint64_t a, uint64_t b) {
  return a < b ? a : b;
}

static uint64_t later(uint64_t a, uint64_t b) {
  return a > b ? a : b;
}

void inbox_pace_init(struct inbox_pace *pace, uint64_t now_ns) {
  *pace = (struct inbox_pace){.read_ns = now_ns, .looked_ns = now_ns, .write_began_ns = now_ns};
}

void inbox_pace_read(struct inbox_pace *pace, uint64_t now_ns) {
  pace->read_ns = now_ns;
}

void inbox_pace_looked(struct inbox_pace *pace, uint64_t now_ns) {
  pace->looked_ns = now_ns;
}

void inbox_pace_begin(struct inbox_pace *pace, uint64_t now_ns) {
  pace->started_ns = now_ns;
  pace->waiting_ns = earlier(now_ns, later(pace->looked_ns, pace->write_began_ns));
  pace->due_ns = now_ns + INBOX_PACE_BUSY_NS;
  pace->events = 0;
  pace->is_mixed = false;
}

void inbox_pace_event(struct inbox_pace *pace, uint32_t project) {
  if (pace->events++ == 0) pace->project = project;
  if (pace->is_mixed || project == pace->project) return;
  pace->is_mixed = true;
  pace->due_ns = earlier(pace->due_ns, pace->read_ns + INBOX_PACE_MIXED_NS);
}

// Whether `events` in a time are a flood, or `part` of one.
static bool come_fast(uint32_t events, uint64_t ns, uint32_t part) {
  return events * INBOX_PACE_BUSY_NS * part >= INBOX_PACE_FLOOD * ns;
}

void inbox_pace_wrote(struct inbox_pace *pace, uint64_t began_ns, uint64_t now_ns) {
  pace->was_flood =
      !pace->is_mixed && pace->events >= INBOX_PACE_SOME && come_fast(pace->events, began_ns - pace->waiting_ns, 1);
  pace->last_project = pace->project;
  pace->write_began_ns = began_ns;
  pace->write_ns = earlier(now_ns - began_ns, INBOX_PACE_WRITE_MAX);
}

static bool is_flood(const struct inbox_pace *pace) {
  if (pace->is_mixed || pace->events >= INBOX_PACE_FLOOD) return !pace->is_mixed;
  return pace->was_flood && pace->events > 0 && pace->project == pace->last_project &&
         come_fast(pace->events, pace->read_ns - pace->started_ns, 2);
}

uint64_t inbox_pace_due(const struct inbox_pace *pace, bool at_end) {
  uint64_t due = pace->due_ns, quiet = pace->started_ns + INBOX_PACE_WAIT_NS;
  if (is_flood(pace)) {
    due = later(due, pace->waiting_ns + INBOX_PACE_VISIBLE_NS - pace->write_ns);
    quiet = pace->read_ns + INBOX_PACE_CALM_NS;
  }
  return at_end ? earlier(quiet, due) : due;
}
