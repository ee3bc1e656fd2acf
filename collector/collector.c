// SPDX-License-Identifier: Apache-2.0
//
// How it works: parts are opened in the order of the list below, each from the options and the parts above it;
// collector_stop closes in the reverse order. A part that was never opened is NULL, and closing NULL is nothing, so a
// start that fails half way is undone by the same function.
#include "collector/collector.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "collector/data_files.h"
#include "collector/inbox.h"
#include "collector/ingest_routes.h"
#include "collector/observe.h"
#include "collector/pipeline.h"
#include "collector/project_keys.h"
#include "collector/reload.h"
#include "exporter/delivery.h"
#include "exporter/otlp.h"
#include "net/grpc_server.h"
#include "net/http_server.h"
#include "processor/grouping_builtin.h"
#include "processor/grouping_check.h"
#include "receiver/otlp_grpc.h"
#include "receiver/otlp_http.h"
#include "receiver/sentry_http.h"
#include "store/grouping_history.h"
#include "store/project_settings.h"
#include "store/project_store.h"
#include "ui/ui_routes.h"

#define GRACE_NS          (10 * NS_PER_S)
#define UI_BODY_BYTES_MAX (1u << 20)
#define PENDING_BYTES_MAX (32u << 20)
#define KEPT_GATHER_NS    (20 * NS_PER_MS)
#define EXPECTED_WAIT_NS  NS_PER_MS
// Small files of the intake journal are soon written over, while their pages are in memory; spare ones are what the
// second between two deletions needs.
#define INTAKE_SEGMENTS_SHARE 4
#define SPARE_SEGMENTS_MAX    8

struct collector {
  const struct options *options;
  const struct clock *clock;
  struct data_files files;
  struct budget budget;
  struct disk_guard disk;
  struct metrics *metrics;

  struct sampling *sampling;
  struct correlation *correlation;
  struct trace_facts *facts;
  struct journal *intake_journal;
  struct request_store *requests;
  struct database *database;
  struct project project;
  struct issue_store *issues;
  struct grouping_config *grouping;
  struct inbox *inbox;
  struct delivery *delivery;
  struct pipeline *pipeline;
  struct intake *intake;
  struct otlp_door *door;
  struct otlp_http *otlp_http;
  struct otlp_grpc otlp_grpc;
  struct project_keys *project_keys;
  struct sentry_limit *sentry_limit;
  struct project_directory *projects;
  const char *safe_keys[2 * OPTIONS_LIST_MAX];
  struct sentry_door *sentry_door;
  struct sentry_http *sentry_http;
  struct ingest_routes ingest;
  struct observe *observe;
  struct ui_options ui;
  struct http_route ui_routes[UI_ROUTES_MAX];
  struct http_server *ui_server, *http_server;
  struct grpc_server_handle *grpc_server;
  uint16_t grpc_port, http_port, ui_port;
};

// --- addresses -----------------------------------------------------------------------------------------------------

// "host:0" with the port that was chosen.
static void effective_address(const char *configured, uint16_t port, char *out, size_t out_bytes) {
  const char *colon = strrchr(configured, ':');
  snprintf(out, out_bytes, "%.*s:%u", (int)(colon - configured), configured, port);
}

void collector_get_addresses(const struct collector *collector, struct collector_addresses *out_addresses) {
  const struct options *options = collector->options;
  effective_address(options->listen_grpc, collector->grpc_port, out_addresses->grpc, sizeof(out_addresses->grpc));
  effective_address(options->listen_http, collector->http_port, out_addresses->http, sizeof(out_addresses->http));
  effective_address(options->listen_ui, collector->ui_port, out_addresses->ui, sizeof(out_addresses->ui));
  char url[PROJECT_DIRECTORY_URL_BYTES_MAX];
  project_directory_format_url(options, out_addresses->http, url);
  project_directory_format_dsn(url, collector->project.id, collector->project.key, out_addresses->sentry_dsn);
}

static enum status make_files(struct collector *collector, struct error *error) {
  return data_files_init(&collector->files, collector->options->data_dir, error);
}

// Everything is open: who asks may know where.
static enum status tell_addresses(struct collector *collector, struct error *error) {
  struct collector_addresses addresses;
  collector_get_addresses(collector, &addresses);
  observe_set_listening(collector->observe, addresses.grpc, addresses.http, addresses.ui);
  char url[PROJECT_DIRECTORY_URL_BYTES_MAX];
  project_directory_format_url(collector->options, addresses.http, url);
  project_directory_set_url(collector->projects, url);
  return data_files_write_listening(&collector->files, addresses.grpc, addresses.http, addresses.ui, error);
}

