// SPDX-License-Identifier: Apache-2.0
//
// The journal over an operating system that fails: every call of every kind, one after the other, once or for good.
// After each: what was acknowledged is there, nothing was answered twice, what was refused did not come back.
#include "tests/unit/store/journal_fixture.h"

#include "base/metrics.h"

enum call {
  CALL_OPEN,
  CALL_PWRITEV,
  CALL_PREAD,
  CALL_DATASYNC,
  CALL_SYNC_DIRECTORY,
  CALL_RESERVE,
  CALL_TRUNCATE,
  CALL_UNLINK,
  CALL_RENAME,
  CALLS
};

// Fails calls number first … last of one kind (from 1), counted while armed.
struct faulty {
  struct journal_io io;
  struct mutex mutex;
  enum call kind;
  uint32_t first, last;
  int error;
  bool tear; // a failing pwritev writes a part of it first
  uint32_t counts[CALLS];
  uint32_t failed;
};

static bool fails(struct faulty *faulty, enum call kind) {
  mutex_lock(&faulty->mutex);
  uint32_t number = ++faulty->counts[kind];
  bool failing = kind == faulty->kind && number >= faulty->first && number <= faulty->last;
  faulty->failed += failing;
  mutex_unlock(&faulty->mutex);
  return failing;
}

static int faulty_open(void *context, const char *path, int flags, int mode) {
  struct faulty *faulty = context;
  if (fails(faulty, CALL_OPEN)) return -faulty->error;
  return journal_io_system()->open(NULL, path, flags, mode);
}
static int faulty_close(void *context, int fd) {
  (void)context;
  return journal_io_system()->close(NULL, fd);
}
static ssize_t faulty_pwritev(void *context, int fd, const struct iovec *iov, int count, off_t offset) {
  struct faulty *faulty = context;
  if (!fails(faulty, CALL_PWRITEV)) return journal_io_system()->pwritev(NULL, fd, iov, count, offset);
  if (faulty->tear) {
    struct iovec part = {iov[0].iov_base, iov[0].iov_len / 2};
    journal_io_system()->pwritev(NULL, fd, &part, 1, offset);
  }
  return -faulty->error;
}
static ssize_t faulty_pread(void *context, int fd, void *out, size_t len, off_t offset) {
  struct faulty *faulty = context;
  if (fails(faulty, CALL_PREAD)) return -faulty->error;
  return journal_io_system()->pread(NULL, fd, out, len, offset);
}
static int faulty_datasync(void *context, int fd) {
  struct faulty *faulty = context;
  return fails(faulty, CALL_DATASYNC) ? -faulty->error : journal_io_system()->datasync(NULL, fd);
}
static int faulty_sync_directory(void *context, const char *path) {
  struct faulty *faulty = context;
  return fails(faulty, CALL_SYNC_DIRECTORY) ? -faulty->error : journal_io_system()->sync_directory(NULL, path);
}
static int faulty_reserve(void *context, int fd, off_t offset, off_t len) {
  struct faulty *faulty = context;
  return fails(faulty, CALL_RESERVE) ? -faulty->error : journal_io_system()->reserve(NULL, fd, offset, len);
}
static int faulty_truncate(void *context, int fd, off_t len) {
  struct faulty *faulty = context;
  return fails(faulty, CALL_TRUNCATE) ? -faulty->error : journal_io_system()->truncate(NULL, fd, len);
}
static int faulty_unlink(void *context, const char *path) {
  struct faulty *faulty = context;
  return fails(faulty, CALL_UNLINK) ? -faulty->error : journal_io_system()->unlink(NULL, path);
}

static int faulty_rename(void *context, const char *from, const char *to) {
  struct faulty *faulty = context;
  return fails(faulty, CALL_RENAME) ? -faulty->error : journal_io_system()->rename(NULL, from, to);
}

static void faulty_init(struct faulty *faulty, enum call kind, uint32_t first, uint32_t last) {
  *faulty = (struct faulty){.kind = kind, .first = first, .last = last, .error = EIO, .tear = first % 2 == 0};
  faulty->io = (struct journal_io){faulty,          faulty_open,     faulty_close,          faulty_pwritev,
                                   faulty_pread,    faulty_datasync, faulty_sync_directory, faulty_reserve,
                                   faulty_truncate, faulty_unlink,   faulty_rename};
  mutex_init(&faulty->mutex);
}

// --- the scenario ----------------------------------------------------------------------------------------------------

enum { RECORDS = 120 };

