// SPDX-License-Identifier: Apache-2.0
//
// One request over HTTP: spans and logs out of real journals, events out of a real inbox, verdicts, refusals.
#include "tests/unit/ui/ui_fixture.h"

#define TRACE "5b8efff798038103d269b633813fc60c"
#define OTHER "6c8efff798038103d269b633813fc60d"

// OTLP/JSON into the intake, or as `policy` would keep it into the kept journal.
static void put(struct ui_fixture *fixture, enum otlp_signal signal, const char *json, const char *policy) {
  struct buffer wire, section;
  struct error error = {0};
  struct payload_facts_counts counts;
  struct slice facts_section = {0};
  buffer_init(&wire, 1 << 20);
  buffer_init(&section, 1 << 20);
  enum status status = otlp_json_to_wire(signal, fixture->parser, slice_from_cstr(json), &wire, &error);
  if (status == STATUS_OK)
    status = payload_facts_build(fixture->facts, signal, buffer_slice(&wire), &facts_section, &counts, &error);
  if (status != STATUS_OK) fail_msg("%s in %s", error.text, json);
  struct journal_entry entry = {.kind = signal == OTLP_TRACES ? JOURNAL_TRACES : JOURNAL_LOGS,
                                .project = 1,
                                .item_count = counts.items,
                                .received_ns = FIXTURE_NOW_NS,
                                .section = facts_section,
                                .body = buffer_slice(&wire)};
  if (!policy) {
    assert_int_equal(journal_append(fixture->intake, &entry, NULL, NULL, &error), STATUS_OK);
    assert_int_equal(journal_flush(fixture->intake), STATUS_OK);
  } else {
    struct record_facts facts;
    struct record_trace traces[4];
    struct record_item items[16];
    struct record_request requests[16];
    uint32_t request_count = 0;
    assert_int_equal(record_facts_decode(facts_section, &facts), STATUS_OK);
    assert_true(facts.trace_count <= 4 && facts.item_count <= 16);
    for (uint32_t i = 0; i < facts.trace_count; i++) {
      record_facts_trace(&facts, i, &traces[i]);
      traces[i].flags |= RECORD_TRACE_KEPT;
      traces[i].policy = strcmp(policy, "errors") == 0 ? SAMPLING_ERRORS : SAMPLING_PROBABILITY;
      traces[i].probability_ppm = strcmp(policy, "errors") == 0 ? 1000000 : 250000;
    }
    for (uint32_t i = 0; i < facts.item_count; i++) items[i] = record_facts_item(&facts, i);
    const uint8_t *cursor = facts.requests;
    while (request_count < 16 && record_facts_next_request(&facts, &cursor, &requests[request_count])) request_count++;
    assert_int_equal(record_facts_encode(facts.fingerprint, traces, facts.trace_count, items, facts.item_count,
                                         requests, request_count, &section),
                     STATUS_OK);
    entry.section = buffer_slice(&section);
    entry.origin_sequence = 1;
    assert_int_equal(request_store_append(fixture->requests, &entry, &error), STATUS_OK);
    assert_int_equal(journal_flush(request_store_journal(fixture->requests)), STATUS_OK);
    request_store_set_settled(fixture->requests, 1);
  }
  buffer_finish(&wire);
  buffer_finish(&section);
}

static const char server_span[] =
    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}}"
    "]},"
    "\"scopeSpans\":[{\"scope\":{\"name\":\"fastapi\"},\"spans\":["
    "{\"traceId\":\"" TRACE
    "\",\"spanId\":\"0000000000000002\",\"parentSpanId\":\"0000000000000001\",\"name\":\"inner\","
    "\"kind\":3,\"startTimeUnixNano\":\"1763719200000000020\",\"endTimeUnixNano\":\"1763719200000000030\"},"
    "{\"traceId\":\"" TRACE "\",\"spanId\":\"0000000000000001\",\"name\":\"GET /cart\",\"kind\":2,"
    "\"startTimeUnixNano\":\"1763719200000000010\",\"endTimeUnixNano\":\"1763719200000000040\","
    "\"traceState\":\"ot=th:c\",\"status\":{\"code\":2,\"message\":\"boom\"},\"attributes\":["
    "{\"key\":\"http.request.header.x-request-id\",\"value\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"r-1\"}]}}}"
    ","
    "{\"key\":\"small\",\"value\":{\"intValue\":\"-7\"}},{\"key\":\"large\",\"value\":{\"intValue\":"
    "\"9007199254740993\"}},"
    "{\"key\":\"half\",\"value\":{\"doubleValue\":0.5}},{\"key\":\"yes\",\"value\":{\"boolValue\":true}},"
    "{\"key\":\"raw\",\"value\":{\"bytesValue\":\"AQIDBA==\"}},{\"key\":\"none\",\"value\":{}},"
    "{\"key\":\"deep\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"list\",\"value\":{\"arrayValue\":{\"values\":"
    "["
    "{\"intValue\":\"1\"},{\"kvlistValue\":{\"values\":[]}}]}}}]}}}],"
    "\"events\":[{\"timeUnixNano\":\"15\",\"name\":\"exception\",\"attributes\":[{\"key\":\"exception.type\",\"value\":"
    "{\"stringValue\":\"ValueError\"}}]}],"
    "\"links\":[{\"traceId\":\"" OTHER "\",\"spanId\":\"00000000000000aa\",\"attributes\":[]}]}]}]}]}";

