// SPDX-License-Identifier: Apache-2.0
//
// Everything the UI port answers: the API of docs/api.md, /metrics, /health and the pages. What the API shows of parts
// it may not know (pipeline, exporters, intake) comes through the functions of ui_options.
//
// Handlers are called on any thread of the HTTP server; the functions given here must allow that. The options and
// everything in them outlive the routes, the routes outlive the server.
#ifndef UI_UI_ROUTES_H
#define UI_UI_ROUTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/metrics.h"
#include "net/http_server.h"
#include "store/database.h"
#include "store/issue_store.h"
#include "store/request_store.h"

enum ui_decision { UI_UNKNOWN, UI_KEEP, UI_DROP, UI_WAITING };
struct ui_verdict {
  enum ui_decision decision;
  const char *policy; // constant text; NULL: none
  bool has_probability;
  double probability;
};

#define UI_REASONS_MAX      8
#define UI_REASON_BYTES_MAX 200
#define UI_EXPORTERS_MAX    8
#define UI_POLICIES_MAX     40
#define UI_ITEM_TYPES_MAX   32

struct ui_received {
  uint64_t requests, items, bytes, refused, rejected;
};
struct ui_journal {
  uint64_t bytes, bytes_max, records, lag_records, quarantined;
};
struct ui_exporter {
  char name[32], endpoint[256];
  const char *state; // "off", "idle", "sending", "retrying", "paused"
  uint64_t sent, retried, dead, dead_letters, queue_records, queue_age_s;
  char last_error[256]; // "": none
};

// Where the ports are, as URLs whose host may be a wildcard; "": not open yet.
struct ui_listening {
  char grpc[320], http[320], ui[320];
};

// The numbers of GET /api/v1/status and of the health pages. Texts are constant or live as long as the options.
struct ui_status {
  uint64_t started_wall_ns, uptime_s;
  bool ready;
  char reasons[UI_REASONS_MAX][UI_REASON_BYTES_MAX]; // why not
  uint32_t reason_count;
  const char *data_dir;
  struct ui_listening listening;
  struct ui_received traces, logs, metrics, events;
  struct {
    uint64_t kept, dropped, late, waiting_traces, decision_wait_s;
    struct {
      const char *policy;
      uint64_t kept;
    } policies[UI_POLICIES_MAX];
    uint32_t policy_count;
  } sampling;
  struct {
    const char *type;
    uint64_t count;           // since the start, without refused ones
  } items[UI_ITEM_TYPES_MAX]; // of Sentry envelopes; those that came
  uint32_t item_count;
  struct {
    uint64_t events, duplicates, issues, lag_records;
  } inbox;
  struct ui_journal intake, kept;
  struct ui_exporter exporters[UI_EXPORTERS_MAX];
  uint32_t exporter_count;
  uint64_t in_flight_bytes, memory_bytes_max, resident_bytes;
  double commit_p50_ms, commit_p99_ms;
  uint64_t disk_free_bytes, disk_total_bytes;
  struct {
    const char *name, *version;
  } libraries[8];
  uint32_t library_count;
};

// How data are scrubbed where a project says nothing else.
struct ui_scrub {
  bool enabled, defaults, ip_addresses;
  const char *const *sensitive_keys, *const *safe_keys;
  uint32_t sensitive_key_count, safe_key_count;
};

#define UI_DSN_BYTES_MAX 512

// Where and why grouping rules cannot be read. Columns count characters from 1; line 0: the text as a whole.
struct ui_rule_fault {
  uint32_t line, column;
  char text[256];
};

struct ui_options {
  struct database *database;
  struct issue_store *issues;
  struct request_store *requests;
  struct metrics *metrics;
  const struct clock *clock;
  const char *jaeger_url; // NULL: no links
  // On a loopback address the API answers for localhost, IP addresses and these names only (without ports).
  bool listens_on_loopback;
  const char *const *allowed_hosts;
  uint32_t allowed_host_count;
  void *context;
  // Verdict of a trace of which nothing was found in the kept journal: dropped, waiting, or unknown.
  void (*verdict)(void *context, const uint8_t trace_id[16], struct ui_verdict *out_verdict);
  // The name of a record_trace.policy.
  const char *(*policy_name)(void *context, uint8_t policy);
  // Fills a zeroed struct.
  void (*status)(void *context, struct ui_status *out_status);
  // Sends an exporter's dead letters again; *out_count: how many there are. STATUS_NOT_FOUND: no such exporter.
  enum status (*resend)(void *context, struct slice exporter, uint64_t *out_count);

  struct ui_scrub scrub;
  void *projects; // context of the functions below
  // Projects, keys or settings were changed in the database: they hold from the return on.
  void (*projects_changed)(void *projects);
  // A number that changes whenever a project is made, a little later at most; NULL: none ever is.
  uint64_t (*projects_version)(void *projects);
  // Grouping rules of a project, stack-trace rules or `fingerprint` rules: true when they can be used, else the first
  // fault.
  bool (*check_rules)(void *projects, bool fingerprint, struct slice text, struct ui_rule_fault *out_fault);
  // What an SDK is given; false while the address is not known yet.
  bool (*dsn)(void *projects, uint32_t project, const char *key, char out_dsn[UI_DSN_BYTES_MAX]);
};

#define UI_ROUTES_MAX 48

// The routes, in the order they are tried: pass the table to http_server_open. context of each is `options`.
size_t ui_routes_fill(const struct ui_options *options, struct http_route out_routes[UI_ROUTES_MAX]);

// For http_server_options.on_refusal: the API's JSON errors. The context is not used.
void ui_routes_refuse(void *context, struct http_request *request, enum status status, const char *text);

#endif
