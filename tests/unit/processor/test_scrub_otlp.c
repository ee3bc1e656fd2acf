// SPDX-License-Identifier: Apache-2.0
//
// Scrubbing of OTLP requests on the wire: what was planted is gone, everything else is in its bytes.
#include "processor/scrub.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "processor/payload_facts.h"
#include "proto/wire.h"
#include "tests/unit/proto/otlp_generator.h"

static struct scrub *with_defaults(void) {
  return scrub_create(&(struct scrub_options){.enabled = true, .defaults = true});
}

static void put_pair(struct buffer *out, uint32_t field, const char *key, const char *value) {
  struct wire_open_field pair, any;
  wire_open(out, field, 60, &pair);
  wire_put_bytes_field(out, 1, slice_from_cstr(key));
  wire_open(out, 2, 30, &any);
  wire_put_bytes_field(out, 1, slice_from_cstr(value));
  wire_close(out, &any);
  wire_close(out, &pair);
}

// An attribute whose value is a list of one object: key: [{inner: value}]
static void put_nested_pair(struct buffer *out, uint32_t field, const char *key, const char *inner, const char *value) {
  struct wire_open_field pair, any, array, element, list;
  wire_open(out, field, 200, &pair);
  wire_put_bytes_field(out, 1, slice_from_cstr(key));
  wire_open(out, 2, 30, &any);
  wire_open(out, 5, 30, &array);
  wire_open(out, 1, 30, &element);
  wire_open(out, 6, 30, &list);
  put_pair(out, 1, inner, value);
  wire_close(out, &list);
  wire_close(out, &element);
  wire_close(out, &array);
  wire_close(out, &any);
  wire_close(out, &pair);
}

struct request {
  struct buffer bytes;
  struct wire_open_field resource, scope, item;
};

static void begin_request(struct request *request, enum otlp_signal signal, const char *resource_key) {
  struct wire_open_field head;
  uint8_t id[24] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24};
  buffer_init(&request->bytes, 1 << 16);
  wire_open(&request->bytes, 1, 500, &request->resource);
  wire_open(&request->bytes, 1, 50, &head);
  put_pair(&request->bytes, OTLP_RESOURCE_ATTRIBUTES, resource_key, "canary-resource");
  wire_close(&request->bytes, &head);
  wire_open(&request->bytes, 2, 400, &request->scope);
  wire_open(&request->bytes, 2, 300, &request->item);
  wire_put_bytes_field(&request->bytes, signal == OTLP_TRACES ? 1 : 9, slice_make(id, 16));
  wire_put_bytes_field(&request->bytes, signal == OTLP_TRACES ? 2 : 10, slice_make(id + 16, 8));
}

static void end_request(struct request *request) {
  wire_close(&request->bytes, &request->item);
  wire_close(&request->bytes, &request->scope);
  wire_close(&request->bytes, &request->resource);
  assert_false(request->bytes.failed);
}

static bool holds(struct slice bytes, const char *text) {
  return slice_find(bytes, slice_from_cstr(text)) < bytes.len;
}

// Scrubs; what came out is a valid request that is clean.
static bool scrubbed(const struct scrub *scrub, enum otlp_signal signal, struct slice payload, struct buffer *out) {
  bool changed, again;
  buffer_clear(out);
  assert_int_equal(scrub_otlp(scrub, signal, payload, out, &changed), STATUS_OK);
  if (!changed) {
    assert_int_equal(out->len, 0);
    return false;
  }
  struct buffer twice;
  buffer_init(&twice, 1 << 20);
  assert_int_equal(scrub_otlp(scrub, signal, buffer_slice(out), &twice, &again), STATUS_OK);
  assert_false(again);
  buffer_finish(&twice);
  return true;
}

static struct otlp_item only_item(enum otlp_signal signal, struct slice payload) {
  struct otlp_scan scan;
  struct otlp_item item, more;
  otlp_scan_init(&scan, signal, payload, NULL);
  assert_int_equal(otlp_scan_next(&scan, &item, NULL), STATUS_OK);
  assert_int_equal(otlp_scan_next(&scan, &more, NULL), STATUS_END);
  return item;
}

static void assert_attribute(struct slice message, uint32_t field, const char *key, const char *value) {
  struct otlp_any any;
  assert_true(otlp_attribute_find(message, field, slice_from_cstr(key), &any));
  assert_int_equal(any.kind, OTLP_ANY_STRING);
  if (!slice_equal_cstr(any.bytes, value)) fail_msg("%s is %.*s", key, SLICE_PRINTF(any.bytes));
}

