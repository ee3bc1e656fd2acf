// SPDX-License-Identifier: Apache-2.0
//
// Relay never refuses an event for a bad member: it drops the member and says so in the event's errors. The same here;
// every function gives an empty answer instead of an error, and running out of the arena shows in arena_exhausted().
#include "proto/sentry_event_reader.h"

#include <stdio.h>

static const char ellipsis[] = "...";

void sentry_event_reader_init(struct sentry_event_reader *reader, struct arena *arena, struct buffer *scratch,
                              bool borrows) {
  reader->arena = arena;
  reader->borrows = borrows;
  reader->scratch = scratch;
  reader->note_count = 0;
  buffer_init(&reader->notes, SENTRY_EVENT_READER_JSON_BYTES_MAX);
}

void sentry_event_reader_finish(struct sentry_event_reader *reader) {
  buffer_finish(&reader->notes);
}

struct json_writer *sentry_event_reader_notes(struct sentry_event_reader *reader) {
  if (reader->note_count == 0) {
    json_writer_init(&reader->notes_writer, &reader->notes);
    json_begin_array(&reader->notes_writer);
  }
  return &reader->notes_writer;
}

void sentry_event_reader_note(struct sentry_event_reader *reader, const char *name, const char *reason) {
  if (reader->note_count >= SENTRY_EVENT_READER_NOTES_MAX) return;
  char text[192]; // both are literals of ours, without a character that JSON escapes
  int len = snprintf(text, sizeof(text), "{\"type\":\"invalid_data\",\"name\":\"%s\",\"reason\":\"%s\"}", name, reason);
  ASSERT(len > 0 && (size_t)len < sizeof(text));
  struct slice note = slice_make(text, (size_t)len), notes = buffer_slice(&reader->notes);
  if (slice_find(notes, note) < notes.len) return; // once is enough
  json_write_raw(sentry_event_reader_notes(reader), note);
  reader->note_count++;
}

struct json_value sentry_event_reader_member(struct json_value object, const char *name, const char *legacy_name) {
  struct json_value value = json_get(object, name);
  return sentry_event_reader_has(value) ? value : json_get(object, legacy_name);
}

void sentry_event_reader_members(struct json_value object, uint32_t (*place_of)(struct slice name), uint32_t count,
                                 struct json_value *out_values) {
  memset(out_values, 0, count * sizeof(*out_values));
  if (json_type_of(object) != JSON_OBJECT) return;
  struct slice name;
  struct json_value value;
  for (struct json_iter iter = json_iterate(object); json_object_next(&iter, &name, &value);) {
    uint32_t place = place_of(name);
    if (place < count && !json_is_present(out_values[place])) out_values[place] = value;
  }
}

// Bytes that hold the first `chars` code points.
static size_t bytes_of_chars(struct slice text, uint32_t chars) {
  size_t at = 0;
  for (uint32_t seen = 0; at < text.len; at++) {
    bool starts = (text.ptr[at] & 0xc0u) != 0x80u;
    if (starts && seen++ == chars) break;
  }
  return at;
}

struct slice sentry_event_reader_cut(struct sentry_event_reader *reader, struct slice text, uint32_t chars_max) {
  if (text.len <= chars_max || bytes_of_chars(text, chars_max) == text.len) return text;
  struct slice kept = slice_sub(text, 0, bytes_of_chars(text, chars_max - (uint32_t)(sizeof(ellipsis) - 1)));
  buffer_clear(reader->scratch);
  buffer_append_slice(reader->scratch, kept);
  buffer_append_cstr(reader->scratch, ellipsis);
  return arena_copy(reader->arena, buffer_slice(reader->scratch));
}

static struct slice scratch_text(struct sentry_event_reader *reader, struct json_value value) {
  buffer_clear(reader->scratch);
  json_write_value(reader->scratch, value);
  return buffer_slice(reader->scratch);
}

static struct slice keep(struct sentry_event_reader *reader, struct slice text, uint32_t chars_max) {
  if (text.len == 0) return (struct slice){0};
  return sentry_event_reader_cut(reader, arena_copy(reader->arena, text), chars_max);
}

struct slice sentry_event_reader_keep(struct sentry_event_reader *reader, struct slice text) {
  return reader->borrows ? text : arena_copy(reader->arena, text);
}

