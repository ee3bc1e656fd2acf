// SPDX-License-Identifier: Apache-2.0
//
// One table per message, those that others refer to first; AnyValue and what it holds refer to each other. Field
// numbers as in the .proto files beside this one (tests/unit/proto/test_otlp_json.c compares the two, field by field).
#include "proto/otlp_json_schema.h"

#include <assert.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
// clang-format off
#define MESSAGE(fields, usual_bytes) {fields, COUNT(fields), usual_bytes}
// One field; a list of numbers (packed) or strings; a message; a list of messages; an enum.
#define FIELD(name, number, form) {name, sizeof(name) - 1, false, number, OTLP_JSON_##form, {NULL}}
#define LIST(name, number, form) {name, sizeof(name) - 1, true, number, OTLP_JSON_##form, {NULL}}
#define CHILD(name, number, type) {name, sizeof(name) - 1, false, number, OTLP_JSON_MESSAGE, {.message = &(type)}}
#define CHILDREN(name, number, type) {name, sizeof(name) - 1, true, number, OTLP_JSON_MESSAGE, {.message = &(type)}}
#define NAMED(name, number, type) {name, sizeof(name) - 1, false, number, OTLP_JSON_ENUM, {.names = &(type)}}
// clang-format on

static const char *const span_kind_names[] = {"UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"};
static const struct otlp_json_enum span_kind = {"SPAN_KIND_", span_kind_names, COUNT(span_kind_names)};

static const char *const status_code_names[] = {"UNSET", "OK", "ERROR"};
static const struct otlp_json_enum status_code = {"STATUS_CODE_", status_code_names, COUNT(status_code_names)};

static const char *const severity_number_names[] = {
    "UNSPECIFIED", "TRACE",  "TRACE2", "TRACE3", "TRACE4", "DEBUG",  "DEBUG2", "DEBUG3", "DEBUG4",
    "INFO",        "INFO2",  "INFO3",  "INFO4",  "WARN",   "WARN2",  "WARN3",  "WARN4",  "ERROR",
    "ERROR2",      "ERROR3", "ERROR4", "FATAL",  "FATAL2", "FATAL3", "FATAL4"};
static const struct otlp_json_enum severity_number = {"SEVERITY_NUMBER_", severity_number_names,
                                                      COUNT(severity_number_names)};

static const char *const aggregation_temporality_names[] = {"UNSPECIFIED", "DELTA", "CUMULATIVE"};
static const struct otlp_json_enum aggregation_temporality = {"AGGREGATION_TEMPORALITY_", aggregation_temporality_names,
                                                              COUNT(aggregation_temporality_names)};

static const struct otlp_json_message any_value, key_value; // defined below

static const struct otlp_json_field array_value_fields[] = {
    CHILDREN("values", 1, any_value),
};
static const struct otlp_json_message array_value = MESSAGE(array_value_fields, 60);

static const struct otlp_json_field key_value_list_fields[] = {
    CHILDREN("values", 1, key_value),
};
static const struct otlp_json_message key_value_list = MESSAGE(key_value_list_fields, 60);

static const struct otlp_json_field any_value_fields[] = {
    FIELD("stringValue", 1, STRING),     FIELD("boolValue", 2, BOOL),
    FIELD("intValue", 3, INT64),         FIELD("doubleValue", 4, DOUBLE),
    CHILD("arrayValue", 5, array_value), CHILD("kvlistValue", 6, key_value_list),
    FIELD("bytesValue", 7, BASE64),      FIELD("stringValueStrindex", 8, INT32),
};
static const struct otlp_json_message any_value = MESSAGE(any_value_fields, 60);

static const struct otlp_json_field key_value_fields[] = {
    FIELD("key", 1, STRING),
    CHILD("value", 2, any_value),
    FIELD("keyStrindex", 3, INT32),
};
static const struct otlp_json_message key_value = MESSAGE(key_value_fields, 60);

static const struct otlp_json_field entity_ref_fields[] = {
    FIELD("schemaUrl", 1, STRING),
    FIELD("type", 2, STRING),
    LIST("idKeys", 3, STRING),
    LIST("descriptionKeys", 4, STRING),
};
static const struct otlp_json_message entity_ref = MESSAGE(entity_ref_fields, 60);

