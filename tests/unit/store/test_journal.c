// SPDX-License-Identifier: Apache-2.0
//
// The journal in good order: append, read, roll, retention, budget, modes, waiting. Faults: test_journal_faults; power
// cuts: test_journal_crash; damage: test_journal_damage; many threads: test_journal_threads.
#include "tests/unit/store/journal_fixture.h"

#include "base/hash.h"
#include "base/metrics.h"

static int setup(void **state) {
  log_set_level(LOG_ERROR);
  struct fixture *fixture = malloc(sizeof(*fixture));
  fixture_init(fixture);
  *state = fixture;
  return 0;
}

static int teardown(void **state) {
  fixture_finish(*state);
  free(*state);
  return 0;
}

static void what_is_appended_is_read(void **state) {
  struct fixture *fixture = *state;
  struct journal_options options = fixture_options(fixture);
  struct journal *journal = fixture_open(&options);
  assert_int_equal(journal_first_sequence(journal), 1);
  assert_int_equal(journal_durable_sequence(journal), 0);
  assert_int_equal(fixture_read_all(fixture, journal, 1), 0);
  for (uint32_t id = 0; id < 100; id++) fixture_append_ok(fixture, journal, id);
  assert_int_equal(journal_flush(journal), STATUS_OK);
  assert_int_equal(journal_durable_sequence(journal), 100);
  assert_int_equal(journal_synced_sequence(journal), 100);
  assert_int_equal(fixture_read_all(fixture, journal, 1), 100);
  for (uint32_t id = 0; id < 100; id++) {
    assert_int_equal(fixture->answers[id], 1);
    assert_true(fixture->ok[id]);
    assert_int_equal(fixture->sequence[id], id + 1);
  }
  assert_int_equal(fixture_read_all(fixture, journal, 51), 50);
  assert_int_equal(fixture_read_all(fixture, journal, 100), 1);
  assert_int_equal(fixture_read_all(fixture, journal, 101), 0);
  journal_close(journal);

  journal = fixture_open(&options);
  assert_int_equal(journal_durable_sequence(journal), 100);
  assert_int_equal(fixture_read_all(fixture, journal, 1), 100);
  assert_true(fixture_append_wait(fixture, journal, 100));
  assert_int_equal(fixture->sequence[100], 101);
  assert_int_equal(fixture_read_all(fixture, journal, 1), 101);
  journal_close(journal);
}

static void records_are_read_by_location(void **state) {
  struct fixture *fixture = *state;
  struct journal_options options = fixture_options(fixture);
  struct journal *journal = fixture_open(&options);
  for (uint32_t id = 0; id < 60; id++) fixture_append_ok(fixture, journal, id);
  journal_flush(journal);
  assert_true(journal_segments(journal, NULL, 0) > 1);
  struct journal_reader *reader;
  assert_int_equal(journal_reader_open(journal, 1, &reader), STATUS_OK);
  struct journal_record record;
  for (uint32_t i = 0; i < 60; i++) {
    // The walk keeps its place.
    assert_int_equal(journal_reader_next(reader, &record), STATUS_OK);
    assert_int_equal(record.sequence, i + 1);
    assert_int_equal(record.location.segment, fixture->location[i].segment);
    assert_int_equal(record.location.offset, fixture->location[i].offset);
    uint32_t id = (i * 37) % 60;
    assert_int_equal(fixture->location[id].offset % 8, 0);
    assert_int_equal(journal_reader_at(reader, fixture->location[id], &record), STATUS_OK);
    assert_int_equal(fixture_check(fixture, &record), id);
    assert_int_equal(record.sequence, id + 1);
  }
  struct journal_location location = fixture->location[3];
  location.offset += 8;
  assert_int_equal(journal_reader_at(reader, location, &record), STATUS_CORRUPT);
  location.offset += 1;
  assert_int_equal(journal_reader_at(reader, location, &record), STATUS_CORRUPT);
  location.offset = UINT64_C(1) << 40;
  assert_int_equal(journal_reader_at(reader, location, &record), STATUS_CORRUPT);
  location.segment = 12345678;
  assert_int_equal(journal_reader_at(reader, location, &record), STATUS_NOT_FOUND);
  journal_reader_close(reader);
  journal_close(journal);
}

