// SPDX-License-Identifier: Apache-2.0
//
// A date is one of a list of shapes, tried in order; the first that fits wins, however short (a kitchen time is enough
// for "12:30"), and only where "|" says so must a word begin there. A shape is a little pattern read from left to right
// without going back:
//
//   W  Sun…Sat    L  Sunday…Saturday    M  Jan…Dec      _  one white space    ~  white space, any amount
//   1  1-2 digits    2  2 digits    4  4 digits    y  2-4 digits    f  1 digit or more
//   m  month 00-19   d  day 00-39   H  hour 00-29  S  minute or second 00-59
//   D  day 0-31      Y  year 1900-9999             h  hour 00-23    s  second 00-60
//   z  "MST", "GMT", "K", "+0100"   n  the same without the offset   o  "07:00", "+07:00"   a  "AM", "pm"
//   |  a word begins    [..]  may be missing    other  itself
//
#include "processor/grouping_date.h"

#include <stdint.h>

#include "processor/grouping_text.h"

static const char *const shapes[] = {
    "W,_1_M_y_1:1[:1]_z",    // RFC 822, RFC 1123
    "[W_]M_d,_y",            // Mon Jan 02, 1999
    "L,_2-M-2_2:2:2_n",      // RFC 850
    "4-2-2T2:2:2[.f][Z][o]", // RFC 3339
    "4[-]m[-]d_H:S:S[.f]",   // the same with a blank, also without the dashes
    "1:2[:2][a]",            // kitchen, time only
    "4-m-d",                 // date only
    "|[W~]M~1~2:2:2~4",      // ctime
    "|[W,~]D~M~Y~h:S[:s]~z", // RFC 1123 with any white space or without the weekday
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

static size_t match_range(struct slice text, size_t at, uint32_t low, uint32_t high) {
  if (match_digits(text, at, 2, 2) == 0) return 0;
  uint32_t number = (uint32_t)(text.ptr[at] - '0') * 10 + (uint32_t)(text.ptr[at + 1] - '0');
  return number >= low && number <= high ? 2 : 0;
}

// One digit, or two that are a day of a month.
static size_t match_day(struct slice text, size_t at) {
  return match_digits(text, at, 1, 2) == 1 ? 1 : match_range(text, at, 1, 31);
}

static size_t match_year(struct slice text, size_t at) {
  bool of_1900 = starts_with(text, at, "19");
  return match_digits(text, at, 4, 4) == 4 && (of_1900 || text.ptr[at] >= '2') ? 4 : 0;
}

// +0100
static size_t match_offset(struct slice text, size_t at) {
  if (at >= text.len || (text.ptr[at] != '+' && text.ptr[at] != '-')) return 0;
  return match_digits(text, at + 1, 2, 2) == 2 && match_two(text, at + 3, '5') == 2 ? 5 : 0;
}

// 07:00, -07:00
static size_t match_hours(struct slice text, size_t at) {
  size_t sign = at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-') ? 1 : 0;
  if (match_digits(text, at + sign, 2, 2) == 0 || !starts_with(text, at + sign + 2, ":")) return 0;
  return match_digits(text, at + sign + 3, 2, 2) == 2 ? sign + 5 : 0;
}

// The first that fits: of "UTC" it is "UT", of "CET" the military "C".
static size_t match_named_zone(struct slice text, size_t at) {
  static const char *const zones[] = {"UT", "GMT", "EST", "EDT", "CST", "CDT", "MST", "MDT", "PST", "PDT"};
  for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
    if (starts_with(text, at, zones[i])) return strlen(zones[i]);
  }
  bool military = at < text.len && text.ptr[at] >= 'A' && text.ptr[at] <= 'Z' && text.ptr[at] != 'J';
  return military ? 1 : 0;
}

static size_t match_meridiem(struct slice text, size_t at) {
  if (text.len < at + 2) return 0;
  uint8_t first = text.ptr[at] | 0x20, second = text.ptr[at + 1] | 0x20;
  return (first == 'a' || first == 'p') && second == 'm' ? 2 : 0;
}

