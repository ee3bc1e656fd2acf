// SPDX-License-Identifier: Apache-2.0
//
// The table says everything about a key once: name, type, place, default, bounds, help. Adding a key is adding a line
// here and a member to struct options.
#include "collector/config_field.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/slice.h"

#define KIB        UINT64_C(1024)
#define MIB        (KIB * 1024)
#define GIB        (MIB * 1024)
#define DAY_NS     (UINT64_C(86400) * NS_PER_S)
#define AT(member) offsetof(struct options, member)

const struct config_field config_fields[] = {
    {"data_dir", CONFIG_TEXT, AT(data_dir), "./culprit-data", 0, 0, NULL, false,
     "Where everything is kept: journals, culprit.db, quarantine, dead letters."},
    {"log_level", CONFIG_CHOICE, AT(log_level), "info", 0, 0, "debug, info, warn, error", false,
     "Which of culprit's own log lines are written to standard error."},
    {"listen.grpc", CONFIG_ADDRESS, AT(listen_grpc), "127.0.0.1:4317", 0, 0, NULL, false,
     "OTLP/gRPC. Port 0 takes a free one."},
    {"listen.http", CONFIG_ADDRESS, AT(listen_http), "127.0.0.1:4318", 0, 0, NULL, false,
     "OTLP/HTTP and the other ingest doors."},
    {"listen.ui", CONFIG_ADDRESS, AT(listen_ui), "127.0.0.1:8080", 0, 0, NULL, false,
     "Web UI, its API, /metrics and /health."},
    {"tls.grpc.cert_file", CONFIG_TEXT, AT(tls_grpc.cert_file), "", 0, 0, NULL, false,
     "PEM certificate chain; set it and the key to serve TLS."},
    {"tls.grpc.key_file", CONFIG_TEXT, AT(tls_grpc.key_file), "", 0, 0, NULL, false, "PEM private key."},
    {"tls.grpc.client_ca_file", CONFIG_TEXT, AT(tls_grpc.client_ca_file), "", 0, 0, NULL, false,
     "PEM roots; set it to require client certificates (mTLS)."},
    {"tls.http.cert_file", CONFIG_TEXT, AT(tls_http.cert_file), "", 0, 0, NULL, false, "The same for listen.http."},
    {"tls.http.key_file", CONFIG_TEXT, AT(tls_http.key_file), "", 0, 0, NULL, false, ""},
    {"tls.http.client_ca_file", CONFIG_TEXT, AT(tls_http.client_ca_file), "", 0, 0, NULL, false, ""},
    {"tls.ui.cert_file", CONFIG_TEXT, AT(tls_ui.cert_file), "", 0, 0, NULL, false, "The same for listen.ui."},
    {"tls.ui.key_file", CONFIG_TEXT, AT(tls_ui.key_file), "", 0, 0, NULL, false, ""},
    {"tls.ui.client_ca_file", CONFIG_TEXT, AT(tls_ui.client_ca_file), "", 0, 0, NULL, false, ""},
    {"ingest.max_request_bytes", CONFIG_SIZE, AT(ingest_wire_max_bytes), "64MiB", KIB, GIB, NULL, false,
     "Largest request as it comes over the wire."},
    {"ingest.max_decoded_bytes", CONFIG_SIZE, AT(ingest_decoded_max_bytes), "64MiB", KIB, GIB, NULL, false,
     "Largest request after decompression."},
    {"ingest.keys", CONFIG_LIST, AT(ingest_keys), "[]", 0, 0, NULL, true,
     "When set, OTLP requests must carry one, as 'authorization: Bearer <key>' or 'x-culprit-key: <key>'."},
    {"ingest.public_url", CONFIG_URL, AT(ingest_public_url), "", 0, 0, NULL, false,
     "What DSNs show of the HTTP port, where applications reach it by another name. Empty: the address it listens on."},
    {"cors.allowed_origins", CONFIG_LIST, AT(cors_allowed_origins), "[]", 0, 0, NULL, false,
     "Browser origins that may send OTLP/HTTP; * matches within an origin. Empty: CORS is off."},
    {"cors.allowed_headers", CONFIG_LIST, AT(cors_allowed_headers), "[]", 0, 0, NULL, false,
     "Request headers allowed beside the usual ones."},
    {"cors.max_age", CONFIG_TIME, AT(cors_max_age_ns), "1h", 0, DAY_NS, NULL, false,
     "How long a browser may remember a preflight answer."},
    {"journal.sync", CONFIG_SYNC, AT(journal_sync), "always", 0, 0, "always, interval, never", false,
     "When the intake journal is synced to disk: before every answer, on a timer, or never."},
    {"journal.sync_interval", CONFIG_TIME, AT(journal_sync_interval_ns), "200ms", NS_PER_MS, 60 * NS_PER_S, NULL, false,
     "The timer of journal.sync: interval. That much may be lost when the power fails."},
    {"journal.intake_max_bytes", CONFIG_SIZE, AT(journal_intake_max_bytes), "10GiB", 4 * MIB, UINT64_C(1) << 50, NULL,
     false, "Disk budget of what was accepted and is not settled; at it requests are refused with a retry hint."},
    {"journal.kept_max_bytes", CONFIG_SIZE, AT(journal_kept_max_bytes), "10GiB", 4 * MIB, UINT64_C(1) << 50, NULL,
     false, "Disk budget of what sampling kept; the oldest goes first, once every exporter has it."},
    {"journal.disk_reserve", CONFIG_SIZE, AT(journal_disk_reserve), "0", 0, UINT64_C(1) << 50, NULL, false,
     "With less than this free on the data directory's disk requests are refused with a retry hint. 0: a twentieth of "
     "the disk, at most 256MiB."},
    {"journal.segment_bytes", CONFIG_SIZE, AT(journal_segment_bytes), "64MiB", 64 * KIB, GIB, NULL, false,
     "Size of one file of the kept journal; those of the intake journal, which are written over all the time, have a "
     "quarter of it."},
    {"store.max_bytes", CONFIG_SIZE, AT(store_max_bytes), "10GiB", MIB, UINT64_C(1) << 46, NULL, false,
     "Disk budget of the inbox (culprit.db)."},
    {"store.attachments_max_bytes", CONFIG_SIZE, AT(store_attachments_max_bytes), "512MiB", 64 * KIB, UINT64_C(1) << 46,
     NULL, false, "Of it, for attachments of events (at most half of store.max_bytes); the oldest go first."},
    {"sentry.attachment_max_bytes", CONFIG_SIZE, AT(sentry_attachment_max_bytes), "1MiB", 0, 16 * MIB, NULL, false,
     "Attachments of Sentry events are kept up to this size each; larger ones are noted in their event. 0: none is "
     "kept."},
    {"sampling.decision_wait", CONFIG_TIME, AT(sampling_decision_wait_ns), "10s", 0, 3600 * NS_PER_S, NULL, false,
     "How long a trace may show its facts before its verdict."},
    {"sampling.policies", CONFIG_POLICIES, AT(sampling_policies), "[errors, {probability: 1.0}]", 0, 0, NULL, false,
     "In order; a trace is kept if any keeps it: errors, {latency: 2s}, {attribute: {key: k, value: v}}, {attribute: "
     "{key: k, "
     "regex: r}}, {probability: 0.1}, {rate_limit: 100}."},
    {"sampling.log_severity", CONFIG_SEVERITY, AT(sampling_log_severity), "WARN", 1, 24, NULL, false,
     "Logs of no trace and no request are kept from this severity on."},
    {"sampling.max_waiting_traces", CONFIG_COUNT, AT(sampling_max_waiting_traces), "1800000", 1000, 100000000, NULL,
     false, "Traces that may wait for a verdict; beyond it the oldest are decided early."},
    {"sampling.max_remembered_verdicts", CONFIG_COUNT, AT(sampling_max_remembered_verdicts), "1000000", 1000, 100000000,
     NULL, false, "Verdicts remembered for late spans."},
    {"correlation.request_id_attributes", CONFIG_LIST, AT(correlation_attributes), "[]", 0, 0, NULL, false,
     "Attributes that carry a request id, best first. Empty: the built-in list."},
    {"scrub.enabled", CONFIG_BOOL, AT(scrub_enabled), "true", 0, 0, NULL, false,
     "Take secrets out of spans, logs and events before anything is written."},
    {"scrub.defaults", CONFIG_BOOL, AT(scrub_defaults), "true", 0, 0, NULL, false,
     "The built-in rules: password, secret, token and the like in keys; cards, IBANs, private keys … in texts."},
    {"scrub.extra_keys", CONFIG_LIST, AT(scrub_extra_keys), "[]", 0, 0, NULL, false,
     "Keys that are secret too; matched anywhere in a key, without regard to case."},
    {"scrub.safe_keys", CONFIG_LIST, AT(scrub_safe_keys), "[]", 0, 0, NULL, false,
     "Keys that are never scrubbed, whatever rule fits them; the whole key."},
    {"scrub.ip_addresses", CONFIG_BOOL, AT(scrub_ip_addresses), "false", 0, 0, NULL, false,
     "Take IP addresses out as well."},
    {"exporters.otlp.endpoint", CONFIG_URL, AT(otlp_endpoint), "", 0, 0, NULL, false,
     "Where kept spans go: http://host:4317 (gRPC) or http://host:4318/v1/traces with protocol http/protobuf. Empty: "
     "off."},
    {"exporters.otlp.protocol", CONFIG_CHOICE, AT(otlp_protocol), "grpc", 0, 0, "grpc, http/protobuf", false, ""},
    {"exporters.otlp.compression", CONFIG_CHOICE, AT(otlp_compression), "none", 0, 0, "none, gzip", false, ""},
    {"exporters.otlp.headers", CONFIG_LIST, AT(otlp_headers), "[]", 0, 0, NULL, true,
     "Sent with every request, each as 'name: value'."},
    {"exporters.otlp.timeout", CONFIG_TIME, AT(otlp_timeout_ns), "10s", 100 * NS_PER_MS, 600 * NS_PER_S, NULL, false,
     "Of one attempt."},
    {"exporters.otlp.max_backoff", CONFIG_TIME, AT(otlp_max_backoff_ns), "60s", 10 * NS_PER_MS, 3600 * NS_PER_S, NULL,
     false, "Longest wait between two tries, unless the backend asks for a longer one."},
    {"exporters.otlp.stuck_after", CONFIG_TIME, AT(otlp_stuck_after_ns), "5m", 0, DAY_NS, NULL, false,
     "After failing this long the exporter makes /health/ready say so."},
    {"exporters.otlp.tls.ca_file", CONFIG_TEXT, AT(otlp_ca_file), "", 0, 0, NULL, false,
     "PEM roots for an https:// endpoint; empty: the system's."},
    {"exporters.otlp.tls.cert_file", CONFIG_TEXT, AT(otlp_cert_file), "", 0, 0, NULL, false, "Client certificate."},
    {"exporters.otlp.tls.key_file", CONFIG_TEXT, AT(otlp_key_file), "", 0, 0, NULL, false, "Its key."},
    {"exporters.otlp.logs", CONFIG_BOOL, AT(otlp_forward_logs), "false", 0, 0, NULL, false,
     "Forward kept logs too (Jaeger takes spans only)."},
    {"exporters.otlp.metrics", CONFIG_BOOL, AT(otlp_forward_metrics), "false", 0, 0, NULL, false,
     "Accept metrics and forward them; otherwise they are answered and not stored."},
    {"ui.allowed_hosts", CONFIG_LIST, AT(ui_allowed_hosts), "[]", 0, 0, NULL, false,
     "Names beside localhost and IP addresses that a UI on a loopback address answers to, like those of a proxy."},
    {"ui.jaeger_url", CONFIG_URL, AT(ui_jaeger_url), "", 0, 0, NULL, false, "Base of links from a request to Jaeger."},
    {"retention.events", CONFIG_TIME, AT(retention_events_ns), "30d", 60 * NS_PER_S, 3650 * DAY_NS, NULL, false,
     "How long error events are kept."},
    {"retention.requests", CONFIG_TIME, AT(retention_requests_ns), "7d", 60 * NS_PER_S, 3650 * DAY_NS, NULL, false,
     "How long kept spans and logs are kept."},
    {"memory.max_bytes", CONFIG_SIZE, AT(memory_max_bytes), "256MiB", 16 * MIB, UINT64_C(1) << 46, NULL, false,
     "Budget of everything in flight; beyond it requests are refused with a retry hint."},
};
const size_t config_field_count = sizeof(config_fields) / sizeof(config_fields[0]);

