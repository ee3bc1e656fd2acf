// SPDX-License-Identifier: Apache-2.0
//
// How it works: a record of spans or logs is scanned, and the items that its section marks are given to
// processor/exception; a record of SDK events is parsed. Each event is grouped, written as its document and handed on.
// Memory for one item's events is one arena, dropped behind the item.
//
// Event ids. An event from an SDK has its own. An exception of a trace is named by what it is: project, trace, span,
// type and message (duplicate_key), time, source, and its number among equals in the record. A client that sends a
// request again because the answer was lost therefore changes nothing. An error without a trace is named by where it
// stands: the record's sequence and time of receipt, and its place in it.
#include "collector/inbox_record.h"

#include <stdlib.h>

#include "base/hash.h"
#include "base/table.h"
#include "collector/inbox_grouping.h"
#include "processor/exception.h"
#include "proto/otlp_scan.h"
#include "store/project_store.h"
#include "store/record_facts.h"

#define BODY_BYTES_MAX     ((size_t)256 << 20)
#define DOCUMENT_BYTES_MAX ((size_t)24 << 20)
#define ARENA_BYTES_MAX    ((size_t)128 << 20)
#define TAGS_MAX           64
#define EQUALS_MAX         262144 // errors of one record that are told apart by number

static const struct otlp_limits scan_limits = {
    .depth_max = OTLP_DEPTH_CEILING, // it was accepted under limits that may have been wider than today's
    .items_max = UINT32_MAX,
    .attributes_max = UINT32_MAX,
};

struct inbox_record {
  struct inbox_record_options options;
  struct inbox_grouping *grouping_of;
  struct arena arena;
  struct buffer body, document, grouping;
  struct json_parser *parser;
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
  arena_init(&reader->arena, ARENA_BYTES_MAX);
  buffer_init(&reader->body, BODY_BYTES_MAX);
  buffer_init(&reader->document, DOCUMENT_BYTES_MAX);
  buffer_init(&reader->grouping, DOCUMENT_BYTES_MAX);
  reader->parser = json_parser_create(BODY_BYTES_MAX);
  reader->equals = table_create(sizeof(uint64_t), EQUALS_MAX);
  return reader;
}

