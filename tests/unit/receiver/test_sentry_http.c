// SPDX-License-Identifier: Apache-2.0
//
// The Sentry door on a real server, with requests written byte for byte, into a sink in memory.
#include "receiver/sentry_http.h"

#include <zlib.h>

#include "base/json.h"
#include "proto/sentry_item.h"
#include "tests/unit/receiver/sentry_http_fixture.h"

// ENVELOPE, made by brotli 1.0.9, quality 11.
static const uint8_t brotli_envelope[] = {0x1B, 0x50, 0x00, 0x08, 0x9C, 0x07, 0x76, 0x83, 0xDB, 0x05, 0xFA, 0xB0, 0x30,
                                          0xA7, 0x5B, 0x8B, 0xA1, 0x52, 0x21, 0x6D, 0x4F, 0xE7, 0x96, 0x3A, 0x21, 0x39,
                                          0x0E, 0x93, 0xB7, 0xE4, 0xE4, 0x62, 0xE9, 0xF4, 0x85, 0x08, 0x38, 0xE4, 0xC0,
                                          0xE1, 0xCB, 0xDB, 0x8A, 0x02, 0xC7, 0xC0, 0x43, 0x56, 0xD2, 0x1F, 0x98, 0x28,
                                          0x17, 0xCF, 0xD3, 0x33, 0x1C, 0x6D, 0x0A, 0x18, 0x91, 0xE1, 0xB7, 0x0B, 0x89,
                                          0x2C, 0x7E, 0xB5, 0xCF, 0x8A, 0x27, 0xEB, 0x5F, 0x95, 0x23, 0x5A, 0x1A, 0x2C};

static void assert_stored(struct fixture *f, const char *part) {
  char text[4096];
  snprintf(text, sizeof(text), "%.*s", (int)f->sink.of_kind[JOURNAL_EVENTS].len,
           (const char *)f->sink.of_kind[JOURNAL_EVENTS].ptr);
  assert_contains(text, part);
}

static uint64_t items(struct fixture *f, const char *type, const char *outcome) {
  char labels[100];
  snprintf(labels, sizeof(labels), "type=\"%s\",outcome=\"%s\"", type, outcome);
  return metrics_get(metrics_series(f->metrics, METRICS_COUNTER, "culprit_sentry_items_total", labels, ""));
}

static void test_an_event_is_taken_and_named(void **state) {
  struct fixture *f = *state;
  assert_int_equal(post(f, "/api/3/envelope/", AUTH, ENVELOPE), 200);
  assert_string_equal(f->body, "{\"id\":\"" ID "\"}");
  assert_contains(f->reply, "Access-Control-Allow-Origin: *");
  assert_int_equal(f->sink.submits, 1);
  assert_int_equal(f->sink.kind, JOURNAL_EVENTS);
  assert_int_equal(f->sink.project, 3);
  assert_stored(f, "{\"event_id\":\"" ID "\",\"project\":3,\"message\":\"m\"}");
  assert_int_equal(f->sink.parsed_events, 1);
  assert_int_equal(items(f, "event", "accepted"), 1);
  struct metrics_value *bytes =
      metrics_series(f->metrics, METRICS_COUNTER, "culprit_sentry_received_bytes_total", "", "");
  assert_int_equal(metrics_get(bytes), strlen(ENVELOPE));
}

// What says more than an id and the time of receipt is written as a document.
static void test_an_event_that_changes_is_written(void **state) {
  struct fixture *f = *state;
  static const char old[] = "{\"event_id\":\"" ID "\"}\n{\"type\":\"event\"}\n{\"timestamp\":1,\"message\":\"m\"}";
  assert_int_equal(post(f, "/api/3/envelope/", AUTH, old), 200);
  assert_stored(f, "{\"event_id\":\"" ID "\",\"project\":3,\"received\":\"2026-11-21T09:30:00.000000000Z\","
                   "\"errors\":[{\"type\":\"past_timestamp\",\"name\":\"timestamp\"}],"
                   "\"timestamp\":\"2026-11-21T09:30:00.000000000Z\",\"timestamp\":1,\"message\":\"m\"}");
  assert_int_equal(f->sink.parsed_events, 0);
}

