// SPDX-License-Identifier: Apache-2.0
//
// Many threads at once: appending, following the end, reading by location, deleting, asking. Worth most under
// ThreadSanitizer.
#include "tests/unit/store/journal_fixture.h"

enum { WRITERS = 4, RECORDS_EACH = 300, TOTAL = WRITERS * RECORDS_EACH };

struct shared {
  struct fixture fixture;
  struct journal *journal;
  struct atomic_u64 slowest; // position of the reader that must lose nothing
  struct atomic_bool_box writers_done;
};

struct writer {
  struct shared *shared;
  uint32_t first;
};

static void write_records(void *context) {
  struct writer *writer = context;
  for (uint32_t i = 0; i < RECORDS_EACH; i++) {
    while (fixture_append(&writer->shared->fixture, writer->shared->journal, writer->first + i) != STATUS_OK)
      journal_flush(writer->shared->journal); // too much pending
    if (i % 50 == 0) assert_int_equal(journal_flush(writer->shared->journal), STATUS_OK);
  }
}

struct follower {
  struct shared *shared;
  uint32_t count;
  uint64_t last;
  uint8_t seen[TOTAL];
};

static void follow(void *context) {
  struct follower *follower = context;
  struct journal *journal = follower->shared->journal;
  struct journal_reader *reader;
  assert_int_equal(journal_reader_open(journal, 1, &reader), STATUS_OK);
  struct buffer scratch;
  buffer_init(&scratch, 1 << 20);
  while (follower->count < TOTAL) {
    struct journal_record record;
    enum status status = journal_reader_next(reader, &record);
    if (status == STATUS_END) {
      journal_wait(journal, journal_reader_position(reader) - 1, 3600 * NS_PER_S);
      continue;
    }
    assert_int_equal(status, STATUS_OK);
    assert_int_equal(record.sequence, follower->last + 1);
    follower->last = record.sequence;
    struct slice body;
    assert_int_equal(journal_record_body(&record, &scratch, &body), STATUS_OK);
    uint8_t expected[8192];
    assert_int_equal(body.len, fixture_body(record.project, expected));
    assert_memory_equal(body.ptr, expected, body.len);
    follower->seen[record.project]++;
    follower->count++;
    atomic_u64_set(&follower->shared->slowest, record.sequence);
  }
  journal_reader_close(reader);
  buffer_finish(&scratch);
}

static void delete_and_ask(void *context) {
  struct shared *shared = context;
  while (!atomic_bool_get(&shared->writers_done)) {
    journal_delete_before(shared->journal, atomic_u64_get(&shared->slowest));
    struct journal_segment segments[64];
    uint32_t count = journal_segments(shared->journal, segments, 64);
    for (uint32_t i = 1; i < count && i < 64; i++)
      assert_true(segments[i].first_sequence > segments[i - 1].first_sequence);
    assert_true(journal_synced_sequence(shared->journal) <= journal_durable_sequence(shared->journal));
    assert_true(journal_first_sequence(shared->journal) <= journal_durable_sequence(shared->journal) + 1);
    journal_bytes(shared->journal);
    journal_wake(shared->journal);
  }
}

static void run(enum journal_sync sync) {
  struct shared *shared = calloc(1, sizeof(*shared));
  fixture_init(&shared->fixture);
  struct journal_options options = fixture_options(&shared->fixture);
  options.sync = sync;
  options.sync_interval_ns = NS_PER_MS;
  options.pending_bytes_max = 64 << 10;
  shared->journal = fixture_open(&options);
  struct thread writers[WRITERS] = {0}, follower_thread = {0}, janitor = {0};
  struct writer contexts[WRITERS];
  struct follower *follower = calloc(1, sizeof(*follower));
  follower->shared = shared;
  assert_int_equal(thread_start(&follower_thread, "follower", follow, follower), STATUS_OK);
  assert_int_equal(thread_start(&janitor, "janitor", delete_and_ask, shared), STATUS_OK);
  for (uint32_t i = 0; i < WRITERS; i++) {
    contexts[i] = (struct writer){shared, i * RECORDS_EACH};
    assert_int_equal(thread_start(&writers[i], "writer", write_records, &contexts[i]), STATUS_OK);
  }
  for (uint32_t i = 0; i < WRITERS; i++) thread_join(&writers[i]);
  thread_join(&follower_thread);
  atomic_bool_set(&shared->writers_done, true);
  thread_join(&janitor);
  assert_int_equal(journal_flush(shared->journal), STATUS_OK);
  assert_int_equal(journal_durable_sequence(shared->journal), TOTAL);
  assert_int_equal(journal_synced_sequence(shared->journal), TOTAL);
  for (uint32_t id = 0; id < TOTAL; id++) {
    assert_int_equal(shared->fixture.answers[id], 1);
    assert_true(shared->fixture.ok[id]);
    assert_int_equal(follower->seen[id], 1);
    // One thread's records keep their order.
    if (id % RECORDS_EACH > 0) assert_true(shared->fixture.sequence[id] > shared->fixture.sequence[id - 1]);
  }
  journal_close(shared->journal);
  fixture_finish(&shared->fixture);
  free(follower);
  free(shared);
}

static void all_at_once(void **state) {
  (void)state;
  run(JOURNAL_SYNC_ALWAYS);
}
static void all_at_once_with_an_interval(void **state) {
  (void)state;
  run(JOURNAL_SYNC_INTERVAL);
}

struct waiting {
  struct journal *journal;
  struct atomic_bool_box started;
  uint64_t result;
};
static void wait_long(void *context) {
  struct waiting *waiting = context;
  atomic_bool_set(&waiting->started, true);
  waiting->result = journal_wait(waiting->journal, 5, 3600 * NS_PER_S);
}

static void waking_ends_every_wait(void **state) {
  (void)state;
  struct fixture *fixture = malloc(sizeof(*fixture));
  fixture_init(fixture);
  struct journal_options options = fixture_options(fixture);
  struct waiting waiting[3] = {{0}};
  struct thread threads[3] = {0};
  struct journal *journal = fixture_open(&options);
  for (int i = 0; i < 3; i++) {
    waiting[i].journal = journal;
    assert_int_equal(thread_start(&threads[i], "waiting", wait_long, &waiting[i]), STATUS_OK);
  }
  // The wake may come before a wait begins; records end it for certain.
  for (int i = 0; i < 3; i++)
    while (!atomic_bool_get(&waiting[i].started)) journal_wait(journal, 0, NS_PER_MS);
  journal_wake(journal);
  for (uint32_t id = 0; id < 6; id++) fixture_append_ok(fixture, journal, id);
  for (int i = 0; i < 3; i++) {
    thread_join(&threads[i]);
    assert_true(waiting[i].result <= 6);
  }
  journal_close(journal);
  fixture_finish(fixture);
  free(fixture);
}

int main(void) {
  log_set_level(LOG_ERROR);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_at_once),
      cmocka_unit_test(all_at_once_with_an_interval),
      cmocka_unit_test(waking_ends_every_wait),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
