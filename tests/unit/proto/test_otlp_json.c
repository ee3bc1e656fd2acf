// SPDX-License-Identifier: Apache-2.0
//
// The rules J1 to J7 of OTLP's JSON one by one, and random messages of all three signals through a JSON encoder made of
// protobuf-c's descriptors and back.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include <opentelemetry/proto/collector/logs/v1/logs_service.pb-c.h>
#include <opentelemetry/proto/collector/metrics/v1/metrics_service.pb-c.h>
#include <opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h>

#include "proto/otlp_json.h"
#include "proto/otlp_json_schema.h"
#include "tests/unit/proto/reflect.h"
#include "tests/unit/proto/wire_text.h"

#define BYTES_MAX ((size_t)1 << 24)

static const ProtobufCMessageDescriptor *const requests[] = {
    [OTLP_TRACES] = &opentelemetry__proto__collector__trace__v1__export_trace_service_request__descriptor,
    [OTLP_LOGS] = &opentelemetry__proto__collector__logs__v1__export_logs_service_request__descriptor,
    [OTLP_METRICS] = &opentelemetry__proto__collector__metrics__v1__export_metrics_service_request__descriptor,
};

static int setup(void **state) {
  wire_text_reset();
  *state = json_parser_create(BYTES_MAX);
  return 0;
}

static int finish(void **state) {
  json_parser_destroy(*state);
  wire_text_finish();
  return 0;
}

static enum status convert(void **state, enum otlp_signal signal, const char *text, struct slice *out_wire,
                           struct error *error) {
  struct buffer out;
  buffer_init(&out, BYTES_MAX);
  enum status status = otlp_json_to_wire(signal, *state, slice_from_cstr(text), &out, error);
  if (status != STATUS_OK) assert_int_equal(out.len, 0);
  *out_wire = wire_text_keep(&out);
  return status;
}

static void assert_wire(void **state, enum otlp_signal signal, const char *text, struct slice expected) {
  struct slice wire;
  struct error error = {""};
  if (convert(state, signal, text, &wire, &error) != STATUS_OK) fail_msg("%s: %s", text, error.text);
  if (!slice_equal(wire, expected)) fail_msg("%s: other bytes than expected", text);
}

static void assert_refused(void **state, enum otlp_signal signal, const char *text, const char *words) {
  struct slice wire;
  struct error error = {""};
  assert_int_equal(convert(state, signal, text, &wire, &error), STATUS_INVALID);
  if (!strstr(error.text, words)) fail_msg("%s: \"%s\" does not say \"%s\"", text, error.text, words);
}

#define SPAN_JSON(members)  "{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{" members "}]}]}]}"
#define LOG_JSON(members)   "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{" members "}]}]}]}"
#define VALUE_JSON(members) SPAN_JSON("\"attributes\":[{\"key\":\"k\",\"value\":{" members "}}]")
#define SPAN_WIRE(...)      FIELD(1, FIELD(2, FIELD(2, __VA_ARGS__)))
#define VALUE_WIRE(...)     SPAN_WIRE(FIELD(9, text(1, "k"), FIELD(2, __VA_ARGS__)))
#define NOTHING             slice_make(NULL, 0)

static void empty_requests_are_empty(void **state) {
  for (enum otlp_signal signal = OTLP_TRACES; signal <= OTLP_METRICS; signal++) {
    assert_wire(state, signal, "{}", NOTHING);
    assert_wire(state, signal, " { \"unknown\" : [ 1, {\"a\": null} ] } ", NOTHING);
    assert_refused(state, signal, "[]", "not a JSON object");
    assert_refused(state, signal, "null", "not a JSON object");
    assert_refused(state, signal, "", "JSON");
    assert_refused(state, signal, "{\"a\":", "JSON");
  }
  assert_wire(state, OTLP_TRACES, "{\"resourceSpans\":[]}", NOTHING);
  assert_wire(state, OTLP_TRACES, "{\"resourceSpans\":null}", NOTHING);
  assert_wire(state, OTLP_TRACES, "{\"resourceSpans\":[{}]}", EMPTY_FIELD(1));
}

