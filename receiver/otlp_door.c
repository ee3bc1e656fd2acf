// SPDX-License-Identifier: Apache-2.0
//
// How it works: inflate, translate JSON to the wire form, submit; the decoded bytes are let go as soon as submit is
// back, what waits for the acknowledgement is one small struct. Validation is the sink's. Identity protobuf bodies are
// passed on without a copy.
//
// JSON: a parser holds its index and its strings beside the document, in the order of four bytes for each byte of
// ordinary text, so that much is charged to the budget while it works. A document that could never be paid is too
// large, not "try again". Parsers are kept for reuse in a small pool; one that has grown past JSON_KEPT_BYTES_MAX is
// not.
#include "receiver/otlp_door.h"

#include <stdlib.h>

#include "proto/otlp_json.h"

#define JSON_POOL           8u
#define JSON_COST           4u
#define JSON_SHARE          8u // a document may be at most this part of the budget
#define JSON_KEPT_BYTES_MAX ((size_t)1 << 20)
#define NOT_STORED                                                                                                     \
  "culprit does not store metrics; they are forwarded when exporters.otlp.metrics is set. Nothing was kept."

enum { SIGNALS = 3, STATUSES = STATUS_INTERNAL + 1 };

struct otlp_door {
  struct otlp_door_options options;
  struct admission *admission;
  size_t json_bytes_max;
  struct {
    struct metrics_value *requests[2], *items, *bytes, *rejected, *refused[STATUSES];
  } counters[SIGNALS];
  struct mutex mutex; // guards the pool
  struct json_parser *pool[JSON_POOL];
  uint32_t pool_count;
};

// ---- life

static void make_counters(struct otlp_door *door, enum otlp_signal signal) {
  struct metrics *metrics = door->options.metrics;
  static const char *const transports[] = {[OTLP_DOOR_GRPC] = "grpc", [OTLP_DOOR_HTTP] = "http"};
  struct buffer labels;
  buffer_init(&labels, 256);
  const char *name = otlp_signal_name(signal);
  for (unsigned transport = OTLP_DOOR_GRPC; transport <= OTLP_DOOR_HTTP; transport++) {
    buffer_clear(&labels);
    buffer_printf(&labels, "signal=\"%s\",transport=\"%s\"%c", name, transports[transport], 0);
    door->counters[signal].requests[transport] =
        metrics_series(metrics, METRICS_COUNTER, "culprit_received_requests_total", (const char *)labels.ptr,
                       "Requests that arrived, whatever became of them.");
  }
  for (unsigned status = STATUS_INVALID; status < STATUSES; status++) {
    buffer_clear(&labels);
    buffer_printf(&labels, "signal=\"%s\",reason=\"%s\"%c", name, status_name((enum status)status), 0);
    door->counters[signal].refused[status] =
        metrics_series(metrics, METRICS_COUNTER, "culprit_refused_requests_total", (const char *)labels.ptr,
                       "Requests that were refused as a whole.");
  }
  buffer_clear(&labels);
  buffer_printf(&labels, "signal=\"%s\"%c", name, 0);
  const char *label = (const char *)labels.ptr;
  door->counters[signal].items = metrics_series(metrics, METRICS_COUNTER, "culprit_received_items_total", label,
                                                "Spans, log records and data points that were accepted.");
  door->counters[signal].bytes = metrics_series(metrics, METRICS_COUNTER, "culprit_received_bytes_total", label,
                                                "Bytes of request bodies as they came over the wire.");
  door->counters[signal].rejected = metrics_series(metrics, METRICS_COUNTER, "culprit_rejected_items_total", label,
                                                   "Items refused for good inside accepted requests.");
  buffer_finish(&labels);
}

