// SPDX-License-Identifier: Apache-2.0
//
// Any text as stack-trace rules (up to a line "===") and fingerprint rules (behind it): either both are understood and
// an event can be grouped with them, or an error says what is wrong.
#include <string.h>

#include "processor/grouping.h"

#define FRAMES 70 // more than one word of a set

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void group(const struct grouping_config *config) {
  static const char *const names[] = {"std::vector<int>::push_back(int)", "main", "a", "", "-[Foo bar]"};
  static const char *const platforms[] = {"native", "python", "javascript", "java"};
  struct sentry_frame frames[FRAMES] = {0};
  for (uint32_t i = 0; i < FRAMES; i++) {
    frames[i].function = slice_from_cstr(names[i % 5]);
    frames[i].platform = slice_from_cstr(platforms[i % 4]);
    frames[i].module = i % 3 == 0 ? SLICE_LITERAL("com.example.A") : (struct slice){0};
    frames[i].abs_path = i % 2 == 0 ? SLICE_LITERAL("/usr/lib/x.so") : SLICE_LITERAL("a\\B.py");
    frames[i].package = i % 7 == 0 ? SLICE_LITERAL("C:\\Windows\\y.dll") : (struct slice){0};
    frames[i].line = i;
  }
  struct sentry_exception exception = {.type = SLICE_LITERAL("T"),
                                       .value = SLICE_LITERAL("v 1"),
                                       .stacktrace = {.frames = frames, .frame_count = FRAMES}};
  struct sentry_event event = {.platform = SLICE_LITERAL("python"), .exceptions = &exception, .exception_count = 1};
  struct arena arena;
  struct grouping_result result;
  arena_init(&arena, 64u << 20);
  ASSERT(grouping_compute(config, &event, &arena, &result) == STATUS_OK);
  uint32_t contributing = 0;
  for (uint32_t i = 0; i < result.variant_count; i++) {
    contributing += result.variants[i].contributes;
    ASSERT(strlen(result.variants[i].hash) == (result.variants[i].contributes ? 32 : 0));
  }
  ASSERT(contributing > 0);
  for (uint32_t i = 0; i < FRAMES; i++) ASSERT(frames[i].in_app != SENTRY_IN_APP_UNSET);
  arena_finish(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice text = slice_make(data, size);
  size_t middle = slice_find(text, SLICE_LITERAL("\n===\n"));
  if (middle > size) middle = size;
  struct grouping_config_options options = {.enhancements = slice_sub(text, 0, middle),
                                            .fingerprinting = slice_skip(text, middle + 5),
                                            .without_builtin = true};
  struct grouping_config *config = NULL;
  struct error error = {{0}};
  if (grouping_config_create(&options, &config, &error) == STATUS_OK) {
    group(config);
  } else {
    ASSERT(error.text[0] != '\0');
  }
  grouping_config_destroy(config);
  return 0;
}
