// SPDX-License-Identifier: Apache-2.0
//
// How it works, for one request:
//
//   decode → who (key, project) → survey: walk the framing once, sizes and kinds → receiver/sentry_convert: JSON to
//   what the journal takes (one event document, spans, logs) → submit each part → answer when the last part is durable
//
// Broken framing is found by the survey, so that nothing of a broken envelope is handed on. An event or transaction
// that cannot be read refuses the envelope, since it is what the envelope is about; any other item that cannot is
// counted and left out. The worst of the parts' outcomes is the answer.
//
// What waits for the parts is a `struct taking`, ended by whoever finishes the last of them; the thread that submits
// holds one share of it meanwhile. It and the parsers go back to pools of the door: the thread that ends a taking is
// another one than made it, and memory that the allocator hands from one thread to another makes both wait.
#include "receiver/sentry_door.h"

#include <stdlib.h>

#include "proto/sentry_json.h"
#include "receiver/sentry_convert.h"
#include "receiver/sentry_report.h"
#include "receiver/sentry_unwrap.h"
#include "receiver/sentry_upload.h"

#define KEPT_BYTES_MAX ((size_t)1 << 20) // a parser that read more is not kept
#define JSON_COST      6u                // bytes of working memory for one of JSON: its parser, and what it becomes
#define TOOLS_POOL     16u
#define TAKINGS_POOL   128u
#define BASE64_MAX     SENTRY_DOOR_EVENT_BYTES_MAX

struct sentry_door {
  struct sentry_door_options options;
  struct admission *admission;
  struct sentry_type_counters counters;
  struct mutex mutex; // guards the pools
  struct tools *pool[TOOLS_POOL];
  uint32_t pool_count;
  struct taking *takings[TAKINGS_POOL];
  uint32_t taking_count;
};

// What one request is read with.
struct tools {
  struct json_parser *headers, *payloads, *events;
};

// What became of one request. Of one that was used before all but the mutex is set anew.
struct taking {
  struct mutex mutex; // guards status and error
  struct sentry_door *door;
  sentry_door_done_fn done;
  void *context;
  struct atomic_u64 shares; // of the submitting thread and of each part under way
  enum status status;
  struct error error;
  char event_id[33];
  uint64_t accepted[SENTRY_TYPES];
  struct sentry_limit_note limits;
};

// ---- life

static void destroy_taking(struct taking *taking) {
  mutex_finish(&taking->mutex);
  free(taking);
}

static void destroy_tools(struct tools *tools) {
  if (!tools) return;
  json_parser_destroy(tools->headers);
  json_parser_destroy(tools->payloads);
  json_parser_destroy(tools->events);
  free(tools);
}

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
  for (uint32_t i = 0; i < door->pool_count; i++) destroy_tools(door->pool[i]);
  for (uint32_t i = 0; i < door->taking_count; i++) destroy_taking(door->takings[i]);
  mutex_finish(&door->mutex);
  admission_destroy(door->admission);
  free(door);
}

const struct sentry_auth_directory *sentry_door_directory(const struct sentry_door *door) {
  return &door->options.directory;
}

