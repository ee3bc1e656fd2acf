// SPDX-License-Identifier: Apache-2.0
//
// The collector fills a struct ui_status; this file only gives its numbers their names.
#include "ui/api/api_status.h"

#include "store/item_query.h"
#include "ui/api/api_answer.h"

static const char *const no_parameters[] = {NULL};

static void begin(struct api_answer *answer, const char *key) {
  json_key(&answer->json, key);
  json_begin_object(&answer->json);
}

static void end(struct api_answer *answer) {
  json_end_object(&answer->json);
}

static void write_listening(struct api_answer *answer, const struct ui_status *status) {
  begin(answer, "listening");
  api_answer_text(answer, "grpc", slice_from_cstr(status->listening.grpc));
  api_answer_text(answer, "http", slice_from_cstr(status->listening.http));
  api_answer_text(answer, "ui", slice_from_cstr(status->listening.ui));
  end(answer);
}

static void write_received(struct api_answer *answer, const char *key, const struct ui_received *received) {
  begin(answer, key);
  api_answer_number(answer, "requests", received->requests);
  api_answer_number(answer, "items", received->items);
  api_answer_number(answer, "bytes", received->bytes);
  api_answer_number(answer, "refused", received->refused);
  api_answer_number(answer, "rejected", received->rejected);
  end(answer);
}

static void write_journal(struct api_answer *answer, const char *key, const struct ui_journal *journal) {
  begin(answer, key);
  api_answer_number(answer, "bytes", journal->bytes);
  api_answer_number(answer, "max_bytes", journal->bytes_max);
  api_answer_number(answer, "records", journal->records);
  api_answer_number(answer, "lag_records", journal->lag_records);
  api_answer_number(answer, "quarantined", journal->quarantined);
  end(answer);
}

static void write_sampling(struct api_answer *answer, const struct ui_status *status) {
  begin(answer, "sampling");
  api_answer_number(answer, "kept", status->sampling.kept);
  api_answer_number(answer, "dropped", status->sampling.dropped);
  api_answer_number(answer, "late", status->sampling.late);
  json_key(&answer->json, "policies");
  json_begin_array(&answer->json);
  for (uint32_t i = 0; i < status->sampling.policy_count; i++) {
    json_begin_object(&answer->json);
    api_answer_cstr(answer, "policy", status->sampling.policies[i].policy);
    api_answer_number(answer, "kept", status->sampling.policies[i].kept);
    end(answer);
  }
  json_end_array(&answer->json);
  api_answer_number(answer, "waiting_traces", status->sampling.waiting_traces);
  api_answer_number(answer, "decision_wait_s", status->sampling.decision_wait_s);
  end(answer);
}

static void write_exporters(struct api_answer *answer, const struct ui_status *status) {
  json_key(&answer->json, "exporters");
  json_begin_array(&answer->json);
  for (uint32_t i = 0; i < status->exporter_count; i++) {
    const struct ui_exporter *exporter = &status->exporters[i];
    json_begin_object(&answer->json);
    api_answer_cstr(answer, "name", exporter->name);
    api_answer_text(answer, "endpoint", slice_from_cstr(exporter->endpoint));
    api_answer_cstr(answer, "state", exporter->state);
    api_answer_number(answer, "sent", exporter->sent);
    api_answer_number(answer, "retried", exporter->retried);
    api_answer_number(answer, "dead", exporter->dead);
    api_answer_number(answer, "dead_letters", exporter->dead_letters);
    api_answer_number(answer, "queue_records", exporter->queue_records);
    api_answer_number(answer, "queue_age_s", exporter->queue_age_s);
    api_answer_text(answer, "last_error", slice_from_cstr(exporter->last_error));
    end(answer);
  }
  json_end_array(&answer->json);
}

static void write_storage(struct api_answer *answer, const struct ui_status *status) {
  const struct ui_options *ui = answer->ui;
  begin(answer, "inbox");
  api_answer_number(answer, "events", status->inbox.events);
  api_answer_number(answer, "duplicates", status->inbox.duplicates);
  api_answer_number(answer, "issues", status->inbox.issues);
  api_answer_number(answer, "lag_records", status->inbox.lag_records);
  end(answer);
  begin(answer, "journal");
  write_journal(answer, "intake", &status->intake);
  write_journal(answer, "kept", &status->kept);
  end(answer);
  begin(answer, "store");
  api_answer_number(answer, "bytes", database_bytes(ui->database));
  api_answer_number(answer, "max_bytes", database_bytes_max(ui->database));
  api_answer_number(answer, "issues", issue_store_issue_count(ui->issues));
  api_answer_number(answer, "events", issue_store_event_count(ui->issues));
  end(answer);
}