// An event stays as it is while other items of its envelope are read.
static void test_an_event_outlives_what_follows_it(void **state) {
  struct fixture *f = *state;
  static const char both[] = "{\"event_id\":\"" ID "\"}\n{\"type\":\"event\"}\n{\"message\":\"m\"}\n"
                             "{\"type\":\"client_report\"}\n{\"discarded_events\":[{\"reason\":\"x\",\"category\":"
                             "\"error\",\"quantity\":2}]}";
  assert_int_equal(post(f, "/api/3/envelope/", AUTH, both), 200);
  assert_stored(f, "{\"event_id\":\"" ID "\",\"project\":3,\"message\":\"m\"}");
  assert_int_equal(f->sink.parsed_events, 1);
  assert_int_equal(items(f, "client_report", "accepted"), 1);
}

static void test_slashes_do_not_matter(void **state) {
  struct fixture *f = *state;
  static const char *const paths[] = {"/api/3/envelope", "/api//3//envelope//", "//api/3/envelope/"};
  for (size_t i = 0; i < 3; i++) assert_int_equal(post(f, paths[i], AUTH, ENVELOPE), 200);
}

static void test_keys_are_taken_from_everywhere_if_they_agree(void **state) {
  struct fixture *f = *state;
  assert_int_equal(post(f, "/api/3/envelope/?sentry_version=7&sentry_key=" KEY, "", ENVELOPE), 200);
  assert_int_equal(post(f, "/api/3/envelope/", "Authorization: sentry sentry_key=" KEY "\r\n", ENVELOPE), 200);
  assert_int_equal(post(f, "/api/3/envelope/?sentry_key=" KEY, AUTH, ENVELOPE), 200);
  assert_int_equal(post(f, "/api/3/envelope/", "", "{\"dsn\":\"http://" KEY "@h/3\"}\n{\"type\":\"event\"}\n{}"), 200);
  assert_int_equal(post(f, "/api/3/envelope/?sentry_key=" OTHER_KEY, AUTH, ENVELOPE), 401);
  assert_contains(f->body, "\"causes\":[\"query: another sentry_key");
  assert_int_equal(f->sink.submits, 4);
}

static void test_wrong_keys_are_refused_with_the_reason(void **state) {
  struct fixture *f = *state;
  assert_int_equal(post(f, "/api/3/envelope/", "", ENVELOPE), 401);
  assert_contains(f->body, "{\"detail\":\"missing or bad authentication\",\"causes\":[\"no sentry_key in");
  assert_contains(f->reply, "Access-Control-Allow-Origin: *");
  assert_int_equal(post(f, "/api/3/store/", "", EVENT), 401);
  assert_int_equal(post(f, "/api/3/envelope/", "X-Sentry-Auth: Sentry sentry_version=7\r\n", ENVELOPE), 401);
  assert_int_equal(post(f, "/api/3/envelope/", "X-Sentry-Auth: Sentry sentry_key=abc\r\n", ENVELOPE), 403);
  assert_contains(f->body, "belongs to no project");
  assert_int_equal(post(f, "/api/4/envelope/", AUTH, ENVELOPE), 403);
  assert_contains(f->body, "another project than the path");
  assert_int_equal(post(f, "/api/x/envelope/", AUTH, ENVELOPE), 400);
  assert_int_equal(post(f, "/api/3/envelope/?sentry_version=8", AUTH, ENVELOPE), 400);
  assert_int_equal(post(f, "/api/3/envelope/", AUTH, "{\"dsn\":\"http://" KEY "@h/4\"}\n"), 403);
  assert_int_equal(post(f, "/api/3/envelope/", AUTH, "{\"dsn\":\"http://" OTHER_KEY "@h/3\"}\n"), 403);
  assert_int_equal(f->sink.submits, 0);
}

