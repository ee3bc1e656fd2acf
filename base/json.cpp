// SPDX-License-Identifier: Apache-2.0
//
// The only C++ file of the tree: json.h over simdjson's DOM. simdjson parses into a tape of 64-bit words, the type in
// the upper 8 bits; a json_value is the address of that document and an index into its tape. (simdjson, "Tape
// structure")
//
//   '[' '{'   low 32 bits: index behind the matching end; an object's members follow as key word, value
//   '"'       offset into the string buffer, where 4 bytes of length stand before the unescaped bytes and a NUL
//   'l' 'u' 'd'   the number is the next word         't' 'f' 'n'   nothing more
//   'R'      not simdjson's: a value that was replaced by a string; low 32 bits: index behind what it was, the 24
//   above:
//            its number among those replaced
//
// simdjson reads up to SIMDJSON_PADDING bytes behind the text, hence the copy; what it refuses although it is valid
// JSON is repaired there (json_fault.h).
#include <cstdlib>
#include <cstring>
#include <new>

#include <simdjson.h>

extern "C" {
#include "base/json.h"
#include "base/json_fault.h"
}

using simdjson::internal::tape_ref;
using simdjson::internal::tape_type;

// The text of a value that was replaced lies in `texts`.
struct replaced {
  uint32_t offset, len;
};

struct json_parser {
  explicit json_parser(size_t max) : dom(max < 64 ? 64 : max), bytes_max(max) {}

  simdjson::dom::parser dom;
  size_t bytes_max;
  uint8_t *copy = nullptr; // the text and its padding
  size_t copy_capacity = 0;
  buffer texts = {};
  buffer replaced_values = {}; // struct replaced
};

namespace {

// A parser that held a document beyond this gives the memory back at the next document below it.
constexpr size_t KEEP_BYTES = size_t{1} << 20;
constexpr tape_type REPLACED = static_cast<tape_type>('R');
constexpr unsigned REPLACED_SHIFT = 32;

tape_ref tape_of(json_value value) {
  return tape_ref(&static_cast<const json_parser *>(value.document)->dom.doc, static_cast<size_t>(value.index));
}

tape_type type_on_tape(json_value value) {
  return value.document ? tape_of(value).tape_ref_type() : tape_type::NULL_VALUE;
}

} // namespace

extern "C" {

json_parser *json_parser_create(size_t bytes_max) {
  ASSERT(bytes_max > 0 && bytes_max < simdjson::SIMDJSON_MAXSIZE_BYTES);
  json_parser *parser = new (std::nothrow) json_parser(bytes_max);
  ASSERT(parser != nullptr);
  buffer_init(&parser->texts, UINT32_MAX);
  buffer_init(&parser->replaced_values, JSON_REPLACED_MAX * sizeof(replaced));
  return parser;
}

void json_parser_destroy(json_parser *parser) {
  if (!parser) return;
  free(parser->copy);
  buffer_finish(&parser->texts);
  buffer_finish(&parser->replaced_values);
  delete parser;
}

} // extern "C"

