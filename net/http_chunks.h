// SPDX-License-Identifier: Apache-2.0
//
// The chunked transfer coding of a request body (RFC 9112, 7.1): from bytes to the runs of the body in them. A pure
// parser that can be fed piece by piece. Extensions and trailers are read and thrown away, at most
// HTTP_CHUNKS_SPARE_BYTES_MAX bytes of them in one body.
#ifndef NET_HTTP_CHUNKS_H
#define NET_HTTP_CHUNKS_H

#include <stdint.h>

#include "base/slice.h"

#define HTTP_CHUNKS_SPARE_BYTES_MAX 8192u

enum http_chunks_result { HTTP_CHUNKS_MORE, HTTP_CHUNKS_DATA, HTTP_CHUNKS_DONE, HTTP_CHUNKS_FAULT };

struct http_chunks {
  uint32_t state; // private to http_chunks.c
  uint32_t digits;
  uint32_t spare_bytes;
  uint64_t left; // of the chunk
  const char *fault;
};

void http_chunks_begin(struct http_chunks *chunks);
// Takes bytes off *input. DATA: *out_data is a run of the body, inside the input; call again. MORE: the input is used
// up. DONE: what is left of the input belongs to the next request. FAULT: chunks->fault has the words. Not to be called
// again after DONE or FAULT.
enum http_chunks_result http_chunks_next(struct http_chunks *chunks, struct slice *input, struct slice *out_data);

#endif
