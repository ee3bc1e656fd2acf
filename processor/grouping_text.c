// SPDX-License-Identifier: Apache-2.0
//
// ASCII is decided by its byte; other characters are decoded and looked up in short tables of ranges. What is no word
// beyond ASCII: punctuation, symbols, arrows, drawing, emoji. Everything else there is a letter, a digit or a mark, or
// so rare that it does not matter which.
#include "processor/grouping_text.h"

#include <stdint.h>

#include "base/utf8.h"

struct range {
  uint32_t first, last;
};

static const struct range no_words[] = {
    {0x80, 0xA9},     {0xAB, 0xB1},     {0xB4, 0xB4},     {0xB6, 0xB8},     {0xBB, 0xBB},
    {0xBF, 0xBF},     {0xD7, 0xD7},     {0xF7, 0xF7},     {0x2000, 0x206F}, {0x20A0, 0x20CF},
    {0x2190, 0x245F}, {0x2500, 0x2BFF}, {0x2E00, 0x2E2E}, {0x2E30, 0x2E7F}, {0x3000, 0x3004},
    {0x3008, 0x3020}, {0x3030, 0x3030}, {0xE000, 0xF8FF}, {0xFE10, 0xFE6F}, {0xFF01, 0xFF0F},
    {0xFF1A, 0xFF20}, {0xFF3B, 0xFF40}, {0xFF5B, 0xFF65}, {0xFFE0, 0xFFFF}, {0x1F000, 0x1FAFF}};

static uint32_t decode(struct slice text, size_t at, size_t *out_len) {
  bool valid = false;
  *out_len = utf8_step(text, at, &valid);
  if (!valid) {
    *out_len = 1;
    return 0x10FFFF; // no range has it
  }
  static const uint8_t masks[] = {0, 0x7F, 0x1F, 0x0F, 0x07};
  uint32_t code = text.ptr[at] & masks[*out_len];
  for (size_t i = 1; i < *out_len; i++) code = code << 6 | (text.ptr[at + i] & 0x3Fu);
  return code;
}

static bool is_ascii_space(uint8_t c) {
  return c == ' ' || (c >= '\t' && c <= '\r') || (c >= 0x1C && c <= 0x1F);
}

size_t grouping_text_step(struct slice text, size_t at) {
  if (text.ptr[at] < 0x80) return 1;
  size_t len;
  decode(text, at, &len);
  return len;
}

size_t grouping_text_space(struct slice text, size_t at) {
  if (at >= text.len) return 0;
  uint8_t c = text.ptr[at];
  if (c < 0x80) return is_ascii_space(c) ? 1 : 0;
  size_t len;
  uint32_t code = decode(text, at, &len);
  bool space = code == 0x85 || code == 0xA0 || code == 0x1680 || (code >= 0x2000 && code <= 0x200A) || code == 0x2028 ||
               code == 0x2029 || code == 0x202F || code == 0x205F || code == 0x3000;
  return space ? len : 0;
}

bool grouping_text_word_at(struct slice text, size_t at) {
  if (at >= text.len) return false;
  uint8_t c = text.ptr[at];
  if (c < 0x80) return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_';
  size_t len;
  uint32_t code = decode(text, at, &len);
  for (size_t i = 0; i < sizeof(no_words) / sizeof(no_words[0]) && no_words[i].first <= code; i++) {
    if (code <= no_words[i].last) return false;
  }
  return true;
}

bool grouping_text_word_before(struct slice text, size_t at) {
  if (at == 0 || at > text.len) return false;
  size_t start = at - 1;
  if (text.ptr[start] < 0x80) return grouping_text_word_at(text, start);
  while (start > 0 && at - start < 4 && (text.ptr[start] & 0xC0) == 0x80) start--;
  if (start + grouping_text_step(text, start) != at) start = at - 1; // stray continuation bytes
  return grouping_text_word_at(text, start);
}

static size_t line_end(struct slice text, size_t at) {
  uint8_t c = text.ptr[at];
  if (c == '\r' && at + 1 < text.len && text.ptr[at + 1] == '\n') return 2;
  if (c < 0x80) return (c >= '\n' && c <= '\r') || (c >= 0x1C && c <= 0x1E) ? 1 : 0;
  if (c != 0xC2 && c != 0xE2) return 0;
  size_t len;
  uint32_t code = decode(text, at, &len);
  return code == 0x85 || code == 0x2028 || code == 0x2029 ? len : 0;
}

// Past bytes of printable ASCII, eight at a time.
static size_t skip_printable(struct slice text, size_t at) {
  static const uint64_t ones = UINT64_C(0x0101010101010101), tops = UINT64_C(0x8080808080808080);
  for (; at + sizeof(uint64_t) <= text.len; at += sizeof(uint64_t)) {
    uint64_t word;
    memcpy(&word, text.ptr + at, sizeof word);
    if (((word | (word - ones * ' ')) & tops) != 0) break;
  }
  return at;
}

struct slice grouping_text_line(struct slice text, size_t from, size_t *out_next) {
  size_t at = skip_printable(text, from), end = 0;
  while (at < text.len && ((text.ptr[at] >= ' ' && text.ptr[at] < 0x80) || (end = line_end(text, at)) == 0)) at++;
  *out_next = at + end;
  return slice_sub(text, from, at - from);
}

struct slice grouping_text_first_line(struct slice text) {
  size_t next;
  return grouping_text_line(text, 0, &next);
}

