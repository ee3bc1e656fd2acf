// SPDX-License-Identifier: Apache-2.0
//
// One column a member and one statement to set it, so that two who change different members at the same time both get
// their way.
#include "store/project_settings.h"

#include <assert.h>

#include "base/json.h"
#include "store/grouping_history.h"

#define LIST_BYTES_MAX (PROJECT_SETTINGS_KEYS_MAX * (PROJECT_SETTINGS_KEY_BYTES_MAX * 6 + 3) + 2) // all escaped

static const struct {
  const char *name; // in errors
  const char *sql;  // NULL: not in this table
} members[PROJECT_SETTINGS] = {
    [PROJECT_SET_SCRUB_ENABLED] = {"scrub.enabled",
                                   "UPDATE project_settings SET scrub_enabled = ?2 WHERE project_id = ?1"},
    [PROJECT_SET_SCRUB_DEFAULTS] = {"scrub.defaults",
                                    "UPDATE project_settings SET scrub_defaults = ?2 WHERE project_id = ?1"},
    [PROJECT_SET_SCRUB_IP_ADDRESSES] = {"scrub.ip_addresses",
                                        "UPDATE project_settings SET scrub_ip_addresses = ?2 WHERE project_id = ?1"},
    [PROJECT_SET_SENSITIVE_KEYS] = {"scrub.sensitive_keys",
                                    "UPDATE project_settings SET scrub_sensitive_keys = ?2 WHERE project_id = ?1"},
    [PROJECT_SET_SAFE_KEYS] = {"scrub.safe_keys",
                               "UPDATE project_settings SET scrub_safe_keys = ?2 WHERE project_id = ?1"},
    [PROJECT_SET_ENHANCEMENTS] = {"enhancements", NULL},
    [PROJECT_SET_FINGERPRINT_RULES] = {"fingerprint_rules", NULL},
    [PROJECT_SET_LIMIT + PROJECT_LIMIT_EVENTS] = {"events_per_minute",
                                                  "UPDATE project_settings SET events_per_minute = ?2 "
                                                  "WHERE project_id = ?1"},
    [PROJECT_SET_LIMIT + PROJECT_LIMIT_TRANSACTIONS] = {"transactions_per_minute",
                                                        "UPDATE project_settings SET transactions_per_minute = ?2 "
                                                        "WHERE project_id = ?1"},
    [PROJECT_SET_LIMIT + PROJECT_LIMIT_LOGS] = {"logs_per_minute", "UPDATE project_settings SET logs_per_minute = ?2 "
                                                                   "WHERE project_id = ?1"},
};
#define HISTORY_BYTES_MAX ((size_t)8 << 20) // of the rules in force, the program's own included
static_assert(PROJECT_SETTINGS <= 32, "members fit in a word of bits");

// --- reading ---------------------------------------------------------------------------------------------------------

static enum project_switch read_switch(const struct statement *row, int column) {
  if (statement_is_null(row, column)) return PROJECT_AS_CONFIGURED;
  return statement_i64(row, column) ? PROJECT_ON : PROJECT_OFF;
}

static void read_list(struct statement *row, int column, struct arena *arena, struct project_key_list *out_list) {
  if (statement_is_null(row, column)) return;
  struct json_parser *parser = json_parser_create(LIST_BYTES_MAX);
  struct json_value root, item;
  const char **items = arena_alloc_array(arena, PROJECT_SETTINGS_KEYS_MAX, sizeof *items);
  bool read = parser && items && json_parse(parser, statement_text(row, column), &root, NULL) == STATUS_OK;
  struct project_key_list list = {.own = true, .items = items};
  if (read) {
    for (struct json_iter iter = json_iterate(root);
         list.count < PROJECT_SETTINGS_KEYS_MAX && json_array_next(&iter, &item);) {
      items[list.count++] = (const char *)arena_copy(arena, json_string(item)).ptr;
    }
    *out_list = list;
  } else {
    connection_fail(row->connection, items ? STATUS_CORRUPT : STATUS_NO_MEMORY, "a project's keys cannot be read");
  }
  json_parser_destroy(parser);
}

void project_settings_read(struct connection *reader, uint32_t project, struct arena *arena,
                           struct project_settings *out_settings) {
  struct project_settings settings = {0};
  struct statement row = connection_statement(
      reader, "SELECT version, scrub_enabled, scrub_defaults, scrub_ip_addresses, scrub_sensitive_keys, "
              "scrub_safe_keys, events_per_minute, transactions_per_minute, "
              "logs_per_minute FROM project_settings WHERE project_id = ?1");
  statement_bind_i64(&row, 1, project);
  if (statement_step(&row)) {
    settings.version = statement_u64(&row, 0);
    settings.scrub_enabled = read_switch(&row, 1);
    settings.scrub_defaults = read_switch(&row, 2);
    settings.scrub_ip_addresses = read_switch(&row, 3);
    read_list(&row, 4, arena, &settings.sensitive_keys);
    read_list(&row, 5, arena, &settings.safe_keys);
    for (int limit = 0; limit < PROJECT_LIMITS; limit++) {
      settings.per_minute[limit] = (uint32_t)statement_i64(&row, 6 + limit);
    }
    statement_reset(&row);
  }
  if (arena_exhausted(arena)) connection_fail(reader, STATUS_NO_MEMORY, "a project's settings are too large");
  *out_settings = settings;
}