static void bodies_are_compressed_where_it_pays(void **state) {
  struct fixture *fixture = *state;
  struct journal_options options = fixture_options(fixture);
  options.segment_bytes_max = 1 << 20;
  struct journal *journal = fixture_open(&options);
  uint8_t zeros[20000] = {0};
  struct journal_entry entry = {.kind = JOURNAL_LOGS, .body = slice_make(zeros, sizeof(zeros))};
  assert_int_equal(journal_append(journal, &entry, NULL, NULL, NULL), STATUS_OK);
  fixture_append_ok(fixture, journal, 3 * 7 * 9); // noise
  entry.body = (struct slice){0};
  assert_int_equal(journal_append(journal, &entry, NULL, NULL, NULL), STATUS_OK);
  journal_flush(journal);
  struct journal_reader *reader;
  assert_int_equal(journal_reader_open(journal, 0, &reader), STATUS_OK);
  struct journal_record record;
  assert_int_equal(journal_reader_next(reader, &record), STATUS_OK);
  assert_true(record.body_compressed);
  assert_true(record.body_stored.len < 200);
  assert_int_equal(record.body_raw_bytes, sizeof(zeros));
  assert_int_equal(record.kind, JOURNAL_LOGS);
  struct slice body;
  struct buffer small;
  buffer_init(&small, 1000);
  assert_int_equal(journal_record_body(&record, &small, &body), STATUS_TOO_LARGE);
  buffer_finish(&small);
  assert_int_equal(journal_record_body(&record, &fixture->scratch, &body), STATUS_OK);
  assert_int_equal(body.len, sizeof(zeros));
  assert_memory_equal(body.ptr, zeros, sizeof(zeros));

  // The stored form goes to another place without being compressed again.
  struct journal_entry again = {.kind = JOURNAL_LOGS,
                                .body = record.body_stored,
                                .body_is_stored_form = true,
                                .body_raw_bytes = record.body_raw_bytes};
  assert_int_equal(journal_append(journal, &again, NULL, NULL, NULL), STATUS_OK);
  journal_flush(journal);
  assert_int_equal(journal_reader_next(reader, &record), STATUS_OK);
  assert_false(record.body_compressed);
  assert_int_equal(journal_reader_next(reader, &record), STATUS_OK);
  assert_int_equal(record.body_stored.len, 0);
  assert_int_equal(journal_record_body(&record, &fixture->scratch, &body), STATUS_OK);
  assert_int_equal(body.len, 0);
  assert_int_equal(journal_reader_next(reader, &record), STATUS_OK);
  assert_true(record.body_compressed);
  assert_int_equal(journal_record_body(&record, &fixture->scratch, &body), STATUS_OK);
  assert_memory_equal(body.ptr, zeros, sizeof(zeros));
  journal_reader_close(reader);
  journal_close(journal);
}

struct sealed {
  uint32_t count;
  uint64_t first[64];
};
static void note_sealed(void *context, uint64_t first_sequence) {
  struct sealed *sealed = context;
  sealed->first[sealed->count++] = first_sequence;
}

static void segments_roll_by_bytes_and_keys(void **state) {
  struct fixture *fixture = *state;
  struct sealed sealed = {0};
  struct journal_options options = fixture_options(fixture);
  options.on_sealed = note_sealed;
  options.sealed_context = &sealed;
  options.segment_bytes_max = 1 << 20;
  options.segment_keys_max = 35; // every record has 10
  struct journal *journal = fixture_open(&options);
  for (uint32_t id = 0; id < 10; id++) assert_true(fixture_append_wait(fixture, journal, id));
  struct journal_segment segments[16];
  assert_int_equal(journal_segments(journal, segments, 16), 4);
  for (uint32_t i = 0; i < 4; i++) {
    assert_int_equal(segments[i].first_sequence, 1 + 3 * i);
    assert_int_equal(segments[i].last_sequence, i < 3 ? 3 + 3 * i : 10);
    assert_int_equal(segments[i].sealed, i < 3);
    assert_int_equal(segments[i].first_received_ns, UINT64_C(1700000000000000000) + 3 * i);
  }
  // A record larger than a segment has one of its own.
  uint8_t *large = malloc(3 << 20);
  for (size_t i = 0; i < 3 << 20; i++) large[i] = (uint8_t)(i * i >> 7 ^ i * 2654435761u >> 13);
  struct journal_entry entry = {.kind = JOURNAL_TRACES, .body = slice_make(large, 3 << 20)};
  assert_int_equal(journal_append(journal, &entry, NULL, NULL, NULL), STATUS_OK);
  fixture_append_ok(fixture, journal, 10);
  journal_flush(journal);
  assert_int_equal(journal_segments(journal, segments, 16), 6);
  assert_int_equal(segments[4].first_sequence, 11);
  assert_int_equal(segments[4].last_sequence, 11);
  struct journal_reader *reader;
  assert_int_equal(journal_reader_open(journal, 11, &reader), STATUS_OK);
  struct journal_record record;
  struct slice body;
  assert_int_equal(journal_reader_next(reader, &record), STATUS_OK);
  assert_int_equal(journal_record_body(&record, &fixture->scratch, &body), STATUS_OK);
  assert_int_equal(body.len, 3 << 20);
  assert_memory_equal(body.ptr, large, 3 << 20);
  assert_int_equal(journal_reader_next(reader, &record), STATUS_OK);
  assert_int_equal(fixture_check(fixture, &record), 10);
  journal_reader_close(reader);
  free(large);
  assert_int_equal(sealed.count, 5);
  journal_close(journal);
  assert_int_equal(sealed.count, 6);
  for (uint32_t i = 0; i < 6; i++) assert_int_equal(sealed.first[i], segments[i].first_sequence);
}

