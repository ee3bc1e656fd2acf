// SPDX-License-Identifier: Apache-2.0
//
// Which service an event, a transaction, a log is of: what wins, and what is none.
#include "proto/sentry_service.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

typedef struct slice (*find_fn)(struct json_value value);

static void assert_found(find_fn find, const char *json, const char *wanted) {
  struct json_parser *parser = json_parser_create(1 << 20);
  struct json_value root;
  assert_int_equal(json_parse(parser, slice_from_cstr(json), &root, NULL), STATUS_OK);
  struct slice found = find(root);
  if (!slice_equal_cstr(found, wanted)) fail_msg("\"%.*s\", not \"%s\": %s", SLICE_PRINTF(found), wanted, json);
  json_parser_destroy(parser);
}

#define TAG      "\"tags\":{\"service\":\"a tag\",\"service.name\":\"another\"}"
#define NAME_TAG "\"tags\":{\"service.name\":\"another\",\"server\":\"x\"}"
#define OTEL     "\"otel\":{\"resource\":{\"service.name\":\"otel\"}}"
#define TRACE    "\"trace\":{\"op\":\"x\",\"data\":{\"service.name\":\"trace\"}}"
#define APP      "\"app\":{\"app_name\":\"app\",\"app_version\":\"1\"}"
#define RELEASE  "\"release\":\"package@1.2\""

// Each line lacks what won in the one above.
static void the_order_is_kept(void **state) {
  (void)state;
  find_fn find = sentry_service_of_event;
  assert_found(find, "{" TAG ",\"contexts\":{" APP "," TRACE "," OTEL "}," RELEASE "}", "a tag");
  assert_found(find, "{" NAME_TAG ",\"contexts\":{" APP "," TRACE "," OTEL "}," RELEASE "}", "another");
  assert_found(find, "{\"contexts\":{" APP "," TRACE "," OTEL "}," RELEASE "}", "otel");
  assert_found(find, "{\"contexts\":{" APP "," TRACE "}," RELEASE "}", "trace");
  assert_found(find, "{\"contexts\":{" APP "}," RELEASE "}", "app");
  assert_found(find, "{\"contexts\":{}," RELEASE "}", "package");
  assert_found(find, "{\"server_name\":\"web-3\",\"transaction\":\"t\"}", "");
}

static void other_forms_are_read_and_rubbish_is_none(void **state) {
  (void)state;
  find_fn find = sentry_service_of_event;
  assert_found(find, "{\"tags\":[[\"a\",\"b\"],[\"service\",\" pairs \"]]}", "pairs");
  assert_found(find, "{\"tags\":[{\"key\":\"service\",\"value\":\"objects\\nsecond line\"}]}", "objects");
  assert_found(find, "{\"tags\":[null,7,[],[\"service\"],[\"service\",null],{\"service\":1}]," RELEASE "}", "package");
  assert_found(find, "{\"sentry.interfaces.Contexts\":{" OTEL "}}", "otel");
  assert_found(find, "{\"tags\":{\"service\":\"  \"},\"contexts\":[1]," RELEASE "}", "package");
  assert_found(
      find, "{\"tags\":\"service\",\"contexts\":{\"otel\":7,\"trace\":{\"data\":[]},\"app\":null},\"release\":5}", "");
  assert_found(find, "[]", "");
  assert_found(find, "null", "");
}

// An application that did not name itself to OpenTelemetry has no name there.
static void defaults_are_no_names(void **state) {
  (void)state;
  find_fn find = sentry_service_of_event;
  static const struct {
    const char *resource, *wanted;
  } cases[] = {
      {"\"service.name\":\"unknown_service:node\"", "package"},
      {"\"service.name\":\"node\",\"service.namespace\":\"sentry\"", "package"},
      {"\"service.name\":\"cart\",\"service.namespace\":\"sentry\"", "cart"}, // by OTEL_SERVICE_NAME
      {"\"service.name\":\"node\",\"service.namespace\":\"shop\"", "node"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    char json[300];
    snprintf(json, sizeof json, "{\"contexts\":{\"otel\":{\"resource\":{%s}}}," RELEASE "}", cases[i].resource);
    assert_found(find, json, cases[i].wanted);
  }
}

static void a_release_may_name_its_package(void **state) {
  (void)state;
  static const char *const cases[][2] = {
      {"shop@1.4.2", "shop"},
      {"com.example.shop@1.0.3+17", "com.example.shop"},
      {"@scope/shop@2.0.0", "@scope/shop"},
      {" my shop@7\nx@y", "my shop"},
      {"gesch\xc3\xa4"
       "ft@1",
       "gesch\xc3\xa4"
       "ft"},
      {"1.4.2", ""},
      {"9f2c1d7", ""},
      {"shop@", ""},
      {"@1.0", ""},
      {"@", ""},
      {"", ""},
      {"1.0@2", ""}, // no name
      {" @1", ""},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct slice found = sentry_service_of_release(slice_from_cstr(cases[i][0]));
    if (!slice_equal_cstr(found, cases[i][1])) fail_msg("%s: \"%.*s\"", cases[i][0], SLICE_PRINTF(found));
  }
}

static void a_log_record_may_say_it(void **state) {
  (void)state;
  find_fn find = sentry_service_of_log_record;
  assert_found(find,
               "{\"attributes\":[{\"key\":\"sentry.release\",\"value\":{\"stringValue\":\"p@1\"}},"
               "{\"key\":\"service.name\",\"value\":{\"stringValue\":\"worker\"}}]}",
               "worker");
  assert_found(find, "{\"attributes\":[7,{\"key\":\"sentry.release\",\"value\":{\"stringValue\":\"p@1\"}}]}", "p");
  assert_found(find, "{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"intValue\":1}}]}", "");
  assert_found(find, "{\"attributes\":{\"service.name\":\"x\"}}", "");
  assert_found(find, "{}", "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_order_is_kept),       cmocka_unit_test(other_forms_are_read_and_rubbish_is_none),
      cmocka_unit_test(defaults_are_no_names),   cmocka_unit_test(a_release_may_name_its_package),
      cmocka_unit_test(a_log_record_may_say_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