struct otlp_door *otlp_door_create(const struct otlp_door_options *options) {
  struct otlp_door *door = calloc(1, sizeof(*door));
  if (!door) return NULL;
  door->options = *options;
  door->admission = admission_create(&options->limits);
  if (!door->admission) {
    free(door);
    return NULL;
  }
  door->json_bytes_max = admission_decoded_bytes_max(door->admission);
  if (options->limits.budget && door->json_bytes_max > budget_max(options->limits.budget) / JSON_SHARE) {
    door->json_bytes_max = (size_t)(budget_max(options->limits.budget) / JSON_SHARE);
  }
  mutex_init(&door->mutex);
  for (unsigned signal = OTLP_TRACES; signal <= OTLP_METRICS; signal++) make_counters(door, (enum otlp_signal)signal);
  return door;
}

void otlp_door_destroy(struct otlp_door *door) {
  if (!door) return;
  for (uint32_t i = 0; i < door->pool_count; i++) json_parser_destroy(door->pool[i]);
  mutex_finish(&door->mutex);
  admission_destroy(door->admission);
  free(door);
}

// ---- before the body

enum status otlp_door_admit(const struct otlp_door *door, struct slice authorization, struct slice key,
                            struct error *error) {
  enum status status = admission_check_key(door->admission, authorization, key, error);
  return status == STATUS_OK ? admission_check_ready(door->admission, error) : status;
}

static void count_refusal(struct otlp_door *door, enum otlp_signal signal, enum status status) {
  ASSERT(status != STATUS_OK && status != STATUS_END);
  metrics_add(door->counters[signal].refused[status], 1);
}

void otlp_door_count_refusal(struct otlp_door *door, enum otlp_signal signal, enum otlp_door_transport transport,
                             enum status status) {
  metrics_add(door->counters[signal].requests[transport], 1);
  count_refusal(door, signal, status);
}

// ---- JSON

static struct json_parser *take_parser(struct otlp_door *door) {
  struct json_parser *parser = NULL;
  mutex_lock(&door->mutex);
  if (door->pool_count > 0) parser = door->pool[--door->pool_count];
  mutex_unlock(&door->mutex);
  return parser ? parser : json_parser_create(door->json_bytes_max);
}

static void give_parser(struct otlp_door *door, struct json_parser *parser, size_t parsed_bytes) {
  if (parsed_bytes <= JSON_KEPT_BYTES_MAX) {
    mutex_lock(&door->mutex);
    if (door->pool_count < JSON_POOL) {
      door->pool[door->pool_count++] = parser;
      parser = NULL;
    }
    mutex_unlock(&door->mutex);
  }
  json_parser_destroy(parser);
}

static enum status translate(struct otlp_door *door, enum otlp_signal signal, struct slice text,
                             struct admission_body *out_wire, struct error *error) {
  if (text.len > door->json_bytes_max) {
    return error_set(error, STATUS_TOO_LARGE, "the JSON document is over the limit of %zu bytes", door->json_bytes_max);
  }
  struct admission_body work, wire;
  enum status status = admission_reserve(door->admission, text.len * JSON_COST, &work, error);
  if (status != STATUS_OK) return status;
  size_t wire_max = text.len > JSON_KEPT_BYTES_MAX ? text.len : JSON_KEPT_BYTES_MAX;
  status = admission_reserve(door->admission, wire_max, &wire, error);
  if (status == STATUS_OK) {
    struct json_parser *parser = take_parser(door);
    status = parser ? otlp_json_to_wire(signal, parser, text, &wire.buffer, error)
                    : error_set(error, STATUS_UNAVAILABLE, "out of memory, try again");
    give_parser(door, parser, text.len);
    if (status == STATUS_OK) {
      *out_wire = wire;
    } else {
      admission_release(door->admission, &wire);
    }
  }
  admission_release(door->admission, &work);
  return status;
}

// ---- to the sink

struct waiting {
  struct otlp_door *door;
  enum otlp_signal signal;
  uint32_t project;
  otlp_door_done_fn done;
  void *context;
};

static void finish(struct waiting *waiting, enum status status, const struct sink_outcome *outcome,
                   const struct error *error) {
  struct otlp_door *door = waiting->door;
  struct otlp_response response = {0};
  if (status == STATUS_OK) {
    metrics_add(door->counters[waiting->signal].items, outcome->accepted);
    metrics_add(door->counters[waiting->signal].rejected, outcome->rejected);
    response.rejected = outcome->rejected;
    if (outcome->reason) response.message = slice_from_cstr(outcome->reason);
    waiting->done(waiting->context, status, &response, NULL);
  } else {
    count_refusal(door, waiting->signal, status);
    waiting->done(waiting->context, status, NULL, error);
  }
  free(waiting);
}

