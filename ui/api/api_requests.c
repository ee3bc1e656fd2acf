// SPDX-License-Identifier: Apache-2.0
//
// How it works: request_store walks the records of the request and calls back for every span and log; each is written
// as JSON at once into one of two buffers, with its time and place beside it, and the pieces are sorted and copied into
// the answer at the end. Events come from the inbox by the trace ids and request ids that were found, so that a dropped
// trace still shows its errors. The verdict of a trace is in the facts of its kept records; of the others the pipeline
// is asked.
#include "ui/api/api_requests.h"

#include <stdlib.h>

#include "store/issue_query.h"
#include "ui/api/api_answer.h"
#include "ui/api/api_otlp.h"

#define LIST_BYTES_MAX   (32u << 20)
#define PIECES_MAX       20000
#define EVENTS_MAX       200
#define ID_BYTES_MAX     RECORD_REQUEST_ID_BYTES_MAX
#define TRACES_MAX       (REQUEST_STORE_TRACES_MAX + 16)
#define REQUEST_IDS_MAX  (REQUEST_STORE_REQUEST_IDS_MAX + 16)
#define TRACE_HEX_DIGITS 32
#define CERTAIN_PPM      1000000.0

static const char *const no_parameters[] = {NULL};

// Written items of one kind.
struct piece {
  uint64_t time_ns;
  size_t start, len;
};
struct list {
  struct buffer text;
  struct json_writer json;
  struct piece *pieces;
  uint32_t count;
};

struct trace {
  uint8_t id[16];
  bool kept, waiting, late;
  uint8_t policy;
  uint32_t probability_ppm;
  struct ui_verdict verdict;
};

struct request_answer {
  struct api_answer *answer;
  struct slice id;
  struct list spans, logs;
  struct trace traces[TRACES_MAX];
  uint32_t trace_count;
  struct slice request_ids[REQUEST_IDS_MAX];
  uint32_t request_id_count;
  struct issue_event_row events[EVENTS_MAX];
  uint32_t event_count;
  bool found_as_request; // the id asked for is a request id
  bool truncated, kept_log, waiting_log;
};

static bool list_init(struct list *list, struct arena *arena) {
  buffer_init(&list->text, LIST_BYTES_MAX);
  json_writer_init(&list->json, &list->text);
  list->pieces = arena_alloc_array(arena, PIECES_MAX, sizeof *list->pieces);
  return list->pieces != NULL;
}

static struct trace *trace_of(struct request_answer *request, const uint8_t *id) {
  for (uint32_t i = 0; i < request->trace_count; i++) {
    if (memcmp(request->traces[i].id, id, 16) == 0) return &request->traces[i];
  }
  if (request->trace_count == TRACES_MAX) {
    request->truncated = true;
    return NULL;
  }
  struct trace *trace = &request->traces[request->trace_count++];
  *trace = (struct trace){0};
  memcpy(trace->id, id, 16);
  return trace;
}

static void add_request_id(struct request_answer *request, struct slice id) {
  if (id.len == 0) return;
  for (uint32_t i = 0; i < request->request_id_count; i++) {
    if (slice_equal(request->request_ids[i], id)) return;
  }
  if (request->request_id_count < REQUEST_IDS_MAX) request->request_ids[request->request_id_count++] = id;
}

static void note_facts(struct request_answer *request, const struct request_store_item *item) {
  if (!item->trace) {
    request->kept_log |= !item->waiting;
    request->waiting_log |= item->waiting;
    return;
  }
  struct trace *trace = trace_of(request, item->trace->trace_id);
  if (!trace) return;
  if (item->waiting) {
    trace->waiting = true;
    return;
  }
  trace->late |= item->trace->late != 0;
  if (trace->kept) return;
  trace->kept = true;
  trace->policy = item->trace->policy;
  trace->probability_ppm = item->trace->probability_ppm;
}

static void on_item(void *context, const struct request_store_item *item) {
  struct request_answer *request = context;
  note_facts(request, item);
  bool span = item->kind == JOURNAL_TRACES;
  struct list *list = span ? &request->spans : &request->logs;
  if (list->count == PIECES_MAX || list->text.failed) {
    request->truncated = true;
    return;
  }
  struct piece piece = {.start = list->text.len};
  json_writer_init(&list->json, &list->text);
  if (span) {
    piece.time_ns = item->item->span.start_ns;
    api_otlp_write_span(&list->json, item->item);
  } else {
    piece.time_ns = api_otlp_log_time(&item->item->log);
    api_otlp_write_log(&list->json, item->item);
  }
  piece.len = list->text.len - piece.start;
  if (list->text.failed) {
    request->truncated = true;
    list->text.len = piece.start;
  } else {
    list->pieces[list->count++] = piece;
  }
}

