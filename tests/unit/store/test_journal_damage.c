// SPDX-License-Identifier: Apache-2.0
//
// Damage on the disk: any byte of a segment flipped, any part cut off, files that are not segments. The journal opens,
// the records that are whole are read, the damage is in quarantine and counted once.
#include "tests/unit/store/journal_fixture.h"

#include <dirent.h>

#include "base/metrics.h"
#include "store/journal_internal.h"

enum { RECORDS = 8 };

static uint32_t count_quarantined(const struct fixture *fixture) {
  uint32_t count = 0;
  DIR *directory = opendir(fixture->quarantine);
  struct dirent *entry;
  while (directory && (entry = readdir(directory)))
    if (entry->d_name[0] != '.') count++;
  if (directory) closedir(directory);
  return count;
}

static void wipe_quarantine(const struct fixture *fixture) {
  fixture_wipe(fixture->quarantine);
}

struct content {
  uint8_t *bytes;
  size_t len;
};

static struct content load(const char *path) {
  int fd = open(path, O_RDONLY);
  assert_true(fd >= 0);
  struct stat file;
  assert_int_equal(fstat(fd, &file), 0);
  struct content content = {malloc((size_t)file.st_size + 1), (size_t)file.st_size};
  assert_int_equal(read(fd, content.bytes, content.len), content.len);
  close(fd);
  return content;
}

static void save(const char *path, const uint8_t *bytes, size_t len) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, bytes, len), len);
  close(fd);
}

// A closed journal of two segments; `path` is the first one's (RECORDS records in it), or the second one's.
static void make_two(struct fixture *fixture, struct journal_options *options, char paths[2][256]) {
  *options = fixture_options(fixture);
  options->segment_bytes_max = 1 << 20;
  for (uint32_t half = 0; half < 2; half++) {
    struct journal *journal = fixture_open(options);
    for (uint32_t id = 0; id < RECORDS; id++) fixture_append_ok(fixture, journal, 1 + half * RECORDS + id);
    journal_close(journal);
    assert_true(fixture_first_file(fixture, paths[half], 1 + half * RECORDS) > 4096);
  }
}

// Which record lies over this byte of its segment? 0: none (header).
static uint32_t record_at(const struct fixture *fixture, uint64_t segment, uint64_t at) {
  uint32_t best = 0;
  for (uint32_t id = 1; id <= 2 * RECORDS; id++)
    if (fixture->location[id].segment == segment && fixture->location[id].offset <= at) best = id;
  return best;
}

static void flip_each_byte(struct fixture *fixture, const struct journal_options *options, const char *path,
                           uint64_t segment) {
  struct content whole = load(path);
  for (size_t at = 0; at < whole.len; at++) {
    if (at == 80) at = 2040; // the rest of the header block is not used
    if (at == 2140) at = 4090;
    whole.bytes[at] ^= (uint8_t)(1u << (at % 8));
    save(path, whole.bytes, whole.len);
    whole.bytes[at] ^= (uint8_t)(1u << (at % 8));
    struct journal_options counted = *options;
    counted.metrics = metrics_create();
    struct metrics_value *quarantined =
        metrics_series(counted.metrics, METRICS_COUNTER, "culprit_journal_quarantined_total", "journal=\"test\"", "");
    struct journal *journal = fixture_open(&counted);
    uint32_t hit = at < 4096 ? 0 : record_at(fixture, segment, at);
    for (int pass = 0; pass < 2; pass++) { // the second reader meets the same damage
      uint32_t count = fixture_read_all(fixture, journal, 1);
      for (uint32_t id = 1; id <= 2 * RECORDS; id++) {
        bool padding = id == hit && fixture->seen[id] == 1; // zeros behind the body
        if (id != hit && fixture->seen[id] != 1) {
          printf("# byte %zu: record %u is lost with record %u\n", at, id, hit);
          fail();
        }
        if (padding) hit = 0;
      }
      assert_int_equal(count, 2 * RECORDS - (hit != 0));
      assert_int_equal(count_quarantined(fixture), hit != 0);
      assert_int_equal(metrics_get(quarantined), hit != 0);
    }
    journal_close(journal);
    metrics_destroy(counted.metrics);
    wipe_quarantine(fixture);
  }
  save(path, whole.bytes, whole.len);
  free(whole.bytes);
}

