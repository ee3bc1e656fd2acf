// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "death.h"

// Writes everything and returns the text of the families whose names begin with `prefix`; free() it.
static char *written(struct metrics *metrics, const char *prefix) {
  struct buffer out;
  buffer_init(&out, 8 << 20);
  metrics_write(metrics, &out);
  assert_false(out.failed);
  assert_int_equal(buffer_append_byte(&out, 0), STATUS_OK);
  char *kept = calloc(1, out.len);
  assert_non_null(kept);
  size_t len = 0;
  for (const char *line = (const char *)out.ptr; *line; line = strchr(line, '\n') + 1) {
    const char *name = strncmp(line, "# ", 2) == 0 ? line + 7 : line; // "# HELP " and "# TYPE "
    size_t line_len = (size_t)(strchr(line, '\n') + 1 - line);
    if (strncmp(name, prefix, strlen(prefix)) == 0) memcpy(kept + len, line, line_len), len += line_len;
  }
  buffer_finish(&out);
  return kept;
}

static void assert_written(struct metrics *metrics, const char *prefix, const char *expected) {
  char *text = written(metrics, prefix);
  assert_string_equal(text, expected);
  free(text);
}

static void test_counters_and_gauges(void **state) {
  (void)state;
  struct metrics *metrics = metrics_create();
  struct metrics_value *depth = metrics_series(metrics, METRICS_GAUGE, "test_queue_depth", "", "How\nmany \\ wait.");
  struct metrics_value *spans =
      metrics_series(metrics, METRICS_COUNTER, "test_items_total", "signal=\"spans\"", "Items.");
  struct metrics_value *logs =
      metrics_series(metrics, METRICS_COUNTER, "test_items_total", "signal=\"logs\"", "Items.");
  assert_ptr_equal(metrics_series(metrics, METRICS_COUNTER, "test_items_total", "signal=\"spans\"", "Items."), spans);
  assert_ptr_not_equal(spans, logs);
  metrics_add(spans, 3);
  metrics_add(spans, 4);
  metrics_set(depth, 9);
  metrics_set(depth, 2);
  assert_int_equal(metrics_get(spans), 7);
  assert_written(metrics, "test_",
                 "# HELP test_items_total Items.\n# TYPE test_items_total counter\n"
                 "test_items_total{signal=\"spans\"} 7\ntest_items_total{signal=\"logs\"} 0\n"
                 "# HELP test_queue_depth How\\nmany \\\\ wait.\n# TYPE test_queue_depth gauge\ntest_queue_depth 2\n");
  metrics_destroy(metrics);
  metrics_destroy(NULL);
}

static void test_histogram(void **state) {
  (void)state;
  struct metrics *metrics = metrics_create();
  struct metrics_histogram *histogram = metrics_histogram(metrics, "test_wait_seconds", "door=\"grpc\"", "Waits.");
  assert_ptr_equal(metrics_histogram(metrics, "test_wait_seconds", "door=\"grpc\"", "Waits."), histogram);
  assert_int_equal(metrics_quantile_ns(histogram, 0.5), 0);
  metrics_observe_ns(histogram, 0);
  metrics_observe_ns(histogram, 500 * NS_PER_US); // a bound belongs to its own bucket
  metrics_observe_ns(histogram, 500 * NS_PER_US + 1);
  metrics_observe_ns(histogram, 3 * NS_PER_S);
  metrics_observe_ns(histogram, 60 * NS_PER_S);
  assert_written(metrics, "test_",
                 "# HELP test_wait_seconds Waits.\n# TYPE test_wait_seconds histogram\n"
                 "test_wait_seconds_bucket{door=\"grpc\",le=\"0.0005\"} 2\n"
                 "test_wait_seconds_bucket{door=\"grpc\",le=\"0.001\"} 3\n"
                 "test_wait_seconds_bucket{door=\"grpc\",le=\"0.0025\"} 3\n"
                 "test_wait_seconds_bucket{door=\"grpc\",le=\"0.005\"} 3\n"
                 "test_wait_seconds_bucket{door=\"grpc\",le=\"0.01\"} 3\n"
                 "test_wait_seconds_bucket{door=\"grpc\",le=\"0.025\"} 3\n"
                 "test_wait_seconds_bucket{door=\"grpc\",le=\"0.05\"} 3\n"
                 "test_wait_seconds_bucket{door=\"grpc\",le=\"0.1\"} 3\n"
                 "test_wait_seconds_bucket{door=\"grpc\",le=\"0.25\"} 3\n"
                 "test_wait_seconds_bucket{door=\"grpc\",le=\"0.5\"} 3\n"
                 "test_wait_seconds_bucket{door=\"grpc\",le=\"1\"} 3\n"
                 "test_wait_seconds_bucket{door=\"grpc\",le=\"2.5\"} 3\n"
                 "test_wait_seconds_bucket{door=\"grpc\",le=\"5\"} 4\n"
                 "test_wait_seconds_bucket{door=\"grpc\",le=\"10\"} 4\n"
                 "test_wait_seconds_bucket{door=\"grpc\",le=\"+Inf\"} 5\n"
                 "test_wait_seconds_sum{door=\"grpc\"} 63.001000001\n"
                 "test_wait_seconds_count{door=\"grpc\"} 5\n");
  metrics_destroy(metrics);
}

