// SPDX-License-Identifier: Apache-2.0
//
// The embedded UI behind a real server: which address answers what, under which headers, in which encoding.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/decompress.h"
#include "net/http_server.h"
#include "tests/unit/net/raw_http.h"
#include "ui/web_assets.h"

static const struct http_route routes[] = {{HTTP_GET, "/{*}", web_assets_handle, NULL}};

struct fixture {
  struct http_server *server;
  struct raw_http raw;
  const char *reply;
  const char *body;
};

static int set_up(void **state) {
  struct fixture *f = calloc(1, sizeof(*f));
  const struct http_server_options options = {
      .name = "ui", .address = "127.0.0.1:0", .routes = routes, .route_count = 1, .body_bytes_max = 4096, .threads = 1};
  uint16_t port = 0;
  struct error error = {{0}};
  assert_int_equal(http_server_open(&options, &f->server, &port, &error), STATUS_OK);
  raw_http_open(&f->raw, port);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  struct fixture *f = *state;
  raw_http_close(&f->raw);
  http_server_close(f->server, 5 * NS_PER_S);
  free(f);
  return 0;
}

// One GET with further header lines; the reply's code.
static int get(struct fixture *f, const char *path, const char *headers) {
  char text[1024];
  snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: localhost\r\n%s\r\n", path, headers);
  raw_http_text(&f->raw, text);
  return raw_http_reply(&f->raw, &f->reply, &f->body);
}

static void assert_header(const struct fixture *f, const char *line) {
  const char *end = strstr(f->reply, "\r\n\r\n");
  const char *at = strstr(f->reply, line);
  if (!at || at > end) fail_msg("no header \"%s\" in %.*s", line, (int)(end - f->reply), f->reply);
  assert_memory_equal(at + strlen(line), "\r\n", 2);
}

static void assert_secure(const struct fixture *f) {
  assert_header(
      f, "Content-Security-Policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
         "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'");
  assert_header(f, "X-Content-Type-Options: nosniff");
  assert_header(f, "Referrer-Policy: no-referrer");
  assert_header(f, "Cross-Origin-Opener-Policy: same-origin");
}

static void test_pages_are_index(void **state) {
  struct fixture *f = *state;
  const char *const pages[] = {"/",
                               "/?status=resolved",
                               "/status",
                               "/issues/17",
                               "/requests/a%2Fb",
                               "/requests/x?span=1",
                               "/projects",
                               "/projects/shop",
                               "/feedback",
                               "/feedback?project=shop"};
  for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
    assert_int_equal(get(f, pages[i], ""), 200);
    assert_secure(f);
    assert_header(f, "Content-Type: text/html; charset=utf-8");
    assert_header(f, "Cache-Control: no-cache");
    assert_non_null(strstr(f->body, "<div id=\"app\">"));
  }
}

static void test_index_names_only_files_that_exist(void **state) {
  struct fixture *f = *state;
  const struct web_asset *index = web_assets_find(SLICE_LITERAL("/"));
  assert_non_null(index);
  struct slice html = index->content;
  size_t found = 0;
  for (size_t at = slice_find(html, SLICE_LITERAL("\"/assets/")); at < html.len;
       at = slice_find(html, SLICE_LITERAL("\"/assets/"))) {
    html = slice_skip(html, at + 1);
    char path[128];
    snprintf(path, sizeof(path), "%.*s", (int)slice_find_byte(html, '"'), (const char *)html.ptr);
    assert_int_equal(get(f, path, ""), 200);
    assert_secure(f);
    assert_header(f, "Cache-Control: public, max-age=31536000, immutable");
    found++;
  }
  assert_true(found >= 4); // icon, style, two scripts
  // Nothing inline, which the policy would refuse.
  assert_true(slice_find(index->content, SLICE_LITERAL("<style")) > index->content.len);
  assert_true(slice_find(index->content, SLICE_LITERAL("style=")) > index->content.len);
  assert_true(slice_find(index->content, SLICE_LITERAL("<script>")) > index->content.len);
  assert_true(slice_find(index->content, SLICE_LITERAL("{{")) > index->content.len);
}

