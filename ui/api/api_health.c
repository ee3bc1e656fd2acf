// SPDX-License-Identifier: Apache-2.0
//
// Alive is whoever answers; ready is what the collector says of its parts.
#include "ui/api/api_health.h"

#include "base/json.h"
#include "ui/ui_routes.h"

#define METRICS_BYTES_MAX (8u << 20)
#define HEALTH_BYTES_MAX  (16u << 10)

static void reply(struct http_request *request, uint32_t code, const char *type, struct slice body) {
  http_request_add_header(request, "Cache-Control", "no-store");
  http_request_add_header(request, "X-Content-Type-Options", "nosniff");
  http_request_reply(request, code, type, body);
}

void api_health_metrics(void *context, struct http_request *request) {
  const struct ui_options *ui = context;
  struct buffer text;
  buffer_init(&text, METRICS_BYTES_MAX);
  metrics_write(ui->metrics, &text);
  reply(request, 200, "text/plain; version=0.0.4; charset=utf-8", buffer_slice(&text));
  buffer_finish(&text);
}

void api_health_ready(void *context, struct http_request *request) {
  const struct ui_options *ui = context;
  struct ui_status status = {0};
  ui->status(ui->context, &status);
  struct buffer body;
  struct json_writer json;
  buffer_init(&body, HEALTH_BYTES_MAX);
  json_writer_init(&json, &body);
  json_begin_object(&json);
  json_key(&json, "ready");
  json_write_bool(&json, status.ready);
  json_key(&json, "reasons");
  json_begin_array(&json);
  for (uint32_t i = 0; i < status.reason_count; i++) json_write_cstr(&json, status.reasons[i]);
  json_end_array(&json);
  json_end_object(&json);
  reply(request, status.ready ? 200 : 503, "application/json", buffer_slice(&body));
  buffer_finish(&body);
}

void api_health_live(void *context, struct http_request *request) {
  (void)context;
  reply(request, 200, "application/json", SLICE_LITERAL("{\"live\":true}"));
}
