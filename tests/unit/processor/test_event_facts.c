// SPDX-License-Identifier: Apache-2.0
#include "processor/event_facts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "store/record_facts.h"
#include "store/segment_index.h"

#define TRACE                                                                                                          \
  "\"contexts\":{\"trace\":{\"trace_id\":\"4BF92F3577B34DA6A3CE929D0E0E4736\",\"span_id\":\"00f067aa0ba902b7\"}}"

struct facts {
  struct json_parser *parser;
  struct buffer section;
  struct record_facts facts;
};

static void build(struct facts *f, const char *text) {
  f->parser = json_parser_create(1 << 20);
  buffer_init(&f->section, 1 << 20);
  struct json_value event;
  assert_int_equal(json_parse(f->parser, slice_from_cstr(text), &event, NULL), STATUS_OK);
  assert_int_equal(event_facts_build(event, &f->section), STATUS_OK);
  assert_int_equal(record_facts_decode(buffer_slice(&f->section), &f->facts), STATUS_OK);
  assert_int_equal(f->facts.item_count, 1);
  assert_true(f->facts.has_errors);
}

static void forget(struct facts *f) {
  json_parser_destroy(f->parser);
  buffer_finish(&f->section);
}

static void assert_request(const char *text, const char *id) {
  struct facts f;
  build(&f, text);
  const uint8_t *cursor = f.facts.requests;
  struct record_request request;
  bool found = record_facts_next_request(&f.facts, &cursor, &request);
  assert_int_equal(found, id != NULL);
  if (id) {
    assert_true(slice_equal_cstr(request.id, id));
    assert_true(request.key == segment_index_request_key(slice_from_cstr(id)));
    assert_true(request.trace == record_facts_item(&f.facts, 0).trace);
  }
  forget(&f);
}

static void test_the_trace_is_one_with_an_exception(void **state) {
  (void)state;
  struct facts f;
  build(&f, "{\"level\":\"info\"," TRACE "}");
  assert_int_equal(f.facts.trace_count, 1);
  struct record_trace trace;
  record_facts_trace(&f.facts, 0, &trace);
  assert_int_equal(trace.flags, RECORD_TRACE_EXCEPTION);
  assert_int_equal(trace.span_count, 0);
  assert_int_equal(trace.trace_id[0], 0x4b);
  assert_int_equal(trace.trace_id[15], 0x36);
  assert_int_equal(record_facts_item(&f.facts, 0).trace, 0);
  forget(&f);
}

static void test_an_event_without_a_usable_trace_has_none(void **state) {
  (void)state;
  static const char *const texts[] = {"{}", "{\"contexts\":7}", "{\"contexts\":{\"trace\":{\"trace_id\":\"4bf9\"}}}",
                                      "{\"contexts\":{\"trace\":{\"trace_id\":\"00000000000000000000000000000000\"}}}"};
  for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
    struct facts f;
    build(&f, texts[i]);
    assert_int_equal(f.facts.trace_count, 0);
    assert_true(record_facts_item(&f.facts, 0).trace == RECORD_NO_TRACE);
    forget(&f);
  }
}

static void test_request_ids_from_where_sdks_put_them(void **state) {
  (void)state;
  assert_request("{" TRACE ",\"tags\":{\"request_id\":\"r-1\"},\"extra\":{\"request_id\":\"r-2\"}}", "r-1");
  assert_request("{\"tags\":[[\"a\",\"b\"],[\"request_id\",\"r-3\"]]}", "r-3");
  assert_request("{\"tags\":[{\"key\":\"request_id\",\"value\":\"r-4\"}]}", "r-4");
  assert_request("{\"request\":{\"headers\":{\"X-Request-ID\":\"r-5\"}},\"extra\":{\"request_id\":\"r-2\"}}", "r-5");
  assert_request("{\"request\":{\"headers\":[[\"x-request-id\",[\"r-6\",\"r-7\"]]]}}", "r-6");
  assert_request("{\"extra\":{\"request_id\":\" r-8 \"}}", "r-8");
  assert_request("{\"extra\":{\"request_id\":\"a\\nb\"}}", NULL);
  assert_request("{\"tags\":[7,[],[\"request_id\"],{\"key\":\"request_id\"}],\"request\":[],\"extra\":\"x\"}", NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_trace_is_one_with_an_exception),
      cmocka_unit_test(test_an_event_without_a_usable_trace_has_none),
      cmocka_unit_test(test_request_ids_from_where_sdks_put_them),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
