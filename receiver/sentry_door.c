// SPDX-License-Identifier: Apache-2.0
//
// How it works, for one request:
//
//   decode → who (key, project) → survey: walk the framing once, sizes and kinds → convert: JSON to what the journal
//   takes (one event document, spans, logs) → submit each part → answer when the last part is durable
//
// Broken framing is found by the survey, so that nothing of a broken envelope is handed on. An event or transaction
// that cannot be read refuses the envelope, since it is what the envelope is about; any other item that cannot is
// counted and left out. The worst of the parts' outcomes is the answer.
//
// What waits for the parts is a `struct taking`, freed by whoever finishes the last of them; the thread that submits
// holds one share of it meanwhile.
#include "receiver/sentry_door.h"

#include <stdlib.h>

#include "proto/otlp_json.h"
#include "proto/sentry_document.h"
#include "proto/sentry_envelope.h"
#include "proto/sentry_json.h"
#include "proto/sentry_log.h"
#include "proto/sentry_trace.h"
#include "receiver/sentry_keep.h"
#include "receiver/sentry_report.h"
#include "receiver/sentry_type.h"
#include "receiver/sentry_unwrap.h"
#include "receiver/sentry_upload.h"

#define KEPT_BYTES_MAX ((size_t)1 << 20) // a parser that read more is not kept
#define JSON_COST      6u                // bytes of working memory for one of JSON: its parser, and what it becomes
#define PARSER_POOL    16u
#define BASE64_MAX     SENTRY_DOOR_EVENT_BYTES_MAX

struct sentry_door {
  struct sentry_door_options options;
  struct admission *admission;
  struct sentry_type_counters counters;
  struct mutex mutex; // guards the pool
  struct json_parser *pool[PARSER_POOL];
  uint32_t pool_count;
};

// ---- life

struct sentry_door *sentry_door_create(const struct sentry_door_options *options) {
  struct sentry_door *door = calloc(1, sizeof(*door));
  if (!door) return NULL;
  door->options = *options;
  door->options.limits.key_count = 0;
  door->admission = admission_create(&door->options.limits);
  if (!door->admission) {
    free(door);
    return NULL;
  }
  mutex_init(&door->mutex);
  sentry_type_counters_init(&door->counters, options->metrics);
  return door;
}

void sentry_door_destroy(struct sentry_door *door) {
  if (!door) return;
  for (uint32_t i = 0; i < door->pool_count; i++) json_parser_destroy(door->pool[i]);
  mutex_finish(&door->mutex);
  admission_destroy(door->admission);
  free(door);
}

const struct sentry_auth_directory *sentry_door_directory(const struct sentry_door *door) {
  return &door->options.directory;
}

enum status sentry_door_check_ready(const struct sentry_door *door, struct error *error) {
  return admission_check_ready(door->admission, error);
}

void sentry_door_count_refusal(struct sentry_door *door, enum status status) {
  sentry_type_count_request(&door->counters, status);
}

void sentry_door_count_item(struct sentry_door *door, const char *type) {
  sentry_type_count(&door->counters, sentry_type_of(slice_from_cstr(type)), SENTRY_TYPE_DISCARDED, 1);
  sentry_type_count_request(&door->counters, STATUS_OK);
}

bool sentry_door_items(const struct sentry_door *door, uint32_t index, const char **out_type, uint64_t *out_count) {
  if (index >= SENTRY_TYPES) return false;
  *out_type = sentry_types[index].name;
  *out_count = sentry_type_counted(&door->counters, index);
  return true;
}

static struct json_parser *take_parser(struct sentry_door *door) {
  struct json_parser *parser = NULL;
  mutex_lock(&door->mutex);
  if (door->pool_count > 0) parser = door->pool[--door->pool_count];
  mutex_unlock(&door->mutex);
  return parser ? parser : json_parser_create(SENTRY_DOOR_CONTAINER_BYTES_MAX * 2);
}

static void give_parser(struct sentry_door *door, struct json_parser *parser, uint64_t parsed_bytes) {
  mutex_lock(&door->mutex);
  if (door->pool_count < PARSER_POOL && parsed_bytes <= KEPT_BYTES_MAX) {
    door->pool[door->pool_count++] = parser;
    parser = NULL;
  }
  mutex_unlock(&door->mutex);
  json_parser_destroy(parser);
}

