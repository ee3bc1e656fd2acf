// SPDX-License-Identifier: Apache-2.0
//
// How it works: one pass that knows only whether it is inside a string. What needs no mending is copied in runs.
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
    } else if (!in_string && (c == 'N' || c == 'I' || c == '-')) {
      size_t word = non_number(slice_skip(text, at));
      if (word > 0) {
        len = word;
        mended = SLICE_LITERAL("null");
      }
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
