// SPDX-License-Identifier: Apache-2.0
//
// What json.cpp does with a text that simdjson refused: repair what is valid JSON all the same, and find the place of
// what is not, for the words of the error. Pure; only called when parsing failed, or of one small text, so clarity goes
// before speed.
#ifndef BASE_JSON_FAULT_H
#define BASE_JSON_FAULT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/slice.h"

#ifdef __cplusplus
extern "C" {
#endif

// Rewrites in place, in the same length, what RFC 8259 allows and simdjson does not take; true when there was any:
// integers beyond 64 bits become numbers with an exponent, to be read as doubles ("123456789012345678901" becomes
// "1234567890123456789e2"), and escaped surrogates without their other half become "\ufffd".
bool json_fault_repair(uint8_t *text, size_t len);

// The first byte where `text` stops being the beginning of a JSON document (text.len when it just ends early), and what
// is wrong there. False when the grammar finds no fault.
bool json_fault_locate(struct slice text, size_t *out_offset, const char **out_words);

#ifdef __cplusplus
}
#endif

#endif
