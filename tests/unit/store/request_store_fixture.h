// SPDX-License-Identifier: Apache-2.0
//
// A request store beside a plain model of it: items with a trace and request ids, names widened until nothing changes.
#ifndef TESTS_UNIT_STORE_REQUEST_STORE_FIXTURE_H
#define TESTS_UNIT_STORE_REQUEST_STORE_FIXTURE_H

#include "proto/otlp_scan.h"
#include "store/request_store.h"
#include "store/segment_index.h"
#include "tests/unit/store/journal_fixture.h"

enum { ITEMS_MAX = 4000, TRACES = 120, REQUESTS = 60, NOBODY = -1 };

// One span or log: which trace and request id it has, and the number it is recognised by.
struct item {
  int trace, request;
  bool is_log, waiting, gone;
};

struct world {
  struct fixture kept, intake;
  struct journal *intake_journal;
  struct request_store *store;
  struct clock_fake clock;
  struct item items[ITEMS_MAX];
  uint32_t item_count;
  uint64_t seed;
  uint64_t origin;
  uint32_t segment_keys_max;
};

static inline uint32_t any(struct world *world, uint32_t below) {
  world->seed = world->seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
  return (uint32_t)(world->seed >> 33) % below;
}

static inline void trace_id_of(int trace, uint8_t out[16]) {
  for (int i = 0; i < 16; i++) out[i] = (uint8_t)(trace * 31 + i * 7 + 1);
}
static inline struct slice request_id_of(int request, char out[32]) {
  return slice_make(out, (size_t)snprintf(out, 32, "request-%04d", request));
}

// --- OTLP by hand ----------------------------------------------------------------------------------------------------

static inline void put_varint(struct buffer *out, uint64_t value) {
  for (; value > 127; value >>= 7) buffer_append_byte(out, (uint8_t)(value | 128));
  buffer_append_byte(out, (uint8_t)value);
}
static inline void put_bytes(struct buffer *out, uint32_t field, struct slice bytes) {
  put_varint(out, field << 3 | 2);
  put_varint(out, bytes.len);
  buffer_append_slice(out, bytes);
}

static inline void put_item(struct buffer *scope, const struct item *item, uint32_t number) {
  struct buffer message;
  buffer_init(&message, 4096);
  uint8_t trace_id[16] = {0},
          span_id[8] = {
              1, 2, 3, 4, (uint8_t)(number >> 24), (uint8_t)(number >> 16), (uint8_t)(number >> 8), (uint8_t)number};
  if (item->trace != NOBODY) trace_id_of(item->trace, trace_id);
  if (item->is_log) {
    if (item->trace != NOBODY) put_bytes(&message, 9, slice_make(trace_id, 16));
    put_bytes(&message, 10, slice_make(span_id, 8));
  } else {
    put_bytes(&message, 1, slice_make(trace_id, 16));
    put_bytes(&message, 2, slice_make(span_id, 8));
    put_bytes(&message, 5, SLICE_LITERAL("GET /orders/{id} some span name that repeats and compresses"));
  }
  put_bytes(scope, 2, buffer_slice(&message));
  buffer_finish(&message);
}

// Body and section of `count` items from `first`, all spans or all logs.
static inline void make_record(const struct world *world, uint32_t first, uint32_t count, struct buffer *body,
                               struct buffer *section) {
  struct buffer scope, resource;
  buffer_init(&scope, 1 << 20);
  buffer_init(&resource, 1 << 20);
  struct record_trace traces[64];
  int trace_of[64];
  struct record_item items[64];
  struct record_request requests[64];
  static char texts[64][32];
  uint32_t trace_count = 0, request_count = 0;
  for (uint32_t i = 0; i < count; i++) {
    const struct item *item = &world->items[first + i];
    put_item(&scope, item, first + i);
    items[i] = (struct record_item){.trace = RECORD_NO_TRACE};
    if (item->trace != NOBODY) {
      uint32_t t = 0;
      while (t < trace_count && trace_of[t] != item->trace) t++;
      if (t == trace_count) {
        traces[t] = (struct record_trace){.span_count = (uint32_t)item->trace + 1};
        trace_id_of(item->trace, traces[t].trace_id);
        trace_of[trace_count++] = item->trace;
      }
      items[i].trace = t;
    }
    if (item->request != NOBODY) {
      struct slice id = request_id_of(item->request, texts[request_count]);
      requests[request_count++] =
          (struct record_request){.key = segment_index_request_key(id), .trace = items[i].trace, .item = i, .id = id};
    }
  }
  put_bytes(&resource, 2, buffer_slice(&scope));
  buffer_clear(body);
  put_bytes(body, 1, buffer_slice(&resource));
  buffer_clear(section);
  assert_int_equal(record_facts_encode(1, traces, trace_count, items, count, requests, request_count, section),
                   STATUS_OK);
  buffer_finish(&scope);
  buffer_finish(&resource);
}