static int compare_pieces(const void *left, const void *right) {
  const struct piece *a = left, *b = right;
  if (a->time_ns != b->time_ns) return a->time_ns < b->time_ns ? -1 : 1;
  return a->start < b->start ? -1 : a->start > b->start;
}

static struct slice piece_text(const struct list *list, uint32_t index) {
  return slice_make(list->text.ptr + list->pieces[index].start, list->pieces[index].len);
}

static void write_spans(struct request_answer *request) {
  struct api_answer *answer = request->answer;
  struct list *list = &request->spans;
  qsort(list->pieces, list->count, sizeof list->pieces[0], compare_pieces);
  json_key(&answer->json, "spans");
  json_begin_array(&answer->json);
  for (uint32_t i = 0; i < list->count; i++) json_write_raw(&answer->json, piece_text(list, i));
  json_end_array(&answer->json);
}

// Whether `quoted` is one of the JSON strings that stand as a value in the text: a member's or an element's.
static bool has_value(struct slice text, struct slice quoted) {
  for (size_t at = slice_find(text, quoted); at < text.len; at = slice_find(text, quoted)) {
    uint8_t before = at > 0 ? text.ptr[at - 1] : 0;
    struct slice rest = slice_skip(text, at + quoted.len);
    if ((before == ':' || before == '[' || before == ',') && rest.len > 0 && rest.ptr[0] != ':') return true;
    text = slice_skip(text, at + 1);
  }
  return false;
}

// A log's request id is the one of the request's ids that it has as a value.
static void write_logs(struct request_answer *request) {
  struct api_answer *answer = request->answer;
  struct list *list = &request->logs;
  struct slice quoted[REQUEST_IDS_MAX];
  struct buffer ids, log;
  struct json_writer json;
  buffer_init(&ids, REQUEST_IDS_MAX * (6 * ID_BYTES_MAX + 2));
  buffer_init(&log, LIST_BYTES_MAX + 8 * ID_BYTES_MAX);
  size_t starts[REQUEST_IDS_MAX + 1] = {0};
  for (uint32_t i = 0; i < request->request_id_count; i++) {
    json_writer_init(&json, &ids);
    json_write_string(&json, request->request_ids[i]);
    starts[i + 1] = ids.len;
  }
  for (uint32_t i = 0; i < request->request_id_count; i++)
    quoted[i] = slice_make(ids.ptr + starts[i], starts[i + 1] - starts[i]);
  qsort(list->pieces, list->count, sizeof list->pieces[0], compare_pieces);
  json_key(&answer->json, "logs");
  json_begin_array(&answer->json);
  for (uint32_t i = 0; i < list->count; i++) {
    struct slice text = piece_text(list, i), id = SLICE_LITERAL("null");
    for (uint32_t k = 0; k < request->request_id_count; k++) {
      if (!has_value(text, quoted[k])) continue;
      id = quoted[k];
      break;
    }
    buffer_clear(&log);
    buffer_append_cstr(&log, "{\"request_id\":");
    buffer_append_slice(&log, id);
    buffer_append_byte(&log, ',');
    buffer_append_slice(&log, slice_skip(text, 1));
    json_write_raw(&answer->json, buffer_slice(&log));
  }
  json_end_array(&answer->json);
  buffer_finish(&log);
  buffer_finish(&ids);
}

static void take_events(struct request_answer *request, struct slice trace_id, struct slice request_id) {
  struct api_answer *answer = request->answer;
  uint32_t room = EVENTS_MAX - request->event_count;
  struct issue_event_row *rows = arena_alloc_array(&answer->arena, room + 1, sizeof *rows);
  if (!rows) return;
  uint32_t found = issue_query_request_events(answer->reader, trace_id, request_id, room + 1, &answer->arena, rows);
  for (uint32_t i = 0; i < found; i++) {
    bool known = false;
    for (uint32_t k = 0; k < request->event_count && !known; k++) known = request->events[k].row == rows[i].row;
    if (known) continue;
    if (request->event_count == EVENTS_MAX) {
      request->truncated = true;
      return;
    }
    request->events[request->event_count++] = rows[i];
    if (rows[i].trace_id.len == 16) trace_of(request, rows[i].trace_id.ptr);
    add_request_id(request, rows[i].request_id);
  }
}

static int compare_events(const void *left, const void *right) {
  const struct issue_event_row *a = left, *b = right;
  if (a->seen_ns != b->seen_ns) return a->seen_ns < b->seen_ns ? -1 : 1;
  return a->row < b->row ? -1 : a->row > b->row;
}