static void a_flipped_byte_costs_one_record(void **state) {
  (void)state;
  for (int newest = 0; newest < 2; newest++) {
    struct fixture *fixture = malloc(sizeof(*fixture));
    fixture_init_in_memory(fixture);
    struct journal_options options;
    char paths[2][256];
    make_two(fixture, &options, paths);
    flip_each_byte(fixture, &options, paths[newest], newest ? RECORDS + 1 : 1);
    fixture_finish(fixture);
    free(fixture);
  }
}

static void a_cut_anywhere_keeps_what_is_before_it(void **state) {
  (void)state;
  struct fixture *fixture = malloc(sizeof(*fixture));
  fixture_init_in_memory(fixture);
  struct journal_options options;
  char paths[2][256];
  make_two(fixture, &options, paths);
  struct content whole = load(paths[1]);
  uint64_t highest = 0;
  for (size_t len = 0; len <= whole.len; len += len < 4000 ? 97 : 1) {
    save(paths[1], whole.bytes, len);
    struct journal *journal = fixture_open(&options);
    uint32_t expected = RECORDS;
    for (uint32_t id = RECORDS + 1; id <= 2 * RECORDS; id++)
      expected += (id < 2 * RECORDS ? fixture->location[id + 1].offset : whole.len) <= len;
    assert_int_equal(fixture_read_all(fixture, journal, 1), expected);
    // What is written next has a new sequence, and is there the next time.
    assert_true(fixture_append_wait(fixture, journal, 100));
    assert_true(fixture->sequence[100] > expected);
    if (len == whole.len) highest = fixture->sequence[100];
    uint64_t made = fixture->location[100].segment;
    journal_close(journal);
    journal = fixture_open(&options);
    assert_int_equal(fixture_read_all(fixture, journal, 1), expected + 1);
    journal_close(journal);
    char path[256];
    fixture_first_file(fixture, path, made);
    assert_int_equal(unlink(path), 0);
  }
  assert_int_equal(highest, 2 * RECORDS + 1);
  free(whole.bytes);
  fixture_finish(fixture);
  free(fixture);
}

static void zeros_at_the_end_are_no_damage(void **state) {
  (void)state;
  struct fixture *fixture = malloc(sizeof(*fixture));
  fixture_init_in_memory(fixture);
  struct journal_options options;
  char paths[2][256];
  make_two(fixture, &options, paths);
  struct content whole = load(paths[1]);
  assert_int_equal(truncate(paths[1], (off_t)whole.len + 20000), 0);
  struct journal *journal = fixture_open(&options);
  assert_int_equal(fixture_read_all(fixture, journal, 1), 2 * RECORDS);
  assert_int_equal(count_quarantined(fixture), 0);
  assert_true(fixture_append_wait(fixture, journal, 100));
  assert_int_equal(fixture->sequence[100], 2 * RECORDS + 1);
  char path[256];
  assert_int_equal(fixture_first_file(fixture, path, RECORDS + 1), whole.len);
  journal_close(journal);
  free(whole.bytes);
  fixture_finish(fixture);
  free(fixture);
}

// A header that only looks like one: the bytes of another segment's records behind the end.
static void stale_bytes_of_another_segment_do_not_parse(void **state) {
  (void)state;
  struct fixture *fixture = malloc(sizeof(*fixture));
  fixture_init_in_memory(fixture);
  struct journal_options options;
  char paths[2][256];
  make_two(fixture, &options, paths);
  struct content first = load(paths[0]), second = load(paths[1]);
  uint8_t *both = malloc(first.len + second.len);
  memcpy(both, first.bytes, first.len);
  memcpy(both + first.len, second.bytes + 4096, second.len - 4096);
  assert_int_equal(unlink(paths[1]), 0);
  save(paths[0], both, first.len + second.len - 4096);
  struct journal *journal = fixture_open(&options);
  assert_int_equal(fixture_read_all(fixture, journal, 1), RECORDS);
  assert_int_equal(count_quarantined(fixture), 1);
  assert_true(fixture_append_wait(fixture, journal, 100));
  assert_true(fixture->sequence[100] > 2 * RECORDS); // what may have been there is not used again
  journal_close(journal);
  free(both);
  free(first.bytes);
  free(second.bytes);
  fixture_finish(fixture);
  free(fixture);
}

