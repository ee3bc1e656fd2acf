// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "collector/config.h"

static struct config_problems problems;

// Writes `text` to a file, loads it, removes the file.
static enum status load(const char *text, char *const *environment, struct options *options) {
  char path[] = "/tmp/culprit-config-XXXXXX";
  int fd = mkstemp(path);
  assert_true(fd >= 0);
  assert_int_equal(write(fd, text, strlen(text)), strlen(text));
  close(fd);
  enum status status = config_load(path, environment, options, &problems);
  unlink(path);
  return status;
}

static void expect_problem(const char *text, char *const *environment, const char *where, const char *words) {
  struct options options;
  assert_int_equal(load(text, environment, &options), STATUS_INVALID);
  assert_true(problems.count >= 1);
  if (!strstr(problems.items[0].text, where) || !strstr(problems.items[0].text, words)) {
    fail_msg("'%s' says neither '%s' nor '%s'", problems.items[0].text, where, words);
  }
}

static void test_defaults_need_no_file(void **state) {
  (void)state;
  struct options options;
  assert_int_equal(config_load(NULL, NULL, &options, &problems), STATUS_OK);
  assert_string_equal(options.listen_grpc, "127.0.0.1:4317");
  assert_string_equal(options.listen_http, "127.0.0.1:4318");
  assert_string_equal(options.listen_ui, "127.0.0.1:8080");
  assert_string_equal(options.data_dir, "./culprit-data");
  assert_int_equal(options.journal_sync, JOURNAL_SYNC_ALWAYS);
  assert_int_equal(options.sampling_decision_wait_ns, 10 * NS_PER_S);
  assert_int_equal(options.sampling_policy_count, 2);
  assert_int_equal(options.sampling_policies[0].kind, SAMPLING_ERRORS);
  assert_int_equal(options.sampling_policies[1].kind, SAMPLING_PROBABILITY);
  assert_true(options.sampling_policies[1].probability == 1.0);
  assert_int_equal(options.journal_intake_max_bytes, UINT64_C(10) << 30);
  assert_int_equal(options.retention_requests_ns, 7 * 86400 * NS_PER_S);
  assert_int_equal(options.memory_max_bytes, UINT64_C(256) << 20);
  assert_string_equal(options.otlp_endpoint, "");
  assert_true(options.correlation_attributes.count > 5);
  options_finish(&options);
}

static void test_file_then_environment(void **state) {
  (void)state;
  struct options options;
  char *environment[] = {"CULPRIT_LISTEN_GRPC=[::1]:0", "CULPRIT_SAMPLING_POLICIES=[{latency: 1.5s}, {rate_limit: 10}]",
                         "HOST=jaeger", "PATH=/bin", NULL};
  const char *text = "listen:\n"
                     "  grpc: 0.0.0.0:4317\n"
                     "  ui: 127.0.0.1:9090\n"
                     "journal: {sync: interval, intake_max_bytes: 512MiB}\n"
                     "sampling:\n"
                     "  decision_wait: 250ms\n"
                     "  policies: [errors, {attribute: {key: tenant, regex: '^gold'}}]\n"
                     "exporters:\n"
                     "  otlp:\n"
                     "    endpoint: http://${env:HOST}:${env:PORT:-4317}\n"
                     "correlation: {request_id_attributes: [my.id]}\n";
  assert_int_equal(load(text, environment, &options), STATUS_OK);
  assert_string_equal(options.listen_grpc, "[::1]:0");
  assert_string_equal(options.listen_ui, "127.0.0.1:9090");
  assert_int_equal(options.journal_sync, JOURNAL_SYNC_INTERVAL);
  assert_int_equal(options.journal_intake_max_bytes, UINT64_C(512) << 20);
  assert_int_equal(options.sampling_decision_wait_ns, 250 * NS_PER_MS);
  assert_int_equal(options.sampling_policy_count, 2);
  assert_int_equal(options.sampling_policies[0].latency_ns, 1500 * NS_PER_MS);
  assert_true(options.sampling_policies[1].traces_per_second == 10);
  assert_string_equal(options.otlp_endpoint, "http://jaeger:4317");
  assert_int_equal(options.correlation_attributes.count, 1);
  assert_string_equal(options.correlation_attributes.items[0], "my.id");
  options_finish(&options);
}

