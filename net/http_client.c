// SPDX-License-Identifier: Apache-2.0
//
// How it works: one curl easy handle inside one multi handle, so that the wait can be cut in steps to look at *cancel;
// the multi handle keeps connections between calls. The response is written straight into the caller's buffer, whose
// ceiling ends the transfer.
#include "net/http_client.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"

#define POLL_MS            50
#define RESPONSE_DEFAULT   ((size_t)4 << 20)
#define RETRY_AFTER_MAX_NS (UINT64_C(86400) * NS_PER_S) // a day; more is taken for a day
#define CONNECT_MS_MAX     10000L

struct http_client {
  CURL *easy;
  CURLM *multi;
  size_t response_bytes_max;
  char *cert_file, *key_file, *ca_file, *user_agent;
  bool insecure_skip_verify;
  char words[CURL_ERROR_SIZE];
};

// What the callbacks of one call work on.
struct exchange {
  struct buffer *response;
  size_t response_bytes_max;
  bool too_large;
  uint64_t retry_after_ns;
};

static char *copy_given(const char *text) {
  return tls_settings_given(text) ? strdup(text) : NULL;
}

enum status http_client_create(const struct http_client_options *options, struct http_client **out_client,
                               struct error *error) {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
    return error_set(error, STATUS_INTERNAL, "libcurl did not start");
  struct http_client *client = calloc(1, sizeof(*client));
  if (!client) {
    curl_global_cleanup();
    return error_set(error, STATUS_NO_MEMORY, "out of memory");
  }
  client->easy = curl_easy_init();
  client->multi = curl_multi_init();
  client->response_bytes_max = options->response_bytes_max ? options->response_bytes_max : RESPONSE_DEFAULT;
  client->cert_file = copy_given(options->tls.cert_file);
  client->key_file = copy_given(options->tls.key_file);
  client->ca_file = copy_given(options->tls.ca_file);
  client->insecure_skip_verify = options->tls.insecure_skip_verify;
  client->user_agent = strdup(options->user_agent ? options->user_agent : "culprit/" CULPRIT_VERSION);
  if (!client->easy || !client->multi || !client->user_agent) {
    http_client_destroy(client);
    return error_set(error, STATUS_NO_MEMORY, "out of memory");
  }
  *out_client = client;
  return STATUS_OK;
}

void http_client_destroy(struct http_client *client) {
  if (!client) return;
  curl_easy_cleanup(client->easy);
  curl_multi_cleanup(client->multi);
  free(client->cert_file);
  free(client->key_file);
  free(client->ca_file);
  free(client->user_agent);
  free(client);
  curl_global_cleanup();
}

// ---- call

static size_t on_body(char *bytes, size_t size, size_t count, void *context) {
  struct exchange *exchange = context;
  size_t len = size * count;
  if (len > exchange->response_bytes_max - exchange->response->len ||
      buffer_append(exchange->response, bytes, len) != STATUS_OK) {
    exchange->too_large = true;
    return CURL_WRITEFUNC_ERROR;
  }
  return len;
}

// Retry-After is seconds or an HTTP-date (RFC 9110, 10.2.3).
static uint64_t parse_retry_after(struct slice value) {
  uint64_t seconds = 0;
  char text[64];
  if (slice_to_u64(value, &seconds)) {
    return seconds > RETRY_AFTER_MAX_NS / NS_PER_S ? RETRY_AFTER_MAX_NS : seconds * NS_PER_S;
  }
  if (value.len == 0 || value.len >= sizeof(text)) return 0;
  memcpy(text, value.ptr, value.len);
  text[value.len] = 0;
  time_t when = curl_getdate(text, NULL);
  uint64_t now_s = clock_wall_ns(clock_system()) / NS_PER_S;
  if (when < 0 || (uint64_t)when <= now_s) return 0;
  uint64_t left_s = (uint64_t)when - now_s;
  return left_s > RETRY_AFTER_MAX_NS / NS_PER_S ? RETRY_AFTER_MAX_NS : left_s * NS_PER_S;
}

static size_t on_header(char *bytes, size_t size, size_t count, void *context) {
  struct exchange *exchange = context;
  struct slice line = slice_make(bytes, size * count);
  if (slice_starts_with(line, SLICE_LITERAL("HTTP/"))) exchange->retry_after_ns = 0; // a final answer after a 1xx
  size_t colon = slice_find_byte(line, ':');
  if (colon < line.len && slice_equal_ignore_case(slice_sub(line, 0, colon), SLICE_LITERAL("retry-after"))) {
    exchange->retry_after_ns = parse_retry_after(slice_trim(slice_skip(line, colon + 1)));
  }
  return line.len;
}

static void set_tls(struct http_client *client) {
  CURL *easy = client->easy;
  curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  if (client->ca_file) curl_easy_setopt(easy, CURLOPT_CAINFO, client->ca_file);
  if (client->cert_file) curl_easy_setopt(easy, CURLOPT_SSLCERT, client->cert_file);
  if (client->key_file) curl_easy_setopt(easy, CURLOPT_SSLKEY, client->key_file);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, client->insecure_skip_verify ? 0L : 1L);
  curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, client->insecure_skip_verify ? 0L : 2L);
}