static void test_span(void **state) {
  (void)state;
  struct scrub *scrub = with_defaults();
  struct request request;
  struct wire_open_field event, link;
  struct buffer out;
  buffer_init(&out, 1 << 16);
  begin_request(&request, OTLP_TRACES, "deployment.secret");
  struct buffer *bytes = &request.bytes;
  wire_put_bytes_field(bytes, 5, SLICE_LITERAL("GET /auth?token=a"));
  put_pair(bytes, OTLP_SPAN_ATTRIBUTES, "db.password", "canary-1");
  put_pair(bytes, OTLP_SPAN_ATTRIBUTES, "http.request.header.authorization", "canary-2");
  put_pair(bytes, OTLP_SPAN_ATTRIBUTES, "http.request.header.cookie", "canary-3");
  put_pair(bytes, OTLP_SPAN_ATTRIBUTES, "http.request.header.x-request-id", "req-1");
  put_pair(bytes, OTLP_SPAN_ATTRIBUTES, "db.statement", "password=4111111111111111");
  put_nested_pair(bytes, OTLP_SPAN_ATTRIBUTES, "users", "api_key", "canary-4");
  put_nested_pair(bytes, OTLP_SPAN_ATTRIBUTES, "users", "age", "77");
  wire_open(bytes, OTLP_SPAN_EVENTS, 60, &event);
  wire_put_bytes_field(bytes, 2, SLICE_LITERAL("exception"));
  put_pair(bytes, OTLP_EVENT_ATTRIBUTES, "exception.message", "bad password=x");
  put_pair(bytes, OTLP_EVENT_ATTRIBUTES, "user.token", "canary-5");
  wire_close(bytes, &event);
  wire_open(bytes, OTLP_SPAN_LINKS, 60, &link);
  put_pair(bytes, OTLP_LINK_ATTRIBUTES, "secret", "canary-6");
  wire_close(bytes, &link);
  wire_put_bytes_field(bytes, 1000, SLICE_LITERAL("unknown password field"));
  end_request(&request);

  assert_true(scrubbed(scrub, OTLP_TRACES, buffer_slice(bytes), &out));
  assert_false(holds(buffer_slice(&out), "canary"));
  struct otlp_item item = only_item(OTLP_TRACES, buffer_slice(&out));
  assert_attribute(item.resource, OTLP_RESOURCE_ATTRIBUTES, "deployment.secret", "[Filtered]");
  assert_true(slice_equal_cstr(item.span.name, "GET /auth?token=a"));
  assert_attribute(item.span.bytes, OTLP_SPAN_ATTRIBUTES, "db.password", "[Filtered]");
  assert_attribute(item.span.bytes, OTLP_SPAN_ATTRIBUTES, "http.request.header.authorization", "[Filtered]");
  assert_attribute(item.span.bytes, OTLP_SPAN_ATTRIBUTES, "http.request.header.cookie", "[Filtered]");
  assert_attribute(item.span.bytes, OTLP_SPAN_ATTRIBUTES, "http.request.header.x-request-id", "req-1");
  assert_attribute(item.span.bytes, OTLP_SPAN_ATTRIBUTES, "db.statement", "password=4111111111111111");
  assert_int_equal(item.span.attribute_count, 7);
  assert_int_equal(item.span.event_count, 1);
  assert_int_equal(item.span.link_count, 1);
  assert_true(item.span.has_exception);
  assert_true(holds(buffer_slice(&out), "bad password=x"));
  assert_true(holds(buffer_slice(&out), "unknown password field"));
  assert_true(holds(buffer_slice(&out), "77"));
  buffer_finish(&out);
  buffer_finish(bytes);
  scrub_destroy(scrub);
}

static void put_body(struct buffer *out, const char *text) {
  struct wire_open_field any;
  wire_open(out, 5, 60, &any);
  wire_put_bytes_field(out, 1, slice_from_cstr(text));
  wire_close(out, &any);
}

