// SPDX-License-Identifier: Apache-2.0
//
// Finding is compared with a plain model: items with a trace and request ids, names widened until nothing changes.
#include "tests/unit/store/journal_fixture.h"

#include "proto/otlp_scan.h"
#include "store/request_store.h"
#include "store/segment_index.h"

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

static uint32_t any(struct world *world, uint32_t below) {
  world->seed = world->seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
  return (uint32_t)(world->seed >> 33) % below;
}

static void trace_id_of(int trace, uint8_t out[16]) {
  for (int i = 0; i < 16; i++) out[i] = (uint8_t)(trace * 31 + i * 7 + 1);
}
static struct slice request_id_of(int request, char out[32]) {
  return slice_make(out, (size_t)snprintf(out, 32, "request-%04d", request));
}

// --- OTLP by hand ----------------------------------------------------------------------------------------------------

static void put_varint(struct buffer *out, uint64_t value) {
  for (; value > 127; value >>= 7) buffer_append_byte(out, (uint8_t)(value | 128));
  buffer_append_byte(out, (uint8_t)value);
}
static void put_bytes(struct buffer *out, uint32_t field, struct slice bytes) {
  put_varint(out, field << 3 | 2);
  put_varint(out, bytes.len);
  buffer_append_slice(out, bytes);
}

