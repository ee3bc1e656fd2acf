// SPDX-License-Identifier: Apache-2.0
//
// How it works: a request is a tree of calls between the services of a small shop, walked in order with a pseudo-random
// generator. Spans are collected first (struct demo_span), then written grouped by service, because OTLP groups spans
// by resource. Each service speaks its own language, also in its stack traces.
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "collector/demo.h"

#define SPANS_MAX    40
#define FAILS_ONE_IN 12 // requests

struct demo_service {
  const char *name, *language, *version, *scope;
  const char *operations[4]; // internal work
};

enum { GATEWAY, FRONTEND, CHECKOUT, INVENTORY, PAYMENTS, SERVICES };
static const struct demo_service services[SERVICES] = {
    [GATEWAY] = {"gateway", "cpp", "1.25.3", "nginx", {"ngx_http_proxy", "ngx_http_gzip", "rewrite", "access"}},
    [FRONTEND] = {"web-frontend",
                  "nodejs",
                  "3.8.0",
                  "@opentelemetry/instrumentation-http",
                  {"render cart", "load session", "feature flags", "serialize props"}},
    [CHECKOUT] = {"checkout",
                  "python",
                  "2.4.1",
                  "opentelemetry.instrumentation.fastapi",
                  {"validate cart", "SELECT carts", "apply discounts", "UPDATE orders"}},
    [INVENTORY] = {"inventory",
                   "java",
                   "5.0.2",
                   "io.opentelemetry.spring-webmvc",
                   {"StockService.reserve", "SELECT stock", "PriceCalculator.total", "Cache.get"}},
    [PAYMENTS] = {"payments",
                  "go",
                  "0.9.7",
                  "go.opentelemetry.io/contrib/net/http/otelhttp",
                  {"authorize card", "SELECT accounts", "fraud score", "publish payment.done"}},
};

struct demo_exception {
  uint32_t service;
  const char *type, *message, *stack; // message: %PRIu64 is the order number
};
static const struct demo_exception exceptions[] = {
    {CHECKOUT, "ValueError", "cart %" PRIu64 " is empty",
     "Traceback (most recent call last):\n"
     "  File \"/usr/lib/python3/dist-packages/starlette/routing.py\", line 73, in app\n"
     "    response = await f(request)\n"
     "  File \"/srv/checkout/api/orders.py\", line 41, in place_order\n"
     "    total = pricing.total(cart)\n"
     "  File \"/srv/checkout/pricing.py\", line 88, in total\n"
     "    raise ValueError(f\"cart {cart.id} is empty\")\n"
     "ValueError: cart %" PRIu64 " is empty\n"},
    {CHECKOUT, "sqlalchemy.exc.OperationalError", "connection to server at \"10.0.3.7\" failed after %" PRIu64 " ms",
     "Traceback (most recent call last):\n"
     "  File \"/srv/checkout/db/session.py\", line 29, in connect\n"
     "    return engine.connect()\n"
     "  File \"/usr/lib/python3/dist-packages/sqlalchemy/engine/base.py\", line 3304, in raw_connection\n"
     "    return self.pool.connect()\n"
     "psycopg.OperationalError: server closed the connection unexpectedly\n"
     "\n"
     "The above exception was the direct cause of the following exception:\n"
     "\n"
     "Traceback (most recent call last):\n"
     "  File \"/srv/checkout/api/orders.py\", line 37, in place_order\n"
     "    cart = await carts.load(session, cart_id)\n"
     "  File \"/srv/checkout/db/session.py\", line 31, in connect\n"
     "    raise OperationalError(str(error)) from error\n"
     "sqlalchemy.exc.OperationalError: connection to server at \"10.0.3.7\" failed after %" PRIu64 " ms\n"},
    {INVENTORY, "com.example.shop.stock.OutOfStockException", "article %" PRIu64 " is out of stock",
     "com.example.shop.stock.OutOfStockException: article %" PRIu64 " is out of stock\n"
     "\tat com.example.shop.stock.StockService.reserve(StockService.java:112)\n"
     "\tat com.example.shop.web.StockController.reserve(StockController.java:58)\n"
     "\tat org.springframework.web.servlet.FrameworkServlet.service(FrameworkServlet.java:885)\n"
     "\tat jakarta.servlet.http.HttpServlet.service(HttpServlet.java:658)\n"
     "Caused by: java.lang.IllegalStateException: reservation table is locked\n"
     "\tat com.example.shop.stock.ReservationTable.lock(ReservationTable.java:47)\n"
     "\tat com.example.shop.stock.StockService.reserve(StockService.java:104)\n"
     "\t... 3 more\n"},
    {FRONTEND, "TypeError", "Cannot read properties of undefined (reading 'price')",
     "TypeError: Cannot read properties of undefined (reading 'price')\n"
     "    at formatTotal (/app/src/cart/total.js:17:24)\n"
     "    at CartPage.render (/app/src/pages/cart.js:88:12)\n"
     "    at async handle (/app/src/server.js:142:5)\n"
     "    at process.processTicksAndRejections (node:internal/process/task_queues:95:5)\n"},
    {PAYMENTS, "*errors.errorString", "card issuer timed out after %" PRIu64 " ms",
     "goroutine 118 [running]:\n"
     "example.com/shop/payments/issuer.(*Client).Authorize(0xc0001a4000, {0x9f3c20, 0xc000318a50})\n"
     "\t/src/payments/issuer/client.go:93 +0x2a5\n"
     "example.com/shop/payments/api.(*Server).pay(0xc00012e0f0, {0x9f2ee0, 0xc0002d8000}, 0xc0003a2000)\n"
     "\t/src/payments/api/pay.go:61 +0x1d2\n"
     "net/http.HandlerFunc.ServeHTTP(0xc0003a2000?, {0x9f2ee0?, 0xc0002d8000?})\n"
     "\t/usr/local/go/src/net/http/server.go:2166 +0x29\n"},
};
#define EXCEPTIONS (sizeof(exceptions) / sizeof(exceptions[0]))

