// SPDX-License-Identifier: Apache-2.0
//
// What events cost on their way into committed rows, and nothing else: batches of one size, one after another, of
// events that are already digested. For what a change of store/ does to CPU time (user and kernel apart), to system
// calls (under strace -c) and to instructions (under valgrind --tool=callgrind), on a machine that others use too.
//
//   bench_rows [events a batch, default 2400] [batches, default 20] [issues, default 50] [bytes, default 5000]
//              [directory for the data, default /tmp]
//
// The first half of the batches fills the database and is not counted.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/block.h"
#include "base/decompress.h"
#include "base/hash.h"
#include "base/log.h"
#include "collector/event_digest.h"
#include "sentry_payload.h"
#include "store/event_summary.h"
#include "store/issue_store.h"
#include "store/project_store.h"
#include "store/record_facts.h"

#define DISTINCT 500

struct sample {
  struct buffer section, body;
  size_t raw_bytes;
};

struct bench {
  char directory[256], path[300];
  uint32_t batch_events, batches, issues, bytes;
  struct database *database;
  struct issue_store *store;
  struct sample samples[DISTINCT];
  struct issue_batch batch;
};

static void must(enum status status, const struct error *error) {
  if (status == STATUS_OK) return;
  fprintf(stderr, "bench_rows: %s: %s\n", status_name(status), error->text);
  exit(1);
}

static void open_all(struct bench *bench, const char *base) {
  struct error error = {0};
  struct project project;
  snprintf(bench->directory, sizeof bench->directory, "%s/culprit-rows-XXXXXX", base);
  if (!mkdtemp(bench->directory)) exit(1);
  snprintf(bench->path, sizeof bench->path, "%s/culprit.db", bench->directory);
  must(database_open(&(struct database_options){.path = bench->path}, &bench->database, &error), &error);
  must(project_store_ensure_default(bench->database, clock_system(), &project, &error), &error);
  const struct issue_store_options options = {.database = bench->database, .clock = clock_system()};
  must(issue_store_open(&options, &bench->store, &error), &error);
  must(issue_batch_init(&bench->batch), &error);
}

// The event's JSON is the third line of the envelope.
static void make_sample(struct bench *bench, struct event_digest *digest, struct slice envelope, uint32_t index) {
  struct error error = {0};
  struct buffer text;
  buffer_init(&text, 1 << 22);
  must(decompress(ENCODING_GZIP, envelope, &text, &error), &error);
  struct slice rest = buffer_slice(&text);
  for (int line = 0; line < 2; line++) rest = slice_skip(rest, slice_find_byte(rest, '\n') + 1);
  struct slice document = slice_sub(rest, 0, slice_find_byte(rest, '\n'));
  const struct event_digest_options options = {.project = PROJECT_STORE_DEFAULT,
                                               .received_ns = clock_wall_ns(clock_system())};
  struct event_digest_record record;
  must(event_digest_make(digest, &options, document, &record, &error), &error);
  struct sample *sample = &bench->samples[index];
  buffer_init(&sample->section, 1 << 20);
  buffer_init(&sample->body, 1 << 22);
  struct record_facts facts;
  must(record_facts_decode(record.section, &facts), &error);
  buffer_append_slice(&sample->section, facts.more);
  must(block_compress(BLOCK_FAST, record.body, &sample->body), &error);
  sample->raw_bytes = record.body.len;
  buffer_finish(&text);
}

static void make_samples(struct bench *bench) {
  struct error error = {0};
  struct grouping_config *grouping = NULL;
  must(grouping_config_create(&(struct grouping_config_options){0}, &grouping, &error), &error);
  const struct sentry_payload_options shape = {
      .distinct = DISTINCT, .issues = bench->issues, .bytes = bench->bytes, .seed = 1};
  struct sentry_payload *payload = sentry_payload_create(&shape);
  struct event_digest_pool *pool = event_digest_pool_create(
      &(struct inbox_grouping_options){.database = bench->database, .clock = clock_system(), .program = grouping});
  struct event_digest *digest = event_digest_take(pool);
  for (uint32_t i = 0; i < DISTINCT; i++) make_sample(bench, digest, sentry_payload_next(payload, i), i);
  event_digest_give(pool, digest);
  event_digest_pool_destroy(pool);
  sentry_payload_destroy(payload);
  grouping_config_destroy(grouping);
}

