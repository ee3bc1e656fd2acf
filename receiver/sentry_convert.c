// SPDX-License-Identifier: Apache-2.0
//
// How it works: each item's JSON is parsed by one parser, one after another, and written into the payload of its kind:
// the event as a document (or it stays parsed, in a parser of its own, where nothing of it changes), transactions and
// spans as spans, logs as log records, the rest as sentry_keep has it. The table of receiver/sentry_type says what is
// done with a type.
#include "receiver/sentry_convert.h"

#include <string.h>

#include "proto/otlp_json.h"
#include "proto/sentry_json.h"
#include "proto/sentry_log.h"
#include "proto/sentry_service.h"
#include "proto/sentry_trace.h"

void sentry_convert_init(struct sentry_convert *convert, const struct sentry_convert_options *options) {
  convert->options = *options;
  buffer_init(&convert->scratch, options->bytes_max);
  buffer_init(&convert->event, options->bytes_max);
  buffer_init(&convert->traces, options->bytes_max);
  buffer_init(&convert->logs, options->bytes_max);
  sentry_keep_init(&convert->keep, options->attachment_bytes_max, options->bytes_max + options->attachment_bytes);
}

void sentry_convert_finish(struct sentry_convert *convert) {
  buffer_finish(&convert->scratch);
  buffer_finish(&convert->event);
  buffer_finish(&convert->traces);
  buffer_finish(&convert->logs);
  sentry_keep_finish(&convert->keep);
}

static void count(const struct sentry_convert *convert, uint32_t type, enum sentry_type_outcome outcome, uint64_t n) {
  sentry_type_count(convert->options.counters, type, outcome, n);
}

// Is the project over its limit of such items? Then they are counted and left out.
static bool is_limited(struct sentry_convert *convert, uint32_t type, uint64_t quantity) {
  struct sentry_limit *limit = convert->options.limit;
  enum sentry_type_handling handling = sentry_types[type].handling;
  enum sentry_limit_category category = handling == SENTRY_TYPE_EVENT         ? SENTRY_LIMIT_ERROR
                                        : handling == SENTRY_TYPE_TRANSACTION ? SENTRY_LIMIT_TRANSACTION
                                                                              : SENTRY_LIMIT_LOG;
  if (!limit || sentry_limit_take(limit, convert->options.project->id, category, quantity, &convert->limits))
    return false;
  count(convert, type, SENTRY_TYPE_REFUSED, quantity);
  return true;
}

static enum status parse(struct sentry_convert *convert, struct slice text, struct json_value *out_root,
                         struct error *error) {
  return sentry_json_parse(convert->options.parser, text, &convert->scratch, out_root, error);
}

static enum status write_event(struct sentry_convert *convert, struct json_value root, struct error *error) {
  bool stands = false;
  enum status status = STATUS_OK;
  if (convert->options.event_parser) {
    status = sentry_document_stands(root, &convert->source, &stands, convert->event_id, error);
  }
  if (status != STATUS_OK) return status;
  if (!stands) return sentry_document_write(root, &convert->source, &convert->event, convert->event_id, error);
  convert->event_root = root;
  return STATUS_OK;
}

// The words of a person. An event of this kind names its envelope; attachments of the envelope are its.
static enum status take_feedback(struct sentry_convert *convert, struct json_value root, bool is_report,
                                 struct error *error) {
  struct sentry_feedback feedback;
  char *event_id = convert->event_id;
  enum status status = is_report ? sentry_feedback_read_report(root, event_id, &feedback, error)
                                 : sentry_feedback_read_event(root, event_id, &feedback, error);
  if (status != STATUS_OK) return status;
  if (!is_report && !event_id[0]) memcpy(event_id, feedback.id, sizeof feedback.id);
  if (feedback.time_ns > 0) {
    feedback.time_ns = sentry_document_moved(feedback.time_ns, sentry_document_drift_ns(&convert->source));
  }
  sentry_keep_feedback(&convert->keep, &feedback);
  return STATUS_OK;
}