// --- stores ---------------------------------------------------------------------------------------------------------

static enum status open_journals(struct collector *collector, struct error *error) {
  const struct options *options = collector->options;
  struct journal_options intake = {
      .name = "intake",
      .directory = collector->files.intake,
      .quarantine_directory = collector->files.quarantine,
      .sync = options->journal_sync,
      .sync_interval_ns = options->journal_sync_interval_ns,
      .segment_bytes_max = options->journal_segment_bytes / INTAKE_SEGMENTS_SHARE,
      .bytes_max = options->journal_intake_max_bytes,
      .pending_bytes_max = PENDING_BYTES_MAX,
      .expected_wait_ns = EXPECTED_WAIT_NS,
      .spare_segments_max = SPARE_SEGMENTS_MAX,
      .clock = collector->clock,
      .metrics = collector->metrics,
  };
  enum status status = journal_open(&intake, &collector->intake_journal, error);
  if (status) return status;
  // Its appends do not wait for the sync; exporters read what is synced.
  struct journal_options kept = intake;
  kept.name = "kept";
  kept.directory = collector->files.kept;
  kept.sync = options->journal_sync == JOURNAL_SYNC_NEVER ? JOURNAL_SYNC_NEVER : JOURNAL_SYNC_ALWAYS;
  kept.gather_ns = KEPT_GATHER_NS;
  kept.expected_wait_ns = 0;
  kept.segment_bytes_max = options->journal_segment_bytes;
  kept.dense = true;
  kept.spare_segments_max = 0; // it is deleted from by age, a segment in hours
  kept.bytes_max = options->journal_kept_max_bytes;
  return request_store_open(&(struct request_store_options){.kept = kept, .intake = collector->intake_journal},
                            &collector->requests, error);
}

static enum status open_database(struct collector *collector, struct error *error) {
  // One for each thread that reads, so that a door never waits for a page.
  struct database_options options = {.path = collector->files.database,
                                     .bytes_max = collector->options->store_max_bytes,
                                     .readers_max = DATABASE_READERS_MAX,
                                     .clock = collector->clock};
  enum status status = database_open(&options, &collector->database, error);
  if (status) return status;
  status = project_store_ensure_default(collector->database, collector->clock, &collector->project, error);
  if (status) return status;
  // Attachments are what is given up first: never more than half of the database.
  uint64_t half = collector->options->store_max_bytes / 2,
           attachments = collector->options->store_attachments_max_bytes;
  struct issue_store_options issues = {.database = collector->database,
                                       .clock = collector->clock,
                                       .attachments_bytes_max = attachments < half ? attachments : half};
  return issue_store_open(&issues, &collector->issues, error);
}

// --- processing -----------------------------------------------------------------------------------------------------

static struct payload_facts_options facts_options(const struct collector *collector) {
  return (struct payload_facts_options){.sampling = collector->sampling,
                                        .correlation = collector->correlation,
                                        .limits = &otlp_limits_default,
                                        .keep_severity = collector->options->sampling_log_severity};
}

static enum status make_decisions(struct collector *collector, struct error *error) {
  const struct options *options = collector->options;
  enum status status = sampling_create(options->sampling_policies, options->sampling_policy_count, collector->metrics,
                                       &collector->sampling, error);
  if (status) return status;
  collector->correlation = correlation_create((const char *const *)options->correlation_attributes.items,
                                              options->correlation_attributes.count);
  collector->facts = trace_facts_create(
      &(struct trace_facts_options){.sampling = collector->sampling,
                                    .waiting_max = (uint32_t)options->sampling_max_waiting_traces,
                                    .verdicts_max = (uint32_t)options->sampling_max_remembered_verdicts});
  return STATUS_OK;
}