// ---- one request

struct taking {
  struct sentry_door *door;
  sentry_door_done_fn done;
  void *context;
  struct atomic_u64 shares; // of the submitting thread and of each part under way
  struct mutex mutex;       // guards what follows
  enum status status;
  struct error error;
  char event_id[33];
  uint64_t accepted[SENTRY_TYPES];
  struct sentry_limit_note limits;
};

// What lives while the body is read.
struct reading {
  struct taking *taking;
  struct sentry_door *door;
  const struct sentry_door_request *request;
  struct sentry_document_source source;
  struct sentry_auth auth;
  struct sentry_auth_project project;
  struct json_parser *headers, *payloads;
  struct buffer scratch, event, traces, logs;
  struct sentry_keep keep;
  bool event_limited;          // its attachments go with it
  uint32_t seen[SENTRY_TYPES]; // items
  uint64_t json_bytes;
  struct admission_body work; // the charge for all of these
};

static void count(struct sentry_door *door, uint32_t type, enum sentry_type_outcome outcome, uint64_t n) {
  sentry_type_count(&door->counters, type, outcome, n);
}

// Nothing but reports of the SDK itself is left of what came.
static bool all_were_limited(const struct taking *taking) {
  if (!sentry_limit_is_noted(&taking->limits)) return false;
  for (uint32_t type = 0; type < SENTRY_TYPES; type++) {
    if (taking->accepted[type] > 0 && sentry_types[type].handling != SENTRY_TYPE_CLIENT_REPORT) return false;
  }
  return true;
}

static void release(struct taking *taking) {
  if (atomic_u64_sub(&taking->shares, 1) > 1) return;
  struct sentry_door *door = taking->door;
  for (uint32_t type = 0; type < SENTRY_TYPES; type++) {
    count(door, type, taking->status == STATUS_OK ? SENTRY_TYPE_ACCEPTED : SENTRY_TYPE_REFUSED, taking->accepted[type]);
  }
  if (taking->status == STATUS_OK && all_were_limited(taking)) {
    taking->status = error_set(&taking->error, STATUS_RATE_LIMITED, "over the project's rate limit");
  }
  sentry_type_count_request(&door->counters, taking->status);
  const struct sentry_door_answer answer = {
      .status = taking->status, .event_id = taking->event_id, .error = &taking->error, .limits = &taking->limits};
  taking->done(taking->context, &answer);
  mutex_finish(&taking->mutex);
  free(taking);
}

// The first failure stays, unless a later one cannot be mended by sending again and the first one can.
static void fail(struct taking *taking, enum status status, const struct error *error) {
  mutex_lock(&taking->mutex);
  if (taking->status == STATUS_OK || (status_is_retryable(taking->status) && !status_is_retryable(status))) {
    taking->status = status;
    taking->error = *error;
  }
  mutex_unlock(&taking->mutex);
}

static void on_durable(void *context, enum status status, const struct sink_outcome *outcome,
                       const struct error *error) {
  (void)outcome; // what was converted here has good ids
  struct taking *taking = context;
  if (status != STATUS_OK) fail(taking, status, error);
  release(taking);
}

static void submit(struct reading *reading, enum journal_kind kind, const struct buffer *body) {
  if (body->len == 0) return;
  struct taking *taking = reading->taking;
  const struct sink *sink = &reading->door->options.limits.sink;
  struct error error = {""};
  atomic_u64_add(&taking->shares, 1);
  enum status status =
      sink->submit(sink->context, kind, reading->project.id, buffer_slice(body), on_durable, taking, &error);
  if (status == STATUS_OK) return;
  fail(taking, status, &error);
  release(taking);
}

// ---- items

// Is the project over its limit of such items? Then they are counted and left out.
static bool is_limited(struct reading *reading, uint32_t type, uint64_t quantity) {
  struct sentry_limit *limit = reading->door->options.limit;
  enum sentry_type_handling handling = sentry_types[type].handling;
  enum sentry_limit_category category = handling == SENTRY_TYPE_EVENT         ? SENTRY_LIMIT_ERROR
                                        : handling == SENTRY_TYPE_TRANSACTION ? SENTRY_LIMIT_TRANSACTION
                                                                              : SENTRY_LIMIT_LOG;
  if (!limit || sentry_limit_take(limit, reading->project.id, category, quantity, &reading->taking->limits))
    return false;
  count(reading->door, type, SENTRY_TYPE_REFUSED, quantity);
  return true;
}