static enum status take_event(struct sentry_convert *convert, struct slice text, struct error *error) {
  struct json_value root;
  struct json_parser *parser = convert->options.event_parser ? convert->options.event_parser : convert->options.parser;
  buffer_clear(&convert->scratch);
  enum status status = sentry_json_parse(parser, text, &convert->scratch, &root, error);
  if (status == STATUS_OK && sentry_feedback_is_event(root)) {
    status = take_feedback(convert, root, false, error);
  } else if (status == STATUS_OK) {
    convert->source.text = convert->scratch.len > 0 ? buffer_slice(&convert->scratch) : text; // as it was mended
    status = write_event(convert, root, error);
  }
  if (status != STATUS_OK) error_prefix(error, "event: ");
  return status;
}

static enum status take_transaction(struct sentry_convert *convert, struct slice text, uint32_t type,
                                    struct error *error) {
  struct json_value root;
  enum status status = parse(convert, text, &root, error);
  if (status != STATUS_OK) {
    error_prefix(error, "transaction: ");
    return status;
  }
  struct slice id = json_string(json_get(root, "event_id"));
  if (!convert->event_id[0]) sentry_envelope_event_id(id, convert->event_id);
  const struct sentry_trace_source source = {.service = slice_from_cstr(convert->options.project->name),
                                             .drift_ns = sentry_document_drift_ns(&convert->source)};
  struct sentry_trace_counts counts;
  status = sentry_trace_write_transaction(root, &source, &convert->traces, &counts, error);
  if (status == STATUS_OK) count(convert, type, SENTRY_TYPE_INVALID, counts.faulty);
  return status;
}

// A container whose item_count lies is taken for what it holds; one with too many items is not taken.
static enum status take_container(struct sentry_convert *convert, const struct sentry_envelope_item *item,
                                  uint32_t type, struct error *error) {
  struct json_value root;
  enum status status = parse(convert, item->payload, &root, error);
  if (status != STATUS_OK) return status;
  uint64_t items = json_count(json_get(root, "items"));
  if (items > SENTRY_CONVERT_CONTAINER_ITEMS_MAX) {
    return error_set(error, STATUS_INVALID, "over %d items", SENTRY_CONVERT_CONTAINER_ITEMS_MAX);
  }
  if (sentry_types[type].handling == SENTRY_TYPE_LOGS && items > 0 && is_limited(convert, type, items))
    return STATUS_OK;
  int64_t drift_ns = sentry_document_drift_ns(&convert->source);
  struct slice service = slice_from_cstr(convert->options.project->name);
  uint32_t good = 0, faulty = 0;
  if (sentry_types[type].handling == SENTRY_TYPE_SPANS) {
    const struct sentry_trace_source source = {.service = service, .drift_ns = drift_ns};
    struct sentry_trace_counts counts = {0};
    status = sentry_trace_write_spans(root, &source, &convert->traces, &counts, error);
    good = counts.spans;
    faulty = counts.faulty;
  } else {
    const struct sentry_log_source source = {
        .service = service, .drift_ns = drift_ns, .received_ns = convert->source.received_ns};
    status = sentry_log_write(root, &source, &convert->logs, &good, &faulty);
  }
  if (status != STATUS_OK) return status;
  convert->accepted[type] += good;
  count(convert, type, SENTRY_TYPE_INVALID, faulty);
  return STATUS_OK;
}

// One OTLP log record in JSON. It is parsed before it becomes part of a request: a text that closes brackets it has not
// opened must not add to that.
static enum status take_otel_log(struct sentry_convert *convert, struct slice text, uint32_t type,
                                 struct error *error) {
  struct json_value record;
  enum status status = parse(convert, text, &record, error);
  if (status != STATUS_OK) return status;
  buffer_clear(&convert->scratch);
  buffer_append_cstr(&convert->scratch, "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\","
                                        "\"value\":{\"stringValue\":");
  struct json_writer json;
  json_writer_init(&json, &convert->scratch);
  struct slice service = sentry_service_of_log_record(record);
  json_write_string(&json, service.len > 0 ? service : slice_from_cstr(convert->options.project->name));
  buffer_append_cstr(&convert->scratch, "}}]},\"scopeLogs\":[{\"logRecords\":[");
  json_write_value(&convert->scratch, record);
  buffer_append_cstr(&convert->scratch, "]}]}]}");
  size_t before = convert->logs.len;
  status =
      otlp_json_to_wire(OTLP_LOGS, convert->options.parser, buffer_slice(&convert->scratch), &convert->logs, error);
  if (status == STATUS_OK) {
    convert->accepted[type]++;
  } else {
    convert->logs.len = before;
  }
  return status;
}

