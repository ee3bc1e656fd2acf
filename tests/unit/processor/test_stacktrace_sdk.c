// SPDX-License-Identifier: Apache-2.0
//
// One error, told twice: sdk/<language>_<case>.json is the event the language's Sentry SDK made of it, the .txt beside
// it the stack trace as the language prints it (what OpenTelemetry carries), from the same run. Both must belong to one
// issue. Made with sentry-sdk 2.75.0 (Python), @sentry/node 9.47.2, io.sentry:sentry 8.13.2 (Java) and sentry-go 0.50.0
// from golden/programs.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <dirent.h>

#include "grouping_events.h"
#include "processor/stacktrace/stacktrace.h"

#define FOLDER          SOURCE_DIRECTORY "/tests/unit/processor/sdk"
#define FILE_BYTES_MAX  (1u << 20)
#define ARENA_BYTES_MAX (64u << 20)

static char *read_file(const char *name) {
  char path[2048];
  snprintf(path, sizeof(path), FOLDER "/%s", name);
  FILE *file = fopen(path, "rb");
  assert_non_null(file);
  char *text = calloc(1, FILE_BYTES_MAX);
  assert_non_null(text);
  assert_true(fread(text, 1, FILE_BYTES_MAX - 1, file) > 0);
  fclose(file);
  return text;
}

// Events are of one issue when they share any hash.
static bool share_a_hash(const struct grouping_result *a, const struct grouping_result *b) {
  for (uint32_t i = 0; i < a->variant_count; i++) {
    for (uint32_t j = 0; j < b->variant_count; j++) {
      const char *hash = a->variants[i].hash;
      if (hash[0] != 0 && strcmp(hash, b->variants[j].hash) == 0) return true;
    }
  }
  return false;
}

static void print_variants(const char *what, const struct grouping_result *result) {
  struct buffer text;
  buffer_init(&text, 4u << 20);
  struct json_writer writer;
  json_writer_init(&writer, &text);
  grouping_write_variants(result, &writer);
  print_error("  %s: %.*s\n", what, (int)text.len, (const char *)text.ptr);
  buffer_finish(&text);
}

static bool check(const char *name) {
  char sdk_name[512], language[64];
  snprintf(sdk_name, sizeof(sdk_name), "%.*s.json", (int)(strlen(name) - strlen(".txt")), name);
  snprintf(language, sizeof(language), "%.*s", (int)strcspn(name, "_"), name);
  char *text = read_file(name), *json = read_file(sdk_name);

  struct grouping_run sdk = {0};
  grouping_run_start(&sdk);
  grouping_run_with(&sdk, json, (struct grouping_config_options){0});

  struct arena arena;
  arena_init(&arena, ARENA_BYTES_MAX);
  struct sentry_event event = {0};
  const char *platform = NULL;
  assert_int_equal(stacktrace_parse(slice_from_cstr(language), slice_from_cstr(text), (struct slice){0},
                                    (struct slice){0}, &arena, &event.exceptions, &event.exception_count, &platform),
                   STATUS_OK);
  event.platform = slice_from_cstr(platform);
  if (strcmp(language, "go") == 0) { // debug.Stack does not say it, OpenTelemetry's attributes do
    event.exceptions[event.exception_count - 1].type = sdk.event.exceptions[sdk.event.exception_count - 1].type;
  }
  struct grouping_config *config = NULL;
  struct grouping_result result;
  struct error error;
  assert_int_equal(grouping_config_create(&(struct grouping_config_options){0}, &config, &error), STATUS_OK);
  assert_int_equal(grouping_compute(config, &event, &arena, &result), STATUS_OK);
  bool same = share_a_hash(&sdk.result, &result);
  if (!same) {
    print_error("%s: two issues\n", name);
    print_variants("from the SDK ", &sdk.result);
    print_variants("from the text", &result);
  }
  grouping_config_destroy(config);
  arena_finish(&arena);
  grouping_run_finish(&sdk);
  free(text);
  free(json);
  return same;
}

static void the_text_meets_the_event_of_the_sdk(void **state) {
  (void)state;
  int files = 0, apart = 0;
  DIR *folder = opendir(FOLDER);
  assert_non_null(folder);
  for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
    const char *end = strrchr(entry->d_name, '.');
    if (end == NULL || strcmp(end, ".txt") != 0) continue;
    files++;
    apart += !check(entry->d_name);
  }
  closedir(folder);
  assert_true(files > 0);
  assert_int_equal(apart, 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(the_text_meets_the_event_of_the_sdk)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