static void test_bodies_may_be_encoded(void **state) {
  struct fixture *f = *state;
  struct buffer packed;
  buffer_init(&packed, 1 << 20);
  compress_gzip(slice_from_cstr(ENVELOPE), &packed);
  assert_int_equal(ask(f, "POST", "/api/3/envelope/", AUTH "Content-Encoding: gzip\r\n", buffer_slice(&packed)), 200);
  buffer_clear(&packed);
  compress_zstd(slice_from_cstr(ENVELOPE), &packed);
  assert_int_equal(ask(f, "POST", "/api/3/envelope/", AUTH "Content-Encoding: zstd\r\n", buffer_slice(&packed)), 200);
  buffer_clear(&packed);
  uLongf deflated = compressBound(sizeof(ENVELOPE) - 1);
  uint8_t *place = buffer_reserve(&packed, deflated);
  assert_int_equal(compress2(place, &deflated, (const uint8_t *)ENVELOPE, sizeof(ENVELOPE) - 1, 6), Z_OK);
  struct slice zlib = slice_make(place, deflated);
  assert_int_equal(ask(f, "POST", "/api/3/envelope/", AUTH "Content-Encoding: deflate\r\n", zlib), 200);
  struct slice brotli = slice_make(brotli_envelope, sizeof(brotli_envelope));
  assert_int_equal(ask(f, "POST", "/api/3/envelope/", AUTH "Content-Encoding: br\r\n", brotli), 200);
  assert_int_equal(post(f, "/api/3/envelope/", AUTH "Content-Encoding: gzip\r\n", ENVELOPE), 400);
  assert_int_equal(post(f, "/api/3/envelope/", AUTH "Content-Encoding: lzma\r\n", ENVELOPE), 415);
  assert_int_equal(f->sink.submits, 4);
  buffer_finish(&packed);
}

static void test_chunked_bodies_are_taken(void **state) {
  struct fixture *f = *state;
  struct raw_http raw;
  raw_http_open(&raw, f->port);
  char text[1024];
  int len = snprintf(text, sizeof(text),
                     "POST /api/3/envelope/ HTTP/1.1\r\nHost: x\r\n" AUTH "Transfer-Encoding: chunked\r\n\r\n"
                     "%zx\r\n%s\r\n0\r\n\r\n",
                     sizeof(ENVELOPE) - 1, ENVELOPE);
  raw_http_send(&raw, text, (size_t)len);
  const char *reply, *start = NULL;
  assert_int_equal(raw_http_reply(&raw, &reply, &start), 200);
  raw_http_close(&raw);
  assert_int_equal(f->sink.submits, 1);
}

#define SPAN_TIMES "\"start_timestamp\":1795253300.5,\"timestamp\":1795253301.25"
#define MIXED                                                                                                          \
  "{\"event_id\":\"" ID                                                                                                \
  "\"}\n{\"type\":\"transaction\"}\n{\"type\":\"transaction\",\"transaction\":\"GET /cart\"," SPAN_TIMES               \
  ",\"contexts\":{\"trace\":{\"trace_id\":\"" TRACE "\",\"span_id\":\"00f067aa0ba902b7\"}}}\n"                         \
  "{\"type\":\"log\",\"item_count\":1}\n{\"items\":[{\"timestamp\":1795253300,\"level\":\"info\",\"body\":\"b\"}]}\n"  \
  "{\"type\":\"span\"}\nnot json\n{\"type\":\"session\"}\n{}\n{\"type\":\"brand_new\"}\n{}\n"                          \
  "{\"type\":\"client_report\"}\n{\"discarded_events\":[{\"reason\":\"before_send\",\"category\":\"error\","           \
  "\"quantity\":4}]}\n"

static void test_every_item_finds_its_place(void **state) {
  struct fixture *f = *state;
  assert_int_equal(post(f, "/api/3/envelope/", AUTH, MIXED), 200);
  assert_string_equal(f->body, "{\"id\":\"" ID "\"}");
  assert_int_equal(f->sink.submits, 3);
  assert_true(f->sink.of_kind[JOURNAL_TRACES].len > 0 && f->sink.of_kind[JOURNAL_LOGS].len > 0);
  assert_int_equal(items(f, "transaction", "accepted"), 1);
  assert_int_equal(items(f, "log", "accepted"), 1);
  assert_int_equal(items(f, "span", "invalid"), 1);
  assert_int_equal(items(f, "session", "discarded"), 1);
  assert_int_equal(items(f, "other", "discarded"), 1);
  assert_int_equal(metrics_get(metrics_series(f->metrics, METRICS_COUNTER, "culprit_sentry_client_discarded_total",
                                              "reason=\"before_send\"", "")),
                   4);
}