static enum status take_client_report(struct sentry_convert *convert, struct slice text, struct error *error) {
  struct json_value root, entry;
  enum status status = parse(convert, text, &root, error);
  struct json_value discarded = status == STATUS_OK ? json_get(root, "discarded_events") : (struct json_value){0};
  struct json_iter iter = json_iterate(discarded);
  while (json_type_of(discarded) == JSON_ARRAY && json_array_next(&iter, &entry)) {
    struct slice name = json_string(json_get(entry, "reason"));
    uint64_t quantity = json_u64(json_get(entry, "quantity"));
    sentry_type_count_client_discarded(convert->options.counters, name, quantity);
    sentry_keep_discarded(&convert->keep, name, json_string(json_get(entry, "category")), quantity);
  }
  return status;
}

static enum status take_words(struct sentry_convert *convert, struct slice text, bool is_report, struct error *error) {
  struct json_value root;
  enum status status = parse(convert, text, &root, error);
  return status == STATUS_OK ? take_feedback(convert, root, is_report, error) : status;
}

void sentry_convert_attachment(struct sentry_convert *convert, const struct sentry_envelope_item *item) {
  uint32_t type = sentry_type_of(item->type);
  if (convert->limits.wait_s[SENTRY_LIMIT_ERROR] > 0 || convert->event_limited) { // its event was left out
    count(convert, type, SENTRY_TYPE_REFUSED, 1);
    return;
  }
  switch (sentry_keep_attachment(&convert->keep, item, convert->event_id)) {
  case SENTRY_KEEP_TAKEN: convert->accepted[type]++; break;
  case SENTRY_KEEP_NOTED:
  case SENTRY_KEEP_DROPPED: count(convert, type, SENTRY_TYPE_DISCARDED, 1); break;
  }
}

enum status sentry_convert_item(struct sentry_convert *convert, const struct sentry_envelope_item *item,
                                struct error *error) {
  uint32_t type = sentry_type_of(item->type);
  enum status status = STATUS_OK;
  if (sentry_types[type].items_max > 0 && ++convert->seen[type] > sentry_types[type].items_max) {
    count(convert, type, SENTRY_TYPE_INVALID, 1);
    return STATUS_OK;
  }
  switch (sentry_types[type].handling) {
  case SENTRY_TYPE_EVENT:
  case SENTRY_TYPE_TRANSACTION:
    convert->event_limited = is_limited(convert, type, 1);
    if (convert->event_limited) return STATUS_OK;
    status = sentry_types[type].handling == SENTRY_TYPE_EVENT ? take_event(convert, item->payload, error)
                                                              : take_transaction(convert, item->payload, type, error);
    if (status == STATUS_OK) {
      convert->accepted[type]++;
    } else {
      count(convert, type, SENTRY_TYPE_INVALID, 1);
    }
    return status;
  case SENTRY_TYPE_SPANS:
  case SENTRY_TYPE_LOGS: status = take_container(convert, item, type, error); break;
  case SENTRY_TYPE_OTEL_LOG:
    if (is_limited(convert, type, 1)) return STATUS_OK;
    status = take_otel_log(convert, item->payload, type, error);
    break;
  case SENTRY_TYPE_CLIENT_REPORT:
    status = take_client_report(convert, item->payload, error);
    if (status == STATUS_OK) convert->accepted[type]++;
    break;
  case SENTRY_TYPE_USER_REPORT:
  case SENTRY_TYPE_FEEDBACK:
    status = take_words(convert, item->payload, sentry_types[type].handling == SENTRY_TYPE_USER_REPORT, error);
    if (status == STATUS_OK) convert->accepted[type]++;
    break;
  case SENTRY_TYPE_ATTACHMENT: break; // sentry_convert_attachment
  case SENTRY_TYPE_COUNT: count(convert, type, SENTRY_TYPE_DISCARDED, 1); break;
  }
  if (status == STATUS_TOO_LARGE) return status; // a buffer is full; nothing that follows would fit
  if (status != STATUS_OK) count(convert, type, SENTRY_TYPE_INVALID, 1);
  return STATUS_OK;
}
