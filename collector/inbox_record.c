// SPDX-License-Identifier: Apache-2.0
//
// How it works: a record of spans or logs is scanned, and the items that its section marks are given to
// processor/exception; each event is grouped, written as its document (collector/inbox_event) and handed on. Memory for
// one item's events is one arena, dropped behind the item. An event of an SDK was grouped and written before it was
// appended (collector/event_digest): its summary is in the section, its body is what will be stored. Only a record
// without a summary, of an earlier version of culprit, is parsed.
//
// Event ids. An event from an SDK has its own. An exception of a trace is named by what it is: project, trace, span,
// type and message (duplicate_key), time, source, and its number among equals in the record. A client that sends a
// request again because the answer was lost therefore changes nothing. An error without a trace is named by where it
// stands: the record's sequence and time of receipt, and its place in it.
#include "collector/inbox_record.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/table.h"
#include "collector/inbox_event.h"
#include "collector/project_names.h"
#include "processor/exception.h"
#include "proto/otlp_scan.h"
#include "store/event_summary.h"
#include "store/project_store.h"
#include "store/record_facts.h"

#define BODY_BYTES_MAX     ((size_t)256 << 20)
#define DOCUMENT_BYTES_MAX ((size_t)24 << 20)
#define ARENA_BYTES_MAX    ((size_t)128 << 20)
#define EQUALS_MAX         262144 // errors of one record that are told apart by number

static const struct otlp_limits scan_limits = {
    .depth_max = OTLP_DEPTH_CEILING, // it was accepted under limits that may have been wider than today's
    .items_max = UINT32_MAX,
    .attributes_max = UINT32_MAX,
};

struct inbox_record {
  struct inbox_record_options options;
  struct inbox_grouping *grouping_of;
  struct project_names *names;
  struct arena arena;
  struct buffer body, text;
  struct json_parser *parser;
  struct inbox_event event;
  struct event_summary summary;
  struct table *equals; // what an event is, hashed → how many of it there were in this record
  // Of the record in hand.
  const struct journal_record *record;
  struct record_facts facts;
  bool has_facts;
  struct record_item item;
  uint32_t item_index, found_index;
  bool enough;
  enum status status;
};

struct inbox_record *inbox_record_create(const struct inbox_record_options *options) {
  struct inbox_record *reader = calloc(1, sizeof *reader);
  ASSERT(reader != NULL);
  reader->options = *options;
  reader->grouping_of = inbox_grouping_create(&(struct inbox_grouping_options){
      .database = options->database, .clock = options->clock, .program = options->grouping});
  reader->names = project_names_create(options->database);
  arena_init(&reader->arena, ARENA_BYTES_MAX);
  buffer_init(&reader->body, BODY_BYTES_MAX);
  buffer_init(&reader->text, 2 * DOCUMENT_BYTES_MAX);
  reader->parser = json_parser_create(BODY_BYTES_MAX);
  reader->equals = table_create(sizeof(uint64_t), EQUALS_MAX);
  return reader;
}

void inbox_record_destroy(struct inbox_record *reader) {
  if (!reader) return;
  inbox_grouping_destroy(reader->grouping_of);
  project_names_destroy(reader->names);
  arena_finish(&reader->arena);
  buffer_finish(&reader->body);
  buffer_finish(&reader->text);
  json_parser_destroy(reader->parser);
  table_destroy(reader->equals);
  free(reader);
}

bool inbox_record_has_errors(const struct journal_record *record) {
  if (record->kind == JOURNAL_EVENTS || record->kind == JOURNAL_ITEMS) return true;
  if (record->kind != JOURNAL_TRACES && record->kind != JOURNAL_LOGS) return false;
  struct record_facts facts;
  return record_facts_decode(record->section, &facts) != STATUS_OK || facts.has_errors; // in doubt, look
}

// --- names -----------------------------------------------------------------------------------------------------------

static uint32_t project_of(const struct journal_record *record) {
  return record->project ? record->project : PROJECT_STORE_DEFAULT;
}

static void name_by_words(const char *kind, const uint64_t *words, size_t count, struct slice trace, struct slice span,
                          uint8_t out_id[ISSUE_EVENT_ID_BYTES]) {
  struct hash_md5 md5;
  char hex[33];
  hash_md5_init(&md5);
  hash_md5_update(&md5, slice_from_cstr(kind));
  hash_md5_update(&md5, slice_make(words, count * sizeof words[0]));
  hash_md5_update(&md5, trace);
  hash_md5_update(&md5, span);
  hash_md5_finish(&md5, hex);
  bool good = slice_from_hex(slice_make(hex, 32), out_id, ISSUE_EVENT_ID_BYTES);
  ASSERT(good);
}