// What was kept beside the event, as the journal takes it.
static const char *beside(struct fixture *f) {
  static char text[8192];
  snprintf(text, sizeof(text), "%.*s", (int)f->sink.of_kind[JOURNAL_ITEMS].len,
           (const char *)f->sink.of_kind[JOURNAL_ITEMS].ptr);
  return text;
}

static void test_attachments_are_kept_up_to_a_size(void **state) {
  struct fixture *f = *state;
  // The event that names the attachments comes behind one of them, and its id is in it alone.
  static const char body[] = "{}\n{\"type\":\"attachment\",\"length\":5,\"filename\":\"a.txt\",\"content_type\":"
                             "\"text/plain\",\"attachment_type\":\"event.attachment\"}\na\nb\nc\n"
                             "{\"type\":\"event\"}\n{\"event_id\":\"" ID "\"}\n"
                             "{\"type\":\"attachment\",\"length\":11,\"filename\":\"b\"}\n12345678901\n";
  assert_int_equal(post(f, "/api/3/envelope/", AUTH, body), 200);
  assert_string_equal(f->body, "{\"id\":\"" ID "\"}");
  assert_int_equal(f->sink.submits, 2);
  assert_string_equal(beside(f),
                      "{}\n{\"type\":\"attachment\",\"length\":5,\"event_id\":\"" ID "\",\"bytes\":5,\"filename\":"
                      "\"a.txt\",\"content_type\":\"text/plain\",\"attachment_type\":\"event.attachment\"}\na\nb\nc\n"
                      "{\"type\":\"attachment\",\"length\":0,\"event_id\":\"" ID "\",\"bytes\":11,\"filename\":\"b\","
                      "\"reason\":\"11 bytes are over the limit of 10 bytes (sentry.attachment_max_bytes)\"}\n\n");
  assert_int_equal(items(f, "attachment", "accepted"), 1);
  assert_int_equal(items(f, "attachment", "discarded"), 1);
}

static void test_attachments_go_with_an_event_over_the_limit(void **state) {
  struct fixture *f = *state;
  static const char body[] = ENVELOPE "{\"type\":\"attachment\",\"filename\":\"a\"}\nabc\n";
  sentry_limit_set(f->limit, &(struct sentry_limit_rates){.project = 3, .per_minute[SENTRY_LIMIT_ERROR] = 1}, 1);
  assert_int_equal(post(f, "/api/3/envelope/", AUTH, body), 200);
  assert_int_equal(f->sink.submits, 2);
  assert_int_equal(post(f, "/api/3/envelope/", AUTH, body), 429);
  assert_int_equal(f->sink.submits, 2);
  assert_int_equal(items(f, "attachment", "refused"), 1);
}

static void test_an_attachment_without_an_event_is_nobodys(void **state) {
  struct fixture *f = *state;
  assert_int_equal(post(f, "/api/3/envelope/", AUTH, "{}\n{\"type\":\"attachment\"}\nabc\n"), 200);
  assert_int_equal(f->sink.submits, 0);
  assert_int_equal(items(f, "attachment", "discarded"), 1);
}

static void test_a_request_has_so_many_attachments(void **state) {
  struct fixture *f = *state;
  struct buffer body;
  buffer_init(&body, 1 << 20);
  buffer_append_cstr(&body, "{\"event_id\":\"" ID "\"}\n");
  for (int i = 0; i < 33; i++) buffer_printf(&body, "{\"type\":\"attachment\",\"filename\":\"%d\"}\nx\n", i);
  assert_int_equal(ask(f, "POST", "/api/3/envelope/", AUTH, buffer_slice(&body)), 200);
  buffer_finish(&body);
  assert_int_equal(items(f, "attachment", "accepted"), 30);
  assert_int_equal(items(f, "attachment", "discarded"), 3);
  assert_contains(beside(f), "\"filename\":\"29\"");
  assert_null(strstr(beside(f), "\"filename\":\"30\""));
}

