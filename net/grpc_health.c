// SPDX-License-Identifier: Apache-2.0
//
// grpc.health.v1.Health/Check (github.com/grpc/grpc/blob/master/doc/health-checking.md). HealthCheckRequest holds the
// service name in field 1, HealthCheckResponse the status in field 1; both are read and written by hand. The empty name
// is the server as a whole; a service that the server does not have is NOT_FOUND.
#include "base/buffer.h"
#include "net/grpc_call.h"

enum { REQUEST_BYTES_MAX = 4096, SERVING = 1, NOT_SERVING = 2 };

const char grpc_health_path[] = "/grpc.health.v1.Health/Check";

static bool read_varint(struct slice *rest, uint64_t *out_value) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64 && rest->len; shift += 7) {
    uint8_t byte = rest->ptr[0];
    *rest = slice_skip(*rest, 1);
    value |= (uint64_t)(byte & 0x7f) << shift;
    if (byte < 0x80) {
      *out_value = value;
      return true;
    }
  }
  return false;
}

// Field 1 as a string, the last one; other fields are skipped. False for bytes that are no message.
static bool read_service(struct slice message, struct slice *out_service) {
  *out_service = slice_make(NULL, 0);
  while (message.len) {
    uint64_t tag, length = 0;
    if (!read_varint(&message, &tag)) return false;
    switch (tag & 7) {
    case 0:
      if (!read_varint(&message, &length)) return false;
      length = 0;
      break;
    case 1: length = 8; break;
    case 2:
      if (!read_varint(&message, &length)) return false;
      break;
    case 5: length = 4; break;
    default: return false;
    }
    if (length > message.len) return false;
    if (tag == (1 << 3 | 2)) *out_service = slice_sub(message, 0, (size_t)length);
    message = slice_skip(message, (size_t)length);
  }
  return true;
}

static bool knows(const struct grpc_server_handle *server, struct slice service) {
  if (service.len == 0 || slice_equal_cstr(service, "grpc.health.v1.Health")) return true;
  for (size_t i = 0; i < server->options.method_count; i++) {
    struct slice path = slice_skip(slice_from_cstr(server->options.methods[i].path), 1);
    if (slice_equal(service, slice_sub(path, 0, slice_find_byte(path, '/')))) return true;
  }
  return false;
}

void grpc_health_handle(void *context, struct grpc_call_handle *call) {
  struct grpc_server_handle *server = context;
  struct buffer plain;
  buffer_init(&plain, REQUEST_BYTES_MAX);
  struct slice service;
  const uint8_t answer[] = {1 << 3, atomic_bool_get(&server->serving) ? SERVING : NOT_SERVING};
  if (decompress(grpc_call_encoding(call), grpc_call_message(call), &plain, NULL) != STATUS_OK ||
      !read_service(buffer_slice(&plain), &service)) {
    grpc_call_finish(call, GRPC_CODE_INVALID_ARGUMENT, "not a HealthCheckRequest", slice_make(NULL, 0));
  } else if (!knows(server, service)) {
    grpc_call_finish(call, GRPC_CODE_NOT_FOUND, "no such service", slice_make(NULL, 0));
  } else {
    grpc_call_finish(call, GRPC_CODE_OK, NULL, slice_make(answer, sizeof(answer)));
  }
  buffer_finish(&plain);
}