static const char request_log[] =
    "{\"resourceLogs\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"shop\"}}]"
    "},"
    "\"scopeLogs\":[{\"scope\":{\"name\":\"app\"},\"logRecords\":[{\"observedTimeUnixNano\":\"1763719200000000017\","
    "\"severityNumber\":17,\"body\":{\"kvlistValue\":{\"values\":[{\"key\":\"text\",\"value\":{\"stringValue\":"
    "\"failed\"}}]}},"
    "\"attributes\":[{\"key\":\"request.id\",\"value\":{\"stringValue\":\"r-1\"}}]},"
    "{\"timeUnixNano\":\"1763719200000000012\",\"severityNumber\":9,\"body\":{\"stringValue\":\"r-1 begins\"},"
    "\"traceId\":\"" TRACE "\",\"spanId\":\"0000000000000001\"}]}]}]}";

static void a_kept_request_shows_spans_logs_and_events(void **state) {
  struct ui_fixture *fixture = *state;
  put(fixture, OTLP_TRACES, server_span, "errors");
  put(fixture, OTLP_LOGS, request_log, "errors");
  uint8_t trace[16];
  assert_true(slice_from_hex(SLICE_LITERAL(TRACE), trace, 16));
  char raw[17] = {0};
  memcpy(raw, trace, 16);
  fixture_one(fixture->inbox, &(struct fixture_event){.id = 1, .trace_id = raw, .service = "shop"});
  static const char *const ids[] = {"r-1", TRACE, "5B8EFFF798038103D269B633813FC60C"};
  for (int i = 0; i < 3; i++) {
    char path[128];
    snprintf(path, sizeof path, "/api/v1/requests/%s", ids[i]);
    assert_int_equal(ui_get(fixture, path), 200);
    ui_assert_count(fixture, "spans", 2);
    ui_assert_count(fixture, "logs", 2);
    ui_assert_count(fixture, "events", 1);
    ui_assert_count(fixture, "trace_ids", 1);
    ui_assert_count(fixture, "request_ids", 1);
    ui_assert_text(fixture, "trace_ids.0", TRACE);
    ui_assert_text(fixture, "request_ids.0", "r-1");
    ui_assert_text(fixture, "id", ids[i]);
  }
  ui_assert_text(fixture, "spans.0.name", "GET /cart"); // by start
  ui_assert_text(fixture, "spans.0.trace_id", TRACE);
  ui_assert_text(fixture, "spans.0.span_id", "0000000000000001");
  ui_assert_null(fixture, "spans.0.parent_span_id");
  ui_assert_text(fixture, "spans.0.kind", "server");
  ui_assert_text(fixture, "spans.0.service", "shop");
  ui_assert_text(fixture, "spans.0.scope", "fastapi");
  ui_assert_text(fixture, "spans.0.start_ns", "1763719200000000010");
  ui_assert_text(fixture, "spans.0.end_ns", "1763719200000000040");
  ui_assert_text(fixture, "spans.0.status", "error");
  ui_assert_text(fixture, "spans.0.status_message", "boom");
  ui_assert_text(fixture, "spans.0.trace_state", "ot=th:c");
  assert_int_equal(json_i64(ui_at(fixture, "spans.0.attributes.small")), -7);
  ui_assert_text(fixture, "spans.0.attributes.large", "9007199254740993");
  assert_true(json_double(ui_at(fixture, "spans.0.attributes.half")) == 0.5);
  assert_true(json_bool(ui_at(fixture, "spans.0.attributes.yes")));
  ui_assert_text(fixture, "spans.0.attributes.raw.bytes", "AQIDBA==");
  ui_assert_null(fixture, "spans.0.attributes.none");
  ui_assert_number(fixture, "spans.0.attributes.deep.list.0", 1);
  assert_int_equal(json_type_of(ui_at(fixture, "spans.0.attributes.deep.list.1")), JSON_OBJECT);
  ui_assert_text(fixture, "spans.0.events.0.name", "exception");
  ui_assert_text(fixture, "spans.0.events.0.time_ns", "15");
  ui_assert_text(fixture, "spans.0.links.0.trace_id", OTHER);
  ui_assert_text(fixture, "spans.1.parent_span_id", "0000000000000001");
  ui_assert_text(fixture, "spans.1.kind", "client");
  ui_assert_text(fixture, "spans.1.status", "unset");
  ui_assert_text(fixture, "logs.0.time_ns", "1763719200000000012");
  ui_assert_text(fixture, "logs.0.severity", "INFO");
  ui_assert_text(fixture, "logs.0.body", "r-1 begins");
  ui_assert_text(fixture, "logs.0.trace_id", TRACE);
  ui_assert_null(fixture, "logs.0.request_id"); // the id is only part of a text
  ui_assert_text(fixture, "logs.1.request_id", "r-1");
  ui_assert_text(fixture, "logs.1.body.text", "failed");
  ui_assert_number(fixture, "logs.1.severity_number", 17);
  ui_assert_null(fixture, "logs.1.trace_id");
  ui_assert_text(fixture, "events.0.issue_id", "1");
  ui_assert_text(fixture, "events.0.time_ns", "1763719200000000000");
  ui_assert_text(fixture, "verdict.decision", "keep");
  ui_assert_text(fixture, "verdict.policy", "errors");
  assert_true(json_double(ui_at(fixture, "verdict.probability")) == 1.0);
  ui_assert_text(fixture, "verdict.traces.0.trace_id", TRACE);
  assert_int_equal(json_type_of(ui_at(fixture, "verdict.traces.0.late")), JSON_BOOL);
  ui_assert_text(fixture, "jaeger_url", "http://jaeger.example:16686/trace/" TRACE);
}

