// SPDX-License-Identifier: Apache-2.0
//
// The files of a request store: lost, damaged, after a kill, on a full disk, by retention. What is left is found as the
// model says.
#include "tests/unit/store/request_store_fixture.h"

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

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(lost_indexes_are_rebuilt),
      TEST(damaged_indexes_are_rebuilt),
      TEST(a_killed_process_loses_nothing),
      TEST(the_settled_sequence_survives_restarts),
      TEST(retention_takes_index_files_along),
      TEST(the_budget_is_kept_by_retention),
      TEST(recent_keys_are_told),
      TEST(a_full_disk_holds_kept_records_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