static const struct otlp_json_field resource_fields[] = {
    CHILDREN("attributes", 1, key_value),
    FIELD("droppedAttributesCount", 2, UINT32),
    CHILDREN("entityRefs", 3, entity_ref),
};
static const struct otlp_json_message resource = MESSAGE(resource_fields, 300);

static const struct otlp_json_field instrumentation_scope_fields[] = {
    FIELD("name", 1, STRING),
    FIELD("version", 2, STRING),
    CHILDREN("attributes", 3, key_value),
    FIELD("droppedAttributesCount", 4, UINT32),
};
static const struct otlp_json_message instrumentation_scope = MESSAGE(instrumentation_scope_fields, 60);

static const struct otlp_json_field event_fields[] = {
    FIELD("timeUnixNano", 1, FIXED64),
    FIELD("name", 2, STRING),
    CHILDREN("attributes", 3, key_value),
    FIELD("droppedAttributesCount", 4, UINT32),
};
static const struct otlp_json_message event = MESSAGE(event_fields, 200);

static const struct otlp_json_field link_fields[] = {
    FIELD("traceId", 1, HEX),
    FIELD("spanId", 2, HEX),
    FIELD("traceState", 3, STRING),
    CHILDREN("attributes", 4, key_value),
    FIELD("droppedAttributesCount", 5, UINT32),
    FIELD("flags", 6, FIXED32),
};
static const struct otlp_json_message link = MESSAGE(link_fields, 60);

static const struct otlp_json_field status_fields[] = {
    FIELD("message", 2, STRING),
    NAMED("code", 3, status_code),
};
static const struct otlp_json_message status = MESSAGE(status_fields, 60);

static const struct otlp_json_field span_fields[] = {
    FIELD("traceId", 1, HEX),
    FIELD("spanId", 2, HEX),
    FIELD("traceState", 3, STRING),
    FIELD("parentSpanId", 4, HEX),
    FIELD("name", 5, STRING),
    NAMED("kind", 6, span_kind),
    FIELD("startTimeUnixNano", 7, FIXED64),
    FIELD("endTimeUnixNano", 8, FIXED64),
    CHILDREN("attributes", 9, key_value),
    FIELD("droppedAttributesCount", 10, UINT32),
    CHILDREN("events", 11, event),
    FIELD("droppedEventsCount", 12, UINT32),
    CHILDREN("links", 13, link),
    FIELD("droppedLinksCount", 14, UINT32),
    CHILD("status", 15, status),
    FIELD("flags", 16, FIXED32),
};
static const struct otlp_json_message span = MESSAGE(span_fields, 500);

static const struct otlp_json_field scope_spans_fields[] = {
    CHILD("scope", 1, instrumentation_scope),
    CHILDREN("spans", 2, span),
    FIELD("schemaUrl", 3, STRING),
};
static const struct otlp_json_message scope_spans = MESSAGE(scope_spans_fields, 20000);

static const struct otlp_json_field resource_spans_fields[] = {
    CHILD("resource", 1, resource),
    CHILDREN("scopeSpans", 2, scope_spans),
    FIELD("schemaUrl", 3, STRING),
};
static const struct otlp_json_message resource_spans = MESSAGE(resource_spans_fields, 20000);

static const struct otlp_json_field export_trace_service_request_fields[] = {
    CHILDREN("resourceSpans", 1, resource_spans),
};
static const struct otlp_json_message export_trace_service_request = MESSAGE(export_trace_service_request_fields, 0);

static const struct otlp_json_field log_record_fields[] = {
    FIELD("timeUnixNano", 1, FIXED64),
    NAMED("severityNumber", 2, severity_number),
    FIELD("severityText", 3, STRING),
    CHILD("body", 5, any_value),
    CHILDREN("attributes", 6, key_value),
    FIELD("droppedAttributesCount", 7, UINT32),
    FIELD("flags", 8, FIXED32),
    FIELD("traceId", 9, HEX),
    FIELD("spanId", 10, HEX),
    FIELD("observedTimeUnixNano", 11, FIXED64),
    FIELD("eventName", 12, STRING),
};
static const struct otlp_json_message log_record = MESSAGE(log_record_fields, 300);