uint32_t project_settings_rows(struct connection *reader, struct project_settings_row *out_rows, uint32_t max) {
  struct statement row =
      connection_statement(reader, "SELECT project_id, version FROM project_settings ORDER BY project_id LIMIT ?1");
  statement_bind_i64(&row, 1, max);
  uint32_t count = 0;
  while (statement_step(&row)) {
    out_rows[count++] =
        (struct project_settings_row){.project = (uint32_t)statement_i64(&row, 0), .version = statement_u64(&row, 1)};
  }
  return count;
}

uint64_t project_settings_version(struct connection *reader) {
  struct statement row = connection_statement(reader, "SELECT version FROM project_version WHERE id = 1");
  uint64_t version = 0;
  if (statement_step(&row)) {
    version = statement_u64(&row, 0);
    statement_reset(&row);
  }
  return version;
}

// --- changing --------------------------------------------------------------------------------------------------------

uint64_t project_settings_bump(struct connection *writer) {
  struct statement update =
      connection_statement(writer, "UPDATE project_version SET version = version + 1 WHERE id = 1");
  statement_run(&update);
  return project_settings_version(writer);
}

static enum status check_list(const char *name, const struct project_key_list *list, struct error *error) {
  if (list->count > PROJECT_SETTINGS_KEYS_MAX) {
    return error_set(error, STATUS_TOO_LARGE, "%s: at most %d keys", name, PROJECT_SETTINGS_KEYS_MAX);
  }
  for (uint32_t i = 0; i < list->count; i++) {
    size_t len = strlen(list->items[i]);
    bool good = len > 0 && len <= PROJECT_SETTINGS_KEY_BYTES_MAX && slice_is_utf8(slice_from_cstr(list->items[i]));
    for (size_t at = 0; at < len; at++) good = good && (uint8_t)list->items[i][at] >= ' ';
    if (!good) {
      return error_set(error, STATUS_INVALID, "%s: key %u must be 1 to %d bytes of UTF-8 without control characters",
                       name, i + 1, PROJECT_SETTINGS_KEY_BYTES_MAX);
    }
  }
  return STATUS_OK;
}

static enum status check_rules(const char *name, struct slice text, struct error *error) {
  if (text.len > PROJECT_SETTINGS_RULES_BYTES_MAX) {
    return error_set(error, STATUS_TOO_LARGE, "%s: at most %zu bytes", name, PROJECT_SETTINGS_RULES_BYTES_MAX);
  }
  if (!slice_is_utf8(text) || slice_find_byte(text, 0) < text.len) {
    return error_set(error, STATUS_INVALID, "%s: must be UTF-8 without NUL", name);
  }
  return STATUS_OK;
}

static enum status check(uint32_t changed, const struct project_settings *settings, struct error *error) {
  enum status status = STATUS_OK;
  for (int member = 0; member < PROJECT_SETTINGS && status == STATUS_OK; member++) {
    const char *name = members[member].name;
    if (!(changed >> member & 1)) continue;
    if (member == PROJECT_SET_SENSITIVE_KEYS) status = check_list(name, &settings->sensitive_keys, error);
    if (member == PROJECT_SET_SAFE_KEYS) status = check_list(name, &settings->safe_keys, error);
    if (member == PROJECT_SET_ENHANCEMENTS) status = check_rules(name, settings->enhancements, error);
    if (member == PROJECT_SET_FINGERPRINT_RULES) status = check_rules(name, settings->fingerprint_rules, error);
    if (member >= PROJECT_SET_LIMIT &&
        settings->per_minute[member - PROJECT_SET_LIMIT] > PROJECT_SETTINGS_PER_MINUTE_MAX)
      status = error_set(error, STATUS_INVALID, "%s: at most %d", name, PROJECT_SETTINGS_PER_MINUTE_MAX);
  }
  return status;
}

static void bind_switch(struct statement *update, enum project_switch value) {
  if (value != PROJECT_AS_CONFIGURED) statement_bind_i64(update, 2, value == PROJECT_ON);
}