static void test_an_envelope_has_so_many_small_items(void **state) {
  struct fixture *f = *state;
  struct buffer body;
  buffer_init(&body, 1 << 20);
  buffer_append_cstr(&body, "{}\n");
  for (int i = 0; i < 103; i++) {
    buffer_append_cstr(&body, "{\"type\":\"session\"}\n{}\n{\"type\":\"user_report\"}\n{\"comments\":\"m\"}\n");
  }
  assert_int_equal(ask(f, "POST", "/api/3/envelope/", AUTH, buffer_slice(&body)), 200);
  buffer_finish(&body);
  assert_int_equal(items(f, "session", "discarded"), 100);
  assert_int_equal(items(f, "session", "invalid"), 3);
  assert_int_equal(items(f, "user_report", "accepted"), 100);
  assert_int_equal(items(f, "user_report", "invalid"), 3);
}

#define WORDS "{\"contexts\":{\"feedback\":{\"message\":\"slow\",\"contact_email\":\"a@b.example\"}}}"

static void test_words_of_people_are_no_errors(void **state) {
  struct fixture *f = *state;
  assert_int_equal(post(f, "/api/3/envelope/", AUTH, "{\"event_id\":\"" ID "\"}\n{\"type\":\"feedback\"}\n" WORDS "\n"),
                   200);
  assert_string_equal(f->body, "{\"id\":\"" ID "\"}");
  assert_int_equal(f->sink.submits, 1);
  assert_string_equal(beside(f), "{}\n{\"type\":\"feedback\",\"length\":0,\"id\":\"" ID "\",\"report\":false,\"email\":"
                                 "\"a@b.example\",\"message\":\"slow\"}\n\n");
  // The same as an event, on the old path too.
  assert_int_equal(post(f, "/api/3/store/", AUTH, WORDS), 200);
  assert_int_equal(f->sink.of_kind[JOURNAL_EVENTS].len, 0);
  assert_int_equal(items(f, "event", "accepted"), 1);
  // A report of an event in the same envelope.
  assert_int_equal(
      post(f, "/api/3/envelope/", AUTH, ENVELOPE "{\"type\":\"user_report\"}\n{\"comments\":\"oh\",\"name\":\"Al\"}\n"),
      200);
  assert_contains(beside(f), "\"event_id\":\"" ID "\",\"report\":true,\"name\":\"Al\",\"message\":\"oh\"}");
  // Without a message there is nothing to keep, and the envelope is none the worse.
  assert_int_equal(post(f, "/api/3/envelope/", AUTH, ENVELOPE "{\"type\":\"user_report\"}\n{\"comments\":\" \"}\n"),
                   200);
  assert_int_equal(items(f, "user_report", "invalid"), 1);
  assert_int_equal(items(f, "user_report", "accepted"), 1);
}

static void test_what_an_sdk_threw_away_is_told(void **state) {
  struct fixture *f = *state;
  struct buffer body;
  buffer_init(&body, 1 << 20);
  buffer_append_cstr(&body,
                     "{}\n{\"type\":\"client_report\"}\n{\"discarded_events\":[{\"reason\":\"Drop Table\",\"category\":"
                     "\"log_item\",\"quantity\":2},{\"reason\":\"sample_rate\",\"category\":7,\"quantity\":0}");
  for (int i = 0; i < 205; i++) buffer_printf(&body, ",{\"reason\":\"r%d\",\"category\":\"error\",\"quantity\":3}", i);
  buffer_append_cstr(&body, "]}\n");
  assert_int_equal(ask(f, "POST", "/api/3/envelope/", AUTH, buffer_slice(&body)), 200);
  buffer_finish(&body);
  assert_int_equal(f->sink.submits, 1);
  struct json_parser *parser = json_parser_create(1 << 20);
  struct sentry_item_reader reader;
  struct sentry_item item;
  uint32_t count = 0;
  uint64_t quantity = 0;
  struct slice stored = slice_make(f->sink.of_kind[JOURNAL_ITEMS].ptr, f->sink.of_kind[JOURNAL_ITEMS].len);
  assert_int_equal(sentry_item_open(&reader, parser, stored, NULL), STATUS_OK);
  while (sentry_item_next(&reader, &item, NULL) == STATUS_OK) {
    assert_int_equal(item.kind, SENTRY_ITEM_DISCARDED);
    bool is_other = slice_equal_cstr(item.discarded.reason, "other");
    assert_int_equal(is_other, count == 0 || count == 200); // an odd word, and all that are too many
    quantity += item.discarded.quantity;
    count++;
  }
  json_parser_destroy(parser);
  assert_int_equal(count, 201);
  assert_int_equal(quantity, 2 + 205 * 3);
}

