// SPDX-License-Identifier: Apache-2.0
//
// How it works: a payload is already a valid request, so sending is one call and reading the answer. The client is made
// when the exporter is; a broken connection is made again by the channel itself.
#include "exporter/otlp.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/decompress.h"
#include "net/grpc_client.h"
#include "net/http_client.h"
#include "proto/otlp_response.h"

#define HEADERS_MAX          64
#define URL_BYTES_MAX        2048
#define TRACES_PATH          "/v1/traces"
#define COMPRESSED_BYTES_MAX (UINT64_C(256) << 20)

struct otlp {
  enum otlp_protocol protocol;
  bool compress_gzip;
  uint64_t timeout_ns;
  char *texts[HEADERS_MAX]; // "name\0value", owned
  struct grpc_header grpc_headers[HEADERS_MAX];
  struct http_header http_headers[HEADERS_MAX + 3];
  uint32_t header_count;
  struct grpc_client *grpc;
  struct http_client *http;
  char url[URL_BYTES_MAX]; // HTTP: up to, not with, /v1/<signal>; or the whole when it does not end so
  bool url_is_whole;
  struct buffer response, compressed;
};

// --- what an answer means -------------------------------------------------------------------------------------------

enum delivery_outcome otlp_outcome_of_grpc(uint32_t code, bool has_retry_info) {
  switch (code) {
  case GRPC_CODE_OK: return DELIVERY_DONE;
  case GRPC_CODE_CANCELLED:
  case GRPC_CODE_DEADLINE_EXCEEDED:
  case GRPC_CODE_ABORTED:
  case GRPC_CODE_OUT_OF_RANGE:
  case GRPC_CODE_UNAVAILABLE:
  case GRPC_CODE_DATA_LOSS: return DELIVERY_RETRY;
  case GRPC_CODE_RESOURCE_EXHAUSTED: return has_retry_info ? DELIVERY_RETRY : DELIVERY_TOO_LARGE;
  case GRPC_CODE_UNAUTHENTICATED:
  case GRPC_CODE_PERMISSION_DENIED:
  case GRPC_CODE_UNIMPLEMENTED: return DELIVERY_MISCONFIGURED;
  default: return DELIVERY_REFUSED;
  }
}

enum delivery_outcome otlp_outcome_of_http(uint32_t code) {
  if (code >= 200 && code < 300) return DELIVERY_DONE;
  switch (code) {
  case 429:
  case 502:
  case 503:
  case 504: return DELIVERY_RETRY;
  case 413: return DELIVERY_TOO_LARGE;
  case 401:
  case 403:
  case 404:
  case 405: return DELIVERY_MISCONFIGURED;
  default: return DELIVERY_REFUSED;
  }
}

static const char *code_name(uint32_t code) {
  static const char *const names[] = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  return code < sizeof(names) / sizeof(names[0]) ? names[code] : "code out of range";
}

// Reads the body of a success: rejected items and words. One that does not decode is still a success (OTLP 1.11: a
// client must not retry on it).
static void read_success(struct slice body, struct delivery_result *result) {
  struct otlp_response response = {0};
  if (otlp_response_read(body, &response, NULL) != STATUS_OK) return;
  result->rejected = response.rejected;
  snprintf(result->reason, sizeof(result->reason), "partial success: %.*s",
           SLICE_PRINTF(slice_sub(response.message, 0, 150)));
}

// --- gRPC -----------------------------------------------------------------------------------------------------------

static const char *grpc_path(enum journal_kind kind) {
  switch (kind) {
  case JOURNAL_LOGS: return "/opentelemetry.proto.collector.logs.v1.LogsService/Export";
  case JOURNAL_METRICS: return "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export";
  default: return "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
  }
}

static void send_grpc(struct otlp *otlp, enum journal_kind kind, struct slice payload,
                      const struct atomic_bool_box *cancel, struct delivery_result *result) {
  struct grpc_reply reply;
  grpc_client_call(otlp->grpc, grpc_path(kind), payload, otlp->timeout_ns, cancel, &otlp->response, &reply);
  struct otlp_status status = {0};
  if (reply.code != GRPC_CODE_OK && reply.details.len) {
    if (otlp_response_read_status(reply.details, &status, NULL) != STATUS_OK) status = (struct otlp_status){0};
  }
  result->outcome = otlp_outcome_of_grpc(reply.code, status.has_retry);
  result->retry_after_ns = status.has_retry ? status.retry_ns : 0;
  if (result->outcome == DELIVERY_DONE) {
    read_success(buffer_slice(&otlp->response), result);
  } else {
    snprintf(result->reason, sizeof(result->reason), "%s: %.150s", code_name(reply.code), reply.message);
  }
}