static void ids_are_hexadecimal(void **state) { // J1, J7
  assert_wire(
      state, OTLP_TRACES,
      SPAN_JSON(
          "\"traceId\":\"5B8EFFF798038103D269B633813FC60C\",\"spanId\":\"eee19b7ec3c1b174\",\"parentSpanId\":\"\""),
      SPAN_WIRE(bytes(1, SLICE_LITERAL("\x5b\x8e\xff\xf7\x98\x03\x81\x03\xd2\x69\xb6\x33\x81\x3f\xc6\x0c")),
                bytes(2, SLICE_LITERAL("\xee\xe1\x9b\x7e\xc3\xc1\xb1\x74")), EMPTY_FIELD(4)));
  assert_wire(state, OTLP_TRACES, SPAN_JSON("\"links\":[{\"traceId\":\"01\",\"spanId\":\"02\"}]"),
              SPAN_WIRE(FIELD(13, text(1, "\1"), text(2, "\2"))));
  assert_wire(state, OTLP_LOGS, LOG_JSON("\"traceId\":\"aB\",\"spanId\":\"\""),
              SPAN_WIRE(text(9, "\xab"), EMPTY_FIELD(10)));
  assert_refused(state, OTLP_TRACES, SPAN_JSON("\"traceId\":\"xyz1\""),
                 "resourceSpans[0].scopeSpans[0].spans[0].traceId: not hexadecimal");
  assert_refused(state, OTLP_TRACES, SPAN_JSON("\"spanId\":\"abc\""), "spans[0].spanId: not hexadecimal");
  assert_refused(state, OTLP_TRACES, SPAN_JSON("\"spanId\":12"), "spans[0].spanId: not a string");
}

static void bytes_are_base64(void **state) {
  assert_wire(state, OTLP_TRACES, VALUE_JSON("\"bytesValue\":\"\""), VALUE_WIRE(text(7, "")));
  static const char *const forms[] = {"\"bytesValue\":\"+/8=\"", "\"bytesValue\":\"-_8=\"", "\"bytesValue\":\"+/8\""};
  for (size_t i = 0; i < 3; i++) {
    char json[300];
    (void)snprintf(json, sizeof json, VALUE_JSON("%s"), forms[i]);
    assert_wire(state, OTLP_TRACES, json, VALUE_WIRE(text(7, "\xfb\xff")));
  }
  assert_wire(state, OTLP_TRACES, VALUE_JSON("\"bytesValue\":\"YQ==\""), VALUE_WIRE(text(7, "a")));
  static const char *const bad[] = {"a", "=", "====", "YQ=", "Y===", "YQ=a", "Y Q=", "YWI*", "YWJj="};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    char json[300];
    (void)snprintf(json, sizeof json, VALUE_JSON("\"bytesValue\":\"%s\""), bad[i]);
    assert_refused(state, OTLP_TRACES, json, "attributes[0].value.bytesValue: not base64");
  }
}

static void enums_are_integers_or_names(void **state) { // J2
  assert_wire(state, OTLP_TRACES, SPAN_JSON("\"kind\":2"), SPAN_WIRE(number(6, 2)));
  assert_wire(state, OTLP_TRACES, SPAN_JSON("\"kind\":\"SPAN_KIND_CONSUMER\""), SPAN_WIRE(number(6, 5)));
  assert_wire(state, OTLP_TRACES, SPAN_JSON("\"kind\":77"), SPAN_WIRE(number(6, 77)));
  assert_wire(state, OTLP_TRACES, SPAN_JSON("\"kind\":-1"), SPAN_WIRE(number(6, UINT64_MAX)));
  assert_wire(state, OTLP_TRACES, SPAN_JSON("\"status\":{\"code\":\"STATUS_CODE_ERROR\"}"),
              SPAN_WIRE(FIELD(15, number(3, 2))));
  assert_wire(state, OTLP_LOGS, LOG_JSON("\"severityNumber\":\"SEVERITY_NUMBER_FATAL4\""), SPAN_WIRE(number(2, 24)));
  assert_refused(state, OTLP_TRACES, SPAN_JSON("\"kind\":\"SERVER\""), "spans[0].kind: not an integer in range");
  assert_refused(state, OTLP_TRACES, SPAN_JSON("\"kind\":\"SPAN_KIND_\""), "spans[0].kind");
  assert_refused(state, OTLP_TRACES, SPAN_JSON("\"kind\":4294967296"), "spans[0].kind");
  assert_refused(state, OTLP_TRACES, SPAN_JSON("\"kind\":true"), "spans[0].kind");
}

