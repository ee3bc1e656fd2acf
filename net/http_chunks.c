// SPDX-License-Identifier: Apache-2.0
//
// How it works: a state per place of the grammar, a byte a step but for the data.
//
//   size [";" extension] CRLF data CRLF   a chunk: SIZE EXTENSION SIZE_LF DATA DATA_CR DATA_LF
//   "0" [";" extension] CRLF              the last one
//   name ":" value CRLF                   a trailer, any number: LINE NAME VALUE VALUE_LF
//   CRLF                                  LINE END_LF
//
// As strict as the head: CRLF and nothing else ends a line, the size is nothing but hex digits, trailers are neither
// folded nor without a name.
#include "net/http_chunks.h"

#include <stdbool.h>

#include "base/status.h"

#define SIZE_DIGITS_MAX 15u // never overflows

enum state { SIZE, EXTENSION, SIZE_LF, DATA, DATA_CR, DATA_LF, LINE, NAME, VALUE, VALUE_LF, END_LF, DONE, FAULT };

void http_chunks_begin(struct http_chunks *chunks) {
  *chunks = (struct http_chunks){.state = SIZE};
}

static enum state fault(struct http_chunks *chunks, const char *text) {
  chunks->fault = text;
  return FAULT;
}

static int hex_value(uint8_t byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  uint8_t lower = byte | 0x20;
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

static bool is_text(uint8_t byte) {
  return byte == '\t' || (byte >= ' ' && byte != 0x7f);
}

static enum state size_byte(struct http_chunks *chunks, uint8_t byte) {
  int digit = hex_value(byte);
  if (digit >= 0) {
    if (++chunks->digits > SIZE_DIGITS_MAX) return fault(chunks, "a chunk's size is too large");
    chunks->left = chunks->left << 4 | (uint64_t)digit;
    return SIZE;
  }
  if (chunks->digits > 0 && byte == ';') return EXTENSION;
  if (chunks->digits > 0 && byte == '\r') return SIZE_LF;
  return fault(chunks, "a chunk's size is not a number");
}

// After an extension or a trailer's value: the end of the line, or more of it.
static enum state text_byte(struct http_chunks *chunks, uint8_t byte, enum state same, enum state end) {
  if (byte == '\r') return end;
  return is_text(byte) ? same : fault(chunks, "a chunk's extension or a trailer holds a control character");
}

static enum state expect(struct http_chunks *chunks, uint8_t byte, uint8_t wanted, enum state next) {
  return byte == wanted ? next : fault(chunks, "a line of a chunk ends without CRLF");
}

static enum state after_size(struct http_chunks *chunks, uint8_t byte) {
  chunks->digits = 0;
  return expect(chunks, byte, '\n', chunks->left > 0 ? DATA : LINE);
}

static enum state step(struct http_chunks *chunks, uint8_t byte) {
  switch ((enum state)chunks->state) {
  case SIZE: return size_byte(chunks, byte);
  case EXTENSION: return text_byte(chunks, byte, EXTENSION, SIZE_LF);
  case SIZE_LF: return after_size(chunks, byte);
  case DATA_CR: return expect(chunks, byte, '\r', DATA_LF);
  case DATA_LF: return expect(chunks, byte, '\n', SIZE);
  case LINE:
    if (byte == '\r') return END_LF;
    if (byte <= ' ' || byte == ':' || byte >= 0x7f) return fault(chunks, "a trailer has no name");
    return NAME;
  case NAME:
    if (byte == ':') return VALUE;
    return byte > ' ' && byte < 0x7f ? NAME : fault(chunks, "a trailer's name is not a token");
  case VALUE: return text_byte(chunks, byte, VALUE, VALUE_LF);
  case VALUE_LF: return expect(chunks, byte, '\n', LINE);
  case END_LF: return expect(chunks, byte, '\n', DONE);
  case DATA:
  case DONE:
  case FAULT: break;
  }
  ASSERT(false); // not a state that takes a byte
  return FAULT;
}

// Bytes that are neither data nor the frame around it.
static bool is_spare(uint32_t state) {
  return state == EXTENSION || state == NAME || state == VALUE;
}

enum http_chunks_result http_chunks_next(struct http_chunks *chunks, struct slice *input, struct slice *out_data) {
  ASSERT(chunks->state != DONE && chunks->state != FAULT);
  while (input->len > 0) {
    if (chunks->state == DATA) {
      *out_data = slice_sub(*input, 0, chunks->left < input->len ? (size_t)chunks->left : input->len);
      *input = slice_skip(*input, out_data->len);
      chunks->left -= out_data->len;
      if (chunks->left == 0) chunks->state = DATA_CR;
      return HTTP_CHUNKS_DATA;
    }
    chunks->state = step(chunks, input->ptr[0]);
    *input = slice_skip(*input, 1);
    if (is_spare(chunks->state) && ++chunks->spare_bytes > HTTP_CHUNKS_SPARE_BYTES_MAX) {
      chunks->state = fault(chunks, "a body's chunk extensions and trailers are too long");
    }
    if (chunks->state == FAULT) return HTTP_CHUNKS_FAULT;
    if (chunks->state == DONE) return HTTP_CHUNKS_DONE;
  }
  return HTTP_CHUNKS_MORE;
}
