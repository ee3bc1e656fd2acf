// SPDX-License-Identifier: Apache-2.0
//
// The part of json.h that is asked for every value of a document and so is better not a call: reading the tape. For
// json.h, json.cpp and json_writer.c only.
#ifndef BASE_JSON_TAPE_H
#define BASE_JSON_TAPE_H

#include "base/json.h"

#ifdef __cplusplus
extern "C" {
#endif

#define JSON_TAPE_MARK_SHIFT 56
#define JSON_TAPE_REPLACED   'R'

extern const uint8_t json_tape_types[256];   // enum json_type by mark
extern const uint8_t json_tape_lengths[256]; // in words; 0: the word says where the value ends

// The text of a value that was replaced.
struct slice json_tape_replaced(struct json_value value);

static inline char json_tape_mark(uint64_t word) {
  return (char)(word >> JSON_TAPE_MARK_SHIFT);
}

// What is under a string's word: four bytes of length, then the bytes.
static inline struct slice json_tape_string(const struct json_tape *tape, uint64_t word) {
  const uint8_t *at = tape->strings + (word & ((UINT64_C(1) << JSON_TAPE_MARK_SHIFT) - 1));
  uint32_t len;
  memcpy(&len, at, sizeof len);
  return slice_make(at + sizeof len, len);
}

// The index behind the value at `index`.
static inline uint64_t json_tape_behind(const struct json_tape *tape, uint64_t index) {
  const uint64_t word = tape->words[index];
  const uint8_t words = json_tape_lengths[word >> JSON_TAPE_MARK_SHIFT];
  return words > 0 ? index + words : word & UINT32_MAX;
}

static inline enum json_type json_type_of(struct json_value value) {
  if (!value.document) return JSON_NULL;
  return (enum json_type)json_tape_types[value.document->words[value.index] >> JSON_TAPE_MARK_SHIFT];
}

static inline struct slice json_string(struct json_value value) {
  if (!value.document) return slice_make(0, 0);
  uint64_t word = value.document->words[value.index];
  if (json_tape_mark(word) == '"') return json_tape_string(value.document, word);
  return json_tape_mark(word) == JSON_TAPE_REPLACED ? json_tape_replaced(value) : slice_make(0, 0);
}

static inline struct json_iter json_iterate(struct json_value array_or_object) {
  struct json_iter iter = {0, 0, 0};
  if (!array_or_object.document) return iter;
  uint64_t word = array_or_object.document->words[array_or_object.index];
  if (json_tape_mark(word) != '{' && json_tape_mark(word) != '[') return iter;
  iter.document = array_or_object.document;
  iter.index = array_or_object.index + 1;
  iter.end = (word & UINT32_MAX) - 1;
  return iter;
}

static inline bool json_array_next(struct json_iter *iter, struct json_value *out_value) {
  const struct json_tape *tape = iter->document;
  if (iter->index >= iter->end || json_tape_mark(tape->words[iter->end]) != ']') return false;
  out_value->document = tape;
  out_value->index = iter->index;
  iter->index = json_tape_behind(tape, iter->index);
  return true;
}

static inline bool json_object_next(struct json_iter *iter, struct slice *out_key, struct json_value *out_value) {
  const struct json_tape *tape = iter->document;
  if (iter->index >= iter->end || json_tape_mark(tape->words[iter->end]) != '}') return false;
  *out_key = json_tape_string(tape, tape->words[iter->index]);
  out_value->document = tape;
  out_value->index = iter->index + 1;
  iter->index = json_tape_behind(tape, iter->index + 1);
  return true;
}

#ifdef __cplusplus
}
#endif

#endif