const struct config_field *config_field_find(const char *name) {
  for (size_t i = 0; i < config_field_count; i++) {
    if (strcmp(config_fields[i].name, name) == 0) return &config_fields[i];
  }
  return NULL;
}

void config_field_variable(const struct config_field *field, char *out, size_t out_bytes) {
  int len = snprintf(out, out_bytes, "CULPRIT_%s", field->name);
  ASSERT(len > 0 && (size_t)len < out_bytes);
  for (char *c = out; *c; c++) *c = *c == '.' ? '_' : (char)toupper((unsigned char)*c);
}

bool config_field_is_service_link(const char *variable, const char *value) {
  if (strstr(variable, "_SERVICE_HOST") || strstr(variable, "_SERVICE_PORT")) return true;
  const char *port = strstr(variable, "_PORT");
  if (!port) return false;
  port += strlen("_PORT");
  return port[0] == 0 ? strstr(value, "://") != NULL : port[0] == '_' && isdigit((unsigned char)port[1]);
}

// --- values ---------------------------------------------------------------------------------------------------------

// "<decimal>[.<digits>]<unit>": the number in 1/1000, so that 1.5h works without floating point.
static bool parse_scaled(const char *text, uint64_t *out_milli, const char **out_unit) {
  uint64_t whole = 0, milli = 0;
  uint32_t digits = 0;
  const char *at = text;
  for (; isdigit((unsigned char)*at); at++, digits++) {
    if (digits >= 15) return false;
    whole = whole * 10 + (uint64_t)(*at - '0');
  }
  if (digits == 0) return false;
  if (*at == '.') {
    uint64_t weight = 100;
    at++;
    if (!isdigit((unsigned char)*at)) return false;
    for (; isdigit((unsigned char)*at); at++, weight /= 10) milli += (uint64_t)(*at - '0') * weight;
  }
  while (*at == ' ') at++;
  *out_milli = whole * 1000 + milli;
  *out_unit = at;
  return true;
}

