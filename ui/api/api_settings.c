// SPDX-License-Identifier: Apache-2.0
//
// What is null is not set for the project and as the configuration has it; a change names the members it is about and
// leaves the others.
#include "ui/api/api_settings.h"

static const char *const limit_names[PROJECT_LIMITS] = {
    [PROJECT_LIMIT_EVENTS] = "events_per_minute",
    [PROJECT_LIMIT_TRANSACTIONS] = "transactions_per_minute",
    [PROJECT_LIMIT_LOGS] = "logs_per_minute",
};

static const struct {
  const char *name, *field;
  enum project_setting setting;
} scrub_members[] = {
    {"enabled", "settings.scrub.enabled", PROJECT_SET_SCRUB_ENABLED},
    {"defaults", "settings.scrub.defaults", PROJECT_SET_SCRUB_DEFAULTS},
    {"ip_addresses", "settings.scrub.ip_addresses", PROJECT_SET_SCRUB_IP_ADDRESSES},
    {"sensitive_keys", "settings.scrub.sensitive_keys", PROJECT_SET_SENSITIVE_KEYS},
    {"safe_keys", "settings.scrub.safe_keys", PROJECT_SET_SAFE_KEYS},
};
enum { SCRUB_MEMBERS = sizeof scrub_members / sizeof scrub_members[0] };

// --- out -------------------------------------------------------------------------------------------------------------

static void write_switch(struct api_answer *answer, const char *key, enum project_switch value) {
  json_key(&answer->json, key);
  if (value == PROJECT_AS_CONFIGURED) {
    json_write_null(&answer->json);
  } else {
    json_write_bool(&answer->json, value == PROJECT_ON);
  }
}

static void write_texts(struct api_answer *answer, const char *key, const char *const *items, uint32_t count) {
  json_key(&answer->json, key);
  json_begin_array(&answer->json);
  for (uint32_t i = 0; i < count; i++) json_write_cstr(&answer->json, items[i]);
  json_end_array(&answer->json);
}

static void write_list(struct api_answer *answer, const char *key, const struct project_key_list *list) {
  if (list->own) {
    write_texts(answer, key, list->items, list->count);
  } else {
    api_answer_cstr(answer, key, NULL);
  }
}

void api_settings_write(struct api_answer *answer, const struct project_settings *settings, bool with_rules) {
  struct json_writer *json = &answer->json;
  json_begin_object(json);
  json_key(json, "scrub");
  json_begin_object(json);
  write_switch(answer, "enabled", settings->scrub_enabled);
  write_switch(answer, "defaults", settings->scrub_defaults);
  write_switch(answer, "ip_addresses", settings->scrub_ip_addresses);
  write_list(answer, "sensitive_keys", &settings->sensitive_keys);
  write_list(answer, "safe_keys", &settings->safe_keys);
  json_end_object(json);
  for (int limit = 0; limit < PROJECT_LIMITS; limit++)
    api_answer_number(answer, limit_names[limit], settings->per_minute[limit]);
  if (with_rules) {
    json_key(json, "enhancements");
    json_write_string(json, settings->enhancements);
    json_key(json, "fingerprint_rules");
    json_write_string(json, settings->fingerprint_rules);
  }
  json_end_object(json);
}

void api_settings_write_defaults(struct api_answer *answer) {
  const struct ui_scrub *scrub = &answer->ui->scrub;
  struct json_writer *json = &answer->json;
  json_begin_object(json);
  json_key(json, "scrub");
  json_begin_object(json);
  json_key(json, "enabled");
  json_write_bool(json, scrub->enabled);
  json_key(json, "defaults");
  json_write_bool(json, scrub->defaults);
  json_key(json, "ip_addresses");
  json_write_bool(json, scrub->ip_addresses);
  write_texts(answer, "sensitive_keys", scrub->sensitive_keys, scrub->sensitive_key_count);
  write_texts(answer, "safe_keys", scrub->safe_keys, scrub->safe_key_count);
  json_end_object(json);
  json_end_object(json);
}

