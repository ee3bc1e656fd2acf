// SPDX-License-Identifier: Apache-2.0
//
// How it works: first the names are gathered, then the items.
//
//   names   Every known name (trace id, request id) is looked up in the index of every kept segment; the sections of
//   the
//           records found say which other names go with it: the request ids seen on a trace, the traces a request id
//           was seen on. New names join the list until it is used up. Then the sections of the waiting intake records
//           are read with all names; if that brought new ones, both are done again, a few rounds at most.
//   items   The settle position is noted; the index gives the records of all names once more, so that nothing kept
//   meanwhile
//           is missed. Of each record the section tells which items belong, and only records that have any are
//           decompressed and scanned. Intake records behind the noted position follow; kept records that came from
//           behind it are passed over, as their items come from there.
//
// Everything is bounded: names by the result's arrays, records by limits, waiting bytes by limits. What a bound cuts
// off is told by `truncated`.
#include <stdlib.h>
#include <string.h>

#include "base/table.h"
#include "store/request_store_internal.h"

enum { ROUNDS_MAX = 4, NAMES_MAX = REQUEST_STORE_TRACES_MAX + REQUEST_STORE_REQUEST_IDS_MAX };
#define BODY_BYTES_MAX ((size_t)1 << 30)

static const struct otlp_limits scan_limits = {
    .depth_max = OTLP_DEPTH_CEILING, // it was accepted under limits that may have been wider than today's
    .items_max = UINT32_MAX,
    .attributes_max = UINT32_MAX,
};

struct name {
  bool is_trace;
  bool found;     // seen in a record; the name that was asked for may not be
  bool looked_up; // in the kept journal
  uint64_t key;
  uint8_t trace_id[16];
  struct slice request_id;
};

struct find {
  struct request_store *store;
  struct request_store_limits limits;
  struct arena *arena;
  void (*each)(void *context, const struct request_store_item *item);
  void *context;

  struct name names[NAMES_MAX];
  uint32_t name_count, trace_count, request_id_count;
  struct table *by_key; // key → index of the name, for both kinds
  bool truncated;

  struct journal_reader *kept, *intake;
  struct journal_segment *segments; // of the kept journal
  uint32_t segment_count;
  uint64_t *offsets; // of one look-up, limits.records_max
  uint32_t reads_left, items_left;

  struct journal_location *locations; // limits.records_max
  uint32_t location_count;

  struct buffer body, marks;
};

// --- names -----------------------------------------------------------------------------------------------------------

static struct name *known(const struct find *find, bool is_trace, uint64_t key, struct slice text) {
  const uint64_t *index = table_find(find->by_key, key);
  struct name *name = index ? (struct name *)&find->names[*index] : NULL;
  if (!name || name->is_trace != is_trace) return NULL;
  struct slice own = is_trace ? slice_make(name->trace_id, sizeof(name->trace_id)) : name->request_id;
  return slice_equal(own, text) ? name : NULL;
}

static struct name *known_trace(const struct find *find, const uint8_t trace_id[16]) {
  return known(find, true, segment_index_trace_key(trace_id), slice_make(trace_id, 16));
}

static struct name *known_request(const struct find *find, const struct record_request *request) {
  return known(find, false, segment_index_request_key(request->id), request->id);
}

static void add_name(struct find *find, bool is_trace, struct slice text, bool found) {
  uint64_t key = is_trace ? segment_index_trace_key(text.ptr) : segment_index_request_key(text);
  struct name *old = known(find, is_trace, key, text);
  if (old) {
    old->found = old->found || found;
    return;
  }
  uint32_t *count = is_trace ? &find->trace_count : &find->request_id_count;
  uint32_t max = is_trace ? REQUEST_STORE_TRACES_MAX : REQUEST_STORE_REQUEST_IDS_MAX;
  struct name name = {.is_trace = is_trace, .found = found, .key = key};
  if (is_trace)
    memcpy(name.trace_id, text.ptr, sizeof(name.trace_id));
  else
    name.request_id = arena_copy(find->arena, text);
  bool is_new = false;
  uint64_t *index = *count < max && (is_trace || name.request_id.ptr) ? table_insert(find->by_key, key, &is_new) : NULL;
  if (!index || !is_new) { // a limit; or two names of one 64-bit key
    find->truncated = true;
    return;
  }
  *index = find->name_count;
  find->names[find->name_count++] = name;
  ++*count;
}

