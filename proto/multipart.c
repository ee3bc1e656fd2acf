// SPDX-License-Identifier: Apache-2.0
//
// How it works:
//
//   body      = [preamble CRLF] delimiter *(CRLF headers CRLF CRLF bytes CRLF delimiter) "--" [epilogue]
//   delimiter = "--" boundary
//
// A part ends at the first CRLF delimiter, so every byte is looked at a bounded number of times. White space behind a
// delimiter is passed over.
#include "proto/multipart.h"

#define CRLF SLICE_LITERAL("\r\n")

static struct slice skip_blank(struct slice text) {
  while (text.len > 0 && (text.ptr[0] == ' ' || text.ptr[0] == '\t')) text = slice_skip(text, 1);
  return text;
}

// Cuts the next `; name=value` or `; name="value"` off the front of *rest.
static bool next_parameter(struct slice *rest, struct slice *out_name, struct slice *out_value) {
  size_t semicolon = slice_find_byte(*rest, ';');
  if (semicolon == rest->len) return false;
  struct slice text = skip_blank(slice_skip(*rest, semicolon + 1));
  size_t equals = slice_find_byte(text, '=');
  size_t next = slice_find_byte(text, ';');
  if (equals > next || equals == text.len) { // a word without a value
    *out_name = slice_trim(slice_sub(text, 0, next));
    *out_value = (struct slice){0};
    *rest = slice_skip(text, next);
    return true;
  }
  *out_name = slice_trim(slice_sub(text, 0, equals));
  text = skip_blank(slice_skip(text, equals + 1));
  size_t end = 0;
  if (text.len > 0 && text.ptr[0] == '"') {
    text = slice_skip(text, 1);
    while (end < text.len && text.ptr[end] != '"') end += text.ptr[end] == '\\' && end + 1 < text.len ? 2 : 1;
    *out_value = slice_sub(text, 0, end);
  } else {
    end = slice_find_byte(text, ';');
    *out_value = slice_trim(slice_sub(text, 0, end));
  }
  *rest = slice_skip(text, end);
  return true;
}

static struct slice parameter(struct slice header, const char *wanted) {
  struct slice name, value;
  while (next_parameter(&header, &name, &value)) {
    if (slice_equal_ignore_case(name, slice_from_cstr(wanted))) return value;
  }
  return (struct slice){0};
}

static bool is_boundary(struct slice boundary) {
  for (size_t i = 0; i < boundary.len; i++) {
    if (boundary.ptr[i] < ' ' || boundary.ptr[i] > '~') return false;
  }
  return boundary.len > 0 && boundary.len <= MULTIPART_BOUNDARY_MAX;
}

// The next delimiter at the start of a line: *out_before is what stands before it, *rest what stands behind.
static bool find_delimiter(const struct multipart *multipart, struct slice *rest, struct slice *out_before) {
  char text[MULTIPART_BOUNDARY_MAX + 4] = "\r\n--";
  memcpy(text + 4, multipart->boundary.ptr, multipart->boundary.len);
  struct slice delimiter = slice_make(text, multipart->boundary.len + 4);
  size_t at = slice_find(*rest, delimiter);
  if (at > rest->len) return false;
  *out_before = slice_sub(*rest, 0, at);
  *rest = slice_skip(*rest, at + delimiter.len);
  return true;
}

enum status multipart_open(struct multipart *multipart, struct slice content_type, struct slice body,
                           struct error *error) {
  struct slice type = slice_trim(slice_sub(content_type, 0, slice_find_byte(content_type, ';')));
  if (!slice_equal_ignore_case(type, SLICE_LITERAL("multipart/form-data")))
    return error_set(error, STATUS_UNSUPPORTED, "Content-Type: multipart/form-data is served");
  struct multipart new = {.boundary = parameter(content_type, "boundary"), .rest = body};
  if (!is_boundary(new.boundary)) return error_set(error, STATUS_INVALID, "Content-Type: no usable boundary");
  struct slice rest = slice_skip(body, 2), preamble;
  bool at_start = slice_starts_with(body, SLICE_LITERAL("--")) && slice_starts_with(rest, new.boundary);
  if (at_start) {
    new.rest = slice_skip(rest, new.boundary.len);
  } else if (!find_delimiter(&new, &new.rest, &preamble)) {
    return error_set(error, STATUS_INVALID, "the boundary is not in the body");
  }
  *multipart = new;
  return STATUS_OK;
}

static void read_header(struct slice line, struct multipart_part *part) {
  size_t colon = slice_find_byte(line, ':');
  struct slice name = slice_trim(slice_sub(line, 0, colon)), value = slice_skip(line, colon + 1);
  if (slice_equal_ignore_case(name, SLICE_LITERAL("content-disposition"))) {
    part->name = parameter(value, "name");
    part->filename = parameter(value, "filename");
  } else if (slice_equal_ignore_case(name, SLICE_LITERAL("content-type"))) {
    part->content_type = slice_trim(value);
  }
}

// Takes the header lines and the empty line behind them off the front of *rest.
static bool read_headers(struct slice *rest, struct multipart_part *part) {
  struct slice text = slice_sub(*rest, 0, MULTIPART_HEADERS_MAX);
  size_t used = 0;
  for (;;) {
    size_t end = slice_find(text, CRLF);
    if (end > text.len) return false;
    used += end + CRLF.len;
    if (end == 0) break;
    read_header(slice_sub(text, 0, end), part);
    text = slice_skip(text, end + CRLF.len);
  }
  *rest = slice_skip(*rest, used);
  return true;
}

enum status multipart_next(struct multipart *multipart, struct multipart_part *out_part, struct error *error) {
  if (slice_starts_with(multipart->rest, SLICE_LITERAL("--"))) return STATUS_END;
  struct slice rest = skip_blank(multipart->rest);
  if (!slice_starts_with(rest, CRLF)) return error_set(error, STATUS_INVALID, "no line ends behind a boundary");
  rest = slice_skip(rest, CRLF.len);
  struct multipart_part part = {0};
  if (!read_headers(&rest, &part)) {
    return error_set(error, STATUS_INVALID, "a part's headers do not end within %zu bytes", MULTIPART_HEADERS_MAX);
  }
  // A part without bytes may have its delimiter right behind the empty line, whose CRLF is the delimiter's then.
  struct slice bytes = slice_make(rest.ptr - CRLF.len, rest.len + CRLF.len), before;
  if (!find_delimiter(multipart, &bytes, &before)) return error_set(error, STATUS_INVALID, "a part does not end");
  part.body = slice_skip(before, CRLF.len);
  multipart->rest = bytes;
  *out_part = part;
  return STATUS_OK;
}