namespace {

// Brings copy and parser to a capacity for `len` bytes, smaller ones after a giant. simdjson's depth limit counts the
// container that goes over it, hence the + 1.
bool prepare(json_parser *parser, size_t len) {
  bool first = parser->copy == nullptr;
  bool shrink = parser->copy_capacity > KEEP_BYTES && len <= KEEP_BYTES;
  if (!first && !shrink && len <= parser->copy_capacity) return true;
  size_t capacity = len < 4096 ? 4096 : len + len / 4;
  if (capacity > parser->bytes_max) capacity = parser->bytes_max;
  if (capacity < 64) capacity = 64;
  free(parser->copy);
  parser->copy_capacity = 0;
  parser->copy = static_cast<uint8_t *>(malloc(capacity + simdjson::SIMDJSON_PADDING));
  if (!parser->copy) return false;
  if (parser->dom.doc.allocate(capacity) || parser->dom.allocate(capacity, JSON_DEPTH_MAX + 1)) return false;
  parser->copy_capacity = capacity;
  return true;
}

json_type type_of_word(tape_type type) {
  if (type == REPLACED) return JSON_STRING;
  switch (type) {
  case tape_type::START_ARRAY: return JSON_ARRAY;
  case tape_type::START_OBJECT: return JSON_OBJECT;
  case tape_type::STRING: return JSON_STRING;
  case tape_type::INT64: return JSON_I64;
  case tape_type::UINT64: return JSON_U64;
  case tape_type::DOUBLE: return JSON_DOUBLE;
  case tape_type::TRUE_VALUE:
  case tape_type::FALSE_VALUE: return JSON_BOOL;
  default: return JSON_NULL;
  }
}

slice string_at(const tape_ref &tape) {
  return slice_make(tape.get_c_str(), tape.get_string_length());
}

uint64_t &word_of(json_value value) {
  return static_cast<const json_parser *>(value.document)->dom.doc.tape[static_cast<size_t>(value.index)];
}

// The index behind a value.
uint64_t behind(json_value value) {
  tape_ref tape = tape_of(value);
  return tape.tape_ref_type() == REPLACED ? word_of(value) & UINT32_MAX : tape.after_element();
}

slice replaced_text(json_value value) {
  const json_parser *parser = static_cast<const json_parser *>(value.document);
  uint64_t number = word_of(value) >> REPLACED_SHIFT & (JSON_REPLACED_MAX * 2 - 1);
  replaced entry;
  memcpy(&entry, parser->replaced_values.ptr + number * sizeof entry, sizeof entry);
  return slice_make(parser->texts.ptr + entry.offset, entry.len);
}

// Empties what a document's replaced values took; a lot of memory is given back.
void forget(buffer *memory) {
  if (memory->capacity > KEEP_BYTES) {
    size_t bytes_max = memory->max_bytes;
    buffer_finish(memory);
    buffer_init(memory, bytes_max);
  }
  buffer_clear(memory);
}

status refuse(const json_parser *parser, size_t len, simdjson::error_code failure, error *error) {
  if (failure == simdjson::MEMALLOC) return error_set(error, STATUS_NO_MEMORY, "no memory for a JSON document");
  size_t offset;
  const char *words;
  if (json_fault_locate(slice_make(parser->copy, len), &offset, &words)) {
    return error_set(error, STATUS_INVALID, "invalid JSON at byte %zu: %s", offset, words);
  }
  return error_set(error, STATUS_INVALID, "invalid JSON: %s", simdjson::error_message(failure));
}

// True while the iterator is inside a container that ends with `end`.
bool inside(const json_iter *iter, tape_type end) {
  if (!iter->document || iter->index >= iter->end) return false;
  return tape_of({iter->document, iter->end}).tape_ref_type() == end;
}

} // namespace

