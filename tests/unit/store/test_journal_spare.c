// SPDX-License-Identifier: Apache-2.0
//
// Files of deleted segments that are written over: when they are kept, that nothing of their former life is ever read,
// and that they leave when room is needed. Power cuts and failing calls in between: test_journal_crash,
// test_journal_faults.
#include <dirent.h>

#include "base/metrics.h"
#include "tests/unit/store/journal_fixture.h"

struct spare_files {
  uint32_t segments, spares;
  ino_t inodes[64]; // of the segments
};

static struct spare_files list(const struct fixture *fixture) {
  struct spare_files files = {0};
  DIR *directory = opendir(fixture->directory);
  assert_non_null(directory);
  for (struct dirent *entry; (entry = readdir(directory));) {
    files.spares += strstr(entry->d_name, ".spare") != NULL;
    if (strstr(entry->d_name, ".seg")) files.inodes[files.segments++] = entry->d_ino;
    assert_true(files.segments < 64);
  }
  closedir(directory);
  return files;
}

static uint32_t files_in(const char *path) {
  uint32_t count = 0;
  DIR *directory = opendir(path);
  for (struct dirent *entry; directory && (entry = readdir(directory));) count += entry->d_name[0] != '.';
  if (directory) closedir(directory);
  return count;
}

static struct fixture *begin(void) {
  struct fixture *fixture = malloc(sizeof(*fixture));
  fixture_init_in_memory(fixture);
  return fixture;
}

static void end(struct fixture *fixture) {
  fixture_finish(fixture);
  free(fixture);
}

static uint32_t fill(struct fixture *fixture, struct journal *journal, uint32_t id, uint32_t segments) {
  uint32_t before = journal_segments(journal, NULL, 0);
  while (journal_segments(journal, NULL, 0) < before + segments)
    assert_true(fixture_append_wait(fixture, journal, id++));
  return id;
}

static uint32_t delete_all_but_newest(struct journal *journal) {
  struct journal_segment segments[64];
  uint32_t count = journal_segments(journal, segments, 64);
  assert_true(count > 1 && count <= 64);
  return journal_delete_before(journal, segments[count - 2].last_sequence + 1);
}

static void deleted_segments_are_written_over(void **state) {
  (void)state;
  struct fixture *fixture = begin();
  struct journal_options options = fixture_options(fixture);
  options.spare_segments_max = 2;
  options.metrics = metrics_create();
  struct journal *journal = fixture_open(&options);
  uint32_t first_kept = fill(fixture, journal, 0, 5) - 1; // the record that made the newest segment
  struct spare_files before = list(fixture);
  assert_int_equal(delete_all_but_newest(journal), 4);
  struct spare_files after = list(fixture);
  assert_int_equal(after.segments, 1);
  assert_int_equal(after.spares, 2);
  uint32_t id = fill(fixture, journal, first_kept + 1, 3);
  after = list(fixture);
  assert_int_equal(after.spares, 0);
  assert_int_equal(after.segments, 4);
  uint32_t reused = 0;
  for (uint32_t i = 0; i < after.segments; i++)
    for (uint32_t j = 0; j < before.segments; j++) reused += after.inodes[i] == before.inodes[j];
  assert_true(reused >= 3); // the newest, which was never deleted, and both spares
  assert_int_equal(fixture_read_all(fixture, journal, 1), id - first_kept);
  journal_close(journal);
  journal = fixture_open(&options);
  assert_int_equal(fixture_read_all(fixture, journal, 1), id - first_kept);
  for (uint32_t i = 0; i < first_kept; i++) assert_int_equal(fixture->seen[i], 0);
  journal_close(journal);
  assert_int_equal(files_in(fixture->quarantine), 0);
  metrics_destroy(options.metrics);
  end(fixture);
}

// Dies with the active segment written over halfway; `tail` is appended to its last record as a torn write.
static void die_and_open(const char *tail, size_t tail_bytes, uint32_t quarantined) {
  struct fixture *fixture = begin();
  struct journal_options options = fixture_options(fixture);
  options.spare_segments_max = 2;
  struct journal *journal = fixture_open(&options);
  uint32_t first_kept = fill(fixture, journal, 0, 3) - 1;
  delete_all_but_newest(journal);
  uint32_t id = fill(fixture, journal, first_kept + 1, 1);
  assert_true(fixture_append_wait(fixture, journal, id++));
  struct journal_segment segments[8];
  uint32_t count = journal_segments(journal, segments, 8);
  const struct journal_segment *newest = &segments[count - 1];
  // What a dead process leaves: the files as they are now, copied before closing cuts them.
  char command[600], path[256];
  snprintf(command, sizeof(command), "cp -r '%s/data' '%s/left'", fixture->root, fixture->root);
  assert_int_equal(system(command), 0);
  journal_close(journal);
  snprintf(command, sizeof(command), "rm -rf '%s/data' && mv '%s/left' '%s/data'", fixture->root, fixture->root,
           fixture->root);
  assert_int_equal(system(command), 0);
  snprintf(path, sizeof(path), "%s/%016" PRIx64 ".seg", fixture->directory, newest->first_sequence);
  struct stat file;
  assert_int_equal(stat(path, &file), 0);
  assert_true((uint64_t)file.st_size > newest->bytes); // old bytes behind the last record
  int fd = open(path, O_WRONLY);
  assert_int_equal(pwrite(fd, tail, tail_bytes, (off_t)newest->bytes), tail_bytes);
  close(fd);

  journal = fixture_open(&options);
  assert_int_equal(fixture_read_all(fixture, journal, 1), id - first_kept);
  assert_int_equal(files_in(fixture->quarantine), quarantined);
  assert_int_equal(stat(path, &file), 0);
  assert_int_equal(file.st_size, newest->bytes);
  assert_int_equal(list(fixture).spares, 0);
  assert_true(fixture_append_wait(fixture, journal, id));
  assert_true(fixture->sequence[id] > newest->last_sequence);
  assert_int_equal(fixture_read_all(fixture, journal, 1), id + 1 - first_kept);
  journal_close(journal);
  end(fixture);
}

