// SPDX-License-Identifier: Apache-2.0
//
// Tags. Reading is in sentry_event_parse.c, writing in sentry_event_write.c; what carries stack traces in
// sentry_event_stack.c, lenient access to members in sentry_event_reader.c.
#include "proto/sentry_event.h"

struct slice sentry_event_tag(const struct sentry_event *event, const char *key) {
  struct slice wanted = slice_from_cstr(key);
  for (uint32_t i = 0; i < event->tag_count; i++) {
    if (slice_equal(event->tags[i].key, wanted)) return event->tags[i].value;
  }
  return (struct slice){0};
}

// The array has room for the next power of two above its count, so it is copied only when the count is one.
enum status sentry_event_put_tag(struct sentry_event *event, struct arena *arena, struct slice key,
                                 struct slice value) {
  uint32_t count = event->tag_count;
  struct sentry_tag *tags = event->tags;
  if ((count & (count - 1)) == 0) {
    tags = arena_alloc_array(arena, count == 0 ? 1 : (size_t)count * 2, sizeof(*tags));
    if (tags == NULL) return STATUS_NO_MEMORY;
    if (count > 0) memcpy(tags, event->tags, count * sizeof(*tags));
  }
  tags[count] = (struct sentry_tag){.key = key, .value = value};
  event->tags = tags;
  event->tag_count = count + 1;
  return STATUS_OK;
}

enum status sentry_event_add_tag(struct sentry_event *event, struct arena *arena, struct slice key,
                                 struct slice value) {
  key = arena_copy(arena, key);
  value = arena_copy(arena, value);
  if (key.ptr == NULL || value.ptr == NULL) return STATUS_NO_MEMORY;
  return sentry_event_put_tag(event, arena, key, value);
}
