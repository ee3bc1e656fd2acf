// SPDX-License-Identifier: Apache-2.0
//
// Repairing walks the text once and knows only strings and runs of digits. Locating is a pushdown automaton over the
// grammar of RFC 8259; the stack is one bool a level.
#include "base/json_fault.h"

#include <string.h>

#include "base/json.h"
#include "base/utf8.h"

static bool is_digit(uint8_t byte) {
  return byte >= '0' && byte <= '9';
}

// The value of \uXXXX at `at`, or -1 when that is not there.
static int32_t unicode_escape(const uint8_t *text, size_t len, size_t at) {
  uint8_t bytes[2];
  if (len - at < 6 || text[at] != '\\' || text[at + 1] != 'u') return -1;
  if (!slice_from_hex(slice_make(text + at + 2, 4), bytes, 2)) return -1;
  return bytes[0] << 8 | bytes[1];
}

// From the quote that opens a string at *at to behind the one that closes it, or to the end of the text.
static bool repair_string(uint8_t *text, size_t len, size_t *at) {
  bool changed = false;
  size_t i = *at + 1;
  while (i < len && text[i] != '"') {
    if (text[i] != '\\') {
      i++;
      continue;
    }
    int32_t unit = unicode_escape(text, len, i);
    if (unit < 0xD800 || unit > 0xDFFF) {
      i += 2; // also right for other escapes of four digits, which hold neither quotes nor backslashes
      continue;
    }
    int32_t next = unit <= 0xDBFF ? unicode_escape(text, len, i + 6) : -1;
    if (next >= 0xDC00 && next <= 0xDFFF) {
      i += 12;
      continue;
    }
    memcpy(text + i + 2, "fffd", 4);
    changed = true;
    i += 6;
  }
  *at = i < len ? i + 1 : len;
  return changed;
}

// True when the digits are an integer that fits neither int64 nor uint64.
static bool is_beyond_64_bits(const uint8_t *digits, size_t count, bool negative) {
  const char *limit = negative ? "9223372036854775808" : "18446744073709551615";
  size_t limit_len = strlen(limit);
  return count > limit_len || (count == limit_len && memcmp(digits, limit, limit_len) > 0);
}

// From the first character of a number at *at to behind it.
static bool repair_number(uint8_t *text, size_t len, size_t *at) {
  size_t i = *at;
  bool negative = text[i] == '-';
  if (negative) i++;
  size_t start = i;
  while (i < len && is_digit(text[i])) i++;
  size_t count = i - start;
  bool integer = i == len || (text[i] != '.' && text[i] != 'e' && text[i] != 'E');
  bool changed = integer && is_beyond_64_bits(text + start, count, negative) && text[start] != '0';
  if (changed) memcpy(text + i - 2, "e2", 2);
  while (i < len && (is_digit(text[i]) || strchr(".eE+-", text[i]) != NULL) && text[i] != '\0') i++;
  *at = i;
  return changed;
}

bool json_fault_repair(uint8_t *text, size_t len) {
  bool changed = false;
  size_t at = 0;
  while (at < len) {
    if (text[at] == '"') {
      changed |= repair_string(text, len, &at);
    } else if (text[at] == '-' || is_digit(text[at])) {
      changed |= repair_number(text, len, &at);
    } else {
      at++;
    }
  }
  return changed;
}

// What may come next.
enum expect { EXPECT_VALUE, EXPECT_VALUE_OR_END, EXPECT_KEY, EXPECT_KEY_OR_END, EXPECT_COLON, EXPECT_COMMA_OR_END };

struct locator {
  struct slice text;
  size_t at;
  const char *words; // set with the first fault
  size_t depth;
  enum expect expect;
  bool objects[JSON_DEPTH_MAX]; // per open container: an object, else an array
};

static bool fault(struct locator *locator, const char *words) {
  locator->words = locator->at < locator->text.len ? words : "it ends early";
  return false;
}

static uint8_t peek(const struct locator *locator) {
  return locator->at < locator->text.len ? locator->text.ptr[locator->at] : 0;
}

static bool take_escape(struct locator *locator) {
  if (unicode_escape(locator->text.ptr, locator->text.len, locator->at) >= 0) {
    locator->at += 6;
    return true;
  }
  locator->at++;
  uint8_t byte = peek(locator);
  if (byte == 0 || strchr("\"\\/bfnrt", byte) == NULL) return fault(locator, "bad escape in a string");
  locator->at++;
  return true;
}