static enum status parse(struct reading *reading, struct slice text, struct json_value *out_root, struct error *error) {
  return sentry_json_parse(reading->payloads, text, &reading->scratch, out_root, error);
}

// The words of a person. An event of this kind names its envelope; attachments of the envelope are its.
static enum status take_feedback(struct reading *reading, struct json_value root, bool is_report, struct error *error) {
  struct sentry_feedback feedback;
  char *event_id = reading->taking->event_id;
  enum status status = is_report ? sentry_feedback_read_report(root, event_id, &feedback, error)
                                 : sentry_feedback_read_event(root, event_id, &feedback, error);
  if (status != STATUS_OK) return status;
  if (!is_report && !event_id[0]) memcpy(event_id, feedback.id, sizeof feedback.id);
  if (feedback.time_ns > 0) {
    feedback.time_ns = sentry_document_moved(feedback.time_ns, sentry_document_drift_ns(&reading->source));
  }
  sentry_keep_feedback(&reading->keep, &feedback);
  return STATUS_OK;
}

static enum status take_event(struct reading *reading, struct slice text, struct error *error) {
  struct json_value root;
  buffer_clear(&reading->scratch);
  enum status status = parse(reading, text, &root, error);
  if (status == STATUS_OK && sentry_feedback_is_event(root)) {
    status = take_feedback(reading, root, false, error);
  } else if (status == STATUS_OK) {
    reading->source.text = reading->scratch.len > 0 ? buffer_slice(&reading->scratch) : text; // as it was mended
    status = sentry_document_write(root, &reading->source, &reading->event, reading->taking->event_id, error);
  }
  if (status != STATUS_OK) error_prefix(error, "event: ");
  return status;
}

static enum status take_transaction(struct reading *reading, struct slice text, uint32_t type, struct error *error) {
  struct json_value root;
  enum status status = parse(reading, text, &root, error);
  if (status != STATUS_OK) {
    error_prefix(error, "transaction: ");
    return status;
  }
  struct slice id = json_string(json_get(root, "event_id"));
  if (!reading->taking->event_id[0]) sentry_envelope_event_id(id, reading->taking->event_id);
  const struct sentry_trace_source source = {.service = slice_from_cstr(reading->project.name),
                                             .drift_ns = sentry_document_drift_ns(&reading->source)};
  struct sentry_trace_counts counts;
  status = sentry_trace_write_transaction(root, &source, &reading->traces, &counts, error);
  if (status == STATUS_OK) count(reading->door, type, SENTRY_TYPE_INVALID, counts.faulty);
  return status;
}

// A container whose item_count lies is taken for what it holds; one with too many items is not taken.
static enum status take_container(struct reading *reading, const struct sentry_envelope_item *item, uint32_t type,
                                  struct error *error) {
  struct json_value root;
  enum status status = parse(reading, item->payload, &root, error);
  if (status != STATUS_OK) return status;
  uint64_t items = json_count(json_get(root, "items"));
  if (items > SENTRY_DOOR_CONTAINER_ITEMS_MAX) {
    return error_set(error, STATUS_INVALID, "over %d items", SENTRY_DOOR_CONTAINER_ITEMS_MAX);
  }
  if (sentry_types[type].handling == SENTRY_TYPE_LOGS && items > 0 && is_limited(reading, type, items))
    return STATUS_OK;
  int64_t drift_ns = sentry_document_drift_ns(&reading->source);
  struct slice service = slice_from_cstr(reading->project.name);
  uint32_t good = 0, faulty = 0;
  if (sentry_types[type].handling == SENTRY_TYPE_SPANS) {
    const struct sentry_trace_source source = {.service = service, .drift_ns = drift_ns};
    struct sentry_trace_counts counts = {0};
    status = sentry_trace_write_spans(root, &source, &reading->traces, &counts, error);
    good = counts.spans;
    faulty = counts.faulty;
  } else {
    const struct sentry_log_source source = {
        .service = service, .drift_ns = drift_ns, .received_ns = reading->source.received_ns};
    status = sentry_log_write(root, &source, &reading->logs, &good, &faulty);
  }
  if (status != STATUS_OK) return status;
  reading->taking->accepted[type] += good;
  count(reading->door, type, SENTRY_TYPE_INVALID, faulty);
  return STATUS_OK;
}

