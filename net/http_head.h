// SPDX-License-Identifier: Apache-2.0
//
// The head of an HTTP/1.x request, from bytes to places in them: request line, header fields, and what they say of the
// body (RFC 9112). A pure parser that can be fed piece by piece and looks at each byte a fixed number of times; what
// two parsers could read differently is a fault, never a guess.
//
// Limits: HTTP_HEAD_BYTES_MAX bytes, HTTP_HEAD_FIELDS_MAX fields.
#ifndef NET_HTTP_HEAD_H
#define NET_HTTP_HEAD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "base/status.h"

#define HTTP_HEAD_BYTES_MAX  ((uint32_t)64 * 1024)
#define HTTP_HEAD_FIELDS_MAX 256u

// A place in the head: it stays right when the bytes are moved.
struct http_head_part {
  uint32_t at, len;
};

struct http_head_field {
  struct http_head_part name, value; // the value without blanks around it
};

enum http_head_result { HTTP_HEAD_MORE, HTTP_HEAD_DONE, HTTP_HEAD_FAULT };

struct http_head {
  // Known once the request line has been read; all empty before.
  struct http_head_part method;
  struct http_head_part path;      // still encoded; empty for an absolute target without one; "*" for OPTIONS
  struct http_head_part query;     // behind the '?'
  struct http_head_part authority; // of an absolute target
  uint32_t minor_version;          // of HTTP/1.x; what is above 1 is read as 1
  // All of the fields with HTTP_HEAD_DONE, the ones before the fault with HTTP_HEAD_FAULT.
  uint32_t field_count;
  // With HTTP_HEAD_DONE.
  bool chunked;
  bool expects_continue;
  bool keep_alive;
  uint64_t content_length; // 0 when nothing was said
  uint32_t len;            // of the head, its empty line included: what follows is the body
  // With HTTP_HEAD_FAULT: words, STATUS_INVALID, STATUS_TOO_LARGE or STATUS_UNSUPPORTED, and the code that says it
  // best.
  const char *fault;
  enum status status;
  uint32_t code;

  // The parser's own.
  bool has_request_line, says_close, says_keep_alive;
  uint32_t line_at, scanned;
  uint32_t hosts, lengths, encodings;
  struct http_head_part host;
  struct http_head_field fields[HTTP_HEAD_FIELDS_MAX]; // the first field_count ones; not cleared
};

void http_head_begin(struct http_head *head);
// `bytes` is everything that has come since the begin, what was seen before unchanged, and may go on behind the head.
// Not to be called again after DONE or FAULT.
enum http_head_result http_head_parse(struct http_head *head, struct slice bytes);

#endif