static enum status start_exporter(struct collector *collector, struct error *error) {
  const struct options *options = collector->options;
  if (!options->otlp_endpoint[0]) return STATUS_OK;
  void *transport;
  bool is_http = strcmp(options->otlp_protocol, "http/protobuf") == 0;
  struct otlp_options otlp = {
      .endpoint = options->otlp_endpoint,
      .protocol = is_http ? OTLP_PROTOCOL_HTTP_PROTOBUF : OTLP_PROTOCOL_GRPC,
      .compress_gzip = strcmp(options->otlp_compression, "gzip") == 0,
      .headers = (const char *const *)options->otlp_headers.items,
      .header_count = options->otlp_headers.count,
      .timeout_ns = options->otlp_timeout_ns,
      .tls = {.ca_file = options->otlp_ca_file,
              .cert_file = options->otlp_cert_file,
              .key_file = options->otlp_key_file},
  };
  enum status status = otlp_create(&otlp, &transport, error);
  if (status) return status;
  uint32_t kinds = 1u << JOURNAL_TRACES;
  if (options->otlp_forward_logs) kinds |= 1u << JOURNAL_LOGS;
  if (options->otlp_forward_metrics) kinds |= 1u << JOURNAL_METRICS;
  struct delivery_options delivery = {
      .name = "otlp",
      .journal = request_store_journal(collector->requests),
      .send_unsynced = options->journal_sync == JOURNAL_SYNC_NEVER,
      .cursor_directory = collector->options->data_dir,
      .dead_letter_directory = collector->files.dead_letter,
      .kinds = kinds,
      .backoff_max_ns = options->otlp_max_backoff_ns,
      .transport = &otlp_transport,
      .transport_context = transport,
      .clock = collector->clock,
      .metrics = collector->metrics,
  };
  return delivery_start(&delivery, &collector->delivery, error);
}

static enum status start_inbox(struct collector *collector, struct error *error) {
  enum status status = grouping_config_create(&(struct grouping_config_options){0}, &collector->grouping, error);
  if (status) return status;
  const struct grouping_setup program = {
      .algorithm = SLICE_LITERAL(GROUPING_ALGORITHM),
      .builtin_enhancements = slice_make(grouping_builtin_rules, grouping_builtin_rules_len),
      .builtin_fingerprinting = slice_make(grouping_builtin_fingerprints, grouping_builtin_fingerprints_len)};
  status = grouping_history_start(collector->database, collector->clock, &program, error);
  if (status) return status;
  struct inbox_options inbox = {
      .journal = collector->intake_journal,
      .database = collector->database,
      .issues = collector->issues,
      .correlation = collector->correlation,
      .grouping = collector->grouping,
      .attempt_path = collector->files.attempt,
      .retention_ns = collector->options->retention_events_ns,
      .clock = collector->clock,
      .metrics = collector->metrics,
  };
  return inbox_start(&inbox, &collector->inbox, error);
}

// Below these sequences nobody else needs the journals' records.
static uint64_t intake_floor(void *context) {
  struct collector *collector = context;
  return inbox_cursor(collector->inbox);
}

static uint64_t kept_floor(void *context) {
  struct collector *collector = context;
  return collector->delivery ? delivery_floor(collector->delivery) : UINT64_MAX;
}

static enum status start_pipeline(struct collector *collector, struct error *error) {
  const struct options *options = collector->options;
  struct pipeline_options pipeline = {
      .intake = collector->intake_journal,
      .requests = collector->requests,
      .facts = collector->facts,
      .rebuild = facts_options(collector),
      .decision_wait_ns = options->sampling_decision_wait_ns,
      .retention_requests_ns = options->retention_requests_ns,
      .keep_metrics = options->otlp_endpoint[0] && options->otlp_forward_metrics,
      .intake_floor = intake_floor,
      .kept_floor = kept_floor,
      .floor_context = collector,
      .clock = collector->clock,
      .metrics = collector->metrics,
  };
  return pipeline_start(&pipeline, &collector->pipeline, error);
}

// --- projects -------------------------------------------------------------------------------------------------------

// What a request is found by is never a secret.
static enum status start_projects(struct collector *collector, struct error *error) {
  const struct options *options = collector->options;
  const char **safe = collector->safe_keys;
  uint32_t count = 0;
  for (uint32_t i = 0; i < options->scrub_safe_keys.count; i++) safe[count++] = options->scrub_safe_keys.items[i];
  for (uint32_t i = 0; i < options->correlation_attributes.count; i++) {
    safe[count++] = options->correlation_attributes.items[i];
  }
  static_assert(2 * OPTIONS_LIST_MAX <= SCRUB_KEYS_MAX, "both lists fit");
  collector->project_keys = project_keys_create(collector->database, collector->clock);
  collector->sentry_limit = sentry_limit_create(collector->metrics, collector->clock);
  ASSERT(collector->sentry_limit);
  struct project_directory_options projects = {
      .database = collector->database,
      .keys = collector->project_keys,
      .limits = collector->sentry_limit,
      .scrub = {.enabled = options->scrub_enabled,
                .defaults = options->scrub_defaults,
                .extra_keys = (const char *const *)options->scrub_extra_keys.items,
                .extra_key_count = options->scrub_extra_keys.count,
                .safe_keys = safe,
                .safe_key_count = count,
                .ip_addresses = options->scrub_ip_addresses},
      .always_safe = (const char *const *)options->correlation_attributes.items,
      .always_safe_count = options->correlation_attributes.count,
  };
  return project_directory_start(&projects, &collector->projects, error);
}