struct unit {
  const char *name;
  uint64_t factor;
};

static bool parse_units(const char *text, const struct unit *units, uint64_t *out_value) {
  uint64_t milli;
  const char *unit;
  if (!parse_scaled(text, &milli, &unit)) return false;
  for (; units->name; units++) {
    if (strcmp(units->name, unit) != 0) continue;
    uint64_t product;
    if (!__builtin_mul_overflow(milli, units->factor, &product)) {
      *out_value = product / 1000;
      return true;
    }
    *out_value = milli / 1000; // so large that the fraction does not matter
    return !__builtin_mul_overflow(*out_value, units->factor, out_value);
  }
  return false;
}

bool config_field_parse_time(const char *text, uint64_t *out_ns) {
  static const struct unit units[] = {{"ms", NS_PER_MS},      {"s", NS_PER_S}, {"m", 60 * NS_PER_S},
                                      {"h", 3600 * NS_PER_S}, {"d", DAY_NS},   {NULL, 0}};
  if (strcmp(text, "0") == 0) {
    *out_ns = 0;
    return true;
  }
  return parse_units(text, units, out_ns);
}

bool config_field_parse_size(const char *text, uint64_t *out_bytes) {
  static const struct unit units[] = {{"", 1},  {"B", 1}, {"KiB", KIB}, {"MiB", MIB}, {"GiB", GIB}, {"TiB", GIB * 1024},
                                      {NULL, 0}};
  return parse_units(text, units, out_bytes);
}

