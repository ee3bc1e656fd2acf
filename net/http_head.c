// SPDX-License-Identifier: Apache-2.0
//
// How it works: line by line, each when its LF has come, so that nothing is read twice however small the pieces are.
//
//   method SP target SP "HTTP/1." DIGIT CRLF      request_line
//   name ":" blanks value blanks CRLF             field_line, any number
//   CRLF                                          finish
//
// Strict where a proxy in front may read something else: lines end with CRLF and hold no control byte but a tab in a
// value; a name is a token and the colon follows at once; no folded lines; one Host, and the same one in an absolute
// target; one Content-Length, of digits, or "Transfer-Encoding: chunked", never both. Empty lines before the request
// line are passed over (RFC 9112, 2.2).
#include "net/http_head.h"

#include <string.h>

#define REQUEST_LINE_FAULT "the request line cannot be read"

// tchar of RFC 9110, 5.6.2: a bit for each of the first 128 bytes.
static bool is_token_byte(uint8_t byte) {
  static const uint64_t token[2] = {UINT64_C(0x03ff6cfa00000000), UINT64_C(0x57ffffffc7fffffe)};
  return byte < 128 && (token[byte >> 6] >> (byte & 63) & 1);
}

static bool is_blank(uint8_t byte) {
  return byte == ' ' || byte == '\t';
}

static bool is_token(struct slice text) {
  for (size_t i = 0; i < text.len; i++) {
    if (!is_token_byte(text.ptr[i])) return false;
  }
  return text.len > 0;
}

// Visible bytes, those above ASCII too.
static bool is_visible(struct slice text) {
  for (size_t i = 0; i < text.len; i++) {
    if (text.ptr[i] <= ' ' || text.ptr[i] == 0x7f) return false;
  }
  return text.len > 0;
}

// Is one of eight bytes below ' ', or 0x7f? (x - n) & ~x has the high bit of a byte below n, whatever is beside it.
static bool holds_control(uint64_t bytes) {
  const uint64_t ones = UINT64_C(0x0101010101010101);
  uint64_t del = bytes ^ ones * 0x7f; // 0 where the byte was 0x7f
  return (((bytes - ones * ' ') & ~bytes) | ((del - ones) & ~del)) & ones * 0x80;
}

static bool is_field_value(struct slice text) {
  size_t i = 0;
  for (uint64_t bytes; text.len - i >= sizeof(bytes); i += sizeof(bytes)) {
    memcpy(&bytes, text.ptr + i, sizeof(bytes));
    if (holds_control(bytes)) break; // it may be a tab
  }
  for (; i < text.len; i++) {
    if ((text.ptr[i] < ' ' && text.ptr[i] != '\t') || text.ptr[i] == 0x7f) return false;
  }
  return true;
}

static enum http_head_result fault(struct http_head *head, enum status status, uint32_t code, const char *text) {
  head->status = status;
  head->code = code;
  head->fault = text;
  return HTTP_HEAD_FAULT;
}

static enum http_head_result invalid(struct http_head *head, const char *text) {
  return fault(head, STATUS_INVALID, 400, text);
}

static enum http_head_result too_long(struct http_head *head) {
  return head->has_request_line ? fault(head, STATUS_TOO_LARGE, 431, "the request's headers are too long")
                                : fault(head, STATUS_TOO_LARGE, 414, "the request line is too long");
}

static struct http_head_part part_of(struct slice bytes, struct slice inside) {
  return (struct http_head_part){(uint32_t)(inside.ptr - bytes.ptr), (uint32_t)inside.len};
}

static struct slice slice_of(struct slice bytes, struct http_head_part part) {
  return slice_sub(bytes, part.at, part.len);
}

// ---- the request line

// Where the authority of an absolute target begins; 0: it is none.
static size_t scheme_len(struct slice target) {
  static const char *const schemes[] = {"http://", "https://"};
  for (size_t i = 0; i < 2; i++) {
    size_t len = strlen(schemes[i]);
    if (slice_equal_ignore_case(slice_sub(target, 0, len), slice_from_cstr(schemes[i]))) return len;
  }
  return 0;
}