extern "C" {

status json_parse(json_parser *parser, slice text, json_value *out_root, error *error) {
  if (text.len > parser->bytes_max) {
    return error_set(error, STATUS_TOO_LARGE, "JSON document of %zu bytes, at most %zu are taken", text.len,
                     parser->bytes_max);
  }
  forget(&parser->texts);
  forget(&parser->replaced_values);
  if (!prepare(parser, text.len)) return error_set(error, STATUS_NO_MEMORY, "no memory for a JSON document");
  if (text.len > 0) memcpy(parser->copy, text.ptr, text.len);
  memset(parser->copy + text.len, 0, simdjson::SIMDJSON_PADDING);
  simdjson::error_code failure = parser->dom.parse(parser->copy, text.len, false).error();
  bool repairable = failure == simdjson::NUMBER_ERROR || failure == simdjson::STRING_ERROR;
  if (repairable && json_fault_repair(parser->copy, text.len)) {
    failure = parser->dom.parse(parser->copy, text.len, false).error();
  }
  if (failure) return refuse(parser, text.len, failure, error);
  *out_root = {parser, 1};
  return STATUS_OK;
}

json_type json_type_of(json_value value) {
  return type_of_word(type_on_tape(value));
}

bool json_bool(json_value value) {
  return type_on_tape(value) == tape_type::TRUE_VALUE;
}

int64_t json_i64(json_value value) {
  // simdjson stores as 'u' only what is beyond int64, so 'u' never fits.
  return type_on_tape(value) == tape_type::INT64 ? tape_of(value).next_tape_value<int64_t>() : 0;
}

uint64_t json_u64(json_value value) {
  tape_type type = type_on_tape(value);
  if (type == tape_type::UINT64) return tape_of(value).next_tape_value<uint64_t>();
  if (type != tape_type::INT64) return 0;
  int64_t number = tape_of(value).next_tape_value<int64_t>();
  return number < 0 ? 0 : static_cast<uint64_t>(number);
}

double json_double(json_value value) {
  switch (type_on_tape(value)) {
  case tape_type::DOUBLE: return tape_of(value).next_tape_value<double>();
  case tape_type::INT64: return static_cast<double>(tape_of(value).next_tape_value<int64_t>());
  case tape_type::UINT64: return static_cast<double>(tape_of(value).next_tape_value<uint64_t>());
  default: return 0;
  }
}

slice json_string(json_value value) {
  tape_type type = type_on_tape(value);
  if (type == REPLACED) return replaced_text(value);
  return type == tape_type::STRING ? string_at(tape_of(value)) : slice_make(nullptr, 0);
}

status json_replace(json_value value, slice text) {
  ASSERT(json_is_present(value));
  json_parser *parser = static_cast<json_parser *>(const_cast<void *>(value.document));
  uint64_t number = parser->replaced_values.len / sizeof(replaced);
  if (number >= JSON_REPLACED_MAX || text.len > UINT32_MAX - parser->texts.len) return STATUS_TOO_LARGE;
  replaced entry = {static_cast<uint32_t>(parser->texts.len), static_cast<uint32_t>(text.len)};
  if (buffer_append_slice(&parser->texts, text) != STATUS_OK) return STATUS_NO_MEMORY;
  if (buffer_append(&parser->replaced_values, &entry, sizeof entry) != STATUS_OK) return STATUS_NO_MEMORY;
  word_of(value) = uint64_t{'R'} << 56 | number << REPLACED_SHIFT | behind(value);
  return STATUS_OK;
}

json_iter json_iterate(json_value value) {
  tape_type type = type_on_tape(value);
  if (type != tape_type::START_ARRAY && type != tape_type::START_OBJECT) return {nullptr, 0, 0};
  return {value.document, value.index + 1, uint64_t{tape_of(value).matching_brace_index()} - 1};
}

bool json_array_next(json_iter *iter, json_value *out_value) {
  if (!inside(iter, tape_type::END_ARRAY)) return false;
  *out_value = {iter->document, iter->index};
  iter->index = behind(*out_value);
  return true;
}

bool json_object_next(json_iter *iter, slice *out_key, json_value *out_value) {
  if (!inside(iter, tape_type::END_OBJECT)) return false;
  *out_key = string_at(tape_of({iter->document, iter->index}));
  *out_value = {iter->document, iter->index + 1};
  iter->index = behind(*out_value);
  return true;
}

// Looked for by length and bytes on the tape itself: this is asked for every member that a reader knows.
json_value json_get_slice(json_value object, slice key) {
  if (type_on_tape(object) != tape_type::START_OBJECT) return {nullptr, 0};
  uint64_t end = uint64_t{tape_of(object).matching_brace_index()} - 1;
  for (uint64_t index = object.index + 1; index < end;) {
    tape_ref name = tape_of({object.document, index});
    json_value value = {object.document, index + 1};
    if (name.get_string_length() == key.len && memcmp(name.get_c_str(), key.ptr, key.len) == 0) return value;
    index = behind(value);
  }
  return {nullptr, 0};
}

json_value json_get(json_value object, const char *key) {
  return json_get_slice(object, slice_from_cstr(key));
}

uint64_t json_count(json_value value) {
  json_iter iter = json_iterate(value);
  slice name;
  json_value item;
  uint64_t count = 0;
  if (json_type_of(value) == JSON_OBJECT) {
    while (json_object_next(&iter, &name, &item)) count++;
  } else {
    while (json_array_next(&iter, &item)) count++;
  }
  return count;
}

} // extern "C"
