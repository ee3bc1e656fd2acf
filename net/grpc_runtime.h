// SPDX-License-Identifier: Apache-2.0
//
// The process-wide part of gRPC core, for the files of net/ only: start and stop (counted), its log, and the two
// helpers that server and client share. Any thread may call.
#ifndef NET_GRPC_RUNTIME_H
#define NET_GRPC_RUNTIME_H

#include <grpc/grpc.h>

#include "base/decompress.h"
#include "base/slice.h"

// Starts gRPC core if nothing else has; its messages go to our log, its threads take no signals.
void grpc_runtime_acquire(void);
void grpc_runtime_release(void);

enum encoding grpc_runtime_encoding(const grpc_byte_buffer *buffer);
static inline struct slice grpc_runtime_view(const grpc_slice *bytes) {
  return slice_make(GRPC_SLICE_START_PTR(*bytes), GRPC_SLICE_LENGTH(*bytes));
}
// The whole message: a view into `bytes`, or where that came in pieces their copy in `scratch`, which is cleared
// before. STATUS_TOO_LARGE, STATUS_NO_MEMORY: scratch has no room.
enum status grpc_runtime_whole(const grpc_byte_buffer *bytes, struct buffer *scratch, struct slice *out_whole);
// The first value of `key`, a view into the array; empty with NULL ptr when absent.
struct slice grpc_runtime_metadata(const grpc_metadata_array *array, const char *key);

grpc_arg grpc_runtime_number(const char *key, int value);
gpr_timespec grpc_runtime_after(uint64_t ns);

#endif