// One OTLP log record in JSON. It is parsed before it becomes part of a request: a text that closes brackets it has not
// opened must not add to that.
static enum status take_otel_log(struct reading *reading, struct slice text, uint32_t type, struct error *error) {
  struct json_value record;
  enum status status = parse(reading, text, &record, error);
  if (status != STATUS_OK) return status;
  buffer_clear(&reading->scratch);
  buffer_append_cstr(&reading->scratch, "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\","
                                        "\"value\":{\"stringValue\":");
  struct json_writer json;
  json_writer_init(&json, &reading->scratch);
  json_write_cstr(&json, reading->project.name);
  buffer_append_cstr(&reading->scratch, "}}]},\"scopeLogs\":[{\"logRecords\":[");
  json_write_value(&reading->scratch, record);
  buffer_append_cstr(&reading->scratch, "]}]}]}");
  size_t before = reading->logs.len;
  status = otlp_json_to_wire(OTLP_LOGS, reading->payloads, buffer_slice(&reading->scratch), &reading->logs, error);
  if (status == STATUS_OK) {
    reading->taking->accepted[type]++;
  } else {
    reading->logs.len = before;
  }
  return status;
}

static enum status take_client_report(struct reading *reading, struct slice text, struct error *error) {
  struct json_value root, entry;
  enum status status = parse(reading, text, &root, error);
  struct json_value discarded = status == STATUS_OK ? json_get(root, "discarded_events") : (struct json_value){0};
  struct json_iter iter = json_iterate(discarded);
  while (json_type_of(discarded) == JSON_ARRAY && json_array_next(&iter, &entry)) {
    struct slice name = json_string(json_get(entry, "reason"));
    uint64_t quantity = json_u64(json_get(entry, "quantity"));
    sentry_type_count_client_discarded(&reading->door->counters, name, quantity);
    sentry_keep_discarded(&reading->keep, name, json_string(json_get(entry, "category")), quantity);
  }
  return status;
}

static enum status take_words(struct reading *reading, struct slice text, bool is_report, struct error *error) {
  struct json_value root;
  enum status status = parse(reading, text, &root, error);
  return status == STATUS_OK ? take_feedback(reading, root, is_report, error) : status;
}

// After all other items: one of them says whose it is.
static void take_attachment(struct reading *reading, const struct sentry_envelope_item *item, uint32_t type) {
  if (reading->taking->limits.wait_s[SENTRY_LIMIT_ERROR] > 0 || reading->event_limited) { // its event was left out
    count(reading->door, type, SENTRY_TYPE_REFUSED, 1);
    return;
  }
  switch (sentry_keep_attachment(&reading->keep, item, reading->taking->event_id)) {
  case SENTRY_KEEP_TAKEN: reading->taking->accepted[type]++; break;
  case SENTRY_KEEP_NOTED:
  case SENTRY_KEEP_DROPPED: count(reading->door, type, SENTRY_TYPE_DISCARDED, 1); break;
  }
}

