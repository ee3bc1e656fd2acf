// SPDX-License-Identifier: Apache-2.0
//
// How culprit compresses what it stores for itself: a block says by its first byte what it is, an LZ4 block ('L') or a
// zstd frame (RFC 8878, 0x28), so that either can be chosen where it is written and is understood wherever it is read.
// Its raw length is kept beside it. Pure; any thread.
#ifndef BASE_BLOCK_H
#define BASE_BLOCK_H

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

enum block_codec {
  BLOCK_FAST, // LZ4: for what is read again in seconds, or written at the speed of the network
  BLOCK_DENSE // zstd: a third smaller, at twice the time; for what is kept
};

// Appends one block. STATUS_TOO_LARGE over the buffer's maximum or over 1 GiB, STATUS_NO_MEMORY.
enum status block_compress(enum block_codec codec, struct slice input, struct buffer *out);
// One block into exactly out_len bytes. STATUS_CORRUPT when it does not fit or decode.
enum status block_decompress(struct slice input, uint8_t *out, size_t out_len);

#endif
