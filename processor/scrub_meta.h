// SPDX-License-Identifier: Apache-2.0
//
// What was changed in an event, as its `_meta` tells it: a tree of marks, one for each part of a path that leads to a
// change. For scrub_event.c only. It owns its marks, but not the keys: they are the document's.
#ifndef PROCESSOR_SCRUB_META_H
#define PROCESSOR_SCRUB_META_H

#include "processor/scrub.h"

struct scrub_mark {
  struct slice key; // NULL ptr: the element `index` of an array
  uint32_t index;
  uint32_t first_child, next; // 0: none
  const char *rule;           // NULL: only on the way
  bool removed;
};

struct scrub_meta {
  struct scrub_mark *marks; // [0] is the event itself
  uint32_t count, capacity;
};

// Allocates nothing yet.
void scrub_meta_init(struct scrub_meta *meta);
void scrub_meta_finish(struct scrub_meta *meta);
// A mark below another one, 0 being the event. 0 when there are enough.
uint32_t scrub_meta_add_member(struct scrub_meta *meta, uint32_t parent, struct slice key);
uint32_t scrub_meta_add_element(struct scrub_meta *meta, uint32_t parent, uint32_t index);
// The value there was changed by `rule`, which lives as long as the marks: removed, or substituted in part.
void scrub_meta_set_rule(struct scrub_meta *meta, uint32_t mark, const char *rule, bool removed);
// Appends the `_meta` that the event had, with the marks merged into it. Overflow is seen in out->failed.
void scrub_meta_write(const struct scrub_meta *meta, struct json_value old, struct buffer *out);

#endif
