// SPDX-License-Identifier: Apache-2.0
//
// Content encodings in and out, always with an output cap. Inputs are hostile: output grows in steps, never by what a
// frame header claims; zstd windows are at most 8 MiB; one frame or member set only, trailing bytes are refused.
// Pure apart from per-thread contexts; any thread may call.
#ifndef BASE_DECOMPRESS_H
#define BASE_DECOMPRESS_H

#include "base/buffer.h"
#include "base/slice.h"
#include "base/status.h"

enum encoding { ENCODING_IDENTITY, ENCODING_GZIP, ENCODING_DEFLATE, ENCODING_ZSTD, ENCODING_BROTLI };

// An HTTP Content-Encoding or a gRPC grpc-encoding name, any case: "", identity, gzip, x-gzip, deflate (zlib, RFC
// 9110), zstd, br. False when it is not served.
bool encoding_parse(struct slice name, enum encoding *out_encoding);
const char *encoding_name(enum encoding encoding);

// Appends the decoded bytes to `out`; the cap is out->max_bytes. STATUS_TOO_LARGE over the cap, STATUS_INVALID when the
// input is truncated, damaged or followed by junk. deflate accepts zlib and raw streams. On failure `out` holds what it
// held before.
enum status decompress(enum encoding encoding, struct slice input, struct buffer *out, struct error *error);

// Appends a gzip member (level 1). For replies to clients that asked for it, and for outgoing requests.
enum status compress_gzip(struct slice input, struct buffer *out);
// Appends one zstd frame with content size (level 1).
enum status compress_zstd(struct slice input, struct buffer *out);
// One zstd frame made by compress_zstd into exactly out_len bytes. STATUS_CORRUPT when it does not fit or decode.
enum status decompress_zstd_exact(struct slice input, uint8_t *out, size_t out_len);

#endif