static void test_encodings_have_their_own_etag(void **state) {
  struct fixture *f = *state;
  const struct web_asset *script = NULL;
  for (size_t i = 0; i < web_assets_file_count; i++) {
    if (strncmp(web_assets_files[i].path, "/assets/main-", 13) == 0 &&
        strstr(web_assets_files[i].content_type, "javascript"))
      script = &web_assets_files[i];
  }
  assert_non_null(script);
  assert_true(script->gzip.len > 0 && script->gzip.len < script->content.len);
  assert_string_not_equal(script->etag, script->etag_gzip);

  char line[128];
  assert_int_equal(get(f, script->path, ""), 200);
  snprintf(line, sizeof(line), "ETag: %s", script->etag);
  assert_header(f, line);
  assert_header(f, "Vary: Accept-Encoding");
  assert_null(raw_http_header(f->reply, "Content-Encoding:"));
  assert_memory_equal(f->body, script->content.ptr, script->content.len);

  assert_int_equal(get(f, script->path, "Accept-Encoding: br, gzip\r\n"), 200);
  snprintf(line, sizeof(line), "ETag: %s", script->etag_gzip);
  assert_header(f, line);
  assert_header(f, "Content-Encoding: gzip");
  struct buffer out;
  buffer_init(&out, 4 << 20);
  assert_int_equal(decompress(ENCODING_GZIP, slice_make(f->body, script->gzip.len), &out, NULL), STATUS_OK);
  assert_true(slice_equal(buffer_slice(&out), script->content));
  buffer_finish(&out);

  snprintf(line, sizeof(line), "Accept-Encoding: gzip\r\nIf-None-Match: \"x\", %s\r\n", script->etag_gzip);
  assert_int_equal(get(f, script->path, line), 304);
  assert_secure(f);
  snprintf(line, sizeof(line), "If-None-Match: %s\r\n", script->etag_gzip);
  assert_int_equal(get(f, script->path, line), 200); // the other representation
}

static void test_unknown_addresses(void **state) {
  struct fixture *f = *state;
  const char *const unknown[] = {"/feedbackx", "/nothing",   "/issues",   "/issues/",
                                 "/statusx",   "/index.htm", "/requests", "/projectsx"};
  for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
    assert_int_equal(get(f, unknown[i], ""), 404);
    assert_secure(f);
    assert_non_null(strstr(f->body, "<div id=\"app\">"));
  }
  assert_int_equal(get(f, "/nothing", "If-None-Match: *\r\n"), 404);
  const char *const machine[] = {"/api/v1/nothing", "/assets/main-OLD.js"};
  for (size_t i = 0; i < sizeof(machine) / sizeof(machine[0]); i++) {
    assert_int_equal(get(f, machine[i], ""), 404);
    assert_header(f, "Content-Type: application/json");
    assert_non_null(strstr(f->body, "\"not found\""));
  }
}

static void test_head(void **state) {
  struct fixture *f = *state;
  raw_http_text(&f->raw, "HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  while (raw_http_more(&f->raw)) {
  }
  f->reply = f->raw.reply;
  assert_memory_equal(f->reply, "HTTP/1.1 200", 12);
  assert_secure(f);
  assert_string_equal(strstr(f->reply, "\r\n\r\n"), "\r\n\r\n");
}

static void test_accept_encoding(void **state) {
  (void)state;
  const char *const yes[] = {
      "gzip", "GZIP", "deflate, gzip;q=1.0", "br;q=1, gzip;q=0.1", "*", "*;q=0.5, deflate", " gzip ; q=0.5"};
  const char *const no[] = {"", "identity", "br", "gzip;q=0", "gzip; Q=0.000", "*, gzip;q=0", "*;q=0", "xgzip", ",,;;"};
  for (size_t i = 0; i < sizeof(yes) / sizeof(yes[0]); i++) {
    if (!web_assets_accepts_gzip(slice_from_cstr(yes[i]))) fail_msg("\"%s\"", yes[i]);
  }
  for (size_t i = 0; i < sizeof(no) / sizeof(no[0]); i++) {
    if (web_assets_accepts_gzip(slice_from_cstr(no[i]))) fail_msg("\"%s\"", no[i]);
  }
  assert_false(web_assets_accepts_gzip(slice_make(NULL, 0)));
}

static void test_etags(void **state) {
  (void)state;
  assert_true(web_assets_etag_matches(SLICE_LITERAL("\"a\""), "\"a\""));
  assert_true(web_assets_etag_matches(SLICE_LITERAL("W/\"a\""), "\"a\""));
  assert_true(web_assets_etag_matches(SLICE_LITERAL("\"b\" , W/\"a\","), "\"a\""));
  assert_true(web_assets_etag_matches(SLICE_LITERAL("*"), "\"a\""));
  assert_false(web_assets_etag_matches(SLICE_LITERAL("\"ab\""), "\"a\""));
  assert_false(web_assets_etag_matches(SLICE_LITERAL("a"), "\"a\""));
  assert_false(web_assets_etag_matches(SLICE_LITERAL(""), "\"a\""));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_pages_are_index, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_index_names_only_files_that_exist, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_encodings_have_their_own_etag, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_unknown_addresses, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_head, set_up, tear_down),
      cmocka_unit_test(test_accept_encoding),
      cmocka_unit_test(test_etags),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