static void start_names(struct find *find, struct slice id) {
  uint8_t trace_id[16];
  static const uint8_t zeros[16];
  if (id.len > 0 && id.len <= RECORD_REQUEST_ID_BYTES_MAX) add_name(find, false, id, false);
  if (id.len == 32 && slice_from_hex(id, trace_id, sizeof(trace_id)) && memcmp(trace_id, zeros, sizeof(zeros)) != 0)
    add_name(find, true, slice_make(trace_id, sizeof(trace_id)), false);
}

// What one section says about the known names.
static void widen_by_section(struct find *find, struct slice section) {
  struct record_facts facts;
  if (record_facts_decode(section, &facts) != STATUS_OK) return;
  for (uint32_t i = 0; i < facts.trace_count; i++) {
    struct record_trace trace;
    record_facts_trace(&facts, i, &trace);
    struct name *name = known_trace(find, trace.trace_id);
    if (name) name->found = true;
  }
  const uint8_t *cursor = facts.requests;
  struct record_request request;
  while (record_facts_next_request(&facts, &cursor, &request)) {
    struct name *by_id = known_request(find, &request);
    if (by_id) by_id->found = true;
    if (request.trace == RECORD_NO_TRACE) continue;
    struct record_trace trace;
    record_facts_trace(&facts, request.trace, &trace);
    bool by_trace = known_trace(find, trace.trace_id) != NULL;
    if (by_trace && !by_id && request.id.len > 0) add_name(find, false, request.id, true);
    if (by_id && !by_trace) add_name(find, true, slice_make(trace.trace_id, 16), true);
  }
}

// Looks a name up in all segments and widens by what is found there, newest first.
static enum status widen_by_name(struct find *find, uint64_t key) {
  for (uint32_t s = find->segment_count; s > 0; s--) {
    const struct journal_segment *segment = &find->segments[s - 1];
    uint32_t found;
    enum status status =
        request_store_look_up(find->store, segment, key, find->offsets, find->limits.records_max, &found);
    if (status != STATUS_OK) return status;
    if (found > find->limits.records_max) {
      found = find->limits.records_max;
      find->truncated = true;
    }
    for (uint32_t i = 0; i < found; i++) {
      if (find->reads_left == 0) {
        find->truncated = true;
        return STATUS_OK;
      }
      find->reads_left--;
      struct journal_location location = {.segment = segment->first_sequence, .offset = find->offsets[i]};
      struct journal_record record;
      if (journal_reader_at(find->kept, location, &record) == STATUS_OK) widen_by_section(find, record.section);
    }
  }
  return STATUS_OK;
}

// Where in the intake to begin: behind `settled`, and not more than intake_bytes_max from the end.
static uint64_t waiting_start(struct find *find, uint64_t settled) {
  uint32_t count;
  struct journal_segment *segments = request_store_segments(find->store->intake, &count);
  uint64_t bytes = 0, start = settled + 1;
  for (uint32_t i = count; i > 0; i--) {
    bytes += segments[i - 1].bytes;
    if (bytes <= find->limits.intake_bytes_max || i == count) continue;
    if (segments[i].first_sequence > start) {
      start = segments[i].first_sequence;
      find->truncated = true;
    }
    break;
  }
  free(segments);
  return start;
}

static void widen_by_waiting(struct find *find) {
  uint64_t end = journal_durable_sequence(find->store->intake);
  journal_reader_seek(find->intake, waiting_start(find, request_store_settled_now(find->store)));
  struct journal_record record;
  while (journal_reader_position(find->intake) <= end && journal_reader_next(find->intake, &record) == STATUS_OK)
    if (record.kind == JOURNAL_TRACES || record.kind == JOURNAL_LOGS) widen_by_section(find, record.section);
}

static enum status gather_names(struct find *find) {
  for (uint32_t round = 0; round < ROUNDS_MAX; round++) {
    for (uint32_t i = 0; i < find->name_count; i++) { // grows meanwhile
      if (find->names[i].looked_up) continue;
      find->names[i].looked_up = true;
      enum status status = widen_by_name(find, find->names[i].key);
      if (status != STATUS_OK) return status;
    }
    if (!find->intake) return STATUS_OK;
    uint32_t before = find->name_count;
    widen_by_waiting(find);
    if (find->name_count == before) return STATUS_OK;
  }
  find->truncated = true;
  return STATUS_OK;
}

