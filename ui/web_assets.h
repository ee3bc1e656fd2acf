// SPDX-License-Identifier: Apache-2.0
//
// The web UI inside the binary: the files that ui/web/build.mjs bundled, and their answers over HTTP. The pages /,
// /issues/…, /requests/…, /projects, /projects/… and /status are all index.html, the script in it reads the address.
// Every answer carries a Content-Security-Policy that allows nothing inline and no other host.
//
// Files under /assets/ have a hash of their content in their name and may be cached for ever; index.html is asked for
// again each time (ETag, 304).
//
// Everything here is constant: any thread may call, nothing is allocated, no call fails.
#ifndef UI_WEB_ASSETS_H
#define UI_WEB_ASSETS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

struct http_request;

struct web_asset {
  const char *path; // "/index.html", "/assets/main-5XKQ2A.js"
  const char *content_type;
  const char *etag; // quoted; another one for the gzip'd bytes
  const char *etag_gzip;
  struct slice content;
  struct slice gzip; // empty: does not become smaller
  bool immutable;
};

// Generated into the build tree.
extern const struct web_asset web_assets_files[];
extern const size_t web_assets_file_count;

// The file that answers `path` (decoded, without the query), or NULL when it is no page and no file.
const struct web_asset *web_assets_find(struct slice path);

// True when an Accept-Encoding header allows gzip: named (or "*") with a weight above 0 (RFC 9110, 12.5.3).
bool web_assets_accepts_gzip(struct slice accept_encoding);
// True when an If-None-Match header names `etag`, strong or weak, or is "*" (RFC 9110, 13.1.2).
bool web_assets_etag_matches(struct slice if_none_match, const char *etag);

// Answers GET and HEAD of a page or a file and returns true; or returns false, not having touched the request.
bool web_assets_serve(struct http_request *request);

// The same as an http_handler_fn for the last route, {HTTP_GET, "/{*}", web_assets_handle, NULL}: what web_assets_serve
// does not know is 404, under /api/ as the API's JSON error, elsewhere as index.html, whose script says so. `context`
// is not used.
void web_assets_handle(void *context, struct http_request *request);

#endif