static void probabilities_are_shown(void **state) {
  struct ui_fixture *fixture = *state;
  put(fixture, OTLP_TRACES, server_span, "probability");
  assert_int_equal(ui_get(fixture, "/api/v1/requests/" TRACE), 200);
  ui_assert_text(fixture, "verdict.policy", "probability");
  assert_true(json_double(ui_at(fixture, "verdict.probability")) == 0.25);
}

static void a_waiting_request_is_shown_from_the_intake(void **state) {
  struct ui_fixture *fixture = *state;
  put(fixture, OTLP_TRACES, server_span, NULL);
  assert_int_equal(ui_get(fixture, "/api/v1/requests/r-1"), 200);
  ui_assert_count(fixture, "spans", 2);
  ui_assert_text(fixture, "verdict.decision", "waiting");
  ui_assert_null(fixture, "verdict.policy");
}

static void a_dropped_trace_shows_its_errors(void **state) {
  struct ui_fixture *fixture = *state;
  fixture_one(fixture->inbox, &(struct fixture_event){.id = 1, .request_id = "r/9 a"});
  fixture->verdict = (struct ui_verdict){.decision = UI_DROP};
  static const char *const paths[] = {"/api/v1/requests/r%2F9%20a",
                                      "/api/v1/requests/30313233343536373839616263646566"};
  for (int i = 0; i < 2; i++) {
    assert_int_equal(ui_get(fixture, paths[i]), 200);
    ui_assert_count(fixture, "spans", 0);
    ui_assert_count(fixture, "events", 1);
    ui_assert_text(fixture, "request_ids.0", "r/9 a");
    ui_assert_text(fixture, "trace_ids.0", "30313233343536373839616263646566");
    ui_assert_text(fixture, "verdict.decision", "drop");
  }
}

static void a_request_id_may_look_like_a_trace_id(void **state) {
  struct ui_fixture *fixture = *state;
  fixture_one(fixture->inbox, &(struct fixture_event){.id = 1, .request_id = OTHER});
  assert_int_equal(ui_get(fixture, "/api/v1/requests/" OTHER), 200);
  ui_assert_count(fixture, "events", 1);
  ui_assert_text(fixture, "request_ids.0", OTHER);
  ui_assert_text(fixture, "trace_ids.0", "30313233343536373839616263646566");
}

static void unknown_ids_are_not_found(void **state) {
  struct ui_fixture *fixture = *state;
  put(fixture, OTLP_TRACES, server_span, "errors");
  static const char *const paths[] = {"/api/v1/requests/nothing", "/api/v1/requests/" OTHER};
  for (int i = 0; i < 2; i++) {
    ui_get(fixture, paths[i]);
    ui_assert_refused(fixture, 404, "id");
  }
  ui_get(fixture, "/api/v1/requests/r-1?limit=1");
  ui_assert_refused(fixture, 400, "limit");
  char path[400] = "/api/v1/requests/";
  memset(path + strlen(path), 'a', 201);
  ui_get(fixture, path);
  ui_assert_refused(fixture, 400, "id");
  fixture->verdict = (struct ui_verdict){.decision = UI_DROP}; // remembered, though nothing of it is left
  assert_int_equal(ui_get(fixture, "/api/v1/requests/" OTHER), 200);
  ui_assert_text(fixture, "verdict.decision", "drop");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      UI_TEST(a_kept_request_shows_spans_logs_and_events), UI_TEST(probabilities_are_shown),
      UI_TEST(a_waiting_request_is_shown_from_the_intake), UI_TEST(a_dropped_trace_shows_its_errors),
      UI_TEST(a_request_id_may_look_like_a_trace_id),      UI_TEST(unknown_ids_are_not_found),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
