// SPDX-License-Identifier: Apache-2.0
//
// How it works: grpc_init counts; whoever comes first starts the library's threads, which inherit the signal mask of
// that moment.
#include "net/grpc_runtime.h"

#include <grpc/slice.h>
#include <grpc/support/log.h>
#include <signal.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/thread.h"

static void on_log(gpr_log_func_args *line) {
  // What gRPC core calls an error is nearly always the fault of one peer.
  enum log_level level = line->severity == GPR_LOG_SEVERITY_ERROR ? LOG_WARN : LOG_DEBUG;
  log_write(level, "grpc", "gRPC core", LOG_FIELDS(log_text("text", line->message)));
}

void grpc_runtime_acquire(void) {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  gpr_set_log_function(on_log);
  grpc_init();
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void grpc_runtime_release(void) {
  grpc_shutdown();
}

// By hand: the reader of gRPC core would want to inflate a compressed message.
enum status grpc_runtime_whole(const grpc_byte_buffer *bytes, struct buffer *scratch, struct slice *out_whole) {
  const grpc_slice_buffer *pieces = &bytes->data.raw.slice_buffer;
  buffer_clear(scratch);
  if (pieces->count == 1) {
    *out_whole = grpc_runtime_view(&pieces->slices[0]);
    return STATUS_OK;
  }
  enum status status = buffer_grow(scratch, pieces->length);
  for (size_t i = 0; i < pieces->count && status == STATUS_OK; i++)
    status = buffer_append_slice(scratch, grpc_runtime_view(&pieces->slices[i]));
  if (status == STATUS_OK) *out_whole = buffer_slice(scratch);
  return status;
}

enum encoding grpc_runtime_encoding(const grpc_byte_buffer *buffer) {
  switch (buffer->data.raw.compression) {
  case GRPC_COMPRESS_GZIP: return ENCODING_GZIP;
  case GRPC_COMPRESS_DEFLATE: return ENCODING_DEFLATE;
  default: return ENCODING_IDENTITY;
  }
}

struct slice grpc_runtime_metadata(const grpc_metadata_array *array, const char *key) {
  for (size_t i = 0; i < array->count; i++) {
    if (slice_equal_cstr(grpc_runtime_view(&array->metadata[i].key), key)) {
      return grpc_runtime_view(&array->metadata[i].value);
    }
  }
  return slice_make(NULL, 0);
}

grpc_arg grpc_runtime_number(const char *key, int value) {
  return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)(uintptr_t)key, .value.integer = value};
}

gpr_timespec grpc_runtime_after(uint64_t ns) {
  int64_t bounded = ns > INT64_MAX ? INT64_MAX : (int64_t)ns;
  return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_nanos(bounded, GPR_TIMESPAN));
}