static void test_quantiles(void **state) {
  (void)state;
  struct metrics *metrics = metrics_create();
  struct metrics_histogram *histogram = metrics_histogram(metrics, "test_seconds", "", "Waits.");
  for (int i = 0; i < 90; i++) metrics_observe_ns(histogram, 7 * NS_PER_MS);   // bucket 5 to 10 ms
  for (int i = 0; i < 10; i++) metrics_observe_ns(histogram, 700 * NS_PER_MS); // bucket 0.5 to 1 s
  assert_int_equal(metrics_quantile_ns(histogram, 0.45), 7500 * NS_PER_US);
  assert_int_equal(metrics_quantile_ns(histogram, 0.9), 10 * NS_PER_MS);
  assert_int_equal(metrics_quantile_ns(histogram, 0.95), 750 * NS_PER_MS);
  assert_int_equal(metrics_quantile_ns(histogram, 1), NS_PER_S);
  for (int i = 0; i < 1000; i++) metrics_observe_ns(histogram, UINT64_C(3600) * NS_PER_S);
  assert_int_equal(metrics_quantile_ns(histogram, 0.99), 10 * NS_PER_S);
  metrics_destroy(metrics);
}

static void test_families_are_sorted_and_once(void **state) {
  (void)state;
  struct metrics *metrics = metrics_create();
  static const char *const names[] = {"m", "zz", "a", "process_zebra", "mm", "culprit_b_total", "culprit_a_total"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) metrics_series(metrics, METRICS_GAUGE, names[i], "", "x");
  char *text = written(metrics, "");
  char last[128] = "";
  size_t families = 0;
  for (const char *at = text; (at = strstr(at, "# TYPE ")) != NULL; families++) {
    char name[128];
    at += strlen("# TYPE ");
    size_t len = strcspn(at, " ");
    memcpy(name, at, len);
    name[len] = '\0';
    assert_true(strcmp(last, name) < 0);
    memcpy(last, name, len + 1);
  }
  assert_int_equal(families, sizeof names / sizeof *names + 7);
  free(text);
  metrics_destroy(metrics);
}

static double sample(const char *text, const char *name) {
  char start[128];
  snprintf(start, sizeof start, "\n%s ", name);
  const char *at = strstr(text, start);
  assert_non_null(at);
  return strtod(at + strlen(start), NULL);
}

static void test_process(void **state) {
  (void)state;
  struct metrics *metrics = metrics_create();
  char *before = written(metrics, "process_");
  int fd = dup(STDOUT_FILENO);
  char *after = written(metrics, "process_");
  close(fd);
  double now = (double)clock_wall_ns(clock_system()) / 1e9;
  double start = sample(after, "process_start_time_seconds");
  assert_true(start <= now + 1 && start > now - 3600);
  assert_true(sample(after, "process_resident_memory_bytes") > 100e3);
  assert_true(sample(after, "process_virtual_memory_bytes") > sample(after, "process_resident_memory_bytes"));
  assert_true(sample(after, "process_cpu_seconds_total") > 0);
  assert_true(sample(after, "process_cpu_seconds_total") >= sample(before, "process_cpu_seconds_total"));
  assert_true(sample(after, "process_open_fds") == sample(before, "process_open_fds") + 1);
  assert_true(sample(after, "process_max_fds") >= sample(after, "process_open_fds"));
  assert_true(sample(after, "process_threads") >= 1);
  free(before);
  free(after);
  metrics_destroy(metrics);
}

struct collected {
  struct metrics *metrics;
  uint64_t calls;
};

static void collect(void *context) {
  struct collected *collected = context;
  collected->calls++;
  metrics_set(metrics_series(collected->metrics, METRICS_GAUGE, "test_calls", "", "Calls."), collected->calls);
}

