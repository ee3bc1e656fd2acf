// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as a file. What was scrubbed is clean when it is looked at again, and valid UTF-8 stays so.
#include "processor/scrub_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define OUTPUT_MAX ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  const struct slice text = slice_make(data + 1, size - 1);
  const char *const extra[] = {"canary"};
  struct scrub *scrub = scrub_create(&(struct scrub_options){.enabled = true,
                                                             .defaults = true,
                                                             .extra_keys = extra,
                                                             .extra_key_count = data[0] & 1 ? 1 : 0,
                                                             .ip_addresses = (data[0] & 2) != 0});
  struct json_parser *inner = json_parser_create(SCRUB_FILE_JSON_BYTES_MAX);
  struct buffer once, twice;
  bool changed, again;
  buffer_init(&once, OUTPUT_MAX);
  buffer_init(&twice, OUTPUT_MAX);
  (void)scrub_file_is_text((struct slice){0}, text, text);
  (void)scrub_file_is_text(text, (struct slice){0}, text);
  ASSERT(scrub_file(scrub, text, inner, &once, &changed) == STATUS_OK);
  ASSERT(changed || once.len == 0);
  if (changed) {
    ASSERT(!slice_is_utf8(text) || slice_is_utf8(buffer_slice(&once)));
    ASSERT(scrub_file(scrub, buffer_slice(&once), inner, &twice, &again) == STATUS_OK);
    ASSERT(!again);
  }
  buffer_finish(&once);
  buffer_finish(&twice);
  json_parser_destroy(inner);
  scrub_destroy(scrub);
  return 0;
}
