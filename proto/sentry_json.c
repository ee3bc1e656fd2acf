// SPDX-License-Identifier: Apache-2.0
//
// How it works: one pass that knows only whether it is inside a string. What needs no mending is copied in runs.
//
// A number too large for a double is told by its magnitude, the place of its first digit counted from the point: above
// 309 always, at 309 when its first digits are above those of the largest double, 1.7976931348623157e308.
#include "proto/sentry_json.h"

#include "base/utf8.h"

// The bytes at the front of `text` that are a number JSON has no form for; 0: none.
static size_t non_number(struct slice text) {
  const struct slice words[] = {SLICE_LITERAL("NaN"), SLICE_LITERAL("Infinity"), SLICE_LITERAL("-Infinity")};
  for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
    if (slice_starts_with(text, words[i])) return words[i].len;
  }
  return 0;
}

#define MAGNITUDE_MAX    309
#define LEADING_DIGITS   17
#define LEADING_MAX      UINT64_C(17976931348623157)
#define EXPONENT_CEILING 1000000

static bool is_digit(uint8_t c) {
  return c >= '0' && c <= '9';
}

// The value behind 'e', held below EXPONENT_CEILING on either side of zero; *at is moved behind it.
static int64_t exponent_of(struct slice text, size_t *at) {
  bool negative = *at < text.len && text.ptr[*at] == '-';
  if (*at < text.len && (text.ptr[*at] == '-' || text.ptr[*at] == '+')) ++*at;
  int64_t exponent = 0;
  for (; *at < text.len && is_digit(text.ptr[*at]); ++*at) {
    if (exponent < EXPONENT_CEILING) exponent = exponent * 10 + (text.ptr[*at] - '0');
  }
  return negative ? -exponent : exponent;
}

// The length of the number at the front of `text` (which begins with a digit), and whether a double can hold it.
static size_t number(struct slice text, bool *out_too_large) {
  size_t at = 0;
  int64_t magnitude = 0;
  uint64_t leading = 0, taken = 0;
  bool fraction = false;
  for (; at < text.len && (is_digit(text.ptr[at]) || (text.ptr[at] == '.' && !fraction)); at++) {
    if (text.ptr[at] == '.') {
      fraction = true;
      continue;
    }
    bool counts = taken > 0 || text.ptr[at] != '0';
    if (counts && taken++ < LEADING_DIGITS) leading = leading * 10 + (uint64_t)(text.ptr[at] - '0');
    if (counts && !fraction) magnitude++;
    if (!counts && fraction) magnitude--;
  }
  for (uint64_t i = taken; i < LEADING_DIGITS; i++) leading *= 10;
  if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
    at++;
    magnitude += exponent_of(text, &at);
  }
  *out_too_large = taken > 0 && (magnitude > MAGNITUDE_MAX || (magnitude == MAGNITUDE_MAX && leading > LEADING_MAX));
  return at;
}

// Is what stands at the front of `text`, outside of strings, a number that JSON or a double cannot hold? *out_len: how
// much of the text that, or another number, is; else untouched.
static bool is_unwritable(struct slice text, size_t *out_len) {
  size_t word = non_number(text);
  if (word > 0) {
    *out_len = word;
    return true;
  }
  size_t sign = text.ptr[0] == '-' ? 1 : 0;
  if (text.len == sign || !is_digit(text.ptr[sign])) return false;
  bool too_large;
  *out_len = sign + number(slice_skip(text, sign), &too_large);
  return too_large;
}

void sentry_json_mend(struct slice text, struct buffer *out) {
  if (slice_starts_with(text, SLICE_LITERAL("\xEF\xBB\xBF"))) text = slice_skip(text, 3);
  bool in_string = false;
  size_t run = 0; // start of what is to be copied as it is
  for (size_t at = 0; at < text.len;) {
    uint8_t c = text.ptr[at];
    bool valid = true;
    size_t len = c < 0x80 ? 1 : utf8_step(text, at, &valid);
    struct slice mended = {0};
    char escaped[8];
    if (!valid) {
      mended = UTF8_REPLACEMENT;
    } else if (in_string && c < 0x20) {
      static const char digits[] = "0123456789abcdef";
      memcpy(escaped, "\\u00", 4);
      escaped[4] = digits[c >> 4];
      escaped[5] = digits[c & 15];
      mended = slice_make(escaped, 6);
    } else if (in_string && c == '\\' && at + 1 < text.len && text.ptr[at + 1] >= 0x20 && text.ptr[at + 1] < 0x80) {
      len = 2;
    } else if (c == '"') {
      in_string = !in_string;
    } else if (!in_string && (c == 'N' || c == 'I' || c == '-' || is_digit(c))) {
      if (is_unwritable(slice_skip(text, at), &len)) mended = SLICE_LITERAL("null");
    }
    if (mended.len > 0) {
      buffer_append_slice(out, slice_sub(text, run, at - run));
      buffer_append_slice(out, mended);
      run = at + len;
    }
    at += len;
  }
  buffer_append_slice(out, slice_skip(text, run));
}

enum status sentry_json_parse(struct json_parser *parser, struct slice text, struct buffer *scratch,
                              struct json_value *out_root, struct error *error) {
  enum status status = json_parse(parser, text, out_root, error);
  if (status != STATUS_INVALID) return status;
  buffer_clear(scratch);
  sentry_json_mend(text, scratch);
  struct slice mended = buffer_slice(scratch);
  if (scratch->failed || slice_equal(mended, text)) return status;
  struct json_value root;
  if (json_parse(parser, mended, &root, NULL) != STATUS_OK) return status; // the words are about what came
  *out_root = root;
  return STATUS_OK;
}