// --- doors ----------------------------------------------------------------------------------------------------------

static struct tls_settings tls_of(const struct options_tls *tls) {
  return (struct tls_settings){
      .cert_file = tls->cert_file, .key_file = tls->key_file, .client_ca_file = tls->client_ca_file};
}

static enum status make_doors(struct collector *collector, struct error *error) {
  const struct options *options = collector->options;
  collector->intake = intake_create(&(struct intake_options){
      .journal = collector->intake_journal,
      .facts = facts_options(collector),
      .disk = &collector->disk,
      .projects = collector->projects,
      .grouping = {.database = collector->database, .clock = collector->clock, .program = collector->grouping},
      .clock = collector->clock,
      .metrics = collector->metrics});
  struct otlp_door_options door = {
      .limits = {.sink = intake_sink(collector->intake),
                 .budget = &collector->budget,
                 .keys = (const char *const *)options->ingest_keys.items,
                 .key_count = options->ingest_keys.count,
                 .decoded_bytes_max = options->ingest_decoded_max_bytes},
      .project = collector->project.id,
      .forward_metrics = options->otlp_endpoint[0] && options->otlp_forward_metrics,
      .metrics = collector->metrics,
  };
  collector->door = otlp_door_create(&door);
  ASSERT(collector->door);
  otlp_grpc_init(&collector->otlp_grpc, collector->door);
  struct otlp_http_options http = {
      .door = collector->door,
      .cors_origins = (const char *const *)options->cors_allowed_origins.items,
      .cors_origin_count = options->cors_allowed_origins.count,
      .cors_headers = (const char *const *)options->cors_allowed_headers.items,
      .cors_header_count = options->cors_allowed_headers.count,
      .cors_max_age_ns = options->cors_max_age_ns,
  };
  struct sentry_door_options sentry = {
      .limits = {.sink = intake_sink(collector->intake),
                 .budget = &collector->budget,
                 .decoded_bytes_max = options->ingest_decoded_max_bytes},
      .directory = {.context = collector->project_keys, .find = project_keys_find},
      .limit = collector->sentry_limit,
      .clock = collector->clock,
      .metrics = collector->metrics,
      .attachment_bytes_max = options->sentry_attachment_max_bytes,
  };
  collector->sentry_door = sentry_door_create(&sentry);
  ASSERT(collector->sentry_door);
  collector->sentry_http = sentry_http_create(collector->sentry_door, collector->door);
  ASSERT(collector->sentry_http);
  return otlp_http_create(&http, &collector->otlp_http, error);
}

static enum status make_observe(struct collector *collector, struct error *error) {
  (void)error;
  collector->observe = observe_create(&(struct observe_options){
      .options = collector->options,
      .sampling = collector->sampling,
      .clock = collector->clock,
      .metrics = collector->metrics,
      .budget = &collector->budget,
      .disk = &collector->disk,
      .intake_journal = collector->intake_journal,
      .kept_journal = request_store_journal(collector->requests),
      .facts = collector->facts,
      .pipeline = collector->pipeline,
      .inbox = collector->inbox,
      .database = collector->database,
      .issues = collector->issues,
      .delivery = collector->delivery,
      .intake = collector->intake,
      .sentry = collector->sentry_door,
  });
  return STATUS_OK;
}

static void on_projects_changed(void *projects) {
  project_directory_reload(projects);
}

static uint64_t projects_version(void *projects) {
  return project_directory_version(projects);
}

static void take_first_fault(void *context, const struct grouping_check_fault *fault) {
  struct ui_rule_fault *first = context;
  if (first->text[0]) return;
  first->line = fault->line;
  first->column = fault->column;
  snprintf(first->text, sizeof(first->text), "%s", fault->text);
}