static void a_destroyed_header_goes_to_quarantine_whole(void **state) {
  (void)state;
  for (int newest = 0; newest < 2; newest++) {
    struct fixture *fixture = malloc(sizeof(*fixture));
    fixture_init_in_memory(fixture);
    struct journal_options options;
    char paths[2][256];
    make_two(fixture, &options, paths);
    struct content whole = load(paths[newest]);
    memset(whole.bytes, 0xee, 4096);
    save(paths[newest], whole.bytes, whole.len);
    struct journal *journal = fixture_open(&options);
    assert_int_equal(fixture_read_all(fixture, journal, 1), RECORDS);
    assert_int_equal(count_quarantined(fixture), 1);
    char path[256];
    assert_int_equal(fixture_first_file(fixture, path, newest ? RECORDS + 1 : 1), 0);
    snprintf(path, sizeof(path), "%s/test-%016x.seg", fixture->quarantine, newest ? RECORDS + 1 : 1);
    struct content kept = load(path);
    assert_int_equal(kept.len, whole.len);
    assert_memory_equal(kept.bytes, whole.bytes, whole.len);
    assert_true(fixture_append_wait(fixture, journal, 100));
    assert_true(fixture->sequence[100] > 2 * RECORDS);
    journal_close(journal);
    free(kept.bytes);
    free(whole.bytes);
    fixture_finish(fixture);
    free(fixture);
  }
}

static void another_version_or_store_is_refused(void **state) {
  (void)state;
  struct fixture *fixture = malloc(sizeof(*fixture)), *other = malloc(sizeof(*other));
  fixture_init_in_memory(fixture);
  fixture_init_in_memory(other);
  struct journal_options options, other_options;
  char paths[2][256], other_paths[2][256];
  make_two(fixture, &options, paths);
  make_two(other, &other_options, other_paths);
  struct content whole = load(paths[1]), foreign = load(other_paths[1]);
  struct journal *journal = NULL;
  struct error error;
  // Version 2, in both copies of the header.
  whole.bytes[8] = whole.bytes[2048 + 8] = 2;
  save(paths[1], whole.bytes, whole.len);
  assert_int_equal(journal_open(&options, &journal, &error), STATUS_UNSUPPORTED);
  assert_non_null(strstr(error.text, "version"));
  struct content after = load(paths[1]);
  assert_int_equal(after.len, whole.len);
  assert_memory_equal(after.bytes, whole.bytes, whole.len);
  // In one copy it is damage, and the other one serves.
  whole.bytes[2048 + 8] = 1;
  save(paths[1], whole.bytes, whole.len);
  journal = fixture_open(&options);
  assert_int_equal(fixture_read_all(fixture, journal, 1), 2 * RECORDS);
  journal_close(journal);
  // A segment of another journal.
  save(paths[1], foreign.bytes, foreign.len);
  journal = NULL;
  assert_int_equal(journal_open(&options, &journal, &error), STATUS_CONFLICT);
  assert_non_null(strstr(error.text, "another journal"));
  free(after.bytes);
  free(whole.bytes);
  free(foreign.bytes);
  fixture_finish(fixture);
  fixture_finish(other);
  free(fixture);
  free(other);
}

// A missing segment is a gap, not an end.
static void a_missing_segment_is_a_gap(void **state) {
  (void)state;
  struct fixture *fixture = malloc(sizeof(*fixture));
  fixture_init_in_memory(fixture);
  struct journal_options options = fixture_options(fixture);
  struct journal *journal = fixture_open(&options);
  for (uint32_t id = 0; id < 120; id++) fixture_append_ok(fixture, journal, id);
  journal_flush(journal);
  struct journal_segment segments[16];
  uint32_t count = journal_segments(journal, segments, 16);
  assert_true(count >= 4);
  uint32_t lost = (uint32_t)(segments[1].last_sequence - segments[1].first_sequence + 1);
  char path[256];
  fixture_first_file(fixture, path, segments[1].first_sequence);
  assert_int_equal(unlink(path), 0);
  assert_int_equal(fixture_read_all(fixture, journal, 1), 120 - lost); // while it runs
  journal_close(journal);
  journal = fixture_open(&options);
  assert_int_equal(fixture_read_all(fixture, journal, 1), 120 - lost);
  journal_close(journal);
  fixture_finish(fixture);
  free(fixture);
}

