// SPDX-License-Identifier: Apache-2.0
//
// What is written of items is read back the same; what was not written by us is refused with words.
#include "proto/sentry_item.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define ID "9ec79c33ec9942ab8353589fcb2e04dc"

static enum status read_all(struct slice body, struct sentry_item *out_items, uint32_t *out_count,
                            struct json_parser *parser, struct error *error) {
  struct sentry_item_reader reader;
  enum status status = sentry_item_open(&reader, parser, body, error);
  *out_count = 0;
  while (status == STATUS_OK) {
    status = sentry_item_next(&reader, &out_items[*out_count], error);
    if (status == STATUS_OK) ++*out_count;
  }
  return status;
}

static void assert_text(struct slice text, const char *expected) {
  if (!slice_equal_cstr(text, expected)) fail_msg("\"%.*s\" is not \"%s\"", SLICE_PRINTF(text), expected);
}

static void test_every_kind_comes_back(void **state) {
  (void)state;
  struct buffer body;
  buffer_init(&body, 1 << 20);
  static const uint8_t bytes[] = {0, '\n', '{', '}', '\n', 0xff};
  sentry_item_write(&body, &(struct sentry_item){.kind = SENTRY_ITEM_ATTACHMENT,
                                                 .attachment = {.event_id = ID,
                                                                .filename = SLICE_LITERAL("a \"b\"\n.txt"),
                                                                .content_type = SLICE_LITERAL("text/plain"),
                                                                .attachment_type = SLICE_LITERAL("event.attachment"),
                                                                .bytes = sizeof bytes,
                                                                .scrubbed = true,
                                                                .data = slice_make(bytes, sizeof bytes)}});
  sentry_item_write(&body, &(struct sentry_item){.kind = SENTRY_ITEM_FEEDBACK,
                                                 .feedback = {.id = ID,
                                                              .event_id = ID,
                                                              .is_report = true,
                                                              .time_ns = UINT64_C(1795253400123456789),
                                                              .name = SLICE_LITERAL("Al"),
                                                              .email = SLICE_LITERAL("a@b.example"),
                                                              .message = SLICE_LITERAL("oh\n\xc3\xa9"),
                                                              .url = SLICE_LITERAL("http://x.example/")}});
  sentry_item_write(&body, &(struct sentry_item){.kind = SENTRY_ITEM_DISCARDED,
                                                 .discarded = {.reason = SLICE_LITERAL("before_send"),
                                                               .category = SLICE_LITERAL("error"),
                                                               .quantity = 7}});
  struct json_parser *parser = json_parser_create(SENTRY_ENVELOPE_HEADER_BYTES_MAX);
  struct sentry_item_reader reader;
  struct sentry_item item;
  assert_int_equal(sentry_item_open(&reader, parser, buffer_slice(&body), NULL), STATUS_OK);
  assert_int_equal(sentry_item_next(&reader, &item, NULL), STATUS_OK);
  assert_int_equal(item.kind, SENTRY_ITEM_ATTACHMENT);
  assert_string_equal(item.attachment.event_id, ID);
  assert_text(item.attachment.filename, "a \"b\"\n.txt");
  assert_text(item.attachment.content_type, "text/plain");
  assert_text(item.attachment.attachment_type, "event.attachment");
  assert_int_equal(item.attachment.bytes, sizeof bytes);
  assert_true(slice_equal(item.attachment.data, slice_make(bytes, sizeof bytes)));
  assert_int_equal(item.attachment.reason.len, 0);
  assert_true(item.attachment.scrubbed);
  assert_int_equal(sentry_item_next(&reader, &item, NULL), STATUS_OK);
  assert_int_equal(item.kind, SENTRY_ITEM_FEEDBACK);
  assert_string_equal(item.feedback.id, ID);
  assert_string_equal(item.feedback.event_id, ID);
  assert_true(item.feedback.is_report);
  assert_true(item.feedback.time_ns == UINT64_C(1795253400123456789));
  assert_text(item.feedback.name, "Al");
  assert_text(item.feedback.email, "a@b.example");
  assert_text(item.feedback.message, "oh\n\xc3\xa9");
  assert_text(item.feedback.url, "http://x.example/");
  assert_int_equal(sentry_item_next(&reader, &item, NULL), STATUS_OK);
  assert_int_equal(item.kind, SENTRY_ITEM_DISCARDED);
  assert_text(item.discarded.reason, "before_send");
  assert_text(item.discarded.category, "error");
  assert_int_equal(item.discarded.quantity, 7);
  assert_int_equal(sentry_item_next(&reader, &item, NULL), STATUS_END);
  json_parser_destroy(parser);
  buffer_finish(&body);
}

