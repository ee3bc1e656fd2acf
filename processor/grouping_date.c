// SPDX-License-Identifier: Apache-2.0
//
// A date is one of a list of shapes, tried in order; the first that fits wins. A shape is a little pattern read from
// left to right without going back:
//
//   W  Sun…Sat    L  Sunday…Saturday    M  Jan…Dec      _  one white space
//   1  1-2 digits    2  2 digits    4  4 digits    y  2-4 digits    f  1 digit or more
//   m  month 00-19   d  day 00-39   H  hour 00-29  S  minute or second 00-59
//   z  "MST", "GMT", "Z", "+0100"   i  "Z", "+01:00", "-0100", "Z07:00"   a  "AM", "pm", one blank before it allowed
//   p  "(Central European Time)", at most 64 bytes   [..]  may be missing   other  itself
#include "processor/grouping_date.h"

#include <stdint.h>

#define FRACTION_DIGITS_MAX 64
#define PAREN_BYTES_MAX     64
#define DATETIME_BYTES_MAX  256

static const char *const shapes[] = {
    "W,_1_M_y_1:1[:1]_z",       // RFC 822, RFC 1123
    "[W_]M_d,_y",               // Mon Jan 02, 1999
    "L,_2-M-2_2:2:2_z",         // RFC 850
    "4-m-dTH:S[:S][.f][i]",     // RFC 3339
    "4-m-d_H:S:S[.f][i]",       // the same with a blank
    "W_M_2_4_2:2:2[_z][i][_p]", // JavaScript's Date as text
    "4md_H:S:S[.f]",
    "4mdTHSS[.f][i]", // compact
    "4md_HSS[.f]",
    "[W_]M_1_2:2:2_4",
    "W_M_1_2:2:2_z_4", // ctime, date(1)
    "W_M__1_2:2:2_4",
    "1_M_4_H:S[:S]_z", // RFC 1123 without the weekday
    "1:2[:2]a",        // kitchen
    "4-m-d",
    "H:S:S",
};

static const char weekdays[] = "SunMonTueWedThuFriSat";
static const char *const weekdays_long[] = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                            "Thursday", "Friday", "Saturday"};
static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";

static bool is_digit(uint8_t c) {
  return c >= '0' && c <= '9';
}

static bool starts_with(struct slice text, size_t at, const char *word) {
  return slice_starts_with(slice_skip(text, at), slice_from_cstr(word));
}

static size_t match_short_name(struct slice text, size_t at, const char *names) {
  if (text.len - at < 3) return 0;
  for (; *names != '\0'; names += 3) {
    if (memcmp(text.ptr + at, names, 3) == 0) return 3;
  }
  return 0;
}

static size_t match_long_weekday(struct slice text, size_t at) {
  for (size_t i = 0; i < sizeof(weekdays_long) / sizeof(weekdays_long[0]); i++) {
    if (starts_with(text, at, weekdays_long[i])) return strlen(weekdays_long[i]);
  }
  return 0;
}

// At least `least` and at most `most` digits; 0 when there are fewer.
static size_t match_digits(struct slice text, size_t at, size_t least, size_t most) {
  size_t count = 0;
  while (count < most && at + count < text.len && is_digit(text.ptr[at + count])) count++;
  return count >= least ? count : 0;
}

// Two digits, the first at most `tens`.
static size_t match_two(struct slice text, size_t at, uint8_t tens) {
  return match_digits(text, at, 2, 2) == 2 && text.ptr[at] <= tens ? 2 : 0;
}

// +0100, -07:00
static size_t match_offset(struct slice text, size_t at) {
  if (at >= text.len || (text.ptr[at] != '+' && text.ptr[at] != '-')) return 0;
  if (match_two(text, at + 1, '2') == 0) return 0;
  size_t colon = at + 3 < text.len && text.ptr[at + 3] == ':' ? 1 : 0;
  return match_two(text, at + 3 + colon, '5') == 0 ? 0 : 5 + colon;
}

