// SPDX-License-Identifier: Apache-2.0
//
// Any JSON text as a browser's report: it is refused with words, or becomes an event with a message and something to
// group by.
#include "processor/grouping.h"
#include "proto/sentry_json.h"
#include "receiver/sentry_report.h"

#define BYTES_MAX   ((size_t)8 << 20)
#define ARENA_BYTES ((size_t)32 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_event(struct json_parser *parser, struct slice document) {
  static struct grouping_config *config; // made once: it is immutable, and reading the rules costs more than an event
  if (config == NULL) {
    ASSERT(grouping_config_create(&(struct grouping_config_options){0}, &config, NULL) == STATUS_OK);
  }
  struct json_value root;
  struct sentry_event event;
  struct grouping_result result;
  struct arena arena;
  arena_init(&arena, ARENA_BYTES);
  ASSERT(json_parse(parser, document, &root, NULL) == STATUS_OK);
  if (sentry_event_parse(root, &arena, &event, NULL) == STATUS_OK) {
    ASSERT(event.message_formatted.len > 0 && event.type.len > 0);
    if (grouping_compute(config, &event, &arena, &result) == STATUS_OK) ASSERT(result.title.len > 0);
  }
  arena_finish(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const struct sentry_report_source source = {.release = SLICE_LITERAL("1.0"), .user_agent = SLICE_LITERAL("\xff\"")};
  struct json_parser *parser = json_parser_create(BYTES_MAX), *second = json_parser_create(BYTES_MAX);
  struct buffer scratch, out;
  struct json_value root;
  struct error error = {""};
  buffer_init(&scratch, BYTES_MAX);
  buffer_init(&out, BYTES_MAX);
  if (size <= SENTRY_REPORT_BYTES_MAX &&
      sentry_json_parse(parser, slice_make(data, size), &scratch, &root, NULL) == STATUS_OK) {
    enum status status = sentry_report_write(root, &source, &out, &error);
    ASSERT(status == STATUS_OK || (status == STATUS_INVALID && error.text[0] != 0));
    if (status == STATUS_OK) check_event(second, buffer_slice(&out));
  }
  buffer_finish(&scratch);
  buffer_finish(&out);
  json_parser_destroy(parser);
  json_parser_destroy(second);
  return 0;
}
