// SPDX-License-Identifier: Apache-2.0
//
// A list of blocks, newest first; allocations bump through the newest one. Block sizes double from 4 KiB to 256 KiB. A
// larger allocation gets a block of its own, put behind the newest so that the room left there is still used.
//
//   blocks -> | header | used ......... | free   |  -> | header | full | -> NULL
//
// Blocks are reused after a reset, so memory is zeroed when it is handed out, not when the block is made.
#include "base/arena.h"

#include <assert.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

#define ALIGNMENT       ((size_t)16)
#define BLOCK_BYTES_MIN ((size_t)4 * 1024)
#define BLOCK_BYTES_MAX ((size_t)256 * 1024)

struct arena_block {
  struct arena_block *next;
  size_t capacity;
  size_t used;
  alignas(16) uint8_t bytes[];
};
static_assert(sizeof(struct arena_block) % 16 == 0, "the bytes behind the header are aligned");

void arena_init(struct arena *arena, size_t max_bytes) {
  ASSERT(max_bytes > 0);
  *arena = (struct arena){.max_bytes = max_bytes};
}

static void free_blocks(struct arena_block *block) {
  while (block) {
    struct arena_block *next = block->next;
    free(block);
    block = next;
  }
}

void arena_finish(struct arena *arena) {
  free_blocks(arena->blocks);
  *arena = (struct arena){.max_bytes = arena->max_bytes};
}

void arena_reset(struct arena *arena) {
  struct arena_block *keep = NULL;
  struct arena_block *block = arena->blocks;
  while (block) {
    struct arena_block *next = block->next;
    if (block->capacity <= BLOCK_BYTES_MAX && (!keep || block->capacity > keep->capacity)) {
      free(keep);
      keep = block;
    } else {
      free(block);
    }
    block = next;
  }
  if (keep) {
    keep->next = NULL;
    keep->used = 0;
  }
  arena->blocks = keep;
  arena->used_bytes = 0;
  arena->exhausted = false;
}

// A block that has room for `bytes` (a multiple of ALIGNMENT), linked; NULL without memory.
static struct arena_block *add_block(struct arena *arena, size_t bytes) {
  struct arena_block *newest = arena->blocks;
  size_t capacity = newest ? newest->capacity * 2 : BLOCK_BYTES_MIN;
  if (capacity > BLOCK_BYTES_MAX) capacity = BLOCK_BYTES_MAX;
  bool own_block = bytes > capacity;
  if (own_block) capacity = bytes;
  struct arena_block *block = malloc(sizeof *block + capacity);
  if (!block) return NULL;
  block->capacity = capacity;
  block->used = 0;
  if (own_block && newest) {
    block->next = newest->next;
    newest->next = block;
  } else {
    block->next = newest;
    arena->blocks = block;
  }
  return block;
}

static void *take_from(struct arena *arena, struct arena_block *block, size_t padded) {
  void *memory = block->bytes + block->used;
  block->used += padded;
  arena->used_bytes += padded;
  return memory;
}

// `padded` bytes, a multiple of ALIGNMENT, from a new block. NULL and exhausted when that is not allowed.
__attribute__((noinline)) static void *take_new(struct arena *arena, size_t padded) {
  bool allowed = padded <= arena->max_bytes - arena->used_bytes;
  struct arena_block *block = allowed ? add_block(arena, padded) : NULL;
  if (block) return take_from(arena, block, padded);
  arena->exhausted = true;
  return NULL;
}

// Not zeroed; *out_bytes: with padding.
static inline void *take(struct arena *arena, size_t bytes, size_t *out_bytes) {
  struct arena_block *block = arena->blocks;
  const size_t wanted = bytes + (bytes == 0);
  const size_t padded = wanted > SIZE_MAX - ALIGNMENT ? SIZE_MAX : (wanted + (ALIGNMENT - 1)) & ~(ALIGNMENT - 1);
  *out_bytes = padded;
  bool has_room = block && padded <= block->capacity - block->used && padded <= arena->max_bytes - arena->used_bytes;
  return has_room ? take_from(arena, block, padded) : take_new(arena, padded);
}

void *arena_alloc(struct arena *arena, size_t bytes) {
  size_t padded;
  void *memory = take(arena, bytes, &padded);
  return memory ? memset(memory, 0, padded) : NULL;
}

void *arena_alloc_array(struct arena *arena, size_t count, size_t bytes) {
  size_t total;
  if (__builtin_mul_overflow(count, bytes, &total)) {
    arena->exhausted = true;
    return NULL;
  }
  return arena_alloc(arena, total);
}

struct slice arena_copy(struct arena *arena, struct slice bytes) {
  if (bytes.len == SIZE_MAX) {
    arena->exhausted = true;
    return slice_make(NULL, 0);
  }
  size_t padded;
  uint8_t *copy = take(arena, bytes.len + 1, &padded);
  if (!copy) return slice_make(NULL, 0);
  if (bytes.len > 0) memcpy(copy, bytes.ptr, bytes.len);
  memset(copy + bytes.len, 0, padded - bytes.len);
  return slice_make(copy, bytes.len);
}

struct buffer arena_room(struct arena *arena) {
  static uint8_t nothing;
  struct arena_block *block = arena->blocks;
  size_t left = arena->max_bytes - arena->used_bytes;
  size_t room = block ? block->capacity - block->used : 0;
  if (room > left) room = left;
  if (room < ALIGNMENT) return (struct buffer){.ptr = &nothing, .max_bytes = 0};
  room -= ALIGNMENT; // for what a text ends with
  return (struct buffer){.ptr = block->bytes + block->used, .capacity = room, .max_bytes = room};
}

struct slice arena_take_room(struct arena *arena, size_t len) {
  size_t padded;
  uint8_t *text = take(arena, len + 1, &padded); // of the newest block: there is room
  memset(text + len, 0, padded - len);
  return slice_make(text, len);
}

struct slice arena_printf(struct arena *arena, const char *format, ...) {
  va_list arguments, again;
  va_start(arguments, format);
  va_copy(again, arguments);
  struct slice result = slice_make(NULL, 0);
  int len = vsnprintf(NULL, 0, format, arguments);
  char *text = len < 0 ? NULL : arena_alloc(arena, (size_t)len + 1);
  if (text) {
    vsnprintf(text, (size_t)len + 1, format, again);
    result = slice_make(text, (size_t)len);
  }
  va_end(again);
  va_end(arguments);
  return result;
}

bool arena_exhausted(const struct arena *arena) {
  return arena->exhausted;
}
