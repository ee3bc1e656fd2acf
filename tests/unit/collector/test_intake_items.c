// SPDX-License-Identifier: Apache-2.0
//
// Attachments can be many megabytes: they are written anew only where something changes.
#include "collector/intake_items.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/sentry_item.h"

static void write_items(struct buffer *out, const char *filename) {
  struct sentry_item attachment = {.kind = SENTRY_ITEM_ATTACHMENT,
                                   .attachment = {.event_id = "9ec79c33ec9942ab8353589fcb2e04dc",
                                                  .filename = slice_from_cstr(filename),
                                                  .data = SLICE_LITERAL("the mail is me@people.example")}};
  struct sentry_item feedback = {.kind = SENTRY_ITEM_FEEDBACK,
                                 .feedback = {.id = "9ec79c33ec9942ab8353589fcb2e04dc",
                                              .name = SLICE_LITERAL("Al"),
                                              .message = SLICE_LITERAL("it is slow")}};
  attachment.attachment.bytes = attachment.attachment.data.len;
  sentry_item_write(out, &feedback);
  sentry_item_write(out, &attachment);
  assert_false(out->failed);
}

// What came back for items with this file name; true when it is what went in, and nothing was written.
static bool stays(const struct scrub *scrub, const char *filename) {
  struct buffer body, out, expected;
  struct slice result;
  uint32_t items = 0;
  struct error error = {""};
  buffer_init(&body, 1 << 20);
  buffer_init(&out, 1 << 20);
  buffer_init(&expected, 1 << 20);
  write_items(&body, filename);
  assert_int_equal(intake_items_scrub(scrub, buffer_slice(&body), &out, &result, &items, &error), STATUS_OK);
  assert_int_equal(items, 2);
  bool same = result.ptr == body.ptr;
  if (same) {
    assert_int_equal(out.len, 0);
    assert_int_equal(result.len, body.len);
  } else {
    write_items(&expected, "[email]");
    assert_true(slice_equal(result, buffer_slice(&expected)));
  }
  buffer_finish(&body);
  buffer_finish(&out);
  buffer_finish(&expected);
  return same;
}

static void test_nothing_is_written_where_nothing_changes(void **state) {
  (void)state;
  const struct scrub_options on = {.enabled = true, .defaults = true}, off = {.enabled = false, .defaults = true};
  struct scrub *scrub = scrub_create(&on), *idle = scrub_create(&off);
  assert_true(stays(NULL, "me@people.example"));
  assert_true(stays(idle, "me@people.example"));
  assert_true(stays(scrub, "a.txt"));
  assert_false(stays(scrub, "me@people.example"));
  scrub_destroy(scrub);
  scrub_destroy(idle);
}

static void test_too_large_is_said(void **state) {
  (void)state;
  const struct scrub_options on = {.enabled = true, .defaults = true};
  struct scrub *scrub = scrub_create(&on);
  struct buffer body, out;
  struct slice result = {0};
  uint32_t items = 7;
  struct error error = {""};
  buffer_init(&body, 1 << 20);
  buffer_init(&out, 16);
  write_items(&body, "me@people.example");
  assert_int_equal(intake_items_scrub(scrub, buffer_slice(&body), &out, &result, &items, &error), STATUS_TOO_LARGE);
  assert_null(result.ptr); // outputs are untouched
  assert_int_equal(items, 7);
  buffer_finish(&body);
  buffer_finish(&out);
  scrub_destroy(scrub);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nothing_is_written_where_nothing_changes),
      cmocka_unit_test(test_too_large_is_said),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
