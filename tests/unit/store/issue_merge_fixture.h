// SPDX-License-Identifier: Apache-2.0
//
// Merging and splitting in a real inbox in a few words, and what must hold whatever was done.
#ifndef TESTS_UNIT_STORE_ISSUE_MERGE_FIXTURE_H
#define TESTS_UNIT_STORE_ISSUE_MERGE_FIXTURE_H

#include "store/issue_merge.h"
#include "store/issue_split.h"
#include "tests/unit/store/inbox_fixture.h"

#define HOUR_NS (UINT64_C(3600) * NS_PER_S)
#define DAY_NS  (24 * HOUR_NS)

// What must hold whatever was done.
static inline void check_sums(struct inbox_fixture *fixture) {
  static const char *const nothing[] = {
      "SELECT count(*) FROM issue AS i WHERE count < (SELECT coalesce(sum(count), 0) FROM issue_part WHERE issue_id = "
      "i.id)",
      "SELECT count(*) FROM issue AS i WHERE stored <> (SELECT count(*) FROM event WHERE issue_id = i.id)",
      "SELECT count(*) FROM issue AS i WHERE count <> (SELECT sum(count) FROM issue_hour WHERE issue_id = i.id)",
      "SELECT count(*) FROM issue AS i WHERE stored > 0 AND NOT EXISTS (SELECT 1 FROM event WHERE id = i.first_row AND "
      "issue_id = i.id)",
      "SELECT count(*) FROM issue AS i WHERE stored > 101 OR first_seen_ns > last_seen_ns",
      "SELECT count(*) FROM issue_part AS p WHERE NOT EXISTS (SELECT 1 FROM issue WHERE id = p.issue_id) OR count <> "
      "(SELECT sum(count) FROM issue_hour WHERE part_id = p.id AND issue_id = p.issue_id)",
      "SELECT count(*) FROM event AS e WHERE part_id <> 0 AND NOT EXISTS (SELECT 1 FROM issue_part WHERE id = "
      "e.part_id AND issue_id = e.issue_id)",
      "SELECT count(*) FROM issue_hash AS h WHERE NOT EXISTS (SELECT 1 FROM issue WHERE id = h.issue_id)",
      "SELECT count(*) FROM issue_hour AS h WHERE NOT EXISTS (SELECT 1 FROM issue WHERE id = h.issue_id)",
      "SELECT count(*) FROM issue_tag_key AS k WHERE value_count <> (SELECT count(*) FROM issue_tag WHERE issue_id = "
      "k.issue_id AND key = k.key) OR NOT EXISTS (SELECT 1 FROM issue WHERE id = k.issue_id)",
      "SELECT count(*) FROM issue_merged AS m WHERE EXISTS (SELECT 1 FROM issue WHERE id = m.id) OR NOT EXISTS (SELECT "
      "1 FROM issue WHERE id = m.issue_id)",
  };
  for (size_t i = 0; i < sizeof nothing / sizeof nothing[0]; i++)
    if (fixture_ask(fixture, nothing[i]) != 0) fail_msg("not 0: %s", nothing[i]);
  assert_int_equal(issue_store_issue_count(fixture->store), fixture_ask(fixture, "SELECT count(*) FROM issue"));
  assert_int_equal(issue_store_event_count(fixture->store), fixture_ask(fixture, "SELECT count(*) FROM event"));
}

static inline enum status try_merge(struct inbox_fixture *fixture, uint64_t issue, const uint64_t *others,
                                    uint32_t count, uint64_t *out_issue) {
  struct error error = {0};
  return issue_store_merge(fixture->store, issue, others, count, out_issue, &error);
}

static inline uint64_t merge(struct inbox_fixture *fixture, uint64_t issue, uint64_t other) {
  uint64_t left = 0;
  assert_int_equal(try_merge(fixture, issue, &other, 1, &left), STATUS_OK);
  check_sums(fixture);
  return left;
}

static inline enum status try_split(struct inbox_fixture *fixture, uint64_t issue, const char *hash, const char *second,
                                    uint64_t *out_issue) {
  struct error error = {0};
  uint8_t bytes[2 * ISSUE_HASH_BYTES] = {0};
  memcpy(bytes, hash, strnlen(hash, ISSUE_HASH_BYTES));
  if (second) memcpy(bytes + ISSUE_HASH_BYTES, second, strnlen(second, ISSUE_HASH_BYTES));
  struct slice hashes = slice_make(bytes, second ? sizeof bytes : ISSUE_HASH_BYTES);
  return issue_store_split(fixture->store, issue, hashes, out_issue, &error);
}

static inline uint64_t split(struct inbox_fixture *fixture, uint64_t issue, const char *hash) {
  uint64_t made = 0;
  assert_int_equal(try_split(fixture, issue, hash, NULL, &made), STATUS_OK);
  check_sums(fixture);
  return made;
}

static inline uint64_t follow(struct inbox_fixture *fixture, uint64_t id, const char *short_id) {
  struct error error = {0};
  struct connection *reader = database_read_begin(fixture->database, &error);
  uint64_t issue =
      short_id ? issue_merge_find_short(reader, slice_from_cstr(short_id)) : issue_merge_follow(reader, id);
  assert_int_equal(database_read_end(fixture->database, reader, &error), STATUS_OK);
  return issue;
}

// The issue of the event written last.
static inline uint64_t newest(struct inbox_fixture *fixture) {
  return (uint64_t)fixture_ask(fixture, "SELECT issue_id FROM event ORDER BY id DESC LIMIT 1");
}

static inline uint64_t one(struct inbox_fixture *fixture, uint32_t id, const char *hash, const char *second) {
  fixture_one(fixture, &(struct fixture_event){.id = id, .hash = hash, .second_hash = second, .title = hash});
  return newest(fixture);
}

static inline void reopen(struct inbox_fixture *fixture) {
  fixture_close(fixture);
  fixture_open(fixture);
}

static inline uint64_t count_of(struct inbox_fixture *fixture, uint64_t issue) {
  struct arena arena;
  arena_init(&arena, 1 << 20);
  uint64_t count = fixture_issue(fixture, issue, &arena).count;
  arena_finish(&arena);
  return count;
}

#endif