// Rolls several times, reopens in the middle, deletes all but the newest segment and writes over it. Goes on where a
// call fails. Returns the last sequence that it deleted.
static uint64_t run_scenario(struct fixture *fixture, struct faulty *faulty, enum journal_sync sync) {
  struct clock_fake clock;
  clock_fake_init(&clock, UINT64_C(1700000000000000000));
  struct journal_options options = fixture_options(fixture);
  options.io = &faulty->io;
  options.clock = &clock.clock;
  options.sync = sync;
  options.spare_segments_max = 2;
  uint64_t deleted = 0;
  uint32_t id = 0;
  for (int half = 0; half < 2; half++) {
    struct journal *journal = NULL;
    struct error error;
    for (int attempt = 0; attempt < 3 && !journal; attempt++) journal_open(&options, &journal, &error);
    if (!journal) continue; // for good: then nothing can be accepted either
    for (; id < (uint32_t)(half + 1) * RECORDS / 2; id++) {
      struct journal_segment segments[16];
      uint32_t count = id == RECORDS * 3 / 4 ? journal_segments(journal, segments, 16) : 0;
      if (count > 1) deleted = segments[count - 2].last_sequence;
      if (count > 1) assert_int_equal(journal_delete_before(journal, deleted + 1), count - 1);
      fixture_append(fixture, journal, id);
      if (id % 3 == 0) journal_flush(journal);
      clock_fake_add(&clock, NS_PER_S); // so that a journal that gave up tries again
    }
    journal_flush(journal);
    journal_close(journal);
  }
  return deleted;
}

#define GRIEVE(...)                                                                                                    \
  do {                                                                                                                 \
    printf("# " __VA_ARGS__);                                                                                          \
    printf("\n");                                                                                                      \
    fail();                                                                                                            \
  } while (0)

static void check_outcome(struct fixture *fixture, uint64_t deleted, const char *what) {
  struct journal_options options = fixture_options(fixture);
  struct journal *journal = fixture_open(&options);
  fixture_read_all(fixture, journal, 1);
  uint64_t last = 0;
  for (uint32_t id = 0; id < RECORDS; id++) {
    if (fixture->answers[id] > 1) GRIEVE("%s: record %u answered %u times", what, id, fixture->answers[id]);
    bool ok = fixture->answers[id] == 1 && fixture->ok[id];
    if (ok && fixture->sequence[id] <= last) GRIEVE("%s: record %u has a used sequence", what, id);
    if (ok) last = fixture->sequence[id];
    if (ok && !fixture->seen[id] && fixture->sequence[id] > deleted)
      GRIEVE("%s: record %u was acknowledged and is lost", what, id);
    if (!ok && fixture->seen[id]) GRIEVE("%s: record %u was refused and is there", what, id);
  }
  // And it goes on.
  assert_true(fixture_append_wait(fixture, journal, RECORDS));
  assert_true(fixture->sequence[RECORDS] > last);
  journal_close(journal);
  journal = fixture_open(&options);
  fixture_read_all(fixture, journal, 1);
  assert_int_equal(fixture->seen[RECORDS], 1);
  journal_close(journal);
}

// Runs the scenario with call number n of each kind failing, for every n there is.
static void fail_each(enum journal_sync sync, bool for_good) {
  for (int kind = 0; kind < CALLS; kind++) {
    for (uint32_t n = 1;; n++) {
      struct fixture *fixture = malloc(sizeof(*fixture));
      struct faulty faulty;
      fixture_init_in_memory(fixture);
      faulty_init(&faulty, (enum call)kind, n, for_good ? UINT32_MAX : n);
      uint64_t deleted = run_scenario(fixture, &faulty, sync);
      char what[64];
      snprintf(what, sizeof(what), "kind %d, call %u%s", kind, n, for_good ? " and all after" : "");
      check_outcome(fixture, deleted, what);
      bool done = faulty.failed == 0;
      mutex_finish(&faulty.mutex);
      fixture_finish(fixture);
      free(fixture);
      if (done) break;
    }
  }
}

static void any_one_call_may_fail(void **state) {
  (void)state;
  fail_each(JOURNAL_SYNC_ALWAYS, false);
}
static void any_one_call_may_fail_without_sync(void **state) {
  (void)state;
  fail_each(JOURNAL_SYNC_NEVER, false);
}
static void all_calls_may_fail_from_any_one_on(void **state) {
  (void)state;
  fail_each(JOURNAL_SYNC_ALWAYS, true);
}

// --- disk full -------------------------------------------------------------------------------------------------------

