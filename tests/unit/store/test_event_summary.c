// SPDX-License-Identifier: Apache-2.0
#include "store/event_summary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_what_was_written_is_read(void **state) {
  (void)state;
  char long_text[2000];
  memset(long_text, 'x', sizeof long_text);
  const struct issue_hash hashes[] = {{.bytes = {1, 2}, .algorithm = "newstyle", .variant = "app"},
                                      {.bytes = {3}, .algorithm = "newstyle", .variant = "system"}};
  const struct issue_tag tags[] = {{SLICE_LITERAL("region"), SLICE_LITERAL("eu")}};
  const struct issue_event event = {.event_id = {9, 8, 7},
                                    .source = ISSUE_SOURCE_SDK,
                                    .timestamp_ns = 17,
                                    .duplicate_key = 18,
                                    .trace_id = SLICE_LITERAL("0123456789abcdef"),
                                    .span_id = SLICE_LITERAL("01234567"),
                                    .title = slice_make(long_text, sizeof long_text),
                                    .type = SLICE_LITERAL("KeyError"),
                                    .release = SLICE_LITERAL("shop@1"),
                                    .hashes = hashes,
                                    .hash_count = 2,
                                    .past_hashes = &hashes[1],
                                    .past_hash_count = 1,
                                    .has_outline = true,
                                    .outline = {5, 6},
                                    .outline_of_other_side = {5, 7},
                                    .tags = tags,
                                    .tag_count = 1};
  struct buffer out;
  buffer_init(&out, 1 << 16);
  assert_int_equal(event_summary_encode(&event, &out), STATUS_OK);
  struct event_summary summary;
  assert_int_equal(event_summary_decode(buffer_slice(&out), &summary), STATUS_OK);
  const struct issue_event *read = &summary.event;
  assert_memory_equal(read->event_id, event.event_id, sizeof event.event_id);
  assert_int_equal(read->source, ISSUE_SOURCE_SDK);
  assert_int_equal(read->timestamp_ns, 17);
  assert_int_equal(read->duplicate_key, 18);
  assert_true(slice_equal(read->trace_id, event.trace_id));
  assert_true(slice_equal(read->span_id, event.span_id));
  assert_int_equal(read->title.len, ISSUE_TITLE_BYTES_MAX);
  assert_true(slice_equal_cstr(read->type, "KeyError"));
  assert_int_equal(read->environment.len, 0);
  assert_true(slice_equal_cstr(read->release, "shop@1"));
  assert_int_equal(read->hash_count, 2);
  assert_string_equal(read->hashes[1].variant, "system");
  assert_memory_equal(read->hashes[0].bytes, hashes[0].bytes, ISSUE_HASH_BYTES);
  assert_true(read->has_outline);
  assert_memory_equal(read->outline, event.outline, ISSUE_HASH_BYTES);
  assert_memory_equal(read->outline_of_other_side, event.outline_of_other_side, ISSUE_HASH_BYTES);
  assert_int_equal(read->past_hash_count, 1);
  assert_string_equal(read->past_hashes[0].variant, "system");
  assert_memory_equal(read->past_hashes[0].bytes, hashes[1].bytes, ISSUE_HASH_BYTES);
  assert_int_equal(read->tag_count, 1);
  assert_true(slice_equal_cstr(read->tags[0].value, "eu"));
  buffer_finish(&out);
}

// Any bytes are answered, and nothing outside of them is read (the address sanitizer looks).
static void test_any_bytes(void **state) {
  (void)state;
  const struct issue_hash hash = {.bytes = {1}, .algorithm = "a", .variant = "v"};
  const struct issue_tag tag = {SLICE_LITERAL("k"), SLICE_LITERAL("v")};
  const struct issue_event event = {.source = ISSUE_SOURCE_LOG,
                                    .title = SLICE_LITERAL("t"),
                                    .hashes = &hash,
                                    .hash_count = 1,
                                    .tags = &tag,
                                    .tag_count = 1};
  struct buffer out;
  buffer_init(&out, 4096);
  assert_int_equal(event_summary_encode(&event, &out), STATUS_OK);
  static struct event_summary summary;
  for (size_t len = 0; len < out.len; len++) {
    uint8_t *cut = malloc(len + 1);
    memcpy(cut, out.ptr, len);
    assert_int_equal(event_summary_decode(slice_make(cut, len), &summary), STATUS_CORRUPT);
    free(cut);
  }
  for (size_t at = 0; at < out.len; at++) {
    for (unsigned value = 0; value < 256; value += 5) {
      uint8_t *changed = malloc(out.len);
      memcpy(changed, out.ptr, out.len);
      changed[at] = (uint8_t)value;
      enum status status = event_summary_decode(slice_make(changed, out.len), &summary);
      assert_true(status == STATUS_OK || status == STATUS_CORRUPT);
      free(changed);
    }
  }
  assert_int_equal(event_summary_decode(buffer_slice(&out), &summary), STATUS_OK);
  buffer_finish(&out);
}

static void test_a_full_buffer_is_said(void **state) {
  (void)state;
  const struct issue_hash hash = {.algorithm = "a", .variant = "v"};
  const struct issue_event event = {.source = ISSUE_SOURCE_SDK, .hashes = &hash, .hash_count = 1};
  struct buffer out;
  buffer_init(&out, 50);
  assert_int_equal(event_summary_encode(&event, &out), STATUS_TOO_LARGE);
  buffer_finish(&out);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_was_written_is_read),
      cmocka_unit_test(test_any_bytes),
      cmocka_unit_test(test_a_full_buffer_is_said),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