#define MULTIPART "Content-Type: multipart/form-data; boundary=\"b 1\"\r\n"
#define PARTS                                                                                                          \
  "--b 1\r\nContent-Disposition: form-data; name=\"note\"\r\n\r\nignored\r\n"                                          \
  "--b 1\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a.log\"\r\nContent-Type: text/plain\r\n\r\n"        \
  "a\r\n--b\r\n--b 1--\r\n"

static void test_attachments_are_uploaded(void **state) {
  struct fixture *f = *state;
  assert_int_equal(post(f, "/api/3/events/" ID "/attachments/", AUTH MULTIPART, PARTS), 201);
  assert_contains(f->reply, "Access-Control-Allow-Origin: *");
  assert_int_equal(f->sink.project, 3);
  assert_string_equal(beside(f), "{}\n{\"type\":\"attachment\",\"length\":6,\"event_id\":\"" ID "\",\"bytes\":6,"
                                 "\"filename\":\"a.log\",\"content_type\":\"text/plain\"}\na\r\n--b\n");
  assert_int_equal(items(f, "attachment", "accepted"), 1);
  assert_int_equal(post(f, "/api/3/events/nope/attachments/", AUTH MULTIPART, PARTS), 400);
  assert_int_equal(post(f, "/api/3/events/" ID "/attachments/", MULTIPART, PARTS), 401);
  assert_int_equal(post(f, "/api/4/events/" ID "/attachments/", AUTH MULTIPART, PARTS), 403);
  assert_int_equal(post(f, "/api/3/events/" ID "/attachments/", AUTH, PARTS), 415);
  assert_int_equal(post(f, "/api/3/events/" ID "/attachments/", AUTH MULTIPART, "--b 1\r\n"), 400);
  assert_int_equal(post(f, "/api/3/events/" ID "/attachments/", AUTH MULTIPART "Content-Encoding: lzma\r\n", PARTS),
                   415);
  assert_int_equal(f->sink.submits, 1);
}

static void test_check_ins_and_the_like_are_counted(void **state) {
  struct fixture *f = *state;
  assert_int_equal(post(f, "/api/3/cron/nightly/" KEY "/", "", ""), 202);
  assert_contains(f->reply, "Access-Control-Allow-Origin: *");
  assert_int_equal(ask(f, "GET", "/api/3/cron/nightly?sentry_key=" KEY "&status=ok", "", (struct slice){0}), 202);
  assert_int_equal(post(f, "/api/3/cron/nightly/", "", ""), 401);
  assert_int_equal(post(f, "/api/3/cron/nightly/" OTHER_KEY, AUTH, ""), 401);
  assert_int_equal(post(f, "/api/4/cron/nightly/" KEY, "", ""), 403);
  assert_int_equal(items(f, "check_in", "discarded"), 2);
  assert_int_equal(post(f, "/api/3/nel/", AUTH, "[]"), 200);
  assert_int_equal(items(f, "nel", "discarded"), 1);
  assert_int_equal(post(f, "/api/3/minidump/", AUTH, "x"), 404);
  assert_contains(f->body, "as an attachment of an event");
  assert_int_equal(post(f, "/api/3/unreal/" KEY, "", "x"), 404);
  assert_int_equal(f->sink.submits, 0);
}

static void test_nothing_of_a_broken_envelope_is_taken(void **state) {
  struct fixture *f = *state;
  assert_int_equal(post(f, "/api/3/envelope/", AUTH, ENVELOPE "{\"type\":\"log\",\"length\":99}\n{}"), 400);
  assert_contains(f->body, "length says 99 bytes");
  assert_int_equal(post(f, "/api/3/envelope/", AUTH, ENVELOPE "{\"type\":\"event\"}\n{}"), 400);
  assert_int_equal(post(f, "/api/3/envelope/", AUTH, "{}\n{\"type\":\"event\"}\nnope\n"), 400);
  assert_int_equal(post(f, "/api/3/envelope/", AUTH, ""), 400);
  assert_int_equal(post(f, "/api/3/envelope/", AUTH, "{\"event_id\":\"zz\"}\n"), 400);
  assert_int_equal(f->sink.submits, 0);
  assert_int_equal(post(f, "/api/3/envelope/", AUTH, "{}"), 200); // legal, and empty
  assert_string_equal(f->body, "{}");
}