static void unknown_keys_are_ignored(void **state) { // J3, J4
  assert_wire(state, OTLP_TRACES,
              SPAN_JSON("\"trace_id\":\"zz\",\"Name\":1,\"\":{},\"name\":\"n\",\"later\":{\"name\":[[[{}]]]},\"start_"
                        "time_unix_nano\":{}"),
              SPAN_WIRE(text(5, "n")));
  assert_wire(state, OTLP_TRACES, "{\"resource_spans\":[{}],\"resourceLogs\":[{}]}", NOTHING);
}

static void the_last_duplicate_wins(void **state) {
  assert_wire(state, OTLP_TRACES, SPAN_JSON("\"name\":\"a\",\"kind\":1,\"name\":\"b\""),
              SPAN_WIRE(number(6, 1), text(5, "b")));
  assert_wire(state, OTLP_TRACES, SPAN_JSON("\"name\":[],\"name\":\"b\""), SPAN_WIRE(text(5, "b"))); // never looked at
  assert_wire(state, OTLP_TRACES, SPAN_JSON("\"name\":\"a\",\"name\":null"), FIELD(1, FIELD(2, EMPTY_FIELD(2))));
  assert_wire(state, OTLP_TRACES, "{\"resourceSpans\":[{},{},{}],\"resourceSpans\":[{}]}", EMPTY_FIELD(1));
  assert_wire(state, OTLP_TRACES, VALUE_JSON("\"intValue\":1,\"stringValue\":\"s\""),
              VALUE_WIRE(number(3, 1), text(1, "s")));
}

static void integers_are_numbers_or_strings(void **state) { // J5
  assert_wire(state, OTLP_TRACES,
              SPAN_JSON("\"startTimeUnixNano\":\"1544712660000000000\",\"endTimeUnixNano\":1544712661000000000"),
              SPAN_WIRE(fixed64(7, UINT64_C(1544712660000000000)), fixed64(8, UINT64_C(1544712661000000000))));
  assert_wire(state, OTLP_TRACES, SPAN_JSON("\"endTimeUnixNano\":18446744073709551615"),
              SPAN_WIRE(fixed64(8, UINT64_MAX)));
  assert_wire(state, OTLP_TRACES, SPAN_JSON("\"flags\":\"257\",\"droppedLinksCount\":\"3\""),
              SPAN_WIRE(fixed32(16, 257), number(14, 3)));
  assert_wire(state, OTLP_TRACES, SPAN_JSON("\"droppedLinksCount\":1.5e1"), SPAN_WIRE(number(14, 15)));
  assert_wire(state, OTLP_TRACES, VALUE_JSON("\"intValue\":\"-9223372036854775808\""),
              VALUE_WIRE(number(3, UINT64_C(1) << 63)));
  assert_wire(state, OTLP_TRACES, VALUE_JSON("\"intValue\":9223372036854775807"), VALUE_WIRE(number(3, INT64_MAX)));
  assert_wire(state, OTLP_TRACES, VALUE_JSON("\"intValue\":-3"), VALUE_WIRE(number(3, 0 - UINT64_C(3))));
  static const char *const bad[] = {"\"startTimeUnixNano\":-1", "\"startTimeUnixNano\":\"18446744073709551616\"",
                                    "\"flags\":4294967296",     "\"flags\":\"\"",
                                    "\"flags\":\"-\"",          "\"flags\":\"0x10\"",
                                    "\"flags\":\" 1\"",         "\"flags\":1.5",
                                    "\"flags\":1e300",          "\"flags\":{}",
                                    "\"droppedLinksCount\":-1", "\"startTimeUnixNano\":\"1e3\""};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    char json[300];
    (void)snprintf(json, sizeof json, SPAN_JSON("%s"), bad[i]);
    assert_refused(state, OTLP_TRACES, json, "not an integer in range");
  }
  assert_refused(state, OTLP_TRACES, VALUE_JSON("\"intValue\":9223372036854775808"), "value.intValue: not an integer");
}