// Adds a record of random items; a trace has few request ids, so that names chain but do not all connect.
static inline void add_record(struct world *world, bool waiting) {
  uint32_t first = world->item_count, count = 1 + any(world, 12);
  bool is_log = any(world, 3) == 0;
  assert_true(first + count <= ITEMS_MAX);
  for (uint32_t i = 0; i < count; i++) {
    struct item *item = &world->items[world->item_count++];
    *item = (struct item){.trace = (int)any(world, TRACES), .request = NOBODY, .is_log = is_log, .waiting = waiting};
    if (is_log && any(world, 4) == 0) item->trace = NOBODY;
    if (any(world, 9) == 0)
      item->request =
          item->trace == NOBODY || any(world, 25) == 0 ? (int)any(world, REQUESTS) : item->trace / 2 % REQUESTS;
  }
  struct buffer body, section;
  buffer_init(&body, 1 << 20);
  buffer_init(&section, 1 << 20);
  make_record(world, first, count, &body, &section);
  struct journal_entry entry = {
      .kind = is_log ? JOURNAL_LOGS : JOURNAL_TRACES,
      .item_count = count,
      .received_ns = clock_wall_ns(&world->clock.clock),
      .section = buffer_slice(&section),
      .body = buffer_slice(&body),
  };
  struct error error = {0};
  if (waiting) {
    assert_int_equal(journal_append(world->intake_journal, &entry, NULL, NULL, &error), STATUS_OK);
  } else {
    entry.origin_sequence = world->origin;
    enum status status = request_store_append(world->store, &entry, &error);
    if (status) fail_msg("%s", error.text);
  }
  buffer_finish(&body);
  buffer_finish(&section);
}

// --- the model -------------------------------------------------------------------------------------------------------

static inline void widen(const struct world *world, bool traces[TRACES], bool requests[REQUESTS]) {
  for (bool changed = true; changed;) {
    changed = false;
    for (uint32_t i = 0; i < world->item_count; i++) {
      const struct item *item = &world->items[i];
      if (item->gone || item->trace == NOBODY || item->request == NOBODY) continue;
      if (traces[item->trace] == requests[item->request]) continue;
      traces[item->trace] = requests[item->request] = changed = true;
    }
  }
}

struct found {
  const struct world *world;
  uint8_t seen[ITEMS_MAX];
  uint32_t count;
};

static inline void note_item(void *context, const struct request_store_item *item) {
  struct found *found = context;
  struct slice id = item->kind == JOURNAL_LOGS ? item->item->log.span_id : item->item->span.span_id;
  assert_int_equal(id.len, 8);
  uint32_t number = (uint32_t)id.ptr[4] << 24 | (uint32_t)id.ptr[5] << 16 | (uint32_t)id.ptr[6] << 8 | id.ptr[7];
  assert_true(number < found->world->item_count);
  const struct item *mine = &found->world->items[number];
  assert_int_equal(item->kind == JOURNAL_LOGS, mine->is_log);
  assert_int_equal(item->waiting, mine->waiting);
  assert_int_equal(item->trace != NULL, mine->trace != NOBODY);
  if (item->trace) {
    uint8_t trace_id[16];
    trace_id_of(mine->trace, trace_id);
    assert_memory_equal(item->trace->trace_id, trace_id, 16);
    assert_int_equal(item->trace->span_count, mine->trace + 1);
  }
  assert_int_equal(found->seen[number], 0);
  found->seen[number] = 1;
  found->count++;
}