static void old_segments_are_deleted(void **state) {
  struct fixture *fixture = *state;
  struct journal_options options = fixture_options(fixture);
  struct journal *journal = fixture_open(&options);
  for (uint32_t id = 0; id < 200; id++) fixture_append_ok(fixture, journal, id);
  journal_flush(journal);
  struct journal_segment segments[64];
  uint32_t count = journal_segments(journal, segments, 64);
  assert_true(count > 4);
  assert_int_equal(journal_delete_before(journal, segments[0].last_sequence), 0);
  assert_int_equal(journal_delete_before(journal, segments[0].last_sequence + 1), 1);
  assert_int_equal(journal_first_sequence(journal), segments[1].first_sequence);
  char path[256];
  assert_int_equal(fixture_first_file(fixture, path, segments[0].first_sequence), 0);
  // By age, and never beyond the cursor.
  uint64_t wall = segments[2].last_received_ns + 1;
  assert_int_equal(journal_delete_older(journal, wall, segments[1].last_sequence + 1), 1);
  assert_int_equal(journal_delete_older(journal, wall, UINT64_MAX), 1);
  assert_int_equal(journal_delete_older(journal, wall, UINT64_MAX), 0);
  assert_int_equal(fixture_read_all(fixture, journal, 1), 200 - segments[2].last_sequence);
  // Never the newest: it knows the sequence.
  assert_int_equal(journal_delete_before(journal, UINT64_MAX), count - 4);
  assert_int_equal(journal_segments(journal, segments, 64), 1);
  journal_close(journal);
  journal = fixture_open(&options);
  assert_int_equal(journal_durable_sequence(journal), 200);
  assert_true(fixture_append_wait(fixture, journal, 200));
  assert_int_equal(fixture->sequence[200], 201);
  journal_close(journal);
}

static void a_reader_survives_rolls_and_deletion(void **state) {
  struct fixture *fixture = *state;
  struct journal_options options = fixture_options(fixture);
  struct journal *journal = fixture_open(&options);
  struct journal_reader *reader, *behind;
  assert_int_equal(journal_reader_open(journal, 1, &reader), STATUS_OK);
  assert_int_equal(journal_reader_open(journal, 1, &behind), STATUS_OK);
  struct journal_record record;
  assert_int_equal(journal_reader_next(reader, &record), STATUS_END);
  for (uint32_t id = 0; id < 300; id++) {
    assert_true(fixture_append_wait(fixture, journal, id));
    if (id == 0) assert_int_equal(journal_reader_next(behind, &record), STATUS_OK);
    assert_int_equal(journal_reader_next(reader, &record), STATUS_OK);
    assert_int_equal(fixture_check(fixture, &record), id);
    assert_int_equal(journal_reader_next(reader, &record), STATUS_END);
    journal_delete_before(journal, record.sequence);
  }
  // The one that stood in a deleted segment reads what it had open, then goes on with the oldest there is.
  uint64_t last = 1;
  while (journal_reader_next(behind, &record) == STATUS_OK) {
    assert_true(record.sequence > last);
    last = record.sequence;
  }
  assert_int_equal(last, 300);
  journal_reader_seek(behind, 299);
  assert_int_equal(journal_reader_next(behind, &record), STATUS_OK);
  assert_int_equal(record.sequence, 299);
  journal_reader_seek(behind, 300);
  assert_int_equal(journal_reader_next(behind, &record), STATUS_OK);
  assert_int_equal(record.sequence, 300);
  journal_reader_close(reader);
  journal_reader_close(behind);
  journal_close(journal);
}

