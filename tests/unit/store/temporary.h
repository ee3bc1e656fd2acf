// SPDX-License-Identifier: Apache-2.0
//
// A directory of its own for each test, removed with everything in it behind the test.
#ifndef TESTS_UNIT_STORE_TEMPORARY_H
#define TESTS_UNIT_STORE_TEMPORARY_H

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct temporary {
  char directory[256];
  char paths[8][512]; // handed out in turn
  unsigned next;
};

static inline int temporary_setup(void **state) {
  struct temporary *temporary = calloc(1, sizeof *temporary);
  if (!temporary) return -1;
  const char *base = getenv("TMPDIR");
  snprintf(temporary->directory, sizeof temporary->directory, "%s/culprit-test-XXXXXX", base ? base : "/tmp");
  *state = temporary;
  return mkdtemp(temporary->directory) ? 0 : -1;
}

static inline const char *temporary_path(void *state, const char *name) {
  struct temporary *temporary = state;
  char path[512];
  snprintf(path, sizeof path, "%s/%s", temporary->directory, name);
  return memcpy(temporary->paths[temporary->next++ % 8], path, sizeof path);
}

// Files whose name starts with `prefix`, logs and indexes of databases not counted.
static inline int temporary_count(void *state, const char *prefix) {
  struct temporary *temporary = state;
  DIR *directory = opendir(temporary->directory);
  int count = 0;
  for (struct dirent *entry; directory && (entry = readdir(directory));) {
    size_t len = strlen(entry->d_name);
    bool companion = len > 4 && (!strcmp(entry->d_name + len - 4, "-wal") || !strcmp(entry->d_name + len - 4, "-shm"));
    count += !companion && strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
  }
  if (directory) closedir(directory);
  return count;
}

static inline int temporary_teardown(void **state) {
  struct temporary *temporary = *state;
  char command[400];
  snprintf(command, sizeof command, "rm -rf '%s'", temporary->directory);
  int result = system(command);
  free(temporary);
  return result;
}

#define TEMPORARY_TEST(test) cmocka_unit_test_setup_teardown(test, temporary_setup, temporary_teardown)

#endif