static void print_bound(const struct config_field *field, uint64_t value, char *out, size_t out_bytes) {
  static const struct unit sizes[] = {{"TiB", GIB * 1024}, {"GiB", GIB}, {"MiB", MIB}, {"KiB", KIB}, {"", 1}};
  static const struct unit times[] = {{"d", DAY_NS},   {"h", 3600 * NS_PER_S}, {"m", 60 * NS_PER_S},
                                      {"s", NS_PER_S}, {"ms", NS_PER_MS},      {"ns", 1}};
  const struct unit *unit = field->type == CONFIG_TIME ? times : sizes;
  if (field->type == CONFIG_COUNT || field->type == CONFIG_SEVERITY) unit = &sizes[4];
  while (unit->factor > 1 && (value < unit->factor || value % unit->factor != 0)) unit++;
  snprintf(out, out_bytes, "%" PRIu64 "%s", value / unit->factor, unit->name);
}

static enum status set_number(const struct config_field *field, bool parsed, uint64_t value, uint64_t *to,
                              const char *like, struct error *error) {
  if (parsed && value >= field->min && value <= field->max) {
    *to = value;
    return STATUS_OK;
  }
  char low[32], high[32];
  print_bound(field, field->min, low, sizeof(low));
  print_bound(field, field->max, high, sizeof(high));
  return error_set(error, STATUS_INVALID, "must be %s, from %s to %s", like, low, high);
}