static void the_budget_refuses_and_deleting_makes_room(void **state) {
  struct fixture *fixture = *state;
  struct journal_options options = fixture_options(fixture);
  options.bytes_max = 128 << 10;
  options.segment_bytes_max = 1 << 20; // larger than the budget: taken down to a quarter
  struct journal *journal = fixture_open(&options);
  uint32_t id = 0;
  while (fixture_append_wait(fixture, journal, id)) {
    assert_true(journal_bytes(journal) <= options.bytes_max);
    id++;
    assert_true(id < FIXTURE_IDS_MAX);
  }
  assert_int_equal(fixture->answers[id], 0); // refused at once
  assert_true(journal_segments(journal, NULL, 0) >= 4);
  assert_int_equal(fixture_read_all(fixture, journal, 1), id);
  assert_true(journal_delete_before(journal, UINT64_MAX) > 0);
  assert_true(fixture_append_wait(fixture, journal, id));
  // What is on disk counts after a restart too.
  uint64_t bytes = journal_bytes(journal);
  journal_close(journal);
  journal = fixture_open(&options);
  assert_int_equal(journal_bytes(journal), bytes);
  journal_close(journal);
}

static void a_second_process_is_refused(void **state) {
  struct fixture *fixture = *state;
  struct journal_options options = fixture_options(fixture);
  struct journal *journal = fixture_open(&options), *second = NULL;
  struct error error;
  assert_int_equal(journal_open(&options, &second, &error), STATUS_CONFLICT);
  assert_non_null(strstr(error.text, "another process"));
  journal_close(journal);
  journal = fixture_open(&options);
  journal_close(journal);
}

static void sequences_start_where_the_cursors_are(void **state) {
  struct fixture *fixture = *state;
  struct journal_options options = fixture_options(fixture);
  options.sequence_min = 500;
  struct journal *journal = fixture_open(&options);
  assert_true(fixture_append_wait(fixture, journal, 0));
  assert_int_equal(fixture->sequence[0], 500);
  journal_close(journal);
  options.sequence_min = 3;
  journal = fixture_open(&options);
  assert_true(fixture_append_wait(fixture, journal, 1));
  assert_int_equal(fixture->sequence[1], 501);
  assert_int_equal(fixture_read_all(fixture, journal, 1), 2);
  journal_close(journal);
}

struct counting_io {
  struct journal_io io;
  struct mutex mutex;
  struct condition changed;
  uint32_t syncs;
};
static int counting_datasync(void *context, int fd) {
  struct counting_io *counting = context;
  int result = journal_io_system()->datasync(NULL, fd);
  mutex_lock(&counting->mutex);
  counting->syncs++;
  condition_broadcast(&counting->changed);
  mutex_unlock(&counting->mutex);
  return result;
}
static void counting_init(struct counting_io *counting) {
  *counting = (struct counting_io){.io = *journal_io_system()};
  counting->io.context = counting;
  counting->io.datasync = counting_datasync;
  mutex_init(&counting->mutex);
  condition_init(&counting->changed);
}

