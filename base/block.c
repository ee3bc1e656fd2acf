// SPDX-License-Identifier: Apache-2.0
//
// How it works: LZ4 blocks carry no mark of their own and get one; zstd frames begin with their magic number.
#include "base/block.h"

#include <lz4.h>

#include "base/decompress.h"

#define LZ4_MARK           'L'
#define ZSTD_MARK          0x28               // of the magic number 0xfd2fb528, little-endian
#define SMALL_ACCELERATION 3                  // of LZ4; an event of 5 KB: a quarter faster for a fifteenth more bytes
#define LARGE_ACCELERATION 4                  // a third faster for a twentieth more
#define LARGE_BYTES        ((size_t)64 << 10) // batches of spans
#define INPUT_BYTES_MAX    ((size_t)1 << 30)

static enum status compress_lz4(struct slice input, struct buffer *out) {
  size_t room = (size_t)LZ4_compressBound((int)input.len);
  uint8_t *to = buffer_reserve(out, room + 1);
  if (!to) return STATUS_TOO_LARGE;
  to[0] = LZ4_MARK;
  int len = LZ4_compress_fast((const char *)input.ptr, (char *)to + 1, (int)input.len, (int)room,
                              input.len < LARGE_BYTES ? SMALL_ACCELERATION : LARGE_ACCELERATION);
  ASSERT(len > 0); // the room is what the worst input needs
  out->len += (size_t)len + 1;
  return STATUS_OK;
}

enum status block_compress(enum block_codec codec, struct slice input, struct buffer *out) {
  if (input.len > INPUT_BYTES_MAX) return STATUS_TOO_LARGE;
  return codec == BLOCK_FAST ? compress_lz4(input, out) : compress_zstd(input, out);
}

enum status block_decompress(struct slice input, uint8_t *out, size_t out_len) {
  if (input.len == 0 || out_len > INPUT_BYTES_MAX || input.len > LZ4_MAX_INPUT_SIZE) return STATUS_CORRUPT;
  if (input.ptr[0] == ZSTD_MARK) return decompress_zstd_exact(input, out, out_len);
  if (input.ptr[0] != LZ4_MARK) return STATUS_CORRUPT;
  int len = LZ4_decompress_safe((const char *)input.ptr + 1, (char *)out, (int)input.len - 1, (int)out_len);
  return len >= 0 && (size_t)len == out_len ? STATUS_OK : STATUS_CORRUPT;
}