// Only an event or transaction that cannot be read is a failure.
static enum status take_item(struct reading *reading, const struct sentry_envelope_item *item, struct error *error) {
  uint32_t type = sentry_type_of(item->type);
  enum status status = STATUS_OK;
  if (sentry_types[type].items_max > 0 && ++reading->seen[type] > sentry_types[type].items_max) {
    count(reading->door, type, SENTRY_TYPE_INVALID, 1);
    return STATUS_OK;
  }
  switch (sentry_types[type].handling) {
  case SENTRY_TYPE_EVENT:
  case SENTRY_TYPE_TRANSACTION:
    reading->event_limited = is_limited(reading, type, 1);
    if (reading->event_limited) return STATUS_OK;
    status = sentry_types[type].handling == SENTRY_TYPE_EVENT ? take_event(reading, item->payload, error)
                                                              : take_transaction(reading, item->payload, type, error);
    if (status == STATUS_OK) {
      reading->taking->accepted[type]++;
    } else {
      count(reading->door, type, SENTRY_TYPE_INVALID, 1);
    }
    return status;
  case SENTRY_TYPE_SPANS:
  case SENTRY_TYPE_LOGS: status = take_container(reading, item, type, error); break;
  case SENTRY_TYPE_OTEL_LOG:
    if (is_limited(reading, type, 1)) return STATUS_OK;
    status = take_otel_log(reading, item->payload, type, error);
    break;
  case SENTRY_TYPE_CLIENT_REPORT:
    status = take_client_report(reading, item->payload, error);
    if (status == STATUS_OK) reading->taking->accepted[type]++;
    break;
  case SENTRY_TYPE_USER_REPORT:
  case SENTRY_TYPE_FEEDBACK:
    status = take_words(reading, item->payload, sentry_types[type].handling == SENTRY_TYPE_USER_REPORT, error);
    if (status == STATUS_OK) reading->taking->accepted[type]++;
    break;
  case SENTRY_TYPE_ATTACHMENT: break; // take_attachments
  case SENTRY_TYPE_COUNT: count(reading->door, type, SENTRY_TYPE_DISCARDED, 1); break;
  }
  if (status == STATUS_TOO_LARGE) return status; // a buffer is full; nothing that follows would fit
  if (status != STATUS_OK) count(reading->door, type, SENTRY_TYPE_INVALID, 1);
  return STATUS_OK;
}

// ---- bodies

static bool is_json_item(uint32_t type) {
  return sentry_types[type].handling != SENTRY_TYPE_COUNT && sentry_types[type].handling != SENTRY_TYPE_ATTACHMENT;
}

struct sizes {
  uint64_t json_bytes;       // of the items that will be read
  uint64_t attachment_bytes; // what attachments take of a record
};

// Walks the framing to the end.
static enum status survey(struct reading *reading, struct sentry_envelope envelope, struct sizes *out_sizes,
                          struct error *error) {
  struct sentry_envelope_item item;
  struct sizes sizes = {0};
  uint32_t primary = 0, attachments = 0;
  enum status status;
  while ((status = sentry_envelope_next(&envelope, &item, error)) == STATUS_OK) {
    uint32_t type = sentry_type_of(item.type);
    size_t bytes_max = sentry_types[type].bytes_max;
    if (bytes_max > 0 && item.payload.len > bytes_max) {
      count(reading->door, type, SENTRY_TYPE_INVALID, 1);
      return error_set(error, STATUS_TOO_LARGE, "an item of type %s of %zu bytes, at most %zu are taken",
                       sentry_types[type].name, item.payload.len, bytes_max);
    }
    if (is_json_item(type)) sizes.json_bytes += item.payload.len;
    if (sentry_types[type].handling == SENTRY_TYPE_ATTACHMENT && attachments++ < SENTRY_KEEP_ATTACHMENTS_MAX) {
      sizes.attachment_bytes +=
          sentry_keep_attachment_bytes(reading->door->options.attachment_bytes_max, item.payload.len);
    }
    bool is_primary =
        sentry_types[type].handling == SENTRY_TYPE_EVENT || sentry_types[type].handling == SENTRY_TYPE_TRANSACTION;
    if (is_primary && ++primary > 1) return error_set(error, STATUS_INVALID, "more than one event or transaction");
  }
  if (status != STATUS_END) return status;
  *out_sizes = sizes;
  return STATUS_OK;
}

static enum status set_up(struct reading *reading, const struct sizes *sizes, struct error *error) {
  uint64_t json_bytes = sizes->json_bytes;
  reading->json_bytes = json_bytes;
  enum status status = admission_reserve(
      reading->door->admission, (size_t)(json_bytes * JSON_COST + sizes->attachment_bytes), &reading->work, error);
  if (status != STATUS_OK) return status;
  size_t bytes_max = (size_t)json_bytes * JSON_COST + 65536;
  buffer_init(&reading->scratch, bytes_max);
  buffer_init(&reading->event, bytes_max);
  buffer_init(&reading->traces, bytes_max);
  buffer_init(&reading->logs, bytes_max);
  sentry_keep_init(&reading->keep, reading->door->options.attachment_bytes_max,
                   bytes_max + (size_t)sizes->attachment_bytes);
  reading->payloads = take_parser(reading->door);
  return reading->payloads ? STATUS_OK : error_set(error, STATUS_UNAVAILABLE, "out of memory, try again");
}