struct demo_span {
  uint32_t service;
  uint64_t id, parent, start_ns, end_ns;
  int kind; // Span.SpanKind
  char name[48];
  const struct demo_exception *exception;
};

struct demo {
  uint64_t state;
  char trace_id[33], request_id[37];
  uint64_t order, start_ns;
  const char *environment;
  struct demo_span spans[SPANS_MAX];
  uint32_t span_count;
  const struct demo_exception *planned;
};

static uint64_t next_random(struct demo *demo) { // xorshift64*
  demo->state ^= demo->state >> 12;
  demo->state ^= demo->state << 25;
  demo->state ^= demo->state >> 27;
  return demo->state * UINT64_C(0x2545f4914f6cdd1d);
}

static uint64_t between(struct demo *demo, uint64_t low, uint64_t high) {
  return low + next_random(demo) % (high - low + 1);
}

// --- the tree of calls ----------------------------------------------------------------------------------------------

static struct demo_span *add_span(struct demo *demo, uint32_t service, uint64_t parent, int kind, uint64_t start_ns,
                                  uint64_t length_ns) {
  if (demo->span_count == SPANS_MAX) return NULL;
  struct demo_span *span = &demo->spans[demo->span_count++];
  *span = (struct demo_span){.service = service,
                             .id = next_random(demo) | 1,
                             .parent = parent,
                             .kind = kind,
                             .start_ns = start_ns,
                             .end_ns = start_ns + length_ns};
  return span;
}

// A server span of `service` with some work below it.
static uint64_t add_server(struct demo *demo, uint32_t service, uint64_t parent, const char *name, uint64_t start_ns,
                           uint64_t length_ns) {
  struct demo_span *server = add_span(demo, service, parent, 2, start_ns, length_ns);
  if (!server) return parent;
  uint64_t id = server->id;
  snprintf(server->name, sizeof(server->name), "%s", name);
  if (demo->planned && demo->planned->service == service) server->exception = demo->planned;
  uint64_t work = between(demo, 1, 8), at = start_ns + length_ns / 50;
  for (uint64_t i = 0; i < work; i++) {
    uint64_t part = length_ns / (work * 2) + 1;
    struct demo_span *inner = add_span(demo, service, id, 1, at, between(demo, part / 2 + 1, part));
    if (!inner) break;
    snprintf(inner->name, sizeof(inner->name), "%s", services[service].operations[i % 4]);
    at = inner->end_ns;
  }
  return id;
}