static void a_full_disk_refuses_and_heals(void **state) {
  (void)state;
  struct fixture *fixture = malloc(sizeof(*fixture));
  fixture_init_in_memory(fixture);
  struct faulty faulty;
  faulty_init(&faulty, CALL_RESERVE, 3, UINT32_MAX); // two segments fit
  faulty.error = ENOSPC;
  struct clock_fake clock;
  clock_fake_init(&clock, 1);
  struct journal_options options = fixture_options(fixture);
  options.io = &faulty.io;
  options.clock = &clock.clock;
  options.metrics = metrics_create();
  struct journal *journal = fixture_open(&options);
  uint32_t id = 0;
  while (fixture_append_wait(fixture, journal, id)) id++;
  assert_int_equal(fixture->answers[id], 1); // accepted, then refused
  assert_int_equal(journal_segments(journal, NULL, 0), 2);
  // Refused at once until a second has passed; then one record finds out.
  uint32_t refused = id + 1;
  assert_int_equal(fixture_append(fixture, journal, refused), STATUS_UNAVAILABLE);
  clock_fake_add(&clock, NS_PER_S);
  assert_int_equal(fixture_append(fixture, journal, refused), STATUS_OK);
  journal_flush(journal);
  assert_false(fixture->ok[refused]);
  assert_int_equal(fixture_append(fixture, journal, refused + 1), STATUS_UNAVAILABLE);
  // Reading goes on meanwhile.
  assert_int_equal(fixture_read_all(fixture, journal, 1), id);
  // Space again.
  mutex_lock(&faulty.mutex);
  faulty.first = UINT32_MAX;
  mutex_unlock(&faulty.mutex);
  assert_int_equal(fixture_append(fixture, journal, refused + 1), STATUS_UNAVAILABLE);
  clock_fake_add(&clock, NS_PER_S);
  assert_true(fixture_append_wait(fixture, journal, refused + 1));
  assert_true(fixture_append_wait(fixture, journal, refused + 2)); // no more waiting
  assert_int_equal(fixture_read_all(fixture, journal, 1), id + 2);
  assert_int_equal(fixture->seen[id] + fixture->seen[refused], 0);
  journal_close(journal);
  metrics_destroy(options.metrics);
  mutex_finish(&faulty.mutex);
  fixture_finish(fixture);
  free(fixture);
}

static void a_failed_sync_is_counted_and_never_repeated(void **state) {
  (void)state;
  struct fixture *fixture = malloc(sizeof(*fixture));
  fixture_init_in_memory(fixture);
  struct faulty faulty;
  faulty_init(&faulty, CALL_DATASYNC, 3, 3); // header, first record, second record
  struct journal_options options = fixture_options(fixture);
  options.io = &faulty.io;
  options.metrics = metrics_create();
  struct journal *journal = fixture_open(&options);
  assert_true(fixture_append_wait(fixture, journal, 0));
  assert_true(fixture_append_wait(fixture, journal, 1)); // on a new segment
  struct journal_segment segments[4];
  assert_int_equal(journal_segments(journal, segments, 4), 2);
  assert_true(segments[0].sealed);
  assert_int_equal(segments[0].last_sequence, 1);
  assert_int_equal(fixture->location[1].segment, segments[1].first_sequence);
  // The first one was cut to what was durable.
  char path[256];
  assert_int_equal(fixture_first_file(fixture, path, 1), segments[0].bytes);
  struct metrics_value *errors =
      metrics_series(options.metrics, METRICS_COUNTER, "culprit_journal_sync_errors_total", "journal=\"test\"", "");
  assert_int_equal(metrics_get(errors), 1);
  assert_int_equal(fixture_read_all(fixture, journal, 1), 2);
  journal_close(journal);
  metrics_destroy(options.metrics);
  mutex_finish(&faulty.mutex);
  fixture_finish(fixture);
  free(fixture);
}

static int no_truncate(void *context, int fd, off_t len) {
  (void)context;
  (void)fd;
  (void)len;
  return -EIO;
}

