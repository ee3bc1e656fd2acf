// SPDX-License-Identifier: Apache-2.0
//
// How fast one core goes through OTLP: a request of 512 spans of about 490 bytes, the size that an SDK's batch
// processor sends, through the scan, through the scan with wanted attributes, through protobuf-c, through the splice,
// and through all that is done before it is journalled (facts).
//
//   bench_otlp_scan [seconds per line, default 1 [the only line wanted]]
#include <opentelemetry/proto/collector/trace/v1/trace_service.pb-c.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/metrics.h"
#include "payload.h"
#include "processor/payload_facts.h"
#include "proto/otlp_json.h"
#include "proto/otlp_scan.h"
#include "proto/otlp_splice.h"
#include "proto/wire.h"

#define SPANS 512

static void put_string_attribute(struct buffer *out, uint32_t field, const char *key, const char *value) {
  struct wire_open_field pair, any;
  wire_open(out, field, 60, &pair);
  wire_put_bytes_field(out, 1, slice_from_cstr(key));
  wire_open(out, 2, 30, &any);
  wire_put_bytes_field(out, 1, slice_from_cstr(value));
  wire_close(out, &any);
  wire_close(out, &pair);
}

static void put_integer_attribute(struct buffer *out, uint32_t field, const char *key, uint64_t value) {
  struct wire_open_field pair, any;
  wire_open(out, field, 60, &pair);
  wire_put_bytes_field(out, 1, slice_from_cstr(key));
  wire_open(out, 2, 4, &any);
  wire_put_varint_field(out, 3, value);
  wire_close(out, &any);
  wire_close(out, &pair);
}

static void put_span(struct buffer *out, uint32_t index, bool ascii) {
  struct wire_open_field span, status;
  uint8_t id[24] = {
      1, 2, 3, 4, 5, 6, 7, 8, (uint8_t)index, (uint8_t)(index >> 8), 11, 12, 13, 14, 15, 16, 17, (uint8_t)index};
  wire_open(out, 2, 490, &span);
  wire_put_bytes_field(out, 1, slice_make(id, 16));
  wire_put_bytes_field(out, 2, slice_make(id + 8, 8));
  wire_put_bytes_field(out, 4, slice_make(id + 16, 8));
  wire_put_bytes_field(
      out, 5, slice_from_cstr(ascii ? "GET /api/v1/carts/{cart_id}/items" : "GET /api/v1/körbe/{nr}/sächelchen"));
  wire_put_varint_field(out, 6, 2);
  wire_put_fixed64_field(out, 7, UINT64_C(1700000000000000000) + index);
  wire_put_fixed64_field(out, 8, UINT64_C(1700000000012345678) + index);
  put_string_attribute(out, 9, "http.request.method", "GET");
  put_string_attribute(out, 9, "http.route", "/api/v1/carts/{cart_id}/items");
  put_string_attribute(out, 9, "url.path", "/api/v1/carts/0123456789/items");
  put_string_attribute(out, 9, "url.scheme", "https");
  put_string_attribute(out, 9, "server.address", "cart.shop.svc.cluster.local");
  put_integer_attribute(out, 9, "server.port", 8443);
  put_integer_attribute(out, 9, "http.response.status_code", 200);
  put_string_attribute(out, 9, "client.address", ascii ? "10.11.12.13" : "größenwahn");
  put_string_attribute(out, 9, "user_agent.original", "Mozilla/5.0 (X11; Linux x86_64)");
  put_string_attribute(out, 9, "network.protocol.version", "1.1");
  wire_open(out, 15, 0, &status);
  wire_close(out, &status);
  wire_put_fixed32_field(out, 16, 0x101);
  wire_close(out, &span);
}

