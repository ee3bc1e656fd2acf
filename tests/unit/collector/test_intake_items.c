// SPDX-License-Identifier: Apache-2.0
//
// Attachments can be many megabytes: they are written anew only where something changes.
#include "collector/intake_items.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/sentry_item.h"

// The data are text by their bytes, but the type says that they are not.
static void write_items(struct buffer *out, const char *filename) {
  struct sentry_item attachment = {.kind = SENTRY_ITEM_ATTACHMENT,
                                   .attachment = {.event_id = "9ec79c33ec9942ab8353589fcb2e04dc",
                                                  .filename = slice_from_cstr(filename),
                                                  .content_type = SLICE_LITERAL("image/png"),
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

struct attached {
  const char *type, *data, *kept;
};

// Attachments that are text come back without their secrets, as long as they are then, and marked; others as they were.
static void test_text_is_scrubbed(void **state) {
  (void)state;
  static const struct attached cases[] = {
      {"text/plain", "one\npassword: hunter2\n", "one\npassword: [Filtered]\n"},
      {"text/plain", "one\ntwo\n", "one\ntwo\n"},
      {"application/json", "{\"token\": \"x\"}", "{\"token\":\"[Filtered]\"}"},
      {"image/png", "password: hunter2\n", "password: hunter2\n"},
      {"application/octet-stream", "password: hunter2\n\x01\x02", "password: hunter2\n\x01\x02"},
      {NULL, "mail joe@people.example", "mail [email]"},
  };
  const uint32_t count = sizeof cases / sizeof cases[0];
  struct scrub *scrub = scrub_create(&(struct scrub_options){.enabled = true, .defaults = true});
  struct json_parser *parser = json_parser_create(SENTRY_ENVELOPE_HEADER_BYTES_MAX);
  struct buffer body, out;
  buffer_init(&body, 1 << 20);
  buffer_init(&out, 1 << 20);
  for (uint32_t i = 0; i < count; i++) {
    struct sentry_item item = {.kind = SENTRY_ITEM_ATTACHMENT,
                               .attachment = {.event_id = "9ec79c33ec9942ab8353589fcb2e04dc",
                                              .content_type = slice_from_cstr(cases[i].type),
                                              .bytes = strlen(cases[i].data),
                                              .data = slice_from_cstr(cases[i].data)}};
    sentry_item_write(&body, &item);
  }
  struct slice result;
  uint32_t items = 0;
  struct error error = {""};
  struct sentry_item_reader reader;
  struct sentry_item item;
  assert_int_equal(intake_items_scrub(scrub, buffer_slice(&body), &out, &result, &items, &error), STATUS_OK);
  assert_int_equal(items, count);
  assert_int_equal(sentry_item_open(&reader, parser, result, &error), STATUS_OK);
  for (uint32_t i = 0; i < count; i++) {
    assert_int_equal(sentry_item_next(&reader, &item, &error), STATUS_OK);
    if (!slice_equal_cstr(item.attachment.data, cases[i].kept))
      fail_msg("%.*s, not %s", SLICE_PRINTF(item.attachment.data), cases[i].kept);
    assert_int_equal(item.attachment.bytes, strlen(cases[i].kept));
    assert_int_equal(item.attachment.scrubbed, strcmp(cases[i].data, cases[i].kept) != 0);
  }
  buffer_finish(&body);
  buffer_finish(&out);
  json_parser_destroy(parser);
  scrub_destroy(scrub);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_nothing_is_written_where_nothing_changes),
      cmocka_unit_test(test_too_large_is_said),
      cmocka_unit_test(test_text_is_scrubbed),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