static void test_log(void **state) {
  (void)state;
  static const struct {
    const char *body, *scrubbed;
  } rows[] = {
      {"Authorization: Bearer canary", "Authorization: Bearer [Filtered]"},
      {"login of a@b.org with 4111 1111 1111 1111", "login of [email] with [creditcard]"},
      {"{\"password\":\"canary\",\"n\":1.5,\"mail\":\"a@b.org\"}",
       "{\"password\":\"[Filtered]\",\"n\":1.5,\"mail\":\"[email]\"}"},
      {"{\"pass\\u0077ord\":\"canary\"}", "{\"password\":\"[Filtered]\"}"},
      {"{password: no JSON, a@b.org}", "{password: no JSON, [email]}"},
      {"wrong password for user", NULL},
      {"{\"level\":\"info\",\"n\":1e5}", NULL},
  };
  struct scrub *scrub = with_defaults();
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    struct request request;
    struct buffer out;
    buffer_init(&out, 1 << 16);
    begin_request(&request, OTLP_LOGS, "service.name");
    put_body(&request.bytes, rows[i].body);
    put_pair(&request.bytes, OTLP_LOG_ATTRIBUTES, "exception.message", "bad password=x, mail a@b.org");
    put_pair(&request.bytes, OTLP_LOG_ATTRIBUTES, "code.file.path", "/home/jane/x");
    end_request(&request);
    struct otlp_item before = only_item(OTLP_LOGS, buffer_slice(&request.bytes));
    bool changed = scrubbed(scrub, OTLP_LOGS, buffer_slice(&request.bytes), &out);
    if (changed != (rows[i].scrubbed != NULL)) fail_msg("%s: %.*s", rows[i].body, SLICE_PRINTF(buffer_slice(&out)));
    if (changed) {
      assert_false(scrub_log_is_clean(scrub, &before.log));
      struct otlp_item item = only_item(OTLP_LOGS, buffer_slice(&out));
      if (!slice_equal_cstr(item.log.body.bytes, rows[i].scrubbed)) fail_msg("%.*s", SLICE_PRINTF(item.log.body.bytes));
    } else {
      assert_true(scrub_log_is_clean(scrub, &before.log));
    }
    buffer_finish(&out);
    buffer_finish(&request.bytes);
  }
  struct request request;
  struct buffer out;
  buffer_init(&out, 1 << 16);
  begin_request(&request, OTLP_LOGS, "service.name");
  put_pair(&request.bytes, OTLP_LOG_ATTRIBUTES, "note", "the password is canary");
  put_pair(&request.bytes, OTLP_LOG_ATTRIBUTES, "url.full", "https://u:canary@h/?token=canary&a=1");
  put_pair(&request.bytes, OTLP_LOG_ATTRIBUTES, "user.email", "a@b.org");
  end_request(&request);
  assert_true(scrubbed(scrub, OTLP_LOGS, buffer_slice(&request.bytes), &out));
  struct otlp_item item = only_item(OTLP_LOGS, buffer_slice(&out));
  assert_attribute(item.log.bytes, OTLP_LOG_ATTRIBUTES, "note", "[Filtered]");
  assert_attribute(item.log.bytes, OTLP_LOG_ATTRIBUTES, "url.full", "https://[Filtered]@h/?token=[Filtered]&a=1");
  assert_attribute(item.log.bytes, OTLP_LOG_ATTRIBUTES, "user.email", "a@b.org");
  buffer_finish(&out);
  buffer_finish(&request.bytes);
  scrub_destroy(scrub);
}

// An attribute must not change when the rules say so, and the scan that tells whether there is anything to do must
// never say no where scrub_otlp would have changed something.
static void check_random(const struct scrub *scrub, struct payload_facts *builder, struct generator *generator,
                         enum otlp_signal signal) {
  struct buffer payload, out;
  struct otlp_scan before, after;
  struct otlp_item old, new;
  bool changed;
  buffer_init(&payload, 1 << 22);
  buffer_init(&out, 1 << 24);
  generate_request(generator, signal, &payload);
  assert_int_equal(scrub_otlp(scrub, signal, buffer_slice(&payload), &out, &changed), STATUS_OK);
  struct slice section;
  struct payload_facts_counts counts;
  payload_facts_set_scrub(builder, scrub);
  assert_int_equal(payload_facts_build(builder, signal, buffer_slice(&payload), &section, &counts, NULL), STATUS_OK);
  if (changed) assert_true(payload_facts_needs_scrub(builder));
  otlp_scan_init(&before, signal, buffer_slice(&payload), NULL);
  otlp_scan_init(&after, signal, changed ? buffer_slice(&out) : buffer_slice(&payload), NULL);
  while (otlp_scan_next(&before, &old, NULL) == STATUS_OK) {
    assert_int_equal(otlp_scan_next(&after, &new, NULL), STATUS_OK);
    assert_int_equal(new.resource_index, old.resource_index);
    assert_int_equal(new.scope_index, old.scope_index);
    assert_int_equal(new.ids_valid, old.ids_valid);
    if (signal == OTLP_TRACES) {
      assert_true(slice_equal(new.span.trace_id, old.span.trace_id) && slice_equal(new.span.span_id, old.span.span_id));
      assert_true(slice_equal(new.span.name, old.span.name) && slice_equal(new.span.trace_state, old.span.trace_state));
      assert_int_equal(new.span.attribute_count, old.span.attribute_count);
      assert_int_equal(new.span.event_count, old.span.event_count);
      assert_int_equal(new.span.link_count, old.span.link_count);
      assert_int_equal(new.span.start_ns, old.span.start_ns);
    } else {
      assert_true(slice_equal(new.log.trace_id, old.log.trace_id));
      assert_int_equal(new.log.attribute_count, old.log.attribute_count);
      assert_int_equal(new.log.time_ns, old.log.time_ns);
    }
  }
  assert_int_equal(otlp_scan_next(&after, &new, NULL), STATUS_END);
  assert_int_equal(after.attributes_left >= before.attributes_left, 1);
  buffer_finish(&payload);
  buffer_finish(&out);
}

