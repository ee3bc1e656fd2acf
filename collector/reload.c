// SPDX-License-Identifier: Apache-2.0
//
// How it works: the table of keys that can change beside the function that hands each on. All other keys of
// collector/config_field are compared too, so that a person is told what still waits for a restart.
#include "collector/reload.h"

#include "base/log.h"
#include "collector/config_field.h"

typedef void (*apply_fn)(const struct reload_parts *parts, const struct options *fresh);

static void set_log_level(const struct reload_parts *parts, const struct options *fresh) {
  (void)parts;
  enum log_level level;
  if (log_level_parse(slice_from_cstr(fresh->log_level), &level)) log_set_level(level);
}

static void set_intake_budget(const struct reload_parts *parts, const struct options *fresh) {
  journal_set_bytes_max(parts->intake_journal, fresh->journal_intake_max_bytes);
}

static void set_disk_reserve(const struct reload_parts *parts, const struct options *fresh) {
  disk_guard_set_reserve(parts->disk, fresh->journal_disk_reserve);
}

static void set_kept_budget(const struct reload_parts *parts, const struct options *fresh) {
  journal_set_bytes_max(parts->kept_journal, fresh->journal_kept_max_bytes);
}

static void set_store_budget(const struct reload_parts *parts, const struct options *fresh) {
  struct error error;
  if (database_set_bytes_max(parts->database, fresh->store_max_bytes, &error)) {
    log_write(LOG_WARN, "reload", "the inbox keeps its limit", LOG_FIELDS(log_text("reason", error.text)));
  }
}

static void set_memory_budget(const struct reload_parts *parts, const struct options *fresh) {
  budget_set_max(parts->budget, fresh->memory_max_bytes);
  grpc_server_follow_budget(parts->grpc_server);
}

static void set_decision_wait(const struct reload_parts *parts, const struct options *fresh) {
  pipeline_set_decision_wait(parts->pipeline, fresh->sampling_decision_wait_ns);
}

static void set_policies(const struct reload_parts *parts, const struct options *fresh) {
  struct sampling *sampling = NULL;
  struct error error;
  if (sampling_create(fresh->sampling_policies, fresh->sampling_policy_count, parts->metrics, &sampling, &error)) {
    log_write(LOG_WARN, "reload", "the policies stay as they are", LOG_FIELDS(log_text("reason", error.text)));
    return;
  }
  // One after the other: what the intake notes for one set of policies and the pipeline reads for another is noted
  // anew.
  intake_set_sampling(parts->intake, sampling);
  pipeline_set_sampling(parts->pipeline, sampling);
  observe_set_sampling(parts->observe, sampling);
  sampling_release(*parts->sampling);
  *parts->sampling = sampling;
}

static void set_request_retention(const struct reload_parts *parts, const struct options *fresh) {
  pipeline_set_retention(parts->pipeline, fresh->retention_requests_ns);
}

static void set_event_retention(const struct reload_parts *parts, const struct options *fresh) {
  inbox_set_retention(parts->inbox, fresh->retention_events_ns);
}

// Certificates are renewed under the same names: they are read at every reload.
static void log_certificates(const char *listener, enum status status, const struct error *error) {
  if (status == STATUS_NOT_FOUND) return;
  if (status == STATUS_OK) {
    log_write(LOG_INFO, "reload", "certificates read again", LOG_FIELDS(log_text("listener", listener)));
  } else {
    log_write(LOG_ERROR, "reload", "certificates are wrong and were not taken; those known stay in force",
              LOG_FIELDS(log_text("listener", listener), log_text("reason", error->text)));
  }
}

static void read_certificates(const struct reload_parts *parts) {
  struct error error = {""};
  log_certificates("grpc", grpc_server_read_tls(parts->grpc_server, &error), &error);
  log_certificates("http", http_server_read_tls(parts->http_server, &error), &error);
  log_certificates("ui", http_server_read_tls(parts->ui_server, &error), &error);
}

static const struct {
  const char *key;
  apply_fn apply;
} changeable[] = {
    {"log_level", set_log_level},
    {"journal.intake_max_bytes", set_intake_budget},
    {"journal.kept_max_bytes", set_kept_budget},
    {"journal.disk_reserve", set_disk_reserve},
    {"store.max_bytes", set_store_budget},
    {"memory.max_bytes", set_memory_budget},
    {"sampling.decision_wait", set_decision_wait},
    {"sampling.policies", set_policies},
    {"retention.requests", set_request_retention},
    {"retention.events", set_event_retention},
};

static apply_fn find(const char *key) {
  for (size_t i = 0; i < sizeof(changeable) / sizeof(changeable[0]); i++) {
    if (strcmp(changeable[i].key, key) == 0) return changeable[i].apply;
  }
  return NULL;
}

void reload_apply(const struct reload_parts *parts, const struct options *now, const struct options *fresh) {
  uint64_t changed = 0, waiting = 0;
  for (size_t i = 0; i < config_field_count; i++) {
    const struct config_field *field = &config_fields[i];
    if (config_field_is_equal(field, now, fresh)) continue;
    apply_fn apply = find(field->name);
    if (apply) {
      apply(parts, fresh);
      log_write(LOG_INFO, "reload", "changed", LOG_FIELDS(log_text("key", field->name)));
      changed++;
    } else {
      log_write(LOG_WARN, "reload", "needs a restart", LOG_FIELDS(log_text("key", field->name)));
      waiting++;
    }
  }
  read_certificates(parts);
  log_write(LOG_INFO, "reload", "configuration read again",
            LOG_FIELDS(log_u64("changed", changed), log_u64("need_restart", waiting)));
}
