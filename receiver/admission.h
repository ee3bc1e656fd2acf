// SPDX-License-Identifier: Apache-2.0
//
// Who may send, whether anything can be taken now, and how large a body may become: what every ingest door asks before
// it works for a client. Immutable after creation; any thread may call.
#ifndef RECEIVER_ADMISSION_H
#define RECEIVER_ADMISSION_H

#include "base/budget.h"
#include "base/buffer.h"
#include "base/decompress.h"
#include "base/slice.h"
#include "base/status.h"
#include "receiver/sink.h"

#define ADMISSION_DECODED_DEFAULT ((size_t)64 << 20)
#define ADMISSION_RATIO_DEFAULT   200u
#define ADMISSION_RATIO_FREE      ((size_t)1 << 20) // up to here the ratio does not count

struct admission_options {
  struct sink sink;        // asked for readiness
  struct budget *budget;   // memory.max_bytes; charged for decoded bytes while they are held. NULL: none
  const char *const *keys; // ingest keys; none: everybody may send. Copied.
  size_t key_count;
  size_t decoded_bytes_max; // of one request; 0: the default
  uint32_t ratio_max;       // decoded to wire bytes, above ADMISSION_RATIO_FREE; 0: the default
};

struct admission;

// NULL for want of memory.
struct admission *admission_create(const struct admission_options *options);
void admission_destroy(struct admission *admission);

// What a client shows: `authorization: Bearer <key>` or `x-culprit-key: <key>`, empty when absent.
// STATUS_UNAUTHENTICATED when keys are configured and none of them is shown; comparing takes the same time wherever a
// key differs.
enum status admission_check_key(const struct admission *admission, struct slice authorization, struct slice key,
                                struct error *error);
// sink.ready.
enum status admission_check_ready(const struct admission *admission, struct error *error);

// A decoded body and what it holds of the budget.
struct admission_body {
  struct buffer buffer;
  uint64_t charged_bytes;
};
size_t admission_decoded_bytes_max(const struct admission *admission);
// An empty body that may grow to `bytes`, charged now. STATUS_UNAVAILABLE when the budget does not allow it.
enum status admission_reserve(const struct admission *admission, size_t bytes, struct admission_body *out_body,
                              struct error *error);
// Inflates `wire` into a new body. STATUS_TOO_LARGE over the size or ratio limit, STATUS_INVALID for damaged input,
// STATUS_UNAVAILABLE out of the budget; nothing is held then.
enum status admission_decode(const struct admission *admission, enum encoding encoding, struct slice wire,
                             struct admission_body *out_body, struct error *error);
void admission_release(const struct admission *admission, struct admission_body *body);

#endif