// Events of one issue follow each other at random distances, as they do in life.
static void fill(struct bench *bench, uint64_t *number) {
  struct event_summary summary;
  struct error error = {0};
  for (uint32_t i = 0; i < bench->batch_events && !issue_batch_is_full(&bench->batch); i++, ++*number) {
    const struct sample *sample = &bench->samples[*number * 7919 % DISTINCT];
    must(event_summary_decode(buffer_slice(&sample->section), &summary), &error);
    uint64_t ids[4] = {random_u64(), random_u64(), random_u64(), random_u64()};
    memcpy(summary.event.event_id, ids, ISSUE_EVENT_ID_BYTES);
    summary.event.trace_id = slice_make((const uint8_t *)(ids + 2), 16);
    summary.event.project = PROJECT_STORE_DEFAULT;
    summary.event.received_ns = clock_wall_ns(clock_system());
    summary.event.timestamp_ns = summary.event.received_ns;
    summary.event.compressed = buffer_slice(&sample->body);
    summary.event.compressed_raw_bytes = sample->raw_bytes;
    must(issue_batch_add(&bench->batch, &summary.event), &error);
  }
}

static struct rusage usage_now(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return usage;
}

static double micros(struct timeval from, struct timeval to) {
  return (double)(to.tv_sec - from.tv_sec) * 1e6 + (double)(to.tv_usec - from.tv_usec);
}

struct cost {
  double user_us, kernel_us, events;
};

static void add_cost(struct cost *cost, const struct rusage *before, uint32_t events) {
  struct rusage after = usage_now();
  cost->user_us += micros(before->ru_utime, after.ru_utime);
  cost->kernel_us += micros(before->ru_stime, after.ru_stime);
  cost->events += events;
}

static double file_mib(const char *path, const char *ending) {
  char name[320];
  struct stat info;
  snprintf(name, sizeof name, "%s%s", path, ending);
  return stat(name, &info) == 0 ? (double)info.st_size / (1 << 20) : 0;
}

int main(int count, char **arguments) {
  static struct bench bench; // large
  bench.batch_events = count > 1 ? (uint32_t)strtoul(arguments[1], NULL, 10) : 2400;
  bench.batches = count > 2 ? (uint32_t)strtoul(arguments[2], NULL, 10) : 20;
  bench.issues = count > 3 ? (uint32_t)strtoul(arguments[3], NULL, 10) : 50;
  bench.bytes = count > 4 ? (uint32_t)strtoul(arguments[4], NULL, 10) : 5000;
  log_set_level(LOG_ERROR);
  open_all(&bench, count > 5 ? arguments[5] : "/tmp");
  make_samples(&bench);
  struct error error = {0};
  struct cost cost = {0};
  uint64_t number = 0;
  for (uint32_t i = 0; i < bench.batches; i++) {
    struct issue_store_outcome outcome;
    fill(&bench, &number);
    struct rusage before = usage_now();
    must(issue_store_write(bench.store, &bench.batch, "bench", number, &outcome, &error), &error);
    if (i >= bench.batches / 2) add_cost(&cost, &before, bench.batch.count);
    issue_batch_clear(&bench.batch);
  }
  size_t stored = 0;
  for (uint32_t i = 0; i < DISTINCT; i++) stored += bench.samples[i].body.len;
  printf("%u events of %u bytes (%zu stored) a batch, %u issues: %.1f us user + %.1f us kernel an event; "
         "%.0f MiB database, %.0f MiB log\n",
         bench.batch_events, bench.bytes, stored / DISTINCT, bench.issues, cost.user_us / cost.events,
         cost.kernel_us / cost.events, file_mib(bench.path, ""), file_mib(bench.path, "-wal"));
  issue_store_close(bench.store);
  database_close(bench.database);
  char command[400];
  snprintf(command, sizeof command, "rm -rf '%s'", bench.directory);
  return system(command) != 0;
}
