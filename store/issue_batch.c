// SPDX-License-Identifier: Apache-2.0
//
// How it works: an array of events whose texts are cut to their stored lengths and copied into one arena, which is
// dropped with the batch.
#include "store/issue_batch.h"

#include <stdlib.h>

static struct slice copy(struct arena *arena, struct slice text, size_t bytes_max) {
  struct slice cut = issue_cut(text, bytes_max);
  return cut.len == 0 ? (struct slice){0} : arena_copy(arena, cut);
}

enum status issue_batch_init(struct issue_batch *batch) {
  *batch = (struct issue_batch){0};
  arena_init(&batch->arena, ISSUE_BATCH_MEMORY_MAX);
  batch->events = calloc(ISSUE_BATCH_EVENTS_MAX, sizeof *batch->events);
  batch->items = calloc(ISSUE_BATCH_ITEMS_MAX, sizeof *batch->items);
  return batch->events && batch->items ? STATUS_OK : STATUS_NO_MEMORY;
}

void issue_batch_finish(struct issue_batch *batch) {
  free(batch->events);
  free(batch->items);
  batch->events = NULL;
  batch->items = NULL;
  arena_finish(&batch->arena);
}

void issue_batch_clear(struct issue_batch *batch) {
  batch->count = batch->item_count = 0;
  arena_reset(&batch->arena);
}

bool issue_batch_is_full(const struct issue_batch *batch) {
  return batch->count == ISSUE_BATCH_EVENTS_MAX || batch->item_count == ISSUE_BATCH_ITEMS_MAX ||
         batch->arena.used_bytes >= ISSUE_BATCH_BYTES_MAX;
}

bool issue_batch_is_empty(const struct issue_batch *batch) {
  return batch->count == 0 && batch->item_count == 0;
}

static void copy_texts(struct arena *arena, struct issue_event *event) {
  struct slice *words[] = {&event->type,    &event->level,       &event->platform,  &event->service,
                           &event->release, &event->environment, &event->request_id};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) *words[i] = copy(arena, *words[i], ISSUE_WORD_BYTES_MAX);
  event->title = copy(arena, event->title, ISSUE_TITLE_BYTES_MAX);
  event->value = copy(arena, event->value, ISSUE_TEXT_BYTES_MAX);
  event->culprit = copy(arena, event->culprit, ISSUE_TEXT_BYTES_MAX);
  event->trace_id = copy(arena, event->trace_id, 16);
  event->span_id = copy(arena, event->span_id, 8);
  event->grouping = copy(arena, event->grouping, SIZE_MAX);
  event->document = copy(arena, event->document, SIZE_MAX);
  event->compressed = copy(arena, event->compressed, SIZE_MAX);
  if (event->title.len == 0) event->title = SLICE_LITERAL("<unlabeled event>");
}

static const struct issue_hash *copy_hashes(struct arena *arena, const struct issue_hash *hashes, uint32_t count) {
  struct issue_hash *mine = arena_alloc_array(arena, count, sizeof *mine);
  for (uint32_t i = 0; mine && i < count; i++) {
    mine[i] = hashes[i];
    mine[i].algorithm = (const char *)arena_copy(arena, slice_from_cstr(hashes[i].algorithm)).ptr;
    mine[i].variant = (const char *)arena_copy(arena, slice_from_cstr(hashes[i].variant)).ptr;
  }
  return mine;
}

static void copy_lists(struct arena *arena, struct issue_event *event) {
  event->hashes = copy_hashes(arena, event->hashes, event->hash_count);
  if (event->past_hash_count > 0) event->past_hashes = copy_hashes(arena, event->past_hashes, event->past_hash_count);
  struct issue_tag *tags = arena_alloc_array(arena, event->tag_count, sizeof *tags);
  uint32_t count = 0;
  for (uint32_t i = 0; tags && i < event->tag_count; i++) {
    struct issue_tag tag = {.key = copy(arena, event->tags[i].key, ISSUE_WORD_BYTES_MAX),
                            .value = copy(arena, event->tags[i].value, ISSUE_WORD_BYTES_MAX)};
    if (tag.key.len > 0 && tag.value.len > 0) tags[count++] = tag;
  }
  event->tags = tags;
  event->tag_count = count;
}

enum status issue_batch_add(struct issue_batch *batch, const struct issue_event *event) {
  ASSERT(!issue_batch_is_full(batch));
  ASSERT(event->hash_count >= 1 && event->hash_count <= ISSUE_EVENT_HASHES_MAX);
  ASSERT(event->past_hash_count <= ISSUE_PAST_HASHES_MAX);
  struct issue_event *mine = &batch->events[batch->count];
  *mine = *event;
  size_t bytes = event->document.len + event->grouping.len + event->compressed.len;
  if (bytes > ISSUE_BATCH_MEMORY_MAX / 2) return STATUS_TOO_LARGE;
  copy_texts(&batch->arena, mine);
  copy_lists(&batch->arena, mine);
  if (arena_exhausted(&batch->arena)) {
    batch->arena.exhausted = false; // what was copied is lost until the batch is cleared, the batch itself stays good
    return STATUS_TOO_LARGE;
  }
  batch->count++;
  return STATUS_OK;
}

enum status issue_batch_add_item(struct issue_batch *batch, const struct issue_item *item) {
  ASSERT(!issue_batch_is_full(batch));
  struct issue_item *mine = &batch->items[batch->item_count];
  *mine = *item;
  if (item->item.attachment.data.len > ISSUE_BATCH_MEMORY_MAX / 2) return STATUS_TOO_LARGE;
  struct slice *texts[] = {
      &mine->item.attachment.filename, &mine->item.attachment.content_type, &mine->item.attachment.attachment_type,
      &mine->item.attachment.data,     &mine->item.attachment.reason,       &mine->item.feedback.name,
      &mine->item.feedback.email,      &mine->item.feedback.message,        &mine->item.feedback.url,
      &mine->item.discarded.reason,    &mine->item.discarded.category};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) *texts[i] = copy(&batch->arena, *texts[i], SIZE_MAX);
  if (arena_exhausted(&batch->arena)) {
    batch->arena.exhausted = false; // as above
    return STATUS_TOO_LARGE;
  }
  batch->item_count++;
  return STATUS_OK;
}
