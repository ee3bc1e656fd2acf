// SPDX-License-Identifier: Apache-2.0
//
// How it works: headers are appended as they are given, behind room for what comes first on the wire and is known last.
//
//   |  room  | status line, Date, Connection | headers | Content-Type, Content-Length, empty line | body |
//            ^ the answer begins here
//
// One piece of memory and no byte moved, so that one send() takes it.
#include "net/http_response.h"

#include <string.h>

#include "base/clock.h"

#define FRONT_BYTES  128u
#define LENGTH_BYTES 20u // digits of the largest uint64_t

static const char *reason(uint32_t code) {
  static const struct {
    uint32_t code;
    const char *text;
  } reasons[] = {
      {200, "OK"},
      {201, "Created"},
      {202, "Accepted"},
      {204, "No Content"},
      {206, "Partial Content"},
      {301, "Moved Permanently"},
      {302, "Found"},
      {303, "See Other"},
      {304, "Not Modified"},
      {307, "Temporary Redirect"},
      {308, "Permanent Redirect"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {406, "Not Acceptable"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {410, "Gone"},
      {411, "Length Required"},
      {412, "Precondition Failed"},
      {413, "Content Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {416, "Range Not Satisfiable"},
      {417, "Expectation Failed"},
      {421, "Misdirected Request"},
      {422, "Unprocessable Content"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
      {507, "Insufficient Storage"},
  };
  for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
    if (reasons[i].code == code) return reasons[i].text;
  }
  return ""; // RFC 9112, 4: may be empty
}

bool http_response_has_body(uint32_t code) {
  return code >= 200 && code != 204 && code != 304;
}

static void make_front(struct buffer *out) {
  if (out->len > 0 || out->failed) return;
  if (buffer_reserve(out, FRONT_BYTES)) out->len = FRONT_BYTES;
}

static bool ends_no_line(const char *text) {
  for (; *text; text++) {
    if ((uint8_t)*text < ' ' || *text == 0x7f) return false;
  }
  return true;
}

void http_response_add_header(struct buffer *out, const char *name, const char *value) {
  if (!ends_no_line(name) || !ends_no_line(value)) return;
  make_front(out);
  buffer_append_cstr(out, name);
  buffer_append(out, ": ", 2);
  buffer_append_cstr(out, value);
  buffer_append(out, "\r\n", 2);
}

static void add_length(struct buffer *out, size_t length) {
  char digits[LENGTH_BYTES];
  size_t at = LENGTH_BYTES;
  do {
    digits[--at] = (char)('0' + length % 10);
    length /= 10;
  } while (length > 0);
  buffer_append_cstr(out, "Content-Length: ");
  buffer_append(out, digits + at, LENGTH_BYTES - at);
  buffer_append(out, "\r\n", 2);
}

static size_t put(char *out, size_t at, const char *text) {
  size_t len = strlen(text);
  ASSERT(len <= FRONT_BYTES - at);
  memcpy(out + at, text, len);
  return at + len;
}

// Returns where the answer begins.
static size_t write_front(uint8_t *room, const struct http_response *response) {
  char front[FRONT_BYTES];
  const char code[] = {(char)('0' + response->code / 100 % 10), (char)('0' + response->code / 10 % 10),
                       (char)('0' + response->code % 10), ' ', 0};
  size_t len = put(front, 0, "HTTP/1.1 ");
  len = put(front, len, code);
  len = put(front, len, reason(response->code));
  len = put(front, len, "\r\nDate: ");
  len = put(front, len, response->date);
  if (!response->keep_alive) {
    len = put(front, len, "\r\nConnection: close");
  } else if (response->says_so) {
    len = put(front, len, "\r\nConnection: Keep-Alive");
  }
  len = put(front, len, "\r\n");
  memcpy(room + FRONT_BYTES - len, front, len);
  return FRONT_BYTES - len;
}

struct slice http_response_write(struct buffer *out, const struct http_response *response) {
  ASSERT(response->code >= 200 && response->code < 600);
  make_front(out);
  if (response->content_type) http_response_add_header(out, "Content-Type", response->content_type);
  bool has_body = http_response_has_body(response->code);
  if (has_body) add_length(out, response->body.len);
  buffer_append(out, "\r\n", 2);
  if (has_body && !response->is_head && !response->body_apart) buffer_append_slice(out, response->body);
  if (out->failed) return slice_make(NULL, 0);
  return slice_skip(buffer_slice(out), write_front(out->ptr, response));
}

void http_response_format_date(uint64_t wall_ns, char out[HTTP_RESPONSE_DATE_BYTES]) {
  static const char days[] = "ThuFriSatSunMonTueWed"; // the epoch was a Thursday
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  char text[CLOCK_RFC3339_BYTES]; // "2026-11-21T19:20:55…"
  clock_format_rfc3339(wall_ns, text);
  uint64_t day = wall_ns / NS_PER_S / 86400 % 7;
  size_t month = (size_t)(text[5] - '0') * 10 + (size_t)(text[6] - '0') - 1;
  memcpy(out, days + day * 3, 3);
  memcpy(out + 3, ", ", 2);
  memcpy(out + 5, text + 8, 2);
  out[7] = ' ';
  memcpy(out + 8, months + month * 3, 3);
  out[11] = ' ';
  memcpy(out + 12, text, 4);
  out[16] = ' ';
  memcpy(out + 17, text + 11, 8);
  memcpy(out + 25, " GMT", sizeof(" GMT"));
}