static bool take_string(struct locator *locator) {
  locator->at++;
  while (peek(locator) != '"') {
    if (locator->at >= locator->text.len) return fault(locator, "");
    if (peek(locator) < 0x20) return fault(locator, "control character in a string");
    if (peek(locator) == '\\') {
      if (!take_escape(locator)) return false;
      continue;
    }
    bool valid;
    size_t step = utf8_step(locator->text, locator->at, &valid);
    if (!valid) return fault(locator, "not UTF-8");
    locator->at += step;
  }
  locator->at++;
  return true;
}

static bool take_digits(struct locator *locator) {
  if (!is_digit(peek(locator))) return fault(locator, "bad number");
  while (is_digit(peek(locator))) locator->at++;
  return true;
}

static bool take_number(struct locator *locator) {
  if (peek(locator) == '-') locator->at++;
  if (peek(locator) == '0') {
    locator->at++;
    if (is_digit(peek(locator))) return fault(locator, "number with a leading zero");
  } else if (!take_digits(locator)) {
    return false;
  }
  if (peek(locator) == '.') {
    locator->at++;
    if (!take_digits(locator)) return false;
  }
  if (peek(locator) != 'e' && peek(locator) != 'E') return true;
  locator->at++;
  if (peek(locator) == '+' || peek(locator) == '-') locator->at++;
  return take_digits(locator);
}

static bool take_word(struct locator *locator, const char *word) {
  for (; *word; word++, locator->at++) {
    if (peek(locator) != (uint8_t)*word) return fault(locator, "a value is expected");
  }
  return true;
}

static bool open_container(struct locator *locator, bool object) {
  if (locator->depth == JSON_DEPTH_MAX) return fault(locator, "nested too deeply");
  locator->objects[locator->depth++] = object;
  locator->expect = object ? EXPECT_KEY_OR_END : EXPECT_VALUE_OR_END;
  locator->at++;
  return true;
}

static bool take_value(struct locator *locator) {
  uint8_t byte = peek(locator);
  locator->expect = EXPECT_COMMA_OR_END;
  switch (byte) {
  case '[':
  case '{': return open_container(locator, byte == '{');
  case '"': return take_string(locator);
  case 't': return take_word(locator, "true");
  case 'f': return take_word(locator, "false");
  case 'n': return take_word(locator, "null");
  default: break;
  }
  return byte == '-' || is_digit(byte) ? take_number(locator) : fault(locator, "a value is expected");
}

static bool take_comma_or_end(struct locator *locator) {
  bool object = locator->objects[locator->depth - 1];
  uint8_t byte = peek(locator);
  if (byte == ',') {
    locator->expect = object ? EXPECT_KEY : EXPECT_VALUE;
  } else if (byte == (object ? '}' : ']')) {
    locator->depth--;
    locator->expect = EXPECT_COMMA_OR_END;
  } else {
    return fault(locator, object ? "a comma or } is expected" : "a comma or ] is expected");
  }
  locator->at++;
  return true;
}

// One token; false at a fault.
static bool take_token(struct locator *locator) {
  uint8_t byte = peek(locator);
  enum expect expect = locator->expect;
  if ((expect == EXPECT_VALUE_OR_END && byte == ']') || (expect == EXPECT_KEY_OR_END && byte == '}')) {
    return take_comma_or_end(locator);
  }
  switch (expect) {
  case EXPECT_VALUE:
  case EXPECT_VALUE_OR_END: return take_value(locator);
  case EXPECT_KEY:
  case EXPECT_KEY_OR_END:
    locator->expect = EXPECT_COLON;
    return byte == '"' ? take_string(locator) : fault(locator, "a key in quotes is expected");
  case EXPECT_COLON:
    locator->expect = EXPECT_VALUE;
    if (byte != ':') return fault(locator, "a colon is expected");
    locator->at++;
    return true;
  case EXPECT_COMMA_OR_END: break;
  }
  return take_comma_or_end(locator);
}

static void skip_space(struct locator *locator) {
  uint8_t byte = peek(locator);
  while (byte == ' ' || byte == '\t' || byte == '\n' || byte == '\r') {
    locator->at++;
    byte = peek(locator);
  }
}

bool json_fault_locate(struct slice text, size_t *out_offset, const char **out_words) {
  struct locator locator = {.text = text, .expect = EXPECT_VALUE};
  bool sound = true;
  skip_space(&locator);
  while (sound && (locator.depth > 0 || locator.expect != EXPECT_COMMA_OR_END)) {
    sound = take_token(&locator);
    if (sound) skip_space(&locator);
  }
  if (sound && locator.at == text.len) return false;
  *out_offset = locator.at;
  *out_words = sound ? "something follows the document" : locator.words;
  return true;
}