static size_t match_named_zone(struct slice text, size_t at) {
  static const char *const zones[] = {"UTC", "UT",  "GMT", "EST",  "EDT", "CST", "CDT", "MST",
                                      "MDT", "PST", "PDT", "CEST", "CET", "BST", "IST"};
  size_t offset = match_offset(text, at);
  if (offset > 0) return offset;
  for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
    if (starts_with(text, at, zones[i])) return strlen(zones[i]);
  }
  bool military = at < text.len && text.ptr[at] >= 'A' && text.ptr[at] <= 'Z' && text.ptr[at] != 'J';
  return military ? 1 : 0;
}

static size_t match_iso_zone(struct slice text, size_t at) {
  if (at >= text.len || text.ptr[at] != 'Z') return match_offset(text, at);
  bool both = match_two(text, at + 1, '2') > 0 && starts_with(text, at + 3, ":") && match_two(text, at + 4, '5') > 0;
  return both ? 6 : 1;
}

static size_t match_meridiem(struct slice text, size_t at) {
  size_t blank = at < text.len && text.ptr[at] == ' ' ? 1 : 0;
  if (text.len - at < 2 + blank) return 0;
  uint8_t first = text.ptr[at + blank] | 0x20, second = text.ptr[at + blank + 1] | 0x20;
  return (first == 'a' || first == 'p') && second == 'm' ? 2 + blank : 0;
}

static size_t match_paren(struct slice text, size_t at) {
  if (at >= text.len || text.ptr[at] != '(') return 0;
  struct slice inside = slice_sub(text, at, PAREN_BYTES_MAX);
  size_t end = slice_find_byte(inside, ')');
  return end < inside.len ? end + 1 : 0;
}

static size_t match_element(struct slice text, size_t at, char element) {
  if (at >= text.len) return 0;
  switch (element) {
  case 'W': return match_short_name(text, at, weekdays);
  case 'L': return match_long_weekday(text, at);
  case 'M': return match_short_name(text, at, months);
  case '_': return text.ptr[at] == ' ' || (text.ptr[at] >= '\t' && text.ptr[at] <= '\r') ? 1 : 0;
  case '1': return match_digits(text, at, 1, 2);
  case '2': return match_digits(text, at, 2, 2);
  case '4': return match_digits(text, at, 4, 4);
  case 'y': return match_digits(text, at, 2, 4);
  case 'f': return match_digits(text, at, 1, FRACTION_DIGITS_MAX);
  case 'm': return match_two(text, at, '1');
  case 'd': return match_two(text, at, '3');
  case 'H': return match_two(text, at, '2');
  case 'S': return match_two(text, at, '5');
  case 'z': return match_named_zone(text, at);
  case 'i': return match_iso_zone(text, at);
  case 'a': return match_meridiem(text, at);
  case 'p': return match_paren(text, at);
  default: return text.ptr[at] == (uint8_t)element ? 1 : 0;
  }
}

// The length of `shape` at `at`. A bracket that does not fit is passed over whole.
static size_t match_shape(struct slice text, size_t at, const char *shape) {
  size_t here = at, bracket = 0;
  bool optional = false;
  for (; *shape != '\0'; shape++) {
    if (*shape == '[') {
      optional = true;
      bracket = here;
    } else if (*shape == ']') {
      optional = false;
    } else {
      size_t len = match_element(text, here, *shape);
      if (len == 0 && !optional) return 0;
      if (len == 0) {
        shape = strchr(shape, ']');
        here = bracket;
        optional = false;
      }
      here += len;
    }
  }
  return here - at;
}

static size_t match_python_datetime(struct slice text, size_t at) {
  static const char head[] = "datetime.datetime(";
  if (!starts_with(text, at, head)) return 0;
  struct slice line = slice_sub(text, at, DATETIME_BYTES_MAX);
  line = slice_sub(line, 0, slice_find_byte(line, '\n'));
  size_t end = slice_find_byte(line, ')');
  return end < line.len ? end + 1 : 0;
}

size_t grouping_date_match(struct slice text, size_t at) {
  uint8_t first = text.ptr[at];
  if (first == 'd') return match_python_datetime(text, at);
  bool letter = first < 0x80 && strchr("SMTWFJAOND", first) != NULL && first != '\0';
  if (!is_digit(first) && !letter) return 0;
  for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
    bool shape_is_letter = strchr("[WLM", shapes[i][0]) != NULL;
    if (shape_is_letter != letter) continue;
    size_t len = match_shape(text, at, shapes[i]);
    if (len > 0) return len;
  }
  return 0;
}
