// SPDX-License-Identifier: Apache-2.0
//
// How it works: requests come at a steady rate; each is made by collector/demo_request and posted as two OTLP/JSON
// requests, its spans and its logs. A refused request is tried again once after its Retry-After, like an SDK would.
#include "collector/demo.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "collector/config.h"
#include "collector/data_files.h"
#include "net/http_client.h"

#define DEADLINE_NS    (10 * NS_PER_S)
#define BODY_BYTES_MAX (4u << 20)
#define URL_BYTES_MAX  1024

struct demo_options {
  const char *endpoint; // NULL: found by the data directory
  uint64_t seconds, rate;
};

static bool parse_number(const char *name, const char *text, uint64_t max, uint64_t *out_value) {
  if (slice_to_u64(slice_from_cstr(text), out_value) && *out_value >= 1 && *out_value <= max) return true;
  fprintf(stderr, "culprit demo: --%s must be a number from 1 to %" PRIu64 "\n", name, max);
  return false;
}

static bool parse(int argc, char **argv, struct demo_options *options) {
  static const struct option known[] = {{"endpoint", required_argument, NULL, 'e'},
                                        {"seconds", required_argument, NULL, 's'},
                                        {"rate", required_argument, NULL, 'r'},
                                        {NULL, 0, NULL, 0}};
  *options = (struct demo_options){.seconds = 60, .rate = 20};
  for (int letter; (letter = getopt_long(argc, argv, "", known, NULL)) != -1;) {
    bool good = letter == 'e' || (letter == 's' && parse_number("seconds", optarg, 3600, &options->seconds)) ||
                (letter == 'r' && parse_number("rate", optarg, 1000, &options->rate));
    if (letter == 'e') options->endpoint = optarg;
    if (letter == '?') fprintf(stderr, "see 'culprit demo --help'\n");
    if (!good) return false;
  }
  if (optind < argc) {
    fprintf(stderr, "culprit demo: unexpected argument '%s'; see 'culprit demo --help'\n", argv[optind]);
    return false;
  }
  return true;
}

// The OTLP/HTTP of the instance that runs with this directory's data, or with CULPRIT_DATA_DIR; else where one listens
// by default.
static void find_endpoint(char *out, size_t out_bytes) {
  struct options options;
  struct config_problems problems;
  char address[256];
  snprintf(out, out_bytes, "http://127.0.0.1:4318");
  if (config_load(NULL, environ, &options, &problems) != STATUS_OK) return;
  if (data_files_read_http(options.data_dir, address, sizeof(address)) == STATUS_OK) {
    snprintf(out, out_bytes, "%s://%s", options.tls_http.cert_file[0] ? "https" : "http", address);
  }
  options_finish(&options);
}

static void sleep_ns(uint64_t ns) {
  struct timespec rest = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
  nanosleep(&rest, NULL);
}

static enum status post(struct http_client *client, const struct demo_options *options, const char *path,
                        struct slice body, struct error *error) {
  static const struct http_header json = {"Content-Type", "application/json"};
  char url[URL_BYTES_MAX];
  snprintf(url, sizeof(url), "%s%s", options->endpoint, path);
  struct buffer answer;
  buffer_init(&answer, BODY_BYTES_MAX);
  enum status status = STATUS_OK;
  for (int attempt = 0; attempt < 2; attempt++) {
    struct http_reply reply;
    buffer_clear(&answer);
    status = http_client_call(client, "POST", url, &json, 1, body, DEADLINE_NS, NULL, &answer, &reply, error);
    if (status || reply.code == 200) break;
    status = error_set(error, STATUS_UNAVAILABLE, "%s answered %" PRIu32 ": %.*s", url, reply.code,
                       SLICE_PRINTF(slice_sub(buffer_slice(&answer), 0, 100)));
    if (reply.code != 429 && reply.code != 503) break;
    sleep_ns(reply.retry_after_ns ? reply.retry_after_ns : NS_PER_S);
  }
  buffer_finish(&answer);
  return status;
}

static enum status run(struct http_client *client, const struct demo_options *options, struct error *error) {
  struct buffer traces, logs;
  buffer_init(&traces, BODY_BYTES_MAX);
  buffer_init(&logs, BODY_BYTES_MAX);
  struct demo_counts total = {0};
  uint64_t requests = options->seconds * options->rate, seed = random_u64();
  uint64_t start_ns = clock_monotonic_ns(clock_system());
  enum status status = STATUS_OK;
  for (uint64_t i = 0; i < requests && !status; i++) {
    uint64_t due_ns = start_ns + i * NS_PER_S / options->rate, now_ns = clock_monotonic_ns(clock_system());
    if (due_ns > now_ns) sleep_ns(due_ns - now_ns);
    buffer_clear(&traces);
    buffer_clear(&logs);
    struct demo_counts counts = demo_request(seed + i, i, clock_wall_ns(clock_system()), &traces, &logs);
    status = post(client, options, "/v1/traces", buffer_slice(&traces), error);
    if (!status) status = post(client, options, "/v1/logs", buffer_slice(&logs), error);
    total.spans += counts.spans;
    total.logs += counts.logs;
    total.exceptions += counts.exceptions;
    bool report = (i + 1) % (options->rate * 10) == 0 || i + 1 == requests;
    if (report && !status) {
      printf("%" PRIu64 " requests, %" PRIu32 " spans, %" PRIu32 " logs, %" PRIu32 " exceptions sent\n", i + 1,
             total.spans, total.logs, total.exceptions);
      fflush(stdout);
    }
  }
  buffer_finish(&traces);
  buffer_finish(&logs);
  return status;
}

int demo_main(int argc, char **argv) {
  struct demo_options options;
  struct http_client *client;
  struct error error = {""};
  if (!parse(argc, argv, &options)) return 2;
  char endpoint[URL_BYTES_MAX];
  if (!options.endpoint) {
    find_endpoint(endpoint, sizeof(endpoint));
    options.endpoint = endpoint;
  }
  enum status status =
      http_client_create(&(struct http_client_options){.user_agent = "culprit-demo/" CULPRIT_VERSION}, &client, &error);
  if (!status) {
    status = run(client, &options, &error);
    http_client_destroy(client);
  }
  if (!status) return 0;
  fprintf(stderr, "culprit demo: %s\nIs culprit running? Start it with 'culprit serve', or name it with --endpoint.\n",
          error.text);
  return 1;
}