static size_t match_spaces(struct slice text, size_t at) {
  size_t end = at;
  for (size_t space; (space = grouping_text_space(text, end)) > 0;) end += space;
  return end - at;
}

static size_t match_element(struct slice text, size_t at, char element) {
  if (at >= text.len) return 0;
  switch (element) {
  case 'W': return match_short_name(text, at, weekdays);
  case 'L': return match_long_weekday(text, at);
  case 'M': return match_short_name(text, at, months);
  case '_': return grouping_text_space(text, at);
  case '~': return match_spaces(text, at);
  case '1': return match_digits(text, at, 1, 2);
  case '2': return match_digits(text, at, 2, 2);
  case '4': return match_digits(text, at, 4, 4);
  case 'y': return match_digits(text, at, 2, 4);
  case 'f': return match_digits(text, at, 1, SIZE_MAX);
  case 'm': return match_two(text, at, '1');
  case 'd': return match_two(text, at, '3');
  case 'H': return match_two(text, at, '2');
  case 'S': return match_two(text, at, '5');
  case 'D': return match_day(text, at);
  case 'Y': return match_year(text, at);
  case 'h': return match_range(text, at, 0, 23);
  case 's': return match_range(text, at, 0, 60);
  case 'z': return text.ptr[at] == '+' || text.ptr[at] == '-' ? match_offset(text, at) : match_named_zone(text, at);
  case 'n': return match_named_zone(text, at);
  case 'o': return match_hours(text, at);
  case 'a': return match_meridiem(text, at);
  default: return text.ptr[at] == (uint8_t)element ? 1 : 0;
  }
}

// The length of `shape` at `at`. A bracket that does not fit is passed over whole.
static size_t match_shape(struct slice text, size_t at, const char *shape) {
  size_t here = at, bracket = 0;
  bool optional = false;
  if (*shape == '|') {
    if (grouping_text_word_before(text, at)) return 0; // every shape begins with a word's character
    shape++;
  }
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

// "datetime.datetime(" with any character as its dot, up to the first ")" of the line.
static size_t match_python_datetime(struct slice text, size_t at, size_t *no_end_before) {
  static const char head[] = "datetime", tail[] = "datetime(";
  if (at < *no_end_before || !starts_with(text, at, head)) return 0;
  size_t dot = at + sizeof(head) - 1;
  if (dot >= text.len || text.ptr[dot] == '\n') return 0;
  size_t open = dot + grouping_text_step(text, dot);
  if (!starts_with(text, open, tail)) return 0;
  size_t end = open + sizeof(tail) - 1;
  while (end < text.len && text.ptr[end] != ')' && text.ptr[end] != '\n') end++;
  if (end < text.len && text.ptr[end] == ')') return end + 1 - at;
  *no_end_before = end;
  return 0;
}

// Of the shapes that begin with digits: four of them and more or "-", or one or two before ":" or white space.
static bool may_begin_date(struct slice text, size_t at) {
  size_t count = 0;
  while (count < 5 && at + count < text.len && is_digit(text.ptr[at + count])) count++;
  size_t end = at + count;
  if (count > 4) return true;
  if (count == 4) return end < text.len && text.ptr[end] == '-';
  return count < 3 && end < text.len && (text.ptr[end] == ':' || grouping_text_space(text, end) > 0);
}

size_t grouping_date_match(struct slice text, size_t at, size_t *no_end_before) {
  uint8_t first = text.ptr[at];
  if (first == 'd') return match_python_datetime(text, at, no_end_before);
  bool letter = first < 0x80 && strchr("SMTWFJAOND", first) != NULL && first != '\0';
  if (!letter && (!is_digit(first) || !may_begin_date(text, at))) return 0;
  for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
    const char *shape = shapes[i];
    bool letters = strchr("WML", shape[shape[0] == '[' || shape[0] == '|']) != NULL;
    if (shape[0] != '|' && letters != letter) continue;
    size_t len = match_shape(text, at, shape);
    if (len > 0) return len;
  }
  return 0;
}
