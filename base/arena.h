// SPDX-License-Identifier: Apache-2.0
//
// A bump allocator with a byte budget: everything of one batch is allocated from it and dropped in one call. Memory is
// zeroed, aligned to 16 bytes and stays valid until arena_reset or arena_finish. One thread at a time.
//
// Running out of the budget is an ordinary answer: arena_alloc returns NULL and arena_exhausted() stays true until
// reset.
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/slice.h"

struct arena_block;

struct arena {
  struct arena_block *blocks; // newest first
  size_t used_bytes;          // handed out since the last reset, padding included
  size_t max_bytes;
  bool exhausted;
};

// No allocation happens before the first arena_alloc. max_bytes > 0.
void arena_init(struct arena *arena, size_t max_bytes);
void arena_finish(struct arena *arena);
// Drops everything handed out; keeps at most one block (of up to 256 KiB) for reuse.
void arena_reset(struct arena *arena);

// NULL when the budget does not allow it. bytes may be 0 (a valid pointer is returned).
void *arena_alloc(struct arena *arena, size_t bytes);
// count * bytes with overflow check.
void *arena_alloc_array(struct arena *arena, size_t count, size_t bytes);
// A copy in the arena; on exhaustion an empty slice with a NULL ptr. The copy is followed by a NUL byte outside its
// len.
struct slice arena_copy(struct arena *arena, struct slice bytes);
// For who writes before knowing how much it will be: what is free of the newest block, as a buffer that cannot grow and
// is never finished. Nothing else may be asked of the arena until arena_take_room takes the first `len` bytes of it, if
// at all; they end as a copy does.
struct buffer arena_room(struct arena *arena);
struct slice arena_take_room(struct arena *arena, size_t len);
// printf into the arena; NUL-terminated beyond len. Empty slice with NULL ptr on exhaustion.
struct slice arena_printf(struct arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));
bool arena_exhausted(const struct arena *arena);

#endif