static const struct otlp_json_field scope_logs_fields[] = {
    CHILD("scope", 1, instrumentation_scope),
    CHILDREN("logRecords", 2, log_record),
    FIELD("schemaUrl", 3, STRING),
};
static const struct otlp_json_message scope_logs = MESSAGE(scope_logs_fields, 20000);

static const struct otlp_json_field resource_logs_fields[] = {
    CHILD("resource", 1, resource),
    CHILDREN("scopeLogs", 2, scope_logs),
    FIELD("schemaUrl", 3, STRING),
};
static const struct otlp_json_message resource_logs = MESSAGE(resource_logs_fields, 20000);

static const struct otlp_json_field export_logs_service_request_fields[] = {
    CHILDREN("resourceLogs", 1, resource_logs),
};
static const struct otlp_json_message export_logs_service_request = MESSAGE(export_logs_service_request_fields, 0);

static const struct otlp_json_field exemplar_fields[] = {
    FIELD("timeUnixNano", 2, FIXED64), FIELD("asDouble", 3, DOUBLE), FIELD("spanId", 4, HEX),
    FIELD("traceId", 5, HEX),          FIELD("asInt", 6, SFIXED64),  CHILDREN("filteredAttributes", 7, key_value),
};
static const struct otlp_json_message exemplar = MESSAGE(exemplar_fields, 60);

static const struct otlp_json_field number_data_point_fields[] = {
    FIELD("startTimeUnixNano", 2, FIXED64),
    FIELD("timeUnixNano", 3, FIXED64),
    FIELD("asDouble", 4, DOUBLE),
    CHILDREN("exemplars", 5, exemplar),
    FIELD("asInt", 6, SFIXED64),
    CHILDREN("attributes", 7, key_value),
    FIELD("flags", 8, UINT32),
};
static const struct otlp_json_message number_data_point = MESSAGE(number_data_point_fields, 60);

static const struct otlp_json_field gauge_fields[] = {
    CHILDREN("dataPoints", 1, number_data_point),
};
static const struct otlp_json_message gauge = MESSAGE(gauge_fields, 300);

static const struct otlp_json_field sum_fields[] = {
    CHILDREN("dataPoints", 1, number_data_point),
    NAMED("aggregationTemporality", 2, aggregation_temporality),
    FIELD("isMonotonic", 3, BOOL),
};
static const struct otlp_json_message sum = MESSAGE(sum_fields, 300);

static const struct otlp_json_field histogram_data_point_fields[] = {
    FIELD("startTimeUnixNano", 2, FIXED64),
    FIELD("timeUnixNano", 3, FIXED64),
    FIELD("count", 4, FIXED64),
    FIELD("sum", 5, DOUBLE),
    LIST("bucketCounts", 6, FIXED64),
    LIST("explicitBounds", 7, DOUBLE),
    CHILDREN("exemplars", 8, exemplar),
    CHILDREN("attributes", 9, key_value),
    FIELD("flags", 10, UINT32),
    FIELD("min", 11, DOUBLE),
    FIELD("max", 12, DOUBLE),
};
static const struct otlp_json_message histogram_data_point = MESSAGE(histogram_data_point_fields, 200);

static const struct otlp_json_field histogram_fields[] = {
    CHILDREN("dataPoints", 1, histogram_data_point),
    NAMED("aggregationTemporality", 2, aggregation_temporality),
};
static const struct otlp_json_message histogram = MESSAGE(histogram_fields, 300);

static const struct otlp_json_field buckets_fields[] = {
    FIELD("offset", 1, SINT32),
    LIST("bucketCounts", 2, UINT64),
};
static const struct otlp_json_message buckets = MESSAGE(buckets_fields, 60);

