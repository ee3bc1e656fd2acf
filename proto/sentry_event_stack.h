// SPDX-License-Identifier: Apache-2.0
//
// The parts of a Sentry event that carry stack traces: frames, exceptions, threads. For proto/sentry_event_parse.c and
// proto/sentry_event_write.c only. Memory: the reader's arena.
#ifndef PROTO_SENTRY_EVENT_STACK_H
#define PROTO_SENTRY_EVENT_STACK_H

#include "base/json.h"
#include "proto/sentry_event.h"
#include "proto/sentry_event_reader.h"

#define SENTRY_EVENT_STACK_THREADS_MAX 1024

// Reading. A missing or unusable value gives an empty result (and a note).
void sentry_event_stack_read_trace(struct sentry_event_reader *reader, struct json_value value,
                                   struct sentry_stacktrace *out_trace);
void sentry_event_stack_read_exceptions(struct sentry_event_reader *reader, struct json_value value,
                                        struct sentry_event *event);
void sentry_event_stack_read_threads(struct sentry_event_reader *reader, struct json_value value,
                                     struct sentry_event *event);
// The list inside {"values":[…]}, a bare array or (exceptions only) one object: calls for the array, or nothing.
struct json_value sentry_event_stack_values(struct json_value value);

// Writing: {"frames":[…]}, and the members "exception" and "threads" of an open object, where there are any.
void sentry_event_stack_write_trace(struct json_writer *writer, const struct sentry_stacktrace *trace);
void sentry_event_stack_write_exceptions(struct json_writer *writer, const struct sentry_event *event);
void sentry_event_stack_write_threads(struct json_writer *writer, const struct sentry_event *event);

#endif
