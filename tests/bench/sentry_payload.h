// SPDX-License-Identifier: Apache-2.0
//
// Envelopes as Sentry's Python SDK sends them: one error event each, of a given size, gzip. A set of distinct bodies is
// made at the start; sending one again under another event id changes a few bytes in place, so that a generator costs
// next to nothing. For benches.
#ifndef TESTS_BENCH_SENTRY_PAYLOAD_H
#define TESTS_BENCH_SENTRY_PAYLOAD_H

#include <stdint.h>

#include "base/slice.h"

struct sentry_payload_options {
  uint32_t distinct;  // bodies; the issue of body i is i % issues
  uint32_t issues;    // distinct errors
  uint32_t first_one; // number of the first issue, so that two sets do not share any
  uint32_t bytes;     // of an event's JSON, about
  uint64_t seed;
};

struct sentry_payload;

struct sentry_payload *sentry_payload_create(const struct sentry_payload_options *options);
void sentry_payload_destroy(struct sentry_payload *payload);
// The compressed body `number` % distinct with a fresh event id. Valid until the same body is asked for again.
struct slice sentry_payload_next(struct sentry_payload *payload, uint64_t number);
// Uncompressed event and compressed envelope, on average.
uint32_t sentry_payload_event_bytes(const struct sentry_payload *payload);
uint32_t sentry_payload_sent_bytes(const struct sentry_payload *payload);

#endif