static void put_item(struct buffer *scope, const struct item *item, uint32_t number) {
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
static void make_record(const struct world *world, uint32_t first, uint32_t count, struct buffer *body,
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
static void add_record(struct world *world, bool waiting) {
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

static void widen(const struct world *world, bool traces[TRACES], bool requests[REQUESTS]) {
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

static void note_item(void *context, const struct request_store_item *item) {
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

static void check_find(struct world *world, int trace, int request) {
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

static void check_everything(struct world *world) {
  journal_flush(request_store_journal(world->store));
  journal_flush(world->intake_journal);
  for (int trace = 0; trace < TRACES; trace++) check_find(world, trace, NOBODY);
  for (int request = 0; request < REQUESTS; request++) check_find(world, NOBODY, request);
}

// --- opening ---------------------------------------------------------------------------------------------------------

static void open_store(struct world *world) {
  struct request_store_options options = {.kept = fixture_options(&world->kept),
                                          .intake = world->intake_journal,
                                          .segment_keys_max = world->segment_keys_max};
  options.kept.clock = &world->clock.clock;
  struct error error = {0};
  if (request_store_open(&options, &world->store, &error) != STATUS_OK) fail_msg("%s", error.text);
}

static int setup(void **state) {
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

static int teardown(void **state) {
  struct world *world = *state;
  request_store_close(world->store);
  journal_close(world->intake_journal);
  fixture_finish(&world->kept);
  fixture_finish(&world->intake);
  free(world);
  return 0;
}

static uint32_t count_files(const struct world *world, const char *ending, bool remove_them) {
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

// --- tests -----------------------------------------------------------------------------------------------------------

static void finding_agrees_with_a_model(void **state) {
  struct world *world = *state;
  for (int i = 0; i < 300; i++) add_record(world, false);
  assert_int_equal(journal_flush(request_store_journal(world->store)), STATUS_OK);
  uint32_t segments = journal_segments(request_store_journal(world->store), NULL, 0);
  assert_true(segments > 3);
  check_everything(world);
  assert_int_equal(count_files(world, ".idx", false), segments - 1);
  request_store_close(world->store);
  assert_int_equal(count_files(world, ".idx", false), segments); // the newest one too
  open_store(world);
  check_everything(world);
}

static void lost_indexes_are_rebuilt(void **state) {
  struct world *world = *state;
  for (int i = 0; i < 150; i++) add_record(world, false);
  // At opening.
  request_store_close(world->store);
  uint32_t files = count_files(world, ".idx", true);
  open_store(world);
  assert_int_equal(count_files(world, ".idx", false), files);
  check_everything(world);
  // While it runs.
  assert_int_equal(count_files(world, ".idx", true), files);
  check_find(world, 1, NOBODY);
  assert_int_equal(count_files(world, ".idx", false), files);
  check_everything(world);
}

static void damaged_indexes_are_rebuilt(void **state) {
  struct world *world = *state;
  for (int i = 0; i < 100; i++) add_record(world, false);
  request_store_close(world->store);
  open_store(world);
  char path[300];
  snprintf(path, sizeof(path), "%s/%016x.idx", world->kept.directory, 1);
  struct stat file;
  assert_int_equal(stat(path, &file), 0);
  for (off_t at = 0; at < file.st_size; at += 41) {
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    uint8_t byte;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
    check_find(world, (int)at % TRACES, NOBODY);
    check_find(world, NOBODY, (int)at % REQUESTS);
    assert_int_equal(segment_index_check(world->kept.directory, 1), STATUS_OK);
  }
}

static void a_killed_process_loses_nothing(void **state) {
  struct world *world = *state;
  for (int i = 0; i < 200; i++) {
    world->origin = (uint64_t)i / 3 + 1;
    add_record(world, false);
  }
  assert_int_equal(journal_flush(request_store_journal(world->store)), STATUS_OK);
  // The directory as a killed process leaves it: the newest segment without an index, and an unfinished one.
  char command[1024];
  struct fixture copy = world->kept;
  snprintf(copy.directory, sizeof(copy.directory), "%s/copy", world->kept.root);
  snprintf(command, sizeof(command), "cp -r %s %s && touch %s/0000000000000001.idx.new %s/0000000000000fff.idx",
           world->kept.directory, copy.directory, copy.directory, copy.directory);
  assert_int_equal(system(command), 0);
  request_store_close(world->store);
  memcpy(world->kept.directory, copy.directory, sizeof(copy.directory));
  open_store(world);
  assert_int_equal(count_files(world, ".idx.new", false), 0);
  assert_int_equal(count_files(world, ".idx", false), count_files(world, ".seg", false));
  assert_int_equal(request_store_settled_sequence(world->store), 199 / 3 + 1);
  check_everything(world);
}

static void the_settled_sequence_survives_restarts(void **state) {
  struct world *world = *state;
  assert_int_equal(request_store_settled_sequence(world->store), 0);
  world->origin = 77;
  add_record(world, false);
  for (int i = 0; i < 2; i++) {
    request_store_close(world->store);
    open_store(world);
    assert_int_equal(request_store_settled_sequence(world->store), 77);
  }
}

static void what_waits_is_found_too(void **state) {
  struct world *world = *state;
  for (int i = 0; i < 60; i++) add_record(world, false);
  for (int i = 0; i < 60; i++) add_record(world, true);
  check_everything(world);
  // Settle comes to a part of it: what it dropped is gone.
  uint64_t settled = 25;
  request_store_set_settled(world->store, settled);
  struct journal_reader *reader;
  assert_int_equal(journal_reader_open(world->intake_journal, 1, &reader), STATUS_OK);
  struct journal_record record;
  uint32_t gone = 0;
  while (journal_reader_next(reader, &record) == STATUS_OK && record.sequence <= settled) gone += record.item_count;
  journal_reader_close(reader);
  for (uint32_t i = 0; i < world->item_count && gone > 0; i++) {
    if (!world->items[i].waiting) continue;
    world->items[i].gone = true;
    gone--;
  }
  check_everything(world);
}

// Keeps items [first, first + count), which are one waiting record, as settle would.
static void keep_waiting(struct world *world, uint32_t first, uint32_t count, uint64_t origin) {
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

static void a_kept_record_that_still_waits_is_reported_once(void **state) {
  struct world *world = *state;
  add_record(world, true); // sequence 1: settle has kept it and not told yet
  keep_waiting(world, 0, world->item_count, 1);
  check_everything(world);
  request_store_set_settled(world->store, 1);
  for (uint32_t i = 0; i < world->item_count; i++) world->items[i].waiting = false;
  check_everything(world);
}

static int reserve_or_full(void *context, int fd, off_t offset, off_t len) {
  const struct atomic_bool_box *full = context;
  return atomic_bool_get(full) ? -ENOSPC : journal_io_system()->reserve(NULL, fd, offset, len);
}

// Settle goes on while the kept journal cannot be written: its records are found where they wait, and not lost.
static void a_full_disk_holds_kept_records_back(void **state) {
  struct world *world = *state;
  request_store_close(world->store);
  struct atomic_bool_box full = {0};
  struct journal_io io = *journal_io_system();
  io.context = &full;
  io.reserve = reserve_or_full;
  struct request_store_options options = {
      .kept = fixture_options(&world->kept), .intake = world->intake_journal, .segment_keys_max = 500};
  options.kept.io = &io;
  struct error error;
  assert_int_equal(request_store_open(&options, &world->store, &error), STATUS_OK);
  atomic_bool_set(&full, true);
  for (uint64_t sequence = 1; sequence <= 8; sequence++) {
    uint32_t first = world->item_count;
    add_record(world, true);
    keep_waiting(world, first, world->item_count - first, sequence);
    request_store_set_settled(world->store, sequence);
  }
  assert_int_equal(journal_flush(request_store_journal(world->store)), STATUS_UNAVAILABLE);
  journal_flush(world->intake_journal);
  for (int trace = 0; trace < TRACES; trace++) check_find(world, trace, NOBODY);
  atomic_bool_set(&full, false);
  while (journal_flush(request_store_journal(world->store)) != STATUS_OK) {
  }
  for (uint32_t i = 0; i < world->item_count; i++) world->items[i].waiting = false;
  check_everything(world);
  request_store_close(world->store);
  open_store(world);
  assert_int_equal(request_store_settled_sequence(world->store), 8);
  check_everything(world);
}

static void limits_cut_and_say_so(void **state) {
  struct world *world = *state;
  for (int i = 0; i < 100; i++) add_record(world, false);
  for (int i = 0; i < 20; i++) add_record(world, true);
  journal_flush(request_store_journal(world->store));
  journal_flush(world->intake_journal);
  char text[33] = {0};
  uint8_t trace_id[16];
  trace_id_of(2, trace_id);
  slice_to_hex(slice_make(trace_id, 16), text);
  const struct request_store_limits limits[] = {
      {.items_max = 3}, {.records_max = 2}, {.records_max = 1, .items_max = 1}, {.intake_bytes_max = 1}};
  for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++) {
    struct found *found = calloc(1, sizeof(*found));
    found->world = world;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct request_store_result result;
    struct error error;
    assert_int_equal(
        request_store_find(world->store, slice_make(text, 32), &limits[i], &arena, note_item, found, &result, &error),
        STATUS_OK);
    if (limits[i].items_max) assert_true(found->count <= limits[i].items_max);
    if (i < 3) assert_true(result.truncated);
    arena_finish(&arena);
    free(found);
  }
  // An arena without room for names.
  struct arena none;
  arena_init(&none, 1);
  struct request_store_result result;
  struct error error;
  struct found *found = calloc(1, sizeof(*found));
  found->world = world;
  assert_int_equal(
      request_store_find(world->store, SLICE_LITERAL("request-0001"), NULL, &none, note_item, found, &result, &error),
      STATUS_OK);
  assert_true(result.truncated);
  arena_finish(&none);
  free(found);
}

static void unknown_ids_find_nothing(void **state) {
  struct world *world = *state;
  for (int i = 0; i < 20; i++) add_record(world, false);
  journal_flush(request_store_journal(world->store));
  char longest[300];
  memset(longest, 'x', sizeof(longest));
  const struct slice ids[] = {{0},
                              SLICE_LITERAL("nobody"),
                              SLICE_LITERAL("00000000000000000000000000000000"),
                              SLICE_LITERAL("0123456789abcdef0123456789abcdef"),
                              slice_make(longest, sizeof(longest))};
  for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
    struct found found = {.world = world};
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct request_store_result result;
    struct error error;
    assert_int_equal(request_store_find(world->store, ids[i], NULL, &arena, note_item, &found, &result, &error),
                     STATUS_OK);
    assert_int_equal(found.count, 0);
    assert_int_equal(result.trace_count, 0);
    assert_int_equal(result.request_id_count, 0);
    assert_false(result.truncated);
    arena_finish(&arena);
  }
}

static void retention_takes_index_files_along(void **state) {
  struct world *world = *state;
  for (int i = 0; i < 120; i++) {
    clock_fake_add(&world->clock, NS_PER_S);
    add_record(world, false);
    journal_flush(request_store_journal(world->store));
  }
  struct journal *kept = request_store_journal(world->store);
  uint32_t segments = journal_segments(kept, NULL, 0);
  assert_true(segments > 3);
  assert_int_equal(request_store_retain(world->store, 3600 * NS_PER_S, UINT64_MAX), 0);
  assert_int_equal(request_store_retain(world->store, 30 * NS_PER_S, 1), 0); // the exporter is slow
  uint32_t deleted = request_store_retain(world->store, 30 * NS_PER_S, UINT64_MAX);
  assert_true(deleted > 0 && deleted < segments);
  assert_int_equal(journal_segments(kept, NULL, 0), segments - deleted);
  assert_int_equal(count_files(world, ".idx", false), segments - deleted - 1);
  uint64_t first = journal_first_sequence(kept);
  struct journal_reader *reader;
  assert_int_equal(journal_reader_open(kept, 1, &reader), STATUS_OK);
  struct journal_record record;
  assert_int_equal(journal_reader_next(reader, &record), STATUS_OK);
  assert_int_equal(record.sequence, first);
  uint32_t left = 0;
  do left += record.item_count;
  while (journal_reader_next(reader, &record) == STATUS_OK);
  journal_reader_close(reader);
  for (uint32_t i = 0; i + left < world->item_count; i++) world->items[i].gone = true;
  check_everything(world);
}

static void the_budget_is_kept_by_retention(void **state) {
  struct world *world = *state;
  request_store_close(world->store);
  struct request_store_options options = {.kept = fixture_options(&world->kept), .segment_keys_max = 500};
  options.kept.bytes_max = 256 << 10;
  struct error error;
  assert_int_equal(request_store_open(&options, &world->store, &error), STATUS_OK);
  for (int i = 0; i < 400; i++) {
    world->item_count = 0;
    add_record(world, false); // would fail the test at the budget
    journal_flush(request_store_journal(world->store));
    request_store_retain(world->store, 3600 * NS_PER_S, UINT64_MAX);
    assert_true(journal_bytes(request_store_journal(world->store)) <= options.kept.bytes_max);
  }
  assert_true(journal_first_sequence(request_store_journal(world->store)) > 1);
}

struct keys {
  uint64_t keys[20000];
  uint32_t count;
};
static void note_key(void *context, uint64_t key) {
  struct keys *keys = context;
  keys->keys[keys->count++] = key;
}

static void recent_keys_are_told(void **state) {
  struct world *world = *state;
  for (int i = 0; i < 150; i++) add_record(world, false);
  journal_flush(request_store_journal(world->store));
  for (int pass = 0; pass < 2; pass++) {
    struct keys *keys = calloc(1, sizeof(*keys));
    request_store_each_recent_key(world->store, 1000, note_key, keys);
    for (uint32_t i = 0; i < world->item_count; i++) {
      uint8_t trace_id[16];
      if (world->items[i].trace == NOBODY) continue;
      trace_id_of(world->items[i].trace, trace_id);
      bool known = false;
      for (uint32_t k = 0; k < keys->count && !known; k++) known = keys->keys[k] == segment_index_trace_key(trace_id);
      assert_true(known);
    }
    uint32_t all = keys->count;
    keys->count = 0;
    request_store_each_recent_key(world->store, 1, note_key, keys);
    assert_true(keys->count > 0 && keys->count < all);
    free(keys);
    request_store_close(world->store);
    open_store(world);
  }
}

struct finder {
  struct world *world;
  struct atomic_bool_box *done;
  uint32_t finds;
};

static void count_item(void *context, const struct request_store_item *item) {
  (void)item;
  ++*(uint32_t *)context;
}

// What was found once is found again, whatever is appended, completed and written meanwhile.
static void find_again_and_again(void *context) {
  struct finder *finder = context;
  uint32_t before[TRACES] = {0};
  bool last = false;
  for (int trace = 0; !last; trace = (trace + 7) % TRACES, finder->finds++) {
    last = atomic_bool_get(finder->done) && finder->finds > 20;
    uint8_t trace_id[16];
    char hex[32];
    trace_id_of(trace, trace_id);
    slice_to_hex(slice_make(trace_id, 16), hex);
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct request_store_result result;
    uint32_t count = 0;
    enum status status =
        request_store_find(finder->world->store, slice_make(hex, 32), NULL, &arena, count_item, &count, &result, NULL);
    assert_int_equal(status, STATUS_OK);
    assert_true(count >= before[trace]);
    before[trace] = count;
    arena_finish(&arena);
  }
}

static void finding_while_appending(void **state) {
  struct world *world = *state;
  struct atomic_bool_box done = {0};
  struct finder finders[2];
  struct thread threads[2] = {0};
  for (int i = 0; i < 2; i++) {
    finders[i] = (struct finder){.world = world, .done = &done};
    assert_int_equal(thread_start(&threads[i], "finder", find_again_and_again, &finders[i]), STATUS_OK);
  }
  for (int i = 0; i < 300; i++) add_record(world, false);
  journal_flush(request_store_journal(world->store));
  atomic_bool_set(&done, true);
  for (int i = 0; i < 2; i++) thread_join(&threads[i]);
  check_everything(world);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(finding_agrees_with_a_model),
      TEST(lost_indexes_are_rebuilt),
      TEST(damaged_indexes_are_rebuilt),
      TEST(a_killed_process_loses_nothing),
      TEST(the_settled_sequence_survives_restarts),
      TEST(what_waits_is_found_too),
      TEST(a_kept_record_that_still_waits_is_reported_once),
      TEST(limits_cut_and_say_so),
      TEST(unknown_ids_find_nothing),
      TEST(retention_takes_index_files_along),
      TEST(the_budget_is_kept_by_retention),
      TEST(recent_keys_are_told),
      TEST(a_full_disk_holds_kept_records_back),
      TEST(finding_while_appending),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