static void clear_up(struct reading *reading) {
  if (reading->scratch.max_bytes > 0) { // set_up got that far
    buffer_finish(&reading->scratch);
    buffer_finish(&reading->event);
    buffer_finish(&reading->traces);
    buffer_finish(&reading->logs);
    sentry_keep_finish(&reading->keep);
    admission_release(reading->door->admission, &reading->work);
  }
  if (reading->payloads) give_parser(reading->door, reading->payloads, reading->json_bytes);
  if (reading->headers) give_parser(reading->door, reading->headers, SENTRY_ENVELOPE_HEADER_BYTES_MAX);
}

static enum status identify(struct reading *reading, struct error *error) {
  enum status status = sentry_auth_check(&reading->auth, &reading->door->options.directory,
                                         reading->request->path_project, &reading->project, error);
  reading->source.project = reading->project.id;
  return status;
}

static enum status read_envelope(struct reading *reading, struct slice body, struct error *error) {
  reading->headers = take_parser(reading->door);
  if (!reading->headers) return error_set(error, STATUS_UNAVAILABLE, "out of memory, try again");
  struct sentry_envelope envelope;
  enum status status = sentry_envelope_open(&envelope, reading->headers, body, error);
  if (status == STATUS_OK && envelope.dsn[0]) {
    status = sentry_auth_add_dsn(&reading->auth, slice_from_cstr(envelope.dsn), reading->request->path_project, error);
  }
  if (status == STATUS_OK) status = identify(reading, error);
  struct sizes sizes = {0};
  if (status == STATUS_OK) status = survey(reading, envelope, &sizes, error);
  if (status == STATUS_OK) status = set_up(reading, &sizes, error);
  if (status != STATUS_OK) return status;
  memcpy(reading->taking->event_id, envelope.event_id, sizeof(envelope.event_id));
  reading->source.event_id = envelope.event_id;
  reading->source.has_sent_at = envelope.has_sent_at;
  reading->source.sent_at_ns = envelope.sent_at_ns;
  struct sentry_envelope_item item;
  struct sentry_envelope again = envelope;
  while (status == STATUS_OK && (status = sentry_envelope_next(&envelope, &item, error)) == STATUS_OK) {
    status = take_item(reading, &item, error);
  }
  if (status != STATUS_END) return status;
  while (sizes.attachment_bytes > 0 && sentry_envelope_next(&again, &item, error) == STATUS_OK) {
    uint32_t type = sentry_type_of(item.type);
    if (sentry_types[type].handling == SENTRY_TYPE_ATTACHMENT) take_attachment(reading, &item, type);
  }
  return STATUS_OK;
}

static enum status read_event(struct reading *reading, struct slice body, struct error *error) {
  struct buffer decoded, inflated;
  buffer_init(&decoded, BASE64_MAX);
  buffer_init(&inflated, SENTRY_DOOR_EVENT_BYTES_MAX);
  struct slice json = {0};
  enum status status = identify(reading, error);
  body = slice_trim(body);
  if (status == STATUS_OK && body.len == 0) status = error_set(error, STATUS_INVALID, "empty body");
  if (status == STATUS_OK) status = sentry_unwrap(body, &decoded, &inflated, &json, error);
  if (status == STATUS_OK && json.len > SENTRY_DOOR_EVENT_BYTES_MAX) {
    status = error_set(error, STATUS_TOO_LARGE, "an event of %zu bytes, at most %zu are taken", json.len,
                       SENTRY_DOOR_EVENT_BYTES_MAX);
  }
  if (status == STATUS_OK) status = set_up(reading, &(struct sizes){.json_bytes = json.len}, error);
  if (status == STATUS_OK) {
    const struct sentry_envelope_item item = {.type = SLICE_LITERAL("event"), .payload = json};
    status = take_item(reading, &item, error);
  }
  buffer_finish(&inflated);
  buffer_finish(&decoded);
  return status;
}

