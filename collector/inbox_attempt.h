// SPDX-License-Identifier: Apache-2.0
//
// A note of what the inbox is working on, in a small file mapped into memory, so that the next start knows which record
// the process died on. Writing it is a store to memory: it survives the process, not the machine, which is what it is
// for.
//
// A record that was being read when the process died is suspect; after two such deaths it is poison and is to be
// stepped over. A death while several records were being written makes the next start careful: one record a
// transaction, until the bad one is alone. One thread; NULL everywhere is allowed and notes nothing.
#ifndef COLLECTOR_INBOX_ATTEMPT_H
#define COLLECTOR_INBOX_ATTEMPT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct inbox_attempt;

// Opens or makes the file and draws the conclusion from what it says. A file of another shape is begun anew.
enum status inbox_attempt_open(const char *path, struct inbox_attempt **out_attempt, struct error *error);
void inbox_attempt_close(struct inbox_attempt *attempt);

bool inbox_attempt_is_poison(const struct inbox_attempt *attempt, uint64_t sequence);
bool inbox_attempt_is_careful(const struct inbox_attempt *attempt, uint64_t sequence);

// Around the work on records first … last.
void inbox_attempt_begin(struct inbox_attempt *attempt, uint64_t first, uint64_t last);
void inbox_attempt_end(struct inbox_attempt *attempt);
// Everything below `sequence` is done for good.
void inbox_attempt_passed(struct inbox_attempt *attempt, uint64_t sequence);

#endif