static void test_on_collect(void **state) {
  (void)state;
  struct metrics *metrics = metrics_create();
  struct collected collected = {.metrics = metrics};
  metrics_on_collect(metrics, collect, &collected);
  assert_written(metrics, "test_", "# HELP test_calls Calls.\n# TYPE test_calls gauge\ntest_calls 1\n");
  assert_written(metrics, "test_", "# HELP test_calls Calls.\n# TYPE test_calls gauge\ntest_calls 2\n");
  metrics_destroy(metrics);
}

static void test_too_many_series(void **state) {
  (void)state;
  struct metrics *metrics = metrics_create();
  struct metrics_value *first = metrics_series(metrics, METRICS_COUNTER, "test_total", "n=\"0\"", "x");
  for (int i = 1; i < METRICS_SERIES_MAX + 10; i++) {
    char labels[32];
    snprintf(labels, sizeof labels, "n=\"%d\"", i);
    assert_non_null(metrics_series(metrics, METRICS_COUNTER, "test_total", labels, "x"));
  }
  struct metrics_value *over = metrics_series(metrics, METRICS_COUNTER, "test_total", "n=\"over\"", "x");
  assert_ptr_equal(metrics_series(metrics, METRICS_GAUGE, "test_other", "", "x"), over);
  assert_ptr_equal(metrics_series(metrics, METRICS_COUNTER, "test_total", "n=\"0\"", "x"), first);
  metrics_observe_ns(metrics_histogram(metrics, "test_seconds", "", "x"), 1);
  metrics_add(over, 5);
  char *text = written(metrics, "culprit_metrics_overflow_total");
  assert_non_null(strstr(text, "\nculprit_metrics_overflow_total 5\n"));
  free(text);
  metrics_destroy(metrics);
}

static void test_escape(void **state) {
  (void)state;
  struct buffer out;
  buffer_init(&out, 256);
  metrics_escape(&out, SLICE_LITERAL("a\"b\\c\nd\xFF\xE2\x82\xAC"));
  assert_int_equal(buffer_append_byte(&out, 0), STATUS_OK);
  assert_string_equal((const char *)out.ptr, "a\\\"b\\\\c\\nd\xEF\xBF\xBD\xE2\x82\xAC");
  buffer_finish(&out);
}

#define THREADS 4
#define ROUNDS  5000

static void update(void *context) {
  struct metrics *metrics = context;
  struct metrics_value *value = metrics_series(metrics, METRICS_COUNTER, "test_total", "", "x");
  struct metrics_histogram *histogram = metrics_histogram(metrics, "test_seconds", "", "x");
  for (uint64_t i = 0; i < ROUNDS; i++) {
    metrics_add(value, 1);
    metrics_observe_ns(histogram, i * NS_PER_MS);
  }
}

// Writing while others update: what is written is consistent in itself, and nothing is lost.
static void test_threads(void **state) {
  (void)state;
  struct metrics *metrics = metrics_create();
  struct thread threads[THREADS];
  for (int i = 0; i < THREADS; i++) assert_int_equal(thread_start(&threads[i], "updater", update, metrics), STATUS_OK);
  for (int i = 0; i < 20; i++) free(written(metrics, "test_"));
  for (int i = 0; i < THREADS; i++) thread_join(&threads[i]);
  char *text = written(metrics, "test_");
  assert_true(sample(text, "test_total") == THREADS * ROUNDS);
  assert_true(sample(text, "test_seconds_count") == THREADS * ROUNDS);
  free(text);
  metrics_destroy(metrics);
}

static void bad_name(void) {
  metrics_series(metrics_create(), METRICS_COUNTER, "bad-name", "", "x");
}

static void two_kinds(void) {
  struct metrics *metrics = metrics_create();
  metrics_series(metrics, METRICS_COUNTER, "test_total", "", "x");
  metrics_series(metrics, METRICS_GAUGE, "test_total", "", "x");
}

static void test_misuse_is_a_failed_assertion(void **state) {
  (void)state;
  assert_true(dies(bad_name));
  assert_true(dies(two_kinds));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_counters_and_gauges),
      cmocka_unit_test(test_histogram),
      cmocka_unit_test(test_quantiles),
      cmocka_unit_test(test_families_are_sorted_and_once),
      cmocka_unit_test(test_process),
      cmocka_unit_test(test_on_collect),
      cmocka_unit_test(test_too_many_series),
      cmocka_unit_test(test_escape),
      cmocka_unit_test(test_threads),
      cmocka_unit_test(test_misuse_is_a_failed_assertion),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
