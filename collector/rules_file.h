// SPDX-License-Identifier: Apache-2.0
//
// A file of grouping rules on the command line: read and checked, with everything that is wrong in it said as
// "FILE:LINE:COLUMN: what", so that editors jump there.
#ifndef COLLECTOR_RULES_FILE_H
#define COLLECTOR_RULES_FILE_H

#include <stdio.h>

#include "base/buffer.h"
#include "processor/grouping_check.h"

// Appends the bytes of a file, "-" for standard input. STATUS_IO, STATUS_TOO_LARGE over what out may hold.
enum status rules_file_read(const char *path, struct buffer *out, struct error *error);
// Reads and checks; out holds what was read either way. STATUS_OK and the number of rules, or a failure whose faults
// were written to `faults`.
enum status rules_file_check(const char *path, enum grouping_check_kind kind, struct buffer *out, FILE *faults,
                             uint32_t *out_rules);

#endif
