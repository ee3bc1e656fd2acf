// SPDX-License-Identifier: Apache-2.0
#include "receiver/sentry_keep.h"

#include <stdio.h>

#define HEADER_BYTES 2048 // of an item; its texts are cut to less than that
#define WORD_MAX     48

void sentry_keep_init(struct sentry_keep *keep, size_t attachment_bytes_max, size_t bytes_max) {
  *keep = (struct sentry_keep){.attachment_bytes_max = attachment_bytes_max};
  buffer_init(&keep->items, bytes_max);
  buffer_init(&keep->counts, bytes_max);
}

void sentry_keep_finish(struct sentry_keep *keep) {
  if (keep->items.max_bytes == 0) return; // never set up
  buffer_finish(&keep->items);
  buffer_finish(&keep->counts);
}

size_t sentry_keep_attachment_bytes(size_t attachment_bytes_max, size_t bytes) {
  return HEADER_BYTES + (bytes <= attachment_bytes_max ? bytes : 0);
}

// "12.4 MiB".
static void print_size(size_t bytes, char *out, size_t out_bytes) {
  static const char *const units[] = {"bytes", "KiB", "MiB", "GiB"};
  size_t unit = 0, rest = 0;
  for (; unit < 3 && bytes >= 1024; unit++) {
    rest = bytes % 1024;
    bytes /= 1024;
  }
  size_t tenth = rest * 10 / 1024;
  if (tenth > 0) {
    snprintf(out, out_bytes, "%zu.%zu %s", bytes, tenth, units[unit]);
  } else {
    snprintf(out, out_bytes, "%zu %s", bytes, units[unit]);
  }
}

enum sentry_keep_verdict sentry_keep_attachment(struct sentry_keep *keep, const struct sentry_envelope_item *from,
                                                const char *event_id) {
  if (!event_id[0] || keep->attachments == SENTRY_KEEP_ATTACHMENTS_MAX) return SENTRY_KEEP_DROPPED;
  keep->attachments++;
  struct sentry_item item = {.kind = SENTRY_ITEM_ATTACHMENT};
  struct sentry_item_attachment *attachment = &item.attachment;
  memcpy(attachment->event_id, event_id, sizeof attachment->event_id);
  attachment->filename = from->filename;
  attachment->content_type = from->content_type;
  attachment->attachment_type = json_string(json_get(from->header, "attachment_type"));
  attachment->bytes = from->payload.len;
  bool fits = from->payload.len <= keep->attachment_bytes_max;
  char reason[160], size[32], limit[32];
  if (fits && keep->attachment_bytes_max > 0) {
    attachment->data = from->payload;
  } else {
    print_size(from->payload.len, size, sizeof size);
    print_size(keep->attachment_bytes_max, limit, sizeof limit);
    int len = snprintf(reason, sizeof reason, "%s are over the limit of %s (sentry.attachment_max_bytes)", size, limit);
    attachment->reason = slice_make(reason, (size_t)len);
  }
  sentry_item_write(&keep->items, &item);
  return attachment->reason.len > 0 ? SENTRY_KEEP_NOTED : SENTRY_KEEP_TAKEN;
}

void sentry_keep_feedback(struct sentry_keep *keep, const struct sentry_feedback *feedback) {
  sentry_item_write(&keep->items, &(struct sentry_item){.kind = SENTRY_ITEM_FEEDBACK, .feedback = *feedback});
}

static struct slice word_of(struct slice text) {
  bool good = text.len > 0 && text.len <= WORD_MAX;
  for (size_t i = 0; good && i < text.len; i++) {
    uint8_t c = text.ptr[i];
    good = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
  }
  return good ? text : SLICE_LITERAL("other");
}

static void write_discarded(struct sentry_keep *keep, struct slice reason, struct slice category, uint64_t quantity) {
  const struct sentry_item item = {.kind = SENTRY_ITEM_DISCARDED,
                                   .discarded = {.reason = reason, .category = category, .quantity = quantity}};
  sentry_item_write(&keep->counts, &item);
}

void sentry_keep_discarded(struct sentry_keep *keep, struct slice reason, struct slice category, uint64_t quantity) {
  if (quantity == 0) return;
  quantity = quantity < UINT32_MAX ? quantity : UINT32_MAX;
  if (keep->discarded == SENTRY_KEEP_DISCARDED_MAX) {
    keep->rest += quantity;
  } else {
    keep->discarded++;
    write_discarded(keep, word_of(reason), word_of(category), quantity);
  }
}

void sentry_keep_close(struct sentry_keep *keep) {
  const struct slice other = SLICE_LITERAL("other");
  if (keep->rest > 0) write_discarded(keep, other, other, keep->rest);
  keep->rest = 0;
}
