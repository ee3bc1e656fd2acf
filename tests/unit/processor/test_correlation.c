// SPDX-License-Identifier: Apache-2.0
#include "processor/correlation.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/record_facts.h"
#include "tests/unit/processor/facts_fixture.h"

static int setup(void **state) {
  wire_text_reset();
  *state = correlation_create(NULL, 0);
  return 0;
}

static int teardown(void **state) {
  correlation_destroy(*state);
  wire_text_finish();
  return 0;
}

static struct otlp_item scanned(enum otlp_signal signal, struct slice item) {
  struct otlp_scan scan;
  struct otlp_item out;
  struct error error = {""};
  otlp_scan_init(&scan, signal, request_of(item), NULL);
  enum status status = otlp_scan_next(&scan, &out, &error);
  if (status) fail_msg("%s", error.text);
  return out;
}

static struct slice of_span(void *correlation, struct slice more) {
  struct otlp_item item = scanned(OTLP_TRACES, span_of(trace_id_of(1), 1, 2, more));
  return correlation_of_span(correlation, &item.span);
}

static struct slice of_log(void *correlation, struct slice more) {
  struct otlp_item item = scanned(OTLP_LOGS, log_of(nothing(), 9, more));
  return correlation_of_log(correlation, &item.log);
}

static struct slice of_body(void *correlation, const char *body) {
  return of_log(correlation, FIELD(5, text(1, body)));
}

#define assert_id(id, expected) assert_true(slice_equal_cstr((id), (expected)))

static void test_keys_have_ranks(void **state) {
  for (int i = 0; correlation_default_attributes[i]; i++)
    assert_int_equal(correlation_rank(*state, slice_from_cstr(correlation_default_attributes[i])), i);
  assert_int_equal(correlation_rank(*state, SLICE_LITERAL("request_i")), -1);
  assert_int_equal(correlation_rank(*state, SLICE_LITERAL("")), -1);
  const char *const keys[] = {"b", "a"};
  struct correlation *own = correlation_create(keys, 2);
  assert_int_equal(correlation_rank(own, SLICE_LITERAL("a")), 1);
  assert_int_equal(correlation_rank(own, SLICE_LITERAL("request_id")), -1);
  assert_true(correlation_fingerprint(own) != correlation_fingerprint(*state));
  const char *const swapped[] = {"a", "b"};
  struct correlation *other = correlation_create(swapped, 2);
  assert_true(correlation_fingerprint(own) != correlation_fingerprint(other)); // the order is the preference
  correlation_destroy(other);
  correlation_destroy(own);
}

static void test_the_best_rank_wins(void **state) {
  struct slice low = attribute(9, "correlation_id", "low"), high = attribute(9, "request_id", "high");
  assert_id(of_span(*state, JOIN(low, high)), "high");
  assert_id(of_span(*state, JOIN(high, low)), "high");
  assert_id(of_span(*state, JOIN(attribute(9, "request_id", "  "), low)), "low"); // an unusable one does not count
  assert_id(of_span(*state, attribute(9, "user.id", "x")), "");
}

static void test_events_come_after_the_span(void **state) {
  struct slice low = FIELD(11, text(2, "e"), attribute(3, "correlation_id", "low"));
  struct slice high = FIELD(11, text(2, "e"), attribute(3, "request_id", "high"));
  assert_id(of_span(*state, JOIN(low, high)), "high"); // the best of all events
  assert_id(of_span(*state, JOIN(high, low)), "high");
  assert_id(of_span(*state, JOIN(high, attribute(9, "correlation_id", "own"))), "own");
}

static void test_which_texts_are_ids(void **state) {
  char longest[RECORD_REQUEST_ID_BYTES_MAX + 2];
  memset(longest, 'x', sizeof(longest));
  longest[RECORD_REQUEST_ID_BYTES_MAX] = 0;
  assert_id(of_span(*state, attribute(9, "request_id", longest)), longest);
  longest[RECORD_REQUEST_ID_BYTES_MAX] = 'x';
  longest[RECORD_REQUEST_ID_BYTES_MAX + 1] = 0;
  assert_id(of_span(*state, attribute(9, "request_id", longest)), "");
  assert_id(of_span(*state, attribute(9, "request_id", "\t r 1 \n")), "r 1");
  assert_id(of_span(*state, attribute(9, "request_id", "a\nb")), "");
  assert_id(of_span(*state, FIELD(9, text(1, "request_id"), FIELD(2, number(3, 7)))), "");
  struct slice array = FIELD(5, FIELD(1, number(3, 7)), FIELD(1, text(1, " ")), FIELD(1, text(1, "second")));
  assert_id(of_span(*state, FIELD(9, text(1, "request_id"), FIELD(2, array))), "second");
}

