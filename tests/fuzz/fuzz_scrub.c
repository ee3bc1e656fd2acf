// SPDX-License-Identifier: Apache-2.0
//
// The first byte chooses what the rest is: a text of one kind, an event, or an OTLP request; and the configuration.
// Scrubbing ends with valid output, and a second time changes nothing.
#include "processor/scrub_internal.h"
#include "tests/unit/processor/scrubbed_document.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUTPUT_MAX (64u << 20)

// What has no sign in it (scrub_glance.c) is clean; in URLs and queries names may be percent-encoded, or be those of
// IP addresses.
static void check_glance(const struct scrub *scrub, enum scrub_text_kind kind, struct slice text) {
  struct buffer padded, out;
  buffer_init(&padded, OUTPUT_MAX);
  buffer_init(&out, OUTPUT_MAX);
  buffer_append_slice(&padded, text);
  memset(buffer_reserve(&padded, JSON_STRING_PADDING), 'a', JSON_STRING_PADDING);
  text = buffer_slice(&padded);
  const bool named = kind != SCRUB_TEXT_MESSAGE && (scrub->ip_addresses || slice_find_byte(text, '%') < text.len);
  if (!scrub_glance_at_text(&scrub->glance, text) && kind != SCRUB_TEXT_COOKIES && !named)
    ASSERT(!scrub_text(scrub, kind, text, &out));
  if (!scrub_glance_at_key(&scrub->glance, text))
    ASSERT(!scrub_key_is_sensitive(scrub, text) || (scrub->ip_addresses && scrub_key_is_ip_address(text)));
  buffer_finish(&padded);
  buffer_finish(&out);
}

static void check_text(const struct scrub *scrub, enum scrub_text_kind kind, struct slice text) {
  struct buffer once, twice;
  buffer_init(&once, OUTPUT_MAX);
  buffer_init(&twice, OUTPUT_MAX);
  check_glance(scrub, kind, text);
  bool clean = kind <= SCRUB_TEXT_VALUE && scrub_text_is_clean(scrub, kind, text);
  if (scrub_text(scrub, kind, text, &once)) {
    ASSERT(!clean);
    ASSERT(!scrub_text(scrub, kind, buffer_slice(&once), &twice));
    ASSERT(!slice_is_utf8(text) || slice_is_utf8(buffer_slice(&once)));
  }
  buffer_finish(&once);
  buffer_finish(&twice);
}

static void check_event(const struct scrub *scrub, struct slice text) {
  struct json_parser *parser = json_parser_create(1 << 20), *inner = json_parser_create(1 << 20);
  struct json_value root;
  struct buffer once, twice, meta;
  bool changed = false, again = false;
  buffer_init(&meta, OUTPUT_MAX);
  buffer_init(&once, OUTPUT_MAX);
  buffer_init(&twice, OUTPUT_MAX);
  if (json_parse(parser, text, &root, NULL) == STATUS_OK) {
    ASSERT(scrub_event(scrub, root, inner, &meta, &changed) == STATUS_OK);
    ASSERT(changed == (meta.len > 0));
    if (changed) {
      scrubbed_document_write(root, buffer_slice(&meta), &once);
      ASSERT(json_parse(parser, buffer_slice(&once), &root, NULL) == STATUS_OK);
      ASSERT(scrub_event(scrub, root, inner, &twice, &again) == STATUS_OK && !again);
    }
  }
  buffer_finish(&meta);
  buffer_finish(&once);
  buffer_finish(&twice);
  json_parser_destroy(parser);
  json_parser_destroy(inner);
}

static bool is_valid(enum otlp_signal signal, struct slice payload, uint32_t *out_items) {
  struct otlp_scan scan;
  struct otlp_item item;
  enum status status;
  otlp_scan_init(&scan, signal, payload, NULL);
  while ((status = otlp_scan_next(&scan, &item, NULL)) == STATUS_OK) continue;
  *out_items = scan.item_count;
  return status == STATUS_END;
}

static void check_otlp(const struct scrub *scrub, enum otlp_signal signal, struct slice payload) {
  struct buffer once, twice;
  uint32_t before, after;
  bool changed, again;
  if (!is_valid(signal, payload, &before)) return;
  buffer_init(&once, OUTPUT_MAX);
  buffer_init(&twice, OUTPUT_MAX);
  ASSERT(scrub_otlp(scrub, signal, payload, &once, &changed) == STATUS_OK);
  if (changed) {
    ASSERT(is_valid(signal, buffer_slice(&once), &after));
    ASSERT(after == before);
    ASSERT(scrub_otlp(scrub, signal, buffer_slice(&once), &twice, &again) == STATUS_OK && !again);
  }
  buffer_finish(&once);
  buffer_finish(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  const struct slice rest = slice_make(data + 1, size - 1);
  const char *const extra[] = {"canary"};
  struct scrub *scrub = scrub_create(&(struct scrub_options){.enabled = true,
                                                             .defaults = true,
                                                             .extra_keys = extra,
                                                             .extra_key_count = data[0] & 0x40 ? 1 : 0,
                                                             .ip_addresses = (data[0] & 0x80) != 0});
  switch (data[0] & 7) {
  case 0:
  case 1:
  case 2:
  case 3:
  case 4: check_text(scrub, (enum scrub_text_kind)(data[0] & 7), rest); break;
  case 5: check_event(scrub, rest); break;
  case 6: check_otlp(scrub, OTLP_TRACES, rest); break;
  default: check_otlp(scrub, OTLP_LOGS, rest);
  }
  scrub_destroy(scrub);
  return 0;
}