// The event's number among those of the record that are otherwise the same.
static uint64_t number_among_equals(struct inbox_record *reader, const uint64_t *words, size_t count) {
  uint64_t *equals = table_insert(reader->equals, hash_xxh3(slice_make(words, count * sizeof words[0])), NULL);
  return equals ? (*equals)++ : reader->found_index;
}

static void name_event(struct inbox_record *reader, const struct exception_found *found, struct issue_event *event) {
  const struct journal_record *record = reader->record;
  if (found->source == EXCEPTION_SDK &&
      slice_from_hex(slice_from_cstr(found->event.event_id), event->event_id, ISSUE_EVENT_ID_BYTES))
    return;
  if (found->duplicate_key != 0) {
    uint64_t words[5] = {event->project, found->duplicate_key, event->timestamp_ns, (uint64_t)event->source, 0};
    words[4] = number_among_equals(reader, words, 4);
    name_by_words("exception", words, 5, event->trace_id, event->span_id, event->event_id);
    return;
  }
  const uint64_t words[] = {event->project, record->sequence, record->received_ns, reader->item_index,
                            reader->found_index};
  name_by_words("place", words, 5, (struct slice){0}, (struct slice){0}, event->event_id);
}

// --- from an error to an event of the inbox --------------------------------------------------------------------------

// The request id seen on the item's trace elsewhere in the record, or on the item.
static struct slice request_id_of_item(const struct inbox_record *reader) {
  if (!reader->has_facts) return (struct slice){0};
  const uint8_t *cursor = reader->facts.requests;
  struct record_request request;
  while (record_facts_next_request(&reader->facts, &cursor, &request)) {
    bool mine =
        request.trace == RECORD_NO_TRACE ? request.item == reader->item_index : request.trace == reader->item.trace;
    if (mine) return request.id;
  }
  return (struct slice){0};
}

// An event of an SDK that does not say which service it is of is of its project (proto/sentry_service). Here, not where
// it is digested: so it holds for records of earlier versions too.
static void hand_on(struct inbox_record *reader, struct issue_event *event) {
  if (event->source == ISSUE_SOURCE_SDK && event->service.len == 0)
    event->service = project_names_find(reader->names, event->project);
  reader->enough = !reader->options.take(reader->options.context, event);
}

static void take(struct inbox_record *reader, const struct exception_found *found) {
  if (reader->enough) return;
  struct sentry_event event = found->event;
  event.request_id = inbox_event_first_of(event.request_id, request_id_of_item(reader));
  const struct inbox_event_origin origin = {
      .project = project_of(reader->record),
      .source = found->source == EXCEPTION_SDK          ? ISSUE_SOURCE_SDK
                : found->source == EXCEPTION_SPAN_EVENT ? ISSUE_SOURCE_SPAN
                                                        : ISSUE_SOURCE_LOG,
      .received_ns = reader->record->received_ns,
      .duplicate_key = found->duplicate_key,
  };
  struct inbox_event *mine = &reader->event;
  inbox_event_make(mine, &origin, reader->grouping_of, &event, &reader->arena);
  name_event(reader, found, &mine->event);
  slice_to_hex(slice_make(mine->event.event_id, ISSUE_EVENT_ID_BYTES), event.event_id);
  event.event_id[2 * ISSUE_EVENT_ID_BYTES] = 0;
  buffer_clear(&reader->text);
  inbox_event_write(mine, &event, &reader->text);
  reader->found_index++;
  if (reader->text.failed) {
    reader->status = STATUS_TOO_LARGE;
    return;
  }
  inbox_event_split(buffer_slice(&reader->text), &mine->event);
  hand_on(reader, &mine->event);
}

// --- records ---------------------------------------------------------------------------------------------------------

static void on_found(void *context, const struct exception_found *found) {
  take(context, found);
}

static bool is_wanted(const struct inbox_record *reader, const struct otlp_item *item) {
  if (!reader->has_facts) return true;
  return (reader->item.flags & RECORD_ITEM_ERROR) != 0 || item->index >= reader->facts.item_count;
}