static void the_sync_mode_decides_when(void **state) {
  struct fixture *fixture = *state;
  struct counting_io counting;
  counting_init(&counting);
  struct journal_options options = fixture_options(fixture);
  options.io = &counting.io;
  options.sync = JOURNAL_SYNC_NEVER;
  struct journal *journal = fixture_open(&options);
  fixture_append_ok(fixture, journal, 0);
  assert_int_equal(journal_wait(journal, 0, 60 * NS_PER_S), 1);
  assert_int_equal(counting.syncs, 1); // the header's
  assert_int_equal(journal_synced_sequence(journal), 0);
  assert_int_equal(fixture_read_all(fixture, journal, 1), 1);
  assert_int_equal(journal_flush(journal), STATUS_OK);
  assert_int_equal(counting.syncs, 2);
  assert_int_equal(journal_synced_sequence(journal), 1);
  assert_int_equal(journal_flush(journal), STATUS_OK);
  assert_int_equal(counting.syncs, 2);
  fixture_append_ok(fixture, journal, 1);
  journal_close(journal);
  assert_int_equal(counting.syncs, 3);
  assert_int_equal(fixture->answers[1], 1);

  // interval: answered at once, synced by the clock.
  struct clock_fake clock;
  clock_fake_init(&clock, UINT64_C(1700000000000000000));
  options.clock = &clock.clock;
  options.sync = JOURNAL_SYNC_INTERVAL;
  options.sync_interval_ns = NS_PER_MS;
  journal = fixture_open(&options);
  fixture_append_ok(fixture, journal, 2);
  assert_int_equal(journal_wait(journal, 2, 60 * NS_PER_S), 3);
  assert_int_equal(counting.syncs, 4); // the header's
  assert_int_equal(journal_synced_sequence(journal), 2);
  clock_fake_add(&clock, NS_PER_MS);
  mutex_lock(&counting.mutex);
  while (counting.syncs < 5) condition_wait(&counting.changed, &counting.mutex);
  mutex_unlock(&counting.mutex);
  journal_close(journal);
  assert_int_equal(counting.syncs, 5);
  condition_finish(&counting.changed);
  mutex_finish(&counting.mutex);
}

static void append_noise(struct journal *journal, size_t len) {
  uint8_t *noise = malloc(len);
  assert_non_null(noise);
  random_bytes(noise, len);
  struct journal_entry entry = {.kind = JOURNAL_LOGS, .received_ns = 1, .body = slice_make(noise, len)};
  assert_int_equal(journal_append(journal, &entry, NULL, NULL, NULL), STATUS_OK);
  free(noise);
}

static void a_commit_waits_for_what_is_expected(void **state) {
  struct fixture *fixture = *state;
  struct counting_io counting;
  counting_init(&counting);
  struct journal_options options = fixture_options(fixture);
  options.io = &counting.io;
  options.expected_wait_ns = 3600 * NS_PER_S;
  struct journal *journal = fixture_open(&options);
  // Nothing is expected: at once.
  fixture_append_ok(fixture, journal, 0);
  assert_int_equal(journal_wait(journal, 0, 60 * NS_PER_S), 1);
  const uint32_t syncs = counting.syncs;
  // Of three, one is appended, one comes to nothing, and one is refused: only then there is a commit, of all.
  for (int i = 0; i < 3; i++) journal_expect(journal);
  struct journal_entry entry = {
      .kind = JOURNAL_LOGS, .received_ns = 1, .body = SLICE_LITERAL("expected"), .expected = true};
  assert_int_equal(journal_append(journal, &entry, NULL, NULL, NULL), STATUS_OK);
  fixture_append_ok(fixture, journal, 1);
  journal_expect_end(journal);
  assert_int_equal(journal_durable_sequence(journal), 1);
  entry.body.len = JOURNAL_RECORD_BYTES_MAX + 1;
  assert_int_equal(journal_append(journal, &entry, NULL, NULL, NULL), STATUS_TOO_LARGE);
  assert_int_equal(journal_wait(journal, 2, 60 * NS_PER_S), 3);
  assert_int_equal(counting.syncs, syncs + 1);
  // Closing waits for nothing.
  journal_expect(journal);
  fixture_append_ok(fixture, journal, 2);
  journal_close(journal);
  for (uint32_t id = 0; id < 3; id++) assert_true(fixture->answers[id] == 1 && fixture->ok[id]);
  condition_finish(&counting.changed);
  mutex_finish(&counting.mutex);
}