static const struct otlp_json_field exponential_histogram_data_point_fields[] = {
    CHILDREN("attributes", 1, key_value),
    FIELD("startTimeUnixNano", 2, FIXED64),
    FIELD("timeUnixNano", 3, FIXED64),
    FIELD("count", 4, FIXED64),
    FIELD("sum", 5, DOUBLE),
    FIELD("scale", 6, SINT32),
    FIELD("zeroCount", 7, FIXED64),
    CHILD("positive", 8, buckets),
    CHILD("negative", 9, buckets),
    FIELD("flags", 10, UINT32),
    CHILDREN("exemplars", 11, exemplar),
    FIELD("min", 12, DOUBLE),
    FIELD("max", 13, DOUBLE),
    FIELD("zeroThreshold", 14, DOUBLE),
};
static const struct otlp_json_message exponential_histogram_data_point =
    MESSAGE(exponential_histogram_data_point_fields, 200);

static const struct otlp_json_field exponential_histogram_fields[] = {
    CHILDREN("dataPoints", 1, exponential_histogram_data_point),
    NAMED("aggregationTemporality", 2, aggregation_temporality),
};
static const struct otlp_json_message exponential_histogram = MESSAGE(exponential_histogram_fields, 300);

static const struct otlp_json_field value_at_quantile_fields[] = {
    FIELD("quantile", 1, DOUBLE),
    FIELD("value", 2, DOUBLE),
};
static const struct otlp_json_message value_at_quantile = MESSAGE(value_at_quantile_fields, 60);

static const struct otlp_json_field summary_data_point_fields[] = {
    FIELD("startTimeUnixNano", 2, FIXED64),
    FIELD("timeUnixNano", 3, FIXED64),
    FIELD("count", 4, FIXED64),
    FIELD("sum", 5, DOUBLE),
    CHILDREN("quantileValues", 6, value_at_quantile),
    CHILDREN("attributes", 7, key_value),
    FIELD("flags", 8, UINT32),
};
static const struct otlp_json_message summary_data_point = MESSAGE(summary_data_point_fields, 60);

static const struct otlp_json_field summary_fields[] = {
    CHILDREN("dataPoints", 1, summary_data_point),
};
static const struct otlp_json_message summary = MESSAGE(summary_fields, 300);

static const struct otlp_json_field metric_fields[] = {
    FIELD("name", 1, STRING),
    FIELD("description", 2, STRING),
    FIELD("unit", 3, STRING),
    CHILD("gauge", 5, gauge),
    CHILD("sum", 7, sum),
    CHILD("histogram", 9, histogram),
    CHILD("exponentialHistogram", 10, exponential_histogram),
    CHILD("summary", 11, summary),
    CHILDREN("metadata", 12, key_value),
};
static const struct otlp_json_message metric = MESSAGE(metric_fields, 300);

static const struct otlp_json_field scope_metrics_fields[] = {
    CHILD("scope", 1, instrumentation_scope),
    CHILDREN("metrics", 2, metric),
    FIELD("schemaUrl", 3, STRING),
};
static const struct otlp_json_message scope_metrics = MESSAGE(scope_metrics_fields, 20000);

static const struct otlp_json_field resource_metrics_fields[] = {
    CHILD("resource", 1, resource),
    CHILDREN("scopeMetrics", 2, scope_metrics),
    FIELD("schemaUrl", 3, STRING),
};
static const struct otlp_json_message resource_metrics = MESSAGE(resource_metrics_fields, 20000);

static const struct otlp_json_field export_metrics_service_request_fields[] = {
    CHILDREN("resourceMetrics", 1, resource_metrics),
};
static const struct otlp_json_message export_metrics_service_request =
    MESSAGE(export_metrics_service_request_fields, 0);

static_assert(COUNT(span_fields) <= OTLP_JSON_FIELDS_MAX, "the widest message");

const struct otlp_json_message *otlp_json_schema_request(enum otlp_signal signal) {
  static const struct otlp_json_message *const requests[] = {
      [OTLP_TRACES] = &export_trace_service_request,
      [OTLP_LOGS] = &export_logs_service_request,
      [OTLP_METRICS] = &export_metrics_service_request,
  };
  ASSERT((unsigned)signal < COUNT(requests));
  return requests[signal];
}