struct sentry_limit *sentry_door_limit(const struct sentry_door *door) {
  return door->options.limit;
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

static struct tools *create_tools(void) {
  struct tools *tools = calloc(1, sizeof(*tools));
  ASSERT(tools);
  *tools = (struct tools){.headers = json_parser_create(SENTRY_ENVELOPE_HEADER_BYTES_MAX),
                          .payloads = json_parser_create(SENTRY_DOOR_CONTAINER_BYTES_MAX * 2),
                          .events = json_parser_create(SENTRY_DOOR_CONTAINER_BYTES_MAX * 2)};
  return tools;
}

static struct taking *create_taking(void) {
  struct taking *taking = malloc(sizeof(*taking));
  ASSERT(taking);
  mutex_init(&taking->mutex);
  return taking;
}

static void take_from_pools(struct sentry_door *door, struct tools **out_tools, struct taking **out_taking) {
  struct tools *tools = NULL;
  struct taking *taking = NULL;
  mutex_lock(&door->mutex);
  if (door->pool_count > 0) tools = door->pool[--door->pool_count];
  if (door->taking_count > 0) taking = door->takings[--door->taking_count];
  mutex_unlock(&door->mutex);
  *out_tools = tools ? tools : create_tools();
  *out_taking = taking ? taking : create_taking();
}

static void give_tools(struct sentry_door *door, struct tools *tools, uint64_t parsed_bytes) {
  mutex_lock(&door->mutex);
  if (door->pool_count < TOOLS_POOL && parsed_bytes <= KEPT_BYTES_MAX) {
    door->pool[door->pool_count++] = tools;
    tools = NULL;
  }
  mutex_unlock(&door->mutex);
  destroy_tools(tools);
}

static void give_taking(struct sentry_door *door, struct taking *taking) {
  mutex_lock(&door->mutex);
  bool is_kept = door->taking_count < TAKINGS_POOL;
  if (is_kept) door->takings[door->taking_count++] = taking;
  mutex_unlock(&door->mutex);
  if (!is_kept) destroy_taking(taking);
}

// ---- one request

// What lives while the body is read.
struct reading {
  struct taking *taking;
  struct sentry_door *door;
  const struct sentry_door_request *request;
  struct sentry_auth auth;
  struct sentry_auth_project project;
  struct tools *tools;
  struct sentry_convert convert;
  bool converts;        // `convert` is set up
  char envelope_id[33]; // the event's, as the envelope's header has it
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
  give_taking(door, taking);
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

static void submit_event(struct reading *reading) {
  if (!json_is_present(reading->convert.event_root)) {
    submit(reading, JOURNAL_EVENTS, &reading->convert.event);
    return;
  }
  struct taking *taking = reading->taking;
  const struct sink *sink = &reading->door->options.limits.sink;
  const struct sink_event event = {.root = reading->convert.event_root, .event_id = taking->event_id};
  struct error error = {""};
  atomic_u64_add(&taking->shares, 1);
  enum status status = sink->submit_event(sink->context, reading->project.id, &event, on_durable, taking, &error);
  if (status == STATUS_OK) return;
  fail(taking, status, &error);
  release(taking);
}

// ---- bodies

static bool is_json_item(uint32_t type) {
  return sentry_types[type].handling != SENTRY_TYPE_COUNT && sentry_types[type].handling != SENTRY_TYPE_ATTACHMENT;
}

struct sizes {
  uint64_t json_bytes;       // of the items that will be read
  uint64_t attachment_bytes; // what attachments take of a record
  uint64_t items;
  struct sentry_envelope_item last;
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
    sizes.items++;
    sizes.last = item;
  }
  if (status != STATUS_END) return status;
  *out_sizes = sizes;
  return STATUS_OK;
}

static enum status set_up(struct reading *reading, const struct sizes *sizes, struct error *error) {
  struct sentry_door *door = reading->door;
  uint64_t json_bytes = sizes->json_bytes;
  reading->json_bytes = json_bytes;
  enum status status = admission_reserve(door->admission, (size_t)(json_bytes * JSON_COST + sizes->attachment_bytes),
                                         &reading->work, error);
  if (status != STATUS_OK) return status;
  bool takes_parsed = door->options.limits.sink.submit_event != NULL;
  const struct sentry_convert_options options = {.counters = &door->counters,
                                                 .limit = door->options.limit,
                                                 .parser = reading->tools->payloads,
                                                 .event_parser = takes_parsed ? reading->tools->events : NULL,
                                                 .project = &reading->project,
                                                 .bytes_max = (size_t)json_bytes * JSON_COST + 65536,
                                                 .attachment_bytes_max = door->options.attachment_bytes_max,
                                                 .attachment_bytes = (size_t)sizes->attachment_bytes};
  sentry_convert_init(&reading->convert, &options);
  reading->converts = true;
  return STATUS_OK;
}

static void clear_up(struct reading *reading) {
  if (reading->converts) {
    sentry_convert_finish(&reading->convert);
    admission_release(reading->door->admission, &reading->work);
  }
  give_tools(reading->door, reading->tools, reading->json_bytes);
}

static enum status identify(struct reading *reading, struct error *error) {
  enum status status = sentry_auth_check(&reading->auth, &reading->door->options.directory,
                                         reading->request->path_project, &reading->project, error);
  reading->convert.source.project = reading->project.id;
  return status;
}

static enum status convert_items(struct sentry_convert *convert, struct sentry_envelope envelope,
                                 const struct sizes *sizes, struct error *error) {
  if (sizes->items == 1) return sentry_convert_item(convert, &sizes->last, error); // nearly always; parsed already
  struct sentry_envelope_item item;
  enum status status = STATUS_OK;
  while (status == STATUS_OK && (status = sentry_envelope_next(&envelope, &item, error)) == STATUS_OK) {
    status = sentry_convert_item(convert, &item, error);
  }
  return status == STATUS_END ? STATUS_OK : status;
}

static enum status read_envelope(struct reading *reading, struct slice body, struct error *error) {
  struct sentry_envelope envelope;
  enum status status = sentry_envelope_open(&envelope, reading->tools->headers, body, error);
  if (status == STATUS_OK && envelope.dsn[0]) {
    status = sentry_auth_add_dsn(&reading->auth, slice_from_cstr(envelope.dsn), reading->request->path_project, error);
  }
  if (status == STATUS_OK) status = identify(reading, error);
  struct sizes sizes = {0};
  if (status == STATUS_OK) status = survey(reading, envelope, &sizes, error);
  if (status == STATUS_OK) status = set_up(reading, &sizes, error);
  if (status != STATUS_OK) return status;
  struct sentry_convert *convert = &reading->convert;
  memcpy(reading->envelope_id, envelope.event_id, sizeof(envelope.event_id));
  memcpy(convert->event_id, envelope.event_id, sizeof(envelope.event_id));
  convert->source.event_id = reading->envelope_id;
  convert->source.has_sent_at = envelope.has_sent_at;
  convert->source.sent_at_ns = envelope.sent_at_ns;
  status = convert_items(convert, envelope, &sizes, error);
  if (status != STATUS_OK) return status;
  struct sentry_envelope_item item;
  while (sizes.attachment_bytes > 0 && sentry_envelope_next(&envelope, &item, error) == STATUS_OK) {
    uint32_t type = sentry_type_of(item.type);
    if (sentry_types[type].handling == SENTRY_TYPE_ATTACHMENT) sentry_convert_attachment(convert, &item);
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
    status = sentry_convert_item(&reading->convert, &item, error);
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
  if (status == STATUS_OK) {
    status = sentry_json_parse(reading->tools->payloads, body, &reading->convert.scratch, &root, error);
  }
  if (status != STATUS_OK) return status;
  const struct sentry_report_source source = {.release = reading->request->release,
                                              .environment = reading->request->environment,
                                              .user_agent = reading->request->user_agent};
  struct buffer document;
  buffer_init(&document, 4 * SENTRY_REPORT_BYTES_MAX);
  status = sentry_report_write(root, &source, &document, error);
  if (status == STATUS_OK) {
    const struct sentry_envelope_item item = {.type = SLICE_LITERAL("event"), .payload = buffer_slice(&document)};
    status = sentry_convert_item(&reading->convert, &item, error);
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
  sentry_type_count_bytes(&door->counters, request->body.len);
  struct reading reading = {.door = door, .request = request, .auth = request->auth};
  take_from_pools(door, &reading.tools, &reading.taking);
  reading.convert.source = (struct sentry_document_source){
      .event_id = "", .received_ns = clock_wall_ns(door->options.clock), .peer = request->peer};
  struct error error = {""};
  enum status status = read_request(&reading, &error);
  struct sentry_convert *convert = &reading.convert;
  if (status == STATUS_OK) sentry_keep_close(&convert->keep);
  if (convert->keep.items.failed || convert->keep.counts.failed) {
    status = error_set(&error, STATUS_TOO_LARGE, "what comes beside the event is too large");
  }
  struct taking *taking = reading.taking;
  taking->door = door;
  taking->done = done;
  taking->context = context;
  atomic_u64_set(&taking->shares, 1);
  taking->status = status;
  taking->error = error;
  memcpy(taking->event_id, convert->event_id, sizeof(taking->event_id));
  memcpy(taking->accepted, convert->accepted, sizeof(taking->accepted));
  taking->limits = convert->limits;
  if (status == STATUS_OK) {
    submit_event(&reading);
    submit(&reading, JOURNAL_TRACES, &convert->traces);
    submit(&reading, JOURNAL_LOGS, &convert->logs);
    submit(&reading, JOURNAL_ITEMS, &convert->keep.items);
    submit(&reading, JOURNAL_ITEMS, &convert->keep.counts);
  }
  clear_up(&reading);
  release(taking);
}
