// SPDX-License-Identifier: Apache-2.0
//
// How fast errors go from the intake journal into committed rows, on the inbox's one thread. SDK events of 50 KB and
// 5 KB (frames with local variables, breadcrumbs), as a flood of one issue, as errors of fifty issues, and as a new
// issue each. The journal is filled, with what the receiver made of the events, before the clock starts.
//
//   bench_inbox [events per line, default 4000] [directory for the data, default /tmp] [one line only: its number]
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/hash.h"
#include "base/log.h"
#include "collector/event_digest.h"
#include "collector/inbox.h"
#include "store/project_store.h"

struct shape {
  const char *name;
  uint32_t issues; // the events are spread over
  size_t bytes;
};

struct bench {
  char directory[256];
  struct metrics *metrics;
  struct journal *journal;
  struct database *database;
  struct issue_store *issues;
  struct correlation *correlation;
  struct grouping_config *grouping;
};

static void must(enum status status, const struct error *error) {
  if (status == STATUS_OK) return;
  fprintf(stderr, "bench_inbox: %s\n", error->text);
  exit(1);
}

static const char *path_of(const struct bench *bench, const char *name, char out[512]) {
  snprintf(out, 512, "%s/%s", bench->directory, name);
  return out;
}

static void open_all(struct bench *bench) {
  struct error error = {0};
  char journal[512], quarantine[512], database[512];
  struct journal_options options = {.name = "intake",
                                    .directory = path_of(bench, "intake", journal),
                                    .quarantine_directory = path_of(bench, "quarantine", quarantine),
                                    .sync = JOURNAL_SYNC_NEVER,
                                    .clock = clock_system()};
  must(journal_open(&options, &bench->journal, &error), &error);
  struct database_options database_options = {.path = path_of(bench, "culprit.db", database)};
  must(database_open(&database_options, &bench->database, &error), &error);
  struct project project;
  must(project_store_ensure_default(bench->database, clock_system(), &project, &error), &error);
  struct issue_store_options store = {
      .database = bench->database, .clock = clock_system(), .groups_per_day_max = UINT32_MAX};
  must(issue_store_open(&store, &bench->issues, &error), &error);
  bench->metrics = metrics_create();
  bench->correlation = correlation_create(NULL, 0);
  must(grouping_config_create(&(struct grouping_config_options){0}, &bench->grouping, &error), &error);
}

static void close_all(struct bench *bench) {
  issue_store_close(bench->issues);
  database_close(bench->database);
  journal_close(bench->journal);
  grouping_config_destroy(bench->grouping);
  correlation_destroy(bench->correlation);
  metrics_destroy(bench->metrics);
  char command[400];
  snprintf(command, sizeof command, "rm -rf '%s'", bench->directory);
  if (system(command) != 0) fprintf(stderr, "bench_inbox: %s stays behind\n", bench->directory);
}

static void write_frame(struct buffer *out, uint32_t issue, uint32_t number) {
  buffer_printf(
      out,
      "%s{\"function\":\"handle_%u_%u\",\"module\":\"shop.views.part%u\",\"filename\":\"shop/views/part%u.py\","
      "\"abs_path\":\"/srv/app/shop/views/part%u.py\",\"lineno\":%u,\"in_app\":true,"
      "\"context_line\":\"    return checkout(cart, user=request.user, retry=%u)\","
      "\"pre_context\":[\"def handle(request):\",\"    cart = load(request)\"],\"vars\":{",
      number ? "," : "", number, issue, number, number, number, 10 + number, number);
  for (uint32_t i = 0; i < 8; i++) {
    buffer_printf(out, "%s\"variable_%u\":\"<Cart id=%u total=%u.%02u currency='EUR' items=[%u, %u, %u]>\"",
                  i ? "," : "", i, number * 77 + i, issue % 1000, i, number, i, number + i);
  }
  buffer_append_cstr(out, "}}");
}