static void other_files_are_left_alone(void **state) {
  (void)state;
  struct fixture *fixture = malloc(sizeof(*fixture));
  fixture_init_in_memory(fixture);
  struct journal_options options;
  char paths[2][256];
  make_two(fixture, &options, paths);
  const char *names[] = {"README",
                         "0000000000000001.idx",
                         "0000000000000001.seg.bak",
                         "000000000000000G.seg",
                         "00000000000000AB.seg",
                         "0000000000000000.seg",
                         ".seg"};
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    char path[300];
    snprintf(path, sizeof(path), "%s/%s", fixture->directory, names[i]);
    save(path, (const uint8_t *)"mine", 4);
  }
  struct journal *journal = fixture_open(&options);
  assert_int_equal(fixture_read_all(fixture, journal, 1), 2 * RECORDS);
  journal_close(journal);
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    char path[300];
    snprintf(path, sizeof(path), "%s/%s", fixture->directory, names[i]);
    struct content content = load(path);
    assert_int_equal(content.len, 4);
    free(content.bytes);
  }
  assert_int_equal(count_quarantined(fixture), 0);
  fixture_finish(fixture);
  free(fixture);
}

// Damage that comes again and again must not fill the disk.
static void the_quarantine_has_a_maximum(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture);
  struct journal_options options = fixture_options(&fixture);
  struct metrics *metrics = metrics_create();
  options.metrics = metrics;
  struct journal *journal = fixture_open(&options);
  fixture_append_ok(&fixture, journal, 1);
  assert_int_equal(journal_flush(journal), STATUS_OK);
  assert_int_equal(mkdir(fixture.quarantine, 0700), 0);
  char path[320];
  for (uint32_t i = 0; i < JOURNAL_QUARANTINE_FILES_MAX + 5; i++) {
    snprintf(path, sizeof(path), "%s/%s-0000000000000001-%u.damaged", fixture.quarantine, options.name, i);
    save(path, (const uint8_t *)"x", 1);
    const struct timespec times[2] = {{.tv_sec = 1000 + i}, {.tv_sec = 1000 + i}};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
  }
  snprintf(path, sizeof(path), "%s/other-0000000000000001-0.damaged", fixture.quarantine);
  save(path, (const uint8_t *)"x", 1);
  struct journal_reader *reader;
  struct journal_record record;
  assert_int_equal(journal_reader_open(journal, 1, &reader), STATUS_OK);
  assert_int_equal(journal_reader_next(reader, &record), STATUS_OK);
  journal_quarantine(journal, &record, "for the test");
  journal_reader_close(reader);
  assert_int_equal(count_quarantined(&fixture), JOURNAL_QUARANTINE_FILES_MAX + 1); // and the other's
  assert_int_equal(access(path, F_OK), 0);
  snprintf(path, sizeof(path), "%s/%s-0000000000000001-5.damaged", fixture.quarantine, options.name);
  assert_int_not_equal(access(path, F_OK), 0); // the sixth oldest went, too
  snprintf(path, sizeof(path), "%s/%s-0000000000000001-6.damaged", fixture.quarantine, options.name);
  assert_int_equal(access(path, F_OK), 0);
  char labels[64];
  snprintf(labels, sizeof(labels), "journal=\"%s\"", options.name);
  assert_int_equal(
      metrics_get(metrics_series(metrics, METRICS_COUNTER, "culprit_journal_quarantine_removed_total", labels, "")), 6);
  journal_close(journal);
  metrics_destroy(metrics);
  fixture_finish(&fixture);
}

int main(void) {
  fixture_silence();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_quarantine_has_a_maximum),
      cmocka_unit_test(a_flipped_byte_costs_one_record),
      cmocka_unit_test(a_cut_anywhere_keeps_what_is_before_it),
      cmocka_unit_test(zeros_at_the_end_are_no_damage),
      cmocka_unit_test(stale_bytes_of_another_segment_do_not_parse),
      cmocka_unit_test(a_destroyed_header_goes_to_quarantine_whole),
      cmocka_unit_test(another_version_or_store_is_refused),
      cmocka_unit_test(a_missing_segment_is_a_gap),
      cmocka_unit_test(other_files_are_left_alone),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
