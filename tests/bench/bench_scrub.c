// SPDX-License-Identifier: Apache-2.0
//
// What scrubbing costs: traces in which nothing is sensitive, as nearly all are, through the fact building that the
// doors do, without and with the question whether there is something to scrub; the rewriting of traces with a secret in
// every span; and events.
//
//   bench_scrub [seconds per line, default 1]
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "payload.h"
#include "processor/payload_facts.h"

#define SPANS 512

struct bench {
  struct payload_facts *builder;
  const struct scrub *scrub;
  struct slice payload;
  struct buffer out;
  struct json_parser *parser, *inner;
  uint64_t seen;
};

static void run_facts(struct bench *bench) {
  struct slice section;
  struct payload_facts_counts counts;
  enum status status = payload_facts_build(bench->builder, OTLP_TRACES, bench->payload, &section, &counts, NULL);
  ASSERT(status == STATUS_OK && !payload_facts_needs_scrub(bench->builder));
  bench->seen += counts.items;
}

static void run_scan(struct bench *bench) {
  static struct otlp_key_memory memory;
  struct otlp_scan scan;
  struct otlp_item item;
  otlp_scan_init(&scan, OTLP_TRACES, bench->payload, NULL);
  if (bench->scrub) {
    scrub_judge_keys(bench->scrub, &memory);
    scan.keys = &memory;
  }
  while (otlp_scan_next(&scan, &item, NULL) == STATUS_OK) bench->seen++;
}

static void run_rewrite(struct bench *bench) {
  bool changed;
  buffer_clear(&bench->out);
  ASSERT(scrub_otlp(bench->scrub, OTLP_TRACES, bench->payload, &bench->out, &changed) == STATUS_OK && changed);
  bench->seen += bench->out.len;
}

static void run_event(struct bench *bench) {
  struct json_value root;
  bool changed;
  buffer_clear(&bench->out);
  ASSERT(json_parse(bench->parser, bench->payload, &root, NULL) == STATUS_OK);
  ASSERT(scrub_event(bench->scrub, root, bench->inner, &bench->out, &changed) == STATUS_OK && changed);
  bench->seen += bench->out.len;
}

static double measure(const char *name, const char *unit, uint32_t items, void (*run)(struct bench *),
                      struct bench *bench, double seconds) {
  run(bench);
  const clock_t start = clock();
  uint64_t rounds = 0;
  double elapsed = 0;
  for (; elapsed < seconds; elapsed = (double)(clock() - start) / CLOCKS_PER_SEC) {
    for (int i = 0; i < 16; i++) run(bench);
    rounds += 16;
  }
  printf("%-40s %10.0f %s/s  %6.2f GB/s\n", name, (double)(rounds * items) / elapsed, unit,
         (double)(rounds * bench->payload.len) / elapsed / 1e9);
  return elapsed / (double)(rounds * items);
}

// About 50 KB: 50 frames with local variables, 50 breadcrumbs, one password.
static void put_event(struct buffer *out) {
  buffer_append_cstr(out, "{\"event_id\":\"4bf92f3577b34da6a3ce929d0e0e4736\",\"platform\":\"python\",\"exception\":{"
                          "\"values\":[{\"type\":\"ValueError\",\"value\":\"bad\",\"stacktrace\":{\"frames\":[");
  for (int i = 0; i < 50; i++) {
    buffer_printf(
        out,
        "%s{\"filename\":\"app/views/orders_%d.py\",\"abs_path\":\"/srv/app/views/orders_%d.py\",\"function\":"
        "\"place_order\",\"lineno\":%d,\"context_line\":\"    total = sum(line.price for line in cart)\","
        "\"vars\":{\"self\":\"<views.OrderView object at 0x7f3e2c1b5d90>\",\"request\":\"<WSGIRequest: POST "
        "'/orders/%d/'>\",\"cart\":[\"<Line: 3 x coffee>\",\"<Line: 1 x mug>\",17],\"total\":\"Decimal('%d.50"
        "')\",\"options\":{\"gift\":\"False\",\"note\":\"'please ring twice, second floor, thank you'\",\"%s\":"
        "\"'hunter2'\"},\"ids\":[1,2,3,4,5,6,7,8,9,10,11,12]}}",
        i ? "," : "", i, i, i, i, i, i == 7 ? "password" : "colour");
  }
  buffer_append_cstr(out, "]}}]},\"breadcrumbs\":{\"values\":[");
  for (int i = 0; i < 50; i++) {
    buffer_printf(
        out,
        "%s{\"timestamp\":1732186737.%06d,\"type\":\"default\",\"category\":\"query\",\"level\":\"info\","
        "\"message\":\"SELECT id, name, price, stock FROM shop_product WHERE category_id = %%s AND stock > %%s "
        "ORDER BY name LIMIT 21\",\"data\":{\"rows\":%d,\"db.system\":\"postgresql\",\"server.address\":"
        "\"db.internal\"}}",
        i ? "," : "", i, i);
  }
  buffer_append_cstr(out, "]},\"request\":{\"url\":\"https://shop.example/orders/\",\"method\":\"POST\",\"headers\":[["
                          "\"Accept\",\"text/html\"],[\"Cookie\",\"sessionid=1\"]]}}");
}