static void set_text(char **to, const char *text) {
  free(*to);
  *to = strdup(text);
  ASSERT(*to);
}

static bool in_list(const char *list, const char *text) {
  size_t len = strlen(text);
  for (const char *at = list; *at;) {
    size_t item = strcspn(at, ",");
    if (item == len && strncmp(at, text, len) == 0) return true;
    at += item;
    at += strspn(at, ", ");
  }
  return false;
}

static enum status set_address(char **to, const char *text, struct error *error) {
  const char *colon = strrchr(text, ':');
  uint64_t port;
  bool bracketed = text[0] == '[' && colon && colon > text && colon[-1] == ']';
  bool good = colon && colon > text && slice_to_u64(slice_from_cstr(colon + 1), &port) && port <= 65535 &&
              (bracketed || memchr(text, ':', (size_t)(colon - text)) == NULL);
  if (!good) return error_set(error, STATUS_INVALID, "must be host:port, like 127.0.0.1:4317 or [::1]:4317");
  set_text(to, text);
  return STATUS_OK;
}

static enum status set_severity(const char *text, uint32_t *to, struct error *error) {
  static const struct {
    const char *name;
    uint32_t number;
  } names[] = {{"TRACE", 1}, {"DEBUG", 5}, {"INFO", 9}, {"WARN", 13}, {"ERROR", 17}, {"FATAL", 21}};
  uint64_t number;
  if (slice_to_u64(slice_from_cstr(text), &number) && number >= 1 && number <= 24) {
    *to = (uint32_t)number;
    return STATUS_OK;
  }
  for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
    if (strcasecmp(names[i].name, text) != 0) continue;
    *to = names[i].number;
    return STATUS_OK;
  }
  return error_set(error, STATUS_INVALID, "must be TRACE, DEBUG, INFO, WARN, ERROR, FATAL or a number from 1 to 24");
}

enum status config_field_set(const struct config_field *field, const char *text, struct options *options,
                             struct error *error) {
  void *to = (char *)options + field->offset;
  uint64_t number = 0;
  bool parsed;
  switch (field->type) {
  case CONFIG_TEXT: set_text(to, text); return STATUS_OK;
  case CONFIG_ADDRESS: return set_address(to, text, error);
  case CONFIG_URL:
    if (text[0] && strncmp(text, "http://", 7) != 0 && strncmp(text, "https://", 8) != 0) {
      return error_set(error, STATUS_INVALID, "must begin with http:// or https://");
    }
    set_text(to, text);
    return STATUS_OK;
  case CONFIG_CHOICE:
    if (!in_list(field->allowed, text)) return error_set(error, STATUS_INVALID, "must be one of: %s", field->allowed);
    set_text(to, text);
    return STATUS_OK;
  case CONFIG_SYNC:
    if (!in_list(field->allowed, text)) return error_set(error, STATUS_INVALID, "must be one of: %s", field->allowed);
    *(enum journal_sync *)to = text[0] == 'a'   ? JOURNAL_SYNC_ALWAYS
                               : text[0] == 'i' ? JOURNAL_SYNC_INTERVAL
                                                : JOURNAL_SYNC_NEVER;
    return STATUS_OK;
  case CONFIG_SIZE:
    parsed = config_field_parse_size(text, &number);
    return set_number(field, parsed, number, to, "a size like 512MiB (KiB, MiB, GiB)", error);
  case CONFIG_TIME:
    parsed = config_field_parse_time(text, &number);
    return set_number(field, parsed, number, to, "a time like 10s (ms, s, m, h, d)", error);
  case CONFIG_COUNT:
    parsed = slice_to_u64(slice_from_cstr(text), &number);
    return set_number(field, parsed, number, to, "a whole number", error);
  case CONFIG_BOOL:
    if (strcmp(text, "true") != 0 && strcmp(text, "false") != 0) {
      return error_set(error, STATUS_INVALID, "must be true or false");
    }
    *(bool *)to = text[0] == 't';
    return STATUS_OK;
  case CONFIG_SEVERITY: return set_severity(text, to, error);
  case CONFIG_LIST: return error_set(error, STATUS_INVALID, "must be a list, like [a, b]");
  case CONFIG_POLICIES: return error_set(error, STATUS_INVALID, "must be a list, like [errors, {probability: 0.1}]");
  }
  return STATUS_INTERNAL;
}

