// SPDX-License-Identifier: Apache-2.0
//
// Stands in for libFuzzer in every test run: feeds each file of the corpus to the target, and then what becomes of it
// by truncation at every length up to a limit and by a few hundred mutations. All of it is computed from the corpus
// alone, so that a failure comes back in the next run. Usage: fuzz_<parser> corpus-directory-or-file...
#include <dirent.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FILES_MAX       4096
#define FILE_BYTES_MAX  ((size_t)1 << 20)
#define PATH_BYTES_MAX  4096
#define TRUNCATIONS_MAX 200
#define MUTATIONS       300
#define INSERT_MAX      64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct file {
  char *path;
  uint8_t *bytes;
  size_t len;
};

struct corpus {
  struct file files[FILES_MAX];
  size_t count;
  uint64_t random;
  uint64_t inputs;
};

static void fail(const char *what, const char *path) {
  fprintf(stderr, "replay: %s: %s\n", what, path);
  exit(2);
}

static uint64_t next_random(struct corpus *corpus) {
  corpus->random ^= corpus->random << 13;
  corpus->random ^= corpus->random >> 7;
  corpus->random ^= corpus->random << 17;
  return corpus->random;
}

// 0 to limit - 1; 0 when limit is 0.
static size_t pick(struct corpus *corpus, size_t limit) {
  return limit > 0 ? (size_t)(next_random(corpus) % limit) : 0;
}

static void load_file(struct corpus *corpus, const char *path) {
  if (corpus->count == FILES_MAX) fail("too many files", path);
  FILE *stream = fopen(path, "rb");
  if (!stream) fail("cannot open", path);
  struct file *file = &corpus->files[corpus->count++];
  file->bytes = malloc(FILE_BYTES_MAX + 1);
  file->path = strdup(path);
  if (!file->bytes || !file->path) fail("no memory", path);
  file->len = fread(file->bytes, 1, FILE_BYTES_MAX + 1, stream);
  if (ferror(stream) || file->len > FILE_BYTES_MAX) fail("cannot read, or too large", path);
  fclose(stream);
}

static void load(struct corpus *corpus, const char *path) {
  struct stat info;
  if (stat(path, &info) != 0) fail("no such corpus", path);
  if (!S_ISDIR(info.st_mode)) {
    load_file(corpus, path);
    return;
  }
  struct dirent **entries;
  int count = scandir(path, &entries, NULL, alphasort);
  if (count < 0) fail("cannot list", path);
  for (int i = 0; i < count; i++) {
    char name[PATH_BYTES_MAX];
    int len = snprintf(name, sizeof name, "%s/%s", path, entries[i]->d_name);
    if (len < 0 || len >= (int)sizeof name) fail("path too long", path);
    if (stat(name, &info) == 0 && S_ISREG(info.st_mode)) load_file(corpus, name);
    free(entries[i]);
  }
  free(entries);
}

// The target gets memory of exactly this size, so that AddressSanitizer sees every byte too far.
static void run(struct corpus *corpus, const uint8_t *bytes, size_t len) {
  uint8_t *exact = malloc(len > 0 ? len : 1);
  if (!exact) fail("no memory", "input");
  if (len > 0) memcpy(exact, bytes, len);
  LLVMFuzzerTestOneInput(exact, len);
  free(exact);
  corpus->inputs++;
}

// Bytes that mean something to many formats: limits, varint ends, quotes and braces, line ends, UTF-8 leads.
static uint8_t interesting_byte(struct corpus *corpus) {
  static const uint8_t bytes[] = {0x00, 0x01, 0x7F, 0x80, 0xFF, '"', '\\', '{',  '}',  '[',  ']', ',',
                                  ':',  '\n', ' ',  '-',  '0',  '9', 'e',  0xC0, 0xE2, 0xED, 0xF4};
  return bytes[pick(corpus, sizeof bytes)];
}

// One change of `bytes`, which has room for INSERT_MAX more than `len`; returns the new length.
static size_t mutate(struct corpus *corpus, uint8_t *bytes, size_t len) {
  size_t at = pick(corpus, len);
  size_t count = 1 + pick(corpus, INSERT_MAX);
  if (count > len - at) count = len - at;
  const struct file *other = &corpus->files[pick(corpus, corpus->count)];
  switch (pick(corpus, 6)) {
  case 0: // a bit
    if (len > 0) bytes[at] ^= (uint8_t)(1u << pick(corpus, 8));
    return len;
  case 1: // a byte
    if (len > 0) bytes[at] = interesting_byte(corpus);
    return len;
  case 2: // something removed
    memmove(bytes + at, bytes + at + count, len - at - count);
    return len - count;
  case 3: // something twice
    memmove(bytes + at + count, bytes + at, len - at);
    return len + count;
  case 4: // bytes put in
    memmove(bytes + at + 1, bytes + at, len - at);
    bytes[at] = interesting_byte(corpus);
    return len + 1;
  default: // a piece of another file on top
    for (size_t i = 0, from = pick(corpus, other->len); i < count && from + i < other->len; i++) {
      bytes[at + i] = other->bytes[from + i];
    }
    return len;
  }
}

static void replay_file(struct corpus *corpus, const struct file *file) {
  run(corpus, file->bytes, file->len);
  size_t step = file->len / TRUNCATIONS_MAX + 1;
  for (size_t len = 0; len < file->len; len += step) run(corpus, file->bytes, len);
  uint8_t *bytes = malloc(file->len + 4 * INSERT_MAX);
  if (!bytes) fail("no memory", file->path);
  for (int i = 0; i < MUTATIONS; i++) {
    if (file->len > 0) memcpy(bytes, file->bytes, file->len);
    size_t len = file->len;
    for (size_t changes = 1 + pick(corpus, 4); changes > 0; changes--) len = mutate(corpus, bytes, len);
    run(corpus, bytes, len);
  }
  free(bytes);
}

int main(int argc, char **argv) {
  struct corpus *corpus = calloc(1, sizeof *corpus);
  if (!corpus || argc < 2) fail("usage", "fuzz_<parser> corpus...");
  corpus->random = UINT64_C(0x9E3779B97F4A7C15);
  for (int i = 1; i < argc; i++) load(corpus, argv[i]);
  if (corpus->count == 0) fail("the corpus is empty", argv[1]);
  for (size_t i = 0; i < corpus->count; i++) replay_file(corpus, &corpus->files[i]);
  printf("replay: %ju inputs from %zu files\n", (uintmax_t)corpus->inputs, corpus->count);
  for (size_t i = 0; i < corpus->count; i++) {
    free(corpus->files[i].path);
    free(corpus->files[i].bytes);
  }
  free(corpus);
  return 0;
}