static void on_stored(void *context, enum status status, const struct sink_outcome *outcome,
                      const struct error *error) {
  finish(context, status, outcome, error);
}

// Metrics that nobody wants are still checked: broken ones are the sender's fault to hear of.
static enum status discard_metrics(struct waiting *waiting, struct slice wire, struct error *error) {
  struct sink_outcome outcome = {0};
  enum status status = otlp_scan_metrics(wire, &outcome.accepted, error);
  if (status != STATUS_OK) return status;
  if (outcome.accepted > 0) outcome.reason = NOT_STORED;
  finish(waiting, STATUS_OK, &outcome, NULL);
  return STATUS_OK;
}

// STATUS_OK: `waiting` is finished or will be.
static enum status submit(struct waiting *waiting, const struct otlp_door_request *request, struct slice wire,
                          struct error *error) {
  static const enum journal_kind kinds[] = {
      [OTLP_TRACES] = JOURNAL_TRACES, [OTLP_LOGS] = JOURNAL_LOGS, [OTLP_METRICS] = JOURNAL_METRICS};
  const struct otlp_door_options *options = &waiting->door->options;
  const struct sink *sink = &options->limits.sink;
  enum status status = request->judge ? request->judge(waiting->context, wire, error) : STATUS_OK;
  if (status != STATUS_OK) return status;
  if (waiting->signal == OTLP_METRICS && !options->forward_metrics) return discard_metrics(waiting, wire, error);
  return sink->submit(sink->context, kinds[waiting->signal], waiting->project, wire, on_stored, waiting, error);
}

static enum status submit_text(struct waiting *waiting, const struct otlp_door_request *request, struct slice text,
                               struct error *error) {
  if (request->encoding == OTLP_PROTOBUF) return submit(waiting, request, text, error);
  struct otlp_door *door = waiting->door;
  struct admission_body wire;
  enum status status = translate(door, waiting->signal, text, &wire, error);
  if (status != STATUS_OK) return status;
  status = submit(waiting, request, buffer_slice(&wire.buffer), error);
  admission_release(door->admission, &wire);
  return status;
}

static enum status submit_body(struct waiting *waiting, const struct otlp_door_request *request, struct error *error) {
  struct otlp_door *door = waiting->door;
  if (request->content == ENCODING_IDENTITY) {
    if (request->body.len > admission_decoded_bytes_max(door->admission)) {
      return error_set(error, STATUS_TOO_LARGE, "the body is over the limit of %zu bytes",
                       admission_decoded_bytes_max(door->admission));
    }
    return submit_text(waiting, request, request->body, error);
  }
  struct admission_body decoded;
  enum status status = admission_decode(door->admission, request->content, request->body, &decoded, error);
  if (status != STATUS_OK) return status;
  status = submit_text(waiting, request, buffer_slice(&decoded.buffer), error);
  admission_release(door->admission, &decoded);
  return status;
}

void otlp_door_take(struct otlp_door *door, const struct otlp_door_request *request, otlp_door_done_fn done,
                    void *context) {
  metrics_add(door->counters[request->signal].requests[request->transport], 1);
  metrics_add(door->counters[request->signal].bytes, request->body.len);
  struct error error = {{0}};
  struct waiting *waiting = malloc(sizeof(*waiting));
  if (!waiting) {
    count_refusal(door, request->signal, STATUS_UNAVAILABLE);
    error_set(&error, STATUS_UNAVAILABLE, "out of memory, try again");
    done(context, STATUS_UNAVAILABLE, NULL, &error);
    return;
  }
  *waiting = (struct waiting){.door = door,
                              .signal = request->signal,
                              .project = request->project ? request->project : door->options.project,
                              .done = done,
                              .context = context};
  enum status status = submit_body(waiting, request, &error);
  if (status != STATUS_OK) finish(waiting, status, NULL, &error);
}