// The longest texts there may be, of characters that take the most room when escaped.
static void test_the_longest_header_can_be_read(void **state) {
  (void)state;
  static uint8_t text[4 * SENTRY_FEEDBACK_MESSAGE_MAX];
  memset(text, 1, sizeof text);
  struct sentry_item item = {.kind = SENTRY_ITEM_FEEDBACK,
                             .feedback = {.id = ID,
                                          .name = slice_make(text, SENTRY_FEEDBACK_NAME_MAX),
                                          .email = slice_make(text, SENTRY_FEEDBACK_EMAIL_MAX),
                                          .message = slice_make(text, SENTRY_FEEDBACK_MESSAGE_MAX),
                                          .url = slice_make(text, SENTRY_FEEDBACK_URL_MAX)}};
  struct buffer body;
  buffer_init(&body, 1 << 20);
  sentry_item_write(&body, &item);
  struct json_parser *parser = json_parser_create(SENTRY_ENVELOPE_HEADER_BYTES_MAX);
  struct sentry_item items[2];
  struct error error = {""};
  uint32_t count;
  assert_int_equal(read_all(buffer_slice(&body), items, &count, parser, &error), STATUS_END);
  assert_int_equal(count, 1);
  // A name that is cut is not cut inside a character.
  memset(text, 0xc3, sizeof text);
  for (size_t i = 1; i < sizeof text; i += 2) text[i] = 0xa9;
  item = (struct sentry_item){.kind = SENTRY_ITEM_ATTACHMENT,
                              .attachment = {.event_id = ID, .filename = slice_make(text, 1000)}};
  buffer_clear(&body);
  sentry_item_write(&body, &item);
  assert_int_equal(read_all(buffer_slice(&body), items, &count, parser, &error), STATUS_END);
  assert_int_equal(items[0].attachment.filename.len, SENTRY_ITEM_FILENAME_MAX - 1);
  json_parser_destroy(parser);
  buffer_finish(&body);
}

static void test_kinds_of_later_versions_are_passed_over(void **state) {
  (void)state;
  static const char body[] =
      "{\"later\":1}\n{\"type\":\"later\",\"length\":3}\n\n\n\n\n"
      "{\"type\":\"discarded\",\"length\":0,\"reason\":\"r\",\"category\":\"c\",\"quantity\":1}\n\n";
  struct json_parser *parser = json_parser_create(SENTRY_ENVELOPE_HEADER_BYTES_MAX);
  struct sentry_item items[2];
  struct error error = {""};
  uint32_t count;
  assert_int_equal(read_all(SLICE_LITERAL(body), items, &count, parser, &error), STATUS_END);
  assert_int_equal(count, 1);
  json_parser_destroy(parser);
}

static void test_faults_have_words(void **state) {
  (void)state;
  static const char *const bodies[] = {
      "{}\n{\"type\":\"attachment\",\"length\":1,\"event_id\":\"zz\",\"bytes\":1}\na\n",
      "{}\n{\"type\":\"attachment\",\"length\":1,\"event_id\":\"" ID "\",\"bytes\":2}\na\n",
      "{}\n{\"type\":\"attachment\",\"length\":1,\"event_id\":\"" ID "\",\"bytes\":1,\"reason\":\"r\"}\na\n",
      "{}\n{\"type\":\"feedback\",\"length\":0,\"id\":\"" ID "\"}\n\n",
      "{}\n{\"type\":\"feedback\",\"length\":0,\"message\":\"m\"}\n\n",
      "{}\n{\"type\":\"feedback\",\"length\":0,\"id\":\"" ID "\",\"message\":\"m\",\"event_id\":\"1\"}\n\n",
      "{}\n{\"type\":\"feedback\",\"length\":0,\"id\":\"" ID "\",\"message\":\"m\",\"time_ns\":\"-1\"}\n\n",
      "{}\n{\"type\":\"discarded\",\"length\":0,\"reason\":\"r\",\"quantity\":1}\n\n",
      "{}\n{\"type\":\"discarded\",\"length\":9}\n",
  };
  struct json_parser *parser = json_parser_create(SENTRY_ENVELOPE_HEADER_BYTES_MAX);
  for (size_t i = 0; i < sizeof bodies / sizeof bodies[0]; i++) {
    struct sentry_item items[2];
    struct error error = {""};
    uint32_t count;
    assert_int_equal(read_all(slice_from_cstr(bodies[i]), items, &count, parser, &error), STATUS_INVALID);
    assert_string_not_equal(error.text, "");
  }
  json_parser_destroy(parser);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_kind_comes_back),
      cmocka_unit_test(test_the_longest_header_can_be_read),
      cmocka_unit_test(test_kinds_of_later_versions_are_passed_over),
      cmocka_unit_test(test_faults_have_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