// --- HTTP -----------------------------------------------------------------------------------------------------------

static const char *signal_path(enum journal_kind kind) {
  switch (kind) {
  case JOURNAL_LOGS: return "/v1/logs";
  case JOURNAL_METRICS: return "/v1/metrics";
  default: return TRACES_PATH;
  }
}

static void send_http(struct otlp *otlp, enum journal_kind kind, struct slice payload,
                      const struct atomic_bool_box *cancel, struct delivery_result *result) {
  char url[URL_BYTES_MAX + 16];
  snprintf(url, sizeof(url), "%s%s", otlp->url, otlp->url_is_whole ? "" : signal_path(kind));
  uint32_t count = otlp->header_count;
  otlp->http_headers[count++] = (struct http_header){"Content-Type", "application/x-protobuf"};
  if (otlp->compress_gzip) {
    buffer_clear(&otlp->compressed);
    if (compress_gzip(payload, &otlp->compressed) == STATUS_OK) {
      payload = buffer_slice(&otlp->compressed);
      otlp->http_headers[count++] = (struct http_header){"Content-Encoding", "gzip"};
    }
  }
  struct http_reply reply = {0};
  struct error error = {""};
  buffer_clear(&otlp->response);
  enum status status = http_client_call(otlp->http, "POST", url, otlp->http_headers, count, payload, otlp->timeout_ns,
                                        cancel, &otlp->response, &reply, &error);
  if (status) {
    // An answer over the limit is for good (OTLP 1.11, "Response size"); anything else may pass.
    result->outcome = status == STATUS_TOO_LARGE ? DELIVERY_REFUSED : DELIVERY_RETRY;
    snprintf(result->reason, sizeof(result->reason), "%.180s", error.text);
    return;
  }
  result->outcome = otlp_outcome_of_http(reply.code);
  result->retry_after_ns = reply.retry_after_ns;
  if (result->outcome == DELIVERY_DONE) {
    read_success(buffer_slice(&otlp->response), result);
    return;
  }
  struct otlp_status words = {0};
  if (otlp_response_read_status(buffer_slice(&otlp->response), &words, NULL) != STATUS_OK) words.message.len = 0;
  snprintf(result->reason, sizeof(result->reason), "HTTP %" PRIu32 ": %.*s", reply.code,
           SLICE_PRINTF(slice_sub(words.message, 0, 150)));
}

static void otlp_send(void *context, enum journal_kind kind, struct slice payload, const struct atomic_bool_box *cancel,
                      struct delivery_result *out_result) {
  struct otlp *otlp = context;
  *out_result = (struct delivery_result){.outcome = DELIVERY_RETRY};
  if (otlp->protocol == OTLP_PROTOCOL_GRPC) {
    send_grpc(otlp, kind, payload, cancel, out_result);
  } else {
    send_http(otlp, kind, payload, cancel, out_result);
  }
}

// --- creation -------------------------------------------------------------------------------------------------------

static void otlp_destroy(void *context) {
  struct otlp *otlp = context;
  if (!otlp) return;
  grpc_client_destroy(otlp->grpc);
  http_client_destroy(otlp->http);
  for (uint32_t i = 0; i < otlp->header_count; i++) free(otlp->texts[i]);
  buffer_finish(&otlp->response);
  buffer_finish(&otlp->compressed);
  free(otlp);
}

const struct delivery_transport otlp_transport = {.send = otlp_send, .destroy = otlp_destroy};

