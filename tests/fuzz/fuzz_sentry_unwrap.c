// SPDX-License-Identifier: Apache-2.0
//
// Any bytes as the body of the old store endpoint: the event is the body or lies in one of the two buffers, which stay
// within their ceilings; a refusal has words.
#include "receiver/sentry_unwrap.h"

#define DECODED_MAX  ((size_t)256 << 10)
#define INFLATED_MAX ((size_t)64 << 10)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lies_in(struct slice inner, struct slice outer) {
  return inner.ptr >= outer.ptr && inner.ptr + inner.len <= outer.ptr + outer.len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct slice text = slice_make(data, size), json = {0};
  struct buffer decoded, inflated;
  struct error error = {""};
  buffer_init(&decoded, DECODED_MAX);
  buffer_init(&inflated, INFLATED_MAX);
  enum status status = sentry_unwrap(text, &decoded, &inflated, &json, &error);
  ASSERT(decoded.len <= DECODED_MAX && inflated.len <= INFLATED_MAX);
  if (status == STATUS_OK) {
    ASSERT(json.len == 0 || lies_in(json, text) || lies_in(json, buffer_slice(&decoded)) ||
           lies_in(json, buffer_slice(&inflated)));
  } else {
    ASSERT(status == STATUS_INVALID || status == STATUS_TOO_LARGE);
    ASSERT(error.text[0] != 0);
  }
  buffer_finish(&decoded);
  buffer_finish(&inflated);
  return 0;
}
