// SPDX-License-Identifier: Apache-2.0
//
// How it works: a path is looked up in the generated table, a dozen entries, front to back. A page's path (see `pages`)
// stands for index.html. The two encodings of a file are two representations with an ETag each, so a cache between us
// and the browser can never answer one for the other.
#include "ui/web_assets.h"

#include <string.h>

#include "base/status.h"
#include "net/http_server.h"

#define CONTENT_SECURITY_POLICY                                                                                        \
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "                \
  "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// A prefix that ends in '/' takes something after it, the others are whole paths.
static const char *const pages[] = {"/", "/feedback", "/status", "/projects", "/projects/", "/issues/", "/requests/"};

static const struct web_asset *file_named(struct slice path) {
  for (size_t i = 0; i < web_assets_file_count; i++) {
    if (slice_equal_cstr(path, web_assets_files[i].path)) return &web_assets_files[i];
  }
  return NULL;
}

static bool is_page(struct slice path) {
  for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
    struct slice page = slice_from_cstr(pages[i]);
    if (slice_equal(path, page)) return page.len == 1 || page.ptr[page.len - 1] != '/';
    if (page.len > 1 && page.ptr[page.len - 1] == '/' && slice_starts_with(path, page)) return true;
  }
  return false;
}

const struct web_asset *web_assets_find(struct slice path) {
  return is_page(path) ? file_named(SLICE_LITERAL("/index.html")) : file_named(path);
}

// The next element of a comma-separated list, trimmed; *rest moves behind it. An empty one at the end too.
static struct slice next_element(struct slice *rest) {
  size_t comma = slice_find_byte(*rest, ',');
  struct slice element = slice_trim(slice_sub(*rest, 0, comma));
  *rest = slice_skip(*rest, comma < rest->len ? comma + 1 : comma);
  return element;
}

// "q=0", "q=0.0", …: the weight that forbids.
static bool weight_is_zero(struct slice parameters) {
  struct slice weight = slice_trim(parameters);
  if (weight.len < 3 || (weight.ptr[0] | 0x20) != 'q' || weight.ptr[1] != '=') return false;
  for (size_t i = 2; i < weight.len; i++) {
    if (weight.ptr[i] != '0' && weight.ptr[i] != '.') return false;
  }
  return true;
}

bool web_assets_accepts_gzip(struct slice accept_encoding) {
  bool any = false;
  while (accept_encoding.len > 0) {
    struct slice element = next_element(&accept_encoding);
    size_t semicolon = slice_find_byte(element, ';');
    struct slice coding = slice_trim(slice_sub(element, 0, semicolon));
    bool allowed = !weight_is_zero(slice_skip(element, semicolon + 1));
    if (slice_equal_ignore_case(coding, SLICE_LITERAL("gzip"))) return allowed;
    if (slice_equal_cstr(coding, "*")) any = allowed;
  }
  return any;
}

bool web_assets_etag_matches(struct slice if_none_match, const char *etag) {
  struct slice wanted = slice_from_cstr(etag);
  while (if_none_match.len > 0) {
    struct slice element = next_element(&if_none_match);
    if (slice_starts_with(element, SLICE_LITERAL("W/"))) element = slice_skip(element, 2);
    if (slice_equal(element, wanted) || slice_equal_cstr(element, "*")) return true;
  }
  return false;
}

static void add_security_headers(struct http_request *request) {
  http_request_add_header(request, "Content-Security-Policy", CONTENT_SECURITY_POLICY);
  http_request_add_header(request, "X-Content-Type-Options", "nosniff");
  http_request_add_header(request, "Referrer-Policy", "no-referrer");
  http_request_add_header(request, "Cross-Origin-Opener-Policy", "same-origin");
}

static void reply_asset(struct http_request *request, const struct web_asset *asset, uint32_t code) {
  bool gzip = asset->gzip.len > 0 && web_assets_accepts_gzip(http_request_header(request, "Accept-Encoding"));
  const char *etag = gzip ? asset->etag_gzip : asset->etag;
  add_security_headers(request);
  http_request_add_header(request, "Cache-Control",
                          asset->immutable ? "public, max-age=31536000, immutable" : "no-cache");
  http_request_add_header(request, "ETag", etag);
  if (asset->gzip.len > 0) http_request_add_header(request, "Vary", "Accept-Encoding");
  if (code == 200 && web_assets_etag_matches(http_request_header(request, "If-None-Match"), etag)) {
    http_request_reply_static(request, 304, asset->content_type, SLICE_LITERAL(""));
    return;
  }
  if (gzip) http_request_add_header(request, "Content-Encoding", "gzip");
  http_request_reply_static(request, code, asset->content_type, gzip ? asset->gzip : asset->content);
}

bool web_assets_serve(struct http_request *request) {
  enum http_method method = http_request_method(request);
  if (method != HTTP_GET && method != HTTP_HEAD) return false;
  const struct web_asset *asset = web_assets_find(http_request_path(request));
  if (!asset) return false;
  reply_asset(request, asset, 200);
  return true;
}

void web_assets_handle(void *context, struct http_request *request) {
  (void)context;
  if (web_assets_serve(request)) return;
  struct slice path = http_request_path(request);
  if (slice_starts_with(path, SLICE_LITERAL("/api/")) || slice_starts_with(path, SLICE_LITERAL("/assets/"))) {
    add_security_headers(request);
    http_request_reply_static(
        request, 404, "application/json",
        SLICE_LITERAL("{\"error\":{\"status\":\"not found\",\"message\":\"there is nothing under this path\"}}"));
    return;
  }
  const struct web_asset *index = file_named(SLICE_LITERAL("/index.html"));
  ASSERT(index);
  reply_asset(request, index, 404);
}