// A client span in `from` and the server span it reaches.
static uint64_t add_call(struct demo *demo, uint32_t from, uint32_t to, uint64_t parent, const char *name,
                         uint64_t start_ns, uint64_t length_ns) {
  struct demo_span *client = add_span(demo, from, parent, 3, start_ns, length_ns);
  if (!client) return parent;
  snprintf(client->name, sizeof(client->name), "%s", name);
  return add_server(demo, to, client->id, name, start_ns + length_ns / 20, length_ns - length_ns / 10);
}

static void walk(struct demo *demo, uint64_t now_ns) {
  uint64_t total = between(demo, 20, 180) * NS_PER_MS;
  if (next_random(demo) % 50 == 0) total = between(demo, 1500, 3000) * NS_PER_MS; // a slow one
  uint64_t start = demo->start_ns = now_ns - total;
  static const char *const routes[] = {"POST /orders", "GET /cart", "GET /articles/{id}", "POST /orders"};
  const char *route = routes[next_random(demo) % 4];
  uint64_t gateway = add_server(demo, GATEWAY, 0, route, start, total);
  uint64_t frontend = add_call(demo, GATEWAY, FRONTEND, gateway, route, start + total / 20, total * 9 / 10);
  bool order = route[0] == 'P' || demo->planned != NULL;
  if (!order) return;
  uint64_t checkout = add_call(demo, FRONTEND, CHECKOUT, frontend, "POST /checkout", start + total / 5, total * 7 / 10);
  add_call(demo, CHECKOUT, INVENTORY, checkout, "PUT /stock/reserve", start + total * 3 / 10, total / 5);
  add_call(demo, CHECKOUT, PAYMENTS, checkout, "POST /pay", start + total / 2, total * 3 / 10);
}

// --- writing --------------------------------------------------------------------------------------------------------

static void write_attribute(struct json_writer *writer, const char *key, const char *value) {
  json_begin_object(writer);
  json_key(writer, "key");
  json_write_cstr(writer, key);
  json_key(writer, "value");
  json_begin_object(writer);
  json_key(writer, "stringValue");
  json_write_cstr(writer, value);
  json_end_object(writer);
  json_end_object(writer);
}

static void write_text(struct json_writer *writer, const char *key, const char *value) {
  json_key(writer, key);
  json_write_cstr(writer, value);
}

static void write_time(struct json_writer *writer, const char *key, uint64_t ns) {
  char text[24];
  snprintf(text, sizeof(text), "%" PRIu64, ns);
  write_text(writer, key, text);
}

static void write_id(struct json_writer *writer, const char *key, uint64_t id) {
  char text[17];
  snprintf(text, sizeof(text), "%016" PRIx64, id);
  write_text(writer, key, text);
}

static void write_resource(struct json_writer *writer, const struct demo *demo, const struct demo_service *service) {
  json_key(writer, "resource");
  json_begin_object(writer);
  json_key(writer, "attributes");
  json_begin_array(writer);
  write_attribute(writer, "service.name", service->name);
  write_attribute(writer, "service.version", service->version);
  write_attribute(writer, "deployment.environment.name", demo->environment);
  write_attribute(writer, "telemetry.sdk.language", service->language);
  json_end_array(writer);
  json_end_object(writer);
}

static void write_exception_attributes(struct json_writer *writer, const struct demo *demo,
                                       const struct demo_exception *exception) {
  char message[256], stack[2048];
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-security"
  snprintf(message, sizeof(message), exception->message, demo->order);
  snprintf(stack, sizeof(stack), exception->stack, demo->order);
#pragma GCC diagnostic pop
  write_attribute(writer, "exception.type", exception->type);
  write_attribute(writer, "exception.message", message);
  write_attribute(writer, "exception.stacktrace", stack);
}

