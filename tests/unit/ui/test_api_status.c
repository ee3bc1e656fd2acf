// SPDX-License-Identifier: Apache-2.0
//
// Status, health and metrics over HTTP.
#include "tests/unit/ui/ui_fixture.h"

static void the_status_has_every_name_of_the_document(void **state) {
  struct ui_fixture *fixture = *state;
  struct ui_status *told = &fixture->status;
  fixture_one(fixture->inbox, &(struct fixture_event){.id = 1});
  told->started_wall_ns = FIXTURE_NOW_NS;
  told->uptime_s = 12;
  told->ready = true;
  told->data_dir = "/data";
  snprintf(told->listening.grpc, sizeof(told->listening.grpc), "http://127.0.0.1:4317");
  snprintf(told->listening.http, sizeof(told->listening.http), "https://[::]:4318");
  told->traces = (struct ui_received){1, 10, 4900, 2, 3};
  told->sampling.kept = 5;
  told->sampling.policies[0].policy = "errors";
  told->sampling.policies[0].kept = 2;
  told->sampling.policy_count = 1;
  told->sampling.decision_wait_s = 10;
  told->inbox.duplicates = 1;
  told->kept = (struct ui_journal){1, 2, 3, 4, 5};
  told->exporter_count = 1;
  told->exporters[0] = (struct ui_exporter){.name = "otlp", .endpoint = "http://x:4317", .state = "idle", .sent = 9};
  told->commit_p99_ms = 2.5;
  told->disk_free_bytes = 77;
  told->libraries[0].name = "zstd";
  told->libraries[0].version = "1.5";
  told->library_count = 1;
  assert_int_equal(ui_get(fixture, "/api/v1/status"), 200);
  ui_assert_text(fixture, "version", CULPRIT_VERSION);
  ui_assert_text(fixture, "started", "2025-11-21T10:00:00.000000000Z");
  ui_assert_number(fixture, "uptime_s", 12);
  assert_true(json_bool(ui_at(fixture, "ready")));
  ui_assert_count(fixture, "reasons", 0);
  ui_assert_text(fixture, "data_dir", "/data");
  ui_assert_text(fixture, "listening.grpc", "http://127.0.0.1:4317");
  ui_assert_text(fixture, "listening.http", "https://[::]:4318");
  ui_assert_null(fixture, "listening.ui");
  ui_assert_number(fixture, "received.traces.requests", 1);
  ui_assert_number(fixture, "received.traces.items", 10);
  ui_assert_number(fixture, "received.traces.bytes", 4900);
  ui_assert_number(fixture, "received.traces.refused", 2);
  ui_assert_number(fixture, "received.traces.rejected", 3);
  ui_assert_number(fixture, "received.events.items", 0);
  ui_assert_number(fixture, "sampling.kept", 5);
  ui_assert_text(fixture, "sampling.policies.0.policy", "errors");
  ui_assert_number(fixture, "sampling.policies.0.kept", 2);
  ui_assert_number(fixture, "sampling.decision_wait_s", 10);
  ui_assert_number(fixture, "inbox.duplicates", 1);
  ui_assert_number(fixture, "journal.kept.bytes", 1);
  ui_assert_number(fixture, "journal.kept.max_bytes", 2);
  ui_assert_number(fixture, "journal.kept.records", 3);
  ui_assert_number(fixture, "journal.kept.lag_records", 4);
  ui_assert_number(fixture, "journal.kept.quarantined", 5);
  ui_assert_number(fixture, "store.issues", 1);
  ui_assert_number(fixture, "store.events", 1);
  assert_true(json_u64(ui_at(fixture, "store.bytes")) > 0);
  ui_assert_text(fixture, "exporters.0.name", "otlp");
  ui_assert_text(fixture, "exporters.0.state", "idle");
  ui_assert_number(fixture, "exporters.0.sent", 9);
  ui_assert_null(fixture, "exporters.0.last_error");
  assert_true(json_double(ui_at(fixture, "commit_latency_ms.p99")) == 2.5);
  ui_assert_number(fixture, "disk.free_bytes", 77);
  ui_assert_text(fixture, "libraries.zstd", "1.5");
  assert_int_equal(json_type_of(ui_at(fixture, "libraries.sqlite")), JSON_STRING);
  assert_int_equal(json_type_of(ui_at(fixture, "memory.in_flight_bytes")), JSON_I64);
}

static void readiness_says_why_not(void **state) {
  struct ui_fixture *fixture = *state;
  assert_int_equal(ui_get(fixture, "/health/live"), 200);
  snprintf(fixture->status.reasons[0], UI_REASON_BYTES_MAX, "the disk is nearly full");
  fixture->status.reason_count = 1;
  static const char *const paths[] = {"/health", "/health/ready"};
  for (int i = 0; i < 2; i++) {
    assert_int_equal(ui_get(fixture, paths[i]), 503);
    assert_false(json_bool(ui_at(fixture, "ready")));
    ui_assert_text(fixture, "reasons.0", "the disk is nearly full");
    fixture->status.ready = true;
    assert_int_equal(ui_get(fixture, paths[i]), 200);
    fixture->status.ready = false;
  }
  assert_int_equal(ui_get(fixture, "/health/live"), 200);
}

static void metrics_are_prometheus_text(void **state) {
  struct ui_fixture *fixture = *state;
  char type[256];
  metrics_add(metrics_series(fixture->metrics, METRICS_COUNTER, "culprit_test_total", "", "A test."), 3);
  assert_int_equal(ui_get(fixture, "/metrics"), 200);
  assert_string_equal(ui_header(fixture, "Content-Type", type), "text/plain; version=0.0.4; charset=utf-8");
  assert_non_null(strstr(fixture->head, "\nculprit_test_total 3\n"));
}

static void pages_and_unknown_addresses(void **state) {
  struct ui_fixture *fixture = *state;
  assert_int_equal(ui_get(fixture, "/"), 200);
  assert_int_equal(ui_get(fixture, "/issues/1"), 200);
  ui_get(fixture, "/api/v2/issues");
  ui_assert_refused(fixture, 404, NULL);
  ui_send(fixture, "POST", "/api/v1/status", "", "");
  ui_assert_refused(fixture, 405, NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UI_TEST(the_status_has_every_name_of_the_document),
      UI_TEST(readiness_says_why_not),
      UI_TEST(metrics_are_prometheus_text),
      UI_TEST(pages_and_unknown_addresses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