// RFC 9112, 3.2. False for what is no path: CONNECT's authority, other schemes.
static bool read_target(struct http_head *head, struct slice bytes, struct slice target, bool is_options) {
  struct slice rest = target;
  size_t scheme = scheme_len(target);
  if (scheme > 0) {
    rest = slice_skip(target, scheme);
    size_t end = 0;
    while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?') end++;
    if (end == 0) return false;
    head->authority = part_of(bytes, slice_sub(rest, 0, end));
    rest = slice_skip(rest, end);
  } else if (target.ptr[0] != '/' && !(is_options && target.len == 1 && target.ptr[0] == '*')) {
    return false;
  }
  size_t mark = slice_find_byte(rest, '?');
  head->path = part_of(bytes, slice_sub(rest, 0, mark));
  head->query = part_of(bytes, slice_skip(rest, mark + 1));
  return true;
}

static enum http_head_result read_version(struct http_head *head, struct slice version) {
  bool is_version = version.len == 8 && memcmp(version.ptr, "HTTP/", 5) == 0 && version.ptr[5] >= '0' &&
                    version.ptr[5] <= '9' && version.ptr[6] == '.' && version.ptr[7] >= '0' && version.ptr[7] <= '9';
  if (!is_version) return invalid(head, REQUEST_LINE_FAULT);
  if (version.ptr[5] != '1') return fault(head, STATUS_UNSUPPORTED, 505, "HTTP/1.0 and HTTP/1.1 are served here");
  head->minor_version = version.ptr[7] > '0';
  return HTTP_HEAD_MORE;
}

static enum http_head_result request_line(struct http_head *head, struct slice bytes, struct slice line) {
  if (line.len == 0) return HTTP_HEAD_MORE;
  struct slice method = slice_sub(line, 0, slice_find_byte(line, ' '));
  struct slice rest = slice_skip(line, method.len + 1);
  struct slice target = slice_sub(rest, 0, slice_find_byte(rest, ' '));
  if (!is_token(method) || !is_visible(target)) return invalid(head, REQUEST_LINE_FAULT);
  enum http_head_result result = read_version(head, slice_skip(rest, target.len + 1));
  if (result != HTTP_HEAD_MORE) return result;
  if (!read_target(head, bytes, target, slice_equal_cstr(method, "OPTIONS"))) {
    return invalid(head, "the request target is not a path");
  }
  head->method = part_of(bytes, method);
  head->has_request_line = true;
  return HTTP_HEAD_MORE;
}

// ---- fields

static void read_connection(struct http_head *head, struct slice list) {
  while (list.len > 0) {
    size_t comma = slice_find_byte(list, ',');
    struct slice option = slice_trim(slice_sub(list, 0, comma));
    if (slice_equal_ignore_case(option, SLICE_LITERAL("close"))) head->says_close = true;
    if (slice_equal_ignore_case(option, SLICE_LITERAL("keep-alive"))) head->says_keep_alive = true;
    list = slice_skip(list, comma + 1);
  }
}

// The few that say where the request ends and what becomes of the connection. What is wrong with them is said at the
// end of the head, by finish, except for a value that cannot be kept.
static const char *read_framing(struct http_head *head, struct slice bytes, struct slice name, struct slice value) {
  switch (name.len) {
  case 4:
    if (!slice_equal_ignore_case(name, SLICE_LITERAL("host"))) break;
    head->hosts++;
    head->host = part_of(bytes, value);
    break;
  case 6:
    if (!slice_equal_ignore_case(name, SLICE_LITERAL("expect"))) break;
    head->expects_continue |= slice_equal_ignore_case(value, SLICE_LITERAL("100-continue"));
    break;
  case 10:
    if (slice_equal_ignore_case(name, SLICE_LITERAL("connection"))) read_connection(head, value);
    break;
  case 14:
    if (!slice_equal_ignore_case(name, SLICE_LITERAL("content-length"))) break;
    head->lengths++;
    if (!slice_to_u64(value, &head->content_length)) return "a Content-Length that is not a number";
    break;
  case 17:
    if (!slice_equal_ignore_case(name, SLICE_LITERAL("transfer-encoding"))) break;
    head->encodings++;
    if (!slice_equal_ignore_case(value, SLICE_LITERAL("chunked"))) return "a Transfer-Encoding that is not served";
    break;
  default: break;
  }
  return NULL;
}