enum status config_field_append(const struct config_field *field, const char *item, struct options *options,
                                struct error *error) {
  struct options_list *list = (struct options_list *)((char *)options + field->offset);
  if (!item[0]) return error_set(error, STATUS_INVALID, "an item must not be empty");
  if (list->count == OPTIONS_LIST_MAX) return error_set(error, STATUS_INVALID, "at most %d items", OPTIONS_LIST_MAX);
  list->items[list->count] = NULL;
  set_text(&list->items[list->count++], item);
  return STATUS_OK;
}

static void clear_policies(struct options *options) {
  for (uint32_t i = 0; i < options->sampling_policy_count; i++) {
    free((char *)(uintptr_t)options->sampling_policies[i].key);
    free((char *)(uintptr_t)options->sampling_policies[i].value);
    free((char *)(uintptr_t)options->sampling_policies[i].regex);
  }
  options->sampling_policy_count = 0;
}

void config_field_clear(const struct config_field *field, struct options *options) {
  if (field->type == CONFIG_POLICIES) clear_policies(options);
  if (field->type != CONFIG_LIST) return;
  struct options_list *list = (struct options_list *)((char *)options + field->offset);
  for (uint32_t i = 0; i < list->count; i++) free(list->items[i]);
  list->count = 0;
}

static bool texts_are_equal(const char *a, const char *b) {
  return a == b || (a && b && strcmp(a, b) == 0);
}

static bool lists_are_equal(const struct options_list *a, const struct options_list *b) {
  if (a->count != b->count) return false;
  for (uint32_t i = 0; i < a->count; i++) {
    if (!texts_are_equal(a->items[i], b->items[i])) return false;
  }
  return true;
}

static bool policies_are_equal(const struct options *a, const struct options *b) {
  if (a->sampling_policy_count != b->sampling_policy_count) return false;
  for (uint32_t i = 0; i < a->sampling_policy_count; i++) {
    const struct sampling_policy *one = &a->sampling_policies[i], *other = &b->sampling_policies[i];
    if (one->kind != other->kind || one->latency_ns != other->latency_ns || one->probability != other->probability ||
        one->traces_per_second != other->traces_per_second || !texts_are_equal(one->key, other->key) ||
        !texts_are_equal(one->value, other->value) || !texts_are_equal(one->regex, other->regex)) {
      return false;
    }
  }
  return true;
}

bool config_field_is_equal(const struct config_field *field, const struct options *a, const struct options *b) {
  const void *one = (const char *)a + field->offset, *other = (const char *)b + field->offset;
  switch (field->type) {
  case CONFIG_TEXT:
  case CONFIG_ADDRESS:
  case CONFIG_URL:
  case CONFIG_CHOICE: return texts_are_equal(*(char *const *)one, *(char *const *)other);
  case CONFIG_SYNC: return *(const enum journal_sync *)one == *(const enum journal_sync *)other;
  case CONFIG_SIZE:
  case CONFIG_TIME:
  case CONFIG_COUNT: return *(const uint64_t *)one == *(const uint64_t *)other;
  case CONFIG_BOOL: return *(const bool *)one == *(const bool *)other;
  case CONFIG_SEVERITY: return *(const uint32_t *)one == *(const uint32_t *)other;
  case CONFIG_LIST: return lists_are_equal(one, other);
  case CONFIG_POLICIES: return policies_are_equal(a, b);
  }
  return false;
}

void options_finish(struct options *options) {
  for (size_t i = 0; i < config_field_count; i++) {
    const struct config_field *field = &config_fields[i];
    char **text = (char **)((char *)options + field->offset);
    switch (field->type) {
    case CONFIG_TEXT:
    case CONFIG_ADDRESS:
    case CONFIG_URL:
    case CONFIG_CHOICE:
      free(*text);
      *text = NULL;
      break;
    case CONFIG_LIST:
    case CONFIG_POLICIES: config_field_clear(field, options); break;
    default: break;
    }
  }
}