static void a_commit_may_wait_for_more(void **state) {
  struct fixture *fixture = *state;
  struct counting_io counting;
  counting_init(&counting);
  struct journal_options options = fixture_options(fixture);
  options.io = &counting.io;
  options.segment_bytes_max = 4 << 20;
  options.gather_ns = 3600 * NS_PER_S;
  struct journal *journal = fixture_open(&options);
  for (uint32_t id = 0; id < 3; id++) fixture_append_ok(fixture, journal, id);
  assert_int_equal(journal_durable_sequence(journal), 0);
  // A flush does not wait, and all of it was one group.
  assert_int_equal(journal_flush(journal), STATUS_OK);
  assert_int_equal(journal_durable_sequence(journal), 3);
  assert_int_equal(counting.syncs, 2); // the header's and the group's
  // Neither does a queue that is large enough.
  append_noise(journal, 400 << 10);
  assert_int_equal(journal_durable_sequence(journal), 3);
  append_noise(journal, 400 << 10);
  assert_int_equal(journal_wait(journal, 3, 60 * NS_PER_S), 5);
  assert_int_equal(counting.syncs, 3);
  // Nor closing.
  fixture_append_ok(fixture, journal, 3);
  journal_close(journal);
  for (uint32_t id = 0; id < 4; id++) assert_true(fixture->answers[id] == 1 && fixture->ok[id]);
  assert_int_equal(counting.syncs, 4);
  condition_finish(&counting.changed);
  mutex_finish(&counting.mutex);
}

struct context {
  struct fixture *fixture;
  uint32_t id;
  char rest[50];
};
#define CONTEXT_BYTES (offsetof(struct context, rest) + sizeof("still here")) // an odd size

static void note_context(void *argument, enum status status, uint64_t sequence, struct journal_location location) {
  (void)location;
  const struct context *context = argument;
  struct fixture *fixture = context->fixture;
  mutex_lock(&fixture->mutex);
  fixture->answers[context->id]++;
  fixture->ok[context->id] = status == STATUS_OK && strcmp(context->rest, "still here") == 0;
  fixture->sequence[context->id] = sequence;
  mutex_unlock(&fixture->mutex);
}

// More records than there are blocks for, small ones and large ones between each other, several times.
static void a_context_travels_with_its_record(void **state) {
  enum { ROUNDS = 3, RECORDS = 300 };
  struct fixture *fixture = *state;
  struct journal_options options = fixture_options(fixture);
  options.segment_bytes_max = 4 << 20;
  options.gather_ns = 3600 * NS_PER_S;
  struct journal *journal = fixture_open(&options);
  for (uint32_t id = 0; id < ROUNDS * RECORDS; id++) {
    uint8_t zeros[40000] = {0}, body[8192], section[64];
    struct context context = {.fixture = fixture, .id = id, .rest = "still here"};
    const struct journal_entry entry = {
        .kind = JOURNAL_LOGS,
        .project = id,
        .item_count = id + 1,
        .received_ns = UINT64_C(1700000000000000000) + id,
        .origin_sequence = id + 1000,
        .section = slice_make(section, fixture_section(id, section)),
        .body = id % 10 == 9 ? slice_make(zeros, sizeof(zeros)) : slice_make(body, fixture_body(id % 7, body)),
        .context_bytes = CONTEXT_BYTES,
    };
    assert_int_equal(journal_append(journal, &entry, note_context, &context, NULL), STATUS_OK);
    memset(&context, 0xff, sizeof(context));
    if (id % RECORDS == RECORDS - 1) assert_int_equal(journal_flush(journal), STATUS_OK);
  }
  struct journal_reader *reader;
  struct journal_record record;
  struct slice body;
  assert_int_equal(journal_reader_open(journal, 0, &reader), STATUS_OK);
  for (uint32_t id = 0; id < ROUNDS * RECORDS; id++) {
    assert_true(fixture->answers[id] == 1 && fixture->ok[id]);
    assert_int_equal(journal_reader_next(reader, &record), STATUS_OK);
    assert_int_equal(record.sequence, fixture->sequence[id]);
    assert_int_equal(record.project, id);
    assert_int_equal(journal_record_body(&record, &fixture->scratch, &body), STATUS_OK);
    uint8_t expected[8192];
    assert_int_equal(body.len, id % 10 == 9 ? 40000 : fixture_body(id % 7, expected));
    if (id % 10 != 9) assert_memory_equal(body.ptr, expected, body.len);
  }
  journal_reader_close(reader);
  journal_close(journal);
}