void inbox_record_destroy(struct inbox_record *reader) {
  if (!reader) return;
  inbox_grouping_destroy(reader->grouping_of);
  arena_finish(&reader->arena);
  buffer_finish(&reader->body);
  buffer_finish(&reader->document);
  buffer_finish(&reader->grouping);
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

static struct slice raw_id(struct arena *arena, struct slice hex, size_t bytes) {
  uint8_t *raw = arena_alloc(arena, bytes);
  return raw && slice_from_hex(hex, raw, bytes) ? slice_make(raw, bytes) : (struct slice){0};
}

// Adds the hashes that contribute, each once; returns how many there are then.
static uint32_t add_hashes(const struct grouping_result *result, const char *algorithm, struct issue_hash *hashes,
                           uint32_t count, uint32_t max) {
  for (uint32_t i = 0; i < result->variant_count && count < max; i++) {
    const struct grouping_variant *variant = &result->variants[i];
    struct issue_hash hash = {.algorithm = algorithm, .variant = variant->name};
    if (strcmp(variant->name, GROUPING_OUTLINE) == 0) continue;
    if (!variant->contributes || !slice_from_hex(slice_from_cstr(variant->hash), hash.bytes, ISSUE_HASH_BYTES))
      continue;
    bool known = false;
    for (uint32_t k = 0; k < count && !known; k++) known = memcmp(hashes[k].bytes, hash.bytes, ISSUE_HASH_BYTES) == 0;
    if (!known) hashes[count++] = hash;
  }
  return count;
}

// When grouping had no memory or found nothing, type and value decide.
static uint32_t collect_hashes(const struct grouping_result *result, const char *algorithm,
                               const struct sentry_event *event, struct issue_hash out_hashes[ISSUE_EVENT_HASHES_MAX]) {
  uint32_t count = add_hashes(result, algorithm, out_hashes, 0, ISSUE_EVENT_HASHES_MAX);
  if (count > 0) return count;
  struct hash_md5 md5;
  char hex[33];
  hash_md5_init(&md5);
  if (event->exception_count > 0) {
    hash_md5_update(&md5, event->exceptions[event->exception_count - 1].type);
    hash_md5_update(&md5, event->exceptions[event->exception_count - 1].value);
  }
  hash_md5_update(&md5, event->message);
  hash_md5_finish(&md5, hex);
  out_hashes[0] = (struct issue_hash){.algorithm = "culprit-fallback", .variant = "fallback"};
  bool good = slice_from_hex(slice_make(hex, 32), out_hashes[0].bytes, ISSUE_HASH_BYTES);
  ASSERT(good);
  return 1;
}

static void copy_frames(struct sentry_stacktrace *stack, struct arena *arena) {
  struct sentry_frame *frames = arena_alloc_array(arena, stack->frame_count, sizeof *frames);
  if (frames && stack->frame_count > 0) memcpy(frames, stack->frames, stack->frame_count * sizeof *frames);
  stack->frames = frames;
}

// The event with stacks of its own, since grouping marks them and a past algorithm must see them as they came. Whether
// the arena had room for it is the arena's to say.
static struct sentry_event copy_stacks(const struct sentry_event *event, struct arena *arena) {
  struct sentry_event copy = *event;
  copy.exceptions = arena_alloc_array(arena, event->exception_count, sizeof *copy.exceptions);
  copy.threads = arena_alloc_array(arena, event->thread_count, sizeof *copy.threads);
  if (!copy.exceptions || !copy.threads) return copy;
  for (uint32_t i = 0; i < event->exception_count; i++) {
    copy.exceptions[i] = event->exceptions[i];
    copy_frames(&copy.exceptions[i].stacktrace, arena);
  }
  for (uint32_t i = 0; i < event->thread_count; i++) {
    copy.threads[i] = event->threads[i];
    copy_frames(&copy.threads[i].stacktrace, arena);
  }
  if (event->stacktrace.frames) copy_frames(&copy.stacktrace, arena);
  return copy;
}

// Hashes by the setups that were in force before, latest first.
static uint32_t collect_past(struct inbox_record *reader, const struct sentry_event *as_it_came,
                             const struct inbox_setup *setups, uint32_t setup_count,
                             struct issue_hash out_hashes[ISSUE_PAST_HASHES_MAX]) {
  uint32_t count = 0;
  for (uint32_t i = 1; i < setup_count; i++) {
    struct sentry_event event = copy_stacks(as_it_came, &reader->arena);
    struct grouping_result result = {0};
    if (arena_exhausted(&reader->arena)) break; // the event is taken all the same
    if (grouping_compute(setups[i].config, &event, &reader->arena, &result) != STATUS_OK) break;
    count = add_hashes(&result, setups[i].id, out_hashes, count, ISSUE_PAST_HASHES_MAX);
  }
  return count;
}

// The last bit of an outline says which side it is of: an SDK's event, or one made of text.
static void read_outline(const struct grouping_result *result, struct issue_event *event) {
  const struct grouping_variant *last = result->variant_count > 0 ? &result->variants[result->variant_count - 1] : NULL;
  if (last == NULL || strcmp(last->name, GROUPING_OUTLINE) != 0) return;
  if (!slice_from_hex(slice_from_cstr(last->hash), event->outline, ISSUE_HASH_BYTES)) return;
  uint8_t *side = &event->outline[ISSUE_HASH_BYTES - 1];
  *side = (uint8_t)((*side & 0xfeu) | (event->source == ISSUE_SOURCE_SDK));
  memcpy(event->outline_of_other_side, event->outline, ISSUE_HASH_BYTES);
  event->outline_of_other_side[ISSUE_HASH_BYTES - 1] ^= 1;
  event->has_outline = true;
}

static uint32_t collect_tags(const struct sentry_event *event, struct issue_tag out_tags[TAGS_MAX]) {
  const struct issue_tag own[] = {{SLICE_LITERAL("server_name"), event->server_name},
                                  {SLICE_LITERAL("transaction"), event->transaction},
                                  {SLICE_LITERAL("logger"), event->logger},
                                  {SLICE_LITERAL("user"), event->user_id}};
  uint32_t count = 0;
  for (uint32_t i = 0; i < event->tag_count && count < TAGS_MAX; i++) {
    if (slice_equal_cstr(event->tags[i].key, "request_id")) continue; // another value in every event
    out_tags[count++] = (struct issue_tag){.key = event->tags[i].key, .value = event->tags[i].value};
  }
  for (size_t i = 0; i < sizeof own / sizeof own[0] && count < TAGS_MAX; i++) {
    bool known = own[i].value.len == 0;
    for (uint32_t k = 0; k < count && !known; k++) known = slice_equal(out_tags[k].key, own[i].key);
    if (!known) out_tags[count++] = own[i];
  }
  return count;
}

static void write_texts(struct inbox_record *reader, const struct grouping_result *result, const char *algorithm,
                        const struct sentry_event *event) {
  struct json_writer json;
  buffer_clear(&reader->grouping);
  json_writer_init(&json, &reader->grouping);
  json_begin_object(&json);
  json_key(&json, "algorithm");
  json_write_cstr(&json, algorithm);
  json_key(&json, "variants");
  grouping_write_variants(result, &json);
  json_end_object(&json);
  buffer_clear(&reader->document);
  sentry_event_write(event, &reader->document);
}

static struct slice first_of(struct slice preferred, struct slice otherwise) {
  return preferred.len > 0 ? preferred : otherwise;
}

static void take(struct inbox_record *reader, const struct exception_found *found) {
  if (reader->enough) return;
  struct sentry_event event = found->event;
  uint64_t received_ns = reader->record->received_ns;
  if (event.timestamp_ns == 0) event.timestamp_ns = received_ns;
  event.received_ns = received_ns;
  event.level = first_of(event.level, SLICE_LITERAL("error"));
  event.request_id = first_of(event.request_id, request_id_of_item(reader));
  struct inbox_setup setups[1 + GROUPING_HISTORY_PAST_MAX];
  uint32_t setup_count = inbox_grouping_find(reader->grouping_of, project_of(reader->record), received_ns, setups);
  struct sentry_event as_it_came = setup_count > 1 ? copy_stacks(&event, &reader->arena) : event;
  if (arena_exhausted(&reader->arena)) setup_count = 1;
  struct grouping_result result = {0};
  enum status status = grouping_compute(setups[0].config, &event, &reader->arena, &result);
  if (status != STATUS_OK) result = (struct grouping_result){0};
  event.title = first_of(event.title, result.title);
  event.culprit = first_of(event.culprit, result.culprit);
  struct issue_hash hashes[ISSUE_EVENT_HASHES_MAX], past_hashes[ISSUE_PAST_HASHES_MAX];
  struct issue_tag tags[TAGS_MAX];
  struct issue_event mine = {
      .project = project_of(reader->record),
      .source = found->source == EXCEPTION_SDK          ? ISSUE_SOURCE_SDK
                : found->source == EXCEPTION_SPAN_EVENT ? ISSUE_SOURCE_SPAN
                                                        : ISSUE_SOURCE_LOG,
      .timestamp_ns = event.timestamp_ns,
      .received_ns = received_ns,
      .duplicate_key = found->duplicate_key,
      .trace_id = raw_id(&reader->arena, event.trace_id, 16),
      .span_id = raw_id(&reader->arena, event.span_id, 8),
      .request_id = event.request_id,
      .title = event.title,
      .type = result.type,
      .value = result.value,
      .culprit = event.culprit,
      .level = event.level,
      .platform = event.platform,
      .service = event.service,
      .environment = event.environment,
      .release = event.release,
      .hashes = hashes,
      .hash_count = collect_hashes(&result, setups[0].id, &event, hashes),
      .tags = tags,
      .tag_count = collect_tags(&event, tags),
  };
  if (setup_count > 1 && !inbox_grouping_is_known(reader->grouping_of, mine.project, hashes, mine.hash_count)) {
    mine.past_hashes = past_hashes;
    mine.past_hash_count = collect_past(reader, &as_it_came, setups, setup_count, past_hashes);
  }
  read_outline(&result, &mine);
  name_event(reader, found, &mine);
  slice_to_hex(slice_make(mine.event_id, ISSUE_EVENT_ID_BYTES), event.event_id);
  event.event_id[2 * ISSUE_EVENT_ID_BYTES] = 0;
  write_texts(reader, &result, setups[0].id, &event);
  reader->found_index++;
  if (reader->document.failed || reader->grouping.failed) {
    reader->status = STATUS_TOO_LARGE;
    return;
  }
  mine.document = buffer_slice(&reader->document);
  mine.grouping = buffer_slice(&reader->grouping);
  reader->enough = !reader->options.take(reader->options.context, &mine);
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
  struct slice body;
  enum status status = journal_record_body(record, &reader->body, &body);
  if (status != STATUS_OK) return error_set(error, status, "the record's body cannot be read");
  status = read_body(reader, body, error);
  if (status == STATUS_OK && reader->status != STATUS_OK)
    return error_set(error, reader->status, "an error in the record is too large");
  return status;
}