static enum status read_otlp(struct inbox_record *reader, struct slice body, struct error *error) {
  const struct journal_record *record = reader->record;
  enum otlp_signal signal = record->kind == JOURNAL_TRACES ? OTLP_TRACES : OTLP_LOGS;
  reader->has_facts = record_facts_decode(record->section, &reader->facts) == STATUS_OK;
  struct otlp_scan scan;
  struct otlp_item item;
  otlp_scan_init(&scan, signal, body, &scan_limits);
  enum status status;
  while ((status = otlp_scan_next(&scan, &item, error)) == STATUS_OK && !reader->enough) {
    reader->item_index = item.index;
    reader->item = (struct record_item){.trace = RECORD_NO_TRACE};
    if (reader->has_facts && item.index < reader->facts.item_count)
      reader->item = record_facts_item(&reader->facts, item.index);
    if (!is_wanted(reader, &item)) continue;
    arena_reset(&reader->arena);
    status = exception_extract(signal, &item, reader->options.correlation, &reader->arena, on_found, reader);
    if (status != STATUS_OK) reader->status = status; // the others are taken all the same
  }
  return status == STATUS_END ? STATUS_OK : status;
}

static enum status read_event(struct inbox_record *reader, struct json_value value, struct error *error) {
  struct exception_found found = {.source = EXCEPTION_SDK};
  arena_reset(&reader->arena);
  enum status status = sentry_event_parse(value, &reader->arena, &found.event, error);
  if (status == STATUS_OK) take(reader, &found);
  return status;
}

// The event of a record that has its summary.
static enum status read_digested(struct inbox_record *reader, struct slice summary, struct error *error) {
  const struct journal_record *record = reader->record;
  struct slice body;
  enum status status = event_summary_decode(summary, &reader->summary);
  if (status != STATUS_OK) return error_set(error, status, "the event's summary cannot be read");
  struct issue_event *event = &reader->summary.event;
  event->project = project_of(record);
  event->received_ns = record->received_ns;
  if (record->body_compressed) {
    event->compressed = record->body_stored;
    event->compressed_raw_bytes = record->body_raw_bytes;
  } else {
    status = journal_record_body(record, &reader->body, &body);
    if (status != STATUS_OK) return error_set(error, status, "the record's body cannot be read");
    inbox_event_split(body, event);
  }
  hand_on(reader, event);
  return STATUS_OK;
}

// One event document, or an array of them.
static enum status read_events(struct inbox_record *reader, struct slice body, struct error *error) {
  struct json_value root, value;
  enum status status = json_parse(reader->parser, body, &root, error);
  if (status != STATUS_OK) return status;
  if (json_type_of(root) != JSON_ARRAY) return read_event(reader, root, error);
  struct json_iter iter = json_iterate(root);
  while (status == STATUS_OK && !reader->enough && json_array_next(&iter, &value)) {
    status = read_event(reader, value, error);
    reader->item_index++;
  }
  return status;
}

static enum status read_items(struct inbox_record *reader, struct slice body, struct error *error) {
  struct sentry_item_reader items;
  struct issue_item mine = {.project = project_of(reader->record), .received_ns = reader->record->received_ns};
  enum status status = sentry_item_open(&items, reader->parser, body, error);
  while (status == STATUS_OK && !reader->enough && reader->options.take_item) {
    status = sentry_item_next(&items, &mine.item, error);
    if (status == STATUS_OK) reader->enough = !reader->options.take_item(reader->options.context, &mine);
  }
  return status == STATUS_END ? STATUS_OK : status;
}

static enum status read_body(struct inbox_record *reader, struct slice body, struct error *error) {
  switch (reader->record->kind) {
  case JOURNAL_EVENTS: return read_events(reader, body, error);
  case JOURNAL_ITEMS: return read_items(reader, body, error);
  default: return read_otlp(reader, body, error);
  }
}

enum status inbox_record_read(struct inbox_record *reader, const struct journal_record *record, struct error *error) {
  reader->record = record;
  reader->has_facts = false;
  reader->item_index = reader->found_index = 0;
  reader->enough = false;
  reader->status = STATUS_OK;
  reader->item = (struct record_item){.trace = RECORD_NO_TRACE};
  if (table_count(reader->equals) > 0) table_clear(reader->equals);
  struct record_facts facts;
  bool is_event = record->kind == JOURNAL_EVENTS && record_facts_decode(record->section, &facts) == STATUS_OK;
  if (is_event && facts.more.len > 0) return read_digested(reader, facts.more, error);
  struct slice body;
  enum status status = journal_record_body(record, &reader->body, &body);
  if (status != STATUS_OK) return error_set(error, status, "the record's body cannot be read");
  status = read_body(reader, body, error);
  if (status == STATUS_OK && reader->status != STATUS_OK)
    return error_set(error, reader->status, "an error in the record is too large");
  return status;
}