static void put_request(struct buffer *out, bool ascii) {
  struct wire_open_field resource_level, resource, scope_level, scope;
  wire_open(out, 1, 250000, &resource_level);
  wire_open(out, 1, 200, &resource);
  put_string_attribute(out, 1, "service.name", "cart");
  put_string_attribute(out, 1, "service.version", "1.2.3");
  put_string_attribute(out, 1, "telemetry.sdk.language", "java");
  wire_close(out, &resource);
  wire_open(out, 2, 250000, &scope_level);
  wire_open(out, 1, 30, &scope);
  wire_put_bytes_field(out, 1, SLICE_LITERAL("io.opentelemetry.tomcat-10.0"));
  wire_close(out, &scope);
  for (uint32_t i = 0; i < SPANS; i++) put_span(out, i, ascii);
  wire_close(out, &scope_level);
  wire_close(out, &resource_level);
  ASSERT(!out->failed);
}

struct bench {
  struct slice payload;
  const struct otlp_key_filter *filter;
  struct buffer out;
  struct json_parser *parser;
  struct payload_facts *facts;
  const char *only; // NULL: all lines
  uint64_t seen;
};

static void count_attribute(void *context, enum otlp_owner owner, const struct otlp_attribute *attribute) {
  struct bench *bench = context;
  (void)owner;
  bench->seen += attribute->key.len;
}

static void run_scan(struct bench *bench) {
  struct otlp_scan scan;
  struct otlp_item item;
  otlp_scan_init(&scan, OTLP_TRACES, bench->payload, NULL);
  scan.filter = bench->filter;
  scan.on_attribute = count_attribute;
  scan.context = bench;
  uint32_t items = 0;
  while (otlp_scan_next(&scan, &item, NULL) == STATUS_OK) {
    bench->seen += item.span.attribute_count;
    items++;
  }
  ASSERT(items == SPANS);
}

static void run_protobuf_c(struct bench *bench) {
  Opentelemetry__Proto__Collector__Trace__V1__ExportTraceServiceRequest *request =
      opentelemetry__proto__collector__trace__v1__export_trace_service_request__unpack(NULL, bench->payload.len,
                                                                                       bench->payload.ptr);
  ASSERT(request);
  bench->seen += request->n_resource_spans;
  opentelemetry__proto__collector__trace__v1__export_trace_service_request__free_unpacked(request, NULL);
}

static void run_json(struct bench *bench) {
  buffer_clear(&bench->out);
  enum status status = otlp_json_to_wire(OTLP_TRACES, bench->parser, bench->payload, &bench->out, NULL);
  ASSERT(status == STATUS_OK);
  bench->seen += bench->out.len;
}

static void run_facts(struct bench *bench) {
  struct slice section;
  struct payload_facts_counts counts;
  enum status status = payload_facts_build(bench->facts, OTLP_TRACES, bench->payload, &section, &counts, NULL);
  ASSERT(status == STATUS_OK && counts.items == SPANS && !payload_facts_needs_scrub(bench->facts));
  bench->seen += section.len;
}

static enum otlp_splice_action keep_tenth(void *context, uint32_t index, struct otlp_splice_item *item,
                                          struct slice *out_state) {
  (void)context;
  (void)item;
  (void)out_state;
  return index % 10 == 3 ? OTLP_SPLICE_KEEP : OTLP_SPLICE_DROP;
}

// As settle does it for what a probability keeps.
static enum otlp_splice_action mark_tenth(void *context, uint32_t index, struct otlp_splice_item *item,
                                          struct slice *out_state) {
  struct bench *bench = context;
  if (index / 20 % 10 != 3) return OTLP_SPLICE_DROP;
  bench->seen += otlp_splice_trace_state(item).len;
  *out_state = SLICE_LITERAL("ot=th:e666");
  return OTLP_SPLICE_KEEP_TRACE_STATE;
}

static void run_mark(struct bench *bench) {
  uint32_t kept;
  buffer_clear(&bench->out);
  enum status status = otlp_splice(OTLP_TRACES, bench->payload, mark_tenth, bench, &bench->out, &kept);
  ASSERT(status == STATUS_OK);
  bench->seen += kept;
}

static void run_splice(struct bench *bench) {
  uint32_t kept;
  buffer_clear(&bench->out);
  enum status status = otlp_splice(OTLP_TRACES, bench->payload, keep_tenth, NULL, &bench->out, &kept);
  ASSERT(status == STATUS_OK);
  bench->seen += kept;
}

