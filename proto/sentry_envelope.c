// SPDX-License-Identifier: Apache-2.0
//
// How it works:
//
//   envelope = header "\n" *item          the "\n" may be missing when nothing follows
//   item     = header "\n" payload ["\n"]
//   payload  = exactly header.length bytes, then "\n" or the end; without a length: up to the next "\n" or the end
//
// "\n" is the byte 0A and nothing else, "\r" belongs to the data. Each header line is parsed as a document of its own;
// a length is believed only when that many bytes are there and a line ends behind them.
#include "proto/sentry_envelope.h"

#include <inttypes.h>

#include "proto/sentry_event_reader.h"

// Cuts the line at the front of *rest off; without its "\n".
static struct slice take_line(struct slice *rest) {
  size_t end = slice_find_byte(*rest, '\n');
  struct slice line = slice_sub(*rest, 0, end);
  *rest = slice_skip(*rest, end + (end < rest->len ? 1 : 0));
  return line;
}

static enum status parse_header(struct sentry_envelope *envelope, struct slice line, struct json_value *out_header,
                                struct error *error) {
  if (line.len > SENTRY_ENVELOPE_HEADER_BYTES_MAX) {
    return error_set(error, STATUS_INVALID, "a header line of over %zu bytes", SENTRY_ENVELOPE_HEADER_BYTES_MAX);
  }
  enum status status = json_parse(envelope->parser, line, out_header, error);
  if (status != STATUS_OK) return STATUS_INVALID;
  if (json_type_of(*out_header) != JSON_OBJECT) return error_set(error, STATUS_INVALID, "not a JSON object");
  return STATUS_OK;
}

bool sentry_envelope_event_id(struct slice text, char out_id[33]) {
  char digits[32];
  uint8_t bytes[16];
  if (text.len == 36) {
    size_t used = 0;
    for (size_t i = 0; i < text.len; i++) {
      bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
      if (is_dash != (text.ptr[i] == '-')) return false;
      if (!is_dash) digits[used++] = (char)text.ptr[i];
    }
    text = slice_make(digits, sizeof(digits));
  }
  if (!slice_from_hex(text, bytes, sizeof(bytes))) return false;
  slice_to_hex(slice_make(bytes, sizeof(bytes)), out_id);
  out_id[32] = 0;
  return true;
}

static enum status read_sent_at(struct sentry_envelope *envelope, struct json_value value, struct error *error) {
  if (envelope->has_sent_at) return error_set(error, STATUS_INVALID, "envelope header: sent_at is there twice");
  if (!sentry_event_reader_time(value, &envelope->sent_at_ns)) {
    return error_set(error, STATUS_INVALID, "envelope header: sent_at is not a time");
  }
  envelope->has_sent_at = true;
  return STATUS_OK;
}

// The first of its name counts, as json_get has it; null counts as absent.
static enum status read_member(struct sentry_envelope *envelope, struct slice key, struct json_value value,
                               struct error *error) {
  if (json_type_of(value) == JSON_NULL) return STATUS_OK;
  if (slice_equal_cstr(key, "sent_at")) return read_sent_at(envelope, value, error);
  if (slice_equal_cstr(key, "event_id") && !envelope->event_id[0]) {
    if (!sentry_envelope_event_id(json_string(value), envelope->event_id)) {
      return error_set(error, STATUS_INVALID, "envelope header: event_id is not an event id");
    }
  } else if (slice_equal_cstr(key, "dsn") && !envelope->dsn[0]) {
    struct slice dsn = json_string(value);
    if (dsn.len == 0 || dsn.len >= sizeof(envelope->dsn)) {
      return error_set(error, STATUS_INVALID, "envelope header: dsn is not a DSN");
    }
    memcpy(envelope->dsn, dsn.ptr, dsn.len);
  }
  return STATUS_OK;
}