static void reals_are_numbers_or_strings(void **state) { // J6
  static const struct {
    const char *json;
    double value;
  } reals[] = {{"1.5", 1.5},
               {"-2", -2.0},
               {"\"3.25\"", 3.25},
               {"1e3", 1000.0},
               {"\"-1.5E-2\"", -0.015},
               {"\"1e3\"", 1000.0},
               {"\"Infinity\"", (double)INFINITY},
               {"\"-Infinity\"", -(double)INFINITY},
               {"\"NaN\"", (double)NAN},
               {"0", 0.0}};
  for (size_t i = 0; i < sizeof reals / sizeof reals[0]; i++) {
    char json[300];
    (void)snprintf(json, sizeof json, VALUE_JSON("\"doubleValue\":%s"), reals[i].json);
    assert_wire(state, OTLP_TRACES, json, VALUE_WIRE(real(4, reals[i].value)));
  }
  static const char *const bad[] = {"\"\"",   "\"nan\"", "\"inf\"",   "\"0x1p3\"", "\" 1\"", "\"1.\"",
                                    "\".5\"", "\"1e\"",  "\"1e400\"", "\"1,5\"",   "true",   "[]"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    char json[300];
    (void)snprintf(json, sizeof json, VALUE_JSON("\"doubleValue\":%s"), bad[i]);
    assert_refused(state, OTLP_TRACES, json, "value.doubleValue: not a number");
  }
}

static void values_of_every_kind(void **state) {
  assert_wire(state, OTLP_TRACES, VALUE_JSON("\"boolValue\":false"), VALUE_WIRE(number(2, 0)));
  assert_wire(state, OTLP_TRACES, VALUE_JSON("\"stringValue\":\"\\u00fc\\n\""), VALUE_WIRE(text(1, "\xc3\xbc\n")));
  assert_wire(state, OTLP_TRACES,
              VALUE_JSON("\"arrayValue\":{\"values\":[{\"intValue\":\"1\"},{},{\"arrayValue\":{}},null]}"),
              VALUE_WIRE(FIELD(5, FIELD(1, number(3, 1)), EMPTY_FIELD(1), FIELD(1, EMPTY_FIELD(5)), EMPTY_FIELD(1))));
  assert_wire(state, OTLP_TRACES,
              VALUE_JSON("\"kvlistValue\":{\"values\":[{\"key\":\"x\",\"value\":{\"boolValue\":true}}]}"),
              VALUE_WIRE(FIELD(6, FIELD(1, text(1, "x"), FIELD(2, number(2, 1))))));
  assert_refused(state, OTLP_TRACES, VALUE_JSON("\"boolValue\":\"true\""), "value.boolValue: not a boolean");
  assert_refused(state, OTLP_TRACES, VALUE_JSON("\"stringValue\":5"), "value.stringValue: not a string");
  assert_refused(state, OTLP_TRACES, VALUE_JSON("\"arrayValue\":[]"), "value.arrayValue: not an object");
  assert_refused(state, OTLP_TRACES, VALUE_JSON("\"arrayValue\":{\"values\":{}}"), "arrayValue.values: not an array");
  assert_refused(state, OTLP_TRACES, VALUE_JSON("\"arrayValue\":{\"values\":[{},{\"intValue\":{}}]}"),
                 "spans[0].attributes[0].value.arrayValue.values[1].intValue: not an integer");
  assert_refused(state, OTLP_TRACES, "{\"resourceSpans\":[{},7]}", "resourceSpans[1]: not an object");
}

