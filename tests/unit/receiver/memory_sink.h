// SPDX-License-Identifier: Apache-2.0
//
// A sink for tests: it checks payloads with the real scan, counts items with bad ids as rejected, remembers the last
// one, and answers at once, later, or not well, as the test says.
#ifndef TESTS_UNIT_RECEIVER_MEMORY_SINK_H
#define TESTS_UNIT_RECEIVER_MEMORY_SINK_H

#include <stdlib.h>
#include <string.h>

#include "base/thread.h"
#include "proto/otlp_json.h"
#include "proto/otlp_scan.h"
#include "receiver/sink.h"

struct memory_sink {
  struct mutex mutex;
  struct condition changed;
  // Set by the test.
  enum status refuse;    // submit's own answer when not STATUS_OK
  enum status fail;      // what done is called with
  enum status not_ready; // ready's answer
  bool keep;             // do not call done: memory_sink_finish does
  const char *reason;    // of the outcome, instead of the scan's
  // What came.
  uint32_t submits;
  uint32_t parsed_events; // of them, that came parsed
  enum journal_kind kind;
  uint32_t project;
  uint64_t items, rejected;
  uint8_t *body;
  size_t body_len;
  struct {
    uint8_t *ptr;
    size_t len;
  } of_kind[JOURNAL_ITEMS + 1]; // the last one of each kind
  sink_done_fn kept_done;
  void *kept_context;
};

// What the test wrote before is seen by the server's threads after, and the other way round. The call in between orders
// them anyhow, but through gRPC core's locks, which ThreadSanitizer does not see.
static inline void memory_sink_meet(struct memory_sink *sink) {
  mutex_lock(&sink->mutex);
  mutex_unlock(&sink->mutex);
}

static inline enum status memory_sink_scan(struct memory_sink *sink, enum journal_kind kind, struct slice body,
                                           struct error *error) {
  sink->items = sink->rejected = 0;
  if (kind == JOURNAL_EVENTS || kind == JOURNAL_ITEMS) {
    sink->items = 1;
    return STATUS_OK;
  }
  if (kind == JOURNAL_METRICS) return otlp_scan_metrics(body, &sink->items, error);
  struct otlp_scan scan;
  struct otlp_item item;
  otlp_scan_init(&scan, kind == JOURNAL_TRACES ? OTLP_TRACES : OTLP_LOGS, body, NULL);
  enum status status;
  while ((status = otlp_scan_next(&scan, &item, error)) == STATUS_OK) {
    if (item.ids_valid) {
      sink->items++;
    } else {
      sink->rejected++;
    }
  }
  return status == STATUS_END ? STATUS_OK : status;
}

static inline void memory_sink_answer(struct memory_sink *sink, sink_done_fn done, void *context) {
  struct error error = {{0}};
  if (sink->fail != STATUS_OK) error_set(&error, sink->fail, "the disk is on fire");
  const struct sink_outcome outcome = {.accepted = sink->items,
                                       .rejected = sink->rejected,
                                       .reason = sink->reason     ? sink->reason
                                                 : sink->rejected ? "a trace id is not 16 bytes"
                                                                  : NULL};
  done(context, sink->fail, &outcome, &error);
}

static inline enum status memory_sink_submit(void *context, enum journal_kind kind, uint32_t project, struct slice body,
                                             sink_done_fn done, void *done_context, struct error *error) {
  struct memory_sink *sink = context;
  memory_sink_meet(sink);
  if (sink->refuse != STATUS_OK) return error_set(error, sink->refuse, "come back later");
  mutex_lock(&sink->mutex);
  enum status status = memory_sink_scan(sink, kind, body, error);
  if (status == STATUS_OK) {
    sink->submits++;
    sink->kind = kind;
    sink->project = project;
    free(sink->body);
    sink->body = malloc(body.len + 1);
    if (body.len) memcpy(sink->body, body.ptr, body.len);
    sink->body_len = body.len;
    sink->of_kind[kind].ptr = realloc(sink->of_kind[kind].ptr, body.len + 1);
    if (body.len) memcpy(sink->of_kind[kind].ptr, body.ptr, body.len);
    sink->of_kind[kind].len = body.len;
    sink->kept_done = sink->keep ? done : NULL;
    sink->kept_context = done_context;
    condition_broadcast(&sink->changed);
  }
  bool keep = sink->keep;
  mutex_unlock(&sink->mutex);
  if (status == STATUS_OK && !keep) memory_sink_answer(sink, done, done_context);
  return status;
}