// Events of every trace and request id known so far; those found may name further ones, which are asked for in turn.
static void find_events(struct request_answer *request) {
  for (uint32_t t = 0, r = 0; t < request->trace_count || r < request->request_id_count;) {
    struct slice trace = {0}, id = {0};
    if (t < request->trace_count) trace = slice_make(request->traces[t++].id, 16);
    if (r < request->request_id_count) id = request->request_ids[r++];
    take_events(request, trace, id);
  }
  qsort(request->events, request->event_count, sizeof request->events[0], compare_events);
}

static void write_events(struct request_answer *request) {
  struct api_answer *answer = request->answer;
  json_key(&answer->json, "events");
  json_begin_array(&answer->json);
  for (uint32_t i = 0; i < request->event_count; i++) {
    const struct issue_event_row *event = &request->events[i];
    json_begin_object(&answer->json);
    api_answer_hex(answer, "event_id", event->event_id);
    api_answer_decimal(answer, "issue_id", event->issue);
    api_answer_text(answer, "title", event->title);
    api_answer_time(answer, "timestamp", event->timestamp_ns);
    api_answer_decimal(answer, "time_ns", event->timestamp_ns);
    api_answer_text(answer, "service", event->service);
    api_answer_hex(answer, "trace_id", event->trace_id);
    api_answer_hex(answer, "span_id", event->span_id);
    api_answer_text(answer, "request_id", event->request_id);
    api_answer_text(answer, "level", event->level);
    json_end_object(&answer->json);
  }
  json_end_array(&answer->json);
}

static void decide(struct request_answer *request) {
  const struct ui_options *ui = request->answer->ui;
  for (uint32_t i = 0; i < request->trace_count; i++) {
    struct trace *trace = &request->traces[i];
    if (trace->kept) {
      trace->verdict = (struct ui_verdict){.decision = UI_KEEP,
                                           .policy = ui->policy_name(ui->context, trace->policy),
                                           .has_probability = true,
                                           .probability = trace->probability_ppm / CERTAIN_PPM};
    } else {
      ui->verdict(ui->context, trace->id, &trace->verdict);
      if (trace->waiting && trace->verdict.decision == UI_UNKNOWN) trace->verdict.decision = UI_WAITING;
    }
  }
}

static void write_decision(struct api_answer *answer, const struct ui_verdict *verdict) {
  static const char *const decisions[] = {
      [UI_UNKNOWN] = "unknown", [UI_KEEP] = "keep", [UI_DROP] = "drop", [UI_WAITING] = "waiting"};
  api_answer_cstr(answer, "decision", decisions[verdict->decision]);
  api_answer_cstr(answer, "policy", verdict->policy);
  json_key(&answer->json, "probability");
  if (verdict->has_probability) {
    json_write_double(&answer->json, verdict->probability);
  } else {
    json_write_null(&answer->json);
  }
}

// Of the whole request: kept if any trace is, else waiting if any is, else dropped if any was.
static struct ui_verdict verdict_of(const struct request_answer *request) {
  static const enum ui_decision order[] = {UI_KEEP, UI_WAITING, UI_DROP};
  for (unsigned o = 0; o < 3; o++) {
    for (uint32_t i = 0; i < request->trace_count; i++) {
      if (request->traces[i].verdict.decision == order[o]) return request->traces[i].verdict;
    }
    if (order[o] == UI_KEEP && request->kept_log) return (struct ui_verdict){.decision = UI_KEEP};
    if (order[o] == UI_WAITING && request->waiting_log) return (struct ui_verdict){.decision = UI_WAITING};
  }
  return (struct ui_verdict){.decision = UI_UNKNOWN};
}

static void write_verdict(struct request_answer *request) {
  struct api_answer *answer = request->answer;
  struct ui_verdict verdict = verdict_of(request);
  json_key(&answer->json, "verdict");
  json_begin_object(&answer->json);
  write_decision(answer, &verdict);
  json_key(&answer->json, "traces");
  json_begin_array(&answer->json);
  for (uint32_t i = 0; i < request->trace_count; i++) {
    json_begin_object(&answer->json);
    api_answer_hex(answer, "trace_id", slice_make(request->traces[i].id, 16));
    write_decision(answer, &request->traces[i].verdict);
    json_key(&answer->json, "late");
    json_write_bool(&answer->json, request->traces[i].late);
    json_end_object(&answer->json);
  }
  json_end_array(&answer->json);
  json_end_object(&answer->json);
}