struct slice sentry_event_reader_text(struct sentry_event_reader *reader, struct json_value value, const char *name,
                                      uint32_t chars_max) {
  switch (json_type_of(value)) {
  case JSON_NULL: return (struct slice){0};
  case JSON_STRING: {
    struct slice text = json_string(value);
    if (text.len == 0) return (struct slice){0};
    return sentry_event_reader_cut(reader, sentry_event_reader_keep(reader, text), chars_max);
  }
  case JSON_BOOL: return json_bool(value) ? SLICE_LITERAL("True") : SLICE_LITERAL("False");
  case JSON_I64:
  case JSON_U64:
  case JSON_DOUBLE: return keep(reader, scratch_text(reader, value), chars_max);
  case JSON_ARRAY:
  case JSON_OBJECT: break;
  }
  sentry_event_reader_note(reader, name, "expected text");
  return (struct slice){0};
}

struct slice sentry_event_reader_text_or_json(struct sentry_event_reader *reader, struct json_value value,
                                              const char *name, uint32_t chars_max) {
  enum json_type type = json_type_of(value);
  if (type != JSON_ARRAY && type != JSON_OBJECT && type != JSON_BOOL) {
    return sentry_event_reader_text(reader, value, name, chars_max);
  }
  return keep(reader, scratch_text(reader, value), chars_max);
}

struct slice sentry_event_reader_json(struct sentry_event_reader *reader, struct json_value value) {
  if (!sentry_event_reader_has(value)) return (struct slice){0};
  struct buffer room = arena_room(reader->arena); // nearly always enough
  json_write_value(&room, value);
  if (!room.failed) return arena_take_room(reader->arena, room.len);
  return arena_copy(reader->arena, scratch_text(reader, value));
}

struct slice sentry_event_reader_object(struct sentry_event_reader *reader, struct json_value value, const char *name) {
  if (!sentry_event_reader_has(value)) return (struct slice){0};
  if (json_type_of(value) != JSON_OBJECT) {
    sentry_event_reader_note(reader, name, "expected an object");
    return (struct slice){0};
  }
  return sentry_event_reader_json(reader, value);
}

bool sentry_event_reader_i64(struct json_value value, int64_t *out_number) {
  enum json_type type = json_type_of(value);
  if (type == JSON_I64) {
    *out_number = json_i64(value);
    return true;
  }
  uint64_t number = 0;
  if (type == JSON_STRING) {
    if (!slice_to_u64(slice_trim(json_string(value)), &number)) return false;
  } else if (type == JSON_U64) {
    number = json_u64(value);
  } else if (type == JSON_DOUBLE) {
    double real = json_double(value);
    if (!(real >= 0 && real < 9e15)) return false;
    number = (uint64_t)real;
  } else {
    return false;
  }
  if (number > INT64_MAX) return false;
  *out_number = (int64_t)number;
  return true;
}

uint32_t sentry_event_reader_u32(struct json_value value) {
  int64_t number = 0;
  if (!sentry_event_reader_i64(value, &number) || number < 0 || number > UINT32_MAX) return 0;
  return (uint32_t)number;
}

// Takes exactly `digits` decimal digits off the front, 9 at most.
static bool take_digits(struct slice *text, size_t digits, uint32_t *out_number) {
  uint32_t number = 0;
  if (text->len < digits) return false;
  for (size_t i = 0; i < digits; i++) {
    if (text->ptr[i] < '0' || text->ptr[i] > '9') return false;
    number = number * 10 + (uint32_t)(text->ptr[i] - '0');
  }
  *text = slice_skip(*text, digits);
  *out_number = number;
  return true;
}

static bool take_byte(struct slice *text, const char *any_of) {
  if (text->len == 0 || text->ptr[0] == 0 || strchr(any_of, text->ptr[0]) == NULL) return false;
  *text = slice_skip(*text, 1);
  return true;
}

