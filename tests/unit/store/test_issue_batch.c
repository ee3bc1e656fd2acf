// SPDX-License-Identifier: Apache-2.0
//
// Staged events, and the small rules of issues.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/clock.h"
#include "store/issue_batch.h"

#define HOUR_NS (UINT64_C(3600) * NS_PER_S)
#define NOW_NS  UINT64_C(1763719200000000000)

static struct issue_event event_of(size_t document_bytes, const char *document) {
  static const struct issue_hash hash = {.bytes = {1}, .algorithm = "test", .variant = "app"};
  return (struct issue_event){.project = 1,
                              .title = SLICE_LITERAL("title"),
                              .hashes = &hash,
                              .hash_count = 1,
                              .document = slice_make(document, document_bytes)};
}

static void a_batch_is_full_by_events_or_bytes(void **state) {
  (void)state;
  struct issue_batch batch;
  assert_int_equal(issue_batch_init(&batch), STATUS_OK);
  struct issue_event event = event_of(2, "{}");
  for (uint32_t i = 0; i < ISSUE_BATCH_EVENTS_MAX; i++) {
    assert_false(issue_batch_is_full(&batch));
    assert_int_equal(issue_batch_add(&batch, &event), STATUS_OK);
  }
  assert_true(issue_batch_is_full(&batch));
  issue_batch_clear(&batch);
  assert_false(issue_batch_is_full(&batch));
  size_t megabyte = 1 << 20;
  char *document = calloc(1, megabyte);
  event = event_of(megabyte, document);
  uint32_t added = 0;
  for (; !issue_batch_is_full(&batch); added++) assert_int_equal(issue_batch_add(&batch, &event), STATUS_OK);
  assert_in_range(added, ISSUE_BATCH_BYTES_MAX / megabyte - 1, ISSUE_BATCH_BYTES_MAX / megabyte);
  free(document);
  issue_batch_finish(&batch);
}

static void an_event_too_large_leaves_the_batch_good(void **state) {
  (void)state;
  struct issue_batch batch;
  assert_int_equal(issue_batch_init(&batch), STATUS_OK);
  size_t bytes = ISSUE_BATCH_MEMORY_MAX / 2 + 1;
  char *document = calloc(1, bytes);
  struct issue_event small = event_of(2, "{}"), large = event_of(bytes, document);
  assert_int_equal(issue_batch_add(&batch, &small), STATUS_OK);
  assert_int_equal(issue_batch_add(&batch, &large), STATUS_TOO_LARGE);
  assert_int_equal(batch.count, 1);
  assert_int_equal(issue_batch_add(&batch, &small), STATUS_OK);
  assert_true(slice_equal_cstr(batch.events[0].document, "{}"));
  assert_int_equal(batch.count, 2);
  free(document);
  issue_batch_finish(&batch);
}

static void what_is_staged_is_a_copy(void **state) {
  (void)state;
  struct issue_batch batch;
  assert_int_equal(issue_batch_init(&batch), STATUS_OK);
  char document[] = "{\"a\":1}", key[] = "k", value[] = "v", variant[] = "app";
  struct issue_hash hash = {.bytes = {9}, .algorithm = "test", .variant = variant};
  struct issue_tag tags[] = {{slice_from_cstr(key), slice_from_cstr(value)}, {slice_from_cstr(key), SLICE_LITERAL("")}};
  struct issue_event event = event_of(sizeof document - 1, document);
  event.hashes = &hash;
  event.tags = tags;
  event.tag_count = 2;
  event.title = (struct slice){0};
  assert_int_equal(issue_batch_add(&batch, &event), STATUS_OK);
  memset(document, 'x', sizeof document);
  key[0] = value[0] = variant[0] = 'x';
  hash.bytes[0] = 0;
  const struct issue_event *staged = &batch.events[0];
  assert_true(slice_equal_cstr(staged->document, "{\"a\":1}"));
  assert_int_equal(staged->hashes[0].bytes[0], 9);
  assert_string_equal(staged->hashes[0].variant, "app");
  assert_int_equal(staged->tag_count, 1); // an empty value is none
  assert_true(slice_equal_cstr(staged->tags[0].key, "k"));
  assert_true(slice_equal_cstr(staged->tags[0].value, "v"));
  assert_true(slice_equal_cstr(staged->title, "<unlabeled event>"));
  issue_batch_finish(&batch);
}

static void texts_are_cut_between_characters(void **state) {
  (void)state;
  static const struct {
    const char *text;
    size_t max, len;
  } cases[] = {{"abc", 3, 3},
               {"abcd", 3, 3},
               {"a\xe2\x82\xac", 4, 4},
               {"a\xe2\x82\xac", 3, 1},
               {"a\xe2\x82\xac", 2, 1},
               {"\xf0\x9f\x98\x80", 3, 0},
               {"\x80\x80\x80\x80\x80\x80", 5, 1}, // not UTF-8: cut somewhere
               {"", 0, 0}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_int_equal(issue_cut(slice_from_cstr(cases[i].text), cases[i].max).len, cases[i].len);
}

static void skewed_times_stand_where_they_were_received(void **state) {
  (void)state;
  static const struct {
    uint64_t timestamp_ns, received_ns, seen_ns;
  } cases[] = {{NOW_NS, NOW_NS, NOW_NS},
               {NOW_NS - 24 * HOUR_NS, NOW_NS, NOW_NS - 24 * HOUR_NS},
               {NOW_NS - 7 * 24 * HOUR_NS, NOW_NS, NOW_NS - 7 * 24 * HOUR_NS},
               {NOW_NS - 7 * 24 * HOUR_NS - 1, NOW_NS, NOW_NS},
               {NOW_NS + HOUR_NS, NOW_NS, NOW_NS + HOUR_NS},
               {NOW_NS + HOUR_NS + 1, NOW_NS, NOW_NS},
               {0, NOW_NS, NOW_NS},
               {UINT64_MAX, NOW_NS, NOW_NS},
               {5, 10, 5}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    assert_true(issue_event_seen_ns(cases[i].timestamp_ns, cases[i].received_ns) == cases[i].seen_ns);
}

static void names_and_states(void **state) {
  (void)state;
  enum issue_status status = ISSUE_MUTED;
  assert_true(issue_status_parse(SLICE_LITERAL("resolved"), &status));
  assert_int_equal(status, ISSUE_RESOLVED);
  assert_false(issue_status_parse(SLICE_LITERAL("Resolved"), &status));
  assert_string_equal(issue_status_name((enum issue_status)77), "unresolved"); // what a file may hold
  assert_string_equal(issue_source_name(ISSUE_SOURCE_SDK), "sdk");
  assert_int_equal(issue_substatus_at(ISSUE_REGRESSED, NOW_NS, NOW_NS + HOUR_NS), ISSUE_REGRESSED);
  assert_int_equal(issue_substatus_at(ISSUE_REGRESSED, NOW_NS, NOW_NS + 8 * 24 * HOUR_NS), ISSUE_ONGOING);
  assert_int_equal(issue_substatus_at(ISSUE_NEW, NOW_NS, 0), ISSUE_NEW); // a clock that went back
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_batch_is_full_by_events_or_bytes),
      cmocka_unit_test(an_event_too_large_leaves_the_batch_good),
      cmocka_unit_test(what_is_staged_is_a_copy),
      cmocka_unit_test(texts_are_cut_between_characters),
      cmocka_unit_test(skewed_times_stand_where_they_were_received),
      cmocka_unit_test(names_and_states),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