static void write_ids(struct request_answer *request) {
  struct json_writer *json = &request->answer->json;
  char hex[TRACE_HEX_DIGITS];
  api_answer_text(request->answer, "id", request->id);
  json_key(json, "request_ids");
  json_begin_array(json);
  for (uint32_t i = 0; i < request->request_id_count; i++) json_write_string(json, request->request_ids[i]);
  json_end_array(json);
  json_key(json, "trace_ids");
  json_begin_array(json);
  for (uint32_t i = 0; i < request->trace_count; i++) {
    slice_to_hex(slice_make(request->traces[i].id, 16), hex);
    json_write_string(json, slice_make(hex, sizeof hex));
  }
  json_end_array(json);
  json_key(json, "truncated");
  json_write_bool(json, request->truncated);
}

static void write_jaeger(struct request_answer *request) {
  struct api_answer *answer = request->answer;
  struct slice base = slice_from_cstr(answer->ui->jaeger_url);
  struct slice url = {0};
  while (base.len > 0 && base.ptr[base.len - 1] == '/') base.len--;
  if (base.len > 0 && request->trace_count > 0) {
    char hex[TRACE_HEX_DIGITS];
    slice_to_hex(slice_make(request->traces[0].id, 16), hex);
    url = arena_printf(&answer->arena, "%.*s/trace/%.*s", SLICE_PRINTF(base), TRACE_HEX_DIGITS, hex);
  }
  api_answer_text(answer, "jaeger_url", url);
}

static enum status find_items(struct request_answer *request) {
  struct api_answer *answer = request->answer;
  struct request_store_result result = {0};
  add_request_id(request, request->id);
  enum status status = request_store_find(answer->ui->requests, request->id, NULL, &answer->arena, on_item, request,
                                          &result, &answer->error);
  if (status != STATUS_OK) return status;
  request->truncated |= result.truncated;
  for (uint32_t i = 0; i < result.trace_count; i++) trace_of(request, result.trace_ids[i]);
  for (uint32_t i = 0; i < result.request_id_count; i++) {
    add_request_id(request, result.request_ids[i]);
    request->found_as_request |= slice_equal(result.request_ids[i], request->id);
  }
  return STATUS_OK;
}

// The id asked for was looked for as both; a trace id counts as a request id only when it was found to be one.
static void settle_ids(struct request_answer *request) {
  bool is_request = request->found_as_request;
  for (uint32_t i = 0; i < request->event_count && !is_request; i++)
    is_request = slice_equal(request->events[i].request_id, request->id);
  if (is_request) return;
  request->request_id_count--; // it is the first
  memmove(request->request_ids, request->request_ids + 1, request->request_id_count * sizeof request->request_ids[0]);
}

static enum status answer_request(struct request_answer *request) {
  struct api_answer *answer = request->answer;
  uint8_t trace_id[16];
  bool is_trace_id = slice_from_hex(request->id, trace_id, sizeof trace_id);
  enum status status = find_items(request);
  if (status == STATUS_OK) status = api_answer_read(answer);
  if (status != STATUS_OK) return status;
  if (is_trace_id) {
    struct ui_verdict verdict = {0};
    answer->ui->verdict(answer->ui->context, trace_id, &verdict);
    if (verdict.decision != UI_UNKNOWN) trace_of(request, trace_id);
    take_events(request, slice_make(trace_id, sizeof trace_id), (struct slice){0});
  }
  find_events(request);
  if (is_trace_id) settle_ids(request);
  if (request->trace_count + request->spans.count + request->logs.count + request->event_count == 0)
    return api_answer_fail(answer, STATUS_NOT_FOUND, "id", "nothing is known under this id");
  decide(request);
  json_begin_object(&answer->json);
  write_ids(request);
  write_spans(request);
  write_logs(request);
  write_events(request);
  write_verdict(request);
  write_jaeger(request);
  json_end_object(&answer->json);
  return STATUS_OK;
}

static enum status get(struct api_answer *answer) {
  struct slice id = slice_trim(http_request_capture(answer->request, 0));
  if (id.len == 0 || id.len > ID_BYTES_MAX)
    return api_answer_fail(answer, STATUS_INVALID, "id", "must be 1 to %d bytes", ID_BYTES_MAX);
  struct request_answer *request = arena_alloc(&answer->arena, sizeof *request);
  if (!request) return api_answer_fail(answer, STATUS_NO_MEMORY, NULL, "no memory for the answer");
  request->answer = answer;
  request->id = id;
  bool ready = list_init(&request->spans, &answer->arena) && list_init(&request->logs, &answer->arena);
  enum status status =
      ready ? answer_request(request) : api_answer_fail(answer, STATUS_NO_MEMORY, NULL, "no memory for the answer");
  buffer_finish(&request->spans.text);
  buffer_finish(&request->logs.text);
  return status;
}

void api_requests_get(void *context, struct http_request *request) {
  api_answer_run(context, request, no_parameters, get);
}
