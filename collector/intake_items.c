// SPDX-License-Identifier: Apache-2.0
//
// How it works: first all items are looked at; only when one of them is to be changed, all are written anew, so that
// attachments are not copied for nothing.
#include "collector/intake_items.h"

#include "processor/scrub_file.h"
#include "proto/sentry_item.h"

#define TEXT_BYTES_MAX ((size_t)256 << 10) // of one scrubbed text

struct scrubbing {
  const struct scrub *scrub;
  struct buffer texts[3]; // of the item in hand
  struct buffer data;     // of an attachment
  struct json_parser *inner;
  bool changed;
};

static struct slice scrub_one(struct scrubbing *scrubbing, uint32_t at, enum scrub_text_kind kind, struct slice text) {
  struct buffer *out = &scrubbing->texts[at];
  buffer_clear(out);
  if (!scrubbing->scrub || !scrub_text(scrubbing->scrub, kind, text, out)) return text;
  scrubbing->changed = true;
  return out->failed ? SLICE_LITERAL(SCRUB_FILTERED) : buffer_slice(out);
}

// What cannot be scrubbed is not kept.
static void scrub_data(struct scrubbing *scrubbing, struct sentry_item_attachment *attachment) {
  struct slice data = attachment->data;
  bool changed = false;
  if (!scrubbing->scrub || data.len == 0) return;
  if (!scrub_file_is_text(attachment->content_type, attachment->filename, data)) return;
  if (!scrubbing->inner) scrubbing->inner = json_parser_create(SCRUB_FILE_JSON_BYTES_MAX);
  buffer_clear(&scrubbing->data);
  if (scrub_file(scrubbing->scrub, data, scrubbing->inner, &scrubbing->data, &changed) != STATUS_OK) {
    attachment->data = (struct slice){0};
    attachment->reason = SLICE_LITERAL("too large when scrubbed");
    scrubbing->changed = true;
  } else if (changed) {
    attachment->data = buffer_slice(&scrubbing->data);
    attachment->bytes = attachment->data.len;
    attachment->scrubbed = true;
    scrubbing->changed = true;
  }
}

static void scrub_item(struct scrubbing *scrubbing, struct sentry_item *item) {
  struct sentry_feedback *feedback = &item->feedback;
  struct sentry_item_attachment *attachment = &item->attachment;
  switch (item->kind) {
  case SENTRY_ITEM_ATTACHMENT:
    scrub_data(scrubbing, attachment);
    attachment->filename = scrub_one(scrubbing, 0, SCRUB_TEXT_MESSAGE, attachment->filename);
    break;
  case SENTRY_ITEM_FEEDBACK:
    feedback->message = scrub_one(scrubbing, 0, SCRUB_TEXT_MESSAGE, feedback->message);
    feedback->name = scrub_one(scrubbing, 1, SCRUB_TEXT_MESSAGE, feedback->name);
    feedback->url = scrub_one(scrubbing, 2, SCRUB_TEXT_URL, feedback->url);
    break;
  case SENTRY_ITEM_DISCARDED: break;
  }
}

// Scrubs item by item. Without `out` only to learn whether something changes, and how many items there are.
static enum status scrub_items(struct scrubbing *scrubbing, struct json_parser *parser, struct slice body,
                               struct buffer *out, uint32_t *out_items, struct error *error) {
  struct sentry_item_reader reader;
  struct sentry_item item;
  uint32_t items = 0;
  enum status status = sentry_item_open(&reader, parser, body, error);
  while (status == STATUS_OK && (status = sentry_item_next(&reader, &item, error)) == STATUS_OK) {
    if (out || !scrubbing->changed) scrub_item(scrubbing, &item);
    if (out) sentry_item_write(out, &item);
    items++;
  }
  if (status != STATUS_END) return status;
  *out_items = items;
  return STATUS_OK;
}

enum status intake_items_scrub(const struct scrub *scrub, struct slice body, struct buffer *out, struct slice *out_body,
                               uint32_t *out_items, struct error *error) {
  struct json_parser *parser = json_parser_create(SENTRY_ENVELOPE_HEADER_BYTES_MAX);
  if (!parser) return error_set(error, STATUS_UNAVAILABLE, "out of memory, try again");
  struct scrubbing scrubbing = {.scrub = scrub && scrub_is_enabled(scrub) ? scrub : NULL};
  const size_t texts = sizeof scrubbing.texts / sizeof scrubbing.texts[0];
  for (size_t i = 0; i < texts; i++) buffer_init(&scrubbing.texts[i], TEXT_BYTES_MAX);
  buffer_init(&scrubbing.data, out->max_bytes);
  uint32_t items = 0;
  enum status status = scrub_items(&scrubbing, parser, body, NULL, &items, error);
  if (status == STATUS_OK && scrubbing.changed) {
    status = scrub_items(&scrubbing, parser, body, out, &items, error);
    if (status == STATUS_OK && out->failed)
      status = error_set(error, STATUS_TOO_LARGE, "the scrubbed items are too large");
  }
  for (size_t i = 0; i < texts; i++) buffer_finish(&scrubbing.texts[i]);
  buffer_finish(&scrubbing.data);
  json_parser_destroy(scrubbing.inner);
  json_parser_destroy(parser);
  if (status != STATUS_OK) return status;
  *out_body = scrubbing.changed ? buffer_slice(out) : body;
  *out_items = items;
  return STATUS_OK;
}