// OpenTelemetry has captured headers as arrays of strings.
static void write_request_id_header(struct json_writer *writer, const struct demo *demo) {
  json_begin_object(writer);
  write_text(writer, "key", "http.request.header.x-request-id");
  json_key(writer, "value");
  json_begin_object(writer);
  json_key(writer, "arrayValue");
  json_begin_object(writer);
  json_key(writer, "values");
  json_begin_array(writer);
  json_begin_object(writer);
  write_text(writer, "stringValue", demo->request_id);
  json_end_object(writer);
  json_end_array(writer);
  json_end_object(writer);
  json_end_object(writer);
  json_end_object(writer);
}

static void write_exception_event(struct json_writer *writer, const struct demo *demo, const struct demo_span *span) {
  json_key(writer, "events");
  json_begin_array(writer);
  json_begin_object(writer);
  write_time(writer, "timeUnixNano", span->start_ns + (span->end_ns - span->start_ns) * 3 / 4);
  write_text(writer, "name", "exception");
  json_key(writer, "attributes");
  json_begin_array(writer);
  write_exception_attributes(writer, demo, span->exception);
  json_end_array(writer);
  json_end_object(writer);
  json_end_array(writer);
  json_key(writer, "status");
  json_begin_object(writer);
  json_key(writer, "code");
  json_write_i64(writer, 2);
  write_text(writer, "message", span->exception->type);
  json_end_object(writer);
}

static void write_span(struct json_writer *writer, const struct demo *demo, const struct demo_span *span) {
  json_begin_object(writer);
  write_text(writer, "traceId", demo->trace_id);
  write_id(writer, "spanId", span->id);
  if (span->parent) write_id(writer, "parentSpanId", span->parent);
  write_text(writer, "name", span->name);
  json_key(writer, "kind");
  json_write_i64(writer, span->kind);
  write_time(writer, "startTimeUnixNano", span->start_ns);
  write_time(writer, "endTimeUnixNano", span->end_ns);
  json_key(writer, "attributes");
  json_begin_array(writer);
  if (span->kind == 2) {
    write_attribute(writer, "http.route", span->name);
    write_attribute(writer, "http.response.status_code", span->exception ? "500" : "200");
    write_request_id_header(writer, demo);
  } else {
    write_attribute(writer, "thread.name", "worker-1");
  }
  json_end_array(writer);
  if (span->exception) write_exception_event(writer, demo, span);
  json_end_object(writer);
}

static void write_spans_of(struct json_writer *writer, const struct demo *demo, uint32_t service) {
  json_begin_object(writer);
  write_resource(writer, demo, &services[service]);
  json_key(writer, "scopeSpans");
  json_begin_array(writer);
  json_begin_object(writer);
  json_key(writer, "scope");
  json_begin_object(writer);
  write_text(writer, "name", services[service].scope);
  json_end_object(writer);
  json_key(writer, "spans");
  json_begin_array(writer);
  for (uint32_t i = 0; i < demo->span_count; i++) {
    if (demo->spans[i].service == service) write_span(writer, demo, &demo->spans[i]);
  }
  json_end_array(writer);
  json_end_object(writer);
  json_end_array(writer);
  json_end_object(writer);
}

// One line per server span: with trace and span id, but for the gateway's access log, which knows the request id only.
static void write_log(struct json_writer *writer, const struct demo *demo, const struct demo_span *span) {
  char body[160];
  json_begin_object(writer);
  write_time(writer, "timeUnixNano", span->end_ns);
  json_key(writer, "severityNumber");
  json_write_i64(writer, span->exception ? 13 : 9);
  write_text(writer, "severityText", span->exception ? "WARN" : "INFO");
  snprintf(body, sizeof(body), "%s order=%" PRIu64 " %s in %" PRIu64 " ms", span->name, demo->order,
           span->exception ? "failed" : "done", (span->end_ns - span->start_ns) / NS_PER_MS);
  json_key(writer, "body");
  json_begin_object(writer);
  write_text(writer, "stringValue", body);
  json_end_object(writer);
  if (span->service != GATEWAY) {
    write_text(writer, "traceId", demo->trace_id);
    write_id(writer, "spanId", span->id);
  }
  json_key(writer, "attributes");
  json_begin_array(writer);
  write_attribute(writer, "request_id", demo->request_id);
  json_end_array(writer);
  json_end_object(writer);
}