static void test_problems_say_where_and_what_is_allowed(void **state) {
  (void)state;
  expect_problem("listen:\n  grcp: 127.0.0.1:1\n", NULL, ":2: listen.grcp", "allowed here: grpc, http, ui");
  expect_problem("\n\nnonsense: 1\n", NULL, ":3: nonsense", "data_dir");
  expect_problem("journal:\n  sync: sometimes\n", NULL, ":2: journal.sync", "always, interval, never");
  expect_problem("journal: {intake_max_bytes: lots}\n", NULL, ":1: journal.intake_max_bytes", "512MiB");
  expect_problem("journal: {intake_max_bytes: 1KiB}\n", NULL, "journal.intake_max_bytes", "from 4MiB");
  expect_problem("sampling: {decision_wait: 10}\n", NULL, "sampling.decision_wait", "ms, s, m, h, d");
  expect_problem("sampling: {decision_wait: [1s]}\n", NULL, "sampling.decision_wait", "single value");
  expect_problem("listen: {grpc: 4317}\n", NULL, "listen.grpc", "host:port");
  expect_problem("listen: {grpc: 127.0.0.1:70000}\n", NULL, "listen.grpc", "host:port");
  expect_problem("listen: hello\n", NULL, ":1: listen", "grpc, http, ui");
  expect_problem("exporters: {otlp: {endpoint: jaeger:4317}}\n", NULL, "exporters.otlp.endpoint", "http://");
  expect_problem("sampling: {policies: errors}\n", NULL, "sampling.policies", "list");
  expect_problem("sampling:\n  policies:\n    - sometimes\n", NULL, ":3: sampling.policies", "rate_limit");
  expect_problem("sampling:\n  policies:\n  - errors\n  - {probability: 2}\n", NULL,
                 ":4: sampling.policies: probability", "between 0 and 1");
  expect_problem("sampling:\n  policies:\n  - {attribute: {key: a, regex: '('}}\n", NULL,
                 ":3: sampling.policies: attribute.regex", "");
  expect_problem("sampling: {policies: [{latency: soon}]}\n", NULL, ":1: sampling.policies", "not 'soon'");
  expect_problem("\ntls: {grpc: {cert_file: a.pem}}\n", NULL, ":2: tls.grpc.cert_file", "key_file");
  expect_problem("\ntls: {http: {key_file: a.key}}\n", NULL, ":2: tls.http.key_file", "cert_file");
  expect_problem("listen: {http: 127.0.0.1:4317}\n", NULL, ":1: listen.http", "listen.grpc");
  expect_problem("exporters:\n  otlp:\n    headers: [x]\n", NULL, ":3: exporters.otlp.headers", "name: value");
  expect_problem("ingest: {keys: ['']}\n", NULL, ":1: ingest.keys", "empty");
  expect_problem("a: [\n", NULL, "", "not YAML");
  expect_problem("data_dir: ${env:CULPRIT_NOT_SET_ANYWHERE}\n", NULL, "data_dir", "not set");
  char *environment[] = {"CULPRIT_LISTEN_GRCP=1", NULL};
  expect_problem("", environment, "CULPRIT_LISTEN_GRCP", "no key");
  char *wrong[] = {"CULPRIT_JOURNAL_SYNC=x", NULL};
  expect_problem("", wrong, "CULPRIT_JOURNAL_SYNC", "always, interval, never");
}

static void test_all_problems_are_reported(void **state) {
  (void)state;
  struct options options;
  assert_int_equal(load("a: 1\nb: 2\njournal: {sync: x}\n", NULL, &options), STATUS_INVALID);
  assert_int_equal(problems.count, 3);
  assert_int_equal(load("sampling:\n  policies: [{latency: x}, {rate_limit: 0}, sometimes]\n", NULL, &options),
                   STATUS_INVALID);
  assert_int_equal(problems.count, 3);
}