static void what_was_there_before_is_no_damage(void **state) {
  (void)state;
  die_and_open("", 0, 0);
}

static void nor_where_one_of_its_records_begins(void **state) {
  (void)state;
  die_and_open("\xe5\xa1\xd1\xc0\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00", 16, 0); // sequence 1
}

static void a_record_that_had_begun_is_set_aside(void **state) {
  (void)state;
  die_and_open("\xe5\xa1\xd1\xc0\x01\x01\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00", 16, 1); // its sequence is high
}

static void a_file_that_is_being_read_is_left_alone(void **state) {
  (void)state;
  struct fixture *fixture = begin();
  struct journal_options options = fixture_options(fixture);
  options.spare_segments_max = 4;
  struct journal *journal = fixture_open(&options);
  uint32_t first_kept = fill(fixture, journal, 0, 3) - 1;
  struct journal_reader *walking, *looking;
  struct journal_record record;
  assert_int_equal(journal_reader_open(journal, 1, &walking), STATUS_OK);
  assert_int_equal(journal_reader_next(walking, &record), STATUS_OK); // has the first segment open
  assert_int_equal(journal_reader_open(journal, 1, &looking), STATUS_OK);
  struct journal_segment segments[4];
  journal_segments(journal, segments, 4);
  uint32_t in_second = 0;
  while (fixture->sequence[in_second] != segments[1].first_sequence) in_second++;
  assert_int_equal(journal_reader_at(looking, fixture->location[in_second], &record), STATUS_OK); // and the second
  assert_int_equal(delete_all_but_newest(journal), 2);
  assert_int_equal(list(fixture).spares, 0);
  uint32_t id = fill(fixture, journal, first_kept + 1, 2);
  for (uint32_t i = 1; fixture->sequence[i] <= segments[0].last_sequence; i++) {
    assert_int_equal(journal_reader_next(walking, &record), STATUS_OK);
    assert_int_equal(fixture_check(fixture, &record), i);
  }
  assert_int_equal(journal_reader_at(looking, fixture->location[in_second], &record), STATUS_OK);
  assert_int_equal(fixture_check(fixture, &record), in_second);
  journal_reader_close(walking);
  journal_reader_close(looking);
  // Closed, they are in nobody's way.
  delete_all_but_newest(journal);
  assert_true(list(fixture).spares >= 2);
  assert_int_equal(fixture_read_all(fixture, journal, fixture->sequence[id - 1]), 1);
  journal_close(journal);
  assert_int_equal(files_in(fixture->quarantine), 0);
  end(fixture);
}

static void spares_leave_when_room_is_needed(void **state) {
  (void)state;
  struct fixture *fixture = begin();
  struct journal_options options = fixture_options(fixture);
  options.spare_segments_max = 8;
  options.bytes_max = 10 * options.segment_bytes_max;
  struct journal *journal = fixture_open(&options);
  fill(fixture, journal, 0, 6);
  delete_all_but_newest(journal);
  assert_int_equal(list(fixture).spares, 5);
  journal_set_bytes_max(journal, 4 * options.segment_bytes_max);
  assert_true(list(fixture).spares <= 3);
  assert_true(list(fixture).spares >= 2);
  // Another start begins without.
  journal_close(journal);
  journal = fixture_open(&options);
  assert_int_equal(list(fixture).spares, 0);
  journal_close(journal);
  end(fixture);
}

static void none_are_kept_unless_wanted(void **state) {
  (void)state;
  struct fixture *fixture = begin();
  struct journal_options options = fixture_options(fixture);
  struct journal *journal = fixture_open(&options);
  fill(fixture, journal, 0, 4);
  delete_all_but_newest(journal);
  assert_int_equal(list(fixture).spares, 0);
  journal_close(journal);
  end(fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(deleted_segments_are_written_over),
      cmocka_unit_test(what_was_there_before_is_no_damage),
      cmocka_unit_test(nor_where_one_of_its_records_begins),
      cmocka_unit_test(a_record_that_had_begun_is_set_aside),
      cmocka_unit_test(a_file_that_is_being_read_is_left_alone),
      cmocka_unit_test(spares_leave_when_room_is_needed),
      cmocka_unit_test(none_are_kept_unless_wanted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