static bool check_rules(void *projects, bool fingerprint, struct slice text, struct ui_rule_fault *out_fault) {
  (void)projects;
  struct ui_rule_fault fault = {.text = ""};
  enum grouping_check_kind kind = fingerprint ? GROUPING_CHECK_FINGERPRINT : GROUPING_CHECK_STACK;
  if (!grouping_check(kind, text, PROJECT_SETTINGS_RULES_MAX, take_first_fault, &fault, NULL)) return true;
  *out_fault = fault;
  return false;
}

static bool dsn_of(void *projects, uint32_t project, const char *key, char out_dsn[UI_DSN_BYTES_MAX]) {
  static_assert(UI_DSN_BYTES_MAX == PROJECT_DIRECTORY_DSN_BYTES_MAX, "the same buffer");
  return project_directory_dsn(projects, project, key, out_dsn);
}

static bool is_loopback(const char *address) {
  struct slice text = slice_from_cstr(address);
  return slice_starts_with(text, SLICE_LITERAL("127.")) || slice_starts_with(text, SLICE_LITERAL("[::1]:")) ||
         slice_starts_with(text, SLICE_LITERAL("localhost:"));
}

// Says in the error which key of the configuration it is about.
static enum status of_key(const char *key, enum status status, struct error *error) {
  if (status != STATUS_OK) error_prefix(error, "%s: ", key);
  return status;
}

static enum status open_ui(struct collector *collector, struct error *error) {
  const struct options *options = collector->options;
  collector->ui = (struct ui_options){
      .database = collector->database,
      .issues = collector->issues,
      .requests = collector->requests,
      .metrics = collector->metrics,
      .clock = collector->clock,
      .jaeger_url = options->ui_jaeger_url[0] ? options->ui_jaeger_url : NULL,
      .listens_on_loopback = is_loopback(options->listen_ui),
      .allowed_hosts = (const char *const *)options->ui_allowed_hosts.items,
      .allowed_host_count = options->ui_allowed_hosts.count,
      .context = collector->observe,
      .verdict = observe_verdict,
      .policy_name = observe_policy_name,
      .status = observe_status,
      .resend = observe_resend,
      .scrub = {.enabled = options->scrub_enabled,
                .defaults = options->scrub_defaults,
                .ip_addresses = options->scrub_ip_addresses,
                .sensitive_keys = (const char *const *)options->scrub_extra_keys.items,
                .sensitive_key_count = options->scrub_extra_keys.count,
                .safe_keys = (const char *const *)options->scrub_safe_keys.items,
                .safe_key_count = options->scrub_safe_keys.count},
      .projects = collector->projects,
      .projects_changed = on_projects_changed,
      .projects_version = projects_version,
      .check_rules = check_rules,
      .dsn = dsn_of,
  };
  struct http_server_options ui = {
      .name = "ui",
      .address = options->listen_ui,
      .tls = tls_of(&options->tls_ui),
      .metrics = collector->metrics,
      .routes = collector->ui_routes,
      .route_count = ui_routes_fill(&collector->ui, collector->ui_routes),
      .on_refusal = ui_routes_refuse,
      .body_bytes_max = UI_BODY_BYTES_MAX,
      .threads = 2,
  };
  return of_key("listen.ui", http_server_open(&ui, &collector->ui_server, &collector->ui_port, error), error);
}

// What connections that are read together bring shares a commit.
static void expect_several(void *journal, bool begin) {
  if (begin)
    journal_expect(journal);
  else
    journal_expect_end(journal);
}

static enum status open_ingest(struct collector *collector, struct error *error) {
  const struct options *options = collector->options;
  ingest_routes_init(&collector->ingest, collector->otlp_http, collector->sentry_http);
  struct http_server_options http = {
      .name = "http",
      .address = options->listen_http,
      .tls = tls_of(&options->tls_http),
      .metrics = collector->metrics,
      .routes = collector->ingest.routes,
      .route_count = collector->ingest.count,
      .on_refusal = ingest_routes_refuse,
      .refusal_context = &collector->ingest,
      .admit = ingest_routes_admit,
      .admit_context = &collector->ingest,
      .budget = &collector->budget,
      .on_several = expect_several,
      .several_context = collector->intake_journal,
      .body_bytes_max = options->ingest_wire_max_bytes,
  };
  enum status status =
      of_key("listen.http", http_server_open(&http, &collector->http_server, &collector->http_port, error), error);
  if (status) return status;
  struct grpc_server_options grpc = {
      .address = options->listen_grpc,
      .tls = tls_of(&options->tls_grpc),
      .methods = collector->otlp_grpc.methods,
      .method_count = OTLP_GRPC_METHODS,
      .admit = otlp_grpc_admit,
      .admit_context = &collector->otlp_grpc,
      .on_refusal = otlp_grpc_refused,
      .refusal_context = &collector->otlp_grpc,
      .budget = &collector->budget,
      .message_bytes_max = options->ingest_wire_max_bytes,
  };
  status = of_key("listen.grpc", grpc_server_open(&grpc, &collector->grpc_server, &collector->grpc_port, error), error);
  if (!status) grpc_server_set_serving(collector->grpc_server, true);
  return status;
}

