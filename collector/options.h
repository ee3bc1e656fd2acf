// SPDX-License-Identifier: Apache-2.0
//
// Everything that can be configured, as one plain struct. collector/config fills it from the defaults, a YAML file and
// the environment through one table of fields; it is immutable after start. Texts belong to the options.
#ifndef COLLECTOR_OPTIONS_H
#define COLLECTOR_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "processor/sampling.h"
#include "store/journal.h"

#define OPTIONS_LIST_MAX 64

struct options_list {
  char *items[OPTIONS_LIST_MAX];
  uint32_t count;
};

struct options_tls {
  char *cert_file, *key_file, *client_ca_file;
};

struct options {
  char *data_dir;
  char *log_level; // debug, info, warn, error

  char *listen_grpc, *listen_http, *listen_ui;
  struct options_tls tls_grpc, tls_http, tls_ui; // listen_tls.grpc.cert_file, …

  uint64_t ingest_wire_max_bytes;           // ingest.max_request_bytes, on the wire, default 16 MiB … see config.c
  uint64_t ingest_decoded_max_bytes;        // ingest.max_decoded_bytes, default 64 MiB
  struct options_list ingest_keys;          // ingest.keys: when set, every request must carry one
  char *ingest_public_url;                  // ingest.public_url: of the HTTP port in DSNs; "": as it listens
  struct options_list cors_allowed_origins; // cors.allowed_origins
  struct options_list cors_allowed_headers; // cors.allowed_headers
  uint64_t cors_max_age_ns;                 // cors.max_age

  enum journal_sync journal_sync;
  uint64_t journal_sync_interval_ns;
  uint64_t journal_intake_max_bytes, journal_kept_max_bytes, journal_disk_reserve, journal_segment_bytes,
      store_max_bytes;
  uint64_t store_attachments_max_bytes; // of all attachments in the inbox
  uint64_t sentry_attachment_max_bytes; // of one that is kept; 0: none is

  uint64_t sampling_decision_wait_ns;
  uint64_t sampling_max_waiting_traces;
  uint64_t sampling_max_remembered_verdicts;
  struct sampling_policy sampling_policies[SAMPLING_POLICIES_MAX];
  uint32_t sampling_policy_count;
  uint32_t sampling_log_severity; // sampling.log_severity: logs of no request are kept from here on, default WARN 13

  struct options_list correlation_attributes; // correlation.request_id_attributes

  bool scrub_enabled, scrub_defaults, scrub_ip_addresses; // scrub.*
  struct options_list scrub_extra_keys, scrub_safe_keys;

  char *otlp_endpoint;              // exporters.otlp.endpoint; NULL: off
  char *otlp_protocol;              // exporters.otlp.protocol: grpc, http/protobuf
  char *otlp_compression;           // none, gzip
  struct options_list otlp_headers; // exporters.otlp.headers: "name: value"
  uint64_t otlp_timeout_ns, otlp_max_backoff_ns, otlp_stuck_after_ns;
  char *otlp_ca_file, *otlp_cert_file, *otlp_key_file; // exporters.otlp.tls.*
  bool otlp_forward_metrics;                           // exporters.otlp.metrics
  bool otlp_forward_logs;                              // exporters.otlp.logs

  char *ui_jaeger_url;                  // ui.jaeger_url
  struct options_list ui_allowed_hosts; // ui.allowed_hosts
  uint64_t retention_events_ns, retention_requests_ns;
  uint64_t memory_max_bytes;
};

void options_finish(struct options *options);

#endif