static void write_machine(struct api_answer *answer, const struct ui_status *status) {
  begin(answer, "memory");
  api_answer_number(answer, "in_flight_bytes", status->in_flight_bytes);
  api_answer_number(answer, "max_bytes", status->memory_bytes_max);
  api_answer_number(answer, "resident_bytes", status->resident_bytes);
  end(answer);
  begin(answer, "commit_latency_ms");
  json_key(&answer->json, "p50");
  json_write_double(&answer->json, status->commit_p50_ms);
  json_key(&answer->json, "p99");
  json_write_double(&answer->json, status->commit_p99_ms);
  end(answer);
  begin(answer, "disk");
  api_answer_number(answer, "free_bytes", status->disk_free_bytes);
  api_answer_number(answer, "total_bytes", status->disk_total_bytes);
  end(answer);
  begin(answer, "libraries");
  api_answer_cstr(answer, "sqlite", database_library_version());
  for (uint32_t i = 0; i < status->library_count; i++)
    api_answer_cstr(answer, status->libraries[i].name, status->libraries[i].version);
  end(answer);
}

static void write_items(struct api_answer *answer, const struct ui_status *status) {
  begin(answer, "items");
  for (uint32_t i = 0; i < status->item_count; i++)
    api_answer_number(answer, status->items[i].type, status->items[i].count);
  end(answer);
}

// What SDKs threw away before they sent. The page is of use while the inbox cannot be read, too: null then.
static void write_client_reports(struct api_answer *answer) {
  json_key(&answer->json, "client_reports");
  struct item_discarded_row *rows = arena_alloc_array(&answer->arena, ITEM_QUERY_DISCARDED_MAX, sizeof *rows);
  if (!rows || api_answer_read(answer) != STATUS_OK) {
    json_write_null(&answer->json);
    return;
  }
  uint32_t count = item_query_discarded(answer->reader, answer->now_ns, &answer->arena, rows);
  json_begin_array(&answer->json);
  for (uint32_t i = 0; i < count; i++) {
    json_begin_object(&answer->json);
    api_answer_text(answer, "project", rows[i].project);
    api_answer_text(answer, "reason", rows[i].reason);
    api_answer_text(answer, "category", rows[i].category);
    api_answer_number(answer, "quantity", rows[i].quantity);
    api_answer_number(answer, "quantity_24h", rows[i].quantity_day);
    api_answer_time(answer, "since", rows[i].since_ns);
    json_end_object(&answer->json);
  }
  json_end_array(&answer->json);
}

static enum status get(struct api_answer *answer) {
  struct ui_status status = {0};
  answer->ui->status(answer->ui->context, &status);
  json_begin_object(&answer->json);
  api_answer_cstr(answer, "version", CULPRIT_VERSION);
  api_answer_time(answer, "started", status.started_wall_ns);
  api_answer_number(answer, "uptime_s", status.uptime_s);
  json_key(&answer->json, "ready");
  json_write_bool(&answer->json, status.ready);
  json_key(&answer->json, "reasons");
  json_begin_array(&answer->json);
  for (uint32_t i = 0; i < status.reason_count; i++) json_write_cstr(&answer->json, status.reasons[i]);
  json_end_array(&answer->json);
  api_answer_cstr(answer, "data_dir", status.data_dir);
  write_listening(answer, &status);
  begin(answer, "received");
  write_received(answer, "traces", &status.traces);
  write_received(answer, "logs", &status.logs);
  write_received(answer, "metrics", &status.metrics);
  write_received(answer, "events", &status.events);
  end(answer);
  write_items(answer, &status);
  write_client_reports(answer);
  write_sampling(answer, &status);
  write_storage(answer, &status);
  write_exporters(answer, &status);
  write_machine(answer, &status);
  json_end_object(&answer->json);
  return STATUS_OK;
}

void api_status_get(void *context, struct http_request *request) {
  api_answer_run(context, request, no_parameters, get);
}
