// SPDX-License-Identifier: Apache-2.0
//
// What must hold for any text as message or function name: an answer within memory in proportion to the text, only
// "<kind>" put in where something was taken out, and the same answer twice.
#include <string.h>

#include "processor/grouping.h"
#include "processor/grouping_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_function(struct slice text, const char *platform, struct arena *arena) {
  struct slice trimmed = grouping_trim_function(text, slice_from_cstr(platform), arena);
  ASSERT(trimmed.len <= 4 * text.len + 64);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct arena arena;
  struct slice text = slice_make(data, size);
  arena_init(&arena, 64 * size + (1u << 20));
  struct slice once = grouping_parameterize(text, &arena), again = grouping_parameterize(text, &arena);
  ASSERT(slice_equal(once, again));
  if (once.len != text.len) ASSERT(slice_find_byte(once, '<') < once.len);
  struct slice normalised = grouping_message_normalise(text, true, &arena);
  ASSERT(normalised.len <= 12 * size + 12);
  static const char *const platforms[] = {"native", "csharp", "python"};
  for (size_t i = 0; i < sizeof(platforms) / sizeof(platforms[0]); i++) check_function(text, platforms[i], &arena);
  ASSERT(!arena_exhausted(&arena));
  arena_finish(&arena);
  return 0;
}
