// SPDX-License-Identifier: Apache-2.0
//
// multipart/form-data (RFC 7578, RFC 2046 section 5.1) over a complete body: its parts as views, one by one. Any bytes
// give a status. Pure; a multipart borrows body and content type until it is done with.
#ifndef PROTO_MULTIPART_H
#define PROTO_MULTIPART_H

#include "base/slice.h"
#include "base/status.h"

#define MULTIPART_BOUNDARY_MAX ((size_t)70)       // RFC 2046
#define MULTIPART_HEADERS_MAX  ((size_t)16 << 10) // of one part

struct multipart {
  struct slice boundary, rest;
};

struct multipart_part {
  struct slice name, filename, content_type; // empty when not given; a backslash in a quoted name stays
  struct slice body;
};

// STATUS_UNSUPPORTED when the content type is another one, STATUS_INVALID without a usable boundary or when the body
// does not begin with it.
enum status multipart_open(struct multipart *multipart, struct slice content_type, struct slice body,
                           struct error *error);
// STATUS_OK, STATUS_END behind the closing delimiter, STATUS_INVALID with words.
enum status multipart_next(struct multipart *multipart, struct multipart_part *out_part, struct error *error);

#endif
