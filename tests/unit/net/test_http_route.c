// SPDX-License-Identifier: Apache-2.0
#include "net/http_route.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static void handle(void *context, struct http_request *request) {
  (void)context;
  (void)request;
}

static const struct http_route routes[] = {
    {HTTP_GET, "/", handle, NULL},
    {HTTP_POST, "/v1/traces", handle, NULL},
    {HTTP_OPTIONS, "/v1/traces", handle, NULL},
    {HTTP_GET, "/api/v1/issues/{}", handle, NULL},
    {HTTP_PATCH, "/api/v1/issues/{}", handle, NULL},
    {HTTP_GET, "/api/v1/issues/{}/events/{}", handle, NULL},
    {HTTP_GET, "/assets/{*}", handle, NULL},
};
enum { ROUTES = sizeof(routes) / sizeof(routes[0]) };

static struct http_route_match find(enum http_method method, const char *path) {
  struct http_route_match match;
  http_route_find(routes, ROUTES, method, slice_from_cstr(path), &match);
  return match;
}

static void test_literal_paths(void **state) {
  (void)state;
  assert_ptr_equal(find(HTTP_POST, "/v1/traces").route, &routes[1]);
  assert_ptr_equal(find(HTTP_OPTIONS, "/v1/traces").route, &routes[2]);
  assert_ptr_equal(find(HTTP_GET, "/").route, &routes[0]);
  assert_ptr_equal(find(HTTP_HEAD, "/").route, &routes[0]);
  assert_null(find(HTTP_POST, "/v1/trace").route);
  assert_null(find(HTTP_POST, "/v1/traces/x").route);
  assert_null(find(HTTP_POST, "/v1").route);
  assert_null(find(HTTP_POST, "*").route);
  assert_null(find(HTTP_POST, "").route);
}

static void test_known_path_with_other_method(void **state) {
  (void)state;
  struct http_route_match match = find(HTTP_GET, "/v1/traces");
  assert_null(match.route);
  assert_int_equal(match.allowed, 1u << HTTP_POST | 1u << HTTP_OPTIONS);
  assert_int_equal(find(HTTP_GET, "/nothing").allowed, 0);
  assert_int_equal(find(HTTP_PUT, "/api/v1/issues/17").allowed, 1u << HTTP_GET | 1u << HTTP_HEAD | 1u << HTTP_PATCH);
  assert_int_equal(find(HTTP_PATCH, "/api/v1/issues/17/x").capture_count, 0); // of a route that has a part of it
  assert_int_equal(find(HTTP_PUT, "/").allowed, 1u << HTTP_GET | 1u << HTTP_HEAD);
}

static void test_captures(void **state) {
  (void)state;
  struct http_route_match match = find(HTTP_PATCH, "/api/v1/issues/17");
  assert_ptr_equal(match.route, &routes[4]);
  assert_int_equal(match.capture_count, 1);
  assert_true(slice_equal_cstr(match.captures[0], "17"));
  match = find(HTTP_GET, "/api/v1/issues/a%2Fb/events/c");
  assert_ptr_equal(match.route, &routes[5]);
  assert_int_equal(match.capture_count, 2);
  assert_true(slice_equal_cstr(match.captures[0], "a%2Fb"));
  assert_true(slice_equal_cstr(match.captures[1], "c"));
  match = find(HTTP_GET, "/assets/js/main.js");
  assert_true(slice_equal_cstr(match.captures[0], "js/main.js"));
  match = find(HTTP_GET, "/assets");
  assert_ptr_equal(match.route, &routes[6]);
  assert_int_equal(match.captures[0].len, 0);
}

static void normalises(const char *from, const char *to) {
  char text[64];
  memcpy(text, from, strlen(from) + 1);
  size_t len = http_route_normalise(text, strlen(text));
  assert_int_equal(len, strlen(to));
  assert_memory_equal(text, to, len);
}

static void test_normalise(void **state) {
  (void)state;
  normalises("/", "/");
  normalises("", "");
  normalises("//", "/");
  normalises("/a//b///c/", "/a/b/c");
  normalises("/a/", "/a");
}

static void decodes(const char *from, const char *to, size_t to_len) {
  char text[64];
  memcpy(text, from, strlen(from) + 1);
  size_t len = http_route_decode(text, strlen(text));
  assert_int_equal(len, to_len);
  assert_memory_equal(text, to, len);
}

static void test_decode(void **state) {
  (void)state;
  decodes("a%20b", "a b", 3);
  decodes("%C3%a9", "\xc3\xa9", 2);
  decodes("100%", "100%", 4);
  decodes("%4", "%4", 2);
  decodes("%zz%41", "%zzA", 4);
  decodes("a%00b", "a\0b", 3);
}

static void test_methods(void **state) {
  (void)state;
  assert_int_equal(http_route_method("GET"), HTTP_GET);
  assert_int_equal(http_route_method("DELETE"), HTTP_DELETE);
  assert_int_equal(http_route_method("get"), HTTP_OTHER);
  assert_int_equal(http_route_method("TRACE"), HTTP_OTHER);
  assert_string_equal(http_method_name(HTTP_PATCH), "PATCH");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_literal_paths), cmocka_unit_test(test_known_path_with_other_method),
      cmocka_unit_test(test_captures),      cmocka_unit_test(test_normalise),
      cmocka_unit_test(test_decode),        cmocka_unit_test(test_methods),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