// YAML would take the last of them, and nobody would see which.
static void test_what_is_there_twice_is_refused(void **state) {
  (void)state;
  expect_problem("data_dir: a\nlog_level: info\ndata_dir: b\n", NULL, ":3: data_dir", "twice");
  expect_problem("listen: {grpc: 127.0.0.1:1}\nlisten: {http: 127.0.0.1:2}\n", NULL, ":2: listen", "twice");
  expect_problem("log_level: info\n---\nlog_level: debug\n", NULL, ":3: ", "second document");
}

// Kubernetes sets these in every container beside a service called culprit.
static void test_service_links_are_no_keys(void **state) {
  (void)state;
  char *links[] = {"CULPRIT_SERVICE_HOST=10.0.0.1",
                   "CULPRIT_SERVICE_PORT=4317",
                   "CULPRIT_SERVICE_PORT_OTLP=4317",
                   "CULPRIT_PORT=tcp://10.0.0.1:4317",
                   "CULPRIT_PORT_4317_TCP_ADDR=10.0.0.1",
                   "CULPRIT_UI_PORT=tcp://10.0.0.2:8080",
                   "CULPRIT_UI_PORT_8080_TCP=tcp://10.0.0.2:8080",
                   NULL};
  struct options options;
  assert_int_equal(load("", links, &options), STATUS_OK);
  options_finish(&options);
  char *wrong[] = {"CULPRIT_UI_PORT=8080", NULL};
  expect_problem("", wrong, "CULPRIT_UI_PORT", "no key");
}

static void test_check_reads_the_files_too(void **state) {
  (void)state;
  char *environment[] = {"CULPRIT_TLS_UI_CERT_FILE=/nonexistent/a.pem", "CULPRIT_TLS_UI_KEY_FILE=/nonexistent/a.key",
                         NULL};
  assert_int_equal(config_check(NULL, environment, &problems), STATUS_INVALID);
  assert_int_equal(problems.count, 1);
  assert_non_null(strstr(problems.items[0].text, "environment CULPRIT_TLS_UI_CERT_FILE: tls.ui.cert_file"));
  assert_non_null(strstr(problems.items[0].text, "/nonexistent/a.pem"));
  assert_int_equal(config_check(NULL, NULL, &problems), STATUS_OK);
}

static void test_a_missing_file_is_named(void **state) {
  (void)state;
  struct options options;
  assert_int_equal(config_load("/nonexistent/culprit.yaml", NULL, &options, &problems), STATUS_INVALID);
  assert_non_null(strstr(problems.items[0].text, "/nonexistent/culprit.yaml"));
}

static void test_printed_configuration_reads_back_and_names_its_sources(void **state) {
  (void)state;
  char *environment[] = {"CULPRIT_JOURNAL_SYNC=never", "CULPRIT_INGEST_KEYS=[hunter2]",
                         "CULPRIT_SAMPLING_POLICIES=[errors, {attribute: {key: a, value: b}}, {latency: 2s}]", NULL};
  struct buffer text;
  buffer_init(&text, 1 << 20);
  assert_int_equal(config_print(NULL, environment, &text, &problems), STATUS_OK);
  buffer_append_byte(&text, 0);
  const char *printed = (const char *)text.ptr;
  assert_non_null(strstr(printed, "sync: never  # environment CULPRIT_JOURNAL_SYNC"));
  assert_non_null(strstr(printed, "grpc: 127.0.0.1:4317  # default"));
  assert_null(strstr(printed, "hunter2"));
  struct options options;
  assert_int_equal(load(printed, NULL, &options), STATUS_OK);
  assert_int_equal(options.journal_sync, JOURNAL_SYNC_NEVER);
  assert_int_equal(options.sampling_policy_count, 3);
  assert_string_equal(options.sampling_policies[1].value, "b");
  options_finish(&options);
  buffer_finish(&text);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_defaults_need_no_file),
      cmocka_unit_test(test_file_then_environment),
      cmocka_unit_test(test_problems_say_where_and_what_is_allowed),
      cmocka_unit_test(test_all_problems_are_reported),
      cmocka_unit_test(test_what_is_there_twice_is_refused),
      cmocka_unit_test(test_service_links_are_no_keys),
      cmocka_unit_test(test_check_reads_the_files_too),
      cmocka_unit_test(test_a_missing_file_is_named),
      cmocka_unit_test(test_printed_configuration_reads_back_and_names_its_sources),
  };
  return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