static void test_answers_wait_for_every_part(void **state) {
  struct fixture *f = *state;
  f->sink.fail = STATUS_UNAVAILABLE;
  assert_int_equal(post(f, "/api/3/envelope/", AUTH, MIXED), 503);
  assert_contains(f->body, "the disk is on fire");
  assert_contains(f->reply, "Retry-After: ");
  assert_int_equal(items(f, "transaction", "accepted"), 0);
  assert_int_equal(items(f, "transaction", "refused"), 1);
  f->sink.fail = STATUS_OK;
  f->sink.refuse = STATUS_RATE_LIMITED;
  assert_int_equal(post(f, "/api/3/envelope/", AUTH, ENVELOPE), 429);
  assert_contains(f->reply, "X-Sentry-Rate-Limits: ");
  assert_contains(f->reply, "::project:rate_limit");
  f->sink.refuse = STATUS_OK;
  f->sink.not_ready = STATUS_UNAVAILABLE;
  assert_int_equal(post(f, "/api/3/envelope/", AUTH, ENVELOPE), 503);
}

static void test_sizes(void **state) {
  struct fixture *f = *state;
  struct buffer body;
  buffer_init(&body, 8 << 20);
  buffer_append_cstr(&body, "{}\n{\"type\":\"event\"}\n{\"message\":\"");
  for (size_t i = 0; i < SENTRY_DOOR_EVENT_BYTES_MAX / 16; i++) buffer_append_cstr(&body, "0123456789abcdef");
  buffer_append_cstr(&body, "\"}");
  assert_int_equal(ask(f, "POST", "/api/3/envelope/", AUTH, buffer_slice(&body)), 413);
  assert_contains(f->body, "an item of type event of");
  assert_contains(f->reply, "Access-Control-Allow-Origin: *");
  buffer_clear(&body); // an attachment may be larger
  buffer_append_cstr(&body, "{}\n{\"type\":\"attachment\",\"length\":2000000}\n");
  memset(buffer_reserve(&body, 2000000), 'x', 2000000);
  body.len += 2000000;
  assert_int_equal(ask(f, "POST", "/api/3/envelope/", AUTH, buffer_slice(&body)), 200);
  assert_int_equal(items(f, "attachment", "discarded"), 1);
  buffer_finish(&body);
}

static void test_store_takes_events_in_its_three_forms(void **state) {
  struct fixture *f = *state;
  assert_int_equal(post(f, "/api/3/store/", AUTH, "{\"event_id\":\"" ID "\",\"message\":\"m\",\"x\":NaN}"), 200);
  assert_string_equal(f->body, "{\"id\":\"" ID "\"}");
  assert_stored(f, "\"x\":null");
  assert_int_equal(post(f, "/api/store/", AUTH, "eyJtZXNzYWdlIjoiYmFzZSA2NCJ9"), 200);
  assert_stored(f, "\"message\":\"base 64\"");
  assert_int_equal(post(f, "/api/3/store/", AUTH, "eJyrVspNLS5OTE9VslKqyslMUqoFAD00BlE="), 200);
  assert_stored(f, "\"message\":\"zlib\"");
  assert_int_equal(post(f, "/api/3/store/", AUTH "Content-Type: application/x-sentry-envelope\r\n", ENVELOPE), 200);
  assert_int_equal(post(f, "/api/3/store/", AUTH, "%%%"), 400);
  assert_int_equal(post(f, "/api/3/store/", AUTH, ""), 400);
  assert_int_equal(f->sink.submits, 4);
}

