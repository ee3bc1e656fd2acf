// SPDX-License-Identifier: Apache-2.0
//
// Which attributes carry a request id, and finding it in spans, logs, span events and structured log bodies
// (strings, and arrays whose first string counts; OTLP "http.request.header.<name>" has arrays). Immutable after
// creation; any thread.
#ifndef PROCESSOR_CORRELATION_H
#define PROCESSOR_CORRELATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/slice.h"
#include "proto/otlp_scan.h"

struct correlation;

// The keys in order of preference; NULL takes correlation_default_attributes.
struct correlation *correlation_create(const char *const *attributes, uint32_t count);
void correlation_destroy(struct correlation *correlation);
extern const char *const correlation_default_attributes[]; // NULL at the end

void correlation_add_keys(const struct correlation *correlation, struct otlp_key_filter *filter);
// Is `key` one of them? Its place in the list (0 first), or -1.
int correlation_rank(const struct correlation *correlation, struct slice key);
// The id in a value: a non-empty string of at most RECORD_REQUEST_ID_BYTES_MAX bytes without control characters, or the
// first such string of an array. Empty slice when there is none. Surrounding white space is cut.
struct slice correlation_id_of(const struct otlp_any *value);
// The best-ranked id of validated attributes (field `field` of `message`), empty when none.
struct slice correlation_find(const struct correlation *correlation, struct slice message, uint32_t field);
// Of a span (its attributes, then the best-ranked of all its events'), of a log (attributes, then a kvlist body, then a
// JSON object as string body: top-level members).
struct slice correlation_of_span(const struct correlation *correlation, const struct otlp_span *span);
struct slice correlation_of_log(const struct correlation *correlation, const struct otlp_log *log);
uint64_t correlation_fingerprint(const struct correlation *correlation);

#endif