struct slice grouping_text_trim(struct slice text) {
  size_t from = 0, space;
  while ((space = grouping_text_space(text, from)) > 0) from += space;
  // A byte of ASCII is a character whatever stands before it, so as long as there are only such it goes from the end.
  while (text.len > from && is_ascii_space(text.ptr[text.len - 1])) text.len--;
  if (text.len > from && text.ptr[text.len - 1] < 0x80) return slice_sub(text, from, text.len - from);
  size_t end = from; // behind the last character that is no space
  for (size_t at = from; at < text.len;) {
    space = grouping_text_space(text, at);
    at += space > 0 ? space : grouping_text_step(text, at);
    if (space == 0) end = at;
  }
  return slice_sub(text, from, end - from);
}

struct slice grouping_text_collapse(struct slice text, struct arena *arena) {
  text = grouping_text_trim(text);
  bool same = true;
  for (size_t at = 0; at < text.len && same;) {
    if (text.ptr[at] > ' ' && text.ptr[at] < 0x80) {
      at++;
      continue;
    }
    size_t space = grouping_text_space(text, at);
    if (space > 0) same = space == 1 && text.ptr[at] == ' ' && grouping_text_space(text, at + 1) == 0;
    at += space > 0 ? space : grouping_text_step(text, at);
  }
  if (same) return text;
  uint8_t *out = arena_alloc(arena, text.len);
  if (out == NULL) return (struct slice){0};
  size_t len = 0;
  for (size_t at = 0; at < text.len;) {
    size_t space = grouping_text_space(text, at);
    if (space > 0) {
      out[len++] = ' ';
      while ((space = grouping_text_space(text, at)) > 0) at += space;
    } else {
      size_t step = grouping_text_step(text, at);
      memcpy(out + len, text.ptr + at, step);
      len += step;
      at += step;
    }
  }
  return slice_make(out, len);
}

size_t grouping_text_chars(struct slice text) {
  size_t count = 0;
  for (size_t at = 0; at < text.len; at += text.ptr[at] < 0x80 ? 1 : grouping_text_step(text, at)) count++;
  return count;
}

struct slice grouping_text_truncate(struct slice text, size_t chars_max, struct arena *arena) {
  if (text.len <= chars_max || grouping_text_chars(text) <= chars_max) return text;
  size_t len = 0;
  for (size_t i = 0; i + 3 < chars_max; i++) len += grouping_text_step(text, len);
  uint8_t *out = arena_alloc(arena, len + 3);
  if (out == NULL) return (struct slice){0};
  memcpy(out, text.ptr, len);
  memcpy(out + len, "...", 3);
  return slice_make(out, len + 3);
}

// Capitals of Latin, Greek, Cyrillic, Armenian and full-width letters, each range every `step` of them; the small
// letter has as many bytes. Rarer ones stay.
static const struct {
  uint32_t first, last, step;
  int32_t small;
} capitals[] = {{0xC0, 0xD6, 1, 32},   {0xD8, 0xDE, 1, 32},    {0x100, 0x12E, 2, 1},    {0x132, 0x136, 2, 1},
                {0x139, 0x147, 2, 1},  {0x14A, 0x176, 2, 1},   {0x178, 0x178, 1, -121}, {0x179, 0x17D, 2, 1},
                {0x386, 0x386, 1, 38}, {0x388, 0x38A, 1, 37},  {0x38C, 0x38C, 1, 64},   {0x38E, 0x38F, 1, 63},
                {0x391, 0x3A1, 1, 32}, {0x3A3, 0x3AB, 1, 32},  {0x400, 0x40F, 1, 80},   {0x410, 0x42F, 1, 32},
                {0x460, 0x480, 2, 1},  {0x48A, 0x4BE, 2, 1},   {0x4C1, 0x4CD, 2, 1},    {0x4D0, 0x52E, 2, 1},
                {0x531, 0x556, 1, 48}, {0x1E00, 0x1E94, 2, 1}, {0x1EA0, 0x1EFE, 2, 1},  {0xFF21, 0xFF3A, 1, 32}};

static uint32_t small_letter(uint32_t code) {
  for (size_t i = 0; i < sizeof(capitals) / sizeof(capitals[0]) && capitals[i].first <= code; i++) {
    bool capital = code <= capitals[i].last && (code - capitals[i].first) % capitals[i].step == 0;
    if (capital) return (uint32_t)((int32_t)code + capitals[i].small);
  }
  return code;
}

// A code point of `len` bytes as UTF-8.
static void encode(uint32_t code, size_t len, uint8_t *out) {
  static const uint8_t leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = len; i-- > 1; code >>= 6) out[i] = (uint8_t)(0x80 | (code & 0x3F));
  out[0] = (uint8_t)(leads[len] | code);
}

void grouping_text_lower_into(struct slice text, bool slashes, uint8_t *out) {
  for (size_t at = 0, len = 1; at < text.len; at += len) {
    uint8_t c = text.ptr[at];
    len = 1;
    if (c < 0x80) {
      out[at] = c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : slashes && c == '\\' ? '/' : c;
      continue;
    }
    uint32_t code = decode(text, at, &len), small = small_letter(code);
    if (small == code) {
      memcpy(out + at, text.ptr + at, len);
    } else {
      encode(small, len, out + at);
    }
  }
}

struct slice grouping_text_lower(struct slice text, bool slashes, struct arena *arena) {
  size_t at = 0;
  while (at < text.len && text.ptr[at] < 0x80 && !(text.ptr[at] >= 'A' && text.ptr[at] <= 'Z') &&
         !(slashes && text.ptr[at] == '\\')) {
    at++;
  }
  if (at == text.len) return text;
  uint8_t *out = arena_alloc(arena, text.len);
  if (out == NULL) return (struct slice){0};
  grouping_text_lower_into(text, slashes, out);
  return slice_make(out, text.len);
}