static struct slice write_list(const struct project_key_list *list, struct buffer *text) {
  struct json_writer json;
  buffer_clear(text);
  if (!list->own) return (struct slice){0};
  json_writer_init(&json, text);
  json_begin_array(&json);
  for (uint32_t i = 0; i < list->count; i++) json_write_cstr(&json, list->items[i]);
  json_end_array(&json);
  ASSERT(!text->failed);
  return buffer_slice(text);
}

static void change_member(struct connection *writer, uint32_t project, int member,
                          const struct project_settings *settings) {
  struct buffer text;
  buffer_init(&text, LIST_BYTES_MAX);
  struct statement update = connection_statement(writer, members[member].sql);
  statement_bind_i64(&update, 1, project);
  switch (member) {
  case PROJECT_SET_SCRUB_ENABLED: bind_switch(&update, settings->scrub_enabled); break;
  case PROJECT_SET_SCRUB_DEFAULTS: bind_switch(&update, settings->scrub_defaults); break;
  case PROJECT_SET_SCRUB_IP_ADDRESSES: bind_switch(&update, settings->scrub_ip_addresses); break;
  case PROJECT_SET_SENSITIVE_KEYS: statement_bind_text(&update, 2, write_list(&settings->sensitive_keys, &text)); break;
  case PROJECT_SET_SAFE_KEYS: statement_bind_text(&update, 2, write_list(&settings->safe_keys, &text)); break;
  default: statement_bind_i64(&update, 2, settings->per_minute[member - PROJECT_SET_LIMIT]); break;
  }
  statement_run(&update);
  buffer_finish(&text);
}

static int64_t count_rows(struct connection *writer, const char *sql, uint32_t project) {
  struct statement row = connection_statement(writer, sql);
  statement_bind_i64(&row, 1, project);
  int64_t count = 0;
  if (statement_step(&row)) {
    count = statement_i64(&row, 0);
    statement_reset(&row);
  }
  return count;
}

void project_settings_read_rules(struct connection *reader, uint32_t project, struct arena *arena,
                                 struct project_settings *settings) {
  struct grouping_history history;
  grouping_history_load(reader, project, UINT64_MAX, arena,
                        &history); // at the end of time only what is in force is left
  if (history.count == 0) return;
  settings->enhancements = history.setups[0].enhancements;
  settings->fingerprint_rules = history.setups[0].fingerprinting;
}

// The text that is not changed stays.
static void change_rules(struct connection *writer, const struct project_settings_change *change, uint64_t now_ns) {
  struct project_settings rules = {0};
  struct arena arena;
  arena_init(&arena, HISTORY_BYTES_MAX);
  project_settings_read_rules(writer, change->project, &arena, &rules);
  if (change->members >> PROJECT_SET_ENHANCEMENTS & 1) rules.enhancements = change->settings->enhancements;
  if (change->members >> PROJECT_SET_FINGERPRINT_RULES & 1)
    rules.fingerprint_rules = change->settings->fingerprint_rules;
  grouping_history_set_rules_in(writer, now_ns, change->project, rules.enhancements, rules.fingerprint_rules);
  arena_finish(&arena);
}

static void change_row(struct connection *writer, const struct project_settings_change *change, uint64_t version) {
  if (count_rows(writer, "SELECT count(*) FROM project_settings WHERE project_id <> ?1", change->project) >=
      PROJECT_SETTINGS_MAX)
    connection_fail(writer, STATUS_CONFLICT, "too many projects have settings of their own");
  struct statement row = connection_statement(writer, "INSERT INTO project_settings (project_id, version) VALUES (?1, "
                                                      "?2) ON CONFLICT (project_id) DO UPDATE SET version = ?2");
  statement_bind_i64(&row, 1, change->project);
  statement_bind_u64(&row, 2, version);
  statement_run(&row);
  for (int member = 0; member < PROJECT_SETTINGS; member++) {
    if (change->members >> member & 1 && members[member].sql)
      change_member(writer, change->project, member, change->settings);
  }
}

enum status project_settings_change(struct database *database, const struct clock *clock,
                                    const struct project_settings_change *change, struct error *error) {
  const uint32_t rules = 1u << PROJECT_SET_ENHANCEMENTS | 1u << PROJECT_SET_FINGERPRINT_RULES;
  enum status status = check(change->members, change->settings, error);
  if (status != STATUS_OK) return status;
  struct connection *writer = database_write_begin(database);
  if (count_rows(writer, "SELECT count(*) FROM project WHERE id = ?1", change->project) == 0)
    connection_fail(writer, STATUS_NOT_FOUND, "there is no such project");
  uint64_t version = project_settings_bump(writer);
  if (change->members & ~rules) change_row(writer, change, version);
  if (change->members & rules) change_rules(writer, change, clock_wall_ns(clock));
  return database_write_end(database, error);
}