static void metrics_tell(void **state) {
  struct fixture *fixture = *state;
  struct journal_options options = fixture_options(fixture);
  options.metrics = metrics_create();
  struct journal *journal = fixture_open(&options);
  for (uint32_t id = 0; id < 5; id++) assert_true(fixture_append_wait(fixture, journal, id));
  struct buffer text;
  buffer_init(&text, 1 << 20);
  metrics_write(options.metrics, &text);
  buffer_append_byte(&text, 0);
  char expected[128];
  snprintf(expected, sizeof(expected), "culprit_journal_bytes{journal=\"test\"} %" PRIu64, journal_bytes(journal));
  assert_non_null(strstr((char *)text.ptr, expected));
  assert_non_null(strstr((char *)text.ptr, "culprit_journal_records_total{journal=\"test\"} 5"));
  assert_non_null(strstr((char *)text.ptr, "culprit_journal_commits_total{journal=\"test\"} 5"));
  assert_non_null(strstr((char *)text.ptr, "culprit_journal_commit_seconds_count{journal=\"test\"} 5"));
  assert_non_null(strstr((char *)text.ptr, "culprit_journal_quarantined_total{journal=\"test\"} 0"));
  assert_non_null(strstr((char *)text.ptr, "culprit_journal_sync_errors_total{journal=\"test\"} 0"));
  journal_close(journal);
  buffer_finish(&text);
  metrics_destroy(options.metrics);
}

static void a_poisonous_record_is_put_aside(void **state) {
  struct fixture *fixture = *state;
  struct journal_options options = fixture_options(fixture);
  struct journal *journal = fixture_open(&options);
  fixture_append_ok(fixture, journal, 3);
  fixture_append_ok(fixture, journal, 4);
  journal_flush(journal);
  struct journal_reader *reader;
  assert_int_equal(journal_reader_open(journal, 2, &reader), STATUS_OK);
  struct journal_record record;
  assert_int_equal(journal_reader_next(reader, &record), STATUS_OK);
  journal_quarantine(journal, &record, "it crashed the pipeline twice");
  char path[300];
  snprintf(path, sizeof(path), "%s/test-%016x-%" PRIu64 ".damaged", fixture->quarantine, 1, record.location.offset);
  int fd = open(path, O_RDONLY);
  assert_true(fd >= 0);
  char text[4096] = {0};
  ssize_t len = read(fd, text, sizeof(text) - 1);
  close(fd);
  assert_non_null(strstr(text, "it crashed the pipeline twice\n\n"));
  size_t head = (size_t)(strstr(text, "\n\n") - text) + 2;
  assert_int_equal(len, head + 80 + record.section.len + record.body_stored.len);
  assert_memory_equal(text + head + 80 + record.section.len, record.body_stored.ptr, record.body_stored.len);
  journal_reader_close(reader);
  journal_close(journal);
}

struct waiter {
  struct journal *journal;
  uint64_t result;
};
static void wait_for_more(void *context) {
  struct waiter *waiter = context;
  waiter->result = journal_wait(waiter->journal, 0, UINT64_C(3600) * NS_PER_S);
}

static void waiting_ends_with_a_record_or_a_wake(void **state) {
  struct fixture *fixture = *state;
  struct journal_options options = fixture_options(fixture);
  struct journal *journal = fixture_open(&options);
  assert_int_equal(journal_wait(journal, 0, 0), 0);
  struct waiter waiter = {.journal = journal};
  struct thread thread = {0};
  assert_int_equal(thread_start(&thread, "waiter", wait_for_more, &waiter), STATUS_OK);
  fixture_append_ok(fixture, journal, 0);
  thread_join(&thread);
  assert_int_equal(waiter.result, 1);
  // However fast they come: no record is one that nobody is told of.
  for (uint32_t id = 1; id < 50; id++) {
    fixture_append_ok(fixture, journal, id);
    assert_int_equal(journal_wait(journal, id, 60 * NS_PER_S), id + 1);
  }
  journal_close(journal);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(what_is_appended_is_read),
      TEST(records_are_read_by_location),
      TEST(bodies_are_compressed_where_it_pays),
      TEST(segments_roll_by_bytes_and_keys),
      TEST(old_segments_are_deleted),
      TEST(a_reader_survives_rolls_and_deletion),
      TEST(the_budget_refuses_and_deleting_makes_room),
      TEST(a_second_process_is_refused),
      TEST(sequences_start_where_the_cursors_are),
      TEST(the_sync_mode_decides_when),
      TEST(a_commit_may_wait_for_more),
      TEST(a_commit_waits_for_what_is_expected),
      TEST(a_context_travels_with_its_record),
      TEST(metrics_tell),
      TEST(a_poisonous_record_is_put_aside),
      TEST(waiting_ends_with_a_record_or_a_wake),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