// --- in --------------------------------------------------------------------------------------------------------------

static enum status parse_switch(struct api_answer *answer, const char *field, struct json_value value,
                                enum project_switch *out_switch) {
  enum json_type type = json_type_of(value);
  if (type != JSON_BOOL && type != JSON_NULL)
    return api_answer_fail(answer, STATUS_INVALID, field, "must be true, false or null (as configured)");
  *out_switch = type == JSON_NULL ? PROJECT_AS_CONFIGURED : json_bool(value) ? PROJECT_ON : PROJECT_OFF;
  return STATUS_OK;
}

static enum status parse_list(struct api_answer *answer, const char *field, struct json_value value,
                              struct project_key_list *out_list) {
  static const char *const words = "must be null (as configured) or an array of keys, each 1 to 128 bytes of text";
  *out_list = (struct project_key_list){0};
  if (json_type_of(value) == JSON_NULL) return STATUS_OK;
  if (json_type_of(value) != JSON_ARRAY) return api_answer_fail(answer, STATUS_INVALID, field, "%s", words);
  uint64_t count = json_count(value);
  if (count > PROJECT_SETTINGS_KEYS_MAX)
    return api_answer_fail(answer, STATUS_INVALID, field, "must be at most %d keys", PROJECT_SETTINGS_KEYS_MAX);
  const char **items = arena_alloc_array(&answer->arena, count, sizeof *items);
  if (!items) return api_answer_fail(answer, STATUS_NO_MEMORY, NULL, "out of memory, try again");
  struct project_key_list list = {.own = true, .items = items};
  struct json_value item;
  for (struct json_iter iter = json_iterate(value); list.count < count && json_array_next(&iter, &item);) {
    struct slice text = json_string(item);
    bool good = text.len > 0 && text.len <= PROJECT_SETTINGS_KEY_BYTES_MAX;
    for (size_t i = 0; good && i < text.len; i++) good = text.ptr[i] >= ' ';
    if (!good) return api_answer_fail(answer, STATUS_INVALID, field, "%s", words);
    items[list.count++] = (const char *)arena_copy(&answer->arena, text).ptr;
  }
  *out_list = list;
  return STATUS_OK;
}

static enum status parse_scrub_member(struct api_answer *answer, uint32_t member, struct json_value value,
                                      struct project_settings *settings) {
  const char *field = scrub_members[member].field;
  switch (scrub_members[member].setting) {
  case PROJECT_SET_SCRUB_ENABLED: return parse_switch(answer, field, value, &settings->scrub_enabled);
  case PROJECT_SET_SCRUB_DEFAULTS: return parse_switch(answer, field, value, &settings->scrub_defaults);
  case PROJECT_SET_SCRUB_IP_ADDRESSES: return parse_switch(answer, field, value, &settings->scrub_ip_addresses);
  case PROJECT_SET_SENSITIVE_KEYS: return parse_list(answer, field, value, &settings->sensitive_keys);
  default: return parse_list(answer, field, value, &settings->safe_keys);
  }
}

// null takes all of it back.
static enum status parse_scrub(struct api_answer *answer, struct json_value object, uint32_t *members,
                               struct project_settings *settings) {
  if (json_type_of(object) == JSON_NULL) {
    for (uint32_t i = 0; i < SCRUB_MEMBERS; i++) *members |= 1u << scrub_members[i].setting;
    return STATUS_OK;
  }
  if (json_type_of(object) != JSON_OBJECT)
    return api_answer_fail(answer, STATUS_INVALID, "settings.scrub", "must be an object or null (as configured)");
  struct slice key;
  struct json_value value;
  enum status status = STATUS_OK;
  for (struct json_iter iter = json_iterate(object); status == STATUS_OK && json_object_next(&iter, &key, &value);) {
    uint32_t member = 0;
    while (member < SCRUB_MEMBERS && !slice_equal_cstr(key, scrub_members[member].name)) member++;
    if (member == SCRUB_MEMBERS) return api_answer_unknown_member(answer, "settings.scrub.", key);
    status = parse_scrub_member(answer, member, value, settings);
    *members |= 1u << scrub_members[member].setting;
  }
  return status;
}