// --- start and stop -------------------------------------------------------------------------------------------------

static enum status start_parts(struct collector *collector, struct error *error) {
  static enum status (*const steps[])(struct collector *, struct error *) = {
      make_files, open_journals,  open_database, make_decisions, start_exporter, start_inbox,    start_projects,
      make_doors, start_pipeline, make_observe,  open_ui,        open_ingest,    tell_addresses,
  };
  enum status status = STATUS_OK;
  for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && !status; i++) status = steps[i](collector, error);
  return status;
}

static void stop_parts(struct collector *collector) {
  // Receivers first; what they have taken is answered while the journal still works.
  if (collector->intake) intake_drain(collector->intake);
  observe_drain(collector->observe);
  if (collector->http_server) http_server_quiesce(collector->http_server);
  grpc_server_close(collector->grpc_server, GRACE_NS);
  http_server_close(collector->http_server, GRACE_NS);
  http_server_close(collector->ui_server, GRACE_NS);
  pipeline_stop(collector->pipeline);
  inbox_stop(collector->inbox);
  delivery_stop(collector->delivery);
  request_store_close(collector->requests);
  journal_close(collector->intake_journal);
}

static void destroy(struct collector *collector) {
  otlp_http_destroy(collector->otlp_http);
  sentry_http_destroy(collector->sentry_http);
  sentry_door_destroy(collector->sentry_door);
  otlp_door_destroy(collector->door);
  intake_destroy(collector->intake);
  project_directory_stop(collector->projects);
  sentry_limit_destroy(collector->sentry_limit);
  project_keys_destroy(collector->project_keys);
  grouping_config_destroy(collector->grouping);
  issue_store_close(collector->issues);
  observe_destroy(collector->observe);
  database_close(collector->database);
  trace_facts_destroy(collector->facts);
  correlation_destroy(collector->correlation);
  sampling_release(collector->sampling);
  metrics_destroy(collector->metrics);
  free(collector);
}

enum status collector_start(const struct options *options, struct collector **out_collector, struct error *error) {
  struct collector *collector = calloc(1, sizeof(*collector));
  ASSERT(collector);
  collector->options = options;
  collector->clock = clock_system();
  collector->metrics = metrics_create();
  budget_init(&collector->budget, options->memory_max_bytes);
  disk_guard_init(&collector->disk, options->data_dir, options->journal_disk_reserve, collector->clock);
  enum log_level level;
  if (log_level_parse(slice_from_cstr(options->log_level), &level)) log_set_level(level);
  enum status status = start_parts(collector, error);
  if (status) {
    stop_parts(collector);
    destroy(collector);
    return status;
  }
  *out_collector = collector;
  return STATUS_OK;
}

void collector_reload(struct collector *collector, const struct options *now, const struct options *fresh) {
  struct reload_parts parts = {
      .budget = &collector->budget,
      .grpc_server = collector->grpc_server,
      .http_server = collector->http_server,
      .ui_server = collector->ui_server,
      .disk = &collector->disk,
      .intake_journal = collector->intake_journal,
      .kept_journal = request_store_journal(collector->requests),
      .database = collector->database,
      .inbox = collector->inbox,
      .pipeline = collector->pipeline,
      .intake = collector->intake,
      .observe = collector->observe,
      .metrics = collector->metrics,
      .sampling = &collector->sampling,
  };
  reload_apply(&parts, now, fresh);
}

void collector_stop(struct collector *collector, struct intake_balance *out_balance) {
  stop_parts(collector);
  if (out_balance) *out_balance = intake_balance(collector->intake);
  data_files_remove_listening(&collector->files);
  destroy(collector);
}
