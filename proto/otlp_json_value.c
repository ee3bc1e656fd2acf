// SPDX-License-Identifier: Apache-2.0
//
// Numbers may come as JSON numbers or as decimal strings, whatever their width (J5, J6). All integers are read into
// sign and magnitude first and then checked against the range of their form.
#include "proto/otlp_json_value.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "proto/wire.h"

static const char not_a_string[] = "not a string";
static const char not_an_integer[] = "not an integer in range";
static const char not_a_number[] = "not a number";

struct integer {
  bool negative; // -magnitude
  uint64_t magnitude;
};

static bool read_decimal(struct slice text, struct integer *out_integer) {
  bool negative = text.len > 1 && text.ptr[0] == '-';
  if (!slice_to_u64(negative ? slice_skip(text, 1) : text, &out_integer->magnitude)) return false;
  out_integer->negative = negative;
  return true;
}

// JSON has no integers: 1.0 and 1e3 are integers too.
static bool read_whole(double number, struct integer *out_integer) {
  double magnitude = fabs(number);
  if (!(magnitude < 0x1p64) || trunc(magnitude) != magnitude) return false;
  *out_integer = (struct integer){number < 0, (uint64_t)magnitude};
  return true;
}

static bool read_integer(struct json_value value, struct integer *out_integer) {
  int64_t number;
  switch (json_type_of(value)) {
  case JSON_U64: *out_integer = (struct integer){false, json_u64(value)}; return true;
  case JSON_I64:
    number = json_i64(value);
    *out_integer = (struct integer){number < 0, number < 0 ? 0 - (uint64_t)number : (uint64_t)number};
    return true;
  case JSON_DOUBLE: return read_whole(json_double(value), out_integer);
  case JSON_STRING: return read_decimal(json_string(value), out_integer);
  default: return false;
  }
}

// Two's complement in 64 bits when it is within [-negative_max, positive_max].
static bool in_range(struct integer integer, uint64_t negative_max, uint64_t positive_max, uint64_t *out_bits) {
  if (integer.magnitude > (integer.negative ? negative_max : positive_max)) return false;
  *out_bits = integer.negative ? 0 - integer.magnitude : integer.magnitude;
  return true;
}

static bool find_name(const struct otlp_json_enum *names, struct slice text, struct integer *out_integer) {
  struct slice prefix = slice_from_cstr(names->prefix);
  if (!slice_starts_with(text, prefix)) return false;
  for (uint32_t i = 0; i < names->count; i++) {
    if (!slice_equal_cstr(slice_skip(text, prefix.len), names->names[i])) continue;
    *out_integer = (struct integer){false, i};
    return true;
  }
  return false;
}

static bool integer_bits(const struct otlp_json_field *field, struct json_value value, uint64_t *out_bits) {
  const uint64_t i64_min = UINT64_C(1) << 63, i32_min = UINT64_C(1) << 31;
  struct integer integer;
  bool named = field->form == OTLP_JSON_ENUM && json_type_of(value) == JSON_STRING &&
               find_name(field->names, json_string(value), &integer);
  if (!named && !read_integer(value, &integer)) return false;
  switch (field->form) {
  case OTLP_JSON_INT64:
  case OTLP_JSON_SFIXED64: return in_range(integer, i64_min, i64_min - 1, out_bits);
  case OTLP_JSON_INT32:
  case OTLP_JSON_SINT32:
  case OTLP_JSON_ENUM: return in_range(integer, i32_min, i32_min - 1, out_bits);
  case OTLP_JSON_UINT32:
  case OTLP_JSON_FIXED32: return in_range(integer, 0, UINT32_MAX, out_bits);
  default: return in_range(integer, 0, UINT64_MAX, out_bits);
  }
}

static void put_varint(const struct otlp_json_field *field, uint64_t bits, struct buffer *out) {
  if (!field->repeated) wire_put_tag(out, field->number, WIRE_VARINT);
  wire_put_varint(out, bits);
}

static void put_fixed(const struct otlp_json_field *field, uint64_t bits, size_t width, struct buffer *out) {
  uint8_t bytes[8];
  for (size_t i = 0; i < width; i++) bytes[i] = (uint8_t)(bits >> (8 * i));
  if (!field->repeated) wire_put_tag(out, field->number, width == 8 ? WIRE_FIXED64 : WIRE_FIXED32);
  buffer_append(out, bytes, width);
}

static const char *put_integer(const struct otlp_json_field *field, struct json_value value, struct buffer *out) {
  uint64_t bits;
  if (!integer_bits(field, value, &bits)) return not_an_integer;
  switch (field->form) {
  case OTLP_JSON_SINT32: put_varint(field, (uint32_t)(bits << 1) ^ (bits >> 63 ? UINT32_MAX : 0), out); break;
  case OTLP_JSON_FIXED32: put_fixed(field, bits, 4, out); break;
  case OTLP_JSON_FIXED64:
  case OTLP_JSON_SFIXED64: put_fixed(field, bits, 8, out); break;
  default: put_varint(field, bits, out);
  }
  return NULL;
}

