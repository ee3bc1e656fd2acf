// SPDX-License-Identifier: Apache-2.0
//
// How it works: before inflating, the most that the body may become is charged to the budget: the size limit, or the
// ratio limit where that is lower, since only a bomb gets there. Afterwards the charge shrinks to what the bytes really
// take.
#include "receiver/admission.h"

#include <stdlib.h>
#include <string.h>

struct admission {
  struct admission_options options;
  char **keys;
};

struct admission *admission_create(const struct admission_options *options) {
  struct admission *admission = calloc(1, sizeof(*admission));
  if (!admission) return NULL;
  admission->options = *options;
  if (options->decoded_bytes_max == 0) admission->options.decoded_bytes_max = ADMISSION_DECODED_DEFAULT;
  if (options->ratio_max == 0) admission->options.ratio_max = ADMISSION_RATIO_DEFAULT;
  admission->keys = calloc(options->key_count + 1, sizeof(*admission->keys));
  bool failed = !admission->keys;
  for (size_t i = 0; !failed && i < options->key_count; i++) {
    admission->keys[i] = strdup(options->keys[i]);
    failed = !admission->keys[i];
  }
  if (!failed) return admission;
  admission_destroy(admission);
  return NULL;
}

void admission_destroy(struct admission *admission) {
  if (!admission) return;
  for (size_t i = 0; admission->keys && i < admission->options.key_count; i++) free(admission->keys[i]);
  free(admission->keys);
  free(admission);
}

// ---- keys

// Looks at every byte of `shown`, whatever the key holds; the length of a key is no secret.
static bool same_key(struct slice shown, const char *key) {
  struct slice expected = slice_from_cstr(key);
  uint8_t difference = expected.len != shown.len || expected.len == 0;
  for (size_t i = 0; i < shown.len; i++) {
    uint8_t byte = i < expected.len ? expected.ptr[i] : 0;
    difference = (uint8_t)(difference | (byte ^ shown.ptr[i]));
  }
  return difference == 0;
}

static bool is_known(const struct admission *admission, struct slice shown) {
  bool known = false;
  for (size_t i = 0; i < admission->options.key_count; i++) known |= same_key(shown, admission->keys[i]);
  return known;
}

enum status admission_check_key(const struct admission *admission, struct slice authorization, struct slice key,
                                struct error *error) {
  if (admission->options.key_count == 0) return STATUS_OK;
  const struct slice scheme = SLICE_LITERAL("Bearer ");
  struct slice token = slice_make(NULL, 0);
  if (slice_equal_ignore_case(slice_sub(authorization, 0, scheme.len), scheme)) {
    token = slice_trim(slice_skip(authorization, scheme.len));
  }
  if (is_known(admission, token) || is_known(admission, key)) return STATUS_OK;
  if (token.len == 0 && key.len == 0) {
    return error_set(error, STATUS_UNAUTHENTICATED, "an ingest key is needed: authorization: Bearer, or x-culprit-key");
  }
  return error_set(error, STATUS_UNAUTHENTICATED, "the ingest key is not known");
}

enum status admission_check_ready(const struct admission *admission, struct error *error) {
  const struct sink *sink = &admission->options.sink;
  return sink->ready ? sink->ready(sink->context, error) : STATUS_OK;
}

// ---- bodies

size_t admission_decoded_bytes_max(const struct admission *admission) {
  return admission->options.decoded_bytes_max;
}

enum status admission_reserve(const struct admission *admission, size_t bytes, struct admission_body *out_body,
                              struct error *error) {
  struct budget *budget = admission->options.budget;
  if (budget && !budget_charge(budget, bytes)) {
    return error_set(error, STATUS_UNAVAILABLE, "too much is in flight, try again");
  }
  out_body->charged_bytes = bytes;
  buffer_init(&out_body->buffer, bytes ? bytes : 1);
  return STATUS_OK;
}

static void charge_down(const struct admission *admission, struct admission_body *body, uint64_t bytes) {
  if (bytes >= body->charged_bytes) return;
  if (admission->options.budget) budget_release(admission->options.budget, body->charged_bytes - bytes);
  body->charged_bytes = bytes;
}

void admission_release(const struct admission *admission, struct admission_body *body) {
  buffer_finish(&body->buffer);
  charge_down(admission, body, 0);
}

enum status admission_decode(const struct admission *admission, enum encoding encoding, struct slice wire,
                             struct admission_body *out_body, struct error *error) {
  size_t size_max = admission->options.decoded_bytes_max;
  size_t ratio_max =
      wire.len > SIZE_MAX / admission->options.ratio_max ? SIZE_MAX : wire.len * admission->options.ratio_max;
  if (ratio_max < ADMISSION_RATIO_FREE) ratio_max = ADMISSION_RATIO_FREE;
  struct admission_body body;
  enum status status = admission_reserve(admission, ratio_max < size_max ? ratio_max : size_max, &body, error);
  if (status != STATUS_OK) return status;
  status = decompress(encoding, wire, &body.buffer, error);
  if (status == STATUS_TOO_LARGE) {
    error_set(error, status, "the decoded body is over the limit of %zu bytes (%zu bytes, and %u times what was sent)",
              body.buffer.max_bytes, size_max, admission->options.ratio_max);
  }
  if (status != STATUS_OK) {
    admission_release(admission, &body);
    return status;
  }
  charge_down(admission, &body, body.buffer.capacity);
  *out_body = body;
  return STATUS_OK;
}
