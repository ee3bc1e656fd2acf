// SPDX-License-Identifier: Apache-2.0
//
// Any JSON text as an event, with the built-in rules: what parses is grouped, every variant that contributes has a
// hash, something always contributes, and the explanation is JSON again.
#include <string.h>

#include "base/json.h"
#include "processor/grouping.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_explanation(const struct grouping_result *result) {
  struct buffer out;
  struct json_writer writer;
  buffer_init(&out, 64u << 20);
  json_writer_init(&writer, &out);
  grouping_write_variants(result, &writer);
  struct json_parser *parser = json_parser_create(64u << 20);
  struct json_value root;
  ASSERT(out.failed || json_parse(parser, buffer_slice(&out), &root, NULL) == STATUS_OK);
  json_parser_destroy(parser);
  buffer_finish(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct json_parser *parser = json_parser_create(1u << 20);
  struct arena arena;
  struct json_value root;
  struct sentry_event event;
  struct grouping_result result;
  static struct grouping_config *config; // made once: it is immutable, and reading the rules costs more than an event
  arena_init(&arena, 64u << 20);
  if (config == NULL) {
    ASSERT(grouping_config_create(&(struct grouping_config_options){0}, &config, NULL) == STATUS_OK);
  }
  if (json_parse(parser, slice_make(data, size), &root, NULL) == STATUS_OK &&
      sentry_event_parse(root, &arena, &event, NULL) == STATUS_OK &&
      grouping_compute(config, &event, &arena, &result) == STATUS_OK) {
    uint32_t contributing = 0;
    for (uint32_t i = 0; i < result.variant_count; i++) {
      contributing += result.variants[i].contributes;
      ASSERT(strlen(result.variants[i].hash) == (result.variants[i].contributes ? 32 : 0));
    }
    ASSERT(contributing > 0);
    ASSERT(result.title.len > 0);
    check_explanation(&result);
  }
  arena_finish(&arena);
  json_parser_destroy(parser);
  return 0;
}