static struct curl_slist *make_headers(const struct http_header *headers, size_t count) {
  // libcurl would wait a second for a 100 Continue that many servers do not send.
  struct curl_slist *list = curl_slist_append(NULL, "Expect:");
  for (size_t i = 0; i < count && list; i++) {
    struct buffer line;
    buffer_init(&line, 64 * 1024);
    buffer_printf(&line, "%s: %s", headers[i].name, headers[i].value);
    buffer_append_byte(&line, 0);
    struct curl_slist *longer = line.failed ? NULL : curl_slist_append(list, (const char *)line.ptr);
    buffer_finish(&line);
    if (!longer) {
      curl_slist_free_all(list);
      return NULL;
    }
    list = longer;
  }
  return list;
}

static void set_request(struct http_client *client, const char *method, const char *url, struct slice body,
                        uint64_t deadline_ns) {
  CURL *easy = client->easy;
  long timeout_ms = (long)(deadline_ns / NS_PER_MS);
  if (timeout_ms < 1) timeout_ms = 1;
  client->words[0] = 0;
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, client->words);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_PROXY, ""); // also not from the environment
  curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, timeout_ms);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, timeout_ms < CONNECT_MS_MAX ? timeout_ms : CONNECT_MS_MAX);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, client->user_agent);
  if (strcmp(method, "GET") == 0) {
    curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
  } else if (strcmp(method, "HEAD") == 0) {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body.len ? (const char *)body.ptr : "");
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
  }
}

// CURLE_ABORTED_BY_CALLBACK when *cancel became true.
static CURLcode transfer(struct http_client *client, const struct atomic_bool_box *cancel) {
  if (curl_multi_add_handle(client->multi, client->easy) != CURLM_OK) return CURLE_OUT_OF_MEMORY;
  CURLcode code = CURLE_OK;
  int running = 1;
  while (running) {
    if (cancel && atomic_bool_get(cancel)) {
      code = CURLE_ABORTED_BY_CALLBACK;
      break;
    }
    if (curl_multi_perform(client->multi, &running) != CURLM_OK ||
        (running && curl_multi_poll(client->multi, NULL, 0, POLL_MS, NULL) != CURLM_OK)) {
      code = CURLE_FAILED_INIT;
      break;
    }
  }
  int left = 0;
  CURLMsg *message = NULL;
  while (code == CURLE_OK && (message = curl_multi_info_read(client->multi, &left))) {
    if (message->msg == CURLMSG_DONE && message->easy_handle == client->easy) {
      code = message->data.result;
      break;
    }
  }
  curl_multi_remove_handle(client->multi, client->easy);
  return code;
}

static enum status judge(struct http_client *client, CURLcode code, const struct exchange *exchange,
                         struct error *error) {
  const char *words = client->words[0] ? client->words : curl_easy_strerror(code);
  if (exchange->too_large) return error_set(error, STATUS_TOO_LARGE, "the reply is over the limit");
  switch (code) {
  case CURLE_OK: return STATUS_OK;
  case CURLE_OPERATION_TIMEDOUT: return error_set(error, STATUS_TIMEOUT, "%s", words);
  case CURLE_ABORTED_BY_CALLBACK: return error_set(error, STATUS_UNAVAILABLE, "cancelled");
  default: return error_set(error, STATUS_UNAVAILABLE, "%s", words);
  }
}

enum status http_client_call(struct http_client *client, const char *method, const char *url,
                             const struct http_header *headers, size_t header_count, struct slice body,
                             uint64_t deadline_ns, const struct atomic_bool_box *cancel, struct buffer *response,
                             struct http_reply *out_reply, struct error *error) {
  struct exchange exchange = {.response = response, .response_bytes_max = client->response_bytes_max};
  buffer_clear(response);
  *out_reply = (struct http_reply){0};
  struct curl_slist *list = make_headers(headers, header_count);
  if (!list) return error_set(error, STATUS_NO_MEMORY, "the headers are too large");
  curl_easy_reset(client->easy);
  set_request(client, method, url, body, deadline_ns);
  set_tls(client);
  curl_easy_setopt(client->easy, CURLOPT_HTTPHEADER, list);
  curl_easy_setopt(client->easy, CURLOPT_WRITEFUNCTION, on_body);
  curl_easy_setopt(client->easy, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(client->easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt(client->easy, CURLOPT_HEADERDATA, &exchange);
  CURLcode code = transfer(client, cancel);
  enum status status = judge(client, code, &exchange, error);
  curl_slist_free_all(list);
  if (status != STATUS_OK) return status;
  long answer = 0;
  curl_easy_getinfo(client->easy, CURLINFO_RESPONSE_CODE, &answer);
  *out_reply = (struct http_reply){.code = (uint32_t)answer, .retry_after_ns = exchange.retry_after_ns};
  return STATUS_OK;
}