static void test_images_carry_events(void **state) {
  struct fixture *f = *state;
  assert_int_equal(ask(f, "GET", "/api/3/store/", "", SLICE_LITERAL("")), 200);
  assert_contains(f->reply, "Content-Type: image/gif");
  assert_memory_equal(f->body, "GIF89a", 6);
  assert_int_equal(ask(f, "GET", "/api/3/store/?sentry_key=" KEY "&sentry_data=%7B%22message%22%3A%22q%22%7D", "",
                       SLICE_LITERAL("")),
                   200);
  assert_stored(f, "\"message\":\"q\"");
  assert_int_equal(ask(f, "GET", "/api/3/store/?sentry_data=%7B%7D", "", SLICE_LITERAL("")), 401);
}

static void test_reports_of_browsers_become_events(void **state) {
  struct fixture *f = *state;
  assert_int_equal(post(f, "/api/3/security/?sentry_key=" KEY "&sentry_release=1.2", "User-Agent: B\r\n",
                        "{\"csp-report\":{\"document-uri\":\"https://a/\",\"effective-directive\":\"img-src\","
                        "\"blocked-uri\":\"https://evil/x\"}}"),
                   200);
  assert_stored(f, "\"csp\":{\"document_uri\":\"https://a/\",\"effective_directive\":\"img-src\","
                   "\"blocked_uri\":\"https://evil/x\"}");
  assert_stored(f, "\"release\":\"1.2\"");
  assert_stored(f, "\"formatted\":\"Blocked 'img-src' from 'https://evil/x'\"");
  assert_int_equal(
      post(f, "/api/3/csp-report/?sentry_key=" KEY, "",
           "[{\"type\":\"csp-violation\",\"body\":{\"documentURL\":\"https://a/\",\"blockedURL\":\"inline\","
           "\"effectiveDirective\":\"script-src-elem\"}}]"),
      200);
  assert_stored(f, "\"csp\":{\"document_uri\":\"https://a/\",\"blocked_uri\":\"inline\","
                   "\"effective_directive\":\"script-src-elem\"}");
  assert_int_equal(post(f, "/api/3/security/?sentry_key=" KEY, "", "{\"what\":1}"), 400);
}

static void test_preflights_and_unknown_paths(void **state) {
  struct fixture *f = *state;
  assert_int_equal(ask(f, "OPTIONS", "/api/3/envelope/", "Origin: https://shop\r\n", SLICE_LITERAL("")), 204);
  assert_contains(f->reply, "Access-Control-Allow-Origin: *");
  assert_contains(f->reply, "Access-Control-Allow-Headers: x-sentry-auth");
  assert_contains(f->reply, "Access-Control-Max-Age: 3600");
  assert_int_equal(post(f, "/api/3/minidump/", AUTH, ""), 404);
  assert_contains(f->body, "\"detail\":");
  assert_int_equal(ask(f, "GET", "/api/3/envelope/", AUTH, SLICE_LITERAL("")), 405);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_an_event_is_taken_and_named),
      TEST(test_an_event_that_changes_is_written),
      TEST(test_an_event_outlives_what_follows_it),
      TEST(test_slashes_do_not_matter),
      TEST(test_keys_are_taken_from_everywhere_if_they_agree),
      TEST(test_wrong_keys_are_refused_with_the_reason),
      TEST(test_bodies_may_be_encoded),
      TEST(test_chunked_bodies_are_taken),
      TEST(test_every_item_finds_its_place),
      TEST(test_attachments_are_kept_up_to_a_size),
      TEST(test_attachments_go_with_an_event_over_the_limit),
      TEST(test_an_attachment_without_an_event_is_nobodys),
      TEST(test_a_request_has_so_many_attachments),
      TEST(test_an_envelope_has_so_many_small_items),
      TEST(test_words_of_people_are_no_errors),
      TEST(test_what_an_sdk_threw_away_is_told),
      TEST(test_attachments_are_uploaded),
      TEST(test_check_ins_and_the_like_are_counted),
      TEST(test_nothing_of_a_broken_envelope_is_taken),
      TEST(test_answers_wait_for_every_part),
      TEST(test_sizes),
      TEST(test_store_takes_events_in_its_three_forms),
      TEST(test_images_carry_events),
      TEST(test_reports_of_browsers_become_events),
      TEST(test_preflights_and_unknown_paths),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