static enum http_head_result field_line(struct http_head *head, struct slice bytes, struct slice line) {
  if (is_blank(line.ptr[0])) return invalid(head, "a header line is folded");
  size_t colon = slice_find_byte(line, ':');
  struct slice name = slice_sub(line, 0, colon), value = slice_skip(line, colon + 1);
  if (colon == line.len || !is_token(name)) return invalid(head, "a header name is not a token");
  if (!is_field_value(value)) return invalid(head, "a header holds a control character");
  while (value.len > 0 && is_blank(value.ptr[0])) value = slice_skip(value, 1);
  while (value.len > 0 && is_blank(value.ptr[value.len - 1])) value.len--;
  if (head->field_count == HTTP_HEAD_FIELDS_MAX) {
    return fault(head, STATUS_TOO_LARGE, 431, "the request has too many headers and parameters");
  }
  head->fields[head->field_count++] = (struct http_head_field){part_of(bytes, name), part_of(bytes, value)};
  const char *text = read_framing(head, bytes, name, value);
  return text ? invalid(head, text) : HTTP_HEAD_MORE;
}

// What no host and port can hold (RFC 9110, 7.2), and where two parsers would see different names.
static bool is_host(struct slice value) {
  static const char never[] = "\"#/<>?@\\^`{|}";
  for (size_t i = 0; i < value.len; i++) {
    uint8_t byte = value.ptr[i];
    if (byte <= ' ' || byte >= 0x7f || memchr(never, byte, sizeof(never) - 1)) return false;
  }
  return true;
}

// Framing that two parsers could read differently is refused (RFC 9112, 6.3).
static enum http_head_result finish(struct http_head *head, struct slice bytes) {
  if (head->lengths > 1) return invalid(head, "more than one Content-Length");
  if (head->encodings > 1) return invalid(head, "more than one Transfer-Encoding");
  if (head->lengths && head->encodings) return invalid(head, "Content-Length and Transfer-Encoding together");
  if (head->encodings && head->minor_version == 0) return invalid(head, "Transfer-Encoding before HTTP/1.1");
  if (head->hosts > 1 || (head->hosts == 0 && head->minor_version > 0)) return invalid(head, "not exactly one Host");
  if (!is_host(slice_of(bytes, head->host))) return invalid(head, "a Host that is none");
  if (head->authority.len && head->hosts &&
      !slice_equal_ignore_case(slice_of(bytes, head->authority), slice_of(bytes, head->host))) {
    return invalid(head, "the request target has another host than Host");
  }
  head->chunked = head->encodings > 0;
  head->expects_continue &= head->minor_version > 0;
  head->keep_alive = !head->says_close && (head->minor_version > 0 || head->says_keep_alive);
  head->len = head->line_at;
  return HTTP_HEAD_DONE;
}

// ---- lines

void http_head_begin(struct http_head *head) {
  memset(head, 0, offsetof(struct http_head, fields));
}

enum http_head_result http_head_parse(struct http_head *head, struct slice bytes) {
  ASSERT(head->scanned <= bytes.len && !head->fault && head->len == 0);
  enum http_head_result result = HTTP_HEAD_MORE;
  while (result == HTTP_HEAD_MORE && head->line_at < bytes.len) {
    // What cannot become a request is not waited for: a TLS client at a plain port sends no LF.
    uint8_t first = bytes.ptr[head->line_at];
    if (!head->has_request_line && first != '\r' && !is_token_byte(first)) return invalid(head, REQUEST_LINE_FAULT);
    const uint8_t *from = bytes.ptr + head->scanned, *behind = bytes.ptr + bytes.len;
    const uint8_t *lf = memchr(from, '\n', (size_t)(behind - from));
    size_t end = lf ? (size_t)(lf - bytes.ptr) + 1 : bytes.len;
    if (end > HTTP_HEAD_BYTES_MAX || (!lf && end == HTTP_HEAD_BYTES_MAX)) return too_long(head);
    head->scanned = (uint32_t)end;
    if (!lf) return HTTP_HEAD_MORE;
    struct slice line = slice_make(bytes.ptr + head->line_at, end - head->line_at - 1);
    head->line_at = (uint32_t)end;
    if (line.len == 0 || line.ptr[line.len - 1] != '\r') return invalid(head, "a line ends without CRLF");
    line.len--;
    if (!head->has_request_line) {
      result = request_line(head, bytes, line);
    } else {
      result = line.len > 0 ? field_line(head, bytes, line) : finish(head, bytes);
    }
  }
  return result;
}
