// SPDX-License-Identifier: Apache-2.0
//
// The UI port as it is: a real HTTP server with all routes over a real inbox and real journals, and a client that
// speaks to it. Only what the collector would tell (verdicts, status) is told by the test.
#ifndef TESTS_UNIT_UI_UI_FIXTURE_H
#define TESTS_UNIT_UI_UI_FIXTURE_H

#include "base/json.h"
#include "processor/payload_facts.h"
#include "proto/otlp_json.h"
#include "tests/unit/net/raw_http.h"
#include "tests/unit/store/inbox_fixture.h"
#include "ui/ui_routes.h"

struct ui_fixture {
  struct inbox_fixture *inbox;
  struct metrics *metrics;
  struct journal *intake;
  struct request_store *requests;
  struct sampling *sampling;
  struct correlation *correlation;
  struct payload_facts *facts;
  struct ui_options options;
  struct http_route routes[UI_ROUTES_MAX];
  struct http_server *server;
  struct raw_http raw;
  uint16_t port;
  struct ui_verdict verdict; // answered for every trace that is asked for
  struct ui_status status;   // answered
  // Of the last reply.
  int code;
  const char *head;
  struct json_parser *parser;
  struct json_value root;
};

static inline void ui_verdict_told(void *context, const uint8_t trace_id[16], struct ui_verdict *out_verdict) {
  (void)trace_id;
  *out_verdict = ((struct ui_fixture *)context)->verdict;
}

static inline const char *ui_policy_named(void *context, uint8_t policy) {
  (void)context;
  return sampling_policy_name((enum sampling_policy_kind)policy);
}

static inline void ui_status_told(void *context, struct ui_status *out_status) {
  *out_status = ((struct ui_fixture *)context)->status;
}

static inline void ui_open_journals(struct ui_fixture *fixture) {
  struct error error = {0};
  const char *root = fixture->inbox->temporary->directory;
  char intake[400], kept[400], quarantine[400];
  snprintf(intake, sizeof intake, "%s/intake", root);
  snprintf(kept, sizeof kept, "%s/kept", root);
  snprintf(quarantine, sizeof quarantine, "%s/quarantine", root);
  struct journal_options options = {.name = "intake",
                                    .directory = intake,
                                    .quarantine_directory = quarantine,
                                    .sync = JOURNAL_SYNC_ALWAYS,
                                    .segment_bytes_max = 1 << 20,
                                    .clock = &fixture->inbox->clock.clock};
  if (journal_open(&options, &fixture->intake, &error) != STATUS_OK) fail_msg("%s", error.text);
  options.name = "kept";
  options.directory = kept;
  struct request_store_options requests = {.kept = options, .intake = fixture->intake, .segment_keys_max = 1000};
  if (request_store_open(&requests, &fixture->requests, &error) != STATUS_OK) fail_msg("%s", error.text);
}

static inline int ui_setup(void **state) {
  struct error error = {0};
  struct ui_fixture *fixture = calloc(1, sizeof *fixture);
  void *inbox = NULL;
  if (!fixture || fixture_setup(&inbox) != 0) return -1;
  fixture->inbox = inbox;
  fixture->metrics = metrics_create();
  fixture->parser = json_parser_create(1 << 20);
  fixture->correlation = correlation_create(NULL, 0);
  if (sampling_create(NULL, 0, fixture->metrics, &fixture->sampling, &error) != STATUS_OK) return -1;
  struct payload_facts_options facts = {.sampling = fixture->sampling,
                                        .correlation = fixture->correlation,
                                        .limits = &otlp_limits_default,
                                        .keep_severity = OTLP_SEVERITY_WARN};
  fixture->facts = payload_facts_create(&facts);
  ui_open_journals(fixture);
  fixture->options = (struct ui_options){.database = fixture->inbox->database,
                                         .issues = fixture->inbox->store,
                                         .requests = fixture->requests,
                                         .metrics = fixture->metrics,
                                         .clock = &fixture->inbox->clock.clock,
                                         .jaeger_url = "http://jaeger.example:16686/",
                                         .context = fixture,
                                         .verdict = ui_verdict_told,
                                         .policy_name = ui_policy_named,
                                         .status = ui_status_told};
  struct http_server_options server = {.name = "ui",
                                       .address = "127.0.0.1:0",
                                       .routes = fixture->routes,
                                       .route_count = ui_routes_fill(&fixture->options, fixture->routes),
                                       .on_refusal = ui_routes_refuse,
                                       .body_bytes_max = 1 << 20,
                                       .threads = 2};
  if (http_server_open(&server, &fixture->server, &fixture->port, &error) != STATUS_OK) fail_msg("%s", error.text);
  raw_http_open(&fixture->raw, fixture->port);
  *state = fixture;
  return 0;
}