static void test_random_requests(void **state) {
  (void)state;
  // "url" texts of the generator stand in for secrets: its keys are of HTTP, services and exceptions.
  static const char *const extra[] = {"http.request", "select"};
  struct scrub *scrub = scrub_create(
      &(struct scrub_options){.enabled = true, .defaults = true, .extra_keys = extra, .extra_key_count = 2});
  struct scrub *plain = with_defaults();
  struct metrics *metrics = metrics_create();
  struct sampling *sampling = NULL;
  struct sampling_policy policy = {.kind = SAMPLING_ERRORS};
  assert_int_equal(sampling_create(&policy, 1, metrics, &sampling, NULL), STATUS_OK);
  struct correlation *correlation = correlation_create(NULL, 0);
  struct payload_facts *builder = payload_facts_create(
      &(struct payload_facts_options){.sampling = sampling, .correlation = correlation, .keep_severity = 13});
  struct generator generator = {.state = 7, .unknown_fields = true};
  for (int i = 0; i < 300; i++) {
    // Two configurations in turn: what one remembers of a key must not reach the other.
    check_random(i % 2 ? scrub : plain, builder, &generator, i % 4 < 2 ? OTLP_TRACES : OTLP_LOGS);
  }
  payload_facts_destroy(builder);
  correlation_destroy(correlation);
  sampling_release(sampling);
  metrics_destroy(metrics);
  scrub_destroy(plain);
  scrub_destroy(scrub);
}

// The scan's memory of keys: a hit for one key never hides another, of any length.
static void test_key_memory(void **state) {
  (void)state;
  struct scrub *scrub = with_defaults();
  struct otlp_key_memory *memory = calloc(1, sizeof(*memory));
  for (int round = 0; round < 2; round++) {
    for (size_t len = 1; len < 90; len++) {
      for (int sensitive = 0; sensitive < 2; sensitive++) {
        char key[100];
        memset(key, 'k', sizeof(key));
        key[len] = 0;
        if (sensitive && len < 6) continue;
        if (sensitive) memcpy(key + (len - 6) / 2, "secret", 6); // in the middle: first and last byte are the same
        struct request request;
        begin_request(&request, OTLP_TRACES, "service.name");
        put_nested_pair(&request.bytes, OTLP_SPAN_ATTRIBUTES, len % 2 ? "a" : key, len % 2 ? key : "b", "value");
        end_request(&request);
        struct otlp_scan scan;
        struct otlp_item item;
        otlp_scan_init(&scan, OTLP_TRACES, buffer_slice(&request.bytes), NULL);
        scrub_judge_keys(scrub, memory);
        scan.keys = memory;
        assert_int_equal(otlp_scan_next(&scan, &item, NULL), STATUS_OK);
        assert_int_equal(memory->met, sensitive);
        buffer_finish(&request.bytes);
      }
    }
  }
  free(memory);
  scrub_destroy(scrub);
}

static void test_small_output(void **state) {
  (void)state;
  struct scrub *scrub = with_defaults();
  struct request request;
  struct buffer out;
  bool changed = true;
  begin_request(&request, OTLP_TRACES, "password");
  end_request(&request);
  buffer_init(&out, 40);
  buffer_append_cstr(&out, "kept");
  assert_int_equal(scrub_otlp(scrub, OTLP_TRACES, buffer_slice(&request.bytes), &out, &changed), STATUS_TOO_LARGE);
  assert_false(changed);
  assert_true(slice_equal_cstr(buffer_slice(&out), "kept"));
  buffer_finish(&out);
  buffer_finish(&request.bytes);
  scrub_destroy(scrub);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_span),       cmocka_unit_test(test_log),          cmocka_unit_test(test_random_requests),
      cmocka_unit_test(test_key_memory), cmocka_unit_test(test_small_output),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
