// SPDX-License-Identifier: Apache-2.0
//
// What one error event costs on the receiver's thread, in its parts, one thread: to decompress, to parse, to scrub, to
// be made a journal record of (parsing and scrubbing included), to compress. Under valgrind's callgrind a few events
// show where the instructions go: bench_digest 50000 20 valgrind
//
//   bench_digest [BYTES [EVENTS]]
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/block.h"
#include "base/clock.h"
#include "base/decompress.h"
#include "base/log.h"
#include "collector/event_digest.h"
#include "sentry_payload.h"

#define DISTINCT 20

struct bench {
  struct sentry_payload *payload;
  struct slice sent[DISTINCT], event[DISTINCT];
  struct buffer text[DISTINCT], scratch, meta;
  struct json_parser *parser, *inner;
  struct scrub *scrub;
  struct grouping_config *grouping;
  struct database *database;
  char directory[64];
  struct event_digest_pool *pool;
  struct buffer body[DISTINCT]; // of the record
};

static void run_decompress(struct bench *bench, uint32_t i) {
  buffer_clear(&bench->scratch);
  ASSERT(decompress(ENCODING_GZIP, bench->sent[i], &bench->scratch, NULL) == STATUS_OK);
}

static void run_parse(struct bench *bench, uint32_t i) {
  struct json_value root;
  ASSERT(json_parse(bench->parser, bench->event[i], &root, NULL) == STATUS_OK);
}

static void run_scrub(struct bench *bench, uint32_t i) {
  struct json_value root;
  bool changed;
  buffer_clear(&bench->meta);
  ASSERT(json_parse(bench->parser, bench->event[i], &root, NULL) == STATUS_OK);
  ASSERT(scrub_event(bench->scrub, root, bench->inner, &bench->meta, &changed) == STATUS_OK && changed);
}

static void run_digest(struct bench *bench, uint32_t i) {
  const struct event_digest_options options = {
      .scrub = bench->scrub, .project = 1, .received_ns = clock_wall_ns(clock_system())};
  struct event_digest *digest = event_digest_take(bench->pool);
  struct event_digest_record record;
  ASSERT(event_digest_make(digest, &options, bench->event[i], &record, NULL) == STATUS_OK);
  buffer_clear(&bench->body[i]);
  buffer_append_slice(&bench->body[i], record.body);
  event_digest_give(bench->pool, digest);
}

static void run_compress(struct bench *bench, uint32_t i) {
  buffer_clear(&bench->scratch);
  ASSERT(block_compress(BLOCK_FAST, buffer_slice(&bench->body[i]), &bench->scratch) == STATUS_OK);
}

static void measure(const char *name, struct bench *bench, void (*run)(struct bench *bench, uint32_t i),
                    uint32_t events) {
  for (uint32_t i = 0; i < DISTINCT; i++) run(bench, i);
  clock_t start = clock();
  for (uint32_t i = 0; i < events; i++) run(bench, i % DISTINCT);
  printf("  %-12s %8.1f us\n", name, (double)(clock() - start) * 1e6 / CLOCKS_PER_SEC / events);
}

static void make(struct bench *bench, uint32_t bytes) {
  const struct sentry_payload_options shape = {.distinct = DISTINCT, .issues = 10, .bytes = bytes, .seed = 1};
  bench->payload = sentry_payload_create(&shape);
  bench->parser = json_parser_create(1 << 24);
  bench->inner = json_parser_create(1 << 24);
  bench->scrub = scrub_create(&(struct scrub_options){.enabled = true, .defaults = true});
  ASSERT(grouping_config_create(&(struct grouping_config_options){0}, &bench->grouping, NULL) == STATUS_OK);
  snprintf(bench->directory, sizeof bench->directory, "/tmp/culprit-bench-XXXXXX");
  ASSERT(mkdtemp(bench->directory) != NULL);
  char path[80];
  snprintf(path, sizeof path, "%s/culprit.db", bench->directory);
  ASSERT(database_open(&(struct database_options){.path = path}, &bench->database, NULL) == STATUS_OK);
  const struct inbox_grouping_options grouping = {
      .database = bench->database, .clock = clock_system(), .program = bench->grouping};
  bench->pool = event_digest_pool_create(&grouping);
  buffer_init(&bench->scratch, 1 << 24);
  buffer_init(&bench->meta, 1 << 24);
  for (uint32_t i = 0; i < DISTINCT; i++) {
    buffer_init(&bench->text[i], 1 << 24);
    buffer_init(&bench->body[i], 1 << 24);
    bench->sent[i] = sentry_payload_next(bench->payload, i);
    ASSERT(decompress(ENCODING_GZIP, bench->sent[i], &bench->text[i], NULL) == STATUS_OK);
    struct slice envelope = buffer_slice(&bench->text[i]); // two lines of headers, then the event
    for (int line = 0; line < 2; line++) envelope = slice_skip(envelope, slice_find_byte(envelope, '\n') + 1);
    bench->event[i] = slice_trim(envelope);
  }
}

static void drop(struct bench *bench) {
  for (uint32_t i = 0; i < DISTINCT; i++) {
    buffer_finish(&bench->text[i]);
    buffer_finish(&bench->body[i]);
  }
  buffer_finish(&bench->scratch);
  buffer_finish(&bench->meta);
  event_digest_pool_destroy(bench->pool);
  database_close(bench->database);
  char command[100];
  snprintf(command, sizeof command, "rm -rf '%s'", bench->directory);
  if (system(command) != 0) fprintf(stderr, "bench_digest: %s stays behind\n", bench->directory);
  grouping_config_destroy(bench->grouping);
  scrub_destroy(bench->scrub);
  json_parser_destroy(bench->parser);
  json_parser_destroy(bench->inner);
  sentry_payload_destroy(bench->payload);
}

int main(int count, char **arguments) {
  uint32_t only = count > 1 ? (uint32_t)strtoul(arguments[1], NULL, 10) : 0;
  uint32_t events = count > 2 ? (uint32_t)strtoul(arguments[2], NULL, 10) : 2000;
  static const uint32_t sizes[] = {50000, 5000};
  log_set_level(LOG_ERROR);
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    if (only && only != sizes[i]) continue;
    struct bench bench = {0};
    make(&bench, sizes[i]);
    printf("events of %zu bytes, %zu sent, CPU time of one\n", bench.event[0].len, bench.sent[0].len);
    measure("decompress", &bench, run_decompress, events);
    measure("parse", &bench, run_parse, events);
    measure("scrub", &bench, run_scrub, events);
    measure("digest", &bench, run_digest, events);
    measure("compress", &bench, run_compress, events);
    drop(&bench);
  }
  return 0;
}