static inline int ui_teardown(void **state) {
  struct ui_fixture *fixture = *state;
  raw_http_close(&fixture->raw);
  http_server_close(fixture->server, 5 * NS_PER_S);
  request_store_close(fixture->requests);
  journal_close(fixture->intake);
  payload_facts_destroy(fixture->facts);
  correlation_destroy(fixture->correlation);
  sampling_release(fixture->sampling);
  metrics_destroy(fixture->metrics);
  json_parser_destroy(fixture->parser);
  void *inbox = fixture->inbox;
  int result = fixture_teardown(&inbox);
  free(fixture);
  return result;
}

// One request with further header lines and a body; the code. A JSON body is parsed into `root`.
static inline int ui_send(struct ui_fixture *fixture, const char *method, const char *path, const char *headers,
                          const char *content) {
  char text[4096];
  const char *body = NULL;
  raw_http_close(&fixture->raw); // a connection a request: replies do not pile up
  raw_http_open(&fixture->raw, fixture->port);
  snprintf(text, sizeof text, "%s %s HTTP/1.1\r\nHost: localhost:8080\r\nContent-Length: %zu\r\n%s\r\n%s", method, path,
           strlen(content), headers, content);
  raw_http_text(&fixture->raw, text);
  fixture->code = raw_http_reply(&fixture->raw, &fixture->head, &body);
  fixture->root = (struct json_value){0};
  const char *type = raw_http_header(fixture->head, "\r\nContent-Type: ");
  if (fixture->code != 304 && type && strncmp(type, "application/json", 16) == 0 && body[0]) {
    struct error error = {0};
    enum status status = json_parse(fixture->parser, slice_from_cstr(body), &fixture->root, &error);
    if (status != STATUS_OK) fail_msg("%s: %s in %s", path, error.text, body);
  }
  return fixture->code;
}

static inline int ui_get(struct ui_fixture *fixture, const char *path) {
  return ui_send(fixture, "GET", path, "", "");
}

// A value of the last answer by its way: "issues.0.title".
static inline struct json_value ui_at(const struct ui_fixture *fixture, const char *way) {
  struct json_value value = fixture->root;
  struct slice rest = slice_from_cstr(way);
  while (rest.len > 0) {
    struct slice step = slice_sub(rest, 0, slice_find_byte(rest, '.'));
    rest = slice_skip(rest, step.len + 1);
    uint64_t index = 0;
    if (json_type_of(value) == JSON_ARRAY && slice_to_u64(step, &index)) {
      struct json_iter iter = json_iterate(value);
      bool more = true;
      for (uint64_t i = 0; i <= index && more; i++) more = json_array_next(&iter, &value);
      if (!more) return (struct json_value){0};
    } else {
      value = json_get_slice(value, step);
    }
  }
  return value;
}

static inline void ui_assert_text(const struct ui_fixture *fixture, const char *way, const char *text) {
  struct json_value value = ui_at(fixture, way);
  if (json_type_of(value) != JSON_STRING || !slice_equal_cstr(json_string(value), text))
    fail_msg("%s is \"%.*s\", not \"%s\"", way, SLICE_PRINTF(json_string(value)), text);
}

static inline void ui_assert_number(const struct ui_fixture *fixture, const char *way, uint64_t number) {
  struct json_value value = ui_at(fixture, way);
  enum json_type type = json_type_of(value);
  if ((type != JSON_I64 && type != JSON_U64) || json_u64(value) != number)
    fail_msg("%s is %llu, not %llu", way, (unsigned long long)json_u64(value), (unsigned long long)number);
}

static inline void ui_assert_null(const struct ui_fixture *fixture, const char *way) {
  struct json_value value = ui_at(fixture, way);
  if (!json_is_present(value) || json_type_of(value) != JSON_NULL) fail_msg("%s is not null", way);
}

static inline void ui_assert_count(const struct ui_fixture *fixture, const char *way, uint64_t count) {
  assert_int_equal(json_type_of(ui_at(fixture, way)), JSON_ARRAY);
  uint64_t found = json_count(ui_at(fixture, way));
  if (found != count) fail_msg("%s has %llu, not %llu", way, (unsigned long long)found, (unsigned long long)count);
}

// The answer was a refusal with this code, naming this field.
static inline void ui_assert_refused(const struct ui_fixture *fixture, int code, const char *field) {
  assert_int_equal(fixture->code, code);
  if (field) ui_assert_text(fixture, "error.field", field);
  assert_int_equal(json_type_of(ui_at(fixture, "error.message")), JSON_STRING);
  assert_int_equal(json_type_of(ui_at(fixture, "error.status")), JSON_STRING);
}

// The header value of the last reply, cut out into `out`.
static inline const char *ui_header(const struct ui_fixture *fixture, const char *name, char out[256]) {
  char line[64];
  snprintf(line, sizeof line, "\r\n%s: ", name);
  const char *value = raw_http_header(fixture->head, line);
  assert_non_null(value);
  size_t len = strcspn(value, "\r\n");
  assert_true(len < 256);
  memcpy(out, value, len);
  out[len] = 0;
  return out;
}

#define UI_TEST(test) cmocka_unit_test_setup_teardown(test, ui_setup, ui_teardown)

#endif