static void lists_of_numbers_are_packed(void **state) {
  assert_wire(
      state, OTLP_METRICS,
      "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"histogram\":{\"dataPoints\":[{\"bucketCounts\":"
      "[\"1\",2],\"explicitBounds\":[0.5,\"NaN\"]}]}}]}]}]}",
      FIELD(1, FIELD(2, FIELD(2, FIELD(9, FIELD(1, FIELD(6, slice_skip(fixed64(1, 1), 1), slice_skip(fixed64(1, 2), 1)),
                                                FIELD(7, slice_skip(real(1, 0.5), 1),
                                                      slice_skip(real(1, (double)NAN), 1))))))));
  assert_refused(
      state, OTLP_METRICS,
      "{\"resourceMetrics\":[{\"scopeMetrics\":[{\"metrics\":[{\"histogram\":{\"dataPoints\":[{\"bucketCounts\":[1,-2]}"
      "]}}]}]}]}",
      "histogram.dataPoints[0].bucketCounts[1]: not an integer");
}

static void deep_nesting_is_refused(void **state) {
  struct buffer json;
  struct slice wire;
  buffer_init(&json, BYTES_MAX);
  for (int brackets = 0; brackets < 2; brackets++) {
    static const char *const open[] = {"{\"arrayValue\":{\"values\":[", "["}, *const close[] = {"]}}", "]"};
    buffer_clear(&json);
    buffer_append_cstr(&json, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":");
    for (int i = 0; i < 10000; i++) buffer_append_cstr(&json, open[brackets]);
    for (int i = 0; i < 10000; i++) buffer_append_cstr(&json, close[brackets]);
    buffer_append_cstr(&json, "}]}]}]}");
    buffer_append_byte(&json, 0);
    assert_false(json.failed);
    assert_int_equal(convert(state, OTLP_LOGS, (const char *)json.ptr, &wire, NULL), STATUS_INVALID);
  }
  // As deep as a scan takes it: 30 values.
  for (int levels = 30; levels <= 31; levels++) {
    buffer_clear(&json);
    buffer_append_cstr(&json, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":");
    for (int i = 1; i < levels; i++) buffer_append_cstr(&json, "{\"kvlistValue\":{\"values\":[{\"value\":");
    buffer_append_cstr(&json, "{}");
    for (int i = 1; i < levels; i++) buffer_append_cstr(&json, "}]}}");
    buffer_append_cstr(&json, "}]}]}]}");
    buffer_append_byte(&json, 0);
    struct otlp_scan scan;
    struct otlp_item item;
    assert_int_equal(convert(state, OTLP_LOGS, (const char *)json.ptr, &wire, NULL), STATUS_OK);
    otlp_scan_init(&scan, OTLP_LOGS, wire, NULL);
    assert_int_equal(otlp_scan_next(&scan, &item, NULL), levels == 30 ? STATUS_OK : STATUS_INVALID);
  }
  buffer_finish(&json);
}

static void a_full_buffer_is_left_as_it_was(void **state) {
  struct slice text = SLICE_LITERAL(SPAN_JSON("\"name\":\"a name\",\"attributes\":[{\"key\":\"k\"}]"));
  for (size_t max = 4; max < 60; max++) {
    struct buffer out;
    struct error error = {""};
    buffer_init(&out, max);
    buffer_append_cstr(&out, "head");
    enum status status = otlp_json_to_wire(OTLP_TRACES, *state, text, &out, &error);
    assert_true(status == (out.len > 4 ? STATUS_OK : STATUS_TOO_LARGE));
    assert_true(status == STATUS_OK || (error.text[0] && max < 4 + 19 + 8));
    buffer_finish(&out);
  }
  struct json_parser *small = json_parser_create(64);
  struct buffer out;
  buffer_init(&out, 1000);
  assert_int_equal(otlp_json_to_wire(OTLP_TRACES, small, text, &out, NULL), STATUS_TOO_LARGE);
  json_parser_destroy(small);
}

