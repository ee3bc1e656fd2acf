// SPDX-License-Identifier: Apache-2.0
//
// How it works: JSON shows in its first byte. Base64 of either alphabet is taken; '=' ends it.
#include "receiver/sentry_unwrap.h"

#include "base/decompress.h"

static int base64_digit(uint8_t c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  if (c == '+' || c == '-' || c == ' ') return 62; // a '+' that went through a query is a space
  if (c == '/' || c == '_') return 63;
  return -1;
}

// False on anything that is not base64; '=' ends it.
static bool decode_base64(struct slice text, struct buffer *out) {
  uint32_t bits = 0, held = 0;
  for (size_t i = 0; i < text.len && text.ptr[i] != '='; i++) {
    if (text.ptr[i] == '\n' || text.ptr[i] == '\r') continue;
    int digit = base64_digit(text.ptr[i]);
    if (digit < 0) return false;
    bits = bits << 6 | (uint32_t)digit;
    held += 6;
    if (held < 8) continue;
    held -= 8;
    buffer_append_byte(out, (uint8_t)(bits >> held));
  }
  return !out->failed;
}

enum status sentry_unwrap(struct slice text, struct buffer *decoded, struct buffer *inflated, struct slice *out_json,
                          struct error *error) {
  *out_json = text;
  if (text.len > 0 && (text.ptr[0] == '{' || text.ptr[0] == '[' || text.ptr[0] == 0xef)) return STATUS_OK;
  if (!decode_base64(text, decoded) || decoded->len == 0) {
    return error_set(error, STATUS_INVALID, "the body is neither JSON nor base64");
  }
  *out_json = buffer_slice(decoded);
  if (out_json->ptr[0] == '{') return STATUS_OK;
  enum status status = decompress(ENCODING_DEFLATE, *out_json, inflated, error);
  *out_json = buffer_slice(inflated);
  return status;
}
