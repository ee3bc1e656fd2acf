// SPDX-License-Identifier: Apache-2.0
//
// The only C++ file of the tree: json.h over simdjson's DOM. simdjson parses into a tape of 64-bit words, the type in
// the upper 8 bits; a json_value is the address of that document and an index into its tape. (simdjson, "Tape
// structure")
//
//   '[' '{'   low 32 bits: index behind the matching end; an object's members follow as key word, value
//   '"'       offset into the string buffer, where 4 bytes of length stand before the unescaped bytes and a NUL
//             (JSON_STRING_GAP); strings lie there in the order of the text
//   'l' 'u' 'd'   the number is the next word         't' 'f' 'n'   nothing more
//   'R'      not simdjson's: a value that was replaced by a string; low 32 bits: index behind what it was, the 24
//            above: its number among those replaced
//
// What reads single words of it is inline in json_tape.h.
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

// The text of a value that was replaced lies in `texts`.
struct replaced {
  uint32_t offset, len;
};

struct json_parser {
  explicit json_parser(size_t max) : dom(max < 64 ? 64 : max), bytes_max(max) {}

  simdjson::dom::parser dom;
  json_tape tape = {nullptr, nullptr, this};
  size_t bytes_max;
  uint8_t *copy = nullptr; // the text and its padding
  size_t copy_capacity = 0;
  buffer texts = {};
  buffer replaced_values = {}; // struct replaced
};

namespace {

// A parser that held a document beyond this gives the memory back at the next document below it.
constexpr size_t KEEP_BYTES = size_t{1} << 20;
constexpr unsigned REPLACED_SHIFT = 32;

char mark_of(json_value value) {
  return value.document ? json_tape_mark(value.document->words[value.index]) : 'n';
}

// The number whose mark is the value's word.
template <typename Number> Number number_of(json_value value) {
  Number number;
  memcpy(&number, &value.document->words[value.index + 1], sizeof number);
  return number;
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
  // The document takes more than the parser, for what may be read behind its last string.
  if (parser->dom.doc.allocate(capacity + JSON_STRING_PADDING)) return false;
  if (parser->dom.allocate(capacity, JSON_DEPTH_MAX + 1)) return false;
  parser->copy_capacity = capacity;
  return true;
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
  parser->tape.words = parser->dom.doc.tape.get();
  parser->tape.strings = parser->dom.doc.string_buf.get();
  *out_root = {&parser->tape, 1};
  return STATUS_OK;
}

struct slice json_tape_replaced(json_value value) {
  const json_parser *parser = value.document->parser;
  uint64_t number = value.document->words[value.index] >> REPLACED_SHIFT & (JSON_REPLACED_MAX * 2 - 1);
  replaced entry;
  memcpy(&entry, parser->replaced_values.ptr + number * sizeof entry, sizeof entry);
  return slice_make(parser->texts.ptr + entry.offset, entry.len);
}

bool json_bool(json_value value) {
  return mark_of(value) == 't';
}

int64_t json_i64(json_value value) {
  // simdjson stores as 'u' only what is beyond int64, so 'u' never fits.
  return mark_of(value) == 'l' ? number_of<int64_t>(value) : 0;
}

uint64_t json_u64(json_value value) {
  char mark = mark_of(value);
  if (mark == 'u') return number_of<uint64_t>(value);
  if (mark != 'l') return 0;
  int64_t number = number_of<int64_t>(value);
  return number < 0 ? 0 : static_cast<uint64_t>(number);
}

double json_double(json_value value) {
  switch (mark_of(value)) {
  case 'd': return number_of<double>(value);
  case 'l': return static_cast<double>(number_of<int64_t>(value));
  case 'u': return static_cast<double>(number_of<uint64_t>(value));
  default: return 0;
  }
}

status json_replace(json_value value, slice text) {
  ASSERT(json_is_present(value));
  json_parser *parser = value.document->parser;
  uint64_t number = parser->replaced_values.len / sizeof(replaced);
  if (number >= JSON_REPLACED_MAX || text.len > UINT32_MAX - parser->texts.len) return STATUS_TOO_LARGE;
  replaced entry = {static_cast<uint32_t>(parser->texts.len), static_cast<uint32_t>(text.len)};
  if (buffer_append_slice(&parser->texts, text) != STATUS_OK) return STATUS_NO_MEMORY;
  if (!buffer_reserve(&parser->texts, JSON_STRING_PADDING)) return STATUS_NO_MEMORY;
  if (buffer_append(&parser->replaced_values, &entry, sizeof entry) != STATUS_OK) return STATUS_NO_MEMORY;
  parser->dom.doc.tape[static_cast<size_t>(value.index)] = uint64_t{JSON_TAPE_REPLACED} << JSON_TAPE_MARK_SHIFT |
                                                           number << REPLACED_SHIFT |
                                                           json_tape_behind(value.document, value.index);
  return STATUS_OK;
}

// Looked for by length and bytes on the tape itself: this is asked for every member that a reader knows.
json_value json_get_slice(json_value object, slice key) {
  if (mark_of(object) != '{') return {nullptr, 0};
  const json_tape *tape = object.document;
  const uint64_t *const words = tape->words;
  const uint64_t *const end = words + (words[object.index] & UINT32_MAX) - 1;
  for (const uint64_t *at = words + object.index + 1; at < end;) {
    const slice name = json_tape_string(tape, at[0]);
    if (name.len == key.len && memcmp(name.ptr, key.ptr, key.len) == 0) {
      return {tape, static_cast<uint64_t>(at + 1 - words)};
    }
    const uint8_t value_words = json_tape_lengths[at[1] >> JSON_TAPE_MARK_SHIFT];
    at = value_words > 0 ? at + 1 + value_words : words + (at[1] & UINT32_MAX);
  }
  return {nullptr, 0};
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