// One event of about `bytes`, of the issue, never the same twice.
static void write_event(struct buffer *out, uint32_t number, uint32_t issue, size_t bytes) {
  uint64_t id[2] = {random_u64(), random_u64()};
  buffer_clear(out);
  buffer_printf(out,
                "{\"event_id\":\"%016llx%016llx\",\"platform\":\"python\",\"level\":\"error\",\"timestamp\":%llu,"
                "\"release\":\"shop@1.4.%u\",\"environment\":\"production\",\"server_name\":\"web-%u\","
                "\"transaction\":\"/cart/checkout\",\"tags\":{\"browser\":\"Firefox\",\"region\":\"eu-%u\"},"
                "\"contexts\":{\"trace\":{\"trace_id\":\"%016llx%016llx\",\"span_id\":\"%016llx\"}},"
                "\"exception\":{\"values\":[{\"type\":\"CheckoutError\",\"value\":\"cart %u could not be paid\","
                "\"mechanism\":{\"type\":\"django\",\"handled\":false},\"stacktrace\":{\"frames\":[",
                (unsigned long long)id[0], (unsigned long long)id[1],
                (unsigned long long)(clock_wall_ns(clock_system()) / NS_PER_S), number % 3, number % 20, number % 5,
                (unsigned long long)id[1], (unsigned long long)id[0], (unsigned long long)id[0], number);
  for (uint32_t frame = 0; out->len < bytes * 7 / 10; frame++) write_frame(out, issue, frame);
  buffer_append_cstr(out, "]}}]},\"breadcrumbs\":{\"values\":[");
  for (uint32_t crumb = 0; out->len < bytes - 200; crumb++) {
    buffer_printf(out,
                  "%s{\"type\":\"http\",\"category\":\"httplib\",\"timestamp\":%u,\"data\":{\"url\":"
                  "\"http://payments.internal/v1/charge/%u\",\"method\":\"POST\",\"status_code\":200}}",
                  crumb ? "," : "", 1700000000 + crumb, number + crumb);
  }
  buffer_append_cstr(out, "]}}");
}

static double seconds(void) {
  return (double)clock_monotonic_ns(clock_system()) / 1e9;
}

static double cpu_seconds(void) {
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void fill_journal(struct bench *bench, const struct shape *shape, uint32_t events) {
  struct error error = {0};
  struct buffer event;
  buffer_init(&event, 1 << 20);
  const struct inbox_grouping_options grouping = {
      .database = bench->database, .clock = clock_system(), .program = bench->grouping};
  struct event_digest_pool *pool = event_digest_pool_create(&grouping);
  struct event_digest *digest = event_digest_take(pool);
  for (uint32_t i = 0; i < events; i++) {
    write_event(&event, i, i % shape->issues, shape->bytes);
    const struct event_digest_options options = {.project = PROJECT_STORE_DEFAULT,
                                                 .received_ns = clock_wall_ns(clock_system())};
    struct event_digest_record record;
    must(event_digest_make(digest, &options, buffer_slice(&event), &record, &error), &error);
    struct journal_entry entry = {.kind = JOURNAL_EVENTS,
                                  .project = options.project,
                                  .item_count = 1,
                                  .received_ns = options.received_ns,
                                  .section = record.section,
                                  .body = record.body};
    while (journal_append(bench->journal, &entry, NULL, NULL, &error) != STATUS_OK) journal_flush(bench->journal);
  }
  journal_flush(bench->journal);
  event_digest_give(pool, digest);
  event_digest_pool_destroy(pool);
  buffer_finish(&event);
}

static void run(const struct shape *shape, uint32_t events, const char *base) {
  struct bench bench = {0};
  struct error error = {0};
  snprintf(bench.directory, sizeof bench.directory, "%s/culprit-bench-XXXXXX", base);
  if (!mkdtemp(bench.directory)) exit(1);
  open_all(&bench);
  fill_journal(&bench, shape, events);
  char attempt[512];
  struct inbox *inbox = NULL;
  struct inbox_options options = {.journal = bench.journal,
                                  .database = bench.database,
                                  .issues = bench.issues,
                                  .correlation = bench.correlation,
                                  .grouping = bench.grouping,
                                  .attempt_path = path_of(&bench, "inbox.attempt", attempt),
                                  .clock = clock_system(),
                                  .metrics = bench.metrics};
  double start = seconds(), cpu = cpu_seconds();
  must(inbox_start(&options, &inbox, &error), &error);
  const struct timespec pause = {.tv_nsec = 1000000};
  while (inbox_cursor(inbox) <= events) nanosleep(&pause, NULL);
  double wall = seconds() - start;
  cpu = cpu_seconds() - cpu;
  struct inbox_counts counts = inbox_counts(inbox);
  inbox_stop(inbox);
  printf("%-26s %6zu bytes %8.0f events/s %8.1f us CPU an event  %6llu issues %6llu events\n", shape->name,
         shape->bytes, (double)events / wall, cpu * 1e6 / events, (unsigned long long)counts.issues,
         (unsigned long long)counts.events);
  fflush(stdout);
  close_all(&bench);
}

int main(int count, char **arguments) {
  uint32_t events = count > 1 ? (uint32_t)strtoul(arguments[1], NULL, 10) : 4000;
  static const struct shape shapes[] = {
      {"one issue", 1, 50000}, {"fifty issues", 50, 50000}, {"a new issue each", UINT32_MAX, 50000},
      {"one issue", 1, 5000},  {"fifty issues", 50, 5000},  {"a new issue each", UINT32_MAX, 5000}};
  log_set_level(LOG_ERROR);
  size_t only = count > 3 ? strtoul(arguments[3], NULL, 10) : 0;
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    if (only != 0 && i + 1 != only) continue;
    run(&shapes[i], events, count > 2 ? arguments[2] : "/tmp");
  }
  return 0;
}