static void test_bodies_of_logs(void **state) {
  struct slice body = FIELD(5, FIELD(6, attribute(1, "correlation_id", "low"), attribute(1, "request_id", "high")));
  assert_id(of_log(*state, body), "high");
  assert_id(of_log(*state, JOIN(body, attribute(6, "correlation_id", "own"))), "own"); // attributes first
  assert_id(of_body(*state, " {\"n\": 1, \"request_id\" : \"r-1\" }"), "r-1");
  assert_id(of_body(*state, "{\"correlation_id\":\"low\",\"x\":{\"a\":[\"}\"]},\"request_id\":\"high\"}"), "high");
  assert_id(of_body(*state, "{\"x\":{\"request_id\":\"nested\"}}"), "");
  assert_id(of_body(*state, "{\"x\":\"\\\",\\\"request_id\\\":\\\"in a string\"}"), "");
  assert_id(of_body(*state, "{\"request_id\":\"esc\\u0061ped\"}"), "");
  assert_id(of_body(*state, "request_id=r-1"), "");
}

// Every prefix of a body is a body: none may be read beyond its end, and none has half an id.
static void test_cut_bodies(void **state) {
  const char *whole = "{\"a\\\\\":[{\"b\":\"]\\\"\"}], \"request_id\": \"r-1\", \"z\": null}";
  for (size_t len = 0; len <= strlen(whole); len++) {
    char *cut = malloc(len + 1);
    memcpy(cut, whole, len);
    cut[len] = 0;
    struct slice id = of_body(*state, cut);
    assert_true(id.len == 0 || slice_equal_cstr(id, "r-1"));
    free(cut);
  }
  assert_id(of_body(*state, whole), "r-1");
}

static void assert_found(const struct correlation *correlation, const char *body, const char *expected) {
  const struct otlp_log log = {.body = {.kind = OTLP_ANY_STRING, .bytes = slice_from_cstr(body)}};
  struct slice found = correlation_of_log(correlation, &log);
  if (!slice_equal_cstr(found, expected)) {
    fail_msg("%s: found \"%.*s\", not \"%s\"", body, SLICE_PRINTF(found), expected);
  }
}

static void ids_in_json_bodies(void **state) {
  (void)state;
  struct correlation *correlation = correlation_create((const char *const[]){"best", "second"}, 2);
  const struct {
    const char *body, *expected;
  } cases[] = {
      {"{\"best\":\"a\"}", "a"},
      {" { \"x\" : {\"best\":\"no\"} , \"best\" : \" a \" } ", "a"},
      {"{\"second\":\"b\",\"best\":\"a\"}", "a"},
      {"{\"best\":7,\"second\":\"b\"}", "b"},
      {"{\"best\":\"\",\"second\":\"b\"}", "b"},
      {"{\"best\":[\"a\"]}", "a"},
      {"{\"best\":[ \"a\" , \"b\" ],\"second\":\"c\"}", "a"},
      {"{\"best\":[7, {\"x\": [\",\", \"]\"]}, \"\", \"a\"]}", "a"},
      {"{\"best\":[],\"second\":[\"b\"]}", "b"},
      {"{\"best\":[[\"a\"]],\"second\":\"b\"}", "b"},
      {"{\"best\":\"a\\u0041\",\"second\":\"b\"}", "b"},
      {"{\"b\\u0065st\":\"a\"}", ""},
      {"[\"best\",\"a\"]", ""},
      {"best=a", ""},
      {"", ""},
      // Cut off anywhere.
      {"{", ""},
      {"{\"best", ""},
      {"{\"best\"", ""},
      {"{\"best\":", ""},
      {"{\"best\":\"a", ""},
      {"{\"best\":[", ""},
      {"{\"best\":[\"a", ""},
      {"{\"best\":[\"a\\", ""},
      {"{\"best\":[7,", ""},
  };
  for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
    assert_found(correlation, cases[i].body, cases[i].expected);
  }
  correlation_destroy(correlation);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_keys_have_ranks),           TEST(test_the_best_rank_wins), TEST(test_events_come_after_the_span),
      TEST(test_which_texts_are_ids),       TEST(test_bodies_of_logs),     TEST(test_cut_bodies),
      cmocka_unit_test(ids_in_json_bodies),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
