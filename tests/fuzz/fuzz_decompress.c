// SPDX-License-Identifier: Apache-2.0
//
// The first byte chooses the encoding, the rest is the body. What must hold: never more than the cap, nothing left
// behind after a failure, and whatever was decoded survives our own encoders.
#include <stdlib.h>
#include <string.h>

#include "base/decompress.h"

#define CAP  ((size_t)64 * 1024)
#define HEAD "head"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_encoders(struct slice decoded) {
  struct buffer packed, again;
  buffer_init(&packed, 2 * CAP);
  buffer_init(&again, CAP);
  ASSERT(compress_gzip(decoded, &packed) == STATUS_OK);
  ASSERT(decompress(ENCODING_GZIP, buffer_slice(&packed), &again, NULL) == STATUS_OK);
  ASSERT(slice_equal(buffer_slice(&again), decoded));
  buffer_clear(&packed);
  ASSERT(compress_zstd(decoded, &packed) == STATUS_OK);
  uint8_t *exact = malloc(decoded.len + 1);
  ASSERT(exact != NULL);
  ASSERT(decompress_zstd_exact(buffer_slice(&packed), exact, decoded.len) == STATUS_OK);
  ASSERT(slice_equal(slice_make(exact, decoded.len), decoded));
  free(exact);
  buffer_finish(&packed);
  buffer_finish(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  enum encoding encoding = (enum encoding)(data[0] % (ENCODING_BROTLI + 1));
  struct slice body = slice_make(data + 1, size - 1);
  struct buffer out;
  struct error error;
  buffer_init(&out, CAP);
  ASSERT(buffer_append_cstr(&out, HEAD) == STATUS_OK);
  enum status status = decompress(encoding, body, &out, &error);
  ASSERT(out.len <= CAP && out.capacity <= CAP);
  ASSERT(memcmp(out.ptr, HEAD, strlen(HEAD)) == 0);
  if (status == STATUS_OK) {
    check_encoders(slice_skip(buffer_slice(&out), strlen(HEAD)));
  } else {
    ASSERT(out.len == strlen(HEAD));
    ASSERT(status == STATUS_INVALID || status == STATUS_TOO_LARGE);
    ASSERT(slice_is_utf8(slice_from_cstr(error.text)));
  }
  uint8_t exact[256];
  status = decompress_zstd_exact(body, exact, sizeof exact);
  ASSERT(status == STATUS_OK || status == STATUS_CORRUPT);
  buffer_finish(&out);
  return 0;
}