// ".5" to 500000000; digits after the ninth are passed over.
static uint32_t take_fraction_ns(struct slice *text) {
  struct slice rest = *text;
  if (!take_byte(&rest, ".,")) return 0;
  uint32_t ns = 0, unit = 100000000;
  while (rest.len > 0 && rest.ptr[0] >= '0' && rest.ptr[0] <= '9') {
    ns += unit * (uint32_t)(rest.ptr[0] - '0');
    unit /= 10;
    rest = slice_skip(rest, 1);
  }
  *text = rest;
  return ns;
}

// Days from 1970-01-01 in the Gregorian calendar; the year starts in March so that the leap day is the last.
static int64_t days_from_date(uint32_t year, uint32_t month, uint32_t day) {
  int64_t y = (int64_t)year - (month <= 2);
  int64_t era = y / 400;
  int64_t year_of_era = y - era * 400;
  int64_t day_of_year = (153 * ((int64_t)month + (month > 2 ? -3 : 9)) + 2) / 5 + (int64_t)day - 1;
  return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

// "Z", "+02:00", "-0330", "UTC" or nothing, to seconds east of Greenwich.
static bool zone_seconds(struct slice text, int64_t *out_seconds) {
  *out_seconds = 0;
  text = slice_trim(text);
  if (text.len == 0 || slice_equal_ignore_case(text, SLICE_LITERAL("Z")) || slice_equal_cstr(text, "UTC")) return true;
  bool west = text.ptr[0] == '-';
  uint32_t hours = 0, minutes = 0;
  if (!take_byte(&text, "+-") || !take_digits(&text, 2, &hours)) return false;
  take_byte(&text, ":");
  if (text.len > 0 && !take_digits(&text, 2, &minutes)) return false;
  if (text.len > 0 || hours > 23 || minutes > 59) return false;
  int64_t seconds = (int64_t)hours * 3600 + (int64_t)minutes * 60;
  *out_seconds = west ? -seconds : seconds;
  return true;
}

static bool time_from_date(struct slice text, uint64_t *out_ns) {
  uint32_t year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, fraction_ns = 0;
  if (!take_digits(&text, 4, &year) || !take_byte(&text, "-") || !take_digits(&text, 2, &month) ||
      !take_byte(&text, "-") || !take_digits(&text, 2, &day)) {
    return false;
  }
  if (year < 1970 || year > 2500 || month < 1 || month > 12 || day < 1 || day > 31) return false;
  if (take_byte(&text, "Tt ")) {
    if (!take_digits(&text, 2, &hour) || !take_byte(&text, ":") || !take_digits(&text, 2, &minute)) return false;
    if (take_byte(&text, ":") && !take_digits(&text, 2, &second)) return false;
    fraction_ns = take_fraction_ns(&text);
    if (hour > 24 || minute > 59 || second > 60) return false;
  }
  int64_t zone = 0;
  if (!zone_seconds(text, &zone)) return false;
  int64_t seconds = days_from_date(year, month, day) * 86400 + hour * 3600 + minute * 60 + second - zone;
  if (seconds < 0) return false;
  *out_ns = (uint64_t)seconds * UINT64_C(1000000000) + fraction_ns;
  return true;
}

bool sentry_event_reader_time_text(struct slice text, uint64_t *out_ns) {
  text = slice_trim(text);
  size_t digits = 0;
  while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9') digits++;
  uint64_t seconds = 0;
  if (digits < text.len && text.ptr[digits] != '.') return time_from_date(text, out_ns);
  if (digits > 10 || !slice_to_u64(slice_sub(text, 0, digits), &seconds)) return false;
  text = slice_skip(text, digits);
  uint32_t fraction_ns = take_fraction_ns(&text);
  if (text.len > 0) return false;
  *out_ns = seconds * UINT64_C(1000000000) + fraction_ns;
  return true;
}

bool sentry_event_reader_time(struct json_value value, uint64_t *out_ns) {
  enum json_type type = json_type_of(value);
  if (type == JSON_STRING) return sentry_event_reader_time_text(json_string(value), out_ns);
  if (type != JSON_I64 && type != JSON_U64 && type != JSON_DOUBLE) return false;
  double seconds = json_double(value);
  if (!(seconds >= 0 && seconds < 1e10)) return false;
  // A double near today's seconds has steps of a quarter of a microsecond: round to what it can hold.
  *out_ns = (uint64_t)(seconds * 1e6 + 0.5) * UINT64_C(1000);
  return true;
}