// --- items -----------------------------------------------------------------------------------------------------------

// Marks the items of the record that belong to a known name; false when there are none.
static bool mark_items(struct find *find, const struct record_facts *facts) {
  buffer_clear(&find->marks);
  size_t bytes = (size_t)facts->trace_count + facts->item_count;
  uint8_t *traces = buffer_reserve(&find->marks, bytes);
  if (!traces) return false;
  memset(traces, 0, bytes);
  find->marks.len = bytes;
  uint8_t *items = traces + facts->trace_count;
  for (uint32_t i = 0; i < facts->trace_count; i++) {
    struct record_trace trace;
    record_facts_trace(facts, i, &trace);
    traces[i] = known_trace(find, trace.trace_id) != NULL;
  }
  bool any = false;
  const uint8_t *cursor = facts->requests;
  struct record_request request;
  while (record_facts_next_request(facts, &cursor, &request))
    if (request.trace == RECORD_NO_TRACE && known_request(find, &request)) items[request.item] = 1;
  for (uint32_t i = 0; i < facts->item_count; i++) {
    struct record_item item = record_facts_item(facts, i);
    if (item.trace != RECORD_NO_TRACE && traces[item.trace]) items[i] = 1;
    if (items[i]) any = true;
  }
  return any;
}

static void report_items(struct find *find, const struct journal_record *record, bool waiting) {
  struct record_facts facts;
  if (record->kind != JOURNAL_TRACES && record->kind != JOURNAL_LOGS) return;
  if (record_facts_decode(record->section, &facts) != STATUS_OK || !mark_items(find, &facts)) return;
  struct slice body;
  if (journal_record_body(record, &find->body, &body) != STATUS_OK) {
    find->truncated = true;
    return;
  }
  const uint8_t *marks = find->marks.ptr + facts.trace_count;
  struct otlp_scan scan;
  otlp_scan_init(&scan, record->kind == JOURNAL_TRACES ? OTLP_TRACES : OTLP_LOGS, body, &scan_limits);
  struct otlp_item item;
  while (otlp_scan_next(&scan, &item, NULL) == STATUS_OK) {
    if (item.index >= facts.item_count || !marks[item.index]) continue;
    if (find->items_left == 0) {
      find->truncated = true;
      return;
    }
    find->items_left--;
    struct record_trace trace;
    uint32_t index = record_facts_item(&facts, item.index).trace;
    if (index != RECORD_NO_TRACE) record_facts_trace(&facts, index, &trace);
    struct request_store_item out = {.kind = record->kind,
                                     .waiting = waiting,
                                     .received_ns = record->received_ns,
                                     .item = &item,
                                     .trace = index != RECORD_NO_TRACE ? &trace : NULL};
    find->each(find->context, &out);
  }
}

static int compare_locations(const void *left, const void *right) {
  const struct journal_location *a = left, *b = right;
  if (a->segment != b->segment) return a->segment < b->segment ? -1 : 1;
  return (a->offset > b->offset) - (a->offset < b->offset);
}

static void unique_locations(struct find *find) {
  uint32_t count = 0;
  if (find->location_count > 1)
    qsort(find->locations, find->location_count, sizeof(*find->locations), compare_locations);
  for (uint32_t i = 0; i < find->location_count; i++)
    if (count == 0 || compare_locations(&find->locations[count - 1], &find->locations[i]) != 0)
      find->locations[count++] = find->locations[i];
  find->location_count = count;
}

// The records of all names, each once, oldest first.
static enum status gather_locations(struct find *find) {
  for (uint32_t n = 0; n < find->name_count; n++) {
    for (uint32_t s = find->segment_count; s > 0; s--) {
      const struct journal_segment *segment = &find->segments[s - 1];
      uint32_t found;
      enum status status = request_store_look_up(find->store, segment, find->names[n].key, find->offsets,
                                                 find->limits.records_max, &found);
      if (status != STATUS_OK) return status;
      if (found > find->limits.records_max) {
        found = find->limits.records_max;
        find->truncated = true;
      }
      for (uint32_t i = 0; i < found; i++) {
        if (find->location_count == find->limits.records_max) unique_locations(find);
        if (find->location_count == find->limits.records_max) {
          find->truncated = true;
          return STATUS_OK;
        }
        find->locations[find->location_count++] =
            (struct journal_location){.segment = segment->first_sequence, .offset = find->offsets[i]};
      }
    }
  }
  unique_locations(find);
  return STATUS_OK;
}