static uint32_t write_logs_of(struct json_writer *writer, const struct demo *demo, uint32_t service) {
  uint32_t count = 0;
  json_begin_object(writer);
  write_resource(writer, demo, &services[service]);
  json_key(writer, "scopeLogs");
  json_begin_array(writer);
  json_begin_object(writer);
  json_key(writer, "scope");
  json_begin_object(writer);
  write_text(writer, "name", services[service].name);
  json_end_object(writer);
  json_key(writer, "logRecords");
  json_begin_array(writer);
  for (uint32_t i = 0; i < demo->span_count; i++) {
    if (demo->spans[i].service != service || demo->spans[i].kind != 2) continue;
    write_log(writer, demo, &demo->spans[i]);
    count++;
  }
  json_end_array(writer);
  json_end_object(writer);
  json_end_array(writer);
  json_end_object(writer);
  return count;
}

static bool takes_part(const struct demo *demo, uint32_t service) {
  for (uint32_t i = 0; i < demo->span_count; i++) {
    if (demo->spans[i].service == service) return true;
  }
  return false;
}

struct demo_counts demo_request(uint64_t seed, uint64_t number, uint64_t now_ns, struct buffer *out_traces,
                                struct buffer *out_logs) {
  struct demo demo = {.state = seed * UINT64_C(0x9e3779b97f4a7c15) | 1};
  for (int i = 0; i < 4; i++) next_random(&demo);
  uint64_t a = next_random(&demo), b = next_random(&demo);
  snprintf(demo.trace_id, sizeof(demo.trace_id), "%016" PRIx64 "%016" PRIx64, a | 1, b | 1);
  a = next_random(&demo), b = next_random(&demo);
  snprintf(demo.request_id, sizeof(demo.request_id), "%08" PRIx32 "-%04x-4%03x-a%03x-%012" PRIx64, (uint32_t)a,
           (unsigned)(a >> 32 & 0xffff), (unsigned)(a >> 48 & 0xfff), (unsigned)(b & 0xfff), b >> 16);
  demo.order = between(&demo, 1000, 99999);
  demo.environment = next_random(&demo) % 5 == 0 ? "staging" : "production";
  if (number < FAILS_ONE_IN * EXCEPTIONS) {
    if (number % FAILS_ONE_IN == FAILS_ONE_IN / 2) demo.planned = &exceptions[number / FAILS_ONE_IN];
  } else if (next_random(&demo) % FAILS_ONE_IN == 0) {
    demo.planned = &exceptions[next_random(&demo) % EXCEPTIONS];
  }
  walk(&demo, now_ns);

  struct demo_counts counts = {.spans = demo.span_count};
  for (uint32_t i = 0; i < demo.span_count; i++) counts.exceptions += demo.spans[i].exception != NULL;
  struct json_writer traces, logs;
  json_writer_init(&traces, out_traces);
  json_writer_init(&logs, out_logs);
  json_begin_object(&traces);
  json_begin_object(&logs);
  json_key(&traces, "resourceSpans");
  json_key(&logs, "resourceLogs");
  json_begin_array(&traces);
  json_begin_array(&logs);
  for (uint32_t service = 0; service < SERVICES; service++) {
    if (!takes_part(&demo, service)) continue;
    write_spans_of(&traces, &demo, service);
    counts.logs += write_logs_of(&logs, &demo, service);
  }
  json_end_array(&traces);
  json_end_array(&logs);
  json_end_object(&traces);
  json_end_object(&logs);
  return counts;
}
