// SPDX-License-Identifier: Apache-2.0
//
// Any text as stack-trace rules (up to a line "===") and fingerprint rules (behind it): either both are understood and
// an event can be grouped with them, or an error says what is wrong. grouping_check finds a fault exactly when the text
// cannot be used, and says where.
#include <string.h>

#include "processor/grouping.h"
#include "processor/grouping_check.h"

#define FRAMES 70 // more than one word of a set

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void on_effect(void *context, const struct grouping_effect *effect) {
  (void)context;
  ASSERT(effect->action.len > 0 && effect->rule.len > 0 && effect->line > 0);
}

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
  const struct grouping_watcher watcher = {.on_effect = on_effect};
  ASSERT(grouping_compute_watched(config, &event, &arena, &watcher, &result) == STATUS_OK);
  uint32_t contributing = 0;
  for (uint32_t i = 0; i < result.variant_count; i++) {
    contributing += result.variants[i].contributes;
    ASSERT(strlen(result.variants[i].hash) == (result.variants[i].contributes ? 32 : 0));
  }
  ASSERT(contributing > 0);
  for (uint32_t i = 0; i < FRAMES; i++) ASSERT(frames[i].in_app != SENTRY_IN_APP_UNSET);
  arena_finish(&arena);
}

struct faults {
  struct slice text;
  uint32_t count, line;
};

static void on_fault(void *context, const struct grouping_check_fault *fault) {
  struct faults *faults = context;
  ASSERT(fault->text[0] != '\0');
  ASSERT(fault->line == 0 || (fault->line > faults->line && fault->line <= faults->text.len && fault->column > 0));
  ASSERT(fault->column <= faults->text.len + 1);
  faults->line = fault->line;
  faults->count++;
}

static void check(enum grouping_check_kind kind, struct slice text) {
  struct grouping_config_options options = {0};
  if (kind == GROUPING_CHECK_STACK) options.enhancements = text;
  if (kind == GROUPING_CHECK_FINGERPRINT) options.fingerprinting = text;
  struct faults faults = {.text = text};
  struct grouping_config *config = NULL;
  enum status checked = grouping_check(kind, text, UINT32_MAX, on_fault, &faults, NULL);
  enum status created = grouping_config_create(&options, &config, NULL);
  ASSERT((checked == STATUS_OK) == (created == STATUS_OK));
  ASSERT((checked == STATUS_OK) == (faults.count == 0));
  grouping_config_destroy(config);
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
  check(GROUPING_CHECK_STACK, options.enhancements);
  check(GROUPING_CHECK_FINGERPRINT, options.fingerprinting);
  return 0;
}