static enum status parse_limit(struct api_answer *answer, int limit, struct json_value value, uint32_t *members,
                               struct project_settings *settings) {
  struct slice field = arena_printf(&answer->arena, "settings.%s", limit_names[limit]);
  enum json_type type = json_type_of(value);
  uint64_t number = json_u64(value);
  bool is_zero = type == JSON_NULL || ((type == JSON_I64 || type == JSON_U64) && json_i64(value) == 0);
  if ((number == 0 && !is_zero) || number > PROJECT_SETTINGS_PER_MINUTE_MAX)
    return api_answer_fail(answer, STATUS_INVALID, (const char *)field.ptr, "must be a number from 0 (no limit) to %d",
                           PROJECT_SETTINGS_PER_MINUTE_MAX);
  settings->per_minute[limit] = (uint32_t)number;
  *members |= 1u << (PROJECT_SET_LIMIT + limit);
  return STATUS_OK;
}

// A text of rules that can be used; it stays in the parser's memory.
static enum status parse_rules(struct api_answer *answer, bool fingerprint, struct json_value value,
                               struct slice *out_text) {
  const char *field = fingerprint ? "settings.fingerprint_rules" : "settings.enhancements";
  enum json_type type = json_type_of(value);
  if (type != JSON_STRING && type != JSON_NULL)
    return api_answer_fail(answer, STATUS_INVALID, field, "must be a text of rules, or null for none");
  struct slice text = json_string(value);
  if (text.len > PROJECT_SETTINGS_RULES_BYTES_MAX)
    return api_answer_fail(answer, STATUS_TOO_LARGE, field, "must be at most %zu bytes",
                           PROJECT_SETTINGS_RULES_BYTES_MAX);
  struct ui_rule_fault fault = {0};
  *out_text = text;
  if (answer->ui->check_rules(answer->ui->projects, fingerprint, text, &fault)) return STATUS_OK;
  answer->line = fault.line;
  answer->column = fault.column;
  if (fault.line == 0) return api_answer_fail(answer, STATUS_INVALID, field, "%s", fault.text);
  return api_answer_fail(answer, STATUS_INVALID, field, "line %u, column %u: %s", fault.line, fault.column, fault.text);
}

enum status api_settings_parse(struct api_answer *answer, struct json_value object, uint32_t *out_members,
                               struct project_settings *out_settings) {
  *out_members = 0;
  *out_settings = (struct project_settings){0};
  if (json_type_of(object) != JSON_OBJECT)
    return api_answer_fail(answer, STATUS_INVALID, "settings", "must be an object");
  struct slice key;
  struct json_value value;
  enum status status = STATUS_OK;
  for (struct json_iter iter = json_iterate(object); status == STATUS_OK && json_object_next(&iter, &key, &value);) {
    int limit = 0;
    while (limit < PROJECT_LIMITS && !slice_equal_cstr(key, limit_names[limit])) limit++;
    if (limit < PROJECT_LIMITS) {
      status = parse_limit(answer, limit, value, out_members, out_settings);
    } else if (slice_equal_cstr(key, "scrub")) {
      status = parse_scrub(answer, value, out_members, out_settings);
    } else if (slice_equal_cstr(key, "enhancements")) {
      status = parse_rules(answer, false, value, &out_settings->enhancements);
      *out_members |= 1u << PROJECT_SET_ENHANCEMENTS;
    } else if (slice_equal_cstr(key, "fingerprint_rules")) {
      status = parse_rules(answer, true, value, &out_settings->fingerprint_rules);
      *out_members |= 1u << PROJECT_SET_FINGERPRINT_RULES;
    } else {
      status = api_answer_unknown_member(answer, "settings.", key);
    }
  }
  return status;
}