static void long_paths_are_cut(void **state) {
  struct buffer json;
  struct slice wire;
  struct error error = {""};
  buffer_init(&json, BYTES_MAX);
  buffer_append_cstr(&json, "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[{\"body\":");
  for (int i = 0; i < 30; i++) buffer_append_cstr(&json, "{\"arrayValue\":{\"values\":[");
  buffer_append_cstr(&json, "{\"intValue\":\"x\"}");
  for (int i = 0; i < 30; i++) buffer_append_cstr(&json, "]}}");
  buffer_append_cstr(&json, "}]}]}]}");
  buffer_append_byte(&json, 0);
  assert_int_equal(convert(state, OTLP_LOGS, (const char *)json.ptr, &wire, &error), STATUS_INVALID);
  assert_non_null(strstr(error.text, "resourceLogs[0].scopeLogs[0].logRecords[0].body.arrayValue"));
  assert_non_null(strstr(error.text, ": not an integer in range"));
  buffer_finish(&json);
}

// The tables against the generated descriptors, message by message, each once.
static void the_schema_is_that_of_the_proto_files(void **state) {
  (void)state;
  const struct otlp_json_message *ours[64];
  const ProtobufCMessageDescriptor *theirs[64];
  size_t count = 0;
  for (enum otlp_signal signal = OTLP_TRACES; signal <= OTLP_METRICS; signal++) {
    ours[count] = otlp_json_schema_request(signal);
    theirs[count++] = requests[signal];
  }
  for (size_t m = 0; m < count; m++) {
    if (ours[m]->count != theirs[m]->n_fields) fail_msg("%s has other fields", theirs[m]->name);
    assert_true(ours[m]->count <= OTLP_JSON_FIELDS_MAX);
    for (unsigned f = 0; f < theirs[m]->n_fields; f++) {
      static const enum otlp_json_form forms[] = {
          [PROTOBUF_C_TYPE_INT32] = OTLP_JSON_INT32,     [PROTOBUF_C_TYPE_SINT32] = OTLP_JSON_SINT32,
          [PROTOBUF_C_TYPE_UINT32] = OTLP_JSON_UINT32,   [PROTOBUF_C_TYPE_FIXED32] = OTLP_JSON_FIXED32,
          [PROTOBUF_C_TYPE_INT64] = OTLP_JSON_INT64,     [PROTOBUF_C_TYPE_UINT64] = OTLP_JSON_UINT64,
          [PROTOBUF_C_TYPE_FIXED64] = OTLP_JSON_FIXED64, [PROTOBUF_C_TYPE_SFIXED64] = OTLP_JSON_SFIXED64,
          [PROTOBUF_C_TYPE_DOUBLE] = OTLP_JSON_DOUBLE,   [PROTOBUF_C_TYPE_BOOL] = OTLP_JSON_BOOL,
          [PROTOBUF_C_TYPE_ENUM] = OTLP_JSON_ENUM,       [PROTOBUF_C_TYPE_STRING] = OTLP_JSON_STRING,
          [PROTOBUF_C_TYPE_BYTES] = OTLP_JSON_BASE64,    [PROTOBUF_C_TYPE_MESSAGE] = OTLP_JSON_MESSAGE};
      const ProtobufCFieldDescriptor *field = &theirs[m]->fields[f];
      const struct otlp_json_field *our = &ours[m]->fields[f]; // both in the order of numbers
      char name[64];
      reflect_json_name(field->name, name);
      assert_string_equal(our->name, name);
      assert_int_equal(our->number, field->id);
      assert_int_equal(our->repeated, field->label == PROTOBUF_C_LABEL_REPEATED);
      assert_int_equal(our->form, reflect_is_id(field) ? OTLP_JSON_HEX : forms[field->type]);
      if (field->type == PROTOBUF_C_TYPE_ENUM) {
        const ProtobufCEnumDescriptor *names = field->descriptor;
        assert_int_equal(our->names->count, names->n_values);
        for (unsigned v = 0; v < names->n_values; v++) {
          (void)snprintf(name, sizeof name, "%s%s", our->names->prefix, our->names->names[v]);
          assert_string_equal(name, names->values[v].name);
          assert_int_equal(names->values[v].value, v);
        }
      }
      if (field->type != PROTOBUF_C_TYPE_MESSAGE) continue;
      size_t known = 0;
      while (known < count && theirs[known] != field->descriptor) known++;
      if (known < count) {
        assert_ptr_equal(ours[known], our->message);
      } else {
        assert_true(count < 64);
        ours[count] = our->message;
        theirs[count++] = field->descriptor;
      }
    }
  }
  assert_true(count > 30); // all of them were met
}

