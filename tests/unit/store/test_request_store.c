// SPDX-License-Identifier: Apache-2.0
//
// Finding requests, compared with a model; test_request_store_files has what becomes of the files.
#include "tests/unit/store/request_store_fixture.h"

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

static void a_kept_record_that_still_waits_is_reported_once(void **state) {
  struct world *world = *state;
  add_record(world, true); // sequence 1: settle has kept it and not told yet
  keep_waiting(world, 0, world->item_count, 1);
  check_everything(world);
  request_store_set_settled(world->store, 1);
  for (uint32_t i = 0; i < world->item_count; i++) world->items[i].waiting = false;
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

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(finding_agrees_with_a_model),
      TEST(what_waits_is_found_too),
      TEST(a_kept_record_that_still_waits_is_reported_once),
      TEST(limits_cut_and_say_so),
      TEST(unknown_ids_find_nothing),
      TEST(finding_while_appending),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