static enum status report_all(struct find *find) {
  uint64_t settled = request_store_settled_now(find->store);
  uint64_t end = find->intake ? journal_durable_sequence(find->store->intake) : 0;
  // The list of segments again: what was kept up to `settled` may be in a new one.
  free(find->segments);
  find->segments = request_store_segments(find->store->kept, &find->segment_count);
  if (!find->segments) return STATUS_NO_MEMORY;
  enum status status = gather_locations(find);
  if (status != STATUS_OK) return status;
  struct journal_record record;
  for (uint32_t i = 0; i < find->location_count; i++) {
    if (journal_reader_at(find->kept, find->locations[i], &record) != STATUS_OK) continue; // deleted, or damaged
    if (!find->intake || record.origin_sequence <= settled) report_items(find, &record, false);
  }
  if (!find->intake) return STATUS_OK;
  journal_reader_seek(find->intake, waiting_start(find, settled));
  while (journal_reader_position(find->intake) <= end && journal_reader_next(find->intake, &record) == STATUS_OK)
    if (record.sequence <= end) report_items(find, &record, true);
  return STATUS_OK;
}

// --- the whole -------------------------------------------------------------------------------------------------------

static enum status find_init(struct find *find, const struct request_store_limits *limits) {
  struct request_store_limits chosen = limits ? *limits : (struct request_store_limits){0};
  if (chosen.records_max == 0) chosen.records_max = 2000;
  if (chosen.items_max == 0) chosen.items_max = 20000;
  if (chosen.intake_bytes_max == 0) chosen.intake_bytes_max = UINT64_C(256) << 20;
  find->limits = chosen;
  find->reads_left = chosen.records_max > UINT32_MAX / 4 ? UINT32_MAX : chosen.records_max * 4;
  find->items_left = chosen.items_max;
  buffer_init(&find->body, BODY_BYTES_MAX);
  buffer_init(&find->marks, BODY_BYTES_MAX);
  find->by_key = table_create(sizeof(uint64_t), NAMES_MAX);
  find->offsets = malloc(chosen.records_max * sizeof(*find->offsets));
  find->locations = malloc(chosen.records_max * sizeof(*find->locations));
  find->segments = request_store_segments(find->store->kept, &find->segment_count);
  if (!find->by_key || !find->offsets || !find->locations || !find->segments) return STATUS_NO_MEMORY;
  enum status status = journal_reader_open(find->store->kept, 1, &find->kept);
  if (status == STATUS_OK && find->store->intake) status = journal_reader_open(find->store->intake, 1, &find->intake);
  return status;
}

static void find_finish(struct find *find) {
  journal_reader_close(find->kept);
  journal_reader_close(find->intake);
  table_destroy(find->by_key);
  free(find->offsets);
  free(find->locations);
  free(find->segments);
  buffer_finish(&find->body);
  buffer_finish(&find->marks);
}

static void fill_result(const struct find *find, struct request_store_result *out_result) {
  memset(out_result, 0, sizeof(*out_result));
  out_result->truncated = find->truncated;
  for (uint32_t i = 0; i < find->name_count; i++) {
    const struct name *name = &find->names[i];
    if (!name->found) continue;
    if (name->is_trace)
      memcpy(out_result->trace_ids[out_result->trace_count++], name->trace_id, 16);
    else
      out_result->request_ids[out_result->request_id_count++] = name->request_id;
  }
}

enum status request_store_find(struct request_store *store, struct slice id, const struct request_store_limits *limits,
                               struct arena *arena, void (*each)(void *context, const struct request_store_item *item),
                               void *context, struct request_store_result *out_result, struct error *error) {
  struct find *find = calloc(1, sizeof(*find));
  if (!find) return error_set(error, STATUS_NO_MEMORY, "out of memory");
  *find = (struct find){.store = store, .arena = arena, .each = each, .context = context};
  enum status status = find_init(find, limits);
  if (status == STATUS_OK) start_names(find, id);
  if (status == STATUS_OK) status = gather_names(find);
  if (status == STATUS_OK) status = report_all(find);
  if (status == STATUS_OK)
    fill_result(find, out_result);
  else
    error_set(error, status, "the kept journal cannot be searched: %s", status_name(status));
  find_finish(find);
  free(find);
  return status;
}
