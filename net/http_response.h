// SPDX-License-Identifier: Apache-2.0
//
// The bytes of an answer of http_server, made in whichever thread answers. Pure functions.
#ifndef NET_HTTP_RESPONSE_H
#define NET_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"

struct http_response {
  uint32_t code;
  const char *content_type; // NULL: none is said
  struct slice body;
  bool is_head;    // the answer to a HEAD: the body's length is said, the body is not sent
  bool body_apart; // the caller sends the body after these bytes
  bool keep_alive; // the connection takes another request
  bool says_so;    // to a client that does not expect it: HTTP/1.0
  const char *date;
};

// "Name: value" for the answer that is made in `out`, which is empty at first. Left out when a byte of it could be read
// as the end of a line.
void http_response_add_header(struct buffer *out, const char *name, const char *value);
// The whole answer with the headers added before: inside `out`, until it is cleared. NULL ptr: no memory for it.
struct slice http_response_write(struct buffer *out, const struct http_response *response);
// False for codes that never have a body: 1xx, 204, 304.
bool http_response_has_body(uint32_t code);

#define HTTP_RESPONSE_DATE_BYTES 30
// "Sat, 21 Nov 2026 19:20:55 GMT" and a NUL (RFC 9110, IMF-fixdate).
void http_response_format_date(uint64_t wall_ns, char out[HTTP_RESPONSE_DATE_BYTES]);

#endif