// Kept as a document, as if it had been written for this sink.
static inline enum status memory_sink_submit_event(void *context, uint32_t project, const struct sink_event *event,
                                                   sink_done_fn done, void *done_context, struct error *error) {
  struct buffer document, text;
  buffer_init(&document, 64u << 20);
  buffer_init(&text, 64u << 20);
  json_write_value(&text, event->root);
  buffer_printf(&document, "{\"event_id\":\"%s\",\"project\":%u,", event->event_id, project);
  buffer_append_slice(&document, slice_skip(buffer_slice(&text), 1));
  enum status status =
      memory_sink_submit(context, JOURNAL_EVENTS, project, buffer_slice(&document), done, done_context, error);
  ((struct memory_sink *)context)->parsed_events += status == STATUS_OK;
  buffer_finish(&document);
  buffer_finish(&text);
  return status;
}

static inline enum status memory_sink_ready(void *context, struct error *error) {
  struct memory_sink *sink = context;
  memory_sink_meet(sink);
  return sink->not_ready == STATUS_OK ? STATUS_OK : error_set(error, sink->not_ready, "the disk is full");
}

static inline struct sink memory_sink_init(struct memory_sink *sink) {
  memset(sink, 0, sizeof(*sink));
  mutex_init(&sink->mutex);
  condition_init(&sink->changed);
  return (struct sink){.context = sink,
                       .submit = memory_sink_submit,
                       .submit_event = memory_sink_submit_event,
                       .ready = memory_sink_ready};
}

static inline void memory_sink_finish(struct memory_sink *sink) {
  free(sink->body);
  for (size_t kind = 0; kind <= JOURNAL_ITEMS; kind++) free(sink->of_kind[kind].ptr);
  condition_finish(&sink->changed);
  mutex_finish(&sink->mutex);
}

// Waits for a submit that was kept and answers it.
static inline void memory_sink_answer_kept(struct memory_sink *sink) {
  mutex_lock(&sink->mutex);
  while (!sink->kept_done) condition_wait(&sink->changed, &sink->mutex);
  sink_done_fn done = sink->kept_done;
  sink->kept_done = NULL;
  mutex_unlock(&sink->mutex);
  memory_sink_answer(sink, done, sink->kept_context);
}

// ---- payloads

// Appends a traces request in JSON: so many spans, the one at `bad` (if any) with a trace id of zeros.
static inline void memory_sink_traces_json(struct buffer *out, int spans, int bad, const char *name) {
  buffer_append_cstr(out, "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":"
                          "{\"stringValue\":\"shop\"}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"s\"},\"spans\":[");
  for (int i = 0; i < spans; i++) {
    buffer_printf(
        out, "%s{\"traceId\":\"%032x\",\"spanId\":\"%016x\",\"name\":\"%s\",\"kind\":2,\"startTimeUnixNano\":\"%d\"}",
        i ? "," : "", i == bad ? 0 : i + 1, i + 1, name, i + 5);
  }
  buffer_append_cstr(out, "]}]}]}");
}

// Appends the wire form of a JSON request.
static inline void memory_sink_wire(enum otlp_signal signal, const char *json, struct buffer *out) {
  struct json_parser *parser = json_parser_create(8 << 20);
  struct error error;
  enum status status = otlp_json_to_wire(signal, parser, slice_from_cstr(json), out, &error);
  ASSERT(status == STATUS_OK);
  json_parser_destroy(parser);
}

static inline void memory_sink_traces(struct buffer *out, int spans, int bad) {
  struct buffer json;
  buffer_init(&json, 64 << 20);
  memory_sink_traces_json(&json, spans, bad, "GET /cart");
  buffer_append_byte(&json, 0);
  memory_sink_wire(OTLP_TRACES, (const char *)json.ptr, out);
  buffer_finish(&json);
}

#define MEMORY_SINK_LOGS_JSON                                                                                          \
  "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"severityNumber\":17,\"body\":{\"stringValue\":\"oh\"}},"     \
  "{\"body\":{\"stringValue\":\"two\"}}]}]}]}"
#define MEMORY_SINK_METRICS_JSON                                                                                       \
  "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"name\":\"m\",\"gauge\":{\"dataPoints\":["                 \
  "{\"asInt\":\"1\"},{\"asDouble\":2.5}]}}]}]}]}"

#endif