static inline void check_find(struct world *world, int trace, int request) {
  bool traces[TRACES] = {0}, requests[REQUESTS] = {0};
  char text[64];
  struct slice id;
  if (trace != NOBODY) {
    uint8_t trace_id[16];
    trace_id_of(trace, trace_id);
    slice_to_hex(slice_make(trace_id, 16), text);
    id = slice_make(text, 32);
    traces[trace] = true;
  } else {
    id = request_id_of(request, text);
    requests[request] = true;
  }
  widen(world, traces, requests);
  struct found *found = calloc(1, sizeof(*found));
  found->world = world;
  struct arena arena;
  arena_init(&arena, 1 << 20);
  struct request_store_result result;
  struct error error = {0};
  enum status status = request_store_find(world->store, id, NULL, &arena, note_item, found, &result, &error);
  if (status) fail_msg("%s", error.text);
  assert_false(result.truncated);
  uint32_t expected = 0, expected_traces = 0, expected_requests = 0;
  bool exists[TRACES] = {0}, request_exists[REQUESTS] = {0};
  for (uint32_t i = 0; i < world->item_count; i++) {
    const struct item *item = &world->items[i];
    bool belongs = !item->gone && ((item->trace != NOBODY && traces[item->trace]) ||
                                   (item->trace == NOBODY && item->request != NOBODY && requests[item->request]));
    assert_int_equal(found->seen[i], belongs);
    expected += belongs;
    if (belongs && item->trace != NOBODY) exists[item->trace] = true;
    if (belongs && item->request != NOBODY) request_exists[item->request] = true;
  }
  for (int i = 0; i < TRACES; i++) expected_traces += exists[i];
  for (int i = 0; i < REQUESTS; i++) expected_requests += request_exists[i];
  assert_int_equal(found->count, expected);
  assert_int_equal(result.trace_count, expected_traces);
  assert_int_equal(result.request_id_count, expected_requests);
  for (uint32_t i = 0; i < result.trace_count; i++) {
    bool known = false;
    for (int t = 0; t < TRACES && !known; t++) {
      uint8_t trace_id[16];
      trace_id_of(t, trace_id);
      known = exists[t] && memcmp(trace_id, result.trace_ids[i], 16) == 0;
    }
    assert_true(known);
  }
  arena_finish(&arena);
  free(found);
}

static inline void check_everything(struct world *world) {
  journal_flush(request_store_journal(world->store));
  journal_flush(world->intake_journal);
  for (int trace = 0; trace < TRACES; trace++) check_find(world, trace, NOBODY);
  for (int request = 0; request < REQUESTS; request++) check_find(world, NOBODY, request);
}

// --- opening ---------------------------------------------------------------------------------------------------------

static inline void open_store(struct world *world) {
  struct request_store_options options = {.kept = fixture_options(&world->kept),
                                          .intake = world->intake_journal,
                                          .segment_keys_max = world->segment_keys_max};
  options.kept.clock = &world->clock.clock;
  struct error error = {0};
  if (request_store_open(&options, &world->store, &error) != STATUS_OK) fail_msg("%s", error.text);
}

static inline int setup(void **state) {
  log_set_level(LOG_ERROR);
  struct world *world = calloc(1, sizeof(*world));
  fixture_init(&world->kept);
  fixture_init(&world->intake);
  clock_fake_init(&world->clock, UINT64_C(1700000000000000000));
  world->segment_keys_max = 500;
  world->seed = 42;
  struct journal_options options = fixture_options(&world->intake);
  world->intake_journal = fixture_open(&options);
  open_store(world);
  *state = world;
  return 0;
}

static inline int teardown(void **state) {
  struct world *world = *state;
  request_store_close(world->store);
  journal_close(world->intake_journal);
  fixture_finish(&world->kept);
  fixture_finish(&world->intake);
  free(world);
  return 0;
}

static inline uint32_t count_files(const struct world *world, const char *ending, bool remove_them) {
  char command[400], text[32] = {0};
  snprintf(command, sizeof(command), "ls %s/*%s 2>/dev/null | wc -l", world->kept.directory, ending);
  FILE *pipe = popen(command, "r");
  assert_non_null(pipe);
  assert_non_null(fgets(text, sizeof(text), pipe));
  pclose(pipe);
  if (remove_them) {
    snprintf(command, sizeof(command), "rm -f %s/*%s", world->kept.directory, ending);
    assert_int_equal(system(command), 0);
  }
  return (uint32_t)strtoul(text, NULL, 10);
}

// Keeps items [first, first + count), which are one waiting record, as settle would.
static inline void keep_waiting(struct world *world, uint32_t first, uint32_t count, uint64_t origin) {
  struct buffer body, section;
  buffer_init(&body, 1 << 20);
  buffer_init(&section, 1 << 20);
  make_record(world, first, count, &body, &section);
  struct journal_entry entry = {.kind = world->items[first].is_log ? JOURNAL_LOGS : JOURNAL_TRACES,
                                .item_count = count,
                                .origin_sequence = origin,
                                .section = buffer_slice(&section),
                                .body = buffer_slice(&body)};
  struct error error;
  assert_int_equal(request_store_append(world->store, &entry, &error), STATUS_OK);
  buffer_finish(&body);
  buffer_finish(&section);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

#endif