// The cut fails too: then only the next segment's header keeps the failed attempt from counting.
static void a_tail_that_was_not_cut_is_void(void **state) {
  (void)state;
  struct fixture *fixture = malloc(sizeof(*fixture));
  fixture_init_in_memory(fixture);
  struct faulty faulty;
  faulty_init(&faulty, CALL_DATASYNC, 3, 3);
  faulty.io.truncate = no_truncate;
  struct journal_options options = fixture_options(fixture);
  options.io = &faulty.io;
  struct journal *journal = fixture_open(&options);
  assert_true(fixture_append_wait(fixture, journal, 0));
  char path[256];
  uint64_t end = fixture_first_file(fixture, path, 1);
  assert_true(fixture_append_wait(fixture, journal, 1));
  assert_true(fixture_first_file(fixture, path, 1) > end);    // the failed attempt is still there, whole
  assert_int_equal(fixture_read_all(fixture, journal, 1), 2); // checks that no record comes twice
  journal_close(journal);
  journal = fixture_open(&options);
  assert_int_equal(fixture_read_all(fixture, journal, 1), 2);
  struct journal_reader *reader;
  struct journal_record record;
  assert_int_equal(journal_reader_open(journal, 1, &reader), STATUS_OK);
  assert_int_equal(journal_reader_at(reader, (struct journal_location){1, end}, &record), STATUS_CORRUPT);
  journal_reader_close(reader);
  journal_close(journal);
  mutex_finish(&faulty.mutex);
  fixture_finish(fixture);
  free(fixture);
}

static void keep_trying_refuses_nothing(void **state) {
  (void)state;
  struct fixture *fixture = malloc(sizeof(*fixture));
  fixture_init_in_memory(fixture);
  struct faulty faulty;
  faulty_init(&faulty, CALL_PWRITEV, 3, 12); // header, first record, then five rounds of nothing
  struct journal_options options = fixture_options(fixture);
  options.io = &faulty.io;
  options.keep_trying = true;
  struct journal *journal = fixture_open(&options);
  assert_true(fixture_append_wait(fixture, journal, 0));
  for (uint32_t id = 1; id < 20; id++) fixture_append_ok(fixture, journal, id);
  assert_int_equal(journal_flush(journal), STATUS_UNAVAILABLE); // says so instead of waiting
  while (journal_flush(journal) != STATUS_OK) {
  }
  for (uint32_t id = 0; id < 20; id++) {
    assert_int_equal(fixture->answers[id], 1);
    assert_true(fixture->ok[id]);
    if (id > 0) assert_true(fixture->sequence[id] > fixture->sequence[id - 1]);
  }
  assert_int_equal(fixture_read_all(fixture, journal, 1), 20);
  // Closing ends it: what could not be written is refused.
  mutex_lock(&faulty.mutex);
  faulty.first = 1;
  faulty.last = UINT32_MAX;
  mutex_unlock(&faulty.mutex);
  fixture_append_ok(fixture, journal, 20);
  journal_close(journal);
  assert_int_equal(fixture->answers[20], 1);
  assert_false(fixture->ok[20]);
  mutex_finish(&faulty.mutex);
  fixture_finish(fixture);
  free(fixture);
}

// A disk that cannot read one block: the records there are missed, the others are read.
static void an_unreadable_block_is_stepped_over(void **state) {
  (void)state;
  struct fixture *fixture = malloc(sizeof(*fixture));
  fixture_init_in_memory(fixture);
  struct journal_options options = fixture_options(fixture);
  options.segment_bytes_max = 1 << 20;
  struct journal *journal = fixture_open(&options);
  for (uint32_t id = 0; id < 50; id++) fixture_append_ok(fixture, journal, id);
  journal_close(journal);
  struct faulty faulty;
  faulty_init(&faulty, CALL_PREAD, UINT32_MAX, UINT32_MAX);
  options.io = &faulty.io;
  journal = fixture_open(&options);
  faulty.first = faulty.counts[CALL_PREAD] + 1; // the window, then its second block
  faulty.last = faulty.first;
  assert_int_equal(fixture_read_all(fixture, journal, 1), 50); // once is forgiven
  faulty.first = faulty.counts[CALL_PREAD] + 1;
  faulty.last = faulty.first + 1; // for the window, and for its first block
  uint32_t count = fixture_read_all(fixture, journal, 1);
  assert_true(count > 0 && count < 50);
  assert_int_equal(fixture->seen[49], 1);
  journal_close(journal);
  mutex_finish(&faulty.mutex);
  fixture_finish(fixture);
  free(fixture);
}

int main(void) {
  fixture_silence();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(any_one_call_may_fail),
      cmocka_unit_test(any_one_call_may_fail_without_sync),
      cmocka_unit_test(all_calls_may_fail_from_any_one_on),
      cmocka_unit_test(a_full_disk_refuses_and_heals),
      cmocka_unit_test(a_failed_sync_is_counted_and_never_repeated),
      cmocka_unit_test(a_tail_that_was_not_cut_is_void),
      cmocka_unit_test(keep_trying_refuses_nothing),
      cmocka_unit_test(an_unreadable_block_is_stepped_over),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
