// SPDX-License-Identifier: Apache-2.0
//
// The compiled configuration. The rules: scrub_key.c (names), scrub_value.c (what stands in a text), scrub_text.c
// (texts with a structure); where they are applied: scrub_event.c and scrub_otlp.c. What spares looking:
// scrub_glance.c.
#include <stdlib.h>

#include "base/hash.h"
#include "processor/scrub_internal.h"

struct scrub *scrub_create(const struct scrub_options *options) {
  struct scrub *scrub = calloc(1, sizeof(*scrub));
  ASSERT(scrub);
  scrub->enabled = options->enabled && (options->defaults || options->extra_key_count > 0 || options->ip_addresses);
  scrub->defaults = options->defaults;
  scrub->ip_addresses = options->ip_addresses;
  scrub->number = random_u64() | 1;
  scrub_key_compile(&scrub->matcher, options);
  scrub_value_compile(scrub);
  scrub_glance_compile(&scrub->glance, options);
  scrub_event_compile(scrub);
  const uint32_t count = options->safe_key_count < SCRUB_KEYS_MAX ? options->safe_key_count : SCRUB_KEYS_MAX;
  size_t bytes = 1;
  for (uint32_t i = 0; i < count; i++) bytes += strlen(options->safe_keys[i]);
  scrub->safe_keys = calloc(count + 1, sizeof(struct slice));
  scrub->text = malloc(bytes);
  ASSERT(scrub->safe_keys && scrub->text);
  uint8_t *to = scrub->text;
  for (uint32_t i = 0; i < count; i++) {
    const size_t len = strlen(options->safe_keys[i]);
    memcpy(to, options->safe_keys[i], len);
    scrub->safe_keys[i] = slice_make(to, len);
    to += len;
  }
  scrub->safe_key_count = count;
  return scrub;
}

void scrub_destroy(struct scrub *scrub) {
  if (!scrub) return;
  scrub_key_release(&scrub->matcher);
  free(scrub->safe_keys);
  free(scrub->text);
  free(scrub);
}

bool scrub_is_enabled(const struct scrub *scrub) {
  return scrub->enabled;
}

bool scrub_reads_all(const struct scrub *scrub) {
  return scrub->enabled && scrub->ip_addresses;
}

static bool is_plain(const void *context, struct slice key) {
  return !scrub_key_is_sensitive(context, key);
}

void scrub_judge_keys(const struct scrub *scrub, struct otlp_key_memory *memory) {
  otlp_key_memory_begin(memory, is_plain, scrub, scrub->number);
}