static void random_messages_come_through(void **state) {
  struct buffer wire, json, back;
  buffer_init(&wire, BYTES_MAX);
  buffer_init(&json, BYTES_MAX);
  buffer_init(&back, BYTES_MAX);
  for (uint64_t seed = 0; seed < 1200; seed++) {
    const enum otlp_signal signal = (enum otlp_signal)(seed % 3);
    struct generator generator = {.state = seed};
    struct error error = {""};
    struct json_writer writer;
    buffer_clear(&wire);
    buffer_clear(&json);
    buffer_clear(&back);
    reflect_random_message(&generator, requests[signal], 8, &wire);
    ProtobufCMessage *before = protobuf_c_message_unpack(requests[signal], NULL, wire.len, wire.ptr);
    assert_non_null(before);
    json_writer_init(&writer, &json);
    reflect_write_message(&generator, &writer, before);
    assert_false(json.failed);
    enum status status = otlp_json_to_wire(signal, *state, buffer_slice(&json), &back, &error);
    if (status != STATUS_OK) fail_msg("seed %u: %s", (unsigned)seed, error.text);
    ProtobufCMessage *after = protobuf_c_message_unpack(requests[signal], NULL, back.len, back.ptr);
    assert_non_null(after);
    size_t len = protobuf_c_message_get_packed_size(before);
    assert_int_equal(protobuf_c_message_get_packed_size(after), len);
    uint8_t *packed = malloc(2 * len + 1);
    assert_non_null(packed);
    protobuf_c_message_pack(before, packed);
    protobuf_c_message_pack(after, packed + len);
    assert_memory_equal(packed, packed + len, len);
    free(packed);
    protobuf_c_message_free_unpacked(before, NULL);
    protobuf_c_message_free_unpacked(after, NULL);
  }
  buffer_finish(&wire);
  buffer_finish(&json);
  buffer_finish(&back);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, finish)
  const struct CMUnitTest tests[] = {
      TEST(empty_requests_are_empty),
      TEST(ids_are_hexadecimal),
      TEST(bytes_are_base64),
      TEST(enums_are_integers_or_names),
      TEST(unknown_keys_are_ignored),
      TEST(the_last_duplicate_wins),
      TEST(integers_are_numbers_or_strings),
      TEST(reals_are_numbers_or_strings),
      TEST(values_of_every_kind),
      TEST(lists_of_numbers_are_packed),
      TEST(deep_nesting_is_refused),
      TEST(a_full_buffer_is_left_as_it_was),
      TEST(long_paths_are_cut),
      TEST(the_schema_is_that_of_the_proto_files),
      TEST(random_messages_come_through),
  };
  return cmocka_run_group_tests_name("otlp_json", tests, NULL, NULL);
}
