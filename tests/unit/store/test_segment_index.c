// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "store/segment_index.h"

struct pair {
  uint64_t key, offset;
};

static char directory[128];

static int setup(void **state) {
  (void)state;
  const char *base = getenv("TMPDIR");
  snprintf(directory, sizeof(directory), "%.80s/culprit-index-XXXXXX", base ? base : "/tmp");
  return mkdtemp(directory) ? 0 : -1;
}
static int remove_one(const char *path, const struct stat *status, int type, struct FTW *ftw) {
  (void)status;
  (void)type;
  (void)ftw;
  return remove(path);
}
static int teardown(void **state) {
  (void)state;
  return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static uint64_t random_of(uint64_t *state) {
  *state = *state * UINT64_C(6364136223846793005) + 1442695040888963407u;
  return (*state >> 33) * UINT64_C(0x9e3779b97f4a7c15);
}

// `keys` distinct keys over `count` entries; a few keys take a large part of them, so that runs cross blocks.
static struct pair *make_pairs(uint32_t count, uint32_t keys, uint64_t seed) {
  struct pair *pairs = malloc((count + 1) * sizeof(*pairs));
  for (uint32_t i = 0; i < count; i++) {
    uint64_t which = random_of(&seed) >> 20;
    uint64_t key_seed = which % 5 == 0 ? which % 3 : which % keys;
    key_seed += 77;
    pairs[i] = (struct pair){.key = random_of(&key_seed), .offset = 4096 + (uint64_t)(i / 2) * 48};
  }
  return pairs;
}

static uint32_t model_find(const struct pair *pairs, uint32_t count, uint64_t key, uint64_t *out) {
  uint32_t found = 0;
  for (uint32_t i = 0; i < count; i++)
    if (pairs[i].key == key && (found == 0 || out[found - 1] != pairs[i].offset)) out[found++] = pairs[i].offset;
  return found;
}

static void check_all(const struct segment_index_builder *builder, const struct pair *pairs, uint32_t count,
                      uint32_t step) {
  uint64_t *want = malloc((count + 1) * sizeof(*want)), *got = malloc((count + 1) * sizeof(*got));
  for (uint32_t i = 0; i < count; i += step) {
    uint32_t expected = model_find(pairs, count, pairs[i].key, want), found = 0;
    assert_int_equal(segment_index_builder_find(builder, pairs[i].key, got, count), expected);
    assert_memory_equal(got, want, expected * sizeof(*got));
    assert_int_equal(segment_index_find(directory, 9, pairs[i].key, got, count, &found), STATUS_OK);
    assert_int_equal(found, expected);
    assert_memory_equal(got, want, expected * sizeof(*got));
    // Neighbours that are not there.
    assert_int_equal(segment_index_find(directory, 9, pairs[i].key + 1, got, count, &found), STATUS_OK);
    assert_int_equal(found, model_find(pairs, count, pairs[i].key + 1, want));
  }
  for (uint32_t i = 0; i < 3; i++) {
    uint64_t key = i == 0 ? 0 : i == 1 ? UINT64_MAX : UINT64_MAX / 3;
    uint32_t found = 1;
    assert_int_equal(segment_index_find(directory, 9, key, got, count, &found), STATUS_OK);
    assert_int_equal(found, model_find(pairs, count, key, want));
  }
  free(want);
  free(got);
}

static struct segment_index_builder *build(const struct pair *pairs, uint32_t count) {
  struct segment_index_builder *builder = segment_index_builder_create(1 << 20);
  for (uint32_t i = 0; i < count; i++) assert_true(segment_index_builder_add(builder, pairs[i].key, pairs[i].offset));
  return builder;
}

static void agrees_with_a_plain_list(void **state) {
  (void)state;
  const uint32_t counts[] = {0, 1, 2, 340, 341, 1000, 5000, 20000};
  for (size_t c = 0; c < sizeof(counts) / sizeof(counts[0]); c++) {
    for (uint32_t keys = 1; keys <= 100000; keys *= 300) {
      struct pair *pairs = make_pairs(counts[c], keys, c + keys);
      struct segment_index_builder *builder = build(pairs, counts[c]);
      struct error error;
      assert_int_equal(segment_index_write(builder, directory, 9, &error), STATUS_OK);
      assert_int_equal(segment_index_check(directory, 9), STATUS_OK);
      assert_true(segment_index_exists(directory, 9));
      check_all(builder, pairs, counts[c], counts[c] / 40 + 1);
      segment_index_builder_destroy(builder);
      free(pairs);
    }
  }
}

// Keys that lie so badly that guessing by interpolation never helps.
static void uneven_keys_are_found_too(void **state) {
  (void)state;
  struct pair *pairs = malloc(20000 * sizeof(*pairs));
  for (uint32_t i = 0; i < 20000; i++) {
    uint64_t key = i < 19000 ? i : UINT64_C(1) << (i % 64);
    pairs[i] = (struct pair){.key = key, .offset = 4096 + i * 8};
  }
  struct segment_index_builder *builder = build(pairs, 20000);
  struct error error;
  assert_int_equal(segment_index_write(builder, directory, 9, &error), STATUS_OK);
  check_all(builder, pairs, 20000, 487);
  segment_index_builder_destroy(builder);
  free(pairs);
}

static void a_key_takes_at_most_12_bytes(void **state) {
  (void)state;
  struct segment_index_builder *builder = segment_index_builder_create(1 << 20);
  uint64_t seed = 5;
  for (uint32_t i = 0; i < 100000; i++)
    assert_true(segment_index_builder_add(builder, random_of(&seed), 4096 + (uint64_t)i * 640 / 8 * 8));
  struct error error;
  assert_int_equal(segment_index_write(builder, directory, 9, &error), STATUS_OK);
  char path[256];
  snprintf(path, sizeof(path), "%s/0000000000000009.idx", directory);
  struct stat file;
  assert_int_equal(stat(path, &file), 0);
  assert_true(file.st_size <= 100000 * 12);
  segment_index_builder_destroy(builder);
}

static void count_key(void *context, uint64_t key) {
  uint64_t *seen = context; // count, last key
  assert_true(seen[0] == 0 || key > seen[1]);
  seen[0]++;
  seen[1] = key;
}

static void each_key_comes_once_in_order(void **state) {
  (void)state;
  struct pair *pairs = make_pairs(5000, 700, 3);
  struct segment_index_builder *builder = build(pairs, 5000);
  struct error error;
  assert_int_equal(segment_index_write(builder, directory, 9, &error), STATUS_OK);
  uint32_t distinct = 0;
  for (uint32_t i = 0; i < 5000; i++) {
    bool before = false;
    for (uint32_t j = 0; j < i && !before; j++) before = pairs[j].key == pairs[i].key;
    distinct += !before;
  }
  uint64_t seen[2] = {0};
  assert_int_equal(segment_index_each(directory, 9, count_key, seen), STATUS_OK);
  assert_int_equal(seen[0], distinct);
  segment_index_builder_destroy(builder);
  free(pairs);
}

static void a_full_builder_says_so(void **state) {
  (void)state;
  struct segment_index_builder *builder = segment_index_builder_create(3);
  for (uint64_t i = 1; i <= 3; i++) assert_true(segment_index_builder_add(builder, i, 4096));
  assert_true(segment_index_builder_add(builder, 2, 4096)); // known
  assert_false(segment_index_builder_add(builder, 4, 4096));
  assert_int_equal(segment_index_builder_count(builder), 3);
  segment_index_builder_clear(builder);
  uint64_t offset;
  assert_int_equal(segment_index_builder_find(builder, 2, &offset, 1), 0);
  assert_true(segment_index_builder_add(builder, 4, 4096));
  assert_int_equal(segment_index_builder_find(builder, 4, &offset, 1), 1);
  assert_int_equal(offset, 4096);
  segment_index_builder_destroy(builder);
}

static void every_flipped_bit_is_noticed(void **state) {
  (void)state;
  struct pair *pairs = make_pairs(450, 400, 3);
  struct segment_index_builder *builder = build(pairs, 450);
  struct error error;
  assert_int_equal(segment_index_write(builder, directory, 9, &error), STATUS_OK);
  char path[256];
  snprintf(path, sizeof(path), "%s/0000000000000009.idx", directory);
  int fd = open(path, O_RDWR);
  assert_true(fd >= 0);
  struct stat file;
  assert_int_equal(fstat(fd, &file), 0);
  uint64_t want[512], got[512];
  for (off_t at = 0; at < file.st_size; at++) {
    uint8_t byte, flipped;
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    flipped = (uint8_t)(byte ^ 1u << (at % 8));
    assert_int_equal(pwrite(fd, &flipped, 1, at), 1);
    assert_int_equal(segment_index_check(directory, 9), STATUS_CORRUPT);
    // A look-up is right or says that the file is damaged.
    const struct pair *pair = &pairs[(uint32_t)at % 450];
    uint32_t found;
    enum status status = segment_index_find(directory, 9, pair->key, got, 512, &found);
    if (status == STATUS_OK) {
      assert_int_equal(found, model_find(pairs, 450, pair->key, want));
      assert_memory_equal(got, want, found * sizeof(*got));
    } else {
      assert_int_equal(status, STATUS_CORRUPT);
    }
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
  }
  assert_int_equal(segment_index_check(directory, 9), STATUS_OK);
  for (off_t len = file.st_size - 1; len >= 0; len -= 37) {
    assert_int_equal(ftruncate(fd, len), 0);
    assert_int_equal(segment_index_check(directory, 9), STATUS_CORRUPT);
    assert_false(segment_index_exists(directory, 9));
  }
  close(fd);
  segment_index_delete(directory, 9);
  uint32_t found;
  assert_int_equal(segment_index_find(directory, 9, 1, got, 1, &found), STATUS_NOT_FOUND);
  assert_int_equal(segment_index_check(directory, 9), STATUS_NOT_FOUND);
  segment_index_builder_destroy(builder);
  free(pairs);
}

static void a_file_of_another_segment_is_refused(void **state) {
  (void)state;
  struct segment_index_builder *builder = segment_index_builder_create(8);
  assert_true(segment_index_builder_add(builder, 1, 4096));
  struct error error;
  assert_int_equal(segment_index_write(builder, directory, 9, &error), STATUS_OK);
  char from[256], to[256];
  snprintf(from, sizeof(from), "%s/0000000000000009.idx", directory);
  snprintf(to, sizeof(to), "%s/000000000000000a.idx", directory);
  assert_int_equal(rename(from, to), 0);
  assert_int_equal(segment_index_check(directory, 10), STATUS_CORRUPT);
  segment_index_builder_destroy(builder);
}

static void an_unwritable_place_is_an_error(void **state) {
  (void)state;
  struct segment_index_builder *builder = segment_index_builder_create(8);
  struct error error;
  assert_int_equal(segment_index_write(builder, "/nonexistent", 9, &error), STATUS_IO);
  assert_non_null(strstr(error.text, "/nonexistent"));
  segment_index_builder_destroy(builder);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(agrees_with_a_plain_list),
      TEST(uneven_keys_are_found_too),
      TEST(a_key_takes_at_most_12_bytes),
      TEST(each_key_comes_once_in_order),
      TEST(a_full_builder_says_so),
      TEST(every_flipped_bit_is_noticed),
      TEST(a_file_of_another_segment_is_refused),
      TEST(an_unwritable_place_is_an_error),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