static enum status read_report(struct reading *reading, struct slice body, struct error *error) {
  enum status status = identify(reading, error);
  if (status == STATUS_OK && body.len > SENTRY_REPORT_BYTES_MAX) {
    status = error_set(error, STATUS_TOO_LARGE, "a report of %zu bytes, at most %zu are taken", body.len,
                       SENTRY_REPORT_BYTES_MAX);
  }
  const struct sizes sizes = {.json_bytes = body.len + SENTRY_REPORT_BYTES_MAX};
  if (status == STATUS_OK) status = set_up(reading, &sizes, error);
  struct json_value root;
  if (status == STATUS_OK) status = parse(reading, body, &root, error);
  if (status != STATUS_OK) return status;
  const struct sentry_report_source source = {.release = reading->request->release,
                                              .environment = reading->request->environment,
                                              .user_agent = reading->request->user_agent};
  struct buffer document;
  buffer_init(&document, 4 * SENTRY_REPORT_BYTES_MAX);
  status = sentry_report_write(root, &source, &document, error);
  if (status == STATUS_OK) {
    const struct sentry_envelope_item item = {.type = SLICE_LITERAL("event"), .payload = buffer_slice(&document)};
    status = take_item(reading, &item, error);
  }
  buffer_finish(&document);
  return status;
}

// Attachments alone are the envelope that would have brought them.
static enum status read_upload(struct reading *reading, struct slice body, struct error *error) {
  const struct sentry_door_request *request = reading->request;
  struct admission_body envelope;
  size_t bytes_max = body.len + (SENTRY_KEEP_ATTACHMENTS_MAX + 1) * (size_t)SENTRY_UPLOAD_HEADER_BYTES;
  enum status status = admission_reserve(reading->door->admission, bytes_max, &envelope, error);
  if (status != STATUS_OK) return status;
  status = sentry_upload_write(request->event_id, request->content_type, body, &envelope.buffer, error);
  if (status == STATUS_OK) status = read_envelope(reading, buffer_slice(&envelope.buffer), error);
  admission_release(reading->door->admission, &envelope);
  return status;
}

static enum status read_body(struct reading *reading, struct slice body, struct error *error) {
  if (body.len > admission_decoded_bytes_max(reading->door->admission)) {
    return error_set(error, STATUS_TOO_LARGE, "the body is over the limit of %zu bytes",
                     admission_decoded_bytes_max(reading->door->admission));
  }
  switch (reading->request->form) {
  case SENTRY_DOOR_ENVELOPE: return read_envelope(reading, body, error);
  case SENTRY_DOOR_EVENT: return read_event(reading, body, error);
  case SENTRY_DOOR_UPLOAD: return read_upload(reading, body, error);
  case SENTRY_DOOR_REPORT: break;
  }
  return read_report(reading, body, error);
}

static enum status read_request(struct reading *reading, struct error *error) {
  const struct sentry_door_request *request = reading->request;
  if (request->content == ENCODING_IDENTITY) return read_body(reading, request->body, error);
  struct admission_body decoded;
  enum status status = admission_decode(reading->door->admission, request->content, request->body, &decoded, error);
  if (status != STATUS_OK) return status;
  status = read_body(reading, buffer_slice(&decoded.buffer), error);
  admission_release(reading->door->admission, &decoded);
  return status;
}

void sentry_door_take(struct sentry_door *door, const struct sentry_door_request *request, sentry_door_done_fn done,
                      void *context) {
  struct taking *taking = calloc(1, sizeof(*taking));
  ASSERT(taking);
  *taking = (struct taking){.door = door, .done = done, .context = context};
  atomic_u64_set(&taking->shares, 1);
  mutex_init(&taking->mutex);
  struct reading reading = {
      .taking = taking,
      .door = door,
      .request = request,
      .auth = request->auth,
      .source = {.event_id = "", .received_ns = clock_wall_ns(door->options.clock), .peer = request->peer},
  };
  struct error error = {""};
  enum status status = read_request(&reading, &error);
  if (status == STATUS_OK) sentry_keep_close(&reading.keep);
  if (reading.keep.items.failed || reading.keep.counts.failed) {
    status = error_set(&error, STATUS_TOO_LARGE, "what comes beside the event is too large");
  }
  if (status == STATUS_OK) {
    submit(&reading, JOURNAL_EVENTS, &reading.event);
    submit(&reading, JOURNAL_TRACES, &reading.traces);
    submit(&reading, JOURNAL_LOGS, &reading.logs);
    submit(&reading, JOURNAL_ITEMS, &reading.keep.items);
    submit(&reading, JOURNAL_ITEMS, &reading.keep.counts);
  } else {
    fail(taking, status, &error);
  }
  clear_up(&reading);
  release(taking);
}
