// SPDX-License-Identifier: Apache-2.0
//
// The OTLP paths of a DSN: whose it is, and how much of it a project may send.
#include "receiver/sentry_otlp.h"

#include "tests/unit/receiver/sentry_http_fixture.h"

#define TRACES       "/api/3/integration/otlp/v1/traces"
#define LOGS         "/api/3/integration/otlp/v1/logs"
#define JSON_HEADERS AUTH "Content-Type: application/json\r\n"

static void test_otlp_goes_to_the_project(void **state) {
  struct fixture *f = *state;
  struct buffer traces;
  buffer_init(&traces, 1 << 20);
  memory_sink_traces(&traces, 2, -1);
  const char *headers = "X-Sentry-Auth: sentry sentry_key=" KEY "\r\nContent-Type: application/x-protobuf\r\n";
  assert_int_equal(ask(f, "POST", TRACES, headers, buffer_slice(&traces)), 200);
  assert_int_equal(f->sink.project, 3);
  assert_int_equal(f->sink.kind, JOURNAL_TRACES);
  assert_int_equal(ask(f, "POST", "/api/3/integration/otlp/v1/logs/", headers, SLICE_LITERAL("")), 200);
  assert_int_equal(post(f, TRACES, AUTH "Content-Type: text/plain\r\n", "x"), 415);
  assert_int_equal(post(f, TRACES, "Content-Type: application/json\r\n", "{}"), 401);
  assert_contains(f->body, "\"code\":16"); // a google.rpc.Status
  buffer_finish(&traces);
}

static void set_rates(struct fixture *f, uint32_t transactions, uint32_t logs) {
  const struct sentry_limit_rates rates = {
      .project = 3, .per_minute = {[SENTRY_LIMIT_TRANSACTION] = transactions, [SENTRY_LIMIT_LOG] = logs}};
  sentry_limit_set(f->limit, &rates, 1);
}

static uint64_t refused(struct fixture *f, const char *signal) {
  char labels[100];
  snprintf(labels, sizeof(labels), "signal=\"%s\",reason=\"%s\"", signal, status_name(STATUS_RATE_LIMITED));
  return metrics_get(metrics_series(f->metrics, METRICS_COUNTER, "culprit_refused_requests_total", labels, ""));
}

static void test_logs_over_the_rate_wait(void **state) {
  struct fixture *f = *state;
  set_rates(f, 0, 3);
  for (int i = 0; i < 2; i++) assert_int_equal(post(f, LOGS, JSON_HEADERS, MEMORY_SINK_LOGS_JSON), 200);
  assert_null(strstr(f->reply, "X-Sentry-Rate-Limits"));
  assert_int_equal(post(f, LOGS, JSON_HEADERS, MEMORY_SINK_LOGS_JSON), 429); // a batch takes a debt: 4 of 3
  // A minute has room for three: the debt of one and room for the next one are two thirds of it.
  assert_contains(f->reply, "Retry-After: 40\r\n");
  assert_contains(f->reply, "X-Sentry-Rate-Limits: 40:log_item:project:quota\r\n");
  assert_contains(f->reply, "Access-Control-Allow-Origin: *");
  assert_contains(f->body, "\"code\":8"); // RESOURCE_EXHAUSTED, with RetryInfo: come back
  assert_contains(f->body, "\"retryDelay\":\"40s\"");
  assert_contains(f->body, "over the project's rate limit");
  assert_int_equal(f->sink.submits, 2);
  assert_int_equal(refused(f, "logs"), 1);
  // Other signals, other projects and the door without a project are not meant.
  assert_int_equal(post(f, TRACES, JSON_HEADERS, "{\"resourceSpans\":[]}"), 200);
  const char *other = "X-Sentry-Auth: Sentry sentry_key=" OTHER_KEY "\r\nContent-Type: application/json\r\n";
  assert_int_equal(post(f, "/api/4/integration/otlp/v1/logs", other, MEMORY_SINK_LOGS_JSON), 200);
  clock_fake_add(&f->clock, 41 * NS_PER_S);
  assert_int_equal(post(f, LOGS, JSON_HEADERS, MEMORY_SINK_LOGS_JSON), 200);
  // An answer in the form of the request.
  const char *binary = AUTH "Content-Type: application/x-protobuf\r\n";
  struct buffer wire;
  buffer_init(&wire, 1 << 20);
  memory_sink_wire(OTLP_LOGS, MEMORY_SINK_LOGS_JSON, &wire);
  assert_int_equal(ask(f, "POST", LOGS, binary, buffer_slice(&wire)), 429);
  assert_contains(f->reply, "Content-Type: application/x-protobuf\r\n");
  buffer_finish(&wire);
}

// How many spans of a request count.
static uint64_t counted(struct fixture *f, const char *spans) {
  char body[4096];
  snprintf(body, sizeof(body), "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[%s]}]}]}", spans);
  set_rates(f, 0, 0); // forgets what was used
  set_rates(f, 1, 0);
  assert_int_equal(post(f, TRACES, JSON_HEADERS, body), 200); // there is room for one, so there is for all
  post(f, TRACES, JSON_HEADERS, body);
  const char *after = strstr(f->reply, "Retry-After: ");
  assert_int_equal(f->code, after ? 429 : 200);
  return after ? strtoul(after + strlen("Retry-After: "), NULL, 10) / 60 : 0;
}

#define SPAN(id, rest)                                                                                                 \
  "{\"traceId\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"spanId\":\"00f067aa0ba90" #id "\",\"name\":\"a\"" rest "}"
#define PARENT ",\"parentSpanId\":\"00f067aa0ba90000\""

static void test_spans_that_begin_a_part_count_as_transactions(void **state) {
  struct fixture *f = *state;
  assert_int_equal(counted(f, SPAN(101, "")), 1);
  assert_int_equal(counted(f, SPAN(101, PARENT)), 0);
  assert_int_equal(counted(f, SPAN(101, PARENT ",\"kind\":2") "," SPAN(102, PARENT ",\"kind\":5")), 2);
  assert_int_equal(counted(f, SPAN(101, PARENT ",\"kind\":1") "," SPAN(102, PARENT ",\"kind\":3")), 0);
  // Where an SDK says whether the parent is remote (flags), that decides.
  assert_int_equal(counted(f, SPAN(101, PARENT ",\"kind\":2,\"flags\":256")), 0);
  assert_int_equal(counted(f, SPAN(101, PARENT ",\"kind\":1,\"flags\":768")), 1);
  assert_int_equal(counted(f, SPAN(101, "") "," SPAN(102, PARENT) "," SPAN(103, "") "," SPAN(104, "")), 3);
}

static void test_what_cannot_be_read_costs_nothing(void **state) {
  struct fixture *f = *state;
  set_rates(f, 0, 1);
  const char *binary = AUTH "Content-Type: application/x-protobuf\r\n";
  for (int i = 0; i < 5; i++) assert_int_equal(ask(f, "POST", LOGS, binary, SLICE_LITERAL("\x0a\xff")), 400);
  assert_int_equal(post(f, LOGS, JSON_HEADERS, MEMORY_SINK_LOGS_JSON), 200);
  assert_int_equal(post(f, LOGS, JSON_HEADERS, MEMORY_SINK_LOGS_JSON), 429);
  assert_int_equal(ask(f, "POST", LOGS, binary, SLICE_LITERAL("\x0a\xff")), 400);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_otlp_goes_to_the_project),
      TEST(test_logs_over_the_rate_wait),
      TEST(test_spans_that_begin_a_part_count_as_transactions),
      TEST(test_what_cannot_be_read_costs_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