int main(int argc, char **argv) {
  const double seconds = argc > 1 ? atof(argv[1]) : 1.0;
  struct metrics *metrics = metrics_create();
  struct sampling *sampling = NULL;
  struct sampling_policy policy = {.kind = SAMPLING_ERRORS};
  ASSERT(sampling_create(&policy, 1, metrics, &sampling, NULL) == STATUS_OK);
  struct correlation *correlation = correlation_create(NULL, 0);
  struct scrub *scrub = scrub_create(&(struct scrub_options){.enabled = true, .defaults = true});
  struct payload payload;
  payload_create(&payload, &(struct payload_options){.spans = SPANS, .spans_per_trace = 16});
  struct bench bench = {.payload = buffer_slice(&payload.template)};
  bench.builder = payload_facts_create(
      &(struct payload_facts_options){.sampling = sampling, .correlation = correlation, .keep_severity = 13});
  buffer_init(&bench.out, 16 << 20);
  printf("%u spans of %zu bytes\n", SPANS, bench.payload.len / SPANS);
  for (int round = 0; round < 2; round++) {
    bench.scrub = NULL;
    payload_facts_set_scrub(bench.builder, NULL);
    double scan = measure("scan", "spans", SPANS, run_scan, &bench, seconds);
    double facts = measure("facts", "spans", SPANS, run_facts, &bench, seconds);
    bench.scrub = scrub;
    payload_facts_set_scrub(bench.builder, scrub);
    double judged = measure("scan, keys judged", "spans", SPANS, run_scan, &bench, seconds);
    double both = measure("facts, keys judged", "spans", SPANS, run_facts, &bench, seconds);
    printf("judging keys costs %.1f ns a span: %.1f %% of the scan, %.1f %% of the facts\n", (both - facts) * 1e9,
           (judged - scan) / scan * 100, (both - facts) / facts * 100);
  }
  const char *const extra[] = {"http"};
  struct scrub *busy = scrub_create(
      &(struct scrub_options){.enabled = true, .defaults = true, .extra_keys = extra, .extra_key_count = 1});
  bench.scrub = busy;
  measure("a secret in every span, rewritten", "spans", SPANS, run_rewrite, &bench, seconds);
  struct buffer event;
  buffer_init(&event, 1 << 20);
  put_event(&event);
  bench.scrub = scrub;
  bench.payload = buffer_slice(&event);
  bench.parser = json_parser_create(1 << 20);
  bench.inner = json_parser_create(1 << 20);
  printf("event of %zu bytes\n", event.len);
  measure("event parsed and scrubbed", "events", 1, run_event, &bench, seconds);
  json_parser_destroy(bench.parser);
  json_parser_destroy(bench.inner);
  buffer_finish(&event);
  buffer_finish(&bench.out);
  payload_destroy(&payload);
  payload_facts_destroy(bench.builder);
  scrub_destroy(busy);
  scrub_destroy(scrub);
  correlation_destroy(correlation);
  sampling_release(sampling);
  metrics_destroy(metrics);
  return bench.seen == 0;
}