static enum status add_header(struct otlp *otlp, const char *header, struct error *error) {
  const char *colon = strchr(header, ':');
  if (!colon || colon == header) {
    return error_set(error, STATUS_INVALID, "exporters.otlp.headers: '%.40s' is not 'name: value'", header);
  }
  if (otlp->header_count == HEADERS_MAX) {
    return error_set(error, STATUS_INVALID, "exporters.otlp.headers: at most %d", HEADERS_MAX);
  }
  char *text = strdup(header);
  ASSERT(text);
  char *value = text + (colon - header);
  *value++ = 0;
  value += strspn(value, " \t");
  for (char *c = text; *c; c++) {
    if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a'); // gRPC metadata keys are lower case
  }
  uint32_t index = otlp->header_count++;
  otlp->texts[index] = text;
  otlp->grpc_headers[index] = (struct grpc_header){text, value};
  otlp->http_headers[index] = (struct http_header){text, value};
  return STATUS_OK;
}

static enum status create_grpc(struct otlp *otlp, const struct otlp_options *options, bool use_tls,
                               struct error *error) {
  const char *host = strstr(options->endpoint, "://") + 3;
  char target[URL_BYTES_MAX + sizeof(":4317")];
  snprintf(target, sizeof(target), "%.*s", (int)strcspn(host, "/"), host);
  const char *port = strrchr(target, ':');
  if (!port || strchr(port, ']')) {
    size_t len = strlen(target);
    snprintf(target + len, sizeof(target) - len, ":4317");
  }
  struct grpc_client_options client = {
      .target = target,
      .use_tls = use_tls,
      .tls = options->tls,
      .compress_gzip = options->compress_gzip,
      .headers = otlp->grpc_headers,
      .header_count = otlp->header_count,
  };
  return grpc_client_create(&client, &otlp->grpc, error);
}

static enum status create_http(struct otlp *otlp, const struct otlp_options *options, struct error *error) {
  size_t len = strlen(options->endpoint);
  memcpy(otlp->url, options->endpoint, len + 1);
  const char *host = strstr(otlp->url, "://") + 3;
  size_t path = (size_t)(host - otlp->url) + strcspn(host, "/");
  size_t suffix = strlen(TRACES_PATH);
  if (strcmp(otlp->url + path, "/") == 0) otlp->url[path] = 0;
  if (len >= suffix && strcmp(otlp->url + len - suffix, TRACES_PATH) == 0) {
    otlp->url[len - suffix] = 0;
  } else if (otlp->url[path]) {
    otlp->url_is_whole = true;
  }
  struct http_client_options client = {.tls = options->tls,
                                       .user_agent = "OTel-OTLP-Exporter-C/" CULPRIT_VERSION " culprit"};
  return http_client_create(&client, &otlp->http, error);
}

enum status otlp_create(const struct otlp_options *options, void **out_context, struct error *error) {
  bool use_tls = strncmp(options->endpoint, "https://", 8) == 0;
  if (!use_tls && strncmp(options->endpoint, "http://", 7) != 0) {
    return error_set(error, STATUS_INVALID, "exporters.otlp.endpoint: must begin with http:// or https://");
  }
  const char *host = strstr(options->endpoint, "://") + 3;
  if (strcspn(host, ":/") == 0) {
    return error_set(error, STATUS_INVALID, "exporters.otlp.endpoint: no host in '%.80s'", options->endpoint);
  }
  if (strlen(options->endpoint) >= URL_BYTES_MAX) {
    return error_set(error, STATUS_INVALID, "exporters.otlp.endpoint: longer than %d bytes", URL_BYTES_MAX - 1);
  }
  struct otlp *otlp = calloc(1, sizeof(*otlp));
  ASSERT(otlp);
  otlp->protocol = options->protocol;
  otlp->compress_gzip = options->compress_gzip;
  otlp->timeout_ns = options->timeout_ns;
  buffer_init(&otlp->response, OTLP_RESPONSE_BYTES_MAX);
  buffer_init(&otlp->compressed, COMPRESSED_BYTES_MAX);
  enum status status = STATUS_OK;
  for (uint32_t i = 0; i < options->header_count && !status; i++) status = add_header(otlp, options->headers[i], error);
  if (!status) {
    status = options->protocol == OTLP_PROTOCOL_GRPC ? create_grpc(otlp, options, use_tls, error)
                                                     : create_http(otlp, options, error);
  }
  if (status) {
    otlp_destroy(otlp);
    return status;
  }
  *out_context = otlp;
  return STATUS_OK;
}