static void measure(const char *name, void (*run)(struct bench *), struct bench *bench, double seconds) {
  if (bench->only && strcmp(bench->only, name) != 0) return;
  run(bench); // warm up
  const clock_t start = clock();
  uint64_t rounds = 0;
  double elapsed = 0;
  while (elapsed < seconds) {
    for (int i = 0; i < 16; i++) run(bench);
    rounds += 16;
    elapsed = (double)(clock() - start) / CLOCKS_PER_SEC;
  }
  printf("%-36s %8.2f M spans/s  %6.2f GB/s\n", name, (double)(rounds * SPANS) / elapsed / 1e6,
         (double)(rounds * bench->payload.len) / elapsed / 1e9);
}

// What intake does with every request, as it is configured when nothing is: one policy that reads no attribute, the
// known request ids, the default rules for secrets.
static void measure_facts(struct bench *bench, double seconds) {
  struct metrics *metrics = metrics_create();
  struct sampling *sampling;
  enum status status = sampling_create(&(struct sampling_policy){.kind = SAMPLING_PROBABILITY, .probability = 0.1}, 1,
                                       metrics, &sampling, NULL);
  ASSERT(status == STATUS_OK);
  struct correlation *correlation = correlation_create(NULL, 0);
  struct scrub *scrub = scrub_create(&(struct scrub_options){.enabled = true, .defaults = true});
  bench->facts = payload_facts_create(&(struct payload_facts_options){
      .sampling = sampling, .correlation = correlation, .keep_severity = OTLP_SEVERITY_WARN});
  payload_facts_set_scrub(bench->facts, scrub);
  struct payload payload;
  payload_create(&payload, &(struct payload_options){.spans = SPANS, .spans_per_trace = 20});
  uint8_t *request = malloc(payload.template.len);
  ASSERT(request);
  payload_write(&payload, 1, request);
  bench->payload = slice_make(request, payload.template.len);
  measure("facts", run_facts, bench, seconds);
  free(request);
  payload_destroy(&payload);
  payload_facts_destroy(bench->facts);
  scrub_destroy(scrub);
  correlation_destroy(correlation);
  sampling_release(sampling);
  metrics_destroy(metrics);
}

int main(int argc, char **argv) {
  double seconds = argc > 1 ? atof(argv[1]) : 1.0;
  struct buffer ascii, other;
  struct otlp_key_filter filter = {{0}};
  buffer_init(&ascii, 1 << 20);
  buffer_init(&other, 1 << 20);
  put_request(&ascii, true);
  put_request(&other, false);
  otlp_key_filter_add(&filter, SLICE_LITERAL("http.request.header.x-request-id"));
  otlp_key_filter_add(&filter, SLICE_LITERAL("request_id"));
  otlp_key_filter_add(&filter, SLICE_LITERAL("http.response.status_code"));

  struct bench bench = {.payload = buffer_slice(&ascii), .only = argc > 2 ? argv[2] : NULL, .seen = 1};
  buffer_init(&bench.out, 1 << 20);
  printf("%u spans, %zu bytes, %zu a span\n", SPANS, ascii.len, ascii.len / SPANS);
  measure("scan", run_scan, &bench, seconds);
  bench.filter = &filter;
  measure("scan, wanted attributes", run_scan, &bench, seconds);
  bench.filter = NULL;
  bench.payload = buffer_slice(&other);
  measure("scan, text beyond ASCII", run_scan, &bench, seconds);
  bench.payload = buffer_slice(&ascii);
  measure("splice of every tenth", run_splice, &bench, seconds);
  measure("splice of every tenth trace, marked", run_mark, &bench, seconds);
  measure("protobuf-c unpack", run_protobuf_c, &bench, seconds);
  struct payload json;
  payload_create(&json, &(struct payload_options){.spans = SPANS, .spans_per_trace = 16, .json = true});
  bench.payload = buffer_slice(&json.template);
  bench.parser = json_parser_create(4 << 20);
  measure("JSON to wire", run_json, &bench, seconds);
  json_parser_destroy(bench.parser);
  payload_destroy(&json);
  measure_facts(&bench, seconds);
  buffer_finish(&bench.out);
  buffer_finish(&ascii);
  buffer_finish(&other);
  return bench.seen == 0;
}
