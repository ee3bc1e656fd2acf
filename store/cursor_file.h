// SPDX-License-Identifier: Apache-2.0
//
// The position of a journal reader whose effects are not rows (an exporter), in a file of its own. Saving is atomic and
// durable: two slots are written in turn, each with a checksum, the newer valid one counts. One thread.
#ifndef STORE_CURSOR_FILE_H
#define STORE_CURSOR_FILE_H

#include <stdint.h>

#include "base/status.h"

struct cursor_file;

// Opens or makes "<directory>/<name>.cursor". *out_sequence is the saved one, 0 when there is none (new or both slots
// damaged: the reader starts over, which for "at least once" is the safe side).
enum status cursor_file_open(const char *directory, const char *name, struct cursor_file **out_cursor,
                             uint64_t *out_sequence, struct error *error);
void cursor_file_close(struct cursor_file *cursor);
// STATUS_IO when it could not be made durable; the older slot still stands then.
enum status cursor_file_save(struct cursor_file *cursor, uint64_t sequence);

#endif