enum status sentry_envelope_open(struct sentry_envelope *envelope, struct json_parser *parser, struct slice body,
                                 struct error *error) {
  *envelope = (struct sentry_envelope){.parser = parser, .rest = body};
  if (body.len == 0) return error_set(error, STATUS_INVALID, "empty body");
  struct json_value header;
  enum status status = parse_header(envelope, take_line(&envelope->rest), &header, error);
  if (status != STATUS_OK) {
    error_prefix(error, "envelope header: ");
    return status;
  }
  struct json_iter iter = json_iterate(header);
  struct slice key;
  struct json_value value;
  while (status == STATUS_OK && json_object_next(&iter, &key, &value)) {
    status = read_member(envelope, key, value, error);
  }
  return status;
}

static bool is_count(struct json_value value) {
  return json_type_of(value) == JSON_U64 || (json_type_of(value) == JSON_I64 && json_i64(value) >= 0);
}

// STATUS_OK: the payload is cut off the rest, with the newline behind it.
static enum status take_payload(struct sentry_envelope *envelope, struct json_value length, struct slice *out_payload,
                                struct error *error) {
  if (json_type_of(length) == JSON_NULL) {
    *out_payload = take_line(&envelope->rest);
    return STATUS_OK;
  }
  uint32_t index = envelope->item_index;
  if (!is_count(length))
    return error_set(error, STATUS_INVALID, "item %" PRIu32 ": length is not a number of bytes", index);
  uint64_t bytes = json_u64(length);
  if (bytes > envelope->rest.len) {
    return error_set(error, STATUS_INVALID, "item %" PRIu32 ": length says %" PRIu64 " bytes, there are %zu", index,
                     bytes, envelope->rest.len);
  }
  struct slice behind = slice_skip(envelope->rest, (size_t)bytes);
  if (behind.len > 0 && behind.ptr[0] != '\n') {
    return error_set(error, STATUS_INVALID, "item %" PRIu32 ": no line ends behind its %" PRIu64 " bytes", index,
                     bytes);
  }
  *out_payload = slice_sub(envelope->rest, 0, (size_t)bytes);
  envelope->rest = slice_skip(behind, 1);
  return STATUS_OK;
}

// All that is read of it in one walk: the first of a name counts, as json_get has it.
static void read_item_header(struct json_value header, struct sentry_envelope_item *out_item,
                             struct json_value *out_length) {
  enum { TYPE, LENGTH, CONTENT_TYPE, FILENAME, ITEM_COUNT, MEMBERS };
  static const char *const names[MEMBERS] = {"type", "length", "content_type", "filename", "item_count"};
  struct json_value members[MEMBERS] = {0};
  struct json_iter iter = json_iterate(header);
  struct slice key;
  struct json_value value;
  while (json_object_next(&iter, &key, &value)) {
    for (size_t i = 0; i < MEMBERS; i++) {
      if (!slice_equal_cstr(key, names[i])) continue;
      if (!json_is_present(members[i])) members[i] = value;
      break;
    }
  }
  *out_length = members[LENGTH];
  *out_item = (struct sentry_envelope_item){.type = json_string(members[TYPE]),
                                            .content_type = json_string(members[CONTENT_TYPE]),
                                            .filename = json_string(members[FILENAME]),
                                            .has_item_count = is_count(members[ITEM_COUNT]),
                                            .item_count = json_u64(members[ITEM_COUNT]),
                                            .header = header};
}

enum status sentry_envelope_next(struct sentry_envelope *envelope, struct sentry_envelope_item *out_item,
                                 struct error *error) {
  if (envelope->rest.len == 0) return STATUS_END;
  struct json_value header;
  enum status status = parse_header(envelope, take_line(&envelope->rest), &header, error);
  if (status != STATUS_OK) {
    error_prefix(error, "item %" PRIu32 " header: ", envelope->item_index);
    return status;
  }
  struct sentry_envelope_item item;
  struct json_value length;
  read_item_header(header, &item, &length);
  if (item.type.len == 0) {
    return error_set(error, STATUS_INVALID, "item %" PRIu32 " header: no type", envelope->item_index);
  }
  status = take_payload(envelope, length, &item.payload, error);
  if (status != STATUS_OK) return status;
  envelope->item_index++;
  *out_item = item;
  return STATUS_OK;
}