// The grammar of a JSON number, so that strtod sees nothing else (no hex, no "inf", no white space).
static bool is_number_text(struct slice text) {
  size_t at = 0, digits = 0;
  if (at < text.len && text.ptr[at] == '-') at++;
  while (at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9') at++, digits++;
  if (digits == 0) return false;
  if (at < text.len && text.ptr[at] == '.') {
    for (at++, digits = 0; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9'; at++) digits++;
    if (digits == 0) return false;
  }
  if (at < text.len && (text.ptr[at] == 'e' || text.ptr[at] == 'E')) {
    at++;
    if (at < text.len && (text.ptr[at] == '+' || text.ptr[at] == '-')) at++;
    for (digits = 0; at < text.len && text.ptr[at] >= '0' && text.ptr[at] <= '9'; at++) digits++;
    if (digits == 0) return false;
  }
  return at == text.len;
}

static bool read_real_text(struct slice text, double *out_number) {
  char copy[400]; // more digits than any double needs
  if (slice_equal(text, SLICE_LITERAL("NaN")))
    *out_number = (double)NAN;
  else if (slice_equal(text, SLICE_LITERAL("Infinity")))
    *out_number = (double)INFINITY;
  else if (slice_equal(text, SLICE_LITERAL("-Infinity")))
    *out_number = -(double)INFINITY;
  else {
    if (!is_number_text(text) || text.len >= sizeof copy) return false;
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = 0;
    double number = strtod(copy, NULL); // the process stays in the "C" locale
    if (isinf(number)) return false;
    *out_number = number;
  }
  return true;
}

static const char *put_real(const struct otlp_json_field *field, struct json_value value, struct buffer *out) {
  double number;
  uint64_t bits;
  switch (json_type_of(value)) {
  case JSON_I64:
  case JSON_U64:
  case JSON_DOUBLE: number = json_double(value); break;
  case JSON_STRING:
    if (!read_real_text(json_string(value), &number)) return not_a_number;
    break;
  default: return not_a_number;
  }
  memcpy(&bits, &number, sizeof bits);
  put_fixed(field, bits, sizeof bits, out);
  return NULL;
}

// Ids of any length go through; the scan rejects the items whose ids are unusable.
static const char *put_hex(const struct otlp_json_field *field, struct slice digits, struct buffer *out) {
  if (digits.len % 2 != 0) return "not hexadecimal: an odd number of digits";
  const size_t len = digits.len / 2;
  wire_put_tag(out, field->number, WIRE_BYTES);
  wire_put_varint(out, len);
  uint8_t *bytes = buffer_reserve(out, len);
  if (!bytes) return NULL;
  if (!slice_from_hex(digits, bytes, len)) return "not hexadecimal";
  out->len += len;
  return NULL;
}

// Both alphabets (RFC 4648, sections 4 and 5).
static int base64_digit(uint8_t byte) {
  if (byte >= 'A' && byte <= 'Z') return byte - 'A';
  if (byte >= 'a' && byte <= 'z') return byte - 'a' + 26;
  if (byte >= '0' && byte <= '9') return byte - '0' + 52;
  if (byte == '+' || byte == '-') return 62;
  if (byte == '/' || byte == '_') return 63;
  return -1;
}

// Padding may be left out, but if it is there it must be right.
static const char *put_base64(const struct otlp_json_field *field, struct slice text, struct buffer *out) {
  static const char not_base64[] = "not base64";
  const size_t padded = text.len;
  while (text.len > 0 && padded - text.len < 2 && text.ptr[text.len - 1] == '=') text.len--;
  if (text.len % 4 == 1 || (padded != text.len && padded % 4 != 0)) return not_base64;
  const size_t len = text.len / 4 * 3 + (text.len % 4 ? text.len % 4 - 1 : 0);
  wire_put_tag(out, field->number, WIRE_BYTES);
  wire_put_varint(out, len);
  uint8_t *bytes = buffer_reserve(out, len);
  if (!bytes) return NULL;
  uint32_t bits = 0;
  size_t written = 0;
  for (size_t i = 0; i < text.len; i++) {
    int digit = base64_digit(text.ptr[i]);
    if (digit < 0) return not_base64;
    bits = bits << 6 | (uint32_t)digit;
    // The first digit of four completes no byte; the others the first, second and third.
    if (i % 4 != 0) bytes[written++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
  }
  ASSERT(written == len);
  out->len += len;
  return NULL;
}

bool otlp_json_value_is_packed(const struct otlp_json_field *field) {
  return field->repeated && field->form != OTLP_JSON_STRING && field->form != OTLP_JSON_MESSAGE;
}

const char *otlp_json_value_put(const struct otlp_json_field *field, struct json_value value, struct buffer *out) {
  const bool is_string = json_type_of(value) == JSON_STRING;
  ASSERT(field->form != OTLP_JSON_MESSAGE);
  switch (field->form) {
  case OTLP_JSON_STRING:
    if (!is_string) return not_a_string;
    wire_put_bytes_field(out, field->number, json_string(value));
    return NULL;
  case OTLP_JSON_BASE64: return is_string ? put_base64(field, json_string(value), out) : not_a_string;
  case OTLP_JSON_HEX: return is_string ? put_hex(field, json_string(value), out) : not_a_string;
  case OTLP_JSON_BOOL:
    if (json_type_of(value) != JSON_BOOL) return "not a boolean";
    put_varint(field, json_bool(value), out);
    return NULL;
  case OTLP_JSON_DOUBLE: return put_real(field, value, out);
  default: return put_integer(field, value, out);
  }
}
